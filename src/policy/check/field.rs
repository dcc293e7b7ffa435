//! What a rule comes down to for one field, by what the store demands of its values.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::anonymise::text::Detector;
use crate::anonymise::{Draw, Generalisation, Own, Seed, Strategies, Strategy, Template, Token, TokenForm};
use crate::data_map::{Check, Constraints, Datatype, Field, Kind, RecordKey, Role, Value};
use crate::policy::document::{FieldRule, Otherwise};

pub(super) enum Resolved {
    Write(Strategy),
    Keep(String),
    /// A strategy of the host's own that the host does not have.
    Unknown,
}

pub(super) struct Impossible {
    pub(super) what: String,
    pub(super) way_out: String,
}

fn impossible<T>(what: impl Into<String>, way_out: impl Into<String>) -> Result<T, Impossible> {
    Err(Impossible { what: what.into(), way_out: way_out.into() })
}

/// What a rule comes down to for one field.
pub(super) fn resolve(
    field: &Field,
    rule: &FieldRule,
    strategies: &Strategies,
) -> Result<Resolved, Impossible> {
    if !matches!(rule, FieldRule::Keep(_)) {
        writable(field)?;
    }
    let constraints = field.constraints();
    match rule {
        FieldRule::Keep(reason) => return Ok(Resolved::Keep(reason.clone())),
        FieldRule::Own(name) => {
            let Some(own) = strategies.get(name) else { return Ok(Resolved::Unknown) };
            match own.suits(field.kind(), constraints) {
                Ok(()) => of_the_host(field, own),
                Err(why) => {
                    impossible(format!("is not what strategy {name} suits: {why}"), "write another rule")
                }
            }
        }
        FieldRule::Remove => remove(field),
        FieldRule::Clear => clear(field),
        FieldRule::Token(chosen) => token(field, chosen.unwrap_or_else(|| form_of(field))),
        FieldRule::Blank(otherwise) => blank(field, *otherwise),
        FieldRule::Redact { with, also, .. } => redact(constraints, with, also),
        FieldRule::Generalise(to) => generalise(field, *to),
        FieldRule::Invalidate => invalidate(field),
        FieldRule::Constant(value) => constant(field, value),
        FieldRule::Placeholder(template) => placeholder(field, template),
    }
    .map(Resolved::Write)
}

/// A strategy of the host's own says itself what it suits. What it writes is held against that all the same.
fn of_the_host(field: &Field, own: Own) -> Result<Strategy, Impossible> {
    let (constraints, name) = (field.constraints(), own.name().to_owned());
    let strategy = Strategy::Own(own);
    let wrong = samples(field, &strategy).find_map(|value| match &value {
        Value::Null if !constraints.nullable => Some("NULL, which is not allowed there".to_owned()),
        Value::Text(text) if text.chars().count() > room(constraints) => {
            Some(format!("more than the {} characters that it takes", room(constraints)))
        }
        _ => None,
    });
    match wrong {
        Some(what) => impossible(format!("would get from strategy {name} {what}"), "write another rule"),
        None => accepted(field, strategy),
    }
}

/// What is written to a field that was to stay, and cannot.
pub(super) fn cleared(field: &Field) -> Result<Strategy, Impossible> {
    writable(field)?;
    remove(field)
}

/// For how many draws what is random is tried.
const DRAWS: u8 = 32;

/// The CHECK that refuses a value, if one does. One of which that is not known refuses nothing here: the store will.
fn refuses<'f>(field: &'f Field, value: &Value) -> Option<&'f Check> {
    field.checks().iter().find(|check| check.accepts(value) == Some(false))
}

/// A strategy whose every value the field's CHECKs accept, as far as values can be told without the old one: all of what
/// is the same for everybody, some of what is random or dated.
fn accepted(field: &Field, strategy: Strategy) -> Result<Strategy, Impossible> {
    if field.checks().is_empty() {
        return Ok(strategy);
    }
    if let Some(check) = samples(field, &strategy).find_map(|value| refuses(field, &value)) {
        return impossible(
            format!("cannot take what would be written ({}): {check} refuses it", strategy.describe()),
            "write { constant = … }, another { token = … } or a placeholder that it accepts, or \"remove\" to have one looked \
             for",
        );
    }
    Ok(strategy)
}

/// Some of what a strategy writes to a field in which there is nothing that it could read.
fn samples(field: &Field, strategy: &Strategy) -> impl Iterator<Item = Value> {
    let days = [(2024, 2, 29), (2026, 1, 1), (2039, 12, 31)];
    let days = days.into_iter().filter_map(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day));
    (0..DRAWS).map(|n| Seed::new([n; 32])).zip(days.cycle()).map(move |(seed, date)| {
        let (class, key) = ("check".into(), RecordKey::new("check"));
        let draw = Draw { seed: &seed, class: &class, key: &key, field: field.name(), attempt: 0, date };
        strategy.fresh(&Value::Null, &draw)
    })
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

fn form_of(field: &Field) -> TokenForm {
    match field.kind() {
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

fn clear(field: &Field) -> Result<Strategy, Impossible> {
    if let Some(check) = refuses(field, &Value::Null) {
        impossible(
            format!("cannot be cleared: {check} refuses NULL"),
            "write \"remove\", a placeholder or a constant",
        )
    } else if field.constraints().nullable {
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

fn constant(field: &Field, value: &Value) -> Result<Strategy, Impossible> {
    let constraints = field.constraints();
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
    if let Some(check) = refuses(field, value) {
        return impossible(
            format!("cannot take that constant: {check} refuses it"),
            "write one that it accepts",
        );
    }
    Ok(Strategy::Constant(value.clone()))
}

fn placeholder(field: &Field, template: &Template) -> Result<Strategy, Impossible> {
    let constraints = field.constraints();
    needs_text(constraints, "a placeholder")?;
    if constraints.unique && !template.is_unique() {
        return impossible(
            "cannot take a placeholder: its values must differ",
            "write \"token\" or \"clear\", or put {token} into the placeholder",
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
    accepted(field, Strategy::Placeholder(template.clone()))
}

fn token(field: &Field, form: TokenForm) -> Result<Strategy, Impossible> {
    let constraints = field.constraints();
    needs_text(constraints, "a token")?;
    match Token::fitting(form, constraints.max_chars) {
        Some(token) if constraints.unique && !token.is_unique() => impossible(
            format!("cannot take a token of {} digits: its values must differ", token.chars()),
            "write at least 16 digits, or another form",
        ),
        Some(token) => accepted(field, Strategy::Token(token)),
        None => impossible(
            format!("cannot take a token: it takes {} characters, too few for one", room(constraints)),
            "write \"clear\" where NULL is allowed, or a constant where values need not differ",
        ),
    }
}

fn invalidate(field: &Field) -> Result<Strategy, Impossible> {
    let constraints = field.constraints();
    needs_text(constraints, "an invalid password")?;
    let token = Token::fitting(TokenForm::Plain, constraints.max_chars.map(|chars| chars.saturating_sub(1)));
    if room(constraints) == 0 || (token.is_none() && constraints.unique) {
        return impossible(
            "cannot be invalidated: there is no room",
            "write \"clear\" where NULL is allowed",
        );
    }
    accepted(field, Strategy::Invalidate(token))
}

/// A text without mentions of the person. What that is depends on the text, so whether a CHECK accepts it cannot be told.
fn redact(constraints: &Constraints, with: &str, also: &BTreeSet<Detector>) -> Result<Strategy, Impossible> {
    needs_text(constraints, "a text without mentions")?;
    if constraints.unique {
        return impossible(
            "cannot be redacted: its values must differ",
            "write \"token\", or \"clear\" where NULL is allowed",
        );
    }
    Ok(Strategy::Redact { with: with.to_owned(), max_chars: constraints.max_chars, also: also.clone() })
}

/// A blank document. What is none goes or leaves an empty file, as the policy says; where it says nothing, it goes if NULL
/// is allowed.
fn blank(field: &Field, otherwise: Option<Otherwise>) -> Result<Strategy, Impossible> {
    let constraints = field.constraints();
    if cfg!(not(feature = "pdf")) {
        return impossible(
            "cannot be blanked: this program was built without the feature `pdf`",
            "build it with the feature, or write \"clear\"",
        );
    }
    if !matches!(constraints.datatype, Datatype::Blob | Datatype::Any) {
        return impossible(
            "cannot be blanked: it holds no bytes, and so no document",
            "write \"remove\", or \"clear\" where NULL is allowed",
        );
    }
    if constraints.unique {
        return impossible(
            "cannot be blanked: its values must differ",
            "write \"clear\" where NULL is allowed, or delete the records",
        );
    }
    let empty = || accepted(field, Strategy::Constant(Value::Blob(Vec::new())));
    let otherwise = match (otherwise, clear(field)) {
        (Some(Otherwise::Empty), _) | (None, Err(_)) => empty()?,
        (_, Ok(cleared)) => cleared,
        (Some(Otherwise::Delete), Err(Impossible { what, .. })) => {
            let what = format!("has to go where it holds no document that can be blanked, and {what}");
            return impossible(what, "write otherwise = \"empty\"");
        }
    };
    Ok(Strategy::Blank { otherwise: Box::new(otherwise) })
}

/// A general value where the field takes one; what cannot be read is removed.
pub(super) fn generalise(field: &Field, to: Generalisation) -> Result<Strategy, Impossible> {
    writable(field)?;
    let constraints = field.constraints();
    let takes_it = match constraints.datatype {
        Datatype::Text | Datatype::Any => true,
        // What a column declared as DATE holds are texts.
        Datatype::Numeric => matches!(to, Generalisation::Year | Generalisation::Month),
        Datatype::Integer => to == Generalisation::AgeBand,
        Datatype::Real | Datatype::Blob => false,
    };
    if !takes_it {
        return impossible(
            format!("cannot be generalised to {}: it is of another type", to.describe()),
            "write \"clear\" where NULL is allowed, or a constant of its type",
        );
    }
    if constraints.unique {
        return impossible(
            "cannot be generalised: its values must differ",
            "write \"token\", or \"clear\" where NULL is allowed",
        );
    }
    let is_text = constraints.datatype != Datatype::Integer;
    if let Some(chars) = to.chars().filter(|chars| is_text && *chars > room(constraints)) {
        return impossible(
            format!(
                "cannot be generalised to {}: it takes {} characters, and that is {chars}",
                to.describe(),
                room(constraints)
            ),
            "write \"remove\"",
        );
    }
    // A CHECK may refuse some of what comes out, for values that it would have refused before. Not all of it.
    let mut refused_by = to.examples(is_text).into_iter().map(|value| refuses(field, &value));
    if let Some(Some(check)) = refused_by.next()
        && refused_by.all(|refused| refused.is_some())
    {
        return impossible(
            format!("cannot be generalised to {}: {check} refuses it", to.describe()),
            "write \"remove\", or another generalisation",
        );
    }
    let otherwise = Box::new(remove(field)?);
    Ok(Strategy::Generalise { to, otherwise })
}

/// The next step of what a field is made general to, where there is one that the field takes.
pub(super) fn coarser(field: &Field, to: Generalisation) -> Option<Generalisation> {
    to.coarser().filter(|coarser| generalise(field, *coarser).is_ok())
}

/// Dated placeholders, longest first. Each has a word in it: a bare day could not be told from a day of birth.
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
    }
}

/// Other shapes of a token, where a CHECK refuses the one that the field's kind asks for.
const OTHER_FORMS: [TokenForm; 4] =
    [TokenForm::Plain, TokenForm::Uuid, TokenForm::Digits(16), TokenForm::Digits(10)];

/// `remove`: NULL where allowed, else the longest dated placeholder that fits, else a token, else, where values
/// need not differ, a word or a dash: the first of them that the field's CHECKs accept.
pub(super) fn remove(field: &Field) -> Result<Strategy, Impossible> {
    let form = form_of(field);
    if let Ok(strategy) = clear(field) {
        return Ok(strategy);
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
            checks => Impossible {
                what: format!(
                    "cannot be removed: NULL, placeholders, tokens and a dash are all refused, by NOT NULL or by {}",
                    checks.iter().map(Check::text).collect::<Vec<_>>().join(", ")
                ),
                way_out: "write { constant = … } or a { placeholder = … } that is accepted".to_owned(),
            },
        })
}
