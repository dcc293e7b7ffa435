//! Splits a folded text into words, and filters the words that need a look-up.
//!
//! Nearly no word in nearly no text is a name of a searched person. So words are found in blocks of 64 bytes, and
//! each word is checked against a filter. Only words that pass are looked up. The filter fits into the processor's
//! cache, even for a hundred thousand people.

use std::collections::HashSet;

/// The number of bytes in a block.
pub(super) const BLOCK: usize = 64;
/// The number of bytes of a word that are read at once.
const READ: usize = 8;
/// The bits of the filter per known word. About one in sixty unknown words passes.
const BITS: usize = 16;
/// The bits of the filter per beginning of a word.
const BEGINNING_BITS: usize = 128;
/// The minimum size of the filter for beginnings, in units of 64 bits.
const LEAST_BEGINNINGS: usize = 256;

/// A word of a text, with the values that the filter uses.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    mark: u64,
    /// The first eight bytes.
    within: u64,
}

/// The first letters of a word: four ASCII letters, or three letters of two bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Beginning(u64);

impl Beginning {
    pub(super) fn of(word: &[u8]) -> Self {
        found_alone(word, &mut Vec::new()).beginning()
    }
}

impl Found {
    #[inline]
    fn beginning(self) -> Beginning {
        Beginning(self.within & if self.within & 0x80 == 0 { 0xFFFF_FFFF } else { 0xFFFF_FFFF_FFFF })
    }
}

/// The buffer length that [`each_word`] needs for a text of this length. The rest must be spaces.
pub(super) fn padded(len: usize) -> usize {
    (len / BLOCK + 1) * BLOCK + READ
}

/// Calls a closure for each word of a folded text, in order. The text must have spaces after it.
pub(super) fn each_word(text: &[u8], mut tell: impl FnMut(Found)) {
    let mut start = None;
    let mut last = 0;
    for (n, block) in text.as_chunks::<BLOCK>().0.iter().enumerate() {
        let in_words = word_bytes(block);
        // The bits where a word starts or ends.
        let mut edges = in_words ^ (in_words << 1 | last);
        last = in_words >> (BLOCK - 1);
        while edges != 0 {
            let at = n * BLOCK + edges.trailing_zeros() as usize;
            edges &= edges - 1;
            match start.take() {
                None => start = Some(at),
                Some(start) => tell(found(text, start, at)),
            }
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * ONES;

/// A bit for each byte of a block. `flag` gets eight bytes at a time, and sets the highest bit of each byte that
/// counts.
#[inline]
fn flagged(block: &[u8; BLOCK], flag: impl Fn(u64) -> u64) -> u64 {
    let mut bits = 0;
    for (n, eight) in block.as_chunks::<READ>().0.iter().enumerate() {
        let flags = flag(u64::from_le_bytes(*eight)) & HIGH;
        // Packs the eight flags into adjacent bits.
        bits |= ((flags >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (n * READ);
    }
    bits
}

/// A bit for each byte of a block that belongs to a word: digits, small letters, and all non-ASCII bytes.
#[inline]
fn word_bytes(block: &[u8; BLOCK]) -> u64 {
    // In each byte, the highest bit says whether the lower seven bits are at least this value.
    let at_least = |low: u64, byte: u8| low + (0x80 - u64::from(byte)) * ONES;
    flagged(block, |bytes| {
        let low = bytes & !HIGH;
        let digit = at_least(low, b'0') & !at_least(low, b'9' + 1);
        let letter = at_least(low, b'a') & !at_least(low, b'z' + 1);
        digit | letter | bytes
    })
}

/// A bit for each byte of a block that starts a character.
pub(super) fn first_bytes(block: &[u8; BLOCK]) -> u64 {
    // Continuation bytes begin with the bits 10.
    flagged(block, |bytes| !bytes | bytes << 1)
}

#[inline]
fn eight(text: &[u8], at: usize) -> u64 {
    text.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Computes the filter values of a word, from its first and last eight bytes, its length, and its first letters. The
/// buffer must have bytes after the text.
#[inline]
pub(super) fn found(text: &[u8], start: usize, end: usize) -> Found {
    let len = end - start;
    let first = eight(text, start);
    let (within, both) = if len < READ {
        let within = first & ((1 << (len * 8)) - 1);
        (within, within)
    } else {
        (first, first ^ eight(text, end - READ).rotate_left(29))
    };
    Found { start, end, mark: (both ^ len as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15), within }
}

/// Does the same for a single word.
fn found_alone(word: &[u8], text: &mut Vec<u8>) -> Found {
    text.clear();
    text.extend_from_slice(word);
    text.extend_from_slice(&[b' '; READ]);
    found(text, 0, word.len())
}

/// A Bloom filter of words and of beginnings of words. A few unknown words pass, too.
#[derive(Default)]
pub(super) struct Filter {
    words: Vec<u64>,
    beginnings: Vec<u64>,
    /// The shifts that turn a hash into an index of each table.
    shifts: (u32, u32),
}

impl Filter {
    /// Makes a filter of these words, and of all words with these beginnings.
    pub(super) fn new(words: &[Box<[u8]>], beginnings: &HashSet<Beginning>) -> Self {
        if words.is_empty() {
            return Self::default();
        }
        let len = (words.len() * BITS / 64).next_power_of_two().max(2);
        let long = (beginnings.len() * BEGINNING_BITS / 64).next_power_of_two().max(LEAST_BEGINNINGS);
        let shifts = (64 - len.ilog2(), 64 - long.ilog2());
        let mut filter = Self { words: vec![0; len], beginnings: vec![0; long], shifts };
        let mut text = Vec::new();
        for word in words {
            let (at, bits) = filter.whole(found_alone(word, &mut text));
            filter.words.get_mut(at).into_iter().for_each(|known| *known |= bits);
        }
        for beginning in beginnings {
            let (at, bits) = filter.beginning(*beginning);
            filter.beginnings.get_mut(at).into_iter().for_each(|known| *known |= bits);
        }
        filter
    }

    /// The position of two bits in one 64-bit word, so that a check needs only one memory access.
    #[inline]
    fn whole(&self, word: Found) -> (usize, u64) {
        let at = usize::try_from(word.mark >> self.shifts.0).unwrap_or(usize::MAX);
        (at, 1 << (word.mark >> 26 & 63) | 1 << (word.mark >> 32 & 63))
    }

    #[inline]
    fn beginning(&self, beginning: Beginning) -> (usize, u64) {
        let number = beginning.0.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let at = usize::try_from(number >> self.shifts.1).unwrap_or(usize::MAX);
        (at, 1 << (number >> 26 & 63))
    }

    /// Whether the word or its beginning may be known. An empty filter knows nothing.
    #[inline]
    pub(super) fn passes(&self, word: Found) -> bool {
        self.knows(word) || self.knows_beginning(word)
    }

    /// Whether the word may be known.
    #[inline]
    pub(super) fn knows(&self, word: Found) -> bool {
        let (at, bits) = self.whole(word);
        self.words.get(at).is_some_and(|known| known & bits == bits)
    }

    /// Whether a word with this beginning may be known.
    #[inline]
    pub(super) fn knows_beginning(&self, word: Found) -> bool {
        let (at, bits) = self.beginning(word.beginning());
        self.beginnings.get(at).is_some_and(|known| known & bits != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::people::is_word;
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(padded(text.len()), b' ');
        let mut words = Vec::new();
        each_word(&bytes, |found| words.push(&text[found.start..found.end]));
        words
    }

    #[test]
    fn every_byte_is_a_words_or_none_as_elsewhere() {
        for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_uppercase()) {
            for at in [0, 1, 7, 8, 63] {
                let mut block = [b' '; BLOCK];
                block[at] = byte;
                assert_eq!(word_bytes(&block), u64::from(is_word(byte)) << at, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn words_are_found_wherever_blocks_end() {
        for gap in 0..140 {
            for len in [1, 7, 8, 9, 63, 64, 65, 130] {
                let word = "x".repeat(len);
                let text = format!("{}{word} ende", ".".repeat(gap));
                assert_eq!(words(&text), [word.as_str(), "ende"], "{gap} {len}");
                assert_eq!(words(text.trim_end_matches(" ende")), [word.as_str()], "{gap} {len}");
            }
        }
        assert!(words("").is_empty() && words(" .,-").is_empty());
    }

    #[test]
    fn a_filter_knows_its_words_and_few_others() {
        let word = |n: usize| format!("wort{}{n}", "e".repeat(n % 20));
        let known: Vec<Box<[u8]>> = (0..10_000).map(|n| word(n).into_bytes().into()).collect();
        let filter = Filter::new(&known, &HashSet::new());
        let count = |range: std::ops::Range<usize>| {
            let text = range.map(word).collect::<Vec<_>>().join(" ");
            let mut bytes = text.into_bytes();
            let len = bytes.len();
            bytes.resize(padded(len), b' ');
            let mut passed = 0;
            each_word(&bytes, |found| passed += usize::from(filter.passes(found)));
            passed
        };
        assert_eq!(count(0..10_000), 10_000);
        let others = count(10_000..110_000);
        assert!(others < 5_000, "{others} of 100,000 pass");
        let nobody = Filter::new(&[], &HashSet::new());
        let mut bytes = b"wort".to_vec();
        bytes.resize(padded(4), b' ');
        each_word(&bytes, |found| assert!(!nobody.passes(found)));
    }
}
