//! What the policy says, for whoever asks: decisions with their reasons, what a change would hit, and letters.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use relinquish::data_map::TimeZone;
use relinquish::engine::{Clock, SystemClock};
use relinquish::plan::letter::{
    self, Authority, Controller, Language, Letter, LetterError, Letterhead, Lingering, Recipients, Request,
};
use relinquish::plan::{CaseId, Due, Explanation, ExtensionReason, Nothing, Reason, Regime, RequestClock};
use relinquish::policy::{Concept, Effective, Trigger};
use relinquish::store::sql::Samples;
use relinquish::{
    Asked, Certificate, CustomerId, DataMap, Decision, Engine, Error, Policy, RecordStore, SqlMap,
    SqliteStore, TenantId, policy,
};
use serde_json::json;

use crate::answer::{Answer, Failure, misfits};
use crate::commands::Ask;
use crate::opening::{AsOf, Documents, existing_ledger, read_policy};

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
    #[arg(long, value_name = "DATE")]
    as_of: Option<AsOf>,
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
    #[arg(long, value_name = "DATE")]
    as_of: Option<AsOf>,
    /// The ledger, which knows who was treated before
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

/// Says what a changed policy would hit. Touches nothing.
pub(crate) async fn impact(args: &ImpactArgs) -> Result<Answer, Failure> {
    let documents = Documents {
        database: args.database.clone(),
        map: args.map.clone(),
        policy: args.old.clone(),
        holidays: None,
    };
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
    /// The language: en, sv or de
    #[arg(long, default_value = "en")]
    lang: Language,
    /// The controller [default: the name of the policy]
    #[arg(long, value_name = "NAME")]
    controller: Option<String>,
    /// How the person reaches the controller: a postal or an e-mail address
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(crate) contact: String,
    /// The data protection officer, with contact
    #[arg(long, value_name = "TEXT")]
    officer: Option<String>,
    /// The supervisory authority
    #[arg(long, default_value = "", value_name = "NAME")]
    authority: String,
    /// The address of the supervisory authority
    #[arg(long, default_value = "", value_name = "TEXT")]
    authority_address: String,
    /// The date of the letter [default: today in the time zone of the policy]
    #[arg(long, value_name = "DATE")]
    date: Option<NaiveDate>,
    /// How many days backup copies linger at most
    #[arg(long, value_name = "N")]
    backup_days: Option<u32>,
    /// The person has asked who received the data; name each recipient of the case, with what it was told
    #[arg(long)]
    name_recipients: bool,
    /// The person may object to the processing
    #[arg(long)]
    may_object: bool,
    /// Data are processed with the person's consent
    #[arg(long)]
    has_consented: bool,
}

impl Head {
    pub(crate) fn letterhead(&self, policy: &Policy, zone: TimeZone) -> Result<Letterhead, LetterError> {
        let name = self.controller.as_deref().or(policy.name()).unwrap_or_default();
        let mut controller = Controller::new(name, &*self.contact);
        controller.officer.clone_from(&self.officer);
        let authority = Authority::new(&*self.authority, &*self.authority_address);
        let date = self.date.unwrap_or_else(|| zone.day(SystemClock.now()));
        let head = Letterhead::new(policy, self.lang, controller, authority, date)?;
        let head = head.with_backups(self.backup_days.map_or(Lingering::Unknown, Lingering::Days));
        let head = if self.may_object { head.with_objection() } else { head };
        let head = if self.has_consented { head.with_consent() } else { head };
        Ok(if self.name_recipients { head.with_recipients(Recipients::Named) } else { head })
    }
}

/// A letter, or why there is none. What the command line left out is named with the option that says it.
fn answer(letter: Result<Letter, LetterError>, name: &str) -> Answer {
    match letter {
        Ok(letter) => {
            let text = letter.to_string();
            Answer::done(text.trim_end(), json!({ name: text }))
        }
        Err(error) => {
            let option = match &error {
                LetterError::Empty { what: "the controller's name" } => {
                    "; give --controller, or name the policy"
                }
                LetterError::Empty { what: "the controller's contact" } => "; give --contact",
                LetterError::Empty { what: "the authority's name" } => "; give --authority",
                LetterError::Empty { what: "the authority's address" } => "; give --authority-address",
                LetterError::Request { .. } | LetterError::Empty { .. } => {
                    "; give --reference and --received"
                }
                LetterError::Early { .. } => " (--date and --received)",
                _ => "",
            };
            let text = format!("refused: {error}{option}");
            Answer::refused(&json!({ "letter": error.to_string() }), text)
        }
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
    let (policy, _) = checked(&args.documents)?;
    let tenant = args.tenant.as_deref().map(TenantId::new);
    let zone = tenant.as_ref().map_or(policy.everyone(), |tenant| policy.effective(tenant)).time_zone();
    let head = args.head.letterhead(&policy, zone);
    Ok(answer(head.and_then(|head| letter::statement(&head, &policy, tenant.as_ref())), "statement"))
}

fn checked(documents: &Documents) -> Result<(Policy, DataMap), Failure> {
    let opened = documents.open()?;
    let map = opened.store.data_map().clone();
    let policy = opened.policy.check(&map);
    Ok((policy.map_err(|found| Failure::Misfits(misfits(&documents.policy, &found)))?, map))
}

/// Arguments of `concept`.
#[derive(Args)]
pub(crate) struct ConceptArgs {
    #[command(flatten)]
    documents: Documents,
    /// The tenant whose rules are told [default: those for everyone]
    #[arg(long)]
    tenant: Option<String>,
    /// As CSV instead of Markdown
    #[arg(long)]
    csv: bool,
}

/// The deletion concept, from map and policy.
pub(crate) fn concept(args: &ConceptArgs) -> Result<Answer, Failure> {
    let (policy, map) = checked(&args.documents)?;
    let tenant = args.tenant.as_deref().map(TenantId::new);
    let concept = Concept::of(&policy, tenant.as_ref(), &map);
    let text = if args.csv { concept.to_csv() } else { concept.to_markdown() };
    let unowned: Vec<&str> = concept.without_owner().collect();
    Ok(Answer::done(text.trim_end(), json!({ "concept": text, "without_owner": unowned })))
}

/// Which letter.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum LetterKind {
    /// A request is refused, with reasons and remedies
    Refusal,
    /// An erasure was carried out
    Confirmation,
    /// A request takes longer
    Extension,
}

/// Why a request takes longer.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Why {
    /// The request is complex
    Complexity,
    /// There are many requests
    Requests,
}

/// Arguments of `letter`.
#[derive(Args)]
pub(crate) struct LetterArgs {
    #[command(flatten)]
    documents: Documents,
    /// The customer's id: what the data map's key column holds
    #[arg(long, value_name = "ID", allow_hyphen_values = true, required_unless_present_any = ["case", "tenant"])]
    customer: Option<String>,
    /// The closed case, for a confirmation; the customer's record need not be there any more
    #[arg(long, conflicts_with = "customer")]
    case: Option<String>,
    /// Which letter
    #[arg(long)]
    kind: LetterKind,
    /// The ledger, which knows holds and what was done; for a confirmation or a refusal
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Your reference of the request
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// The day on which the request was received
    #[arg(long, value_name = "DATE")]
    received: Option<NaiveDate>,
    /// Why it takes longer; for an extension
    #[arg(long)]
    reason: Option<Why>,
    /// The tenant whose rules apply, if the customer's record is not there; for an extension
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    head: Head,
}

/// The regime of a clock.
pub(crate) fn regime(text: &str) -> Result<Regime, String> {
    let known = || Regime::ALL.map(Regime::as_str).join(", ");
    Regime::named(text).ok_or_else(|| format!("it is one of {}", known()))
}

impl LetterArgs {
    fn request(&self) -> Option<Request> {
        Some(Request::new(self.reference.as_deref()?, self.received?))
    }

    fn customer(&self) -> CustomerId {
        CustomerId::new(self.customer.as_deref().unwrap_or_default())
    }
}

/// A letter, made from the decision or from the closed case.
pub(crate) async fn letter(args: &LetterArgs) -> Result<Answer, Failure> {
    let engine = args.documents.planner(args.ledger.as_deref(), None).await?;
    let policy = engine.policy();
    match args.kind {
        LetterKind::Refusal if args.ledger.is_none() => {
            let text = "refused: a refusal depends on holds, and on what was erased before; give --ledger";
            Ok(Answer::refused(&json!({ "letter": "no_ledger" }), text))
        }
        LetterKind::Refusal => {
            let found = engine.explain(&args.customer(), &Asked::request()).await?;
            let effective = in_force(policy, &found);
            let head = args.head.letterhead(policy, effective.time_zone());
            let request = args.request().ok_or(LetterError::Request { asked: true });
            let letter = head.and_then(|head| letter::refusal(&head, &request?, effective, &found.decision));
            Ok(match letter {
                // What stands in the way, or that nothing does, the decision says.
                Err(error @ (LetterError::NothingRefused | LetterError::NoGround)) => Answer::refused(
                    &json!({ "decision": found.decision }),
                    format!("refused: {error}\n{}", found.decision),
                ),
                letter => answer(letter, "letter"),
            })
        }
        LetterKind::Confirmation => confirmation(args, &engine).await,
        LetterKind::Extension => extension(args, &engine).await,
    }
}

/// The rules that were in force for the decision.
fn in_force<'p>(policy: &'p Policy, found: &Explanation) -> &'p Effective {
    let own = found.reasons.iter().find_map(|reason| match reason {
        Reason::InForce { tenant, .. } => tenant.as_ref(),
        _ => None,
    });
    own.map_or(policy.everyone(), |tenant| policy.effective(tenant))
}

async fn confirmation(args: &LetterArgs, engine: &Engine) -> Result<Answer, Failure> {
    let Some(ledger) = &args.ledger else {
        let text = "refused: a confirmation is made from the closed case; give --ledger";
        return Ok(Answer::refused(&json!({ "letter": "no_ledger" }), text));
    };
    let case = if let Some(case) = &args.case {
        CaseId::new(case.as_str())
    } else {
        let found = match engine.explain(&args.customer(), &Asked::request()).await {
            Err(error @ Error::NoSuchCustomer) => {
                let text = format!(
                    "refused: {error}. If the erasure deleted the customer's record, name the closed case: --case"
                );
                return Ok(Answer::refused(&json!({ "letter": "no_such_customer" }), text));
            }
            found => found?,
        };
        match &found.decision {
            Decision::Nothing(Nothing::TreatedBefore { case, .. }) => case.clone(),
            Decision::Due(Due { again: Some(again), .. }) => again.case.clone(),
            other => {
                let text = format!("refused: there is nothing to confirm: {other}");
                return Ok(Answer::refused(&json!({ "decision": other }), text));
            }
        }
    };
    let failed = |source| Failure::Ledger { file: ledger.clone(), source };
    let certificate = Certificate::read(&existing_ledger(ledger)?, &case).await.map_err(failed)?;
    let Some(certificate) = certificate else {
        let text = format!("refused: the ledger has no erasure under case {case}");
        return Ok(Answer::refused(&json!({ "case": case, "certificate": "none" }), text));
    };
    let policy = engine.policy();
    let told = certificate.letter_facts();
    let zone = policy.effective(certificate.tenant()).time_zone();
    let request = if told.trigger == Trigger::Requested { args.request() } else { None };
    let head = args.head.letterhead(policy, zone);
    Ok(answer(head.and_then(|head| letter::confirmation(&head, request.as_ref(), &told)), "letter"))
}

async fn extension(args: &LetterArgs, engine: &Engine) -> Result<Answer, Failure> {
    let refused = |text: String| Answer::refused(&json!({ "letter": text }), format!("refused: {text}"));
    let (Some(request), Some(reason)) = (args.request(), args.reason) else {
        return Ok(refused("an extension needs --reference, --received and --reason".to_owned()));
    };
    let policy = engine.policy();
    let effective = match &args.tenant {
        Some(tenant) => policy.effective(&TenantId::new(tenant)),
        None => in_force(policy, &engine.explain(&args.customer(), &Asked::request()).await?),
    };
    let head = match args.head.letterhead(policy, effective.time_zone()) {
        Ok(head) => head,
        Err(error) => return Ok(answer(Err(error), "letter")),
    };
    let regime = Regime::of(effective.privacy_law(), request.received);
    let reason = match reason {
        Why::Complexity => ExtensionReason::Complexity,
        Why::Requests => ExtensionReason::NumberOfRequests,
    };
    let mut clock = RequestClock::under(regime, request.received);
    let holidays = engine.holidays();
    if let Err(error) = clock.extend(head.date, reason, holidays) {
        return Ok(refused(error.to_string()));
    }
    Ok(answer(letter::extension(&head, &request.reference, effective, &clock, holidays), "letter"))
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

/// Arguments of `draft`.
#[derive(Args)]
pub(crate) struct DraftArgs {
    /// The database
    #[arg(long)]
    database: PathBuf,
    /// The table in which the customers are
    #[arg(long)]
    customers: String,
    /// Look at so many rows of each table as well; no value of them is printed
    #[arg(long, default_value_t = 0)]
    samples: u32,
}

/// A map drafted from the schema.
pub(crate) fn draft(args: &DraftArgs) -> Result<Answer, Failure> {
    let samples = if args.samples == 0 { Samples::None } else { Samples::Rows(args.samples) };
    let draft = SqliteStore::draft(&args.database, &args.customers, samples)
        .map_err(|source| Failure::Database { file: args.database.clone(), source })?;
    let guesses: Vec<_> = draft
        .guesses()
        .iter()
        .map(|guess| json!({ "path": guess.path, "value": guess.value, "why": guess.why, "risk": format!("{:?}", guess.risk).to_lowercase() }))
        .collect();
    let text = draft.to_string();
    let json = json!({ "map": text, "guesses": guesses, "open": draft.open() });
    Ok(Answer::done(text, json))
}
