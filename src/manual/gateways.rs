//! Payment gateways: for whoever sets them up, and for whoever looks after them.
//!
//! # Setting one up
//!
//! 1. Make a key of its own for erasing, with no more rights than it needs; the adapter's page lists them.
//! 2. Name the account (`account`): a key of another account finds none of your profiles, and "not found" there would
//!    prove nothing. Without a name the account is asked when a plan is made, stands in the plan, and has to be the same
//!    when it is carried out, also after a restart.
//! 3. Say where the gateway's own data name your customer: a metadata key at Stripe, the merchant customer id at
//!    Authorize.Net. A profile that names another customer is never erased.
//! 4. Put the gateway into the data map, with the column that holds the profile's id (several ids of one customer are
//!    fine), and into every treatment: `gateway.stripe = "erase"`, or `{ keep = "reason" }`.
//!
//! ```toml
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
//! Before a plan, again before it is carried out, and right before each profile is erased, the gateway is asked. A running
//! subscription (to delete the customer would cancel it on the spot), an unpaid invoice and an open dispute are the guards
//! `active_subscription`, `unpaid_invoice` and `open_dispute` of the policy. Authorize.Net knows no invoices and disputes.
//!
//! # When something goes wrong
//!
//! | what happens | what is done |
//! |---|---|
//! | no answer, a reset, an answer that makes no sense, a 5xx | whether it took effect is not known: the profile is read, and only if it is still there is it tried again |
//! | too many requests, busy | the pause that the gateway asks for holds for every case; a short one is sat out, after a long one the case *waits*, and its outcome says how long |
//! | five failures in a row | the gateway is left alone for half a minute, then one request tries; its cases wait, and the others go on |
//! | a redirect | refused: it would carry the key elsewhere |
//! | a wrong key, a missing permission, a code that is not known | the case is *blocked* with the reason; put it right and `retry` |
//! | "not found" | counts only in the gateway's own words |
//!
//! `Engine::resume` takes waiting cases up; let a timer call it. Something that a gateway accepted to finish later (a
//! redaction job of Stripe's) is remembered in the case book by its receipt and asked for again, not started again.
//!
//! # What was forgotten
//!
//! Profiles from before your service knew of them, of people who left, of subscriptions that ended long ago:
//!
//! 1. **List.** [`Engine::reconcile`](crate::Engine::reconcile) reads every profile of the gateway, or of Stripe's customer
//!    export, holds it against your customers (by link, then by the name at the gateway, then by e-mail address), and gives
//!    rows; a [`ReviewWriter`](crate::gateway::ReviewWriter) makes a CSV of them. Nothing is touched.
//! 2. **Check.** A person opens the file and writes `erase` into the column `confirm` of what is to go:
//!
//!    | finding | ask yourself |
//!    |---|---|
//!    | `orphan` | Is it really nobody's? Another system of yours may use the same account. |
//!    | `owner_archived`, `owner_erased` | Is anything still owed? |
//!    | `subscriptions_ended` | May the customer come back to it? |
//!    | `no_subscription` | Does the customer pay one by one? An empty plan alone is no reason. |
//!    | `double` | Which one is in use? The link of your database says so. |
//!    | `ambiguous` | Whose is it? It cannot be confirmed: put the link right, and reconcile again. |
//!
//!    `matched_by` says `email` where nothing but the address speaks for the customer: look twice.
//! 3. **Approve.** [`Review::from_csv`](crate::gateway::Review::from_csv) reads the confirmed rows, and only those; a row
//!    that is not as it was written is refused with its line and column. Its digest is what is approved.
//! 4. **Erase.** [`Engine::erase_profiles`](crate::Engine::erase_profiles) matches each row again, asks the gateway again,
//!    and erases what is still as it was checked. What came of each is in the outcomes, and what is gone in the ledger.
//!
//! The file names your customers' ids, and addresses if you asked for them: keep it as long as the check takes.
//!
//! In memory are some ten thousand profiles and one page of customers at a time; for each ten thousand profiles the
//! customers are read through once. The first of two doubles that lie further apart than that, both without a link, is not
//! marked; the second is.
//!
//! # Events that come late
//!
//! A webhook delivered twice, or after an hour, can write a person back whom you erased. Verify its signature first, then
//! ask [`Engine::concerns_erased`](crate::Engine::concerns_erased) about its profile, and drop it if the answer is yes. It is
//! answered from the ledger, which knows profiles by keyed digests; what was erased before there was a ledger it does not
//! know.
//!
//! # What stays at the gateway
//!
//! Stripe keeps charges and invoices of a deleted customer, and Authorize.Net transactions, as the law that binds them says.
//! With the redaction switch Stripe removes the personal data from these as well; that is a public preview, takes days, and
//! is refused while the last transaction is younger than 90 days. Neither tells when its backups let go.
