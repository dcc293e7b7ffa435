//! Holding duties against the data map: a record has a date, and what it needs stays with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::data_map::{ClassName, DataMap};
use crate::document::{Reader, join, suggest};
use crate::policy::document::Rules;
use crate::policy::{ClassTreatment, Duty, RecordAction, UnderDuty};

pub(super) fn check_duties(reader: &mut Reader, rules: &Rules, map: &DataMap) {
    for duty in &rules.duties {
        let path = join("duties", duty.name());
        for (class, field) in duty.classes() {
            let Some(described) = map.class(class.as_str()) else {
                let known: Vec<&str> = map.classes().map(|class| class.name().as_str()).collect();
                let what = format!("{class} is no record class of the data map");
                reader.problem(join(&path, "classes"), what, suggest(class.as_str(), known));
                continue;
            };
            if class == map.root() {
                reader.problem(
                    join(&path, "classes"),
                    format!("{class} is the customers' own record, which no duty can keep whole"),
                    "name the records that have to be kept, and anonymise the customer's own",
                );
            }
            match described.find(field.as_str()) {
                Some(found) if found.is_dated() => {}
                Some(_) => reader.problem(
                    join(&path, "from"),
                    format!("{class}.{field} is no date by which the store can keep records"),
                    "name the field that holds the record's date",
                ),
                None => {
                    let dated = described.fields().iter().filter(|field| field.is_dated());
                    let known: Vec<&str> = dated.map(|field| field.name().as_str()).collect();
                    reader.problem(
                        join(&path, "from"),
                        format!("{class} has no field {field}"),
                        suggest(field.as_str(), known),
                    );
                }
            }
        }
    }
}

/// Marks the classes whose records a duty may keep. What a treatment keeps anyway needs no duty.
pub(super) fn put_under_duty(classes: &mut BTreeMap<ClassName, ClassTreatment>, rules: &Rules) {
    for (class, field) in rules.duties.iter().flat_map(Duty::classes) {
        let Some(treated) = classes.get_mut(class) else { continue };
        let is_there = treated.under_duty.iter().any(|under| under.field == *field);
        if !matches!(treated.action, RecordAction::Keep { .. }) && !is_there {
            let time_zone = rules.time_zone;
            treated.under_duty.push(UnderDuty { field: field.clone(), keep_from: None, time_zone });
        }
    }
}

/// A record that is kept stays whose it is: what it points at may be emptied, and not go.
pub(super) fn check_needed(
    reader: &mut Reader,
    path: &str,
    rules: &Rules,
    classes: &BTreeMap<ClassName, ClassTreatment>,
    map: &DataMap,
) {
    for class in map.classes() {
        let Some(duty) = rules.duties.iter().find(|duty| duty.classes().contains_key(class.name())) else {
            continue;
        };
        if classes.get(class.name()).is_none_or(|treated| treated.under_duty.is_empty()) {
            continue;
        }
        let needed = class.referenced().iter().map(|reference| &reference.to);
        // Even where no foreign key says so, a record is nobody's without its customer.
        let needed: BTreeSet<&ClassName> = needed.chain([map.root()]).collect();
        for needed in needed {
            let action = classes.get(needed).map(ClassTreatment::action);
            if matches!(action, Some(RecordAction::Delete | RecordAction::Reassign)) {
                reader.problem(
                    join(path, needed.as_str()),
                    format!("cannot go: {} needs it, and duty {} may keep that", class.name(), duty.name()),
                    "anonymise it: it stays, and says nothing of anybody",
                );
            }
        }
    }
}
