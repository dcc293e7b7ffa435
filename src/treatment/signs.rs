//! The signs by which a customer's own record shows that the customer has left.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ClassTreatment, Treatment};
use crate::anonymise::Strategy;
use crate::data_map::{DataMap, FieldName};

/// What treatments write to a customer's own record, each once.
pub(crate) type Signs = Vec<BTreeMap<FieldName, Strategy>>;

/// The signs that treatments leave. Only a treatment that leaves nothing personal in the customer's own record gives a
/// sign: after a weaker treatment the person may be a customer still.
pub(crate) fn signs_of<'t>(treatments: impl IntoIterator<Item = &'t Treatment>, map: &DataMap) -> Signs {
    let mut signs = Signs::new();
    let Some(root) = map.class(map.root().as_str()) else { return signs };
    for treatment in treatments {
        let Some(treated) = treatment.class(map.root().as_str()) else { continue };
        let written = treated.sign_fields();
        let is_whole = |strategy: &Strategy| !matches!(strategy, Strategy::Redact { .. });
        let leaves_nothing = root
            .fields()
            .iter()
            .filter(|field| field.kind().is_some())
            .all(|field| written.get(field.name()).is_some_and(is_whole));
        if leaves_nothing && written.values().any(Strategy::is_sign) && !signs.contains(written) {
            signs.push(written.clone());
        }
    }
    signs
}

/// The treatment, told of the signs of other treatments.
pub(crate) fn knowing(treatment: &Arc<Treatment>, signs: &Signs) -> Arc<Treatment> {
    let own = treatment.class(treatment.root.as_str()).map(ClassTreatment::sign_fields);
    let others: Arc<[_]> = signs.iter().filter(|other| Some(*other) != own).cloned().collect();
    if others == treatment.other_signs {
        return Arc::clone(treatment);
    }
    Arc::new(Treatment { other_signs: others, ..Treatment::clone(treatment) })
}
