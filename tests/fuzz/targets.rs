//! The fuzz targets, and their rules.

use std::cmp::Ordering;
use std::sync::OnceLock;

use fastrand::Rng;
use relinquish::anonymise::Strategy;
use relinquish::anonymise::document::{blank, is_blank};
use relinquish::anonymise::json::{Edit, Pointer, edit, redact, values};
use relinquish::anonymise::text::{Detector, Matcher, detect};
use relinquish::customer::Identifiers;
use relinquish::data_map::{Encoding, Kind};
use relinquish::store::StoreError;
use relinquish::{DataMap, PolicyDocument, Problems, RecordStore, SqlMap, SqliteStore};
use rusqlite::Connection;
use serde_json::Value;

use crate::mutate;

pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&mut Rng) -> Vec<u8>,
    /// Whether the input was accepted. The error says which rule is broken.
    pub(crate) try_it: fn(&[u8]) -> Result<bool, String>,
}

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "map", make: make_map, try_it: try_map },
    Target { name: "policy", make: make_policy, try_it: try_policy },
    Target { name: "json", make: make_json, try_it: try_json },
    Target { name: "text", make: make_text, try_it: try_text },
    Target { name: "pdf", make: make_pdf, try_it: try_pdf },
];

const MAPS: &[&str] =
    &[include_str!("../../examples/quickstart/map.toml"), include_str!("../../examples/chinook/map.toml")];
const POLICIES: &[&str] = &[
    include_str!("../../examples/quickstart/policy.toml"),
    include_str!("../../examples/chinook/policy.toml"),
    include_str!("../it/policy/situations/commerce.toml"),
    include_str!("../it/policy/situations/isp.toml"),
    include_str!("../it/policy/situations/telecom.toml"),
    include_str!("../it/policy/situations/ticketing.toml"),
    include_str!("../it/policy/situations/video.toml"),
    FIELDS,
];

/// The texts about single fields, for the quickstart's map.
const FIELDS: &str = r#"
version = 1
sweep = false
triggers.requested = { treatment = "clear" }
guards = { active_subscription = "block", several_tenants = "block", not_archived = "block" }

[anonymise]
name = "remove"
email = { token = "email" }
phone = { token = { digits = 16 } }
address = { truncate = 3 }
username = { placeholder = "gone {date} {token}" }
password = "invalidate"
free_text = { redact = "[removed]", also = ["email", "iban"] }
postcode = { generalise = "uk_postcode" }
city = { generalise = { prefix = 2 } }
document = { blank = { otherwise = "empty" } }

[treatments.clear]
customer = { action = "anonymise", keep = { postcode = "reporting" }, smallest_group = { customers = 20, coarser = { postcode = "uk_area" } } }
invoice = { action = "blank", otherwise = "delete", fields = { number = { constant = 7 } } }
order = { keep = "turnover" }
gateway.stripe = "erase"
"#;

fn trees(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| toml::from_str(text).unwrap()).collect()
}

/// Mutates a document as a tree in JSON or TOML, or as text in TOML.
fn document(texts: &'static [&'static str], trees: &[Value], random: &mut Rng) -> Vec<u8> {
    if random.u8(..3) == 0 {
        let seeds: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        return mutate::bytes(&seeds, random);
    }
    let tree = mutate::tree(trees, random);
    let as_toml = random.bool().then(|| toml::to_string(&tree).ok()).flatten();
    as_toml.unwrap_or_else(|| tree.to_string()).into_bytes()
}

/// Every problem has a path and a text.
fn said(problems: &Problems) -> Result<(), String> {
    let text = problems.to_string();
    if text.trim().is_empty() { Err("an error that says nothing".to_owned()) } else { Ok(()) }
}

fn both<T>(
    input: &[u8],
    from_toml: impl Fn(&str) -> Result<T, Problems>,
    from_json: impl Fn(&str) -> Result<T, Problems>,
) -> Result<Option<T>, String> {
    let Ok(text) = std::str::from_utf8(input) else { return Ok(None) };
    let json = from_json(text);
    let toml = from_toml(text);
    match (toml, json) {
        (Ok(read), _) | (_, Ok(read)) => Ok(Some(read)),
        (Err(toml), Err(json)) => {
            said(&toml)?;
            said(&json)?;
            Ok(None)
        }
    }
}

fn make_map(random: &mut Rng) -> Vec<u8> {
    static TREES: OnceLock<Vec<Value>> = OnceLock::new();
    document(MAPS, TREES.get_or_init(|| trees(MAPS)), random)
}

fn shop() -> &'static std::path::Path {
    static SHOP: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = SHOP.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("crm.sqlite")).unwrap();
        connection.execute_batch(include_str!("../../examples/quickstart/crm.sql")).unwrap();
        folder
    });
    folder.path()
}

/// A map that can be read is checked against a real database, which does not change.
fn try_map(input: &[u8]) -> Result<bool, String> {
    let Some(map) = both(input, SqlMap::from_toml, SqlMap::from_json)? else { return Ok(false) };
    match SqliteStore::open(shop().join("crm.sqlite"), &map) {
        Ok(store) => Ok(store.data_map().classes().count() > 0),
        Err(StoreError::Map(problems)) => said(&problems).map(|()| false),
        Err(other) => Err(format!("opening failed otherwise: {other}")),
    }
}

fn make_policy(random: &mut Rng) -> Vec<u8> {
    static TREES: OnceLock<Vec<Value>> = OnceLock::new();
    document(POLICIES, TREES.get_or_init(|| trees(POLICIES)), random)
}

fn data_map() -> &'static DataMap {
    static MAP: OnceLock<DataMap> = OnceLock::new();
    MAP.get_or_init(|| {
        let map = SqlMap::from_toml(MAPS[0]).unwrap();
        SqliteStore::open(shop().join("crm.sqlite"), &map).unwrap().data_map().clone()
    })
}

/// A policy that can be read is checked against a map, twice with the same result.
fn try_policy(input: &[u8]) -> Result<bool, String> {
    let read = || both(input, PolicyDocument::from_toml, PolicyDocument::from_json);
    let (Some(one), Some(other)) = (read()?, read()?) else { return Ok(false) };
    match (one.check(data_map()), other.check(data_map())) {
        (Ok(one), Ok(other)) if one.digest() == other.digest() => Ok(true),
        (Err(one), Err(other)) if one.to_string() == other.to_string() => said(&one).map(|()| false),
        _ => Err("the same policy is read in two ways".to_owned()),
    }
}

const POINTERS: &[&str] = &["", "/a", "/a/*", "/*", "/*/*/name", "/0", "/a~1b/~0", "/~2", "/name"];

fn make_json(random: &mut Rng) -> Vec<u8> {
    static TREES: OnceLock<Vec<Value>> = OnceLock::new();
    let trees = TREES.get_or_init(|| {
        let mut all = trees(POLICIES);
        all.push(
            serde_json::json!({ "a": [{ "name": "Maud" }, 1.50, null], "a/b": { "~": "x" }, "*": true }),
        );
        all.push(serde_json::json!({
            "name": "Maud Ashworth", "Ashworth, M.": [{ "name": "\u{5a}oë Straße \u{1f600} Zoë" }, "+46 70-123 45 67", 46_701_234_567_u64],
            "a": { "log": "maud.ashworth@example.org\n\u{0}\"Ed\"", "b": ["Maud", "Ashworth", null, 1e2] },
        }));
        all
    });
    let text = mutate::tree(trees, random).to_string();
    if random.bool() { text.into_bytes() } else { mutate::bytes(&[text.as_bytes()], random) }
}

/// Every text of a document, including the names of members.
fn each_text(document: &Value, tell: &mut impl FnMut(&str)) {
    match document {
        Value::String(text) => tell(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, tell)),
        Value::Object(table) => table.iter().for_each(|(name, item)| {
            tell(name);
            each_text(item, tell);
        }),
        _ => {}
    }
}

/// Mentions are removed from every text and every number of a document, and from nothing else. The result is a
/// document, no member is lost, and a second run changes nothing.
fn try_redact(text: &str, parsed: Option<&Value>, pointer: &Pointer) -> Result<(), String> {
    let said = |error: relinquish::anonymise::json::NotJson| format!("JSON is not redacted: {error}");
    let Some(less) = redact(text, pointer, people(), "[x]").map_err(said)? else { return Ok(()) };
    if redact(&less, pointer, people(), "[x]").map_err(said)?.is_some() {
        return Err(format!("{pointer}: something is found again"));
    }
    let Some(before) = parsed else { return Ok(()) };
    let after: Value =
        serde_json::from_str(&less).map_err(|error| format!("{pointer}: no JSON is left: {error}"))?;
    let mut left = 0;
    each_text(&after, &mut |text| left += usize::from(people().redact(text, "").text.is_some()));
    if pointer.as_str().is_empty() && left > 0 {
        return Err(format!("{left} texts still mention somebody"));
    }
    let shape = |document: &Value| {
        let (mut texts, mut rest) = (0, document.clone());
        spell_numbers(&mut rest);
        each_text(&rest, &mut |_| texts += 1);
        blank_texts(&mut rest);
        (texts, rest)
    };
    let (before, after) = (shape(before), shape(&after));
    // Of two members with the same name a reader takes the last. They may have different names afterwards.
    match after.0.cmp(&before.0) {
        Ordering::Less => Err(format!("{pointer}: a member or a text is lost")),
        Ordering::Equal if after != before => {
            Err(format!("{pointer}: something else than a text has changed"))
        }
        Ordering::Equal | Ordering::Greater => Ok(()),
    }
}

/// Numbers that mention a person become texts.
fn spell_numbers(document: &mut Value) {
    match document {
        Value::Number(number) => {
            let spelled = number.to_string();
            if people().redact(&spelled, "").text.is_some() {
                *document = Value::String(spelled);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_numbers),
        Value::Object(table) => table.values_mut().for_each(spell_numbers),
        _ => {}
    }
}

/// The document without its texts. The order of an object's members does not depend on their names.
fn blank_texts(document: &mut Value) {
    match document {
        Value::String(text) => text.clear(),
        Value::Array(items) => items.iter_mut().for_each(blank_texts),
        Value::Object(table) => {
            let mut items: Vec<Value> = table.values().cloned().collect();
            items.iter_mut().for_each(blank_texts);
            items.sort_by_cached_key(Value::to_string);
            *document = Value::Array(items);
        }
        _ => {}
    }
}

/// A text that is not JSON is refused, as `serde_json` refuses it. An edit removes the values and leaves valid JSON,
/// and redacting does too.
fn try_json(input: &[u8]) -> Result<bool, String> {
    let Ok(text) = std::str::from_utf8(input) else { return Ok(false) };
    let parsed = serde_json::from_str::<Value>(text);
    let mut taken = false;
    for pointer in POINTERS {
        let pointer: Pointer = pointer.parse().map_err(|error| format!("{error}"))?;
        let found = match values(text, &pointer) {
            Ok(found) => found,
            Err(error) if parsed.is_ok() && !error.to_string().contains("deep") => {
                return Err(format!("JSON is refused: {error}"));
            }
            Err(_) => continue,
        };
        taken = true;
        try_redact(text, parsed.as_ref().ok(), &pointer)?;
        let edited =
            edit(text, &pointer, |_| Some(Edit::Write(Value::Null))).map_err(|error| error.to_string())?;
        let after = edited.as_deref().unwrap_or(text);
        let again = values(after, &pointer).map_err(|error| format!("an edit left no JSON: {error}"))?;
        let outermost_gone = again.iter().all(|found| format!("{found:?}") == "Null");
        if !found.is_empty() && !outermost_gone {
            return Err(format!("{pointer} still leads to something: {again:?}"));
        }
    }
    Ok(taken)
}

fn people() -> &'static Matcher {
    static MATCHER: OnceLock<Matcher> = OnceLock::new();

    MATCHER.get_or_init(|| {
        let mut maud = Identifiers::new();
        maud.insert(Kind::Name, "Maud Ashworth");
        maud.insert(Kind::Email, "maud.ashworth@example.org");
        maud.insert(Kind::Phone, "+46701234567");
        let mut zoe = Identifiers::new();
        zoe.insert(Kind::Name, "Zoë Straße");
        zoe.insert(Kind::Name, "Ed");
        Matcher::new([&maud, &zoe]).unwrap()
    })
}

/// When the detectors of a policy have removed what they find, none of them finds anything any more.
fn try_detectors(text: &str) -> Result<(), String> {
    let strategy = Strategy::Redact {
        with: "[x]".to_owned(),
        max_chars: None,
        also: Detector::ALL.into_iter().collect(),
        names_alone: false,
        encoding: Encoding::Plain,
    };
    let less = strategy.redact(text, people());
    let left = less.as_deref().unwrap_or(text);
    if strategy.holds(&left.into()) { Ok(()) } else { Err("a detector still finds something".to_owned()) }
}

fn make_text(random: &mut Rng) -> Vec<u8> {
    const TEXTS: &[&str] = &[
        "Called Mr Ashworth (maud.ashworth@example.org, +46 70-123 45 67) about invoice 4711; Maud will be back.",
        "MAUD  ASHWORTH, M. Ashworth, Ashworth Maud; Straße Strasse STRASSE İstanbul ıstanbul; Edinburgh, Ed.",
        "ｍａｕｄ\u{200b}ashworth Zoë Zoe\u{308} ﬁle 100 % 5500 0000 0000 0004 GB82 WEST 1234 5698 7654 32 10.0.0.1",
    ];
    let seeds: Vec<&[u8]> = TEXTS.iter().map(|text| text.as_bytes()).collect();
    mutate::bytes(&seeds, random)
}

/// Places are inside the text, on character boundaries, and sorted by their starts (a name may be inside an address).
/// Certain mentions are covered, and the rest stays.
fn try_text(input: &[u8]) -> Result<bool, String> {
    let text = String::from_utf8_lossy(input);
    let matcher = people();
    try_detectors(&text)?;
    let mentions = matcher.find(&text);
    let mut start = 0;
    for mention in &mentions {
        if mention.range.start < start || text.get(mention.range.clone()).is_none_or(str::is_empty) {
            return Err(format!("a mention at {:?} after {start}", mention.range));
        }
        start = mention.range.start;
    }
    for detected in detect(&text) {
        if text.get(detected.range.clone()).is_none_or(str::is_empty) {
            return Err(format!("detected at {:?}", detected.range));
        }
    }
    let certain: Vec<_> = mentions.iter().filter(|mention| mention.is_certain).collect();
    let Some(redacted) = matcher.redact(&text, "\u{1}").text else {
        return if certain.is_empty() { Ok(false) } else { Err("what is certain stays".to_owned()) };
    };
    if text.contains('\u{1}') {
        return Ok(true);
    }
    // The remaining parts of the text are in order. Their length is that of the text outside the mentions, minus the
    // parts that join two names.
    let mut at = 0;
    for part in redacted.split('\u{1}').filter(|part| !part.is_empty()) {
        let found = text[at..].find(part).ok_or_else(|| format!("{part:?} is no part of the text"))?;
        at += found + part.len();
    }
    let covered =
        (0..text.len()).filter(|byte| certain.iter().any(|mention| mention.range.contains(byte))).count();
    let kept = redacted.replace('\u{1}', "").len();
    if kept + covered > text.len() || kept + covered + 2 * certain.len() < text.len() {
        return Err(format!("{kept} bytes are left where {covered} of {} were covered", text.len()));
    }
    Ok(true)
}

fn make_pdf(random: &mut Rng) -> Vec<u8> {
    const PLAIN: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2\
/MediaBox[0 0 595 842]/Rotate 90>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/CropBox[10 10 200 200]/UserUnit 2>>endobj\n\
4 0 obj<</Type/Page/Parent 2 0 R/Contents 5 0 R>>endobj\n5 0 obj<</Length 9>>stream\n(secret)Tj\nendstream endobj\n\
xref\n0 6\n0000000000 65535 f \n0000000009 00000 n \n0000000054 00000 n \n0000000147 00000 n \n0000000228 00000 n \n\
0000000287 00000 n \ntrailer<</Size 6/Root 1 0 R>>\nstartxref\n340\n%%EOF\n";
    const STREAMS: &[u8] = b"%PDF-1.5\n1 0 obj<</Type/ObjStm/N 2/First 10/Length 80/Filter/FlateDecode>>stream\nx\x9c\x03\x00\nendstream endobj\n\
2 0 obj<</Type/XRef/W[1 2 1]/Index[0 3]/Size 3/Root 1 0 R/Length 12>>stream\n\x00\x00\x00\xff\x01\x00\x09\x00\x02\x00\x01\x00\nendstream endobj\nstartxref\n110\n%%EOF";
    mutate::bytes(&[PLAIN, STREAMS], random)
}

/// A blank document is valid, and contains nothing of the old one.
fn try_pdf(input: &[u8]) -> Result<bool, String> {
    match blank(input) {
        Ok(blanked) if !is_blank(&blanked) => Err("what was written is not blank".to_owned()),
        Ok(blanked) if blanked.windows(6).any(|window| window == b"secret") => {
            Err("content survives".to_owned())
        }
        Ok(_) => Ok(true),
        Err(error) if error.to_string().is_empty() => Err("an error that says nothing".to_owned()),
        Err(_) => Ok(false),
    }
}
