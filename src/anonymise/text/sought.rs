//! People and shapes together: what a policy has taken out of a text.

use core::ops::Range;
use std::borrow::Cow;
use std::collections::BTreeSet;

use super::detect::{Detector, ranges};
use super::{Matcher, Scanner};
use crate::anonymise::encoded::{decoded, encoded, read, wrapped};
use crate::data_map::Encoding;

/// Whom a text is searched for, and what detectors take out of it as well, whoever's it is.
#[derive(Clone, Copy)]
pub(crate) struct Sought<'s> {
    pub(crate) people: &'s Matcher,
    pub(crate) also: &'s BTreeSet<Detector>,
    /// Whether a name alone is certain, whatever the name.
    pub(crate) names_alone: bool,
    /// How the texts are encoded.
    pub(crate) encoding: Encoding,
}

/// How often what the policy says is put in place of what a detector finds. What stands side by side then may look like
/// something again, so detectors are asked until they find nothing; an asterisk, which is a part of no shape, brings that
/// to an end.
const PASSES: usize = 4;

impl<'s> Sought<'s> {
    pub(crate) fn search(self) -> Search<'s> {
        let mut scanner = self.people.scanner();
        scanner.names_alone = self.names_alone;
        Search { scanner, also: self.also, encoding: self.encoding }
    }

    /// What stands in place of a mention, as the texts are encoded.
    pub(crate) fn spelled(self, with: &str) -> Cow<'_, str> {
        encoded(self.encoding, with)
    }

    /// The text with `with` in place of everything that is sought; `None` where there is nothing.
    pub(crate) fn redact(self, text: &str, with: &str) -> Option<String> {
        let mut search = self.search();
        let redacted: Result<_, std::convert::Infallible> = self.exhaust(text, with, |text, with| {
            let found = search.ranges(text);
            Ok((!found.is_empty()).then(|| replaced(text, &found, &encoded(self.encoding, with))))
        });
        redacted.unwrap_or_default().map(|redacted| wrapped(self.encoding, text, redacted))
    }

    /// Goes over a text until nothing is found in it, where detectors are asked; once where they are not.
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

/// Goes through one text after the other.
pub(crate) struct Search<'s> {
    scanner: Scanner<'s>,
    also: &'s BTreeSet<Detector>,
    encoding: Encoding,
}

impl Search<'_> {
    /// What is replaced in a text: in order, and none overlaps another.
    pub(crate) fn ranges(&mut self, text: &str) -> Vec<Range<usize>> {
        match decoded(self.encoding, text) {
            None => self.ranges_read(text),
            Some(decoded) => self.ranges_read(&decoded.text).iter().map(|place| decoded.raw(place)).collect(),
        }
    }

    /// The same of a text as people read it.
    fn ranges_read(&mut self, text: &str) -> Vec<Range<usize>> {
        let certain = self.scanner.certain(text);
        if self.also.is_empty() { certain } else { merged(certain, ranges(text, self.also)) }
    }

    /// How many mentions are not certain, and stay.
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

/// All of them in order, those that overlap as one.
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

/// A text with something else in these places.
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
