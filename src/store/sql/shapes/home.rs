//! A customer's own row that points at a personal row.
//!
//! The customers' table has a link to an address. People of one household share it.
//!
//! ```sql
//! CREATE TABLE homes (id INTEGER PRIMARY KEY, street TEXT);
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT, home_id INTEGER REFERENCES homes);
//! INSERT INTO homes VALUES (1, 'Mill Lane 1'), (2, 'High Street 2');
//! INSERT INTO clients VALUES (1, 'maud@ash.example', 1), (2, 'bo@elm.example', 1), (3, 'runa@oak.example', 2);
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
//! ends = { home_id = "clear" }
//! fields = { email = "email" }
//!
//! [records.home]
//! table = "homes"
//! shared = ["customer.home_id"]              # customer is the class of the customers themselves
//! fields = { street = "address" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! home = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1]
//! erase 2: - clients[2], - homes[1]
//! ```
//!
//! * A customer who is anonymised has left as well, if the treatment writes a placeholder or a token to one of the customer's fields.
