//! Customers in PostgreSQL: what the map says, what the role needs, and what happens in the database.
//!
//! `PostgresStore` (feature `postgres`) takes a pool of `deadpool-postgres` that your service has made, with the TLS that
//! it wants. The map is that of [`store::sql`](crate::store::sql); only these points differ.
//!
//! # The map
//! * A table of the search path has its own name: `orders`. Any other table has its schema: `archive.orders`. Names are
//!   spelled as the database stores them, so `"Orders"` of a schema is `Orders` in the map. A database in which the names of
//!   two tables differ only in upper and lower case is refused.
//! * In SQL of the map, a table of another schema is called `"archive.orders"`, the name of the map in quotes.
//! * Lists of holds, tenants and gateway profiles are JSON arrays: `SELECT json_agg(kind) FROM holds …`.
//! * Every mapped table needs a primary key, or a unique index over columns that are NOT NULL. There is no `rowid`.
//! * A partitioned table is one table. Its partitions are not mapped. A table that inherits from another one without being a
//!   partition is a table of its own, and its rows are the other table's as well: map or ignore both.
//! * A view is no table. A materialised view holds copies, and no map describes it: refresh it after a run.
//! * A table with a dot in its name can be ignored, and not mapped.
//! * `ON DELETE CASCADE` counts like any foreign key: a table that it reaches has to be mapped, or ignored with a reason.
//! * Keys are integers, texts, UUIDs, or any other type with a text form. A `CustomerId` is the text that PostgreSQL itself
//!   writes, a UUID in lower case for example.
//! * A column of an enum, a UUID, a date or another type that is no text takes no placeholder in words. The check of the
//!   policy knows the labels of enums, and what is no UUID, no JSON and no date. Other CHECK constraints are only known to
//!   the database: a value that one refuses is an error of that customer, with the name of the constraint.
//!
//! # The role
//! | for | the role needs |
//! |---|---|
//! | everything | `CONNECT` and `TEMPORARY` on the database, `USAGE` on the schemas, `SELECT`, `UPDATE`, `DELETE` on the mapped tables, and `INSERT` for the "Unknown Customer" |
//! | the [mark](crate::store::KeepsMark) of the ledger | `SELECT`, `INSERT` and `UPDATE` on `relinquish_mark` |
//! | tables with row-level security | `BYPASSRLS`, or to own the table. Otherwise every read is an error: a policy must not hide rows from an erasure |
//! | `Engine::scrub` | to own the mapped tables and the database, and `pg_read_all_stats` |
//!
//! # What happens in the database
//! A transaction is `REPEATABLE READ`. It locks the customers' own rows in the order of their keys, compares them with what
//! was approved, and only then writes. A transaction that loses against another one is repeated up to five times.
//! `lock_timeout` is five seconds and `statement_timeout` five minutes, for the transaction alone; the store has a method
//! for each.
//!
//! New values, and whether a text mentions somebody, are computed in Rust. A statement that needs such results looks them up
//! in a temporary table. The store reads the rows that the statement would touch, computes what is missing, and then runs
//! the statement. The number of round trips depends on the record classes, not on the rows.
//!
//! Nothing lives longer than a transaction: no temporary table, no function, no named statement, no lock, no setting. So a
//! pooler such as `PgBouncer` may give each transaction another connection. Each transaction creates the temporary tables that
//! it needs, which leaves dead rows in the catalogue for autovacuum. PostgreSQL-compatible databases without temporary
//! tables or without PL/pgSQL do not work.
//!
//! # Triggers
//! The text of a function cannot be read safely. A table to which it seems to write has to be mapped, or ignored with a
//! reason. Before each commit the server's own counts (`pg_stat_xact_user_tables`) show to which tables the transaction
//! really wrote. A table that neither the statements of the store nor the map explain undoes the whole transaction, and the
//! error names it. In a mapped table with personal data, rows that a trigger adds have to be the customer's, and a trigger may change or
//! delete none, unless the map names the trigger under `ignore.triggers`. A trigger that raises an error, or returns NULL, stops its customer: the rows that were changed are
//! counted.
//!
//! # A connection that is cut
//! If the connection breaks during COMMIT, the store asks the server over another connection what became of the transaction
//! (`pg_xact_status`). Committed counts as done; aborted is an error that may pass. If nobody can tell, that is the error,
//! and the next run of the case reads the records again.
//!
//! # Old bytes
//! VACUUM alone does not remove the bytes of deleted rows from the files. [`Engine::scrub`](crate::Engine::scrub) runs
//! `VACUUM (FULL, ANALYZE)` on the mapped tables, writes the planner's statistics anew, because they hold samples of values,
//! and flushes. It waits until no other transaction can see the old rows, and is an error if one does not end. It locks each
//! table while it writes it. The write-ahead log, its archives, replicas, server logs and `pg_stat_statements` are not
//! covered: they have a horizon of their own, as backups have.
//!
//! # The ledger
//! [`PostgresLedger`](crate::PostgresLedger) keeps case book and ledger in a schema of its own, `relinquish`. It belongs into
//! another database than the customers: who restores the customers from a backup must not restore the ledger with them. It
//! is the ledger for several processes on several machines.
//!
//! * [`open`](crate::PostgresLedger::open) makes the schema and its tables, and brings a ledger of an earlier release to
//!   the format of this one. For that the role needs `CREATE` on the database, or a schema that it owns. Processes that
//!   start at the same time wait for each other.
//! * A case book call is one transaction. The number of its statements does not grow with the cases. A worker claims cases with
//!   `FOR UPDATE SKIP LOCKED`, so that workers do not wait for each other's cases. Leases run by the server's clock.
//! * One row holds the number of the last entry. A transaction that appends entries locks that row until it ends, so numbers
//!   have no gaps, also after a crash.
//! * Entries are append-only by triggers. The owner of a table can remove a trigger; whoever must be kept from that gets a
//!   role of their own.
//! * A connection that is cut during COMMIT is resolved as in the store. If nobody can tell what became of the transaction,
//!   that is the error, and [`Engine::resume`](crate::Engine::resume) reads what was written.
//!
//! # Not in this release
//! Erased values are looked for in columns of text and JSON that stay, and not in arrays and enums.
//! Chunks of `ctid` ranges for millions of records of one customer; dropping whole partitions. One
//! store works on one batch at a time.
