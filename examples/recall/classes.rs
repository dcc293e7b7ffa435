//! The ways in which texts mention a person.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;

use super::inflected::inflected;
use super::people::{Dice, Language, Person};

/// A way of mentioning a person. `write` gives `None` if a person cannot be mentioned in this way.
#[derive(Clone, Copy)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) write: fn(&Person, &mut Dice) -> Option<String>,
    /// Whether the manual says that such a mention is not found.
    #[allow(dead_code, reason = "the test asks")]
    pub(crate) is_out: bool,
}

const fn class(name: &'static str, write: fn(&Person, &mut Dice) -> Option<String>) -> Class {
    Class { name, write, is_out: false }
}

impl Person {
    /// A mention exactly as the records have it.
    fn exact(&self, dice: &mut Dice) -> String {
        match dice.below(8) {
            0 => self.email.clone(),
            1 => self.username.clone(),
            2 => self.stored_phone.clone(),
            3 => self.address(),
            4 => self.national_id.clone(),
            5 => self.customer_number.clone(),
            6 => self.iban.clone(),
            _ => self.full_name(),
        }
    }

    fn spaced(&self) -> Option<String> {
        self.language.has_spaces().then(|| self.full_name())
    }

    fn number_grouped(&self, dice: &mut Dice) -> String {
        let (first, rest) = self.phone.split_at(2 + dice.below(2));
        let separator = dice.pick(&[" ", "-", ".", "/"]);
        let by = 2 + dice.below(2);
        format!("{first}{separator}{}", grouped(rest, by, dice.pick(&[" ", "-", "."])))
    }

    fn dialled(&self, dice: &mut Dice) -> String {
        match dice.below(4) {
            0 => format!("{}{}", self.trunk, self.phone),
            1 if !self.trunk.is_empty() => {
                format!("({}{}) {}", self.trunk, &self.phone[..3], grouped(&self.phone[3..], 3, " "))
            }
            _ => format!("{}{}", self.trunk, self.number_grouped(dice)),
        }
    }
}

fn grouped(text: &str, by: usize, separator: &str) -> String {
    let chars: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    chars.chunks(by).map(|chunk| chunk.iter().collect::<String>()).collect::<Vec<_>>().join(separator)
}

fn initial(name: &str) -> char {
    name.chars().next().unwrap_or_default()
}

/// Without its particles.
fn bare(surname: &str) -> &str {
    surname.rsplit(' ').next().unwrap_or_default()
}

fn is_name_of_letters(p: &Person) -> bool {
    p.language.has_spaces() && p.given.chars().all(char::is_alphabetic)
}

fn without_marks(text: &str) -> String {
    text.replace('ß', "ss").nfd().filter(|c| !unicode_normalization::char::is_combining_mark(*c)).collect()
}

fn spelled_out(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let _ = match c {
            'ä' => write!(out, "ae"),
            'ö' => write!(out, "oe"),
            'ü' => write!(out, "ue"),
            'å' => write!(out, "aa"),
            'Ä' => write!(out, "Ae"),
            'Ö' => write!(out, "Oe"),
            'Ü' => write!(out, "Ue"),
            'Å' => write!(out, "Aa"),
            'ß' => write!(out, "ss"),
            c => write!(out, "{c}"),
        };
    }
    out
}

fn middle(text: &str, dice: &mut Dice) -> String {
    let at = text.char_indices().nth(2).map_or(0, |(at, _)| at);
    let mark = dice.pick(&["\u{200b}", "\u{ad}", "\u{200d}", "\u{feff}"]);
    format!("{}{mark}{}", &text[..at], &text[at..])
}

fn wide(text: &str) -> String {
    let wide = |c: char| match c {
        '!'..='~' => char::from_u32(c as u32 + 0xFEE0).unwrap_or(c),
        c => c,
    };
    text.chars().map(wide).collect()
}

fn date(p: &Person, d: &mut Dice) -> String {
    let (year, month, day) = p.birth;
    let name = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ][month - 1];
    match d.below(7) {
        0 => format!("{year}-{month:02}-{day:02}"),
        1 => format!("{day:02}.{month:02}.{year}"),
        2 => format!("{month:02}/{day:02}/{year}"),
        3 => format!("{day}/{month}/{year}"),
        4 => format!("{day} {name} {year}"),
        5 => format!("{name} {day}, {year}"),
        _ => format!("{day:02}.{month:02}.{:02}", year % 100),
    }
}

fn street_moved(p: &Person, d: &mut Dice) -> String {
    let (street, number) = (&p.street, &p.number);
    match d.below(7) {
        0 => format!("{number} {street}"),
        1 => format!("{street} {number}"),
        2 => format!("{street} Nr. {number}"),
        3 => format!("{street} No {number}"),
        4 => format!("{street} {number}a"),
        5 => format!("{street} {number} a"),
        _ => format!("{number}b {street}"),
    }
}

fn street_short(p: &Person) -> String {
    p.address()
        .replace("Street", "St.")
        .replace("Road", "Rd")
        .replace("Avenue", "Av.")
        .replace("Crescent", "Cres")
        .replace("Lane", "Ln")
        .replace("straße", "str.")
        .replace("platz", "pl.")
        .replace("gatan", "g.")
        .replace("vägen", "v.")
        .replace("straat", "str.")
        .replace("Calle", "C/")
        .replace("Avenida", "Avda.")
        .replace("ul. ", "")
        .replace("ул. ", "улица ")
        .replace("Sokak", "Sk.")
        .replace("Caddesi", "Cad.")
}

fn initials(p: &Person, d: &mut Dice) -> String {
    let (given, surname) = (initial(&p.given), bare(&p.surname));
    match d.below(5) {
        0 => format!("{given}. {surname}"),
        1 => format!("{given}.{surname}"),
        2 => format!("{surname}, {given}."),
        3 => format!("{surname} {given}."),
        _ => format!("{} {}.", p.given, initial(surname)),
    }
}

fn around_mail(p: &Person, d: &mut Dice) -> String {
    let (local, domain) = p.email.split_once('@').unwrap_or_default();
    match d.below(7) {
        0 => format!("-{}", p.email),
        1 => format!("...{}", p.email),
        2 => format!("_{}_", p.email),
        3 => format!("{}...", p.email),
        4 => format!("<{}>", p.email),
        5 => format!("mail-{}", p.email),
        _ => format!("{local}+{}@{domain}", d.pick(&["shop", "news-2024", "x"])),
    }
}

pub(crate) const CLASSES: &[Class] = &[
    class("exact", |p, d| Some(p.exact(d))),
    class("full name, upper or lower case", |p, d| {
        let name = p.spaced()?;
        Some(if d.below(2) == 0 { name.to_uppercase() } else { name.to_lowercase() })
    }),
    class("full name, NFD, full width, zero width", |p, d| {
        let name = p.spaced()?;
        Some(match d.below(3) {
            0 => name.nfd().collect(),
            1 => wide(&name),
            _ => middle(&name, d),
        })
    }),
    class("full name, other spaces, brackets, emoji", |p, d| {
        let name = p.spaced()?;
        Some(match d.below(4) {
            0 => name.replace(' ', d.pick(&["\u{a0}", "  ", "\n", "\t", "\u{2009}"])),
            1 => format!("({name})"),
            2 => format!("«{name}»"),
            _ => format!("🙂{name}🙂"),
        })
    }),
    class("full name, middle initial", |p, d| {
        is_name_of_letters(p).then(|| format!("{} {}. {}", p.given, d.letters(1), p.surname))
    }),
    class("marks dropped or spelled out", |p, d| {
        let name = p.spaced().filter(|_| p.language.is_latin())?;
        Some(if d.below(2) == 0 { without_marks(&name) } else { spelled_out(&name) })
    }),
    class("Last, First", |p, d| {
        let _ = p.spaced()?;
        Some(format!("{}{}{}", p.surname, d.pick(&[", ", " ", ","]), p.given))
    }),
    class("F. Last, Last F., First L.", |p, d| p.spaced().map(|_| initials(p, d))),
    class("first name alone", |p, _| p.language.has_spaces().then(|| p.given.clone())),
    class("surname, title and surname", |p, d| {
        let _ = p.spaced()?;
        Some(format!("{}{}", d.pick(&["", "Mr ", "Frau ", "Dr. ", "Pan "]), p.surname))
    }),
    class("phone, with country code", |p, d| {
        Some(match d.below(5) {
            0 => format!("+{}{}", p.code, p.phone),
            1 => format!("00{} {}", p.code, p.number_grouped(d)),
            2 => format!("+{} (0){}", p.code, p.number_grouped(d)),
            3 => format!("+{} {}", p.code, p.number_grouped(d)),
            _ => format!("(+{}) {}", p.code, p.number_grouped(d)),
        })
    }),
    class("phone, as dialled within the country", |p, d| Some(p.dialled(d))),
    class("phone, country code and no plus", |p, d| {
        Some(format!("{}{}{}", p.code, d.pick(&["", " ", "-"]), p.number_grouped(d)))
    }),
    class("phone, labels attached, underscores", |p, d| {
        Some(match d.below(5) {
            0 => format!("{}{}x12", p.trunk, p.phone),
            1 => format!("Tel{}{}", p.trunk, p.phone),
            2 => format!("{}{}ext.4", p.trunk, p.phone),
            3 => format!("mob:{}{}", p.trunk, p.phone),
            _ => format!("{}{}_{}", p.trunk, &p.phone[..3], grouped(&p.phone[3..], 3, "_")),
        })
    }),
    class("account, regrouped", |p, d| {
        Some(match d.below(4) {
            0 => grouped(&p.iban, 4, " "),
            1 => p.iban.to_lowercase(),
            2 => grouped(&p.iban, 3, "."),
            _ => grouped(&p.iban, 4, "-"),
        })
    }),
    class("national id, regrouped or with other separators", |p, d| {
        Some(match d.below(5) {
            0 => p.national_id[2..].to_owned(),
            1 => p.national_id.replace('-', ""),
            2 => p.national_id.replace('-', " "),
            3 => grouped(&p.lettered_id, 3, d.pick(&[" ", "-", "."])),
            _ => p.lettered_id.replace('-', "").to_lowercase(),
        })
    }),
    class("customer number, other separator", |p, d| {
        let with = d.pick(&["", " ", "/", ".", "_"]);
        Some(p.customer_number.replace(['-', '/'], with))
    }),
    class("mail, tags and signs around it", |p, d| Some(around_mail(p, d))),
    class("street, number moved, 5a, Nr. 5", |p, d| Some(street_moved(p, d))),
    class("street, abbreviated", |p, _| Some(street_short(p))),
    class("street without its number", |p, _| Some(p.street.clone())),
    class("date of birth, postcode, city", |p, d| {
        Some(match d.below(3) {
            0 => date(p, d),
            1 => p.postcode.clone(),
            _ => p.city.clone(),
        })
    }),
    class("initials only", |p, d| {
        let (a, b) = (initial(&without_marks(&p.given)), initial(&without_marks(bare(&p.surname))));
        p.language.is_latin().then(|| format!("{a}{}{b}{}", d.pick(&["", ".", ". "]), d.pick(&["", "."])))
    }),
    class("CamelCase", |p, d| {
        let surname = bare(&p.surname);
        is_name_of_letters(p).then(|| {
            if d.below(2) == 0 { format!("{}{surname}", p.given) } else { format!("{surname}{}", p.given) }
        })
    }),
    class("Chinese, Japanese, Korean names in running text", |p, _| {
        (!p.language.has_spaces()).then(|| p.full_name())
    }),
    class("case endings", |p, d| {
        let surname = bare(&p.surname);
        match d.below(3) {
            0 => inflected(p.language, &p.given, d).filter(|_| p.language.has_spaces()),
            1 => inflected(p.language, surname, d).filter(|_| p.language.has_spaces()),
            _ if p.language.has_spaces() => Some(format!(
                "{} {}",
                inflected(p.language, &p.given, d)?,
                inflected(p.language, surname, d)?
            )),
            _ => inflected(p.language, &p.full_name(), d),
        }
    }),
    Class {
        name: "declared out: nickname, typing error, spaced letters, (at)",
        write: |p, d| {
            let mut letters: Vec<char> = p.given.chars().collect();
            Some(match d.below(3) {
                0 => letters.iter().map(char::to_string).collect::<Vec<_>>().join(" "),
                1 => p.email.replace('@', " (at) "),
                _ => {
                    letters.push('y');
                    letters.reverse();
                    letters.into_iter().collect()
                }
            })
        },
        is_out: true,
    },
];

/// What may be left over when a mention was found: a title, a label, or an ending.
pub(crate) const RESTS: [&str; 24] = [
    "",
    "s",
    "x12",
    "tel",
    "ext4",
    "mob",
    "mr",
    "frau",
    "dr",
    "pan",
    "mail",
    "nr",
    "no",
    "a",
    "가",
    "에게",
    "의",
    "さん",
    "様の",
    "に",
    "先生",
    "的",
    "说",
    "улица",
];

/// Whether a class has texts in a language: the language must have the forms that the class writes.
pub(crate) fn applies(language: Language, class: &Class) -> bool {
    let mut dice = Dice::new(3);
    (0..20).any(|_| (class.write)(&Person::new(language, &mut dice), &mut dice).is_some())
}
