//! How much of what is planted in texts is found again: `cargo run --release --example recall`.
//!
//! Prints the table that stands in the manual.

// The generator is an example's and a test's own: it may panic.
#![allow(clippy::indexing_slicing)]

mod planting;

use planting::{CLASSES, measure, untouched};

/// Texts per class and language.
const TIMES: usize = 2_000;

// It is a program that prints a table.
#[allow(clippy::print_stdout)]
fn main() {
    println!("| written | English: recall, precision | Swedish | German |");
    println!("|---|---|---|---|");
    for class in CLASSES {
        let cells = measure(class, TIMES)
            .map(|score| format!("{:.3}, {:.3}", score.recall(), score.precision()))
            .join(" | ");
        println!("| {} | {cells} |", class.name);
    }
    let cells = untouched(TIMES).map(|(texts, changed)| format!("{changed} of {texts}")).join(" | ");
    println!("| nobody: texts that came out changed | {cells} |");
}
