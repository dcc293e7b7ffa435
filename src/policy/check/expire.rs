//! Checks the rules of `expire` against the data map: each record has a date, and no record stays that needs an
//! expired record.
//!
//! An age is checked like a duty: both keep a record until a day. So the rules for duties apply: where
//! the date is, which records stay together, and what happens to an expired record that another record still needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::duties::{self, check_date};
use super::{check_references, compile_classes, keep, not_covered, triggers};
use crate::anonymise::{Strategies, Strategy};
use crate::data_map::{ClassName, DataMap, Link, RecordClass};
use crate::document::{Reader, join, suggest};
use crate::policy::document::{ClassRule, PolicyDocument, Rules, TreatmentRule};
use crate::policy::keeper::{Age, keepers};
use crate::policy::{After, Duty, Expiry, OwnerlessExpiry};
use crate::treatment::{
    ClassTreatment, DOES_NOT_EXPIRE, EXPIRE, OnLeftover, Ownerless, RecordAction, Treatment,
};

/// The reason code under which the classes are kept that do not expire.
const STAYS: &str = DOES_NOT_EXPIRE;
const TABLE: &str = EXPIRE;

/// Compiles the records that expire by age or when their last duty ends, for one tenant or for everyone.
pub(super) fn compile_expiry(
    reader: &mut Reader,
    rules: &Rules,
    map: &DataMap,
    strategies: &Strategies,
) -> Option<Expiry> {
    check_classes(reader, rules, map);
    check_copies(reader, rules, map);
    let expiring: BTreeMap<&ClassName, (&After, &ClassRule)> = rules
        .expire
        .iter()
        .filter_map(|(name, rule)| Some((name, (rule.after.as_ref()?, &rule.class))))
        .collect();
    if expiring.is_empty() {
        return None;
    }
    for (name, (after, _)) in &expiring {
        check_after(reader, rules, name, after, map);
    }
    let ages = ages(expiring.iter().map(|(name, (after, _))| (*name, *after)));
    let rule = treatment_rule(map, &expiring.iter().map(|(name, (_, rule))| (*name, *rule)).collect());
    let treatment = compile(reader, (rules, strategies), &ages, &rule, map);
    Some(Expiry {
        rules: expiring.into_iter().map(|(name, (after, _))| (name.clone(), after.clone())).collect(),
        treatment: Arc::new(treatment),
        ages,
    })
}

/// The ages that records have to reach.
fn ages<'r>(rules: impl Iterator<Item = (&'r ClassName, &'r After)>) -> Vec<Age> {
    let mut ages = BTreeMap::new();
    for (name, after) in rules {
        if let After::Age { from, period } = after {
            // Records with the same date field and the same period share one age.
            let key = format!("{period} after {from}");
            let age = ages.entry(key).or_insert_with(|| Age { classes: BTreeMap::new(), period: *period });
            age.classes.insert(name.clone(), from.clone());
        }
    }
    ages.into_values().collect()
}

/// The rule for ownerless records of a class.
struct OwnerlessRule {
    which: Ownerless,
    /// Whether the rule is implied by the class's age or duty, and not written in the policy.
    is_implied: bool,
    after: Option<After>,
    class: ClassRule,
}

impl OwnerlessRule {
    /// Records whose customer is found by a value may have no customer: guests never had one, and the value of an
    /// erased customer leads to nobody. No tenant reaches such records. So the class's rule for age or duty applies
    /// to them here. A store beside the root store cannot tell who has no customer; plan and certificate say so.
    fn of(rules: &Rules, name: &ClassName, map: &DataMap) -> Option<Self> {
        let rule = rules.expire.get(name)?;
        let implied = || {
            let is_beside = map.class(name.as_str()).is_some_and(|class| class.store().is_some());
            (rule.after.is_some() && !is_beside && is_by_value(map, name, &mut BTreeSet::new()))
                .then_some(Ownerless::GoneOrNone)
        };
        Some(Self {
            which: rule.ownerless.or_else(implied)?,
            is_implied: rule.ownerless.is_none(),
            after: rule.after.clone(),
            class: rule.class.clone(),
        })
    }
}

/// Whether records of a class may find their customer by a value, or hang from records that do.
pub(super) fn is_by_value<'m>(
    map: &'m DataMap,
    name: &'m ClassName,
    seen: &mut BTreeSet<&'m ClassName>,
) -> bool {
    let Some(class) = map.class(name.as_str()).filter(|_| seen.insert(name)) else { return false };
    let mut owners = class.links().iter().filter(|link| link.is_owner());
    owners.any(|link| link.is_by_value() || is_by_value(map, link.to(), seen))
}

/// Compiles the records that expire because their owner is gone. Nobody can say which tenant's they were. So all
/// tenants have the same rules, and every tenant's duties apply.
pub(super) fn compile_ownerless(
    reader: &mut Reader,
    document: &PolicyDocument,
    map: &DataMap,
    strategies: &Strategies,
) -> Option<OwnerlessExpiry> {
    let of = |rules: &Rules, name: &ClassName| OwnerlessRule::of(rules, name, map);
    for (tenant, entry) in &document.tenants {
        let own = entry.own.get(TABLE).and_then(|own| own.as_object());
        for name in own.into_iter().flat_map(|own| own.keys()) {
            let class = ClassName::from(name.as_str());
            let (theirs, ours) = (of(&entry.rules, &class), of(&document.rules, &class));
            let what =
                |rule: &Option<OwnerlessRule>| rule.as_ref().map(|rule| (rule.which, rule.class.clone()));
            if what(&theirs) != what(&ours) {
                let is_said =
                    |rule: &Option<OwnerlessRule>| rule.as_ref().is_some_and(|rule| !rule.is_implied);
                let which = if is_said(&theirs) || is_said(&ours) {
                    "records without an owner"
                } else {
                    "records that are found by a value, which may have no customer"
                };
                reader.problem(
                    join(&join("tenants", tenant.as_str()), &join(TABLE, name)),
                    format!("says something else of {which}, and nobody can tell whose tenant's they were"),
                    "say it once, for everyone; the tenant's own line has to repeat it, with the same action",
                );
            }
        }
    }
    let expiring: BTreeMap<ClassName, OwnerlessRule> = document
        .rules
        .expire
        .keys()
        .filter_map(|name| Some((name.clone(), of(&document.rules, name)?)))
        .collect();
    if expiring.is_empty() {
        return None;
    }
    check_alike(reader, &expiring, map);
    let mut rules = document.rules.clone();
    for (tenant, entry) in &document.tenants {
        rules.duties.extend(
            entry.rules.duties.iter().filter(|duty| !document.rules.duties.contains(duty)).map(|duty| Duty {
                name: format!("{} of tenant {tenant}", duty.name).into(),
                ..duty.clone()
            }),
        );
    }
    // The record may belong to any tenant, so it has to reach the age of each tenant.
    let mut after: BTreeMap<ClassName, Vec<After>> = BTreeMap::new();
    let of_tenants = document.tenants.values().map(|entry| &entry.rules);
    for known in std::iter::once(&document.rules).chain(of_tenants) {
        for name in expiring.keys() {
            let said = of(known, name).and_then(|rule| rule.after);
            let list = after.entry(name.clone()).or_default();
            list.extend(said.filter(|after| !list.contains(after)));
        }
    }
    let each = after.iter().flat_map(|(name, list)| list.iter().map(move |after| (name, after)));
    let ages = ages(each);
    let rule = treatment_rule(map, &expiring.iter().map(|(name, rule)| (name, &rule.class)).collect());
    let treatment = compile(reader, (&rules, strategies), &ages, &rule, map);
    let implied = expiring.iter().filter(|(_, rule)| rule.is_implied).map(|(name, _)| name.clone()).collect();
    let rules = expiring.into_iter().map(|(name, rule)| (name, rule.which)).collect();
    Some(OwnerlessExpiry { rules, implied, after, treatment: Arc::new(treatment), ages })
}

/// Checks that a class and the class from which its records hang have the same rule for ownerless records. Otherwise
/// one record would be deleted, and the other would reference nothing.
fn check_alike(reader: &mut Reader, expiring: &BTreeMap<ClassName, OwnerlessRule>, map: &DataMap) {
    for (name, rule) in expiring {
        let above = map.class(name.as_str()).into_iter().flat_map(RecordClass::hangs_from);
        for to in above.map(Link::to) {
            if expiring.get(to).is_some_and(|other| other.which != rule.which) {
                reader.problem(
                    join(&join(TABLE, name.as_str()), "ownerless"),
                    format!("is not what {to} says, from which its records hang"),
                    "write the same for both",
                );
            }
        }
    }
}

/// Checks that a class to which a trigger copies deleted records expires, too.
fn check_copies(reader: &mut Reader, rules: &Rules, map: &DataMap) {
    let holds_personal = |class: &RecordClass| class.fields().iter().any(|field| field.kind().is_some());
    for name in rules.expire.keys() {
        let copies = map.class(name.as_str()).into_iter().flat_map(RecordClass::copies);
        let copies = copies.filter(|copy| !rules.expire.contains_key(*copy));
        for copy in copies.filter(|copy| map.class(copy.as_str()).is_some_and(holds_personal)) {
            reader.problem(
                join(TABLE, name.as_str()),
                format!("goes, and a trigger writes to {copy} as it goes, whose records do not expire"),
                format!("let {copy} expire too, or take the trigger out of the database"),
            );
        }
    }
}

/// Checks that the records of each class can expire.
fn check_classes(reader: &mut Reader, rules: &Rules, map: &DataMap) {
    let shared = map.shared_classes();
    for (name, rule) in &rules.expire {
        let path = join(TABLE, name.as_str());
        let Some(class) = map.class(name.as_str()) else {
            let known: Vec<&str> = map.classes().map(|class| class.name().as_str()).collect();
            reader.problem(path, "is no record class of the data map", suggest(name.as_str(), known));
            continue;
        };
        if name == map.root() {
            reader.problem(
                path,
                "is the customers' own record, which goes by a trigger and never by itself",
                "write a trigger, such as triggers.inactive",
            );
        } else if shared.contains(name) {
            reader.problem(
                path,
                "is shared by several customers, and goes with the last of them",
                "leave it to the treatments",
            );
        } else if let (RecordAction::Delete, Some(link)) =
            (&rule.class.action, class.links().iter().find(|link| link.is_holding()))
        {
            reader.problem(
                path,
                format!("cannot be deleted: {} is shared through it, and would be nobody's then", link.to()),
                "anonymise it, and leave the rest to the treatments",
            );
        }
    }
}

fn check_after(reader: &mut Reader, rules: &Rules, name: &ClassName, after: &After, map: &DataMap) {
    let Some(class) = map.class(name.as_str()) else { return };
    let path = join(TABLE, name.as_str());
    match after {
        After::Age { from, .. } => check_date(reader, || join(&path, "from"), class, from, map),
        After::Duty if !rules.duties.iter().any(|duty| duty.classes().contains_key(name)) => reader.problem(
            join(&path, "after"),
            "has no duty whose end it could wait for",
            format!("name {name} in a duty, or write a period and from"),
        ),
        After::Duty => {}
    }
}

/// The treatment in which the given classes expire and all other classes stay as they are.
fn treatment_rule(map: &DataMap, expiring: &BTreeMap<&ClassName, &ClassRule>) -> TreatmentRule {
    let stays = || ClassRule::plain(RecordAction::Keep { reason: STAYS.to_owned() });
    let classes = map.classes().map(RecordClass::name).chain(expiring.keys().copied());
    let rule = |name: &ClassName| expiring.get(name).map_or_else(stays, |rule| (*rule).clone());
    TreatmentRule {
        classes: classes.map(|name| (name.clone(), rule(name))).collect(),
        gateways: BTreeMap::new(),
        recipients: BTreeMap::new(),
        mentions: BTreeMap::new(),
    }
}

/// Refuses redaction. Records expire whoever they belong to. Among them are records of customers who were anonymised
/// long ago, and records that were handed over. So nobody is known for whom a text could be searched.
fn check_searches(reader: &mut Reader, classes: &BTreeMap<ClassName, ClassTreatment>) {
    for (name, class) in classes {
        let searched = class.strategies().filter(|(_, strategy)| matches!(strategy, Strategy::Redact { .. }));
        for (field, _) in searched {
            reader.problem(
                join(&join(TABLE, name.as_str()), field.as_str()),
                "cannot be searched when it expires: whose it is may not be known any more",
                format!("write fields = {{ {field} = \"remove\" }}, or delete the records"),
            );
        }
    }
}

fn compile(
    reader: &mut Reader,
    rules: (&Rules, &Strategies),
    ages: &[Age],
    rule: &TreatmentRule,
    map: &DataMap,
) -> Treatment {
    // Problems of the class itself were reported already.
    let mut known = rule.clone();
    known.classes.retain(|name, _| map.class(name.as_str()).is_some());
    let mut classes = compile_classes(reader, TABLE, rules, &known, map);
    let keepers = keepers(&rules.0.duties, ages);
    duties::put_under_duty(&mut classes, &keepers, rules.0.time_zone, map);
    duties::put_tombstones(reader, TABLE, rules, &keepers, &mut classes, map);
    duties::check_dates_stay(reader, TABLE, &classes);
    check_references(reader, TABLE, &known, map);
    triggers::check_table_triggers(reader, TABLE, &classes, map);
    check_searches(reader, &classes);
    keep::check_expiring(reader, TABLE, &classes);
    Treatment {
        name: TABLE.into(),
        root: map.root().clone(),
        classes,
        gateways: BTreeMap::new(),
        recipients: BTreeMap::new(),
        mentions: BTreeMap::new(),
        links: Vec::new(),
        not_covered: not_covered(map),
        expiry: true,
        time_zone: rules.0.time_zone,
        on_leftover: OnLeftover::List,
        other_signs: Arc::default(),
    }
}
