//! Compares a store with the oracle on the same world, cell by cell. The customers are erased one after the other,
//! and in one batch. [`Base`] is the kind of database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use fastrand::Rng;
use relinquish::anonymise::Seed;
use relinquish::store::{
    Batch, Counts, CustomerStore, EraseRequest, Erased, PageRequest, RecordStore, Tally, TallyRequest, Target,
};
use relinquish::treatment::Treatment;
use relinquish::{Customer, PolicyDocument, SqlMap, SqliteStore};

use super::oracle::{Fate, Ids, Oracle};
use super::world::{Action, CUSTOMERS, Id, Shape, To, World};
use super::written::{self, Cells, Written};

/// The result of the comparison in one world.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Every cell is as the oracle says. The number is that of the blocked customers.
    Agrees {
        blocked: usize,
    },
    /// The map or the policy is refused, with this message.
    Refused(String),
    Differs(String),
}

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// A kind of database. It creates a database for each world, under a name.
pub(super) trait Base {
    type Store: CustomerStore;

    fn create(&self, world: &World, written: &Written, name: &str);

    /// Opens a store on a world's database.
    async fn open(&self, written: &Written, name: &str) -> Result<Self::Store, String>;

    /// Sets the date of every record so far in the past that no duty keeps the record.
    fn end_duties(&self, shape: &Shape, name: &str);

    /// Every cell of a world's database.
    fn read(&self, shape: &Shape, name: &str) -> Result<Cells, String>;
}

/// Databases as SQLite files in a folder.
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

    fn end_duties(&self, shape: &Shape, name: &str) {
        rusqlite::Connection::open(self.0.join(name))
            .unwrap()
            .execute_batch(&written::end_duties(shape))
            .unwrap();
    }

    fn read(&self, shape: &Shape, name: &str) -> Result<Cells, String> {
        written::read(shape, &self.0.join(name))
    }
}

type Treatments = BTreeMap<String, Arc<Treatment>>;

/// A database of a world, with a store over it and the treatments of that day.
struct Host<'b, B: Base> {
    base: &'b B,
    name: &'static str,
    shape: Shape,
    store: B::Store,
    /// The treatments by name.
    treatments: Treatments,
}

/// Opens a store, and checks the policy against it.
async fn open<B: Base>(base: &B, written: &Written, name: &str) -> Result<(B::Store, Treatments), String> {
    let store = base.open(written, name).await?;
    let policy = PolicyDocument::from_toml(&written.policy).map_err(|problems| problems.to_string())?;
    let policy = policy.check(store.data_map()).map_err(|problems| problems.to_string())?;
    let dated = |treatment| policy.dated(&"here".into(), treatment, now());
    let treatments = policy.treatments().iter().map(|(name, by)| (name.to_string(), dated(by))).collect();
    Ok((store, treatments))
}

/// Why a shape is refused. `None` if it is accepted.
pub(super) async fn refused<B: Base>(base: &B, world: &World, written: &Written) -> Option<String> {
    base.create(world, written, "refused");
    open(base, written, "refused").await.err()
}

impl<'b, B: Base> Host<'b, B> {
    async fn open(base: &'b B, world: &World, written: &Written, name: &'static str) -> Result<Self, String> {
        base.create(world, written, name);
        let (store, treatments) = open(base, written, name).await?;
        Ok(Self { base, name, shape: Shape::clone(&world.shape), store, treatments })
    }

    fn cells(&self) -> Result<Cells, String> {
        self.base.read(&self.shape, self.name)
    }

    /// The store's facts of all customers, by their row.
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

    /// Erases customers in one request: who was blocked, and what was counted for the others.
    async fn erase(&self, customers: &Ids, by: &str) -> Result<(Ids, BTreeMap<Id, Counts>), String> {
        let (mut blocked, mut counted) = (Ids::new(), BTreeMap::<Id, Counts>::new());
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
                return Ok((blocked, counted));
            }
            let request =
                EraseRequest::new(targets, Arc::clone(&self.treatments[by]), Seed::new([7; 32]), now());
            let answers: Batch<Erased> =
                self.store.erase(&request).await.map_err(|error| format!("the whole batch: {error}"))?;
            if answers.len() != who.len() {
                return Err(format!("{} answers to {} customers", answers.len(), who.len()));
            }
            left.clear();
            for (id, answer) in who.into_iter().zip(answers) {
                match answer {
                    Ok(Erased::Done(counts)) => counted.entry(id).or_default().add(&counts),
                    Ok(Erased::More(counts)) => {
                        counted.entry(id).or_default().add(&counts);
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

    async fn tally(&self, by: &str) -> Result<BTreeMap<Id, Result<Tally, String>>, String> {
        let (who, customers): (Vec<Id>, Vec<_>) =
            self.facts().await?.into_iter().map(|(id, facts)| (id, facts.id)).unzip();
        let request = TallyRequest::new(customers, Arc::clone(&self.treatments[by])).at(now());
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

/// Erases the customers of a world at once, and in another database one after the other, by whichever treatment the dice say.
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
    let by = world.shape.treatment;
    let before = tried!(host.cells(), "before");
    tried!(counted(world, &host).await, "the plan");

    let (expected, blocked) = Oracle::new(world).erase(leave);
    let (stopped, _) = tried!(host.erase(leave, by).await, "in a batch");
    if stopped != blocked {
        return Verdict::Differs(format!("blocked in a batch are {stopped:?}, and should be {blocked:?}"));
    }
    let after = tried!(host.cells(), "after a batch");
    tried!(written::compare(world, &expected, &before, &after), "in a batch");
    tried!(nothing_is_due(&host, &(leave - &blocked)).await, "after a batch");
    tried!(host.erase(&(leave - &blocked), by).await, "again");
    if tried!(host.cells(), "again") != after {
        return Verdict::Differs("again does something".to_owned());
    }
    tried!(when_duties_end(&host, &expected, &(leave - &blocked)).await, "when the duties have ended");

    let host = tried!(Host::open(base, world, written, "turns").await, "opened again");
    tried!(in_turn(&host, world, &before, leave, rng).await, "in turn");
    Verdict::Agrees { blocked: blocked.len() }
}

/// Erases customers one after the other, in any order, each by either treatment. Where there are two treatments, everybody is
/// erased again: what was left to others meanwhile is found.
async fn in_turn<B: Base>(
    host: &Host<'_, B>,
    world: &World,
    before: &Cells,
    leave: &Ids,
    rng: &mut Rng,
) -> Result<(), String> {
    let other = world.by_the_other();
    let mut order: Vec<(Id, &World)> = leave
        .iter()
        .map(|customer| (*customer, other.as_ref().filter(|_| rng.bool()).unwrap_or(world)))
        .collect();
    rng.shuffle(&mut order);
    let again = order.iter().filter(|_| other.is_some()).copied().collect::<Vec<_>>();
    let mut turns = world.clone();
    for (customer, by) in order.into_iter().chain(again) {
        turns.shape = Rc::clone(&by.shape);
        let (one, name) = (Ids::from([customer]), turns.shape.treatment);
        let turn = format!("{customer:?} by {name}");
        let (next, blocked) = Oracle::new(&turns).erase(&one);
        if other.is_some() {
            counted(&turns, host).await.map_err(|what| format!("the plan before {turn}: {what}"))?;
        }
        let mut plans = host.tally(name).await.map_err(|what| format!("the plan of {turn}: {what}"))?;
        let (stopped, counted) = host.erase(&one, name).await.map_err(|what| format!("{turn}: {what}"))?;
        if stopped != blocked {
            return Err(format!("{turn}: blocked {stopped:?}, and should be {blocked:?}"));
        }
        if let (Some(Ok(plan)), Some(done)) = (plans.remove(&customer), counted.get(&customer)) {
            counted_alike(&turns.shape, &plan, done).map_err(|what| format!("{turn}: {what}"))?;
        }
        turns = next;
        let cells = host.cells()?;
        written::compare(world, &turns, before, &cells).map_err(|what| format!("after {turn}: {what}"))?;
    }
    Ok(())
}

/// The duties end, and the customers who left are treated again.
async fn when_duties_end<B: Base>(host: &Host<'_, B>, world: &World, leave: &Ids) -> Result<(), String> {
    host.base.end_duties(&host.shape, host.name);
    let (later, before) = (world.without_duties(), host.cells()?);
    let (expected, blocked) = Oracle::new(&later).erase(leave);
    let (stopped, _) = host.erase(leave, world.shape.treatment).await?;
    if stopped != blocked {
        return Err(format!("blocked are {stopped:?}, and should be {blocked:?}"));
    }
    written::compare(&later, &expected, &before, &host.cells()?)
}

/// For each single customer, the plan has the counts that the oracle expects, class by class.
async fn counted<B: Base>(world: &World, host: &Host<'_, B>) -> Result<(), String> {
    let oracle = Oracle::new(world);
    let blocked = oracle.blocked();
    let (whole, _) = oracle.kept();
    for (customer, tally) in host.tally(world.shape.treatment).await? {
        if blocked.contains(&customer) {
            continue;
        }
        let tally = tally?;
        let fates = oracle.fates(&Ids::from([customer]));
        // What was treated before has nothing more to be done to it.
        let (after, _) = oracle.erase(&Ids::from([customer]));
        let is_written = |id: &Id| {
            let Some(row) = after.rows.get(id) else { return true };
            let was = &world.rows[id];
            let values = row.to.iter().zip(&was.to).any(|(is, was)| is != was && *is == To::Erased);
            values || row.val != was.val || fates.fate[id] == Fate::Reassigned
        };
        for (c, class) in world.shape.classes.iter().enumerate() {
            let count = |which: &dyn Fn(&Id) -> bool| {
                u64::try_from(world.rows.keys().filter(|id| id.class == c && which(id)).count()).unwrap()
            };
            let fate = |wanted: Fate| count(&|id| wanted == fates.fate[id]);
            // Records of others with fields of the customer: each counts once.
            let acts = class.action != Action::Keep;
            let theirs = |kept: bool, which: &dyn Fn(&Id) -> bool| {
                count(&|id| {
                    acts && whole.contains(id) == kept
                        && which(id)
                        && !fates.due.contains(id)
                        && oracle.has_fields_of(*id, &fates.due)
                })
            };
            let due = [Fate::Deleted, Fate::Reassigned, Fate::Anonymised, Fate::Tombstone];
            let said = Said::of(&tally, &class.name);
            let any = |_: &Id| true;
            let rows = count(&|id| fates.due.contains(id)) + theirs(false, &any);
            let should = Said {
                // For a class that is kept, the store does not ask who else has the record.
                rows: if acts { rows } else { said.rows },
                due: count(&|id| due.contains(&fates.fate[id]) && is_written(id))
                    + theirs(false, &is_written),
                kept: fate(Fate::Kept),
                tombstones: fate(Fate::Tombstone),
                fields: theirs(false, &any),
                kept_fields: theirs(true, &any),
            };
            if said != should {
                return Err(format!("{customer:?}, {}: {said:?}, and should be {should:?}", class.name));
            }
        }
    }
    Ok(())
}

/// The counts of one class in a plan.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    rows: u64,
    due: u64,
    kept: u64,
    tombstones: u64,
    fields: u64,
    kept_fields: u64,
}

impl Said {
    fn of(tally: &Tally, class: &str) -> Self {
        let of_class = tally.classes.get(class).copied().unwrap_or_default();
        Self {
            rows: of_class.rows,
            due: of_class.due,
            kept: tally.kept.get(class).map_or(0, |kept| kept.rows),
            tombstones: tally.tombstones.get(class).copied().unwrap_or_default(),
            fields: tally.fields.get(class).copied().unwrap_or_default(),
            kept_fields: tally.kept_fields.get(class).map_or(0, |kept| kept.rows),
        }
    }
}

/// The erasure of a customer has the same counts as the plan, class by class.
fn counted_alike(shape: &Shape, plan: &Tally, done: &Counts) -> Result<(), String> {
    for class in &shape.classes {
        let name = class.name.as_str();
        let said = Said::of(plan, name);
        let others = plan.others.get(name).copied().unwrap_or_default();
        let acts = class.action != Action::Keep;
        let own = if acts { said.rows - said.fields - said.kept } else { 0 };
        let planned = (own, said.fields, said.tombstones, if acts { others } else { 0 });
        let otherwise = done.otherwise.get(name).cloned().unwrap_or_default();
        let own = done.classes.get(name).copied().unwrap_or_default();
        let counted = (
            own + otherwise.deleted + otherwise.meanwhile,
            otherwise.fields,
            otherwise.meanwhile,
            if acts { otherwise.shared } else { 0 },
        );
        if planned != counted {
            return Err(format!(
                "{name}: planned are {planned:?}, and {counted:?} are counted as it is done"
            ));
        }
    }
    Ok(())
}

async fn nothing_is_due<B: Base>(host: &Host<'_, B>, gone: &Ids) -> Result<(), String> {
    for (customer, tally) in host.tally(host.shape.treatment).await? {
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
