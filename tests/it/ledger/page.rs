//! The certificate as a page: whole in every language, escaped, and with nothing from elsewhere.

use std::collections::BTreeSet;

use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::plan::letter::Language;
use relinquish::plan::{Authority, ExtensionReason};
use relinquish::request::{Channel, LetterKind, NewRequest, Note, PlanApproval, RequestKind, Who};
use relinquish::{Asked, Certificate, MemoryLedger, Outcome};

use crate::hosts::{self, BuildCounted as _, approved};
use crate::support::html::{assert_balanced, is_prose, texts};

async fn certificate() -> Certificate {
    let host = hosts::sqlite();
    let engine = host.builder(MemoryLedger::new(), hosts::keys()).counted().unwrap();
    match engine.erase(approved(&engine, &host.due, &Asked::Sweep).await).await.unwrap() {
        Outcome::Erased(certificate) => *certificate,
        outcome => panic!("{outcome}"),
    }
}

/// A case with everything that a page can tell: a request with a stop, an extension and letters, a duty, a value that stays in
/// general form, tokens in the suppression list.
async fn rich() -> (Certificate, BTreeSet<String>) {
    let mut host = hosts::sqlite();
    let clear = "[treatments.clear]                            # the client's row stays, and says nothing of anybody\ncustomer = \"anonymise\"";
    assert!(host.policy.contains(clear));
    host.policy = host
        .policy
        .replacen("requested = { treatment = \"clear\" }", "requested = { treatment = \"clear\", ground = \"17(1)(b)\" }", 1)
        .replacen("sweep = true", "sweep = true\nsuppress = { kinds = ['email'], treatments = ['clear'], for = '3 years' }", 1)
        .replacen(
            clear,
            "[treatments.clear]\ncustomer = { action = 'anonymise', keep = { city = 'statistics of places' }, fields = { postcode = { generalise = 'uk_postcode' } } }",
            1,
        );
    host.policy += "\n[duties.books]\nclasses = ['invoice']\nstatute = 'SE/BFL/7:2'\nfrom = 'issued_on'\n";
    let builder = host.builder(MemoryLedger::new(), hosts::keys());
    let list = MemoryKeyRing::new(TokenKey::new([43; 32]));
    let engine = builder.suppression(MemoryLedger::new(), list).worker("one").counted().unwrap();
    let who = Who::Customer { customer: host.due.clone() };
    let received = "2026-11-02T09:30:00Z".parse().unwrap();
    engine
        .receive(NewRequest::new("r-1", RequestKind::Erasure, Channel::Email, who, received))
        .await
        .unwrap();
    let by = Authority::new("operator-7", ["1".into()]);
    let approval = hosts::approval(&hosts::plan(&engine, &host.due, &Asked::request()).await);
    let letter = |kind| Note::Send { kind, language: Language::Swedish, digest: None };
    for (note, on) in [
        (letter(LetterKind::Receipt), "2026-11-03"),
        (Note::AskIdentity, "2026-11-03"),
        (Note::ConfirmIdentity { reference: "passport-seen".parse().unwrap() }, "2026-11-10"),
        (Note::AskMeaning, "2026-11-11"),
        (Note::Answered, "2026-11-12"),
        (Note::Extend { reason: ExtensionReason::Complexity }, "2026-11-13"),
        (letter(LetterKind::Extension), "2026-11-13"),
        (Note::Approve(PlanApproval::new(approval)), "2026-11-21"),
    ] {
        engine.note(&"r-1".into(), &note, on.parse().unwrap(), &by).await.unwrap();
    }
    engine.worker().turn().await.unwrap();
    let case = engine.request(&"r-1".into()).await.unwrap().unwrap().erased.unwrap();
    let certificate = engine.certificate(&case).await.unwrap().unwrap();
    // What the host says itself stands as the host says it.
    let own =
        certificate.records().into_iter().flat_map(|of| of.reason.into_iter().chain(of.kept.into_values()));
    (certificate.clone(), own.chain(["Fjord Broadband".to_owned()]).collect())
}

#[tokio::test]
async fn a_page_says_everything_in_its_own_language() {
    let (certificate, own) = rich().await;
    let pages: Vec<(Language, String)> =
        Language::ALL.into_iter().map(|language| (language, certificate.to_html(language, None))).collect();
    if let Some(folder) = std::env::var_os("RELINQUISH_PAGES") {
        for (language, html) in &pages {
            std::fs::write(std::path::Path::new(&folder).join(format!("rich_{language}.html")), html)
                .unwrap();
        }
    }
    let english: BTreeSet<&str> = texts(&pages[0].1).into_iter().filter(|text| is_prose(text)).collect();
    assert!(english.len() > 50, "{}", english.len());
    for (language, html) in &pages[1..] {
        assert_balanced(html);
        for text in texts(html).into_iter().filter(|text| is_prose(text)) {
            assert!(!english.contains(text) || own.contains(text), "{language}: {text}");
            for phrase in ["while a", "the key", " records", "until", "kept", "(web)", "uk_postcode"] {
                assert!(
                    !text.contains(phrase) || own.iter().any(|own| text.contains(own)),
                    "{language}: {text}"
                );
            }
        }
    }
    for (language, parts) in [
        (
            Language::English,
            [
                "1 record<",
                "Counted from",
                "while a duty keeps",
                "in general form: the outward code",
                "asked for proof of identity",
                "GDPR",
            ],
        ),
        (
            Language::Swedish,
            [
                "1 post<",
                "Räknas från",
                "så länge nyckeln",
                "postnumrets första del",
                "komplicerad begäran",
                "e-post",
            ],
        ),
        (
            Language::German,
            [
                "1 Datensatz<",
                "Gerechnet ab",
                "solange eine Aufbewahrungspflicht",
                "der vordere Teil",
                "DSGVO",
                "E-Mail",
            ],
        ),
    ] {
        let html = certificate.to_html(language, None);
        // The ground of the erasure, which the policy names for requests.
        let ground = match language {
            Language::Swedish => "artikel 17.1 b i GDPR",
            Language::German => "Art. 17 Abs. 1 Buchst. b DSGVO",
            _ => "Art. 17(1)(b) GDPR",
        };
        for part in parts.into_iter().chain([ground]) {
            assert!(html.contains(part), "{language}: {part} is missing\n{html}");
        }
    }
    let text = certificate.to_string();
    assert!(text.contains(" requested (Art. 17(1)(b) GDPR)"), "{text}");
    assert_eq!(serde_json::to_value(&certificate).unwrap()["ground"], "17(1)(b)");
}

#[tokio::test]
async fn the_page_says_what_the_certificate_says_in_every_language() {
    let certificate = certificate().await;
    for (language, title) in [
        (Language::English, "Certificate of erasure"),
        (Language::Swedish, "Intyg om radering"),
        (Language::German, "Nachweis der Löschung"),
    ] {
        let html = certificate.to_html(language, None);
        // To look at the pages in a browser.
        if let Some(folder) = std::env::var_os("RELINQUISH_PAGES") {
            std::fs::write(std::path::Path::new(&folder).join(format!("{language}.html")), &html).unwrap();
        }
        assert_balanced(&html);
        assert!(html.contains(&format!("<h1>{title}</h1>")), "{language}");
        assert!(html.contains(&format!("<html lang=\"{language}\">")), "{language}");
        let body = html.split_once("</style>").unwrap().1;
        for part in [
            "n",
            "what",
            "by",
            "at",
            "date",
            "name",
            "version",
            "reason",
            "otherwise",
            "link",
            "duty",
            "period",
        ] {
            assert!(!body.contains(&format!("{{{part}}}")), "{language}: {part} was not filled in");
        }
        // What stays alone, and what was done.
        let mut parts = vec![certificate.case().to_string(), certificate.leaf().to_string()];
        parts.extend(certificate.records().iter().map(|of| of.class.to_string()));
        parts.extend(certificate.records().iter().flat_map(|of| of.fields.keys().map(ToString::to_string)));
        parts.extend(certificate.guards().keys().map(ToString::to_string));
        parts.extend(certificate.gateways().iter().map(|result| format!("gateway.{}", result.gateway)));
        parts.extend(certificate.digests().values().map(ToString::to_string));
        parts.push(certificate.crate_version().to_owned());
        parts.push(certificate.approved_by().unwrap().to_string());
        for part in parts {
            assert!(body.contains(&part), "{language}: {part} is missing");
        }
    }
}

#[tokio::test]
async fn the_page_has_no_script_and_nothing_from_elsewhere() {
    let certificate = certificate().await;
    for language in Language::ALL {
        let html = certificate.to_html(language, None).to_lowercase();
        for never in [
            "<script",
            "javascript:",
            "http://",
            "https://",
            "url(",
            "@import",
            "<img",
            "<link",
            "<iframe",
            "onload",
        ] {
            assert!(!html.contains(never), "{language}: {never}");
        }
        assert!(html.contains("default-src 'none'"));
    }
}
