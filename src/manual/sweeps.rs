//! Sweeps: how to erase all customers whom the policy finds due, by schedule or after a review.
//!
//! # How a sweep runs
//!
//! 1. **Survey.** [`Engine::sweep`](crate::Engine::sweep) reads all customers, page by page, and decides about each. Nothing is
//!    touched. If the last census is too old, a new one is taken first.
//! 2. **Blast radius.** If the run would hit more customers than the policy's [`blast_radius`](crate::policy#one-run)
//!    allows, it ends. It reports how many customers it would have hit, by tenant, trigger and treatment.
//! 3. **Run.** The customers are processed in batches. Those who have waited longest come first. Each customer is
//!    planned again, checked against the mandate, counted, and erased.
//!
//! A sweep is a stream of [events](crate::engine::SweepEvent), and needs no particular runtime. An event names every
//! customer who is due and was not erased, with the reason and the first due day:
//! [`Blocked`](crate::engine::SweepEvent::Blocked),
//! [`Unreadable`](crate::engine::SweepEvent::Unreadable), [`Unsurveyed`](crate::engine::SweepEvent::Unsurveyed) and
//! [`Left`](crate::engine::SweepEvent::Left).
//!
//! The same survey finds records that a duty has released, even if the customer was erased long ago.
//!
//! # Stop and continue
//!
//! * **Drop it:** the cases in progress are finished by [`Engine::resume`](crate::Engine::resume). The next sweep finds the rest.
//! * **Stop it:** [`StopHandle::stop`](crate::engine::StopHandle::stop) finishes the batches in progress. The last
//!   event then has a [place](crate::engine::SweepPlace). [`Engine::sweep_from`](crate::Engine::sweep_from) continues
//!   there, also in another process. Under another policy, data map or mandate, the survey starts again.
//!
//! # Who allows it
//!
//! A [standing approval](crate::plan::StandingApproval) is for a scheduler. It is bound to the policy of each tenant
//! and to the data map. It names tenants and triggers, and is valid for 400 days at most. Its
//! [limits](crate::plan::Limits) are customers per run, customers per day, and a share of the tenants' customers. The
//! [ledger](crate::ledger::Rations) counts them for all processes together, before a case is opened. So a process
//! that crashes may use up a part of the day's limit, but the limit is never exceeded. Customers beyond a limit wait
//! for a later sweep. No standing approval covers a request.
//!
//! An [approved review](crate::plan::review) is for exactly the plans that a person confirmed.
//!
//! # A review in a spreadsheet
//!
//! ```
//! # mod shop { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.rs")); }
//! # use std::{error::Error, sync::Arc};
//! use std::io::Write as _;
//!
//! use chrono::{TimeDelta, Utc};
//! use relinquish::Approval;
//! use relinquish::engine::{PrivateFile, SweepEvent};
//! use relinquish::plan::review::{Column, Review};
//! # use relinquish::{Engine, FileKeyRing, SqliteLedger, SqliteStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recipe = shop::recipe("A nightly job")?;
//! # let store = Arc::new(SqliteStore::open(recipe.database(folder.path())?, &recipe.map()?)?);
//! # let ledger = folder.path().join("ledger.sqlite");
//! # let keys = FileKeyRing::create_beside(&ledger)?;
//! # let engine = Engine::builder(Arc::clone(&store), recipe.policy()?, SqliteLedger::open(&ledger)?, keys).build()?;
//! # engine.census().await?;
//! # let path = folder.path().join("due.csv");
//! let csv = engine.review_csv(Column::plain())?.with_semicolons();
//! let mut file = PrivateFile::create(&path)?; // only its owner may read it, and it overwrites no other
//! file.write_all(csv.header().as_bytes())?;
//! let mut survey = engine.survey_all();
//! while let Some(event) = survey.next().await {
//!     if let SweepEvent::Due(plan) = event? {
//!         let plan = plan.planned_by("operator-3"); // for a policy with four_eyes
//!         file.write_all(engine.review_lines(&csv, &[plan]).await?.as_bytes())?;
//!     }
//! }
//! file.finish()?;
//!
//! // A person deletes rows, or writes x into strike_out, and saves the file as CSV.
//! let review = Review::from_csv(&std::fs::read(&path)?)?;
//! println!("{} customers, {}", review.plans().len(), review.digest()); // what the approver sees
//!
//! let (digest, now) = (review.digest(), Utc::now());
//! let approval = Approval::new("operator-7", ["shop".into()], digest, now, TimeDelta::hours(24));
//! let mut sweep = engine.sweep(review.approve(approval)?);
//! while let Some(event) = sweep.next().await {
//!     if let SweepEvent::Left(left) = event? {
//!         println!("not erased: {}", left.why); // something has changed since the review
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! * The file is checked strictly when it is read. A row that was changed, that appears twice, or that belongs to
//!   another review is refused. The error names the line.
//! * No cell is a formula. A cell that a spreadsheet would rewrite, such as a date or `00123`, begins with an apostrophe.
//! * Personal values are in the file only if a column asks for them: `Column::Personal(Kind::Email)`. They are in no digest, so they may
//!   be removed before the file is passed on.
//!
//! A page shows the same review in numbers: what would be done, what stays and why, what is blocked, and what becomes due in the
//! coming months. It is one file of HTML with a chart, in English, Swedish or German, and names nobody. Add each event of the
//! survey to a [`ReviewPage`](crate::engine::ReviewPage), and write its HTML to a file.
//!
//! # On the command line
//!
//! The example `operator` has all steps: `survey --out due.csv --page due.html`, `approve --review due.csv`,
//! `run --review due.csv`; and for a scheduler `stand --out standing.json`, `run --standing standing.json`.
