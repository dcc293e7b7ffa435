//! A link whose target depends on another column.
//!
//! A document belongs to a client or to a supplier. One column says which, and another one has the number.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE documents (id INTEGER PRIMARY KEY, owner_type TEXT NOT NULL, owner_id INTEGER NOT NULL, title TEXT);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO documents VALUES (10, 'client', 1, 'for Maud'), (11, 'user', 1, 'for Maud'), (12, 'supplier', 1, 'of a supplier'), (20, 'client', 2, 'for Bo');
//! ```
//!
//! ```toml
//! # map.toml
//! version = 1
//!
//! [customers]
//! table = "clients"
//! key = "id"
//! tenant = { is = "shop" }
//! deactivate = { none = "clients have no state" }
//! fields = { email = "email" }
//!
//! [records.document]
//! table = "documents"
//! when = { owner_type = ["client", "user"] }
//! owner = { column = "owner_id", to = "customer" }
//! fields = { title = "free_text" }
//!
//! [ignore]
//! documents = { rest = "of suppliers" }      # rows that no class claims
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! document = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], - documents[10], - documents[11]
//! ```
//!
//! * Rows of another type can be a class of their own, with another `when` and another `to`.
