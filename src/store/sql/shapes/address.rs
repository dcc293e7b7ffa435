//! An address that orders share.
//!
//! An address has no customer. Whoever has an order that is billed or shipped there has the address.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
//! CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients,
//!     billing_id INTEGER REFERENCES addresses, shipping_id INTEGER REFERENCES addresses);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO addresses VALUES (1, 'Maud alone'), (2, 'Maud and Bo');
//! INSERT INTO orders VALUES (10, 1, 1, 2), (20, 2, 2, NULL);
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
//! [records.order]
//! table = "orders"
//! owner = "client_id"
//!
//! [records.address]
//! table = "addresses"
//! shared = ["order.billing_id", "order.shipping_id"]
//! fields = { street = "address" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! order = "delete"
//! address = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], - orders[10], - addresses[1]
//! erase 2: - clients[2], - orders[20], - addresses[2]
//! ```
//!
//! * Name every link that leads to the address. A foreign key that is not named is a problem of the check.
//! * An address that no order uses belongs to nobody. The census counts such rows: write `nobody = "reason"`, or delete them.
