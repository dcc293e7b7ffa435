//! How much of a gateway's rate limit is used, and how much CPU time an erasure at a gateway needs.
//!
//! Run it with `cargo bench --bench gateway --features stripe`. Set `PROFILES=300` in the environment for a short
//! run.
//!
//! An imitation of Stripe runs in a separate process on loopback and answers after 50 ms. It answers a request over
//! its limit with 429, and the client knows the same limit. Each profile is erased as in a case: first its state is
//! read (the customer, its subscriptions, invoices and charges). Then the profile is checked, deleted and read back.
//!
//! * *erasures*: the imitation allows 100 deletions per second, and any number of reads;
//! * *requests*: it allows 100 requests per second of any kind;
//! * *cases*: whole cases under the first limit, from approved plans to certificates, in memory.

// This program prints figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use futures_util::StreamExt as _;
use futures_util::stream;
use relinquish::customer::{GatewayProfile, Status};
use relinquish::data_map::{Fact, Field, Record, RecordClass};
use relinquish::gateway::http::{HttpClient, Limits, Mode, Request, Response, Transport, TransportError};
use relinquish::gateway::{
    GatewayError, GatewayOutcome, PaymentGatewayEraser, ProfileErasure, ProfileId, ProfileState, Stripe,
};
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::store::MemoryRepository;
use relinquish::{
    Approval, Asked, ByRecord, Customer, CustomerId, DataMap, Engine, MemoryLedger, Planned, PolicyDocument,
};

#[path = "../examples/fakes/mod.rs"]
mod fakes;

const ALLOWED: u32 = 100;
const LATENCY: Duration = Duration::from_millis(50);
/// The number of profiles that are processed at the same time.
const TOGETHER: usize = 64;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Ok(limited) = std::env::var("SERVE") {
        return runtime.block_on(serve(&limited));
    }
    let profiles = std::env::var("PROFILES").ok().and_then(|text| text.parse().ok()).unwrap_or(1500);
    println!("{profiles} profiles, {} ms latency, {ALLOWED} per second allowed", LATENCY.as_millis());
    runtime.block_on(async {
        erasures(profiles).await;
        requests(profiles / 5).await;
        cases(profiles).await;
    });
}

/// Runs the imitation until its input ends.
async fn serve(limited: &str) {
    let server = fakes::stripe::start().await;
    for n in 0..number("PROFILES", 1500) {
        server.gateway.insert(&format!("cus_{n}"), Some(&n.to_string()));
    }
    server.latency(LATENCY);
    server.limit((limited == "erasures").then_some("erase"), ALLOWED as usize);
    println!("{}", server.url());
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

struct Imitation(Child, String);

impl Imitation {
    fn start(limited: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env("SERVE", limited)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self(child, url.trim().to_owned())
    }

    fn adapter(&self, limits: Limits) -> (Stripe, Arc<Counting>) {
        let counting = Arc::new(Counting {
            inner: HttpClient::new().unwrap(),
            requests: AtomicU64::new(0),
            too_many: AtomicU64::new(0),
        });
        let stripe = Stripe::builder(fakes::stripe::KEY, Mode::Test)
            .base_url(&self.1)
            .limits(limits)
            .transport(Arc::clone(&counting))
            .build()
            .unwrap();
        (stripe, counting)
    }
}

impl Drop for Imitation {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The normal HTTP client, which also counts its requests.
#[derive(Debug)]
struct Counting {
    inner: HttpClient,
    requests: AtomicU64,
    too_many: AtomicU64,
}

#[async_trait]
impl Transport for Counting {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.inner.send(request).await?;
        self.too_many.fetch_add(u64::from(answer.status == 429), Ordering::Relaxed);
        Ok(answer)
    }
}

/// Retries until there is an answer, as a case does.
async fn answer<T, F: Future<Output = Result<T, GatewayError>>>(ask: impl Fn() -> F) -> T {
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
    }
}

async fn erase(stripe: &Stripe, n: usize) {
    let profile = ProfileId::from(format!("cus_{n}"));
    let found = answer(|| stripe.state(&profile)).await;
    assert!(matches!(found, ProfileState::Present(_)));
    let erasure = ProfileErasure {
        profile: profile.clone(),
        owner: Some(CustomerId::from(n.to_string())),
        idempotency_key: format!("bench-{n}"),
    };
    assert_eq!(answer(|| stripe.erase(&erasure)).await.outcome, GatewayOutcome::Erased);
    assert_eq!(answer(|| stripe.state(&profile)).await, ProfileState::Absent);
}

async fn erase_all(stripe: &Stripe, profiles: usize) -> (f64, f64) {
    let (start, cpu) = (Instant::now(), cpu_time());
    stream::iter(0..profiles).for_each_concurrent(TOGETHER, |n| erase(stripe, n)).await;
    (start.elapsed().as_secs_f64(), (cpu_time().saturating_sub(cpu)).as_secs_f64())
}

// The figures are rounded when they are printed.
#[allow(clippy::cast_precision_loss, reason = "figures are printed with a few digits")]
async fn erasures(profiles: usize) {
    let imitation = Imitation::start("erasures");
    let (stripe, counted) = imitation.adapter(Limits::per_second(100_000).erasures(ALLOWED));
    let (wall, cpu) = erase_all(&stripe, profiles).await;
    println!("profiles erased per second, of 100 erasures allowed: {:.1}", profiles as f64 / wall);
    println!("429 answers: {}", counted.too_many.load(Ordering::Relaxed));
    println!("CPU time per erasure: {:.2} ms", cpu / profiles as f64 * 1e3);
    let requests = counted.requests.load(Ordering::Relaxed);
    println!("requests per erasure: {:.1}", requests as f64 / profiles as f64);
}

// The figures are rounded when they are printed.
#[allow(clippy::cast_precision_loss, reason = "figures are printed with a few digits")]
async fn requests(profiles: usize) {
    let imitation = Imitation::start("requests");
    let (stripe, counted) = imitation.adapter(Limits::per_second(ALLOWED));
    let (wall, _) = erase_all(&stripe, profiles).await;
    let requests = counted.requests.load(Ordering::Relaxed);
    println!("requests per second, of 100 requests allowed: {:.1}", requests as f64 / wall);
    println!("429 answers: {}", counted.too_many.load(Ordering::Relaxed));
    println!("profiles erased per second, of 100 requests allowed: {:.1}", profiles as f64 / wall);
}

const POLICY: &str = r#"
version = 1
sweep = false
[triggers]
requested = { treatment = "clear" }
[guards]
not_archived = { ignore = "each case archives first" }
[treatments.clear]
customer = "delete"
gateway.stripe = "erase"
"#;

// The figures are rounded when they are printed.
#[allow(clippy::cast_precision_loss, reason = "figures are printed with a few digits")]
async fn cases(profiles: usize) {
    let imitation = Imitation::start("erasures");
    let (stripe, counted) = imitation.adapter(Limits::per_second(100_000).erasures(ALLOWED));
    let map = DataMap::builder(RecordClass::new("customer").field(Field::key("id").token_part()))
        .knows(Fact::ActiveSubscriptions)
        .knows(Fact::Status)
        .knows(Fact::Tenants)
        .gateway("stripe")
        .build()
        .unwrap();
    let repository = MemoryRepository::new(map);
    let ids: Vec<CustomerId> = (0..profiles).map(|n| CustomerId::from(n.to_string())).collect();
    for (n, id) in ids.iter().enumerate() {
        let mut customer = Customer::new(id.clone(), "shop");
        customer.status = Status::Cancelled;
        customer.gateway_profiles.push(GatewayProfile::new("stripe", format!("cus_{n}").as_str()));
        repository.insert(customer, vec![Record::new("customer", id.as_str())]);
    }
    let engine = Engine::builder(
        ByRecord::new(repository),
        PolicyDocument::from_toml(POLICY).unwrap(),
        MemoryLedger::new(),
        MemoryKeyRing::new(TokenKey::new([7; 32])),
    )
    .gateway(stripe)
    .build()
    .unwrap();
    let now = Utc::now();
    let plans = engine.plan_batch(&ids, &Asked::request()).await.unwrap().into_iter().map(|planned| {
        let Planned::Plan(plan) = planned.unwrap() else { panic!("nothing stands in the way") };
        let approval =
            Approval::new("bench", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
        plan.approve(approval).unwrap()
    });
    let plans: Vec<_> = plans.collect();
    let start = Instant::now();
    let outcomes = engine.execute(plans).await.unwrap();
    let wall = start.elapsed().as_secs_f64();
    assert!(outcomes.iter().all(|outcome| outcome.certificate().is_some()));
    println!("cases closed per second, of 100 erasures allowed: {:.1}", profiles as f64 / wall);
    println!("429 answers: {}", counted.too_many.load(Ordering::Relaxed));
}

/// The user and system time of this process so far. Linux counts in hundredths of a second.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks: u64 = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}
