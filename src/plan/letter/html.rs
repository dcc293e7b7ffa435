//! Letters as HTML, and the words of letters for other pages.

use std::fmt::Write as _;

use super::{Letter, Set};

impl Letter {
    /// The letter as HTML, without `<html>` and `<body>`: headings, paragraphs and lists. Every text is escaped.
    ///
    /// ```
    /// # use relinquish::data_map::{Fact, Field, Kind, RecordClass};
    /// # use relinquish::plan::letter::{self, Authority, Controller, Language, Letterhead};
    /// # use relinquish::{DataMap, PolicyDocument};
    /// # let class = RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
    /// # let map = DataMap::builder(class).knows(Fact::ActiveSubscriptions).build()?;
    /// # let policy = PolicyDocument::from_toml(
    /// #     "version = 1\nsweep = false\ntriggers.requested = { treatment = 'clear' }\nanonymise.name = 'clear'
    /// #      guards = { several_tenants = { ignore = 'one shop' }, not_archived = { ignore = 'no status' } }
    /// #      treatments.clear.customer = 'anonymise'",
    /// # )?
    /// # .check(&map)?;
    /// let controller = Controller::new("Fish & Fjord", "info@fjord.example");
    /// let authority = Authority::new("Datatilsynet", "Postboks 458 Sentrum, 0105 Oslo");
    /// let head = Letterhead::new(&policy, Language::English, controller, authority, "2026-11-30".parse()?)?;
    /// let html = letter::statement(&head, &policy, None)?.to_html();
    /// assert!(html.starts_with("<h1>") && html.contains("Fish &amp; Fjord"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_html(&self) -> String {
        let mut html = String::new();
        let mut is_list = false;
        for line in &self.lines {
            let is_item = line.set == Set::Item;
            if is_item != is_list {
                html.push_str(if is_item { "<ul>\n" } else { "</ul>\n" });
                is_list = is_item;
            }
            let text = html_escaped(&without_marks(&line.text));
            // Writing to a String never fails.
            let _ = match line.set {
                Set::Heading(level) => writeln!(html, "<h{level}>{text}</h{level}>"),
                Set::Paragraph => writeln!(html, "<p>{text}</p>"),
                Set::Item => writeln!(html, "<li>{text}</li>"),
            };
        }
        if is_list {
            html.push_str("</ul>\n");
        }
        html
    }
}

/// The text without the backslashes that keep it from being Markdown.
fn without_marks(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            plain.extend(chars.next());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// A text within HTML, or within an attribute in quotation marks.
pub(crate) fn html_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // No browser shows them.
            c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(feature = "export")]
mod for_exports {
    use chrono::NaiveDate;

    use super::super::words::fill;
    use super::super::writer::Writer;
    use super::super::{Language, LetterError, Letterhead};
    use super::without_marks;
    use crate::data_map::NotCovered;
    use crate::policy::Policy;

    /// A day as a language writes it.
    pub(crate) fn date_in(language: Language, day: NaiveDate) -> String {
        language.write_day(day)
    }

    /// Something that is not covered, as an item of a list.
    pub(crate) fn uncovered(
        head: &Letterhead,
        policy: &Policy,
        what: &NotCovered,
    ) -> Result<String, LetterError> {
        let writer = Writer::new(head, policy.everyone().privacy_law())?;
        Ok(without_marks(&writer.uncovered(what)?))
    }

    /// A text with its parts filled in.
    pub(crate) fn filled(text: &str, parts: &[(&str, &str)]) -> String {
        fill(text, parts)
    }
}

#[cfg(feature = "export")]
pub(crate) use for_exports::{date_in, filled, uncovered};
