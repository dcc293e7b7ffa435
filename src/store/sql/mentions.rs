//! `[mentions]`: texts of others that may speak of a person.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::bind::BoundClass;
use super::map::{Source, SqlMap, TenantSource, read_columns, read_source};
use super::schema::Schema;
use crate::data_map::ClassName;
use crate::document::{Problem, Problems, Reader, join, suggest};

/// The texts of a class that are searched for people to whom the records do not belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MentionMap {
    /// The columns.
    pub(crate) fields: Vec<String>,
    /// The tenant of a row. `None`: the one tenant of the map.
    pub(crate) tenant: Option<Source>,
}

/// Reads `comment = "body"`, and `comment = { fields = ["title", "body"], tenant = "organisation_id" }`.
pub(super) fn read_mentions(reader: &mut Reader, value: &Json) -> BTreeMap<ClassName, MentionMap> {
    let mut mentions = BTreeMap::new();
    for (name, value) in reader.open_table("mentions", value).into_iter().flatten() {
        let path = join("mentions", name);
        let (fields, tenant) = if value.is_object() {
            let Some(table) = reader.table(&path, value, &["fields", "tenant"]) else { continue };
            let fields = reader
                .required(&path, table, "fields")
                .and_then(|value| read_columns(reader, &join(&path, "fields"), value));
            let tenant =
                table.get("tenant").and_then(|value| read_source(reader, &join(&path, "tenant"), value));
            (fields, tenant)
        } else {
            (read_columns(reader, &path, value), None)
        };
        if let Some(fields) = fields {
            mentions.insert(name.as_str().into(), MentionMap { fields, tenant });
        }
    }
    mentions
}

/// Checks that every named text can be searched, and that the map says to which tenant it belongs.
pub(super) fn check_mentions(map: &SqlMap, schema: &Schema, classes: &[BoundClass]) -> Result<(), Problems> {
    let mut problems = Vec::new();
    for (name, mention) in &map.mentions {
        let path = join("mentions", name.as_str());
        let Some(class) = classes.iter().find(|class| class.name == *name) else {
            let known = classes.iter().map(|class| class.name.as_str());
            problems.push(Problem::new(
                path,
                "is no record class of this map",
                suggest(name.as_str(), known),
            ));
            continue;
        };
        let table = schema.table(&class.table);
        for field in &mention.fields {
            let Some(column) = table.and_then(|table| table.column(field)) else {
                let what = format!("names {field}, which is no column of {}", class.table);
                problems.push(Problem::new(&path, what, "write a column that holds text"));
                continue;
            };
            let in_document = class.json.values().any(|json| json.column.eq_ignore_ascii_case(field));
            let is_key = class.key.iter().any(|key| key.eq_ignore_ascii_case(field));
            let is_unique = class.unique.iter().flatten().any(|unique| unique.eq_ignore_ascii_case(field));
            if in_document || is_key || is_unique || column.computed {
                let what = format!("names {field}, which is a document, a key, unique or computed");
                problems.push(Problem::new(&path, what, "write a column of plain text"));
            }
        }
        if mention.tenant.is_none() && !matches!(map.customers.tenant, TenantSource::Is(_)) {
            problems.push(Problem::new(
                &path,
                "does not say to which tenant a text belongs, so people of other tenants would be taken out of it",
                "write { fields = […], tenant = \"column\" }, or tenant = { sql = \"…\" }",
            ));
        }
    }
    Problems::none_or(problems)
}
