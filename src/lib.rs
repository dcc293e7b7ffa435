//! Erase a customer for good: by policy, with a review before and a certificate after.
//!
//! Erasing a person from a running business takes more than a `DELETE`:
//! * Some records have to stay, but must not identify the person any more.
//! * Some records must not be touched while a subscription is active.
//! * A payment gateway has a copy, and so do last night's backups.
//! * Somebody has to approve the erasure, the process may die half-way, and later somebody asks for proof.
//!
//! This crate does all of this inside your own service, with your existing database.
//!
//! # How the data flow
//!
//! ```text
//!           pure, no clock, no I/O                    │           async, against your systems
//! Policy ──┐                                          │
//! DataMap ─┼─► decide ─► Decision ─► Plan ─► Approval ┼─► Case ─► Ledger ─► Certificate
//! Customer ┘                                          │    ├ gateways   PaymentGatewayEraser
//!                                                     │    └ root, last CustomerStore
//! ```
//!
//! * A [`DataMap`] says what is held: every record class and field, each classified. The [SQL map](store::sql) makes
//!   the data map from your tables. If a column is not classified, the store does not open.
//! * A [policy] says what must happen to which record class, when and why. The policy is checked against the data
//!   map. The check finds every impossible line before anything runs.
//! * A [`Plan`] says what one erasure will do, step by step, and has a digest. Only a plan whose digest was
//!   [approved](Approval) can be executed.
//! * The [engine] carries the plan out, durably. It records each step before the step begins, and writes *done* last.
//!   If a process dies at any point, [`Engine::resume`] continues.
//! * The [`Certificate`] says what was done, what stays and why, what was verified, and what the erasure does not
//!   cover.
//!
//! # An example
//!
//! ```
//! # use rusqlite::Connection;
//! use std::sync::Arc;
//!
//! use chrono::{TimeDelta, Utc};
//! use relinquish::{
//!     Approval, Asked, Engine, FileKeyRing, Outcome, Planned, PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (database, ledger) = (folder.path().join("shop.sqlite"), folder.path().join("ledger.sqlite"));
//! # Connection::open(&database)?.execute_batch(
//! #     "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE NOT NULL, state TEXT);
//! #      CREATE TABLE calls (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, number TEXT);
//! #      INSERT INTO clients VALUES (7, 'Maud Ashworth', 'maud@example.org', 'active');
//! #      INSERT INTO calls VALUES (1, 7, '+44 20 7946 0018');")?;
//! // The tables of the database, and the content of their columns.
//! let map = SqlMap::from_toml(r#"
//!     version = 1
//!     [customers]
//!     table = "clients"
//!     key = "id"
//!     tenant = { is = "the shop" }
//!     status = { column = "state", active = "active", archived = "archived" }
//!     deactivate = { state = "archived" }
//!     [customers.fields]
//!     name = "name"
//!     email = "email"
//!     [records.call]
//!     table = "calls"
//!     key = "id"
//!     owner = "client_id"
//!     fields = { number = "communication" }
//! "#)?;
//! // What must happen.
//! let policy = PolicyDocument::from_toml(r#"
//!     version = 1
//!     sweep = false
//!     [triggers]
//!     requested = { treatment = "clear" }
//!     [guards]
//!     active_subscription = { ignore = "the shop sells none" }
//!     not_archived = { ignore = "each case archives first" }
//!     [anonymise]
//!     name = "remove"
//!     email = "token"
//!     [treatments.clear]
//!     customer = "anonymise"
//!     call = "delete"
//! "#)?;
//! let store = Arc::new(SqliteStore::open(&database, &map)?);
//! let engine = Engine::builder(
//!     Arc::clone(&store),
//!     policy,
//!     SqliteLedger::open(&ledger)?,
//!     FileKeyRing::create_beside(&ledger)?, // for a new ledger; from then on open_beside
//! )
//! .scrub(store)
//! .build()?;
//!
//! engine.census().await?; // once, and then from time to time: finds rows that the map does not explain
//! let Planned::Plan(plan) = engine.plan(&"7".into(), &Asked::request()).await? else {
//!     panic!("nothing stands in the way");
//! };
//! println!("{plan}"); // a person reviews it, and approves its digest
//! let now = Utc::now();
//! let approval =
//!     Approval::new("operator-7", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
//! let outcome = engine.erase(plan.approve(approval)?).await?;
//! assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
//! engine.scrub().await?; // after a run: removes the old bytes from the files, too
//! # let (name, email): (String, String) = Connection::open(&database)?
//! #     .query_row("SELECT name, email FROM clients", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
//! # assert!(name.starts_with("Anonymised ") && email.ends_with("@erased.invalid"));
//! # Ok(())
//! # }
//! ```
//!
//! # Where to read on
//!
//! | you want to | read |
//! |---|---|
//! | find an example for your situation | [`manual::cookbook`] |
//! | describe your database | [`store::sql`] |
//! | write a policy | [`policy`] |
//! | record requests, place holds, and run the worker | [`manual::running`] |
//! | use your own repository code | [`Repository`], [`ByRecord`] |
//! | erase at Stripe or Authorize.Net, and find forgotten profiles there | [`manual::gateways`] |
//! | write an adapter for a gateway | [`PaymentGatewayEraser`] |
//! | know the guarantees and their limits | [`manual`] |

// A link to a module of a feature works only with this feature. The docs are built with all features.
#![cfg_attr(not(all(feature = "sqlite", feature = "postgres")), allow(rustdoc::broken_intra_doc_links))]

pub mod anonymise;
pub mod backup;
pub mod case;
mod case_fold;
pub mod customer;
pub mod data_map;
mod digest;
mod document;
mod edits;
pub mod engine;
mod format;
pub mod gateway;
mod hex;
mod html;
mod json_schema;
pub mod ledger;
pub mod manual;
mod name;
pub mod plan;
pub mod policy;
pub mod recipient;
pub mod request;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod treatment;
mod words;

pub use backup::BackupRetention;
pub use customer::{Customer, CustomerId, GatewayName, TenantId};
pub use data_map::DataMap;
pub use digest::{Digest, NotADigest};
pub use document::{Problem, Problems};
pub use engine::{Engine, Error, Outcome, Planned};
pub use gateway::PaymentGatewayEraser;
#[cfg(feature = "postgres")]
pub use ledger::PostgresLedger;
#[cfg(feature = "sqlite")]
pub use ledger::SqliteLedger;
pub use ledger::{Certificate, FileKeyRing, MemoryLedger};
pub use plan::{Approval, ApprovedPlan, Asked, Decision, Plan};
pub use policy::{Policy, PolicyDocument};
pub use recipient::Recipient;
#[cfg(feature = "postgres")]
pub use store::postgres::PostgresStore;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use store::sql::SqlMap;
#[cfg(feature = "sqlite")]
pub use store::sqlite::SqliteStore;
pub use store::{ByRecord, CustomerStore, MemoryStore, RecordStore, Repository};

/// The README's example compiles.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
struct Readme;
