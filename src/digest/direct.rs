//! Writes the canonical form of a document directly, without a tree of values in between.
//!
//! It writes only what the canonical form and the output of `serde_json` have in common: no fractions, no large numbers,
//! and keys of plain ASCII. For any other document it gives up, and [`canonical`](super::canonical) takes the longer way.

use std::fmt;

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::canonical::EXACT;

/// How whole numbers beyond 2⁵³ are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Large {
    /// As text, so that two of them never become the same double.
    Named,
    /// As RFC 8785 writes them, which is left to the library.
    Rounded,
}

/// The canonical form of a document. `None` if it has to be written otherwise, or cannot be written.
pub(super) fn direct<T: Serialize + ?Sized>(document: &T, large: Large) -> Option<String> {
    let mut writer = Writer { out: Vec::with_capacity(256), entries: Vec::new(), spare: Vec::new(), large };
    document.serialize(&mut writer).ok()?;
    String::from_utf8(writer.out).ok()
}

/// The document has to be written otherwise.
#[derive(Debug)]
struct Otherwise;

impl fmt::Display for Otherwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the document has to be written otherwise")
    }
}

impl std::error::Error for Otherwise {}

impl serde::ser::Error for Otherwise {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// The place of an entry of a table in the output: its start, the end of its key, and its end.
#[derive(Clone, Copy)]
struct Entry {
    start: usize,
    key: usize,
    end: usize,
}

struct Writer {
    out: Vec<u8>,
    /// The entries of all tables that are being written.
    entries: Vec<Entry>,
    /// Where the entries of a table are sorted.
    spare: Vec<u8>,
    large: Large,
}

impl Writer {
    /// Writes a text or a small whole number as `serde_json` does.
    fn plain<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Otherwise> {
        serde_json::to_writer(&mut self.out, value).map_err(Otherwise::custom)
    }

    fn whole(&mut self, number: impl Serialize + fmt::Display, magnitude: u64) -> Result<(), Otherwise> {
        match self.large {
            _ if magnitude <= EXACT => self.plain(&number),
            Large::Named => self.plain(&format!("integer {number}")),
            Large::Rounded => Err(Otherwise),
        }
    }

    fn list(&mut self) -> List<'_> {
        self.out.push(b'[');
        List { writer: self, is_first: true, is_variant: false }
    }

    fn table(&mut self) -> Table<'_> {
        self.out.push(b'{');
        let (start, first) = (self.out.len(), self.entries.len());
        Table { writer: self, start, first, is_variant: false }
    }

    /// Begins a table with one entry, whose value follows.
    fn variant(&mut self, name: &'static str) -> Result<(), Otherwise> {
        self.out.push(b'{');
        self.key(name)?;
        self.out.push(b':');
        Ok(())
    }

    fn key(&mut self, key: &str) -> Result<(), Otherwise> {
        // The order of other keys is not that of their bytes.
        if key.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\') {
            self.out.push(b'"');
            self.out.extend_from_slice(key.as_bytes());
            self.out.push(b'"');
            Ok(())
        } else {
            Err(Otherwise)
        }
    }
}

/// A list that is being written.
struct List<'w> {
    writer: &'w mut Writer,
    is_first: bool,
    /// Whether the list is the value of an enum's variant.
    is_variant: bool,
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Otherwise> {
        if !std::mem::take(&mut self.is_first) {
            self.writer.out.push(b',');
        }
        value.serialize(&mut *self.writer)
    }

    fn close(self) {
        self.writer.out.extend_from_slice(if self.is_variant { b"]}" } else { b"]" });
    }
}

/// A table that is being written.
struct Table<'w> {
    writer: &'w mut Writer,
    /// Where its entries start in the output.
    start: usize,
    /// The number of its first entry.
    first: usize,
    /// Whether the table is the value of an enum's variant.
    is_variant: bool,
}

impl Table<'_> {
    fn name(&mut self, key: &str) -> Result<(), Otherwise> {
        let writer = &mut *self.writer;
        if writer.entries.len() > self.first {
            writer.out.push(b',');
        }
        let start = writer.out.len();
        writer.key(key)?;
        writer.entries.push(Entry { start, key: writer.out.len(), end: 0 });
        writer.out.push(b':');
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Otherwise> {
        let at = self.writer.entries.len().checked_sub(1).ok_or(Otherwise)?;
        value.serialize(&mut *self.writer)?;
        let end = self.writer.out.len();
        self.writer.entries.get_mut(at).ok_or(Otherwise)?.end = end;
        Ok(())
    }

    /// Sorts the entries by their keys.
    fn close(self) -> Result<(), Otherwise> {
        let Writer { out, entries, spare, .. } = self.writer;
        let own = entries.get_mut(self.first..).ok_or(Otherwise)?;
        // The quotes are not part of a key.
        let key = |entry: &Entry| out.get(entry.start + 1..entry.key - 1).unwrap_or_default();
        if !own.is_sorted_by(|one, next| key(one) < key(next)) {
            own.sort_by(|one, other| key(one).cmp(key(other)));
            // Of two entries with one key, the later one counts.
            if !own.is_sorted_by(|one, next| key(one) < key(next)) {
                return Err(Otherwise);
            }
            spare.clear();
            for entry in own.iter() {
                if !spare.is_empty() {
                    spare.push(b',');
                }
                spare.extend_from_slice(out.get(entry.start..entry.end).ok_or(Otherwise)?);
            }
            out.truncate(self.start);
            out.extend_from_slice(spare);
        }
        entries.truncate(self.first);
        out.extend_from_slice(if self.is_variant { b"}}" } else { b"}" });
        Ok(())
    }
}

/// Writes whole numbers of each of these types as numbers of one type.
macro_rules! whole_numbers {
    (i64: $($method:ident $number:ty),+) => {
        $(fn $method(self, number: $number) -> Result<(), Otherwise> {
            self.whole(number, i64::from(number).unsigned_abs())
        })+
    };
    (u64: $($method:ident $number:ty),+) => {
        $(fn $method(self, number: $number) -> Result<(), Otherwise> {
            self.whole(number, u64::from(number))
        })+
    };
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = Otherwise;
    type SerializeSeq = List<'w>;
    type SerializeTuple = List<'w>;
    type SerializeTupleStruct = List<'w>;
    type SerializeTupleVariant = List<'w>;
    type SerializeMap = Table<'w>;
    type SerializeStruct = Table<'w>;
    type SerializeStructVariant = Table<'w>;

    fn serialize_bool(self, value: bool) -> Result<(), Otherwise> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    whole_numbers!(i64: serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64);
    whole_numbers!(u64: serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64);

    fn serialize_f32(self, _: f32) -> Result<(), Otherwise> {
        Err(Otherwise)
    }

    fn serialize_f64(self, _: f64) -> Result<(), Otherwise> {
        Err(Otherwise)
    }

    fn serialize_char(self, value: char) -> Result<(), Otherwise> {
        self.plain(&value)
    }

    fn serialize_str(self, value: &str) -> Result<(), Otherwise> {
        self.plain(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Otherwise> {
        self.plain(value)
    }

    fn serialize_none(self) -> Result<(), Otherwise> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Otherwise> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Otherwise> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Otherwise> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Otherwise> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Otherwise> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Otherwise> {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'w>, Otherwise> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'w>, Otherwise> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'w>, Otherwise> {
        Ok(self.list())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'w>, Otherwise> {
        self.variant(variant)?;
        Ok(List { is_variant: true, ..self.list() })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Table<'w>, Otherwise> {
        Ok(self.table())
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Table<'w>, Otherwise> {
        // `serde_json` gives some of its own types a meaning by such a name.
        if name.starts_with("$serde_json") { Err(Otherwise) } else { Ok(self.table()) }
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Table<'w>, Otherwise> {
        self.variant(variant)?;
        Ok(Table { is_variant: true, ..self.table() })
    }
}

macro_rules! list {
    ($($part:ident $method:ident),+) => {
        $(impl $part for List<'_> {
            type Ok = ();
            type Error = Otherwise;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Otherwise> {
                self.item(value)
            }

            fn end(self) -> Result<(), Otherwise> {
                self.close();
                Ok(())
            }
        })+
    };
}

list!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! table {
    ($($part:ident),+) => {
        $(impl $part for Table<'_> {
            type Ok = ();
            type Error = Otherwise;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Otherwise> {
                self.name(key)?;
                self.value(value)
            }

            fn end(self) -> Result<(), Otherwise> {
                self.close()
            }
        })+
    };
}

table!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Table<'_> {
    type Ok = ();
    type Error = Otherwise;

    /// A key of a map becomes text as `serde_json` does it. A number as a key is written the longer way.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Otherwise> {
        match key.serialize(serde_json::value::Serializer) {
            Ok(serde_json::Value::String(key)) => self.name(&key),
            Ok(_) | Err(_) => Err(Otherwise),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Otherwise> {
        self.value(value)
    }

    fn end(self) -> Result<(), Otherwise> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use serde_json::json;

    use super::*;

    /// What a document looks like after it became a tree of values, as the library writes it.
    fn by_the_library<T: Serialize>(document: &T) -> String {
        serde_json_canonicalizer::to_string(&serde_json::to_value(document).unwrap()).unwrap()
    }

    #[derive(serde::Serialize)]
    enum Kind {
        Unit,
        Newtype(Option<u8>),
        Tuple(i64, char),
        Struct { zeta: (), alpha: [u16; 2] },
    }

    #[derive(serde::Serialize)]
    struct Unit;

    #[derive(serde::Serialize)]
    struct Pair(String, bool);

    #[derive(serde::Serialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        One { b: u8, a: Unit },
    }

    #[derive(serde::Serialize)]
    struct Whole {
        kinds: Vec<Kind>,
        a_longer_name: Pair,
        a: BTreeMap<String, Tagged>,
        #[serde(flatten)]
        rest: HashMap<&'static str, i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        nothing: Option<u8>,
    }

    #[test]
    fn every_shape_of_rust_is_written_as_the_library_does() {
        let document = Whole {
            kinds: vec![
                Kind::Unit,
                Kind::Newtype(None),
                Kind::Newtype(Some(7)),
                Kind::Tuple(-1, '"'),
                Kind::Struct { zeta: (), alpha: [2, 1] },
            ],
            a_longer_name: Pair("\u{7f}\u{2028}\n\u{1}é\\".to_owned(), true),
            a: BTreeMap::from([
                ("b c".to_owned(), Tagged::One { b: 1, a: Unit }),
                ("b".to_owned(), Tagged::One { b: 2, a: Unit }),
            ]),
            rest: HashMap::from([("zz", 1), ("b", -2), ("", 3)]),
            nothing: None,
        };
        assert_eq!(direct(&document, Large::Rounded), Some(by_the_library(&document)));
        assert_eq!(direct(&(), Large::Named).as_deref(), Some("null"));
        assert_eq!(direct(b"ab".as_slice(), Large::Named).as_deref(), Some("[97,98]"));
    }

    /// Everything of which the canonical form differs from what `serde_json` writes, or may differ.
    #[test]
    fn what_is_not_plain_is_left_to_the_longer_way() {
        let none = |written: Option<String>| assert_eq!(written, None);
        none(direct(&1.5, Large::Named));
        none(direct(&1.5_f32, Large::Named));
        none(direct(&(1_u64 << 54), Large::Rounded));
        none(direct(&i64::MIN, Large::Rounded));
        none(direct(&json!({"é": 1}), Large::Named));
        none(direct(&json!({"a\"": 1}), Large::Named));
        none(direct(&json!({"a\n": 1}), Large::Named));
        none(direct(&BTreeMap::from([(1, 2)]), Large::Named));
        none(direct(&BTreeMap::from([(vec![1], 2)]), Large::Named));
        none(direct(&u128::MAX, Large::Named));
        none(direct(&Twice, Large::Named));
        assert_eq!(direct(&(1_u64 << 54), Large::Named).as_deref(), Some("\"integer 18014398509481984\""));
    }

    /// A table with one key twice.
    struct Twice;

    impl Serialize for Twice {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut table = serializer.serialize_map(None)?;
            table.serialize_entry("b", &1)?;
            table.serialize_entry("a", &2)?;
            table.serialize_entry("b", &3)?;
            table.end()
        }
    }
}
