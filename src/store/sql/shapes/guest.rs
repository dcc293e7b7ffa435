//! Orders that are known by an e-mail address.
//!
//! People order with an account or without one. An order without an account belongs to the customer who has its address.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE sales (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, billing_email TEXT);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO sales VALUES (10, 1, 'maud@ash.example'), (11, NULL, 'Maud@Ash.example'), (12, NULL, 'guest@fir.example'), (13, 2, 'bo@elm.example');
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
//! [links]
//! by_mail = { column = "billing_email", to = "customer.email", compare = "nocase" }
//!
//! [records.sale]
//! table = "sales"
//! owner = { first = ["client_id", "by_mail"] } # the first link that is not empty
//! nobody = "of guests"
//! fields = { billing_email = "email" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! sale = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], - sales[10], - sales[11]
//! ```
//!
//! * `compare` is `exact`, `nocase`, `normalised` (trimmed, one Unicode form, without case) or `text` (17 and '17' are the same).
//! * If two customers have the same address, nobody can tell whose the order is. Both are blocked until the rows are mended.
//! * An order of a guest who is no customer stays until it expires. This release erases customers.
