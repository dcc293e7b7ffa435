//! Random wrong maps: the next check accepts everything that a problem suggests to paste or to write.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use relinquish::Problem;
use toml::{Table, Value};

use super::paste::{self, Database, Dice, filled_in};

/// The path of a value in a map: keys, and positions in lists.
type Place = Vec<String>;

/// All paths of a map, each with its value.
fn places(value: &Value, at: &[String], found: &mut Vec<(Place, Value)>) {
    if !at.is_empty() {
        found.push((at.to_vec(), value.clone()));
    }
    let mut go = |key: String, value: &Value| places(value, &[at, &[key]].concat(), found);
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| go(key.clone(), value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, value)| go(n.to_string(), value)),
        _ => {}
    }
}

fn place_of<'v>(value: &'v mut Value, at: &[String]) -> Option<&'v mut Value> {
    at.iter().try_fold(value, |value, key| match value {
        Value::Table(table) => table.get_mut(key),
        Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// A word with one letter removed, added or changed.
fn slip(word: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.is_empty() {
        return "x".to_owned();
    }
    let at = usize::try_from(dice.below(letters.len() as u64)).unwrap();
    match dice.below(4) {
        0 if letters.len() > 1 => drop(letters.remove(at)),
        1 => letters.insert(at, 'q'),
        2 => letters[at] = 'z',
        _ => letters.swap(at, at.saturating_sub(1)),
    }
    letters.into_iter().collect()
}

/// A mistake in a map, and what the check is expected to say.
struct Mistake {
    map: Value,
    /// The path of a misspelled text, and the original text.
    misspelled: Option<(Place, String)>,
    what: String,
}

fn mistake(map: &Value, dice: &mut Dice) -> Mistake {
    let mut all = Vec::new();
    places(map, &[], &mut all);
    let mut pick = || all[usize::try_from(dice.below(all.len() as u64)).unwrap()].clone();
    let ((at, value), (_, other)) = (pick(), pick());
    let (key, above) = at.split_last().unwrap();
    let mut wrong = map.clone();
    let mut misspelled = None;
    let what = match (dice.below(5), &value) {
        (0 | 1, Value::String(text)) => {
            let slipped = slip(text, dice);
            misspelled = Some((at.clone(), text.clone()));
            *place_of(&mut wrong, &at).unwrap() = Value::String(slipped.clone());
            format!("{}: {text} is {slipped}", at.join("."))
        }
        (2, _) => {
            *place_of(&mut wrong, &at).unwrap() = other.clone();
            format!("{} is {other}", at.join("."))
        }
        (3, _) => {
            *place_of(&mut wrong, &at).unwrap() = Value::Array(vec![value.clone()]);
            format!("{} is in a list", at.join("."))
        }
        (n, _) => match place_of(&mut wrong, above).unwrap() {
            Value::Table(table) => {
                let value = table.remove(key).unwrap();
                if n == 4 {
                    format!("{} is gone", at.join("."))
                } else {
                    let slipped = slip(key, dice);
                    table.insert(slipped.clone(), value);
                    format!("{}: the key is {slipped}", at.join("."))
                }
            }
            Value::Array(items) => {
                items.remove(key.parse::<usize>().unwrap());
                format!("{} is gone", at.join("."))
            }
            _ => unreachable!("only tables and lists have places"),
        },
    };
    Mistake { map: wrong, misspelled, what }
}

/// A map with lines inserted below their headers.
fn with_lines(map: &Value, lines: &str) -> Value {
    let mut map = map.clone();
    let mut header: Place = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let read: Table = toml::from_str(line).unwrap_or_else(|error| panic!("{error}\n{line}"));
        let mut all = Vec::new();
        places(&Value::Table(read.clone()), &[], &mut all);
        if line.starts_with('[') {
            header = all.pop().map(|(place, _)| place).unwrap();
            continue;
        }
        let mut table = &mut map;
        for key in &header {
            let Value::Table(inner) = table else { panic!("{header:?} is no table") };
            table = inner.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
        }
        let Value::Table(table) = table else { panic!("{header:?} is no table") };
        table.extend(read);
    }
    map
}

fn said(problems: &[Problem]) -> BTreeSet<(String, String)> {
    problems.iter().map(|problem| (problem.path.clone(), problem.what.clone())).collect()
}

fn text(map: &Value) -> String {
    toml::to_string(map).unwrap()
}

/// Pastes everything that the check suggests, until there is nothing more to paste. Returns the number of pasted
/// lines.
fn follow(database: &Database, wrong: &Mistake, dice: &mut Dice) -> Result<u64, String> {
    let mut map = wrong.map.clone();
    for pasted in 0..8 {
        let problems = database.problems(&text(&map));
        let known = said(&problems);
        let Some((problem, lines)) =
            problems.iter().find_map(|problem| Some((problem, problem.paste.as_ref()?)))
        else {
            return Ok(pasted);
        };
        let choice = usize::try_from(dice.below(3)).unwrap();
        let mended = with_lines(&map, &filled_in(lines, choice));
        let after = database.problems(&text(&mended));
        let is_new = |one: &&Problem| {
            let same_place =
                one.path == problem.path && !known.contains(&(one.path.clone(), one.what.clone()));
            let same = one.path == problem.path && one.what == problem.what;
            same || same_place || known.iter().all(|(path, _)| *path != one.path)
        };
        if let Some(next) = after.iter().find(is_new) {
            let mut said = String::new();
            let _ = write!(said, "{}\n{problem}\n{lines}\nleads to\n{next}", wrong.what);
            return Err(said);
        }
        map = mended;
    }
    Err(format!("{}: there are always more lines to paste", wrong.what))
}

/// Writes the suggested word, and checks that the problem is gone.
fn take_the_hint(database: &Database, wrong: &Mistake) -> Result<bool, String> {
    let problems = database.problems(&text(&wrong.map));
    let (Some((place, right)), [problem]) = (&wrong.misspelled, problems.as_slice()) else {
        return Ok(false);
    };
    let Some((_, hint)) = problem.way_out.split_once("did you mean ") else { return Ok(false) };
    let (hint, _) = hint.split_once('?').unwrap();
    // In `class.column` the suggestion is only for the wrong half.
    let halves = |text: &str| text.split_once('.').map(|(one, other)| (one.to_owned(), other.to_owned()));
    let meant = match halves(right) {
        Some((class, column)) if hint == column || hint == class => format!("{class}.{column}"),
        Some(_) => return Ok(false),
        None => hint.to_owned(),
    };
    let mut mended = wrong.map.clone();
    *place_of(&mut mended, place).unwrap() = Value::String(meant);
    let after = database.problems(&text(&mended));
    match after.iter().find(|one| one.path == problem.path) {
        Some(next) => Err(format!("{}\n{problem}\nleads to\n{next}", wrong.what)),
        None => Ok(true),
    }
}

fn try_maps(schema: &str, map: &str, seed: u64, times: u64) -> (u64, u64, Vec<String>) {
    let database = Database::new(schema);
    assert_eq!(database.problems(map), []);
    let map = Value::Table(toml::from_str(map).unwrap());
    let mut dice = Dice(seed);
    let (mut pasted, mut hints, mut wrong) = (0, 0, Vec::new());
    for _ in 0..times {
        let mistake = mistake(&map, &mut dice);
        match follow(&database, &mistake, &mut dice) {
            Ok(lines) => pasted += lines,
            Err(why) => wrong.push(why),
        }
        match take_the_hint(&database, &mistake) {
            Ok(hint) => hints += u64::from(hint),
            Err(why) => wrong.push(why),
        }
    }
    (pasted, hints, wrong)
}

#[test]
fn whatever_is_said_of_a_wrong_map_leads_to_a_right_one() {
    let times: u64 = std::env::var("WRONG_MAPS").ok().map_or(250, |times| times.parse().unwrap());
    let (mut pasted, mut hints, mut wrong) = (0, 0, Vec::new());
    for (n, (schema, map)) in [
        (paste::SHOP, paste::MAP),
        (paste::SHARED, paste::SHARED_MAP),
        (super::shop45::SCHEMA, super::shop45::MAP),
    ]
    .into_iter()
    .enumerate()
    {
        let found = try_maps(schema, map, 12 + n as u64, times);
        pasted += found.0;
        hints += found.1;
        wrong.extend(found.2);
    }
    assert!(wrong.is_empty(), "{} of them\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(pasted > times / 4 && hints > times / 8, "{pasted} lines were pasted, and {hints} hints taken");
}

/// The test notices suggested lines that cause the next error.
#[test]
fn lines_that_lead_into_the_next_error_are_found_out() {
    let database = Database::new(paste::SHOP);
    let mut map = Value::Table(toml::from_str(paste::MAP).unwrap());
    let at = ["records", "address", "owner"].map(str::to_owned);
    *place_of(&mut map, &at).unwrap() = Value::String("clientid".to_owned());
    let before = database.problems(&text(&map));
    let lines = before[0].paste.clone().unwrap();
    assert_eq!(database.problems(&text(&with_lines(&map, &lines))), []);
    let bad = with_lines(&map, &lines.replace("client_id", "street"));
    assert_eq!(
        database.problems(&text(&bad)).first().map(|next| next.path.as_str()),
        Some("records.address.owner")
    );
}
