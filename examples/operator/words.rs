//! What the policy says, for whoever asks: decisions with their reasons, what a change would hit, and letters.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, ValueEnum};
use relinquish::engine::{Clock, SystemClock};
use relinquish::plan::letter::{self, Language, Letterhead, Lingering};
use relinquish::plan::{Explanation, Holidays, Nothing, Reason, RequestClock};
use relinquish::{Asked, CustomerId, Decision, Engine, RecordStore, SqlMap, TenantId, policy};
use serde_json::json;

use crate::answer::{Answer, Failure, misfits};
use crate::commands::{Ask, instant};
use crate::opening::{Documents, read_policy};

/// Arguments of `decide`.
#[derive(Args)]
pub(crate) struct DecideArgs {
    #[command(flatten)]
    documents: Documents,
    #[command(flatten)]
    ask: Ask,
    /// Say why, step by step
    #[arg(long)]
    explain: bool,
    /// Decide as of another day (2027-01-31) or instant (2027-01-31T12:00:00Z)
    #[arg(long, value_name = "DATE", value_parser = instant)]
    as_of: Option<DateTime<Utc>>,
    /// The ledger, which knows who was treated before
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

/// Says what the policy says of a customer.
pub(crate) async fn decide(args: &DecideArgs) -> Result<Answer, Failure> {
    let engine = args.documents.planner(args.ledger.as_deref(), args.as_of).await?;
    let found = engine.explain(&args.ask.customer(), &args.ask.asked(&engine)).await?;
    let text = if args.explain { found.to_string() } else { found.decision.to_string() };
    let json = if args.explain { json!(found) } else { json!({ "decision": found.decision }) };
    Ok(match found.decision {
        Decision::Due(_) => Answer::done(text, json),
        Decision::NotYet(_) | Decision::Blocked(_) | Decision::Nothing(_) => Answer::refused(&json, text),
    })
}

/// Arguments of `impact`.
#[derive(Args)]
pub(crate) struct ImpactArgs {
    /// The SQLite database
    #[arg(long, value_name = "FILE")]
    database: PathBuf,
    /// The data map, TOML or JSON
    #[arg(long, value_name = "FILE")]
    map: PathBuf,
    /// The policy that is in force
    #[arg(long, value_name = "FILE")]
    old: PathBuf,
    /// The policy that is to come
    #[arg(long, value_name = "FILE")]
    new: PathBuf,
    /// As of another day (2027-01-31) or instant (2027-01-31T12:00:00Z)
    #[arg(long, value_name = "DATE", value_parser = instant)]
    as_of: Option<DateTime<Utc>>,
    /// The ledger, which knows who was treated before
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

/// Says what a changed policy would hit. Touches nothing.
pub(crate) async fn impact(args: &ImpactArgs) -> Result<Answer, Failure> {
    let documents =
        Documents { database: args.database.clone(), map: args.map.clone(), policy: args.old.clone() };
    let engine = documents.planner(args.ledger.as_deref(), args.as_of).await?;
    let new = read_policy(&args.new)?
        .check(engine.data_map())
        .map_err(|found| Failure::Misfits(misfits(&args.new, &found)))?;
    let impact = engine.impact(&new).await?;
    Ok(Answer::done(impact.to_string().trim_end(), json!(impact)))
}

/// Arguments of `unreadable`.
#[derive(Args)]
pub(crate) struct UnreadableArgs {
    #[command(flatten)]
    documents: Documents,
}

/// Lists the customers who are blocked because facts cannot be read, each with the facts. Touches nothing.
pub(crate) async fn unreadable(args: &UnreadableArgs) -> Result<Answer, Failure> {
    let engine = args.documents.planner(None, None).await?;
    let (mut lines, mut list) = (Vec::new(), Vec::new());
    let mut customers = engine.unreadable();
    while let Some(batch) = customers.next_batch().await? {
        for one in batch {
            let facts: Vec<&str> = one.facts.iter().map(String::as_str).collect();
            lines.push(format!("{}: {}", one.customer.as_str(), facts.join(", ")));
            list.push(json!({ "customer": one.customer.as_str(), "tenant": one.tenant, "facts": facts }));
        }
    }
    let text = if lines.is_empty() { "every customer can be read".to_owned() } else { lines.join("\n") };
    Ok(Answer::done(text, json!({ "unreadable": list })))
}

/// Who writes, and in which language.
#[derive(Args)]
pub(crate) struct Head {
    /// The language: en or sv
    #[arg(long, default_value = "en")]
    lang: Language,
    /// The supervisory authority
    #[arg(long, default_value = "the supervisory authority")]
    authority: String,
    /// Your reference
    #[arg(long, default_value = "-")]
    reference: String,
    /// The date of the letter [default: today]
    #[arg(long, value_name = "DATE")]
    date: Option<NaiveDate>,
    /// How many days backup copies linger at most
    #[arg(long, value_name = "N")]
    backup_days: Option<u32>,
}

impl Head {
    fn letterhead(&self, sender: Option<&str>) -> Letterhead {
        let today = || SystemClock.now().date_naive();
        let date = self.date.unwrap_or_else(today);
        Letterhead::new(
            self.lang,
            sender.unwrap_or("the controller"),
            &*self.authority,
            &*self.reference,
            date,
        )
    }

    fn lingering(&self) -> Lingering {
        self.backup_days.map_or(Lingering::Unknown, Lingering::Days)
    }
}

/// Arguments of `statement`.
#[derive(Args)]
pub(crate) struct StatementArgs {
    #[command(flatten)]
    documents: Documents,
    /// The tenant whose rules are told [default: those for everyone]
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    head: Head,
}

/// The retention policy in words for the people whose data it is about.
pub(crate) fn statement(args: &StatementArgs) -> Result<Answer, Failure> {
    let opened = args.documents.open()?;
    let policy = opened.policy.check(opened.store.data_map());
    let policy = policy.map_err(|found| Failure::Misfits(misfits(&args.documents.policy, &found)))?;
    let effective = match &args.tenant {
        Some(tenant) => policy.effective(&TenantId::new(tenant.as_str())),
        None => policy.everyone(),
    };
    let head = args.head.letterhead(policy.name());
    let text = letter::statement(&head, effective, &args.head.lingering());
    Ok(Answer::done(text.trim_end(), json!({ "statement": text })))
}

/// Which letter.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum LetterKind {
    /// A request is refused, with reasons and remedies
    Refusal,
    /// A request was carried out
    Confirmation,
    /// A request takes up to three months
    Extension,
}

/// Arguments of `letter`.
#[derive(Args)]
pub(crate) struct LetterArgs {
    #[command(flatten)]
    documents: Documents,
    /// The customer's id: what the data map's key column holds
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    customer: String,
    /// Which letter
    #[arg(long)]
    kind: LetterKind,
    /// The ledger, which knows what was done; for a confirmation
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// The day of receipt; for an extension
    #[arg(long, value_name = "DATE")]
    received: Option<NaiveDate>,
    /// Why it takes longer; for an extension
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    head: Head,
}

/// A letter, made from the decision itself.
pub(crate) async fn letter(args: &LetterArgs) -> Result<Answer, Failure> {
    let engine = args.documents.planner(args.ledger.as_deref(), None).await?;
    let head = args.head.letterhead(engine.policy().name());
    let found = engine.explain(&CustomerId::new(args.customer.as_str()), &Asked::request()).await?;
    let decision = &found.decision;
    let text = match args.kind {
        LetterKind::Refusal => refusal(&head, decision),
        LetterKind::Confirmation => confirmation(args, &head, &engine, &found),
        LetterKind::Extension => extension(args, &head),
    };
    Ok(match text {
        Ok(text) => Answer::done(text.trim_end(), json!({ "letter": text })),
        Err(why) => Answer::refused(&json!({ "decision": decision }), format!("refused: {why}")),
    })
}

fn refusal(head: &Letterhead, decision: &Decision) -> Result<String, String> {
    letter::refusal(head, decision).ok_or_else(|| match decision {
        Decision::Blocked(_) => {
            format!("no ground in law stands against the request; put right what does: {decision}")
        }
        _ => format!("there is nothing to refuse: {decision}"),
    })
}

fn confirmation(
    args: &LetterArgs,
    head: &Letterhead,
    engine: &Engine,
    found: &Explanation,
) -> Result<String, String> {
    let Decision::Nothing(Nothing::TreatedBefore { at, deferred, .. }) = &found.decision else {
        return Err(format!("there is nothing to confirm: {}", found.decision));
    };
    let own = found.reasons.iter().find_map(|reason| match reason {
        Reason::InForce { tenant, .. } => tenant.as_ref(),
        _ => None,
    });
    let policy = own.map_or(engine.policy().everyone(), |tenant| engine.policy().effective(tenant));
    let treatment = policy
        .triggers()
        .get(&policy::Trigger::Requested)
        .and_then(|rule| policy.treatments().get(rule.treatment()))
        .ok_or("the policy has no treatment for a request")?;
    let done = policy.time_zone().day(*at);
    Ok(letter::confirmation(
        head,
        &letter::Done { treatment, deferred, on: done, link_until: None, lingering: &args.head.lingering() },
    ))
}

fn extension(args: &LetterArgs, head: &Letterhead) -> Result<String, String> {
    let (Some(received), Some(reason)) = (args.received, &args.reason) else {
        return Err("an extension needs --received and --reason".to_owned());
    };
    let holidays = Holidays::default();
    let mut clock = RequestClock::received(received);
    clock.extend(head.date, reason.as_str(), &holidays).map_err(|error| error.to_string())?;
    letter::extension(head, &clock, &holidays).ok_or_else(|| "beyond the calendar".to_owned())
}

/// Of which document.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Document {
    /// A policy
    Policy,
    /// A data map
    Map,
}

/// Arguments of `schema`.
#[derive(Args)]
pub(crate) struct SchemaArgs {
    /// Of which document
    #[arg(long, default_value = "policy")]
    of: Document,
}

/// The JSON Schema of a document, for editors.
pub(crate) fn schema(args: &SchemaArgs) -> Answer {
    let schema = match args.of {
        Document::Policy => policy::schema(),
        Document::Map => SqlMap::schema(),
    };
    Answer::done(format!("{schema:#}"), schema)
}
