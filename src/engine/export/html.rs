//! The HTML page of an export, for the person whose data are exported.

use std::fmt::Write as _;

use super::words::ExportWords;
use super::zip::csv_name;
use super::{ExportError, ExportRecord, Exporting, Scope, WhyLeftOut};
use crate::customer::TenantId;
use crate::data_map::{ClassName, FieldName, NotCovered, Value};
use crate::plan::letter::{self, Letterhead, filled as fill, html_escaped as escaped};
use crate::policy::Policy;

/// The maximum number of records of a class on the page.
const SHOWN: usize = 20;
/// The maximum number of characters of a value on the page.
const CHARS: usize = 2_000;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}\
    table{border-collapse:collapse;margin:.5rem 0}th,td{border:1px solid #bbb;padding:.25rem .5rem;text-align:left;\
    vertical-align:top;overflow-wrap:anywhere}th{background:#f2f2f2}.scroll{overflow-x:auto}.out{color:#595959;font-style:italic}";

/// A cell of the page.
enum Shown {
    Text(String),
    File(String),
    LeftOut(WhyLeftOut),
}

/// The first records of a class.
#[derive(Default)]
pub(super) struct Preview {
    pub(super) fields: Vec<FieldName>,
    rows: Vec<(Option<String>, Vec<Shown>)>,
}

impl Preview {
    /// Adds a record. `files` has the index of each column with bytes, and the name of its file.
    pub(super) fn add(&mut self, record: &ExportRecord, files: &[(usize, String)]) {
        if self.rows.len() >= SHOWN {
            return;
        }
        let shown = |(place, value): (usize, &Value)| {
            if let Some((_, why)) = record.left_out.iter().find(|(left, _)| *left == place) {
                return Shown::LeftOut(*why);
            }
            match value {
                Value::Null => Shown::Text(String::new()),
                Value::Integer(number) => Shown::Text(number.to_string()),
                Value::Real(number) => Shown::Text(number.to_string()),
                Value::Text(text) => Shown::Text(shortened(text)),
                Value::Blob(bytes) => match files.iter().find(|(of, _)| *of == place) {
                    Some((_, file)) => Shown::File(file.clone()),
                    None => Shown::Text(shortened(&super::json::base64(bytes))),
                },
            }
        };
        let cells = record.values.iter().enumerate().map(shown).collect();
        let customer = record.customer.as_ref().map(|customer| customer.as_str().to_owned());
        self.rows.push((customer, cells));
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARS) {
        Some((at, _)) => format!("{} …", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The page, class by class.
pub(super) struct Index<'h> {
    head: &'h Letterhead,
    policy: Policy,
    tenant: Option<TenantId>,
    words: &'static ExportWords,
    classes: Vec<(ClassName, Preview, bool)>,
}

impl<'h> Index<'h> {
    /// Makes a page in the language of a letterhead. The statement of retention is written first. So a missing word
    /// is an error before any record is read.
    pub(super) fn new(head: &'h Letterhead, export: &Exporting) -> Result<Self, ExportError> {
        let policy = export.engine.policy().clone();
        let tenant = match &export.export.scope {
            Scope::Tenant(tenant) => Some(tenant.clone()),
            Scope::Customer(_) => export.tenant.clone(),
            Scope::Class(_) => None,
        };
        letter::statement(head, &policy, tenant.as_ref())?;
        let words = ExportWords::of(head.language());
        Ok(Self { head, policy, tenant, words, classes: Vec::new() })
    }

    pub(super) fn class(&mut self, class: &ClassName, preview: Preview, has_customers: bool) {
        self.classes.push((class.clone(), preview, has_customers));
    }

    /// Writes the whole page. Call this after all records were read.
    pub(super) fn page(&self, export: &Exporting) -> Result<String, ExportError> {
        let (words, report) = (self.words, export.report());
        let title = fill(words.title, &[("sender", &self.head.controller.name)]);
        let title = escaped(&title);
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n",
            words.code
        );
        let date = letter::date_in(self.head.language(), self.head.date);
        put(&mut html, "p", &fill(words.made, &[("date", &date)]));
        put(&mut html, "h2", words.held);
        for (class, preview, has_customers) in &self.classes {
            let count = report.records.get(class).copied().unwrap_or(0);
            put(&mut html, "h3", &self.class_name(class));
            if count == 0 {
                put(&mut html, "p", words.none);
                continue;
            }
            let mut line = fill(words.records, &[("n", &count.to_string())]);
            if count > preview.rows.len() as u64 {
                let _ = write!(line, ". {}", fill(words.first, &[("n", &preview.rows.len().to_string())]));
            }
            put(&mut html, "p", &line);
            self.table(&mut html, class, preview, *has_customers);
            let file = escaped(&csv_name(class));
            let _ = writeln!(html, "<p>{} <a href=\"{file}\">{file}</a></p>", escaped(words.all_in));
        }
        put(&mut html, "h2", words.left_out);
        if report.left_out.is_empty() {
            put(&mut html, "p", words.nothing_left_out);
        } else {
            html.push_str("<ul>\n");
            for left in &report.left_out {
                let parts = [
                    ("field", self.field_name(&left.class, &left.field)),
                    ("what", self.class_name(&left.class)),
                    ("n", left.records.to_string()),
                    ("why", words.why(left.why).to_owned()),
                ];
                let parts = parts.each_ref().map(|(name, text)| (*name, text.as_str()));
                put(&mut html, "li", &fill(words.left_out_field, &parts));
            }
            html.push_str("</ul>\n");
        }
        if !report.not_covered.is_empty() {
            put(&mut html, "p", words.not_covered);
            html.push_str("<ul>\n");
            for what in &report.not_covered {
                put(&mut html, "li", &self.uncovered(what)?);
            }
            html.push_str("</ul>\n");
        }
        html.push_str("<hr>\n");
        html.push_str(&letter::statement(self.head, &self.policy, self.tenant.as_ref())?.to_html());
        html.push_str("</body>\n</html>\n");
        Ok(html)
    }

    fn table(&self, html: &mut String, class: &ClassName, preview: &Preview, has_customers: bool) {
        html.push_str("<div class=\"scroll\"><table>\n<tr>");
        if has_customers {
            let _ = write!(html, "<th>{}</th>", escaped(self.words.customer));
        }
        for field in &preview.fields {
            let _ = write!(html, "<th>{}</th>", escaped(&self.field_name(class, field)));
        }
        html.push_str("</tr>\n");
        for (customer, cells) in &preview.rows {
            html.push_str("<tr>");
            if let Some(customer) = customer {
                let _ = write!(html, "<td>{}</td>", escaped(customer));
            }
            for cell in cells {
                let _ = match cell {
                    Shown::Text(text) => write!(html, "<td>{}</td>", escaped(text)),
                    Shown::File(file) => {
                        let file = escaped(file);
                        write!(html, "<td><a href=\"{file}\">{file}</a></td>")
                    }
                    Shown::LeftOut(why) => write!(
                        html,
                        "<td class=\"out\" title=\"{}\">{}</td>",
                        escaped(self.words.why(*why)),
                        escaped(self.words.here)
                    ),
                };
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</table></div>\n");
    }

    /// The policy's word for a class in the page's language. Without such a word, the name of the class.
    fn class_name(&self, class: &ClassName) -> String {
        let found = self.policy.words(self.head.language()).and_then(|words| words.name(class.as_str()));
        found.unwrap_or_else(|| class.as_str().to_owned())
    }

    fn field_name(&self, class: &ClassName, field: &FieldName) -> String {
        let words = self.policy.words(self.head.language());
        let found = words.and_then(|words| words.field(class.as_str(), field.as_str()));
        found.unwrap_or_else(|| field.as_str().to_owned())
    }

    fn uncovered(&self, what: &NotCovered) -> Result<String, ExportError> {
        Ok(match what {
            NotCovered::OtherSystems => self.words.other_systems.to_owned(),
            NotCovered::Backups => self.words.backups.to_owned(),
            other => letter::uncovered(self.head, &self.policy, other)?,
        })
    }
}

fn put(html: &mut String, tag: &str, text: &str) {
    let _ = writeln!(html, "<{tag}>{}</{tag}>", escaped(text));
}
