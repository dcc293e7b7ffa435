//! The refusal of a request, from the decision.

use std::collections::BTreeSet;

use super::law;
use super::words::{capitalised, fill, plain};
use super::writer::Writer;
use super::{Fact, Letter, LetterError, Letterhead, Request, ToldDeferral, ToldDuty, ToldGateway};
use crate::data_map::{ClassName, FieldName};
use crate::plan::{Blocked, BlockedBy, Decision, Deferred, Due, Nothing};
use crate::policy::{Effective, Ground, Statute, Trigger};
use crate::treatment::{ClassTreatment, GatewayAction, Lead, RecordAction, Treatment};

/// Refuses a request, with reasons and remedies (Art. 12(4) GDPR). The policy is the one in force for the tenant.
///
/// * **Guards block the erasure.** The letter says for which data, on which ground, and what can change it. It promises
///   nothing, and names no day: nobody knows when the guard ends. What duties keep in any case is told with its law.
/// * **Duties or the policy keep a part.** The letter refuses that part, with its reason, and with law and last day where a
///   duty keeps it. Count first: [`Engine::explain`](crate::Engine::explain) and [`Engine::plan`](crate::Engine::plan) do.
/// * **The person asks again,** and what was kept then is kept still. The letter refuses that part again.
///
/// # Errors
/// [`LetterError`]: nothing is refused; nothing that blocks has a ground in law, so that it has to be put right while the
/// clock of the request goes on; a legal claim, such as an unpaid invoice, does not say which record classes it needs; the
/// grounds leave record classes out; or the policy lacks a name or a text in the language.
pub fn refusal(
    head: &Letterhead,
    request: &Request,
    policy: &Effective,
    decision: &Decision,
) -> Result<Letter, LetterError> {
    let mut writer = Writer::new(head, policy.privacy_law())?;
    let words = writer.words;
    writer.open(words.refusal, Some(request))?;
    match decision {
        Decision::Blocked(Blocked { by, deferred, .. }) => {
            let refusing: Vec<&BlockedBy> = by.iter().filter(|by| by.ground.is_some()).collect();
            if refusing.is_empty() {
                return Err(LetterError::NoGround);
            }
            covered(policy, &refusing)?;
            writer.introduced(words.refusal_reasons, |writer| {
                refusing.iter().try_for_each(|by| writer.reason(policy, by))
            })?;
            writer.paragraph(Fact::NothingErased, words.nothing_erased);
            let treatment = on_request(policy);
            writer.introduced(words.in_any_case, |writer| {
                deferred.iter().try_for_each(|deferred| writer.in_any_case(deferred))?;
                treatment.map_or(Ok(()), |treatment| writer.kept_by_policy(treatment))
            })?;
        }
        Decision::Due(Due { deferred, treatment, .. }) => {
            let treatment = policy.treatments().get(treatment).map(AsRef::as_ref);
            writer.refused_in_part(deferred, treatment)?;
            writer.paragraph(Fact::RestErased, words.rest_erased);
        }
        Decision::Nothing(Nothing::TreatedBefore { at, treatment, deferred, .. }) => {
            // What that case did counts, and not what a request would get now.
            let treatment = policy.treatments().get(treatment).map(AsRef::as_ref);
            writer.refused_in_part(deferred, treatment)?;
            let day = policy.time_zone().day(*at);
            let text = fill(words.rest_was_erased, &[("date", &writer.date(day))]);
            writer.paragraph(Fact::RestWasErased(day), text);
        }
        Decision::NotYet(_) | Decision::Nothing(_) => return Err(LetterError::NothingRefused),
    }
    writer.close(false);
    Ok(writer.letter())
}

/// The treatment that a request gets.
fn on_request(policy: &Effective) -> Option<&Treatment> {
    let rule = policy.triggers().get(&Trigger::Requested)?;
    policy.treatments().get(rule.treatment()).map(AsRef::as_ref)
}

/// Checks that the grounds together cover every class that the request would treat.
fn covered(policy: &Effective, refusing: &[&BlockedBy]) -> Result<(), LetterError> {
    if refusing.iter().any(|by| by.data.is_empty()) {
        return Ok(());
    }
    let treated = on_request(policy).into_iter().flat_map(Treatment::classes);
    let classes: BTreeSet<ClassName> = treated
        .filter(|(_, class)| !matches!(class.action(), RecordAction::Keep { .. }))
        .map(|(name, _)| name.clone())
        .filter(|name| !refusing.iter().any(|by| by.data.contains(name)))
        .collect();
    if classes.is_empty() { Ok(()) } else { Err(LetterError::Unfounded { classes }) }
}

fn told(deferred: &Deferred, rows: u64) -> ToldDeferral {
    let duties = deferred.duties.iter().map(|by| ToldDuty {
        law: by.law.to_string(),
        statute: by.statute.and_then(Statute::find),
        ground: by.ground,
        privacy_law: by.privacy_law,
        period: by.terms.period,
        start: by.terms.start,
        until: by.until,
    });
    ToldDeferral {
        rows,
        duties: duties.collect(),
        until: deferred.until,
        undated: deferred.unreadable.values().copied().max().unwrap_or(0),
        for_others: deferred.for_others,
    }
}

impl Writer<'_> {
    /// What duties keep, and what the policy keeps.
    fn refused_in_part(
        &mut self,
        deferred: &[Deferred],
        treatment: Option<&Treatment>,
    ) -> Result<(), LetterError> {
        let words = self.words;
        let before = self.len();
        self.introduced(words.refusal_in_part, |writer| {
            deferred.iter().try_for_each(|deferred| {
                let class = treatment.and_then(|treatment| treatment.class(deferred.class.as_str()));
                let action = class.map(ClassTreatment::action);
                match deferred.rows {
                    Some(rows) => writer.deferral(&deferred.class, &told(deferred, rows), action),
                    None => writer.in_any_case(deferred),
                }
            })
        })?;
        // Something has to say that a part is refused, if no duty does.
        let is_said = self.len() > before;
        let kept = self.len();
        if !is_said {
            self.paragraph(Fact::RefusedInPart, words.refused_in_part);
        }
        self.introduced(words.in_any_case, |writer| {
            treatment.map_or(Ok(()), |treatment| writer.kept_by_policy(treatment))
        })?;
        if !is_said && self.len() == kept + 1 {
            return Err(LetterError::NothingRefused);
        }
        if self.len() == before { Err(LetterError::NothingRefused) } else { Ok(()) }
    }

    /// Personal data that the policy keeps, each with its reason.
    fn kept_by_policy(&mut self, treatment: &Treatment) -> Result<(), LetterError> {
        let words = self.words;
        for lead in treatment.links() {
            match lead {
                Lead::Class { class, while_kept: false, .. } => {
                    let action = treatment.class(class.as_str()).map(ClassTreatment::action);
                    let Some(RecordAction::Keep { reason }) = action else { continue };
                    let (what, reason) = (self.class(class)?, self.text(reason)?);
                    let text = fill(words.will_be_kept, &[("what", &what), ("reason", &reason)]);
                    self.item(Fact::Kept(class.clone()), text);
                }
                Lead::Field { class, field, while_kept: false, .. } => {
                    let Some(treated) = treatment.class(class.as_str()) else { continue };
                    let Some(reason) = treated.kept().get(field) else { continue };
                    self.field_of_policy(class, treated, field, reason)?;
                }
                Lead::Shared { class, .. } => {
                    let text = fill(words.shared_will_be_kept, &[("what", &self.class(class)?)]);
                    self.item(Fact::Shared(class.clone()), text);
                }
                Lead::Gateway(gateway) => {
                    let action = treatment.gateways().get(gateway);
                    let Some(GatewayAction::Keep { reason }) = action else { continue };
                    let (what, said) = (plain(gateway.as_str()), self.text(reason)?);
                    let text = fill(words.gateway_will_be_kept, &[("what", &what), ("reason", &said)]);
                    let (gateway, reason) = (gateway.clone(), reason.clone());
                    self.item(Fact::Gateway(ToldGateway::Kept { gateway, reason }), text);
                }
                Lead::Class { .. } | Lead::Field { .. } | Lead::Token { .. } => {}
            }
        }
        Ok(())
    }

    /// A personal field that the policy keeps: for how long, or among how many, and why.
    pub(super) fn field_of_policy(
        &mut self,
        class: &ClassName,
        treated: &ClassTreatment,
        field: &FieldName,
        reason: &str,
    ) -> Result<(), LetterError> {
        if treated.smallest_group().is_some_and(|group| group.fields().contains_key(field)) {
            return self.shared_field(class, field, Some(reason));
        }
        let until = match treated.kept_for().get(field) {
            Some(kept) => fill(self.words.field_for, &[("period", &self.period(kept.period()))]),
            None => self.words.as_long_as_record.to_owned(),
        };
        self.field_stays(class, field, reason, &until)
    }

    /// One reason: why, on which ground, for which data, and what can change it.
    fn reason(&mut self, policy: &Effective, by: &BlockedBy) -> Result<(), LetterError> {
        let words = self.words;
        let Some(ground) = by.ground else { return Ok(()) };
        let is_own = by.guard.as_ref().is_none_or(|guard| guard.why() != by.why);
        let known = by.guard.as_ref().filter(|_| !is_own).and_then(words.guard);
        // Where the policy says nothing of a way out, the sentence for the host's own staff is none for the person.
        let says_way_out = by.guard.as_ref().is_none_or(|guard| guard.way_out() != by.way_out);
        let (why, way_out) = match known {
            Some([why, way_out]) => (why.to_owned(), Some(way_out.to_owned())),
            None if says_way_out => (self.text(&by.why)?, Some(self.text(&by.way_out)?)),
            None => (self.text(&by.why)?, None),
        };
        let way_out = way_out
            .map_or_else(|| words.ask_us.to_owned(), |way_out| fill(words.way_out, &[("way_out", &way_out)]));
        let mut data = Vec::new();
        for class in &by.data {
            data.push(self.class(class)?);
        }
        let data = match (data.is_empty(), ground) {
            (false, _) => fill(words.data_of, &[("what", &self.listed(&data))]),
            // A claim needs some data, and never all: the person has a right to know which.
            (true, Ground::LegalClaims) => return Err(LetterError::WhichData { guard: by.guard.clone() }),
            (true, _) => words.all_data.to_owned(),
        };
        let ground = self.ground(policy.privacy_law(), ground);
        let parts =
            [("reason", &*capitalised(&why)), ("ground", &*ground), ("data", &*data), ("way_out", &*way_out)];
        self.item(Fact::Refused(by.guard.clone()), fill(words.refusal_reason, &parts));
        Ok(())
    }

    /// What a duty keeps, whatever becomes of the request: how long and by which law. No day: it depends on records that
    /// may still come.
    fn in_any_case(&mut self, deferred: &Deferred) -> Result<(), LetterError> {
        let words = self.words;
        let what = self.class(&deferred.class)?;
        for duty in deferred.duties.iter() {
            let law = law::of_duty(&self.head.words, &duty.law, duty.statute.and_then(Statute::find))?;
            let (period, ground) =
                (self.period(duty.terms.period), self.ground(duty.privacy_law, duty.ground));
            let parts = [
                ("what", &*what),
                ("period", &*period),
                ("start", (words.start)(duty.terms.start)),
                ("law", &*law),
                ("ground", &*ground),
            ];
            // A limitation period requires nothing: it allows to keep.
            let text = match duty.ground {
                Ground::LegalObligation => words.in_any_case_obligation,
                Ground::LegalClaims => words.in_any_case_claims,
                _ => words.in_any_case_other,
            };
            self.item(Fact::Deferred(deferred.class.clone()), fill(text, &parts));
        }
        Ok(())
    }
}
