//! Recipients of customers' data: the port [`Recipient`], and its adapters.
//!
//! A controller must notify each recipient of a person's data of the erasure (Art. 19 GDPR). Recipients are, for
//! example, a search index, a cache, a mailing list, a warehouse or a partner. The data map names the recipients, and
//! the values by which each recipient knows a person. The policy says which treatments notify which recipients, and
//! why a recipient is not notified. The notice to a recipient is a step of a case. The step is recorded before it
//! begins, and repeated until the recipient answers. The certificate contains the answer.
//!
//! | a host has | it uses |
//! |---|---|
//! | a search index, a cache or sessions that it can reach itself | [`FunctionRecipient`] |
//! | a recipient with an HTTP endpoint | `WebhookRecipient`, with the feature `webhook` |
//! | an event log or a data lake that is encrypted per person | [`ShreddingRecipient`] |
//! | a recipient that only a person can notify | [`ManualRecipient`] |
//!
//! The page [`manual::recipients`](crate::manual::recipients) explains how recipients are set up and notified.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use crate::case::{Receipt, RecipientAnswer, RecipientOutcome};
use crate::customer::{CustomerId, Identifiers, TenantId};
pub use crate::data_map::{IdentifiedBy, RecipientName};
use crate::name::open_name;

mod function;
mod manual;
mod shredding;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use function::FunctionRecipient;
pub use manual::ManualRecipient;
pub use shredding::{KeyCopies, KeyCopy, KeyLocation, PersonKeys, ShreddingRecipient};
#[cfg(feature = "webhook")]
pub use webhook::WebhookRecipient;

open_name! {
    /// The id of a notice: a random UUID. It is the same for every attempt, and reveals nothing about the person.
    NoticeId
}

/// A notice to a recipient: the data of one person are erased.
///
/// A notice identifies the person only by the values that the data map names. Its `Debug` shows no value.
#[derive(Clone)]
#[non_exhaustive]
pub struct Notice {
    /// The id of the notice. A recipient that knows the id has received the notice before.
    pub id: NoticeId,
    /// The tenant to which the customer belongs.
    pub tenant: TenantId,
    /// The host's key of the customer, if the recipient knows people by it.
    pub customer: Option<CustomerId>,
    /// The values by which the recipient knows the person.
    pub identifiers: Identifiers,
    /// When the erasure was begun.
    pub erased_at: DateTime<Utc>,
}

impl Notice {
    /// A notice without a person. Set [`customer`](Self::customer) or [`identifiers`](Self::identifiers).
    pub fn new(id: impl Into<NoticeId>, tenant: impl Into<TenantId>, erased_at: DateTime<Utc>) -> Self {
        let (id, tenant) = (id.into(), tenant.into());
        Self { id, tenant, customer: None, identifiers: Identifiers::new(), erased_at }
    }
}

impl Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notice").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A task that a recipient accepted and has not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The id of the notice.
    pub id: NoticeId,
    /// The recipient's name of the task.
    pub receipt: Receipt,
}

/// The cause of a [`RecipientError`].
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error of a recipient. The texts contain no value of a customer and no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// The recipient is busy, or gets too many requests.
    #[error("recipient {recipient} is busy; it can be told again{}", after(*.retry_after))]
    Busy {
        /// The recipient.
        recipient: RecipientName,
        /// The pause for which the recipient asks.
        retry_after: Option<Duration>,
    },
    /// There is no connection. Nothing was sent.
    #[error("recipient {recipient} cannot be reached; check its address and the network")]
    Unreachable {
        /// The recipient.
        recipient: RecipientName,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// There is no valid answer. The recipient may have received the notice or not.
    #[error("recipient {recipient} gave no valid answer; it is unknown whether it received the notice")]
    Unknown {
        /// The recipient.
        recipient: RecipientName,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The recipient refuses, and will refuse again: a wrong key, a malformed request.
    #[error("recipient {recipient} refuses: {what}")]
    Refused {
        /// The recipient.
        recipient: RecipientName,
        /// What has to be corrected.
        what: String,
    },
}

fn after(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!(" in {} s", wait.as_secs().max(1)))
}

impl RecipientError {
    /// Whether the same call may succeed later, although nobody changes anything.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// The pause for which the recipient asks.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::Unreachable { .. } | Self::Unknown { .. } | Self::Refused { .. } => None,
        }
    }
}

/// One answer per item, in the order of the request. A missing answer means that the item was not tried. A failed item
/// says nothing about its neighbours.
pub type Answers = Vec<Result<RecipientAnswer, RecipientError>>;

/// A recipient of customers' data that can be notified of an erasure.
///
/// The engine notifies a recipient before it erases the customer's own row, because this row has the values by which
/// the recipient knows the person. At that time the customer is already deactivated. So a recipient that copies
/// customers from the host's database must leave out deactivated customers. Otherwise it brings the person back.
#[async_trait]
pub trait Recipient: Debug + Send + Sync + 'static {
    /// The recipient's name, as the policy and the data map spell it.
    fn recipient(&self) -> &RecipientName;

    /// The largest number of items in one call: at least 1.
    fn max_batch(&self) -> usize;

    /// The longest duration of one call of [`tell`](Self::tell) or [`poll`](Self::poll) with
    /// [`max_batch`](Self::max_batch) items, the adapter's own retries included. A call is begun only if the
    /// worker's lease lasts longer, so that no second worker calls at the same time.
    fn longest_call(&self) -> Duration;

    /// Sends notices of erasures to the recipient. `now` is the present instant.
    ///
    /// **Idempotency:** the same notice again has no further effect. The answer may then be
    /// [`RecipientOutcome::NothingThere`]. **Partial failure:** per notice. After [`RecipientError::Unknown`] the
    /// recipient may have received the notice or not: send it again. **Cancel safety:** after the future was dropped,
    /// the recipient may have received each notice or not: send it again. **Errors:** [`RecipientError`], per notice.
    async fn tell(&self, notices: &[Notice], now: DateTime<Utc>) -> Answers;

    /// Asks for the results of tasks that the recipient accepted. `now` is the present instant.
    ///
    /// **Idempotency:** asking again gives the same answer, or a later one. **Partial failure:** per task. **Cancel
    /// safety:** safe. **Errors:** [`RecipientError`], per task.
    async fn poll(&self, pending: &[Pending], now: DateTime<Utc>) -> Answers;
}

macro_rules! forward_recipient {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: Recipient + ?Sized> Recipient for $pointer<T> {
            fn recipient(&self) -> &RecipientName {
                (**self).recipient()
            }

            fn max_batch(&self) -> usize {
                (**self).max_batch()
            }

            fn longest_call(&self) -> Duration {
                (**self).longest_call()
            }

            async fn tell(&self, notices: &[Notice], now: DateTime<Utc>) -> Answers {
                (**self).tell(notices, now).await
            }

            async fn poll(&self, pending: &[Pending], now: DateTime<Utc>) -> Answers {
                (**self).poll(pending, now).await
            }
        }
    )*};
}

forward_recipient!(Arc, Box);

#[cfg(feature = "mock")]
mockall::mock! {
    /// A mock of [`Recipient`], for a host's own unit tests.
    #[derive(Debug)]
    pub Recipient {}

    #[async_trait]
    impl Recipient for Recipient {
        fn recipient(&self) -> &RecipientName;
        fn max_batch(&self) -> usize;
        fn longest_call(&self) -> Duration;
        async fn tell(&self, notices: &[Notice], now: DateTime<Utc>) -> Answers;
        async fn poll(&self, pending: &[Pending], now: DateTime<Utc>) -> Answers;
    }
}
