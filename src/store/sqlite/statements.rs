//! The statements of a treatment: their number depends on the record classes, never on the rows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::find::{self, Expression, Finder, Finding};
use super::groups::GroupScript;
use super::ownership::{self, From, Reads, Set, Toward, Ways, columns, handle_names, is_row, listed};
use super::reading::{self, Reading};
use super::touched::{Touched, is_one_persons, need_no_set_for};
use super::working::{Place, Slot};
use crate::anonymise::Strategy;
use crate::anonymise::json::Pointer;
use crate::data_map::{ClassName, Datatype, FieldName, LinkRole, Value, WhenGone};
use crate::policy::{ClassTreatment, Ownerless, RecordAction, Treatment, UnderDuty};
use crate::store::sql::{Bound, BoundClass, BoundLink, Compare, Rows, Source};

/// The customers of a batch, in a table of the connection's own.
pub(super) const BATCH: &str = "temp.relinquish_batch";

/// A name as SQL quotes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A source as an expression over the customers' table.
pub(super) fn source_sql(table: &str, source: &Source) -> String {
    match source {
        Source::Column(column) => format!("{}.{}", quoted(table), quoted(column)),
        // A sub-select of its own: an aggregate stays in it, and a second column is an error.
        Source::Sql(sql) => format!("(SELECT ({sql}))"),
    }
}

/// What a column is declared as to take keys as the customers' own key column does.
pub(super) fn affinity(key: Datatype) -> &'static str {
    match key {
        Datatype::Text => "TEXT",
        Datatype::Integer => "INTEGER",
        Datatype::Real => "REAL",
        Datatype::Numeric => "NUMERIC",
        Datatype::Blob | Datatype::Any => "",
    }
}

/// What is done to one class.
#[derive(Clone, Debug)]
pub(super) struct ClassScript {
    pub(super) class: ClassName,
    /// Per customer: rows, those that a duty keeps left out.
    pub(super) rows: String,
    /// Per customer: rows, and rows to which there is something to do.
    pub(super) tally: Statement,
    /// Per customer: fields of other people's rows that belong to the customer, and those to which there is something to do.
    pub(super) theirs: Vec<Elsewhere>,
    /// Per customer: rows that somebody has who stays. None where nobody shares them.
    pub(super) others: Option<String>,
    /// Per customer: rows that somebody shares whose texts mention the customer.
    pub(super) mentioned: Option<Statement>,
    /// Per customer: rows that a duty keeps, and their latest date by each of the fields. None where there is no duty.
    pub(super) kept: Option<(Statement, Vec<FieldName>)>,
    /// The dates of the records for whose sake rows are kept that no duty of their own keeps.
    pub(super) keepers: Vec<(Statement, Vec<FieldName>)>,
    /// Per customer: mentions that are not certain, by each of the fields. None where no text is searched.
    pub(super) uncertain: Option<(Statement, Vec<FieldName>)>,
    /// Who is counted, where what stays has to be shared.
    pub(super) group: Option<GroupScript>,
    /// Rows that a row needs which a duty keeps. None where there can be none.
    pub(super) tombstone: Option<Tombstone>,
    /// How many rows it will be, each once.
    pub(super) distinct: String,
    /// No two customers have the same row: the rows per customer add up.
    pub(super) adds_up: bool,
    /// What is done to it. None where nothing is ever to be done.
    pub(super) act: Option<Act>,
    /// Fields of whoever's rows that belong to those who leave.
    pub(super) fields_of_others: Vec<Elsewhere>,
    /// Texts of rows that stay because somebody else has them.
    pub(super) redact_shared: Option<Statement>,
    /// Links to rows that are deleted, in any class.
    pub(super) let_go: Vec<LetGo>,
    /// Triggers may have written to it by the end: it is done once more.
    pub(super) again: bool,
    /// Rows may go with others of the same table.
    pub(super) may_shrink: bool,
}

impl ClassScript {
    /// Whether anything is ever done to its rows as such.
    pub(super) fn is_treated(&self) -> bool {
        self.act.is_some()
    }

    /// Whether anything is ever written to its rows. Where a row has no field but its customer's e-mail address, it is
    /// written through the link that compares it.
    pub(super) fn is_written(&self) -> bool {
        self.is_treated() || !self.fields_of_others.is_empty()
    }
}

/// What is done to the rows of a class, in the order in which it is done.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Their fields are written.
    Write(Statement),
    /// They are handed over. Where the stand-in has an equal row, they are marked first and deleted.
    HandOver { mark: Vec<String>, write: Statement, delete: Option<String> },
    /// They are deleted.
    Delete(String),
}

/// A link to rows that are deleted.
#[derive(Clone, Debug)]
pub(super) struct LetGo {
    /// In this class.
    pub(super) class: ClassName,
    pub(super) sql: String,
    /// Where that reads a whole table: how it does without.
    pub(super) reads: Option<Reads>,
    /// The rows from which the links let go.
    pub(super) from: find::Place,
    /// It takes the tenant's stand-in.
    pub(super) hands_over: bool,
}

/// A statement about whoever's rows, along a link.
#[derive(Clone, Debug)]
pub(super) struct Elsewhere {
    statement: Statement,
    /// Where that reads a whole table: how it does without.
    pub(super) reads: Option<Reads>,
    /// The set to whose rows the link leads. None: the batch.
    pub(super) from: Option<find::Place>,
}

impl Elsewhere {
    /// The statement itself, or over rows that were picked before.
    pub(super) fn over(&self, is_picked: bool) -> Cow<'_, Statement> {
        match self.reads.as_ref().filter(|_| is_picked) {
            None => Cow::Borrowed(&self.statement),
            Some(reads) => Cow::Owned(Statement {
                sql: reads.of_picked.clone(),
                parameters: self.statement.parameters.clone(),
            }),
        }
    }
}

/// What is done to rows that go only with the last row that needs them.
#[derive(Clone, Debug)]
pub(super) struct Tombstone {
    /// Per customer: rows.
    pub(super) rows: Statement,
    /// What anonymises them meanwhile. None where nothing in them is personal.
    pub(super) act: Option<Statement>,
    /// How many they are.
    pub(super) distinct: String,
}

/// A statement and what is bound to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) parameters: Vec<Value>,
}

impl Statement {
    pub(super) fn bind(&mut self, value: &Value) -> String {
        self.parameters.push(value.clone());
        format!("?{}", self.parameters.len())
    }
}

/// A treatment as statements.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) finding: Finding,
    pub(super) classes: Vec<ClassScript>,
    pub(super) slots: Arc<[Slot]>,
    /// The duties that rows are held against.
    pub(super) duties: Arc<[UnderDuty]>,
    /// Per customer, whether their own values are erased, where texts are treated by that.
    pub(super) erased: Option<(ClassName, Statement)>,
}

impl Script {
    /// For customers of a batch.
    pub(super) fn new(bound: &Bound, treatment: &Treatment) -> Self {
        Self::written(bound, treatment, &need_no_set_for(bound, treatment))
    }

    /// The tables that may have to be read while rows are treated.
    pub(super) fn ends(&self) -> impl Iterator<Item = (&Reads, Option<find::Place>)> {
        let links = self.classes.iter().flat_map(|class| &class.let_go);
        let links = links.filter_map(|link| Some((link.reads.as_ref()?, Some(link.from))));
        let fields = self.classes.iter().flat_map(|class| &class.fields_of_others);
        links.chain(fields.filter_map(|field| Some((field.reads.as_ref()?, field.from))))
    }

    /// The tables that may have to be read while rows are counted.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&Reads, Option<find::Place>)> {
        let fields = self.classes.iter().flat_map(|class| &class.theirs);
        fields.filter_map(|field| Some((field.reads.as_ref()?, field.from)))
    }

    /// For rows that are put into their sets from elsewhere.
    pub(super) fn of_sets(bound: &Bound, treatment: &Treatment) -> Self {
        Self::written(bound, treatment, &BTreeSet::new())
    }

    fn written(bound: &Bound, treatment: &Treatment, without_set: &BTreeSet<usize>) -> Self {
        let mut slots = Vec::new();
        let mut duties = Vec::new();
        let ways = &Ways { bound };
        let kept: BTreeMap<usize, Kept> = bound
            .classes
            .iter()
            .enumerate()
            .filter_map(|(number, class)| Some((number, Kept::of(ways, class, treatment, &mut duties)?)))
            .collect();
        let has_left = has_left(bound, treatment, &mut slots);
        let expressions = kept.iter().map(|(number, kept)| {
            let expression: Expression<'_> = Box::new(move |alias: &str| kept.is_kept(ways, alias));
            (*number, expression)
        });
        let needs: Vec<_> = treatment.kept_together().into_iter().cloned().collect();
        let needs = &needs;
        let by_needs = kept.iter().map(|(number, kept)| {
            let each = needs.iter().enumerate().map(move |(group, needs)| {
                let expression: Expression<'_> =
                    Box::new(move |alias: &str| kept.is_kept_by(ways, alias, needs));
                (i64::try_from(group).unwrap_or(i64::MAX), expression)
            });
            (*number, each.collect())
        });
        let finder = Finder::new(
            bound,
            Some(treatment),
            without_set.clone(),
            expressions.collect(),
            by_needs.collect(),
            has_left,
        );
        let finding = finder.finding();
        drop(finder);
        let writer = Writer { bound, ways: ways.clone(), treatment, without_set, kept: &kept };
        let classes = bound
            .classes
            .iter()
            .enumerate()
            .filter_map(|(number, class)| {
                let treated = treatment.class(class.name.as_str())?;
                Some(writer.class(number, class, treated, &mut slots))
            })
            .collect();
        let erased = erased(bound, treatment, &mut slots);
        Self { finding, classes, slots: slots.into(), duties: duties.into(), erased }
    }

    /// The rows of a class whose owner is gone: so many of them after a key, put among the touched ones.
    pub(super) fn ownerless(
        bound: &Bound,
        treatment: &Treatment,
        class: &ClassName,
        which: Ownerless,
    ) -> Option<Part> {
        let number = bound.classes.iter().position(|bound| bound.name == *class)?;
        let class = bound.classes.get(number)?;
        let ways = Ways { bound };
        let is_ownerless = ways.is_ownerless(class, "x", which == Ownerless::GoneOrNone, 0);
        let (key, places) = (columns("x", &class.key), places(2, class.key.len()));
        let has_key: Vec<String> =
            class.key.iter().map(|column| format!("x.{} IS NOT NULL", quoted(column))).collect();
        let rows = ownership::of_class("x", &class.rows);
        let select = |gives: &str, after: &str, limit: &str| {
            format!(
                "SELECT {gives} FROM main.{} AS x WHERE {is_ownerless} AND {}{rows}{after} ORDER BY {}{limit}",
                quoted(&class.table),
                has_key.join(" AND "),
                listed("x", &class.key),
            )
        };
        // The duties are numbered as in the script of the same treatment.
        let mut duties = Vec::new();
        let kept: Vec<Option<Kept<'_>>> =
            bound.classes.iter().map(|class| Kept::of(&ways, class, treatment, &mut duties)).collect();
        let whole = kept
            .get(number)
            .and_then(Option::as_ref)
            .map_or_else(|| "0".to_owned(), |kept| kept.is_kept(&ways, "x"));
        let insert = |after: &str, limit: &str| {
            format!(
                "INSERT INTO {} ({}, n, whole) {}",
                Set::Touched.of(number),
                handle_names(class),
                select(&format!("{}, 0, {whole}", listed("x", &class.handle)), after, limit)
            )
        };
        let after = format!(" AND {key} > {places}");
        Some(Part {
            number,
            first: insert("", " LIMIT ?1"),
            after: insert(&after, " LIMIT ?1"),
            all: insert("", ""),
            key: class.key.len(),
            last: format!(
                "SELECT {0} FROM {1} AS relinquish_r CROSS JOIN main.{2} AS x ON {3} ORDER BY {4} LIMIT 1",
                listed("x", &class.key),
                Set::Touched.of(number),
                quoted(&class.table),
                is_row(class, "x", "relinquish_r"),
                class
                    .key
                    .iter()
                    .map(|column| format!("x.{} DESC", quoted(column)))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        })
    }
}

/// How the rows that nobody owns are taken part by part.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The class's place among the classes.
    pub(super) number: usize,
    /// Touches the first rows, so many of them.
    pub(super) first: String,
    /// Touches those after a key, which comes after how many.
    pub(super) after: String,
    /// Touches all of them.
    pub(super) all: String,
    /// The key of the last one that is touched.
    pub(super) last: String,
    /// How many columns the key has.
    pub(super) key: usize,
}

/// `?2` or `(?2, ?3)`
fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|place| format!("?{place}")).collect();
    if count == 1 { places.concat() } else { format!("({})", places.join(", ")) }
}

/// Which rows of a class duties keep, and by which dates.
struct Kept<'b> {
    class: &'b BoundClass,
    /// The number of each duty, its field, and the classes from which a row has its date.
    duties: Vec<(usize, FieldName, Option<Vec<&'b BoundClass>>)>,
    /// What each of these duties needs.
    needs: Vec<BTreeSet<(ClassName, String)>>,
}

impl<'b> Kept<'b> {
    fn of(
        ways: &Ways<'b>,
        class: &'b BoundClass,
        treatment: &Treatment,
        duties: &mut Vec<UnderDuty>,
    ) -> Option<Self> {
        let under = treatment.class(class.name.as_str())?.under_duty();
        let mut list = Vec::new();
        for under in under {
            let number = duties.iter().position(|known| known == under).unwrap_or_else(|| {
                duties.push(under.clone());
                duties.len() - 1
            });
            let through = under.through.iter().map(|name| ways.bound.class(name)).collect();
            list.push((number, under.field.clone(), through));
        }
        let needs = under.iter().map(|under| under.needs.clone()).collect();
        (!list.is_empty()).then_some(Self { class, duties: list, needs })
    }

    /// The arguments of the functions that are asked for a duty. A date that cannot be found is not known, and such a row
    /// is kept.
    fn arguments<'s>(&'s self, ways: &'s Ways<'b>, alias: &'s str) -> impl Iterator<Item = String> + 's {
        self.duties.iter().map(move |(number, field, through)| {
            let date = through
                .as_ref()
                .and_then(|through| ways.column_above(self.class, through, alias, field.as_str()));
            format!("{number}, {}", date.as_deref().unwrap_or("NULL"))
        })
    }

    /// The same of the duties alone that need this.
    fn is_kept_by(&self, ways: &Ways<'b>, alias: &str, needs: &BTreeSet<(ClassName, String)>) -> String {
        let each = self.arguments(ways, alias).zip(&self.needs).filter(|(_, own)| *own == needs);
        let each: Vec<String> = each.map(|(arguments, _)| format!("relinquish_kept({arguments})")).collect();
        if each.is_empty() { "0".to_owned() } else { format!("({})", each.join(" OR ")) }
    }

    fn is_kept(&self, ways: &Ways<'b>, alias: &str) -> String {
        let each: Vec<String> =
            self.arguments(ways, alias).map(|arguments| format!("relinquish_kept({arguments})")).collect();
        format!("({})", each.join(" OR "))
    }
}

/// Whether the customers' own values are erased, where a text is treated by that.
fn erased(bound: &Bound, treatment: &Treatment, slots: &mut Vec<Slot>) -> Option<(ClassName, Statement)> {
    treatment.classes().values().find(|class| !class.after_duty().is_empty())?;
    let number = bound.classes.iter().position(|class| class.is_root)?;
    let class = bound.classes.get(number)?;
    let treated = treatment.class(class.name.as_str())?;
    let fields = treated.tombstone().map_or(treated.fields(), |tombstone| tombstone.fields());
    let written = targets(class, &Reading::new(bound, class, treated), fields, slots);
    Some((class.name.clone(), reading::are_erased(number, class, &written)?))
}

/// True of a customer's row that shows that the customer has left: the treatment has nothing more to do to it, and a field
/// that it writes holds a placeholder or a token. None where the treatment leaves no such sign.
fn has_left<'b>(bound: &'b Bound, treatment: &Treatment, slots: &mut Vec<Slot>) -> Option<Expression<'b>> {
    let root = bound.root()?;
    let treated = treatment.class(root.name.as_str())?;
    let fields = treated.sign_fields();
    let found: Vec<(usize, String, bool)> = targets(root, &Reading::new(bound, root, treated), fields, slots)
        .into_iter()
        .filter(|target| !target.in_json && !matches!(target.strategy, Strategy::Redact { .. }))
        .map(|target| (target.slot, target.name.clone(), target.strategy.is_sign()))
        .collect();
    if !found.iter().any(|(.., is_sign)| *is_sign) {
        return None;
    }
    Some(Box::new(move |alias: &str| {
        let holds = |(slot, name, _): &(usize, String, bool)| {
            format!("relinquish_holds({slot}, {alias}.{})", quoted(name))
        };
        let all: Vec<String> = found.iter().map(holds).collect();
        let signs: Vec<String> = found
            .iter()
            .filter(|(.., is_sign)| *is_sign)
            .map(|field| format!("({alias}.{} IS NOT NULL AND {})", quoted(&field.1), holds(field)))
            .collect();
        format!("({} AND ({}))", all.join(" AND "), signs.join(" OR "))
    }))
}

/// A field of a row, and what is written there.
#[derive(Clone)]
pub(super) struct Target<'t> {
    pub(super) slot: usize,
    /// The column with its table.
    pub(super) column: String,
    /// The column alone.
    name: String,
    pub(super) in_json: bool,
    pub(super) strategy: &'t Strategy,
    /// True of rows in which the field is left as it is.
    unless: Option<String>,
}

/// The fields that a treatment writes to. What is within a document is left out where the whole document is replaced; where
/// the rest of it is redacted, that is done within it too, and leaves the fields in it to their own rules.
fn targets<'t>(
    class: &BoundClass,
    reading: &Reading<'_>,
    fields: impl IntoIterator<Item = (&'t FieldName, &'t Strategy)>,
    slots: &mut Vec<Slot>,
) -> Vec<Target<'t>> {
    let fields: BTreeMap<&FieldName, &'t Strategy> = fields.into_iter().collect();
    let table = quoted(&class.table);
    let mut targets = Vec::new();
    for (field, strategy) in &fields {
        let (field, strategy): (&FieldName, &'t Strategy) = (field, strategy);
        let json = class.json.get(field);
        let column = json.map_or(field.as_str(), |json| json.column.as_str());
        let of_column =
            fields.iter().find(|(name, _)| name.as_str() == column).map(|(_, strategy)| *strategy);
        if json.is_some() && of_column.is_some_and(|whole| !matches!(whole, Strategy::Redact { .. })) {
            continue;
        }
        // What lies deeper is a field of its own.
        let deeper = |pointer: &Pointer| -> Vec<Pointer> {
            let of_column = class.json.values().filter(|json| json.column == column);
            of_column
                .map(|json| &json.pointer)
                .filter(|other| other.is_deeper_than(pointer))
                .cloned()
                .collect()
        };
        let place = match (json, strategy) {
            (Some(json), _) => Some(Place { others: deeper(&json.pointer), pointer: json.pointer.clone() }),
            (None, Strategy::Redact { .. }) => {
                let others = deeper(&Pointer::whole());
                (!others.is_empty()).then(|| Place { pointer: Pointer::whole(), others })
            }
            (None, _) => None,
        };
        let mut treated_so = strategy.clone();
        if let (Strategy::Redact { max_chars, .. }, Some(json)) = (&mut treated_so, json) {
            *max_chars = json.max_chars;
        }
        targets.push(Target {
            slot: slots.len(),
            column: format!("{table}.{}", quoted(column)),
            name: column.to_owned(),
            in_json: place.is_some(),
            strategy,
            unless: None,
        });
        slots.push(reading.slot(field, column, treated_so, place));
    }
    targets
}

/// Writes the statements of the classes.
struct Writer<'b> {
    bound: &'b Bound,
    ways: Ways<'b>,
    treatment: &'b Treatment,
    /// Classes whose touched rows need no set.
    without_set: &'b BTreeSet<usize>,
    kept: &'b BTreeMap<usize, Kept<'b>>,
}

impl Writer<'_> {
    #[allow(clippy::too_many_lines, reason = "one statement after another, in the order in which they run")]
    fn class(
        &self,
        number: usize,
        class: &BoundClass,
        treated: &ClassTreatment,
        slots: &mut Vec<Slot>,
    ) -> ClassScript {
        let table = quoted(&class.table);
        let touched = if self.without_set.contains(&number) {
            Touched::by_link(self.bound, class, number)
        } else {
            Touched::in_set(class, number)
        };
        let (known, from) = (touched.known(), touched.rows());
        let due = is_due(class);
        // Fields that belong to somebody at the far end of a link are written for that one alone.
        let reading = Reading::new(self.bound, class, treated);
        let own = treated.fields().iter().filter(|(field, _)| !class.of.contains_key(*field));
        let fields = self.unless_theirs(class, targets(class, &reading, own, slots));
        let group = GroupScript::new(self.bound, number, class, treated, &fields, slots);
        let meanwhile = treated.tombstone().map(|tombstone| {
            let own = tombstone.fields().iter().filter(|(field, _)| !class.of.contains_key(*field));
            self.unless_theirs(class, targets(class, &reading, own, slots))
        });
        let goes = matches!(treated.action(), RecordAction::Delete);
        let own_pending = |statement: &mut Statement, slots: &[Slot]| {
            let now = match treated.action() {
                RecordAction::Keep { .. } => return "0".to_owned(),
                RecordAction::Delete | RecordAction::Reassign => "1".to_owned(),
                RecordAction::Anonymise => pending(statement, class, slots, &fields),
            };
            match &meanwhile {
                Some(fields) => {
                    let meanwhile = pending(statement, class, slots, fields);
                    format!("CASE WHEN relinquish_r.needed THEN {meanwhile} ELSE {now} END")
                }
                None => now,
            }
        };
        let mut tally = Statement::default();
        let pending_now = own_pending(&mut tally, slots);
        let needs_rows = !matches!(pending_now.as_str(), "0" | "1");
        let of_rows = if needs_rows { &from } else { &known };
        let is_had = if class.is_shared { " WHERE relinquish_r.had = 0" } else { "" };
        // What a duty keeps is not read.
        tally.sql = format!(
            "SELECT relinquish_r.n, count(*), coalesce(sum(CASE WHEN relinquish_r.whole THEN 0 ELSE ({pending_now}) END), 0) {of_rows}{is_had} GROUP BY relinquish_r.n"
        );
        let uncertain = uncertain_in(slots, &fields, meanwhile.as_ref()).map(|(counts, names)| {
            let sql = format!(
                "SELECT relinquish_r.n, {counts} {from} WHERE relinquish_r.whole = 0 GROUP BY relinquish_r.n"
            );
            (Statement { sql, parameters: Vec::new() }, names)
        });
        let kept = self.kept.get(&number).filter(|_| treated.is_deferred()).map(|kept| {
            let mut dates = String::new();
            for arguments in kept.arguments(&self.ways, &table) {
                // None of a record that this duty does not keep.
                let day = format!("relinquish_day({arguments})");
                let _ = write!(dates, ", max({day}), min({day}), sum(relinquish_unreadable({arguments}))");
            }
            let sql = format!("SELECT relinquish_r.n, count(*){dates} {from} WHERE relinquish_r.whole{} GROUP BY relinquish_r.n", if class.is_shared { " AND relinquish_r.had = 0" } else { "" });
            let fields = treated.under_duty().iter().map(|under| under.field.clone()).collect();
            (Statement { sql, parameters: Vec::new() }, fields)
        });
        let kept = kept.or_else(|| {
            let with_others = self.is_kept_with_others(class);
            let had = if class.is_shared { " AND relinquish_r.had = 0" } else { "" };
            let sql = format!("SELECT relinquish_r.n, count(*) {known} WHERE relinquish_r.whole{had} GROUP BY relinquish_r.n");
            let is_kept_anyway = matches!(treated.action(), RecordAction::Keep { .. });
            (with_others && !is_kept_anyway).then(|| (Statement { sql, parameters: Vec::new() }, Vec::new()))
        });
        let keepers = match &kept {
            Some((_, fields)) if fields.is_empty() => self.dates_of_keepers(number, class),
            Some(_) | None => Vec::new(),
        };
        let redacted: Vec<Target<'_>> = fields
            .iter()
            .filter(|field| class.is_shared && matches!(field.strategy, Strategy::Redact { .. }))
            .cloned()
            .collect();
        let mentioned = (!redacted.is_empty()).then(|| {
            let mut statement = Statement::default();
            let is_pending = pending(&mut statement, class, slots, &redacted);
            statement.sql = format!(
                "SELECT relinquish_r.n, 0, coalesce(sum({is_pending}), 0) {from} WHERE relinquish_r.had AND relinquish_r.whole = 0 GROUP BY relinquish_r.n"
            );
            statement
        });
        let redact_shared = (!redacted.is_empty()).then(|| {
            let mut statement = Statement::default();
            let sets = assignments(&mut statement, class, slots, &redacted, None);
            let which = touched.are("relinquish_r.had AND relinquish_r.whole = 0");
            statement.sql = format!("UPDATE main.{table} SET {sets} WHERE {which}");
            statement
        });
        let free =
            if meanwhile.is_some() { format!("{due} AND relinquish_r.needed = 0") } else { due.to_owned() };
        let act = match treated.action() {
            RecordAction::Keep { .. } => None,
            RecordAction::Delete => {
                Some(Act::Delete(format!("DELETE FROM main.{table} WHERE {}", touched.are(&free))))
            }
            RecordAction::Anonymise if fields.is_empty() && group.is_none() => None,
            RecordAction::Anonymise => {
                // Every row is written, and what is erased already comes out as it went in: whether a row was written
                // must not tell what was in it.
                let mut act = Statement::default();
                let sets = assignments(&mut act, class, slots, &fields, group.as_ref());
                act.sql = format!("UPDATE main.{table} SET {sets} WHERE {}", touched.are(due));
                Some(Act::Write(act))
            }
            RecordAction::Reassign => Some(self.hand_over(number, class, treated, slots, &fields, &free)),
        };
        let tombstone = meanwhile
            .as_ref()
            .filter(|_| goes || treated.or_deletes() || *treated.action() == RecordAction::Reassign)
            .map(|fields| {
                let mut act = Statement::default();
                let sets = assignments(&mut act, class, slots, fields, None);
                let which = format!("{due} AND relinquish_r.needed");
                act.sql = format!("UPDATE main.{table} SET {sets} WHERE {}", touched.are(&which));
                let counted = format!(
                    "SELECT relinquish_r.n, count(*), count(*) {known} WHERE {which} GROUP BY relinquish_r.n"
                );
                Tombstone {
                    rows: Statement { sql: counted, parameters: Vec::new() },
                    act: (!fields.is_empty()).then_some(act),
                    distinct: touched.distinct(&which),
                }
            });
        let (fields_of_others, theirs) = self.fields_of_others(number, class, treated, slots, &own_pending);
        let let_go = if goes || treated.or_deletes() {
            self.let_go(number, class, treated, &free)
        } else {
            Vec::new()
        };
        ClassScript {
            class: class.name.clone(),
            rows: format!("SELECT relinquish_r.n, count(*) {known} WHERE {due} GROUP BY relinquish_r.n"),
            tally,
            theirs,
            others: class.is_shared.then(|| {
                format!(
                    "SELECT relinquish_r.n, count(*) {known} WHERE relinquish_r.had GROUP BY relinquish_r.n"
                )
            }),
            mentioned,
            uncertain,
            group,
            kept,
            keepers,
            tombstone,
            distinct: touched.distinct(due),
            adds_up: is_one_persons(self.bound, class, &mut BTreeSet::new()),
            act,
            fields_of_others,
            redact_shared,
            let_go,
            again: class.is_written_by_triggers,
            may_shrink: class.is_cascaded_to,
        }
    }

    fn is_kept_with_others(&self, class: &BoundClass) -> bool {
        !self.needed_over(class).is_empty()
    }

    /// The links over which a kept record needs rows of the class: the number of what its duty needs, and where the link is.
    fn needed_over(&self, class: &BoundClass) -> Vec<(usize, usize, &BoundLink)> {
        let mut links = Vec::new();
        for (group, needs) in self.treatment.kept_together().into_iter().enumerate() {
            for (number, foot) in self.bound.classes.iter().enumerate() {
                let leads = foot.links.iter().filter(|link| link.heads.contains(&class.name));
                let is_named = |link: &&BoundLink| {
                    needs.iter().any(|(name, known)| *name == foot.name && *known == link.name)
                };
                links.extend(leads.filter(is_named).map(|link| (group, number, link)));
            }
        }
        links
    }

    /// Per customer of the batch, between which dates the records lie for whose sake rows of the class are kept. None where
    /// these are kept for others' sake in turn: nothing is known of the dates then.
    fn dates_of_keepers(&self, number: usize, class: &BoundClass) -> Vec<(Statement, Vec<FieldName>)> {
        let mut statements = Vec::new();
        for (group, at, link) in self.needed_over(class) {
            let Some(foot) = self.bound.classes.get(at) else { continue };
            let Some(kept) = self.kept.get(&at).filter(|_| !self.is_kept_with_others(foot)) else {
                return Vec::new();
            };
            let handle = class.handle.iter().enumerate();
            let mut gives: Vec<String> =
                handle.map(|(part, column)| format!("x.{} AS h{part}", quoted(column))).collect();
            let mut dates = String::new();
            for (n, arguments) in kept.arguments(&self.ways, "y").enumerate() {
                gives.push(format!("relinquish_day({arguments}) AS d{n}"));
                gives.push(format!("relinquish_unreadable({arguments}) AS u{n}"));
                // Writing to a String never fails.
                let _ = write!(dates, ", max(w.d{n}), min(w.d{n}), sum(w.u{n})");
            }
            let keepers =
                From::set(self.bound, Set::Whole, at).which(&format!("relinquish_r.needs = {group}"));
            let rows =
                self.ways.along(link, foot, class, Toward::Head, &keepers, &gives.join(", "), None).sql;
            let same = (0..class.handle.len()).map(|part| format!("relinquish_r.h{part} = w.h{part}"));
            let sql = format!(
                "SELECT relinquish_r.n, 0{dates} FROM ({rows}) AS w CROSS JOIN {} AS relinquish_r ON {} \
                 WHERE relinquish_r.whole GROUP BY relinquish_r.n",
                Set::Touched.of(number),
                same.collect::<Vec<_>>().join(" AND "),
            );
            let fields = kept.duties.iter().map(|(_, field, _)| field.clone()).collect();
            statements.push((Statement { sql, parameters: Vec::new() }, fields));
        }
        statements
    }

    /// The row goes to the tenant's stand-in, or is deleted where that one has an equal row.
    fn hand_over(
        &self,
        number: usize,
        class: &BoundClass,
        treated: &ClassTreatment,
        slots: &[Slot],
        fields: &[Target<'_>],
        free: &str,
    ) -> Act {
        let table = quoted(&class.table);
        let owner = class.links.iter().find(|link| link.role == LinkRole::Owner);
        let owner_columns = owner.map_or(&[][..], |link| &link.columns);
        let in_set = Touched::in_set(class, number);
        let mut write = Statement::default();
        let mut sets: Vec<String> = owner.map_or_else(Vec::new, |link| self.stand_in(link, &table));
        let written = assignments(&mut write, class, slots, fields, None);
        if !written.is_empty() {
            sets.push(written);
        }
        let which = if treated.or_deletes() {
            format!("{free} AND relinquish_r.instead = 0")
        } else {
            free.to_owned()
        };
        write.sql = format!("UPDATE main.{table} SET {} WHERE {}", sets.join(", "), in_set.are(&which));
        if !treated.or_deletes() {
            return Act::HandOver { mark: Vec::new(), write, delete: None };
        }
        let touched = Set::Touched.of(number);
        let is_owner = |column: &String| owner_columns.iter().any(|own| own.eq_ignore_ascii_case(column));
        let held_apart = class.unique.iter().filter(|columns| columns.iter().any(is_owner));
        let mark = held_apart
            .map(|unique| {
                let rest = |one: &str, other: &str| -> String {
                    let rest = unique.iter().filter(|column| !is_owner(column));
                    let each: Vec<String> =
                        rest.map(|column| format!(" AND {one}.{0} = {other}.{0}", quoted(column))).collect();
                    each.concat()
                };
                let of_stand_in: Vec<String> = owner_columns
                    .iter()
                    .enumerate()
                    .map(|(part, column)| format!("z.{} = b.s{part}", quoted(column)))
                    .collect();
                let same_stand_in: Vec<String> =
                    (0..owner_columns.len()).map(|part| format!("c.s{part} = b.s{part}")).collect();
                let handles: Vec<String> = (0..class.handle.len()).map(|part| format!("h{part}")).collect();
                let before = format!("{} < {}", columns("q", &handles), columns("p", &handles));
                format!(
                    "UPDATE {touched} SET instead = 1 WHERE {handle} IN (
                         SELECT {p} FROM {touched} AS p CROSS JOIN main.{table} AS x ON {is_x}
                         CROSS JOIN {BATCH} AS b ON b.n = p.n
                         WHERE EXISTS (SELECT 1 FROM main.{table} AS z WHERE {stand_in}{same})
                            OR EXISTS (SELECT 1 FROM {touched} AS q CROSS JOIN main.{table} AS z ON {is_z}
                                       CROSS JOIN {BATCH} AS c ON c.n = q.n
                                       WHERE {same_stand_in}{same} AND {before} AND {due})
                     )",
                    handle = columns("relinquish", &handles).replace("relinquish.", ""),
                    p = listed("p", &handles),
                    is_x = is_row(class, "x", "p"),
                    is_z = is_row(class, "z", "q"),
                    stand_in = of_stand_in.join(" AND "),
                    same = rest("z", "x"),
                    same_stand_in = same_stand_in.join(" AND "),
                    due = free.replace("relinquish_r.", "q."),
                )
            })
            .collect();
        let instead = format!("{free} AND relinquish_r.instead");
        Act::HandOver {
            mark,
            write,
            delete: Some(format!("DELETE FROM main.{table} WHERE {}", in_set.are(&instead))),
        }
    }

    /// `owner = the stand-in of the customer to whom it leads now`, for each of the columns.
    fn stand_in(&self, link: &BoundLink, alias: &str) -> Vec<String> {
        let key = self.bound.root().map_or(&[][..], |root| &root.key);
        let place = |to: &String| key.iter().position(|key| key.eq_ignore_ascii_case(to));
        let same: Vec<String> = link
            .columns
            .iter()
            .zip(&link.to_columns)
            .filter_map(|(near, to)| {
                let (key, near) = (format!("b.k{}", place(to)?), format!("{alias}.{}", quoted(near)));
                Some(match link.compare {
                    Compare::Exact => format!("{key} = {near}"),
                    _ => format!("CAST({key} AS TEXT) = CAST({near} AS TEXT)"),
                })
            })
            .collect();
        link.columns
            .iter()
            .zip(&link.to_columns)
            .filter_map(|(near, to)| {
                let part = place(to)?;
                Some(format!(
                    "{} = (SELECT b.s{part} FROM {BATCH} AS b WHERE {})",
                    quoted(near),
                    same.join(" AND ")
                ))
            })
            .collect()
    }

    /// The fields that are written with a row. The value by which somebody has the row who stays is left out: a row may be
    /// treated because it goes along with something, and without the value that person would not be found to have it.
    fn unless_theirs<'t>(&self, class: &BoundClass, mut fields: Vec<Target<'t>>) -> Vec<Target<'t>> {
        if !class.links.iter().any(BoundLink::takes_along) {
            return fields;
        }
        for field in &mut fields {
            let mut stays = Vec::new();
            for link in &class.links {
                if !link.by_value || link.role == LinkRole::End || !class.is_of(&field.name, link) {
                    continue;
                }
                for (number, head) in self.bound.classes.iter().enumerate() {
                    if !link.heads.contains(&head.name) {
                        continue;
                    }
                    let has_left = format!(
                        "EXISTS (SELECT 1 FROM {} AS s WHERE {})",
                        Set::Touched.of(number),
                        is_row(head, "relinquish_head", "s")
                    );
                    let ends = (quoted(&class.table), "relinquish_head");
                    stays.push(self.ways.scalar(
                        link,
                        class,
                        head,
                        (&ends.0, ends.1),
                        &format!("max(NOT {has_left})"),
                    ));
                }
            }
            field.unless = (!stays.is_empty()).then(|| {
                let each: Vec<String> = stays.iter().map(|stays| format!("coalesce({stays}, 0)")).collect();
                each.join(" OR ")
            });
        }
        fields
    }

    /// Fields of the class that belong to whoever is at the far end of a link: written when that one is treated, whoever
    /// has the row. `own_pending` is true of a row that the treatment of the row itself still has to write to.
    fn fields_of_others(
        &self,
        number: usize,
        class: &BoundClass,
        treated: &ClassTreatment,
        slots: &mut Vec<Slot>,
        own_pending: &dyn Fn(&mut Statement, &[Slot]) -> String,
    ) -> (Vec<Elsewhere>, Vec<Elsewhere>) {
        let (mut writes, mut counts) = (Vec::new(), Vec::new());
        if matches!(treated.action(), RecordAction::Keep { .. }) {
            return (writes, counts);
        }
        let all = treated.field_strategies();
        let table = quoted(&class.table);
        let reading = Reading::new(self.bound, class, treated);
        // Where records expire nobody leaves: a value goes with its own record.
        let stays = |link: &BoundLink| link.by_value && self.treatment.is_expiry();
        for link in class.links.iter().filter(|link| class.has_fields_of(link) && !stays(link)) {
            let of_link = all.iter().filter(|(field, _)| class.is_of(field.as_str(), link));
            let of_link = of_link.map(|(field, strategy)| (*field, *strategy));
            let fields = targets(class, &reading, of_link, slots);
            if fields.is_empty() {
                continue;
            }
            for (head_number, head) in self.bound.classes.iter().enumerate() {
                if !link.heads.contains(&head.name) {
                    continue;
                }
                let (from, place) = if head.is_root && !link.by_value {
                    (From::batch(self.bound), None)
                } else {
                    let set = From::set(self.bound, Set::Touched, head_number);
                    let set = if head.is_shared { set.which("relinquish_r.had = 0") } else { set };
                    (set, Some((Set::Touched, head_number)))
                };
                let mut further = String::new();
                if let Some(kept) = self.kept.get(&number) {
                    let _ = write!(further, " AND NOT {}", kept.is_kept(&self.ways, "x"));
                }
                if self.is_kept_with_others(class) {
                    let _ = write!(
                        further,
                        " AND NOT EXISTS (SELECT 1 FROM {} AS s WHERE {})",
                        Set::Whole.of(number),
                        is_row(class, "x", "s")
                    );
                }
                let names: Vec<String> = (0..class.handle.len()).map(|part| format!("h{part}")).collect();
                let gives: Vec<String> = class
                    .handle
                    .iter()
                    .enumerate()
                    .map(|(part, column)| format!("x.{} AS h{part}", quoted(column)))
                    .collect();
                let gives = format!("{}, relinquish_r.n AS n", gives.join(", "));
                let along = self.ways.along(link, class, head, Toward::Foot, &from, &gives, None);
                let elsewhere = |mut statement: Statement, of: &dyn Fn(&str) -> String| {
                    statement.sql = of(&along.sql);
                    let reads = along.reads.clone();
                    let reads = reads.map(|reads| Reads { of_picked: of(&reads.of_picked), ..reads });
                    Elsewhere { statement, reads, from: place }
                };
                let mut write = Statement::default();
                let sets = assignments(&mut write, class, slots, &fields, None);
                writes.push(elsewhere(write, &|select| {
                    format!(
                        "UPDATE main.{table} SET {sets} WHERE {} IN (SELECT {} FROM ({select}{further}))",
                        columns(&table, &class.handle),
                        names.join(", "),
                    )
                }));
                let mut count = Statement::default();
                let is_pending = pending(&mut count, class, slots, &fields);
                let is_own_pending = own_pending(&mut count, slots);
                // The customer's own rows are counted as such. They are here only as far as there is nothing else to do.
                let own = format!(
                    "LEFT JOIN {} AS relinquish_own ON {} AND relinquish_own.n = relinquish_x.n{}",
                    Set::Touched.of(number),
                    same_parts("relinquish_own", "relinquish_x", class.handle.len()),
                    if class.is_shared { " AND relinquish_own.had = 0" } else { "" }
                );
                counts.push(elsewhere(count, &|select| {
                    format!(
                        "SELECT relinquish_r.n, sum(NOT relinquish_r.own), \
                         coalesce(sum(CASE WHEN relinquish_r.own AND ({is_own_pending}) THEN 0 ELSE ({is_pending}) END), 0) \
                         FROM (SELECT relinquish_x.*, relinquish_own.n IS NOT NULL AS own, \
                         coalesce(relinquish_own.needed, 0) AS needed FROM (SELECT DISTINCT * FROM ({select}{further})) AS relinquish_x {own}) AS relinquish_r \
                         CROSS JOIN main.{table} AS {table} ON {} GROUP BY relinquish_r.n",
                        is_row(class, &table, "relinquish_r")
                    )
                }));
            }
        }
        (writes, counts)
    }

    /// Links to rows of the class that are deleted, in whosever rows they stand.
    fn let_go(&self, number: usize, class: &BoundClass, treated: &ClassTreatment, free: &str) -> Vec<LetGo> {
        let mut list = Vec::new();
        let deleted = match treated.action() {
            RecordAction::Reassign => format!("{free} AND relinquish_r.instead"),
            _ => free.to_owned(),
        };
        for foot in &self.bound.classes {
            let Some(treated) = self.treatment.class(foot.name.as_str()) else { continue };
            let goes_along = *treated.action() == RecordAction::Delete;
            for link in foot.links.iter().filter(|link| link.heads.contains(&class.name) && !link.by_value) {
                let is_cleared = match link.gone {
                    WhenGone::Clear | WhenGone::StandIn => true,
                    WhenGone::Goes | WhenGone::Same => !goes_along,
                    WhenGone::Keep { .. } | WhenGone::Forbids => false,
                };
                if !is_cleared {
                    continue;
                }
                let table = quoted(&foot.table);
                let hands_over = link.gone == WhenGone::StandIn;
                let sets = if hands_over {
                    self.stand_in(link, &table)
                } else {
                    let sets = link.cleared.iter();
                    sets.map(|(column, value)| {
                        format!("{} = {}", quoted(column), super::facts::literal(value))
                    })
                    .collect()
                };
                if sets.is_empty() {
                    continue;
                }
                let from = From::set(self.bound, Set::Touched, number).which(&deleted);
                let every = self.with_unclaimed(foot);
                let gives = listed("x", &foot.handle);
                let along = self.ways.along(link, &every, class, Toward::Foot, &from, &gives, None);
                let update = |select: &str| {
                    format!(
                        "UPDATE main.{table} SET {} WHERE {} IN ({select})",
                        sets.join(", "),
                        columns(&table, &foot.handle),
                    )
                };
                // What a trigger writes after the rows were picked is not among them.
                let mut of_table =
                    self.bound.classes.iter().filter(|class| class.table.eq_ignore_ascii_case(&foot.table));
                let is_same_as_picked = of_table.all(|class| !class.is_written_by_triggers);
                let reads = along.reads.filter(|_| is_same_as_picked);
                list.push(LetGo {
                    class: foot.name.clone(),
                    sql: update(&along.sql),
                    reads: reads.map(|reads| Reads { of_picked: update(&reads.of_picked), ..reads }),
                    from: (Set::Touched, number),
                    hands_over,
                });
            }
        }
        list
    }
}

impl Writer<'_> {
    /// A class together with the rows of its table that no class claims: their links let go like those of the class.
    fn with_unclaimed(&self, class: &BoundClass) -> BoundClass {
        let of_table: Vec<&BoundClass> =
            self.bound.classes.iter().filter(|other| other.table == class.table).collect();
        let covers = |class: &&BoundClass| class.rows.with.is_empty();
        let mut wide = class.clone();
        if !of_table.iter().any(covers) {
            let others = of_table.into_iter().filter(|other| other.name != class.name);
            wide.rows =
                Rows { with: Vec::new(), without: others.map(|other| other.rows.with.clone()).collect() };
        }
        wide
    }
}

/// True where two rows of sets have the same handle.
fn same_parts(one: &str, other: &str, parts: usize) -> String {
    let same: Vec<String> = (0..parts).map(|part| format!("{one}.h{part} = {other}.h{part}")).collect();
    same.join(" AND ")
}

/// True of touched rows that are treated.
fn is_due(class: &BoundClass) -> &'static str {
    if class.is_shared { "relinquish_r.had = 0 AND relinquish_r.whole = 0" } else { "relinquish_r.whole = 0" }
}

/// How many mentions are not certain, by each field that is searched. None where none is. In rows that stay only for now,
/// those count that are searched meanwhile.
fn uncertain_in(
    slots: &[Slot],
    fields: &[Target<'_>],
    meanwhile: Option<&Vec<Target<'_>>>,
) -> Option<(String, Vec<FieldName>)> {
    let meanwhile = meanwhile.into_iter().flatten().map(|field| (field, "relinquish_r.needed"));
    let searched = fields.iter().map(|field| (field, "1")).chain(meanwhile);
    let searched = searched.filter(|(field, _)| matches!(field.strategy, Strategy::Redact { .. }));
    let (counts, names): (Vec<String>, Vec<FieldName>) = searched
        .filter_map(|(Target { slot, column, .. }, when)| {
            let count = format!(
                "sum(CASE WHEN {when} THEN relinquish_uncertain({slot}, {column}, relinquish_r.n) ELSE 0 END)"
            );
            Some((count, slots.get(*slot)?.field.clone()))
        })
        .unzip();
    (!counts.is_empty()).then(|| (counts.join(", "), names))
}

/// `field = value, …`, each column once.
fn assignments(
    statement: &mut Statement,
    class: &BoundClass,
    slots: &[Slot],
    fields: &[Target<'_>],
    group: Option<&GroupScript>,
) -> String {
    let table = quoted(&class.table);
    let key = reading::key_of_row(class);
    let marked = reading::is_marked(fields);
    let mut values: Vec<(&str, String)> = Vec::with_capacity(fields.len());
    for target @ Target { slot, column, in_json, strategy, .. } in fields {
        // Several values of one document: what became of it goes into the next.
        let before = values.iter().position(|(name, _)| name == column).map(|at| values.remove(at).1);
        let old = before.as_ref().unwrap_or(column);
        let value = match strategy {
            Strategy::Redact { .. } => {
                let name = if *in_json { "json" } else { "value" };
                let search = format!("relinquish_{name}({slot}, {old}, {key})");
                let released = format!("relinquish_release({slot}, {old}, {key})");
                reading::unless_marked(target, slots, marked.as_deref(), search, &released)
            }
            _ if *in_json => format!("relinquish_json({slot}, {old}, {key})"),
            Strategy::Clear => "NULL".to_owned(),
            Strategy::Constant(value) => statement.bind(value),
            _ => format!("relinquish_value({slot}, {column}, {key})"),
        };
        let value = match &target.unless {
            Some(unless) => format!("CASE WHEN {unless} THEN {old} ELSE {value} END"),
            None => value,
        };
        values.push((column, value));
    }
    if let Some(group) = group {
        group.put_into(&mut values, &key);
    }
    let own = format!("{table}.");
    let sets: Vec<String> = values
        .into_iter()
        .map(|(column, value)| format!("{} = {value}", column.strip_prefix(&own).unwrap_or(column)))
        .collect();
    sets.join(", ")
}

/// True of a row in which a field is not erased yet.
fn pending(statement: &mut Statement, class: &BoundClass, slots: &[Slot], fields: &[Target<'_>]) -> String {
    let key = reading::key_of_row(class);
    let marked = reading::is_marked(fields);
    let conditions: Vec<String> = fields
        .iter()
        .map(|target @ Target { slot, column, in_json, strategy, .. }| (target, match strategy {
            Strategy::Redact { .. } => {
                let arguments = format!("{slot}, {column}, relinquish_r.n, {key}");
                let search = format!("relinquish_mentions({arguments})");
                let released = format!("relinquish_released({arguments})");
                reading::unless_marked(target, slots, marked.as_deref(), search, &released)
            }
            _ if *in_json => format!("NOT relinquish_json_holds({slot}, {column}, {key})"),
            Strategy::Clear => format!("{column} IS NOT NULL"),
            Strategy::Constant(value) => format!("{column} IS NOT {}", statement.bind(value)),
            // Read back, nearly every row has this very text: SQLite compares it without a call for each of them.
            Strategy::Placeholder(template) if !template.is_unique() => format!(
                "({column} COLLATE BINARY IS NOT relinquish_of_day({slot}) AND NOT relinquish_holds({slot}, {column}))"
            ),
            _ => format!("NOT relinquish_holds({slot}, {column})"),
        }))
        .map(|(target, is_pending)| match &target.unless {
            Some(unless) => format!("(NOT ({unless}) AND {is_pending})"),
            None => is_pending,
        })
        .collect();
    if conditions.is_empty() { "0".to_owned() } else { conditions.join(" OR ") }
}
