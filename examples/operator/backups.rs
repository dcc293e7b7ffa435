//! The commands for backup copies and rotated logs: which exist, and which their rule no longer allows.

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use relinquish::backup::{BackupError, CopiesPlan, DirectoryBackups, Layout, Schedule};
use relinquish::engine::{Clock, SystemClock};
use relinquish::{Approval, Digest, Engine};
use serde_json::json;

use crate::answer::{Answer, Failure};
use crate::commands::opaque;
use crate::opening::Documents;

/// Arguments of `backups`.
#[derive(Args)]
pub(crate) struct BackupsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// List the copies, and say which of them their rule no longer allows; changes nothing
    List(Box<PlaceArgs>),
    /// Show which copies their rule no longer allows; with the digest of that plan, remove them
    Expire(Box<ExpireArgs>),
}

#[derive(Args)]
struct PlaceArgs {
    #[command(flatten)]
    documents: Documents,
    /// The ledger
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// The name of the place, for plans and certificates
    #[arg(long, value_name = "NAME", default_value = "backups")]
    place: String,
    /// The directory with the copies
    #[arg(long, value_name = "DIR")]
    directory: PathBuf,
    /// The pattern of the copies' names, with the day: crm-%Y-%m-%d.sqlite; a folder ends in /
    #[arg(long, value_name = "PATTERN", required_unless_present = "glob")]
    pattern: Option<String>,
    /// The pattern of the copies' names, if the time of a file is its age: app.log.*
    #[arg(long, value_name = "GLOB", conflicts_with = "pattern", requires = "takes_hours")]
    glob: Option<String>,
    /// How many hours it takes to make a copy, at most; 24 for a log that is rotated each night
    #[arg(long, value_name = "HOURS")]
    takes_hours: Option<u32>,
    /// The ending of files that belong to a copy: .sha256; can be given again
    #[arg(long, value_name = "SUFFIX", allow_hyphen_values = true)]
    beside: Vec<String>,
    /// Files that belong to the copy before them, such as the logs since a base backup: wal/*; can be given again
    #[arg(long, value_name = "GLOB", requires = "following_minutes")]
    following: Vec<String>,
    /// The longest time that one of these files covers, such as the archive timeout of `PostgreSQL`
    #[arg(long, value_name = "MINUTES", requires = "following")]
    following_minutes: Option<u32>,
    /// Files that are no copies, and stay: app.log; can be given again
    #[arg(long, value_name = "GLOB")]
    leaves: Vec<String>,
    /// How many of the newest copies stay
    #[arg(long, value_name = "N", required_unless_present = "days")]
    newest: Option<u32>,
    /// How many days a copy stays, at most
    #[arg(long, value_name = "N")]
    days: Option<u32>,
}

#[derive(Args)]
struct ExpireArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The digest of the approved plan; without it, the plan is shown and nothing is changed
    #[arg(long, requires = "approver")]
    digest: Option<String>,
    /// An opaque id of the approver; it goes into the ledger
    #[arg(long, value_name = "ID", value_parser = opaque, requires = "digest")]
    approver: Option<String>,
}

impl PlaceArgs {
    fn copies(&self) -> Result<DirectoryBackups, BackupError> {
        let mut layout = match (&self.pattern, &self.glob, self.takes_hours) {
            (None, Some(glob), takes) => {
                Layout::by_file_time(glob, TimeDelta::hours(takes.unwrap_or_default().into()))
            }
            (pattern, ..) => Layout::dated(pattern.as_deref().unwrap_or_default())?,
        };
        for suffix in &self.beside {
            layout = layout.beside(suffix);
        }
        for glob in &self.following {
            layout =
                layout.following(glob, TimeDelta::minutes(self.following_minutes.unwrap_or_default().into()));
        }
        for glob in &self.leaves {
            layout = layout.leaves(glob);
        }
        Ok(DirectoryBackups::laid_out(&self.directory, layout, Schedule::new(self.newest, self.days)))
    }

    async fn engine(&self) -> Result<Engine, Failure> {
        let copies = self.copies().map_err(relinquish::Error::from)?;
        self.documents.engine_with(&self.ledger, |builder| builder.backups(&*self.place, copies)).await
    }
}

/// Lists copies, or removes those that have expired.
pub(crate) async fn backups(args: &BackupsArgs) -> Result<Answer, Failure> {
    match &args.what {
        What::List(args) => {
            let plan = args.engine().await?.plan_copies(&args.place).await?;
            Ok(list(&plan))
        }
        What::Expire(args) => expire(args).await,
    }
}

fn list(plan: &CopiesPlan) -> Answer {
    let going = plan.copies().iter().map(|copy| (copy, "expired"));
    let mut copies: Vec<_> = going.chain(plan.kept().iter().map(|copy| (copy, "kept"))).collect();
    copies.sort();
    let lines: Vec<String> = copies
        .iter()
        .map(|(copy, says)| {
            format!("{:<40} {}  {says}", copy.name.as_str(), copy.taken_at.format("%F %T UTC"))
        })
        .collect();
    let text = if lines.is_empty() { "no copy".to_owned() } else { lines.join("\n") };
    Answer::done(text, json!({ "expired": plan.copies(), "kept": plan.kept() }))
}

async fn expire(args: &ExpireArgs) -> Result<Answer, Failure> {
    let engine = args.place.engine().await?;
    let plan = engine.plan_copies(&args.place.place).await?;
    let (Some(digest), Some(approver)) = (&args.digest, &args.approver) else {
        let text = if plan.is_nothing() {
            "no copy has expired".to_owned()
        } else {
            format!("{plan}\n  to approve it: --approver … --digest {}", plan.digest())
        };
        return Ok(Answer::done(text, plan.to_json()));
    };
    let reason = json!({ "plan": plan.digest() });
    let refused = |why: String| Ok(Answer::refused(&reason, format!("refused: {why}")));
    let digest = match digest.parse::<Digest>() {
        Ok(digest) => digest,
        Err(error) => return refused(error.to_string()),
    };
    // A user who can run this program on the machine of the copies has authority over every tenant in them.
    let tenants: Vec<_> = engine.policy().tenants().cloned().collect();
    let approval = Approval::new(approver.as_str(), tenants, digest, SystemClock.now(), TimeDelta::hours(1));
    let removal = match plan.approve(approval) {
        Ok(plan) => plan,
        Err(error) => return refused(error.to_string()),
    };
    Ok(Answer::of_case(&engine.remove_copies(&removal).await?))
}
