//! Tests with an independent imitation of Stripe: `localstripe`, in a virtual environment below `target`.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use relinquish::Asked;
use relinquish::customer::CustomerId;
use relinquish::gateway::http::{HttpClient, Limits, Method, Mode, Request, Transport};
use relinquish::gateway::{
    PaymentGatewayEraser, ProfileErasure, ProfileFacts, ProfileId, ProfileListing, ProfileState, Stripe,
};
use relinquish::testing::{self, GatewayFixture};

use crate::gateways::Shop;
use crate::hosts::approved;

const RELEASE: &str = "1.15.10";
const KEY: &str = "sk_test_12345";

/// The program's own command listens on every interface and keeps its state in a file. This one listens only on
/// loopback, keeps its state in memory, and ends with its test.
const SERVE: &str = r#"
import os, socket, sys, threading
from aiohttp import web
from localstripe import resources, server
resources.Store.dump_to_disk = lambda self: None
def end():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=end, daemon=True).start()
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(128)
print(listener.getsockname()[1], flush=True)
web.run_app(server.app, sock=listener, print=None, access_log=None)
"#;

fn run(command: &mut Command, what: &str) {
    let output =
        command.output().unwrap_or_else(|error| panic!("{what}: {error}; install python3 with its venv"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success(),
        "{what} failed; these tests need python3, its venv, and PyPI:\n{out}\n{err}"
    );
}

/// The Python of the environment. The first test creates the environment.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // Another process may create it at the same time.
        let lock = File::create(folder.join("localstripe.lock")).unwrap();
        lock.lock().unwrap();
        let venv = folder.join(format!("localstripe-{RELEASE}"));
        let python = venv.join("bin/python");
        let ready = venv.join("ready");
        if !ready.exists() {
            run(
                Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv),
                "making a virtual environment",
            );
            let package = format!("localstripe=={RELEASE}");
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &package];
            run(Command::new(&python).args(pip), "installing localstripe");
            fs::write(ready, "").unwrap();
        }
        python
    })
}

/// A separate server for each test. It stops when it is dropped.
struct LocalStripe {
    process: Child,
    url: String,
    client: HttpClient,
    adapter: Stripe,
}

impl Drop for LocalStripe {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl LocalStripe {
    async fn start() -> Self {
        let mut process = Command::new(python())
            .args(["-c", SERVE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the environment's Python");
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let url = format!("http://127.0.0.1:{}", port.trim());
        let adapter = Stripe::builder(KEY, Mode::Test)
            .base_url(&url)
            .limits(Limits::per_second(100_000))
            .without_account()
            .build()
            .unwrap();
        let server = Self { process, url, client: HttpClient::new().unwrap(), adapter };
        let plan = "id=free&amount=0&currency=eur&interval=month&product[name]=free";
        server.post("/v1/plans", plan).await;
        server
    }

    async fn post(&self, path: &str, form: &str) -> serde_json::Value {
        let mut request = Request::new(Method::Post, format!("{}{path}", self.url));
        request.headers.push(("authorization", format!("Bearer {KEY}")));
        request.headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
        request.body = form.as_bytes().to_vec();
        let answer = self.client.send(&request).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }
}

#[async_trait]
impl GatewayFixture for LocalStripe {
    fn eraser(&self) -> &dyn PaymentGatewayEraser {
        &self.adapter
    }

    fn names_owners(&self) -> bool {
        true
    }

    async fn make(&self, owner: Option<&CustomerId>, subscriptions: u32) -> ProfileId {
        let form = match owner {
            Some(owner) => format!("metadata[customer_id]={}", owner.as_str()),
            None => "description=nobody's".to_owned(),
        };
        let customer = self.post("/v1/customers", &form).await;
        let id = customer["id"].as_str().unwrap();
        for _ in 0..subscriptions {
            self.post("/v1/subscriptions", &format!("customer={id}&items[0][plan]=free")).await;
        }
        id.into()
    }

    fn unknown(&self) -> ProfileId {
        "cus_nobody".into()
    }
}

#[tokio::test]
async fn localstripe_keeps_the_contract() {
    testing::gateway(&LocalStripe::start().await).await.unwrap();
}

#[tokio::test]
async fn all_of_localstripe_is_listed_even_if_a_page_ends_with_one_who_is_deleted() {
    let server = LocalStripe::start().await;
    let mut profiles = Vec::new();
    for _ in 0..205 {
        profiles.push(server.make(None, 0).await);
    }
    testing::profile_listing(&server.adapter, &profiles).await.unwrap();

    let mut pages = server.adapter.list().await.unwrap();
    let mut listed: Vec<ProfileId> = Vec::new();
    let mut page_no = 0;
    while let Some(page) = pages.next().await.unwrap() {
        listed.extend(page.into_iter().map(|profile| profile.id));
        page_no += 1;
        // This is not the first page. If the listing started again, it would list an earlier page twice, which the
        // test notices.
        if page_no == 2 {
            let profile = listed.last().unwrap().clone();
            let erasure = ProfileErasure { profile, owner: None, idempotency_key: "k".to_owned() };
            server.adapter.erase(&erasure).await.unwrap();
        }
    }
    listed.sort();
    profiles.sort();
    assert_eq!(listed, profiles, "each once: the list does not start anew");
}

#[tokio::test]
async fn a_customer_is_erased_at_localstripe_and_certified() {
    let server = LocalStripe::start().await;
    let ours = server.make(Some(&"1".into()), 0).await;
    let theirs = server.make(Some(&"2".into()), 1).await;
    let shop = Shop::new(&[("1", &[("stripe", ours.as_str())]), ("2", &[("stripe", theirs.as_str())])]);
    let engine = shop.engine([Arc::new(server.adapter.clone()) as Arc<dyn PaymentGatewayEraser>]);
    let refused = engine.decide(&"2".into(), &Asked::request()).await.unwrap().to_string();
    assert!(refused.contains("a subscription is active"), "{refused}");
    let plan = approved(&engine, &"1".into(), &Asked::request()).await;
    let outcome = engine.erase(plan).await.unwrap();
    assert!(outcome.certificate().is_some(), "{outcome}");
    assert_eq!(server.adapter.state(&ours).await.unwrap(), ProfileState::Absent);
    let expected = ProfileFacts::new(Some("2".into()), 1);
    assert_eq!(server.adapter.state(&theirs).await.unwrap(), ProfileState::Present(expected));
}
