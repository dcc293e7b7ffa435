//! Several databases: one root store, and any number of stores beside it.
//!
//! The root store knows who the customers are. A store beside it holds records of them: call records in another PostgreSQL, an
//! archive in SQLite, a mailing list that knows a person by the e-mail address alone.
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
//! Only the root store can tell who else has a record. So each class has one owner, and every other link stays as it is:
//! `ends.called = { keep = "reason" }`. Recipients and texts of others are in the map of the root store.
//!
//! Values are compared exactly, as the root store tells its customers apart. A column that takes different values for equal
//! (`COLLATE NOCASE`, `citext`, or a whole number where the root store has a text) is refused.
//!
//! # The store
//! [`WithStores`](crate::store::WithStores) joins the stores. The engine, the policy, plans and certificates see one data map. Each
//! class has a name of its own, whichever store it is in.
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
//! A `PostgresStore` has `beside`, too. Any other store that implements [`RecordStore`](crate::store::RecordStore) and
//! [`ReadRecords`](crate::store::ReadRecords) can be added. Its requests carry what it has to know of the customers
//! ([`Known`](crate::store::Known)).
//!
//! # How a case runs
//! Everything happens at the step *records*. The stores are erased in the order in which they were added, and the root store last.
//! Before each store, holds and the facts of the customer are looked at again. What a store has done is recorded before the next
//! one begins. If the customer changes in between, the case is blocked: it does not say that nothing was touched. If a store is out
//! of reach, the case waits there, and nothing of the root store is erased.
//!
//! The texts of a store are searched for the names that the root store has of the customer. What stays there is looked at for the
//! values that the root store is about to erase. Values of another store are not looked for in the root store.
//!
//! # What is refused when the engine is built
//! | the policy asks | why not |
//! |---|---|
//! | for a duty on a class beside the root store, in a treatment that deletes the customer | the records could not be found when the duty ends |
//! | that records stay for a time that are found by a value | the value is erased before the time is over |
//! | for a duty that counts from a date, or keeps a record, in another store | no transaction spans two databases |
//! | for a smallest group of a class beside the root store | that store cannot count the customers |
//! | for ownerless records of a class beside the root store | that store cannot tell which customers exist |
//!
//! # What is not covered
//! * Records beside the root store that name a customer who does not exist. Nobody counts them, and plan and certificate say so.
//! * [`Engine::search`](crate::Engine::search) and [`traces`](crate::Engine::traces) read the root store. They list the classes
//!   elsewhere. An export of a customer has the records of every store.
//! * Each store needs its own backups, and its own scrub.
//!
//! # One map for many databases
//! Where each tenant has a database or a schema of its own, one [`SqlMap`](crate::SqlMap) opens each of them. In PostgreSQL the
//! `search_path` of the pool chooses the schema. Each tenant then has a store, an engine and a ledger of its own.
