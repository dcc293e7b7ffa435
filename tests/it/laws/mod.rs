//! The laws of the crate as property tests. Oracles and broken implementations check that the laws notice faults. A
//! table lists the tests of each law.

pub(crate) mod api;
pub(crate) mod erasure;
pub(crate) mod house;
pub(crate) mod law_table;
pub(crate) mod model;
pub(crate) mod no_default;
pub(crate) mod ownership;
pub(crate) mod test_names;
