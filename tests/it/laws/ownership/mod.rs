//! Whose a record is, against a brute-force oracle, over random schemas.
//!
//! * [`world`]: tables, classes, links, treatment and duties; and the rows of one database.
//! * [`oracle`]: the semantics. Whose a record is, and what becomes of it when somebody leaves.
//! * [`laws`]: what has to be true of any erasure. The oracle is held to it, and so is the store, through the oracle.
//! * [`broken`]: changes to single lines of the oracle. Each of them breaks a law.
//! * [`possible`]: what the check refuses.
//! * [`generated`]: random shapes and worlds, possible ones and impossible ones.
//! * [`written`]: a world as SQLite tables and rows, a map and a policy.
//! * [`against`]: the store against the oracle, cell by cell.
//!
//! `PROPTEST_CASES` raises the number of worlds. A world is named by its seed: `OWNERSHIP_SEED` runs a single one.
//! `cargo test --release --all-features --test ownership` is a campaign of more than twenty thousand.

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

/// A world, and those of its customers who leave.
fn drawn(seed: u64) -> (World, Ids, Rng) {
    let mut rng = Rng::with_seed(seed);
    let shape = Rc::new(generated::shape(&mut rng));
    let world = generated::world(&mut rng, &shape);
    let people = Oracle::new(&world).people();
    let mut leave: Ids = people.iter().copied().filter(|_| rng.bool()).collect();
    leave.extend(people.first());
    (world, leave, rng)
}

/// Holds the oracle, or a saboteur, to the laws.
fn keeps_the_laws(seed: u64, twist: Option<Twist>) -> Result<(), String> {
    let (world, leave, mut rng) = drawn(seed);
    let erase = |world: &World, leave: &Ids| Oracle::twisted(world, twist).erase(leave);
    laws::hold(&world, &leave, &mut rng, &erase)?;
    laws::hold_after_another(&world, &leave, &mut rng, &erase)
}

/// The first world in which a law notices the saboteur.
fn noticed(twist: Twist, within: u64) -> Option<u64> {
    (0..within).find(|seed| keeps_the_laws(*seed, Some(twist)).is_err())
}

/// In memory where the system has such a place: what a disk does to a file is not what this is about.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Holds the store to the oracle in a world; with all that is needed to look into it, if they differ.
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

/// What is impossible has to be refused, with its class: a store that fails later is too late.
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

/// What came of many worlds.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) worlds: u64,
    pub(crate) refused: u64,
    pub(crate) blocked: usize,
    pub(crate) fates: BTreeMap<String, u64>,
    pub(crate) impossible: BTreeMap<String, u64>,
    pub(crate) violations: u64,
    /// By kind, how many there are, and the shortest: it is of the smallest schema.
    pub(crate) kinds: BTreeMap<String, (u64, String)>,
}

impl Figures {
    fn violation(&mut self, what: String) {
        self.violations += 1;
        // The first line without its names and numbers.
        let first = what.split("leave").next().unwrap_or_default().split("CREATE").next().unwrap_or_default();
        let kind: String = first.chars().filter(|c| !c.is_ascii_digit()).take(160).collect();
        let (count, shortest) = self.kinds.entry(kind).or_insert_with(|| (0, what.clone()));
        *count += 1;
        if what.len() < shortest.len() {
            *shortest = what;
        }
    }

    /// The oracle keeps the laws.
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

    /// The store does what the oracle says.
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

    /// What is impossible is refused.
    pub(crate) fn impossible(&mut self, seed: u64) {
        match impossible_is_refused(seed) {
            Ok(why) => *self.impossible.entry(format!("{why:?}")).or_default() += 1,
            Err(what) => self.violation(what),
        }
    }
}

/// How many worlds each saboteur needs until a law notices it.
pub(crate) fn saboteurs(within: u64) -> Vec<(String, Option<u64>)> {
    TWISTS.into_iter().map(|twist| (format!("{twist:?}"), noticed(twist, within))).collect()
}

/// The seeds of a test run: few, or as many as the environment says, or a single one.
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

/// A case that is never drawn is never held against the store.
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
    // Kept by a duty; with an address of somebody else's behind an account; with one that several customers have.
    assert!(kept > 0 && behind > 5 && ambiguous > 0, "{kept}, {behind}, {ambiguous}");
}
