//! How fast people are found in text: `cargo bench --bench redact`.
//!
//! One person, 1,000 and 100,000 over 256 MiB of mixed comments, against the bare automaton over the same bytes.
//! `RELINQUISH_BENCH_MIB` takes fewer.

// It is a program that prints figures, and rounds them.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_precision_loss)]

use std::hint::black_box;
use std::time::Instant;

use relinquish::anonymise::text::Matcher;
use relinquish::customer::Identifiers;
use relinquish::data_map::Kind;

const MIB: usize = 1 << 20;

/// Numbers that look random and are the same in every run (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }

    fn word(&mut self, syllables: usize) -> String {
        const SYLLABLES: [&str; 24] = [
            "ber", "lin", "sto", "ka", "mo", "ri", "ten", "wal", "ash", "fen", "gro", "hil", "jo", "kel",
            "lar", "mil", "nor", "os", "pem", "quil", "ro", "stra", "tor", "ves",
        ];
        (0..syllables).map(|_| SYLLABLES[self.below(SYLLABLES.len())]).collect()
    }
}

fn people(count: usize) -> Vec<Identifiers> {
    let mut dice = Dice(1);
    (0..count)
        .map(|n| {
            let (given, surname) = (dice.word(3), dice.word(4));
            let mut all = Identifiers::new();
            all.insert(Kind::Name, given.as_str());
            all.insert(Kind::Name, surname.as_str());
            all.insert(Kind::Email, format!("{given}.{surname}{n}@example.org"));
            all.insert(Kind::Phone, format!("+46 70 {:07}", dice.below(10_000_000)));
            all.insert(Kind::CustomerNumber, format!("K-{n:06}"));
            all
        })
        .collect()
}

const ENGLISH: &str = "customer called about the invoice again and wants it sent to another address before the end of \
    the month parcel was late we agreed on a refund please check with the warehouse whether it is still there";
/// About one character in five is not ASCII.
const NORDIC: &str = "kunden åkte på sjön från Åhus får många ärenden härifrån där även övriga å ä ö större möjligheter \
    återbetalning för försändelsen över fönstret någon höjd fråga rör även själva påståendet från bågskytten";

/// Comments of about 200 bytes, of which one in fifty mentions somebody.
fn comments(words: &str, people: &[Identifiers], bytes: usize) -> Vec<String> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let mut dice = Dice(2);
    let (mut texts, mut total) = (Vec::new(), 0);
    while total < bytes {
        let mut text = String::with_capacity(256);
        while text.len() < 200 {
            text.push_str(words[dice.below(words.len())]);
            text.push(' ');
        }
        if dice.below(50) == 0 {
            let person = &people[dice.below(people.len())];
            text.extend(person.iter().take(3).flat_map(|(_, value)| [value, " "]));
        }
        if dice.below(10) == 0 {
            text.push_str("order 7781-2290, paid 1250.00 on 2024-03-17");
        }
        total += text.len();
        texts.push(text);
    }
    texts
}

/// Seconds of the fastest of a few rounds.
fn fastest(mut work: impl FnMut()) -> f64 {
    (0..3)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn main() {
    let mib: usize =
        std::env::var("RELINQUISH_BENCH_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(256);
    let everybody = people(100_000);
    let (ascii, nordic) =
        (comments(ENGLISH, &everybody, mib * MIB), comments(NORDIC, &everybody, mib * MIB / 4));
    for count in [1, 1_000, 100_000] {
        let start = Instant::now();
        let matcher = Matcher::new(&everybody[..count]).unwrap();
        println!("build, {count} people: {:.2} s", start.elapsed().as_secs_f64());
        for (name, texts) in [("ASCII", &ascii), ("20 % non-ASCII", &nordic)] {
            let bytes = texts.iter().map(String::len).sum::<usize>() as f64 / 1e9;
            let mut mentions = 0_u64;
            let ours = fastest(|| {
                let mut scanner = matcher.scanner();
                mentions = 0;
                for text in texts {
                    scanner.each(text, |_| mentions += 1);
                }
            });
            let bare = fastest(|| {
                let found: usize = texts.iter().map(|text| matcher.automaton().find_iter(text).count()).sum();
                black_box(found);
            });
            println!("{name}, {count} people: {:.3} GB/s", bytes / ours);
            println!("{name}, {count} people, bare automaton: {:.3} GB/s", bytes / bare);
            println!("{name}, {count} people, ratio to the bare automaton: {:.2}", bare / ours);
            println!("{name}, {count} people, mentions: {mentions}");
        }
    }
}
