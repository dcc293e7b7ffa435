//! Links without a foreign key, and a number that means nobody.
//!
//! The schema declares no foreign keys, and 0 stands for nobody.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE reviews (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL, asked_by INTEGER NOT NULL DEFAULT 0, text TEXT);
//! CREATE TABLE blocks (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, target_id INTEGER NOT NULL);
//! CREATE TABLE mutes (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, target_id INTEGER NOT NULL);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO reviews VALUES (10, 2, 1, 'by Bo'), (20, 1, 0, 'by Maud'), (30, 0, 0, 'by a visitor');
//! INSERT INTO blocks VALUES (1, 1, 2), (2, 2, 1);
//! INSERT INTO mutes VALUES (1, 2, 1), (2, 2, 2);
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
//! [links]                                    # a link has the column of its own name, unless it says another one
//! author_id = { to = "customer", none = 0 }
//! account_id = { to = "customer" }
//!
//! [records.review]
//! table = "reviews"
//! owner = "author_id"
//! nobody = "of visitors"
//! ends = { asked_by = { to = "customer", none = 0, gone = { clear = 0 } } }
//! fields = { text = "free_text" }
//!
//! [[alike]]                                  # a class each, with the name of its table
//! tables = ["blocks", "mutes"]
//! owner = "account_id"
//! ends = { target_id = { to = "customer", gone = "goes" } }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! review = "delete"
//! blocks = "delete"
//! mutes = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], - reviews[20], reviews[10].asked_by, - blocks[1], - blocks[2], - mutes[1]
//! ```
//!
//! * One owner column without a foreign key and without `to` is taken to hold the customers' key.
//! * Without foreign keys the check cannot see which links the map forgets. Look for columns with numbers of customers.
