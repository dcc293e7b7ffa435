//! Finds hits in a text: words and numbers that may mean a person. They are weighed later, by their context.

use super::fold::Folded;
use super::names::collapsed;
use super::numbers::{Digit, Number};
use super::people::{LONGEST_WORD, People, Role, is_word};
use super::streets::street;
use super::telling::goes_on;
use super::units::around;
use super::unspaced::Form as Letters;
use super::words::{BLOCK, Filter, Found, each_word, found};
use super::{Kind, Matcher};
use crate::anonymise::text::endings::follows;

/// A hit in a folded text.
#[derive(Clone, Copy)]
pub(super) struct Hit<'m> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: &'m Kind,
    pub(super) people: &'m [u32],
    pub(super) is_certain: bool,
    pub(super) name: Option<u32>,
    pub(super) form: Form,
}

/// The form of a hit. It determines how much the hit proves on its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is known.
    Plain,
    /// A name with an ending.
    Inflected,
    /// The first letters of names.
    Monogram,
    /// A name in an e-mail address of another person.
    InMail,
    /// A place. It counts only if it is written with a capital.
    Place,
    /// A name as it stands in its field, every word of which is written with a capital.
    Whole,
    /// Adjacent names that are all words, in small letters.
    Words,
}

/// The buffers that are reused for each text.
#[derive(Default)]
pub(super) struct Scratch {
    run: Vec<Digit>,
    key: Vec<u8>,
}

/// Whether a text contains letters written as initials (`MA`, `M.`, `M A`), and is not written completely in
/// capitals.
fn has_initials(original: &str) -> bool {
    let bytes = original.as_bytes();
    let is_initial = |at: usize| {
        let is_capital = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_uppercase);
        is_capital(at)
            && match bytes.get(at + 1) {
                Some(b' ' | b'-') => is_capital(at + 2),
                Some(byte) => *byte == b'.' || byte.is_ascii_uppercase(),
                None => false,
            }
    };
    // Most blocks have no capitals. They are skipped as a whole.
    let mut blocks = bytes.chunks(BLOCK).enumerate();
    let found = blocks.any(|(n, block)| {
        block.iter().fold(false, |any, byte| any | byte.is_ascii_uppercase())
            && (n * BLOCK..n * BLOCK + block.len()).any(is_initial)
    });
    found && original.chars().any(char::is_lowercase)
}

pub(super) fn range(text: &[u8], start: usize, end: usize) -> &[u8] {
    text.get(start..end).unwrap_or_default()
}

/// The text in which words are looked up.
struct Looked<'s> {
    /// With spaces behind it.
    padded: &'s [u8],
    text: &'s [u8],
    filter: &'s Filter,
}

impl Matcher {
    /// Finds all hits, in order.
    pub(super) fn hits<'m>(
        &'m self,
        original: &str,
        folded: &Folded,
        scratch: &mut Scratch,
        hits: &mut Vec<Hit<'m>>,
    ) {
        hits.clear();
        let people = &self.people;
        let looked = Looked { padded: folded.padded(), text: folded.text(), filter: &self.filter };
        each_word(folded.padded(), |word| {
            if self.filter.passes(word) {
                people.look_up(&looked, word, scratch, hits);
            }
        });
        let has_initials = !people.monograms.is_empty() && has_initials(original);
        if has_initials || folded.has_unspaced() {
            looked.again(people, has_initials, scratch, hits);
        }
        people.numbers.find(looked.text, &mut scratch.run, |number: &'m Number, start, end| {
            let is_certain = number.is_certain_in(looked.text, start, end);
            hits.push(Hit { is_certain, ..Hit::of(&number.kind, &number.people, start, end) });
        });
        people.unspaced.find(looked.text, |form: &'m Letters, start, end| {
            let hit = Hit::of(&form.kind, &form.people, start, end);
            let is_certain = form.is_certain && form.people.len() == 1;
            let how = if form.kind == Kind::City { Form::Place } else { Form::Plain };
            hits.push(Hit { is_certain, name: form.name, form: how, ..hit });
        });
        hits.sort_by_key(|hit| (hit.start, hit.end));
        hits.dedup_by_key(|hit| {
            (hit.start, hit.end, hit.name, hit.form == Form::Inflected, hit.is_certain, hit.kind)
        });
    }
}

impl Looked<'_> {
    /// Searches that only few texts need: initials alone, and words of several scripts. They are separate, so that
    /// the first scan of every text is fast.
    #[cold]
    #[inline(never)]
    fn again<'m>(
        &self,
        people: &'m People,
        has_initials: bool,
        scratch: &mut Scratch,
        hits: &mut Vec<Hit<'m>>,
    ) {
        each_word(self.padded, |word| {
            if has_initials && word.end - word.start <= 4 {
                people.monogram_at(self.text, (word.start, word.end), &mut scratch.key, hits);
            }
            self.each_script(word, |part| people.look_up(self, part, scratch, hits));
        });
    }

    /// Calls a closure for the parts of a word that are in different scripts.
    fn each_script(&self, word: Found, mut tell: impl FnMut(Found)) {
        let bytes = range(self.text, word.start, word.end);
        let mut at = word.start;
        for part in bytes.chunk_by(|one, other| one.is_ascii() == other.is_ascii()) {
            let (start, end) = (at, at + part.len());
            at = end;
            let part_found = found(self.padded, start, end);
            if part.len() < bytes.len() && self.filter.passes(part_found) {
                tell(part_found);
            }
        }
    }
}

impl<'m> Hit<'m> {
    fn of(kind: &'m Kind, people: &'m [u32], start: usize, end: usize) -> Self {
        Self { start, end, kind, people, is_certain: true, name: None, form: Form::Plain }
    }
}

impl People {
    /// Finds all hits of which one word of a text may be a part.
    #[inline(never)]
    fn look_up<'m>(
        &'m self,
        looked: &Looked<'_>,
        word: Found,
        scratch: &mut Scratch,
        hits: &mut Vec<Hit<'m>>,
    ) {
        let key = &mut scratch.key;
        let (start, end) = (word.start, word.end);
        let bytes = range(looked.text, start, end);
        if bytes.len() > LONGEST_WORD {
            return;
        }
        if looked.filter.knows(word) {
            let known = self.words.get(bytes);
            for role in known.into_iter().flatten() {
                self.at_role(looked.text, (start, end), *role, key, hits);
            }
            let has_places = !self.phrases.is_empty() || !self.streets.is_empty();
            let short = if has_places { street(bytes) } else { bytes };
            if short != bytes {
                for role in self.words.get(short).into_iter().flatten() {
                    if matches!(role, Role::Phrase(..) | Role::Street(_)) {
                        self.at_role(looked.text, (start, end), *role, key, hits);
                    }
                }
            }
            let is_name = known.is_some_and(|roles| roles.iter().any(|role| matches!(role, Role::Name(_))));
            if !is_name
                && bytes.len() >= 4
                && bytes.windows(2).any(|two| matches!(two, b"ae" | b"oe" | b"ue" | b"aa"))
                && let Ok(text) = std::str::from_utf8(bytes)
                && let Some(id) = self.name_ids.get(collapsed(text).as_bytes())
            {
                self.name_at((start, end), *id, Form::Plain, hits);
            }
        }
        if looked.filter.knows_beginning(word) {
            self.parts_of(looked, (start, end), hits);
        }
    }

    /// Finds a stem with its ending, or two names in one word.
    fn parts_of<'m>(&'m self, looked: &Looked<'_>, (start, end): (usize, usize), hits: &mut Vec<Hit<'m>>) {
        for at in start + 2..end {
            // Check each position between two letters at which a known stem ends.
            if looked.text.get(at).is_none_or(|byte| byte & 0xC0 == 0x80)
                || !looked.filter.knows(found(looked.padded, start, at))
            {
                continue;
            }
            let (stem, rest) = (range(looked.text, start, at), range(looked.text, at, end));
            for role in self.words.get(stem).into_iter().flatten() {
                match role {
                    Role::Stem(id, rule)
                        if std::str::from_utf8(rest).is_ok_and(|rest| follows(*rule, rest)) =>
                    {
                        self.name_at((start, end), *id, Form::Inflected, hits);
                    }
                    Role::Name(one) if stem.len() >= 2 && rest.len() >= 2 => {
                        for role in self.words.get(rest).into_iter().flatten() {
                            if let Role::Name(other) = role
                                && stem.len() + rest.len() >= 5
                                && let Some(people) = self.pairs.get(&(*one.min(other), *one.max(other)))
                            {
                                hits.push(Hit::of(&Kind::Name, people, start, end));
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn at_role<'m>(
        &'m self,
        text: &[u8],
        (start, end): (usize, usize),
        role: Role,
        key: &mut Vec<u8>,
        hits: &mut Vec<Hit<'m>>,
    ) {
        match role {
            Role::Name(id) => self.name_at((start, end), id, Form::Plain, hits),
            Role::Behind(id, len) => self.name_at((start + usize::from(len), end), id, Form::Plain, hits),
            Role::Stem(..) => {}
            Role::Exact(before, len) => {
                let Some(from) = start.checked_sub(before.into()) else { return };
                let to = from + usize::from(len);
                let found = text.get(from..to).and_then(|bytes| self.exact.get(bytes));
                if let Some(found) = found.filter(|_| stands_alone(text, from, to)) {
                    let hit = Hit::of(&found.kind, &found.people, from, to);
                    hits.push(Hit { is_certain: !found.is_weak, ..hit });
                }
            }
            Role::Mail(before, len) => {
                let Some(from) = start.checked_sub(before.into()) else { return };
                self.mail_at(text, from, from + usize::from(len), key, hits);
            }
            Role::Phrase(before, behind) => self.phrase_at(text, (start, end), (before, behind), key, hits),
            Role::Street(id) => {
                if let Some(found) = self.streets.at(text, (start, end), id) {
                    let hit = Hit::of(found.kind, found.people, found.start, found.end);
                    let form = if found.needs_capital { Form::Place } else { Form::Plain };
                    hits.push(Hit { is_certain: found.is_certain, form, ..hit });
                }
            }
            Role::Year(id) => {
                if let Some((birth, people)) = self.births.get(id as usize)
                    && let Some((from, to)) = birth.around(text, (start, end))
                {
                    hits.push(Hit { is_certain: false, ..Hit::of(&Kind::BirthDate, people, from, to) });
                }
            }
        }
    }

    fn name_at<'m>(&'m self, (start, end): (usize, usize), id: u32, form: Form, hits: &mut Vec<Hit<'m>>) {
        let Some(name) = self.names.get(id as usize) else { return };
        let hit = Hit::of(&Kind::Name, &name.people, start, end);
        hits.push(Hit { is_certain: !name.is_weak, name: Some(id), form, ..hit });
    }

    /// Finds an e-mail address from its local part on, with or without a tag.
    fn mail_at<'m>(
        &'m self,
        text: &[u8],
        from: usize,
        to: usize,
        key: &mut Vec<u8>,
        hits: &mut Vec<Hit<'m>>,
    ) {
        let Some(local) = text.get(from..to) else { return };
        let behind = range(text, to, text.len());
        let tag = match behind.first() {
            Some(b'+') => behind
                .iter()
                .take(LONGEST_WORD)
                .take_while(|byte| **byte != b'@' && is_in_mail(**byte))
                .count(),
            _ => 0,
        };
        let behind = behind.get(tag..).unwrap_or_default();
        let Some(sign) = MAIL_SIGNS.iter().find(|sign| behind.starts_with(sign)) else { return };
        let domain = to + tag + sign.len();
        let long = range(text, domain, text.len()).iter().take(255);
        let mut last = b'.';
        // Letters of another script begin another word: `maud@example.org签收`.
        let len = long
            .take_while(|byte| {
                let is_other = last.is_ascii_alphanumeric() && !byte.is_ascii();
                last = **byte;
                !is_other && (is_word(**byte) || matches!(byte, b'.' | b'-'))
            })
            .count();
        let mut name = range(text, domain, domain + len);
        if let Some(dots) = name.windows(2).position(|two| two == b"..") {
            name = range(name, 0, dots);
        }
        let end = name.iter().rposition(|byte| is_word(*byte)).map_or(0, |at| at + 1);
        name = range(name, 0, end);
        let place = mail_place(text, from);
        // Also try without the last part of the domain: it may be the start of a sentence without a space before it.
        let shorter = name.iter().rposition(|byte| *byte == b'.').map(|dot| range(name, 0, dot));
        for (name, is_whole) in [(Some(name), true), (shorter, false)] {
            let Some(name) = name else { continue };
            key.clear();
            key.extend_from_slice(local);
            key.push(b'@');
            key.extend_from_slice(name);
            if let Some(found) = self.mails.get(key.as_slice())
                && place != Place::Within
            {
                let hit = Hit::of(&found.kind, &found.people, from, domain + name.len());
                hits.push(Hit { is_certain: is_whole && place == Place::Alone, ..hit });
            }
        }
    }

    fn phrase_at<'m>(
        &'m self,
        text: &[u8],
        (start, end): (usize, usize),
        (before, behind): (u8, u8),
        key: &mut Vec<u8>,
        hits: &mut Vec<Hit<'m>>,
    ) {
        // Letters of two scripts are two words, or one: `12а` ends in a letter of Cyrillic.
        for (word_before, word_behind) in STEPS {
            let Some((from, to)) = reach(text, (start, end), (before, word_before), (behind, word_behind))
            else {
                continue;
            };
            key.clear();
            let mut at = from;
            while at < to {
                let len = range(text, at, to).iter().take_while(|b| is_word(**b)).count();
                if len == 0 {
                    at += 1;
                    continue;
                }
                if !key.is_empty() {
                    key.push(b' ');
                }
                key.extend_from_slice(street(range(text, at, at + len)));
                at += len;
            }
            if let Some(found) = self.phrases.get(key.as_slice()) {
                let form = match found.kind {
                    Kind::City => Form::Place,
                    Kind::Name => Form::Whole,
                    _ => Form::Plain,
                };
                // With a flat beside it, the street and its household say whose it is.
                let has_flat = || !around(text, (from, to), &|_| false).2.is_empty();
                let is_place = matches!(found.kind, Kind::Address | Kind::Location);
                let is_part = goes_on(text, from, to) || is_place && has_flat();
                let hit = Hit::of(&found.kind, &found.people, from, to);
                hits.push(Hit { is_certain: !found.is_weak && !is_part, form, ..hit });
                return;
            }
        }
    }

    /// Finds initials that begin here, if this is the first one: `MA`, `M.A.`, `M. A.`
    fn monogram_at<'m>(
        &'m self,
        text: &[u8],
        (start, end): (usize, usize),
        key: &mut Vec<u8>,
        hits: &mut Vec<Hit<'m>>,
    ) {
        let mut to = end;
        key.clear();
        key.extend_from_slice(range(text, start, end));
        let mut found = self.monogram(key).map(|people| (people, to));
        if key.len() == 1 && !letter_before(text, start) {
            while let Some((from, last)) = word_behind(text, to)
                && last - from == 1
                && key.len() < 4
                && matches!(range(text, to, from), b"." | b". " | b" " | b"-" | b".-")
            {
                key.extend_from_slice(range(text, from, last));
                to = last;
                // Remember the initials so far, because the next letter may be a word.
                found = self.monogram(key).map(|people| (people, to)).or(found);
            }
        }
        if let Some((people, to)) = found {
            let to = to + usize::from(end - start == 1 && text.get(to) == Some(&b'.'));
            let hit = Hit::of(&Kind::Name, people, start, to);
            hits.push(Hit { is_certain: false, form: Form::Monogram, ..hit });
        }
    }

    /// The people with these initials, in any order.
    fn monogram(&self, letters: &[u8]) -> Option<&[u32]> {
        let mut sorted = [0; 4];
        let sorted = sorted.get_mut(..letters.len()).filter(|sorted| sorted.len() >= 2)?;
        sorted.copy_from_slice(letters);
        sorted.sort_unstable();
        self.monograms.get(&*sorted).map(Vec::as_slice)
    }
}

/// Whether there is another initial before this one. The search begins at the first initial.
fn letter_before(text: &[u8], at: usize) -> bool {
    word_before(text, at).is_some_and(|(from, to)| {
        to - from == 1 && matches!(range(text, to, at), b"." | b". " | b"-" | b".-")
    })
}

/// Whether a range is a whole word: no part of the word is before or after it.
fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    // A letter of another script begins another word.
    let is_one_word = |one: Option<&u8>, other: Option<&u8>| {
        one.zip(other).is_some_and(|(one, other)| {
            is_word(*one) && is_word(*other) && one.is_ascii() == other.is_ascii()
        })
    };
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    let last = end.checked_sub(1).and_then(|at| text.get(at));
    !is_one_word(before, text.get(start)) && !is_one_word(last, text.get(end))
}

/// Whether a byte may be inside an e-mail address.
pub(super) fn is_in_mail(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b'-' | b'_' | b'+' | b'%')
}

/// Whether an e-mail address that starts here is complete.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Alone,
    /// Unclear: there is a word before it, and a sign that may or may not belong to the address.
    Doubtful,
    /// No: it is the end of another address.
    Within,
}

/// The sign of a mail address, in the address of a web page and with spaces as well.
const MAIL_SIGNS: [&[u8]; 3] = [b"@", b"%40", b" @ "];

/// Labels that may be directly before an address.
const MAIL_LABELS: [&[u8]; 9] =
    [b"mail", b"email", b"e-mail", b"mailto", b"epost", b"e-post", b"correo", b"courriel", b"to"];

fn mail_place(text: &[u8], from: usize) -> Place {
    let before = range(text, 0, from);
    let signs = before
        .iter()
        .rev()
        .take(8)
        .take_while(|byte| matches!(byte, b'.' | b'-' | b'_' | b'+' | b'%'))
        .count();
    let (before, signs) = before.split_at(before.len() - signs);
    let is_ascii = text.get(from).is_some_and(u8::is_ascii);
    let Some(last) = before.last().filter(|last| is_word(**last)) else { return Place::Alone };
    // Letters of another script do not belong to an address in Latin letters.
    if !last.is_ascii() && is_ascii {
        return Place::Alone;
    }
    if signs.len() >= 2 || MAIL_LABELS.iter().any(|label| before.ends_with(label)) && !signs.is_empty() {
        return Place::Alone;
    }
    match signs {
        b"-" | b"_" => Place::Doubtful,
        _ => Place::Within,
    }
}

/// A function that finds the word before or after a position.
pub(super) type Step = fn(&[u8], usize) -> Option<(usize, usize)>;

/// The steps from word to word, and those over words of several scripts.
const STEPS: [(Step, Step); 2] = [(word_before, word_behind), (mixed_before, mixed_behind)];

/// From where to where so many words before a place and behind it reach.
fn reach(
    text: &[u8],
    (start, end): (usize, usize),
    (before, word_before): (u8, Step),
    (behind, word_behind): (u8, Step),
) -> Option<(usize, usize)> {
    let (mut from, mut to) = (start, end);
    for _ in 0..before {
        from = word_before(text, from)?.0;
    }
    for _ in 0..behind {
        to = word_behind(text, to)?.1;
    }
    Some((from, to))
}

fn mixed_before(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let (_, end) = word_before(text, at)?;
    let len = range(text, 0, end).iter().rev().take(LONGEST_WORD + 1).take_while(|b| is_word(**b)).count();
    Some((end - len, end))
}

fn mixed_behind(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let (start, _) = word_behind(text, at)?;
    let rest = range(text, start, text.len());
    let len = rest.iter().take(LONGEST_WORD + 1).take_while(|b| is_word(**b)).count();
    Some((start, start + len))
}

/// The maximum number of bytes between two words of a phrase.
const PHRASE_GAP: usize = 6;

pub(super) fn word_before(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let gap = range(text, 0, at).iter().rev().take(PHRASE_GAP + 1).take_while(|b| !is_word(**b)).count();
    let end = at.checked_sub(gap)?;
    let is_ascii = text.get(end.checked_sub(1)?)?.is_ascii();
    let is_same = |byte: &&u8| is_word(**byte) && byte.is_ascii() == is_ascii;
    let len = range(text, 0, end).iter().rev().take(LONGEST_WORD + 1).take_while(is_same).count();
    ((1..=PHRASE_GAP).contains(&gap) && len > 0).then(|| (end - len, end))
}

pub(super) fn word_behind(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = text.get(at..)?;
    let gap = rest.iter().take(PHRASE_GAP + 1).take_while(|b| !is_word(**b)).count();
    let start = at + gap;
    let is_ascii = text.get(start)?.is_ascii();
    let is_same = |byte: &&u8| is_word(**byte) && byte.is_ascii() == is_ascii;
    let len = text.get(start..)?.iter().take(LONGEST_WORD + 1).take_while(is_same).count();
    ((1..=PHRASE_GAP).contains(&gap) && len > 0).then(|| (start, start + len))
}
