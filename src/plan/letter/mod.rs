//! Words for the people whose data they are: the retention statement, and the letters that the law asks for.
//!
//! Each is made from the policy in force, or from the decision itself, and never says more than they do. They are
//! Markdown, in English or Swedish; all texts of a language are in one place. Nothing in them names the person: the host
//! puts the salutation above. This is no legal advice.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use super::{Blocked, Decision, Deferred, Due, Holidays, RequestClock};
use crate::policy::{After, Effective, Expiry, Guard, GuardRule, Period, Trigger, TriggerRule};
use crate::treatment::{ClassTreatment, GatewayAction, RecordAction, Treatment};

mod english;
mod swedish;

/// The language of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// English.
    English,
    /// Swedish.
    Swedish,
}

impl Language {
    /// Its code in ISO 639-1.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Swedish => "sv",
        }
    }

    fn words(self) -> &'static Words {
        match self {
            Self::English => &english::WORDS,
            Self::Swedish => &swedish::WORDS,
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
        [Self::English, Self::Swedish]
            .into_iter()
            .find(|language| language.as_str() == text)
            .ok_or(NotALanguage)
    }
}

/// A text that is no language in which there are letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are letters in \"en\" and \"sv\"")]
pub struct NotALanguage;

/// Who writes, about what, and in which language.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Letterhead {
    /// The language of the letter.
    pub language: Language,
    /// The controller.
    pub sender: String,
    /// The supervisory authority to which a person can complain.
    pub authority: String,
    /// The host's own reference of the request.
    pub reference: String,
    /// The date of the letter.
    pub date: NaiveDate,
    /// What record classes, fields and dates are called in the letter's language. One that is not here is written as
    /// the policy spells it, without its underscores.
    pub names: BTreeMap<String, String>,
}

impl Letterhead {
    /// A head with no names of its own.
    pub fn new(
        language: Language,
        sender: impl Into<String>,
        authority: impl Into<String>,
        reference: impl Into<String>,
        date: NaiveDate,
    ) -> Self {
        Self {
            language,
            sender: sender.into(),
            authority: authority.into(),
            reference: reference.into(),
            date,
            names: BTreeMap::new(),
        }
    }

    /// The same head, for a letter in another language.
    #[must_use]
    pub fn in_language(self, language: Language) -> Self {
        Self { language, ..self }
    }
}

/// How long copies of what was erased linger in backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lingering {
    /// There are no backups.
    Nowhere,
    /// At most so many days after the erasure.
    Days(u32),
    /// Until a day.
    Until(NaiveDate),
    /// Nobody can tell.
    Unknown,
}

/// The texts of a language. `{…}` is filled in.
struct Words {
    date_format: fn(NaiveDate) -> String,
    period: fn(Period) -> String,
    names: &'static [(&'static str, &'static str)],
    and: &'static str,
    reference: &'static str,
    statement: &'static str,
    statement_intro: &'static str,
    when: &'static str,
    on_request: &'static str,
    only_on_request: &'static str,
    after: fn(Trigger) -> &'static str,
    what: &'static str,
    deleted: &'static str,
    anonymised: &'static str,
    handed_over: &'static str,
    kept: &'static str,
    field_kept: &'static str,
    gateway_erased: &'static str,
    gateway_kept: &'static str,
    outcome_erased: &'static str,
    outcome_anonymised: &'static str,
    outcome_pseudonymised: &'static str,
    while_kept: &'static str,
    until_no_date: &'static str,
    duty: &'static str,
    duty_needs: &'static str,
    expires: &'static str,
    expires_deleted: &'static str,
    expires_anonymised: &'static str,
    expires_by_age: &'static str,
    expires_by_duty: &'static str,
    until_date: &'static str,
    obstacles: &'static str,
    obstacle: &'static str,
    backups: &'static str,
    lingering: [&'static str; 4],
    rights: &'static str,
    guard: fn(&Guard) -> Option<[&'static str; 2]>,
    refusal: &'static str,
    refusal_intro: &'static str,
    refusal_reason: &'static str,
    refusal_again: &'static str,
    refusal_in_part: &'static str,
    deferred_too: &'static str,
    deferred_of_that: &'static str,
    deferred: &'static str,
    deferred_for_others: &'static str,
    deferred_law: &'static str,
    deferred_until: [&'static str; 3],
    deferred_then: &'static str,
    remedies: &'static str,
    extension: &'static str,
    extension_intro: &'static str,
    suspension: &'static str,
    confirmation: &'static str,
    confirmation_intro: &'static str,
}

/// Fills in what a text leaves open, in one pass: nothing that is filled in is looked at again.
fn fill(text: &str, parts: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            rest = after;
            continue;
        };
        filled.push_str(parts.iter().find(|(part, _)| *part == name).map_or("", |(_, value)| value));
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

/// A host's own words, as text and never as Markdown of its own.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => plain.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' => plain.extend(['\\', c]),
            c => plain.push(c),
        }
    }
    plain.trim().to_owned()
}

struct Writer<'h> {
    words: &'static Words,
    head: &'h Letterhead,
    text: String,
}

impl<'h> Writer<'h> {
    fn new(head: &'h Letterhead) -> Self {
        Self { words: head.language.words(), head, text: String::new() }
    }

    fn heading(&mut self, level: usize, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.extend(std::iter::repeat_n('#', level));
        self.text.push(' ');
        self.text.push_str(text);
        self.text.push_str("\n\n");
    }

    fn paragraph(&mut self, text: &str) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn item(&mut self, text: &str) {
        self.text.push_str("* ");
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// What a class, a field or a date is called.
    fn name(&self, name: &str) -> String {
        let known =
            || self.words.names.iter().find(|(known, _)| *known == name).map(|(_, word)| (*word).to_owned());
        plain(&self.head.names.get(name).cloned().or_else(known).unwrap_or_else(|| name.replace('_', " ")))
    }

    /// Title, reference and date.
    fn open(&mut self, title: &str) {
        let sender = plain(&self.head.sender);
        self.heading(1, &fill(title, &[("sender", &sender)]));
        let date = (self.words.date_format)(self.head.date);
        let reference = plain(&self.head.reference);
        self.paragraph(&fill(self.words.reference, &[("reference", &reference), ("date", &date)]));
    }

    fn close(&mut self, text: &str) {
        let (sender, authority) = (plain(&self.head.sender), plain(&self.head.authority));
        self.paragraph(&fill(text, &[("sender", &sender), ("authority", &authority)]));
    }

    fn trigger(&mut self, trigger: Trigger, rule: &TriggerRule) {
        let Some(after) = rule.after() else {
            if trigger == Trigger::Requested {
                self.item(self.words.on_request);
            }
            return;
        };
        let dates: Vec<String> = rule.since().iter().map(|date| self.name(date)).collect();
        let after = (self.words.period)(after);
        let text = fill((self.words.after)(trigger), &[("after", &after), ("since", &dates.join(", "))]);
        self.item(&text);
    }

    /// What is done. `kept` is what duties keep of the person; None where the letter is to nobody in particular.
    fn treatment(&mut self, treatment: &Treatment, kept: Option<&[Deferred]>, until: Option<NaiveDate>) {
        let words = self.words;
        for (class, rule) in treatment.classes() {
            let class = self.name(class.as_str());
            let says = |text: &str, reason: &str| fill(text, &[("what", &class), ("reason", &plain(reason))]);
            match rule.action() {
                RecordAction::Delete => self.item(&says(words.deleted, "")),
                RecordAction::Anonymise => self.item(&says(words.anonymised, "")),
                RecordAction::Reassign => self.item(&says(words.handed_over, "")),
                RecordAction::Keep { reason } => self.item(&says(words.kept, reason)),
            }
            for (field, reason) in rule.kept() {
                let field = self.name(field.as_str());
                let parts = [("field", &*field), ("what", &*class), ("reason", &*plain(reason))];
                self.item(&fill(words.field_kept, &parts));
            }
        }
        for (gateway, action) in treatment.gateways() {
            let gateway = plain(gateway.as_str());
            match action {
                GatewayAction::Erase => self.item(&fill(words.gateway_erased, &[("what", &gateway)])),
                GatewayAction::Keep { reason } => {
                    let parts = [("what", &*gateway), ("reason", &*plain(reason))];
                    self.item(&fill(words.gateway_kept, &parts));
                }
            }
        }
        self.outcome(treatment, kept, until);
    }

    /// The honest word, with what still leads to the person and until when.
    fn outcome(&mut self, treatment: &Treatment, kept: Option<&[Deferred]>, until: Option<NaiveDate>) {
        let words = self.words;
        // Where nothing is kept of this person, nothing stays for its sake either.
        let may_stay = |class: &str| {
            let class = treatment.class(class);
            kept != Some(&[]) && class.is_some_and(|class| class.tombstone().is_some())
        };
        let links = treatment.links_with(|class| {
            kept.is_none_or(|kept| kept.iter().any(|kept| kept.class.as_str() == class)) || may_stay(class)
        });
        let text = match treatment.outcome_with(links.is_empty(), may_stay(treatment.root().as_str()), true) {
            "erased" => words.outcome_erased.to_owned(),
            "anonymised" => words.outcome_anonymised.to_owned(),
            _ => {
                let links: Vec<String> = links
                    .iter()
                    .map(|link| {
                        let names: Vec<_> = link.names().into_iter().map(|name| self.name(name)).collect();
                        let name = names.join(": ");
                        if link.class_while_kept().is_some() {
                            fill(words.while_kept, &[("what", &name)])
                        } else {
                            name
                        }
                    })
                    .collect();
                let until = until.map_or_else(
                    || words.until_no_date.to_owned(),
                    |day| fill(words.until_date, &[("date", &(words.date_format)(day))]),
                );
                let parts = [("through", &*links.join(words.and)), ("until", &*until)];
                fill(words.outcome_pseudonymised, &parts)
            }
        };
        self.paragraph(&text);
    }

    /// What duties keep for now, each with the day on which it ends, and what happens then.
    fn deferred(&mut self, intro: &str, deferred: &[Deferred]) {
        if deferred.is_empty() {
            return;
        }
        let words = self.words;
        self.paragraph(intro);
        self.text.push('\n');
        for Deferred { class, rows, duties, until: last, for_others, .. } in deferred {
            let until = |until: &Option<NaiveDate>| {
                let [counted, at_most, unknown] = words.deferred_until;
                let text = match (until, rows) {
                    (Some(_), Some(_)) => counted,
                    (Some(_), None) => at_most,
                    (None, _) => unknown,
                };
                let date = until.map_or_else(String::new, words.date_format);
                fill(text, &[("date", &date)])
            };
            let laws: Vec<String> = duties
                .iter()
                .map(|duty| {
                    let (law, ground) = (plain(&duty.law), duty.ground.to_string());
                    let text = fill(words.deferred_law, &[("law", &law), ("ground", &ground)]);
                    if duties.len() > 1 { format!("{text}, {}", until(&duty.until)) } else { text }
                })
                .collect();
            let parts = [
                ("what", &*self.name(class.as_str())),
                ("until", &*until(last)),
                ("laws", &*laws.join("; ")),
            ];
            let text = if *for_others { words.deferred_for_others } else { words.deferred };
            self.item(&fill(text, &parts));
        }
        self.paragraph(words.deferred_then);
    }

    /// What goes by its own age, whoever it belongs to.
    fn expiry(&mut self, expiry: &Expiry) {
        let words = self.words;
        self.heading(2, words.expires);
        for (class, after) in expiry.rules() {
            let when = match after {
                After::Age { from, period } => {
                    let (period, from) = ((words.period)(*period), self.name(from.as_str()));
                    fill(words.expires_by_age, &[("period", &period), ("from", &from)])
                }
                After::Duty => words.expires_by_duty.to_owned(),
            };
            let action = expiry.treatment().class(class.as_str()).map(ClassTreatment::action);
            let text = match action {
                Some(RecordAction::Delete) => words.expires_deleted,
                _ => words.expires_anonymised,
            };
            self.item(&fill(text, &[("what", &self.name(class.as_str())), ("when", &when)]));
        }
    }

    fn lingering(&mut self, lingering: &Lingering) {
        let [nowhere, days, until, unknown] = self.words.lingering;
        let text = match lingering {
            Lingering::Nowhere => nowhere.to_owned(),
            Lingering::Days(count) => fill(days, &[("period", &(self.words.period)(Period::days(*count)))]),
            Lingering::Until(day) => fill(until, &[("date", &(self.words.date_format)(*day))]),
            Lingering::Unknown => unknown.to_owned(),
        };
        self.paragraph(&text);
    }
}

/// The retention statement: what is kept, why, how long, what happens then, and how long backups linger. Made from what
/// is in force for the customer's tenant.
pub fn statement(head: &Letterhead, policy: &Effective, lingering: &Lingering) -> String {
    let mut writer = Writer::new(head);
    let words = writer.words;
    writer.open(words.statement);
    writer.paragraph(words.statement_intro);
    writer.heading(2, words.when);
    for (trigger, rule) in policy.triggers() {
        if policy.sweeps() || *trigger == Trigger::Requested {
            writer.trigger(*trigger, rule);
        }
    }
    if !policy.sweeps() {
        writer.paragraph(words.only_on_request);
    }
    let in_use = |treatment: &Treatment| {
        let mut triggers = policy.triggers().iter();
        triggers.any(|(trigger, rule)| {
            (policy.sweeps() || *trigger == Trigger::Requested) && rule.treatment() == treatment.name()
        })
    };
    for treatment in policy.treatments().values().filter(|treatment| in_use(treatment)) {
        let name = writer.name(treatment.name().as_str());
        writer.heading(2, &fill(words.what, &[("treatment", &name)]));
        writer.treatment(treatment, None, None);
    }
    for duty in policy.duties() {
        let classes: Vec<String> = duty.classes().keys().map(|class| writer.name(class.as_str())).collect();
        let (period, law) = ((words.period)(duty.period()), plain(duty.law()));
        let ground = duty.ground().to_string();
        let parts =
            [("what", &*classes.join(words.and)), ("period", &*period), ("law", &*law), ("ground", &*ground)];
        writer.paragraph(&fill(words.duty, &parts));
        for (class, link) in duty.needs() {
            let (of, what) = (writer.name(class.as_str()), writer.name(link.as_str()));
            writer.paragraph(&fill(words.duty_needs, &[("what", &what), ("of", &of)]));
        }
    }
    if let Some(expiry) = policy.expiry().filter(|_| policy.sweeps()) {
        writer.expiry(expiry);
    }
    writer.heading(2, words.obstacles);
    for (guard, rule) in policy.guards() {
        let ground = match rule {
            GuardRule::Block => guard.ground(),
            GuardRule::BlockBecause { ground, .. } => Some(*ground),
            GuardRule::BlockSweep | GuardRule::Ignore { .. } => None,
        };
        let reason = match rule {
            GuardRule::BlockBecause { reason, .. } => plain(reason),
            _ => match (words.guard)(guard) {
                Some([why, _]) => why.to_owned(),
                None => continue,
            },
        };
        if let Some(ground) = ground {
            writer.item(&fill(words.obstacle, &[("reason", &reason), ("ground", &ground.to_string())]));
        }
    }
    writer.heading(2, words.backups);
    writer.lingering(lingering);
    writer.close(words.rights);
    writer.text
}

/// The refusal of a request, with its reasons, what would lift them, the duties that defer something and the day on which
/// each ends, and the remedies (Art. 12(4) GDPR). Where the request is due and duties defer a part, it is refused in that
/// part: the letter says so, and that the part is done by itself when its time is over.
///
/// None if nothing is refused: no duty defers anything, and nothing that blocks has a ground in law. What blocks without
/// one has to be put right first, and the clock of the request runs on.
pub fn refusal(head: &Letterhead, decision: &Decision) -> Option<String> {
    let mut writer = Writer::new(head);
    let words = writer.words;
    writer.open(words.refusal);
    match decision {
        Decision::Blocked(Blocked { by, deferred, .. }) => {
            writer.paragraph(words.refusal_intro);
            writer.text.push('\n');
            let mut refuses = false;
            for by in by {
                let Some(ground) = by.ground else { continue };
                refuses = true;
                let own = by.guard.as_ref().is_some_and(|guard| guard.why() != by.why);
                let known = by.guard.as_ref().filter(|_| !own).and_then(words.guard);
                let (why, way_out) = match known {
                    Some([why, way_out]) => (why.to_owned(), way_out.to_owned()),
                    None => (plain(&by.why), plain(&by.way_out)),
                };
                let parts = [("reason", &*why), ("ground", &*ground.to_string()), ("way_out", &*way_out)];
                writer.item(&fill(words.refusal_reason, &parts));
            }
            if !refuses {
                return None;
            }
            writer.paragraph(words.refusal_again);
            writer.deferred(words.deferred_too, deferred);
        }
        Decision::Due(Due { deferred, .. }) if !deferred.is_empty() => {
            writer.deferred(words.refusal_in_part, deferred);
        }
        Decision::Due(_) | Decision::NotYet(_) | Decision::Nothing(_) => return None,
    }
    writer.close(words.remedies);
    Some(writer.text)
}

/// The notice that an answer takes up to three months (Art. 12(3) GDPR). None if the clock was not extended, or stands
/// still.
pub fn extension(head: &Letterhead, clock: &RequestClock, holidays: &Holidays) -> Option<String> {
    let (extension, due) = (clock.extension()?, clock.due(holidays)?);
    let mut writer = Writer::new(head);
    let words = writer.words;
    writer.open(words.extension);
    let date = words.date_format;
    let parts = [
        ("received", &*date(clock.received_on())),
        ("due", &*date(due)),
        ("reason", &*plain(&extension.reason)),
    ];
    writer.paragraph(&fill(words.extension_intro, &parts));
    for suspension in clock.suspensions() {
        let to = suspension.to.map_or_else(String::new, date);
        let parts =
            [("from", &*date(suspension.from)), ("to", &*to), ("reason", &*plain(&suspension.reason))];
        writer.paragraph(&fill(words.suspension, &parts));
    }
    writer.close(words.remedies);
    Some(writer.text)
}

/// What a [`confirmation`] tells.
#[derive(Clone, Copy, Debug)]
pub struct Done<'a> {
    /// The treatment that was carried out.
    pub treatment: &'a Treatment,
    /// What duties keep for now: [`Plan::deferred`](super::Plan::deferred). In that part the request is refused.
    pub deferred: &'a [Deferred],
    /// The day on which it was carried out.
    pub on: NaiveDate,
    /// The day on which the last link to the person ends, if one remains and the host knows it.
    pub link_until: Option<NaiveDate>,
    /// How long copies linger in backups.
    pub lingering: &'a Lingering,
}

/// The confirmation that a request was carried out: what was done, what stays and why, and the honest word for it. The
/// letter names each duty that keeps something with the day on which the duty ends, and the remedies.
pub fn confirmation(head: &Letterhead, done: &Done<'_>) -> String {
    let Done { treatment, deferred, on, link_until, lingering } = *done;
    let mut writer = Writer::new(head);
    let words = writer.words;
    writer.open(words.confirmation);
    writer.paragraph(&fill(words.confirmation_intro, &[("date", &(words.date_format)(on))]));
    writer.text.push('\n');
    writer.treatment(treatment, Some(deferred), link_until);
    writer.deferred(words.deferred_of_that, deferred);
    writer.lingering(lingering);
    if !deferred.is_empty() {
        writer.close(words.remedies);
    }
    writer.close(words.rights);
    writer.text
}
