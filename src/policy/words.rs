//! Languages, and what the host's classes, fields and texts are called in each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use chrono::{Datelike as _, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{After, Effective, Guard, GuardRule, OwnerlessExpiry, Suppression};
use crate::anonymise::Reveals;
use crate::data_map::{ClassName, DataMap, Kind};
use crate::document::{Reader, key};
use crate::treatment::{
    ClassTreatment, GatewayAction, MentionAction, RecipientAction, RecordAction, Tombstone, Treatment,
};

/// The language of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Language {
    /// English.
    English,
    /// Swedish.
    Swedish,
    /// German.
    German,
}

impl Language {
    /// Every language in which there are letters.
    pub const ALL: [Self; 3] = [Self::English, Self::Swedish, Self::German];

    /// The name of a day's month in this language.
    pub fn month_of(self, day: NaiveDate) -> &'static str {
        let [english, swedish, german] = match day.month0() {
            0 => ["January", "januari", "Januar"],
            1 => ["February", "februari", "Februar"],
            2 => ["March", "mars", "März"],
            3 => ["April", "april", "April"],
            4 => ["May", "maj", "Mai"],
            5 => ["June", "juni", "Juni"],
            6 => ["July", "juli", "Juli"],
            7 => ["August", "augusti", "August"],
            8 => ["September", "september", "September"],
            9 => ["October", "oktober", "Oktober"],
            10 => ["November", "november", "November"],
            _ => ["December", "december", "Dezember"],
        };
        match self {
            Self::English => english,
            Self::Swedish => swedish,
            Self::German => german,
        }
    }

    /// A day as this language writes it: `2 November 2026`, `2. November 2026`.
    pub fn write_day(self, day: NaiveDate) -> String {
        let point = if self == Self::German { "." } else { "" };
        format!("{}{point} {} {}", day.day(), self.month_of(day), day.year())
    }

    /// Its code in ISO 639-1.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Swedish => "sv",
            Self::German => "de",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Language {
    type Err = NotALanguage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|language| language.as_str() == text).ok_or(NotALanguage)
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is no language in which there are letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are letters in \"en\", \"sv\" and \"de\"")]
pub struct NotALanguage;

/// What the host's classes, fields and texts are called in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dictionary {
    language: Language,
    /// Whether policy and map are written in this language.
    is_own: bool,
    names: BTreeMap<String, String>,
    texts: BTreeMap<String, String>,
}

impl Dictionary {
    /// The word for a class, with the class's own name beside. Without a word, the name alone.
    pub(crate) fn class_with_name(words: Option<&Self>, class: &ClassName) -> String {
        match words.and_then(|words| words.name(class.as_str())) {
            Some(name) if name != class.as_str() => format!("{name} ({class})"),
            _ => class.to_string(),
        }
    }

    /// A text of the policy in the language. Without a translation, the policy's own text.
    pub(crate) fn text_or_own(words: Option<&Self>, text: &str) -> String {
        words.and_then(|words| words.text(text)).unwrap_or_else(|| text.to_owned())
    }

    pub(super) fn new(
        language: Language,
        is_own: bool,
        names: BTreeMap<String, String>,
        texts: BTreeMap<String, String>,
    ) -> Self {
        Self { language, is_own, names, texts }
    }

    /// The language.
    pub fn language(&self) -> Language {
        self.language
    }

    /// What a class, a date or a field is called. In the language of the policy a name without an entry is written as
    /// the policy spells it, without its underscores. `None`: the name has no entry.
    pub fn name(&self, name: &str) -> Option<String> {
        let spelled = || self.is_own.then(|| name.replace('_', " "));
        self.names.get(name).cloned().or_else(spelled)
    }

    /// What a field of a class is called: the entry `class.field`, or else the entry `field`.
    pub fn field(&self, class: &str, field: &str) -> Option<String> {
        self.names.get(&format!("{class}.{field}")).cloned().or_else(|| self.name(field))
    }

    /// A text of the policy or the map in this language. `None`: the text has no entry.
    pub fn text(&self, text: &str) -> Option<String> {
        self.texts.get(text).cloned().or_else(|| self.is_own.then(|| text.to_owned()))
    }
}

/// The dictionaries of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    own: Language,
    languages: BTreeMap<Language, Dictionary>,
}

impl Words {
    pub(super) fn new(own: Language, languages: BTreeMap<Language, Dictionary>) -> Self {
        Self { own, languages }
    }

    pub(super) fn in_language(&self, language: Language) -> Option<&Dictionary> {
        self.languages.get(&language)
    }

    /// Checks that each dictionary has every name and every text that a letter may need.
    pub(super) fn check<'e>(
        &self,
        reader: &mut Reader,
        all: impl Iterator<Item = &'e Effective>,
        ownerless: Option<&OwnerlessExpiry>,
        map: &DataMap,
    ) {
        let mut needed = Needed::default();
        needed.add_map(map);
        if let Some(ownerless) = ownerless {
            needed.add_expiring(ownerless.treatment(), ownerless.rules().keys());
        }
        for effective in all {
            needed.add(effective);
        }
        for (language, words) in self.languages.iter().filter(|(language, _)| **language != self.own) {
            for name in &needed.names {
                if words.name(name).is_none() {
                    problem(reader, *language, "names", name);
                }
            }
            for (class, field) in &needed.fields {
                if words.field(class, field).is_none() {
                    problem(reader, *language, "names", field);
                }
            }
            for text in &needed.texts {
                if words.text(text).is_none() {
                    problem(reader, *language, "texts", text);
                }
            }
        }
    }
}

fn problem(reader: &mut Reader, language: Language, table: &str, what: &str) {
    let what = key(what);
    reader.problem(
        format!("words.{language}.{table}.{what}"),
        "is missing, and a letter may need it",
        format!("write below [words.{language}.{table}]: {what} = \"…\""),
    );
}

/// What letters may have to name.
#[derive(Default)]
struct Needed {
    names: BTreeSet<String>,
    fields: BTreeSet<(String, String)>,
    texts: BTreeSet<String>,
}

impl Needed {
    fn add_map(&mut self, map: &DataMap) {
        self.names.extend(map.classes().map(|class| class.name().to_string()));
        self.texts.extend(map.ignored().values().cloned());
    }

    fn add(&mut self, effective: &Effective) {
        for rule in effective.triggers().values() {
            self.names.extend(rule.since().iter().cloned());
        }
        for (guard, rule) in effective.guards() {
            if let GuardRule::BlockBecause { reason, way_out, .. } = rule {
                // The words of this crate are known in every language.
                if *reason != guard.why() {
                    self.texts.insert(reason.clone());
                }
                self.texts.extend(way_out.clone());
            }
            if let (Guard::Own(state), GuardRule::BlockSweep) = (guard, rule) {
                self.names.insert(state.to_string());
            }
        }
        for duty in effective.duties().iter().filter(|duty| duty.statute().is_none()) {
            self.texts.insert(duty.law().to_owned());
        }
        for duty in effective.duties() {
            self.names.extend(duty.needs().into_iter().map(|(_, link)| link));
        }
        for limit in effective.limits() {
            self.texts.insert(limit.law().to_owned());
            self.fields
                .extend(limit.classes().iter().map(|class| (class.to_string(), limit.from().to_string())));
        }
        let kinds = effective.suppression().into_iter().flat_map(Suppression::kinds);
        let own = kinds.filter(|kind| matches!(kind, Kind::Custom(_)));
        self.names.extend(own.map(ToString::to_string));
        for treatment in effective.treatments().values() {
            self.add_treatment(treatment);
        }
        if let Some(expiry) = effective.expiry() {
            self.add_expiring(expiry.treatment(), expiry.rules().keys());
            for (class, after) in expiry.rules() {
                if let After::Age { from, .. } = after {
                    self.fields.insert((class.to_string(), from.to_string()));
                }
            }
        }
    }

    fn add_treatment(&mut self, treatment: &Treatment) {
        for (name, class) in treatment.classes() {
            if let RecordAction::Keep { reason } = class.action() {
                self.texts.insert(reason.clone());
            }
            self.add_kept(name.as_str(), class);
        }
        for action in treatment.gateways().values() {
            if let GatewayAction::Keep { reason } = action {
                self.texts.insert(reason.clone());
            }
        }
        for action in treatment.mentions().values() {
            if let MentionAction::Keep { reason } = action {
                self.texts.insert(reason.clone());
            }
        }
        for action in treatment.recipients().values() {
            if let RecipientAction::NotTold { reason, .. } = action {
                self.texts.insert(reason.clone());
            }
        }
    }

    /// What stays in records that expire. The treatment also has the classes that do not expire.
    fn add_expiring<'c>(&mut self, treatment: &Treatment, classes: impl Iterator<Item = &'c ClassName>) {
        for class in classes {
            if let Some(treated) = treatment.class(class.as_str()) {
                self.add_kept(class.as_str(), treated);
            }
        }
    }

    fn add_kept(&mut self, name: &str, class: &ClassTreatment) {
        let meanwhile = class.tombstone().into_iter().flat_map(Tombstone::kept);
        for (field, reason) in class.kept().iter().chain(meanwhile) {
            self.fields.insert((name.to_owned(), field.to_string()));
            self.texts.insert(reason.clone());
        }
        let general = class.fields().iter().filter(|(_, strategy)| strategy.reveals() != Reveals::Nothing);
        self.fields.extend(general.map(|(field, _)| (name.to_owned(), field.to_string())));
        if let Some(group) = class.smallest_group() {
            self.fields.extend(group.fields().keys().map(|field| (name.to_owned(), field.to_string())));
        }
    }
}
