//! Triggers of a class's table that can prevent a treatment.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::FieldName;

/// The operation that fires a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerOn {
    /// The record is updated.
    Update,
    /// The record is deleted.
    Delete,
}

/// What a trigger does to the statement that fired it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerEffect {
    /// It refuses the statement: `RAISE(ABORT, …)`.
    Forbids,
    /// It leaves the record as it is and reports no error: `RAISE(IGNORE)`.
    Swallows,
    /// It writes these fields of the same table again. If the set is empty, it adds records to the table.
    Rewrites(BTreeSet<FieldName>),
}

/// A trigger that forbids, ignores or rewrites the changes of a treatment to records of a class.
///
/// A trigger may do this only for some records, but the schema does not show for which. So a policy that would fire
/// such a trigger is refused. If a host knows that a trigger is harmless, it leaves the trigger out of its data map.
/// An SQL map names it under `ignore.triggers`, with a reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TableTrigger {
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) when: &'static str,
    pub(crate) on: TriggerOn,
    pub(crate) fields: BTreeSet<FieldName>,
    pub(crate) effect: TriggerEffect,
}

impl TableTrigger {
    /// A trigger of a table that runs when any field is written.
    pub fn new(
        name: impl Into<String>,
        table: impl Into<String>,
        on: TriggerOn,
        effect: TriggerEffect,
    ) -> Self {
        let when = match on {
            TriggerOn::Update => "UPDATE",
            TriggerOn::Delete => "DELETE",
        };
        Self { name: name.into(), table: table.into(), when, on, fields: BTreeSet::new(), effect }
    }

    /// Says that the trigger runs only when one of these fields is written.
    #[must_use]
    pub fn of_fields(mut self, fields: impl IntoIterator<Item = FieldName>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// The trigger's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The trigger's table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The operation for which the trigger runs.
    pub fn on(&self) -> TriggerOn {
        self.on
    }

    /// What the trigger does.
    pub fn effect(&self) -> &TriggerEffect {
        &self.effect
    }

    /// Whether an update fires the trigger. `is_written` says for each field whether the update writes it.
    pub(crate) fn hits_update(&self, is_written: impl Fn(&FieldName) -> bool) -> bool {
        self.on == TriggerOn::Update
            && (self.fields.is_empty() || self.fields.iter().any(&is_written))
            && match &self.effect {
                TriggerEffect::Forbids | TriggerEffect::Swallows => true,
                TriggerEffect::Rewrites(fields) => fields.is_empty() || fields.iter().any(is_written),
            }
    }

    /// Whether the trigger prevents a delete. A trigger that only writes the deleted record does no harm.
    pub(crate) fn hits_delete(&self) -> bool {
        let writes_nothing_that_stays =
            matches!(&self.effect, TriggerEffect::Rewrites(fields) if !fields.is_empty());
        self.on == TriggerOn::Delete && !writes_nothing_that_stays
    }
}

/// Prints a text such as `trigger notes_soft of table notes (BEFORE DELETE) leaves the records as they are and
/// reports no error`.
impl fmt::Display for TableTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trigger {} of table {} ({}) ", self.name, self.table, self.when)?;
        match &self.effect {
            TriggerEffect::Forbids => f.write_str("refuses the statement, for all records or for some"),
            TriggerEffect::Swallows => {
                f.write_str("leaves all records or some of them as they are, and reports no error")
            }
            TriggerEffect::Rewrites(fields) if fields.is_empty() => {
                f.write_str("adds records to the same table")
            }
            TriggerEffect::Rewrites(fields) => {
                let names: Vec<&str> = fields.iter().map(FieldName::as_str).collect();
                write!(f, "writes to {} again", names.join(", "))
            }
        }
    }
}
