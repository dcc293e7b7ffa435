//! The host's own strategies. They give the same guarantees as the strategies of this crate.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Draw;
use crate::data_map::{Constraints, Kind, Value};

/// What the output of the host's own strategy may reveal about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnReveals {
    /// Nothing. [`OwnStrategy::general`] is never called.
    Nothing,
    /// Exactly what [`OwnStrategy::general`] gives.
    General,
}

/// The host's own strategy. A policy uses it with `{ own = "its name" }` for a kind of data or a field. It is found
/// in the [`Strategies`] that the host passes to [`check_with`](crate::PolicyDocument::check_with) and to
/// [`EngineBuilder::strategies`](crate::engine::EngineBuilder::strategies).
///
/// [`write`](Self::write) never gets the value, only its generalisation, or nothing. `testing::own_strategy` checks
/// the other promises on sample values.
///
/// ```
/// use chrono::NaiveDate;
/// use relinquish::anonymise::{Draw, OwnReveals, OwnStrategy};
/// use relinquish::data_map::{Constraints, Datatype, Kind, Value};
///
/// /// A membership card to its region, the first two letters: `SE-4711-3` becomes `SE-0000-0`.
/// #[derive(Debug)]
/// struct Region;
///
/// impl OwnStrategy for Region {
///     fn name(&self) -> &str {
///         "card_region"
///     }
///     fn version(&self) -> u32 {
///         1
///     }
///     fn describe(&self) -> String {
///         "the region of the card".to_owned()
///     }
///     fn suits(&self, _: Option<&Kind>, takes: &Constraints) -> Result<(), String> {
///         match takes {
///             Constraints { unique: true, .. } => Err("many cards have the same region".to_owned()),
///             Constraints { datatype: Datatype::Text | Datatype::Any, max_chars: None | Some(9..), .. } => Ok(()),
///             _ => Err("a card is a text of nine characters".to_owned()),
///         }
///     }
///     fn reveals(&self) -> OwnReveals {
///         OwnReveals::General
///     }
///     fn general(&self, value: &Value, _: NaiveDate) -> Option<Value> {
///         let (region, _) = value.as_text()?.split_once('-')?;
///         let fits = region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase());
///         fits.then(|| Value::from(region))
///     }
///     fn write(&self, general: Option<&Value>, _: &Draw<'_>) -> Value {
///         let region = general.and_then(Value::as_text).unwrap_or("XX");
///         Value::Text(format!("{region}-0000-0"))
///     }
///     fn holds(&self, value: &Value) -> bool {
///         value.as_text().is_some_and(|text| text.len() == 9 && text.ends_with("-0000-0"))
///     }
/// }
/// ```
pub trait OwnStrategy: Debug + Send + Sync + 'static {
    /// The name in policies. Open cases contain it, so it must not change between releases.
    fn name(&self) -> &str;

    /// The version. Increase it with every change of the output or of [`holds`](Self::holds). A plan contains it, so
    /// a plan that was approved under another version must be approved again. Customers who were erased under an
    /// earlier version are not recognised by their record any more. Records that they share with others then stay,
    /// and the log names the treatment.
    fn version(&self) -> u32;

    /// A short description of the output, for plans and certificates. It is the same for every value.
    fn describe(&self) -> String;

    /// Checks whether the output fits a field. `kind` is the field's kind of personal data, if any, and `takes` are
    /// the store's constraints. Called when a policy is checked, before anything runs. The error is the reason; the
    /// check reports it with the path.
    fn suits(&self, kind: Option<&Kind>, takes: &Constraints) -> Result<(), String>;

    /// What the output may reveal about a value.
    fn reveals(&self) -> OwnReveals;

    /// The generalisation of a value: the only part that the output may depend on. `None` if the value cannot be
    /// read. `day` is the day of the erasure.
    fn general(&self, value: &Value, day: NaiveDate) -> Option<Value>;

    /// Computes the output. It must depend only on the generalisation, the [place and its random bytes](Draw::bytes)
    /// and the day. It must not depend on earlier calls or on a clock.
    fn write(&self, general: Option<&Value>, draw: &Draw<'_>) -> Value;

    /// Whether a value is an output of this strategy, at any place and on any day. Must be true for all outputs, and
    /// false for all values to erase. A value for which it is true is not changed.
    fn holds(&self, value: &Value) -> bool;
}

/// The host's own strategies, by name.
#[derive(Clone, Debug, Default)]
pub struct Strategies {
    by_name: BTreeMap<String, Arc<dyn OwnStrategy>>,
    twice: Vec<String>,
}

impl Strategies {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a strategy. If two strategies have the same name, the check of a policy reports this.
    #[must_use]
    pub fn with(mut self, strategy: impl OwnStrategy) -> Self {
        let name = strategy.name().to_owned();
        if self.by_name.insert(name.clone(), Arc::new(strategy)).is_some() {
            self.twice.push(name);
        }
        self
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.by_name.keys().map(String::as_str)
    }

    /// The names that more than one strategy has.
    pub(crate) fn twice(&self) -> &[String] {
        &self.twice
    }

    /// The strategy with this name, in the form for treatments.
    pub fn get(&self, name: &str) -> Option<Own> {
        self.by_name.get(name).map(Own::of)
    }
}

/// The host's own strategy in a treatment. Serialised, it has its name, version and description. After loading, it
/// must be bound to the host's [`Strategies`] before it can be used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Own {
    name: String,
    version: u32,
    reveals: OwnReveals,
    describes: String,
    #[serde(skip)]
    held: Option<Arc<dyn OwnStrategy>>,
}

/// By what is saved.
impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.version, self.reveals, &self.describes)
            == (&other.name, other.version, other.reveals, &other.describes)
    }
}

impl Own {
    fn of(strategy: &Arc<dyn OwnStrategy>) -> Self {
        Self {
            name: strategy.name().to_owned(),
            version: strategy.version(),
            reveals: strategy.reveals(),
            describes: strategy.describe(),
            held: Some(Arc::clone(strategy)),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// What the output may reveal about a value.
    pub fn reveals(&self) -> OwnReveals {
        self.reveals
    }

    /// The description of the output.
    pub fn describe(&self) -> &str {
        &self.describes
    }

    pub(crate) fn suits(&self, kind: Option<&Kind>, takes: &Constraints) -> Result<(), String> {
        self.held.as_ref().map_or(Ok(()), |held| held.suits(kind, takes))
    }

    /// Whether the strategy was loaded and is not bound to the host's code.
    pub(crate) fn is_unbound(&self) -> bool {
        self.held.is_none()
    }

    /// Binds the strategy to the host's code.
    pub(crate) fn bound(&self, strategies: &Strategies) -> Result<Self, Unbound> {
        let (name, version) = (self.name.clone(), self.version);
        match strategies.get(&self.name) {
            Some(found) if found == *self => Ok(found),
            found => Err(Unbound { name, version, found: found.map(|found| found.version) }),
        }
    }

    /// The generalisation of a value.
    pub(super) fn general(&self, value: &Value, day: NaiveDate) -> Option<Value> {
        match (self.reveals, &self.held) {
            (OwnReveals::General, Some(held)) => held.general(value, day),
            _ => None,
        }
    }

    /// Computes the output. NULL if the strategy is not bound: this does not happen, because a store refuses such a
    /// treatment.
    pub(super) fn fresh(&self, old: &Value, draw: &Draw<'_>) -> Value {
        let general = self.general(old, draw.date);
        self.held.as_ref().map_or(Value::Null, |held| held.write(general.as_ref(), draw))
    }

    pub(super) fn holds(&self, value: &Value) -> bool {
        self.held.as_ref().is_some_and(|held| held.holds(value))
    }
}

/// The error that a loaded treatment needs a strategy that this program does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this program has no strategy {name}, version {version}{}; give it to EngineBuilder::strategies", instead(*.found))]
pub(crate) struct Unbound {
    pub(crate) name: String,
    pub(crate) version: u32,
    /// The version that this program has, if any.
    pub(crate) found: Option<u32>,
}

fn instead(version: Option<u32>) -> String {
    version.map_or_else(String::new, |version| format!(", but a version {version} of that name"))
}
