//! Tests of the console: by calls to its service, and in a browser as a person uses it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod browser;
mod rights;
mod screens;
mod support;
mod walks;
