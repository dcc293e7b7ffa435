//! A cache of values that are the same for every customer on one day.

use std::sync::{PoisonError, RwLock};

use chrono::NaiveDate;

/// The values of one day, by what they are values of. The values of the next day replace them.
#[derive(Debug)]
pub(super) struct OfDay<K, T>(RwLock<Option<Known<K, T>>>);

/// The day, and each value.
type Known<K, T> = (NaiveDate, Vec<(K, T)>);

impl<K, T> Default for OfDay<K, T> {
    fn default() -> Self {
        Self(RwLock::new(None))
    }
}

/// A clone starts empty.
impl<K, T> Clone for OfDay<K, T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<K: PartialEq + Clone, T: Clone> OfDay<K, T> {
    /// The value of something on a day. `compute` must depend on nothing else.
    pub(super) fn get(&self, day: NaiveDate, of: &K, compute: impl FnOnce() -> T) -> T {
        let find = |known: &Option<Known<K, T>>| {
            let (_, list) = known.as_ref().filter(|(known, _)| *known == day)?;
            list.iter().find(|(known, _)| known == of).map(|(_, found)| found.clone())
        };
        if let Some(found) = find(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return found;
        }
        let computed = compute();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if find(&known).is_none() {
            match &mut *known {
                Some((its_day, list)) if *its_day == day => list.push((of.clone(), computed.clone())),
                other => *other = Some((day, vec![(of.clone(), computed.clone())])),
            }
        }
        computed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::treatment::TreatmentName;

    #[test]
    fn what_is_remembered_is_of_that_day_and_treatment() {
        let memo = OfDay::default();
        let days = ["2026-06-15", "2026-06-16"].map(|day| day.parse::<NaiveDate>().unwrap());
        let mut computed = 0;
        for (n, day, name) in [(1, 0, "a"), (1, 0, "a"), (2, 0, "b"), (3, 1, "a"), (3, 1, "a"), (4, 0, "a")] {
            let found = memo.get(days[day], &TreatmentName::from(name), || {
                computed += 1;
                computed
            });
            assert_eq!(found, n, "{day} {name}");
        }
        assert_eq!(memo.clone().get(days[0], &"a".into(), || 9), 9, "a copy may be of another policy");
    }
}
