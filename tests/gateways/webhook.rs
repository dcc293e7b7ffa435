//! A recipient behind a signed webhook, over real HTTP: what it is sent, what it answers, and whom the adapter believes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac as _};
use relinquish::Recipient;
use relinquish::data_map::Kind;
use relinquish::gateway::http::{HttpClient, Limits};
use relinquish::recipient::webhook::{WebhookBody, WebhookRecipient, WebhookSecret};
use relinquish::recipient::{Notice, Pending, RecipientError, RecipientOutcome};
use relinquish::testing::{self, RecipientFixture};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::gateways::TIMEOUT;
use crate::gateways::fakes::server::{Answer, Call, Fault, Gateway, Server};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn signature(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// What the recipient's answers are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signs {
    Rightly,
    WithAnotherSecret,
    ForAnotherRequest,
    NotAtAll,
}

/// A warehouse that knows people by their key or by their e-mail address.
struct Warehouse {
    people: Mutex<BTreeSet<String>>,
    /// What was accepted, and is not done yet: the id, and the person.
    jobs: Mutex<BTreeMap<String, String>>,
    /// Ids of requests that were heard before: a second one under the same id is dropped.
    seen: Mutex<BTreeSet<String>>,
    later: bool,
    signs: Mutex<Signs>,
    says: Mutex<Option<(u16, Value)>>,
}

impl Warehouse {
    fn new(later: bool) -> Self {
        let (people, jobs, seen) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (signs, says) = (Mutex::new(Signs::Rightly), Mutex::default());
        Self { people, jobs, seen, later, signs, says }
    }

    fn holds(&self, person: &str) -> bool {
        self.people.lock().unwrap().contains(person)
    }

    fn forget(&self, person: &str) -> bool {
        self.people.lock().unwrap().remove(person)
    }

    fn told(&self, id: &str, person: &str) -> Value {
        if !self.holds(person) {
            return json!({ "id": id, "status": "nothing_there" });
        }
        if self.later {
            self.jobs.lock().unwrap().insert(id.to_owned(), person.to_owned());
            return json!({ "id": id, "status": "accepted", "receipt": format!("job-{id}"), "ask_again_s": 60 });
        }
        self.forget(person);
        json!({ "id": id, "status": "erased" })
    }

    fn answer_to(&self, call: &Call) -> (u16, Value) {
        if let Some(says) = self.says.lock().unwrap().clone() {
            return says;
        }
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        if call.method == "GET" {
            let id = call.path.rsplit('/').next().unwrap_or_default();
            let status = match self.jobs.lock().unwrap().remove(id) {
                Some(person) => {
                    self.forget(&person);
                    "completed"
                }
                None => "cancelled",
            };
            return (200, json!({ "subject_request_id": id, "request_status": status }));
        }
        if let Some(id) = body["subject_request_id"].as_str() {
            let person = body["subject_identities"][0]["identity_value"].as_str().unwrap_or_default();
            self.jobs.lock().unwrap().insert(id.to_owned(), person.to_owned());
            let until = "1970-01-01T01:00:00Z";
            return (
                201,
                json!({ "subject_request_id": id, "expected_completion_time": until, "controller_id": "c" }),
            );
        }
        let id = body["id"].as_str().unwrap_or_default();
        if body["type"] == "person.erased.status" {
            let person = self.jobs.lock().unwrap().remove(id);
            return (
                200,
                match person {
                    Some(person) => {
                        self.forget(&person);
                        json!({ "id": id, "status": "erased" })
                    }
                    None => json!({ "id": id, "status": "refused", "reason": "no_such_job" }),
                },
            );
        }
        let person =
            body["person"]["key"].as_str().or(body["person"]["email"][0].as_str()).unwrap_or_default();
        (200, self.told(id, person))
    }
}

impl Gateway for Warehouse {
    fn operation(&self, call: &Call) -> &'static str {
        if call.body.windows(6).any(|bytes| bytes == b"status") { "ask" } else { "tell" }
    }

    /// Believes only what is signed, and signs what it answers.
    fn answer(&self, call: &Call) -> Answer {
        let header = |name: &str| call.headers.get(name).cloned().unwrap_or_default();
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        if header("webhook-signature") != signature(SECRET, &id, &timestamp, &call.body) {
            return Answer::json(401, &json!({ "error": "not signed" }));
        }
        self.seen.lock().unwrap().insert(id.clone());
        let (status, body) = self.answer_to(call);
        let answer = Answer::json(status, &body);
        let signs = *self.signs.lock().unwrap();
        let (secret, id) = match signs {
            Signs::Rightly => (SECRET, id),
            Signs::WithAnotherSecret => ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", id),
            Signs::ForAnotherRequest => (SECRET, format!("{id}0")),
            Signs::NotAtAll => return answer,
        };
        let signed = signature(secret, &id, "0", &answer.body);
        answer.with("webhook-id", id).with("webhook-timestamp", "0").with("webhook-signature", signed)
    }

    fn too_many(&self, retry_after: Option<&str>) -> Answer {
        let answer = Answer::json(429, &json!({}));
        match retry_after {
            Some(seconds) => answer.with("retry-after", seconds),
            None => answer,
        }
    }

    fn broken(&self, status: u16) -> Answer {
        Answer::json(status, &json!({}))
    }
}

struct OverHttp {
    server: Server<Warehouse>,
    adapter: WebhookRecipient,
    made: AtomicU32,
}

impl OverHttp {
    async fn start(later: bool, body: WebhookBody) -> Self {
        let server = Server::start(Warehouse::new(later)).await;
        let secret = WebhookSecret::new(SECRET).unwrap();
        let adapter = WebhookRecipient::new("warehouse", &server.url(), secret, HttpClient::new().unwrap())
            .unwrap()
            .body(body)
            .limits(Limits::per_second(100_000))
            .timeout(TIMEOUT);
        Self { server, adapter, made: AtomicU32::new(0) }
    }

    async fn tell(&self, notice: &Notice) -> Result<RecipientOutcome, RecipientError> {
        let answer = self.adapter.tell(std::slice::from_ref(notice), now()).await.pop().unwrap();
        answer.map(|answer| answer.outcome)
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(7)
}

fn notice(person: &str) -> Notice {
    let mut notice = Notice::new(format!("5f0c1a9e-8f3d-4c52-9d43-{person:0>12}"), "acme", now());
    notice.customer = Some(person.into());
    notice
}

#[async_trait]
impl RecipientFixture for OverHttp {
    fn recipient(&self) -> &dyn Recipient {
        &self.adapter
    }

    async fn make(&self) -> Notice {
        let person = format!("maud-{}", self.made.fetch_add(1, Ordering::SeqCst));
        self.server.gateway.people.lock().unwrap().insert(person.clone());
        notice(&person)
    }

    fn nobody(&self) -> Notice {
        notice("nobody")
    }

    async fn holds(&self, notice: &Notice) -> bool {
        self.server.gateway.holds(notice.customer.as_ref().unwrap().as_str())
    }

    fn now(&self) -> DateTime<Utc> {
        now()
    }

    async fn wait(&self) {}
}

#[tokio::test]
async fn the_webhook_keeps_the_contract() {
    for (later, body) in [(false, WebhookBody::Own), (true, WebhookBody::Own), (true, WebhookBody::OpenDsr)] {
        testing::recipient(&OverHttp::start(later, body).await).await.unwrap();
    }
}

#[tokio::test]
async fn a_notice_is_as_the_documentation_says() {
    let over = OverHttp::start(false, WebhookBody::Own).await;
    let mut notice = notice("17");
    notice.identifiers.insert(Kind::Email, "ann@example.org");
    notice.identifiers.insert(Kind::Email, "ann@example.com");
    over.tell(&notice).await.unwrap();
    let [call] = &over.server.calls()[..] else { panic!("one request") };
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/"));
    assert_eq!(call.headers["webhook-id"], notice.id.as_str());
    assert_eq!(call.headers["webhook-timestamp"], "7");
    assert_eq!(
        serde_json::from_slice::<Value>(&call.body).unwrap(),
        json!({
            "version": 1, "type": "person.erased", "id": notice.id, "tenant": "acme",
            "erased_at": "1970-01-01T00:00:07Z",
            "person": { "key": "17", "email": ["ann@example.org", "ann@example.com"] },
        })
    );
}

#[tokio::test]
async fn an_opendsr_body_has_the_words_of_opendsr_and_no_others() {
    let over = OverHttp::start(true, WebhookBody::OpenDsr).await;
    let mut notice = notice("17");
    notice.identifiers.insert(Kind::Email, "ann@example.org");
    let outcome = over.tell(&notice).await.unwrap();
    let RecipientOutcome::Accepted { receipt, ask_again, .. } = outcome else { panic!("{outcome}") };
    assert_eq!(ask_again, Some(Duration::from_secs(3_593)));
    let call = over.server.calls().pop().unwrap();
    let identity = |kind: &str, value: &str| json!({ "identity_type": kind, "identity_value": value, "identity_format": "raw" });
    assert_eq!(
        serde_json::from_slice::<Value>(&call.body).unwrap(),
        json!({
            "regulation": "gdpr", "subject_request_type": "erasure", "api_version": "2.0",
            "subject_request_id": notice.id, "submitted_time": "1970-01-01T00:00:07Z",
            "subject_identities": [identity("controller_customer_id", "17"), identity("email", "ann@example.org")],
        })
    );
    let task = Pending { id: notice.id.clone(), receipt };
    let answer = over.adapter.poll(std::slice::from_ref(&task), now()).await.pop().unwrap().unwrap();
    assert_eq!(answer.outcome, RecipientOutcome::Confirmed);
    assert_eq!(over.server.calls().pop().unwrap().path, format!("/{}", notice.id));
    notice.identifiers.insert(Kind::Phone, "0123");
    let error = over.tell(&notice).await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("OpenDSR has a word only for"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_not_signed_for_this_request_confirms_nothing() {
    for signs in [Signs::WithAnotherSecret, Signs::ForAnotherRequest, Signs::NotAtAll] {
        let over = OverHttp::start(false, WebhookBody::Own).await;
        let notice = over.make().await;
        *over.server.gateway.signs.lock().unwrap() = signs;
        let error = over.tell(&notice).await.unwrap_err();
        assert!(matches!(error, RecipientError::Unknown { .. }), "{signs:?}: {error}");
        assert!(!over.holds(&notice).await, "it took effect");
        *over.server.gateway.signs.lock().unwrap() = Signs::Rightly;
        assert_eq!(over.tell(&notice).await.unwrap(), RecipientOutcome::NothingThere);
    }
}

/// An answer that says something else than one of the five words, or is about somebody else.
#[tokio::test]
async fn an_answer_that_is_not_as_documented_confirms_nothing() {
    let over = OverHttp::start(false, WebhookBody::Own).await;
    let notice = notice("17");
    let id = notice.id.as_str();
    for body in [
        json!({ "id": "another", "status": "erased" }),
        json!({ "status": "erased" }),
        json!({ "id": id, "status": "ok" }),
        json!({ "id": id, "status": "accepted" }),
        json!({ "id": id, "status": "accepted", "receipt": "for ann@example.org" }),
        json!("erased"),
    ] {
        *over.server.gateway.says.lock().unwrap() = Some((200, body.clone()));
        let error = over.tell(&notice).await.unwrap_err();
        assert!(matches!(error, RecipientError::Unknown { .. }), "{body}: {error}");
    }
}

/// Free text may quote the person, so only codes come through.
#[tokio::test]
async fn nothing_that_a_recipient_says_in_its_own_words_comes_through() {
    let over = OverHttp::start(false, WebhookBody::Own).await;
    let notice = notice("17");
    let id = notice.id.as_str();
    for (body, shown) in [
        (
            json!({ "id": id, "status": "refused", "reason": "ann@example.org is a debtor" }),
            "something without a code",
        ),
        (json!({ "id": id, "status": "refused", "reason": "legal_hold" }), "legal_hold"),
        (
            json!({ "id": id, "status": "retained", "what": "invoices", "until": "2030-12-31" }),
            "keeps invoices until 2030-12-31",
        ),
        (json!({ "id": id, "status": "retained", "what": "Ann's invoices" }), "something without a code"),
    ] {
        *over.server.gateway.says.lock().unwrap() = Some((200, body));
        let outcome = over.tell(&notice).await.unwrap().to_string();
        assert!(outcome.contains(shown) && !outcome.contains("nn"), "{outcome}");
    }
}

#[tokio::test]
async fn every_fault_of_the_network_is_one_to_try_again_or_to_put_right() {
    for (fault, is_transient) in [
        (Fault::TooMany(Some("1")), true),
        (Fault::ErrorBefore(503), true),
        (Fault::ErrorAfter(500), true),
        (Fault::ResetBefore, true),
        (Fault::ResetAfter, true),
        (Fault::Garbage, true),
        (Fault::Nonsense, true),
        (Fault::Giant, true),
        (Fault::ErrorBefore(404), false),
        (Fault::ErrorBefore(401), false),
        (Fault::ErrorBefore(400), false),
        (Fault::Redirect("http://127.0.0.1/elsewhere".to_owned()), false),
    ] {
        let over = OverHttp::start(false, WebhookBody::Own).await;
        let notice = over.make().await;
        over.server.faults([fault.clone()]);
        let error = over.tell(&notice).await.unwrap_err();
        assert_eq!(error.is_transient(), is_transient, "{fault:?}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("maud") && !shown.contains("127.0.0.1"), "{shown}");
        let again = over.tell(&notice).await.unwrap();
        assert!(matches!(again, RecipientOutcome::Confirmed | RecipientOutcome::NothingThere), "{fault:?}");
        assert!(!over.holds(&notice).await);
    }
}

#[tokio::test]
async fn an_address_without_tls_stays_on_this_machine() {
    let secret = || WebhookSecret::new(SECRET).unwrap();
    for url in ["http://example.org/erasures", "ftp://example.org", "example.org"] {
        let error =
            WebhookRecipient::new("warehouse", url, secret(), HttpClient::new().unwrap()).unwrap_err();
        assert!(error.to_string().contains("https://"), "{error}");
    }
}
