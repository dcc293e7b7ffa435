//! Checks a treatment against the triggers of the tables: a trigger may forbid, swallow or overwrite a change.

use std::collections::{BTreeMap, BTreeSet};

use crate::anonymise::Strategy;
use crate::data_map::{ClassName, DataMap, FieldName, Link, RecordClass, TableTrigger, WhenGone};
use crate::document::{Reader, join, key};
use crate::treatment::{ClassTreatment, RecordAction, SmallestGroup};

/// Reports triggers into which the statements of a treatment would run.
pub(super) fn check_table_triggers(
    reader: &mut Reader,
    path: &str,
    classes: &BTreeMap<ClassName, ClassTreatment>,
    map: &DataMap,
) {
    for (name, treated) in classes {
        let Some(class) = map.class(name.as_str()) else { continue };
        let written = written(class, treated, classes);
        let is_written = |field: &FieldName| {
            // A value inside a document is written with its column.
            let within = format!("{field}/");
            written.iter().any(|one| one == field || one.as_str().starts_with(&within))
        };
        let goes = *treated.action() == RecordAction::Delete;
        for trigger in class.triggers() {
            let what = if goes && trigger.hits_delete() {
                "cannot be deleted"
            } else if !written.is_empty() && trigger.hits_update(is_written) {
                "cannot be written to"
            } else {
                continue;
            };
            let way_out = way_out(class, treated, classes, trigger);
            reader.problem(join(path, name.as_str()), format!("{what}: {trigger}"), way_out);
        }
    }
}

/// Reports classes to which a trigger writes what it finds in a treated record, where the treatment cannot reach the new
/// record: its texts are searched before the trigger runs, and so is the value by which it is found.
pub(super) fn check_copies(
    reader: &mut Reader,
    path: &str,
    classes: &BTreeMap<ClassName, ClassTreatment>,
    map: &DataMap,
) {
    let acts = |class: &ClassTreatment| !matches!(class.action(), RecordAction::Keep { .. });
    let mut reported = BTreeSet::new();
    for (from, treated) in classes.iter().filter(|(_, treated)| acts(treated)) {
        let Some(class) = map.class(from.as_str()) else { continue };
        let is_touched =
            *treated.action() == RecordAction::Delete || !written(class, treated, classes).is_empty();
        for to in class.copies().iter().filter(|to| is_touched && *to != from) {
            let (Some(copy), Some(of_copy)) = (map.class(to.as_str()), classes.get(to)) else { continue };
            if *of_copy.action() == RecordAction::Delete && !copy.links().iter().any(Link::is_by_value) {
                continue;
            }
            let by_value = copy.links().iter().any(Link::is_by_value);
            let mut late: Vec<(String, &str, String)> = Vec::new();
            if acts(of_copy) {
                let searched = of_copy.strategies().filter(|(_, how)| matches!(how, Strategy::Redact { .. }));
                late.extend(searched.map(|(field, _)| {
                    let remove =
                        format!("write fields = {{ {} = \"remove\" }} for {to}", key(field.as_str()));
                    let or_delete =
                        if by_value { String::new() } else { format!(", or \"delete\" for {to}") };
                    (
                        join(to.as_str(), field.as_str()),
                        "is searched before the trigger writes the new text",
                        format!("drop the trigger for the run, or {remove}{or_delete}"),
                    )
                }));
                if copy.links().iter().any(|link| link.is_owner() && link.is_by_value()) {
                    late.push((
                        to.to_string(),
                        "is found by a value, which is erased before the trigger writes",
                        "drop the trigger for the run".to_owned(),
                    ));
                }
            }
            for (place, why, way_out) in late {
                if reported.insert((place.clone(), from.clone())) {
                    let what = format!("{why}: a trigger of {from} writes to {to}");
                    reader.problem(join(path, &place), what, way_out);
                }
            }
        }
    }
}

/// The fields that a treatment writes in records of a class.
fn written(
    class: &RecordClass,
    treated: &ClassTreatment,
    classes: &BTreeMap<ClassName, ClassTreatment>,
) -> BTreeSet<FieldName> {
    let mut written: BTreeSet<FieldName> = treated.strategies().map(|(field, _)| field.clone()).collect();
    if matches!(treated.action(), RecordAction::Anonymise | RecordAction::Reassign) {
        let group = treated.smallest_group().into_iter().flat_map(SmallestGroup::fields);
        written.extend(group.map(|(field, _)| field.clone()));
    }
    let goes =
        |name: &ClassName| classes.get(name).is_some_and(|other| *other.action() == RecordAction::Delete);
    for link in class.links() {
        let is_moved = *treated.action() == RecordAction::Reassign && link.is_owner();
        let is_let_go = match link.gone() {
            // Other people's records of the class are unlinked as well, even if the class is deleted.
            WhenGone::Clear | WhenGone::StandIn => true,
            WhenGone::Goes | WhenGone::Same => {
                link.is_clearable() && *treated.action() != RecordAction::Delete
            }
            WhenGone::Keep { .. } | WhenGone::Forbids => false,
        };
        let is_let_go = is_let_go && goes(link.to());
        if is_moved || is_let_go {
            written.extend(link.fields().iter().cloned());
        }
    }
    written
}

/// The way out. Contains only what no other check refuses: records can stay if nothing that they reference is
/// deleted.
fn way_out(
    class: &RecordClass,
    treated: &ClassTreatment,
    classes: &BTreeMap<ClassName, ClassTreatment>,
    trigger: &TableTrigger,
) -> String {
    let name = trigger.name();
    let mut way_out = format!(
        "drop the trigger, or, where you know that it lets these records pass, write ignore.triggers.{} = \"reason\" \
         in the data map",
        key(name)
    );
    let goes =
        |name: &ClassName| classes.get(name).is_some_and(|other| *other.action() == RecordAction::Delete);
    let may_stay = !class.links().iter().any(|link| goes(link.to()) && !link.lets_go());
    if may_stay && !matches!(treated.action(), RecordAction::Keep { .. }) {
        way_out.push_str("; or write { keep = \"reason\" } for the class");
    }
    way_out
}
