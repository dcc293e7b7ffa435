//! Anonymises values: computes the new value of a field.
//!
//! Each [`Strategy`] is a pure function. [`Strategy::reveals`] says on which part of the old value its output
//! depends: on nothing (also not on a hash, a cipher or the length), or exactly on a [`Generalisation`]. Random
//! values are drawn from a [`Seed`]. The seed comes from the operating system for each run, and is never stored. So
//! nobody can reverse the result, not even the host or this crate.
//!
//! [`Strategy::holds`] recognises an erased field later, without the old value. With it, a run is verified by reading
//! back. It also lets a run that is repeated after a crash skip fields that are done.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::data_map::{Encoding, Value};

mod alike;
pub(crate) mod by_content;
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

/// What is written to a field. The enum is exhaustive: a store must handle every strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// NULL.
    Clear,
    /// The same value for everyone.
    Constant(Value),
    /// A text with the day of the erasure, such as `Anonymised 2018-12-15`.
    Placeholder(Template),
    /// A random text, different for every record. For a field of whole numbers, a random number.
    Token(Token),
    /// A value that no password check accepts. It begins with an exclamation mark, as in `shadow(5)`, so it is no
    /// valid hash in any format. A token follows, if there is room for it.
    Invalidate(Option<Token>),
    /// The generalised value. A value that cannot be read cannot be generalised. It gets the `otherwise` strategy,
    /// and is never kept.
    Generalise {
        /// The generalisation.
        to: Generalisation,
        /// The strategy for a value that cannot be read: one of the strategies above.
        otherwise: Box<Strategy>,
    },
    /// Mentions of the person are removed from a text by a [`text::Matcher`]. Only the store knows the person's
    /// identifiers. So for this strategy the store calls [`redact`](Self::redact) with them.
    Redact {
        /// The text that replaces a mention.
        with: String,
        /// The maximum length of the field, in characters.
        max_chars: Option<u32>,
        /// Everything that these detectors find is removed as well, even if it belongs to another person.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        also: BTreeSet<text::Detector>,
        /// Whether a name alone counts as certain, even if it is short, common or a word. This makes sense in the
        /// customer's own records, where hardly anybody else is meant.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        names_alone: bool,
        /// How the field encodes the text. The decoded text is searched.
        #[serde(default, skip_serializing_if = "Encoding::is_plain")]
        encoding: Encoding,
    },
    /// A document is replaced by a blank document of its type: [`document::blank`].
    Blank {
        /// The strategy for a value that cannot be blanked.
        otherwise: Box<Strategy>,
    },
    /// The output of the host's own strategy: [`OwnStrategy`].
    Own(Own),
}

/// The part of the old value on which the output of a strategy depends. The output also depends on the seed, the
/// place and the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reveals {
    /// Nothing.
    Nothing,
    /// Only on this generalisation, and on whether the value could be read.
    Only(Generalisation),
    /// Only on [`OwnStrategy::general`], and on whether the value could be read.
    General,
    /// On the text outside the mentions, and on the positions of the mentions.
    Rest,
    /// On the type of the file. For a PDF, also on the number and the sizes of its pages.
    Pages,
}

impl Strategy {
    /// Whether the output shows that something was erased, because no person has such a value.
    pub(crate) fn is_sign(&self) -> bool {
        match self {
            Self::Placeholder(template) => template.is_nobodys(),
            other => matches!(other, Self::Token(_) | Self::Invalidate(_)),
        }
    }

    /// The new value of a field. An erased value is not changed again, so that a placeholder keeps its date. Any
    /// other value influences the result only by what the strategy [reveals](Self::reveals).
    pub fn apply(&self, old: &Value, draw: &Draw<'_>) -> Value {
        if self.holds(old) { old.clone() } else { self.fresh(old, draw) }
    }

    /// The new value of a field that is not erased yet.
    pub(crate) fn fresh(&self, old: &Value, draw: &Draw<'_>) -> Value {
        match self {
            Self::Generalise { to, otherwise } => {
                to.apply(old, draw.date).unwrap_or_else(|| otherwise.fresh(old, draw))
            }
            Self::Own(own) => own.fresh(old, draw),
            // No person is known here, so no mention can be found.
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

    /// Whether a value is an output of this strategy, so that the field counts as erased. For
    /// [`Redact`](Self::Redact), the value alone does not show this: any text may be without mentions. Only if one of
    /// its detectors finds something, the answer is certainly no.
    pub fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Clear, value) => *value == Value::Null,
            (Self::Constant(constant), value) => value == constant,
            (Self::Own(own), value) => own.holds(value),
            (_, Value::Text(text)) => self.holds_text(text),
            (Self::Token(token), Value::Integer(number)) => token.holds_number(*number),
            (Self::Generalise { to, otherwise }, value) => to.holds(value) || otherwise.holds(value),
            // Bytes that are no valid text cannot be searched.
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

    /// Does the same for a text.
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

    /// Removes mentions of people from a text. `None` if nobody is mentioned, or if this is another strategy: the
    /// text stays unchanged. If the replacement does not fit into the field, it is an asterisk. In data serialised by
    /// PHP, each string is searched separately, and its length is updated.
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

    /// Does the same inside a JSON document, for each text of the pointer, except for the texts of other pointers.
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

    /// The number of uncertain mentions in a text. They stay, and an operator should check them. 0 for other
    /// strategies.
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

    /// Does the same inside a JSON document. An unreadable document counts as 0 here. Another check reports it as an
    /// error.
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

    /// The part of the old value on which the output depends.
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

    /// Restores the host's code in an own strategy that was loaded.
    pub(crate) fn bind(&mut self, strategies: &Strategies) -> Result<(), Unbound> {
        if let Self::Own(own) = self {
            *own = own.bound(strategies)?;
        }
        Ok(())
    }

    /// The host's own strategy in this strategy, if it was loaded and its code was not found.
    pub(crate) fn unbound(&self) -> Option<&Own> {
        match self {
            Self::Own(own) if own.is_unbound() => Some(own),
            _ => None,
        }
    }

    /// A short description, for plans and certificates.
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
