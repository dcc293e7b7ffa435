//! The review as an HTML page: which customers a run would erase, what stays and why, what is blocked, and how many
//! customers become due in the coming months.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};

use self::words::Words;
use super::event::{SweepCounts, SweepEvent};
use crate::customer::{DATE, GatewayName, TenantId};
use crate::data_map::{ClassName, FieldName, NotCovered, Period};
use crate::digest::Digest;
use crate::html::{Cell, Html, code, text};
use crate::ledger::uncovered;
use crate::plan::letter::{cited, fill, of_language};
use crate::plan::review::digest_of;
use crate::plan::{Blocked, BlockedBy, Deferred, Plan, is_all_claimed};
use crate::policy::{Dictionary, Guard, Language, Policy, Statute, Trigger};
use crate::treatment::{GatewayAction, KeptFor, RecordAction, Residue, TreatmentName};

mod chart;
mod words;

/// The number of months in the chart.
const MONTHS: u32 = 12;

/// The review of a survey as one self-contained HTML page, for screens and for print. The page has no script and
/// loads nothing. It shows numbers, and names from the policy and the data map. It contains no key of a customer and
/// no personal data.
///
/// ```no_run
/// # async fn page(engine: relinquish::Engine, policy: relinquish::Policy) -> Result<(), Box<dyn std::error::Error>> {
/// use std::io::Write as _;
///
/// use relinquish::engine::{PrivateFile, ReviewPage};
/// use relinquish::policy::Language;
///
/// let (mut page, mut survey) = (ReviewPage::new(), engine.survey_all());
/// while let Some(event) = survey.next().await {
///     page.add(&event?);
/// }
/// if let Some(html) = page.to_html(Language::English, &policy, chrono::Utc::now()) {
///     let mut file = PrivateFile::create("review.html")?;
///     file.write_all(html.as_bytes())?;
///     file.finish()?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// The memory depends on the number of tenants, record classes and duties. For each customer who is due, only the
/// digest of the plan stays in memory.
#[derive(Clone, Debug, Default)]
pub struct ReviewPage {
    /// The counts of the survey. `None` until the survey is complete.
    counts: Option<SweepCounts>,
    plans: Vec<Digest>,
    runs: BTreeMap<Run, RunCounts>,
    deferred: BTreeMap<(ClassName, Laws), DeferredOfClass>,
    kept: BTreeMap<Kept, (Option<Period>, Many)>,
    /// Records that another, remaining customer also owns.
    shared: BTreeMap<ClassName, Many>,
    gateways: BTreeMap<(GatewayName, String), Many>,
    blocked: BTreeMap<Obstacle, u64>,
    unreadable: BTreeMap<String, u64>,
    not_covered: BTreeSet<NotCovered>,
}

/// The key of a group: customers of a tenant who are due for the same reason and with the same result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    tenant: TenantId,
    trigger: Trigger,
    treatment: TreatmentName,
    residue: Residue,
    is_all_claimed: bool,
}

#[derive(Clone, Debug, Default)]
struct RunCounts {
    customers: u64,
    records: u64,
}

/// A number of customers, and the number of their records if the records are counted.
#[derive(Clone, Debug, Default)]
struct Many {
    customers: u64,
    records: u64,
}

/// The duties that keep records: the name, the law, and the code of the statute. Tenants may have different laws for
/// the duty of one name.
type Laws = BTreeSet<(String, String, Option<&'static str>)>;

/// What a treatment keeps: a class or a field, why, and for how long after the erasure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    class: ClassName,
    field: Option<FieldName>,
    reason: String,
    /// In years, months and days. `None`: without an end.
    period: Option<(u32, u32, u32)>,
}

/// What the same duties defer of a class.
#[derive(Clone, Debug, Default)]
struct DeferredOfClass {
    many: Many,
    until: Option<NaiveDate>,
    for_others: bool,
    undated: u64,
}

/// What blocks an erasure, and why. Holds with the same reason count together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Obstacle {
    /// The guard, or `hold` for a hold that is not a guard. `None` for a fact or record that cannot be read.
    name: Option<String>,
    /// The reason in the policy's words. `None` if the page has its own words: the reason of a fact or record may name a key.
    why: Option<String>,
}

impl Obstacle {
    fn of(by: &BlockedBy) -> Self {
        let name = by.guard.as_ref().map(|guard| guard.as_str().to_owned());
        let name = name.or_else(|| by.hold.as_ref().map(|_| "hold".to_owned()));
        let is_known = match &by.guard {
            Some(guard) => guard.why() == by.why && !matches!(guard, Guard::Own(_)),
            None => true,
        };
        Self { name, why: (!is_known).then(|| by.why.clone().into_owned()) }
    }
}

impl ReviewPage {
    /// An empty page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event of a survey. Add every event exactly once and in order.
    ///
    /// If an operator made the plans, set the [planner](Plan::planned_by) in the plans of the events, because the
    /// digest of the review depends on the planner.
    pub fn add(&mut self, event: &SweepEvent) {
        match event {
            SweepEvent::Due(plan) => self.plan(plan),
            SweepEvent::Blocked { blocked, .. } => self.blocked(blocked),
            SweepEvent::Unreadable(unreadable) => {
                for fact in &unreadable.facts {
                    *self.unreadable.entry(fact.clone()).or_default() += 1;
                }
            }
            SweepEvent::Counted(counts) => self.counts = Some((**counts).clone()),
            _ => {}
        }
    }

    fn plan(&mut self, plan: &Plan) {
        self.plans.push(plan.digest());
        let run = Run {
            tenant: plan.tenant().clone(),
            trigger: plan.trigger(),
            treatment: plan.due().treatment.clone(),
            residue: plan.residue(),
            is_all_claimed: is_all_claimed(plan.not_covered()),
        };
        let counts = self.runs.entry(run).or_default();
        counts.customers += 1;
        counts.records = counts.records.saturating_add(plan.tally().due());
        for deferred in plan.deferred() {
            let laws = deferred.duties.iter().map(|by| (by.duty.to_string(), by.law.to_string(), by.statute));
            let key = (deferred.class.clone(), laws.collect());
            self.deferred.entry(key).or_default().add(deferred);
        }
        for what in plan.not_covered() {
            if !self.not_covered.contains(what) {
                self.not_covered.insert(what.clone());
            }
        }
        self.kept(plan);
    }

    /// Adds what the treatment keeps, for each class of which the customer has records.
    fn kept(&mut self, plan: &Plan) {
        let treatment = plan.treatment();
        for (class, treated) in treatment.classes() {
            let rows = plan.tally().classes.get(class).map_or(0, |tally| tally.rows);
            if rows == 0 {
                continue;
            }
            if let RecordAction::Keep { reason } = treated.action() {
                let key = Kept { class: class.clone(), field: None, reason: reason.clone(), period: None };
                self.kept.entry(key).or_default().1.add(rows);
            }
            for (field, reason) in treated.kept() {
                let period = treated.kept_for().get(field).map(KeptFor::period);
                let field = Some(field.clone());
                let parts = period.map(Period::parts);
                let key = Kept { class: class.clone(), field, reason: reason.clone(), period: parts };
                self.kept.entry(key).or_insert((period, Many::default())).1.add(rows);
            }
        }
        for (class, rows) in &plan.tally().others {
            self.shared.entry(class.clone()).or_default().add(*rows);
        }
        for (gateway, action) in treatment.gateways() {
            if let GatewayAction::Keep { reason } = action {
                self.gateways.entry((gateway.clone(), reason.clone())).or_default().add(0);
            }
        }
    }

    fn blocked(&mut self, blocked: &Blocked) {
        let by: BTreeSet<Obstacle> = blocked.by.iter().map(Obstacle::of).collect();
        for obstacle in by {
            *self.blocked.entry(obstacle).or_default() += 1;
        }
    }

    /// The digest of all plans on the page. It is the digest of the [review](crate::plan::review::Review) in which no row is
    /// struck out.
    pub fn digest(&self) -> Digest {
        digest_of(self.plans.iter().copied())
    }

    /// The page. `None` until the survey is complete, because incomplete numbers would be wrong.
    ///
    /// If the policy has words for the language, classes and texts are shown with these words, and the original names
    /// next to them. `at` is the instant of the survey. The chart begins with its month.
    pub fn to_html(&self, language: Language, policy: &Policy, at: DateTime<Utc>) -> Option<String> {
        let counts = self.counts.as_ref()?;
        let (words, names) = (words::of(language), policy.words(language));
        let zone = policy.everyone().time_zone();
        Some(Set { page: self, counts, language, words, names, today: zone.day(at) }.write())
    }
}

impl Many {
    fn add(&mut self, records: u64) {
        self.customers += 1;
        self.records = self.records.saturating_add(records);
    }
}

impl DeferredOfClass {
    fn add(&mut self, deferred: &Deferred) {
        self.many.add(deferred.rows.unwrap_or(0));
        self.until = self.until.max(deferred.until);
        self.for_others |= deferred.for_others;
        let undated = deferred.unreadable.values().copied().max().unwrap_or(0);
        self.undated = self.undated.saturating_add(undated);
    }
}

/// The page in one language.
struct Set<'p> {
    page: &'p ReviewPage,
    counts: &'p SweepCounts,
    language: Language,
    words: &'static Words,
    names: Option<&'p Dictionary>,
    today: NaiveDate,
}

impl Set<'_> {
    fn write(&self) -> String {
        let (words, counts) = (self.words, self.counts);
        let mut page = Html::begin(self.language.as_str(), words.title);
        let html = &mut page;
        html.raw("<header>\n");
        html.within("<h1>", words.title, "</h1>\n");
        html.within("<p class=\"by\">", &self.date(self.today), "</p>\n");
        let parts = [("due", &*self.number(counts.due)), ("customers", &self.number(counts.customers))];
        html.within("<p class=\"outcome\">", &fill(words.would_hit, &parts), "</p>\n");
        html.within("<p class=\"because\">", words.untouched, "</p>\n</header>\n");
        html.section(words.summary, |html| self.summary(html));
        let columns = [words.tenant, words.trigger, words.treatment, words.afterwards];
        let columns = [&columns[..], &[words.customers, words.records]].concat();
        html.table_section(words.runs, &columns, self.runs());
        html.table_section(
            words.tenants,
            &[words.tenant, words.customers, words.due, words.share],
            self.tenants(),
        );
        html.section(words.stays, |html| self.stays(html));
        html.table_section(words.blocked, &[words.by, words.why, words.customers], self.blocked());
        html.table_section(words.unreadable, &[words.fact, words.customers], self.unreadable());
        html.section(words.months, |html| self.months(html));
        if !self.page.not_covered.is_empty() {
            let each = self.page.not_covered.iter();
            let items: Vec<String> = each.map(|what| uncovered(self.language, self.names, what)).collect();
            html.section(words.not_covered, |html| html.items(&items));
        }
        page.end(&fill(words.made_by, &[("version", env!("CARGO_PKG_VERSION"))]))
    }

    fn date(&self, day: NaiveDate) -> String {
        of_language(self.language).date(day)
    }

    /// A number with separators between the thousands.
    fn number(&self, number: u64) -> String {
        let digits = number.to_string();
        let mut apart = String::with_capacity(digits.len() + digits.len() / 3);
        for (n, digit) in digits.chars().enumerate() {
            if n > 0 && (digits.len() - n).is_multiple_of(3) {
                apart.push(self.words.thousands);
            }
            apart.push(digit);
        }
        apart
    }

    fn class(&self, class: &ClassName) -> String {
        Dictionary::class_with_name(self.names, class)
    }

    fn said(&self, text: &str) -> String {
        Dictionary::text_or_own(self.names, text)
    }

    fn summary(&self, html: &mut Html) {
        let (words, counts) = (self.words, self.counts);
        let day = |day: Option<NaiveDate>| day.map(|day| text(self.date(day)));
        let count = |count: u64| Some(text(self.number(count)));
        let seldom = |many: u64| count(many).filter(|_| many > 0);
        let rows = [
            (words.customers, count(counts.customers)),
            (words.due, count(counts.due)),
            (words.oldest, day(counts.oldest)),
            (words.newest, day(counts.newest)),
            (words.not_yet, count(counts.not_yet)),
            (words.nothing, count(counts.nothing)),
            (words.blocked, count(counts.blocked)),
            (words.cannot_be_read, seldom(counts.unreadable)),
            (words.not_surveyed, seldom(counts.unsurveyed)),
            (words.digest, (counts.due > 0).then(|| code(self.page.digest().to_string()))),
        ];
        html.list(rows.into_iter().filter_map(|(name, cell)| Some((name, cell?))).collect());
        if counts.due > 0 {
            html.within("<p>", words.digest_says, "</p>\n");
        }
    }

    fn runs(&self) -> Vec<Vec<Cell>> {
        let each = self.page.runs.iter();
        each.map(|(run, counts)| {
            let mut afterwards = self.words.residue(run.residue).to_owned();
            if !run.is_all_claimed && run.residue != Residue::InPart {
                afterwards = format!("{afterwards} {}", self.words.as_far_as_mapped);
            }
            vec![
                text(run.tenant.as_str()),
                code(run.trigger.as_str()),
                code(run.treatment.as_str()),
                text(afterwards),
                text(self.number(counts.customers)),
                text(self.number(counts.records)),
            ]
        })
        .collect()
    }

    fn tenants(&self) -> Vec<Vec<Cell>> {
        let each = self.counts.tenants.iter();
        each.map(|(tenant, of)| {
            // The share is computed per mille, so that a small share is visible.
            let share = (of.due.saturating_mul(1_000)).checked_div(of.customers).unwrap_or(0);
            let share = match (share, of.due) {
                (0, 1..) => format!("< 0{}1 %", self.words.decimal),
                _ => format!("{}{}{} %", share / 10, self.words.decimal, share % 10),
            };
            vec![
                text(tenant.as_str()),
                text(self.number(of.customers)),
                text(self.number(of.due)),
                text(share),
            ]
        })
        .collect()
    }

    fn stays(&self, html: &mut Html) {
        let words = self.words;
        let mut rows = Vec::new();
        for ((class, laws), deferred) in &self.page.deferred {
            let duties = laws.iter().map(|(duty, law, statute)| {
                let statute = statute.and_then(Statute::find);
                let law = statute.map_or_else(|| self.said(law), |statute| cited(self.language, statute));
                format!("{duty}: {law}")
            });
            let mut why: Vec<String> = duties.collect();
            if deferred.for_others {
                why.push(words.for_others.to_owned());
            }
            if deferred.undated > 0 {
                why.push(fill(words.undated, &[("n", &self.number(deferred.undated))]));
            }
            let until = match deferred.until {
                Some(day) if deferred.undated == 0 => self.date(day),
                Some(day) => format!("{}, {}", self.date(day), words.or_not_known),
                None => words.not_known.to_owned(),
            };
            rows.push(self.staying(self.class(class), Cell::Lines(why), until, &deferred.many));
        }
        for (kept, (period, many)) in &self.page.kept {
            let class = self.class(&kept.class);
            let what = kept.field.as_ref().map_or_else(|| class.clone(), |field| format!("{class}, {field}"));
            let until = period.map_or_else(
                || words.as_policy_says.to_owned(),
                |period| fill(words.after_erasure, &[("period", &of_language(self.language).period(period))]),
            );
            rows.push(self.staying(what, text(self.said(&kept.reason)), until, many));
        }
        for (class, many) in &self.page.shared {
            let until = words.until_all_left.to_owned();
            rows.push(self.staying(self.class(class), text(words.shared), until, many));
        }
        for ((gateway, reason), many) in &self.page.gateways {
            let what = format!("gateway.{gateway}");
            let until = words.as_policy_says.to_owned();
            rows.push(self.staying(what, text(self.said(reason)), until, many));
        }
        if rows.is_empty() {
            html.within("<p>", words.nothing_stays, "</p>\n");
        } else {
            html.table(&[words.what, words.why, words.until, words.customers, words.records], rows);
        }
    }

    fn staying(&self, what: String, why: Cell, until: String, many: &Many) -> Vec<Cell> {
        // Profiles at a gateway are not counted.
        let records = if many.records == 0 { String::new() } else { self.number(many.records) };
        vec![text(what), why, text(until), text(self.number(many.customers)), text(records)]
    }

    fn blocked(&self) -> Vec<Vec<Cell>> {
        let mut each: Vec<_> = self.page.blocked.iter().collect();
        each.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let rows = each.into_iter().map(|(by, count)| {
            let name = by.name.as_deref();
            let why = match &by.why {
                Some(why) => self.said(why),
                None => name
                    .map_or(Some(self.words.to_correct), |name| self.words.guard(name))
                    .unwrap_or_default()
                    .to_owned(),
            };
            let name = name.map_or_else(|| text(self.words.cannot_be_read), code);
            vec![name, text(why), text(self.number(*count))]
        });
        rows.collect()
    }

    fn unreadable(&self) -> Vec<Vec<Cell>> {
        let each = self.page.unreadable.iter();
        let named = |fact: &str| match fact.strip_prefix(DATE) {
            Some(date) => fill(self.words.date_of, &[("what", date)]),
            None => fact.to_owned(),
        };
        each.map(|(fact, count)| vec![code(named(fact)), text(self.number(*count))]).collect()
    }

    /// How many customers become due in each of the coming months. Customers who are already due count for this
    /// month.
    fn months(&self, html: &mut Html) {
        let first = self.today.with_day(1).unwrap_or(self.today);
        let coming = (0..MONTHS).filter_map(|n| first.checked_add_months(Months::new(n)));
        let due_in = |month| self.counts.months.get(&month).copied().unwrap_or_default();
        let months: Vec<(NaiveDate, u64)> = coming
            .map(|month| (month, due_in(month) + if month == first { self.counts.due } else { 0 }))
            .collect();
        let shown: u64 = months.iter().map(|(_, count)| count).sum();
        let later = (self.counts.due + self.counts.not_yet).saturating_sub(shown);
        if shown == 0 {
            html.within("<p>", self.words.months_none, "</p>\n");
        } else {
            chart::bars(html, self, &months);
            let rows = months.iter().filter(|(_, count)| *count > 0);
            let rows = rows.map(|(month, count)| vec![text(self.month(*month)), text(self.number(*count))]);
            html.table(&[self.words.month, self.words.customers], rows.collect());
        }
        if later > 0 {
            html.within("<p>", &fill(self.words.later, &[("n", &self.number(later))]), "</p>\n");
        }
    }

    /// A month with its year.
    fn month(&self, month: NaiveDate) -> String {
        format!("{} {}", self.words.language.month_of(month), month.year())
    }
}
