//! Compares the decision with a second, deliberately simple model of it. Policies (with a tenant's own lines),
//! customers, histories and times are random. The model uses tables and loops, and no code of the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use proptest::prelude::*;
use relinquish::customer::{GatewayProfile, HoldKind, Moment, Status};
use relinquish::data_map::{DataMapBuilder, Fact, Field, Kind, RecordClass};
use relinquish::plan::{GuardFinding, Missing, Nothing, Rest, TreatedBefore, decide, explain};
use relinquish::policy::{Effective, Trigger};
use relinquish::{Asked, Customer, DataMap, Decision, Digest, Policy, PolicyDocument};

/// The number of random policies. Together with the situations for each policy there are 120,000 cases.
const POLICIES: u32 = 400;
const SITUATIONS: u32 = 300;

// ---- random input ----

/// A small random generator. Its seed is one number, which names a case.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }

    fn one_in(&mut self, chance: u64) -> bool {
        self.below(chance) == 0
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }
}

const DATES: [&str; 6] =
    ["cancelled", "deleted", "created", "last_transaction", "service_ended", "handed_over"];
const TREATMENTS: [&str; 2] = ["clear", "marketing"];
const GUARDS: [&str; 9] = [
    "active_subscription",
    "several_tenants",
    "not_archived",
    "unpaid_invoice",
    "open_dispute",
    "legal_claim",
    "restriction",
    "authority_order",
    "not_white_label",
];
/// The rules of a guard as the policy writes them. The empty text means that the line is left out.
const RULES: [&str; 4] = ["", "'block sweep'", "{ ignore = 'x' }", "{ block = 'why', ground = '17(3)(e)' }"];

#[derive(Clone, Debug)]
struct Rule {
    since: Vec<&'static str>,
    /// A number and a unit: years, months or days.
    after: Option<(u32, &'static str)>,
    hand_over: bool,
    treatment: &'static str,
}

/// The lines of a policy, or of one tenant. A trigger with `None` is switched off.
#[derive(Clone, Debug, Default)]
struct Lines {
    sweep: Option<bool>,
    stockholm: Option<bool>,
    triggers: BTreeMap<&'static str, Option<Rule>>,
    guards: BTreeMap<&'static str, usize>,
    /// The years of a duty, and whether they count from the end of the calendar year.
    duty: Option<(u32, bool)>,
}

const TRIGGERS: [&str; 6] = ["requested", "cancelled", "deleted", "inactive", "listed", "service_ended"];

fn draw_rule(draw: &mut Draw, trigger: &'static str) -> Rule {
    let waits = trigger != "requested" && (trigger != "listed" || draw.one_in(2));
    let own = if trigger == "inactive" || trigger == "listed" { "created" } else { trigger };
    let mut since = vec![draw.of(&["last_transaction", "created", own, own])];
    if draw.one_in(2) {
        since.push(draw.of(&DATES));
    }
    let after = match draw.below(5) {
        0 => (u32::try_from(draw.below(5)).unwrap(), "years"),
        1 => (u32::try_from(draw.below(40)).unwrap(), "months"),
        2 => (0, "days"),
        _ => (u32::try_from(draw.below(900)).unwrap(), "days"),
    };
    Rule {
        since: if waits { since } else { Vec::new() },
        after: waits.then_some(after),
        hand_over: trigger == "service_ended" && draw.one_in(2),
        treatment: draw.of(&TREATMENTS),
    }
}

fn draw_lines(draw: &mut Draw, is_tenant: bool) -> Lines {
    let mut lines = Lines::default();
    let some = |draw: &mut Draw| !is_tenant || draw.one_in(3);
    if some(draw) {
        lines.sweep = Some(!draw.one_in(6));
    }
    if some(draw) {
        lines.stockholm = Some(draw.one_in(2));
    }
    for trigger in TRIGGERS {
        if draw.one_in(if is_tenant { 4 } else { 2 }) {
            let rule = (!draw.one_in(4)).then(|| draw_rule(draw, trigger));
            lines.triggers.insert(trigger, rule);
        }
    }
    for guard in GUARDS {
        if some(draw) {
            // The policy has to name a state that the host defines; otherwise the state has no effect.
            let least = u64::from(guard == "not_white_label" || is_tenant);
            lines.guards.insert(guard, usize::try_from(least + draw.below(4 - least)).unwrap());
        }
    }
    if some(draw) && draw.one_in(2) {
        lines.duty = Some((u32::try_from(draw.below(12)).unwrap(), draw.one_in(2)));
    }
    lines
}

fn written(lines: &Lines, under: &str) -> String {
    let mut text = String::new();
    if let Some(sweep) = lines.sweep {
        writeln!(text, "{under}sweep = {sweep}").unwrap();
    }
    if let Some(stockholm) = lines.stockholm {
        writeln!(text, "{under}time_zone = '{}'", if stockholm { "Europe/Stockholm" } else { "UTC" })
            .unwrap();
    }
    for (trigger, rule) in &lines.triggers {
        let Some(rule) = rule else {
            writeln!(text, "{under}triggers.{trigger} = 'off'").unwrap();
            continue;
        };
        let mut line = format!("{under}triggers.{trigger} = {{ treatment = '{}'", rule.treatment);
        if let Some((count, unit)) = rule.after {
            write!(line, ", since = {:?}, after = '{count} {unit}'", rule.since).unwrap();
        }
        if rule.hand_over {
            line.push_str(", hand_over = 'handed_over'");
        }
        writeln!(text, "{line} }}").unwrap();
    }
    for (guard, rule) in lines.guards.iter().filter(|(_, rule)| **rule > 0) {
        writeln!(text, "{under}guards.{guard} = {}", RULES[*rule]).unwrap();
    }
    if let Some((years, from_year_end)) = lines.duty {
        let start = if from_year_end { "calendar_year" } else { "record_date" };
        writeln!(
            text,
            "{under}duties.books = {{ classes = ['invoice'], period = '{years} years', start = '{start}', law = 'x', \
             ground = '17(3)(b)', from = 'day' }}"
        )
        .unwrap();
    }
    text
}

fn document(everyone: &Lines, tenant: &Lines) -> String {
    format!(
        "version = 1\n{}{}{}{}",
        written(everyone, ""),
        if everyone.triggers.is_empty() { "triggers = {}\n" } else { "" },
        written(tenant, "tenants.acme."),
        "anonymise.name = 'remove'\n\
         treatments.clear = { customer = 'anonymise', invoice = 'delete', gateway = { stripe = 'erase' } }\n\
         treatments.marketing = { customer = { keep = 'x' }, invoice = { keep = 'x' }, gateway = { stripe = { keep = 'x' } } }\n",
    )
}

fn map() -> DataMap {
    let customer =
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
    let facts = [
        Fact::ActiveSubscriptions,
        Fact::Tenants,
        Fact::Status,
        Fact::UnpaidInvoices,
        Fact::OpenDisputes,
        Fact::Holds,
    ];
    let invoice = RecordClass::new("invoice").field(Field::key("id")).field(Field::plain("day").dated());
    let builder = facts.into_iter().fold(DataMap::builder(customer).class(invoice), DataMapBuilder::knows);
    let builder = DATES.into_iter().fold(builder, DataMapBuilder::date);
    builder.gateway("stripe").state("not_white_label").build().unwrap()
}

/// A customer, the question, the earlier treatments and the current time.
struct Situation {
    customer: Customer,
    asked: Asked,
    before: Vec<TreatedBefore>,
    at: DateTime<Utc>,
}

fn draw_situation(draw: &mut Draw, digests: &[(&str, Digest)]) -> Situation {
    // The current time lies between 2003 and 2051, and sometimes exactly at midnight. So no date of a customer lies
    // before 1996. Until that year summer time ended in September, and the model knows only the later rule.
    let at = DateTime::from_timestamp(1_060_000_000 + i64::try_from(draw.below(1_500_000_000)).unwrap(), 0);
    let mut at = at.unwrap();
    if draw.one_in(3) {
        let hours = i64::try_from(draw.below(4)).unwrap() - 2;
        at = at.date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc() + TimeDelta::hours(hours);
    }
    let mut customer = Customer::new("7", draw.of(&["acme", "bolt"]));
    customer.status = draw.of(&[Status::Active, Status::Cancelled, Status::Archived, Status::Deleted]);
    for date in DATES {
        if draw.one_in(2) {
            continue;
        }
        let days = if draw.one_in(4) { draw.below(5) } else { draw.below(2_500) };
        let then = at - TimeDelta::days(i64::try_from(days).unwrap())
            + TimeDelta::hours(i64::try_from(draw.below(60)).unwrap());
        let moment = if draw.one_in(2) { Moment::Day(then.date_naive()) } else { Moment::Instant(then) };
        customer.dates.insert(date.to_owned(), moment);
    }
    if draw.one_in(2) {
        let mut few = |chance| u32::from(draw.one_in(chance));
        customer.tenants = [1, 2][few(6) as usize];
        customer.active_subscriptions = few(8);
        customer.gateway_subscriptions = few(8);
        customer.unpaid_invoices = few(8);
        customer.gateway_unpaid_invoices = few(8);
        customer.open_disputes = few(8);
        customer.gateway_disputes = few(8);
        for hold in [HoldKind::LegalClaim, HoldKind::Restriction, HoldKind::AuthorityOrder] {
            if few(8) == 1 {
                customer.holds.insert(hold);
            }
        }
        if few(12) == 1 {
            customer.unreadable.insert("status".to_owned());
        }
        customer.stand_in = few(30) == 1;
    }
    match draw.below(8) {
        0 => drop(customer.states.insert("not_white_label".into(), true)),
        1 => {}
        _ => drop(customer.states.insert("not_white_label".into(), false)),
    }
    if draw.one_in(2) {
        customer.gateway_profiles.push(GatewayProfile::new(draw.of(&["stripe", "stripe", "adyen"]), "p"));
    }
    let asked = match draw.below(7) {
        0 => Asked::request(),
        1 => Asked::Request { treatment: Some(draw.of(&["clear", "marketing", "none"]).into()) },
        2 => Asked::List,
        3 => Asked::Replay {
            trigger: draw.of(&[Trigger::Requested, Trigger::Cancelled, Trigger::Inactive]),
            treatment: draw.of(&["clear", "marketing", "none"]).into(),
        },
        _ => Asked::Sweep,
    };
    let anything_left = draw.one_in(2);
    let mut before = Vec::new();
    if draw.one_in(2) {
        for n in 0..=draw.below(3) {
            let (_, treatment) = draw.of(digests);
            let ago = TimeDelta::days(i64::try_from(draw.below(900)).unwrap());
            let day = |days: u64| at.date_naive() + TimeDelta::days(i64::try_from(days).unwrap() - 400);
            let from = if draw.one_in(3) { None } else { Some(day(draw.below(800))) };
            let (archived, is_free) = (draw.one_in(4), !draw.one_in(3));
            let rest = Rest { from, archived, anything_left: is_free, kept: BTreeMap::new() };
            before.push(TreatedBefore {
                case: format!("c-{n}").as_str().into(),
                at: at - ago,
                trigger: draw.of(&[
                    Trigger::Requested,
                    Trigger::Requested,
                    Trigger::Cancelled,
                    Trigger::ServiceEnded,
                    Trigger::Listed,
                ]),
                name: draw.of(&["clear", "clear", "marketing", "gone"]).into(),
                treatment,
                anything_left,
                rows: BTreeMap::new(),
                rest: draw.one_in(2).then_some(rest),
            });
        }
    }
    Situation { customer, asked, before, at }
}

// ---- the model ----

fn days_of(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 400 == 0 || (year % 4 == 0 && year % 100 != 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day.
type Date = (i32, u32, u32);

fn date(day: NaiveDate) -> Date {
    use chrono::Datelike;
    (day.year(), day.month(), day.day())
}

fn add((mut year, mut month, mut day): Date, count: u32, unit: &str) -> Date {
    for _ in 0..count {
        match unit {
            "years" => year += 1,
            "months" if month == 12 => (year, month) = (year + 1, 1),
            "months" => month += 1,
            _ if day < days_of(year, month) => day += 1,
            _ if month == 12 => (year, month, day) = (year + 1, 1, 1),
            _ => (month, day) = (month + 1, 1),
        }
    }
    (year, month, day.min(days_of(year, month)))
}

/// Stockholm is one hour ahead of UTC. From the last Sunday of March, 01:00 UTC, to the last Sunday of October it is
/// two hours ahead.
fn local(at: DateTime<Utc>, stockholm: bool) -> Date {
    use chrono::{Datelike, Weekday};
    if !stockholm {
        return date(at.date_naive());
    }
    let switch = |month| {
        let mut day = NaiveDate::from_ymd_opt(at.year(), month, 31).unwrap();
        while day.weekday() != Weekday::Sun {
            day = day.pred_opt().unwrap();
        }
        day.and_hms_opt(1, 0, 0).unwrap().and_utc()
    };
    let hours = if at >= switch(3) && at < switch(10) { 2 } else { 1 };
    date((at + TimeDelta::hours(hours)).date_naive())
}

fn up(guard: &str, customer: &Customer) -> bool {
    match guard {
        "active_subscription" => customer.active_subscriptions + customer.gateway_subscriptions > 0,
        "several_tenants" => customer.tenants != 1,
        "not_archived" => customer.status == Status::Active || customer.status == Status::Cancelled,
        "unpaid_invoice" => customer.unpaid_invoices + customer.gateway_unpaid_invoices > 0,
        "open_dispute" => customer.open_disputes + customer.gateway_disputes > 0,
        "not_white_label" => !matches!(customer.states.get("not_white_label"), Some(false)),
        hold => customer.holds.iter().any(|kind| kind.as_str() == hold),
    }
}

/// The lines that apply to a customer.
fn in_force(everyone: &Lines, tenant: &Lines, customer: &Customer) -> Lines {
    let mut lines = everyone.clone();
    if customer.tenant.as_str() == "acme" {
        lines.sweep = tenant.sweep.or(lines.sweep);
        lines.stockholm = tenant.stockholm.or(lines.stockholm);
        lines.triggers.extend(tenant.triggers.clone());
        lines.guards.extend(tenant.guards.clone());
        lines.duty = tenant.duty.or(lines.duty);
    }
    lines
}

fn day_of(lines: &Lines, moment: &Moment) -> Date {
    match moment {
        Moment::Day(day) => date(*day),
        Moment::Instant(at) => local(*at, lines.stockholm == Some(true)),
    }
}

/// The decision as one line of text.
fn model(everyone: &Lines, tenant: &Lines, digests: &[(&str, Digest)], case: &Situation) -> String {
    let customer = &case.customer;
    let lines = in_force(everyone, tenant, customer);
    let today = local(case.at, lines.stockholm == Some(true));
    if customer.stand_in {
        return "nothing stand-in".to_owned();
    }
    // Every possible answer has a number: the lower it is, the nearer the answer is to an erasure.
    let mut first = anew(&lines, digests, case, today);
    // A fact cannot be read. So nobody knows whether a trigger applies, or when.
    let is_open = |words: &str| {
        ["not yet", "nothing no trigger", "nothing no date"].iter().any(|start| words.starts_with(start))
    };
    let is_request = matches!(case.asked, Asked::Request { .. } | Asked::Replay { .. });
    if !customer.unreadable.is_empty() && !is_request && lines.sweep == Some(true) && is_open(&first.2) {
        first = (1, None, "blocked ? {\"fact status\"}".to_owned());
    }
    let mut found = vec![first];
    let mut history: Vec<&TreatedBefore> = case.before.iter().collect();
    history.sort_by_key(|done| (done.at, done.case.to_string()));
    for (n, done) in history.iter().enumerate() {
        let Some(rest) = done.rest.as_ref().filter(|_| case.asked == Asked::Sweep) else { continue };
        let is_taken_up = history[n + 1..].iter().any(|later| later.name == done.name);
        let is_off = lines.sweep != Some(true) && done.trigger != Trigger::Requested;
        let is_back = rest.archived && up("not_archived", customer)
            || matches!(lines.triggers.get("inactive"), Some(Some(rule)) if rule.since.iter().any(|sign| {
                let closed = local(done.at, lines.stockholm == Some(true));
                customer.dates.get(sign).is_some_and(|moment| day_of(&lines, moment) > closed)
            }));
        if is_taken_up || is_off || (is_back && customer.unreadable.is_empty()) {
            continue;
        }
        let from = rest.from.map(date);
        if let Some(from) = from.filter(|from| *from > today) {
            found.push((2, Some(from), format!("not yet {} {from:?}", done.trigger)));
        } else if rest.anything_left && done.name.as_str() == "gone" {
            found.push((3, None, "nothing no treatment".to_owned()));
        } else if rest.anything_left {
            let is_request = done.trigger == Trigger::Requested;
            let due = (done.trigger.as_str(), done.name.as_str(), from, " deferred");
            found.push(guarded(&lines, customer, due, today, is_request));
        }
    }
    let best = found.iter().map(|(near, day, _)| (*near, *day)).min().unwrap();
    found.into_iter().find(|(near, day, _)| (*near, *day) == best).unwrap().2
}

/// A possible answer: how near it is to an erasure, the day of a *not yet*, and the text.
type Found = (u32, Option<Date>, String);

/// The answer of the triggers or of the request, without the earlier deferred rest.
fn anew(lines: &Lines, digests: &[(&str, Digest)], case: &Situation, today: Date) -> Found {
    let customer = &case.customer;
    let nothing = |why: String| (if why == "no treatment" { 3 } else { 4 }, None, format!("nothing {why}"));
    let is_request =
        matches!(case.asked, Asked::Request { .. } | Asked::Replay { trigger: Trigger::Requested, .. });
    // The candidates: the day from which each is due, the trigger's number, and the treatment.
    let mut candidates: Vec<(Option<Date>, usize, &str)> = Vec::new();
    let mut no_date = None;
    if let Asked::Request { treatment: Some(treatment) } = &case.asked {
        candidates.push((None, 0, if treatment.as_str() == "none" { "none" } else { treatment.as_str() }));
    } else if let Asked::Replay { trigger, treatment } = &case.asked {
        let n = TRIGGERS.into_iter().position(|name| name == trigger.as_str()).unwrap();
        candidates.push((None, n, treatment.as_str()));
    } else {
        if !is_request && lines.sweep != Some(true) {
            return nothing("switch".to_owned());
        }
        for (n, trigger) in TRIGGERS.into_iter().enumerate() {
            let Some(Some(rule)) = lines.triggers.get(trigger) else { continue };
            let looks = match (&case.asked, trigger) {
                (Asked::Request { .. } | Asked::Replay { .. }, trigger) => trigger == "requested",
                (Asked::List, trigger) => trigger == "listed",
                (Asked::Sweep, "requested" | "listed") => false,
                (Asked::Sweep, "cancelled") => customer.status != Status::Active,
                (Asked::Sweep, "deleted") => customer.status == Status::Deleted,
                (Asked::Sweep, _) => true,
            };
            if !looks {
                continue;
            }
            let Some((count, unit)) = rule.after else {
                candidates.push((None, n, rule.treatment));
                continue;
            };
            match rule.since.iter().find_map(|name| customer.dates.get(name)) {
                Some(moment) => {
                    candidates.push((Some(add(day_of(lines, moment), count, unit)), n, rule.treatment));
                }
                None => no_date = Some(trigger),
            }
        }
    }
    candidates.sort_unstable_by_key(|(day, n, _)| (*day, *n));
    let Some((day, n, treatment)) = candidates.first().copied() else {
        return nothing(no_date.map_or("no trigger".to_owned(), |trigger| format!("no date {trigger}")));
    };
    let trigger = TRIGGERS[n];
    if let Some(day) = day.filter(|day| *day > today) {
        return (2, Some(day), format!("not yet {trigger} {day:?}"));
    }
    let Some((_, digest)) = digests[first_of(customer)..].iter().find(|(name, _)| *name == treatment) else {
        return nothing("no treatment".to_owned());
    };
    let mut again = "";
    if !case.before.is_empty() {
        let same = case.before.iter().any(|done| done.treatment == *digest);
        let at_stripe = customer.gateway_profiles.iter().any(|profile| profile.gateway.as_str() == "stripe");
        let at_gateways = !same && treatment == "clear" && at_stripe;
        if !case.before[0].anything_left && !at_gateways {
            return nothing(format!("treated{}", deferring(lines, treatment, today)));
        }
        again = if same { " changed" } else { " grown" };
    }
    guarded(lines, customer, (trigger, treatment, day, again), today, is_request)
}

/// The day until which a duty keeps an invoice of today, as text.
fn deferring(lines: &Lines, treatment: &str, today: Date) -> String {
    let Some((years, from_year_end)) = lines.duty.filter(|_| treatment == "clear") else {
        return String::new();
    };
    let start = if from_year_end { (today.0, 12, 31) } else { today };
    format!(" deferring {:?}", add(start, years, "years"))
}

fn guarded(
    lines: &Lines,
    customer: &Customer,
    (trigger, treatment, day, again): (&str, &str, Option<Date>, &str),
    today: Date,
    is_request: bool,
) -> Found {
    let mut by = BTreeSet::new();
    let mut found = BTreeMap::new();
    for fact in &customer.unreadable {
        by.insert(format!("fact {fact}"));
    }
    if customer.gateway_profiles.iter().any(|profile| profile.gateway.as_str() != "stripe") {
        by.insert("gateway".to_owned());
    }
    let hands_over = matches!(lines.triggers.get(trigger), Some(Some(rule)) if rule.hand_over);
    if hands_over && customer.dates.get("handed_over").is_none_or(|moment| day_of(lines, moment) > today) {
        by.insert("hand-over".to_owned());
    }
    for guard in GUARDS {
        let rule = lines.guards.get(guard).copied().unwrap_or(0);
        if guard == "not_white_label" && rule == 0 {
            // The map defines this state, but the policy does not use it.
            continue;
        }
        match (rule, up(guard, customer)) {
            (2, _) => drop(found.insert(guard, "ignored")),
            (_, false) => drop(found.insert(guard, "clear")),
            (1, true) if is_request => drop(found.insert(guard, "passed")),
            (_, true) => drop(by.insert(guard.to_owned())),
        }
    }
    let deferring = deferring(lines, treatment, today);
    if by.is_empty() {
        (0, None, format!("due {trigger} {treatment} {day:?}{again} {found:?}{deferring}"))
    } else {
        (1, None, format!("blocked {trigger} {by:?}{deferring}"))
    }
}

/// The crate's decision, in the words of the model.
fn spoken(decision: &Decision) -> String {
    let mut text = without_duties(decision);
    for deferred in decision.deferred() {
        write!(text, " deferring {:?}", date(deferred.until.unwrap())).unwrap();
    }
    text
}

fn without_duties(decision: &Decision) -> String {
    match decision {
        Decision::Due(due) => {
            let found: BTreeMap<String, &str> = due
                .guards
                .iter()
                .map(|(guard, finding)| {
                    let word = match finding {
                        GuardFinding::Clear => "clear",
                        GuardFinding::Passed => "passed",
                        GuardFinding::Ignored => "ignored",
                    };
                    (guard.to_string(), word)
                })
                .collect();
            let again = due.again.as_ref().map_or("", |again| match again.because {
                Missing::Grown => " grown",
                Missing::Deferred => " deferred",
                Missing::Kept => " kept",
                _ => " changed",
            });
            format!("due {} {} {:?}{again} {found:?}", due.trigger, due.treatment, due.since.map(date))
        }
        Decision::NotYet(not_yet) => format!("not yet {} {:?}", not_yet.trigger, date(not_yet.until)),
        Decision::Blocked(blocked) => {
            let by: BTreeSet<String> = blocked
                .by
                .iter()
                .map(|by| match &by.guard {
                    Some(guard) => guard.to_string(),
                    None if by.why.contains("a profile at") => "gateway".to_owned(),
                    None if by.why.contains("has its data") => "hand-over".to_owned(),
                    None => "fact status".to_owned(),
                })
                .collect();
            format!("blocked {} {by:?}", blocked.trigger.map_or("?", Trigger::as_str))
        }
        Decision::Nothing(nothing) => match nothing {
            Nothing::SweepOff => "nothing switch".to_owned(),
            Nothing::NoTrigger => "nothing no trigger".to_owned(),
            Nothing::NoDate { trigger, .. } => format!("nothing no date {trigger}"),
            Nothing::NoSuchTreatment { .. } => "nothing no treatment".to_owned(),
            Nothing::TreatedBefore { .. } => "nothing treated".to_owned(),
            Nothing::StandIn => "nothing stand-in".to_owned(),
            other => panic!("{other}"),
        },
    }
}

fn checked(text: &str, map: &DataMap) -> Policy {
    let checked = PolicyDocument::from_toml(text).and_then(|document| document.check(map));
    checked.unwrap_or_else(|problems| panic!("{text}\n{problems}"))
}

/// The digests of the treatments: first those for all tenants, then those of the tenant with its own lines. A duty
/// and a time zone change a digest.
fn digests(policy: &Policy) -> Vec<(&'static str, Digest)> {
    let own = policy.effective(&"acme".into());
    let of = |policy: &Effective| TREATMENTS.map(|name| (name, policy.treatments()[name].digest()));
    of(policy.everyone()).into_iter().chain(of(own)).collect()
}

/// The position of the first digest that applies to a customer's tenant.
fn first_of(customer: &Customer) -> usize {
    if customer.tenant.as_str() == "acme" { TREATMENTS.len() } else { 0 }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: POLICIES, ..ProptestConfig::default() })]

    #[test]
    fn the_decision_is_that_of_the_model(seed in any::<u64>()) {
        let mut draw = Draw(seed);
        let (everyone, tenant) = (draw_lines(&mut draw, false), draw_lines(&mut draw, true));
        let text = document(&everyone, &tenant);
        let policy = checked(&text, &map());
        let digests = digests(&policy);
        for n in 0..SITUATIONS {
            let case = draw_situation(&mut draw, &digests);
            let Situation { customer, asked, before, at } = &case;
            let decision = decide(&policy, customer, asked, before, *at);
            let wanted = model(&everyone, &tenant, &digests, &case);
            prop_assert_eq!(
                spoken(&decision), wanted,
                "{}\n{} at {}: {:?} {:?} {:?}", text, n, at, asked, customer.dates, before
            );
            if n % 16 == 0 {
                prop_assert_eq!(explain(&policy, customer, asked, before, *at).decision, decision);
            }
        }
    }
}

/// The random cases reach every kind of decision, and each kind often.
#[test]
fn the_cases_are_of_every_kind() {
    let mut kinds = BTreeMap::<String, u32>::new();
    for seed in 0..60 {
        let mut draw = Draw(seed);
        let (everyone, tenant) = (draw_lines(&mut draw, false), draw_lines(&mut draw, true));
        let policy = checked(&document(&everyone, &tenant), &map());
        let digests = digests(&policy);
        for _ in 0..100 {
            let Situation { customer, asked, before, at } = draw_situation(&mut draw, &digests);
            let decision = spoken(&decide(&policy, &customer, &asked, &before, at));
            let kind = decision.split(' ').take(2).collect::<Vec<_>>().join(" ");
            *kinds.entry(kind).or_default() += 1;
            for word in [" deferred ", " deferring "].into_iter().filter(|word| decision.contains(word)) {
                *kinds.entry(word.to_owned()).or_default() += 1;
            }
        }
    }
    for kind in [
        "due requested",
        "due cancelled",
        "due deleted",
        "due inactive",
        "due listed",
        "due service_ended",
        "not yet",
        "blocked requested",
        "blocked cancelled",
        "blocked inactive",
        "blocked listed",
        "blocked service_ended",
        "nothing switch",
        "nothing no",
        "nothing treated",
        "nothing stand-in",
        " deferred ",
        " deferring ",
    ] {
        assert!(kinds.get(kind).is_some_and(|count| *count >= 10), "{kind}: {kinds:?}");
    }
}

// ---- laws ----

/// The rank of a decision: 0 is the strictest.
fn strictness(decision: &Decision) -> u32 {
    match decision {
        Decision::Due(_) => 1,
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 60, ..ProptestConfig::default() })]

    /// Time moves a customer only from *not yet* towards *due*. This holds as long as no date of the customer lies in
    /// the future and the deferred records still exist.
    #[test]
    fn time_only_brings_what_is_due_nearer(seed in any::<u64>(), days in 0..5_000_i64) {
        let mut draw = Draw(seed);
        let (everyone, tenant) = (draw_lines(&mut draw, false), draw_lines(&mut draw, true));
        let policy = checked(&document(&everyone, &tenant), &map());
        let digests = digests(&policy);
        for _ in 0..60 {
            let Situation { customer, asked, mut before, at } = draw_situation(&mut draw, &digests);
            for done in before.iter_mut().filter(|done| done.name.as_str() == "gone") {
                done.name = "clear".into();
            }
            before.iter_mut().filter_map(|done| done.rest.as_mut()).for_each(|rest| rest.anything_left = true);
            let first = decide(&policy, &customer, &asked, &before, at);
            let second = decide(&policy, &customer, &asked, &before, at + TimeDelta::days(days));
            match &first {
                Decision::NotYet(not_yet) => match &second {
                    Decision::NotYet(later) if later == not_yet => {}
                    // The treatment that becomes due was done before. What a duty deferred of it becomes due even
                    // later.
                    Decision::NotYet(later) => {
                        prop_assert!(later.until > not_yet.until, "{} → {}", first, second);
                        let whole = |done: TreatedBefore| TreatedBefore { rest: None, ..done };
                        let before: Vec<_> = before.into_iter().map(whole).collect();
                        let chosen = decide(&policy, &customer, &asked, &before, at + TimeDelta::days(days));
                        let was_done = matches!(chosen, Decision::Nothing(Nothing::TreatedBefore { .. }));
                        prop_assert!(was_done, "{} → {}; {}", first, second, chosen);
                    }
                    Decision::Due(due) => prop_assert!(due.since.is_some_and(|since| since >= not_yet.until)),
                    Decision::Blocked(_) | Decision::Nothing(Nothing::TreatedBefore { .. }) => {}
                    Decision::Nothing(nothing) => prop_assert!(false, "{}", nothing),
                },
                // First nobody knew which trigger applies. Later one applies, and its treatment was done before.
                Decision::Blocked(blocked) if blocked.trigger.is_none() => {
                    let is_done = matches!(second, Decision::Nothing(Nothing::TreatedBefore { .. }));
                    prop_assert!(is_done || matches!(second, Decision::Blocked(_)), "{}", second);
                }
                // The hand-over may be confirmed in the meantime.
                Decision::Blocked(_) => prop_assert!(matches!(second, Decision::Blocked(_) | Decision::Due(_))),
                // A deferred rest stays due, whichever trigger chooses it later.
                Decision::Due(due) if due.is_deferred() => {
                    prop_assert!(matches!(second, Decision::Due(_)), "{} → {}", first, second);
                }
                Decision::Due(_) | Decision::Nothing(_) => {
                    prop_assert_eq!(without_duties(&first), without_duties(&second));
                }
            }
        }
    }

    /// One more duty never lets more people be erased. The decision names what the duty may defer, and is otherwise
    /// unchanged.
    #[test]
    fn a_duty_more_never_makes_more_erasable(seed in any::<u64>(), years in 0..30_u32, from_year_end in any::<bool>()) {
        let mut draw = Draw(seed);
        let mut everyone = draw_lines(&mut draw, false);
        let mut tenant = draw_lines(&mut draw, true);
        (everyone.duty, tenant.duty) = (None, None);
        let without = checked(&document(&everyone, &tenant), &map());
        everyone.duty = Some((years, from_year_end));
        let with = checked(&document(&everyone, &tenant), &map());
        let (theirs, ours) = (digests(&without), digests(&with));
        for _ in 0..60 {
            let Situation { customer, asked, before, at } = draw_situation(&mut draw, &theirs);
            // The same history, with the digests of the policy that has the duty.
            let renamed: Vec<TreatedBefore> = before.iter().map(|done| {
                let place = theirs.iter().position(|(_, digest)| *digest == done.treatment).unwrap();
                // If the tenant has another time zone, its treatments have other digests.
                let own = first_of(&customer) + place % TREATMENTS.len();
                let place = if theirs[own].1 == done.treatment { own } else { place };
                TreatedBefore { treatment: ours[place].1, ..done.clone() }
            }).collect();
            let loose = decide(&without, &customer, &asked, &before, at);
            let strict = decide(&with, &customer, &asked, &renamed, at);
            prop_assert_eq!(without_duties(&loose), without_duties(&strict));
            prop_assert!(loose.deferred().is_empty());
            if let Decision::Due(due) = &strict {
                prop_assert_eq!(due.deferred.len(), usize::from(due.treatment.as_str() == "clear"));
            }
        }
    }

    /// A stricter guard never lets more people be erased.
    #[test]
    fn a_stricter_guard_never_makes_more_erasable(seed in any::<u64>()) {
        let mut draw = Draw(seed);
        let (loose, tenant) = (draw_lines(&mut draw, false), Lines::default());
        let mut strict = loose.clone();
        let guard = draw.of(&GUARDS[..8]);
        let rule = strict.guards.entry(guard).or_default();
        // The strictness rises from `{ ignore }` to `block sweep` to `block`. A guard that is left out blocks.
        *rule = match *rule { 2 => 1, _ => 3 };
        let (loose, strict) = (checked(&document(&loose, &tenant), &map()), checked(&document(&strict, &tenant), &map()));
        let digests = digests(&loose);
        for _ in 0..60 {
            let Situation { customer, asked, before, at } = draw_situation(&mut draw, &digests);
            let decided = |policy| strictness(&decide(policy, &customer, &asked, &before, at));
            prop_assert!(decided(&strict) <= decided(&loose), "{}", guard);
        }
    }

    /// The lines of one tenant never change a decision about another tenant's customer.
    #[test]
    fn a_tenants_lines_touch_no_other_tenant(seed in any::<u64>()) {
        let mut draw = Draw(seed);
        let (everyone, tenant) = (draw_lines(&mut draw, false), draw_lines(&mut draw, true));
        let with = checked(&document(&everyone, &tenant), &map());
        let without = checked(&document(&everyone, &Lines::default()), &map());
        let digests = digests(&with);
        for _ in 0..60 {
            let Situation { mut customer, asked, before, at } = draw_situation(&mut draw, &digests);
            customer.tenant = "bolt".into();
            prop_assert_eq!(
                decide(&with, &customer, &asked, &before, at),
                decide(&without, &customer, &asked, &before, at)
            );
        }
        prop_assert_eq!(with.effective(&"bolt".into()).digest(), without.everyone().digest());
    }

    /// Ids and gateway ids will be erased, so no decision may depend on them. Names and mail addresses are not facts
    /// at all.
    #[test]
    fn a_decision_never_depends_on_what_is_erased(seed in any::<u64>()) {
        let mut draw = Draw(seed);
        let (everyone, tenant) = (draw_lines(&mut draw, false), draw_lines(&mut draw, true));
        let policy = checked(&document(&everyone, &tenant), &map());
        let digests = digests(&policy);
        for _ in 0..60 {
            let Situation { customer, asked, before, at } = draw_situation(&mut draw, &digests);
            let mut other = customer.clone();
            other.id = "somebody@example.org".into();
            for profile in &mut other.gateway_profiles {
                profile.id = "cus_another".into();
            }
            let (one, two) = (explain(&policy, &customer, &asked, &before, at), explain(&policy, &other, &asked, &before, at));
            prop_assert_eq!(one, two);
        }
    }
}
