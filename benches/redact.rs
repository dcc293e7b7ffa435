//! How fast people are found in text: `cargo bench --bench redact`.
//!
//! There are three runs, for 1, 1,000 and 100,000 people. Each run searches 256 MiB of comments. Half of the comments
//! are ASCII; in the other half, one character in five is not. The run is compared with a plain automaton
//! (aho-corasick) that searches the same bytes for the words of the same people.
//!
//! `RELINQUISH_BENCH_MIB` sets another number of MiB. Texts are made in blocks, so that the memory does not grow with
//! this number. The two searches alternate block by block, so that a busy machine slows both.

// This program prints rounded figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

use aho_corasick::{AhoCorasick, MatchKind};
use relinquish::anonymise::text::Matcher;
use relinquish::customer::Identifiers;
use relinquish::data_map::Kind;

const MIB: usize = 1 << 20;
/// The size of a block, which is made and searched at once. It is small. So even on a busy machine, one of three
/// rounds is likely to be undisturbed.
const BLOCK: usize = MIB;

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

/// Comments of about 200 bytes. One in fifty mentions somebody.
fn comments(words: &str, people: &[Identifiers], bytes: usize, dice: &mut Dice) -> Vec<String> {
    let words: Vec<&str> = words.split_whitespace().collect();
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

/// An automaton with every word of these people's identifiers, as a simple search would use it.
fn bare(people: &[Identifiers]) -> AhoCorasick {
    let values = people.iter().flat_map(|person| person.iter().map(|(_, value)| value));
    let words: BTreeSet<&str> = values
        .flat_map(|value| value.split(|c: char| !c.is_alphanumeric()))
        .filter(|word| word.len() > 3)
        .collect();
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .ascii_case_insensitive(true)
        .build(words)
        .unwrap()
}

/// The seconds of the fastest of three rounds.
fn fastest(mut work: impl FnMut()) -> f64 {
    (0..3)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// The number of bytes, and the seconds that each search needed.
#[derive(Clone, Copy, Default)]
struct Figures {
    bytes: f64,
    ours: f64,
    bare: f64,
    mentions: u64,
}

impl Figures {
    fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            ours: self.ours + other.ours,
            bare: self.bare + other.bare,
            mentions: self.mentions + other.mentions,
        }
    }

    fn print(&self, name: &str, count: usize) {
        println!("{name}, {count} people: {:.3} GB/s", self.bytes / self.ours / 1e9);
        println!("{name}, {count} people, bare automaton: {:.3} GB/s", self.bytes / self.bare / 1e9);
        println!("{name}, {count} people, ratio to the bare automaton: {:.2}", self.bare / self.ours);
        println!("{name}, {count} people, mentions: {}", self.mentions);
    }
}

fn main() {
    let mib: usize =
        std::env::var("RELINQUISH_BENCH_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(256);
    let everybody = people(100_000);
    println!("text: {mib} MiB");
    for count in [1, 1_000, 100_000] {
        let start = Instant::now();
        let matcher = Matcher::new(&everybody[..count]).unwrap();
        println!("build, {count} people: {:.2} s", start.elapsed().as_secs_f64());
        let automaton = bare(&everybody[..count]);
        let mut mixed = Figures::default();
        for (name, words) in [("ASCII", ENGLISH), ("20 % non-ASCII", NORDIC)] {
            let mut dice = Dice(2);
            let mut figures = Figures::default();
            let mut scanner = matcher.scanner();
            for _ in 0..(mib * MIB / 2).div_ceil(BLOCK) {
                let texts = comments(words, &everybody, BLOCK, &mut dice);
                figures.bytes += texts.iter().map(String::len).sum::<usize>() as f64;
                let mentions = figures.mentions;
                figures.ours += fastest(|| {
                    figures.mentions = mentions;
                    for text in &texts {
                        scanner.each(text, |_| figures.mentions += 1);
                    }
                });
                figures.bare += fastest(|| {
                    black_box(texts.iter().map(|text| automaton.find_iter(text).count()).sum::<usize>());
                });
            }
            figures.print(name, count);
            mixed = mixed.and(figures);
        }
        mixed.print("mixed", count);
    }
}
