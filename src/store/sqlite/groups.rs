//! Counting who shares what stays of a customer: one grouped statement for a whole batch, before anything is written.

use rusqlite::Connection;

use super::functions::Slot;
use super::statements::{Script, Statement, Target, affinity, quoted, source_sql};
use super::{Shared, Trouble, facts, ownership};
use crate::data_map::{ClassName, Datatype, FieldName};
use crate::policy::ClassTreatment;
use crate::sqlite::Fault;
use crate::store::sql::{Bound, BoundClass, TenantSource};

/// The customers of a batch with whom too few share what would stay of them.
const RARE: &str = "temp.relinquish_rare";

/// Makes the table, whose column takes keys as the customers' own key column does.
pub(super) fn create_rare(key: Datatype) -> String {
    format!("CREATE TABLE IF NOT EXISTS {RARE} (relinquish_customer {} PRIMARY KEY)", affinity(key))
}

/// What a smallest group takes.
#[derive(Clone, Debug)]
pub(super) struct GroupScript {
    pub(super) class: ClassName,
    /// Puts those into the table with whom too few share what stays.
    fill: String,
    /// Per customer: rows in which something is left of it.
    pub(super) tally: Statement,
    /// A field that is a value within a document, by which nobody can be counted.
    within_document: Option<FieldName>,
    cleared: Vec<Cleared>,
    is_rare: String,
}

/// A column that is cleared where too few share what stays.
#[derive(Clone, Debug)]
struct Cleared {
    slot: usize,
    column: String,
}

impl GroupScript {
    pub(super) fn new(
        bound: &Bound,
        class: &BoundClass,
        treated: &ClassTreatment,
        targets: &[Target<'_>],
        slots: &mut Vec<Slot>,
    ) -> Option<Self> {
        let smallest = treated.smallest_group()?;
        let table = quoted(&class.table);
        let mut cleared = Vec::new();
        let mut shared = Vec::new();
        if let TenantSource::From(source) = &bound.customers.tenant {
            shared.push(source_sql(&bound.customers.table, source));
        }
        for (field, strategy) in smallest.fields() {
            let column = format!("{table}.{}", quoted(field.as_str()));
            shared.push(match targets.iter().find(|target| target.column == column && !target.in_json) {
                Some(target) => format!("relinquish_general({}, {column})", target.slot),
                None => column.clone(),
            });
            cleared.push(Cleared { slot: slots.len(), column });
            slots.push(Slot {
                class: class.name.clone(),
                field: field.clone(),
                strategy: strategy.clone(),
                place: None,
            });
        }
        // Quoted, NULL is a value like others, and 1 is not '1'.
        let shared: Vec<String> = shared.iter().map(|value| format!("quote({value})")).collect();
        let shared = shared.join(", ");
        let from = ownership::from_batch(class);
        let fill = format!(
            "INSERT OR IGNORE INTO {RARE} (relinquish_customer)
             SELECT relinquish_b.relinquish_customer {from} WHERE ({shared}) NOT IN (
                 SELECT {shared} FROM main.{table} AS {table} WHERE NOT coalesce({}, 0)
                 GROUP BY {shared} HAVING count(*) >= {}
             )",
            facts::stand_in_sql(&bound.customers),
            smallest.least(),
        );
        let key = class.key.first().map_or("", String::as_str);
        let is_rare = format!("{table}.{} IN (SELECT relinquish_customer FROM {RARE})", quoted(key));
        let holds: Vec<String> = cleared
            .iter()
            .map(|Cleared { slot, column }| format!("relinquish_holds({slot}, {column})"))
            .collect();
        let tally = format!(
            "SELECT relinquish_b.relinquish_n, count(*), 0 {from} WHERE {is_rare} AND NOT ({})
             GROUP BY relinquish_b.relinquish_n",
            holds.join(" AND ")
        );
        Some(Self {
            class: class.name.clone(),
            fill,
            tally: Statement { sql: tally, parameters: Vec::new() },
            within_document: smallest.fields().keys().find(|field| class.json.contains_key(*field)).cloned(),
            cleared,
            is_rare,
        })
    }

    /// Has the columns cleared where too few share them. They get what they had got anyway elsewhere.
    pub(super) fn put_into<'s>(&'s self, values: &mut Vec<(&'s str, String)>, key: &str) {
        for Cleared { slot, column } in &self.cleared {
            let before = values.iter().position(|(name, _)| name == column).map(|at| values.remove(at).1);
            let otherwise = before.as_ref().unwrap_or(column);
            let value = format!(
                "CASE WHEN {} THEN relinquish_value({slot}, {column}, {key}) ELSE {otherwise} END",
                self.is_rare
            );
            values.push((column, value));
        }
    }
}

impl Shared {
    /// Finds those of the batch with whom too few share what would stay. By now nothing is written.
    pub(super) fn find_rare(connection: &Connection, script: &Script) -> Result<(), Trouble> {
        for group in script.classes.iter().filter_map(|class| class.group.as_ref()) {
            if let Some(field) = &group.within_document {
                let what = format!(
                    "{field} of {} is within a document, and nobody can be counted by it; clear it, or leave \
                     smallest_group out",
                    group.class
                );
                return Err(Fault::Other(what).into());
            }
            let at = Trouble::at(&group.class);
            connection
                .prepare_cached(&format!("DELETE FROM {RARE}"))
                .and_then(|mut s| s.execute([]))
                .map_err(&at)?;
            connection.prepare_cached(&group.fill).and_then(|mut s| s.execute([])).map_err(&at)?;
        }
        Ok(())
    }
}
