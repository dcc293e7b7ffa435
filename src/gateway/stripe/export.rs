//! Reads Stripe's export of its customers: a CSV from the dashboard.
//!
//! The person who makes the export chooses the columns and their order. So columns are found by their names. `id` is
//! required. `Email`, and the metadata column with the host's own id, are used if they exist. An empty `Plan` means
//! that the customer has no subscription now. A person has to check such a customer, because some customers make
//! single payments.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::customer::{CustomerId, GatewayName};
use crate::gateway::{GatewayError, ListedProfile, ProfileListing, ProfilePages, Subscriptions};

/// The number of rows of a page.
const PAGE: usize = 500;

/// An error in an export. It names the place, but quotes no value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The file cannot be opened or read.
    #[error("the export cannot be read; check its path")]
    Io(#[from] io::Error),
    /// It is no CSV.
    #[error("line {line} is not CSV in UTF-8; make the export again")]
    NotCsv {
        /// The line.
        line: u64,
    },
    /// A required column is missing.
    #[error(
        "line 1: there is no column {column}; choose this column when you make the export, or use another file"
    )]
    NoColumn {
        /// The column.
        column: String,
    },
    /// A required column appears more than once.
    #[error("line 1: column {column} appears more than once; keep only one of them")]
    TwoColumns {
        /// The column.
        column: String,
    },
    /// A row has more or fewer cells than there are columns.
    #[error("line {line}, column {column}: the row has {cells} cells, and the file {columns} columns")]
    Cells {
        /// The line.
        line: u64,
        /// The number of the first column without a cell, or without a name.
        column: u64,
        /// How many cells.
        cells: u64,
        /// How many columns.
        columns: u64,
    },
    /// No customer's id.
    #[error("line {line}, column id: this is no id of a Stripe customer; they begin with cus_")]
    NotAnId {
        /// The line.
        line: u64,
    },
    /// The same customer again.
    #[error("line {line}, column id: the customer appears twice; make the export again")]
    Twice {
        /// The line.
        line: u64,
    },
}

/// Where each column is.
#[derive(Debug)]
struct Columns {
    count: usize,
    id: usize,
    email: Option<usize>,
    plan: Option<usize>,
    owner: Option<usize>,
}

impl Columns {
    fn of(headers: &csv::StringRecord, owner_key: &str) -> Result<Self, ExportError> {
        let named = |names: &[&str]| {
            let mut places = headers.iter().enumerate().filter(|(_, name)| {
                let name = name.trim_start_matches('\u{feff}').trim();
                names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted))
            });
            match (places.next(), places.next()) {
                (Some(_), Some(_)) => Err(ExportError::TwoColumns {
                    column: names.first().copied().unwrap_or_default().to_owned(),
                }),
                (place, _) => Ok(place.map(|(n, _)| n)),
            }
        };
        let owner = format!("{owner_key} (metadata)");
        Ok(Self {
            count: headers.len(),
            id: named(&["id"])?.ok_or_else(|| ExportError::NoColumn { column: "id".to_owned() })?,
            email: named(&["Email"])?,
            plan: named(&["Plan"])?,
            owner: named(&[&owner, owner_key])?,
        })
    }

    fn row(&self, record: &csv::StringRecord) -> Result<ListedProfile, ExportError> {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != self.count {
            return Err(ExportError::Cells {
                line,
                column: record.len().min(self.count) as u64 + 1,
                cells: record.len() as u64,
                columns: self.count as u64,
            });
        }
        let cell = |place: Option<usize>| {
            place.and_then(|n| record.get(n)).map(str::trim).filter(|text| !text.is_empty())
        };
        let id = cell(Some(self.id)).filter(|id| id.starts_with("cus_"));
        let mut profile = ListedProfile::new(id.ok_or(ExportError::NotAnId { line })?);
        profile.owner = cell(self.owner).map(CustomerId::from);
        profile.email = cell(self.email).map(str::to_owned);
        profile.subscriptions = match (self.plan, cell(self.plan)) {
            (None, _) => Subscriptions::NotTold,
            (Some(_), None) => Subscriptions::NoneNow,
            // At least one subscription. The export does not show how many.
            (Some(_), Some(_)) => Subscriptions::Counted { active: 1, ended: 0 },
        };
        Ok(profile)
    }
}

/// The customers of an export, one after the other.
pub struct ExportRows<R> {
    csv: csv::Reader<R>,
    columns: Columns,
    /// A hash of eight bytes per row, to notice a row that appears twice.
    seen: HashSet<u64>,
    record: csv::StringRecord,
}

impl<R> fmt::Debug for ExportRows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportRows").field("columns", &self.columns).finish_non_exhaustive()
    }
}

fn trouble(error: csv::Error) -> ExportError {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => ExportError::Io(error),
        _ => ExportError::NotCsv { line },
    }
}

impl<R: Read> ExportRows<R> {
    /// Reads an export. If there is a metadata column `owner_key`, it contains the host's own customer id.
    ///
    /// # Errors
    /// [`ExportError`] if the columns do not fit.
    pub fn new(from: R, owner_key: &str) -> Result<Self, ExportError> {
        let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(from);
        let columns = Columns::of(csv.headers().map_err(trouble)?, owner_key)?;
        Ok(Self { csv, columns, seen: HashSet::new(), record: csv::StringRecord::new() })
    }
}

impl<R: Read> Iterator for ExportRows<R> {
    type Item = Result<ListedProfile, ExportError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.csv.read_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => Some(self.columns.row(&self.record).and_then(|profile| {
                let line = self.record.position().map_or(0, csv::Position::line);
                if self.seen.insert(short(profile.id.as_str())) {
                    Ok(profile)
                } else {
                    Err(ExportError::Twice { line })
                }
            })),
            Err(error) => Some(Err(trouble(error))),
        }
    }
}

/// A part of a digest. It is long enough to notice an id that appears twice.
fn short(id: &str) -> u64 {
    let digest = crate::digest::Digest::of_bytes(id.as_bytes());
    digest.as_bytes().iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// An export in a file. It can be reconciled in the same way as Stripe itself.
#[derive(Clone, Debug)]
pub struct StripeExport {
    gateway: GatewayName,
    path: PathBuf,
    owner_key: String,
}

impl StripeExport {
    /// Uses an export file. `gateway` is the name of the adapter for the same account.
    pub fn new(gateway: impl Into<GatewayName>, path: impl AsRef<Path>) -> Self {
        Self { gateway: gateway.into(), path: path.as_ref().to_owned(), owner_key: "customer_id".to_owned() }
    }

    /// Sets the metadata key with the host's own customer id. The default is `customer_id`.
    #[must_use]
    pub fn owner_key(mut self, key: impl Into<String>) -> Self {
        self.owner_key = key.into();
        self
    }

    fn wrong(&self, error: &ExportError) -> GatewayError {
        let what = format!("its export {}: {error}", self.path.display());
        GatewayError::Refused { gateway: self.gateway.clone(), what }
    }
}

#[derive(Debug)]
struct Pages {
    export: StripeExport,
    rows: ExportRows<File>,
}

#[async_trait]
impl ProfileListing for StripeExport {
    fn gateway(&self) -> &GatewayName {
        &self.gateway
    }

    async fn list(&self) -> Result<Box<dyn ProfilePages>, GatewayError> {
        let rows = File::open(&self.path)
            .map_err(ExportError::Io)
            .and_then(|file| ExportRows::new(file, &self.owner_key))
            .map_err(|error| self.wrong(&error))?;
        Ok(Box::new(Pages { export: self.clone(), rows }))
    }
}

#[async_trait]
impl ProfilePages for Pages {
    async fn next(&mut self) -> Result<Option<Vec<ListedProfile>>, GatewayError> {
        let page: Result<Vec<ListedProfile>, ExportError> = self.rows.by_ref().take(PAGE).collect();
        let page = page.map_err(|error| self.export.wrong(&error))?;
        Ok((!page.is_empty()).then_some(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORT: &str = "\
id,Description,Email,Name,Created (UTC),Delinquent,Card ID,Plan,Status,customer_id (metadata)
cus_1,,ann@example.org,\"Ann, of Ayr\",2016-03-01 12:00,false,card_1,gold,active,1
cus_2,,bob@example.org,Bob,2016-03-02 12:00,false,,,,2
cus_3,,,Cy,2016-03-03 12:00,false,,,,
";

    fn read(text: &str) -> Result<Vec<ListedProfile>, ExportError> {
        ExportRows::new(text.as_bytes(), "customer_id")?.collect()
    }

    /// The same file with other columns: some left out, and optionally in reverse order.
    fn columns(keep: impl Fn(&str) -> bool, turn: bool) -> String {
        let mut csv = csv::Reader::from_reader(EXPORT.as_bytes());
        let headers = csv.headers().unwrap().clone();
        let mut places: Vec<usize> = (0..headers.len()).filter(|n| keep(&headers[*n])).collect();
        if turn {
            places.reverse();
        }
        let mut to = csv::Writer::from_writer(Vec::new());
        for record in std::iter::once(headers.clone()).chain(csv.records().map(Result::unwrap)) {
            to.write_record(places.iter().map(|n| &record[*n])).unwrap();
        }
        String::from_utf8(to.into_inner().unwrap()).unwrap()
    }

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let found = read(EXPORT).unwrap();
        assert_eq!(read(&columns(|_| true, true)).unwrap(), found);
        assert_eq!(read(&format!("\u{feff}{EXPORT}")).unwrap(), found, "with a byte-order mark");
        assert_eq!(read(&EXPORT.replace('\n', "\r\n")).unwrap(), found);
        assert_eq!(found[0].subscriptions, Subscriptions::Counted { active: 1, ended: 0 });
        assert_eq!(found[1].subscriptions, Subscriptions::NoneNow, "an empty plan is no subscription");
        assert_eq!(found[1].owner.as_ref().unwrap().as_str(), "2");
        assert_eq!(found[2].email, None);
    }

    #[test]
    fn without_metadata_or_plan_less_is_told() {
        let found = read(&columns(|name| !name.contains("metadata"), false)).unwrap();
        assert!(
            found
                .iter()
                .all(|profile| profile.owner.is_none() && profile.subscriptions != Subscriptions::NotTold)
        );
        let found = read(&columns(|name| name == "id", false)).unwrap();
        assert!(
            found.iter().all(|profile| profile.subscriptions == Subscriptions::NotTold),
            "no plan column at all"
        );
    }

    #[test]
    fn a_wrong_file_gets_an_error_with_its_line_and_column_and_nobody_in_it() {
        for (text, place) in [
            (columns(|name| name != "id", false), "line 1: there is no column id"),
            (String::new(), "line 1: there is no column id"),
            (EXPORT.replace("Status", "Plan"), "line 1: column Plan appears more than once"),
            (EXPORT.replace("cus_2", "canary@example.org"), "line 3, column id"),
            (EXPORT.replace("cus_3", "cus_1"), "line 4, column id: the customer appears twice"),
            (EXPORT.replace("cus_2,,", "cus_2,"), "line 3, column 10: the row has 9 cells, and the file 10"),
            (
                EXPORT.replace("cus_2,,", "cus_2,,,"),
                "line 3, column 11: the row has 11 cells, and the file 10",
            ),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(place), "{error}");
            assert!(!error.contains("canary") && !error.contains("cus_2"), "{error}");
        }
        let latin = [b"id,Name\ncus_1,Ann\ncus_2,B".as_slice(), b"\xF6", b"b\n"].concat();
        let rows: Result<Vec<_>, _> = ExportRows::new(latin.as_slice(), "customer_id").unwrap().collect();
        assert!(rows.unwrap_err().to_string().contains("line 3 is not CSV in UTF-8"));
    }
}
