//! How the engine runs on its own: requests, the inbox, the worker, and the tasks for people.
//!
//! ```text
//! your database                    the ledger's database
//! inbox ──► worker ──► register ──► a person identifies and approves ──► worker ──► case ──► certificate
//! ```
//!
//! # A request in your own transaction
//!
//! Make the table once, in one of your own migrations. [`store::sql::INBOX_TABLE`](crate::store::sql::INBOX_TABLE)
//! has this statement, for SQLite and PostgreSQL:
//!
//! ```sql
//! CREATE TABLE relinquish_inbox (
//!     id TEXT NOT NULL PRIMARY KEY,
//!     kind TEXT NOT NULL,
//!     channel TEXT NOT NULL,
//!     received_at TEXT NOT NULL,
//!     customer TEXT,
//!     address TEXT,
//!     CHECK ((customer IS NULL) <> (address IS NULL))
//! );
//! ```
//!
//! Insert a row in your own transaction:
//!
//! ```sql
//! INSERT INTO relinquish_inbox (id, kind, channel, received_at, customer)
//! VALUES ('5f0c7a3e-8a44-4b0e-9a51-0b6d3d0a9f10', 'erasure', 'web', '2026-11-02T09:30:00Z', '4711');
//! ```
//!
//! * The `id` must be random, and must never be used again. It becomes the id of the request.
//! * `kind` is `erasure`, `access`, `portability`, `restriction` or `objection`. `channel` is `web`, `email`, `post`, `phone` or `in_person`.
//! * The worker records the row in the register first, and deletes the row then. If the worker dies in between, the
//!   next turn finds that the request is known, and deletes the row. The same happens with rows that come back with a
//!   restore.
//! * An invalid row stays in the table. [`Moved::refused`](crate::engine::Moved::refused) has the reason and a way
//!   out.
//!
//! If you need no transaction of your own, call [`Engine::receive`](crate::Engine::receive).
//!
//! # The register
//!
//! A [request](crate::request) has a clock and a list of notes. Notes are: questions for proof of identity, stops and
//! the extension with their reasons, the approval, the case, the answer, and each letter with its kind, language and
//! day. [`Engine::note`](crate::Engine::note) adds a note. A note that does not fit the present state of the request
//! is refused with an error.
//!
//! The clock runs by the law and in the time zone that the policy says for the customer's tenant. If the person is protected
//! by another law, say so with [`NewRequest::under`](crate::request::NewRequest::under).
//!
//! [`Engine::requests`](crate::Engine::requests) lists what is open, due within some days, or overdue. Due is what the law demands
//! next: the answer, or in California and for complaints in the UK that the receipt is confirmed. A reminder is due two
//! weeks after a question that the person has not answered. Give the builder the
//! [holidays](crate::engine::EngineBuilder::holidays) of your place.
//!
//! While a request is open, the ledger's database has your id of the customer or the person's address, and no other
//! personal data. When the request [ends](crate::request::Note::End), these are deleted. The dates, the clock, the
//! letters and the outcome stay under the ledger's token for as long as the policy says:
//!
//! ```toml
//! # policy.toml
//! requests_kept = "3 years"
//! ```
//!
//! # The worker
//!
//! ```no_run
//! # async fn run(builder: relinquish::engine::EngineBuilder, stop: impl Future<Output = ()> + Send) -> Result<(), relinquish::Problems> {
//! let engine = builder.worker("host-1").build()?;
//! engine.worker().run(stop).await;
//! # Ok(())
//! # }
//! ```
//!
//! By default, the worker takes one turn a minute. In each turn it does this:
//!
//! 1. It moves the inbox.
//! 2. For each request with an approved plan, it plans again. If the new plan has the approved digest, the worker opens
//!    a case and carries it out. Otherwise the request needs another approval.
//! 3. It continues open cases: interrupted cases, and cases of workers whose lease has expired. It asks gateways for
//!    the results of accepted tasks.
//! 4. It carries out the [expiries](crate::engine::Worker::expire_at) that are due.
//! 5. It runs the daily [sweeps](crate::engine::Worker::sweep_daily) that are due, each under a standing approval.
//!    See [`sweeps`](super::sweeps).
//! 6. Once a day, it warns of requests that are due soon or overdue. It deletes old requests, and tokens of the
//!    suppression list whose last day is over. It also [looks at the backup copies](super::copies#the-horizon).
//!
//! If a system cannot be reached, the worker tries again after a pause. The pauses grow from a minute to an hour. If
//! every attempt at a step fails for three days, the case is blocked. For a task that a gateway has accepted, the limit
//! is thirty days. Set other limits with [`Retries`](crate::engine::Retries). The pause is stored in the case book, so
//! it is valid for every worker and after a restart.
//!
//! The worker needs no separate runtime. It stops when `stop` is ready, after the current case or batch. It is also
//! safe to drop it: another worker finishes its cases. A host with its own scheduler calls
//! [`Worker::turn`](crate::engine::Worker::turn).
//!
//! # What a person has to do
//!
//! * Confirm the identity of the requester, and approve the plan. The worker does neither.
//! * Decide about blocked cases: [`retry`](crate::Engine::retry), [`done_by_hand`](crate::Engine::done_by_hand),
//!   [`waive`](crate::Engine::waive) or [`cancel`](crate::Engine::cancel) them.
//! * Send the letters, and note that they were sent. Then decide and end the request.
//!
//! The operator's console (`examples/console` of the repository) has a screen for each of these tasks. A service
//! mounts it as one tower service. `examples/service` is a complete program.
//!
//! [`Engine::health`](crate::Engine::health) has the numbers for a monitor:
//!
//! | field | alarm |
//! |---|---|
//! | `requests_open` | |
//! | `requests_overdue` | more than 0 |
//! | `cases_open` | |
//! | `cases_blocked` | more than 0 |
//! | `cases_waiting` | grows |
//! | `oldest_case` | is older than a week |
//! | `holds_standing` | |
//! | `stopped` | is true: somebody placed a hold on everything |
//! | `copies_expired` | more than 0 |
//! | `backups_unknown` | more than 0 |
//!
//! **Not covered.** The worker opens a case for a request only if the request asks for erasure. If a standing
//! approval is no longer valid because the policy or the data map has changed, each sweep logs an error. `health`
//! does not count such approvals.
