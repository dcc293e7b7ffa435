//! The deletion concept: which personal data are deleted when, by which rule, and who is responsible.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{After, Effective, Period, Policy, Trigger, TriggerRule};
use crate::anonymise::Strategy;
use crate::customer::TenantId;
use crate::data_map::{ClassName, DataMap, FieldName, Kind, RecordClass};
use crate::treatment::{ClassTreatment, GatewayAction, RecordAction, Treatment};

/// The deletion concept of a policy, in the terms of ISO/IEC 27555:2021 (DIN EN ISO/IEC 27555:2025-09): clusters of
/// personal data, deletion classes, standard periods, start events, latest deletion, owners and implementation.
///
/// It is made from the map and the policy in force, so it says what the engine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concept {
    title: String,
    rows: Vec<ConceptRow>,
}

/// One rule for one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConceptRow {
    /// The cluster of personal data: a record class, the profiles at a gateway (`gateway.stripe`), or what this crate itself
    /// keeps (`suppression list`, `register of requests`).
    pub cluster: String,
    /// The kinds of personal data in it.
    pub personal_data: String,
    /// The deletion class: the rules with the same period and the same kind of start.
    pub deletion_class: String,
    /// The standard period.
    pub period: String,
    /// The event from which the period counts.
    pub start: String,
    /// What is done then; or what a duty, a limit or a kept value demands.
    pub action: String,
    /// The latest deletion: the standard period, or the end of the last duty.
    pub latest: String,
    /// Who is responsible. `None`: the policy names nobody.
    pub owner: Option<String>,
    /// The rule of the policy that does it.
    pub implementation: String,
}

const COLUMNS: [&str; 9] = [
    "cluster",
    "personal data",
    "deletion class",
    "standard period",
    "start event",
    "action",
    "latest deletion",
    "owner",
    "implementation",
];

/// What a rule says, before it has its cluster and its deletion class.
struct Rule {
    period: String,
    start: String,
    action: String,
    latest: String,
    implementation: String,
}

/// A cluster with its rules.
struct Cluster {
    name: String,
    personal_data: String,
    owner: Option<String>,
    rules: Vec<Rule>,
}

impl Concept {
    /// The concept of what is in force for a tenant, or for everyone.
    pub fn of(policy: &Policy, tenant: Option<&TenantId>, map: &DataMap) -> Self {
        let effective = tenant.map_or_else(|| policy.everyone(), |tenant| policy.effective(tenant));
        let title = match (policy.name(), tenant) {
            (Some(name), Some(tenant)) => format!("{name}, tenant {tenant}"),
            (Some(name), None) => name.to_owned(),
            (None, Some(tenant)) => format!("tenant {tenant}"),
            (None, None) => "without a name".to_owned(),
        };
        let mut clusters: Vec<Cluster> = map
            .classes()
            .map(|class| Cluster {
                name: class.name().to_string(),
                personal_data: kinds(class),
                owner: policy.owner(class.name().as_str()).map(str::to_owned),
                rules: InForce { policy, effective, class: class.name() }.rules(),
            })
            .collect();
        clusters.extend(beside_the_records(policy, effective));
        let mut classes: Vec<(String, String)> = Vec::new();
        let mut rows = Vec::new();
        for Cluster { name, personal_data, owner, rules } in clusters {
            for Rule { period, start, action, latest, implementation } in rules {
                let key = (period.clone(), start.clone());
                let known = classes.iter().position(|known| *known == key);
                let n = known.unwrap_or_else(|| {
                    classes.push(key);
                    classes.len() - 1
                });
                rows.push(ConceptRow {
                    cluster: name.clone(),
                    personal_data: personal_data.clone(),
                    deletion_class: format!("C{}", n + 1),
                    period,
                    start,
                    action,
                    latest,
                    owner: owner.clone(),
                    implementation,
                });
            }
        }
        Self { title, rows }
    }

    /// The rows: by cluster, and each rule of the cluster.
    pub fn rows(&self) -> &[ConceptRow] {
        &self.rows
    }

    /// The clusters for which the policy names nobody who is responsible.
    pub fn without_owner(&self) -> impl Iterator<Item = &str> {
        let mut before = None;
        let unowned = self.rows.iter().filter(|row| row.owner.is_none());
        unowned.map(|row| row.cluster.as_str()).filter(move |cluster| {
            let is_new = before != Some(*cluster);
            before = Some(*cluster);
            is_new
        })
    }

    /// The concept as Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# Deletion concept: {}\n\n", cell(&self.title));
        text.push_str(
            "Made from the data map and the policy in force, in the terms of ISO/IEC 27555:2021.\n\n",
        );
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        text.push_str(&line(&COLUMNS.map(str::to_owned)));
        text.push_str(&line(&COLUMNS.map(|_| "---".to_owned())));
        for row in &self.rows {
            text.push_str(&line(&row.cells().map(|text| cell(&text))));
        }
        text
    }

    /// The concept as CSV, with a header.
    pub fn to_csv(&self) -> String {
        let mut text = String::new();
        let mut line = |cells: &[String]| {
            let quoted: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
            text.push_str(&quoted.join(","));
            text.push_str("\r\n");
        };
        line(&COLUMNS.map(str::to_owned));
        for row in &self.rows {
            line(&row.cells());
        }
        text
    }
}

impl ConceptRow {
    fn cells(&self) -> [String; 9] {
        [
            self.cluster.clone(),
            self.personal_data.clone(),
            self.deletion_class.clone(),
            self.period.clone(),
            self.start.clone(),
            self.action.clone(),
            self.latest.clone(),
            self.owner.clone().unwrap_or_else(|| "not named".to_owned()),
            self.implementation.clone(),
        ]
    }
}

/// A text within a cell of a table in Markdown.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|")
}

/// A field of RFC 4180.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn kinds(class: &RecordClass) -> String {
    let mut kinds: Vec<&str> =
        class.fields().iter().filter_map(|field| Some(field.kind()?.as_str())).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
}

/// The rules in force, for one class.
#[derive(Clone, Copy)]
struct InForce<'p> {
    policy: &'p Policy,
    effective: &'p Effective,
    class: &'p ClassName,
}

impl InForce<'_> {
    /// Every rule of the policy that reaches the class. A class that no rule reaches has one row that says so.
    fn rules(self) -> Vec<Rule> {
        let mut rules = self.by_treatment();
        let expiry = self.effective.expiry().filter(|_| self.effective.sweeps());
        if let Some((expiry, rule)) = expiry.zip(self.by_expiry()) {
            rules.push(rule);
            rules.extend(self.fields("expire", expiry.treatment().class(self.class.as_str())));
        }
        rules.extend(self.ownerless());
        if rules.is_empty() {
            rules.push(Rule {
                period: "no end".to_owned(),
                start: "none".to_owned(),
                action: "none".to_owned(),
                latest: "never".to_owned(),
                implementation: "no rule of the policy".to_owned(),
            });
        }
        rules.extend(self.duties());
        rules.extend(self.limits());
        rules
    }

    fn by_treatment(self) -> Vec<Rule> {
        let mut rules = Vec::new();
        let mut seen = BTreeSet::new();
        for (trigger, rule) in self.effective.triggers() {
            if !self.effective.sweeps() && *trigger != Trigger::Requested {
                continue;
            }
            let treatment = self.effective.treatments().get(rule.treatment());
            let treated = treatment.and_then(|treatment| treatment.class(self.class.as_str()));
            let Some(treated) = treated else { continue };
            let is_new = seen.insert(rule.treatment());
            let named = format!("treatments.{}", rule.treatment());
            match treated.action() {
                // Whatever leads to the treatment, these records stay.
                RecordAction::Keep { reason } if is_new => {
                    rules.push(self.stays(format!("keep: {reason}"), named))
                }
                RecordAction::Keep { .. } => {}
                _ => rules.push(self.by_trigger(*trigger, rule, treated)),
            }
            if is_new {
                rules.extend(self.fields(&format!("treatments.{}", rule.treatment()), Some(treated)));
            }
        }
        rules
    }

    fn by_trigger(self, trigger: Trigger, rule: &TriggerRule, treated: &ClassTreatment) -> Rule {
        let period = rule.after().map_or_else(|| AT_ONCE.to_owned(), |after| after.to_string());
        let start = started(trigger, rule);
        let mut latest = self.latest(&period, &start);
        if let Some(tombstone) = treated.tombstone() {
            let needed: Vec<&str> = tombstone.needed_by().iter().map(ClassName::as_str).collect();
            // A `String` takes every write.
            let _ = write!(
                latest,
                "; anonymised, and deleted with the last kept record that needs it: {}",
                needed.join(", ")
            );
        }
        Rule {
            period,
            start,
            action: treated.action().as_str().to_owned(),
            latest,
            implementation: format!("triggers.{trigger}, treatments.{}", rule.treatment()),
        }
    }

    /// What stays until its record expires. If the records do not expire, it has no end, and the concept says so.
    fn stays(self, action: String, named: String) -> Rule {
        let expires =
            self.by_expiry().map(|rule| (rule.period, rule.start, rule.latest, rule.implementation));
        let never = || ("no end".to_owned(), "none".to_owned(), "never".to_owned(), String::new());
        let (period, start, latest, by) = expires.unwrap_or_else(never);
        let implementation = if by.is_empty() { named } else { format!("{named}, then {by}") };
        Rule { period, start, action, latest, implementation }
    }

    /// Personal values that stay in records that are anonymised: for a time, or as long as their record.
    fn fields(self, named: &str, treated: Option<&ClassTreatment>) -> Vec<Rule> {
        let Some(treated) = treated else { return Vec::new() };
        let kept = treated.kept().iter().map(|(field, reason)| {
            let action = format!("keep field {field}: {reason}{}", in_group(treated, field));
            let implementation = format!("{named}, keep.{field}");
            match treated.kept_for().get(field) {
                Some(kept) => {
                    let (period, start) = (kept.period().to_string(), "the erasure".to_owned());
                    let latest = self.latest(&period, &start);
                    Rule { period, start, action, latest, implementation }
                }
                None => self.stays(action, implementation),
            }
        });
        let general = treated.fields().iter().filter_map(|(field, strategy)| {
            let Strategy::Generalise { to, .. } = strategy else { return None };
            let action =
                format!("keep field {field} in general form: {}{}", to.describe(), in_group(treated, field));
            Some(self.stays(action, format!("{named}, {field}")))
        });
        kept.chain(general).collect()
    }

    fn by_expiry(self) -> Option<Rule> {
        let expiry = self.effective.expiry().filter(|_| self.effective.sweeps())?;
        let (period, start) = match expiry.rules().get(self.class)? {
            After::Age { from, period } => (period.to_string(), format!("the date of the record: {from}")),
            After::Duty => (AT_ONCE.to_owned(), "the last duty ends".to_owned()),
        };
        Some(Rule {
            action: action(expiry.treatment(), self.class),
            latest: self.latest(&period, &start),
            implementation: format!("expire.{}", self.class),
            period,
            start,
        })
    }

    /// Records without an owner. With an age, they go when both are true: nobody owns them, and they are old enough.
    fn ownerless(self) -> Option<Rule> {
        let ownerless = self.policy.ownerless().filter(|_| self.effective.sweeps())?;
        let which = ownerless.rules().get(self.class)?;
        let (mut periods, mut starts) = (Vec::new(), vec![format!("the record's owner is {which}")]);
        for after in ownerless.after().get(self.class).into_iter().flatten() {
            match after {
                After::Age { from, period } => {
                    periods.push(period.to_string());
                    starts.push(format!("{period} have passed since the date of the record: {from}"));
                }
                After::Duty => starts.push("the last duty ends".to_owned()),
            }
        }
        let period = if periods.is_empty() { AT_ONCE.to_owned() } else { periods.join(", ") };
        let start = starts.join(", and ");
        Some(Rule {
            action: action(ownerless.treatment(), self.class),
            latest: self.latest(AT_ONCE, &start),
            implementation: format!("expire.{}, ownerless", self.class),
            period,
            start,
        })
    }

    fn duties(self) -> impl Iterator<Item = Rule> {
        self.duties_on_class().map(|duty| {
            let cited = duty.privacy_law().cite(duty.ground());
            Rule {
                period: duty.period().to_string(),
                start: duty.start().describe().to_owned(),
                action: format!("keep, by {}; {cited}", duty.law()),
                latest: "as the other rules of the cluster say".to_owned(),
                implementation: format!("duties.{}", duty.name()),
            }
        })
    }

    fn limits(self) -> impl Iterator<Item = Rule> {
        self.effective.limits().iter().filter(move |limit| limit.classes().contains(self.class)).map(
            |limit| {
                let (period, start) =
                    (limit.at_most().to_string(), format!("the date of the record: {}", limit.from()));
                Rule {
                    latest: format!("{period} after {start}"),
                    period: format!("at most {period}"),
                    start,
                    action: format!("limit, by {}", limit.law()),
                    implementation: format!("limits.{}", limit.name()),
                }
            },
        )
    }

    fn duties_on_class<'s>(self) -> impl Iterator<Item = &'s super::Duty>
    where
        Self: 's,
    {
        self.effective.duties().iter().filter(move |duty| duty.classes().contains_key(self.class))
    }

    /// The latest deletion: the standard period, or the end of the last duty if that is later.
    fn latest(self, period: &str, start: &str) -> String {
        let duties: Vec<String> = self
            .duties_on_class()
            .map(|duty| format!("{} from {}", duty.period(), duty.start().describe()))
            .collect();
        let own = if period == AT_ONCE {
            format!("{AT_ONCE}, when {start}")
        } else {
            format!("{period} after {start}")
        };
        if duties.is_empty() { own } else { format!("{own}; kept records: {}", duties.join("; ")) }
    }
}

const AT_ONCE: &str = "at once";

/// The event from which a trigger counts.
fn started(trigger: Trigger, rule: &TriggerRule) -> String {
    let is_own = trigger.own_date().is_some_and(|own| *rule.since() == [own.to_owned()]);
    let mut start = if rule.since().is_empty() || is_own {
        trigger.as_str().to_owned()
    } else {
        format!("{trigger}: {}", rule.since().join(" or "))
    };
    if let Some(date) = rule.hand_over() {
        // A `String` takes every write.
        let _ = write!(start, ", and the data were handed over: {date}");
    }
    start
}

/// Beside what a value of a smallest group stays.
fn in_group(treated: &ClassTreatment, field: &FieldName) -> String {
    let group = treated.smallest_group().filter(|group| group.fields().contains_key(field));
    group.map_or_else(String::new, |group| {
        format!("; only where {} customers or more share it", group.least())
    })
}

fn action(treatment: &Treatment, class: &ClassName) -> String {
    treatment.class(class.as_str()).map_or("none", |treated| treated.action().as_str()).to_owned()
}

/// Personal data that are no records of the map: profiles at gateways, and what this crate itself keeps.
fn beside_the_records(policy: &Policy, effective: &Effective) -> Vec<Cluster> {
    let owner = policy.owner("default").map(str::to_owned);
    let mut gateways: BTreeMap<&str, Vec<Rule>> = BTreeMap::new();
    for (trigger, rule) in effective.triggers() {
        let is_used = effective.sweeps() || *trigger == Trigger::Requested;
        let treatment = effective.treatments().get(rule.treatment()).filter(|_| is_used);
        for (gateway, done) in treatment.into_iter().flat_map(|treatment| treatment.gateways()) {
            let period = rule.after().map_or_else(|| AT_ONCE.to_owned(), |after| after.to_string());
            let start = started(*trigger, rule);
            let (action, latest) = match done {
                GatewayAction::Erase if period == AT_ONCE => {
                    ("erase".to_owned(), format!("{AT_ONCE}, when {start}"))
                }
                GatewayAction::Erase => ("erase".to_owned(), format!("{period} after {start}")),
                GatewayAction::Keep { reason } => (format!("keep: {reason}"), "never".to_owned()),
            };
            let implementation =
                format!("triggers.{trigger}, treatments.{}.gateway.{gateway}", rule.treatment());
            let rule = Rule { period, start, action, latest, implementation };
            gateways.entry(gateway.as_str()).or_default().push(rule);
        }
    }
    let mut clusters: Vec<Cluster> = gateways
        .into_iter()
        .map(|(gateway, rules)| Cluster {
            name: format!("gateway.{gateway}"),
            personal_data: "payment_profile".to_owned(),
            owner: owner.clone(),
            rules,
        })
        .collect();
    let mut of_crate =
        |name: &str, personal_data: String, period: Period, start: &str, latest: String, by: &str| {
            clusters.push(Cluster {
                name: name.to_owned(),
                personal_data,
                owner: owner.clone(),
                rules: vec![Rule {
                    period: period.to_string(),
                    start: start.to_owned(),
                    action: "delete".to_owned(),
                    latest,
                    implementation: by.to_owned(),
                }],
            });
        };
    if let Some(rule) = effective.suppression() {
        let kinds: Vec<&str> = rule.kinds().iter().map(Kind::as_str).collect();
        let latest = format!("the end of the calendar year {} after the erasure", rule.period());
        of_crate("suppression list", kinds.join(", "), rule.period(), "the erasure", latest, "suppress");
    }
    if let Some(period) = policy.requests_kept() {
        let latest = format!("{period} after the request ended");
        let what = "pseudonymous token".to_owned();
        of_crate("register of requests", what, period, "the request ended", latest, "requests_kept");
    }
    clusters
}
