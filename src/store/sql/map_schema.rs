//! The JSON Schema of a map, with which editors complete a map while it is written.

use serde_json::{Value as Json, json};

use crate::data_map::{Encoding, Kind};
use crate::json_schema::{DRAFT, object};

impl super::SqlMap {
    /// The JSON Schema of a map document.
    ///
    /// The schema knows only the grammar. Whether a map fits a database, opening a store tells.
    pub fn schema() -> Json {
        let text = json!({ "$ref": "#/$defs/text" });
        let source = json!({ "$ref": "#/$defs/source" });
        let by_name = |schema: &Json| json!({ "type": "object", "additionalProperties": schema });
        let tenant = json!({ "oneOf": [source, object(&[("is", text.clone())], &["is"])] });
        let none = object(&[("none", text.clone())], &["none"]);
        let writes = json!({ "type": "object", "minProperties": 1, "additionalProperties": { "$ref": "#/$defs/scalar" } });
        let written = json!({ "allOf": [writes, { "type": "object", "properties": { "none": false } }] });
        let unknown = object(
            &[("find", writes.clone()), ("create", by_name(&json!({ "$ref": "#/$defs/scalar" })))],
            &["find"],
        );
        let fields = by_name(&json!({ "$ref": "#/$defs/field" }));
        let customers = object(
            &[
                ("class", text.clone()),
                ("table", text.clone()),
                ("key", json!({ "$ref": "#/$defs/texts" })),
                ("when", json!({ "$ref": "#/$defs/when" })),
                ("ends", json!({ "$ref": "#/$defs/ends" })),
                ("rest", json!({ "$ref": "#/$defs/kind" })),
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
                ("deactivate", json!({ "anyOf": [none, written] })),
                ("unknown_customer", unknown),
                ("fields", fields.clone()),
            ],
            &["table", "key", "tenant", "deactivate"],
        );
        let link = json!({ "$ref": "#/$defs/link" });
        // Inside a way, the columns of a composite key are a nested list.
        let in_a_way = json!({ "anyOf": [link, { "$ref": "#/$defs/texts" }] });
        let way = json!({ "type": "array", "minItems": 1, "items": in_a_way });
        let first = object(&[("first", way.clone())], &["first"]);
        let owner = json!({ "anyOf": [link, way, first] });
        let when = json!({ "$ref": "#/$defs/when" });
        let ends = json!({ "$ref": "#/$defs/ends" });
        let kind = json!({ "$ref": "#/$defs/kind" });
        let shared = json!({ "anyOf": [link, way] });
        let nobody =
            json!({ "anyOf": [text, object(&[("none", text.clone()), ("gone", text.clone())], &[])] });
        let shape = [
            ("key", json!({ "$ref": "#/$defs/texts" })),
            ("when", when),
            ("owner", owner),
            ("shared", shared),
            ("ends", ends),
            ("nobody", nobody),
            ("rest", kind),
            ("fields", fields),
        ];
        let has_owner = json!({ "anyOf": [{ "required": ["owner"] }, { "required": ["shared"] }, { "required": ["ends"] }, { "required": ["nobody"] }] });
        let with_owner = |schema: Json| {
            let mut schema = schema;
            if let (Some(schema), Some(owner)) = (schema.as_object_mut(), has_owner.as_object()) {
                schema.extend(owner.clone());
            }
            schema
        };
        let record = with_owner(object(&[&shape[..], &[("table", text.clone())]].concat(), &[]));
        // A class of `alike` may have more fields and ends.
        let of_shape: Vec<_> =
            shape.iter().filter(|(key, _)| matches!(*key, "fields" | "ends")).cloned().collect();
        let record = json!({ "anyOf": [record, object(&of_shape, &["fields"])] });
        let alike = with_owner(object(
            &[&shape[..], &[("tables", json!({ "$ref": "#/$defs/texts" }))]].concat(),
            &["tables"],
        ));
        let ignored = json!({ "anyOf": [text, object(&[("rest", text.clone())], &["rest"])] });
        json!({
            "$schema": DRAFT,
            "title": "A map of relinquish: what a database holds",
            "type": "object",
            "additionalProperties": false,
            "required": ["version"],
            "oneOf": [{ "required": ["customers"] }, { "required": ["beside"] }],
            "properties": {
                "version": { "const": 1 },
                "ends": { "const": "schema" },
                "customers": customers,
                "beside": beside(&text),
                "links": by_name(&json!({ "$ref": "#/$defs/named" })),
                "records": by_name(&record),
                "alike": { "type": "array", "items": alike },
                "mentions": by_name(&mention(&source)),
                "recipients": by_name(&json!({ "$ref": "#/$defs/texts" })),
                "ignore": {
                    "type": "object",
                    "properties": { "triggers": { "anyOf": [ignored, by_name(&text)] } },
                    "additionalProperties": ignored,
                },
            },
            "$defs": definitions(&text),
        })
    }
}

/// Says that the root store is elsewhere.
fn beside(text: &Json) -> Json {
    object(&[("customers", text.clone()), ("key", json!({ "$ref": "#/$defs/texts" }))], &[])
}

/// Texts of others: columns, or columns with the source of the tenant.
fn mention(source: &Json) -> Json {
    let texts = json!({ "$ref": "#/$defs/texts" });
    let table = object(&[("fields", texts.clone()), ("tenant", source.clone())], &["fields"]);
    json!({ "anyOf": [texts, table] })
}

fn definitions(text: &Json) -> Json {
    let kinds: Vec<&str> = Kind::KNOWN.iter().copied().chain(["not personal"]).collect();
    let kind = json!({ "anyOf": [{ "enum": kinds }, { "type": "string", "pattern": "^x_" }] });
    let chars = json!({ "type": "integer", "minimum": 1 });
    let (form, date, zone) = super::dates::schemas(text);
    let date_form = json!({ "$ref": "#/$defs/date_form" });
    let encoding = json!({ "enum": Encoding::ALL.map(Encoding::as_str) });
    let keys = [
        ("kind", kind.clone()),
        ("max_chars", chars),
        ("of", text.clone()),
        ("date", date_form),
        ("encoding", encoding),
    ];
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
    let scalars = json!({ "$ref": "#/$defs/values" });
    let further = [
        ("when", json!({ "$ref": "#/$defs/when" })),
        ("compare", json!({ "enum": ["exact", "nocase", "normalised", "text"] })),
        ("none", scalars),
    ];
    let to = [("to", text.clone())];
    let to_table = [("table", text.clone()), ("key", texts.clone())];
    let column = [("column", texts.clone())];
    let link = |also: &[(&str, Json)], required: &[&str]| {
        let leads = |target: &[(&str, Json)], names: &[&str]| {
            object(&[&further[..], also, target].concat(), &[required, names].concat())
        };
        json!({ "anyOf": [leads(&to, &[]), leads(&to_table, &["table", "key"])] })
    };
    let written_out = link(&column, &["column"]);
    let gone = json!({ "anyOf": [
        { "enum": ["goes", "same", "clear", "stand-in"] },
        object(&[("keep", text.clone())], &["keep"]),
        object(&[("clear", json!({ "$ref": "#/$defs/scalar" }))], &["clear"]),
    ] });
    let with_gone = [&column[..], &[("gone", json!({ "$ref": "#/$defs/gone" }))]].concat();
    let end = json!({ "anyOf": [{ "$ref": "#/$defs/gone" }, link(&with_gone, &["gone"])] });
    let is = json!({ "anyOf": [
        { "$ref": "#/$defs/some_values" },
        object(&[("null", json!({ "type": "boolean" }))], &["null"]),
        object(&[("not", values.clone())], &["not"]),
    ] });
    let when = json!({ "anyOf": [{ "const": "rest" }, { "type": "object", "additionalProperties": is }] });
    let ends = json!({ "anyOf": [{ "const": "schema" }, { "type": "object", "additionalProperties": end }] });
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
        "link": { "anyOf": [texts, written_out] },
        "named": link(&column, &[]),
        "gone": gone,
        "when": when,
        "ends": ends,
        "kind": kind,
        "field": { "anyOf": [kind, detailed, document] },
    })
}
