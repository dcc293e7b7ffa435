//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

use crate::visit::{Place, Visit};
use crate::words::Words;

pub(crate) const STYLE: &str = include_str!("style.css");

/// A whole page. The title must name nobody: it is in the history of the browser.
pub(crate) fn page(visit: &Visit<'_>, title: &str, content: &Markup) -> Markup {
    let words = visit.words;
    let places = [
        (Place::Home, "/", words.home),
        (Place::Requests, "/requests", words.requests),
        (Place::Review, "/review", words.review),
        (Place::Cases, "/cases", words.cases),
        (Place::Holds, "/holds", words.holds),
        (Place::Expiry, "/expiry", words.expiry),
        (Place::Policy, "/policy", words.policy),
        (Place::Data, "/data", words.data),
        (Place::Ledger, "/ledger", words.ledger),
    ];
    let nav = html! {
        header.top {
            div.bar {
                a.brand href=(visit.url("/")) { (words.brand) }
                nav aria-label=(words.navigation) {
                    ul {
                        @for (place, path, name) in places {
                            li {
                                a href=(visit.url(path)) aria-current=[(place == visit.place).then_some("page")] { (name) }
                            }
                        }
                    }
                }
                div.who {
                    (words.signed_in_as) " " strong { (visit.operator.id().as_str()) }
                    @if let Some(path) = &visit.console.sign_out {
                        form.inline method="post" action=(path) { button.second { (words.sign_out) } }
                    }
                }
            }
        }
    };
    frame(words, &visit.console.base, title, &nav, content)
}

/// A page for somebody who has not signed in, or the page of a failure.
pub(crate) fn bare(words: &Words, base: &str, title: &str, content: &Markup) -> Markup {
    frame(words, base, title, &html! {}, content)
}

fn frame(words: &Words, base: &str, title: &str, nav: &Markup, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(words.code) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · " (words.brand) }
                link rel="stylesheet" href={ (base) "/style.css" };
            }
            body {
                a.skip href="#content" { (words.skip) }
                (nav)
                main #content tabindex="-1" { (content) }
            }
        }
    }
}

/// A table that scrolls by itself if it is too wide. It can be reached with the keyboard.
pub(crate) fn table(label: &str, head: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="group" aria-label=(label) tabindex="0" {
            table {
                thead { tr { @for name in head { th scope="col" { (name) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// A number with a label that says what it counts.
pub(crate) fn card(number: &str, label: &str, path: Option<String>, tone: &str) -> Markup {
    let inner = html! { span.number { (number) } span.label { (label) } };
    html! {
        @match path {
            Some(path) => { a.card.(tone) href=(path) { (inner) } }
            None => { div.card.(tone) { (inner) } }
        }
    }
}

/// A text of the library, which is English in every language of the console.
pub(crate) fn english(text: &str) -> Markup {
    html! { span lang="en" { (text) } }
}

/// A short word in a coloured frame.
pub(crate) fn badge(text: &str, tone: &str) -> Markup {
    html! { span.badge.(tone) { (text) } }
}

/// The text for an empty list: it says what to do.
pub(crate) fn empty(text: &str) -> Markup {
    html! { p.empty { (text) } }
}
