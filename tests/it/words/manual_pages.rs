//! The manual shows nothing that does not fit: each map and each policy in the documentation is read, and each recipe is held
//! against the database that it shows.

use std::fs;
use std::path::Path;

use relinquish::{PolicyDocument, SqlMap, SqliteStore};

use crate::laws::test_names::{self, sources};

#[path = "../../../examples/cookbook/shop.rs"]
#[expect(dead_code, reason = "the page's doc tests erase with it")]
mod shop;

pub(crate) use shop::blocks;

/// What is wrong with a block of TOML, if anything is. Its first line says what it is. A fragment is read as a part of the shop of
/// the recipes.
fn fault(text: &str) -> Option<String> {
    let recipe = shop::recipe("none of the page").unwrap();
    let read = || -> Result<(), Box<dyn std::error::Error>> {
        let part: toml::Table = text.parse()?;
        let is_whole = part.contains_key("version");
        let merged = |mut whole: toml::Table| -> Result<String, Box<dyn std::error::Error>> {
            if is_whole {
                return Ok(text.to_owned());
            }
            shop::merge("", &mut whole, part.clone());
            Ok(toml::to_string(&whole)?)
        };
        match text.lines().next() {
            Some("# map.toml") => SqlMap::from_toml(&merged(recipe.map.clone())?).map(drop)?,
            Some("# policy.toml") => PolicyDocument::from_toml(&merged(recipe.policy.clone())?).map(drop)?,
            Some("# Cargo.toml") => {}
            _ => return Err("its first line is none of # map.toml, # policy.toml and # Cargo.toml".into()),
        }
        Ok(())
    };
    read().err().map(|error| error.to_string())
}

#[test]
fn every_map_and_policy_of_the_documentation_is_read() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let (mut read, mut wrong) = (0, Vec::new());
    for file in files {
        for (_, language, text) in shop::blocks(&fs::read_to_string(&file).unwrap()) {
            if language.starts_with("toml") {
                read += 1;
                wrong.extend(fault(&text).map(|why| format!("{}: {why}\n{text}", file.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read >= 21, "only {read} blocks were found");
}

/// The lines for a record class that stand in the tables of a page: `owner = "client_id"` and the like.
fn lines_of_tables(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("//! |"));
    let spans = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let of_a_class = |span: &&str| {
        ["owner = ", "shared = ", "when = ", "nobody = ", "rest = ", "ends = ", "profile = "]
            .iter()
            .any(|start| span.starts_with(start))
    };
    spans.filter(of_a_class).collect()
}

/// What is wrong with a line for a record class, if anything is.
fn fault_of_line(line: &str) -> Option<String> {
    let hangs = line.starts_with("owner") || line.starts_with("shared");
    let owner = if hangs { "" } else { "owner = \"client_id\"\n" };
    let place = if line.starts_with("profile") { "[records.letter.fields]\n" } else { "" };
    fault(&format!("# map.toml\n[records.letter]\ntable = \"letters\"\nkey = \"id\"\n{owner}{place}{line}\n"))
}

#[test]
fn every_line_in_the_tables_of_the_maps_page_is_read() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql/mod.rs")).unwrap();
    let lines = lines_of_tables(&page);
    let wrong: Vec<String> =
        lines.iter().filter_map(|line| fault_of_line(line).map(|why| format!("{line}: {why}"))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lines.len() >= 12, "{lines:?}");
    for line in ["owner = { frist = ['client_id'] }", "shared = 7", "when = 'all'", "rest = 'no such kind'"] {
        assert!(fault_of_line(line).is_some(), "{line}");
    }
}

/// What a policy can write, as the table of the policies' page has it.
#[test]
fn every_rule_in_the_table_of_the_policys_page_is_read() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/policy/mod.rs")).unwrap();
    let section = page.split("//! # What is written").nth(1).unwrap();
    let rows = section
        .lines()
        .skip_while(|line| !line.starts_with("//! |"))
        .take_while(|line| line.starts_with("//! |"));
    let rules: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(rules.len() >= 15, "{rules:?}");
    let fault_of_rule = |rule: &str| fault(&format!("# policy.toml\n[anonymise]\nname = {rule}\n"));
    for rule in rules {
        assert_eq!(fault_of_rule(rule), None, "{rule}");
    }
    assert!(fault_of_rule("{ generalise = 'uk_postcodes' }").is_some());
}

#[test]
fn a_block_that_does_not_fit_is_found() {
    for (text, says) in [
        ("# map.toml\n[customers]\nkye = 'id'\n", "kye"),
        ("# map.toml\n[records.order.fields]\nnote = 'free text'\n", "free text"),
        ("# map.toml\nversion = 1\n", "customers"),
        (
            "# policy.toml\n[triggers]\ncancelled = { after = '90', treatment = 'clear' }\n",
            "triggers.cancelled",
        ),
        ("# policy.toml\n[treatments.clear]\norder = 'erase'\n", "treatments.clear.order"),
        ("# policy.toml\n[triggers\n", "TOML"),
        ("version = 1\n", "first line"),
    ] {
        let found = fault(text).unwrap_or_default();
        assert!(found.contains(says), "{text}\nsaid: {found}");
    }
}

#[test]
fn each_recipe_fits_the_database_that_it_shows() {
    let recipes = shop::recipes();
    assert_eq!(recipes.len(), 10, "{recipes:?}");
    for heading in recipes {
        let folder = tempfile::tempdir().unwrap();
        let recipe = shop::recipe(&heading).unwrap();
        let store = SqliteStore::open(recipe.database(folder.path()).unwrap(), &recipe.map().unwrap());
        let store = store.unwrap_or_else(|error| panic!("{heading}: {error}"));
        let policy = recipe.policy().unwrap();
        let checked = policy.check(relinquish::store::RecordStore::data_map(&store));
        if heading == "Documents" {
            // The class of the documents is not in the map of the rows: the page's own doc test wraps the store.
            let said = checked.map(drop).unwrap_err().to_string();
            assert!(said.contains("invoice_document"), "{said}");
        } else {
            checked.unwrap_or_else(|problems| panic!("{heading}: {problems}"));
        }
    }
}

/// The first page that people see is short, and says why each dependency is there.
#[test]
fn the_readme_is_short_and_names_each_dependency() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.lines().count() <= 150, "{} lines", readme.lines().count());
    let manifest: toml::Table = fs::read_to_string(root.join("Cargo.toml")).unwrap().parse().unwrap();
    let dependencies = manifest["dependencies"].as_table().unwrap();
    let reasons = readme.split("## Dependencies").nth(1).unwrap();
    let missing: Vec<&String> =
        dependencies.keys().filter(|name| !reasons.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!readme.contains("](src") && !readme.contains("](./"), "a registry shows no such link");
}

/// A page says which test shows what it promises. That test is there.
#[test]
fn each_test_that_the_manual_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = test_names::all();
    let page = fs::read_to_string(root.join("src/manual/traps.rs")).unwrap();
    let named: Vec<&str> = page
        .split('`')
        .filter(|word| word.matches('_').count() > 2 && !word.contains([' ', ':', '(', '.']))
        .collect();
    assert!(named.len() > 15, "{named:?}");
    for name in named {
        let meant = test_names::meant_by(name, &tests);
        assert!(!meant.is_empty(), "the manual names a test that is not there: {name}");
    }
}
