//! Hostile input for some minutes: `cargo test --release --all-features --test fuzz -- [target] [seconds]`.
//!
//! The targets are `map`, `policy`, `json`, `text` and `pdf`. Without a target all of them run, ten minutes each.
//! This is not part of `cargo test`. Documents are mutated as trees: a value is replaced, a key is misspelled, a
//! branch of another document is inserted, or nesting is added. They are also mutated as text: bytes are changed, cut
//! or doubled. The mutation is not guided by coverage.
//!
//! Nothing may panic, every error must have a text, and the same input must give the same answer. Each target has
//! further rules below. An input that breaks a rule is written to `target/` and printed.

// This program prints figures.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

mod mutate;
mod targets;

use targets::{TARGETS, Target};

struct Figures {
    inputs: u64,
    taken: u64,
    slowest: Duration,
    faults: u32,
}

fn fuzz(target: &Target, time: Duration, seed: u64) -> Figures {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut figures = Figures { inputs: 0, taken: 0, slowest: Duration::ZERO, faults: 0 };
    let end = Instant::now() + time;
    while Instant::now() < end {
        let input = (target.make)(&mut random);
        let start = Instant::now();
        let tried = catch_unwind(AssertUnwindSafe(|| (target.try_it)(&input)));
        figures.slowest = figures.slowest.max(start.elapsed());
        figures.inputs += 1;
        let fault = match tried {
            Ok(Ok(taken)) => {
                figures.taken += u64::from(taken);
                continue;
            }
            Ok(Err(what)) => what,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                format!("a panic: {}", text.unwrap_or_default())
            }
        };
        figures.faults += 1;
        let file = format!("target/fuzz-{}-{}", target.name, figures.faults);
        std::fs::write(&file, &input).unwrap();
        println!("{}: {fault}\n  input in {file}", target.name);
        if figures.faults >= 10 {
            break;
        }
    }
    figures
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| !one.starts_with('-')).collect();
    let seconds = arguments.iter().find_map(|one| one.parse().ok()).unwrap_or(600);
    let named: Vec<&String> = arguments.iter().filter(|one| one.parse::<u64>().is_err()).collect();
    // With files of an earlier run, these are tried instead of new inputs: `-- map target/fuzz-map-1`.
    let files: Vec<&&String> = named.iter().filter(|name| name.contains('/')).collect();
    let seed =
        std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("seed: {seed}");
    let mut faults = 0;
    for target in TARGETS.iter().filter(|target| {
        named.iter().all(|name| name.contains('/')) || named.iter().any(|name| *name == target.name)
    }) {
        if let [_, ..] = files.as_slice() {
            for file in &files {
                println!("{file}: {:?}", (target.try_it)(&std::fs::read(file.as_str()).unwrap()));
            }
            continue;
        }
        let figures = fuzz(target, Duration::from_secs(seconds), seed);
        println!(
            "{}: {} inputs in {seconds} s, {} taken, slowest {:.0?}, {} faults",
            target.name, figures.inputs, figures.taken, figures.slowest, figures.faults
        );
        faults += figures.faults;
    }
    ExitCode::from(u8::from(faults > 0))
}
