//! The mark: the last entry of the ledger when the store was last written.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::digest::Digest;

/// An entry of the ledger, by its number and its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The number of the entry. 0 before the first entry.
    pub entry: u64,
    /// The [leaf](crate::ledger::EntryBody::leaf) of the entry. `None` before the first entry.
    pub leaf: Option<Digest>,
}

impl Mark {
    /// The mark of an empty ledger.
    pub const NOTHING: Self = Self { entry: 0, leaf: None };
}

/// A store that keeps the [`Mark`] of a ledger in the host's database.
///
/// The mark is in every backup of the database. After a restore it shows which erasures the backup does not contain:
/// those after the mark. See [`Engine::plan_replay`](crate::Engine::plan_replay).
#[async_trait]
pub trait KeepsMark: Debug + Send + Sync + 'static {
    /// The mark. `None` if there was never one.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`StoreError`];
    /// also if the host has not created the table of the mark.
    async fn mark(&self) -> Result<Option<Mark>, StoreError>;

    /// Raises the mark in one transaction. A mark is never lowered. If the present mark is lower than `from`, it stays,
    /// and the answer is `false`: the database was restored. Without a present mark, `from` must be 0.
    ///
    /// **Idempotency:** repeating does nothing. **Partial failure:** none. **Cancel safety:** the mark is raised or
    /// not. **Errors:** [`StoreError`].
    async fn raise_mark(&self, from: u64, to: Mark) -> Result<bool, StoreError>;
}

macro_rules! forward_mark {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: KeepsMark + ?Sized> KeepsMark for $pointer<T> {
            async fn mark(&self) -> Result<Option<Mark>, StoreError> {
                (**self).mark().await
            }

            async fn raise_mark(&self, from: u64, to: Mark) -> Result<bool, StoreError> {
                (**self).raise_mark(from, to).await
            }
        }
    )*};
}

forward_mark!(Arc, Box);
