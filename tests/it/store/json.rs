//! Editing a JSON document: only the value at the pointer changes, and no other byte.

use proptest::prelude::*;
use relinquish::anonymise::json::{Edit, Found, NotAPointer, Pointer, edit, redact, values};
use relinquish::anonymise::text::Matcher;
use relinquish::customer::Identifiers;
use relinquish::data_map::Kind;
use serde_json::{Value as Json, json};

fn at(pointer: &str) -> Pointer {
    pointer.parse().unwrap()
}

fn with_null(text: &str, pointer: &str) -> Option<String> {
    edit(text, &at(pointer), |_| Some(Edit::Write(Json::Null))).unwrap()
}

fn without(text: &str, pointer: &str) -> Option<String> {
    edit(text, &at(pointer), |_| Some(Edit::Remove)).unwrap()
}

/// A document with its exact spelling: each token as it is written, each gap with its white space.
#[derive(Clone, Debug)]
enum Spelled {
    Scalar(String),
    Array(Vec<(String, Spelled, String)>),
    Object(Vec<Member>),
}

/// The gap, the name as it is written and as it is read, the gap with the colon, the value, the gap.
type Member = (String, (String, String), String, Spelled, String);

impl Spelled {
    fn render(&self, into: &mut String) {
        match self {
            Self::Scalar(token) => into.push_str(token),
            Self::Array(items) => {
                into.push('[');
                for (n, (before, item, after)) in items.iter().enumerate() {
                    if n > 0 {
                        into.push(',');
                    }
                    into.push_str(before);
                    item.render(into);
                    into.push_str(after);
                }
                into.push(']');
            }
            Self::Object(members) => {
                into.push('{');
                for (n, (before, (name, _), colon, value, after)) in members.iter().enumerate() {
                    if n > 0 {
                        into.push(',');
                    }
                    into.push_str(before);
                    into.push_str(name);
                    into.push_str(colon);
                    value.render(into);
                    into.push_str(after);
                }
                into.push('}');
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.render(&mut text);
        text
    }

    /// Replaces each scalar with this spelling by another spelling.
    fn swap(&mut self, old: &str, new: &str) {
        match self {
            Self::Scalar(token) if token == old => new.clone_into(token),
            Self::Scalar(_) => {}
            Self::Array(items) => items.iter_mut().for_each(|(_, item, _)| item.swap(old, new)),
            Self::Object(members) => members.iter_mut().for_each(|(.., value, _)| value.swap(old, new)),
        }
    }

    /// The model of a pointer with wildcards: it finds every place in the tree.
    fn places<'s>(&'s mut self, steps: &[&str], visit: &mut dyn FnMut(&mut Spelled)) {
        let Some((step, rest)) = steps.split_first() else { return visit(self) };
        match self {
            Self::Scalar(_) => {}
            Self::Array(items) => {
                for (n, (_, item, _)) in items.iter_mut().enumerate() {
                    if *step == "*" || *step == n.to_string() {
                        item.places(rest, visit);
                    }
                }
            }
            Self::Object(members) => {
                for (_, (_, name), _, value, _) in members {
                    if *step == "*" || step == name {
                        value.places(rest, visit);
                    }
                }
            }
        }
    }
}

fn space() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,2}"
}

/// A name, in one of its possible spellings.
fn name() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        prop::sample::select(vec!["a", "b", "ä", "0", "1", ""])
            .prop_map(|name| (format!("\"{name}\""), name.to_owned())),
        Just(("\"\\u0061\"".to_owned(), "a".to_owned())),
        Just(("\"\\u00e4\"".to_owned(), "ä".to_owned())),
        Just(("\"\\\"\\n\"".to_owned(), "\"\n".to_owned())),
    ]
}

fn spelled() -> impl Strategy<Value = Spelled> {
    let scalar = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1.0",
            "1.00",
            "1e0",
            "-12.5E+3",
            "1E-2",
            "123456789012345678901",
            "\"\"",
            "\"x\"",
            "\"\\/\"",
            "\"/\"",
            "\"\\ud83d\\ude00\"",
            "\"😀 ]}\"",
            "\"\\\\\"",
        ])
        .prop_map(str::to_owned),
        ".{0,6}".prop_map(|text| Json::String(text).to_string()),
    ]
    .prop_map(Spelled::Scalar);
    scalar.prop_recursive(4, 24, 4, |inner| {
        let colon = (space(), space()).prop_map(|(a, b)| format!("{a}:{b}"));
        prop_oneof![
            prop::collection::vec((space(), inner.clone(), space()), 0..4).prop_map(Spelled::Array),
            prop::collection::vec((space(), name(), colon, inner, space()), 0..4).prop_map(Spelled::Object),
        ]
    })
}

fn steps() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["*", "*", "a", "b", "ä", "0", "1", "2", ""]), 0..4)
}

/// `serde_json` keeps only one of two members with the same name.
fn has_twins(spelled: &Spelled) -> bool {
    match spelled {
        Spelled::Scalar(_) => false,
        Spelled::Array(items) => items.iter().any(|(_, item, _)| has_twins(item)),
        Spelled::Object(members) => {
            let mut names: Vec<&String> = members.iter().map(|(_, (_, name), ..)| name).collect();
            names.sort();
            names.windows(2).any(|two| two[0] == two[1])
                || members.iter().any(|(.., value, _)| has_twins(value))
        }
    }
}

fn remove(value: &mut Json, steps: &[&str]) {
    let Some((step, rest)) = steps.split_first() else { return *value = Json::Null };
    let is_it = |name: &str| *step == "*" || *step == name;
    match value {
        Json::Array(items) => {
            let mut n = 0;
            items.retain_mut(|item| {
                let is_it = is_it(&n.to_string());
                n += 1;
                if is_it && !rest.is_empty() {
                    remove(item, rest);
                }
                !(is_it && rest.is_empty())
            });
        }
        Json::Object(members) => {
            members.retain(|name, value| {
                if is_it(name) && !rest.is_empty() {
                    remove(value, rest);
                }
                !(is_it(name) && rest.is_empty())
            });
        }
        _ => {}
    }
}

fn pointer_of(steps: &[&str]) -> Pointer {
    at(&steps.iter().flat_map(|step| ["/", *step]).collect::<String>())
}

fn maud() -> Matcher {
    let mut maud = Identifiers::new();
    maud.insert(Kind::Name, "Maud Ashworth");
    maud.insert(Kind::Name, "Zoë Müller");
    maud.insert(Kind::Phone, "+44 20 7946 0018");
    Matcher::new([&maud]).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_redacted_loses_the_mention_and_not_a_byte_beside_it(document in spelled(), steps in steps()) {
        const MENTION: &str = r#""\/ Maud Ashw\u006frth\u0020 \n""#;
        let mut document = document;
        document.swap("\"x\"", MENTION);
        let text = document.text();
        // A text with NUL characters between letters has another encoding, and blocks its customer.
        prop_assume!(!text.contains("\\u0000"));
        document.places(&steps, &mut |place| place.swap(MENTION, r#""\/ [\"x\"]\u0020 \n""#));
        let expected = document.text();
        let redacted = redact(&text, &pointer_of(&steps), &maud(), "[\"x\"]").unwrap();
        prop_assert_eq!(redacted, (expected != text).then_some(expected));
    }

    #[test]
    fn what_is_replaced_changes_and_every_other_byte_stays(
        document in spelled(), steps in steps(), before in space(), after in space(),
    ) {
        let text = format!("{before}{}{after}", document.text());
        let mut expected = document;
        let mut number = 0;
        expected.places(&steps, &mut |place| {
            number += 1;
            *place = Spelled::Scalar(format!("\"new {number}\""));
        });
        let mut seen = 0;
        let edited = edit(&text, &pointer_of(&steps), |_| {
            seen += 1;
            Some(Edit::Write(json!(format!("new {seen}"))))
        }).unwrap();
        prop_assert_eq!(seen, number);
        let expected = format!("{before}{}{after}", expected.text());
        prop_assert_eq!(edited, (number > 0).then_some(expected));
    }

    #[test]
    fn what_is_removed_is_gone_and_the_rest_is_the_same_document(document in spelled(), steps in steps()) {
        prop_assume!(!has_twins(&document));
        let text = document.text();
        let mut expected: Json = serde_json::from_str(&text).unwrap();
        remove(&mut expected, &steps);
        let edited = without(&text, pointer_of(&steps).as_str()).unwrap_or_else(|| text.clone());
        prop_assert_eq!(serde_json::from_str::<Json>(&edited).unwrap(), expected, "{} became {}", text, edited);
    }

    #[test]
    fn values_are_read_as_serde_reads_them(document in spelled(), steps in steps()) {
        let text = document.text();
        let mut expected = Vec::new();
        document.clone().places(&steps, &mut |place| expected.push(place.text()));
        let found = values(&text, &pointer_of(&steps)).unwrap();
        prop_assert_eq!(found.len(), expected.len());
        for (found, spelled) in found.iter().zip(expected) {
            let value: Json = serde_json::from_str(&spelled).unwrap();
            match found {
                Found::Null => prop_assert!(value.is_null()),
                Found::Bool(flag) => prop_assert_eq!(json!(flag), value),
                Found::Number(number) => prop_assert_eq!(*number, spelled),
                Found::Text(text) => prop_assert_eq!(Some(text.as_ref()), value.as_str()),
                Found::Array(text) => prop_assert!(value.is_array() && *text == spelled),
                Found::Object(text) => prop_assert!(value.is_object() && *text == spelled),
            }
        }
    }

    /// One byte of a document is deleted, inserted or changed. Both parsers agree whether the result is still JSON.
    #[test]
    fn what_is_no_json_is_refused(document in spelled(), place in any::<prop::sample::Index>(), how in 0..3_u8, byte in "[\\]\\[{}\",:\\\\0-9eE.+ tfn\u{1}-]") {
        let mut chars: Vec<char> = document.text().chars().collect();
        let place = place.index(chars.len());
        match how {
            0 => drop(chars.remove(place)),
            1 => chars.insert(place, byte.chars().next().unwrap()),
            _ => chars[place] = byte.chars().next().unwrap(),
        }
        let text: String = chars.into_iter().collect();
        let expected = serde_json::from_str::<Json>(&text);
        // Some values are JSON although `serde_json` cannot represent them.
        let is_spelling = expected.as_ref().is_err_and(|error| {
            let error = error.to_string();
            error.contains("out of range") || error.contains("surrogate") || error.contains("hex escape")
        });
        prop_assume!(!is_spelling);
        prop_assert_eq!(values(&text, &at("/a")).is_ok(), expected.is_ok(), "{}", text);
        prop_assert_eq!(values(&text, &at("")).is_ok(), expected.is_ok(), "{}", text);
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,60}|[\\[\\]{}\",:\\\\u0-9d8c]{0,40}", steps in steps()) {
        let _ = edit(&text, &pointer_of(&steps), |_| Some(Edit::Remove));
    }
}

#[test]
fn the_examples_of_rfc_6901_lead_where_it_says() {
    let text = r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}"#;
    let one = |pointer: &str| match values(text, &at(pointer)).unwrap().as_slice() {
        [Found::Number(number) | Found::Array(number) | Found::Object(number)] => (*number).to_owned(),
        [Found::Text(text)] => text.clone().into_owned(),
        other => panic!("{pointer} leads to {other:?}"),
    };
    for (pointer, value) in [
        ("", text),
        ("/foo", r#"["bar", "baz"]"#),
        ("/foo/0", "bar"),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        ("/i\\j", "5"),
        ("/k\"l", "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
    ] {
        assert_eq!(one(pointer), value, "{pointer}");
    }
    for nothing in ["/foo/2", "/foo/-", "/foo/00", "/foo/+0", "/foo/0/0", "/bar"] {
        assert_eq!(values(text, &at(nothing)).unwrap(), [], "{nothing}");
    }
}

#[test]
fn what_is_no_pointer_is_refused() {
    for (text, error) in [
        ("a", NotAPointer::NoSlash),
        ("a/b", NotAPointer::NoSlash),
        ("/a~", NotAPointer::Escape),
        ("/~3", NotAPointer::Escape),
        (&"/a".repeat(65), NotAPointer::TooLong),
    ] {
        assert_eq!(text.parse::<Pointer>(), Err(error), "{text}");
    }
    assert_eq!(at("/a/*").to_string(), "/a/*");
}

#[test]
fn a_star_can_be_meant_as_it_is() {
    let text = r#"{"*": 1, "b": 2}"#;
    assert_eq!(with_null(text, "/*").as_deref(), Some(r#"{"*": null, "b": null}"#));
    assert_eq!(with_null(text, "/~2").as_deref(), Some(r#"{"*": null, "b": 2}"#));
}

#[test]
fn a_member_that_is_there_twice_is_treated_twice() {
    let text = r#"{"name": "Maud", "n\u0061me": "Ashworth"}"#;
    assert_eq!(with_null(text, "/name").as_deref(), Some(r#"{"name": null, "n\u0061me": null}"#));
    assert_eq!(without(text, "/name").as_deref(), Some("{}"));
}

#[test]
fn the_layout_stays_when_something_goes() {
    let text = "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}";
    for (pointer, expected) in [
        ("/a", "{\n  \"b\": 2,\n  \"c\": 3\n}"),
        ("/b", "{\n  \"a\": 1,\n  \"c\": 3\n}"),
        ("/c", "{\n  \"a\": 1,\n  \"b\": 2\n}"),
        ("/*", "{\n  \n}"),
    ] {
        assert_eq!(without(text, pointer).as_deref(), Some(expected), "{pointer}");
    }
    assert_eq!(without(" [1] ", "").as_deref(), Some(" null "), "there is always a document");
    assert_eq!(without("[1]", "/3"), None);
}

/// Also if the value at the pointer comes before the error.
#[test]
fn half_a_document_is_never_edited() {
    for text in [
        "",
        " ",
        "{\"a\": 1",
        "{\"a\": 1} x",
        "\u{feff}{\"a\": 1}",
        "{\"a\": 1,}",
        "{a: 1}",
        "{'a': 1}",
        "{\"a\": 1, \"b\": NaN}",
        "{\"a\": 01}",
        "{\"a\": 1}}",
        "{\"a\": \"\u{1}\"}",
        "{\"a\" 1}",
        "[1 2]",
        "nul",
    ] {
        let edited = edit(text, &at("/a"), |_| Some(Edit::Remove));
        let error = edited.expect_err(text).to_string();
        assert!(error.starts_with("it is no JSON: ") && error.contains(" at byte "), "{error}");
    }
}

#[test]
fn depth_is_bounded_and_needs_no_stack() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(values(&nested(1_000), &at("/a")).is_ok());
    for hostile in [nested(1_200), "[".repeat(3_000_000), "{\"a\":".repeat(1_000_000)] {
        let error = values(&hostile, &at("/b/*")).unwrap_err().to_string();
        assert!(error.contains("deeper than 1000"), "{error}");
    }
}

#[test]
fn half_a_surrogate_pair_is_json_and_reads_as_no_character() {
    for (spelled, read) in [
        (r#""\ud800""#, "\u{fffd}"),
        (r#""\udc00x""#, "\u{fffd}x"),
        (r#""\ud800A""#, "\u{fffd}A"),
        (r#""\ud83d\ude00""#, "😀"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
    ] {
        assert_eq!(values(spelled, &at("")).unwrap(), [Found::Text(read.into())], "{spelled}");
    }
}

#[test]
fn people_are_found_however_their_letters_are_spelled() {
    for (text, expected) in [
        (r#""M\u00fcller, Zo\u00eb""#, r#""[x]""#),
        (
            r#""\u00c5terbetalning: Zoe\u0308 Mu\u0308ller\u0301 \ud83d\ude00\ud83d""#,
            r#""\u00c5terbetalning: [x] \ud83d\ude00\ud83d""#,
        ),
        (r#""\nAshworth\tcalled""#, r#""\n[x]\tcalled""#),
        (r#""\"Ashworth\"""#, r#""\"[x]\"""#),
        (r#"["\ud83d\ude00 020\/7946\/0018", 2079460018]"#, r#"["\ud83d\ude00 [x]", "[x]"]"#),
        // Names of members are searched like other texts. Each text is searched separately, and two names never
        // become the same.
        (
            r#"{"Maud Ashworth": {"Ashworth": 1}, "Maud": "grace"}"#,
            r#"{"[x]": {"[x] 2": 1}, "Maud": "grace"}"#,
        ),
        (r#"{"[x]": 1, "Ashworth": 2.0, "by Ashworth": 3}"#, r#"{"[x]": 1, "[x] 2": 2.0, "by [x]": 3}"#),
    ] {
        assert_eq!(redact(text, &at(""), &maud(), "[x]").unwrap().as_deref(), Some(expected), "{text}");
    }
    assert_eq!(redact(r#"{"a": "Ashworth"}"#, &at("/b"), &maud(), "[x]").unwrap(), None);
    let error = redact(r#"{"a": "Ashworth"} x"#, &at("/a"), &maud(), "[x]").unwrap_err();
    assert!(!error.to_string().contains("Ashworth"), "{error}");
    assert_eq!(redact(r#""Ashworth""#, &at(""), &maud(), "a \"b\"\n").unwrap().unwrap(), r#""a \"b\"\n""#);
}

#[test]
fn debug_shows_no_value() {
    let found = values(r#"["canary", 4711, true, ["canary"], {"canary": 1}]"#, &at("/*")).unwrap();
    let shown = format!("{found:?} {:?}", Edit::Write(json!("canary")));
    assert_eq!(shown, "[Text(…), Number(…), Bool(…), Array(…), Object(…)] Write(…)");
}
