//! The types of columns, as far as a map needs them.

use std::net::IpAddr;

use super::introspect::limit_in;
use crate::data_map::{Check, Datatype, Value};

/// The declared type of a column. A domain counts as the type below it.
pub(super) struct Declared {
    pub(super) base: String,
    pub(super) is_enum: bool,
    pub(super) is_array: bool,
    pub(super) labels: Vec<String>,
    /// The type as PostgreSQL shows it.
    pub(super) shown: String,
}

impl Declared {
    /// The datatype of the column. A placeholder with words fits only a text.
    pub(super) fn datatype(&self) -> Datatype {
        match self.base.as_str() {
            _ if self.is_enum || self.is_array => Datatype::Numeric,
            "int2" | "int4" | "int8" => Datatype::Integer,
            "float4" | "float8" => Datatype::Real,
            "text" | "varchar" | "bpchar" | "citext" | "name" | "json" | "jsonb" => Datatype::Text,
            "bytea" => Datatype::Blob,
            _ => Datatype::Numeric,
        }
    }

    /// The length limit of `varchar(n)`. The modifier is larger by four.
    pub(super) fn max_chars(&self, modifier: i64) -> Option<u32> {
        let is_text = matches!(self.base.as_str(), "varchar" | "bpchar") && !self.is_array;
        if is_text && modifier >= 4 { u32::try_from(modifier - 4).ok() } else { None }
    }

    /// The values that the type itself refuses.
    pub(super) fn check(&self) -> Option<Check> {
        let text = format!("its type {}", self.shown);
        if self.is_enum {
            let labels = self.labels.clone();
            return Some(Check::new(text, move |value| match value {
                Value::Null => true,
                Value::Text(text) => labels.contains(text),
                _ => false,
            }));
        }
        let accepts: fn(&Value) -> Option<bool> = match self.base.as_str() {
            _ if self.is_array => |value| match value {
                Value::Text(text) => {
                    let text = text.trim();
                    if text.starts_with(['{', '[']) && text != "{}" { None } else { Some(text == "{}") }
                }
                _ => Some(false),
            },
            "uuid" => |value| Some(value.as_text().is_some_and(is_uuid)),
            "json" | "jsonb" => |value| match value {
                Value::Text(text) => Some(serde_json::from_str::<serde_json::Value>(text).is_ok()),
                Value::Integer(_) | Value::Real(_) => Some(true),
                _ => Some(false),
            },
            "bool" => |value| match value {
                Value::Integer(number) => Some((0..=1).contains(number)),
                Value::Text(text) => Some(["t", "f", "true", "false"].contains(&text.as_str())),
                _ => Some(false),
            },
            "int2" => |value| Some(is_within(value, i64::from(i16::MIN)..=i64::from(i16::MAX))),
            "int4" => |value| Some(is_within(value, i64::from(i32::MIN)..=i64::from(i32::MAX))),
            "numeric" => |value| match value {
                Value::Integer(_) | Value::Real(_) => None,
                Value::Text(text) if text.trim().parse::<f64>().is_ok() => None,
                _ => Some(false),
            },
            // The database reads many spellings of a date. A text without any digit is never a plain date.
            "date" | "timestamp" | "timestamptz" | "time" | "timetz" | "interval" => |value| match value {
                Value::Text(text) if text.chars().any(|c| c.is_ascii_digit()) => None,
                Value::Text(text) => Some(["infinity", "-infinity", "epoch", "now"].contains(&text.as_str())),
                _ => Some(false),
            },
            "inet" | "cidr" => |value| match value {
                Value::Text(text) if text.parse::<IpAddr>().is_ok() => Some(true),
                Value::Text(text) if text.contains('/') => None,
                _ => Some(false),
            },
            _ => return None,
        };
        Some(Check::perhaps(
            text,
            move |value| if *value == Value::Null { Some(true) } else { accepts(value) },
        ))
    }
}

fn is_within(value: &Value, range: std::ops::RangeInclusive<i64>) -> bool {
    match value {
        Value::Integer(number) => range.contains(number),
        Value::Text(text) => text.trim().parse::<i64>().is_ok_and(|number| range.contains(&number)),
        _ => false,
    }
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// The length limit of a CHECK such as `CHECK ((char_length((name)::text) <= 40))`.
pub(super) fn checked_length(text: &str, column: &str) -> Option<u32> {
    let plain = text.replace("::text", "").replace("::character varying", "");
    let plain = plain.replace(&format!("({column})"), column).replace(&format!("(\"{column}\")"), column);
    let plain = plain.replace(&format!("length{column}"), &format!("length({column})"));
    limit_in(&plain, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(base: &str) -> Declared {
        let (labels, shown) = (vec!["active".to_owned()], base.to_owned());
        Declared { base: base.to_owned(), is_enum: base == "mood", is_array: base == "_text", labels, shown }
    }

    #[test]
    fn a_type_refuses_what_it_cannot_hold() {
        let is = |base: &str, value: Value| of(base).check().and_then(|check| check.accepts(&value));
        for (base, value, wanted) in [
            ("uuid", Value::from("Anonymised"), Some(false)),
            ("uuid", Value::from("0b8f0f5e-2f0e-4f0f-8f0f-0123456789ab"), Some(true)),
            ("mood", Value::from("active"), Some(true)),
            ("mood", Value::from("gone"), Some(false)),
            ("jsonb", Value::from("{"), Some(false)),
            ("date", Value::from("Anonymised"), Some(false)),
            ("int2", Value::Integer(40_000), Some(false)),
            ("_text", Value::from("{}"), Some(true)),
            ("_text", Value::from("-"), Some(false)),
            ("uuid", Value::Null, Some(true)),
            ("text", Value::from("anything"), None),
        ] {
            assert_eq!(is(base, value.clone()), wanted, "{base} {value:?}");
        }
    }

    #[test]
    fn a_length_is_read_from_a_check_as_postgresql_writes_it() {
        assert_eq!(checked_length("CHECK ((char_length((name)::text) <= 12))", "name"), Some(12));
        assert_eq!(checked_length("CHECK ((length(code) < 9))", "code"), Some(8));
        assert_eq!(checked_length("CHECK ((code <> ''::text))", "code"), None);
    }
}
