//! Contacts of a company in the customers' table.
//!
//! Companies and their contacts are rows of one table. Companies are the customers, and contacts belong to them.
//!
//! ```sql
//! CREATE TABLE partners (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES partners, name TEXT);
//! INSERT INTO partners VALUES (1, NULL, 'Ash & Co'), (2, 1, 'Maud Ash'), (3, 2, 'the assistant of Maud'), (4, NULL, 'Elm'), (5, 4, 'Bo Elm');
//! ```
//!
//! ```toml
//! # map.toml
//! version = 1
//!
//! [customers]
//! table = "partners"
//! key = "id"
//! tenant = { is = "shop" }
//! deactivate = { none = "clients have no state" }
//! when = { parent_id = { null = true } }  # the customers among the partners
//! fields = { name = "name" }
//!
//! [records.contact]
//! table = "partners"
//! when = "rest"                              # every other row
//! owner = "parent_id"                        # to a customer, or to a contact of one
//! fields = { name = "name" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! contact = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - partners[1], - partners[2], - partners[3]
//! ```
//!
//! * The conditions of the classes of one table must exclude one another. The check refuses a row that two classes claim.
