//! Writes the lines of a letter, each with its fact.

use chrono::NaiveDate;

use super::words::{self, LawWords, Words, fill, listed, plain};
use super::{
    Fact, Letter, LetterError, Letterhead, Line, Lingering, Recipients, Request, Set, Told, WhatWasTold,
    in_order,
};
use crate::data_map::{ClassName, FieldName, Kind};
use crate::policy::{Ground, Period, PrivacyLaw};

/// The day of the letter, in an error.
pub(super) const DATED: &str = "the letter is dated";
/// The day of receipt, in an error.
pub(super) const RECEIVED: &str = "the request was received";

pub(super) struct Writer<'h> {
    pub(super) words: &'static Words,
    pub(super) law: &'static LawWords,
    pub(super) head: &'h Letterhead,
    lines: Vec<Line>,
}

impl<'h> Writer<'h> {
    pub(super) fn new(head: &'h Letterhead, privacy_law: PrivacyLaw) -> Result<Self, LetterError> {
        let words = words::of(head.language());
        let law = (words.law)(privacy_law).ok_or(LetterError::NoLetters { law: privacy_law })?;
        Ok(Self { words, law, head, lines: Vec::new() })
    }

    /// The number of lines so far.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn letter(self) -> Letter {
        Letter { lines: self.lines }
    }

    fn line(&mut self, set: Set, fact: Fact, text: String) {
        self.lines.push(Line { set, text, fact });
    }

    pub(super) fn heading(&mut self, level: usize, text: &str) {
        self.line(Set::Heading(level), Fact::Heading, text.to_owned());
    }

    /// Lines below a heading. Without lines there is no heading.
    pub(super) fn section(
        &mut self,
        level: usize,
        title: &str,
        write: impl FnOnce(&mut Self) -> Result<(), LetterError>,
    ) -> Result<(), LetterError> {
        self.heading(level, title);
        self.unless_empty(write)
    }

    /// Lines below an introduction. Without lines there is no introduction.
    pub(super) fn introduced(
        &mut self,
        text: &str,
        write: impl FnOnce(&mut Self) -> Result<(), LetterError>,
    ) -> Result<(), LetterError> {
        self.introduction(text);
        self.unless_empty(write)
    }

    fn unless_empty(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), LetterError>,
    ) -> Result<(), LetterError> {
        let before = self.lines.len();
        write(self)?;
        if self.lines.len() == before {
            self.lines.pop();
        }
        Ok(())
    }

    /// Words that lead to the lines below them.
    pub(super) fn introduction(&mut self, text: &str) {
        self.line(Set::Paragraph, Fact::Introduction, text.to_owned());
    }

    pub(super) fn paragraph(&mut self, fact: Fact, text: impl Into<String>) {
        self.line(Set::Paragraph, fact, text.into());
    }

    pub(super) fn item(&mut self, fact: Fact, text: impl Into<String>) {
        self.line(Set::Item, fact, text.into());
    }

    pub(super) fn date(&self, day: NaiveDate) -> String {
        self.head.language().write_day(day)
    }

    pub(super) fn period(&self, period: Period) -> String {
        (self.words.period)(period)
    }

    pub(super) fn ground(&self, law: PrivacyLaw, ground: Ground) -> String {
        super::law::ground(self.head.language(), law, ground)
    }

    /// What a class or a date is called.
    pub(super) fn name(&self, name: &str) -> Result<String, LetterError> {
        let found = self.head.words.name(name);
        found
            .map(|name| plain(&name))
            .ok_or_else(|| LetterError::NoName { language: self.head.language(), name: name.to_owned() })
    }

    pub(super) fn class(&self, class: &ClassName) -> Result<String, LetterError> {
        self.name(class.as_str())
    }

    /// What a field of a class is called.
    pub(super) fn field(&self, class: &ClassName, field: &FieldName) -> Result<String, LetterError> {
        let found = self.head.words.field(class.as_str(), field.as_str());
        found.map(|name| plain(&name)).ok_or_else(|| LetterError::NoName {
            language: self.head.language(),
            name: format!("{class}.{field}"),
        })
    }

    /// A text of the policy or the map, as a clause of a sentence.
    pub(super) fn text(&self, text: &str) -> Result<String, LetterError> {
        let found = self.head.words.text(text);
        found
            .map(|text| words::clause(&text))
            .ok_or_else(|| LetterError::NoText { language: self.head.language(), text: text.to_owned() })
    }

    /// Kinds of identifiers in a sentence. A kind of the host's own has the host's own name.
    pub(super) fn identifiers<'k>(
        &self,
        kinds: impl IntoIterator<Item = &'k Kind>,
    ) -> Result<String, LetterError> {
        let called = |kind: &Kind| match (self.words.identifier)(kind) {
            Some(name) => Ok(name.to_owned()),
            None => self.name(kind.as_str()),
        };
        let names: Vec<String> = kinds.into_iter().map(called).collect::<Result<_, _>>()?;
        Ok(self.listed(&names))
    }

    pub(super) fn listed(&self, items: &[String]) -> String {
        listed(items, self.words.and)
    }

    /// Title, date, controller, and the request if the letter answers one.
    pub(super) fn open(&mut self, title: &str, request: Option<&Request>) -> Result<(), LetterError> {
        let words = self.words;
        let (sender, contact) = (plain(&self.head.controller.name), plain(&self.head.controller.contact));
        self.heading(1, &fill(title, &[("sender", &sender)]));
        let date = fill(words.date, &[("date", &self.date(self.head.date))]);
        self.item(Fact::Date(self.head.date), date);
        if let Some(request) = request {
            if request.reference.trim().is_empty() {
                return Err(LetterError::Empty { what: "the reference of the request" });
            }
            in_order((DATED, self.head.date), (RECEIVED, request.received))?;
            let reference = fill(words.reference, &[("reference", &plain(&request.reference))]);
            self.item(Fact::Reference, reference);
        }
        let controller = fill(words.controller, &[("sender", &sender), ("contact", &contact)]);
        self.item(Fact::Controller, controller);
        if let Some(officer) = &self.head.controller.officer {
            self.item(Fact::Officer, fill(words.officer, &[("officer", &plain(officer))]));
        }
        if let Some(request) = request {
            let received = fill(words.received, &[("received", &self.date(request.received))]);
            self.paragraph(Fact::Received(request.received), received);
        }
        Ok(())
    }

    /// How long backup copies linger, in each of the places that differ.
    pub(super) fn all_backups(&mut self, all: &[Lingering]) {
        if let [one] = all {
            return self.backups(*one);
        }
        self.introduction(self.words.several_backups);
        for lingering in all {
            let text = self.lingering(*lingering);
            self.item(Fact::Backups(*lingering), text);
        }
    }

    /// How long backup copies linger.
    pub(super) fn backups(&mut self, lingering: Lingering) {
        let text = self.lingering(lingering);
        self.paragraph(Fact::Backups(lingering), text);
    }

    fn lingering(&self, lingering: Lingering) -> String {
        let [nowhere, days, until, copies, unbounded, unknown] = self.words.lingering;
        match lingering {
            Lingering::Nowhere => nowhere.to_owned(),
            Lingering::Days(count) => fill(days, &[("period", &self.period(Period::days(count)))]),
            Lingering::Until(day) => fill(until, &[("date", &self.date(day))]),
            Lingering::Copies(1) => self.words.one_copy.to_owned(),
            Lingering::Copies(count) => fill(copies, &[("n", &count.to_string())]),
            Lingering::Unbounded => unbounded.to_owned(),
            Lingering::Unknown => unknown.to_owned(),
        }
    }

    /// Who was told of the erasure, or that the person may ask.
    pub(super) fn recipients(&mut self, told: &Told) -> Result<(), LetterError> {
        let text = match &self.head.recipients {
            Recipients::Named => return self.named_recipients(told),
            Recipients::OnRequest => self.law.recipients_on_request,
        };
        self.paragraph(Fact::Recipients, text);
        Ok(())
    }

    /// All recipients of the case, each with what it was told.
    fn named_recipients(&mut self, told: &Told) -> Result<(), LetterError> {
        let words = self.words;
        if told.recipients.is_empty() && told.gateways.is_empty() {
            self.paragraph(Fact::Recipients, words.recipients_none);
            return Ok(());
        }
        self.introduced(words.recipients, |writer| {
            // A payment service is a recipient, too (Art. 4(9) GDPR).
            for gateway in &told.gateways {
                let what = plain(gateway.gateway().as_str());
                let text = fill(words.recipient_gateway, &[("what", &what)]);
                writer.item(Fact::Gateway(gateway.clone()), text);
            }
            for recipient in &told.recipients {
                let what = plain(recipient.recipient.as_str());
                let text = match &recipient.what {
                    WhatWasTold::Told => fill(words.recipient_told, &[("what", &what)]),
                    WhatWasTold::ByHand => fill(words.recipient_by_hand, &[("what", &what)]),
                    WhatWasTold::Retained { until } => {
                        let until = until.map_or_else(String::new, |day| {
                            format!(" ({})", fill(words.until, &[("date", &writer.date(day))]))
                        });
                        fill(words.recipient_retained, &[("what", &what), ("until", &until)])
                    }
                    WhatWasTold::Unconfirmed => fill(words.recipient_unconfirmed, &[("what", &what)]),
                    WhatWasTold::Unidentified => fill(words.recipient_unidentified, &[("what", &what)]),
                    WhatWasTold::NotTold { reason } => {
                        let reason = writer.text(reason)?;
                        fill(words.recipient_not_told, &[("what", &what), ("reason", &reason)])
                    }
                };
                writer.item(Fact::Recipient(recipient.clone()), text);
            }
            Ok(())
        })
    }

    /// The person's rights, complaint and remedy.
    pub(super) fn close(&mut self, with_rights: bool) {
        let head = self.head;
        let sender = plain(&head.controller.name);
        if with_rights {
            self.paragraph(Fact::Rights, fill(self.law.rights, &[("sender", &sender)]));
        }
        if head.may_object {
            self.paragraph(Fact::Objection, self.law.objection);
        }
        if head.has_consented {
            self.paragraph(Fact::Consent, self.law.consent);
        }
        let parts = [
            ("authority", plain(&head.authority.name)),
            ("address", plain(&head.authority.address)),
            ("contact", plain(&head.controller.contact)),
        ];
        let parts = parts.each_ref().map(|(name, text)| (*name, text.as_str()));
        self.paragraph(Fact::Remedies, fill(self.law.remedies, &parts));
    }
}
