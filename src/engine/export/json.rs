//! Writes an export as one JSON document, page by page while the store is read.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{ExportError, ExportPage, ExportRecord, Exporting};
use crate::data_map::Value;

/// The version of the format.
const FORMAT: u32 = 1;

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Writes an export as one JSON document in UTF-8.
///
/// | key | value |
/// |---|---|
/// | `format` | `1` |
/// | `made_at` | the instant at which the export began, ISO 8601 in UTC |
/// | `of` | what was exported: `{"customer": "4711"}`, `{"class": "invoice"}` or `{"tenant": "acme"}` |
/// | `classes` | one object for each record class, the customers' own first |
/// | `report` | `records`: how many records each class has; `left_out`: class, field, reason and number of what is left out; `not_covered`: what the export does not reach |
///
/// A class:
///
/// | key | value |
/// |---|---|
/// | `class` | the name of the class |
/// | `fields` | its fields in order: `{"field": "email", "kind": "email"}`. Without `kind`, a field is not personal |
/// | `records` | one object for each record |
///
/// A record:
///
/// | key | value |
/// |---|---|
/// | `customer` | the customer whose record it is; only in the export of a tenant |
/// | `values` | the value of each field that is not left out, by name |
/// | `left_out` | the reason for each field that is left out, by name: `secret`, `of_somebody_else`, `shared`. Missing if nothing is left out |
///
/// A value is `null`, a number, a text, or bytes as `{"base64": "…"}`. A number that JSON cannot express is a text:
/// `"inf"`, `"NaN"`. A JSON document of the store is written as a text, exactly as it is stored.
///
/// Returns the export, with its [report](Exporting::report).
///
/// # Errors
/// [`ExportError`]: a store out of reach, or a failed write. Then the document is incomplete and no valid JSON, so no
/// program can mistake it for a whole export.
pub async fn write_json(mut export: Exporting, mut into: impl Write) -> Result<Exporting, ExportError> {
    write!(into, "{{\"format\":{FORMAT},\"made_at\":")?;
    put(&mut into, &export.at)?;
    into.write_all(b",\"of\":")?;
    put(&mut into, &export.export.scope)?;
    into.write_all(b",\"classes\":[")?;
    let (mut is_open, mut records) = (false, 0_u64);
    while let Some(page) = export.next().await? {
        if page.is_first {
            into.write_all(if is_open { b"]}," } else { b"" })?;
            (is_open, records) = (true, 0);
            into.write_all(b"\n{\"class\":")?;
            put(&mut into, &page.class)?;
            into.write_all(b",\"fields\":")?;
            put(&mut into, &fields(&export, &page))?;
            into.write_all(b",\"records\":[")?;
        }
        for record in &page.records {
            into.write_all(if records > 0 { b",\n" } else { b"\n" })?;
            records += 1;
            put(&mut into, &Written { page: &page, record })?;
        }
    }
    into.write_all(if is_open { b"]}],\n\"report\":" } else { b"],\n\"report\":" })?;
    put(&mut into, export.report())?;
    into.write_all(b"}\n")?;
    into.flush()?;
    Ok(export)
}

fn put(into: &mut impl Write, value: &impl Serialize) -> Result<(), ExportError> {
    serde_json::to_writer(into, value).map_err(|error| ExportError::Write(error.into()))
}

#[derive(Serialize)]
struct Described<'p> {
    field: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'p str>,
}

fn fields<'p>(export: &'p Exporting, page: &'p ExportPage) -> Vec<Described<'p>> {
    let of = |field: &'p crate::data_map::FieldName| Described {
        field: field.as_str(),
        kind: export.kind(&page.class, field).map(crate::data_map::Kind::as_str),
    };
    page.fields.iter().map(of).collect()
}

/// A record as it is written.
struct Written<'p> {
    page: &'p ExportPage,
    record: &'p ExportRecord,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(customer) = &self.record.customer {
            map.serialize_entry("customer", customer)?;
        }
        map.serialize_entry("values", &Values(self))?;
        if !self.record.left_out.is_empty() {
            map.serialize_entry("left_out", &Reasons(self))?;
        }
        map.end()
    }
}

struct Values<'w>(&'w Written<'w>);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Written { page, record } = self.0;
        let mut map = serializer.serialize_map(None)?;
        let mut left_out = record.left_out.iter().peekable();
        for (place, (field, value)) in page.fields.iter().zip(&record.values).enumerate() {
            if left_out.next_if(|(left, _)| *left == place).is_some() {
                continue;
            }
            map.serialize_key(field.as_str())?;
            match value {
                Value::Null => map.serialize_value(&())?,
                Value::Integer(number) => map.serialize_value(number)?,
                Value::Real(number) if number.is_finite() => map.serialize_value(number)?,
                Value::Real(number) => map.serialize_value(&number.to_string())?,
                Value::Text(text) => map.serialize_value(text)?,
                Value::Blob(bytes) => map.serialize_value(&Bytes { base64: base64(bytes) })?,
            }
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Bytes {
    base64: String,
}

struct Reasons<'w>(&'w Written<'w>);

impl Serialize for Reasons<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Written { page, record } = self.0;
        let name = |place: &usize| page.fields.get(*place).map(crate::data_map::FieldName::as_str);
        serializer.collect_map(record.left_out.iter().filter_map(|(place, why)| Some((name(place)?, why))))
    }
}
