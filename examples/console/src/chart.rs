//! A bar chart of months, as a picture in the page. A table has the same numbers, for people who cannot see the
//! picture.

use chrono::NaiveDate;
use maud::{Markup, html};

use crate::layout;
use crate::visit::Visit;
use crate::words::dates;

const BAR: u64 = 44;
const GAP: u64 = 12;
const HEIGHT: u64 = 140;
/// The space above the bars, for the numbers, and below them, for the months.
const ABOVE: u64 = 20;
const BELOW: u64 = 24;

/// Draws the numbers of the months as bars.
pub(crate) fn months(visit: &Visit<'_>, months: &[(NaiveDate, u64)]) -> Markup {
    let words = visit.words;
    let most = months.iter().map(|(_, count)| *count).max().unwrap_or_default();
    if most == 0 {
        return layout::empty(words.months_none);
    }
    let width = months.len() as u64 * (BAR + GAP);
    let all = ABOVE + HEIGHT + BELOW;
    let bars = months.iter().zip(0_u64..).map(|((month, count), n)| {
        // A bar of a number above zero is at least two units high, so that it is visible.
        let height = if *count == 0 { 0 } else { (count.saturating_mul(HEIGHT) / most).max(2) };
        (n * (BAR + GAP) + GAP / 2, height, *month, *count)
    });
    let described = words.say(words.chart_of, &[&visit.number(months.iter().map(|(_, count)| count).sum())]);
    html! {
        figure.chart {
            div.scroll role="group" aria-label=(words.coming_months) tabindex="0" {
                svg viewBox={ "0 0 " (width) " " (all) } width=(width) height=(all) role="img" aria-label=(described) {
                    line.axis x1="0" x2=(width) y1=(ABOVE + HEIGHT) y2=(ABOVE + HEIGHT) {}
                    @for (x, height, month, count) in bars {
                        rect.bar x=(x) y=(ABOVE + HEIGHT - height) width=(BAR) height=(height) rx="3" {}
                        text.count x=(x + BAR / 2) y=(ABOVE + HEIGHT - height - 6) text-anchor="middle" { (visit.number(count)) }
                        text.month x=(x + BAR / 2) y=(all - 6) text-anchor="middle" { (dates::month(words, month)) }
                    }
                }
            }
            details {
                summary { (words.as_table) }
                (layout::table(words.coming_months, &[words.month, words.customers], &html! {
                    @for (month, count) in months {
                        tr { th scope="row" { (dates::month_and_year(words, *month)) } td.number { (visit.number(*count)) } }
                    }
                }))
            }
        }
    }
}
