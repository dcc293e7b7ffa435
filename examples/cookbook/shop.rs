// The shop of the manual's recipes: a small database, and each recipe as the manual page shows it. The page's doc
// tests and the tests of the manual use this module.

use std::error::Error;
use std::path::{Path, PathBuf};

use relinquish::{Approval, ApprovedPlan, Plan, PolicyDocument, SqlMap};
use rusqlite::Connection;
use toml::{Table, Value};

const SQL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/shop.sql"));
const MAP: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/map.toml"));
const POLICY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cookbook/policy.toml"));
const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/manual/cookbook.rs"));

/// The tables of a map or a policy that are merged line by line. Everywhere else a recipe's value replaces the whole
/// old value.
const TABLES: [&str; 13] = [
    "customers",
    "customers.fields",
    "records",
    "links",
    "triggers",
    "guards",
    "anonymise",
    "treatments",
    "duties",
    "expire",
    "tenants",
    "ignore",
    "customers.dates",
];

/// The shop with the changes of one recipe.
pub(crate) struct Recipe {
    pub(crate) sql: String,
    pub(crate) map: Table,
    pub(crate) policy: Table,
}

/// The code blocks of a page: for each block the heading above it, its language, and its lines.
pub(crate) fn blocks(page: &str) -> Vec<(String, String, String)> {
    let (mut found, mut heading) = (Vec::new(), String::new());
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        let line = line.trim_start();
        let Some(line) = line.strip_prefix("//!").or_else(|| line.strip_prefix("///")) else { continue };
        let line = line.strip_prefix(' ').unwrap_or(line);
        if let Some(language) = line.trim_start().strip_prefix("```") {
            match open.take() {
                Some((language, text)) => found.push((heading.clone(), language, text)),
                None => open = Some((language.to_owned(), String::new())),
            }
        } else if let Some((_, text)) = &mut open {
            text.push_str(line);
            text.push('\n');
        } else if let Some(title) = line.strip_prefix("# ") {
            title.clone_into(&mut heading);
        }
    }
    found
}

/// The headings of the recipes.
pub(crate) fn recipes() -> Vec<String> {
    let mut headings: Vec<String> = blocks(PAGE).into_iter().map(|(heading, ..)| heading).collect();
    headings.dedup();
    headings
}

/// Adds the lines of a fragment. A line replaces an existing line with the same name.
pub(crate) fn merge(path: &str, into: &mut Table, from: Table) {
    for (key, value) in from {
        let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let is_class = ["records.", "treatments."]
            .iter()
            .any(|room| place.strip_prefix(room).is_some_and(|rest| !rest.contains('.')));
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) if is_class || TABLES.contains(&place.as_str()) => {
                merge(&place, old, new);
            }
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The recipe under a heading, applied to the shop.
pub(crate) fn recipe(heading: &str) -> Result<Recipe, Box<dyn Error>> {
    let mut recipe = Recipe { sql: SQL.to_owned(), map: MAP.parse()?, policy: POLICY.parse()? };
    for (_, language, text) in blocks(PAGE).into_iter().filter(|(above, ..)| above == heading) {
        match (language.as_str(), text.lines().next()) {
            ("sql", _) => recipe.sql.push_str(&text),
            ("toml", Some("# map.toml")) => merge("", &mut recipe.map, text.parse()?),
            ("toml", Some("# policy.toml")) => merge("", &mut recipe.policy, text.parse()?),
            _ => {}
        }
    }
    Ok(recipe)
}

impl Recipe {
    pub(crate) fn map(&self) -> Result<SqlMap, Box<dyn Error>> {
        Ok(SqlMap::from_toml(&toml::to_string(&self.map)?)?)
    }

    pub(crate) fn policy(&self) -> Result<PolicyDocument, Box<dyn Error>> {
        Ok(PolicyDocument::from_toml(&toml::to_string(&self.policy)?)?)
    }

    /// Creates the database in a folder.
    pub(crate) fn database(&self, folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
        let path = folder.join("shop.sqlite");
        Connection::open(&path)?.execute_batch(&self.sql)?;
        Ok(path)
    }
}

/// A person approves a plan for an hour.
pub(crate) fn approve(
    plan: Plan,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<ApprovedPlan, Box<dyn Error>> {
    let tenants = [plan.tenant().clone()];
    let approval = Approval::new("operator-7", tenants, plan.digest(), now, chrono::TimeDelta::hours(1));
    Ok(plan.approve(approval)?)
}
