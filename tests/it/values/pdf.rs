//! Blank PDFs of files from several producers, checked with independent readers: qpdf and poppler.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use relinquish::anonymise::document::{NotBlanked, blank, is_blank};

pub(super) const CANARY: &str = "CANARYASHWORTH";

/// Runs a tool of the distribution. If the tool is missing, the test says so.
pub(super) fn run(tool: &str, arguments: &[&str]) -> (bool, Vec<u8>) {
    let output = Command::new(tool).args(arguments).output().unwrap_or_else(|error| {
        panic!("{tool}: {error}; install it: apt-get install qpdf poppler-utils ghostscript (or run .ci/run)")
    });
    (output.status.success(), output.stdout)
}

pub(super) fn ok(tool: &str, arguments: &[&str]) -> String {
    let (is_ok, out) = run(tool, arguments);
    assert!(is_ok, "{tool} {arguments:?} failed: {}", String::from_utf8_lossy(&out));
    String::from_utf8_lossy(&out).into_owned()
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Four pages of three sizes, one of them rotated, with a person's name on each.
fn postscript() -> String {
    let page = |width: u32, height: u32, name: &str| {
        format!(
            "<< /PageSize [{width} {height}] >> setpagedevice\n/Helvetica findfont 14 scalefont setfont\n\
             50 50 moveto ({CANARY} {name}) show 0.5 setgray 60 90 40 30 rectfill showpage\n"
        )
    };
    format!(
        "%!PS\n[ /Title ({CANARY}) /Author ({CANARY}) /DOCINFO pdfmark\n{}{}{}{}",
        page(595, 842, "one"),
        page(842, 595, "two"),
        page(612, 792, "three"),
        page(227, 595, "four")
    )
}

/// A file with everything that must not survive, and with every way to give the size of a page: inherited boxes,
/// numbers behind references, and its own unit.
fn with_everything() -> Vec<u8> {
    let objects = [
        "<</Type/Catalog/Pages 2 0 R/OpenAction 8 0 R/Names<</EmbeddedFiles<</Names[(a) 9 0 R]>>>>\
          /AcroForm<</Fields[11 0 R]>>/Metadata 12 0 R>>"
            .to_owned(),
        "<</Type/Pages/Kids[3 0 R 6 0 R]/Count 3/MediaBox[0 0 13 0 R 842.25]/Rotate 90>>".to_owned(),
        "<</Type/Pages/Parent 2 0 R/Kids[4 0 R 5 0 R]/Count 2/CropBox[10 10 500 800]>>".to_owned(),
        "<</Type/Page/Parent 3 0 R/Contents 7 0 R/Annots[11 0 R]/Resources<</Font<</F 14 0 R>>>>>>"
            .to_owned(),
        "<</Type/Page/Parent 3 0 R/Rotate 0/MediaBox[300 400 0 0]/CropBox[0 0 200 200]>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/UserUnit 2.5/Rotate -90>>".to_owned(),
        stream(&format!("BT /F 12 Tf 20 20 Td ({CANARY}) Tj ET"), ""),
        format!("<</S/JavaScript/JS(app.alert\\({CANARY}\\))>>"),
        "<</Type/Filespec/F(a)/EF<</F 10 0 R>>>>".to_owned(),
        stream(
            &format!(
                "%PDF-1.4 1 0 obj<</Type/Catalog/Pages 2 0 R/X({CANARY})>>endobj 2 0 obj<</Kids[]>>endobj"
            ),
            "/Type/EmbeddedFile",
        ),
        format!("<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V({CANARY})/Rect[0 0 10 10]>>"),
        stream(&format!("<x:xmpmeta>{CANARY}</x:xmpmeta>"), "/Type/Metadata/Subtype/XML"),
        "595.5".to_owned(),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
    ];
    assemble(&objects, &format!("/Info<</Title({CANARY})>>"))
}

pub(super) fn stream(data: &str, entries: &str) -> String {
    format!("<<{entries}/Length {}>>\nstream\n{data}\nendstream", data.len())
}

pub(super) fn assemble(objects: &[String], trailer: &str) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (n, object) in objects.iter().enumerate() {
        table.push_str(&[format!("{:010}", file.len()).as_str(), " 00000 n \n"].concat());
        file.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", n + 1).as_bytes());
    }
    let start = file.len();
    let end = format!(
        "{table}trailer\n<</Size {}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n",
        objects.len() + 1
    );
    file.extend_from_slice(end.as_bytes());
    file
}

/// One file per producer, and per way in which qpdf writes.
fn produced(folder: &Path) -> Vec<PathBuf> {
    let at = |name: &str| folder.join(format!("{name}.pdf"));
    let ps = folder.join("invoice.ps");
    fs::write(&ps, postscript()).unwrap();
    let all = [
        "ghostscript",
        "ghostscript-old",
        "cairo",
        "qpdf-object-streams",
        "qpdf-linearized",
        "qpdf-uncompressed",
        "poppler-united",
        "by-hand",
        "by-hand-updated",
    ]
    .map(at);
    let [gs, old, cairo, object_streams, linear, plain, united, hand, updated] = &all;
    ok("gs", &["-q", "-o", text(gs), "-sDEVICE=pdfwrite", text(&ps)]);
    ok("gs", &["-q", "-o", text(old), "-sDEVICE=pdfwrite", "-dCompatibilityLevel=1.3", text(&ps)]);
    ok("pdftocairo", &["-pdf", text(gs), text(cairo)]);
    fs::write(hand, with_everything()).unwrap();
    ok("qpdf", &["--object-streams=generate", text(hand), text(object_streams)]);
    ok("qpdf", &["--linearize", "--object-streams=generate", text(gs), text(linear)]);
    ok("qpdf", &["--qdf", text(cairo), text(plain)]);
    ok("pdfunite", &[text(gs), text(cairo), text(united)]);
    // A later revision of a page, appended as an incremental update is.
    let mut bytes = with_everything();
    let offset = bytes.len();
    bytes.extend_from_slice(b"6 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>\nendobj\n");
    let table = bytes.len();
    let before = String::from_utf8(bytes.clone()).unwrap();
    let last = before.rsplit("startxref\n").next().unwrap().lines().next().unwrap().to_owned();
    bytes.extend_from_slice(
        format!("xref\n6 1\n{offset:010} 00000 n \ntrailer\n<</Size 15/Root 1 0 R/Prev {last}>>\nstartxref\n{table}\n%%EOF\n").as_bytes(),
    );
    fs::write(updated, bytes).unwrap();
    all.to_vec()
}

/// The number, sizes, boxes and rotations of all pages, according to poppler.
pub(super) fn pages(path: &Path) -> Vec<String> {
    ok("pdfinfo", &["-box", "-f", "1", "-l", "9999", text(path)])
        .lines()
        .filter(|line| line.starts_with("Page"))
        .filter(|line| !["BleedBox", "TrimBox", "ArtBox"].iter().any(|name| line.contains(name)))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn a_blank_pdf_has_the_same_pages_and_nothing_of_the_original() {
    let folder = tempfile::tempdir().unwrap();
    for original in produced(folder.path()) {
        let name = original.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(ok("pdftotext", &[text(&original), "-"]).contains(CANARY), "{name} has somebody in it");
        let blanked = blank(&fs::read(&original).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let path = folder.path().join("blank.pdf");
        fs::write(&path, &blanked).unwrap();
        assert_eq!(pages(&path), pages(&original), "{name}");
        // The file is completely valid. qpdf warns of anything else.
        let (is_valid, report) = run("qpdf", &["--check", text(&path)]);
        assert!(is_valid, "{name}: {}", String::from_utf8_lossy(&report));
        assert_eq!(ok("pdftotext", &[text(&path), "-"]).trim(), "", "{name}");
        let everything = ok("qpdf", &["--qdf", "--object-streams=disable", text(&path), "-"]);
        let words = [
            CANARY,
            "/Contents",
            "/Annots",
            "/JavaScript",
            "/EmbeddedFiles",
            "/AcroForm",
            "/Metadata",
            "/Info",
            "/Prev",
            "/Font",
        ];
        for word in words {
            assert!(!everything.contains(word), "{name} has {word}");
        }
        assert!(ok("pdfdetach", &["-list", text(&path)]).starts_with("0 embedded files"), "{name}");
        ok("pdftoppm", &["-r", "20", "-gray", text(&path), text(&folder.path().join("page"))]);
        for entry in fs::read_dir(folder.path()).unwrap() {
            let image = entry.unwrap().path();
            if image.extension().is_some_and(|end| end == "pgm") {
                let bytes = fs::read(&image).unwrap();
                // Three lines of head, then a byte for each pixel.
                let head: usize = bytes.split_inclusive(|byte| *byte == b'\n').take(3).map(<[u8]>::len).sum();
                assert!(bytes[head..].iter().all(|pixel| *pixel == 255), "{name}: a page is not white");
                fs::remove_file(image).unwrap();
            }
        }
        assert!(is_blank(&blanked) && !is_blank(&fs::read(&original).unwrap()), "{name}");
        assert_eq!(blank(&blanked).unwrap(), blanked, "{name}: blanked twice is blanked once");
    }
}

/// Two invoices that differ in everything except the sizes of their pages give the same blank file.
#[test]
fn what_comes_out_depends_on_the_pages_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<Vec<u8>> = produced(folder.path()).iter().map(|path| fs::read(path).unwrap()).collect();
    let [gs, old, cairo, ..] = files.as_slice() else { panic!("there are more") };
    assert_eq!(blank(gs).unwrap(), blank(old).unwrap());
    let other =
        with_everything().iter().map(|byte| if *byte == b'C' { b'D' } else { *byte }).collect::<Vec<u8>>();
    assert_ne!(other, with_everything());
    let renamed = String::from_utf8(with_everything()).unwrap().replace(CANARY, "SOMEBODYELSEXX");
    assert_eq!(blank(&with_everything()).unwrap(), blank(renamed.as_bytes()).unwrap());
    assert!(blank(cairo).is_ok());
}

/// If only the strings and streams are encrypted, the page tree can be read. If the objects are inside encrypted
/// streams, the error says so.
#[test]
fn an_encrypted_pdf_is_blanked_or_said_to_be_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, locked) = (folder.path().join("plain.pdf"), folder.path().join("locked.pdf"));
    fs::write(&plain, with_everything()).unwrap();
    for (streams, expected) in [("disable", Ok(())), ("generate", Err(NotBlanked::Encrypted))] {
        let streams = format!("--object-streams={streams}");
        ok("qpdf", &[&streams, "--encrypt", "secret", "owner", "256", "--", text(&plain), text(&locked)]);
        let blanked = blank(&fs::read(&locked).unwrap());
        assert_eq!(blanked.as_ref().map(|_| ()).map_err(|error| *error), expected, "{streams}");
        if let Ok(blanked) = blanked {
            assert_eq!(blanked, blank(&with_everything()).unwrap());
        }
    }
}

/// A file that was cut off, or that has a wrong table of offsets, is read as far as its objects exist.
#[test]
fn a_damaged_pdf_is_blanked_as_far_as_its_pages_are_there() {
    let whole = with_everything();
    let expected = blank(&whole).unwrap();
    let shifted = [b"garbage before it\n".as_slice(), &whole].concat();
    assert_eq!(blank(&shifted).unwrap(), expected);
    let no_table = &whole[..whole.windows(4).position(|part| part == b"xref").unwrap()];
    assert_eq!(blank(no_table).unwrap(), expected);
    let empty = assemble(
        &["<</Type/Catalog/Pages 2 0 R>>".to_owned(), "<</Type/Pages/Kids[]/Count 0>>".to_owned()],
        "",
    );
    for broken in [b"%PDF-1.7".as_slice(), &whole[..200], &empty] {
        assert_eq!(blank(broken), Err(NotBlanked::NoPages));
    }
    for other in [
        b"PK\x03\x04".as_slice(),
        b"\xd0\xcf\x11\xe0",
        b"\0text",
        b"\xff\xfeM\0",
        b" <html>",
        b"{\"name\": \"Maud\"}",
        b"[1]",
        b"%!PS",
        b"#!/bin/sh",
        b"-----BEGIN PRIVATE KEY-----",
        b"BEGIN:VCARD",
        b"From: Maud",
    ] {
        assert_eq!(blank(other), Err(NotBlanked::UnknownType), "{}", String::from_utf8_lossy(other));
    }
    for plain in
        ["plain text", "", "\u{feff}name;phone\r\nMaud;020 7946 0018\r\n", "Dear Maud, see below: no", "Ö"]
    {
        assert_eq!(blank(plain.as_bytes()), Ok(Vec::new()), "{plain}");
    }
    assert!(is_blank(b"") && !is_blank(b" "));
}

/// A former bug: a child of the page tree that cannot be read was left out, so the blank file had fewer pages.
#[test]
fn no_page_is_left_out_in_silence() {
    let page = "<</Type/Page/MediaBox[0 0 100 100]>>";
    for kids in [
        vec!["<</Type/Pages/Kids[3 0 R 9 0 R]/Count 2>>", page],
        vec!["<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>", page, "null"],
        vec!["<</Type/Pages/Kids[3 0 R 4 0 R]/Count 3>>", page, "<</Type/Pages/Kids 9 0 R/Count 2>>"],
    ] {
        let objects = [vec!["<</Type/Catalog/Pages 2 0 R>>"], kids].concat();
        assert_eq!(blank(&hostile(&objects)), Err(NotBlanked::PartOfTree), "{objects:?}");
    }
    let empty = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R 4 0 R]/Count 1>>",
        page,
        "<</Type/Pages/Count 0>>",
    ];
    assert!(blank(&hostile(&empty)).is_ok());
}

/// A former bug: the length of a stream may be a separate object. Such a stream ended at the first `endstream` in it,
/// which may belong to an embedded file. Then the objects of the inner file replaced those of the outer one.
#[test]
fn a_pdf_within_a_pdf_is_stepped_over() {
    let page = |width: u32| format!("<</Type/Page/MediaBox[0 0 {width} 100]>>");
    let inner = hostile(&[
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        &page(55),
        &stream("x", ""),
    ]);
    let inner = String::from_utf8_lossy(&inner).into_owned();
    let attached = |length: &str| format!("<</Type/EmbeddedFile/Length {length}>>stream\n{inner}\nendstream");
    let length = inner.len().to_string();
    let outer = |attached: String| {
        hostile(&[
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>",
            &page(200),
            &page(300),
            &attached,
            &length,
        ])
    };
    let expected = blank(&outer("null".to_owned())).unwrap();
    assert_eq!(blank(&outer(attached("6 0 R"))).unwrap(), expected);
    assert_eq!(blank(&outer(attached(&length))).unwrap(), expected);
}

/// A zlib stream that is not compressed (RFC 1950, RFC 1951).
fn deflated(data: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(data, 6)
}

/// Bytes as characters of the same number, so that a file can be put together as text.
fn latin(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

/// A former bug: some objects were not read, so a page was missed. These were objects in a stream with a predictor or
/// several filters, after a token that is not a value, or after deep nesting.
#[test]
fn streams_of_objects_are_read_with_predictors_and_several_filters() {
    let page = b"3 0 <</Type/Page/MediaBox[0 0 321 123]>>";
    let rows: Vec<u8> = page.chunks(5).flat_map(|row| [&[0], row].concat()).collect();
    let hex = |data: &[u8]| String::from_utf8(latin(data)).unwrap() + ">";
    let file = |entries: &str, data: &str| {
        let catalog = "<</Type/Catalog/Pages 2 0 R>>".to_owned();
        let tree = "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned();
        let holder = stream(data, &format!("/Type/ObjStm/N 1/First 4{entries}"));
        assemble(&[catalog, tree, "null".to_owned(), holder], "")
    };
    let plain = blank(&file("", std::str::from_utf8(page).unwrap())).unwrap();
    assert!(String::from_utf8_lossy(&plain).contains("[0 0 321 123]"));
    for (entries, data) in [
        ("/Filter/ASCIIHexDecode", hex(page)),
        ("/Filter[/AHx/Fl]", hex(&deflated(page))),
        ("/Filter[/AHx/Fl]/DecodeParms[null<</Predictor 12/Columns 5>>]", hex(&deflated(&rows))),
        ("/Filter[/AHx/AHx]", hex(hex(page).as_bytes())),
    ] {
        assert_eq!(blank(&file(entries, &data)).as_ref(), Ok(&plain), "{entries}");
    }
    assert_eq!(blank(&file("/Filter/Unknown", "x")), Err(NotBlanked::PartOfTree));
    let deep = format!("{} 1{}", "<</A".repeat(60), ">>".repeat(60));
    for entry in ["/Score NaN", "/X --5", "/Y(a)true", &format!("/Z{deep}")] {
        let page = format!("<</Type/Page{entry}/MediaBox[0 0 321 123]>>");
        let objects = ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", &page];
        assert_eq!(blank(&hostile(&objects)).as_ref(), Ok(&plain), "{entry}");
    }
}

#[test]
fn large_pages_and_small_units_keep_their_size() {
    let sized = |page: &str| {
        let file = hostile(&["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", page]);
        let blanked = blank(&file).unwrap();
        assert!(is_blank(&blanked));
        String::from_utf8_lossy(&blanked).into_owned()
    };
    for (page, kept) in [
        ("<</Type/Page/MediaBox[0 0 20000 30000.5]>>", "/MediaBox[0 0 20000 30000.5]"),
        ("<</Type/Page/MediaBox[90000 90000 90100 90200]>>", "/MediaBox[90000 90000 90100 90200]"),
        ("<</Type/Page/UserUnit 2.83465>>", "/UserUnit 2.83465"),
        ("<</Type/Page/UserUnit 1000>>", "/UserUnit 1000>>"),
        ("<</Type/Page/UserUnit 0.001>>", "/UserUnit 0.001"),
    ] {
        let blanked = sized(page);
        assert!(blanked.contains(kept), "{page}: {blanked}");
    }
}

pub(super) fn hostile(objects: &[&str]) -> Vec<u8> {
    assemble(&objects.iter().map(|object| (*object).to_owned()).collect::<Vec<_>>(), "")
}

#[test]
fn a_hostile_pdf_is_answered_within_bounds() {
    let catalog = "<</Type/Catalog/Pages 2 0 R>>";
    let page = "<</Type/Page/MediaBox[0 0 100 100]>>";
    // Each level lists the next ten times: 10^20 pages.
    let mut levels: Vec<String> = vec![catalog.to_owned()];
    levels.extend((3..23).map(|next| format!("<</Type/Pages/Kids[{}]>>", format!("{next} 0 R ").repeat(10))));
    levels.push(page.to_owned());
    let bomb = assemble(&levels, "");
    assert!(blank(&bomb).is_ok_and(|blanked| blanked.len() < 10_000));
    // Loops: a node that is its own child, a reference to itself, two references to one another.
    assert!(blank(&hostile(&[catalog, "<</Type/Pages/Kids[2 0 R 3 0 R]>>", page])).is_ok());
    assert_eq!(blank(&hostile(&["<</Type/Catalog/Pages 2 0 R>>", "2 0 R"])), Err(NotBlanked::NoPages));
    assert_eq!(blank(&hostile(&[catalog, "3 0 R", "2 0 R"])), Err(NotBlanked::NoPages));
    assert!(
        blank(&hostile(&[
            catalog,
            "<</Kids[3 0 R]>>",
            "<</Type/Page/MediaBox 4 0 R>>",
            "[4 0 R 4 0 R 5 0 R 5 0 R]",
            "5 0 R"
        ]))
        .is_ok()
    );
    // Deep nesting, of arrays and of the page tree.
    let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    assert!(blank(&hostile(&[catalog, "<</Kids[3 0 R]>>", page, &deep])).is_ok());
    let mut tree: Vec<String> = vec![catalog.to_owned()];
    tree.extend((3..5_000).map(|next| format!("<</Type/Pages/Kids[{next} 0 R]>>")));
    tree.push(page.to_owned());
    assert_eq!(blank(&assemble(&tree, "")), Err(NotBlanked::PartOfTree));
    // Boxes that are none.
    let wild = [
        "[0 0 1e308 1e308]",
        "[0 0 0 0]",
        "[1 2 3]",
        "[/A/B/C/D]",
        "[-1e9 0 5 5]",
        "(x)",
        "[0 0 0.001 0.001]",
    ];
    let letter = blank(&hostile(&[catalog, "<</Kids[3 0 R]>>", "<</Type/Page>>"])).unwrap();
    for wild in wild {
        let found =
            blank(&hostile(&[catalog, "<</Kids[3 0 R]>>", &format!("<</Type/Page/MediaBox{wild}>>")]))
                .unwrap();
        assert_eq!(found, letter, "{wild}");
    }
    // Kids without end.
    let many = format!("<</Kids[{}]>>", "3 0 R ".repeat(30_000));
    assert_eq!(blank(&hostile(&[catalog, &many, page])), Err(NotBlanked::TooManyPages));
    // Each object begins a text that never ends. Reading it each time would take quadratic time.
    let square = [b"%PDF-1.7\n".as_slice(), &b"1 0 obj (".repeat(300_000)].concat();
    assert_eq!(blank(&square), Err(NotBlanked::TooMuchWork));
}

/// At most 64 MiB are decompressed, whatever the streams contain.
#[test]
fn a_bomb_of_object_streams_is_defused() {
    let zeros = miniz_oxide::deflate::compress_to_vec_zlib(&vec![b' '; 90 << 20], 6);
    let mut file = b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n".to_vec();
    for n in 0..20 {
        let head = format!(
            "{} 0 obj<</Type/ObjStm/N 1/First 10/Filter/FlateDecode/Length {}>>stream\n",
            n + 10,
            zeros.len()
        );
        file.extend_from_slice(head.as_bytes());
        file.extend_from_slice(&zeros);
        file.extend_from_slice(b"\nendstream endobj\n");
    }
    file.extend_from_slice(b"trailer<</Root 1 0 R>>");
    assert_eq!(blank(&file), Err(NotBlanked::TooMuchWork));
}

/// Also checked with poppler: each of them is put into a PDF and drawn.
#[test]
fn an_image_becomes_a_white_pixel_of_its_type() {
    let folder = tempfile::tempdir().unwrap();
    let jpeg = blank(b"\xff\xd8\xff\xe1 camera and place").unwrap();
    let png = blank(b"\x89PNG\r\n\x1a\n and the rest").unwrap();
    let gif = blank(b"GIF87a and the rest").unwrap();
    assert!([&jpeg, &png, &gif].iter().all(|image| is_blank(image) && image.len() < 400));
    assert!(gif.starts_with(b"GIF89a\x01\x00\x01\x00") && gif.ends_with(b";"));
    let chunk = png.windows(4).position(|part| part == b"IDAT").unwrap() + 4;
    let pixels = |data: &[u8], filter: &str, bits: u32| {
        let mut file = b"%PDF-1.7\n".to_vec();
        file.extend_from_slice(b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj\n\
            3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 20 20]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>endobj\n\
            4 0 obj<</Length 21>>stream\n20 0 0 20 0 0 cm /I Do\nendstream endobj\n");
        let head = format!(
            "5 0 obj<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent {bits}/Filter{filter}/Length {}>>stream\n",
            data.len()
        );
        file.extend_from_slice(head.as_bytes());
        file.extend_from_slice(data);
        file.extend_from_slice(b"\nendstream endobj trailer<</Root 1 0 R>>");
        file
    };
    for (data, filter, bits) in [
        (jpeg.as_slice(), "/DCTDecode", 8),
        (
            &png[chunk..chunk + 10],
            "/FlateDecode/DecodeParms<</Predictor 15/Colors 1/BitsPerComponent 1/Columns 1>>",
            1,
        ),
    ] {
        let (path, image) = (folder.path().join("image.pdf"), folder.path().join("image"));
        fs::write(&path, pixels(data, filter, bits)).unwrap();
        ok("pdftoppm", &["-r", "72", "-gray", "-singlefile", text(&path), text(&image)]);
        let drawn = fs::read(folder.path().join("image.pgm")).unwrap();
        assert!(drawn.iter().rev().take(400).all(|pixel| *pixel == 255), "{filter}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Some bytes of a real file are changed, removed or doubled. There is always an answer. If it is a document, it
    /// is blank, and a second run does not change it.
    #[test]
    fn no_file_makes_it_panic_and_what_comes_out_is_blank(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..12),
        cut in any::<prop::sample::Index>(), cuts in any::<bool>(),
    ) {
        let mut file = with_everything();
        for (place, byte, how) in changes {
            let at = place.index(file.len());
            match how {
                0 => file[at] = byte,
                1 => drop(file.remove(at)),
                _ => { let part = file[at..(at + 40).min(file.len())].to_vec(); file.splice(at..at, part); }
            }
        }
        if cuts {
            file.truncate(cut.index(file.len()).max(8));
        }
        if let Ok(blanked) = blank(&file) {
            prop_assert!(is_blank(&blanked));
            prop_assert_eq!(blank(&blanked).unwrap(), blanked);
        }
    }
}
