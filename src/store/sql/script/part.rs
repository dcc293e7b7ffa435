//! Ownerless records, one part at a time.

use super::Script;
use super::kept::Kept;
use crate::data_map::ClassName;
use crate::store::sql::bind::Bound;
use crate::store::sql::spelling::{columns, flag, listed, quoted};
use crate::store::sql::whose::{Set, Ways, handle_names, is_row, of_class};
use crate::treatment::{Ownerless, Treatment};

/// The statements that select ownerless rows, part by part.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The number of the class.
    pub(crate) number: usize,
    /// Selects the first rows. The parameter is their maximum number.
    pub(crate) first: String,
    /// Selects rows after a key. The parameters are their maximum number and then the key.
    pub(crate) after: String,
    /// Selects all rows.
    pub(crate) all: String,
    /// The key of the last selected row.
    pub(crate) last: String,
    /// The number of columns of the key.
    pub(crate) key: usize,
}

impl Script {
    /// The ownerless rows of a class: up to a number of them after a key, added to the selected rows.
    pub(crate) fn ownerless(
        bound: &Bound,
        treatment: &Treatment,
        class: &ClassName,
        which: Ownerless,
    ) -> Option<Part> {
        let number = bound.classes.iter().position(|bound| bound.name == *class)?;
        let class = bound.classes.get(number)?;
        let ways = Ways { bound };
        let is_ownerless = ways.is_ownerless(class, "x", which == Ownerless::GoneOrNone, 0);
        let (key, places) = (columns("x", &class.key), places(bound, 2, class.key.len()));
        let has_key: Vec<String> =
            class.key.iter().map(|column| format!("x.{} IS NOT NULL", quoted(column))).collect();
        let rows = of_class(bound, "x", &class.rows);
        let select = |gives: &str, after: &str, limit: &str| {
            format!(
                "SELECT {gives} FROM {} AS x WHERE {is_ownerless} AND {}{rows}{after} ORDER BY {}{limit}",
                bound.table(&class.table),
                has_key.join(" AND "),
                listed("x", &class.key),
            )
        };
        // The duties have the same numbers as in the script of the same treatment.
        let mut duties = Vec::new();
        let kept: Vec<Option<Kept<'_>>> =
            bound.classes.iter().map(|class| Kept::of(&ways, class, treatment, &mut duties)).collect();
        let whole = kept
            .get(number)
            .and_then(Option::as_ref)
            .map_or_else(|| "FALSE".to_owned(), |kept| kept.is_kept(&ways, "x"));
        let insert = |after: &str, limit: &str| {
            let gives = format!("{}, 0, {}", listed("x", &class.handle), flag(&whole));
            bound.dialect.add(
                &Set::Touched.of(bound, number),
                &format!("{}, n, whole", handle_names(class)),
                &select(&gives, after, limit),
            )
        };
        let after = format!(" AND {key} > {places}");
        let limit = format!(" LIMIT {}", bound.dialect.parameter(1));
        Some(Part {
            number,
            first: insert("", &limit),
            after: insert(&after, &limit),
            all: insert("", ""),
            key: class.key.len(),
            last: format!(
                "SELECT {0} FROM {1} AS relinquish_r{2} ORDER BY {3} LIMIT 1",
                listed("x", &class.key),
                Set::Touched.of(bound, number),
                bound.dialect.then(&bound.table(&class.table), "x", &is_row(class, "x", "relinquish_r")),
                class
                    .key
                    .iter()
                    .map(|column| format!("x.{} DESC", quoted(column)))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        })
    }
}

/// Parameters such as `?2` or `(?2, ?3)`.
fn places(bound: &Bound, first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|place| bound.dialect.parameter(place)).collect();
    if count == 1 { places.concat() } else { format!("({})", places.join(", ")) }
}
