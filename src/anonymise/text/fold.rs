//! Text in the form in which it is searched, and the way back to where it came from.
//!
//! Compatibility decomposition (NFKD of UAX #15), full case folding (CaseFolding.txt), marks dropped, letters that do
//! not decompose written as those they are typed with, characters without width dropped, every space, hyphen and
//! apostrophe written as the one of ASCII. What is no letter or digit and not ASCII is a space.

use std::sync::LazyLock;

use caseless::Caseless;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// A folded text, and where its bytes come from. Made to be used again for the next text.
#[derive(Default)]
pub(super) struct Folded {
    pub(super) bytes: Vec<u8>,
    segments: Vec<Segment>,
}

/// From here on in the folded text.
#[derive(Clone, Copy)]
struct Segment {
    folded: usize,
    original: usize,
    /// Whether every byte has its own in the original, or all of them have one character.
    is_plain: bool,
}

impl Folded {
    /// Folds a text; what was folded before is forgotten.
    pub(super) fn fold(&mut self, text: &str) {
        self.bytes.clear();
        self.segments.clear();
        let mut rest = text;
        while !rest.is_empty() {
            let plain = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
            let (ascii, behind) = rest.split_at_checked(plain).unwrap_or((rest, ""));
            if !ascii.is_empty() {
                self.mark(text.len() - rest.len(), true);
                self.bytes.extend(ascii.bytes().map(|byte| byte.to_ascii_lowercase()));
            }
            let mut chars = behind.chars();
            if let Some(c) = chars.next() {
                self.mark(text.len() - behind.len(), false);
                fold_char(c, &mut self.bytes);
            }
            rest = chars.as_str();
        }
        self.mark(text.len(), true);
    }

    fn mark(&mut self, original: usize, is_plain: bool) {
        self.segments.push(Segment { folded: self.bytes.len(), original, is_plain });
    }

    /// The byte of the original from which a folded byte comes.
    pub(super) fn start(&self, folded: usize) -> usize {
        let at = self.segments.partition_point(|segment| segment.folded <= folded);
        match at.checked_sub(1).and_then(|at| self.segments.get(at)) {
            Some(segment) if segment.is_plain => segment.original + (folded - segment.folded),
            Some(segment) => segment.original,
            None => 0,
        }
    }

    /// The end in the original of what ends before this folded byte: the marks that belong to its last letter included.
    pub(super) fn end(&self, folded: usize, text: &str) -> usize {
        let Some(last) = folded.checked_sub(1) else { return 0 };
        let at = self.segments.partition_point(|segment| segment.folded <= last);
        let end = match at.checked_sub(1).and_then(|at| self.segments.get(at)) {
            Some(segment) if segment.is_plain => segment.original + (folded - segment.folded),
            _ => self.segments.get(at).map_or(text.len(), |next| next.original),
        };
        let marks = text.get(end..).unwrap_or_default().chars().take_while(|c| is_combining_mark(*c));
        end + marks.map(char::len_utf8).sum::<usize>()
    }
}

/// A text folded, without the way back: for what is searched for.
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

/// The characters of Latin, Greek and Cyrillic, folded once.
static NEAR: LazyLock<Vec<Box<[u8]>>> = LazyLock::new(|| {
    (0x80..NEAR_END)
        .map(|code| {
            let mut bytes = Vec::new();
            if let Some(c) = char::from_u32(code) {
                fold_any(c, &mut bytes);
            }
            bytes.into_boxed_slice()
        })
        .collect()
});
const NEAR_END: u32 = 0x530;

fn fold_char(c: char, into: &mut Vec<u8>) {
    match (c as u32).checked_sub(0x80).and_then(|at| NEAR.get(at as usize)) {
        Some(bytes) => into.extend_from_slice(bytes),
        None => fold_any(c, into),
    }
}

fn fold_any(c: char, into: &mut Vec<u8>) {
    if has_no_width(c) {
        return;
    }
    decompose_compatible(c, |part| {
        for part in std::iter::once(part).default_case_fold() {
            // Folding can bring marks of its own: `İ` becomes i and a dot above.
            decompose_compatible(part, |part| push(part, into));
        }
    });
}

fn push(c: char, into: &mut Vec<u8>) {
    let written = match c {
        c if is_combining_mark(c) || has_no_width(c) => return,
        'ø' => "o",
        'æ' => "ae",
        'œ' => "oe",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ŧ' => "t",
        // Turkish has an i without a dot; outside Turkey it is typed with one.
        'ı' => "i",
        'ŋ' => "n",
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '﹣' => "-",
        '‘' | '’' | 'ʼ' | '′' | '´' | 'ʹ' => "'",
        '⁄' => "/",
        _ if c.is_ascii() || c.is_alphanumeric() => {
            into.extend_from_slice(c.to_ascii_lowercase().encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
        _ => " ",
    };
    into.extend_from_slice(written.as_bytes());
}

/// Characters that nobody sees: soft hyphens, joiners, marks of direction, variation selectors.
fn has_no_width(c: char) -> bool {
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
            ("Ελένη ΕΛΈΝΗ", "ελενη ελενη"),
            ("Йоханна", "иоханна"),
        ] {
            assert_eq!(folded(text), wanted, "{text}");
            let mut way_back = Folded::default();
            way_back.fold(text);
            assert_eq!(String::from_utf8(way_back.bytes).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn the_way_back_leads_to_whole_characters() {
        let text = "x Mu\u{308}\u{200b}ller\u{301} straße ﬁn.";
        let mut folded = Folded::default();
        folded.fold(text);
        let searched = String::from_utf8(folded.bytes.clone()).unwrap();
        for (word, original) in
            [("muller", "Mu\u{308}\u{200b}ller\u{301}"), ("strasse", "straße"), ("fin", "ﬁn"), ("i", "ﬁ")]
        {
            let at = searched.find(word).unwrap();
            let range = folded.start(at)..folded.end(at + word.len(), text);
            assert_eq!(&text[range], original);
        }
    }
}
