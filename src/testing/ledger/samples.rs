//! Sample cases and entries for the contract of ledgers. An engine makes them by erasing customers in memory.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::law::{Broken, works};
use super::super::{ManualClock, RepeatableEntropy};
use crate::customer::{Customer, CustomerId, GatewayProfile, Status};
use crate::data_map::{DataMap, Fact, Field, Kind, Record, RecordClass};
use crate::engine::{Engine, Planned};
use crate::gateway::{Finding, MemoryGateway, ReviewRow};
use crate::ledger::{
    ClosedCase, EntryBody, Ledger as _, LedgerError, MemoryKeyRing, MemoryLedger, NewCase, ReviewedProfile,
    Scrubbed, Task, TokenKey,
};
use crate::plan::{Approval, Asked, CaseId, Mandate};
use crate::policy::PolicyDocument;
use crate::store::{ByRecord, MemoryRepository};
use crate::testing::Law;

const TENANT: &str = "acme";
const GATEWAY: &str = "cards";
const CUSTOMERS: [&str; 3] =
    ["customer-of-the-contract-1", "customer-of-the-contract-2", "customer-of-the-contract-3"];
const POLICY: &str = r#"
version = 1
sweep = false
[triggers]
requested = { treatment = "clear" }
[guards]
not_archived = { ignore = "each case archives first" }
[anonymise]
name = "remove"
[treatments.clear]
customer = "anonymise"
gateway.cards = "erase"
[treatments.remove]
customer = "delete"
gateway.cards = "erase"
"#;

/// The instant at which all cases are opened and closed.
pub(super) fn noon() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(12)
}

/// A case, and the entry with which it may be closed.
pub(super) struct Sample {
    pub(super) new: NewCase,
    pub(super) closed: Arc<ClosedCase>,
}

/// The sample cases and entries that a contract writes to a ledger.
pub(super) struct Samples {
    /// Three cases of different customers, in the order of their ids. The third case has another treatment.
    pub(super) cases: [Sample; 3],
    /// Another case of the first case's customer.
    pub(super) second: NewCase,
    /// A profile by itself.
    pub(super) profile: NewCase,
    /// Entries of no case.
    pub(super) scrubbed: [EntryBody; 2],
}

impl Samples {
    pub(super) async fn new() -> Result<Self, Broken> {
        let engine = engine()?;
        let sample =
            async |n: &str, customer: &str, treatment: &str| engine.sample(n, customer, treatment).await;
        let [one, two, three] = CUSTOMERS;
        let second = works("planning", engine.case("case-9", one, "clear").await)?;
        let cases = [
            sample("case-1", one, "clear").await?,
            sample("case-2", two, "clear").await?,
            sample("case-3", three, "remove").await?,
        ];
        let at = noon();
        let scrubbed = [1, 2].map(|through| EntryBody::Scrubbed(Scrubbed { through, at }));
        Ok(Self { cases, second, profile: profile(), scrubbed })
    }

    /// Ids of persons. A ledger must not show them.
    pub(super) fn persons() -> impl Iterator<Item = &'static str> {
        CUSTOMERS.into_iter().chain([PROFILE])
    }
}

const PROFILE: &str = "profile-of-the-contract";

fn profile() -> NewCase {
    let row = ReviewRow {
        gateway: GATEWAY.into(),
        account: None,
        profile: PROFILE.into(),
        findings: [Finding::Orphan].into(),
        customer: None,
        named_owner: None,
        active_subscriptions: None,
        ended_subscriptions: None,
        email: None,
    };
    let review = crate::Digest::of_bytes(b"a review");
    let at = noon();
    let approval = Approval::new("operator-7", [TENANT.into()], review, at, TimeDelta::hours(1));
    let task = Task::Profile(ReviewedProfile { review, row: Arc::new(row) });
    NewCase::of("case-4".into(), task, Mandate::Approval(approval), at)
}

/// An engine over customers in memory, and its ledger.
struct Erasing {
    engine: Engine,
    ledger: Arc<MemoryLedger>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn engine() -> Result<Erasing, Broken> {
    let class = RecordClass::new("customer")
        .field(Field::key("id").token_part())
        .field(Field::personal("name", Kind::Name));
    let map =
        DataMap::builder(class).knows(Fact::Status).knows(Fact::Tenants).knows(Fact::ActiveSubscriptions);
    let repository = MemoryRepository::new(works("the kit's data map", map.gateway(GATEWAY).build())?);
    let gateway = MemoryGateway::new(GATEWAY);
    for id in CUSTOMERS {
        let mut customer = Customer::new(id, TENANT);
        customer.status = Status::Archived;
        customer.gateway_profiles.push(GatewayProfile::new(GATEWAY, id));
        gateway.insert(id, Some(CustomerId::from(id)), 0);
        repository.insert(customer, vec![Record::new("customer", id).with("name", id)]);
    }
    let ledger = Arc::new(MemoryLedger::new());
    let policy = works("the kit's policy", PolicyDocument::from_toml(POLICY))?;
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    let builder = Engine::builder(ByRecord::new(repository), policy, Arc::clone(&ledger), keys)
        .gateway(gateway)
        .clock(ManualClock::at(noon()))
        .entropy(RepeatableEntropy::new(7));
    Ok(Erasing { engine: works("the kit's engine", builder.build())?, ledger })
}

impl Erasing {
    async fn approved(&self, customer: &str, treatment: &str) -> Result<crate::ApprovedPlan, Failure> {
        let asked = Asked::Request { treatment: Some(treatment.into()) };
        let Planned::Plan(plan) = self.engine.plan(&customer.into(), &asked).await? else {
            return Err("a customer of the kit is refused".into());
        };
        let (digest, at) = (plan.digest(), noon());
        let approval = Approval::new("operator-7", [TENANT.into()], digest, at, TimeDelta::hours(1));
        Ok(plan.approve(approval)?)
    }

    async fn case(&self, id: &str, customer: &str, treatment: &str) -> Result<NewCase, Failure> {
        Ok(NewCase::new(id.into(), &self.approved(customer, treatment).await?, noon()))
    }

    /// The engine chooses its own case id. So the entry is written again with the id of the sample.
    async fn closed(&self, id: &str, customer: &str, treatment: &str) -> Result<Arc<ClosedCase>, Failure> {
        self.engine.erase(self.approved(customer, treatment).await?).await?;
        let entry = self.ledger.entries(self.ledger.last().await?.saturating_sub(1), 1).await?.pop();
        let body = entry.ok_or("the kit's ledger is empty")?.body;
        let case = body.closed().ok_or("the kit's last entry is of no case")?;
        let text = body.to_text()?.replace(case.case.as_str(), id);
        let under = Arc::clone(case.under());
        let again = EntryBody::from_text::<LedgerError>(&text, body.beside(), |_| Ok(Some(under)))?;
        Ok(Arc::clone(again.closed().ok_or("the kit's entry is of no case")?))
    }

    async fn sample(&self, id: &str, customer: &str, treatment: &str) -> Result<Sample, Broken> {
        let new = works("planning", self.case(id, customer, treatment).await)?;
        let closed = works("erasing", self.closed(id, customer, treatment).await)?;
        if closed.subject().is_none() || closed.profiles().next().is_none() {
            return Err(Law::FixtureSuffices.broken("the kit's own entries name nobody"));
        }
        Ok(Sample { new, closed })
    }
}

/// An id that no case has.
pub(super) fn nobodys() -> CaseId {
    "case-0".into()
}
