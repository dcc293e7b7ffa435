//! The fault injector. The contract reports a call that fails, and a resume finishes a case whose answer is lost.

use std::sync::Arc;

use relinquish::backup::{MemoryBackups, Schedule};
use relinquish::data_map::Value;
use relinquish::gateway::MemoryGateway;
use relinquish::ledger::Ledger as _;
use relinquish::testing::{self, Copies, Fault, Faults, Faulty, Law, Stocked};
use relinquish::{ByRecord, MemoryLedger, Outcome, PolicyDocument};

use super::customer_store::{repository, stocked};
use super::{assert_caught, key_ring};
use crate::hosts::{self, BuildCounted as _, ResumeAll as _, approved, request};

pub(super) const CAUGHT: &[Law] = &[Law::NothingFails, Law::FixtureSuffices];

#[tokio::test]
async fn a_call_that_fails_is_said_by_every_contract() {
    let ledger_calls =
        ["open", "claim", "release", "list", "append", "entries", "entry", "find", "treatment", "last"];
    for fault in [Fault::Error, Fault::Lost] {
        for call in ledger_calls {
            let open = |clock: Arc<testing::ManualClock>| async move {
                Faulty::new(MemoryLedger::new().lease_clock(move || clock.now()), Faults::at(call, 1, fault))
            };
            assert_caught(Law::NothingFails, testing::ledger(open).await);
        }
        for call in ["page", "facts", "identifiers", "deactivate", "reactivate", "tally", "erase"] {
            let fresh = || async {
                let repository = repository();
                let store = ByRecord::new(Arc::clone(&repository));
                stocked(&repository, Faulty::new(store, Faults::at(call, 1, fault)))
            };
            assert_caught(Law::NothingFails, testing::customer_store(fresh).await);
        }
        for call in ["page", "facts", "load", "save"] {
            let fresh = || async {
                let repository = repository();
                let faults = Faults::at(call, 1, fault);
                stocked(&repository, Faulty::new(Arc::clone(&repository), faults))
            };
            assert_caught(Law::NothingFails, testing::repository(fresh).await);
        }
        for call in ["epochs", "macs"] {
            let open = || async { Faulty::new(key_ring::memory_ring(), Faults::at(call, 1, fault)) };
            assert_caught(Law::NothingFails, testing::key_ring(open).await);
        }
        for call in ["schedule", "copies", "remove"] {
            let fresh = || async {
                Copies::new(Faulty::new(super::backups::memory_backups(), Faults::at(call, 1, fault)))
            };
            assert_caught(Law::NothingFails, testing::backups(fresh).await);
        }
    }
}

#[tokio::test]
async fn a_fixture_that_gives_too_little_is_said() {
    let fresh = || async {
        let repository = relinquish::store::MemoryRepository::new(hosts::memory_map());
        let (customer, records) = hosts::memory_customer("1", "maud", false);
        repository.insert(customer, records);
        Stocked::new(ByRecord::new(repository), PolicyDocument::from_toml(hosts::MEMORY_POLICY).unwrap())
    };
    assert_caught(Law::FixtureSuffices, testing::customer_store(fresh).await);
    let schedule = Schedule::new(None, None);
    let none = || async { Copies::new(MemoryBackups::new(schedule, [])) };
    assert_caught(Law::FixtureSuffices, testing::backups(none).await);
    let own = crate::values::own_strategies::Region { version: 1 };
    assert_caught(Law::FixtureSuffices, testing::own_strategy(&own, &[Value::from("SE-4711-3")]));
}

/// For every call that takes effect, the answer is lost once.
#[tokio::test]
async fn a_case_whose_answer_is_lost_is_finished_by_a_resume() {
    for call in ["deactivate", "erase", "open", "record", "close"] {
        let host = hosts::memory();
        let before = (host.dump)();
        let plan = approved(&host.engine(), &host.due, &request("clear")).await;
        let faults = Arc::new(Faults::at(call, 1, Fault::Lost));
        let ledger = Arc::new(MemoryLedger::new());
        let gateway = host.gateway.clone().unwrap();
        let around = hosts::Host {
            store: Arc::new(Faulty::new(Arc::clone(&host.store), Arc::clone(&faults))),
            gateway: None,
            ..host
        };
        let engine = around
            .builder(Faulty::new(Arc::clone(&ledger), Arc::clone(&faults)), hosts::keys())
            .gateway(Faulty::new(Arc::clone(&gateway), Arc::clone(&faults)))
            .worker("one")
            .counted()
            .unwrap();
        let outcome = engine.erase(plan).await;
        assert!(faults.have_happened(), "{call}");
        assert!(faults.calls(call) >= 1, "{call}");
        if !matches!(outcome, Ok(Outcome::Erased(_))) {
            let resumed = engine.resumed().await;
            let is_erased = matches!(resumed.as_slice(), [Outcome::Erased(_)]);
            // The close took effect, so there is nothing left to resume.
            assert!(
                is_erased || (call == "close" && resumed.is_empty()),
                "{call}: {outcome:?}, then {resumed:?}"
            );
        }
        let entries = hosts::acts(&*ledger).await;
        assert_eq!(entries.len(), 1, "{call}: one entry");
        assert_eq!(ledger.last().await.unwrap(), 1, "{call}");
        around.check_erased(&before);
    }
}

/// An unreachable gateway and a missing answer are distinguished.
#[tokio::test]
async fn a_fault_at_a_gateway_is_one_of_the_ports_own() {
    use relinquish::PaymentGatewayEraser as _;
    use relinquish::gateway::GatewayError;
    let faults = Faults::at("account", 1, Fault::Error).and("account", 2, Fault::Lost);
    let gateway = Faulty::new(MemoryGateway::new("memory"), faults);
    assert!(matches!(gateway.account().await, Err(GatewayError::Unreachable { .. })));
    assert!(matches!(gateway.account().await, Err(GatewayError::Unknown { .. })));
    assert!(gateway.account().await.is_ok());
    let misspelt = Faults::at("acount", 1, Fault::Error);
    assert!(!misspelt.have_happened());
}
