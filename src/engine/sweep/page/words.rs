//! The texts of the review's page, in each language that letters have. `{…}` is filled in.

use chrono::{Datelike as _, NaiveDate};

use crate::policy::Language;
use crate::treatment::Residue;

/// The texts of a language.
pub(super) struct Words {
    pub(super) thousands: char,
    pub(super) decimal: char,
    pub(super) title: &'static str,
    pub(super) would_hit: &'static str,
    pub(super) untouched: &'static str,

    pub(super) summary: &'static str,
    pub(super) customers: &'static str,
    pub(super) due: &'static str,
    pub(super) oldest: &'static str,
    pub(super) newest: &'static str,
    pub(super) not_yet: &'static str,
    pub(super) nothing: &'static str,
    pub(super) blocked: &'static str,
    pub(super) cannot_be_read: &'static str,
    pub(super) not_surveyed: &'static str,
    pub(super) digest: &'static str,
    pub(super) digest_says: &'static str,

    pub(super) runs: &'static str,
    pub(super) tenant: &'static str,
    pub(super) trigger: &'static str,
    pub(super) treatment: &'static str,
    pub(super) afterwards: &'static str,
    pub(super) records: &'static str,
    /// Erased, anonymised, pseudonymised, erased in part.
    residues: [&'static str; 4],
    pub(super) as_far_as_mapped: &'static str,

    pub(super) tenants: &'static str,
    pub(super) share: &'static str,

    pub(super) stays: &'static str,
    pub(super) nothing_stays: &'static str,
    pub(super) what: &'static str,
    pub(super) why: &'static str,
    pub(super) until: &'static str,
    pub(super) for_others: &'static str,
    pub(super) undated: &'static str,
    pub(super) not_known: &'static str,
    pub(super) or_not_known: &'static str,
    pub(super) as_policy_says: &'static str,

    pub(super) by: &'static str,
    guards: [(&'static str, &'static str); 9],

    pub(super) unreadable: &'static str,
    pub(super) fact: &'static str,

    pub(super) months: &'static str,
    pub(super) month: &'static str,
    pub(super) months_none: &'static str,
    pub(super) chart_says: &'static str,
    pub(super) later: &'static str,
    names: [&'static str; 12],

    pub(super) not_covered: &'static str,
    pub(super) made_by: &'static str,
}

impl Words {
    /// The word for a result: what the person is afterwards.
    pub(super) fn residue(&self, residue: Residue) -> &'static str {
        let [erased, anonymised, pseudonymised, in_part] = self.residues;
        match residue {
            Residue::Nothing => erased,
            Residue::Anonymous => anonymised,
            Residue::Pseudonymous => pseudonymised,
            Residue::InPart => in_part,
        }
    }

    /// Why a guard of this crate blocks, or a hold that is not a guard.
    pub(super) fn guard(&self, name: &str) -> Option<&'static str> {
        self.guards.iter().find(|(guard, _)| *guard == name).map(|(_, why)| *why)
    }

    /// The name of a month.
    pub(super) fn month_name(&self, month: NaiveDate) -> &'static str {
        let [january, ..] = self.names;
        usize::try_from(month.month0()).ok().and_then(|n| self.names.get(n)).copied().unwrap_or(january)
    }

    /// The short name of the month. In January it has the year.
    pub(super) fn short(&self, month: NaiveDate) -> String {
        let name: String = self.month_name(month).chars().take(3).collect();
        if month.month() == 1 { format!("{name} {:02}", month.year() % 100) } else { name }
    }
}

/// The texts of a language.
pub(super) fn of(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Swedish => &SWEDISH,
        Language::German => &GERMAN,
    }
}

static ENGLISH: Words = Words {
    thousands: ',',
    decimal: '.',
    title: "Review before an erasure",
    would_hit: "{due} of {customers} customers are due",
    untouched: "Nothing has been touched. An operator approves the plans before anything is erased.",
    summary: "In numbers",
    customers: "Customers",
    due: "Due",
    oldest: "Due for the longest time, since",
    newest: "Due most recently, since",
    not_yet: "Due later",
    nothing: "Nothing to do",
    blocked: "Blocked",
    cannot_be_read: "Cannot be read",
    not_surveyed: "Could not be surveyed",
    digest: "Digest of all plans",
    digest_says: "An approval of this digest covers every plan on this page. If plans are struck out, the review has another digest.",
    runs: "What would be done",
    tenant: "Tenant",
    trigger: "Trigger",
    treatment: "Treatment",
    afterwards: "Afterwards",
    records: "Records",
    residues: ["erased", "anonymised", "pseudonymised", "erased in part"],
    as_far_as_mapped: "as far as mapped",
    tenants: "By tenant",
    share: "Share due",
    stays: "What stays of those who are due",
    nothing_stays: "The plans keep nothing.",
    what: "What",
    why: "Why",
    until: "Until",
    for_others: "kept because kept records need them",
    undated: "records whose date cannot be read: {n}",
    not_known: "not known",
    or_not_known: "for some not known",
    as_policy_says: "as the policy says",
    by: "What blocks",
    guards: [
        ("active_subscription", "a subscription is active"),
        ("several_tenants", "the customer belongs to several tenants"),
        ("not_archived", "the customer is not archived"),
        ("unpaid_invoice", "an invoice is unpaid"),
        ("open_dispute", "a payment is disputed"),
        ("legal_claim", "held for a legal claim"),
        ("restriction", "processing is restricted"),
        ("authority_order", "held by order of an authority"),
        ("hold", "stopped by an operator because of an incident"),
    ],
    unreadable: "Facts that cannot be read",
    fact: "Fact",
    months: "The coming months",
    month: "Month",
    months_none: "Nobody becomes due in the coming twelve months.",
    chart_says: "Bar chart: customers who become due, by month. {n} in twelve months. The table below has the numbers.",
    later: "Due after that: {n}.",
    names: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    not_covered: "What the plans do not cover",
    made_by: "Made by relinquish {version}.",
};

static SWEDISH: Words = Words {
    thousands: '\u{a0}',
    decimal: ',',
    title: "Granskning före radering",
    would_hit: "{due} av {customers} kunder ska raderas",
    untouched: "Inget har ändrats. En handläggare godkänner planerna innan något raderas.",
    summary: "I siffror",
    customers: "Kunder",
    due: "Ska raderas",
    oldest: "Har väntat längst, sedan",
    newest: "Har väntat kortast, sedan",
    not_yet: "Ska raderas senare",
    nothing: "Inget att göra",
    blocked: "Hindrade",
    cannot_be_read: "Kan inte läsas",
    not_surveyed: "Kunde inte undersökas",
    digest: "Kontrollsumma för alla planer",
    digest_says: "Ett godkännande av kontrollsumman gäller alla planer på sidan. Om planer stryks får granskningen en annan kontrollsumma.",
    runs: "Vad som skulle göras",
    tenant: "Organisation",
    trigger: "Orsak",
    treatment: "Behandling",
    afterwards: "Efteråt",
    records: "Poster",
    residues: ["raderad", "anonymiserad", "pseudonymiserad", "delvis raderad"],
    as_far_as_mapped: "så långt databasen är kartlagd",
    tenants: "Per organisation",
    share: "Andel",
    stays: "Vad som blir kvar om dem som ska raderas",
    nothing_stays: "Planerna sparar ingenting.",
    what: "Vad",
    why: "Varför",
    until: "Till och med",
    for_others: "sparas därför att sparade poster behöver dem",
    undated: "poster vars datum inte kan läsas: {n}",
    not_known: "okänt",
    or_not_known: "för vissa okänt",
    as_policy_says: "som reglerna säger",
    by: "Hinder",
    guards: [
        ("active_subscription", "ett abonnemang är aktivt"),
        ("several_tenants", "kunden finns hos flera organisationer"),
        ("not_archived", "kunden är inte arkiverad"),
        ("unpaid_invoice", "en faktura är obetald"),
        ("open_dispute", "en betalning är bestriden"),
        ("legal_claim", "spärrad för ett rättsligt anspråk"),
        ("restriction", "behandlingen är begränsad"),
        ("authority_order", "spärrad på begäran av en myndighet"),
        ("hold", "stoppad av en handläggare på grund av en incident"),
    ],
    unreadable: "Uppgifter som inte kan läsas",
    fact: "Uppgift",
    months: "De kommande månaderna",
    month: "Månad",
    months_none: "Ingen ska raderas under de kommande tolv månaderna.",
    chart_says: "Stapeldiagram: kunder som ska raderas, per månad. {n} på tolv månader. Siffrorna finns i tabellen nedanför.",
    later: "Därefter: {n}.",
    names: [
        "januari",
        "februari",
        "mars",
        "april",
        "maj",
        "juni",
        "juli",
        "augusti",
        "september",
        "oktober",
        "november",
        "december",
    ],
    not_covered: "Vad planerna inte omfattar",
    made_by: "Skapad av relinquish {version}.",
};

static GERMAN: Words = Words {
    thousands: '.',
    decimal: ',',
    title: "Prüfung vor der Löschung",
    would_hit: "{due} von {customers} Kunden sind zu löschen",
    untouched: "Es wurde nichts verändert. Erst nach der Freigabe der Pläne wird gelöscht.",
    summary: "In Zahlen",
    customers: "Kunden",
    due: "Zu löschen",
    oldest: "Am längsten fällig, seit",
    newest: "Zuletzt fällig geworden",
    not_yet: "Später zu löschen",
    nothing: "Nichts zu tun",
    blocked: "Gesperrt",
    cannot_be_read: "Nicht lesbar",
    not_surveyed: "Konnten nicht geprüft werden",
    digest: "Prüfsumme aller Pläne",
    digest_says: "Eine Freigabe dieser Prüfsumme gilt für alle Pläne auf dieser Seite. Werden Pläne gestrichen, hat die Prüfung eine andere Prüfsumme.",
    runs: "Was geschehen würde",
    tenant: "Mandant",
    trigger: "Anlass",
    treatment: "Behandlung",
    afterwards: "Danach",
    records: "Datensätze",
    residues: ["gelöscht", "anonymisiert", "pseudonymisiert", "teilweise gelöscht"],
    as_far_as_mapped: "soweit die Datenbank erfasst ist",
    tenants: "Je Mandant",
    share: "Anteil",
    stays: "Was von den zu Löschenden bleibt",
    nothing_stays: "Die Pläne behalten nichts.",
    what: "Was",
    why: "Warum",
    until: "Bis",
    for_others: "aufbewahrt, weil aufbewahrte Datensätze sie brauchen",
    undated: "Datensätze, deren Datum nicht lesbar ist: {n}",
    not_known: "nicht bekannt",
    or_not_known: "teils nicht bekannt",
    as_policy_says: "wie in den Regeln",
    by: "Hindernis",
    guards: [
        ("active_subscription", "ein Abonnement ist aktiv"),
        ("several_tenants", "der Kunde gehört zu mehreren Mandanten"),
        ("not_archived", "der Kunde ist nicht archiviert"),
        ("unpaid_invoice", "eine Rechnung ist unbezahlt"),
        ("open_dispute", "eine Zahlung ist strittig"),
        ("legal_claim", "gesperrt wegen eines Rechtsanspruchs"),
        ("restriction", "die Verarbeitung ist eingeschränkt"),
        ("authority_order", "gesperrt auf Anordnung einer Behörde"),
        ("hold", "wegen eines Vorfalls von Hand angehalten"),
    ],
    unreadable: "Angaben, die nicht lesbar sind",
    fact: "Angabe",
    months: "Die kommenden Monate",
    month: "Monat",
    months_none: "In den kommenden zwölf Monaten wird niemand fällig.",
    chart_says: "Balkendiagramm: Kunden, die fällig werden, je Monat. {n} in zwölf Monaten. Die Tabelle darunter hat die Zahlen.",
    later: "Danach: {n}.",
    names: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    not_covered: "Was die Pläne nicht umfassen",
    made_by: "Erstellt von relinquish {version}.",
};
