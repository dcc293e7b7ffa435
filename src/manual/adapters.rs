//! Writing an adapter of your own, and finding out whether it keeps its promises.
//!
//! | you have | you implement | example |
//! |---|---|---|
//! | repository code | [`Repository`](crate::Repository), wrapped in [`ByRecord`](crate::ByRecord) | `own_store` |
//! | a database that this crate does not speak to | [`CustomerStore`](crate::CustomerStore) | |
//! | a payment gateway | [`PaymentGatewayEraser`](crate::PaymentGatewayEraser), and [`ProfileListing`](crate::gateway::ProfileListing) if it can list | `own_gateway` |
//! | a place for the ledger | [`Ledger`](crate::ledger::Ledger) with [`CaseBook`](crate::ledger::CaseBook) | `own_ledger` |
//! | a service that holds keys | [`KeyRing`](crate::ledger::KeyRing) | |
//! | backups | [`BackupRetention`](crate::BackupRetention) | |
//! | a value with a form of its own | [`OwnStrategy`](crate::anonymise::OwnStrategy) | |
//!
//! # What every method says
//! The docs of each method have four headings. An adapter keeps all four:
//!
//! * **Idempotency.** What the same call again does. The engine calls again after an interruption.
//! * **Partial failure.** What is done when the call fails. A batch answers one result per item, in order, and an item that fails
//!   never fails its neighbours.
//! * **Cancel safety.** What is done when the future is dropped.
//! * **Errors.** Which of them mean that trying again helps.
//!
//! No `Debug` and no error shows a value of a person.
//!
//! # The test
//! The feature `testing` has a contract for each port. It calls your adapter as the engine does, and names the law that does not
//! hold, with the smallest example. A whole test of a ledger:
//!
//! ```
//! # #[cfg(feature = "testing")]
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! # use relinquish::MemoryLedger as OwnLedger;
//! use relinquish::testing;
//!
//! let open = |clock: std::sync::Arc<testing::ManualClock>| async move { OwnLedger::new().lease_clock(move || clock.now()) };
//! testing::ledger(open).await
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The page of the module `testing` has such a test for every port. It also has `Faulty`: your adapter with faults on the way to it,
//! named by the call. With it a test of your own shows that a case which loses an answer is finished by
//! [`resume`](crate::Engine::resume).
//!
//! # What no contract sees
//! * **Transactions.** That facts are compared in the same transaction as the writes, and that a dropped future leaves all or
//!   nothing, is seen only with a second connection or a killed process.
//! * **Several processes.** A contract calls one adapter from one task. Two workers that open the same case at the same moment are
//!   two connections.
//! * **Durability.** A ledger has to find its entries again after a restart. Only key rings are opened a second time.
