//! Words for the people whose data they are: the retention statement, and the letters that the law asks for.
//!
//! | letter | is made from |
//! |---|---|
//! | [`confirmation`] | the closed case: [`Certificate::letter_facts`](crate::Certificate::letter_facts) |
//! | [`refusal`] | the decision, and the policy in force |
//! | [`extension`] | the [`RequestClock`](super::RequestClock), and the policy in force |
//! | [`statement`] | the policy in force |
//!
//! A letter says no more than its facts do. Each line of a [`Letter`] names its [`Fact`]. Letters are Markdown, in
//! English, Swedish or German; all texts of a language are in one place. What the host's classes and fields are called
//! in a language, and what the host's own texts are there, the [policy](crate::policy) says. Nothing in a letter names
//! the person: the host puts the salutation above. This is no legal advice.
//!
//! ```
//! use relinquish::data_map::{Fact, Field, Kind, RecordClass};
//! use relinquish::plan::decide;
//! use relinquish::plan::letter::{self, Authority, Controller, Language, Letterhead, Request};
//! use relinquish::{Asked, Customer, DataMap, PolicyDocument};
//!
//! let class = RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
//! let map = DataMap::builder(class).knows(Fact::ActiveSubscriptions).build()?;
//! let policy = PolicyDocument::from_toml(
//!     "version = 1\nsweep = false\ntriggers.requested = { treatment = 'clear' }\nanonymise.name = 'clear'
//!      guards = { several_tenants = { ignore = 'one shop' }, not_archived = { ignore = 'no status' } }
//!      treatments.clear.customer = 'anonymise'
//!      words.sv.names.customer = 'kunduppgifter'",
//! )?
//! .check(&map)?;
//! let mut customer = Customer::new("7", "the shop");
//! customer.active_subscriptions = 1;
//! let decision = decide(&policy, &customer, &Asked::request(), &[], "2026-11-30T09:00:00Z".parse()?);
//!
//! let controller = Controller::new("Fjord", "info@fjord.example");
//! let authority = Authority::new("Integritetsskyddsmyndigheten", "Box 8114, 104 20 Stockholm");
//! let head = Letterhead::new(&policy, Language::Swedish, controller, authority, "2026-11-30".parse()?)?;
//! let request = Request::new("R-1", "2026-11-27".parse()?);
//! let letter = letter::refusal(&head, &request, policy.everyone(), &decision)?.to_string();
//! assert!(letter.contains("Det som kan ändra detta: att abonnemanget sägs upp."));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeSet;
use std::fmt;

use chrono::NaiveDate;

use crate::anonymise::Generalisation;
use crate::data_map::{ClassName, Kind};
use crate::policy::{Dictionary, Guard, Period, Policy, PrivacyLaw, StartRule};
pub use crate::policy::{Language, NotALanguage};

mod confirmation;
mod english;
mod extension;
mod fact;
mod general;
mod german;
mod html;
mod law;
mod refusal;
mod statement;
mod swedish;
mod told;
mod words;
mod writer;

pub(crate) use words::fill;

pub use confirmation::confirmation;
pub use extension::extension;
pub use fact::Fact;
#[cfg(feature = "export")]
pub(crate) use html::{date_in, filled, html_escaped, uncovered};
pub use refusal::refusal;
pub use statement::statement;
/// How a language writes dates, periods and laws.
pub(crate) struct OfLanguage(&'static words::Words, Language);

pub(crate) fn of_language(language: Language) -> OfLanguage {
    OfLanguage(words::of(language), language)
}

impl OfLanguage {
    pub(crate) fn date(&self, day: NaiveDate) -> String {
        self.1.write_day(day)
    }

    pub(crate) fn period(&self, period: Period) -> String {
        (self.0.period)(period)
    }

    pub(crate) fn start(&self, start: StartRule) -> &'static str {
        (self.0.start)(start)
    }

    /// What a kind of identifier is called. `None`: the host has to say it.
    pub(crate) fn identifier(&self, kind: &Kind) -> Option<&'static str> {
        (self.0.identifier)(kind)
    }

    pub(crate) fn general(&self, to: Generalisation) -> String {
        general::general(self.1, to)
    }

    pub(crate) fn ground(&self, law: PrivacyLaw, article: &str) -> String {
        (self.0.ground)(law, article)
    }
}

pub(crate) use law::cited;
pub use told::{Lingering, Told, ToldClass, ToldDeferral, ToldDuty, ToldGateway, ToldRecipient, WhatWasTold};

/// Who is responsible for the data, and how the person reaches them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Controller {
    /// The name.
    pub name: String,
    /// A postal or an e-mail address.
    pub contact: String,
    /// The data protection officer, with contact, if there is one.
    pub officer: Option<String>,
}

impl Controller {
    /// A controller without a data protection officer.
    pub fn new(name: impl Into<String>, contact: impl Into<String>) -> Self {
        Self { name: name.into(), contact: contact.into(), officer: None }
    }

    /// The same controller with a data protection officer.
    #[must_use]
    pub fn with_officer(self, officer: impl Into<String>) -> Self {
        Self { officer: Some(officer.into()), ..self }
    }
}

/// The supervisory authority to which the person can complain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authority {
    /// The name.
    pub name: String,
    /// The address.
    pub address: String,
}

impl Authority {
    /// An authority.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self { name: name.into(), address: address.into() }
    }
}

/// Who received the person's data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recipients {
    /// The letter says that the person can ask.
    #[default]
    OnRequest,
    /// The person has asked who they are. The confirmation names all recipients of the case, and what each was told.
    Named,
}

/// The request that a letter answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The host's own reference.
    pub reference: String,
    /// The day on which the request was received.
    pub received: NaiveDate,
}

impl Request {
    /// A request.
    pub fn new(reference: impl Into<String>, received: NaiveDate) -> Self {
        Self { reference: reference.into(), received }
    }
}

/// Who writes, when, and in which language.
///
/// The policy gives the words of the language. A policy that has no words in it has no letters in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Letterhead {
    words: Dictionary,
    /// The controller.
    pub controller: Controller,
    /// The supervisory authority.
    pub authority: Authority,
    /// The date of the letter.
    pub date: NaiveDate,
    /// Who received the data.
    pub recipients: Recipients,
    /// How long backup copies linger, where the case does not say so itself.
    pub backups: Lingering,
    /// Whether the person may object to the processing (Art. 21 GDPR).
    pub may_object: bool,
    /// Whether data are processed with the person's consent (Art. 7(3) GDPR).
    pub has_consented: bool,
}

impl Letterhead {
    /// A letterhead in a language of the policy.
    ///
    /// # Errors
    /// [`LetterError`]: the policy has no words in this language, or something that every letter has to say is empty.
    pub fn new(
        policy: &Policy,
        language: Language,
        controller: Controller,
        authority: Authority,
        date: NaiveDate,
    ) -> Result<Self, LetterError> {
        let words = policy.words(language).ok_or(LetterError::NoWords { language })?.clone();
        let parts = [
            ("the controller's name", &controller.name),
            ("the controller's contact", &controller.contact),
            ("the authority's name", &authority.name),
            ("the authority's address", &authority.address),
        ];
        if let Some((what, _)) = parts.into_iter().find(|(_, text)| text.trim().is_empty()) {
            return Err(LetterError::Empty { what });
        }
        Ok(Self {
            words,
            controller,
            authority,
            date,
            recipients: Recipients::OnRequest,
            backups: Lingering::Unknown,
            may_object: false,
            has_consented: false,
        })
    }

    /// The language.
    pub fn language(&self) -> Language {
        self.words.language()
    }

    /// The same letterhead with recipients.
    #[must_use]
    pub fn with_recipients(self, recipients: Recipients) -> Self {
        Self { recipients, ..self }
    }

    /// The same letterhead, saying how long backup copies linger.
    #[must_use]
    pub fn with_backups(self, backups: Lingering) -> Self {
        Self { backups, ..self }
    }

    /// The same letterhead, telling the right to object.
    #[must_use]
    pub fn with_objection(self) -> Self {
        Self { may_object: true, ..self }
    }

    /// The same letterhead, telling the right to withdraw consent.
    #[must_use]
    pub fn with_consent(self) -> Self {
        Self { has_consented: true, ..self }
    }
}

/// How a line of a letter is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Heading(usize),
    Paragraph,
    Item,
}

/// One line of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    set: Set,
    text: String,
    fact: Fact,
}

/// A letter. `Display` writes it as Markdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    lines: Vec<Line>,
}

impl Letter {
    /// Every line with the fact that it tells, in order.
    pub fn lines(&self) -> impl Iterator<Item = (&Fact, &str)> {
        self.lines.iter().map(|line| (&line.fact, line.text.as_str()))
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before: Option<Set> = None;
        for Line { set, text, .. } in &self.lines {
            if !matches!((before, set), (None, _) | (Some(Set::Item), Set::Item)) {
                f.write_str("\n")?;
            }
            match set {
                Set::Heading(level) => writeln!(f, "{} {text}", "#".repeat(*level))?,
                Set::Paragraph => writeln!(f, "{text}")?,
                Set::Item => writeln!(f, "* {text}")?,
            }
            before = Some(*set);
        }
        Ok(())
    }
}

/// Why there is no letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LetterError {
    /// The policy has no words in the language.
    #[error(
        "the policy has no words in {language}; write [words.{language}.names] and [words.{language}.texts]"
    )]
    NoWords {
        /// The language.
        language: Language,
    },
    /// The policy does not say what something is called in the language.
    #[error(
        "the policy does not say what {name} is called in {language}; write it below [words.{language}.names]"
    )]
    NoName {
        /// The language.
        language: Language,
        /// The class, the field or the date.
        name: String,
    },
    /// The policy has no text in the language.
    #[error(
        "the policy has no words in {language} for \"{text}\"; write them below [words.{language}.texts]"
    )]
    NoText {
        /// The language.
        language: Language,
        /// The text.
        text: String,
    },
    /// Something that every letter has to say is empty.
    #[error("{what} is empty, and every letter has to name it")]
    Empty {
        /// What is empty.
        what: &'static str,
    },
    /// The days are out of order.
    #[error("{later} on {day}, before {earlier} on {not_before}; give the right day of each")]
    Early {
        /// What is too early.
        later: &'static str,
        /// Its day.
        day: NaiveDate,
        /// What has to come first.
        earlier: &'static str,
        /// The day of that.
        not_before: NaiveDate,
    },
    /// A case that the person asked for needs the request, and another case has none.
    #[error("{}", if *.asked {
        "the person asked for this erasure; give the reference and the day of receipt of the request"
    } else {
        "nobody asked for this erasure; leave the request out"
    })]
    Request {
        /// Whether the person asked for the erasure.
        asked: bool,
    },
    /// There is nothing to refuse.
    #[error("there is nothing to refuse")]
    NothingRefused,
    /// What stands against the request is no ground in law.
    #[error(
        "what blocks the erasure is no ground in law to refuse the request; remove it, because the time for the answer goes on"
    )]
    NoGround,
    /// A legal claim does not say which data it needs.
    #[error(
        "the letter has to say which data the legal claim needs; name the record classes in the policy: \
         guards.{name} = {{ data = [\"class\"] }}{hold}",
        name = .guard.as_ref().map_or("legal_claim", Guard::as_str),
        hold = if matches!(.guard, Some(Guard::Hold(_))) { ", or place the hold on them" } else { "" }
    )]
    WhichData {
        /// The guard.
        guard: Option<Guard>,
    },
    /// The grounds do not cover these record classes.
    #[error(
        "no ground in law covers {}; erase these on request by a treatment that keeps the rest, or name them under data of the \
         guard", names(.classes)
    )]
    Unfounded {
        /// The classes.
        classes: BTreeSet<ClassName>,
    },
    /// The clock of the request counts by another law than the policy.
    #[error(
        "the clock of the request counts by another law than {law}, under which the policy is; start the clock under the \
         regime of the policy"
    )]
    Regime {
        /// The law of the policy.
        law: PrivacyLaw,
    },
    /// The clock was not extended, or is stopped.
    #[error("the request was not extended, or its clock is stopped")]
    NotExtended,
    /// There are no letters under the law.
    #[error("there are no letters under {law}; write your own")]
    NoLetters {
        /// The law.
        law: PrivacyLaw,
    },
}

/// Checks that what came later is not on an earlier day.
fn in_order(
    (later, day): (&'static str, NaiveDate),
    (earlier, not_before): (&'static str, NaiveDate),
) -> Result<(), LetterError> {
    if day < not_before { Err(LetterError::Early { later, day, earlier, not_before }) } else { Ok(()) }
}

fn names(classes: &BTreeSet<ClassName>) -> String {
    classes.iter().map(ClassName::as_str).collect::<Vec<_>>().join(", ")
}
