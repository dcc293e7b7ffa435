//! The languages of the console: which one a browser prefers, and the words for the values of the library.

use relinquish::customer::{HoldGround, Status};
use relinquish::data_map::Kind;
use relinquish::plan::letter::Language;
use relinquish::plan::{Regime, Step};
use relinquish::policy::Trigger;
use relinquish::request::{Answer, Channel, Identity, LetterKind, RequestKind, Stage};

use crate::answer::Failure;

pub(crate) mod dates;
mod english;
mod german;
mod swedish;
mod texts;

pub(crate) use english::ENGLISH;
pub(crate) use german::GERMAN;
pub(crate) use swedish::SWEDISH;
pub(crate) use texts::Words;

static LANGUAGES: [Words; 3] = [ENGLISH, SWEDISH, GERMAN];

impl Words {
    /// The language that an `Accept-Language` header prefers of those that the console speaks.
    pub(crate) fn preferred(header: &str) -> &'static Self {
        let mut best: Option<(&'static Self, f32)> = None;
        for part in header.split(',') {
            let mut parts = part.split(';');
            let range = parts.next().unwrap_or_default().trim();
            let quality = parts.find_map(|part| part.trim().strip_prefix("q="));
            let quality = quality.map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0));
            let language = range.split('-').next().unwrap_or_default();
            let found = LANGUAGES.iter().find(|words| words.code.eq_ignore_ascii_case(language));
            if let Some(found) = found
                && quality > best.map_or(0.0, |(_, quality)| quality)
            {
                best = Some((found, quality));
            }
        }
        best.map_or(&LANGUAGES[0], |(found, _)| found)
    }

    /// A text with values in its places.
    #[expect(clippy::unused_self, reason = "texts are said in a language")]
    pub(crate) fn say(&self, text: &str, values: &[&str]) -> String {
        let mut said = text.to_owned();
        for (place, value) in values.iter().enumerate() {
            said = said.replace(&format!("{{{place}}}"), value);
        }
        said
    }

    pub(crate) fn trigger(&self, trigger: Trigger) -> &'static str {
        match trigger {
            Trigger::Requested => self.trigger_requested,
            Trigger::Cancelled => self.trigger_cancelled,
            Trigger::Deleted => self.trigger_deleted,
            Trigger::Inactive => self.trigger_inactive,
            Trigger::Listed => self.trigger_listed,
            Trigger::ServiceEnded => self.trigger_service_ended,
            other => other.as_str(),
        }
    }

    pub(crate) fn status_of(&self, status: Status) -> &'static str {
        match status {
            Status::Active => self.status_active,
            Status::Cancelled => self.status_cancelled,
            Status::Archived => self.status_archived,
            Status::Deleted => self.status_deleted,
        }
    }

    /// A guard by its name. A guard of the host's own keeps the host's name.
    pub(crate) fn guard<'n>(&self, name: &'n str) -> &'n str {
        match name {
            "active_subscription" => self.guard_subscription,
            "several_tenants" => self.guard_tenants,
            "not_archived" => self.guard_not_archived,
            "unpaid_invoice" => self.guard_invoice,
            "open_dispute" => self.guard_dispute,
            "hold" => self.guard_hold,
            "unreadable" => self.unreadable,
            other => other,
        }
    }

    pub(crate) fn hold_ground(&self, ground: HoldGround) -> &'static str {
        match ground {
            HoldGround::LegalClaim => self.ground_claim,
            HoldGround::Restriction => self.ground_restriction,
            HoldGround::AuthorityOrder => self.ground_order,
            HoldGround::Incident => self.ground_incident,
            _ => self.unknown,
        }
    }

    pub(crate) fn step(&self, step: &Step) -> String {
        match step {
            Step::Deactivate => self.step_deactivate.to_owned(),
            Step::Gateway(name) => self.say(self.step_gateway, &[name.as_str()]),
            Step::Records => self.step_records.to_owned(),
            Step::Verify => self.step_verify.to_owned(),
            Step::Expire => self.step_expire.to_owned(),
            other => other.to_string(),
        }
    }

    /// The library's word for a result.
    pub(crate) fn outcome<'w>(&self, word: &'w str) -> &'w str {
        match word {
            "erased" => self.outcome_erased,
            "anonymised" => self.outcome_anonymised,
            "pseudonymised" => self.outcome_pseudonymised,
            "erased in part" => self.outcome_in_part,
            other => other,
        }
    }

    /// The library's word for an action.
    pub(crate) fn action_named<'w>(&self, action: &'w str) -> &'w str {
        match action {
            "delete" => self.delete,
            "anonymise" => self.anonymise,
            "reassign" => self.reassign,
            "keep" => self.keep,
            other => other,
        }
    }

    pub(crate) fn stage(&self, stage: Stage) -> &'static str {
        match stage {
            Stage::Open => self.stage_open,
            Stage::Approved => self.stage_approved,
            Stage::Running => self.stage_running,
            Stage::Ended => self.stage_ended,
        }
    }

    pub(crate) fn request_kind_of(&self, kind: RequestKind) -> &'static str {
        match kind {
            RequestKind::Erasure => self.kind_erasure,
            RequestKind::Access => self.kind_access,
            RequestKind::Portability => self.kind_portability,
            RequestKind::Restriction => self.kind_restriction,
            RequestKind::Objection => self.kind_objection,
            RequestKind::Complaint => self.kind_complaint,
            _ => self.unknown,
        }
    }

    pub(crate) fn regime_of(&self, regime: Regime) -> &'static str {
        match regime {
            Regime::Eu => self.regime_eu,
            Regime::Uk => self.regime_uk,
            Regime::Switzerland => self.regime_switzerland,
            Regime::California => self.regime_california,
            _ => self.unknown,
        }
    }

    pub(crate) fn channel(&self, channel: Channel) -> &'static str {
        match channel {
            Channel::Web => self.channel_web,
            Channel::Email => self.channel_email,
            Channel::Post => self.channel_post,
            Channel::Phone => self.channel_phone,
            Channel::InPerson => self.channel_in_person,
            _ => self.unknown,
        }
    }

    pub(crate) fn identity_of(&self, identity: Identity) -> &'static str {
        match identity {
            Identity::Unknown => self.identity_unknown,
            Identity::Asked => self.identity_asked,
            Identity::Confirmed => self.identity_confirmed,
        }
    }

    pub(crate) fn answer_given(&self, answer: Answer) -> &'static str {
        match answer {
            Answer::Granted => self.answer_granted,
            Answer::GrantedInPart => self.answer_in_part,
            Answer::Refused => self.answer_refused,
            Answer::NothingHeld => self.answer_nothing_held,
            Answer::Withdrawn => self.answer_withdrawn,
            Answer::NotIdentified => self.answer_not_identified,
            _ => self.unknown,
        }
    }

    pub(crate) fn letter_kind(&self, kind: LetterKind) -> &'static str {
        match kind {
            LetterKind::Receipt => self.letter_receipt,
            LetterKind::Question => self.letter_question,
            LetterKind::Extension => self.letter_extension,
            LetterKind::Confirmation => self.letter_confirmation,
            LetterKind::Refusal => self.letter_refusal,
            _ => self.unknown,
        }
    }

    pub(crate) fn language_of(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.language_en,
            Language::Swedish => self.language_sv,
            Language::German => self.language_de,
            _ => self.unknown,
        }
    }

    /// A kind of personal data by which a person recognises a person.
    pub(crate) fn kind(&self, kind: &Kind) -> Option<&'static str> {
        Some(match kind {
            Kind::Name => self.data_name,
            Kind::CompanyName => self.data_company,
            Kind::Email => self.data_email,
            Kind::Phone => self.data_phone,
            Kind::Address => self.data_address,
            Kind::Postcode => self.data_postcode,
            Kind::City => self.data_city,
            Kind::Username => self.data_username,
            _ => return None,
        })
    }

    /// The title of a failure, and what to do about it.
    pub(crate) fn failure(&self, failure: &Failure) -> (&'static str, &'static str) {
        match failure {
            Failure::NotSignedIn => (self.fail_signed_out, self.fail_signed_out_hint),
            Failure::Lacks(_) | Failure::Engine(relinquish::Error::Approval(_)) => {
                (self.fail_right, self.fail_right_hint)
            }
            Failure::OtherOrigin => (self.fail_origin, self.fail_origin_hint),
            Failure::Unreadable => (self.fail_form, self.fail_form_hint),
            _ if failure.status() == http::StatusCode::NOT_FOUND => (self.fail_found, self.fail_found_hint),
            Failure::Method => (self.fail_found, self.fail_found_hint),
            _ => (self.fail_reach, self.fail_reach_hint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_the_browser_likes_best() {
        for (header, code) in [
            ("", "en"),
            ("sv", "sv"),
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("fr,sv;q=0.3,de;q=0.7", "de"),
            ("fr, *;q=0.5", "en"),
            ("sv;q=0, de;q=0.1", "de"),
            ("en-GB;q=0.9, SV-se", "sv"),
            ("sv;q=x", "en"),
        ] {
            assert_eq!(Words::preferred(header).code, code, "{header}");
        }
    }

    #[test]
    fn values_stand_in_their_places() {
        assert_eq!(ENGLISH.say("{1} by {0}", &["ann", "2"]), "2 by ann");
    }
}
