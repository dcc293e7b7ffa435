//! Decodes the filters of object streams (ISO 32000-1, 7.4), with a limit on the size of the output.

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

/// The supported filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    Flate,
    Hex,
    Base85,
    RunLength,
}

impl Filter {
    /// The filter with this name or short name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"FlateDecode" | b"Fl" => Some(Self::Flate),
            b"ASCIIHexDecode" | b"AHx" => Some(Self::Hex),
            b"ASCII85Decode" | b"A85" => Some(Self::Base85),
            b"RunLengthDecode" | b"RL" => Some(Self::RunLength),
            _ => None,
        }
    }
}

/// The predictor that was applied to the data before compression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Predictor {
    how: usize,
    colors: usize,
    bits: usize,
    columns: usize,
}

impl Default for Predictor {
    fn default() -> Self {
        Self { how: 1, colors: 1, bits: 8, columns: 1 }
    }
}

/// The maximum number of bytes in a row.
const LONGEST_ROW: usize = 1 << 20;

impl Predictor {
    /// Each part by its name.
    pub(super) fn parts(&mut self) -> [(&'static str, &mut usize); 4] {
        [
            ("Predictor", &mut self.how),
            ("Colors", &mut self.colors),
            ("BitsPerComponent", &mut self.bits),
            ("Columns", &mut self.columns),
        ]
    }

    fn undone(self, data: Vec<u8>) -> Option<Vec<u8>> {
        let pixel = self.colors.checked_mul(self.bits)?;
        let row = pixel.checked_mul(self.columns)?.div_ceil(8);
        if !(1..=LONGEST_ROW).contains(&row) {
            return None;
        }
        let step = pixel.div_ceil(8).max(1);
        match self.how {
            1 => Some(data),
            2 if self.bits == 8 => Some(without_tiff(data, row, step)),
            10..=15 => without_png(&data, row, step),
            _ => None,
        }
    }
}

fn without_tiff(mut data: Vec<u8>, row: usize, step: usize) -> Vec<u8> {
    for row in data.chunks_mut(row) {
        for at in step..row.len() {
            let left = row.get(at - step).copied().unwrap_or_default();
            row.get_mut(at).into_iter().for_each(|byte| *byte = byte.wrapping_add(left));
        }
    }
    data
}

/// Undoes the PNG predictor. Each row starts with a byte for its predictor type (PNG, 9.2).
fn without_png(data: &[u8], row: usize, step: usize) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(data.len());
    let mut above = vec![0; row];
    for line in data.chunks(row + 1) {
        let (how, line) = line.split_first()?;
        let mut now = line.to_vec();
        for at in 0..now.len() {
            let before =
                |row: &[u8]| at.checked_sub(step).and_then(|at| row.get(at)).copied().unwrap_or_default();
            let (left, up, corner) =
                (before(&now), above.get(at).copied().unwrap_or_default(), before(&above));
            let guess = match how {
                0 => 0,
                1 => left,
                2 => up,
                3 => u8::midpoint(left, up),
                4 => paeth(left, up, corner),
                _ => return None,
            };
            now.get_mut(at).into_iter().for_each(|byte| *byte = byte.wrapping_add(guess));
        }
        out.extend_from_slice(&now);
        now.resize(row, 0);
        above = now;
    }
    Some(out)
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let guess = i16::from(left) + i16::from(up) - i16::from(corner);
    [left, up, corner].into_iter().min_by_key(|byte| (guess - i16::from(*byte)).abs()).unwrap_or_default()
}

/// Decodes data with filters. `None` if they cannot be decoded. The size of the output is subtracted from `room`, and
/// never exceeds it.
pub(super) fn unfiltered(data: &[u8], filters: &[(Filter, Predictor)], room: &mut usize) -> Option<Vec<u8>> {
    let mut data = take(data.to_vec(), room)?;
    for (filter, predictor) in filters {
        let plain = match filter {
            Filter::Flate => match decompress_to_vec_zlib_with_limit(&data, *room) {
                Ok(plain) => Some(plain),
                Err(error) => {
                    *room -= error.output.len().min(*room);
                    None
                }
            },
            Filter::Hex => hex(&data),
            Filter::Base85 => base_85(&data),
            Filter::RunLength => run_length(&data, *room),
        };
        data = predictor.undone(take(plain?, room)?)?;
    }
    Some(data)
}

fn take(data: Vec<u8>, room: &mut usize) -> Option<Vec<u8>> {
    if let Some(left) = room.checked_sub(data.len()) {
        *room = left;
        return Some(data);
    }
    *room = 0;
    None
}

fn hex(data: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len() / 2);
    let mut high = None;
    for byte in data.iter().take_while(|byte| **byte != b'>').filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())?;
        match high.take() {
            None => high = Some(digit << 4),
            Some(high) => out.push(high | digit),
        }
    }
    out.extend(high);
    Some(out)
}

fn base_85(data: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len());
    let mut group: Vec<u8> = Vec::with_capacity(5);
    for byte in data.iter().take_while(|byte| **byte != b'~').filter(|byte| !byte.is_ascii_whitespace()) {
        match byte {
            b'z' if group.is_empty() => out.extend([0; 4]),
            b'!'..=b'u' => group.push(byte - b'!'),
            _ => return None,
        }
        if group.len() == 5 {
            out.extend(of_85(&group)?);
            group.clear();
        }
    }
    if group.len() > 1 {
        let count = group.len() - 1;
        group.resize(5, 84);
        out.extend(of_85(&group)?.into_iter().take(count));
    }
    Some(out)
}

fn of_85(group: &[u8]) -> Option<[u8; 4]> {
    let value = group.iter().fold(0_u64, |value, digit| value * 85 + u64::from(*digit));
    u32::try_from(value).ok().map(u32::to_be_bytes)
}

fn run_length(data: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first() {
        match length {
            0..=127 => {
                let (run, behind) = behind.split_at_checked(usize::from(*length) + 1)?;
                out.extend_from_slice(run);
                rest = behind;
            }
            128 => break,
            129.. => {
                let (byte, behind) = behind.split_first()?;
                out.resize(out.len() + 257 - usize::from(*length), *byte);
                rest = behind;
            }
        }
        if out.len() > most {
            return None;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[u8], filters: &[(Filter, Predictor)]) -> Option<Vec<u8>> {
        unfiltered(data, filters, &mut 1000)
    }

    #[test]
    fn a_table_of_filtered_data() {
        let plain = Predictor::default();
        let png = Predictor { how: 12, columns: 3, ..plain };
        let tiff = Predictor { how: 2, columns: 3, ..plain };
        let (hex, ascii, run) = (Filter::Hex, Filter::Base85, Filter::RunLength);
        for (data, filters, wanted) in [
            (&b"4d61 7564>"[..], vec![(hex, plain)], Some(&b"Maud"[..])),
            (b"4d6>", vec![(hex, plain)], Some(b"M\x60")),
            (b"4x>", vec![(hex, plain)], None),
            (b"9jr0T~>", vec![(ascii, plain)], Some(b"Maud")),
            (b"z9jn~>", vec![(ascii, plain)], Some(b"\0\0\0\0Ma")),
            (b"\x01Ma\xfeu\x00d\x80", vec![(run, plain)], Some(b"Mauuud")),
            (b"020102030201 0101>", vec![(hex, png)], Some(b"\x01\x02\x03\x02\x03\x04")),
            (b"0101010104010101>", vec![(hex, png)], Some(b"\x01\x02\x03\x02\x03\x04")),
            (b"010101020202>", vec![(hex, tiff)], Some(b"\x01\x02\x03\x02\x04\x06")),
            (b"34643e>", vec![(hex, plain), (hex, plain)], Some(b"M")),
        ] {
            assert_eq!(read(data, &filters).as_deref(), wanted, "{}", String::from_utf8_lossy(data));
        }
        assert_eq!(unfiltered(b"\x81M", &[(run, plain)], &mut 100), None);
    }
}
