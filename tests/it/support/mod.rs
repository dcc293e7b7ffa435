//! Helpers for several groups of tests: hosts with a database, a shop, faults at each call, gateways.

#[expect(dead_code, reason = "the tests of the adapters, in `tests/gateways`, need more of it")]
pub(crate) mod gateways;
pub(crate) mod hosts;
pub(crate) mod html;
pub(crate) mod shop;
pub(crate) mod wired;
