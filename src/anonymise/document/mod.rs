//! Blanks documents: removes their whole content, but leaves a valid file of the same type.
//!
//! A [`blank`] PDF has as many empty pages as the original, of the same sizes. It is a new file: no object, metadata,
//! attachment, form or script of the original is copied. It is never an incremental update, because such an update
//! would leave the old bytes in the file. An image becomes a single white pixel. A plain text, such as CSV, becomes
//! an empty file. Archives cannot be blanked: an empty archive would be no valid spreadsheet, for example, and the
//! bytes do not show what the archive was.
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
//! Only the page tree of a PDF is read. The reader limits time, memory and depth for any file. A damaged file is read
//! as far as its objects can be found. If no page can be found, this is an error, and the policy says what happens
//! then.

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

/// PDF readers accept a file if its first kilobyte contains this (ISO 32000-1, implementation note 13).
#[cfg(feature = "pdf")]
const PDF: &[u8] = b"%PDF-";

/// Why a document cannot be blanked. The error contains nothing of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotBlanked {
    /// The file is no PDF, PNG, JPEG, GIF or plain text. Without the feature `pdf`, a PDF is not supported either.
    #[error("the file is of no type that can be blanked; delete it instead")]
    UnknownType,
    /// Its page tree cannot be found.
    #[error("the PDF is damaged: no page can be found in it; delete it instead")]
    NoPages,
    /// A part of its page tree cannot be read. A blank file would have fewer pages.
    #[error("the PDF is damaged: a part of its page tree cannot be read; delete it instead")]
    PartOfTree,
    /// The file is encrypted, and so is its page tree.
    #[error("the PDF is encrypted, and so is its page tree; delete it instead")]
    Encrypted,
    /// It claims to have more than 20,000 pages.
    #[error("the PDF claims to have more than 20,000 pages; delete it instead")]
    TooManyPages,
    /// Reading the file would take more work than its size justifies. It is probably an attack.
    #[error("the PDF takes more work to read than a file of its size should; delete it instead")]
    TooMuchWork,
}

/// Makes a valid, empty file of the same type. A PDF gets as many blank pages of the same sizes.
///
/// The time is proportional to the size of the file. Beside the file, at most about 200 MiB of memory are used.
///
/// # Errors
/// [`NotBlanked`] if the document cannot be blanked.
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

/// The beginnings of text formats for which an empty file is not valid: markup, JSON, PostScript, scripts, keys,
/// cards and calendars.
const OF_A_FORMAT: [&str; 7] = ["<", "{", "[", "%", "#!", "-----", "BEGIN:"];

/// Whether a file is plain text, so that an empty file is valid, too. Plain text is UTF-8 without control characters,
/// and has no recognisable format. A first line such as `From: Maud` is a header of a format, such as an e-mail.
fn is_plain_text(file: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(file) else { return false };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_written = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{c}');
    let start = text.trim_start();
    let key = start.split_once(':').map_or("", |(key, _)| key);
    let has_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    text.chars().all(is_written) && !has_key && !OF_A_FORMAT.iter().any(|mark| start.starts_with(mark))
}

/// The number of bytes of a file that [`may_be_blank`] needs.
#[cfg(feature = "object-store")]
pub(crate) const HEAD: u64 = 16;

/// Whether a file with this beginning may be an output of [`blank`].
#[cfg(feature = "object-store")]
pub(crate) fn may_be_blank(head: &[u8]) -> bool {
    #[cfg(feature = "pdf")]
    let is_front = head.starts_with(blank_pdf::FRONT);
    #[cfg(not(feature = "pdf"))]
    let is_front = false;
    is_front || head.is_empty() || ONE_PIXEL.iter().any(|(_, pixel)| pixel.starts_with(head))
}

/// Whether a file is one of the images of a single pixel.
pub(crate) fn is_one_pixel(file: &[u8]) -> bool {
    ONE_PIXEL.iter().any(|(_, pixel)| *pixel == file)
}

/// Whether a file is exactly an output of [`blank`].
pub fn is_blank(file: &[u8]) -> bool {
    if file.is_empty() || is_one_pixel(file) {
        return true;
    }
    #[cfg(feature = "pdf")]
    if file.starts_with(blank_pdf::FRONT) {
        return pdf::pages(file).is_ok_and(|pages| blank_pdf::write(&pages) == file);
    }
    false
}
