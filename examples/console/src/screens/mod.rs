//! One file per screen.

pub(crate) mod cases;
pub(crate) mod holds;
pub(crate) mod home;
pub(crate) mod person;
pub(crate) mod plan;
pub(crate) mod requests;
pub(crate) mod review;
