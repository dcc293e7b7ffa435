//! An entry of the ledger: one closed case, in as few words as prove it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::sealed::{Gather, Open, Sealed, Visit};
use super::{DeactivationOutcome, EntryKey, KeyCheck, LedgerError, SubjectToken};
use crate::backup::Horizon;
use crate::case::Because;
use crate::customer::{AccountId, GatewayName, TenantId};
use crate::data_map::{ClassName, NotCovered};
use crate::digest::{Digest, canonical};
use crate::gateway::{GatewayAnswer, GatewayOutcome};
use crate::plan::{CaseId, ExpiryOf, MandateKind, OperatorId, ReasonCode, RecordsOf, Step, Tombstones};
use crate::policy::Trigger;
use crate::store::{Census, Otherwise};
use crate::treatment::TreatmentName;
use crate::treatment::Uncertain;

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
    pub profile: Sealed<SubjectToken>,
    /// What it answered.
    pub answer: GatewayAnswer,
}

/// A step that a person decided to do without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaivedStep {
    /// Which step.
    pub step: Step,
    /// Who decided.
    pub operator: Sealed<OperatorId>,
    /// Why.
    pub reason: ReasonCode,
    /// When.
    pub at: DateTime<Utc>,
}

/// Records of a tenant, or of nobody, that expired in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredRecords {
    /// Whose records they were.
    pub of: RecordsOf,
    /// By class, the records that have expired, those that earlier runs had treated and that stay anonymised among them:
    /// a count of those that were written to would tell which fields were empty before.
    pub records: BTreeMap<ClassName, u64>,
    /// Customers of whom nothing was touched: held back by a guard, changed meanwhile, or refused by the store. The next
    /// run looks at them again.
    pub left: u64,
}

/// What came of an expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryResult {
    /// What was treated.
    pub expired: Vec<ExpiredRecords>,
    /// Whether that is all of it. An answer of a store may have been lost; the records are treated then, and not counted.
    pub exact: bool,
    /// Why it came to an end before all was looked at, if it did. The next one does the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<EndedEarly>,
}

/// Why an expiry came to an end before all was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndedEarly {
    /// Far more had expired than the plan said that was approved.
    MoreThanPlanned {
        /// As the plan counted them.
        planned: u64,
        /// As they were by then, as far as they were looked at.
        found: u64,
    },
    /// The approval does not hold any more.
    Mandate {
        /// From when on.
        expired: Option<DateTime<Utc>>,
    },
    /// A person ended it.
    Cancelled {
        /// Who.
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
                f.write_str("the approval does not hold now; plan again and approve the new plan")
            }
            Self::Cancelled { operator, reason } => write!(f, "cancelled by {operator}: {reason}"),
        }
    }
}

/// What came of erasing a profile by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileResult {
    /// What the gateway answered. None if a person decided to do without it.
    pub answer: Option<GatewayAnswer>,
    /// Steps that a person decided to do without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<WaivedStep>,
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
    /// Records treated as the action of their class says, per class. Classes that the treatment keeps are not here.
    pub records: BTreeMap<ClassName, Count>,
    /// What was done otherwise, per class. Empty where the answer was lost that said it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub otherwise: BTreeMap<ClassName, Otherwise>,
    /// What gateways answered, per profile. A gateway that is not here held no profile that we knew of.
    pub gateways: Vec<GatewayResult>,
    /// Steps that a person decided to do without.
    pub waived: Vec<WaivedStep>,
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
#[non_exhaustive]
pub enum Closing {
    /// Erased as planned, and verified.
    Erased(Arc<ErasureResult>),
    /// What had expired was treated.
    Expired(Arc<ExpiryResult>),
    /// A profile was erased by itself.
    Profile(Arc<ProfileResult>),
    /// What was approved is not so any more. Nothing was touched, or the deactivation was taken back.
    Superseded {
        /// What had changed.
        because: Because,
    },
    /// A person cancelled it before anything irreversible.
    Cancelled {
        /// Who.
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
                result.waived.iter_mut().try_for_each(|waived| visit.sealed(&mut waived.operator))
            }
            Self::Profile(result) => {
                let waived = &mut Arc::make_mut(result).waived;
                waived.iter_mut().try_for_each(|waived| visit.sealed(&mut waived.operator))
            }
            Self::Expired(result) => match &mut Arc::make_mut(result).ended_early {
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
    /// Records that have expired.
    Expiry(ExpiryOf),
    /// A profile at a gateway, under a review of what had been forgotten there.
    Profile {
        /// Which gateway.
        gateway: GatewayName,
        /// The host's account there.
        account: Option<AccountId>,
        /// Which profile, as a keyed digest.
        profile: Sealed<SubjectToken>,
    },
}

impl About {
    /// The keyed digest of whom or what it names.
    fn token(&self) -> Option<SubjectToken> {
        match self {
            Self::Customer(token) | Self::Profile { profile: token, .. } => token.get().copied(),
            Self::Expiry(_) => None,
        }
    }

    fn visit(&mut self, visit: &mut impl Visit) -> Result<(), LedgerError> {
        match self {
            Self::Customer(token) | Self::Profile { profile: token, .. } => visit.sealed(token),
            Self::Expiry(_) => Ok(()),
        }
    }
}

/// What the cases of a batch have in common: who approved, under which rules, and what was around when they were
/// closed. Kept once for all of them; each entry names it by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circumstances {
    /// The rules.
    pub rules: Rules,
    /// On what kind of word.
    pub mandate: MandateKind,
    /// Who gave it.
    pub operator: Sealed<OperatorId>,
    /// When.
    pub approved_at: DateTime<Utc>,
    /// The check value of the key of the tokens. None where nobody is named.
    pub key: Option<KeyCheck>,
    /// When the cases were opened.
    pub opened_at: DateTime<Utc>,
    /// When they were closed.
    pub closed_at: DateTime<Utc>,
    /// Where backup copies linger.
    pub backups: Vec<BackupResidue>,
    /// What the store held beside, of which the data map does not speak.
    pub unmapped: Vec<NotCovered>,
    /// Whether the store has files that a scrub can free of the old bytes.
    pub scrubbable: bool,
}

/// The rules under which a case ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rules {
    /// Of an erasure.
    Erasure(Arc<ErasureRules>),
    /// Of an expiry.
    Expiry {
        /// The policies in force: of each tenant in the order of their names, or of all where the owner is gone.
        policies: Vec<Digest>,
        /// The data map.
        data_map: Digest,
    },
    /// A profile by itself is erased as the review says that was approved.
    Review,
}

/// The rules of an erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRules {
    /// Whose customers.
    pub tenant: TenantId,
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
}

/// A closed case.
///
/// Its entry's text says what it was `about`, its id (`case`), `circumstances` (a digest), `closing` and `plan`. A ledger keeps
/// that text as it was written, and its digest is the case's [`leaf`](Self::leaf). Beside the text it keeps the
/// [openings](EntryBody::beside) of what is [sealed](Sealed) in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedCase {
    /// The case.
    pub case: CaseId,
    /// What it was about.
    pub about: About,
    /// The digest of what was approved: of the plan, or of the review.
    pub plan: Digest,
    /// How it ended.
    pub closing: Closing,
    under: Arc<Circumstances>,
    circumstances: Digest,
    /// As it was written.
    text: Arc<str>,
    /// What is sealed in it.
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
    /// The tokens of the profiles at gateways of which it says that they were erased, or that the gateway answered for them.
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

    /// A closed case. The digest is that of the circumstances: [`Circumstances::digest`].
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

    /// Whose data, as a keyed digest. None if it was about no customer, or once the token was destroyed.
    pub fn subject(&self) -> Option<SubjectToken> {
        if let About::Customer(subject) = &self.about { subject.get().copied() } else { None }
    }

    /// The epoch of the key of its tokens, and the key's check value.
    pub(crate) fn key(&self) -> Option<(u32, KeyCheck)> {
        Some((self.about.token()?.epoch(), self.under.key.clone()?))
    }

    /// The rules, if it was about a customer.
    pub fn erasure(&self) -> Option<&Arc<ErasureRules>> {
        if let Rules::Erasure(rules) = &self.under.rules { Some(rules) } else { None }
    }

    /// Under which circumstances.
    pub fn under(&self) -> &Arc<Circumstances> {
        &self.under
    }

    /// Their digest.
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

/// What an entry says, under the name of what it is.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said<'e> {
    Closed(Box<Written<'e>>),
    Scrubbed(Cow<'e, Scrubbed>),
    Counted(Cow<'e, Census>),
}

#[derive(Serialize, Deserialize)]
struct Text<S> {
    format: u32,
    says: S,
}

fn text_of(says: &Said<'_>) -> Result<String, LedgerError> {
    canonical(&Text { format: FORMAT, says }).map_err(|error| no_canonical_form(&error))
}

/// The hash of a leaf of a Merkle tree, as RFC 6962, section 2.1, has it.
fn leaf_of(text: &str) -> Digest {
    Digest::of_bytes(&[&[0], text.as_bytes()].concat())
}

impl Circumstances {
    /// The SHA-256 digest of their canonical form (RFC 8785).
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// Their text, as a ledger keeps it, and beside it the openings of what is [sealed](Sealed) in it.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] for what JSON cannot say.
    pub fn to_text(&self) -> Result<(String, Option<String>), LedgerError> {
        let mut gather = Gather::default();
        gather.sealed(&mut self.operator.clone())?;
        Ok((canonical(self).map_err(|error| no_canonical_form(&error))?, gather.text()))
    }

    /// Circumstances from their text and what was kept beside it.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] for what are none.
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

/// That the store's files were scrubbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrubbed {
    /// Of everything erased up to this entry.
    pub through: u64,
    /// When.
    pub at: DateTime<Utc>,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryBody {
    /// A case was closed.
    Closed(Arc<ClosedCase>),
    /// The store's files were scrubbed of everything erased up to an entry.
    Scrubbed(Scrubbed),
    /// All rows of the store were counted. What depends on the values of single rows is left out.
    Counted(Arc<Census>),
}

impl EntryBody {
    /// The text of the entry, as a ledger keeps it: canonical JSON (RFC 8785) of the `format` and of what it `says`.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] for what JSON cannot say.
    pub fn to_text(&self) -> Result<String, LedgerError> {
        match self {
            Self::Closed(case) => Ok(case.text.to_string()),
            Self::Scrubbed(scrubbed) => text_of(&Said::Scrubbed(Cow::Borrowed(scrubbed))),
            Self::Counted(census) => text_of(&Said::Counted(Cow::Borrowed(census))),
        }
    }

    /// What a ledger keeps beside the text: salts and values of what is [sealed](Sealed) in it. Destroyed, the text and its
    /// [leaf](Self::leaf) are as before, and nobody can tell any more whom it names. None where it names nobody.
    pub fn beside(&self) -> Option<&str> {
        match self {
            Self::Closed(case) => case.beside.as_deref(),
            Self::Scrubbed(_) | Self::Counted(_) => None,
        }
    }

    /// What a text says that a ledger kept, with what it kept beside it, and with the circumstances of a closed case by their
    /// digest.
    ///
    /// # Errors
    /// [`LedgerError::Newer`] for the text of a later release, [`LedgerError::Corrupt`] for what is no entry, for what
    /// does not belong beside it, and for circumstances that are not those of the digest. What goes wrong when these are read.
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
        };
        open.finish()?;
        Ok(body)
    }

    /// The closed case, if that is what it says.
    pub fn closed(&self) -> Option<&Arc<ClosedCase>> {
        if let Self::Closed(case) = self { Some(case) } else { None }
    }

    /// By what a ledger finds the entry again.
    pub fn keys(&self) -> Vec<EntryKey> {
        match self {
            Self::Closed(case) => {
                let profiles = case.profiles().map(EntryKey::profile);
                case.subject().map(EntryKey::subject).into_iter().chain(profiles).collect()
            }
            Self::Scrubbed(_) => vec![EntryKey::scrub()],
            Self::Counted(census) => vec![EntryKey::census(census.data_map)],
        }
    }

    /// The digest of the entry's [text](Self::to_text) as a leaf of a Merkle tree: SHA-256 of a byte 0 and the text (RFC 6962,
    /// section 2.1).
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
    /// Its number: 1, 2, 3 …
    pub seq: u64,
    /// What it says.
    pub body: EntryBody,
}

impl Entry {
    /// The tokens of the profiles at gateways of which it says that they were erased.
    pub fn profiles(&self) -> impl Iterator<Item = SubjectToken> {
        self.closed().into_iter().flat_map(|case| case.profiles())
    }

    /// The closed case, if that is what it says.
    pub fn closed(&self) -> Option<&Arc<ClosedCase>> {
        self.body.closed()
    }
}
