//! How fast documents are blanked: `cargo bench --bench blank`.

// This program prints rounded figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::hint::black_box;
use std::time::Instant;

use relinquish::anonymise::document::{blank, is_blank};

/// An invoice with the given number of pages. It has a font and a picture of 200 KiB, which the search skips.
fn invoice(pages: usize) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n".to_vec();
    let kids: Vec<String> = (0..pages).map(|n| format!("{} 0 R", n * 2 + 4)).collect();
    let tree = format!(
        "2 0 obj<</Type/Pages/Count {pages}/MediaBox[0 0 595 842]/Kids[{}]>>endobj\n",
        kids.join(" ")
    );
    file.extend_from_slice(tree.as_bytes());
    let picture = 200 << 10;
    file.extend_from_slice(format!("3 0 obj<</Subtype/Image/Length {picture}>>stream\n").as_bytes());
    file.extend((0..picture).map(|n| u8::try_from(n * 7 % 251).unwrap()));
    file.extend_from_slice(b"\nendstream endobj\n");
    for n in 0..pages {
        let (page, text) = (n * 2 + 4, n * 2 + 5);
        let line = "BT /F 12 Tf 20 20 Td (one line of an invoice) Tj ET\n".repeat(60);
        let objects = format!(
            "{page} 0 obj<</Type/Page/Parent 2 0 R/Contents {text} 0 R>>endobj\n\
             {text} 0 obj<</Length {}>>stream\n{line}\nendstream endobj\n",
            line.len()
        );
        file.extend_from_slice(objects.as_bytes());
    }
    file.extend_from_slice(b"trailer<</Root 1 0 R>>\n");
    file
}

fn per_second(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut rounds = 0_u32;
    while start.elapsed().as_secs_f64() < 1.0 {
        work();
        rounds += 1;
    }
    f64::from(rounds) / start.elapsed().as_secs_f64()
}

fn main() {
    for pages in [1, 3, 100] {
        let file = invoice(pages);
        let blanked = blank(&file).unwrap();
        println!(
            "invoices of {pages} pages, {} KiB: {:.0} PDFs/s",
            file.len() >> 10,
            per_second(|| {
                black_box(blank(black_box(&file)).unwrap());
            })
        );
        println!(
            "blank documents of {pages} pages told as such: {:.0} PDFs/s",
            per_second(|| {
                assert!(is_blank(black_box(&blanked)));
            })
        );
    }
}
