//! The long documentation, as far as there is one yet.

pub mod free_text;
pub mod gateways;
pub mod promises;
