//! An operator's choice: a treatment for one run, made from fields to erase and fields to keep.

use serde_json::{Map, Value as Json, json};

use super::PolicyDocument;
use crate::data_map::{ClassName, FieldName};
use crate::document::{Problem, Problems, join, suggest};
use crate::treatment::TreatmentName;

/// The fields that an operator wants to erase or keep, in addition to a treatment of the policy.
///
/// ```
/// use relinquish::PolicyDocument;
/// use relinquish::policy::Choice;
/// # let policy = PolicyDocument::from_toml("version = 1\nsweep = false\ntriggers = {}\n[treatments.marketing]\n\
/// #     customer = { action = 'anonymise', keep = { postcode = 'reporting' } }")?;
/// let choice = Choice::of("marketing", "campaign_2026")
///     .keep("customer", "city", "the campaign is planned by city")
///     .erase("customer", "postcode");
/// let policy = policy.choose(&choice)?; // and then `check`, as ever
/// # Ok::<(), relinquish::Problems>(())
/// ```
#[derive(Clone, Debug)]
pub struct Choice {
    base: TreatmentName,
    name: TreatmentName,
    keep: Vec<(ClassName, FieldName, String)>,
    erase: Vec<(ClassName, FieldName)>,
    smallest_groups: Vec<(ClassName, u32)>,
}

impl Choice {
    /// Starts from a treatment of the policy. The new treatment gets its own name.
    pub fn of(base: impl Into<TreatmentName>, name: impl Into<TreatmentName>) -> Self {
        Self {
            base: base.into(),
            name: name.into(),
            keep: Vec::new(),
            erase: Vec::new(),
            smallest_groups: Vec::new(),
        }
    }

    /// Keeps a field, for a reason.
    #[must_use]
    pub fn keep(
        mut self,
        class: impl Into<ClassName>,
        field: impl Into<FieldName>,
        reason: impl Into<String>,
    ) -> Self {
        self.keep.push((class.into(), field.into(), reason.into()));
        self
    }

    /// Erases a field that the treatment keeps.
    #[must_use]
    pub fn erase(mut self, class: impl Into<ClassName>, field: impl Into<FieldName>) -> Self {
        self.erase.push((class.into(), field.into()));
        self
    }

    /// Requires that at least so many customers share the kept values. If fewer do, these values are erased, too.
    #[must_use]
    pub fn smallest_group(mut self, class: impl Into<ClassName>, customers: u32) -> Self {
        self.smallest_groups.push((class.into(), customers));
        self
    }
}

impl PolicyDocument {
    /// The policy with one more treatment: an operator's choice. The choice is read and [checked](Self::check) like
    /// every other line, and it has its own digest. Whoever approves a plan under it approves this choice.
    ///
    /// # Errors
    /// There is no such treatment, the name is taken, or the records of a named class do not stay, so that their
    /// fields cannot have rules.
    pub fn choose(&self, choice: &Choice) -> Result<Self, Problems> {
        let mut document = self.rules.json.clone();
        let path = join("treatments", choice.name.as_str());
        let names: Vec<&str> = self.rules.treatments.keys().map(TreatmentName::as_str).collect();
        let base = document.pointer("/treatments").and_then(|all| all.get(choice.base.as_str()));
        let Some(mut treatment) = base.and_then(Json::as_object).cloned() else {
            let what = format!("{} is no treatment", choice.base);
            return Err(Problems::one(Problem::new(path, what, suggest(choice.base.as_str(), names))));
        };
        if names.contains(&choice.name.as_str()) {
            return Err(Problems::one(Problem::new(
                path,
                "is there already",
                "give the choice another name",
            )));
        }
        let mut problems = Vec::new();
        for (class, field, reason) in &choice.keep {
            match parts(&mut treatment, class) {
                Some((keep, fields)) => {
                    fields.remove(field.as_str());
                    keep.insert(field.to_string(), json!(reason));
                }
                None => problems.push(stays_not(&path, class)),
            }
        }
        for (class, field) in &choice.erase {
            match parts(&mut treatment, class) {
                // Without the exception, the rule for the field's kind applies.
                Some((keep, fields)) => {
                    if keep.remove(field.as_str()).is_none() {
                        fields.insert(field.to_string(), json!("remove"));
                    }
                }
                None => problems.push(stays_not(&path, class)),
            }
        }
        for (class, customers) in &choice.smallest_groups {
            // `parts` turns a rule of one word into a table.
            let table = parts(&mut treatment, class).is_some();
            match treatment.get_mut(class.as_str()).and_then(Json::as_object_mut).filter(|_| table) {
                Some(rule) => {
                    rule.insert("smallest_group".to_owned(), json!(customers));
                }
                None => problems.push(stays_not(&path, class)),
            }
        }
        Problems::none_or(problems)?;
        if let Some(table) = document.as_object_mut() {
            if let Some(treatments) = table.get_mut("treatments").and_then(Json::as_object_mut) {
                treatments.insert(choice.name.to_string(), Json::Object(treatment));
            }
            table.extend(self.aside.clone());
            if !self.tenants.is_empty() {
                let tenants = self.tenants.iter().map(|(name, entry)| (name.to_string(), entry.own.clone()));
                table.insert("tenants".to_owned(), Json::Object(tenants.collect()));
            }
        }
        Self::read(&document)
    }
}

fn stays_not(path: &str, class: &ClassName) -> Problem {
    Problem::new(
        join(path, class.as_str()),
        "is not anonymised by this treatment, so that nothing can be said of its fields",
        "start from a treatment that anonymises it",
    )
}

type Table = Map<String, Json>;

/// The rules for the fields of a class whose records stay: kept fields, and fields with their own rules.
fn parts<'t>(treatment: &'t mut Table, class: &ClassName) -> Option<(&'t mut Table, &'t mut Table)> {
    let rule = treatment.get_mut(class.as_str())?;
    if let Some(action @ ("anonymise" | "blank" | "reassign")) = rule.as_str() {
        *rule = json!({ "action": action });
    }
    let table = rule.as_object_mut().filter(|table| table.contains_key("action"))?;
    for part in ["keep", "fields"] {
        table.entry(part).or_insert_with(|| json!({}));
    }
    let (mut keep, mut fields) = (None, None);
    for (name, value) in table.iter_mut() {
        match name.as_str() {
            "keep" => keep = value.as_object_mut(),
            "fields" => fields = value.as_object_mut(),
            _ => {}
        }
    }
    Some((keep?, fields?))
}
