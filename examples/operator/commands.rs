//! The commands, each from its arguments to an answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, TimeDelta};
use clap::Args;
use relinquish::data_map::{Field, NotCovered, RecordClass, TimeZone};
use relinquish::engine::{Clock, SystemClock, census_problems, census_request, check_tenants};
use relinquish::ledger::{Closing, EntryBody, Ledger, LedgerError};
use relinquish::plan::letter::Language;
use relinquish::plan::{ApprovalError, Authority, CaseId, Holidays, OperatorId, ReasonCode};
use relinquish::policy::Trigger;
use relinquish::store::sql::Note;
use relinquish::store::{ListUncertain, Scrub, TakeCensus, TallyRequest, UncertainMention};
use relinquish::{
    Approval, Asked, Certificate, CustomerId, DataMap, Digest, Engine, Error, Plan, Planned, Policy,
    RecordStore, TenantId,
};
use serde_json::{Value, json};

use crate::answer::{Answer, Failure, misfits};
use crate::opening::{AsOf, Documents, existing_ledger, holidays, must_exist};
use crate::requests::{self, Due};

/// How many entries or cases are read at once.
const PAGE: usize = 500;

/// Arguments of `check`.
#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    documents: Documents,
    /// Refuse if the schema has changed since an earlier check: the digest that the check printed
    #[arg(long, value_name = "DIGEST")]
    schema: Option<Digest>,
}

/// Checks map and policy against the database, and counts all rows.
pub(crate) async fn check(args: &CheckArgs) -> Result<Answer, Failure> {
    let documents = &args.documents;
    let opened = documents.open()?;
    let map = opened.store.data_map();
    let policy =
        opened.policy.check(map).map_err(|found| Failure::Misfits(misfits(&documents.policy, &found)))?;
    match check_tenants(&opened.store, &policy).await {
        Err(Error::NoSuchTenant(found)) => {
            return Err(Failure::Misfits(misfits(&documents.policy, &found)));
        }
        other => other?,
    }
    let failed = |source| Failure::Database { file: documents.database.clone(), source };
    let census =
        opened.store.census(&census_request(&policy, map, SystemClock.now())).await.map_err(failed)?;
    let problems = census_problems(&census, &policy);
    if problems.iter().next().is_some() {
        return Err(Failure::Misfits(misfits(&documents.map, &problems)));
    }
    let notes = opened.store.notes();
    if args.schema.is_some_and(|schema| schema != census.schema) {
        // The map fits the database. So anything new is covered by a `rest` line, or is in a table that the map does
        // not name.
        let covered = notes.iter().filter(|note| matches!(note, Note::Rest { .. } | Note::LeadsOut { .. }));
        let beside = map.unmapped().iter().filter(|what| matches!(what, NotCovered::Tables(_)));
        let look: Vec<String> =
            covered.map(ToString::to_string).chain(beside.map(ToString::to_string)).collect();
        let reason = json!({ "schema": census.schema, "look_at": look });
        let more = if look.is_empty() {
            "the map names every column; a type, a key, a trigger or an index is another one".to_owned()
        } else {
            format!(
                "look whether one of these is new, which no line of the map names:\n    {}",
                look.join("\n    ")
            )
        };
        let text = format!(
            "refused: the schema of {} has changed since that check; its digest is {} now\n  the map fits it; {more}",
            shown(&documents.database),
            census.schema
        );
        return Ok(Answer::refused(&reason, text));
    }
    let of_policy = policy.notes();
    let listed = notes.iter().map(ToString::to_string).chain(of_policy.iter().map(ToString::to_string));
    let listed: Vec<String> = listed.map(|note| format!("\n  note       {note}")).collect();
    let listed = listed.concat();
    let checked = check_text(documents, map, &policy);
    let text = format!("{checked}\n  schema     {}{listed}\n{census}", census.schema);
    let mut answer = check_json(map, &policy);
    if let Some(table) = answer.as_object_mut() {
        table.insert("census".to_owned(), json!(census));
        table.insert("notes".to_owned(), json!(notes));
        table.insert("policy_notes".to_owned(), json!(of_policy));
    }
    Ok(Answer::done(text, answer))
}

fn fields(map: &DataMap) -> impl Iterator<Item = &Field> {
    map.classes().flat_map(RecordClass::fields)
}

fn check_text(documents: &Documents, map: &DataMap, policy: &Policy) -> String {
    let mut lines = vec![
        format!(
            "{} and {} fit {}",
            shown(&documents.map),
            shown(&documents.policy),
            shown(&documents.database)
        ),
        format!("  policy     {}", policy.name().unwrap_or("without a name")),
        format!(
            "  data map   {} record classes, {} fields, {} of them personal",
            map.classes().count(),
            fields(map).count(),
            fields(map).filter(|field| field.kind().is_some()).count()
        ),
        format!("  sweep      {}", if policy.sweeps() { "on" } else { "off: nobody is erased unasked" }),
    ];
    lines.extend(policy.triggers().iter().map(|(trigger, rule)| {
        let after = rule.after().map_or_else(String::new, |period| format!(", after {period}"));
        format!("  trigger    {trigger}: treatment {}{after}", rule.treatment())
    }));
    lines.extend(policy.treatments().values().map(|treatment| {
        let because = match treatment.links() {
            [] => String::new(),
            stays => {
                let stays: Vec<String> = stays.iter().map(ToString::to_string).collect();
                format!(", because these stay: {}", stays.join(", "))
            }
        };
        format!(
            "  treatment  {}: afterwards the person is {}{because}",
            treatment.name(),
            treatment.outcome()
        )
    }));
    lines.extend(
        map.unmapped()
            .iter()
            .map(|what| format!("  beside     {what}: look whether they hold anything of a customer")),
    );
    lines.extend(map.gateways().iter().map(|gateway| {
        format!("  gateway    {gateway}: no adapter in this tool; erase with the host's own program")
    }));
    lines.join("\n")
}

fn check_json(map: &DataMap, policy: &Policy) -> Value {
    let treatments = policy.treatments().values().map(|treatment| {
        json!({
            "name": treatment.name(),
            "digest": treatment.digest(),
            "outcome": treatment.outcome(),
            "links": treatment.links().iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    let triggers = policy.triggers().iter();
    json!({
        "policy": { "name": policy.name(), "digest": policy.digest(), "sweep": policy.sweeps() },
        "beside": map.unmapped().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "data_map": {
            "digest": policy.map_digest(),
            "classes": map.classes().count(),
            "fields": fields(map).count(),
            "personal_fields": fields(map).filter(|field| field.kind().is_some()).count(),
            "gateways": map.gateways(),
        },
        "triggers": triggers.map(|(name, rule)| (name.to_string(), rule.treatment())).collect::<BTreeMap<_, _>>(),
        "treatments": treatments.collect::<Vec<_>>(),
    })
}

fn shown(path: &Path) -> std::path::Display<'_> {
    path.display()
}

/// The customer, and whether the person or the schedule asks. The digest contains both, so `plan` and `erase` need
/// the same arguments.
#[derive(Args)]
pub(crate) struct Ask {
    /// The customer's id: what the data map's key column holds
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    customer: String,
    /// A treatment of the policy, instead of the one that its trigger `requested` names
    #[arg(long, value_name = "NAME")]
    treatment: Option<String>,
    /// Ask as the scheduled sweep does, and not for the person
    #[arg(long, conflicts_with = "treatment")]
    sweep: bool,
}

impl Ask {
    pub(crate) fn customer(&self) -> CustomerId {
        CustomerId::new(self.customer.as_str())
    }

    pub(crate) fn asked(&self, engine: &Engine) -> Asked {
        let is_request = engine.policy().triggers().contains_key(&Trigger::Requested);
        match &self.treatment {
            Some(name) => Asked::Request { treatment: Some(name.as_str().into()) },
            None if is_request && !self.sweep => Asked::request(),
            None => Asked::Sweep,
        }
    }

    async fn plan(&self, engine: &Engine) -> Result<Planned, Error> {
        engine.plan(&self.customer(), &self.asked(engine)).await
    }
}

/// Arguments of `plan`.
#[derive(Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    documents: Documents,
    #[command(flatten)]
    ask: Ask,
    /// Plan as of another day (2027-01-31) or instant (2027-01-31T12:00:00Z)
    #[arg(long, value_name = "DATE")]
    as_of: Option<AsOf>,
    /// The ledger, which knows the customers who were treated before
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// List mentions that are not certain by class, key and field, so that a person can look at each
    #[arg(long)]
    mentions: bool,
}

/// The mentions that a plan does not change because they are not certain, row by row.
async fn mentions(args: &PlanArgs, engine: &Engine, plan: &Plan) -> Result<Vec<UncertainMention>, Failure> {
    let zone = engine.policy().everyone().time_zone();
    let now = args.as_of.map_or_else(|| SystemClock.now(), |as_of| as_of.instant(zone));
    let treatment = engine.policy().dated(plan.tenant(), plan.treatment(), now);
    let request = TallyRequest::new(vec![plan.customer().clone()], treatment).at(now);
    let listed = args.documents.open()?.store.list_uncertain(&request).await.map_err(Error::from)?;
    Ok(listed.into_iter().collect::<Result<Vec<_>, _>>().map_err(Error::from)?.concat())
}

/// Plans; touches nothing.
pub(crate) async fn plan(args: &PlanArgs) -> Result<Answer, Failure> {
    let engine = args.documents.planner(args.ledger.as_deref(), args.as_of).await?;
    let plan = match args.ask.plan(&engine).await? {
        Planned::Plan(plan) => plan,
        no_plan => return Ok(Answer::refused(&no_plan.decision(), no_plan.to_string())),
    };
    let mut lines = vec![plan.to_string(), format!("  to approve it: erase … --digest {}", plan.digest())];
    if let Some(ledger) = args.ledger.as_deref().filter(|path| !path.exists()) {
        lines.push(format!("  there is no ledger {} yet; the first erasure makes it", shown(ledger)));
    }
    let mut said = plan.to_json();
    if args.mentions {
        let mentions = mentions(args, &engine, &plan).await?;
        lines.push(format!("  mentions that are not certain: {}", mentions.len()));
        lines.extend(mentions.iter().map(|mention| {
            let UncertainMention { class, key, field, mentions, .. } = mention;
            format!("    {class} {}: {mentions} in {field}", key.as_str())
        }));
        if let Some(said) = said.as_object_mut() {
            said.insert("mentions".to_owned(), json!(mentions));
        }
    }
    Ok(Answer::done(lines.join("\n"), said))
}

/// Arguments of `erase`.
#[derive(Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    documents: Documents,
    #[command(flatten)]
    ask: Ask,
    /// An opaque id of the approver; it goes into the ledger, so do not use a name or an e-mail address
    #[arg(long, value_name = "ID", value_parser = opaque)]
    approver: String,
    /// The digest of the approved plan
    #[arg(long)]
    digest: String,
    /// A tenant over which the approver has authority; can be given again [default: the customer's own]
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<String>,
    /// The ledger; keep it outside of what is backed up with the database
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
}

/// Plans again, and erases if the new plan has the approved digest.
pub(crate) async fn erase(args: &EraseArgs) -> Result<Answer, Failure> {
    let engine = args.documents.engine(&args.ledger).await?;
    let plan = match args.ask.plan(&engine).await? {
        Planned::Plan(plan) => *plan,
        no_plan => return Ok(Answer::refused(&no_plan.decision(), no_plan.to_string())),
    };
    let digest = match args.digest.parse::<Digest>() {
        Ok(digest) => digest,
        // An incomplete digest approves nothing either.
        Err(error) => {
            let reason = json!({ "approval": "no_digest", "plan": plan.digest() });
            return Ok(Answer::refused(&reason, format!("refused: {error}")));
        }
    };
    let now = SystemClock.now();
    let approval =
        Approval::new(args.approver.as_str(), args.authority(&plan), digest, now, TimeDelta::hours(1));
    let plan_digest = plan.digest();
    let outcome = match plan.approve(approval).map_err(Error::from) {
        Ok(approved) => engine.erase(approved).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(outcome) => Ok(Answer::of_case(&outcome)),
        Err(Error::Approval(error)) => {
            let kind = match &error {
                ApprovalError::OtherPlan { .. } => "other_plan",
                ApprovalError::OtherTenant { .. } => "other_tenant",
                ApprovalError::Expired { .. } => "expired",
                _ => "invalid",
            };
            let reason = json!({ "approval": kind, "plan": plan_digest });
            Ok(Answer::refused(&reason, format!("refused: {error}")))
        }
        Err(error) => Err(error.into()),
    }
}

impl EraseArgs {
    fn authority(&self, plan: &Plan) -> Vec<TenantId> {
        if self.tenants.is_empty() {
            vec![plan.tenant().clone()]
        } else {
            self.tenants.iter().map(|tenant| tenant.as_str().into()).collect()
        }
    }
}

/// Arguments of `certificate`.
#[derive(Args)]
pub(crate) struct CertificateArgs {
    /// The ledger
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// The closed case
    #[arg(long)]
    case: String,
    /// Print a page of HTML instead, in this language: en, sv or de
    #[arg(long, value_name = "LANGUAGE")]
    html: Option<Language>,
}

/// Prints a certificate again. After a scrub, the certificate mentions the scrub.
pub(crate) async fn certificate(args: &CertificateArgs) -> Result<Answer, Failure> {
    let ledger = existing_ledger(&args.ledger)?;
    let case = CaseId::new(args.case.as_str());
    let certificate = Certificate::read(&ledger, &case)
        .await
        .map_err(|source| Failure::Ledger { file: args.ledger.clone(), source })?;
    if let (Some(certificate), Some(language)) = (&certificate, args.html) {
        let html = certificate.to_html(language, None);
        return Ok(Answer::done(html.as_str(), json!({ "html": html })));
    }
    if let Some(certificate) = certificate {
        return Ok(Answer::done(certificate.to_string(), json!(certificate)));
    }
    let text =
        format!("refused: the ledger has no erasure under case {case}; the certificate names its case");
    Ok(Answer::refused(&json!({ "case": case, "certificate": "none" }), text))
}

/// Checks an operator's id. It goes into the ledger, so it must not name a person.
pub(crate) fn opaque(text: &str) -> Result<String, String> {
    match OperatorId::from(text).check() {
        Ok(()) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Arguments of `status`.
#[derive(Args)]
pub(crate) struct StatusArgs {
    /// The ledger
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    #[command(flatten)]
    due: Due,
    /// The zone in which days are counted: that of the policy, which this command does not read
    #[arg(long, value_name = "ZONE", default_value_t = TimeZone::UTC)]
    time_zone: TimeZone,
    /// A file with a holiday on each line, such as 2026-12-25
    #[arg(long, value_name = "FILE")]
    holidays: Option<PathBuf>,
}

/// Lists the open cases and counts the closed ones.
pub(crate) async fn status(args: &StatusArgs) -> Result<Answer, Failure> {
    let ledger = existing_ledger(&args.ledger)?;
    let holidays = holidays(args.holidays.as_deref())?;
    let today = args.time_zone.day(SystemClock.now());
    read_status(&ledger, &args.due, today, &holidays)
        .await
        .map_err(|source| Failure::Ledger { file: args.ledger.clone(), source })
}

async fn read_status(
    ledger: &impl Ledger,
    due: &Due,
    today: NaiveDate,
    holidays: &Holidays,
) -> Result<Answer, LedgerError> {
    let (mut lines, mut open) = (Vec::new(), Vec::new());
    let mut after = None;
    loop {
        let page = ledger.list(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.saved.new.id.clone());
        for case in page.into_iter().map(|listed| listed.saved) {
            let progress = case.progress()?;
            let blocked = progress.blocked();
            let (id, task) = (&case.new.id, &case.new.task);
            let customer = task.customer().map(|(customer, _)| customer.as_str());
            let what = customer.map_or_else(|| task.to_string(), |customer| format!("customer {customer}"));
            lines.push(format!("  {id}  {what}, opened {}", case.new.opened_at.format("%F %T UTC")));
            lines.push(match blocked {
                Some(obstacle) => format!("    blocked at {}: {}", obstacle.step, obstacle.reason),
                None => match progress.put_off() {
                    Some(put_off) => {
                        format!("    waits at {}, until {}", put_off.step, put_off.until.format("%F %T UTC"))
                    }
                    None => "    interrupted: resume".to_owned(),
                },
            });
            open.push(json!({
                "case": id,
                "customer": customer,
                "tenant": task.customer().map(|(_, tenant)| tenant),
                "opened_at": case.new.opened_at,
                "state": if blocked.is_some() { "blocked" } else { "interrupted" },
                "step": blocked.map(|obstacle| &obstacle.step),
                "reason": blocked.map(|obstacle| obstacle.reason.to_string()),
                "can_be_cancelled": !progress.is_irreversible(),
            }));
        }
    }
    let closed = Closed::read(ledger).await?;
    lines
        .insert(0, if open.is_empty() { "no open case".to_owned() } else { format!("open: {}", open.len()) });
    lines.push(format!(
        "closed: {} erased, {} superseded, {} cancelled",
        closed.erased, closed.superseded, closed.cancelled
    ));
    if closed.unscrubbed > 0 {
        lines.push(format!("not scrubbed yet: {} of the erased", closed.unscrubbed));
    }
    let requests = requests::due(ledger, due, today, holidays).await?;
    for request in requests.iter().flatten() {
        let late = if request["overdue"] == true { ", overdue" } else { "" };
        let text = |key: &str| request[key].as_str().unwrap_or_default().to_owned();
        let (id, kind, stage) = (text("request"), text("kind"), text("stage"));
        let days =
            [("due", "due"), ("confirm_by", "confirm the receipt by"), ("remind_on", "remind the person on")];
        let days = days.map(|(key, what)| Some((what, text(key))).filter(|(_, day)| !day.is_empty()));
        let days: String = days.iter().flatten().map(|(what, day)| format!(", {what} {day}")).collect();
        lines.push(format!("request {id}  {kind}: {stage}{days}{late}"));
    }
    let json = json!({
        "requests": requests,
        "open": open,
        "closed": {
            "erased": closed.erased,
            "superseded": closed.superseded,
            "cancelled": closed.cancelled,
        },
        "not_scrubbed": closed.unscrubbed,
    });
    Ok(Answer::done(lines.join("\n"), json))
}

/// The number of closed cases, by result.
#[derive(Default)]
struct Closed {
    erased: u64,
    superseded: u64,
    cancelled: u64,
    /// The customers who were erased after the last scrub of the files.
    unscrubbed: usize,
}

impl Closed {
    async fn read(ledger: &impl Ledger) -> Result<Self, LedgerError> {
        let mut closed = Self::default();
        let mut unscrubbed = Vec::new();
        let mut after = 0;
        loop {
            let page = ledger.entries(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for entry in page {
                match entry.body {
                    EntryBody::Closed(case) => match case.closing {
                        Closing::Erased(_) => {
                            closed.erased += 1;
                            unscrubbed.push(entry.seq);
                        }
                        Closing::Expired(_) => unscrubbed.push(entry.seq),
                        Closing::Superseded { .. } => closed.superseded += 1,
                        Closing::Cancelled { .. } => closed.cancelled += 1,
                        // A profile was erased at a gateway. The files had nothing of it, so a scrub is not needed.
                        _ => {}
                    },
                    EntryBody::Scrubbed(scrubbed) => unscrubbed.retain(|seq| *seq > scrubbed.through),
                    // A later release may write other entries. None of them is a closed case.
                    _ => {}
                }
            }
        }
        closed.unscrubbed = unscrubbed.len();
        Ok(closed)
    }
}

/// The arguments of commands that need an existing ledger.
#[derive(Args)]
pub(crate) struct Host {
    #[command(flatten)]
    documents: Documents,
    /// The ledger
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
}

impl Host {
    async fn engine(&self) -> Result<Engine, Failure> {
        must_exist(&self.ledger)?;
        self.documents.engine(&self.ledger).await
    }
}

/// Continues every interrupted case.
pub(crate) async fn resume(host: &Host) -> Result<Answer, Failure> {
    let resumed = host.engine().await?.resume().await?;
    let outcomes: Vec<_> = resumed.into_iter().map(|case| case.outcome).collect();
    Ok(Answer::of_cases(&outcomes, "nothing to resume"))
}

/// Arguments of `retry`.
#[derive(Args)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    host: Host,
    /// The blocked case
    #[arg(long)]
    case: String,
}

/// Tries a blocked case again.
pub(crate) async fn retry(args: &RetryArgs) -> Result<Answer, Failure> {
    let outcome = args.host.engine().await?.retry(&CaseId::new(args.case.as_str())).await?;
    Ok(Answer::of_case(&outcome))
}

/// Arguments of `cancel`.
#[derive(Args)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    host: Host,
    /// The open case
    #[arg(long)]
    case: String,
    /// An opaque id of the person who decides; it goes into the ledger
    #[arg(long, value_name = "ID", value_parser = opaque)]
    approver: String,
    /// Why, as a code such as ticket-4711 (a-z, 0-9, - and .); it goes into the ledger
    #[arg(long, value_name = "CODE")]
    reason: ReasonCode,
}

/// The authority of the user who decides about a case. A user who can run this program on the database's machine has
/// authority over every tenant.
async fn decides(engine: &Engine, case: &CaseId, approver: &str) -> Result<Authority, Failure> {
    let open = engine.open_case(case).await?;
    let concerned = open.into_iter().flat_map(|open| open.task.tenants());
    Ok(Authority::new(approver, concerned.chain(engine.policy().tenants().cloned())))
}

/// Arguments of `waive` and `by-hand`.
#[derive(Args)]
pub(crate) struct StepArgs {
    #[command(flatten)]
    host: Host,
    /// The blocked case
    #[arg(long)]
    case: String,
    /// The step, such as recipient.archive; needed because another step may block the case by now
    #[arg(long)]
    step: String,
    /// An opaque id of the person who decides; it goes into the ledger
    #[arg(long, value_name = "ID", value_parser = opaque)]
    approver: String,
    /// Why, or where the evidence is, as a code such as ticket-4711 (a-z, 0-9, - and .); it goes into the ledger
    #[arg(long, value_name = "CODE")]
    reason: ReasonCode,
}

/// Continues a blocked case: without the blocked step (`waive`), or after a person did the step by hand (`by-hand`).
pub(crate) async fn decide_step(args: &StepArgs, by_hand: bool) -> Result<Answer, Failure> {
    let case = CaseId::new(args.case.as_str());
    let engine = args.host.engine().await?;
    let by = decides(&engine, &case, &args.approver).await?;
    let Some(open) = engine.open_case(&case).await? else {
        return Err(Error::from(LedgerError::NoSuchCase { case }).into());
    };
    let Some(step) = open.blocked.map(|obstacle| obstacle.step) else {
        let text = format!("refused: {}", Error::NotBlocked { case: case.clone() });
        return Ok(Answer::refused(&json!({ "case": case, "decide": "not_blocked" }), text));
    };
    if step.to_string() != args.step {
        let text = format!("refused: case {case} is blocked at {step}, not at {}", args.step);
        return Ok(Answer::refused(&json!({ "case": case, "decide": "not_this_step" }), text));
    }
    let decided = if by_hand {
        engine.done_by_hand(&case, step, &by, args.reason.clone()).await
    } else {
        engine.waive(&case, step, &by, args.reason.clone()).await
    };
    match decided {
        Ok(outcome) => Ok(Answer::of_case(&outcome)),
        Err(error @ (Error::NotWaivable { .. } | Error::NotByHand { .. })) => Ok(Answer::refused(
            &json!({ "case": case, "decide": "not_this_step" }),
            format!("refused: {error}"),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Cancels a case before its first irreversible step.
pub(crate) async fn cancel(args: &CancelArgs) -> Result<Answer, Failure> {
    let case = CaseId::new(args.case.as_str());
    let engine = args.host.engine().await?;
    let by = decides(&engine, &case, &args.approver).await?;
    match engine.cancel(&case, &by, args.reason.clone()).await {
        Ok(()) => {
            let text = format!("case {case} is cancelled; the customer is as before");
            Ok(Answer::done(text, json!({ "cancelled": case })))
        }
        Err(error @ Error::TooLate { .. }) => {
            let text = format!("refused: {error}");
            Ok(Answer::refused(&json!({ "case": case, "cancel": "too_late" }), text))
        }
        Err(error) => Err(error.into()),
    }
}

/// Arguments of `scrub`.
#[derive(Args)]
pub(crate) struct ScrubArgs {
    #[command(flatten)]
    documents: Documents,
    /// The ledger, whose certificates then say that the files were scrubbed
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

/// Removes the erased bytes from the database's files.
pub(crate) async fn scrub(args: &ScrubArgs) -> Result<Answer, Failure> {
    let database = shown(&args.documents.database);
    let recorded = if let Some(ledger) = &args.ledger {
        must_exist(ledger)?;
        args.documents.engine(ledger).await?.scrub().await?;
        format!("recorded in {}", shown(ledger))
    } else {
        args.documents.open()?.store.scrub().await.map_err(Error::from)?;
        "recorded in no ledger, so certificates go on calling it pending".to_owned()
    };
    let text = format!("scrubbed: {database} was rewritten, its journal and log are emptied; {recorded}");
    let json = json!({
        "scrubbed": database.to_string(),
        "ledger": args.ledger.as_ref().map(|ledger| shown(ledger).to_string()),
    });
    Ok(Answer::done(text, json))
}
