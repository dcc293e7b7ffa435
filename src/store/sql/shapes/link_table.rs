//! People and homes joined by a table of links.
//!
//! A table joins customers and homes. A home belongs to everybody who is joined to it.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE homes (id INTEGER PRIMARY KEY, street TEXT);
//! CREATE TABLE lives_at (client_id INTEGER NOT NULL REFERENCES clients, home_id INTEGER NOT NULL REFERENCES homes,
//!     PRIMARY KEY (client_id, home_id));
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO homes VALUES (1, 'Mill Lane 1'), (2, 'High Street 2');
//! INSERT INTO lives_at VALUES (1, 1), (1, 2), (2, 2);
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
//! [records.lives_at]
//! owner = "client_id"
//! ends = { home_id = "goes" }
//!
//! [records.home]
//! table = "homes"
//! shared = ["lives_at.home_id"]
//! fields = { street = "address" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! lives_at = "delete"
//! home = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], - lives_at[1,1], - lives_at[1,2], - homes[1]
//! erase 2: - clients[2], - lives_at[2,2], - homes[2]
//! ```
//!
//! * `table` and `key` are left out where the class has the name of its table and its primary key.
