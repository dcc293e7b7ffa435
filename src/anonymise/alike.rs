//! Values as they are compared: spellings that people and programs vary are made one.

use caseless::default_case_fold_str;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::text::phone_numbers;
use crate::data_map::Kind;

/// A text without the space around it, in one Unicode form, and without case.
pub(crate) fn normalised(text: &str) -> String {
    let composed: String = text.trim().nfc().collect();
    default_case_fold_str(&composed).nfc().collect()
}

/// A value of a kind in the form in which it is compared. It has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// One text.
    Text(String),
    /// Telephone numbers: the national part, and the code of the country if it is known.
    Phones(Vec<(String, Option<u16>)>),
}

impl Form {
    /// The form of a value. `None` if nothing is left to compare.
    ///
    /// | kind | the form |
    /// |---|---|
    /// | names | the words in alphabetical order, without case, marks and punctuation |
    /// | addresses | the words in their order, without case, marks and punctuation |
    /// | telephone numbers | the national number; the codes of countries differ only where both are known |
    /// | e-mail addresses, user names | without case and the space around |
    /// | anything else | letters and digits alone, without case |
    pub(crate) fn of(kind: &Kind, text: &str) -> Option<Self> {
        let text = match kind {
            Kind::Phone | Kind::Communication => {
                let numbers = phone_numbers(text);
                return (!numbers.is_empty()).then_some(Self::Phones(numbers));
            }
            Kind::Name | Kind::CompanyName => {
                let mut words = words(text);
                words.sort_unstable();
                words.join(" ")
            }
            Kind::Address => words(text).join(" "),
            Kind::Email | Kind::Username => normalised(text),
            _ => words(text).concat(),
        };
        (!text.is_empty()).then_some(Self::Text(text))
    }

    /// Whether two values of one kind are the same.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Phones(some), Self::Phones(others)) => some.iter().any(|(number, code)| {
                let is_same = |(other, of): &(String, Option<u16>)| {
                    number == other && (code == of || code.is_none() || of.is_none())
                };
                others.iter().any(is_same)
            }),
            (Self::Text(_), Self::Phones(_)) | (Self::Phones(_), Self::Text(_)) => false,
        }
    }
}

/// The words of a text, without case, marks and punctuation.
fn words(text: &str) -> Vec<String> {
    let plain: String = text.nfkd().filter(|c| !is_combining_mark(*c)).collect();
    let folded = default_case_fold_str(&plain);
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_vary_is_one_and_what_differs_stays_apart() {
        let same = [
            (Kind::Name, "Maud Ashworth", " ASHWORTH, Maud"),
            (Kind::Name, "Élodie Dubois", "Elodie  dubois"),
            (Kind::Email, "Maud@Example.org", " maud@example.ORG "),
            (Kind::Phone, "+44 20 7946 0018", "020 7946-0018"),
            (Kind::Phone, "0046 70 123 45 67", "+46 (0)70-123 45 67"),
            (Kind::Address, "Storgatan 12, 3 tr.", "storgatan 12 3 TR"),
            (Kind::Postcode, "411 03", "41103"),
            (Kind::NationalId, "19800101-1234", "198001011234"),
            (Kind::BankAccount, "SE35 5000 0000 0549 1000 0003", "se3550000000054910000003"),
        ];
        for (kind, one, other) in same {
            let forms = [one, other].map(|text| Form::of(&kind, text).unwrap());
            assert!(forms[0].is_like(&forms[1]), "{kind}: {one} and {other}");
        }
        let different = [
            (Kind::Name, "Maud Ashworth", "Maud Ashford"),
            (Kind::Name, "Maud Ashworth", "Maud"),
            (Kind::Email, "maud@example.org", "maud@example.com"),
            (Kind::Phone, "+44 20 7946 0018", "+46 20 7946 0018"),
            (Kind::Address, "Storgatan 12", "Storgatan 1 2"),
            (Kind::Address, "Storgatan 12", "Storgatan 21"),
        ];
        for (kind, one, other) in different {
            let forms = [one, other].map(|text| Form::of(&kind, text).unwrap());
            assert!(!forms[0].is_like(&forms[1]), "{kind}: {one} and {other}");
        }
        for (kind, empty) in [(Kind::Name, " - "), (Kind::Phone, "unknown"), (Kind::Email, "  ")] {
            assert!(Form::of(&kind, empty).is_none(), "{kind}: {empty}");
        }
    }
}
