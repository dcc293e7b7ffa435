//! The commands for holds (data that must be kept for now) and the emergency stop.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use relinquish::customer::{HoldGround, HoldId};
use relinquish::data_map::ClassName;
use relinquish::engine::{Clock, Entropy, NewHold, SystemClock, SystemEntropy};
use relinquish::ledger::{Hold, HoldBook, HoldOn, LedgerError, Signature, WhichHolds};
use relinquish::plan::{Authority, ReasonCode};
use relinquish::{CustomerId, Error};
use serde_json::{Value, json};

use crate::answer::{Answer, Failure};
use crate::commands::opaque;
use crate::opening::{Documents, existing_ledger};

/// How many holds are read at once.
const PAGE: usize = 500;

/// Arguments of `hold`.
#[derive(Args)]
pub(crate) struct HoldArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Place a hold on a customer or on the customers of a tenant
    Add(Box<AddArgs>),
    /// Lift a hold: the data that it kept is due again, and resume continues the cases that it stopped
    #[command(alias = "release")]
    Lift(LiftArgs),
    /// List the holds that are in force
    List(ListArgs),
}

#[derive(Args)]
struct AddArgs {
    #[command(flatten)]
    documents: Documents,
    /// The ledger
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// The customer whose data must be kept
    #[arg(long, value_name = "ID", allow_hyphen_values = true, required_unless_present = "tenant")]
    customer: Option<String>,
    /// The tenant whose customers' data must be kept
    #[arg(long, value_name = "TENANT", conflicts_with = "customer")]
    tenant: Option<String>,
    /// Keep only the records of this class; can be given again [default: everything]
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<String>,
    /// Why: `legal_claim`, `restriction`, `authority_order` or `incident`
    #[arg(long, value_parser = ground)]
    ground: HoldGround,
    #[command(flatten)]
    signed: Signed,
}

/// The user who decides, and the reference.
#[derive(Args)]
struct Signed {
    /// Your reference, as a code such as file-2026-7 (a-z, 0-9, - and .); the ledger keeps it
    #[arg(long, value_name = "CODE")]
    reference: ReasonCode,
    /// An opaque id of the person who decides; the ledger keeps it
    #[arg(long, value_name = "ID", value_parser = opaque)]
    approver: String,
}

#[derive(Args)]
struct LiftArgs {
    /// The ledger
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// The hold
    #[arg(long, value_name = "ID")]
    hold: String,
    /// An opaque id of the person who decides; the ledger keeps it
    #[arg(long, value_name = "ID", value_parser = opaque)]
    approver: String,
}

#[derive(Args)]
struct ListArgs {
    /// The ledger
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// Also list the holds that were lifted
    #[arg(long)]
    all: bool,
}

/// Arguments of `stop`.
#[derive(Args)]
pub(crate) struct StopArgs {
    /// The ledger
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    #[command(flatten)]
    signed: Signed,
}

fn ground(text: &str) -> Result<HoldGround, String> {
    let known = HoldGround::ALL.map(HoldGround::as_str).join(", ");
    HoldGround::named(text).ok_or_else(|| format!("the ground is one of {known}"))
}

fn now(by: &str) -> Signature {
    Signature { by: by.into(), at: SystemClock.now() }
}

/// Places, lifts or lists holds.
pub(crate) async fn hold(args: &HoldArgs) -> Result<Answer, Failure> {
    match &args.what {
        What::Add(args) => add(args).await,
        What::Lift(args) => lift(args).await,
        What::List(args) => list(args).await,
    }
}

async fn add(args: &AddArgs) -> Result<Answer, Failure> {
    let engine = args.documents.engine(&args.ledger).await?;
    let (ground, reference) = (args.ground, args.signed.reference.clone());
    // A user who can run this program on the database's machine has authority over every tenant.
    let (hold, tenants) = match (&args.customer, &args.tenant) {
        (Some(customer), _) => {
            let customer = CustomerId::new(customer.as_str());
            let tenants = args.documents.tenant_of(&customer).await?;
            (NewHold::on_customer(customer, ground, reference), tenants)
        }
        (None, tenant) => {
            let tenant: relinquish::TenantId = tenant.as_deref().unwrap_or_default().into();
            (NewHold::on_tenant(tenant.clone(), ground, reference), Some(tenant))
        }
    };
    let hold = hold.classes(args.classes.iter().map(String::as_str));
    let by = Authority::new(args.signed.approver.as_str(), tenants);
    Ok(one(&engine.place_hold(&hold, &by).await?))
}

/// Stops everything. It needs only the ledger, because the fault may be in the database.
pub(crate) async fn stop(args: &StopArgs) -> Result<Answer, Failure> {
    let ledger = existing_ledger(&args.ledger)?;
    let failed = |source| Failure::Ledger { file: args.ledger.clone(), source };
    let mut id = [0_u8; 16];
    SystemEntropy.fill(&mut id).map_err(Error::from)?;
    let id = id.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let why = (HoldGround::Incident, args.signed.reference.clone());
    let hold = Hold::on_everything(HoldId::new(id), why, now(&args.signed.approver));
    ledger.place_hold(&hold).await.map_err(failed)?;
    Ok(one(&hold))
}

async fn lift(args: &LiftArgs) -> Result<Answer, Failure> {
    let ledger = existing_ledger(&args.ledger)?;
    let failed = |source| Failure::Ledger { file: args.ledger.clone(), source };
    let id = HoldId::new(args.hold.as_str());
    let hold = ledger.hold(&id).await.map_err(failed)?;
    let hold = hold.ok_or_else(|| Error::NoSuchHold { hold: id.clone() })?;
    ledger.lift_hold(&hold.lift(now(&args.approver))).await.map_err(failed)?;
    let lifted = ledger.hold(&id).await.map_err(failed)?.ok_or(Error::NoSuchHold { hold: id })?;
    Ok(one(&lifted))
}

async fn list(args: &ListArgs) -> Result<Answer, Failure> {
    let ledger = existing_ledger(&args.ledger)?;
    let which = if args.all { WhichHolds::All } else { WhichHolds::Standing };
    let holds = read(&ledger, which).await;
    let holds = holds.map_err(|source| Failure::Ledger { file: args.ledger.clone(), source })?;
    let text = if holds.is_empty() {
        "no hold".to_owned()
    } else {
        holds.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    Ok(Answer::done(text, json!({ "holds": holds.iter().map(as_json).collect::<Vec<_>>() })))
}

async fn read(ledger: &impl HoldBook, which: WhichHolds) -> Result<Vec<Hold>, LedgerError> {
    let (mut holds, mut after) = (Vec::new(), None);
    loop {
        let page = ledger.list_holds(which, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(holds) };
        after = Some(last.id.clone());
        holds.extend(page);
    }
}

fn one(hold: &Hold) -> Answer {
    Answer::done(line(hold), as_json(hold))
}

fn customer(hold: &Hold) -> Option<&str> {
    if let HoldOn::Customer { customer, .. } = &hold.on { Some(customer.as_str()) } else { None }
}

fn line(hold: &Hold) -> String {
    let on = customer(hold).map_or_else(|| hold.on.to_string(), |customer| format!("customer {customer}"));
    let classes: Vec<&str> = hold.classes.iter().map(ClassName::as_str).collect();
    let only = if classes.is_empty() { String::new() } else { format!(", only {}", classes.join(", ")) };
    let since = hold.placed.at.format("%F %T UTC");
    let until = hold.lifted.as_ref().map(|lifted| format!(", lifted {}", lifted.at.format("%F %T UTC")));
    format!(
        "hold {}  on {on}{only}: {} ({}), since {since}{}",
        hold.id,
        hold.ground,
        hold.reference,
        until.unwrap_or_default()
    )
}

fn as_json(hold: &Hold) -> Value {
    json!({
        "hold": hold.id,
        "on": hold.on.to_string(),
        "customer": customer(hold),
        "tenant": hold.on.tenant(),
        "classes": hold.classes,
        "ground": hold.ground,
        "reference": hold.reference,
        "placed_by": hold.placed.by,
        "placed_at": hold.placed.at,
        "lifted_by": hold.lifted.as_ref().map(|lifted| &lifted.by),
        "lifted_at": hold.lifted.as_ref().map(|lifted| lifted.at),
    })
}
