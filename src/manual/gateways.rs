//! Payment gateways: how to set them up, and what to do when something goes wrong.
//!
//! # Setting one up
//!
//! 1. Make a separate API key for erasing, with the fewest rights. The adapter's page lists the rights that it needs.
//! 2. Name the account (`account`). A key of another account finds none of your profiles, and "not found" would then prove nothing. If you
//!    do not name the account, the gateway is asked for it when a plan is made. The plan names the account, and it has to be the same when
//!    the plan is executed, also after a restart.
//! 3. Say where the gateway's data name your customer: a metadata key at Stripe, the merchant customer id at Authorize.Net. A profile that
//!    names another customer is never erased.
//! 4. Name the gateway in the data map, with the column that holds the profile's id. A customer may have several ids.
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
//! A customer without a profile is no error, whatever state the gateway is in.
//!
//! # What stops an erasure
//!
//! The gateway is asked three times: when a plan is made, before the plan is executed, and right before each profile is erased.
//!
//! | the gateway knows of | guard of the policy |
//! |---|---|
//! | a running subscription, which a deletion would cancel at once | `active_subscription` |
//! | an unpaid invoice (not at Authorize.Net) | `unpaid_invoice` |
//! | an open dispute (not at Authorize.Net) | `open_dispute` |
//!
//! # When something goes wrong
//!
//! | what happens | what is done |
//! |---|---|
//! | no answer, a reset, an unreadable answer, a 5xx | nobody knows whether the erasure took effect: the profile is read, and the erasure is tried again only if the profile is still there |
//! | too many requests, busy | the pause that the gateway asks for counts for all cases. A short pause is waited for. For a long one the case is *waiting*, and its outcome says how long |
//! | five failures in a row | for half a minute, no request is sent to this gateway. Then one request tries again. Its cases wait, all others go on |
//! | a redirect | refused, because it would carry the key to another host |
//! | a wrong key, a missing permission, an unknown code | the case is *blocked* with the reason. Mend the cause, then call [`retry`](crate::Engine::retry) |
//! | "not found" | counts only if the gateway itself says so in its own format |
//!
//! [`Engine::resume`](crate::Engine::resume) goes on with waiting cases: call it from a timer. A gateway may accept work and finish it later, such as a redaction job at
//! Stripe. The case book keeps the receipt, and the next call asks for the result instead of starting the job again.
//!
//! # What was forgotten
//!
//! A gateway may hold profiles that your database does not know. Examples are profiles from before you stored their
//! ids, profiles of people who left, and profiles whose subscription ended long ago. To find and erase such profiles:
//!
//! 1. **List.** [`Engine::reconcile`](crate::Engine::reconcile) reads every profile of the gateway, or of Stripe's customer export. It looks
//!    for your customer by the stored id, then by the customer id in the gateway's data, then by e-mail address. A
//!    [`ReviewWriter`](crate::gateway::ReviewWriter) writes the rows as CSV. Nothing is touched.
//! 2. **Check.** A person opens the file and writes `erase` into the column `confirm` of each profile that is to go:
//!
//!    | finding | ask yourself |
//!    |---|---|
//!    | `orphan` | Is it really nobody's? Another system of yours may use the same account. |
//!    | `owner_archived`, `owner_erased` | Is anything still owed? |
//!    | `subscriptions_ended` | May the customer resume the subscription? |
//!    | `no_subscription` | Does the customer make single payments? That there is no subscription is no reason to
//!    erase. |
//!    | `double` | Which of the profiles is in use? The id in your database tells. |
//!    | `ambiguous` | Whose is it? This row cannot be confirmed. Correct the link in your database, and reconcile again. |
//!
//!    If `matched_by` says `email`, only the address connects the profile with the customer: check it carefully.
//! 3. **Approve.** [`Review::from_csv`](crate::gateway::Review::from_csv) reads the confirmed rows and no others. A changed row is refused with its
//!    line and column. An operator approves the digest of the review.
//! 4. **Erase.** [`Engine::erase_profiles`](crate::Engine::erase_profiles) matches each row again and asks the gateway again. It erases a profile
//!    only if nothing has changed since the check. Each profile has an outcome, and the ledger records each erasure.
//!
//! The file holds your customers' ids, and their addresses if you asked for them. Delete the file after the check.
//!
//! Memory holds about ten thousand profiles and one page of customers at a time. The customers are read once per ten
//! thousand profiles. If two double profiles without a stored id are further apart than ten thousand profiles, only the
//! second is marked.
//!
//! # Events that come late
//!
//! A webhook that arrives twice, or an hour late, can write an erased person back. In its handler:
//!
//! 1. Verify the signature.
//! 2. Ask [`Engine::concerns_erased`](crate::Engine::concerns_erased) about the profile. If the answer is yes, drop the event.
//!
//! The answer comes from the ledger, which stores keyed digests of profiles. The ledger does not know erasures from
//! before the ledger was created.
//!
//! # What stays at the gateway
//!
//! Stripe keeps the charges and invoices of a deleted customer, and Authorize.Net keeps the transactions: the law binds them, too. With the
//! redaction switch, Stripe removes personal data from these as well. Redaction is a public preview, takes days, and is refused while the last
//! transaction is younger than 90 days. Neither gateway tells when its backups expire.
