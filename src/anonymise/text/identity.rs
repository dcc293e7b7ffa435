//! Identifiers in normalised form. Different spellings of the same identifier are equal, as in the search in texts.

use super::fold::folded;
use super::people::{mail_form, mails};
use super::phones;
use crate::data_map::Kind;

/// The forms by which an identifier is compared. Each form has a label, so that numbers of different kinds are never
/// equal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Forms {
    /// The forms that are stored.
    pub(crate) kept: Vec<String>,
    /// The forms that are looked up. The identifier is known if any of them is stored.
    pub(crate) asked: Vec<String>,
}

impl Forms {
    /// The forms of a value. Empty if the value cannot be compared.
    pub(crate) fn of(kind: &Kind, value: &str) -> Self {
        match kind {
            Kind::Email => Self::alike(mail_forms(value)),
            Kind::Username if value.contains('@') => Self::alike(mail_forms(value)),
            Kind::Phone => phone_forms(value),
            Kind::NationalId | Kind::TaxId | Kind::BankAccount | Kind::CustomerNumber => {
                Self::alike(code_form(kind, value).into_iter().collect())
            }
            _ => {
                let text = folded(value.trim());
                Self::alike(if text.is_empty() { Vec::new() } else { vec![format!("{kind} {text}")] })
            }
        }
    }

    fn alike(forms: Vec<String>) -> Self {
        Self { kept: forms.clone(), asked: forms }
    }
}

/// All e-mail addresses in a field, without their tags.
fn mail_forms(value: &str) -> Vec<String> {
    let mut forms: Vec<String> = mails(value)
        .filter_map(|mail| {
            let (local, domain) = mail_form(mail)?;
            Some(format!("mail {local}@{domain}"))
        })
        .collect();
    forms.sort();
    forms.dedup();
    forms
}

/// The letters and digits of a number. The century of a personal number is optional, so it is removed.
fn code_form(kind: &Kind, value: &str) -> Option<String> {
    let text: String = folded(value).chars().filter(|c| c.is_alphanumeric()).collect();
    let has_century = *kind == Kind::NationalId
        && text.len() == 12
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.starts_with("19") || text.starts_with("20"));
    let text = if has_century { text.get(2..).unwrap_or_default() } else { &text };
    (!text.is_empty()).then(|| format!("{kind} {text}"))
}

/// The forms of a telephone number. The national parts are compared. If both numbers have a country code, the codes
/// must be equal, too.
fn phone_forms(value: &str) -> Forms {
    let mut forms = Forms::default();
    for (national, code) in phones::in_field(&folded(value)).into_iter().filter(|(_, code)| !code.is_guess())
    {
        let any = format!("phone {national}");
        let unknown = format!("phone ? {national}");
        if let Some(code) = code.number() {
            let own = format!("phone {code} {national}");
            forms.kept.extend([own.clone(), any]);
            forms.asked.extend([own, unknown]);
        } else {
            forms.kept.extend([unknown, any.clone()]);
            forms.asked.push(any);
        }
    }
    for list in [&mut forms.kept, &mut forms.asked] {
        list.sort();
        list.dedup();
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_known(kind: &Kind, kept: &str, asked: &str) -> bool {
        let kept = Forms::of(kind, kept).kept;
        Forms::of(kind, asked).asked.iter().any(|form| kept.contains(form))
    }

    #[test]
    fn two_spellings_of_an_identifier_are_equal_and_two_identifiers_are_not() {
        let (mail, phone, id) = (Kind::Email, Kind::Phone, Kind::NationalId);
        for (kind, one, other, same) in [
            (&mail, "maud@example.org", " MAUD+shop@Example.org", true),
            (&mail, "Maud Ashworth <maud@example.org>", "mailto:maud@example.org", true),
            (&mail, "maud@example.org, m.ashworth@example.com", "M.Ashworth@example.com", true),
            (&mail, "müller@example.org", "mu\u{308}ller@example.org", true),
            (&mail, "maud@example.org", "maud@example.com", false),
            (&mail, "maud@example.org", "aud@example.org", false),
            (&phone, "+44 20 7946 0018", "020 7946-0018", true),
            (&phone, "020 7946 0018", "+44 (0)20 79460018", true),
            (&phone, "0044 2079460018", "+442079460018", true),
            (&phone, "+44 20 7946 0018", "+46 20 7946 0018", false),
            (&phone, "020 7946 0018", "020 7946 0019", false),
            (&id, "19800101-1234", "800101 1234", true),
            (&id, "800101-1234", "800101-1235", false),
            (&Kind::Username, "maud@example.org", "Maud@example.org", true),
            (&Kind::Username, "Maud_A", "maud_a", true),
            (&Kind::Username, "maud_a", "maud_b", false),
        ] {
            assert_eq!(is_known(kind, one, other), same, "{kind}: {one} / {other}");
            assert_eq!(is_known(kind, other, one), same, "{kind}: {other} / {one}");
        }
    }

    #[test]
    fn what_cannot_be_compared_has_no_form() {
        for (kind, value) in
            [(Kind::Email, "none"), (Kind::Phone, "n/a"), (Kind::Phone, "112"), (Kind::TaxId, " - ")]
        {
            assert_eq!(Forms::of(&kind, value), Forms::default(), "{kind}: {value}");
        }
    }
}
