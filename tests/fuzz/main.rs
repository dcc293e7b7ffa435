//! Hostile input, by the minute: `cargo test --release --all-features --test fuzz -- [target] [seconds]`.
//!
//! Targets: `map`, `policy`, `json`, `text`, `pdf`; without one all of them, ten minutes each. Not part of `cargo test`.
//! Documents are mutated as trees (a value replaced, a key misspelled, a branch of another document grafted on, nesting) and
//! as text (bytes changed, cut, doubled). It is not guided by coverage; it finds what a stubborn user would.
//!
//! Nothing may panic; every error has to say something; the same input gives the same answer; and what each target says
//! below has to hold. An input that breaks this is written to `target/` and printed.

// It is a program that prints figures.
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
    // Files of a run before this one are tried instead of new inputs: `-- map target/fuzz-map-1`.
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
