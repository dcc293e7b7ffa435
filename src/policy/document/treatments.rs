//! `[treatments]`: one line per record class, gateway and treatment.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::anonymise::{read_field_rule, read_generalisation, read_instead, read_kept, read_otherwise};
use super::{FieldRule, KeepRule};
use crate::anonymise::Generalisation;
use crate::customer::GatewayName;
use crate::data_map::{ClassName, RecipientName};
use crate::document::{Reader, join, meant_or, suggest};
use crate::treatment::{
    GatewayAction, MentionAction, RecipientAction, RecordAction, TreatmentName, WhyNotTold,
};

/// The rule for a record class in one treatment.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::policy) struct ClassRule {
    pub(in crate::policy) action: RecordAction,
    /// The rule for blanking documents. It replaces the rule of `[anonymise]` for documents.
    pub(in crate::policy) blank: Option<FieldRule>,
    pub(in crate::policy) keep: BTreeMap<String, KeepRule>,
    pub(in crate::policy) fields: BTreeMap<String, FieldRule>,
    /// The number of customers who have to share what stays.
    pub(in crate::policy) smallest_group: Option<SizeRule>,
    /// What replaces a value that cannot be read.
    pub(in crate::policy) otherwise: Option<FieldRule>,
    /// What replaces a searched text after a duty has ended, when nobody can be searched for.
    pub(in crate::policy) after_duty: Option<FieldRule>,
    /// Whether a record is deleted if it cannot be handed over.
    pub(in crate::policy) or_deletes: bool,
}

/// The number of customers who have to share what stays, and how kept fields are made more general if too few do.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::policy) struct SizeRule {
    pub(in crate::policy) least: u32,
    pub(in crate::policy) coarser: BTreeMap<String, Generalisation>,
}

impl ClassRule {
    /// Anonymises the records by the rules of `[anonymise]`.
    pub(in crate::policy) fn anonymise() -> Self {
        Self::plain(RecordAction::Anonymise)
    }

    /// An action without rules for fields.
    pub(in crate::policy) fn plain(action: RecordAction) -> Self {
        let (keep, fields) = (BTreeMap::new(), BTreeMap::new());
        let (otherwise, after_duty) = (None, None);
        let (blank, smallest_group, or_deletes) = (None, None, false);
        Self { action, blank, keep, fields, smallest_group, otherwise, after_duty, or_deletes }
    }
}

#[derive(Clone, Debug, Default)]
pub(in crate::policy) struct TreatmentRule {
    pub(in crate::policy) classes: BTreeMap<ClassName, ClassRule>,
    pub(in crate::policy) gateways: BTreeMap<GatewayName, GatewayAction>,
    pub(in crate::policy) recipients: BTreeMap<RecipientName, RecipientAction>,
    pub(in crate::policy) mentions: BTreeMap<ClassName, MentionAction>,
}

pub(super) fn read_treatments(
    reader: &mut Reader,
    value: &Json,
) -> Option<BTreeMap<TreatmentName, TreatmentRule>> {
    let table = reader.open_table("treatments", value)?;
    let mut treatments = BTreeMap::new();
    for (name, rule) in table {
        let path = join("treatments", name);
        let Some(table) = reader.open_table(&path, rule) else { continue };
        let mut treatment = TreatmentRule::default();
        for (key, rule) in table {
            let path = join(&path, key);
            if key == "gateway" {
                treatment.gateways = read_gateways(reader, &path, rule);
            } else if key == "mention" {
                treatment.mentions = read_mentions(reader, &path, rule);
            } else if key == "recipient" {
                treatment.recipients = read_recipients(reader, &path, rule);
            } else if let Some(rule) = read_class_rule(reader, &path, rule) {
                treatment.classes.insert(key.as_str().into(), rule);
            }
        }
        treatments.insert(name.as_str().into(), treatment);
    }
    Some(treatments)
}

fn read_gateways(reader: &mut Reader, path: &str, value: &Json) -> BTreeMap<GatewayName, GatewayAction> {
    let mut gateways = BTreeMap::new();
    for (name, rule) in reader.open_table(path, value).into_iter().flatten() {
        let path = join(path, name);
        let action = match rule {
            Json::String(text) if text == "erase" => Some(GatewayAction::Erase),
            Json::Object(_) => read_reason(reader, &path, rule).map(|reason| GatewayAction::Keep { reason }),
            _ => {
                let way_out = meant_or(rule, ["erase"], "write \"erase\" or { keep = \"reason\" }");
                reader.problem(&path, "is no rule for a gateway", way_out);
                None
            }
        };
        if let Some(action) = action {
            gateways.insert(name.as_str().into(), action);
        }
    }
    gateways
}

/// What to write for the texts of others.
pub(in crate::policy) const MENTION_WAY_OUT: &str =
    "write { redact = \"[removed]\" } or { keep = \"reason\" }";

fn read_mentions(reader: &mut Reader, path: &str, value: &Json) -> BTreeMap<ClassName, MentionAction> {
    let mut mentions = BTreeMap::new();
    for (name, rule) in reader.open_table(path, value).into_iter().flatten() {
        let path = join(path, name);
        let Some(table) = reader.table(&path, rule, &["redact", "keep"]) else { continue };
        let action = match (table.contains_key("redact"), table.contains_key("keep")) {
            (true, false) => reader
                .required_text(&path, table, "redact")
                .map(|with| MentionAction::Redact(with.to_owned())),
            (false, true) => {
                let reason = reader.required_text(&path, table, "keep");
                reason.map(|reason| MentionAction::Keep { reason: reason.to_owned() })
            }
            _ => {
                reader.problem(&path, "is no rule for the texts of others", MENTION_WAY_OUT);
                None
            }
        };
        if let Some(action) = action {
            mentions.insert(name.as_str().into(), action);
        }
    }
    mentions
}

/// What to write for a recipient.
pub(in crate::policy) const RECIPIENT_WAY_OUT: &str = "write \"tell\", { impossible = \"reason\" }, { disproportionate = \"reason\" } or { unconcerned = \"reason\" }";

fn read_recipients(
    reader: &mut Reader,
    path: &str,
    value: &Json,
) -> BTreeMap<RecipientName, RecipientAction> {
    let mut recipients = BTreeMap::new();
    for (name, rule) in reader.open_table(path, value).into_iter().flatten() {
        let path = join(path, name);
        let action = match rule {
            Json::String(text) if text == "tell" => Some(RecipientAction::Tell),
            Json::Object(_) => read_not_told(reader, &path, rule),
            _ => {
                let way_out = meant_or(rule, ["tell"], RECIPIENT_WAY_OUT);
                reader.problem(&path, "is no rule for a recipient", way_out);
                None
            }
        };
        if let Some(action) = action {
            recipients.insert(name.as_str().into(), action);
        }
    }
    recipients
}

fn read_not_told(reader: &mut Reader, path: &str, value: &Json) -> Option<RecipientAction> {
    let table = reader.table(path, value, &WhyNotTold::ALL.map(WhyNotTold::as_str))?;
    let mut whys = WhyNotTold::ALL.into_iter().filter(|why| table.contains_key(why.as_str()));
    let (Some(why), None) = (whys.next(), whys.next()) else {
        reader.problem(path, "does not say why in one way", RECIPIENT_WAY_OUT);
        return None;
    };
    let reason = reader.required_text(path, table, why.as_str())?.to_owned();
    Some(RecipientAction::NotTold { why, reason })
}

fn read_reason(reader: &mut Reader, path: &str, value: &Json) -> Option<String> {
    let table = reader.table(path, value, &["keep"])?;
    reader.required_text(path, table, "keep").map(str::to_owned)
}

const CLASS_KEYS: [&str; 7] =
    ["action", "else", "otherwise", "keep", "fields", "smallest_group", "after_duty"];

/// The action that blanks the documents and anonymises the rest. The records stay.
const BLANK: &str = "blank";

fn read_action(reader: &mut Reader, path: &str, text: &str) -> Option<RecordAction> {
    match text {
        "delete" => Some(RecordAction::Delete),
        "anonymise" | BLANK => Some(RecordAction::Anonymise),
        "reassign" => Some(RecordAction::Reassign),
        _ => {
            let way_out = format!(
                "{}; or write {{ keep = \"reason\" }}",
                suggest(text, ["delete", "anonymise", "reassign", BLANK])
            );
            reader.problem(path, "is no action", way_out);
            None
        }
    }
}

pub(super) fn read_class_rule(reader: &mut Reader, path: &str, value: &Json) -> Option<ClassRule> {
    let blank = || (value.as_str() == Some(BLANK)).then_some(FieldRule::Blank(None));
    let plain = |action| ClassRule { blank: blank(), ..ClassRule::plain(action) };
    match value {
        Json::String(text) => read_action(reader, path, text).map(plain),
        Json::Object(table) if table.contains_key("action") => {
            reader.table(path, value, &CLASS_KEYS);
            let action = reader
                .required_text(path, table, "action")
                .and_then(|text| read_action(reader, &join(path, "action"), text));
            let keep = read_keep(reader, &join(path, "keep"), table);
            let mut fields = BTreeMap::new();
            if let Some(value) = table.get("fields") {
                let path = join(path, "fields");
                for (name, rule) in reader.open_table(&path, value).into_iter().flatten() {
                    if let Some(rule) = read_field_rule(reader, &join(&path, name), rule) {
                        fields.insert(name.clone(), rule);
                    }
                }
            }
            let is_blanked = table.get("action").and_then(Json::as_str) == Some(BLANK);
            let (mut blank, mut otherwise) = (is_blanked.then_some(FieldRule::Blank(None)), None);
            if let Some(value) = table.get("otherwise") {
                let path = join(path, "otherwise");
                if action.is_none() {
                    // Which words can stand here depends on the action.
                } else if is_blanked {
                    blank = Some(FieldRule::Blank(read_otherwise(reader, &path, value)));
                } else if matches!(value.as_str(), Some("delete" | "empty")) {
                    let what = "says what becomes of a file that cannot be blanked, and nothing is blanked";
                    reader.problem(&path, what, "write \"remove\" or \"clear\", or action = \"blank\"");
                } else {
                    otherwise = read_instead(reader, &path, value);
                }
            }
            let after_duty = table
                .get("after_duty")
                .and_then(|value| read_instead(reader, &join(path, "after_duty"), value));
            let smallest_group = table
                .get("smallest_group")
                .and_then(|value| read_size(reader, &join(path, "smallest_group"), value));
            let or_deletes = table.get("else").is_some_and(|value| {
                let path = join(path, "else");
                let is = value.as_str() == Some("delete");
                if !is {
                    reader.problem(
                        &path,
                        "is nothing that can be done instead",
                        "write \"delete\", or leave it out",
                    );
                } else if action.as_ref().is_some_and(|action| *action != RecordAction::Reassign) {
                    let what = "says what becomes of a record that cannot be handed over, and none is";
                    reader.problem(&path, what, "leave it out, or write action = \"reassign\"");
                }
                is
            });
            Some(ClassRule {
                action: action?,
                blank,
                keep,
                fields,
                smallest_group,
                otherwise,
                after_duty,
                or_deletes,
            })
        }
        Json::Object(_) => {
            read_reason(reader, path, value).map(|reason| plain(RecordAction::Keep { reason }))
        }
        _ => {
            reader.problem(
                path,
                "is no rule for a record class",
                "write \"delete\", \"anonymise\", \"blank\", \"reassign\" or { keep = \"reason\" }",
            );
            None
        }
    }
}

/// Reads the number of customers, alone or with the steps for kept fields.
fn read_size(reader: &mut Reader, path: &str, value: &Json) -> Option<SizeRule> {
    let (mut number, mut coarser) = (value, BTreeMap::new());
    if value.is_object() {
        let table = reader.table(path, value, &["customers", "coarser"])?;
        number = table.get("customers").unwrap_or(&Json::Null);
        if let Some(steps) = table.get("coarser") {
            let path = join(path, "coarser");
            for (field, step) in reader.open_table(&path, steps).into_iter().flatten() {
                let step = read_generalisation(reader, &join(&path, field), step);
                coarser.extend(step.map(|step| (field.clone(), step)));
            }
        }
    }
    let least = number.as_u64().and_then(|least| u32::try_from(least).ok()).filter(|least| *least > 1);
    if least.is_none() {
        let way_out = "write a number of customers, from 2, or { customers = 20, coarser = { postcode = \"uk_area\" } }";
        reader.problem(path, "is no size of a group", way_out);
    }
    least.map(|least| SizeRule { least, coarser })
}

fn read_keep(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> BTreeMap<String, KeepRule> {
    let mut keep = BTreeMap::new();
    if let Some(value) = table.get("keep") {
        for (field, value) in reader.open_table(path, value).into_iter().flatten() {
            let path = join(path, field);
            let rule = if value.is_object() {
                read_kept(reader, &path, value, "reason")
            } else {
                let reason = reader.text(&path, value);
                reason.map(|reason| KeepRule { reason: reason.to_owned(), period: None })
            };
            keep.extend(rule.map(|rule| (field.clone(), rule)));
        }
    }
    keep
}
