//! How laws are cited in the language of a letter.

use super::LetterError;
use super::words::{self, clause};
use crate::policy::{Dictionary, Ground, Language, PrivacyLaw, Statute};

/// Cites the provision that answers to a ground.
pub(super) fn ground(language: Language, law: PrivacyLaw, ground: Ground) -> String {
    (words::of(language).ground)(law, law.article(ground))
}

/// The law of a duty: the statute as it is cited, or the host's own words.
pub(super) fn of_duty(
    words: &Dictionary,
    law: &str,
    statute: Option<&Statute>,
) -> Result<String, LetterError> {
    let language = words.language();
    if let Some(statute) = statute {
        return Ok(clause(&cited(language, statute)));
    }
    let text = words.text(law).map(|text| clause(&text));
    text.ok_or_else(|| LetterError::NoText { language, text: law.to_owned() })
}

/// How a law is cited in a language. A law of a country that does not speak the language has its own title, and the name of
/// the country.
pub(crate) fn cited(language: Language, statute: &Statute) -> String {
    if let Some(known) = by_its_own_name(language, statute.code) {
        return known.to_owned();
    }
    let own = match language {
        Language::English => return statute.english.to_owned(),
        Language::Swedish => statute.country == "SE",
        Language::German => matches!(statute.country, "DE" | "AT" | "CH"),
    };
    match country(language, statute.country).filter(|_| !own) {
        Some(country) => format!("{} ({country})", statute.title),
        None => statute.cited.to_owned(),
    }
}

/// Laws that are published in the language too: those of the Union, and those of Finland in Swedish.
fn by_its_own_name(language: Language, code: &str) -> Option<&'static str> {
    Some(match (language, code) {
        (Language::Swedish, "FI/KPL/2:10/books" | "FI/KPL/2:10/vouchers") => {
            "2 kap. 10 § i Finlands bokföringslag (1336/1997)"
        }
        (Language::Swedish, "EU/VAT/OSS") => {
            "artiklarna 369, 369k och 369x i mervärdesskattedirektivet (2006/112/EG)"
        }
        (Language::German, "EU/VAT/OSS") => {
            "Art. 369, 369k und 369x der Mehrwertsteuersystemrichtlinie (2006/112/EG)"
        }
        _ => return None,
    })
}

fn country(language: Language, code: &str) -> Option<&'static str> {
    let [swedish, german] = match code {
        "AT" => ["österrikisk rätt", "österreichisches Recht"],
        "BE" => ["belgisk rätt", "belgisches Recht"],
        "CH" => ["schweizisk rätt", "schweizerisches Recht"],
        "CZ" => ["tjeckisk rätt", "tschechisches Recht"],
        "DE" => ["tysk rätt", "deutsches Recht"],
        "DK" => ["dansk rätt", "dänisches Recht"],
        "EE" => ["estnisk rätt", "estnisches Recht"],
        "ES" => ["spansk rätt", "spanisches Recht"],
        "EU" => ["unionsrätt", "Unionsrecht"],
        "FI" => ["finsk rätt", "finnisches Recht"],
        "FR" => ["fransk rätt", "französisches Recht"],
        "GB" => ["brittisk rätt", "britisches Recht"],
        "IE" => ["irländsk rätt", "irisches Recht"],
        "IN" => ["indisk rätt", "indisches Recht"],
        "IT" => ["italiensk rätt", "italienisches Recht"],
        "NO" => ["norsk rätt", "norwegisches Recht"],
        "PL" => ["polsk rätt", "polnisches Recht"],
        "PT" => ["portugisisk rätt", "portugiesisches Recht"],
        "SE" => ["svensk rätt", "schwedisches Recht"],
        _ => return None,
    };
    match language {
        Language::English => None,
        Language::Swedish => Some(swedish),
        Language::German => Some(german),
    }
}

/// The parts of an article such as `17(3)(b)`: article, paragraph and letter.
pub(super) fn parts(article: &str) -> (&str, &str, &str) {
    let mut parts = article.split(['(', ')']).filter(|part| !part.is_empty());
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statute_is_cited_in_every_language() {
        for statute in Statute::all() {
            for language in [Language::Swedish, Language::German] {
                assert!(country(language, statute.country).is_some(), "{language}: {}", statute.code);
            }
        }
        let bookkeeping = Statute::find("SE/BFL/7:2").unwrap();
        for (language, says) in [
            (Language::English, "chapter 7, section 2 of the Swedish Accounting Act (1999:1078)"),
            (Language::Swedish, "7 kap. 2 § bokföringslagen (1999:1078)"),
            (Language::German, "Bokföringslag 7 kap. 2 § (schwedisches Recht)"),
        ] {
            assert_eq!(cited(language, bookkeeping), says);
        }
    }

    #[test]
    fn an_article_is_cited_as_the_language_does() {
        for (language, law, says) in [
            (Language::English, PrivacyLaw::UkGdpr, "Art. 17(3)(b) UK GDPR"),
            (Language::Swedish, PrivacyLaw::Gdpr, "artikel 17.3 b i GDPR"),
            (Language::German, PrivacyLaw::Gdpr, "Art. 17 Abs. 3 Buchst. b DSGVO"),
            (Language::German, PrivacyLaw::Fadp, "Art. 31 Abs. 1 DSG"),
            (Language::English, PrivacyLaw::Fadp, "Art. 31(1) FADP"),
        ] {
            assert_eq!(ground(language, law, Ground::LegalObligation), says);
        }
        // A former bug: a legal claim cited the sections about duties.
        for (language, law, says) in [
            (Language::English, PrivacyLaw::Ccpa, "§ 1798.145(a) CCPA"),
            (Language::Swedish, PrivacyLaw::Ccpa, "§ 1798.145(a) i Kaliforniens CCPA"),
            (Language::German, PrivacyLaw::Dpdp, "section 17(1)(a) des indischen DPDP Act 2023"),
        ] {
            assert_eq!(ground(language, law, Ground::LegalClaims), says);
        }
        let swiss = ground(Language::German, PrivacyLaw::Fadp, Ground::Necessary);
        assert_eq!(swiss, "Art. 31 Abs. 2 Bst. a DSG");
    }
}
