//! A store against the oracle, on the same world: cell by cell, in turn and at once. [`Base`] says in which database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use fastrand::Rng;
use relinquish::anonymise::Seed;
use relinquish::store::{
    Batch, CustomerStore, EraseRequest, Erased, PageRequest, RecordStore, Tally, TallyRequest, Target,
};
use relinquish::treatment::Treatment;
use relinquish::{Customer, PolicyDocument, SqlMap, SqliteStore};

use super::oracle::{Fate, Fates, Ids, Oracle};
use super::world::{Action, CUSTOMERS, Id, Shape, World};
use super::written::{self, Cells, Written};

/// What came of a world.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Every cell is as the oracle says. So many customers were blocked.
    Agrees {
        blocked: usize,
    },
    /// Map or policy are refused.
    Refused(String),
    Differs(String),
}

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// A kind of database in which worlds are made, each under a name.
pub(super) trait Base {
    type Store: CustomerStore;

    fn create(&self, world: &World, written: &Written, name: &str);

    /// Opens a store over a world's database.
    async fn open(&self, written: &Written, name: &str) -> Result<Self::Store, String>;

    /// Every cell of a world's database.
    fn read(&self, shape: &Shape, name: &str) -> Result<Cells, String>;
}

/// SQLite files in a folder.
pub(super) struct Sqlite<'f>(pub(super) &'f Path);

impl Base for Sqlite<'_> {
    type Store = SqliteStore;

    fn create(&self, world: &World, written: &Written, name: &str) {
        written::create(world, written, &self.0.join(name));
    }

    async fn open(&self, written: &Written, name: &str) -> Result<SqliteStore, String> {
        let map = SqlMap::from_toml(&written.map).map_err(|problems| problems.to_string())?;
        SqliteStore::open(self.0.join(name), &map).map_err(|error| error.to_string())
    }

    fn read(&self, shape: &Shape, name: &str) -> Result<Cells, String> {
        written::read(shape, &self.0.join(name))
    }
}

/// A database of a world, with a store over it and a treatment of that day.
struct Host<'b, B: Base> {
    base: &'b B,
    name: &'static str,
    shape: Shape,
    store: B::Store,
    treatment: Arc<Treatment>,
}

/// Opens a store, and checks the policy against it.
async fn open<B: Base>(
    base: &B,
    written: &Written,
    name: &str,
) -> Result<(B::Store, Arc<Treatment>), String> {
    let store = base.open(written, name).await?;
    let policy = PolicyDocument::from_toml(&written.policy).map_err(|problems| problems.to_string())?;
    let policy = policy.check(store.data_map()).map_err(|problems| problems.to_string())?;
    let treatment = policy.dated(&"here".into(), &policy.treatments()["x"], now());
    Ok((store, treatment))
}

/// Why a shape is refused. None: it is not.
pub(super) async fn refused<B: Base>(base: &B, world: &World, written: &Written) -> Option<String> {
    base.create(world, written, "refused");
    open(base, written, "refused").await.err()
}

impl<'b, B: Base> Host<'b, B> {
    async fn open(base: &'b B, world: &World, written: &Written, name: &'static str) -> Result<Self, String> {
        base.create(world, written, name);
        let (store, treatment) = open(base, written, name).await?;
        Ok(Self { base, name, shape: Shape::clone(&world.shape), store, treatment })
    }

    fn cells(&self) -> Result<Cells, String> {
        self.base.read(&self.shape, self.name)
    }

    /// The customers, by the row that their facts are of.
    async fn facts(&self) -> Result<BTreeMap<Id, Customer>, String> {
        let page = PageRequest::new(100);
        let facts = self.store.page(&page).await.map_err(|error| error.to_string())?;
        let row = |facts: &Customer| {
            let joined = facts.registered.map(|at| at.date_naive().to_string());
            (0..30).find(|n| joined.as_ref() == Some(&written::joined(*n)))
        };
        facts
            .customers
            .into_iter()
            .map(|facts| match row(&facts) {
                Some(n) => Ok((Id { class: CUSTOMERS, n }, facts)),
                None => Err("a customer whom nobody made".to_owned()),
            })
            .collect()
    }

    /// Erases customers in one request: who was blocked.
    async fn erase(&self, customers: &Ids) -> Result<Ids, String> {
        let mut blocked = Ids::new();
        let mut left = customers.clone();
        for _ in 0..20 {
            let facts = self.facts().await?;
            let (who, targets): (Vec<Id>, Vec<Target>) = facts
                .into_iter()
                .filter(|(id, _)| left.contains(id))
                .map(|(id, facts)| {
                    let expected = facts.expected();
                    (id, Target { customer: facts.id, tenant: facts.tenant, expected })
                })
                .unzip();
            if targets.is_empty() {
                return Ok(blocked);
            }
            let request = EraseRequest::new(targets, Arc::clone(&self.treatment), Seed::new([7; 32]), now());
            let answers: Batch<Erased> =
                self.store.erase(&request).await.map_err(|error| format!("the whole batch: {error}"))?;
            if answers.len() != who.len() {
                return Err(format!("{} answers to {} customers", answers.len(), who.len()));
            }
            left.clear();
            for (id, answer) in who.into_iter().zip(answers) {
                match answer {
                    Ok(Erased::Done(_)) => {}
                    Ok(Erased::More(_)) => {
                        left.insert(id);
                    }
                    Ok(other) => return Err(format!("{id:?} is {other:?}")),
                    Err(_) => {
                        blocked.insert(id);
                    }
                }
            }
        }
        Err("it does not come to an end".to_owned())
    }

    async fn tally(&self) -> Result<BTreeMap<Id, Result<Tally, String>>, String> {
        let (who, customers): (Vec<Id>, Vec<_>) =
            self.facts().await?.into_iter().map(|(id, facts)| (id, facts.id)).unzip();
        let request = TallyRequest::new(customers, Arc::clone(&self.treatment)).at(now());
        let tallies = self.store.tally(&request).await.map_err(|error| error.to_string())?;
        let tallies = tallies.into_iter().map(|tally| tally.map_err(|error| error.to_string()));
        Ok(who.into_iter().zip(tallies).collect())
    }
}

macro_rules! tried {
    ($tried:expr, $when:expr) => {
        match $tried {
            Ok(value) => value,
            Err(what) => return Verdict::Differs(format!("{}: {what}", $when)),
        }
    };
}

/// Erases the customers of a world at once, and one after the other in another database.
pub(super) async fn held<B: Base>(
    base: &B,
    world: &World,
    written: &Written,
    leave: &Ids,
    rng: &mut Rng,
) -> Verdict {
    let host = match Host::open(base, world, written, "batch").await {
        Ok(host) => host,
        Err(refused) => return Verdict::Refused(refused),
    };
    let before = tried!(host.cells(), "before");
    tried!(counted(world, &host).await, "the plan");

    let (expected, blocked) = Oracle::new(world).erase(leave);
    let stopped = tried!(host.erase(leave).await, "in a batch");
    if stopped != blocked {
        return Verdict::Differs(format!("blocked in a batch are {stopped:?}, and should be {blocked:?}"));
    }
    let after = tried!(host.cells(), "after a batch");
    tried!(written::compare(world, &expected, &before, &after), "in a batch");
    tried!(nothing_is_due(&host, &(leave - &blocked)).await, "after a batch");
    tried!(host.erase(&(leave - &blocked)).await, "again");
    if tried!(host.cells(), "again") != after {
        return Verdict::Differs("again does something".to_owned());
    }

    let host = tried!(Host::open(base, world, written, "turns").await, "opened again");
    let mut order: Vec<Id> = leave.iter().copied().collect();
    rng.shuffle(&mut order);
    let mut turns = world.clone();
    for customer in order {
        let one = Ids::from([customer]);
        let (next, blocked) = Oracle::new(&turns).erase(&one);
        let stopped = tried!(host.erase(&one).await, format!("{customer:?} in turn"));
        if stopped != blocked {
            return Verdict::Differs(format!(
                "{customer:?} in turn: blocked {stopped:?}, and should be {blocked:?}"
            ));
        }
        turns = next;
        let cells = tried!(host.cells(), format!("after {customer:?} in turn"));
        tried!(written::compare(world, &turns, &before, &cells), format!("{customer:?} in turn"));
    }
    Verdict::Agrees { blocked: blocked.len() }
}

/// The plan counts what the oracle says, class by class, for each customer alone.
async fn counted<B: Base>(world: &World, host: &Host<'_, B>) -> Result<(), String> {
    let oracle = Oracle::new(world);
    let blocked = oracle.blocked();
    let (whole, _) = oracle.kept();
    for (customer, tally) in host.tally().await? {
        if blocked.contains(&customer) {
            continue;
        }
        let tally = tally?;
        let fates = oracle.fates(&Ids::from([customer]));
        for (c, class) in world.shape.classes.iter().enumerate() {
            fields_in_kept_records(world, &oracle, (customer, &fates), &whole, c, &tally)?;
            // How a field of somebody else's is counted says nothing of whose the record is.
            let by_value: Vec<usize> =
                (0..class.links.len()).filter(|nth| class.links[*nth].value.is_some()).collect();
            if class.fields.iter().any(|field| field.of.is_some()) || by_value.len() > 1 {
                continue;
            }
            // A record that stays counts as far as it holds the value by which it leads to the customer.
            let names_who_leaves = fates.fate.iter().filter(|(id, fate)| {
                id.class == c && **fate == Fate::Stays && !fates.due.contains(id) && !whole.contains(id)
            });
            let names_who_leaves = names_who_leaves.filter(|(id, _)| {
                class.action != Action::Keep
                    && by_value.iter().any(|nth| oracle.heads(**id, *nth).contains(&customer))
            });
            let elsewhere = u64::try_from(names_who_leaves.count()).unwrap();
            let count = |wanted: &[Fate]| {
                let fate = fates.fate.iter().filter(|(id, fate)| id.class == c && wanted.contains(fate));
                u64::try_from(fate.count()).unwrap()
            };
            let of_class = tally.classes.get(class.name.as_str()).copied().unwrap_or_default();
            let kept = tally.kept.get(class.name.as_str()).map_or(0, |kept| kept.rows);
            let tombstones = tally.tombstones.get(class.name.as_str()).copied().unwrap_or_default();
            let said = (of_class.due, kept, tombstones);
            let due = [Fate::Deleted, Fate::Reassigned, Fate::Anonymised, Fate::Tombstone];
            let should = (count(&due) + elsewhere, count(&[Fate::Kept]), count(&[Fate::Tombstone]));
            if said != should || of_class.rows < should.0 + should.1 {
                return Err(format!(
                    "{customer:?}, {}: {} rows; due, kept and tombstones are {said:?}, and should be {should:?}",
                    class.name, of_class.rows
                ));
            }
        }
    }
    Ok(())
}

/// The fields of a customer in records of others that a duty keeps are counted.
fn fields_in_kept_records(
    world: &World,
    oracle: &Oracle<'_>,
    (customer, fates): (Id, &Fates),
    whole: &Ids,
    c: usize,
    tally: &Tally,
) -> Result<(), String> {
    let class = &world.shape.classes[c];
    let of: BTreeSet<usize> = class.fields.iter().filter_map(|field| field.of).collect();
    if class.action == Action::Keep || class.links.iter().any(|link| link.value.is_some()) {
        return Ok(());
    }
    let theirs =
        |id: &&Id| of.iter().any(|nth| oracle.heads(**id, *nth).iter().any(|head| fates.due.contains(head)));
    let kept = whole.iter().filter(|id| id.class == c && fates.fate[*id] != Fate::Kept).filter(theirs);
    let should = u64::try_from(kept.count()).unwrap();
    let said = tally.kept_fields.get(class.name.as_str()).map_or(0, |kept| kept.rows);
    // A record with fields of two links counts for each.
    let fits = if of.len() > 1 { said >= should && (said == 0) == (should == 0) } else { said == should };
    if fits {
        Ok(())
    } else {
        Err(format!(
            "{customer:?}, {}: fields in {said} kept records of others, and it should be {should}",
            class.name
        ))
    }
}

async fn nothing_is_due<B: Base>(host: &Host<'_, B>, gone: &Ids) -> Result<(), String> {
    for (customer, tally) in host.tally().await? {
        if gone.contains(&customer) {
            let due: BTreeSet<_> =
                tally?.classes.into_iter().filter(|(_, class)| class.due > 0).map(|(name, _)| name).collect();
            if !due.is_empty() {
                return Err(format!("{customer:?} still has to do with {due:?}"));
            }
        }
    }
    Ok(())
}
