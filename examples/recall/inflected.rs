//! Inflected names. The rules here are separate from the rules of the search.

use super::people::{Dice, Language};

/// A name in a case other than the nominative.
pub(crate) fn inflected(language: Language, name: &str, dice: &mut Dice) -> Option<String> {
    let n = dice.below(3);
    let swap = |end: &str, forms: [&str; 3]| name.strip_suffix(end).map(|stem| format!("{stem}{}", forms[n]));
    match language {
        Language::Swedish | Language::German => Some(format!("{name}s")),
        Language::Turkish => {
            let ends_in_vowel = name.ends_with(['a', 'e', 'i', 'ı', 'o', 'ö', 'u', 'ü']);
            let forms = if ends_in_vowel { ["ye", "nin", "den"] } else { ["e", "in", "den"] };
            Some(format!("{name}{}", forms[n]))
        }
        Language::Finnish => swap("nen", ["sen", "selle", "selta"])
            .or_else(|| swap("kka", ["kan", "kalle", "kalta"]))
            .or_else(|| swap("tti", ["tin", "tille", "tilta"]))
            .or_else(|| swap("la", ["lan", "lalle", "lalta"]))
            .or_else(|| swap("o", ["on", "olle", "olta"]))
            .or_else(|| swap("ö", ["ön", "ölle", "öltä"]))
            .or_else(|| swap("niemi", ["niemen", "niemelle", "niemeltä"]))
            .or_else(|| Some(format!("{name}{}", ["n", "lle", "lta"][n]))),
        Language::Polish => swap("ski", ["skiego", "skiemu", "skim"])
            .or_else(|| swap("szka", ["szki", "szce", "szkę"]))
            .or_else(|| swap("ta", ["ty", "cie", "tę"]))
            .or_else(|| swap("na", ["ny", "nie", "nę"]))
            .or_else(|| swap("ek", ["ka", "kowi", "kiem"]))
            .or_else(|| Some(format!("{name}{}", ["a", "owi", "em"][n]))),
        Language::Russian => swap("ия", ["ии", "ию", "ией"])
            .or_else(|| swap("а", ["ы", "е", "у"]))
            .or_else(|| swap("й", ["я", "ю", "ем"]))
            .or_else(|| swap("ь", ["я", "ю", "ем"]))
            .or_else(|| (!name.ends_with('о')).then(|| format!("{name}{}", ["а", "у", "ым"][n]))),
        Language::Greek => swap("ος", ["ου", "ο", "ε"])
            .or_else(|| swap("ης", ["η", "η", "η"]))
            .or_else(|| swap("ας", ["α", "α", "α"]))
            .or_else(|| swap("η", ["ης", "ης", "ης"]))
            .or_else(|| swap("ία", ["ίας", "ίας", "ίας"])),
        Language::Korean => Some(format!("{name}{}", ["가", "에게", "의"][n])),
        Language::Japanese => Some(format!("{name}{}", ["さん", "様の", "に"][n])),
        Language::Chinese => Some(format!("{name}{}", ["先生", "的", "说"][n])),
        Language::English | Language::Dutch | Language::Spanish | Language::Arabic | Language::Hindi => None,
    }
}
