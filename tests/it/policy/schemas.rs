//! The published JSON Schemas are current, and agree with the readers.

use std::fs;
use std::path::Path;

use relinquish::{PolicyDocument, SqlMap, policy};
use serde_json::{Value, json};

/// Whether a document is valid. The function supports only the keywords that the schemas use.
fn valid(root: &Value, schema: &Value, instance: &Value) -> bool {
    if let Some(flag) = schema.as_bool() {
        return flag;
    }
    let all = |schemas: &Value| {
        schemas.as_array().unwrap().iter().filter(|schema| valid(root, schema, instance)).count()
    };
    let size = |least: &Value, count: usize| count as u64 >= least.as_u64().unwrap();
    schema.as_object().unwrap().iter().all(|(keyword, value)| match keyword.as_str() {
        "$schema" | "$defs" | "title" | "description" | "examples" | "patternProperties" => true,
        "$ref" => {
            valid(root, root.pointer(value.as_str().unwrap().trim_start_matches('#')).unwrap(), instance)
        }
        "const" => instance == value,
        "enum" => value.as_array().unwrap().contains(instance),
        "oneOf" => all(value) == 1,
        "allOf" => all(value) == value.as_array().unwrap().len(),
        "anyOf" => all(value) > 0,
        "type" => {
            let is = |name: &Value| match name.as_str().unwrap() {
                "object" => instance.is_object(),
                "array" => instance.is_array(),
                "string" => instance.is_string(),
                "boolean" => instance.is_boolean(),
                "integer" => instance.is_i64() || instance.is_u64(),
                "number" => instance.is_number(),
                other => panic!("type {other}"),
            };
            value.as_array().map_or_else(|| is(value), |names| names.iter().any(is))
        }
        "pattern" => instance.as_str().is_none_or(|text| matches(value.as_str().unwrap(), text)),
        "minimum" => instance.as_i64().is_none_or(|number| number >= value.as_i64().unwrap()),
        "maximum" => instance.as_i64().is_none_or(|number| number <= value.as_i64().unwrap()),
        "minItems" => instance.as_array().is_none_or(|items| size(value, items.len())),
        "minProperties" => instance.as_object().is_none_or(|table| size(value, table.len())),
        "items" => instance.as_array().is_none_or(|items| items.iter().all(|item| valid(root, value, item))),
        "required" => instance.as_object().is_none_or(|table| {
            value.as_array().unwrap().iter().all(|key| table.contains_key(key.as_str().unwrap()))
        }),
        "properties" => instance.as_object().is_none_or(|table| {
            value
                .as_object()
                .unwrap()
                .iter()
                .all(|(key, schema)| table.get(key).is_none_or(|instance| valid(root, schema, instance)))
        }),
        "additionalProperties" => instance.as_object().is_none_or(|table| {
            table.iter().all(|(key, instance)| {
                let is_listed = schema.get("properties").is_some_and(|listed| listed.get(key).is_some());
                let by_pattern =
                    schema.get("patternProperties").and_then(Value::as_object).and_then(|table| {
                        table.iter().find(|(pattern, _)| matches(pattern, key)).map(|(_, schema)| schema)
                    });
                is_listed || valid(root, by_pattern.unwrap_or(value), instance)
            })
        }),
        other => panic!("keyword {other}"),
    })
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "\\S" => !text.trim().is_empty(),
        "^x_" => text.starts_with("x_"),
        "^\\d{4}-\\d{2}-\\d{2}$" => text.len() == 10 && text.parse::<chrono::NaiveDate>().is_ok(),
        day if day.starts_with("^(0[1-9]") => text.parse::<policy::FiscalYearEnd>().is_ok(),
        period if period.contains("year") => text.parse::<policy::Period>().is_ok(),
        other => panic!("pattern {other}"),
    }
}

fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/schema").join(name)).unwrap()
}

fn documents(names: &[&str]) -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    names
        .iter()
        .map(|name| {
            ((*name).to_owned(), toml::from_str(&fs::read_to_string(root.join(name)).unwrap()).unwrap())
        })
        .collect()
}

fn policies() -> Vec<(String, Value)> {
    documents(&[
        "examples/quickstart/policy.toml",
        "examples/chinook/policy.toml",
        "tests/it/policy/situations/isp.toml",
        "tests/it/policy/situations/telecom.toml",
        "tests/it/policy/situations/video.toml",
        "tests/it/policy/situations/ticketing.toml",
        "tests/it/policy/situations/commerce.toml",
    ])
}

fn maps() -> Vec<(String, Value)> {
    documents(&["examples/quickstart/map.toml", "examples/chinook/map.toml"])
}

#[test]
fn the_shipped_schemas_are_current() {
    for (name, schema) in [("policy.schema.json", policy::schema()), ("map.schema.json", SqlMap::schema())] {
        let wanted = format!("{schema:#}\n");
        let kind = name.split('.').next().unwrap();
        assert!(
            shipped(name) == wanted,
            "run: cargo run --example operator -- schema --of {kind} > examples/schema/{name}"
        );
    }
}

#[test]
fn the_documents_that_are_shipped_are_valid() {
    let schema = policy::schema();
    for (name, document) in policies() {
        assert!(valid(&schema, &schema, &document), "{name}");
    }
    let schema = SqlMap::schema();
    for (name, document) in maps() {
        assert!(valid(&schema, &schema, &document), "{name}");
    }
}

/// Every place of a document, as a JSON pointer.
fn places(value: &Value, at: &str, list: &mut Vec<String>) {
    list.push(at.to_owned());
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(table) => table.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in entries {
        places(value, &format!("{at}/{key}"), list);
    }
}

/// Reader and schema refuse the same documents. The test puts another value at every place of every document.
fn agree(documents: Vec<(String, Value)>, schema: &Value, reads: impl Fn(&str) -> Result<(), String>) {
    let wrong = [
        json!(7),
        json!(true),
        json!(""),
        json!("nonsense"),
        json!([]),
        json!({}),
        json!({ "nonsense": 1 }),
        json!(["nonsense", "more"]),
        json!({ "keep": "reason" }),
        json!({ "ignore": "reason" }),
        json!("off"),
        json!("delete"),
        json!("remove"),
        json!("block sweep"),
        json!({ "sql": "1" }),
        json!({ "is": "x" }),
        json!({ "token": "uuid" }),
        json!({ "truncate": 3 }),
        json!("4 years"),
        json!(null),
    ];
    let mut both = [0, 0];
    for (name, document) in documents {
        let mut pointers = Vec::new();
        places(&document, "", &mut pointers);
        for pointer in pointers {
            for other in &wrong {
                let mut changed = document.clone();
                *changed.pointer_mut(&pointer).unwrap() = other.clone();
                let read = reads(&changed.to_string());
                let is_valid = valid(schema, schema, &changed);
                assert_eq!(is_valid, read.is_ok(), "{name}{pointer} = {other}: {read:?}");
                both[usize::from(is_valid)] += 1;
            }
        }
    }
    assert!(both[0] > 100 && both[1] > 100, "{both:?}");
}

#[test]
fn the_schema_of_a_policy_and_its_reader_agree() {
    let reads =
        |text: &str| PolicyDocument::from_json(text).map(drop).map_err(|problems| problems.to_string());
    agree(policies(), &policy::schema(), reads);
}

#[test]
fn the_schema_of_a_map_and_its_reader_agree() {
    let reads = |text: &str| SqlMap::from_json(text).map(drop).map_err(|problems| problems.to_string());
    agree(maps(), &SqlMap::schema(), reads);
}
