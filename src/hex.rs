//! Bytes as hexadecimal digits, and back.

/// The error for a text that is not hexadecimal, or has another length than expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the hexadecimal digits of the expected number of bytes")]
pub(crate) struct NotHex;

/// The two digits of a byte, in lower case.
fn digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0xf].map(|half| if half < 10 { b'0' + half } else { b'a' + half - 10 })
}

/// The byte of two digits, in either case.
fn byte(pair: &[u8]) -> Result<u8, NotHex> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(NotHex),
    };
    match *pair {
        [high, low] => Ok(value(high)? << 4 | value(low)?),
        _ => Err(NotHex),
    }
}

/// Two digits for each byte, in lower case.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(bytes.iter().flat_map(|byte| digits(*byte)).map(char::from));
    text
}

/// Writes the digits into a slice of exactly their length.
pub(crate) fn encode_to_slice(bytes: &[u8], place: &mut [u8]) -> Result<(), NotHex> {
    if place.len() != bytes.len() * 2 {
        return Err(NotHex);
    }
    for (pair, byte) in place.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&digits(*byte));
    }
    Ok(())
}

/// The bytes of digits in either case.
#[cfg(any(test, feature = "sqlite", feature = "postgres", feature = "pdf"))]
pub(crate) fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, NotHex> {
    text.as_ref().chunks(2).map(byte).collect()
}

/// Reads exactly as many bytes as the slice has. After an error, the content of the slice is undefined.
pub(crate) fn decode_to_slice(text: impl AsRef<[u8]>, place: &mut [u8]) -> Result<(), NotHex> {
    let text = text.as_ref();
    if text.len() != place.len() * 2 {
        return Err(NotHex);
    }
    for (place, pair) in place.iter_mut().zip(text.chunks(2)) {
        *place = byte(pair)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_read_back_and_spelled_as_rust_spells_it() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let text = encode(&all);
        assert_eq!(text.len(), 512);
        for (byte, start) in all.iter().zip((0..).step_by(2)) {
            assert_eq!(text[start..start + 2], format!("{byte:02x}"));
        }
        let mut place = [0; 512];
        encode_to_slice(&all, &mut place).unwrap();
        assert_eq!(text.as_bytes(), place);
        let mut bytes = [0; 256];
        for text in [text.to_ascii_uppercase(), text] {
            assert_eq!(decode(&text), Ok(all.clone()));
            decode_to_slice(&text, &mut bytes).unwrap();
            assert_eq!(bytes.as_slice(), all);
        }
    }

    #[test]
    fn nothing_else_is_read() {
        for wrong in ["0", "000", "0g", "g0", "0x", " 0", "0 ", "é", "+1", "-1"] {
            assert_eq!(decode(wrong), Err(NotHex), "{wrong}");
        }
        assert_eq!(decode(""), Ok(Vec::new()));
        for wrong in ["", "00", "0000000", "00000", "00000g"] {
            assert_eq!(decode_to_slice(wrong, &mut [0; 3]), Err(NotHex), "{wrong}");
        }
        assert_eq!(encode_to_slice(&[0], &mut [0; 3]), Err(NotHex));
    }
}
