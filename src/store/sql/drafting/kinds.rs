//! Guesses the kind of data in a column from its name, its type and samples.

use super::samples::Seen;
use super::{Risk, Said};
use crate::data_map::Datatype;
use crate::store::sql::schema::{Column, Table};

/// For each kind of personal data, typical column names in English, Swedish, German, French and Spanish: in lower case,
/// without separators and accents.
const NAMES: &[(&str, &[&str])] = &[
    (
        "email",
        &[
            "email",
            "emailaddress",
            "mail",
            "mailaddress",
            "epost",
            "epostadress",
            "mejl",
            "mejladress",
            "emailadresse",
            "mailadresse",
            "courriel",
            "adressemail",
            "adresseemail",
            "correo",
            "correoelectronico",
        ],
    ),
    (
        "phone",
        &[
            "phone",
            "phonenumber",
            "phoneno",
            "telephone",
            "telephonenumber",
            "tel",
            "telno",
            "mobile",
            "mobilenumber",
            "mobilephone",
            "cell",
            "cellphone",
            "fax",
            "faxnumber",
            "telefon",
            "telefonnummer",
            "mobil",
            "mobilnummer",
            "mobiltelefon",
            "handy",
            "handynummer",
            "rufnummer",
            "telefax",
            "portable",
            "telefono",
            "movil",
            "celular",
            "msisdn",
        ],
    ),
    (
        "name",
        &[
            "firstname",
            "lastname",
            "surname",
            "fullname",
            "givenname",
            "familyname",
            "middlename",
            "middleinitial",
            "maidenname",
            "forename",
            "displayname",
            "realname",
            "personname",
            "contactname",
            "customername",
            "clientname",
            "holdername",
            "cardholder",
            "accountholder",
            "recipient",
            "recipientname",
            "addressee",
            "fornamn",
            "efternamn",
            "namn",
            "vorname",
            "nachname",
            "familienname",
            "prenom",
            "nomdefamille",
            "nom",
            "nombre",
            "apellido",
            "apellidos",
            "initials",
            "salutationname",
            "attention",
            "attn",
            "signedby",
            "payer",
            "payee",
            "sendername",
            "receivername",
            "fname",
            "lname",
        ],
    ),
    (
        "company_name",
        &[
            "company",
            "companyname",
            "organisation",
            "organization",
            "organisationname",
            "organizationname",
            "firm",
            "foretag",
            "foretagsnamn",
            "firma",
            "firmenname",
            "societe",
            "entreprise",
            "raisonsociale",
            "empresa",
        ],
    ),
    (
        "address",
        &[
            "address",
            "addressline",
            "street",
            "streetaddress",
            "streetname",
            "streetnumber",
            "housenumber",
            "houseno",
            "house",
            "careof",
            "co",
            "apartment",
            "flat",
            "suite",
            "adress",
            "gata",
            "gatuadress",
            "gatunummer",
            "adresse",
            "strasse",
            "hausnummer",
            "rue",
            "calle",
            "direccion",
            "domicilio",
            "pobox",
            "district",
        ],
    ),
    (
        "postcode",
        &[
            "postcode",
            "postalcode",
            "zip",
            "zipcode",
            "postnummer",
            "postnr",
            "plz",
            "postleitzahl",
            "codepostal",
            "codigopostal",
            "eircode",
        ],
    ),
    (
        "city",
        &[
            "city",
            "town",
            "municipality",
            "stad",
            "ort",
            "postort",
            "stadt",
            "ville",
            "ciudad",
            "poblacion",
            "locality",
        ],
    ),
    (
        "region",
        &[
            "region",
            "province",
            "county",
            "stateprovince",
            "lan",
            "bundesland",
            "departement",
            "provincia",
            "prefecture",
        ],
    ),
    ("country", &["country", "countrycode", "countryiso", "land", "pays", "pais"]),
    (
        "username",
        &[
            "username",
            "nickname",
            "nick",
            "login",
            "loginname",
            "screenname",
            "handle",
            "userlogin",
            "usernicename",
            "anvandarnamn",
            "benutzername",
            "utilisateur",
            "identifiant",
            "usuario",
            "alias",
        ],
    ),
    (
        "password",
        &[
            "password",
            "passwordhash",
            "passwordhashed",
            "passwordhashalgorithm",
            "passworddigest",
            "encryptedpassword",
            "passwd",
            "pwd",
            "pass",
            "userpass",
            "losenord",
            "passwort",
            "kennwort",
            "motdepasse",
            "contrasena",
            "pin",
            "passwordsalt",
            "salt",
        ],
    ),
    (
        "access_token",
        &[
            "accesstoken",
            "apikey",
            "resettoken",
            "resetpasswordtoken",
            "sessiontoken",
            "sessionid",
            "sessionkey",
            "refreshtoken",
            "authtoken",
            "token",
            "secret",
            "activationkey",
            "confirmationtoken",
            "unlocktoken",
            "rememberingtoken",
            "remembertoken",
            "otpsecret",
            "invitationtoken",
            "unsubscribetoken",
            "verificationcode",
        ],
    ),
    (
        "ip_address",
        &[
            "ip",
            "ipaddress",
            "remoteip",
            "lastip",
            "clientip",
            "remoteaddr",
            "ipadress",
            "ipadresse",
            "signinip",
            "currentsigninip",
            "lastsigninip",
            "authorip",
            "commentauthorip",
            "registrationip",
        ],
    ),
    (
        "device",
        &[
            "useragent",
            "deviceid",
            "devicetoken",
            "browser",
            "agent",
            "commentagent",
            "fingerprint",
            "imei",
            "macaddress",
        ],
    ),
    (
        "birth_date",
        &[
            "birthdate",
            "dateofbirth",
            "dob",
            "birthday",
            "birth",
            "yearofbirth",
            "birthyear",
            "age",
            "fodelsedatum",
            "fodelsedag",
            "geburtsdatum",
            "geburtstag",
            "datedenaissance",
            "naissance",
            "fechadenacimiento",
            "nacimiento",
        ],
    ),
    (
        "gender",
        &[
            "gender",
            "sex",
            "salutation",
            "kon",
            "geschlecht",
            "anrede",
            "sexe",
            "civilite",
            "sexo",
            "pronouns",
            "honorific",
        ],
    ),
    (
        "national_id",
        &[
            "nationalid",
            "personalnumber",
            "personnummer",
            "samordningsnummer",
            "passport",
            "passportnumber",
            "ssn",
            "socialsecuritynumber",
            "personalausweis",
            "ausweisnummer",
            "nir",
            "dni",
            "nie",
            "curp",
            "cpf",
            "nino",
            "idcardnumber",
            "drivinglicence",
            "driverslicense",
        ],
    ),
    (
        "tax_id",
        &[
            "taxid",
            "vatnumber",
            "vatid",
            "taxnumber",
            "orgnr",
            "organisationsnummer",
            "steuernummer",
            "ustid",
            "nif",
            "cif",
            "siret",
            "siren",
            "vat",
        ],
    ),
    (
        "bank_account",
        &[
            "iban",
            "bankaccount",
            "accountnumber",
            "bankgiro",
            "plusgiro",
            "bic",
            "kontonummer",
            "rib",
            "sortcode",
            "clabe",
        ],
    ),
    (
        "payment_card",
        &[
            "cardnumber",
            "cardlast4",
            "last4",
            "lastfour",
            "creditcard",
            "ccnumber",
            "pan",
            "kartnummer",
            "kreditkarte",
            "cardexpiry",
        ],
    ),
    (
        "payment_profile",
        &[
            "stripeid",
            "stripecustomerid",
            "paypalid",
            "paypalemail",
            "braintreeid",
            "adyenid",
            "klarnaid",
            "paymentprofileid",
            "gatewaycustomerid",
        ],
    ),
    (
        "customer_number",
        &[
            "customernumber",
            "customerno",
            "customercode",
            "kundnummer",
            "kundennummer",
            "numeroclient",
            "numerocliente",
            "membernumber",
            "memberno",
        ],
    ),
    (
        "location",
        &[
            "latitude",
            "longitude",
            "lat",
            "lng",
            "lon",
            "geo",
            "coordinates",
            "geolocation",
            "position",
            "gps",
        ],
    ),
    (
        "communication",
        &[
            "callernumber",
            "calleenumber",
            "calledparty",
            "callingparty",
            "anumber",
            "bnumber",
            "destinationnumber",
            "sourcenumber",
            "fromnumber",
            "tonumber",
            "callee",
            "caller",
        ],
    ),
    (
        "free_text",
        &[
            "note",
            "notes",
            "comment",
            "comments",
            "remark",
            "remarks",
            "message",
            "body",
            "text",
            "description",
            "bio",
            "about",
            "memo",
            "content",
            "contents",
            "subject",
            "details",
            "feedback",
            "review",
            "reason",
            "instructions",
            "kommentar",
            "anteckning",
            "anteckningar",
            "meddelande",
            "beskrivning",
            "bemerkung",
            "nachricht",
            "notiz",
            "commentaire",
            "remarque",
            "comentario",
            "notas",
            "mensaje",
            "observaciones",
            "title",
            "caption",
            "excerpt",
            "website",
            "homepage",
            "signature",
            "url",
            "invoicetext",
            "answer",
        ],
    ),
    (
        "image",
        &["photo", "picture", "image", "avatar", "portrait", "bild", "foto", "imagen", "profilepicture"],
    ),
    ("document", &["document", "attachment", "file", "scan", "pdf", "contract"]),
];

/// Typical names of columns whose texts are codes of the host's own.
const CODES: &[&str] = &[
    "status",
    "state",
    "type",
    "kind",
    "category",
    "currency",
    "locale",
    "language",
    "lang",
    "timezone",
    "tz",
    "unit",
    "level",
    "role",
    "plan",
    "tier",
    "priority",
    "channel",
    "source",
    "method",
    "mode",
    "format",
    "version",
    "sku",
    "colour",
    "color",
    "size",
    "algorithm",
    "encoding",
    "class",
    "group",
    "slug",
    "visibility",
    "provider",
    "platform",
    "checksum",
    "digest",
    "mimetype",
    "contenttype",
    "extension",
    "theme",
    "layout",
    "result",
    "action",
    "event",
    "direction",
    "carrier",
    "shippingmethod",
    "paymentmethod",
    "typ",
    "art",
    "statut",
    "estado",
    "tipo",
    "rating",
];

/// The last words in names of columns with an instant or a day, which may be stored as text.
const DATES: &[&str] = &[
    "at",
    "on",
    "date",
    "time",
    "datetime",
    "timestamp",
    "until",
    "datum",
    "fecha",
    "gmt",
    "update",
    "since",
];

/// The first words in names of columns with a flag or a count.
const FLAGS: &[&str] =
    &["is", "has", "was", "can", "should", "allow", "allows", "enable", "num", "count", "total"];

/// The kinds that a column of numbers can have.
const AS_NUMBERS: &[&str] = &[
    "phone",
    "postcode",
    "national_id",
    "tax_id",
    "bank_account",
    "payment_card",
    "birth_date",
    "customer_number",
    "location",
    "communication",
    "ip_address",
    "payment_profile",
    "gender",
];

/// If a column has one of these kinds, its table is about people.
const OF_PEOPLE: &[&str] =
    &["email", "phone", "name", "username", "address", "birth_date", "national_id", "ip_address"];

/// The words of a name. `billingPostCode`, `billing_post_code` and `Billing PostCode` give the same three words.
/// Accents, and words that are only digits, are left out.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        let c = plain(c);
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.chars().all(|c| c.is_ascii_digit()));
    words
}

/// The ends of a name, from the whole name to its last word. Each end appears twice: first without the digits at its
/// end.
fn tails(name: &str) -> Vec<String> {
    let words = words(name);
    let tails = (0..words.len()).filter_map(|from| words.get(from..).map(<[String]>::concat));
    tails.flat_map(|tail| [tail.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(), tail]).collect()
}

/// A letter without its accent.
fn plain(c: char) -> char {
    use unicode_normalization::UnicodeNormalization as _;
    std::iter::once(c).nfd().next().unwrap_or(c)
}

/// The kind that a name suggests: the whole name, or else its last words.
fn named(name: &str) -> Option<&'static str> {
    tails(name).iter().find_map(|tail| {
        NAMES.iter().find(|(_, names)| names.contains(&tail.as_str())).map(|(kind, _)| *kind)
    })
}

fn last(name: &str, list: &[&str]) -> bool {
    tails(name).iter().any(|tail| list.contains(&tail.as_str()))
}

/// The columns whose names say that the table is about people. Empty if no name says so.
pub(super) fn of_people(table: &Table) -> Vec<&str> {
    let is_text = |column: &&Column| matches!(column.datatype, Datatype::Text | Datatype::Any);
    let columns = table.columns.iter().filter(is_text);
    let is_of = |column: &&Column| named(&column.name).is_some_and(|kind| OF_PEOPLE.contains(&kind));
    columns.filter(is_of).map(|column| column.name.as_str()).collect()
}

/// Whether a column seems to hold only an address or a telephone number.
pub(super) fn is_of_place(column: &str) -> bool {
    named(column).is_some_and(|kind| matches!(kind, "address" | "phone"))
}

/// Whether a column of text seems to hold an e-mail address.
pub(super) fn is_email(table: &Table, column: &Column) -> bool {
    matches!(column.datatype, Datatype::Text | Datatype::Any)
        && named(&column.name) == Some("email")
        && of_people(table).contains(&column.name.as_str())
}

/// The kind of data that a column seems to hold, with the reason and the risk of a wrong guess.
pub(super) fn guess(table: &Table, column: &Column, is_root: bool, seen: Option<&Seen>) -> Said {
    let not_personal = |why: String, risk| Said { value: "not personal".to_owned(), why, risk };
    let kind = |kind: &str, why: String, risk| Said { value: kind.to_owned(), why, risk };
    let name = column.name.as_str();
    let words = words(name);
    let is_flag = words.len() > 1 && words.first().is_some_and(|word| FLAGS.contains(&word.as_str()));
    let is_date = words.last().is_some_and(|word| DATES.contains(&word.as_str()));
    let by_name = named(name).filter(|_| !is_flag);
    match column.datatype {
        Datatype::Integer | Datatype::Real | Datatype::Numeric => {
            return match by_name.filter(|kind| AS_NUMBERS.contains(kind)) {
                Some(found) => kind(found, format!("named like {}", spelled(found)), Risk::Low),
                None => not_personal("a number, a date or a flag".to_owned(), Risk::Low),
            };
        }
        Datatype::Blob => {
            let found = by_name.filter(|kind| matches!(*kind, "image" | "document"));
            return match found {
                Some(found) => kind(found, format!("bytes, named like {}", spelled(found)), Risk::Low),
                None => kind("document", "bytes: what they are is not known".to_owned(), Risk::High),
            };
        }
        Datatype::Text | Datatype::Any => {}
    }
    if let Some((found, why)) = seen.and_then(Seen::kind) {
        return kind(found, why, Risk::Low);
    }
    if is_date && by_name != Some("birth_date") {
        return not_personal("named like a date".to_owned(), Risk::Low);
    }
    if is_flag {
        return not_personal("named like a flag or a count".to_owned(), Risk::Middle);
    }
    if let Some(found) = by_name {
        return kind(found, format!("named like {}", spelled(found)), Risk::Low);
    }
    if words.last().is_some_and(|word| word == "name" || word == "namn") {
        let about = of_people(table);
        return if is_root || !about.is_empty() || words.len() > 1 {
            kind("name", "a name, in a table about people".to_owned(), Risk::Middle)
        } else {
            kind("free_text", "a name, of what is not known".to_owned(), Risk::Middle)
        };
    }
    if let Some(why) = seen.and_then(Seen::is_code) {
        return not_personal(why, Risk::Middle);
    }
    if column.max_chars.is_some_and(|most| most <= 3) {
        return not_personal("at most three characters".to_owned(), Risk::Middle);
    }
    if last(name, CODES) {
        // `state` is a part of an address as well.
        let has_city =
            table.columns.iter().any(|other| matches!(named(&other.name), Some("city" | "postcode")));
        if has_city && words.last().is_some_and(|word| word == "state" || word == "estado") {
            return kind("region", "a state, beside a town or a postcode".to_owned(), Risk::Middle);
        }
        return not_personal("named like a code of your own".to_owned(), Risk::High);
    }
    kind("free_text", "a text whose name tells nothing".to_owned(), Risk::Low)
}

/// A kind in words, with its article.
fn spelled(kind: &str) -> String {
    match kind {
        "email" => "an e-mail address".to_owned(),
        "phone" => "a telephone number".to_owned(),
        "ip_address" => "an IP address".to_owned(),
        "birth_date" => "a date of birth".to_owned(),
        "free_text" => "a text that people write".to_owned(),
        "device" => "what a device sends".to_owned(),
        "communication" => "a number that took part in a call".to_owned(),
        kind => {
            let article = if kind.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
            format!("{article} {}", kind.replace('_', " "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_map::Kind;

    #[test]
    fn a_name_is_taken_apart_into_words() {
        for (name, apart) in [
            ("billingPostCode", "billing post code"),
            ("billing_post_code", "billing post code"),
            ("Förnamn", "fornamn"),
            ("ADDRESS_LINE_2", "address line"),
            ("address2", "address2"),
            ("IP", "ip"),
            ("2", ""),
        ] {
            assert_eq!(words(name).join(" "), apart, "{name}");
        }
    }

    #[test]
    fn a_column_is_known_by_its_name_in_five_languages() {
        for (name, kind) in [
            ("billing_email", Some("email")),
            ("E-postadress", Some("email")),
            ("Telefonnummer", Some("phone")),
            ("prénom", Some("name")),
            ("apellidos", Some("name")),
            ("BillingPostalCode", Some("postcode")),
            ("shipping_address_line_1", Some("address")),
            ("email_verified", None),
            ("quantity", None),
        ] {
            assert_eq!(named(name), kind, "{name}");
        }
    }

    #[test]
    fn every_kind_exists_and_no_name_has_two() {
        let mut seen = std::collections::BTreeSet::new();
        for (kind, names) in NAMES {
            assert!(Kind::KNOWN.contains(kind), "{kind}");
            for name in *names {
                assert!(seen.insert(*name), "{name} has two kinds");
                assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}");
            }
        }
    }
}
