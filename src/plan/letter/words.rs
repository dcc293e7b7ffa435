//! The texts that each language has. `{…}` is filled in.

use crate::data_map::Kind;
use crate::policy::{Guard, Language, Period, PrivacyLaw, StartRule, Trigger};

/// The texts of a language.
pub(super) struct Words {
    pub(super) period: fn(Period) -> String,
    pub(super) start: fn(StartRule) -> &'static str,
    pub(super) law: fn(PrivacyLaw) -> Option<&'static LawWords>,
    pub(super) ground: fn(PrivacyLaw, &str) -> String,
    pub(super) guard: fn(&Guard) -> Option<[&'static str; 2]>,
    pub(super) trigger: fn(Trigger) -> TriggerWords,
    /// What a kind of identifier is called. `None`: the host has to say it.
    pub(super) identifier: fn(&Kind) -> Option<&'static str>,
    pub(super) and: &'static str,

    pub(super) date: &'static str,
    pub(super) controller: &'static str,
    pub(super) officer: &'static str,
    pub(super) reference: &'static str,
    pub(super) received: &'static str,

    /// The titles of a confirmation: nothing is left, anonymised, pseudonymised, erased in part, nothing was done.
    pub(super) confirmation: [&'static str; 5],
    pub(super) carried_out: &'static str,
    pub(super) carried_out_unasked: &'static str,
    pub(super) refused_in_part: &'static str,
    pub(super) done: &'static str,
    pub(super) nothing_done: &'static str,
    pub(super) deleted: &'static str,
    pub(super) cleared: &'static str,
    pub(super) handed_over: &'static str,
    pub(super) count: &'static str,
    pub(super) count_one: &'static str,
    pub(super) count_unknown: &'static str,
    pub(super) fields_of_others: &'static str,
    pub(super) kept_heading: &'static str,
    pub(super) kept: &'static str,
    pub(super) kept_field: &'static str,
    pub(super) general_field: &'static str,
    /// What stays of a value: a general form of the host's own, the text around the person, blank pages.
    pub(super) partly: [&'static str; 3],
    pub(super) as_long_as_record: &'static str,
    pub(super) field_until: &'static str,
    pub(super) field_for: &'static str,
    pub(super) for_reason: &'static str,
    pub(super) shared_field: &'static str,
    pub(super) shared: &'static str,
    pub(super) needed: &'static str,
    pub(super) needed_until: &'static str,
    pub(super) deferred: &'static str,
    pub(super) deferred_for_others: &'static str,
    pub(super) by_obligation: &'static str,
    pub(super) by_claims: &'static str,
    pub(super) by_other: &'static str,
    pub(super) until: &'static str,
    pub(super) until_unknown: &'static str,
    pub(super) undated: &'static str,
    pub(super) then_deleted: &'static str,
    pub(super) then_cleared: &'static str,
    pub(super) then_handed_over: &'static str,
    /// Where the last day of some records is not known.
    pub(super) where_known: &'static str,
    pub(super) gateway_erased: &'static str,
    pub(super) gateway_absent: &'static str,
    pub(super) gateway_retained: &'static str,
    pub(super) gateway_waived: &'static str,
    pub(super) recipients: &'static str,
    pub(super) recipients_none: &'static str,
    pub(super) recipient_gateway: &'static str,
    pub(super) recipient_told: &'static str,
    pub(super) recipient_by_hand: &'static str,
    pub(super) recipient_retained: &'static str,
    pub(super) recipient_unconfirmed: &'static str,
    pub(super) recipient_unidentified: &'static str,
    pub(super) recipient_not_told: &'static str,
    /// What is left: nothing, anonymised, pseudonymised, erased in part, perhaps erased in part.
    pub(super) left: [&'static str; 5],
    pub(super) leads: &'static str,
    pub(super) leftover: &'static str,
    pub(super) lead_field: &'static str,
    pub(super) lead_shared: &'static str,
    pub(super) lead_gateway: &'static str,
    pub(super) lead_gateway_waived: &'static str,
    pub(super) lead_recipient: &'static str,
    pub(super) lead_recipient_unconfirmed: &'static str,
    pub(super) lead_mentions: &'static str,
    pub(super) lead_token: &'static str,
    pub(super) lead_while_kept: &'static str,
    pub(super) lead_until: &'static str,
    pub(super) not_covered: &'static str,
    pub(super) unclaimed: &'static str,
    pub(super) uncertain: &'static str,
    pub(super) mentions: &'static str,
    pub(super) other_systems: &'static str,
    pub(super) tables: &'static str,
    pub(super) ignored: &'static str,
    pub(super) by_trigger: &'static str,
    pub(super) object_versions: &'static str,
    pub(super) owners_elsewhere: &'static str,
    pub(super) rows_unclaimed: &'static str,
    pub(super) rows_without_owner: &'static str,
    pub(super) unsearchable: &'static str,
    pub(super) unreadable: &'static str,
    pub(super) fields_of_nobody: &'static str,
    pub(super) something_else: &'static str,
    pub(super) suppressed: &'static str,
    pub(super) will_be_suppressed: &'static str,
    pub(super) old_bytes: &'static str,
    /// How long backup copies linger: nowhere, days, a day, copies, without end, unknown.
    pub(super) lingering: [&'static str; 6],
    /// Where places of backups have different rules.
    pub(super) several_backups: &'static str,
    /// Until one newer copy was made.
    pub(super) one_copy: &'static str,

    pub(super) refusal: &'static str,
    pub(super) refusal_reasons: &'static str,
    pub(super) refusal_reason: &'static str,
    pub(super) all_data: &'static str,
    pub(super) data_of: &'static str,
    pub(super) way_out: &'static str,
    pub(super) ask_us: &'static str,
    pub(super) nothing_erased: &'static str,
    pub(super) in_any_case: &'static str,
    /// By a duty of the law, for legal claims, and on another ground.
    pub(super) in_any_case_obligation: &'static str,
    pub(super) in_any_case_claims: &'static str,
    pub(super) in_any_case_other: &'static str,
    /// Where a hand-over comes before the erasure of a tenant's customers.
    pub(super) handed_over_before: &'static str,
    pub(super) refusal_in_part: &'static str,
    pub(super) rest_erased: &'static str,
    /// The rest was erased on an earlier request.
    pub(super) rest_was_erased: &'static str,

    pub(super) extension: &'static str,
    pub(super) extended_swiss: &'static str,
    pub(super) extended: &'static str,
    pub(super) complexity: &'static str,
    pub(super) number_of_requests: &'static str,
    pub(super) number_of_your_requests: &'static str,
    pub(super) suspended: &'static str,
    pub(super) began: &'static str,
    pub(super) for_identity: &'static str,
    pub(super) for_identity_or_fee: &'static str,
    pub(super) for_clarification: &'static str,

    pub(super) statement: &'static str,
    pub(super) in_force: &'static str,
    pub(super) when: &'static str,
    pub(super) case: &'static str,
    pub(super) what_then: &'static str,
    pub(super) only_on_request: &'static str,
    pub(super) since: &'static str,
    pub(super) will_be_deleted: &'static str,
    pub(super) will_be_cleared: &'static str,
    pub(super) will_be_handed_over: &'static str,
    pub(super) will_be_kept: &'static str,
    pub(super) shared_will_be_kept: &'static str,
    pub(super) gateway_will_be_erased: &'static str,
    pub(super) gateway_will_be_kept: &'static str,
    pub(super) duties: &'static str,
    pub(super) duty_of_law: &'static str,
    pub(super) duty_of_claims: &'static str,
    pub(super) duty_of_other: &'static str,
    pub(super) kept_with: &'static str,
    pub(super) expires: &'static str,
    pub(super) expires_deleted: &'static str,
    pub(super) expires_cleared: &'static str,
    pub(super) expires_by_age: &'static str,
    pub(super) expires_by_duty: &'static str,
    pub(super) at_most: &'static str,
    pub(super) expires_ownerless: &'static str,
    pub(super) age_of_record: &'static str,
    pub(super) ownerless_not_before: &'static str,
    pub(super) ownerless_not_while_kept: &'static str,
    pub(super) obstacles: &'static str,
    pub(super) obstacle: &'static str,
    pub(super) obstacle_without_ground: &'static str,
    pub(super) delay: &'static str,
    pub(super) state_applies: &'static str,
    pub(super) backups: &'static str,
}

/// What is said of a trigger: after a period, and at once.
pub(super) struct TriggerWords {
    pub(super) after: &'static str,
    pub(super) at_once: &'static str,
}

/// What is said under one data protection law.
pub(super) struct LawWords {
    pub(super) rights: &'static str,
    pub(super) objection: &'static str,
    pub(super) consent: &'static str,
    pub(super) remedies: &'static str,
    pub(super) recipients_on_request: &'static str,
}

pub(super) fn of(language: Language) -> &'static Words {
    match language {
        Language::English => &super::english::WORDS,
        Language::Swedish => &super::swedish::WORDS,
        Language::German => &super::german::WORDS,
    }
}

/// Fills in what a text leaves open, in one pass: nothing that is filled in is looked at again.
pub(crate) fn fill(text: &str, parts: &[(&str, &str)]) -> String {
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
pub(super) fn plain(text: &str) -> String {
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

/// A host's own words within a sentence of a letter: without the marks at their end, because the sentence goes on.
pub(super) fn clause(text: &str) -> String {
    plain(text.trim().trim_end_matches(['.', ';', ':', ',', '!', '?', '…', ' ']))
}

/// A sentence begins with a capital letter. Marks before the first letter stay.
pub(super) fn capitalised(text: &str) -> String {
    let (marks, rest) = text.split_at(text.find(char::is_alphanumeric).unwrap_or(0));
    let mut chars = rest.chars();
    let capital = chars.next().into_iter().flat_map(char::to_uppercase);
    marks.chars().chain(capital).chain(chars.as_str().chars()).collect()
}

/// A list in words: `a, b and c`.
pub(super) fn listed(items: &[String], and: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{}{and}{last}", first.join(", ")),
    }
}
