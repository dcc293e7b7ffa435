//! The first page: what an operator has to do today, and how many customers become due in the coming months.

use chrono::{Datelike, NaiveDate};
use maud::html;
use relinquish::CustomerId;
use relinquish::engine::RequestList;
use relinquish::ledger::WhichHolds;

use crate::answer::{Answer, Failure};
use crate::auth::Right;
use crate::chart;
use crate::layout::{card, empty};
use crate::survey::Counts;
use crate::tried::{Field, Tried};
use crate::visit::Visit;

/// How many open cases, requests or holds of all tenants are counted. If there are more, the page shows a plus sign:
/// "12+".
const COUNTED: usize = 1_000;

/// How many of the counted things belong to the operator's tenants, and whether there are more that were not counted.
#[derive(Clone, Copy)]
struct Counted {
    ours: usize,
    more: bool,
}

/// A request is near its deadline for this number of days before the deadline.
const NEAR: u32 = 7;
/// How many months the chart shows.
const MONTHS: u32 = 12;

pub(crate) async fn show(visit: &Visit<'_>, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let (words, engine) = (visit.words, &visit.console.engine);
    let requests = |of| async move {
        let found = engine.requests(of, None, COUNTED).await?;
        let ours = found.iter().filter(|request| super::requests::is_ours(visit, request));
        Ok::<_, Failure>(Counted { ours: ours.count(), more: found.len() >= COUNTED })
    };
    let (overdue, near) =
        (requests(RequestList::Overdue).await?, requests(RequestList::DueWithin(NEAR)).await?);
    let open = engine.open_cases(None, COUNTED).await?;
    let ours: Vec<_> = open.iter().filter(|case| super::cases::is_ours(visit, &case.task)).collect();
    let of_cases = |ours: usize| Counted { ours, more: open.len() >= COUNTED };
    let stuck = ours.iter().filter(|case| case.blocked.is_some()).count();
    let (running, stuck) = (of_cases(ours.len() - stuck), of_cases(stuck));
    let holds = engine.holds(WhichHolds::Standing, None, COUNTED).await?;
    let stopped = holds.iter().any(super::holds::is_stop);
    let survey = visit.console.desk.survey.look();
    let counts = survey.last.as_ref().map(|(_, _, survey)| survey.counts(visit.operator.tenants()));
    let standing = Counted { ours: holds.len(), more: holds.len() >= COUNTED };
    let near = Counted { ours: near.ours.saturating_sub(overdue.ours), ..near };
    let many =
        |count: Counted| format!("{}{}", visit.number(count.ours as u64), if count.more { "+" } else { "" });
    let tone = |count: Counted, bad: &'static str| if count.ours == 0 && !count.more { "calm" } else { bad };
    let content = html! {
        (tried.summary(words))
        @if stopped {
            div.stopped role="status" {
                p { strong { (words.stopped) } " " a href=(visit.url("/holds")) { (words.holds_see) } }
            }
        }
        h1 { (words.home) }
        @if visit.operator.may(Right::Plan) {
            form.find method="post" action=(visit.url("/person")) {
                input type="hidden" name="token" value=(visit.token("find", ""));
                (Field { tried, name: "key", label: words.find_label, hint: words.find_hint }.input("search"))
                button { (words.find_button) }
            }
        }
        section aria-labelledby="today" {
            h2 #today { (words.today) }
            div.cards {
                (card(&many(overdue), words.requests_overdue, Some(visit.url("/requests?which=overdue")), tone(overdue, "bad")))
                (card(&many(near), words.requests_near, Some(visit.url("/requests?which=near")), tone(near, "warn")))
                (card(&many(stuck), words.cases_stuck, Some(visit.url("/cases")), tone(stuck, "bad")))
                (card(&many(running), words.cases_running, Some(visit.url("/cases")), "calm"))
                (card(&many(standing), words.holds_standing, Some(visit.url("/holds")), if stopped { "bad" } else { "calm" }))
            }
        }
        section aria-labelledby="survey" {
            h2 #survey { (words.survey) }
            @match (&counts, &survey.last) {
                (Some(counts), Some((by, at, _))) => {
                    p.hint { (visit.words.say(words.survey_of, &[&visit.instant(*at), by.as_str()])) }
                    div.cards {
                        (card(&visit.number(counts.due), words.due, Some(visit.url("/review")), if counts.due == 0 { "calm" } else { "warn" }))
                        (card(&visit.number(counts.all_blocked()), words.blocked, None, "calm"))
                        (card(&visit.number(counts.not_yet), words.not_yet, None, "calm"))
                        (card(&visit.number(counts.customers), words.customers, None, "calm"))
                        @if counts.unreadable + counts.unsurveyed > 0 {
                            (card(&visit.number(counts.unreadable + counts.unsurveyed), words.unreadable, None, "bad"))
                        }
                    }
                    @if !counts.blocked.is_empty() {
                        h3 { (words.blocked_by) }
                        dl.facts {
                            @for (by, count) in &counts.blocked {
                                dt { (words.guard(by)) } dd { (visit.number(*count)) }
                            }
                        }
                    }
                    h3 { (words.coming_months) }
                    (chart::months(visit, &coming(counts, visit.today())))
                }
                _ => { (empty(words.survey_none)) }
            }
            (super::review::survey_form(visit, survey.running.as_ref(), survey.failed.as_deref(), "/"))
        }
    };
    Ok(visit.page_tried(words.home, tried, &content))
}

/// How many customers become due in each of the coming months. Customers who are already due count for this month.
fn coming(counts: &Counts, today: NaiveDate) -> Vec<(NaiveDate, u64)> {
    let first = today.with_day(1).unwrap_or(today);
    let months = (0..MONTHS).filter_map(|n| first.checked_add_months(chrono::Months::new(n)));
    months
        .map(|month| {
            let later = counts.months.get(&month).copied().unwrap_or_default();
            (month, if month == first { later + counts.due } else { later })
        })
        .collect()
}

/// Opens the page of a customer by the host's own key. The key is in the form, never in an address.
pub(crate) async fn find(visit: &Visit<'_>) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let mut tried = visit.tried("find", "");
    let Some(key) = visit.form.get("key") else {
        tried.complain("key", visit.words.find_empty);
        return show(visit, &tried).await;
    };
    if tried.is_fine() {
        let customer = CustomerId::from(key);
        match visit.console.engine.customer(&customer).await {
            Ok(facts) if visit.operator.tenants().contains(&facts.tenant) => {
                return Ok(visit.see(&visit.person(&customer)));
            }
            // The answer does not show whether a customer of another tenant exists.
            Ok(_) | Err(relinquish::Error::NoSuchCustomer) => tried.complain("key", visit.words.find_none),
            Err(error) => return Err(error.into()),
        }
    }
    show(visit, &tried).await
}
