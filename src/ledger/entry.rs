//! An entry of the ledger: one closed case, in as few words as prove it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{DeactivationOutcome, EntryKey, KeyCheck, LedgerError, SubjectToken, Waiver};
use crate::backup::Horizon;
use crate::customer::{AccountId, GatewayName, TenantId};
use crate::data_map::{ClassName, NotCovered};
use crate::digest::Digest;
use crate::digest::canonical::{self, Large};
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
    pub unmapped: Vec<NotCovered>,
    /// Whether the store has files that a scrub can free of the old bytes.
    pub scrubbable: bool,
}

/// A closed case.
///
/// Its entry's text says `case`, `circumstances` (a digest), `closing`, `plan` and `subject`. A ledger keeps that text as it
/// was written, and its digest is the case's [`leaf`](Self::leaf).
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
    /// As it was written.
    text: Arc<str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'c> {
    case: Cow<'c, CaseId>,
    circumstances: Digest,
    closing: Cow<'c, Closing>,
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
    ) -> Result<Self, LedgerError> {
        let written = Written {
            case: Cow::Borrowed(&case),
            circumstances,
            closing: Cow::Borrowed(&closing),
            plan,
            subject,
        };
        let text = text_of(&Said::Closed(written))?.into();
        Ok(Self { case, subject, plan, closing, under, circumstances, text })
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
    Closed(Written<'e>),
    Scrubbed(Cow<'e, Scrubbed>),
    Profile(Cow<'e, ProfileErased>),
    Expiry(Cow<'e, ExpiryEvent>),
    Counted(Cow<'e, Census>),
}

#[derive(Serialize, Deserialize)]
struct Text<S> {
    format: u32,
    says: S,
}

fn text_of(says: &Said<'_>) -> Result<String, LedgerError> {
    let failed = |error: serde_json::Error| LedgerError::Failed {
        doing: "writing an entry",
        what: format!("it has no canonical form: {error}"),
    };
    canonical::to_string(&Text { format: FORMAT, says }, Large::Double).map_err(failed)
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
    /// A profile at a gateway was erased by itself.
    Profile(Arc<ProfileErased>),
    /// Records expire, or have expired.
    Expiry(Arc<ExpiryEvent>),
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
            Self::Profile(profile) => text_of(&Said::Profile(Cow::Borrowed(profile))),
            Self::Expiry(event) => text_of(&Said::Expiry(Cow::Borrowed(event))),
            Self::Counted(census) => text_of(&Said::Counted(Cow::Borrowed(census))),
        }
    }

    /// What a text says that a ledger kept, with the circumstances of a closed case by their digest.
    ///
    /// # Errors
    /// [`LedgerError::Newer`] for the text of a later release, [`LedgerError::Corrupt`] for what is no entry, and for
    /// circumstances that are not those of the digest. What goes wrong when these are read.
    pub fn from_text<E: From<LedgerError>>(
        text: &str,
        circumstances: impl FnOnce(Digest) -> Result<Option<Arc<Circumstances>>, E>,
    ) -> Result<Self, E> {
        let corrupt = || LedgerError::Corrupt { doing: "reading an entry" };
        let Text { format, says } =
            serde_json::from_str::<Text<serde_json::Value>>(text).map_err(|_| corrupt())?;
        if format > FORMAT {
            return Err(LedgerError::Newer { found: format.into(), known: FORMAT.into() }.into());
        }
        Ok(match serde_json::from_value(says).map_err(|_| corrupt())? {
            Said::Closed(Written { case, circumstances: digest, closing, plan, subject }) => {
                let under = circumstances(digest)?.ok_or_else(corrupt)?;
                if under.digest() != digest {
                    return Err(corrupt().into());
                }
                Self::Closed(Arc::new(ClosedCase {
                    case: case.into_owned(),
                    subject,
                    plan,
                    closing: closing.into_owned(),
                    under,
                    circumstances: digest,
                    text: text.into(),
                }))
            }
            Said::Scrubbed(scrubbed) => Self::Scrubbed(scrubbed.into_owned()),
            Said::Profile(profile) => Self::Profile(Arc::new(profile.into_owned())),
            Said::Expiry(event) => Self::Expiry(Arc::new(event.into_owned())),
            Said::Counted(census) => Self::Counted(Arc::new(census.into_owned())),
        })
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
                std::iter::once(EntryKey::subject(case.subject)).chain(profiles).collect()
            }
            Self::Scrubbed(_) => vec![EntryKey::scrub()],
            Self::Profile(erased) => vec![EntryKey::profile(erased.profile)],
            Self::Expiry(_) => Vec::new(),
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
        let (case, by_itself) = match &self.body {
            EntryBody::Closed(case) => (Some(case), None),
            EntryBody::Profile(erased) => (None, Some(erased.profile)),
            EntryBody::Scrubbed(_) | EntryBody::Expiry(_) | EntryBody::Counted(_) => (None, None),
        };
        case.into_iter().flat_map(|case| case.profiles()).chain(by_itself)
    }

    /// The closed case, if that is what it says.
    pub fn closed(&self) -> Option<&Arc<ClosedCase>> {
        self.body.closed()
    }
}
