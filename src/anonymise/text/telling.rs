//! What a value tells: whether it says who somebody is, or could stand in a text about anybody.
//!
//! People write what they like into fields: a user calls himself `customer`, a telephone field holds `please call`. A value of
//! nothing but common words is reported where it stands, and never certain. So is a number that reads as a date or an amount.

use std::sync::LazyLock;

use super::names::is_also_word;
use super::people::words;

/// English words: SCOWL (Copyright 2000-2016 Kevin Atkinson), sizes 10 to 35, without the forms that [`SUFFIXES`] make. What
/// may be done with them is in `LICENSE-WORDS`.
static ENGLISH: LazyLock<Vec<&str>> =
    LazyLock::new(|| include_str!("words_of_english.txt").lines().collect());

/// Endings of English words, and what is put in their place.
const SUFFIXES: [(&str, &str); 10] = [
    ("s", ""),
    ("es", ""),
    ("d", ""),
    ("ed", ""),
    ("ing", ""),
    ("ing", "e"),
    ("ly", ""),
    ("r", ""),
    ("er", ""),
    ("ies", "y"),
];

/// Words of customer service in other languages, and short forms, in order.
const SERVICE: &[&str] = &[
    "ab",
    "admin",
    "adres",
    "adress",
    "adresse",
    "anrufen",
    "anteckning",
    "asiakas",
    "bestallning",
    "bestelling",
    "bestellung",
    "betald",
    "betalning",
    "betalt",
    "bezahlt",
    "bitte",
    "cliente",
    "comanda",
    "commande",
    "compte",
    "conto",
    "cuenta",
    "danke",
    "desconocido",
    "direccion",
    "email",
    "faktura",
    "faktuur",
    "factura",
    "facture",
    "fattura",
    "fiok",
    "firma",
    "gracias",
    "grazie",
    "indirizzo",
    "info",
    "ingen",
    "inconnu",
    "keine",
    "klant",
    "klient",
    "konto",
    "kund",
    "kunde",
    "kunden",
    "kundin",
    "kundtjanst",
    "lasku",
    "leverans",
    "lieferung",
    "login",
    "losenord",
    "merci",
    "naam",
    "namn",
    "nimi",
    "nome",
    "nombre",
    "okand",
    "ordine",
    "passwort",
    "pedido",
    "rechnung",
    "ring",
    "saknas",
    "sconosciuto",
    "siehe",
    "strasse",
    "tack",
    "telefon",
    "telefono",
    "tilaus",
    "unbekannt",
    "user",
    "username",
    "webshop",
    "zamowienie",
];

/// Whether a folded word is one that texts about anybody hold.
pub(super) fn is_common_word(word: &str) -> bool {
    let is_known =
        |word: &str| is_also_word(word) || ENGLISH.binary_search(&word).is_ok() || SERVICE.contains(&word);
    let is_form = |(end, instead): &(&str, &str)| {
        word.strip_suffix(end).is_some_and(|stem| stem.len() >= 2 && is_known(&format!("{stem}{instead}")))
    };
    is_known(word) || SUFFIXES.iter().any(is_form)
}

/// Whether a folded value is made of common words and nothing else: no digit, no mail address, no word that is anybody's.
pub(super) fn is_common(text: &str) -> bool {
    !text.contains('@') && words(text).all(|word| word.len() < 3 && !has_digit(word) || is_common_word(word))
}

fn has_digit(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether digits read as an amount or as a day whoever has them: `1000000`, `20241130`.
pub(super) fn is_amount_or_day(digits: &[u8]) -> bool {
    let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
    let is_round = zeros >= 4 && digits.len() - zeros <= 3;
    is_round || digits.len() == 8 && is_day(digits.get(..4), digits.get(4..6), digits.get(6..))
}

fn is_day(year: Option<&[u8]>, month: Option<&[u8]>, day: Option<&[u8]>) -> bool {
    let number = |part: Option<&[u8]>| std::str::from_utf8(part?).ok()?.parse::<u16>().ok();
    number(year).is_some_and(|year| (1900..2100).contains(&year))
        && number(month).is_some_and(|month| (1..=12).contains(&month))
        && number(day).is_some_and(|day| (1..=31).contains(&day))
}

/// Currencies, as they stand beside an amount.
const CURRENCIES: &[&[u8]] = &[
    b"kr", b"sek", b"nok", b"dkk", b"eur", b"euro", b"euros", b"usd", b"gbp", b"chf", b"pln", b"zl", b"czk",
    b"huf", b"tl", b"rub", b"jpy", b"dollars", b"pounds",
];

/// Whether a number in a folded text is written as a day or as an amount: `2024-11-30`, `1 234 567 kr`, `$1,234,567`.
pub(super) fn is_written_as_other(text: &[u8], start: usize, end: usize) -> bool {
    let Some(own) = text.get(start..end) else { return false };
    let mut parts = own.split(|byte| matches!(byte, b'-' | b'.' | b'/'));
    let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
    let len = |n: usize| parts.get(n).copied().flatten().map_or(0, <[u8]>::len);
    let is_date = match (len(0), len(1), len(2), parts.get(3).copied().flatten()) {
        (4, 2, 2, None) => is_day(parts[0], parts[1], parts[2]),
        (2, 2, 4, None) => is_day(parts[2], parts[1], parts[0]) || is_day(parts[2], parts[0], parts[1]),
        _ => false,
    };
    let behind = text.get(end..).unwrap_or_default();
    let behind = behind.strip_prefix(b" ").unwrap_or(behind);
    let len = behind.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let before = text.get(..start).unwrap_or_default();
    let before = before.strip_suffix(b" ").unwrap_or(before);
    let first = before.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let is_currency = |word: Option<&[u8]>| word.is_some_and(|word| CURRENCIES.contains(&word));
    is_date
        || before.ends_with(b"$")
        || is_currency(behind.get(..len))
        || is_currency(before.get(before.len() - first..))
}

/// Whether what stands from here to there in a folded text is a part of something longer: a digit at its end goes on behind a
/// hyphen, a point or a colon. `12.5 km`, `12-14`, `12:00`, `6-10-1`.
pub(super) fn goes_on(text: &[u8], start: usize, end: usize) -> bool {
    let is_digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    let is_sign = |at: Option<usize>| {
        at.and_then(|at| text.get(at)).is_some_and(|byte| matches!(byte, b'-' | b'.' | b':'))
    };
    let behind = is_digit(end.checked_sub(1)) && is_sign(Some(end)) && is_digit(Some(end + 1));
    let before = is_digit(Some(start)) && is_sign(start.checked_sub(1)) && is_digit(start.checked_sub(2));
    behind || before
}

/// Words beside the name of a street that make it another street, folded.
const OTHER_STREETS: &[&str] = &[
    "lilla",
    "stora",
    "nya",
    "gamla",
    "norra",
    "sodra",
    "ostra",
    "vastra",
    "ovre",
    "nedre",
    "inre",
    "yttre",
    "lille",
    "store",
    "nye",
    "gamle",
    "nordre",
    "sondre",
    "ostre",
    "vestre",
    "alte",
    "neue",
    "kleine",
    "grosse",
    "obere",
    "untere",
    "hintere",
    "vordere",
    "innere",
    "aussere",
    "nordliche",
    "sudliche",
    "ostliche",
    "westliche",
    "alter",
    "neuer",
    "kleiner",
    "grosser",
    "oberer",
    "unterer",
    "oude",
    "nieuwe",
    "grote",
    "korte",
    "lange",
    "old",
    "new",
    "upper",
    "lower",
    "little",
    "north",
    "south",
    "east",
    "west",
    "vieille",
    "petite",
    "nueva",
    "nova",
    "nuova",
    "vecchia",
    "stara",
    "nowa",
];
/// Parts of a town behind the name of a street.
const QUARTERS: &[&str] =
    &["north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest"];

/// The word directly beside an address that makes it the address of another street where it has a capital:
/// `Lilla Storgatan 12`, `10 High Street North`.
pub(super) fn other_street(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let is_in = |list: &[&str], word: &[u8]| list.iter().any(|known| known.as_bytes() == word);
    let is_letter =
        |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|byte| !byte.is_ascii_digit());
    let before = text.get(..start).and_then(|before| before.strip_suffix(b" ")).unwrap_or_default();
    let behind = text.get(end..).and_then(|behind| behind.strip_prefix(b" ")).unwrap_or_default();
    let last = before.rsplit(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
    let first = behind.split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
    if is_letter(Some(start)) && is_in(OTHER_STREETS, last) {
        return Some((before.len() - last.len(), before.len()));
    }
    (is_letter(end.checked_sub(1)) && is_in(QUARTERS, first)).then_some((end + 1, end + 1 + first.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_in_order() {
        assert!(ENGLISH.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn a_table_of_values_of_common_words_and_of_others() {
        for (value, common) in [
            ("customer", true),
            ("please call", true),
            ("has paid", true),
            ("will do ab", true),
            ("delivered next day", true),
            ("rechnung", true),
            ("quincebridge", false),
            ("customer 77", false),
            ("info@shop.example", false),
            ("maud_a", false),
            ("أحمد", false),
        ] {
            assert_eq!(is_common(value), common, "{value}");
        }
    }

    #[test]
    fn a_table_of_numbers_that_are_days_or_amounts() {
        for (text, from, to, other) in [
            ("on 2024-11-30 he", 3, 13, true),
            ("on 30.11.2024 he", 3, 13, true),
            ("on 2024-13-30 he", 3, 13, false),
            ("sum 1 234 567 kr", 4, 13, true),
            ("sum eur 1234567.", 8, 15, true),
            ("id 811218-9876 x", 3, 14, false),
        ] {
            assert_eq!(is_written_as_other(text.as_bytes(), from, to), other, "{text}");
        }
        assert!(is_amount_or_day(b"1000000") && is_amount_or_day(b"20241130"));
        assert!(!is_amount_or_day(b"1042330") && !is_amount_or_day(b"10423300"));
    }

    #[test]
    fn a_number_goes_on_behind_a_sign_and_a_digit() {
        for (text, end, goes) in [
            ("a 12.5", 4, true),
            ("a 12-14", 4, true),
            ("a 12:00", 4, true),
            ("a 12.", 4, false),
            ("a 12, 5", 4, false),
        ] {
            assert_eq!(goes_on(text.as_bytes(), 0, end), goes, "{text}");
        }
        assert!(goes_on(b"6-10 a", 2, 6) && !goes_on(b"6 10 a", 2, 6));
    }
}
