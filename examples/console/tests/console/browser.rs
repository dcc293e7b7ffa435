//! Tests in a real Chromium, by `WebDriver`. They cover whole tasks, two operators at once, a session that ends
//! half-way, work with the keyboard alone, and axe-core on every screen. `.ci/test` installs the browser and fetches
//! axe-core.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use relinquish_console::Console;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tower_service::Service as _;

use crate::support::{EVERYTHING, World, operator};

/// The operators who have signed in, by session. A test can end a session.
type Sessions = Arc<Mutex<BTreeMap<String, String>>>;

/// A host with a sign-in page, and the console at its root.
struct Host {
    address: SocketAddr,
    sessions: Sessions,
}

impl Host {
    async fn new(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sessions = Sessions::default();
        let (console, known) = (world.console.clone(), Arc::clone(&sessions));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (console, known) = (console.clone(), Arc::clone(&known));
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        answer(console.clone(), Arc::clone(&known), request)
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, sessions }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// `/sign-in/NAME` signs in. Everything else goes to the console, with the operator of the session.
async fn answer(
    mut console: Console,
    sessions: Sessions,
    mut request: Request<hyper::body::Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Some(name) = request.uri().path().strip_prefix("/sign-in/").map(str::to_owned) {
        sessions.lock().unwrap().insert(name.clone(), name.clone());
        let cookie = format!("session={name}; HttpOnly; SameSite=Strict; Path=/");
        let signed_in = Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header(header::SET_COOKIE, cookie)
            .header(header::LOCATION, "/");
        return Ok(signed_in.body(Full::default()).unwrap());
    }
    let cookie = request.headers().get(header::COOKIE).and_then(|cookie| cookie.to_str().ok());
    let session = cookie.and_then(|cookie| cookie.strip_prefix("session="));
    let name = session.and_then(|session| sessions.lock().unwrap().get(session).cloned());
    if let Some(name) = name {
        request.extensions_mut().insert(operator(&name, &EVERYTHING));
    }
    console.call(request).await
}

/// A separate browser for one test, and the driver, which ends with the test.
struct Browser {
    page: Client,
    host: String,
    _driver: Child,
}

#[derive(Clone, Copy)]
struct Screen {
    width: u32,
    dark: bool,
    language: &'static str,
}

const DESKTOP: Screen = Screen { width: 1280, dark: false, language: "en" };

/// Starts chromedriver on a free port. Chromedriver ends at once if the port is free for IPv4 but taken for IPv6, so
/// there are a few tries.
async fn start_driver() -> (Child, Lines<BufReader<ChildStdout>>, String) {
    for _ in 0..5 {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is missing; .ci/test --setup-only installs it");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, port)) = line.split_once("successfully on port ") {
                return (driver, lines, port.trim_end_matches('.').to_owned());
            }
        }
    }
    panic!("chromedriver never says its port");
}

impl Browser {
    async fn new(host: &Host, name: &str, screen: Screen) -> Self {
        // The driver's output stays open until the browser has started.
        let (driver, _output, port) = start_driver().await;
        let scheme = if screen.dark {
            "--blink-settings=preferredColorScheme=0"
        } else {
            "--blink-settings=preferredColorScheme=1"
        };
        let language = format!("--accept-lang={}", screen.language);
        let args =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", scheme, &language];
        let metrics = json!({ "width": screen.width, "height": 900, "pixelRatio": 1.0, "touch": false, "mobile": false });
        let options = json!({ "args": args, "mobileEmulation": { "deviceMetrics": metrics } });
        let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": options });
        let Value::Object(wanted) = wanted else { unreachable!() };
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let browser = Self { page, host: host.url(""), _driver: driver };
        browser.go(&format!("/sign-in/{name}")).await;
        browser
    }

    async fn go(&self, path: &str) {
        self.page.goto(&format!("{}{path}", self.host)).await.unwrap();
    }

    async fn path(&self) -> String {
        self.page.current_url().await.unwrap().path().to_owned()
    }

    /// Marks the page, so that a test can see whether a new page has replaced it.
    async fn mark(&self) {
        self.script("window.isOld = true;").await;
    }

    /// Waits until the marked page was replaced and the next one is complete. If the page is not replaced, the wait
    /// ends after three seconds.
    async fn settle(&self) {
        let is_new = "return !window.isOld && document.readyState === 'complete';";
        for _ in 0..60 {
            if matches!(self.page.execute(is_new, Vec::new()).await, Ok(Value::Bool(true))) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn click(&self, css: &str) {
        self.mark().await;
        self.page
            .find(Locator::Css(css))
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"))
            .click()
            .await
            .unwrap();
        self.settle().await;
    }

    async fn link(&self, text: &str) {
        let link =
            self.page.find(Locator::LinkText(text)).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        self.mark().await;
        link.click().await.unwrap();
        self.settle().await;
    }

    async fn fill(&self, css: &str, text: &str) {
        let field = self.page.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"));
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    async fn text(&self) -> String {
        // If the page is being replaced at this moment, it is read again.
        for _ in 0..20 {
            if let Ok(main) = self.page.find(Locator::Css("main")).await
                && let Ok(text) = main.text().await
            {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the page has no text")
    }

    async fn script(&self, script: &str) -> Value {
        self.page.execute(script, Vec::new()).await.unwrap()
    }

    /// Presses keys on the element that has the focus.
    async fn press(&self, keys: &str) {
        let submits = keys.contains([char::from(Key::Enter), char::from(Key::Return)]);
        if submits {
            self.mark().await;
        }
        self.page.active_element().await.unwrap().send_keys(keys).await.unwrap();
        if submits {
            self.settle().await;
        }
    }

    /// Presses Tab until the element with the focus matches.
    async fn tab_to(&self, css: &str) {
        for _ in 0..60 {
            self.press(&char::from(Key::Tab).to_string()).await;
            let script = format!(
                "const e = document.activeElement; const s = getComputedStyle(e);
                 return [e.matches({css:?}), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2, e.outerHTML.slice(0, 90)];"
            );
            let found = self.script(&script).await;
            assert_eq!(found[1], true, "the focus is not visible on {}", found[2]);
            if found[0] == true {
                return;
            }
        }
        panic!("no Tab leads to {css}");
    }

    async fn open_person(&self, key: &str) {
        self.go("/").await;
        self.fill("#f-key", key).await;
        self.click("form.find button").await;
    }

    /// The violations of WCAG 2.2 AA and of best practices that axe-core finds.
    async fn axe(&self) -> Vec<String> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/axe-core/axe.min.js");
        let axe = std::fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("{} is missing; .ci/test --setup-only fetches it", path.display()));
        self.script(&axe).await;
        let run = "const done = arguments[arguments.length - 1];
             axe.run(document, { resultTypes: ['violations'] }).then(
               r => done(r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.map(n => n.html).slice(0, 3).join(' | '))),
               e => done(['axe failed: ' + e]));";
        let found = self.page.execute_async(run, Vec::new()).await.unwrap();
        serde_json::from_value(found).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_customer_from_the_key_to_the_certificate_with_the_wrong_turns() {
    let world = World::new().await;
    let host = Host::new(&world).await;
    let browser = Browser::new(&host, "ann", DESKTOP).await;
    browser.open_person("no such key").await;
    assert!(browser.text().await.contains("No customer has this key"));
    assert_eq!(
        browser.page.find(Locator::Css("#f-key")).await.unwrap().prop("value").await.unwrap().unwrap(),
        "no such key"
    );
    browser.fill("#f-key", "17").await;
    browser.click("form.find button").await;
    let title = browser.page.title().await.unwrap();
    assert!(!title.contains("17") && !browser.path().await.contains("17/"), "{title}");
    browser.click("section[aria-labelledby=who] button").await;
    let name: String = world.sql("SELECT last_name FROM clients WHERE id = 17");
    assert!(browser.text().await.contains(&name));

    browser.link("Plan what the policy asks for").await;
    browser.fill("#f-typed", "18").await;
    browser.click(".danger").await;
    assert!(browser.text().await.contains("What you typed is not the customer's key"));
    browser.fill("#f-typed", "17").await;
    browser.click(".danger").await;
    assert!(browser.text().await.contains("Certificate of erasure"), "{}", browser.text().await);
    // The browser's back button shows the old plan. Sending its form again erases nobody twice.
    browser.page.back().await.unwrap();
    browser.page.refresh().await.unwrap();
    assert!(browser.text().await.contains("There is no plan"), "{}", browser.text().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyboard_alone_is_enough() {
    let world = World::new().await;
    let host = Host::new(&world).await;
    let browser = Browser::new(&host, "ann", DESKTOP).await;
    let enter = char::from(Key::Enter).to_string();
    browser.press(&char::from(Key::Tab).to_string()).await;
    assert_eq!(
        browser.script("return document.activeElement.className").await,
        "skip",
        "the first stop skips the navigation"
    );
    browser.press(&enter).await;
    browser.tab_to("#f-key").await;
    browser.press("17").await;
    browser.press(&enter).await;
    browser.page.wait().for_element(Locator::Css("section[aria-labelledby=decision]")).await.unwrap();
    browser.tab_to("a.button").await;
    browser.press(&enter).await;
    browser.page.wait().for_element(Locator::Css("#f-typed")).await.unwrap();
    browser.tab_to("#f-typed").await;
    browser.press("17").await;
    browser.tab_to(".danger").await;
    browser.press(&enter).await;
    browser.page.wait().for_element(Locator::Css("a[href$='certificate.txt']")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_at_once_see_what_the_other_has_done() {
    let world = World::new().await;
    let host = Host::new(&world).await;
    let (ann, ben) = tokio::join!(Browser::new(&host, "ann", DESKTOP), Browser::new(&host, "ben", DESKTOP));
    for browser in [&ann, &ben] {
        browser.open_person("17").await;
        browser.link("Plan what the policy asks for").await;
        browser.fill("#f-typed", "17").await;
    }
    ann.click(".danger").await;
    assert!(ann.text().await.contains("Certificate of erasure"));
    ben.click(".danger").await;
    let text = ben.text().await;
    assert!(text.contains("Something has changed since you saw the plan"), "{text}");
    let closed = world.engine.entries(0, 99).await.unwrap();
    assert_eq!(closed.iter().filter_map(relinquish::ledger::Entry::closed).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_that_ends_half_way_changes_nothing_and_loses_nothing() {
    let world = World::new().await;
    let host = Host::new(&world).await;
    let browser = Browser::new(&host, "ann", DESKTOP).await;
    browser.open_person("17").await;
    browser.link("Plan what the policy asks for").await;
    let plan = browser.path().await;
    browser.fill("#f-typed", "17").await;
    host.sessions.lock().unwrap().clear();
    browser.click(".danger").await;
    assert!(browser.text().await.contains("You are not signed in"), "{}", browser.text().await);
    assert!(world.engine.open_cases(None, 9).await.unwrap().is_empty());
    browser.go("/sign-in/ann").await;
    browser.go(&plan).await;
    browser.fill("#f-typed", "17").await;
    browser.click(".danger").await;
    assert!(browser.text().await.contains("Certificate of erasure"));
}

/// Opens every screen in each of its states, and calls `look` with its name.
async fn every_screen(browser: &Browser, mut look: impl AsyncFnMut(&str)) {
    for (path, name) in [
        ("/", "home, empty"),
        ("/review", "review, empty"),
        ("/cases", "cases, empty"),
        ("/holds", "holds, empty"),
    ] {
        browser.go(path).await;
        look(name).await;
    }
    for path in
        ["/requests", "/requests/new", "/expiry", "/policy", "/data", "/ledger", "/review/run", "/nowhere"]
    {
        browser.go(path).await;
        look(path).await;
    }
    // Errors in place.
    browser.go("/requests/new").await;
    browser.click("main form button").await;
    look("request, with errors").await;
    browser.fill("#f-customer", "21").await;
    browser.script("document.querySelector('#f-received').value = '2026-01-05'").await;
    browser.click("main form button").await;
    look("request").await;
    browser.go("/requests?which=all").await;
    look("requests").await;
    browser.go("/policy").await;
    browser.click("form[action$='/policy/try'] button").await;
    look("policy, with errors").await;
    browser
        .script(&format!("document.querySelector('#f-policy').value = {:?}", crate::support::POLICY))
        .await;
    browser.click("form[action$='/policy/try'] button").await;
    wait_for(browser, "/policy", "Changed lines|Ändrade rader|Geänderte Zeilen").await;
    look("policy, tried").await;
    browser.go("/expiry").await;
    browser.click("form[action$='/expiry/plan'] button").await;
    wait_for(browser, "/expiry", "call_record").await;
    look("expiry, planned").await;
    browser.open_person("17").await;
    look("person").await;
    browser.click("section[aria-labelledby=who] button").await;
    look("person, with names").await;
    browser.open_person("17").await;
    browser.click("a[href$='/export']").await;
    browser.click("main form button").await;
    look("export, with errors").await;
    browser.open_person("18").await;
    look("person, blocked").await;
    browser.click("a[href$='/hold']").await;
    look("hold on a person").await;
    browser.fill("#f-reference", "claim-7").await;
    browser.click("main form button").await;
    look("person, held").await;
    browser.go("/holds").await;
    look("holds").await;
    browser.go("/").await;
    browser.click("form[action$='/survey'] button").await;
    wait_for(browser, "/", "300|40").await;
    browser.page.wait().for_element(Locator::Css("svg")).await.unwrap();
    look("home, surveyed").await;
    browser.go("/review").await;
    look("review").await;
    browser.click("button[value=approve]").await;
    look("review, to approve").await;
    browser.open_person("17").await;
    browser.click("div.actions a.button").await;
    look("plan").await;
    browser.click(".danger").await;
    look("plan, mistyped").await;
    browser.fill("#f-typed", "17").await;
    browser.click(".danger").await;
    look("certificate").await;
    let letter = browser.page.find(Locator::Css("a[href$='/letter']")).await.unwrap();
    letter.click().await.unwrap();
    look("letter").await;
    browser.go("/cases").await;
    look("cases").await;
}

/// Opens a page again and again until it shows one of the expected texts.
async fn wait_for(browser: &Browser, path: &str, any: &str) {
    for _ in 0..200 {
        browser.go(path).await;
        let text = browser.text().await;
        if any.split('|').any(|text_of| text.contains(text_of)) && !text.contains("Look again") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} never shows {any}: {}", browser.text().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_screen_is_accessible_in_the_light() {
    accessible(DESKTOP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_screen_is_accessible_in_the_dark_on_a_phone_in_german() {
    accessible(Screen { width: 320, dark: true, language: "de" }).await;
}

/// Every screen passes axe-core, and no screen is wider than the window. A window of 320 pixels is the same as 400 %
/// zoom on a desktop.
async fn accessible(screen: Screen) {
    let world = World::new().await;
    let host = Host::new(&world).await;
    let browser = Browser::new(&host, "ann", screen).await;
    let dark = browser.script("return matchMedia('(prefers-color-scheme: dark)').matches").await;
    assert_eq!(dark, screen.dark);
    let mut faults = Vec::new();
    every_screen(&browser, async |what: &str| {
        faults.extend(browser.axe().await.into_iter().map(|fault| format!("{what}: {fault}")));
        let wide = browser.script("return document.documentElement.scrollWidth - window.innerWidth").await;
        if wide.as_i64().unwrap() > 0 {
            faults.push(format!("{what}: {wide} pixels too wide"));
        }
    })
    .await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
