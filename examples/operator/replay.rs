//! The command for after a restore: it erases the customers again who were erased after the backup.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use relinquish::engine::{Clock, PlannedReplay, RestoredFrom, SystemClock, ToldApart};
use relinquish::plan::ReplayPlan;
use relinquish::{Approval, Digest};
use serde_json::{Value, json};

use crate::answer::{Answer, Failure};
use crate::commands::opaque;
use crate::opening::{Documents, must_exist};

/// Arguments of `replay`.
#[derive(Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    documents: Documents,
    /// The ledger that was in use last; it must not come from the backup
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// The time of the backup, or an earlier time; without it, the mark in the database is used
    #[arg(long, value_name = "INSTANT")]
    since: Option<DateTime<Utc>>,
    /// A customer who cannot be told apart, and is the erased one; may be repeated
    #[arg(long, value_name = "CUSTOMER")]
    same: Vec<String>,
    /// A customer who cannot be told apart, and is somebody else; may be repeated
    #[arg(long, value_name = "CUSTOMER")]
    other: Vec<String>,
    /// The digest of the approved replay; without it, the replay is shown. If nobody has to be erased again, the database's
    /// mark is raised
    #[arg(long, requires = "approver")]
    digest: Option<String>,
    /// An opaque id of the approver; it goes into the ledger
    #[arg(long, value_name = "ID", value_parser = opaque, requires = "digest")]
    approver: Option<String>,
}

/// Shows which customers have to be erased again. With the digest of that replay, erases them.
pub(crate) async fn replay(args: &ReplayArgs) -> Result<Answer, Failure> {
    must_exist(&args.ledger)?;
    let engine = args.documents.engine(&args.ledger).await?;
    let from = args.since.map_or(RestoredFrom::Mark, RestoredFrom::Backup);
    let told = args.same.iter().fold(ToldApart::default(), |told, customer| told.same(customer.as_str()));
    let told = args.other.iter().fold(told, |told, customer| told.other(customer.as_str()));
    let (Some(digest), Some(approver)) = (&args.digest, &args.approver) else {
        // If nobody is left to erase, the database is up to date, and its mark is updated.
        let planned = engine.finish_replay_told(from, &told).await?;
        let answer = as_json(&planned);
        return Ok(if planned.plan.of().is_empty() {
            Answer::done(planned.to_string(), answer)
        } else {
            let digest = planned.plan.digest();
            Answer::done(format!("{planned}\n  to approve it: --approver … --digest {digest}"), answer)
        });
    };
    let plan: ReplayPlan = engine.plan_replay_told(from, &told).await?.plan;
    let reason = json!({ "replay": plan.digest() });
    let refused = |why: String| Ok(Answer::refused(&reason, format!("refused: {why}")));
    let digest = match digest.parse::<Digest>() {
        Ok(digest) => digest,
        Err(error) => return refused(error.to_string()),
    };
    let tenants: Vec<_> = plan.of().iter().map(|(_, plan)| plan.tenant().clone()).collect();
    let approval = Approval::new(approver.as_str(), tenants, digest, SystemClock.now(), TimeDelta::hours(1));
    let plans = match plan.approve(&approval) {
        Ok(plans) => plans,
        Err(error) => return refused(error.to_string()),
    };
    let outcomes = engine.execute(plans).await?;
    let left = engine.finish_replay_told(from, &told).await?;
    let mut text: Vec<String> = outcomes.iter().map(ToString::to_string).collect();
    text.push(left.to_string());
    let answer = json!({ "outcomes": outcomes, "left": as_json(&left) });
    Ok(if left.is_nothing() {
        Answer::done(text.join("\n"), answer)
    } else {
        Answer::refused(&answer, text.join("\n"))
    })
}

fn as_json(planned: &PlannedReplay) -> Value {
    json!({
        "digest": planned.plan.digest(),
        "customers": planned.plan.of().iter().map(|(case, plan)| json!({
            "case": case,
            "customer": plan.customer(),
            "plan": plan.digest(),
        })).collect::<Vec<_>>(),
        "refused": planned.refused.iter().map(|refused| json!({
            "case": refused.case,
            "customer": refused.customer,
            "why": refused.why.to_string(),
        })).collect::<Vec<_>>(),
        "expiries": planned.expiries.iter().map(|plan| json!({
            "digest": plan.digest(),
            "due": plan.due(),
        })).collect::<Vec<_>>(),
    })
}
