//! Writes an export as a ZIP archive: one CSV per class, the documents, and a page for the person.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::csv::Rows;
use super::html::{Index, Preview};
use super::{ExportError, ExportPage, Exporting};
use crate::data_map::{ClassName, Datatype, Kind};
use crate::engine::PrivateFile;
use crate::plan::letter::Letterhead;

/// Writes exports as ZIP archives that every system opens.
///
/// | file | content |
/// |---|---|
/// | `index.html` | for the person, in the language of the [letterhead](Self::with_index): what is held, what is left out and why, and the statement of retention |
/// | `CLASS.csv` | the records of a class: see [`write_csv`](super::write_csv). Bytes are in a file, which the cell names |
/// | `files/CLASS/` | documents, images and other bytes |
/// | `report.json` | how many records each class has, what is left out, what the export does not reach |
///
/// Only the user who runs the process may read the archive. The archive gets its name when it is complete, and it
/// never overwrites another file.
#[derive(Debug)]
pub struct ZipExport<'h> {
    path: PathBuf,
    head: Option<&'h Letterhead>,
    is_stored: bool,
}

impl<'h> ZipExport<'h> {
    /// An archive at this path.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), head: None, is_stored: false }
    }

    /// Adds an `index.html` for the person, in the language of the letterhead.
    #[must_use]
    pub fn with_index(mut self, head: &'h Letterhead) -> Self {
        self.head = Some(head);
        self
    }

    /// Stores the files as they are, without compression.
    #[must_use]
    pub fn uncompressed(mut self) -> Self {
        self.is_stored = true;
        self
    }

    /// Reads the export to its end and writes the archive. Returns the export, with its [report](Exporting::report).
    ///
    /// # Errors
    /// [`ExportError`]: a store out of reach, [`io::ErrorKind::AlreadyExists`] if there is a file of this name, or
    /// words that the policy lacks in the language of the letterhead. Then there is no archive.
    pub async fn write(self, mut export: Exporting) -> Result<Exporting, ExportError> {
        let mut index = self.head.map(|head| Index::new(head, &export)).transpose()?;
        let mut archive = Archive {
            zip: ZipWriter::new(PrivateFile::create(&self.path)?),
            options: options(export.at(), self.is_stored),
        };
        let has_customers = export.has_customers();
        let mut next = export.next().await?;
        while let Some(first) = next {
            let class = first.class.clone();
            let is_aside = has_files(&export, &first);
            let mut preview = Preview::default();
            next = if is_aside {
                // A ZIP archive can have only one open entry at a time. So the rows are kept in a temporary file
                // while documents are written.
                let mut rows = Rows::new(PrivateFile::create(beside(&self.path))?);
                let next =
                    self.class(&mut export, first, &mut rows, Some(&mut archive), &mut preview).await?;
                archive.begin(&csv_name(&class))?;
                rows.finish()?.copy_into(&mut archive.zip)?;
                next
            } else {
                archive.begin(&csv_name(&class))?;
                let mut rows = Rows::new(&mut archive.zip);
                let next = self.class(&mut export, first, &mut rows, None, &mut preview).await?;
                rows.finish()?;
                next
            };
            if let Some(index) = &mut index {
                index.class(&class, preview, has_customers);
            }
        }
        if let Some(index) = index {
            archive.begin("index.html")?;
            archive.zip.write_all(index.page(&export)?.as_bytes())?;
        }
        archive.begin("report.json")?;
        serde_json::to_writer_pretty(&mut archive.zip, export.report()).map_err(io::Error::from)?;
        archive.zip.finish()?.finish()?;
        Ok(export)
    }

    /// Writes the records of a class, and returns the first page of the next class.
    async fn class<W: io::Write>(
        &self,
        export: &mut Exporting,
        first: ExportPage,
        rows: &mut Rows<W>,
        mut archive: Option<&mut Archive>,
        preview: &mut Preview,
    ) -> Result<Option<ExportPage>, ExportError> {
        rows.header(&first, export.has_customers())?;
        let class = first.class.clone();
        let mut page = first;
        let mut count = 0_u64;
        loop {
            for record in &page.records {
                count += 1;
                let mut files = Vec::new();
                rows.record(record, |place, bytes| {
                    let Some(archive) = archive.as_deref_mut() else { return Ok(None) };
                    let field = page.fields.get(place).map_or("file", |field| field.as_str());
                    let name = format!(
                        "files/{}/{count:06}-{}{}",
                        file_name(class.as_str()),
                        file_name(field),
                        ending(bytes)
                    );
                    archive.begin(&name)?;
                    archive.zip.write_all(bytes)?;
                    files.push((place, name.clone()));
                    Ok(Some(name))
                })?;
                preview.add(record, &files);
            }
            if preview.fields.is_empty() {
                preview.fields = page.fields.to_vec();
            }
            match export.next().await? {
                Some(next) if next.class == class => page = next,
                next => return Ok(next),
            }
        }
    }
}

/// The archive that is being written.
struct Archive {
    zip: ZipWriter<PrivateFile>,
    options: SimpleFileOptions,
}

impl Archive {
    fn begin(&mut self, name: &str) -> io::Result<()> {
        Ok(self.zip.start_file(name, self.options)?)
    }
}

fn options(at: DateTime<Utc>, is_stored: bool) -> SimpleFileOptions {
    let method = if is_stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
    let part = |number: u32| u8::try_from(number).unwrap_or(0);
    let made = zip::DateTime::from_date_and_time(
        u16::try_from(at.year()).unwrap_or(0),
        part(at.month()),
        part(at.day()),
        part(at.hour()),
        part(at.minute()),
        part(at.second()),
    );
    SimpleFileOptions::default()
        .compression_method(method)
        .unix_permissions(0o600)
        .large_file(true)
        // A ZIP archive cannot express a year before 1980. Then the entry has no time.
        .last_modified_time(made.unwrap_or_default())
}

/// Whether the class may have bytes that become files.
fn has_files(export: &Exporting, page: &ExportPage) -> bool {
    let described = export.engine.data_map().class(page.class.as_str());
    described.is_some_and(|class| {
        class.fields().iter().any(|field| {
            field.constraints().datatype == Datatype::Blob
                || matches!(field.kind(), Some(Kind::Document | Kind::Image))
        })
    })
}

/// The path of the temporary file for rows, beside the archive.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".rows");
    PathBuf::from(name)
}

/// A name as a part of a path: letters, digits, `-` and `_`.
pub(super) fn file_name(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

pub(super) fn csv_name(class: &ClassName) -> String {
    format!("{}.csv", file_name(class.as_str()))
}

/// The file name extension, from the first bytes of the file.
fn ending(bytes: &[u8]) -> &'static str {
    const KNOWN: [(&[u8], &str); 6] = [
        (b"%PDF-", ".pdf"),
        (b"\x89PNG\r\n\x1a\n", ".png"),
        (b"\xff\xd8\xff", ".jpg"),
        (b"GIF8", ".gif"),
        (b"PK\x03\x04", ".zip"),
        (b"{\\rtf", ".rtf"),
    ];
    let known = KNOWN.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, ending)| ending);
    known.unwrap_or(if std::str::from_utf8(bytes).is_ok() { ".txt" } else { ".bin" })
}
