//! Imitations of gateways that answer over real HTTP on loopback, and fail on demand. They are for tests, examples
//! and the benchmark, and are not part of the crate.

// Each user needs only a part of this module. A fake that cannot continue panics, which ends the test, the example or
// the benchmark.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub(crate) mod authorize_net;
pub(crate) mod server;
pub(crate) mod stripe;
