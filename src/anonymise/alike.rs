//! The forms in which values are compared. Different spellings of the same value get the same form.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::text::Forms as Identity;
use crate::case_fold::case_folded;
use crate::data_map::Kind;

/// A text in normalised form: trimmed, in one Unicode form, and case-folded.
pub(crate) fn normalised(text: &str) -> String {
    let composed: String = text.trim().nfc().collect();
    case_folded(&composed).nfc().collect()
}

/// A value in the form in which it is compared. It has no `Debug`, so that no value is logged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Form {
    /// The forms of a stored value.
    kept: Vec<String>,
    /// The forms of a searched value.
    asked: Vec<String>,
}

impl Form {
    /// The form of a value. `None` if nothing is left to compare.
    ///
    /// | kind | the form |
    /// |---|---|
    /// | names | the words in alphabetical order, without case, accents and punctuation |
    /// | addresses | the words in their order, without case, accents and punctuation |
    /// | e-mail addresses, user names, telephone numbers, numbers of people and accounts | [`Identity`] |
    /// | anything else | only letters and digits, without case |
    pub(crate) fn of(kind: &Kind, text: &str) -> Option<Self> {
        let form = match kind {
            Kind::Name | Kind::CompanyName => {
                let mut words = words(text);
                words.sort_unstable();
                Self::one(words.join(" "))
            }
            Kind::Address => Self::one(words(text).join(" ")),
            Kind::Communication => Self::identity(&Kind::Phone, text),
            Kind::Email
            | Kind::Username
            | Kind::Phone
            | Kind::NationalId
            | Kind::TaxId
            | Kind::BankAccount
            | Kind::CustomerNumber => Self::identity(kind, text),
            _ => Self::one(words(text).concat()),
        };
        (!form.kept.is_empty()).then_some(form)
    }

    fn one(text: String) -> Self {
        let kept: Vec<String> = (!text.is_empty()).then_some(text).into_iter().collect();
        Self { asked: kept.clone(), kept }
    }

    fn identity(kind: &Kind, text: &str) -> Self {
        let Identity { kept, asked } = Identity::of(kind, text);
        Self { kept, asked }
    }

    /// Whether a stored value of the same kind equals the searched value.
    pub(crate) fn is_like(&self, stored: &Self) -> bool {
        self.asked.iter().any(|asked| stored.kept.contains(asked))
    }
}

/// The words of a text, without case, accents and punctuation.
fn words(text: &str) -> Vec<String> {
    let plain: String = text.nfkd().filter(|c| !is_combining_mark(*c)).collect();
    let folded = case_folded(&plain);
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
