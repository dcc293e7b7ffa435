//! Checks the rules for values that cannot be read, and for searched texts that a duty defers.

use std::collections::{BTreeMap, BTreeSet};

use super::field::{Impossible, Resolved, instead, resolve, treated_whole};
use crate::anonymise::{Strategies, Strategy};
use crate::data_map::{ClassName, DataMap, Field, FieldName, RecordClass};
use crate::document::{Reader, join, key};
use crate::policy::document::{ClassRule, FieldRule, Rules, TreatmentRule};
use crate::treatment::{ClassTreatment, RecordAction, marks};

fn is_searched(strategy: &Strategy) -> bool {
    matches!(strategy, Strategy::Redact { .. })
}

/// The fields that are values inside the document of another field.
fn within<'c>(class: &'c RecordClass, column: &FieldName) -> impl Iterator<Item = &'c Field> {
    let start = format!("{column}/");
    class.fields().iter().filter(move |field| field.name().as_str().starts_with(&start))
}

fn is_within(class: &RecordClass, field: &Field) -> bool {
    let name = field.name().as_str();
    class
        .fields()
        .iter()
        .any(|column| name.strip_prefix(column.name().as_str()).is_some_and(|rest| rest.starts_with('/')))
}

/// Sets what replaces values that cannot be read, by field.
pub(super) fn put_unreadable(
    reader: &mut Reader,
    path: &str,
    (rules, strategies): (&Rules, &Strategies),
    rule: &ClassRule,
    class: &RecordClass,
    compiled: &mut ClassTreatment,
) {
    let of_field = |field: &Field| match rule
        .fields
        .get(field.name().as_str())
        .or_else(|| field.kind().and_then(|kind| rules.anonymise.get(kind)))
    {
        Some(FieldRule::Redact { otherwise: Some(otherwise), .. }) => Some(&**otherwise),
        _ => None,
    };
    let mut is_any_read = false;
    for field in class.fields().iter().filter(|field| !is_within(class, field)) {
        let own = compiled.fields.get(field.name());
        let inner: Vec<&Field> =
            within(class, field.name()).filter(|inner| compiled.fields.contains_key(inner.name())).collect();
        // If the whole document is replaced, nothing inside it is read.
        let is_read = own.is_some_and(is_searched) || (own.is_none() && !inner.is_empty());
        if !is_read {
            continue;
        }
        is_any_read = true;
        let said = own.and_then(|_| of_field(field)).or_else(|| inner.iter().copied().find_map(of_field));
        let Some(said) = said.or(rule.otherwise.as_ref()) else { continue };
        match resolve(field, said, strategies) {
            Ok(Resolved::Write(strategy)) => drop(compiled.unreadable.insert(field.name().clone(), strategy)),
            Ok(Resolved::Keep(_) | Resolved::Unknown) => {}
            Err(Impossible { what, .. }) => reader.problem(
                join(path, "otherwise"),
                format!("{} {what}", field.name()),
                format!(
                    "for values that cannot be read: {}",
                    instead(field, !inner.is_empty() || field.is_json())
                ),
            ),
        }
    }
    if rule.otherwise.is_some() && !is_any_read {
        reader.problem(
            join(path, "otherwise"),
            "says what becomes of a value that cannot be read, and this class has no text that is searched and no JSON",
            "leave it out",
        );
    }
}

/// Sets what replaces searched texts that a duty defers. When the duty ends, the customer's own values are gone, and
/// nobody can be searched for. Another field of the record has to show whether the record was treated before.
pub(super) fn put_after_duty(
    reader: &mut Reader,
    path: &str,
    strategies: &Strategies,
    treatment: &TreatmentRule,
    classes: &mut BTreeMap<ClassName, ClassTreatment>,
    map: &DataMap,
) {
    let is_customer_erased = classes.get(map.root()).is_some_and(|root| {
        *root.action() == RecordAction::Delete || root.fields.values().any(|strategy| !is_searched(strategy))
    });
    for (name, treated) in classes {
        let (Some(class), Some(rule)) = (map.class(name.as_str()), treatment.classes.get(name)) else {
            continue;
        };
        let path = join(path, name.as_str());
        let searched: BTreeSet<FieldName> = treated
            .fields
            .iter()
            .filter(|(_, strategy)| is_searched(strategy))
            .map(|(field, _)| field.clone())
            .collect();
        if treated.under_duty.is_empty() || searched.is_empty() || !is_customer_erased {
            if rule.after_duty.is_some() {
                reader.problem(
                    join(&path, "after_duty"),
                    "says what becomes of searched texts that a duty deferred, and no duty defers any here",
                    "leave it out",
                );
            }
            continue;
        }
        if !treated.fields.values().any(marks) {
            let names: Vec<&str> = searched.iter().map(FieldName::as_str).collect();
            let whole: Option<Vec<String>> = searched
                .iter()
                .map(|name| {
                    Some(format!("{} = {}", key(name.as_str()), treated_whole(class.find(name.as_str())?)?))
                })
                .collect();
            let whole = whole.map_or_else(String::new, |rules| {
                format!(
                    "write fields = {{ {} }} beside its action, so that no text is searched, or ",
                    rules.join(", ")
                )
            });
            reader.problem(
                &path,
                format!(
                    "has {} searched for the customer, which a duty may defer until the customer's own values are gone, \
                     and no other field shows which records were treated before",
                    names.join(", ")
                ),
                format!("{whole}write a placeholder or a token to another field of the class"),
            );
            continue;
        }
        let remove = FieldRule::Remove;
        let said = rule.after_duty.as_ref().unwrap_or(&remove);
        for field in &searched {
            let Some(described) = class.find(field.as_str()) else { continue };
            match resolve(described, said, strategies) {
                // The replacement of a document must be a document.
                Ok(Resolved::Write(Strategy::Placeholder(_) | Strategy::Token(_)))
                    if described.is_json() || within(class, field).next().is_some() =>
                {
                    reader.problem(
                        join(&path, "after_duty"),
                        format!("{field} holds JSON, and cannot take a placeholder"),
                        "write { constant = \"{}\" }, or \"clear\" where NULL is allowed",
                    );
                }
                Ok(Resolved::Write(strategy)) => drop(treated.after_duty.insert(field.clone(), strategy)),
                Ok(Resolved::Keep(_) | Resolved::Unknown) => {}
                Err(Impossible { what, way_out }) => reader.problem(
                    join(&path, "after_duty"),
                    format!("{field} {what}, once a duty has ended and nobody can be looked for"),
                    way_out,
                ),
            }
        }
    }
}
