//! Finding people, and handing out what is held about them.
//!
//! | the task | the method |
//! |---|---|
//! | find the customer who wrote | [`Engine::search`](crate::Engine::search) |
//! | find every other place in which the same person appears | [`Engine::traces`](crate::Engine::traces) |
//! | give a person everything that is held about them (Art. 15 and 20 GDPR) | [`Export::customer`](crate::engine::export::Export::customer) |
//! | give one kind of record of all customers | [`Export::class`](crate::engine::export::Export::class) |
//! | hand over a whole tenant before it is erased | [`Export::tenant`](crate::engine::export::Export::tenant) |
//!
//! All of these read through the port [`ReadRecords`](crate::store::ReadRecords). SQLite, PostgreSQL, repositories of your own and
//! documents in object stores have it. Give the store to the builder once more:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use relinquish::engine::MemoryAccessLog;
//! # use relinquish::{Engine, FileKeyRing, PolicyDocument, SqliteLedger, SqliteStore};
//! # fn build(store: Arc<SqliteStore>, policy: PolicyDocument, ledger: SqliteLedger, keys: FileKeyRing)
//! #     -> Result<Engine, Box<dyn std::error::Error>> {
//! let engine = Engine::builder(Arc::clone(&store), policy, ledger, keys)
//!     .records(store) // what is searched and exported
//!     .access_log(MemoryAccessLog::new()) // your own log: who looked, and why
//!     .build()?;
//! # Ok(engine)
//! # }
//! ```
//!
//! # Who looks, and why
//! Each search, trace and export needs an [`Access`](crate::engine::Access): an operator with tenants, and a purpose. The purpose is a
//! request whose identity is confirmed, or a code of your own. The engine tells your [`AccessLog`](crate::engine::AccessLog) before any
//! record is read. If the log fails, nothing is read. An operator gets no record of other tenants: an export is refused, and places that a
//! search or a trace finds there are counted and not told.
//!
//! # Searching
//! A search says which record and which field matched, and no more. [`exact`](crate::engine::Search::exact) uses an index where a field has
//! one. [`alike`](crate::engine::Search::alike) compares without case and marks, names in any order of their words, and telephone numbers
//! with or without the code of the country; it reads every record of the classes with such fields. A search that would read whole tables is
//! refused with the names of the classes until you allow it; [`Engine::plan_search`](crate::Engine::plan_search) says it before.
//!
//! # Traces
//! A trace is certain, likely or possible, with the reason. Two spellings of one e-mail address are certain; the same name alone is
//! possible. A twin is a trace in the record of another customer: erase both, or one stays behind. A login that opens several accounts is
//! such a trace, too. Traces say where to look. They change no plan: plan each customer that you find by itself.
//!
//! # Exporting
//! Every cell is in the export or named as left out. What is left out:
//!
//! | what | why |
//! |---|---|
//! | passwords and access tokens, also inside JSON documents | they are secrets |
//! | fields that the map gives to somebody else (`of = "editor_id"`), links to other customers | they are other people's |
//! | personal values in records that others have too | they may be about the others. [`showing_shared`](crate::engine::export::Export::showing_shared) shows them |
//!
//! With the feature `export` an export is written as JSON (`write_json`, whose documentation has the format), as CSV (`write_csv`), or as a
//! ZIP archive (`ZipExport`) with one CSV for each class, the documents, and an `index.html` that the person reads in English, Swedish or
//! German, with the statement of retention. Cells are safe in a spreadsheet. The archive is readable by its owner alone and overwrites no
//! file. `examples/subject_access.rs` has the whole way from the request to the archive.
//!
//! Memory is bounded by the page, however large a class is. An export is read page by page and not in one transaction: what changes
//! meanwhile may be in it as before or as after.
