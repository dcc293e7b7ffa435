//! The commands for sweeps: a survey with its review, the approval of a review, a standing approval, and the run.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use clap::Args;
use relinquish::engine::{
    Clock, PrivateFile, ReviewPage, Sweep, SweepCounts, SweepEnd, SweepEvent, SweepUnder, SystemClock,
    WhyLeft,
};
use relinquish::plan::letter::Language;
use relinquish::plan::review::{Column, Review};
use relinquish::plan::{Authority, Limits, StandingApproval};
use relinquish::policy::{Share, Trigger};
use relinquish::{Approval, Digest, Outcome, Plan, RecordStore as _, TenantId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::{Answer, Ending, Failure, misfits};
use crate::commands::opaque;
use crate::opening::{AsOf, Documents};

/// How many plans are written at once.
const PLANS: usize = 500;

/// Arguments of `survey`.
#[derive(Args)]
pub(crate) struct SurveyArgs {
    #[command(flatten)]
    documents: Documents,
    /// The CSV for a person to check; a new file that only you may read. Without it, only the numbers are shown
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The numbers as a page of HTML, for whoever approves: what stays and why, what is blocked, the coming months; a new file
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// The language of the page: en, sv or de
    #[arg(long, value_name = "CODE", default_value = "en", requires = "page")]
    lang: Language,
    /// A column of the CSV: trigger, since, treatment, records, deferred, until, afterwards, or personal.<kind>, such as
    /// personal.email; can be given again [default: all but the personal ones]
    #[arg(long = "column", value_name = "NAME")]
    columns: Vec<Column>,
    /// Separate the cells with semicolons, for spreadsheets that write decimals with a comma
    #[arg(long)]
    semicolons: bool,
    /// Begin with a byte order mark, for spreadsheets that need one to read UTF-8
    #[arg(long)]
    bom: bool,
    /// An opaque id of the planner; if the policy asks for four eyes, somebody else has to approve
    #[arg(long, value_name = "ID", value_parser = opaque)]
    planned_by: Option<String>,
    /// Survey as of another day (2027-01-31) or instant (2027-01-31T12:00:00Z)
    #[arg(long, value_name = "DATE", conflicts_with_all = ["out", "page"])]
    as_of: Option<AsOf>,
    /// The ledger, which knows the customers who were treated before
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    progress: Progress,
}

/// Surveys all customers, and writes those who are due, for a person to check. It changes nothing.
pub(crate) async fn survey(args: &SurveyArgs) -> Result<Answer, Failure> {
    let unwritable = |file: &Path| {
        let file = file.to_owned();
        move |source| Failure::Unwritable { file, source }
    };
    let mut out = match &args.out {
        Some(path) => Some((PrivateFile::create(path).map_err(unwritable(path))?, path)),
        None => None,
    };
    let page_file = match &args.page {
        Some(path) => Some((PrivateFile::create(path).map_err(unwritable(path))?, path)),
        None => None,
    };
    let engine = args.documents.planner(args.ledger.as_deref(), args.as_of).await?;
    let columns = if args.columns.is_empty() { Column::plain().collect() } else { args.columns.clone() };
    let csv = engine.review_csv(columns)?;
    let csv = if args.semicolons { csv.with_semicolons() } else { csv };
    let csv = if args.bom { csv.with_byte_order_mark() } else { csv };
    if let Some((file, path)) = &mut out {
        file.write_all(csv.header().as_bytes()).map_err(unwritable(path))?;
    }
    let (mut found, mut plans, mut survey) = (Found::default(), Vec::new(), engine.survey_all());
    let mut page = ReviewPage::new();
    loop {
        let event = survey.next().await.transpose()?;
        let ended = event.is_none();
        let planned = |plan: Box<Plan>| match &args.planned_by {
            Some(operator) => Box::new(plan.planned_by(operator.as_str())),
            None => plan,
        };
        let event = match event {
            Some(SweepEvent::Due(plan)) => Some(SweepEvent::Due(planned(plan))),
            event => event,
        };
        if let Some(event) = &event {
            page.add(event);
        }
        match event {
            Some(SweepEvent::Due(plan)) if out.is_some() => plans.push(*plan),
            Some(event) => {
                args.progress.tell(&event);
                found.add(event);
            }
            None => {}
        }
        if let Some((file, path)) = out.as_mut().filter(|_| ended || plans.len() >= PLANS) {
            let lines = engine.review_lines(&csv, &std::mem::take(&mut plans)).await?;
            file.write_all(lines.as_bytes()).map_err(unwritable(path))?;
        }
        if ended {
            break;
        }
    }
    Progress::end();
    let mut text = found.text();
    if let Some((file, path)) = out {
        file.finish().map_err(unwritable(path))?;
        let shown = path.display();
        text.push(format!(
            "  written to {shown}: strike rows out, then: approve --review {shown} --approver …"
        ));
    }
    if let Some((mut file, path)) = page_file {
        let Some(html) = page.to_html(args.lang, engine.policy(), SystemClock.now()) else {
            return Ok(Answer::refused(&found.json(), "no page: the survey is not complete".to_owned()));
        };
        file.write_all(html.as_bytes()).map_err(unwritable(path))?;
        file.finish().map_err(unwritable(path))?;
        text.push(format!("  the numbers are on the page {}", path.display()));
    }
    Ok(Answer::done(text.join("\n"), found.json()))
}

/// Arguments of `approve`.
#[derive(Args)]
pub(crate) struct ApproveArgs {
    /// The CSV of a survey, after a person has checked it
    #[arg(long, value_name = "FILE")]
    review: PathBuf,
    /// An opaque id of the approver; it goes into the ledger, so do not use a name or an e-mail address
    #[arg(long, value_name = "ID", value_parser = opaque)]
    approver: String,
    /// The digest of the approved review; without it, the digest and the numbers are shown
    #[arg(long)]
    digest: Option<String>,
    /// A tenant over which the approver has authority; can be given again [default: those of the review]
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<String>,
    /// How many customers the run may erase at most, if this is more than the blast radius of the policy
    #[arg(long, value_name = "N")]
    up_to: Option<u64>,
    /// For how many hours the approval is valid
    #[arg(long, value_name = "N", default_value = "24")]
    hours: u16,
    /// The file of the approval [default: the review's name with .approval.json]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn read_review(file: &Path) -> Result<Review, Failure> {
    let bytes = fs::read(file).map_err(|source| Failure::Unreadable { file: file.to_owned(), source })?;
    Review::from_csv(&bytes).map_err(|found| Failure::Misfits(misfits(file, &found)))
}

/// The path of the approval of a review.
fn beside(review: &Path, out: Option<&Path>) -> PathBuf {
    out.map_or_else(
        || {
            let mut name = review.as_os_str().to_owned();
            name.push(".approval.json");
            name.into()
        },
        Path::to_owned,
    )
}

/// Shows the numbers of a review. With its digest, approves it.
pub(crate) fn approve(args: &ApproveArgs) -> Result<Answer, Failure> {
    let review = read_review(&args.review)?;
    let tenants: BTreeMap<String, u64> =
        review.tenants().into_iter().map(|(tenant, count)| (tenant.to_string(), count)).collect();
    let said = json!({ "digest": review.digest(), "customers": review.plans().len(), "tenants": tenants });
    let Some(digest) = &args.digest else {
        let mut lines = vec![format!("Review {}", review.digest())];
        lines.extend(tenants.iter().map(|(tenant, count)| format!("  {count} customers of tenant {tenant}")));
        lines.push(format!("  to approve it: approve … --digest {}", review.digest()));
        return Ok(Answer::done(lines.join("\n"), said));
    };
    let digest = match digest.parse::<Digest>() {
        Ok(digest) => digest,
        Err(error) => return Ok(Answer::refused(&said, format!("refused: {error}"))),
    };
    let authority: Vec<TenantId> = if args.tenants.is_empty() {
        tenants.keys().map(|tenant| tenant.as_str().into()).collect()
    } else {
        args.tenants.iter().map(|tenant| tenant.as_str().into()).collect()
    };
    let valid_for = TimeDelta::hours(args.hours.into());
    let approval = Approval::new(args.approver.as_str(), authority, digest, SystemClock.now(), valid_for);
    let approval = match args.up_to {
        Some(customers) => approval.up_to(customers),
        None => approval,
    };
    match review.approve(approval) {
        Ok(approved) => {
            let out = beside(&args.review, args.out.as_deref());
            write_json(&out, &json!(approved.approval()))?;
            let text = format!("approved: {}; then: run --review {}", out.display(), args.review.display());
            Ok(Answer::done(text, said))
        }
        Err(error) => Ok(Answer::refused(&said, format!("refused: {error}"))),
    }
}

fn write_json(path: &Path, value: &Value) -> Result<(), Failure> {
    let unwritable = |source| Failure::Unwritable { file: path.to_owned(), source };
    let mut file = PrivateFile::create(path).map_err(unwritable)?;
    file.write_all(format!("{value:#}\n").as_bytes()).map_err(unwritable)?;
    file.finish().map_err(unwritable)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text =
        fs::read_to_string(path).map_err(|source| Failure::Unreadable { file: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|source| Failure::NoApproval { file: path.to_owned(), source })
}

/// Arguments of `stand`.
#[derive(Args)]
pub(crate) struct StandArgs {
    #[command(flatten)]
    documents: Documents,
    /// A new file for the standing approval
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// An opaque id of the approver; it goes into the ledger
    #[arg(long, value_name = "ID", value_parser = opaque)]
    approver: String,
    /// An opaque id of the person who drafted it; if the policy asks for four eyes, this must not be the approver
    #[arg(long, value_name = "ID", value_parser = opaque)]
    drafted_by: Option<String>,
    /// A tenant that it covers; can be given again
    #[arg(long = "tenant", value_name = "TENANT", required = true)]
    tenants: Vec<String>,
    /// A trigger that it covers, such as cancelled or inactive; can be given again
    #[arg(long = "trigger", value_name = "NAME", required = true, value_parser = trigger)]
    triggers: Vec<Trigger>,
    /// How many customers one run may erase
    #[arg(long, value_name = "N")]
    per_run: u64,
    /// How many customers may be erased on one day
    #[arg(long, value_name = "N")]
    per_day: u64,
    /// The share of the tenants' customers that one run may erase, such as "2 %"
    #[arg(long, value_name = "SHARE")]
    share: Option<Share>,
    /// For how many days it is valid, 400 at most
    #[arg(long, value_name = "N")]
    days: u16,
}

fn trigger(name: &str) -> Result<Trigger, String> {
    let known = ["cancelled", "deleted", "inactive", "service_ended"];
    match serde_json::from_value(Value::from(name)) {
        Ok(trigger) if known.contains(&name) => Ok(trigger),
        Ok(_) => Err("no standing approval covers it; a person has to approve each review".to_owned()),
        Err(_) => Err(format!("is no trigger; write one of {}", known.join(", "))),
    }
}

/// Makes a standing approval: it covers what the current policy finds due in the future, within limits.
pub(crate) fn stand(args: &StandArgs) -> Result<Answer, Failure> {
    let opened = args.documents.open()?;
    let policy = opened.policy.check(opened.store.data_map());
    let policy = policy.map_err(|found| Failure::Misfits(misfits(&args.documents.policy, &found)))?;
    let by = Authority::new(
        args.approver.as_str(),
        args.tenants.iter().map(|tenant| TenantId::from(tenant.as_str())),
    );
    let limits = Limits::new(args.per_run, args.per_day);
    let limits = match args.share {
        Some(share) => limits.share(share),
        None => limits,
    };
    let (now, days) = (SystemClock.now(), TimeDelta::days(args.days.into()));
    let standing = StandingApproval::new(&by, &policy, args.triggers.iter().copied(), limits, now, days);
    let standing = match &args.drafted_by {
        Some(operator) => standing.drafted_by(operator.as_str()),
        None => standing,
    };
    // An approval that the engine would refuse at the first run is already refused here.
    if let Err(error) = standing.admit(Vec::new()) {
        return Ok(Answer::refused(&json!({ "approval": "invalid" }), format!("refused: {error}")));
    }
    let said = json!(standing);
    write_json(&args.out, &said)?;
    let text = format!(
        "approved until {}: {limits}; then: run --standing {}",
        standing.expires_at(),
        args.out.display()
    );
    Ok(Answer::done(text, said))
}

/// Arguments of `run`.
#[derive(Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    documents: Documents,
    /// The ledger; keep it outside of what is backed up with the database
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// The review that was approved
    #[arg(long, value_name = "FILE", required_unless_present = "standing", conflicts_with = "standing")]
    review: Option<PathBuf>,
    /// The approval of the review [default: the review's name with .approval.json]
    #[arg(long, value_name = "FILE", requires = "review")]
    approval: Option<PathBuf>,
    /// The standing approval
    #[arg(long, value_name = "FILE")]
    standing: Option<PathBuf>,
    #[command(flatten)]
    progress: Progress,
}

/// Erases the customers of an approved review, or those that a standing approval covers.
pub(crate) async fn run(args: &RunArgs) -> Result<Answer, Failure> {
    let under: SweepUnder = match (&args.review, &args.standing) {
        (Some(file), _) => {
            let review = read_review(file)?;
            match review.approve(read_json(&beside(file, args.approval.as_deref()))?) {
                Ok(approved) => approved.into(),
                Err(error) => {
                    let reason = json!({ "approval": "invalid", "review": error.given.digest() });
                    return Ok(Answer::refused(&reason, format!("refused: {error}")));
                }
            }
        }
        (None, Some(file)) => read_json::<StandingApproval>(file)?.into(),
        // INVARIANT: clap requires one of the two arguments.
        (None, None) => return Ok(Answer::refused(&json!({}), "refused: give --review or --standing")),
    };
    let engine = args.documents.engine(&args.ledger).await?;
    let resumed = engine.resume().await?;
    let mut found = Found { resumed: resumed.len(), ..Found::default() };
    match go(engine.sweep(under), &args.progress, &mut found).await {
        Err(relinquish::Error::Approval(error)) => {
            let reason = json!({ "approval": "invalid" });
            return Ok(Answer::refused(&reason, format!("refused: {error}")));
        }
        other => other?,
    }
    let (text, json) = (found.text().join("\n"), found.json());
    Ok(match found.ending() {
        Ending::Done => Answer::done(text, json),
        Ending::Refused => Answer::refused(&json, text),
        Ending::Failed => Answer { ending: Ending::Failed, text, json },
    })
}

async fn go(mut sweep: Sweep, progress: &Progress, found: &mut Found) -> Result<(), relinquish::Error> {
    while let Some(event) = sweep.next().await {
        let event = event?;
        progress.tell(&event);
        found.add(event);
    }
    Progress::end();
    Ok(())
}

/// The result of a sweep.
#[derive(Default)]
struct Found {
    resumed: usize,
    counts: Option<SweepCounts>,
    /// Customers who are blocked, each with the reasons and since when.
    overdue: Vec<String>,
    erased: u64,
    left: Vec<String>,
    beyond_limit: u64,
    failed: bool,
    end: Option<SweepEnd>,
}

impl Found {
    fn add(&mut self, event: SweepEvent) {
        let since =
            |day: Option<chrono::NaiveDate>| day.map_or_else(String::new, |day| format!(", due since {day}"));
        match event {
            SweepEvent::Counted(counts) => self.counts = Some(*counts),
            SweepEvent::Blocked { customer, blocked, .. } => {
                let why: Vec<String> =
                    blocked.by.iter().map(|by| format!("{}; {}", by.why, by.way_out)).collect();
                self.overdue.push(format!(
                    "{}{}: {}",
                    customer.as_str(),
                    since(blocked.since),
                    why.join("; also: ")
                ));
            }
            SweepEvent::Unreadable(one) => {
                let facts: Vec<&str> = one.facts.iter().map(String::as_str).collect();
                self.overdue.push(format!("{}: cannot be read: {}", one.customer.as_str(), facts.join(", ")));
            }
            SweepEvent::Unsurveyed { customer, why, .. } => {
                self.failed = true;
                self.overdue.push(format!("{}: {why}", customer.as_str()));
            }
            SweepEvent::Closed { .. } => self.erased += 1,
            SweepEvent::Left(left) => {
                match &left.why {
                    WhyLeft::Limit => return self.beyond_limit += 1,
                    WhyLeft::NotPlanned(_) => self.failed = true,
                    WhyLeft::Case(outcome) => self.failed |= matches!(**outcome, Outcome::Waiting { .. }),
                    _ => {}
                }
                self.left.push(format!("{}{}: {}", left.customer.as_str(), since(left.since), left.why));
            }
            SweepEvent::Ended(end) => self.end = Some(end),
            _ => {}
        }
    }

    fn ending(&self) -> Ending {
        if self.failed {
            Ending::Failed
        } else if self.left.is_empty() && matches!(self.end, Some(SweepEnd::Complete)) {
            Ending::Done
        } else {
            Ending::Refused
        }
    }

    fn text(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.resumed > 0 {
            lines.push(format!("{} open cases were taken up again", self.resumed));
        }
        lines.extend(self.counts.iter().map(ToString::to_string));
        lines.extend(self.overdue.iter().map(|one| format!("  overdue: {one}")));
        if let Some(SweepEnd::Asks(too_far)) = &self.end {
            lines.push(format!("refused: {too_far}"));
            return lines;
        }
        let [erased, left, beyond] = [self.erased, self.left.len() as u64, self.beyond_limit];
        if erased + left + beyond > 0 {
            lines.push(format!("{erased} erased, {left} left, {beyond} wait because a limit is reached"));
        }
        lines.extend(self.left.iter().map(|one| format!("  left: {one}")));
        if lines.is_empty() {
            lines.push("nobody was to be erased".to_owned());
        }
        lines
    }

    fn json(&self) -> Value {
        let asks = match &self.end {
            Some(SweepEnd::Asks(too_far)) => {
                Some(json!({ "hits": too_far.hits, "text": too_far.to_string() }))
            }
            _ => None,
        };
        json!({
            "resumed": self.resumed,
            "counts": self.counts,
            "overdue": self.overdue,
            "erased": self.erased,
            "left": self.left,
            "beyond_limit": self.beyond_limit,
            "asks": asks,
        })
    }
}

/// Where progress is shown.
#[derive(Args)]
pub(crate) struct Progress {
    /// Show the progress on standard error; without it, only on a terminal
    #[arg(long)]
    progress: bool,
}

impl Progress {
    fn tell(&self, event: &SweepEvent) {
        let rate = |per_second: Option<u64>| {
            per_second.map_or_else(String::new, |rate| format!(", {rate} a second"))
        };
        let line = match event {
            SweepEvent::Surveyed(so_far) => {
                format!("surveyed {}, due {}{}", so_far.customers, so_far.due, rate(so_far.per_second))
            }
            SweepEvent::Ran(so_far) => format!(
                "erased {}, left {}, remaining {}{}",
                so_far.closed,
                so_far.left,
                so_far.remaining,
                rate(so_far.per_second)
            ),
            _ => return,
        };
        let mut to = io::stderr();
        // If the progress cannot be printed, the user still gets the answer.
        let _ = if to.is_terminal() {
            write!(to, "\r{line}\u{1b}[K").and_then(|()| to.flush())
        } else if self.progress {
            writeln!(to, "{line}")
        } else {
            Ok(())
        };
    }

    fn end() {
        let mut to = io::stderr();
        if to.is_terminal() {
            let _ = write!(to, "\r\u{1b}[K").and_then(|()| to.flush());
        }
    }
}
