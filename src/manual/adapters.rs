//! How to write your own adapter, and how to test that it keeps its promises.
//!
//! | you have | you implement | example |
//! |---|---|---|
//! | repository code | [`Repository`](crate::Repository), wrapped in [`ByRecord`](crate::ByRecord) | `own_store` |
//! | a database that this crate does not speak to | [`CustomerStore`](crate::CustomerStore) | |
//! | a payment gateway | [`PaymentGatewayEraser`](crate::PaymentGatewayEraser), and [`ProfileListing`](crate::gateway::ProfileListing) if it can list | `own_gateway` |
//! | another database for the ledger | [`Ledger`](crate::ledger::Ledger) with [`CaseBook`](crate::ledger::CaseBook) | `own_ledger` |
//! | a service that holds keys | [`KeyRing`](crate::ledger::KeyRing) | |
//! | backups | [`BackupRetention`](crate::BackupRetention) | |
//! | a value with a special form | [`OwnStrategy`](crate::anonymise::OwnStrategy) | |
//!
//! # What the docs of a method say
//! The docs of each method have four headings. An adapter keeps all four:
//!
//! * **Idempotency.** What happens when the same call is made again. The engine repeats calls after an interruption.
//! * **Partial failure.** What may have been done already when the call fails. A batch gives one result per item, in
//!   order. An item that fails does not affect the other items.
//! * **Cancel safety.** What may have been done already when the future is dropped.
//! * **Errors.** Which errors may disappear when the call is made again.
//!
//! No `Debug` output and no error shows a person's value.
//!
//! # The test
//! The feature `testing` has a contract for each port. The contract calls your adapter as the engine does. If the
//! adapter breaks a law, the contract names the law and gives the smallest example. A whole test of a ledger:
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
//! The page of the module `testing` shows such a test for every port. The module also has `Faulty`. It wraps your
//! adapter, and lets the named calls fail. Use it to test that [`resume`](crate::Engine::resume) finishes a case
//! after a lost answer.
//!
//! # What no contract sees
//! * **Transactions.** Facts must be compared in the same transaction as the writes, and a dropped future must leave
//!   all or nothing. Only a test with a second connection or a killed process can show this.
//! * **Several processes.** A contract calls one adapter from one task. To test two workers that open the same case at
//!   the same moment, use two connections.
//! * **Durability.** A ledger has to find its entries again after a restart. Contracts open only key rings a second
//!   time.
