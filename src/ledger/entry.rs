//! An entry of the ledger: the short, canonical record of one closed case. It contains no direct identifier.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::sealed::{Gather, Open, Sealed, Visit};
use super::{
    CopiesResult, CopiesSeen, DeactivationOutcome, EntryKey, Intake, KeyCheck, LedgerError, SubjectToken,
};
use crate::backup::{Horizon, Schedule};
use crate::case::{RecipientAnswer, SupersedeReason};
use crate::customer::{AccountId, GatewayName, TenantId};
use crate::data_map::{ClassName, FieldName, NotCovered, RecipientName, TimeZone};
use crate::digest::{Digest, canonical};
use crate::gateway::{GatewayAnswer, GatewayOutcome};
use crate::plan::{
    CaseId, CopiesChanged, ExpiryOf, GuardFinding, MandateKind, OperatorId, ReasonCode, RecordsOf, Step,
    Tombstones,
};
use crate::policy::{
    Duty, ErasureGround, Ground, Guard, Period, PrivacyLaw, StartRule, Suppressing, Trigger,
};
use crate::store::{Census, Otherwise};
use crate::treatment::{KeptUntil, MentionCounts, TreatmentName, Uncertain};

/// The number of treated records: counted, or unknown because an answer was lost. Never estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// The number.
    Exact(u64),
    /// The answer with the count was lost. It was verified that nothing is left to do.
    Unknown,
}

/// A gateway's answer for one profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayResult {
    /// The gateway.
    pub gateway: GatewayName,
    /// The profile, as a keyed digest. With the key, a profile that appears again can be recognised.
    pub profile: Sealed<SubjectToken>,
    /// The answer.
    pub answer: GatewayAnswer,
}

/// A recipient's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientResult {
    /// The recipient.
    pub recipient: RecipientName,
    /// The answer.
    pub answer: RecipientAnswer,
}

/// The result of the passes over the texts of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MentionsResult {
    /// The counts.
    pub counts: MentionCounts,
    /// Whether the counts are complete. They are not after an interruption: the pass is repeated, and the changes of
    /// the first attempt are not counted.
    pub exact: bool,
}

/// A step at an outside party that a person did by hand, with evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandStep {
    /// The step.
    pub step: Step,
    /// The person who did it.
    pub operator: Sealed<OperatorId>,
    /// Where the evidence is: the host's own reference.
    pub evidence: ReasonCode,
    /// When the person reported it.
    pub at: DateTime<Utc>,
}

/// A step that a person decided to skip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaivedStep {
    /// The step.
    pub step: Step,
    /// The person who decided.
    pub operator: Sealed<OperatorId>,
    /// Why.
    pub reason: ReasonCode,
    /// When the person decided.
    pub at: DateTime<Utc>,
}

/// The records of a tenant, or of nobody, that expired in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredRecords {
    /// The owners of the records.
    pub of: RecordsOf,
    /// The expired records by class. This includes records that earlier runs anonymised: a count of only the changed
    /// records would reveal which fields were empty before.
    pub records: BTreeMap<ClassName, u64>,
    /// The number of customers whose records were not touched. A guard forbade it, the customer changed in the
    /// meantime, or the store refused. The next run checks them again.
    pub left: u64,
}

/// The result of an expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryResult {
    /// The treated records.
    pub expired: Vec<ExpiredRecords>,
    /// Whether the counts are complete. They are not if an answer of the store was lost: its records were treated but
    /// not counted.
    pub exact: bool,
    /// Why the expiry ended before it was complete, if it did. The next expiry does the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<EndedEarly>,
}

/// Why an expiry, or a removal of copies, ended before it was complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndedEarly {
    /// Far more records had expired than the approved plan counted.
    MoreThanPlanned {
        /// The plan's count.
        planned: u64,
        /// The number found by then.
        found: u64,
    },
    /// The approval is not valid any more.
    Mandate {
        /// When it expired.
        expired: Option<DateTime<Utc>>,
    },
    /// The copies, or their rule, have changed since the plan.
    Copies(CopiesChanged),
    /// A person ended it.
    Cancelled {
        /// The person.
        operator: Sealed<OperatorId>,
        /// Why.
        reason: ReasonCode,
    },
}

impl std::fmt::Display for EndedEarly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MoreThanPlanned { planned, found } => write!(
                f,
                "{found} records or more have expired by now, and the approved plan spoke of {planned}; look why, plan again \
                 and approve the new plan"
            ),
            Self::Mandate { expired: Some(at) } => {
                write!(f, "the approval expired at {at}; plan again and approve the new plan")
            }
            Self::Mandate { expired: None } => {
                f.write_str("the approval is not valid now; plan again and approve the new plan")
            }
            Self::Copies(changed) => write!(f, "{changed}"),
            Self::Cancelled { operator, reason } => write!(f, "cancelled by {operator}: {reason}"),
        }
    }
}

/// The result of erasing a single profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileResult {
    /// The gateway's answer. `None` if a person decided to skip the gateway.
    pub answer: Option<GatewayAnswer>,
    /// Steps that a person decided to skip.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<WaivedStep>,
    /// Steps that a person took by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<HandStep>,
}

/// Backups that may still contain erased data, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupResidue {
    /// The host's name for the backups.
    pub backups: String,
    /// The number of copies when the case was closed, if they could be counted.
    pub copies: Option<u64>,
    /// The last day.
    pub horizon: Horizon,
}

/// What an erasure did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureResult {
    /// How the deactivation ended.
    pub deactivation: DeactivationOutcome,
    /// Records that were treated by the action of their class, per class. Classes that the treatment keeps are not
    /// included.
    pub records: BTreeMap<ClassName, Count>,
    /// What was done instead of the action, per class. Empty if the answer that said it was lost.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub otherwise: BTreeMap<ClassName, Otherwise>,
    /// The gateways' answers, per profile. If a gateway is missing here, no profile was known there.
    pub gateways: Vec<GatewayResult>,
    /// Gateways at which the customer had profiles that the policy keeps.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub profiles_kept: BTreeSet<GatewayName>,
    /// The recipients' answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<RecipientResult>,
    /// The result of the passes over the texts of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<MentionsResult>,
    /// Steps that a person decided to skip.
    pub waived: Vec<WaivedStep>,
    /// Steps that a person took by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<HandStep>,
    /// The number of records of each class that still belonged to the customer when everything was read back. The
    /// treatment would change none of them.
    pub verified: BTreeMap<ClassName, u64>,
    /// Records that duties keep for now, per class. A later sweep treats them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deferred: BTreeMap<ClassName, DeferredRecords>,
    /// The last day of each personal field that stays for a time. A later sweep treats the field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: KeptUntil,
    /// The number of uncertain mentions in texts, by class and field. They may mean the customer, and they stay. They
    /// were counted before the records were erased.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uncertain: Uncertain,
    /// Anonymised records that stay for now, because a kept record references them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tombstones: Vec<Tombstones>,
    /// The result of the search for the erased values in texts that stay. `None`: the store does not search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_for: Option<LookedFor>,
    /// The request of the register that the case carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intake: Option<Intake>,
}

/// The result of the search for the erased values in texts that stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedFor {
    /// Records that still contained an erased value, by class and field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub found: BTreeMap<ClassName, BTreeMap<FieldName, FoundRecords>>,
    /// The fields whose values could not be searched for. The values were unknown, because an answer of the store was
    /// lost.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<ClassName, Vec<FieldName>>,
}

/// The records in which an erased value was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundRecords {
    /// The number of records.
    pub rows: u64,
    /// The keys of the first of these records, if the keys are numbers and lead to no customer. They are sealed, so
    /// that they can be destroyed.
    pub keys: Sealed<Vec<String>>,
}

/// Records of a class that duties keep for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeferredRecords {
    /// The number of records.
    pub rows: u64,
    /// The duties, by their names in the policy. Each has the last day on which it keeps one of the records, or
    /// `None` if no end is known. The [rules](ErasureRules::duties) describe each duty.
    pub duties: BTreeMap<String, Option<NaiveDate>>,
    /// The first day on which one of the records may be treated. `None` if no record has a readable date.
    pub from: Option<NaiveDate>,
    /// The last day on which one of the records is kept, as far as their dates are known.
    pub until: Option<NaiveDate>,
    /// The number of records whose date cannot be read, by field. The end of their duty is unknown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<FieldName, u64>,
    /// Whether no duty names the class. Then the records are kept only because other kept records reference them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_others: bool,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Closing {
    /// Erased as planned, and verified.
    Erased(Arc<ErasureResult>),
    /// Expired records were treated.
    Expired(Arc<ExpiryResult>),
    /// A single profile was erased.
    Profile(Arc<ProfileResult>),
    /// Backup copies were removed.
    Copies(Arc<CopiesResult>),
    /// The approved plan did not fit the facts any more. Nothing was touched, or the deactivation was undone.
    Superseded {
        /// What had changed.
        because: SupersedeReason,
    },
    /// A person cancelled the case before any irreversible step.
    Cancelled {
        /// The person.
        operator: Sealed<OperatorId>,
        /// Why.
        reason: ReasonCode,
    },
}

impl Closing {
    fn visit(&mut self, visit: &mut impl Visit) -> Result<(), LedgerError> {
        match self {
            Self::Erased(result) => {
                let result = Arc::make_mut(result);
                for gateway in &mut result.gateways {
                    visit.sealed(&mut gateway.profile)?;
                }
                let found = result.looked_for.iter_mut().flat_map(|looked| looked.found.values_mut());
                for found in found.flat_map(BTreeMap::values_mut) {
                    visit.sealed(&mut found.keys)?;
                }
                if let Some(intake) = &mut result.intake {
                    visit.sealed(&mut intake.request)?;
                }
                result.by_hand.iter_mut().try_for_each(|done| visit.sealed(&mut done.operator))?;
                result.waived.iter_mut().try_for_each(|waived| visit.sealed(&mut waived.operator))
            }
            Self::Profile(result) => {
                let result = Arc::make_mut(result);
                result.by_hand.iter_mut().try_for_each(|done| visit.sealed(&mut done.operator))?;
                result.waived.iter_mut().try_for_each(|waived| visit.sealed(&mut waived.operator))
            }
            Self::Expired(result) => match &mut Arc::make_mut(result).ended_early {
                Some(EndedEarly::Cancelled { operator, .. }) => visit.sealed(operator),
                Some(_) | None => Ok(()),
            },
            Self::Copies(result) => match &mut Arc::make_mut(result).ended_early {
                Some(EndedEarly::Cancelled { operator, .. }) => visit.sealed(operator),
                Some(_) | None => Ok(()),
            },
            Self::Cancelled { operator, .. } => visit.sealed(operator),
            Self::Superseded { .. } => Ok(()),
        }
    }
}

/// What a case was about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum About {
    /// A customer, as a keyed digest.
    Customer(Sealed<SubjectToken>),
    /// Expired records.
    Expiry(ExpiryOf),
    /// Backup copies, by the host's name for their place.
    Copies(String),
    /// A profile at a gateway, under a review of forgotten profiles.
    Profile {
        /// The gateway.
        gateway: GatewayName,
        /// The host's account there.
        account: Option<AccountId>,
        /// The profile, as a keyed digest.
        profile: Sealed<SubjectToken>,
    },
}

impl About {
    /// The keyed digest of the customer or profile.
    fn token(&self) -> Option<SubjectToken> {
        match self {
            Self::Customer(token) | Self::Profile { profile: token, .. } => token.get().copied(),
            Self::Expiry(_) | Self::Copies(_) => None,
        }
    }

    fn visit(&mut self, visit: &mut impl Visit) -> Result<(), LedgerError> {
        match self {
            Self::Customer(token) | Self::Profile { profile: token, .. } => visit.sealed(token),
            Self::Expiry(_) | Self::Copies(_) => Ok(()),
        }
    }
}

/// The facts that the cases of a batch share: who approved, under which rules, and how the cases were closed. They
/// are stored once for all cases. Each entry refers to them by their digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circumstances {
    /// The rules.
    pub rules: Rules,
    /// The kind of the mandate.
    pub mandate: MandateKind,
    /// The operator who gave the mandate.
    pub operator: Sealed<OperatorId>,
    /// When the mandate was given.
    pub approved_at: DateTime<Utc>,
    /// The check value of the tokens' key. `None` if the case has no token.
    pub key: Option<KeyCheck>,
    /// When the cases were opened.
    pub opened_at: DateTime<Utc>,
    /// When the cases were closed.
    pub closed_at: DateTime<Utc>,
    /// The backups that may still hold copies.
    pub backups: Vec<BackupResidue>,
    /// Data of the store that no class of the data map covers.
    pub unmapped: Vec<NotCovered>,
    /// Whether the store has a scrub that removes old bytes from its files.
    pub scrubbable: bool,
    /// The controller: the name of the policy, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// The version of this crate.
    pub crate_version: String,
}

/// The rules under which a case ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rules {
    /// The rules of an erasure.
    Erasure(Arc<ErasureRules>),
    /// The rules of an expiry.
    Expiry {
        /// The digests of the policies in force: one per tenant in the order of the tenants' names. If the records
        /// have no owner, one digest for all tenants.
        policies: Vec<Digest>,
        /// The data map.
        data_map: Digest,
    },
    /// The approved review is the rule for a single profile.
    Review,
    /// The rule by which copies age out.
    Copies(Schedule),
}

/// The rules of an erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRules {
    /// The tenant to which the customers belong.
    pub tenant: TenantId,
    /// What made the customers due.
    pub trigger: Trigger,
    /// The policy.
    pub policy: Digest,
    /// The data map.
    pub data_map: Digest,
    /// The name of the treatment.
    pub treatment: TreatmentName,
    /// The treatment's digest.
    pub treatment_digest: Digest,
    /// The data protection law of the controller.
    pub privacy_law: PrivacyLaw,
    /// The ground of Art. 17(1) GDPR, if the policy names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<ErasureGround>,
    /// The findings of the guards and holds. They were checked right before each irreversible step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guards: BTreeMap<Guard, GuardFinding>,
    /// The duties in force, by their names in the policy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub duties: BTreeMap<String, RecordedDuty>,
    /// What stays in the suppression list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressing: Option<Suppressing>,
    /// The time zone in which days are counted.
    pub time_zone: TimeZone,
}

/// A duty, as it was in force when a case was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedDuty {
    /// The law.
    pub law: String,
    /// The code of the statute, if the duty names one of the [table](crate::policy::statute).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statute: Option<String>,
    /// The ground on which the duty overrides a request for erasure.
    pub ground: Ground,
    /// The data protection law that the ground belongs to.
    pub privacy_law: PrivacyLaw,
    /// The length of the period.
    pub period: Period,
    /// The start of the period.
    pub start: StartRule,
}

impl From<&Duty> for RecordedDuty {
    fn from(duty: &Duty) -> Self {
        Self {
            law: duty.law().to_owned(),
            statute: duty.statute().map(|statute| statute.code.to_owned()),
            ground: duty.ground(),
            privacy_law: duty.privacy_law(),
            period: duty.period(),
            start: duty.start(),
        }
    }
}

/// Prints a line such as `7 years from the end of …, by Bokföringslag 7 kap. 2 § (SE/BFL/7:2) (Art. 17(3)(b) GDPR)`.
impl std::fmt::Display for RecordedDuty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { law, period, start, .. } = self;
        let ground = self.privacy_law.cite(self.ground);
        write!(f, "{period} from {}, by {law} ({ground})", start.describe())
    }
}

/// A closed case.
///
/// The text of its entry contains `about`, `case` (its id), `circumstances` (a digest), `closing` and `plan`. A
/// ledger stores this text unchanged. Its digest is the case's [`leaf`](Self::leaf). Beside the text, a ledger stores
/// the [openings](EntryBody::beside) of the [sealed](Sealed) values in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedCase {
    /// The case.
    pub case: CaseId,
    /// What the case was about.
    pub about: About,
    /// The digest of what was approved: the plan or the review.
    pub plan: Digest,
    /// How the case ended.
    pub closing: Closing,
    under: Arc<Circumstances>,
    circumstances: Digest,
    /// The text as written.
    text: Arc<str>,
    /// The openings of the sealed values.
    beside: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'c> {
    about: Cow<'c, About>,
    case: Cow<'c, CaseId>,
    circumstances: Digest,
    closing: Cow<'c, Closing>,
    plan: Digest,
}

impl ClosedCase {
    /// The tokens of the profiles at gateways that were erased, or for which a gateway answered.
    pub fn profiles(&self) -> impl Iterator<Item = SubjectToken> {
        let with_the_customer = match &self.closing {
            Closing::Erased(result) => result.gateways.as_slice(),
            _ => &[],
        };
        let gone = |answer: &GatewayAnswer| {
            matches!(answer.outcome, GatewayOutcome::Erased | GatewayOutcome::AlreadyAbsent)
        };
        let by_itself = match &self.closing {
            Closing::Profile(result) if result.answer.as_ref().is_some_and(gone) => self.about.token(),
            _ => None,
        };
        let with_the_customer = with_the_customer.iter().filter_map(|result| result.profile.get().copied());
        with_the_customer.chain(by_itself)
    }

    /// Makes a closed case. `under` comes with its digest: [`Circumstances::digest`].
    pub(crate) fn new(
        case: CaseId,
        mut about: About,
        plan: Digest,
        mut closing: Closing,
        (circumstances, under): (Digest, Arc<Circumstances>),
    ) -> Result<Self, LedgerError> {
        let mut gather = Gather::default();
        about.visit(&mut gather)?;
        closing.visit(&mut gather)?;
        let written = Written {
            about: Cow::Borrowed(&about),
            case: Cow::Borrowed(&case),
            circumstances,
            closing: Cow::Borrowed(&closing),
            plan,
        };
        let text = text_of(&Said::Closed(Box::new(written)))?.into();
        let beside = gather.text().map(Into::into);
        Ok(Self { case, about, plan, closing, under, circumstances, text, beside })
    }

    /// The customer, as a keyed digest. `None` if the case was about no customer, or after the token was destroyed.
    pub fn subject(&self) -> Option<SubjectToken> {
        if let About::Customer(subject) = &self.about { subject.get().copied() } else { None }
    }

    /// The key of a case in which duties deferred something.
    fn deferred_key(&self) -> Option<EntryKey> {
        let Closing::Erased(result) = &self.closing else { return None };
        let archived = result.deactivation != DeactivationOutcome::Unsupported;
        (!result.deferred.is_empty()).then(|| EntryKey::deferred(archived))
    }

    /// The epoch of the tokens' key, and the key's check value.
    pub(crate) fn key(&self) -> Option<(u32, KeyCheck)> {
        Some((self.about.token()?.epoch(), self.under.key.clone()?))
    }

    /// The rules, if the case was about a customer.
    pub fn erasure(&self) -> Option<&Arc<ErasureRules>> {
        if let Rules::Erasure(rules) = &self.under.rules { Some(rules) } else { None }
    }

    /// The circumstances of the case.
    pub fn under(&self) -> &Arc<Circumstances> {
        &self.under
    }

    /// The digest of the circumstances.
    pub fn circumstances(&self) -> Digest {
        self.circumstances
    }

    /// The digest of the entry's text: [`EntryBody::leaf`].
    pub fn leaf(&self) -> Digest {
        leaf_of(&self.text)
    }
}

/// The format of an entry's text.
const FORMAT: u32 = 1;

/// The content of an entry, under the name of its kind.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said<'e> {
    Closed(Box<Written<'e>>),
    Scrubbed(Cow<'e, Scrubbed>),
    Counted(Cow<'e, Census>),
    Copies(Cow<'e, CopiesSeen>),
}

#[derive(Serialize, Deserialize)]
struct Text<S> {
    format: u32,
    says: S,
}

fn text_of(says: &Said<'_>) -> Result<String, LedgerError> {
    canonical(&Text { format: FORMAT, says }).map_err(|error| no_canonical_form(&error))
}

/// The hash of a leaf of a Merkle tree, by RFC 6962, section 2.1.
pub(super) fn leaf_of(text: &str) -> Digest {
    Digest::of_bytes(&[&[0], text.as_bytes()].concat())
}

impl Circumstances {
    /// The SHA-256 digest of the canonical form (RFC 8785).
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// The text that a ledger stores, and the openings of its [sealed](Sealed) values.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] for values that JSON cannot express.
    pub fn to_text(&self) -> Result<(String, Option<String>), LedgerError> {
        let mut gather = Gather::default();
        gather.sealed(&mut self.operator.clone())?;
        Ok((canonical(self).map_err(|error| no_canonical_form(&error))?, gather.text()))
    }

    /// Reads circumstances from their text and their openings.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] if the text or the openings are not valid.
    pub fn from_text(text: &str, beside: Option<&str>) -> Result<Self, LedgerError> {
        let corrupt = |_| LedgerError::Corrupt { doing: "reading circumstances" };
        let mut read: Self = serde_json::from_str(text).map_err(corrupt)?;
        let mut open = Open::by(beside)?;
        open.sealed(&mut read.operator)?;
        open.finish()?;
        Ok(read)
    }
}

fn no_canonical_form(error: &serde_json::Error) -> LedgerError {
    LedgerError::Failed { doing: "writing an entry", what: format!("it has no canonical form: {error}") }
}

/// A record that the store's files were scrubbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrubbed {
    /// The last entry that the scrub covers.
    pub through: u64,
    /// When the scrub ran.
    pub at: DateTime<Utc>,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryBody {
    /// A case was closed.
    Closed(Arc<ClosedCase>),
    /// The store's files were scrubbed of everything erased up to an entry.
    Scrubbed(Scrubbed),
    /// All rows of the store were counted. Counts that depend on the values of single rows are left out.
    Counted(Arc<Census>),
    /// The places of backups were listed.
    Copies(Arc<CopiesSeen>),
}

impl EntryBody {
    /// The text of the entry that a ledger stores: canonical JSON (RFC 8785) of `format` and `says`.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] for values that JSON cannot express.
    pub fn to_text(&self) -> Result<String, LedgerError> {
        match self {
            Self::Closed(case) => Ok(case.text.to_string()),
            Self::Scrubbed(scrubbed) => text_of(&Said::Scrubbed(Cow::Borrowed(scrubbed))),
            Self::Counted(census) => text_of(&Said::Counted(Cow::Borrowed(census))),
            Self::Copies(seen) => text_of(&Said::Copies(Cow::Borrowed(seen))),
        }
    }

    /// The openings that a ledger stores in addition to the text: salts and values of what is [sealed](Sealed). If
    /// they are destroyed, the text and its [leaf](Self::leaf) stay the same, but it is unknown whom the entry is
    /// about. `None` if the entry is about no person.
    pub fn beside(&self) -> Option<&str> {
        match self {
            Self::Closed(case) => case.beside.as_deref(),
            Self::Scrubbed(_) | Self::Counted(_) | Self::Copies(_) => None,
        }
    }

    /// Reads an entry from the text and the openings that a ledger stored. `circumstances` finds the circumstances of
    /// a closed case by their digest.
    ///
    /// # Errors
    /// [`LedgerError::Newer`] for a text of a later release. [`LedgerError::Corrupt`] for a text that is no entry,
    /// for openings of another text, and for circumstances with another digest. Also the errors of `circumstances`.
    pub fn from_text<E: From<LedgerError>>(
        text: &str,
        beside: Option<&str>,
        circumstances: impl FnOnce(Digest) -> Result<Option<Arc<Circumstances>>, E>,
    ) -> Result<Self, E> {
        let corrupt = || LedgerError::Corrupt { doing: "reading an entry" };
        let Text { format, says } =
            serde_json::from_str::<Text<serde_json::Value>>(text).map_err(|_| corrupt())?;
        if format > FORMAT {
            return Err(LedgerError::Newer { found: format.into(), known: FORMAT.into() }.into());
        }
        let mut open = Open::by(beside)?;
        let body = match serde_json::from_value(says).map_err(|_| corrupt())? {
            Said::Closed(written) => {
                let Written { about, case, circumstances: digest, closing, plan } = *written;
                let under = circumstances(digest)?.ok_or_else(corrupt)?;
                if under.digest() != digest {
                    return Err(corrupt().into());
                }
                let (mut about, mut closing) = (about.into_owned(), closing.into_owned());
                about.visit(&mut open)?;
                closing.visit(&mut open)?;
                Self::Closed(Arc::new(ClosedCase {
                    case: case.into_owned(),
                    about,
                    plan,
                    closing,
                    under,
                    circumstances: digest,
                    text: text.into(),
                    beside: beside.map(Into::into),
                }))
            }
            Said::Scrubbed(scrubbed) => Self::Scrubbed(scrubbed.into_owned()),
            Said::Counted(census) => Self::Counted(Arc::new(census.into_owned())),
            Said::Copies(seen) => Self::Copies(Arc::new(seen.into_owned())),
        };
        open.finish()?;
        Ok(body)
    }

    /// The closed case, if the entry is about one.
    pub fn closed(&self) -> Option<&Arc<ClosedCase>> {
        if let Self::Closed(case) = self { Some(case) } else { None }
    }

    /// The keys by which a ledger finds the entry.
    pub fn keys(&self) -> Vec<EntryKey> {
        match self {
            Self::Closed(case) => {
                let profiles = case.profiles().map(EntryKey::profile);
                let subject = case.subject().map(EntryKey::subject);
                subject.into_iter().chain(profiles).chain(case.deferred_key()).collect()
            }
            Self::Scrubbed(_) => vec![EntryKey::scrub()],
            Self::Counted(census) => vec![EntryKey::census(census.data_map, census.database)],
            Self::Copies(_) => vec![EntryKey::copies()],
        }
    }

    /// The digest of the entry's [text](Self::to_text) as a leaf of a Merkle tree: SHA-256 of a zero byte and the
    /// text (RFC 6962, section 2.1).
    ///
    /// # Errors
    /// As [`to_text`](Self::to_text).
    pub fn leaf(&self) -> Result<Digest, LedgerError> {
        Ok(leaf_of(&self.to_text()?))
    }
}

/// An entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The entry's number: 1, 2, 3 …
    pub seq: u64,
    /// The entry's content.
    pub body: EntryBody,
}

impl Entry {
    /// The tokens of the profiles at gateways that the entry reports as erased.
    pub fn profiles(&self) -> impl Iterator<Item = SubjectToken> {
        self.closed().into_iter().flat_map(|case| case.profiles())
    }

    /// The closed case, if the entry is about one.
    pub fn closed(&self) -> Option<&Arc<ClosedCase>> {
        self.body.closed()
    }
}
