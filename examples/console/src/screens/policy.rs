//! The screen of the policy: each line in force with its origin, and what another policy would change before it is in
//! force.

use std::collections::BTreeMap;
use std::sync::Arc;

use maud::{Markup, html};
use relinquish::plan::{Impact, Shift};
use relinquish::policy::{Origin, Policy};
use relinquish::{Digest, PolicyDocument, TenantId};

use crate::Shared;
use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::layout::{badge, card, empty, english, table};
use crate::tried::{Field, Tried};
use crate::visit::Visit;

/// Another policy, and what it would change.
#[derive(Debug)]
pub(crate) struct Trial {
    digest: Digest,
    lines: Vec<ChangedLine>,
    impact: Impact,
}

/// A line that differs, for everyone or for one tenant.
#[derive(Debug)]
struct ChangedLine {
    tenant: Option<TenantId>,
    path: String,
    before: Option<String>,
    after: Option<String>,
}

pub(crate) fn show(visit: &Visit<'_>, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let words = visit.words;
    let policy = visit.console.engine.policy();
    let chosen = visit.query.get("tenant").map(TenantId::from);
    if let Some(tenant) = &chosen {
        visit.over(tenant)?;
    }
    let effective = chosen.as_ref().map_or(policy.everyone(), |tenant| policy.effective(tenant));
    let content = html! {
        (tried.summary(words))
        h1 { (words.policy) }
        dl.facts {
            @if let Some(name) = policy.name() { dt { (words.name) } dd { (name) } }
            dt { (words.digest) } dd { code.digest { (effective.digest()) } }
        }
        p.tabs {
            a href=(visit.url("/policy")) aria-current=[chosen.is_none().then_some("true")] { (words.everyone) }
            @for tenant in visit.operator.tenants() {
                a href=(visit.url(&format!("/policy?tenant={}", crate::fields::encode(tenant.as_str()))))
                    aria-current=[(chosen.as_ref() == Some(tenant)).then_some("true")] { (words.tenant) " " (tenant) }
            }
        }
        (table(words.policy, &[words.line, words.value, words.origin], &html! {
            @for line in effective.lines() {
                tr {
                    th scope="row" { code { (line.path) } }
                    td { code { (line.value) } }
                    td { @match &line.origin {
                        Origin::Policy => { (words.origin_policy) }
                        Origin::Tenant(tenant) => { (badge(words.origin_tenant, "warn")) " " (tenant) }
                        Origin::Dropped(tenant) => { (badge(words.origin_dropped, "calm")) " " (tenant) }
                    } }
                }
            }
        }))
        @if visit.operator.may(Right::Administrate) { (trial(visit, tried)) }
    };
    Ok(visit.page_tried(words.policy, tried, &content))
}

/// The form for another policy, and the changes that the last tried policy would make.
fn trial(visit: &Visit<'_>, tried: &Tried) -> Markup {
    let words = visit.words;
    let look = visit.console.desk.trial.look();
    html! {
        section aria-labelledby="trial" {
            h2 #trial { (words.trial) }
            p.hint { (words.trial_hint) }
            @if let Some(failed) = &look.failed { p.complaint { (words.work_failed) " " (english(failed)) } }
            @if let Some((by, since)) = &look.running {
                p role="status" { (badge(words.running, "warn")) " "
                    (words.say(words.work_running, &[&visit.instant(*since), by.as_str()])) " "
                    a href=(visit.url("/policy")) { (words.look_again) } }
            }
            @if let Some((by, at, trial)) = &look.last {
                p { (words.say(words.trial_of, &[&visit.instant(*at), by.as_str()])) }
                (changed(visit, trial))
            }
            form method="post" action=(visit.url("/policy/try")) {
                input type="hidden" name="token" value=(visit.token("policy", ""));
                (Field { tried, name: "policy", label: words.trial_label, hint: words.trial_label_hint }.area(""))
                button.second { (words.trial_button) }
            }
        }
    }
}

fn changed(visit: &Visit<'_>, trial: &Trial) -> Markup {
    let words = visit.words;
    let impact = &trial.impact;
    let ours: BTreeMap<_, _> =
        impact.tenants.iter().filter(|(tenant, _)| visit.operator.tenants().contains(*tenant)).collect();
    let lines = trial
        .lines
        .iter()
        .filter(|line| line.tenant.as_ref().is_none_or(|tenant| visit.operator.tenants().contains(tenant)));
    let lines: Vec<&ChangedLine> = lines.collect();
    html! {
        dl.facts { dt { (words.digest) } dd { code.digest { (trial.digest) } } }
        div.cards {
            (card(&visit.number(impact.due_before), words.due_before, None, "calm"))
            (card(&visit.number(impact.total.due), words.newly_due, None, if impact.total.due == 0 { "calm" } else { "bad" }))
            (card(&visit.number(impact.total.treated_otherwise), words.treated_otherwise, None, "calm"))
            (card(&visit.number(impact.total.blocked), words.newly_blocked, None, "calm"))
            (card(&visit.number(impact.total.released), words.released, None, "calm"))
        }
        (shifts(visit, words.because, impact.triggers.iter().map(|(trigger, shift)| (words.trigger(*trigger), shift))))
        (shifts(visit, words.tenant, ours.into_iter().map(|(tenant, shift)| (tenant.as_str(), shift))))
        (shifts(visit, words.class, impact.classes.iter().map(|(class, shift)| (class.as_str(), shift))))
        h3 { (words.changed_lines) }
        @if lines.is_empty() { (empty(words.changed_none)) }
        @else {
            (table(words.changed_lines, &[words.tenant, words.line, words.before, words.after], &html! {
                @for line in lines {
                    tr {
                        td { @match &line.tenant { Some(tenant) => (tenant), None => (words.everyone) } }
                        th scope="row" { code { (line.path) } }
                        td { @if let Some(before) = &line.before { code { (before) } } @else { "–" } }
                        td { @if let Some(after) = &line.after { code { (after) } } @else { "–" } }
                    }
                }
            }))
        }
    }
}

fn shifts<'s>(visit: &Visit<'_>, of: &str, shifts: impl Iterator<Item = (&'s str, &'s Shift)>) -> Markup {
    let words = visit.words;
    let shifts: Vec<_> = shifts.collect();
    html! {
        @if !shifts.is_empty() {
            (table(of, &[of, words.newly_due, words.treated_otherwise, words.newly_blocked, words.released], &html! {
                @for (name, shift) in shifts {
                    tr {
                        th scope="row" { (name) }
                        td.number { (visit.number(shift.due)) }
                        td.number { (visit.number(shift.treated_otherwise)) }
                        td.number { (visit.number(shift.blocked)) }
                        td.number { (visit.number(shift.released)) }
                    }
                }
            }))
        }
    }
}

/// Checks another policy, and starts to count what it would change. The policy in force stays in force.
pub(crate) fn attempt(visit: &Visit<'_>, shared: &Arc<Shared>) -> Result<Answer, Failure> {
    visit.needs(Right::Administrate)?;
    let mut tried = visit.tried("policy", "");
    let text = visit.form.raw("policy").unwrap_or_default();
    let checked = PolicyDocument::from_toml(text).and_then(|policy| shared.engine.check_policy(&policy));
    let new = match checked {
        Ok(new) => new,
        Err(problems) => {
            for problem in problems.iter() {
                tried.complain("policy", problem.to_string());
            }
            return show(visit, &tried);
        }
    };
    if !tried.is_fine() {
        return show(visit, &tried);
    }
    let (console, by) = (Arc::clone(shared), visit.operator.id().clone());
    let at = console.clock.now();
    if let Some(working) = console.desk.trial.start(&by, at) {
        visit.console.spawn(async move {
            let impact = console.engine.impact(&new).await.map_err(|error| told(&error));
            let lines = changed_lines(console.engine.policy(), &new);
            working.end(at, impact.map(|impact| Trial { digest: new.digest(), lines, impact }));
        });
    }
    Ok(visit.see("/policy"))
}

/// The lines that differ: those for everyone, and those of each tenant with an entry of its own.
fn changed_lines(old: &Policy, new: &Policy) -> Vec<ChangedLine> {
    let mut tenants: Vec<Option<TenantId>> = old.tenants().chain(new.tenants()).cloned().map(Some).collect();
    tenants.push(None);
    tenants.sort();
    tenants.dedup();
    let lines = |policy: &Policy, tenant: &Option<TenantId>| -> BTreeMap<String, String> {
        let effective = tenant.as_ref().map_or(policy.everyone(), |tenant| policy.effective(tenant));
        effective.lines().iter().map(|line| (line.path.clone(), line.value.clone())).collect()
    };
    let mut changed = Vec::new();
    for tenant in tenants {
        let (mut before, after) = (lines(old, &tenant), lines(new, &tenant));
        for (path, after) in after {
            let before = before.remove(&path);
            if before.as_ref() != Some(&after) {
                changed.push(ChangedLine { tenant: tenant.clone(), path, before, after: Some(after) });
            }
        }
        let gone = before.into_iter();
        changed.extend(gone.map(|(path, before)| ChangedLine {
            tenant: tenant.clone(),
            path,
            before: Some(before),
            after: None,
        }));
    }
    changed
}
