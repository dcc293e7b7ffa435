//! `[limits]`: records that may be kept at most so long.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::data_map::{ClassName, FieldName};
use crate::document::{Reader, join};
use crate::policy::{Limit, Period};

pub(super) fn read_limits(reader: &mut Reader, value: &Json) -> Option<Vec<Limit>> {
    let mut limits = Vec::new();
    for (name, value) in reader.open_table("limits", value)? {
        // A tenant switches off a limit that it would inherit.
        if value.as_str() == Some("off") {
            continue;
        }
        if let Some(limit) = read_limit(reader, &join("limits", name), name, value) {
            limits.push(limit);
        }
    }
    Some(limits)
}

fn read_limit(reader: &mut Reader, path: &str, name: &str, value: &Json) -> Option<Limit> {
    let table = reader.table(path, value, &["classes", "from", "at_most", "law"])?;
    let classes = reader.required(path, table, "classes");
    let classes = classes.and_then(|value| reader.texts(&join(path, "classes"), value));
    let from = reader.required_text(path, table, "from").map(FieldName::from);
    let at_most = reader.required_text(path, table, "at_most").and_then(|text| {
        let path = join(path, "at_most");
        text.parse::<Period>().map_err(|error| reader.problem(path, "is no period", error.to_string())).ok()
    });
    let law = reader.required_text(path, table, "law").map(Arc::from);
    Some(Limit {
        name: name.into(),
        classes: classes?.into_iter().map(ClassName::from).collect(),
        from: from?,
        at_most: at_most?,
        law: law?,
    })
}
