//! A bar chart of months, as a picture in the page. A table has the same numbers, for people who cannot see the
//! picture.

use chrono::NaiveDate;

use super::Set;
use crate::html::Html;
use crate::plan::letter::fill;

const BAR: u64 = 52;
const GAP: u64 = 12;
const HEIGHT: u64 = 140;
/// The space above the bars, for the numbers.
const ABOVE: u64 = 22;
/// The space below the bars, for the months.
const BELOW: u64 = 24;

/// Draws the numbers of the months as bars.
pub(super) fn bars(html: &mut Html, set: &Set<'_>, months: &[(NaiveDate, u64)]) {
    let most = months.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    let width = (BAR + GAP).saturating_mul(months.len() as u64);
    let total: u64 = months.iter().map(|(_, count)| count).sum();
    html.raw("<figure class=\"chart\">\n<svg role=\"img\" viewBox=\"0 0 ");
    html.number(width);
    html.raw(" ");
    html.number(ABOVE + HEIGHT + BELOW);
    html.within("\" aria-label=\"", &fill(set.words.chart_says, &[("n", &set.number(total))]), "\">\n");
    for ((month, count), n) in months.iter().zip(0..) {
        // A bar of a number above zero is at least two units high, so that it is visible.
        let height =
            if *count == 0 { 0 } else { (u128::from(*count) * u128::from(HEIGHT) / u128::from(most)).max(2) };
        let height = u64::try_from(height).unwrap_or(HEIGHT);
        let left = n * (BAR + GAP) + GAP / 2;
        let top = ABOVE + HEIGHT - height;
        rect(html, left, top, height);
        if *count > 0 {
            label(html, "count", left + BAR / 2, top - 6, &set.number(*count));
        }
        label(html, "month", left + BAR / 2, ABOVE + HEIGHT + BELOW - 6, &set.words.short(*month));
    }
    html.raw("<line class=\"axis\" x1=\"0\" x2=\"");
    html.number(width);
    html.raw("\" y1=\"");
    html.number(ABOVE + HEIGHT);
    html.raw("\" y2=\"");
    html.number(ABOVE + HEIGHT);
    html.raw("\"/>\n</svg>\n</figure>\n");
}

fn rect(html: &mut Html, x: u64, y: u64, height: u64) {
    html.raw("<rect class=\"bar\" x=\"");
    html.number(x);
    html.raw("\" y=\"");
    html.number(y);
    html.raw("\" width=\"");
    html.number(BAR);
    html.raw("\" height=\"");
    html.number(height);
    html.raw("\" rx=\"3\"/>\n");
}

fn label(html: &mut Html, class: &'static str, x: u64, y: u64, says: &str) {
    html.within("<text class=\"", class, "\" text-anchor=\"middle\" x=\"");
    html.number(x);
    html.raw("\" y=\"");
    html.number(y);
    html.within("\">", says, "</text>\n");
}
