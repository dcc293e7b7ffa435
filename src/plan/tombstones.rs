//! What goes only with the last record that needs it.

use std::collections::BTreeSet;
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Deferred, Tally, plural};
use crate::data_map::ClassName;
use crate::policy::{ClassTreatment, Tombstone, Treatment};

/// Records of one class that have to stay while others are kept that need them: anonymised now, and deleted when the
/// customer is treated again once the last of those has gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstones {
    /// The record class.
    pub class: ClassName,
    /// How many.
    pub rows: u64,
    /// The classes whose records need them.
    pub needed_by: BTreeSet<ClassName>,
    /// The last day on which any of those is kept; none where their dates do not say.
    pub until: Option<NaiveDate>,
}

impl Tombstones {
    /// Those of one customer, by the records that were counted and what duties defer of them.
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

/// The classes for whose sake records of a class stay, through whatever they need.
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
        write!(
            f,
            ", because {} {} it: anonymised now, deleted with the last of them",
            needed_by.join(" and "),
            if needed_by.len() == 1 { "needs" } else { "need" }
        )
    }
}
