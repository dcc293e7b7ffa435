//! Payment gateways: how to set them up, and what to do if something goes wrong.
//!
//! # Setting one up
//!
//! 1. Make a separate API key for erasing, with as few permissions as possible. The adapter's page lists the
//!    permissions that it needs.
//! 2. Name the account (`account`). With a key of another account, none of your profiles is found, and "not found"
//!    would prove nothing. If you do not name the account, the gateway is asked for it when a plan is made. The plan
//!    contains the account, and the account must be the same when the plan is executed, also after a restart.
//! 3. Say which field of the gateway contains your customer id: a metadata key at Stripe, the merchant customer id at
//!    Authorize.Net. A profile that names another customer is never erased.
//! 4. Name the gateway in the data map, with the column of the profile's id. A customer may have several ids.
//! 5. Name the gateway in every treatment: `gateway.stripe = "erase"`, or `{ keep = "reason" }`.
//!
//! ```toml
//! # Cargo.toml
//! [dependencies]
//! relinquish = { version = "0.1", features = ["stripe", "authorize-net"] }
//! ```
//!
//! ```no_run
//! # #[cfg(all(feature = "stripe", feature = "sqlite"))]
//! # fn engine(
//! #     store: relinquish::SqliteStore,
//! #     policy: relinquish::PolicyDocument,
//! #     ledger: relinquish::SqliteLedger,
//! #     keys: relinquish::FileKeyRing,
//! #     key: String,
//! # ) -> Result<relinquish::Engine, Box<dyn std::error::Error>> {
//! # use relinquish::gateway::{Stripe, http::Mode};
//! # use relinquish::Engine;
//! let stripe = Stripe::builder(key, Mode::Live).account("acct_…").owner_key("customer_id").build()?;
//! let engine = Engine::builder(store, policy, ledger, keys).gateway(stripe.clone()).build()?;
//! # Ok(engine)
//! # }
//! ```
//!
//! A customer without a profile is no error, even if the gateway cannot be reached.
//!
//! # What stops an erasure
//!
//! The gateway is asked three times: when a plan is made, before the plan is executed, and right before each profile is erased.
//!
//! | state at the gateway | guard of the policy |
//! |---|---|
//! | an active subscription, which a deletion would cancel at once | `active_subscription` |
//! | an unpaid invoice (not at Authorize.Net) | `unpaid_invoice` |
//! | an open dispute (not at Authorize.Net) | `open_dispute` |
//!
//! # When something goes wrong
//!
//! | what happens | what is done |
//! |---|---|
//! | no answer, a reset, an unreadable answer, a 5xx | it is unknown whether the erasure took effect. The profile is read, and the erasure is retried only if the profile still exists |
//! | too many requests, busy | all cases respect the pause for which the gateway asks. After a short pause the case continues. If the pause is long, the case is *waiting*, and its outcome says how long |
//! | five failures in a row | for half a minute, no request is sent to this gateway. Then one request tries again. The cases for this gateway wait, all others continue |
//! | a redirect | refused, because it would carry the key to another host |
//! | a wrong key, a missing permission, an unknown code | the case is *blocked* with the reason. Correct the cause, then call [`retry`](crate::Engine::retry) |
//! | "not found" | counts only if the gateway itself says so in its own format |
//!
//! [`Engine::resume`](crate::Engine::resume) continues waiting cases: call it from a timer. A gateway may accept a
//! task and finish it later, such as a redaction job at Stripe. The case book stores the receipt. The next call asks
//! for the result instead of starting the job again.
//!
//! # What was forgotten
//!
//! A gateway may have profiles that are not in your database. Examples are profiles from before you stored their ids,
//! profiles of people who left, and profiles whose subscription ended long ago. To find and erase such profiles:
//!
//! 1. **List.** [`Engine::reconcile`](crate::Engine::reconcile) reads every profile of the gateway, or of Stripe's customer export. It looks
//!    for your customer by the stored id, then by the customer id in the gateway's data, then by e-mail address. A
//!    [`ReviewWriter`](crate::gateway::ReviewWriter) writes the rows as CSV. Nothing is touched.
//! 2. **Check.** A person opens the file, and writes `erase` into the column `confirm` of each profile to erase:
//!
//!    | finding | ask yourself |
//!    |---|---|
//! | `orphan` | Does it really belong to nobody? Another system of yours may use the same account. |
//! | `owner_archived`, `owner_erased` | Are there unpaid amounts? |
//!    | `subscriptions_ended` | May the customer resume the subscription? |
//!    | `no_subscription` | Does the customer make single payments? A missing subscription alone is no reason to erase. |
//! | `double` | Which of the profiles is in use? The id in your database shows it. |
//! | `ambiguous` | To whom does it belong? This row cannot be confirmed. Correct the link in your database, and reconcile again. |
//!
//!    If `matched_by` says `email`, only the address connects the profile with the customer: check it carefully.
//! 3. **Approve.** [`Review::from_csv`](crate::gateway::Review::from_csv) reads the confirmed rows and no others. A changed row is refused with its
//!    line and column. An operator approves the digest of the review.
//! 4. **Erase.** [`Engine::erase_profiles`](crate::Engine::erase_profiles) matches each row again and asks the gateway again. It erases a profile
//!    only if nothing has changed since the check. Each profile has an outcome, and the ledger records each erasure.
//!
//! The file contains your customers' ids, and their addresses if you asked for them. Delete the file after the check.
//!
//! About ten thousand profiles and one page of customers are in memory at a time. The customers are read once per ten
//! thousand profiles. If two double profiles without a stored id are further apart than ten thousand profiles, only
//! the second is marked.
//!
//! # Events that come late
//!
//! A repeated or late webhook can store an erased person again. In its handler:
//!
//! 1. Verify the signature.
//! 2. Ask [`Engine::concerns_erased`](crate::Engine::concerns_erased) about the profile. If the answer is yes, drop the event.
//!
//! The answer comes from the ledger, which stores keyed digests of profiles. The ledger does not know erasures from
//! before the ledger was created.
//!
//! # What stays at the gateway
//!
//! Stripe keeps the charges and invoices of a deleted customer, and Authorize.Net keeps the transactions, because
//! they have legal duties, too. With the redaction switch, Stripe removes personal data from these as well. Redaction
//! is a public preview, takes days, and is refused while the last transaction is younger than 90 days. Neither
//! gateway tells when its backups expire.
