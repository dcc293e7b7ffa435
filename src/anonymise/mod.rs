//! A value in, a value out: what becomes of a field.
//!
//! Each [`Strategy`] is a pure function, and says what of the old value its output depends on:
//! [`Strategy::reveals`] is nothing, not by a hash, not by a cipher, not by its length, or exactly a
//! [`Generalisation`]. Random values are drawn from a [`Seed`] that comes from the operating system for each run and
//! is stored nowhere, so nobody can go back, the host and this crate included.
//!
//! [`Strategy::holds`] tells later, without the old value, that a field is erased. That is how a run is
//! verified by reading back, and how a run that is repeated after a crash leaves alone what is done.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::data_map::{Encoding, Value};

mod alike;
pub mod document;
mod draw;
mod encoded;
mod generalise;
pub mod json;
mod own;
pub(crate) mod php;
mod placeholder;
pub(crate) mod readable;
pub mod text;
mod token;

pub(crate) use alike::{Form, normalised};
pub use draw::{Draw, Seed};
pub use generalise::Generalisation;
pub(crate) use own::Unbound;
pub use own::{Own, OwnReveals, OwnStrategy, Strategies};
pub use placeholder::{NotATemplate, Template};
pub use token::{Token, TokenForm};

use text::Sought;

/// What is written to a field. Exhaustive: whoever carries out a treatment must know every one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// NULL.
    Clear,
    /// The same value for everyone.
    Constant(Value),
    /// A text with the day of the erasure, such as `Anonymised 2018-12-15`.
    Placeholder(Template),
    /// A random text, different for every record; a random number where the field holds whole numbers.
    Token(Token),
    /// Something that no verifier of passwords accepts: an exclamation mark first, as in `shadow(5)`,
    /// which is no hash in any format, then a token if there is room for one.
    Invalidate(Option<Token>),
    /// What is left of the value when it is made general. What cannot be read, and so cannot be made general, is
    /// treated otherwise: never kept.
    Generalise {
        /// How it is made general.
        to: Generalisation,
        /// What becomes of a value that cannot be read: one of the strategies above.
        otherwise: Box<Strategy>,
    },
    /// Mentions of the person are taken out of a text: [`text::Matcher`]. Who is looked for, only the store knows, so
    /// of this strategy it calls [`redact`](Self::redact) with the person's identifiers.
    Redact {
        /// What stands in place of a mention.
        with: String,
        /// The longest text that the field takes, in characters.
        max_chars: Option<u32>,
        /// What is found by these is taken out as well, whoever's it is.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        also: BTreeSet<text::Detector>,
        /// Whether a name alone is certain though it is short, common or a word: who else should be meant in the customer's
        /// own records?
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        names_alone: bool,
        /// How the field encodes the text. It is searched decoded.
        #[serde(default, skip_serializing_if = "Encoding::is_plain")]
        encoding: Encoding,
    },
    /// A document becomes a blank one of its type: [`document::blank`].
    Blank {
        /// What becomes of what is no document that can be blanked.
        otherwise: Box<Strategy>,
    },
    /// What a strategy of the host's own writes: [`OwnStrategy`].
    Own(Own),
}

/// What of a value the output of a strategy depends on, beside the seed, the place and the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reveals {
    /// Nothing.
    Nothing,
    /// Exactly this, and whether the value could be read as what this generalises.
    Only(Generalisation),
    /// Exactly [`OwnStrategy::general`], and whether the value could be read.
    General,
    /// The text outside the mentions, and where they stood.
    Rest,
    /// The type of the file, and of a PDF the number and the sizes of its pages.
    Pages,
}

impl Strategy {
    /// Whether what it writes shows that something was erased there, and is no value that people have.
    pub(crate) fn is_sign(&self) -> bool {
        match self {
            Self::Placeholder(template) => template.is_nobodys(),
            other => matches!(other, Self::Token(_) | Self::Invalidate(_)),
        }
    }

    /// What becomes of a value. A value that is erased already stays as it is, so that no placeholder is
    /// dated anew; every other value has no influence on the result but by what the strategy
    /// [reveals](Self::reveals).
    pub fn apply(&self, old: &Value, draw: &Draw<'_>) -> Value {
        if self.holds(old) { old.clone() } else { self.fresh(old, draw) }
    }

    /// What is written to a field that is not erased yet.
    pub(crate) fn fresh(&self, old: &Value, draw: &Draw<'_>) -> Value {
        match self {
            Self::Generalise { to, otherwise } => {
                to.apply(old, draw.date).unwrap_or_else(|| otherwise.fresh(old, draw))
            }
            Self::Own(own) => own.fresh(old, draw),
            // Nobody is known here, so nobody is found.
            Self::Redact { .. } => {
                let redacted = old.as_text().and_then(|text| self.redact(text, &text::Matcher::nobody()));
                redacted.map_or_else(|| old.clone(), Value::Text)
            }
            Self::Blank { otherwise } => match old {
                Value::Blob(file) => document::blank(file).ok(),
                _ => None,
            }
            .map_or_else(|| otherwise.fresh(old, draw), Value::Blob),
            Self::Clear => Value::Null,
            Self::Constant(value) => value.clone(),
            Self::Placeholder(template) => Value::Text(template.render(draw)),
            Self::Token(token) => token.value(draw),
            Self::Invalidate(token) => {
                Value::Text(format!("!{}", token.as_ref().map_or_else(String::new, |token| token.draw(draw))))
            }
        }
    }

    /// Whether a value is what this strategy writes, so that the field counts as erased. Of [`Redact`](Self::Redact) the
    /// value alone cannot tell; any text could be one without mentions, but for those in which one of its detectors finds
    /// something.
    pub fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Clear, value) => *value == Value::Null,
            (Self::Constant(constant), value) => value == constant,
            (Self::Own(own), value) => own.holds(value),
            (_, Value::Text(text)) => self.holds_text(text),
            (Self::Token(token), Value::Integer(number)) => token.holds_number(*number),
            (Self::Generalise { to, otherwise }, value) => to.holds(value) || otherwise.holds(value),
            // Bytes that are no text cannot be searched.
            (Self::Redact { .. }, Value::Blob(bytes)) => {
                std::str::from_utf8(bytes).is_ok_and(|text| self.holds_text(text))
            }
            (Self::Redact { .. }, _) => true,
            (Self::Blank { otherwise }, value) => {
                matches!(value, Value::Blob(file) if document::is_blank(file)) || otherwise.holds(value)
            }
            (Self::Placeholder(_) | Self::Token(_) | Self::Invalidate(_), _) => false,
        }
    }

    /// The same for a text.
    pub(crate) fn holds_text(&self, text: &str) -> bool {
        match self {
            Self::Clear => false,
            Self::Constant(constant) => constant.as_text() == Some(text),
            Self::Placeholder(template) => template.holds(text),
            Self::Token(token) => token.holds(text),
            Self::Invalidate(token) => text.strip_prefix('!').is_some_and(|rest| match token {
                Some(token) => token.holds(rest),
                None => rest.is_empty(),
            }),
            Self::Generalise { to, otherwise } => to.holds_text(text) || otherwise.holds_text(text),
            Self::Blank { otherwise } => otherwise.holds_text(text),
            Self::Own(own) => own.holds(&Value::from(text)),
            Self::Redact { also, .. } if also.is_empty() => true,
            Self::Redact { also, encoding, .. } => {
                let finds = |words: &str| text::first_of(&encoded::read(*encoding, words), also).is_some();
                let mut finds_any = false;
                let php = php::strings(text, &mut |words| {
                    finds_any |= finds(words);
                    None
                });
                match php {
                    Some(Ok(_)) => !finds_any,
                    Some(Err(_)) | None => !finds(text),
                }
            }
        }
    }

    /// A text without the people who are looked for; `None` where the strategy is another or nobody is mentioned, and
    /// the text stays as it is. Where the field would be too small for what stands in place of a mention, that is an
    /// asterisk. In data that PHP serialised, each string is searched for itself, and its length is written anew.
    pub fn redact(&self, text: &str, people: &text::Matcher) -> Option<String> {
        let Self::Redact { with, max_chars, also, names_alone, encoding } = self else { return None };
        let sought = Sought { people, also, names_alone: *names_alone, encoding: *encoding };
        let redact = |with: &str| match php::strings(text, &mut |words| sought.redact(words, with)) {
            Some(Ok(redacted)) => redacted,
            Some(Err(_)) | None => sought.redact(text, with),
        };
        let redacted = redact(with)?;
        if has_room(*max_chars, &redacted) { Some(redacted) } else { redact("*") }
    }

    /// The same within a JSON document: of each text that the pointer leads to, but for those that others lead to.
    pub(crate) fn redact_json(
        &self,
        document: &str,
        pointer: &json::Pointer,
        others: &[json::Pointer],
        people: &text::Matcher,
    ) -> Result<Option<String>, json::NotJson> {
        let Self::Redact { with, max_chars, also, names_alone, encoding } = self else { return Ok(None) };
        let sought = Sought { people, also, names_alone: *names_alone, encoding: *encoding };
        let redacted = json::redact_but(document, pointer, others, sought, with)?;
        match redacted {
            Some(redacted) if !has_room(*max_chars, &redacted) => {
                json::redact_but(document, pointer, others, sought, "*")
            }
            redacted => Ok(redacted),
        }
    }

    /// How many mentions in a text are not certain, and so stay: a person should look at them. None of another strategy.
    pub fn uncertain(&self, text: &str, people: &text::Matcher) -> usize {
        let Self::Redact { also, names_alone, encoding, .. } = self else { return 0 };
        let mut search = Sought { people, also, names_alone: *names_alone, encoding: *encoding }.search();
        let mut count = 0;
        let php = php::strings(text, &mut |words| {
            count += search.uncertain(words);
            None
        });
        if matches!(php, Some(Ok(_))) { count } else { search.uncertain(text) }
    }

    /// The same within a JSON document. One that cannot be read has none; it is an error elsewhere.
    pub(crate) fn uncertain_json(
        &self,
        document: &str,
        pointer: &json::Pointer,
        others: &[json::Pointer],
        people: &text::Matcher,
    ) -> usize {
        let Self::Redact { also, names_alone, encoding, .. } = self else { return 0 };
        let sought = Sought { people, also, names_alone: *names_alone, encoding: *encoding };
        json::uncertain_but(document, pointer, others, sought).unwrap_or_default()
    }

    /// What of a value the output depends on.
    pub fn reveals(&self) -> Reveals {
        match self {
            Self::Generalise { to, .. } => Reveals::Only(*to),
            Self::Blank { .. } => Reveals::Pages,
            Self::Redact { .. } => Reveals::Rest,
            Self::Own(own) if own.reveals() == OwnReveals::General => Reveals::General,
            Self::Clear
            | Self::Constant(_)
            | Self::Placeholder(_)
            | Self::Token(_)
            | Self::Invalidate(_)
            | Self::Own(_) => Reveals::Nothing,
        }
    }

    /// The strategy of the host's own, with the host's code in it again after it was saved.
    pub(crate) fn bind(&mut self, strategies: &Strategies) -> Result<(), Unbound> {
        if let Self::Own(own) = self {
            *own = own.bound(strategies)?;
        }
        Ok(())
    }

    /// A strategy of the host's own that was read back, and not found since.
    pub(crate) fn unbound(&self) -> Option<&Own> {
        match self {
            Self::Own(own) if own.is_unbound() => Some(own),
            _ => None,
        }
    }

    /// In a word or two, for plans and certificates.
    pub fn describe(&self) -> String {
        match self {
            Self::Clear => "cleared".to_owned(),
            Self::Constant(Value::Blob(bytes)) if bytes.is_empty() => "an empty file".to_owned(),
            Self::Constant(_) => "a constant".to_owned(),
            Self::Placeholder(template) => format!("\"{}\"", template.as_str()),
            Self::Token(token) => format!("random, like {}", token.example()),
            Self::Invalidate(_) => "invalidated".to_owned(),
            Self::Generalise { to, otherwise } => {
                format!("{}; what cannot be read: {}", to.describe(), otherwise.describe())
            }
            Self::Redact { with, also, names_alone, encoding, .. } => {
                let read = if encoding.is_plain() { String::new() } else { format!(", read as {encoding}") };
                let alone = if *names_alone { ", a name alone too" } else { "" };
                let names: Vec<&str> = also.iter().map(|detector| detector.as_str()).collect();
                let also = if names.is_empty() {
                    String::new()
                } else {
                    format!(", and what looks like {}", names.join(", "))
                };
                format!("mentions replaced by \"{with}\"{alone}{read}{also}")
            }
            Self::Blank { otherwise } => {
                format!("a blank document; what is none: {}", otherwise.describe())
            }
            Self::Own(own) => format!("{} ({}, version {})", own.describe(), own.name(), own.version()),
        }
    }
}

fn has_room(max_chars: Option<u32>, text: &str) -> bool {
    max_chars.is_none_or(|most| u32::try_from(text.chars().count()).is_ok_and(|chars| chars <= most))
}
