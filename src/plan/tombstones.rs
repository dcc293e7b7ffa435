//! Tombstones: records that are deleted only with the last record that needs them.

use std::collections::BTreeSet;
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Deferred;
use crate::data_map::ClassName;
use crate::treatment::{ClassTreatment, Tally, Tombstone, Treatment};
use crate::words::plural;

/// The tombstones of one class. They stay while kept records need them. They are anonymised now. When the last record
/// that needs them is gone, the next treatment of the customer deletes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstones {
    /// The record class.
    pub class: ClassName,
    /// The number of tombstones.
    pub rows: u64,
    /// The classes whose records need the tombstones.
    pub needed_by: BTreeSet<ClassName>,
    /// The last day on which one of those records is kept. `None` if their dates do not say so.
    pub until: Option<NaiveDate>,
}

impl Tombstones {
    /// The tombstones of one customer, from the counted records and what duties defer of them.
    pub(crate) fn of(treatment: &Treatment, tally: &Tally, deferred: &[Deferred]) -> Vec<Self> {
        let stays = |class: &ClassName| {
            deferred.iter().any(|deferred| deferred.class == *class)
                || tally.tombstones.get(class).is_some_and(|rows| *rows > 0)
        };
        tally
            .tombstones
            .iter()
            .filter(|(_, rows)| **rows > 0)
            .filter_map(|(class, rows)| {
                let may_need = treatment.class(class.as_str())?.tombstone()?.needed_by();
                let because = behind(treatment, class);
                let ends = deferred.iter().filter(|deferred| because.contains(&deferred.class));
                let ends: Option<Vec<NaiveDate>> = ends.map(|deferred| deferred.until).collect();
                Some(Self {
                    class: class.clone(),
                    rows: *rows,
                    needed_by: may_need.iter().filter(|class| stays(class)).cloned().collect(),
                    until: ends.and_then(|ends| ends.into_iter().max()),
                })
            })
            .collect()
    }
}

/// The classes whose kept records are the reason why records of a class stay, directly or through other records.
fn behind<'t>(treatment: &'t Treatment, class: &'t ClassName) -> BTreeSet<&'t ClassName> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![class];
    while let Some(class) = todo.pop() {
        let tombstone = treatment.class(class.as_str()).and_then(ClassTreatment::tombstone);
        let by = tombstone.into_iter().flat_map(Tombstone::needed_by);
        todo.extend(by.filter(|class| seen.insert(*class)));
    }
    seen
}

impl fmt::Display for Tombstones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, rows, needed_by, until } = self;
        let needed_by: Vec<&str> = needed_by.iter().map(ClassName::as_str).collect();
        let verb = if *rows == 1 { "stays" } else { "stay" };
        write!(f, "{rows} {} of {class} {verb} as a tombstone", plural(*rows, "row"))?;
        until.map_or(Ok(()), |until| write!(f, " until {until} at the latest"))?;
        match needed_by[..] {
            // No record that this erasure defers needs them. So a record of somebody else needs them.
            [] => f.write_str(
                ", because kept records of others need it: anonymised now, deleted with the last of them",
            ),
            [one] => write!(f, ", because {one} needs it: anonymised now, deleted with the last of them"),
            _ => write!(
                f,
                ", because {} need it: anonymised now, deleted with the last of them",
                needed_by.join(" and ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_map::{DataMap, Field, Link, RecordClass};
    use crate::policy::{Effective, Policy, PolicyDocument};
    use crate::treatment::{ClassTally, Kept};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// Invoices belong to orders, reminders to invoices, and letters to customers. The treatment deletes all of them.
    /// All except orders are under their own duties.
    fn policy() -> Policy {
        let class = |name: &str, owner: &str| {
            let link = format!("{owner}_id");
            RecordClass::new(name)
                .field(Field::key("id"))
                .field(Field::owner(link.as_str()))
                .field(Field::plain("made_on").dated())
                .link(Link::owner(owner, [link.as_str()]))
        };
        let map = DataMap::builder(RecordClass::new("customer").field(Field::key("id")))
            .class(class("order", "customer"))
            .class(class("invoice", "order"))
            .class(class("reminder", "invoice"))
            .class(class("letter", "customer"))
            .build()
            .unwrap();
        let guards = ["active_subscription", "several_tenants", "not_archived"];
        let guards = guards.map(|guard| format!("guards.{guard} = {{ ignore = 'beside the point' }}\n"));
        let classes = ["customer", "order", "invoice", "reminder", "letter"];
        let classes = classes.map(|class| format!("treatments.wipe.{class} = 'delete'\n"));
        let duties = [("invoice", 7), ("reminder", 3), ("letter", 6)].map(|(class, years)| {
            format!(
                "duties.{class} = {{ classes = '{class}', period = '{years} years', start = 'record_date', law = 'a law', \
                 ground = '17(3)(b)', from = 'made_on' }}\n"
            )
        });
        let head = "version = 1\nsweep = false\ntriggers.requested = { treatment = 'wipe' }\n";
        let text = [head, &guards.concat(), &classes.concat(), &duties.concat()].concat();
        let checked = PolicyDocument::from_toml(&text).and_then(|policy| policy.check(&map));
        checked.unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// A count: kept records of these classes, and tombstones.
    fn tally(kept: &[(&str, u64, &str)], tombstones: &[(&str, u64)]) -> Tally {
        let mut tally = Tally::default();
        for class in ["customer", "order", "invoice", "reminder", "letter"] {
            tally.classes.insert(class.into(), ClassTally { rows: 2, due: 1 });
        }
        for (class, rows, date) in kept {
            let mut of_class = Kept { rows: *rows, ..Kept::default() };
            of_class.add(&"made_on".into(), (!date.is_empty()).then(|| day(date)));
            tally.kept.insert((*class).into(), of_class);
        }
        tally.tombstones = tombstones.iter().map(|(class, rows)| ((*class).into(), *rows)).collect();
        tally
    }

    /// The class, the number, the classes that need it, and the last day.
    type Stays = (String, u64, String, Option<NaiveDate>);

    fn stay(policy: &Effective, tally: &Tally) -> Vec<Stays> {
        let deferred = Deferred::counted(policy, tally);
        let found = Tombstones::of(&policy.treatments()["wipe"], tally, &deferred);
        let names =
            |names: &BTreeSet<ClassName>| names.iter().map(ClassName::as_str).collect::<Vec<_>>().join(" ");
        found
            .iter()
            .map(|stays| (stays.class.to_string(), stays.rows, names(&stays.needed_by), stays.until))
            .collect()
    }

    #[test]
    fn a_tombstone_is_needed_by_what_stays_and_by_nothing_else() {
        let policy = policy();
        let policy = policy.everyone();
        // One invoice is under a duty.
        let found = stay(policy, &tally(&[("invoice", 1, "2024-03-01")], &[("customer", 1), ("order", 2)]));
        let end = Some(day("2031-03-01"));
        assert_eq!(
            found,
            [("customer".into(), 1, "invoice order".into(), end), ("order".into(), 2, "invoice".into(), end)]
        );
        // A reminder is under a duty, and its invoice is needed only by the reminder. Through the invoice, the order
        // and the customer stay as long.
        let found = stay(
            policy,
            &tally(&[("reminder", 1, "2025-05-01")], &[("customer", 1), ("invoice", 1), ("order", 1)]),
        );
        let end = Some(day("2028-05-01"));
        assert_eq!(
            found,
            [
                ("customer".into(), 1, "invoice order reminder".into(), end),
                ("invoice".into(), 1, "reminder".into(), end),
                ("order".into(), 1, "invoice".into(), end),
            ]
        );
        // For the customer, the later end of the letter and the invoice counts. For the order, the end of the invoice
        // counts.
        let found = stay(
            policy,
            &tally(
                &[("invoice", 1, "2024-03-01"), ("letter", 1, "2026-01-01")],
                &[("customer", 1), ("order", 1)],
            ),
        );
        assert_eq!(
            found,
            [
                ("customer".into(), 1, "invoice letter order".into(), Some(day("2032-01-01"))),
                ("order".into(), 1, "invoice".into(), Some(day("2031-03-01"))),
            ]
        );
    }

    /// A store may name a class with a count of 0.
    #[test]
    fn what_is_counted_and_not_there_neither_stays_nor_needs_anything() {
        let policy = policy();
        let tally = tally(
            &[("letter", 1, "2026-01-01"), ("invoice", 0, "")],
            &[("customer", 1), ("invoice", 0), ("order", 0)],
        );
        assert_eq!(
            stay(policy.everyone(), &tally),
            [("customer".into(), 1, "letter".into(), Some(day("2032-01-01")))]
        );
        let classes: Vec<_> = Deferred::counted(policy.everyone(), &tally)
            .into_iter()
            .map(|deferred| (deferred.class.to_string(), deferred.free_from))
            .collect();
        assert_eq!(classes, [("letter".to_owned(), Some(day("2032-01-02")))]);
    }

    #[test]
    fn no_day_is_named_where_a_date_is_missing() {
        let policy = policy();
        let tally = tally(&[("invoice", 1, "")], &[("customer", 1), ("order", 1)]);
        let found = stay(policy.everyone(), &tally);
        assert_eq!(found.iter().map(|stays| stays.3).collect::<Vec<_>>(), [None, None]);
    }

    #[test]
    fn a_tombstone_is_said_in_a_sentence() {
        let mut stays = Tombstones {
            class: "order".into(),
            rows: 1,
            needed_by: ["invoice".into()].into(),
            until: Some(day("2031-03-01")),
        };
        let end = "anonymised now, deleted with the last of them";
        assert_eq!(
            stays.to_string(),
            format!(
                "1 row of order stays as a tombstone until 2031-03-01 at the latest, because invoice needs it: {end}"
            )
        );
        stays.rows = 2;
        stays.until = None;
        stays.needed_by.insert("letter".into());
        assert_eq!(
            stays.to_string(),
            format!("2 rows of order stay as a tombstone, because invoice and letter need it: {end}")
        );
    }
}
