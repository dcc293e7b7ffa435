//! The screen of the data map: the classes and fields, their kinds, and the counts of the last census. It also says
//! whether the schema has changed since that census.

use std::sync::Arc;

use maud::{Markup, html};
use relinquish::data_map::{RecordClass, Role};
use relinquish::engine::census_problems;
use relinquish::store::Census;

use crate::Shared;
use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::layout::{badge, empty, english, table};
use crate::tried::Tried;
use crate::visit::Visit;

pub(crate) async fn show(visit: &Visit<'_>, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let (words, engine) = (visit.words, &visit.console.engine);
    let map = engine.data_map();
    let census = engine.last_census().await?;
    let valid = engine.valid_census().await;
    let look = visit.console.desk.census.look();
    let content = html! {
        (tried.summary(words))
        h1 { (words.data) }
        dl.facts {
            dt { (words.digest) } dd { code.digest { (map.digest()) } }
            dt { (words.census) }
            dd {
                @match &valid {
                    Ok(Some(census)) => { (badge(words.census_valid, "good")) " " (visit.instant(census.at)) }
                    Ok(None) => { (words.census_no_store) }
                    Err(error) => { (badge(words.census_invalid, "bad")) " " (english(&told(error))) }
                }
            }
        }
        @if let Some(failed) = &look.failed { p.complaint { (words.work_failed) " " (english(failed)) } }
        @match &look.running {
            Some((by, since)) => {
                p role="status" { (badge(words.running, "warn")) " "
                    (words.say(words.work_running, &[&visit.instant(*since), by.as_str()])) " "
                    a href=(visit.url("/data")) { (words.look_again) } }
            }
            None if visit.operator.may(Right::Administrate) => {
                form method="post" action=(visit.url("/data/census")) {
                    input type="hidden" name="token" value=(visit.token("census", ""));
                    button.second { (words.census_take) }
                }
            }
            None => {}
        }
        @if let Some(census) = &census { (counted(visit, census)) }
        section aria-labelledby="classes" {
            h2 #classes { (words.classes) }
            @for class in map.classes() { (fields(visit, class)) }
        }
        section aria-labelledby="uncovered" {
            h2 #uncovered { (words.not_covered) }
            @if map.unmapped().is_empty() { (empty(words.covered)) }
            ul lang="en" { @for what in map.unmapped() { li { (what) } } }
        }
    };
    Ok(visit.page_tried(words.data, tried, &content))
}

fn counted(visit: &Visit<'_>, census: &Census) -> Markup {
    let words = visit.words;
    let problems = census_problems(census, visit.console.engine.policy());
    html! {
        section aria-labelledby="census" {
            h2 #census { (words.coverage) }
            @if problems.iter().next().is_none() { p { (badge(words.census_clean, "good")) } }
            @else {
                div.warning { p { strong { (words.census_unclean) } } }
                ul lang="en" { @for problem in problems.iter() { li { (problem) } } }
            }
            (table(words.coverage, &[words.table, words.class, words.rows, words.no_owner, words.unreadable], &html! {
                @for (name, table) in &census.tables {
                    @for (class, counted) in &table.classes {
                        tr {
                            td { code { (name) } }
                            th scope="row" { code { (class) } }
                            td.number { (visit.number(counted.rows)) }
                            td.number { (visit.number(counted.nobody.rows + counted.gone.rows)) }
                            td.number { (visit.number(counted.unreadable.values().sum())) }
                        }
                    }
                    @if table.unclaimed.rows > 0 {
                        tr {
                            td { code { (name) } }
                            th scope="row" { (badge(words.unclaimed, "bad")) }
                            td.number { (visit.number(table.unclaimed.rows)) }
                            td.number { "–" }
                            td.number { "–" }
                        }
                    }
                }
            }))
        }
    }
}

fn fields(visit: &Visit<'_>, class: &RecordClass) -> Markup {
    let words = visit.words;
    let personal = class.fields().iter().filter(|field| field.kind().is_some()).count();
    html! {
        details {
            summary {
                code { (class.name()) } " · "
                (words.say(words.fields_of, &[&visit.number(class.fields().len() as u64), &visit.number(personal as u64)]))
            }
            (table(class.name().as_str(), &[words.field, words.kind_of_data, words.role], &html! {
                @for field in class.fields() {
                    tr {
                        th scope="row" { code { (field.name()) } }
                        td { @match field.kind() {
                            Some(kind) => { (badge(visit.words.kind(kind).unwrap_or(kind.as_str()), "warn")) }
                            None => { (words.not_personal) }
                        } }
                        td { (role(visit, field.role())) }
                    }
                }
            }))
        }
    }
}

fn role(visit: &Visit<'_>, role: Role) -> &'static str {
    match role {
        Role::Value => "",
        Role::Key => visit.words.role_key,
        Role::Owner => visit.words.role_owner,
        Role::Computed => visit.words.role_computed,
    }
}

/// Starts a census, unless one runs.
pub(crate) async fn take(visit: &Visit<'_>, shared: &Arc<Shared>) -> Result<Answer, Failure> {
    visit.needs(Right::Administrate)?;
    let tried = visit.tried("census", "");
    if !tried.is_fine() {
        return show(visit, &tried).await;
    }
    let (console, by) = (Arc::clone(shared), visit.operator.id().clone());
    let at = console.clock.now();
    if let Some(working) = console.desk.census.start(&by, at) {
        visit.console.spawn(async move {
            working.end(at, console.engine.census().await.map(drop).map_err(|error| told(&error)));
        });
    }
    Ok(visit.see("/data"))
}
