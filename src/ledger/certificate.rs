//! The certificate: what the ledger can prove about one closed case.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    BackupResidue, ClosedCase, Closing, Count, DeactivationOutcome, ErasureResult, GatewayResult, Ledger,
    LedgerError, SubjectToken, Waiver,
};
use crate::customer::TenantId;
use crate::data_map::{ClassName, FieldName};
use crate::digest::Digest;
use crate::gateway::GatewayOutcome;
use crate::plan::{CaseId, OperatorId};
use crate::policy::{GatewayAction, RecordAction, Treatment, TreatmentName, Trigger};

/// Whether old bytes may still lie in the store's own files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileSlack {
    /// Free pages, logs and statistics may hold them until the next scrub.
    Pending,
    /// The files were scrubbed after the case was closed.
    Scrubbed {
        /// When.
        at: DateTime<Utc>,
    },
    /// This store has no scrub; ask whoever runs it.
    NotKnown,
}

/// What was done to one record class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertifiedClass {
    /// The class.
    pub class: ClassName,
    /// `delete`, `anonymise`, `reassign` or `keep`.
    pub action: String,
    /// Why it was kept.
    pub reason: Option<String>,
    /// Records treated. None for a class that was kept.
    pub treated: Option<Count>,
    /// Records that still belonged to the customer when everything was read back.
    pub remaining: Option<u64>,
    /// What became of each field.
    pub fields: BTreeMap<FieldName, String>,
    /// Personal fields that stay, and why.
    pub kept: BTreeMap<FieldName, String>,
}

/// What the ledger can prove about one erasure. It names nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Certificate {
    /// The format: 1.
    pub version: u32,
    /// The case.
    pub case: CaseId,
    /// Its number in the ledger.
    pub entry: u64,
    /// The SHA-256 digest of the entry in canonical form.
    pub leaf: Digest,
    /// Whose data, as a keyed digest.
    pub subject: SubjectToken,
    /// Whose customer.
    pub tenant: TenantId,
    /// `erased`, `anonymised`, or `pseudonymised` while something still leads to the person.
    pub outcome: String,
    /// What still leads to the person.
    pub links: Vec<String>,
    /// What made the customer due.
    pub trigger: Trigger,
    /// The treatment.
    pub treatment: TreatmentName,
    /// The digests of plan, policy, data map and treatment.
    pub digests: BTreeMap<&'static str, Digest>,
    /// Who approved.
    pub approved_by: OperatorId,
    /// When.
    pub approved_at: DateTime<Utc>,
    /// When the case was opened.
    pub opened_at: DateTime<Utc>,
    /// When it was closed.
    pub closed_at: DateTime<Utc>,
    /// How the reversible first step ended.
    pub deactivation: DeactivationOutcome,
    /// What was done, per record class.
    pub records: Vec<CertifiedClass>,
    /// What gateways answered, per profile.
    pub gateways: Vec<GatewayResult>,
    /// Gateways whose profiles the policy keeps, and why.
    pub gateways_kept: BTreeMap<String, String>,
    /// Steps that a person decided to do without.
    pub waived: Vec<Waiver>,
    /// What was checked before this was issued.
    pub verified: Vec<String>,
    /// Where backup copies linger, and until when.
    pub backups: Vec<BackupResidue>,
    /// Whether old bytes may still lie in the store's files.
    pub file_slack: FileSlack,
    /// What this certificate says nothing about.
    pub not_covered: Vec<String>,
}

impl Certificate {
    /// The certificate of a closed case, as the ledger can prove it now. None if there is no such case or it did not
    /// end in an erasure. It takes the ledger alone: neither the database nor the keys.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn read<L: Ledger + ?Sized>(ledger: &L, case: &CaseId) -> Result<Option<Self>, LedgerError> {
        let Some(entry) = ledger.entry(case).await? else { return Ok(None) };
        let Some(closed) = entry.closed() else { return Ok(None) };
        let Some(treatment) = ledger.treatment(closed.treatment_digest).await? else { return Ok(None) };
        let scrubbed = ledger.scrubbed_after(entry.seq).await?;
        Ok(Self::of(entry.seq, closed, &treatment, scrubbed))
    }

    /// The certificate of a closed case, if it ended in an erasure.
    pub(crate) fn of(
        entry: u64,
        case: &ClosedCase,
        treatment: &Treatment,
        scrubbed_at: Option<DateTime<Utc>>,
    ) -> Option<Self> {
        let Closing::Erased(result) = &case.closing else { return None };
        let file_slack = match (result.scrubbable, scrubbed_at) {
            (_, Some(at)) => FileSlack::Scrubbed { at },
            (true, None) => FileSlack::Pending,
            (false, None) => FileSlack::NotKnown,
        };
        let links = links(treatment, result);
        Some(Self {
            version: 1,
            case: case.case.clone(),
            entry,
            leaf: case.leaf(),
            subject: case.subject,
            tenant: case.tenant.clone(),
            outcome: treatment.outcome_with(links.is_empty()).to_owned(),
            links,
            trigger: case.trigger,
            treatment: case.treatment.clone(),
            digests: BTreeMap::from([
                ("plan", case.plan),
                ("policy", case.policy),
                ("data_map", case.data_map),
                ("treatment", case.treatment_digest),
            ]),
            approved_by: case.operator.clone(),
            approved_at: case.approved_at,
            opened_at: case.opened_at,
            closed_at: case.closed_at,
            deactivation: result.deactivation,
            records: classes(treatment, result),
            gateways: result.gateways.clone(),
            gateways_kept: treatment
                .gateways()
                .iter()
                .filter_map(|(name, action)| match action {
                    GatewayAction::Keep { reason } => Some((name.to_string(), reason.clone())),
                    GatewayAction::Erase => None,
                })
                .collect(),
            waived: result.waived.clone(),
            verified: verified(result),
            backups: result.backups.clone(),
            file_slack,
            not_covered: result.unmapped.iter().chain(treatment.not_covered()).cloned().collect(),
        })
    }
}

/// What still leads to the person: what the treatment keeps, what a gateway keeps, and what was waived there.
fn links(treatment: &Treatment, result: &ErasureResult) -> Vec<String> {
    let mut links = treatment.links().to_vec();
    links.extend(result.waived.iter().map(|waiver| format!("{} (waived)", waiver.step)));
    links.extend(result.gateways.iter().filter_map(|result| match &result.outcome {
        GatewayOutcome::Retained { what, .. } => Some(format!("gateway.{} ({what})", result.gateway)),
        _ => None,
    }));
    links
}

fn classes(treatment: &Treatment, result: &ErasureResult) -> Vec<CertifiedClass> {
    treatment
        .classes()
        .iter()
        .map(|(name, class)| CertifiedClass {
            class: name.clone(),
            action: class.action().as_str().to_owned(),
            reason: match class.action() {
                RecordAction::Keep { reason } => Some(reason.clone()),
                RecordAction::Delete | RecordAction::Anonymise | RecordAction::Reassign => None,
            },
            treated: result.records.get(name).copied(),
            remaining: result.verified.get(name).copied(),
            fields: class.fields().iter().map(|(field, s)| (field.clone(), s.describe())).collect(),
            kept: class.kept().clone(),
        })
        .collect()
}

fn verified(result: &ErasureResult) -> Vec<String> {
    let mut list = vec!["the store was read back: no record of the customer is left to treat".to_owned()];
    let gone = |result: &GatewayResult| {
        matches!(result.outcome, GatewayOutcome::Erased | GatewayOutcome::AlreadyAbsent)
    };
    if !result.gateways.is_empty() && result.gateways.iter().all(gone) {
        list.push("each gateway was asked again after its answer, and has the profile no more".to_owned());
    }
    list
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Certificate of erasure, case {}", self.case)?;
        writeln!(f, "  subject    {} (a token that only the ledger's key can match)", self.subject)?;
        writeln!(f, "  outcome    {}", self.outcome)?;
        if !self.links.is_empty() {
            writeln!(f, "  because of {}", self.links.join(", "))?;
        }
        writeln!(f, "  approved   by {} at {}", self.approved_by, self.approved_at.format("%F %T UTC"))?;
        writeln!(f, "  closed     at {}", self.closed_at.format("%F %T UTC"))?;
        for class in &self.records {
            let treated = match class.treated {
                Some(Count::Exact(count)) => count.to_string(),
                Some(Count::Unknown) => "not known".to_owned(),
                None => "-".to_owned(),
            };
            write!(f, "  {:<20} {:<10} {treated:>9}", class.class, class.action)?;
            if let Some(reason) = &class.reason {
                write!(f, "   {reason}")?;
            }
            writeln!(f)?;
            for (field, what) in &class.fields {
                writeln!(f, "    {field:<28} {what}")?;
            }
            for (field, reason) in &class.kept {
                writeln!(f, "    {field:<28} stays: {reason}")?;
            }
        }
        for result in &self.gateways {
            writeln!(f, "  gateway.{:<12} {}", result.gateway, result.outcome)?;
        }
        for waiver in &self.waived {
            writeln!(f, "  waived     {} by {}: {}", waiver.step, waiver.operator, waiver.reason)?;
        }
        for verified in &self.verified {
            writeln!(f, "  verified   {verified}")?;
        }
        for backup in &self.backups {
            writeln!(f, "  backups    {} may hold the old data {}", backup.backups, backup.horizon)?;
        }
        let slack = match self.file_slack {
            FileSlack::Pending => {
                "pending: old bytes may lie in the store's files until the next scrub".to_owned()
            }
            FileSlack::Scrubbed { at } => format!("scrubbed at {}", at.format("%F %T UTC")),
            FileSlack::NotKnown => "not known: this store has no scrub".to_owned(),
        };
        writeln!(f, "  files      {slack}")?;
        for what in &self.not_covered {
            writeln!(f, "  not covered: {what}")?;
        }
        write!(f, "  leaf       {} (the digest of entry {} of the ledger)", self.leaf, self.entry)
    }
}
