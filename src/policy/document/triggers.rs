//! `[triggers]`: what makes a customer due, and after which period.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::document::{Reader, join};
use crate::policy::{ErasureGround, Period, Trigger, TriggerRule};
use crate::treatment::TreatmentName;

pub(super) fn read_triggers(reader: &mut Reader, value: &Json) -> Option<BTreeMap<Trigger, TriggerRule>> {
    let table = reader.table("triggers", value, &Trigger::NAMES)?;
    let mut triggers = BTreeMap::new();
    for (name, rule) in table {
        let Some(trigger) = Trigger::named(name) else { continue };
        // A tenant switches off a trigger that it would inherit.
        if rule.as_str() == Some("off") {
            continue;
        }
        let path = join("triggers", name);
        if let Some(rule) = read_trigger(reader, &path, trigger, rule) {
            triggers.insert(trigger, rule);
        }
    }
    Some(triggers)
}

/// The keys that a trigger accepts.
pub(in crate::policy) fn keys(trigger: Trigger) -> &'static [&'static str] {
    match trigger {
        Trigger::Requested => &["treatment", "ground"],
        Trigger::Cancelled | Trigger::Deleted | Trigger::Inactive | Trigger::Listed => {
            &["since", "after", "treatment", "ground"]
        }
        Trigger::ServiceEnded => &["since", "after", "hand_over", "treatment", "ground"],
    }
}

fn read_trigger(reader: &mut Reader, path: &str, trigger: Trigger, rule: &Json) -> Option<TriggerRule> {
    let table = reader.table(path, rule, keys(trigger))?;
    let treatment = reader.required_text(path, table, "treatment").map(TreatmentName::from);
    let waits = match trigger {
        Trigger::Requested => false,
        // A list is processed at once, unless the policy names a waiting period.
        Trigger::Listed => table.contains_key("since") || table.contains_key("after"),
        _ => true,
    };
    let since = match (table.get("since"), trigger.own_date()) {
        (Some(value), _) => reader.texts(&join(path, "since"), value),
        (None, Some(own)) => Some(vec![own]),
        (None, None) if !waits => Some(Vec::new()),
        (None, None) => {
            reader.problem(
                join(path, "since"),
                "is missing",
                "write the dates from which it counts, such as [\"last_transaction\", \"created\"]",
            );
            None
        }
    };
    let after = if waits { read_period(reader, path, table).map(Some) } else { Some(None) };
    let hand_over = match table.get("hand_over") {
        Some(value) => reader.text(&join(path, "hand_over"), value).map(|date| Some(date.to_owned())),
        None => Some(None),
    };
    let ground = match table.get("ground") {
        Some(value) => read_ground(reader, &join(path, "ground"), value).map(Some),
        None => Some((trigger != Trigger::Requested).then_some(ErasureGround::NoLongerNecessary)),
    };
    Some(TriggerRule {
        ground: ground?,
        since: since?.into_iter().map(str::to_owned).collect(),
        after: after?,
        hand_over: hand_over?,
        treatment: treatment?,
    })
}

fn read_ground(reader: &mut Reader, path: &str, value: &Json) -> Option<ErasureGround> {
    let text = reader.text(path, value)?;
    let found = ErasureGround::ALL.into_iter().find(|ground| ground.as_str() == text);
    if found.is_none() {
        let known = ErasureGround::ALL.map(ErasureGround::as_str);
        reader.problem(path, "is no ground of Art. 17(1)", format!("write one of {}", known.join(", ")));
    }
    found
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
