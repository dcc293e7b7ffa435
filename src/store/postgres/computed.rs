//! Computes the values that a statement needs from Rust.

use std::collections::HashMap;

use chrono::{Datelike as _, NaiveDate};

use super::cells::{elements, of_json, text_of};
use crate::data_map::{DateForm, Value};
use crate::store::sql::values::{self, Bench, Failure, Unreadable, Working, compared};
use crate::store::sql::{Cell, Compare, DocumentShape, ReadAs, is_unsearchable};

/// What the computations of a session need.
#[derive(Clone, Debug)]
pub(super) struct Computing {
    pub(super) bench: Bench,
    /// The forms of all date fields, by their numbers in statements.
    pub(super) forms: std::sync::Arc<[DateForm]>,
    /// The shapes of all documents, by their numbers in statements.
    pub(super) shapes: std::sync::Arc<[DocumentShape]>,
}

/// Why a result could not be computed.
#[derive(Clone)]
pub(super) struct Refusal {
    pub(super) what: &'static str,
    pub(super) unreadable: Option<Unreadable>,
}

/// The computations that failed, by the digest of the question.
pub(super) type Refusals = HashMap<String, Refusal>;

const GARBLED: Failure = Failure::Ours("a question to Rust cannot be read");

/// A question: its numbers and its values. The kind of computation comes before it.
struct Asked<'a> {
    parts: std::vec::IntoIter<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(text: &'a str) -> Result<(&'a str, Self), Failure> {
        let mut parts = elements(text).ok_or(GARBLED)?.into_iter();
        let tag = parts.next().map(|tag| tag.trim_matches('"')).ok_or(GARBLED)?;
        Ok((tag, Self { parts }))
    }

    fn number<N: std::str::FromStr>(&mut self) -> Result<N, Failure> {
        self.parts.next().and_then(|number| number.parse().ok()).ok_or(GARBLED)
    }

    fn value(&mut self) -> Result<Value, Failure> {
        let (raw, of) = (self.parts.next().ok_or(GARBLED)?, self.parts.next().ok_or(GARBLED)?);
        Ok(of_json(raw, of.trim_matches('"')))
    }

    /// The rest: the values of a key.
    fn key(&mut self) -> Result<Vec<Value>, Failure> {
        let mut key = Vec::new();
        while self.parts.len() > 0 {
            key.push(self.value()?);
        }
        Ok(key)
    }
}

impl Computing {
    /// The result as text.
    pub(super) fn compute(&self, asked: &str) -> Result<Option<String>, Refusal> {
        let plain = |failure: Failure| match failure {
            Failure::Ours(what) => Refusal { what, unreadable: None },
            Failure::Unreadable(why) => Refusal { what: "a value cannot be read", unreadable: Some(why) },
        };
        let (tag, mut rest) = Asked::of(asked).map_err(plain)?;
        if matches!(tag, "nocase" | "normalised" | "unsearchable" | "no_date" | "misshapen") {
            return self.of_schema(tag, &mut rest).map_err(plain);
        }
        let result = values::with(&self.bench, |working| of_treatment(working, tag, &mut rest));
        result.map_err(|what| Refusal { what, unreadable: values::take_unreadable(&self.bench) })
    }

    /// Computations that need no treatment.
    fn of_schema(&self, tag: &str, rest: &mut Asked<'_>) -> Result<Option<String>, Failure> {
        Ok(match tag {
            "nocase" => compared(Compare::NoCase, Cell::from(&rest.value()?)),
            "normalised" => compared(Compare::Normalised, Cell::from(&rest.value()?)),
            "unsearchable" => {
                let read_as = ReadAs::ALL.get(rest.number::<usize>()?).ok_or(GARBLED)?;
                spelled(is_unsearchable(Cell::from(&rest.value()?), *read_as))
            }
            "misshapen" => {
                let shape = self.shapes.get(rest.number::<usize>()?).ok_or(GARBLED)?;
                spelled(shape.is_another(Cell::from(&rest.value()?)))
            }
            "no_date" => {
                let form = self.forms.get(rest.number::<usize>()?).ok_or(GARBLED)?;
                let day = NaiveDate::from_num_days_from_ce_opt(rest.number()?);
                let value = rest.value()?;
                spelled(form.read_stored(Cell::from(&value).stored(), day).is_unreadable())
            }
            _ => return Err(GARBLED),
        })
    }
}

/// A condition as PostgreSQL spells it.
#[expect(clippy::unnecessary_wraps, reason = "every other result may be NULL")]
fn spelled(is: bool) -> Option<String> {
    Some(if is { "t" } else { "f" }.to_owned())
}

fn of_treatment(working: &mut Working, tag: &str, rest: &mut Asked<'_>) -> Result<Option<String>, Failure> {
    let n = rest.number()?;
    // The customer's number comes before the value.
    let customer = match tag {
        "mentions" | "released" | "uncertain" => rest.number()?,
        _ => 0,
    };
    let (value, key) = (rest.value()?, rest.key()?);
    let (value, key) = (Cell::from(&value), key.iter().map(Cell::from));
    Ok(match tag {
        "value" => text_of(&working.value(n, value, key)?),
        "json" => text_of(&working.json(n, value, key)?),
        "release" => text_of(&working.release(n, value, key)?),
        "general" => text_of(&working.general(n, value)?),
        "holds" => spelled(working.holds(n, value)?),
        "json_holds" => spelled(working.json_holds(n, value, key)?),
        "mentions" => spelled(working.mentions(n, value, customer, key)?),
        "released" => spelled(working.is_released(n, value, customer, key)?),
        "uncertain" => Some(working.uncertain(n, value, customer)?.to_string()),
        "by_content" => Some(working.by_content(n, value)?.to_string()),
        "kept" => spelled(working.duty(n, value)?.keeps),
        "day" => working.duty(n, value)?.day.map(|day| day.num_days_from_ce().to_string()),
        "unreadable" => spelled(working.duty(n, value)?.is_unreadable),
        _ => return Err(GARBLED),
    })
}
