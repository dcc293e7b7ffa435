//! `suppress`: identifiers of erased customers that stay as keyed tokens.

use serde_json::Value as Json;

use crate::data_map::Kind;
use crate::document::{Reader, join, suggest};
use crate::policy::{Period, Suppression};
use crate::treatment::TreatmentName;

const PATH: &str = "suppress";

/// Reads the rule. The inner `None`: a tenant switches off the rule that it would inherit.
pub(super) fn read_suppress(reader: &mut Reader, value: &Json) -> Option<Option<Suppression>> {
    if value.as_str() == Some("off") {
        return Some(None);
    }
    let table = reader.table(PATH, value, &["kinds", "treatments", "for"])?;
    let kinds = reader.required(PATH, table, "kinds");
    let kinds = kinds.and_then(|value| reader.texts(&join(PATH, "kinds"), value));
    let treatments = reader.required(PATH, table, "treatments");
    let treatments = treatments.and_then(|value| reader.texts(&join(PATH, "treatments"), value));
    let period = reader.required_text(PATH, table, "for").and_then(|text| {
        let path = join(PATH, "for");
        text.parse::<Period>().map_err(|error| reader.problem(path, "is no period", error.to_string())).ok()
    });
    let kinds = kinds.map(|kinds| {
        let parsed = kinds.into_iter().filter_map(|name| match name.parse::<Kind>() {
            Ok(kind) => Some(kind),
            Err(error) => {
                let way_out = suggest(name, Kind::KNOWN.iter().copied());
                reader.problem(join(PATH, "kinds"), format!("{name}: {error}"), way_out);
                None
            }
        });
        parsed.collect()
    });
    Some(Some(Suppression {
        kinds: kinds?,
        treatments: treatments?.into_iter().map(TreatmentName::from).collect(),
        period: period?,
    }))
}
