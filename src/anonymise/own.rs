//! Strategies of the host's own: what no strategy of this crate writes, under the same promises.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Draw;
use crate::data_map::{Constraints, Kind, Value};

/// What a strategy of the host's own may let know of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnReveals {
    /// Nothing. [`OwnStrategy::general`] is never asked.
    Nothing,
    /// Exactly what [`OwnStrategy::general`] gives.
    General,
}

/// A strategy of the host's own. A policy writes `{ own = "its name" }` for a kind of data or a field; it is looked up
/// in the [`Strategies`] that the host gives to [`check_with`](crate::PolicyDocument::check_with) and to
/// [`EngineBuilder::strategies`](crate::engine::EngineBuilder::strategies).
///
/// What is written never sees the value: [`write`](Self::write) gets its generalisation, or nothing. Whether a strategy
/// keeps its word all the same, `testing::own_strategy` checks, on values of the host's own.
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
    /// As policies spell it. Cases that are open hold it, so it stays the same from release to release.
    fn name(&self) -> &str;

    /// Counts up with every change of what is written or of what [`holds`](Self::holds). Plans bind it: one that was
    /// approved under another version has to be approved anew. Customers who were erased under an earlier version are no
    /// longer recognised by their record, and what they share with others stays; the log names the treatment.
    fn version(&self) -> u32;

    /// What becomes of a value, in a word or two, for plans and certificates. The same for every value.
    fn describe(&self) -> String;

    /// Whether it can be written to a field, by its kind of personal data, if any, and by what the store demands of its
    /// values. Asked when a policy is checked, before anything runs. If not: why, which the check says with the path.
    fn suits(&self, kind: Option<&Kind>, takes: &Constraints) -> Result<(), String>;

    /// What it may let know of a value.
    fn reveals(&self) -> OwnReveals;

    /// All that may be known of a value afterwards; `None` where it cannot be read. The day is that of the erasure.
    fn general(&self, value: &Value, day: NaiveDate) -> Option<Value>;

    /// What is written. It depends on the generalisation, the [place and its randomness](Draw::bytes) and the day, and
    /// on nothing else: nothing that was seen before, no clock.
    fn write(&self, general: Option<&Value>, draw: &Draw<'_>) -> Value;

    /// Whether a value is one that this strategy writes, at whatever place and on whatever day: true of all of them,
    /// and false of what it is to erase. A value of which it is true stays as it is.
    fn holds(&self, value: &Value) -> bool;
}

/// The strategies of a host's own, by name.
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

    /// With one more. Two of the same name are a problem that the check of a policy tells.
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

    /// Names that two strategies have.
    pub(crate) fn twice(&self) -> &[String] {
        &self.twice
    }

    /// The one of this name, as treatments hold it.
    pub fn get(&self, name: &str) -> Option<Own> {
        self.by_name.get(name).map(Own::of)
    }
}

/// A strategy of the host's own within a treatment. Saved, it is its name, its version and what it says of itself; read
/// back, it can do nothing until it is found again among the host's [`Strategies`].
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

    /// What it may let know of a value.
    pub fn reveals(&self) -> OwnReveals {
        self.reveals
    }

    /// What becomes of a value.
    pub fn describe(&self) -> &str {
        &self.describes
    }

    pub(crate) fn suits(&self, kind: Option<&Kind>, takes: &Constraints) -> Result<(), String> {
        self.held.as_ref().map_or(Ok(()), |held| held.suits(kind, takes))
    }

    /// Whether it was read back, and not found among the host's strategies since.
    pub(crate) fn is_unbound(&self) -> bool {
        self.held.is_none()
    }

    /// The same with the host's strategy in it.
    pub(crate) fn bound(&self, strategies: &Strategies) -> Result<Self, Unbound> {
        let (name, version) = (self.name.clone(), self.version);
        match strategies.get(&self.name) {
            Some(found) if found == *self => Ok(found),
            found => Err(Unbound { name, version, found: found.map(|found| found.version) }),
        }
    }

    /// All that may be known of a value.
    pub(super) fn general(&self, value: &Value, day: NaiveDate) -> Option<Value> {
        match (self.reveals, &self.held) {
            (OwnReveals::General, Some(held)) => held.general(value, day),
            _ => None,
        }
    }

    /// What is written. A store refuses a treatment whose strategies were not found, so nothing is written then; NULL
    /// if one did not.
    pub(super) fn fresh(&self, old: &Value, draw: &Draw<'_>) -> Value {
        let general = self.general(old, draw.date);
        self.held.as_ref().map_or(Value::Null, |held| held.write(general.as_ref(), draw))
    }

    pub(super) fn holds(&self, value: &Value) -> bool {
        self.held.as_ref().is_some_and(|held| held.holds(value))
    }
}

/// A treatment that was saved asks for a strategy that this program does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this program has no strategy {name}, version {version}{}; give it to EngineBuilder::strategies", instead(*.found))]
pub(crate) struct Unbound {
    pub(crate) name: String,
    pub(crate) version: u32,
    /// The version that there is.
    pub(crate) found: Option<u32>,
}

fn instead(version: Option<u32>) -> String {
    version.map_or_else(String::new, |version| format!(", but a version {version} of that name"))
}
