//! An address that a kept invoice needs.
//!
//! A law keeps orders for some years. The address on a kept order stays with it, and the other addresses go.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE addresses (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, street TEXT);
//! CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, billing_id INTEGER REFERENCES addresses, booked_on TEXT);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO addresses VALUES (1, 1, 'on a kept order'), (2, 1, 'on no order'), (3, 2, 'of Bo');
//! INSERT INTO orders VALUES (10, 1, 1, '2025-05-05'), (11, 1, 2, '2010-01-01');
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
//! [records.address]
//! table = "addresses"
//! owner = "client_id"
//! fields = { street = "address" }
//!
//! [records.order]
//! table = "orders"
//! owner = "client_id"
//! ends = { billing_id = "clear" }
//! fields = { booked_on = "not personal" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "anonymise"
//! address = "delete"
//! order = "delete"
//!
//! [duties.books]
//! classes = ["order"]
//! needs = ["order.billing_id"]               # [] where the bare row is enough
//! from = "booked_on"
//! period = "7 years"
//! start = "calendar_year"
//! law = "the book-keeping act"
//! ground = "17(3)(b)"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: clients[1].email, - addresses[2], - orders[11]
//! ```
//!
//! * What a duty keeps stays byte for byte, with everything that `needs` names. When the duty has ended, the next sweep treats it.
//! * If the customer's own row were deleted, it would stay as an anonymised row until the last kept order lets go of it.
