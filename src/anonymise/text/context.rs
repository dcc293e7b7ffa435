//! Weighs hits by their context: decides whether a mention is certain, uncertain, or no mention.

use unicode_normalization::UnicodeNormalization as _;

use super::fold::{Folded, folded, has_no_width};
use super::names::{is_particle, is_particle_between};
use super::people::{FEW, People, is_word};
use super::scan::{Form, Hit, is_in_mail, range, word_before, word_behind};
use super::telling::other_street;
use super::unspaced::is_unspaced;
use super::{Kind, Matcher};

/// The maximum distance between two names of one person, in bytes and in words.
const NAMES_APART: usize = 24;
const WORDS_BETWEEN: usize = 4;
/// The maximum distance, in bytes, at which a unique identifier in the same sentence makes a short name certain.
const NEARBY: usize = 80;
/// The number of neighbouring hits that are considered on each side.
const NEIGHBOURS: usize = 12;
/// The maximum number of particles between two names of one person.
const PARTICLES_BETWEEN: usize = 3;
/// The maximum distance from a name to the `@` of an e-mail address around it.
const IN_MAIL: usize = 64;
/// Letters that are also words in some language.
const WORD_LETTERS: &str = "aeikosuvwyz";

/// A text in original and folded form.
pub(super) struct View<'t> {
    pub(super) original: &'t str,
    pub(super) folded: &'t Folded,
    /// Whether the text is ASCII. Then the positions of bytes are the same in both forms.
    pub(super) is_plain: bool,
    /// Whether any name alone counts as certain.
    pub(super) names_alone: bool,
}

/// The case of a word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// `maud`
    Lower,
    /// `Maud`
    Title,
    /// `MAUD`
    Upper,
    /// The script of the word has no case.
    None,
}

impl View<'_> {
    fn letters(&self, start: usize, end: usize) -> &str {
        let range = if self.is_plain {
            start..end
        } else {
            self.folded.start(start)..self.folded.end(end, self.original)
        };
        self.original.get(range).unwrap_or_default()
    }

    /// The original text between two positions.
    fn between(&self, end: usize, start: usize) -> &str {
        let range = if self.is_plain {
            end..start
        } else {
            self.folded.end(end, self.original)..self.folded.start(start)
        };
        self.original.get(range).unwrap_or_default()
    }

    /// Whether a word begins with a capital, or its script has no case.
    fn has_capital(&self, start: usize, end: usize) -> bool {
        let letters = self.letters(start, end);
        letters.chars().any(char::is_uppercase) || !letters.chars().any(char::is_lowercase)
    }

    pub(super) fn case(&self, start: usize, end: usize) -> Case {
        let mut letters = self.letters(start, end).chars().filter(|c| c.is_alphabetic());
        let Some(first) = letters.next() else { return Case::None };
        let rest: (bool, bool) = letters
            .fold((false, false), |(upper, lower), c| (upper || c.is_uppercase(), lower || c.is_lowercase()));
        match (first.is_uppercase(), first.is_lowercase()) {
            (true, _) if rest.0 && !rest.1 => Case::Upper,
            (true, _) => Case::Title,
            (_, true) => Case::Lower,
            _ => Case::None,
        }
    }
}

impl Matcher {
    /// Weighs the hits of a text, and removes hits that are no mentions.
    pub(super) fn weigh<'m>(&'m self, view: &View<'_>, hits: &mut Vec<Hit<'m>>) {
        let people = &self.people;
        let text = view.folded.text();
        for hit in hits.iter_mut().filter(|hit| matches!(hit.kind, Kind::Address | Kind::Location)) {
            let other = other_street(text, hit.start, hit.end);
            hit.is_certain &= !other.is_some_and(|(from, to)| view.case(from, to) == Case::Title);
        }
        let mut proven = vec![false; hits.len()];
        let alone: Vec<bool> = hits.iter().map(|hit| hit.is_certain).collect();
        for hit in hits.iter_mut().filter(|hit| hit.kind == &Kind::Name && is_in_address(text, hit)) {
            hit.form = Form::InMail;
        }
        let pairs = self.pair(view, hits, &mut proven);
        for (hit, proven) in hits.iter().zip(&mut proven) {
            *proven |= hit.form == Form::Plain && people.has_initial(view, hit);
        }
        self.confirm(view, hits, &mut proven);
        self.join(view, hits, &pairs, &proven);
        let mut n = 0;
        hits.retain_mut(|hit| {
            let (proven, alone) =
                (proven.get(n).copied().unwrap_or_default(), alone.get(n).copied().unwrap_or_default());
            n += 1;
            match (hit.form, hit.name) {
                // A single name in an e-mail address of another person is not certain, because many people have this
                // name.
                (Form::InMail, name) => {
                    hit.is_certain = false;
                    proven || alone && name.is_none() || people.has_initial(view, hit)
                }
                (Form::Words, _) if !proven => {
                    hit.is_certain = false;
                    true
                }
                (Form::Whole, _) => {
                    let mut words = view.letters(hit.start, hit.end).split_whitespace();
                    hit.is_certain &= !words.any(|word| word.starts_with(char::is_lowercase));
                    true
                }
                (Form::Monogram, _) => view.letters(hit.start, hit.end).chars().all(|c| !c.is_lowercase()),
                (_, Some(name)) if !proven => self.is_mention(view, hit, name, alone),
                (form, _) => {
                    hit.is_certain |= proven;
                    hit.is_certain || form != Form::Place || view.has_capital(hit.start, hit.end)
                }
            }
        });
        for hit in hits.iter_mut().filter(|hit| hit.is_certain && hit.name.is_some()) {
            (hit.start, hit.end) = people.with_initials(view, hit);
        }
        merge_uncertain(hits);
    }

    /// Joins two names of one person with the text between them, if this text is a part of the name: `Maud E.
    /// Ashworth`.
    fn join(&self, view: &View<'_>, hits: &mut [Hit<'_>], pairs: &[(usize, usize)], proven: &[bool]) {
        let text = view.folded.text();
        for (n, m) in pairs {
            let (Some(one), Some(other)) = (hits.get(*n).copied(), hits.get(*m).copied()) else { continue };
            let is_proven = |at: &usize| proven.get(*at).copied().unwrap_or_default();
            let is_written = |hit: &Hit<'_>| matches!(hit.form, Form::Plain | Form::Inflected);
            let is_name = is_proven(n) && is_proven(m) && is_written(&one) && is_written(&other);
            let between = view.between(one.end, other.start);
            if !is_name || !self.people.is_part_of_name(&one, between) {
                continue;
            }
            if let Some(one) = hits.get_mut(*n) {
                one.end = one.end.max(other.start);
            }
            // `Berg, Maarten van der`
            if between == ", "
                && let Some(last) = hits.get_mut(*m)
            {
                while let Some((from, to)) = word_behind(text, last.end)
                    && from - last.end == 1
                    && self.people.is_particle_of(last, range(text, from, to))
                {
                    last.end = to;
                }
            }
        }
    }

    /// Decides whether a name alone is a mention, and whether it is certain.
    fn is_mention(&self, view: &View<'_>, hit: &mut Hit<'_>, name: u32, alone: bool) -> bool {
        let is_word = self.is_word(view, hit, name);
        let case = view.case(hit.start, hit.end);
        let is_plain = hit.form == Form::Plain;
        // Without capitals, a name beside another name looks like a name beside a word.
        let is_told_apart = case != Case::None
            || view.names_alone
            || view.letters(hit.start, hit.end).starts_with(is_unspaced);
        hit.is_certain = (alone || view.names_alone)
            && is_plain
            && is_told_apart
            && case != Case::Lower
            && !self.people.is_doubtful(view, hit, case);
        (case != Case::Lower || is_plain && !is_word) && !self.people.is_anothers(view, hit, case)
    }

    /// Finds pairs of adjacent names of one person.
    fn pair<'m>(&'m self, view: &View<'_>, hits: &mut [Hit<'m>], proven: &mut [bool]) -> Vec<(usize, usize)> {
        let text = view.folded.text();
        let (mut pairs, mut doubles, mut doubtful) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..hits.len() {
            for m in n + 1..(n + NEIGHBOURS + 1).min(hits.len()) {
                let (Some(one), Some(other)) = (hits.get(n).copied(), hits.get(m).copied()) else { continue };
                let (Some(a), Some(b)) = (one.name, other.name) else { continue };
                if other.start < one.end {
                    continue;
                }
                let gap = range(text, one.end, other.start);
                let in_mail = one.form == Form::InMail && other.form == Form::InMail;
                if !(is_one_name(gap) || in_mail && gap.iter().all(|byte| is_sign_in_mail(*byte))) {
                    continue;
                }
                let pair = (a.min(b), a.max(b));
                let Some(people) = self.people.pairs.get(&pair) else { continue };
                // *Maria Eriksson* is no inflected form of Marie Eriksson: languages that inflect names inflect the
                // last word.
                if one.form == Form::Inflected && other.form == Form::Plain {
                    continue;
                }
                // Will Grant: *we will grant it*.
                match [(one, a), (other, b)].map(|(hit, name)| self.is_word(view, &hit, name)) {
                    [true, true] => {
                        for at in [n, m] {
                            hits.get_mut(at).into_iter().for_each(|hit| hit.form = Form::Words);
                        }
                        continue;
                    }
                    [true, false] if view.case(other.start, other.end) != Case::Lower => {
                        doubtful.push((n, m));
                        continue;
                    }
                    [false, true] if view.case(one.start, one.end) != Case::Lower => {
                        doubtful.push((m, n));
                        continue;
                    }
                    _ => {}
                }
                // `Anna-Karin` alone is only a given name, which others may have, too.
                if self.people.doubles.contains(&pair) {
                    let both = Hit { end: other.end, people, ..one };
                    if self.people.is_doubtful(view, &both, view.case(one.start, one.end)) {
                        doubles.push((n, m));
                        continue;
                    }
                }
                pairs.push((n, m));
                for at in [n, m] {
                    if let (Some(hit), Some(proven)) = (hits.get_mut(at), proven.get_mut(at)) {
                        (hit.people, *proven) = (people, true);
                        hit.is_certain = true;
                    }
                }
            }
        }
        // Rose Hill *rose* up the hill: behind the whole name the word is a word. *Rose hill* may be the name.
        for (word, name) in doubtful {
            let is_proven = proven.get(name).copied().unwrap_or_default();
            if let Some(hit) = hits.get_mut(word).filter(|_| !is_proven) {
                hit.form = Form::Words;
            }
        }
        self.complete(&doubles, hits, proven);
        // Beside the surname, both parts of the given name are certain.
        for (n, m) in doubles {
            let is_either = [n, m].iter().any(|at| proven.get(*at).copied().unwrap_or_default());
            for at in [n, m].into_iter().filter(|_| is_either) {
                if let (Some(hit), Some(proven)) = (hits.get_mut(at), proven.get_mut(at)) {
                    (hit.is_certain, *proven) = (true, true);
                }
            }
            pairs.extend(is_either.then_some((n, m)));
        }
        pairs
    }

    /// Consecutive parts of a name are certain if the first and the last of them are a whole name: `Ana García
    /// López`.
    fn complete(&self, parts: &[(usize, usize)], hits: &mut [Hit<'_>], proven: &mut [bool]) {
        for (n, m) in parts {
            let from = parts.partition_point(|(first, _)| first < m);
            let next = parts.get(from..).unwrap_or_default().iter().take_while(|(first, _)| first == m);
            for (_, k) in next {
                let name = |at: &usize| hits.get(*at).and_then(|hit| hit.name);
                let Some(pair) = name(n).zip(name(k)).map(|(a, b)| (a.min(b), a.max(b))) else { continue };
                if !self.people.pairs.contains_key(&pair) || self.people.doubles.contains(&pair) {
                    continue;
                }
                for at in [n, m, k] {
                    if let (Some(hit), Some(proven)) = (hits.get_mut(*at), proven.get_mut(*at)) {
                        (hit.is_certain, *proven) = (true, true);
                    }
                }
            }
        }
    }

    /// Whether a name is also a word, and is written as a word: in small letters.
    fn is_word(&self, view: &View<'_>, hit: &Hit<'_>, name: u32) -> bool {
        self.people.names.get(name as usize).is_some_and(|name| name.is_word)
            && view.case(hit.start, hit.end) == Case::Lower
    }

    /// Makes a weak hit certain if another identifier of the same person is near it.
    fn confirm<'m>(&'m self, view: &View<'_>, hits: &mut [Hit<'m>], proven: &mut [bool]) {
        let text = view.folded.text();
        for n in 0..hits.len() {
            let (Some(hit), Some(false)) = (hits.get(n).copied(), proven.get(n)) else { continue };
            if hit.is_certain && hit.name.is_none() || !matches!(hit.form, Form::Plain | Form::Place) {
                continue;
            }
            if let Some(name) = hit.name {
                let case = view.case(hit.start, hit.end);
                if self.is_word(view, &hit, name) || self.people.is_doubtful(view, &hit, case) {
                    continue;
                }
            }
            let around = n.saturating_sub(NEIGHBOURS)..(n + NEIGHBOURS + 1).min(hits.len());
            let people = around.filter(|other| *other != n).find_map(|other_n| {
                let other = hits.get(other_n)?;
                let is_proven = proven.get(other_n).copied().unwrap_or_default();
                let speaks =
                    is_proven || other.is_certain || other.form == Form::Plain && other.name.is_none();
                let speaks =
                    speaks && other.form != Form::Monogram && (is_proven || other.form == Form::Plain);
                (speaks && *other.kind != Kind::City).then(|| together(text, &hit, other))?
            });
            if let (Some(people), Some(hit), Some(proven)) = (people, hits.get_mut(n), proven.get_mut(n)) {
                (hit.people, *proven) = (people, true);
            }
        }
    }
}

/// Drops uncertain hits within another of the same people: a first name that is a user name too is one mention.
fn merge_uncertain(hits: &mut Vec<Hit<'_>>) {
    let mut kept: Vec<Hit<'_>> = Vec::new();
    let is_within = |hit: &Hit<'_>, other: &Hit<'_>| {
        !other.is_certain && other.start <= hit.start && hit.end <= other.end && hit.people == other.people
    };
    hits.retain(|hit| {
        let near = kept.iter().rev().take(NEIGHBOURS);
        let is_known = !hit.is_certain && near.into_iter().any(|other| is_within(hit, other));
        if !is_known {
            kept.push(*hit);
        }
        !is_known
    });
}

/// The people whom both hits mean, if the hits are near each other, and nobody else can be meant.
fn together<'m>(text: &[u8], one: &Hit<'m>, other: &Hit<'m>) -> Option<&'m [u32]> {
    let (first, second) = if one.start <= other.start { (one, other) } else { (other, one) };
    let gap = range(text, first.end, second.start);
    if second.start < first.end || one.kind == other.kind || gap.len() > NEARBY {
        return None;
    }
    let ends_sentence = gap.windows(2).any(|two| matches!(two, [b'.' | b'!' | b'?', b' ' | b'\n']));
    let shared = |person: &u32| one.people.contains(person);
    (!ends_sentence && other.people.len() <= FEW && other.people.iter().all(shared)).then_some(other.people)
}

/// Whether there are only spaces, a comma, and at most two initials or particles between two names: `Karl F. von
/// Berg`.
fn is_one_name(gap: &[u8]) -> bool {
    if gap.len() > NAMES_APART {
        return false;
    }
    let mut between = 0;
    for (n, part) in gap.split(|byte| !is_word(*byte)).filter(|part| !part.is_empty()).enumerate() {
        let is_letter = std::str::from_utf8(part).is_ok_and(|part| part.chars().count() == 1);
        if n >= WORDS_BETWEEN || !(is_letter || is_particle(part)) {
            return false;
        }
        between += 1;
    }
    // A full stop ends a sentence, unless it follows an initial or a particle.
    let stops = gap.split(|byte| *byte == b'.').count() - 1;
    !gap.iter().any(|byte| matches!(byte, b'!' | b'?' | b';' | b':'))
        && stops <= between
        && gap.split(|byte| *byte == b',').count() <= 2
}

/// Whether this text can be between two parts of a name.
fn is_gap_in_name(gap: &str, is_behind_initial: bool) -> bool {
    let sign = gap.trim_matches(char::is_whitespace);
    let spaces = gap.chars().count() - sign.chars().count();
    match sign {
        "" => (1..=2).contains(&spaces),
        "," => spaces <= 2,
        "-" | "\u{2010}" | "\u{2011}" | "_" | "'" | "\u{2019}" => spaces == 0,
        "." => spaces == 0 || is_behind_initial && spaces <= 2,
        ".-" | ".," => is_behind_initial && spaces <= 1,
        _ => false,
    }
}

/// Whether a name is inside an e-mail address.
fn is_in_address(text: &[u8], hit: &Hit<'_>) -> bool {
    let before = range(text, hit.start.saturating_sub(IN_MAIL), hit.start);
    let behind = range(text, hit.end, (hit.end + IN_MAIL).min(text.len()));
    is_sign_next(behind.iter()) || is_sign_next(before.iter().rev())
}

/// Whether a byte may separate words in an e-mail address: `maud.ashworth@example.org`.
fn is_sign_in_mail(byte: u8) -> bool {
    matches!(byte, b'.' | b'-' | b'_' | b'+' | b'%')
}

/// Whether the next byte that cannot be inside an e-mail address is `@`. Two consecutive dots or other signs end an
/// address.
fn is_sign_next<'t>(bytes: impl Iterator<Item = &'t u8>) -> bool {
    let mut was_sign = false;
    for byte in bytes {
        let is_sign = is_sign_in_mail(*byte);
        if !is_in_mail(*byte) || is_sign && was_sign {
            return *byte == b'@';
        }
        was_sign = is_sign;
    }
    false
}

/// Whether a sentence or a line begins at this position.
pub(super) fn begins_sentence(text: &[u8], at: usize) -> bool {
    let before =
        range(text, 0, at).iter().rev().copied().find(|byte| !matches!(byte, b' ' | b'"' | b'\'' | b'('));
    before.is_none_or(|byte| matches!(byte, b'.' | b'!' | b'?' | b'\n' | b'\r'))
}

impl People {
    /// Whether an initial of the same person is beside a name: `A. Berg`, `Berg, A`.
    fn has_initial(&self, view: &View<'_>, hit: &Hit<'_>) -> bool {
        hit.name.is_some()
            && hit.people.len() <= FEW
            && (self.initial_before(view, hit, self.with_particles(view, hit, hit.start)).is_some()
                || self.initials_behind(view, hit, hit.end).is_some())
    }

    fn is_initial(&self, hit: &Hit<'_>, letter: char) -> bool {
        hit.people.iter().take(FEW).any(|person| {
            self.initials.get(*person as usize).is_some_and(|known| {
                known.iter().any(|(first, name)| *first == letter && Some(*name) != hit.name)
            })
        })
    }

    /// The start of a single letter before a name: `M. Ashworth`, `M.Ashworth`, `M Ashworth`.
    fn initial_before(&self, view: &View<'_>, hit: &Hit<'_>, at: usize) -> Option<usize> {
        let text = view.folded.text();
        let (start, end) = word_before(text, at)?;
        let gap = range(text, end, at);
        let fits = gap.len() <= 2 && gap.iter().all(|b| matches!(b, b'.' | b' ' | b'-' | b'\'' | b'\n'));
        let has_stop = gap.contains(&b'.');
        if !fits || !self.is_written_initial(view, hit, (start, end), has_stop) {
            return None;
        }
        // In `at 9 a.m. Ashworth called`, the letters before the name are no initials.
        let is_one_of_others = start.checked_sub(1).and_then(|at| text.get(at)) == Some(&b'.')
            && word_before(text, start).is_some_and(|(from, to)| {
                to + 1 == start && to - from == 1 && !self.is_written_initial(view, hit, (from, to), true)
            });
        (!is_one_of_others).then_some(start)
    }

    /// The end of single letters after a name, with the full stop: `Ashworth, M.`, `Ashworth M.A.`
    fn initials_behind(&self, view: &View<'_>, hit: &Hit<'_>, at: usize) -> Option<usize> {
        let text = view.folded.text();
        let (mut at, mut last) = (at, None);
        while let Some((start, end)) = word_behind(text, at) {
            let fits = match range(text, at, start) {
                b" " | b"-" => true,
                b"," | b", " => last.is_none(),
                b"." | b". " | b".-" => last.is_some(),
                _ => false,
            };
            let has_stop = text.get(end) == Some(&b'.');
            if !fits || !self.is_written_initial(view, hit, (start, end), has_stop) {
                break;
            }
            // `As Ashworth I will …`
            let is_word_letter = range(text, start, end).iter().all(|b| WORD_LETTERS.as_bytes().contains(b));
            let goes_on = word_behind(text, end).is_some_and(|(from, to)| {
                range(text, end, from) == b" " && view.case(from, to) == Case::Lower
            });
            if !has_stop && is_word_letter && goes_on {
                break;
            }
            (at, last) = (end, Some(end + usize::from(has_stop)));
        }
        last
    }

    /// Whether a single letter is written as an initial of the person. `I` and `a` are words, too.
    fn is_written_initial(
        &self,
        view: &View<'_>,
        hit: &Hit<'_>,
        (start, end): (usize, usize),
        has_stop: bool,
    ) -> bool {
        let text = view.folded.text();
        let letter = std::str::from_utf8(range(text, start, end)).ok().and_then(|word| {
            let mut letters = word.chars();
            letters.next().filter(|_| letters.next().is_none())
        });
        let Some(letter) = letter.filter(|letter| letter.is_alphabetic() && self.is_initial(hit, *letter))
        else {
            return false;
        };
        // An initial in small letters: `m. ashworth`, but not `9 a.m. Ashworth`.
        if view.case(start, end) == Case::Lower {
            return has_stop && view.case(hit.start, hit.end) != Case::Title;
        }
        if has_stop {
            return true;
        }
        let is_word =
            hit.name.and_then(|name| self.names.get(name as usize)).is_some_and(|name| name.is_word);
        let case = view.case(hit.start, hit.end);
        // The letter may be a word: `I Will`, `A Price` at the start of a sentence, `K Berg` in Polish.
        let may_be_word = letter == 'i' || case == Case::Upper || begins_sentence(text, start);
        case != Case::Lower && !(is_word && WORD_LETTERS.contains(letter) && may_be_word)
    }

    /// Extends a name by the initials and particles beside it.
    fn with_initials(&self, view: &View<'_>, hit: &Hit<'_>) -> (usize, usize) {
        let (mut start, mut end) = (hit.start, hit.end);
        loop {
            let before = self.with_particles(view, hit, start);
            let first = self.initial_before(view, hit, before).unwrap_or(before);
            if first == start {
                break;
            }
            start = first;
        }
        if let Some(to) = self.initials_behind(view, hit, end) {
            end = to;
        }
        (start, end)
    }

    /// The start of a name, including the particles before it.
    fn with_particles(&self, view: &View<'_>, hit: &Hit<'_>, at: usize) -> usize {
        let text = view.folded.text();
        let mut start = at;
        while let Some((from, to)) = word_before(text, start)
            && is_particle_between(range(text, from, to))
            && self.is_particle_of(hit, range(text, from, to))
            && start - to <= 2
        {
            start = from;
        }
        start
    }

    /// Whether the text between two names is a part of the name. It is a space, a comma or a hyphen, or initials and
    /// particles with these signs between them.
    fn is_part_of_name(&self, hit: &Hit<'_>, between: &str) -> bool {
        let plain = |c| if c == '\u{2bc}' { '\'' } else { c };
        let shown: String = between.chars().filter(|c| !has_no_width(*c)).map(plain).nfc().collect();
        if shown.len() > NAMES_APART || shown.matches(',').count() > 1 {
            return false;
        }
        let mut rest = shown.as_str();
        let mut is_behind_initial = false;
        for _ in 0..=PARTICLES_BETWEEN {
            let (gap, behind) = rest.split_at(rest.find(char::is_alphanumeric).unwrap_or(rest.len()));
            if !is_gap_in_name(gap, is_behind_initial) || behind.is_empty() {
                return is_gap_in_name(gap, is_behind_initial);
            }
            let end = behind.find(|c: char| !c.is_alphanumeric()).unwrap_or(behind.len());
            let (word, next) = behind.split_at(end);
            is_behind_initial = word.chars().count() == 1
                && (word.chars().all(char::is_uppercase) || next.starts_with(['.', '\'', '\u{2019}']));
            let word = folded(word);
            let is_particle =
                is_particle_between(word.as_bytes()) || self.is_particle_of(hit, word.as_bytes());
            if !is_behind_initial && !is_particle {
                return false;
            }
            rest = next;
        }
        false
    }

    pub(super) fn is_particle_of(&self, hit: &Hit<'_>, word: &[u8]) -> bool {
        hit.people.iter().take(FEW).any(|person| {
            let known = self.particles.get(*person as usize);
            known.is_some_and(|known| known.iter().any(|known| **known == *word))
        })
    }
}
