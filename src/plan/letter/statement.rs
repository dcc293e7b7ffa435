//! The retention statement, from the policy in force. What delays an erasure is told too: how long data are kept depends
//! on it (Art. 13(2)(a) GDPR).

use std::collections::BTreeMap;

use super::law;
use super::words::{capitalised, fill, plain};
use super::writer::Writer;
use super::{Fact, Letter, LetterError, Letterhead};
use crate::customer::{HoldKind, TenantId};
use crate::data_map::{ClassName, FieldName};
use crate::policy::{
    After, Duty, Effective, Expiry, Ground, Guard, GuardRule, Limit, OwnerlessExpiry, Policy, Trigger,
    TriggerRule,
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
        for (n, (name, triggers)) in cases.into_iter().enumerate() {
            if several {
                self.heading(3, &fill(words.case, &[("n", &(n + 1).to_string())]));
            }
            for (trigger, rule) in triggers {
                self.trigger(trigger, rule)?;
            }
            if let Some(treatment) = policy.treatments().get(name) {
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
            if let Some(rule) = policy.suppression().filter(|rule| rule.treatments().contains(name)) {
                let (kinds, period) = (self.identifiers(rule.kinds())?, self.period(rule.period()));
                let text = fill(words.will_be_suppressed, &[("kinds", &kinds), ("period", &period)]);
                self.paragraph(Fact::WillBeSuppressed, text);
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
        self.fields_that_stay(class, treated)
    }

    /// What stays in treated records: fields that are kept, and fields that are made general.
    fn fields_that_stay(&mut self, class: &ClassName, treated: &ClassTreatment) -> Result<(), LetterError> {
        for (field, reason) in treated.kept() {
            self.field_of_policy(class, treated, field, reason)?;
        }
        let shared = |field: &FieldName| {
            treated.smallest_group().is_some_and(|group| group.fields().contains_key(field))
        };
        for (field, strategy) in treated.fields().iter().filter(|(field, _)| !shared(field)) {
            self.general(class, field, strategy.reveals())?;
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
            let words = self.words;
            let (mut ages, mut is_under_duty) = (Vec::new(), false);
            for after in ownerless.after().get(class).into_iter().flatten() {
                match after {
                    After::Age { from, period } => {
                        let (period, from) = (self.period(*period), self.field(class, from)?);
                        ages.push(fill(words.age_of_record, &[("period", &period), ("from", &from)]));
                    }
                    After::Duty => is_under_duty = true,
                }
            }
            let mut when = words.expires_ownerless.to_owned();
            if !ages.is_empty() {
                let age = self.listed(&ages);
                when = fill(words.ownerless_not_before, &[("when", &when), ("age", &age)]);
            }
            if is_under_duty {
                when = fill(words.ownerless_not_while_kept, &[("when", &when)]);
            }
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
        let Some(treated) = treatment.class(class.as_str()) else { return Ok(()) };
        let text = match treated.action() {
            RecordAction::Delete => self.words.expires_deleted,
            _ => self.words.expires_cleared,
        };
        let what = self.class(class)?;
        self.item(fact, fill(text, &[("what", &what), ("when", when)]));
        self.fields_that_stay(class, treated)
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

    /// What delays an erasure: guards by their rules, and holds.
    fn obstacles(&mut self, policy: &Effective) -> Result<(), LetterError> {
        let guards = policy.guards().filter(|(guard, _)| !matches!(guard, Guard::Hold(_)));
        for (guard, rule) in guards {
            self.obstacle(policy, guard, rule)?;
        }
        // A hold of the hold book blocks, whatever the policy says.
        for hold in [HoldKind::LegalClaim, HoldKind::AuthorityOrder, HoldKind::Restriction] {
            let guard = Guard::Hold(hold);
            let rule = policy
                .guards()
                .find(|(other, rule)| **other == guard && matches!(rule, GuardRule::BlockBecause { .. }));
            self.obstacle(policy, &guard, rule.map_or(&GuardRule::Block, |(_, rule)| rule))?;
        }
        Ok(())
    }

    fn obstacle(&mut self, policy: &Effective, guard: &Guard, rule: &GuardRule) -> Result<(), LetterError> {
        let words = self.words;
        let of_crate = (words.guard)(guard);
        let (reason, ground) = match rule {
            GuardRule::Ignore { .. } => return Ok(()),
            GuardRule::BlockSweep if !policy.sweeps() => return Ok(()),
            GuardRule::BlockBecause { reason, ground, .. } => {
                let own = of_crate.filter(|_| *reason == guard.why()).map(|[why, _]| why.to_owned());
                (own.map_or_else(|| self.text(reason), Ok)?, Some(*ground))
            }
            GuardRule::Block | GuardRule::BlockSweep => {
                let reason = match of_crate {
                    Some([why, _]) => why.to_owned(),
                    None => fill(words.state_applies, &[("what", &self.name(guard.as_str())?)]),
                };
                (reason, guard.ground())
            }
        };
        let reason = capitalised(&reason);
        let (fact, text) = match (rule, ground) {
            (GuardRule::BlockSweep, _) => {
                (Fact::Delay(guard.clone()), fill(words.delay, &[("reason", &reason)]))
            }
            (_, Some(ground)) => {
                let ground = self.ground(policy.privacy_law(), ground);
                let parts = [("reason", &*reason), ("ground", &*ground)];
                let mut text = fill(words.obstacle, &parts);
                if let GuardRule::BlockBecause { data, .. } = rule
                    && !data.is_empty()
                {
                    let data = data.iter().map(|class| self.class(class)).collect::<Result<Vec<_>, _>>()?;
                    text.push(' ');
                    text.push_str(&fill(words.data_of, &[("what", &self.listed(&data))]));
                }
                (Fact::Obstacle(guard.clone()), text)
            }
            (_, None) => {
                let way_out = of_crate.map_or_else(
                    || words.ask_us.to_owned(),
                    |[_, way_out]| fill(words.way_out, &[("way_out", way_out)]),
                );
                let parts = [("reason", &*reason), ("way_out", &*way_out)];
                (Fact::Obstacle(guard.clone()), fill(words.obstacle_without_ground, &parts))
            }
        };
        self.item(fact, text);
        Ok(())
    }
}
