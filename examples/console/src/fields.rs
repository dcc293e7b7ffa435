//! The fields of a query or of a form that a browser sent (`application/x-www-form-urlencoded`).

/// Fields by name, in the order in which they were sent. `Debug` shows no values, because they may be personal.
#[derive(Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Fields {
    /// Reads an encoded text. A part with a wrong encoding is read literally.
    pub(crate) fn read(encoded: &[u8]) -> Self {
        let pairs = encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let mut parts = pair.splitn(2, |byte| *byte == b'=');
                    let mut part = || decode(parts.next().unwrap_or_default(), b' ');
                    (part(), part())
                })
                .collect(),
        )
    }

    /// The value of a field, without the blanks around it. `None` if the field is missing or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// The value of a field, exactly as it was typed.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// All values of a field that may occur several times.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Decodes a part of a path that [`encode`] wrote.
pub(crate) fn decode_segment(encoded: &str) -> String {
    decode(encoded.as_bytes(), b'+')
}

/// Reads an encoded text. `plus` is the meaning of `+`: a blank in a form, and `+` itself in a path.
fn decode(encoded: &[u8], plus: u8) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = match (first, after) {
            (b'%', [high, low, after @ ..]) => digit(*high).zip(digit(*low)).map(|digits| (digits, after)),
            _ => None,
        };
        match escaped {
            Some(((high, low), after)) => {
                bytes.push(high * 16 + low);
                rest = after;
            }
            None => bytes.push(if *first == b'+' { plus } else { *first }),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Encodes a value for a URL.
pub(crate) fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    encoded
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read() {
        for value in ["17", "a b", "å+b&c=d%20", "", "100 %", "line\nline"] {
            let fields = Fields::read(format!("x=1&name={}&y", encode(value)).as_bytes());
            assert_eq!(fields.raw("name"), Some(value));
            assert_eq!(fields.raw("y"), Some(""));
        }
        assert_eq!(Fields::read(b"a=+17+").get("a"), Some("17"));
        assert_eq!(Fields::read(b"a=%zz%4").raw("a"), Some("%zz%4"), "not well encoded");
        assert_eq!(Fields::read(b"a=1&a=2").all("a").collect::<Vec<_>>(), ["1", "2"]);
    }
}
