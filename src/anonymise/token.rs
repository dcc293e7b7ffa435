//! Tokens: random texts that fit into their field, and can be recognised by their form.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Draw;
use crate::data_map::Value;
use crate::hex;

/// Digits and letters, without characters that look alike (Crockford's base 32, lower case).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const MARK: &str = "erased-";
/// RFC 2606 reserves `.invalid`, so no e-mail can be delivered there.
const DOMAIN: &str = "@erased.invalid";
const SHORT_DOMAIN: &str = "@x.invalid";

/// The form of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenForm {
    /// An e-mail address under `.invalid`.
    Email,
    /// A user name.
    Username,
    /// A text.
    Plain,
    /// A UUID of version 8 (RFC 9562), whose last twelve digits are a checksum.
    Uuid,
    /// A fixed number of decimal digits, 10 to 38. They begin with `000`, as no telephone or account number does, and
    /// end with a checksum of four digits.
    Digits(u8),
    /// A whole number of 19 digits, for columns of whole numbers: half of its bits are random, and half are a checksum.
    Integer,
}

/// The number of random bits of a number, and of bits of its checksum. Bit 62 is always set, so the number is larger
/// than any counter or telephone number.
const NUMBER_RANDOM: u32 = 32;
const NUMBER_CHECKSUM: u32 = 30;

/// No real number begins like this: country codes and trunk prefixes have at most two zeros.
const ZEROS: &str = "000";
const DIGITS_CHECKSUM: usize = 4;
/// The number of hexadecimal digits before the checksum, including the version and the variant.
const UUID_RANDOM: usize = 20;

/// A random text of a fixed form: a mark, a body, and a domain for e-mail. For columns of whole numbers, it is a
/// number.
///
/// The last characters of a body are a checksum of the characters before. So a text that a person chose is not
/// recognised as a token. Without a mark and a domain, the checksum has at least 30 bits. The body contains at least
/// 30 random bits, and up to 80 if there is room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    form: TokenForm,
    mark: bool,
    body: u8,
    short_domain: bool,
}

impl Token {
    /// The longest token of a form that fits into this number of characters. `None` if no token fits.
    pub fn fitting(form: TokenForm, max_chars: Option<u32>) -> Option<Self> {
        let room = max_chars.map_or(usize::MAX, |chars| usize::try_from(chars).unwrap_or(usize::MAX));
        let shapes: &[(bool, u8, bool)] = match form {
            TokenForm::Email => &[(true, 20, false), (false, 20, false), (false, 12, true), (false, 8, true)],
            TokenForm::Username | TokenForm::Plain => {
                &[(true, 20, false), (false, 20, false), (false, 12, false)]
            }
            TokenForm::Uuid => &[(false, 36, false)],
            TokenForm::Digits(10..=38) => {
                let TokenForm::Digits(count) = form else { return None };
                let token = Self { form, mark: false, body: count, short_domain: false };
                return (token.chars() <= room).then_some(token);
            }
            TokenForm::Digits(_) | TokenForm::Integer => &[],
        };
        shapes
            .iter()
            .copied()
            .map(|(mark, body, short_domain)| Self { form, mark, body, short_domain })
            .find(|token| token.chars() <= room)
    }

    /// A token that is a whole number. It is negative if a column accepts only negative numbers.
    pub fn number(negative: bool) -> Self {
        Self { form: TokenForm::Integer, mark: negative, body: 19, short_domain: false }
    }

    /// Twelve characters without a mark, for placeholders.
    pub(super) const fn short() -> Self {
        Self { form: TokenForm::Plain, mark: false, body: 12, short_domain: false }
    }

    /// Its length in characters.
    pub fn chars(&self) -> usize {
        if self.form == TokenForm::Integer {
            return usize::from(self.body) + usize::from(self.mark);
        }
        self.mark().len() + usize::from(self.body) + self.domain().len()
    }

    /// The form of the token.
    pub fn form(&self) -> TokenForm {
        self.form
    }

    fn mark(&self) -> &'static str {
        if self.form == TokenForm::Integer && self.mark {
            return "-";
        }
        if self.mark { MARK } else { "" }
    }

    fn domain(&self) -> &'static str {
        match self.form {
            TokenForm::Email if self.short_domain => SHORT_DOMAIN,
            TokenForm::Email => DOMAIN,
            TokenForm::Username
            | TokenForm::Plain
            | TokenForm::Uuid
            | TokenForm::Digits(_)
            | TokenForm::Integer => "",
        }
    }

    /// Whether tokens are practically unique: they have at least 30 random bits. Only tokens of digits can have
    /// fewer.
    pub fn is_unique(&self) -> bool {
        !matches!(self.form, TokenForm::Digits(..16))
    }

    fn checksum_chars(&self) -> usize {
        match (self.mark || !self.domain().is_empty(), self.body) {
            (true, ..12) => 2,
            (true, _) => 4,
            (false, ..20) => 6,
            (false, _) => 8,
        }
    }

    /// The value to write: a text, or a number if the form requires it.
    pub(super) fn value(&self, draw: &Draw<'_>) -> Value {
        match self.form {
            TokenForm::Integer => Value::Integer(self.draw_number(draw)),
            _ => Value::Text(self.draw(draw)),
        }
    }

    fn draw_number(&self, draw: &Draw<'_>) -> i64 {
        let [a, b, c, d, ..] = draw.bytes();
        let random = i64::from(u32::from_be_bytes([a, b, c, d]));
        let number =
            1_i64 << (NUMBER_RANDOM + NUMBER_CHECKSUM) | random << NUMBER_CHECKSUM | checksum(random);
        if self.mark { -number } else { number }
    }

    /// Whether a number is an output of this token.
    pub(super) fn holds_number(&self, number: i64) -> bool {
        let Some(number) = (if self.mark { number.checked_neg() } else { Some(number) }) else {
            return false;
        };
        let random = (number >> NUMBER_CHECKSUM) & i64::from(u32::MAX);
        self.form == TokenForm::Integer
            && number >> (NUMBER_RANDOM + NUMBER_CHECKSUM) == 1
            && number & ((1 << NUMBER_CHECKSUM) - 1) == checksum(random)
    }

    pub(super) fn draw(&self, draw: &Draw<'_>) -> String {
        match self.form {
            TokenForm::Integer => self.draw_number(draw).to_string(),
            TokenForm::Uuid => uuid(&draw.bytes()),
            TokenForm::Digits(count) => {
                let random = usize::from(count).saturating_sub(ZEROS.len() + DIGITS_CHECKSUM);
                let mut text = format!("{ZEROS}{}", digits(&draw.bytes(), random));
                text.push_str(&digits(&Sha256::digest(text.as_bytes()), DIGITS_CHECKSUM));
                text
            }
            TokenForm::Email | TokenForm::Username | TokenForm::Plain => self.draw_letters(draw),
        }
    }

    fn draw_letters(&self, draw: &Draw<'_>) -> String {
        let random = usize::from(self.body) - self.checksum_chars();
        let mut body = letters(&draw.bytes(), random);
        body.push_str(&letters(&Sha256::digest(body.as_bytes()), self.checksum_chars()));
        format!("{}{body}{}", self.mark(), self.domain())
    }

    pub(super) fn holds(&self, text: &str) -> bool {
        match self.form {
            TokenForm::Integer => text.parse().is_ok_and(|number| self.holds_number(number)),
            TokenForm::Uuid => holds_uuid(text),
            TokenForm::Digits(count) => {
                text.len() == usize::from(count)
                    && text.starts_with(ZEROS)
                    && text.bytes().all(|byte| byte.is_ascii_digit())
                    && text.split_at_checked(text.len().saturating_sub(DIGITS_CHECKSUM)).is_some_and(
                        |(front, checksum)| {
                            digits(&Sha256::digest(front.as_bytes()), DIGITS_CHECKSUM) == checksum
                        },
                    )
            }
            TokenForm::Email | TokenForm::Username | TokenForm::Plain => self.holds_letters(text),
        }
    }

    fn holds_letters(&self, text: &str) -> bool {
        let Some(body) = text.strip_prefix(self.mark()).and_then(|rest| rest.strip_suffix(self.domain()))
        else {
            return false;
        };
        let random = usize::from(self.body) - self.checksum_chars();
        body.len() == usize::from(self.body)
            && body.bytes().all(|byte| ALPHABET.contains(&byte))
            && body.split_at_checked(random).is_some_and(|(random, checksum)| {
                letters(&Sha256::digest(random.as_bytes()), self.checksum_chars()) == checksum
            })
    }

    /// An example of its form, with dots for the random part.
    pub(crate) fn example(&self) -> String {
        match self.form {
            TokenForm::Uuid => "a UUID".to_owned(),
            TokenForm::Integer if self.mark => "a negative number of 19 digits".to_owned(),
            TokenForm::Integer => "a number of 19 digits".to_owned(),
            TokenForm::Digits(count) => format!("{count} digits"),
            TokenForm::Email | TokenForm::Username | TokenForm::Plain => {
                format!("{}…{}", self.mark(), self.domain())
            }
        }
    }
}

/// The checksum of the random part of a number.
fn checksum(random: i64) -> i64 {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(random.to_be_bytes()));
    i64::from(u32::from_be_bytes([a, b, c, d]) >> (32 - NUMBER_CHECKSUM))
}

/// A UUID: groups of 8, 4, 4 and 4 digits, then the checksum.
fn uuid(bytes: &[u8; 32]) -> String {
    let mut front: Vec<char> = hex::encode(bytes).chars().take(UUID_RANDOM).collect();
    // Version 8, and the variant of RFC 9562 in the two highest bits of its digit.
    for (at, digit) in [(12, '8'), (16, variant(front.get(16).copied()))] {
        if let Some(place) = front.get_mut(at) {
            *place = digit;
        }
    }
    let mut text = String::with_capacity(36);
    for (n, digit) in front.into_iter().enumerate() {
        if matches!(n, 8 | 12 | 16) {
            text.push('-');
        }
        text.push(digit);
    }
    text.push('-');
    let checksum = hex::encode(Sha256::digest(text.as_bytes()));
    text.extend(checksum.chars().take(12));
    text
}

fn variant(digit: Option<char>) -> char {
    match digit.and_then(|digit| digit.to_digit(16)).map(|digit| digit & 3) {
        Some(1) => '9',
        Some(2) => 'a',
        Some(3) => 'b',
        _ => '8',
    }
}

/// Whether a text is such a UUID. A database may return it in upper or lower case.
fn holds_uuid(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let Some((front, checksum)) = text.split_at_checked(24).filter(|_| text.len() == 36) else {
        return false;
    };
    let groups: Vec<&str> = front.split('-').collect();
    matches!(groups.as_slice(), [a, b, c, d, ""]
        if a.len() == 8 && b.len() == 4 && c.len() == 4 && d.len() == 4
            && c.starts_with('8') && d.starts_with(['8', '9', 'a', 'b']))
        && hex::encode(Sha256::digest(front.as_bytes())).starts_with(checksum)
}

/// This number of decimal digits. They are uniformly distributed, with an error of one part in 2^60.
fn digits(bytes: &[u8], count: usize) -> String {
    let mut text = String::with_capacity(count);
    let mut chunks = bytes.chunks_exact(16);
    while text.len() < count {
        let chunk = chunks.next().and_then(|chunk| <[u8; 16]>::try_from(chunk).ok()).unwrap_or_default();
        let number = format!("{:020}", u128::from_be_bytes(chunk) % 100_000_000_000_000_000_000);
        text.extend(number.chars().take(count - text.len()));
    }
    text
}

/// This number of letters. Each takes five bits from the front of the bytes.
fn letters(bytes: &[u8], count: usize) -> String {
    (0..count)
        .map(|n| {
            let bit = n * 5;
            let pair = [bytes.get(bit / 8), bytes.get(bit / 8 + 1)]
                .map(|byte| u16::from(byte.copied().unwrap_or_default()));
            let index = ((pair[0] << 8 | pair[1]) >> (11 - bit % 8)) & 31;
            // Five bits are an index below 32.
            ALPHABET.get(usize::from(index)).copied().map_or('0', char::from)
        })
        .collect()
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.example())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::anonymise::Seed;
    use crate::data_map::RecordKey;

    fn drawn(token: &Token, seed: u8, key: &str) -> String {
        token.draw(&Draw {
            seed: &Seed::new([seed; 32]),
            class: &"customer".into(),
            key: &RecordKey::new(key),
            field: &"email".into(),
            attempt: 0,
            date: chrono::NaiveDate::MIN,
        })
    }

    #[test]
    fn a_token_fits_its_column_or_there_is_none() {
        for form in [TokenForm::Email, TokenForm::Username, TokenForm::Plain] {
            for room in 0..64 {
                if let Some(token) = Token::fitting(form, Some(room)) {
                    let text = drawn(&token, 1, "1");
                    assert!(text.chars().count() <= room as usize, "{text} in {room}");
                    assert_eq!(text.chars().count(), token.chars());
                    assert!(token.holds(&text), "{text}");
                    assert_eq!(form == TokenForm::Email, text.ends_with(".invalid"));
                } else {
                    assert!(
                        room < if form == TokenForm::Email { 18 } else { 12 },
                        "{form:?} has room in {room}"
                    );
                }
            }
        }
        assert_eq!(Token::fitting(TokenForm::Plain, Some(11)), None);
        assert_eq!(Token::fitting(TokenForm::Email, Some(17)), None);
    }

    #[test]
    fn tokens_differ_by_record_and_by_seed() {
        let token = Token::fitting(TokenForm::Username, Some(12)).unwrap();
        let texts: BTreeSet<_> =
            (0..500).flat_map(|n| [1, 2].map(|seed| drawn(&token, seed, &n.to_string()))).collect();
        assert!(texts.len() > 990, "{}", texts.len());
    }

    /// A former bug: a UNIQUE NOT NULL column of whole numbers could not be anonymised at all.
    #[test]
    fn a_number_is_known_again_and_no_other_number_is_taken_for_one() {
        for token in [Token::number(false), Token::number(true)] {
            let mut seen = BTreeSet::new();
            for n in 0..500_u32 {
                let text = drawn(&token, 1, &n.to_string());
                assert_eq!(text.len(), token.chars(), "{text}");
                let number: i64 = text.parse().unwrap();
                assert!(token.holds_number(number) && token.holds(&text), "{text}");
                assert_eq!(number < 0, token == Token::number(true));
                assert!(!token.holds_number(number ^ 1) && !token.holds_number(-number), "{text}");
                seen.insert(number);
            }
            assert_eq!(seen.len(), 500);
            for other in [0, 1, -1, i64::MIN, i64::MAX, 46_701_234, 1 << 62, 4_611_686_018_427_387_905] {
                assert!(!token.holds_number(other), "{other}");
            }
        }
    }

    #[test]
    fn a_name_that_looks_like_a_token_is_not_one() {
        let token = Token::fitting(TokenForm::Username, None).unwrap();
        for name in ["erased-", "erased-0123456789abcdefghjk", "ann", "erased-aaaaaaaaaaaaaaaaaaaa"] {
            assert!(!token.holds(name), "{name}");
        }
        let real = drawn(&token, 3, "7");
        assert!(!token.holds(&real.to_uppercase()));
        assert!(!token.holds(&format!("{real}x")));
    }

    #[test]
    fn letters_use_every_bit_once() {
        assert_eq!(letters(&[0xff; 32], 4), "zzzz");
        assert_eq!(letters(&[0b0000_1000, 0b0100_0010, 0, 0], 4), "1110");
        assert_eq!(letters(&[0, 0b0000_0001, 0b1000_0000], 4), "000r");
    }
}
