//! The confirmation of an erasure, from the closed case.

use chrono::NaiveDate;

use super::law;
use super::words::{fill, plain};
use super::writer::{DATED, RECEIVED, Writer};
use super::{
    Fact, Letter, LetterError, Letterhead, Request, Told, ToldClass, ToldDeferral, ToldDuty, ToldGateway,
    WhatWasTold, in_order,
};
use crate::anonymise::Reveals;
use crate::data_map::{ClassName, FieldName, NotCovered, UnreachedRows};
use crate::plan::Tombstones;
use crate::policy::{Ground, Suppressing, Trigger};
use crate::treatment::{Lead, RecordAction, Residue};

/// Confirms an erasure: what was done, what is kept and why, what it does not cover, and the remedies. In the part that
/// duties or the policy keep, the request is refused: the letter says so, for which reason, by which law, and until when.
///
/// A person who asked gets a letter that says so, and `request` says when. Whoever was erased without a request gets a
/// letter without one.
///
/// # Errors
/// [`LetterError`]: the policy lacks a name or a text in the language; `request` is missing, or given although nobody
/// asked; or the request was received after the erasure, or the letter is dated before it.
pub fn confirmation(
    head: &Letterhead,
    request: Option<&Request>,
    told: &Told,
) -> Result<Letter, LetterError> {
    let asked = told.trigger == Trigger::Requested;
    if asked != request.is_some() {
        return Err(LetterError::Request { asked });
    }
    let carried_out = ("the erasure was carried out", told.on);
    if let Some(request) = request {
        in_order(carried_out, (RECEIVED, request.received))?;
    }
    in_order((DATED, head.date), carried_out)?;
    let mut writer = Writer::new(head, told.privacy_law)?;
    let words = writer.words;
    let [nothing, anonymous, pseudonymous, in_part, nothing_done] = words.confirmation;
    let title = match told.residue {
        _ if !told.did_anything() => nothing_done,
        Residue::Nothing => nothing,
        Residue::Anonymous => anonymous,
        Residue::Pseudonymous => pseudonymous,
        Residue::InPart => in_part,
    };
    writer.open(title, request)?;
    let date = writer.date(told.on);
    let (fact, carried_out) = if asked {
        (Fact::CarriedOut(told.on), words.carried_out)
    } else {
        (Fact::CarriedOutUnasked(told.on), words.carried_out_unasked)
    };
    writer.paragraph(fact, fill(carried_out, &[("date", &date)]));
    if asked && told.refuses() {
        writer.paragraph(Fact::RefusedInPart, words.refused_in_part);
    }
    writer.done(told)?;
    writer.kept(told)?;
    writer.left(told)?;
    writer.not_covered(told)?;
    let backups = if told.backups.is_empty() { vec![head.backups] } else { told.backups.clone() };
    writer.all_backups(&backups);
    if let Some(Suppressing { kinds, until }) = &told.suppressing {
        let (kinds, date) = (writer.identifiers(kinds)?, writer.date(*until));
        let text = fill(words.suppressed, &[("kinds", &kinds), ("date", &date)]);
        writer.paragraph(Fact::Suppressed(*until), text);
    }
    if told.old_bytes {
        writer.paragraph(Fact::OldBytes, words.old_bytes);
    }
    writer.recipients(told)?;
    writer.close(true);
    Ok(writer.letter())
}

impl Writer<'_> {
    /// A number of records. `None`: the number is not known.
    fn count(&self, count: Option<u64>) -> String {
        match count {
            Some(1) => self.words.count_one.to_owned(),
            Some(n) => fill(self.words.count, &[("n", &n.to_string())]),
            None => self.words.count_unknown.to_owned(),
        }
    }

    fn counted(&self, text: &str, class: &ClassName, count: Option<u64>) -> Result<String, LetterError> {
        Ok(fill(text, &[("what", &self.class(class)?), ("count", &self.count(count))]))
    }

    /// What was done. A class of which nothing was treated is not listed.
    fn done(&mut self, told: &Told) -> Result<(), LetterError> {
        let words = self.words;
        self.heading(2, words.done);
        for of in &told.classes {
            let (class, otherwise) = (&of.class, &of.otherwise);
            let treated = of.treated.filter(|count| *count != Some(0));
            if let Some(count) = treated {
                let (fact, text) = match of.action {
                    RecordAction::Delete => (Fact::Deleted(class.clone()), words.deleted),
                    RecordAction::Anonymise => (Fact::Cleared(class.clone()), words.cleared),
                    RecordAction::Reassign => (Fact::HandedOver(class.clone()), words.handed_over),
                    RecordAction::Keep { .. } => continue,
                };
                let text = self.counted(text, class, count)?;
                self.item(fact, text);
            }
            if otherwise.deleted > 0 {
                let text = self.counted(words.deleted, class, Some(otherwise.deleted))?;
                self.item(Fact::Deleted(class.clone()), text);
            }
            if otherwise.meanwhile > 0 {
                let text = self.counted(words.cleared, class, Some(otherwise.meanwhile))?;
                self.item(Fact::Cleared(class.clone()), text);
            }
            if otherwise.fields > 0 {
                let text = self.counted(words.fields_of_others, class, Some(otherwise.fields))?;
                self.item(Fact::FieldsOfOthers(class.clone()), text);
            }
        }
        for gateway in &told.gateways {
            let (name, text) = match gateway {
                ToldGateway::Erased { gateway } => (gateway, words.gateway_erased),
                ToldGateway::Absent { gateway } => (gateway, words.gateway_absent),
                ToldGateway::Retained { .. } | ToldGateway::Waived { .. } | ToldGateway::Kept { .. } => {
                    continue;
                }
            };
            let text = fill(text, &[("what", &plain(name.as_str()))]);
            self.item(Fact::Gateway(gateway.clone()), text);
        }
        if !told.did_anything() {
            self.paragraph(Fact::NothingDone, words.nothing_done);
        }
        Ok(())
    }

    /// What is kept, each with its reason. Nothing is said of a class of which no record is left.
    fn kept(&mut self, told: &Told) -> Result<(), LetterError> {
        self.section(2, self.words.kept_heading, |writer| {
            for of in &told.classes {
                writer.kept_of_class(of)?;
            }
            for stays in &told.tombstones {
                writer.needed(stays)?;
                let of = told.classes.iter().find(|of| of.class == stays.class);
                let kept = of.into_iter().flat_map(|of| &of.kept_meanwhile);
                for (field, reason) in kept {
                    writer.kept_field(&stays.class, field, reason, None)?;
                }
            }
            told.gateways.iter().try_for_each(|gateway| writer.gateway_kept(gateway))
        })
    }

    fn kept_of_class(&mut self, of: &ToldClass) -> Result<(), LetterError> {
        let (words, class) = (self.words, &of.class);
        if let (RecordAction::Keep { reason }, true) = (&of.action, of.is_left()) {
            let (what, count) = (self.class(class)?, self.count(of.left));
            let reason = self.text(reason)?;
            let parts = [("what", &*what), ("count", &*count), ("reason", &*reason)];
            self.item(Fact::Kept(class.clone()), fill(words.kept, &parts));
        }
        // Fields stay in the records that the action left.
        if of.is_left() && matches!(of.action, RecordAction::Anonymise | RecordAction::Reassign) {
            for (field, reason) in &of.kept {
                self.kept_field(class, field, reason, of.kept_until.get(field).copied())?;
            }
            for (field, reveals) in &of.general {
                self.general(class, field, *reveals)?;
            }
            for (field, reason) in &of.group {
                self.shared_field(class, field, reason.as_deref())?;
            }
        }
        if of.otherwise.shared > 0 {
            let text = self.counted(words.shared, class, Some(of.otherwise.shared))?;
            self.item(Fact::Shared(class.clone()), text);
        }
        match &of.deferred {
            Some(deferral) => self.deferral(class, deferral, Some(&of.action)),
            None => Ok(()),
        }
    }

    fn kept_field(
        &mut self,
        class: &ClassName,
        field: &FieldName,
        reason: &str,
        until: Option<NaiveDate>,
    ) -> Result<(), LetterError> {
        let until = match until {
            Some(day) => fill(self.words.field_until, &[("date", &self.date(day))]),
            None => self.words.as_long_as_record.to_owned(),
        };
        self.field_stays(class, field, reason, &until)
    }

    /// A field that stays only where enough people share its value, and why.
    pub(super) fn shared_field(
        &mut self,
        class: &ClassName,
        field: &FieldName,
        reason: Option<&str>,
    ) -> Result<(), LetterError> {
        let (what, name) = (self.class(class)?, self.field(class, field)?);
        let reason = match reason {
            Some(reason) => fill(self.words.for_reason, &[("reason", &self.text(reason)?)]),
            None => String::new(),
        };
        let parts = [("field", &*name), ("what", &*what), ("reason", &*reason)];
        let fact = Fact::SharedField(class.clone(), field.clone());
        self.item(fact, fill(self.words.shared_field, &parts));
        Ok(())
    }

    /// The part of a field's value that stays. Says nothing if nothing of it stays.
    pub(super) fn general(
        &mut self,
        class: &ClassName,
        field: &FieldName,
        reveals: Reveals,
    ) -> Result<(), LetterError> {
        let words = self.words;
        let [in_general, in_part, blank] = words.partly;
        let (text, general) = match reveals {
            Reveals::Nothing => return Ok(()),
            Reveals::Only(to) => (words.general_field, super::general::general(self.head.language(), to)),
            Reveals::General => (in_general, String::new()),
            Reveals::Rest => (in_part, String::new()),
            Reveals::Pages => (blank, String::new()),
        };
        let (what, name) = (self.class(class)?, self.field(class, field)?);
        let parts =
            [("field", &*name), ("what", &*what), ("general", &*general), ("until", words.as_long_as_record)];
        let fact = Fact::GeneralField(class.clone(), field.clone());
        self.item(fact, fill(text, &parts));
        Ok(())
    }

    /// One field that stays: for how long, and why.
    pub(super) fn field_stays(
        &mut self,
        class: &ClassName,
        field: &FieldName,
        reason: &str,
        until: &str,
    ) -> Result<(), LetterError> {
        let (what, name, reason) = (self.class(class)?, self.field(class, field)?, self.text(reason)?);
        let parts = [("field", &*name), ("what", &*what), ("until", until), ("reason", &*reason)];
        let fact = Fact::KeptField(class.clone(), field.clone());
        self.item(fact, fill(self.words.kept_field, &parts));
        Ok(())
    }

    fn needed(&mut self, stays: &Tombstones) -> Result<(), LetterError> {
        let words = self.words;
        let (what, count) = (self.class(&stays.class)?, self.count(Some(stays.rows)));
        let until = stays
            .until
            .map_or_else(String::new, |day| fill(words.needed_until, &[("date", &self.date(day))]));
        let parts = [("what", &*what), ("count", &*count), ("until", &*until)];
        self.item(Fact::Needed(stays.class.clone()), fill(words.needed, &parts));
        Ok(())
    }

    fn gateway_kept(&mut self, gateway: &ToldGateway) -> Result<(), LetterError> {
        let words = self.words;
        let text = match gateway {
            ToldGateway::Retained { gateway, until } => {
                let until = until.map_or_else(String::new, |day| {
                    format!(" ({})", fill(words.until, &[("date", &self.date(day))]))
                });
                let what = plain(gateway.as_str());
                fill(words.gateway_retained, &[("what", &what), ("until", &until)])
            }
            ToldGateway::Waived { gateway } => {
                fill(words.gateway_waived, &[("what", &plain(gateway.as_str()))])
            }
            ToldGateway::Kept { gateway, reason } => {
                let reason = self.text(reason)?;
                let parts = [("what", &*plain(gateway.as_str())), ("reason", &*reason)];
                fill(words.gateway_will_be_kept, &parts)
            }
            ToldGateway::Erased { .. } | ToldGateway::Absent { .. } => return Ok(()),
        };
        self.item(Fact::Gateway(gateway.clone()), text);
        Ok(())
    }

    /// Records that duties keep: how many, by which law, until when, and what happens then.
    pub(super) fn deferral(
        &mut self,
        class: &ClassName,
        deferral: &ToldDeferral,
        action: Option<&RecordAction>,
    ) -> Result<(), LetterError> {
        let words = self.words;
        let mut duties = Vec::new();
        for duty in &deferral.duties {
            duties.push(self.duty(duty)?);
        }
        let text = if deferral.for_others { words.deferred_for_others } else { words.deferred };
        // Records without a date have a line of their own, unless none has a date.
        let dated = Some(deferral.rows.saturating_sub(deferral.undated)).filter(|rows| *rows > 0);
        let (what, count) = (self.class(class)?, self.count(dated.or(Some(deferral.rows))));
        let parts = [("what", &*what), ("count", &*count), ("duties", &*duties.join(" "))];
        self.item(Fact::Deferred(class.clone()), fill(text, &parts));
        if deferral.undated > 0 {
            let text = self.counted(words.undated, class, Some(deferral.undated))?;
            self.item(Fact::Undated(class.clone()), text);
        }
        // Where no end is known, none is promised.
        if deferral.until.is_none() {
            return Ok(());
        }
        let then = match action {
            Some(RecordAction::Delete) => words.then_deleted,
            Some(RecordAction::Anonymise) => words.then_cleared,
            Some(RecordAction::Reassign) => words.then_handed_over,
            Some(RecordAction::Keep { .. }) | None => return Ok(()),
        };
        let known = if deferral.undated > 0 { words.where_known } else { "" };
        self.item(Fact::Afterwards(class.clone()), fill(then, &[("what", &what), ("where", known)]));
        Ok(())
    }

    /// One duty, in the words of its ground. A limitation period requires nothing: it allows to keep.
    fn duty(&self, duty: &ToldDuty) -> Result<String, LetterError> {
        let words = self.words;
        let text = match duty.ground {
            Ground::LegalObligation => words.by_obligation,
            Ground::LegalClaims => words.by_claims,
            _ => words.by_other,
        };
        let until = duty.until.map_or_else(
            || words.until_unknown.to_owned(),
            |day| fill(words.until, &[("date", &self.date(day))]),
        );
        let law = law::of_duty(&self.head.words, &duty.law, duty.statute)?;
        let (period, ground) = (self.period(duty.period), self.ground(duty.privacy_law, duty.ground));
        let parts = [
            ("until", &*until),
            ("period", &*period),
            ("start", (words.start)(duty.start)),
            ("law", &*law),
            ("ground", &*ground),
        ];
        Ok(fill(text, &parts))
    }

    /// The honest word for what is left, and what still leads to the person.
    fn left(&mut self, told: &Told) -> Result<(), LetterError> {
        let [nothing, anonymous, pseudonymous, in_part, perhaps] = self.words.left;
        let text = match told.residue {
            Residue::InPart if !told.is_certain() => perhaps,
            Residue::Nothing => nothing,
            Residue::Anonymous => anonymous,
            Residue::Pseudonymous => pseudonymous,
            Residue::InPart => in_part,
        };
        self.paragraph(Fact::Left(told.residue), text);
        self.introduced(self.words.leads, |writer| {
            for (class, rows) in &told.leftovers {
                let parts = [("what", &*writer.class(class)?), ("n", &*rows.to_string())];
                writer.item(Fact::Leftover(class.clone()), fill(writer.words.leftover, &parts));
            }
            for lead in &told.leads {
                let text = writer.lead(lead, told.until(lead))?;
                writer.item(Fact::Lead(lead.clone()), text);
            }
            writer.left_outside(told);
            Ok(())
        })
    }

    /// What gateways and recipients keep, or may keep, and texts of others that nobody searched.
    fn left_outside(&mut self, told: &Told) {
        let words = self.words;
        for gateway in &told.gateways {
            let (name, text, until) = match gateway {
                ToldGateway::Retained { gateway, until } => (gateway, words.lead_gateway, *until),
                ToldGateway::Waived { gateway } => (gateway, words.lead_gateway_waived, None),
                ToldGateway::Erased { .. } | ToldGateway::Absent { .. } | ToldGateway::Kept { .. } => {
                    continue;
                }
            };
            let text = self.outside(text, name.as_str(), until);
            self.item(Fact::LeftAtGateway(gateway.clone()), text);
        }
        for recipient in &told.recipients {
            let (text, until) = match recipient.what {
                WhatWasTold::Retained { until } => (words.lead_recipient, until),
                WhatWasTold::Unconfirmed => (words.lead_recipient_unconfirmed, None),
                WhatWasTold::Told
                | WhatWasTold::ByHand
                | WhatWasTold::Unidentified
                | WhatWasTold::NotTold { .. } => continue,
            };
            let text = self.outside(text, recipient.recipient.as_str(), until);
            self.item(Fact::LeftAtRecipient(recipient.clone()), text);
        }
        if told.mentions_waived {
            self.item(Fact::MentionsLeft, words.lead_mentions);
        }
    }

    fn outside(&self, text: &str, name: &str, until: Option<NaiveDate>) -> String {
        let what = fill(text, &[("what", &plain(name))]);
        match until {
            Some(day) => fill(self.words.lead_until, &[("what", &what), ("date", &self.date(day))]),
            None => what,
        }
    }

    pub(super) fn lead(&self, lead: &Lead, until: Option<NaiveDate>) -> Result<String, LetterError> {
        let words = self.words;
        let what = match lead {
            Lead::Class { class, .. } => self.class(class)?,
            Lead::Field { class, field, .. } => {
                let (what, field) = (self.class(class)?, self.field(class, field)?);
                fill(words.lead_field, &[("field", &field), ("what", &what)])
            }
            Lead::Shared { class, .. } => fill(words.lead_shared, &[("what", &self.class(class)?)]),
            Lead::Gateway(gateway) => fill(words.lead_gateway, &[("what", &plain(gateway.as_str()))]),
            Lead::Token { .. } => words.lead_token.to_owned(),
        };
        Ok(match until {
            Some(day) => fill(words.lead_until, &[("what", &what), ("date", &self.date(day))]),
            None => what,
        })
    }

    /// What the erasure does not cover.
    fn not_covered(&mut self, told: &Told) -> Result<(), LetterError> {
        let words = self.words;
        self.introduced(words.not_covered, |writer| {
            if !told.is_all_claimed {
                writer.item(Fact::Unclaimed, words.unclaimed);
            }
            if told.uncertain > 0 {
                let n = told.uncertain.to_string();
                writer.item(Fact::Uncertain, fill(words.uncertain, &[("n", &n)]));
            }
            // How long backup copies linger is told in a sentence of its own.
            for what in told.not_covered.iter().filter(|what| **what != NotCovered::Backups) {
                let text = writer.uncovered(what)?;
                writer.item(Fact::NotCovered(what.clone()), text);
            }
            Ok(())
        })
    }

    pub(super) fn uncovered(&self, what: &NotCovered) -> Result<String, LetterError> {
        let words = self.words;
        Ok(match what {
            NotCovered::Ignored { reason, .. } => fill(words.ignored, &[("reason", &self.text(reason)?)]),
            NotCovered::Mentions => words.mentions.to_owned(),
            NotCovered::OtherSystems => words.other_systems.to_owned(),
            NotCovered::Backups => String::new(),
            NotCovered::Tables(tables) => fill(words.tables, &[("n", &tables.len().to_string())]),
            NotCovered::WrittenByTrigger { .. } => words.by_trigger.to_owned(),
            NotCovered::ObjectVersions(class) => {
                fill(words.object_versions, &[("what", &self.class(class)?)])
            }
            NotCovered::OwnersElsewhere(_) => words.owners_elsewhere.to_owned(),
            NotCovered::Rows { which, rows, .. } => {
                let (text, class) = match which {
                    UnreachedRows::Unclaimed { .. } => (words.rows_unclaimed, None),
                    UnreachedRows::NoOwner { class } | UnreachedRows::OwnerGone { class } => {
                        (words.rows_without_owner, Some(class))
                    }
                    UnreachedRows::Unsearchable { class, .. } => (words.unsearchable, Some(class)),
                    UnreachedRows::Unreadable { class, .. } => (words.unreadable, Some(class)),
                    UnreachedRows::FieldsOfNobody { class, .. } => (words.fields_of_nobody, Some(class)),
                };
                let what = class.map_or_else(|| Ok(String::new()), |class| self.class(class))?;
                fill(text, &[("what", &what), ("n", &rows.to_string())])
            }
            NotCovered::Other(text) => fill(words.something_else, &[("what", &self.text(text)?)]),
        })
    }
}
