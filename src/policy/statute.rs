//! Statutory retention: which law applies, for how long, and above all from when.
//!
//! **This is no legal advice.** It is a dated table with its sources. The host's counsel has to say whether a statute
//! applies to a host, and to which records. Pending proceedings may require more: an open assessment, audit or
//! dispute is a [hold](crate::customer::HoldKind), not a longer period.
//!
//! ```
//! use relinquish::policy::{FiscalYearEnd, Statute};
//!
//! let statute = Statute::find("SE/BFL/7:2").unwrap();
//! let booked = "2024-08-14".parse()?;
//! // Sweden counts from the end of the calendar year in which the fiscal year ended.
//! let until = statute.kept_until(booked, "06-30".parse()?).unwrap();
//! assert_eq!(until.to_string(), "2032-12-31");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use chrono::{Datelike, NaiveDate};
use serde::Serialize;

use super::{FiscalYearEnd, Period};

/// The start of a statute's period: which date of the record is used, and which day is computed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StartRule {
    /// The day on which the record was made.
    RecordDate,
    /// The day of the last entry.
    LastEntry,
    /// The day on which the transaction was completed.
    TransactionCompleted,
    /// The end of the calendar year of the record, its entry or the transaction.
    CalendarYear,
    /// The end of the fiscal year of the record.
    FiscalYear,
    /// The end of the calendar year in which the record's fiscal year ended.
    CalendarYearOfFiscalYear,
    /// The end of the calendar year in which the tax fell due. The record's date is the day on which the tax fell
    /// due.
    CalendarYearOfTaxDue,
}

impl StartRule {
    /// Every rule.
    pub const ALL: [Self; 7] = [
        Self::RecordDate,
        Self::LastEntry,
        Self::TransactionCompleted,
        Self::CalendarYear,
        Self::FiscalYear,
        Self::CalendarYearOfFiscalYear,
        Self::CalendarYearOfTaxDue,
    ];

    /// The name of the rule in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RecordDate => "record_date",
            Self::LastEntry => "last_entry",
            Self::TransactionCompleted => "transaction_completed",
            Self::CalendarYear => "calendar_year",
            Self::FiscalYear => "fiscal_year",
            Self::CalendarYearOfFiscalYear => "calendar_year_of_fiscal_year",
            Self::CalendarYearOfTaxDue => "calendar_year_of_tax_due",
        }
    }

    /// The day from which the period counts. This day itself is not counted. Monotone: a later date never gives an
    /// earlier start. `None` after the end of the calendar.
    pub fn start(self, date: NaiveDate, fiscal_year: FiscalYearEnd) -> Option<NaiveDate> {
        let year_end = |day: NaiveDate| NaiveDate::from_ymd_opt(day.year(), 12, 31);
        match self {
            Self::RecordDate | Self::LastEntry | Self::TransactionCompleted => Some(date),
            Self::CalendarYear | Self::CalendarYearOfTaxDue => year_end(date),
            Self::FiscalYear | Self::CalendarYearOfFiscalYear => {
                self.start_of_fiscal_year(fiscal_year.of(date)?)
            }
        }
    }

    /// The day from which the period counts, given the last day of the record's own fiscal year. This is exact also
    /// for a fiscal year that is longer or shorter than twelve months. `None` for a rule that does not use fiscal
    /// years.
    pub fn start_of_fiscal_year(self, ended: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::FiscalYear => Some(ended),
            Self::CalendarYearOfFiscalYear => NaiveDate::from_ymd_opt(ended.year(), 12, 31),
            Self::RecordDate
            | Self::LastEntry
            | Self::TransactionCompleted
            | Self::CalendarYear
            | Self::CalendarYearOfTaxDue => None,
        }
    }

    /// Whether the period counts from the end of a fiscal year.
    pub fn counts_fiscal_years(self) -> bool {
        matches!(self, Self::FiscalYear | Self::CalendarYearOfFiscalYear)
    }

    /// The date that the rule uses, in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::RecordDate => "the day on which the record was made",
            Self::LastEntry => "the day of the last entry",
            Self::TransactionCompleted => "the day on which the transaction was completed",
            Self::CalendarYear => "the end of the calendar year of the record",
            Self::FiscalYear => "the end of the record's fiscal year",
            Self::CalendarYearOfFiscalYear => {
                "the end of the calendar year in which the record's fiscal year ended"
            }
            Self::CalendarYearOfTaxDue => "the end of the calendar year in which the tax fell due",
        }
    }
}

/// How reliably the source of a statute was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The primary text was read.
    Sure,
    /// Secondary sources agree.
    Likely,
}

/// A statute that requires records to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Statute {
    /// The code in policies: `SE/BFL/7:2`.
    pub code: &'static str,
    /// Its title.
    pub title: &'static str,
    /// The country, by ISO 3166, or `EU`.
    pub country: &'static str,
    /// What it covers.
    pub covers: &'static str,
    /// The period in years.
    pub years: u32,
    /// The start of the period.
    pub start: StartRule,
    /// The basis on which the statute overrides a request for erasure.
    pub basis: &'static str,
    /// Where the statute is published.
    pub source: &'static str,
    /// The day on which this line was checked against its source.
    pub checked: &'static str,
    /// How reliably it was checked.
    pub confidence: Confidence,
    /// What the line leaves out.
    pub note: &'static str,
}

/// The day on which the table was last checked against its sources.
const CHECKED: &str = "2026-11-21";
/// A legal obligation under Union or Member State law.
const EU: &str = "Art. 17(3)(b) GDPR";
const UK: &str = "Art. 17(3)(b) UK GDPR";
const CH: &str = "Art. 31(1) FADP: justified by law";

macro_rules! statutes {
    ($($code:literal $country:ident $basis:ident: $title:literal, $covers:literal, $years:literal $start:ident
        $confidence:ident, $source:literal, $note:literal;)*) => {
        &[$(Statute {
            code: $code,
            title: $title,
            country: stringify!($country),
            covers: $covers,
            years: $years,
            start: StartRule::$start,
            basis: $basis,
            source: $source,
            checked: CHECKED,
            confidence: Confidence::$confidence,
            note: $note,
        }),*]
    };
}

const STATUTES: &[Statute] = statutes![
    "AT/BAO/132" AT EU: "Bundesabgabenordnung § 132", "books, records and vouchers", 7 CalendarYearOfFiscalYear Likely,
        "BGBl. Nr. 194/1961, § 132", "longer while proceedings are pending";
    "CH/OR/958f" CH CH: "Obligationenrecht Art. 958f", "books and vouchers", 10 FiscalYear Sure,
        "SR 220, Art. 958f", "";
    "DE/HGB/257/books" DE EU: "HGB § 257, AO § 147", "books and accounts", 10 CalendarYear Likely,
        "HGB § 257(1) no. 1, (4), (5); AO § 147", "does not end while an assessment period is open";
    "DE/HGB/257/letters" DE EU: "HGB § 257, AO § 147", "commercial letters", 6 CalendarYear Likely,
        "HGB § 257(1) no. 2 and 3, (4), (5); AO § 147", "does not end while an assessment period is open";
    "DE/HGB/257/vouchers" DE EU: "HGB § 257, AO § 147, UStG § 14b", "vouchers and invoices", 8 CalendarYear Likely,
        "HGB § 257(1) no. 4, (4), (5); AO § 147; UStG § 14b; BEG IV", "eight years since 2025; does not end while an assessment period is open";
    "DK/BFL" DK EU: "Bogføringsloven", "accounting records", 5 FiscalYear Likely,
        "Bogføringsloven", "the act of 2022 was not read";
    "ES/CCOM/30" ES EU: "Código de Comercio art. 30", "books, letters and vouchers", 6 LastEntry Sure,
        "Código de Comercio, art. 30", "LGT art. 66 (four years) is a limitation period, not a duty to keep";
    "EU/VAT/OSS" EU EU: "Directive 2006/112/EC, one-stop shop", "cross-border sales to consumers", 10 CalendarYear Likely,
        "Directive 2006/112/EC, art. 369, 369k, 369x", "overrides shorter national periods";
    "FI/KPL/2:10/books" FI EU: "Kirjanpitolaki 2:10", "books", 10 FiscalYear Likely,
        "Kirjanpitolaki 1336/1997, 2 luku 10 §", "";
    "FI/KPL/2:10/vouchers" FI EU: "Kirjanpitolaki 2:10", "vouchers", 6 CalendarYearOfFiscalYear Likely,
        "Kirjanpitolaki 1336/1997, 2 luku 10 §", "";
    "FR/CCOM/L123-22" FR EU: "Code de commerce L123-22", "accounting documents", 10 FiscalYear Likely,
        "Code de commerce, art. L123-22", "";
    "FR/LPF/L102B" FR EU: "Livre des procédures fiscales L102 B", "documents that the tax authority may ask for", 6 TransactionCompleted Likely,
        "Livre des procédures fiscales, art. L102 B", "counts from the last transaction, or from the date of the document";
    "IE/TCA/886" IE EU: "Taxes Consolidation Act 1997 s. 886", "tax records", 6 TransactionCompleted Likely,
        "Taxes Consolidation Act 1997, s. 886", "";
    "IE/VATCA/84" IE EU: "VAT Consolidation Act 2010 s. 84", "VAT records", 6 LastEntry Sure,
        "Value-Added Tax Consolidation Act 2010, s. 84", "counts from the latest transaction";
    "IT/CC/2220" IT EU: "Codice civile art. 2220", "accounting records, invoices, letters", 10 LastEntry Sure,
        "Codice civile, art. 2220", "longer while assessments are open";
    "NO/BFL/13" NO EU: "Bokføringsloven § 13", "accounting records", 5 FiscalYear Likely,
        "Bokføringsloven § 13", "some records ten years; the GDPR holds through the EEA agreement";
    "PL/ORD/86" PL EU: "Ordynacja podatkowa art. 86", "tax books and documents", 5 CalendarYearOfTaxDue Likely,
        "Ordynacja podatkowa, art. 86 in connection with art. 70", "";
    "PL/UOR/74" PL EU: "Ustawa o rachunkowości art. 74", "accounting records", 5 FiscalYear Likely,
        "Ustawa o rachunkowości, art. 74", "counts from the start of the year after the fiscal year";
    "SE/BFL/7:2" SE EU: "Bokföringslag 7 kap. 2 §", "accounting records", 7 CalendarYearOfFiscalYear Sure,
        "SFS 1999:1078, 7 kap. 2 §", "through the seventh year after the end of the calendar year in which the fiscal year ended";
    "UK/CA/388/private" GB UK: "Companies Act 2006 s. 388", "accounting records of a private company", 3 RecordDate Likely,
        "Companies Act 2006, s. 388(4)(a)", "tax practice is longer: see UK/TAX";
    "UK/CA/388/public" GB UK: "Companies Act 2006 s. 388", "accounting records of a public company", 6 RecordDate Likely,
        "Companies Act 2006, s. 388(4)(b)", "";
    "UK/TAX" GB UK: "Company tax records", "tax records of a company", 6 FiscalYear Likely,
        "tax practice: six years from the end of the accounting period", "";
];

impl Statute {
    /// Every statute of the table, by code.
    pub fn all() -> &'static [Self] {
        STATUTES
    }

    /// The statute with this code.
    pub fn find(code: &str) -> Option<&'static Self> {
        STATUTES.iter().find(|statute| statute.code == code)
    }

    /// The period.
    pub fn period(&self) -> Period {
        Period::years(self.years)
    }

    /// The last day on which a record has to be kept, by the date that the [start rule](StartRule) uses. `None` after
    /// the end of the calendar.
    pub fn kept_until(&self, date: NaiveDate, fiscal_year: FiscalYearEnd) -> Option<NaiveDate> {
        self.period().end(self.start.start(date, fiscal_year)?)
    }
}

impl fmt::Display for Statute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} from {} ({})", self.title, self.period(), self.start.describe(), self.source)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Calculated by hand: statute, end of the fiscal year, date of the record, last day on which it is kept.
    const WORKED: [(&str, &str, &str, &str); 46] = [
        // The fiscal year ended on 2025-06-30, in calendar year 2025: through 2032.
        ("SE/BFL/7:2", "06-30", "2025-06-30", "2032-12-31"),
        ("SE/BFL/7:2", "06-30", "2024-07-01", "2032-12-31"),
        ("SE/BFL/7:2", "06-30", "2025-07-01", "2033-12-31"),
        ("SE/BFL/7:2", "12-31", "2018-01-01", "2025-12-31"),
        ("SE/BFL/7:2", "12-31", "2018-12-31", "2025-12-31"),
        ("SE/BFL/7:2", "04-30", "2018-05-01", "2026-12-31"),
        // Vouchers of 2017 are kept for eight years, through 2025. Books of 2017 are kept through 2027.
        ("DE/HGB/257/vouchers", "12-31", "2017-03-15", "2025-12-31"),
        ("DE/HGB/257/vouchers", "12-31", "2017-12-31", "2025-12-31"),
        ("DE/HGB/257/vouchers", "09-30", "2017-12-31", "2025-12-31"),
        ("DE/HGB/257/books", "12-31", "2017-03-15", "2027-12-31"),
        ("DE/HGB/257/letters", "12-31", "2019-02-28", "2025-12-31"),
        ("DE/HGB/257/letters", "12-31", "2020-01-01", "2026-12-31"),
        ("AT/BAO/132", "12-31", "2018-05-05", "2025-12-31"),
        ("AT/BAO/132", "03-31", "2018-05-05", "2026-12-31"),
        ("AT/BAO/132", "03-31", "2018-03-31", "2025-12-31"),
        ("CH/OR/958f", "12-31", "2015-07-01", "2025-12-31"),
        ("CH/OR/958f", "06-30", "2015-07-01", "2026-06-30"),
        ("CH/OR/958f", "06-30", "2015-06-30", "2025-06-30"),
        // A fiscal year that ended on 29 February.
        ("CH/OR/958f", "02-29", "2016-02-29", "2026-02-28"),
        ("FR/CCOM/L123-22", "12-31", "2015-11-30", "2025-12-31"),
        ("FR/CCOM/L123-22", "09-30", "2015-10-01", "2026-09-30"),
        ("FR/LPF/L102B", "12-31", "2020-02-29", "2026-02-28"),
        ("FR/LPF/L102B", "12-31", "2020-03-01", "2026-03-01"),
        ("IT/CC/2220", "12-31", "2016-02-29", "2026-02-28"),
        ("IT/CC/2220", "06-30", "2016-01-31", "2026-01-31"),
        ("ES/CCOM/30", "12-31", "2019-12-31", "2025-12-31"),
        ("ES/CCOM/30", "06-30", "2020-01-01", "2026-01-01"),
        ("UK/CA/388/private", "12-31", "2023-06-01", "2026-06-01"),
        ("UK/CA/388/private", "03-31", "2024-02-29", "2027-02-28"),
        ("UK/CA/388/public", "12-31", "2020-06-01", "2026-06-01"),
        ("UK/TAX", "03-31", "2019-04-01", "2026-03-31"),
        ("UK/TAX", "03-31", "2019-03-31", "2025-03-31"),
        ("UK/TAX", "12-31", "2019-03-31", "2025-12-31"),
        ("IE/VATCA/84", "12-31", "2020-07-15", "2026-07-15"),
        ("IE/TCA/886", "12-31", "2020-07-15", "2026-07-15"),
        ("DK/BFL", "12-31", "2020-07-15", "2025-12-31"),
        ("DK/BFL", "06-30", "2020-07-15", "2026-06-30"),
        ("NO/BFL/13", "12-31", "2020-01-01", "2025-12-31"),
        // The fiscal year ended on 2024-03-31: vouchers through 2030, books through 31 March 2034.
        ("FI/KPL/2:10/vouchers", "03-31", "2023-05-01", "2030-12-31"),
        ("FI/KPL/2:10/books", "03-31", "2023-05-01", "2034-03-31"),
        ("FI/KPL/2:10/vouchers", "12-31", "2019-05-01", "2025-12-31"),
        // Tax on 2019 that fell due in 2020.
        ("PL/ORD/86", "12-31", "2020-04-30", "2025-12-31"),
        ("PL/UOR/74", "12-31", "2020-04-30", "2025-12-31"),
        ("PL/UOR/74", "06-30", "2020-04-30", "2025-06-30"),
        ("EU/VAT/OSS", "06-30", "2021-07-01", "2031-12-31"),
        ("EU/VAT/OSS", "12-31", "2021-12-31", "2031-12-31"),
    ];

    #[test]
    fn worked_cases_come_out_as_worked_by_hand() {
        for (code, fiscal_year, date, until) in WORKED {
            let statute = Statute::find(code).unwrap_or_else(|| panic!("{code}"));
            let found = statute.kept_until(date.parse().unwrap(), fiscal_year.parse().unwrap()).unwrap();
            assert_eq!(found.to_string(), until, "{code}, fiscal year to {fiscal_year}, {date}");
        }
        let worked: BTreeSet<&str> = WORKED.iter().map(|(code, ..)| *code).collect();
        assert_eq!(worked.len(), Statute::all().len(), "every statute has a case");
    }

    #[test]
    fn a_later_record_is_never_free_earlier() {
        let first: NaiveDate = "2015-01-01".parse().unwrap();
        for statute in Statute::all() {
            for fiscal_year in ["12-31", "06-30", "02-29", "02-28", "01-01"] {
                let fiscal_year = fiscal_year.parse().unwrap();
                let ends: Vec<_> =
                    first.iter_days().take(3_000).map(|day| statute.kept_until(day, fiscal_year)).collect();
                assert!(ends.is_sorted(), "{} {fiscal_year}", statute.code);
                assert!(first.iter_days().zip(&ends).all(|(day, end)| *end > Some(day)), "{}", statute.code);
            }
        }
    }

    #[test]
    fn every_line_is_whole() {
        assert!(Statute::all().is_sorted_by_key(|statute| statute.code), "by code");
        for statute in Statute::all() {
            for text in [statute.title, statute.covers, statute.basis, statute.source] {
                assert!(!text.is_empty(), "{}", statute.code);
            }
            let country = if statute.country == "GB" { "UK" } else { statute.country };
            assert!(statute.code.starts_with(country), "{}", statute.code);
            assert!(statute.checked.parse::<NaiveDate>().is_ok());
            assert!(statute.to_string().contains("years from"), "{statute}");
        }
        assert_eq!(Statute::find("SE/BFL"), None);
    }
}
