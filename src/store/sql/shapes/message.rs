//! A message between two people.
//!
//! Both have the message. It stays while one of them stays, and goes with the last.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE messages (id INTEGER PRIMARY KEY, sender_id INTEGER REFERENCES clients, recipient_id INTEGER REFERENCES clients, body TEXT);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO messages VALUES (10, 1, 2, 'from Maud to Bo'), (20, 2, 2, 'a note of Bo');
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
//! [records.message]
//! table = "messages"
//! shared = ["sender_id", "recipient_id"]
//! ends = { sender_id = "clear", recipient_id = "clear" }
//! fields = { body = "free_text" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! message = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], messages[10].sender_id
//! erase 2: - clients[2], - messages[10], - messages[20]
//! ```
//!
//! * A link that takes no NULL is handed to the "Unknown Customer": `ends = { sender_id = "stand-in" }`, with `customers.unknown_customer`.
//! * If the treatment anonymises messages instead, the last of them stays without an owner. Then write `nobody = "reason"`, or the next census stops.
