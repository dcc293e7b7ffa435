//! Converts values to and from PostgreSQL.
//!
//! Parameters are sent as text without a type, so that the server takes the type from the context. Rows arrive as one
//! record in binary form, which names the type of each field.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type};

use crate::data_map::Value;
use crate::hex;

type Failure = Box<dyn std::error::Error + Sync + Send>;

/// A parameter, as text. Its `Debug` shows no value.
pub(super) struct Parameter(Option<String>);

impl Parameter {
    pub(super) fn of(value: &Value) -> Self {
        Self(text_of(value))
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parameter")
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match &self.0 {
            None => Ok(IsNull::Yes),
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    fn to_sql_checked(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        self.to_sql(of, out)
    }
}

/// A value in PostgreSQL's text form.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(format!("{number:?}")),
        Value::Text(text) => Some(text.clone()),
        Value::Blob(bytes) => Some(format!("\\x{}", hex::encode(bytes))),
    }
}

/// The bytes of a record.
pub(super) struct Record(pub(super) Vec<u8>);

impl<'r> FromSql<'r> for Record {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Failure> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Why a record cannot be read.
pub(super) enum Unread {
    /// The type with this number is not known yet.
    Type(u32),
    /// Values of the type cannot be read.
    Unknown(String),
    Damaged,
}

/// A type that is not built into PostgreSQL, or that is read by its name.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Text,
    Domain(u32),
    Other(String),
}

/// What is known about such types, by their numbers.
pub(super) type Kinds = HashMap<u32, Kind>;

/// Reads bytes from their beginning.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], Unread> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Unread::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unread> {
        self.take(N)?.try_into().map_err(|_| Unread::Damaged)
    }

    fn i32(&mut self) -> Result<i32, Unread> {
        self.array().map(i32::from_be_bytes)
    }

    fn i16(&mut self) -> Result<i16, Unread> {
        self.array().map(i16::from_be_bytes)
    }

    /// The bytes of a value with their length before them. `None`: NULL.
    fn value(&mut self) -> Result<Option<&'b [u8]>, Unread> {
        let length = self.i32()?;
        usize::try_from(length).ok().map(|length| self.take(length)).transpose()
    }
}

/// The fields of a record.
pub(super) fn record(record: &Record, kinds: &Kinds) -> Result<Vec<Value>, Unread> {
    let mut bytes = Bytes(&record.0);
    let count = bytes.i32()?;
    let mut values = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    for _ in 0..count {
        let of = u32::from_be_bytes(bytes.array()?);
        values.push(match bytes.value()? {
            None => Value::Null,
            Some(raw) => value(of, raw, kinds)?,
        });
    }
    Ok(values)
}

fn value(of: u32, raw: &[u8], kinds: &Kinds) -> Result<Value, Unread> {
    let mut bytes = Bytes(raw);
    Ok(match of {
        16 => Value::Integer(i64::from(bytes.array::<1>()? != [0])),
        20 => Value::Integer(i64::from_be_bytes(bytes.array()?)),
        21 => Value::Integer(i64::from(bytes.i16()?)),
        23 => Value::Integer(i64::from(bytes.i32()?)),
        26 => Value::Integer(i64::from(u32::from_be_bytes(bytes.array()?))),
        // The number is read from its shortest text: 1.1 and not 1.10000002.
        700 => number(&f32::from_be_bytes(bytes.array()?).to_string(), true),
        701 => Value::Real(f64::from_be_bytes(bytes.array()?)),
        1700 => numeric(&mut bytes)?,
        18 | 19 | 25 | 114 | 142 | 705 | 1043 => text(raw)?,
        // `char(n)` is padded with spaces, which do not count.
        1042 => Value::from(utf8(raw)?.trim_end_matches(' ')),
        17 => Value::Blob(raw.to_vec()),
        3802 => text(raw.get(1..).ok_or(Unread::Damaged)?)?,
        2950 => Value::Text(uuid(bytes.array()?)),
        1082 => Value::Text(date(bytes.i32()?)),
        1114 => Value::Text(timestamp(i64::from_be_bytes(bytes.array()?), "")),
        1184 => Value::Text(timestamp(i64::from_be_bytes(bytes.array()?), "+00:00")),
        1083 => Value::Text(time(i64::from_be_bytes(bytes.array()?))),
        829 => {
            let parts: Vec<String> = raw.iter().map(|byte| format!("{byte:02x}")).collect();
            Value::Text(parts.join(":"))
        }
        650 | 869 => Value::Text(address(&mut bytes)?),
        of => match kinds.get(&of) {
            None => array(of, &mut bytes, kinds)?,
            Some(Kind::Text) => text(raw)?,
            Some(Kind::Domain(base)) => value(*base, raw, kinds)?,
            Some(Kind::Other(name)) if name.starts_with('_') => array(of, &mut bytes, kinds)?,
            Some(Kind::Other(name)) => return Err(Unread::Unknown(name.clone())),
        },
    })
}

fn utf8(raw: &[u8]) -> Result<&str, Unread> {
    std::str::from_utf8(raw).map_err(|_| Unread::Damaged)
}

fn text(raw: &[u8]) -> Result<Value, Unread> {
    utf8(raw).map(Value::from)
}

/// The numbers of arrays of built-in types.
const ARRAYS: [u32; 20] = [
    199, 1000, 1001, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1028, 1041, 1115, 1182, 1183, 1185,
    1231, 2951, 3807,
];

/// An array as JSON.
fn array(of: u32, bytes: &mut Bytes<'_>, kinds: &Kinds) -> Result<Value, Unread> {
    if !ARRAYS.contains(&of) && !kinds.contains_key(&of) {
        return Err(Unread::Type(of));
    }
    let dimensions = bytes.i32()?;
    bytes.i32()?;
    let element = u32::from_be_bytes(bytes.array()?);
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(usize::try_from(bytes.i32()?).map_err(|_| Unread::Damaged)?);
        bytes.i32()?;
    }
    let count: usize = if lengths.is_empty() { 0 } else { lengths.iter().product() };
    let mut elements = Vec::new();
    for _ in 0..count {
        elements.push(match bytes.value()? {
            None => "null".to_owned(),
            Some(raw) => match value(element, raw, kinds)? {
                Value::Null => "null".to_owned(),
                Value::Integer(number) => number.to_string(),
                Value::Real(number) => format!("{number:?}"),
                Value::Text(text) => serde_json::Value::String(text).to_string(),
                Value::Blob(bytes) => format!("\"\\\\x{}\"", hex::encode(bytes)),
            },
        });
    }
    // The last dimension is the innermost.
    for length in lengths.iter().skip(1).rev() {
        elements = elements.chunks((*length).max(1)).map(|chunk| format!("[{}]", chunk.join(","))).collect();
    }
    Ok(Value::Text(format!("[{}]", elements.join(","))))
}

/// A number from its text. If `is_real`, it is a floating-point number even if the text has no fraction.
pub(super) fn number(text: &str, is_real: bool) -> Value {
    let real = || text.parse().map_or_else(|_| Value::from(text), Value::Real);
    if is_real || text.contains(['.', 'e', 'E']) {
        return real();
    }
    text.parse().map_or_else(|_| Value::from(text), Value::Integer)
}

fn numeric(bytes: &mut Bytes<'_>) -> Result<Value, Unread> {
    let (count, weight) = (bytes.i16()?, bytes.i16()?);
    let sign = u16::from_be_bytes(bytes.array()?);
    let scale = usize::try_from(bytes.i16()?).unwrap_or_default();
    match sign {
        0xC000 => return Ok(Value::from("NaN")),
        0xD000 => return Ok(Value::from("Infinity")),
        0xF000 => return Ok(Value::from("-Infinity")),
        _ => {}
    }
    // Each digit is four decimal ones. The first has the weight 10000^weight.
    let mut digits = Vec::new();
    for _ in 0..count {
        digits.push(bytes.i16()?);
    }
    let digit = |at: i32| {
        let place = i32::from(weight) - at;
        usize::try_from(place).ok().and_then(|place| digits.get(place)).copied().unwrap_or(0)
    };
    let groups = |places: &mut dyn Iterator<Item = i32>| {
        let each: Vec<String> = places.map(|at| format!("{:04}", digit(at))).collect();
        each.concat()
    };
    let whole = groups(&mut (0..=i32::from(weight.max(0))).rev());
    let whole = whole.trim_start_matches('0');
    let mut text = String::new();
    if sign == 0x4000 {
        text.push('-');
    }
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let count = i32::try_from(scale.div_ceil(4)).unwrap_or(i32::MAX);
        let fraction = groups(&mut (1..=count).map(|at| -at));
        text.push('.');
        text.push_str(fraction.get(..scale).unwrap_or(&fraction));
    }
    Ok(number(&text, false))
}

fn uuid(bytes: [u8; 16]) -> String {
    let digits = hex::encode(bytes);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// The day from which PostgreSQL counts.
const EPOCH: NaiveDate = match NaiveDate::from_ymd_opt(2000, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

fn date(days: i32) -> String {
    let counted = Days::new(u64::from(days.unsigned_abs()));
    let day = if days < 0 { EPOCH.checked_sub_days(counted) } else { EPOCH.checked_add_days(counted) };
    match (days, day) {
        (i32::MAX, _) => "infinity".to_owned(),
        (i32::MIN, _) => "-infinity".to_owned(),
        (_, Some(day)) => day.to_string(),
        (_, None) => "a day beyond the calendar".to_owned(),
    }
}

fn timestamp(micros: i64, zone: &str) -> String {
    let at = EPOCH.and_time(NaiveTime::MIN).checked_add_signed(TimeDelta::microseconds(micros));
    match (micros, at) {
        (i64::MAX, _) => "infinity".to_owned(),
        (i64::MIN, _) => "-infinity".to_owned(),
        (_, Some(at)) => format!("{}{zone}", shown(at)),
        (_, None) => "an instant beyond the calendar".to_owned(),
    }
}

fn shown(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.f").to_string()
}

fn time(micros: i64) -> String {
    let at = NaiveTime::MIN.overflowing_add_signed(TimeDelta::microseconds(micros)).0;
    at.format("%H:%M:%S%.f").to_string()
}

fn address(bytes: &mut Bytes<'_>) -> Result<String, Unread> {
    let [family, bits, is_net, length] = bytes.array()?;
    let (address, all) = match (family, length) {
        (2, 4) => (IpAddr::V4(Ipv4Addr::from(bytes.array::<4>()?)), 32),
        (3, 16) => (IpAddr::V6(Ipv6Addr::from(bytes.array::<16>()?)), 128),
        _ => return Err(Unread::Damaged),
    };
    Ok(if is_net == 0 && bits == all { address.to_string() } else { format!("{address}/{bits}") })
}

/// A value in JSON as `json_build_array` writes it, with the name of its type. It is the same value as [`record`]
/// reads.
pub(super) fn of_json(raw: &str, of: &str) -> Value {
    if raw == "null" {
        return Value::Null;
    }
    if matches!(of, "json" | "jsonb") {
        return Value::from(raw);
    }
    let Ok(json) = serde_json::from_str::<serde_json::Value>(raw) else { return Value::from(raw) };
    match json {
        serde_json::Value::Bool(flag) => Value::Integer(i64::from(flag)),
        serde_json::Value::Number(_) => number(raw, matches!(of, "real" | "double precision")),
        serde_json::Value::String(text) => match of {
            "bytea" => {
                let bytes = text.strip_prefix("\\x").and_then(|digits| hex::decode(digits).ok());
                bytes.map_or(Value::Text(text), Value::Blob)
            }
            "character" => Value::from(text.trim_end_matches(' ')),
            "timestamp without time zone" => {
                let at = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f");
                at.map_or(Value::Text(text), |at| Value::Text(shown(at)))
            }
            "timestamp with time zone" => {
                let at = DateTime::parse_from_rfc3339(&text);
                at.map_or(Value::Text(text), |at| Value::Text(format!("{}+00:00", shown(at.naive_utc()))))
            }
            _ => Value::Text(text),
        },
        // An array, or a value of several parts.
        other => Value::Text(other.to_string()),
    }
}

/// The elements of a JSON array, each as it is written.
pub(super) fn elements(array: &str) -> Option<Vec<&str>> {
    let inner = array.trim().strip_prefix('[')?.strip_suffix(']')?;
    let (mut list, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    let (mut in_text, mut is_escaped) = (false, false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if in_text => is_escaped = true,
            '"' => in_text = !in_text,
            _ if in_text => {}
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                list.push(inner.get(start..at)?.trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    list.push(inner.get(start..)?.trim());
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_told_apart_as_they_are_written() {
        let array = r#"["value", 3, {"a" : [1, "x,]\""]}, "json", null]"#;
        let wanted = ["\"value\"", "3", r#"{"a" : [1, "x,]\""]}"#, "\"json\"", "null"];
        assert_eq!(elements(array).unwrap(), wanted);
        assert!(elements("{}").is_none());
    }

    #[test]
    fn numerics_are_numbers() {
        let of = |parts: &[i16]| {
            let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_be_bytes()).collect();
            numeric(&mut Bytes(&bytes)).ok().unwrap()
        };
        assert_eq!(of(&[0, 0, 0, 0]), Value::Integer(0));
        assert_eq!(of(&[1, 0, 0, 0, 17]), Value::Integer(17));
        assert_eq!(of(&[1, 1, 0, 0, 3]), Value::Integer(30_000));
        assert_eq!(of(&[2, 0, 0x4000, 2, 17, 500]), Value::Real(-17.05));
        assert_eq!(of(&[1, -1, 0, 4, 25]), Value::Real(0.0025));
        assert_eq!(of(&[1, -2, 0, 6, 2500]), Value::Real(0.000_025));
    }

    #[test]
    fn dates_are_written_in_iso() {
        assert_eq!(date(0), "2000-01-01");
        assert_eq!(date(-1), "1999-12-31");
        assert_eq!(date(i32::MAX), "infinity");
        assert_eq!(timestamp(1_500_000, "+00:00"), "2000-01-01T00:00:01.500+00:00");
        let same = of_json("\"2000-01-01T02:00:01.5+02:00\"", "timestamp with time zone");
        assert_eq!(same, Value::from("2000-01-01T00:00:01.500+00:00"));
    }
}
