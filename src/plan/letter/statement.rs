//! The retention statement, from the policy in force.

use std::collections::BTreeMap;

use super::law;
use super::words::{capitalised, fill, plain};
use super::writer::Writer;
use super::{Fact, Letter, LetterError, Letterhead};
use crate::customer::TenantId;
use crate::data_map::ClassName;
use crate::policy::{
    After, Duty, Effective, Expiry, Ground, GuardRule, Limit, OwnerlessExpiry, Policy, Trigger, TriggerRule,
};
use crate::treatment::{ClassTreatment, GatewayAction, RecordAction, Treatment, TreatmentName};

/// The retention statement: which trigger leads to which treatment, how long duties keep what and from when, what
/// expires, when a request is refused, and how long backups linger. Made from what is in force for a tenant, or for
/// everyone.
///
/// # Errors
/// [`LetterError`]: the policy lacks a name or a text in the language, or there are no letters under its law.
pub fn statement(
    head: &Letterhead,
    policy: &Policy,
    tenant: Option<&TenantId>,
) -> Result<Letter, LetterError> {
    let effective = tenant.map_or_else(|| policy.everyone(), |tenant| policy.effective(tenant));
    let mut writer = Writer::new(head, effective.privacy_law())?;
    let words = writer.words;
    writer.open(words.statement, None)?;
    writer.paragraph(Fact::InForce, words.in_force);
    writer.heading(2, words.when);
    if !effective.sweeps() {
        writer.paragraph(Fact::OnlyOnRequest, words.only_on_request);
    }
    writer.cases(effective)?;
    writer.section(2, words.duties, |writer| {
        effective.duties().iter().try_for_each(|duty| writer.duty_in_force(duty))
    })?;
    writer.section(2, words.expires, |writer| {
        if !effective.sweeps() {
            return Ok(());
        }
        effective.expiry().map_or(Ok(()), |expiry| writer.expiry(expiry))?;
        effective.limits().iter().try_for_each(|limit| writer.limit(limit))?;
        policy.ownerless().map_or(Ok(()), |ownerless| writer.ownerless(ownerless))
    })?;
    writer.section(2, words.obstacles, |writer| writer.obstacles(effective))?;
    if let Some(rule) = effective.suppression() {
        let (kinds, period) = (writer.identifiers(rule.kinds())?, writer.period(rule.period()));
        let text = fill(words.will_be_suppressed, &[("kinds", &kinds), ("period", &period)]);
        writer.paragraph(Fact::WillBeSuppressed, text);
    }
    writer.heading(2, words.backups);
    writer.backups(head.backups);
    writer.close(true);
    Ok(writer.letter())
}

impl Writer<'_> {
    /// The treatments in use, each with the triggers that lead to it.
    fn cases(&mut self, policy: &Effective) -> Result<(), LetterError> {
        let words = self.words;
        let mut cases: BTreeMap<&TreatmentName, Vec<(Trigger, &TriggerRule)>> = BTreeMap::new();
        for (trigger, rule) in policy.triggers() {
            if policy.sweeps() || *trigger == Trigger::Requested {
                cases.entry(rule.treatment()).or_default().push((*trigger, rule));
            }
        }
        let several = cases.len() > 1;
        for (n, (treatment, triggers)) in cases.into_iter().enumerate() {
            if several {
                self.heading(3, &fill(words.case, &[("n", &(n + 1).to_string())]));
            }
            for (trigger, rule) in triggers {
                self.trigger(trigger, rule)?;
            }
            if let Some(treatment) = policy.treatments().get(treatment) {
                self.introduced(words.what_then, |writer| writer.treatment(treatment))?;
                self.introduced(words.leads, |writer| {
                    for lead in treatment.links() {
                        let mut text = writer.lead(lead, None)?;
                        if !lead.classes_while_kept().is_empty() {
                            text = fill(words.lead_while_kept, &[("what", &text)]);
                        }
                        writer.item(Fact::Lead(lead.clone()), text);
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    fn trigger(&mut self, trigger: Trigger, rule: &TriggerRule) -> Result<(), LetterError> {
        let said = (self.words.trigger)(trigger);
        let mut dates = Vec::new();
        for date in rule.since() {
            dates.push(self.name(date)?);
        }
        // The trigger's own date is in its sentence already.
        let is_own = trigger.own_date().is_some_and(|own| *rule.since() == [own.to_owned()]);
        let since = if dates.is_empty() || is_own {
            String::new()
        } else {
            fill(self.words.since, &[("dates", &dates.join(", "))])
        };
        let text = match rule.after().filter(|after| after.parts() != (0, 0, 0)) {
            Some(after) => fill(said.after, &[("after", &self.period(after)), ("since", &since)]),
            None => fill(said.at_once, &[("since", &since)]),
        };
        let text = match rule.hand_over() {
            Some(_) => format!("{text} {}", self.words.handed_over_before),
            None => text,
        };
        self.item(Fact::Trigger(trigger), text);
        Ok(())
    }

    /// What a treatment will do.
    fn treatment(&mut self, treatment: &Treatment) -> Result<(), LetterError> {
        let words = self.words;
        for (class, treated) in treatment.classes() {
            self.class_treatment(class, treated)?;
        }
        for (gateway, action) in treatment.gateways() {
            let what = plain(gateway.as_str());
            let told = super::ToldGateway::Erased { gateway: gateway.clone() };
            let (fact, text) = match action {
                GatewayAction::Erase => (told, fill(words.gateway_will_be_erased, &[("what", &what)])),
                GatewayAction::Keep { reason } => {
                    let said = self.text(reason)?;
                    let (gateway, reason) = (gateway.clone(), reason.clone());
                    let parts = [("what", &*what), ("reason", &*said)];
                    (super::ToldGateway::Kept { gateway, reason }, fill(words.gateway_will_be_kept, &parts))
                }
            };
            self.item(Fact::Gateway(fact), text);
        }
        Ok(())
    }

    fn class_treatment(&mut self, class: &ClassName, treated: &ClassTreatment) -> Result<(), LetterError> {
        let words = self.words;
        let what = self.class(class)?;
        let (fact, text) = match treated.action() {
            RecordAction::Delete => (Fact::Deleted(class.clone()), words.will_be_deleted),
            RecordAction::Anonymise => (Fact::Cleared(class.clone()), words.will_be_cleared),
            RecordAction::Reassign => (Fact::HandedOver(class.clone()), words.will_be_handed_over),
            RecordAction::Keep { reason } => {
                let reason = self.text(reason)?;
                let text = fill(words.will_be_kept, &[("what", &what), ("reason", &reason)]);
                self.item(Fact::Kept(class.clone()), text);
                return Ok(());
            }
        };
        self.item(fact, fill(text, &[("what", &what)]));
        for (field, reason) in treated.kept() {
            self.field_of_policy(class, treated, field, reason)?;
        }
        let group = treated.smallest_group().into_iter().flat_map(|group| group.fields().keys());
        for field in group.filter(|field| !treated.kept().contains_key(*field)) {
            self.shared_field(class, field, None)?;
        }
        Ok(())
    }

    fn duty_in_force(&mut self, duty: &Duty) -> Result<(), LetterError> {
        let words = self.words;
        let mut classes = Vec::new();
        for class in duty.classes().keys() {
            classes.push(self.class(class)?);
        }
        let text = match duty.ground() {
            Ground::LegalObligation => words.duty_of_law,
            Ground::LegalClaims => words.duty_of_claims,
            _ => words.duty_of_other,
        };
        let law = law::of_duty(&self.head.words, duty.law(), duty.statute())?;
        let (period, ground) = (self.period(duty.period()), self.ground(duty.privacy_law(), duty.ground()));
        let what = self.listed(&classes);
        let parts = [
            ("what", &*what),
            ("period", &*period),
            ("start", (words.start)(duty.start())),
            ("law", &*law),
            ("ground", &*ground),
        ];
        self.item(Fact::Duty(duty.name().to_owned()), fill(text, &parts));
        for (class, link) in duty.needs() {
            let (of, what) = (self.class(&class)?, self.name(&link)?);
            let text = fill(words.kept_with, &[("of", &of), ("what", &what)]);
            self.item(Fact::KeptWith(class, link), text);
        }
        Ok(())
    }

    /// What expires, whoever it belongs to.
    fn expiry(&mut self, expiry: &Expiry) -> Result<(), LetterError> {
        for (class, after) in expiry.rules() {
            let when = self.when_expired(class, after)?;
            self.expires(Fact::Expires(class.clone()), class, expiry.treatment(), &when)?;
        }
        Ok(())
    }

    fn ownerless(&mut self, ownerless: &OwnerlessExpiry) -> Result<(), LetterError> {
        for class in ownerless.rules().keys() {
            let mut when = vec![self.words.expires_ownerless.to_owned()];
            for after in ownerless.after().get(class).into_iter().flatten() {
                when.push(self.when_expired(class, after)?);
            }
            let when = self.listed(&when);
            self.expires(Fact::Ownerless(class.clone()), class, ownerless.treatment(), &when)?;
        }
        Ok(())
    }

    fn when_expired(&self, class: &ClassName, after: &After) -> Result<String, LetterError> {
        Ok(match after {
            After::Age { from, period } => {
                let (period, from) = (self.period(*period), self.field(class, from)?);
                fill(self.words.expires_by_age, &[("period", &period), ("from", &from)])
            }
            After::Duty => self.words.expires_by_duty.to_owned(),
        })
    }

    fn expires(
        &mut self,
        fact: Fact,
        class: &ClassName,
        treatment: &Treatment,
        when: &str,
    ) -> Result<(), LetterError> {
        let action = treatment.class(class.as_str()).map(ClassTreatment::action);
        let text = match action {
            Some(RecordAction::Delete) => self.words.expires_deleted,
            _ => self.words.expires_cleared,
        };
        let what = self.class(class)?;
        self.item(fact, fill(text, &[("what", &what), ("when", when)]));
        Ok(())
    }

    /// A maximum that the law sets.
    fn limit(&mut self, limit: &Limit) -> Result<(), LetterError> {
        let (mut classes, mut from) = (Vec::new(), String::new());
        for class in limit.classes() {
            classes.push(self.class(class)?);
            from = self.field(class, limit.from())?;
        }
        let (what, period) = (self.listed(&classes), self.period(limit.at_most()));
        let law = self.text(limit.law())?;
        let parts = [("what", &*what), ("period", &*period), ("from", &*from), ("law", &*law)];
        self.item(Fact::AtMost(limit.name().to_owned()), fill(self.words.at_most, &parts));
        Ok(())
    }

    /// The guards that refuse a request.
    fn obstacles(&mut self, policy: &Effective) -> Result<(), LetterError> {
        let words = self.words;
        for (guard, rule) in policy.guards() {
            let (reason, ground) = match rule {
                GuardRule::Block => (self.guard(guard).map(str::to_owned), guard.ground()),
                GuardRule::BlockBecause { reason, ground, .. } => {
                    let own = self.guard(guard).filter(|_| *reason == guard.why());
                    let reason = own.map_or_else(|| self.text(reason), |own| Ok(own.to_owned()))?;
                    (Some(reason), Some(*ground))
                }
                GuardRule::BlockSweep | GuardRule::Ignore { .. } => continue,
            };
            if let (Some(reason), Some(ground)) = (reason, ground) {
                let ground = self.ground(policy.privacy_law(), ground);
                let parts = [("reason", &*capitalised(&reason)), ("ground", &*ground)];
                self.item(Fact::Obstacle(guard.clone()), fill(words.obstacle, &parts));
            }
        }
        Ok(())
    }
}
