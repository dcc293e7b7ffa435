//! Opens the map, the policy, the database and the ledger that the command line names.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::Args;
use relinquish::data_map::TimeZone;
use relinquish::engine::{Clock, EngineBuilder, SystemClock};
use relinquish::ledger::{
    CaseBook, HoldBook, KeyRing, Ledger, MemoryKeyRing, SuppressionList, TokenKey, WhichHolds,
};
use relinquish::plan::Holidays;
use relinquish::recipient::ManualRecipient;
use relinquish::store::{KeepsMark, StoreError};
use relinquish::{
    CustomerId, CustomerStore, DataMap, Engine, FileKeyRing, MemoryLedger, Policy, PolicyDocument, Problems,
    RecordStore, SqlMap, SqliteLedger, SqliteStore, TenantId,
};

use crate::answer::{Failure, misfits};

/// The database, its map and its policy.
#[derive(Args)]
pub(crate) struct Documents {
    /// The SQLite database
    #[arg(long, value_name = "FILE")]
    pub(crate) database: PathBuf,
    /// The data map, TOML or JSON: what the database contains
    #[arg(long, value_name = "FILE")]
    pub(crate) map: PathBuf,
    /// The policy, TOML or JSON: what must happen to the data
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    /// A file with a holiday on each line, such as 2026-12-25; holidays move the last day for an answer
    #[arg(long, value_name = "FILE")]
    pub(crate) holidays: Option<PathBuf>,
}

/// The store, and the policy for it.
pub(crate) struct Opened {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) policy: PolicyDocument,
}

impl Documents {
    /// Reads both documents and opens the database with the map.
    pub(crate) fn open(&self) -> Result<Opened, Failure> {
        let (map, policy) = (read(&self.map)?, read(&self.policy)?);
        let map = if is_json(&self.map) { SqlMap::from_json(&map) } else { SqlMap::from_toml(&map) };
        let policy = parse_policy(&self.policy, &policy);
        let (map, policy) = match (map, policy) {
            (Ok(map), Ok(policy)) => (map, policy),
            (map, policy) => {
                let of_map = map.err().map(|found| misfits(&self.map, &found));
                let of_policy = policy.err().map(|found| misfits(&self.policy, &found));
                return Err(Failure::Misfits(of_map.into_iter().chain(of_policy).flatten().collect()));
            }
        };
        let store = SqliteStore::open(&self.database, &map).map_err(|error| match error {
            StoreError::Map(found) => Failure::Misfits(misfits(&self.map, &found)),
            source => Failure::Database { file: self.database.clone(), source },
        })?;
        Ok(Opened { store: Arc::new(store), policy })
    }

    /// An engine over the database and a ledger in a file.
    pub(crate) async fn engine(&self, ledger: &Path) -> Result<Engine, Failure> {
        self.engine_with(ledger, |builder| builder).await
    }

    /// The same, with additional settings of the builder.
    pub(crate) async fn engine_with(
        &self,
        ledger_path: &Path,
        more: impl FnOnce(EngineBuilder) -> EngineBuilder,
    ) -> Result<Engine, Failure> {
        let opened = self.open()?;
        let (ledger, keys) = open_ledger(ledger_path).await?;
        let (suppresses, path, ledger) = (self.checked(&opened)?.suppresses(), ledger_path, Arc::new(ledger));
        let mut builder = Engine::builder(opened.store.clone(), opened.policy, Arc::clone(&ledger), keys);
        if suppresses {
            let keys = suppression_keys(path, &ledger).await?;
            builder = builder.suppression(ledger, keys);
        }
        match opened.store.mark().await {
            Ok(_) => builder = builder.mark(opened.store.clone()),
            // This host has no table for the mark.
            Err(StoreError::NoMarkTable { .. }) => {}
            Err(source) => return Err(Failure::Database { file: self.database.clone(), source }),
        }
        let builder = by_hand(builder, opened.store.data_map());
        let engine = self.build(more(builder.ownerless(opened.store.clone()).scrub(opened.store)))?;
        engine.ensure_census().await?;
        Ok(engine)
    }

    /// An engine that only plans. It makes no ledger.
    pub(crate) async fn planner(
        &self,
        ledger: Option<&Path>,
        as_of: Option<AsOf>,
    ) -> Result<Engine, Failure> {
        let opened = self.open()?;
        let as_of = match as_of {
            Some(as_of) => Some(as_of.instant(self.zone(&opened)?)),
            None => None,
        };
        let (ledger, keys): (Arc<dyn Ledger>, Arc<dyn KeyRing>) = match ledger {
            Some(path) if path.exists() => {
                let (ledger, keys) = open_ledger(path).await?;
                (Arc::new(ledger), Arc::new(keys))
            }
            // There is no ledger, so nobody was treated before. The key does not matter, because there is nothing to
            // find.
            _ => (Arc::new(MemoryLedger::new()), Arc::new(MemoryKeyRing::new(TokenKey::new([0; 32])))),
        };
        // A plan adds nothing to the suppression list.
        let none = MemoryKeyRing::new(TokenKey::new([1; 32]));
        let builder = Engine::builder(opened.store.clone(), opened.policy, ledger, keys)
            .suppression(MemoryLedger::new(), none);
        let builder = by_hand(builder, opened.store.data_map()).ownerless(opened.store);
        let engine = self.build(match as_of {
            // The plan is for another day, so the age of the census is not checked.
            Some(instant) => builder.clock(StandsAt(instant)).census_at_most(u32::MAX),
            None => builder,
        })?;
        engine.ensure_census().await?;
        Ok(engine)
    }

    /// The tenant of a customer, if the customer exists.
    pub(crate) async fn tenant_of(&self, customer: &CustomerId) -> Result<Option<TenantId>, Failure> {
        let facts = self.open()?.store.facts(std::slice::from_ref(customer)).await;
        let facts = facts.map_err(|source| Failure::Database { file: self.database.clone(), source })?;
        Ok(facts.into_iter().next().map(|facts| facts.tenant))
    }

    /// The time zone in which the policy counts days.
    pub(crate) fn zone(&self, opened: &Opened) -> Result<TimeZone, Failure> {
        Ok(self.checked(opened)?.everyone().time_zone())
    }

    fn checked(&self, opened: &Opened) -> Result<Policy, Failure> {
        let policy = opened.policy.check(opened.store.data_map());
        policy.map_err(|found| Failure::Misfits(misfits(&self.policy, &found)))
    }

    fn build(&self, builder: EngineBuilder) -> Result<Engine, Failure> {
        let builder = builder.holidays(holidays(self.holidays.as_deref())?);
        // A command that was interrupted is taken up by the next one.
        builder.worker("operator").build().map_err(|found| Failure::Misfits(misfits(&self.policy, &found)))
    }
}

/// This program has no adapters for recipients. So a person notifies each recipient, and gives the evidence with
/// `by-hand`.
fn by_hand(builder: EngineBuilder, map: &DataMap) -> EngineBuilder {
    map.recipients().iter().fold(builder, |builder, (name, by)| {
        let words: Vec<&str> = by.words().collect();
        let task = format!("tell {name}, which knows a person by {}, of the erasure", words.join(" and "));
        builder.recipient(ManualRecipient::new(name.as_str(), task))
    })
}

pub(crate) fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|source| Failure::Unreadable { file: file.to_owned(), source })
}

/// The holidays of a file. Without a file there are none.
pub(crate) fn holidays(file: Option<&Path>) -> Result<Holidays, Failure> {
    let Some(file) = file else { return Ok(Holidays::default()) };
    Holidays::parse(&read(file)?).map_err(|source| Failure::NotHolidays { file: file.to_owned(), source })
}

fn parse_policy(file: &Path, text: &str) -> Result<PolicyDocument, Problems> {
    if is_json(file) { PolicyDocument::from_json(text) } else { PolicyDocument::from_toml(text) }
}

/// Reads a policy alone.
pub(crate) fn read_policy(file: &Path) -> Result<PolicyDocument, Failure> {
    parse_policy(file, &read(file)?).map_err(|found| Failure::Misfits(misfits(file, &found)))
}

fn is_json(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// The keys of a ledger that names nobody yet: the existing keys, or new ones.
fn first_keys(ledger: &Path) -> Result<FileKeyRing, Failure> {
    match FileKeyRing::open_beside(ledger) {
        Err(error) if error.is_missing() => Ok(FileKeyRing::create_beside(ledger)?),
        opened => Ok(opened?),
    }
}

/// Opens a ledger and its keys. At the first erasure it creates both.
///
/// If a ledger names somebody but has no keys, the keys were lost. With new keys nobody could be found in it. So this
/// is an error, and no new keys are made.
async fn open_ledger(path: &Path) -> Result<(SqliteLedger, FileKeyRing), Failure> {
    if !path.exists() {
        // The keys are created first. So if this process dies in between, there is never a ledger without keys.
        let keys = first_keys(path)?;
        return Ok((ledger(path)?, keys));
    }
    let ledger = ledger(path)?;
    let failed = |source| Failure::Ledger { file: path.to_owned(), source };
    let names_nobody = ledger.last().await.map_err(failed)? == 0
        && ledger.list(None, 1).await.map_err(failed)?.is_empty()
        && ledger.list_holds(WhichHolds::All, None, 1).await.map_err(failed)?.is_empty();
    let keys = if names_nobody { first_keys(path)? } else { FileKeyRing::open_beside(path)? };
    Ok((ledger, keys))
}

/// The keys of the suppression list, in a separate file. For a list that was never written, new keys are made.
async fn suppression_keys(path: &Path, list: &SqliteLedger) -> Result<FileKeyRing, Failure> {
    let mut file = path.as_os_str().to_owned();
    file.push(".suppression.keys");
    let failed = |source| Failure::Ledger { file: path.to_owned(), source };
    let is_new = list.suppression_keys().await.map_err(failed)?.is_empty();
    match FileKeyRing::open(&file) {
        Err(error) if error.is_missing() && is_new => Ok(FileKeyRing::create(&file)?),
        opened => Ok(opened?),
    }
}

fn ledger(path: &Path) -> Result<SqliteLedger, Failure> {
    SqliteLedger::open(path).map_err(|source| Failure::Ledger { file: path.to_owned(), source })
}

/// Opens an existing ledger. A command that only reads must not create a ledger.
pub(crate) fn existing_ledger(path: &Path) -> Result<SqliteLedger, Failure> {
    must_exist(path)?;
    ledger(path)
}

/// Checks that a file exists. Otherwise a mistyped path would look like an empty ledger.
pub(crate) fn must_exist(path: &Path) -> Result<(), Failure> {
    if path.exists() { Ok(()) } else { Err(Failure::NoLedger { file: path.to_owned() }) }
}

/// The day or the instant for which a plan is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AsOf {
    /// A day in the time zone of the policy.
    Day(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
}

impl AsOf {
    /// The instant. For a day, it is the beginning of the day in the time zone.
    pub(crate) fn instant(self, zone: TimeZone) -> DateTime<Utc> {
        let day = match self {
            Self::Instant(instant) => return instant,
            Self::Day(day) => day,
        };
        let midnight = day.and_time(NaiveTime::MIN).and_utc();
        // No time zone differs from UTC by more than this.
        let minutes = (-15 * 60..=15 * 60).step_by(15).map(|minutes| midnight + TimeDelta::minutes(minutes));
        minutes.into_iter().find(|instant| zone.day(*instant) == day).unwrap_or(midnight)
    }
}

impl FromStr for AsOf {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(day) = text.parse() {
            return Ok(Self::Day(day));
        }
        let instant = DateTime::parse_from_rfc3339(text).map(|instant| Self::Instant(instant.to_utc()));
        instant.map_err(|_| "write a day such as 2027-01-31, or an instant such as 2027-01-31T12:00:00Z")
    }
}

/// A clock that stands still, for plans as of another day.
#[derive(Debug)]
struct StandsAt(DateTime<Utc>);

#[async_trait]
impl Clock for StandsAt {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }

    async fn sleep(&self, time: Duration) {
        SystemClock.sleep(time).await;
    }
}
