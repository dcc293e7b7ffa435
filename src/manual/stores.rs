//! Several databases: one root store, and any number of stores beside it.
//!
//! The root store knows who the customers are. A store beside it has records of these customers. Examples: call
//! records in another PostgreSQL database, an archive in SQLite, a mailing list that knows a person only by the
//! e-mail address.
//!
//! # The map
//! The map of a database beside the root store has `[beside]` in place of `[customers]`. An owner without a foreign key leads to
//! the customers' key, as in any map. `to = "customer.email"` leads to a field of the customers in the root store.
//!
//! ```toml
//! # map.toml
//! version = 1
//!
//! [beside]
//! customers = "customer"      # the class of the customers in the root store's map; this is the default
//! key = "id"                  # one name for each column of their key; this is the default
//!
//! [records.call]
//! table = "calls"
//! owner = "client_id"         # the customers' key
//! fields = { number = "phone" }
//!
//! [records.letter]
//! table = "letters"
//! owner = { column = "mail", to = "customer.email" }
//! fields = { mail = "email" }
//! ```
//!
//! Only the root store knows who else owns a record. So each class here has one owner, and every other link stays
//! unchanged: `ends.called = { keep = "reason" }`. Recipients and texts of others are in the map of the root store.
//!
//! # The store
//! [`WithStores`](crate::store::WithStores) combines the stores. The engine, the policy, plans and certificates see
//! one data map. Class names must be different across all stores.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "sqlite")] {
//! use relinquish::store::{RecordStore, WithStores};
//! use relinquish::{SqlMap, SqliteStore};
//!
//! # let folder = tempfile::tempdir()?;
//! # let at = |name: &str| folder.path().join(name);
//! # let run = |name: &str, sql: &str| rusqlite::Connection::open(at(name)).and_then(|file| file.execute_batch(sql));
//! # run("crm", "CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT)")?;
//! # run("calls", "CREATE TABLE calls (id INTEGER PRIMARY KEY, client_id INTEGER, number TEXT)")?;
//! let crm = SqlMap::from_toml(
//!     r#"
//!     version = 1
//!     [customers]
//!     table = "clients"
//!     key = "id"
//!     tenant = { is = "shop" }
//!     deactivate = { none = "clients have no state" }
//!     fields = { email = "email" }
//!     "#,
//! )?;
//! let calls = SqlMap::from_toml(
//!     r#"
//!     version = 1
//!     beside = {}
//!     [records.call]
//!     table = "calls"
//!     owner = "client_id"
//!     fields = { number = "phone" }
//!     "#,
//! )?;
//! let store = WithStores::around(SqliteStore::open(at("crm"), &crm)?)
//!     .store("calls", SqliteStore::beside(at("calls"), &calls)?)?;
//! assert!(store.data_map().class("call").is_some());
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! A `PostgresStore` has `beside`, too. Any other store that implements [`RecordStore`](crate::store::RecordStore)
//! and [`ReadRecords`](crate::store::ReadRecords) can be added. Its requests contain the facts about customers that
//! it needs ([`Known`](crate::store::Known)).
//!
//! # How a case runs
//! Everything happens at the step *records*. The stores are erased in the order in which they were added, and the
//! root store last. Before each store, holds and the facts of the customer are checked again. The result of a store
//! is recorded before the next store begins. If the customer changes in between, the case is blocked, because some
//! records are already erased. If a store cannot be reached, the case waits, and nothing in the root store is erased.
//!
//! The texts of a store are searched for the customer's names from the root store. Data that stay in a store are
//! searched for the values that the root store will erase. The root store is not searched for values of another
//! store.
//!
//! # What is refused when the engine is built
//! | the policy asks | why not |
//! |---|---|
//! | for a duty on a class beside the root store, in a treatment that deletes the customer | the records could not be found when the duty ends |
//! | that records stay for a time, if they are found by a value | the value is erased before the time is over |
//! | for a duty that counts from a date, or keeps a record, in another store | no transaction spans two databases |
//! | for a smallest group of a class beside the root store | that store cannot count the customers |
//! | for ownerless records of a class beside the root store | that store does not know which customers exist |
//!
//! # What is not covered
//! * Records beside the root store that reference a customer who does not exist. They are not counted, and plan and
//!   certificate say so.
//! * [`Engine::search`](crate::Engine::search) and [`traces`](crate::Engine::traces) read the root store. They list
//!   the classes of the other stores as not searched. An export of a customer has the records of every store.
//! * Each store needs its own backups, and its own scrub.
//!
//! # One map for many databases
//! If each tenant has a separate database or schema, one [`SqlMap`](crate::SqlMap) can open all of them. In
//! PostgreSQL, the `search_path` of the pool selects the schema. Each tenant then has a separate store, engine and
//! ledger.
