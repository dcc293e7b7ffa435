//! Faults on the way to a gateway and at the gateway: each over real HTTP, and through the whole engine.

use std::sync::Arc;
use std::time::Duration;

use relinquish::gateway::http::{HttpClient, Limits, Method, Mode, Request, Transport, TransportError};
use relinquish::gateway::{
    AuthorizeNet, GatewayOutcome, PaymentGatewayEraser, ProfileErasure, ProfileId, Stripe,
};
use relinquish::{Asked, Engine, Error, Outcome, Planned};
use tokio::net::TcpListener;

use crate::gateways::fakes::server::{Fault, Server};
use crate::gateways::{self, Shop, fakes};
use crate::hosts::ResumeAll as _;
use crate::hosts::approved;

type StripeServer = Server<fakes::stripe::Stripe>;
type AuthorizeNetServer = Server<fakes::authorize_net::AuthorizeNet>;

/// Both gateways, with customer 1 at both, and 2 and 3 at one each.
struct Both {
    stripe: StripeServer,
    authorize_net: AuthorizeNetServer,
    shop: Shop,
}

impl Both {
    async fn start() -> Self {
        let (stripe, authorize_net) = (fakes::stripe::start().await, fakes::authorize_net::start().await);
        for (id, owner) in [("cus_1", "1"), ("cus_1b", "1"), ("cus_2", "2"), ("cus_9", "9")] {
            stripe.gateway.insert(id, Some(owner));
        }
        for (id, owner) in [("101", "1"), ("103", "3"), ("109", "9")] {
            authorize_net.gateway.insert(id, Some(owner));
        }
        let shop = Shop::new(&[
            ("1", &[("stripe", "cus_1"), ("stripe", "cus_1b"), ("authorize_net", "101")]),
            ("2", &[("stripe", "cus_2")]),
            ("3", &[("authorize_net", "103")]),
            ("4", &[]),
        ]);
        Self { stripe, authorize_net, shop }
    }

    fn engine_with(&self, timeout: Duration) -> Engine {
        self.shop.engine([
            Arc::new(gateways::stripe(&self.stripe).timeout(timeout).build().unwrap())
                as Arc<dyn PaymentGatewayEraser>,
            Arc::new(gateways::authorize_net(&self.authorize_net).timeout(timeout).build().unwrap()),
        ])
    }

    fn engine(&self) -> Engine {
        self.engine_with(gateways::TIMEOUT)
    }

    fn untouched(&self) -> bool {
        self.stripe.gateway.effects().is_empty() && self.authorize_net.gateway.effects().is_empty()
    }
}

async fn refusal(engine: &Engine, customer: &str) -> String {
    match engine.plan(&customer.into(), &Asked::request()).await {
        Ok(Planned::Plan(plan)) => panic!("{plan}"),
        Ok(no_plan) => no_plan.to_string(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn several_profiles_at_several_gateways_go_and_the_certificate_has_each_answer() {
    let both = Both::start().await;
    let engine = both.engine();
    let plan = approved(&engine, &"1".into(), &Asked::request()).await;
    let shown = plan.plan().to_string();
    assert!(
        shown.contains("(account acct_1032D82eZvKYlo2C)") && shown.contains("(account 565697)"),
        "{shown}"
    );
    let outcome = engine.erase(plan).await.unwrap();
    let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
    let mut effects = both.stripe.gateway.effects();
    effects.sort();
    assert_eq!(effects, ["cus_1", "cus_1b"]);
    assert_eq!(both.authorize_net.gateway.effects(), ["101"]);
    let shown = certificate.to_string();
    assert_eq!(shown.matches("erased (it said deleted, request req_").count(), 2, "{shown}");
    assert_eq!(shown.matches("erased (it said I00001, request ").count(), 1, "{shown}");
    assert!(!shown.contains("cus_"), "{shown}");
    // A customer without a profile is not affected, whatever the gateways do.
    both.stripe.down(Some(Fault::ErrorBefore(500)));
    both.authorize_net.down(Some(Fault::ErrorBefore(502)));
    let engine = both.engine();
    let plan = approved(&engine, &"4".into(), &Asked::request()).await;
    assert!(engine.erase(plan).await.unwrap().certificate().is_some());
}

#[tokio::test]
async fn what_still_runs_is_open_or_disputed_at_a_gateway_refuses_the_plan() {
    let both = Both::start().await;
    let engine = both.engine();
    let set = |subscription: &str, invoice: &str, dispute: Option<&str>| {
        both.stripe.gateway.change("cus_2", |customer| {
            customer.subscriptions = vec![subscription.to_owned()];
            customer.invoices = vec!["paid".to_owned(), invoice.to_owned()];
            customer.charges = vec![None, dispute.map(str::to_owned)];
        });
    };
    for (subscription, invoice, dispute, word) in [
        ("active", "paid", None, "a subscription is active"),
        ("past_due", "paid", None, "a subscription is active"),
        ("a state of next year", "paid", None, "a subscription is active"),
        ("canceled", "open", None, "invoice"),
        ("canceled", "paid", Some("needs_response"), "disputed"),
        ("canceled", "paid", Some("a state of next year"), "disputed"),
    ] {
        set(subscription, invoice, dispute);
        let refusal = refusal(&engine, "2").await;
        assert!(refusal.contains(word), "{subscription} {invoice} {dispute:?}: {refusal}");
    }
    set("canceled", "void", Some("won"));
    let plan = approved(&engine, &"2".into(), &Asked::request()).await;
    // If this happens after the approval, nothing is touched.
    set("canceled", "open", None);
    let outcome = engine.erase(plan).await.unwrap();
    assert!(matches!(outcome, Outcome::Superseded { .. }), "{outcome}");
    assert!(both.untouched());
    let profile =
        fakes::authorize_net::Profile { subscriptions: vec!["suspended".to_owned()], ..Default::default() };
    both.authorize_net.gateway.put("103", profile);
    assert!(refusal(&engine, "3").await.contains("a subscription is active"));
}

#[tokio::test]
async fn authorize_nets_codes_are_told_apart() {
    for (code, word) in [
        ("E00105", Some("payment profile")),
        ("E00106", Some("recurring subscription")),
        ("E00107", Some("shipping profile")),
        ("E00007", Some("does not accept the keys")),
        ("E00003", Some("says E00003")),
        ("E00049", Some("says E00049")),
        ("E99999", Some("says E99999")),
        ("E00053", None),
        ("E00104", None),
        ("E00001", None),
    ] {
        let both = Both::start().await;
        let engine = both.engine();
        let plan = approved(&engine, &"3".into(), &Asked::request()).await;
        both.authorize_net.gateway.refuse_with(code);
        let outcome = engine.erase(plan).await.unwrap();
        match word {
            Some(word) => {
                let Outcome::Blocked { case, step, reason, .. } = &outcome else {
                    panic!("{code}: {outcome}")
                };
                assert_eq!(step.to_string(), "gateway.authorize_net");
                assert!(reason.contains(word), "{code}: {reason}");
                assert!(both.untouched(), "{code}");
                assert!(engine.retry(case).await.unwrap().certificate().is_some(), "{code}");
            }
            None => assert!(outcome.certificate().is_some(), "{code}: {outcome}"),
        }
        assert_eq!(both.authorize_net.gateway.effects(), ["103"], "{code}");
    }
}

#[tokio::test]
async fn a_fault_at_the_erasure_is_resolved_by_reading_and_never_by_assuming() {
    let short = Duration::from_millis(400);
    for fault in [
        Fault::TooMany(Some("0")),
        Fault::TooMany(None),
        Fault::ErrorBefore(500),
        Fault::ErrorBefore(503),
        Fault::ErrorAfter(500),
        Fault::ErrorAfter(502),
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::HangBefore,
        Fault::HangAfter,
        Fault::Garbage,
        Fault::Nonsense,
        Fault::Giant,
        Fault::Drip,
        Fault::ByteOrderMark,
    ] {
        let both = Both::start().await;
        let engine = both.engine_with(short);
        let two = approved(&engine, &"2".into(), &Asked::request()).await;
        let three = approved(&engine, &"3".into(), &Asked::request()).await;
        both.stripe.fault("erase", fault.clone());
        both.authorize_net.fault("erase", fault.clone());
        let mut outcomes = engine.execute(vec![two, three]).await.unwrap();
        // A machine under load may need longer than the timeout. Then the cases wait and continue later.
        for _ in 0..20 {
            if outcomes.iter().all(|outcome| outcome.certificate().is_some()) {
                break;
            }
            assert!(
                outcomes.iter().all(|one| matches!(one, Outcome::Waiting { .. } | Outcome::Erased(_))),
                "{fault:?}: {outcomes:?}"
            );
            outcomes = engine.resumed().await;
        }
        assert_eq!(both.stripe.gateway.effects(), ["cus_2"], "{fault:?}");
        assert_eq!(both.authorize_net.gateway.effects(), ["103"], "{fault:?}");
        assert_eq!(both.stripe.gateway.left(), ["cus_1", "cus_1b", "cus_9"], "{fault:?}");
        assert_eq!(both.authorize_net.gateway.left(), ["101", "109"], "{fault:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let both = Both::start().await;
    let elsewhere = fakes::stripe::start().await;
    let engine = both.engine();
    let plan = approved(&engine, &"2".into(), &Asked::request()).await;
    both.stripe.fault("erase", Fault::Redirect(format!("{}/v1/customers/cus_2", elsewhere.url())));
    let outcome = engine.erase(plan).await.unwrap();
    let Outcome::Blocked { reason, .. } = &outcome else { panic!("{outcome}") };
    assert!(reason.contains("redirect"), "{reason}");
    assert!(elsewhere.calls().is_empty(), "the key went nowhere else");
}

#[tokio::test]
async fn keys_of_another_account_prove_nothing() {
    let both = Both::start().await;
    let engine = both.engine();
    let two = approved(&engine, &"2".into(), &Asked::request()).await;
    let three = approved(&engine, &"3".into(), &Asked::request()).await;
    // The same addresses, but another account, which does not have these profiles.
    both.stripe.gateway.account("acct_other");
    both.authorize_net.gateway.account("999");
    for outcome in engine.execute(vec![two, three]).await.unwrap() {
        assert!(matches!(outcome, Outcome::Superseded { .. }), "{outcome}");
    }
    assert!(both.untouched());
    let pinned = gateways::stripe(&both.stripe).account("acct_ours").build().unwrap();
    let error = pinned.account().await.unwrap_err().to_string();
    assert!(error.contains("acct_other") && error.contains("acct_ours"), "{error}");
    let error = refusal(&both.shop.engine([Arc::new(pinned) as Arc<dyn PaymentGatewayEraser>]), "2").await;
    assert!(error.contains("give the adapter that account's key"), "{error}");
    let pinned = gateways::authorize_net(&both.authorize_net).account("565697").build().unwrap();
    assert!(pinned.account().await.unwrap_err().to_string().contains("999"));
    both.authorize_net.gateway.test_mode();
    let live = AuthorizeNet::builder(fakes::authorize_net::LOGIN, fakes::authorize_net::KEY, Mode::Live)
        .base_url(both.authorize_net.url())
        .build()
        .unwrap();
    assert!(live.account().await.unwrap_err().to_string().contains("test mode"));
}

#[tokio::test]
async fn a_profile_of_the_other_mode_is_not_touched() {
    let both = Both::start().await;
    both.stripe.gateway.change("cus_2", |customer| customer.livemode = true);
    let refusal = refusal(&both.engine(), "2").await;
    assert!(refusal.contains("not one of test mode"), "{refusal}");
    let stripe = gateways::stripe(&both.stripe).build().unwrap();
    let erasure =
        ProfileErasure { profile: "cus_2".into(), owner: Some("2".into()), idempotency_key: "k".to_owned() };
    assert!(!stripe.erase(&erasure).await.unwrap_err().is_transient());
    assert!(both.untouched());
}

#[tokio::test]
async fn one_glitch_while_planning_is_no_matter() {
    let both = Both::start().await;
    both.stripe.fault("account", Fault::ErrorBefore(500));
    both.stripe.fault("read", Fault::ResetBefore);
    approved(&both.engine(), &"2".into(), &Asked::request()).await;
}

#[tokio::test]
async fn once_begun_a_case_goes_on_with_the_account_it_was_planned_with() {
    let both = Both::start().await;
    let engine = both.engine();
    let plan = approved(&engine, &"1".into(), &Asked::request()).await;
    // As often as the engine tries in one turn.
    for _ in 0..5 {
        both.authorize_net.fault("erase", Fault::ErrorBefore(500));
    }
    let outcome = engine.erase(plan).await.unwrap();
    let Outcome::Waiting { case, .. } = &outcome else { panic!("{outcome}") };
    both.authorize_net.gateway.account("999");
    let outcomes = engine.resumed().await;
    let [Outcome::Blocked { reason, .. }] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(reason.contains("made with account 565697"), "{reason}");
    both.authorize_net.gateway.account("565697");
    assert!(engine.retry(case).await.unwrap().certificate().is_some());
}

#[tokio::test]
async fn a_profile_of_somebody_elses_blocks_the_step() {
    let both = Both::start().await;
    both.stripe.gateway.insert("cus_2", Some("9"));
    both.authorize_net.gateway.insert("103", Some("9"));
    let engine = both.engine();
    for customer in ["2", "3"] {
        let plan = approved(&engine, &customer.into(), &Asked::request()).await;
        let outcome = engine.erase(plan).await.unwrap();
        let Outcome::Blocked { reason, .. } = &outcome else { panic!("{outcome}") };
        assert!(reason.contains("another customer"), "{reason}");
    }
    assert!(both.untouched());
}

#[tokio::test]
async fn a_gateway_that_is_down_is_left_alone_and_does_not_hurt_the_others() {
    let both = Both::start().await;
    let ids: Vec<String> = (20..40).map(|n| n.to_string()).collect();
    for id in &ids {
        let profile = format!("cus_{id}");
        both.stripe.gateway.insert(&profile, Some(id));
        both.shop.put(id, relinquish::customer::Status::Cancelled, &[("stripe", profile.as_str())]);
    }
    let stripe = gateways::stripe(&both.stripe).breaker(3, Duration::from_secs(3600)).build().unwrap();
    let authorize_net = gateways::authorize_net(&both.authorize_net).build().unwrap();
    let engine = both.shop.engine([
        Arc::new(stripe) as Arc<dyn PaymentGatewayEraser>,
        Arc::new(authorize_net) as Arc<dyn PaymentGatewayEraser>,
    ]);
    let mut plans = vec![approved(&engine, &"3".into(), &Asked::request()).await];
    for id in &ids {
        plans.push(approved(&engine, &id.as_str().into(), &Asked::request()).await);
    }
    both.stripe.forget_calls();
    both.stripe.down(Some(Fault::ErrorBefore(503)));
    let mut outcomes = engine.execute(plans).await.unwrap().into_iter();
    assert!(outcomes.next().unwrap().certificate().is_some(), "the other gateway's case is done");
    for outcome in outcomes {
        let Outcome::Waiting { retry_after, .. } = &outcome else { panic!("{outcome}") };
        let _ = retry_after;
    }
    assert!(both.stripe.calls().len() <= 4, "nobody knocks on a closed door: {}", both.stripe.calls().len());
    // The gateway is available again, and the engine has a new adapter.
    both.stripe.down(None);
    let outcomes = both.engine().resumed().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.certificate().is_some()).count(), ids.len());
    assert_eq!(both.stripe.gateway.effects().len(), ids.len());
}

#[tokio::test]
async fn a_long_retry_after_is_told_to_the_case_and_kept_for_all() {
    let both = Both::start().await;
    let engine = both.engine();
    let plans = vec![
        approved(&engine, &"2".into(), &Asked::request()).await,
        approved(&engine, &"3".into(), &Asked::request()).await,
    ];
    both.stripe.fault("erase", Fault::TooMany(Some("7200")));
    let outcomes = engine.execute(plans).await.unwrap();
    let Outcome::Waiting { retry_after: Some(wait), .. } = &outcomes[0] else { panic!("{}", outcomes[0]) };
    assert_eq!(wait.as_secs(), 7200);
    assert!(outcomes[1].certificate().is_some());
    both.stripe.forget_calls();
    let outcome = engine.resumed().await.pop().unwrap();
    assert!(matches!(&outcome, Outcome::Waiting { retry_after: Some(_), .. }), "{outcome}");
    assert!(both.stripe.calls().is_empty(), "it asked to be left alone");
}

#[tokio::test]
async fn what_was_accepted_is_asked_for_after_a_restart_and_not_asked_for_twice() {
    let both = Both::start().await;
    let redacting = || {
        let stripe = gateways::stripe(&both.stripe).redact(true).build().unwrap();
        both.shop.engine([Arc::new(stripe) as Arc<dyn PaymentGatewayEraser>])
    };
    both.stripe.gateway.slow_redaction(12);
    let engine = redacting();
    let plan = approved(&engine, &"2".into(), &Asked::request()).await;
    let outcome = engine.erase(plan).await.unwrap();
    assert!(matches!(outcome, Outcome::Waiting { .. }), "{outcome}");
    drop(engine);
    let mut outcome = outcome;
    for _ in 0..5 {
        outcome = redacting().resumed().await.pop().unwrap();
        if outcome.certificate().is_some() {
            break;
        }
    }
    let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
    assert!(certificate.to_string().contains("redacted and deleted"), "{certificate}");
    assert_eq!(both.stripe.gateway.effects(), ["cus_2 redacted", "cus_2"]);
    let made = both
        .stripe
        .calls()
        .into_iter()
        .filter(|call| call.method == "POST" && call.path == "/v1/privacy/redaction_jobs");
    assert_eq!(made.count(), 1, "one job");
}

#[tokio::test]
async fn a_redaction_that_is_refused_blocks_and_can_be_tried_again() {
    let both = Both::start().await;
    both.stripe.gateway.change("cus_2", |customer| customer.charges = vec![Some("won".to_owned())]);
    let stripe = gateways::stripe(&both.stripe).redact(true).build().unwrap();
    let engine = both.shop.engine([Arc::new(stripe) as Arc<dyn PaymentGatewayEraser>]);
    let plan = approved(&engine, &"2".into(), &Asked::request()).await;
    let outcome = engine.erase(plan).await.unwrap();
    let Outcome::Blocked { case, reason, .. } = &outcome else { panic!("{outcome}") };
    assert!(reason.contains("90 days"), "{reason}");
    assert!(both.untouched());
    both.stripe.gateway.change("cus_2", |customer| customer.charges.clear());
    let outcome = engine.retry(case).await.unwrap();
    assert!(outcome.certificate().is_some(), "{outcome}");
    assert_eq!(both.stripe.gateway.effects(), ["cus_2 redacted", "cus_2"]);
}

#[tokio::test]
async fn a_not_found_that_is_not_the_gateways_own_is_no_proof() {
    // A web server that is not Stripe or Authorize.Net, and an answer that Stripe does not have.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let web = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let body = "not here";
                let head =
                    format!("HTTP/1.1 404 X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            });
        }
    });
    let server = fakes::stripe::start().await;
    for base in [format!("http://{address}"), format!("{}/v2", server.url())] {
        let stripe = Stripe::builder(fakes::stripe::KEY, Mode::Test).base_url(&base).build().unwrap();
        let error = stripe.state(&"cus_2".into()).await.unwrap_err().to_string();
        assert!(error.contains("mend the base URL"), "{base}: {error}");
        let erasure =
            ProfileErasure { profile: "cus_2".into(), owner: None, idempotency_key: "k".to_owned() };
        assert!(!stripe.erase(&erasure).await.unwrap_err().is_transient());
    }
    let other =
        AuthorizeNet::builder("l", "k", Mode::Test).base_url(format!("http://{address}")).build().unwrap();
    let error = other.state(&"101".into()).await.unwrap_err().to_string();
    assert!(error.contains("mend the base URL"), "{error}");
    web.abort();
}

/// The whole text of an error, with its causes.
fn everything(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text} {cause} {cause:?}");
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn no_error_says_who_or_with_which_key() {
    let both = Both::start().await;
    let stripe = gateways::stripe(&both.stripe)
        .timeout(Duration::from_millis(200))
        .breaker(1000, Duration::ZERO)
        .build()
        .unwrap();
    let authorize_net = gateways::authorize_net(&both.authorize_net)
        .timeout(Duration::from_millis(200))
        .breaker(1000, Duration::ZERO)
        .build()
        .unwrap();
    let mut said = String::new();
    for fault in [
        Fault::TooMany(None),
        Fault::ErrorBefore(500),
        Fault::ErrorBefore(403),
        Fault::ErrorBefore(400),
        Fault::ErrorBefore(404),
        Fault::ResetBefore,
        Fault::HangBefore,
        Fault::Garbage,
        Fault::Nonsense,
        Fault::Giant,
        Fault::Drip,
        Fault::Redirect("http://127.0.0.1:1/cus_canary".to_owned()),
    ] {
        both.stripe.down(Some(fault.clone()));
        both.authorize_net.down(Some(fault.clone()));
        for (gateway, profile) in
            [(&stripe as &dyn PaymentGatewayEraser, "cus_canary"), (&authorize_net, "70707070")]
        {
            let profile = ProfileId::from(profile);
            if let Err(error) = gateway.state(&profile).await {
                said += &everything(&error);
            }
            let erasure =
                ProfileErasure { profile, owner: Some("canary".into()), idempotency_key: "k".to_owned() };
            match gateway.erase(&erasure).await {
                Err(error) => said += &everything(&Error::from(error)),
                Ok(answer) => assert_ne!(answer.outcome, GatewayOutcome::Erased, "{fault:?}"),
            }
        }
    }
    let wrong = Stripe::builder("sk_test_canary", Mode::Test).base_url(both.stripe.url()).build().unwrap();
    both.stripe.down(None);
    said += &everything(&wrong.state(&"cus_canary".into()).await.unwrap_err());
    let nowhere =
        Stripe::builder("sk_test_canary", Mode::Test).base_url("http://127.0.0.1:1").build().unwrap();
    said += &everything(&nowhere.state(&"cus_canary".into()).await.unwrap_err());
    assert!(said.len() > 1000);
    for secret in
        ["canary", "70707070", fakes::stripe::KEY, fakes::authorize_net::KEY, fakes::authorize_net::LOGIN]
    {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

#[tokio::test]
async fn an_answer_has_a_bound() {
    let server = fakes::stripe::start().await;
    server.gateway.insert("cus_1", None);
    server.fault("read", Fault::Giant);
    let mut request = Request::new(Method::Get, format!("{}/v1/customers/cus_1", server.url()));
    request.most_bytes = 1000;
    let error = HttpClient::new().unwrap().send(&request).await.unwrap_err();
    assert!(matches!(error, TransportError::TooLarge { most_bytes: 1000 }), "{error:?}");
}

#[tokio::test]
async fn tls_is_verified() {
    use tokio::io::AsyncWriteExt as _;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust the certificate closes the connection.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let request = Request::new(Method::Get, format!("https://localhost:{port}/"));
    let error = HttpClient::new().unwrap().send(&request).await.unwrap_err();
    assert!(matches!(error, TransportError::NotSent(_)), "nothing was sent: {error:?}");
    let trusting = HttpClient::trusting(&made.cert.pem()).unwrap();
    assert_eq!(trusting.send(&request).await.unwrap().body, b"hi");
    // The certificate is trusted, but is for another name.
    let request = Request::new(Method::Get, format!("https://127.0.0.1:{port}/"));
    assert!(trusting.send(&request).await.is_err());
    assert!(HttpClient::trusting("-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n").is_err());
    server.abort();
}

#[tokio::test]
async fn clones_share_their_limits() {
    let server = fakes::stripe::start().await;
    let stripe = gateways::stripe(&server).limits(Limits::per_second(100)).build().unwrap();
    let clone = stripe.clone();
    server.fault("account", Fault::TooMany(Some("7200")));
    assert!(stripe.account().await.is_err());
    server.forget_calls();
    let error = clone.account().await.unwrap_err();
    assert!(error.retry_after().is_some_and(|wait| wait.as_secs() > 7000), "{error}");
    assert!(server.calls().is_empty());
}
