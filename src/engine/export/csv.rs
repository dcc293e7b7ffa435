//! Writes an export of one class as CSV. A spreadsheet opens the file without running formulas and without changing
//! values.

use std::io::{self, Write};

use ::csv::{Terminator, Writer, WriterBuilder};

use super::{ExportError, ExportPage, ExportRecord, Exporting, WhyLeftOut};
use crate::data_map::Value;
use crate::plan::review::cell::cell;

/// From this number on, whole numbers lose digits in a spreadsheet.
const EXACT: u64 = 1_000_000_000_000_000;

/// Writes the rows of a class.
pub(super) struct Rows<W: Write> {
    writer: Writer<W>,
}

impl<W: Write> Rows<W> {
    pub(super) fn new(into: W) -> Self {
        Self { writer: WriterBuilder::new().terminator(Terminator::CRLF).from_writer(into) }
    }

    /// The names of the columns.
    pub(super) fn header(&mut self, page: &ExportPage, has_customers: bool) -> Result<(), ::csv::Error> {
        if has_customers {
            self.writer.write_field("customer")?;
        }
        for field in &*page.fields {
            self.writer.write_field(cell(field.as_str()))?;
        }
        self.writer.write_record(None::<&[u8]>)
    }

    /// Writes a row. Bytes are written to a file instead. `file` gives its name.
    pub(super) fn record(
        &mut self,
        record: &ExportRecord,
        mut file: impl FnMut(usize, &[u8]) -> io::Result<Option<String>>,
    ) -> Result<(), ::csv::Error> {
        if let Some(customer) = &record.customer {
            self.writer.write_field(cell(customer.as_str()))?;
        }
        let mut left_out = record.left_out.iter().peekable();
        for (place, value) in record.values.iter().enumerate() {
            if let Some((_, why)) = left_out.next_if(|(left, _)| *left == place) {
                self.writer.write_field(left_out_cell(*why))?;
                continue;
            }
            match value {
                Value::Null => self.writer.write_field("")?,
                Value::Integer(number) if number.unsigned_abs() < EXACT => {
                    self.writer.write_field(number.to_string())?;
                }
                Value::Integer(number) => self.writer.write_field(cell(&number.to_string()))?,
                Value::Real(number) => self.writer.write_field(number.to_string())?,
                Value::Text(text) => self.writer.write_field(cell(text))?,
                Value::Blob(bytes) => match file(place, bytes)? {
                    Some(name) => self.writer.write_field(name)?,
                    None => self.writer.write_field(cell(&super::json::base64(bytes)))?,
                },
            }
        }
        self.writer.write_record(None::<&[u8]>)
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(::csv::IntoInnerError::into_error)
    }
}

/// The text in the cell of a value that is left out.
pub(super) fn left_out_cell(why: WhyLeftOut) -> &'static str {
    match why {
        WhyLeftOut::Secret => "[left out: secret]",
        WhyLeftOut::OfSomebodyElse => "[left out: of somebody else]",
        WhyLeftOut::Shared => "[left out: shared with others]",
    }
}

/// Writes an export as CSV: a header and a row for each record, in UTF-8. An export of several classes has several
/// tables, with an empty line between them. A [`ZipExport`](super::ZipExport) has one file per class.
///
/// * A text that a spreadsheet could run or change gets an apostrophe before it. These are formulas, and texts that
///   look like a date or a long number.
/// * NULL is an empty cell. Bytes are base64. A value that is left out is `[left out: …]` with the reason.
///
/// # Errors
/// [`ExportError`]: a store out of reach, or a failed write.
pub async fn write_csv(mut export: Exporting, into: impl Write) -> Result<Exporting, ExportError> {
    let mut rows = Rows::new(into);
    let has_customers = export.has_customers();
    let mut is_begun = false;
    while let Some(page) = export.next().await? {
        if page.is_first {
            if std::mem::replace(&mut is_begun, true) {
                rows.writer.write_field("")?;
                rows.writer.write_record(None::<&[u8]>)?;
            }
            rows.header(&page, has_customers)?;
        }
        for record in &page.records {
            rows.record(record, |_, _| Ok(None))?;
        }
    }
    rows.finish()?;
    Ok(export)
}
