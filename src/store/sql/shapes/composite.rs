//! Keys of several columns.
//!
//! Customers are numbered within each tenant. Every foreign key has the tenant and the number.
//!
//! ```sql
//! CREATE TABLE clients (tenant TEXT NOT NULL, no INTEGER NOT NULL, email TEXT, PRIMARY KEY (tenant, no));
//! CREATE TABLE calls (tenant TEXT NOT NULL, no INTEGER NOT NULL, client_no INTEGER NOT NULL, note TEXT,
//!     PRIMARY KEY (tenant, no), FOREIGN KEY (tenant, client_no) REFERENCES clients (tenant, no));
//! INSERT INTO clients VALUES ('acme', 1, 'maud@ash.example'), ('bolt', 1, 'bo@elm.example');
//! INSERT INTO calls VALUES ('acme', 10, 1, 'Maud called'), ('bolt', 10, 1, 'Bo called');
//! ```
//!
//! ```toml
//! # map.toml
//! version = 1
//!
//! [customers]
//! table = "clients"
//! key = ["tenant", "no"]
//! tenant = "tenant"
//! deactivate = { none = "clients have no state" }
//! fields = { tenant = "not personal", email = "email" }
//!
//! [records.call]
//! table = "calls"
//! owner = [["tenant", "client_no"]]          # one link of two columns
//! fields = { tenant = "not personal", note = "free_text" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! call = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase acme:1: - clients[acme,1], - calls[acme,10]
//! ```
//!
//! * The id of such a customer is one text: the parts in the order of `key`, with `:` between them.
//! * A list within the list is one link. A plain list of two columns is a way over two tables.
