//! What stands in a text as it stands in the field is found; what means nobody stays.

use proptest::prelude::*;
use relinquish::anonymise::text::Matcher;
use relinquish::customer::Identifiers;
use relinquish::data_map::Kind;

fn of(kind: &Kind, value: &str) -> Matcher {
    let mut who = Identifiers::new();
    who.insert(kind.clone(), value);
    Matcher::new([&who]).unwrap()
}

fn left(kind: &Kind, value: &str, text: &str) -> String {
    of(kind, value).redact(text, "[x]").text.unwrap_or_else(|| text.to_owned())
}

/// Addresses as people in many countries write them.
const ADDRESSES: &[&str] = &[
    "Rua Augusta 1234",
    "Av. Paulista 1578",
    "Rua Augusta 1234, apto 56",
    "Rua das Flores, 25, 3º Esq.",
    "Calle Mayor 1234",
    "Calle Mayor 5, 3º B",
    "Calle Mayor, 5, 3.º izq.",
    "C/ Mayor 5 3B",
    "Av. de la Constitución 12 bis",
    "Calle de Alcalá 45, 2º B",
    "Av. Corrientes 1368",
    "Av. Insurgentes Sur 1602",
    "Carrera 7 # 71-21",
    "Cra. 15 No. 93-60, Bogotá",
    "Jr. de la Unión 300",
    "Avenida Providencia 2653, depto 1102",
    "12 bis rue de la Paix",
    "12bis rue de la Paix",
    "12 ter, avenue Foch",
    "3 B rue Haute",
    "3B rue Haute",
    "12 rue de la Paix",
    "12 bis, rue de la Paix, 75002 Paris",
    "Bât. A, 12 rue Haute",
    "12 rue du 8 Mai 1945",
    "Rue du Lac 3bis",
    "Rue de l'Église 14",
    "Bd Saint-Germain 5",
    "Rue de Lausanne 45, 1201 Genève",
    "Chaussée de Louvain 1023",
    "Avenue Louise 54 bte 12",
    "Viale Monza 12bis",
    "Via Roma 12/A",
    "Via Roma, 12",
    "Via Roma n. 12",
    "Via Roma 12 int. 4",
    "Corso Buenos Aires 1200",
    "Piazza Navona 3",
    "Kerkstraat 7-2",
    "Kerkstraat 7 II",
    "Kerkstraat 7-hs",
    "Prinsengracht 263A",
    "Laan van Meerdervoort 1234",
    "Hauptstraße 5a",
    "Hauptstr. 5 a",
    "Hauptstraße 5-7",
    "Hauptstraße 5/2/3",
    "Hauptstraße 5, Hinterhaus",
    "Am Markt 3",
    "Am Bach 3 1/2",
    "Unter den Linden 77",
    "Mariahilfer Straße 88a/2/15",
    "Bahnhofstrasse 1",
    "C4, 12-14",
    "Landsberger Allee 1023",
    "Storgatan 12 A",
    "Storgatan 12B, lgh 1102",
    "Storgatan 1234",
    "Box 123, 411 38 Göteborg",
    "Nørregade 5, 2. tv.",
    "Nørregade 5B, 2.tv",
    "Kongens gate 1102",
    "Laugavegur 26",
    "Mannerheimintie 12 A 5",
    "Mannerheimintie 12 A",
    "ul. Długa 5/7",
    "ul. Długa 5 m. 7",
    "Al. Jerozolimskie 1004",
    "Hlavní 123/4",
    "Václavské náměstí 846/1",
    "Kossuth Lajos utca 5. 2/3",
    "Strada Lungă 5, bl. A2, ap. 7",
    "Trg bana Jelačića 10",
    "Nevsky pr. 12",
    "ул. Ленина, д. 5, кв. 7",
    "ул. Ленина 5-7",
    "ул. Ленина 12а",
    "вул. Хрещатик 22",
    "Λεωφ. Αλεξάνδρας 5",
    "Οδός Ερμού 1023",
    "Mustafa Kemal Cad. No: 5 D: 7",
    "Atatürk Cad. No:5 D:7",
    "Atatürk Cad. 5/7",
    "1600 Pennsylvania Ave NW",
    "350 Fifth Ave, Apt 3B",
    "350 5th Avenue #21",
    "350 Fifth Avenue #21",
    "Elm Street 1234",
    "12½ Elm Street",
    "N6W23001 Bluemound Road",
    "12345 Main Street",
    "PO Box 1455, Denver",
    "1500 Peachtree St NE, Suite 200",
    "123 Queen St W, Unit 12-B",
    "10-12 High Street",
    "10A High Street",
    "10 a High Street",
    "Unit 4B, 12 King St",
    "Flat 2, Rose Court, 10 High Street",
    "The Old Mill, Church Lane",
    "12½ Elm Street, Apt 3",
    "221B Baker Street",
    "O'Connell St 5",
    "Unit 3/25 George Street",
    "14A Karangahape Road",
    "12 Long Street, Cape Town",
    "Plot 12, Adeola Odeku Street",
    "P.O. Box 30197-00100 Nairobi",
    "6-10-1 Roppongi",
    "東京都港区六本木6-10-1",
    "東京都港区六本木6丁目10番1号",
    "서울시 강남구 테헤란로 152",
    "北京市朝阳区建国路93号",
    "台北市信義區市府路45號",
    "شارع النيل 12",
    "شارع النيل ١٢",
    "गांधी रोड १२",
    "Flat 12/3, MG Road, Bengaluru",
    "B-204, Shanti Nagar, Mumbai",
    "House 12, Road 5, Dhanmondi",
    "123 Đường Lê Lợi",
    "Jl. Sudirman No. 1002",
    "Blk 123 Ang Mo Kio Ave 3 #10-1234",
    "99/12 ถนนสุขุมวิท",
    "רחוב הרצל 12",
    "Rothschild Blvd 1204",
    "59.3293, 18.0686",
    "cell 240-01-1234-567",
];

#[test]
fn an_address_goes_where_it_stands_as_in_the_field() {
    assert!(ADDRESSES.len() >= 100);
    let mut stays = Vec::new();
    for address in ADDRESSES {
        for kind in [Kind::Address, Kind::Location] {
            for (before, behind) in [("", ""), ("Adr: ", "."), ("to ", ", please"), ("see (", ")")] {
                let text = format!("{before}{address}{behind}");
                let got = left(&kind, address, &text);
                // A full stop behind its last word may stay.
                let stop = if address.ends_with('.') { "." } else { "" };
                if got != format!("{before}[x]{stop}{behind}") {
                    stays.push(format!("{text} -> {got}"));
                }
            }
        }
    }
    assert!(stays.is_empty(), "{stays:#?}");
}

#[test]
fn a_name_goes_where_it_stands_as_in_the_field() {
    for (name, text, wanted) in [
        ("Trần Văn B", "ref Trần Văn B ok", "ref [x] ok"),
        ("Nguyễn Văn A", "ref Nguyễn Văn A ok", "ref [x] ok"),
        ("أحمد الحداد", "اتصل بأحمد الحداد", "اتصل ب[x]"),
        ("أحمد الحداد", "وأحمد الحداد", "و[x]"),
    ] {
        assert_eq!(left(&Kind::Name, name, text), wanted, "{name}");
    }
}

#[test]
fn a_value_that_means_nobody_is_reported_and_never_certain() {
    for (kind, value, texts) in [
        (Kind::Username, "customer", &["the customer called"][..]),
        (Kind::Username, "refund", &["wants a refund"]),
        (Kind::Username, "rechnung", &["die Rechnung kam"]),
        (Kind::CompanyName, "Will Do AB", &["we will do it"]),
        (Kind::CompanyName, "Next Day Ltd", &["delivered next day"]),
        (Kind::CompanyName, "Best Price GmbH", &["the best price"]),
        (Kind::Phone, "please call", &["please call me"]),
        (Kind::Phone, "2024-11-30", &["on 2024-11-30 he paid"]),
        (Kind::CustomerNumber, "20241130", &["on 2024-11-30", "on 20241130"]),
        (Kind::CustomerNumber, "refund", &["a refund"]),
        (Kind::TaxId, "1000000", &["costs 1 000 000 kr", "about 1,000,000"]),
        (Kind::BankAccount, "1234567", &["costs 1 234 567 kr"]),
        (Kind::Custom("x_nick".to_owned()), "has paid", &["she has paid"]),
        (Kind::Address, "Page 5", &["see page 5"]),
        (Kind::Address, "Order 12", &["order 12 is late"]),
        (Kind::Address, "10-12 High Street", &["open 10-12 daily", "10-12 people"]),
        (Kind::Address, "6-10-1 Roppongi", &["won 10-1 yesterday", "on 2024-10-1", "6-2-1 Roppongi"]),
        (Kind::Address, "12½ Elm Street", &["12½ hours", "size 12½"]),
        (Kind::Address, "12 ter, avenue Foch", &["les 12 ter"]),
        (Kind::Address, "Calle Mayor 5, 3º B", &["alumno de 3º B"]),
        (Kind::Address, "Strada Lungă 5, bl. A2, ap. 7", &["ap. 7 is free"]),
        (
            Kind::Address,
            "Storgatan 12",
            &["Lilla Storgatan 12", "Storgatan 12–14", "Storgatan 12.5 km", "Storgatan 12:00"],
        ),
        (Kind::Address, "Hauptstraße 5", &["Alte Hauptstraße 5"]),
        (Kind::Address, "10 High Street", &["10 High Street North"]),
        (
            Kind::Address,
            "東京都港区六本木6-10-1",
            &["東京都港区六本木6丁目の店", "来客は東京都港区六本木6-2-31から", "東京都港区六本木6-10-12"],
        ),
    ] {
        for text in texts {
            assert_eq!(left(&kind, value, text), *text, "{kind}: {value}");
        }
    }
    // It is reported all the same.
    for (kind, value) in
        [(Kind::Username, "customer"), (Kind::Phone, "please call"), (Kind::Address, "Page 5")]
    {
        assert_eq!(of(&kind, value).redact(&format!("is {value} it"), "[x]").review.len(), 1, "{value}");
    }
}

#[test]
fn zeros_in_front_of_a_number_may_be_there_or_not() {
    for (kind, stored, written) in [
        (Kind::NationalId, "101701234", "010170-1234"),
        (Kind::NationalId, "0101701234", "10170 1234"),
        (Kind::NationalId, "112189876", "20011218-9876"),
        (Kind::NationalId, "2070803628", "02070803628"),
        (Kind::CustomerNumber, "1042337", "0001042337"),
        (Kind::CustomerNumber, "0001042337", "1042337"),
    ] {
        assert_eq!(left(&kind, stored, &format!("no {written}, ok")), "no [x], ok", "{stored}: {written}");
    }
    for (stored, written) in [("104233", "000104233"), ("00104233", "104233")] {
        let matcher = of(&Kind::CustomerNumber, stored);
        let found = matcher.find(&format!("no {written}"));
        assert_eq!(found.len(), 1, "{stored}: {written}");
    }
    // Another number in front is another number.
    for (stored, written) in [("101701234", "110170-1234"), ("1042337", "9001042337")] {
        assert_eq!(left(&Kind::NationalId, stored, written), written);
    }
}

#[test]
fn digits_of_other_scripts_are_the_same_digits() {
    for stored in ["٠٧٧٠٠٩٠٠١٢٣", "०७७००९००१२३", "07700900123"] {
        for written in ["٠٧٧٠٠٩٠٠١٢٣", "०७७००९००१२३", "07700900123", "০৭৭০০৯০০১২৩"]
        {
            assert_eq!(
                left(&Kind::Phone, stored, &format!("ring {written}!")),
                "ring [x]!",
                "{stored}: {written}"
            );
        }
    }
}

#[test]
fn a_word_behind_the_whole_name_is_a_word() {
    for (name, text, wanted) in [
        ("Rose Hill", "Rose Hill rose up the hill", "[x] rose up the hill"),
        ("Will Smith", "Will Smith will call", "[x] will call"),
        ("Grace May", "Grace May may come", "[x] may come"),
        ("Mark Price", "Mark Price said: mark", "[x] said: mark"),
    ] {
        assert_eq!(left(&Kind::Name, name, text), wanted);
    }
}

#[test]
fn one_place_that_is_a_name_and_a_user_name_is_one_mention() {
    let mut who = Identifiers::new();
    who.insert(Kind::Name, "Anna Alm");
    who.insert(Kind::Username, "anna");
    let matcher = Matcher::new([&who]).unwrap();
    assert_eq!(matcher.redact("by Anna", "[x]").review.len(), 1);
}

#[test]
fn a_mail_address_is_found_by_its_other_spellings() {
    for written in ["anna%40example.org", "anna @ example.org"] {
        let found = of(&Kind::Email, "anna@example.org").find(&format!("write {written} now")).len();
        assert_eq!(found, 1, "{written}");
    }
    assert_eq!(left(&Kind::Address, "12-14 High Street", "at 14 High Street"), "at [x]");
}

/// Words that stand in texts about anybody.
const COMMON: &[&str] = &[
    "customer",
    "refund",
    "please",
    "delivered",
    "next",
    "day",
    "anything",
    "password",
    "kunde",
    "factura",
    "will",
    "do",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_address_goes_whatever_stands_around_it(
        address in prop::sample::select(ADDRESSES), before in "[a-z]{3,9}", behind in "[a-z]{3,9}",
        gap in prop::sample::select(vec![" ", ", ", "\n", " – ", "; ", " ("]),
    ) {
        let text = format!("{before}{gap}{address}{gap}{behind}");
        let got = left(&Kind::Address, address, &text);
        prop_assert!(!got.contains(address) && got.contains("[x]"), "{} -> {}", text, got);
    }

    #[test]
    fn a_value_of_common_words_changes_no_text(
        value in prop::collection::vec(prop::sample::select(COMMON), 1..4),
        kind in prop::sample::select(vec![
            Kind::Username, Kind::CompanyName, Kind::Phone, Kind::CustomerNumber, Kind::Device, Kind::Communication,
        ]),
    ) {
        let value = value.join(" ");
        let text = format!("it is {value} again");
        prop_assert_eq!(left(&kind, &value, &text), text);
    }
}
