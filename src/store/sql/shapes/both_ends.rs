//! A row with two ends, such as a follow or a favourite.
//!
//! The row belongs to one person and means nothing when the other end leaves. It goes when either of them goes.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE posts (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES clients, body TEXT);
//! CREATE TABLE follows (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, target_id INTEGER NOT NULL REFERENCES clients);
//! CREATE TABLE favourites (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, post_id INTEGER NOT NULL REFERENCES posts);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO posts VALUES (10, 1, 'by Maud'), (20, 2, 'by Bo');
//! INSERT INTO follows VALUES (1, 1, 2), (2, 2, 1);
//! INSERT INTO favourites VALUES (1, 2, 10), (2, 2, 20);
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
//! [records.post]
//! table = "posts"
//! owner = "author_id"
//! fields = { body = "free_text" }
//!
//! [records.follow]
//! table = "follows"
//! owner = "client_id"
//! ends = { target_id = "goes" }              # treated as well when the person at this end leaves
//!
//! [records.favourite]
//! table = "favourites"
//! owner = "client_id"
//! ends = { post_id = "goes" }                # and when the post is deleted
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! post = "delete"
//! follow = "delete"
//! favourite = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], - posts[10], - follows[1], - follows[2], - favourites[1]
//! ```
//!
//! * `"goes"` treats records of other people. Plan and certificate say how many of them named another customer, and never whom.
//! * A class with `"goes"` cannot be kept while the other end is deleted.
