//! Lines of a map to paste: the way out of a problem that the map can solve.
//!
//! A fragment is a header that names the place, and lines below it. `TODO` marks what a person has to decide, and a
//! comment says what can be written there. A map with a remaining mark is refused. Alternatives are comments. No
//! fragment calls anything "not personal" or leaves a table out by itself.

use std::fmt::Write as _;

use super::schema::Table;
use crate::data_map::Datatype;
pub(super) use crate::document::key;

/// The longest line of a list of names, in characters.
const WIDTH: usize = 100;

/// The mark for what a person has to fill in.
pub(super) const TODO: &str = "TODO";

/// The possible values of a field.
const KINDS: &str = "\"not personal\", or a kind such as \"free_text\"";

/// A header such as `[records.invoice]`.
pub(super) fn header(place: &[&str]) -> String {
    let keys: Vec<String> = place.iter().map(|part| key(part)).collect();
    format!("[{}]", keys.join("."))
}

/// A header and one line below it.
pub(super) fn set(place: &[&str], name: &str, value: &str) -> String {
    format!("{}\n{} = {value}", header(place), key(name))
}

/// A line that a person has to complete, with the choices in a comment.
pub(super) fn todo(name: &str, choices: &str) -> String {
    todo_in(name, &text(TODO), choices)
}

/// The same, with the mark inside the value.
pub(super) fn todo_in(name: &str, value: &str, choices: &str) -> String {
    format!("{} = {value}  # {choices}", key(name))
}

/// Lines that classify columns: obvious kinds of personal data, and a mark for every other column.
///
/// ```text
/// [records.invoice.fields]
/// email = "email"
/// number = "TODO"  # "not personal", or a kind such as "free_text"
/// # or, in [records.invoice], for every column that is not named: rest = "not personal"
/// ```
pub(super) fn fields_block(place: &[&str], table: &Table, columns: &[&str], takes_rest: bool) -> String {
    let mut block = header(&[place, &["fields"]].concat());
    let mut open = 0;
    let is_root = place == ["customers"];
    for column in columns {
        // Writing to a String never fails.
        if let Some(kind) = obvious(table, column, is_root) {
            let _ = write!(block, "\n{} = \"{kind}\"", key(column));
        } else {
            open += 1;
            let _ = write!(block, "\n{}", todo(column, KINDS));
        }
    }
    if open > 0 && takes_rest {
        let place = header(place);
        let _ =
            write!(block, "\n# or, in {place}, for every column that is not named: rest = \"not personal\"");
    }
    block
}

/// The line that ignores a table, with a mark for the reason.
pub(super) fn ignore_block(table: &str) -> String {
    format!(
        "{}\n{}",
        header(&["ignore"]),
        todo(table, "the reason why it holds nothing of a customer: \"…\"")
    )
}

/// Usual column names, with the kind of each.
const OBVIOUS: [(&str, &[&str]); 17] = [
    ("email", &["email", "emailaddress", "mail"]),
    ("phone", &["phone", "phonenumber", "telephone", "mobile", "mobilenumber", "cellphone", "fax"]),
    ("name", &["firstname", "lastname", "surname", "fullname", "givenname", "familyname", "middlename"]),
    (
        "address",
        &["address", "address1", "address2", "addressline1", "addressline2", "street", "streetaddress"],
    ),
    ("postcode", &["postcode", "postalcode", "zip", "zipcode"]),
    ("city", &["city", "town"]),
    ("country", &["country", "countrycode"]),
    ("username", &["username", "nickname", "login"]),
    ("password", &["password", "passwordhash", "passwordhashed", "encryptedpassword"]),
    ("access_token", &["accesstoken", "apikey", "resettoken", "sessiontoken", "refreshtoken"]),
    ("ip_address", &["ip", "ipaddress", "remoteip", "lastip", "clientip"]),
    ("device", &["useragent", "deviceid"]),
    ("birth_date", &["birthdate", "dateofbirth", "dob", "birthday"]),
    ("gender", &["gender"]),
    ("bank_account", &["iban", "bankaccount"]),
    ("tax_id", &["taxid", "vatnumber", "vatid"]),
    ("national_id", &["nationalid", "personalnumber", "passportnumber", "ssn"]),
];

/// Words before a name that do not change the kind of the column.
const OF_WHOM: [&str; 8] =
    ["billing", "shipping", "delivery", "customer", "client", "contact", "home", "work"];

/// The kind of personal data, if the column's name leaves no doubt. Never "not personal".
fn obvious(table: &Table, column: &str, is_root: bool) -> Option<&'static str> {
    let is_text = |datatype| matches!(datatype, Datatype::Text | Datatype::Any);
    let own = table.column(column)?;
    let bare: String =
        column.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let word = OF_WHOM.iter().find_map(|of| bare.strip_prefix(of).filter(|rest| !rest.is_empty()));
    let words = [Some(bare.as_str()), word];
    let is = |names: &[&str]| words.into_iter().flatten().any(|word| names.contains(&word));
    if is_root && is_text(own.datatype) && is(&["name"]) {
        return Some("name");
    }
    let (kind, _) = OBVIOUS.into_iter().find(|(_, names)| is(names))?;
    (is_text(own.datatype) || kind == "birth_date").then_some(kind)
}

/// Names, as many per line as fit, for a problem about many columns.
pub(super) fn names<'c>(columns: impl IntoIterator<Item = &'c str>) -> String {
    let mut lines = vec![String::new()];
    for column in columns {
        let Some(line) = lines.last_mut() else { continue };
        if line.is_empty() {
            line.push_str(column);
        } else if line.chars().count() + column.chars().count() + 2 <= WIDTH {
            line.push_str(", ");
            line.push_str(column);
        } else {
            line.push(',');
            lines.push(column.to_owned());
        }
    }
    lines.join("\n")
}

/// A text in TOML's spelling.
pub(super) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One name as a text, several names as a list.
pub(super) fn list(names: &[String]) -> String {
    match names {
        [one] => text(one),
        names => format!("[{}]", names.iter().map(|name| text(name)).collect::<Vec<_>>().join(", ")),
    }
}

/// A way in the map's spelling: one column, or a list of links. Each link is a column, or the columns of a composite
/// key.
pub(super) fn way(links: &[Vec<String>]) -> String {
    match links {
        [one] if one.len() == 1 => list(one),
        links => format!("[{}]", links.iter().map(|columns| list(columns)).collect::<Vec<_>>().join(", ")),
    }
}

/// A link of one column with its comparison.
pub(super) fn compared_link(column: &str, compare: &str) -> String {
    format!("{{ column = {}, compare = {} }}", text(column), text(compare))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::Column;

    fn column(name: &str) -> Column {
        Column {
            name: name.to_owned(),
            datatype: Datatype::Text,
            nullable: true,
            max_chars: None,
            computed: false,
            computed_from: Vec::new(),
            has_default: false,
            default: None,
            collation: None,
            checks: Vec::new(),
        }
    }

    #[test]
    fn a_block_reads_as_toml_and_names_every_column_once() {
        let columns = ["id", "to \"name\"", "billing_email", "größe", "name"];
        let table = Table { columns: columns.map(column).to_vec(), ..Table::default() };
        let block = fields_block(&["records", "sent mails"], &table, &columns[1..], true);
        let read: toml::Value = toml::from_str(&block).unwrap_or_else(|error| panic!("{error}\n{block}"));
        let fields = read["records"]["sent mails"]["fields"].as_table().unwrap();
        assert_eq!(fields.len(), 4, "{block}");
        assert_eq!(fields["billing_email"].as_str(), Some("email"));
        // A product has a name, too, so the kind is not obvious.
        assert_eq!(fields["name"].as_str(), Some(TODO));
        assert_eq!(block.matches(TODO).count(), 3, "{block}");
        assert!(
            !block.lines().any(|line| line.contains("= \"not personal\"") && !line.contains('#')),
            "{block}"
        );
    }

    #[test]
    fn every_obvious_kind_is_a_kind_of_personal_data() {
        for (kind, names) in OBVIOUS {
            assert!(crate::data_map::Kind::KNOWN.contains(&kind), "{kind}");
            assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_alphanumeric())), "{names:?}");
        }
    }

    #[test]
    fn many_names_are_broken_into_lines() {
        let many: Vec<String> = (0..60).map(|n| format!("column_{n}")).collect();
        let text = names(many.iter().map(String::as_str));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH + 1), "{text}");
        assert_eq!(text.split([',', '\n']).filter(|name| !name.trim().is_empty()).count(), 60);
        assert_eq!(names([]), "");
    }
}
