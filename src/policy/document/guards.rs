//! `[guards]`: what forbids erasure.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::document::{Reader, join};
use crate::policy::{Guard, GuardRule};

pub(super) fn read_guards(reader: &mut Reader, value: &Json) -> Option<BTreeMap<Guard, GuardRule>> {
    let table = reader.table("guards", value, &Guard::NAMES)?;
    let mut guards = BTreeMap::new();
    for (name, rule) in table {
        let Some(guard) = Guard::named(name) else { continue };
        let path = join("guards", name);
        let rule = match rule {
            Json::String(text) if text == "block" => GuardRule::Block,
            Json::String(text) if text == "block sweep" => GuardRule::BlockSweep,
            Json::Object(_) => {
                let reason = reader
                    .table(&path, rule, &["ignore"])
                    .and_then(|table| reader.required_text(&path, table, "ignore"));
                match reason {
                    Some(reason) => GuardRule::Ignore { reason: reason.to_owned() },
                    None => continue,
                }
            }
            _ => {
                reader.problem(
                    path,
                    "is no rule for a guard",
                    "write \"block\", \"block sweep\" or { ignore = \"reason\" }",
                );
                continue;
            }
        };
        guards.insert(guard, rule);
    }
    Some(guards)
}
