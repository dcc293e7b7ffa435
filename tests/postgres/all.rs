//! The store over PostgreSQL, against a server that the tests start.

// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod contract;
mod crm;
mod drafted;
mod guarded;
#[path = "../it/support/hosts.rs"]
#[expect(dead_code, reason = "the tests of the library need more of it")]
mod hosts;
mod inbox;
mod journey;
mod ledger;
mod leftovers;
mod ownership;
mod proxy;
mod restored;
mod same;
mod schemas;
mod server;
mod several;
mod shop;
mod suppression;
mod tenants;
#[path = "../it/support/wired.rs"]
#[expect(dead_code, reason = "the tests of the library need more of it")]
mod wired;
