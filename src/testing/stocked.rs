//! A store or a repository with customers, for a contract.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::customer::CustomerId;
use crate::policy::PolicyDocument;

/// All rows of a customer, by a name for each.
pub(super) type Rows = BTreeMap<String, String>;

type RowsOf = Box<dyn Fn(&CustomerId) -> Rows + Send + Sync>;
type Spoil = Box<dyn Fn(&CustomerId) + Send + Sync>;

/// A store or a repository with customers. A test can add functions that the port does not offer.
///
/// It needs at least two customers who are not archived, and a policy for its data map. Every treatment of the policy
/// is carried out. The additional functions are optional; without them, some laws are not checked.
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
    /// Takes an adapter with customers, and a policy. The policy's treatments are tried on the customers.
    pub fn new(adapter: S, policy: PolicyDocument) -> Self {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(22_000);
        Self { adapter, policy, at, rows: None, spoil: None }
    }

    /// Sets the instant of the treatments. The ends of duties depend on it. The default is a day in 2030.
    #[must_use]
    pub fn at(self, instant: DateTime<Utc>) -> Self {
        Self { at: instant, ..self }
    }

    /// Sets a function that reads all rows of a customer without the adapter. It returns a name for each row, and the
    /// content as text. With it, the contract checks that rows are byte-identical.
    #[must_use]
    pub fn rows(
        self,
        rows: impl Fn(&CustomerId) -> BTreeMap<String, String> + Send + Sync + 'static,
    ) -> Self {
        Self { rows: Some(Box::new(rows)), ..self }
    }

    /// Sets a function that damages a customer's records without the adapter, so that they cannot be erased. For
    /// example, it writes an unreadable value, or adds a constraint that refuses the erasure.
    #[must_use]
    pub fn spoil(self, spoil: impl Fn(&CustomerId) + Send + Sync + 'static) -> Self {
        Self { spoil: Some(Box::new(spoil)), ..self }
    }

    pub(super) fn map<T>(self, wrap: impl FnOnce(S) -> T) -> Stocked<T> {
        let Self { adapter, policy, at, rows, spoil } = self;
        Stocked { adapter: wrap(adapter), policy, at, rows, spoil }
    }
}
