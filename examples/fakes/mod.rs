//! Gateways that answer like the real ones, over real HTTP on loopback, and fail on demand. For tests, examples and
//! the benchmark; nothing of it is in the crate.

// Each of those uses a part of it; and a fake that cannot go on ends the test, the example or the benchmark.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub(crate) mod authorize_net;
pub(crate) mod server;
pub(crate) mod stripe;
