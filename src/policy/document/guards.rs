//! `[guards]`: the states that forbid erasure.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::data_map::ClassName;
use crate::document::{Reader, join, meant_or, nearest};
use crate::policy::{Ground, Guard, GuardRule};

const RULES: &str = "write \"block\", \"block sweep\", { ignore = \"reason\" }, { data = [\"class\"] } or { block = \"reason\", ground = \"17(3)(e)\" }";

pub(super) fn read_guards(reader: &mut Reader, value: &Json) -> Option<BTreeMap<Guard, GuardRule>> {
    let table = reader.open_table("guards", value)?;
    let mut guards = BTreeMap::new();
    for (name, rule) in table {
        let path = join("guards", name);
        let guard = Guard::named(name);
        if let Guard::Own(_) = guard {
            let known = Guard::ALL.map(|guard| guard.to_string());
            if let Some(near) = nearest(name, known.iter().map(String::as_str)) {
                reader.problem(&path, "is no guard", format!("did you mean {near}?"));
                continue;
            }
        }
        if let Some(rule) = read_rule(reader, &path, &guard, rule) {
            guards.insert(guard, rule);
        }
    }
    Some(guards)
}

fn read_rule(reader: &mut Reader, path: &str, guard: &Guard, rule: &Json) -> Option<GuardRule> {
    match rule {
        Json::String(text) if text == "block" => {
            if let Guard::Own(_) = guard {
                reader.problem(
                    path,
                    "stops a request, and names no ground for it",
                    "write { block = \"reason\", ground = \"17(3)(e)\" }, or \"block sweep\"",
                );
                return None;
            }
            Some(GuardRule::Block)
        }
        Json::String(text) if text == "block sweep" => Some(GuardRule::BlockSweep),
        Json::Object(table) if table.contains_key("block") => {
            reader.table(path, rule, &["block", "ground", "way_out", "data"]);
            let reason = reader.required_text(path, table, "block").map(str::to_owned);
            let ground = reader.required_text(path, table, "ground").and_then(|text| {
                text.parse::<Ground>()
                    .map_err(|error| reader.problem(join(path, "ground"), "is no ground", error.to_string()))
                    .ok()
            });
            let way_out = match table.get("way_out") {
                Some(value) => Some(reader.text(&join(path, "way_out"), value)?.to_owned()),
                None => None,
            };
            let data = match table.get("data") {
                Some(value) => reader.texts(&join(path, "data"), value)?,
                None => Vec::new(),
            };
            let data = data.into_iter().map(ClassName::from).collect();
            Some(GuardRule::BlockBecause { reason: reason?, ground: ground?, way_out, data })
        }
        Json::Object(table) if table.contains_key("data") => {
            // Blocks in the words of this crate, for these record classes.
            reader.table(path, rule, &["data"]);
            let data = reader.texts(&join(path, "data"), table.get("data")?)?;
            let Some(ground) = guard.ground() else {
                reader.problem(path, "names data, and no ground in law for it", RULES);
                return None;
            };
            let data = data.into_iter().map(ClassName::from).collect();
            Some(GuardRule::BlockBecause { reason: guard.why().into_owned(), ground, way_out: None, data })
        }
        Json::Object(_) => {
            let table = reader.table(path, rule, &["ignore"])?;
            let reason = reader.required_text(path, table, "ignore")?.to_owned();
            Some(GuardRule::Ignore { reason })
        }
        _ => {
            let way_out = meant_or(rule, ["block", "block sweep"], RULES);
            reader.problem(path, "is no rule for a guard", way_out);
            None
        }
    }
}
