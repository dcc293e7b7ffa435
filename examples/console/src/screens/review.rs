//! The screens of a review: the customers who are due, those who are struck out, the number of customers that a run
//! would erase, and the approval of exactly these customers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use relinquish::plan::OperatorId;
use relinquish::policy::Trigger;
use relinquish::treatment::TreatmentName;
use relinquish::{Approval, TenantId};

use crate::Shared;
use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::fields::encode;
use crate::layout::{badge, card, empty, table};
use crate::survey::{Filter, Left, Row, Run, Survey};
use crate::tried::{Field, Tried};
use crate::visit::Visit;

const PAGE: usize = 50;
const TRIGGERS: [Trigger; 6] = [
    Trigger::Requested,
    Trigger::Cancelled,
    Trigger::Deleted,
    Trigger::Inactive,
    Trigger::Listed,
    Trigger::ServiceEnded,
];

/// The button that starts a survey, and the result of the last one.
pub(crate) fn survey_form(
    visit: &Visit<'_>,
    running: Option<&(OperatorId, DateTime<Utc>)>,
    failed: Option<&str>,
    back: &str,
) -> Markup {
    let words = visit.words;
    html! {
        @if let Some(failed) = failed { p.complaint { (words.work_failed) " " (crate::layout::english(failed)) } }
        @match running {
            Some((by, since)) => {
                p role="status" {
                    (badge(words.running, "warn")) " " (words.say(words.work_running, &[&visit.instant(*since), by.as_str()])) " "
                    a href=(visit.url(back)) { (words.look_again) }
                }
            }
            None if visit.operator.may(Right::Plan) => {
                form method="post" action=(visit.url("/survey")) {
                    input type="hidden" name="token" value=(visit.token("survey", ""));
                    input type="hidden" name="back" value=(back);
                    button.second { (words.survey_take) }
                }
            }
            None => {}
        }
    }
}

/// Starts a survey, unless one runs.
pub(crate) async fn take(visit: &Visit<'_>, shared: &Arc<Shared>) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let tried = visit.tried("survey", "");
    let back = if visit.form.get("back") == Some("/review") { "/review" } else { "/" };
    if !tried.is_fine() {
        return if back == "/" { super::home::show(visit, &tried).await } else { show(visit, &tried) };
    }
    let (console, by) = (Arc::clone(shared), visit.operator.id().clone());
    let at = console.clock.now();
    if let Some(working) = console.desk.survey.start(&by, at) {
        visit.console.spawn(async move {
            working.end(at, Survey::take(&console.engine, &by).await);
        });
    }
    Ok(visit.see(back))
}

fn filter(visit: &Visit<'_>) -> Filter {
    let get = |name| visit.query.get(name).or(visit.form.get(name));
    Filter {
        tenant: get("tenant").map(TenantId::from),
        trigger: get("trigger")
            .and_then(|name| TRIGGERS.into_iter().find(|trigger| trigger.as_str() == name)),
        treatment: get("treatment").map(Into::into),
    }
}

/// The filter as the query of a URL.
fn query(filter: &Filter) -> String {
    let parts = [
        ("tenant", filter.tenant.as_ref().map(TenantId::as_str)),
        ("trigger", filter.trigger.map(Trigger::as_str)),
        ("treatment", filter.treatment.as_ref().map(TreatmentName::as_str)),
    ];
    let parts = parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}&", encode(value?))));
    parts.collect()
}

/// The customers who are due, page by page. Each row has a number, which stays the same for the whole survey.
pub(crate) fn show(visit: &Visit<'_>, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let words = visit.words;
    let look = visit.console.desk.survey.look();
    let run = visit.console.desk.run.look();
    let content = html! {
        (tried.summary(words))
        h1 { (words.review) }
        p.hint { (words.review_hint) }
        @if run.running.is_some() || run.last.is_some() {
            p { a href=(visit.url("/review/run")) { (words.run_see) } }
        }
        @match &look.last {
            Some((by, at, survey)) => {
                p { (words.say(words.survey_of, &[&visit.instant(*at), by.as_str()])) }
                (rows(visit, survey))
            }
            None => { (empty(words.survey_none)) }
        }
        (survey_form(visit, look.running.as_ref(), look.failed.as_deref(), "/review"))
    };
    Ok(visit.page_tried(words.review, tried, &content))
}

fn rows(visit: &Visit<'_>, survey: &Survey) -> Markup {
    let words = visit.words;
    let filter = filter(visit);
    let from = visit
        .query
        .get("from")
        .or(visit.form.get("from"))
        .and_then(|from| from.parse().ok())
        .unwrap_or(0_usize);
    let struck = survey.struck();
    let tenants = visit.operator.tenants();
    let ours = |row: &Row| tenants.contains(&row.reviewed.tenant) && filter.has(row);
    let numbered = survey.rows.iter().enumerate().skip(from);
    let mut page: Vec<(usize, &Row)> = numbered.filter(|(_, row)| ours(row)).take(PAGE + 1).collect();
    let next = if page.len() > PAGE { page.pop().map(|(number, _)| number) } else { None };
    let head = [
        words.keep_in,
        words.customer,
        words.because,
        words.since_when,
        words.treatment,
        words.rows,
        words.kept_back,
        words.result,
    ];
    html! {
        (filters(visit, &filter))
        @if page.is_empty() { (empty(words.review_none)) }
        @else {
            form method="post" action=(visit.url("/review")) {
                input type="hidden" name="token" value=(visit.token("strike", ""));
                input type="hidden" name="from" value=(from);
                (filter_fields(&filter))
                (table(words.review, &head, &html! {
                    @for (number, row) in &page {
                        tr.struck[struck.contains(number)] {
                            td {
                                input type="hidden" name="shown" value=(number);
                                input type="checkbox" name="in" value=(number) checked[!struck.contains(number)]
                                    aria-label=(words.say(words.keep_in_label, &[row.reviewed.customer.as_str()]));
                            }
                            th scope="row" {
                                a href=(visit.url(&visit.person(&row.reviewed.customer))) { (row.reviewed.customer.as_str()) }
                            }
                            td { @if let Some(trigger) = row.reviewed.trigger { (words.trigger(trigger)) } }
                            td.when { @if let Some(since) = row.since { (visit.date(since)) } }
                            td { @if let Some(treatment) = &row.reviewed.treatment { code { (treatment) } } }
                            td.number { (visit.number(row.records)) }
                            td.number { (visit.number(row.deferred)) }
                            td { (words.outcome(row.outcome)) }
                        }
                    }
                }))
                div.actions {
                    // Each button first saves the unchecked rows, so that they are not lost when the operator goes to
                    // another page.
                    button.second { (words.strike) }
                    @if let Some(next) = next { button.second name="next" value=(next) { (words.next_page) } }
                    @if visit.operator.may(Right::Approve) {
                        button name="next" value="approve" { (words.review_approve) }
                    }
                }
            }
        }
    }
}

fn filters(visit: &Visit<'_>, filter: &Filter) -> Markup {
    let words = visit.words;
    let policy = visit.console.engine.policy();
    let option =
        |value: &str, label: &str, chosen: bool| html! { option value=(value) selected[chosen] { (label) } };
    html! {
        form.filters method="get" action=(visit.url("/review")) {
            @if visit.operator.tenants().len() > 1 {
                div { label for="tenant" { (words.tenant) }
                    select #tenant name="tenant" {
                        (option("", words.all, false))
                        @for tenant in visit.operator.tenants() {
                            (option(tenant.as_str(), tenant.as_str(), filter.tenant.as_ref() == Some(tenant)))
                        }
                    } }
            }
            div { label for="trigger" { (words.because) }
                select #trigger name="trigger" {
                    (option("", words.all, false))
                    @for trigger in policy.triggers().keys() {
                        (option(trigger.as_str(), words.trigger(*trigger), filter.trigger == Some(*trigger)))
                    }
                } }
            div { label for="treatment" { (words.treatment) }
                select #treatment name="treatment" {
                    (option("", words.all, false))
                    @for name in policy.treatments().keys() {
                        (option(name.as_str(), name.as_str(), filter.treatment.as_ref() == Some(name)))
                    }
                } }
            button.second { (words.filter) }
        }
    }
}

fn filter_fields(filter: &Filter) -> Markup {
    html! {
        @if let Some(tenant) = &filter.tenant { input type="hidden" name="tenant" value=(tenant); }
        @if let Some(trigger) = filter.trigger { input type="hidden" name="trigger" value=(trigger.as_str()); }
        @if let Some(treatment) = &filter.treatment { input type="hidden" name="treatment" value=(treatment); }
    }
}

/// Strikes out the rows of a page that are not checked, and includes the checked ones again.
pub(crate) fn strike(visit: &Visit<'_>) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let tried = visit.tried("strike", "");
    let Some(survey) = visit.console.desk.survey.last().filter(|_| tried.is_fine()) else {
        return show(visit, &tried);
    };
    let numbers =
        |name| visit.form.all(name).filter_map(|number| number.parse::<usize>().ok()).collect::<Vec<_>>();
    let kept = numbers("in");
    let shown = numbers("shown").into_iter().filter(|number| {
        survey.rows.get(*number).is_some_and(|row| visit.operator.tenants().contains(&row.reviewed.tenant))
    });
    let (stay, out): (Vec<usize>, Vec<usize>) = shown.partition(|number| kept.contains(number));
    survey.strike(stay, false);
    survey.strike(out, true);
    let query = query(&filter(visit));
    let from = visit.form.get("from").unwrap_or("0");
    Ok(visit.see(&match visit.form.get("next") {
        Some("approve") => format!("/review/approve?{query}"),
        next => format!("/review?{query}from={}", encode(next.unwrap_or(from))),
    }))
}

/// The last page before a run: how many customers it would erase, per tenant, and how many the policy allows.
pub(crate) fn confirm(visit: &Visit<'_>, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::Approve)?;
    let words = visit.words;
    let survey = visit.console.desk.survey.last().ok_or(Failure::NotFound)?;
    let filter = filter(visit);
    let chosen = survey.review(&filter, visit.operator.tenants());
    let count = chosen.plans().len() as u64;
    let digest = chosen.digest().to_string();
    let policy = visit.console.engine.policy();
    let content = html! {
        (tried.summary(words))
        p.crumb { a href=(visit.url(&format!("/review?{}", query(&filter)))) { (words.review) } }
        h1 { (words.review_approve) }
        @if count == 0 { (empty(words.review_none)) }
        @else {
            div.cards { (card(&visit.number(count), words.would_be_erased, None, "bad")) }
            (table(words.blast_radius, &[words.tenant, words.would_be_erased, words.of_all, words.allowed], &html! {
                @for (tenant, hit) in chosen.tenants() {
                    @let all = survey.customers_of(tenant);
                    @let limit = policy.effective(tenant).blast_radius();
                    tr {
                        th scope="row" { (tenant) }
                        td.number { (visit.number(hit)) }
                        td.number { (visit.number(all)) }
                        td.number {
                            @match limit.map(|limit| limit.at_most(all)) {
                                Some(most) => {
                                    (visit.number(most))
                                    @if hit > most { " " (badge(words.too_many, "bad")) }
                                }
                                None => { (words.no_limit) }
                            }
                        }
                    }
                }
            }))
            dl.facts { dt { (words.digest) } dd { code.digest { (digest) } } }
            section.final aria-labelledby="approve" {
                h2 #approve { (words.approve_title) }
                p.warning { strong { (words.no_way_back) } " " (words.say(words.review_warning, &[&visit.number(count)])) }
                form method="post" action=(visit.url("/review/approve")) {
                    input type="hidden" name="token" value=(visit.token("review", &digest));
                    input type="hidden" name="digest" value=(digest);
                    (filter_fields(&filter))
                    (Field { tried, name: "typed", label: words.review_label, hint: "" }.input("text"))
                    button.danger { (words.review_button) }
                }
            }
        }
    };
    Ok(visit.page_tried(words.review_approve, tried, &content))
}

/// Approves the review that was shown, and starts its run.
pub(crate) fn approve(visit: &Visit<'_>, shared: &Arc<Shared>) -> Result<Answer, Failure> {
    visit.needs(Right::Approve)?;
    let words = visit.words;
    let survey = visit.console.desk.survey.last().ok_or(Failure::NotFound)?;
    let chosen = survey.review(&filter(visit), visit.operator.tenants());
    let count = chosen.plans().len() as u64;
    let shown = visit.form.get("digest").unwrap_or_default();
    let mut tried = visit.tried("review", shown);
    let typed: String =
        visit.form.get("typed").unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    if typed != count.to_string() {
        tried.complain("typed", words.review_mistyped);
    }
    if chosen.digest().to_string() != shown {
        tried.complain("", words.review_changed);
    }
    if !tried.is_fine() {
        return confirm(visit, &tried);
    }
    let tenants = visit.operator.tenants().iter().cloned();
    let approval =
        Approval::new(visit.operator.id().clone(), tenants, chosen.digest(), visit.now, super::plan::VALID);
    // The operator typed the number, so the approval contains it.
    let run = Run::of(&chosen);
    let approved = match chosen.approve(approval.up_to(count)) {
        Ok(approved) => approved,
        Err(refused) => {
            tried.complain("", told(&refused.why));
            return confirm(visit, &tried);
        }
    };
    let (console, by, at) = (Arc::clone(shared), visit.operator.id().clone(), visit.now);
    let Some(working) = console.desk.run.start(&by, at) else {
        tried.complain("", words.run_runs);
        return confirm(visit, &tried);
    };
    visit.console.spawn(async move {
        let slot = &console.desk.run;
        slot.show(&by, at, Arc::new(run.clone()));
        working.end(at, run.carry_out(&console.engine, approved, slot, &by).await);
    });
    Ok(visit.see("/review/run"))
}

/// Shows the progress of the run.
pub(crate) fn run(visit: &Visit<'_>) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let words = visit.words;
    let look = visit.console.desk.run.look();
    let ours = look.last.filter(|(_, _, run)| run.tenants.is_subset(visit.operator.tenants()));
    let content = html! {
        p.crumb { a href=(visit.url("/review")) { (words.review) } }
        h1 { (words.run) }
        @if let Some(failed) = &look.failed { p.complaint { (words.work_failed) " " (crate::layout::english(failed)) } }
        @match ours {
            None => { (empty(words.run_none)) }
            Some((by, at, run)) => {
                p { (words.say(words.run_of, &[&visit.instant(at), by.as_str()])) " "
                    @if run.is_over { (badge(words.done, "good")) } @else { (badge(words.running, "warn")) } }
                @let gone = run.erased + run.left.values().sum::<u64>();
                progress max=(run.customers.max(1)) value=(gone) aria-label=(words.run) { (visit.number(gone)) }
                div.cards {
                    (card(&visit.number(run.erased), words.erased, None, "good"))
                    (card(&visit.number(run.left.values().sum()), words.left, None, if run.left.is_empty() { "calm" } else { "warn" }))
                    (card(&visit.number(run.customers.saturating_sub(gone)), words.to_come, None, "calm"))
                }
                @if let Some(asks) = &run.asks { p.warning { (crate::layout::english(asks)) } }
                @if !run.left.is_empty() {
                    h2 { (words.left) }
                    dl.facts { @for (why, count) in &run.left { dt { (left(visit, *why)) } dd { (visit.number(*count)) } } }
                }
                @if !run.is_over { p { a.button.second href=(visit.url("/review/run")) { (words.look_again) } } }
            }
        }
    };
    Ok(visit.page(words.run, &content))
}

fn left(visit: &Visit<'_>, why: Left) -> &'static str {
    match why {
        Left::Limit => visit.words.left_limit,
        Left::Changed => visit.words.left_changed,
        Left::Open => visit.words.left_open,
        Left::NotPlanned => visit.words.left_not_planned,
    }
}
