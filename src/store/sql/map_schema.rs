//! The JSON Schema of a map, so that editors complete one while it is written.

use serde_json::{Value as Json, json};

use crate::data_map::Kind;
use crate::policy::{DRAFT, object};

impl super::SqlMap {
    /// The JSON Schema of a map document.
    ///
    /// It knows the grammar. Whether a map fits a database, only opening a store can tell.
    pub fn schema() -> Json {
        let text = json!({ "$ref": "#/$defs/text" });
        let source = json!({ "$ref": "#/$defs/source" });
        let by_name = |schema: &Json| json!({ "type": "object", "additionalProperties": schema });
        let tenant = json!({ "oneOf": [source, object(&[("is", text.clone())], &["is"])] });
        let none = object(&[("none", text.clone())], &["none"]);
        let writes = json!({ "type": "object", "minProperties": 1, "additionalProperties": { "$ref": "#/$defs/scalar" } });
        let written = json!({ "allOf": [writes, { "type": "object", "properties": { "none": false } }] });
        let deactivate = json!({ "anyOf": [none, written] });
        let unknown = object(
            &[("find", writes.clone()), ("create", by_name(&json!({ "$ref": "#/$defs/scalar" })))],
            &["find"],
        );
        let fields = by_name(&json!({ "$ref": "#/$defs/field" }));
        let customers = object(
            &[
                ("class", text.clone()),
                ("table", text.clone()),
                ("key", text.clone()),
                ("tenant", tenant),
                ("tenants", source.clone()),
                ("registered", json!({ "$ref": "#/$defs/date" })),
                ("status", json!({ "$ref": "#/$defs/status" })),
                ("dates", by_name(&json!({ "$ref": "#/$defs/date" }))),
                ("active_subscriptions", source.clone()),
                ("unpaid_invoices", source.clone()),
                ("open_disputes", source.clone()),
                ("holds", source.clone()),
                ("states", by_name(&source)),
                ("gateways", by_name(&source)),
                ("deactivate", deactivate),
                ("unknown_customer", unknown),
                ("fields", fields.clone()),
            ],
            &["table", "key", "tenant", "deactivate"],
        );
        let link = json!({ "$ref": "#/$defs/link" });
        // Within a way, the columns of a composite key are a list of their own.
        let in_a_way = json!({ "anyOf": [link, { "$ref": "#/$defs/texts" }] });
        let record = object(
            &[
                ("table", text.clone()),
                ("key", json!({ "$ref": "#/$defs/texts" })),
                ("owner", json!({ "anyOf": [link, { "type": "array", "minItems": 1, "items": in_a_way }] })),
                ("fields", fields),
            ],
            &["table", "key", "owner"],
        );
        json!({
            "$schema": DRAFT,
            "title": "A map of relinquish: what a database holds",
            "type": "object",
            "additionalProperties": false,
            "required": ["version", "customers"],
            "properties": {
                "version": { "const": 1 },
                "customers": customers,
                "records": by_name(&record),
                "ignore": by_name(&text),
            },
            "$defs": definitions(&text),
        })
    }
}

fn definitions(text: &Json) -> Json {
    let kinds: Vec<&str> = Kind::KNOWN.iter().copied().chain(["not personal"]).collect();
    let kind = json!({ "anyOf": [{ "enum": kinds }, { "type": "string", "pattern": "^x_" }] });
    let chars = json!({ "type": "integer", "minimum": 1 });
    let (form, date, zone) = super::dates::schemas(text);
    let keys =
        [("kind", kind.clone()), ("max_chars", chars), ("date", json!({ "$ref": "#/$defs/date_form" }))];
    let detailed = json!({ "anyOf": [object(&keys, &["kind"]), object(&keys, &["date"])] });
    let values = json!({ "$ref": "#/$defs/values" });
    let status = |source: &str| {
        let keys = [
            (source, text.clone()),
            ("active", json!({ "$ref": "#/$defs/some_values" })),
            ("cancelled", values.clone()),
            ("archived", values.clone()),
            ("deleted", values.clone()),
        ];
        object(&keys, &[source, "active"])
    };
    let texts = json!({ "$ref": "#/$defs/texts" });
    let way = [
        ("column", texts.clone()),
        ("when", json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/scalar" } })),
        ("shared", json!({ "type": "boolean" })),
    ];
    let short = object(&way, &["column"]);
    let full = [&way[..], &[("table", text.clone()), ("key", texts.clone())]].concat();
    let full = object(&full, &["column", "table", "key"]);
    let pointers = json!({ "type": "object", "minProperties": 1, "additionalProperties": kind });
    let document = object(&[("json", pointers), ("rest", kind.clone())], &["json", "rest"]);
    json!({
        "text": { "type": "string", "pattern": "\\S" },
        "texts": { "oneOf": [text, { "type": "array", "minItems": 1, "items": text }] },
        "scalar": { "type": ["string", "number", "boolean"] },
        "values": {
            "oneOf": [
                { "type": ["string", "number", "boolean"] },
                { "type": "array", "items": { "type": ["string", "number", "boolean"] } },
            ],
        },
        "some_values": {
            "oneOf": [
                { "type": ["string", "number", "boolean"] },
                { "type": "array", "minItems": 1, "items": { "type": ["string", "number", "boolean"] } },
            ],
        },
        "source": {
            "description": "A column of the customers' table, or scalar SQL that may name it",
            "oneOf": [text, object(&[("sql", text.clone())], &["sql"])],
        },
        "date_form": form,
        "date": date,
        "zone": zone,
        "status": { "oneOf": [status("column"), status("sql")] },
        "link": { "oneOf": [texts, short, full] },
        "field": { "anyOf": [kind, detailed, document] },
    })
}
