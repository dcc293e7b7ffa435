//! `[duties]`: the records that must be kept, and the laws that require it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::data_map::{ClassName, FieldName};
use crate::document::{Reader, join, suggest};
use crate::policy::{Duty, FiscalYearEnd, Ground, Period, StartRule, Statute};

const KEYS: [&str; 9] =
    ["classes", "from", "fiscal_year_ends", "needs", "statute", "period", "start", "law", "ground"];

pub(super) fn read_fiscal_year(reader: &mut Reader, value: &Json) -> Option<FiscalYearEnd> {
    let text = reader.text("fiscal_year_ends", value)?;
    let end = text.parse::<FiscalYearEnd>();
    end.map_err(|error| reader.problem("fiscal_year_ends", "is no end of a fiscal year", error.to_string()))
        .ok()
}

pub(super) fn read_duties(reader: &mut Reader, value: &Json) -> Option<Vec<Duty>> {
    let mut duties = Vec::new();
    for (name, value) in reader.open_table("duties", value)? {
        let path = join("duties", name);
        if let Some(duty) = read_duty(reader, &path, name, value) {
            duties.push(duty);
        }
    }
    Some(duties)
}

fn read_duty(reader: &mut Reader, path: &str, name: &str, value: &Json) -> Option<Duty> {
    let table = reader.table(path, value, &KEYS)?;
    let classes = reader.required(path, table, "classes");
    let classes = classes.and_then(|value| reader.texts(&join(path, "classes"), value));
    let field = read_field(reader, path, table);
    let basis = read_basis(reader, path, table);
    let needs = table.get("needs").map(|value| read_needs(reader, &join(path, "needs"), value));
    let Basis { period, start, law, statute, ground } = basis?;
    let by_fiscal_year = table.contains_key("fiscal_year_ends");
    if by_fiscal_year && !start.counts_fiscal_years() {
        reader.problem(
            join(path, "fiscal_year_ends"),
            format!("counts for nothing: the period starts with {}", start.describe()),
            "write from = \"…\", the field that holds that date",
        );
    }
    let (classes, from) = (classes?, field?);
    let classes: BTreeMap<ClassName, FieldName> =
        classes.into_iter().map(|class| (class.into(), from.clone())).collect();
    Some(Duty {
        name: name.into(),
        classes,
        by_fiscal_year,
        period,
        start,
        law,
        statute,
        ground,
        under: statute.map(|statute| statute.basis).unwrap_or_default(),
        needs,
    })
}

/// Reads links of classes: `["order.billing_id"]`.
fn read_needs(reader: &mut Reader, path: &str, value: &Json) -> Vec<(ClassName, String)> {
    let items = match value {
        Json::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut needs = Vec::with_capacity(items.len());
    for (n, item) in items.iter().enumerate() {
        let path = format!("{path}[{n}]");
        let Some(text) = reader.text(&path, item) else { continue };
        match text.split_once('.') {
            Some((class, link)) => needs.push((class.into(), link.to_owned())),
            None => reader.problem(
                path,
                format!("{text} is no link of a class"),
                "write one such as \"order.billing_id\"",
            ),
        }
    }
    needs
}

/// Reads the field that holds the record's date, or the last day of its fiscal year.
fn read_field(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> Option<FieldName> {
    let Some(own) = table.get("fiscal_year_ends") else {
        return reader.required_text(path, table, "from").map(FieldName::from);
    };
    if table.contains_key("from") {
        reader.problem(
            join(path, "from"),
            "is not needed where the record says itself when its fiscal year ends",
            "leave one of the two out",
        );
    }
    let path = join(path, "fiscal_year_ends");
    if own.is_string() {
        reader.problem(
            path,
            "is the record's own here, and no day of every year",
            "write { field = \"…\" }; when a tenant's fiscal years end is said outside of the duties",
        );
        return None;
    }
    let own = reader.table(&path, own, &["field"])?;
    reader.required_text(&path, own, "field").map(FieldName::from)
}

struct Basis {
    period: Period,
    start: StartRule,
    law: Arc<str>,
    statute: Option<&'static Statute>,
    ground: Ground,
}

/// Reads the basis: a statute of the table, or period, start, law and ground.
fn read_basis(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> Option<Basis> {
    let period = table.get("period").map(|value| read_period(reader, &join(path, "period"), value));
    let Some(code) = table.get("statute") else {
        let start = reader.required_text(path, table, "start");
        let start = start.and_then(|text| read_start(reader, &join(path, "start"), text));
        let law = reader.required_text(path, table, "law").map(Arc::from);
        let ground = reader.required_text(path, table, "ground");
        let ground = ground.and_then(|text| read_ground(reader, &join(path, "ground"), text));
        if period.is_none() {
            reader.problem(
                path,
                "has no basis in law",
                "write statute = \"SE/BFL/7:2\"; or period, start, law and ground",
            );
        }
        return Some(Basis { period: period??, start: start?, law: law?, statute: None, ground: ground? });
    };
    for key in ["start", "law", "ground"].into_iter().filter(|key| table.contains_key(*key)) {
        reader.problem(join(path, key), "is said by the statute", "leave it out, or leave the statute out");
    }
    let path = join(path, "statute");
    let code = reader.text(&path, code)?;
    let Some(statute) = Statute::find(code) else {
        let known: Vec<&str> = Statute::all().iter().map(|statute| statute.code).collect();
        reader.problem(path, format!("{code} is no statute of the table"), suggest(code, known));
        return None;
    };
    if period.flatten().is_some_and(|period| period != statute.period()) {
        reader.problem(
            path,
            format!("requires {}, and that is no policy's to change", statute.period()),
            "leave the period out; what is required by another law is a duty of its own",
        );
        return None;
    }
    Some(Basis {
        period: statute.period(),
        start: statute.start,
        law: format!("{} ({})", statute.title, statute.code).into(),
        statute: Some(statute),
        ground: Ground::LegalObligation,
    })
}

pub(super) fn read_period(reader: &mut Reader, path: &str, value: &Json) -> Option<Period> {
    let period = reader.text(path, value)?.parse::<Period>();
    period.map_err(|error| reader.problem(path, "is no period", error.to_string())).ok()
}

fn read_start(reader: &mut Reader, path: &str, text: &str) -> Option<StartRule> {
    let found = StartRule::ALL.into_iter().find(|rule| rule.as_str() == text);
    if found.is_none() {
        reader.problem(path, "is no start", suggest(text, StartRule::ALL.map(StartRule::as_str)));
    }
    found
}

/// Reads the ground of a duty: a legal obligation or a legal claim (Art. 17(3)(b) and (e)), or one of the other
/// exceptions of Art. 17(3). That data are still useful is no ground.
fn read_ground(reader: &mut Reader, path: &str, text: &str) -> Option<Ground> {
    let ground = text.parse::<Ground>().ok().filter(|ground| ground.as_str().starts_with("17(3)"));
    if ground.is_none() {
        reader.problem(
            path,
            "is no ground on which data must be kept",
            "write 17(3)(b) for a legal obligation or 17(3)(e) for a legal claim; a contract alone is none",
        );
    }
    ground
}
