//! Extracts from a certificate the facts for a letter.

use std::collections::BTreeMap;
use std::mem::discriminant;

use chrono::{DateTime, NaiveDate, Utc};

use super::{Certificate, FileSlack};
use crate::anonymise::Reveals;
use crate::backup::Horizon;
use crate::case::RecipientOutcome;
use crate::data_map::{ClassName, FieldName};
use crate::gateway::GatewayOutcome;
use crate::ledger::Count;
use crate::plan::letter::{
    Lingering, Told, ToldClass, ToldDeferral, ToldDuty, ToldGateway, ToldRecipient, WhatWasTold,
};
use crate::plan::{Step, is_all_claimed};
use crate::policy::Statute;
use crate::treatment::{ClassTreatment, GatewayAction, RecipientAction, WhyNotTold};

impl Certificate {
    /// The facts of the case for a [letter](crate::plan::letter) to the person.
    pub fn letter_facts(&self) -> Told {
        let (result, rules) = (self.result(), &self.rules);
        let duty = |name: &str, until: Option<NaiveDate>| {
            let duty = rules.duties.get(name)?;
            Some(ToldDuty {
                law: duty.law.clone(),
                statute: duty.statute.as_deref().and_then(Statute::find),
                ground: duty.ground,
                privacy_law: duty.privacy_law,
                period: duty.period,
                start: duty.start,
                until,
            })
        };
        let classes = self.treatment.classes().iter().map(|(name, class)| ToldClass {
            class: name.clone(),
            action: class.action().clone(),
            treated: result.records.get(name).map(|count| match count {
                Count::Exact(rows) => Some(*rows),
                Count::Unknown => None,
            }),
            left: self.left(name),
            otherwise: result.otherwise.get(name).cloned().unwrap_or_default(),
            kept: class.kept().iter().filter(|(field, _)| !is_shared(class, field)).map(owned).collect(),
            kept_until: result.kept.get(name).cloned().unwrap_or_default(),
            kept_meanwhile: class.tombstone().map(|stays| stays.kept().clone()).unwrap_or_default(),
            general: general(class),
            group: shared(class),
            deferred: result.deferred.get(name).map(|deferred| ToldDeferral {
                rows: deferred.rows,
                duties: deferred.duties.iter().filter_map(|(name, until)| duty(name, *until)).collect(),
                until: deferred.until,
                undated: deferred.unreadable.values().copied().max().unwrap_or(0),
                for_others: deferred.for_others,
            }),
        });
        let gateways = self.gateways().iter().map(|found| {
            let gateway = found.gateway.clone();
            match &found.answer.outcome {
                GatewayOutcome::Erased => ToldGateway::Erased { gateway },
                GatewayOutcome::AlreadyAbsent => ToldGateway::Absent { gateway },
                GatewayOutcome::Retained { until, .. } => ToldGateway::Retained { gateway, until: *until },
                // A case with such an answer is not closed.
                GatewayOutcome::Accepted { .. } | GatewayOutcome::Blocked { .. } => {
                    ToldGateway::Waived { gateway }
                }
            }
        });
        let waived = self.waived().iter().filter_map(|waived| match &waived.step {
            Step::Gateway(gateway) => Some(ToldGateway::Waived { gateway: gateway.clone() }),
            _ => None,
        });
        let by_hand = self.by_hand().iter().filter_map(|done| match &done.step {
            Step::Gateway(gateway) => Some(ToldGateway::Erased { gateway: gateway.clone() }),
            _ => None,
        });
        let kept = self.treatment.gateways().iter().filter_map(|(gateway, action)| match action {
            GatewayAction::Keep { reason } if result.profiles_kept.contains(gateway) => {
                Some(ToldGateway::Kept { gateway: gateway.clone(), reason: reason.clone() })
            }
            GatewayAction::Keep { .. } | GatewayAction::Erase => None,
        });
        let day = |at: DateTime<Utc>| rules.time_zone.day(at);
        // Places with a rule of the same kind are told once, with the latest end.
        let mut backups: Vec<Lingering> =
            self.backups().iter().map(|backup| lingering(&backup.horizon)).collect();
        backups.sort_unstable();
        backups.dedup_by(|next, last| {
            let is_same = discriminant(next) == discriminant(last);
            if is_same {
                *last = *next;
            }
            is_same
        });
        Told {
            privacy_law: rules.privacy_law,
            trigger: rules.trigger,
            on: day(self.closed_at()),
            residue: self.residue(),
            is_all_claimed: is_all_claimed(&self.under().unmapped),
            leads: self.leads(),
            classes: classes.collect(),
            gateways: gateways.chain(by_hand).chain(waived).chain(kept).collect(),
            recipients: self.told_recipients(),
            tombstones: self.tombstones().to_vec(),
            leftovers: self.leftovers(),
            mentions_waived: self.waived().iter().any(|waived| waived.step == Step::Mentions),
            uncertain: self.uncertain().values().flat_map(BTreeMap::values).sum::<u64>()
                + self.mentions().map_or(0, |mentions| mentions.counts.uncertain),
            not_covered: self.not_covered().into_iter().cloned().collect(),
            backups,
            suppressing: self.suppressing().cloned(),
            old_bytes: self.file_slack == FileSlack::Pending,
        }
    }
}

impl Certificate {
    /// For each recipient of the data: whether the recipient was told, and the answer.
    fn told_recipients(&self) -> Vec<ToldRecipient> {
        let answered = self.recipients().iter().map(|found| {
            let what = match &found.answer.outcome {
                RecipientOutcome::Confirmed | RecipientOutcome::NothingThere => WhatWasTold::Told,
                RecipientOutcome::Retained { until, .. } => WhatWasTold::Retained { until: *until },
                RecipientOutcome::Unidentified => WhatWasTold::Unidentified,
                // A case with such an answer is not closed.
                RecipientOutcome::Accepted { .. } | RecipientOutcome::Refused { .. } => {
                    WhatWasTold::Unconfirmed
                }
            };
            ToldRecipient { recipient: found.recipient.clone(), what }
        });
        let by_hand = self.by_hand().iter().filter_map(|done| match &done.step {
            Step::Recipient(recipient) => {
                Some(ToldRecipient { recipient: recipient.clone(), what: WhatWasTold::ByHand })
            }
            _ => None,
        });
        let unconfirmed = self.waived().iter().filter_map(|waived| match &waived.step {
            Step::Recipient(recipient) => {
                Some(ToldRecipient { recipient: recipient.clone(), what: WhatWasTold::Unconfirmed })
            }
            _ => None,
        });
        let not_told = self.treatment.recipients().iter().filter_map(|(recipient, action)| match action {
            RecipientAction::NotTold {
                reason,
                why: WhyNotTold::Impossible | WhyNotTold::Disproportionate,
            } => {
                let what = WhatWasTold::NotTold { reason: reason.clone() };
                Some(ToldRecipient { recipient: recipient.clone(), what })
            }
            // Whoever is unconcerned has none of the data.
            RecipientAction::NotTold { why: WhyNotTold::Unconcerned, .. } | RecipientAction::Tell => None,
        });
        answered.chain(by_hand).chain(unconfirmed).chain(not_told).collect()
    }

    /// For each class, the number of records that still hold an erased value. A record with two such fields counts
    /// twice.
    fn leftovers(&self) -> BTreeMap<ClassName, u64> {
        let found = self.looked_for().into_iter().flat_map(|looked| &looked.found);
        found.map(|(class, fields)| (class.clone(), fields.values().map(|found| found.rows).sum())).collect()
    }
}

fn owned((field, reason): (&FieldName, &String)) -> (FieldName, String) {
    (field.clone(), reason.clone())
}

/// Whether a field stays only where enough people share its value.
fn is_shared(class: &ClassTreatment, field: &FieldName) -> bool {
    class.smallest_group().is_some_and(|group| group.fields().contains_key(field))
}

/// These fields, each with the reason if the policy keeps the field.
fn shared(class: &ClassTreatment) -> BTreeMap<FieldName, Option<String>> {
    let fields = class.smallest_group().into_iter().flat_map(|group| group.fields().keys());
    fields.map(|field| (field.clone(), class.kept().get(field).cloned())).collect()
}

/// The other fields of which a part stays, and which part.
fn general(class: &ClassTreatment) -> BTreeMap<FieldName, Reveals> {
    let fields = class.fields().iter().map(|(field, strategy)| (field.clone(), strategy.reveals()));
    fields.filter(|(field, reveals)| *reveals != Reveals::Nothing && !is_shared(class, field)).collect()
}

/// How long old copies may exist, in the form for letters.
fn lingering(horizon: &Horizon) -> Lingering {
    match horizon {
        Horizon::Until { day } => Lingering::Until(*day),
        Horizon::AfterCopies { copies } => Lingering::Copies(*copies),
        Horizon::Unbounded => Lingering::Unbounded,
        Horizon::Unknown { .. } => Lingering::Unknown,
    }
}
