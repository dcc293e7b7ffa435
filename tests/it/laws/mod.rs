//! The laws of the crate as properties, the oracles and broken implementations that hold the laws themselves, and the table from laws to tests.

pub(crate) mod api;
pub(crate) mod erasure;
pub(crate) mod house;
pub(crate) mod law_table;
pub(crate) mod model;
pub(crate) mod no_default;
pub(crate) mod ownership;
pub(crate) mod test_names;
