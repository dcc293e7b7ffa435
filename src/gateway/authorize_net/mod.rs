//! The adapter for Authorize.Net. Profiles are the customer profiles of its Customer Information Manager (CIM).
//!
//! ```no_run
//! use relinquish::gateway::AuthorizeNet;
//! use relinquish::gateway::http::Mode;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let login = std::env::var("AUTHORIZE_NET_LOGIN")?;
//! let key = std::env::var("AUTHORIZE_NET_KEY")?;
//! let authorize_net = AuthorizeNet::builder(login, key, Mode::Live)
//!     .account("565697") // the gateway id; the keys of any other account are refused
//!     .build()?;
//! # drop(authorize_net);
//! # Ok(())
//! # }
//! ```
//!
//! # What an erasure does
//! It deletes the customer profile with its payment and shipping profiles. Transactions stay. Authorize.Net refuses
//! while the profile has an active or suspended recurring subscription. Then the case is blocked.
//!
//! # How answers are read
//! Only `resultCode` and the code show the result, never the HTTP status:
//!
//! | code | result |
//! |---|---|
//! | `I00001` with `Ok` | done |
//! | `E00040`, `I00003` | the profile does not exist |
//! | `E00105`, `E00106`, `E00107` | blocked: a person has to decide |
//! | `E00053`, `E00104` | busy: retry |
//! | `E00001` | unknown: the profile is read again |
//! | any other code | refused: an unknown code never counts as success |

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;

use self::messages::{Answer, Authentication, Body};
use super::http::{
    ApiKey, Endpoint, HttpClient, Limits, Line, LineSettings, Method, Mode, Request, Transport, base_url,
    code,
};
use super::{
    AccountId, GatewayAnswer, GatewayError, GatewayName, GatewayOutcome, ListedProfile, PaymentGatewayEraser,
    ProfileErasure, ProfileFacts, ProfileId, ProfileListing, ProfilePages, ProfileState, Receipt,
    Subscriptions,
};
use crate::customer::CustomerId;

mod messages;

const MERCHANT: Endpoint = Endpoint::reading("getMerchantDetailsRequest");
const READ: Endpoint = Endpoint::reading("getCustomerProfileRequest");
const STATUS: Endpoint = Endpoint::reading("ARBGetSubscriptionStatusRequest");
const IDS: Endpoint = Endpoint::reading("getCustomerProfileIdsRequest");
const DELETE: Endpoint = Endpoint::erasing("deleteCustomerProfileRequest");
/// The maximum size of the list of all ids, which comes in one answer. It has room for about five million ids.
const MOST_IDS: usize = 64 << 20;
/// The number of profiles of a page that are read concurrently.
const TOGETHER: usize = 8;

/// Erases customer profiles at Authorize.Net. Clones share their rate limits and their circuit breaker.
#[derive(Clone, Debug)]
pub struct AuthorizeNet {
    line: Line,
    login: ApiKey,
    key: ApiKey,
    url: String,
    mode: Mode,
    account: Option<AccountId>,
    owners: bool,
}

/// Builds an [`AuthorizeNet`].
#[derive(Debug)]
pub struct AuthorizeNetBuilder {
    name: GatewayName,
    login: ApiKey,
    key: ApiKey,
    mode: Mode,
    base: String,
    account: Option<AccountId>,
    owners: bool,
    settings: LineSettings,
    transport: Option<Arc<dyn Transport>>,
}

impl AuthorizeNetBuilder {
    /// Sets the name, for a host with several accounts. The default is `authorize_net`.
    #[must_use]
    pub fn named(mut self, name: impl Into<GatewayName>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the expected account, by its gateway id. Keys of another account are refused. Without this setting, the
    /// plan contains the account at the time of planning, and the account must be the same when the plan is carried
    /// out.
    #[must_use]
    pub fn account(mut self, gateway_id: impl Into<AccountId>) -> Self {
        self.account = Some(gateway_id.into());
        self
    }

    /// Sets whether the merchant customer id of a profile is the host's own customer id. The default is yes. A
    /// profile with the id of another customer is not erased.
    #[must_use]
    pub fn merchant_customer_id_is_ours(mut self, ours: bool) -> Self {
        self.owners = ours;
        self
    }

    /// Sets another address than Authorize.Net's own. Plain HTTP is allowed only to this machine itself.
    #[must_use]
    pub fn base_url(mut self, base: impl Into<String>) -> Self {
        self.base = base.into();
        self
    }

    /// Sets the rate limits. The default is 10 requests per second. Authorize.Net publishes no limits, and answers
    /// `E00053` when it is busy.
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
    /// [`GatewayError::Refused`] if a key is missing, or would be sent unencrypted to this address.
    pub fn build(self) -> Result<AuthorizeNet, GatewayError> {
        let refused =
            |what: &str| GatewayError::Refused { gateway: self.name.clone(), what: what.to_owned() };
        if self.login.expose().is_empty() || self.key.expose().is_empty() {
            return Err(refused("it needs an API login id and a transaction key"));
        }
        let base = base_url(&self.base).map_err(refused)?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(HttpClient::new().map_err(|_| refused("TLS cannot be set up"))?),
        };
        Ok(AuthorizeNet {
            line: Line::new(self.name, transport, &self.settings),
            login: self.login,
            key: self.key,
            url: format!("{base}/xml/v1/request.api"),
            mode: self.mode,
            account: self.account,
            owners: self.owners,
        })
    }
}

/// The parameters of a request.
#[derive(Clone, Copy, Default)]
struct About<'a> {
    profile: Option<&'a str>,
    subscription: Option<&'a str>,
    reference: Option<&'a str>,
}

/// A profile, and the ids of its subscriptions.
struct Found {
    owner: Option<CustomerId>,
    email: Option<String>,
    subscriptions: Vec<String>,
}

impl AuthorizeNet {
    /// Starts a builder with an API login id and a transaction key. The sandbox has other keys than the live system.
    pub fn builder(login: impl Into<ApiKey>, key: impl Into<ApiKey>, mode: Mode) -> AuthorizeNetBuilder {
        let base = match mode {
            Mode::Live => "https://api.authorize.net",
            Mode::Test => "https://apitest.authorize.net",
        };
        AuthorizeNetBuilder {
            name: GatewayName::from("authorize_net"),
            login: login.into(),
            key: key.into(),
            mode,
            base: base.to_owned(),
            account: None,
            owners: true,
            settings: LineSettings::new(Limits::per_second(10)),
            transport: None,
        }
    }

    /// Sends a request, and returns the gateway's answer. An error if the gateway is busy, fails, or refuses the
    /// keys.
    async fn ask(&self, endpoint: Endpoint, about: About<'_>) -> Result<Answer, GatewayError> {
        let body = Body {
            merchant_authentication: Authentication {
                name: self.login.expose(),
                transaction_key: self.key.expose(),
            },
            ref_id: about.reference,
            customer_profile_id: about.profile,
            subscription_id: about.subscription,
        };
        // Serialise directly to text. It keeps the order of the fields; a JSON value would sort them.
        let body =
            serde_json::to_string(&body).map_err(|_| self.line.refused("the request cannot be written"))?;
        let mut request = Request::new(Method::Post, self.url.clone());
        request.headers.push(("content-type", "application/json".to_owned()));
        request.body = format!("{{{}:{body}}}", json!(endpoint.name)).into_bytes();
        if endpoint == IDS {
            request.most_bytes = MOST_IDS;
        }
        let response = self.line.send(request, endpoint).await?;
        if response.status != 200 {
            let what = format!("status {}; mend the base URL", response.status);
            return Err(self.line.refused(what));
        }
        let answer = Answer::read(&response.body)
            .ok_or_else(|| self.line.unknown("the answer is none of Authorize.Net's"))?;
        if about.reference.is_some() && answer.is_ok() && answer.ref_id.as_deref() != about.reference {
            return Err(self.line.unknown("the answer is to another request"));
        }
        match answer.code() {
            _ if answer.is_ok() => Ok(answer),
            "E00053" | "E00104" => Err(self.line.busy(None)),
            "E00001" => Err(self.line.unknown("the gateway says E00001")),
            "E00007" => Err(self
                .line
                .refused("it does not accept the keys (E00007); give the adapter the right ones")),
            _ => Ok(answer),
        }
    }

    /// The error for an answer that is neither a success nor a known refusal.
    fn other(&self, answer: &Answer) -> GatewayError {
        let word = code(answer.code()).unwrap_or("without a code");
        if answer.is_ok() {
            return self.line.unknown(format!("the gateway says Ok, and {word}"));
        }
        self.line.refused(format!("it says {word}; look it up in its list of response codes"))
    }

    async fn look(&self, profile: &str) -> Result<Option<Found>, GatewayError> {
        if profile.is_empty() || !profile.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.line.refused(
                "the profile's id is not a number, as Authorize.Net's are; mend it in the host's database",
            ));
        }
        let mut answer = self.ask(READ, About { profile: Some(profile), ..About::default() }).await?;
        let (found, subscriptions) = (answer.profile.take(), std::mem::take(&mut answer.subscription_ids));
        match (answer.is_ok(), answer.code(), found) {
            (true, "I00001", Some(found)) if found.customer_profile_id == profile => Ok(Some(Found {
                owner: found
                    .merchant_customer_id
                    .filter(|id| self.owners && !id.is_empty())
                    .map(CustomerId::from),
                email: found.email.filter(|email| !email.trim().is_empty()),
                subscriptions,
            })),
            (true, ..) => Err(self.line.unknown("the answer is about something else")),
            (false, "E00040", _) => Ok(None),
            (false, ..) => Err(self.other(&answer)),
        }
    }

    /// The numbers of active and ended subscriptions. A subscription with an unknown status counts as active.
    async fn count(&self, subscriptions: &[String]) -> Result<(u32, u32), GatewayError> {
        let (mut active, mut ended) = (0, 0);
        for id in subscriptions {
            let answer = self.ask(STATUS, About { subscription: Some(id), ..About::default() }).await?;
            match (answer.is_ok(), answer.code(), answer.status.as_deref()) {
                (true, "I00001", Some("expired" | "canceled" | "terminated")) => ended += 1,
                (true, "I00001", Some(_)) => active += 1,
                _ => return Err(self.other(&answer)),
            }
        }
        Ok((active, ended))
    }
}

#[async_trait]
impl PaymentGatewayEraser for AuthorizeNet {
    fn gateway(&self) -> &GatewayName {
        self.line.gateway()
    }

    /// Two requests: one reads the profile, the other one erases it.
    fn longest_call(&self) -> Duration {
        self.line.longest(2)
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        let answer = self.ask(MERCHANT, About::default()).await?;
        if !answer.is_ok() {
            return Err(self.other(&answer));
        }
        if self.mode == Mode::Live && answer.is_test_mode == Some(true) {
            return Err(self
                .line
                .refused("the account is in test mode; set it live in the merchant interface"));
        }
        let found = answer.gateway_id.as_deref().and_then(code);
        let found = AccountId::from(found.ok_or_else(|| self.line.unknown("the account has no id"))?);
        match &self.account {
            Some(expected) if *expected != found => Err(self.line.refused(format!(
                "the keys are of account {found}, and not of {expected}; give the adapter that account's keys"
            ))),
            _ => Ok(Some(found)),
        }
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        let Some(found) = self.look(profile.as_str()).await? else { return Ok(ProfileState::Absent) };
        let (active_subscriptions, ended_subscriptions) = self.count(&found.subscriptions).await?;
        Ok(ProfileState::Present(ProfileFacts {
            owner: found.owner,
            active_subscriptions,
            ended_subscriptions,
            ..ProfileFacts::default()
        }))
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        let profile = erasure.profile.as_str();
        let Some(found) = self.look(profile).await? else {
            return Ok(GatewayAnswer::new(GatewayOutcome::AlreadyAbsent, None, "E00040"));
        };
        if found.owner.is_some() && found.owner != erasure.owner {
            let reason = "the profile's merchant customer id is another customer's".to_owned();
            return Ok(GatewayOutcome::Blocked { reason }.into());
        }
        // The reference has at most 20 characters. The answer repeats it.
        let reference: String =
            erasure.idempotency_key.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
        let reference = Some(reference.as_str()).filter(|reference| !reference.is_empty());
        let answer =
            self.ask(DELETE, About { profile: Some(profile), reference, subscription: None }).await?;
        let request_id = answer.ref_id.as_deref().and_then(code).map(str::to_owned);
        let outcome = match (answer.is_ok(), answer.code()) {
            (true, "I00001") => GatewayOutcome::Erased,
            (true, "I00003") | (false, "E00040") => GatewayOutcome::AlreadyAbsent,
            (false, "E00106") => blocked(
                "the profile has an active or suspended recurring subscription (E00106); cancel it first",
            ),
            (false, "E00105") => {
                blocked("a payment profile is tied to an active or suspended recurring subscription (E00105)")
            }
            (false, "E00107") => blocked(
                "a shipping profile is tied to an active or suspended recurring subscription (E00107)",
            ),
            _ => return Err(self.other(&answer)),
        };
        Ok(GatewayAnswer::new(outcome, request_id, code(answer.code()).unwrap_or_default()))
    }

    async fn poll(&self, _: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        Err(self.line.refused("it gives no receipts, so no task can be asked for"))
    }
}

fn blocked(reason: &str) -> GatewayOutcome {
    GatewayOutcome::Blocked { reason: reason.to_owned() }
}

/// A listing in progress: all ids, and how many of them were read.
struct Pages {
    gateway: AuthorizeNet,
    ids: Vec<String>,
    read: usize,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("ids", &self.ids.len())
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

/// Authorize.Net lists all ids in one answer, and nothing else. So the ids are kept until each profile was read:
/// about ten bytes per profile.
#[async_trait]
impl ProfileListing for AuthorizeNet {
    fn gateway(&self) -> &GatewayName {
        self.line.gateway()
    }

    async fn list(&self) -> Result<Box<dyn ProfilePages>, GatewayError> {
        let answer = self.ask(IDS, About::default()).await?;
        if !answer.is_ok() {
            return Err(self.other(&answer));
        }
        Ok(Box::new(Pages { gateway: self.clone(), ids: answer.ids, read: 0 }))
    }
}

#[async_trait]
impl ProfilePages for Pages {
    async fn next(&mut self) -> Result<Option<Vec<ListedProfile>>, GatewayError> {
        let ids: Vec<String> = self.ids.iter().skip(self.read).take(100).cloned().collect();
        if ids.is_empty() {
            return Ok(None);
        }
        let count = ids.len();
        let gateway = &self.gateway;
        let found: Vec<Option<ListedProfile>> = stream::iter(ids)
            .map(|id| async move {
                let Some(found) = gateway.look(&id).await? else { return Ok(None) };
                let (active, ended) = gateway.count(&found.subscriptions).await?;
                let mut profile = ListedProfile::new(id);
                profile.owner = found.owner;
                profile.email = found.email;
                profile.subscriptions = Subscriptions::Counted { active, ended };
                Ok::<_, GatewayError>(Some(profile))
            })
            .buffered(TOGETHER)
            .try_collect()
            .await?;
        self.read += count;
        Ok(Some(found.into_iter().flatten().collect()))
    }
}
