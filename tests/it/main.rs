//! What the crate promises, held against real databases, real files and real processes.

// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod engine;
mod gateway;
mod laws;
mod ledger;
mod policy;
mod store;
mod support;
mod testing_kit;
mod values;
mod words;

use support::{gateways, hosts, shop, wired};
