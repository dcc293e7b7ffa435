//! Checks the rule of the suppression list: kinds that the map holds and that say alone who is meant, and treatments that
//! exist.

use std::collections::BTreeSet;

use crate::data_map::{DataMap, Field, Kind};
use crate::document::{Reader, join, suggest};
use crate::policy::document::Rules;
use crate::treatment::TreatmentName;

pub(super) fn check_suppress(reader: &mut Reader, rules: &Rules, map: &DataMap) {
    let Some(suppress) = &rules.suppress else { return };
    let fields = map.classes().flat_map(|class| class.fields().iter().filter_map(Field::kind));
    let held: BTreeSet<&Kind> = fields.filter(|kind| kind.is_of_one_person()).collect();
    let known = || held.iter().map(|kind| kind.as_str());
    for kind in &suppress.kinds {
        let path = join("suppress", "kinds");
        if !kind.is_of_one_person() {
            let what = format!("{kind} says nothing alone: strangers have the same one");
            let way_out = known().next().map_or_else(
                || "leave suppress out: the data map has no identifier that would do".to_owned(),
                |first| format!("write an identifier of one person, such as {first}"),
            );
            reader.problem(path, what, way_out);
        } else if !held.contains(kind) {
            let what = format!("no field of the data map holds {kind}, so nothing would be suppressed");
            reader.problem(path, what, suggest(kind.as_str(), known().collect::<Vec<_>>()));
        }
    }
    for name in suppress.treatments.iter().filter(|name| !rules.treatments.contains_key(*name)) {
        reader.problem(
            join("suppress", "treatments"),
            format!("{name} is no treatment"),
            suggest(name.as_str(), rules.treatments.keys().map(TreatmentName::as_str)),
        );
    }
}
