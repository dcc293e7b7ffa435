//! Rations: counts with a limit, shared by all processes on one ledger.

use std::fmt::Debug;

use async_trait::async_trait;

use super::LedgerError;

/// A count with a limit. The count has a name, under which the ledger adds up everything that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ration {
    /// The name of the count. It may contain digests, days and runs, but no customer.
    pub name: String,
    /// The limit: the maximum that may be taken under this name.
    pub at_most: u64,
}

impl Ration {
    /// A count with a limit.
    pub fn new(name: impl Into<String>, at_most: u64) -> Self {
        Self { name: name.into(), at_most }
    }
}

/// The answer of [`Rations::take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How much was taken from each ration.
    pub taken: u64,
    /// The maximum that could have been taken: the rest of the smallest ration.
    pub left: u64,
}

/// Counts with limits, for all processes together. For example: how many customers were erased under a standing
/// approval on one day, or in one run.
///
/// What was taken is never given back. If a process dies after a call, its part of the ration is lost. So the limit
/// is never exceeded.
#[async_trait]
pub trait Rations: Debug + Send + Sync + 'static {
    /// Takes the same number from every ration, in one write. The number is `wanted`, or less if a ration has less
    /// left. If the number would be less than `least`, nothing is taken.
    ///
    /// With any number of concurrent callers, no more is taken under a name than its limit.
    ///
    /// **Idempotency:** none: each call takes again. **Partial failure:** none: from all of them or from none.
    /// **Cancel safety:** taken from all of them or from none; what was taken stays taken. **Errors:**
    /// [`LedgerError`].
    async fn take(&self, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, LedgerError>;
}

/// Computes how much to take. `before`: what was taken under each name so far.
pub(crate) fn share_out(rations: &[Ration], before: &[u64], wanted: u64, least: u64) -> Taken {
    let left =
        rations.iter().zip(before).map(|(ration, before)| ration.at_most.saturating_sub(*before)).min();
    let left = left.unwrap_or(u64::MAX);
    let taken = wanted.min(left);
    Taken { taken: if taken < least { 0 } else { taken }, left }
}
