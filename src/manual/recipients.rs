//! Recipients of customers' data: how they are notified of an erasure, and how keys are shredded.
//!
//! A controller must notify every recipient of a person's data of the erasure, "unless this proves impossible or
//! involves disproportionate effort". It must also name the recipients if the person asks (Art. 19 GDPR). Here, a
//! recipient may be inside or outside the host's own organisation: a search index, a cache, a mailing list, a
//! warehouse, a partner.
//!
//! # Setting one up
//!
//! Name the recipient in the data map, and the values by which the recipient knows a person. `"key"` is your key of
//! the customer. All other words are [kinds](crate::data_map::Kind). A notice contains only these values. They are
//! part of the map's digest, so an approval covers everything that is sent.
//!
//! ```toml
//! # map.toml
//! [recipients]
//! search = "key"
//! newsletter = "email"
//! print_house = ["name", "address"]
//! ```
//!
//! Say in every treatment what happens to each recipient. There is no default.
//!
//! ```toml
//! # policy.toml
//! [treatments.clear]
//! recipient.search = "tell"
//! recipient.newsletter = "tell"
//! recipient.print_house = { impossible = "the directory is printed" }
//! ```
//!
//! `{ disproportionate = "…" }` is the other exception of Art. 19. `{ unconcerned = "…" }` is for a recipient that has
//! none of the data that this treatment erases. Plan and certificate show the reason.
//!
//! Give the engine an adapter for each recipient that is notified:
//! [`EngineBuilder::recipient`](crate::engine::EngineBuilder::recipient).
//!
//! ```no_run
//! # #[cfg(feature = "sqlite")]
//! # fn engine(
//! #     store: relinquish::SqliteStore,
//! #     policy: relinquish::PolicyDocument,
//! #     ledger: relinquish::SqliteLedger,
//! #     keys: relinquish::FileKeyRing,
//! # ) -> Result<relinquish::Engine, Box<dyn std::error::Error>> {
//! # use std::time::Duration;
//! # use relinquish::Engine;
//! # use relinquish::recipient::{FunctionRecipient, RecipientOutcome};
//! # async fn remove_from_index(_: Option<relinquish::CustomerId>) -> bool { true }
//! let search = FunctionRecipient::new("search", Duration::from_secs(5), |notice| async move {
//!     let was_there = remove_from_index(notice.customer).await;
//!     Ok(if was_there { RecipientOutcome::Confirmed } else { RecipientOutcome::NothingThere })
//! });
//! let engine = Engine::builder(store, policy, ledger, keys).recipient(search).build()?;
//! # Ok(engine)
//! # }
//! ```
//!
//! # When a recipient is notified
//!
//! Each recipient is a step of the case. The step comes after the deactivation of the customer, and before the
//! erasure of the records, because the records have the values by which the recipient knows the person. Guards and
//! holds are checked right before the step. Consequences:
//!
//! * A recipient that copies customers from your database must leave out deactivated customers. Otherwise it stores
//!   the person again.
//! * While a recipient cannot be reached, the records are not erased, because it could not be notified afterwards.
//!   The other recipients are notified nevertheless.
//! * A notice cannot be undone. After that, the case can only go forward.
//!
//! | the recipient | the case |
//! |---|---|
//! | confirms, or has nothing of the person | continues |
//! | accepts, and will finish later | the records are erased, and the case is *waiting* until the recipient confirms. Then the certificate is made |
//! | keeps something | continues. The certificate says *erased in part* |
//! | is busy, or gives no valid answer | the notice is sent again: a few times at once, later by the [worker](crate::manual::running) |
//! | refuses | is *blocked*. Correct the cause and call [`retry`](crate::Engine::retry), or [`waive`](crate::Engine::waive) the step with a reason |
//! | knows a person only by values that the host does not have | continues. Nothing is sent, and the certificate says so |
//!
//! A notice has the same [id](crate::recipient::NoticeId) at every attempt. The ledger has the recipient's name and
//! answer, but none of the values. An expiry, or the erasure of a [profile of a
//! review](crate::Engine::erase_profiles), notifies no recipient.
//!
//! # By hand
//!
//! A partner without an interface, a portal or a paper archive is a
//! [`ManualRecipient`](crate::recipient::ManualRecipient). Its task is a sentence that says what a person has to do.
//! The case is blocked with this sentence, before the records are erased. The other recipients are notified in the
//! meantime. The person finds the customer with [`open_cases`](crate::Engine::open_cases), does the task, and keeps
//! evidence. [`done_by_hand`](crate::Engine::done_by_hand) then continues the case. The certificate says who did the
//! task, when, and the reference of the evidence. Use the same call for a step at a
//! [gateway](crate::manual::gateways) that refuses, if a person has erased the profile on the gateway's own pages.
//!
//! # A webhook
//!
//! The page of `recipient::webhook` (feature `webhook`) shows the exact bodies of request and answer. Both sides sign
//! as Standard Webhooks describes. An answer counts only if it is signed for this request. Free text of the recipient
//! is ignored, because it may contain personal data.
//!
//! # Shredding keys
//!
//! An append-only event log, a data lake or a tape cannot delete one person. But if each person's data are encrypted
//! with the person's own key, the destruction of the key erases them. Use
//! [`ShreddingRecipient`](crate::recipient::ShreddingRecipient), and implement
//! [`PersonKeys`](crate::recipient::PersonKeys) for your key management service. The example `shredding` is a
//! complete program.
//!
//! The data can be read as long as a copy of the *key* is left. So the recipient first accepts the notice. It
//! confirms when the last copy is gone: from the table of wrapped keys, its backups, the caches of unwrapped keys,
//! and the service after its waiting period. Keep backups of the keys only for a short time, and apart from the
//! backups of the data. A case waits for thirty days. If your backups of keys live longer, set a longer time in
//! [`Retries::accepted_for`](crate::engine::Retries::accepted_for).
//!
//! # In the letter
//!
//! The confirmation offers to name the recipients. If the person has asked, give the letterhead
//! [`Recipients::Named`](crate::plan::letter::Recipients::Named). The letter then names each recipient of the case,
//! and says whether it was notified, or why not.
//!
//! # Testing an adapter
//!
//! `testing::recipient` is the contract. `testing::Faulty` injects faults into calls to a recipient, by the names
//! `tell` and `poll`.
