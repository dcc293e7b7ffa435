//! The adapter for Stripe. Profiles are Stripe's customers.
//!
//! ```no_run
//! use relinquish::gateway::Stripe;
//! use relinquish::gateway::http::Mode;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stripe = Stripe::builder(std::env::var("STRIPE_KEY")?, Mode::Live)
//! .account("acct_1032D82eZvKYlo2C") // a key of any other account is refused
//!     .owner_key("customer_id") // the metadata key under which your service writes its own customer id
//!     .build()?;
//! # drop(stripe);
//! # Ok(())
//! # }
//! ```
//!
//! # What an erasure does
//! The adapter checks the owner and the mode of the Stripe customer, and deletes it. Then the engine reads it back.
//! Deleting a customer **cancels its subscriptions at once and cannot be undone**. Charges and invoices stay at
//! Stripe, which has its own legal duties. With [`redact`](StripeBuilder::redact), a redaction job also removes the
//! personal data from charges and invoices.
//!
//! # What counts
//! * A customer counts as *gone* if Stripe answers with `deleted: true` or `resource_missing`. A 404 without that
//!   code counts only if the same address lists customers. Otherwise the base URL is wrong.
//! * A subscription counts as *active* unless it is `canceled` or `incomplete_expired`. So an unknown state counts as
//!   active. An invoice is unpaid while it is `open`. A dispute is settled if it is won, lost, prevented or a closed
//!   warning.
//!
//! # A restricted key
//! needs read permission for Customers, Subscriptions, Invoices, Charges, Disputes and the account, and write
//! permission for Customers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join3;
use serde::Deserialize;

use self::api::{
    ACCOUNT, CHARGES, CUSTOMER, CUSTOMERS, DELETE, DISPUTES, INVOICES, Listed, Page, Reply, SUBSCRIPTIONS,
    Said,
};
use super::http::{
    ApiKey, HttpClient, Limits, Line, LineSettings, Method, Mode, Transport, base_url, code, escape,
};
use super::{
    AccountId, GatewayAnswer, GatewayError, GatewayName, GatewayOutcome, PaymentGatewayEraser,
    ProfileErasure, ProfileFacts, ProfileId, ProfileState, Receipt,
};
use crate::customer::CustomerId;

mod api;
mod event;
mod export;
mod listing;
mod redaction;

pub use event::{EventSubject, NotAnEvent};
pub use export::{ExportError, ExportRows, StripeExport};

/// Erases customers at Stripe. Clones share their rate limits and their circuit breaker.
#[derive(Clone, Debug)]
pub struct Stripe {
    line: Line,
    key: ApiKey,
    base: String,
    mode: Mode,
    owner_key: String,
    account: Account,
    redact: bool,
}

#[derive(Clone, Debug)]
enum Account {
    /// The key may be of any account.
    Any,
    Only(AccountId),
    /// The account is not asked, because this server cannot tell.
    NotAsked,
}

/// Builds a [`Stripe`].
#[derive(Debug)]
pub struct StripeBuilder {
    name: GatewayName,
    key: ApiKey,
    mode: Mode,
    base: String,
    owner_key: String,
    account: Account,
    redact: bool,
    settings: LineSettings,
    transport: Option<Arc<dyn Transport>>,
}

impl StripeBuilder {
    /// Sets the name, for a host with several accounts. The default is `stripe`.
    #[must_use]
    pub fn named(mut self, name: impl Into<GatewayName>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the expected account, `acct_…`. A key of another account is refused. Without this setting, the plan
    /// contains the account at the time of planning, and the account must be the same when the plan is carried out.
    #[must_use]
    pub fn account(mut self, account: impl Into<AccountId>) -> Self {
        self.account = Account::Only(account.into());
        self
    }

    /// Does not ask for the account. For an imitation of Stripe that has no accounts. Then a wrong key is not
    /// noticed.
    #[must_use]
    pub fn without_account(mut self) -> Self {
        self.account = Account::NotAsked;
        self
    }

    /// Sets the metadata key under which the host writes its own customer id. The default is `customer_id`. A profile
    /// with the id of another customer is not erased.
    #[must_use]
    pub fn owner_key(mut self, key: impl Into<String>) -> Self {
        self.owner_key = key.into();
        self
    }

    /// Runs a redaction job before the customer is deleted. It also removes the personal data from charges and
    /// invoices.
    ///
    /// Redaction jobs are a public preview of Stripe. A job may take days; then the case waits. Stripe refuses the
    /// job while there are open invoices or disputes, or transactions younger than 90 days; then the case is blocked.
    #[must_use]
    pub fn redact(mut self, redact: bool) -> Self {
        self.redact = redact;
        self
    }

    /// Sets another address than `https://api.stripe.com`. Plain HTTP is allowed only to this machine itself.
    #[must_use]
    pub fn base_url(mut self, base: impl Into<String>) -> Self {
        self.base = base.into();
        self
    }

    /// Sets the rate limits. The default are Stripe's own: 100 requests per second live, 25 in test mode, and 25 per
    /// endpoint.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Sets the timeout of a request, until the last byte of the answer. The default is 30 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Sets the circuit breaker: after this number of consecutive failures, no requests are sent for this time. The
    /// default is 5 failures and 30 seconds.
    #[must_use]
    pub fn breaker(mut self, failures: u32, pause: Duration) -> Self {
        self.settings.failures = failures;
        self.settings.pause = pause;
        self
    }

    /// Sets another HTTP client. The default is [`HttpClient`].
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Builds the adapter. Sends nothing.
    ///
    /// # Errors
    /// [`GatewayError::Refused`] if the key is of another mode, or would be sent unencrypted to this address.
    pub fn build(self) -> Result<Stripe, GatewayError> {
        let refused =
            |what: &str| GatewayError::Refused { gateway: self.name.clone(), what: what.to_owned() };
        let (ours, other) = match self.mode {
            Mode::Live => (
                ["sk_live_", "rk_live_"],
                "a live key begins with sk_live_ or rk_live_, and this one does not",
            ),
            Mode::Test => (
                ["sk_test_", "rk_test_"],
                "a test key begins with sk_test_ or rk_test_, and this one does not",
            ),
        };
        if !ours.iter().any(|start| self.key.expose().starts_with(start)) {
            return Err(refused(other));
        }
        let base = base_url(&self.base).map_err(refused)?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(HttpClient::new().map_err(|_| refused("TLS cannot be set up"))?),
        };
        Ok(Stripe {
            line: Line::new(self.name, transport, &self.settings),
            key: self.key,
            base,
            mode: self.mode,
            owner_key: self.owner_key,
            account: self.account,
            redact: self.redact,
        })
    }
}

#[derive(Deserialize)]
struct AccountObject {
    id: String,
}

/// A customer, or the rest of a deleted customer.
#[derive(Deserialize)]
struct Customer {
    id: String,
    object: String,
    #[serde(default)]
    deleted: bool,
    livemode: Option<bool>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    created: Option<i64>,
    #[serde(default)]
    redaction: Option<Redaction>,
}

#[derive(Deserialize)]
struct Redaction {
    status: String,
}

#[derive(Deserialize)]
struct Subscription {
    id: String,
    status: String,
}

#[derive(Deserialize)]
struct Invoice {
    id: String,
    status: Option<String>,
}

#[derive(Deserialize)]
struct Charge {
    id: String,
    #[serde(default)]
    disputed: bool,
}

#[derive(Deserialize)]
struct Dispute {
    id: String,
    status: String,
}

macro_rules! listed {
    ($($object:ident),*) => {$(
        impl Listed for $object {
            fn id(&self) -> &str {
                &self.id
            }
        }
    )*};
}

listed!(Customer, Subscription, Invoice, Charge, Dispute);

/// The state of a customer at Stripe.
enum Found {
    Here(Box<Customer>),
    Gone(Said, &'static str),
}

/// The numbers of active and ended subscriptions.
#[derive(Default)]
struct Counts {
    active: u32,
    ended: u32,
}

impl Stripe {
    /// Starts a builder with a key. The key must be of this mode.
    pub fn builder(key: impl Into<ApiKey>, mode: Mode) -> StripeBuilder {
        let limits = Limits::per_second(match mode {
            Mode::Live => 100,
            Mode::Test => 25,
        });
        StripeBuilder {
            name: GatewayName::from("stripe"),
            key: key.into(),
            mode,
            base: "https://api.stripe.com".to_owned(),
            owner_key: "customer_id".to_owned(),
            account: Account::Any,
            redact: false,
            settings: LineSettings::new(limits.per_endpoint(25)),
            transport: None,
        }
    }

    fn customer_path(&self, profile: &ProfileId) -> Result<String, GatewayError> {
        let id = profile.as_str();
        if id.is_empty() || id.starts_with('.') {
            return Err(self
                .line
                .refused("the profile's id is none of Stripe's; mend it in the host's database"));
        }
        Ok(format!("/v1/customers/{}", escape(id)))
    }

    async fn look(&self, profile: &ProfileId) -> Result<Found, GatewayError> {
        let request = self.request(Method::Get, &self.customer_path(profile)?, &[]);
        match self.ask::<Customer>(request, CUSTOMER).await? {
            Reply::Object(found, said) => {
                if found.object != "customer" || found.id != profile.as_str() {
                    return Err(self.line.unknown("the answer is about something else"));
                }
                if found.deleted {
                    return Ok(Found::Gone(said, "deleted"));
                }
                if found.livemode.is_some_and(|live| live != (self.mode == Mode::Live)) {
                    return Err(self.line.refused(format!("the profile is not one of {} mode", self.mode)));
                }
                let redacted = found.redaction.as_ref().is_some_and(|found| found.status == "redacted");
                if self.redact && redacted {
                    return Ok(Found::Gone(said, "redacted"));
                }
                Ok(Found::Here(Box::new(found)))
            }
            Reply::Failed(failure, said) if said.status == 404 => {
                if !failure.is("resource_missing") {
                    // Without a code, the answer may come from an imitation of Stripe, or the address may be wrong.
                    self.lists_customers(failure.code.is_none()).await?;
                }
                Ok(Found::Gone(said, "resource_missing"))
            }
            Reply::Failed(failure, said) => Err(self.line.refused(failure.describe(&said))),
        }
    }

    /// Checks that this address lists customers.
    async fn lists_customers(&self, no_code: bool) -> Result<(), GatewayError> {
        let request = self.request(Method::Get, "/v1/customers", &[("limit", "1")]);
        let wrong = "its \"not found\" is none of Stripe's; mend the base URL";
        if !no_code {
            return Err(self.line.refused(wrong));
        }
        match self.ask::<Page<Customer>>(request, CUSTOMERS).await? {
            Reply::Object(..) => Ok(()),
            Reply::Failed(..) => Err(self.line.refused(wrong)),
        }
    }

    fn owner(&self, customer: &Customer) -> Option<CustomerId> {
        let owner = customer.metadata.as_ref()?.get(&self.owner_key)?;
        (!owner.is_empty()).then(|| CustomerId::from(owner.as_str()))
    }

    async fn subscriptions(&self, customer: &str) -> Result<Counts, GatewayError> {
        let mut counts = Counts::default();
        let query = [("customer", customer), ("status", "all")];
        self.each("/v1/subscriptions", &query, SUBSCRIPTIONS, |found: &Subscription| {
            match found.status.as_str() {
                "canceled" | "incomplete_expired" => counts.ended += 1,
                _ => counts.active += 1,
            }
        })
        .await?;
        Ok(counts)
    }

    async fn unpaid_invoices(&self, customer: &str) -> Result<u32, GatewayError> {
        let mut count = 0;
        self.each("/v1/invoices", &[("customer", customer)], INVOICES, |found: &Invoice| {
            count += u32::from(found.status.as_deref() == Some("open"));
        })
        .await?;
        Ok(count)
    }

    async fn open_disputes(&self, customer: &str) -> Result<u32, GatewayError> {
        let mut disputed = Vec::new();
        self.each("/v1/charges", &[("customer", customer)], CHARGES, |found: &Charge| {
            disputed.extend(found.disputed.then(|| found.id.clone()));
        })
        .await?;
        let mut count = 0;
        for charge in disputed {
            self.each("/v1/disputes", &[("charge", &charge)], DISPUTES, |found: &Dispute| {
                let settled = ["won", "lost", "warning_closed", "charge_refunded", "prevented"];
                count += u32::from(!settled.contains(&found.status.as_str()));
            })
            .await?;
        }
        Ok(count)
    }

    /// Deletes a customer that was just checked.
    async fn delete(&self, profile: &ProfileId) -> Result<GatewayAnswer, GatewayError> {
        let request = self.request(Method::Delete, &self.customer_path(profile)?, &[]);
        match self.ask::<Customer>(request, DELETE).await? {
            Reply::Object(gone, said) if gone.deleted && gone.id == profile.as_str() => {
                Ok(GatewayAnswer::new(GatewayOutcome::Erased, said.request_id, "deleted"))
            }
            Reply::Object(..) => Err(self.line.unknown("the answer does not say that it is deleted")),
            Reply::Failed(failure, said) if said.status == 404 => {
                if !failure.is("resource_missing") {
                    self.lists_customers(failure.code.is_none()).await?;
                }
                Ok(GatewayAnswer::new(GatewayOutcome::AlreadyAbsent, said.request_id, "resource_missing"))
            }
            Reply::Failed(failure, said) => Ok(self.blocked(&failure.describe(&said), &said)),
        }
    }

    fn blocked(&self, reason: &str, said: &Said) -> GatewayAnswer {
        let reason = format!("{} says {reason}", self.line.gateway());
        let word = format!("status {}", said.status);
        GatewayAnswer::new(GatewayOutcome::Blocked { reason }, said.request_id.clone(), word)
    }
}

#[async_trait]
impl PaymentGatewayEraser for Stripe {
    fn gateway(&self) -> &GatewayName {
        self.line.gateway()
    }

    /// Two reads of the customer, and the request itself.
    fn longest_call(&self) -> Duration {
        self.line.longest(3)
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        if let Account::NotAsked = self.account {
            return Ok(None);
        }
        let found: AccountObject =
            self.expect(self.request(Method::Get, "/v1/account", &[]), ACCOUNT).await?;
        let found = code(&found.id).ok_or_else(|| self.line.unknown("the account has no id"))?;
        match &self.account {
            Account::Only(expected) if expected.as_str() != found => Err(self.line.refused(format!(
                "the key is of account {found}, and not of {expected}; give the adapter that account's key"
            ))),
            _ => Ok(Some(AccountId::from(found))),
        }
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        let found = match self.look(profile).await? {
            Found::Here(found) => found,
            Found::Gone(..) => return Ok(ProfileState::Absent),
        };
        let (counts, unpaid_invoices, open_disputes) = try_join3(
            self.subscriptions(&found.id),
            self.unpaid_invoices(&found.id),
            self.open_disputes(&found.id),
        )
        .await?;
        Ok(ProfileState::Present(ProfileFacts {
            owner: self.owner(&found),
            active_subscriptions: counts.active,
            ended_subscriptions: counts.ended,
            open_disputes,
            unpaid_invoices,
        }))
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        let found = match self.look(&erasure.profile).await? {
            Found::Here(found) => found,
            Found::Gone(said, word) => {
                return Ok(GatewayAnswer::new(GatewayOutcome::AlreadyAbsent, said.request_id, word));
            }
        };
        let owner = self.owner(&found);
        if owner.is_some() && owner != erasure.owner {
            let reason = "the profile's metadata name another customer as its owner".to_owned();
            return Ok(GatewayOutcome::Blocked { reason }.into());
        }
        if self.redact {
            return self.begin_redaction(erasure).await;
        }
        self.delete(&erasure.profile).await
    }

    async fn poll(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        self.go_on_redacting(receipt).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(key: &str, mode: Mode, base: &str) -> String {
        Stripe::builder(key, mode).base_url(base).build().unwrap_err().to_string()
    }

    #[test]
    fn a_key_of_the_other_mode_is_refused_before_anything_is_sent() {
        let https = "https://api.stripe.com";
        for (key, mode) in [
            ("sk_test_canary", Mode::Live),
            ("rk_test_canary", Mode::Live),
            ("sk_live_canary", Mode::Test),
            ("pk_live_canary", Mode::Live),
            ("canary", Mode::Test),
        ] {
            let refusal = refusal(key, mode, https);
            assert!(refusal.contains(&format!("a {mode} key begins with")), "{refusal}");
            assert!(!refusal.contains("canary"), "{refusal}");
        }
        assert!(Stripe::builder("rk_live_canary", Mode::Live).build().is_ok());
    }

    #[test]
    fn a_key_is_not_sent_in_the_clear() {
        for base in [
            "http://api.stripe.com",
            "http://127.0.0.1.example.org",
            "ftp://x",
            "api.stripe.com",
            "http://a@b",
        ] {
            let refusal = refusal("sk_test_canary", Mode::Test, base);
            assert!(refusal.contains("https"), "{base}: {refusal}");
        }
        for base in [
            "http://127.0.0.1:8420",
            "http://localhost:1/",
            "http://[::1]:1",
            "https://proxy.example.org/stripe/",
        ] {
            assert!(Stripe::builder("sk_test_x", Mode::Test).base_url(base).build().is_ok(), "{base}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let builder = Stripe::builder("sk_test_canary", Mode::Test);
        let shown = format!("{builder:?} {:?}", Stripe::builder("sk_test_canary", Mode::Test).build());
        assert!(!shown.contains("canary"), "{shown}");
    }
}
