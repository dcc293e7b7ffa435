//! Changing documents, as trees and as text.

use fastrand::Rng;
use serde_json::{Map, Value, json};

const WORDS: &[&str] = &[
    "",
    " ",
    "name",
    "email",
    "id",
    "remove",
    "delete",
    "anonymise",
    "reassign",
    "token",
    "keep",
    "block",
    "off",
    "customer",
    "not personal",
    "free_text",
    "redact",
    "also",
    "iban",
    "emial",
    "maud@example.org",
    "blank",
    "otherwise",
    "empty",
    "generalise",
    "uk_area",
    "prefix",
    "smallest_group",
    "customers",
    "coarser",
    "constant",
    "placeholder",
    "digits",
    "x_",
    "x_own",
    "requested",
    "cancelled",
    "90 days",
    "-1 days",
    "P1Y",
    "P",
    "999999999999 years",
    "Europe/Stockholm",
    "Nowhere/At all",
    "{date}",
    "{now}",
    "{tenant}",
    "{",
    "}",
    "a.b",
    "a\"b",
    "ü",
    "İ",
    "\u{0}",
    "\u{202e}",
    "SELECT 1",
    "SELECT",
    "); DROP TABLE t; --",
    "/a/*/b",
    "/",
    "~",
    "02-29",
    "02-30",
    "SE/BFL/7:2",
    "true",
    "1",
];

/// An unusual scalar.
fn scalar(random: &mut Rng) -> Value {
    match random.u8(..9) {
        0 => Value::Null,
        1 => json!(random.bool()),
        2 => json!([0, 1, -1, 365, i64::MAX, i64::MIN][random.usize(..6)]),
        3 => json!([0.5, -0.0, 1e308, 5e-324][random.usize(..4)]),
        4 => json!(u64::MAX),
        5 => json!("x".repeat(1 << random.u8(..17))),
        _ => json!(WORDS[random.usize(..WORDS.len())]),
    }
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(nodes).sum(),
        Value::Object(table) => table.values().map(nodes).sum(),
        _ => 0,
    }
}

/// The n-th node, in the order of the document.
fn node<'v>(value: &'v mut Value, n: &mut usize) -> Option<&'v mut Value> {
    if *n == 0 {
        return Some(value);
    }
    *n -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| node(item, n)),
        Value::Object(table) => table.values_mut().find_map(|item| node(item, n)),
        _ => None,
    }
}

fn some_node<'v>(value: &'v mut Value, random: &mut Rng) -> &'v mut Value {
    let mut n = random.usize(..nodes(value));
    // The number of nodes was counted before.
    node(value, &mut n).unwrap()
}

/// A document with a few random changes.
pub(crate) fn tree(seeds: &[Value], random: &mut Rng) -> Value {
    let mut document = seeds[random.usize(..seeds.len())].clone();
    for _ in 0..=random.u8(..4) {
        let graft = some_node(&mut seeds[random.usize(..seeds.len())].clone(), random).clone();
        let target = some_node(&mut document, random);
        match random.u8(..8) {
            0 | 1 => *target = scalar(random),
            2 => *target = graft,
            3 => *target = json!([target.take()]),
            4 => {
                for _ in 0..random.u16(..300) {
                    *target =
                        if random.bool() { json!([target.take()]) } else { json!({ "a": target.take() }) };
                }
            }
            _ => match target {
                Value::Object(table) => in_table(table, graft, random),
                Value::Array(items) if !items.is_empty() => {
                    let at = random.usize(..items.len());
                    if random.bool() { drop(items.remove(at)) } else { items.push(graft) }
                }
                other => *other = scalar(random),
            },
        }
    }
    document
}

fn in_table(table: &mut Map<String, Value>, graft: Value, random: &mut Rng) {
    let keys: Vec<String> = table.keys().cloned().collect();
    let key = if keys.is_empty() { "a".to_owned() } else { keys[random.usize(..keys.len())].clone() };
    match random.u8(..4) {
        0 => drop(table.remove(&key)),
        1 => drop(table.insert(WORDS[random.usize(..WORDS.len())].to_owned(), graft)),
        2 => drop(table.insert(key, graft)),
        _ => {
            if let Some(value) = table.remove(&key) {
                let mut slip: Vec<char> = key.chars().collect();
                if slip.is_empty() {
                    slip.push('x');
                }
                let at = random.usize(..slip.len());
                if random.bool() {
                    slip.remove(at);
                } else {
                    slip.insert(at, 'e');
                }
                table.insert(slip.into_iter().collect(), value);
            }
        }
    }
}

/// Bytes with a few random changes.
pub(crate) fn bytes(seeds: &[&[u8]], random: &mut Rng) -> Vec<u8> {
    let mut input = seeds[random.usize(..seeds.len())].to_vec();
    for _ in 0..=random.u8(..6) {
        let len = input.len();
        let at = random.usize(..=len);
        let end = (at + random.usize(..40)).min(len);
        match random.u8(..7) {
            0 if at < len => input[at] ^= 1 << random.u8(..8),
            1 if at < len => {
                input[at] = *b"\n\"'[]{}=.,#\\\0\xff\xc3*/<>()-+09"[..].get(random.usize(..28)).unwrap_or(&0);
            }
            2 => drop(input.drain(at..end)),
            3 => {
                let part = input[at..end].to_vec();
                for _ in 0..1 << random.u8(..6) {
                    input.splice(at..at, part.iter().copied());
                }
            }
            4 => input.truncate(at),
            5 => {
                let other = seeds[random.usize(..seeds.len())];
                let from = random.usize(..=other.len());
                let to = (from + random.usize(..200)).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                let word = WORDS[random.usize(..WORDS.len())];
                input.splice(at..at, word.bytes());
            }
        }
        if input.len() > 1 << 20 {
            input.truncate(1 << 20);
        }
    }
    input
}
