//! People with names of fifteen languages, made from parts, and their identifiers.

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

    pub(crate) fn pick<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }

    pub(crate) fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap_or_default())).collect()
    }

    pub(crate) fn letters(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'A' + u8::try_from(self.below(26)).unwrap_or_default())).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Swedish,
    German,
    Dutch,
    Spanish,
    Polish,
    Finnish,
    Turkish,
    Russian,
    Greek,
    Arabic,
    Hindi,
    Chinese,
    Japanese,
    Korean,
}

use Language::{
    Arabic, Chinese, Dutch, English, Finnish, German, Greek, Hindi, Japanese, Korean, Polish, Russian,
    Spanish, Swedish, Turkish,
};

pub(crate) const LANGUAGES: [Language; 15] = [
    English, Swedish, German, Dutch, Spanish, Polish, Finnish, Turkish, Russian, Greek, Arabic, Hindi,
    Chinese, Japanese, Korean,
];

impl Language {
    pub(crate) fn has_spaces(self) -> bool {
        !matches!(self, Chinese | Japanese | Korean)
    }

    pub(crate) fn is_latin(self) -> bool {
        self.has_spaces() && !matches!(self, Russian | Greek | Arabic | Hindi)
    }

    fn given(self) -> &'static [&'static str] {
        match self {
            English => &["Imogen", "Winifred", "Theodora", "Grace", "Will", "Anna", "Rupert", "Zoë", "Ed"],
            Swedish => {
                &["Åsa", "Torbjörn", "Märta", "Gunvor", "Anna-Karin", "Sigbritt", "Östen", "Lars", "Tyra"]
            }
            German => {
                &["Jürgen", "Gisbert", "Käthe", "Roswitha", "Heidrun", "Sören", "Anna", "Walburga", "Jörg"]
            }
            Dutch => &["Maarten", "Femke", "Sjoerd", "Hendrikje", "Joost", "Wilhelmina", "Bram"],
            Spanish => &["Álvaro", "Encarnación", "Íñigo", "Begoña", "Rocío", "Fermín"],
            Polish => &["Agnieszka", "Grzegorz", "Bożena", "Marek", "Małgorzata", "Zbigniew", "Danuta"],
            Finnish => &["Pekka", "Aino", "Matti", "Hilkka", "Väinö", "Tuulikki", "Antti"],
            Turkish => &["Ayşe", "Mehmet", "İpek", "Gülşen", "Orhan", "Çağla", "Işıl"],
            Russian => &["Андрей", "Мария", "Людмила", "Игорь", "Светлана", "Фёдор"],
            Greek => &["Γιώργος", "Ελένη", "Δημήτρης", "Αικατερίνη", "Κώστας", "Σοφία"],
            Arabic => &["أحمد", "فاطمة", "يوسف", "ليلى", "خالد", "مريم"],
            Hindi => &["अनिल", "सुनीता", "राजेश", "कविता", "मोहन", "प्रिया"],
            Chinese => &["小明", "志强", "丽华", "建国", "雨桐", "芳"],
            Japanese => &["太郎", "花子", "美咲", "健一", "さくら", "大輔"],
            Korean => &["민수", "서연", "지훈", "하은", "영호", "은주"],
        }
    }

    fn surname(self, dice: &mut Dice) -> String {
        let (starts, ends): (&[&str], &[&str]) = match self {
            English => (
                &["Ash", "Feather", "Black", "Thorn", "Quin", "Hather", "Win"],
                &["worth", "stone", "combe", "ley", "brooke"],
            ),
            Swedish => (
                &["Lind", "Ekeb", "Åker", "Öhr", "Sjö", "Norr", "Häll"],
                &["qvist", "strand", "blad", "stjärna", "mark"],
            ),
            German => (
                &["Müll", "Stroh", "Groß", "Löwen", "Bäum", "Hohen", "Weiß"],
                &["er", "berger", "mann", "thal", "feld"],
            ),
            Dutch => {
                (&["Wester", "Hooge", "Kuiper", "Dijk", "Oost"], &["veld", "stra", "huis", "man", "bos"])
            }
            Spanish => (
                &["Echeve", "Zuma", "Alca", "Quinta", "Monte"],
                &["rría", "lacárregui", "ráz", "nilla", "negro"],
            ),
            Polish => {
                (&["Kowal", "Wiśni", "Zieli", "Jabłon", "Grabow"], &["ski", "czyk", "ak", "owicz", "ewski"])
            }
            Finnish => {
                (&["Virta", "Mäki", "Koski", "Lehto", "Hämälä"], &["nen", "nen", "la", "salo", "niemi"])
            }
            Turkish => {
                (&["Yıldır", "Öztür", "Karade", "Gündo", "Çeli"], &["ım", "koğlu", "niz", "ğan", "kkol"])
            }
            Russian => (&["Сидор", "Вороб", "Лебед", "Кузнец", "Гончар"], &["ов", "ьёв", "ев", "ин", "енко"]),
            Greek => (&["Παπαδ", "Οικονομ", "Νικολ", "Βασιλ", "Αντων"], &["όπουλος", "άκης", "ίδης", "άτος"]),
            Arabic => (&["الحداد", "النجار", "المصري", "الشامي", "القاضي"], &[""]),
            Hindi => (&["शर्मा", "चौधरी", "श्रीवास्तव", "भट्टाचार्य", "मिश्रा"], &[""]),
            Chinese => (&["王", "李", "张", "陈", "欧阳"], &[""]),
            Japanese => (&["山", "田", "中", "佐", "藤"], &["田", "村", "川", "本", "原"]),
            Korean => (&["김", "이", "박", "최", "정"], &[""]),
        };
        let particle = match self {
            Dutch => dice.pick(&["van der ", "van ", "de ", "ten ", ""]),
            Spanish => dice.pick(&["de la ", "del ", "", ""]),
            German => dice.pick(&["von ", "zu ", "", "", ""]),
            _ => "",
        };
        format!("{particle}{}{}", dice.pick(starts), dice.pick(ends))
    }

    fn street(self, dice: &mut Dice) -> String {
        let own = match self {
            German => dice.pick(&["Linden", "Goethe", "Hollerbusch", "Eichen"]),
            Swedish => dice.pick(&["Lövskogs", "Vinterviks", "Björn", "Kyrko"]),
            Dutch => dice.pick(&["Wilgen", "Molen", "Kerk"]),
            _ => "",
        };
        match self {
            German => format!("{own}{}", dice.pick(&["straße", "platz", "weg", "allee"])),
            Swedish => format!("{own}{}", dice.pick(&["gatan", "vägen", "stigen"])),
            Dutch => format!("{own}{}", dice.pick(&["straat", "laan", "plein"])),
            Spanish => format!(
                "{} {}",
                dice.pick(&["Calle", "Avenida", "Plaza"]),
                dice.pick(&["Mayor", "Los Olivos", "Cervantes"])
            ),
            Polish => {
                format!("{} {}", dice.pick(&["ul.", "al."]), dice.pick(&["Długa", "Kościuszki", "Lipowa"]))
            }
            Russian => {
                format!("{} {}", dice.pick(&["ул.", "пр."]), dice.pick(&["Садовая", "Лесная", "Гагарина"]))
            }
            Finnish => {
                format!("{}{}", dice.pick(&["Koivu", "Satama", "Mannerheimin"]), dice.pick(&["katu", "tie"]))
            }
            Turkish => {
                format!("{} {}", dice.pick(&["Lale", "Çınar", "Gül"]), dice.pick(&["Sokak", "Caddesi"]))
            }
            _ => format!(
                "{} {}",
                dice.pick(&["Tamarind", "Quince", "Lark", "Old Mill"]),
                dice.pick(&["Street", "Road", "Avenue", "Crescent", "Lane"])
            ),
        }
    }

    fn code(self) -> &'static str {
        match self {
            English => "44",
            Swedish => "46",
            German => "49",
            Dutch => "31",
            Spanish => "34",
            Polish => "48",
            Finnish => "358",
            Turkish => "90",
            Russian => "7",
            Greek => "30",
            Arabic => "20",
            Hindi => "91",
            Chinese => "86",
            Japanese => "81",
            Korean => "82",
        }
    }

    /// The digits that are dialled first within the country, and the length of the number.
    fn dialled(self) -> (&'static str, usize) {
        match self {
            Russian => ("8", 10),
            Spanish | Polish => ("", 9),
            Greek => ("", 10),
            English | Turkish | Chinese | Hindi | Arabic => ("0", 10),
            _ => ("0", 9),
        }
    }

    /// A Latin spelling for each letter, as mail addresses use it.
    fn latin(self) -> &'static [&'static str] {
        match self {
            Russian => &["andrei.sidorov", "m.lebedeva", "lvorobev"],
            Greek => &["g.papadopoulos", "eleni.nikolaki", "kantonatos"],
            Arabic => &["ahmad.haddad", "f.najjar", "khalidmasri"],
            Hindi => &["anil.sharma", "s.chaudhari", "mohanmishra"],
            Chinese => &["wang.xm", "zhangzq", "chen.lihua"],
            Japanese => &["t.yamada", "nakamura.hanako", "satomisaki"],
            Korean => &["minsu.kim", "sy.lee", "parkjihun"],
            _ => &[],
        }
    }
}

/// A person with all identifiers.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) language: Language,
    pub(crate) given: String,
    /// The surname with its particles: `van der Berg`.
    pub(crate) surname: String,
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) code: &'static str,
    pub(crate) trunk: &'static str,
    /// The telephone number without country code and trunk prefix.
    pub(crate) phone: String,
    /// The telephone number as the records store it.
    pub(crate) stored_phone: String,
    pub(crate) street: String,
    pub(crate) number: String,
    pub(crate) iban: String,
    pub(crate) national_id: String,
    pub(crate) lettered_id: String,
    pub(crate) customer_number: String,
    pub(crate) birth: (usize, usize, usize),
    pub(crate) postcode: String,
    pub(crate) city: String,
}

impl Person {
    pub(crate) fn new(language: Language, dice: &mut Dice) -> Self {
        let (given, surname) = (dice.pick(language.given()).to_owned(), language.surname(dice));
        let plain: String = match language.latin() {
            [] => format!("{given}.{}", surname.replace(' ', ""))
                .to_lowercase()
                .replace('ı', "i")
                .replace('ł', "l")
                .nfd()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
                .collect(),
            list => dice.pick(list).to_owned(),
        };
        let tail = dice.digits(2);
        let (trunk, digits) = language.dialled();
        let phone = format!("{}{}", 2 + dice.below(7), dice.digits(digits - 1));
        let code = language.code();
        let stored_phone = match dice.below(4) {
            0 => format!("{trunk}{phone}"),
            1 => format!("+{code}{phone}"),
            _ => format!("+{code} {} {}", &phone[..3], &phone[3..]),
        };
        let iban = match dice.below(4) {
            0 => format!("FR{}{}{}{}", dice.digits(12), dice.letters(1), dice.digits(5), dice.digits(5)),
            1 => format!("MT{}{}{}{}", dice.digits(2), dice.letters(4), dice.digits(11), dice.letters(9)),
            2 => format!("GB{}NWBK{}", dice.digits(2), dice.digits(14)),
            _ => format!("DE{}", dice.digits(20)),
        };
        let lettered_id = match dice.below(3) {
            0 => format!("{}{}", dice.digits(8), dice.letters(1)),
            1 => format!("{}{}{}", dice.letters(2), dice.digits(6), dice.letters(1)),
            _ => format!("{}-{}{}", dice.digits(6), dice.digits(3), dice.letters(1)),
        };
        let birth = (1940 + dice.below(60), 1 + dice.below(12), 13 + dice.below(16));
        let postcode = match language {
            English => {
                format!("{}{} {}{}", dice.letters(2), 1 + dice.below(9), 1 + dice.below(9), dice.letters(2))
            }
            Dutch => format!("{} {}", 1000 + dice.below(8999), dice.letters(2)),
            _ => (10_000 + dice.below(89_999)).to_string(),
        };
        Self {
            language,
            given,
            surname,
            email: format!("{plain}{tail}@example.org"),
            username: format!("{}_{}", plain.get(..3).unwrap_or("usr"), dice.digits(4)),
            code,
            trunk,
            phone,
            stored_phone,
            street: language.street(dice),
            number: (1 + dice.below(98)).to_string(),
            iban,
            national_id: format!("{}{:02}{:02}-{}", birth.0, birth.1, birth.2, dice.digits(4)),
            lettered_id,
            customer_number: match dice.below(3) {
                0 => format!("K-{}", dice.digits(6)),
                1 => format!("{}-{}", 10 + dice.below(89), dice.digits(5)),
                _ => format!("C{}/{}", dice.digits(3), dice.digits(4)),
            },
            birth,
            postcode,
            city: dice
                .pick(&["Ullapool", "Västerhaninge", "Quedlinburg", "Ciechocinek", "Zutphen", "Lappeenranta"])
                .to_owned(),
        }
    }

    pub(crate) fn address(&self) -> String {
        match self.language {
            English | Chinese | Japanese | Korean => format!("{} {}", self.number, self.street),
            _ => format!("{} {}", self.street, self.number),
        }
    }

    pub(crate) fn identifiers(&self) -> Identifiers {
        let mut all = Identifiers::new();
        all.insert(Kind::Name, self.given.as_str());
        all.insert(Kind::Name, self.surname.as_str());
        all.insert(Kind::Email, self.email.as_str());
        all.insert(Kind::Username, self.username.as_str());
        all.insert(Kind::Phone, self.stored_phone.as_str());
        all.insert(Kind::Address, self.address());
        all.insert(Kind::BankAccount, self.iban.as_str());
        all.insert(Kind::NationalId, self.national_id.as_str());
        all.insert(Kind::NationalId, self.lettered_id.as_str());
        all.insert(Kind::CustomerNumber, self.customer_number.as_str());
        let (year, month, day) = self.birth;
        all.insert(Kind::BirthDate, format!("{year}-{month:02}-{day:02}"));
        all.insert(Kind::Postcode, self.postcode.as_str());
        all.insert(Kind::City, self.city.as_str());
        all
    }

    pub(crate) fn full_name(&self) -> String {
        if matches!(self.language, Chinese | Japanese | Korean) {
            format!("{}{}", self.surname, self.given)
        } else {
            format!("{} {}", self.given, self.surname)
        }
    }
}
