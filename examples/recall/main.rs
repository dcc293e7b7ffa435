//! Measures how many mentions that are planted in texts are found: `cargo run --release --example recall`.
//!
//! It prints the tables of the manual; with `controls`, only the second one. With the name of a class or a control, it
//! prints the texts in which the mention was missed without a report, or somebody else was found. With one more word,
//! it prints the texts that were changed.

// The generator is used only by an example and a test, so it may panic.
#![allow(clippy::indexing_slicing)]

mod planting;

use planting::{CLASSES, CONTROLS, Dice, LANGUAGES, Person, applies, innocent, measure, measure_all, plant};
use relinquish::anonymise::text::Matcher;

/// Texts per class and language.
const TIMES: usize = 500;

// An example may print.
#[allow(clippy::print_stdout)]
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("controls") => return controls(),
        Some(name) => return missed(name),
        None => {}
    }
    println!("| written | texts | found | reported | a part left | missed in silence | found or reported |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for class in CLASSES {
        let score = measure_all(class, TIMES);
        println!(
            "| {} | {} | {} | {} | {} | {} | {:.3} |",
            class.name,
            score.planted,
            score.found,
            score.reported,
            score.partly,
            score.silent(),
            score.share()
        );
    }
    controls();
}

/// Prints the table of the controls.
#[allow(clippy::print_stdout)]
fn controls() {
    println!("\n| texts that do not speak of the person | texts | changed | reported |");
    println!("|---|--:|--:|--:|");
    for control in CONTROLS {
        let score = innocent(control, TIMES);
        println!("| {} | {} | {} | {} |", control.name, score.texts, score.changed, score.reported);
    }
}

/// Prints the texts of a class or a control in which nobody or the wrong person was found.
#[allow(clippy::print_stdout)]
fn missed(name: &str) {
    for class in CLASSES.iter().filter(|class| class.name.starts_with(name)) {
        for language in LANGUAGES.into_iter().filter(|language| applies(*language, class)) {
            println!("{language:?}: {:?}", measure(class, language, TIMES));
            let mut dice = Dice::new(language as u64 + 17);
            let mut shown = 0;
            for _ in 0..TIMES {
                let person = Person::new(language, &mut dice);
                let Some(planted) = plant(&person, class, &mut dice) else { continue };
                let Ok(matcher) = Matcher::new([&person.identifiers()]) else { continue };
                let mentions = matcher.find(&planted.text);
                let is_told = mentions.iter().any(|mention| {
                    mention.range.start < planted.range.end && planted.range.start < mention.range.end
                });
                let redacted = matcher.redact(&planted.text, "[x]");
                let is_partly = redacted
                    .text
                    .as_ref()
                    .is_some_and(|text| person.given.split('-').any(|part| text.contains(part)));
                if std::env::args().nth(2).as_deref() == Some("partly") && !is_partly {
                    continue;
                }
                if (!is_told || redacted.text.as_ref().is_some_and(|_| std::env::args().nth(2).is_some()))
                    && shown < 6
                {
                    shown += 1;
                    println!(
                        "  {} {} {} {} {} {} {} | {} | {:?}",
                        person.given,
                        person.surname,
                        person.stored_phone,
                        person.address(),
                        person.customer_number,
                        person.lettered_id,
                        person.iban,
                        &planted.text[planted.range.clone()],
                        redacted.text
                    );
                }
            }
        }
    }
    for control in CONTROLS.iter().filter(|control| control.name.starts_with(name)) {
        for language in LANGUAGES {
            let mut dice = Dice::new(language as u64 + 99);
            let mut shown = 0;
            for _ in 0..TIMES {
                let person = Person::new(language, &mut dice);
                let Some((identifiers, text)) = (control.write)(&person, &mut dice) else { continue };
                let Ok(matcher) = Matcher::new([&identifiers]) else { continue };
                let redacted = matcher.redact(&text, "[x]");
                let is_shown =
                    redacted.text.is_some() || std::env::args().len() < 3 && !redacted.review.is_empty();
                if is_shown && shown < 6 {
                    shown += 1;
                    let told: Vec<&str> =
                        redacted.review.iter().map(|mention| &text[mention.range.clone()]).collect();
                    println!("  {language:?} {text} | {:?} {told:?}", redacted.text);
                }
            }
        }
    }
}
