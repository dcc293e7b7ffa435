//! The screen of the ledger: its entries, the newest first, and signed checkpoints.

use maud::{Markup, html};
use relinquish::ledger::proof::Checkpoint;
use relinquish::ledger::{Entry, EntryBody};

use super::person::closing;
use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::layout::{badge, empty, table};
use crate::tried::Tried;
use crate::visit::Visit;

const PAGE: u64 = 50;

/// The entries before a number, page by page.
pub(crate) async fn show(visit: &Visit<'_>, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let (words, engine) = (visit.words, &visit.console.engine);
    let last = engine.last_entry().await?;
    let before = visit.query.get("before").and_then(|number| number.parse().ok()).unwrap_or(u64::MAX);
    let before = before.min(last.saturating_add(1));
    let after = before.saturating_sub(PAGE + 1);
    let count = usize::try_from(before.saturating_sub(after + 1)).unwrap_or(0);
    let mut entries = if count == 0 { Vec::new() } else { engine.entries(after, count).await? };
    entries.reverse();
    let content = html! {
        (tried.summary(words))
        h1 { (words.ledger) }
        p.hint { (words.ledger_hint) }
        @if entries.is_empty() { (empty(words.ledger_none)) }
        @else {
            (table(words.ledger, &[words.entry, words.at, words.what, words.tenant, words.case], &html! {
                @for entry in &entries { (row(visit, entry)) }
            }))
        }
        @if after > 0 { p { a href=(visit.url(&format!("/ledger?before={}", after + 1))) { (words.earlier) } } }
        @if let Some((_, signer)) = &visit.console.checkpoints {
            section aria-labelledby="checkpoint" {
                h2 #checkpoint { (words.checkpoint) }
                p.hint { (words.checkpoint_hint) }
                dl.facts { dt { (words.public_key) } dd { code { (signer.public_key()) } } }
                @if visit.operator.may(Right::Administrate) {
                    form method="post" action=(visit.url("/ledger/checkpoint")) {
                        input type="hidden" name="token" value=(visit.token("checkpoint", ""));
                        button.second { (words.checkpoint_take) }
                    }
                }
            }
        }
    };
    Ok(visit.page_tried(words.ledger, tried, &content))
}

/// One entry. If it is about a customer of another tenant, the row says only that something was done.
fn row(visit: &Visit<'_>, entry: &Entry) -> Markup {
    let words = visit.words;
    let (at, what) = match &entry.body {
        EntryBody::Closed(case) => (case.under().closed_at, closing(visit, &case.closing)),
        EntryBody::Scrubbed(scrubbed) => (scrubbed.at, badge(words.scrubbed, "calm")),
        EntryBody::Counted(census) => (census.at, badge(words.census, "calm")),
        EntryBody::Copies(seen) => (seen.at, badge(words.backups_seen, "calm")),
        _ => (visit.now, badge(words.unknown, "calm")),
    };
    let tenant = entry.closed().and_then(|case| case.erasure()).map(|rules| &rules.tenant);
    let is_ours = tenant.is_none_or(|tenant| visit.operator.tenants().contains(tenant));
    html! {
        tr {
            th scope="row" { (visit.number(entry.seq)) }
            td.when { (visit.instant(at)) }
            td { (what) }
            td { @if let Some(tenant) = tenant.filter(|_| is_ours) { (tenant) } }
            td { @if let Some(case) = entry.closed().filter(|_| is_ours) {
                a href=(visit.url(&Visit::case_path(&case.case))) { code { (case.case) } }
            } }
        }
    }
}

/// Signs a checkpoint of the current ledger. The operator keeps it somewhere else.
pub(crate) async fn checkpoint(visit: &Visit<'_>) -> Result<Answer, Failure> {
    visit.needs(Right::Administrate)?;
    let tried = visit.tried("checkpoint", "");
    let (ledger, signer) = visit.console.checkpoints.as_ref().ok_or(Failure::NotFound)?;
    if !tried.is_fine() {
        return show(visit, &tried).await;
    }
    let taken =
        Checkpoint::take(&**ledger, &**signer, None).await.map_err(|error| Failure::Other(told(&error)))?;
    let name = format!("checkpoint-{}.txt", taken.size());
    Ok(Answer::File { name, kind: "text/plain; charset=utf-8", text: taken.to_string() })
}
