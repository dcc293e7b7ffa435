//! A store or a repository with customers in it, for a contract to work on.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::customer::CustomerId;
use crate::policy::PolicyDocument;

/// Every row of a customer's, by whatever names it.
pub(super) type Rows = BTreeMap<String, String>;

type RowsOf = Box<dyn Fn(&CustomerId) -> Rows + Send + Sync>;
type Spoil = Box<dyn Fn(&CustomerId) + Send + Sync>;

/// A store or a repository with customers in it, and what a test can do there beside the port.
///
/// It needs two customers at least, who are not archived, and a policy for its data map: every treatment of the policy is
/// carried out. What a test cannot do is left out, and no adapter fails for it.
pub struct Stocked<S> {
    pub(super) adapter: S,
    pub(super) policy: PolicyDocument,
    pub(super) at: DateTime<Utc>,
    pub(super) rows: Option<RowsOf>,
    pub(super) spoil: Option<Spoil>,
}

impl<S: fmt::Debug> fmt::Debug for Stocked<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stocked").field("adapter", &self.adapter).finish_non_exhaustive()
    }
}

impl<S> Stocked<S> {
    /// An adapter over customers, and a policy whose treatments are tried on them.
    pub fn new(adapter: S, policy: PolicyDocument) -> Self {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(22_000);
        Self { adapter, policy, at, rows: None, spoil: None }
    }

    /// At which instant customers are treated. A duty may end on it. Otherwise a day in 2030.
    #[must_use]
    pub fn at(self, instant: DateTime<Utc>) -> Self {
        Self { at: instant, ..self }
    }

    /// The test can read every row of a customer's past the adapter: by a name each, its content as text. So the contract sees
    /// whether a row is the same byte for byte.
    #[must_use]
    pub fn rows(
        self,
        rows: impl Fn(&CustomerId) -> BTreeMap<String, String> + Send + Sync + 'static,
    ) -> Self {
        Self { rows: Some(Box::new(rows)), ..self }
    }

    /// The test can spoil a customer's records past the adapter, so that they cannot be erased: a value that nobody can read, a
    /// constraint that refuses.
    #[must_use]
    pub fn spoil(self, spoil: impl Fn(&CustomerId) + Send + Sync + 'static) -> Self {
        Self { spoil: Some(Box::new(spoil)), ..self }
    }

    pub(super) fn map<T>(self, wrap: impl FnOnce(S) -> T) -> Stocked<T> {
        let Self { adapter, policy, at, rows, spoil } = self;
        Stocked { adapter: wrap(adapter), policy, at, rows, spoil }
    }
}
