//! Strategies that break one law each. Those that leak are in `own_strategies.rs`.

use std::sync::atomic::{AtomicU32, Ordering};

use chrono::NaiveDate;
use relinquish::anonymise::{Draw, OwnReveals, OwnStrategy};
use relinquish::data_map::{Constraints, Datatype, Kind, Value};
use relinquish::testing::{self, Law};

use super::assert_caught;

pub(super) const CAUGHT: &[Law] =
    &[Law::StrategyNamed, Law::NothingRemembered, Law::ErasedStays, Law::SuitsSome];

/// The laws that `a_strategy_that_leaks_or_breaks_its_word_in_another_way_is_caught` tests, which reads this list.
pub(crate) const CAUGHT_ELSEWHERE: &[Law] = &[
    Law::GeneralisationAlone,
    Law::KeepsLess,
    Law::ValuesNotErased,
    Law::WrittenErased,
    Law::FitsWhereItSuits,
    Law::DiffersWhereItMust,
];

#[test]
fn whoever_breaks_a_law_is_caught_at_it() {
    let values: Vec<Value> = ["maud-1", "theo-2", "ines-3"].map(Value::from).into();
    let wrong = |law| Wrong { law, asked: AtomicU32::new(0), held: AtomicU32::new(0) };
    // Without a breach, the strategy keeps all laws.
    testing::own_strategy(&wrong(Law::FixtureSuffices), &values).unwrap();
    for law in CAUGHT {
        assert_caught(*law, testing::own_strategy(&wrong(*law), &values));
    }
}

/// Writes the same text for everybody, and breaks one law.
#[derive(Debug)]
struct Wrong {
    law: Law,
    asked: AtomicU32,
    held: AtomicU32,
}

impl OwnStrategy for Wrong {
    fn name(&self) -> &'static str {
        if self.law == Law::StrategyNamed { " " } else { "wrong" }
    }

    fn version(&self) -> u32 {
        1
    }

    fn describe(&self) -> String {
        "an empty card".to_owned()
    }

    fn suits(&self, _: Option<&Kind>, takes: &Constraints) -> Result<(), String> {
        let fits = takes.datatype == Datatype::Text
            && !takes.unique
            && takes.max_chars.is_none_or(|most| most >= 10);
        if fits && self.law != Law::SuitsSome { Ok(()) } else { Err("a card is a text".to_owned()) }
    }

    fn reveals(&self) -> OwnReveals {
        OwnReveals::Nothing
    }

    fn general(&self, _: &Value, _: NaiveDate) -> Option<Value> {
        None
    }

    fn write(&self, _: Option<&Value>, _: &Draw<'_>) -> Value {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        match self.law {
            // The first round of values has one result, and all later rounds have another.
            Law::NothingRemembered if asked < 3 => Value::from("erased-0"),
            Law::ErasedStays if self.held.load(Ordering::SeqCst) > 0 => Value::from("erased-1"),
            _ => Value::from("erased"),
        }
    }

    fn holds(&self, value: &Value) -> bool {
        let is_erased = value.as_text().is_some_and(|text| text.starts_with("erased"));
        // It recognises its own values only the first time.
        let is_first = is_erased && self.held.fetch_add(1, Ordering::SeqCst) == 0;
        is_erased && (is_first || self.law != Law::ErasedStays)
    }
}
