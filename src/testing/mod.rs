//! Tools for a host's own tests: contracts for adapters, fault injection, a clock and repeatable randomness.
//!
//! # Contracts
//! A contract tests an adapter: it makes the calls that the docs of the port describe, and compares the answers with
//! the promises there. A test of the host runs a contract with one call. The calls:
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
//! If a promise is broken, the contract names the [`Law`] and gives the smallest example: the call, the customer and
//! the answer. The example shows no person's value.
//!
//! ```text
//! ledger breaks a law: record renews the lease
//! found: another worker claimed case-1 nine tenths of a lease after the last record
//! ```
//!
//! A contract tests only what the adapter can do. The data map may say that customers cannot be deactivated, or that a
//! class cannot be reassigned. Some laws need help from the test, because the port does not offer it:
//!
//! * [`Stocked::rows`] reads rows without the adapter.
//! * [`Stocked::spoil`] spoils a customer's records, so that they cannot be erased.
//! * [`Copies::stray`] adds a file that is no copy.
//!
//! Without this help, the contract skips the laws that need it. So give all of it.
//!
//! A contract makes one call after another. So it cannot test what happens if a process dies during a call, or if two
//! calls run at the same time. It does not show that a dropped future leaves all or nothing, or that facts are compared
//! in the same transaction as the writes.
//!
//! Contracts write and erase. Never run a contract on an adapter over data that are in use.
//!
//! # Faults
//! [`Faulty`] wraps any adapter and adds [`Faults`]. A fault names a call: the second `erase` fails, or the answer of
//! the first `close` is lost. With such faults, a host can test that [`resume`](crate::Engine::resume) finishes a
//! case after an interruption at any point.

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
