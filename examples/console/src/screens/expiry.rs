//! The screen of expiry: records that are erased because of their age, or because their last duty has ended, whoever
//! owns them.

use std::sync::Arc;

use maud::{Markup, html};
use relinquish::engine::PlannedExpiry;
use relinquish::plan::ExpiryPlan;
use relinquish::{Approval, TenantId};

use crate::Shared;
use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::desk::Look;
use crate::layout::{badge, card, empty, english, table};
use crate::tried::{Field, Tried};
use crate::visit::Visit;

pub(crate) fn show(visit: &Visit<'_>, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let words = visit.words;
    let (look, run) = (visit.console.desk.expiry.look(), visit.console.desk.expired.look());
    let content = html! {
        (tried.summary(words))
        h1 { (words.expiry) }
        p.hint { (words.expiry_hint) }
        (rules(visit))
        (last_run(visit, &run))
        section aria-labelledby="plan" {
            h2 #plan { (words.expiry_plan) }
            @if let Some(failed) = &look.failed { p.complaint { (words.work_failed) " " (english(failed)) } }
            @match &look.last {
                Some((by, at, plan)) => {
                    p { (words.say(words.planned_at, &[&visit.instant(*at), by.as_str()])) }
                    @match plan.as_ref() {
                        Some(plan) if is_ours(visit, plan) => { (planned(visit, plan, tried)) }
                        Some(_) => { (empty(words.expiry_other)) }
                        None => { (empty(words.expiry_nothing)) }
                    }
                }
                None => { (empty(words.expiry_none)) }
            }
            @match &look.running {
                Some((by, since)) => {
                    p role="status" { (badge(words.running, "warn")) " "
                        (words.say(words.work_running, &[&visit.instant(*since), by.as_str()])) " "
                        a href=(visit.url("/expiry")) { (words.look_again) } }
                }
                None if visit.operator.may(Right::Plan) => {
                    form method="post" action=(visit.url("/expiry/plan")) {
                        input type="hidden" name="token" value=(visit.token("expiry", ""));
                        button.second { (words.expiry_take) }
                    }
                }
                None => {}
            }
        }
    };
    Ok(visit.page_tried(words.expiry, tried, &content))
}

/// The running expiry, or the result of the last one. The text has only classes and numbers, and names no person.
fn last_run(visit: &Visit<'_>, run: &Look<String>) -> Markup {
    let words = visit.words;
    html! {
        @if let Some(failed) = &run.failed { p.complaint { (words.work_failed) " " (english(failed)) } }
        @if let Some((by, since)) = &run.running {
            p role="status" { (badge(words.running, "warn")) " "
                (words.say(words.work_running, &[&visit.instant(*since), by.as_str()])) " "
                a href=(visit.url("/cases")) { (words.cases) } }
        }
        @if let Some((by, at, outcome)) = &run.last {
            p { (words.say(words.run_of, &[&visit.instant(*at), by.as_str()])) }
            pre lang="en" { (outcome) }
        }
    }
}

/// Whether an operator may see a plan: the operator has all of its tenants.
fn is_ours(visit: &Visit<'_>, plan: &ExpiryPlan) -> bool {
    plan.expiring()
        .keys()
        .filter_map(|of| of.tenant())
        .all(|tenant| visit.operator.tenants().contains(tenant))
}

/// The expiry rules of the policy, per tenant.
fn rules(visit: &Visit<'_>) -> Markup {
    let words = visit.words;
    let policy = visit.console.engine.policy();
    let rules: Vec<(&TenantId, _)> = visit
        .operator
        .tenants()
        .iter()
        .filter_map(|tenant| Some((tenant, policy.effective(tenant).expiry()?)))
        .collect();
    html! {
        @if rules.is_empty() { (empty(words.expiry_no_rule)) }
        @else {
            (table(words.expiry, &[words.tenant, words.class, words.expires], &html! {
                @for (tenant, expiry) in rules {
                    @for (class, after) in expiry.rules() {
                        tr { td { (tenant) } th scope="row" { code { (class) } } td { (english(&after.to_string())) } }
                    }
                }
            }))
        }
    }
}

fn planned(visit: &Visit<'_>, plan: &ExpiryPlan, tried: &Tried) -> Markup {
    let words = visit.words;
    let digest = plan.digest().to_string();
    html! {
        div.cards {
            (card(&visit.number(plan.due()), words.records_due, None, if plan.due() == 0 { "calm" } else { "warn" }))
            (card(&visit.number(plan.customers()), words.customers, None, "calm"))
        }
        (table(words.expiry_plan, &[words.tenant, words.class, words.rows, words.expired_rows, words.rows_due], &html! {
            @for (of, expiring) in plan.expiring() {
                @for (class, counted) in &expiring.classes {
                    tr {
                        td { (english(&of.to_string())) }
                        th scope="row" { code { (class) } }
                        td.number { (visit.number(counted.rows)) }
                        td.number { (visit.number(counted.expired)) }
                        td.number { (visit.number(counted.due)) }
                    }
                }
            }
        }))
        @for (of, expiring) in plan.expiring() {
            @if !expiring.held.is_empty() {
                h3 { (words.held_back) " · " (english(&of.to_string())) }
                dl.facts { @for (why, count) in &expiring.held { dt { (words.guard(why)) } dd { (visit.number(*count)) } } }
            }
        }
        details { summary { (words.whole_plan) } pre lang="en" { (plan) } }
        @if plan.due() > 0 && visit.operator.may(Right::Approve) {
            section.final aria-labelledby="approve" {
                h2 #approve { (words.approve_title) }
                p.warning { strong { (words.no_way_back) } " " (words.say(words.expiry_warning, &[&visit.number(plan.due())])) }
                form method="post" action=(visit.url("/expiry/approve")) {
                    input type="hidden" name="token" value=(visit.token("expire", &digest));
                    input type="hidden" name="digest" value=(digest);
                    (Field { tried, name: "typed", label: words.expiry_label, hint: "" }.input("text"))
                    button.danger { (words.expiry_button) }
                }
            }
        }
    }
}

/// Starts planning, unless a plan is already being made.
pub(crate) fn plan(visit: &Visit<'_>, shared: &Arc<Shared>) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let tried = visit.tried("expiry", "");
    if !tried.is_fine() {
        return show(visit, &tried);
    }
    let (console, by) = (Arc::clone(shared), visit.operator.id().clone());
    let tenants = visit.operator.tenants().clone();
    let at = console.clock.now();
    if let Some(working) = console.desk.expiry.start(&by, at) {
        visit.console.spawn(async move {
            let planned = console.engine.plan_expiry(tenants).await;
            working.end(
                at,
                planned.map_err(|error| told(&error)).map(|planned| match planned {
                    PlannedExpiry::Plan(plan) => Some(plan.planned_by(by.clone())),
                    PlannedExpiry::Nothing(_) => None,
                }),
            );
        });
    }
    Ok(visit.see("/expiry"))
}

/// Approves the plan that was shown, and starts the expiry. Its case is among the open cases, and this page shows the
/// outcome.
pub(crate) fn approve(visit: &Visit<'_>, shared: &Arc<Shared>) -> Result<Answer, Failure> {
    visit.needs(Right::Approve)?;
    let words = visit.words;
    let shown = visit.form.get("digest").unwrap_or_default();
    let mut tried = visit.tried("expire", shown);
    let last = visit.console.desk.expiry.last();
    let plan = last.as_ref().and_then(|plan| plan.as_ref().as_ref()).filter(|plan| is_ours(visit, plan));
    let Some(plan) = plan.filter(|plan| plan.digest().to_string() == shown) else {
        tried.complain("", words.plan_changed);
        return show(visit, &tried);
    };
    let typed: String =
        visit.form.get("typed").unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    if typed != plan.due().to_string() {
        tried.complain("typed", words.expiry_mistyped);
    }
    if !tried.is_fine() {
        return show(visit, &tried);
    }
    let tenants = visit.operator.tenants().iter().cloned();
    let approval =
        Approval::new(visit.operator.id().clone(), tenants, plan.digest(), visit.now, super::plan::VALID);
    let approved = match plan.clone().approve(approval) {
        Ok(approved) => approved,
        Err(refused) => {
            tried.complain("", told(&refused.why));
            return show(visit, &tried);
        }
    };
    let (console, by) = (Arc::clone(shared), visit.operator.id().clone());
    let at = console.clock.now();
    let Some(working) = console.desk.expired.start(&by, at) else {
        tried.complain("", words.run_runs);
        return show(visit, &tried);
    };
    visit.console.spawn(async move {
        let outcome = console.engine.expire(&approved).await;
        working.end(at, outcome.map(|outcome| outcome.to_string()).map_err(|error| told(&error)));
    });
    Ok(visit.see("/expiry"))
}
