//! Cells that survive a spreadsheet: no program takes one for a formula, a number or a date, and rewrites it.

/// The longest number that every spreadsheet keeps.
const DIGITS: usize = 15;

/// A text as a cell. A text that a spreadsheet could run or rewrite gets an apostrophe before it, and so does a text that
/// begins with one. [`text`] takes it away again.
pub(crate) fn cell(text: &str) -> String {
    if is_risky(text) { format!("'{text}") } else { text.to_owned() }
}

/// The text of a cell.
pub(crate) fn text(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

fn is_risky(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    // The wide forms are taken for the narrow ones where text is entered in Chinese or Japanese.
    let begins_a_formula = matches!(first, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let keeps_its_form = is_number && text.len() <= DIGITS && (text.len() == 1 || !text.starts_with('0'));
    // A date, 1e5, 00123, a key of 20 digits, a digest that begins with a digit.
    let looks_like_a_number = first.is_ascii_digit() && !keeps_its_form;
    begins_a_formula
        || looks_like_a_number
        || first == '\''
        || first.is_whitespace()
        || first.is_control()
        || text.ends_with(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_none_is_rewritten() {
        for risky in [
            "=1+1",
            "@SUM(A1)",
            "+1",
            "-1",
            "\t=1",
            " =1",
            "\r=1",
            "＝1",
            "'=1",
            "2026-11-21",
            "00123",
            "1e5",
            "1/2",
            "1234567890123456",
            "12ab",
            "x ",
        ] {
            assert_eq!(cell(risky), format!("'{risky}"), "{risky}");
        }
        for plain in ["", "17", "0", "acme", "ab12", "4711", "ö", "a=b", "123456789012345"] {
            assert_eq!(cell(plain), plain);
        }
    }

    proptest! {
        #[test]
        fn a_cell_comes_back_as_its_text(written in any::<String>()) {
            let cell = cell(&written);
            prop_assert_eq!(text(&cell), written.as_str());
        }
    }
}
