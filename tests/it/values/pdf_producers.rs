//! Many PDFs of many producers are blanked, and checked with qpdf and poppler.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use relinquish::anonymise::document::{blank, is_blank};

use super::pdf::{CANARY, assemble, ok, pages, run, stream, text};

/// Documents of each producer.
const EACH: u32 = 18;

/// A page: its width and height in points, and its rotation.
struct Sheet {
    width: f64,
    height: f64,
    turned: u32,
}

/// One to seven pages with usual and unusual sizes, in another order for each number.
fn sheets(number: u32) -> Vec<Sheet> {
    let sizes = [
        (595.0, 842.0),
        (612.0, 792.0),
        (420.5, 595.25),
        (227.0, 1200.0),
        (842.0, 595.0),
        (1684.0, 2384.0),
        (99.5, 99.5),
    ];
    (0..=number % 7)
        .map(|n| {
            let (width, height) = sizes[((number * 3 + n * 5) % 7) as usize];
            Sheet { width, height, turned: (number + n) % 4 * 90 }
        })
        .collect()
}

fn postscript(sheets: &[Sheet]) -> String {
    let mut all = format!("%!PS\n[ /Title ({CANARY}) /Author ({CANARY}) /DOCINFO pdfmark\n");
    for (n, sheet) in sheets.iter().enumerate() {
        let _ = writeln!(
            all,
            "<< /PageSize [{} {}] >> setpagedevice /Helvetica findfont 14 scalefont setfont 20 40 moveto ({CANARY} {n}) show showpage",
            sheet.width, sheet.height
        );
    }
    all
}

/// A file as written by programs that put the sizes into parent nodes: two levels of nodes, and numbers in separate
/// objects.
fn by_hand(sheets: &[Sheet]) -> Vec<u8> {
    let first = 6;
    let kids: String = (0..sheets.len()).fold(String::new(), |mut kids, n| {
        let _ = write!(kids, "{} 0 R ", first + n);
        kids
    });
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R/PageMode/UseNone>>".to_owned(),
        format!("<</Type/Pages/Kids[3 0 R]/Count {}/MediaBox[0 0 4 0 R 842]>>", sheets.len()),
        format!("<</Type/Pages/Parent 2 0 R/Kids[{kids}]/Count {}>>", sheets.len()),
        "595".to_owned(),
        stream(&format!("BT /F 12 Tf 20 40 Td ({CANARY}) Tj ET"), ""),
    ];
    let fonts = "/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>";
    for sheet in sheets {
        let is_inherited = (sheet.width, sheet.height) == (595.0, 842.0);
        let size = if is_inherited {
            String::new()
        } else {
            format!("/MediaBox[{} 0 0 {}]", sheet.width, sheet.height)
        };
        let turned = sheet.turned;
        objects.push(format!("<</Type/Page/Parent 3 0 R/Contents 5 0 R{fonts}{size}/Rotate {turned}>>"));
    }
    assemble(&objects, &format!("/Info<</Title({CANARY})>>"))
}

/// One document from twelve producers: five programs, each with its different ways of writing.
fn produced(folder: &Path, number: u32) -> Vec<(&'static str, PathBuf)> {
    let sheets = sheets(number);
    let at = |name: &str| folder.join(format!("{name}.pdf"));
    let (ps, hand) = (folder.join("invoice.ps"), at("hand"));
    fs::write(&ps, postscript(&sheets)).unwrap();
    fs::write(&hand, by_hand(&sheets)).unwrap();
    let mut all = vec![("by hand", hand.clone())];
    for (name, level) in [("ghostscript 1.3", "1.3"), ("ghostscript 1.4", "1.4"), ("ghostscript 1.7", "1.7")]
    {
        let level = format!("-dCompatibilityLevel={level}");
        ok("gs", &["-q", "-o", text(&at(name)), "-sDEVICE=pdfwrite", &level, text(&ps)]);
        all.push((name, at(name)));
    }
    let gs = at("ghostscript 1.7");
    for (name, from) in [("cairo", &gs), ("cairo from hand", &hand)] {
        ok("pdftocairo", &["-pdf", text(from), text(&at(name))]);
        all.push((name, at(name)));
    }
    ok("pdfunite", &[text(&gs), text(&at("cairo")), text(&at("poppler"))]);
    all.push(("poppler", at("poppler")));
    let cairo = at("cairo");
    let ways: [(&str, &Path, &[&str]); 5] = [
        ("qpdf, streams of objects", &hand, &["--object-streams=generate"]),
        ("qpdf, linear", &gs, &["--linearize", "--object-streams=generate"]),
        ("qpdf, plain", &cairo, &["--qdf"]),
        (
            "qpdf, compressed again",
            &gs,
            &["--recompress-flate", "--object-streams=generate", "--newline-before-endstream"],
        ),
        (
            "qpdf, encrypted strings",
            &hand,
            &["--object-streams=disable", "--encrypt", "", "owner", "256", "--"],
        ),
    ];
    for (name, from, how) in ways {
        ok("qpdf", &[how, &[text(from), text(&at(name))]].concat());
        all.push((name, at(name)));
    }
    all
}

/// A former bug: in files of some producers, pages were left out or had the size of US Letter.
#[test]
fn documents_of_twelve_producers_keep_their_pages_and_nothing_else() {
    let (mut documents, mut producers) = (0, std::collections::BTreeSet::new());
    for number in 0..EACH {
        let folder = tempfile::tempdir().unwrap();
        for (producer, original) in produced(folder.path(), number) {
            let name = format!("{producer}, document {number}");
            let bytes = fs::read(&original).unwrap();
            let blanked = blank(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            let path = folder.path().join("blank.pdf");
            fs::write(&path, &blanked).unwrap();
            assert_eq!(pages(&path), pages(&original), "{name}");
            let (is_valid, report) = run("qpdf", &["--check", text(&path)]);
            assert!(is_valid, "{name}: {}", String::from_utf8_lossy(&report));
            assert_eq!(ok("pdftotext", &[text(&path), "-"]).trim(), "", "{name}");
            assert!(!String::from_utf8_lossy(&blanked).contains(CANARY) && is_blank(&blanked), "{name}");
            documents += 1;
            producers.insert(producer);
        }
    }
    assert!(documents >= 200 && producers.len() >= 12, "{documents} of {}", producers.len());
}
