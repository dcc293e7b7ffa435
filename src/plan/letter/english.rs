//! Every text in English.

use super::Words;
use crate::customer::HoldKind;
use crate::policy::{Guard, Period, Trigger};

fn period(period: Period) -> String {
    period.to_string()
}

fn after(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Cancelled => "{after} after you have ended being our customer.",
        Trigger::Deleted => "{after} after your account was deleted.",
        Trigger::Inactive => "{after} after we last heard of you (counted from: {since}).",
        Trigger::ServiceEnded => {
            "{after} after our service for the company whose customer you are has ended."
        }
        Trigger::Listed | Trigger::Requested => "{after} after the following date: {since}.",
    }
}

fn guard(guard: &Guard) -> Option<[&'static str; 2]> {
    Some(match guard {
        Guard::ActiveSubscription => [
            "you have a subscription that still runs, and we need your data to provide it",
            "end the subscription",
        ],
        Guard::SeveralTenants => [
            "your account is connected to other companies as well, which still need the data",
            "ask the other companies to end the connection",
        ],
        Guard::NotArchived => ["your account has to be closed first", "we close it for you"],
        Guard::UnpaidInvoice => ["an invoice is not paid", "pay the invoice, or agree on it with us"],
        Guard::OpenDispute => ["a payment is disputed", "the dispute has to be settled"],
        Guard::Hold(HoldKind::LegalClaim) => {
            ["the data are needed for a legal claim", "the claim has to be settled"]
        }
        Guard::Hold(HoldKind::Restriction) => [
            "you asked us to restrict the processing of your data, and so to keep them",
            "tell us that the restriction may end",
        ],
        Guard::Hold(HoldKind::AuthorityOrder) => {
            ["a court or an authority ordered us to keep the data", "the order has to end"]
        }
        Guard::Own(_) => return None,
    })
}

pub(super) const WORDS: Words = Words {
    date_format: |date| date.format("%-d %B %Y").to_string(),
    period,
    names: &[],
    and: " and ",
    reference: "Our reference: {reference}. {date}",
    statement: "How long {sender} keeps your personal data",
    statement_intro: "This is made from the rules that are in force in our systems.",
    when: "When your data are erased",
    on_request: "When you ask us to.",
    only_on_request: "Nothing is erased by itself: only when you ask us to.",
    after,
    what: "What happens then ({treatment})",
    deleted: "**{what}**: deleted.",
    anonymised: "**{what}**: kept, and everything in it that says who you are is removed.",
    handed_over: "**{what}**: kept under nobody's name, and everything in it that says who you are is removed.",
    kept: "**{what}**: kept as it is. Reason: {reason}.",
    field_kept: "**{field}** ({what}): kept. Reason: {reason}.",
    gateway_erased: "Your profile at the payment service **{what}**: erased.",
    gateway_kept: "Your profile at the payment service **{what}**: kept. Reason: {reason}.",
    outcome_erased: "Afterwards you are no longer in our records.",
    outcome_anonymised: "Afterwards nothing in our records says who you are: they are anonymised.",
    outcome_pseudonymised: "Afterwards our records about you are pseudonymised, and not anonymous: something still leads \
                            to you through {through}, {until}.",
    while_kept: "{what} (only what the law requires to be kept)",
    duty: "**{what}**: we must keep this for {period}, because of the following law: {law} ({ground}). How long exactly \
           depends on the date of each record. What the rules above say is done when that time is over.",
    duty_needs: "**{of}**: what is entered there under {what} is kept for as long, because such a record needs it.",
    expires: "What goes by itself, even while you are our customer",
    expires_deleted: "**{what}**: deleted {when}.",
    expires_anonymised: "**{what}**: everything in it that says who you are is removed {when}.",
    expires_by_age: "{period} after the date of each record ({from})",
    expires_by_duty: "when the law no longer requires us to keep it",
    until_no_date: "for as long as that is kept",
    until_date: "until {date}",
    obstacles: "When we have to say no for a while",
    obstacle: "If {reason} ({ground}).",
    backups: "Backup copies",
    lingering: [
        "There are no backup copies.",
        "Copies remain in our backups for at most {period} after that, and are then gone too.",
        "Copies remain in our backups until {date}, and are then gone too.",
        "Copies may remain in backups. How long cannot be said at present; ask us.",
    ],
    rights: "You may ask {sender} for access, rectification, erasure and restriction, and you may lodge a complaint with \
             {authority}.",
    guard,
    refusal: "Your request for erasure",
    refusal_intro: "We cannot erase your data at present, for the following reasons:",
    refusal_reason: "{reason} ({ground}). What would change that: {way_out}.",
    refusal_again: "Once this has changed you can ask again. Nothing of yours was changed because of this request.",
    refusal_in_part: "We erase your data, except for what the law requires us to keep for now:",
    deferred_too: "Even then the law requires us to keep the following for a while:",
    deferred_of_that: "Of that, the law requires us to keep the following for now. It was not touched:",
    deferred: "**{what}**: kept {until}, because of the following law: {laws}.",
    deferred_for_others: "**{what}**: kept {until}, because records need this that we have to keep for as long by the following \
                          law: {laws}.",
    deferred_law: "{law} ({ground})",
    deferred_until: [
        "until {date} at the latest",
        "until {date} at the latest, if there is any",
        "for as long as the law requires, to a date that is not yet known",
    ],
    deferred_then: "What we keep for now is erased by itself when that time is over. You do not have to ask again.",
    remedies: "If you do not agree, you may lodge a complaint with {authority} and seek a judicial remedy (Art. 77 and 79 \
               GDPR).",
    extension: "Your request takes longer",
    extension_intro: "We received your request on {received}. We cannot answer within one month, because of the following: \
                      {reason}. You will have our answer by {due} (Art. 12(3) GDPR).",
    suspension: "From {from} to {to} the time stood still: {reason}.",
    confirmation: "Your data were erased",
    confirmation_intro: "Your request was carried out on {date}. This was done:",
};
