//! Feeds what reads strange bytes with strange bytes: `cargo run --release --all-features --example fuzz -- 600`
//! for ten minutes each, or `-- 60 json` for a minute of one.
//!
//! Bytes that are near to sound ones, changed at random; the number with which a round begins is printed when it fails,
//! and `-- 0 json 12345` runs that round alone.

// A program of its own may print, and its lists are as long as it made them.
#![allow(clippy::print_stdout, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use relinquish::testing::fuzz;

const TEXTS: &[&str] = &[
    "Maud Ashworth\nmaud@example.org\n+44 20 7946 0018\n12 Tamarind Street\nASHWORTH, M. of 12 Tamarind St., 020 7946-0018",
    "Jürgen Großkopf\nx@y\n030 901820\nHauptstraße 5\nJuergen GROẞKOPF\u{200b}, Hauptstr. 5 (030) 90 18 20",
    "Ed O'Brien-Will\n\n(0)46\n\nWill O\u{2019}Brien; ed\u{ad} o.b. ﬁn ½ İı 811218-9876 GB29 NWBK 6016 1331 9268 19",
];
const JSON: &[&str] = &[
    "/a/*/b\n{\"a\": [{\"b\": 1.0}, {\"b\": \"x\\u00e4\", \"c\": null}], \"a\": {\"0\": {\"b\": []}}}",
    "/*\n[1, -2.5e+3, \"\\ud83d\\ude00\", true, {\"\": {}}]",
    "\n {\"~\": [[[[]]]]} ",
];
const FILES: &[&str] = &[
    "%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R 4 0 R]/MediaBox[0 0 595 842]\
     /Rotate 90>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/CropBox[1 2 30 40]>>endobj\n4 0 obj<</Kids[5 0 R]>>endobj\n\
     5 0 obj<</UserUnit 2>>endobj 6 0 obj<</Length 4>>stream\n(a)b\nendstream endobj\ntrailer<</Root 1 0 R>>",
    "%PDF-1.5\n7 0 obj<</Type/ObjStm/N 3/First 15/Length 75>>stream\n1 0 2 30 3 53 \n<</Type/Catalog/Pages 2 0 R>>  \
     <</Kids[3 0 R 3 0 R]>>  <</Type/Page>>\nendstream endobj 8 0 obj<</Type/XRef/Root 1 0 R/Length 0>>stream\nendstream endobj",
];

/// Numbers that look random and are the same for the same seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end.max(1) as u64).unwrap_or_default()
    }
}

/// A sound text, changed in a few places.
fn changed(sound: &[&str], seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut bytes = sound[dice.below(sound.len())].as_bytes().to_vec();
    for _ in 0..dice.below(12) {
        let (at, from) = (dice.below(bytes.len()), dice.below(bytes.len()));
        let part = bytes[from..(from + dice.below(24)).min(bytes.len())].to_vec();
        match dice.below(5) {
            0 => bytes.insert(at, u8::try_from(dice.below(256)).unwrap_or_default()),
            1 => drop(bytes.drain(at..(at + dice.below(9)).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, part)),
            3 => drop(bytes.splice(at..at, part.repeat(dice.below(40)))),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    bytes
}

/// Its name, what it is fed from, and what has to hold.
type Target<'t> = (&'t str, &'t [&'t str], fn(&[u8]));

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10);
    let only = arguments.next();
    let round: Option<u64> = arguments.next().and_then(|text| text.parse().ok());
    let targets: [Target<'_>; 3] =
        [("text", TEXTS, fuzz::text), ("json", JSON, fuzz::json), ("document", FILES, fuzz::document)];
    for (name, sound, target) in targets {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        if let Some(round) = round {
            target(&changed(sound, round));
            continue;
        }
        let start = Instant::now();
        let mut rounds = 0_u64;
        while start.elapsed() < Duration::from_secs(seconds) {
            let told = std::panic::catch_unwind(|| target(&changed(sound, rounds)));
            if told.is_err() {
                println!("{name}: round {rounds} fails; run: fuzz 0 {name} {rounds}");
                std::process::exit(1);
            }
            rounds += 1;
        }
        println!("{name}: {rounds} rounds");
    }
}
