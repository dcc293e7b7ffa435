//! A treatment as SQL statements. Their number depends on the record classes, never on the rows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::bind::Bound;
use super::cell::Cell;
use super::dialect::{Computed, Dialect};
use super::spelling::quoted;
use super::values::Slot;
use super::whose::{Expression, Finder, Finding, Place, Reads, Ways, need_no_set_for};
use crate::anonymise::Strategy;
use crate::customer::Status;
use crate::data_map::{ClassName, DateForm, FieldName, Value};
use crate::treatment::{Treatment, UnderDuty};

mod class;
mod group;
mod hand_over;
mod kept;
mod named;
mod nobody;
mod others;
mod part;
mod targets;

use class::Writer;
pub(crate) use group::{GroupScript, create_rare, rare};
use kept::Kept;
pub(crate) use part::Part;
use targets::{Reading, are_erased, targets};

/// The statements for one class.
#[derive(Clone, Debug)]
pub(crate) struct ClassScript {
    pub(crate) class: ClassName,
    /// Per customer: rows, without rows that a duty keeps.
    pub(crate) rows: String,
    /// Per customer: rows, and rows with something to do if they are counted. If rows are [dated](Self::dated), one
    /// by one.
    pub(crate) tally: Statement,
    /// How many of these rows have something to do.
    pub(crate) are_due: Due,
    /// Rows in which fields belong to customers of the batch. `None` if the class has no such fields.
    pub(crate) theirs: Option<Theirs>,
    /// Per customer: rows that also have an owner who stays. `None` if no rows are shared.
    pub(crate) others: Option<String>,
    /// Per customer and link: treated rows whose link leads to somebody else.
    pub(crate) named_others: Vec<(String, String)>,
    /// Per customer and link: treated rows that stay, with fields that belong to the person at the far end of the link,
    /// while the link leads nowhere.
    pub(crate) nobodys_fields: Vec<(String, Statement)>,
    /// Per customer and link: rows that nobody who stays has, and that lead to treated rows.
    pub(crate) nobodys_records: Vec<(String, Elsewhere)>,
    /// Per customer: shared rows whose texts mention the customer.
    pub(crate) mentioned: Option<Statement>,
    /// Set if the tally returns single rows. Rust then counts by their dates. `None` if the database counts.
    pub(crate) dated: Option<DatedRows>,
    /// Per customer: rows that a duty keeps, with their first and last date by each of the fields. `None` if there is
    /// no duty, or if the tally returns this.
    pub(crate) kept: Option<(Statement, Vec<FieldName>)>,
    /// The records for whose sake rows are kept.
    pub(crate) keepers: Vec<KeepersScript>,
    /// Per customer: rows that are kept only for the sake of others. `None` if there can be none.
    pub(crate) kept_for_others: Option<Statement>,
    /// Per customer: uncertain mentions, by each of the fields. `None` if no text is searched.
    pub(crate) uncertain: Option<(Statement, Vec<FieldName>)>,
    /// The same per row: by field, and then the parts of its key, with their number. Used for one customer at a time.
    pub(crate) uncertain_rows: Option<(String, Vec<FieldName>, usize)>,
    /// For each column whose new value depends on its old one, per customer: the number of what the values become, and
    /// how many they are.
    pub(crate) contents: Vec<(FieldName, String)>,
    /// The texts that stay, in rows that no duty keeps. `None` if none stay.
    pub(crate) left: Option<Left>,
    /// The smallest group to count, if there is one.
    pub(crate) group: Option<GroupScript>,
    /// Rows that a kept row needs. `None` if there can be none.
    pub(crate) tombstone: Option<Tombstone>,
    /// The number of rows to treat, each counted once.
    pub(crate) distinct: String,
    /// Whether no two customers share a row, so that the counts per customer can be added up.
    pub(crate) adds_up: bool,
    /// What is done to the rows. `None` if nothing is ever done.
    pub(crate) act: Option<Act>,
    /// Fields in anybody's rows that belong to the erased customers.
    pub(crate) fields_of_others: Vec<Elsewhere>,
    /// Texts of rows that stay because they have other owners.
    pub(crate) redact_shared: Option<Statement>,
    /// Links from any class to rows that are deleted.
    pub(crate) let_go: Vec<LetGo>,
    /// Whether triggers may write to the class, so that it is treated again at the end.
    pub(crate) again: bool,
    /// Whether rows may be deleted together with other rows of the same table.
    pub(crate) may_shrink: bool,
}

impl ClassScript {
    /// Whether the class's own rows are ever treated.
    pub(crate) fn is_treated(&self) -> bool {
        self.act.is_some()
    }

    /// Whether the class's rows are ever written to. If a row's only field is its customer's e-mail address, it is
    /// written through the link that compares the address.
    pub(crate) fn is_written(&self) -> bool {
        self.is_treated() || !self.fields_of_others.is_empty()
    }
}

/// How the dates of records are read for whose sake others are kept.
#[derive(Clone, Debug)]
pub(crate) struct KeepersScript {
    pub(crate) class: ClassName,
    /// The links over which their duty keeps others: class and link.
    pub(crate) needs: BTreeSet<(ClassName, String)>,
    /// Per customer: the first and last date by each of the fields.
    pub(crate) statement: Statement,
    pub(crate) fields: Vec<FieldName>,
}

/// How texts that stay are read: the customer, the texts, and then the parts of the key.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    pub(crate) sql: String,
    pub(crate) fields: Vec<(FieldName, Says)>,
    pub(crate) key: usize,
}

/// What the map says of a column whose text stays.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// The column may hold any text.
    Nothing,
    /// The column holds the customer's status.
    Status(BTreeMap<String, Status>),
    /// The column holds dates of this form.
    Date(DateForm),
}

impl Says {
    /// Whether a value is what the map says: such a value names nobody.
    pub(crate) fn names_nobody(&self, value: Cell<'_>) -> bool {
        let Cell::Text(bytes) = value else { return true };
        match self {
            _ if bytes.is_empty() => true,
            Self::Nothing => false,
            Self::Status(values) => {
                std::str::from_utf8(bytes).is_ok_and(|status| values.contains_key(status))
            }
            Self::Date(form) => form.read_stored(value.stored(), None).moment().is_some(),
        }
    }
}

/// How single rows are read: the customer, a date for each duty, and then, if it is counted, whether there is something to
/// do if no duty keeps the row.
#[derive(Clone, Debug)]
pub(crate) struct DatedRows {
    pub(crate) duties: Vec<(usize, FieldName)>,
    /// How many of the rows that no duty keeps have something to do.
    pub(crate) due: Due,
}

/// How many rows have something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// This depends on their values, or on a duty.
    Counted,
    /// All rows, whatever they hold.
    All,
    Nothing,
}

/// What is done to the rows of a class, in this order.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Their fields are written.
    Write(Statement),
    /// They are handed over. Rows of which the "Unknown Customer" has an equal row are first marked and then deleted.
    HandOver { mark: Vec<String>, write: Statement, delete: Option<Instead> },
    /// They are deleted.
    Delete(String),
}

/// Rows that are deleted instead of handed over.
#[derive(Clone, Debug)]
pub(crate) struct Instead {
    pub(crate) sql: String,
    /// Per customer: the number of rows.
    pub(crate) rows: String,
}

/// A link to rows that are deleted.
#[derive(Clone, Debug)]
pub(crate) struct LetGo {
    /// The class that has the link.
    pub(crate) class: ClassName,
    /// The link's name.
    pub(crate) link: String,
    /// Per customer: rows that stay and whose link is cut.
    pub(crate) counted: Elsewhere,
    pub(crate) sql: String,
    /// If the statement reads a whole table: how it avoids that.
    pub(crate) reads: Option<Reads>,
    /// The deleted rows to which the links lead.
    pub(crate) from: Place,
    /// The check whether the tenant's "Unknown Customer" is needed, if the link is handed over.
    pub(crate) hands_over: Option<Elsewhere>,
    /// The number of links that were not cut. `None` if no trigger of the table can cause that.
    pub(crate) left: Option<String>,
    /// The row to which a cut link leads. `None` if it leads nowhere, or if no foreign key requires the row.
    pub(crate) lands: Option<Lands>,
    /// The number of customers whose key is the value that the map writes to the link. `None` if no customer can have it.
    pub(crate) taken: Option<String>,
}

/// The row to which links are cut: its key is the value that the map writes.
#[derive(Clone, Debug)]
pub(crate) struct Lands {
    pub(crate) table: String,
    /// The number of such rows.
    pub(crate) found: String,
}

/// How rows are counted in which fields belong to customers of the batch.
#[derive(Clone, Debug)]
pub(crate) struct Theirs {
    /// The set of these rows.
    pub(crate) place: Place,
    /// The statements that fill the set, one for each link and each class at its far end.
    pub(crate) fills: Vec<Elsewhere>,
    /// Per customer: rows of others, and rows with something to do that is not counted with the customer's own rows.
    pub(crate) rows: Statement,
    /// Per customer: rows of others that a duty keeps, with their first and last date by each of the fields. `None` if no
    /// duty can keep one.
    pub(crate) kept: Option<(Statement, Vec<FieldName>)>,
}

/// Records whose key means nobody at a link.
#[derive(Clone, Debug)]
pub(crate) struct KeysOfNobody {
    /// The class that has the link.
    pub(crate) class: ClassName,
    pub(crate) link: String,
    /// The class to which the link leads.
    pub(crate) to: ClassName,
    /// Per customer: the number of such records.
    pub(crate) found: String,
}

/// A statement about anybody's rows, along a link.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    statement: Statement,
    /// If the statement reads a whole table: how it avoids that.
    pub(crate) reads: Option<Reads>,
    /// The set of rows to which the link leads. `None`: the batch.
    pub(crate) from: Option<Place>,
}

impl Elsewhere {
    /// The statement, or its variant over rows that were picked before.
    pub(crate) fn over(&self, is_picked: bool) -> Cow<'_, Statement> {
        match self.reads.as_ref().filter(|_| is_picked) {
            None => Cow::Borrowed(&self.statement),
            Some(reads) => Cow::Owned(Statement {
                sql: reads.of_picked.clone(),
                parameters: self.statement.parameters.clone(),
            }),
        }
    }
}

/// What is done to rows that are deleted only with the last row that needs them.
#[derive(Clone, Debug)]
pub(crate) struct Tombstone {
    /// Per customer: the rows.
    pub(crate) rows: Statement,
    /// The statement that anonymises them for now. `None` if they hold no personal data.
    pub(crate) act: Option<Statement>,
    /// The number of rows.
    pub(crate) distinct: String,
}

/// A statement with its parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Value>,
}

impl Statement {
    pub(crate) fn bind(&mut self, dialect: &dyn Dialect, value: &Value) -> String {
        self.parameters.push(value.clone());
        dialect.parameter(self.parameters.len())
    }
}

/// A treatment as statements.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) finding: Finding,
    pub(crate) classes: Vec<ClassScript>,
    pub(crate) slots: Arc<[Slot]>,
    /// Records whose key means nobody at a link.
    pub(crate) keys_of_nobody: Vec<KeysOfNobody>,
    /// The duties that may keep rows.
    pub(crate) duties: Arc<[UnderDuty]>,
    /// Per customer, whether the customer's own values are erased, if some texts depend on that.
    pub(crate) erased: Option<(ClassName, Statement)>,
}

impl Script {
    /// The statements for customers of a batch.
    pub(crate) fn new(bound: &Bound, treatment: &Treatment) -> Self {
        Self::written(bound, treatment, &need_no_set_for(bound, treatment))
    }

    /// The tables that may have to be read while rows are treated.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (&Reads, Option<Place>)> {
        let links = self.classes.iter().flat_map(|class| &class.let_go);
        // A table that is read for a count is read for the count and the write at once.
        let links = links.flat_map(|link| {
            let counted = link.counted.reads.as_ref();
            let needed = link.hands_over.as_ref().and_then(|needed| needed.reads.as_ref());
            counted.into_iter().chain(&link.reads).chain(needed).map(|reads| (reads, Some(link.from)))
        });
        let fields = self.classes.iter().flat_map(|class| &class.fields_of_others);
        let fields = fields.filter_map(|field| Some((field.reads.as_ref()?, field.from)));
        links.chain(fields).chain(self.of_nobody())
    }

    /// The tables in which records of nobody are counted.
    fn of_nobody(&self) -> impl Iterator<Item = (&Reads, Option<Place>)> {
        let links = self.classes.iter().flat_map(|class| &class.nobodys_records);
        links.filter_map(|(_, counted)| Some((counted.reads.as_ref()?, counted.from)))
    }

    /// The tables that may have to be read while rows are counted.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&Reads, Option<Place>)> {
        let fills =
            self.classes.iter().filter_map(|class| class.theirs.as_ref()).flat_map(|theirs| &theirs.fills);
        fills.filter_map(|field| Some((field.reads.as_ref()?, field.from))).chain(self.of_nobody())
    }

    /// The statements for rows that are put into their sets by other code.
    pub(crate) fn of_sets(bound: &Bound, treatment: &Treatment) -> Self {
        Self::written(bound, treatment, &BTreeSet::new())
    }

    fn written(bound: &Bound, treatment: &Treatment, without_set: &BTreeSet<usize>) -> Self {
        let mut slots = Vec::new();
        let mut duties = Vec::new();
        let ways = &Ways { bound };
        let kept: BTreeMap<usize, Kept> = bound
            .classes
            .iter()
            .enumerate()
            .filter_map(|(number, class)| Some((number, Kept::of(ways, class, treatment, &mut duties)?)))
            .collect();
        let has_left = has_left(bound, treatment, &mut slots);
        let expressions = kept.iter().map(|(number, kept)| {
            let expression: Expression<'_> = Box::new(move |alias: &str| kept.is_kept(ways, alias));
            (*number, expression)
        });
        let needs: Vec<_> = treatment.kept_together().into_iter().cloned().collect();
        let needs = &needs;
        let by_needs = kept.iter().map(|(number, kept)| {
            let each = needs.iter().enumerate().map(move |(group, needs)| {
                let expression: Expression<'_> =
                    Box::new(move |alias: &str| kept.is_kept_by(ways, alias, needs));
                (i64::try_from(group).unwrap_or(i64::MAX), expression)
            });
            (*number, each.collect())
        });
        let finder = Finder::new(
            bound,
            Some(treatment),
            without_set.clone(),
            expressions.collect(),
            by_needs.collect(),
            has_left,
        );
        let finding = finder.finding();
        drop(finder);
        let writer = Writer { bound, ways: ways.clone(), treatment, without_set, kept: &kept };
        let classes = bound
            .classes
            .iter()
            .enumerate()
            .filter_map(|(number, class)| {
                let treated = treatment.class(class.name.as_str())?;
                Some(writer.class(number, class, treated, &mut slots))
            })
            .collect();
        let keys_of_nobody = writer.keys_of_nobody();
        let erased = erased(bound, treatment, &mut slots);
        Self { finding, classes, slots: slots.into(), keys_of_nobody, duties: duties.into(), erased }
    }
}

/// Whether the customers' own values are erased, if some texts depend on that.
fn erased(bound: &Bound, treatment: &Treatment, slots: &mut Vec<Slot>) -> Option<(ClassName, Statement)> {
    treatment.classes().values().find(|class| !class.after_duty().is_empty())?;
    let number = bound.classes.iter().position(|class| class.is_root)?;
    let class = bound.classes.get(number)?;
    let treated = treatment.class(class.name.as_str())?;
    let fields = treated.tombstone().map_or(treated.fields(), |tombstone| tombstone.fields());
    let own = fields.iter().filter(|(field, _)| !class.of.contains_key(*field));
    let written = targets(class, &Reading::new(bound, class, treated), own, slots);
    Some((class.name.clone(), are_erased(bound, number, class, &written)?))
}

/// The condition that a customer's row shows that the customer is erased: a treatment of the policy has nothing more to do
/// there, and a written field holds a placeholder or a token. `None` if no treatment leaves such a sign.
fn has_left<'b>(bound: &'b Bound, treatment: &Treatment, slots: &mut Vec<Slot>) -> Option<Expression<'b>> {
    let root = bound.root()?;
    let treated = treatment.class(root.name.as_str())?;
    let by = std::iter::once(treated.sign_fields()).chain(&*treatment.other_signs);
    let shown: Vec<Expression<'b>> =
        by.filter_map(|fields| shows(bound, &Reading::new(bound, root, treated), fields, slots)).collect();
    if shown.is_empty() {
        return None;
    }
    Some(Box::new(move |alias: &str| {
        let any: Vec<String> = shown.iter().map(|shows| shows(alias)).collect();
        format!("({})", any.join(" OR "))
    }))
}

/// The condition that a customer's row shows what a treatment writes to these fields. A field that belongs to somebody
/// else shows nothing: it is written when that person leaves.
fn shows<'b>(
    bound: &'b Bound,
    reading: &Reading<'_>,
    fields: &BTreeMap<FieldName, Strategy>,
    slots: &mut Vec<Slot>,
) -> Option<Expression<'b>> {
    let root = bound.root()?;
    let own = fields.iter().filter(|(field, _)| !root.of.contains_key(*field));
    let found: Vec<(usize, String, bool)> = targets(root, reading, own, slots)
        .into_iter()
        .filter(|target| !target.in_json && !matches!(target.strategy, Strategy::Redact { .. }))
        .map(|target| (target.slot, target.name.clone(), target.strategy.is_sign()))
        .collect();
    if !found.iter().any(|(.., is_sign)| *is_sign) {
        return None;
    }
    Some(Box::new(move |alias: &str| {
        let holds = |(slot, name, _): &(usize, String, bool)| {
            let value = format!("{alias}.{}", quoted(name));
            bound.dialect.computed(&Computed::Holds { slot: *slot, value: &value })
        };
        let all: Vec<String> = found.iter().map(holds).collect();
        let signs: Vec<String> = found
            .iter()
            .filter(|(.., is_sign)| *is_sign)
            .map(|field| format!("({alias}.{} IS NOT NULL AND {})", quoted(&field.1), holds(field)))
            .collect();
        format!("({} AND ({}))", all.join(" AND "), signs.join(" OR "))
    }))
}
