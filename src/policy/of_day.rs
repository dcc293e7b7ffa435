//! A cache of values that are the same for every customer on one day.

use std::sync::{PoisonError, RwLock};

use chrono::NaiveDate;

use crate::treatment::TreatmentName;

/// The values of one day, by treatment. The values of the next day replace them.
#[derive(Debug)]
pub(super) struct OfDay<T>(RwLock<Option<Known<T>>>);

/// The day, and the value of each treatment.
type Known<T> = (NaiveDate, Vec<(TreatmentName, T)>);

impl<T> Default for OfDay<T> {
    fn default() -> Self {
        Self(RwLock::new(None))
    }
}

/// A clone starts empty.
impl<T> Clone for OfDay<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T: Clone> OfDay<T> {
    /// The value of a treatment on a day. `compute` must depend on nothing else.
    pub(super) fn get(&self, day: NaiveDate, treatment: &TreatmentName, compute: impl FnOnce() -> T) -> T {
        let find = |known: &Option<Known<T>>| {
            let (_, list) = known.as_ref().filter(|(known, _)| *known == day)?;
            list.iter().find(|(name, _)| name == treatment).map(|(_, found)| found.clone())
        };
        if let Some(found) = find(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return found;
        }
        let computed = compute();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if find(&known).is_none() {
            match &mut *known {
                Some((of, list)) if *of == day => list.push((treatment.clone(), computed.clone())),
                other => *other = Some((day, vec![(treatment.clone(), computed.clone())])),
            }
        }
        computed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_of_that_day_and_treatment() {
        let memo = OfDay::default();
        let days = ["2026-06-15", "2026-06-16"].map(|day| day.parse::<NaiveDate>().unwrap());
        let mut computed = 0;
        for (n, day, name) in [(1, 0, "a"), (1, 0, "a"), (2, 0, "b"), (3, 1, "a"), (3, 1, "a"), (4, 0, "a")] {
            let found = memo.get(days[day], &name.into(), || {
                computed += 1;
                computed
            });
            assert_eq!(found, n, "{day} {name}");
        }
        assert_eq!(memo.clone().get(days[0], &"a".into(), || 9), 9, "a copy may be of another policy");
    }
}
