//! The facts of a closed case that a letter tells.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::anonymise::Reveals;
use crate::customer::GatewayName;
use crate::data_map::{ClassName, FieldName, NotCovered, RecipientName};
use crate::plan::Tombstones;
use crate::policy::{Ground, Period, PrivacyLaw, StartRule, Statute, Suppressing, Trigger};
use crate::treatment::{Lead, Otherwise, RecordAction, Residue};

/// What a closed case did, and what it left. [`Certificate::letter_facts`](crate::Certificate::letter_facts) takes it from the ledger.
/// No policy of a later day changes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The data protection law of the controller.
    pub privacy_law: PrivacyLaw,
    /// What made the customer due.
    pub trigger: Trigger,
    /// The day on which the case was closed, in the time zone of the policy.
    pub on: NaiveDate,
    /// What is left of the person.
    pub residue: Residue,
    /// Whether a record class claimed every row of the mapped tables.
    pub is_all_claimed: bool,
    /// What still leads to the person.
    pub leads: Vec<Lead>,
    /// What was done, per record class.
    pub classes: Vec<ToldClass>,
    /// What became of the profiles at payment gateways.
    pub gateways: Vec<ToldGateway>,
    /// What the recipients of the person's data were told.
    pub recipients: Vec<ToldRecipient>,
    /// Records that stay without what identifies the person, because a kept record needs them.
    pub tombstones: Vec<Tombstones>,
    /// The number of records that stay and still held an erased value, by class.
    pub leftovers: BTreeMap<ClassName, u64>,
    /// Whether somebody decided that texts of others are not searched for the person.
    pub mentions_waived: bool,
    /// The number of mentions in texts that may mean the person, and stay.
    pub uncertain: u64,
    /// What the erasure does not cover.
    pub not_covered: Vec<NotCovered>,
    /// How long copies linger, per place of backups.
    pub backups: Vec<Lingering>,
    /// What stays in the suppression list.
    pub suppressing: Option<Suppressing>,
    /// Whether old bytes may lie in the files of the store until the next scrub.
    pub old_bytes: bool,
}

impl Told {
    /// Whether anything was erased.
    pub(super) fn did_anything(&self) -> bool {
        let is_done = |of: &ToldClass| {
            let Otherwise { deleted, meanwhile, fields, .. } = of.otherwise;
            let is_treated = of.treated.is_some_and(|count| count != Some(0));
            (is_treated && !matches!(of.action, RecordAction::Keep { .. }))
                || deleted + meanwhile + fields > 0
        };
        let has_gone = |gateway: &ToldGateway| {
            matches!(gateway, ToldGateway::Erased { .. } | ToldGateway::Absent { .. })
        };
        self.classes.iter().any(is_done) || self.gateways.iter().any(has_gone)
    }

    /// Whether a part of a request is refused: a duty, the policy or the right of another person keeps personal data (Art.
    /// 12(4) GDPR).
    pub(super) fn refuses(&self) -> bool {
        let is_ours = |lead: &Lead| {
            matches!(lead, Lead::Class { .. } | Lead::Field { .. } | Lead::Shared { .. } | Lead::Gateway(_))
        };
        self.classes.iter().any(|of| of.deferred.is_some()) || self.leads.iter().any(is_ours)
    }

    /// Whether data that name the person are certainly left. Of a step that was left out nobody knows.
    pub(super) fn is_certain(&self) -> bool {
        let retains = |gateway: &ToldGateway| matches!(gateway, ToldGateway::Retained { .. });
        let keeps = |told: &ToldRecipient| matches!(told.what, WhatWasTold::Retained { .. });
        !self.leftovers.is_empty()
            || self.leads.iter().any(Lead::names_person)
            || self.gateways.iter().any(retains)
            || self.recipients.iter().any(keeps)
    }

    /// The last day on which duties keep the records of a class, or the records for whose sake its rows stay.
    fn until_of(&self, class: &ClassName) -> Option<NaiveDate> {
        let of = self.classes.iter().find(|of| of.class == *class);
        let needed = self.tombstones.iter().find(|stays| stays.class == *class);
        match (of.and_then(|of| of.deferred.as_ref()), needed) {
            (Some(deferred), _) if deferred.undated > 0 => None,
            (Some(deferred), _) => deferred.until,
            (None, needed) => needed?.until,
        }
    }

    /// The last day of a lead that exists only while duties keep records, or of a field that stays for a time.
    pub(super) fn until(&self, lead: &Lead) -> Option<NaiveDate> {
        if let Lead::Field { class, field, while_kept: false, .. } = lead {
            let of = self.classes.iter().find(|of| of.class == *class)?;
            return of.kept_until.get(field).copied();
        }
        let ends = lead.classes_while_kept().into_iter().map(|class| self.until_of(class));
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

impl ToldClass {
    /// Whether records stay that no duty keeps.
    pub(super) fn is_left(&self) -> bool {
        self.left != Some(0)
    }
}

/// What was done to one record class.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldClass {
    /// The class.
    pub class: ClassName,
    /// The action of the treatment.
    pub action: RecordAction,
    /// The number of records that were treated by the action. `Some(None)`: the number is not known. `None`: the class
    /// was kept.
    pub treated: Option<Option<u64>>,
    /// The number of records that stay, without those that duties keep. `None`: the number is not known.
    pub left: Option<u64>,
    /// What was done instead of the action.
    pub otherwise: Otherwise,
    /// Personal fields that stay in treated records, and why.
    pub kept: BTreeMap<FieldName, String>,
    /// The last day of each of these fields that stays only for a time.
    pub kept_until: BTreeMap<FieldName, NaiveDate>,
    /// Personal fields that stay in tombstones, and why.
    pub kept_meanwhile: BTreeMap<FieldName, String>,
    /// Personal fields of which a part stays in treated records, and which part.
    pub general: BTreeMap<FieldName, Reveals>,
    /// Fields that stay only where enough people share them, each with the reason if the policy keeps the field.
    pub group: BTreeMap<FieldName, Option<String>>,
    /// Records that duties keep for now.
    pub deferred: Option<ToldDeferral>,
}

/// Records of a class that duties keep for now.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldDeferral {
    /// The number of records.
    pub rows: u64,
    /// The duties.
    pub duties: Vec<ToldDuty>,
    /// The last day on which one of the records is kept. `None` if no end is known.
    pub until: Option<NaiveDate>,
    /// The number of records whose date cannot be read.
    pub undated: u64,
    /// Whether the records are kept only because kept records need them.
    pub for_others: bool,
}

/// A duty that keeps records.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldDuty {
    /// The law, in the words of the policy.
    pub law: String,
    /// The statute of the table, if the duty names one.
    pub statute: Option<&'static Statute>,
    /// The ground on which the duty overrides a request.
    pub ground: Ground,
    /// The data protection law that the ground belongs to.
    pub privacy_law: PrivacyLaw,
    /// The length of the period.
    pub period: Period,
    /// The start of the period.
    pub start: StartRule,
    /// The last day on which the duty keeps one of the records. `None` if no end is known.
    pub until: Option<NaiveDate>,
}

/// What became of profiles at a payment gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ToldGateway {
    /// The gateway erased a profile.
    Erased {
        /// The gateway.
        gateway: GatewayName,
    },
    /// The gateway had no profile of the person any more.
    Absent {
        /// The gateway.
        gateway: GatewayName,
    },
    /// The gateway keeps a part of a profile.
    Retained {
        /// The gateway.
        gateway: GatewayName,
        /// The last day, if the gateway says so.
        until: Option<NaiveDate>,
    },
    /// A person decided to skip the gateway.
    Waived {
        /// The gateway.
        gateway: GatewayName,
    },
    /// The policy keeps profiles at the gateway.
    Kept {
        /// The gateway.
        gateway: GatewayName,
        /// Why, in the policy's words.
        reason: String,
    },
}

impl ToldGateway {
    /// The gateway.
    pub fn gateway(&self) -> &GatewayName {
        match self {
            Self::Erased { gateway }
            | Self::Absent { gateway }
            | Self::Retained { gateway, .. }
            | Self::Waived { gateway }
            | Self::Kept { gateway, .. } => gateway,
        }
    }
}

/// What a recipient of the person's data was told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ToldRecipient {
    /// The recipient.
    pub recipient: RecipientName,
    /// What it was told, and what became of it.
    pub what: WhatWasTold,
}

impl ToldRecipient {
    /// A recipient, and what it was told.
    pub fn new(recipient: impl Into<RecipientName>, what: WhatWasTold) -> Self {
        Self { recipient: recipient.into(), what }
    }
}

/// What a recipient was told, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WhatWasTold {
    /// The recipient was told of the erasure, and has confirmed that nothing of the person is left there.
    Told,
    /// A person told the recipient, or erased the data there by hand, and has evidence of it.
    ByHand,
    /// The recipient was told, and keeps a part.
    Retained {
        /// The last day, if the recipient says so.
        until: Option<NaiveDate>,
    },
    /// A person decided not to wait for the recipient.
    Unconfirmed,
    /// The host has no value by which the recipient knows the person.
    Unidentified,
    /// The policy does not tell the recipient.
    NotTold {
        /// Why, in the policy's words.
        reason: String,
    },
}

/// How long copies of what was erased linger in backups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Lingering {
    /// There are no backups.
    Nowhere,
    /// At most so many days after the erasure.
    Days(u32),
    /// Until a day.
    Until(NaiveDate),
    /// Until so many newer copies have been made.
    Copies(u32),
    /// The rule of the backups lets no copy go.
    Unbounded,
    /// Nobody can tell.
    #[default]
    Unknown,
}
