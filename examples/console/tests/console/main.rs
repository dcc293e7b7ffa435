//! The console as its service is called, and as a person uses it in a browser.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod browser;
mod rights;
mod screens;
mod support;
mod walks;
