//! Erase a customer for good: by policy, with a review before and a certificate after.

pub mod anonymise;
pub mod backup;
pub mod customer;
pub mod data_map;
mod digest;
mod document;
pub mod engine;
pub mod gateway;
pub mod ledger;
pub mod plan;
pub mod policy;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use backup::BackupRetention;
pub use customer::{Customer, CustomerId, GatewayName, TenantId};
pub use data_map::DataMap;
pub use digest::{Digest, NotADigest};
pub use document::{Problem, Problems};
pub use engine::{Engine, Error, Outcome, Planned};
pub use gateway::PaymentGatewayEraser;
#[cfg(feature = "sqlite")]
pub use ledger::SqliteLedger;
pub use ledger::{Certificate, FileKeyRing, MemoryLedger};
pub use plan::{Approval, ApprovedPlan, Asked, Decision, Plan};
pub use policy::{Policy, PolicyDocument};
pub use store::{ByRecord, CustomerStore, MemoryStore, RecordStore, Repository};
#[cfg(feature = "sqlite")]
pub use store::{sql::SqlMap, sqlite::SqliteStore};
