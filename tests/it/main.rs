//! What the crate promises, held against real databases, real files and real processes.

// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod after_duty;
mod anonymise;
mod approved_keeps;
mod as_done;
mod backups;
mod before_approval;
mod by_record_sharing;
mod by_value;
mod census;
mod column_checks;
mod computed_columns;
mod dates;
mod detectors;
mod drift;
mod duties;
mod end_to_end;
mod expire;
mod formats;
mod found;
#[expect(dead_code, reason = "the tests of the adapters, in `tests/gateways`, need more of it")]
mod gateways;
mod hard_schemas;
mod hosts;
mod house;
mod interruption;
mod json;
mod kept_with;
mod keys;
mod laws;
mod ledger;
mod letters;
mod mandates;
mod manual_pages;
mod many;
mod model;
mod named_others;
mod operator;
mod other_tenants;
mod own_connection;
mod own_strategies;
mod ownership;
mod paste;
#[cfg(feature = "pdf")]
mod pdf;
mod php;
mod policy;
mod policy_guards;
mod policy_triggers;
mod profile_cases;
mod refusal;
mod schemas;
mod shop;
mod shop45;
mod situations;
mod smallest_group;
mod sql_map;
mod sqlite_store;
mod strategies;
mod table_triggers;
mod tenants;
mod testing_kit;
mod text;
mod tombstones;
mod treatments;
mod uncertain_mentions;
mod unclaimed_rest;
mod unique_indexes;
mod unreadable;
mod ways_out;
mod wired;
mod word_for_word;
mod workers;
