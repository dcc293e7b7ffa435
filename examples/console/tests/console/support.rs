//! The environment of the tests: the quickstart's CRM in real SQLite files, a console over it, and a visitor who
//! sends requests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use relinquish::case::{GatewayAnswer, GatewayOutcome, Receipt};
use relinquish::engine::{AccessEvent, AccessLog, AccessLogError};
use relinquish::gateway::{
    AccountId, GatewayError, MemoryGateway, PaymentGatewayEraser, ProfileErasure, ProfileId, ProfileState,
};
use relinquish::ledger::proof::FileSigner;
use relinquish::plan::letter::{Authority, Controller};
use relinquish::{
    CustomerId, Engine, FileKeyRing, GatewayName, PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
};
use relinquish_console::{Console, ConsoleKey, Operator, Right};
use rusqlite::Connection;
use tempfile::TempDir;
use tower_service::Service as _;

#[allow(dead_code)]
#[path = "../../../quickstart/crm.rs"]
pub(crate) mod crm;

pub(crate) const POLICY: &str = include_str!("../../../quickstart/policy.toml");
const MAP: &str = include_str!("../../../quickstart/map.toml");

pub(crate) const EVERYTHING: [Right; 5] =
    [Right::See, Right::Plan, Right::Approve, Right::Hold, Right::Administrate];

/// An access log in memory. A test can make it fail.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    pub(crate) seen: Mutex<Vec<AccessEvent>>,
    pub(crate) fails: Mutex<bool>,
}

#[async_trait]
impl AccessLog for Looks {
    async fn record(&self, access: &AccessEvent) -> Result<(), AccessLogError> {
        if *self.fails.lock().unwrap() {
            return Err("the log is full".into());
        }
        self.seen.lock().unwrap().push(access.clone());
        Ok(())
    }
}

/// A gateway that a test can make refuse.
#[derive(Debug)]
struct Stubborn {
    inner: MemoryGateway,
    refuses: Arc<Mutex<bool>>,
}

#[async_trait]
impl PaymentGatewayEraser for Stubborn {
    fn gateway(&self) -> &GatewayName {
        self.inner.gateway()
    }

    fn longest_call(&self) -> Duration {
        self.inner.longest_call()
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        self.inner.account().await
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        self.inner.state(profile).await
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        if *self.refuses.lock().unwrap() {
            return Ok(GatewayOutcome::Blocked { reason: "a payment is on its way".to_owned() }.into());
        }
        self.inner.erase(erasure).await
    }

    async fn poll(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        self.inner.poll(receipt).await
    }
}

pub(crate) struct World {
    pub(crate) refuses: Arc<Mutex<bool>>,
    pub(crate) engine: Engine,
    pub(crate) console: Console,
    pub(crate) looks: Arc<Looks>,
    pub(crate) database: PathBuf,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(POLICY, 40).await
    }

    pub(crate) async fn with(policy: &str, clients: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("crm.sqlite");
        crm::create(&database, clients).unwrap();
        let store = Arc::new(SqliteStore::open(&database, &SqlMap::from_toml(MAP).unwrap()).unwrap());
        let gateway = MemoryGateway::new("stripe");
        for id in (1..=clients).filter(|id| id % 3 != 0) {
            gateway.insert(
                format!("cus_{id:06}"),
                Some(CustomerId::new(id.to_string())),
                u32::from(id % 4 != 1),
            );
        }
        let refuses = Arc::new(Mutex::new(false));
        let gateway = Stubborn { inner: gateway, refuses: Arc::clone(&refuses) };
        let path = folder.path().join("ledger.sqlite");
        let ledger = Arc::new(SqliteLedger::open(&path).unwrap());
        let keys = FileKeyRing::create_beside(&path).unwrap();
        let policy = PolicyDocument::from_toml(policy).unwrap();
        let looks = Arc::new(Looks::default());
        let engine = Engine::builder(Arc::clone(&store), policy, Arc::clone(&ledger), keys)
            .gateway(gateway)
            .records(store)
            .access_log(Arc::clone(&looks))
            .build()
            .unwrap();
        engine.census().await.unwrap();
        let signer = FileSigner::create(folder.path().join("signer"), "test.example/ledger").unwrap();
        let spawner = |work| {
            tokio::spawn(work);
        };
        let console = Console::builder(engine.clone(), ConsoleKey::new([7; 32]), spawner)
            .letters(
                Controller::new("Fjord", "privacy@fjord.example"),
                Authority::new("Datatilsynet", "Oslo"),
            )
            .checkpoints(ledger, Arc::new(signer))
            .build();
        Self { refuses, engine, console, looks, database, _folder: folder }
    }

    pub(crate) fn sql<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        Connection::open(&self.database).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn execute(&self, sql: &str) {
        Connection::open(&self.database).unwrap().execute_batch(sql).unwrap();
    }
}

/// An operator of tenant 1 with some rights.
pub(crate) fn operator(id: &str, rights: &[Right]) -> Operator {
    Operator::new(id, ["1".into()], rights.iter().copied())
}

/// Somebody who sends requests as a browser does.
pub(crate) struct Visitor {
    console: Console,
    pub(crate) operator: Option<Operator>,
    pub(crate) language: &'static str,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers.get("location").map_or_else(|| panic!("{} {}", self.status, self.body), String::as_str)
    }

    /// The part of the page after a text, up to the next quotation mark.
    pub(crate) fn after(&self, text: &str) -> String {
        let (_, rest) = self.body.split_once(text).unwrap_or_else(|| panic!("no {text} in {}", self.body));
        unescape(rest.split('"').next().unwrap())
    }

    /// The fields of the form with this action, with the values from the page.
    pub(crate) fn fields(&self, action: &str) -> Vec<(String, String)> {
        let start = format!("method=\"post\" action=\"{}\"", escape(action));
        let (_, form) =
            self.body.split_once(&start).unwrap_or_else(|| panic!("no form {action} in {}", self.body));
        let form = form.split("</form>").next().unwrap();
        let mut fields = Vec::new();
        for input in form.split("<input ").skip(1) {
            let input = input.split('>').next().unwrap();
            let of = |name: &str| {
                input
                    .split_once(&format!("{name}=\""))
                    .map(|(_, rest)| unescape(rest.split('"').next().unwrap()))
            };
            let is_on = of("type").as_deref() != Some("checkbox") || input.contains(" checked");
            if let (Some(name), true) = (of("name"), is_on) {
                fields.push((name, of("value").unwrap_or_default()));
            }
        }
        fields
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
}

fn unescape(text: &str) -> String {
    text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"")
}

pub(crate) fn encode(value: &str) -> String {
    value.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"))
}

impl Visitor {
    pub(crate) fn new(world: &World, operator: Option<Operator>) -> Self {
        Self { console: world.console.clone(), operator, language: "en" }
    }

    pub(crate) fn of(world: &World, id: &str, rights: &[Right]) -> Self {
        Self::new(world, Some(operator(id, rights)))
    }

    pub(crate) async fn send(&self, mut request: Request<Full<bytes::Bytes>>) -> Answer {
        if let Some(operator) = &self.operator {
            request.extensions_mut().insert(operator.clone());
        }
        let response: Response<Full<bytes::Bytes>> = self.console.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let headers =
            parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        Answer { status: parts.status, headers: headers.collect(), body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header(header::ACCEPT_LANGUAGE, self.language);
        self.send(request.body(Full::default()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let request = Request::post(path)
            .header(header::ACCEPT_LANGUAGE, self.language)
            .header(header::HOST, "console.example")
            .header(header::ORIGIN, "https://console.example");
        self.send(request.body(Full::from(body.join("&"))).unwrap()).await
    }

    /// Sends the form of a page, with other values in some fields.
    pub(crate) async fn fill(&self, page: &Answer, action: &str, typed: &[(&str, &str)]) -> Answer {
        let mut fields = page.fields(action);
        for (name, value) in typed {
            fields.retain(|(found, _)| found != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post(action, &fields).await
    }

    /// Follows a redirect.
    pub(crate) async fn follow(&self, answer: &Answer) -> Answer {
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        self.get(answer.location()).await
    }

    /// The page of a customer.
    pub(crate) async fn person(&self, key: &str) -> (String, Answer) {
        let home = self.get("/").await;
        let found = self.fill(&home, "/person", &[("key", key)]).await;
        let path = found.location().to_owned();
        let page = self.get(&path).await;
        (path, page)
    }

    /// The page of the plan that the policy asks for, and its address.
    pub(crate) async fn plan(&self, key: &str) -> (String, Answer) {
        let (_, person) = self.person(key).await;
        let path = format!("/plan/{}", person.after("href=\"/plan/"));
        let page = self.get(&path).await;
        (path, page)
    }
}
