//! The shared parts of the JSON Schemas for policies and maps.

use serde_json::{Map, Value as Json, json};

/// The dialect.
pub(crate) const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A table with these keys and no others.
pub(crate) fn object(properties: &[(&str, Json)], required: &[&str]) -> Json {
    let properties: Map<String, Json> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}
