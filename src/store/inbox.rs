//! The inbox: requests that the host recorded in its own database.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::customer::CustomerId;
use crate::request::{Address, RequestId};

/// A row of the inbox, as the host wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxRow {
    /// The id of the row. It becomes the id of the request.
    pub id: RequestId,
    /// What the person asks for: the name of a [`RequestKind`](crate::request::RequestKind).
    pub kind: String,
    /// How the request was received: the name of a [`Channel`](crate::request::Channel).
    pub channel: String,
    /// When the request was received, as RFC 3339: `2026-11-02T09:30:00Z`.
    pub received_at: String,
    /// The host's own id of the customer, if a customer asks.
    pub customer: Option<CustomerId>,
    /// The address, if the person who asks is not a customer.
    pub address: Option<Address>,
    /// A column whose value cannot be read: bytes, or NULL where a value is required. The row stays in the inbox. `id`: the
    /// id of the row itself, and then [`id`](Self::id) says nothing.
    pub unreadable: Option<&'static str>,
}

impl InboxRow {
    /// A row of a customer.
    pub fn new(
        id: impl Into<RequestId>,
        kind: impl Into<String>,
        channel: impl Into<String>,
        received_at: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            kind: kind.into(),
            channel: channel.into(),
            received_at: received_at.into(),
            customer: None,
            address: None,
            unreadable: None,
        }
    }

    /// Says that the value of a column cannot be read.
    #[must_use]
    pub fn unreadable(self, column: &'static str) -> Self {
        Self { unreadable: Some(column), ..self }
    }

    /// Whether the row has an id.
    pub(crate) fn has_id(&self) -> bool {
        self.unreadable != Some("id")
    }

    /// The customer who asks.
    #[must_use]
    pub fn customer(self, customer: impl Into<CustomerId>) -> Self {
        Self { customer: Some(customer.into()), ..self }
    }

    /// Sets the address of a person who is not a customer.
    #[must_use]
    pub fn address(self, address: impl Into<Address>) -> Self {
        Self { address: Some(address.into()), ..self }
    }
}

/// A store with an inbox: a table in the host's database. The host writes requests into this table in its own
/// transactions. The engine [moves](crate::Engine::move_inbox) each row into the register.
///
/// The table is in every backup of the database, so a restore brings its rows back. The register knows the ids of all
/// requests that it ever received, so such a row is not received again. An id must therefore never be used twice. Use
/// a random id.
#[async_trait]
pub trait Inbox: Debug + Send + Sync + 'static {
    /// Up to `limit` rows in the order of their ids, after the given id. A value that cannot be read is an error of
    /// its [row](InboxRow::unreadable), not of the call. If there is a row with an id behind rows without a readable id, the
    /// page contains one such row; it may then be longer.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`StoreError`];
    /// also if the host has not made the table.
    async fn read_inbox(&self, after: Option<&RequestId>, limit: usize) -> Result<Vec<InboxRow>, StoreError>;

    /// Deletes rows by their ids, in one transaction. Rows that are gone already are left out.
    ///
    /// **Idempotency:** repeating does nothing. **Partial failure:** none. **Cancel safety:** all or nothing.
    /// **Errors:** [`StoreError`].
    async fn clear_inbox(&self, rows: &[RequestId]) -> Result<(), StoreError>;
}

macro_rules! forward_inbox {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: Inbox + ?Sized> Inbox for $pointer<T> {
            async fn read_inbox(
                &self,
                after: Option<&RequestId>,
                limit: usize,
            ) -> Result<Vec<InboxRow>, StoreError> {
                (**self).read_inbox(after, limit).await
            }

            async fn clear_inbox(&self, rows: &[RequestId]) -> Result<(), StoreError> {
                (**self).clear_inbox(rows).await
            }
        }
    )*};
}

forward_inbox!(Arc, Box);
