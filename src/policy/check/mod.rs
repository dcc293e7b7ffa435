//! Holding a policy against a data map: every impossible line, all at once, before anything runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value as Json;

use super::document::{ClassRule, FieldRule, PolicyDocument, Rules, TreatmentRule, own_path};
use super::{
    ClassTreatment, Effective, Guard, GuardRule, Policy, RecordAction, Treatment, Trigger, effective,
};
use crate::anonymise::{Strategies, Strategy};
use crate::customer::TenantId;
use crate::data_map::{
    ClassName, DataMap, DeactivationSupport, Fact, Field, FieldName, Kind, LetGo, Link, LinkRole,
    RecordClass, Role, StateName, Unclaimed, WhenGone,
};
use crate::digest::Digest;
use crate::document::{Problems, Reader, join, key, suggest};

mod duties;
mod expire;
mod field;
mod group;
mod reading;
mod triggers;

use field::{Impossible, Resolved, resolve};

pub(super) fn check(
    document: &PolicyDocument,
    map: &DataMap,
    strategies: &Strategies,
) -> Result<Policy, Problems> {
    let mut reader = Reader::default();
    for name in strategies.twice() {
        reader.problem(
            format!("strategy {name}"),
            "is the name of two strategies",
            "give one of them another name",
        );
    }
    let everyone = compile(&mut reader, &document.rules, None, map, strategies);
    let everyone_wrong = reader.problems().to_vec();
    let mut tenants = HashMap::new();
    for (tenant, entry) in &document.tenants {
        let mut merged = Reader::default();
        let mut effective = compile(&mut merged, &entry.rules, Some((tenant, &entry.own)), map, strategies);
        for problem in merged.into_problems() {
            let own = own_path(tenant.as_str(), &entry.own, &problem.path);
            if own.is_none() && everyone_wrong.contains(&problem) {
                continue;
            }
            let path = own.unwrap_or_else(|| format!("{} (for tenant {tenant})", problem.path));
            reader.problem(path, problem.what, problem.way_out);
        }
        // What a tenant does not change is not held twice.
        for (name, treatment) in &mut effective.treatments {
            if let Some(same) = everyone.treatments.get(name).filter(|other| *other == treatment) {
                *treatment = Arc::clone(same);
            }
        }
        tenants.insert(tenant.clone(), Arc::new(effective));
    }
    let mut beside = Reader::default();
    let ownerless = expire::compile_ownerless(&mut beside, document, map, strategies);
    for problem in beside.into_problems() {
        // A class that expires by its age as well says the same of its fields.
        if !reader.problems().contains(&problem) {
            reader.problem(problem.path, problem.what, problem.way_out);
        }
    }
    reader.finish()?;
    Ok(Policy {
        name: document.name.clone(),
        ownerless,
        everyone: Arc::new(everyone),
        tenants,
        digest: document.digest,
        map_digest: map.digest(),
    })
}

/// What is in force, as far as it is possible; what is not is a problem.
fn compile(
    reader: &mut Reader,
    rules: &Rules,
    own: Option<(&TenantId, &Json)>,
    map: &DataMap,
    strategies: &Strategies,
) -> Effective {
    check_strategies(reader, rules, strategies);
    check_triggers(reader, rules, map);
    let guards = check_guards(reader, rules, map);
    duties::check_duties(reader, rules, map);
    let mut treatments = BTreeMap::new();
    for (name, rule) in &rules.treatments {
        let path = join("treatments", name.as_str());
        let mut classes = compile_classes(reader, &path, (rules, strategies), rule, map);
        duties::put_under_duty(&mut classes, rules, map);
        duties::put_tombstones(reader, &path, (rules, strategies), &mut classes, map);
        duties::check_dates_stay(reader, &path, &classes);
        reading::put_after_duty(reader, &path, (rules, strategies), rule, &mut classes, map);
        check_signs(reader, &path, &classes, map);
        check_values(reader, &path, &classes, rules, map);
        check_gateways(reader, &path, rule, map);
        check_references(reader, &path, rule, map);
        triggers::check_table_triggers(reader, &path, &classes, map);
        let treatment = Treatment {
            name: name.clone(),
            root: map.root().clone(),
            classes,
            gateways: rule.gateways.clone(),
            links: Vec::new(),
            not_covered: not_covered(map),
        }
        .with_links(map);
        treatments.insert(name.clone(), Arc::new(treatment));
    }
    let expiry = expire::compile_expiry(reader, rules, map, strategies);
    Effective {
        expiry,
        tenant: own.map(|(tenant, _)| tenant.clone()),
        sweep: rules.sweep,
        time_zone: rules.time_zone,
        triggers: rules.triggers.clone(),
        guards,
        duties: rules.duties.clone(),
        fiscal_year_ends: rules.fiscal_year_ends,
        digests: treatments.iter().map(|(name, t)| (name.clone(), t.digest())).collect(),
        treatments,
        digest: Digest::of(&rules.json),
        lines: effective::lines(&rules.json, own),
    }
}

/// Strategies that the host does not have, each where the policy names it.
fn check_strategies(reader: &mut Reader, rules: &Rules, strategies: &Strategies) {
    let mut look = |path: String, rule: &FieldRule| {
        if let FieldRule::Own(name) = rule
            && strategies.get(name).is_none()
        {
            let way_out = if strategies.names().next().is_none() {
                "give the program's own strategies to EngineBuilder::strategies, or to check_with".to_owned()
            } else {
                suggest(name, strategies.names())
            };
            reader.problem(
                join(&path, "own"),
                format!("{name} is no strategy that this program has"),
                way_out,
            );
        }
    };
    for (kind, rule) in &rules.anonymise {
        look(join("anonymise", kind.as_str()), rule);
    }
    let treated = rules.treatments.iter().flat_map(|(name, treatment)| {
        let path = join("treatments", name.as_str());
        treatment.classes.iter().map(move |(class, rule)| (join(&path, class.as_str()), rule))
    });
    let expiring = rules.expire.iter().map(|(class, rule)| (join("expire", class.as_str()), &rule.class));
    for (path, rule) in treated.chain(expiring) {
        let path = join(&path, "fields");
        for (field, rule) in &rule.fields {
            look(join(&path, field), rule);
        }
    }
}

/// What no treatment of this release reaches, whatever the policy says: certificates repeat it.
fn not_covered(map: &DataMap) -> Vec<String> {
    let mut list: Vec<String> = map
        .ignored()
        .iter()
        .map(|(what, reason)| format!("{what}, ignored by the data map: {reason}"))
        .collect();
    list.extend(
        [
            "mentions of the person in fields that stay, or in records of others",
            "databases, documents, logs and search indexes outside this store",
            "backup copies, until they age out",
        ]
        .map(str::to_owned),
    );
    list
}

fn check_triggers(reader: &mut Reader, rules: &Rules, map: &DataMap) {
    for (trigger, rule) in &rules.triggers {
        let path = join("triggers", trigger.as_str());
        if !rules.treatments.contains_key(&rule.treatment) {
            reader.problem(
                join(&path, "treatment"),
                format!("{} is no treatment", rule.treatment),
                suggest(rule.treatment.as_str(), rules.treatments.keys().map(super::TreatmentName::as_str)),
            );
        }
        if matches!(trigger, Trigger::Cancelled | Trigger::Deleted) && !map.knows(Fact::Status) {
            reader.problem(
                &path,
                "nothing tells the status of a customer",
                "say in the data map where the status comes from, or leave the trigger out",
            );
        }
        let since = rule.since.iter().map(|date| ("since", date));
        let dates = since.chain(rule.hand_over.iter().map(|date| ("hand_over", date)));
        for (key, date) in dates.filter(|(_, date)| !map.dates().contains(*date)) {
            reader.problem(
                join(&path, key),
                format!("nothing tells the date {date}"),
                format!(
                    "name it in the data map's dates; {}",
                    suggest(date, map.dates().iter().map(String::as_str))
                ),
            );
        }
    }
}

/// The guards that are looked at: the basic ones, those that the policy names, and those whose fact somebody tells.
fn check_guards(reader: &mut Reader, rules: &Rules, map: &DataMap) -> Vec<(Guard, GuardRule)> {
    let own = rules.guards.keys().filter(|guard| matches!(guard, Guard::Own(_)));
    let all: Vec<Guard> = Guard::ALL.iter().chain(own).cloned().collect();
    let mut looked_at = Vec::new();
    for guard in all {
        let rule = rules.guards.get(&guard);
        let told = guard.is_told(map);
        let path = join("guards", guard.as_str());
        if let (Guard::Own(state), false) = (&guard, told) {
            let guards = Guard::ALL.map(|guard| guard.to_string());
            let states = map.states().iter().map(StateName::as_str);
            let known: Vec<&str> = guards.iter().map(String::as_str).chain(states).collect();
            reader.problem(path, "is no guard, and no state of the data map", suggest(state.as_str(), known));
            continue;
        }
        let blocks = !matches!(rule, Some(GuardRule::Ignore { .. }));
        let speaks = rule.is_some() || Guard::BASIC.contains(&guard);
        if blocks && speaks && !told {
            reader.problem(
                &path,
                "blocks, but nothing in the data map tells this fact",
                "say in the data map where it comes from, or write { ignore = \"reason\" }",
            );
        } else if blocks
            && guard == Guard::NotArchived
            && matches!(map.deactivation(), DeactivationSupport::None { .. })
        {
            reader.problem(
                &path,
                "blocks, but the data map says that customers cannot be deactivated",
                "write { ignore = \"reason\" }, or say what deactivated is written as",
            );
        }
        if speaks || told {
            looked_at.push((guard, rule.cloned().unwrap_or(GuardRule::Block)));
        }
    }
    looked_at
}

fn check_gateways(reader: &mut Reader, path: &str, rule: &TreatmentRule, map: &DataMap) {
    let path = join(path, "gateway");
    for gateway in rule.gateways.keys().filter(|gateway| !map.gateways().contains(*gateway)) {
        reader.problem(
            join(&path, gateway.as_str()),
            "is no gateway of the data map",
            suggest(gateway.as_str(), map.gateways().iter().map(crate::GatewayName::as_str)),
        );
    }
    for gateway in map.gateways().iter().filter(|gateway| !rule.gateways.contains_key(*gateway)) {
        reader.problem(
            join(&path, gateway.as_str()),
            "is not covered",
            "write \"erase\" or { keep = \"reason\" }",
        );
    }
}

fn compile_classes(
    reader: &mut Reader,
    path: &str,
    rules: (&Rules, &Strategies),
    treatment: &TreatmentRule,
    map: &DataMap,
) -> BTreeMap<ClassName, ClassTreatment> {
    for name in treatment.classes.keys().filter(|name| map.class(name.as_str()).is_none()) {
        let known: BTreeSet<&str> = map.classes().map(|class| class.name().as_str()).collect();
        reader.problem(
            join(path, name.as_str()),
            "is no record class of the data map",
            suggest(name.as_str(), known),
        );
    }
    let mut classes = BTreeMap::new();
    for class in map.classes() {
        let path = join(path, class.name().as_str());
        let Some(rule) = treatment.classes.get(class.name()) else {
            reader.problem(
                path,
                "is not covered",
                actions(treatment, class, class.name() != map.root() && class.is_reassignable()),
            );
            continue;
        };
        let is_root = class.name() == map.root();
        if rule.action == RecordAction::Reassign && (is_root || !class.is_reassignable()) {
            let what = if is_root {
                "the customers themselves cannot be reassigned"
            } else {
                "its records cannot be reassigned: the data map names no \"Unknown Customer\", or they do not belong \
                 to a customer directly"
            };
            reader.problem(&path, what, actions(treatment, class, false));
        }
        let mut compiled = compile_class(reader, &path, rules, rule, class);
        group::put_in_group(reader, &path, rule, &mut compiled, class, map);
        classes.insert(class.name().clone(), compiled);
    }
    classes
}

/// The actions that a class can take in a treatment, of those that need nothing else.
fn actions(treatment: &TreatmentRule, class: &RecordClass, is_reassignable: bool) -> String {
    let mut words = vec!["\"delete\""];
    let stays = may_stay(treatment, class);
    words.extend(stays.then_some("\"anonymise\""));
    words.extend(is_reassignable.then_some("\"reassign\""));
    words.extend(stays.then_some("{ keep = \"reason\" }"));
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("write {} or {last}", others.join(", ")),
        _ => format!("write {}", words.concat()),
    }
}

fn compile_class(
    reader: &mut Reader,
    path: &str,
    (rules, strategies): (&Rules, &Strategies),
    rule: &ClassRule,
    class: &RecordClass,
) -> ClassTreatment {
    let mut compiled = ClassTreatment {
        action: rule.action.clone(),
        fields: BTreeMap::new(),
        kept: BTreeMap::new(),
        under_duty: Vec::new(),
        smallest_group: None,
        tombstone: None,
        unreadable: BTreeMap::new(),
        after_duty: BTreeMap::new(),
        or_deletes: rule.or_deletes,
    };
    for (part, name) in rule
        .keep
        .keys()
        .map(|name| ("keep", name))
        .chain(rule.fields.keys().map(|name| ("fields", name)))
        .filter(|(_, name)| class.find(name).is_none())
    {
        let known: Vec<&str> = class.fields().iter().map(|field| field.name().as_str()).collect();
        reader.problem(join(&join(path, part), name), "is no field of this class", suggest(name, known));
    }
    if matches!(rule.action, RecordAction::Delete | RecordAction::Keep { .. }) {
        let says_more = rule.otherwise.is_some() || rule.after_duty.is_some();
        if says_more || !rule.keep.is_empty() || !rule.fields.is_empty() {
            reader.problem(
                path,
                format!("says something of fields, but the action is {}", rule.action.as_str()),
                "leave all but the action out, or write action = \"anonymise\"",
            );
        }
        if matches!(rule.action, RecordAction::Keep { .. }) {
            return compiled;
        }
    }
    // Records that are deleted with their owner stay when somebody else leaves to whom a field of theirs belongs.
    let goes = rule.action == RecordAction::Delete;
    for field in class.fields().iter().filter(|field| !goes || field.whose().is_some()) {
        let name = field.name().as_str();
        let keep = rule.keep.get(name);
        let named = rule.fields.get(name);
        if keep.is_some() && named.is_some() {
            reader.problem(join(&join(path, "keep"), name), "is also under fields", "leave one of them");
            continue;
        }
        if let Some(reason) = keep {
            if field.kind().is_none() {
                let path = join(&join(path, "keep"), name);
                reader.problem(path, "is not personal, so it stays anyway", "leave it out");
            }
            compiled.kept.insert(field.name().clone(), reason.clone());
            continue;
        }
        let (rule_path, field_rule) = match (named, field.kind(), &rule.blank) {
            (Some(rule), ..) => (join(&join(path, "fields"), name), rule),
            (None, None, _) => continue,
            (None, Some(_), _) if field.role() == Role::Computed => continue,
            (None, Some(Kind::Document | Kind::Image), Some(blank)) => (join(path, name), blank),
            (None, Some(kind), _) => {
                let Some(rule) = rules.anonymise.get(kind) else {
                    reader.problem(
                        join(path, name),
                        format!("holds personal data of kind {kind}, which nothing covers"),
                        format!("write anonymise.{kind}, or keep = {{ {name} = \"reason\" }}"),
                    );
                    continue;
                };
                (join(path, name), rule)
            }
        };
        match resolve(field, field_rule, strategies) {
            // Said already, where the rule stands.
            Ok(Resolved::Unknown) => {}
            Ok(Resolved::Keep(_)) if field.kind().is_none() => {
                reader.problem(rule_path, "is not personal, so it stays anyway", "leave it out");
            }
            Ok(Resolved::Write(strategy)) => {
                compiled.fields.insert(field.name().clone(), strategy);
            }
            Ok(Resolved::Keep(reason)) => {
                compiled.kept.insert(field.name().clone(), reason);
            }
            Err(Impossible { what, way_out }) => reader.problem(rule_path, what, way_out),
        }
    }
    if !goes {
        check_computed(reader, path, class, &compiled);
    }
    reading::put_unreadable(reader, path, (rules, strategies), rule, class, &mut compiled);
    compiled
}

/// A computed field changes only when a field changes from which the database computes it.
fn check_computed(reader: &mut Reader, path: &str, class: &RecordClass, compiled: &ClassTreatment) {
    for field in class.fields() {
        let (Some(kind), [_, ..]) = (field.kind(), field.sources()) else { continue };
        if field.role() != Role::Computed || compiled.kept.contains_key(field.name()) {
            continue;
        }
        // Of a document only some values may be written: those of the same kind count.
        let is_within = |part: &&Field, source: &FieldName| {
            let rest = part.name().as_str().strip_prefix(source.as_str());
            rest.is_some_and(|rest| rest.starts_with('/')) && part.kind() == Some(kind)
        };
        let is_written = |source: &FieldName| {
            compiled.fields.contains_key(source)
                || class
                    .fields()
                    .iter()
                    .any(|part| is_within(&part, source) && compiled.fields.contains_key(part.name()))
        };
        let names = field.sources().iter().map(FieldName::as_str).collect::<Vec<_>>().join(", ");
        if field.sources().iter().any(is_written) {
            // What else goes into it may name the person as well.
            let names_person = |source: &&FieldName| {
                let of_source = class.find(source.as_str()).and_then(Field::kind);
                of_source.is_some_and(|of_source| of_source == kind || of_source.identifies())
            };
            let stays = field.sources().iter().filter(|source| !is_written(source)).filter(names_person);
            let stays: Vec<&str> = stays.map(FieldName::as_str).collect();
            if !stays.is_empty() {
                let (name, stays) = (field.name(), stays.join(", "));
                reader.problem(
                    join(path, name.as_str()),
                    format!(
                        "is personal ({kind}), and the database computes it from {names}, of which {stays} is not written: so {name} \
                         would still hold {stays}"
                    ),
                    format!("write a rule for {stays} that is not keep; or write keep = {{ {name} = \"reason\" }}"),
                );
            }
            continue;
        }
        let is_plain = |source: &FieldName| {
            class
                .find(source.as_str())
                .is_some_and(|source| source.kind().is_none() && source.role() == Role::Value)
        };
        let plain: Vec<&str> =
            field.sources().iter().filter(|source| is_plain(source)).map(FieldName::as_str).collect();
        let name = field.name();
        let keep = format!("keep = {{ {name} = \"reason\" }}");
        reader.problem(
            join(path, name.as_str()),
            format!(
                "is personal ({kind}), and the database computes it from {names}, where nothing of that kind is written: so {name} \
                 would stay as it is"
            ),
            if plain.is_empty() {
                format!("write a rule for {names} that is not keep; or write {keep}")
            } else {
                format!("classify {} in the data map as the personal data it holds; or write {keep}", plain.join(", "))
            },
        );
    }
}

/// Deletes that something which stays forbids.
fn check_references(reader: &mut Reader, path: &str, rule: &TreatmentRule, map: &DataMap) {
    check_first(reader, path, rule, map);
    for class in map.classes() {
        let path = join(path, class.name().as_str());
        let Some(own) = rule.classes.get(class.name()) else { continue };
        if own.action == RecordAction::Reassign {
            check_hand_over(reader, &path, (own, rule), class);
            if let Some(link) = class.links().iter().find(|link| link.goes_along()) {
                reader.problem(
                    &path,
                    format!(
                        "cannot be reassigned: {}.{} goes with what it leads to",
                        class.name(),
                        link.name()
                    ),
                    "write \"delete\" or \"anonymise\", or another word for that end in the map",
                );
            }
        }
        if own.action != RecordAction::Delete && !own.or_deletes {
            continue;
        }
        for needed in class.needed() {
            reader.problem(
                &path,
                format!("cannot be deleted: {needed} points at it and is ignored by the data map"),
                "map that table and say what happens to it, or anonymise this class",
            );
        }
        for rows in class.unclaimed() {
            let Unclaimed { table, columns, on_delete, so } = rows;
            reader.problem(
                &path,
                format!(
                    "cannot be deleted: the data map ignores the rows of table {table} that no class claims, and their \
                     foreign key on {columns} leads to it (ON DELETE {on_delete}), so {so}"
                ),
                format!(
                    "map these rows: [records.…] with table = \"{table}\", when = \"rest\" and owner = \"{columns}\"; or \
                     anonymise this class"
                ),
            );
        }
        if own.action == RecordAction::Reassign
            && let Some((other, link)) = map.links_to(class.name()).find(|(_, link)| link.goes_along())
        {
            reader.problem(
                join(&path, "else"),
                format!("deletes some records, and {}.{} goes with those alone", other.name(), link.name()),
                "anonymise this class, or write another word for that end in the map",
            );
        }
        for (other, link) in map.links_to(class.name()) {
            let Some(of_other) = rule.classes.get(other.name()).map(|rule| &rule.action) else { continue };
            let name = format!("{}.{}", other.name(), link.name());
            let name = name.trim_end_matches('.');
            if may_outlive(other, link, of_other, map) && !link.is_by_value() {
                check_let_go(reader, &path, (other, link));
            }
            if let Some(why) = stays_behind(other, link, of_other, map) {
                let ways = ways_out(rule, (own, class), (of_other, other, link), map);
                reader.problem(&path, format!("cannot be deleted: {name} {why}"), ways.join(", or "));
            }
        }
    }
}

/// Whether a record can stay in this treatment: nothing goes to which it has to lead.
fn may_stay(rule: &TreatmentRule, class: &RecordClass) -> bool {
    let goes = |link: &Link| {
        rule.classes.get(link.to()).is_some_and(|head| head.action == RecordAction::Delete || head.or_deletes)
    };
    !class.links().iter().any(|link| goes(link) && !link.lets_go() && !link.is_by_value())
}

/// What can be done where a record that stays leads to one that is deleted: only what no other check refuses.
fn ways_out(
    rule: &TreatmentRule,
    (own, class): (&ClassRule, &RecordClass),
    (of_other, other, link): (&RecordAction, &RecordClass, &Link),
    map: &DataMap,
) -> Vec<String> {
    let takes_null = link.fields().iter().any(|field| {
        other.find(field.as_str()).is_some_and(|field| {
            field.constraints().nullable
                && !field.is_linked()
                && !matches!(field.role(), Role::Key | Role::Computed)
        })
    });
    let mut ways = Vec::new();
    let is_single = link.role() == LinkRole::Owner;
    if *of_other != RecordAction::Delete && stays_behind(other, link, &RecordAction::Delete, map).is_none() {
        ways.push(format!("delete {}", other.name()));
    }
    let end = format!("ends.{}", key(link.name()));
    let may_go = match of_other {
        RecordAction::Delete => true,
        RecordAction::Anonymise => takes_null,
        RecordAction::Keep { .. } | RecordAction::Reassign => false,
    };
    let is_whole = own.action == RecordAction::Delete && !own.or_deletes;
    if may_go && is_whole && !is_single && other.name() != map.root() && !link.goes_along() {
        ways.push(format!("write {end} = \"goes\" in the map, so that it is treated along"));
    }
    if takes_null && *link.gone() != WhenGone::Clear {
        ways.push(format!("write {end} = \"clear\" in the map, so that the link lets go of it"));
    }
    if may_stay(rule, class) {
        ways.push("anonymise this class".to_owned());
    }
    if ways.is_empty() {
        ways.push(format!("say in the map that the link lets go of it, with a value that means nobody: {end} = {{ clear = 0 }}"));
    }
    ways
}

/// Whether a record may stay, or stay for a while, when what its link leads to is deleted.
fn may_outlive(class: &RecordClass, link: &Link, action: &RecordAction, map: &DataMap) -> bool {
    match action {
        RecordAction::Anonymise | RecordAction::Keep { .. } => true,
        RecordAction::Reassign => link.role() != LinkRole::Owner,
        RecordAction::Delete => {
            let owners = || class.links().iter().filter(|link| link.role() == LinkRole::Owner);
            let several_owners = owners().map(Link::name).collect::<BTreeSet<_>>().len() > 1;
            let ways: BTreeSet<&str> =
                class.links().iter().filter(|link| link.is_owner()).map(Link::name).collect();
            let is_held = map.links_to(class.name()).any(|(_, link)| link.is_holding());
            let is_shared = class.links().iter().any(|link| link.role() == LinkRole::Shared);
            let hangs_once = ways.len() == 1 && !is_held;
            let goes_with_it = match link.role() {
                LinkRole::Owner => hangs_once || (!is_held && !is_shared && !several_owners),
                LinkRole::Shared => hangs_once,
                LinkRole::End => false,
            };
            !goes_with_it && !link.goes_along()
        }
    }
}

/// Why a record may lead to one that is deleted, and stay.
fn stays_behind(class: &RecordClass, link: &Link, action: &RecordAction, map: &DataMap) -> Option<String> {
    // A value goes with its customer.
    if link.is_by_value() {
        return None;
    }
    if link.goes_along() && matches!(action, RecordAction::Keep { .. }) {
        return Some(format!("goes with it, and its records are not deleted ({})", action.as_str()));
    }
    if !may_outlive(class, link, action, map) {
        return None;
    }
    let why = match link.gone() {
        WhenGone::StandIn => return None,
        WhenGone::Keep { .. } if !link.is_enforced() => return None,
        WhenGone::Clear | WhenGone::Goes | WhenGone::Same if link.is_clearable() => return None,
        WhenGone::Keep { .. } => {
            "keeps its link, and a foreign key forbids one that leads nowhere".to_owned()
        }
        WhenGone::Clear => "cannot be cleared: it tells the classes of its table apart".to_owned(),
        WhenGone::Goes | WhenGone::Same => "goes with it, is anonymised, and cannot be cleared".to_owned(),
        WhenGone::Forbids => match action {
            RecordAction::Delete | RecordAction::Reassign if link.role() == LinkRole::End => {
                "may lead to it from records of other customers".to_owned()
            }
            RecordAction::Delete => {
                "leads to it, and such a record stays while somebody else has it".to_owned()
            }
            _ => format!("leads to it and stays ({})", action.as_str()),
        },
    };
    // What hangs from a record goes after it.
    let goes_after =
        *link.gone() == WhenGone::Forbids && link.is_holding() && *action == RecordAction::Delete;
    (!goes_after).then_some(why)
}

/// Of several owner links the first counts that is not empty. One that is cleared would make a new way.
fn check_first(reader: &mut Reader, path: &str, rule: &TreatmentRule, map: &DataMap) {
    for class in map.classes() {
        let Some(action) = rule.classes.get(class.name()).map(|rule| &rule.action) else { continue };
        let owners: Vec<&Link> = class.links().iter().filter(|link| link.role() == LinkRole::Owner).collect();
        let is_held = map.links_to(class.name()).any(|(_, link)| link.is_holding());
        let is_exclusive = !is_held && class.links().iter().all(|link| link.role() != LinkRole::Shared);
        for (n, link) in owners.iter().enumerate() {
            let is_last = owners.iter().skip(n + 1).all(|other| other.name() == link.name());
            if is_last {
                continue;
            }
            let head_goes = rule
                .classes
                .get(link.to())
                .is_some_and(|head| head.action == RecordAction::Delete || head.or_deletes);
            let stays = !head_goes
                || matches!(link.gone(), WhenGone::Keep { .. } | WhenGone::StandIn)
                || (*action == RecordAction::Delete && is_exclusive);
            if link.is_by_value() || !stays {
                reader.problem(
                    join(path, class.name().as_str()),
                    format!(
                        "{}.{} may be emptied, and then its records would belong to whom the next of `first` leads to",
                        class.name(),
                        link.name()
                    ),
                    "put that link last, or delete the records",
                );
            }
        }
    }
}

/// Handing over writes the owner link, and the "Unknown Customer" may have an equal record.
fn check_hand_over(
    reader: &mut Reader,
    path: &str,
    (rule, treatment): (&ClassRule, &TreatmentRule),
    class: &RecordClass,
) {
    let or_anonymise = if may_stay(treatment, class) { " or \"anonymise\"" } else { "" };
    let owners = class.links().iter().filter(|link| link.is_owner());
    let owner: BTreeSet<&FieldName> = owners.flat_map(Link::fields).collect();
    for unique in class.unique().iter().filter(|unique| unique.iter().any(|field| owner.contains(field))) {
        let names: Vec<&str> = unique.iter().map(FieldName::as_str).collect();
        if unique.iter().all(|field| owner.contains(field)) {
            reader.problem(
                path,
                format!(
                    "cannot be reassigned: UNIQUE ({}) leaves the \"Unknown Customer\" one record",
                    names.join(", ")
                ),
                format!("write \"delete\"{or_anonymise}"),
            );
        } else if !rule.or_deletes {
            reader.problem(
                path,
                format!(
                    "reassigns, and UNIQUE ({}) refuses a record that the \"Unknown Customer\" has already",
                    names.join(", ")
                ),
                format!(
                    "write {{ action = \"reassign\", else = \"delete\" }}{}",
                    or_anonymise.replace(" or", ", or")
                ),
            );
        }
    }
    // Which of these records the "Unknown Customer" has already only the database can tell.
    for unique in class.unique_through() {
        if unique.fields.iter().any(|field| owner.contains(field)) {
            reader.problem(
                path,
                format!(
                    "cannot be reassigned: {} may refuse a record that the \"Unknown Customer\" has already",
                    unique.text
                ),
                format!("write \"delete\"{or_anonymise}"),
            );
        }
    }
}

/// A link that is let go gets the same value in every record, which a unique index may refuse.
fn check_let_go(reader: &mut Reader, path: &str, (class, link): (&RecordClass, &Link)) {
    let Some(to) = link.let_go_to() else { return };
    let is_own = |field: &FieldName| link.fields().contains(field);
    let plain = class.unique().iter().filter(|unique| to == LetGo::Value && unique.iter().any(is_own));
    let plain = plain.map(|unique| {
        let names: Vec<&str> = unique.iter().map(FieldName::as_str).collect();
        format!("UNIQUE ({})", names.join(", "))
    });
    let tangled = class.unique_through().iter().filter(|unique| {
        let fields = if to == LetGo::Value { &unique.fields } else { &unique.null_counts };
        fields.iter().any(is_own)
    });
    let refusing: BTreeSet<String> = plain.chain(tangled.map(|unique| unique.text.clone())).collect();
    if refusing.is_empty() {
        return;
    }
    let takes_null = |field: &FieldName| {
        let is_counted = class.unique_through().iter().any(|unique| unique.null_counts.contains(field));
        class
            .find(field.as_str())
            .is_some_and(|field| field.constraints().nullable && field.role() == Role::Value)
            && !is_counted
    };
    let end = format!("ends.{}", key(link.name()));
    let mut ways = vec![format!("write {end} = \"goes\" in the map")];
    if to == LetGo::Value && link.fields().iter().all(takes_null) {
        ways.push(format!("write {end} = \"clear\" in the map"));
    }
    ways.push("anonymise this class".to_owned());
    let what = match (to, link.gone()) {
        (LetGo::Null, _) => "NULL",
        (LetGo::Value, WhenGone::StandIn) => "the \"Unknown Customer\"",
        (LetGo::Value, _) => "one value",
    };
    reader.problem(
        path,
        format!(
            "cannot be deleted: {}.{} gets {what} in every record then, and {} refuses a second such record",
            class.name(),
            link.name(),
            refusing.into_iter().collect::<Vec<_>>().join(" or ")
        ),
        ways.join(", or "),
    );
}

/// Who has left is seen in the customers' own record: without a sign there, nobody would be the last who leaves.
fn check_signs(
    reader: &mut Reader,
    path: &str,
    classes: &BTreeMap<ClassName, ClassTreatment>,
    map: &DataMap,
) {
    let Some(root) = classes.get(map.root()) else { return };
    let stays = root.action != RecordAction::Delete || root.tombstone.is_some();
    if !stays || root.sign_fields().values().any(Strategy::is_sign) {
        return;
    }
    let is_treated = |name: &&&ClassName| {
        classes.get(**name).is_some_and(|class| !matches!(class.action, RecordAction::Keep { .. }))
    };
    let shared = map.shared_classes();
    let shared: Vec<&str> = shared.iter().filter(is_treated).map(|name| name.as_str()).collect();
    if !shared.is_empty() {
        reader.problem(
            join(path, map.root().as_str()),
            format!(
                "leaves no sign in the customer's own record, so nobody can tell who the last is that leaves {}",
                shared.join(", ")
            ),
            "write a placeholder or a token to one of its fields",
        );
    }
}

/// A record that is found by a value has to lose it, and cannot wait for a duty: later nobody could find it.
fn check_values(
    reader: &mut Reader,
    path: &str,
    classes: &BTreeMap<ClassName, ClassTreatment>,
    rules: &Rules,
    map: &DataMap,
) {
    let may_be_needed = duties::may_be_needed(classes, map);
    for class in map.classes() {
        let path = join(path, class.name().as_str());
        let Some(treated) = classes.get(class.name()) else { continue };
        for link in class.links().iter().filter(|link| link.is_by_value()) {
            let is_written = |field: &FieldName| treated.fields.contains_key(field);
            let stays = !matches!(treated.action, RecordAction::Delete);
            if stays && !link.fields().iter().all(is_written) {
                reader.problem(
                    &path,
                    format!("keeps {}, the value by which its records are found", link.name()),
                    "anonymise that field, or delete the records",
                );
            }
            let waits = may_be_needed.contains(class.name());
            let goes_by_itself = rules.expire.get(class.name()).is_some_and(|rule| rule.after.is_some());
            if waits && !goes_by_itself {
                reader.problem(
                    &path,
                    format!(
                        "may be kept by a duty, and is found by {} alone, which is erased before",
                        link.name()
                    ),
                    format!("write expire.{} = {{ after = \"duty\", action = \"delete\" }}", class.name()),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
