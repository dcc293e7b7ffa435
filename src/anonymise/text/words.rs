//! The words of a folded text, and which of them are worth a look.
//!
//! Hardly a word of hardly a text is anybody's name. So words are found sixty-four bytes at a time, and each is held against
//! a filter that fits into the processor's cache, for one person or for a hundred thousand; what passes is looked up.

use std::collections::HashSet;

/// So many bytes are looked at together.
pub(super) const BLOCK: usize = 64;
/// So many bytes of a word are read at once.
const READ: usize = 8;
/// Bits of the filter for each word that it knows: one word in some sixty passes that it does not know.
const BITS: usize = 16;
/// The same for beginnings of words, and so many 64 bits at least.
const BEGINNING_BITS: usize = 128;
const LEAST_BEGINNINGS: usize = 256;

/// A word of a text, and by what the filter knows it.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    mark: u64,
    /// The first eight bytes.
    within: u64,
}

/// The first letters of a word: four of ASCII, or three of two bytes.
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

/// How many bytes have to be there, with spaces behind a text of so many, for [`each_word`].
pub(super) fn padded(len: usize) -> usize {
    (len / BLOCK + 1) * BLOCK + READ
}

/// Tells of each word of a folded text with spaces behind it, in order.
pub(super) fn each_word(text: &[u8], mut tell: impl FnMut(Found)) {
    let mut start = None;
    let mut last = 0;
    for (n, block) in text.as_chunks::<BLOCK>().0.iter().enumerate() {
        let in_words = word_bytes(block);
        // Where a word starts, and where it is over.
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

/// A bit for each byte of a block whose highest bit is set by `flag`, which gets eight bytes at a time.
#[inline]
fn flagged(block: &[u8; BLOCK], flag: impl Fn(u64) -> u64) -> u64 {
    let mut bits = 0;
    for (n, eight) in block.as_chunks::<READ>().0.iter().enumerate() {
        let flags = flag(u64::from_le_bytes(*eight)) & HIGH;
        // The eight flags next to one another.
        bits |= ((flags >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (n * READ);
    }
    bits
}

/// A bit for each byte of a block that belongs to a word: digits, small letters, and whatever is not ASCII.
#[inline]
fn word_bytes(block: &[u8; BLOCK]) -> u64 {
    // In each byte the highest bit says whether the seven below it are at least so much.
    let at_least = |low: u64, byte: u8| low + (0x80 - u64::from(byte)) * ONES;
    flagged(block, |bytes| {
        let low = bytes & !HIGH;
        let digit = at_least(low, b'0') & !at_least(low, b'9' + 1);
        let letter = at_least(low, b'a') & !at_least(low, b'z' + 1);
        digit | letter | bytes
    })
}

/// A bit for each byte of a block with which a character starts.
pub(super) fn first_bytes(block: &[u8; BLOCK]) -> u64 {
    // Those that go on start with 10.
    flagged(block, |bytes| !bytes | bytes << 1)
}

#[inline]
fn eight(text: &[u8], at: usize) -> u64 {
    text.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// A word by its first and last eight bytes and its length, and by its first letters. There are bytes behind the text.
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

/// The same of a word that stands alone.
fn found_alone(word: &[u8], text: &mut Vec<u8>) -> Found {
    text.clear();
    text.extend_from_slice(word);
    text.extend_from_slice(&[b' '; READ]);
    found(text, 0, word.len())
}

/// Knows words and beginnings of words, and takes a few others for them.
#[derive(Default)]
pub(super) struct Filter {
    words: Vec<u64>,
    beginnings: Vec<u64>,
    /// How far a number is shifted to lead into each.
    shifts: (u32, u32),
}

impl Filter {
    /// That knows these words, and all words that begin as the others do.
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

    /// Two bits of one number: one look into memory.
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

    /// Whether it may know the word or its beginning. Of nobody it knows nothing.
    #[inline]
    pub(super) fn passes(&self, word: Found) -> bool {
        self.knows(word) || self.knows_beginning(word)
    }

    /// Whether it may know the word.
    #[inline]
    pub(super) fn knows(&self, word: Found) -> bool {
        let (at, bits) = self.whole(word);
        self.words.get(at).is_some_and(|known| known & bits == bits)
    }

    /// Whether it may know words that begin so.
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
