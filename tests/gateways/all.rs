//! Tests of the adapters of payment gateways, over HTTP and TLS, with imitations of Stripe and Authorize.Net.

// A test that cannot continue panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod contract;
mod faults;
mod gateways;
#[path = "../it/support/hosts.rs"]
#[expect(dead_code, reason = "the tests of the library need more of it")]
mod hosts;
mod localstripe;
mod property;
mod reconcile;
mod webhook;
