//! The inflection of names: which endings are added, and which letters they replace.
//!
//! A name is searched by its stems: `Kowalski` by `kowalsk` with the ending `-iego`, `Virtanen` by `virtase` with the
//! ending `-lle`. Everything is folded, so `ł` is `l`, and `й` is `и`. The rules do not check the grammar. A form
//! that no language has does no harm, because an inflected name alone is only reported.

/// A rule: the last letters `from` of a name become `to`, and one of the endings follows.
struct Rule {
    from: &'static str,
    to: &'static str,
    endings: &'static [&'static str],
}

const fn rule(from: &'static str, to: &'static str, endings: &'static [&'static str]) -> Rule {
    Rule { from, to, endings }
}

/// The endings of Finnish cases after a vowel.
const FINNISH: &[&str] = &[
    "n", "a", "ta", "lla", "lle", "lta", "ssa", "sta", "na", "ksi", "tta", "an", "en", "in", "on", "seen",
    "t", "nkin", "kin", "ni", "nsa",
];

/// The rules. Each applies to names that end in its `from`. The first rule applies to all names.
const RULES: &[Rule] = &[
    // German, Dutch, Swedish, Danish, Norwegian, English: genitives and plurals.
    rule("", "", &["s", "es", "ens", "sche", "schen"]),
    // Finnish.
    rule("nen", "se", &["n", "lle", "lla", "lta", "ssa", "sta", "en", "na", "ksi", "t", "ni"]),
    rule("nen", "s", &["ta", "ten", "ia", "iin", "ille"]),
    rule("s", "kse", &["n", "lle", "lla", "lta", "ssa", "sta", "en", "na", "ksi", "t"]),
    rule("s", "", &["an", "alle", "alta", "alla", "aan"]),
    rule("ki", "e", &["n", "lle", "lla", "lta", "ssa", "sta", "ksi", "t"]),
    rule("kka", "ka", FINNISH),
    rule("kko", "ko", FINNISH),
    rule("kki", "ki", FINNISH),
    rule("kku", "ku", FINNISH),
    rule("kke", "ke", FINNISH),
    rule("tti", "ti", FINNISH),
    rule("tta", "ta", FINNISH),
    rule("tto", "to", FINNISH),
    rule("ttu", "tu", FINNISH),
    rule("ppi", "pi", FINNISH),
    rule("ppa", "pa", FINNISH),
    rule("ppo", "po", FINNISH),
    rule("nta", "nna", FINNISH),
    rule("nto", "nno", FINNISH),
    rule("lta", "lla", FINNISH),
    rule("lto", "llo", FINNISH),
    rule("rta", "rra", FINNISH),
    rule("rto", "rro", FINNISH),
    rule("nko", "ngo", FINNISH),
    rule("nka", "nga", FINNISH),
    rule("mpi", "mme", FINNISH),
    rule("mpa", "mma", FINNISH),
    rule("ti", "de", FINNISH),
    rule("si", "de", FINNISH),
    rule("ri", "re", FINNISH),
    rule("mi", "me", FINNISH),
    rule("ni", "ne", FINNISH),
    rule("hti", "hde", FINNISH),
    rule("ka", "a", FINNISH),
    rule("ko", "o", FINNISH),
    rule("ku", "u", FINNISH),
    rule("ta", "da", FINNISH),
    rule("to", "do", FINNISH),
    rule("tu", "du", FINNISH),
    rule("pa", "va", FINNISH),
    // Polish, Czech, Slovak, Croatian.
    rule("i", "", &["iego", "iemu", "im", "ich", "imi", "ego", "emu", "a", "o", "u", "owi", "em", "iem"]),
    rule("y", "", &["ego", "emu", "ym", "ych", "ymi", "ho", "mu", "m", "eho", "ou", "iego"]),
    rule(
        "a",
        "",
        &[
            "y", "i", "ie", "e", "o", "iej", "ej", "u", "ou", "ove", "ovi", "ii", "om", "ami", "ach", "ow",
            "in", "am",
        ],
    ),
    rule("o", "", &["a", "owi", "em", "u", "e", "y", "ovi", "om"]),
    rule("e", "", &["a", "ego", "emu", "em", "u", "i"]),
    rule("ia", "i", &["i", "e", "a"]),
    rule("ka", "c", &["e"]),
    rule("ga", "dz", &["e"]),
    rule("ra", "rz", &["e"]),
    rule("ta", "ci", &["e"]),
    rule("da", "dzi", &["e"]),
    rule("cha", "sz", &["e"]),
    rule("ek", "k", &["a", "owi", "iem", "u", "ach", "ow", "ovi", "em", "owie"]),
    rule("ec", "c", &["a", "owi", "em", "u", "ovi"]),
    rule("iec", "c", &["a", "owi", "em", "u"]),
    rule("el", "l", &["a", "owi", "em", "u", "e", "ovi"]),
    rule("er", "r", &["a", "owi", "em", "u", "ze", "ovi"]),
    rule("or", "r", &["a", "u", "om"]),
    rule("t", "ci", &["e"]),
    rule("d", "dzi", &["e"]),
    // Latin letters, a consonant at the end: Finnish, Polish, Czech, Croatian, Estonian, Latvian.
    rule(
        "",
        "",
        &[
            "a", "in", "ia", "ille", "illa", "ilta", "issa", "ista", "iin", "i", "owi", "em", "iem", "u",
            "ie", "owie", "ow", "om", "ami", "ach", "owa", "owej", "ovi", "e", "y", "ova", "ove", "ovou",
            "ze", "ile", "ilt", "iga", "ist", "n", "owym", "ami", "ar",
        ],
    ),
    // A vowel at the end: Finnish, Turkish, Hungarian.
    rule("", "", FINNISH),
    rule(
        "",
        "",
        &[
            "nin", "nun", "un", "in", "ya", "ye", "yi", "yu", "da", "de", "ta", "te", "dan", "den", "tan",
            "ten", "la", "le", "yla", "yle", "nda", "nde", "lar", "ler", "nak", "nek", "val", "vel", "hoz",
            "hez", "tol", "rol", "nal", "nel", "ban", "ben", "ek", "ne",
        ],
    ),
    // Lithuanian, Latvian, Icelandic.
    rule("as", "", &["o", "ui", "a", "u", "e", "ai"]),
    rule("is", "", &["io", "iui", "i", "iu", "im", "a", "yje"]),
    rule("us", "", &["aus", "ui", "u", "um"]),
    rule("s", "", &["a", "am", "u", "i"]),
    rule("ur", "", &["s", "i", "ar", "um"]),
    rule("i", "", &["a"]),
    // Russian, Ukrainian, Bulgarian, Serbian.
    rule(
        "",
        "",
        &[
            "а", "у", "ом", "ым", "е", "ы", "ов", "ам", "ами", "ах", "ои", "ою", "ем", "и", "еи", "ова",
            "овои", "ові", "і", "у", "ею", "єм", "ів",
        ],
    ),
    rule("а", "", &["ы", "и", "е", "у", "ои", "ою", "ам", "ами", "ах", "о", "і", "еи", "ею"]),
    rule("я", "", &["и", "ю", "е", "еи", "ею", "і", "єю"]),
    rule(
        "ии",
        "",
        &[
            "ого", "ому", "им", "ом", "его", "ему", "ем", "ая", "ои", "ую", "ия", "ию", "ие", "ием", "ия",
            "ии",
        ],
    ),
    rule("ыи", "", &["ого", "ому", "ым", "ом", "ая", "ои", "ую", "ые"]),
    rule("ои", "", &["ого", "ому", "ым", "им", "ом", "ая", "ую"]),
    rule("ая", "", &["ои", "ую", "ою", "ие", "ых"]),
    rule("яя", "", &["еи", "юю"]),
    rule("ия", "и", &["и", "ю", "еи"]),
    rule("и", "", &["я", "ю", "ем", "е", "еви", "єм", "ому", "ого"]),
    rule("ь", "", &["я", "ю", "ем", "е", "и", "ью", "еви"]),
    rule("ел", "л", &["а", "у", "ом", "е", "ови"]),
    rule("ец", "ц", &["а", "у", "ом", "ем", "е"]),
    rule("ок", "к", &["а", "у", "ом", "е"]),
    rule("о", "", &["а", "у", "ом", "ові", "ем"]),
    // Greek.
    rule("οσ", "", &["ου", "ο", "ε", "οι", "ων", "ουσ", "εσ"]),
    rule("ησ", "", &["η", "ηδεσ"]),
    rule("ασ", "", &["α", "αδεσ"]),
    rule("ισ", "", &["ι"]),
    rule("η", "η", &["σ"]),
    rule("α", "α", &["σ"]),
    rule("ω", "ω", &["σ"]),
];

/// The stems of a folded name, each with the rule for its endings.
pub(super) fn stems(name: &str) -> impl Iterator<Item = (String, u16)> + '_ {
    let long = name.chars().count() >= 3;
    RULES.iter().enumerate().filter(move |_| long).filter_map(move |(n, rule)| {
        let stem = format!("{}{}", name.strip_suffix(rule.from)?, rule.to);
        let fits_script = rule.endings.first().is_some_and(|ending| {
            ending.is_ascii() == name.is_ascii() || !ending.is_ascii() && is_alike(ending, name)
        });
        (stem.chars().count() >= 2 && fits_script).then_some((stem, u16::try_from(n).ok()?))
    })
}

/// Whether both are Cyrillic or both Greek.
fn is_alike(one: &str, other: &str) -> bool {
    let block = |text: &str| text.chars().next_back().map_or(0, |c| u32::from(c) >> 8);
    block(one) == block(other)
}

/// Whether this rule allows an ending after a stem.
pub(super) fn follows(rule: u16, ending: &str) -> bool {
    RULES.get(usize::from(rule)).is_some_and(|rule| rule.endings.contains(&ending))
}

/// The endings that this rule allows after a stem.
pub(super) fn endings(rule: u16) -> &'static [&'static str] {
    RULES.get(usize::from(rule)).map_or(&[], |rule| rule.endings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_form(name: &str, form: &str) -> bool {
        stems(name)
            .any(|(stem, rule)| form.strip_prefix(stem.as_str()).is_some_and(|ending| follows(rule, ending)))
    }

    #[test]
    fn a_table_of_names_and_their_forms() {
        for (name, forms) in [
            ("muller", &["mullers"][..]),
            ("virtanen", &["virtasen", "virtaselle", "virtaselta", "virtasta"]),
            ("pekka", &["pekan", "pekalle", "pekkaa"]),
            ("makinen", &["makiselle"]),
            ("matti", &["matin", "matille"]),
            ("kowalski", &["kowalskiego", "kowalskiemu", "kowalskim"]),
            ("kowalska", &["kowalskiej"]),
            ("nowak", &["nowaka", "nowakowi", "nowakiem"]),
            ("agnieszka", &["agnieszki", "agnieszce", "agnieszke"]),
            ("marek", &["marka", "markowi"]),
            ("иванов", &["иванова", "иванову", "ивановым", "иванове"]),
            ("иванова", &["ивановои", "иванову"]),
            ("андреи", &["андрея", "андрею"]),
            ("мария", &["марии", "марию", "мариеи"]),
            ("παπαδοπουλοσ", &["παπαδοπουλου", "παπαδοπουλο"]),
            ("γιωργοσ", &["γιωργου", "γιωργο"]),
            ("ayse", &["aysenin", "ayseye", "ayseden"]),
            ("mehmet", &["mehmete", "mehmetin", "mehmetten"]),
        ] {
            for form in forms {
                assert!(is_form(name, form), "{form} of {name}");
            }
        }
        assert!(!is_form("li", "lia") && !is_form("иванов", "ивановка"));
    }
}
