//! Combines the search for people with detectors, as a policy requires.

use core::ops::Range;
use std::borrow::Cow;
use std::collections::BTreeSet;

use super::detect::{Detector, ranges};
use super::{Matcher, Scanner};
use crate::anonymise::encoded::{decoded, encoded, read, wrapped};
use crate::data_map::Encoding;

/// The people and the detectors for a search.
#[derive(Clone, Copy)]
pub(crate) struct Sought<'s> {
    pub(crate) people: &'s Matcher,
    pub(crate) also: &'s BTreeSet<Detector>,
    /// Whether any name alone counts as certain.
    pub(crate) names_alone: bool,
    /// How the texts are encoded.
    pub(crate) encoding: Encoding,
}

/// The maximum number of passes with the policy's replacement. After a pass, the neighbouring text and the
/// replacement may look like a new finding. So detectors run until they find nothing. After this number of passes the
/// replacement is an asterisk, which is never a part of a finding.
const PASSES: usize = 4;

impl<'s> Sought<'s> {
    pub(crate) fn search(self) -> Search<'s> {
        let mut scanner = self.people.scanner();
        scanner.names_alone = self.names_alone;
        Search { scanner, also: self.also, encoding: self.encoding }
    }

    /// The replacement of a mention, in the encoding of the texts.
    pub(crate) fn spelled(self, with: &str) -> Cow<'_, str> {
        encoded(self.encoding, with)
    }

    /// Replaces everything that is searched for with `with`. `None` if nothing was found.
    pub(crate) fn redact(self, text: &str, with: &str) -> Option<String> {
        let mut search = self.search();
        let redacted: Result<_, std::convert::Infallible> = self.exhaust(text, with, |text, with| {
            let found = search.ranges(text);
            Ok((!found.is_empty()).then(|| replaced(text, &found, &encoded(self.encoding, with))))
        });
        redacted.unwrap_or_default().map(|redacted| wrapped(self.encoding, text, redacted))
    }

    /// Repeats a pass over a text until nothing is found. Without detectors, one pass is enough.
    pub(crate) fn exhaust<E>(
        self,
        text: &str,
        with: &str,
        mut pass: impl FnMut(&str, &str) -> Result<Option<String>, E>,
    ) -> Result<Option<String>, E> {
        let mut redacted: Option<String> = None;
        for n in 0_usize.. {
            let with = if n < PASSES { with } else { "*" };
            let Some(less) = pass(redacted.as_deref().unwrap_or(text), with)? else { break };
            redacted = Some(less);
            if self.also.is_empty() {
                break;
            }
        }
        Ok(redacted)
    }
}

/// Searches many texts, one after the other.
pub(crate) struct Search<'s> {
    scanner: Scanner<'s>,
    also: &'s BTreeSet<Detector>,
    encoding: Encoding,
}

impl Search<'_> {
    /// The ranges to replace in a text. They are in order, and do not overlap.
    pub(crate) fn ranges(&mut self, text: &str) -> Vec<Range<usize>> {
        match decoded(self.encoding, text) {
            None => self.ranges_read(text),
            Some(decoded) => self.ranges_read(&decoded.text).iter().map(|place| decoded.raw(place)).collect(),
        }
    }

    /// The ranges in a decoded text.
    fn ranges_read(&mut self, text: &str) -> Vec<Range<usize>> {
        let certain = self.scanner.certain(text);
        if self.also.is_empty() { certain } else { merged(certain, ranges(text, self.also)) }
    }

    /// The number of uncertain mentions. They stay.
    pub(crate) fn uncertain(&mut self, text: &str) -> usize {
        let read = read(self.encoding, text);
        let text = &*read;
        let review = self.scanner.redact(text, "").review;
        if review.is_empty() || self.also.is_empty() {
            return review.len();
        }
        let gone = ranges(text, self.also);
        let goes =
            |range: &Range<usize>| gone.iter().any(|gone| gone.start < range.end && range.start < gone.end);
        review.iter().filter(|mention| !goes(&mention.range)).count()
    }
}

/// Merges two lists of ranges. Ranges that overlap become one.
fn merged(mut first: Vec<Range<usize>>, second: Vec<Range<usize>>) -> Vec<Range<usize>> {
    first.extend(second);
    first.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(first.len());
    for range in first {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Replaces these ranges of a text.
pub(crate) fn replaced(text: &str, places: &[Range<usize>], with: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut from = 0;
    for range in places {
        redacted.push_str(text.get(from..range.start).unwrap_or_default());
        redacted.push_str(with);
        from = range.end;
    }
    redacted.push_str(text.get(from..).unwrap_or_default());
    redacted
}
