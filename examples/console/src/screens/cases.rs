//! The screens of cases: the list of open cases, one open case, and the record of a closed case.

use std::time::Duration;

use maud::{Markup, html};
use relinquish::engine::{Error, OpenCase};
use relinquish::ledger::{Certificate, ClosedCase, Closing, Entry, LedgerError, Task};
use relinquish::plan::{CaseId, ReasonCode, Step};

use super::person::closing;
use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::layout::{badge, empty, english, table};
use crate::tried::{Field, Tried};
use crate::visit::Visit;

const PAGE: usize = 50;
/// How long a page waits for a running case: it looks `LOOKS` times, with a pause of `LOOK` between, and then shows
/// the case as running.
const LOOK: Duration = Duration::from_millis(150);
const LOOKS: u32 = 30;

/// Whether every customer of a case belongs to a tenant of the operator.
pub(crate) fn is_ours(visit: &Visit<'_>, task: &Task) -> bool {
    task.tenants().iter().all(|tenant| visit.operator.tenants().contains(tenant))
}

/// The open cases, page by page.
pub(crate) async fn list(visit: &Visit<'_>) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let words = visit.words;
    let after = visit.query.get("after").map(CaseId::new);
    let open = visit.console.engine.open_cases(after.as_ref(), PAGE).await?;
    let next = open.last().filter(|_| open.len() == PAGE).map(|last| last.case.clone());
    let ours: Vec<&OpenCase> = open.iter().filter(|case| is_ours(visit, &case.task)).collect();
    let content = html! {
        h1 { (words.cases) }
        p.hint { (words.cases_hint) }
        @if ours.is_empty() { (empty(words.cases_none)) }
        @else {
            (table(words.cases, &[words.case, words.kind_of_case, words.opened_at, words.state, words.worker], &html! {
                @for case in ours {
                    tr {
                        th scope="row" { a href=(visit.url(&Visit::case_path(&case.case))) { code { (case.case) } } }
                        td { (kind(visit, &case.task)) }
                        td.when { (visit.instant(case.opened_at)) }
                        td { (state(visit, case)) }
                        td { @if let Some(worker) = &case.held_by { code { (worker) } } @else { (words.nobody) } }
                    }
                }
            }))
        }
        @if let Some(next) = next {
            p { a href=(visit.url(&format!("/cases?after={}", crate::fields::encode(next.as_str())))) { (words.next_page) } }
        }
    };
    Ok(visit.page(words.cases, &content))
}

fn kind(visit: &Visit<'_>, task: &Task) -> &'static str {
    match task {
        Task::Erasure(_) => visit.words.erasure,
        Task::Expiry(_) => visit.words.expiry,
        Task::Profile(_) => visit.words.profile,
        _ => visit.words.unknown,
    }
}

fn state(visit: &Visit<'_>, case: &OpenCase) -> Markup {
    let words = visit.words;
    if case.blocked.is_some() {
        badge(words.blocked, "bad")
    } else if case.progress.put_off().is_some() {
        badge(words.waiting, "warn")
    } else {
        badge(words.running, "calm")
    }
}

/// One case, open or closed.
pub(crate) async fn show(visit: &Visit<'_>, id: &str, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let (engine, case) = (&visit.console.engine, CaseId::new(id));
    let mut looks = if visit.query.get("wait").is_some() { LOOKS } else { 0 };
    let found = loop {
        match engine.open_case(&case).await? {
            Some(open) if looks > 0 && open.blocked.is_none() => {
                looks -= 1;
                visit.console.clock.sleep(LOOK).await;
            }
            found => break found,
        }
    };
    if let Some(open) = found {
        if !is_ours(visit, &open.task) {
            return Err(Failure::NotFound);
        }
        return Ok(visit.page_tried(visit.words.case, tried, &running(visit, &open, tried)));
    }
    let entry = engine.entry(&case).await?.ok_or(Failure::NotFound)?;
    let closed = entry.closed().ok_or(Failure::NotFound)?;
    visible(visit, closed)?;
    let content = match engine.certificate(&case).await? {
        Some(certificate) => certified(visit, &certificate),
        None => ended(visit, &entry, closed),
    };
    Ok(visit.page_tried(visit.words.case, tried, &html! { (tried.summary(visit.words)) (content) }))
}

/// Checks that an operator may see a closed case.
fn visible(visit: &Visit<'_>, closed: &ClosedCase) -> Result<(), Failure> {
    match closed.erasure() {
        Some(rules) => visit.over(&rules.tenant),
        // The case is an expiry, or a profile without a customer. It names nobody, so every operator may see it.
        None => Ok(()),
    }
}

fn running(visit: &Visit<'_>, open: &OpenCase, tried: &Tried) -> Markup {
    let words = visit.words;
    let path = Visit::case_path(&open.case);
    html! {
        (tried.summary(words))
        p.crumb { a href=(visit.url("/cases")) { (words.cases) } }
        h1 { (words.case) " " (state(visit, open)) }
        dl.facts {
            dt { (words.number) } dd { code { (open.case) } }
            dt { (words.kind_of_case) } dd { (kind(visit, &open.task)) }
            dt { (words.opened_at) } dd { (visit.instant(open.opened_at)) }
            @if let Some(put_off) = open.progress.put_off() {
                dt { (words.waits_until) }
                dd { (visit.instant(put_off.until)) " · " (words.step(&put_off.step)) " · "
                    (words.say(words.tries, &[&visit.number(put_off.tries.into())])) }
            }
        }
        h2 { (words.steps) }
        ol.progress {
            @for (step, progress) in open.progress.steps() {
                @let by_hand = open.progress.by_hand().iter().any(|done| done.step == *step);
                @let (tone, text) = if by_hand { ("good", words.done_by_hand) }
                    else if open.progress.is_decided(step) { ("calm", words.waived) }
                    else if progress.is_done() { ("good", words.done) }
                    else if open.blocked.as_ref().is_some_and(|blocked| blocked.step == *step) { ("bad", words.blocked) }
                    else if progress.begun > 0 { ("warn", words.running) }
                    else { ("calm", words.to_come) };
                li { (words.step(step)) " " (badge(text, tone)) }
            }
        }
        @if let Some(blocked) = &open.blocked {
            div.warning {
                p { strong { (words.case_blocked) } " " (words.step(&blocked.step)) ": " (english(&blocked.reason.to_string())) }
            }
        } @else {
            p { a.button.second href=(visit.url(&format!("{path}?wait=1"))) { (words.look_again) } }
        }
        @if visit.operator.may(Right::Approve) { (decide(visit, open, &path, tried)) }
    }
}

/// The forms for what an operator can decide about an open case.
fn decide(visit: &Visit<'_>, open: &OpenCase, path: &str, tried: &Tried) -> Markup {
    let words = visit.words;
    let token = visit.token("case", open.case.as_str());
    let waivable = open.blocked.as_ref().is_some_and(relinquish::case::Obstacle::is_waivable);
    let by_hand = open.blocked.as_ref().is_some_and(relinquish::case::Obstacle::can_be_done_by_hand);
    let cancels = !open.irreversible || matches!(open.task, Task::Expiry(_));
    let form = |what: &str, content: Markup| {
        html! {
            form.boxed method="post" action=(visit.url(&format!("{path}/{what}"))) {
                input type="hidden" name="token" value=(token);
                @if let Some(blocked) = &open.blocked {
                    input type="hidden" name="step" value=(blocked.step);
                }
                (content)
            }
        }
    };
    html! {
        section aria-labelledby="decide" {
            h2 #decide { (words.decide) }
            @if open.blocked.is_some() {
                (form("retry", html! { p { (words.retry_hint) } button { (words.retry) } }))
            }
            @if by_hand {
                (form("by-hand", html! {
                    p { (words.by_hand_hint) }
                    (Field { tried, name: "reason", label: words.reference, hint: words.reference_hint }.input("text"))
                    button { (words.by_hand) }
                }))
            }
            @if waivable {
                (form("waive", html! {
                    p { (words.waive_hint) }
                    (Field { tried, name: "reason", label: words.reference, hint: words.reference_hint }.input("text"))
                    button.danger { (words.waive) }
                }))
            }
            @if cancels {
                (form("cancel", html! {
                    p { (if open.irreversible { words.cancel_expiry_hint } else { words.cancel_hint }) }
                    (Field { tried, name: "reason", label: words.reference, hint: words.reference_hint }.input("text"))
                    button.second { (words.cancel) }
                }))
            } @else { p.hint { (words.only_forward) } }
        }
    }
}

fn certified(visit: &Visit<'_>, certificate: &Certificate) -> Markup {
    let words = visit.words;
    let path = Visit::case_path(certificate.case());
    html! {
        p.crumb { a href=(visit.url("/ledger")) { (words.ledger) } }
        h1 { (words.certificate) " " (badge(words.outcome(certificate.outcome()), "good")) }
        p.actions {
            a.button href=(visit.url(&format!("{path}/certificate.txt"))) { (words.download_text) }
            a.button.second href=(visit.url(&format!("{path}/certificate.json"))) { (words.download_json) }
            @if visit.console.letters.is_some() {
                a.button.second href=(visit.url(&format!("{path}/letter"))) { (words.letter) }
            }
        }
        dl.facts {
            dt { (words.number) } dd { code { (certificate.case()) } }
            dt { (words.tenant) } dd { (certificate.tenant()) }
            dt { (words.because) } dd { (words.trigger(certificate.trigger())) }
            dt { (words.treatment) } dd { code { (certificate.treatment()) } }
            dt { (words.opened_at) } dd { (visit.instant(certificate.opened_at())) }
            dt { (words.closed_at) } dd { (visit.instant(certificate.closed_at())) }
            @if let Some(by) = certificate.approved_by() { dt { (words.approved_by) } dd { (by.as_str()) } }
            dt { (words.entry) } dd { (visit.number(certificate.entry())) }
        }
        h2 { (words.records) }
        (table(words.records, &[words.class, words.action, words.treated, words.kept_back], &html! {
            @for class in certificate.records() {
                tr {
                    th scope="row" { code { (class.class) } }
                    td { (words.action_named(&class.action)) @if let Some(reason) = &class.reason { " " span.small { (reason) } } }
                    td.number { @match class.treated {
                        Some(relinquish::ledger::Count::Exact(count)) => (visit.number(count)),
                        Some(relinquish::ledger::Count::Unknown) => (words.unknown),
                        None => "–",
                    } }
                    td { @if let Some(deferred) = &class.deferred {
                        (visit.number(deferred.rows))
                        @if let Some(until) = deferred.until { " " (words.say(words.until_day, &[&visit.date(until)])) }
                    } }
                }
            }
        }))
        @if !certificate.gateways().is_empty() {
            h2 { (words.gateways) }
            ul { @for gateway in certificate.gateways() { li { strong { (gateway.gateway) } ": " (english(&gateway.answer.to_string())) } } }
        }
        h2 { (words.backups) }
        @if certificate.backups().is_empty() { p { (words.backups_none) } }
        ul { @for left in certificate.backups() { li { strong { (left.backups) } ": " (english(&left.horizon.to_string())) } } }
        details {
            summary { (words.whole_certificate) }
            pre lang="en" { (certificate) }
        }
    }
}

/// A closed case without a certificate: nobody was erased, or records expired.
fn ended(visit: &Visit<'_>, entry: &Entry, closed: &ClosedCase) -> Markup {
    let words = visit.words;
    html! {
        p.crumb { a href=(visit.url("/ledger")) { (words.ledger) } }
        h1 { (words.case) " " (closing(visit, &closed.closing)) }
        dl.facts {
            dt { (words.number) } dd { code { (closed.case) } }
            dt { (words.closed_at) } dd { (visit.instant(closed.under().closed_at)) }
            dt { (words.entry) } dd { (visit.number(entry.seq)) }
        }
        @match &closed.closing {
            Closing::Superseded { because } => { p { (words.superseded_hint) } p { (english(&because.to_string())) } }
            Closing::Cancelled { reason, .. } => { p { (words.reference) ": " code { (reason) } } }
            Closing::Expired(result) => {
                @if let Some(early) = &result.ended_early { p.warning { (english(&early.to_string())) } }
                (table(words.records, &[words.class, words.rows], &html! {
                    @for of in &result.expired {
                        @for (class, rows) in &of.records {
                            tr { th scope="row" { code { (class) } } td.number { (visit.number(*rows)) } }
                        }
                    }
                }))
            }
            _ => {}
        }
    }
}

/// A decision about an open case.
pub(crate) async fn act(visit: &Visit<'_>, id: &str, what: &str) -> Result<Answer, Failure> {
    visit.needs(Right::Approve)?;
    let (engine, case, words) = (&visit.console.engine, CaseId::new(id), visit.words);
    let mut tried = visit.tried("case", id);
    let open = match engine.open_case(&case).await? {
        Some(open) if is_ours(visit, &open.task) => open,
        Some(_) => return Err(Failure::NotFound),
        // Somebody else was faster.
        None => return Ok(visit.see(&Visit::case_path(&case))),
    };
    let reason = visit.form.get("reason").unwrap_or_default().parse::<ReasonCode>();
    if what != "retry" && reason.is_err() {
        tried.complain("reason", words.reference_bad);
    }
    // The decision is about the step that was shown. Another step may block the case by now.
    let is_shown = |step: &Step| visit.form.get("step").is_some_and(|shown| shown == step.to_string());
    if let ("waive" | "by-hand", Some(blocked)) = (what, &open.blocked)
        && !is_shown(&blocked.step)
    {
        tried.complain("", words.error_stale);
    }
    if !tried.is_fine() {
        return show(visit, id, &tried).await;
    }
    let by = visit.operator.authority();
    let done = match (what, reason, &open.blocked) {
        ("retry", _, _) => engine.retry(&case).await.map(drop),
        ("waive", Ok(reason), Some(blocked)) => {
            let step: Step = blocked.step.clone();
            engine.waive(&case, step, by, reason).await.map(drop)
        }
        ("by-hand", Ok(reason), Some(blocked)) => {
            let step: Step = blocked.step.clone();
            engine.done_by_hand(&case, step, by, reason).await.map(drop)
        }
        ("cancel", Ok(reason), _) => engine.cancel(&case, by, reason).await,
        _ => return Err(Failure::NotFound),
    };
    match done {
        // Another operator may have decided first.
        Ok(()) | Err(Error::Ledger(LedgerError::NoSuchCase { .. })) => {
            Ok(visit.see(&Visit::case_path(&case)))
        }
        Err(
            error @ (Error::Running { .. }
            | Error::NotBlocked { .. }
            | Error::NotByHand { .. }
            | Error::NotWaivable { .. }
            | Error::TooLate { .. }
            | Error::Approval(_)),
        ) => {
            tried.complain("", told(&error));
            show(visit, id, &tried).await
        }
        Err(error) => Err(error.into()),
    }
}

/// A certificate as a file, for people (text) or for programs (JSON).
pub(crate) async fn download(visit: &Visit<'_>, id: &str, file: &str) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let certificate = visit.console.engine.certificate(&CaseId::new(id)).await?.ok_or(Failure::NotFound)?;
    visit.over(certificate.tenant())?;
    let name = format!("certificate-{}.{file}", certificate.case());
    Ok(if file == "json" {
        let text =
            serde_json::to_string_pretty(&certificate).map_err(|error| Failure::Other(error.to_string()))?;
        Answer::File { name, kind: "application/json", text }
    } else {
        Answer::File { name, kind: "text/plain; charset=utf-8", text: certificate.to_string() }
    })
}
