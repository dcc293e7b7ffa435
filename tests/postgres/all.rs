//! The store over PostgreSQL, against a server that the tests start.

// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod contract;
mod crm;
mod guarded;
#[path = "../it/support/hosts.rs"]
#[expect(dead_code, reason = "the tests of the library need more of it")]
mod hosts;
mod inbox;
mod journey;
mod ledger;
mod ownership;
mod proxy;
mod restored;
mod same;
mod schemas;
mod server;
mod shop;
mod suppression;
