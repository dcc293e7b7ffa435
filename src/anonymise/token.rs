//! Random texts that fit where they are written, and are known again by their shape.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Draw;

/// Digits and letters without those that are mistaken for one another (Crockford's base 32, lower case).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const MARK: &str = "erased-";
/// RFC 2606 keeps `.invalid` out of the domain name system for ever: no mail can reach it.
const DOMAIN: &str = "@erased.invalid";
const SHORT_DOMAIN: &str = "@x.invalid";

/// What a token has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenForm {
    /// An e-mail address under `.invalid`.
    Email,
    /// A user name.
    Username,
    /// A text.
    Plain,
}

/// A random text of a fixed shape: a mark, a body, and for e-mail a domain.
///
/// The last characters of a body are a checksum of those before, so that what a person chose is not taken for a
/// token: where neither a mark nor a domain shows it, the checksum has at least 30 bits. The body holds at least
/// 30 random bits, and up to 80 where there is room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    form: TokenForm,
    mark: bool,
    body: u8,
    short_domain: bool,
}

impl Token {
    /// The longest token of a form that fits into so many characters, or `None` where none fits.
    pub fn fitting(form: TokenForm, max_chars: Option<u32>) -> Option<Self> {
        let room = max_chars.map_or(usize::MAX, |chars| usize::try_from(chars).unwrap_or(usize::MAX));
        let shapes: &[(bool, u8, bool)] = match form {
            TokenForm::Email => &[(true, 20, false), (false, 20, false), (false, 12, true), (false, 8, true)],
            TokenForm::Username | TokenForm::Plain => {
                &[(true, 20, false), (false, 20, false), (false, 12, false)]
            }
        };
        shapes
            .iter()
            .copied()
            .map(|(mark, body, short_domain)| Self { form, mark, body, short_domain })
            .find(|token| token.chars() <= room)
    }

    /// Its length in characters.
    pub fn chars(&self) -> usize {
        self.mark().len() + usize::from(self.body) + self.domain().len()
    }

    /// What it has to look like.
    pub fn form(&self) -> TokenForm {
        self.form
    }

    fn mark(&self) -> &'static str {
        if self.mark { MARK } else { "" }
    }

    fn domain(&self) -> &'static str {
        match self.form {
            TokenForm::Email if self.short_domain => SHORT_DOMAIN,
            TokenForm::Email => DOMAIN,
            TokenForm::Username | TokenForm::Plain => "",
        }
    }

    fn checksum_chars(&self) -> usize {
        match (self.mark || !self.domain().is_empty(), self.body) {
            (true, ..12) => 2,
            (true, _) => 4,
            (false, ..20) => 6,
            (false, _) => 8,
        }
    }

    pub(super) fn draw(&self, draw: &Draw<'_>) -> String {
        let random = usize::from(self.body) - self.checksum_chars();
        let mut body = letters(&draw.bytes(), random);
        body.push_str(&letters(&Sha256::digest(body.as_bytes()), self.checksum_chars()));
        format!("{}{body}{}", self.mark(), self.domain())
    }

    pub(super) fn holds(&self, text: &str) -> bool {
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

    /// Its shape, with dots for the random part.
    pub(super) fn example(&self) -> String {
        format!("{}…{}", self.mark(), self.domain())
    }
}

/// So many letters, five bits each, from the front of the bytes.
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
