//! Records that stay when their owner leaves.
//!
//! The service needs the ticket, and not the person. The link is cleared, and the ticket stays without an owner.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE tickets (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, subject TEXT, product TEXT);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO tickets VALUES (10, 1, 'Maud asks', 'boots'), (20, 2, 'Bo asks', 'gloves');
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
//! [records.ticket]
//! table = "tickets"
//! owner = "client_id"
//! ends = { client_id = "clear" }
//! nobody = "of clients who left"
//! fields = { subject = "free_text", product = "not personal" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! ticket = { action = "anonymise", fields = { subject = "remove" } }
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], tickets[10].client_id, tickets[10].subject
//! ```
//!
//! * Without `nobody` the next census counts tickets without an owner, and stops. The check points this out.
//! * Another way is to hand the tickets over: `ticket = "reassign"`, with `customers.unknown_customer`.
