//! The certificate as a page: one file of HTML, well set on a screen and in print. No script, and nothing remote.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use self::words::Words;
use super::{Certificate, CertifiedClass, FileSlack, Verified};
use crate::anonymise::{Strategy, TokenForm};
use crate::backup::Horizon;
use crate::case::RecipientOutcome;
use crate::data_map::{ClassName, FieldName, IgnoredPart, Kind, NotCovered, UnreachedRows, Value};
use crate::gateway::GatewayOutcome;
use crate::html::{Cell, Html, code, text};
use crate::ledger::{Count, DeactivationOutcome, DeferredRecords, Intake, RecordedDuty};
use crate::plan::letter::{cited, fill, of_language};
use crate::plan::{ExtensionReason, GuardFinding, MandateKind, OperatorId, StopReason, is_all_claimed};
use crate::policy::{Dictionary, ErasureGround, Language, PrivacyLaw, Statute};
use crate::request::{Channel, LetterKind};
use crate::store::Otherwise;
use crate::treatment::{ClassTreatment, Lead, RecordAction, Residue};

mod words;

/// What proves the certificate: its text, and the checkpoint in it.
#[cfg_attr(not(feature = "checkpoints"), allow(dead_code, reason = "only a checkpoint proves anything"))]
pub(crate) struct Proof<'p> {
    /// The checkpoint, as it was signed.
    pub(crate) checkpoint: String,
    /// The number of entries that it covers.
    pub(crate) covered: u64,
    /// The certificate as a link that holds its whole text.
    pub(crate) link: &'p str,
}

impl Certificate {
    /// The certificate as a page of HTML that stands alone: no script, nothing remote, for screens and for print. With the
    /// words of a policy, classes and texts are called as they are in the language; their own names stand beside.
    ///
    /// The page proves nothing by itself. The page of a
    /// [proven certificate](crate::ledger::proof::VerifiedCertificate::to_html) has its checkpoint, and the text to verify.
    ///
    /// ```
    /// # async fn page(certificate: &relinquish::Certificate, policy: &relinquish::Policy) {
    /// use relinquish::plan::letter::Language;
    ///
    /// let html = certificate.to_html(Language::Swedish, policy.words(Language::Swedish));
    /// assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"sv\">"));
    /// # }
    /// ```
    pub fn to_html(&self, language: Language, words: Option<&Dictionary>) -> String {
        self.page(language, words, None)
    }

    pub(crate) fn page(
        &self,
        language: Language,
        names: Option<&Dictionary>,
        proof: Option<&Proof<'_>>,
    ) -> String {
        let page = Page { certificate: self, language, words: words::of(language), names };
        page.write(proof)
    }
}

/// Something that is not covered, in a language.
pub(crate) fn uncovered(language: Language, names: Option<&Dictionary>, what: &NotCovered) -> String {
    Named { words: words::of(language), names }.uncovered(what)
}

/// The words of a language, and a host's names for its classes and texts.
#[derive(Clone, Copy)]
struct Named<'c> {
    words: &'static Words,
    names: Option<&'c Dictionary>,
}

struct Page<'c> {
    certificate: &'c Certificate,
    language: Language,
    words: &'static Words,
    names: Option<&'c Dictionary>,
}

impl Named<'_> {
    fn class(&self, class: &ClassName) -> String {
        Dictionary::class_with_name(self.names, class)
    }

    fn said(&self, text: &str) -> String {
        Dictionary::text_or_own(self.names, text)
    }

    fn uncovered(&self, what: &NotCovered) -> String {
        let words = self.words;
        match what {
            NotCovered::Ignored { what, reason } => {
                let [table, rest, trigger] = words.ignored_parts;
                let what = match what {
                    IgnoredPart::Table(name) => fill(table, &[("what", name)]),
                    IgnoredPart::RestOf(name) => fill(rest, &[("what", name)]),
                    IgnoredPart::Trigger(name) => fill(trigger, &[("what", name)]),
                    IgnoredPart::Other(what) => self.said(what),
                };
                fill(words.ignored, &[("what", &what), ("reason", &self.said(reason))])
            }
            NotCovered::Mentions => words.mentions.to_owned(),
            NotCovered::OtherSystems => words.other_systems.to_owned(),
            NotCovered::Backups => words.backup_copies.to_owned(),
            NotCovered::Tables(tables) => fill(words.tables, &[("what", &tables.join(", "))]),
            NotCovered::WrittenByTrigger { trigger, table, to } => {
                fill(words.by_trigger, &[("trigger", trigger), ("table", table), ("to", to)])
            }
            NotCovered::ObjectVersions(class) => fill(words.object_versions, &[("what", &self.class(class))]),
            NotCovered::OwnersElsewhere(store) => fill(words.owners_elsewhere, &[("what", store.as_str())]),
            NotCovered::Rows { which, rows, .. } => {
                let (says, what) = match which {
                    UnreachedRows::Unclaimed { table } => (words.rows_unclaimed, table.clone()),
                    UnreachedRows::NoOwner { class } | UnreachedRows::OwnerGone { class } => {
                        (words.rows_without_owner, self.class(class))
                    }
                    UnreachedRows::Unsearchable { class, field } => {
                        (words.rows_unsearchable, format!("{}, {field}", self.class(class)))
                    }
                    UnreachedRows::Unreadable { class, .. } => (words.rows_unreadable, self.class(class)),
                    UnreachedRows::FieldsOfNobody { class, link } => {
                        (words.rows_with_fields_of_nobody, format!("{}, {link}", self.class(class)))
                    }
                };
                fill(says, &[("what", &what), ("n", &number(*rows))])
            }
            NotCovered::Other(what) => self.said(what),
        }
    }
}

fn number(count: u64) -> String {
    count.to_string()
}

/// A number of things, in the singular or in the plural.
fn counted([one, many]: [&str; 2], count: u64) -> String {
    fill(if count == 1 { one } else { many }, &[("n", &number(count))])
}

/// A template, with dots for what is filled in: `Anonymised …`.
fn with_gaps(template: &str) -> String {
    let mut parts = template.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| format!("{text}…{}", part.split_once('}').map_or("", |(_, rest)| rest)))
}

impl Page<'_> {
    fn write(&self, proof: Option<&Proof<'_>>) -> String {
        let words = self.words;
        let mut page = Html::begin(words.tag, &format!("{}: {}", words.title, self.certificate.case()));
        let html = &mut page;
        self.header(html);
        html.section(words.summary, |html| self.summary(html));
        if let Some(intake) = self.certificate.intake() {
            html.section(words.request, |html| self.intake(html, intake));
        }
        html.section(words.done, |html| self.done(html));
        html.section(words.stays, |html| self.stays(html));
        html.table_section(
            words.duties,
            &[words.duty, words.by_law, words.period, words.from],
            self.duties(),
        );
        html.table_section(words.parties, &[words.what, words.answer], self.parties());
        html.table_section(words.guards, &[words.what, words.finding], self.guards());
        html.section(words.verified, |html| self.verified(html));
        html.section(words.copies, |html| self.copies(html));
        html.section(words.not_covered, |html| html.items(&self.not_covered()));
        html.section(words.proof, |html| self.proof(html, proof));
        page.end(&fill(words.made_by, &[("version", self.certificate.crate_version())]))
    }

    fn date(&self, day: NaiveDate) -> String {
        of_language(self.language).date(day)
    }

    fn at(&self, at: DateTime<Utc>) -> String {
        format!("{}, {}", self.date(at.date_naive()), at.format("%H:%M UTC"))
    }

    fn class(&self, class: &ClassName) -> String {
        self.named().class(class)
    }

    fn said(&self, text: &str) -> String {
        self.named().said(text)
    }

    fn named(&self) -> Named<'_> {
        Named { words: self.words, names: self.names }
    }

    fn header(&self, html: &mut Html) {
        let (words, certificate) = (self.words, self.certificate);
        html.raw("<header>\n");
        html.within("<h1>", words.title, "</h1>\n");
        if let Some(controller) = certificate.controller() {
            html.within("<p class=\"by\">", controller, "</p>\n");
        }
        let [erased, anonymised, pseudonymised, in_part] = words.outcome;
        let residue = certificate.residue();
        let mut outcome = match residue {
            Residue::Nothing => erased,
            Residue::Anonymous => anonymised,
            Residue::Pseudonymous => pseudonymised,
            Residue::InPart => in_part,
        }
        .to_owned();
        if residue != Residue::InPart && !is_all_claimed(&certificate.under().unmapped) {
            outcome = format!("{outcome} {}", words.as_far_as_mapped);
        }
        html.within("<p class=\"outcome\">", &outcome, "</p>\n");
        let links = self.links();
        if !links.is_empty() {
            let because = fill(words.because_of, &[("what", &links.join("; "))]);
            html.within("<p class=\"because\">", &because, "</p>\n");
        }
        html.raw("</header>\n");
    }

    /// What still leads to the person or names the person.
    fn links(&self) -> Vec<String> {
        let (words, certificate) = (self.words, self.certificate);
        let lead = |lead: &Lead| {
            let what = match lead {
                Lead::Class { class, .. } => self.class(class),
                Lead::Field { class, field, .. } => format!("{}, {field}", self.class(class)),
                Lead::Shared { class, .. } => fill(words.shared_lead, &[("what", &self.class(class))]),
                Lead::Gateway(gateway) => format!("gateway.{gateway}"),
                Lead::Token { .. } => words.token.to_owned(),
            };
            if lead.classes_while_kept().is_empty() {
                what
            } else {
                fill(words.while_kept, &[("what", &what)])
            }
        };
        let said = |what: String, says: &str| format!("{what} ({says})");
        let mut links: Vec<String> = certificate.leads().iter().map(lead).collect();
        for (class, fields) in certificate.looked_for().into_iter().flat_map(|looked| &looked.found) {
            let class = self.class(class);
            links.extend(fields.keys().map(|field| said(format!("{class}, {field}"), words.leftover)));
        }
        links.extend(certificate.waived().iter().map(|step| said(step.step.to_string(), words.left_out)));
        links.extend(certificate.gateways().iter().filter_map(|result| match &result.answer.outcome {
            GatewayOutcome::Retained { what, .. } => Some(said(format!("gateway.{}", result.gateway), what)),
            _ => None,
        }));
        links.extend(certificate.recipients().iter().filter_map(|result| match &result.answer.outcome {
            RecipientOutcome::Retained { what, .. } => {
                Some(said(format!("recipient.{}", result.recipient), what))
            }
            _ => None,
        }));
        links
    }

    /// The law that the erasure follows.
    fn erasure_ground(&self, ground: ErasureGround) -> String {
        let of_language = of_language(self.language);
        match self.certificate.privacy_law() {
            law @ (PrivacyLaw::Gdpr | PrivacyLaw::UkGdpr) => of_language.ground(law, ground.as_str()),
            law @ PrivacyLaw::Fadp => {
                let article = if ground == ErasureGround::NoLongerNecessary { "6(4)" } else { "32(2)(c)" };
                of_language.ground(law, article)
            }
            law @ (PrivacyLaw::Dpdp | PrivacyLaw::Ccpa) => law.cite_erasure(ground),
        }
    }

    /// Who did something, by the opaque id.
    fn operator(&self, id: Option<&OperatorId>) -> String {
        id.map_or_else(|| self.words.name_destroyed.to_owned(), ToString::to_string)
    }

    fn summary(&self, html: &mut Html) {
        let (words, certificate) = (self.words, self.certificate);
        let by = self.operator(certificate.approved_by());
        let approved = [("by", &*by), ("at", &*self.at(certificate.approved_at()))];
        let [approval, review, standing, replay] = words.mandates;
        let mandate = match &certificate.under().mandate {
            MandateKind::Approval => approval.to_owned(),
            MandateKind::Review { digest } => format!("{review} {digest}"),
            MandateKind::Standing { digest } => format!("{standing} {digest}"),
            MandateKind::Replay { .. } => replay.to_owned(),
        };
        let [done, already, unsupported] = words.deactivation;
        let deactivation = match certificate.deactivation() {
            DeactivationOutcome::Done => done,
            DeactivationOutcome::Already => already,
            DeactivationOutcome::Unsupported => unsupported,
        };
        let [gdpr, uk_gdpr, fadp, dpdp, ccpa] = words.laws;
        let law = match certificate.privacy_law() {
            PrivacyLaw::Gdpr => gdpr,
            PrivacyLaw::UkGdpr => uk_gdpr,
            PrivacyLaw::Fadp => fadp,
            PrivacyLaw::Dpdp => dpdp,
            PrivacyLaw::Ccpa => ccpa,
        };
        let ground = certificate
            .ground()
            .map_or_else(|| words.no_ground.to_owned(), |ground| self.erasure_ground(ground));
        let subject = certificate.subject().map_or_else(
            || text(words.destroyed),
            |subject| Cell::Fields(vec![(subject.to_string(), words.subject_says.to_owned())]),
        );
        html.list(vec![
            (words.case, code(certificate.case().as_str())),
            (words.tenant, text(certificate.tenant().as_str())),
            (words.subject, subject),
            (words.trigger, code(certificate.trigger().as_str())),
            (words.ground, text(ground)),
            (words.law, text(law)),
            (words.treatment, code(certificate.treatment().as_str())),
            (words.mandate, text(mandate)),
            (words.approved, text(fill(words.approved_says, &approved))),
            (words.opened, text(self.at(certificate.opened_at()))),
            (words.closed, text(self.at(certificate.closed_at()))),
            (words.deactivated, text(deactivation)),
        ]);
    }

    fn intake(&self, html: &mut Html, intake: &Intake) {
        let words = self.words;
        let clock = &intake.clock;
        let identity = intake.identity.as_ref().map_or_else(
            || words.not_confirmed.to_owned(),
            |identity| format!("{} ({})", self.date(identity.on), identity.reference),
        );
        let [web, email, post, phone, in_person] = words.channels;
        let channel = match intake.channel {
            Channel::Web => web,
            Channel::Email => email,
            Channel::Post => post,
            Channel::Phone => phone,
            Channel::InPerson => in_person,
        };
        let mut rows = vec![
            (words.reference, text(intake.request.get().map_or(words.destroyed, |id| id.as_str()))),
            (words.received, text(format!("{} ({channel})", self.date(clock.received_on())))),
            (words.identity, text(identity)),
        ];
        for stop in clock.suspensions() {
            let [identity, clarification] = words.stop_reasons;
            let why = match stop.reason {
                StopReason::Identity => identity,
                StopReason::Clarification => clarification,
            };
            let from = self.date(stop.from);
            let time = stop.to.map_or_else(
                || fill(words.since, &[("date", &from)]),
                |to| format!("{from} – {}", self.date(to)),
            );
            rows.push((words.suspended, text(format!("{time} ({why})"))));
        }
        if let Some(extension) = clock.extension() {
            let [complexity, number] = words.extension_reasons;
            let why = match extension.reason {
                ExtensionReason::Complexity => complexity,
                ExtensionReason::NumberOfRequests => number,
            };
            rows.push((words.extended, text(format!("{} ({why})", self.date(extension.told)))));
        }
        if let Some(due) = intake.due {
            rows.push((words.due, text(self.date(due))));
        }
        let [receipt, question, extension, confirmation, refusal] = words.letter;
        let letters = intake.letters.iter().map(|letter| {
            let kind = match letter.kind {
                LetterKind::Receipt => receipt,
                LetterKind::Question => question,
                LetterKind::Extension => extension,
                LetterKind::Confirmation => confirmation,
                LetterKind::Refusal => refusal,
            };
            let [english, swedish, german] = words.languages;
            let language = match letter.language {
                Language::English => english,
                Language::Swedish => swedish,
                Language::German => german,
            };
            format!("{kind} ({language}), {}", self.date(letter.on))
        });
        let letters: Vec<String> = letters.collect();
        if !letters.is_empty() {
            rows.push((words.letters, Cell::Lines(letters)));
        }
        html.list(rows);
    }

    /// What was done to each class, and to each of its fields.
    fn done(&self, html: &mut Html) {
        let words = self.words;
        let [deleted, anonymised, handed_over, _] = words.actions;
        let mut rows = Vec::new();
        for of in self.certificate.records() {
            let Some(treated) = self.certificate.treatment.class(of.class.as_str()) else { continue };
            let action = match treated.action() {
                RecordAction::Delete => deleted,
                RecordAction::Anonymise => anonymised,
                RecordAction::Reassign => handed_over,
                RecordAction::Keep { .. } => continue,
            };
            let count = match of.treated {
                Some(Count::Exact(count)) => number(count),
                Some(Count::Unknown) => words.not_known.to_owned(),
                None => String::new(),
            };
            let mut action = vec![action.to_owned()];
            action.extend(of.otherwise.iter().flat_map(|otherwise| self.otherwise(otherwise)));
            rows.push(vec![
                text(self.class(&of.class)),
                Cell::Lines(action),
                text(count),
                text(of.remaining.map(number).unwrap_or_default()),
                Cell::Fields(self.fields(treated)),
            ]);
        }
        html.table(&[words.class, words.action, words.treated, words.left, words.fields], rows);
    }

    fn fields(&self, treated: &ClassTreatment) -> Vec<(String, String)> {
        let words = self.words;
        let mut fields: Vec<(String, String)> = Vec::new();
        for (field, strategy) in treated.fields() {
            let mut says = self.strategy(strategy);
            let group = treated.smallest_group().filter(|group| group.fields().contains_key(field));
            if let Some(group) = group {
                says += &fill(words.in_group, &[("n", &group.least().to_string())]);
            }
            fields.push((field.to_string(), says));
        }
        for (more, says) in
            [(treated.unreadable(), words.unreadable), (treated.after_duty(), words.after_duty)]
        {
            let each = more.iter();
            fields.extend(each.map(|(field, strategy)| {
                (field.to_string(), fill(says, &[("what", &self.strategy(strategy))]))
            }));
        }
        fields
    }

    fn strategy(&self, strategy: &Strategy) -> String {
        let words = self.words;
        match strategy {
            Strategy::Clear => words.cleared.to_owned(),
            Strategy::Constant(Value::Blob(bytes)) if bytes.is_empty() => words.empty_file.to_owned(),
            Strategy::Constant(_) => words.constant.to_owned(),
            Strategy::Placeholder(template) => fill(words.quoted, &[("what", &with_gaps(template.as_str()))]),
            Strategy::Token(token) => {
                let [uuid, number, digits] = words.token_forms;
                let what = match token.form() {
                    TokenForm::Uuid => uuid.to_owned(),
                    TokenForm::Integer => number.to_owned(),
                    TokenForm::Digits(count) => fill(digits, &[("n", &count.to_string())]),
                    TokenForm::Email | TokenForm::Username | TokenForm::Plain => token.example(),
                };
                fill(words.random, &[("what", &what)])
            }
            Strategy::Invalidate(_) => words.invalidated.to_owned(),
            Strategy::Generalise { to, otherwise } => {
                let what = of_language(self.language).general(*to);
                fill(words.generalised, &[("what", &what), ("otherwise", &self.strategy(otherwise))])
            }
            Strategy::Redact { with, .. } => fill(words.redacted, &[("what", with)]),
            Strategy::Blank { otherwise } => fill(words.blank, &[("otherwise", &self.strategy(otherwise))]),
            Strategy::Own(own) => fill(words.own, &[("what", own.name())]),
        }
    }

    fn otherwise(&self, otherwise: &Otherwise) -> Vec<String> {
        let words = self.words;
        let Otherwise {
            deleted,
            meanwhile,
            fields,
            shared,
            named_others,
            nobodys_fields,
            contents,
            nobodys_records,
            cut,
            handed_over,
        } = otherwise;
        let counts = [
            (words.deleted_instead, *deleted),
            (words.meanwhile, *meanwhile),
            (words.of_others, *fields),
            (words.shared, *shared),
        ];
        let mut lines: Vec<String> = counts
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(says, count)| fill(says, &[("n", &number(count))]))
            .collect();
        for (field, contents) in contents {
            let each = contents.each().into_iter().zip(words.contents).filter(|(count, _)| *count > 0);
            let each = each.map(|(count, says)| fill(says, &[("n", &number(count))]));
            let what = each.collect::<Vec<_>>().join(", ");
            lines.push(fill(words.by_contents, &[("field", field.as_str()), ("what", &what)]));
        }
        for (links, says) in [
            (named_others, words.named_others),
            (nobodys_fields, words.nobodys_fields),
            (nobodys_records, words.nobodys_records),
            (cut, words.cut),
            (handed_over, words.handed_over),
        ] {
            let each = links.iter();
            lines.extend(each.map(|(link, count)| fill(says, &[("link", link), ("n", &number(*count))])));
        }
        lines
    }

    /// What stays, why, and until when.
    fn stays(&self, html: &mut Html) {
        let words = self.words;
        let mut rows = Vec::new();
        for of in self.certificate.records() {
            self.stays_of_class(&of, &mut rows);
        }
        for stays in self.certificate.tombstones() {
            let count = counted(words.records, stays.rows);
            let what = format!("{}: {count}", self.class(&stays.class));
            let until = stays.until.map_or_else(|| words.until_not_known.to_owned(), |day| self.date(day));
            rows.push(vec![text(what), text(words.tombstone), text(until)]);
        }
        let found = self.certificate.looked_for().into_iter().flat_map(|looked| &looked.found);
        for (class, fields) in found {
            for (field, found) in fields {
                let count = counted(words.records, found.rows);
                let what = format!("{}, {field}: {count}", self.class(class));
                rows.push(vec![text(what), text(words.leftover), text(words.until_not_known)]);
            }
        }
        for (gateway, reason) in self.certificate.gateways_kept() {
            let why = fill(words.kept_there, &[("reason", &self.said(reason))]);
            rows.push(vec![text(format!("gateway.{gateway}")), text(why), text(words.no_end)]);
        }
        if rows.is_empty() {
            html.within("<p>", words.nothing_stays, "</p>\n");
        } else {
            html.table(&[words.what, words.why, words.until], rows);
        }
    }

    fn stays_of_class(&self, of: &CertifiedClass, rows: &mut Vec<Vec<Cell>>) {
        let words = self.words;
        let class = self.class(&of.class);
        let is_left = of.remaining != Some(0);
        if let (Some(reason), true) = (&of.reason, is_left) {
            let count = of.remaining.map(|rows| counted(words.records, rows));
            let what = count.map_or_else(|| class.clone(), |count| format!("{class}: {count}"));
            rows.push(vec![text(what), text(self.said(reason)), text(words.no_end)]);
        }
        let treated = self.certificate.treatment.class(of.class.as_str());
        for (field, reason) in treated.into_iter().flat_map(ClassTreatment::kept).filter(|_| is_left) {
            let until = of
                .kept_until
                .get(field)
                .map_or_else(|| words.as_long_as_record.to_owned(), |day| self.date(*day));
            rows.push(vec![text(format!("{class}, {field}")), text(self.said(reason)), text(until)]);
        }
        for (field, strategy) in treated.into_iter().flat_map(ClassTreatment::fields).filter(|_| is_left) {
            let Strategy::Generalise { to, .. } = strategy else { continue };
            let why = fill(words.general_form, &[("what", &of_language(self.language).general(*to))]);
            let what = text(format!("{class}, {field}"));
            rows.push(vec![what, text(why), text(words.as_long_as_record)]);
        }
        if let Some(DeferredRecords { rows: count, duties, until, unreadable, for_others, .. }) = &of.deferred
        {
            let count = counted(words.records, *count);
            let mut why: Vec<String> = duties
                .iter()
                .map(|(duty, until)| {
                    let says = fill(words.by_duty, &[("duty", duty)]);
                    until.map_or_else(|| says.clone(), |day| format!("{says} ({})", self.date(day)))
                })
                .collect();
            if *for_others {
                why.push(words.for_others.to_owned());
            }
            let undated = unreadable.values().copied().max().unwrap_or(0);
            if undated > 0 {
                why.push(counted(words.undated, undated));
            }
            let until = until.map_or_else(|| words.until_not_known.to_owned(), |day| self.date(day));
            rows.push(vec![text(format!("{class}: {count}")), Cell::Lines(why), text(until)]);
        }
    }

    fn duties(&self) -> Vec<Vec<Cell>> {
        let of_language = of_language(self.language);
        let each = self.certificate.duties().iter();
        each.map(|(name, duty)| {
            let RecordedDuty { law, statute, ground, privacy_law, period, start } = duty;
            let statute = statute.as_deref().and_then(Statute::find);
            let law = statute.map_or_else(|| self.said(law), |statute| cited(self.language, statute));
            let article = privacy_law.article(*ground);
            vec![
                code(name),
                Cell::Lines(vec![law, of_language.ground(*privacy_law, article)]),
                text(of_language.period(*period)),
                text(of_language.start(*start)),
            ]
        })
        .collect()
    }

    fn parties(&self) -> Vec<Vec<Cell>> {
        let words = self.words;
        let mut rows = Vec::new();
        for result in self.certificate.gateways() {
            let mut says = match &result.answer.outcome {
                GatewayOutcome::Erased => words.erased_there.to_owned(),
                GatewayOutcome::AlreadyAbsent => words.absent_there.to_owned(),
                GatewayOutcome::Retained { what, .. } => fill(words.retained_there, &[("what", what)]),
                GatewayOutcome::Accepted { .. } | GatewayOutcome::Blocked { .. } => {
                    words.open_there.to_owned()
                }
            };
            if let GatewayOutcome::Retained { until: Some(until), .. } = &result.answer.outcome {
                says = format!("{says} ({})", self.date(*until));
            }
            rows.push(vec![code(format!("gateway.{}", result.gateway)), text(says)]);
        }
        let [confirmed, nothing_there, unidentified] = words.told;
        for result in self.certificate.recipients() {
            let says = match &result.answer.outcome {
                RecipientOutcome::Confirmed => confirmed.to_owned(),
                RecipientOutcome::NothingThere => nothing_there.to_owned(),
                RecipientOutcome::Unidentified => unidentified.to_owned(),
                RecipientOutcome::Retained { what, .. } => fill(words.retained_there, &[("what", what)]),
                RecipientOutcome::Accepted { .. } | RecipientOutcome::Refused { .. } => {
                    words.open_there.to_owned()
                }
            };
            rows.push(vec![code(format!("recipient.{}", result.recipient)), text(says)]);
        }
        for recipient in self.certificate.recipients_not_told().keys() {
            rows.push(vec![code(format!("recipient.{recipient}")), text(words.not_told)]);
        }
        for done in self.certificate.by_hand() {
            let by = self.operator(done.operator.get());
            let parts = [("by", &*by), ("at", &*self.at(done.at)), ("evidence", done.evidence.as_str())];
            rows.push(vec![code(done.step.to_string()), text(fill(words.by_hand, &parts))]);
        }
        for waived in self.certificate.waived() {
            let by = self.operator(waived.operator.get());
            let parts = [("by", &*by), ("at", &*self.at(waived.at)), ("reason", waived.reason.as_str())];
            rows.push(vec![code(waived.step.to_string()), text(fill(words.waived, &parts))]);
        }
        rows
    }

    fn guards(&self) -> Vec<Vec<Cell>> {
        let [clear, passed, ignored] = self.words.findings;
        let each = self.certificate.guards().iter();
        each.map(|(guard, finding)| {
            let says = match finding {
                GuardFinding::Clear => clear,
                GuardFinding::Passed => passed,
                GuardFinding::Ignored => ignored,
            };
            vec![code(guard.as_str()), text(says)]
        })
        .collect()
    }

    fn verified(&self, html: &mut Html) {
        let [read_back, handed_over, searched, gateways, holds] = self.words.verifications;
        let each = self.certificate.verifications().into_iter();
        let mut items: Vec<String> = each
            .map(|verified| match verified {
                Verified::ReadBack => read_back,
                Verified::HandedOver => handed_over,
                Verified::Searched => searched,
                Verified::Gateways => gateways,
                Verified::Holds => holds,
            })
            .map(str::to_owned)
            .collect();
        for (class, fields) in self.certificate.looked_for().into_iter().flat_map(|looked| &looked.unknown) {
            let fields: Vec<&str> = fields.iter().map(FieldName::as_str).collect();
            let what = format!("{} ({})", self.class(class), fields.join(", "));
            items.push(fill(self.words.not_searched, &[("what", &what)]));
        }
        html.items(&items);
    }

    fn copies(&self, html: &mut Html) {
        let words = self.words;
        let mut rows: Vec<(String, Cell)> = Vec::new();
        for backup in self.certificate.backups() {
            let says = match &backup.horizon {
                Horizon::Until { day } => fill(words.lingers_until, &[("date", &self.date(*day))]),
                Horizon::AfterCopies { copies } => counted(words.lingers_copies, (*copies).into()),
                Horizon::Unbounded => words.lingers_for_ever.to_owned(),
                Horizon::Unknown { .. } => words.lingers_unknown.to_owned(),
            };
            rows.push((fill(words.backups, &[("name", &backup.backups)]), text(says)));
        }
        if let Some(suppressing) = self.certificate.suppressing() {
            let of_language = of_language(self.language);
            let called = |kind: &Kind| match of_language.identifier(kind) {
                Some(name) => name.to_owned(),
                None => {
                    self.names.and_then(|names| names.name(kind.as_str())).unwrap_or_else(|| kind.to_string())
                }
            };
            let kinds: Vec<String> = suppressing.kinds.iter().map(called).collect();
            let parts = [("kinds", &*kinds.join(", ")), ("date", &*self.date(suppressing.until))];
            rows.push((words.suppressed.to_owned(), text(fill(words.suppressed_until, &parts))));
        }
        let files = match self.certificate.file_slack() {
            FileSlack::Pending => words.files_pending.to_owned(),
            FileSlack::Scrubbed { at } => fill(words.files_scrubbed, &[("at", &self.at(at))]),
            FileSlack::NotKnown => words.files_unknown.to_owned(),
        };
        rows.push((words.files.to_owned(), text(files)));
        html.list(
            rows.iter_mut().map(|(name, cell)| (name.as_str(), std::mem::replace(cell, text("")))).collect(),
        );
    }

    fn not_covered(&self) -> Vec<String> {
        let words = self.words;
        let mut items: Vec<String> =
            self.certificate.not_covered().into_iter().map(|what| self.named().uncovered(what)).collect();
        for (class, fields) in self.certificate.uncertain() {
            let each: BTreeMap<_, _> = fields.iter().collect();
            items.extend(each.into_iter().map(|(field, count)| {
                let what = format!("{}, {field}", self.class(class));
                fill(words.uncertain, &[("what", &what), ("n", &number(*count))])
            }));
        }
        items
    }

    fn proof(&self, html: &mut Html, proof: Option<&Proof<'_>>) {
        let (words, certificate) = (self.words, self.certificate);
        let digests = certificate.digests().into_iter();
        let [plan, policy, data_map, treatment, circumstances] = words.digest_names;
        let called = |of: &'static str| match of {
            "plan" => plan,
            "policy" => policy,
            "data_map" => data_map,
            "treatment" => treatment,
            "circumstances" => circumstances,
            other => other,
        };
        let digests = digests.map(|(of, digest)| (called(of).to_owned(), digest.to_string())).collect();
        html.list(vec![
            (words.entry, text(number(certificate.entry()))),
            (words.leaf, code(certificate.leaf().to_string())),
            (words.digests, Cell::Fields(digests)),
        ]);
        let Some(Proof { checkpoint, covered, link }) = proof else {
            html.within("<p>", words.not_proven, "</p>\n");
            return;
        };
        html.within("<h3>", words.checkpoint, "</h3>\n");
        html.within("<pre>", checkpoint, "</pre>\n");
        html.within("<p>", &counted(words.checkpoint_says, *covered), "</p>\n");
        html.within("<p class=\"screen\"><a download=\"certificate.json\" href=\"", link, "\">");
        html.text(words.download);
        html.raw("</a></p>\n");
    }
}
