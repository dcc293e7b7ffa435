//! The control flow of counting and erasing, over a [`Session`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;

use super::bind::{Bound, bind};
use super::fault::{Fault, Trouble};
use super::map::{CustomersMap, SqlMap};
use super::people::{create_people, with_people};
use super::script::{Script, create_rare};
use super::session::Session;
use super::triggers::unprepared;
use super::values::{self, Bench, Working};
use super::whose::{Finder, Finding, create_batch, create_sets, need_no_set};
use crate::anonymise::Seed;
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::document::Problems;
use crate::store::StoreError;
use crate::treatment::Treatment;

mod batch;
mod census;
mod drift;
mod echoes;
mod erase;
mod facts;
mod identifiers;
mod inbox;
mod leftovers;
mod mark;
mod mentions;
mod ownerless;
mod page;
mod people;
mod read;
#[cfg(feature = "sqlite")]
mod redact;
mod rounds;
mod status;
mod tally;
mod unclaimed;

#[cfg(feature = "postgres")]
pub(crate) use census::DocumentShape;
pub(crate) use census::{date_forms, document_shapes, is_unsearchable};
pub(crate) use erase::Work;
use facts::Facts;
pub(crate) use inbox::INBOX;
pub use inbox::INBOX_TABLE;
pub use mark::MARK_TABLE;
pub(crate) use mark::{MARK, NoTable};
pub(crate) use tally::Count;

/// The number of treatments whose statements are cached.
const SCRIPTS: usize = 256;

/// The statements of treatments, by the treatment's digest and the digest of the signs that it knows.
type Scripts = BTreeMap<(Digest, Option<Digest>), Arc<Script>>;

/// What a store knows about its database, for every kind of database.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bound: Bound,
    facts: Facts,
    pub(crate) bench: Bench,
    scripts: Mutex<Scripts>,
    /// The statements that find the customers' records, whatever the treatment.
    held: Finding,
    /// The schema against which the map was checked.
    pub(crate) watch: drift::Watch,
    /// Tables that may have rows without a class.
    unclaimed: Vec<unclaimed::Unclaimed>,
    /// What the root store knows of the customers in hand, if it is elsewhere.
    knowledge: Mutex<people::Knowledge>,
}

impl Frame {
    /// Checks a map against the live schema, and creates the temporary tables.
    pub(crate) fn new(
        session: &mut dyn Session,
        map: &SqlMap,
        doing: &'static str,
    ) -> Result<Self, StoreError> {
        let failed = |fault: Fault| fault.into_error(doing);
        // Read before the schema: then the first transaction finds a change in between.
        let version = session.schema_version().map_err(failed)?;
        let schema = with_people(map, session.schema().map_err(failed)?);
        let bound = bind(map, &schema, session.dialect());
        // Scalar SQL is checked even if the map does not match, so that all problems are reported at once.
        let facts = match schema.table(&map.customers.table) {
            Some(_) => Facts::new(session, &map.customers),
            None => Err(Problems::default()),
        };
        let (bound, facts) = match (bound, facts) {
            (Ok(bound), Ok(facts)) => (bound, facts),
            (bound, facts) => {
                let all = bound.err().into_iter().chain(facts.err());
                return Err(all.fold(Problems::default(), Problems::and).into());
            }
        };
        let mut tables: Vec<String> = create_people(&bound).into_iter().collect();
        tables.extend([create_batch(&bound), create_rare(&bound)]);
        tables.extend(create_sets(&bound));
        for sql in tables {
            session.execute(&sql, &[]).map_err(failed)?;
        }
        let held = {
            let without_set = need_no_set(&bound);
            Finder::new(&bound, None, without_set, BTreeMap::new(), BTreeMap::new(), None).held()
        };
        let database = session.database().map_err(failed)?;
        let watch = drift::Watch::new(map, &bound, &schema, version, database.as_deref());
        let unclaimed = unclaimed::tables(&bound, map);
        let (bench, scripts) = (Bench::default(), Mutex::default());
        let knowledge = Mutex::default();
        Ok(Self { bound, facts, bench, scripts, held, watch, unclaimed, knowledge })
    }

    /// The error for a statement of a class that the database refuses, with the trigger if a trigger is the cause.
    fn refused_at(&self, class: &ClassName) -> impl Fn(Fault) -> Trouble {
        move |fault| {
            let fault = match fault {
                Fault::Other(message) => Fault::Other(unprepared(&self.bound, message)),
                other => other,
            };
            Trouble { class: Some(class.clone()), fault }
        }
    }

    fn customers(&self) -> &CustomersMap {
        &self.bound.customers
    }

    pub(crate) fn script(&self, treatment: &Treatment) -> Arc<Script> {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        // There is one per day for each tenant with a duty. Yesterday's statements are not needed again.
        if scripts.len() >= SCRIPTS {
            scripts.clear();
        }
        // A treatment may know the signs of more or fewer others, and has the same digest.
        let signs = (!treatment.other_signs.is_empty()).then(|| Digest::of(&treatment.other_signs));
        let script = scripts
            .entry((treatment.digest(), signs))
            .or_insert_with(|| Arc::new(Script::new(&self.bound, treatment)));
        Arc::clone(script)
    }

    fn work(&self, script: &Script, seed: Option<Seed>, date: NaiveDate, attempt: u32) {
        values::set(
            &self.bench,
            Some(Working::new(Arc::clone(&script.slots), Arc::clone(&script.duties), seed, date, attempt)),
        );
    }
}
