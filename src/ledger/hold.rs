//! Holds. An operator places a hold to forbid erasure, and lifts it later.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{LedgerError, SubjectToken};
use crate::customer::{CustomerId, TenantId};
pub use crate::customer::{Held, HoldGround, HoldId};
use crate::data_map::ClassName;
use crate::format::Format;
use crate::plan::{OperatorId, ReasonCode};

/// A hold that an operator placed [through the engine](crate::Engine::place_hold).
///
/// Its JSON has a `format`, so a host's own ledger can store this JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hold {
    format: Format<1>,
    /// The id of the hold.
    pub id: HoldId,
    /// What the hold keeps.
    pub on: HoldOn,
    /// The record classes that the hold keeps. Empty: everything.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub classes: BTreeSet<ClassName>,
    /// Why it was placed.
    pub ground: HoldGround,
    /// The host's own reference: a file number, a ticket.
    pub reference: ReasonCode,
    /// Who placed it, and when.
    pub placed: Signature,
    /// Who lifted it, and when. `None`: the hold is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Signature>,
}

/// What a hold keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOn {
    /// Everything: the emergency stop. Every case rests before its next step, in every process on the ledger.
    Everything,
    /// The customers of a tenant.
    Tenant(TenantId),
    /// One customer.
    Customer {
        /// The tenant.
        tenant: TenantId,
        /// The host's own id of the customer.
        customer: CustomerId,
        /// The customer's token. It stays when the hold is lifted.
        subject: SubjectToken,
    },
    /// One customer, after the hold was lifted.
    Subject {
        /// The tenant.
        tenant: TenantId,
        /// The customer's token.
        subject: SubjectToken,
    },
}

/// An operator, and when the operator acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The operator.
    pub by: OperatorId,
    /// When.
    pub at: DateTime<Utc>,
}

impl HoldOn {
    /// The key under which a hold in force is found. It names everything, a tenant or a customer, so it may contain
    /// the customer's id. `None` after the hold was lifted.
    pub fn key(&self) -> Option<String> {
        match self {
            Self::Everything => Some(Self::everything_key()),
            Self::Tenant(tenant) => Some(Self::tenant_key(tenant)),
            Self::Customer { tenant, customer, .. } => Some(Self::customer_key(tenant, customer)),
            Self::Subject { .. } => None,
        }
    }

    pub(crate) fn everything_key() -> String {
        serde_json::json!(["everything"]).to_string()
    }

    pub(crate) fn tenant_key(tenant: &TenantId) -> String {
        serde_json::json!(["tenant", tenant]).to_string()
    }

    pub(crate) fn customer_key(tenant: &TenantId, customer: &CustomerId) -> String {
        serde_json::json!(["customer", tenant, customer]).to_string()
    }

    /// The tenant. `None` for everything.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Everything => None,
            Self::Tenant(tenant) | Self::Customer { tenant, .. } | Self::Subject { tenant, .. } => {
                Some(tenant)
            }
        }
    }
}

/// Prints what is held, without the customer's id.
impl std::fmt::Display for HoldOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Tenant(tenant) => write!(f, "tenant {tenant}"),
            Self::Customer { tenant, .. } | Self::Subject { tenant, .. } => {
                write!(f, "a customer of tenant {tenant}")
            }
        }
    }
}

impl Hold {
    /// Makes a hold that is placed now.
    pub(crate) fn place(
        id: HoldId,
        on: HoldOn,
        classes: BTreeSet<ClassName>,
        (ground, reference): (HoldGround, ReasonCode),
        placed: Signature,
    ) -> Self {
        Self { format: Format, id, on, classes, ground, reference, placed, lifted: None }
    }

    /// Makes the emergency stop, for a program that has a ledger but no engine. Such a program can stop everything
    /// even if the database is broken. The id has to be random. Pass the hold to [`HoldBook::place_hold`].
    pub fn on_everything(id: HoldId, why: (HoldGround, ReasonCode), placed: Signature) -> Self {
        Self::place(id, HoldOn::Everything, BTreeSet::new(), why, placed)
    }

    /// Whether the hold is in force: nobody has lifted it.
    pub fn stands(&self) -> bool {
        self.lifted.is_none()
    }

    /// Lifts the hold: deletes the customer's id, and keeps the token. A hold that was lifted before is not changed.
    #[must_use]
    pub fn lift(mut self, by: Signature) -> Self {
        if self.lifted.is_none() {
            self.lifted = Some(by);
        }
        if let HoldOn::Customer { tenant, subject, .. } = self.on {
            self.on = HoldOn::Subject { tenant, subject };
        }
        self
    }

    /// The hold as a fact of a customer.
    pub(crate) fn held(&self) -> Held {
        Held { hold: self.id.clone(), ground: self.ground, classes: self.classes.clone() }
    }
}

/// Holds, in the ledger's database.
///
/// While a hold on a customer is in force, the hold book stores the host's own id of the customer, and no other data
/// about the person. When the hold is lifted, the id is deleted, and the token stays.
#[async_trait]
pub trait HoldBook: Debug + Send + Sync + 'static {
    /// Records a hold. When this returns, the hold is in force in every process on the ledger.
    ///
    /// **Idempotency:** if a hold with this id is recorded, it is not changed. **Partial failure:** none. **Cancel
    /// safety:** the hold is recorded or not. **Errors:** [`LedgerError`].
    async fn place_hold(&self, hold: &Hold) -> Result<(), LedgerError>;

    /// Replaces a hold in force by its [lifted form](Hold::lift), and deletes its [key](HoldOn::key), in one write.
    /// Returns `false` if no hold with this id is in force.
    ///
    /// **Idempotency:** a hold that was lifted before is not changed, and the answer is `false`. **Partial failure:**
    /// none. **Cancel safety:** lifted or not. **Errors:** [`LedgerError`].
    async fn lift_hold(&self, lifted: &Hold) -> Result<bool, LedgerError>;

    /// The holds in force with one of these [keys](HoldOn::key), in the order of their ids.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`LedgerError`].
    async fn standing_holds(&self, keys: &BTreeSet<String>) -> Result<Vec<Hold>, LedgerError>;

    /// A hold, in force or lifted.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`LedgerError`].
    async fn hold(&self, id: &HoldId) -> Result<Option<Hold>, LedgerError>;

    /// Up to `limit` holds in the order of their ids, after the given id. Either the holds in force, or all.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`LedgerError`].
    async fn list_holds(
        &self,
        which: WhichHolds,
        after: Option<&HoldId>,
        limit: usize,
    ) -> Result<Vec<Hold>, LedgerError>;
}

/// Which holds to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichHolds {
    /// The holds in force: those that nobody has lifted.
    Standing,
    /// All holds that were ever placed.
    All,
}

macro_rules! forward_hold_book {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: HoldBook + ?Sized> HoldBook for $pointer<T> {
            async fn place_hold(&self, hold: &Hold) -> Result<(), LedgerError> {
                (**self).place_hold(hold).await
            }

            async fn lift_hold(&self, lifted: &Hold) -> Result<bool, LedgerError> {
                (**self).lift_hold(lifted).await
            }

            async fn standing_holds(&self, keys: &BTreeSet<String>) -> Result<Vec<Hold>, LedgerError> {
                (**self).standing_holds(keys).await
            }

            async fn hold(&self, id: &HoldId) -> Result<Option<Hold>, LedgerError> {
                (**self).hold(id).await
            }

            async fn list_holds(
                &self,
                which: WhichHolds,
                after: Option<&HoldId>,
                limit: usize,
            ) -> Result<Vec<Hold>, LedgerError> {
                (**self).list_holds(which, after, limit).await
            }
        }
    )*};
}

forward_hold_book!(Arc, Box);
