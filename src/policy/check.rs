//! Holding a policy against a data map: every impossible line, all at once, before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::document::{ClassRule, FieldRule, PolicyDocument, TreatmentRule};
use super::{ClassTreatment, Guard, GuardRule, Policy, RecordAction, Treatment, Trigger};
use crate::anonymise::{Strategy, Template, Token, TokenForm};
use crate::data_map::{
    ClassName, Constraints, DataMap, Datatype, DeactivationSupport, Fact, Field, Kind, RecordClass, Role,
    Value,
};
use crate::document::{Problems, Reader, join, suggest};

pub(super) fn check(document: &PolicyDocument, map: &DataMap) -> Result<Policy, Problems> {
    let mut reader = Reader::default();
    check_triggers(&mut reader, document, map);
    check_guards(&mut reader, document, map);
    let mut treatments = BTreeMap::new();
    for (name, rule) in &document.treatments {
        let path = join("treatments", name.as_str());
        let classes = compile_classes(&mut reader, &path, document, rule, map);
        check_gateways(&mut reader, &path, rule, map);
        check_references(&mut reader, &path, rule, map);
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
    reader.finish()?;
    let digests = treatments.iter().map(|(name, t)| (name.clone(), t.digest())).collect();
    Ok(Policy {
        name: document.name.clone(),
        sweep: document.sweep,
        triggers: document.triggers.clone(),
        guards: document.guards.clone(),
        treatments,
        digests,
        digest: document.digest,
        map_digest: map.digest(),
    })
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

fn check_triggers(reader: &mut Reader, document: &PolicyDocument, map: &DataMap) {
    for (trigger, rule) in &document.triggers {
        let path = join("triggers", trigger.as_str());
        if !document.treatments.contains_key(&rule.treatment) {
            reader.problem(
                join(&path, "treatment"),
                format!("{} is no treatment", rule.treatment),
                suggest(
                    rule.treatment.as_str(),
                    document.treatments.keys().map(super::TreatmentName::as_str),
                ),
            );
        }
        if *trigger != Trigger::Requested && !map.knows(Fact::Status) {
            reader.problem(
                &path,
                "nothing tells the status of a customer",
                "say in the data map where the status comes from, or leave the trigger out",
            );
        }
        for date in rule.since.iter().filter(|date| !map.dates().contains(*date)) {
            reader.problem(
                join(&path, "since"),
                format!("nothing tells the date {date}"),
                format!(
                    "name it in the data map's dates; {}",
                    suggest(date, map.dates().iter().map(String::as_str))
                ),
            );
        }
    }
}

fn check_guards(reader: &mut Reader, document: &PolicyDocument, map: &DataMap) {
    for guard in Guard::ALL {
        let path = join("guards", guard.as_str());
        if matches!(document.guards.get(&guard), Some(GuardRule::Ignore { .. })) {
            continue;
        }
        if !map.knows(guard.needs()) {
            reader.problem(
                &path,
                "blocks, but nothing in the data map tells this fact",
                "say in the data map where it comes from, or write { ignore = \"reason\" }",
            );
        } else if guard == Guard::NotArchived
            && matches!(map.deactivation(), DeactivationSupport::None { .. })
        {
            reader.problem(
                &path,
                "blocks, but the data map says that customers cannot be deactivated",
                "write { ignore = \"reason\" }, or say what deactivated is written as",
            );
        }
    }
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
    document: &PolicyDocument,
    rule: &TreatmentRule,
    map: &DataMap,
) -> BTreeMap<ClassName, ClassTreatment> {
    for name in rule.classes.keys().filter(|name| map.class(name.as_str()).is_none()) {
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
        let Some(rule) = rule.classes.get(class.name()) else {
            reader.problem(
                path,
                "is not covered",
                "write \"delete\", \"anonymise\", \"reassign\" or { keep = \"reason\" }",
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
            reader.problem(&path, what, "write \"delete\", \"anonymise\" or { keep = \"reason\" }");
        }
        let compiled = compile_class(reader, &path, document, rule, class);
        classes.insert(class.name().clone(), compiled);
    }
    classes
}

fn compile_class(
    reader: &mut Reader,
    path: &str,
    document: &PolicyDocument,
    rule: &ClassRule,
    class: &RecordClass,
) -> ClassTreatment {
    let mut compiled =
        ClassTreatment { action: rule.action.clone(), fields: BTreeMap::new(), kept: BTreeMap::new() };
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
        if !rule.keep.is_empty() || !rule.fields.is_empty() {
            reader.problem(
                path,
                format!("says something of fields, but the action is {}", rule.action.as_str()),
                "leave `keep` and `fields` out, or write action = \"anonymise\"",
            );
        }
        return compiled;
    }
    for field in class.fields() {
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
        let (rule_path, field_rule) = match (named, field.kind()) {
            (Some(rule), _) => (join(&join(path, "fields"), name), rule),
            (None, None) => continue,
            (None, Some(_)) if field.role() == Role::Computed => continue,
            (None, Some(kind)) => {
                let Some(rule) = document.anonymise.get(kind) else {
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
        match resolve(field, field_rule) {
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
    compiled
}

enum Resolved {
    Write(Strategy),
    Keep(String),
}

struct Impossible {
    what: String,
    way_out: String,
}

fn impossible<T>(what: impl Into<String>, way_out: impl Into<String>) -> Result<T, Impossible> {
    Err(Impossible { what: what.into(), way_out: way_out.into() })
}

/// What a rule comes down to for one field.
fn resolve(field: &Field, rule: &FieldRule) -> Result<Resolved, Impossible> {
    if !matches!(rule, FieldRule::Keep(_)) {
        writable(field)?;
    }
    let constraints = field.constraints();
    let form = match field.kind() {
        Some(Kind::Email) => TokenForm::Email,
        Some(Kind::Username) => TokenForm::Username,
        _ => TokenForm::Plain,
    };
    match rule {
        FieldRule::Keep(reason) => return Ok(Resolved::Keep(reason.clone())),
        FieldRule::Remove => remove(constraints, form),
        FieldRule::Clear => clear(constraints),
        FieldRule::Token => token(constraints, form),
        FieldRule::Invalidate => invalidate(constraints),
        FieldRule::Constant(value) => constant(constraints, value),
        FieldRule::Placeholder(template) => placeholder(constraints, template),
    }
    .map(Resolved::Write)
}

/// Whether a field of a record that stays can be altered at all.
fn writable(field: &Field) -> Result<(), Impossible> {
    if field.is_token_part() {
        return impossible(
            "is part of what the ledger's token of the customer is made of, and the record stays",
            "keep it with a reason, or delete the record",
        );
    }
    if field.is_linked() {
        return impossible(
            "is what other records point at, and the record stays",
            "keep it with a reason, or delete the record",
        );
    }
    match field.role() {
        Role::Value => Ok(()),
        Role::Key | Role::Owner => impossible(
            "is the record's key or says whose it is, and the record stays",
            "keep it with a reason, or delete the record",
        ),
        Role::Computed => {
            impossible("is computed by the database", "treat the fields from which it is computed")
        }
    }
}

fn takes_text(constraints: &Constraints) -> bool {
    matches!(constraints.datatype, Datatype::Text | Datatype::Any)
}

fn room(constraints: &Constraints) -> usize {
    constraints.max_chars.map_or(usize::MAX, |chars| usize::try_from(chars).unwrap_or(usize::MAX))
}

fn clear(constraints: &Constraints) -> Result<Strategy, Impossible> {
    if constraints.nullable {
        Ok(Strategy::Clear)
    } else {
        impossible(
            "cannot be cleared: NULL is not allowed there",
            "write \"remove\", a placeholder or a constant",
        )
    }
}

fn needs_text(constraints: &Constraints, what: &str) -> Result<(), Impossible> {
    if takes_text(constraints) {
        Ok(())
    } else {
        impossible(
            format!("cannot take {what}: it is no text"),
            "write { constant = … } of its type, or \"clear\" where NULL is allowed",
        )
    }
}

fn constant(constraints: &Constraints, value: &Value) -> Result<Strategy, Impossible> {
    if constraints.unique {
        return impossible("cannot take a constant: its values must differ", "write \"token\", or \"clear\"");
    }
    let fits = match (constraints.datatype, value) {
        (Datatype::Any | Datatype::Numeric, _)
        | (Datatype::Text, Value::Text(_))
        | (Datatype::Integer | Datatype::Real, Value::Integer(_))
        | (Datatype::Real, Value::Real(_)) => true,
        (Datatype::Text | Datatype::Integer | Datatype::Real | Datatype::Blob, _) => false,
    };
    if !fits {
        return impossible("cannot take that constant: it is of another type", "write one of its type");
    }
    if value.as_text().is_some_and(|text| text.chars().count() > room(constraints)) {
        return impossible(
            format!("cannot take that constant: it takes {} characters", room(constraints)),
            "write a shorter one",
        );
    }
    Ok(Strategy::Constant(value.clone()))
}

fn placeholder(constraints: &Constraints, template: &Template) -> Result<Strategy, Impossible> {
    needs_text(constraints, "a placeholder")?;
    if constraints.unique {
        return impossible(
            "cannot take a placeholder: its values must differ",
            "write \"token\", or \"clear\"",
        );
    }
    if template.chars() > room(constraints) {
        return impossible(
            format!(
                "cannot take that placeholder: it takes {} characters, and that is {}",
                room(constraints),
                template.chars()
            ),
            "write a shorter one, or \"remove\"",
        );
    }
    Ok(Strategy::Placeholder(template.clone()))
}

fn token(constraints: &Constraints, form: TokenForm) -> Result<Strategy, Impossible> {
    needs_text(constraints, "a token")?;
    match Token::fitting(form, constraints.max_chars) {
        Some(token) => Ok(Strategy::Token(token)),
        None => impossible(
            format!("cannot take a token: it takes {} characters, too few for one", room(constraints)),
            "write \"clear\" where NULL is allowed, or a constant where values need not differ",
        ),
    }
}

fn invalidate(constraints: &Constraints) -> Result<Strategy, Impossible> {
    needs_text(constraints, "an invalid password")?;
    let token = Token::fitting(TokenForm::Plain, constraints.max_chars.map(|chars| chars.saturating_sub(1)));
    if room(constraints) == 0 || (token.is_none() && constraints.unique) {
        return impossible(
            "cannot be invalidated: there is no room",
            "write \"clear\" where NULL is allowed",
        );
    }
    Ok(Strategy::Invalidate(token))
}

/// Dated placeholders, longest first. Each has a word in it: a bare day could not be told from a day of birth.
fn dated(form: TokenForm) -> &'static [&'static str] {
    match form {
        TokenForm::Email => &[
            "anonymised-{date}@erased.invalid",
            "erased-{date}@erased.invalid",
            "{date}@erased.invalid",
            "{date}@x.invalid",
        ],
        TokenForm::Username | TokenForm::Plain => &["Anonymised {date}", "Erased {date}"],
    }
}

/// `remove`: NULL where allowed, else the longest dated placeholder that fits, else a token, else, where values
/// need not differ, a word or a dash.
fn remove(constraints: &Constraints, form: TokenForm) -> Result<Strategy, Impossible> {
    if let Ok(strategy) = clear(constraints) {
        return Ok(strategy);
    }
    needs_text(constraints, "what \"remove\" writes")?;
    dated(form)
        .iter()
        .filter_map(|text| text.parse().ok())
        .find_map(|template| placeholder(constraints, &template).ok())
        .or_else(|| token(constraints, form).ok())
        .or_else(|| ["Erased", "-"].iter().find_map(|word| constant(constraints, &Value::from(*word)).ok()))
        .map_or_else(|| token(constraints, form), Ok)
}

/// Deletes that something which stays forbids.
fn check_references(reader: &mut Reader, path: &str, rule: &TreatmentRule, map: &DataMap) {
    let action = |name: &ClassName| rule.classes.get(name).map(|rule| &rule.action);
    for class in map.classes() {
        if action(class.name()) != Some(&RecordAction::Delete) {
            continue;
        }
        let path = join(path, class.name().as_str());
        for needed in class.needed() {
            reader.problem(
                &path,
                format!("cannot be deleted: {needed} points at it and is ignored by the data map"),
                "map that table and say what happens to it, or anonymise this class",
            );
        }
        for other in map.classes() {
            for reference in other.referenced().iter().filter(|reference| reference.to == *class.name()) {
                let Some(of_other) = action(other.name()) else { continue };
                let fields: Vec<&str> =
                    reference.fields.iter().map(crate::data_map::FieldName::as_str).collect();
                let through =
                    if fields.is_empty() { String::new() } else { format!(".{}", fields.join("+")) };
                match of_other {
                    RecordAction::Delete | RecordAction::Reassign if reference.owner => {}
                    RecordAction::Delete | RecordAction::Reassign => reader.problem(
                        &path,
                        format!(
                            "cannot be deleted: {}{through} may point at it from records of other customers",
                            other.name()
                        ),
                        "anonymise this class",
                    ),
                    RecordAction::Anonymise | RecordAction::Keep { .. } => reader.problem(
                        &path,
                        format!(
                            "cannot be deleted: {}{through} points at it and stays ({})",
                            other.name(),
                            of_other.as_str()
                        ),
                        format!("anonymise this class, or delete or reassign {}", other.name()),
                    ),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
