//! The page of a person: identity, decision of the policy, earlier treatments, and possible next steps.

use maud::{Markup, html};
use relinquish::customer::Customer;
use relinquish::engine::{Access, Error};
use relinquish::ledger::{Closing, Entry};
use relinquish::plan::{Asked, Blocked, Decision};
use relinquish::{CustomerId, Planned};

use super::plan::{PlanOf, Why};
use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::layout::{badge, empty, english, table};
use crate::tried::{Field, Tried};
use crate::visit::Visit;

/// Shows a person's page. Names and addresses are shown only when somebody asks for them.
pub(crate) async fn show(visit: &Visit<'_>, sealed: &str, tried: &Tried) -> Result<Answer, Failure> {
    page(visit, sealed, tried, None).await
}

/// Shows the page with names and addresses. Before that, the host's access log gets an entry.
pub(crate) async fn reveal(visit: &Visit<'_>, sealed: &str) -> Result<Answer, Failure> {
    let mut tried = visit.tried("reveal", sealed);
    let access = visit.access(&mut tried);
    page(visit, sealed, &tried, access.as_ref()).await
}

async fn page(
    visit: &Visit<'_>,
    sealed: &str,
    tried: &Tried,
    access: Option<&Access>,
) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let (words, engine) = (visit.words, &visit.console.engine);
    let customer = visit.customer(sealed)?;
    let facts = engine.customer(&customer).await?;
    visit.over(&facts.tenant)?;
    let explained = engine.explain(&customer, &Asked::Sweep).await;
    let history = engine.of_customer(&facts.tenant, &customer, facts.registered).await?;
    let who = match access {
        Some(access) => Some(identity(visit, &facts, access).await?),
        None => None,
    };
    let content = html! {
        (tried.summary(words))
        p.crumb { a href=(visit.url("/")) { (words.home) } }
        h1 { (words.person) " " span.key { (customer.as_str()) } }
        dl.facts {
            dt { (words.tenant) } dd { (facts.tenant) }
            dt { (words.status) } dd { (words.status_of(facts.status)) }
            @if let Some(registered) = facts.registered {
                dt { (words.registered) } dd { (visit.instant(registered)) }
            }
            @if facts.active_subscriptions > 0 {
                dt { (words.subscriptions) } dd { (visit.number(facts.active_subscriptions.into())) }
            }
            @if !facts.gateway_profiles.is_empty() {
                dt { (words.gateways) }
                dd { (facts.gateway_profiles.iter().map(|profile| profile.gateway.as_str()).collect::<Vec<_>>().join(", ")) }
            }
        }
        section aria-labelledby="who" {
            h2 #who { (words.who_title) }
            @match &who {
                Some(who) => { (who) }
                None => {
                    form method="post" action=(visit.url(&format!("/person/{sealed}"))) {
                        input type="hidden" name="token" value=(visit.token("reveal", sealed));
                        p.hint { (words.who_hint) }
                        (Field { tried, name: "purpose", label: words.purpose, hint: words.purpose_hint }.input("text"))
                        button.second { (words.who_button) }
                    }
                }
            }
        }
        section aria-labelledby="decision" {
            h2 #decision { (words.decision) }
            @match &explained {
                Ok(explained) => {
                    (decision(visit, &explained.decision))
                    details {
                        summary { (words.reasons) }
                        ol lang="en" { @for reason in &explained.reasons { li { (reason) } } }
                    }
                }
                Err(error) => { p.complaint lang="en" { (told(error)) } }
            }
            div.actions {
                @for (why, label, is_first) in ways(&explained, visit) {
                    @let of = PlanOf::new(&customer, why, visit.operator.id());
                    a.button.second[!is_first] href=(visit.url(&of.path(visit))) { (label) }
                }
                a.button.second href=(visit.url(&format!("/person/{sealed}/export"))) { (words.export) }
                @if visit.operator.may(Right::Hold) {
                    a.button.second href=(visit.url(&format!("/person/{sealed}/hold"))) { (words.hold_place) }
                }
            }
        }
        @if !facts.held.is_empty() {
            section aria-labelledby="holds" {
                h2 #holds { (words.holds) }
                ul { @for held in &facts.held { li { (words.hold_ground(held.ground)) " · " code { (held.hold) } } } }
            }
        }
        section aria-labelledby="history" {
            h2 #history { (words.history) }
            (entries(visit, &history))
        }
    };
    Ok(visit.page_tried(words.person, tried, &content))
}

/// The links to plans that make sense now, the most likely first.
fn ways(
    explained: &Result<relinquish::plan::Explanation, Error>,
    visit: &Visit<'_>,
) -> Vec<(Why, &'static str, bool)> {
    let is_due = explained.as_ref().is_ok_and(|explained| matches!(explained.decision, Decision::Due(_)));
    let policy = (Why::Policy, visit.words.plan_by_policy, true);
    let request = (Why::Request, visit.words.plan_by_request, !is_due);
    if is_due { vec![policy, request] } else { vec![request] }
}

/// The person's names and addresses. They are read after the host has recorded the access.
async fn identity(visit: &Visit<'_>, facts: &Customer, access: &Access) -> Result<Markup, Failure> {
    let identifiers = visit.console.engine.identifiers(&facts.id, access).await?;
    // Only the kinds by which an operator recognises a person are shown. Other identifiers that a search would use
    // are not shown.
    let mut known: Vec<(&'static str, &str)> = Vec::new();
    for (kind, value) in identifiers.iter() {
        if let Some(name) = visit.words.kind(kind)
            && !known.iter().any(|(_, shown)| *shown == value)
        {
            known.push((name, value));
        }
    }
    Ok(html! {
        @if known.is_empty() { (empty(visit.words.who_none)) }
        @else {
            dl.facts {
                @for (name, value) in &known { dt { (name) } dd { (value) } }
            }
            p.hint { (visit.words.who_recorded) }
        }
    })
}

/// A decision in words.
pub(crate) fn decision(visit: &Visit<'_>, decision: &Decision) -> Markup {
    let words = visit.words;
    match decision {
        Decision::Due(due) => html! {
            p { (badge(words.due, "warn")) " " (words.trigger(due.trigger))
                @if let Some(since) = due.since { " · " (words.say(words.since, &[&visit.date(since)])) } }
        },
        Decision::NotYet(not_yet) => html! {
            p { (badge(words.not_yet, "calm")) " "
                (words.say(words.due_on, &[&visit.date(not_yet.until), words.trigger(not_yet.trigger)])) }
        },
        Decision::Blocked(blocked) => blocked_by(visit, blocked),
        nothing @ Decision::Nothing(_) => html! {
            p { (badge(words.nothing_due, "calm")) " " (english(&nothing.to_string())) }
        },
    }
}

/// The reasons that block an erasure, each with what the operator can do.
pub(crate) fn blocked_by(visit: &Visit<'_>, blocked: &Blocked) -> Markup {
    html! {
        p { (badge(visit.words.blocked, "bad")) }
        ul.reasons {
            @for by in &blocked.by {
                li {
                    @if let Some(guard) = &by.guard { strong { (visit.words.guard(guard.as_str())) } ": " }
                    (english(&by.why))
                    @if let Some(ground) = by.ground { " (" (ground) ")" }
                    br;
                    span.hint { (visit.words.way_out) ": " (english(&by.way_out)) }
                }
            }
        }
    }
}

/// What was done to a customer before.
fn entries(visit: &Visit<'_>, entries: &[Entry]) -> Markup {
    let words = visit.words;
    let closed: Vec<_> = entries.iter().filter_map(Entry::closed).collect();
    if closed.is_empty() {
        return empty(words.history_none);
    }
    table(
        words.history,
        &[words.closed_at, words.result, words.case],
        &html! {
            @for case in closed {
                tr {
                    td.when { (visit.instant(case.under().closed_at)) }
                    td { (closing(visit, &case.closing)) }
                    td { a href=(visit.url(&Visit::case_path(&case.case))) { code { (case.case) } } }
                }
            }
        },
    )
}

/// How a case ended, in one word.
pub(crate) fn closing(visit: &Visit<'_>, closing: &Closing) -> Markup {
    let words = visit.words;
    match closing {
        Closing::Erased(_) => badge(words.erased, "good"),
        Closing::Expired(_) => badge(words.expired, "good"),
        Closing::Profile(_) => badge(words.profile, "good"),
        Closing::Superseded { .. } => badge(words.superseded, "warn"),
        Closing::Cancelled { .. } => badge(words.cancelled, "calm"),
        _ => badge(words.done, "calm"),
    }
}

/// The text that is shown if there is no plan.
pub(crate) fn no_plan(visit: &Visit<'_>, planned: &Planned) -> Markup {
    decision(visit, &planned.decision())
}

/// Whether an operator may see a customer.
pub(crate) async fn is_ours(visit: &Visit<'_>, customer: &CustomerId) -> Result<bool, Failure> {
    match visit.console.engine.customer(customer).await {
        Ok(facts) => Ok(visit.operator.tenants().contains(&facts.tenant)),
        Err(Error::NoSuchCustomer) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
