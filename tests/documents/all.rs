//! Tests of documents in an object store, with real directories.

// A test that cannot continue panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod documents;
#[path = "../it/support/hosts.rs"]
#[expect(dead_code, reason = "the tests of the library need more of it")]
mod hosts;
#[path = "../it/support/shop.rs"]
#[expect(dead_code, reason = "the tests of the library need more of it")]
mod shop;
