//! One file per kind of case: what it knows while it runs, how it is decided again, and how it is closed.

mod erasure;
mod expiry;
mod profile;

pub(super) use erasure::ErasureWork;
pub(super) use expiry::{ExpiryWork, Looked};
pub(super) use profile::ProfileWork;
