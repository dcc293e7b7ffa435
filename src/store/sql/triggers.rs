//! Triggers of mapped tables that forbid, swallow or rewrite a statement. They are found in the text that created the
//! trigger.
//!
//! `RAISE(ABORT | FAIL | ROLLBACK, …)` forbids, `RAISE(IGNORE)` swallows, and a write to the trigger's own table
//! rewrites. The schema does not show whether a `WHEN` or a `CASE` is true, so each counts as true.

use std::collections::BTreeSet;

use super::bind::Bound;
use super::links::When;
use super::map::{DeactivateMap, SqlMap, Written};
use super::schema::{Replaces, Schema, Table, Trigger};
use super::tokens::{Token, TriggerEvent, tokens};
use crate::data_map::{ClassName, FieldName, TableTrigger, TriggerEffect, TriggerOn};
use crate::document::{Reader, key, nearest};

/// What a trigger does to its own table, by its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TriggerText {
    /// `BEFORE DELETE`, `AFTER UPDATE` …
    pub(crate) when: &'static str,
    /// The columns of `UPDATE OF`. Empty: any column.
    pub(crate) columns: Vec<String>,
    pub(crate) forbids: bool,
    pub(crate) swallows: bool,
    /// The columns of its own table that it sets.
    pub(crate) sets: Vec<String>,
    /// Whether it adds rows to its own table.
    pub(crate) adds: bool,
    /// Tables of which it changes or deletes rows that are there, in lower case. Its own table counts if it deletes rows or
    /// may change another row than the one for which it runs.
    pub(crate) changes: BTreeSet<String>,
    /// The functions that it calls, in lower case.
    pub(crate) calls: BTreeSet<String>,
}

/// Reads the text of a trigger on a table, whose rows these columns identify. The row number identifies them, too.
pub(crate) fn trigger_text(sql: &str, table: &str, key: &[String]) -> TriggerText {
    let tokens = tokens(sql);
    let opens = |n: usize| tokens.get(n + 1) == Some(&Token::Sign('('));
    let called = tokens.iter().enumerate().filter(|(n, _)| opens(*n)).filter_map(|(_, token)| token.name());
    let calls = called.map(str::to_ascii_lowercase).collect();
    let body = tokens.iter().position(|token| token.is("BEGIN")).unwrap_or(tokens.len());
    let (head, body) = tokens.split_at(body);
    let mut text =
        TriggerText { when: when(head), columns: update_of(head), calls, ..TriggerText::default() };
    for (n, token) in body.iter().enumerate() {
        let open = body.get(n + 1) == Some(&Token::Sign('('));
        let Some(how) = body.get(n + 2).filter(|_| open && token.is("RAISE")) else { continue };
        text.swallows |= how.is("IGNORE");
        text.forbids |= how.is("ABORT") || how.is("FAIL") || how.is("ROLLBACK");
    }
    let own = |token: Option<&Token>| {
        token.and_then(Token::name).is_some_and(|name| name.eq_ignore_ascii_case(table))
    };
    // The first token of the body is BEGIN.
    let body = body.get(1..).unwrap_or_default();
    for statement in body.split(|token| *token == Token::Sign(';')) {
        let Some(first) = statement.first() else { continue };
        let name = |at: usize| statement.get(at).and_then(Token::name).map(str::to_ascii_lowercase);
        // `REPLACE` deletes the rows that are in its way, and runs no trigger for them.
        let replaces = first.is("REPLACE")
            || (statement.get(1).is_some_and(|token| token.is("OR"))
                && statement.get(2).is_some_and(|token| token.is("REPLACE")));
        if first.is("UPDATE") {
            let at = if statement.get(1).is_some_and(|token| token.is("OR")) { 3 } else { 1 };
            let is_own = own(statement.get(at));
            if is_own {
                text.sets.extend(set_columns(statement));
            }
            if replaces || !is_own || !is_of_own_row(statement, table, key) {
                text.changes.extend(name(at));
            }
        } else if first.is("DELETE") {
            text.changes.extend(name(2));
        } else if (first.is("INSERT") || first.is("REPLACE"))
            && let Some(into) = statement.iter().position(|token| token.is("INTO"))
        {
            text.adds |= own(statement.get(into + 1));
            let does_update = statement
                .windows(2)
                .any(|pair| matches!(pair, [one, two] if one.is("DO") && two.is("UPDATE")));
            if replaces || does_update {
                text.changes.extend(name(into + 1));
            }
        }
    }
    text
}

/// Which constraints of a table's statement delete the rows that are in the way of a new value.
pub(crate) fn replaces(statement: &str) -> Replaces {
    let tokens = tokens(statement);
    let kinds = tokens.windows(4).filter_map(|four| match four {
        [before, on, conflict, replace]
            if on.is("ON") && conflict.is("CONFLICT") && replace.is("REPLACE") && !before.is("NULL") =>
        {
            // Of a constraint over several columns only its brackets stand before it.
            let is_unique = before.is("UNIQUE") || *before == Token::Sign(')');
            Some(if is_unique { Replaces::Unique } else { Replaces::Key })
        }
        _ => None,
    });
    kinds.max().unwrap_or_default()
}

/// Whether an `UPDATE` of the trigger's own table changes only the row for which the trigger runs: `WHERE id = new.id`.
fn is_of_own_row(statement: &[Token], table: &str, key: &[String]) -> bool {
    let (mut depth, mut outside) = (0_u32, Vec::new());
    for token in statement {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        outside.push((depth == 0, token));
    }
    let is = |(is_outside, token): &(bool, &Token), word: &str| *is_outside && token.is(word);
    let Some(from) = outside.iter().position(|token| is(token, "WHERE")) else { return false };
    let condition = outside.get(from + 1..).unwrap_or_default();
    // `a OR b`, and the words inside a CASE, are no list of conditions.
    if condition.iter().any(|token| is(token, "OR") || is(token, "CASE")) {
        return false;
    }
    let number =
        |name: &str| ["rowid", "_rowid_", "oid"].iter().any(|other| other.eq_ignore_ascii_case(name));
    let dot = Token::Sign('.');
    let mut same: BTreeSet<String> = BTreeSet::new();
    for each in condition.split(|token| is(token, "AND")) {
        let each: Vec<&Token> = each.iter().map(|(_, token)| *token).collect();
        let sides: Vec<&[&Token]> = each
            .split(|token| **token == Token::Sign('=') || token.is("IS"))
            .filter(|side| !side.is_empty())
            .collect();
        let column = |side: &[&Token], of: &dyn Fn(&str) -> bool| match side {
            [of_table, sign, column] if **sign == dot && of_table.name().is_some_and(of) => {
                column.name().map(str::to_ascii_lowercase)
            }
            _ => None,
        };
        let of_row = |side: &[&Token]| {
            column(side, &|name| ["new", "old"].iter().any(|row| row.eq_ignore_ascii_case(name)))
        };
        let of_own = |side: &[&Token]| match side {
            [only] => only.name().map(str::to_ascii_lowercase),
            side => column(side, &|name| name.eq_ignore_ascii_case(table)),
        };
        let [one, other] = sides.as_slice() else { continue };
        for (own, row) in [(of_own(one), of_row(other)), (of_own(other), of_row(one))] {
            same.extend(own.filter(|own| Some(own) == row.as_ref()));
        }
    }
    let is_key = |column: &String| same.iter().any(|name| name.eq_ignore_ascii_case(column));
    same.iter().any(|name| number(name)) || (!key.is_empty() && key.iter().all(is_key))
}

fn when(head: &[Token]) -> &'static str {
    let at = |keyword: &str| head.iter().position(|token| token.is(keyword));
    let event = [("UPDATE", 0), ("DELETE", 1), ("INSERT", 2)];
    let event = event.into_iter().filter_map(|(keyword, n)| Some((at(keyword)?, n))).min();
    let has = |keyword: &str| at(keyword).is_some_and(|n| event.is_some_and(|(event, _)| n < event));
    // The default is BEFORE.
    let timing = if has("AFTER") { 1 } else { usize::from(has("INSTEAD")) * 2 };
    let names = [
        ["BEFORE UPDATE", "AFTER UPDATE", "INSTEAD OF UPDATE"],
        ["BEFORE DELETE", "AFTER DELETE", "INSTEAD OF DELETE"],
        ["BEFORE INSERT", "AFTER INSERT", "INSTEAD OF INSERT"],
    ];
    let of_event = event.and_then(|(_, n)| names.get(n));
    of_event.and_then(|names| names.get(timing)).copied().unwrap_or_default()
}

/// The columns of `UPDATE OF a, b ON`.
fn update_of(head: &[Token]) -> Vec<String> {
    let mut rest = head.iter().skip_while(|token| !token.is("UPDATE")).skip(1);
    if !rest.next().is_some_and(|token| token.is("OF")) {
        return Vec::new();
    }
    rest.take_while(|token| !token.is("ON")).filter_map(Token::name).map(str::to_owned).collect()
}

/// The columns that an `UPDATE` sets: `SET a = 1, (b, c) = (SELECT …)`.
fn set_columns(statement: &[Token]) -> Vec<String> {
    let from = statement.iter().position(|token| token.is("SET")).map_or(statement.len(), |at| at + 1);
    let mut columns = Vec::new();
    // The names since a comma or a bracket. They are columns if `=` follows.
    let (mut depth, mut names, mut is_target) = (0_u32, Vec::new(), true);
    for token in statement.get(from..).unwrap_or_default() {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.saturating_sub(1),
            Token::Sign('=') if depth == 0 && is_target => {
                columns.append(&mut names);
                is_target = false;
            }
            Token::Sign(',') if depth == 0 => (names, is_target) = (Vec::new(), true),
            token if depth == 0 && !is_target && (token.is("WHERE") || token.is("FROM")) => break,
            token if is_target => names.extend(token.name().map(str::to_owned)),
            _ => {}
        }
    }
    columns
}

/// The triggers of a table that can prevent a statement, without triggers that the map ignores.
pub(super) fn in_the_way<'t>(map: &'t SqlMap, table: &'t Table) -> impl Iterator<Item = TableTrigger> + 't {
    let is_ignored =
        |trigger: &Trigger| map.ignored_triggers.keys().any(|name| name.eq_ignore_ascii_case(&trigger.name));
    table
        .triggers
        .iter()
        .filter(move |trigger| !is_ignored(trigger))
        .flat_map(|trigger| effects(table, trigger))
}

/// The same for all tables, including triggers that the map ignores.
pub(super) fn all_triggers(schema: &Schema) -> Vec<TableTrigger> {
    schema
        .tables()
        .flat_map(|table| table.triggers.iter().flat_map(|trigger| effects(table, trigger)))
        .collect()
}

fn effects(table: &Table, trigger: &Trigger) -> Vec<TableTrigger> {
    let on = match trigger.event {
        Some(TriggerEvent::Update) => TriggerOn::Update,
        Some(TriggerEvent::Delete) => TriggerOn::Delete,
        Some(TriggerEvent::Insert) | None => return Vec::new(),
    };
    let named = |columns: &[String]| -> BTreeSet<FieldName> {
        columns
            .iter()
            .map(|name| table.column(name).map_or(name, |column| &column.name).as_str().into())
            .collect()
    };
    let text = &trigger.text;
    let mut effects = Vec::new();
    effects.extend(text.forbids.then_some(TriggerEffect::Forbids));
    effects.extend(text.swallows.then_some(TriggerEffect::Swallows));
    if text.adds {
        effects.push(TriggerEffect::Rewrites(BTreeSet::new()));
    } else if !text.sets.is_empty() {
        effects.push(TriggerEffect::Rewrites(named(&text.sets)));
    }
    let of_effect = |effect| {
        let mut found = TableTrigger::new(trigger.name.as_str(), table.name.as_str(), on, effect);
        found.when = text.when;
        found.of_fields(named(&text.columns))
    };
    effects.into_iter().map(of_effect).collect()
}

/// Reports ignored triggers that do not exist, if another name is similar. A missing trigger alone is no problem: a
/// host may drop it for a run.
fn check_ignored(reader: &mut Reader, map: &SqlMap, schema: &Schema) {
    let is_ignored = |name: &&str| map.ignored_triggers.keys().any(|other| other.eq_ignore_ascii_case(name));
    let all = schema.tables().flat_map(|table| &table.triggers).map(|trigger| trigger.name.as_str());
    let (said, open): (Vec<&str>, Vec<&str>) = all.partition(is_ignored);
    for name in map.ignored_triggers.keys() {
        let is_there = said.iter().any(|other| other.eq_ignore_ascii_case(name));
        let Some(meant) = nearest(name, open.iter().copied()).filter(|_| !is_there) else { continue };
        reader.problem(
            format!("ignore.triggers.{}", key(name)),
            "there is no such trigger",
            format!("did you mean {meant}? If the trigger was dropped, leave this line out"),
        );
    }
}

/// Reports triggers into which a deactivation would run, and ignored triggers that do not exist.
pub(super) fn check_table_triggers(reader: &mut Reader, map: &SqlMap, schema: &Schema) {
    check_ignored(reader, map, schema);
    let DeactivateMap::Write(writes) = &map.customers.deactivate else { return };
    if let When::Values(conditions) = &map.customers.when {
        for (column, is) in conditions {
            let same = |(name, written): &(&String, &Written)| {
                name.eq_ignore_ascii_case(column)
                    && matches!(written, Written::Constant(value) if !is.holds(value))
            };
            if writes.iter().any(|write| same(&write)) {
                reader.problem(
                    format!("customers.deactivate.{}", key(column)),
                    "is a value that customers.when excludes, so a deactivated customer would be a customer no more",
                    format!("name the value in customers.when.{} too, or deactivate by another column", key(column)),
                );
            }
        }
    }
    let Some(table) = schema.table(&map.customers.table) else { return };
    let is_written = |field: &FieldName| writes.keys().any(|name| name.eq_ignore_ascii_case(field.as_str()));
    for trigger in in_the_way(map, table).filter(|trigger| trigger.hits_update(is_written)) {
        let way_out = format!(
            "drop the trigger, or, where you know that it lets customers be deactivated, write ignore.triggers.{} = \
             \"reason\"",
            key(trigger.name())
        );
        reader.problem("customers.deactivate", format!("cannot be written: {trigger}"), way_out);
    }
}

/// Triggers with the functions that they call, in words.
pub(super) fn calls(schema: &Schema) -> Vec<(String, BTreeSet<String>)> {
    let of_table = |table: &Table| {
        let of_trigger = |trigger: &Trigger| {
            (format!("trigger {} of table {}", trigger.name, table.name), trigger.text.calls.clone())
        };
        table.triggers.iter().map(of_trigger).collect::<Vec<_>>()
    };
    schema.tables().flat_map(of_table).filter(|(_, calls)| !calls.is_empty()).collect()
}

/// SQLite's message about a statement that it cannot prepare, with the triggers that call a missing function.
pub(crate) fn unprepared(bound: &Bound, message: String) -> String {
    let Some(function) = message.strip_prefix("no such function: ") else { return message };
    let is_called = |calls: &BTreeSet<String>| calls.contains(&function.to_ascii_lowercase());
    let callers =
        bound.calls.iter().filter(|(_, calls)| is_called(calls)).map(|(trigger, _)| trigger.as_str());
    let callers: Vec<&str> = callers.collect();
    if callers.is_empty() {
        return message;
    }
    format!(
        "{message}, which {} calls, and which only the host's program has; drop the trigger for the run, or write it without \
         that function",
        callers.join(" and ")
    )
}

/// The triggers of a class's table that affect a statement, in words.
fn triggers_of(bound: &Bound, class: &ClassName, are_meant: impl Fn(&TableTrigger) -> bool) -> String {
    let table = bound.class(class).map(|class| class.table.as_str());
    let of_table = bound.triggers.iter().filter(|trigger| Some(trigger.table()) == table);
    let texts: Vec<String> = of_table.filter(|trigger| are_meant(trigger)).map(ToString::to_string).collect();
    texts.join("; ")
}

/// Why a statement may have changed a different number of rows than counted.
pub(crate) fn changed_otherwise(bound: &Bound, class: &ClassName) -> String {
    let swallows = |trigger: &TableTrigger| !matches!(trigger.effect(), TriggerEffect::Forbids);
    match triggers_of(bound, class, swallows) {
        none if none.is_empty() => {
            format!(
                "no trigger of the table of {class} is known to do so; look for rows that belong to more than one customer"
            )
        }
        triggers => format!("{triggers}; drop the trigger, or treat {class} otherwise"),
    }
}

/// Why the customers are as before although the map's own statement was run, and a way out.
pub(crate) fn came_to_nothing(bound: &Bound, class: &ClassName) -> (String, &'static str) {
    let undoes = |trigger: &TableTrigger| {
        trigger.on() == TriggerOn::Update && *trigger.effect() != TriggerEffect::Forbids
    };
    match triggers_of(bound, class, undoes) {
        none if none.is_empty() => (
            "no trigger of the table is known to do so".to_owned(),
            "write what customers.status reads as archived, and look for triggers of other tables that write to this one",
        ),
        triggers => (triggers, "let the trigger accept these values, or deactivate by another column"),
    }
}

/// The triggers that may have refused a statement. SQLite does not name the trigger, and a trigger's message may
/// contain a value.
pub(crate) fn refused_by(bound: &Bound, class: &ClassName) -> String {
    let forbids = |trigger: &TableTrigger| *trigger.effect() == TriggerEffect::Forbids;
    match triggers_of(bound, class, forbids) {
        none if none.is_empty() => {
            "a trigger, which was made since the database was opened, or of a table to which another trigger writes".to_owned()
        }
        triggers => format!("a trigger: {triggers}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(sql: &str) -> TriggerText {
        trigger_text(sql, "notes", &["id".to_owned()])
    }

    #[test]
    fn a_trigger_tells_what_it_does_to_its_own_table() {
        let soft = text(
            "CREATE TRIGGER notes_soft BEFORE DELETE ON notes WHEN old.gone IS NULL
             BEGIN UPDATE notes SET gone = CURRENT_TIMESTAMP WHERE id = old.id; SELECT RAISE(IGNORE); END",
        );
        assert_eq!(
            (soft.when, soft.swallows, soft.forbids, soft.adds),
            ("BEFORE DELETE", true, false, false)
        );
        assert_eq!(soft.sets, ["gone"]);
        let frozen = text(
            "create trigger \"update\" after update of body, \"the title\" on notes
             begin select case when old.body <> '' then raise ( fail , 'RAISE(IGNORE)') end; end",
        );
        assert_eq!((frozen.when, frozen.swallows, frozen.forbids), ("AFTER UPDATE", false, true));
        assert_eq!(frozen.columns, ["body", "the title"]);
        let touched = text(
            "CREATE TRIGGER t UPDATE ON notes BEGIN
             UPDATE OR IGNORE \"Notes\" SET (a, [b c]) = (SELECT x, y FROM z WHERE q = 1), d = coalesce(e = 1, f), g = h = i
               WHERE j = 1 AND k = 2;
             UPDATE other SET l = 1; INSERT INTO other VALUES (1); END",
        );
        assert_eq!(touched.sets, ["a", "b c", "d", "g"]);
        assert_eq!((touched.when, touched.adds), ("BEFORE UPDATE", false));
        let kept = text(
            "CREATE TRIGGER t AFTER UPDATE ON notes BEGIN INSERT OR REPLACE INTO notes (b) VALUES (old.b); END",
        );
        assert!(kept.adds && kept.sets.is_empty());
    }

    #[test]
    fn a_trigger_tells_of_which_rows_it_changes_some() {
        let changes = |body: &str| {
            let text = text(&format!("CREATE TRIGGER t AFTER UPDATE ON notes BEGIN {body}; END"));
            text.changes.into_iter().collect::<Vec<_>>().join(" ")
        };
        for own in [
            "UPDATE notes SET at = 1 WHERE id = new.id",
            "UPDATE notes SET at = (SELECT max(x) FROM y WHERE a OR b) WHERE notes.id == OLD.id AND (at < 1 OR at > 2)",
            "UPDATE OR IGNORE \"Notes\" SET at = 1 WHERE at IS NOT 1 AND new.rowid = rowid",
            "INSERT INTO last VALUES (1)",
            "INSERT OR IGNORE INTO last VALUES (replace(old.a, 'OR', 'x')) ON CONFLICT DO NOTHING",
        ] {
            assert_eq!(changes(own), "", "{own}");
        }
        for other in [
            "UPDATE notes SET at = 1",
            "UPDATE notes SET at = 1 WHERE id = new.friend",
            "UPDATE notes SET at = 1 WHERE friend = new.id",
            "UPDATE notes SET at = 1 WHERE id = new.id OR 1",
            "UPDATE notes SET at = 1 WHERE NOT id = new.id",
            "UPDATE notes SET at = 1 WHERE CASE WHEN 0 AND id = new.id AND 1 THEN 0 ELSE 1 END",
            "UPDATE notes SET at = 1 WHERE (id = new.id OR 1)",
            "UPDATE OR REPLACE notes SET at = 1 WHERE id = new.id",
            "DELETE FROM notes WHERE id = 2",
            "REPLACE INTO notes VALUES (1)",
            "INSERT OR REPLACE INTO notes VALUES (1)",
            "INSERT INTO notes VALUES (1) ON CONFLICT (id) DO UPDATE SET at = 1",
        ] {
            assert_eq!(changes(other), "notes", "{other}");
            assert_eq!(changes(&other.replace("notes", "\"Last\"")), "last", "{other}");
        }
    }
}
