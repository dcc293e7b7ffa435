//! Every text in German.

use super::law::parts;
use super::words::{LawWords, TriggerWords, Words, listed};
use crate::customer::HoldKind;
use crate::data_map::Kind;
use crate::policy::{Guard, Period, PrivacyLaw, StartRule, Trigger};

fn period(period: Period) -> String {
    let (years, months, days) = period.parts();
    let parts = [(years, "Jahr", "Jahre"), (months, "Monat", "Monate"), (days, "Tag", "Tage")].into_iter();
    let some: Vec<String> = parts
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, several)| format!("{count} {}", if count == 1 { one } else { several }))
        .collect();
    if some.is_empty() { "0 Tage".to_owned() } else { listed(&some, " und ") }
}

fn start(start: StartRule) -> &'static str {
    match start {
        StartRule::RecordDate => "dem Datum der Aufzeichnung",
        StartRule::LastEntry => "der letzten Eintragung",
        StartRule::LastEntryOfBook => {
            "der letzten Eintragung in das Buch, spätestens ab dem Ende des Geschäftsjahres"
        }
        StartRule::TransactionCompleted => "dem Abschluss des Geschäfts",
        StartRule::CalendarYear => "dem Ende des Kalenderjahres der Aufzeichnung",
        StartRule::FiscalYear => "dem Ende des Geschäftsjahres",
        StartRule::CalendarYearOfFiscalYear => "dem Ende des Kalenderjahres, in dem das Geschäftsjahr endete",
        StartRule::CalendarYearOfClosing => {
            "dem Ende des Kalenderjahres, in dem die Bücher abgeschlossen wurden"
        }
        StartRule::CalendarYearOfTaxDue => "dem Ende des Kalenderjahres, in dem die Steuer fällig wurde",
        StartRule::UkTaxReturn => "dem 31. Januar nach dem Ende des Steuerjahres",
    }
}

fn trigger(trigger: Trigger) -> TriggerWords {
    let (after, at_once) = match trigger {
        Trigger::Cancelled => (
            "{after} nach dem Ende Ihrer Kundenbeziehung zu uns{since}.",
            "Sobald Ihre Kundenbeziehung zu uns endet.",
        ),
        Trigger::Deleted => {
            ("{after} nach der Löschung Ihres Kontos{since}.", "Sobald Ihr Konto gelöscht wird.")
        }
        Trigger::Inactive => (
            "{after} nach unserem letzten Kontakt mit Ihnen{since}.",
            "Sobald der maßgebliche Tag gekommen ist{since}.",
        ),
        Trigger::ServiceEnded => (
            "{after} nach dem Ende unserer Leistung für das Unternehmen, dessen Kunde Sie sind{since}.",
            "Sobald unsere Leistung für das Unternehmen endet, dessen Kunde Sie sind.",
        ),
        Trigger::Listed => (
            "Wenn wir Sie auf eine Liste zur Löschung setzen: {after} nach dem maßgeblichen Tag{since}.",
            "Wenn wir Sie auf eine Liste zur Löschung setzen, zum Beispiel, weil die Daten nicht mehr benötigt werden.",
        ),
        Trigger::Requested => ("Wenn Sie es verlangen.", "Wenn Sie es verlangen."),
    };
    TriggerWords { after, at_once }
}

fn guard(guard: &Guard) -> Option<[&'static str; 2]> {
    Some(match guard {
        Guard::ActiveSubscription => [
            "Sie haben ein laufendes Abonnement, und wir benötigen Ihre Daten, um es zu erfüllen",
            "die Kündigung des Abonnements",
        ],
        Guard::SeveralTenants => [
            "Ihr Konto ist auch mit anderen Unternehmen verbunden",
            "die Trennung des Kontos von den anderen Unternehmen, die Sie bei uns verlangen können",
        ],
        Guard::NotArchived => [
            "Ihr Konto muss zuerst geschlossen werden",
            "die Schließung des Kontos, die Sie bei uns verlangen können",
        ],
        Guard::UnpaidInvoice => [
            "eine Rechnung ist unbezahlt, und wir benötigen die Daten zur Geltendmachung, Ausübung oder Verteidigung unseres \
             Anspruchs",
            "die Zahlung der Rechnung oder eine Einigung mit uns",
        ],
        Guard::OpenDispute => [
            "eine Zahlung ist strittig, und wir benötigen die Daten zur Geltendmachung, Ausübung oder Verteidigung von \
             Rechtsansprüchen",
            "die Klärung des Streits",
        ],
        Guard::Hold(HoldKind::LegalClaim) => [
            "wir benötigen die Daten zur Geltendmachung, Ausübung oder Verteidigung von Rechtsansprüchen",
            "die Klärung des Anspruchs",
        ],
        Guard::Hold(HoldKind::Restriction) => [
            "Sie haben die Einschränkung der Verarbeitung Ihrer Daten verlangt",
            "Ihre Mitteilung, dass die Einschränkung enden darf",
        ],
        Guard::Hold(HoldKind::AuthorityOrder) => [
            "ein Gericht oder eine Behörde hat angeordnet, dass die Daten aufbewahrt werden",
            "das Ende der Anordnung",
        ],
        Guard::Own(_) => return None,
    })
}

fn ground(law: PrivacyLaw, article: &str) -> String {
    let (number, paragraph, letter) = parts(article);
    let mut cited = format!("Art. {number}");
    // Switzerland abbreviates the word in its own way.
    let letters = if law == PrivacyLaw::Fadp { " Bst. " } else { " Buchst. " };
    for (before, part) in [(" Abs. ", paragraph), (letters, letter)] {
        if !part.is_empty() {
            cited.push_str(before);
            cited.push_str(part);
        }
    }
    match law {
        PrivacyLaw::Gdpr => format!("{cited} DSGVO"),
        PrivacyLaw::UkGdpr => format!("{cited} UK GDPR"),
        PrivacyLaw::Fadp => format!("{cited} DSG"),
        PrivacyLaw::Dpdp => format!("section {article} des indischen DPDP Act 2023"),
        PrivacyLaw::Ccpa => format!("§ {article} des kalifornischen CCPA"),
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
    rights: "Sie können von {sender} Auskunft über Ihre Daten, Berichtigung, Löschung und Einschränkung der Verarbeitung verlangen \
             (Art. 15 bis 18 DSGVO).",
    objection: "Sie können der Verarbeitung Ihrer Daten jederzeit aus Gründen widersprechen, die sich aus Ihrer besonderen Situation \
                ergeben (Art. 21 DSGVO).",
    consent: "Soweit wir Daten mit Ihrer Einwilligung verarbeiten, können Sie die Einwilligung jederzeit widerrufen (Art. 7 Abs. 3 \
              DSGVO).",
    remedies: "Wenn Sie nicht einverstanden sind, können Sie sich bei {authority}, {address}, beschweren (Art. 77 DSGVO) und einen \
               gerichtlichen Rechtsbehelf einlegen (Art. 79 DSGVO).",
    recipients_on_request: "Auf Verlangen nennen wir Ihnen die Empfänger, denen Ihre Daten offengelegt wurden (Art. 19 DSGVO).",
};

const UK_GDPR: LawWords = LawWords {
    rights: "Sie können von {sender} Auskunft über Ihre Daten, Berichtigung, Löschung und Einschränkung der Verarbeitung verlangen \
             (Art. 15 bis 18 UK GDPR).",
    objection: "Sie können der Verarbeitung Ihrer Daten jederzeit aus Gründen widersprechen, die sich aus Ihrer besonderen Situation \
                ergeben (Art. 21 UK GDPR).",
    consent: "Soweit wir Daten mit Ihrer Einwilligung verarbeiten, können Sie die Einwilligung jederzeit widerrufen (Art. 7 Abs. 3 \
              UK GDPR).",
    remedies: "Wenn Sie nicht einverstanden sind, können Sie sich zuerst bei uns beschweren: {contact} (section 164A des Data \
               Protection Act 2018). Sie können sich auch bei {authority}, {address}, beschweren (section 165 dieses Gesetzes) und \
               ein Gericht anrufen (section 167 dieses Gesetzes).",
    recipients_on_request: "Auf Verlangen nennen wir Ihnen die Empfänger, denen Ihre Daten offengelegt wurden (Art. 19 UK GDPR).",
};

const FADP: LawWords = LawWords {
    rights: "Sie können von {sender} Auskunft über Ihre Daten (Art. 25 DSG) sowie Berichtigung und Löschung (Art. 32 DSG) verlangen.",
    objection: "Sie können jederzeit erklären, dass Sie die Bearbeitung Ihrer Daten nicht wünschen (Art. 30 Abs. 2 Bst. b DSG).",
    consent: "Soweit wir Daten mit Ihrer Einwilligung bearbeiten, können Sie die Einwilligung jederzeit widerrufen.",
    remedies: "Wenn Sie nicht einverstanden sind, können Sie vor einem Zivilgericht klagen (Art. 32 DSG) und die Sache bei {authority}, \
               {address}, anzeigen (Art. 49 DSG).",
    recipients_on_request: "Auf Verlangen nennen wir Ihnen die Empfänger, denen Ihre Daten bekannt gegeben wurden (Art. 25 DSG).",
};

fn identifier(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Email => "E-Mail-Adressen",
        Kind::Phone => "Telefonnummern",
        Kind::Username => "Benutzernamen",
        Kind::NationalId => "Ausweisnummern",
        Kind::TaxId => "Steuernummern",
        Kind::BankAccount => "Bankverbindungen",
        Kind::PaymentProfile => "Profile bei Zahlungsdiensten",
        Kind::CustomerNumber => "Kundennummern",
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
    and: " und ",

    date: "Datum: {date}",
    controller: "Verantwortlicher: {sender}, {contact}",
    officer: "Datenschutzbeauftragter: {officer}",
    reference: "Unser Zeichen: {reference}",
    received: "Ihr Antrag ging am {received} bei uns ein.",

    confirmation: [
        "Ihre Daten wurden gelöscht",
        "Ihre Daten wurden anonymisiert",
        "Ihre Daten wurden pseudonymisiert",
        "Ihre Daten wurden zum Teil gelöscht",
        "Das Ergebnis der Löschung",
    ],
    carried_out: "Wir haben die von Ihnen verlangte Löschung am {date} durchgeführt.",
    carried_out_unasked: "Wir haben am {date} eine Löschung Ihrer Daten durchgeführt, nach den in unseren Systemen geltenden Regeln und \
                          ohne Antrag von Ihnen.",
    refused_in_part: "Einen Teil Ihres Antrags müssen wir ablehnen. Was wir aus welchem Grund aufbewahren, steht unten.",
    done: "Was wir getan haben",
    nothing_done: "Wir haben keine Daten von Ihnen gefunden, die zu löschen waren.",
    deleted: "**{what}**{count}: gelöscht.",
    cleared: "**{what}**{count}: die Angaben, die Sie unmittelbar identifizieren, wurden entfernt. Der Rest wird aufbewahrt.",
    handed_over: "**{what}**{count}: aufbewahrt ohne Bezug zu einer Person. Die Angaben, die Sie unmittelbar identifizieren, \
                  wurden entfernt.",
    count: " ({n} Datensätze)",
    count_one: " (1 Datensatz)",
    count_unknown: " (soweit vorhanden; die Anzahl ist nicht bekannt)",
    fields_of_others: "**{what}**{count}: Angaben über Sie in Daten anderer Personen wurden entfernt.",
    kept_heading: "Was wir aufbewahrt haben",
    kept: "**{what}**{count}: unverändert aufbewahrt. Grund: {reason}.",
    kept_field: "**{field}** ({what}): aufbewahrt{until}. Grund: {reason}.",
    general_field: "**{field}** ({what}): in allgemeinerer Form aufbewahrt ({general}){until}.",
    partly: [
        "**{field}** ({what}): in allgemeinerer Form aufbewahrt{until}.",
        "**{field}** ({what}): ein Text wird, soweit vorhanden, ohne die Stellen aufbewahrt, an denen wir Sie gefunden haben.",
        "**{field}** ({what}): ersetzt durch ein leeres Dokument mit derselben Seitenzahl.",
    ],
    as_long_as_record: ", so lange wie der übrige Datensatz",
    field_until: ", längstens bis zum {date}, und danach entfernt",
    field_for: ", {period} über die Löschung hinaus, und danach entfernt",
    for_reason: " Grund: {reason}.",
    shared_field: "**{field}** ({what}): nur aufbewahrt, wo viele Kunden dieselbe Angabe haben, sonst allgemeiner oder gar nicht.{reason}",
    shared: "**{what}**{count}: aufbewahrt, weil sie auch zu einer anderen Person gehören.",
    needed: "**{what}**{count}: aufbewahrt ohne die Angaben, die Sie unmittelbar identifizieren, weil aufbewahrte Daten darauf \
             verweisen.{until}",
    needed_until: " Wir löschen sie mit den letzten dieser Daten, spätestens am Tag nach dem {date}.",
    deferred: "**{what}**{count}: unverändert aufbewahrt. {duties}",
    deferred_for_others: "**{what}**{count}: unverändert aufbewahrt, weil andere aufbewahrte Daten sie benötigen. Für jene \
                          anderen Daten gilt: {duties}",
    by_obligation: "Wir sind gesetzlich verpflichtet, sie {until} aufzubewahren: {period} ab {start} ({law}; {ground}).",
    by_claims: "Wir bewahren sie {until} auf, um Rechtsansprüche geltend machen, ausüben oder verteidigen zu können: die \
                Verjährungsfrist beträgt {period} ab {start} ({law}; {ground}).",
    by_other: "Wir bewahren sie {until} auf: {period} ab {start} ({law}; {ground}).",
    until: "längstens bis zum {date}",
    until_unknown: "bis zu einem Tag, der noch nicht berechnet werden kann,",
    undated: "**{what}**{count}: das Datum ist nicht lesbar, der letzte Tag daher nicht bekannt. Wir bewahren sie auf, bis er \
              bekannt ist.",
    then_deleted: "**{what}**: danach löschen wir sie{where}.",
    then_cleared: "**{what}**: danach entfernen wir die Angaben, die Sie unmittelbar identifizieren{where}.",
    then_handed_over: "**{what}**: danach entfernen wir die Angaben, die Sie unmittelbar identifizieren, und den Bezug zu \
                       Ihnen{where}.",
    where_known: ", soweit der letzte Tag bekannt ist",
    gateway_erased: "Ihr Profil beim Zahlungsdienst **{what}**: dort gelöscht.",
    gateway_absent: "Ihr Profil beim Zahlungsdienst **{what}**: war nicht mehr vorhanden.",
    gateway_retained: "Der Zahlungsdienst **{what}** bewahrt einen Teil Ihres Profils auf{until}.",
    gateway_waived: "Ihr Profil beim Zahlungsdienst **{what}**: nicht gelöscht. Dieser Schritt wurde ausgelassen.",
    recipients: "Die Empfänger, denen Ihre Daten offengelegt wurden:",
    recipients_none: "Unsere Unterlagen nennen keinen Empfänger, dem Ihre Daten offengelegt wurden.",
    recipient_gateway: "Der Zahlungsdienst **{what}**: was aus Ihrem Profil dort geworden ist, steht oben.",
    recipient_by_hand: "**{what}**: von uns persönlich über die Löschung unterrichtet, oder Ihre Daten wurden dort von Hand gelöscht. Ein Nachweis liegt uns vor.",
    recipient_told: "**{what}**: über die Löschung unterrichtet. Dort ist nach eigener Auskunft nichts mehr von Ihnen gespeichert.",
    recipient_retained: "**{what}**: über die Löschung unterrichtet. Ein Teil Ihrer Daten wird dort aufbewahrt{until}.",
    recipient_unconfirmed: "**{what}**: dieser Schritt wurde ausgelassen. Der Empfänger wurde möglicherweise nicht über die Löschung unterrichtet und hat sie nicht bestätigt.",
    recipient_unidentified: "**{what}**: nicht unterrichtet, weil wir nichts haben, woran Sie dort erkannt werden.",
    recipient_not_told: "**{what}**: nicht unterrichtet. Grund: {reason}.",
    left: [
        "Ihr Kundendatensatz und die oben als gelöscht genannten Daten sind in der Datenbank, auf die sich diese Löschung bezieht, nicht mehr vorhanden.",
        "Die Angaben, die Sie unmittelbar identifizieren, wurden aus den oben genannten Daten entfernt. In der Datenbank, \
         auf die sich diese Löschung bezieht, führt nichts mehr zu Ihnen.",
        "Die Angaben, die Sie unmittelbar identifizieren, wurden aus den oben genannten Daten entfernt. Die verbliebenen Daten sind \
         pseudonymisiert: sie können Ihnen noch zugeordnet werden.",
        "Daten, die Sie identifizieren, sind noch vorhanden. Diese Daten sind unten genannt.",
        "Daten, die Sie identifizieren, können noch vorhanden sein. Diese Daten sind unten genannt.",
    ],
    leads: "Dies kann Ihnen noch zugeordnet werden oder identifiziert Sie:",
    leftover: "Texte unter {what}, die noch Daten über Sie enthalten (Anzahl: {n})",
    lead_field: "{field} ({what})",
    lead_shared: "{what}, soweit sie auch zu einer anderen Person gehören",
    lead_gateway: "der Zahlungsdienst {what}",
    lead_gateway_waived: "der Zahlungsdienst {what}, bei dem Ihr Profil nicht gelöscht wurde",
    lead_recipient: "der Empfänger {what}",
    lead_recipient_unconfirmed: "der Empfänger {what}, der möglicherweise nicht über die Löschung unterrichtet wurde und sie nicht bestätigt hat",
    lead_mentions: "Texte anderer Personen, in denen Sie erwähnt sein können: wir haben sie nicht nach Ihnen durchsucht",
    lead_token: "Ihre Kundennummer in den verbliebenen Daten, solange der Schlüssel unseres Löschprotokolls besteht",
    lead_while_kept: "{what}, nur solange wir Daten wie unten genannt länger aufbewahren",
    lead_until: "{what}, längstens bis zum {date}",
    not_covered: "Nicht von der Löschung erfasst sind:",
    unclaimed: "Zeilen unserer Datenbank, von denen nicht bekannt ist, wem sie zuzuordnen sind",
    uncertain: "Stellen in Texten, die Sie meinen können, ohne dass dies sicher ist (Anzahl: {n})",
    mentions: "Texte anderer Personen, in denen Sie erwähnt sein können",
    other_systems: "Datenbanken, Dokumente, Protokolle und Suchindizes außerhalb der Datenbank, auf die sich diese Löschung bezieht",
    tables: "Tabellen unserer Datenbank, die unser Verzeichnis personenbezogener Daten nicht nennt (Anzahl: {n})",
    ignored: "ein Teil unserer Datenbank, den unser Verzeichnis auslässt: {reason}",
    by_trigger: "Kopien, die unsere Datenbank selbst in einer Tabelle anlegt, die unser Verzeichnis auslässt",
    object_versions: "ältere Fassungen und Kopien der Dateien unter {what}",
    owners_elsewhere: "Datensätze in einer anderen unserer Datenbanken, wenn sie eine Kundennummer nennen, die wir nicht haben",
    rows_unclaimed: "Zeilen, von denen unser Verzeichnis nicht sagt, was sie sind (Anzahl: {n})",
    rows_without_owner: "Daten unter {what}, von denen nicht bekannt ist, wem sie zuzuordnen sind (Anzahl: {n})",
    unsearchable: "Texte unter {what}, die nicht nach Ihnen durchsucht werden können (Anzahl: {n})",
    unreadable: "Daten unter {what}, deren Datum nicht lesbar ist (Anzahl: {n})",
    fields_of_nobody: "Felder unter {what}, die zu jemandem gehören, auf den der Datensatz nicht mehr verweist (Anzahl: {n})",
    something_else: "{what}",
    suppressed: "Damit Ihre Daten nicht versehentlich aus einer anderen Quelle wieder zu uns kommen, speichern wir je einen Code, längstens bis \
                 zum {date}. Er betrifft, soweit vorhanden: Ihre {kinds}. Woraus ein Code gebildet wurde, lässt sich nicht aus ihm ablesen. \
                 Wir können nur prüfen, ob etwas, das wir erhalten, zu ihm passt. Wenn Sie wieder Kunde werden wollen, löschen wir die \
                 Codes.",
    will_be_suppressed: "Nach der Löschung Ihrer Daten speichern wir je einen Code. Er betrifft, soweit vorhanden: Ihre {kinds}. Die Speicherung dauert \
                         {period} und dann noch bis zum Ende des Kalenderjahres. Der Code verhindert, dass Ihre Daten versehentlich \
                         aus einer anderen Quelle wieder zu uns kommen. Woraus er gebildet wurde, lässt sich nicht aus ihm ablesen.",
    old_bytes: "Reste gelöschter Daten können in den Dateien der Datenbank verbleiben, bis diese das nächste Mal bereinigt werden.",
    lingering: [
        "Es gibt keine Sicherungskopien.",
        "Sicherungskopien werden längstens {period} nach der Löschung aufbewahrt und dann gelöscht.",
        "Sicherungskopien werden längstens bis zum {date} aufbewahrt und dann gelöscht.",
        "Sicherungskopien werden gelöscht, wenn {n} neuere Kopien angelegt sind.",
        "Sicherungskopien werden ohne Enddatum aufbewahrt.",
        "Sicherungskopien können vorhanden sein. Wann sie gelöscht werden, lässt sich derzeit nicht sagen.",
    ],
    several_backups: "Wir haben mehrere Arten von Sicherungskopien:",
    one_copy: "Sicherungskopien werden gelöscht, wenn eine neuere Kopie angelegt ist.",

    refusal: "Ihr Antrag auf Löschung",
    refusal_reasons: "Wir können Ihre Daten noch nicht löschen. Die Gründe:",
    refusal_reason: "{reason} ({ground}). {data} {way_out}",
    all_data: "Dies betrifft alle Daten, die wir über Sie haben.",
    data_of: "Dies betrifft: {what}.",
    way_out: "Was dies ändern kann: {way_out}.",
    ask_us: "Sie können uns fragen, was dies ändern kann.",
    nothing_erased: "Auf diesen Antrag hin wurde nichts gelöscht. Sie können jederzeit einen neuen Antrag stellen.",
    handed_over_before: "Zuvor erhält das Unternehmen die Daten.",
    in_any_case: "Folgendes bewahren wir in jedem Fall auf, soweit vorhanden:",
    in_any_case_obligation: "**{what}**: wir müssen sie aufbewahren, und zwar {period} ab {start} ({law}; {ground}).",
    in_any_case_claims: "**{what}**: wir bewahren sie auf, um Rechtsansprüche geltend machen, ausüben oder verteidigen zu können, und \
                         zwar {period} ab {start} ({law}; {ground}).",
    in_any_case_other: "**{what}**: wir bewahren sie auf, und zwar {period} ab {start} ({law}; {ground}).",
    refusal_in_part: "Folgende Daten können wir noch nicht löschen:",
    rest_erased: "Ihre übrigen Daten sind von dieser Ablehnung nicht betroffen. Sie erhalten eine Bestätigung, in der steht, was gelöscht wurde.",
    rest_was_erased: "Am {date} haben wir die Löschung Ihrer übrigen Daten durchgeführt.",

    extension: "Wir benötigen mehr Zeit für Ihren Antrag",
    extended_swiss: "Wir können nicht innerhalb von 30 Tagen antworten. {reason} Sie erhalten unsere Antwort spätestens am {due}.",
    extended: "Wir können nicht innerhalb eines Monats antworten. {reason} Sie erhalten unsere Antwort spätestens am {due} ({article}).",
    complexity: "Ihr Antrag ist komplex.",
    number_of_requests: "Wir haben eine große Zahl von Anträgen erhalten.",
    number_of_your_requests: "Sie haben mehrere Anträge gestellt.",
    suspended: "Vom {from} bis zum {to} war die Frist gehemmt. {reason}",
    began: "Die Frist begann am {to}. {reason}",
    for_identity_or_fee: "Bis dahin warteten wir auf einen Nachweis Ihrer Identität oder auf eine Gebühr.",
    for_identity: "Wir mussten Sie bitten, Ihre Identität nachzuweisen.",
    for_clarification: "Wir mussten Sie fragen, worauf sich Ihr Antrag bezieht.",

    statement: "Wie lange {sender} Ihre personenbezogenen Daten aufbewahrt",
    in_force: "Dieser Hinweis ist aus den Regeln erzeugt, die in unseren Systemen gelten.",
    when: "Wann wir Ihre Daten löschen",
    case: "Fall {n}",
    what_then: "Was dann geschieht:",
    only_on_request: "Wir löschen nichts automatisch, sondern nur, wenn Sie es verlangen.",
    since: " (gerechnet ab dem ersten dieser Tage, der vorliegt: {dates})",
    will_be_deleted: "**{what}**: gelöscht.",
    will_be_cleared: "**{what}**: aufbewahrt; die Angaben, die Sie unmittelbar identifizieren, werden entfernt.",
    will_be_handed_over: "**{what}**: aufbewahrt ohne Bezug zu einer Person; die Angaben, die Sie unmittelbar identifizieren, werden \
                          entfernt.",
    will_be_kept: "**{what}**: unverändert aufbewahrt. Grund: {reason}.",
    shared_will_be_kept: "**{what}**: was auch zu einer anderen Person gehört, wird aufbewahrt.",
    gateway_will_be_erased: "Ihr Profil beim Zahlungsdienst **{what}**: gelöscht.",
    gateway_will_be_kept: "Ihr Profil beim Zahlungsdienst **{what}**: aufbewahrt. Grund: {reason}.",
    duties: "Was wir länger aufbewahren",
    duty_of_law: "**{what}**: gesetzliche Aufbewahrungsfrist: {period}, gerechnet ab {start} ({law}; {ground}). Danach \
                  geschieht, was oben steht.",
    duty_of_claims: "**{what}**: Aufbewahrung für {period}, gerechnet ab {start}, um Rechtsansprüche geltend machen, ausüben oder \
                     verteidigen zu können ({law}; {ground}). Danach geschieht, was oben steht.",
    duty_of_other: "**{what}**: Aufbewahrung für {period}, gerechnet ab {start} ({law}; {ground}). Danach geschieht, was oben steht.",
    kept_with: "**{of}**: worauf eine solche Aufzeichnung unter {what} verweist, wird so lange aufbewahrt wie die Aufzeichnung.",
    expires: "Was wir automatisch löschen",
    expires_deleted: "**{what}**: gelöscht, und zwar {when}.",
    expires_cleared: "**{what}**: Entfernung der Angaben, die Sie unmittelbar identifizieren, {when}.",
    expires_by_age: "{period} nach dem Datum der Aufzeichnung ({from}), auch solange Sie Kunde sind",
    expires_by_duty: "sobald wir sie nicht mehr aus den oben genannten Gründen aufbewahren",
    at_most: "**{what}**: Aufbewahrung für höchstens {period}, gerechnet ab dem Datum der Aufzeichnung ({from}; {law}).",
    expires_ownerless: "sobald sie niemandem mehr zugeordnet sind",
    age_of_record: "{period} nach dem Datum der Aufzeichnung ({from})",
    ownerless_not_before: "{when}, frühestens aber {age}",
    ownerless_not_while_kept: "{when}, aber nicht, solange wir sie aus den oben genannten Gründen aufbewahren",
    obstacles: "Wann wir Ihre Daten noch nicht löschen können",
    obstacle: "{reason} ({ground}).",
    obstacle_without_ground: "{reason}. Das ist kein gesetzlicher Grund, Ihren Antrag abzulehnen, und die Frist für unsere Antwort läuft weiter. {way_out}",
    delay: "{reason}. Solange löschen wir nichts automatisch. Ein Antrag von Ihnen ist davon nicht betroffen.",
    state_applies: "der Status „{what}“ gilt für Sie",
    backups: "Sicherungskopien",
};
