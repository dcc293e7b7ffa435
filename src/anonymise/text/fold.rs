//! Folds text for the search, and maps positions in the folded text back to the original.
//!
//! Folding consists of compatibility decomposition (NFKD of UAX #15) and full case folding (CaseFolding.txt). Accents
//! and zero-width characters are removed. Letters that do not decompose are replaced by the letters with which people
//! type them. Spaces, hyphens and apostrophes become those of ASCII. Any other non-ASCII character that is no letter
//! or digit becomes a space.

use std::sync::LazyLock;

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::unspaced::is_unspaced;
use super::words::{BLOCK, first_bytes, padded};
use crate::case_fold::folded_char;

/// A folded text, with the original position of each byte. The buffers are reused for the next text.
#[derive(Default)]
pub(super) struct Folded {
    /// The folded text, then the spaces that reading words needs, then rests of earlier, longer texts.
    bytes: Vec<u8>,
    len: usize,
    of_char: Vec<u8>,
    /// Whether the text contains a script without spaces between words.
    has_unspaced: bool,
    segments: Vec<Segment>,
}

/// The start in the folded text.
#[derive(Clone, Copy)]
struct Segment {
    folded: usize,
    original: usize,
    /// Whether each byte corresponds to one byte of the original. Otherwise all bytes come from one character.
    is_plain: bool,
}

impl Folded {
    /// Folds a text. It replaces the text that was folded before.
    pub(super) fn fold(&mut self, text: &str) {
        self.segments.clear();
        self.has_unspaced = false;
        if text.is_ascii() {
            self.make_room(0, text.len());
            if let Some(into) = self.bytes.get_mut(..text.len()) {
                into.copy_from_slice(text.as_bytes());
                into.make_ascii_lowercase();
            }
            self.len = text.len();
        } else {
            self.len = self.fold_mixed(text);
        }
        let end = padded(self.len);
        self.make_room(end, 0);
        if let Some(behind) = self.bytes.get_mut(self.len..end) {
            behind.fill(b' ');
        }
    }

    /// In texts that mix letters with and without accents, branches are hard to predict for the processor. So the
    /// starts of characters are computed for a whole block at once, without branches.
    fn fold_mixed(&mut self, text: &str) -> usize {
        let near = NEAR.as_slice();
        let source = text.as_bytes();
        self.make_room(0, source.len());
        let mut to = 0;
        for (n, part) in source.chunks(BLOCK).enumerate() {
            if part.is_ascii() {
                if let Some(into) = self.bytes.get_mut(to..to + part.len()) {
                    into.copy_from_slice(part);
                    into.make_ascii_lowercase();
                }
                to += part.len();
                continue;
            }
            // The byte after the end never starts a character.
            let mut block = [0x80; BLOCK];
            block.iter_mut().zip(part).for_each(|(into, byte)| *into = *byte);
            let mut starts = first_bytes(&block);
            while starts != 0 {
                let at = n * BLOCK + starts.trailing_zeros() as usize;
                starts &= starts - 1;
                let first = source.get(at).copied().map_or(0, usize::from);
                let second = source.get(at + 1).copied().map_or(0, usize::from);
                // For characters of three bytes or more, the code is beyond the end of the table.
                let code = if first < 0x80 { first } else { (first & 0x3f) << 6 | second & 0x3f };
                match near.get(code) {
                    Some(folded) if folded.len() <= 3 => {
                        if let Some(into) = self.bytes.get_mut(to..).and_then(<[u8]>::first_chunk_mut) {
                            *into = folded.0.to_le_bytes();
                        }
                        to += folded.len();
                    }
                    _ => to = self.fold_far(text, at, to),
                }
            }
        }
        to
    }

    /// Folds characters that are not in the table of two-byte characters. Returns the new length of the folded text.
    #[cold]
    fn fold_far(&mut self, text: &str, at: usize, to: usize) -> usize {
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { return to };
        self.has_unspaced |= is_unspaced(c);
        self.of_char.clear();
        fold_char(c, &mut self.of_char);
        let end = to + self.of_char.len();
        self.make_room(end, text.len() - at);
        if let Some(into) = self.bytes.get_mut(to..end) {
            into.copy_from_slice(&self.of_char);
        }
        end
    }

    /// Reserves space for the folded text so far, and for the folding of the remaining bytes.
    fn make_room(&mut self, folded: usize, left: usize) {
        // Two bytes become three at most, and four bytes are written at once.
        let len = folded + left + left / 2 + 4;
        if self.bytes.len() < len {
            self.bytes.resize(len, 0);
        }
    }

    /// The folded text.
    pub(super) fn text(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Whether the text may contain words of different scripts without a space between them.
    pub(super) fn has_unspaced(&self) -> bool {
        self.has_unspaced
    }

    /// The folded text with the spaces after it.
    pub(super) fn padded(&self) -> &[u8] {
        self.bytes.get(..padded(self.len)).unwrap_or_default()
    }

    /// Prepares the mapping to the original. Only few texts need it.
    pub(super) fn retrace(&mut self, text: &str) {
        self.segments.clear();
        let (mut folded, mut of_char) = (0, Vec::new());
        for (original, c) in text.char_indices() {
            let is_plain = c.is_ascii();
            of_char.clear();
            if !is_plain {
                fold_char(c, &mut of_char);
            }
            if !is_plain || self.segments.last().is_none_or(|last| !last.is_plain) {
                self.segments.push(Segment { folded, original, is_plain });
            }
            folded += if is_plain { 1 } else { of_char.len() };
        }
        self.segments.push(Segment { folded, original: text.len(), is_plain: true });
    }

    /// The position in the original of a folded byte.
    pub(super) fn start(&self, folded: usize) -> usize {
        let at = self.segments.partition_point(|segment| segment.folded <= folded);
        match at.checked_sub(1).and_then(|at| self.segments.get(at)) {
            Some(segment) if segment.is_plain => segment.original + (folded - segment.folded),
            Some(segment) => segment.original,
            None => 0,
        }
    }

    /// The position in the original where the text before this folded byte ends. Accents of the last letter are
    /// included.
    pub(super) fn end(&self, folded: usize, text: &str) -> usize {
        let Some(last) = folded.checked_sub(1) else { return 0 };
        let at = self.segments.partition_point(|segment| segment.folded <= last);
        let end = match at.checked_sub(1).and_then(|at| self.segments.get(at)) {
            Some(segment) if segment.is_plain => segment.original + (folded - segment.folded),
            _ => self.segments.get(at).map_or(text.len(), |next| next.original),
        };
        let marks = text.get(end..).unwrap_or_default().chars().take_while(|c| is_dropped_mark(*c));
        end + marks.map(char::len_utf8).sum::<usize>()
    }
}

/// Folds a text without the mapping to the original. For the searched values.
pub(super) fn folded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            bytes.push((c as u8).to_ascii_lowercase());
        } else {
            fold_char(c, &mut bytes);
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// A folded character in one number: its bytes, the first byte lowest, and their count in the highest byte. The count
/// is four if they do not fit.
#[derive(Clone, Copy)]
struct Near(u32);

impl Near {
    fn of(code: u32) -> Self {
        let mut bytes = Vec::new();
        if let Some(c) = char::from_u32(code) {
            fold_any(c, &mut bytes);
        }
        let mut folded = [0; 4];
        folded.iter_mut().zip(bytes.iter().take(3)).for_each(|(into, byte)| *into = *byte);
        Self(u32::from_le_bytes(folded) | u32::try_from(bytes.len().min(4)).unwrap_or(4) << 24)
    }

    fn len(self) -> usize {
        (self.0 >> 24) as usize
    }
}

/// The table for characters of one or two bytes: ASCII, Latin, Greek, Cyrillic, Hebrew, Arabic.
static NEAR: LazyLock<Vec<Near>> = LazyLock::new(|| (0..0x800).map(Near::of).collect());
/// General punctuation and currencies.
static SIGNS: LazyLock<Vec<Near>> = LazyLock::new(|| (FIRST_SIGN..0x20d0).map(Near::of).collect());
const FIRST_SIGN: u32 = 0x2000;

fn fold_char(c: char, into: &mut Vec<u8>) {
    let sign = |code: u32| SIGNS.get(code.checked_sub(FIRST_SIGN)? as usize);
    let near = NEAR.get(c as usize).or_else(|| sign(c as u32)).filter(|near| near.len() <= 3);
    match near {
        Some(near) => into.extend(near.0.to_le_bytes().iter().take(near.len())),
        None => fold_any(c, into),
    }
}

fn fold_any(c: char, into: &mut Vec<u8>) {
    if has_no_width(c) {
        return;
    }
    // `12½` is no 121.
    if matches!(c, '¼'..='¾' | '⅐'..='⅞') {
        into.push(b' ');
    }
    decompose_compatible(c, |part| {
        for part in folded_char(part) {
            // Case folding can add accents: `İ` becomes i and a dot above.
            decompose_compatible(part, |part| push(part, into));
        }
    });
}

fn push(c: char, into: &mut Vec<u8>) {
    let written = match c {
        c if is_dropped_mark(c) || has_no_width(c) => return,
        'ø' => "o",
        'æ' => "ae",
        'œ' => "oe",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ŧ' => "t",
        // Turkish has an i without a dot. Outside Turkey it is typed with a dot.
        'ı' => "i",
        'ŋ' => "n",
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '﹣' => "-",
        '‘' | '’' | 'ʼ' | '′' | '´' | 'ʹ' => "'",
        '⁄' => "/",
        c if !c.is_ascii()
            && let Some(digit) = digit(c) =>
        {
            into.push(digit);
            return;
        }
        _ if c.is_ascii() || c.is_alphanumeric() || is_combining_mark(c) => {
            into.extend_from_slice(c.to_ascii_lowercase().encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
        _ => " ",
    };
    into.extend_from_slice(written.as_bytes());
}

/// The first of the ten digits of the scripts that have digits of their own (category Nd of Unicode).
const DIGITS: [u32; 18] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20,
    0x1040, 0x17e0, 0x1810,
];

/// A digit of another script as a digit of ASCII.
fn digit(c: char) -> Option<u8> {
    let code = u32::from(c);
    let first = DIGITS.iter().find(|first| (**first..**first + 10).contains(&code))?;
    Some(b'0' + u8::try_from(code - first).ok()?)
}

/// Whether a mark is an accent that may be removed. In the scripts of India and South-East Asia, a mark is a vowel,
/// and in Japanese it changes the consonant. There it is kept, because different words would become equal.
fn is_dropped_mark(c: char) -> bool {
    let is_letter = matches!(c, '\u{900}'..='\u{dff}' | '\u{e00}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3099}' | '\u{309a}');
    is_combining_mark(c) && !is_letter
}

/// Whether a character is invisible: soft hyphens, joiners, direction marks, variation selectors.
pub(super) fn has_no_width(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_texts_and_their_folded_forms() {
        for (text, wanted) in [
            ("Maud ASHWORTH", "maud ashworth"),
            ("Müller MÜLLER Mu\u{308}ller", "muller muller muller"),
            ("Straße STRASSE ẞ", "strasse strasse ss"),
            ("İstanbul Işık ışık", "istanbul isik isik"),
            ("Søren Ærø Œuvre Łódź Þór", "soren aero oeuvre lodz thor"),
            ("Ma\u{200b}ud\u{ad} A\u{fe0f}sh", "maud ash"),
            ("Ｍａｕｄ ﬁn 𝐌𝐚𝐮𝐝", "maud fin maud"),
            ("Jean\u{2010}Luc d\u{2019}Arc", "jean-luc d'arc"),
            ("a\u{a0}b\u{2003}c…", "a b c..."),
            ("٠٧٧۱२ ৩๑", "07712 31"),
            ("12½ Elm", "12 1/2 elm"),
            ("Ελένη ΕΛΈΝΗ", "ελενη ελενη"),
            ("Йоханна", "иоханна"),
            ("बिल बल", "बिल बल"),
            ("がか", "か\u{3099}か"),
        ] {
            assert_eq!(folded(text), wanted, "{text}");
            let mut way_back = Folded::default();
            way_back.fold(text);
            assert_eq!(str::from_utf8(way_back.text()).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn the_way_back_leads_to_whole_characters() {
        let text = "x Mu\u{308}\u{200b}ller\u{301} straße ﬁn.";
        let mut folded = Folded::default();
        folded.fold(text);
        folded.retrace(text);
        let searched = str::from_utf8(folded.text()).unwrap().to_owned();
        for (word, original) in
            [("muller", "Mu\u{308}\u{200b}ller\u{301}"), ("strasse", "straße"), ("fin", "ﬁn"), ("i", "ﬁ")]
        {
            let at = searched.find(word).unwrap();
            let range = folded.start(at)..folded.end(at + word.len(), text);
            assert_eq!(&text[range], original);
        }
    }
}
