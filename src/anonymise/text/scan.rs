//! Finding people in a text: hits of words and numbers, and what they say of one another.

use super::fold::Folded;
use super::numbers::{Digit, Number};
use super::people::{LONGEST_WORD, People, Word, is_particle, is_word, street};
use super::words::each_word;
use super::{Kind, Matcher};

/// Two names of one person stand so near each other, in bytes and in words between them.
const NAMES_APART: usize = 24;
const WORDS_BETWEEN: usize = 2;
/// An identifier that is one person's alone says whose a short name is, in the same sentence and in so many bytes.
const NEARBY: usize = 80;
/// So many hits are looked at on either side.
const NEIGHBOURS: usize = 8;
/// A surname and an initial say who it is if at most so many people bear the name.
const FEW: usize = 8;

/// Something that was found in a folded text.
#[derive(Clone, Copy)]
pub(super) struct Hit<'m> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: &'m Kind,
    pub(super) people: &'m [u32],
    pub(super) is_certain: bool,
    name: Option<u32>,
}

/// What is used again for each text.
#[derive(Default)]
pub(super) struct Scratch {
    run: Vec<Digit>,
    key: Vec<u8>,
}

fn range(text: &[u8], start: usize, end: usize) -> &[u8] {
    text.get(start..end).unwrap_or_default()
}

impl Matcher {
    /// Everything that is found, in order, each with whether it is certain.
    pub(super) fn hits<'m>(&'m self, folded: &Folded, scratch: &mut Scratch, hits: &mut Vec<Hit<'m>>) {
        hits.clear();
        let (people, text) = (&self.people, folded.text());
        each_word(folded.padded(), |found| {
            if self.filter.passes(found) {
                people.look_up(text, (found.start, found.end), &mut scratch.key, hits);
            }
        });
        people.numbers.find(text, &mut scratch.run, |number: &'m Number, start, end| {
            hits.push(Hit {
                start,
                end,
                kind: &number.kind,
                people: &number.people,
                is_certain: true,
                name: None,
            });
        });
        hits.sort_by_key(|hit| (hit.start, hit.end));
        self.confirm(text, hits);
        for hit in hits.iter_mut().filter(|hit| hit.is_certain && hit.name.is_some()) {
            (hit.start, hit.end) = people.with_initials(text, hit);
        }
    }

    /// What says nothing alone is certain beside another identifier of the same person.
    fn confirm<'m>(&'m self, text: &[u8], hits: &mut [Hit<'m>]) {
        for n in 0..hits.len() {
            let Some(hit) = hits.get(n).copied() else { continue };
            let around = n.saturating_sub(NEIGHBOURS)..(n + NEIGHBOURS + 1).min(hits.len());
            for other_n in around.filter(|other| *other != n) {
                let Some(other) = hits.get(other_n).copied() else { continue };
                let Some(people) = self.together(text, &hit, &other) else { continue };
                if !hit.is_certain
                    && let Some(hit) = hits.get_mut(n)
                {
                    (hit.is_certain, hit.people) = (true, people);
                }
                // Both names of a pair: the other may be common too.
                if hit.name.is_some()
                    && other.name.is_some()
                    && !other.is_certain
                    && let Some(other) = hits.get_mut(other_n)
                {
                    (other.is_certain, other.people) = (true, people);
                }
                break;
            }
            if let Some(hit) = hits.get_mut(n)
                && !hit.is_certain
                && self.people.has_initial(text, hit)
            {
                hit.is_certain = true;
            }
        }
    }

    /// The people of whom both speak, if they stand near enough to speak of the same.
    fn together<'m>(&'m self, text: &[u8], one: &Hit<'m>, other: &Hit<'m>) -> Option<&'m [u32]> {
        let (first, second) = if one.start <= other.start { (one, other) } else { (other, one) };
        let gap = range(text, first.end, second.start);
        if second.start < first.end {
            return None;
        }
        if let (Some(a), Some(b)) = (one.name, other.name) {
            let people = self.people.pairs.get(&(a.min(b), a.max(b)))?;
            return is_one_name(gap).then_some(people.as_slice());
        }
        // Two weak identifiers that are no names confirm each other too, if there is nobody else whom both could mean.
        let shared = |person: &u32| one.people.contains(person);
        let same_kind = one.kind == other.kind;
        let same_sentence = gap.len() <= NEARBY
            && !gap.windows(2).any(|two| matches!(two, [b'.' | b'!' | b'?', b' ' | b'\n']));
        (same_sentence && !same_kind && other.people.len() <= FEW && other.people.iter().all(shared))
            .then_some(other.people)
    }
}

/// Nothing between two names but spaces, a comma, and at most two initials or particles: `Karl F. von Berg`.
fn is_one_name(gap: &[u8]) -> bool {
    if gap.len() > NAMES_APART {
        return false;
    }
    let mut between = 0;
    for (n, part) in gap.split(|byte| !is_word(*byte)).filter(|part| !part.is_empty()).enumerate() {
        if n >= WORDS_BETWEEN || !(part.len() == 1 || is_particle(part)) {
            return false;
        }
        between += 1;
    }
    // A full stop ends a sentence, unless it stands behind an initial or a particle.
    let stops = gap.split(|byte| *byte == b'.').count() - 1;
    !gap.iter().any(|byte| matches!(byte, b'!' | b'?' | b';' | b':'))
        && stops <= between
        && gap.first() != Some(&b'.')
}

impl People {
    fn look_up<'m>(
        &'m self,
        text: &[u8],
        (start, end): (usize, usize),
        key: &mut Vec<u8>,
        hits: &mut Vec<Hit<'m>>,
    ) {
        let word = range(text, start, end);
        if word.len() > LONGEST_WORD {
            return;
        }
        if let Some(known) = self.words.get(word) {
            self.at_word(text, (start, end), known, key, hits);
        }
        if let Some(known) = word.strip_suffix(b"s").and_then(|word| self.words.get(word)) {
            self.name_at((start, end - 1), known, hits);
        }
        let short = street(word);
        if short.len() != word.len()
            && let Some(known) = self.words.get(short)
        {
            self.phrases_at(text, (start, end), known, key, hits);
        }
    }

    fn at_word<'m>(
        &'m self,
        text: &[u8],
        (start, end): (usize, usize),
        known: &'m Word,
        key: &mut Vec<u8>,
        hits: &mut Vec<Hit<'m>>,
    ) {
        self.name_at((start, end), known, hits);
        for (before, len) in &known.exact {
            let Some(from) = start.checked_sub((*before).into()) else { continue };
            let to = from + usize::from(*len);
            let Some(bytes) = text.get(from..to) else { continue };
            if let Some(found) = self.exact.get(bytes)
                && stands_alone(text, from, to, found.kind == Kind::Email)
            {
                hits.push(Hit {
                    start: from,
                    end: to,
                    kind: &found.kind,
                    people: &found.people,
                    is_certain: !found.is_weak,
                    name: None,
                });
            }
        }
        self.phrases_at(text, (start, end), known, key, hits);
    }

    fn name_at<'m>(&'m self, (start, end): (usize, usize), known: &'m Word, hits: &mut Vec<Hit<'m>>) {
        let Some(id) = known.name else { return };
        let Some(name) = self.names.get(id as usize) else { return };
        hits.push(Hit {
            start,
            end,
            kind: &Kind::Name,
            people: &name.people,
            is_certain: !name.is_weak,
            name: Some(id),
        });
    }

    fn phrases_at<'m>(
        &'m self,
        text: &[u8],
        (start, end): (usize, usize),
        known: &'m Word,
        key: &mut Vec<u8>,
        hits: &mut Vec<Hit<'m>>,
    ) {
        'shapes: for (before, behind) in &known.phrases {
            let (mut from, mut to) = (start, end);
            for _ in 0..*before {
                let Some((word, _)) = word_before(text, from) else { continue 'shapes };
                from = word;
            }
            for _ in 0..*behind {
                let Some((_, word)) = word_behind(text, to) else { continue 'shapes };
                to = word;
            }
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
                hits.push(Hit {
                    start: from,
                    end: to,
                    kind: &found.kind,
                    people: &found.people,
                    is_certain: !found.is_weak,
                    name: None,
                });
            }
        }
    }

    /// `A. Berg`, `Berg, A`: the first letter of another name of somebody who bears this one.
    fn has_initial(&self, text: &[u8], hit: &Hit<'_>) -> bool {
        hit.name.is_some()
            && hit.people.len() <= FEW
            && [initial_before(text, hit.start), initial_behind(text, hit.end)]
                .into_iter()
                .flatten()
                .any(|(_, _, letter)| self.is_initial(hit, letter))
    }

    fn is_initial(&self, hit: &Hit<'_>, letter: u8) -> bool {
        hit.people.iter().take(FEW).any(|person| {
            self.initials.get(*person as usize).is_some_and(|known| {
                known.iter().any(|(first, name)| *first == letter && Some(*name) != hit.name)
            })
        })
    }

    /// With the initials that stand beside a name.
    fn with_initials(&self, text: &[u8], hit: &Hit<'_>) -> (usize, usize) {
        let (mut start, mut end) = (hit.start, hit.end);
        while let Some((from, _, letter)) = initial_before(text, start)
            && self.is_initial(hit, letter)
        {
            start = from;
        }
        while let Some((_, to, letter)) = initial_behind(text, end)
            && self.is_initial(hit, letter)
        {
            end = to;
        }
        (start, end)
    }
}

/// Nothing that belongs to it stands before or behind: another address ends with this one, or starts with it.
fn stands_alone(text: &[u8], start: usize, end: usize, is_mail: bool) -> bool {
    let before = start.checked_sub(1).and_then(|at| text.get(at)).copied();
    let mut behind = range(text, end, text.len()).iter().copied();
    let first = behind.next();
    let goes_on = |byte: Option<u8>| byte.is_some_and(is_word);
    let is_part = |byte: Option<u8>| is_mail && matches!(byte, Some(b'.' | b'-' | b'_' | b'+' | b'%'));
    let ends = !goes_on(first) && (!is_part(first) || !goes_on(behind.next()));
    ends && !goes_on(before) && !is_part(before)
}

/// Bytes between two words of a phrase.
const PHRASE_GAP: usize = 6;

fn word_before(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let gap = range(text, 0, at).iter().rev().take(PHRASE_GAP + 1).take_while(|b| !is_word(**b)).count();
    let end = at.checked_sub(gap)?;
    let len = range(text, 0, end).iter().rev().take(LONGEST_WORD + 1).take_while(|b| is_word(**b)).count();
    (1..=PHRASE_GAP).contains(&gap).then_some(())?;
    (len > 0).then(|| (end - len, end))
}

fn word_behind(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = text.get(at..)?;
    let gap = rest.iter().take(PHRASE_GAP + 1).take_while(|b| !is_word(**b)).count();
    let start = at + gap;
    let len = text.get(start..)?.iter().take(LONGEST_WORD + 1).take_while(|b| is_word(**b)).count();
    (1..=PHRASE_GAP).contains(&gap).then_some(())?;
    (len > 0).then(|| (start, start + len))
}

/// A single letter before a name, with the place where it starts: `M. Ashworth`, `M.Ashworth`, `M Ashworth`.
fn initial_before(text: &[u8], at: usize) -> Option<(usize, usize, u8)> {
    let (start, end) = word_before(text, at)?;
    let gap = range(text, end, at);
    let fits = gap.len() <= 2 && gap.iter().all(|b| matches!(b, b'.' | b' ' | b'-' | b'\'' | b'\n'));
    initial(text, start, end).filter(|_| fits).map(|letter| (start, end, letter))
}

/// A single letter behind a name, with its full stop: `Ashworth, M.`.
fn initial_behind(text: &[u8], at: usize) -> Option<(usize, usize, u8)> {
    let (start, end) = word_behind(text, at)?;
    let gap = range(text, at, start);
    let fits = gap.len() <= 2 && gap.iter().all(|b| matches!(b, b',' | b' ' | b'-' | b'.'));
    let letter = initial(text, start, end).filter(|_| fits)?;
    Some((start, end + usize::from(text.get(end) == Some(&b'.')), letter))
}

fn initial(text: &[u8], start: usize, end: usize) -> Option<u8> {
    match range(text, start, end) {
        [letter] if letter.is_ascii_alphabetic() => Some(letter.to_ascii_lowercase()),
        _ => None,
    }
}
