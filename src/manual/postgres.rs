//! Customers in PostgreSQL: what the map says, what the role needs, and what happens in the database.
//!
//! `PostgresStore` (feature `postgres`) uses a pool of `deadpool-postgres` that your service makes, with its own TLS
//! settings. The map is described in [`store::sql`](crate::store::sql). Only these points differ:
//!
//! # The map
//! * A table of the search path has its own name: `orders`. Any other table has its schema: `archive.orders`. Names are
//!   spelled as the database stores them, so `"Orders"` of a schema is `Orders` in the map. A database in which the names of
//!   two tables differ only in upper and lower case is refused.
//! * In SQL of the map, write the map's name of such a table in quotes: `"archive.orders"`.
//! * Lists of holds, tenants and gateway profiles are JSON arrays: `SELECT json_agg(kind) FROM holds …`.
//! * Every mapped table needs a primary key, or a unique index over columns that are NOT NULL. There is no `rowid`.
//! * A partitioned table is one table. Its partitions are not mapped. A table that inherits from another table
//!   without being a partition is a separate table. Its rows also belong to the other table: map or ignore both.
//! * A view is no table. A materialised view contains copies, but cannot be mapped: refresh it after a run.
//! * A table with a dot in its name cannot be mapped, only ignored.
//! * `ON DELETE CASCADE` counts as a foreign key: a table that it reaches must be mapped, or ignored with a reason.
//! * Keys are integers, texts, UUIDs, or any other type with a text form. A `CustomerId` is the text that PostgreSQL itself
//!   writes, a UUID in lower case for example.
//! * A column of an enum, a UUID, a date or another type that is no text accepts no placeholder in words. The check
//!   of the policy knows the labels of enums, and the valid forms of UUIDs, JSON and dates. Only the database can
//!   evaluate other CHECK constraints. If one of them refuses a value, this is an error of that customer, with the
//!   name of the constraint.
//!
//! # The role
//! | for | the role needs |
//! |---|---|
//! | everything | `CONNECT` and `TEMPORARY` on the database, `USAGE` on the schemas, `SELECT`, `UPDATE`, `DELETE` on the mapped tables, and `INSERT` for the "Unknown Customer" |
//! | the [mark](crate::store::KeepsMark) of the ledger | `SELECT`, `INSERT` and `UPDATE` on `relinquish_mark` |
//! | tables with row-level security | `BYPASSRLS`, or ownership of the table. Otherwise every read is an error, because security policies must not hide rows from an erasure |
//! | `Engine::scrub` | ownership of the mapped tables and the database, and `pg_read_all_stats` |
//!
//! # What happens in the database
//! A transaction is `REPEATABLE READ`. It locks the customers' own rows in the order of their keys, compares them
//! with the approved facts, and only then writes. After a conflict with another transaction, it is retried up to five
//! times. `lock_timeout` is five seconds, and `statement_timeout` is five minutes. They are set only for the
//! transaction, and the store has a method for each.
//!
//! New values, and the search for mentions in texts, are computed in Rust. Statements read these results from a
//! temporary table. The store first reads the rows that a statement would touch, computes the missing results, and
//! then runs the statement. The number of round trips depends on the record classes, not on the rows.
//!
//! There is no state beyond a transaction: no temporary table, no function, no named statement, no lock, no setting.
//! So a pooler such as `PgBouncer` may use another connection for each transaction. Each transaction creates the
//! temporary tables that it needs, which leaves dead rows in the catalogue for autovacuum. PostgreSQL-compatible
//! databases without temporary tables or without PL/pgSQL do not work.
//!
//! # Triggers
//! The body of a trigger function cannot be analysed reliably. A table to which it seems to write must be mapped, or
//! ignored with a reason. Before each commit, the server's own counts (`pg_stat_xact_user_tables`) show to which
//! tables the transaction really wrote. If neither the store's statements nor the map explain a write to a table, the
//! whole transaction is rolled back, and the error names the table. In a mapped table with personal data, a trigger
//! may only add rows of the same customer. It must not change or delete rows, unless the map names the trigger under
//! `ignore.triggers`. A trigger that raises an error, or returns NULL, stops its customer, because the store counts
//! the changed rows.
//!
//! # A connection that is cut
//! If the connection breaks during COMMIT, the store asks the server over another connection whether the transaction
//! was committed (`pg_xact_status`). If it was committed, the work is done. If it was aborted, the error is
//! temporary. If the server does not know, the error says so, and the next run of the case reads the records again.
//!
//! # Old bytes
//! VACUUM alone does not remove the bytes of deleted rows from the files. [`Engine::scrub`](crate::Engine::scrub)
//! runs `VACUUM (FULL, ANALYZE)` on the mapped tables, and flushes. It also rewrites the planner's statistics,
//! because they contain samples of values. It waits until no other transaction can see the old rows. If such a
//! transaction does not end, this is an error. Each table is locked while it is rewritten. The write-ahead log, its
//! archives, replicas, server logs and `pg_stat_statements` are not covered. Treat them like backups.
//!
//! # The ledger
//! [`PostgresLedger`](crate::PostgresLedger) has case book and ledger in the separate schema `relinquish`. Put it
//! into another database than the customers, because a restore of the customers must not restore the ledger. It is
//! the ledger for several processes on several machines.
//!
//! * [`open`](crate::PostgresLedger::open) creates the schema and its tables, and migrates a ledger of an earlier
//!   release. For this, the role needs `CREATE` on the database, or must own the schema. Processes that start at the
//!   same time wait for each other.
//! * A case book call is one transaction. The number of its statements does not grow with the cases. A worker claims
//!   cases with `FOR UPDATE SKIP LOCKED`, so that workers do not wait for each other's cases. Leases use the server's
//!   clock.
//! * One row has the number of the last entry. A transaction that appends entries locks this row until it ends. So
//!   the numbers have no gaps, even after a crash.
//! * Triggers make the entries append-only. The owner of a table can remove a trigger. To prevent this, let another
//!   role own the tables.
//! * A connection that is lost during COMMIT is handled as in the store. If the result stays unknown, the error says
//!   so, and [`Engine::resume`](crate::Engine::resume) reads what was written.
//!
//! # Not in this release
//! The search for erased values in data that stay covers text and JSON columns, but not arrays and enums. There are
//! no chunks by `ctid` ranges for millions of records of one customer, and no dropping of whole partitions. One store
//! works on one batch at a time.
