//! Recipients of customers' data: how they are told of an erasure, and how keys are shredded.
//!
//! Whoever has disclosed a person's data tells every recipient of the erasure, "unless this proves impossible or involves disproportionate
//! effort", and names the recipients if the person asks (Art. 19 GDPR). A search index, a cache, a mailing list, a warehouse and a partner are
//! all recipients here, in the host's own house or outside it.
//!
//! # Setting one up
//!
//! Name the recipient in the data map, and the values by which the recipient knows a person. `"key"` is your key of the
//! customer. All other words are [kinds](crate::data_map::Kind). A notice contains only these values. They are part of
//! the map's digest, so an approval covers what is sent.
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
//! Give the engine an adapter for each recipient that is told: [`EngineBuilder::recipient`](crate::engine::EngineBuilder::recipient).
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
//! # When a recipient is told
//!
//! Each recipient is a step of the case. The step comes after the customer was deactivated and before the customer's
//! records are erased, because these records have the values by which the recipient knows the person. Guards and holds
//! are checked right before the step. Consequences:
//!
//! * A recipient that copies customers from your database by itself must leave out deactivated customers. Otherwise the
//!   recipient brings the person back.
//! * While a recipient cannot be reached, the records are not erased, because nobody could tell the recipient
//!   afterwards. The other recipients are told nevertheless.
//! * Telling a recipient cannot be undone. After that, the case can only go forward.
//!
//! | the recipient | what becomes of the case |
//! |---|---|
//! | confirms, or has nothing of the person | it goes on |
//! | accepts, and will finish later | the records are erased, and the case is *waiting* until the recipient confirms. The certificate comes then |
//! | keeps something | the case goes on. The certificate says *erased in part* |
//! | is busy, or gives no valid answer | the recipient is told again: a few times at once, later by the [worker](crate::manual::running) |
//! | refuses | the case is *blocked*. Correct the cause and call [`retry`](crate::Engine::retry), or [`waive`](crate::Engine::waive) the step with a reason |
//! | knows a person only by values that the host does not have | nothing is sent, and the certificate says so |
//!
//! A notice has the same [id](crate::recipient::NoticeId) at every attempt. The ledger has the recipient's name and answer, and none of the values.
//! An expiry, and a [profile of a review](crate::Engine::erase_profiles), tell no recipient.
//!
//! # By hand
//!
//! A partner without an interface, a portal or a paper archive is a [`ManualRecipient`](crate::recipient::ManualRecipient), made with the
//! sentence that says what a person has to do. The case is blocked there with this sentence, before the records are erased, and the other
//! recipients are told meanwhile. The person finds the customer by [`open_cases`](crate::Engine::open_cases), does it, and keeps evidence.
//! [`done_by_hand`](crate::Engine::done_by_hand) then lets the case go on. The certificate says who did it, when, and the reference of the
//! evidence. The same ends a step at a [gateway](crate::manual::gateways) that refuses, if a person has erased the profile on the gateway's own pages.
//!
//! # A webhook
//!
//! The page of `recipient::webhook` (feature `webhook`) shows the exact bodies of request and answer. Both sides sign
//! as Standard Webhooks describes. An answer counts only if it is signed for this request. Free text of the recipient
//! is dropped, because the text may quote the person.
//!
//! # Shredding keys
//!
//! An append-only event log, a data lake or a tape cannot delete one person. If each person's data are encrypted with the person's own key,
//! destroying the key erases them: [`ShreddingRecipient`](crate::recipient::ShreddingRecipient), over your key management service as
//! [`PersonKeys`](crate::recipient::PersonKeys). The example `shredding` is a complete program.
//!
//! The data can be read as long as a copy of the *key* is left. So the recipient accepts the notice, and confirms when the last copy is gone:
//! the row in the table of wrapped keys, the backups of this table, the caches of unwrapped keys, and the waiting
//! period of the service. Keep backups of the keys only for a short time, and apart from the backups of the data. A
//! case waits for thirty days. If your backups of keys live longer, set a longer time in
//! [`Retries::accepted_for`](crate::engine::Retries::accepted_for).
//!
//! # In the letter
//!
//! The confirmation offers to name the recipients. If the person has asked, give the letterhead
//! [`Recipients::Named`](crate::plan::letter::Recipients::Named): the letter then names each recipient of the case, with what it was told, or why not.
//!
//! # Testing an adapter
//!
//! `testing::recipient` is the contract. `testing::Faulty` puts faults on the way to a recipient, by the names `tell` and `poll`.
