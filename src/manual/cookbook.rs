//! Ten recipes: examples to copy for common situations.
//!
//! Each recipe has the situation in one sentence, the lines to copy, and notes. All recipes change the same small
//! shop. The crate's tests run every recipe exactly as it is written here.
//!
//! | your situation | recipe |
//! |---|---|
//! | deleted customers are only marked as deleted | [soft delete](#soft-delete) |
//! | a scheduler runs the erasures | [a nightly job](#a-nightly-job) |
//! | several people use one account | [several users per account](#several-users-per-account) |
//! | people order without an account | [guest orders](#guest-orders) |
//! | your program has opened the database already | [your own connection](#your-own-connection) |
//! | the database comes back from a backup | [after a restore](#after-a-restore) |
//! | one database has the customers of several organisations | [several tenants](#several-tenants) |
//! | invoices are files in a bucket | [documents](#documents) |
//! | customers have a profile at a payment gateway | [payment gateways](#payment-gateways) |
//! | you want to test what your policy does | [your own tests](#your-own-tests) |
//!
//! # The shop
//!
//! Two tables, in `examples/cookbook/shop.sql` of this package:
#![doc = concat!("```sql\n", include_str!("../../examples/cookbook/shop.sql"), "```")]
//! The map of this database, `map.toml`:
#![doc = concat!("```toml\n", include_str!("../../examples/cookbook/map.toml"), "```")]
//! The policy, `policy.toml`:
#![doc = concat!("```toml\n", include_str!("../../examples/cookbook/policy.toml"), "```")]
//! A recipe shows only the lines that it adds or replaces. A line replaces the line of the same name in the same table.
//!
//! # Soft delete
//!
//! **Your service writes `deleted_at` and keeps the row.**
//!
//! ```sql
//! ALTER TABLE clients ADD COLUMN deleted_at TEXT;
//! ```
//!
//! ```toml
//! # map.toml
//! [customers]
//! status = { sql = "CASE WHEN deleted_at IS NULL THEN state ELSE 'deleted' END", active = "active", cancelled = "cancelled", archived = "archived", deleted = "deleted" }
//! dates = { created = "created_at", cancelled = "cancelled_on", deleted = "deleted_at" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [triggers]
//! deleted = { after = "30 days", treatment = "clear" }
//! ```
//!
//! The plan of such a customer names the trigger:
//!
//! ```
//! # mod shop { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.rs")); }
//! # use relinquish::{Asked, Engine, FileKeyRing, MemoryLedger, Outcome, Planned, SqliteStore, policy::Trigger};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recipe = shop::recipe("Soft delete")?;
//! # let database = recipe.database(folder.path())?;
//! # rusqlite::Connection::open(&database)?
//! #     .execute("UPDATE clients SET deleted_at = '2025-02-01', state = 'active' WHERE id = 7", [])?;
//! # let (map, policy) = (recipe.map()?, recipe.policy()?);
//! # let store = SqliteStore::open(&database, &map)?;
//! # let keys = FileKeyRing::create_beside(folder.path().join("ledger.sqlite"))?;
//! # let engine = Engine::builder(store, policy, MemoryLedger::new(), keys).build()?;
//! # engine.census().await?;
//! let Planned::Plan(plan) = engine.plan(&"7".into(), &Asked::Sweep).await? else { return Err("not due".into()) };
//! assert_eq!(plan.due().trigger, Trigger::Deleted);
//! # let outcome = engine.erase(shop::approve(*plan, chrono::Utc::now())?).await?;
//! # assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
//! # Ok(())
//! # }
//! ```
//!
//! Watch out:
//!
//! * The date must be the day of the deletion. A column such as `updated_at` changes with every write, so the period
//!   would never end.
//! * If your support restores a customer, the customer is active again, and is not erased. A new deletion starts a
//!   new period.
//! * The address of a soft-deleted row still blocks its UNIQUE column. After the erasure, the column has a random
//!   token, and the person can register again.
//! * If your service moves deleted rows to another table, map that table as a record class.
//! * A soft-delete filter of your ORM does not matter. The store reads all rows of the mapped tables.
//!
//! # A nightly job
//!
//! **Every night, a scheduler erases the customers who are due. Nobody approves each run.**
//!
//! A [standing approval](crate::plan::StandingApproval) is the mandate. An operator gives it once, for one policy and one data map.
//!
//! ```
//! # mod shop { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.rs")); }
//! # use std::{error::Error, sync::Arc};
//! # use chrono::{TimeDelta, Utc};
//! use relinquish::Engine;
//! use relinquish::engine::{SweepEnd, SweepEvent};
//! use relinquish::plan::{Authority, Limits, StandingApproval};
//! use relinquish::policy::Trigger;
//! # use relinquish::{FileKeyRing, SqliteLedger, SqliteStore};
//!
//! async fn night(engine: &Engine, standing: &StandingApproval) -> Result<u64, Box<dyn Error>> {
//!     engine.resume().await?; // finish what was interrupted
//!     engine.ensure_census().await?; // count again, if the last census is too old
//!     let (mut erased, mut sweep) = (0, engine.sweep(standing.clone()));
//!     while let Some(event) = sweep.next().await {
//!         match event? {
//!             SweepEvent::Surveyed(so_far) => println!("{} surveyed", so_far.customers),
//!             SweepEvent::Closed { .. } => erased += 1,
//!             // Due, but guards block the erasure: since when, and how many guards.
//!             SweepEvent::Blocked { blocked, .. } => println!("{:?}: {}", blocked.since, blocked.by.len()),
//!             SweepEvent::Left(left) => eprintln!("{:?}: {}", left.since, left.why),
//!             // More than the policy's blast_radius: nothing was touched, and a person has to look.
//!             SweepEvent::Ended(SweepEnd::Asks(too_far)) => eprintln!("{too_far}"),
//!             _ => {}
//!         }
//!     }
//!     engine.scrub().await?; // removes the old bytes from the files
//!     Ok(erased)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recipe = shop::recipe("A nightly job")?;
//! # let store = Arc::new(SqliteStore::open(recipe.database(folder.path())?, &recipe.map()?)?);
//! # let ledger = folder.path().join("ledger.sqlite");
//! # let keys = FileKeyRing::create_beside(&ledger)?;
//! # let engine = Engine::builder(Arc::clone(&store), recipe.policy()?, SqliteLedger::open(&ledger)?, keys)
//! #     .scrub(Arc::clone(&store)).build()?;
//! # let now = Utc::now();
//! // Once, and again after each change of policy or map.
//! let operator = Authority::new("operator-7", ["shop".into()]);
//! let limits = Limits::new(500, 2_000).share("5 %".parse()?); // per run, per day, and share of all per run
//! let year = TimeDelta::days(365);
//! let standing = StandingApproval::new(&operator, engine.policy(), [Trigger::Cancelled], limits, now, year);
//!
//! println!("{} erased", night(&engine, &standing).await?);
//! # assert_eq!(night(&engine, &standing).await?, 0);
//! # Ok(())
//! # }
//! ```
//!
//! Watch out:
//!
//! * The crate has no scheduler. Your scheduler calls [`Engine::sweep`](crate::Engine::sweep): see
//!   [`sweeps`](super::sweeps).
//! * Keep the first night small, because a new policy also covers the past. [`Engine::impact`](crate::Engine::impact)
//!   counts the customers whom it hits. `blast_radius` in the policy stops a run that would hit too many.
//! * After a change of the policy or the map, the standing approval is not valid any more. The sweep then skips each
//!   due customer, and gives the reason.
//! * A *blocked* case waits for a person: list them with [`Engine::open_cases`](crate::Engine::open_cases). A
//!   *waiting* case continues with the next `resume`.
//! * Records that expire have separate plans: [`policies`](super::policies#records-that-expire). A standing approval
//!   [can cover them](crate::plan::StandingApproval::with_expiries).
//! * Two concurrent jobs do no harm if both use the same ledger: a case belongs to one worker at a time, and the
//!   limits apply to both jobs together.
//!
//! # Several users per account
//!
//! **Several people use one account. Each of them can leave. The account is deleted with the last of them.**
//!
//! ```sql
//! CREATE TABLE accounts (id INTEGER PRIMARY KEY, company TEXT, address TEXT);
//! CREATE TABLE letters (id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES accounts, body TEXT);
//! ALTER TABLE clients ADD COLUMN account_id INTEGER REFERENCES accounts;
//! ```
//!
//! ```toml
//! # map.toml
//! [customers]
//! ends = { account_id = "clear" }            # the account is deleted: the users' rows stay
//!
//! [records.account]
//! table = "accounts"
//! shared = ["customer.account_id"]           # belongs to every customer whose row names the account
//! nobody = "accounts that nobody uses"
//! fields = { company = "company_name", address = "address" }
//!
//! [records.letter]                           # records of an account are deleted with the account
//! table = "letters"
//! owner = "account_id"
//! fields = { body = "free_text" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.clear]
//! account = "delete"
//! letter = "delete"
//! ```
//!
//! The plan of the first user counts the account as shared with another user. The plan of the last user deletes it.
//!
//! ```
//! # mod shop { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.rs")); }
//! # use relinquish::{Asked, Engine, FileKeyRing, MemoryLedger, Outcome, Planned, SqliteStore};
//! # use rusqlite::Connection;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recipe = shop::recipe("Several users per account")?;
//! # let database = recipe.database(folder.path())?;
//! # Connection::open(&database)?.execute_batch(
//! #     "INSERT INTO accounts VALUES (1, 'Ash & Ek', 'Mill Lane 3'); UPDATE clients SET account_id = 1;
//! #      INSERT INTO letters VALUES (1, 1, 'Dear Maud');")?;
//! # let store = SqliteStore::open(&database, &recipe.map()?)?;
//! # let keys = FileKeyRing::create_beside(folder.path().join("ledger.sqlite"))?;
//! # let engine = Engine::builder(store, recipe.policy()?, MemoryLedger::new(), keys).build()?;
//! # engine.census().await?;
//! # let rows = "SELECT (SELECT count(*) FROM accounts) + (SELECT count(*) FROM letters)";
//! # let accounts = || Connection::open(&database)?.query_row(rows, [], |row| row.get(0));
//! for (user, accounts_left) in [("7", 1), ("8", 0)] {
//!     let Planned::Plan(plan) = engine.plan(&user.into(), &Asked::request()).await? else { return Err("not due".into()) };
//! #   let outcome = engine.erase(shop::approve(*plan, chrono::Utc::now())?).await?;
//! #   assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
//! #   let left: rusqlite::Result<i64> = accounts();
//! #   assert_eq!(left?, 2 * accounts_left);
//!     // … approve, erase
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Watch out:
//!
//! * If the account is your customer and the users are only logins, map it the other way round: `customers` is the table of the
//!   accounts, and the users are a record class with `owner = "account_id"`. Then no user can be erased alone.
//! * With `"delete"`, a letter that names the first user is not changed until the last user leaves. To redact each
//!   user in the letters when that user leaves, write `letter = { action = "anonymise", fields = { body = "redact" }
//!   }`. The account is then anonymised, too.
//! * A sole trader's company name is personal data. That is why the recipe classifies `company` and `address`.
//!
//! # Guest orders
//!
//! **People order without an account. Only the e-mail address in the order identifies them.**
//!
//! ```sql
//! ALTER TABLE orders ADD COLUMN email TEXT;
//! ```
//!
//! ```toml
//! # map.toml
//! [links.by_mail]
//! column = "email"
//! to = "customer.email"
//! compare = "normalised"                     # Maud@Example.org is maud@example.org
//!
//! [records.order]
//! owner = { first = ["client_id", "by_mail"] }
//! nobody = "of guests"
//! fields = { deliver_to = "name", email = "email", ordered_on = "not personal", total_cents = "not personal" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [expire]                                   # orders of guests and of customers, once they are three years old
//! order = { from = "ordered_on", after = "3 years", action = "anonymise" }
//! ```
//!
//! Orders of guests have no owner. They expire with [`Engine::plan_ownerless`](crate::Engine::plan_ownerless):
//!
//! ```
//! # mod shop { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.rs")); }
//! # use std::sync::Arc;
//! # use chrono::{TimeDelta, Utc};
//! use relinquish::engine::PlannedExpiry;
//! use relinquish::{Approval, Engine, Outcome};
//! # use relinquish::{FileKeyRing, MemoryLedger, SqliteStore};
//! # use rusqlite::Connection;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recipe = shop::recipe("Guest orders")?;
//! # let database = recipe.database(folder.path())?;
//! # Connection::open(&database)?.execute_batch(
//! #     "INSERT INTO orders VALUES (90, NULL, '2020-02-01', 'Eve Fir', 700, 'eve@fir.example');
//! #      INSERT INTO orders SELECT 91, NULL, date('now'), 'Eve Fir', 700, 'eve@fir.example';")?;
//! # let (map, policy, ledger) = (recipe.map()?, recipe.policy()?, MemoryLedger::new());
//! # let keys = FileKeyRing::create_beside(folder.path().join("ledger.sqlite"))?;
//!
//! let store = Arc::new(SqliteStore::open(&database, &map)?);
//! let engine = Engine::builder(Arc::clone(&store), policy, ledger, keys).ownerless(store).build()?;
//! engine.census().await?;
//! if let PlannedExpiry::Plan(plan) = engine.plan_ownerless().await? {
//!     println!("{plan}");
//!     let now = Utc::now();
//!     let approval = Approval::new("operator-7", ["shop".into()], plan.digest(), now, TimeDelta::hours(1));
//!     let outcome = engine.expire(&plan.approve(approval)?).await?;
//!     println!("{outcome}");
//! #   assert!(matches!(outcome, Outcome::Expired(_)), "{outcome}");
//! }
//! # let named: Vec<i64> = Connection::open(&database)?.prepare("SELECT id FROM orders WHERE email = 'eve@fir.example'")?
//! #     .query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
//! # assert_eq!(named, [91]);
//! # Ok(())
//! # }
//! ```
//!
//! Watch out:
//!
//! * This recipe does not cover a request of a guest for erasure. This release erases customers. Records of other
//!   people only expire by age.
//! * If a guest's order has the address of a customer, it is that customer's order, and is erased with the customer.
//! * If two customers have the same address, the owner of the order is unknown. Both customers are blocked until you
//!   correct the rows.
//! * `expire` applies to every order. So orders of active customers also lose their names after three years.
//!
//! # Your own connection
//!
//! **Your program opens the database itself: encrypted, with its own functions, or in memory.**
//!
//! ```
//! # mod shop { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.rs")); }
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use relinquish::SqliteStore;
//! use rusqlite::Connection;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recipe = shop::recipe("Your own connection")?;
//! # let (database, map) = (recipe.database(folder.path())?, recipe.map()?);
//! let connection = Connection::open(&database)?;
//! // The key of an encrypted file is set here, before anything else. Then functions and collations.
//! connection.busy_timeout(Duration::from_secs(5))?;
//! let store = Arc::new(SqliteStore::over(connection, &map)?);
//! # Ok(())
//! # }
//! ```
//!
//! Watch out:
//!
//! * The store keeps this connection. Your service uses another connection, as before.
//! * No transaction may be open on the connection. An erasure cannot be part of a transaction of your own.
//! * Without a timeout, another writer makes the store fail at once with [`StoreError::Busy`](crate::store::StoreError::Busy).
//! * Tables in `temp` and read-only databases are refused. [`SqliteStore::over`](crate::SqliteStore::over) has the whole list.
//! * Only one crate of a program can link SQLite. This crate accepts rusqlite 0.32 to 0.43, and Cargo picks the
//!   release that your program uses. With sqlx 0.8 or sea-orm 1 this is rusqlite 0.32.
//! * The ledger is a separate file. Keep it out of the backups of the database.
//!
//! # After a restore
//!
//! **The database was restored from a backup, and contains people again who were erased since then.**
//!
//! The backup contains a mark: the number of the ledger's last entry at that time. Create the table of the mark in
//! one of your own migrations. [`store::sql::MARK_TABLE`](crate::store::sql::MARK_TABLE) has this statement:
//!
//! ```sql
//! CREATE TABLE relinquish_mark (
//!     id INTEGER PRIMARY KEY CHECK (id = 1),
//!     entry BIGINT NOT NULL,
//!     leaf TEXT
//! );
//! ```
//!
//! Before your service accepts requests, it checks whether the database has caught up with the ledger. If not, a
//! person reviews the replay and approves its digest. The ledger knows people only by tokens. So the engine computes
//! the token of each customer in the restored database, and plans again everybody who was erased after the mark.
//!
//! ```
//! # mod shop { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.rs")); }
//! # use std::{error::Error, sync::Arc};
//! # use chrono::{TimeDelta, Utc};
//! use relinquish::engine::{CaughtUp, RestoredFrom};
//! use relinquish::{Approval, Engine};
//! # use relinquish::{Asked, FileKeyRing, Outcome, Planned, SqliteLedger, SqliteStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recipe = shop::recipe("After a restore")?;
//! # let (database, copy) = (recipe.database(folder.path())?, folder.path().join("copy.sqlite"));
//! # let ledger = folder.path().join("ledger.sqlite");
//! # let keys = FileKeyRing::create_beside(&ledger)?;
//! # let store = Arc::new(SqliteStore::open(&database, &recipe.map()?)?);
//! # let engine = Engine::builder(Arc::clone(&store), recipe.policy()?, SqliteLedger::open(&ledger)?, keys).mark(store).build()?;
//! # engine.census().await?;
//! # assert_eq!(engine.caught_up().await?, CaughtUp::Yes);
//! # std::fs::copy(&database, &copy)?;
//! # let Planned::Plan(plan) = engine.plan(&"7".into(), &Asked::Sweep).await? else { return Err("not due".into()) };
//! # let outcome = engine.erase(shop::approve(*plan, Utc::now())?).await?;
//! # assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
//! # drop(engine);
//! # let database = copy; // the restored database
//! let store = Arc::new(SqliteStore::open(&database, &recipe.map()?)?);
//! # let keys = FileKeyRing::open_beside(&ledger)?;
//! # let ledger = SqliteLedger::open(&ledger)?;
//! # let policy = recipe.policy()?;
//! let engine = Engine::builder(Arc::clone(&store), policy, ledger, keys).mark(store).build()?;
//! if engine.caught_up().await? != CaughtUp::Yes {
//!     // Keep the service and its webhooks stopped until the replay is finished.
//!     engine.resume().await?;
//!     engine.census().await?;
//!     let replay = engine.plan_replay(RestoredFrom::Mark).await?;
//!     println!("{replay}"); // who is erased again, and who cannot be
//! #   assert_eq!(replay.plan.of().len(), 1, "{replay}");
//!     let now = Utc::now();
//!     let approval =
//!         Approval::new("operator-7", ["shop".into()], replay.plan.digest(), now, TimeDelta::hours(1));
//!     for outcome in engine.execute(replay.plan.approve(&approval)?).await? {
//!         println!("{outcome}");
//! #       assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
//!     }
//!     // Looks again. If nothing is left, the database has caught up.
//!     let left = engine.finish_replay(RestoredFrom::Mark).await?;
//!     println!("{left}");
//! #   assert!(left.is_nothing(), "{left}");
//! }
//! # assert_eq!(engine.caught_up().await?, CaughtUp::Yes);
//! # let name: String = rusqlite::Connection::open(&database)?
//! #     .query_row("SELECT name FROM clients WHERE id = 7", [], |row| row.get(0))?;
//! # assert!(name.starts_with("Anonymised"), "{name}");
//! # Ok(())
//! # }
//! ```
//!
//! Watch out:
//!
//! * The ledger and its keys must not come from the same backup as the database. A ledger that is older than the
//!   mark, or that is another ledger, is refused. Without the keys, no customer is recognised. An engine with other
//!   keys stops with an error.
//! * A backup from before the first mark contains no mark. Then the answer is *unknown*. Say when the backup was made:
//!   `RestoredFrom::Backup(instant)`. An earlier instant is safe. But check the plans: a person who was erased earlier
//!   and returned with the same row before the backup is planned as well.
//! * After a crash the answer may be *no* although nothing was restored, because the mark was not raised. The replay
//!   then finds nothing to do.
//! * Map `registered`. Databases reuse row ids, and the date distinguishes two people with the same id. Without the date, the
//!   replay names each customer with the id of a deleted one, and erases nobody of them. Look who it is, and plan again with the
//!   answer: [`Engine::plan_replay_told`](crate::Engine::plan_replay_told).
//! * Guards are checked on the restored facts. The backup may show an active subscription that has ended since. A
//!   person has to check such cases. The same is true for cases whose treatment does less in today's policy than it
//!   did then. The replay lists both.
//! * Records that had expired are in `replay.expiries`. Approve each of these plans, and carry it out with
//!   [`Engine::expire`](crate::Engine::expire).
//!
//! Not covered:
//!
//! * Records whose customer had no row any more when the backup was made. Only an expiry of ownerless records reaches
//!   them.
//! * Documents and other stores: a bucket that was restored needs the same replay, over a store with its documents.
//! * Profiles at gateways are not restored with your database. The replay asks the gateway, which answers that the profile is gone.
//! * Several databases on one ledger: the mark does not distinguish the databases. Build the engine without a mark,
//!   and use `RestoredFrom::Backup`.
//!
//! # Several tenants
//!
//! **One database has the customers of several organisations, and a few people are customers of more than one.**
//!
//! ```sql
//! ALTER TABLE clients ADD COLUMN organisation TEXT NOT NULL DEFAULT 'acme';
//! CREATE TABLE memberships (
//!     client_id INTEGER NOT NULL REFERENCES clients, organisation TEXT NOT NULL, PRIMARY KEY (client_id, organisation)
//! );
//! ```
//!
//! ```toml
//! # map.toml
//! [customers]
//! tenant = "organisation"
//! tenants = { sql = "SELECT json_group_array(m.organisation) FROM memberships m WHERE m.client_id = clients.id" }
//!
//! [records.membership]
//! table = "memberships"
//! owner = "client_id"
//! fields = { organisation = "not personal" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [guards]
//! several_tenants = { block = "the account is used by several organisations", ground = "17(1)(a)", way_out = "end the other memberships first" }
//!
//! [treatments.clear]
//! membership = "delete"
//!
//! [tenants.bolt]                             # bolt waits longer than the others
//! triggers.cancelled = { after = "1 year", treatment = "clear" }
//! ```
//!
//! An operator can approve only for the operator's own organisations:
//!
//! ```
//! # mod shop { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.rs")); }
//! # use chrono::{TimeDelta, Utc};
//! use relinquish::{Approval, Asked, Planned};
//! # use relinquish::{Engine, FileKeyRing, MemoryLedger, Outcome, SqliteStore};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recipe = shop::recipe("Several tenants")?;
//! # let database = recipe.database(folder.path())?;
//! # rusqlite::Connection::open(&database)?.execute_batch(
//! #     "INSERT INTO memberships VALUES (7, 'acme'), (8, 'acme'), (8, 'bolt');
//! #      INSERT INTO clients VALUES (9, 'Ola Berg', 'ola@example.org', 'active', '2021-01-01', NULL, 'bolt');
//! #      INSERT INTO memberships VALUES (9, 'bolt');")?;
//! # let store = SqliteStore::open(&database, &recipe.map()?)?;
//! # let keys = FileKeyRing::create_beside(folder.path().join("ledger.sqlite"))?;
//! # let engine = Engine::builder(store, recipe.policy()?, MemoryLedger::new(), keys).build()?;
//! engine.check_tenants().await?; // is each tenant that the policy names the tenant of some customer?
//! engine.census().await?;
//! let Planned::Plan(plan) = engine.plan(&"7".into(), &Asked::request()).await? else { return Err("not due".into()) };
//! let (now, digest) = (Utc::now(), plan.digest());
//! let by = |tenant: &str| Approval::new("operator-7", [tenant.into()], digest, now, TimeDelta::hours(1));
//! assert!(plan.clone().approve(by("bolt")).is_err()); // customer 7 belongs to acme
//! let approved = plan.approve(by("acme"))?;
//! # let outcome = engine.erase(approved).await?;
//! # assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
//!
//! // Customer 8 is connected to both.
//! let refused = engine.plan(&"8".into(), &Asked::request()).await?;
//! println!("{refused}");
//! # assert!(matches!(&refused, Planned::Refused(_)) && refused.to_string().contains("several organisations"), "{refused}");
//! # Ok(())
//! # }
//! ```
//!
//! Watch out:
//!
//! * Your service says who is an operator, and for which organisations. The crate only compares the names of
//!   organisations.
//! * If a name in `[tenants]` is misspelled, its lines apply to nobody. `check_tenants` finds such a name.
//! * If `tenants` gives a number instead of names, it is unknown whose authority is needed. A customer with more than
//!   one tenant is then refused.
//! * If a record of a customer references a customer of another tenant, the first customer is blocked.
//!
//! # Documents
//!
//! **Invoices are files in a bucket. Each customer has a folder.**
//!
//! ```toml
//! # policy.toml
//! [treatments.clear]
//! invoice_document = "delete"                # or "blank": a PDF becomes a blank PDF of the same pages (feature `pdf`)
//! ```
//!
//! ```
//! # mod shop { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.rs")); }
//! # #[cfg(feature = "object-store")]
//! # mod documents {
//! # use super::shop;
//! use std::sync::Arc;
//!
//! use relinquish::SqliteStore;
//! use relinquish::store::documents::WithDocuments;
//! use relinquish::store::documents::object_store::memory::InMemory; // or S3, GCS, Azure, a directory
//! # use relinquish::store::documents::object_store::ObjectStoreExt as _;
//! # use relinquish::{Asked, Engine, FileKeyRing, MemoryLedger, Outcome, Planned};
//!
//! # pub async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recipe = shop::recipe("Documents")?;
//! # let (database, map, policy) = (recipe.database(folder.path())?, recipe.map()?, recipe.policy()?);
//! let bucket = Arc::new(InMemory::new());
//! # for path in ["invoices/7/2024-06.pdf", "invoices/8/2024-06.pdf"] { bucket.put(&path.into(), "…".into()).await?; }
//! let rows = SqliteStore::open(&database, &map)?;
//! # let objects = Arc::clone(&bucket);
//! let store = WithDocuments::new(rows).documents("invoice_document", bucket, "invoices/{customer}")?;
//! # let keys = FileKeyRing::create_beside(folder.path().join("ledger.sqlite"))?;
//! # let engine = Engine::builder(store, policy, MemoryLedger::new(), keys).build()?;
//! # engine.census().await?;
//! # let Planned::Plan(plan) = engine.plan(&"7".into(), &Asked::request()).await? else { return Err("not due".into()) };
//! # let outcome = engine.erase(shop::approve(*plan, chrono::Utc::now())?).await?;
//! # assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
//! # assert!(objects.head(&"invoices/7/2024-06.pdf".into()).await.is_err());
//! # assert!(objects.head(&"invoices/8/2024-06.pdf".into()).await.is_ok());
//! # Ok(())
//! # }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     #[cfg(feature = "object-store")]
//! #     documents::run().await?;
//! #     Ok(())
//! # }
//! ```
//!
//! Watch out:
//!
//! * The customer's id must be a whole segment of the path. A person's name in a path stays there, unless the
//!   document is deleted.
//! * The crate cannot reach old versions of deleted objects in a bucket. Plan and certificate say so. Give the bucket
//!   a lifecycle rule.
//! * Only the path says to whom a document belongs. A document in another customer's folder is not found.
//! * Invoices under a duty of retention stay. Name the class in the duty, as for rows, with `from = "written"`.
//!
//! # Payment gateways
//!
//! **Customers have a profile at Stripe, and its id is in `stripe_id`.**
//!
//! ```sql
//! ALTER TABLE clients ADD COLUMN stripe_id TEXT;
//! ```
//!
//! ```toml
//! # map.toml
//! [customers]
//! gateways.stripe = "stripe_id"              # one id, NULL, or a JSON array of ids
//! ```
//!
//! ```toml
//! # policy.toml
//! [guards]
//! active_subscription = "block"              # what the gateway says counts, too
//!
//! [anonymise]
//! payment_profile = "remove"                 # the id in your own table
//!
//! [treatments.clear]
//! gateway.stripe = "erase"
//! ```
//!
//! Your tests can use a gateway in memory. In production, use [`Stripe`](super::gateways#setting-one-up):
//!
//! ```
//! # mod shop { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.rs")); }
//! use std::sync::Arc;
//!
//! use relinquish::Engine;
//! use relinquish::gateway::MemoryGateway;
//! # use relinquish::{Asked, FileKeyRing, MemoryLedger, Outcome, Planned, SqliteStore};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recipe = shop::recipe("Payment gateways")?;
//! # let (database, map, policy) = (recipe.database(folder.path())?, recipe.map()?, recipe.policy()?);
//! # rusqlite::Connection::open(&database)?.execute("UPDATE clients SET stripe_id = 'cus_' || id", [])?;
//! # let (store, ledger) = (SqliteStore::open(&database, &map)?, MemoryLedger::new());
//! # let keys = FileKeyRing::create_beside(folder.path().join("ledger.sqlite"))?;
//!
//! let gateway = Arc::new(MemoryGateway::new("stripe"));
//! gateway.insert("cus_7", Some("7".into()), 0);
//! gateway.insert("cus_8", Some("8".into()), 1); // a subscription is running
//! let engine = Engine::builder(store, policy, ledger, keys).gateway(Arc::clone(&gateway)).build()?;
//! # engine.census().await?;
//! # let refused = engine.plan(&"8".into(), &Asked::request()).await?;
//! # assert!(matches!(&refused, Planned::Refused(_)) && refused.to_string().contains("subscription"), "{refused}");
//! # let Planned::Plan(plan) = engine.plan(&"7".into(), &Asked::request()).await? else { return Err("not due".into()) };
//! # let outcome = engine.erase(shop::approve(*plan, chrono::Utc::now())?).await?;
//! # assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
//! # assert_eq!(gateway.len(), 1);
//!
//! // In the handler of the gateway's webhook, after its signature was verified:
//! if engine.concerns_erased(&"stripe".into(), Some(&"cus_7".into()), None).await? {
//!     // drop the event
//! # } else {
//! #   return Err("the profile was erased".into());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Watch out:
//!
//! * Deleting a customer at Stripe cancels the customer's subscriptions at once. So let `active_subscription` block.
//! * The webhook handler is your code. If it does not call `concerns_erased`, a late event stores the person again.
//! * Each treatment has to name each gateway. To keep a profile, write `{ keep = "reason" }`.
//! * [`gateways`](super::gateways) says what happens when a gateway does not answer, and how forgotten profiles are found.
//!
//! # Your own tests
//!
//! **Your own tests should show what your map and policy do on any day.**
//!
//! ```toml
//! # Cargo.toml
//! [dev-dependencies]
//! relinquish = { version = "0.1", features = ["testing"] }
//! ```
//!
//! ```
//! # mod shop { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.rs")); }
//! use std::sync::Arc;
//!
//! use chrono::TimeDelta;
//! use relinquish::engine::Clock as _;
//! use relinquish::testing::{ManualClock, RepeatableEntropy};
//! use relinquish::{Asked, Engine, MemoryLedger, Outcome, Planned};
//! # use relinquish::{FileKeyRing, SqliteStore};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recipe = shop::recipe("Your own tests")?;
//! # let (database, policy) = (recipe.database(folder.path())?, recipe.policy()?);
//! # let store = SqliteStore::open(&database, &recipe.map()?)?;
//! # let keys = FileKeyRing::create_beside(folder.path().join("ledger.sqlite"))?;
//!
//! // Customer 7 cancelled on 31 January 2025, and the policy waits 90 days.
//! let clock = Arc::new(ManualClock::at("2025-03-01T12:00:00Z".parse()?));
//! let engine = Engine::builder(store, policy, MemoryLedger::new(), keys)
//!     .clock(Arc::clone(&clock))
//!     .entropy(RepeatableEntropy::new(7)) // the same tokens in each run
//!     .census_at_most(365) // because the test moves the clock by months
//!     .build()?;
//! engine.census().await?;
//! assert!(matches!(engine.plan(&"7".into(), &Asked::Sweep).await?, Planned::NotYet(_)));
//! clock.turn(TimeDelta::days(61));
//! let Planned::Plan(plan) = engine.plan(&"7".into(), &Asked::Sweep).await? else { return Err("not due".into()) };
//! # let outcome = engine.erase(shop::approve(*plan, clock.now())?).await?;
//! # assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
//! // … approve, erase, and read your own database
//! # Ok(())
//! # }
//! ```
//!
//! Watch out:
//!
//! * Tokens from [`RepeatableEntropy`](crate::testing::RepeatableEntropy) can be computed by anybody. Never use
//!   `RepeatableEntropy` in production.
//! * There is a contract for each port. The page [`adapters`](super::adapters) shows how to test your own adapter
//!   with it.
//! * Open a store over your real schema in a test. Then a new, unclassified column fails the test instead of the
//!   nightly job.
