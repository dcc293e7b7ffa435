//! The certificate as a page: whole in every language, escaped, and with nothing from elsewhere.

use relinquish::plan::letter::Language;
use relinquish::{Asked, Certificate, MemoryLedger, Outcome};

use crate::hosts::{self, BuildCounted as _, approved};
use crate::support::html::assert_balanced;

async fn certificate() -> Certificate {
    let host = hosts::sqlite();
    let engine = host.builder(MemoryLedger::new(), hosts::keys()).counted().unwrap();
    match engine.erase(approved(&engine, &host.due, &Asked::Sweep).await).await.unwrap() {
        Outcome::Erased(certificate) => *certificate,
        outcome => panic!("{outcome}"),
    }
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
        // A placeholder of the policy may have braces of its own.
        for part in
            ["n", "what", "by", "at", "name", "version", "reason", "otherwise", "link", "duty", "period"]
        {
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
