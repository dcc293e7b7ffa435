//! Finds mentions of people in free text, and removes them.
//!
//! A [`Matcher`] is made from the [`Identifiers`] of one person or of many: names, e-mail addresses, user names,
//! telephone numbers, addresses, customer and account numbers. It searches for all of them in one pass.
//!
//! ```
//! use relinquish::anonymise::text::Matcher;
//! use relinquish::customer::Identifiers;
//! use relinquish::data_map::Kind;
//!
//! let mut maud = Identifiers::new();
//! maud.insert(Kind::Name, "Maud Ashworth");
//! maud.insert(Kind::Phone, "+44 20 7946 0018");
//! let matcher = Matcher::new([&maud])?;
//!
//! let note = "Spoke to ASHWORTH, M. on 020 7946-0018. Grace will call Maud's neighbour.";
//! let redacted = matcher.redact(note, "[erased]");
//! assert_eq!(
//!     redacted.text.as_deref(),
//!     Some("Spoke to [erased] on [erased]. Grace will call Maud's neighbour.")
//! );
//! // "Maud" alone is short, and may mean somebody else: it is reported, but stays.
//! assert_eq!(redacted.review.len(), 1);
//! # Ok::<(), relinquish::anonymise::text::TooManyPeople>(())
//! ```
//!
//! # What is found
//!
//! * Names in any order and case, with initials, with their particles, and as one word (`MaudAshworth`). All Unicode
//!   spellings are found: composed or decomposed, full width, ligatures, `ß` and `ss`, with zero-width characters,
//!   and letters with, without or with spelled-out accents (`Müller`, `Muller`, `Mueller`).
//! * Inflected names (`Kowalskiego`, `Virtaselle`, `Ивановым`), and names in scripts without spaces.
//! * Numbers with any separators and grouping, including letters. Telephone numbers with or without the country code.
//!   A field may contain several numbers, labels and extensions.
//! * E-mail addresses with or without a tag, and with signs around them.
//! * Addresses by street and house number, in usual abbreviations, with the flat or the floor.
//!
//! Everything outside a mention stays byte-identical. Two mentions with text between them are replaced separately,
//! unless they are names of one person, written as one name: `Maud E. Ashworth`.
//!
//! # What is certain, and what is not
//!
//! A *weak* name identifies nobody on its own. Weak names are names of up to four letters, names that are common or
//! words (*Grace*, *Will*, *Berg*), and names that several of the searched people have. A weak name is certain only
//! beside another identifier of the same person. Elsewhere it is reported for an operator, but not replaced.
//!
//! The following are only reported, too:
//! * an inflected name, a name in small letters, or a name alone in a script without capitals;
//! * a name beside another word with a capital, and two of three names beside another name;
//! * two names, or a name and an initial, in an e-mail address of another person;
//! * a street without its number, or with another flat;
//! * initials alone, a date of birth, a postcode, a city.
//!
//! A name in small letters that is also a word is neither replaced nor reported: *I will call* does not mention Ian
//! Will. The same holds for a name beside which a name of somebody else stands: *Tom Ashworth* is not Maud Ashworth.
//!
//! # What is not found
//!
//! Nicknames, misspellings, words that are hyphenated at the end of a line, letters with spaces between them,
//! addresses such as `maud (at) example.org`, letters of other scripts that look alike, numbers of fewer than four
//! digits, images, and descriptions without a name. An encoded text is decoded for the search only if the map names
//! the [encoding](crate::data_map::Encoding). The measured rates are in the [manual](crate::manual::free_text).

use core::ops::Range;
use std::fmt;

use crate::customer::Identifiers;
use crate::data_map::Kind;

mod another;
mod births;
mod common_names;
mod context;
mod detect;
mod endings;
mod fold;
mod identity;
mod known_names;
mod names;
mod numbers;
mod people;
mod phones;
mod scan;
mod sought;
mod streets;
mod telling;
mod units;
mod unspaced;
mod words;

pub(crate) use detect::first_of;
pub use detect::{Detected, Detector, UnknownDetector, detect};
pub(crate) use identity::Forms;
pub(crate) use sought::{Sought, replaced};

use context::View;
use fold::Folded;
use people::People;
use scan::{Hit, Scratch};
use words::Filter;

/// Searches texts for the identifiers of people. Its `Debug` shows only their number.
pub struct Matcher {
    people: People,
    filter: Filter,
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").field("people", &self.people.initials.len()).finish_non_exhaustive()
    }
}

/// The error that there are too many people for one matcher. The limit is about four thousand million. 100,000 people
/// are no problem.
#[derive(Debug, thiserror::Error)]
#[error("there are too many people for one matcher; search for fewer at once")]
pub struct TooManyPeople;

/// A mention of a person in a text. Its `Debug` shows only the range and the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention<'m> {
    /// The bytes.
    pub range: Range<usize>,
    /// The kind of the identifier.
    pub kind: &'m Kind,
    /// The people whom it may mean, by their index in the input. There are several if they share the identifier.
    pub people: &'m [u32],
    /// Whether the mention is certain. If not, an operator should check it.
    pub is_certain: bool,
}

/// The result of redacting a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted<'m> {
    /// The text with every certain mention replaced. `None` if there was none: the text stays unchanged.
    pub text: Option<String>,
    /// The uncertain mentions. They are still in the text. Their ranges are those in the original text.
    pub review: Vec<Mention<'m>>,
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redacted")
            .field("is_changed", &self.text.is_some())
            .field("review", &self.review)
            .finish()
    }
}

impl Matcher {
    /// For these people.
    ///
    /// # Errors
    /// [`TooManyPeople`].
    pub fn new<'i>(people: impl IntoIterator<Item = &'i Identifiers>) -> Result<Self, TooManyPeople> {
        let mut all = People::default();
        for identifiers in people {
            all.add(identifiers)?;
        }
        let (words, beginnings) = all.forms();
        let filter = Filter::new(&words, &beginnings);
        Ok(Self { people: all, filter })
    }

    /// A matcher for nobody. Detectors still work with it.
    pub(crate) fn nobody() -> Self {
        Self { people: People::default(), filter: Filter::default() }
    }

    /// Whether there is nothing to search for.
    pub fn is_empty(&self) -> bool {
        self.people.words.is_empty() && self.people.numbers.is_empty() && self.people.unspaced.is_empty()
    }

    /// A scanner for many texts. It reuses its buffers from one text to the next.
    pub fn scanner(&self) -> Scanner<'_> {
        Scanner {
            matcher: self,
            folded: Folded::default(),
            scratch: Scratch::default(),
            hits: Vec::new(),
            names_alone: false,
        }
    }

    /// All mentions in a text, in the order of their starts. Mentions may overlap, for example a name inside an
    /// address.
    pub fn find(&self, text: &str) -> Vec<Mention<'_>> {
        self.scanner().find(text)
    }

    /// Replaces every certain mention in a text with `with`. The replacement does not depend on the mention.
    pub fn redact(&self, text: &str, with: &str) -> Redacted<'_> {
        self.scanner().redact(text, with)
    }
}

/// Searches many texts, one after the other.
pub struct Scanner<'m> {
    matcher: &'m Matcher,
    folded: Folded,
    scratch: Scratch,
    hits: Vec<Hit<'m>>,
    names_alone: bool,
}

impl fmt::Debug for Scanner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner").field("matcher", self.matcher).finish_non_exhaustive()
    }
}

impl<'m> Scanner<'m> {
    /// All mentions in a text, in order.
    pub fn find(&mut self, text: &str) -> Vec<Mention<'m>> {
        let mut mentions = Vec::new();
        self.each(text, |mention| mentions.push(mention));
        mentions
    }

    /// Calls a closure for every mention in a text, in order.
    pub fn each(&mut self, text: &str, mut tell: impl FnMut(Mention<'m>)) {
        self.folded.fold(text);
        self.matcher.hits(text, &self.folded, &mut self.scratch, &mut self.hits);
        // In an ASCII text, folding does not move bytes.
        let is_plain = text.is_ascii();
        if !is_plain && !self.hits.is_empty() {
            self.folded.retrace(text);
        }
        if !self.hits.is_empty() {
            let view = View { original: text, folded: &self.folded, is_plain, names_alone: self.names_alone };
            self.matcher.weigh(&view, &mut self.hits);
        }
        for hit in &self.hits {
            let range = if is_plain {
                hit.start..hit.end
            } else {
                self.folded.start(hit.start)..self.folded.end(hit.end, text)
            };
            tell(Mention { range, kind: hit.kind, people: hit.people, is_certain: hit.is_certain });
        }
    }

    /// Replaces every certain mention in a text with `with`. Names of one person that are written as one name are
    /// replaced once, together with the spaces, initials and particles between them. Everything between other
    /// mentions stays.
    pub fn redact(&mut self, text: &str, with: &str) -> Redacted<'m> {
        let mut review = Vec::new();
        let certain = self.sift(text, |mention| review.push(mention));
        review.retain(|mention| {
            !certain.iter().any(|range| range.start < mention.range.end && mention.range.start < range.end)
        });
        if certain.is_empty() {
            return Redacted { text: None, review };
        }
        Redacted { text: Some(sought::replaced(text, &certain, with)), review }
    }

    /// Does the same, and calls a closure for each mention, with its people and whether it is certain. `None` if
    /// nothing was replaced.
    pub(crate) fn redact_telling(
        &mut self,
        text: &str,
        with: &str,
        mut tell: impl FnMut(&[u32], bool),
    ) -> Option<String> {
        let (mut all, mut certain) = (Vec::new(), Vec::new());
        self.each(text, |mention| all.push(mention));
        for mention in &all {
            if mention.is_certain {
                tell(mention.people, true);
                join(&mut certain, mention.range.clone());
            }
        }
        let is_taken_out = |range: &Range<usize>| {
            certain.iter().any(|taken| taken.start < range.end && range.start < taken.end)
        };
        for mention in all.iter().filter(|mention| !mention.is_certain && !is_taken_out(&mention.range)) {
            tell(mention.people, false);
        }
        (!certain.is_empty()).then(|| sought::replaced(text, &certain, with))
    }

    /// The ranges to replace in a text. They are in order, and do not overlap.
    pub(crate) fn certain(&mut self, text: &str) -> Vec<Range<usize>> {
        self.sift(text, |_| ())
    }

    /// The ranges of the certain mentions. Ranges that overlap or touch are merged. Calls a closure for the uncertain
    /// mentions.
    fn sift(&mut self, text: &str, mut uncertain: impl FnMut(Mention<'m>)) -> Vec<Range<usize>> {
        let mut certain: Vec<Range<usize>> = Vec::new();
        self.each(text, |mention| {
            if !mention.is_certain {
                uncertain(mention);
                return;
            }
            join(&mut certain, mention.range);
        });
        certain
    }
}

/// Adds a range, and merges it with earlier ranges that it overlaps or touches.
fn join(certain: &mut Vec<Range<usize>>, mut range: Range<usize>) {
    // A mention that starts with initials may overlap several earlier ranges.
    while let Some(last) = certain.pop_if(|last| range.start <= last.end) {
        range = last.start.min(range.start)..last.end.max(range.end);
    }
    certain.push(range);
}
