//! The contract of a host's own strategy. A host runs it on sample values.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};

use super::law::{Broken, Law};
use crate::anonymise::{Draw, OwnReveals, OwnStrategy, Seed};
use crate::data_map::{ClassName, Constraints, Datatype, FieldName, Kind, RecordKey, Value};

/// The number of keys for which a strategy for a UNIQUE column must write different values.
const KEYS: usize = 200;

struct Places {
    class: ClassName,
    field: FieldName,
    seeds: [Seed; 2],
    keys: Vec<RecordKey>,
    day: NaiveDate,
}

impl Places {
    fn new() -> Self {
        Self {
            class: "class".into(),
            field: "field".into(),
            seeds: [1, 2].map(|byte| Seed::new([byte; 32])),
            keys: (0..KEYS).map(|n| RecordKey::new(n.to_string())).collect(),
            day: NaiveDate::from_ymd_opt(2018, 12, 15).unwrap_or_default(),
        }
    }

    /// Record places that differ in every part.
    fn some(&self) -> Vec<Draw<'_>> {
        let mut list = Vec::new();
        for (n, seed) in self.seeds.iter().enumerate() {
            for (attempt, key) in (0..).zip(self.keys.iter().take(3)) {
                let date = self.day + Days::new(400 * (n as u64));
                list.push(Draw { seed, class: &self.class, key, field: &self.field, attempt, date });
            }
        }
        list
    }
}

fn general(strategy: &dyn OwnStrategy, value: &Value, draw: &Draw<'_>) -> Option<Value> {
    match strategy.reveals() {
        OwnReveals::Nothing => None,
        OwnReveals::General => strategy.general(value, draw.date),
    }
}

/// The new value, computed in the same way as by a treatment.
fn treat(strategy: &dyn OwnStrategy, value: &Value, draw: &Draw<'_>) -> Value {
    if strategy.holds(value) {
        return value.clone();
    }
    strategy.write(general(strategy, value, draw).as_ref(), draw)
}

/// Checks the promises of [`OwnStrategy`] on sample values. The values must be realistic, all different, and not
/// erased. If the strategy reveals a generalisation, at least two values must have the same generalisation. Messages
/// show no value, only its number, counted from 1.
///
/// ```
/// # use relinquish::anonymise::{Draw, OwnReveals, OwnStrategy};
/// # use relinquish::data_map::{Constraints, Datatype, Kind, Value};
/// # #[derive(Debug)]
/// # struct Card;
/// # impl OwnStrategy for Card {
/// #     fn name(&self) -> &'static str { "card" }
/// #     fn version(&self) -> u32 { 1 }
/// #     fn describe(&self) -> String { "an empty card".to_owned() }
/// #     fn suits(&self, _: Option<&Kind>, takes: &Constraints) -> Result<(), String> {
/// #         let fits = takes.datatype == Datatype::Text && !takes.unique && takes.max_chars.is_none_or(|most| most > 5);
/// #         if fits { Ok(()) } else { Err("a card is a text".to_owned()) }
/// #     }
/// #     fn reveals(&self) -> OwnReveals { OwnReveals::Nothing }
/// #     fn general(&self, _: &Value, _: chrono::NaiveDate) -> Option<Value> { None }
/// #     fn write(&self, _: Option<&Value>, _: &Draw<'_>) -> Value { Value::from("0000-0") }
/// #     fn holds(&self, value: &Value) -> bool { value.as_text() == Some("0000-0") }
/// # }
/// use relinquish::testing;
///
/// testing::own_strategy(&Card, &["4711-3".into(), "9999-1".into()])?;
/// # Ok::<(), testing::Broken>(())
/// ```
///
/// # Errors
/// [`Broken`], with the law and an example. Also an error if the values are not sufficient.
pub fn own_strategy(strategy: &dyn OwnStrategy, values: &[Value]) -> Result<(), Broken> {
    let places = Places::new();
    let different =
        values.iter().enumerate().all(|(n, one)| !values.iter().take(n).any(|other| other == one));
    if values.len() < 2 || !different {
        return Err(Law::FixtureSuffices.broken("fewer than two values, or two that are the same"));
    }
    if strategy.name().trim().is_empty() || strategy.describe().trim().is_empty() {
        return Err(Law::StrategyNamed.broken("no name, or no word of what becomes of a value"));
    }
    for (n, value) in (1..).zip(values) {
        if strategy.holds(value) {
            return Err(Law::ValuesNotErased.broken(format!("value {n} does, and would stay")));
        }
    }
    depends_on_the_generalisation_alone(strategy, values, &places)?;
    for draw in places.some() {
        for (n, value) in (1..).zip(values) {
            let once = treat(strategy, value, &draw);
            if !strategy.holds(&once) {
                return Err(Law::WrittenErased.broken(format!("what it wrote for value {n} does not")));
            }
            // A second run, on another day and at another place, must not change the value.
            for again in places.some() {
                if treat(strategy, &once, &again) != once {
                    let found = format!("what it wrote for value {n} was changed again");
                    return Err(Law::ErasedStays.broken(found));
                }
            }
        }
    }
    fits_where_it_suits(strategy, values, &places)
}

/// Treats the values in two orders. Values with equal outputs in one order must have equal outputs in the other
/// order.
fn depends_on_the_generalisation_alone(
    strategy: &dyn OwnStrategy,
    values: &[Value],
    places: &Places,
) -> Result<(), Broken> {
    let mut pairs = 0_usize;
    for draw in places.some() {
        let first: Vec<_> = values
            .iter()
            .map(|value| (general(strategy, value, &draw), treat(strategy, value, &draw)))
            .collect();
        let mut second: Vec<_> = values.iter().rev().map(|value| treat(strategy, value, &draw)).collect();
        second.reverse();
        for (n, (known, written)) in first.iter().enumerate() {
            if second.get(n) != Some(written) {
                let found = format!("value {} came out otherwise the second time", n + 1);
                return Err(Law::NothingRemembered.broken(found));
            }
            for (m, (_, other)) in first.iter().enumerate().take(n).filter(|(_, (other, _))| other == known) {
                pairs += 1;
                if other != written {
                    let found = format!("values {} and {} do not", m + 1, n + 1);
                    return Err(Law::GeneralisationAlone.broken(found));
                }
            }
        }
    }
    if pairs == 0 {
        let found =
            "no two of the values have the same generalisation; give some that do, or make it more general";
        return Err(Law::KeepsLess.broken(found));
    }
    Ok(())
}

/// Checks that the output fits every kind of field that the strategy says it suits.
fn fits_where_it_suits(strategy: &dyn OwnStrategy, values: &[Value], places: &Places) -> Result<(), Broken> {
    let datatypes =
        [Datatype::Text, Datatype::Integer, Datatype::Real, Datatype::Numeric, Datatype::Blob, Datatype::Any];
    let rooms: Vec<Option<u32>> = (0..=64).chain([80, 128, 255]).map(Some).chain([None]).collect();
    let custom = Kind::Custom("x_any".to_owned());
    let kinds: Vec<Kind> = Kind::KNOWN.iter().filter_map(|name| name.parse().ok()).chain([custom]).collect();
    let mut suits_any = false;
    for datatype in datatypes {
        for max_chars in &rooms {
            for (nullable, unique) in [(true, false), (false, false), (true, true), (false, true)] {
                let takes = Constraints { nullable, unique, max_chars: *max_chars, datatype };
                let asked = kinds.iter().map(Some).chain([None]);
                if !asked.into_iter().any(|kind| strategy.suits(kind, &takes).is_ok()) {
                    continue;
                }
                suits_any = true;
                for draw in places.some() {
                    for (n, value) in (1..).zip(values) {
                        if let Some(why) = misfit(&treat(strategy, value, &draw), &takes) {
                            let found =
                                format!("for value {n} it wrote {why}, and the field takes {takes:?}");
                            return Err(Law::FitsWhereItSuits.broken(found));
                        }
                    }
                }
                if unique {
                    differ(strategy, values, places)?;
                }
            }
        }
    }
    Law::SuitsSome.hold(suits_any, format_args!("a strategy that suits no field"))
}

fn misfit(value: &Value, takes: &Constraints) -> Option<&'static str> {
    let is_right = match (takes.datatype, value) {
        (_, Value::Null) => return (!takes.nullable).then_some("NULL"),
        (Datatype::Any | Datatype::Numeric, _)
        | (Datatype::Text, Value::Text(_))
        | (Datatype::Integer | Datatype::Real, Value::Integer(_))
        | (Datatype::Real, Value::Real(_))
        | (Datatype::Blob, Value::Blob(_)) => true,
        _ => false,
    };
    let room = takes.max_chars.map_or(usize::MAX, |chars| usize::try_from(chars).unwrap_or(usize::MAX));
    if !is_right {
        Some("a value of another type")
    } else if value.as_text().is_some_and(|text| text.chars().count() > room) {
        Some("a longer text")
    } else {
        None
    }
}

fn differ(strategy: &dyn OwnStrategy, values: &[Value], places: &Places) -> Result<(), Broken> {
    let Some((seed, value)) = places.seeds.first().zip(values.first()) else { return Ok(()) };
    let mut drawn = BTreeSet::new();
    for key in &places.keys {
        let draw =
            Draw { seed, class: &places.class, key, field: &places.field, attempt: 0, date: places.day };
        let written = treat(strategy, value, &draw);
        // Two NULL values do not count as equal.
        let spelled = serde_json::to_string(&written).unwrap_or_default();
        if written != Value::Null && !drawn.insert(spelled) {
            let found = format!("the same value for two of {KEYS} records");
            return Err(Law::DiffersWhereItMust.broken(found));
        }
    }
    Ok(())
}
