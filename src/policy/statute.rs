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

use chrono::{Datelike, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use super::{FiscalYearEnd, Period, PrivacyLaw};

/// The start of a statute's period: which date of the record is used, and which day is computed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StartRule {
    /// The day on which the record was made.
    RecordDate,
    /// The day of the last entry.
    LastEntry,
    /// The last entry in the book that has the record. That entry is at the latest of the last day of the fiscal year.
    LastEntryOfBook,
    /// The day on which the transaction was completed.
    TransactionCompleted,
    /// The end of the calendar year of the record, its entry or the transaction.
    CalendarYear,
    /// The end of the fiscal year of the record.
    FiscalYear,
    /// The end of the calendar year in which the record's fiscal year ended.
    CalendarYearOfFiscalYear,
    /// The end of the calendar year in which the accounts of the record's fiscal year were closed or approved. That
    /// happens within six months after the end of the fiscal year. Accounts that were closed later need a period of the
    /// host's own, with `calendar_year` and the day of the closing.
    CalendarYearOfClosing,
    /// The end of the calendar year in which the tax fell due. The record's date is the day on which the tax fell
    /// due.
    CalendarYearOfTaxDue,
    /// 31 January after the end of the British tax year of the record. The tax year ends on 5 April.
    UkTaxReturn,
}

impl StartRule {
    /// Every rule.
    pub const ALL: [Self; 10] = [
        Self::RecordDate,
        Self::LastEntry,
        Self::LastEntryOfBook,
        Self::TransactionCompleted,
        Self::CalendarYear,
        Self::FiscalYear,
        Self::CalendarYearOfFiscalYear,
        Self::CalendarYearOfClosing,
        Self::CalendarYearOfTaxDue,
        Self::UkTaxReturn,
    ];

    /// The name of the rule in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RecordDate => "record_date",
            Self::LastEntry => "last_entry",
            Self::LastEntryOfBook => "last_entry_of_book",
            Self::TransactionCompleted => "transaction_completed",
            Self::CalendarYear => "calendar_year",
            Self::FiscalYear => "fiscal_year",
            Self::CalendarYearOfFiscalYear => "calendar_year_of_fiscal_year",
            Self::CalendarYearOfClosing => "calendar_year_of_closing",
            Self::CalendarYearOfTaxDue => "calendar_year_of_tax_due",
            Self::UkTaxReturn => "uk_tax_return",
        }
    }

    /// The day from which the period counts. This day itself is not counted. Monotone: a later date never gives an
    /// earlier start. `None` after the end of the calendar.
    pub fn start(self, date: NaiveDate, fiscal_year: FiscalYearEnd) -> Option<NaiveDate> {
        match self {
            Self::RecordDate | Self::LastEntry | Self::TransactionCompleted => Some(date),
            Self::CalendarYear | Self::CalendarYearOfTaxDue => year_end(date),
            Self::UkTaxReturn => {
                let ends_this_year = (date.month(), date.day()) <= (4, 5);
                let ends = if ends_this_year { date.year() } else { date.year().checked_add(1)? };
                NaiveDate::from_ymd_opt(ends.checked_add(1)?, 1, 31)
            }
            Self::FiscalYear
            | Self::LastEntryOfBook
            | Self::CalendarYearOfFiscalYear
            | Self::CalendarYearOfClosing => self.start_of_fiscal_year(fiscal_year.of(date)?),
        }
    }

    /// The day from which the period counts, given the last day of the record's own fiscal year. This is exact also
    /// for a fiscal year that is longer or shorter than twelve months. `None` for a rule that does not use fiscal
    /// years.
    pub fn start_of_fiscal_year(self, ended: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::FiscalYear | Self::LastEntryOfBook => Some(ended),
            Self::CalendarYearOfFiscalYear => year_end(ended),
            Self::CalendarYearOfClosing => year_end(ended.checked_add_months(Months::new(6))?),
            Self::RecordDate
            | Self::LastEntry
            | Self::TransactionCompleted
            | Self::CalendarYear
            | Self::CalendarYearOfTaxDue
            | Self::UkTaxReturn => None,
        }
    }

    /// The last day of a period that counts from a start of this rule. `None` after the end of the calendar.
    ///
    /// A period of years from the end of February ends with February. In a leap year that is the 29th: the law's
    /// wording leaves open whether the 28th is enough, so the later day counts.
    pub(super) fn last_day(self, period: Period, start: NaiveDate) -> Option<NaiveDate> {
        let end = period.end(start)?;
        let next = end.succ_opt().filter(|next| (next.month(), next.day()) == (2, 29));
        let from_february = start.month() == 2 && start.succ_opt().is_some_and(|next| next.month() == 3);
        let by_year_end = matches!(self, Self::FiscalYear | Self::LastEntryOfBook);
        Some(next.filter(|_| by_year_end && from_february).unwrap_or(end))
    }

    /// Whether the period counts from the end of a fiscal year.
    pub fn counts_fiscal_years(self) -> bool {
        matches!(
            self,
            Self::FiscalYear
                | Self::LastEntryOfBook
                | Self::CalendarYearOfFiscalYear
                | Self::CalendarYearOfClosing
        )
    }

    /// The date that the rule uses, in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::RecordDate => "the day on which the record was made",
            Self::LastEntry => "the day of the last entry",
            Self::LastEntryOfBook => "the last entry in the book, at the latest the end of the fiscal year",
            Self::TransactionCompleted => "the day on which the transaction was completed",
            Self::CalendarYear => "the end of the calendar year of the record",
            Self::FiscalYear => "the end of the record's fiscal year",
            Self::CalendarYearOfFiscalYear => {
                "the end of the calendar year in which the record's fiscal year ended"
            }
            Self::CalendarYearOfClosing => {
                "the end of the calendar year in which the accounts of the record's fiscal year were closed"
            }
            Self::CalendarYearOfTaxDue => "the end of the calendar year in which the tax fell due",
            Self::UkTaxReturn => "the 31 January after the end of the tax year",
        }
    }
}

fn year_end(day: NaiveDate) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(day.year(), 12, 31)
}

/// A statute that requires records to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Statute {
    /// The code in policies: `SE/BFL/7:2`.
    pub code: &'static str,
    /// Its title.
    pub title: &'static str,
    /// How the law is cited in its own country, in the language of that country.
    pub cited: &'static str,
    /// How the law is cited in English.
    pub english: &'static str,
    /// The country, by ISO 3166, or `EU`.
    pub country: &'static str,
    /// What it covers.
    pub covers: &'static str,
    /// The period in months.
    pub months: u32,
    /// The start of the period.
    pub start: StartRule,
    /// The data protection law under which the statute overrides a request for erasure.
    pub basis: PrivacyLaw,
    /// Where the statute is published.
    pub source: &'static str,
    /// Whether the statute's own text was read. Otherwise secondary sources agree.
    pub primary: bool,
    /// The day on which this line was checked against its source.
    pub checked: &'static str,
    /// What the line leaves out.
    pub note: &'static str,
}

const PRIMARY: bool = true;
const SECONDARY: bool = false;

macro_rules! statutes {
    ($($code:literal $country:ident $basis:ident: $title:literal, $cited:literal, $english:literal, $covers:literal,
        $months:literal $start:ident, $source:literal $primary:ident $checked:literal, $note:literal;)*) => {
        &[$(Statute {
            code: $code,
            title: $title,
            cited: $cited,
            english: $english,
            country: stringify!($country),
            covers: $covers,
            months: $months,
            start: StartRule::$start,
            basis: PrivacyLaw::$basis,
            source: $source,
            primary: $primary,
            checked: $checked,
            note: $note,
        }),*]
    };
}

const STATUTES: &[Statute] = statutes![
    "AT/BAO/132" AT Gdpr: "Bundesabgabenordnung § 132", "§ 132 der Bundesabgabenordnung (BAO)",
        "section 132 of the Austrian Federal Fiscal Code", "books, records and vouchers",
        84 CalendarYearOfFiscalYear, "BGBl. Nr. 194/1961, § 132" SECONDARY "2026-11-21",
        "longer while proceedings are pending";
    "BE/BTW" BE Gdpr: "Btw-wetboek, Code de la TVA", "het Btw-wetboek", "the Belgian VAT Code", "VAT records",
        120 CalendarYear, "Belgian VAT Code, as amended with effect from 2023" SECONDARY "2026-11-28",
        "ten years since 2023, from 1 January after";
    "BE/WER/III.86" BE Gdpr: "Wetboek van economisch recht art. III.86, III.88",
        "artikelen III.86 en III.88 van het Wetboek van economisch recht",
        "articles III.86 and III.88 of the Belgian Code of Economic Law", "accounting records",
        84 CalendarYearOfFiscalYear, "Wetboek van economisch recht, art. III.86 and III.88" SECONDARY "2026-11-28",
        "VAT records are kept longer: BE/BTW";
    "CH/OR/958f" CH Fadp: "Obligationenrecht Art. 958f", "Art. 958f des Obligationenrechts (OR)",
        "article 958f of the Swiss Code of Obligations", "books and vouchers",
        120 FiscalYear, "SR 220, Art. 958f" PRIMARY "2026-11-28",
        "of a year that ends in February the later day counts";
    "CZ/DPH" CZ Gdpr: "Zákon o dani z přidané hodnoty", "zákon č. 235/2004 Sb., o dani z přidané hodnoty",
        "the Czech VAT Act, no. 235/2004", "VAT records",
        120 RecordDate, "Zákon č. 235/2004 Sb." SECONDARY "2026-11-28",
        "the record's date is the last day of the tax period";
    "CZ/UCT/31/statements" CZ Gdpr: "Zákon o účetnictví § 31", "§ 31 zákona č. 563/1991 Sb., o účetnictví",
        "section 31 of the Czech Accounting Act, no. 563/1991", "financial statements",
        120 FiscalYear, "Zákon č. 563/1991 Sb., § 31" SECONDARY "2026-11-28", "";
    "CZ/UCT/31/vouchers" CZ Gdpr: "Zákon o účetnictví § 31", "§ 31 zákona č. 563/1991 Sb., o účetnictví",
        "section 31 of the Czech Accounting Act, no. 563/1991", "books and vouchers",
        60 FiscalYear, "Zákon č. 563/1991 Sb., § 31" SECONDARY "2026-11-28", "VAT records are kept longer: CZ/DPH";
    "DE/HGB/257/books" DE Gdpr: "HGB § 257, AO § 147", "§ 257 HGB und § 147 AO",
        "section 257 of the German Commercial Code and section 147 of the German Fiscal Code", "books and accounts",
        120 CalendarYearOfClosing, "HGB § 257(1) no. 1, (4), (5); AO § 147(4)" PRIMARY "2026-11-28",
        "counts from the last entry in the book, and closing entries usually come in the year after; does not end while an assessment period is open";
    "DE/HGB/257/letters" DE Gdpr: "HGB § 257, AO § 147", "§ 257 HGB und § 147 AO",
        "section 257 of the German Commercial Code and section 147 of the German Fiscal Code", "commercial letters",
        72 CalendarYear, "HGB § 257(1) no. 2 and 3, (4), (5); AO § 147" SECONDARY "2026-11-21",
        "does not end while an assessment period is open";
    "DE/HGB/257/vouchers" DE Gdpr: "HGB § 257, AO § 147, UStG § 14b", "§ 257 HGB, § 147 AO und § 14b UStG",
        "section 257 of the German Commercial Code, section 147 of the German Fiscal Code and section 14b of the German VAT Act",
        "vouchers and invoices",
        96 CalendarYear, "HGB § 257(1) no. 4, (4), (5); AO § 147; UStG § 14b; BEG IV" SECONDARY "2026-11-28",
        "eight years since 2025; ten for banks, insurers and securities firms: DE/HGB/257/vouchers/finance; does not end while an assessment period is open";
    "DE/HGB/257/vouchers/finance" DE Gdpr: "HGB § 257, AO § 147", "§ 257 HGB und § 147 AO",
        "section 257 of the German Commercial Code and section 147 of the German Fiscal Code",
        "vouchers and invoices of banks, insurers and securities firms",
        120 CalendarYear, "act of the Bundestag of 13 November 2025" SECONDARY "2026-11-28",
        "does not end while an assessment period is open";
    "DK/BFL" DK Gdpr: "Bogføringsloven", "bogføringsloven", "the Danish Bookkeeping Act", "accounting records",
        60 FiscalYear, "Bogføringsloven" SECONDARY "2026-11-21", "the act of 2022 was not read";
    "EE/RPS/12" EE Gdpr: "Raamatupidamise seadus § 12", "raamatupidamise seaduse § 12",
        "section 12 of the Estonian Accounting Act", "accounting records",
        84 FiscalYear, "Raamatupidamise seadus, § 12" SECONDARY "2026-11-28", "";
    "ES/CCOM/30" ES Gdpr: "Código de Comercio art. 30", "el artículo 30 del Código de Comercio",
        "article 30 of the Spanish Commercial Code", "books, letters and vouchers",
        72 LastEntryOfBook, "Código de Comercio, art. 30" PRIMARY "2026-11-28",
        "counts from the last entry in the book; LGT art. 66 (four years) is a limitation period, not a duty to keep";
    "EU/VAT/OSS" EU Gdpr: "Directive 2006/112/EC, one-stop shop", "articles 369, 369k and 369x of the VAT Directive (2006/112/EC)",
        "articles 369, 369k and 369x of the VAT Directive (2006/112/EC)", "cross-border sales to consumers",
        120 CalendarYear, "Directive 2006/112/EC, art. 369, 369k, 369x" SECONDARY "2026-11-21",
        "overrides shorter national periods";
    "FI/KPL/2:10/books" FI Gdpr: "Kirjanpitolaki 2:10", "kirjanpitolain (1336/1997) 2 luvun 10 §",
        "chapter 2, section 10 of the Finnish Accounting Act (1336/1997)", "books",
        120 FiscalYear, "Kirjanpitolaki 1336/1997, 2 luku 10 §" SECONDARY "2026-11-21", "";
    "FI/KPL/2:10/vouchers" FI Gdpr: "Kirjanpitolaki 2:10", "kirjanpitolain (1336/1997) 2 luvun 10 §",
        "chapter 2, section 10 of the Finnish Accounting Act (1336/1997)", "vouchers",
        72 CalendarYearOfFiscalYear, "Kirjanpitolaki 1336/1997, 2 luku 10 §" SECONDARY "2026-11-21", "";
    "FR/CCOM/L123-22" FR Gdpr: "Code de commerce L123-22", "l'article L. 123-22 du code de commerce",
        "article L. 123-22 of the French Commercial Code", "accounting documents",
        120 FiscalYear, "Code de commerce, art. L123-22" SECONDARY "2026-11-21", "";
    "FR/LPF/L102B" FR Gdpr: "Livre des procédures fiscales L102 B", "l'article L. 102 B du livre des procédures fiscales",
        "article L. 102 B of the French Tax Procedures Code", "documents that the tax authority may ask for",
        72 TransactionCompleted, "Livre des procédures fiscales, art. L102 B" SECONDARY "2026-11-28",
        "counts from the last transaction, or from the date of the document; a bill of 2026 would make it ten years";
    "IE/CA/285" IE Gdpr: "Companies Act 2014 s. 285", "section 285 of the Companies Act 2014",
        "section 285 of the Irish Companies Act 2014", "accounting records of a company",
        72 FiscalYear, "Companies Act 2014, s. 285" PRIMARY "2026-11-28", "";
    "IE/TCA/886" IE Gdpr: "Taxes Consolidation Act 1997 s. 886", "section 886 of the Taxes Consolidation Act 1997",
        "section 886 of the Irish Taxes Consolidation Act 1997", "tax records",
        72 FiscalYear, "Taxes Consolidation Act 1997, s. 886; Companies Act 2014, s. 285" SECONDARY "2026-11-28",
        "a company counts from the end of its financial year; who is no company may count from the completion of the transaction";
    "IE/VATCA/84" IE Gdpr: "VAT Consolidation Act 2010 s. 84", "section 84 of the Value-Added Tax Consolidation Act 2010",
        "section 84 of the Irish Value-Added Tax Consolidation Act 2010", "VAT records",
        72 FiscalYear, "Value-Added Tax Consolidation Act 2010, s. 84; Companies Act 2014, s. 285" PRIMARY "2026-11-28",
        "a company counts from the end of its financial year; who is no company may count from the latest transaction";
    "IN/DPDP/8" IN Dpdp: "DPDP Rules 2025 rule 8", "rule 8 of the Digital Personal Data Protection Rules, 2025",
        "rule 8 of the Indian Digital Personal Data Protection Rules, 2025", "personal data and logs of processing",
        12 RecordDate, "Digital Personal Data Protection Rules, 2025, rule 8" SECONDARY "2026-11-28",
        "at least one year from processing, from May 2027; large platforms erase after three years without activity, with notice 48 hours before";
    "IT/CC/2220" IT Gdpr: "Codice civile art. 2220", "l'articolo 2220 del codice civile",
        "article 2220 of the Italian Civil Code", "accounting records, invoices, letters",
        120 LastEntryOfBook, "Codice civile, art. 2220" PRIMARY "2026-11-28",
        "counts from the last entry in the book; longer while assessments are open";
    "NO/BFL/13" NO Gdpr: "Bokføringsloven § 13", "bokføringsloven § 13", "section 13 of the Norwegian Bookkeeping Act",
        "accounting records",
        60 FiscalYear, "Bokføringsloven § 13" SECONDARY "2026-11-28", "the GDPR applies through the EEA agreement";
    "NO/BFL/13/construction" NO Gdpr: "Bokføringsloven § 13", "bokføringsloven § 13",
        "section 13 of the Norwegian Bookkeeping Act", "accounting records of construction and of banks",
        120 FiscalYear, "Bokføringsloven § 13" SECONDARY "2026-11-28", "the GDPR applies through the EEA agreement";
    "NO/BFL/13/petroleum" NO Gdpr: "Bokføringsloven § 13", "bokføringsloven § 13",
        "section 13 of the Norwegian Bookkeeping Act", "accounting records of petroleum production",
        180 FiscalYear, "Bokføringsloven § 13" SECONDARY "2026-11-28", "the GDPR applies through the EEA agreement";
    "NO/BFL/13/short" NO Gdpr: "Bokføringsloven § 13", "bokføringsloven § 13",
        "section 13 of the Norwegian Bookkeeping Act", "agreements, correspondence and delivery notes",
        42 FiscalYear, "Bokføringsloven § 13" SECONDARY "2026-11-28", "the GDPR applies through the EEA agreement";
    "PL/ORD/86" PL Gdpr: "Ordynacja podatkowa art. 86", "art. 86 ustawy – Ordynacja podatkowa",
        "article 86 of the Polish Tax Ordinance", "tax books and documents",
        60 CalendarYearOfTaxDue, "Ordynacja podatkowa, art. 86 in connection with art. 70" SECONDARY "2026-11-21", "";
    "PL/UOR/74" PL Gdpr: "Ustawa o rachunkowości art. 74", "art. 74 ustawy o rachunkowości",
        "article 74 of the Polish Accounting Act", "accounting records",
        60 CalendarYearOfFiscalYear, "Ustawa o rachunkowości, art. 74" SECONDARY "2026-11-28",
        "counts from the start of the year after the fiscal year; of a broken fiscal year the later reading counts";
    "PL/UOR/74/statements" PL Gdpr: "Ustawa o rachunkowości art. 74", "art. 74 ustawy o rachunkowości",
        "article 74 of the Polish Accounting Act", "approved financial statements",
        60 CalendarYearOfClosing, "Ustawa o rachunkowości, art. 74" PRIMARY "2026-11-28",
        "counts from the end of the year in which the statements were approved";
    "PT/CIVA/52" PT Gdpr: "Código do IVA art. 52", "o artigo 52.º do Código do IVA",
        "article 52 of the Portuguese VAT Code", "books, records and vouchers",
        120 CalendarYear, "Código do IVA, art. 52" PRIMARY "2026-11-28", "the ten following calendar years";
    "SE/BFL/7:2" SE Gdpr: "Bokföringslag 7 kap. 2 §", "7 kap. 2 § bokföringslagen (1999:1078)",
        "chapter 7, section 2 of the Swedish Accounting Act (1999:1078)", "accounting records",
        84 CalendarYearOfFiscalYear, "SFS 1999:1078, 7 kap. 2 §" PRIMARY "2026-11-28",
        "through the seventh year after the end of the calendar year in which the fiscal year ended; since 1 July 2024 paper originals may go once they are digitised";
    "UK/CA/388/private" GB UkGdpr: "Companies Act 2006 s. 388", "section 388 of the Companies Act 2006",
        "section 388 of the Companies Act 2006", "accounting records of a private company",
        36 RecordDate, "Companies Act 2006, s. 388(4)(a)" SECONDARY "2026-11-21", "tax law is longer: see UK/TAX";
    "UK/CA/388/public" GB UkGdpr: "Companies Act 2006 s. 388", "section 388 of the Companies Act 2006",
        "section 388 of the Companies Act 2006", "accounting records of a public company",
        72 RecordDate, "Companies Act 2006, s. 388(4)(b)" SECONDARY "2026-11-21", "";
    "UK/TAX" GB UkGdpr: "Finance Act 1998, Sch. 18 para. 21", "Finance Act 1998, Sch. 18 para. 21",
        "Finance Act 1998, Sch. 18 para. 21", "tax records of a company",
        72 FiscalYear, "Finance Act 1998, Sch. 18 para. 21" PRIMARY "2026-11-28",
        "the sixth anniversary of the end of the period";
    "UK/TMA/12B" GB UkGdpr: "Taxes Management Act 1970 s. 12B", "section 12B of the Taxes Management Act 1970",
        "section 12B of the Taxes Management Act 1970", "tax records of sole traders and partners",
        60 UkTaxReturn, "Taxes Management Act 1970, s. 12B" PRIMARY "2026-11-28",
        "the fifth anniversary of 31 January after the tax year";
    "UK/VATA/11/6" GB UkGdpr: "Value Added Tax Act 1994, Sch. 11 para. 6(3)", "Value Added Tax Act 1994, Sch. 11 para. 6(3)",
        "Value Added Tax Act 1994, Sch. 11 para. 6(3)", "VAT records",
        72 RecordDate, "Value Added Tax Act 1994, Sch. 11 para. 6(3)" PRIMARY "2026-11-28",
        "at most six years, as the Commissioners require";
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
        Period::months(self.months)
    }

    /// The last day on which a record has to be kept, by the date that the [start rule](StartRule) uses. `None` after
    /// the end of the calendar.
    pub fn kept_until(&self, date: NaiveDate, fiscal_year: FiscalYearEnd) -> Option<NaiveDate> {
        self.start.last_day(self.period(), self.start.start(date, fiscal_year)?)
    }

    /// Other statutes of the same country, or of the Union, that may keep a record longer: by a longer period, or by a
    /// later start. They may apply to the same records: whether they do, the host's counsel has to say.
    pub fn longer(&self) -> impl Iterator<Item = &'static Self> {
        STATUTES.iter().filter(|other| {
            let of_union = other.country == "EU" && self.basis == PrivacyLaw::Gdpr;
            (other.country == self.country || of_union)
                && other.may_keep_longer(|day, fiscal_year| self.kept_until(day, fiscal_year))
        })
    }

    /// Whether this statute keeps a record of some day longer than another rule does. The days are the first days of the
    /// months of two years, with two ends of the fiscal year.
    pub(super) fn may_keep_longer(
        &self,
        until: impl Fn(NaiveDate, FiscalYearEnd) -> Option<NaiveDate>,
    ) -> bool {
        let Some(first) = NaiveDate::from_ymd_opt(2023, 1, 1) else { return false };
        let days = (0..24).filter_map(|month| first.checked_add_months(Months::new(month)));
        days.flat_map(|day| [FiscalYearEnd::CALENDAR, FiscalYearEnd::MIDSUMMER].map(|end| (day, end))).any(
            |(day, end)| {
                let theirs = until(day, end);
                self.kept_until(day, end).is_none_or(|mine| theirs.is_some_and(|theirs| mine > theirs))
            },
        )
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
    const WORKED: &[(&str, &str, &str, &str)] = &[
        // The fiscal year ended on 2025-06-30, in calendar year 2025: through 2032.
        ("SE/BFL/7:2", "06-30", "2025-06-30", "2032-12-31"),
        ("SE/BFL/7:2", "06-30", "2024-07-01", "2032-12-31"),
        ("SE/BFL/7:2", "06-30", "2025-07-01", "2033-12-31"),
        ("SE/BFL/7:2", "12-31", "2018-01-01", "2025-12-31"),
        ("SE/BFL/7:2", "12-31", "2018-12-31", "2025-12-31"),
        ("SE/BFL/7:2", "04-30", "2018-05-01", "2026-12-31"),
        // Vouchers of 2017 are kept for eight years, through 2025. The ledger of 2017 gets its last entry in 2018, and is
        // kept through 2028. So is the ledger of a year to June 2018.
        ("DE/HGB/257/vouchers", "12-31", "2017-03-15", "2025-12-31"),
        ("DE/HGB/257/vouchers", "12-31", "2017-12-31", "2025-12-31"),
        ("DE/HGB/257/vouchers", "09-30", "2017-12-31", "2025-12-31"),
        ("DE/HGB/257/books", "12-31", "2017-03-15", "2028-12-31"),
        ("DE/HGB/257/books", "06-30", "2017-08-01", "2028-12-31"),
        ("DE/HGB/257/books", "09-30", "2017-09-30", "2028-12-31"),
        ("DE/HGB/257/vouchers/finance", "12-31", "2018-05-05", "2028-12-31"),
        ("DE/HGB/257/letters", "12-31", "2019-02-28", "2025-12-31"),
        ("DE/HGB/257/letters", "12-31", "2020-01-01", "2026-12-31"),
        ("AT/BAO/132", "12-31", "2018-05-05", "2025-12-31"),
        ("AT/BAO/132", "03-31", "2018-05-05", "2026-12-31"),
        ("AT/BAO/132", "03-31", "2018-03-31", "2025-12-31"),
        ("CH/OR/958f", "12-31", "2015-07-01", "2025-12-31"),
        ("CH/OR/958f", "06-30", "2015-07-01", "2026-06-30"),
        ("CH/OR/958f", "06-30", "2015-06-30", "2025-06-30"),
        // A fiscal year that ended on the last day of February. In a leap year the later day counts.
        ("CH/OR/958f", "02-29", "2016-02-29", "2026-02-28"),
        ("CH/OR/958f", "02-29", "2014-02-28", "2024-02-29"),
        ("FR/CCOM/L123-22", "12-31", "2015-11-30", "2025-12-31"),
        ("FR/CCOM/L123-22", "09-30", "2015-10-01", "2026-09-30"),
        ("FR/LPF/L102B", "12-31", "2020-02-29", "2026-02-28"),
        ("FR/LPF/L102B", "12-31", "2020-03-01", "2026-03-01"),
        // A line of a register whose last entry is of 31 December.
        ("IT/CC/2220", "12-31", "2016-01-31", "2026-12-31"),
        ("IT/CC/2220", "06-30", "2016-01-31", "2026-06-30"),
        ("ES/CCOM/30", "12-31", "2019-12-31", "2025-12-31"),
        ("ES/CCOM/30", "12-31", "2020-01-31", "2026-12-31"),
        ("ES/CCOM/30", "06-30", "2020-01-01", "2026-06-30"),
        ("UK/CA/388/private", "12-31", "2023-06-01", "2026-06-01"),
        ("UK/CA/388/private", "03-31", "2024-02-29", "2027-02-28"),
        ("UK/CA/388/public", "12-31", "2020-06-01", "2026-06-01"),
        ("UK/TAX", "03-31", "2019-04-01", "2026-03-31"),
        ("UK/TAX", "03-31", "2019-03-31", "2025-03-31"),
        ("UK/TAX", "12-31", "2019-03-31", "2025-12-31"),
        // Tax years: 2023-24 ended on 5 April 2024, and its return was due on 31 January 2025.
        ("UK/TMA/12B", "12-31", "2024-04-05", "2030-01-31"),
        ("UK/TMA/12B", "12-31", "2024-04-06", "2031-01-31"),
        ("UK/VATA/11/6", "12-31", "2020-07-15", "2026-07-15"),
        // Companies count financial years.
        ("IE/VATCA/84", "12-31", "2021-01-15", "2027-12-31"),
        ("IE/TCA/886", "12-31", "2021-01-15", "2027-12-31"),
        ("IE/CA/285", "06-30", "2021-01-15", "2027-06-30"),
        ("IE/CA/285", "12-31", "2021-01-15", "2027-12-31"),
        ("DK/BFL", "12-31", "2020-07-15", "2025-12-31"),
        ("DK/BFL", "06-30", "2020-07-15", "2026-06-30"),
        ("NO/BFL/13", "12-31", "2020-01-01", "2025-12-31"),
        ("NO/BFL/13/short", "12-31", "2021-07-01", "2025-06-30"),
        ("NO/BFL/13/construction", "12-31", "2020-01-01", "2030-12-31"),
        ("NO/BFL/13/petroleum", "12-31", "2020-01-01", "2035-12-31"),
        // The fiscal year ended on 2024-03-31: vouchers through 2030, books through 31 March 2034.
        ("FI/KPL/2:10/vouchers", "03-31", "2023-05-01", "2030-12-31"),
        ("FI/KPL/2:10/books", "03-31", "2023-05-01", "2034-03-31"),
        ("FI/KPL/2:10/vouchers", "12-31", "2019-05-01", "2025-12-31"),
        // Tax on 2019 that fell due in 2020.
        ("PL/ORD/86", "12-31", "2020-04-30", "2025-12-31"),
        ("PL/UOR/74", "12-31", "2020-04-30", "2025-12-31"),
        // Of a year to June the later reading counts.
        ("PL/UOR/74", "06-30", "2020-04-30", "2025-12-31"),
        // The statements of 2020 are approved in 2021, those of a year to June 2020 in 2020.
        ("PL/UOR/74/statements", "12-31", "2020-04-30", "2026-12-31"),
        ("PL/UOR/74/statements", "06-30", "2020-04-30", "2025-12-31"),
        ("BE/BTW", "12-31", "2023-03-01", "2033-12-31"),
        ("BE/WER/III.86", "12-31", "2023-03-01", "2030-12-31"),
        ("BE/WER/III.86", "06-30", "2023-07-01", "2031-12-31"),
        ("CZ/DPH", "12-31", "2021-03-31", "2031-03-31"),
        ("CZ/UCT/31/statements", "12-31", "2021-03-31", "2031-12-31"),
        ("CZ/UCT/31/vouchers", "12-31", "2021-03-31", "2026-12-31"),
        ("EE/RPS/12", "12-31", "2021-03-31", "2028-12-31"),
        ("PT/CIVA/52", "06-30", "2021-03-31", "2031-12-31"),
        ("IN/DPDP/8", "12-31", "2027-06-01", "2028-06-01"),
        ("EU/VAT/OSS", "06-30", "2021-07-01", "2031-12-31"),
        ("EU/VAT/OSS", "12-31", "2021-12-31", "2031-12-31"),
    ];

    #[test]
    fn worked_cases_come_out_as_worked_by_hand() {
        for (code, fiscal_year, date, until) in WORKED {
            let statute = Statute::find(code).unwrap_or_else(|| panic!("{code}"));
            let found = statute.kept_until(date.parse().unwrap(), fiscal_year.parse().unwrap()).unwrap();
            assert_eq!(found.to_string(), *until, "{code}, fiscal year to {fiscal_year}, {date}");
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
            for text in [statute.title, statute.cited, statute.english, statute.covers, statute.source] {
                assert!(!text.is_empty(), "{}", statute.code);
            }
            let country = if statute.country == "GB" { "UK" } else { statute.country };
            assert!(statute.code.starts_with(country), "{}", statute.code);
            assert!(statute.checked.parse::<NaiveDate>().is_ok());
            assert!(statute.to_string().contains(" from "), "{statute}");
            assert_eq!(statute.basis == PrivacyLaw::UkGdpr, statute.country == "GB", "{}", statute.code);
            assert_eq!(statute.basis == PrivacyLaw::Fadp, statute.country == "CH", "{}", statute.code);
        }
        assert_eq!(Statute::find("SE/BFL"), None);
    }

    /// The tax law has the same six years as the company law, and counts them from a later day.
    #[test]
    fn a_later_start_makes_a_law_longer_too() {
        let longer = Statute::find("UK/CA/388/public").unwrap().longer();
        assert_eq!(longer.map(|statute| statute.code).collect::<Vec<_>>(), ["UK/TAX", "UK/TMA/12B"]);
        assert!(Statute::all().iter().all(|law| law.longer().all(|longer| longer.code != law.code)));
    }

    #[test]
    fn a_longer_law_of_the_same_country_is_known() {
        let longer = |code: &str| {
            Statute::find(code).unwrap().longer().map(|statute| statute.code).collect::<Vec<_>>()
        };
        assert_eq!(longer("UK/CA/388/private"), ["UK/CA/388/public", "UK/TAX", "UK/TMA/12B", "UK/VATA/11/6"]);
        assert_eq!(longer("SE/BFL/7:2"), ["EU/VAT/OSS"]);
        assert_eq!(longer("CH/OR/958f"), [""; 0]);
        assert_eq!(longer("DE/HGB/257/letters").len(), 4);
    }
}
