//! The signs by which a customer's own record shows that the customer has left.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ClassTreatment, Treatment};
use crate::anonymise::Strategy;
use crate::data_map::{DataMap, Field, FieldName, RecordClass};

/// The outputs of treatments in a customer's own record, without duplicates.
pub(crate) type Signs = Vec<BTreeMap<FieldName, Strategy>>;

/// The signs that treatments leave. Only a treatment that leaves nothing personal in the customer's own record gives
/// a sign. After a weaker treatment, the person may still be a customer.
pub(crate) fn signs_of<'t>(treatments: impl IntoIterator<Item = &'t Treatment>, map: &DataMap) -> Signs {
    let mut signs = Signs::new();
    let Some(root) = map.class(map.root().as_str()) else { return signs };
    for treatment in treatments {
        let Some(treated) = treatment.class(map.root().as_str()) else { continue };
        let written = own_signs(treated, root);
        let is_whole = |strategy: &Strategy| !matches!(strategy, Strategy::Redact { .. });
        let leaves_nothing = root
            .fields()
            .iter()
            .filter(|field| field.kind().is_some() && is_own(root, field))
            .all(|field| written.get(field.name()).is_some_and(is_whole));
        if leaves_nothing && written.values().any(Strategy::is_sign) && !signs.contains(&written) {
            signs.push(written);
        }
    }
    signs
}

/// The strategies for those fields of the customer's own record that belong to the customer. A field that belongs to
/// somebody else is written when that person leaves, so it is no sign of this customer.
pub(crate) fn own_signs(treated: &ClassTreatment, root: &RecordClass) -> BTreeMap<FieldName, Strategy> {
    let written = treated.sign_fields().iter();
    let own = written.filter(|(name, _)| root.find(name.as_str()).is_none_or(|field| is_own(root, field)));
    own.map(|(name, strategy)| (name.clone(), strategy.clone())).collect()
}

/// Whether a field belongs to the owner of its record. This includes a value by which a link finds a person.
fn is_own(root: &RecordClass, field: &Field) -> bool {
    let is_value = |name: &str| root.links().iter().any(|link| link.name() == name && link.is_by_value());
    field.whose().is_none_or(is_value)
}

/// The treatment with the signs of other treatments.
pub(crate) fn knowing(treatment: &Arc<Treatment>, signs: &Signs) -> Arc<Treatment> {
    let own = treatment.class(treatment.root.as_str()).map(ClassTreatment::sign_fields);
    let others: Arc<[_]> = signs.iter().filter(|other| Some(*other) != own).cloned().collect();
    if others == treatment.other_signs {
        return Arc::clone(treatment);
    }
    Arc::new(Treatment { other_signs: others, ..Treatment::clone(treatment) })
}
