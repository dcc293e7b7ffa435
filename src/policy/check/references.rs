//! Checks deletions and hand-overs against everything that references the records: records that stay, foreign keys
//! and unique indexes.
//!
//! Each suggested way out was checked by the same rules.

use std::collections::BTreeSet;

use super::super::document::{ClassRule, TreatmentRule};
use crate::data_map::{
    ClassName, DataMap, FieldName, LetGo, Link, LinkRole, RecordClass, Role, Unclaimed, WhenGone,
};
use crate::document::{Problem, Reader, join, key};
use crate::treatment::{EXPIRE, RecordAction};

/// Reports deletions that something which stays forbids.
pub(super) fn check_references(reader: &mut Reader, path: &str, rule: &TreatmentRule, map: &DataMap) {
    check_first(reader, path, rule, map);
    for class in map.classes() {
        check_class(reader, path, rule, map, class, true);
    }
}

/// The actions that a class can take in a treatment; each was checked by the same rules. If there is none, what has
/// to be done in addition to the deletion.
pub(super) fn actions(rule: &TreatmentRule, class: &RecordClass, map: &DataMap) -> String {
    let is_reassignable = class.name() != map.root() && class.is_reassignable();
    let own = rule.classes.get(class.name());
    let with = |tried: ClassRule| {
        let mut trial = rule.clone();
        trial.classes.insert(class.name().clone(), tried);
        trial
    };
    let passes = |tried: ClassRule| {
        let is_same = own.is_some_and(|own| own.action == tried.action && own.or_deletes == tried.or_deletes);
        let stays = tried.action != RecordAction::Delete && tried.action != RecordAction::Reassign;
        let trial = with(tried);
        let mut found = Reader::default();
        check_class(&mut found, "", &trial, map, class, false);
        check_first(&mut found, "", &trial, map);
        let here = join("", class.name().as_str());
        let is_here = |problem: &Problem| {
            problem.path.strip_prefix(&here).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        !is_same && (!stays || may_stay(&trial, class)) && !found.problems().iter().any(is_here)
    };
    let keep = RecordAction::Keep { reason: String::new() };
    let or_deletes = ClassRule { or_deletes: true, ..ClassRule::plain(RecordAction::Reassign) };
    let mut words = Vec::new();
    words.extend(passes(ClassRule::plain(RecordAction::Delete)).then_some("\"delete\""));
    words.extend(passes(ClassRule::anonymise()).then_some("\"anonymise\""));
    if is_reassignable && passes(ClassRule::plain(RecordAction::Reassign)) {
        words.push("\"reassign\"");
    } else if is_reassignable && passes(or_deletes) {
        words.push("{ action = \"reassign\", else = \"delete\" }");
    }
    words.extend(passes(ClassRule::plain(keep)).then_some("{ keep = \"reason\" }"));
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("write {} or {last}", others.join(", ")),
        Some((last, _)) => format!("write {last}"),
        None => {
            let mut found = Reader::default();
            let deleted = with(ClassRule::plain(RecordAction::Delete));
            check_class(&mut found, "", &deleted, map, class, true);
            let mut way_out = "write \"delete\"".to_owned();
            for problem in found.problems() {
                let first = problem.way_out.split(", or ").find(|way| *way != ANONYMISE);
                if let Some(first) = first {
                    way_out.push_str(", and ");
                    way_out.push_str(first);
                }
            }
            way_out
        }
    }
}

/// The suggestion when no other action is possible.
const ANONYMISE: &str = "anonymise this class";

/// Checks one class. Ways out are computed only if they are wanted.
fn check_class(
    reader: &mut Reader,
    path: &str,
    rule: &TreatmentRule,
    map: &DataMap,
    class: &RecordClass,
    with_ways: bool,
) {
    let actions = || if with_ways { actions(rule, class, map) } else { String::new() };
    let path = join(path, class.name().as_str());
    let Some(own) = rule.classes.get(class.name()) else { return };
    if own.action == RecordAction::Reassign {
        check_hand_over(reader, &path, own, class, &actions);
        if let Some(link) = class.links().iter().find(|link| link.goes_along()) {
            reader.problem(
                &path,
                format!("cannot be reassigned: {}.{} goes with what it leads to", class.name(), link.name()),
                {
                    let mut ways = vec![actions()];
                    ways.extend(other_words(rule, class, link));
                    ways.join(", or ")
                },
            );
        }
    }
    if own.action != RecordAction::Delete && !own.or_deletes {
        return;
    }
    for needed in class.needed() {
        reader.problem(
            &path,
            format!("cannot be deleted: {needed} points at it and is ignored by the data map"),
            "map that table and say what happens to it, or anonymise this class",
        );
    }
    for rows in class.unclaimed() {
        let Unclaimed { table, columns, on_delete } = rows;
        let (columns, so) = (columns.join(", "), on_delete.consequence());
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
            {
                let mut ways = vec![actions()];
                ways.extend(other_words(rule, other, link));
                ways.join(", or ")
            },
        );
    }
    for (other, link) in map.links_to(class.name()) {
        let Some(of_other) = rule.classes.get(other.name()).map(|rule| &rule.action) else { continue };
        let name = format!("{}.{}", other.name(), link.name());
        let name = name.trim_end_matches('.');
        if may_outlive(other, link, of_other, map) && !link.is_by_value() {
            check_let_go(reader, &path, (rule, class, map), (of_other, other, link));
        }
        if let Some(why) = stays_behind(other, link, of_other, map) {
            let ways = ways_out(rule, (&path, own, class), (of_other, other, link), map);
            reader.problem(&path, format!("cannot be deleted: {name} {why}"), ways.join(", or "));
        }
    }
}

/// Whether a record can stay in this treatment: nothing is deleted that it must reference.
fn may_stay(rule: &TreatmentRule, class: &RecordClass) -> bool {
    let goes = |link: &Link| {
        rule.classes.get(link.to()).is_some_and(|head| head.action == RecordAction::Delete || head.or_deletes)
    };
    !class.links().iter().any(|link| goes(link) && !link.lets_go() && !link.is_by_value())
}

/// Whether clearing a link writes NULL to one of its fields.
fn takes_null(class: &RecordClass, link: &Link) -> bool {
    link.fields().iter().any(|field| {
        class.find(field.as_str()).is_some_and(|field| {
            field.constraints().nullable
                && !field.is_linked()
                && !matches!(field.role(), Role::Key | Role::Computed)
        })
    })
}

/// What the map could say of a link instead of "goes", for the actions at both ends.
fn other_words(rule: &TreatmentRule, class: &RecordClass, link: &Link) -> Vec<String> {
    let end = format!("ends.{}", key(link.name()));
    let head = rule.classes.get(link.to());
    let head_stays = head.is_some_and(|head| head.action != RecordAction::Delete && !head.or_deletes);
    let mut words = Vec::new();
    if takes_null(class, link) {
        words.push(format!("write {end} = \"clear\" in the map"));
    }
    if head_stays || !link.is_enforced() {
        words.push(format!("write {end} = {{ keep = \"reason\" }} in the map"));
    }
    words
}

/// How a way out says that the records of another class are deleted, too. What expires has rules of its own: a class
/// without one stays whatever the treatments say.
fn delete_too(path: &str, class: &ClassName) -> String {
    if path.strip_prefix(EXPIRE).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
        let place = join(EXPIRE, &key(class.as_str()));
        format!(
            "let {class} expire too: {place} = {{ from = \"its date\", after = \"a period\", action = \"delete\" }}"
        )
    } else {
        format!("delete {class}")
    }
}

/// What can be done if a record that stays references a deleted record. Contains only what no other check refuses.
fn ways_out(
    rule: &TreatmentRule,
    (path, own, class): (&str, &ClassRule, &RecordClass),
    (of_other, other, link): (&RecordAction, &RecordClass, &Link),
    map: &DataMap,
) -> Vec<String> {
    let takes_null = takes_null(other, link);
    let delete_other = delete_too(path, other.name());
    let mut ways = Vec::new();
    let is_single = link.role() == LinkRole::Owner;
    if *of_other != RecordAction::Delete && stays_behind(other, link, &RecordAction::Delete, map).is_none() {
        ways.push(delete_other.clone());
    }
    let end = format!("ends.{}", key(link.name()));
    let may_go = match of_other {
        RecordAction::Delete => true,
        RecordAction::Anonymise => takes_null,
        RecordAction::Keep { .. } | RecordAction::Reassign => false,
    };
    let is_whole = own.action == RecordAction::Delete && !own.or_deletes;
    if is_whole && !is_single && other.name() != map.root() && !link.goes_along() {
        if may_go {
            ways.push(format!("write {end} = \"goes\" in the map, so that it is treated along"));
        } else {
            ways.push(format!("{delete_other}, and write {end} = \"goes\" in the map"));
        }
    }
    if takes_null && *link.gone() != WhenGone::Clear {
        ways.push(format!("write {end} = \"clear\" in the map, so that the link lets go of it"));
    }
    if may_stay(rule, class) {
        ways.push(ANONYMISE.to_owned());
    }
    if ways.is_empty() && !link.is_enforced() {
        ways.push(format!("say in the map that the link lets go of it, with a value that means nobody: {end} = {{ clear = 0 }}"));
    } else if ways.is_empty() {
        ways.push(format!(
            "let {} take NULL in the database, and write {end} = \"clear\" in the map",
            link.name()
        ));
    }
    ways
}

/// Whether a record may stay, at least for a while, when the record at the end of its link is deleted.
fn may_outlive(class: &RecordClass, link: &Link, action: &RecordAction, map: &DataMap) -> bool {
    match action {
        RecordAction::Anonymise | RecordAction::Keep { .. } => true,
        RecordAction::Reassign => link.role() != LinkRole::Owner,
        RecordAction::Delete => {
            // Of several owner links the first non-empty one counts, so whoever the first leads to is the only owner.
            let first = class.links().iter().find(|link| link.role() == LinkRole::Owner).map(Link::name);
            let is_first = first == Some(link.name());
            let ways: BTreeSet<&str> =
                class.links().iter().filter(|link| link.is_owner()).map(Link::name).collect();
            let is_held = map.links_to(class.name()).any(|(_, link)| link.is_holding());
            let is_shared = class.links().iter().any(|link| link.role() == LinkRole::Shared);
            let hangs_once = ways.len() == 1 && !is_held;
            let goes_with_it = match link.role() {
                LinkRole::Owner => hangs_once || (!is_held && !is_shared && is_first),
                LinkRole::Shared => hangs_once,
                LinkRole::End => false,
            };
            !goes_with_it && !link.goes_along()
        }
    }
}

/// In words, why a record that stays would still reference a deleted record. `None` if there is no such conflict.
fn stays_behind(class: &RecordClass, link: &Link, action: &RecordAction, map: &DataMap) -> Option<String> {
    // A value is erased together with its customer.
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
    // The deleted record hangs from this record. So this record is deleted first.
    let goes_after =
        *link.gone() == WhenGone::Forbids && link.is_holding() && *action == RecordAction::Delete;
    // A record without an owner hangs from nobody, so nobody's erasure deletes it.
    if goes_after && link.is_enforced() && link.is_perhaps_nobodys() {
        return Some("may lead to it from records without an owner, which stay".to_owned());
    }
    (!goes_after).then_some(why)
}

/// Reports owner links that would be cleared. Of several owner links the first non-empty one counts. If it is
/// cleared, the next one would lead to another customer.
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

/// Checks a hand-over: it writes the owner link, and the "Unknown Customer" may have an equal record.
fn check_hand_over(
    reader: &mut Reader,
    path: &str,
    rule: &ClassRule,
    class: &RecordClass,
    actions: &dyn Fn() -> String,
) {
    let owners = || class.links().iter().filter(|link| link.is_owner());
    // The "Unknown Customer" is of the same tenant, so the field with the tenant does not change.
    let owner: BTreeSet<&FieldName> = owners().flat_map(Link::handed_over).collect();
    let of_owner: BTreeSet<&FieldName> = owners().flat_map(Link::fields).collect();
    for unique in class.unique().iter().filter(|unique| unique.iter().any(|field| owner.contains(field))) {
        let names: Vec<&str> = unique.iter().map(FieldName::as_str).collect();
        if unique.iter().all(|field| of_owner.contains(field)) {
            reader.problem(
                path,
                format!(
                    "cannot be reassigned: UNIQUE ({}) leaves the \"Unknown Customer\" one record",
                    names.join(", ")
                ),
                actions(),
            );
        } else if !rule.or_deletes {
            reader.problem(
                path,
                format!(
                    "reassigns, and UNIQUE ({}) refuses a record that the \"Unknown Customer\" has already",
                    names.join(", ")
                ),
                actions(),
            );
        }
    }
    // Only the database can tell which of these records the "Unknown Customer" has already.
    for unique in class.unique_through() {
        if unique.fields.iter().any(|field| owner.contains(field)) {
            reader.problem(
                path,
                format!(
                    "cannot be reassigned: {} may refuse a record that the \"Unknown Customer\" has already",
                    unique.rule
                ),
                actions(),
            );
        }
    }
}

/// Checks links that are cleared: each record gets the same value, and a unique index may refuse that.
fn check_let_go(
    reader: &mut Reader,
    path: &str,
    (rule, head, map): (&TreatmentRule, &RecordClass, &DataMap),
    (action, class, link): (&RecordAction, &RecordClass, &Link),
) {
    let Some(to) = link.let_go_to() else { return };
    let is_handed_over = *link.gone() == WhenGone::StandIn;
    let is_own = |field: &FieldName| {
        if is_handed_over {
            link.handed_over().any(|own| own == field)
        } else {
            link.fields().contains(field)
        }
    };
    let plain = class.unique().iter().filter(|unique| to == LetGo::Value && unique.iter().any(is_own));
    let plain = plain.map(|unique| {
        let names: Vec<&str> = unique.iter().map(FieldName::as_str).collect();
        format!("UNIQUE ({})", names.join(", "))
    });
    let tangled = class.unique_through().iter().filter(|unique| {
        let fields = if to == LetGo::Value { &unique.fields } else { &unique.null_counts };
        fields.iter().any(is_own)
    });
    let refusing: BTreeSet<String> = plain.chain(tangled.map(|unique| unique.rule.to_string())).collect();
    let check = link.refusing_check();
    if refusing.is_empty() && check.is_none() {
        return;
    }
    let can_be_null = |field: &FieldName| {
        let is_counted = class.unique_through().iter().any(|unique| unique.null_counts.contains(field));
        class
            .find(field.as_str())
            .is_some_and(|field| field.constraints().nullable && field.role() == Role::Value)
            && !is_counted
    };
    let end = format!("ends.{}", key(link.name()));
    let mut ways = Vec::new();
    let own = rule.classes.get(head.name());
    let is_whole = own.is_some_and(|own| own.action == RecordAction::Delete && !own.or_deletes);
    if is_whole && link.role() != LinkRole::Owner && class.name() != map.root() {
        let first = if *action == RecordAction::Delete {
            String::new()
        } else {
            format!("{}, and ", delete_too(path, class.name()))
        };
        ways.push(format!("{first}write {end} = \"goes\" in the map"));
    }
    if let Some(check) = check {
        if may_stay(rule, head) {
            ways.push(ANONYMISE.to_owned());
        }
        if !link.is_enforced() {
            ways.push(format!("write {end} = {{ clear = … }} in the map, with a value that {check} accepts"));
        }
        if ways.is_empty() {
            ways.push(format!("let {} take that value in the database", link.name()));
        }
        reader.problem(
            path,
            format!(
                "cannot be deleted: {}.{} takes the value that the map writes for nobody then, and {check} refuses it",
                class.name(),
                link.name()
            ),
            ways.join(", or "),
        );
        return;
    }
    if to == LetGo::Value && link.fields().iter().all(can_be_null) {
        ways.push(format!("write {end} = \"clear\" in the map"));
    }
    if may_stay(rule, head) {
        ways.push(ANONYMISE.to_owned());
    }
    if ways.is_empty() {
        ways.push("drop that index".to_owned());
    }
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
