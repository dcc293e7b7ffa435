//! The store over PostgreSQL, against a server that the tests start.

// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod contract;
mod ownership;
mod schemas;
mod server;
mod shop;
