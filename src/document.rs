//! Reads a policy or a map in TOML or JSON. All errors are reported at once, each with its path and a way out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::edits::edits;

/// An error in a document, a schema or a policy: the place, what is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// The place: the path of keys, or the table and column.
    pub path: String,
    /// What is wrong there.
    pub what: String,
    /// What to do about it.
    pub way_out: String,
    /// Lines to paste into the document, if there are any. Places that a person has to fill in are marked `TODO`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paste: Option<String>,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, what: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { path: path.into(), what: what.into(), way_out: way_out.into(), paste: None }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.what)?;
        if !self.way_out.is_empty() {
            write!(f, "; {}", self.way_out)?;
        }
        Ok(())
    }
}

/// All faults at once.
///
/// `Debug` prints the same as `Display`: a `main` that returns this error then prints a readable list.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    pub(crate) fn one(problem: Problem) -> Self {
        Self { list: vec![problem] }
    }

    pub(crate) fn none_or(list: Vec<Problem>) -> Result<(), Self> {
        if list.is_empty() { Ok(()) } else { Err(Self { list }) }
    }

    /// These problems, and others.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn and(mut self, others: Self) -> Self {
        self.list.extend(others.list);
        self
    }

    /// The lines that can be pasted into the document. A comment before the lines of each problem says where and
    /// what. Empty if no problem has lines.
    ///
    /// The lines for one table of the document are together below the table's header. If the document has this header
    /// already, paste the lines below it, because TOML accepts a header only once.
    pub fn to_paste(&self) -> String {
        let mut sections: Vec<(&str, String)> = Vec::new();
        for problem in &self.list {
            let Some(lines) = &problem.paste else { continue };
            let mut said = format!("# {}: {}\n", problem.path, problem.what.replace('\n', "\n# "));
            let mut header = "";
            for line in lines.lines() {
                if line.starts_with('[') {
                    header = line;
                    if sections.iter().all(|(known, _)| *known != header) {
                        sections.push((header, String::new()));
                    }
                } else if let Some((_, section)) = sections.iter_mut().find(|(known, _)| *known == header) {
                    section.push_str(&std::mem::take(&mut said));
                    section.push_str(line);
                    section.push('\n');
                }
            }
        }
        let mut text = String::new();
        for (header, lines) in sections {
            text.extend([header, "\n", &lines, "\n"]);
        }
        text
    }

    /// The problems, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        Self { list: problems.into_iter().collect() }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.list.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Problems {}

/// The known name that is most similar to a misspelled name, if any is similar enough.
pub(crate) fn nearest<'n>(written: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let chars = written.chars().count();
    known
        .into_iter()
        .filter_map(|name| {
            let of_name = name.chars().count();
            let most = 2.max(of_name / 3);
            // The edit distance is at least the difference in length. Without this test, a word of 64 KiB took
            // seconds to compare with every name.
            let distance = (of_name.abs_diff(chars) <= most).then(|| edits(written, name))?;
            (distance <= most).then_some((distance, name))
        })
        .min()
        .map(|(_, name)| name)
}

/// The text "did you mean …?", or the list of known names.
pub(crate) fn suggest<'n>(written: &str, known: impl IntoIterator<Item = &'n str> + Clone) -> String {
    if let Some(name) = nearest(written, known.clone()) {
        return format!("did you mean {name}?");
    }
    let names: Vec<_> = known.into_iter().collect();
    if names.is_empty() { "leave it out".to_owned() } else { format!("there is: {}", names.join(", ")) }
}

/// The text "did you mean …?" for a misspelled word of a short list, or else the way out that names the whole list.
pub(crate) fn meant_or<'n>(
    written: &Value,
    known: impl IntoIterator<Item = &'n str>,
    way_out: &str,
) -> String {
    let meant = written.as_str().and_then(|text| nearest(text, known));
    meant.map_or_else(|| way_out.to_owned(), |word| format!("did you mean {word}?"))
}

/// A name as a key in TOML.
pub(crate) fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { name.to_owned() } else { Value::from(name).to_string() }
}

/// Joins a key to a path.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The message for an unknown key.
const NO_KEY: &str = "is no key of this table";

/// Reads values from a document, and collects the problems.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    problems: Vec<Problem>,
    /// The tables with an unknown key, each with its first such problem. If a key is missing in such a table, the
    /// unknown key is probably this key misspelled.
    strange: BTreeMap<String, usize>,
}

impl Reader {
    /// Parses TOML. A document that is not TOML is one problem, with its line and column.
    pub(crate) fn toml(text: &str) -> Result<Value, Problems> {
        toml::from_str::<Value>(text).map_err(|error| {
            let place = error.span().map_or_else(String::new, |span| place(text, span.start));
            Problems::one(Problem::new("", format!("not TOML: {}{place}", error.message()), "mend it there"))
        })
    }

    /// Parses JSON. A document that is not JSON is one problem, with its line and column.
    pub(crate) fn json(text: &str) -> Result<Value, Problems> {
        serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|error| {
            let what = if error.is_data() { "a key that is there twice" } else { "not JSON" };
            let place = format!("{what}, at line {}, column {}", error.line(), error.column());
            Problems::one(Problem::new("", place, "mend it there"))
        })
    }

    pub(crate) fn problem(
        &mut self,
        path: impl Into<String>,
        what: impl Into<String>,
        way_out: impl Into<String>,
    ) {
        self.problems.push(Problem::new(path, what, way_out));
    }

    /// Adds a problem, with lines to paste if there are any.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn problem_to_paste(
        &mut self,
        path: impl Into<String>,
        what: impl Into<String>,
        way_out: impl Into<String>,
        paste: Option<String>,
    ) {
        self.problems.push(Problem { paste, ..Problem::new(path, what, way_out) });
    }

    /// Adds the problems of another reader. Problems without lines to paste get `lines`.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn push_all(&mut self, other: Self, lines: impl FnOnce() -> Option<String>) {
        if other.problems.is_empty() {
            return;
        }
        let lines = lines();
        self.problems.extend(other.problems.into_iter().map(|problem| {
            let paste = problem.paste.clone().or_else(|| lines.clone());
            Problem { paste, ..problem }
        }));
    }

    /// The first problem that meets a condition.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn first(&mut self, is_it: impl Fn(&Problem) -> bool) -> Option<&mut Problem> {
        self.problems.iter_mut().find(|problem| is_it(problem))
    }

    /// Reports once what several places have in common: of problems with the same words the first one stays, and names the
    /// other places.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn fold_alike(&mut self, is_it: impl Fn(&Problem) -> bool) {
        let mut first: Vec<Problem> = Vec::new();
        for problem in std::mem::take(&mut self.problems) {
            match first.iter_mut().find(|known| is_it(known) && known.what == problem.what) {
                Some(known) => {
                    known.way_out.push_str("; the same at ");
                    known.way_out.push_str(&problem.path);
                }
                None => first.push(problem),
            }
        }
        self.problems = first;
    }

    /// Takes problems back, because another problem says the same.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn drop_all(&mut self, is_it: impl Fn(&Problem) -> bool) {
        self.problems.retain(|problem| !is_it(problem));
    }

    /// Adds what was reported after the first `known` problems to the problem of a place, if there is one: it is the
    /// same mistake, and its way out is the next step.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn fold_since(&mut self, known: usize, path: &str) {
        let Some(first) =
            self.problems.iter().position(|problem| problem.path == path).filter(|n| *n < known)
        else {
            return;
        };
        let more = self.problems.split_off(known);
        let Some(first) = self.problems.get_mut(first) else { return };
        for problem in more {
            first.way_out.push_str("; ");
            first.way_out.push_str(&problem.way_out);
            first.paste = first.paste.take().or(problem.paste);
        }
    }

    /// Adds a problem that was found elsewhere.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(crate) fn finish(self) -> Result<(), Problems> {
        Problems::none_or(self.problems)
    }

    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    fn wrong_type(&mut self, path: &str, wanted: &str) {
        self.problem(path, format!("is not {wanted}"), format!("write {wanted}"));
    }

    /// Corrects misspelled keys of a table, and reports a problem for each. The rest is then read as intended, so
    /// that one typing error gives one problem. Without this, everything under the key would be reported as missing.
    pub(crate) fn mended<'v>(&mut self, path: &str, value: &'v Value, known: &[&str]) -> Cow<'v, Value> {
        let Some(table) = value.as_object() else { return Cow::Borrowed(value) };
        let mut mended = table.clone();
        for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
            let free = known.iter().copied().filter(|name| !mended.contains_key(*name));
            if let Some(name) = nearest(key, free)
                && let Some(entry) = mended.remove(key)
            {
                self.problem(join(path, key), NO_KEY, format!("did you mean {name}?"));
                mended.insert(name.to_owned(), entry);
            }
        }
        if mended.len() == table.len() && mended.keys().eq(table.keys()) {
            Cow::Borrowed(value)
        } else {
            Cow::Owned(Value::Object(mended))
        }
    }

    /// Reads a table that may have only known keys.
    pub(crate) fn table<'v>(
        &mut self,
        path: &str,
        value: &'v Value,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let table = self.open_table(path, value)?;
        for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
            let mut way_out = suggest(key, known.iter().copied());
            if nearest(key, known.iter().copied()).is_some_and(|name| table.contains_key(name)) {
                way_out.push_str(" That key is there already: leave one of the two");
            }
            self.strange.entry(path.to_owned()).or_insert(self.problems.len());
            self.problem(join(path, key), NO_KEY, way_out);
        }
        Some(table)
    }

    /// Reads a table with any keys.
    pub(crate) fn open_table<'v>(&mut self, path: &str, value: &'v Value) -> Option<&'v Map<String, Value>> {
        let table = value.as_object();
        if table.is_none() {
            self.wrong_type(path, "a table");
        }
        table
    }

    /// Reads a text that is not empty.
    pub(crate) fn text<'v>(&mut self, path: &str, value: &'v Value) -> Option<&'v str> {
        match value.as_str() {
            Some(text) if !text.trim().is_empty() => Some(text),
            Some(_) => {
                self.problem(path, "is empty", "write a text");
                None
            }
            None => {
                self.wrong_type(path, "a text");
                None
            }
        }
    }

    /// Reads the value of a key that must exist.
    pub(crate) fn required<'v>(
        &mut self,
        path: &str,
        table: &'v Map<String, Value>,
        key: &str,
    ) -> Option<&'v Value> {
        let value = table.get(key);
        if value.is_none() && !self.is_strange(path, Some(key)) {
            self.problem(join(path, key), "is missing", "write it");
        }
        value
    }

    /// Whether a table has an unknown key. Then a missing key there is probably the same mistake, so it is added to
    /// that problem.
    pub(crate) fn is_strange(&mut self, path: &str, missing: Option<&str>) -> bool {
        let at = self.strange.get(path).copied();
        let Some(problem) = at.and_then(|at| self.problems.get_mut(at)).filter(|one| one.what == NO_KEY)
        else {
            return false;
        };
        if let Some(missing) = missing {
            problem.way_out.push_str("; missing here: ");
            problem.way_out.push_str(missing);
        }
        true
    }

    pub(crate) fn required_text<'v>(
        &mut self,
        path: &str,
        table: &'v Map<String, Value>,
        key: &str,
    ) -> Option<&'v str> {
        let value = self.required(path, table, key)?;
        self.text(&join(path, key), value)
    }

    pub(crate) fn boolean(&mut self, path: &str, value: &Value) -> Option<bool> {
        let found = value.as_bool();
        if found.is_none() {
            self.wrong_type(path, "true or false");
        }
        found
    }

    /// Reads one text, or a list of texts.
    pub(crate) fn texts<'v>(&mut self, path: &str, value: &'v Value) -> Option<Vec<&'v str>> {
        match value {
            Value::Array(items) if !items.is_empty() => {
                // Every item is checked, even after an error in another item.
                let texts: Vec<Option<&str>> = items
                    .iter()
                    .enumerate()
                    .map(|(n, item)| self.text(&format!("{path}[{n}]"), item))
                    .collect();
                texts.into_iter().collect()
            }
            Value::String(_) => Some(vec![self.text(path, value)?]),
            _ => {
                self.wrong_type(path, "a text or a list of texts");
                None
            }
        }
    }

    /// Checks `version = 1`, the only version.
    pub(crate) fn version(&mut self, table: &Map<String, Value>) {
        match table.get("version").map(Value::as_i64) {
            Some(Some(1)) => {}
            Some(_) => self.problem("version", "is not one that this release reads", "write version = 1"),
            None => self.problem("version", "is missing", "write version = 1"),
        }
    }
}

/// A JSON value without duplicate keys. JSON allows duplicates, and a parser would silently ignore one of them.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut table = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, _>()? {
            if table.insert(key, value).is_some() {
                return Err(A::Error::custom("a key is there twice"));
            }
        }
        Ok(Value::Object(table))
    }
}

fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!(" at line {line}, column {column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_far_longer_than_any_name_is_not_even_compared() {
        let names: Vec<String> = (0..1_000).map(|n| format!("Somewhere/Place_{n}")).collect();
        let word = "Somewhere".repeat(1 << 17);
        assert_eq!(nearest(&word, names.iter().map(String::as_str)), None);
        assert_eq!(
            nearest("Somwhere/Place_7", ["Somewhere/Place_7", "Elsewhere"]),
            Some("Somewhere/Place_7")
        );
    }

    #[test]
    fn a_fault_of_syntax_is_placed() {
        let problems = Reader::toml("a = 1\nb = = 2\n").unwrap_err();
        assert!(problems.to_string().contains("line 2, column 5"), "{problems}");
        let problems = Reader::json("{\"a\": 1,\n \"b\" }").unwrap_err();
        assert!(problems.to_string().contains("line 2"), "{problems}");
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let value = Reader::toml("[guards]\nactive_subscripton = 'block'").unwrap();
        let mut reader = Reader::default();
        reader.table("guards", &value["guards"], &["active_subscription", "several_tenants"]);
        let problems = reader.finish().unwrap_err();
        assert_eq!(
            problems.to_string(),
            "guards.active_subscripton: is no key of this table; did you mean active_subscription?"
        );
    }

    /// A former bug: a typing error in a root key gave an error for everything under it.
    #[test]
    fn a_key_that_is_nearly_known_is_one_problem() {
        let value = Reader::toml("versoin = 1\nzebra = 2\n[customer]\nkey = 'id'").unwrap();
        let known = ["version", "customers", "records"];
        let mut reader = Reader::default();
        let mended = reader.mended("", &value, &known);
        let table = reader.table("", &mended, &known).cloned();
        assert!(table.is_none_or(|table| table.contains_key("customers") && table.contains_key("version")));
        let problems = reader.finish().unwrap_err();
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["customer", "versoin", "zebra"], "{problems}");
        // Two keys cannot both mean the same known key.
        let value = Reader::toml("customers = 1\ncustomer = 2").unwrap();
        assert_eq!(*Reader::default().mended("", &value, &known), value);
    }

    #[test]
    fn lines_to_paste_follow_what_is_wrong() {
        let problem =
            Problem { paste: Some("[x]\na = 'TODO'".to_owned()), ..Problem::new("t", "two\nlines", "") };
        let problems = Problems { list: vec![Problem::new("u", "nothing to paste", ""), problem] };
        assert_eq!(problems.to_paste(), "[x]\n# t: two\n# lines\na = 'TODO'\n\n");
        let again = Problem { paste: Some("[x]\nb = 1".to_owned()), ..Problem::new("v", "more", "") };
        let problems = problems.list.into_iter().chain([again]).collect();
        let problems = Problems { list: problems };
        assert_eq!(problems.to_paste(), "[x]\n# t: two\n# lines\na = 'TODO'\n# v: more\nb = 1\n\n");
        assert!(toml::from_str::<toml::Table>(&problems.to_paste()).is_ok());
    }

    #[test]
    fn nothing_near_lists_what_there_is() {
        assert_eq!(suggest("zebra", ["name", "email"]), "there is: name, email");
        assert_eq!(suggest("emial", ["name", "email"]), "did you mean email?");
    }
}
