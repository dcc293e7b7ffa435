//! The screens of holds (data that must not be erased for now) and of the emergency stop.

use maud::{Markup, html};
use relinquish::CustomerId;
use relinquish::customer::HoldGround;
use relinquish::data_map::ClassName;
use relinquish::engine::{Error, NewHold};
use relinquish::ledger::{Hold, HoldId, HoldOn, WhichHolds};
use relinquish::plan::ReasonCode;

use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::layout::{badge, empty, table};
use crate::tried::{Field, Tried};
use crate::visit::Visit;

const PAGE: usize = 50;
const GROUNDS: [HoldGround; 4] =
    [HoldGround::LegalClaim, HoldGround::Restriction, HoldGround::AuthorityOrder, HoldGround::Incident];

/// Whether a hold is the emergency stop.
pub(crate) fn is_stop(hold: &Hold) -> bool {
    hold.stands() && hold.on == HoldOn::Everything && hold.classes.is_empty()
}

fn is_ours(visit: &Visit<'_>, hold: &Hold) -> bool {
    hold.on.tenant().is_none_or(|tenant| visit.operator.tenants().contains(tenant))
}

/// The holds, page by page, the emergency stop, and the form of a hold on a tenant.
pub(crate) async fn show(visit: &Visit<'_>, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let words = visit.words;
    let all = visit.query.get("which") == Some("all");
    let which = if all { WhichHolds::All } else { WhichHolds::Standing };
    let after = visit.query.get("after").map(HoldId::new);
    let holds = visit.console.engine.holds(which, after.as_ref(), PAGE).await?;
    let next = holds.last().filter(|_| holds.len() == PAGE).map(|last| last.id.clone());
    let ours: Vec<&Hold> = holds.iter().filter(|hold| is_ours(visit, hold)).collect();
    let stopped = ours.iter().any(|hold| is_stop(hold));
    let content = html! {
        (tried.summary(words))
        h1 { (words.holds) }
        p.hint { (words.holds_hint) }
        p.tabs {
            a href=(visit.url("/holds")) aria-current=[(!all).then_some("true")] { (words.holds_standing) }
            a href=(visit.url("/holds?which=all")) aria-current=[all.then_some("true")] { (words.all) }
        }
        @if ours.is_empty() { (empty(words.holds_none)) }
        @else {
            (table(words.holds, &[words.hold_on, words.ground, words.reference, words.placed, words.lifted], &html! {
                @for hold in &ours {
                    tr {
                        th scope="row" { (on(visit, hold)) }
                        td { (words.hold_ground(hold.ground)) }
                        td { code { (hold.reference) } }
                        td.when { (visit.instant(hold.placed.at)) " · " (hold.placed.by.as_str()) }
                        td {
                            @match &hold.lifted {
                                Some(lifted) => { (visit.instant(lifted.at)) " · " (lifted.by.as_str()) }
                                None if visit.operator.may(Right::Hold) => { (lift_form(visit, hold)) }
                                None => { (words.stands) }
                            }
                        }
                    }
                }
            }))
        }
        @if let Some(next) = next {
            @let which = if all { "which=all&" } else { "" };
            p { a href=(visit.url(&format!("/holds?{which}after={}", crate::fields::encode(next.as_str())))) { (words.next_page) } }
        }
        @if visit.operator.may(Right::Hold) { (tenant_form(visit, tried)) }
        @if !stopped { (stop_form(visit, tried)) }
    };
    Ok(visit.page_tried(words.holds, tried, &content))
}

fn on(visit: &Visit<'_>, hold: &Hold) -> Markup {
    let words = visit.words;
    html! {
        @match &hold.on {
            HoldOn::Everything => { (badge(words.everything, "bad")) }
            HoldOn::Tenant(tenant) => { (words.tenant) " " (tenant) }
            HoldOn::Customer { customer, .. } if visit.operator.may(Right::Plan) => {
                a href=(visit.url(&visit.person(customer))) { (words.one_customer) }
            }
            _ => { (words.one_customer) }
        }
        @if !hold.classes.is_empty() {
            span.small { " · " (hold.classes.iter().map(ClassName::as_str).collect::<Vec<_>>().join(", ")) }
        }
    }
}

fn lift_form(visit: &Visit<'_>, hold: &Hold) -> Markup {
    html! {
        form method="post" action=(visit.url(&format!("/holds/{}/lift", crate::fields::encode(hold.id.as_str())))) {
            input type="hidden" name="token" value=(visit.token("lift", hold.id.as_str()));
            button.second { (visit.words.lift) }
        }
    }
}

/// The fields that every hold needs.
fn why(visit: &Visit<'_>, tried: &Tried) -> Markup {
    let words = visit.words;
    let grounds = GROUNDS.map(|ground| (ground.as_str().to_owned(), words.hold_ground(ground)));
    html! {
        (Field { tried, name: "ground", label: words.ground, hint: "" }.choice(grounds))
        (Field { tried, name: "reference", label: words.reference, hint: words.reference_hint }.input("text"))
    }
}

fn tenant_form(visit: &Visit<'_>, tried: &Tried) -> Markup {
    let words = visit.words;
    let tenants = visit.operator.tenants().iter().map(|tenant| (tenant.to_string(), tenant.to_string()));
    html! {
        details open[!tried.typed("tenant").is_empty()] {
            summary { (words.hold_tenant) }
            form.boxed method="post" action=(visit.url("/holds/tenant")) {
                input type="hidden" name="token" value=(visit.token("hold", "tenant"));
                (Field { tried, name: "tenant", label: words.tenant, hint: "" }.choice(tenants))
                (why(visit, tried))
                button { (words.hold_place) }
            }
        }
    }
}

/// The form of the emergency stop. Every operator may use it, because a wrong stop does no lasting harm.
fn stop_form(visit: &Visit<'_>, tried: &Tried) -> Markup {
    let words = visit.words;
    html! {
        section.final aria-labelledby="stop" {
            h2 #stop { (words.stop_title) }
            p { (words.stop_hint) }
            form method="post" action=(visit.url("/holds/stop")) {
                input type="hidden" name="token" value=(visit.token("hold", "stop"));
                (Field { tried, name: "stop_reference", label: words.reference, hint: words.reference_hint }.input("text"))
                (Field { tried, name: "typed", label: &words.say(words.stop_label, &[words.stop_word]), hint: "" }.input("text"))
                button.danger { (words.stop_button) }
            }
        }
    }
}

/// The form of a hold on one customer.
pub(crate) async fn on_person(visit: &Visit<'_>, sealed: &str, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::Hold)?;
    let customer = ours(visit, sealed).await?;
    let words = visit.words;
    let content = html! {
        (tried.summary(words))
        p.crumb { a href=(visit.url(&format!("/person/{sealed}"))) { (words.person) } }
        h1 { (words.hold_place) " " span.key { (customer.as_str()) } }
        p.hint { (words.holds_hint) }
        form.boxed method="post" action=(visit.url(&format!("/person/{sealed}/hold"))) {
            input type="hidden" name="token" value=(visit.token("hold", sealed));
            (why(visit, tried))
            button { (words.hold_place) }
        }
    };
    Ok(visit.page_tried(words.hold_place, tried, &content))
}

async fn ours(visit: &Visit<'_>, sealed: &str) -> Result<CustomerId, Failure> {
    let customer = visit.customer(sealed)?;
    visit.over(&visit.console.engine.customer(&customer).await?.tenant)?;
    Ok(customer)
}

/// Places a hold on one customer.
pub(crate) async fn place_on_person(visit: &Visit<'_>, sealed: &str) -> Result<Answer, Failure> {
    visit.needs(Right::Hold)?;
    let customer = ours(visit, sealed).await?;
    let mut tried = visit.tried("hold", sealed);
    let Some((ground, reference)) = given(visit, &mut tried, "reference") else {
        return on_person(visit, sealed, &tried).await;
    };
    place(visit, &NewHold::on_customer(customer, ground, reference)).await?;
    Ok(visit.see(&format!("/person/{sealed}")))
}

/// Places a hold on the customers of a tenant.
pub(crate) async fn place_on_tenant(visit: &Visit<'_>) -> Result<Answer, Failure> {
    visit.needs(Right::Hold)?;
    let mut tried = visit.tried("hold", "tenant");
    let given = given(visit, &mut tried, "reference");
    let (Some((ground, reference)), Some(tenant)) = (given, visit.form.get("tenant")) else {
        return show(visit, &tried).await;
    };
    visit.over(&tenant.into())?;
    place(visit, &NewHold::on_tenant(tenant, ground, reference)).await?;
    Ok(visit.see("/holds"))
}

/// Stops everything.
pub(crate) async fn stop(visit: &Visit<'_>) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let mut tried = visit.tried("hold", "stop");
    if visit.form.get("typed").map(str::to_lowercase).as_deref() != Some(visit.words.stop_word) {
        tried.complain("typed", visit.words.say(visit.words.stop_mistyped, &[visit.words.stop_word]));
    }
    let Some((_, reference)) = given(visit, &mut tried, "stop_reference") else {
        return show(visit, &tried).await;
    };
    place(visit, &NewHold::on_everything(HoldGround::Incident, reference)).await?;
    Ok(visit.see("/holds"))
}

async fn place(visit: &Visit<'_>, hold: &NewHold) -> Result<(), Error> {
    visit.console.engine.place_hold(hold, visit.operator.authority()).await.map(drop)
}

/// The ground and the reference that were typed. `None` if the form has an error.
fn given(visit: &Visit<'_>, tried: &mut Tried, name: &'static str) -> Option<(HoldGround, ReasonCode)> {
    let ground = visit.form.get("ground").and_then(HoldGround::named).unwrap_or(HoldGround::Incident);
    let reference = visit.form.get(name).unwrap_or_default().parse::<ReasonCode>();
    if reference.is_err() {
        tried.complain(name, visit.words.reference_bad);
    }
    reference.ok().filter(|_| tried.is_fine()).map(|reference| (ground, reference))
}

/// Lifts a hold.
pub(crate) async fn lift(visit: &Visit<'_>, id: &str) -> Result<Answer, Failure> {
    visit.needs(Right::Hold)?;
    let mut tried = visit.tried("lift", id);
    if tried.is_fine() {
        match visit.console.engine.lift_hold(&HoldId::new(id), visit.operator.authority()).await {
            Ok(_) => return Ok(visit.see("/holds")),
            Err(Error::Approval(why)) => tried.complain("", told(&why)),
            Err(error) => return Err(error.into()),
        }
    }
    show(visit, &tried).await
}
