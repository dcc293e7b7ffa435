//! People found in text that others wrote as they liked, and taken out of it.
//!
//! A [`Matcher`] is made from the [`Identifiers`] of one person or of many: names, mail addresses, user names, telephone numbers,
//! addresses, customer and account numbers. It looks for all of them in one pass.
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
//! // "Maud" alone is short, and could be anybody: it is reported, and stays.
//! assert_eq!(redacted.review.len(), 1);
//! # Ok::<(), relinquish::anonymise::text::TooManyPeople>(())
//! ```
//!
//! # What is found
//!
//! * Names in any order and case, with initials, with the particles that belong to them, as one word (`MaudAshworth`), and however
//!   Unicode lets a word look: composed or not, full width, ligatures, `ß` and `ss`, letters with their marks, without, or spelled out
//!   (`Müller`, `Muller`, `Mueller`), characters without width in between.
//! * Names with the endings of a language (`Kowalskiego`, `Virtaselle`, `Ивановым`), and names in scripts that have no spaces.
//! * Numbers with any separators and grouping, letters included; telephone numbers with or without their country code; a field that
//!   holds several numbers, labels and extensions.
//! * Mail addresses with a tag or without, and with signs around them.
//! * Addresses by street and house number, in usual abbreviations, with the flat or the floor.
//!
//! Everything outside a mention stays as it was, byte for byte. Two mentions with something between them are two, unless they are
//! names of one person and are written as one name: `Maud E. Ashworth`.
//!
//! # What is certain, and what is not
//!
//! A name of up to four letters, one that many people bear or that is a word (*Grace*, *Will*, *Berg*), or one that several of the
//! people searched for bear, says nothing alone. It counts where another identifier of the same person stands beside it. Elsewhere it
//! is reported for a person to look at, and not replaced. So is a name with an ending, a name in small letters, a name beside another
//! name (`Tom Ashworth`), two names of three beside another name, a name alone in a script without capitals, two names or a name and
//! an initial within a mail address of another, a street without its number or with another flat, initials alone, a date of birth, a postcode and a city. A name in
//! small letters that is a word is neither: *I will call* does not speak of Ian Will.
//!
//! # What is not found
//!
//! Nicknames, misspellings, words broken by a hyphen at the end of a line, letters with spaces between, addresses written
//! `maud (at) example.org`, letters of other scripts that look alike, numbers of fewer than four digits, images, and whatever says who it is
//! without a name. An encoded text is searched decoded only where the map names the [encoding](crate::data_map::Encoding). The measured figures stand in the [manual](crate::manual::free_text).

use core::ops::Range;
use std::fmt;

use crate::customer::Identifiers;
use crate::data_map::Kind;

mod births;
mod common_names;
mod context;
mod detect;
mod endings;
mod fold;
mod identity;
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

/// The identifiers of people, ready to be looked for. Its `Debug` shows how many there are, and nobody.
pub struct Matcher {
    people: People,
    filter: Filter,
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").field("people", &self.people.initials.len()).finish_non_exhaustive()
    }
}

/// More than one matcher can look for: four thousand million. 100,000 fit easily.
#[derive(Debug, thiserror::Error)]
#[error("there are too many people for one matcher; search for fewer at once")]
pub struct TooManyPeople;

/// A place in a text that speaks of somebody. Its `Debug` shows where and what kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention<'m> {
    /// The bytes.
    pub range: Range<usize>,
    /// What kind of identifier it is.
    pub kind: &'m Kind,
    /// Whom it means, by the order in which they were given: several where they share it.
    pub people: &'m [u32],
    /// Whether it is theirs. If not, a person should look at it.
    pub is_certain: bool,
}

/// A text without those who were searched for.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted<'m> {
    /// The text with every certain mention replaced; `None` where there was none, and it stays as it is.
    pub text: Option<String>,
    /// Mentions that are not certain, and still there: places in the text as it was.
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

    /// For nobody: what detectors find is found all the same.
    pub(crate) fn nobody() -> Self {
        Self { people: People::default(), filter: Filter::default() }
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.people.words.is_empty() && self.people.numbers.is_empty() && self.people.unspaced.is_empty()
    }

    /// For one text after the other: what a text needs is used again for the next.
    pub fn scanner(&self) -> Scanner<'_> {
        Scanner {
            matcher: self,
            folded: Folded::default(),
            scratch: Scratch::default(),
            hits: Vec::new(),
            names_alone: false,
        }
    }

    /// Every mention in a text, in order of where they start. Two may overlap: a name stands within an address.
    pub fn find(&self, text: &str) -> Vec<Mention<'_>> {
        self.scanner().find(text)
    }

    /// The text with `with` in place of every certain mention. What is written does not depend on what stood there.
    pub fn redact(&self, text: &str, with: &str) -> Redacted<'_> {
        self.scanner().redact(text, with)
    }
}

/// Looks through one text after the other.
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
    /// Every mention in a text, in order.
    pub fn find(&mut self, text: &str) -> Vec<Mention<'m>> {
        let mut mentions = Vec::new();
        self.each(text, |mention| mentions.push(mention));
        mentions
    }

    /// Tells of every mention in a text, in order.
    pub fn each(&mut self, text: &str, mut tell: impl FnMut(Mention<'m>)) {
        self.folded.fold(text);
        self.matcher.hits(text, &self.folded, &mut self.scratch, &mut self.hits);
        // In ASCII every byte stays where it is.
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

    /// The text with `with` in place of every certain mention. Names of one person that are written as one name are replaced
    /// once, with the spaces, initials and particles between them. Everything between other mentions stays.
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

    /// The text with `with` in place of every certain mention, or `None`. Tells of each mention whom it means, and whether
    /// it is certain.
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

    /// What is replaced in a text: in order, and none overlaps another.
    pub(crate) fn certain(&mut self, text: &str) -> Vec<Range<usize>> {
        self.sift(text, |_| ())
    }

    /// Certain mentions, as one where they overlap or touch; the others are told.
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

/// Adds a mention, as one with those before it that it overlaps or touches.
fn join(certain: &mut Vec<Range<usize>>, mut range: Range<usize>) {
    // One that starts with initials may reach back over several.
    while let Some(last) = certain.pop_if(|last| range.start <= last.end) {
        range = last.start.min(range.start)..last.end.max(range.end);
    }
    certain.push(range);
}
