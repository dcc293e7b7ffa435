//! Rations: counts with a limit, shared by all processes on one ledger.

use std::fmt::Debug;

use async_trait::async_trait;

use super::LedgerError;

/// A count with a limit: how much was taken under a name, and how much may be taken in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ration {
    /// The name of the count. It names digests, days and runs, and no customer.
    pub name: String,
    /// The most that may be taken under this name.
    pub at_most: u64,
}

impl Ration {
    /// A count with a limit.
    pub fn new(name: impl Into<String>, at_most: u64) -> Self {
        Self { name: name.into(), at_most }
    }
}

/// What was taken from rations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How much was taken from each ration.
    pub taken: u64,
    /// The most that could have been taken: what the smallest ration had left.
    pub left: u64,
}

/// Counts with limits, for all processes together: how many customers were erased under a standing approval on one day,
/// and in one run.
///
/// What was taken is never given back. If a process dies after it took something, its part of the ration is lost, and the
/// limit holds.
#[async_trait]
pub trait Rations: Debug + Send + Sync + 'static {
    /// Takes the same number from every ration, in one write: as much as each of them has left, and `wanted` at most. If
    /// that is less than `least`, nothing is taken.
    ///
    /// However many callers ask at once, no more is taken under a name than its limit.
    ///
    /// **Idempotency:** none; repeating takes again. **Partial failure:** none: from all of them or from none. **Cancel
    /// safety:** taken from all of them or from none; what was taken stays taken. **Errors:** [`LedgerError`].
    async fn take(&self, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, LedgerError>;
}

/// How much to take, given what was taken before under each name.
pub(crate) fn share_out(rations: &[Ration], before: &[u64], wanted: u64, least: u64) -> Taken {
    let left =
        rations.iter().zip(before).map(|(ration, before)| ration.at_most.saturating_sub(*before)).min();
    let left = left.unwrap_or(u64::MAX);
    let taken = wanted.min(left);
    Taken { taken: if taken < least { 0 } else { taken }, left }
}
