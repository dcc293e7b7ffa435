//! Canonical JSON (RFC 8785), written in one go.
//!
//! An object whose keys come in order is left as it was written; only the others are put in order once they end.

use std::cmp::Ordering;
use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// What becomes of whole numbers beyond 2⁵³. RFC 8785 writes every number as a double, in which they run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Large {
    /// They are doubles, as the RFC says.
    Double,
    /// They are named in a text, each by a text of its own.
    Named,
}

/// The canonical form of a document.
///
/// # Errors
/// What JSON cannot say: a key that is no text, the same key twice, a number out of range.
pub(crate) fn to_string<T: Serialize + ?Sized>(
    document: &T,
    large: Large,
) -> Result<String, serde_json::Error> {
    let mut writing =
        Writing { text: Vec::with_capacity(512), pairs: Vec::new(), objects: Vec::new(), large };
    document.serialize(&mut Serializer::with_formatter(io::sink(), &mut writing))?;
    String::from_utf8(writing.text).map_err(|_| serde::ser::Error::custom("the text is not UTF-8"))
}

/// The largest whole number up to which a double is exact.
const EXACT: u64 = 1 << 53;

/// A document that is being written.
struct Writing {
    text: Vec<u8>,
    /// The pairs of the objects that are open, those of inner ones last.
    pairs: Vec<Pair>,
    /// Of each open object: where its first pair is in the list, and where it begins in the text.
    objects: Vec<(usize, usize)>,
    large: Large,
}

/// Where a key and its value are in the text. The key's quotes are left out.
#[derive(Clone, Copy)]
struct Pair {
    start: usize,
    key_end: usize,
    end: usize,
}

impl Writing {
    fn key(&self, pair: &Pair) -> &[u8] {
        self.text.get(pair.start + 1..pair.key_end.saturating_sub(1)).unwrap_or_default()
    }

    fn put(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn comma(&mut self, first: bool) {
        if !first {
            self.text.push(b',');
        }
    }

    /// A number that is no whole one, or too large for a double to be exact.
    fn double(&mut self, number: f64) -> io::Result<()> {
        let text = serde_json_canonicalizer::to_string(&number)?;
        self.put(&text);
        Ok(())
    }

    fn signed(&mut self, number: i64) -> io::Result<()> {
        self.unsigned(number.is_negative(), number.unsigned_abs())
    }

    fn unsigned(&mut self, is_negative: bool, number: u64) -> io::Result<()> {
        let sign = if is_negative { "-" } else { "" };
        if number <= EXACT {
            if is_negative {
                self.text.push(b'-');
            }
            return Decimal.write_u64(&mut self.text, number);
        }
        match self.large {
            Large::Named => {
                self.put(&format!("\"integer {sign}{number}\""));
                Ok(())
            }
            #[allow(clippy::cast_precision_loss, reason = "a double is what the RFC asks for")]
            Large::Double => self.double(if is_negative { -(number as f64) } else { number as f64 }),
        }
    }

    /// Puts the pairs of an object that ends here in order.
    fn sort(&mut self, first: usize, start: usize) -> io::Result<()> {
        let own = self.pairs.get(first..).unwrap_or_default();
        let is_sorted = |pairs: &[Pair]| match pairs {
            [one, other] => order(self.key(one), self.key(other)).map(|order| order == Ordering::Less),
            _ => Ok(true),
        };
        let mut all = true;
        for pairs in own.windows(2) {
            all &= is_sorted(pairs)?;
        }
        if all {
            return Ok(());
        }
        let mut sorted = own.to_vec();
        let mut failed = Ok(());
        sorted.sort_by(|one, other| {
            order(self.key(one), self.key(other)).unwrap_or_else(|error| {
                failed = Err(error);
                Ordering::Equal
            })
        });
        failed?;
        for pairs in sorted.windows(2) {
            if !is_sorted(pairs)? {
                return Err(io::Error::other("a key is there twice"));
            }
        }
        let mut text = Vec::with_capacity(self.text.len().saturating_sub(start));
        for (n, pair) in sorted.iter().enumerate() {
            if n > 0 {
                text.push(b',');
            }
            text.extend_from_slice(self.text.get(pair.start..pair.end).unwrap_or_default());
        }
        self.text.truncate(start);
        self.text.append(&mut text);
        Ok(())
    }
}

/// Keys are ordered by their UTF-16 code units.
fn order(one: &[u8], other: &[u8]) -> io::Result<Ordering> {
    let is_plain = |key: &[u8]| key.iter().all(|byte| byte.is_ascii() && *byte != b'\\');
    if is_plain(one) && is_plain(other) {
        return Ok(one.cmp(other));
    }
    let units = |key: &[u8]| -> io::Result<Vec<u16>> {
        let key: String = serde_json::from_slice(&[b"\"", key, b"\""].concat())?;
        Ok(key.encode_utf16().collect())
    };
    Ok(units(one)?.cmp(&units(other)?))
}

/// Digits as JSON writes them.
struct Decimal;

impl Formatter for Decimal {}

/// What is written goes into the text itself, and nothing to the writer.
impl Formatter for &mut Writing {
    fn write_null<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.put("null");
        Ok(())
    }

    fn write_bool<W: ?Sized + io::Write>(&mut self, _: &mut W, value: bool) -> io::Result<()> {
        self.put(if value { "true" } else { "false" });
        Ok(())
    }

    fn write_i8<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i8) -> io::Result<()> {
        self.signed(value.into())
    }

    fn write_i16<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i16) -> io::Result<()> {
        self.signed(value.into())
    }

    fn write_i32<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i32) -> io::Result<()> {
        self.signed(value.into())
    }

    fn write_i64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: i64) -> io::Result<()> {
        self.signed(value)
    }

    fn write_i128<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i128) -> io::Result<()> {
        self.write_number_str(writer, &value.to_string())
    }

    fn write_u8<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u8) -> io::Result<()> {
        self.unsigned(false, value.into())
    }

    fn write_u16<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u16) -> io::Result<()> {
        self.unsigned(false, value.into())
    }

    fn write_u32<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u32) -> io::Result<()> {
        self.unsigned(false, value.into())
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: u64) -> io::Result<()> {
        self.unsigned(false, value)
    }

    fn write_u128<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u128) -> io::Result<()> {
        self.write_number_str(writer, &value.to_string())
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, _: &mut W, value: f32) -> io::Result<()> {
        self.double(value.into())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: f64) -> io::Result<()> {
        self.double(value)
    }

    fn write_number_str<W: ?Sized + io::Write>(&mut self, _: &mut W, value: &str) -> io::Result<()> {
        if let Ok(number) = value.parse() {
            return self.signed(number);
        }
        if let Ok(number) = value.parse() {
            return self.unsigned(false, number);
        }
        // A whole number beyond all that would run together with others.
        match value.parse() {
            Ok(number) if value.contains(['.', 'e', 'E']) => self.double(number),
            Ok(_) | Err(_) => Err(io::Error::other("a number is out of range")),
        }
    }

    fn begin_string<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.text.push(b'"');
        Ok(())
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.text.push(b'"');
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, text: &str) -> io::Result<()> {
        self.put(text);
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        escape: serde_json::ser::CharEscape,
    ) -> io::Result<()> {
        Decimal.write_char_escape(&mut self.text, escape)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.text.push(b'[');
        Ok(())
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.text.push(b']');
        Ok(())
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, _: &mut W, first: bool) -> io::Result<()> {
        self.comma(first);
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.text.push(b'{');
        let object = (self.pairs.len(), self.text.len());
        self.objects.push(object);
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        if let Some((first, start)) = self.objects.pop() {
            self.sort(first, start)?;
            self.pairs.truncate(first);
        }
        self.text.push(b'}');
        Ok(())
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W, first: bool) -> io::Result<()> {
        self.comma(first);
        let start = self.text.len();
        self.pairs.push(Pair { start, key_end: start, end: start });
        Ok(())
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.text.len();
        if let Some(pair) = self.pairs.last_mut() {
            pair.key_end = end;
        }
        Ok(())
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.text.push(b':');
        Ok(())
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.text.len();
        if let Some(pair) = self.pairs.last_mut() {
            pair.end = end;
        }
        Ok(())
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        Err(io::Error::other("a raw text may be in no canonical form"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[a-d\"\\\\/\u{1}\n]{0,3}",
            any::<String>(),
            "[\u{e000}-\u{ffff}\u{10000}\u{1f600}a]{0,3}"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-(1_i64 << 54)..1 << 54).prop_map(Value::from),
            (-100_i64..100).prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((text.clone(), inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_what_the_reference_writes(value in any_value()) {
            let ours = to_string(&value, Large::Double).unwrap();
            prop_assert_eq!(ours, serde_json_canonicalizer::to_string(&value).unwrap());
        }
    }

    #[test]
    fn keys_come_in_the_order_of_their_code_units() {
        #[derive(Serialize)]
        struct Odd {
            b: u8,
            #[serde(rename = "a!")]
            longer: u8,
            a: [Inner; 2],
            #[serde(rename = "\u{fb33}")]
            high: u8,
            #[serde(rename = "\u{1f600}")]
            pair: u8,
        }
        #[derive(Clone, Copy, Serialize)]
        struct Inner {
            y: i64,
            x: f32,
        }
        let inner = Inner { y: -3, x: 1.5 };
        let odd = Odd { b: 1, longer: 2, a: [inner; 2], high: 3, pair: 4 };
        let expected = "{\"a\":[{\"x\":1.5,\"y\":-3},{\"x\":1.5,\"y\":-3}],\"a!\":2,\"b\":1,\"\u{1f600}\":4,\"\u{fb33}\":3}";
        assert_eq!(to_string(&odd, Large::Double).unwrap(), expected);
        assert_eq!(serde_json_canonicalizer::to_string(&odd).unwrap(), expected);
    }

    #[test]
    fn large_whole_numbers_are_doubles_or_named() {
        let large = json!([9_007_199_254_740_993_u64, -9_007_199_254_740_993_i64, u64::MAX, 1_u64 << 53]);
        assert_eq!(
            to_string(&large, Large::Named).unwrap(),
            "[\"integer 9007199254740993\",\"integer -9007199254740993\",\"integer 18446744073709551615\",9007199254740992]"
        );
        assert_eq!(
            to_string(&large, Large::Double).unwrap(),
            "[9007199254740992,-9007199254740992,18446744073709552000,9007199254740992]"
        );
    }

    #[test]
    fn what_has_no_form_is_an_error() {
        #[derive(Serialize)]
        struct Twice {
            a: u8,
            #[serde(flatten)]
            other: std::collections::BTreeMap<String, u8>,
        }
        let twice = Twice { a: 1, other: [("a".to_owned(), 2)].into() };
        assert!(to_string(&twice, Large::Named).is_err());
        assert!(to_string(&std::collections::BTreeMap::from([(vec![1], 1)]), Large::Named).is_err());
        assert!(to_string(&u128::MAX, Large::Named).is_err());
    }
}
