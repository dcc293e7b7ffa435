//! Documents that lose everything that is in them and stay valid files of their type.
//!
//! A [`blank`] PDF has as many pages as the original, of the same sizes, and nothing on them. It is written new: no
//! object, no metadata, attachment, form or script of the original survives, because none is copied; an incremental
//! update, which leaves the old bytes in the file, is never made. An image becomes one of a single white pixel, a plain text
//! (CSV among them) one of no characters. An archive has no blank form: an empty one would be no valid spreadsheet, and what
//! it was the bytes do not tell.
//!
//! ```
//! # #[cfg(feature = "pdf")] {
//! use relinquish::anonymise::document::{NotBlanked, blank, is_blank};
//!
//! let invoice = b"%PDF-1.4 1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj \
//!     2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>endobj \
//!     3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R>>endobj \
//!     4 0 obj<</Length 21>>stream\n(Maud Ashworth) Tj    \nendstream endobj trailer<</Root 1 0 R>>";
//! let blanked = blank(invoice)?;
//! assert!(is_blank(&blanked) && !is_blank(invoice));
//! assert_eq!(blank(b"PK\x03\x04 a spreadsheet"), Err(NotBlanked::UnknownType));
//! # }
//! # Ok::<(), relinquish::anonymise::document::NotBlanked>(())
//! ```
//!
//! What is read of a PDF is its page tree alone, by a reader that bounds time, memory and depth whatever the file says.
//! A file that is damaged is read as far as its objects can be found; one from which no page can be told is an error,
//! and a policy says what happens then.

#[cfg(feature = "pdf")]
mod blank_pdf;
#[cfg(feature = "pdf")]
mod filter;
#[cfg(feature = "pdf")]
mod pdf;

/// Images of a single white pixel, without metadata.
const ONE_PIXEL: [(&[u8], &[u8]); 3] = [
    (b"\x89PNG\r\n\x1a\n", include_bytes!("empty/one_pixel.png")),
    (b"\xff\xd8\xff", include_bytes!("empty/one_pixel.jpeg")),
    (b"GIF8", include_bytes!("empty/one_pixel.gif")),
];

/// Readers take a file for a PDF if this stands in its first kilobyte (ISO 32000-1, implementation note 13).
#[cfg(feature = "pdf")]
const PDF: &[u8] = b"%PDF-";

/// Why there is no blank document. Nothing of the file is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotBlanked {
    /// It is no PDF (or the feature `pdf` is off), PNG, JPEG, GIF or plain text.
    #[error("the file is of no type that can be blanked; delete it instead")]
    UnknownType,
    /// Its page tree cannot be found.
    #[error("the PDF is damaged: no page can be found in it; delete it instead")]
    NoPages,
    /// A part of its page tree cannot be read: a blank one would have fewer pages.
    #[error("the PDF is damaged: a part of its page tree cannot be read; delete it instead")]
    PartOfTree,
    /// It is encrypted, and its pages with it.
    #[error("the PDF is encrypted, and so is what tells its pages; delete it instead")]
    Encrypted,
    /// It says that it has more than 20,000 pages.
    #[error("the PDF says that it has more than 20,000 pages; delete it instead")]
    TooManyPages,
    /// Reading it would take more work than its size explains: it is made to harm.
    #[error("the PDF takes more work to read than a file of its size should; delete it instead")]
    TooMuchWork,
}

/// A valid file of the same type with nothing in it: of a PDF, as many blank pages of the same sizes.
///
/// Takes time in proportion to the file, and at most some 200 MiB of memory beside it.
///
/// # Errors
/// [`NotBlanked`]: nothing can be said to stand for this document.
pub fn blank(file: &[u8]) -> Result<Vec<u8>, NotBlanked> {
    if let Some((_, pixel)) = ONE_PIXEL.iter().find(|(magic, _)| file.starts_with(magic)) {
        return Ok(pixel.to_vec());
    }
    #[cfg(feature = "pdf")]
    if file.get(..file.len().min(1024)).is_some_and(|head| head.windows(PDF.len()).any(|part| part == PDF)) {
        return match pdf::pages(file) {
            Ok(pages) => Ok(blank_pdf::write(&pages)),
            Err(pdf::Unreadable::NoPages) => Err(NotBlanked::NoPages),
            Err(pdf::Unreadable::PartOfTree) => Err(NotBlanked::PartOfTree),
            Err(pdf::Unreadable::Encrypted) => Err(NotBlanked::Encrypted),
            Err(pdf::Unreadable::TooManyPages) => Err(NotBlanked::TooManyPages),
            Err(pdf::Unreadable::TooMuchWork) => Err(NotBlanked::TooMuchWork),
        };
    }
    if is_plain_text(file) { Ok(Vec::new()) } else { Err(NotBlanked::UnknownType) }
}

/// What formats start with that are written in plain characters, and of which no characters are none: markup, JSON,
/// PostScript, scripts, keys, cards and calendars.
const OF_A_FORMAT: [&str; 7] = ["<", "{", "[", "%", "#!", "-----", "BEGIN:"];

/// Whether a file is text that is valid without any of it: UTF-8 without control characters, and no format that shows. A
/// first line such as `From: Maud` shows one, a mail's header or that of a table of keys.
fn is_plain_text(file: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(file) else { return false };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_written = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{c}');
    let start = text.trim_start();
    let key = start.split_once(':').map_or("", |(key, _)| key);
    let has_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    text.chars().all(is_written) && !has_key && !OF_A_FORMAT.iter().any(|mark| start.starts_with(mark))
}

/// How many bytes of a file [`may_be_blank`] looks at.
#[cfg(feature = "object-store")]
pub(crate) const HEAD: u64 = 16;

/// Whether a file that starts so may be what [`blank`] writes.
#[cfg(feature = "object-store")]
pub(crate) fn may_be_blank(head: &[u8]) -> bool {
    #[cfg(feature = "pdf")]
    let is_front = head.starts_with(blank_pdf::FRONT);
    #[cfg(not(feature = "pdf"))]
    let is_front = false;
    is_front || head.is_empty() || ONE_PIXEL.iter().any(|(_, pixel)| pixel.starts_with(head))
}

/// Whether a file is what [`blank`] writes, to the last byte.
pub fn is_blank(file: &[u8]) -> bool {
    if file.is_empty() || ONE_PIXEL.iter().any(|(_, pixel)| *pixel == file) {
        return true;
    }
    #[cfg(feature = "pdf")]
    if file.starts_with(blank_pdf::FRONT) {
        return pdf::pages(file).is_ok_and(|pages| blank_pdf::write(&pages) == file);
    }
    false
}
