//! `[triggers]`: what makes a customer due, and after how long.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::document::{Reader, join};
use crate::policy::{Period, TreatmentName, Trigger, TriggerRule};

pub(super) fn read_triggers(reader: &mut Reader, value: &Json) -> Option<BTreeMap<Trigger, TriggerRule>> {
    let table = reader.table("triggers", value, &Trigger::NAMES)?;
    let mut triggers = BTreeMap::new();
    for (name, rule) in table {
        let Some(trigger) = Trigger::named(name) else { continue };
        let path = join("triggers", name);
        let keys: &[&str] = match trigger {
            Trigger::Requested => &["treatment"],
            Trigger::Cancelled | Trigger::Deleted => &["since", "after", "treatment"],
        };
        let Some(table) = reader.table(&path, rule, keys) else { continue };
        let treatment = reader.required_text(&path, table, "treatment").map(TreatmentName::from);
        let since = match table.get("since") {
            Some(value) => reader.texts(&join(&path, "since"), value),
            None if trigger == Trigger::Requested => Some(Vec::new()),
            None => Some(vec![trigger.as_str()]),
        };
        let after = match trigger {
            Trigger::Requested => Some(None),
            Trigger::Cancelled | Trigger::Deleted => read_period(reader, &path, table).map(Some),
        };
        if let (Some(treatment), Some(since), Some(after)) = (treatment, since, after) {
            let since = since.into_iter().map(str::to_owned).collect();
            triggers.insert(trigger, TriggerRule { since, after, treatment });
        }
    }
    Some(triggers)
}

fn read_period(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> Option<Period> {
    let path = join(path, "after");
    let Some(value) = table.get("after") else {
        reader.problem(path, "is missing", "write a period, such as \"90 days\"");
        return None;
    };
    match reader.text(&path, value)?.parse::<Period>() {
        Ok(period) => Some(period),
        Err(error) => {
            reader.problem(path, "is no period", error.to_string());
            None
        }
    }
}
