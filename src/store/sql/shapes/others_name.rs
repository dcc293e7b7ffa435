//! A name that belongs to somebody else than its row.
//!
//! A post belongs to its author and has the name of its last editor. The name goes when the editor leaves.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE posts (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES clients, editor_id INTEGER REFERENCES clients,
//!     editor_name TEXT, body TEXT);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO posts VALUES (10, 2, 1, 'Maud', 'by Bo'), (20, 2, 2, 'Bo', 'by Bo');
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
//! ends = { editor_id = "clear" }
//! fields = { body = "free_text", editor_name = { kind = "name", of = "editor_id" } }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! post = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], posts[10].editor_id, posts[10].editor_name
//! ```
//!
//! * `of` names the link that leads to the person. No other erasure writes the field, unless the whole row goes.
//! * The link may also compare a value, such as the editor's address. Then the address is the editor's, too.
