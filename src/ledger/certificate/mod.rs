//! The certificate: what the ledger can prove about one closed case.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{
    BackupResidue, Circumstances, ClosedCase, Closing, CopiesSeen, Count, DeactivationOutcome,
    DeferredRecords, EntryBody, EntryKey, ErasureResult, ErasureRules, Find, FoundRecords, GatewayResult,
    HandStep, Intake, Ledger, LedgerError, LookedFor, MentionsResult, RecipientResult, RecordedDuty,
    SubjectToken, WaivedStep,
};
use crate::anonymise::Strategy;
use crate::case::RecipientOutcome;
use crate::customer::{GatewayName, TenantId};
use crate::data_map::{ClassName, FieldName, NotCovered};
use crate::digest::Digest;
use crate::gateway::GatewayOutcome;
use crate::plan::{CaseId, GuardFinding, OperatorId, Step, Tombstones, is_all_claimed};
use crate::policy::{ErasureGround, Guard, PrivacyLaw, Suppressing, Trigger};
use crate::store::Otherwise;
use crate::treatment::{
    ClassTreatment, GatewayAction, Lead, RecipientAction, RecordAction, Residue, Stays, Treatment,
    TreatmentName, Uncertain,
};

mod display;
mod page;
mod told;

#[cfg(feature = "checkpoints")]
pub(crate) use page::Proof;
pub(crate) use page::uncovered;

/// Whether old bytes may remain in the store's own files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileSlack {
    /// Free pages, logs and statistics may contain old bytes until the next scrub.
    Pending,
    /// The files were scrubbed after the case was closed.
    Scrubbed {
        /// When the files were scrubbed.
        at: DateTime<Utc>,
    },
    /// This store has no scrub. Ask the operator of the store.
    NotKnown,
}

/// What was checked before a certificate was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verified {
    /// The store was read back.
    ReadBack,
    /// Records that were handed over cannot be read back. They were counted when they were handed over.
    HandedOver,
    /// Texts that stay were searched for the erased values.
    Searched,
    /// Each gateway was asked again.
    Gateways,
    /// The hold book was read right before each irreversible step.
    Holds,
}

impl Verified {
    /// The check, in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadBack => "the store was read back: no record of the customer is left to treat",
            Self::HandedOver => {
                "records that were handed over were counted when it was done, and not read back"
            }
            Self::Searched => "texts of the customer that stay were searched for the values that were erased",
            Self::Gateways => "each gateway was asked again after its answer, and has the profile no more",
            Self::Holds => "right before each irreversible step, no hold of the ledger stood against it",
        }
    }
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
    /// Records that were treated by the action. `None` for a class that was kept.
    pub treated: Option<Count>,
    /// What was done instead of the action. For example: records were deleted instead of handed over, records were
    /// anonymised for now, or links were cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Otherwise>,
    /// Records that still belonged to the customer when everything was read back.
    pub remaining: Option<u64>,
    /// Records that duties keep for now, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferred: Option<DeferredRecords>,
    /// What happened to each field.
    pub fields: BTreeMap<FieldName, String>,
    /// What happened to each field whose value could not be read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<FieldName, String>,
    /// What happens to each searched text that a duty defers, if the values to search for are gone when the duty
    /// ends.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub after_duty: BTreeMap<FieldName, String>,
    /// Personal fields that stay, and why.
    pub kept: BTreeMap<FieldName, String>,
    /// The last day of each field in `kept` that stays only for a time. The others stay as long as their record.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kept_until: BTreeMap<FieldName, NaiveDate>,
}

/// The certificate of an erasure: what the ledger can prove about one case. It names no person.
///
/// The JSON and `Display` contain everything that the methods return.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    entry: u64,
    closed: Arc<ClosedCase>,
    rules: Arc<ErasureRules>,
    result: Arc<ErasureResult>,
    treatment: Arc<Treatment>,
    file_slack: FileSlack,
    /// For each place of backups without copies from before the case: when this was first seen.
    copies_gone: BTreeMap<String, DateTime<Utc>>,
}

impl Certificate {
    /// The certificate of a closed case, as the ledger can prove it now. `None` if there is no such case, or if the
    /// case did not end in an erasure. Needs only the ledger, not the database or the keys.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn read<L: Ledger + ?Sized>(ledger: &L, case: &CaseId) -> Result<Option<Self>, LedgerError> {
        let Some(entry) = ledger.entry(case).await? else { return Ok(None) };
        let Some(closed) = entry.closed() else { return Ok(None) };
        let Some(rules) = closed.erasure() else { return Ok(None) };
        let Some(treatment) = ledger.treatment(rules.treatment_digest).await? else { return Ok(None) };
        let scrubs = ledger.find(&Find::all([EntryKey::scrub()]).after(entry.seq)).await?;
        let scrubbed = scrubs.iter().find_map(|scrub| match &scrub.body {
            EntryBody::Scrubbed(scrubbed) if scrubbed.through >= entry.seq => Some(scrubbed.at),
            _ => None,
        });
        let Some(mut certificate) = Self::of(entry.seq, closed, &treatment, scrubbed) else {
            return Ok(None);
        };
        if !certificate.backups().is_empty() {
            let sightings = ledger.find(&Find::all([EntryKey::copies()]).after(entry.seq)).await?;
            let seen = sightings.iter().filter_map(|entry| match &entry.body {
                EntryBody::Copies(seen) => Some(&**seen),
                _ => None,
            });
            let seen: Vec<&CopiesSeen> = seen.collect();
            let gone = certificate.backups().iter().filter_map(|backup| {
                let since = CopiesSeen::first_gone(&seen, &backup.backups, certificate.closed_at())?;
                Some((backup.backups.clone(), since))
            });
            certificate.copies_gone = gone.collect();
        }
        Ok(Some(certificate))
    }

    /// Makes the certificate of a closed case, if it ended in an erasure.
    pub(crate) fn of(
        entry: u64,
        closed: &Arc<ClosedCase>,
        treatment: &Arc<Treatment>,
        scrubbed_at: Option<DateTime<Utc>>,
    ) -> Option<Self> {
        let (Closing::Erased(result), Some(rules)) = (&closed.closing, closed.erasure()) else { return None };
        let file_slack = match (closed.under().scrubbable, scrubbed_at) {
            (_, Some(at)) => FileSlack::Scrubbed { at },
            (true, None) => FileSlack::Pending,
            (false, None) => FileSlack::NotKnown,
        };
        let (closed, treatment) = (Arc::clone(closed), Arc::clone(treatment));
        let (rules, result) = (Arc::clone(rules), Arc::clone(result));
        Some(Self { entry, closed, rules, result, treatment, file_slack, copies_gone: BTreeMap::new() })
    }

    /// What was done.
    fn result(&self) -> &ErasureResult {
        &self.result
    }

    fn under(&self) -> &Circumstances {
        self.closed.under()
    }

    /// The case.
    pub fn case(&self) -> &CaseId {
        &self.closed.case
    }

    /// The entry's number in the ledger.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// The SHA-256 digest of the entry's text.
    pub fn leaf(&self) -> Digest {
        self.closed.leaf()
    }

    /// The erased customer, as a keyed digest. `None` after this digest was destroyed.
    pub fn subject(&self) -> Option<SubjectToken> {
        self.closed.subject()
    }

    /// The tenant to which the customer belonged.
    pub fn tenant(&self) -> &TenantId {
        &self.rules.tenant
    }

    /// The outcome in words: `erased` or `anonymised`; `pseudonymised` while something still leads to the person;
    /// `erased in part` while something still names the person. Ends in `as far as mapped` if mapped tables have rows
    /// that no record class claims, because the owner of such rows is unknown.
    pub fn outcome(&self) -> &'static str {
        self.residue().word(is_all_claimed(&self.under().unmapped))
    }

    /// What is left of the person. Data that a waived step did not erase count as naming the person. So do data that
    /// a gateway or a recipient keeps.
    pub fn residue(&self) -> Residue {
        let keeps = |result: &GatewayResult| matches!(result.answer.outcome, GatewayOutcome::Retained { .. });
        let is_left = self.looked_for().is_some_and(|looked| !looked.found.is_empty());
        let retains =
            |result: &RecipientResult| matches!(result.answer.outcome, RecipientOutcome::Retained { .. });
        if is_left
            || !self.waived().is_empty()
            || self.gateways().iter().any(keeps)
            || self.recipients().iter().any(retains)
        {
            return Residue::InPart;
        }
        self.treatment.residue_with(&self.leads(), |class| self.stays(class))
    }

    /// Which records of a class stay.
    fn stays(&self, class: &ClassName) -> Stays {
        let result = self.result();
        Stays {
            while_kept: result.deferred.contains_key(class)
                || result.tombstones.iter().any(|stays| stays.class == *class),
            treated: self.left(class) != Some(0),
            shared: result.otherwise.get(class).is_some_and(|otherwise| otherwise.shared > 0),
        }
    }

    /// The number of records of a class that stay and that no duty keeps. `None`: the number is not known.
    fn left(&self, name: &ClassName) -> Option<u64> {
        let (result, class) = (self.result(), self.treatment.class(name.as_str())?);
        let kept = result.deferred.get(name).map_or(0, |deferred| deferred.rows);
        let otherwise = result.otherwise.get(name).cloned().unwrap_or_default();
        // Records of others, in which only fields are the person's, were counted with the person's own.
        let elsewhere = kept.saturating_add(otherwise.fields);
        let remaining = result.verified.get(name).map(|rows| rows.saturating_sub(elsewhere));
        // These stay, and cannot be found afterwards.
        let not_found = match (class.action(), result.records.get(name)) {
            (RecordAction::Delete, _) => return remaining,
            (RecordAction::Keep { .. }, _)
                if result.records.values().all(|count| *count != Count::Unknown) =>
            {
                Some(otherwise.cut.values().chain(otherwise.handed_over.values()).sum())
            }
            (RecordAction::Anonymise | RecordAction::Reassign, Some(Count::Exact(rows))) => Some(*rows),
            _ => None,
        };
        match (remaining?, not_found?) {
            (rows, 0) | (0, rows) => Some(rows),
            // They can be found after all.
            (remaining, treated) if remaining == treated && *class.action() == RecordAction::Anonymise => {
                Some(remaining)
            }
            _ => None,
        }
    }

    /// Data in the store and the ledger that still lead to the person.
    fn leads(&self) -> Vec<Lead> {
        let has_profile = |name: &GatewayName| self.result().profiles_kept.contains(name);
        let mut leads = self.treatment.links_with(|class| self.stays(class), has_profile);
        if self.subject().is_none() {
            // If the token was destroyed, nothing leads from the person to this entry.
            leads.retain(|lead| !matches!(lead, Lead::Token { .. }));
        }
        leads
    }

    /// Everything that still leads to the person: data that the treatment, a gateway or a recipient keeps, and waived
    /// steps.
    pub fn links(&self) -> Vec<String> {
        let mut links: Vec<String> = self.leads().iter().map(ToString::to_string).collect();
        let looked = self.looked_for().into_iter().flat_map(|looked| &looked.found);
        let fields = looked.flat_map(|(class, fields)| fields.keys().map(move |field| (class, field)));
        links.extend(fields.map(|(class, field)| format!("{class}.{field} (still holds an erased value)")));
        links.extend(self.waived().iter().map(|waiver| format!("{} (waived)", waiver.step)));
        links.extend(self.gateways().iter().filter_map(|result| match &result.answer.outcome {
            GatewayOutcome::Retained { what, .. } => Some(format!("gateway.{} ({what})", result.gateway)),
            _ => None,
        }));
        links.extend(self.recipients().iter().filter_map(|result| match &result.answer.outcome {
            RecipientOutcome::Retained { what, .. } => {
                Some(format!("recipient.{} ({what})", result.recipient))
            }
            _ => None,
        }));
        links
    }

    /// The controller: the name of the policy, if it has one.
    pub fn controller(&self) -> Option<&str> {
        self.under().controller.as_deref()
    }

    /// The version of this crate that closed the case.
    pub fn crate_version(&self) -> &str {
        &self.under().crate_version
    }

    /// The data protection law of the controller.
    pub fn privacy_law(&self) -> PrivacyLaw {
        self.rules.privacy_law
    }

    /// The ground of Art. 17(1) GDPR, if the policy named one.
    pub fn ground(&self) -> Option<ErasureGround> {
        self.rules.ground
    }

    /// The findings of the guards and holds. They were checked right before each irreversible step.
    pub fn guards(&self) -> &BTreeMap<Guard, GuardFinding> {
        &self.rules.guards
    }

    /// The duties that were in force, by their names in the policy.
    pub fn duties(&self) -> &BTreeMap<String, RecordedDuty> {
        &self.rules.duties
    }

    /// What made the customer due.
    pub fn trigger(&self) -> Trigger {
        self.rules.trigger
    }

    /// The treatment.
    pub fn treatment(&self) -> &TreatmentName {
        &self.rules.treatment
    }

    /// The digests of `plan`, `policy`, `data_map`, `treatment`, and of the entry's `circumstances`.
    pub fn digests(&self) -> BTreeMap<&'static str, Digest> {
        BTreeMap::from([
            ("plan", self.closed.plan),
            ("policy", self.rules.policy),
            ("data_map", self.rules.data_map),
            ("treatment", self.rules.treatment_digest),
            ("circumstances", self.closed.circumstances()),
        ])
    }

    /// The operator who approved. `None` after the name was destroyed.
    pub fn approved_by(&self) -> Option<&OperatorId> {
        self.under().operator.get()
    }

    /// When the operator approved.
    pub fn approved_at(&self) -> DateTime<Utc> {
        self.under().approved_at
    }

    /// When the case was opened.
    pub fn opened_at(&self) -> DateTime<Utc> {
        self.under().opened_at
    }

    /// When the case was closed.
    pub fn closed_at(&self) -> DateTime<Utc> {
        self.under().closed_at
    }

    /// The request that the case carried out: receipt, identity, clock, and the letters until then. `None` if the
    /// register has no such request.
    pub fn intake(&self) -> Option<&Intake> {
        self.result().intake.as_ref()
    }

    /// How the deactivation ended.
    pub fn deactivation(&self) -> DeactivationOutcome {
        self.result().deactivation
    }

    /// What was done, per record class.
    pub fn records(&self) -> Vec<CertifiedClass> {
        classes(&self.treatment, self.result())
    }

    /// The gateways' answers, per profile.
    pub fn gateways(&self) -> &[GatewayResult] {
        &self.result().gateways
    }

    /// Gateways whose profiles the policy keeps, and why.
    pub fn gateways_kept(&self) -> BTreeMap<&str, &str> {
        let gateways = self.treatment.gateways().iter();
        gateways
            .filter_map(|(name, action)| match action {
                GatewayAction::Keep { reason } => Some((name.as_str(), reason.as_str())),
                GatewayAction::Erase => None,
            })
            .collect()
    }

    /// The recipients' answers.
    pub fn recipients(&self) -> &[RecipientResult] {
        &self.result().recipients
    }

    /// Recipients that the policy does not notify, each with the policy's reason.
    pub fn recipients_not_told(&self) -> BTreeMap<&str, &RecipientAction> {
        let recipients = self.treatment.recipients().iter();
        let not_told = recipients.filter(|(_, action)| **action != RecipientAction::Tell);
        not_told.map(|(name, action)| (name.as_str(), action)).collect()
    }

    /// The result of the pass over the texts of others. `None` if the treatment has no such pass, or if the step was
    /// waived.
    pub fn mentions(&self) -> Option<MentionsResult> {
        self.result().mentions
    }

    /// Steps at an outside party that a person did by hand, with evidence.
    pub fn by_hand(&self) -> &[HandStep] {
        &self.result().by_hand
    }

    /// Steps that a person decided to skip.
    pub fn waived(&self) -> &[WaivedStep] {
        &self.result().waived
    }

    /// The tombstones. These are anonymised records that stay for now, because a kept record references them.
    pub fn tombstones(&self) -> &[Tombstones] {
        &self.result().tombstones
    }

    /// The result of the search for the erased values in texts that stay. `None`: the store does not search.
    pub fn looked_for(&self) -> Option<&LookedFor> {
        self.result().looked_for.as_ref()
    }

    /// What was checked before the certificate was issued, in words.
    pub fn verified(&self) -> Vec<&'static str> {
        self.verifications().into_iter().map(Verified::as_str).collect()
    }

    /// What was checked before the certificate was issued.
    pub fn verifications(&self) -> Vec<Verified> {
        verified(&self.treatment, self.result())
    }

    /// The number of uncertain mentions in texts, by class and field. They may mean the person, and they stay. An
    /// operator should check them. They were counted before the records were erased.
    pub fn uncertain(&self) -> &Uncertain {
        &self.result().uncertain
    }

    /// The backups that may still hold copies, and until when.
    pub fn backups(&self) -> &[BackupResidue] {
        &self.under().backups
    }

    /// The places of backups in which no copy from before the case is left, and when this was first seen.
    /// [`Engine::look_at_copies`](crate::Engine::look_at_copies) has seen this. It is not only a promise of a rule.
    pub fn copies_gone(&self) -> &BTreeMap<String, DateTime<Utc>> {
        &self.copies_gone
    }

    /// What stays in the suppression list, so that no importer stores the person again. `None`: nothing stays there.
    pub fn suppressing(&self) -> Option<&Suppressing> {
        self.rules.suppressing.as_ref()
    }

    /// Whether old bytes may remain in the store's files.
    pub fn file_slack(&self) -> FileSlack {
        self.file_slack
    }

    /// What this certificate does not cover.
    pub fn not_covered(&self) -> Vec<&NotCovered> {
        self.under().unmapped.iter().chain(self.treatment.not_covered()).collect()
    }
}

impl Serialize for Certificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &1)?;
        map.serialize_entry("case", self.case())?;
        map.serialize_entry("entry", &self.entry)?;
        map.serialize_entry("leaf", &self.leaf())?;
        map.serialize_entry("subject", &self.subject())?;
        map.serialize_entry("tenant", self.tenant())?;
        map.serialize_entry("outcome", self.outcome())?;
        map.serialize_entry("links", &self.links())?;
        map.serialize_entry("trigger", &self.trigger())?;
        map.serialize_entry("ground", &self.ground())?;
        map.serialize_entry("privacy_law", &self.privacy_law())?;
        map.serialize_entry("controller", &self.controller())?;
        map.serialize_entry("crate_version", self.crate_version())?;
        map.serialize_entry("treatment", self.treatment())?;
        map.serialize_entry("digests", &self.digests())?;
        if let Some(intake) = self.intake() {
            let Intake { request, channel, received_at, identity, clock, due, letters } = intake;
            let intake = serde_json::json!({
                "request": request.get(), "channel": channel, "received_at": received_at, "identity": identity,
                "clock": clock, "due": due, "letters": letters,
            });
            map.serialize_entry("request", &intake)?;
        }
        map.serialize_entry("approved_by", &self.approved_by())?;
        map.serialize_entry("approved_at", &self.approved_at())?;
        map.serialize_entry("opened_at", &self.opened_at())?;
        map.serialize_entry("closed_at", &self.closed_at())?;
        map.serialize_entry("guards", self.guards())?;
        map.serialize_entry("duties", self.duties())?;
        map.serialize_entry("deactivation", &self.deactivation())?;
        map.serialize_entry("records", &self.records())?;
        let gateways = self.gateways().iter().map(|result| {
            serde_json::json!({
                "gateway": result.gateway, "profile": result.profile.get(), "answer": result.answer,
            })
        });
        map.serialize_entry("gateways", &gateways.collect::<Vec<_>>())?;
        map.serialize_entry("gateways_kept", &self.gateways_kept())?;
        map.serialize_entry("mentions", &self.mentions())?;
        map.serialize_entry("recipients", self.recipients())?;
        map.serialize_entry("recipients_not_told", &self.recipients_not_told())?;
        map.serialize_entry("tombstones", self.tombstones())?;
        let by_hand = self.by_hand().iter().map(|done| {
            let HandStep { step, operator, evidence, at } = done;
            serde_json::json!({ "step": step, "operator": operator.get(), "evidence": evidence, "at": at })
        });
        map.serialize_entry("by_hand", &by_hand.collect::<Vec<_>>())?;
        let waived = self.waived().iter().map(|waived| {
            let WaivedStep { step, operator, reason, at } = waived;
            serde_json::json!({ "step": step, "operator": operator.get(), "reason": reason, "at": at })
        });
        map.serialize_entry("waived", &waived.collect::<Vec<_>>())?;
        map.serialize_entry("verified", &self.verified())?;
        if let Some(looked) = self.looked_for() {
            let keys =
                |found: &FoundRecords| serde_json::json!({ "rows": found.rows, "keys": found.keys.get() });
            let found = looked.found.iter().map(|(class, fields)| {
                let fields = fields.iter().map(|(field, found)| (field.to_string(), keys(found)));
                (class.to_string(), fields.collect::<serde_json::Map<_, _>>().into())
            });
            let found: serde_json::Map<String, serde_json::Value> = found.collect();
            let looked = serde_json::json!({ "found": found, "unknown": looked.unknown });
            map.serialize_entry("looked_for", &looked)?;
        }
        map.serialize_entry("suppressing", &self.suppressing())?;
        map.serialize_entry("uncertain_mentions", self.uncertain())?;
        map.serialize_entry("backups", self.backups())?;
        map.serialize_entry("copies_gone", self.copies_gone())?;
        map.serialize_entry("file_slack", &self.file_slack)?;
        let not_covered = self.not_covered();
        map.serialize_entry("not_covered", &not_covered.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        map.end()
    }
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
            otherwise: result.otherwise.get(name).cloned(),
            remaining: result.verified.get(name).copied(),
            deferred: result.deferred.get(name).cloned(),
            fields: class
                .fields()
                .iter()
                .map(|(field, s)| (field.clone(), in_group(class, field, s.describe())))
                .collect(),
            unreadable: described(class.unreadable()),
            after_duty: described(class.after_duty()),
            kept: class
                .kept()
                .iter()
                .map(|(field, reason)| (field.clone(), in_group(class, field, reason.clone())))
                .collect(),
            kept_until: result.kept.get(name).cloned().unwrap_or_default(),
        })
        .collect()
}

fn described(fields: &BTreeMap<FieldName, Strategy>) -> BTreeMap<FieldName, String> {
    fields.iter().map(|(field, strategy)| (field.clone(), strategy.describe())).collect()
}

/// The text about a field of a smallest group. The field stays only if enough customers share its value. The plan
/// says whether they do. The ledger must not say so, because this would reveal something about the cleared values.
fn in_group(class: &ClassTreatment, field: &FieldName, what: String) -> String {
    match class.smallest_group().filter(|group| group.fields().contains_key(field)) {
        Some(group) => {
            let coarser = group
                .coarser()
                .get(field)
                .map(|to| format!(", else {} where so many share that", to.describe()));
            let (least, coarser) = (group.least(), coarser.unwrap_or_default());
            format!("{what}; only where {least} customers or more share what stays{coarser}")
        }
        None => what,
    }
}

fn verified(treatment: &Treatment, result: &ErasureResult) -> Vec<Verified> {
    let mut list = vec![Verified::ReadBack];
    if treatment.classes().values().any(|class| *class.action() == RecordAction::Reassign) {
        // They cannot be read back, because they now belong to the "Unknown Customer", together with many others. See
        // `manual::promises`.
        list.push(Verified::HandedOver);
    }
    if result.looked_for.as_ref().is_some_and(|looked| looked.unknown.is_empty()) {
        list.push(Verified::Searched);
    }
    let gone = |result: &GatewayResult| {
        matches!(result.answer.outcome, GatewayOutcome::Erased | GatewayOutcome::AlreadyAbsent)
    };
    // After a step by hand, or without the step, nobody asks the gateway again.
    let decided = result.by_hand.iter().map(|done| &done.step);
    let mut decided = decided.chain(result.waived.iter().map(|waived| &waived.step));
    let is_asked = !decided.any(|step| matches!(step, Step::Gateway(_)));
    if is_asked && !result.gateways.is_empty() && result.gateways.iter().all(gone) {
        list.push(Verified::Gateways);
    }
    // A case that is held rests, and is not closed.
    list.push(Verified::Holds);
    list
}
