//! Checks a policy against a data map. Every impossible line is reported at once, before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::by_tenant::ByTenant;
use super::document::{
    ClassRule, FieldRule, MENTION_WAY_OUT, PolicyDocument, RECIPIENT_WAY_OUT, Rules, TreatmentRule, own_path,
};
use super::keeper::keepers;
use super::of_day::OfDay;
use super::{Duty, Effective, Guard, GuardRule, Policy, Trigger, effective};
use crate::anonymise::{Strategies, Strategy};
use crate::customer::TenantId;
use crate::data_map::{
    ClassName, DataMap, DeactivationSupport, Fact, Field, FieldName, Kind, Link, LinkRole, NotCovered,
    RecipientName, RecordClass, Role, StateName, Value,
};
use crate::digest::Digest;
use crate::document::{Problems, Reader, join, suggest};
use crate::treatment::{
    ClassTreatment, MentionAction, RecordAction, Treatment, knowing, own_signs, signs_of,
};

mod duties;
mod expire;
mod field;
mod group;
mod keep;
mod limits;
mod reading;
mod references;
mod suppress;
mod triggers;

use field::{Impossible, Resolved, resolve};
use references::{actions, check_references};

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
    let mut everyone = compile(&mut reader, &document.rules, None, map, strategies);
    let everyone_wrong = reader.problems().to_vec();
    let mut of_tenants = Vec::new();
    for (tenant, entry) in &document.tenants {
        let mut merged = Reader::default();
        let effective = compile(&mut merged, &entry.rules, Some((tenant, &entry.own)), map, strategies);
        for problem in merged.into_problems() {
            let own = own_path(tenant.as_str(), &entry.own, &problem.path);
            if own.is_none() && everyone_wrong.contains(&problem) {
                continue;
            }
            let path = own.unwrap_or_else(|| format!("{} (for tenant {tenant})", problem.path));
            reader.problem(path, problem.what, problem.way_out);
        }
        of_tenants.push((tenant.clone(), effective));
    }
    let others = of_tenants.iter_mut().map(|(_, effective)| effective);
    exchange_signs(&mut std::iter::once(&mut everyone).chain(others).collect::<Vec<_>>(), map);
    let mut tenants = ByTenant::default();
    for (tenant, mut effective) in of_tenants {
        // A treatment that a tenant does not change is stored once.
        for (name, treatment) in &mut effective.treatments {
            if let Some(same) = everyone.treatments.get(name).filter(|other| *other == treatment) {
                *treatment = Arc::clone(same);
            }
        }
        tenants.insert(tenant, Arc::new(effective));
    }
    let mut beside = Reader::default();
    let ownerless = expire::compile_ownerless(&mut beside, document, map, strategies);
    for problem in beside.into_problems() {
        // A class that also expires by age has the same problems with its fields. Report them once.
        if !reader.problems().contains(&problem) {
            reader.problem(problem.path, problem.what, problem.way_out);
        }
    }
    let all = std::iter::once(&everyone).chain(tenants.values().map(|effective| &**effective));
    document.words.check(&mut reader, all, ownerless.as_ref(), map);
    check_owners(&mut reader, &document.owners, map);
    reader.finish()?;
    Ok(Policy {
        name: document.name.clone(),
        words: document.words.clone(),
        owners: document.owners.clone(),
        requests_kept: document.requests_kept,
        ownerless,
        everyone: Arc::new(everyone),
        tenants,
        digest: document.digest,
        map_digest: map.digest(),
    })
}

/// Checks that the classes with an owner are classes of the data map.
fn check_owners(reader: &mut Reader, owners: &BTreeMap<String, String>, map: &DataMap) {
    for class in owners.keys().filter(|class| *class != "default" && map.class(class).is_none()) {
        let known: Vec<&str> = map.classes().map(|class| class.name().as_str()).collect();
        let what = format!("{class} is no record class of the data map");
        reader.problem(join("owners", class), what, suggest(class, known));
    }
}

/// Tells every treatment by which signs the others show that a customer has left. Otherwise a record that two customers share
/// would stay for good, if one of them left by another treatment or by another tenant's.
///
/// Only a treatment that leaves nothing personal in the customer's own record gives such signs: after a weaker treatment the
/// person may be a customer still.
fn exchange_signs(all: &mut [&mut Effective], map: &DataMap) {
    let each =
        || all.iter().flat_map(|effective| effective.treatments.values()).map(|treatment| &**treatment);
    let signs = signs_of(each(), map);
    for treatment in all.iter_mut().flat_map(|effective| effective.treatments.values_mut()) {
        *treatment = knowing(treatment, &signs);
    }
}

/// The policy in force, as far as it is possible. What is impossible is reported.
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
    limits::check_limits(reader, rules, map);
    suppress::check_suppress(reader, rules, map);
    let keepers = keepers(&rules.duties, &[]);
    let mut treatments = BTreeMap::new();
    for (name, rule) in &rules.treatments {
        let path = join("treatments", name.as_str());
        let mut classes = compile_classes(reader, &path, (rules, strategies), rule, map);
        duties::put_under_duty(&mut classes, &keepers, rules.time_zone, map);
        duties::put_tombstones(reader, &path, (rules, strategies), &keepers, &mut classes, map);
        duties::check_dates_stay(reader, &path, &classes);
        reading::put_after_duty(reader, &path, strategies, rule, &mut classes, map);
        check_who_shares(reader, &path, &classes, map);
        check_signs(reader, &path, &classes, map);
        check_values(reader, &path, &classes, rules, map);
        keep::check_found_later(reader, &path, &classes, map);
        check_gateways(reader, &path, rule, map);
        check_recipients(reader, &path, rule, map);
        check_mentions(reader, &path, (rules, rule), map);
        check_references(reader, &path, rule, map);
        triggers::check_table_triggers(reader, &path, &classes, map);
        triggers::check_copies(reader, &path, &classes, map);
        let treatment = Treatment {
            name: name.clone(),
            root: map.root().clone(),
            classes,
            gateways: rule.gateways.clone(),
            recipients: rule.recipients.clone(),
            mentions: rule.mentions.clone(),
            links: Vec::new(),
            not_covered: not_covered(map),
            expiry: false,
            time_zone: rules.time_zone,
            on_leftover: rules.leftovers,
            other_signs: Arc::default(),
        }
        .with_links(map);
        treatments.insert(name.clone(), Arc::new(treatment));
    }
    let expiry = expire::compile_expiry(reader, rules, map, strategies);
    Effective {
        expiry,
        tenant: own.map(|(tenant, _)| tenant.clone()),
        sweep: rules.sweep,
        blast_radius: rules.blast_radius,
        own_blast_radius: own.is_some_and(|(_, own)| own.get("blast_radius").is_some()),
        four_eyes: rules.four_eyes,
        time_zone: rules.time_zone,
        privacy_law: rules.privacy_law,
        triggers: rules.triggers.clone(),
        guards,
        duties: rules.duties.clone(),
        limits: rules.limits.clone(),
        suppression: rules.suppress.clone(),
        fiscal_year_ends: rules.fiscal_year_ends,
        digests: treatments.iter().map(|(name, t)| (name.clone(), t.digest())).collect(),
        treatments,
        digest: Digest::of(&rules.json),
        lines: effective::lines(&rules.json, own),
        at_most: OfDay::default(),
        as_it_stands: OfDay::default(),
        releasing: OfDay::default(),
    }
}

/// Reports strategies that the host did not register, at the place where the policy names them.
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

/// What no treatment of this release reaches. Certificates repeat the list.
fn not_covered(map: &DataMap) -> Vec<NotCovered> {
    let ignored = map.ignored().iter();
    let ignored =
        ignored.map(|(what, reason)| NotCovered::Ignored { what: what.clone(), reason: reason.clone() });
    ignored.chain([NotCovered::Mentions, NotCovered::OtherSystems, NotCovered::Backups]).collect()
}

fn check_triggers(reader: &mut Reader, rules: &Rules, map: &DataMap) {
    for (trigger, rule) in &rules.triggers {
        let path = join("triggers", trigger.as_str());
        if !rules.treatments.contains_key(&rule.treatment) {
            reader.problem(
                join(&path, "treatment"),
                format!("{} is no treatment", rule.treatment),
                suggest(
                    rule.treatment.as_str(),
                    rules.treatments.keys().map(crate::treatment::TreatmentName::as_str),
                ),
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

/// The guards that are checked: the basic guards, the guards that the policy names, and the guards whose fact the
/// store or a gateway can tell.
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
        if let Some(GuardRule::BlockBecause { data, .. }) = rule {
            for class in data.iter().filter(|class| map.class(class.as_str()).is_none()) {
                let known: Vec<&str> = map.classes().map(|class| class.name().as_str()).collect();
                let what = format!("{class} is no record class of the data map");
                reader.problem(join(&path, "data"), what, suggest(class.as_str(), known));
            }
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

fn check_recipients(reader: &mut Reader, path: &str, rule: &TreatmentRule, map: &DataMap) {
    let path = join(path, "recipient");
    let (known, ruled) = (map.recipients(), &rule.recipients);
    for recipient in ruled.keys().filter(|recipient| !known.contains_key(*recipient)) {
        reader.problem(
            join(&path, recipient.as_str()),
            "is no recipient of the data map",
            suggest(recipient.as_str(), known.keys().map(RecipientName::as_str)),
        );
    }
    for recipient in known.keys().filter(|recipient| !ruled.contains_key(*recipient)) {
        reader.problem(join(&path, recipient.as_str()), "is not covered", RECIPIENT_WAY_OUT);
    }
}

fn check_mentions(
    reader: &mut Reader,
    path: &str,
    (rules, treatment): (&Rules, &TreatmentRule),
    map: &DataMap,
) {
    let path = join(path, "mention");
    let (known, said) = (map.mentions(), &treatment.mentions);
    for (class, action) in said {
        let path = join(&path, class.as_str());
        if !known.contains_key(class) {
            let way_out = suggest(class.as_str(), known.keys().map(ClassName::as_str));
            reader.problem(path, "is no class whose texts the data map names as mentions", way_out);
            continue;
        }
        let keeps = |duty: &&Duty| duty.classes().contains_key(class);
        if let (MentionAction::Redact(_), Some(duty)) = (action, rules.duties.iter().find(keeps)) {
            let what = format!("would change records that the duty {} keeps as they are", duty.name());
            reader.problem(path, what, "write { keep = \"reason\" }, or take the class out of the duty");
        }
    }
    for class in known.keys().filter(|class| !said.contains_key(*class)) {
        reader.problem(join(&path, class.as_str()), "is not covered", MENTION_WAY_OUT);
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
            reader.problem(path, "is not covered", actions(treatment, class, map));
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
            reader.problem(&path, what, actions(treatment, class, map));
        }
        let mut compiled = compile_class(reader, &path, rules, rule, class, map);
        group::put_in_group(reader, &path, rule, &mut compiled, class, map);
        classes.insert(class.name().clone(), compiled);
    }
    classes
}

fn compile_class(
    reader: &mut Reader,
    path: &str,
    (rules, strategies): (&Rules, &Strategies),
    rule: &ClassRule,
    class: &RecordClass,
    map: &DataMap,
) -> ClassTreatment {
    let mut compiled = ClassTreatment {
        action: rule.action.clone(),
        fields: BTreeMap::new(),
        kept: BTreeMap::new(),
        kept_for: BTreeMap::new(),
        kept_before: BTreeSet::new(),
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
    // Even records that are deleted with their owner may stay at first: a field of theirs may belong to another
    // person, who is erased earlier.
    let goes = rule.action == RecordAction::Delete;
    for field in class.fields().iter().filter(|field| !goes || may_outlive_its_owner(field, class, map)) {
        let name = field.name().as_str();
        let keep = rule.keep.get(name);
        let named = rule.fields.get(name);
        if keep.is_some() && named.is_some() {
            reader.problem(join(&join(path, "keep"), name), "is also under fields", "leave one of them");
            continue;
        }
        if let Some(rule) = keep {
            let path = join(&join(path, "keep"), name);
            if field.kind().is_none() {
                reader.problem(&path, "is not personal, so it stays anyway", "leave it out");
            }
            keep::put_kept(reader, &path, (rules, strategies), field, rule, &mut compiled);
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
            // Reported already, at the rule.
            Ok(Resolved::Unknown) => {}
            Ok(Resolved::Keep(_)) if field.kind().is_none() => {
                reader.problem(rule_path, "is not personal, so it stays anyway", "leave it out");
            }
            Ok(Resolved::Write(strategy)) => {
                compiled.fields.insert(field.name().clone(), strategy);
            }
            Ok(Resolved::Keep(rule)) => {
                keep::put_kept(reader, &rule_path, (rules, strategies), field, &rule, &mut compiled);
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

/// Whether a record that is deleted with its owners may stay after the person to whom this field belongs was erased.
fn may_outlive_its_owner(field: &Field, class: &RecordClass, map: &DataMap) -> bool {
    let Some(whose) = field.whose() else { return false };
    let owner = class.links().iter().find(|link| link.role() == LinkRole::Owner);
    owner.is_none_or(|owner| owner.name() != whose) || map.shared_classes().contains(class.name())
}

/// Checks that a computed personal field changes. It changes only when one of its source fields changes.
fn check_computed(reader: &mut Reader, path: &str, class: &RecordClass, compiled: &ClassTreatment) {
    for field in class.fields() {
        let (Some(kind), [_, ..]) = (field.kind(), field.sources()) else { continue };
        if field.role() != Role::Computed || compiled.kept.contains_key(field.name()) {
            continue;
        }
        // A treatment may write only some values of a document. Values of the same kind as the field count.
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
            // The other sources may name the person as well.
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

/// Checks that the store can tell who else owns a record. A shared record is treated with its last owner.
fn check_who_shares(
    reader: &mut Reader,
    path: &str,
    classes: &BTreeMap<ClassName, ClassTreatment>,
    map: &DataMap,
) {
    if map.tells_who_shares() {
        return;
    }
    for name in map.shared_classes() {
        if classes.get(name).is_none_or(|class| matches!(class.action, RecordAction::Keep { .. })) {
            continue;
        }
        reader.problem(
            join(path, name.as_str()),
            "may be several people's records, and nothing tells who else has one",
            "write { keep = \"reason\" }; or give ByRecord::sharing somebody who tells, and write tells_who_shares() in the data map",
        );
    }
}

/// Checks that a treatment leaves a sign in the customer's own record. The sign shows that a customer is erased.
/// Without it, no owner of a shared record would ever be the last.
fn check_signs(
    reader: &mut Reader,
    path: &str,
    classes: &BTreeMap<ClassName, ClassTreatment>,
    map: &DataMap,
) {
    let (Some(root), Some(described)) = (classes.get(map.root()), map.class(map.root().as_str())) else {
        return;
    };
    let stays = root.action != RecordAction::Delete || root.tombstone.is_some();
    if !stays || own_signs(root, described).values().any(Strategy::is_sign) {
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

/// Checks that a record found by a value loses this value and does not wait for a duty. Later nobody could find the
/// record.
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
            for field in link.fields() {
                let alike = match treated.fields.get(field).filter(|_| stays) {
                    Some(Strategy::Placeholder(template)) => !template.is_unique(),
                    Some(Strategy::Constant(value)) => *value != Value::Null,
                    _ => false,
                };
                // A foreign key may hold a value of the far end, or NULL. Nothing else that is written there leads to a row.
                let dangles = link.is_enforced()
                    && stays
                    && treated.fields.get(field).is_some_and(|strategy| {
                        !matches!(strategy, Strategy::Clear | Strategy::Constant(Value::Null))
                    });
                if dangles {
                    let can_clear = class.find(field.as_str()).is_some_and(|own| own.constraints().nullable);
                    reader.problem(
                        join(&path, field.as_str()),
                        format!(
                            "is a foreign key to a value of {}, and what would be written is no such value, so the database \
                             would refuse it",
                            link.to()
                        ),
                        if can_clear {
                            format!("write fields = {{ {field} = \"clear\" }}, or delete the records")
                        } else {
                            "delete the records".to_owned()
                        },
                    );
                }
                if alike && !dangles {
                    reader.problem(
                        join(&path, field.as_str()),
                        format!(
                            "would have the same value in the records of everybody who is erased, and {} finds records by it",
                            link.name()
                        ),
                        format!("write fields = {{ {field} = \"token\" }}, or delete the records"),
                    );
                }
            }
            let waits = may_be_needed.contains(class.name());
            if let Some(way_out) = waits.then(|| let_go_by_itself(rules, class.name(), map)).flatten() {
                reader.problem(
                    &path,
                    format!(
                        "may be kept by a duty, and is found by {} alone, which is erased before",
                        link.name()
                    ),
                    match class.store() {
                        // Without the customer, only the root store can tell that nobody has a record.
                        Some(_) => "link the records to the customer's key, or leave the duty out".to_owned(),
                        None => way_out,
                    },
                );
            }
        }
        // Records that hang from such records lose their way to the customer with them.
        let is_own = class.links().iter().any(Link::is_by_value);
        if !is_own
            && !treated.under_duty.is_empty()
            && let Some(by) = value_above(map, class.name())
            && let Some(way_out) = let_go_by_itself(rules, class.name(), map)
        {
            reader.problem(
                &path,
                format!(
                    "may be kept by a duty, and hangs from {by}, which is found by a value alone that is erased before"
                ),
                way_out,
            );
        }
    }
}

/// What the policy has to say so that records of a class go by themselves when their duty ends. `None` if it says so.
fn let_go_by_itself(rules: &Rules, class: &ClassName, map: &DataMap) -> Option<String> {
    if map.shared_classes().contains(class) {
        // What several people share does not expire.
        return Some(format!(
            "leave {class} out of the classes of the duty; where a record under a duty needs it, name the link in the duty's needs"
        ));
    }
    if rules.expire.get(class).is_none_or(|rule| rule.after.is_none()) {
        return Some(format!("write expire.{class} = {{ after = \"duty\", action = \"delete\" }}"));
    }
    // Only a sweep lets records expire.
    (!rules.sweep).then(|| {
        format!(
            "write sweep = true: expire.{class} would let the records go, and only a sweep carries it out"
        )
    })
}

/// A class of records from which records of this class hang, directly or through others, and that are found by a value.
fn value_above<'m>(map: &'m DataMap, name: &'m ClassName) -> Option<&'m ClassName> {
    let (mut seen, mut todo) = (BTreeSet::from([name]), vec![name]);
    while let Some(at) = todo.pop() {
        let is_way = |link: &&Link| link.role() != LinkRole::End;
        let own = map.class(at.as_str()).into_iter().flat_map(RecordClass::links);
        let above = own.filter(is_way).map(Link::to);
        let holders = map.links_to(at).filter(|(_, link)| link.is_holding()).map(|(class, _)| class.name());
        for holder in above.chain(holders) {
            let links = map.class(holder.as_str()).map_or(&[][..], RecordClass::links);
            if links.iter().any(|link| is_way(&link) && link.is_by_value()) {
                return Some(holder);
            }
            if seen.insert(holder) {
                todo.push(holder);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
