//! Writes a new PDF of blank pages.

use std::fmt::Write as _;

use super::pdf::{Page, Rectangle};

/// Rounded to hundredths already.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if matches!(text, "" | "-" | "-0") { "0".to_owned() } else { text.to_owned() }
}

fn rectangle(corners: Rectangle) -> String {
    format!("[{}]", corners.map(number).join(" "))
}

/// The beginning of every blank PDF. The second line marks the file as binary for programs that guess the type (ISO
/// 32000-1, 7.5.2).
pub(super) const FRONT: &[u8] = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n";

/// Writes the file: catalogue, page tree and pages, and nothing else. The same pages give the same bytes.
pub(super) fn write(pages: &[Page]) -> Vec<u8> {
    let mut file = FRONT.to_vec();
    let mut offsets = Vec::with_capacity(pages.len() + 2);
    let mut object = |text: &str| {
        offsets.push(file.len());
        file.extend_from_slice(format!("{} 0 obj\n{text}\nendobj\n", offsets.len()).as_bytes());
    };
    object("<</Type/Catalog/Pages 2 0 R>>");
    let mut kids = String::new();
    for n in 0..pages.len() {
        // Writing to a String never fails.
        let _ = write!(kids, "{}{} 0 R", if n > 0 { " " } else { "" }, n + 3);
    }
    object(&format!("<</Type/Pages/Count {}/Kids[{kids}]/Resources<<>>>>", pages.len()));
    for page in pages {
        let mut text = format!("<</Type/Page/Parent 2 0 R/MediaBox{}", rectangle(page.media));
        if let Some(crop) = page.crop {
            let _ = write!(text, "/CropBox{}", rectangle(crop));
        }
        if page.turns > 0 {
            let _ = write!(text, "/Rotate {}", u32::from(page.turns) * 90);
        }
        if let Some(unit) = page.unit {
            let unit = format!("{unit:.6}");
            let _ = write!(text, "/UserUnit {}", unit.trim_end_matches('0').trim_end_matches('.'));
        }
        object(&(text + ">>"));
    }
    let start = file.len();
    let size = offsets.len() + 1;
    let mut end = format!("xref\n0 {size}\n0000000000 65535 f \n");
    for offset in &offsets {
        let _ = writeln!(end, "{offset:010} 00000 n ");
    }
    let _ = write!(end, "trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n");
    file.extend_from_slice(end.as_bytes());
    file
}
