//! Checks personal fields that stay, and those that stay only for a time: what is written to them then, and whether their
//! records can be found then.

use std::collections::BTreeMap;

use super::Rules;
use super::expire::is_by_value;
use super::field::{Impossible, Resolved, resolve};
use crate::anonymise::{Strategies, Strategy};
use crate::data_map::{ClassName, DataMap, Field, FieldName};
use crate::document::{Reader, join};
use crate::policy::document::{FieldRule, KeepRule};
use crate::treatment::{ClassTreatment, KeptFor, RecordAction};

/// Keeps a field, and says what is written to it when its time is over: what the rule for its kind says, or `remove` where
/// that rule keeps it or searches it.
pub(super) fn put_kept(
    reader: &mut Reader,
    path: &str,
    (rules, strategies): (&Rules, &Strategies),
    field: &Field,
    rule: &KeepRule,
    compiled: &mut ClassTreatment,
) {
    compiled.kept.insert(field.name().clone(), rule.reason.clone());
    let Some(period) = rule.period else { return };
    let of_kind = field.kind().and_then(|kind| rules.anonymise.get(kind));
    let resolved = of_kind.map(|rule| resolve(field, rule, strategies));
    let resolved = match resolved {
        Some(Ok(Resolved::Write(strategy))) if !matches!(strategy, Strategy::Redact { .. }) => {
            Ok(Resolved::Write(strategy))
        }
        _ => resolve(field, &FieldRule::Remove, strategies),
    };
    match resolved {
        Ok(Resolved::Write(then)) => {
            compiled.kept_for.insert(field.name().clone(), KeptFor { period, then });
        }
        Ok(Resolved::Keep(_) | Resolved::Unknown) => {}
        Err(Impossible { what, .. }) => {
            let name = field.name();
            reader.problem(
                join(path, "for"),
                format!("ends, and then {name} has to be removed, and it {what}"),
                "leave it out: the field stays as long as its record; or do not keep the field",
            );
        }
    }
}

/// Checks that the records of fields that stay for a time can be found when that time is over.
pub(super) fn check_found_later(
    reader: &mut Reader,
    path: &str,
    classes: &BTreeMap<ClassName, ClassTreatment>,
    map: &DataMap,
) {
    let deletes_root =
        classes.get(map.root()).is_some_and(|root| matches!(root.action, RecordAction::Delete));
    for (name, treated) in classes {
        let is_found_by_value = || is_by_value(map, name, &mut std::collections::BTreeSet::new());
        let why = match treated.action {
            RecordAction::Keep { .. } => continue,
            RecordAction::Delete => "its records are deleted",
            RecordAction::Reassign => "its records belong to the \"Unknown Customer\" by then",
            RecordAction::Anonymise if deletes_root => "the customer's own record is deleted",
            RecordAction::Anonymise if is_found_by_value() => {
                "its records are found by a value that is erased before"
            }
            RecordAction::Anonymise => continue,
        };
        refuse(reader, &join(path, name.as_str()), treated, &format!("{why}, so nobody would find it then"));
    }
}

/// Checks that no field of an expiring record stays for a time: nothing comes back to a record that has expired.
pub(super) fn check_expiring(reader: &mut Reader, path: &str, classes: &BTreeMap<ClassName, ClassTreatment>) {
    for (name, treated) in classes {
        let path = join(path, name.as_str());
        refuse(reader, &path, treated, "nothing comes back to a record that has expired");
    }
}

fn refuse(reader: &mut Reader, path: &str, treated: &ClassTreatment, why: &str) {
    for field in treated.kept_for.keys() {
        reader.problem(
            join(path, FieldName::as_str(field)),
            format!("stays only for a time, and {why}"),
            "say no time for it here, or do not keep it",
        );
    }
}
