//! The edit distance of two names, for "did you mean".

use std::iter::{once, repeat};

/// The optimal string alignment distance: the number of characters to insert, delete, replace or swap with their
/// neighbour to turn one name into the other.
pub(crate) fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let (mut two_back, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=to.len()).collect());
    let mut x_before = None;
    for (n, x) in from.chars().enumerate() {
        let (mut left, mut y_before) = (n + 1, None);
        let mut row = vec![left];
        // The distances without the last two characters of each name.
        let swapped = once(None).chain(two_back.into_iter().map(Some)).chain(repeat(None));
        for ((y, of_last), swapped) in to.iter().copied().zip(last.windows(2)).zip(swapped) {
            if let [diagonal, above] = *of_last {
                left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            }
            if let Some(swapped) = swapped
                && x_before == Some(y)
                && y_before == Some(x)
            {
                left = left.min(swapped + 1);
            }
            row.push(left);
            y_before = Some(y);
        }
        x_before = Some(x);
        two_back = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_slip_counts_once() {
        for (from, to, count) in [
            ("", "", 0),
            ("", "name", 4),
            ("name", "name", 0),
            ("nam", "name", 1),
            ("name", "nme", 1),
            ("nane", "name", 1),
            ("naem", "name", 1),
            ("anme", "name", 1),
            ("naïve", "naive", 1),
            ("kitten", "sitting", 3),
            ("custmoer_idd", "customer_id", 2),
        ] {
            assert_eq!(edits(from, to), count, "{from} {to}");
            assert_eq!(edits(to, from), count, "{to} {from}");
        }
    }
}
