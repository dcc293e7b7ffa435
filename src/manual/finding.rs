//! How to find people, and how to give them the data about them.
//!
//! | the task | the method |
//! |---|---|
//! | find the customer who sent a request | [`Engine::search`](crate::Engine::search) |
//! | find every other place in which the same person appears | [`Engine::traces`](crate::Engine::traces) |
//! | give a person all data about them (Art. 15 and 20 GDPR) | [`Export::customer`](crate::engine::export::Export::customer) |
//! | export one kind of record of all customers | [`Export::class`](crate::engine::export::Export::class) |
//! | hand over a whole tenant before it is erased | [`Export::tenant`](crate::engine::export::Export::tenant) |
//!
//! All of these read through the port [`ReadRecords`](crate::store::ReadRecords). SQLite, PostgreSQL, your own
//! repositories, and documents in object stores implement it. Pass the store to the builder a second time:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use relinquish::engine::MemoryAccessLog;
//! # use relinquish::{Engine, FileKeyRing, PolicyDocument, SqliteLedger, SqliteStore};
//! # fn build(store: Arc<SqliteStore>, policy: PolicyDocument, ledger: SqliteLedger, keys: FileKeyRing)
//! #     -> Result<Engine, Box<dyn std::error::Error>> {
//! let engine = Engine::builder(Arc::clone(&store), policy, ledger, keys)
//! .records(store) // the store to search and export
//!     .access_log(MemoryAccessLog::new()) // your own log: who looked, and why
//!     .build()?;
//! # Ok(engine)
//! # }
//! ```
//!
//! # Who looks, and why
//! Each search, trace and export needs an [`Access`](crate::engine::Access): an operator with tenants, and a purpose.
//! The purpose is a request whose identity is confirmed, or a code of your own. The engine writes to your
//! [`AccessLog`](crate::engine::AccessLog) before any record is read. If the log fails, nothing is read. An operator
//! gets no record of other tenants. An export is refused. A search or a trace only counts the places that it finds
//! there.
//!
//! # Searching
//! A search says only which record and which field matched. [`exact`](crate::engine::Search::exact) uses the index of a
//! field, if there is one. [`alike`](crate::engine::Search::alike) ignores case and accents. It compares names in any
//! order of their words, and telephone numbers with or without the country code. It reads every record of the classes
//! that have such fields. A search that would read whole tables is refused until you allow it, and the error names the
//! classes. [`Engine::plan_search`](crate::Engine::plan_search) says in advance whether a search would do so.
//!
//! # Traces
//! A trace is certain, likely or possible, with the reason. Two spellings of one e-mail address are certain; the same
//! name alone is possible. A twin is a trace in the record of another customer, for example a login that opens
//! several accounts. Erase both customers. Otherwise the person stays in the other record. A trace only says where to
//! look and changes no plan. Plan each customer that you find separately.
//!
//! # Exporting
//! Every value is either in the export, or reported as left out. These values are left out:
//!
//! | what | why |
//! |---|---|
//! | passwords and access tokens, also inside JSON documents | they are secrets |
//! | fields that the map gives to somebody else (`of = "editor_id"`), links to other customers | they belong to other people |
//! | personal values in records that others have too | they may be about the others. [`showing_shared`](crate::engine::export::Export::showing_shared) shows them |
//!
//! With the feature `export`, there are three formats:
//!
//! * JSON: `write_json`. Its documentation describes the format.
//! * CSV: `write_csv`.
//! * A ZIP archive: `ZipExport`. It contains one CSV for each class, the documents, and an `index.html` for the person
//!   in English, Swedish or German. The page includes the statement of retention.
//!
//! A spreadsheet does not run or change the cells. Only its owner can read the archive, and it overwrites no file.
//! `examples/subject_access.rs` shows every step from the request to the archive.
//!
//! The use of memory depends on the size of a page, and not on the size of a class. An export is read page by page, and
//! not in one transaction. If a record changes meanwhile, the export may show its old or its new state.
