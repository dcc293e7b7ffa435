//! A record with two ways to one person.
//!
//! A session has a customer and a token, and the token has a customer, too. Both must be the same person.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE tokens (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, secret TEXT);
//! CREATE TABLE sessions (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, token_id INTEGER NOT NULL REFERENCES tokens);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO tokens VALUES (10, 1, 'a'), (20, 2, 'b');
//! INSERT INTO sessions VALUES (100, 1, 10), (200, 2, 20);
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
//! [records.token]
//! table = "tokens"
//! owner = "client_id"
//! fields = { secret = "access_token" }
//!
//! [records.session]
//! table = "sessions"
//! owner = "client_id"
//! ends = { token_id = "same" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! token = "delete"
//! session = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], - tokens[10], - sessions[100]
//! ```
//!
//! * If the two ends of a row lead to two people, nobody can tell whose it is. Both are blocked until the row is mended.
