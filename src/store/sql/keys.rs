//! Converts the text of a customer's key back to its values.

pub(crate) use crate::data_map::spelled_key as written;
use crate::data_map::{Datatype, Value};
use crate::hex;

/// The values that a text may mean, the more likely first, for columns of these types. `None` if the text is not a
/// key with the right number of parts.
pub(crate) fn read(text: &str, columns: &[Datatype]) -> Option<Vec<Vec<Value>>> {
    // Most keys are numbers. A number in a column of whole numbers can be read in one way only.
    if let ([Datatype::Integer], Ok(number)) = (columns, text.parse::<i64>())
        && number.to_string() == text
    {
        return Some(vec![vec![Value::Integer(number)]]);
    }
    let parts: Vec<String> = match columns {
        [_] => vec![text.to_owned()],
        _ => text.split(':').map(unescaped).collect::<Option<_>>()?,
    };
    if parts.len() != columns.len() {
        return None;
    }
    let each = parts.iter().zip(columns).map(|(part, datatype)| candidates(part, *datatype));
    // All combinations of the parts' values.
    let ways = each.fold(vec![Vec::new()], |ways: Vec<Vec<Value>>, values| {
        let longer = ways.iter().flat_map(|way| {
            values.iter().map(|value| [way.as_slice(), std::slice::from_ref(value)].concat())
        });
        longer.collect()
    });
    // A text that is not spelled exactly like the key belongs to no customer.
    let ways: Vec<Vec<Value>> =
        ways.into_iter().filter(|way| written(way).as_deref() == Some(text)).collect();
    (!ways.is_empty()).then_some(ways)
}

fn unescaped(part: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        text.push(match after.get(..2)? {
            "25" => '%',
            "3A" => ':',
            _ => return None,
        });
        rest = after.get(2..)?;
    }
    text.push_str(rest);
    Some(text)
}

fn candidates(part: &str, datatype: Datatype) -> Vec<Value> {
    let number = || part.parse::<i64>().ok().map(Value::Integer);
    let real = || part.parse::<f64>().ok().filter(|real| real.is_finite()).map(Value::Real);
    let bytes = || {
        let digits = match part.strip_prefix("0x") {
            Some(digits) => digits.to_owned(),
            None if part.len() == 36 => part.replace('-', ""),
            None => return None,
        };
        hex::decode(digits).ok().map(Value::Blob)
    };
    let text = || Some(Value::from(part));
    // A column of numbers converts every text that looks like a number.
    let word = || part.trim().parse::<f64>().is_err().then(|| Value::from(part));
    let list: Vec<Option<Value>> = match datatype {
        Datatype::Text => vec![text(), bytes()],
        Datatype::Integer => vec![number(), word(), bytes()],
        Datatype::Real | Datatype::Numeric => vec![number(), real(), bytes(), word()],
        Datatype::Blob => vec![bytes(), text(), number()],
        Datatype::Any => vec![number(), bytes(), text()],
    };
    list.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = (Value, Datatype)> {
        let of = |datatype: Datatype| move |value: Value| (value, datatype);
        prop_oneof![
            any::<i64>().prop_map(Value::Integer).prop_map(of(Datatype::Integer)),
            "\\PC{0,12}".prop_map(Value::Text).prop_map(of(Datatype::Text)),
            "[:%a0-9x-]{0,12}".prop_map(Value::Text).prop_map(of(Datatype::Text)),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Blob).prop_map(of(Datatype::Blob)),
            prop::collection::vec(any::<u8>(), 16).prop_map(Value::Blob).prop_map(of(Datatype::Blob)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Every key has one text, and the text leads back to the key.
        #[test]
        fn a_key_is_found_by_its_text(parts in prop::collection::vec(value(), 1..4)) {
            let (values, types): (Vec<Value>, Vec<Datatype>) = parts.into_iter().unzip();
            let text = written(&values).unwrap();
            let read = read(&text, &types).unwrap();
            prop_assert!(read[0] == values, "{text}");
        }

        /// A text that is no key of the columns gives nothing, and never fails.
        #[test]
        fn any_text_is_a_key_or_nobodys(text in "\\PC{0,20}", columns in 1_usize..3) {
            let types = vec![Datatype::Integer; columns];
            for way in read(&text, &types).into_iter().flatten() {
                prop_assert_eq!(written(&way), Some(text.clone()));
            }
        }
    }

    #[test]
    fn numbers_are_spelled_in_one_way() {
        assert!(read("17", &[Datatype::Integer]).unwrap()[0] == [Value::Integer(17)]);
        // As text it may be a key, but never the number.
        for text in ["017", "+17", "17.0", " 17"] {
            let ways = read(text, &[Datatype::Integer]).unwrap_or_default();
            assert!(ways.iter().all(|way| way[0] != Value::Integer(17)), "{text}");
        }
        assert_eq!(written(&[Value::Integer(1), Value::from("a:b%")]).unwrap(), "1:a%3Ab%25");
    }
}
