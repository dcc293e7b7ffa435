//! What SQL stores share: the map of a database, the live schema, and the two held against each other.
//!
//! A host describes a database that it has already in a [`SqlMap`], in TOML:
//!
//! ```toml
//! # map.toml
//! version = 1
//!
//! [customers]                                # the root: who the customers are
//! class = "customer"                         # the name of their own records' class; this is the default
//! table = "clients"
//! key = "id"
//! tenant = "organisation_id"                 # a column, { sql = "…" }, or { is = "the one tenant" }
//! registered = "created_at"                  # part of the ledger's token, because row ids are reused
//! active_subscriptions = { sql = "SELECT count(*) FROM subscriptions s WHERE s.client_id = clients.id AND s.active" }
//! unpaid_invoices = { sql = "SELECT count(*) FROM invoices i WHERE i.client_id = clients.id AND NOT i.paid" }
//! open_disputes = { sql = "SELECT count(*) FROM disputes d WHERE d.client_id = clients.id AND d.closed_on IS NULL" }
//! holds = { sql = "SELECT json_group_array(kind) FROM holds h WHERE h.client_id = clients.id" }   # legal_claim, …
//! states = { not_white_label = { sql = "SELECT NOT o.white_label FROM organisations o WHERE o.id = organisation_id" } }
//! tenants = { sql = "SELECT json_group_array(org) FROM memberships m WHERE m.client_id = clients.id" }   # which; or how many
//! status = { column = "state", active = ["lead", "customer"], cancelled = "ended", archived = "archived" }
//! dates = { cancelled = "ended_on", created = "created_at" }      # or { column = "…", stored = "milliseconds" }: see Dates
//! gateways.stripe = "stripe_id"              # one id, NULL, or a JSON array of ids
//! deactivate = { state = "archived", archived_at = "{now}" }    # or { none = "reason" }
//!
//! [customers.unknown_customer]               # only where a treatment reassigns
//! find = { is_unknown = 1 }                  # with the tenant: which row it is
//! create = { name = "Unknown Customer", email = "unknown@{tenant}.invalid", state = "customer" }
//!
//! [customers.fields]                         # every other column, classified
//! name = "name"
//! email = "email"
//! is_unknown = "not personal"
//! phone = { kind = "phone", max_chars = 20 } # where the host's own code has a limit that the schema lacks
//!
//! [records.invoice_line]
//! table = "invoice_lines"
//! key = "id"                                 # or a list of columns
//! owner = ["invoice_id", "client_id"]        # through foreign keys; one column is enough where it is direct
//! [records.invoice_line.fields]
//! text = "free_text"
//! amount = "not personal"
//!
//! [ignore]                                   # tables that foreign keys tie to the customer, left out on purpose
//! audit_marks = "row numbers and hashes only"
//! ```
//!
//! A column that is the key, the owner, or the source of a tenant, status, date or registration counts as
//! classified; one that holds gateway ids counts as `payment_profile`. A key of text has to be classified all the same:
//! it may be an e-mail address. [`Kind`](crate::data_map::Kind) lists the kinds of personal data. A single owner column
//! that no foreign key describes is taken for the customers' key; a link through another table is then written in full:
//! `{ column = "invoice_no", table = "invoices", key = "number" }`. Each link has to lead to a key of its own, and both
//! ends have to compare alike (the same type, no `COLLATE`, or a `compare` that says how): otherwise rows of others would be
//! taken, or rows missed.
//!
//! Tables that no foreign key ties to a customer need no line. The certificate names them, as what it does not cover.
//!
//! Opening a store reads the schema, and each count and each erasure compares it again: what is new in mapped tables, or leads to them, stops the run
//! ([`StoreError::Drift`](crate::store::StoreError::Drift)). The rows themselves are counted by a
//! [census](crate::store::TakeCensus). The map says why rows may be left over:
//!
//! | what the census finds | how the map explains it |
//! |---|---|
//! | rows that no class claims | a class with `when = "rest"`, or `ignore.meta = { rest = "of goods" }` where no foreign key ties them to what is deleted |
//! | records that name no owner | `nobody = "of visitors"` |
//! | records whose owner is not there | `nobody = { gone = "of clients who left" }` |
//!
//! # Whose a record is
//! A record hangs from what its `owner` link leads to, and from what each of its `shared` links leads to. Who is at the end
//! of such a way *has* the record. It is treated with the last of those who have it: as long as somebody has it who stays, it
//! stays, and the plan counts it as also somebody else's. A link is a foreign key, or the map writes it out:
//! `{ column = "owner_id", to = "customer" }`, with `to` a class, or a column of a class (`to = "customer.email"`). Such a link
//! leads to rows of that class alone; a foreign key, or `table` and `key`, to those of every class of the table.
//!
//! | the rows | the map says |
//! |---|---|
//! | have one owner | `owner = "client_id"`; through other tables `owner = ["invoice_id", "client_id"]` |
//! | belong to the first of several that is not empty | `owner = { first = ["account_id", { column = "email", to = "customer.email", compare = "normalised" }] }` |
//! | belong to several people | `shared = ["sender_id", "recipient_id"]` |
//! | belong to whoever has a record that leads to them | in the class of the addresses: `shared = ["order.billing_id", "order.shipping_id"]` |
//! | form a tree | `owner = { first = ["parent_id", "client_id"] }`, the class itself at the far end of `parent_id` |
//! | are a part of their table | `when = { owner_type = "client" }`; `when = "rest"` for those that no other class claims. A value is one, a list, `{ null = true }` or `{ not = "a" }` |
//! | name somebody who is no customer | `nobody = "of visitors"` |
//!
//! Every other foreign key between mapped tables is an *end*: nothing hangs by it. What happens when what it leads to leaves has
//! to be said, because the schema cannot tell it:
//!
//! | `ends.referrer_id =` | a customer at the other end leaves | a record at the other end is deleted |
//! |---|---|---|
//! | `"goes"` | the record is treated as well, whoever has it | likewise |
//! | `"same"` | as `"goes"`; both ends must be the same person's, or the erasure stops | likewise |
//! | `"clear"`, `{ clear = 0 }` | nothing | the link takes NULL, or that value |
//! | `"stand-in"` | nothing | the link takes the tenant's "Unknown Customer" |
//! | `{ keep = "reason" }` | nothing | nothing; only where no foreign key forbids it |
//!
//! `ends = "schema"`, for the map or a class, goes by the foreign keys: `ON DELETE CASCADE` is `"goes"`, `ON DELETE SET NULL` is
//! `"clear"`. A field that belongs to the person at the other end of a link says so:
//! `referrer_name = { kind = "name", of = "referrer_id" }`.
//!
//! A column whose value leads to a customer (`to = "customer.email"`) is written with its record. It is also written when the
//! customer leaves to whom the value leads, whoever has the record; plan and certificate count that record for this customer. Of
//! several owner links only the first that is not empty counts: an address behind it gives the record to nobody, and blocks nobody
//! where several customers have it.
//!
//! ```
//! use relinquish::store::sql::SqlMap;
//!
//! // A shop with orders of guests, which only their e-mail address ties to a customer; addresses that several orders share; and
//! // clients who were referred by other clients.
//! SqlMap::from_toml(
//!     r#"
//!     version = 1
//!
//!     [links.by_mail]
//!     column = "email"
//!     to = "customer.email"
//!     compare = "normalised"
//!
//!     [customers]
//!     table = "clients"
//!     key = "id"
//!     tenant = { is = "shop" }
//!     registered = "created_at"
//!     deactivate = { none = "clients have no state" }
//!     ends = { referrer_id = "clear" }
//!     fields = { name = "name", email = "email" }
//!
//!     [records.order]
//!     table = "orders"
//!     key = "id"
//!     owner = { first = ["client_id", "by_mail"] }
//!     nobody = "of guests who are no clients"
//!     ends = { billing_id = "clear", shipping_id = "clear" }
//!     fields = { email = "email", total = "not personal" }
//!
//!     [records.address]
//!     table = "addresses"
//!     key = "id"
//!     shared = ["order.billing_id", "order.shipping_id"]
//!     nobody = "that no order uses any more"
//!     fields = { street = "address" }
//!     "#,
//! )?;
//! # Ok::<(), relinquish::Problems>(())
//! ```
//!
//! If a value leads to several customers, nobody can tell whose the record is. Everybody to whom it may lead is blocked, with
//! class, link and count ([`StoreError::Unclear`](crate::store::StoreError::Unclear)), until the rows are mended.
//!
//! A customer is blocked, too, from whom a link would reach records of another tenant's customer: records that go along, links that
//! would be cleared, fields that belong to the customer ([`StoreError::OtherTenant`](crate::store::StoreError::OtherTenant)). The
//! mandate covers the customer's own tenants. Where `customers.tenants` names the other tenant as well, the mandate has to cover
//! both, and nobody is blocked.
//!
//! # A short map
//! | to say less | write |
//! |---|---|
//! | a class has its table's name and its primary key | neither `table` nor `key` |
//! | most columns of a class are of one kind | `rest = "not personal"`, or another kind, for the columns that no line names. `check` lists them ([`Note::Rest`]) |
//! | several classes have the same link | `[links]`: `account_id = { to = "customer", none = 0 }`, and its name wherever a column can stand |
//! | several tables are treated alike | one `[[alike]]` for all `tables`; each becomes a class of its table's name. `[records.notes]` with nothing but `fields` and `ends` adds to what the shape says of `notes` |
//! | foreign keys mean what they do | `ends = "schema"` |
//!
//! # Lines to paste
//! Start with the customers alone, and let the check write the rest: what does not fit comes with lines for the map, where the map can
//! say the way out ([`Problems::to_paste`](crate::Problems::to_paste)). The lines stand below the header of the place where they
//! belong. `TODO` marks what a person has to decide, and the comment behind it says what can stand there: a kind of personal data is
//! proposed only where the column's name leaves no doubt, and nothing is called "not personal" or left out by itself. A map with a
//! mark left in it is refused.
//!
//! A name that is nearly right is said once, and the rest of the map is checked as if it was right.
//!
//! ```
//! # use rusqlite::Connection;
//! use relinquish::store::StoreError;
//! use relinquish::{SqlMap, SqliteStore};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("shop.sqlite");
//! # Connection::open(&path)?.execute_batch(
//! #     "CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
//! #      CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, note TEXT);")?;
//! let map = SqlMap::from_toml(
//!     r#"
//!     version = 1
//!     [customers]
//!     table = "clients"
//!     key = "id"
//!     tenant = { is = "shop" }
//!     deactivate = { none = "clients have no state" }
//!     "#,
//! )?;
//! let Err(StoreError::Map(problems)) = SqliteStore::open(&path, &map) else { panic!("nothing is said of the orders") };
//! assert_eq!(
//!     problems.to_paste(),
//!     r#"[customers.fields]
//! ## customers.fields: nobody classified this column of clients: email
//! email = "email"
//!
//! [records.orders]
//! ## orders: a foreign key ties this table to clients, and nobody mapped it
//! owner = "client_id"
//!
//! [records.orders.fields]
//! note = "TODO"  # "not personal", or a kind such as "free_text"
//! ## or, in [records.orders], for every column that is not named: rest = "not personal"
//! ## or, in [ignore]: orders = "the reason"
//!
//! "#
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What fits may deserve a look all the same. [`SqliteStore::notes`](crate::SqliteStore::notes) lists, as [`Note`]s: the columns that
//! `rest` covers, a `CREATE INDEX` line for each link without an index, foreign keys to tables that nobody mapped, and records
//! that belong to a customer over other records while another link leads from them to a customer directly.
//!
//! # Over a connection of the host's own
//! [`SqliteStore::open`](crate::SqliteStore::open) opens a file. [`SqliteStore::over`](crate::SqliteStore::over) takes a connection that
//! the host has opened, where a database needs more than a path: a key, a VFS, functions that its CHECKs and triggers call,
//! collations, databases attached from which facts are read. What is set on it and what is refused is said there.
//!
//! # Schemas that fight back
//! | what | how the map says it |
//! |---|---|
//! | values inside a JSON document | `profile = { json = { "/contacts/*/name" = "name" }, rest = "not personal" }` |
//! | a composite foreign key | `owner = [["shop", "order_no"], "client_id"]` |
//! | a polymorphic owner | `owner = { column = "owner_id", to = "customer" }` and `when = { owner_type = "client" }`; the table may be mapped again for another type |
//! | a trigger that writes to another table | map that table, or ignore it with a reason; it is treated after the trigger has run |
//! | a trigger that refuses a statement, leaves rows as they are (`RAISE(IGNORE)`), or writes to its own table again | nothing: a policy that runs into the trigger is refused. Where you know that the trigger lets these rows pass: `ignore.triggers.name = "reason"` |
//! | a computed column with personal data | a kind for the columns from which it is computed; a policy that writes nothing there is refused |
//! | a unique index over an expression, a computed column or some of the rows | nothing: a policy that runs into the index is refused. "remove" writes a token where NULL collides: `coalesce(name, 'x')` |
//! | text that PHP serialised | nothing: each string is redacted for itself and gets its new length. A text that only starts like such data blocks its customer, until the policy says `otherwise = "remove"` |
//! | a full-text index over a mapped table | nothing, if triggers keep it current; a full-text table of its own has to be ignored with a reason |
//!
//! The field of a JSON value is named by column and pointer: `keep = { "profile/contacts/*/name" = "reason" }`. Redacted,
//! each text that the pointer leads to is searched, those within arrays and objects there too; where `rest` is redacted,
//! every text of the document that is no field of its own.
//!
//! A CHECK that names one column is a [`Check`](crate::data_map::Check) of its field: SQLite evaluates it, on a private
//! table of that column in memory, for what a policy would write.
//!
//! Scalar SQL is one expression; it may name the customers' table by its own name. NULL is no subscription, no invoice, no
//! dispute and no other tenant. Every other value that is no number blocks the customer.
//!
//! `holds` is NULL or an empty array where nothing is held. A hold of an unknown kind holds: an empty text, a NULL within an
//! array, a word that is no kind. A sub-select of one column gives NULL both for no row and for a row without a kind;
//! `json_group_array(kind)` tells them apart.
//!
//! # Dates
//! One reader reads all dates. Without a word it reads texts in ISO 8601 (`2026-03-01`, `2026-03-01 12:30` in UTC, or with an
//! offset: `+02:00`, `+0200`, `+02`, `Z`, `UTC`) and numbers that are plausible as seconds since 1970. Everything else has to
//! be said, of a column or of a customer's date:
//!
//! ```toml
//! # map.toml
//! [customers]
//! registered = { column = "joined_ms", stored = "milliseconds" }
//! dates.last_login = { column = "last_login", stored = "seconds", none = [0] }
//! dates.cancelled = { sql = "SELECT max(ended) FROM contracts c WHERE c.client_id = clients.id", stored = "YYYYMMDD" }
//!
//! [records.bill]
//! owner = "client_id"
//! [records.bill.fields]
//! booked_at = { date = { zone = "America/New_York" } }                  # not personal, and a time on a clock
//! born = { kind = "birth_date", date = { from = "1850-01-01" } }
//! paid_at = { date = { stored = "microseconds", none = [0, "1900-01-01"] } }
//! ```
//!
//! | key | says |
//! |---|---|
//! | `stored` | `"iso"`, `"seconds"`, `"milliseconds"` or `"microseconds"` since 1970 in UTC, or `"YYYYMMDD"`, a number or a text. Values in any other form are unreadable |
//! | `none` | the values that mean "no date". A date stands for all of its spellings |
//! | `zone` | the zone of the clock that wrote times without an offset; UTC unless it is said. Numbers since 1970 are instants, whatever it says |
//! | `from` | the first day that is plausible; 1900-01-01 unless it is said |
//!
//! A fact that comes from a column takes the form of the column from `customers.fields`. `{now}` is written to a column as the
//! column stores dates.
//!
//! A date is *unreadable* if it is not in its form, lies before `from` or more than 100 years ahead, or is a date that programs
//! write for "no date" and nobody declared to mean that: `0`, `-1`, `0001-01-01`, `1900-01-01`, `1970-01-01T00:00:00Z` and any
//! number that comes out in the year 1970. [`DateForm`](crate::data_map::DateForm) has all of them. Such a date makes nothing
//! due and ends no duty. A customer with one is blocked, and [`Engine::unreadable`](crate::Engine::unreadable) lists them. A
//! record with one is kept and never expires, and plans say how many there are.

mod bind;
mod cell;
mod coverage;
mod dates;
mod dialect;
mod draft;
mod fault;
mod keys;
mod links;
mod map;
mod map_schema;
mod mend;
mod notes;
mod paste;
mod run;
mod schema;
mod script;
mod session;
mod shape;
mod spelling;
mod tokens;
mod triggers;
pub(crate) mod values;
mod way;
mod whose;
mod written;

pub use map::SqlMap;
pub use notes::Note;

pub(crate) use bind::Bound;
pub(crate) use cell::Cell;
pub(crate) use dialect::{Computed, Dialect, Holds, OwnTable, ReadAs};
pub(crate) use fault::{A_TRIGGER, Fault, Trouble};
pub(crate) use links::Compare;
pub(crate) use run::{Frame, Work, date_forms, is_unsearchable, named};
pub(crate) use schema::{
    Column, ForeignKey, OnDelete, RowRule, Schema, Table, Trigger, UniqueIndex, VirtualTable, checked_chars,
    datatype, declared_chars,
};
pub(crate) use session::{Purpose, Row, Session};
#[cfg(test)]
pub(crate) use spelling::json_rows;
pub(crate) use spelling::quoted;
pub(crate) use tokens::{
    checks, collation, generated_from, trigger_event, virtual_table, written_by_trigger,
};
pub(crate) use triggers::trigger_text;
