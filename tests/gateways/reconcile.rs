//! What was forgotten at a gateway: found, listed, checked by a person, and only what was confirmed erased.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use relinquish::case::SupersedeReason;
use relinquish::customer::Status;
use relinquish::gateway::stripe::{EventSubject, StripeExport};
use relinquish::gateway::{Finding, GatewayOutcome, ProfileListing, Review, ReviewRow, ReviewWriter, Stripe};
use relinquish::ledger::{About, Closing, Ledger};
use relinquish::plan::ApprovalError;
use relinquish::{
    Approval, Asked, Engine, Error, MemoryLedger, Outcome, PaymentGatewayEraser, SqliteLedger, TenantId,
};

use crate::gateways::fakes::server::{Fault, Server};
use crate::gateways::{self, Shop, fakes};
use crate::hosts::{self, BuildCounted as _, approved};

struct Forgotten {
    server: Server<fakes::stripe::Stripe>,
    stripe: Stripe,
    shop: Shop,
}

fn customer(email: Option<&str>, owner: Option<&str>, subscriptions: &[&str]) -> fakes::stripe::Customer {
    fakes::stripe::Customer {
        email: email.map(str::to_owned),
        metadata: owner.map(|owner| ("customer_id".to_owned(), owner.to_owned())).into_iter().collect(),
        subscriptions: subscriptions.iter().map(|status| (*status).to_owned()).collect(),
        ..Default::default()
    }
}

impl Forgotten {
    /// Customers of a shop whose link to Stripe came late.
    async fn start() -> Self {
        let server = fakes::stripe::start().await;
        let shop = Shop::new(&[("10", &[("stripe", "cus_linked")])]);
        shop.put("1", Status::Active, &[("stripe", "cus_fine")]);
        shop.put("2", Status::Active, &[]);
        shop.put("3", Status::Archived, &[("stripe", "cus_archived")]);
        shop.put("4", Status::Active, &[("stripe", "cus_ended")]);
        shop.put("5", Status::Active, &[("stripe", "cus_new")]);
        shop.put("6", Status::Active, &[]);
        shop.put("7", Status::Active, &[]);
        for (id, email, owner, subscriptions) in [
            ("cus_fine", Some("1@example.org"), Some("1"), &["active"][..]),
            // Named by nobody, but by its address.
            ("cus_by_mail", Some(" 2@Example.ORG "), None, &["active"]),
            ("cus_archived", None, None, &[]),
            ("cus_ended", None, Some("4"), &["canceled", "incomplete_expired"]),
            ("cus_new", None, Some("5"), &["active"]),
            ("cus_old", Some("5@example.org"), None, &[]),
            // Linked to 10, and naming 9.
            ("cus_linked", None, Some("9"), &[]),
            ("cus_orphan", Some("canary@example.org"), None, &[]),
            ("cus_of_nobody", Some("2@example.org"), Some("999"), &[]),
            ("cus_named", Some("x@example.org"), Some("6"), &["active"]),
        ] {
            server.gateway.put(id, customer(email, owner, subscriptions));
        }
        let stripe = gateways::stripe(&server).build().unwrap();
        Self { server, stripe, shop }
    }

    fn engine(&self) -> Engine {
        self.shop.engine([Arc::new(self.stripe.clone()) as Arc<dyn PaymentGatewayEraser>])
    }

    fn erased(&self) -> BTreeSet<String> {
        self.server.gateway.effects().into_iter().collect()
    }
}

async fn reconcile(engine: &Engine, listing: &dyn ProfileListing) -> Vec<ReviewRow> {
    let mut reconciliation = engine.reconcile(listing).await.unwrap();
    let mut rows = Vec::new();
    while let Some(more) = reconciliation.next().await.unwrap() {
        rows.extend(more);
    }
    rows
}

fn csv(rows: &[ReviewRow], emails: bool) -> String {
    let mut writer = ReviewWriter::new(Vec::new(), emails).unwrap();
    writer.write(rows).unwrap();
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

/// A person confirms the rows of these profiles.
fn confirm(csv: &str, profiles: &[&str]) -> String {
    let lines: Vec<String> = csv
        .lines()
        .map(|line| {
            let confirmed = profiles.iter().any(|profile| line.split(',').any(|cell| cell == *profile));
            format!("{}{line}", if confirmed { "erase" } else { "" })
        })
        .collect();
    lines.join("\n")
}

fn approval(review: &Review) -> Approval {
    Approval::new("operator-7", [TenantId::from("shop")], review.digest(), hosts::now(), TimeDelta::hours(1))
}

fn is_done(outcome: &Outcome) -> bool {
    let Outcome::Profile { answer: Some(answer), .. } = outcome else { return false };
    matches!(answer.outcome, GatewayOutcome::Erased | GatewayOutcome::AlreadyAbsent)
}

fn is_guarded(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Superseded { because: SupersedeReason::Guard(_), .. })
}

async fn erase(engine: &Engine, review: Review) -> BTreeMap<String, Outcome> {
    let approval = approval(&review);
    let review = review.approve(approval).unwrap();
    let outcomes = engine.erase_profiles(&review).await.unwrap();
    outcomes.into_iter().map(|one| (one.profile.as_str().to_owned(), one.outcome)).collect()
}

#[tokio::test]
async fn each_forgotten_profile_is_found_with_the_reason() {
    let forgotten = Forgotten::start().await;
    let rows = reconcile(&forgotten.engine(), &forgotten.stripe).await;
    let found: BTreeMap<&str, String> = rows
        .iter()
        .map(|row| {
            let findings: Vec<String> = row.findings.iter().map(ToString::to_string).collect();
            let whose = row
                .customer
                .as_ref()
                .map_or("-".to_owned(), |(id, _, by)| format!("{} by {by}", id.as_str()));
            (row.profile.as_str(), format!("{} ({whose})", findings.join("+")))
        })
        .collect();
    let expected = BTreeMap::from([
        ("cus_archived", "owner_archived (3 by link)"),
        ("cus_ended", "subscriptions_ended (4 by link)"),
        ("cus_linked", "ambiguous (10 by link)"),
        ("cus_new", "double (5 by link)"),
        ("cus_of_nobody", "orphan (-)"),
        ("cus_old", "double (5 by email)"),
        ("cus_orphan", "orphan (-)"),
    ]);
    assert_eq!(found, expected.into_iter().map(|(id, text)| (id, text.to_owned())).collect());
    assert!(forgotten.erased().is_empty(), "to look touches nothing");
    assert!(!csv(&rows, false).contains("canary") && csv(&rows, true).contains("canary"));
    assert!(!format!("{rows:?}").contains("cus_"));
}

#[tokio::test]
async fn an_address_that_several_have_is_ambiguous() {
    let forgotten = Forgotten::start().await;
    // The store has unique addresses; two customers share one if case is all that differs.
    forgotten.shop.put("A8", Status::Active, &[]);
    forgotten.shop.put("a8", Status::Active, &[]);
    forgotten.server.gateway.put("cus_shared", customer(Some("a8@example.org"), None, &[]));
    let rows = reconcile(&forgotten.engine(), &forgotten.stripe).await;
    let row = rows.iter().find(|row| row.profile.as_str() == "cus_shared").unwrap();
    assert_eq!(row.findings, BTreeSet::from([Finding::Ambiguous]));
    assert!(row.customer.is_none());
}

#[tokio::test]
async fn exactly_what_was_confirmed_is_erased_and_the_ledger_proves_it() {
    let forgotten = Forgotten::start().await;
    let engine = forgotten.engine();
    let text = csv(&reconcile(&engine, &forgotten.stripe).await, true);
    let review =
        Review::from_csv(confirm(&text, &["cus_orphan", "cus_old", "cus_of_nobody"]).as_bytes()).unwrap();
    let digest = review.digest();
    let other = Approval::new(
        "operator-7",
        [TenantId::from("shop")],
        relinquish::Plan::digest(&hosts::plan(&engine, &"10".into(), &Asked::request()).await),
        hosts::now(),
        TimeDelta::hours(1),
    );
    let refused = review.clone().approve(other);
    assert!(matches!(refused.unwrap_err().why, ApprovalError::OtherPlan { .. }));
    assert!(forgotten.erased().is_empty());
    let outcomes = erase(&engine, review.clone()).await;
    assert!(outcomes.values().all(is_done), "{outcomes:?}");
    assert_eq!(forgotten.erased(), ["cus_of_nobody", "cus_old", "cus_orphan"].map(str::to_owned).into());
    let entries = forgotten.shop.ledger.entries(0, 100).await.unwrap();
    let shown = format!("{entries:?}");
    assert_eq!(entries.len(), 3);
    for entry in &entries {
        let closed = entry.closed().unwrap();
        let Closing::Profile(erased) = &closed.closing else { panic!("{entry:?}") };
        let operator = closed.under().operator.get().unwrap();
        assert_eq!((closed.plan, operator.as_str()), (digest, "operator-7"));
        assert!(matches!(&closed.about, About::Profile { gateway, .. } if gateway.as_str() == "stripe"));
        assert!(erased.answer.as_ref().unwrap().request_id.as_ref().is_some_and(|id| id.starts_with("req_")));
    }
    assert!(!shown.contains("cus_") && !shown.contains("example.org"), "{shown}");
    // Again, after a crash before the ledger was written, say: nothing more happens.
    let outcomes = erase(&engine, review).await;
    assert!(outcomes.values().all(is_done), "{outcomes:?}");
    assert_eq!(forgotten.server.gateway.effects().len(), 3);
}

#[tokio::test]
async fn what_changed_since_the_review_stays() {
    let forgotten = Forgotten::start().await;
    let engine = forgotten.engine();
    let text = csv(&reconcile(&engine, &forgotten.stripe).await, false);
    let all = ["cus_orphan", "cus_archived", "cus_ended", "cus_of_nobody", "cus_old", "cus_new"];
    let review = Review::from_csv(confirm(&text, &all).as_bytes()).unwrap();
    // Somebody linked the orphan; the archived one is back; a subscription began, a payment is disputed; the profile of
    // nobody names somebody; the double of 5 is linked to 6 by now.
    forgotten.shop.put("7", Status::Active, &[("stripe", "cus_orphan")]);
    forgotten.shop.put("3", Status::Active, &[("stripe", "cus_archived")]);
    forgotten
        .server
        .gateway
        .change("cus_ended", |customer| customer.subscriptions = vec!["trialing".to_owned()]);
    forgotten.server.gateway.change("cus_new", |customer| {
        customer.subscriptions.clear();
        customer.charges = vec![Some("needs_response".to_owned())];
    });
    forgotten.server.gateway.change("cus_of_nobody", |customer| {
        customer.metadata.insert("customer_id".to_owned(), "6".to_owned());
    });
    forgotten.shop.put("6", Status::Active, &[("stripe", "cus_old")]);
    let outcomes = erase(&engine, review).await;
    assert_eq!(outcomes.len(), all.len());
    for (profile, outcome) in &outcomes {
        let blocked = ["cus_ended", "cus_new"].contains(&profile.as_str());
        let is_superseded = matches!(outcome, Outcome::Superseded { .. });
        assert!(is_superseded && is_guarded(outcome) == blocked, "{profile}: {outcome:?}");
    }
    assert!(forgotten.erased().is_empty(), "{:?}", forgotten.erased());
}

#[tokio::test]
async fn keys_of_another_account_erase_nothing_and_faults_are_resolved() {
    let forgotten = Forgotten::start().await;
    let engine = forgotten.engine();
    let text = csv(&reconcile(&engine, &forgotten.stripe).await, false);
    let review = Review::from_csv(confirm(&text, &["cus_orphan"]).as_bytes()).unwrap();
    forgotten.server.gateway.account("acct_other");
    let outcome = erase(&engine, review.clone()).await.remove("cus_orphan").unwrap();
    assert!(
        matches!(&outcome, Outcome::Superseded { because: SupersedeReason::Account { .. }, .. }),
        "{outcome:?}"
    );
    forgotten.server.gateway.account(fakes::stripe::ACCOUNT);
    for fault in [Fault::ErrorAfter(500), Fault::TooMany(Some("0"))] {
        forgotten.server.fault("erase", fault);
    }
    let outcome = erase(&engine, review).await.remove("cus_orphan").unwrap();
    assert!(is_done(&outcome), "{outcome:?}");
    assert_eq!(forgotten.server.gateway.effects(), ["cus_orphan"], "once, and nobody else");
}

#[tokio::test]
async fn an_approval_that_has_expired_erases_nothing() {
    let forgotten = Forgotten::start().await;
    let engine = forgotten.engine();
    let text = csv(&reconcile(&engine, &forgotten.stripe).await, false);
    let review = Review::from_csv(confirm(&text, &["cus_orphan"]).as_bytes()).unwrap();
    let early = hosts::now() - TimeDelta::hours(2);
    let approval = Approval::new("op", [], review.digest(), early, TimeDelta::hours(1));
    let review = review.approve(approval).unwrap();
    let error = engine.erase_profiles(&review).await.unwrap_err();
    assert!(matches!(error, Error::Approval(ApprovalError::Expired { .. })), "{error}");
    assert!(forgotten.erased().is_empty());
}

#[tokio::test]
async fn an_export_is_reconciled_like_the_gateway_itself() {
    let forgotten = Forgotten::start().await;
    let engine = forgotten.engine();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.csv");
    std::fs::write(
        &path,
        "Plan,Email,id,customer_id (metadata)\ngold,,cus_fine,1\n,7@example.org,cus_orphan,\n,,cus_ended,4\n",
    )
    .unwrap();
    let export = StripeExport::new("stripe", &path);
    let rows = reconcile(&engine, &export).await;
    let found: Vec<_> = rows.iter().map(|row| (row.profile.as_str(), row.findings.clone())).collect();
    let candidate = BTreeSet::from([Finding::NoSubscription]);
    assert_eq!(found, [("cus_orphan", candidate.clone()), ("cus_ended", candidate)]);
    assert!(forgotten.erased().is_empty());
    // Without a confirmation nothing goes, and with one, Stripe itself is asked first.
    let text = csv(&rows, false);
    assert!(erase(&engine, Review::from_csv(text.as_bytes()).unwrap()).await.is_empty());
    forgotten
        .server
        .gateway
        .change("cus_ended", |customer| customer.subscriptions = vec!["active".to_owned()]);
    let review = Review::from_csv(confirm(&text, &["cus_ended", "cus_orphan"]).as_bytes()).unwrap();
    let outcomes = erase(&engine, review).await;
    assert!(is_guarded(&outcomes["cus_ended"]), "{outcomes:?}");
    assert!(is_done(&outcomes["cus_orphan"]), "{outcomes:?}");
    assert_eq!(forgotten.server.gateway.effects(), ["cus_orphan"]);
    std::fs::write(&path, "Plan,id\n,cus_1\n,nobody\n").unwrap();
    let mut reconciliation = engine.reconcile(&export).await.unwrap();
    let error = reconciliation.next().await.unwrap_err().to_string();
    assert!(error.contains("customers.csv: line 3, column id"), "{error}");
}

#[tokio::test]
async fn profiles_of_authorize_net_are_reconciled_too() {
    let server = fakes::authorize_net::start().await;
    for (id, owner, email, subscriptions) in [
        ("101", Some("1"), None, &["active"][..]),
        ("102", None, Some("2@example.org"), &["canceled"]),
        ("103", None, Some("nobody@example.org"), &[]),
    ] {
        let profile = fakes::authorize_net::Profile {
            merchant_customer_id: owner.map(str::to_owned),
            email: email.map(str::to_owned),
            subscriptions: subscriptions.iter().map(|status| (*status).to_owned()).collect(),
        };
        server.gateway.put(id, profile);
    }
    let shop = Shop::new(&[("1", &[("authorize_net", "101")]), ("2", &[])]);
    let gateway = gateways::authorize_net(&server).build().unwrap();
    let engine = shop.engine([Arc::new(gateway.clone()) as Arc<dyn PaymentGatewayEraser>]);
    let rows = reconcile(&engine, &gateway).await;
    let found: Vec<_> = rows.iter().map(|row| (row.profile.as_str(), row.findings.clone())).collect();
    assert_eq!(
        found,
        [("102", BTreeSet::from([Finding::SubscriptionsEnded])), ("103", BTreeSet::from([Finding::Orphan])),]
    );
    let review = Review::from_csv(confirm(&csv(&rows, false), &["103"]).as_bytes()).unwrap();
    let outcomes = erase(&engine, review).await;
    assert!(is_done(&outcomes["103"]), "{outcomes:?}");
    assert_eq!(server.gateway.left(), ["101", "102"]);
}

#[tokio::test]
async fn an_event_about_somebody_erased_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let durable = SqliteLedger::open(folder.path().join("ledger.sqlite")).unwrap();
    let ledgers: [Arc<dyn Ledger>; 2] = [Arc::new(MemoryLedger::new()), Arc::new(durable)];
    for ledger in ledgers {
        let forgotten = Forgotten::start().await;
        forgotten.server.gateway.insert("cus_linked", Some("10"));
        let engine = forgotten
            .shop
            .builder_with(Arc::clone(&ledger))
            .gateway(forgotten.stripe.clone())
            .gateway(relinquish::gateway::MemoryGateway::new("authorize_net"))
            .counted()
            .unwrap();
        let event = |profile: &str, owner: &str| {
            let body = format!(
                r#"{{"object":"event","data":{{"object":{{"object":"charge","customer":"{profile}",
                "metadata":{{"customer_id":"{owner}"}}}}}}}}"#
            );
            EventSubject::of(body.as_bytes(), "customer_id").unwrap()
        };
        let stripe = "stripe".into();
        let concerns = async |profile: &str, owner: &str| {
            let subject = event(profile, owner);
            engine.concerns_erased(&stripe, subject.profile.as_ref(), subject.owner.as_ref()).await.unwrap()
        };
        assert!(!concerns("cus_linked", "10").await);
        let plan = approved(&engine, &"10".into(), &Asked::request()).await;
        let outcome = engine.erase(plan).await.unwrap();
        assert!(outcome.certificate().is_some(), "{outcome}");
        assert!(concerns("cus_linked", "").await, "by the profile");
        assert!(concerns("cus_other", "10").await, "by the name");
        assert!(!concerns("cus_fine", "1").await);
        let text = csv(&reconcile(&engine, &forgotten.stripe).await, false);
        let review = Review::from_csv(confirm(&text, &["cus_orphan"]).as_bytes()).unwrap();
        erase(&engine, review).await;
        assert!(concerns("cus_orphan", "").await, "erased by a review");
        // One that comes back is found as such.
        forgotten.server.gateway.insert("cus_orphan", None);
        forgotten.server.gateway.insert("cus_again", Some("10"));
        let rows = reconcile(&engine, &forgotten.stripe).await;
        for profile in ["cus_orphan", "cus_again"] {
            let row = rows.iter().find(|row| row.profile.as_str() == profile).unwrap();
            assert!(row.findings.contains(&Finding::OwnerErased), "{profile}: {:?}", row.findings);
        }
        let shown: Vec<String> =
            ledger.entries(0, 100).await.unwrap().iter().map(|entry| format!("{entry:?}")).collect();
        assert_eq!(shown.len(), 2);
        assert!(!shown.concat().contains("cus_"));
    }
}
