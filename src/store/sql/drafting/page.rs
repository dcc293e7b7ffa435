//! The text of a map while it is drafted: headers, with lines below each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::store::sql::paste;

/// Sections: a header such as `[records.order]`, and its lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    order: Vec<String>,
    lines: BTreeMap<String, Vec<Line>>,
}

/// A line of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A key with its value as TOML, and a comment.
    Set { key: String, value: String, comment: String },
    /// A comment on a line of its own.
    Comment(String),
}

impl Page {
    fn section(&mut self, header: &str) -> &mut Vec<Line> {
        if !self.lines.contains_key(header) {
            // The fields and ends of a class stand below the class.
            let place = header.trim_end_matches(']');
            let parent = place.rsplit_once('.').map_or(place, |(parent, _)| parent);
            let is_of =
                |known: &String| known.strip_prefix(parent).is_some_and(|rest| rest.starts_with([']', '.']));
            let after = self.order.iter().rposition(is_of);
            self.order.insert(after.map_or(self.order.len(), |at| at + 1), header.to_owned());
        }
        self.lines.entry(header.to_owned()).or_default()
    }

    /// Sets a key, unless the section has it. Returns whether anything changed.
    pub(super) fn set(&mut self, header: &str, key: &str, value: &str, comment: &str) -> bool {
        let lines = self.section(header);
        let is_there = |line: &Line| matches!(line, Line::Set { key: known, .. } if known == key);
        if lines.iter().any(is_there) {
            return false;
        }
        lines.push(Line::Set { key: key.to_owned(), value: value.to_owned(), comment: comment.to_owned() });
        true
    }

    /// Takes a key out of a section.
    pub(super) fn unset(&mut self, header: &str, key: &str) {
        self.section(header).retain(|line| !matches!(line, Line::Set { key: known, .. } if known == key));
    }

    /// Adds a comment to a section, once.
    pub(super) fn comment(&mut self, header: &str, text: &str) {
        let lines = self.section(header);
        let line = Line::Comment(text.to_owned());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }

    /// Removes a section.
    pub(super) fn remove(&mut self, header: &str) {
        let below = format!("{}.", header.trim_end_matches(']'));
        self.order.retain(|known| known != header && !known.starts_with(&below));
        self.lines.retain(|known, _| known != header && !known.starts_with(&below));
    }

    pub(super) fn text(&self) -> String {
        let mut text = "version = 1\n".to_owned();
        let sections = self.order.iter().filter_map(|header| Some((header, self.lines.get(header)?)));
        for (header, lines) in sections {
            // Writing to a String never fails.
            let _ = write!(text, "\n{header}\n");
            for line in lines {
                let _ = match line {
                    Line::Set { key, value, comment } if comment.is_empty() => {
                        writeln!(text, "{} = {value}", paste::key(key))
                    }
                    Line::Set { key, value, comment } => {
                        writeln!(text, "{} = {value}  # {comment}", paste::key(key))
                    }
                    Line::Comment(comment) => writeln!(text, "# {comment}"),
                };
            }
        }
        text
    }
}
