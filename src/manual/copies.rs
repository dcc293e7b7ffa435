//! Copies of what was erased: backups, logs, restores, and sources that bring people back.
//!
//! Nothing is erased inside a backup. Copies age out by a rule. Until then a restore or an import can bring a person back,
//! so both are answered for.
//!
//! # Backups and rotated logs
//!
//! A [`Layout`](crate::backup::Layout) says which names are copies, how old each is, and which files belong together. A
//! [`Schedule`](crate::backup::Schedule) says how many stay, and how long. A copy goes when either of the two says so.
//!
//! ```no_run
//! use std::sync::Arc;
//! use chrono::TimeDelta;
//! use relinquish::backup::{DirectoryBackups, Layout, Schedule};
//! # use relinquish::engine::EngineBuilder;
//!
//! # fn places(builder: EngineBuilder) -> Result<EngineBuilder, Box<dyn std::error::Error>> {
//! let month = Schedule::new(Some(30), Some(30));
//!
//! // `pg_dump --format=directory --file=/backups/dumps/crm-2026-11-30`: a folder each, with its checksum.
//! let dumps = Layout::dated("crm-%Y-%m-%d/")?.beside(".sha256");
//! let dumps = DirectoryBackups::laid_out("/backups/dumps", dumps, month.clone());
//!
//! // `pg_basebackup -D /backups/pitr/base/2026-11-30T020000`, and an `archive_command` that copies to /backups/pitr/wal.
//! // A base backup goes with the logs up to the next one. Every other base backup keeps all of its own.
//! let archive = Layout::dated("base/%Y-%m-%dT%H%M%S/")?.following("wal/*", TimeDelta::minutes(10)).leaves("wal/*.history");
//! let archive = DirectoryBackups::laid_out("/backups/pitr", archive, Schedule::new(Some(4), Some(35)));
//!
//! // `logrotate` with `daily` and `rotate`: app.log.1, app.log.2.gz … The names change each night, so the time stamps of the
//! // files count. With `dateext` it is Layout::dated("app.log-%Y%m%d.gz").
//! let logs = Layout::by_file_time("app.log.*", TimeDelta::days(1)).leaves("app.log");
//! let logs = DirectoryBackups::laid_out("/var/log/app", logs, Schedule::new(None, Some(14)));
//!
//! let builder = builder.backups("dumps", dumps).backups("archive", archive).backups("logs", logs);
//! # Ok(builder)
//! # }
//! ```
//!
//! Copies in S3, GCS or Azure are `ObjectBackups` (feature `object-store`), below a prefix and by the same layouts. Buckets
//! may keep old versions or have a window of soft delete, and their interface does not show it. So you declare it:
//! [`AfterRemoval::Gone`](crate::backup::AfterRemoval::Gone), `Days(14)` or `Unknown`. With `Unknown` no horizon is known,
//! and certificates say so. A place of another kind, such as snapshots or a delayed replica, is a
//! [`BackupRetention`](crate::BackupRetention) of your own.
//!
//! Log entries in *tables* are records: they [expire](crate::policy#expiry) by the policy.
//!
//! ## What is removed, and how
//!
//! ```no_run
//! # use relinquish::engine::CopiesRemoved;
//! # use relinquish::{Approval, Engine, Outcome};
//! # async fn run(engine: &Engine, approve: impl Fn(&relinquish::backup::CopiesPlan) -> Approval) -> Result<(), Box<dyn std::error::Error>> {
//! let plan = engine.plan_copies("dumps").await?; // touches nothing
//! println!("{plan}"); // each copy that goes, by name and time
//! let approval = approve(&plan);
//! match engine.remove_copies(&plan.approve(approval)?).await? {
//!     Outcome::Copies(certificate) => println!("{certificate}"),
//!     other => println!("{other}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! * The digest binds the place, the rule and every copy. A copy that expires tomorrow needs another plan.
//! * The case is in the case book before the first copy goes. After an interruption it is resumed.
//! * Nothing is removed if the rule has changed, if a planned copy is another one now, or if newer copies are gone, so that the
//!   rule keeps a planned one.
//! * A set goes as a whole. The copy itself goes last, so what is left of an interrupted removal is still listed.
//! * At the end the place is listed again. Only then there is a certificate.
//! * No link below the directory is followed. What matches no pattern is an error, and is never removed: it may be a copy whose
//!   age nobody knows.
//! * A hold on everything (the emergency stop) stops removals. Holds on customers do not: your backups are not their records.
//!
//! The commands are `operator backups list` and `operator backups expire`.
//!
//! # The horizon
//!
//! The certificate of an erasure says until when the rule lets copies linger. Whether that came true is *seen*:
//! [`Engine::look_at_copies`](crate::Engine::look_at_copies) lists every place and notes in the ledger since when the oldest
//! copy was begun. The worker does this once a day. [`Engine::horizon`](crate::Engine::horizon) then says of a case, for each
//! place:
//!
//! | answer | means |
//! |---|---|
//! | `Gone` | no copy from before the case is there, and since when this was seen; old versions, if the place keeps any, until a day |
//! | `Lingers` | so many such copies are there, as the rule allows |
//! | `Overdue` | such copies are there and the rule no longer allows it: plan their removal |
//! | `Unknown` | the place cannot be listed, or nobody has said what it keeps of removed copies |
//!
//! It also says whether the store's own files were [scrubbed](crate::Engine::scrub). Replicas, archives of write-ahead logs and
//! snapshots count only if they are places of backups. A certificate that is read again says on which day no copy from before
//! was there. [`Engine::health`](crate::Engine::health) counts copies that are overdue.
//!
//! A copy may hold what was erased if it was *begun* before the case was closed. A dump takes time, and a name may tell only
//! the day, so the earliest possible start counts here, and the latest possible end where the copy's age is counted.
//!
//! # After a restore
//!
//! See the [cookbook](super::cookbook#after-a-restore). In short: the ledger and its keys are not in the backups of the
//! customers. After a restore the service asks [`caught_up`](crate::Engine::caught_up) before it serves, and a replay erases
//! again whom the ledger has erased since.
//!
//! # Sources that bring people back
//!
//! An importer, a webhook handler and a mailing list have copies, too. They ask
//! [`Engine::was_erased`](crate::Engine::was_erased), or [`were_erased`](crate::Engine::were_erased) for many at once, before
//! they write a person. `examples/importer.rs` has both.
//!
//! ```toml
//! # policy.toml
//! suppress = { kinds = ["email", "phone"], treatments = ["clear"], for = "3 years" }
//! ```
//!
//! * The [suppression list](crate::ledger::SuppressionList) has keyed tokens, each with a last day and nothing else. Give the
//!   engine a list and a key ring of its own: [`EngineBuilder::suppression`](crate::engine::EngineBuilder::suppression). The
//!   ledger can be the list.
//! * The tokens are computed right before the records are erased, because nobody knows the identifiers afterwards. Until the
//!   records are erased they wait in the case book. A case whose records are done is a case whose tokens are in the list,
//!   wherever a process dies. If the case comes to nothing, they are wiped with it.
//! * Plan, certificate and letter say which kinds of identifiers stay as tokens, and until when.
//! * Whoever shares an address with an erased person counts as erased. The two cannot be told apart.
//!   [`Engine::let_in`](crate::Engine::let_in) lets both in: a stranger, and a person who returns. A replay after a restore does
//!   not put back what was let in.
//! * For a kind that the policy does not suppress, the answer is an error, and not *no*.
//! * In PostgreSQL the order of rows in a table's file follows the order of writing. Who reads the raw file can guess which
//!   tokens came together, until the table is rewritten. SQLite stores the tokens by their own value.
//!
//! # When keys are lost
//!
//! | lost | what no longer works | what still works |
//! |---|---|---|
//! | the ledger's key ring | a replay finds nobody; nobody counts as treated before; entries about a customer are not found. The engine says so and does nothing, because a new ring is not the one of the ledger | certificates, proofs and horizons by the number of a case; the suppression list |
//! | one epoch of it, on purpose | the same, for those who were erased under that epoch | everything for the others |
//! | the key ring of the suppression list | the list answers nobody: with another ring every question is an error | erasures and replays, once the list has a new ring and a new, empty list |
//! | the case book and the ledger | nobody knows who was erased: a restored backup brings everybody back | the database is as erased as it is |
