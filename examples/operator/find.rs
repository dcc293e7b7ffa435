//! The commands that find people. Each access is written to a file, which stands for the host's own access log.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use clap::Args;
use relinquish::customer::Identifiers;
use relinquish::data_map::{FieldName, Kind};
use relinquish::engine::{
    Access, AccessEvent, AccessLog, AccessLogError, Certainty, Purpose, Search, TracesOf,
};
use relinquish::plan::{Authority, NotAReasonCode};
use relinquish::request::RequestId;
use relinquish::store::PageRequest;
use relinquish::{CustomerId, CustomerStore, Engine, Error, MemoryLedger, SqliteStore, TenantId};
use serde_json::json;

use crate::answer::{Answer, Failure, misfits};
use crate::commands::opaque;
use crate::opening::{Documents, existing_ledger};

/// Who looks, why, and where the access is recorded.
#[derive(Args)]
pub(crate) struct Looking {
    #[command(flatten)]
    pub(crate) documents: Documents,
    /// An opaque id of the person who looks
    #[arg(long, value_name = "ID", value_parser = opaque)]
    approver: String,
    /// Why: a short code, such as ticket-4711; or request:ID, for a request whose identity is confirmed
    #[arg(long, value_name = "CODE", value_parser = purpose)]
    purpose: Purpose,
    /// The ledger, where the purpose is a request
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// The file to which each access is added, as a line of JSON
    #[arg(long, value_name = "FILE")]
    access_log: PathBuf,
}

fn purpose(text: &str) -> Result<Purpose, String> {
    match text.strip_prefix("request:") {
        Some(request) => Ok(Purpose::Request(RequestId::new(request))),
        None => text.parse().map(Purpose::Reason).map_err(|error: NotAReasonCode| error.to_string()),
    }
}

/// An access log in a file. Each event is a line of JSON.
#[derive(Debug)]
struct FileLog(PathBuf);

#[async_trait]
impl AccessLog for FileLog {
    async fn record(&self, event: &AccessEvent) -> Result<(), AccessLogError> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.0)?;
        writeln!(file, "{}", serde_json::to_string(event)?)?;
        Ok(file.sync_all()?)
    }
}

impl Looking {
    /// An engine that can read records, and the access. A user who can run this program may read all tenants.
    pub(crate) async fn open(&self) -> Result<(Engine, Access), Failure> {
        let opened = self.documents.open()?;
        let failed = |source| Failure::Database { file: self.documents.database.clone(), source };
        let tenants = all_tenants(&opened.store).await.map_err(failed)?;
        let keys = relinquish::ledger::MemoryKeyRing::new(relinquish::ledger::TokenKey::new([0; 32]));
        let store = opened.store;
        let builder = match &self.ledger {
            Some(ledger) => {
                Engine::builder(Arc::clone(&store), opened.policy, existing_ledger(ledger)?, keys)
            }
            None => Engine::builder(Arc::clone(&store), opened.policy, MemoryLedger::new(), keys),
        };
        let engine = builder.records(store).access_log(FileLog(self.access_log.clone())).build();
        let engine = engine.map_err(|found| Failure::Misfits(misfits(&self.documents.policy, &found)))?;
        Ok((engine, Access::new(Authority::new(self.approver.as_str(), tenants), self.purpose.clone())))
    }
}

async fn all_tenants(store: &SqliteStore) -> Result<Vec<TenantId>, relinquish::store::StoreError> {
    let mut tenants = Vec::new();
    for stand_ins in [false, true] {
        let mut after = None;
        loop {
            let request = PageRequest::new(500).after(after);
            let page = store.page(&if stand_ins { request.stand_ins() } else { request }).await?;
            for facts in page.customers {
                tenants.push(facts.tenant);
                tenants.extend(facts.connected);
            }
            tenants.sort();
            tenants.dedup();
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(tenants)
}

/// Arguments of `find`.
#[derive(Args)]
pub(crate) struct FindArgs {
    #[command(flatten)]
    looking: Looking,
    /// A customer's key
    #[arg(long, allow_hyphen_values = true, required_unless_present = "value")]
    key: Option<String>,
    /// A value of this kind: email, name, phone, address, …
    #[arg(long, requires = "value")]
    kind: Option<Kind>,
    /// The value
    #[arg(long, requires = "kind", allow_hyphen_values = true)]
    value: Option<String>,
    /// Find other spellings too: any case, with or without marks, names in any order, telephone numbers with or
    /// without a country code
    #[arg(long, requires = "value")]
    alike: bool,
    /// Read all records of a class if no index helps
    #[arg(long)]
    whole_tables: bool,
    /// The maximum number of places
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

/// Lists the records and fields that contain a value.
pub(crate) async fn find(args: &FindArgs) -> Result<Answer, Failure> {
    let (engine, access) = args.looking.open().await?;
    let mut search = Search::new().limit(args.limit);
    if let Some(key) = &args.key {
        search = search.key(key);
    }
    if let (Some(kind), Some(value)) = (&args.kind, &args.value) {
        search =
            if args.alike { search.alike(kind.clone(), value) } else { search.exact(kind.clone(), value) };
    }
    if args.whole_tables {
        search = search.reading_whole_tables();
    }
    let page = match engine.search(&search, &access).await {
        Err(error @ Error::ReadsWholeTables { .. }) => {
            let plan = engine.plan_search(&search)?;
            return Ok(Answer::refused(
                &json!({ "reads_whole": plan.reads_whole }),
                format!("refused: {error}; here: --whole-tables"),
            ));
        }
        other => other?,
    };
    let mut lines: Vec<String> = page
        .found
        .iter()
        .map(|found| {
            let how = if found.is_exact { "" } else { ", in another spelling" };
            format!("{} {}: {}{how}", found.class, found.key.as_str(), found.field)
        })
        .collect();
    if lines.is_empty() {
        lines.push("nothing was found".to_owned());
    }
    if page.next.is_some() {
        lines.push("there are more: raise --limit".to_owned());
    }
    Ok(Answer::done(lines.join("\n"), json!({ "found": page.found, "more": page.next.is_some() })))
}

/// Arguments of `traces`.
#[derive(Args)]
pub(crate) struct TracesArgs {
    #[command(flatten)]
    looking: Looking,
    /// The customer whose traces are searched
    #[arg(long, value_name = "ID", allow_hyphen_values = true, required_unless_present = "value")]
    customer: Option<String>,
    /// For a person who is not a customer: a value of this kind
    #[arg(long, requires = "value", conflicts_with = "customer")]
    kind: Option<Kind>,
    /// The value
    #[arg(long, requires = "kind", allow_hyphen_values = true)]
    value: Option<String>,
    /// The least certainty: possible, likely or certain
    #[arg(long, value_name = "WORD", default_value = "possible", value_parser = certainty)]
    at_least: Certainty,
}

fn certainty(text: &str) -> Result<Certainty, &'static str> {
    match text {
        "possible" => Ok(Certainty::Possible),
        "likely" => Ok(Certainty::Likely),
        "certain" => Ok(Certainty::Certain),
        _ => Err("write possible, likely or certain"),
    }
}

/// Lists every other place in which a person appears.
pub(crate) async fn traces(args: &TracesArgs) -> Result<Answer, Failure> {
    let (engine, access) = args.looking.open().await?;
    let of = match (&args.customer, &args.kind, &args.value) {
        (None, Some(kind), Some(value)) => {
            let mut known = Identifiers::new();
            known.insert(kind.clone(), value.as_str());
            TracesOf::Person(known)
        }
        (customer, ..) => TracesOf::Customer(CustomerId::new(customer.as_deref().unwrap_or_default())),
    };
    let mut tracing = engine.traces(&of, &access).await?;
    let mut all = Vec::new();
    while let Some(traces) = tracing.next().await? {
        all.extend(traces.into_iter().filter(|trace| trace.certainty >= args.at_least));
    }
    let lines = all.iter().map(|trace| {
        let fields: Vec<&str> = trace.fields.iter().map(FieldName::as_str).collect();
        let of =
            trace.customer.as_ref().map_or_else(String::new, |of| format!(", of customer {}", of.as_str()));
        let (class, key) = (&trace.class, trace.key.as_str());
        format!("{:?}: {class} {key}, {}: {:?}{of}", trace.certainty, fields.join(" and "), trace.reason)
    });
    let lines: Vec<String> = lines.collect();
    let text = if lines.is_empty() { "no other place was found".to_owned() } else { lines.join("\n") };
    Ok(Answer::done(text, json!({ "traces": all })))
}
