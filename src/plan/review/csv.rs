//! A review as CSV: written row by row, read back strictly.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::cell::{cell, text};
use super::{Review, ReviewedPlan};
use crate::customer::{CustomerId, Identifiers, TenantId};
use crate::data_map::Kind;
use crate::digest::Digest;
use crate::document::{Problem, Problems, suggest};
use crate::plan::{OperatorId, Plan};
use crate::policy::Trigger;
use crate::treatment::TreatmentName;

/// The format of the rows.
const FORMAT: &str = "1";
/// The column in which a row is struck out.
const STRIKE_OUT: &str = "strike_out";
/// Columns that every review has, in this order, the chosen ones between `tenant` and `planned_by`.
const FIRST: [&str; 3] = [STRIKE_OUT, "customer", "tenant"];
const LAST: [&str; 5] = ["planned_by", "plan", "review", "format", "row"];
/// The prefix of personal columns.
const PERSONAL: &str = "personal.";

/// A column that an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Column {
    /// What made the customer due.
    Trigger,
    /// The first day on which the customer was due.
    Since,
    /// What is done to the records, by the name of the treatment.
    Treatment,
    /// The number of records to which something is done.
    Records,
    /// The number of records that duties keep for now.
    Deferred,
    /// The last day on which a duty keeps a record.
    Until,
    /// The honest word for the result, such as `erased_in_part`.
    Afterwards,
    /// A value by which the person can be known, such as the name or the e-mail address. Keep such a file accordingly.
    Personal(Kind),
}

impl Column {
    const PLAIN: [(Self, &'static str); 7] = [
        (Self::Trigger, "trigger"),
        (Self::Since, "since"),
        (Self::Treatment, "treatment"),
        (Self::Records, "records"),
        (Self::Deferred, "deferred"),
        (Self::Until, "until"),
        (Self::Afterwards, "afterwards"),
    ];

    /// The columns without personal data.
    pub fn plain() -> impl Iterator<Item = Self> {
        Self::PLAIN.into_iter().map(|(column, _)| column)
    }

    fn of(&self, plan: &Plan, identifiers: Option<&Identifiers>) -> String {
        let day = |day: Option<chrono::NaiveDate>| day.map_or_else(String::new, |day| day.to_string());
        match self {
            Self::Trigger => plan.trigger().to_string(),
            Self::Since => day(plan.due().since),
            Self::Treatment => plan.treatment().name().to_string(),
            Self::Records => plan.tally().due().to_string(),
            Self::Deferred => {
                plan.deferred().iter().filter_map(|deferred| deferred.rows).sum::<u64>().to_string()
            }
            Self::Until => day(plan.deferred().iter().filter_map(|deferred| deferred.until).max()),
            Self::Afterwards => plan.outcome().replace(' ', "_"),
            Self::Personal(kind) => {
                let found = identifiers.into_iter().flat_map(Identifiers::iter);
                let values: Vec<&str> = found.filter(|(of, _)| *of == kind).map(|(_, value)| value).collect();
                values.join("; ")
            }
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Personal(kind) = self {
            return write!(f, "{PERSONAL}{kind}");
        }
        let name = Self::PLAIN.iter().find(|(column, _)| column == self).map_or("", |(_, name)| *name);
        f.pad(name)
    }
}

/// The error for a name that is no column of a review.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a review has no column of this name; {way_out}")]
pub struct NotAColumn {
    way_out: String,
}

impl FromStr for Column {
    type Err = NotAColumn;

    /// Reads `trigger`, `since`, …, or `personal.email` for a kind of personal data.
    fn from_str(name: &str) -> Result<Self, NotAColumn> {
        if let Some(kind) = name.strip_prefix(PERSONAL) {
            let known = || Kind::KNOWN.iter().copied();
            let found = kind.parse::<Kind>();
            return found.map(Self::Personal).map_err(|_| NotAColumn { way_out: suggest(kind, known()) });
        }
        let found = Self::PLAIN.into_iter().find(|(_, known)| *known == name);
        found.map(|(column, _)| column).ok_or_else(|| {
            let names = Self::PLAIN.iter().map(|(_, name)| *name);
            NotAColumn {
                way_out: format!("{}, or personal.<kind>, such as personal.email", suggest(name, names)),
            }
        })
    }
}

/// Writes a review as CSV: the header, and then a line per plan.
///
/// No cell is a formula. A cell that a spreadsheet could rewrite, such as a date or `00123`, begins with an apostrophe.
#[derive(Clone, Debug)]
pub struct ReviewCsv {
    /// A name that no other review has.
    id: String,
    columns: Vec<Column>,
    delimiter: u8,
    mark: bool,
}

impl ReviewCsv {
    /// A review with the columns that an operator asks for. `id` is a name that no other review has: see
    /// [`Engine::review_csv`](crate::Engine::review_csv).
    pub(crate) fn new(id: String, columns: impl IntoIterator<Item = Column>) -> Self {
        let mut chosen = Vec::new();
        for column in columns {
            if !chosen.contains(&column) {
                chosen.push(column);
            }
        }
        Self { id, columns: chosen, delimiter: b',', mark: false }
    }

    /// Separates cells with semicolons, for spreadsheets in countries that write decimals with a comma.
    #[must_use]
    pub fn with_semicolons(self) -> Self {
        Self { delimiter: b';', ..self }
    }

    /// Begins the file with a byte order mark, without which some spreadsheets do not read UTF-8.
    #[must_use]
    pub fn with_byte_order_mark(self) -> Self {
        Self { mark: true, ..self }
    }

    /// Whether any column is personal.
    pub fn is_personal(&self) -> bool {
        self.columns.iter().any(|column| matches!(column, Column::Personal(_)))
    }

    /// The header, with its line break.
    pub fn header(&self) -> String {
        let chosen = self.columns.iter().map(ToString::to_string);
        let names = FIRST.map(str::to_owned).into_iter().chain(chosen).chain(LAST.map(str::to_owned));
        let line = self.line_of(&names.collect::<Vec<_>>());
        if self.mark { format!("\u{feff}{line}") } else { line }
    }

    /// The line of a plan, with its line break. The identifiers are needed for personal columns alone.
    pub fn line(&self, plan: &Plan, identifiers: Option<&Identifiers>) -> String {
        let mut texts = vec![String::new(), plan.customer().as_str().to_owned(), plan.tenant().to_string()];
        texts.extend(self.columns.iter().map(|column| column.of(plan, identifiers)));
        let planner = plan.planner().map_or_else(String::new, ToString::to_string);
        texts.extend([planner, plan.digest().to_string(), self.id.clone(), FORMAT.to_owned()]);
        let chosen = self.columns.iter().map(ToString::to_string);
        let names: Vec<String> =
            FIRST.map(str::to_owned).into_iter().chain(chosen).chain(LAST.map(str::to_owned)).collect();
        let row = row_digest(names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)));
        texts.push(row.to_string());
        self.line_of(&texts.iter().map(|text| cell(text)).collect::<Vec<_>>())
    }

    fn line_of(&self, cells: &[String]) -> String {
        let mut writer = ::csv::WriterBuilder::new().delimiter(self.delimiter).from_writer(Vec::new());
        // Memory takes every write, and a text is UTF-8.
        let written = writer.write_record(cells).ok().and_then(|()| writer.into_inner().ok());
        written.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// The digest of a row: of every cell but the mark of a struck row, the personal ones, and itself. A personal value is in
/// no digest, because a digest of it could be guessed.
fn row_digest<'c>(cells: impl Iterator<Item = (&'c str, &'c str)>) -> Digest {
    let is_bound = |name: &str| name != STRIKE_OUT && name != "row" && !name.starts_with(PERSONAL);
    Digest::of(&("row", 1, cells.filter(|(name, _)| is_bound(name)).collect::<Vec<_>>()))
}

impl Review {
    /// Reads a review that a person has been through. Columns are found by their names, in any order. Cells may be
    /// separated by commas, semicolons or tabs.
    ///
    /// # Errors
    /// Every fault with its line and column: no CSV, a missing column, another mark than `x` in `strike_out`, a row that
    /// is not as it was written, is there twice, or is of another review; a review in which every row is struck out.
    pub fn from_csv(bytes: &[u8]) -> Result<Self, Problems> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let count = |delimiter: u8| header.split(|byte| *byte == delimiter).count();
        let delimiter = [b',', b';', b'\t'].into_iter().max_by_key(|delimiter| count(*delimiter));
        let mut builder = ::csv::ReaderBuilder::new();
        let mut csv = builder.flexible(true).delimiter(delimiter.unwrap_or(b',')).from_reader(bytes);
        let header = csv.headers().map_err(|error| no_csv(&error))?.clone();
        let names: Vec<&str> = header.iter().map(str::trim).collect();
        check_header(&names)?;
        let mut reading = Reading::default();
        let mut records = 0_u64;
        for record in csv.records() {
            let record = record.map_err(|error| no_csv(&error))?;
            let line = record.position().map_or(0, ::csv::Position::line);
            records += 1;
            reading.row(line, &names, &record);
        }
        let Reading { plans, mut problems, .. } = reading;
        if problems.is_empty() && plans.is_empty() {
            let what =
                if records == 0 { "the review has no row" } else { "every row of the review is struck out" };
            problems.push(Problem::new("the file", what, "leave at least one row, or approve nothing"));
        }
        Problems::none_or(problems)?;
        Ok(Self::new(plans))
    }
}

fn check_header(names: &[&str]) -> Result<(), Problems> {
    let mut problems = Vec::new();
    for column in FIRST.into_iter().chain(LAST) {
        if !names.contains(&column) {
            let at = format!("line 1, column {column}");
            problems.push(Problem::new(at, "is missing", suggest(column, names.iter().copied())));
        }
    }
    for (n, name) in names.iter().enumerate() {
        if names.iter().take(n).any(|other| other == name) {
            let way_out = "leave one of the two";
            problems.push(Problem::new(format!("line 1, column {name}"), "is there twice", way_out));
        }
    }
    Problems::none_or(problems)
}

/// What was read of a review so far.
#[derive(Default)]
struct Reading {
    plans: Vec<ReviewedPlan>,
    seen: BTreeSet<(String, String)>,
    /// The review of the first row.
    review: Option<String>,
    problems: Vec<Problem>,
}

/// The way out for a row that is not as it was written.
const AGAIN: &str =
    "take the row from the review again, or strike it out; a spreadsheet may have rewritten it";

impl Reading {
    fn row(&mut self, line: u64, names: &[&str], record: &::csv::StringRecord) {
        let cells: Vec<(&str, &str)> = names.iter().copied().zip(record.iter().map(text)).collect();
        let get = |column: &str| cells.iter().find(|(name, _)| *name == column).map_or("", |(_, text)| *text);
        let mut refuse = |column: &str, what: &str, way_out: &str| {
            self.problems.push(Problem::new(format!("line {line}, column {column}"), what, way_out));
        };
        if record.len() != names.len() {
            let what = "the line has another number of cells than the header";
            return refuse("row", what, AGAIN);
        }
        match get(STRIKE_OUT).trim().to_lowercase().as_str() {
            "" => {}
            "x" => return,
            _ => return refuse(STRIKE_OUT, "is not x", "write x to strike the row out, or leave it empty"),
        }
        if get("format") != FORMAT {
            let what = format!("is not {FORMAT}, which this release reads");
            return refuse("format", &what, "make the review again with this release");
        }
        let Ok(plan) = get("plan").parse::<Digest>() else {
            return refuse("plan", "is no digest", AGAIN);
        };
        if row_digest(cells.iter().copied()).to_string() != get("row") {
            return refuse("row", "the row is not as it was written", AGAIN);
        }
        match &self.review {
            None => self.review = Some(get("review").to_owned()),
            Some(review) if review == get("review") => {}
            Some(_) => {
                return refuse(
                    "review",
                    "is another one than in the first row",
                    "keep to the rows of one review",
                );
            }
        }
        if !self.seen.insert((get("tenant").to_owned(), get("customer").to_owned())) {
            return refuse("customer", "is there twice", "leave one of the rows");
        }
        let planner = Some(get("planned_by")).filter(|operator| !operator.is_empty());
        self.plans.push(ReviewedPlan {
            customer: CustomerId::from(get("customer")),
            tenant: TenantId::from(get("tenant")),
            planned_by: planner.map(OperatorId::from),
            trigger: Trigger::named(get("trigger")),
            treatment: Some(get("treatment")).filter(|name| !name.is_empty()).map(TreatmentName::from),
            plan,
        });
    }
}

fn no_csv(error: &::csv::Error) -> Problems {
    let line =
        error.position().map_or_else(|| "the file".to_owned(), |place| format!("line {}", place.line()));
    let way_out = "give the file that was written for the review, saved as CSV in UTF-8";
    Problems::one(Problem::new(line, "is not CSV in UTF-8", way_out))
}
