//! The canonical form of JSON (RFC 8785).

use serde::Serialize;
use serde_json::Value;

use super::direct::{Large, direct};

/// The limit for exact whole numbers. RFC 8785 writes every number as a double, and above 2⁵³ different whole numbers
/// become the same double.
pub(super) const EXACT: u64 = 1 << 53;

/// The canonical form of a document.
pub(crate) fn canonical<T: Serialize>(document: &T) -> serde_json::Result<String> {
    match direct(document, Large::Rounded) {
        Some(text) => Ok(text),
        None => of_value(serde_json::to_value(document)?),
    }
}

/// The canonical form of a value. The output of `serde_json` is canonical already, except for fractions, large
/// numbers, and the order of keys that are not ASCII. `serde_json_canonicalizer` handles these, but takes three times
/// as long.
pub(super) fn of_value(mut value: Value) -> serde_json::Result<String> {
    if !is_plain(&value) {
        return serde_json_canonicalizer::to_string(&value);
    }
    // The keys are sorted already, unless another crate of the program turns on the feature `preserve_order` of
    // `serde_json`.
    value.sort_all_objects();
    serde_json::to_string(&value)
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => {
            let magnitude = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
            magnitude.is_some_and(|magnitude| magnitude <= EXACT)
        }
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(table) => table.iter().all(|(key, value)| key.is_ascii() && is_plain(value)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Number, json};

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
    fn what_serde_json_writes_otherwise_is_left_to_the_library() {
        for (value, form) in [
            (json!(1e-6), "0.000001"),
            (json!(10.0), "10"),
            (json!((1_u64 << 53) + 1), "9007199254740992"),
            (json!({"\u{ffff}": 1, "\u{10000}": 2}), "{\"\u{10000}\":2,\"\u{ffff}\":1}"),
        ] {
            assert_ne!(serde_json::to_string(&value).unwrap(), form);
            assert_eq!(canonical(&value).unwrap(), form);
        }
    }
}
