//! The command for records that expire. It first makes a plan, and carries the plan out when its digest is given.

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::Args;
use relinquish::engine::{Clock, PlannedExpiry, SystemClock};
use relinquish::{Approval, Digest, Engine, Error, TenantId};
use serde_json::json;

use crate::answer::{Answer, Failure};
use crate::commands::opaque;
use crate::opening::Documents;

/// Arguments of `expire`.
#[derive(Args)]
pub(crate) struct ExpireArgs {
    #[command(flatten)]
    documents: Documents,
    /// A tenant whose customers' records may expire; can be given again. With --ownerless, a tenant for whom the
    /// approver has authority
    #[arg(long = "tenant", value_name = "TENANT", required_unless_present = "ownerless")]
    tenants: Vec<String>,
    /// Expire records whose owner is gone, instead of records of tenants
    #[arg(long)]
    ownerless: bool,
    /// The ledger; the first expiry creates it
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// The digest of the approved plan; without it, the plan is shown and nothing is changed
    #[arg(long, requires = "approver")]
    digest: Option<String>,
    /// An opaque id of the approver; it goes into the ledger
    #[arg(long, value_name = "ID", value_parser = opaque, requires = "digest")]
    approver: Option<String>,
}

impl ExpireArgs {
    fn tenants(&self) -> Vec<TenantId> {
        self.tenants.iter().map(|tenant| tenant.as_str().into()).collect()
    }

    async fn plan(&self, engine: &Engine) -> Result<PlannedExpiry, Error> {
        if self.ownerless { engine.plan_ownerless().await } else { engine.plan_expiry(self.tenants()).await }
    }
}

/// Shows which records have expired. With the digest of that plan, erases them.
pub(crate) async fn expire(args: &ExpireArgs) -> Result<Answer, Failure> {
    let (Some(digest), Some(approver)) = (&args.digest, &args.approver) else {
        let engine = args.documents.planner(Some(&args.ledger), None).await?;
        return Ok(match args.plan(&engine).await? {
            PlannedExpiry::Plan(plan) => {
                let text = format!("{plan}\n  to approve it: --approver … --digest {}", plan.digest());
                Answer::done(text, plan.to_json())
            }
            PlannedExpiry::Nothing(why) => {
                Answer::refused(&json!({ "nothing": why }), format!("nothing: {why}"))
            }
        });
    };
    let engine = args.documents.engine(&args.ledger).await?;
    let plan = match args.plan(&engine).await? {
        PlannedExpiry::Plan(plan) => *plan,
        PlannedExpiry::Nothing(why) => {
            return Ok(Answer::refused(&json!({ "nothing": why }), format!("nothing: {why}")));
        }
    };
    let reason = json!({ "plan": plan.digest() });
    let refused = |why: String| Ok(Answer::refused(&reason, format!("refused: {why}")));
    let digest = match digest.parse::<Digest>() {
        Ok(digest) => digest,
        Err(error) => return refused(error.to_string()),
    };
    let now = SystemClock.now();
    let approval = Approval::new(approver.as_str(), args.tenants(), digest, now, TimeDelta::hours(1));
    match plan.approve(approval) {
        Ok(plan) => {
            let outcome = engine.expire(&plan).await?;
            Ok(Answer::of_case(&outcome))
        }
        Err(error) => refused(error.to_string()),
    }
}
