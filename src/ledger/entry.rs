//! An entry of the ledger: one closed case, in as few words as prove it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{DeactivationOutcome, KeyCheck, SubjectToken, Waiver};
use crate::backup::Horizon;
use crate::customer::{AccountId, GatewayName, TenantId};
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::gateway::GatewayAnswer;
use crate::plan::{CaseId, ExpiryOf, OperatorId, Tombstones, Uncertain};
use crate::policy::{TreatmentName, Trigger};
use crate::store::Census;

/// How many records were treated: counted, or not known because an answer was lost. Never estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// So many.
    Exact(u64),
    /// The answer was lost; what was verified is that nothing is left to do.
    Unknown,
}

/// What a gateway answered for one profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayResult {
    /// Which gateway.
    pub gateway: GatewayName,
    /// Which profile, as a keyed digest: who holds the key can tell a profile that comes back.
    pub profile: SubjectToken,
    /// What it answered.
    pub answer: GatewayAnswer,
}

/// A profile at a gateway that was erased by itself, under an approved review of what had been forgotten there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileErased {
    /// Which gateway.
    pub gateway: GatewayName,
    /// The host's account there.
    pub account: Option<AccountId>,
    /// Which profile, as a keyed digest.
    pub profile: SubjectToken,
    /// The check value of the key of that digest.
    pub key: KeyCheck,
    /// The review that was approved.
    pub review: Digest,
    /// Who approved.
    pub operator: OperatorId,
    /// When.
    pub approved_at: DateTime<Utc>,
    /// When the gateway was asked.
    pub at: DateTime<Utc>,
    /// What it answered.
    pub answer: GatewayAnswer,
}

/// Which run of an expiry: random, so it says nothing of anybody.
pub type ExpiryRun = CaseId;

/// What the ledger says of a run in which records expired. There is one entry before anything is touched and one when all
/// is done; a run without its second entry was interrupted, and how much it did is not known. The next run does the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "expiry", rename_all = "snake_case")]
pub enum ExpiryEvent {
    /// It was approved and is about to begin.
    Begun(ExpiryBegun),
    /// It has come to its end, and what it treated was read back.
    Ended(ExpiryEnded),
}

/// That an expiry was approved and is about to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryBegun {
    /// The run.
    pub run: ExpiryRun,
    /// The plan that was approved.
    pub plan: Digest,
    /// Whose records.
    pub of: ExpiryOf,
    /// The data map.
    pub data_map: Digest,
    /// The policies in force: of each tenant in the order of their names, or of all where the owner is gone.
    pub policies: Vec<Digest>,
    /// Who approved.
    pub operator: OperatorId,
    /// When.
    pub approved_at: DateTime<Utc>,
    /// The instant at which what has expired expired.
    pub at: DateTime<Utc>,
}

/// That an expiry has come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryEnded {
    /// The run.
    pub run: ExpiryRun,
    /// What was treated.
    pub expired: Vec<ExpiredRecords>,
    /// Why it came to an end before it was done, if it did. What was not read back by then is not counted; the next run does
    /// the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_off: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// Where backup copies linger.
    pub backups: Vec<BackupResidue>,
}

/// Records of a tenant, or of nobody, that expired in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredRecords {
    /// Whose customers' they were: `?` for those whose tenant cannot be read. None where the owner is gone.
    pub tenant: Option<TenantId>,
    /// By class, the records that have expired, those that earlier runs had treated and that stay anonymised among them:
    /// a count of those that were written to would tell which fields were empty before.
    pub records: BTreeMap<ClassName, u64>,
    /// Customers of whom nothing was touched: held back by a guard, changed meanwhile, or refused by the store. The next
    /// run looks at them again.
    pub left: u64,
}

/// Where backup copies may still hold what was erased, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupResidue {
    /// The host's name for the backups.
    pub backups: String,
    /// How many copies there were when the case was closed, if they could be counted.
    pub copies: Option<u64>,
    /// Until when.
    pub horizon: Horizon,
}

/// What an erasure did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureResult {
    /// How the reversible first step ended.
    pub deactivation: DeactivationOutcome,
    /// Records treated, per class. Classes that the treatment keeps are not here.
    pub records: BTreeMap<ClassName, Count>,
    /// What gateways answered, per profile. A gateway that is not here held no profile that we knew of.
    pub gateways: Vec<GatewayResult>,
    /// Steps that a person decided to do without.
    pub waived: Vec<Waiver>,
    /// Records of each class that belonged to the customer when everything was read back, none of which the
    /// treatment would still change.
    pub verified: BTreeMap<ClassName, u64>,
    /// Records that duties keep for now, per class. The sweep comes back for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deferred: BTreeMap<ClassName, DeferredRecords>,
    /// By class and field, mentions in texts that were not certain to mean the customer, and stayed. Counted before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uncertain: Uncertain,
    /// What stays for now, anonymised, because something needs it that a duty keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tombstones: Vec<Tombstones>,
}

/// Records of a class that duties keep for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeferredRecords {
    /// How many.
    pub rows: u64,
    /// The duties, by their names in the policy.
    pub duties: Vec<String>,
    /// The first day on which any of them may be free. None where none has a date that can be read.
    pub from: Option<NaiveDate>,
    /// The last day on which any of them is kept, as far as their dates are known.
    pub until: Option<NaiveDate>,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// Erased as planned, and verified.
    Erased(ErasureResult),
    /// What the decision depended on had changed. Nothing was touched, or the deactivation was taken back.
    Superseded {
        /// What had changed.
        reason: String,
    },
    /// A person cancelled it before anything irreversible.
    Cancelled {
        /// Who.
        operator: OperatorId,
        /// Why.
        reason: String,
    },
}

/// What the cases of a batch have in common: who approved, under which rules, and what was around when they were
/// closed. Kept once for all of them; each entry names it by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circumstances {
    /// Whose customers.
    pub tenant: TenantId,
    /// The check value of the key of the subjects' tokens.
    pub key: KeyCheck,
    /// What made the customers due.
    pub trigger: Trigger,
    /// The policy.
    pub policy: Digest,
    /// The data map.
    pub data_map: Digest,
    /// The treatment, by name and digest.
    pub treatment: TreatmentName,
    /// The treatment's digest.
    pub treatment_digest: Digest,
    /// Who approved.
    pub operator: OperatorId,
    /// When.
    pub approved_at: DateTime<Utc>,
    /// When the cases were opened.
    pub opened_at: DateTime<Utc>,
    /// When they were closed.
    pub closed_at: DateTime<Utc>,
    /// Where backup copies linger.
    pub backups: Vec<BackupResidue>,
    /// What the store held beside, of which the data map does not speak.
    pub unmapped: Vec<String>,
    /// Whether the store has files that a scrub can free of the old bytes.
    pub scrubbable: bool,
}

/// A closed case.
///
/// As JSON: `case`, `circumstances` (a digest), `closing`, `plan` and `subject`. A ledger keeps that text as it was
/// written, and its digest is the case's [`leaf`](Self::leaf).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedCase {
    /// The case.
    pub case: CaseId,
    /// Whose data, as a keyed digest.
    pub subject: SubjectToken,
    /// The plan that was approved.
    pub plan: Digest,
    /// How it ended.
    pub closing: Closing,
    under: Arc<Circumstances>,
    circumstances: Digest,
}

#[derive(Serialize)]
struct Written<'c> {
    case: &'c CaseId,
    circumstances: Digest,
    closing: &'c Closing,
    plan: Digest,
    subject: SubjectToken,
}

#[cfg(feature = "sqlite")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    case: CaseId,
    circumstances: Digest,
    closing: Closing,
    plan: Digest,
    subject: SubjectToken,
}

impl ClosedCase {
    /// The tokens of the profiles at gateways that were erased with the customer.
    pub fn profiles(&self) -> impl Iterator<Item = SubjectToken> {
        let results = match &self.closing {
            Closing::Erased(result) => result.gateways.as_slice(),
            Closing::Superseded { .. } | Closing::Cancelled { .. } => &[],
        };
        results.iter().map(|result| result.profile)
    }

    /// A closed case. The digest is that of the circumstances: [`Circumstances::digest`].
    pub(crate) fn new(
        case: CaseId,
        subject: SubjectToken,
        plan: Digest,
        closing: Closing,
        (circumstances, under): (Digest, Arc<Circumstances>),
    ) -> Self {
        Self { case, subject, plan, closing, under, circumstances }
    }

    /// Under which circumstances.
    pub fn under(&self) -> &Arc<Circumstances> {
        &self.under
    }

    /// Their digest.
    pub fn circumstances(&self) -> Digest {
        self.circumstances
    }

    /// The text of the entry, as a ledger keeps it.
    pub(crate) fn text(&self) -> String {
        let written = Written {
            case: &self.case,
            circumstances: self.circumstances,
            closing: &self.closing,
            plan: self.plan,
            subject: self.subject,
        };
        // Strings, numbers and digests only: there is nothing that JSON could not say.
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// The case of a text that a ledger kept. None if it is none.
    #[cfg(feature = "sqlite")]
    pub(crate) fn from_text(
        text: &str,
        under: impl FnOnce(Digest) -> Option<Arc<Circumstances>>,
    ) -> Option<Self> {
        let Read { case, circumstances, closing, plan, subject } = serde_json::from_str(text).ok()?;
        Some(Self { case, subject, plan, closing, under: under(circumstances)?, circumstances })
    }

    /// The SHA-256 digest of the entry's text.
    pub fn leaf(&self) -> Digest {
        Digest::of_bytes(self.text().as_bytes())
    }
}

impl Circumstances {
    /// The SHA-256 digest of their canonical form (RFC 8785).
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryBody {
    /// A case was closed.
    Closed(Arc<ClosedCase>),
    /// The store's files were scrubbed of everything erased up to an entry.
    Scrubbed {
        /// That entry.
        through: u64,
        /// When.
        at: DateTime<Utc>,
    },
    /// A profile at a gateway was erased by itself.
    Profile(Arc<ProfileErased>),
    /// Records expire, or have expired.
    Expiry(Arc<ExpiryEvent>),
    /// All rows of the store were counted. What depends on the values of single rows is left out.
    Counted(Arc<Census>),
}

/// An entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number: 1, 2, 3 …
    pub seq: u64,
    /// What it says.
    pub body: EntryBody,
}

impl Entry {
    /// The tokens of the profiles at gateways of which it says that they were erased.
    pub fn profiles(&self) -> impl Iterator<Item = SubjectToken> {
        let (case, by_itself) = match &self.body {
            EntryBody::Closed(case) => (Some(case), None),
            EntryBody::Profile(erased) => (None, Some(erased.profile)),
            EntryBody::Scrubbed { .. } | EntryBody::Expiry(_) | EntryBody::Counted(_) => (None, None),
        };
        case.into_iter().flat_map(|case| case.profiles()).chain(by_itself)
    }

    /// The closed case, if that is what it says.
    pub fn closed(&self) -> Option<&Arc<ClosedCase>> {
        match &self.body {
            EntryBody::Closed(case) => Some(case),
            EntryBody::Scrubbed { .. }
            | EntryBody::Profile(_)
            | EntryBody::Expiry(_)
            | EntryBody::Counted(_) => None,
        }
    }
}
