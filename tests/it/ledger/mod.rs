//! Tests of the ledger, its formats, the keys, and the copies that stay in backups.

pub(crate) mod backups;
#[cfg(feature = "checkpoints")]
mod checkpoints;
pub(crate) mod formats;
pub(crate) mod keys;
pub(crate) mod page;
pub(crate) mod proof;
