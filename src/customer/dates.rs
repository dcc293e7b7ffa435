//! The dates of a customer, by name.

use std::fmt;

use crate::data_map::Moment;
use crate::name::open_name;

open_name! {
    /// The name of a date: `created`, `cancelled`, `deleted`, and others that the data map names.
    DateName
}

/// The dates of a customer, in the order of their names.
///
/// ```
/// use relinquish::customer::{Dates, Moment};
///
/// let mut dates = Dates::default();
/// dates.insert("cancelled", Moment::Day("2026-11-21".parse()?));
/// assert!(dates.get("cancelled").is_some() && dates.get("deleted").is_none());
/// # Ok::<(), chrono::ParseError>(())
/// ```
// A list is faster than a map here: a customer has only a few dates, and a sweep reads the dates of every customer.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dates(Vec<(DateName, Moment)>);

impl Dates {
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        allow(dead_code, reason = "only stores over SQL use it")
    )]
    pub(crate) fn with_capacity(dates: usize) -> Self {
        Self(Vec::with_capacity(dates))
    }

    /// Sets a date. Returns the date that had this name before.
    pub fn insert(&mut self, name: impl Into<DateName>, moment: Moment) -> Option<Moment> {
        let name = name.into();
        // The usual case: a store reads dates in the order of their names.
        if self.0.last().is_none_or(|(last, _)| *last < name) {
            self.0.push((name, moment));
            return None;
        }
        match self.0.binary_search_by(|(known, _)| known.cmp(&name)) {
            Ok(at) => self.0.get_mut(at).map(|(_, known)| std::mem::replace(known, moment)),
            Err(at) => {
                self.0.insert(at, (name, moment));
                None
            }
        }
    }

    /// The date with a name.
    pub fn get(&self, name: &str) -> Option<&Moment> {
        self.0.iter().find(|(known, _)| known.as_str() == name).map(|(_, moment)| moment)
    }

    /// Each date with its name, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&DateName, &Moment)> {
        self.0.iter().map(|(name, moment)| (name, moment))
    }

    /// The number of dates.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no date.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<DateName>> Extend<(N, Moment)> for Dates {
    fn extend<I: IntoIterator<Item = (N, Moment)>>(&mut self, dates: I) {
        for (name, moment) in dates {
            self.insert(name, moment);
        }
    }
}

impl<N: Into<DateName>> FromIterator<(N, Moment)> for Dates {
    fn from_iter<I: IntoIterator<Item = (N, Moment)>>(dates: I) -> Self {
        let mut all = Self::default();
        all.extend(dates);
        all
    }
}

impl fmt::Debug for Dates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn dates_are_a_map(inserted in prop::collection::vec(("[a-e]{1,2}", 0_i64..9), 0..12)) {
            let (mut dates, mut map) = (Dates::default(), BTreeMap::new());
            for (name, seconds) in inserted {
                let moment = Moment::Instant(chrono::DateTime::from_timestamp(seconds, 0).unwrap());
                prop_assert_eq!(dates.insert(name.as_str(), moment), map.insert(name, moment));
            }
            prop_assert_eq!((dates.len(), dates.is_empty()), (map.len(), map.is_empty()));
            prop_assert!(dates.iter().map(|(name, at)| (name.as_str(), at)).eq(map.iter().map(|(n, at)| (n.as_str(), at))));
            for name in ["a", "b", "ab", "zz"] {
                prop_assert_eq!(dates.get(name), map.get(name));
            }
        }
    }
}
