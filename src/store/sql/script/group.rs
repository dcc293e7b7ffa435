//! Counts the customers who share the kept values of one customer: one grouped statement for a whole batch, before
//! anything is written.

use super::Statement;
use super::targets::Target;
use crate::anonymise::Strategy;
use crate::data_map::{ClassName, FieldName};
use crate::store::sql::bind::{Bound, BoundClass};
use crate::store::sql::dialect::{Computed, Dialect, Holds, OwnTable};
use crate::store::sql::map::TenantSource;
use crate::store::sql::spelling::{columns, count_if, flag, quoted, source_sql};
use crate::store::sql::values::Slot;
use crate::store::sql::whose::{Set, of_class, stand_in_sql};
use crate::treatment::{ClassTreatment, Standing};

/// The table of the batch's customers whose kept values too few customers share.
const RARE: &str = "relinquish_rare";

pub(crate) fn rare(bound: &Bound) -> String {
    bound.dialect.own_table(RARE)
}

/// Creates the table. `alone` marks customers whose more general values are shared by too few, too.
pub(crate) fn create_rare(bound: &Bound) -> String {
    let columns = vec![("n".to_owned(), Holds::Number), ("alone".to_owned(), Holds::Flag)];
    let like = bound.customers.table.clone();
    bound.dialect.create(&OwnTable {
        name: RARE.to_owned(),
        like,
        columns,
        key: vec!["n".to_owned()],
        is_numbered: false,
    })
}

/// The statements of a smallest group.
#[derive(Clone, Debug)]
pub(crate) struct GroupScript {
    pub(crate) class: ClassName,
    /// Adds the customers whose kept values too few customers share.
    pub(crate) fill: String,
    /// Per customer: rows in which such a value is left, and those among them that are cleared.
    pub(crate) tally: Statement,
    /// A field that is a value inside a document. It cannot be counted.
    pub(crate) within_document: Option<FieldName>,
    columns: Vec<Column>,
    is_rare: String,
    is_alone: String,
}

/// A column that has to be shared, with the slots of the values that are written if too few share it.
#[derive(Clone, Debug)]
struct Column {
    name: String,
    cleared: usize,
    /// The slot of the more general value, if there is such a step.
    coarser: Option<usize>,
}

impl GroupScript {
    pub(super) fn new(
        bound: &Bound,
        number: usize,
        class: &BoundClass,
        treated: &ClassTreatment,
        targets: &[Target<'_>],
        slots: &mut Vec<Slot>,
    ) -> Option<Self> {
        let smallest = treated.smallest_group()?;
        let table = quoted(&class.table);
        let dialect = bound.dialect;
        let general = |slot: usize, value: &str| dialect.computed(&Computed::General { slot, value });
        let mut shared = Vec::new();
        if let TenantSource::From(source) = &bound.customers.tenant {
            shared.push(source_sql(&bound.customers.table, source));
        }
        let mut coarse = shared.clone();
        let mut slot = |field: &FieldName, strategy: Option<Strategy>| {
            slots.push(Slot::plain(&class.name, field, strategy?, None));
            Some(slots.len() - 1)
        };
        let (mut at_last, mut before) = (smallest.written(Standing::Alone), smallest.written(Standing::Rare));
        let mut of_group = Vec::new();
        for field in smallest.fields().keys() {
            let name = format!("{table}.{}", quoted(field.as_str()));
            shared.push(match targets.iter().find(|target| target.column == name && !target.in_json) {
                Some(target) => general(target.slot, &name),
                None => name.clone(),
            });
            let step = before.remove(field).filter(|_| smallest.coarser().contains_key(field));
            let (cleared, coarser) = (slot(field, at_last.remove(field))?, slot(field, step));
            coarse.extend(coarser.map(|slot| general(slot, &name)));
            of_group.push(Column { name, cleared, coarser });
        }
        let touched = Set::Touched.of(bound, number);
        let parts = 0..class.handle.len();
        let handles: Vec<String> =
            parts.clone().map(|part| format!("h{part} AS relinquish_h{part}")).collect();
        let same: Vec<String> = parts
            .zip(&class.handle)
            .map(|(part, column)| format!("{table}.{} = relinquish_r.relinquish_h{part}", quoted(column)))
            .collect();
        // These names cannot clash with names in the host's scalar SQL.
        let from = format!(
            "FROM (SELECT {}, n AS relinquish_n FROM {touched}) AS relinquish_r{}",
            handles.join(", "),
            dialect.then(&bound.table(&class.table), &table, &same.join(" AND "))
        );
        let shared_by_too_few = |values: &[String]| {
            // Quoted, NULL is a value like others, and 1 is not '1'.
            let values: Vec<String> = values.iter().map(|value| dialect.spelled(value)).collect();
            let values = values.join(", ");
            format!(
                "({values}) NOT IN (
                     SELECT {values} FROM {} AS {table} WHERE NOT coalesce({}, FALSE){}
                     GROUP BY {values} HAVING count(*) >= {}
                 )",
                bound.table(&class.table),
                stand_in_sql(dialect, &bound.customers, &table),
                of_class(bound, &table, &class.rows),
                smallest.least(),
            )
        };
        let alone =
            if smallest.coarser().is_empty() { "TRUE".to_owned() } else { shared_by_too_few(&coarse) };
        let select = format!(
            "SELECT relinquish_r.relinquish_n, {} {from} WHERE {}",
            flag(&alone),
            shared_by_too_few(&shared)
        );
        let rare = rare(bound);
        let fill = dialect.add(&rare, "n, alone", &select);
        let names: Vec<String> =
            (0..class.handle.len()).map(|part| format!("relinquish_r.h{part}")).collect();
        let is_in = |which: &str| {
            format!(
                "{} IN (SELECT {} FROM {touched} AS relinquish_r{}{which})",
                columns(&table, &class.handle),
                names.join(", "),
                dialect.then(&rare, "rare", "rare.n = relinquish_r.n")
            )
        };
        let (is_rare, is_alone) = (is_in(""), is_in(" WHERE rare.alone = 1"));
        let holds = |slot: &dyn Fn(&Column) -> usize| {
            let each = of_group
                .iter()
                .map(|column| dialect.computed(&Computed::Holds { slot: slot(column), value: &column.name }));
            each.collect::<Vec<_>>().join(" AND ")
        };
        let tally = format!(
            "SELECT relinquish_r.relinquish_n, count(*), {} {from}
             WHERE {is_rare} AND NOT CASE WHEN {is_alone} THEN {} ELSE {} END GROUP BY relinquish_r.relinquish_n",
            count_if(&is_alone),
            holds(&|column| column.cleared),
            holds(&|column| column.coarser.unwrap_or(column.cleared)),
        );
        Some(Self {
            class: class.name.clone(),
            fill,
            tally: Statement { sql: tally, parameters: Vec::new() },
            within_document: smallest.fields().keys().find(|field| class.json.contains_key(*field)).cloned(),
            columns: of_group,
            is_rare,
            is_alone,
        })
    }

    /// Makes the columns more general or clears them, if too few customers share them. Otherwise they keep their new
    /// values.
    pub(super) fn put_into<'s>(
        &'s self,
        dialect: &dyn Dialect,
        values: &mut Vec<(&'s str, String)>,
        key: &str,
    ) {
        for Column { name, cleared, coarser } in &self.columns {
            let before = values.iter().position(|(column, _)| column == name).map(|at| values.remove(at).1);
            let otherwise = before.as_ref().unwrap_or(name);
            let written = |slot: usize| dialect.computed(&Computed::Value { slot, old: name, key });
            let step = coarser.map_or_else(String::new, |coarser| {
                format!("WHEN {} AND NOT {} THEN {} ", self.is_rare, self.is_alone, written(coarser))
            });
            let cleared = format!("WHEN {} THEN {} ", self.is_rare, written(*cleared));
            values.push((name, format!("CASE {step}{cleared}ELSE {otherwise} END")));
        }
    }
}
