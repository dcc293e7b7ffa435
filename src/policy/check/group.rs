//! Checks a smallest group against the data map: which customers are counted, and by which fields.

use std::collections::BTreeMap;

use super::field::{Cannot, cleared, coarser, general_rules, generalise};
use crate::anonymise::{Generalisation, Reveals, Strategy};
use crate::data_map::{DataMap, FieldName, RecordClass};
use crate::document::{Reader, join, suggest};
use crate::policy::document::{ClassRule, SizeRule};
use crate::treatment::{ClassTreatment, RecordAction, SmallestGroup};

/// Puts every field that is kept or made general into the group. If too few customers share these fields, they are
/// cleared.
pub(super) fn put_in_group(
    reader: &mut Reader,
    path: &str,
    rule: &ClassRule,
    compiled: &mut ClassTreatment,
    class: &RecordClass,
    map: &DataMap,
) {
    let Some(SizeRule { least, coarser: wanted }) = &rule.smallest_group else { return };
    let at = join(path, "smallest_group");
    if rule.action != RecordAction::Anonymise {
        let what = format!("says how many share what stays, but the action is {}", rule.action.as_str());
        reader.problem(at, what, "leave it out, or write action = \"anonymise\"");
        return;
    }
    if class.name() != map.root() {
        let what = "counts customers, and these are not their own records";
        reader.problem(at, what, format!("write it for {}; keep nothing of {}", map.root(), class.name()));
        return;
    }
    if !map.counts_groups() {
        reader.problem(
            at,
            "cannot be held: this store does not count customers who share what stays of one",
            "give ByRecord::counting somebody who does and write counts_groups() in the data map, or clear the fields",
        );
        return;
    }
    let mut fields = BTreeMap::<FieldName, Strategy>::new();
    let mut steps = BTreeMap::<FieldName, Generalisation>::new();
    for name in wanted.keys().filter(|name| !compiled.kept.contains_key(name.as_str())) {
        let kept = compiled.kept.keys().map(FieldName::as_str);
        let way_out = format!("name a field that is kept; {}", suggest(name, kept));
        let at = join(&join(&at, "coarser"), name);
        reader.problem(at, "is not kept, so no step can be named for it", way_out);
    }
    for field in class.fields() {
        let name = field.name().as_str();
        let otherwise = match compiled.fields.get(field.name()) {
            Some(Strategy::Generalise { to, otherwise }) => {
                steps.extend(coarser(field, *to).map(|step| (field.name().clone(), step)));
                Ok(Strategy::clone(otherwise))
            }
            Some(strategy) if strategy.reveals() == Reveals::General => {
                let way_out = "make it general by a strategy of this crate, or clear it";
                reader.problem(join(path, name), "is made general in a way that cannot be counted", way_out);
                continue;
            }
            Some(_) => continue,
            None if !compiled.kept.contains_key(field.name()) => continue,
            // It is cleared and made general for the owner of the record, who is somebody else.
            None if field.whose().is_some() => {
                let what = "belongs to the person at the other end of a link, who may stay, and is counted in no group of this record";
                let way_out = "leave smallest_group out, or do not keep it";
                reader.problem(join(&join(path, "keep"), name), what, way_out);
                continue;
            }
            None => {
                if let Some(kind) = field.kind().filter(|kind| !kind.is_general()) {
                    let what = format!("stays, and a person is found by their {kind}: no group hides them");
                    let way_out = "leave smallest_group out, or do not keep it";
                    reader.problem(join(&join(path, "keep"), name), what, way_out);
                    continue;
                }
                match wanted.get(name).map(|to| generalise(field, *to)) {
                    Some(Ok(Strategy::Generalise { to, otherwise })) => {
                        steps.insert(field.name().clone(), to);
                        Ok(*otherwise)
                    }
                    Some(Ok(_)) | None => cleared(field),
                    Some(Err(Cannot(what))) => {
                        let way_out = match general_rules(field) {
                            rules if rules.is_empty() => "leave it out".to_owned(),
                            rules => format!("write {}, or leave it out", rules.join(" or ")),
                        };
                        reader.problem(join(&join(&at, "coarser"), name), what, way_out);
                        continue;
                    }
                }
            }
        };
        match otherwise {
            Ok(otherwise) => {
                fields.insert(field.name().clone(), otherwise);
            }
            Err(Cannot(what)) => {
                let what = format!("has to go where too few customers share it, and {what}");
                reader.problem(join(&join(path, "keep"), name), what, "do not keep it");
            }
        }
    }
    if fields.is_empty() {
        let way_out = "leave it out, or keep a field or make one general";
        reader.problem(at, "asks how many share what stays, and nothing stays", way_out);
        return;
    }
    compiled.smallest_group = Some(SmallestGroup { least: *least, fields, coarser: steps });
}
