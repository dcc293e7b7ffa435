//! Checks that a policy does not ask the stores beside the root store for something that they cannot do.

use crate::data_map::{ClassName, DataMap, StoreName};
use crate::document::{Problem, join};
use crate::policy::Policy;
use crate::treatment::{ClassTreatment, Treatment};

/// The problems of a policy that asks a store beside the root store for something that it cannot do.
pub(super) fn store_problems(policy: &Policy, map: &DataMap) -> Vec<Problem> {
    let mut problems = Vec::new();
    for treatment in policy.all().flat_map(|policy| policy.treatments().values()) {
        for (name, class) in treatment.classes() {
            let Some(store) = store_of(map, name) else { continue };
            let path = join(&join("treatments", treatment.name().as_str()), name.as_str());
            for (what, way_out) in asked(map, treatment, name, class, store) {
                let problem = Problem::new(&path, what, way_out);
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    if let Some(rules) = policy.ownerless() {
        for class in rules.rules().keys().filter(|class| rules.said(class).is_some()) {
            if let Some(store) = store_of(map, class) {
                problems.push(Problem::new(
                    format!("expire.{class}.ownerless"),
                    format!("asks {store} which customers exist, and only the root store knows"),
                    "leave ownerless out",
                ));
            }
        }
    }
    problems
}

fn store_of<'m>(map: &'m DataMap, class: &ClassName) -> Option<&'m StoreName> {
    map.class(class.as_str())?.store()
}

/// What a treatment asks of a class, but its store cannot do. Each has a way out.
fn asked(
    map: &DataMap,
    treatment: &Treatment,
    name: &ClassName,
    class: &ClassTreatment,
    store: &StoreName,
) -> Vec<(String, &'static str)> {
    let mut asked = Vec::new();
    let is_elsewhere = |class: &ClassName| store_of(map, class) != Some(store);
    if class.is_deferred() && treatment.deletes_root() {
        let what = format!(
            "has a duty, and {store} finds the records by a customer who is deleted before the duty ends"
        );
        asked.push((what, "let the treatment anonymise the customer"));
    }
    let is_kept_for_a_time = class.is_deferred() || !class.kept_for().is_empty();
    if is_kept_for_a_time && map.is_found_by_value(name) {
        let what = format!(
            "stays for a time, and {store} finds the records by a value that is erased before the time is over"
        );
        asked.push((what, "link the records to the customer's key, or keep none of them"));
    }
    if class.under_duty().iter().any(|duty| duty.through.iter().any(is_elsewhere)) {
        let what = format!("has a duty that counts from a date outside {store}");
        asked.push((what, "count the duty from a date of a record in the same store"));
    }
    let leads_out = |(foot, link): &(ClassName, String)| {
        let links = map.class(foot.as_str()).into_iter().flat_map(crate::data_map::RecordClass::links);
        store_of(map, foot) == Some(store)
            && links.into_iter().any(|known| known.name() == link && is_elsewhere(known.to()))
    };
    if class.under_duty().iter().any(|duty| duty.needs.iter().any(leads_out)) {
        let what = format!("has a duty that keeps a record outside {store} with it");
        asked.push((what, "leave that link out of the duty's keeps"));
    }
    if class.smallest_group().is_some() {
        let what = format!("has a smallest group, and {store} cannot count the customers");
        asked.push((what, "leave the smallest group out"));
    }
    asked
}
