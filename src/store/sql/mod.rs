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
//! html = { kind = "free_text", encoding = "html" } # or "quoted_printable": the text is searched decoded
//!
//! [recipients]                               # who else has the data, and by what they know a person: "key", or kinds
//! search = "key"
//! newsletter = "email"
//!
//! [mentions]                                 # texts of others that may speak of a person; or { fields = […], tenant = "…" }
//! comment = "body"
//!
//! [ignore]                                   # tables that foreign keys tie to the customer, left out on purpose
//! audit_marks = "row numbers and hashes only"
//! ```
//!
//! Which columns need a line:
//!
//! * Every column is classified by a kind. [`Kind`](crate::data_map::Kind) lists the kinds of personal data.
//! * The key, the owner, and the sources of tenant, status, dates and registration count as classified. A key of text needs a kind all the
//!   same, because it may be an e-mail address.
//! * A column with gateway ids counts as `payment_profile`.
//!
//! How a link is read:
//!
//! * One owner column without a foreign key is taken to hold the customers' key.
//! * A link through another table without a foreign key is written in full: `{ column = "invoice_no", table = "invoices", key = "number" }`.
//! * A link has to lead to a unique key, and both ends have to compare alike: the same type, no `COLLATE`, or a `compare` that says how.
//!   Otherwise the link would reach rows of others, or miss rows.
//!
//! A table without a foreign key to a customer needs no line. The certificate lists it as not covered.
//!
//! Opening a store reads the schema. Each count and each erasure compares the schema again. New columns of mapped tables, and new tables that
//! lead to them, stop the run ([`StoreError::Drift`](crate::store::StoreError::Drift)). A [census](crate::store::TakeCensus) counts the
//! rows. Some rows may be left over, and the map says why:
//!
//! | what the census finds | how the map explains it |
//! |---|---|
//! | rows that no class claims | a class with `when = "rest"`, or `ignore.meta = { rest = "of goods" }` where no foreign key ties them to what is deleted |
//! | records that name no owner | `nobody = "of visitors"` |
//! | records whose owner is not there | `nobody = { gone = "of clients who left" }` |
//!
//! # Whose a record is
//! A record hangs from the record that its `owner` link leads to, and from each record that its `shared` links lead to. A customer at the
//! end of such a chain *has* the record. Several customers may have one record. The record stays as long as one of them stays, and the
//! plan counts the record as also somebody else's. It is treated with the last of them.
//!
//! A customer *has left*, for an erasure under one treatment, if one of these is true: the own record is gone; it shows what this treatment
//! writes there; or it shows what a treatment writes that leaves nothing personal there. A weak treatment keeps something personal in the
//! own record. Whoever left under it has not left for the others. A record that two such customers share is treated under the treatment
//! of the last who leaves. If an earlier erasure left it to somebody who has left since, the next sweep finds it due.
//!
//! A link is a foreign key, or the map writes it out: `{ column = "owner_id", to = "customer" }`. `to` is a class, or a column of a class
//! (`to = "customer.email"`). A link with `to` leads to rows of that class alone. A foreign key, or a link with `table` and `key`, leads to
//! the rows of every class of the table.
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
//! [`shapes`] has one page for each shape, with a database and a map to copy.
//!
//! Every other foreign key between mapped tables is an *end*: it says nothing about whose the record is. The map says what happens when the
//! row at its other end leaves, because the schema cannot tell:
//!
//! | `ends.referrer_id =` | a customer at the other end leaves | a record at the other end is deleted |
//! |---|---|---|
//! | `"goes"` | the record is treated as well, whoever has it | likewise |
//! | `"same"` | as `"goes"`; both ends must be the same person's, or the erasure stops | likewise |
//! | `"clear"`, `{ clear = 0 }` | nothing | the link takes NULL, or that value |
//! | `"stand-in"` | nothing | the link takes the tenant's "Unknown Customer" |
//! | `{ keep = "reason" }` | nothing | nothing; only where no foreign key forbids it |
//!
//! A table of messages between two customers, for example:
//!
//! ```toml
//! # map.toml
//! [records.message]
//! table = "messages"
//! shared = ["sender_id", "recipient_id"]   # of both: it goes with the last of them
//! ends = { reply_to = "clear" }            # the message that it answers is deleted: this one stays
//! rest = "not personal"                    # the columns that no line names; `check` lists them
//! fields = { body = "free_text" }
//! ```
//!
//! `ends = "schema"`, for the map or a class, goes by the foreign keys: `ON DELETE CASCADE` is `"goes"`, `ON DELETE SET NULL` is
//! `"clear"`. A field that belongs to the person at the other end of a link says so:
//! `referrer_name = { kind = "name", of = "referrer_id" }`.
//!
//! A column whose value leads to a customer (`to = "customer.email"`) is written when the customer leaves whom the value names, whoever has
//! the record. Plan and certificate count that record for this customer. The value of an owner link is also written with its record.
//!
//! Of several owner links, only the first that is not empty counts. An address behind it gives the record to nobody. It also blocks nobody if
//! several customers have this address.
//!
//! ```
//! use relinquish::store::sql::SqlMap;
//!
//! // A shop where guests order, known by an e-mail address alone; where several orders share an address; and where clients refer
//! // other clients.
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
//! If a value leads to several customers, nobody can tell whose the record is. All of these customers are blocked, with class, link and count
//! ([`StoreError::Unclear`](crate::store::StoreError::Unclear)), until the rows are mended.
//!
//! A value is compared with the customers of every tenant. If the row says of which tenant it is, the link has to compare the tenant too:
//! `{ column = ["club", "email"], table = "clients", key = ["club", "email"], compare = "nocase" }`. All columns are compared alike.
//!
//! A mandate covers the customer's own tenants. A customer is blocked if the erasure would change records of another tenant's customer:
//! records that go along, links that would be cleared, fields that belong to the customer
//! ([`StoreError::OtherTenant`](crate::store::StoreError::OtherTenant)). If `customers.tenants` names the other tenant as well, the mandate
//! has to cover both tenants, and nobody is blocked.
//!
//! # A database beside the root store
//! A map with `[beside]` in place of `[customers]` describes a database that names customers by their key, or by a value such as an
//! e-mail address, and does not say who they are. The page [`manual::stores`](crate::manual::stores) shows one.
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
//! Start with the customers alone, and let the check write the rest. A problem that the map can solve comes with lines for the map
//! ([`Problems::to_paste`](crate::Problems::to_paste)). Each line stands below the header of its place.
//!
//! `TODO` marks what a person has to decide, and the comment behind it says what can stand there. A kind of personal data is proposed
//! only where the column's name leaves no doubt. Nothing is called "not personal" or left out by itself. A map with a `TODO` is refused.
//!
//! A misspelled name is reported once, with the nearest name. The rest of the map is then checked as if the name was right.
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
//! A map that fits may still deserve a look. [`SqliteStore::notes`](crate::SqliteStore::notes) lists [`Note`]s:
//!
//! * the columns that `rest` covers,
//! * a `CREATE INDEX` line for each link without an index,
//! * foreign keys to tables that nobody mapped,
//! * records that belong to a customer through other records, while another link leads directly to a customer,
//! * records that an erasure may leave without an owner, so that the next census stops,
//! * numbers of customers that the database gives out again,
//! * values that are compared with the customers of every tenant.
//!
//! # Over a connection of the host's own
//! [`SqliteStore::open`](crate::SqliteStore::open) opens a file. A database may need more than a path: a key, a VFS, functions that its CHECKs
//! and triggers call, collations, attached databases from which facts are read. For these,
//! [`SqliteStore::over`](crate::SqliteStore::over) takes a connection that the host has opened. Its documentation lists what is set and what
//! is refused.
//!
//! # Schemas that fight back
//! | what | how the map says it |
//! |---|---|
//! | values inside a JSON document | `profile = { json = { "/contacts/*/name" = "name" }, rest = "not personal" }` |
//! | a composite foreign key | `owner = [["shop", "order_no"], "client_id"]` |
//! | a polymorphic owner | `owner = { column = "owner_id", to = "customer" }` and `when = { owner_type = "client" }`; the table may be mapped again for another type |
//! | a trigger that writes to another table | map that table, or ignore it with a reason; it is treated after the trigger has run |
//! | a trigger that refuses a statement, leaves rows as they are (`RAISE(IGNORE)`), or writes to its own table again | nothing: a policy that runs into the trigger is refused. Where you know that the trigger lets these rows pass: `ignore.triggers.name = "reason"` |
//! | a trigger that changes or deletes rows of a mapped table (by `UPDATE`, `DELETE`, `REPLACE` or `ON CONFLICT DO UPDATE`), directly or through other triggers; the row for which it runs does not count | nothing: the map is refused, and what no text shows undoes the transaction in which it happens. Where the rows are the same customer's: `ignore.triggers.name = "reason"` |
//! | a computed column with personal data | a kind for the columns from which it is computed; a policy that writes nothing there is refused |
//! | a unique index over an expression, a computed column or some of the rows | nothing: a policy that runs into the index is refused. "remove" writes a token where NULL collides: `coalesce(name, 'x')` |
//! | text that PHP serialised | nothing: each string is redacted for itself and gets its new length. A text that only starts like such data blocks its customer, until the policy says `otherwise = "remove"` |
//! | a full-text index over a mapped table | nothing, if triggers keep it current; a full-text table of its own has to be ignored with a reason |
//!
//! A policy names the field of a JSON value by column and pointer: `keep = { "profile/contacts/*/name" = "reason" }`. A redacted field is
//! searched in every text that its pointer leads to, also within arrays and objects. If `rest` is redacted, every text of the document that is
//! no field of its own is searched.
//!
//! A document of another shape cannot be read: a value, or an array, stands where a pointer with personal data goes on. Such a
//! document blocks its customer, unless the policy says `otherwise = "remove"`, and the census counts it. Where documents have several
//! shapes, write a pointer for each. Null, a flag, an empty text and an empty array have every shape.
//!
//! A CHECK that names one column is a [`Check`](crate::data_map::Check) of its field: SQLite evaluates it, on a private
//! table of that column in memory, for what a policy would write.
//!
//! Scalar SQL is one expression, and may name the customers' table by its own name. NULL means no subscription, no invoice, no dispute and no
//! other tenant. Any other value that is not a number blocks the customer.
//!
//! `holds` is NULL or an empty array if there is no hold. A hold of an unknown kind counts as a hold: an empty text, a NULL within an array, an
//! unknown word. A sub-select of one column gives NULL for no row, and also for a row without a kind. `json_group_array(kind)` tells the two
//! apart.
//!
//! # Dates
//! One reader reads all dates. By default it reads texts in ISO 8601 (`2026-03-01`, `2026-03-01 12:30` in UTC, or with an offset: `+02:00`,
//! `+0200`, `+02`, `Z`, `UTC`), and numbers that are plausible as seconds since 1970. For any other form, the map says how the date is
//! stored:
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
//! If `customers.fields` says how a column stores dates, facts from this column are read in the same form. `{now}` is written to a column in the
//! form of the column.
//!
//! A date is *unreadable* in three cases:
//!
//! * It is not in its form.
//! * It lies before `from`, or more than 100 years ahead.
//! * It is a date that programs write for "no date", and `none` does not name it: `0`, `-1`, `0001-01-01`, `1900-01-01`,
//!   `1970-01-01T00:00:00Z` and any number that means a time in the year 1970. [`DateForm`](crate::data_map::DateForm) has all of them.
//!
//! An unreadable date makes nothing due and ends no duty. A customer with an unreadable date is blocked, and
//! [`Engine::unreadable`](crate::Engine::unreadable) lists these customers. A record with an unreadable date is kept and never expires. Plans
//! count such records.

mod bind;
mod cell;
mod clearing;
mod coverage;
mod dates;
mod dialect;
mod draft;
mod drafting;
mod fault;
mod keys;
mod links;
mod map;
mod map_schema;
mod mend;
mod mentions;
mod notes;
mod paste;
mod people;
mod recipients;
mod run;
#[cfg_attr(
    not(feature = "sqlite"),
    allow(dead_code, reason = "SQLite's schema is read from its own statements")
)]
mod schema;
mod script;
mod session;
mod shape;
pub mod shapes;
mod spelling;
#[cfg_attr(
    not(feature = "sqlite"),
    allow(dead_code, reason = "SQLite's schema is read from its own statements")
)]
mod tokens;
#[cfg_attr(
    not(feature = "sqlite"),
    allow(dead_code, reason = "SQLite's schema is read from its own statements")
)]
mod triggers;
pub(crate) mod values;
mod way;
mod whose;
mod written;

pub use drafting::{Guess, MapDraft, Risk, Samples};
pub use map::SqlMap;
pub use notes::Note;
pub use run::{INBOX_TABLE, MARK_TABLE};

pub(crate) use bind::Bound;
pub(crate) use cell::Cell;
pub(crate) use dialect::{Computed, Dialect, Holds, OwnTable, ReadAs};
pub(crate) use drafting::draft;
pub(crate) use fault::{Constraint, ConstraintKind, Fault, Trouble};
pub(crate) use links::Compare;
pub(crate) use people::PEOPLE;
#[cfg(feature = "postgres")]
pub(crate) use run::DocumentShape;
pub(crate) use run::{Count, Frame, NoTable, Work, date_forms, document_shapes, is_unsearchable};
pub(crate) use schema::{
    Column, ForeignKey, OnDelete, Schema, Table, Trigger, UniqueIndex, checked_chars, constant,
};
#[cfg(feature = "sqlite")]
pub(crate) use schema::{RowRule, VirtualTable, datatype, declared_chars};
pub(crate) use session::{ByTriggers, Purpose, Row, Session};
#[cfg(any(test, feature = "postgres"))]
pub(crate) use spelling::json_rows;
pub(crate) use spelling::quoted;
#[cfg(feature = "postgres")]
pub(crate) use tokens::TriggerEvent;
#[cfg(feature = "sqlite")]
pub(crate) use tokens::{
    checks, collation, counts_on, generated_from, indexed_columns, trigger_event, virtual_table,
    written_by_trigger,
};
#[cfg(feature = "postgres")]
pub(crate) use triggers::TriggerText;
#[cfg(feature = "sqlite")]
pub(crate) use triggers::{replaces, trigger_text};
