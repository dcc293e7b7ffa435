//! The JSON Schema of a policy. Editors use it to suggest and check the lines of a policy.

use serde_json::{Map, Value as Json, json};

use super::document::trigger_keys;
use super::{ErasureGround, Ground, Guard, Language, PrivacyLaw, StartRule, Statute, Trigger};
use crate::anonymise::Generalisation;
use crate::anonymise::text::Detector;
use crate::data_map::{Kind, TimeZone};
use crate::json_schema::{DRAFT, object};
use crate::treatment::{OnLeftover, Ownerless, WhyNotTold};

const TEXT: &str = "#/$defs/text";

/// The JSON Schema of a policy document, made from the same lists as its reader.
///
/// The schema knows only the grammar. [`PolicyDocument::check`](super::PolicyDocument::check) checks whether a policy
/// fits a data map.
pub fn schema() -> Json {
    let mut properties = tenant_properties();
    properties.insert("version".to_owned(), json!({ "const": 1 }));
    properties
        .insert("name".to_owned(), described("Whose policy it is; for people", &json!({ "$ref": TEXT })));
    let languages = Language::ALL.map(Language::as_str);
    let own = described("The language of names and reasons in policy and map", &json!({ "enum": languages }));
    properties.insert("language".to_owned(), own);
    let each = json!({ "$ref": "#/$defs/words" });
    let words: Map<String, Json> =
        languages.iter().map(|language| ((*language).to_owned(), each.clone())).collect();
    properties.insert(
        "words".to_owned(),
        described(
            "Per language, what classes, dates and fields are called, and the reasons of policy and map",
            &json!({ "type": "object", "additionalProperties": false, "properties": words }),
        ),
    );
    properties.insert(
        "owners".to_owned(),
        described(
            "Who is responsible for the erasure of a class; default stands for all others",
            &json!({ "$ref": "#/$defs/words_of" }),
        ),
    );
    properties.insert(
        "requests_kept".to_owned(),
        described(
            "How long a request is kept in the register after it has ended, without the person: 3 years",
            &json!({ "$ref": "#/$defs/period" }),
        ),
    );
    properties.insert(
        "tenants".to_owned(),
        described(
            "Per tenant, lines of its own: each entry replaces the one of the same name whole",
            &json!({
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": tenant_properties(),
                },
            }),
        ),
    );
    json!({
        "$schema": DRAFT,
        "title": "A policy of relinquish",
        "type": "object",
        "additionalProperties": false,
        "required": ["version", "sweep", "triggers", "treatments"],
        "properties": properties,
        "$defs": {
            "text": { "type": "string", "pattern": "\\S" },
            "texts": {
                "oneOf": [{ "$ref": TEXT }, { "type": "array", "minItems": 1, "items": { "$ref": TEXT } }],
            },
            "period": {
                "type": "string",
                "description": "A calendar period: \"90 days\", \"18 months\", \"4 years\", or ISO 8601",
                "pattern": "^\\s*([0-9]+\\s+(day|week|month|year)s?\\s*)+$|^P([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?$",
            },
            "time_zone": { "enum": TimeZone::names().collect::<Vec<_>>() },
            "triggers": triggers(),
            "guards": guards(),
            "anonymise": anonymise(),
            "treatments": treatments(),
            "duties": { "type": "object", "additionalProperties": { "oneOf": duty_rules() } },
            "expire": { "type": "object", "additionalProperties": { "oneOf": expire_rules() } },
            "privacy_law": { "enum": PrivacyLaw::ALL.map(PrivacyLaw::as_str) },
            "limits": { "type": "object", "additionalProperties": limit_rule() },
            "suppress": suppress_rule(),
            "blast_radius": blast_radius(),
            "words": object(
                &[("names", json!({ "$ref": "#/$defs/words_of" })), ("texts", json!({ "$ref": "#/$defs/words_of" }))],
                &[],
            ),
            "words_of": { "type": "object", "additionalProperties": { "$ref": TEXT } },
            "fiscal_year_ends": { "type": "string", "pattern": "^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$" },
            "guard_rule": guard_rule(true),
            "own_guard_rule": guard_rule(false),
            "field_rule": field_rule(),
            "class_rule": class_rule(),
            "keep": object(&[("keep", json!({ "$ref": TEXT }))], &["keep"]),
        },
    })
}

/// The keys that the policy and a tenant's entry may have.
fn tenant_properties() -> Map<String, Json> {
    let lines = [
        ("time_zone", "The zone in which days are counted, by its name in the IANA database"),
        ("triggers", "What makes a customer due, after how long, and which treatment"),
        ("guards", "What forbids erasure. A name that is not listed is a state of the host's own"),
        ("anonymise", "Per kind of personal data, what happens to it"),
        ("treatments", "Per treatment and record class, what happens to the records"),
        ("duties", "Record classes that must be kept, by which law"),
        ("expire", "Record classes whose records go by their own age, whoever they belong to"),
        ("fiscal_year_ends", "The last day of every fiscal year, as month and day"),
        ("privacy_law", "The data protection law of the controller, for letters"),
        ("limits", "Record classes that may be kept at most so long"),
        (
            "suppress",
            "Identifiers of erased customers that stay as keyed tokens, so that no importer brings anybody back",
        ),
        ("blast_radius", "How many customers one run may hit before it stops and asks"),
    ];
    let sweep = "The switch: false means that nothing is ever erased without a request";
    let mut properties = Map::new();
    properties.insert("sweep".to_owned(), described(sweep, &json!({ "type": "boolean" })));
    let four_eyes = "Whether a plan must be approved by another operator than the one who made it";
    properties.insert("four_eyes".to_owned(), described(four_eyes, &json!({ "type": "boolean" })));
    let leftovers = "What happens when a record that stays still holds a value that was erased";
    let words = json!({ "enum": OnLeftover::ALL.map(OnLeftover::as_str) });
    properties.insert("leftovers".to_owned(), described(leftovers, &words));
    for (name, says) in lines {
        properties.insert(name.to_owned(), described(says, &json!({ "$ref": format!("#/$defs/{name}") })));
    }
    properties
}

fn triggers() -> Json {
    let triggers: Map<String, Json> = Trigger::ALL
        .into_iter()
        .map(|trigger| (trigger.as_str().to_owned(), trigger_rule(trigger)))
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": triggers })
}

fn guards() -> Json {
    let guards: Map<String, Json> =
        Guard::ALL.iter().map(|guard| (guard.to_string(), json!({ "$ref": "#/$defs/guard_rule" }))).collect();
    let own = json!({ "$ref": "#/$defs/own_guard_rule" });
    json!({ "type": "object", "properties": guards, "additionalProperties": own })
}

fn anonymise() -> Json {
    let rule = json!({ "$ref": "#/$defs/field_rule" });
    let kinds: Map<String, Json> =
        Kind::KNOWN.iter().map(|kind| ((*kind).to_owned(), rule.clone())).collect();
    json!({
        "type": "object",
        "properties": kinds,
        "patternProperties": { "^x_": rule },
        "additionalProperties": false,
    })
}

/// The two kinds of duties: by a statute that the crate knows, or by a law that the policy names.
fn duty_rules() -> Vec<Json> {
    let codes: Vec<&str> = Statute::all().iter().map(|statute| statute.code).collect();
    let texts = json!({ "$ref": "#/$defs/texts" });
    let text = json!({ "$ref": TEXT });
    let own_year = "The field that holds the last day of the record's fiscal year";
    let field = described(own_year, &object(&[("field", text.clone())], &["field"]));
    let needs = json!({ "anyOf": [text, { "type": "array", "items": text }] });
    let needs = described("Links over which a record keeps others as they are", &needs);
    let common = [("classes", texts), ("from", text.clone()), ("fiscal_year_ends", field), ("needs", needs)];
    let statute = [&common[..], &[("statute", json!({ "enum": codes }))]].concat();
    let grounds = Ground::ALL.into_iter().filter(|ground| ground.as_str().starts_with("17(3)"));
    let grounds: Vec<String> =
        grounds.flat_map(|ground| [ground.as_str().to_owned(), ground.to_string()]).collect();
    let own = [
        ("period", json!({ "$ref": "#/$defs/period" })),
        ("start", json!({ "enum": StartRule::ALL.map(StartRule::as_str) })),
        ("law", text),
        ("ground", json!({ "enum": grounds })),
    ];
    let own = [&common[..], &own[..]].concat();
    let of_statute = object(&statute, &["classes", "statute"]);
    let of_policy = object(&own, &["classes", "period", "start", "law", "ground"]);
    // Exactly one of the two: the record's date, or its fiscal year.
    let dated = json!([{ "required": ["from"] }, { "required": ["fiscal_year_ends"] }]);
    [of_statute, of_policy]
        .into_iter()
        .map(|mut rule| {
            if let Some(rule) = rule.as_object_mut() {
                rule.insert("oneOf".to_owned(), dated.clone());
            }
            rule
        })
        .collect()
}

fn blast_radius() -> Json {
    let customers = json!({ "type": "integer", "minimum": 1 });
    let share = json!({ "type": "string", "pattern": "^\\s*[0-9]+(\\.[0-9]{1,2})?\\s*%\\s*$" });
    let mut limits = object(&[("customers", customers), ("share", share)], &[]);
    if let Some(limits) = limits.as_object_mut() {
        limits.insert("minProperties".to_owned(), 1.into());
    }
    json!({ "oneOf": [{ "const": "off" }, limits] })
}

fn limit_rule() -> Json {
    let text = json!({ "$ref": TEXT });
    let rules = [
        ("classes", json!({ "$ref": "#/$defs/texts" })),
        ("from", text.clone()),
        ("at_most", json!({ "$ref": "#/$defs/period" })),
        ("law", text),
    ];
    let off = json!({ "const": "off" });
    json!({ "oneOf": [off, object(&rules, &["classes", "from", "at_most", "law"])] })
}

fn suppress_rule() -> Json {
    let texts = json!({ "$ref": "#/$defs/texts" });
    let rules =
        [("kinds", texts.clone()), ("treatments", texts), ("for", json!({ "$ref": "#/$defs/period" }))];
    json!({ "oneOf": [json!({ "const": "off" }), object(&rules, &["kinds", "treatments", "for"])] })
}

/// The kinds of expiry: by age, when the last duty ends, or because the owner is gone. The last one can be combined
/// with the others.
fn expire_rules() -> Vec<Json> {
    let reasons = json!({ "type": "object", "additionalProperties": { "$ref": TEXT } });
    let fields = json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/field_rule" } });
    let ownerless = "gone: it names a customer who is not there. gone or none: or it names nobody. Beside from and after it has to be old enough";
    let ownerless = described(ownerless, &json!({ "enum": Ownerless::ALL.map(Ownerless::as_str) }));
    let common = [("keep", reasons), ("fields", fields), ("ownerless", ownerless)];
    let plain =
        vec![("action", json!({ "enum": ["delete", "anonymise"] })), ("otherwise", instead(UNREADABLE))];
    let blank = vec![("action", json!({ "const": "blank" })), ("otherwise", otherwise())];
    let from = described("The field that holds the record's date", &json!({ "$ref": TEXT }));
    let age = [("from", from), ("after", json!({ "$ref": "#/$defs/period" }))];
    let duty = [("after", json!({ "const": "duty" }))];
    let mut rules = vec![json!({ "const": "off" })];
    for action in [plain, blank] {
        rules.extend([
            object(&[&action[..], &common, &age].concat(), &["action", "from", "after"]),
            object(&[&action[..], &common, &duty].concat(), &["action", "after"]),
            object(&[&action[..], &common].concat(), &["action", "ownerless"]),
        ]);
    }
    rules
}

fn treatments() -> Json {
    let gateways = json!({
        "type": "object",
        "additionalProperties": { "oneOf": [{ "const": "erase" }, { "$ref": "#/$defs/keep" }] },
    });
    let redact = object(&[("redact", json!({ "$ref": TEXT }))], &["redact"]);
    let mentions = json!({
        "type": "object",
        "additionalProperties": { "oneOf": [redact, { "$ref": "#/$defs/keep" }] },
    });
    let not_told =
        WhyNotTold::ALL.map(|why| object(&[(why.as_str(), json!({ "$ref": TEXT }))], &[why.as_str()]));
    let told = [json!({ "const": "tell" })].into_iter().chain(not_told).collect::<Vec<_>>();
    let recipients = json!({ "type": "object", "additionalProperties": { "oneOf": told } });
    json!({
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": { "gateway": gateways, "recipient": recipients, "mention": mentions },
            "additionalProperties": { "$ref": "#/$defs/class_rule" },
        },
    })
}

fn described(says: &str, schema: &Json) -> Json {
    let mut schema = schema.clone();
    if let Some(table) = schema.as_object_mut() {
        table.insert("description".to_owned(), says.into());
    }
    schema
}

fn trigger_rule(trigger: Trigger) -> Json {
    let of_key = |key: &str| match key {
        "since" => {
            json!({ "$ref": "#/$defs/texts", "description": "The first of these dates that there is" })
        }
        "after" => json!({ "$ref": "#/$defs/period" }),
        "ground" => json!({ "enum": ErasureGround::ALL.map(ErasureGround::as_str) }),
        "hand_over" => json!({ "$ref": TEXT, "description": "The date on which a person confirmed it" }),
        _ => json!({ "$ref": TEXT, "description": "Which treatment" }),
    };
    let keys: Vec<(&str, Json)> = trigger_keys(trigger).iter().map(|key| (*key, of_key(key))).collect();
    let mut required = vec!["treatment"];
    if !matches!(trigger, Trigger::Requested | Trigger::Listed) {
        required.push("after");
        if trigger.own_date().is_none() {
            required.push("since");
        }
    }
    json!({ "oneOf": [{ "const": "off" }, object(&keys, &required)] })
}

fn guard_rule(plain: bool) -> Json {
    let grounds: Vec<String> =
        Ground::ALL.into_iter().flat_map(|ground| [ground.as_str().to_owned(), ground.to_string()]).collect();
    let text = json!({ "$ref": TEXT });
    let because = object(
        &[
            ("block", text.clone()),
            ("ground", json!({ "enum": grounds })),
            ("way_out", text.clone()),
            ("data", json!({ "$ref": "#/$defs/texts" })),
        ],
        &["block", "ground"],
    );
    let words: &[&str] = if plain { &["block", "block sweep"] } else { &["block sweep"] };
    let ignored = object(&[("ignore", text)], &["ignore"]);
    let mut rules = vec![json!({ "enum": words }), ignored, because];
    if plain {
        rules.push(object(&[("data", json!({ "$ref": "#/$defs/texts" }))], &["data"]));
    }
    json!({ "oneOf": rules })
}

fn field_rule() -> Json {
    let text = json!({ "$ref": TEXT });
    let one = |key: &str, schema: Json| object(&[(key, schema)], &[key]);
    let names = json!({ "enum": Detector::ALL.map(Detector::as_str) });
    let also = json!({ "oneOf": [names, { "type": "array", "minItems": 1, "items": names }] });
    let digits = one("digits", json!({ "type": "integer", "minimum": 10, "maximum": 38 }));
    json!({
        "oneOf": [
            { "enum": ["remove", "clear", "token", "invalidate", "blank", "redact"] },
            one("constant", json!({ "type": ["string", "number", "boolean"] })),
            one("placeholder", text.clone()),
            one("token", json!({ "oneOf": [{ "enum": ["email", "username", "plain", "uuid"] }, digits] })),
            one("generalise", generalisation()),
            one("truncate", json!({ "type": "integer", "minimum": 1, "maximum": 65_535 })),
            object(
                &[
                    ("redact", text.clone()),
                    ("also", also),
                    ("names", described("A name alone is certain in the customer's own records", &json!({ "const": "certain" }))),
                    ("otherwise", instead(UNREADABLE)),
                ],
                &["redact"],
            ),
            one("blank", one("otherwise", otherwise())),
            one("own", text.clone()),
            object(&[("keep", text), ("for", described(FOR, &json!({ "$ref": "#/$defs/period" })))], &["keep"]),
        ],
    })
}

fn otherwise() -> Json {
    described("What becomes of a file that cannot be blanked", &json!({ "enum": ["delete", "empty"] }))
}

const FOR: &str =
    "How long the field stays after the erasure. Without it, the field stays as long as its record";
const UNREADABLE: &str = "What becomes of a value that cannot be read: bytes, another encoding, no JSON";
const AFTER_DUTY: &str =
    "What becomes of a searched text that a duty deferred, once nobody can be looked for any more";

/// The rules that replace a whole value.
fn instead(says: &str) -> Json {
    let one = |key: &str, schema: Json| object(&[(key, schema)], &[key]);
    let rules = [
        json!({ "enum": ["remove", "clear"] }),
        one("constant", json!({ "type": ["string", "number", "boolean"] })),
        one("placeholder", json!({ "$ref": TEXT })),
    ];
    described(says, &json!({ "oneOf": rules }))
}

fn generalisation() -> Json {
    let prefix =
        object(&[("prefix", json!({ "type": "integer", "minimum": 1, "maximum": 255 }))], &["prefix"]);
    json!({ "oneOf": [{ "enum": Generalisation::NAMED.map(|(name, _)| name) }, prefix] })
}

/// The fields that a class keeps, each with its reason.
fn reasons() -> Json {
    let period = described(FOR, &json!({ "$ref": "#/$defs/period" }));
    let with_period = object(&[("reason", json!({ "$ref": TEXT })), ("for", period)], &["reason"]);
    json!({ "type": "object", "additionalProperties": { "oneOf": [{ "$ref": TEXT }, with_period] } })
}

fn class_rule() -> Json {
    let actions = json!({ "enum": ["delete", "anonymise", "blank", "reassign"] });
    let reasons = reasons();
    let fields = json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/field_rule" } });
    let customers = json!({ "type": "integer", "minimum": 2, "maximum": u32::MAX });
    let steps = json!({ "type": "object", "additionalProperties": generalisation() });
    let least = described(
        "How many customers have to share what stays; where fewer do, it is made more general or removed",
        &json!({ "oneOf": [customers, object(&[("customers", customers.clone()), ("coarser", steps)], &["customers"])] }),
    );
    let after_duty = ("after_duty", instead(AFTER_DUTY));
    let rest = [("keep", reasons), ("fields", fields), ("smallest_group", least), after_duty];
    let with = |first: &[(&str, Json)]| object(&[first, &rest[..]].concat(), &["action"]);
    let blank = with(&[("action", json!({ "const": "blank" })), ("otherwise", otherwise())]);
    let unreadable = || ("otherwise", instead(UNREADABLE));
    let other = with(&[("action", json!({ "enum": ["delete", "anonymise"] })), unreadable()]);
    let or_deletes = ("else", json!({ "const": "delete" }));
    let handed = with(&[("action", json!({ "const": "reassign" })), or_deletes, unreadable()]);
    json!({ "oneOf": [actions, { "$ref": "#/$defs/keep" }, other, handed, blank] })
}
