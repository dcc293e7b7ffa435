//! The screen that exports everything about one person (Art. 15 and 20 GDPR) as a file.

use maud::html;
use relinquish::engine::Error;
use relinquish::engine::export::{Export, ExportError, write_json};

use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::tried::{Field, Tried};
use crate::visit::Visit;

/// The form of an export: it describes the content of the file and asks for the reason.
pub(crate) async fn show(visit: &Visit<'_>, sealed: &str, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let words = visit.words;
    let customer = visit.customer(sealed)?;
    visit.over(&visit.console.engine.customer(&customer).await?.tenant)?;
    let content = html! {
        (tried.summary(words))
        p.crumb { a href=(visit.url(&format!("/person/{sealed}"))) { (words.person) } }
        h1 { (words.export) " " span.key { (customer.as_str()) } }
        p.hint { (words.export_hint) }
        form.boxed method="post" action=(visit.url(&format!("/person/{sealed}/export"))) {
            input type="hidden" name="token" value=(visit.token("export", sealed));
            (Field { tried, name: "purpose", label: words.reference, hint: words.purpose_hint }.input("text"))
            button { (words.download_json) }
        }
    };
    Ok(visit.page_tried(words.export, tried, &content))
}

/// Writes the file. Before that, the host's access log gets an entry.
pub(crate) async fn write(visit: &Visit<'_>, sealed: &str) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let customer = visit.customer(sealed)?;
    let mut tried = visit.tried("export", sealed);
    if visit.form.get("purpose").is_none() {
        tried.complain("purpose", visit.words.reference_bad);
    }
    let Some(access) = visit.access(&mut tried) else { return show(visit, sealed, &tried).await };
    let exporting = match visit.console.engine.export(&Export::customer(customer), &access).await {
        Ok(exporting) => exporting,
        Err(error @ (Error::NoRecords | Error::NoAccessLog)) => {
            tried.complain("", told(&error));
            return show(visit, sealed, &tried).await;
        }
        Err(Error::Approval(_)) => return Err(Failure::NotFound),
        Err(error) => return Err(error.into()),
    };
    let name = format!("export-{}.json", exporting.at().format("%Y-%m-%d-%H%M%S"));
    let mut text = Vec::new();
    write_json(exporting, &mut text).await.map_err(|error: ExportError| Failure::Other(told(&error)))?;
    let text = String::from_utf8(text).map_err(|error| Failure::Other(error.to_string()))?;
    Ok(Answer::File { name, kind: "application/json", text })
}
