//! The deletion concept: which personal data are deleted when, by which rule, and who is responsible.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{After, Effective, Expiry, Policy, Trigger, TriggerRule};
use crate::customer::TenantId;
use crate::data_map::{ClassName, DataMap, RecordClass};
use crate::treatment::{ClassTreatment, RecordAction, Treatment};

/// The deletion concept of a policy, in the terms of ISO/IEC 27555:2021 (DIN EN ISO/IEC 27555:2025-09): clusters of
/// personal data, deletion classes, standard periods, start events, latest deletion, owners and implementation.
///
/// It is made from the map and the policy in force, so it says what the engine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concept {
    title: String,
    rows: Vec<ConceptRow>,
    laws: Vec<String>,
}

/// One rule for one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConceptRow {
    /// The cluster of personal data: the record class.
    pub cluster: ClassName,
    /// The kinds of personal data in it.
    pub personal_data: String,
    /// The deletion class: the rules with the same period and the same kind of start.
    pub deletion_class: String,
    /// The standard period.
    pub period: String,
    /// The event from which the period counts.
    pub start: String,
    /// What is done then.
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

/// What a rule says, before it has its deletion class.
struct Rule {
    period: String,
    start: String,
    action: String,
    implementation: String,
    /// Whether duties put the deletion off.
    waits: bool,
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
        let mut classes: Vec<(String, String)> = Vec::new();
        let mut rows = Vec::new();
        for class in map.classes() {
            for rule in rules(policy, effective, class) {
                let key = (rule.period.clone(), rule.start.clone());
                let known = classes.iter().position(|known| *known == key);
                let n = known.unwrap_or_else(|| {
                    classes.push(key);
                    classes.len() - 1
                });
                rows.push(ConceptRow {
                    cluster: class.name().clone(),
                    personal_data: kinds(class),
                    deletion_class: format!("C{}", n + 1),
                    latest: latest(effective, class.name(), &rule),
                    period: rule.period,
                    start: rule.start,
                    action: rule.action,
                    owner: policy.owner(class.name().as_str()).map(str::to_owned),
                    implementation: rule.implementation,
                });
            }
        }
        let laws = effective.duties().iter().map(ToString::to_string);
        let limits = effective.limits().iter().map(ToString::to_string);
        Self { title, rows, laws: laws.chain(limits).collect() }
    }

    /// The rows: by cluster, and each rule of the cluster.
    pub fn rows(&self) -> &[ConceptRow] {
        &self.rows
    }

    /// The clusters for which the policy names nobody who is responsible.
    pub fn without_owner(&self) -> impl Iterator<Item = &ClassName> {
        let mut before = None;
        self.rows.iter().filter(|row| row.owner.is_none()).map(|row| &row.cluster).filter(move |cluster| {
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
        if !self.laws.is_empty() {
            text.push_str("\nDuties and limits:\n\n");
            for law in &self.laws {
                // A `String` takes every write.
                let _ = writeln!(text, "* {}", cell(law));
            }
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
            self.cluster.to_string(),
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

/// Every rule of the policy that reaches a class.
fn rules(policy: &Policy, effective: &Effective, class: &RecordClass) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut seen = BTreeSet::new();
    for (trigger, rule) in effective.triggers() {
        if !effective.sweeps() && *trigger != Trigger::Requested {
            continue;
        }
        let treated =
            effective.treatments().get(rule.treatment()).and_then(|t| t.class(class.name().as_str()));
        let Some(treated) = treated else { continue };
        let is_new = seen.insert(rule.treatment());
        match treated.action() {
            // Whatever leads to the treatment, these records stay.
            RecordAction::Keep { reason } if is_new => rules.push(kept(rule, reason)),
            RecordAction::Keep { .. } => {}
            _ => rules.push(by_trigger(*trigger, rule, treated)),
        }
        if is_new {
            rules.extend(fields(rule.treatment().as_str(), treated));
        }
    }
    if let Some(expiry) = effective.expiry().filter(|_| effective.sweeps()) {
        rules.extend(by_age(expiry, class.name()));
    }
    if let Some(ownerless) = policy.ownerless().filter(|_| effective.sweeps())
        && let Some(which) = ownerless.rules().get(class.name())
    {
        rules.push(Rule {
            period: "at once".to_owned(),
            start: format!("the record's owner is {}", which.as_str()),
            action: action(Some(ownerless.treatment()), class.name()),
            implementation: format!("expire.{}, ownerless", class.name()),
            waits: true,
        });
    }
    rules
}

fn by_trigger(trigger: Trigger, rule: &TriggerRule, treated: &ClassTreatment) -> Rule {
    let is_own = trigger.own_date().is_some_and(|own| *rule.since() == [own.to_owned()]);
    let start = if rule.since().is_empty() || is_own {
        trigger.as_str().to_owned()
    } else {
        format!("{trigger}: {}", rule.since().join(" or "))
    };
    Rule {
        period: rule.after().map_or_else(|| "at once".to_owned(), |after| after.to_string()),
        start,
        action: treated.action().as_str().to_owned(),
        implementation: format!("triggers.{trigger}, treatments.{}", rule.treatment()),
        waits: true,
    }
}

/// Records that a treatment keeps. They have no end, and the concept says so.
fn kept(rule: &TriggerRule, reason: &str) -> Rule {
    Rule {
        period: "no end".to_owned(),
        start: "none".to_owned(),
        action: format!("keep: {reason}"),
        implementation: format!("treatments.{}", rule.treatment()),
        waits: false,
    }
}

/// Personal fields that stay in records that are anonymised: for a time, or as long as their record.
fn fields(treatment: &str, treated: &ClassTreatment) -> Vec<Rule> {
    let kept = treated.kept().iter().map(|(field, reason)| Rule {
        period: match treated.kept_for().get(field) {
            Some(kept) => kept.period().to_string(),
            None => "no end".to_owned(),
        },
        start: if treated.kept_for().contains_key(field) { "the erasure" } else { "none" }.to_owned(),
        action: format!("keep field {field}: {reason}"),
        implementation: format!("treatments.{treatment}, keep.{field}"),
        waits: treated.kept_for().contains_key(field),
    });
    kept.collect()
}

fn by_age(expiry: &Expiry, class: &ClassName) -> Option<Rule> {
    let after = expiry.rules().get(class)?;
    let (period, start) = match after {
        After::Age { from, period } => (period.to_string(), format!("the date of the record: {from}")),
        After::Duty => ("at once".to_owned(), "the last duty ends".to_owned()),
    };
    Some(Rule {
        period,
        start,
        action: action(Some(expiry.treatment()), class),
        implementation: format!("expire.{class}"),
        waits: true,
    })
}

fn action(treatment: Option<&std::sync::Arc<Treatment>>, class: &ClassName) -> String {
    let treated = treatment.and_then(|treatment| treatment.class(class.as_str()));
    treated.map_or("none", |treated| treated.action().as_str()).to_owned()
}

/// The latest deletion: the standard period, or the end of the last duty if that is later.
fn latest(policy: &Effective, class: &ClassName, rule: &Rule) -> String {
    if !rule.waits {
        return "never".to_owned();
    }
    let duties = policy.duties().iter().filter(|duty| duty.classes().contains_key(class));
    let duties: Vec<String> =
        duties.map(|duty| format!("{} from {}", duty.period(), duty.start().describe())).collect();
    let own = if rule.period == "at once" {
        format!("at once, when {}", rule.start)
    } else {
        format!("{} after {}", rule.period, rule.start)
    };
    if duties.is_empty() { own } else { format!("{own}; kept records: {}", duties.join("; ")) }
}
