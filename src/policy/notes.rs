//! Notes on a policy: what fits, and still asks for a look.

use std::collections::BTreeSet;

use super::{Effective, Policy, Statute};
use crate::document::{Problem, join};

impl Policy {
    /// What fits and still asks for a look: a longer law of the same country, or of the Union, that may apply to the
    /// same records. Whether it does, the host's counsel has to say.
    pub fn notes(&self) -> Vec<Problem> {
        let mut notes: Vec<Problem> = Vec::new();
        for effective in self.all() {
            for note in longer_laws(effective) {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        notes
    }
}

fn longer_laws(policy: &Effective) -> Vec<Problem> {
    let mut notes = Vec::new();
    for duty in policy.duties() {
        let Some(statute) = duty.statute() else { continue };
        for class in duty.classes().keys() {
            let on_class = || policy.duties().iter().filter(|other| other.classes().contains_key(class));
            let named: BTreeSet<&str> = on_class().filter_map(|other| Some(other.statute()?.code)).collect();
            let longest = on_class().map(|other| other.period().parts()).max();
            let longer: Vec<&Statute> = statute
                .longer()
                .filter(|other| !named.contains(other.code) && Some(other.period().parts()) > longest)
                .collect();
            if longer.is_empty() {
                continue;
            }
            let laws: Vec<String> = longer
                .iter()
                .map(|other| format!("{} ({}): {}", other.code, other.covers, other.period()))
                .collect();
            notes.push(Problem::new(
                join(&join("duties", duty.name()), "statute"),
                format!(
                    "{class} is kept for {}, and a longer law may apply: {}",
                    statute.period(),
                    laws.join("; ")
                ),
                format!("if one of them applies to {class}, write a duty with it"),
            ));
        }
    }
    notes
}
