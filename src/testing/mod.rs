//! What a host runs on its own adapters: contracts, an injector of faults, a clock and repeatable randomness.
//!
//! # Contracts
//! A contract calls an adapter in the ways that the docs of its port speak of, and compares the answers with what is promised
//! there. It is one call in a test of the host's. The calls:
//!
//! | port | contract | the test |
//! |---|---|---|
//! | [`CustomerStore`](crate::CustomerStore) | [`customer_store`] | `customer_store(\|\| async { Stocked::new(store(), policy()) }).await?` |
//! | [`Repository`](crate::Repository) | [`repository`] | `repository(\|\| async { Stocked::new(repository(), policy()) }).await?` |
//! | [`PaymentGatewayEraser`](crate::PaymentGatewayEraser) | [`gateway`] | `gateway(&sandbox).await?` |
//! | [`Recipient`](crate::Recipient) | [`recipient`] | `recipient(&sandbox).await?` |
//! | [`ProfileListing`](crate::gateway::ProfileListing) | [`profile_listing`] | `profile_listing(&adapter, &profiles).await?` |
//! | [`Ledger`](crate::ledger::Ledger), [`CaseBook`](crate::ledger::CaseBook), [`HoldBook`](crate::ledger::HoldBook), [`Register`](crate::ledger::Register), [`Rations`](crate::ledger::Rations) | [`ledger`] | `ledger(\|clock\| async move { open(move \|\| clock.now()) }).await?` |
//! | [`SuppressionList`](crate::ledger::SuppressionList) | [`suppression_list`] | `suppression_list(\|\| async { open() }).await?` |
//! | `KeepsTree` (feature `checkpoints`) | `keeps_tree` | `keeps_tree(\|\| async { open() }).await?` |
//! | [`KeyRing`](crate::ledger::KeyRing) | [`key_ring`] | `key_ring(\|\| async { open() }).await?` |
//! | [`BackupRetention`](crate::BackupRetention) | [`backups`] | `backups(\|\| async { Copies::new(adapter()) }).await?` |
//! | [`OwnStrategy`](crate::anonymise::OwnStrategy) | [`own_strategy`] | `own_strategy(&strategy, &values)?` |
//!
//! A contract that finds a promise broken says which [`Law`] it is, and the smallest example: which call, which of the
//! customers, what was answered. It shows no value of a person's.
//!
//! ```text
//! ledger breaks a law: record begins the lease anew
//! found: another worker claimed case-1 nine tenths of a lease after the last record
//! ```
//!
//! A contract asks only for what the adapter can do. It reads what a data map says (no deactivation, a class that cannot be
//! reassigned), and what the fixture says that the test can do beside the port: read rows past the adapter
//! ([`Stocked::rows`]), spoil a customer's records ([`Stocked::spoil`]), put something among the copies that is none
//! ([`Copies::stray`]). Laws that need such a thing are left out without it, so a test had better give all of them.
//!
//! A contract makes one call after another. So it cannot see what only shows when a process dies in the middle of a call, or when two
//! call at the same moment: that a dropped future leaves all or nothing, and that what is compared is compared in the transaction
//! that writes.
//!
//! Contracts write and erase. Never give one an adapter over anything that is in use.
//!
//! # Faults
//! [`Faulty`] is any adapter with [`Faults`] on the way to it, named by the call: the second `erase` fails, the answer of the
//! first `close` is lost. So a host's own test sees that a case which is interrupted anywhere is finished by a
//! [`resume`](crate::Engine::resume).

mod backups;
mod clock;
mod customer_store;
mod entropy;
mod fault;
mod gateway;
mod key_ring;
mod law;
mod ledger;
mod own_strategy;
mod recipient;
mod repository;
mod stocked;
mod suppression;
#[cfg(feature = "checkpoints")]
mod tree;

pub use backups::{Copies, backups};
pub use clock::ManualClock;
pub use customer_store::customer_store;
pub use entropy::RepeatableEntropy;
pub use fault::{Fault, Faults, Faulty, Interfere};
pub use gateway::{GatewayFixture, gateway, profile_listing};
pub use key_ring::key_ring;
pub use law::{Broken, Law};
pub use ledger::ledger;
pub use own_strategy::own_strategy;
pub use recipient::{RecipientFixture, recipient};
pub use repository::repository;
pub use stocked::Stocked;
pub use suppression::suppression_list;
#[cfg(feature = "checkpoints")]
pub use tree::keeps_tree;
