//! Random faults in random order: a profile is erased once, and no other profile is touched.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use relinquish::{Asked, Engine, Outcome, PaymentGatewayEraser, Planned};

use crate::gateways::fakes::server::{Fault, Server};
use crate::gateways::{self, Shop, fakes};
use crate::hosts;
use crate::hosts::ResumeAll as _;

/// The time that a hanging gateway costs in a test.
const TIMEOUT: Duration = Duration::from_millis(60);

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::TooMany(Some("0"))),
        Just(Fault::ErrorBefore(500)),
        Just(Fault::ErrorBefore(503)),
        Just(Fault::ErrorAfter(500)),
        Just(Fault::ErrorAfter(503)),
        Just(Fault::ResetBefore),
        Just(Fault::ResetAfter),
        Just(Fault::HangBefore),
        Just(Fault::HangAfter),
        Just(Fault::Garbage),
        Just(Fault::Nonsense),
        Just(Fault::Giant),
        Just(Fault::ByteOrderMark),
        Just(Fault::Redirect("/v1/customers/cus_2".to_owned())),
    ]
}

/// Faults for requests in the order of their arrival, and faults only for erasures.
fn history() -> impl Strategy<Value = (Vec<Fault>, Vec<Fault>)> {
    (prop::collection::vec(fault(), 0..6), prop::collection::vec(fault(), 0..4))
}

/// Plans, carries out, resumes and retries until it is done. It tries more often than there are faults.
async fn erase(engine: &Engine) -> Result<(), TestCaseError> {
    let mut outcome: Option<Outcome> = None;
    for _ in 0..60 {
        outcome = Some(match &outcome {
            Some(Outcome::Erased(_)) => return Ok(()),
            Some(Outcome::Blocked { case, .. }) => engine.retry(case).await.unwrap(),
            Some(Outcome::Waiting { .. }) => engine.resumed().await.pop().unwrap(),
            None | Some(Outcome::Superseded { .. }) => {
                // If a gateway does not answer, there is no plan.
                let Ok(Planned::Plan(plan)) = engine.plan(&"1".into(), &Asked::request()).await else {
                    continue;
                };
                let approval = hosts::approval(&plan);
                engine.erase(plan.approve(approval).unwrap()).await.unwrap()
            }
            Some(other) => return Err(TestCaseError::fail(format!("{other}"))),
        });
    }
    Err(TestCaseError::fail(format!("it never ended: {outcome:?}")))
}

fn engine(gateway: impl PaymentGatewayEraser, profile: &str) -> Engine {
    let name = gateway.gateway().as_str().to_owned();
    Shop::new(&[("1", &[(name.as_str(), profile)])])
        .engine([Arc::new(gateway) as Arc<dyn PaymentGatewayEraser>])
}

fn faults<G: fakes::server::Gateway>(server: &Server<G>, history: &(Vec<Fault>, Vec<Fault>)) {
    for fault in &history.1 {
        server.fault("erase", fault.clone());
    }
    server.faults(history.0.iter().cloned());
}

fn run(test: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn stripe_erases_once_and_nobody_else(history in history()) {
        run(async {
            let server = fakes::stripe::start().await;
            for (id, owner) in [("cus_1", "1"), ("cus_2", "2"), ("cus_3", "3")] {
                server.gateway.insert(id, Some(owner));
            }
            faults(&server, &history);
            let stripe =
                gateways::stripe(&server).timeout(TIMEOUT).breaker(u32::MAX, Duration::ZERO).build().unwrap();
            erase(&engine(stripe, "cus_1")).await?;
            prop_assert_eq!(server.gateway.effects(), ["cus_1"]);
            prop_assert_eq!(server.gateway.left(), ["cus_2", "cus_3"]);
            Ok(())
        })?;
    }

    #[test]
    fn authorize_net_erases_once_and_nobody_else(history in history()) {
        run(async {
            let server = fakes::authorize_net::start().await;
            for (id, owner) in [("101", "1"), ("102", "2"), ("103", "3")] {
                server.gateway.insert(id, Some(owner));
            }
            faults(&server, &history);
            let gateway = gateways::authorize_net(&server)
                .timeout(TIMEOUT)
                .breaker(u32::MAX, Duration::ZERO)
                .build()
                .unwrap();
            erase(&engine(gateway, "101")).await?;
            prop_assert_eq!(server.gateway.effects(), ["101"]);
            prop_assert_eq!(server.gateway.left(), ["102", "103"]);
            Ok(())
        })?;
    }
}
