//! The screen of a plan: what one erasure would do, and the approval of exactly this plan.

use chrono::TimeDelta;
use http::StatusCode;
use maud::{Markup, html};
use relinquish::engine::{Advance, Begun, Error};
use relinquish::plan::{Asked, OperatorId, Step};
use relinquish::request::{Note, PlanApproval, RequestId};
use relinquish::treatment::{RecordAction, TreatmentName};
use relinquish::{Approval, CustomerId, Digest, Plan, Planned};
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::layout::{badge, english, table};
use crate::tried::{Field, Tried};
use crate::visit::Visit;

/// For how long an approval is valid.
pub(crate) const VALID: TimeDelta = TimeDelta::hours(1);

/// Why somebody plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Why {
    /// The policy says that the customer is due.
    Policy,
    /// The person asked.
    Request,
}

/// What the address of a plan contains. Everybody who opens the address sees the plan of its planner, so that another
/// operator can approve it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PlanOf {
    customer: CustomerId,
    why: Why,
    treatment: Option<TreatmentName>,
    planner: OperatorId,
    request: Option<RequestId>,
}

impl PlanOf {
    pub(crate) fn new(customer: &CustomerId, why: Why, planner: &OperatorId) -> Self {
        Self { customer: customer.clone(), why, treatment: None, planner: planner.clone(), request: None }
    }

    /// The plan that answers a request of the register.
    pub(crate) fn answering(self, request: &RequestId) -> Self {
        Self { request: Some(request.clone()), ..self }
    }

    pub(crate) fn path(&self, visit: &Visit<'_>) -> String {
        format!("/plan/{}", visit.seal("plan", self))
    }

    fn asked(&self) -> Asked {
        match self.why {
            Why::Policy => Asked::Sweep,
            Why::Request => Asked::Request { treatment: self.treatment.clone() },
        }
    }

    async fn plan(&self, visit: &Visit<'_>) -> Result<Planned, Error> {
        let planned = visit.console.engine.plan(&self.customer, &self.asked()).await?;
        Ok(match planned {
            Planned::Plan(plan) => Planned::Plan(Box::new(plan.planned_by(self.planner.clone()))),
            none => none,
        })
    }
}

/// Shows a plan with the form of its approval, or says why there is none.
pub(crate) async fn show(visit: &Visit<'_>, sealed: &str, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let of: PlanOf = visit.open("plan", sealed)?;
    let facts = visit.console.engine.customer(&of.customer).await?;
    visit.over(&facts.tenant)?;
    let words = visit.words;
    let planned = of.plan(visit).await;
    let content = html! {
        (tried.summary(words))
        p.crumb {
            a href=(visit.url("/")) { (words.home) } " › "
            a href=(visit.url(&visit.person(&of.customer))) { (words.person) }
        }
        h1 { (words.plan) " " span.key { (of.customer.as_str()) } }
        @match &planned {
            Ok(Planned::Plan(plan)) => {
                (summary(visit, plan))
                @if of.why == Why::Request { (treatments(visit, &of, plan)) }
                (effects(visit, plan))
                (approval(visit, sealed, plan, tried))
            }
            Ok(none) => {
                p { (words.no_plan) }
                (super::person::no_plan(visit, none))
            }
            Err(error) => {
                p { (words.no_plan) }
                p.complaint lang="en" { (told(error)) }
            }
        }
    };
    Ok(visit.page_tried(words.plan, tried, &content))
}

fn summary(visit: &Visit<'_>, plan: &Plan) -> Markup {
    let words = visit.words;
    html! {
        dl.facts {
            dt { (words.because) }
            dd {
                (words.trigger(plan.trigger()))
                @if let Some(since) = plan.due().since { " · " (words.say(words.since, &[&visit.date(since)])) }
            }
            dt { (words.treatment) } dd { code { (plan.treatment().name()) } }
            dt { (words.result) } dd { (badge(words.outcome(plan.outcome()), "good")) }
            dt { (words.steps) } dd { (steps(visit, plan.steps())) }
            @if let Some(planner) = plan.planner() { dt { (words.planned_by) } dd { (planner.as_str()) } }
            dt { (words.digest) } dd { code.digest { (plan.digest()) } }
        }
    }
}

fn steps(visit: &Visit<'_>, steps: &[Step]) -> Markup {
    html! {
        ol.inline { @for step in steps { li { (visit.words.step(step)) } } }
    }
}

/// The other treatments that a person may ask for.
fn treatments(visit: &Visit<'_>, of: &PlanOf, plan: &Plan) -> Markup {
    let policy = visit.console.engine.policy().effective(plan.tenant());
    let others: Vec<_> = policy.treatments().keys().filter(|name| *name != plan.treatment().name()).collect();
    html! {
        @if !others.is_empty() {
            p.hint {
                (visit.words.other_treatments) " "
                @for name in others {
                    @let other = PlanOf { treatment: Some(name.clone()), ..of.clone() };
                    a href=(visit.url(&other.path(visit))) { code { (name) } } " "
                }
            }
        }
    }
}

/// What happens to each record class, which records are kept, and what is not covered.
fn effects(visit: &Visit<'_>, plan: &Plan) -> Markup {
    let words = visit.words;
    html! {
        section aria-labelledby="records" {
            h2 #records { (words.records) }
            (table(words.records, &[words.class, words.action, words.rows, words.rows_due, words.fields], &html! {
                @for (name, class) in plan.treatment().classes() {
                    @let tally = plan.tally().classes.get(name).copied().unwrap_or_default();
                    tr {
                        th scope="row" { code { (name) } }
                        td { (action(visit, class.action())) }
                        td.number { (visit.number(tally.rows)) }
                        td.number { (visit.number(tally.due)) }
                        td.small {
                            @if !class.fields().is_empty() {
                                details {
                                    summary { (visit.number(class.fields().len() as u64)) }
                                    @for (field, strategy) in class.fields() {
                                        div { code { (field) } " " (english(&strategy.describe())) }
                                    }
                                }
                            }
                        }
                    }
                }
            }))
            @if !plan.treatment().gateways().is_empty() {
                h3 { (words.gateways) }
                dl.facts {
                    @for (name, action) in plan.treatment().gateways() {
                        dt { (name) }
                        dd {
                            @match action {
                                relinquish::treatment::GatewayAction::Erase => (badge(words.delete, "bad")),
                                relinquish::treatment::GatewayAction::Keep { reason } => {
                                    (badge(words.keep, "calm")) " " (reason)
                                }
                            }
                        }
                    }
                }
            }
        }
        section aria-labelledby="stays" {
            h2 #stays { (words.stays) }
            @if plan.deferred().is_empty() && plan.tombstones().is_empty() && plan.links().is_empty() {
                p { (words.stays_nothing) }
            }
            @if !plan.deferred().is_empty() {
                (table(words.stays, &[words.class, words.rows, words.until, words.law], &html! {
                    @for kept in plan.deferred() {
                        tr {
                            th scope="row" { code { (kept.class) } }
                            td.number { @if let Some(rows) = kept.rows { (visit.number(rows)) } @else { "?" } }
                            td { @if let Some(until) = kept.until { (visit.date(until)) } @else { (words.unknown) } }
                            td { @for by in &*kept.duties { div { (by.law) " (" (english(&by.terms.to_string())) ")" } } }
                        }
                    }
                }))
            }
            @if !plan.tombstones().is_empty() {
                ul { @for stays in plan.tombstones() { li { (english(&stays.to_string())) } } }
            }
            @if !plan.links().is_empty() {
                h3 { (words.links) }
                ul { @for link in plan.links() { li { (english(&link.to_string())) } } }
            }
        }
        details {
            summary { (words.not_covered) " (" (visit.number(plan.not_covered().len() as u64)) ")" }
            ul lang="en" { @for what in plan.not_covered() { li { (what) } } }
        }
    }
}

fn action(visit: &Visit<'_>, action: &RecordAction) -> Markup {
    let words = visit.words;
    match action {
        RecordAction::Delete => badge(words.delete, "bad"),
        RecordAction::Anonymise => badge(words.anonymise, "warn"),
        RecordAction::Reassign => badge(words.reassign, "warn"),
        RecordAction::Keep { reason } => html! { (badge(words.keep, "calm")) " " span.small { (reason) } },
    }
}

/// The form of the approval. It says that the erasure cannot be undone, and asks for the customer's key.
fn approval(visit: &Visit<'_>, sealed: &str, plan: &Plan, tried: &Tried) -> Markup {
    let words = visit.words;
    let same = plan.planner() == Some(visit.operator.id());
    let four_eyes = visit.console.engine.policy().effective(plan.tenant()).four_eyes();
    let about = plan.digest().to_string();
    html! {
        section.final aria-labelledby="approve" {
            h2 #approve { (words.approve_title) }
            @if !visit.operator.may(Right::Approve) || (four_eyes && same) {
                p { (if four_eyes && same { words.four_eyes } else { words.approve_other }) }
            } @else {
                p.warning { strong { (words.no_way_back) } " " (words.approve_warning) }
                form method="post" action=(visit.url(&format!("/plan/{sealed}"))) {
                    input type="hidden" name="token" value=(visit.token("approve", &about));
                    input type="hidden" name="digest" value=(about);
                    (Field { tried, name: "typed", label: words.approve_label, hint: words.approve_hint }.input("text"))
                    button.danger { (words.approve_button) }
                    " " a href=(visit.url(&visit.person(plan.customer()))) { (words.back) }
                }
            }
        }
    }
}

/// Approves the plan that was shown, and opens its case.
pub(crate) async fn approve(visit: &Visit<'_>, sealed: &str) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    visit.needs(Right::Approve)?;
    let of: PlanOf = visit.open("plan", sealed)?;
    let facts = visit.console.engine.customer(&of.customer).await?;
    visit.over(&facts.tenant)?;
    let shown = visit.form.get("digest").unwrap_or_default();
    let mut tried = visit.tried("approve", shown);
    if visit.form.get("typed") != Some(of.customer.as_str()) {
        tried.complain("typed", visit.words.approve_mistyped);
    }
    if !tried.is_fine() {
        return show(visit, sealed, &tried).await;
    }
    let Planned::Plan(plan) = of.plan(visit).await? else {
        tried.complain("", visit.words.plan_changed);
        return conflict(show(visit, sealed, &tried).await);
    };
    if plan.digest().to_string() != shown {
        tried.complain("", visit.words.plan_changed);
        return conflict(show(visit, sealed, &tried).await);
    }
    match carry_out(visit, &of, *plan).await {
        Ok(path) => Ok(visit.see(&path)),
        Err(
            error @ (Error::Approval(_)
            | Error::OtherRules { .. }
            | Error::Census { .. }
            | Error::OutOfTurn { .. }),
        ) => {
            tried.complain("", told(&error));
            show(visit, sealed, &tried).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens the case. If the plan answers a request, it gives the approval to the register instead, and the worker opens
/// the case. The answer is the path of the page that shows the case.
async fn carry_out(visit: &Visit<'_>, of: &PlanOf, plan: Plan) -> Result<String, Error> {
    let engine = &visit.console.engine;
    let digest: Digest = plan.digest();
    let tenants = visit.operator.tenants().iter().cloned();
    let approval = Approval::new(visit.operator.id().clone(), tenants, digest, visit.now, VALID);
    if let Some(request) = &of.request {
        let approved = PlanApproval::new(approval).treatment(of.treatment.clone());
        let note = Note::Approve(approved.planned_by(Some(of.planner.clone())));
        engine.note(request, &note, visit.today(), visit.operator.authority()).await?;
        return Ok(super::requests::path(request));
    }
    let (Begun::Case(case) | Begun::AlreadyOpen(case)) = engine.begin(plan.approve(approval)?).await?;
    // If the case has to wait, the host's worker continues it.
    let (engine, begun) = (engine.clone(), case.clone());
    visit.console.spawn(async move { while let Ok(Advance::Again) = engine.advance(&begun).await {} });
    Ok(format!("{}?wait=1", Visit::case_path(&case)))
}

/// The same page, with the status that means that something has changed.
fn conflict(answer: Result<Answer, Failure>) -> Result<Answer, Failure> {
    Ok(match answer? {
        Answer::Page(_, page) => Answer::Page(StatusCode::CONFLICT, page),
        other => other,
    })
}
