//! The register of requests, and the worker.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use clap::{Args, Subcommand};
use relinquish::engine::{Clock, RequestList, SystemClock};
use relinquish::ledger::{LedgerError, Register, WhichRequests};
use relinquish::plan::letter::Language;
use relinquish::plan::{Authority, ExtensionReason, Holidays, ReasonCode, Regime};
use relinquish::request::{
    Address, Answer as Decided, Channel, LetterKind, NewRequest, Note, PlanApproval, Request, RequestId,
    RequestKind, Stage, Who,
};
use relinquish::{Approval, CustomerId, Digest, Engine};
use serde_json::{Value, json};

use crate::answer::{Answer, Failure};
use crate::commands::opaque;
use crate::opening::{Documents, must_exist};
use crate::words::regime;

/// How many requests are read at once.
const PAGE: usize = 500;

/// The database, its map and policy, and the ledger.
#[derive(Args)]
struct There {
    #[command(flatten)]
    documents: Documents,
    /// The ledger
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
}

/// Arguments of `request`.
#[derive(Args)]
pub(crate) struct RequestArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Record a request that was received
    Add(Box<AddArgs>),
    /// Note the next step of a request
    Note(Box<NoteArgs>),
    /// Show the state of a request
    Show(ShowArgs),
    /// List requests: those that have not ended, or those that are due soon or overdue
    List(ListArgs),
}

#[derive(Args)]
struct AddArgs {
    #[command(flatten)]
    there: There,
    /// A random id, never used again, such as a UUID
    #[arg(long, value_name = "ID")]
    request: String,
    /// erasure, access, portability, restriction, objection or complaint
    #[arg(long, value_parser = kind)]
    kind: RequestKind,
    /// `web`, `email`, `post`, `phone` or `in_person`
    #[arg(long, value_parser = channel)]
    channel: Channel,
    /// When it was received: 2026-11-02T09:30:00Z
    #[arg(long, value_name = "INSTANT")]
    received: DateTime<Utc>,
    /// The day from which the clock counts [default: the day of that instant in the time zone of the customer's tenant]
    #[arg(long, value_name = "DAY")]
    day: Option<NaiveDate>,
    /// The law that sets the period: eu, uk, switzerland or california [default: that of the policy for the customer's tenant]
    #[arg(long, value_name = "REGIME", value_parser = regime)]
    regime: Option<Regime>,
    /// The customer who asks
    #[arg(long, value_name = "ID", allow_hyphen_values = true, required_unless_present = "address")]
    customer: Option<String>,
    /// The e-mail address of a person who is not a customer
    #[arg(long, conflicts_with = "customer")]
    address: Option<String>,
}

#[derive(Args)]
struct NoteArgs {
    #[command(flatten)]
    there: There,
    /// The request
    #[arg(long, value_name = "ID")]
    request: String,
    /// An opaque id of the person who makes the note; the ledger keeps it
    #[arg(long, value_name = "ID", value_parser = opaque)]
    approver: String,
    /// The day [default: today]
    #[arg(long, value_name = "DAY")]
    on: Option<NaiveDate>,
    #[command(subcommand)]
    what: Noted,
}

#[derive(Subcommand)]
enum Noted {
    /// The person was asked for proof of identity; the clock stops
    AskIdentity,
    /// The identity of the person is confirmed
    ConfirmIdentity {
        /// Your own reference for how it was confirmed
        #[arg(long, value_name = "CODE")]
        reference: ReasonCode,
    },
    /// The person was asked what the request refers to; the clock stops
    AskMeaning,
    /// The person was reminded
    Remind,
    /// The person has answered what the request refers to; the clock continues
    Answered,
    /// The person was told that it takes longer: `complexity` or `number_of_requests`
    Extend {
        /// Why
        #[arg(long, value_parser = extension)]
        reason: ExtensionReason,
    },
    /// A plan was approved; the worker carries it out
    Approve {
        /// The digest of the plan
        #[arg(long)]
        digest: Digest,
        /// The treatment, if it is not that of the trigger `requested`
        #[arg(long, value_name = "NAME")]
        treatment: Option<String>,
    },
    /// Decided: `granted`, `granted_in_part`, `refused`, `nothing_held`, `withdrawn` or `not_identified`
    Decide {
        /// The answer
        #[arg(long, value_parser = decided)]
        answer: Decided,
    },
    /// A letter was sent: receipt, question, extension, confirmation or refusal
    Letter {
        /// The kind
        #[arg(long, value_parser = letter)]
        kind: LetterKind,
        /// The language: en, sv or de
        #[arg(long)]
        lang: Language,
    },
    /// The person has the answer: the request ends, and the identity of the person is deleted
    End,
}

#[derive(Args)]
struct ShowArgs {
    #[command(flatten)]
    there: There,
    /// The request
    #[arg(long, value_name = "ID")]
    request: String,
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    there: There,
    #[command(flatten)]
    due: Due,
}

/// Which requests.
#[derive(Args)]
pub(crate) struct Due {
    /// Only requests for which somebody has to act within so many days, or had to before
    #[arg(long, value_name = "DAYS", num_args = 0..=1, default_missing_value = "7")]
    near_deadline: Option<u32>,
    /// Only requests whose answer, or whose confirmation of receipt, was due before today
    #[arg(long)]
    overdue: bool,
}

/// Arguments of `worker`.
#[derive(Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    there: There,
    /// Run one turn and end
    #[arg(long)]
    once: bool,
    /// The seconds between two turns
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    every: u64,
}

/// Arguments of `health`.
#[derive(Args)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    there: There,
}

/// Parses a word as the register writes it.
fn word<T: serde::de::DeserializeOwned>(text: &str, known: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|_| format!("it is one of {known}"))
}

fn kind(text: &str) -> Result<RequestKind, String> {
    word(text, "erasure, access, portability, restriction, objection, complaint")
}

fn channel(text: &str) -> Result<Channel, String> {
    word(text, "web, email, post, phone, in_person")
}

fn extension(text: &str) -> Result<ExtensionReason, String> {
    word(text, "complexity, number_of_requests")
}

fn decided(text: &str) -> Result<Decided, String> {
    word(text, "granted, granted_in_part, refused, nothing_held, withdrawn, not_identified")
}

fn letter(text: &str) -> Result<LetterKind, String> {
    word(text, "receipt, question, extension, confirmation, refusal")
}

impl There {
    async fn engine(&self) -> Result<Engine, Failure> {
        must_exist(&self.ledger)?;
        self.documents.engine(&self.ledger).await
    }
}

/// Records, notes, shows and lists requests.
pub(crate) async fn request(args: &RequestArgs) -> Result<Answer, Failure> {
    match &args.what {
        What::Add(args) => add(args).await,
        What::Note(args) => note(args).await,
        What::Show(args) => {
            let (engine, id) = (args.there.engine().await?, RequestId::new(args.request.as_str()));
            let none = || relinquish::Error::NoSuchRequest { request: id.clone() };
            Ok(one(&engine, &engine.request(&id).await?.ok_or_else(none)?))
        }
        What::List(args) => list(&args.there.engine().await?, &args.due).await,
    }
}

async fn add(args: &AddArgs) -> Result<Answer, Failure> {
    let engine = args.there.documents.engine(&args.there.ledger).await?;
    let who = match (&args.customer, &args.address) {
        (None, Some(address)) => Who::Person { address: Address::new(address.as_str()) },
        (customer, _) => Who::Customer { customer: CustomerId::new(customer.clone().unwrap_or_default()) },
    };
    let request = NewRequest::new(args.request.as_str(), args.kind, args.channel, who, args.received);
    let request = args.day.into_iter().fold(request, NewRequest::received_on);
    let request = args.regime.into_iter().fold(request, NewRequest::under);
    Ok(one(&engine, &engine.receive(request).await?))
}

async fn note(args: &NoteArgs) -> Result<Answer, Failure> {
    let engine = args.there.engine().await?;
    let id = RequestId::new(args.request.as_str());
    let now = SystemClock.now();
    let none = || relinquish::Error::NoSuchRequest { request: id.clone() };
    let new = engine.request(&id).await?.ok_or_else(none)?.new;
    let on = args.on.unwrap_or_else(|| engine.rules_for(&new).time_zone().day(now));
    let tenant = new.tenant;
    // Who runs this on the database's own machine has authority over whatever tenant it is about.
    let by = Authority::new(args.approver.as_str(), tenant.clone());
    let note = match &args.what {
        Noted::AskIdentity => Note::AskIdentity,
        Noted::ConfirmIdentity { reference } => Note::ConfirmIdentity { reference: reference.clone() },
        Noted::AskMeaning => Note::AskMeaning,
        Noted::Remind => Note::Remind,
        Noted::Answered => Note::Answered,
        Noted::Extend { reason } => Note::Extend { reason: *reason },
        Noted::Approve { digest, treatment } => Note::Approve(
            PlanApproval::new(Approval::new(
                args.approver.as_str(),
                tenant,
                *digest,
                now,
                TimeDelta::days(7),
            ))
            .treatment(treatment.as_deref().map(Into::into)),
        ),
        Noted::Decide { answer } => Note::Decide { answer: *answer },
        Noted::Letter { kind, lang } => Note::Send { kind: *kind, language: *lang, digest: None },
        Noted::End => Note::End,
    };
    Ok(one(&engine, &engine.note(&id, &note, on, &by).await?))
}

async fn list(engine: &Engine, due: &Due) -> Result<Answer, Failure> {
    let of = match due {
        Due { overdue: true, .. } => RequestList::Overdue,
        Due { near_deadline: Some(days), .. } => RequestList::DueWithin(*days),
        Due { near_deadline: None, .. } => RequestList::Open,
    };
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = engine.requests(of, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.new.id.clone());
        found.extend(page);
    }
    let lines: Vec<String> = found.iter().map(|request| line(engine, request)).collect();
    let text = if lines.is_empty() { "no request".to_owned() } else { lines.join("\n") };
    let listed: Vec<Value> = found.iter().map(|request| as_json(engine, request)).collect();
    Ok(Answer::done(text, json!({ "requests": listed })))
}

/// The requests that `status` lists. It reads only the register. `None` if the arguments do not ask for requests.
pub(crate) async fn due(
    ledger: &impl Register,
    due: &Due,
    today: NaiveDate,
    holidays: &Holidays,
) -> Result<Option<Vec<Value>>, LedgerError> {
    let latest = match (due.near_deadline, due.overdue) {
        (Some(days), _) => today.checked_add_days(Days::new(days.into())),
        (None, true) => today.pred_opt(),
        (None, false) => return Ok(None),
    };
    let latest = latest.unwrap_or(NaiveDate::MAX);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let which = WhichRequests::DueBy(latest);
        let page = ledger.list_requests(which, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(Some(found)) };
        after = Some(last.new.id.clone());
        for saved in page {
            let request = saved.request()?;
            let by = if due.near_deadline.is_some() { Request::act_by } else { Request::must_by };
            if by(&request, holidays).is_none_or(|day| day > latest) {
                continue;
            }
            found.push(json!({
                "request": request.new.id,
                "kind": request.new.kind,
                "stage": request.stage().as_str(),
                "due": request.due(holidays),
                "confirm_by": request.confirm_by(holidays),
                "remind_on": request.remind_on(),
                "overdue": request.must_by(holidays).is_some_and(|due| due < today),
            }));
        }
    }
}

/// Runs the worker of the engine: one turn, or until it is interrupted.
pub(crate) async fn worker(args: &WorkerArgs) -> Result<Answer, Failure> {
    let engine = args.there.engine().await?;
    let mut worker = engine.worker().every(Duration::from_secs(args.every));
    if !args.once {
        worker.run(std::future::pending()).await;
        return Ok(Answer::done("the worker has stopped".to_owned(), json!({ "worker": "stopped" })));
    }
    let turned = worker.turn().await?;
    let text = format!(
        "opened: {}, ended: {}, waiting: {}, blocked: {}, held: {}, to be approved again: {}, due soon: {}, forgotten: {}",
        turned.opened,
        turned.ended,
        turned.waiting,
        turned.blocked,
        turned.held,
        turned.not_approved,
        turned.due_soon,
        turned.forgotten
    );
    let json = json!({
        "opened": turned.opened,
        "ended": turned.ended,
        "waiting": turned.waiting,
        "blocked": turned.blocked,
        "held": turned.held,
        "not_approved": turned.not_approved,
        "due_soon": turned.due_soon,
        "forgotten": turned.forgotten,
    });
    Ok(Answer::done(text, json))
}

/// Counts open, blocked and overdue work, for a monitor.
pub(crate) async fn health(args: &HealthArgs) -> Result<Answer, Failure> {
    let health = args.there.engine().await?.health().await?;
    let text = format!(
        "requests open: {}, overdue: {}\ncases open: {}, blocked: {}, waiting: {}\nholds: {}{}",
        health.requests_open,
        health.requests_overdue,
        health.cases_open,
        health.cases_blocked,
        health.cases_waiting,
        health.holds_standing,
        if health.stopped { "; everything is stopped" } else { "" }
    );
    Ok(Answer::done(text, json!(health)))
}

fn one(engine: &Engine, request: &Request) -> Answer {
    Answer::done(line(engine, request), as_json(engine, request))
}

fn line(engine: &Engine, request: &Request) -> String {
    let customer = match &request.new.who {
        Some(Who::Customer { customer }) => format!(", customer {}", customer.as_str()),
        Some(Who::Person { .. }) => ", a person who is no customer".to_owned(),
        None => String::new(),
    };
    let holidays = engine.holidays();
    let mut due = match (request.stage(), request.due(holidays)) {
        (Stage::Ended, _) => String::new(),
        (_, Some(day)) => format!(", due {day}"),
        (_, None) if request.new.kind == RequestKind::Complaint => ", due without undue delay".to_owned(),
        (_, None) => ", the clock is stopped".to_owned(),
    };
    for (what, day) in [
        ("confirm the receipt by", request.confirm_by(holidays)),
        ("remind the person on", request.remind_on()),
    ] {
        due.extend(day.map(|day| format!(", {what} {day}")));
    }
    let new = &request.new;
    format!(
        "{}  {}{customer}, received {}: {}{due}",
        new.id,
        new.kind,
        request.clock.received_on(),
        request.stage().as_str()
    )
}

fn as_json(engine: &Engine, request: &Request) -> Value {
    let customer = match &request.new.who {
        Some(Who::Customer { customer }) => Some(customer.as_str()),
        _ => None,
    };
    json!({
        "request": request.new.id,
        "kind": request.new.kind,
        "channel": request.new.channel,
        "customer": customer,
        "tenant": request.new.tenant,
        "received_at": request.new.received_at,
        "received_on": request.clock.received_on(),
        "regime": request.clock.regime(),
        "stage": request.stage().as_str(),
        "due": request.due(engine.holidays()),
        "confirm_by": request.confirm_by(engine.holidays()),
        "remind_on": request.remind_on(),
        "case": request.running.as_ref().or(request.erased.as_ref()),
        "erased": request.erased.is_some(),
        "answer": request.answer.map(|(answer, _)| answer),
        "letters": request.letters,
    })
}
