//! Checks `laws/table.md`, which lists the tests of each law and each requirement, against the tests that exist.

use std::collections::BTreeSet;

use crate::laws::test_names;

const TABLE: &str = include_str!("table.md");

/// The laws for which no saboteur exists yet. A saboteur is a test with broken code that the law has to find. The
/// table gives the reason for each.
const GAPS: [&str; 0] = [];

/// The number of laws.
const LAWS: usize = 14;

/// The rows of one part of the table, each as its cells.
fn rows<'t>(table: &'t str, part: &str) -> Vec<Vec<&'t str>> {
    let text = table.split("\n## ").find(|text| text.starts_with(part)).unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The ids that the line `Rows: A1–A12, B1–B8, …` names. The letters have to follow each other without a gap.
fn ids(table: &str) -> Result<Vec<String>, String> {
    let line =
        table.lines().find_map(|line| line.strip_prefix("Rows: ")).ok_or("no line begins with Rows:")?;
    let mut ids = Vec::new();
    for (letter, range) in ('A'..='Z').zip(line.trim_end_matches('.').split(", ")) {
        let last = range.strip_prefix(&format!("{letter}1–{letter}")).and_then(|last| last.parse().ok());
        let last: u32 = last.ok_or_else(|| format!("{range} is no range of {letter}"))?;
        ids.extend((1..=last).map(|number| format!("{letter}{number}")));
    }
    Ok(ids)
}

/// The rows that are missing, duplicate, unknown or out of order.
fn out_of_sequence(what: &str, wanted: &[String], rows: &[Vec<&str>]) -> Vec<String> {
    let found: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let mut faults = Vec::new();
    for id in wanted {
        match found.iter().filter(|one| *one == id).count() {
            0 => faults.push(format!("{what} {id} is missing")),
            1 => {}
            _ => faults.push(format!("{what} {id} is there twice")),
        }
    }
    faults.extend(
        found
            .iter()
            .filter(|id| wanted.iter().all(|one| one != *id))
            .map(|id| format!("{what} {id} is unknown")),
    );
    if faults.is_empty() && wanted.iter().zip(&found).any(|(wanted, found)| wanted != found) {
        faults.push(format!("the {what}s are out of order"));
    }
    faults
}

/// The test names in a cell. Anything else in the cell is a fault.
fn names<'t>(place: &str, cell: &'t str, faults: &mut Vec<String>) -> Vec<&'t str> {
    let mut names = Vec::new();
    for part in cell.split(", ").filter(|part| !part.is_empty()) {
        match part.strip_prefix('`').and_then(|part| part.strip_suffix('`')) {
            Some(name) => names.push(name),
            None => faults.push(format!("{place}: {part} is no name of a test")),
        }
    }
    names
}

fn hold_names(place: &str, names: &[&str], tests: &BTreeSet<String>, faults: &mut Vec<String>) {
    for name in names {
        match test_names::meant_by(name, tests)[..] {
            [_] => {}
            [] => faults.push(format!("{place}: there is no test {name}")),
            ref several => faults.push(format!("{place}: {name} may be {}", several.join(" or "))),
        }
    }
}

/// Whether a cell begins with a word that the check knows and then gives a reason: `not yet: export of records`.
fn says(cell: &str, word: &str) -> bool {
    cell.strip_prefix(word).and_then(|rest| rest.strip_prefix(": ")).is_some_and(|why| !why.trim().is_empty())
}

/// The faults of the table.
fn faults(table: &str, tests: &BTreeSet<String>, gaps: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let (laws, rows) = (rows(table, "Laws"), rows(table, "Requirements"));
    for (part, rows) in [("law", &laws), ("row", &rows)] {
        let odd = rows.iter().filter(|row| row.len() != 4 || row[1].is_empty());
        faults.extend(odd.map(|row| format!("{part} {}: four cells, and a sentence in the second", row[0])));
    }
    if !faults.is_empty() {
        return faults;
    }
    let numbers: Vec<String> = (1..=LAWS).map(|number| number.to_string()).collect();
    faults.extend(out_of_sequence("law", &numbers, &laws));
    match ids(table) {
        Ok(ids) => faults.extend(out_of_sequence("row", &ids, &rows)),
        Err(why) => faults.push(why),
    }
    for law in &laws {
        let place = format!("law {}", law[0]);
        let held_by = names(&place, law[2], &mut faults);
        if held_by.is_empty() {
            faults.push(format!("{place}: no test"));
        }
        hold_names(&place, &held_by, tests, &mut faults);
        let is_gap = says(law[3], "gap");
        if is_gap != gaps.contains(&law[0]) {
            faults.push(format!("{place}: the list of gaps says otherwise"));
        }
        if !is_gap {
            let saboteurs = names(&place, law[3], &mut faults);
            if saboteurs.is_empty() {
                faults.push(format!("{place}: no saboteur"));
            }
            hold_names(&place, &saboteurs, tests, &mut faults);
        }
    }
    for row in &rows {
        let place = format!("row {}", row[0]);
        let shown_by = names(&place, row[2], &mut faults);
        hold_names(&place, &shown_by, tests, &mut faults);
        let is_open = says(row[3], "not yet") || says(row[3], "no test");
        if !row[3].is_empty() && !is_open {
            faults.push(format!("{place}: what is missing begins with `not yet:` or `no test:`"));
        } else if shown_by.is_empty() && !is_open {
            faults.push(format!("{place}: neither a test nor a word on what is missing"));
        }
    }
    faults
}

#[test]
fn each_law_and_each_row_leads_to_its_tests() {
    let faults = faults(TABLE, &test_names::all(), &GAPS);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(ids(TABLE).unwrap().len(), 88, "a range at the head of the table is shorter than it was");
}

/// The line of a law or of a requirement.
fn line(id: &str) -> &'static str {
    TABLE.lines().find(|line| line.starts_with(&format!("| {id} |"))).unwrap()
}

/// The line with one of its cells replaced.
fn with_cell(id: &str, place: usize, cell: &str) -> String {
    let mut cells: Vec<&str> = line(id).split('|').collect();
    cells[place + 1] = cell;
    TABLE.replace(line(id), &cells.join("|"))
}

/// A table that is wrong in one place, the list of gaps, and the expected fault.
type Wrong<'t> = (String, &'t [&'t str], &'t str);

#[test]
fn a_table_that_is_wrong_is_refused() {
    let tests = test_names::all();
    let twice = format!("{}\n{}", line("C4"), line("C4"));
    let wrong: [Wrong<'_>; 21] = [
        (
            with_cell("A3", 2, " `end_to_end::a_test_of_last_year` "),
            &[],
            "row A3: there is no test end_to_end::a_test_of_last_year",
        ),
        (with_cell("2", 3, " `laws::broken::nobody` "), &[], "law 2: there is no test laws::broken::nobody"),
        (
            with_cell("A3", 2, " `laws::an_archived_customer_can_be_brought_back_until_erased` "),
            &[],
            "there is no test laws::an_archived",
        ),
        (with_cell("A3", 2, " `every_fault_of_a_map_is_said_at_once` "), &[], "may be it::store::sql_map::"),
        (with_cell("A3", 2, " a word "), &[], "row A3: a word is no name of a test"),
        (with_cell("A3", 2, " "), &[], "row A3: neither a test nor a word on what is missing"),
        (with_cell("A3", 3, " later "), &[], "row A3: what is missing begins with `not yet:`"),
        (with_cell("A1", 3, " not yet: "), &[], "row A1: what is missing begins with `not yet:`"),
        (with_cell("A3", 1, " "), &[], "row A3: four cells"),
        (TABLE.replace(&format!("{}\n", line("C4")), ""), &[], "row C4 is missing"),
        (TABLE.replace(&format!("{}\n", line("G22")), ""), &[], "row G22 is missing"),
        (TABLE.replace(&format!("{}\n", line("7")), ""), &[], "law 7 is missing"),
        (TABLE.replace(line("C4"), &twice), &[], "row C4 is there twice"),
        (TABLE.replace("| C4 |", "| C44 |"), &[], "row C44 is unknown"),
        (
            TABLE.replace("| C4 |", "| X |").replace("| C5 |", "| C4 |").replace("| X |", "| C5 |"),
            &[],
            "out of order",
        ),
        (TABLE.replace("C1–C9", "C1–C8"), &[], "row C9 is unknown"),
        (TABLE.replace("C1–C9, ", ""), &[], "is no range of C"),
        (with_cell("7", 2, " "), &[], "law 7: no test"),
        (with_cell("7", 3, " "), &[], "law 7: no saboteur"),
        (with_cell("7", 3, " gap: nobody has written one "), &[], "law 7: the list of gaps says otherwise"),
        (TABLE.to_owned(), &["7"], "law 7: the list of gaps says otherwise"),
    ];
    for (table, gaps, wanted) in wrong {
        let found = faults(&table, &tests, gaps);
        assert!(found.len() <= 2, "{wanted}: {found:#?}");
        assert!(found.iter().any(|fault| fault.contains(wanted)), "{wanted}: {found:#?}");
    }
    // A gap is accepted if it is in the list and the table gives its reason.
    let with_gap = with_cell("7", 3, " gap: nobody has written one ");
    assert_eq!(faults(&with_gap, &tests, &["7"]), Vec::<String>::new());
}
