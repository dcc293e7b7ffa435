//! Every text in Swedish.

use chrono::{Datelike, NaiveDate};

use super::Words;
use crate::customer::HoldKind;
use crate::policy::{Guard, Period, Trigger};

fn date(date: NaiveDate) -> String {
    let month = match date.month() {
        1 => "januari",
        2 => "februari",
        3 => "mars",
        4 => "april",
        5 => "maj",
        6 => "juni",
        7 => "juli",
        8 => "augusti",
        9 => "september",
        10 => "oktober",
        11 => "november",
        _ => "december",
    };
    format!("den {} {month} {}", date.day(), date.year())
}

fn period(period: Period) -> String {
    let (years, months, days) = period.parts();
    let mut parts = Vec::new();
    if years > 0 {
        parts.push(format!("{years} år"));
    }
    if months > 0 {
        parts.push(format!("{months} {}", if months == 1 { "månad" } else { "månader" }));
    }
    if days > 0 || parts.is_empty() {
        parts.push(format!("{days} {}", if days == 1 { "dag" } else { "dagar" }));
    }
    parts.join(" och ")
}

fn after(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Cancelled => "{after} efter att du har slutat vara kund hos oss.",
        Trigger::Deleted => "{after} efter att ditt konto har tagits bort.",
        Trigger::Inactive => "{after} efter att vi senast hörde av dig (räknat från: {since}).",
        Trigger::ServiceEnded => "{after} efter att vår tjänst för det företag vars kund du är har upphört.",
        Trigger::Listed | Trigger::Requested => "{after} efter följande datum: {since}.",
    }
}

fn guard(guard: &Guard) -> Option<[&'static str; 2]> {
    Some(match guard {
        Guard::ActiveSubscription => [
            "du har ett abonnemang som fortfarande löper, och vi behöver dina uppgifter för att tillhandahålla det",
            "säg upp abonnemanget",
        ],
        Guard::SeveralTenants => [
            "ditt konto är kopplat även till andra företag, som fortfarande behöver uppgifterna",
            "be de andra företagen att avsluta kopplingen",
        ],
        Guard::NotArchived => ["ditt konto måste först stängas", "vi stänger det åt dig"],
        Guard::UnpaidInvoice => {
            ["en faktura är obetald", "betala fakturan, eller kom överens med oss om den"]
        }
        Guard::OpenDispute => ["en betalning är bestridd", "tvisten måste avgöras"],
        Guard::Hold(HoldKind::LegalClaim) => {
            ["uppgifterna behövs för ett rättsligt anspråk", "anspråket måste avgöras"]
        }
        Guard::Hold(HoldKind::Restriction) => [
            "du har bett oss att begränsa behandlingen av dina uppgifter, och därmed att behålla dem",
            "meddela oss att begränsningen får upphöra",
        ],
        Guard::Hold(HoldKind::AuthorityOrder) => {
            ["en domstol eller myndighet har beslutat att uppgifterna ska bevaras", "beslutet måste upphöra"]
        }
        Guard::Own(_) => return None,
    })
}

pub(super) const WORDS: Words = Words {
    date_format: date,
    period,
    names: &[
        ("call_record", "samtalsuppgifter"),
        ("cancelled", "uppsägningen"),
        ("city", "ort"),
        ("clear", "rensning"),
        ("comment", "kommentarer"),
        ("contact", "kontakter"),
        ("created", "registreringen"),
        ("customer", "kunduppgifter"),
        ("deleted", "borttagningen"),
        ("delivery_address", "leveransadresser"),
        ("gateway", "betaltjänst"),
        ("invoice", "fakturor"),
        ("last_transaction", "senaste köpet"),
        ("marketing", "marknadsföring"),
        ("order", "order"),
        ("payment", "betalningar"),
        ("postcode", "postnummer"),
        ("profile", "profil"),
        ("remove", "borttagning"),
        ("service_ended", "tjänstens slut"),
        ("subscription", "abonnemang"),
    ],
    and: " och ",
    reference: "Vår referens: {reference}. {date}",
    statement: "Hur länge {sender} sparar dina personuppgifter",
    statement_intro: "Den här texten är gjord av de regler som gäller i våra system.",
    when: "När dina uppgifter raderas",
    on_request: "När du ber oss om det.",
    only_on_request: "Ingenting raderas av sig självt, utan bara när du ber oss om det.",
    after,
    what: "Vad som då händer ({treatment})",
    deleted: "**{what}**: raderas.",
    anonymised: "**{what}**: sparas, och allt som säger vem du är tas bort.",
    handed_over: "**{what}**: sparas utan att höra till någon, och allt som säger vem du är tas bort.",
    kept: "**{what}**: sparas som de är. Skäl: {reason}.",
    field_kept: "**{field}** ({what}): sparas. Skäl: {reason}.",
    gateway_erased: "Din profil hos betaltjänsten **{what}**: raderas.",
    gateway_kept: "Din profil hos betaltjänsten **{what}**: sparas. Skäl: {reason}.",
    outcome_erased: "Därefter finns du inte längre i våra register.",
    outcome_anonymised: "Därefter säger ingenting i våra register vem du är: de är anonymiserade.",
    outcome_pseudonymised: "Därefter är uppgifterna om dig pseudonymiserade och inte anonyma: något leder fortfarande \
                            till dig genom {through}, {until}.",
    while_kept: "{what} (endast det som lagen kräver att vi sparar)",
    duty: "**{what}**: detta måste vi spara i {period}, på grund av följande lag: {law} ({ground}). Exakt hur länge beror på \
           varje uppgifts datum. Det som reglerna ovan säger görs när den tiden är slut.",
    duty_needs: "**{of}**: det som anges där under {what} sparas lika länge, eftersom en sådan uppgift behöver det.",
    expires: "Vad som försvinner av sig självt, även medan du är kund",
    expires_deleted: "**{what}**: raderas {when}.",
    expires_anonymised: "**{what}**: allt i det som visar vem du är tas bort {when}.",
    expires_by_age: "{period} efter varje posts datum ({from})",
    expires_by_duty: "när lagen inte längre kräver att vi behåller det",
    until_no_date: "så länge som detta sparas",
    until_date: "till och med {date}",
    obstacles: "När vi tills vidare måste säga nej",
    obstacle: "Om {reason} ({ground}).",
    backups: "Säkerhetskopior",
    lingering: [
        "Det finns inga säkerhetskopior.",
        "Kopior finns kvar i våra säkerhetskopior i högst {period} därefter, och försvinner sedan också.",
        "Kopior finns kvar i våra säkerhetskopior till och med {date}, och försvinner sedan också.",
        "Kopior kan finnas kvar i säkerhetskopior. Hur länge går för närvarande inte att säga; fråga oss.",
    ],
    rights: "Du kan begära tillgång, rättelse, radering och begränsning hos {sender}, och du kan lämna in ett klagomål till \
             {authority}.",
    guard,
    refusal: "Din begäran om radering",
    refusal_intro: "Vi kan för närvarande inte radera dina uppgifter, av följande skäl:",
    refusal_reason: "{reason} ({ground}). Vad som skulle ändra detta: {way_out}.",
    refusal_again: "När detta har ändrats kan du begära radering på nytt. Ingenting har ändrats på grund av denna begäran.",
    refusal_in_part: "Vi raderar dina uppgifter, utom det som lagen kräver att vi sparar tills vidare:",
    deferred_too: "Även då kräver lagen att vi sparar följande en tid:",
    deferred_of_that: "Av detta kräver lagen att vi sparar följande tills vidare. Det har inte ändrats:",
    deferred: "**{what}**: sparas {until}, på grund av följande lag: {laws}.",
    deferred_for_others: "**{what}**: sparas {until}, eftersom det behövs i uppgifter som vi måste spara lika länge på grund av \
                          följande lag: {laws}.",
    deferred_law: "{law} ({ground})",
    deferred_until: [
        "längst till och med {date}",
        "längst till och med {date}, om det finns något",
        "så länge som lagen kräver; vilket datum det blir är ännu inte känt",
    ],
    deferred_then: "Det som vi sparar tills vidare raderas av sig självt när den tiden är slut. Du behöver inte begära det på \
                    nytt.",
    remedies: "Om du inte håller med kan du lämna in ett klagomål till {authority} och väcka talan vid domstol (artiklarna \
               77 och 79 i GDPR).",
    extension: "Din begäran tar längre tid",
    extension_intro: "Vi tog emot din begäran {received}. Vi kan inte svara inom en månad, av följande skäl: {reason}. Du \
                      får vårt svar senast {due} (artikel 12.3 i GDPR).",
    suspension: "Från {from} till {to} stod tiden still: {reason}.",
    confirmation: "Dina uppgifter är raderade",
    confirmation_intro: "Din begäran utfördes {date}. Detta har gjorts:",
};
