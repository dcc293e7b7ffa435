//! What a value is made general to, in each language.

use crate::anonymise::Generalisation;
use crate::policy::Language;

/// The general form, such as `the year`.
pub(crate) fn general(language: Language, to: Generalisation) -> String {
    match language {
        Language::English => to.describe(),
        Language::Swedish => swedish(to),
        Language::German => german(to),
    }
}

fn swedish(to: Generalisation) -> String {
    match to {
        Generalisation::UkPostcode => "postnumrets första del".to_owned(),
        Generalisation::UkArea => "postnumrets område".to_owned(),
        Generalisation::UsZip => "ZIP-kodens tre första siffror".to_owned(),
        Generalisation::Prefix(1) => "den första bokstaven eller siffran".to_owned(),
        Generalisation::Prefix(count) => format!("de {count} första bokstäverna och siffrorna"),
        Generalisation::Year => "året".to_owned(),
        Generalisation::Month => "år och månad".to_owned(),
        Generalisation::AgeBand => "ett åldersspann på tio år".to_owned(),
        Generalisation::WideAgeBand => "ett åldersspann på tjugo år".to_owned(),
        Generalisation::IpNetwork => "nätverket".to_owned(),
        Generalisation::WideNetwork => "det större nätverket".to_owned(),
        Generalisation::Truncate(1) => "det första tecknet".to_owned(),
        Generalisation::Truncate(count) => format!("de {count} första tecknen"),
    }
}

fn german(to: Generalisation) -> String {
    match to {
        Generalisation::UkPostcode => "der vordere Teil der Postleitzahl".to_owned(),
        Generalisation::UkArea => "das Gebiet der Postleitzahl".to_owned(),
        Generalisation::UsZip => "die ersten drei Ziffern des ZIP-Codes".to_owned(),
        Generalisation::Prefix(1) => "der erste Buchstabe oder die erste Ziffer".to_owned(),
        Generalisation::Prefix(count) => format!("die ersten {count} Buchstaben und Ziffern"),
        Generalisation::Year => "das Jahr".to_owned(),
        Generalisation::Month => "Jahr und Monat".to_owned(),
        Generalisation::AgeBand => "eine Altersgruppe von zehn Jahren".to_owned(),
        Generalisation::WideAgeBand => "eine Altersgruppe von zwanzig Jahren".to_owned(),
        Generalisation::IpNetwork => "das Netz".to_owned(),
        Generalisation::WideNetwork => "das größere Netz".to_owned(),
        Generalisation::Truncate(1) => "das erste Zeichen".to_owned(),
        Generalisation::Truncate(count) => format!("die ersten {count} Zeichen"),
    }
}
