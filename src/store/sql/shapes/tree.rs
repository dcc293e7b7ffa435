//! Records that form a tree.
//!
//! A reply hangs from the comment that it answers. The first comment of each tree has a customer.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE comments (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES comments, client_id INTEGER REFERENCES clients, body TEXT);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO comments VALUES (10, NULL, 1, 'by Maud'), (11, 10, NULL, 'a reply'), (12, 11, NULL, 'a reply to the reply'), (20, NULL, 2, 'by Bo');
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
//! [records.comment]
//! table = "comments"
//! owner = { first = ["parent_id", "client_id"] }
//! ends = { client_id = "clear" }
//! fields = { body = "free_text" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! comment = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], - comments[10], - comments[11], - comments[12]
//! ```
//!
//! * Here a reply goes with the comment above it, whoever wrote it. If each reply has an author, write `owner = "client_id"` and `ends = { parent_id = "clear" }`.
