//! Makes texts in which people are mentioned, each in one of the ways, and texts about other people.

use std::ops::Range;

use relinquish::anonymise::text::Matcher;

#[path = "classes.rs"]
mod classes;
#[path = "controls.rs"]
mod controls;
#[path = "inflected.rs"]
mod inflected;
#[path = "people.rs"]
mod people;

pub(crate) use classes::{CLASSES, Class, RESTS, applies};
pub(crate) use controls::{CONTROLS, Control};
pub(crate) use people::{Dice, LANGUAGES, Language, Person};

/// Whole sentences that do not mention the person. Some are deliberately misleading: namesakes, names that are part
/// of a word, and numbers that are similar to the person's.
pub(crate) fn sentences(language: Language) -> &'static [&'static str] {
    match language {
        Language::English => &[
            "The parcel went to Edinburgh and came back damaged.",
            "With patience the matter was settled; the form was read in May.",
            "Payment of 1,250.00 was received on 2024-03-17, reference 88120.",
            "The Ashworthy Arms asked for a second invoice, as did the bakery.",
            "Mark the box as fragile – it holds “glass”, 12 × 30 cm.",
            "Someone at info@annandale.example called twice about order 7781-2290.",
            "Annabel and William from the warehouse will handle it.",
        ],
        Language::Swedish => &[
            "Kunden ringde om fakturan och ville ha den på nytt.",
            "Leveransen gick till Örebro i stället för Östersund.",
            "Betalningen på 1 250,00 kr bokfördes den 17 mars, referens 88120.",
            "Bergslagens Åkeri och Larssons Bageri fick samma besked.",
            "Vi ses på torsdag – ta med ”pärmen” och 12 kopior.",
        ],
        Language::German => &[
            "Der Kunde fragte nach der Rechnung und möchte sie erneut erhalten.",
            "Die Lieferung ging nach Müllheim statt nach Weißenfels.",
            "Die Zahlung über 1.250,00 € ging am 17. März ein, Zeichen 88120.",
            "Die Fischerei und das Annaheim bekamen dieselbe Auskunft.",
        ],
        Language::Dutch => &["De factuur is opnieuw verstuurd.", "Levering volgt op dinsdag, kenmerk 88120."],
        Language::Spanish => {
            &["El cliente pidió otra copia de la factura.", "El envío llega el martes, referencia 88120."]
        }
        Language::Polish => &["Klient prosi o kopię faktury.", "Przesyłka dotrze we wtorek, numer 88120."],
        Language::Finnish => &["Asiakas pyysi laskun uudelleen.", "Lähetys saapuu tiistaina, viite 88120."],
        Language::Turkish => &["Müşteri faturayı tekrar istedi.", "Kargo salı günü gelecek, no 88120."],
        Language::Russian => &["Клиент просит копию счёта.", "Посылка придёт во вторник, номер 88120."],
        Language::Greek => {
            &["Ο πελάτης ζήτησε αντίγραφο του τιμολογίου.", "Το δέμα φτάνει την Τρίτη, αριθμός 88120."]
        }
        Language::Arabic => &["طلب العميل نسخة من الفاتورة.", "يصل الطرد يوم الثلاثاء، رقم 88120."],
        Language::Hindi => &["ग्राहक ने बिल की प्रति माँगी।", "पार्सल मंगलवार को आएगा, संख्या 88120।"],
        Language::Chinese => &["客户要求重新发送发票。", "包裹星期二到，编号88120。"],
        Language::Japanese => &["請求書を再送してください。", "荷物は火曜日に届きます。番号88120。"],
        Language::Korean => &["송장을 다시 보내 주세요.", "소포는 화요일에 도착합니다. 번호 88120."],
    }
}

fn leads(language: Language) -> &'static [&'static str] {
    match language {
        Language::Swedish => &["Talade med ", "Gäller ", "Ring upp: ", "Enligt "],
        Language::German => &["Gesprochen mit ", "Betrifft ", "Rückruf: ", "Laut "],
        Language::Arabic => &["تحدثنا مع ", "بخصوص ", "اتصل ب "],
        Language::Hindi => &["बात हुई ", "फ़ोन करें: ", "के बारे में "],
        Language::Chinese | Language::Japanese | Language::Korean => &["昨天", "お客様の", "담당자는 ", ": "],
        _ => &["Spoke to ", "Note for ", "Call back: ", "according to "],
    }
}

/// A text, and the place of the mention in it.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) text: String,
    pub(crate) range: Range<usize>,
}

/// Sentences that mention nobody.
pub(crate) fn nobody(language: Language, dice: &mut Dice) -> String {
    let count = 1 + dice.below(4);
    (0..count).map(|_| dice.pick(sentences(language))).collect::<Vec<_>>().join(" ")
}

pub(crate) fn plant(person: &Person, class: &Class, dice: &mut Dice) -> Option<Planted> {
    let written = (class.write)(person, dice)?;
    let mut text = nobody(person.language, dice);
    text.push(' ');
    text.push_str(dice.pick(leads(person.language)));
    let start = text.len();
    text.push_str(&written);
    let range = start..text.len();
    text.push_str(dice.pick(&[". ", ", ", "\n", " – ", "; "]));
    text.push_str(&nobody(person.language, dice));
    Some(Planted { text, range })
}

/// The results for the planted mentions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    pub(crate) planted: u32,
    /// Mentions that were completely replaced.
    pub(crate) found: u32,
    /// Mentions that were partly replaced.
    pub(crate) partly: u32,
    /// Mentions that were not replaced but reported.
    pub(crate) reported: u32,
    /// Texts in which something else was replaced.
    pub(crate) wrong: u32,
}

impl Score {
    #[allow(dead_code, reason = "the example asks")]
    pub(crate) fn silent(self) -> u32 {
        self.planted - self.found - self.partly - self.reported
    }

    /// Found or reported.
    pub(crate) fn share(self) -> f64 {
        f64::from(self.found + self.reported) / f64::from(self.planted.max(1))
    }

    fn and(self, other: Self) -> Self {
        Self {
            planted: self.planted + other.planted,
            found: self.found + other.found,
            partly: self.partly + other.partly,
            reported: self.reported + other.reported,
            wrong: self.wrong + other.wrong,
        }
    }

    fn of(person: &Person, planted: &Planted) -> Option<Self> {
        let matcher = Matcher::new([&person.identifiers()]).ok()?;
        let mentions = matcher.find(&planted.text);
        let overlaps =
            |range: &Range<usize>| range.start < planted.range.end && planted.range.start < range.end;
        let certain: Vec<&Range<usize>> =
            mentions.iter().filter(|mention| mention.is_certain).map(|mention| &mention.range).collect();
        let covered = |ranges: &[&Range<usize>], at: usize| ranges.iter().any(|range| range.contains(&at));
        let all: Vec<&Range<usize>> = mentions.iter().map(|mention| &mention.range).collect();
        let mut letters = planted.text[planted.range.clone()]
            .char_indices()
            .map(|(at, c)| (planted.range.start + at, c))
            .filter(|(_, c)| c.is_alphanumeric());
        let left: String =
            letters.clone().filter(|(at, _)| !covered(&certain, *at)).map(|(_, c)| c).collect();
        let is_told = letters.clone().any(|(at, _)| covered(&all, at));
        let is_touched = letters.any(|(at, _)| covered(&certain, at));
        let mut score = Self { planted: 1, ..Self::default() };
        score.wrong = u32::from(certain.iter().any(|range| !overlaps(range)));
        match (RESTS.contains(&left.to_lowercase().as_str()), is_touched, is_told) {
            (true, true, _) => score.found = 1,
            (_, true, _) => score.partly = 1,
            (_, false, true) => score.reported = 1,
            (_, false, false) => {}
        }
        Some(score)
    }
}

/// Plants mentions in texts of one language and searches for them, `times` times.
pub(crate) fn measure(class: &Class, language: Language, times: usize) -> Score {
    let mut dice = Dice::new(language as u64 + 17);
    (0..times)
        .filter_map(|_| {
            let person = Person::new(language, &mut dice);
            let planted = plant(&person, class, &mut dice)?;
            Score::of(&person, &planted)
        })
        .fold(Score::default(), Score::and)
}

/// The same, in every language that has the forms of the class.
pub(crate) fn measure_all(class: &Class, times: usize) -> Score {
    let languages = LANGUAGES.into_iter().filter(|language| applies(*language, class));
    languages.map(|language| measure(class, language, times)).fold(Score::default(), Score::and)
}

/// The results for texts that mention somebody else or nobody.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Innocent {
    pub(crate) texts: u32,
    pub(crate) changed: u32,
    pub(crate) reported: u32,
}

/// Searches for a person in texts that do not mention the person.
pub(crate) fn innocent(control: &Control, times: usize) -> Innocent {
    let mut score = Innocent::default();
    for language in LANGUAGES {
        let mut dice = Dice::new(language as u64 + 99);
        for _ in 0..times {
            let person = Person::new(language, &mut dice);
            let Some((identifiers, text)) = (control.write)(&person, &mut dice) else { continue };
            let Ok(matcher) = Matcher::new([&identifiers]) else { continue };
            let redacted = matcher.redact(&text, "[erased]");
            score.texts += 1;
            score.changed += u32::from(redacted.text.is_some());
            score.reported += u32::from(redacted.text.is_none() && !redacted.review.is_empty());
        }
    }
    score
}
