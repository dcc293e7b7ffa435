//! A campaign with random schemas: who has a record, and what happens to it, compared with a brute-force oracle.
//!
//! Run it with `cargo test --release --all-features --test ownership -- [worlds] [first seed]`. It is not part of
//! `cargo test`, because it takes minutes. `tests/it/laws/ownership/` does the same with fewer worlds, and explains
//! what a world is.

// This program prints figures, and a trial that cannot continue panics.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing, dead_code)]

use std::process::ExitCode;
use std::time::Instant;

#[path = "../it/laws/ownership/mod.rs"]
mod ownership;

use ownership::{Figures, saboteurs};

fn main() -> ExitCode {
    let arguments: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let worlds = arguments.first().copied().unwrap_or(20_000);
    let first = arguments.get(1).copied().unwrap_or(0);
    let start = Instant::now();
    for (saboteur, seed) in saboteurs(10_000) {
        let Some(seed) = seed else {
            println!("saboteur {saboteur}: not noticed");
            return ExitCode::FAILURE;
        };
        println!("saboteur {saboteur}: noticed in world {seed}");
    }
    let mut figures = Figures::default();
    for seed in first..first + worlds {
        figures.oracle(seed);
        figures.store(seed);
        figures.impossible(seed);
    }
    println!(
        "{} worlds in {:.0?}: {} refused, {} with somebody blocked, {} violations",
        figures.worlds,
        start.elapsed(),
        figures.refused,
        figures.blocked,
        figures.violations
    );
    println!("fates: {:?}\nimpossible, and refused: {:?}", figures.fates, figures.impossible);
    let mut kinds: Vec<&(u64, String)> = figures.kinds.values().collect();
    kinds.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    for (count, shortest) in kinds.into_iter().take(12) {
        println!("\n{count} times, such as: {shortest}");
    }
    if figures.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
