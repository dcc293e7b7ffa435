//! The canonical form of JSON (RFC 8785).

use serde::Serialize;
use serde_json::{Number, Value};

use super::direct::{Large, direct};

/// The limit for exact whole numbers. RFC 8785 writes every number as a double, and above 2⁵³ different whole numbers
/// become the same double.
pub(super) const EXACT: u64 = 1 << 53;

/// The canonical form of a document.
pub(crate) fn canonical<T: Serialize>(document: &T) -> serde_json::Result<String> {
    match direct(document, Large::Rounded) {
        Some(text) => Ok(text),
        None => of_value(&serde_json::to_value(document)?),
    }
}

/// The canonical form of a value.
pub(super) fn of_value(value: &Value) -> serde_json::Result<String> {
    let mut form = String::new();
    write(value, &mut form)?;
    Ok(form)
}

fn write(value: &Value, into: &mut String) -> serde_json::Result<()> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => into.push_str(&serde_json::to_string(value)?),
        Value::Number(number) => into.push_str(&number_form(number)),
        Value::Array(items) => {
            into.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    into.push(',');
                }
                write(item, into)?;
            }
            into.push(']');
        }
        Value::Object(table) => {
            // The order is that of UTF-16. For some keys that are not ASCII, it differs from the order of UTF-8.
            let mut pairs: Vec<_> = table.iter().collect();
            pairs.sort_unstable_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            into.push('{');
            for (n, (key, value)) in pairs.into_iter().enumerate() {
                if n > 0 {
                    into.push(',');
                }
                into.push_str(&serde_json::to_string(key)?);
                into.push(':');
                write(value, into)?;
            }
            into.push('}');
        }
    }
    Ok(())
}

/// A number as ECMAScript writes it (`Number::toString`, to which RFC 8785 refers).
fn number_form(number: &Number) -> String {
    let whole = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
    match number.as_f64() {
        Some(double) if whole.is_none_or(|magnitude| magnitude > EXACT) => double_form(double),
        _ => number.to_string(),
    }
}

fn double_form(double: f64) -> String {
    // `serde_json` writes the fewest digits that give the same double, as ECMAScript does. Only their layout differs.
    let written = Number::from_f64(double.abs()).map_or_else(String::new, |number| number.to_string());
    let (mantissa, exponent) = written.split_once('e').unwrap_or((written.as_str(), "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    // The value is 0.digits × 10^point.
    let length = |text: &str| i32::try_from(text.len()).unwrap_or(i32::MAX);
    let point = exponent.parse::<i32>().unwrap_or_default() + length(whole) - (length(&all) - length(digits));
    let digits = digits.trim_end_matches('0');
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    let form = match point {
        _ if digits.is_empty() => return "0".into(),
        1..=21 if length(digits) <= point => format!("{digits}{}", zeros(point - length(digits))),
        1..=21 => {
            let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or_default());
            format!("{whole}.{fraction}")
        }
        -5..=0 => format!("0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{first}{dot}{rest}e{:+}", point - 1)
        }
    };
    if double < 0.0 { format!("-{form}") } else { form }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let number = prop_oneof![
            any::<i64>().prop_map(Number::from),
            any::<u64>().prop_map(Number::from),
            (-20_i64..20).prop_map(Number::from),
            (0_u64..3).prop_map(|over| Number::from(EXACT - 1 + over)),
            any::<f64>().prop_filter_map("no JSON", Number::from_f64),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number.prop_map(Value::Number),
            any::<String>().prop_map(Value::String),
            "[\u{0}-\u{a0}\"\\\\/\u{2028}]{0,6}".prop_map(Value::String),
        ];
        // Some keys have a different order in UTF-8 and in UTF-16.
        let key =
            prop_oneof!["[a-c_A-C]{0,3}", "[\u{e000}-\u{e002}\u{10000}-\u{10002}z]{0,2}", any::<String>()];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::vec((key.clone(), inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn it_is_the_form_that_the_library_writes(value in values()) {
            let by_the_library = serde_json_canonicalizer::to_string(&value).unwrap();
            prop_assert_eq!(canonical(&value).unwrap(), by_the_library);
        }
    }

    #[test]
    fn what_serde_json_writes_otherwise_is_written_as_the_rfc_says() {
        for (value, form) in [
            (json!(1e-6), "0.000001"),
            (json!(10.0), "10"),
            (json!(-0.0), "0"),
            (json!(-1.0), "-1"),
            (json!(1.5e20), "150000000000000000000"),
            (json!((1_u64 << 53) + 1), "9007199254740992"),
            (json!({"\u{ffff}": 1, "\u{10000}": 2}), "{\"\u{10000}\":2,\"\u{ffff}\":1}"),
        ] {
            assert_ne!(serde_json::to_string(&value).unwrap(), form);
            assert_eq!(canonical(&value).unwrap(), form);
        }
        // Two decimals of this length give the same double, and are equally near. The even one is written.
        assert_eq!(canonical(&json!(1_722_823_099_130_251.2)).unwrap(), "1722823099130251.2");
    }
}
