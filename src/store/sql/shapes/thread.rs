//! A thread in which several people write.
//!
//! Each post belongs to its author. The thread stays as long as its opener or anybody's post is there.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE threads (id INTEGER PRIMARY KEY, opener_id INTEGER REFERENCES clients, title TEXT);
//! CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL REFERENCES threads, author_id INTEGER NOT NULL REFERENCES clients, body TEXT);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO threads VALUES (1, 1, 'pears'), (2, 1, 'slugs');
//! INSERT INTO posts VALUES (10, 1, 1, 'by Maud'), (11, 1, 2, 'by Bo'), (20, 2, 1, 'by Maud');
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
//! [records.thread]
//! table = "threads"
//! shared = ["opener_id", "post.thread_id"]
//! ends = { opener_id = "clear" }
//! fields = { title = "free_text" }
//!
//! [records.post]
//! table = "posts"
//! owner = "author_id"
//! fields = { body = "free_text" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! thread = "delete"
//! post = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], - posts[10], - posts[20], - threads[2], threads[1].opener_id
//! erase 2: - clients[2], - posts[11], - threads[1]
//! ```
//!
//! * `owner = "thread_id"` for a post would give every post to the opener of its thread. The check points such an owner out, and the plan counts the posts that name somebody else.
