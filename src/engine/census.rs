//! Takes and records the census. Plans and certificates quote it. Without a valid census nothing is planned or
//! erased.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Engine, EngineBuilder, Error};
use crate::data_map::{ClassName, DataMap, Link, LinkRole, RecordClass};
use crate::digest::Digest;
use crate::document::{Problem, Problems};
use crate::ledger::{EntryBody, EntryKey, Find};
use crate::plan::acting;
use crate::policy::Policy;
use crate::store::{Census, CensusRequest, Explained, TakeCensus};
use crate::treatment::{Ownerless, Treatment};

/// The maximum number of census problems that an error names.
const NAMED: usize = 5;
/// The default for the maximum age of a census, in days.
pub(super) const DAYS: u32 = 30;

impl EngineBuilder {
    /// Sets the maximum age of a census, in days. The default is 30.
    ///
    /// If a store [takes a census](crate::store::RecordStore::takes_census), the engine plans and erases there only
    /// after a census. The census must be recent, it must be of the live schema, and it must find no unexplained
    /// rows. See [`Engine::census`].
    #[must_use]
    pub fn census_at_most(mut self, days: u32) -> Self {
        self.census_days = days;
        self
    }
}

/// The result of the last census, as it is valid at one instant.
pub(super) struct Counted<'e> {
    data_map: &'e DataMap,
    policy: &'e Policy,
    /// `None`: the store needs no census.
    found: Option<Result<Arc<Census>, String>>,
    /// The last treatment that was allowed. Consecutive customers mostly have the same treatment.
    allowed: Option<Arc<Treatment>>,
}

impl Counted<'_> {
    /// Refuses a treatment if the census does not show that the map reaches all of its records.
    pub(super) fn allows(&mut self, treatment: &Arc<Treatment>) -> Result<(), Error> {
        if self.allowed.as_ref().is_some_and(|allowed| Arc::ptr_eq(allowed, treatment)) {
            return Ok(());
        }
        self.judge(treatment)?;
        self.allowed = Some(Arc::clone(treatment));
        Ok(())
    }

    fn judge(&self, treatment: &Treatment) -> Result<(), Error> {
        let acted_on = acting(treatment).map(|(class, _)| class);
        let concerned = with_owning_classes(self.data_map, acted_on);
        let census = match &self.found {
            None => return Ok(()),
            Some(_) if concerned.is_empty() => return Ok(()),
            Some(Ok(census)) => census,
            Some(Err(why)) => {
                let (why, way_out) = (why.clone(), "take a census: Engine::census".to_owned());
                return Err(Error::Census { why, way_out });
            }
        };
        let problems = census.problems_of(|class| {
            if concerned.contains(class) { explained(self.policy, class) } else { Explained::all() }
        });
        let problems: Vec<&Problem> = problems.iter().collect();
        if problems.is_empty() {
            return Ok(());
        }
        let mut lines: Vec<String> = problems.iter().take(NAMED).map(|found| format!("- {found}")).collect();
        if problems.len() > NAMED {
            lines.push(format!("- and {} more", problems.len() - NAMED));
        }
        Err(Error::Census {
            why: format!("the last census found rows that the map does not explain:\n{}", lines.join("\n")),
            way_out: "mend the map or the data, and take a census again: Engine::census".to_owned(),
        })
    }

    /// The rows that the census found and that no erasure reaches.
    pub(super) fn not_covered(&self) -> Vec<crate::data_map::NotCovered> {
        match &self.found {
            Some(Ok(census)) => census.not_covered(),
            Some(Err(_)) | None => Vec::new(),
        }
    }
}

/// The classes, and the classes that their links lead to, up to the customer. A record is reached only through these
/// classes.
fn with_owning_classes<'c>(
    data_map: &'c DataMap,
    classes: impl Iterator<Item = &'c ClassName>,
) -> BTreeSet<&'c ClassName> {
    let mut all = BTreeSet::new();
    let mut todo: Vec<&ClassName> = classes.collect();
    while let Some(name) = todo.pop() {
        if !all.insert(name) {
            continue;
        }
        let links = data_map.class(name.as_str()).into_iter().flat_map(RecordClass::links);
        todo.extend(links.filter(|link| link.role() != LinkRole::End).map(Link::to));
        let holders = data_map
            .classes()
            .filter(|class| class.links().iter().any(|link| link.is_holding() && link.to() == name));
        todo.extend(holders.map(RecordClass::name));
    }
    all
}

/// Whether the policy explains ownerless records of a class. It does so if such records expire.
fn explained(policy: &Policy, class: &ClassName) -> Explained {
    let rule = policy.ownerless().and_then(|ownerless| ownerless.said(class));
    match rule {
        None => Explained::default(),
        Some(Ownerless::Gone) => Explained { gone: true, ..Explained::default() },
        Some(Ownerless::GoneOrNone) => Explained { gone: true, nobody: true, ..Explained::default() },
    }
}

/// What a census has to count for a policy. Of the dates, the census counts only those that a duty or an expiry uses.
pub fn census_request(policy: &Policy, data_map: &DataMap, at: DateTime<Utc>) -> CensusRequest {
    let mut request = CensusRequest::new(at);
    for (class, field) in policy.date_fields() {
        for holder in with_owning_classes(data_map, std::iter::once(&class)) {
            if data_map.class(holder.as_str()).is_some_and(|class| class.find(field.as_str()).is_some()) {
                request = request.date(holder.clone(), field.clone());
            }
        }
    }
    request
}

/// The rows of a census for which neither the map nor the policy gives a reason.
pub fn census_problems(census: &Census, policy: &Policy) -> Problems {
    census.problems_of(|class| explained(policy, class))
}

impl Engine {
    /// Takes a census of the store and records it in the ledger. Later plans and certificates quote it.
    ///
    /// If a store [takes a census](crate::store::RecordStore::takes_census), the engine plans and erases there only
    /// after a census. The census must be at most [30 days](EngineBuilder::census_at_most) old, of the live schema,
    /// and under the same data map. If the table of a class has rows that the map does not explain, no plan may treat
    /// this class. A census reads whole tables. Take it when you put a map to use, and from time to time.
    /// [`plan_expiry`](Self::plan_expiry) reads all customers, so it takes a census itself.
    ///
    /// # Errors
    /// [`Error::Census`] if the store takes no census. A store or ledger out of reach. A schema that has changed
    /// since the store was opened.
    pub async fn census(&self) -> Result<Arc<Census>, Error> {
        let Some(taker) = self.parts.store.takes_census() else {
            return Err(Error::Census {
                why: "the store takes no census".to_owned(),
                way_out: "plan without a census: in this store every record belongs to somebody".to_owned(),
            });
        };
        let request = census_request(&self.parts.policy, self.data_map(), self.parts.clock.now());
        let census = taker.census(&request).await?;
        self.parts.ledger.append(&[EntryBody::Counted(Arc::new(census.for_the_ledger()))]).await?;
        tracing::info!(clean = census.is_clean(), "census taken");
        Ok(Arc::new(census))
    }

    /// Takes a census, unless the last census is still valid or the store takes no census. Call this when a host
    /// starts, or before the day's work. This method does not check what the census found.
    ///
    /// # Errors
    /// As [`census`](Self::census).
    pub async fn ensure_census(&self) -> Result<(), Error> {
        let counted = self.counted(self.parts.clock.now()).await?;
        if matches!(counted.found, Some(Err(_))) {
            self.census().await?;
        }
        Ok(())
    }

    /// The last census of this database that was recorded under this data map.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn last_census(&self) -> Result<Option<Arc<Census>>, Error> {
        let database = self.parts.store.takes_census().and_then(TakeCensus::database);
        let find = Find::last(EntryKey::census(self.data_map().digest(), database));
        let entry = self.parts.ledger.find(&find).await?.pop();
        Ok(entry.and_then(|entry| match entry.body {
            EntryBody::Counted(census) => Some(census),
            _ => None,
        }))
    }

    /// The last census, if plans may rely on it now. `None` if the store takes none.
    ///
    /// # Errors
    /// [`Error::Census`] with the reason: there is no census, it is too old, or it was taken of another schema.
    /// [`StoreError::Drift`](crate::store::StoreError::Drift) if the schema has changed since the store was opened. A
    /// store or ledger out of reach.
    pub async fn valid_census(&self) -> Result<Option<Arc<Census>>, Error> {
        match self.counted(self.parts.clock.now()).await?.found {
            None => Ok(None),
            Some(Ok(census)) => Ok(Some(census)),
            Some(Err(why)) => Err(Error::Census { why, way_out: "take a census: Engine::census".to_owned() }),
        }
    }

    /// The result of the last census.
    pub(super) async fn counted(&self, now: DateTime<Utc>) -> Result<Counted<'_>, Error> {
        let found = match self.parts.store.takes_census() {
            None => None,
            Some(taker) => {
                let schema = taker.schema().await?;
                let last = self.last_census().await?;
                Some(self.usable(last, schema, now))
            }
        };
        Ok(Counted { data_map: self.data_map(), policy: &self.parts.policy, found, allowed: None })
    }

    /// The result of a census taken now, for runs that read all customers anyway.
    pub(super) async fn count_now(&self) -> Result<Counted<'_>, Error> {
        let found = match self.parts.store.takes_census() {
            None => None,
            Some(_) => Some(Ok(self.census().await?)),
        };
        Ok(Counted { data_map: self.data_map(), policy: &self.parts.policy, found, allowed: None })
    }

    /// The last census, or why it cannot be used.
    fn usable(
        &self,
        last: Option<Arc<Census>>,
        schema: Digest,
        now: DateTime<Utc>,
    ) -> Result<Arc<Census>, String> {
        let days = self.parts.census_days;
        let Some(census) = last else {
            return Err("no census was taken of this database under this data map".to_owned());
        };
        if schema != census.schema {
            return Err("the last census was taken of another schema".to_owned());
        }
        if now.signed_duration_since(census.at) > TimeDelta::days(i64::from(days)) {
            let at = census.at.format("%F %H:%M UTC");
            return Err(format!("the last census is of {at}, and may be at most {days} days old"));
        }
        Ok(census)
    }
}
