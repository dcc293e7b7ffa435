//! One file per screen.

pub(crate) mod cases;
pub(crate) mod data;
pub(crate) mod expiry;
pub(crate) mod export;
pub(crate) mod holds;
pub(crate) mod home;
pub(crate) mod ledger;
pub(crate) mod letters;
pub(crate) mod person;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod requests;
pub(crate) mod review;
