//! A table of keys and values.
//!
//! The rows of one table follow different rules. A column tells them apart.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE meta (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, name TEXT NOT NULL, value TEXT);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO meta VALUES (1, 1, 'tax_class', 'A'), (2, 1, 'currency', 'EUR'), (3, 1, 'nickname', 'Maudie'), (4, 1, 'Phone', '070'), (5, 2, 'nickname', 'Bo');
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
//! [records.tax_meta]
//! table = "meta"
//! when = { name = ["tax_class", "currency"] } # or one value, { not = "a" }, { null = true }
//! owner = "client_id"
//! fields = { value = "not personal" }
//!
//! [records.other_meta]
//! table = "meta"
//! when = "rest"
//! owner = "client_id"
//! fields = { value = "free_text" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "anonymise"
//! tax_meta = { keep = "the books need it" }
//! other_meta = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: clients[1].email, - meta[3], - meta[4]
//! ```
//!
//! * Without the class for the rest, the census counts the rows that no class claims, and stops. Such rows can be explained instead: `ignore.meta = { rest = "reason" }`.
