//! The contracts of the testing kit. Every adapter of this crate keeps them. For every law there is a saboteur: an
//! adapter that breaks only this law. The contract has to name the law.

use std::collections::BTreeSet;

use relinquish::testing::{Broken, Law};

mod backups;
mod customer_store;
mod faults;
mod gateway;
mod key_ring;
mod ledger;
pub(crate) mod own_strategy;
mod recipient;
mod repository;
mod suppression;

/// People of the tests and of the contracts. No message may show any of them.
const PERSONS: [&str; 6] =
    ["maud", "theo", "ines", "customer-of-the-contract", "profile-of-the-contract", "example.org"];

/// Checks that a saboteur was caught at the law that it breaks, in two lines that show no person.
fn assert_caught(law: Law, answer: Result<(), Broken>) {
    let Err(broken) = answer else { panic!("nobody noticed: {law}") };
    assert_eq!(broken.law(), law, "another law is named: {broken}");
    let shown = broken.to_string();
    assert_eq!(shown.lines().count(), 2, "{shown}");
    for person in PERSONS {
        assert!(!shown.contains(person), "{law} shows a person: {shown}");
    }
}

/// The laws that have a saboteur, by contract.
const CAUGHT: &[&[Law]] = &[
    faults::CAUGHT,
    backups::CAUGHT,
    customer_store::CAUGHT,
    gateway::CAUGHT,
    gateway::CAUGHT_LISTING,
    key_ring::CAUGHT,
    ledger::CAUGHT,
    #[cfg(feature = "checkpoints")]
    ledger::tree::CAUGHT,
    recipient::CAUGHT,
    repository::CAUGHT,
    suppression::CAUGHT,
    own_strategy::CAUGHT,
    own_strategy::CAUGHT_ELSEWHERE,
];

/// Whether the port of a law exists with the enabled features.
fn can_break(law: Law) -> bool {
    cfg!(feature = "checkpoints") || law.port() != "keeps_tree"
}

#[test]
fn every_law_has_a_saboteur() {
    let caught: BTreeSet<Law> = CAUGHT.iter().copied().flatten().copied().collect();
    let free: Vec<_> = Law::ALL.iter().filter(|law| !caught.contains(law) && can_break(**law)).collect();
    assert!(free.is_empty(), "nobody breaks {free:?}");
}

#[test]
fn every_law_is_said_once() {
    let said: BTreeSet<_> = Law::ALL.iter().map(|law| (law.port(), law.as_str())).collect();
    assert_eq!(said.len(), Law::ALL.len());
}
