//! An entry of the ledger: one closed case, in as few words as prove it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{DeactivationOutcome, KeyCheck, SubjectToken, Waiver};
use crate::backup::Horizon;
use crate::customer::{GatewayName, TenantId};
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::gateway::GatewayOutcome;
use crate::plan::{CaseId, OperatorId};
use crate::policy::{TreatmentName, Trigger};

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
    /// What it answered.
    pub outcome: GatewayOutcome,
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
    /// Where backup copies linger.
    pub backups: Vec<BackupResidue>,
    /// Records of each class that belonged to the customer when everything was read back, none of which the
    /// treatment would still change.
    pub verified: BTreeMap<ClassName, u64>,
    /// What the store held beside when the case was closed, of which the data map does not speak.
    pub unmapped: Vec<String>,
    /// Whether the store has files that a scrub can free of the old bytes.
    pub scrubbable: bool,
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

/// A closed case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedCase {
    /// The case.
    pub case: CaseId,
    /// Whose data, as a keyed digest.
    pub subject: SubjectToken,
    /// The check value of the key of that digest.
    pub key: KeyCheck,
    /// Whose customer.
    pub tenant: TenantId,
    /// What made the customer due.
    pub trigger: Trigger,
    /// The plan that was approved.
    pub plan: Digest,
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
    /// When the case was opened.
    pub opened_at: DateTime<Utc>,
    /// When it was closed.
    pub closed_at: DateTime<Utc>,
    /// How.
    pub closing: Closing,
}

impl ClosedCase {
    /// The digest of the entry's canonical form: its leaf.
    pub fn leaf(&self) -> Digest {
        Digest::of(self)
    }
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntryBody {
    /// A case was closed.
    Closed(Box<ClosedCase>),
    /// The store's files were scrubbed of everything erased up to an entry.
    Scrubbed {
        /// That entry.
        through: u64,
        /// When.
        at: DateTime<Utc>,
    },
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
    /// The closed case, if that is what it says.
    pub fn closed(&self) -> Option<&ClosedCase> {
        match &self.body {
            EntryBody::Closed(case) => Some(case),
            EntryBody::Scrubbed { .. } => None,
        }
    }
}
