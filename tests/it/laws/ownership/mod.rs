//! Tests whose a record is, with random schemas and against a brute-force oracle.
//!
//! * [`world`]: the model. Tables, classes, links, treatment and duties, and the rows of one database.
//! * [`oracle`]: the semantics. It says whose a record is, and what happens to it when somebody leaves.
//! * [`laws`]: what has to be true of every erasure. The laws test the oracle, and the oracle tests the store.
//! * [`broken`]: changes to single lines of the oracle. Each of them breaks a law.
//! * [`possible`]: what the check refuses.
//! * [`generated`]: random shapes and worlds, possible ones and impossible ones.
//! * [`written`]: writes a world as SQLite tables and rows, a map and a policy.
//! * [`against`]: compares the store with the oracle, cell by cell.
//!
//! The environment variable `PROPTEST_CASES` sets the number of worlds. Each world has a seed as its name, and
//! `OWNERSHIP_SEED` runs a single one. `cargo test --release --all-features --test ownership` runs more than twenty
//! thousand worlds.

mod against;
mod broken;
mod generated;
mod laws;
mod oracle;
mod possible;
mod world;
mod written;

use std::collections::BTreeMap;
use std::rc::Rc;

use fastrand::Rng;

use against::{Sqlite, Verdict};
use broken::{TWISTS, Twist};
use oracle::{Ids, Oracle};
use possible::{Problem, Why};
use world::World;

/// A random world, and the customers who leave it.
fn drawn(seed: u64) -> (World, Ids, Rng) {
    let mut rng = Rng::with_seed(seed);
    let shape = Rc::new(generated::shape(&mut rng));
    let world = generated::world(&mut rng, &shape);
    let people = Oracle::new(&world).people();
    let mut leave: Ids = people.iter().copied().filter(|_| rng.bool()).collect();
    leave.extend(people.first());
    (world, leave, rng)
}

/// Checks that the oracle, or a saboteur, keeps the laws.
fn keeps_the_laws(seed: u64, twist: Option<Twist>) -> Result<(), String> {
    let (world, leave, mut rng) = drawn(seed);
    let erase = |world: &World, leave: &Ids| Oracle::twisted(world, twist).erase(leave);
    laws::hold(&world, &leave, &mut rng, &erase)?;
    laws::hold_after_another(&world, &leave, &mut rng, &erase)
}

/// The seed of the first world in which a law notices the saboteur.
fn noticed(twist: Twist, within: u64) -> Option<u64> {
    (0..within).find(|seed| keeps_the_laws(*seed, Some(twist)).is_err())
}

/// A folder in memory, if the system has one. These tests are not about the disk.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Compares the store with the oracle in a world. If they differ, the answer contains everything that is needed to
/// investigate.
fn store_agrees(seed: u64) -> Verdict {
    let (world, leave, mut rng) = drawn(seed);
    let written = written::written(&mut rng, &world.shape);
    let folder = folder();
    let with_all = |what: &str| {
        format!(
            "seed {seed}: {what}\nleave {leave:?}\n{}\n{}\n{}\n{}",
            written.schema,
            written.map,
            written.policy,
            world.rows.iter().map(|(id, row)| format!("{id:?}: {row:?}\n")).collect::<Vec<_>>().concat()
        )
    };
    match block_on(against::held(&Sqlite(folder.path()), &world, &written, &leave, &mut rng)) {
        Verdict::Refused(what) => Verdict::Refused(with_all(&what)),
        Verdict::Differs(what) => Verdict::Differs(with_all(&what)),
        agrees @ Verdict::Agrees { .. } => agrees,
    }
}

/// An impossible shape has to be refused, with the right class, before the store does anything.
fn impossible_is_refused(seed: u64) -> Result<Why, String> {
    let mut rng = Rng::with_seed(seed);
    let (shape, problem) = generated::impossible(&mut rng);
    let Problem { class, link, why } = problem;
    let shape = Rc::new(shape);
    let world = generated::world(&mut rng, &shape);
    let written = written::written(&mut rng, &shape);
    let folder = folder();
    let name = &shape.classes[class].name;
    let said = match block_on(against::refused(&Sqlite(folder.path()), &world, &written)) {
        Some(said) if said.contains(name.as_str()) => return Ok(why),
        Some(said) => format!("names other places: {said}"),
        None => "is not refused".to_owned(),
    };
    let link = link.map(|l| &shape.classes[class].links[l].name);
    Err(format!(
        "seed {seed}, {why:?} at {name}, {link:?}: {said}\n{}\n{}\n{}",
        written.schema, written.map, written.policy
    ))
}

/// The results of many worlds.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) worlds: u64,
    pub(crate) refused: u64,
    pub(crate) blocked: usize,
    pub(crate) fates: BTreeMap<String, u64>,
    pub(crate) impossible: BTreeMap<String, u64>,
    pub(crate) violations: u64,
    /// The violations by kind: the number, and the shortest text, which belongs to the smallest schema.
    pub(crate) kinds: BTreeMap<String, (u64, String)>,
}

impl Figures {
    fn violation(&mut self, what: String) {
        self.violations += 1;
        // The kind is the beginning of the text, without digits.
        let first = what.split("leave").next().unwrap_or_default().split("CREATE").next().unwrap_or_default();
        let kind: String = first.chars().filter(|c| !c.is_ascii_digit()).take(160).collect();
        let (count, shortest) = self.kinds.entry(kind).or_insert_with(|| (0, what.clone()));
        *count += 1;
        if what.len() < shortest.len() {
            *shortest = what;
        }
    }

    /// Checks that the oracle keeps the laws.
    pub(crate) fn oracle(&mut self, seed: u64) {
        let (world, leave, _) = drawn(seed);
        let oracle = Oracle::new(&world);
        for fate in oracle.fates(&(&leave - &oracle.blocked())).fate.values() {
            *self.fates.entry(format!("{fate:?}")).or_default() += 1;
        }
        if let Err(what) = keeps_the_laws(seed, None) {
            self.violation(format!("seed {seed}: {what}"));
        }
    }

    /// Checks that the store does what the oracle says.
    pub(crate) fn store(&mut self, seed: u64) {
        self.worlds += 1;
        match store_agrees(seed) {
            Verdict::Agrees { blocked } => self.blocked += blocked,
            Verdict::Refused(what) => {
                self.refused += 1;
                self.violation(format!("refused, {what}"));
            }
            Verdict::Differs(what) => self.violation(what),
        }
    }

    /// Checks that an impossible shape is refused.
    pub(crate) fn impossible(&mut self, seed: u64) {
        match impossible_is_refused(seed) {
            Ok(why) => *self.impossible.entry(format!("{why:?}")).or_default() += 1,
            Err(what) => self.violation(what),
        }
    }
}

/// For each saboteur, the number of worlds until a law notices it.
pub(crate) fn saboteurs(within: u64) -> Vec<(String, Option<u64>)> {
    TWISTS.into_iter().map(|twist| (format!("{twist:?}"), noticed(twist, within))).collect()
}

/// The seeds of a test run: a few, as many as `PROPTEST_CASES` says, or the one in `OWNERSHIP_SEED`.
fn seeds(count: u64) -> std::ops::Range<u64> {
    let from_environment = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    match from_environment("OWNERSHIP_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("PROPTEST_CASES").unwrap_or(count),
    }
}

#[cfg(test)]
fn assert_for_each(count: u64, add: impl Fn(&mut Figures, u64)) {
    let mut figures = Figures::default();
    seeds(count).for_each(|seed| add(&mut figures, seed));
    assert!(
        figures.violations == 0,
        "{} violations in {} worlds, {} of them refused: {:#?}; the shortest: {}",
        figures.violations,
        figures.worlds,
        figures.refused,
        figures.kinds.iter().map(|(kind, (count, _))| (count, kind)).collect::<Vec<_>>(),
        figures.kinds.values().map(|(_, shortest)| shortest).min_by_key(|what| what.len()).unwrap()
    );
}

#[test]
fn the_oracle_keeps_the_laws() {
    assert_for_each(300, Figures::oracle);
}

#[test]
fn every_saboteur_breaks_a_law() {
    let unnoticed: Vec<_> = saboteurs(1_000).into_iter().filter(|(_, seed)| seed.is_none()).collect();
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}

#[test]
fn a_store_does_what_the_oracle_says() {
    assert_for_each(150, Figures::store);
}

#[test]
fn what_is_impossible_is_refused_with_its_place() {
    assert_for_each(100, Figures::impossible);
}

/// A case that is never drawn is never tested.
#[test]
fn what_is_said_of_values_is_drawn() {
    let (mut kept, mut behind, mut ambiguous) = (0, 0, 0);
    for seed in 0..400 {
        let (world, ..) = drawn(seed);
        let oracle = Oracle::new(&world);
        for (id, row) in &world.rows {
            let class = &world.shape.classes[id.class];
            for (nth, _) in class.links.iter().enumerate().filter(|(_, link)| link.value.is_some()) {
                let heads = oracle.heads(*id, nth);
                let under_duty = world.shape.expires_by_itself(id.class) && row.made == world::Made::Lately;
                kept += u32::from(under_duty && !heads.is_empty());
                if !oracle.counts(*id, nth) {
                    behind += u32::from(
                        !heads.is_empty() && heads.iter().all(|head| !oracle.has(*id).contains(head)),
                    );
                    ambiguous += u32::from(heads.len() > 1);
                }
            }
        }
    }
    // Three cases: a record by value that a duty keeps; a record whose second owner link has the address of another
    // person; and a record whose second owner link has an address of several customers.
    assert!(kept > 0 && behind > 5 && ambiguous > 0, "{kept}, {behind}, {ambiguous}");
}
