//! What a rule comes down to for one field, by what the store demands of its values.

use crate::anonymise::{Generalisation, Strategies, Strategy, Template, Token, TokenForm};
use crate::data_map::{Constraints, Datatype, Field, Kind, Role, Value};
use crate::policy::document::FieldRule;

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
    let form = form_of(field);
    match rule {
        FieldRule::Keep(reason) => return Ok(Resolved::Keep(reason.clone())),
        FieldRule::Own(name) => {
            let Some(own) = strategies.get(name) else { return Ok(Resolved::Unknown) };
            match own.suits(field.kind(), constraints) {
                Ok(()) => Ok(Strategy::Own(own)),
                Err(why) => {
                    impossible(format!("is not what strategy {name} suits: {why}"), "write another rule")
                }
            }
        }
        FieldRule::Remove => remove(constraints, form),
        FieldRule::Clear => clear(constraints),
        FieldRule::Token(chosen) => token(constraints, chosen.unwrap_or(form)),
        FieldRule::Blank => blank(constraints),
        FieldRule::Redact(with) => redact(constraints, with),
        FieldRule::Generalise(to) => generalise(field, *to),
        FieldRule::Invalidate => invalidate(constraints),
        FieldRule::Constant(value) => constant(constraints, value),
        FieldRule::Placeholder(template) => placeholder(constraints, template),
    }
    .map(Resolved::Write)
}

/// What is written to a field that was to stay, and cannot.
pub(super) fn cleared(field: &Field) -> Result<Strategy, Impossible> {
    writable(field)?;
    remove(field.constraints(), form_of(field))
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
    Ok(Strategy::Placeholder(template.clone()))
}

fn token(constraints: &Constraints, form: TokenForm) -> Result<Strategy, Impossible> {
    needs_text(constraints, "a token")?;
    match Token::fitting(form, constraints.max_chars) {
        Some(token) if constraints.unique && !token.is_unique() => impossible(
            format!("cannot take a token of {} digits: its values must differ", token.chars()),
            "write at least 16 digits, or another form",
        ),
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

/// A text without mentions of the person.
fn redact(constraints: &Constraints, with: &str) -> Result<Strategy, Impossible> {
    needs_text(constraints, "a text without mentions")?;
    if constraints.unique {
        return impossible(
            "cannot be redacted: its values must differ",
            "write \"token\", or \"clear\" where NULL is allowed",
        );
    }
    Ok(Strategy::Redact { with: with.to_owned(), max_chars: constraints.max_chars })
}

/// A blank document; what is none goes, or leaves an empty file where NULL is not allowed.
fn blank(constraints: &Constraints) -> Result<Strategy, Impossible> {
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
    let otherwise = clear(constraints).unwrap_or_else(|_| Strategy::Constant(Value::Blob(Vec::new())));
    Ok(Strategy::Blank { otherwise: Box::new(otherwise) })
}

/// A general value where the field takes one; what cannot be read is removed.
pub(super) fn generalise(field: &Field, to: Generalisation) -> Result<Strategy, Impossible> {
    writable(field)?;
    let (constraints, form) = (field.constraints(), form_of(field));
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
    let otherwise = Box::new(remove(constraints, form)?);
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

/// `remove`: NULL where allowed, else the longest dated placeholder that fits, else a token, else, where values
/// need not differ, a word or a dash.
pub(super) fn remove(constraints: &Constraints, form: TokenForm) -> Result<Strategy, Impossible> {
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
