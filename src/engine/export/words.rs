//! The texts of the page for the person, in each language. `{…}` is filled in.

use super::WhyLeftOut;
use crate::policy::Language;

/// The texts of a language.
pub(super) struct ExportWords {
    /// The code of the language in HTML.
    pub(super) code: &'static str,
    pub(super) title: &'static str,
    pub(super) made: &'static str,
    pub(super) held: &'static str,
    pub(super) records: &'static str,
    pub(super) none: &'static str,
    pub(super) first: &'static str,
    pub(super) all_in: &'static str,
    pub(super) customer: &'static str,
    pub(super) left_out: &'static str,
    pub(super) nothing_left_out: &'static str,
    pub(super) left_out_field: &'static str,
    pub(super) here: &'static str,
    pub(super) not_covered: &'static str,
    pub(super) other_systems: &'static str,
    pub(super) backups: &'static str,
    reasons: [&'static str; 3],
}

impl ExportWords {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Swedish => &SWEDISH,
            Language::German => &GERMAN,
        }
    }

    pub(super) fn why(&self, why: WhyLeftOut) -> &'static str {
        let [secret, of_others, shared] = self.reasons;
        match why {
            WhyLeftOut::Secret => secret,
            WhyLeftOut::OfSomebodyElse => of_others,
            WhyLeftOut::Shared => shared,
        }
    }
}

static ENGLISH: ExportWords = ExportWords {
    code: "en",
    title: "Your data at {sender}",
    made: "Made on {date}.",
    held: "What we hold about you",
    records: "Number of records: {n}",
    none: "We hold no such records.",
    first: "The first {n} are shown here.",
    all_in: "All of them, for a spreadsheet or a program:",
    customer: "customer",
    left_out: "What is left out",
    nothing_left_out: "Nothing is left out of these records.",
    left_out_field: "{field} under {what}, in this number of records: {n}. {why}",
    here: "left out",
    not_covered: "This page does not cover:",
    other_systems: "other databases, documents, logs and search indexes of ours",
    backups: "backup copies",
    reasons: [
        "It is a secret that grants access.",
        "It belongs to somebody else, or leads to somebody else.",
        "Somebody else has the record too, and this may be about them.",
    ],
};

static SWEDISH: ExportWords = ExportWords {
    code: "sv",
    title: "Dina uppgifter hos {sender}",
    made: "Framställt den {date}.",
    held: "Det vi har om dig",
    records: "Antal poster: {n}",
    none: "Vi har inga sådana poster.",
    first: "De första {n} visas här.",
    all_in: "Alla poster, för ett kalkylprogram eller ett annat program:",
    customer: "kund",
    left_out: "Det som är utelämnat",
    nothing_left_out: "Ingenting är utelämnat ur dessa poster.",
    left_out_field: "{field} under {what}, i så många poster: {n}. {why}",
    here: "utelämnat",
    not_covered: "Den här sidan omfattar inte:",
    other_systems: "andra databaser, dokument, loggar och sökindex hos oss",
    backups: "säkerhetskopior",
    reasons: [
        "Det är en hemlighet som ger åtkomst.",
        "Det tillhör någon annan, eller leder till någon annan.",
        "Någon annan har också posten, och uppgiften kan handla om den personen.",
    ],
};

static GERMAN: ExportWords = ExportWords {
    code: "de",
    title: "Ihre Daten bei {sender}",
    made: "Erstellt am {date}.",
    held: "Was wir über Sie gespeichert haben",
    records: "Anzahl der Datensätze: {n}",
    none: "Solche Datensätze haben wir nicht.",
    first: "Die ersten {n} sind hier gezeigt.",
    all_in: "Alle Datensätze, für eine Tabellenkalkulation oder ein anderes Programm:",
    customer: "Kunde",
    left_out: "Was ausgelassen ist",
    nothing_left_out: "Aus diesen Datensätzen ist nichts ausgelassen.",
    left_out_field: "{field} unter {what}, in so vielen Datensätzen: {n}. {why}",
    here: "ausgelassen",
    not_covered: "Diese Seite umfasst nicht:",
    other_systems: "andere Datenbanken, Dokumente, Protokolle und Suchindizes bei uns",
    backups: "Sicherungskopien",
    reasons: [
        "Es ist ein Geheimnis, das Zugang gewährt.",
        "Es gehört jemand anderem oder führt zu jemand anderem.",
        "Jemand anderes hat den Datensatz ebenfalls, und die Angabe kann diese Person betreffen.",
    ],
};
