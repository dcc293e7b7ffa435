//! The errors of the engine, and the outcomes of cases.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{AccessLogError, CopiesRemoved, Expired, NoEntropy};
use crate::backup::BackupError;
use crate::case::{GatewayAnswer, SupersedeReason};
use crate::customer::{GatewayName, HoldId, TenantId};
use crate::data_map::{ClassName, Kind};
use crate::digest::Digest;
use crate::document::Problems;
use crate::gateway::GatewayError;
use crate::ledger::{Certificate, Closing, KeyRingError, LedgerError};
use crate::plan::{ApprovalError, Blocked, CaseId, Decision, NotApproved, NotYet, Nothing, Plan, Step};
use crate::request::{NotARequest, OutOfTurn, RequestId};
use crate::store::StoreError;
use crate::treatment::TreatmentName;

/// Why the engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host's database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A payment gateway failed.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The keys failed.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// No random bytes are available.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The approval is not valid.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// No customer has this id.
    #[error(
        "there is no such customer; check that the id is what the data map names as the key, and spelled as the store gives \
         it: a UUID in lower case with hyphens, other bytes as 0x…, a number of a REAL column with its point (7.0), the parts of a composite key with a colon between them, and a colon or a percent sign within a part as %3A or %25; if \
         two customers have keys that are spelled alike, such as 7 and '7', give the key column one type"
    )]
    NoSuchCustomer,
    /// The policy has no treatment of this name.
    #[error("the policy has no treatment {name}; {way_out}")]
    NoSuchTreatment {
        /// The name.
        name: TreatmentName,
        /// The treatments that exist.
        way_out: String,
    },
    /// A tenant was asked for, or has an entry in the policy, but no customer of the store belongs to this tenant.
    #[error("{0}")]
    NoSuchTenant(Problems),
    /// The plan was made under another policy or data map.
    #[error(
        "the plan was made under another {what} ({plan}, not {ours}); plan again and approve the new plan"
    )]
    OtherRules {
        /// `policy` or `data map`.
        what: &'static str,
        /// The digest in the plan.
        plan: Digest,
        /// The digest in this engine.
        ours: Digest,
    },
    /// The case that a replay names cannot be carried out again for this customer.
    #[error("case {case} cannot be carried out again: {why}; plan the customer's erasure by itself")]
    Replay {
        /// The case.
        case: CaseId,
        /// Why not.
        why: &'static str,
    },
    /// The ledger is older than the mark in the host's database: it was restored from a backup. It does not know what
    /// was erased after that backup. Nothing was touched.
    #[error(
        "the ledger ends at entry {last}, and the database has the mark of entry {mark}: this ledger was restored from a \
         backup; use the ledger that was in use last"
    )]
    OldLedger {
        /// The number of the ledger's last entry.
        last: u64,
        /// The number of the entry in the mark.
        mark: u64,
    },
    /// The mark in the host's database was written for another ledger. Nothing was touched.
    #[error(
        "entry {entry} of the ledger is not the entry of the mark in the database: they are of different histories; use the \
         ledger that belongs to this database"
    )]
    OtherLedger {
        /// The number of the entry.
        entry: u64,
    },
    /// The host's database has no mark, so a replay does not know where to begin.
    #[error(
        "the database has no mark of the ledger; say when the backup was made, with RestoredFrom::Backup, and build the \
         engine with a mark, so that the next backup has one"
    )]
    NoMark,
    /// The instant of the backup is in the future. With it, no closed case would count as one that the backup lacks.
    #[error(
        "the backup was made at {at}, which is in the future: nobody would be erased again, whoever is in it; give the \
         instant at which the backup began, in UTC (Z) or with its offset (+02:00)"
    )]
    BackupInFuture {
        /// The instant.
        at: DateTime<Utc>,
    },
    /// The case is not blocked.
    #[error("case {case} is not blocked; resume it")]
    NotBlocked {
        /// The case.
        case: CaseId,
    },
    /// The step cannot be waived.
    #[error(
        "step {step} of case {case} cannot be waived: only a step that a gateway or a recipient refuses can be, while it blocks the case; a \
         guard cannot"
    )]
    NotWaivable {
        /// The case.
        case: CaseId,
        /// The step.
        step: Step,
    },
    /// The step cannot be recorded as done by hand.
    #[error(
        "step {step} of case {case} cannot be taken by hand: only a step at a gateway or a recipient can be, while it blocks the case; \
         status lists what blocks"
    )]
    NotByHand {
        /// The case.
        case: CaseId,
        /// The step.
        step: Step,
    },
    /// The case cannot be cancelled any more.
    #[error("case {case} has begun an irreversible step; correct what blocks the case, and retry it")]
    TooLate {
        /// The case.
        case: CaseId,
    },
    /// The case is being worked on right now.
    #[error("case {case} is being worked on right now; wait for its outcome")]
    Running {
        /// The case.
        case: CaseId,
    },
    /// The engine has no adapter of this name.
    #[error("the engine has no adapter for gateway {gateway}; give the builder one")]
    NoSuchGateway {
        /// The gateway.
        gateway: GatewayName,
    },
    /// A census is required, but there is no valid census, or the store takes no census. Nothing was touched.
    #[error("{why}; {way_out}")]
    Census {
        /// What is wrong with the census.
        why: String,
        /// How to correct this.
        way_out: String,
    },
    /// The data map has no record class of this name.
    #[error("the data map has no record class {class}; {way_out}")]
    NoSuchClass {
        /// The name.
        class: ClassName,
        /// The classes that exist.
        way_out: String,
    },
    /// There is no hold of this id.
    #[error("there is no hold {hold}; list the holds, and name one of them")]
    NoSuchHold {
        /// The id.
        hold: HoldId,
    },
    /// The request cannot be recorded.
    #[error(transparent)]
    NotARequest(#[from] NotARequest),
    /// There is no request of this id, or it was forgotten.
    #[error("there is no request {request}; list the requests, and name one of them")]
    NoSuchRequest {
        /// The id.
        request: RequestId,
    },
    /// Another request is recorded under this id.
    #[error(
        "another request is recorded under {request}: of another kind, by another channel or received at another time; \
         give each request a new random id"
    )]
    OtherRequest {
        /// The id.
        request: RequestId,
    },
    /// A note does not fit the state of the request. Nothing was noted.
    #[error("request {request}: {source}")]
    OutOfTurn {
        /// The request.
        request: RequestId,
        /// Why not.
        source: OutOfTurn,
    },
    /// The engine was built without an inbox.
    #[error("the engine has no inbox; give the builder one, such as the SQLite store itself")]
    NoInbox,
    /// A place of backups failed.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The engine has no backups of this name.
    #[error("the engine has no backups {place}; {way_out}")]
    NoSuchBackups {
        /// The name.
        place: String,
        /// The names that exist.
        way_out: String,
    },
    /// The engine was built without a suppression list.
    #[error(
        "the engine has no suppression list; give EngineBuilder::suppression one, such as the ledger, and a key ring of its \
         own"
    )]
    NoSuppression,
    /// The policy does not suppress identifiers of this kind for this tenant. So the list has no entry for them.
    #[error(
        "the policy suppresses no {kind} for tenant {tenant}, so nobody can tell whether it was erased; name the kind in \
         suppress.kinds, or ask for another"
    )]
    NotSuppressed {
        /// The tenant.
        tenant: TenantId,
        /// The kind.
        kind: Kind,
    },
    /// The value cannot be compared: it is empty, or it is no identifier of its kind.
    #[error("the {kind} cannot be compared: it is empty, or no {kind}; ask for a whole one")]
    NotComparable {
        /// The kind.
        kind: Kind,
    },
    /// The engine was built without a store that reads whole records.
    #[error(
        "the engine has no store to read whole records from; give EngineBuilder::records one, such as the SQLite store itself"
    )]
    NoRecords,
    /// The engine was built without a log of who looks at personal data.
    #[error("the engine has no access log, so nothing was read; give EngineBuilder::access_log one")]
    NoAccessLog,
    /// The host's log did not record who looks at personal data, so nothing was read.
    #[error("the access log did not record the access, so nothing was read: {0}")]
    AccessLog(#[source] AccessLogError),
    /// A search would scan all records of some classes, because no index fits, and the caller did not allow a scan.
    /// Nothing was read.
    #[error(
        "the search would read every record of {}, because no index begins with a field that it looks in; add an index and          search for the exact value, or allow it with Search::reading_whole_tables",
        .classes.iter().map(ClassName::as_str).collect::<Vec<_>>().join(", ")
    )]
    ReadsWholeTables {
        /// The classes.
        classes: Vec<ClassName>,
    },
    /// The request does not allow this access to personal data. Nothing was read.
    #[error("request {request} does not allow this: {why}")]
    NotForRequest {
        /// The request.
        request: RequestId,
        /// Why not.
        why: &'static str,
    },
    /// The engine was built without a scrub.
    #[error("the engine has no scrub; give the builder one, such as the SQLite store itself")]
    NoScrub,
}

impl<T> From<NotApproved<T>> for Error {
    fn from(error: NotApproved<T>) -> Self {
        Self::Approval(error.why)
    }
}

/// The result of planning. `Display` shows the plan, or why there is none.
///
/// ```
/// # use relinquish::{Plan, Planned};
/// /// The plan, if somebody has to review one.
/// fn to_review(planned: Planned) -> Option<Plan> {
///     match planned {
///         Planned::Plan(plan) => Some(*plan),
///         no_plan => {
///             println!("{no_plan}");
///             None
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub enum Planned {
    /// A plan to review.
    Plan(Box<Plan>),
    /// The customer is due, but guards forbid the erasure, or a fact cannot be read.
    Refused(Blocked),
    /// The customer is due on a later day.
    NotYet(NotYet),
    /// There is nothing to do.
    Nothing(Nothing),
}

impl Planned {
    /// The policy's decision for the customer.
    pub fn decision(&self) -> Decision {
        match self.clone() {
            Self::Plan(plan) => Decision::Due(plan.due().clone()),
            Self::Refused(blocked) => Decision::Blocked(blocked),
            Self::NotYet(not_yet) => Decision::NotYet(not_yet),
            Self::Nothing(nothing) => Decision::Nothing(nothing),
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(plan) => plan.fmt(f),
            other => other.decision().fmt(f),
        }
    }
}

/// How a case ended, or where it stands.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Erased as planned, and verified.
    Erased(Box<Certificate>),
    /// Expired records were treated.
    Expired(Box<Expired>),
    /// Backup copies were removed.
    Copies(Box<CopiesRemoved>),
    /// A single profile at a gateway was erased.
    Profile {
        /// The case.
        case: CaseId,
        /// The gateway.
        gateway: GatewayName,
        /// The gateway's answer. `None` if a person decided to skip the gateway.
        answer: Option<GatewayAnswer>,
    },
    /// The approved plan does not fit the facts any more. Nothing was touched, or the deactivation was undone.
    Superseded {
        /// The case.
        case: CaseId,
        /// What has changed.
        because: SupersedeReason,
    },
    /// A person cancelled the case in the meantime. Nothing was touched, or the deactivation was undone.
    Cancelled {
        /// The case.
        case: CaseId,
    },
    /// A step was refused. The customer stays deactivated until a person decides:
    /// [`Engine::retry`](super::Engine::retry), [`waive`](super::Engine::waive) or [`cancel`](super::Engine::cancel).
    Blocked {
        /// The case.
        case: CaseId,
        /// The step.
        step: Step,
        /// Why.
        reason: String,
        /// Whether the case can still be cancelled, because nothing irreversible was begun.
        reversible: bool,
    },
    /// Something cannot be reached for now. [`Engine::resume`](super::Engine::resume) continues the case.
    Waiting {
        /// The case.
        case: CaseId,
        /// The step at which the case waits.
        step: Step,
        /// What the case waits for.
        reason: String,
        /// The time after which a retry makes sense, if it is known.
        retry_after: Option<Duration>,
    },
    /// A hold that an operator [placed](super::Engine::place_hold) keeps the case from its next step. When the hold is lifted,
    /// [`Engine::resume`](super::Engine::resume) goes on with the case.
    Held {
        /// The case.
        case: CaseId,
        /// The step before which the case rests.
        step: Step,
        /// The holds.
        holds: Vec<HoldId>,
    },
    /// Another worker has claimed the case. This worker has written nothing since.
    TakenOver {
        /// The case.
        case: CaseId,
    },
    /// The case was opened under rules that this engine does not run. The case stays open for an engine that runs
    /// these rules, or until somebody [cancels](super::Engine::cancel) it.
    OtherRules {
        /// The case.
        case: CaseId,
        /// `policy` or `data map`.
        what: &'static str,
        /// The digest of the rules under which the case was opened.
        opened_under: Digest,
    },
    /// The customer, the profile or the expiring records already have another open case. No new case was opened.
    Conflict {
        /// The other case.
        case: CaseId,
    },
}

impl Outcome {
    /// The outcome of a case that ended without an effect.
    pub(super) fn without_effect(case: &CaseId, closing: &Closing) -> Option<Self> {
        match closing {
            Closing::Superseded { because } => {
                Some(Self::Superseded { case: case.clone(), because: because.clone() })
            }
            Closing::Cancelled { .. } => Some(Self::Cancelled { case: case.clone() }),
            Closing::Erased(_) | Closing::Expired(_) | Closing::Profile(_) | Closing::Copies(_) => None,
        }
    }

    /// The result of an expiry, if the case was an expiry that ended.
    pub fn expired(&self) -> Option<&Expired> {
        if let Self::Expired(expired) = self { Some(expired) } else { None }
    }

    /// The certificate, if there is one.
    pub fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Erased(certificate) => Some(certificate),
            _ => None,
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Erased(certificate) => write!(f, "{certificate}"),
            Self::Expired(expired) => write!(f, "{expired}"),
            Self::Copies(removed) => write!(f, "{removed}"),
            Self::Profile { case, gateway, answer: Some(answer) } => {
                write!(f, "case {case}: gateway.{gateway} {answer}")
            }
            Self::Profile { case, gateway, answer: None } => {
                write!(f, "case {case}: gateway.{gateway} was waived, and may still hold the profile")
            }
            Self::Superseded { case, because } => write!(f, "case {case} is superseded: {because}"),
            Self::Cancelled { case } => write!(f, "case {case} was cancelled"),
            Self::Blocked { case, step, reason, .. } => {
                write!(f, "case {case} is blocked at {step}: {reason}")
            }
            Self::Waiting { case, step, reason, .. } => write!(f, "case {case} waits at {step}: {reason}"),
            Self::Held { case, step, holds } => {
                write!(f, "case {case} rests before {step}, until this is lifted: ")?;
                for (n, hold) in holds.iter().enumerate() {
                    write!(f, "{}hold {hold}", if n == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::TakenOver { case } => write!(f, "case {case} was taken over by another worker"),
            Self::OtherRules { case, what, opened_under } => write!(
                f,
                "case {case} was opened under {what} {opened_under}; resume it with an engine that runs this, or cancel it"
            ),
            Self::Conflict { case } => write!(f, "there is an open case for the same already: {case}"),
        }
    }
}
