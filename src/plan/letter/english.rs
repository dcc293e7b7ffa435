//! Every text in English.

use super::words::{LawWords, TriggerWords, Words, listed};
use crate::customer::HoldKind;
use crate::data_map::Kind;
use crate::policy::{Guard, Period, PrivacyLaw, StartRule, Trigger};

fn period(period: Period) -> String {
    let (years, months, days) = period.parts();
    let parts = [(years, "year"), (months, "month"), (days, "day")].into_iter();
    let some: Vec<String> = parts
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if some.is_empty() { "0 days".to_owned() } else { listed(&some, " and ") }
}

fn start(start: StartRule) -> &'static str {
    match start {
        StartRule::RecordDate => "the date of the record",
        StartRule::LastEntry => "the last entry",
        StartRule::LastEntryOfBook => {
            "the last entry in the book, at the latest from the end of the financial year"
        }
        StartRule::TransactionCompleted => "the completion of the transaction",
        StartRule::CalendarYear => "the end of the calendar year of the record",
        StartRule::FiscalYear => "the end of the financial year",
        StartRule::CalendarYearOfFiscalYear => {
            "the end of the calendar year in which the financial year ended"
        }
        StartRule::CalendarYearOfClosing => "the end of the calendar year in which the accounts were closed",
        StartRule::CalendarYearOfTaxDue => "the end of the calendar year in which the tax fell due",
        StartRule::UkTaxReturn => "31 January after the end of the tax year",
    }
}

fn trigger(trigger: Trigger) -> TriggerWords {
    let (after, at_once) = match trigger {
        Trigger::Cancelled => {
            ("{after} after you stop being our customer{since}.", "As soon as you stop being our customer.")
        }
        Trigger::Deleted => {
            ("{after} after your account is deleted{since}.", "As soon as your account is deleted.")
        }
        Trigger::Inactive => (
            "{after} after we last heard from you{since}.",
            "As soon as the date that counts has come{since}.",
        ),
        Trigger::ServiceEnded => (
            "{after} after our service for the company whose customer you are has ended{since}.",
            "As soon as our service for the company whose customer you are has ended.",
        ),
        Trigger::Listed => (
            "If we list you for erasure: {after} after the date that counts{since}.",
            "When we list you for erasure, for example because the data are no longer needed.",
        ),
        Trigger::Requested => ("When you ask us to.", "When you ask us to."),
    };
    TriggerWords { after, at_once }
}

fn guard(guard: &Guard) -> Option<[&'static str; 2]> {
    Some(match guard {
        Guard::ActiveSubscription => [
            "you have a subscription that is still running, and we need your data to provide it",
            "ending the subscription",
        ],
        Guard::SeveralTenants => [
            "your account is connected to other companies as well",
            "asking us to separate the account from the other companies",
        ],
        Guard::NotArchived => ["your account has to be closed first", "asking us to close your account"],
        Guard::UnpaidInvoice => [
            "an invoice is unpaid, and we need the data to establish, exercise or defend our claim",
            "paying the invoice, or agreeing with us about it",
        ],
        Guard::OpenDispute => [
            "a payment is disputed, and we need the data to establish, exercise or defend a legal claim",
            "settling the dispute",
        ],
        Guard::Hold(HoldKind::LegalClaim) => {
            ["we need the data to establish, exercise or defend a legal claim", "settling the claim"]
        }
        Guard::Hold(HoldKind::Restriction) => [
            "you asked us to restrict the processing of your data",
            "telling us that the restriction may end",
        ],
        Guard::Hold(HoldKind::AuthorityOrder) => {
            ["a court or an authority has ordered us to keep the data", "the end of the order"]
        }
        Guard::Own(_) => return None,
    })
}

fn ground(law: PrivacyLaw, article: &str) -> String {
    match law {
        PrivacyLaw::Gdpr => format!("Art. {article} GDPR"),
        PrivacyLaw::UkGdpr => format!("Art. {article} UK GDPR"),
        PrivacyLaw::Fadp => format!("Art. {article} FADP"),
        PrivacyLaw::Dpdp => format!("s. {article} DPDP Act 2023"),
        PrivacyLaw::Ccpa => format!("§ {article} CCPA"),
    }
}

fn law(law: PrivacyLaw) -> Option<&'static LawWords> {
    match law {
        PrivacyLaw::Gdpr => Some(&GDPR),
        PrivacyLaw::UkGdpr => Some(&UK_GDPR),
        PrivacyLaw::Fadp => Some(&FADP),
        PrivacyLaw::Dpdp | PrivacyLaw::Ccpa => None,
    }
}

const GDPR: LawWords = LawWords {
    rights: "You can ask {sender} for access to your data, for rectification, erasure and restriction of processing \
             (Art. 15 to 18 GDPR).",
    objection: "You can object to the processing of your data at any time, on grounds relating to your situation (Art. 21 GDPR).",
    consent: "Where we process data with your consent, you can withdraw the consent at any time (Art. 7(3) GDPR).",
    remedies: "If you do not agree, you can lodge a complaint with {authority}, {address} (Art. 77 GDPR), and seek a judicial \
               remedy (Art. 79 GDPR).",
    recipients_on_request: "If you ask us, we name the recipients to whom your data were disclosed (Art. 19 GDPR).",
};

const UK_GDPR: LawWords = LawWords {
    rights: "You can ask {sender} for access to your data, for rectification, erasure and restriction of processing \
             (Art. 15 to 18 UK GDPR).",
    objection: "You can object to the processing of your data at any time, on grounds relating to your situation (Art. 21 UK GDPR).",
    consent: "Where we process data with your consent, you can withdraw the consent at any time (Art. 7(3) UK GDPR).",
    remedies: "If you do not agree, you can complain to us first: {contact} (section 164A of the Data Protection Act 2018). You can \
               also complain to {authority}, {address} (section 165 of that Act), and apply to a court (section 167 of that Act).",
    recipients_on_request: "If you ask us, we name the recipients to whom your data were disclosed (Art. 19 UK GDPR).",
};

const FADP: LawWords = LawWords {
    rights: "You can ask {sender} for access to your data (Art. 25 FADP), for rectification, and for erasure (Art. 32 FADP).",
    objection: "You can declare at any time that you do not want your data to be processed (Art. 30(2)(b) FADP).",
    consent: "Where we process data with your consent, you can withdraw the consent at any time.",
    remedies: "If you do not agree, you can bring an action before a civil court (Art. 32 FADP), and report the matter to \
               {authority}, {address} (Art. 49 FADP).",
    recipients_on_request: "If you ask us, we name the recipients to whom your data were disclosed (Art. 25 FADP).",
};

fn identifier(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Email => "e-mail addresses",
        Kind::Phone => "telephone numbers",
        Kind::Username => "user names",
        Kind::NationalId => "identity numbers",
        Kind::TaxId => "tax numbers",
        Kind::BankAccount => "bank accounts",
        Kind::PaymentProfile => "profiles at payment services",
        Kind::CustomerNumber => "customer numbers",
        _ => return None,
    })
}

pub(super) const WORDS: Words = Words {
    period,
    start,
    law,
    ground,
    guard,
    trigger,
    identifier,
    and: " and ",

    date: "Date: {date}",
    controller: "Controller: {sender}, {contact}",
    officer: "Data protection officer: {officer}",
    reference: "Our reference: {reference}",
    received: "We received your request on {received}.",

    confirmation: [
        "Your data were deleted",
        "Your data were anonymised",
        "Your data were pseudonymised",
        "Your data were erased in part",
        "The outcome of the erasure",
    ],
    carried_out: "On {date} we carried out the erasure that you asked for.",
    carried_out_unasked: "On {date} we carried out an erasure of your data, by the rules in force in our systems and without a \
                          request from you.",
    refused_in_part: "We have to refuse a part of your request. What we keep and why is listed below.",
    done: "What we have done",
    nothing_done: "We found no records of yours that had to be erased.",
    deleted: "**{what}**{count}: deleted.",
    cleared: "**{what}**{count}: the fields that identify you directly were removed. The rest is kept.",
    handed_over: "**{what}**{count}: kept, no longer linked to anyone. The fields that identify you directly were removed.",
    count: " ({n} records)",
    count_one: " (1 record)",
    count_unknown: " (where there were any; the number is not known)",
    fields_of_others: "**{what}**{count}: fields about you in records of other people were removed.",
    kept_heading: "What we have kept",
    kept: "**{what}**{count}: kept unchanged. Reason: {reason}.",
    kept_field: "**{field}** ({what}): kept{until}. Reason: {reason}.",
    general_field: "**{field}** ({what}): kept in more general form ({general}){until}.",
    partly: [
        "**{field}** ({what}): kept in more general form{until}.",
        "**{field}** ({what}): a text, where there was one, is kept without the passages in which we found you.",
        "**{field}** ({what}): replaced by an empty document with the same number of pages.",
    ],
    as_long_as_record: " as long as the record",
    field_until: " until {date} at the latest, then removed",
    field_for: " for {period} after the erasure, then removed",
    for_reason: " Reason: {reason}.",
    shared_field: "**{field}** ({what}): kept only where many customers have the same value, and in more general form or not at all \
                   otherwise.{reason}",
    shared: "**{what}**{count}: kept, because they belong to another person as well.",
    needed: "**{what}**{count}: kept without the fields that identify you directly, because records that we keep refer to \
             them.{until}",
    needed_until: " We delete them with the last of those records, on the day after {date} at the latest.",
    deferred: "**{what}**{count}: kept unchanged. {duties}",
    deferred_for_others: "**{what}**{count}: kept unchanged, because other records that we keep need them. For those other \
                          records: {duties}",
    by_obligation: "We are required by law to keep them {until}: {period} from {start} ({law}; {ground}).",
    by_claims: "We keep them {until} so that we can establish, exercise or defend legal claims: the limitation period is {period} from \
                {start} ({law}; {ground}).",
    by_other: "We keep them {until}: {period} from {start} ({law}; {ground}).",
    until: "until {date} at the latest",
    until_unknown: "until a day that cannot be calculated yet",
    undated: "**{what}**{count}: the date cannot be read, so the last day is not known. We keep them until it is.",
    then_deleted: "**{what}**: we then delete them{where}.",
    then_cleared: "**{what}**: we then remove the fields that identify you directly{where}.",
    then_handed_over: "**{what}**: we then remove the fields that identify you directly, and the link to you{where}.",
    where_known: ", where the last day is known",
    gateway_erased: "Your profile at the payment service **{what}**: deleted there.",
    gateway_absent: "Your profile at the payment service **{what}**: it was no longer there.",
    gateway_retained: "The payment service **{what}** keeps a part of your profile{until}.",
    gateway_waived: "Your profile at the payment service **{what}**: not deleted. This step was left out.",
    recipients: "The recipients to whom your data were disclosed:",
    recipients_none: "Our records name no recipient to whom your data were disclosed.",
    recipient_gateway: "The payment service **{what}**: what became of your profile there is said above.",
    recipient_by_hand: "**{what}**: told of the erasure by one of our staff, or your data were deleted there by hand. We hold evidence of it.",
    recipient_told: "**{what}**: told of the erasure. Nothing of you is left there, it says.",
    recipient_retained: "**{what}**: told of the erasure. It keeps a part of your data{until}.",
    recipient_unconfirmed: "**{what}**: this step was left out. It may not have been told of the erasure, and has not confirmed it.",
    recipient_unidentified: "**{what}**: not told, because we have nothing by which it knows you.",
    recipient_not_told: "**{what}**: not told. Reason: {reason}.",
    left: [
        "Your customer record and the records listed above as deleted no longer exist in the database that this erasure covers.",
        "The fields that identify you directly have been removed from the records listed above. In the database that this \
         erasure covers, nothing leads to you any more.",
        "The fields that identify you directly have been removed from the records listed above. The data that are left are \
         pseudonymised: they can still be linked to you.",
        "Data that identify you are still there. They are listed below.",
        "Data that identify you may still be there. They are listed below.",
    ],
    leads: "What can still be linked to you, or names you:",
    leftover: "texts under {what} that still hold data about you (number: {n})",
    lead_field: "{field} ({what})",
    lead_shared: "{what}, as far as they belong to another person as well",
    lead_gateway: "the payment service {what}",
    lead_gateway_waived: "the payment service {what}, where your profile was not deleted",
    lead_recipient: "the recipient {what}",
    lead_recipient_unconfirmed: "the recipient {what}, which may not have been told of the erasure, and has not confirmed it",
    lead_mentions: "texts of other people in which you may be mentioned: we have not searched them for you",
    lead_token: "your customer number in the records that stay, as long as the key of our erasure log exists",
    lead_while_kept: "{what}, only while we keep records longer, as said below",
    lead_until: "{what}, until {date} at the latest",
    not_covered: "This does not cover:",
    unclaimed: "rows of our database of which it is not known whose they are",
    uncertain: "passages in texts that may be about you, which is not certain (number: {n})",
    mentions: "texts of other people in which you may be mentioned",
    other_systems: "databases, documents, logs and search indexes outside the database that this erasure covers",
    tables: "tables of our database that our inventory of personal data does not name (number: {n})",
    ignored: "a part of our database that our inventory leaves out: {reason}",
    by_trigger: "copies that our database makes by itself in a table that our inventory leaves out",
    object_versions: "older versions and copies of the files under {what}",
    owners_elsewhere: "records in another database of ours, if they name a customer number that we do not have",
    rows_unclaimed: "rows of which our inventory does not say what they are (number: {n})",
    rows_without_owner: "records under {what} of which it is not known whose they are (number: {n})",
    unsearchable: "texts under {what} that cannot be searched for you (number: {n})",
    unreadable: "records under {what} whose date cannot be read (number: {n})",
    fields_of_nobody: "fields under {what} that belong to somebody whom the record no longer names (number: {n})",
    something_else: "{what}",
    suppressed: "So that no other source brings your data back to us by mistake, we keep a code of each of these until {date} at the latest, where \
                 we had any: your {kinds}. What a code was made of cannot be read from it. We can only check whether something that we \
                 are given matches it. If you want to be our customer again, we delete the codes.",
    will_be_suppressed: "When your data have been erased, we keep a code of each of these, where we had any: your {kinds}. We keep the code for {period}, and \
                         until the end of that calendar year. It keeps other sources from bringing your data back to us by mistake. What \
                         it was made of cannot be read from it.",
    old_bytes: "Remains of deleted data can lie in the files of the database until these are next cleaned.",
    lingering: [
        "There are no backup copies.",
        "Backup copies are deleted at most {period} after the erasure.",
        "Backup copies are deleted by {date} at the latest.",
        "Backup copies are deleted when {n} newer copies have been made.",
        "Backup copies are kept without an end date.",
        "Backup copies may exist. When they are deleted cannot be said at present.",
    ],
    several_backups: "We have backup copies of several kinds:",
    one_copy: "Backup copies are deleted when one newer copy has been made.",

    refusal: "Your request for erasure",
    refusal_reasons: "We cannot erase your data yet. The reasons:",
    refusal_reason: "{reason} ({ground}). {data} {way_out}",
    all_data: "This concerns all data that we hold about you.",
    data_of: "This concerns: {what}.",
    way_out: "What can change this: {way_out}.",
    ask_us: "You can ask us what can change this.",
    nothing_erased: "Nothing was erased on this request. You can make a new request at any time.",
    handed_over_before: "Before that, the company gets the data.",
    in_any_case: "In any case we keep the following, if we hold any of it:",
    in_any_case_obligation: "**{what}**: we have to keep these for {period} from {start} ({law}; {ground}).",
    in_any_case_claims: "**{what}**: we keep these for {period} from {start}, so that we can establish, exercise or defend legal claims \
                         ({law}; {ground}).",
    in_any_case_other: "**{what}**: we keep these for {period} from {start} ({law}; {ground}).",
    refusal_in_part: "We cannot erase the following data yet:",
    rest_erased: "The rest of your data are not affected by this refusal. You will get a confirmation that says what was erased.",
    rest_was_erased: "On {date} we carried out the erasure of your other data.",

    extension: "We need more time to answer your request",
    extended_swiss: "We cannot answer within 30 days. {reason} You will have our answer by {due} at the latest.",
    extended: "We cannot answer within one month. {reason} You will have our answer by {due} at the latest ({article}).",
    complexity: "Your request is complex.",
    number_of_requests: "We have received a large number of requests.",
    number_of_your_requests: "You have made a number of requests.",
    suspended: "The time limit was suspended from {from} to {to}. {reason}",
    began: "The time limit began on {to}. {reason}",
    for_identity_or_fee: "Until then we were waiting for proof of your identity, or for a fee.",
    for_identity: "We had to ask you to confirm your identity.",
    for_clarification: "We had to ask you what your request refers to.",

    statement: "How long {sender} keeps your personal data",
    in_force: "This notice is generated from the rules in force in our systems.",
    when: "When we erase your data",
    case: "Case {n}",
    what_then: "What happens then:",
    only_on_request: "We erase nothing automatically: only when you ask us to.",
    since: " (counted from the first of these dates that we have: {dates})",
    will_be_deleted: "**{what}**: deleted.",
    will_be_cleared: "**{what}**: kept, and the fields that identify you directly are removed.",
    will_be_handed_over: "**{what}**: kept, no longer linked to anyone, and the fields that identify you directly are removed.",
    will_be_kept: "**{what}**: kept unchanged. Reason: {reason}.",
    shared_will_be_kept: "**{what}**: what belongs to another person as well is kept.",
    gateway_will_be_erased: "Your profile at the payment service **{what}**: deleted.",
    gateway_will_be_kept: "Your profile at the payment service **{what}**: kept. Reason: {reason}.",
    duties: "What we keep longer",
    duty_of_law: "**{what}**: we are required by law to keep these for {period}, counted from {start} ({law}; {ground}). What is said \
                  above happens after that.",
    duty_of_claims: "**{what}**: we keep these for {period}, counted from {start}, so that we can establish, exercise or defend legal \
                     claims ({law}; {ground}). What is said above happens after that.",
    duty_of_other: "**{what}**: we keep these for {period}, counted from {start} ({law}; {ground}). What is said above happens after \
                    that.",
    kept_with: "**{of}**: what such a record refers to under {what} is kept as long as the record.",
    expires: "What we delete automatically",
    expires_deleted: "**{what}**: deleted {when}.",
    expires_cleared: "**{what}**: the fields that identify you directly are removed {when}.",
    expires_by_age: "{period} after the date of the record ({from}), even while you are our customer",
    expires_by_duty: "when we no longer keep them for the reasons above",
    at_most: "**{what}**: kept for {period} at most, counted from the date of the record ({from}; {law}).",
    expires_ownerless: "once they are no longer linked to anyone",
    age_of_record: "{period} after the date of the record ({from})",
    ownerless_not_before: "{when}, but not before {age}",
    ownerless_not_while_kept: "{when}, and not while we keep them for the reasons above",
    obstacles: "When we cannot erase your data yet",
    obstacle: "{reason} ({ground}).",
    obstacle_without_ground: "{reason}. This is no ground in law to refuse your request, and the time for our answer goes on. {way_out}",
    delay: "{reason}. Until this changes, we erase nothing automatically. A request from you is not affected.",
    state_applies: "the state “{what}” applies to you",
    backups: "Backup copies",
};
