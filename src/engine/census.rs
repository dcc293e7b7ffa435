//! The census: taken, kept, quoted in plans and certificates, and demanded before runs where the host wants that.

use std::sync::{Arc, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Engine, EngineBuilder, Error};
use crate::digest::Digest;
use crate::document::Problem;
use crate::store::{Census, TakeCensus};

/// How many problems of a census an error names.
const NAMED: usize = 5;

impl EngineBuilder {
    /// What counts all rows of the store, such as the SQLite store itself: for [`Engine::census`].
    #[must_use]
    pub fn takes_census(mut self, store: impl TakeCensus) -> Self {
        self.census.taker = Some(Arc::new(store));
        self
    }

    /// A census that an earlier process took and the host kept. Plans quote it until [`Engine::census`] takes another.
    #[must_use]
    pub fn last_census(mut self, census: Census) -> Self {
        self.census.last = Some(Arc::new(census));
        self
    }

    /// Plans and executions need a census that is at most so many days old, of the live schema, and without problems.
    /// Unless this is said, they need none.
    #[must_use]
    pub fn census_at_most(mut self, days: u32) -> Self {
        self.census.most_days = Some(days);
        self
    }
}

/// The census of an engine.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) taker: Option<Arc<dyn TakeCensus>>,
    last: Option<Arc<Census>>,
    /// How many days old the last census may be. None: no census is needed.
    pub(super) most_days: Option<u32>,
}

impl Kept {
    /// The last census, to be shared.
    pub(super) fn take_last(&mut self) -> Option<Arc<Census>> {
        self.last.take()
    }
}

impl Engine {
    /// Takes a census of the store and keeps it in this engine: plans and certificates made afterwards quote it.
    ///
    /// A host that wants the census to outlive the process keeps it, and gives it to
    /// [`EngineBuilder::last_census`].
    ///
    /// # Errors
    /// [`Error::Census`] if the builder was given no [`takes_census`](EngineBuilder::takes_census); a store out of reach,
    /// or one whose schema changed since it was opened.
    pub async fn census(&self) -> Result<Arc<Census>, Error> {
        let Some(taker) = &self.parts.census.taker else {
            return Err(Error::Census {
                why: "the engine has nothing that takes a census".to_owned(),
                way_out: "give EngineBuilder::takes_census a store, such as the SQLite store itself"
                    .to_owned(),
            });
        };
        let census = Arc::new(taker.census(self.parts.clock.now()).await?);
        let mut last = self.parts.last_census.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Arc::clone(&census));
        Ok(census)
    }

    /// The last census that this engine took or was given.
    pub fn last_census(&self) -> Option<Arc<Census>> {
        self.parts.last_census.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the last census found that no erasure reaches. A census under another data map says nothing of this one.
    pub(super) fn uncounted(&self) -> Vec<String> {
        let data_map = self.data_map().digest();
        let census = self.last_census().filter(|census| census.data_map == data_map);
        census.map_or_else(Vec::new, |census| census.not_covered())
    }

    /// Refuses to go on where the host demands a census and the last one does not do.
    pub(super) async fn needs_census(&self, now: DateTime<Utc>) -> Result<(), Error> {
        let Some(days) = self.parts.census.most_days else { return Ok(()) };
        let schema = match &self.parts.census.taker {
            Some(taker) => Some(taker.schema().await?),
            None => None,
        };
        self.census_does(days, schema, now)
    }

    fn census_does(&self, days: u32, schema: Option<Digest>, now: DateTime<Utc>) -> Result<(), Error> {
        let again = || "take a census: Engine::census".to_owned();
        let refused = |why: String, way_out: String| Err(Error::Census { why, way_out });
        let Some(census) = self.last_census() else {
            return refused("no census was taken".to_owned(), again());
        };
        if census.data_map != self.data_map().digest() {
            return refused("the last census was taken under another data map".to_owned(), again());
        }
        if schema.is_some_and(|schema| schema != census.schema) {
            return refused("the last census was taken of another schema".to_owned(), again());
        }
        let age = now.signed_duration_since(census.at);
        if age > TimeDelta::days(i64::from(days)) {
            let at = census.at.format("%F %H:%M UTC");
            let what = format!("the last census is of {at}, and may be at most {days} days old");
            return refused(what, again());
        }
        let problems = census.problems();
        let problems: Vec<&Problem> = problems.iter().collect();
        if !problems.is_empty() {
            let mut lines: Vec<String> =
                problems.iter().take(NAMED).map(|found| format!("- {found}")).collect();
            if problems.len() > NAMED {
                lines.push(format!("- and {} more", problems.len() - NAMED));
            }
            return refused(
                format!("the last census found rows that the map does not explain:\n{}", lines.join("\n")),
                "mend the map or the data, and take a census again: Engine::census".to_owned(),
            );
        }
        Ok(())
    }
}
