//! What triggers do while customers are erased or deactivated. Rows that they add and that are the customer's are treated
//! like the others. What a trigger writes for somebody else, for nobody, or into a class that is kept may hold what was
//! erased.

use std::collections::{BTreeMap, BTreeSet};

use super::Frame;
use crate::data_map::ClassName;
use crate::document::key;
use crate::store::sql::bind::BoundClass;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::session::{ByTriggers, Session};
use crate::store::sql::whose::{Set, is_row};
use crate::words::plural;

/// The number of selected rows of each table to which triggers may write, before anything was written.
pub(super) type Before = BTreeMap<String, u64>;

/// The number of selected rows of each table that were gone before our statement deleted them, because a foreign key
/// had deleted them with the rows that they reference.
pub(super) type Shrunk = BTreeMap<String, u64>;

/// The step in which triggers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum During {
    Erasing,
    Deactivating,
}

impl Frame {
    /// Begins to watch what triggers do. Call this before anything is written.
    pub(super) fn watch_triggers(&self, session: &mut dyn Session) -> Result<Before, Trouble> {
        let mut before = Before::new();
        for (number, class) in self.echoed() {
            if self.is_noted(number, class) {
                let added = Set::Added.of(&self.bound, number);
                session.execute(&format!("DELETE FROM {added}"), &[]).map_err(Trouble::at(&class.name))?;
            } else {
                *before.entry(class.table.clone()).or_default() += self.selected(session, number, class)?;
            }
        }
        Ok(before)
    }

    /// The classes with personal data to which triggers may add rows, by number.
    fn echoed(&self) -> impl Iterator<Item = (usize, &BoundClass)> {
        self.bound
            .classes
            .iter()
            .enumerate()
            .filter(|(_, class)| !class.echoes.is_empty() && self.is_personal(class))
    }

    fn is_personal(&self, class: &BoundClass) -> bool {
        let class = self.bound.data_map.class(class.name.as_str());
        class.is_some_and(|class| class.fields().iter().any(|field| field.kind().is_some()))
    }

    /// Whether the database notes which rows are added.
    fn is_noted(&self, number: usize, class: &BoundClass) -> bool {
        let into = Set::Added.of(&self.bound, number);
        self.bound.dialect.note_added("n", &self.bound.table(&class.table), &into, &class.handle).is_some()
    }

    /// The number of selected rows of a class.
    fn selected(&self, session: &mut dyn Session, number: usize, class: &BoundClass) -> Result<u64, Trouble> {
        let names: Vec<String> = (0..class.handle.len()).map(|part| format!("h{part}")).collect();
        let touched = Set::Touched.of(&self.bound, number);
        let sql =
            format!("SELECT count(*) FROM (SELECT DISTINCT {} FROM {touched}) AS selected", names.join(", "));
        Self::number(session, &sql).map_err(Trouble::at(&class.name))
    }

    /// Stops if a trigger has added a row that is not the customers' to treat, or has changed a row. `is_treated` says
    /// which classes are treated.
    pub(super) fn triggers_did_nothing(
        &self,
        session: &mut dyn Session,
        before: &Before,
        during: During,
        shrunk: &Shrunk,
        is_treated: impl Fn(&ClassName) -> bool,
    ) -> Result<(), Trouble> {
        for (number, class) in self.echoed().filter(|(number, class)| self.is_noted(*number, class)) {
            let of_table = self.bound.classes.iter().enumerate();
            let treated: Vec<String> = of_table
                .filter(|(_, other)| other.table == class.table && is_treated(&other.name))
                .map(|(at, other)| {
                    let set = Set::Touched.of(&self.bound, at);
                    format!(" AND NOT EXISTS (SELECT 1 FROM {set} AS s WHERE {})", is_row(other, "x", "s"))
                })
                .collect();
            let sql = format!(
                "SELECT count(*) FROM {} AS a{} WHERE TRUE{}",
                Set::Added.of(&self.bound, number),
                self.bound.dialect.then(&self.bound.table(&class.table), "x", &is_row(class, "x", "a")),
                treated.concat()
            );
            let added = Self::number(session, &sql).map_err(Trouble::at(&class.name))?;
            if added > 0 {
                return Err(strayed(class, added, during).into());
            }
        }
        for (class, added) in self.triggers_changed_nothing(session, shrunk)? {
            // Each of its new rows was looked at above.
            if self.echoed().any(|(number, other)| other.table == class.table && self.is_noted(number, other))
            {
                continue;
            }
            let mut own = 0;
            let of_table = self.bound.classes.iter().enumerate();
            for (number, other) in
                of_table.filter(|(_, other)| other.table == class.table && is_treated(&other.name))
            {
                own += self.selected(session, number, other)?;
            }
            // Rows that were selected only after the triggers had run.
            let own = own.saturating_sub(before.get(&class.table).copied().unwrap_or(own));
            if added > own {
                return Err(strayed(class, added - own, during).into());
            }
        }
        Ok(())
    }

    /// Stops if a trigger or a foreign key has changed or deleted a row that no statement of ours did. Returns the classes
    /// with personal data to whose tables triggers have added rows, with their number.
    pub(super) fn triggers_changed_nothing(
        &self,
        session: &mut dyn Session,
        shrunk: &Shrunk,
    ) -> Result<Vec<(&BoundClass, u64)>, Trouble> {
        let tables: BTreeSet<String> =
            self.bound.classes.iter().map(|class| self.bound.table(&class.table)).collect();
        let tables: Vec<String> = tables.into_iter().collect();
        let mut grown = Vec::new();
        for (table, ByTriggers { added, changed }) in session.by_triggers(&tables)? {
            let is_its =
                |class: &&BoundClass| self.bound.table(&class.table) == table && self.is_personal(class);
            let Some(class) = self.bound.classes.iter().find(is_its) else { continue };
            if self.bound.ignored_writes.contains(&class.table.to_ascii_lowercase()) {
                continue;
            }
            let changed = changed.saturating_sub(shrunk.get(&class.table).copied().unwrap_or_default());
            if changed > 0 {
                return Err(rewritten(class, changed).into());
            }
            grown.push((class, added));
        }
        Ok(grown)
    }
}

/// The triggers that may have written to a class's table, and the reason that the map may give for them.
fn writers(class: &BoundClass) -> (String, &'static str, Option<String>) {
    let by: Vec<&str> = class.echoes.iter().map(String::as_str).collect();
    match by.as_slice() {
        [] => ("a trigger, or the action of a foreign key,".to_owned(), "it may", None),
        [one] => (
            format!("the trigger {one}"),
            "it may",
            Some(format!("ignore.triggers.{} = \"reason\"", key(one))),
        ),
        several => (
            format!("the triggers {}", several.join(" and ")),
            "they may",
            Some("a reason for each of them under ignore.triggers".to_owned()),
        ),
    }
}

/// The fault of rows that a trigger has added and that are not the customers' to treat.
fn strayed(class: &BoundClass, added: u64, during: During) -> Fault {
    let (by, may, reason) = writers(class);
    let copied = match during {
        During::Erasing => "what is erased",
        During::Deactivating => "what is to be erased",
    };
    let reason = reason.map_or_else(String::new, |reason| {
        format!(", or, where they hold nothing of a person, write {reason}")
    });
    let drop = if class.echoes.len() > 1 { "triggers" } else { "trigger" };
    Fault::Other(format!(
        "{by} added {added} {} to {} that {} not this customer's to treat, and {may} have copied {copied}; drop the {drop} for the \
         run, let the rows name the customer and treat {}{reason}",
        plural(added, "row"),
        class.name,
        if added == 1 { "is" } else { "are" },
        class.name,
    ))
}

/// The fault of rows that a trigger has changed or deleted.
fn rewritten(class: &BoundClass, changed: u64) -> Fault {
    let (by, _, reason) = writers(class);
    let reason = reason.map_or_else(String::new, |reason| {
        format!(", or, if these rows are the same customer's or hold nothing of a person, write {reason}")
    });
    let way_out = if class.echoes.is_empty() {
        "drop the trigger for the run, or mend the values of the link that the foreign key takes for equal and the map does not"
    } else {
        "drop the trigger for the run"
    };
    Fault::Other(format!(
        "{by} changed or deleted {changed} {} of {}, and no plan can say whose {}; {way_out}{reason}",
        plural(changed, "row"),
        class.name,
        if changed == 1 { "this is" } else { "these are" },
    ))
}
