//! The long documentation.
//!
//! | you want to know | read |
//! |---|---|
//! | how to get from an unknown database to a plan | [`first_map`] |
//! | which lines to copy for your situation | [`cookbook`] |
//! | what is promised, what is not, and why the defaults are as they are | [`promises`] |
//! | what a policy can say | [`policies`] |
//! | how everybody who is due is erased, by schedule or after a review | [`sweeps`] |
//! | how requests are recorded, and how the engine runs by itself | [`running`] |
//! | how people are found, and how they get what is held about them | [`finding`] |
//! | what becomes of a value | [`values`] |
//! | how well people are found in texts | [`free_text`] |
//! | how backup copies and logs age out, what a restore or an import brings back, and what lost keys cost | [`copies`] |
//! | how profiles are erased at gateways | [`gateways`] |
//! | how recipients of the data are told, and keys are shredded | [`recipients`] |
//! | how customers are erased in PostgreSQL | [`postgres`] |
//! | how a customer is erased in several databases | [`stores`] |
//! | how to write an adapter, and to test it | [`adapters`] |
//! | which traps other erasure code fell into | [`traps`] |
//! | when another tool is better | [`comparison`] |
//! | how fast the crate is, and how it is tested | [`measured`] |

pub mod adapters;
pub mod comparison;
pub mod cookbook;
pub mod copies;
pub mod finding;
pub mod first_map;
pub mod free_text;
pub mod gateways;
pub mod measured;
pub mod policies;
pub mod postgres;
pub mod promises;
pub mod recipients;
pub mod running;
pub mod stores;
pub mod sweeps;
pub mod traps;
pub mod values;
