//! Copies of erased data: backups, logs, restores, and sources that store erased people again.
//!
//! Nothing is erased inside a backup. Copies are removed by a rule. Until then, a restore can bring an erased person
//! back, and so can an import. This page shows how to prevent both.
//!
//! # Backups and rotated logs
//!
//! A [`Layout`](crate::backup::Layout) says which names are copies, how old each is, and which files belong together. A
//! [`Schedule`](crate::backup::Schedule) says how many copies stay, and for how long. A copy expires as soon as it
//! exceeds one of these two limits.
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
//! // `pg_dump --format=directory --file=/backups/dumps/crm-2026-11-30`: each dump is a folder, with its checksum.
//! let dumps = Layout::dated("crm-%Y-%m-%d/")?.beside(".sha256");
//! let dumps = DirectoryBackups::laid_out("/backups/dumps", dumps, month.clone());
//!
//! // `pg_basebackup -D /backups/pitr/base/2026-11-30T020000`, and an `archive_command` that copies to /backups/pitr/wal.
//! // A base backup is removed together with its logs, up to the next base backup. The logs of the others stay.
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
//! Copies in S3, GCS or Azure are `ObjectBackups` (feature `object-store`), below a prefix and by the same layouts.
//! Buckets may keep old versions or soft-deleted objects for some time, but their interface does not show for how
//! long. So you declare the time: [`AfterRemoval::Gone`](crate::backup::AfterRemoval::Gone), `Days(14)` or `Unknown`.
//! With `Unknown`, certificates say that the end is not known. For other copies, such as snapshots or a delayed
//! replica, write your own [`BackupRetention`](crate::BackupRetention).
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
//! println!("{plan}"); // each copy to remove, by name and time
//! let approval = approve(&plan);
//! match engine.remove_copies(&plan.approve(approval)?).await? {
//!     Outcome::Copies(certificate) => println!("{certificate}"),
//!     other => println!("{other}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! * The digest covers the place, the rule and every copy. A copy that expires tomorrow needs another plan.
//! * The case is in the case book before the first copy is removed. After an interruption, the case is resumed.
//! * Nothing is removed in three cases: the rule has changed, a planned copy was replaced, or newer copies have
//!   disappeared so that the rule now keeps a planned copy.
//! * The files of a copy are removed together. The copy itself is removed last, so that an interrupted removal is
//!   still listed.
//! * At the end, the place is listed again. The certificate is made only after that.
//! * Symbolic links below the directory are not followed. A file that matches no pattern is an error and is never
//!   removed, because it may be a copy of unknown age.
//! * A hold on everything (the emergency stop) stops removals. Holds on customers do not stop them, because backups
//!   are not the customers' records.
//!
//! The commands are `operator backups list` and `operator backups expire`.
//!
//! # The horizon
//!
//! The certificate of an erasure says until when old copies may exist, according to the rule.
//! [`Engine::look_at_copies`](crate::Engine::look_at_copies) checks whether this is true. It lists every place, and
//! records in the ledger when the oldest copy there was begun. The worker does this once a day.
//! [`Engine::horizon`](crate::Engine::horizon) then gives an answer for each place of a case:
//!
//! | answer | means |
//! |---|---|
//! | `Gone` | no old copy is left: no copy that was begun before the case was closed. The answer has the day on which this was first seen, and the last day of old versions, if any |
//! | `Lingers` | old copies are there, and the rule still allows them. The answer has their number |
//! | `Overdue` | old copies are there, but the rule no longer allows them: plan their removal |
//! | `Unknown` | the place cannot be listed, or you have not declared how long removed copies can be restored |
//!
//! The horizon also says whether the store's own files were [scrubbed](crate::Engine::scrub). Replicas, archives of
//! write-ahead logs and snapshots count only if you declared them as places of backups. A certificate that is read
//! again later names the day on which no old copy was left. [`Engine::health`](crate::Engine::health) counts copies
//! that are overdue.
//!
//! A copy may hold erased data if the copy was *begun* before the case was closed. A dump takes time, and its name
//! may tell only the day. So this check uses the earliest possible start of the copy. The age of a copy counts from
//! its latest possible end.
//!
//! # After a restore
//!
//! See the [cookbook](super::cookbook#after-a-restore). In short: the ledger and its keys are not in the backups of
//! the customers. After a restore, the service calls [`caught_up`](crate::Engine::caught_up) before it accepts
//! requests. A replay erases again everybody who was erased since the backup.
//!
//! # Sources that bring people back
//!
//! An importer, a webhook handler and a mailing list have copies, too. Before they store a person, they must call
//! [`Engine::was_erased`](crate::Engine::was_erased), or [`were_erased`](crate::Engine::were_erased) for many people
//! at once. `examples/importer.rs` shows both calls.
//!
//! ```toml
//! # policy.toml
//! suppress = { kinds = ["email", "phone"], treatments = ["clear"], for = "3 years" }
//! ```
//!
//! * The [suppression list](crate::ledger::SuppressionList) has keyed tokens, each with a last day and nothing else.
//!   Give the engine a list and a separate key ring:
//!   [`EngineBuilder::suppression`](crate::engine::EngineBuilder::suppression). The ledger can be the list.
//! * The tokens are computed right before the records are erased, because afterwards the identifiers are gone. They
//!   are first stored in the case book. When the records are done, the tokens are in the list, even if a process
//!   crashes in between. If the case ends without an erasure, its tokens are deleted.
//! * Plan, certificate and letter say which kinds of identifiers stay as tokens, and until when.
//! * Another person with the same address also counts as erased, because the two cannot be distinguished.
//!   [`Engine::let_in`](crate::Engine::let_in) removes an identifier from the list, so that such a person, or a
//!   returning customer, can be stored again. A replay after a restore does not suppress this identifier again.
//! * If the policy does not suppress a kind of identifier, a question about this kind is an error, and is not answered
//!   *no*.
//! * In PostgreSQL, rows are stored in a table's file in the order of writing. Somebody who reads the raw file can
//!   guess which tokens were written together, until the table is rewritten. SQLite orders the tokens by value.
//!
//! # When keys are lost
//!
//! | lost | what no longer works | what still works |
//! |---|---|---|
//! | the ledger's key ring | a replay finds nobody; nobody counts as treated before; entries about a customer are not found. The engine reports the wrong key ring and does nothing | certificates, proofs and horizons by the id of a case; the suppression list |
//! | one epoch of that ring, on purpose | the same, for people who were erased under that epoch | everything for others |
//! | the key ring of the suppression list | the list cannot be used: with another ring every question is an error | erasures and replays, with a new ring and a new, empty list |
//! | the case book and the ledger | it is unknown who was erased: a restored backup brings everybody back | data that were erased in the database stay erased |
