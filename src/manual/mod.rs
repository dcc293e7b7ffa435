//! The long documentation.
//!
//! | you want to know | read |
//! |---|---|
//! | how to get from an unknown database to a plan | [`first_map`] |
//! | examples for your situation | [`cookbook`] |
//! | what is promised, what is not, and why the defaults are as they are | [`promises`] |
//! | what a policy can say | [`policies`] |
//! | how all due customers are erased, by schedule or after a review | [`sweeps`] |
//! | how requests are recorded, and how the engine runs by itself | [`running`] |
//! | how people are found, and how they get the data about them | [`finding`] |
//! | how a value is removed or changed | [`values`] |
//! | how well people are found in texts | [`free_text`] |
//! | how backup copies and logs are removed, how to act after a restore or before an import, and what lost keys mean | [`copies`] |
//! | how profiles are erased at gateways | [`gateways`] |
//! | how recipients of the data are notified, and how keys are shredded | [`recipients`] |
//! | how customers are erased in PostgreSQL | [`postgres`] |
//! | how a customer is erased in several databases | [`stores`] |
//! | how to write an adapter, and to test it | [`adapters`] |
//! | the typical bugs of other erasure code | [`traps`] |
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
