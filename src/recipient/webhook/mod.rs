//! A recipient behind a signed webhook.
//!
//! The request and the answer are both signed with a shared secret, in the way of [Standard
//! Webhooks](https://www.standardwebhooks.com): the headers `webhook-id`, `webhook-timestamp` (Unix seconds) and
//! `webhook-signature`, which is `v1,` and the Base64 of the HMAC-SHA256 of `id.timestamp.body`. The answer repeats
//! the `webhook-id` of its request. So neither a proxy's `200 OK` nor an old answer counts as a confirmation.
//!
//! A notice is one `POST`:
//!
//! ```json
//! {
//!   "version": 1,
//!   "type": "person.erased",
//!   "id": "5f0c1a9e-8f3d-4c52-9d43-0f6f3f4a7b11",
//!   "tenant": "acme",
//!   "erased_at": "2026-11-30T11:00:00Z",
//!   "person": { "key": "17", "email": ["ann@example.org"] }
//! }
//! ```
//!
//! `person` contains only the values that the data map names for this recipient. The recipient answers with a 2xx
//! status:
//!
//! ```json
//! { "id": "5f0c1a9e-8f3d-4c52-9d43-0f6f3f4a7b11", "status": "accepted", "receipt": "job-9", "ask_again_s": 3600 }
//! ```
//!
//! | `status` | meaning | beside it |
//! |---|---|---|
//! | `erased` | the person's data are erased there | |
//! | `nothing_there` | the recipient has nothing of the person | |
//! | `accepted` | the recipient will finish later | `receipt`; `ask_again_s`, `waits_for` |
//! | `retained` | the recipient keeps something | `what`; `until`, a day |
//! | `refused` | the recipient refuses; a person has to act | `reason` |
//!
//! `waits_for`, `what` and `reason` are codes of letters, digits and `_-.[]`, because free text may quote the person.
//! To ask for the state of an accepted task, the adapter sends another signed `POST`, with the type
//! `person.erased.status`, and with `id` and `receipt`.
//!
//! [`WebhookBody::OpenDsr`] uses the format of [OpenDSR](https://github.com/opengdpr/OpenDSR) 2.0 for requests and
//! answers instead. They are signed in the same way.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt};

use super::{Answers, Notice, Pending, Recipient, RecipientAnswer, RecipientError, RecipientName};
use crate::gateway::GatewayError;
use crate::gateway::http::{Endpoint, Limits, Line, LineSettings, Method, Request, Transport, base_url};

mod body;
mod signature;

pub use body::WebhookBody;
pub use signature::{NotAWebhookSecret, WebhookSecret};

/// The number of notices in one call. They are sent at the same time.
const AT_ONCE: usize = 8;

/// A recipient behind a signed webhook. Clones share their rate limits and their circuit breaker.
///
/// ```no_run
/// use relinquish::gateway::http::HttpClient;
/// use relinquish::recipient::webhook::{WebhookRecipient, WebhookSecret};
///
/// let secret = WebhookSecret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let warehouse =
///     WebhookRecipient::new("warehouse", "https://warehouse.example.org/erasures", secret, HttpClient::new()?)?;
/// # let _ = warehouse;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct WebhookRecipient {
    name: RecipientName,
    url: Arc<str>,
    secret: WebhookSecret,
    body: WebhookBody,
    transport: Arc<dyn Transport>,
    settings: LineSettings,
    line: Line,
}

impl WebhookRecipient {
    /// Makes a recipient with its name in the data map and an HTTPS address. By default, it sends at most ten
    /// requests per second, with a timeout of 30 seconds.
    ///
    /// # Errors
    /// [`RecipientError::Refused`] for an address without TLS, unless it is on this machine.
    pub fn new(
        name: impl Into<RecipientName>,
        url: &str,
        secret: WebhookSecret,
        transport: impl Transport,
    ) -> Result<Self, RecipientError> {
        let (name, transport): (_, Arc<dyn Transport>) = (name.into(), Arc::new(transport));
        let url = base_url(url)
            .map_err(|what| RecipientError::Refused { recipient: name.clone(), what: what.to_owned() })?;
        let settings = LineSettings::new(Limits::per_second(10));
        let line = Line::new(name.as_str().into(), Arc::clone(&transport), &settings);
        let body = WebhookBody::Own;
        Ok(Self { name, url: url.into(), secret, body, transport, settings, line })
    }

    /// Sends another body. The default is [`WebhookBody::Own`].
    #[must_use]
    pub fn body(self, body: WebhookBody) -> Self {
        Self { body, ..self }
    }

    /// Sets the timeout of a request, until the last byte of the answer.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self.rewired()
    }

    /// Sets the number of requests per second.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self.rewired()
    }

    fn rewired(self) -> Self {
        let line = Line::new(self.name.as_str().into(), Arc::clone(&self.transport), &self.settings);
        Self { line, ..self }
    }

    async fn tell_one(&self, notice: &Notice, now: DateTime<Utc>) -> Result<RecipientAnswer, RecipientError> {
        let body = self.body.notice(notice).map_err(|what| self.refused(what))?;
        let request = Request { body, ..Request::new(Method::Post, &*self.url) };
        self.ask(request, notice.id.as_str(), notice.id.as_str(), Endpoint::erasing("tell"), now).await
    }

    async fn poll_one(&self, task: &Pending, now: DateTime<Utc>) -> Result<RecipientAnswer, RecipientError> {
        let (path, body) = self.body.status(task);
        let method = if body.is_empty() { Method::Get } else { Method::Post };
        let request = Request { body, ..Request::new(method, format!("{}{path}", self.url)) };
        // Each request for the state needs a new id, because a recipient ignores a second request with the same id.
        let id = format!("{}-{}", task.id, now.timestamp_millis());
        self.ask(request, &id, task.id.as_str(), Endpoint::reading("status"), now).await
    }

    /// Sends a signed request, and accepts only a signed answer. `id`: the id of the request. `notice`: the id of the
    /// notice.
    async fn ask(
        &self,
        mut request: Request,
        id: &str,
        notice: &str,
        endpoint: Endpoint,
        now: DateTime<Utc>,
    ) -> Result<RecipientAnswer, RecipientError> {
        request.headers.push(("content-type", "application/json".to_owned()));
        request.headers.extend(self.secret.sign(id, now, &request.body));
        let sent = request.body.clone();
        let response = self.line.send(request, endpoint).await.map_err(|error| self.of_line(error))?;
        let unbelieved = |what: &'static str| RecipientError::Unknown {
            recipient: self.name.clone(),
            source: Some(what.into()),
        };
        match response.status {
            // Request and answer are signed in the same way, so a server that echoes the request would look like a
            // valid answer.
            200..=299 if response.body == sent => Err(unbelieved("the answer is the request itself")),
            200..=299 if self.secret.has_signed(id, &response) => {
                self.body.answer(notice, &response.body, now).map_err(unbelieved)
            }
            200..=299 => Err(unbelieved("the answer is not signed with the shared secret for this request")),
            // A timeout (408), or a request that came too early (425). A retry may help in both cases.
            408 | 425 => Err(unbelieved("it asks for a retry")),
            404 | 410 => {
                Err(self.refused("there is nothing at this address (404 or 410); correct the address"))
            }
            status => Err(self.refused(&format!("it does not accept the request (status {status})"))),
        }
    }

    fn refused(&self, what: &str) -> RecipientError {
        RecipientError::Refused { recipient: self.name.clone(), what: what.to_owned() }
    }

    /// Converts an error of the line. The line's errors are those of a gateway.
    fn of_line(&self, error: GatewayError) -> RecipientError {
        let recipient = self.name.clone();
        match error {
            GatewayError::Busy { retry_after, .. } => RecipientError::Busy { recipient, retry_after },
            GatewayError::Paused { retry_after, .. } => {
                RecipientError::Busy { recipient, retry_after: Some(retry_after) }
            }
            GatewayError::Unreachable { source, .. } => RecipientError::Unreachable { recipient, source },
            GatewayError::Unknown { source, .. } => RecipientError::Unknown { recipient, source },
            GatewayError::Refused { what, .. } => RecipientError::Refused { recipient, what },
        }
    }
}

#[async_trait]
impl Recipient for WebhookRecipient {
    fn recipient(&self) -> &RecipientName {
        &self.name
    }

    fn max_batch(&self) -> usize {
        AT_ONCE
    }

    fn longest_call(&self) -> Duration {
        self.line.longest(1)
    }

    async fn tell(&self, notices: &[Notice], now: DateTime<Utc>) -> Answers {
        let calls: Vec<_> = notices.iter().map(|notice| self.tell_one(notice, now)).collect();
        stream::iter(calls).buffered(AT_ONCE).collect().await
    }

    async fn poll(&self, pending: &[Pending], now: DateTime<Utc>) -> Answers {
        let calls: Vec<_> = pending.iter().map(|task| self.poll_one(task, now)).collect();
        stream::iter(calls).buffered(AT_ONCE).collect().await
    }
}
