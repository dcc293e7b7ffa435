//! Reads and replaces values inside a JSON document. All other bytes stay unchanged.
//!
//! A column may contain a whole document with only two personal values. If the document were parsed and written
//! again, the rest could change: the order of members, `1.0` to `1`, escapes, duplicate members. [`edit`] avoids
//! this. It scans the text once, finds the values of a [`Pointer`], and writes only there.
//!
//! ```
//! use relinquish::anonymise::json::{Edit, Found, Pointer, edit};
//!
//! let pointer: Pointer = "/contacts/*/name".parse()?;
//! let text = r#"{"v": 1.0, "contacts": [{"name": "Maud"}, {"name": null, "vip": true}]}"#;
//! let edited = edit(text, &pointer, |found| match found {
//!     Found::Null => None,
//!     _ => Some(Edit::Write(serde_json::Value::Null)),
//! })?;
//! assert_eq!(
//!     edited.as_deref(),
//!     Some(r#"{"v": 1.0, "contacts": [{"name": null}, {"name": null, "vip": true}]}"#)
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A text that is not completely valid JSON (RFC 8259) is an error, even if the value comes before the invalid part:
//! an unreadable document cannot count as erased. A duplicate member is treated each time, because programs differ in
//! which one they read.
//!
//! [`redact`] removes mentions of people from the texts of a document, one text after the other. Escapes are resolved
//! for the search: a name is found as `Müller` and as `M\u00fcller`. Everything outside the name keeps its spelling.
//!
//! ```
//! use relinquish::anonymise::{json, text::Matcher};
//! use relinquish::customer::Identifiers;
//! use relinquish::data_map::Kind;
//!
//! let mut maud = Identifiers::new();
//! maud.insert(Kind::Name, "Maud Ashworth");
//! let people = Matcher::new([&maud])?;
//! let text = r#"{"v": 1.0, "log": ["Maud Ashworth: \u00e5terbetalning", {"by": "desk 3"}]}"#;
//! assert_eq!(
//!     json::redact(text, &"/log".parse()?, &people, "[erased]")?.as_deref(),
//!     Some(r#"{"v": 1.0, "log": ["[erased]: \u00e5terbetalning", {"by": "desk 3"}]}"#)
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value as Json;

use super::php::{self, NotPhp};
use super::readable::{self, Unread};
use super::text::{Matcher, Sought, replaced};
use crate::data_map::Encoding;

/// The maximum depth of nested arrays and objects. It is the limit of SQLite.
const MAX_DEPTH: usize = 1_000;
/// Steps of a pointer.
const MAX_STEPS: usize = 64;

/// A JSON Pointer (RFC 6901) with wildcards: the step `*` means every member of an object and every element of an
/// array.
///
/// `/contacts/*/name` is the name of each contact. The empty pointer is the whole document. In a step, `~0` means
/// `~`, and `~1` means `/`. In addition to the RFC, `~2` means a literal `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Every,
    /// The member with this name, or the array element with this index.
    One {
        name: String,
        index: Option<usize>,
    },
}

/// The error for a text that is no pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPointer {
    /// It does not start with a slash.
    #[error("a JSON pointer is empty or starts with a slash, such as \"/contacts/*/name\"")]
    NoSlash,
    /// A tilde is followed by a character other than 0, 1 or 2.
    #[error("in a JSON pointer ~ is written ~0, / is written ~1, and a * that is no wildcard ~2")]
    Escape,
    /// The pointer has too many steps.
    #[error("a JSON pointer has at most 64 steps")]
    TooLong,
}

impl FromStr for Pointer {
    type Err = NotAPointer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/');
        if parts.next() != Some("") {
            return Err(NotAPointer::NoSlash);
        }
        let steps = parts.map(step).collect::<Result<Vec<Step>, NotAPointer>>()?;
        if steps.len() > MAX_STEPS {
            return Err(NotAPointer::TooLong);
        }
        Ok(Self { text: text.to_owned(), steps })
    }
}

fn step(part: &str) -> Result<Step, NotAPointer> {
    if part == "*" {
        return Ok(Step::Every);
    }
    let mut name = String::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        name.push(match (c, c == '~') {
            (c, false) => c,
            (_, true) => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                Some('2') => '*',
                _ => return Err(NotAPointer::Escape),
            },
        });
    }
    // RFC 6901: an index has no leading zero and no sign.
    let is_index = part == "0" || (part.bytes().all(|b| b.is_ascii_digit()) && !part.starts_with('0'));
    let index = if is_index { part.parse().ok() } else { None };
    Ok(Step::One { name, index })
}

impl Pointer {
    /// The whole document.
    pub(crate) fn whole() -> Self {
        Self { text: String::new(), steps: Vec::new() }
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    /// Whether this pointer has more steps than the other.
    pub(crate) fn is_deeper_than(&self, other: &Self) -> bool {
        self.steps.len() > other.steps.len()
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A value that a pointer leads to. Its `Debug` shows only the type.
#[derive(Clone, PartialEq, Eq)]
pub enum Found<'t> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written in the document.
    Number(&'t str),
    /// A text with its escapes resolved. An unpaired surrogate, which is no character, becomes U+FFFD.
    Text(Cow<'t, str>),
    /// An array, as it is written in the document.
    Array(&'t str),
    /// An object, as it is written in the document.
    Object(&'t str),
}

impl fmt::Debug for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool(…)",
            Self::Number(_) => "Number(…)",
            Self::Text(_) => "Text(…)",
            Self::Array(_) => "Array(…)",
            Self::Object(_) => "Object(…)",
        })
    }
}

/// The change of a value that was found.
#[derive(Clone, PartialEq)]
pub enum Edit {
    /// This stands there instead.
    Write(Json),
    /// The member or element is removed. Later elements move up. If the value is the whole document, the document
    /// becomes `null`.
    Remove,
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write(_) => "Write(…)",
            Self::Remove => "Remove",
        })
    }
}

/// The error for a text that is no JSON, or for a document with a text that cannot be searched. It gives the position
/// of the byte, but quotes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {at}")]
pub struct NotJson {
    fault: Unfit,
    at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unfit {
    Json(&'static str),
    Text(Unread),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(what) => write!(f, "it is no JSON: {what}"),
            Self::Text(why) => write!(f, "a text in it cannot be searched: {why}; this text begins"),
        }
    }
}

/// Calls a closure for every value that the pointer leads to, in order. The closure returns the change, or `None` to
/// keep the value. Returns the new text, or `None` if nothing changes.
///
/// The time is proportional to the length of the text.
///
/// # Errors
/// A text that is no JSON, or is nested deeper than 1,000 levels.
pub fn edit<'t>(
    text: &'t str,
    pointer: &Pointer,
    mut change: impl FnMut(Found<'t>) -> Option<Edit>,
) -> Result<Option<String>, NotJson> {
    let cuts = walk(text, pointer, |scan, cuts| {
        let start = scan.at;
        Ok(match change(scan.found()?) {
            None => Fate::Stays,
            Some(Edit::Remove) => Fate::Goes,
            Some(Edit::Write(value)) => {
                cuts.push((start..scan.at, value.to_string()));
                Fate::Stays
            }
        })
    })?;
    Ok((!cuts.is_empty()).then(|| with_cuts(text, &cuts)))
}

/// Replaces every certain mention of the people with `with`. Searches each text that the pointer leads to, and each
/// text inside the arrays and objects that it leads to, including the names of members. A number that belongs to a
/// person is replaced, too. If two members would get the same name, they are numbered. Returns the new document, or
/// `None` if nobody is mentioned.
///
/// # Errors
/// As [`edit`].
pub fn redact(
    text: &str,
    pointer: &Pointer,
    people: &Matcher,
    with: &str,
) -> Result<Option<String>, NotJson> {
    redact_but(
        text,
        pointer,
        &[],
        Sought { people, also: &BTreeSet::new(), names_alone: false, encoding: Encoding::Plain },
        with,
    )
}

/// Does the same, except for the values of other pointers, which have their own rules.
pub(crate) fn redact_but(
    text: &str,
    pointer: &Pointer,
    others: &[Pointer],
    sought: Sought<'_>,
    with: &str,
) -> Result<Option<String>, NotJson> {
    sought.exhaust(text, with, |text, with| redact_once(text, pointer, others, sought, with))
}

fn redact_once(
    text: &str,
    pointer: &Pointer,
    others: &[Pointer],
    sought: Sought<'_>,
    with: &str,
) -> Result<Option<String>, NotJson> {
    let left_out = places(text, others)?;
    let (plain, with) = (with, &*sought.spelled(with));
    let spelled_with = bare(with);
    let mut search = sought.search();
    let (mut unread, mut names) = (None, None);
    let cuts = walk(text, pointer, |scan, cuts| {
        scan.texts(&mut |spelled: Spelled<'_>| {
            if left_out.iter().any(|range| range.contains(&spelled.at)) {
                return;
            }
            let words = spelled.read();
            if spelled.role == Role::Number {
                // A person's number is replaced by a string, because a number cannot show that something was erased.
                if !search.ranges(&words).is_empty() {
                    cuts.push((spelled.range(), format!("\"{spelled_with}\"")));
                }
                return;
            }
            // Data serialised by PHP contain lengths, so the whole text is written again.
            match php::strings(&words, &mut |words| sought.redact(words, plain)) {
                Some(Ok(None)) => {}
                Some(Ok(Some(less))) => cuts.push((spelled.range(), bare(&less))),
                Some(Err(NotPhp)) => drop(unread.get_or_insert((Unread::Php, spelled.at))),
                None => match readable::searchable(&words) {
                    Ok(words) => {
                        let certain = search.ranges(words);
                        if spelled.role == Role::Name && !certain.is_empty() {
                            let name = names
                                .get_or_insert_with(|| Names::of(text))
                                .unused(&replaced(words, &certain, with));
                            cuts.push((spelled.range(), bare(&name)));
                            return;
                        }
                        cuts.extend(spelled.ranges(&certain).map(|range| (range, spelled_with.clone())));
                    }
                    Err(why) => drop(unread.get_or_insert((why, spelled.at))),
                },
            }
        })?;
        Ok(Fate::Stays)
    })?;
    match unread {
        Some((why, at)) => Err(NotJson { fault: Unfit::Text(why), at }),
        None => Ok((!cuts.is_empty()).then(|| with_cuts(text, &cuts))),
    }
}

/// The names of all members of a document. Two members of one object must not get the same name.
struct Names(HashSet<String>);

impl Names {
    fn of(text: &str) -> Self {
        let mut names = HashSet::new();
        // An unreadable document is reported elsewhere, when it is searched.
        let _ = Scan { text, at: text.len() - text.trim_start().len() }.texts(&mut |spelled: Spelled<'_>| {
            if spelled.role == Role::Name {
                names.insert(spelled.read().into_owned());
            }
        });
        Self(names)
    }

    /// The name, with a number if the name exists already.
    fn unused(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut n = 1_usize;
        while !self.0.insert(free.clone()) {
            n += 1;
            free = format!("{name} {n}");
        }
        free
    }
}

/// A text escaped as in JSON, without the quotes.
fn bare(text: &str) -> String {
    let quoted = Json::from(text).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// The number of uncertain mentions in those texts. They stay.
pub(crate) fn uncertain_but(
    text: &str,
    pointer: &Pointer,
    others: &[Pointer],
    sought: Sought<'_>,
) -> Result<usize, NotJson> {
    let left_out = places(text, others)?;
    let mut search = sought.search();
    let mut count = 0;
    walk(text, pointer, |scan, _| {
        scan.texts(&mut |spelled: Spelled<'_>| {
            if !left_out.iter().any(|range| range.contains(&spelled.at)) {
                let words = spelled.read();
                let mut of_php = 0;
                let php = php::strings(&words, &mut |words| {
                    of_php += search.uncertain(words);
                    None
                });
                count += if matches!(php, Some(Ok(_))) { of_php } else { search.uncertain(&words) };
            }
        })?;
        Ok(Fate::Stays)
    })?;
    Ok(count)
}

/// The positions of the values that pointers lead to.
fn places(text: &str, pointers: &[Pointer]) -> Result<Vec<Range<usize>>, NotJson> {
    let mut places = Vec::new();
    for pointer in pointers {
        walk(text, pointer, |scan, _| {
            let start = scan.at;
            scan.skip()?;
            places.push(start..scan.at);
            Ok(Fate::Stays)
        })?;
    }
    Ok(places)
}

/// Visits every value of a pointer, in order, and calls a closure there. Returns the ranges to cut out of the text,
/// each with its replacement.
fn walk<'t>(
    text: &'t str,
    pointer: &Pointer,
    at_place: impl FnMut(&mut Scan<'t>, &mut Vec<Cut>) -> Result<Fate, NotJson>,
) -> Result<Vec<Cut>, NotJson> {
    let mut walk = Walk { scan: Scan { text, at: 0 }, at_place, cuts: Vec::new() };
    walk.scan.space();
    let start = walk.scan.at;
    if walk.value(&pointer.steps)? == Fate::Goes {
        walk.cuts.push((start..walk.scan.at, "null".to_owned()));
    }
    walk.scan.space();
    if walk.scan.at < text.len() {
        return Err(walk.scan.fault("something stands behind the end"));
    }
    Ok(walk.cuts)
}

/// All values that the pointer leads to, in order.
///
/// # Errors
/// As [`edit`].
pub fn values<'t>(text: &'t str, pointer: &Pointer) -> Result<Vec<Found<'t>>, NotJson> {
    let mut values = Vec::new();
    edit(text, pointer, |found| {
        values.push(found);
        None
    })?;
    Ok(values)
}

/// Whether a document has the shape that a pointer expects: no value stands where the pointer goes on. `all`: the pointers
/// of the document, because a value that has another shape for one of them may be what another one leads to. What holds
/// nothing has every shape: null, a flag, an empty text or array.
///
/// # Errors
/// As [`edit`], as far as the document is read.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn fits(text: &str, pointer: &Pointer, all: &[Pointer]) -> Result<bool, NotJson> {
    let mut scan = Scan { text, at: 0 };
    scan.space();
    let own = std::iter::once((pointer.steps.as_slice(), true));
    scan.fits(&own.chain(all.iter().map(|other| (other.steps.as_slice(), false))).collect::<Vec<_>>())
}

/// A range to cut out, and its replacement.
type Cut = (Range<usize>, String);

fn with_cuts(text: &str, cuts: &[Cut]) -> String {
    let mut edited = String::with_capacity(text.len());
    let mut from = 0;
    for (range, written) in cuts {
        edited.push_str(text.get(from..range.start).unwrap_or_default());
        edited.push_str(written);
        from = range.end;
    }
    edited.push_str(text.get(from..).unwrap_or_default());
    edited
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Stays,
    Goes,
}

/// Follows the pointer into the document, and collects the ranges to cut out, with their replacements.
struct Walk<'t, F> {
    scan: Scan<'t>,
    at_place: F,
    cuts: Vec<Cut>,
}

impl<'t, F: FnMut(&mut Scan<'t>, &mut Vec<Cut>) -> Result<Fate, NotJson>> Walk<'t, F> {
    fn value(&mut self, steps: &[Step]) -> Result<Fate, NotJson> {
        let Some((step, rest)) = steps.split_first() else {
            return (self.at_place)(&mut self.scan, &mut self.cuts);
        };
        match self.scan.peek() {
            Some(b'{') => self.items(b'}', step, rest),
            Some(b'[') => self.items(b']', step, rest),
            _ => self.scan.skip().map(|()| Fate::Stays),
        }
    }

    /// Visits the members of an object, or the elements of an array.
    fn items(&mut self, close: u8, step: &Step, rest: &[Step]) -> Result<Fate, NotJson> {
        self.scan.at += 1;
        self.scan.space();
        if self.scan.take(close) {
            return Ok(Fate::Stays);
        }
        let mut last_end = self.scan.at;
        let mut some_stay = false;
        for n in 0.. {
            self.scan.space();
            let start = self.scan.at;
            let is_it = if close == b'}' {
                let name = self.scan.member()?;
                match step {
                    Step::Every => true,
                    Step::One { name: wanted, .. } => name == *wanted,
                }
            } else {
                match step {
                    Step::Every => true,
                    Step::One { index, .. } => *index == Some(n),
                }
            };
            let cuts_before = self.cuts.len();
            let fate = if is_it { self.value(rest)? } else { self.scan.skip().map(|()| Fate::Stays)? };
            let end = self.scan.at;
            match fate {
                // Cut it with the comma before it.
                Fate::Goes if n > 0 => self.cuts.push((last_end..end, String::new())),
                Fate::Goes => self.cuts.push((start..end, String::new())),
                // All items before it are removed, so it becomes the first item, without a comma before it.
                Fate::Stays if n > 0 && !some_stay => {
                    self.cuts.insert(cuts_before, (last_end..start, String::new()));
                }
                Fate::Stays => {}
            }
            some_stay |= fate == Fate::Stays;
            last_end = end;
            self.scan.space();
            if self.scan.take(close) {
                break;
            }
            if !self.scan.take(b',') {
                return Err(self.scan.fault("a comma or the end of an array or object is missing"));
            }
        }
        Ok(Fate::Stays)
    }
}

/// Reads JSON byte by byte. When a value is read, the position is at its first byte.
struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scan<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn fault(&self, what: &'static str) -> NotJson {
        NotJson { fault: Unfit::Json(what), at: self.at }
    }

    fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn found(&mut self) -> Result<Found<'t>, NotJson> {
        let start = self.at;
        let first = self.peek();
        if first == Some(b'"') {
            return self.string().map(Found::Text);
        }
        self.skip()?;
        let spelled = self.since(start);
        Ok(match first {
            Some(b'n') => Found::Null,
            Some(b't' | b'f') => Found::Bool(spelled == "true"),
            Some(b'[') => Found::Array(spelled),
            Some(b'{') => Found::Object(spelled),
            _ => Found::Number(spelled),
        })
    }

    /// Whether the value has the shape that one pointer expects. `open`: the steps of the pointers that lead on from here, and
    /// whether they are of this pointer. It recurses once per step of that pointer.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    fn fits(&mut self, open: &[(&[Step], bool)]) -> Result<bool, NotJson> {
        let is_named = open.iter().any(|(steps, _)| steps.is_empty());
        if is_named || !open.iter().any(|(_, is_own)| *is_own) {
            return self.skip().map(|()| true);
        }
        let close = match self.peek() {
            Some(b'{') => b'}',
            Some(b'[') => b']',
            _ => {
                return Ok(match self.found()? {
                    Found::Text(text) => text.trim().is_empty(),
                    Found::Null | Found::Bool(_) => true,
                    Found::Number(_) | Found::Array(_) | Found::Object(_) => false,
                });
            }
        };
        self.at += 1;
        self.space();
        if self.take(close) {
            return Ok(true);
        }
        let goes_on = |step: &Step| matches!(step, Step::Every | Step::One { index: Some(_), .. });
        if close == b']' && !open.iter().any(|(steps, _)| steps.first().is_some_and(goes_on)) {
            return Ok(false);
        }
        for n in 0.. {
            let name = if close == b'}' { Some(self.member()?) } else { None };
            let leads_on = |step: &Step| match (step, &name) {
                (Step::Every, _) => true,
                (Step::One { name: wanted, .. }, Some(name)) => name == wanted,
                (Step::One { index, .. }, None) => *index == Some(n),
            };
            let next: Vec<(&[Step], bool)> = open
                .iter()
                .filter_map(|(steps, is_own)| {
                    let (step, rest) = steps.split_first()?;
                    leads_on(step).then_some((rest, *is_own))
                })
                .collect();
            if !self.fits(&next)? {
                return Ok(false);
            }
            self.space();
            if self.take(close) {
                break;
            }
            if !self.take(b',') {
                return Err(self.fault("a comma or the end of an array or object is missing"));
            }
            self.space();
        }
        Ok(true)
    }

    /// Skips a value.
    fn skip(&mut self) -> Result<(), NotJson> {
        self.texts(&mut |_| ())
    }

    /// Skips a value, and calls a closure for every text in it, including the names of members. It does not recurse,
    /// so that a malicious document cannot exhaust the stack.
    fn texts(&mut self, look: &mut impl FnMut(Spelled<'t>)) -> Result<(), NotJson> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(b) if b == b'{' || b == b'[' => {
                    self.at += 1;
                    self.space();
                    let close = if b == b'{' { b'}' } else { b']' };
                    if !self.take(close) {
                        if open.len() == MAX_DEPTH {
                            return Err(self.fault("nested deeper than 1000 levels"));
                        }
                        open.push(close);
                        if close == b'}' {
                            self.over_member(look)?;
                        }
                        continue;
                    }
                }
                Some(b'"') => look(self.over_string(Role::Text)?),
                Some(b't') => self.word("true")?,
                Some(b'f') => self.word("false")?,
                Some(b'n') => self.word("null")?,
                Some(b'-' | b'0'..=b'9') => {
                    let at = self.at;
                    self.number()?;
                    look(Spelled { at, inner: self.since(at), has_escapes: false, role: Role::Number });
                }
                Some(_) => return Err(self.fault("there is no value")),
                None => return Err(self.fault("it ends too soon")),
            }
            // A value has ended. Its array or object may end, too.
            loop {
                let Some(close) = open.last().copied() else { return Ok(()) };
                self.space();
                if self.take(b',') {
                    self.space();
                    if close == b'}' {
                        self.over_member(look)?;
                    }
                    break;
                }
                if !self.take(close) {
                    return Err(self.fault("a comma or the end of an array or object is missing"));
                }
                open.pop();
            }
        }
    }

    /// Reads a member's name, up to its value.
    fn member(&mut self) -> Result<Cow<'t, str>, NotJson> {
        let name = self.string()?;
        self.colon()?;
        Ok(name)
    }

    fn over_member(&mut self, look: &mut impl FnMut(Spelled<'t>)) -> Result<(), NotJson> {
        look(self.over_string(Role::Name)?);
        self.colon()
    }

    fn colon(&mut self) -> Result<(), NotJson> {
        self.space();
        if !self.take(b':') {
            return Err(self.fault("a colon is missing"));
        }
        self.space();
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), NotJson> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.fault("there is no value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), NotJson> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if start == self.at { Err(self.fault("a digit is missing")) } else { Ok(()) }
    }

    fn over_string(&mut self, role: Role) -> Result<Spelled<'t>, NotJson> {
        if !self.take(b'"') {
            return Err(self.fault("a string is missing"));
        }
        let at = self.at;
        let mut has_escapes = false;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let inner = self.since(at);
                    self.at += 1;
                    return Ok(Spelled { at, inner, has_escapes, role });
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.peek().is_some_and(|b| b.is_ascii_hexdigit()) {
                                    return Err(self.fault("an escape is not finished"));
                                }
                                self.at += 1;
                            }
                        }
                        _ => return Err(self.fault("there is no such escape")),
                    }
                }
                Some(0..0x20) => return Err(self.fault("a control character stands in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.fault("it ends too soon")),
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'t, str>, NotJson> {
        self.over_string(Role::Text).map(Spelled::read)
    }
}

/// The role of a text in a document.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// The name of a member.
    Name,
    Text,
    Number,
}

/// A string or a number as it is written in the document, without its quotes, and its position. Its escapes are
/// complete.
#[derive(Clone, Copy)]
struct Spelled<'t> {
    at: usize,
    inner: &'t str,
    has_escapes: bool,
    role: Role,
}

impl<'t> Spelled<'t> {
    /// What it says.
    fn read(self) -> Cow<'t, str> {
        if self.has_escapes {
            Cow::Owned(Letters { rest: self.inner }.map(|(letter, _)| letter).collect())
        } else {
            Cow::Borrowed(self.inner)
        }
    }

    /// Its range in the document, without the quotes.
    fn range(self) -> Range<usize> {
        self.at..self.at + self.inner.len()
    }

    /// Maps ranges of the unescaped text to ranges of the document. The ranges are in order, and do not overlap.
    fn ranges(self, read: &[Range<usize>]) -> impl Iterator<Item = Range<usize>> {
        let (mut letters, mut said, mut spelled) = (Letters { rest: self.inner }, 0, 0);
        let mut place = move |wanted: usize| {
            if !self.has_escapes {
                return self.at + wanted;
            }
            while said < wanted {
                let Some((letter, len)) = letters.next() else { break };
                said += letter.len_utf8();
                spelled += len;
            }
            self.at + spelled
        };
        read.iter().map(move |range| place(range.start)..place(range.end))
    }
}

/// The characters of a string, each with the number of bytes in its spelling.
struct Letters<'t> {
    rest: &'t str,
}

impl Iterator for Letters<'_> {
    type Item = (char, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let mut chars = self.rest.chars();
        let (letter, len) = match chars.next()? {
            '\\' => match chars.next() {
                Some('b') => ('\u{8}', 2),
                Some('f') => ('\u{c}', 2),
                Some('n') => ('\n', 2),
                Some('r') => ('\r', 2),
                Some('t') => ('\t', 2),
                Some('u') => {
                    let first = unit(chars.as_str());
                    let behind = chars.as_str().get(4..).unwrap_or_default();
                    match (char::from_u32(first), behind.strip_prefix("\\u").map(unit)) {
                        (Some(letter), _) => (letter, 6),
                        (None, Some(second @ 0xDC00..0xE000)) if first < 0xDC00 => {
                            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
                        }
                        (None, _) => (char::REPLACEMENT_CHARACTER, 6),
                    }
                }
                Some(letter) => (letter, 1 + letter.len_utf8()),
                None => (char::REPLACEMENT_CHARACTER, 1),
            },
            letter => (letter, letter.len_utf8()),
        };
        self.rest = self.rest.get(len..).unwrap_or_default();
        Some((letter, len))
    }
}

/// Four hexadecimal digits.
fn unit(digits: &str) -> u32 {
    digits.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0xFFFD)
}
