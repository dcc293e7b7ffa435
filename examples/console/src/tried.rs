//! A form that was sent but is not accepted. The page keeps what was typed, and shows each complaint at its field.

use maud::{Markup, html};

use crate::fields::Fields;
use crate::words::Words;

/// The typed values of a form, and the complaints about them. Both are empty before a form is sent.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    typed: Fields,
    complaints: Vec<(&'static str, String)>,
}

impl Tried {
    pub(crate) fn of(form: &Fields) -> Self {
        Self { typed: form.clone(), complaints: Vec::new() }
    }

    /// Complains about a field, or about the whole form if the name is empty.
    pub(crate) fn complain(&mut self, field: &'static str, what: impl Into<String>) {
        self.complaints.push((field, what.into()));
    }

    pub(crate) fn is_fine(&self) -> bool {
        self.complaints.is_empty()
    }

    /// What was typed into a field.
    pub(crate) fn typed(&self, field: &str) -> &str {
        self.typed.raw(field).unwrap_or_default()
    }

    pub(crate) fn complaint(&self, field: &str) -> Option<&str> {
        self.complaints.iter().find(|(of, _)| *of == field).map(|(_, what)| what.as_str())
    }

    /// All complaints at the top of the page, each with a link to its field.
    pub(crate) fn summary(&self, words: &Words) -> Markup {
        html! {
            @if !self.is_fine() {
                section.problem role="alert" aria-labelledby="problem" tabindex="-1" autofocus {
                    h2 #problem { (words.error_title) }
                    ul {
                        @for (field, what) in &self.complaints {
                            li {
                                @if field.is_empty() { (what) } @else { a href={ "#f-" (field) } { (what) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One field of a form, with its label, a hint, and the complaint about it.
pub(crate) struct Field<'f> {
    pub(crate) tried: &'f Tried,
    pub(crate) name: &'f str,
    pub(crate) label: &'f str,
    pub(crate) hint: &'f str,
}

impl Field<'_> {
    fn described(&self) -> Option<String> {
        let hint = (!self.hint.is_empty()).then(|| format!("h-{}", self.name));
        let complaint = self.tried.complaint(self.name).map(|_| format!("e-{}", self.name));
        let ids: Vec<String> = hint.into_iter().chain(complaint).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn frame(&self, control: &Markup) -> Markup {
        let complaint = self.tried.complaint(self.name);
        html! {
            div.field.wrong[complaint.is_some()] {
                label for={ "f-" (self.name) } { (self.label) }
                @if !self.hint.is_empty() { p.hint id={ "h-" (self.name) } { (self.hint) } }
                @if let Some(complaint) = complaint { p.complaint id={ "e-" (self.name) } { (complaint) } }
                (control)
            }
        }
    }

    /// A line of text, or another kind of `input`.
    pub(crate) fn input(&self, kind: &str) -> Markup {
        self.frame(&html! {
            input type=(kind) id={ "f-" (self.name) } name=(self.name) value=(self.tried.typed(self.name))
                autocomplete="off" spellcheck="false" aria-describedby=[self.described()]
                aria-invalid=[self.tried.complaint(self.name).map(|_| "true")];
        })
    }

    /// Several lines of text. If nothing was typed, it contains `start`.
    pub(crate) fn area(&self, start: &str) -> Markup {
        let typed = self.tried.typed(self.name);
        self.frame(&html! {
            textarea id={ "f-" (self.name) } name=(self.name) rows="16" spellcheck="false"
                aria-describedby=[self.described()] { (if typed.is_empty() { start } else { typed }) }
        })
    }

    /// A choice of one option. Each option has a name and a label.
    pub(crate) fn choice<L: AsRef<str>>(&self, options: impl IntoIterator<Item = (String, L)>) -> Markup {
        let typed = self.tried.typed(self.name);
        self.frame(&html! {
            select id={ "f-" (self.name) } name=(self.name) aria-describedby=[self.described()] {
                @for (value, label) in options {
                    option value=(value) selected[typed == value] { (label.as_ref()) }
                }
            }
        })
    }
}
