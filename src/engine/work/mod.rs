//! The kinds of cases, one file each: the data of a running case, how the case is decided again, and how it is
//! closed.

mod copies;
mod erasure;
mod expiry;
mod profile;

pub(super) use copies::CopiesWork;
pub(super) use erasure::ErasureWork;
pub(super) use expiry::{ExpiryWork, Looked};
pub(super) use profile::ProfileWork;
