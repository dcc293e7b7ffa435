//! Resolves a rule for one field, within the constraints of the field's values.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::anonymise::text::Detector;
use crate::anonymise::{Draw, Generalisation, Own, Seed, Strategies, Strategy, Template, Token, TokenForm};
use crate::data_map::{Check, Constraints, Datatype, Field, Kind, RecordKey, Role, Value};
use crate::policy::document::{FieldRule, KeepRule, Otherwise};

pub(super) enum Resolved {
    Write(Strategy),
    Keep(KeepRule),
    /// A strategy of the host's own that the host did not register.
    Unknown,
}

pub(super) struct Impossible {
    pub(super) what: String,
    pub(super) way_out: String,
}

/// Why something cannot be written to a field. The suggested way out depends on the whole column, and not only on
/// this reason: see [`way_out`].
pub(super) struct Cannot(pub(super) String);

fn cannot<T>(what: impl Into<String>) -> Result<T, Cannot> {
    Err(Cannot(what.into()))
}

/// Resolves a rule for one field.
pub(super) fn resolve(
    field: &Field,
    rule: &FieldRule,
    strategies: &Strategies,
) -> Result<Resolved, Impossible> {
    let strategy = match rule {
        FieldRule::Keep(rule) => return Ok(Resolved::Keep(rule.clone())),
        FieldRule::Own(name) if writable(field).is_ok() && strategies.get(name).is_none() => {
            return Ok(Resolved::Unknown);
        }
        rule => writable(field).and_then(|()| strategy(field, rule, strategies)),
    };
    match strategy {
        Ok(strategy) => Ok(Resolved::Write(strategy)),
        Err(Cannot(what)) => Err(Impossible { what, way_out: way_out(field) }),
    }
}

/// The strategy of a rule, for a field that can be written.
fn strategy(field: &Field, rule: &FieldRule, strategies: &Strategies) -> Result<Strategy, Cannot> {
    let constraints = field.constraints();
    match rule {
        FieldRule::Own(name) => match strategies
            .get(name)
            .map(|own| (own.suits(field.kind(), constraints), own))
        {
            Some((Ok(()), own)) => of_the_host(field, own),
            Some((Err(why), _)) => cannot(format!("is not what strategy {name} suits: {why}")),
            None => cannot(format!("is to be written by strategy {name}, which this program does not have")),
        },
        FieldRule::Remove => remove(field),
        FieldRule::Clear => clear(field),
        FieldRule::Token(chosen) => token(field, chosen.unwrap_or_else(|| form_of(field))),
        FieldRule::Blank(otherwise) => blank(field, *otherwise),
        FieldRule::Redact { with, also, names_alone, .. } => redact(field, with, also, *names_alone),
        FieldRule::Generalise(to) => generalise(field, *to),
        FieldRule::Invalidate => invalidate(field),
        FieldRule::Constant(value) => constant(field, value),
        FieldRule::Placeholder(template) => placeholder(field, template),
        FieldRule::Keep(_) => cannot("stays"),
    }
}

/// The maximum number of rules that an error suggests, besides keeping the value.
const SUGGESTIONS: usize = 3;

/// What can be written instead, in the policy's spelling. Each suggested rule was checked against all constraints of
/// the column.
pub(super) fn way_out(field: &Field) -> String {
    let mut rules = accepted_rules(field);
    rules.truncate(SUGGESTIONS);
    if field.kind().is_none() {
        rules.push("leave the field out: it is not personal".to_owned());
    } else if field.role() == Role::Computed {
        rules.push("leave the field out, and treat the fields from which it is computed".to_owned());
    } else {
        rules.push("{ keep = \"reason\" }".to_owned());
    }
    let (last, others) = rules.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    match (others.is_empty(), last.starts_with("leave")) {
        (true, true) => last.to_owned(),
        (true, false) => format!("write {last}"),
        (false, _) => format!("write {}, or {last}", others.join(", ")),
    }
}

/// What can replace a whole value that cannot be read, in the policy's spelling. The replacement of a JSON document
/// is a JSON document.
pub(super) fn instead(field: &Field, is_json: bool) -> String {
    let rules = if is_json {
        let empty = constant(field, &Value::from("{}")).is_ok();
        let cleared = clear(field).is_ok();
        [(cleared, "\"clear\""), (empty, "{ constant = \"{}\" }")]
            .into_iter()
            .filter(|(can, _)| *can)
            .map(|(_, rule)| rule.to_owned())
            .collect()
    } else {
        let mut rules = accepted_rules(field);
        rules.truncate(SUGGESTIONS);
        rules
    };
    if rules.is_empty() {
        "leave it out, and mend the values".to_owned()
    } else {
        format!("write {}", rules.join(" or "))
    }
}

/// The rules that the field accepts, of the rules that need no further information.
fn accepted_rules(field: &Field) -> Vec<String> {
    if writable(field).is_err() {
        return Vec::new();
    }
    let mut rules = Vec::new();
    let mut found: Vec<Strategy> = Vec::new();
    let mut offer = |rule: String, strategy: Result<Strategy, Cannot>| {
        if let Ok(strategy) = strategy
            && !found.contains(&strategy)
        {
            found.push(strategy);
            rules.push(rule);
        }
    };
    offer("\"clear\"".to_owned(), clear(field));
    offer("\"remove\"".to_owned(), remove(field));
    offer("\"token\"".to_owned(), token(field, form_of(field)));
    let differing =
        if form_of(field) == TokenForm::Email { "{token}@erased.invalid" } else { "Erased {token}" };
    for text in dated(form_of(field)).iter().rev().take(1).chain(&[differing]) {
        if let Ok(template) = text.parse() {
            offer(format!("{{ placeholder = \"{text}\" }}"), placeholder(field, &template));
        }
    }
    for (text, value) in constants(field.constraints().datatype) {
        offer(format!("{{ constant = {text} }}"), constant(field, &value));
    }
    rules
}

/// A rule that the field accepts and that keeps nothing of the old value: `"remove"`, if the field accepts it.
pub(super) fn treated_whole(field: &Field) -> Option<String> {
    let rules = accepted_rules(field);
    let removed = rules.iter().find(|rule| *rule == "\"remove\"").or(rules.first())?;
    Some(removed.clone())
}

/// Neutral constants for each type, in TOML's spelling.
fn constants(datatype: Datatype) -> Vec<(&'static str, Value)> {
    match datatype {
        Datatype::Text | Datatype::Any => vec![("\"-\"", Value::from("-"))],
        Datatype::Integer | Datatype::Real | Datatype::Numeric => {
            vec![("0", Value::Integer(0)), ("1", Value::Integer(1))]
        }
        Datatype::Blob => Vec::new(),
    }
}

/// A strategy of the host's own declares what it fits. What it writes is checked anyway.
fn of_the_host(field: &Field, own: Own) -> Result<Strategy, Cannot> {
    let (constraints, name) = (field.constraints(), own.name().to_owned());
    let strategy = Strategy::Own(own);
    let wrong = samples(field, &strategy).find_map(|value| match &value {
        Value::Null if !constraints.nullable => Some("NULL, which is not allowed there".to_owned()),
        Value::Null if field.null_counts_in().is_some() => Some(format!("NULL, and {}", must_differ(field))),
        Value::Text(text) if text.chars().count() > room(constraints) => {
            Some(format!("more than the {} characters that it takes", room(constraints)))
        }
        _ => None,
    });
    match wrong {
        Some(what) => cannot(format!("would get from strategy {name} {what}")),
        None => accepted(field, strategy),
    }
}

/// The strategy for a field that was to stay but cannot.
pub(super) fn cleared(field: &Field) -> Result<Strategy, Cannot> {
    writable(field)?;
    remove(field)
}

/// The number of random values to test.
const DRAWS: u8 = 32;

/// The CHECK that refuses a value, if there is one. A CHECK whose answer is unknown does not count here: the store
/// will evaluate it.
fn refuses<'f>(field: &'f Field, value: &Value) -> Option<&'f Check> {
    field.checks().iter().find(|check| check.accepts(value) == Some(false))
}

/// A strategy whose values the field's CHECKs accept. Only values that do not depend on the old value can be tested:
/// a value that is the same for everybody, or a sample of random or dated values.
fn accepted(field: &Field, strategy: Strategy) -> Result<Strategy, Cannot> {
    if field.checks().is_empty() {
        return Ok(strategy);
    }
    if let Some(check) = samples(field, &strategy).find_map(|value| refuses(field, &value)) {
        return cannot(format!(
            "cannot take what would be written ({}): {check} refuses it",
            strategy.describe()
        ));
    }
    Ok(strategy)
}

/// A sample of what a strategy writes to an empty field.
fn samples(field: &Field, strategy: &Strategy) -> impl Iterator<Item = Value> {
    let days = [(2024, 2, 29), (2026, 1, 1), (2039, 12, 31)];
    let days = days.into_iter().filter_map(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day));
    (0..DRAWS).map(|n| Seed::new([n; 32])).zip(days.cycle()).map(move |(seed, date)| {
        let (class, key) = ("check".into(), RecordKey::new("check"));
        let draw = Draw { seed: &seed, class: &class, key: &key, field: field.name(), attempt: 0, date };
        strategy.fresh(&Value::Null, &draw)
    })
}

/// Whether a field can be altered in a record that stays.
fn writable(field: &Field) -> Result<(), Cannot> {
    if field.is_token_part() {
        return cannot("is part of what the ledger's token of the customer is made of, and the record stays");
    }
    if field.is_linked() {
        return cannot("is what other records point at, and the record stays");
    }
    match field.role() {
        Role::Value => Ok(()),
        Role::Key | Role::Owner => cannot("is the record's key or says whose it is, and the record stays"),
        Role::Computed => cannot("is computed by the database"),
    }
}

fn form_of(field: &Field) -> TokenForm {
    match field.kind() {
        _ if field.constraints().datatype == Datatype::Integer => TokenForm::Integer,
        Some(Kind::Email) => TokenForm::Email,
        Some(Kind::Username) => TokenForm::Username,
        _ => TokenForm::Plain,
    }
}

fn takes_text(constraints: &Constraints) -> bool {
    matches!(constraints.datatype, Datatype::Text | Datatype::Any)
}

fn room(constraints: &Constraints) -> usize {
    constraints.max_chars.map_or(usize::MAX, |chars| usize::try_from(chars).unwrap_or(usize::MAX))
}

fn clear(field: &Field) -> Result<Strategy, Cannot> {
    if let Some(check) = refuses(field, &Value::Null) {
        cannot(format!("cannot be cleared: {check} refuses NULL"))
    } else if let Some(index) = field.null_counts_in() {
        cannot(format!(
            "cannot be cleared: in {index} NULL collides like a value, and its values must differ"
        ))
    } else if field.constraints().nullable {
        Ok(Strategy::Clear)
    } else {
        cannot("cannot be cleared: NULL is not allowed there")
    }
}

/// Why two records cannot have the same value.
fn must_differ(field: &Field) -> String {
    match field.differs_by() {
        [] => "its values must differ".to_owned(),
        indexes => {
            let indexes: Vec<String> = indexes.iter().map(ToString::to_string).collect();
            format!("its values must differ, by {}", indexes.join(" and by "))
        }
    }
}

fn needs_text(constraints: &Constraints, what: &str) -> Result<(), Cannot> {
    if takes_text(constraints) { Ok(()) } else { cannot(format!("cannot take {what}: it is no text")) }
}

fn constant(field: &Field, value: &Value) -> Result<Strategy, Cannot> {
    let constraints = field.constraints();
    if constraints.unique {
        return cannot(format!("cannot take a constant: {}", must_differ(field)));
    }
    let fits = match (constraints.datatype, value) {
        (Datatype::Any | Datatype::Numeric, _)
        | (Datatype::Text, Value::Text(_))
        | (Datatype::Integer | Datatype::Real, Value::Integer(_))
        | (Datatype::Real, Value::Real(_)) => true,
        (Datatype::Text | Datatype::Integer | Datatype::Real | Datatype::Blob, _) => false,
    };
    if !fits {
        return cannot("cannot take that constant: it is of another type");
    }
    if value.as_text().is_some_and(|text| text.chars().count() > room(constraints)) {
        return cannot(format!("cannot take that constant: it takes {} characters", room(constraints)));
    }
    if let Some(check) = refuses(field, value) {
        return cannot(format!("cannot take that constant: {check} refuses it"));
    }
    Ok(Strategy::Constant(value.clone()))
}

fn placeholder(field: &Field, template: &Template) -> Result<Strategy, Cannot> {
    let constraints = field.constraints();
    needs_text(constraints, "a placeholder")?;
    if constraints.unique && !template.is_unique() {
        return cannot(format!("cannot take a placeholder: {}", must_differ(field)));
    }
    if template.chars() > room(constraints) {
        return cannot(format!(
            "cannot take that placeholder: it takes {} characters, and that is {}",
            room(constraints),
            template.chars()
        ));
    }
    accepted(field, Strategy::Placeholder(template.clone()))
}

fn token(field: &Field, form: TokenForm) -> Result<Strategy, Cannot> {
    let constraints = field.constraints();
    if form == TokenForm::Integer {
        if constraints.datatype != Datatype::Integer {
            return cannot("cannot take a random number: it holds no whole numbers");
        }
        // Positive numbers if the CHECKs accept them, otherwise negative numbers.
        let number = |negative| accepted(field, Strategy::Token(Token::number(negative)));
        return number(false).or_else(|refused| number(true).map_err(|_| refused));
    }
    needs_text(constraints, "a token")?;
    match Token::fitting(form, constraints.max_chars) {
        Some(token) if constraints.unique && !token.is_unique() => cannot(format!(
            "cannot take a token of {} digits: its values must differ, which takes at least 16",
            token.chars()
        )),
        Some(token) => accepted(field, Strategy::Token(token)),
        None => {
            cannot(format!("cannot take a token: it takes {} characters, too few for one", room(constraints)))
        }
    }
}

fn invalidate(field: &Field) -> Result<Strategy, Cannot> {
    let constraints = field.constraints();
    needs_text(constraints, "an invalid password")?;
    let token = Token::fitting(TokenForm::Plain, constraints.max_chars.map(|chars| chars.saturating_sub(1)));
    if room(constraints) == 0 || (token.is_none() && constraints.unique) {
        return cannot("cannot be invalidated: there is no room");
    }
    accepted(field, Strategy::Invalidate(token))
}

/// The strategy that removes mentions of the person from a text. The result depends on the text, so the check cannot
/// tell whether a CHECK accepts the result.
fn redact(
    field: &Field,
    with: &str,
    also: &BTreeSet<Detector>,
    names_alone: bool,
) -> Result<Strategy, Cannot> {
    let constraints = field.constraints();
    needs_text(constraints, "a text without mentions")?;
    if constraints.unique {
        return cannot(format!("cannot be redacted: {}", must_differ(field)));
    }
    let (with, also) = (with.to_owned(), also.clone());
    let (max_chars, encoding) = (constraints.max_chars, field.encoding());
    Ok(Strategy::Redact { with, max_chars, also, names_alone, encoding })
}

/// The strategy that blanks a document. The policy says whether a file that cannot be blanked is deleted or becomes
/// an empty file. By default it is deleted if NULL is allowed.
fn blank(field: &Field, otherwise: Option<Otherwise>) -> Result<Strategy, Cannot> {
    let constraints = field.constraints();
    if cfg!(not(feature = "pdf")) {
        return cannot("cannot be blanked: this program was built without the feature `pdf`");
    }
    if !matches!(constraints.datatype, Datatype::Blob | Datatype::Any) {
        return cannot("cannot be blanked: it holds no bytes, and so no document");
    }
    if constraints.unique {
        return cannot(format!("cannot be blanked: {}", must_differ(field)));
    }
    let empty = || accepted(field, Strategy::Constant(Value::Blob(Vec::new())));
    let otherwise = match (otherwise, clear(field)) {
        (Some(Otherwise::Empty), _) | (None, Err(_)) => empty()?,
        (_, Ok(cleared)) => cleared,
        (Some(Otherwise::Delete), Err(Cannot(what))) => {
            return cannot(format!("has to go where it holds no document that can be blanked, and {what}"));
        }
    };
    Ok(Strategy::Blank { otherwise: Box::new(otherwise) })
}

/// The strategy that makes a value general, if the field accepts the result. A value that cannot be read is removed.
pub(super) fn generalise(field: &Field, to: Generalisation) -> Result<Strategy, Cannot> {
    writable(field)?;
    let constraints = field.constraints();
    let takes_it = match constraints.datatype {
        Datatype::Text | Datatype::Any => true,
        // A column declared as DATE holds texts.
        Datatype::Numeric => matches!(to, Generalisation::Year | Generalisation::Month),
        Datatype::Integer => to == Generalisation::AgeBand,
        Datatype::Real | Datatype::Blob => false,
    };
    if !takes_it {
        return cannot(format!("cannot be generalised to {}: it is of another type", to.describe()));
    }
    if constraints.unique {
        return cannot(format!("cannot be generalised: {}", must_differ(field)));
    }
    let is_text = constraints.datatype != Datatype::Integer;
    if let Some(chars) = to.chars().filter(|chars| is_text && *chars > room(constraints)) {
        return cannot(format!(
            "cannot be generalised to {}: it takes {} characters, and that is {chars}",
            to.describe(),
            room(constraints)
        ));
    }
    // A CHECK may refuse some general values. That can happen only for old values that it would have refused, too. It
    // is a problem only if the CHECK refuses all examples.
    let mut refused_by = to.examples(is_text).into_iter().map(|value| refuses(field, &value));
    if let Some(Some(check)) = refused_by.next()
        && refused_by.all(|refused| refused.is_some())
    {
        return cannot(format!("cannot be generalised to {}: {check} refuses it", to.describe()));
    }
    let otherwise = Box::new(remove(field)?);
    Ok(Strategy::Generalise { to, otherwise })
}

/// Some named generalisations that a field accepts, in the policy's spelling.
pub(super) fn general_rules(field: &Field) -> Vec<String> {
    let taken = Generalisation::NAMED.iter().filter(|(_, to)| generalise(field, *to).is_ok());
    taken.take(SUGGESTIONS).map(|(name, _)| format!("\"{name}\"")).collect()
}

/// The next, more general step of a generalisation, if there is one that the field accepts.
pub(super) fn coarser(field: &Field, to: Generalisation) -> Option<Generalisation> {
    to.coarser().filter(|coarser| generalise(field, *coarser).is_ok())
}

/// Dated placeholders, longest first. Each contains a word: a bare day would look like a day of birth.
pub(super) fn dated(form: TokenForm) -> &'static [&'static str] {
    match form {
        TokenForm::Email => &[
            "anonymised-{date}@erased.invalid",
            "erased-{date}@erased.invalid",
            "{date}@erased.invalid",
            "{date}@x.invalid",
        ],
        TokenForm::Username | TokenForm::Plain | TokenForm::Uuid | TokenForm::Digits(_) => {
            &["Anonymised {date}", "Erased {date}"]
        }
        TokenForm::Integer => &[],
    }
}

/// Other forms of a token, for when a CHECK refuses the usual form of the field's kind.
const OTHER_FORMS: [TokenForm; 4] =
    [TokenForm::Plain, TokenForm::Uuid, TokenForm::Digits(16), TokenForm::Digits(10)];

/// The strategy of `remove`: the first of these that the field and its CHECKs accept.
///
/// 1. NULL.
/// 2. For whole numbers that must differ, a random number.
/// 3. The longest dated placeholder that fits.
/// 4. A token.
/// 5. A word or a dash, if the values need not differ.
pub(super) fn remove(field: &Field) -> Result<Strategy, Cannot> {
    let form = form_of(field);
    if let Ok(strategy) = clear(field) {
        return Ok(strategy);
    }
    // Whole numbers that must differ are identifiers. Amounts and counts need not differ, and a random number would
    // change every sum. There the policy has to name the number.
    if form == TokenForm::Integer && field.constraints().unique {
        return token(field, form);
    }
    needs_text(field.constraints(), "what \"remove\" writes")?;
    let is_checked = !field.checks().is_empty();
    let others = OTHER_FORMS.iter().filter(|_| is_checked);
    dated(form)
        .iter()
        .filter_map(|text| text.parse().ok())
        .find_map(|template| placeholder(field, &template).ok())
        .or_else(|| token(field, form).ok())
        .or_else(|| others.copied().find_map(|form| token(field, form).ok()))
        .or_else(|| ["Erased", "-"].iter().find_map(|word| constant(field, &Value::from(*word)).ok()))
        .map_or_else(|| token(field, form), Ok)
        .map_err(|cannot| match field.checks() {
            [] => cannot,
            checks => Cannot(format!(
                "cannot be removed: NULL, placeholders, tokens and a dash are all refused, by NOT NULL or by {}",
                checks.iter().map(Check::text).collect::<Vec<_>>().join(", ")
            )),
        })
}
