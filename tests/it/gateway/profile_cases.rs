//! Each profile of a review is a separate case: it is recorded before the gateway is called, and resumed after an
//! interruption.

use std::sync::Arc;

use chrono::TimeDelta;
use relinquish::customer::Status;
use relinquish::gateway::{
    ApprovedReview, GatewayOutcome, ListedProfile, MemoryGateway, ProfileListing, ProfilePages, Review,
    ReviewWriter,
};
use relinquish::ledger::{Closing, Ledger as _, Task};
use relinquish::plan::{Authority, Step};
use relinquish::{Approval, Engine, GatewayName, Outcome, PaymentGatewayEraser, SqliteLedger};

use crate::gateways::Shop;
use crate::hosts;
use crate::wired::{NEVER, Tripwire, until_death};
use relinquish::testing::Faulty;

/// A shop with three forgotten profiles at its gateway.
struct Trial {
    shop: Shop,
    gateway: Arc<MemoryGateway>,
    folder: tempfile::TempDir,
}

/// The profiles that a gateway would list.
#[derive(Debug)]
struct Listing(GatewayName, Vec<ListedProfile>);

#[async_trait::async_trait]
impl ProfileListing for Listing {
    fn gateway(&self) -> &GatewayName {
        &self.0
    }

    async fn list(&self) -> Result<Box<dyn ProfilePages>, relinquish::gateway::GatewayError> {
        Ok(Box::new(OnePage(Some(self.1.clone()))))
    }
}

#[derive(Debug)]
struct OnePage(Option<Vec<ListedProfile>>);

#[async_trait::async_trait]
impl ProfilePages for OnePage {
    async fn next(&mut self) -> Result<Option<Vec<ListedProfile>>, relinquish::gateway::GatewayError> {
        Ok(self.0.take())
    }
}

/// A listing of these profiles at Stripe, with the customers that they name.
pub(crate) fn listing(profiles: &[(&str, Option<&str>)]) -> impl ProfileListing + use<> {
    let listed = profiles.iter().map(|(id, owner)| {
        let mut profile = ListedProfile::new(*id);
        profile.owner = owner.map(Into::into);
        profile
    });
    Listing("stripe".into(), listed.collect())
}

/// The review of the forgotten profiles, as it is written for a person.
pub(crate) async fn csv_of(engine: &Engine, listing: &dyn ProfileListing) -> String {
    let mut reconciliation = engine.reconcile(listing).await.unwrap();
    let mut writer = ReviewWriter::new(Vec::new(), false).unwrap();
    while let Some(rows) = reconciliation.next().await.unwrap() {
        writer.write(&rows).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

impl Trial {
    fn new() -> Self {
        let shop = Shop::new(&[("1", &[])]);
        shop.put("2", Status::Archived, &[("stripe", "cus_2")]);
        let gateway = Arc::new(MemoryGateway::new("stripe"));
        for (profile, owner) in [("cus_a", None), ("cus_b", None), ("cus_2", Some("2"))] {
            gateway.insert(profile, owner.map(Into::into), 0);
        }
        Self { shop, gateway, folder: tempfile::tempdir().unwrap() }
    }

    fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(self.folder.path().join("ledger.sqlite")).unwrap()
    }

    fn engine(&self, wire: &Arc<Tripwire>) -> Engine {
        let ledger = Faulty::new(self.ledger(), Arc::clone(wire));
        let gateway = Faulty::new(Arc::clone(&self.gateway), Arc::clone(wire));
        let other: Arc<dyn PaymentGatewayEraser> = Arc::new(MemoryGateway::new("authorize_net"));
        let builder = self.shop.builder_with(Arc::new(ledger));
        builder.gateway(gateway).gateway(other).worker("one").build().unwrap()
    }

    /// The approved review of all forgotten profiles.
    async fn review(&self, engine: &Engine) -> ApprovedReview {
        let csv = csv_of(engine, &listing(&[("cus_a", None), ("cus_b", None), ("cus_2", Some("2"))])).await;
        let review = Review::from_csv(csv.replace("\n,stripe", "\nerase,stripe").as_bytes()).unwrap();
        assert_eq!(review.rows().len(), 3);
        let approval =
            Approval::new("op", ["shop".into()], review.digest(), hosts::now(), TimeDelta::hours(1));
        review.approve(approval).unwrap()
    }

    /// The number of erased profiles according to the ledger.
    async fn told(&self) -> usize {
        let entries = self.ledger().entries(0, 100).await.unwrap();
        let closed = entries.iter().filter_map(|entry| entry.closed());
        let erased = closed.filter(|case| match &case.closing {
            Closing::Profile(result) => result.answer.as_ref().is_some_and(|answer| {
                matches!(answer.outcome, GatewayOutcome::Erased | GatewayOutcome::AlreadyAbsent)
            }),
            _ => false,
        });
        erased.count()
    }
}

/// A former bug: a process died between the gateway's answer and the write to the ledger. Then the profile was gone
/// without any record.
#[tokio::test]
async fn an_interrupted_review_is_resumed_and_the_ledger_misses_no_profile() {
    let (mut interrupted, mut resumed) = (0, 0);
    for at in 0.. {
        let trial = Trial::new();
        let calm = trial.engine(&Tripwire::at(NEVER));
        let review = trial.review(&calm).await;
        let wire = Tripwire::at(at);
        let died = until_death(&wire, trial.engine(&wire).erase_profiles(&review)).await.is_none();
        let open = calm.open_cases(None, 10).await.unwrap();
        let gone = 3 - trial.gateway.len();
        assert!(gone <= open.len() + trial.told().await, "at {at}: gone, and nobody knows");
        if !died {
            assert_eq!((gone, open.len(), trial.told().await), (3, 0, 3));
            break;
        }
        interrupted += 1;
        for one in calm.resume().await.unwrap() {
            assert!(matches!(one.task, Task::Profile(_)) && one.task.customer().is_none());
            assert!(
                matches!(one.outcome, Outcome::Profile { answer: Some(_), .. }),
                "at {at}: {}",
                one.outcome
            );
            resumed += 1;
        }
        assert_eq!(3 - trial.gateway.len(), trial.told().await, "at {at}");
        // A second run of the same review carries out the cases that were not opened yet.
        calm.erase_profiles(&review).await.unwrap();
        assert_eq!((trial.gateway.len(), calm.open_cases(None, 10).await.unwrap().len()), (0, 0), "at {at}");
    }
    assert!(interrupted > 20 && resumed > 20, "{interrupted} {resumed}");
}

/// If a gateway refuses, the case stays open for a person. The same review tries it again, or the person cancels it.
#[tokio::test]
async fn what_a_gateway_refuses_is_for_a_person() {
    let trial = Trial::new();
    let wire = Tripwire::at(NEVER);
    let engine = trial.engine(&wire);
    let review = trial.review(&engine).await;
    // A subscription begins between the check and the call.
    let gateway = Arc::clone(&trial.gateway);
    let outcome = loop_until_refused(&trial, &review, gateway).await;
    let Outcome::Blocked { step, reversible, .. } = outcome else { panic!("{outcome}") };
    assert_eq!(step, Step::Gateway("stripe".into()));
    assert!(reversible, "a gateway that refuses has erased nothing");
    trial.gateway.insert("cus_a", None, 0);
    let again = engine.erase_profiles(&review).await.unwrap();
    let of_a = again.iter().find(|one| one.profile.as_str() == "cus_a").unwrap();
    assert!(matches!(of_a.outcome, Outcome::Profile { answer: Some(_), .. }), "{}", of_a.outcome);
    assert_eq!(trial.gateway.len(), 0);
}

/// Erases `cus_a` with a subscription that begins at each boundary in turn, until the gateway itself refuses.
async fn loop_until_refused(trial: &Trial, review: &ApprovedReview, gateway: Arc<MemoryGateway>) -> Outcome {
    for at in 0..200 {
        let gateway = Arc::clone(&gateway);
        let wire = Tripwire::meanwhile(at, async move { gateway.insert("cus_a", None, 1) });
        let engine = trial.engine(&wire);
        for one in engine.erase_profiles(review).await.unwrap() {
            if matches!(one.outcome, Outcome::Blocked { .. }) {
                return one.outcome;
            }
        }
        trial.gateway.insert("cus_a", None, 0);
    }
    panic!("the gateway never refused")
}

#[tokio::test]
async fn a_profile_that_a_gateway_goes_on_to_refuse_can_be_waived() {
    let trial = Trial::new();
    let engine = trial.engine(&Tripwire::at(NEVER));
    let review = trial.review(&engine).await;
    let outcome = loop_until_refused(&trial, &review, Arc::clone(&trial.gateway)).await;
    let Outcome::Blocked { case, step, .. } = outcome else { panic!("{outcome}") };
    let by = Authority::new("op-2", []);
    let outcome =
        engine.waive(&case, step, &by, "the-contract-there-has-ended".parse().unwrap()).await.unwrap();
    assert!(matches!(outcome, Outcome::Profile { answer: None, .. }), "{outcome}");
    assert!(outcome.to_string().contains("may still hold the profile"), "{outcome}");
    let entry = trial.ledger().entry(&case).await.unwrap().unwrap();
    let Closing::Profile(result) = &entry.closed().unwrap().closing else { panic!("{entry:?}") };
    assert_eq!(result.waived[0].operator.get(), Some(&"op-2".into()));
    assert_eq!(entry.profiles().count(), 0, "nobody says that it is gone");
}
