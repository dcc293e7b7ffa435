//! The laws of erasure as property tests. Schemas, customers, values and policies are generated. The tests run on
//! real SQLite files, and with the same data on the record-by-record store.
//!
//! A generated [`Shop`](generated::Shop) has customers of two tenants, and tables that refer to them directly or
//! through other tables. It has columns of every kind, with and without NOT NULL, UNIQUE and a maximum length. It
//! also has documents, composite keys, second links, typed owners, shared rows, and a treatment that is possible.
//!
//! The generator knows the owner of each row, because it made the row. So the oracle can work out for each cell how
//! it may change.
//!
//! Each law is a function that checks whether a store keeps it (`checks`, `silence`). Honest stores have to keep it
//! in every shop. Deliberately broken stores have to break it; otherwise the law would test nothing (`broken`,
//! `leaking`).
//!
//! `table.md` lists the tests of each law and of each requirement. `law_table` checks the table.
//!
//! The environment variable `PROPTEST_CASES` sets the number of shops.

/// `Ok` if the law is kept. The error says how it is broken.
type Verdict = Result<(), String>;

macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

mod broken;
mod canary;
mod checks;
mod exported;
mod generated;
mod leaking;
mod oracle;
mod run;
mod silence;
mod texts;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use relinquish::{CustomerStore, Outcome};

use generated::shop;
use run::{Backend, Between, Call, Moment, honest};
use silence::Ear;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn kept(verdict: Verdict) -> Result<(), TestCaseError> {
    verdict.map_err(TestCaseError::fail)
}

/// Few cases in a normal test run. `PROPTEST_CASES` asks for more.
fn cases(count: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(count), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn only_what_the_plan_names_changes_and_all_of_it_does(shop in shop()) {
        kept(block_on(checks::no_over_erasure(&shop, Backend::Sqlite, &honest)))?;
    }

    #[test]
    fn only_what_the_plan_names_changes_record_by_record(shop in shop()) {
        kept(block_on(checks::no_over_erasure(&shop.of_records(), Backend::ByRecord, &honest)))?;
    }

    #[test]
    fn what_comes_out_never_depends_on_what_was_erased(shop in shop(), twist in 1_u64..) {
        kept(block_on(checks::non_interference(&shop, twist, Backend::Sqlite, &honest)))?;
    }

    #[test]
    fn what_comes_out_never_depends_on_what_was_erased_record_by_record(shop in shop(), twist in 1_u64..) {
        kept(block_on(checks::non_interference(&shop.of_records(), twist, Backend::ByRecord, &honest)))?;
    }

    #[test]
    fn twice_is_once(shop in shop()) {
        kept(block_on(checks::idempotence(&shop, Backend::Sqlite, &honest)))?;
    }

    #[test]
    fn twice_is_once_record_by_record(shop in shop()) {
        kept(block_on(checks::idempotence(&shop.of_records(), Backend::ByRecord, &honest)))?;
    }

    #[test]
    fn what_comes_to_nothing_touches_nothing(shop in shop(), end in prop::sample::select(checks::STOPS.to_vec())) {
        kept(block_on(checks::what_comes_to_nothing_touches_nothing(&shop, end, Backend::Sqlite, &honest)))?;
    }

    #[test]
    fn what_comes_to_nothing_touches_nothing_record_by_record(
        shop in shop(),
        end in prop::sample::select(checks::STOPS.to_vec()),
    ) {
        let shop = shop.of_records();
        kept(block_on(checks::what_comes_to_nothing_touches_nothing(&shop, end, Backend::ByRecord, &honest)))?;
    }

    /// The store reports an erasure, but one cell or one row is still there. Any cell or row may be drawn.
    #[test]
    fn a_store_that_lies_about_a_single_value_gets_no_certificate(shop in shop(), choice in any::<u64>()) {
        let rows = shop.rows(0);
        let before = block_on(run::prepare(&shop, &rows, Backend::Sqlite, &honest)).before;
        let lied = Arc::new(AtomicU64::new(0));
        let lying = |store: Arc<dyn CustomerStore>, path: &Path| -> Arc<dyn CustomerStore> {
            let (shop, rows, before) = (shop.clone(), rows.clone(), before.clone());
            let (lied, path) = (Arc::clone(&lied), path.to_owned());
            Arc::new(Between::new(store, move |moment| {
                if moment == (Moment { call: Call::Erase, nth: 0, after: true }) {
                    let put_back = run::put_back(&shop, &rows, &before, &path, choice);
                    lied.fetch_add(u64::from(put_back.is_some()), Ordering::SeqCst);
                }
                Ok(())
            }))
        };
        let certified = block_on(checks::certificates_are_true(&shop, Backend::Sqlite, &lying));
        let certified = certified.map_err(TestCaseError::fail)?;
        prop_assert_eq!(certified, lied.load(Ordering::SeqCst) == 0);
    }

    #[test]
    fn nothing_personal_leaves_the_store(shop in shop()) {
        let ear = Ear::open();
        let said = block_on(silence::nothing_personal_leaves(&ear, &shop, Backend::Sqlite, &honest));
        let outcome = said.map_err(TestCaseError::fail)?;
        prop_assert!(matches!(outcome, Some(Outcome::Erased(_))));
    }

    #[test]
    fn nothing_personal_leaves_the_store_record_by_record(shop in shop()) {
        let ear = Ear::open();
        let said = block_on(silence::nothing_personal_leaves(&ear, &shop.of_records(), Backend::ByRecord, &honest));
        let outcome = said.map_err(TestCaseError::fail)?;
        prop_assert!(matches!(outcome, Some(Outcome::Erased(_))));
    }
}
