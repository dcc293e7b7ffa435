//! Reads the number and the sizes of a PDF's pages, and nothing else.
//!
//! This is a special reader, because files may be damaged or malicious. It does not trust offset tables: it finds
//! objects by scanning the file. If several objects have one number, the last one counts. Streams are skipped, except
//! for object streams. Work, memory and depth are limited for any file (ISO 32000-1, 7.3, 7.5 and 7.7.3).

use std::collections::{HashMap, HashSet};

use super::filter::{self, Filter, Predictor};
use crate::hex;

/// The maximum depth of nested arrays and dictionaries.
const MAX_DEPTH: usize = 128;
/// The maximum number of nodes from the root of the page tree to a page.
const MAX_TREE: usize = 64;
/// The maximum number of pages. Nobody reads a longer document.
const MAX_PAGES: usize = 20_000;
/// The maximum size of all object streams together, after decompression.
const MAX_INFLATED: usize = 64 << 20;
/// The maximum work: how many bytes may be read per byte of the file. Some bytes are read more than once.
const MAX_WORK: usize = 8;
/// The maximum number of objects in a file, and of items in one object.
const MAX_OBJECTS: usize = 2_000_000;
const MAX_ITEMS: usize = 200_000;
/// The maximum length of a chain of references.
const MAX_CHAIN: usize = 8;
/// The maximum side of a page. A larger page box is an error of the file. ISO 32000-1, annex C, allows 14,400 units.
/// PDF 2.0 has no limit, and plans of ships and railways are larger.
const MAX_SIDE: f64 = 1_000_000.0;
/// The largest unit, in points.
const MAX_UNIT: f64 = 1_000_000.0;
/// US Letter: the default of readers if a page has no size.
const LETTER: Rectangle = [0.0, 0.0, 612.0, 792.0];

pub(super) type Rectangle = [f64; 4];

/// The properties of a page that the blank page keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Page {
    pub(super) media: Rectangle,
    pub(super) crop: Option<Rectangle>,
    /// Quarter turns clockwise.
    pub(super) turns: u8,
    pub(super) unit: Option<f64>,
}

/// Why the pages cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    NoPages,
    PartOfTree,
    Encrypted,
    TooManyPages,
    TooMuchWork,
}

#[derive(Clone, Debug, PartialEq)]
enum Object {
    Other,
    Number(f64),
    Name(Vec<u8>),
    Array(Vec<Object>),
    Dictionary(Dictionary),
    Reference(u32),
}

type Dictionary = Vec<(Vec<u8>, Object)>;

fn get<'o>(dictionary: &'o Dictionary, name: &str) -> Option<&'o Object> {
    dictionary.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value)
}

fn is_type(dictionary: &Dictionary, name: &str) -> bool {
    matches!(get(dictionary, "Type"), Some(Object::Name(found)) if found == name.as_bytes())
}

/// The position of an object: in the file, or in a decompressed stream.
#[derive(Clone, Copy)]
struct Place {
    source: usize,
    at: usize,
}

struct File<'f> {
    /// First the file itself, then the decompressed streams.
    bytes: &'f [u8],
    inflated: Vec<Vec<u8>>,
    objects: HashMap<u32, Place>,
    root: Option<Object>,
    catalog: Option<u32>,
    is_encrypted: bool,
    room: usize,
    work: usize,
}

/// Every page, in order.
pub(super) fn pages(bytes: &[u8]) -> Result<Vec<Page>, Unreadable> {
    let mut file = File {
        bytes,
        inflated: Vec::new(),
        objects: HashMap::new(),
        root: None,
        catalog: None,
        is_encrypted: false,
        room: MAX_INFLATED,
        work: bytes.len().saturating_mul(MAX_WORK).saturating_add(MAX_INFLATED),
    };
    file.index()?;
    match file.tree() {
        Ok(pages) if pages.is_empty() => {
            Err(if file.is_encrypted { Unreadable::Encrypted } else { Unreadable::NoPages })
        }
        other => other,
    }
}

impl File<'_> {
    /// Finds all objects, and the references to the page tree.
    fn index(&mut self) -> Result<(), Unreadable> {
        let mut at = 0;
        while let Some(found) = find(self.bytes, b"obj", at).or(Some(self.bytes.len())) {
            // There may be a trailer between two objects.
            while let Some(trailer) = find(self.bytes.get(..found).unwrap_or_default(), b"trailer", at) {
                at = trailer + b"trailer".len();
                if let (Some(Object::Dictionary(trailer)), _) = self.parse(self.bytes, at)? {
                    self.trailer(&trailer);
                }
            }
            if found >= self.bytes.len() {
                return Ok(());
            }
            at = found + 3;
            let Some(number) = object_number(self.bytes, found) else { continue };
            self.insert(number, Place { source: 0, at })?;
            let (object, end) = self.parse(self.bytes, at)?;
            let Some(object) = object else { continue };
            at = end;
            let Object::Dictionary(dictionary) = object else { continue };
            if is_type(&dictionary, "Catalog") {
                self.catalog = Some(number);
            }
            if let Some((start, stop, next)) = self.stream(&dictionary, end)? {
                at = next;
                if is_type(&dictionary, "XRef") {
                    self.trailer(&dictionary);
                } else if is_type(&dictionary, "ObjStm") {
                    self.object_stream(&dictionary, start, stop)?;
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, number: u32, place: Place) -> Result<(), Unreadable> {
        self.objects.insert(number, place);
        if self.objects.len() > MAX_OBJECTS { Err(Unreadable::TooMuchWork) } else { Ok(()) }
    }

    fn trailer(&mut self, dictionary: &Dictionary) {
        if let Some(root) = get(dictionary, "Root") {
            self.root = Some(root.clone());
        }
        self.is_encrypted |= get(dictionary, "Encrypt").is_some();
    }

    /// The range of a stream's data, and the position after it.
    fn stream(
        &mut self,
        dictionary: &Dictionary,
        end: usize,
    ) -> Result<Option<(usize, usize, usize)>, Unreadable> {
        let rest = self.bytes.get(end..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0).count();
        let Some(data) = rest.get(blank..).and_then(|rest| rest.strip_prefix(b"stream")) else {
            return Ok(None);
        };
        let data = data.strip_prefix(b"\r\n").or_else(|| data.strip_prefix(b"\n")).unwrap_or(data);
        let start = self.bytes.len() - data.len();
        let end = match get(dictionary, "Length") {
            Some(Object::Number(length)) => self.stream_end(start, *length),
            Some(Object::Reference(number)) => self.indirect_end(start, *number)?,
            _ => None,
        };
        if let Some((stop, next)) = end {
            return Ok(Some((start, stop, next)));
        }
        let stop = find(self.bytes, b"endstream", start).unwrap_or(self.bytes.len());
        self.spend(stop - start)?;
        Ok(Some((start, stop, stop)))
    }

    /// The end of a stream of this length, if `endstream` is at that position.
    fn stream_end(&self, start: usize, length: f64) -> Option<(usize, usize)> {
        let stop = start.checked_add(whole(length)?)?;
        let behind = self.bytes.get(stop..)?;
        let blank = behind.iter().take(4).take_while(|byte| byte.is_ascii_whitespace()).count();
        behind.get(blank..)?.starts_with(b"endstream").then_some((stop, stop + blank))
    }

    /// Does the same if the length is a separate object, before or after the stream. A stream may contain a whole PDF
    /// with objects of the same number. So only a length that leads to the end of a stream counts.
    fn indirect_end(&mut self, start: usize, number: u32) -> Result<Option<(usize, usize)>, Unreadable> {
        if let Some(Object::Number(length)) = self.load(number)?
            && let Some(end) = self.stream_end(start, length)
        {
            return Ok(Some(end));
        }
        let head = format!("{number} 0 obj");
        let mut at = start;
        while let Some(found) = find(self.bytes, head.as_bytes(), at) {
            self.spend(found - at + head.len())?;
            at = found + head.len();
            let is_whole =
                found.checked_sub(1).and_then(|at| self.bytes.get(at)).is_none_or(u8::is_ascii_whitespace);
            if let (Some(Object::Number(length)), _) = self.parse(self.bytes, at)?
                && let Some(end) = self.stream_end(start, length).filter(|_| is_whole)
            {
                return Ok(Some(end));
            }
        }
        self.spend(self.bytes.len() - at.min(self.bytes.len()))?;
        Ok(None)
    }

    /// Reads the objects in a stream. An encrypted or damaged stream has none.
    fn object_stream(
        &mut self,
        dictionary: &Dictionary,
        start: usize,
        stop: usize,
    ) -> Result<(), Unreadable> {
        let number = |name: &str| match get(dictionary, name) {
            Some(Object::Number(number)) => whole(*number),
            _ => None,
        };
        let (Some(count), Some(first)) = (number("N"), number("First")) else { return Ok(()) };
        let Some(data) = self.bytes.get(start..stop) else { return Ok(()) };
        let Some(filters) = self.filters(dictionary)? else { return Ok(()) };
        // A failed decompression counts as work, too.
        let Some(data) = filter::unfiltered(data, &filters, &mut self.room) else {
            return if self.room == 0 { Err(Unreadable::TooMuchWork) } else { Ok(()) };
        };
        let source = self.inflated.len() + 1;
        let mut lexer = Lexer::new(&data, 0);
        for _ in 0..count.min(first) {
            let (Some(number), Some(offset)) = (lexer.integer(), lexer.integer()) else { break };
            let Some(at) = first.checked_add(offset).filter(|at| *at < data.len()) else { continue };
            if let Ok(number) = u32::try_from(number) {
                self.insert(number, Place { source, at })?;
            }
        }
        self.inflated.push(data);
        Ok(())
    }

    /// The filters of a stream, in order. `None`: a filter is not supported.
    fn filters(&mut self, dictionary: &Dictionary) -> Result<Option<Vec<(Filter, Predictor)>>, Unreadable> {
        let list = |object: Option<Object>| match object {
            Some(Object::Array(list)) => list,
            other => other.into_iter().collect(),
        };
        let names = list(self.resolved(dictionary, "Filter")?);
        let said = list(self.resolved(dictionary, "DecodeParms")?);
        let mut filters = Vec::new();
        for (n, name) in names.iter().enumerate() {
            let name = match self.resolve(name)? {
                Some(Object::Name(name)) => Filter::named(&name),
                _ => None,
            };
            let Some(filter) = name else { return Ok(None) };
            let mut predictor = Predictor::default();
            if let Some(Object::Dictionary(said)) = said.get(n).map_or(Ok(None), |said| self.resolve(said))? {
                for (name, into) in predictor.parts() {
                    if let Some(Object::Number(number)) = self.resolved(&said, name)? {
                        *into = whole(number).unwrap_or_default();
                    }
                }
            }
            filters.push((filter, predictor));
        }
        Ok(Some(filters))
    }

    fn spend(&mut self, work: usize) -> Result<(), Unreadable> {
        self.work = self.work.checked_sub(work).ok_or(Unreadable::TooMuchWork)?;
        Ok(())
    }

    fn parse(&mut self, bytes: &[u8], at: usize) -> Result<(Option<Object>, usize), Unreadable> {
        let mut lexer = Lexer::new(bytes, at);
        let object = lexer.object(0);
        self.spend(lexer.at - at + 8)?;
        Ok((object, lexer.at))
    }

    fn load(&mut self, number: u32) -> Result<Option<Object>, Unreadable> {
        let Some(place) = self.objects.get(&number).copied() else { return Ok(None) };
        let bytes = match place.source.checked_sub(1) {
            None => self.bytes,
            Some(source) => self.inflated.get(source).map_or(&[][..], Vec::as_slice),
        };
        let mut lexer = Lexer::new(bytes, place.at);
        let object = lexer.object(0);
        let work = lexer.at - place.at + 8;
        self.spend(work)?;
        Ok(object)
    }

    fn resolve(&mut self, object: &Object) -> Result<Option<Object>, Unreadable> {
        let mut object = object.clone();
        for _ in 0..MAX_CHAIN {
            match object {
                Object::Reference(number) => match self.load(number)? {
                    Some(found) => object = found,
                    None => return Ok(None),
                },
                found => return Ok(Some(found)),
            }
        }
        Ok(None)
    }

    fn resolved(&mut self, dictionary: &Dictionary, name: &str) -> Result<Option<Object>, Unreadable> {
        get(dictionary, name).cloned().map_or(Ok(None), |object| self.resolve(&object))
    }

    /// The pages below the catalogue. A node is visited only once.
    fn tree(&mut self) -> Result<Vec<Page>, Unreadable> {
        let mut pages = Vec::new();
        let root = self.root.clone().or(self.catalog.map(Object::Reference));
        let mut catalogue = root.map_or(Ok(None), |root| self.resolve(&root))?;
        if !matches!(&catalogue, Some(Object::Dictionary(root)) if get(root, "Pages").is_some()) {
            catalogue = self.catalog.map_or(Ok(None), |number| self.load(number))?;
        }
        let Some(Object::Dictionary(catalogue)) = catalogue else { return Ok(pages) };
        let Some(top) = get(&catalogue, "Pages").cloned() else { return Ok(pages) };
        let mut met = HashSet::new();
        let above = Page { media: LETTER, crop: None, turns: 0, unit: None };
        let mut open = vec![(top, above, 0)];
        while let Some((node, above, depth)) = open.pop() {
            let number = if let Object::Reference(number) = node { Some(number) } else { None };
            // If a part of the tree were skipped, pages would be lost without notice.
            let Some(Object::Dictionary(node)) = self.resolve(&node)? else {
                return if depth == 0 { Ok(pages) } else { Err(self.damage()) };
            };
            let here = self.page(&node, above)?;
            let Some(Object::Array(kids)) = self.resolved(&node, "Kids")? else {
                if is_type(&node, "Pages") {
                    let count = self.resolved(&node, "Count")?;
                    if matches!(count, Some(Object::Number(count)) if count <= 0.0) {
                        continue;
                    }
                    return Err(self.damage());
                }
                if pages.len() == MAX_PAGES {
                    return Err(Unreadable::TooManyPages);
                }
                pages.push(here);
                continue;
            };
            if depth == MAX_TREE {
                return Err(Unreadable::PartOfTree);
            }
            if number.is_some_and(|number| !met.insert(number)) {
                continue;
            }
            if open.len() + kids.len() > 2 * MAX_PAGES {
                return Err(Unreadable::TooManyPages);
            }
            open.extend(kids.into_iter().rev().map(|kid| (kid, Page { unit: None, ..here }, depth + 1)));
        }
        Ok(pages)
    }

    /// The reason why a part of the tree cannot be read.
    fn damage(&self) -> Unreadable {
        if self.is_encrypted { Unreadable::Encrypted } else { Unreadable::PartOfTree }
    }

    /// The page properties at a node: its own, and those that it inherits from the nodes above.
    fn page(&mut self, node: &Dictionary, above: Page) -> Result<Page, Unreadable> {
        let turns = match self.resolved(node, "Rotate")? {
            // Only multiples of 90 degrees are rotations.
            Some(Object::Number(degrees)) => (0..4_u8)
                .find(|turns| (degrees.rem_euclid(360.0) - f64::from(*turns) * 90.0).abs() < 0.5)
                .unwrap_or(above.turns),
            _ => above.turns,
        };
        let unit = match self.resolved(node, "UserUnit")? {
            Some(Object::Number(unit)) => {
                Some(rounded_unit(unit)).filter(|unit| *unit > 0.0 && *unit <= MAX_UNIT)
            }
            _ => None,
        };
        Ok(Page {
            media: self.rectangle(node, "MediaBox")?.unwrap_or(above.media),
            crop: self.rectangle(node, "CropBox")?.or(above.crop),
            turns,
            unit,
        })
    }

    fn rectangle(&mut self, node: &Dictionary, name: &str) -> Result<Option<Rectangle>, Unreadable> {
        let Some(Object::Array(list)) = self.resolved(node, name)? else { return Ok(None) };
        let mut corners = [0.0; 4];
        if list.len() != corners.len() {
            return Ok(None);
        }
        for (corner, object) in corners.iter_mut().zip(&list) {
            let Some(Object::Number(number)) = self.resolve(object)? else { return Ok(None) };
            *corner = rounded(number);
        }
        let [a, b, c, d] = corners;
        let [left, low, right, high] = [a.min(c), b.min(d), a.max(c), b.max(d)];
        let is_sound =
            corners.iter().all(|corner| corner.abs() <= MAX_SIDE) && right - left >= 1.0 && high - low >= 1.0;
        Ok(is_sound.then_some([left, low, right, high]))
    }
}

fn rounded_unit(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Rounds to hundredths of a point. Smaller differences are invisible, and could be used to hide data.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

// The number as an integer, if it is whole, not negative and in range.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(number: f64) -> Option<usize> {
    // Below 2^52, every whole number has an exact floating-point number.
    ((0.0..4.5e15).contains(&number) && number.fract() == 0.0).then_some(number as usize)
}

fn find(bytes: &[u8], word: &[u8], from: usize) -> Option<usize> {
    let first = word.first()?;
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| byte == first)?;
        if bytes.get(at..)?.starts_with(word) {
            return Some(at);
        }
        at += 1;
    }
}

/// The number of an object, read backwards from the word `obj`: `12 0 obj`.
fn object_number(bytes: &[u8], word: usize) -> Option<u32> {
    let before = bytes.get(word.saturating_sub(32)..word)?;
    let before = before.trim_ascii_end();
    let generation = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let before = before.get(..before.len() - generation)?;
    let trimmed = before.trim_ascii_end();
    let digits = trimmed.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    if generation == 0 || digits == 0 || trimmed.len() == before.len() {
        return None;
    }
    let number = trimmed.get(trimmed.len() - digits..)?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

struct Lexer<'b> {
    bytes: &'b [u8],
    at: usize,
    items: usize,
}

fn is_regular(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && byte != 0 && !b"()<>[]{}/%".contains(&byte)
}

impl<'b> Lexer<'b> {
    fn new(bytes: &'b [u8], at: usize) -> Self {
        Self { bytes, at, items: 0 }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn space(&mut self) {
        while let Some(byte) = self.peek(0) {
            if byte == b'%' {
                while self.peek(0).is_some_and(|byte| byte != b'\n' && byte != b'\r') {
                    self.at += 1;
                }
            } else if byte.is_ascii_whitespace() || byte == 0 {
                self.at += 1;
            } else {
                break;
            }
        }
    }

    fn integer(&mut self) -> Option<usize> {
        match self.object(MAX_DEPTH)? {
            Object::Number(number) => whole(number),
            _ => None,
        }
    }

    fn regular(&mut self) -> &'b [u8] {
        let start = self.at;
        while self.peek(0).is_some_and(is_regular) {
            self.at += 1;
        }
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    fn object(&mut self, depth: usize) -> Option<Object> {
        self.space();
        self.items += 1;
        if self.items > MAX_ITEMS {
            return None;
        }
        match self.peek(0)? {
            b'/' => {
                self.at += 1;
                Some(Object::Name(unescaped(self.regular())))
            }
            b'(' => self.string(),
            b'<' if self.peek(1) == Some(b'<') => {
                self.at += 2;
                self.dictionary(depth)
            }
            b'<' => {
                while self.peek(0).is_some_and(|byte| byte != b'>') {
                    self.at += 1;
                }
                self.at += 1;
                Some(Object::Other)
            }
            b'[' => {
                self.at += 1;
                let mut list = Vec::new();
                loop {
                    self.space();
                    if self.peek(0)? == b']' {
                        self.at += 1;
                        return Some(Object::Array(list));
                    }
                    list.push(self.object((depth < MAX_DEPTH).then_some(depth + 1)?)?);
                }
            }
            b'+' | b'-' | b'.' | b'0'..=b'9' => Some(self.number(depth)),
            // Unknown words are skipped, as other readers do. A word that ends an object is no value.
            _ => match self.regular() {
                b"" | b"obj" | b"endobj" | b"stream" | b"endstream" | b"xref" | b"trailer" | b"startxref" => {
                    None
                }
                _ => Some(Object::Other),
            },
        }
    }

    fn dictionary(&mut self, depth: usize) -> Option<Object> {
        let mut entries = Vec::new();
        loop {
            self.space();
            if self.peek(0)? == b'>' && self.peek(1)? == b'>' {
                self.at += 2;
                return Some(Object::Dictionary(entries));
            }
            // A value without a name is skipped.
            let Object::Name(name) = self.object(MAX_DEPTH)? else { continue };
            let value = self.object((depth < MAX_DEPTH).then_some(depth + 1)?)?;
            entries.push((name, value));
        }
    }

    /// A number, or the reference that starts with it: `12 0 R`.
    fn number(&mut self, depth: usize) -> Object {
        // `--5` is no number, but does not end the object either.
        let Some(number) = self.plain_number() else { return Object::Other };
        let behind = self.at;
        if depth < MAX_DEPTH
            && let Some(target) = whole(number).and_then(|number| u32::try_from(number).ok())
        {
            self.space();
            if self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) && self.plain_number().is_some() {
                self.space();
                if self.peek(0) == Some(b'R') && !self.peek(1).is_some_and(is_regular) {
                    self.at += 1;
                    return Object::Reference(target);
                }
            }
            self.at = behind;
        }
        Object::Number(number)
    }

    fn plain_number(&mut self) -> Option<f64> {
        std::str::from_utf8(self.regular()).ok()?.parse::<f64>().ok().filter(|number| number.is_finite())
    }

    /// Skips a string, including nested brackets.
    fn string(&mut self) -> Option<Object> {
        let mut open = 0_usize;
        loop {
            match self.peek(0)? {
                b'\\' => self.at += 1,
                b'(' => open += 1,
                b')' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Some(Object::Other);
            }
        }
    }
}

/// Decodes a name: `#20` is a space.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|code| hex::decode(code).ok());
        match code.as_deref() {
            Some([byte]) if *first == b'#' => {
                out.push(*byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}
