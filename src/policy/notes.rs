//! Notes on a policy: what fits, and still asks for a look.

use std::collections::BTreeSet;

use super::{Duty, Effective, FiscalYearEnd, Ground, Guard, GuardRule, Policy, Statute};
use crate::document::{Problem, join};

impl Policy {
    /// What fits and still asks for a look:
    ///
    /// * A longer law of the same country, or of the Union, that may apply to the same records. Whether it does, the host's
    ///   counsel has to say.
    /// * A personal field that stays in treated records without an end.
    /// * A guard that refuses a request for a legal claim, and does not say which data the claim needs.
    pub fn notes(&self) -> Vec<Problem> {
        let mut notes: Vec<Problem> = Vec::new();
        for effective in self.all() {
            for note in [longer_laws(effective), without_end(effective), claims(effective)].concat() {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        notes
    }
}

fn claims(policy: &Effective) -> Vec<Problem> {
    let names_no_data = |rule: &GuardRule| match rule {
        GuardRule::BlockBecause { data, ground, .. } => *ground == Ground::LegalClaims && data.is_empty(),
        GuardRule::Block => true,
        GuardRule::BlockSweep | GuardRule::Ignore { .. } => false,
    };
    let is_claim = |guard: &Guard, rule: &GuardRule| match rule {
        GuardRule::Block => guard.ground() == Some(Ground::LegalClaims),
        _ => true,
    };
    let found = policy.guards().filter(|(guard, rule)| names_no_data(rule) && is_claim(guard, rule));
    found
        .map(|(guard, _)| {
            Problem::new(
                join("guards", guard.as_str()),
                "refuses a request for a legal claim, and does not say which data the claim needs, so there is no letter for it",
                "write { data = [\"class\"] }, or \"block sweep\"",
            )
        })
        .collect()
}

fn without_end(policy: &Effective) -> Vec<Problem> {
    let mut notes = Vec::new();
    for (name, treatment) in policy.treatments() {
        for (class, treated) in treatment.classes() {
            let path = join(&join("treatments", name.as_str()), class.as_str());
            let without = treated.kept().keys().filter(|field| !treated.kept_for().contains_key(*field));
            notes.extend(without.map(|field| {
                Problem::new(
                    join(&path, field.as_str()),
                    "is personal, and stays as long as its record, without an end of its own",
                    "say for how long it is needed: { reason = \"…\", for = \"2 years\" }",
                )
            }));
        }
    }
    notes
}

fn longer_laws(policy: &Effective) -> Vec<Problem> {
    let mut notes = Vec::new();
    for duty in policy.duties() {
        let Some(statute) = duty.statute() else { continue };
        for class in duty.classes().keys() {
            let on_class = || policy.duties().iter().filter(|other| other.classes().contains_key(class));
            let named: BTreeSet<&str> = on_class().filter_map(|other| Some(other.statute()?.code)).collect();
            let kept_until = |day, end: FiscalYearEnd| {
                let of_record = |duty: &Duty| if duty.is_by_fiscal_year() { end.of(day) } else { Some(day) };
                // `None` is the end of the calendar, which no law is later than.
                let ends = on_class().map(|duty| duty.kept_until(of_record(duty)?, end));
                ends.collect::<Option<Vec<_>>>()?.into_iter().max()
            };
            let longer: Vec<&Statute> = statute
                .longer()
                .filter(|other| !named.contains(other.code) && other.may_keep_longer(kept_until))
                .collect();
            if longer.is_empty() {
                continue;
            }
            let laws: Vec<String> = longer
                .iter()
                .map(|other| {
                    let (period, start) = (other.period(), other.start.describe());
                    format!("{} ({}): {period} from {start}", other.code, other.covers)
                })
                .collect();
            notes.push(Problem::new(
                join(&join("duties", duty.name()), "statute"),
                format!(
                    "{class} is kept for {} from {}, and a law that keeps longer may apply: {}",
                    statute.period(),
                    statute.start.describe(),
                    laws.join("; ")
                ),
                format!("if one of them applies to {class}, write a duty with it"),
            ));
        }
    }
    notes
}
