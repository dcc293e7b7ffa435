//! A record that names who granted it.
//!
//! The grant belongs to the person who has it. When the granter leaves, the "Unknown Customer" takes the granter's place.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE hats (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, granted_by INTEGER NOT NULL REFERENCES clients, title TEXT);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO clients VALUES (9, 'unknown@shop.invalid');
//! INSERT INTO hats VALUES (10, 2, 1, 'gardener'), (20, 1, 2, 'keeper');
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
//! unknown_customer = { find = { email = "unknown@shop.invalid" } }
//! fields = { email = "email" }
//!
//! [records.hat]
//! table = "hats"
//! owner = "client_id"
//! ends = { granted_by = "stand-in" }
//! fields = { title = "not personal" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! hat = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], - hats[20], hats[10].granted_by
//! ```
//!
//! * A link that takes NULL can be cleared instead: `ends = { granted_by = "clear" }`.
//! * The "Unknown Customer" is no person. Nobody can erase it, and no record is anybody's because of it.
