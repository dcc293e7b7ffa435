//! The long documentation, as far as there is one yet.

pub mod promises;
