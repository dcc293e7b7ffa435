//! Texts with people planted in them, each in one of the ways in which people are written.

use std::fmt::Write as _;
use std::ops::Range;

use relinquish::customer::Identifiers;
use relinquish::data_map::Kind;
use unicode_normalization::UnicodeNormalization as _;

/// Numbers that look random and are the same in every run (`SplitMix64`).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or_default()
    }

    fn pick<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap_or_default())).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Swedish,
    German,
}

pub(crate) const LANGUAGES: [Language; 3] = [Language::English, Language::Swedish, Language::German];

impl Language {
    fn given(self) -> &'static [&'static str] {
        match self {
            Self::English => {
                &["Imogen", "Winifred", "Theodora", "Grace", "Will", "Anna", "Rupert", "O'Malley", "Zoë"]
            }
            Self::Swedish => {
                &["Åsa", "Torbjörn", "Märta", "Gunvor", "Anna-Karin", "Sigbritt", "Östen", "Lars", "Tyra"]
            }
            Self::German => {
                &["Jürgen", "Gisbert", "Käthe", "Roswitha", "Heidrun", "Sören", "Anna", "Walburga", "Jörg"]
            }
        }
    }

    fn surnames(self) -> &'static [&'static str] {
        match self {
            Self::English => {
                &["Ashworth", "Featherstone", "Smith", "O'Brien", "Llewellyn", "Marsh", "Blenkinsop"]
            }
            Self::Swedish => {
                &["Svensson", "Ekenstjärna", "Lindqvist", "Åkerblad", "Öhrnberg", "Berg", "Sjöstrand"]
            }
            Self::German => {
                &["Müller", "Straußberger", "Großkopf", "Löwenthal", "Weiß", "Fischer", "Bäumler"]
            }
        }
    }

    fn streets(self) -> &'static [&'static str] {
        match self {
            Self::English => &["Tamarind Street", "Quince Road", "Lark Avenue"],
            Self::Swedish => &["Lövskogsgatan", "Vinterviksvägen", "Björnstigen"],
            Self::German => &["Lindenstraße", "Am Hollerbusch", "Goethestraße"],
        }
    }

    /// Whole sentences in which nobody is mentioned who is searched for. Some are there to mislead: namesakes, names
    /// that are a part of a word, numbers that nearly are the person's.
    fn sentences(self) -> &'static [&'static str] {
        match self {
            Self::English => &[
                "The parcel went to Edinburgh and came back damaged.",
                "With grace and patience the matter was settled; the will was read in May.",
                "Payment of 1,250.00 was received on 2024-03-17, reference 88120.",
                "The Ashworthy Arms asked for a second invoice, as did Anna's Bakery.",
                "Mark the box as fragile – it holds “glass”, 12 × 30 cm.",
                "Someone at info@annandale.example called twice about order 7781-2290.",
                "Annabel and William from the warehouse will handle it.",
            ],
            Self::Swedish => &[
                "Kunden ringde om fakturan och ville ha den på nytt.",
                "Leveransen gick till Örebro i stället för Östersund.",
                "Betalningen på 1 250,00 kr bokfördes den 17 mars, referens 88120.",
                "Bergslagens Åkeri och Larssons Bageri fick samma besked.",
                "Vi ses på torsdag – ta med ”pärmen” och 12 kopior.",
                "Skriv till info@bergslagen.example om order 7781-2290.",
            ],
            Self::German => &[
                "Der Kunde fragte nach der Rechnung und möchte sie erneut erhalten.",
                "Die Lieferung ging nach Müllheim statt nach Weißenfels.",
                "Die Zahlung über 1.250,00 € ging am 17. März ein, Zeichen 88120.",
                "Die Fischerei und das Annaheim bekamen dieselbe Auskunft.",
                "Bitte „zerbrechlich“ vermerken, Größe 12 × 30 cm.",
                "Anfragen an info@fischerei.example zur Bestellung 7781-2290.",
            ],
        }
    }

    fn lead(self) -> &'static [&'static str] {
        match self {
            Self::English => &["Spoke to ", "Note for ", "Call back: ", "According to "],
            Self::Swedish => &["Talade med ", "Gäller ", "Ring upp: ", "Enligt "],
            Self::German => &["Gesprochen mit ", "Betrifft ", "Rückruf: ", "Laut "],
        }
    }
}

/// Somebody with all that is known of them.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) language: Language,
    given: String,
    surname: String,
    email: String,
    username: String,
    /// Country code and national number, without the zero before it.
    phone: (String, String),
    street: String,
    number: String,
    iban: String,
    national_id: String,
    customer_number: String,
}

impl Person {
    pub(crate) fn new(language: Language, dice: &mut Dice) -> Self {
        let (given, surname) = (dice.pick(language.given()), dice.pick(language.surnames()));
        let plain: String = format!("{given}.{surname}")
            .to_lowercase()
            .nfd()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
            .collect();
        let tail = dice.digits(2);
        let (code, iban) = match language {
            Language::English => ("44", format!("GB{}NWBK{}", dice.digits(2), dice.digits(14))),
            Language::Swedish => ("46", format!("SE{}", dice.digits(22))),
            Language::German => ("49", format!("DE{}", dice.digits(20))),
        };
        Self {
            language,
            given: given.to_owned(),
            surname: surname.to_owned(),
            email: format!("{plain}{tail}@example.org"),
            username: format!("{}_{}", &plain[..3], dice.digits(4)),
            phone: (code.to_owned(), format!("{}{}", 1 + dice.below(9), dice.digits(8))),
            street: dice.pick(language.streets()).to_owned(),
            number: (1 + dice.below(98)).to_string(),
            iban,
            national_id: format!(
                "19{}{:02}{:02}-{}",
                40 + dice.below(50),
                1 + dice.below(12),
                1 + dice.below(28),
                dice.digits(4)
            ),
            customer_number: format!("K-{}", dice.digits(6)),
        }
    }

    fn address(&self) -> String {
        match self.language {
            Language::English => format!("{} {}", self.number, self.street),
            Language::Swedish | Language::German => format!("{} {}", self.street, self.number),
        }
    }

    pub(crate) fn identifiers(&self) -> Identifiers {
        let mut all = Identifiers::new();
        all.insert(Kind::Name, self.given.as_str());
        all.insert(Kind::Name, self.surname.as_str());
        all.insert(Kind::Email, self.email.as_str());
        all.insert(Kind::Username, self.username.as_str());
        all.insert(Kind::Phone, format!("+{} {}", self.phone.0, self.phone.1));
        all.insert(Kind::Address, self.address());
        all.insert(Kind::BankAccount, self.iban.as_str());
        all.insert(Kind::NationalId, self.national_id.as_str());
        all.insert(Kind::CustomerNumber, self.customer_number.as_str());
        all
    }

    fn full_name(&self) -> String {
        format!("{} {}", self.given, self.surname)
    }

    /// What is planted exactly as the records have it.
    fn exact(&self, dice: &mut Dice) -> String {
        match dice.below(7) {
            0 => self.email.clone(),
            1 => self.username.clone(),
            2 => format!("+{} {}", self.phone.0, self.phone.1),
            3 => self.address(),
            4 => self.national_id.clone(),
            5 => self.customer_number.clone(),
            _ => self.full_name(),
        }
    }

    /// Words: a name, an address, a mail address.
    fn words(&self, dice: &mut Dice) -> String {
        match dice.below(3) {
            0 => self.email.clone(),
            1 => self.address(),
            _ => self.full_name(),
        }
    }

    fn phone_as(&self, groups: &[usize], separator: &str) -> String {
        let mut rest = self.phone.1.as_str();
        let mut parts = Vec::new();
        for len in groups {
            let (part, behind) = rest.split_at((*len).min(rest.len()));
            parts.push(part);
            rest = behind;
        }
        parts.push(rest);
        parts.retain(|part| !part.is_empty());
        parts.join(separator)
    }
}

/// A way of writing somebody.
#[derive(Clone, Copy)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) write: fn(&Person, &mut Dice) -> String,
}

fn grouped(text: &str, by: usize, separator: &str) -> String {
    let chars: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    chars.chunks(by).map(|chunk| chunk.iter().collect::<String>()).collect::<Vec<_>>().join(separator)
}

fn initial(name: &str) -> char {
    name.chars().next().unwrap_or_default()
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

pub(crate) const CLASSES: &[Class] = &[
    Class { name: "exact", write: Person::exact },
    Class { name: "upper case", write: |p, d| p.words(d).to_uppercase() },
    Class { name: "lower case", write: |p, d| p.words(d).to_lowercase() },
    Class { name: "surname first", write: |p, _| format!("{}, {}", p.surname, p.given) },
    Class { name: "surname first, no comma", write: |p, _| format!("{} {}", p.surname, p.given) },
    Class {
        name: "initials",
        write: |p, d| match d.below(3) {
            0 => format!("{}. {}", initial(&p.given), p.surname),
            1 => format!("{} {}", initial(&p.given), p.surname),
            _ => format!("{}, {}.", p.surname, initial(&p.given)),
        },
    },
    Class { name: "decomposed (NFD)", write: |p, d| p.words(d).nfd().collect() },
    Class { name: "marks dropped", write: |p, d| without_marks(&p.words(d)) },
    Class { name: "marks spelled out", write: |p, _| spelled_out(&p.full_name()) },
    Class {
        name: "full width",
        write: |p, d| {
            let wide = |c: char| match c {
                '!'..='~' => char::from_u32(c as u32 + 0xFEE0).unwrap_or(c),
                c => c,
            };
            p.words(d).chars().map(wide).collect()
        },
    },
    Class {
        name: "without width in between",
        write: |p, d| {
            let text = p.words(d);
            let at = text.char_indices().nth(2).map_or(0, |(at, _)| at);
            let mark = d.pick(&["\u{200b}", "\u{ad}", "\u{200d}", "\u{feff}"]);
            format!("{}{mark}{}", &text[..at], &text[at..])
        },
    },
    Class { name: "Turkish i", write: |p, _| p.full_name().replace('i', "ı").replace('I', "İ") },
    Class {
        name: "other spaces and hyphens",
        write: |p, d| {
            let space = d.pick(&["\u{a0}", "  ", "\n", "\t", "\u{2009}"]);
            p.full_name().replace(' ', space).replace('-', "\u{2010}").replace('\'', "\u{2019}")
        },
    },
    Class { name: "genitive", write: |p, _| format!("{} {}s", p.given, p.surname) },
    Class {
        name: "street abbreviated",
        write: |p, _| {
            p.address()
                .replace("Street", "St.")
                .replace("Road", "Rd")
                .replace("Avenue", "Ave")
                .replace("straße", "str.")
                .replace("gatan", "g.")
                .replace("vägen", "v.")
        },
    },
    Class {
        name: "phone, international",
        write: |p, d| match d.below(4) {
            0 => format!("+{}{}", p.phone.0, p.phone.1),
            1 => format!("00{} {}", p.phone.0, p.phone_as(&[2, 3, 2], " ")),
            2 => format!("+{} (0){}", p.phone.0, p.phone_as(&[2, 3, 2], "-")),
            _ => format!("+{}-{}", p.phone.0, p.phone_as(&[3, 3], ".")),
        },
    },
    Class {
        name: "phone, national",
        write: |p, d| match d.below(4) {
            0 => format!("0{}", p.phone.1),
            1 => format!("0{}", p.phone_as(&[2, 3, 2], " ")),
            2 => format!(
                "(0{}) {}",
                &p.phone.1[..2],
                p.phone_as(&[2, 3, 2], " ").split_once(' ').map_or("", |(_, rest)| rest)
            ),
            _ => format!("0{}/{}", &p.phone.1[..2], &p.phone.1[2..]),
        },
    },
    Class {
        name: "account, grouped",
        write: |p, d| match d.below(3) {
            0 => grouped(&p.iban, 4, " "),
            1 => p.iban.to_lowercase(),
            _ => grouped(&p.iban, 4, "-"),
        },
    },
    Class {
        name: "personal number, shorter",
        write: |p, d| match d.below(3) {
            0 => p.national_id[2..].to_owned(),
            1 => p.national_id.replace('-', ""),
            _ => p.national_id[2..].replace('-', " "),
        },
    },
];

/// A text and where in it somebody is.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) text: String,
    pub(crate) range: Range<usize>,
}

/// Sentences that mention nobody.
pub(crate) fn nobody(language: Language, dice: &mut Dice) -> String {
    let count = 1 + dice.below(4);
    (0..count).map(|_| dice.pick(language.sentences())).collect::<Vec<_>>().join(" ")
}

pub(crate) fn plant(person: &Person, class: &Class, dice: &mut Dice) -> Planted {
    let mut text = nobody(person.language, dice);
    text.push(' ');
    text.push_str(dice.pick(person.language.lead()));
    let start = text.len();
    text.push_str(&(class.write)(person, dice));
    let range = start..text.len();
    text.push_str(dice.pick(&[". ", ", ", "\n", " – ", "; "]));
    text.push_str(&nobody(person.language, dice));
    Planted { text, range }
}

/// What was found of what was planted, and what else was taken for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    pub(crate) planted: u32,
    pub(crate) found: u32,
    /// Mentions that were replaced, and those among them that were planted.
    pub(crate) replaced: u32,
    pub(crate) right: u32,
}

impl Score {
    pub(crate) fn recall(self) -> f64 {
        f64::from(self.found) / f64::from(self.planted.max(1))
    }

    pub(crate) fn precision(self) -> f64 {
        if self.replaced == 0 { 1.0 } else { f64::from(self.right) / f64::from(self.replaced) }
    }
}

/// Plants and searches, so many times per language.
pub(crate) fn measure(class: &Class, times: usize) -> [Score; 3] {
    LANGUAGES.map(|language| {
        let mut dice = Dice::new(language as u64 + 17);
        let mut score = Score::default();
        for _ in 0..times {
            let person = Person::new(language, &mut dice);
            let planted = plant(&person, class, &mut dice);
            let identifiers = person.identifiers();
            let Ok(matcher) = relinquish::anonymise::text::Matcher::new([&identifiers]) else { continue };
            score.planted += 1;
            let mentions = matcher.find(&planted.text);
            let certain: Vec<&Range<usize>> =
                mentions.iter().filter(|mention| mention.is_certain).map(|mention| &mention.range).collect();
            let overlaps =
                |range: &&&Range<usize>| range.start < planted.range.end && planted.range.start < range.end;
            score.replaced += u32::try_from(certain.len()).unwrap_or_default();
            score.right += u32::try_from(certain.iter().filter(overlaps).count()).unwrap_or_default();
            // What is left of a name that was found may be separators, and the s of a genitive.
            let left: String = planted.text[planted.range.clone()]
                .char_indices()
                .map(|(at, c)| (planted.range.start + at, c))
                .filter(|(at, c)| c.is_alphanumeric() && !certain.iter().any(|range| range.contains(at)))
                .map(|(_, c)| c)
                .collect();
            score.found += u32::from(left.is_empty() || left == "s");
        }
        score
    })
}

/// Texts that mention nobody, and how many of them came out changed.
pub(crate) fn untouched(times: usize) -> [(u32, u32); 3] {
    LANGUAGES.map(|language| {
        let mut dice = Dice::new(language as u64 + 99);
        let (mut texts, mut changed) = (0, 0);
        for _ in 0..times {
            let person = Person::new(language, &mut dice);
            let text = nobody(language, &mut dice);
            let Ok(matcher) = relinquish::anonymise::text::Matcher::new([&person.identifiers()]) else {
                continue;
            };
            texts += 1;
            changed += u32::from(matcher.redact(&text, "[erased]").text.is_some());
        }
        (texts, changed)
    })
}
