//! Checks duties against the data map: each record has a date, and the records that it needs stay with it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::anonymise::Strategies;
use crate::data_map::{ClassName, DataMap, Field, FieldName, Link, RecordClass, TimeZone};
use crate::document::{Reader, join, suggest};
use crate::policy::Duty;
use crate::policy::document::{ClassRule, Rules};
use crate::policy::keeper::Keeper;
use crate::treatment::{ClassTreatment, RecordAction, Tombstone, UnderDuty};

pub(super) fn check_duties(reader: &mut Reader, rules: &Rules, map: &DataMap) {
    for duty in &rules.duties {
        let path = join("duties", duty.name());
        check_needs(reader, &path, rules, duty, map);
        for (class, field) in duty.classes() {
            let Some(described) = map.class(class.as_str()) else {
                let known: Vec<&str> = map.classes().map(|class| class.name().as_str()).collect();
                let what = format!("{class} is no record class of the data map");
                reader.problem(join(&path, "classes"), what, suggest(class.as_str(), known));
                continue;
            };
            if class == map.root() {
                reader.problem(
                    join(&path, "classes"),
                    format!("{class} is the customers' own record, which no duty can keep whole"),
                    "name the records that have to be kept, and anonymise the customer's own",
                );
            }
            let at = || join(&path, if duty.is_by_fiscal_year() { "fiscal_year_ends.field" } else { "from" });
            check_date(reader, at, described, field, map);
        }
    }
}

/// Checks a duty's `needs`. If records under a duty lead to records of people, the policy has to say which of these
/// must stay.
fn check_needs(reader: &mut Reader, path: &str, rules: &Rules, duty: &Duty, map: &DataMap) {
    let path = join(path, "needs");
    for (n, (class, link)) in duty.needs.iter().flatten().enumerate() {
        let path = format!("{path}[{n}]");
        let Some(described) = map.class(class.as_str()) else {
            let known: Vec<&str> = map.classes().map(|class| class.name().as_str()).collect();
            reader.problem(path, format!("{class} is no record class"), suggest(class.as_str(), known));
            continue;
        };
        let mut links = described.links().iter().filter(|known| known.name() == link).peekable();
        if links.peek().is_none() {
            let known: Vec<&str> = described.links().iter().map(Link::name).collect();
            reader.problem(path, format!("{link} is no link of {class}"), suggest(link, known));
        } else if links.any(|known| known.to() == map.root()) {
            reader.problem(
                path,
                format!("{class}.{link} leads to the customers' own record, which no duty can keep whole"),
                "leave it out: the customer's row stays as a bare row for as long as the record does",
            );
        }
    }
    if duty.needs.is_some() {
        return;
    }
    let is_under = |class: &ClassName| {
        class == map.root() || rules.duties.iter().any(|duty| duty.classes().contains_key(class))
    };
    let holds_personal = |class: &ClassName| {
        map.class(class.as_str())
            .is_some_and(|class| class.fields().iter().any(|field| field.kind().is_some()))
    };
    let is_treated = |class: &ClassName| {
        let mut rules = rules.treatments.values().filter_map(|rule| rule.classes.get(class));
        rules.any(|rule| !matches!(rule.action, RecordAction::Keep { .. }))
    };
    for class in duty.classes().keys().filter_map(|name| map.class(name.as_str())) {
        for link in class.links() {
            let to = link.to();
            if is_under(to) || !holds_personal(to) || !is_treated(to) {
                continue;
            }
            let name = format!("{}.{}", class.name(), link.name());
            reader.problem(
                &path,
                format!("is missing: {name} leads to {to}, which holds personal data"),
                format!(
                    "write needs = [\"{name}\"] where {to} is kept with it as it is, or needs = [] where the bare row of \
                     {to} is enough"
                ),
            );
        }
    }
}

/// Checks that a field gives the records of a class their date.
pub(super) fn check_date(
    reader: &mut Reader,
    at: impl Fn() -> String,
    described: &RecordClass,
    field: &FieldName,
    map: &DataMap,
) {
    let class = described.name();
    match where_dated(map, described, field) {
        Dated::Here(_) => {}
        Dated::NoDate(holder) => reader.problem(
            at(),
            format!("{holder}.{field} is no date by which the store can keep records"),
            "name the field that holds the record's date",
        ),
        Dated::Unreachable { from, to } => reader.problem(
            at(),
            format!(
                "{class} has no field {field}, and nothing says by which field records of {from} point at those of \
                 {to}, which have one"
            ),
            format!("name in the data map the fields of {from} that point at {to}"),
        ),
        Dated::Nowhere => {
            let dated = described.fields().iter().filter(|field| field.is_dated());
            let known: Vec<&str> = dated.map(|field| field.name().as_str()).collect();
            reader.problem(
                at(),
                format!("{class} has no field {field}, and no record that it hangs from has one"),
                suggest(field.as_str(), known),
            );
        }
    }
}

/// The place of the field that gives a record its date.
enum Dated<'m> {
    /// In the record itself (no classes), or in a record from which it hangs, over these classes.
    Here(Vec<&'m ClassName>),
    /// In that class, but the field is no date.
    NoDate(&'m ClassName),
    /// In a record from which it hangs, but the map does not name the fields of the link.
    Unreachable { from: &'m ClassName, to: &'m ClassName },
    /// Nowhere on the way to the customer.
    Nowhere,
}

/// The nearest record that has the field. The search starts at the record itself and follows the links to its
/// customer.
fn where_dated<'m>(map: &'m DataMap, class: &'m RecordClass, field: &FieldName) -> Dated<'m> {
    let mut ways = VecDeque::from([(class, Vec::new())]);
    let mut seen = BTreeSet::from([class.name()]);
    let mut unreachable = None;
    while let Some((class, way)) = ways.pop_front() {
        match class.find(field.as_str()) {
            Some(found) if found.is_dated() => return Dated::Here(way),
            Some(_) => return Dated::NoDate(class.name()),
            None => {}
        }
        for link in class.hangs_from() {
            let Some(to) = map.class(link.to().as_str()) else { continue };
            if link.fields().is_empty() {
                let has_one = to.find(field.as_str()).is_some_and(Field::is_dated);
                unreachable = unreachable.or(has_one.then_some((class.name(), to.name())));
            } else if seen.insert(to.name()) {
                ways.push_back((to, [&way[..], &[to.name()]].concat()));
            }
        }
    }
    unreachable.map_or(Dated::Nowhere, |(from, to)| Dated::Unreachable { from, to })
}

/// Marks the classes whose records a duty may keep. A class that the treatment keeps anyway needs no mark for itself.
/// But while a duty is on its records, the records that they reference have to stay.
pub(super) fn put_under_duty(
    classes: &mut BTreeMap<ClassName, ClassTreatment>,
    keepers: &[&dyn Keeper],
    time_zone: TimeZone,
    map: &DataMap,
) {
    let each = keepers.iter().flat_map(|keeper| keeper.classes().iter().map(move |class| (keeper, class)));
    for (keeper, (class, field)) in each {
        let (Some(treated), Some(described)) = (classes.get_mut(class), map.class(class.as_str())) else {
            continue;
        };
        let needs = keeper.needs();
        let is_there = treated.under_duty.iter().any(|under| under.field == *field && under.needs == needs);
        if is_there {
            continue;
        }
        if let Dated::Here(way) = where_dated(map, described, field) {
            let holder = way.last().and_then(|name| map.class(name.as_str())).unwrap_or(described);
            treated.under_duty.push(UnderDuty {
                form: holder.find(field.as_str()).map(|dated| dated.date_form().clone()).unwrap_or_default(),
                field: field.clone(),
                through: way.into_iter().cloned().collect(),
                keep_from: None,
                time_zone,
                needs,
            });
        }
    }
}

/// The classes of which a duty may keep a record, and the classes that such a record references.
pub(super) fn may_be_needed<'m>(
    classes: &BTreeMap<ClassName, ClassTreatment>,
    map: &'m DataMap,
) -> BTreeSet<&'m ClassName> {
    let is_under = |class: &&RecordClass| {
        classes.get(class.name()).is_some_and(|treated| !treated.under_duty.is_empty())
    };
    let mut needed: BTreeSet<&ClassName> = map.classes().filter(is_under).map(RecordClass::name).collect();
    loop {
        let from_needed = map.classes().filter(|class| needed.contains(class.name()));
        let more: Vec<&ClassName> =
            from_needed.flat_map(|class| class.links().iter().map(Link::to)).collect();
        let before = needed.len();
        needed.extend(more);
        if needed.len() == before {
            return needed;
        }
    }
}

/// Checks that a date by which records are kept stays as long as the records. Without the date, nobody can tell when
/// the duty ends.
pub(super) fn check_dates_stay(
    reader: &mut Reader,
    path: &str,
    classes: &BTreeMap<ClassName, ClassTreatment>,
) {
    for (class, treated) in classes {
        for under in &treated.under_duty {
            let holder = under.through.last().unwrap_or(class);
            let written = classes.get(holder).into_iter().flat_map(ClassTreatment::strategies);
            if written.into_iter().any(|(field, _)| *field == under.field) {
                reader.problem(
                    join(&join(path, holder.as_str()), under.field.as_str()),
                    format!("would be written over, and is the date by which {class} is kept"),
                    format!("leave it as it is: keep = {{ {} = \"reason\" }} if it is personal", under.field),
                );
            }
        }
    }
}

/// Sets the tombstones: a record that a kept record needs cannot be deleted before the kept record. Until then it
/// stays, anonymised. This holds even without a foreign key, because a record without its customer has no owner.
pub(super) fn put_tombstones(
    reader: &mut Reader,
    path: &str,
    rules: (&Rules, &Strategies),
    keepers: &[&dyn Keeper],
    classes: &mut BTreeMap<ClassName, ClassTreatment>,
    map: &DataMap,
) {
    let needed = needed_by(keepers, classes, map);
    for (name, by) in &needed {
        let (Some(class), Some(first)) = (map.class(name.as_str()), by.first()) else { continue };
        let path = join(path, name.as_str());
        let because = keeper_behind(keepers, &needed, first).map_or_else(
            || format!("{first} needs it, which a duty may keep"),
            |keeper| keeper.because(first),
        );
        let mut own = Reader::default();
        let meanwhile = super::compile_class(&mut own, &path, rules, &ClassRule::anonymise(), class, map);
        for problem in own.into_problems() {
            reader.problem(
                problem.path,
                format!("cannot go at once, because {because}; it {}", problem.what),
                "write a rule under anonymise that it takes, or treat the class with { action = \"anonymise\", fields = … }",
            );
        }
        if let Some(treated) = classes.get_mut(name) {
            let ClassTreatment { mut fields, mut kept, kept_for, unreadable, .. } = meanwhile;
            // The record would be gone: nothing of it stays for a time of its own.
            for (field, then) in kept_for {
                kept.remove(&field);
                fields.insert(field, then.then);
            }
            treated.unreadable.extend(unreadable);
            treated.tombstone = Some(Tombstone { fields, kept, needed_by: by.clone() });
        }
    }
}

/// For each class that is deleted or handed over: the classes whose records stay for now and may need its records.
fn needed_by(
    keepers: &[&dyn Keeper],
    classes: &BTreeMap<ClassName, ClassTreatment>,
    map: &DataMap,
) -> BTreeMap<ClassName, BTreeSet<ClassName>> {
    let goes = |name: &ClassName| {
        let action = classes.get(name).map(ClassTreatment::action);
        matches!(action, Some(RecordAction::Delete | RecordAction::Reassign))
    };
    let is_under = |name: &ClassName| classes.get(name).is_some_and(|treated| !treated.under_duty.is_empty());
    let together: BTreeSet<&(ClassName, String)> =
        classes.values().flat_map(|class| &class.under_duty).flat_map(|under| &under.needs).collect();
    let is_kept_with_others = |name: &ClassName| {
        map.links_to(name).any(|(from, link)| {
            together.iter().any(|(class, known)| class == from.name() && known == link.name())
        })
    };
    // For each class that a kept record may reference, directly or through others: the classes that reference it.
    let mut needed = BTreeMap::<ClassName, BTreeSet<ClassName>>::new();
    loop {
        let mut found = needed.clone();
        for class in map.classes() {
            let name = class.name();
            let is_needed = needed.contains_key(name);
            if !is_needed && !is_under(name) && !is_kept_with_others(name) {
                continue;
            }
            let links = class.links().iter();
            let links = links.filter(|link| is_needed || !stays_as_long(keepers, classes, name, link));
            let root = (name != map.root()).then(|| map.root());
            for to in links.map(Link::to).chain(root) {
                found.entry(to.clone()).or_default().insert(name.clone());
            }
        }
        if found == needed {
            needed.retain(|name, _| goes(name));
            return needed;
        }
        needed = found;
    }
}

/// What keeps the records of a class, or of a class whose records need it.
fn keeper_behind<'k>(
    keepers: &[&'k dyn Keeper],
    needed: &BTreeMap<ClassName, BTreeSet<ClassName>>,
    class: &ClassName,
) -> Option<&'k dyn Keeper> {
    let mut todo = vec![class];
    let mut seen = BTreeSet::new();
    while let Some(class) = todo.pop() {
        let found = keepers.iter().find(|keeper| keeper.classes().contains_key(class));
        if let Some(found) = found {
            return Some(*found);
        }
        let more = needed.get(class).into_iter().flatten();
        todo.extend(more.filter(|class| seen.insert(*class)));
    }
    None
}

/// Whether the records from which a class's records hang are kept at least as long: by the same date, and by all that
/// keeps the class.
fn stays_as_long(
    keepers: &[&dyn Keeper],
    classes: &BTreeMap<ClassName, ClassTreatment>,
    class: &ClassName,
    link: &Link,
) -> bool {
    let under = |name| classes.get(name).map_or(&[][..], ClassTreatment::under_duty);
    let kept_by = |name: &ClassName, field: &FieldName| {
        let by_field = |keeper: &dyn Keeper| keeper.classes().get(name) == Some(field);
        (0..keepers.len())
            .filter(|n| keepers.get(*n).is_some_and(|keeper| by_field(*keeper)))
            .collect::<BTreeSet<_>>()
    };
    link.is_owner()
        && under(class).iter().all(|mine| {
            mine.through.split_first().is_some_and(|(next, beyond)| {
                next == link.to()
                    && under(link.to())
                        .iter()
                        .any(|theirs| theirs.field == mine.field && theirs.through == beyond)
                    && kept_by(class, &mine.field).is_subset(&kept_by(link.to(), &mine.field))
            })
        })
}
