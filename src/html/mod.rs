//! Writes self-contained HTML pages: no script, and nothing is loaded. Every text is escaped, and there is no way to
//! write an unescaped text.

use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");

/// A page under construction.
#[derive(Default)]
pub(crate) struct Html(String);

/// A cell of a table.
pub(crate) enum Cell {
    Text(String),
    /// A name as the policy or the map spells it.
    Code(String),
    /// Lines below each other.
    Lines(Vec<String>),
    /// Fields, each with what was done to it.
    Fields(Vec<(String, String)>),
}

pub(crate) fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

pub(crate) fn code(name: impl Into<String>) -> Cell {
    Cell::Code(name.into())
}

fn escape(text: &str, to: &mut String) {
    for c in text.chars() {
        match c {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            c if c.is_control() && c != '\n' => to.push(' '),
            c => to.push(c),
        }
    }
}

impl Html {
    /// Begins a page: everything before its header. `language` is the code of the page's language.
    pub(crate) fn begin(language: &str, title: &str) -> Self {
        let mut html = Self::default();
        html.within("<!DOCTYPE html>\n<html lang=\"", language, "\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
        html.within("<title>", title, "</title>\n<style>\n");
        html.raw(STYLE);
        html.raw("</style>\n</head>\n<body>\n<main>\n");
        html
    }

    /// Ends the page with a footer.
    pub(crate) fn end(mut self, footer: &str) -> String {
        self.within("<footer>", footer, "</footer>\n");
        self.raw("</main>\n</body>\n</html>");
        self.finish()
    }

    /// Writes a tag of this crate without escaping.
    pub(crate) fn raw(&mut self, tag: &'static str) {
        self.0.push_str(tag);
    }

    pub(crate) fn text(&mut self, text: &str) {
        escape(text, &mut self.0);
    }

    pub(crate) fn within(&mut self, open: &'static str, text: &str, close: &'static str) {
        self.raw(open);
        self.text(text);
        self.raw(close);
    }

    /// A section with its heading.
    pub(crate) fn section(&mut self, title: &str, write: impl FnOnce(&mut Self)) {
        self.raw("<section>\n");
        self.within("<h2>", title, "</h2>\n");
        write(self);
        self.raw("</section>\n");
    }

    /// Writes a section with a table. Writes nothing if there are no rows.
    pub(crate) fn table_section(&mut self, title: &str, columns: &[&str], rows: Vec<Vec<Cell>>) {
        if !rows.is_empty() {
            self.section(title, |html| html.table(columns, rows));
        }
    }

    /// Writes a list of names with their values.
    pub(crate) fn list(&mut self, rows: Vec<(&str, Cell)>) {
        self.raw("<dl>\n");
        for (name, cell) in rows {
            self.within("<div><dt>", name, "</dt><dd>");
            self.cell(&cell);
            self.raw("</dd></div>\n");
        }
        self.raw("</dl>\n");
    }

    /// A table. On a narrow screen each row becomes a list, so each cell knows its column.
    pub(crate) fn table(&mut self, columns: &[&str], rows: Vec<Vec<Cell>>) {
        self.raw("<table>\n<thead><tr>");
        for column in columns {
            self.within("<th scope=\"col\">", column, "</th>");
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for (cell, column) in row.iter().zip(columns) {
                self.within("<td data-column=\"", column, "\">");
                self.cell(cell);
                self.raw("</td>");
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n</table>\n");
    }

    /// Writes a number into a tag.
    pub(crate) fn number(&mut self, number: u64) {
        // Writing to a String never fails.
        let _ = write!(self.0, "{number}");
    }

    pub(crate) fn items(&mut self, items: &[String]) {
        self.raw("<ul>\n");
        for item in items {
            self.within("<li>", item, "</li>\n");
        }
        self.raw("</ul>\n");
    }

    fn cell(&mut self, cell: &Cell) {
        match cell {
            Cell::Text(text) => self.text(text),
            Cell::Code(name) => self.within("<code>", name, "</code>"),
            Cell::Lines(lines) => {
                for line in lines {
                    self.within("<span class=\"line\">", line, "</span>");
                }
            }
            Cell::Fields(fields) => {
                for (field, what) in fields {
                    self.within("<span class=\"line\"><code>", field, "</code> ");
                    self.within("<span>", what, "</span></span>");
                }
            }
        }
    }

    fn finish(mut self) -> String {
        // Writing to a String never fails.
        let _ = writeln!(self.0);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_a_tag() {
        let mut html = Html::default();
        html.within("<p>", "<script>alert('1') & \"2\"</script>\u{7}", "</p>");
        assert_eq!(
            html.finish(),
            "<p>&lt;script&gt;alert(&#39;1&#39;) &amp; &quot;2&quot;&lt;/script&gt; </p>\n"
        );
    }
}
