//! A record that hangs from another record.
//!
//! The lines of an invoice have no customer of their own. They belong to whoever has the invoice.
//!
//! ```sql
//! CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! CREATE TABLE invoices (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients);
//! CREATE TABLE invoice_lines (id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL REFERENCES invoices, text TEXT);
//! INSERT INTO clients VALUES (1, 'maud@ash.example'), (2, 'bo@elm.example');
//! INSERT INTO invoices VALUES (10, 1), (20, 2);
//! INSERT INTO invoice_lines VALUES (100, 10, 'boots for Maud'), (200, 20, 'gloves for Bo');
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
//! [records.invoice]
//! table = "invoices"
//! owner = "client_id"
//!
//! [records.invoice_line]
//! table = "invoice_lines"
//! owner = "invoice_id"                       # the next table is mapped, so its first link is enough
//! fields = { text = "free_text" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.erase]
//! customer = "delete"
//! invoice = "delete"
//! invoice_line = "delete"
//! ```
//!
//! What an erasure changes:
//!
//! ```text
//! erase 1: - clients[1], - invoices[10], - invoice_lines[100]
//! ```
//!
//! * If nobody mapped the table in between, write the whole way: `owner = ["invoice_id", "client_id"]`.
//! * If there is no foreign key, say where the link leads: `owner = { column = "invoice_no", to = "invoice.number" }`.
