//! Every text in Swedish.

use super::law::parts;
use super::words::{LawWords, TriggerWords, Words, listed};
use crate::customer::HoldKind;
use crate::data_map::Kind;
use crate::policy::{Guard, Period, PrivacyLaw, StartRule, Trigger};

fn period(period: Period) -> String {
    let (years, months, days) = period.parts();
    let parts = [(years, "år", "år"), (months, "månad", "månader"), (days, "dag", "dagar")].into_iter();
    let some: Vec<String> = parts
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, several)| format!("{count} {}", if count == 1 { one } else { several }))
        .collect();
    if some.is_empty() { "0 dagar".to_owned() } else { listed(&some, " och ") }
}

fn start(start: StartRule) -> &'static str {
    match start {
        StartRule::RecordDate => "uppgiftens datum",
        StartRule::LastEntry => "den sista noteringen",
        StartRule::LastEntryOfBook => "den sista noteringen i boken, dock senast från räkenskapsårets slut",
        StartRule::TransactionCompleted => "den dag då transaktionen slutfördes",
        StartRule::CalendarYear => "utgången av uppgiftens kalenderår",
        StartRule::FiscalYear => "räkenskapsårets slut",
        StartRule::CalendarYearOfFiscalYear => "utgången av det kalenderår då räkenskapsåret avslutades",
        StartRule::CalendarYearOfClosing => "utgången av det kalenderår då bokslutet upprättades",
        StartRule::CalendarYearOfTaxDue => "utgången av det kalenderår då skatten förföll till betalning",
        StartRule::UkTaxReturn => "den 31 januari efter skatteårets slut",
    }
}

fn trigger(trigger: Trigger) -> TriggerWords {
    let (after, at_once) = match trigger {
        Trigger::Cancelled => {
            ("{after} efter att du har slutat vara kund hos oss{since}.", "När du slutar vara kund hos oss.")
        }
        Trigger::Deleted => {
            ("{after} efter att ditt konto har tagits bort{since}.", "När ditt konto tas bort.")
        }
        Trigger::Inactive => (
            "{after} efter att vi senast hade kontakt med dig{since}.",
            "När det datum som räknas har kommit{since}.",
        ),
        Trigger::ServiceEnded => (
            "{after} efter att vår tjänst för det företag vars kund du är har upphört{since}.",
            "När vår tjänst för det företag vars kund du är har upphört.",
        ),
        Trigger::Listed => (
            "Om vi tar upp dig på en lista för radering: {after} efter det datum som räknas{since}.",
            "När vi tar upp dig på en lista för radering, till exempel för att uppgifterna inte längre behövs.",
        ),
        Trigger::Requested => ("När du ber oss om det.", "När du ber oss om det."),
    };
    TriggerWords { after, at_once }
}

fn guard(guard: &Guard) -> Option<[&'static str; 2]> {
    Some(match guard {
        Guard::ActiveSubscription => [
            "du har ett abonnemang som fortfarande löper, och vi behöver dina uppgifter för att tillhandahålla det",
            "att abonnemanget sägs upp",
        ],
        Guard::SeveralTenants => [
            "ditt konto är kopplat även till andra företag",
            "att kontot skiljs från de andra företagen, vilket du kan be oss om",
        ],
        Guard::NotArchived => {
            ["ditt konto måste först stängas", "att kontot stängs, vilket du kan be oss om"]
        }
        Guard::UnpaidInvoice => [
            "en faktura är obetald, och vi behöver uppgifterna för att fastställa, göra gällande eller försvara vårt anspråk",
            "att fakturan betalas, eller att du kommer överens med oss om den",
        ],
        Guard::OpenDispute => [
            "en betalning är bestridd, och vi behöver uppgifterna för att fastställa, göra gällande eller försvara ett rättsligt \
             anspråk",
            "att tvisten avgörs",
        ],
        Guard::Hold(HoldKind::LegalClaim) => [
            "vi behöver uppgifterna för att fastställa, göra gällande eller försvara ett rättsligt anspråk",
            "att anspråket avgörs",
        ],
        Guard::Hold(HoldKind::Restriction) => [
            "du har bett oss att begränsa behandlingen av dina uppgifter",
            "att du meddelar oss att begränsningen får upphöra",
        ],
        Guard::Hold(HoldKind::AuthorityOrder) => {
            ["en domstol eller myndighet har beslutat att uppgifterna ska bevaras", "att beslutet upphör"]
        }
        Guard::Own(_) => return None,
    })
}

fn ground(law: PrivacyLaw, article: &str) -> String {
    let (number, paragraph, letter) = parts(article);
    let mut cited = format!("artikel {number}");
    for (before, part) in [(".", paragraph), (" ", letter)] {
        if !part.is_empty() {
            cited.push_str(before);
            cited.push_str(part);
        }
    }
    match law {
        PrivacyLaw::Gdpr => format!("{cited} i GDPR"),
        PrivacyLaw::UkGdpr => format!("{cited} i UK GDPR"),
        PrivacyLaw::Fadp => format!("{cited} i den schweiziska dataskyddslagen"),
        PrivacyLaw::Dpdp => format!("section {article} i Indiens DPDP Act 2023"),
        PrivacyLaw::Ccpa => format!("§ {article} i Kaliforniens CCPA"),
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
    rights: "Du kan begära tillgång till dina uppgifter samt rättelse, radering och begränsning av behandlingen hos {sender} \
             (artiklarna 15–18 i GDPR).",
    objection: "Du kan när som helst invända mot behandlingen av dina uppgifter av skäl som hänför sig till din situation \
                (artikel 21 i GDPR).",
    consent: "När vi behandlar uppgifter med ditt samtycke kan du när som helst återkalla samtycket (artikel 7.3 i GDPR).",
    remedies: "Om du inte håller med kan du lämna in ett klagomål till {authority}, {address} (artikel 77 i GDPR), och väcka talan \
               vid domstol (artikel 79 i GDPR).",
    recipients_on_request: "Om du begär det talar vi om till vilka mottagare dina uppgifter har lämnats ut (artikel 19 i GDPR).",
};

const UK_GDPR: LawWords = LawWords {
    rights: "Du kan begära tillgång till dina uppgifter samt rättelse, radering och begränsning av behandlingen hos {sender} \
             (artiklarna 15–18 i UK GDPR).",
    objection: "Du kan när som helst invända mot behandlingen av dina uppgifter av skäl som hänför sig till din situation \
                (artikel 21 i UK GDPR).",
    consent: "När vi behandlar uppgifter med ditt samtycke kan du när som helst återkalla samtycket (artikel 7.3 i UK GDPR).",
    remedies: "Om du inte håller med kan du först klaga hos oss: {contact} (section 164A i Data Protection Act 2018). Du kan även \
               klaga hos {authority}, {address} (section 165 i samma lag), och vända dig till domstol (section 167 i samma lag).",
    recipients_on_request: "Om du begär det talar vi om till vilka mottagare dina uppgifter har lämnats ut (artikel 19 i UK GDPR).",
};

const FADP: LawWords = LawWords {
    rights: "Du kan begära tillgång till dina uppgifter samt rättelse och radering hos {sender} (artiklarna 25 och 32 i den \
             schweiziska dataskyddslagen).",
    objection: "Du kan när som helst förklara att du inte vill att dina uppgifter behandlas (artikel 30.2 b i den schweiziska \
                dataskyddslagen).",
    consent: "När vi behandlar uppgifter med ditt samtycke kan du när som helst återkalla samtycket.",
    remedies: "Om du inte håller med kan du väcka talan vid civil domstol (artikel 32 i den schweiziska dataskyddslagen) och anmäla \
               saken till {authority}, {address} (artikel 49 i samma lag).",
    recipients_on_request: "Om du begär det talar vi om till vilka mottagare dina uppgifter har lämnats ut (artikel 25 i den \
                            schweiziska dataskyddslagen).",
};

fn identifier(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Email => "e-postadresser",
        Kind::Phone => "telefonnummer",
        Kind::Username => "användarnamn",
        Kind::NationalId => "personnummer",
        Kind::TaxId => "skattenummer",
        Kind::BankAccount => "bankkonton",
        Kind::PaymentProfile => "profiler hos betaltjänster",
        Kind::CustomerNumber => "kundnummer",
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
    and: " och ",

    date: "Datum: {date}",
    controller: "Personuppgiftsansvarig: {sender}, {contact}",
    officer: "Dataskyddsombud: {officer}",
    reference: "Vår referens: {reference}",
    received: "Vi tog emot din begäran den {received}.",

    confirmation: [
        "Dina uppgifter har raderats",
        "Dina uppgifter har anonymiserats",
        "Dina uppgifter har pseudonymiserats",
        "Dina uppgifter har raderats delvis",
        "Resultatet av raderingen",
    ],
    carried_out: "Den {date} genomförde vi den radering som du har begärt.",
    carried_out_unasked: "Den {date} genomförde vi en radering av dina uppgifter, utifrån de regler som gäller i våra system och utan \
                          att du hade begärt det.",
    refused_in_part: "Vi måste avslå en del av din begäran. Nedan står vad vi sparar och varför.",
    done: "Vad vi har gjort",
    nothing_done: "Vi hittade inga uppgifter om dig som behövde raderas.",
    deleted: "**{what}**{count}: har raderats.",
    cleared: "**{what}**{count}: de uppgifter som direkt visar vem du är har tagits bort. Resten sparas.",
    handed_over: "**{what}**{count}: sparas utan koppling till någon person. De uppgifter som direkt visar vem du är har tagits \
                  bort.",
    count: " ({n} poster)",
    count_one: " (1 post)",
    count_unknown: " (om det fanns några; antalet är inte känt)",
    fields_of_others: "**{what}**{count}: uppgifter om dig i andra personers uppgifter har tagits bort.",
    kept_heading: "Vad vi har sparat",
    kept: "**{what}**{count}: sparas oförändrat. Skäl: {reason}.",
    kept_field: "**{field}** ({what}): sparas{until}. Skäl: {reason}.",
    general_field: "**{field}** ({what}): sparas i mer allmän form ({general}){until}.",
    partly: [
        "**{field}** ({what}): sparas i mer allmän form{until}.",
        "**{field}** ({what}): en text, om det fanns en, sparas utan de ställen där vi hittade dig.",
        "**{field}** ({what}): har ersatts med ett tomt dokument med lika många sidor.",
    ],
    as_long_as_record: " lika länge som de övriga uppgifterna i samma post",
    field_until: " längst till och med den {date} och tas därefter bort",
    field_for: " i {period} efter raderingen och tas därefter bort",
    for_reason: " Skäl: {reason}.",
    shared_field: "**{field}** ({what}): sparas bara om många kunder har samma uppgift, och annars i mer allmän form eller inte alls.{reason}",
    shared: "**{what}**{count}: sparas, eftersom de även hör till en annan person.",
    needed: "**{what}**{count}: sparas utan de uppgifter som direkt visar vem du är, eftersom uppgifter som vi sparar hänvisar \
             till dem.{until}",
    needed_until: " Vi raderar dem tillsammans med de sista av dessa uppgifter, senast dagen efter den {date}.",
    deferred: "**{what}**{count}: sparas oförändrat. {duties}",
    deferred_for_others: "**{what}**{count}: sparas oförändrat, eftersom andra uppgifter som vi sparar behöver dem. För de \
                          andra uppgifterna gäller: {duties}",
    by_obligation: "Vi är enligt lag skyldiga att spara dem {until}: {period} från {start} (enligt {law}; {ground}).",
    by_claims: "Vi sparar dem {until} för att kunna fastställa, göra gällande eller försvara rättsliga anspråk: preskriptionstiden är \
                {period} från {start} (enligt {law}; {ground}).",
    by_other: "Vi sparar dem {until}: {period} från {start} (enligt {law}; {ground}).",
    until: "längst till och med den {date}",
    until_unknown: "till en dag som ännu inte kan räknas ut",
    undated: "**{what}**{count}: datumet kan inte läsas, så den sista dagen är inte känd. Vi sparar dem tills den är det.",
    then_deleted: "**{what}**: därefter raderar vi dem{where}.",
    then_cleared: "**{what}**: därefter tar vi bort de uppgifter som direkt visar vem du är{where}.",
    then_handed_over: "**{what}**: därefter tar vi bort de uppgifter som direkt visar vem du är, och kopplingen till dig{where}.",
    where_known: ", där den sista dagen är känd",
    gateway_erased: "Din profil hos betaltjänsten **{what}**: har raderats där.",
    gateway_absent: "Din profil hos betaltjänsten **{what}**: fanns inte längre.",
    gateway_retained: "Betaltjänsten **{what}** sparar en del av din profil{until}.",
    gateway_waived: "Din profil hos betaltjänsten **{what}**: har inte raderats. Detta steg utelämnades.",
    recipients: "De mottagare till vilka dina uppgifter har lämnats ut:",
    recipients_none: "Våra register nämner ingen mottagare till vilken dina uppgifter har lämnats ut.",
    recipient_gateway: "Betaltjänsten **{what}**: vad som har hänt med din profil där anges ovan.",
    recipient_by_hand: "**{what}**: en medarbetare har underrättat mottagaren eller raderat dina uppgifter där. Vi har underlag som visar det.",
    recipient_told: "**{what}**: har underrättats om raderingen. Enligt mottagaren finns ingenting om dig kvar där.",
    recipient_retained: "**{what}**: har underrättats om raderingen. Mottagaren sparar en del av dina uppgifter{until}.",
    recipient_unconfirmed: "**{what}**: detta steg utelämnades. Mottagaren har kanske inte underrättats om raderingen och har inte bekräftat den.",
    recipient_unidentified: "**{what}**: har inte underrättats, eftersom vi saknar uppgift om vad mottagaren känner dig under.",
    recipient_not_told: "**{what}**: har inte underrättats. Skäl: {reason}.",
    left: [
        "Dina kunduppgifter och de uppgifter som anges ovan som raderade finns inte längre i den databas som raderingen gäller.",
        "De uppgifter som direkt visar vem du är har tagits bort ur det som anges ovan. I den databas som raderingen gäller leder \
         ingenting längre till dig.",
        "De uppgifter som direkt visar vem du är har tagits bort ur det som anges ovan. De uppgifter som är kvar är \
         pseudonymiserade: de kan fortfarande kopplas till dig.",
        "Uppgifter som visar vem du är finns kvar. De anges nedan.",
        "Uppgifter som visar vem du är kan finnas kvar. De anges nedan.",
    ],
    leads: "Detta kan fortfarande kopplas till dig eller visar vem du är:",
    leftover: "texter under {what} som fortfarande innehåller uppgifter om dig (antal: {n})",
    lead_field: "{field} ({what})",
    lead_shared: "{what}, i den mån de även hör till en annan person",
    lead_gateway: "betaltjänsten {what}",
    lead_gateway_waived: "betaltjänsten {what}, där din profil inte har raderats",
    lead_recipient: "mottagaren {what}",
    lead_recipient_unconfirmed: "mottagaren {what}, som kanske inte har underrättats om raderingen och inte har bekräftat den",
    lead_mentions: "andra personers texter, där du kan vara omnämnd: vi har inte sökt efter dig i dem",
    lead_token: "ditt kundnummer i de uppgifter som finns kvar, så länge som nyckeln till vår raderingslogg finns",
    lead_while_kept: "{what}, bara så länge som vi sparar uppgifter längre enligt nedan",
    lead_until: "{what}, längst till och med den {date}",
    not_covered: "Detta omfattas inte:",
    unclaimed: "rader i vår databas för vilka det inte är känt vem de hör till",
    uncertain: "ställen i texter som kan avse dig, utan att det är säkert (antal: {n})",
    mentions: "andra personers texter, där du kan vara omnämnd",
    other_systems: "databaser, dokument, loggar och sökindex utanför den databas som raderingen gäller",
    tables: "tabeller i vår databas som vår förteckning över personuppgifter inte tar upp (antal: {n})",
    ignored: "en del av vår databas som vår förteckning utelämnar: {reason}",
    by_trigger: "kopior som vår databas själv gör i en tabell som vår förteckning utelämnar",
    object_versions: "äldre versioner och kopior av filerna under {what}",
    owners_elsewhere: "poster i en annan databas hos oss, om de anger ett kundnummer som vi inte har",
    rows_unclaimed: "rader om vilka vår förteckning inte säger vad de är (antal: {n})",
    rows_without_owner: "uppgifter under {what} för vilka det inte är känt vem de hör till (antal: {n})",
    unsearchable: "texter under {what} som inte kan genomsökas efter dig (antal: {n})",
    unreadable: "uppgifter under {what} vars datum inte kan läsas (antal: {n})",
    fields_of_nobody: "fält under {what} som hör till någon som posten inte längre pekar på (antal: {n})",
    something_else: "{what}",
    suppressed: "För att inga uppgifter om dig ska komma tillbaka till oss av misstag från en annan källa sparar vi en kod för var och en av dessa, \
                 längst till och med den {date}, om vi hade några: dina {kinds}. Det går inte att läsa ut ur koden vad den är gjord av. Vi kan \
                 bara kontrollera om något som vi får stämmer med den. Om du vill bli kund hos oss igen raderar vi koderna.",
    will_be_suppressed: "När dina uppgifter har raderats sparar vi en kod för var och en av dessa, om vi hade några: dina {kinds}. Koden sparas i {period} och \
                         därefter till slutet av det kalenderåret. Den hindrar att uppgifter om dig kommer tillbaka till oss av misstag \
                         från en annan källa. Det går inte att läsa ut ur koden vad den är gjord av.",
    old_bytes: "Rester av raderade uppgifter kan finnas i databasens filer tills dessa nästa gång rensas.",
    lingering: [
        "Det finns inga säkerhetskopior.",
        "Uppgifterna finns kvar i våra säkerhetskopior i högst {period} efter raderingen. Därefter raderas de även där.",
        "Uppgifterna finns kvar i våra säkerhetskopior längst till och med den {date}. Därefter raderas de även där.",
        "Uppgifterna finns kvar i våra säkerhetskopior tills {n} nyare kopior har gjorts. Därefter raderas de även där.",
        "Uppgifterna finns kvar i våra säkerhetskopior utan slutdatum.",
        "Uppgifterna kan finnas kvar i säkerhetskopior. När de raderas där går för närvarande inte att säga.",
    ],
    several_backups: "Vi har flera slags säkerhetskopior:",
    one_copy: "Uppgifterna finns kvar i våra säkerhetskopior tills en nyare kopia har gjorts. Därefter raderas de även där.",

    refusal: "Din begäran om radering",
    refusal_reasons: "Vi kan ännu inte radera dina uppgifter. Skälen:",
    refusal_reason: "{reason} ({ground}). {data} {way_out}",
    all_data: "Det gäller alla uppgifter som vi har om dig.",
    data_of: "Det gäller: {what}.",
    way_out: "Det som kan ändra detta: {way_out}.",
    ask_us: "Du kan fråga oss vad som kan ändra detta.",
    nothing_erased: "Ingenting har raderats på grund av denna begäran. Du kan när som helst göra en ny begäran.",
    handed_over_before: "Dessförinnan får företaget uppgifterna.",
    in_any_case: "Följande sparar vi i alla händelser, om vi har sådana uppgifter:",
    in_any_case_obligation: "**{what}**: vi måste spara dem i {period} från {start} (enligt {law}; {ground}).",
    in_any_case_claims: "**{what}**: vi sparar dem i {period} från {start} för att kunna fastställa, göra gällande eller försvara \
                         rättsliga anspråk (enligt {law}; {ground}).",
    in_any_case_other: "**{what}**: vi sparar dem i {period} från {start} (enligt {law}; {ground}).",
    refusal_in_part: "Vi kan ännu inte radera följande uppgifter:",
    rest_erased: "Resten av dina uppgifter berörs inte av detta avslag. Du får en bekräftelse som anger vad som har raderats.",
    rest_was_erased: "Den {date} genomförde vi raderingen av dina övriga uppgifter.",

    extension: "Vi behöver längre tid för att svara på din begäran",
    extended_swiss: "Vi kan inte svara inom 30 dagar. {reason} Du får vårt svar senast den {due}.",
    extended: "Vi kan inte svara inom en månad. {reason} Du får vårt svar senast den {due} ({article}).",
    complexity: "Din begäran är komplicerad.",
    number_of_requests: "Vi har tagit emot ett stort antal begäranden.",
    number_of_your_requests: "Du har gjort flera begäranden.",
    suspended: "Från den {from} till den {to} löpte inte svarsfristen. {reason}",
    began: "Svarsfristen började löpa den {to}. {reason}",
    for_identity_or_fee: "Fram till dess väntade vi på att du skulle styrka din identitet eller betala en avgift.",
    for_identity: "Vi behövde be dig att styrka din identitet.",
    for_clarification: "Vi behövde fråga dig vad din begäran avser.",

    statement: "Hur länge {sender} sparar dina personuppgifter",
    in_force: "Texten har tagits fram automatiskt utifrån de regler som gäller i våra system.",
    when: "När vi raderar dina uppgifter",
    case: "Fall {n}",
    what_then: "Vad som händer då:",
    only_on_request: "Vi raderar ingenting automatiskt, utan bara när du ber oss om det.",
    since: " (räknat från det första av dessa datum som finns: {dates})",
    will_be_deleted: "**{what}**: raderas.",
    will_be_cleared: "**{what}**: sparas, och de uppgifter som direkt visar vem du är tas bort.",
    will_be_handed_over: "**{what}**: sparas utan koppling till någon person, och de uppgifter som direkt visar vem du är tas bort.",
    will_be_kept: "**{what}**: sparas oförändrat. Skäl: {reason}.",
    shared_will_be_kept: "**{what}**: det som även hör till en annan person sparas.",
    gateway_will_be_erased: "Din profil hos betaltjänsten **{what}**: raderas.",
    gateway_will_be_kept: "Din profil hos betaltjänsten **{what}**: sparas. Skäl: {reason}.",
    duties: "Vad vi sparar längre",
    duty_of_law: "**{what}**: detta är vi enligt lag skyldiga att spara i {period}, räknat från {start} (enligt {law}; {ground}). \
                  Därefter sker det som anges ovan.",
    duty_of_claims: "**{what}**: detta sparar vi i {period}, räknat från {start}, för att kunna fastställa, göra gällande eller \
                     försvara rättsliga anspråk (enligt {law}; {ground}). Därefter sker det som anges ovan.",
    duty_of_other: "**{what}**: detta sparar vi i {period}, räknat från {start} (enligt {law}; {ground}). Därefter sker det som anges \
                    ovan.",
    kept_with: "**{of}**: det som en sådan uppgift hänvisar till under {what} sparas lika länge som uppgiften.",
    expires: "Vad vi raderar automatiskt",
    expires_deleted: "**{what}**: raderas {when}.",
    expires_cleared: "**{what}**: de uppgifter som direkt visar vem du är tas bort {when}.",
    expires_by_age: "{period} efter datumet för respektive uppgift ({from}), även medan du är kund",
    expires_by_duty: "när vi inte längre sparar dem av de skäl som anges ovan",
    at_most: "**{what}**: sparas i högst {period}, räknat från uppgiftens datum ({from}; {law}).",
    expires_ownerless: "när de inte längre är kopplade till någon",
    age_of_record: "{period} efter datumet för respektive uppgift ({from})",
    ownerless_not_before: "{when}, men tidigast {age}",
    ownerless_not_while_kept: "{when}, men inte så länge vi sparar dem av de skäl som anges ovan",
    obstacles: "När vi ännu inte kan radera dina uppgifter",
    obstacle: "{reason} ({ground}).",
    obstacle_without_ground: "{reason}. Detta är ingen laglig grund för att avslå din begäran, och svarsfristen fortsätter att löpa. {way_out}",
    delay: "{reason}. Så länge raderar vi ingenting automatiskt. En begäran från dig påverkas inte.",
    state_applies: "tillståndet ”{what}” gäller för dig",
    backups: "Säkerhetskopior",
};
