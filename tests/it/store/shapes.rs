//! Each page about a shape of ownership shows a database, a map, a treatment, and what an erasure changes. This test
//! runs every page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use relinquish::Outcome;

use crate::shop::{Shop, changes};
use crate::words::manual_pages::blocks;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql/shapes")
}

/// The pages, by name.
fn pages() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_stem().unwrap() != "mod")
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// The database of a page with its map and its treatment, and the lines about erasures.
fn shop(page: &str) -> (Shop, Vec<(String, BTreeSet<String>)>) {
    let blocks = blocks(page);
    let [(_, sql, tables), (_, _, map), (_, _, policy), (_, text, outcome)] = blocks.as_slice() else {
        panic!("a page has four blocks: {blocks:?}")
    };
    assert_eq!((sql.as_str(), text.as_str()), ("sql", "text"));
    assert!(map.starts_with("# map.toml\nversion = 1\n"), "the map is whole: {map}");
    let treatment = policy.strip_prefix("# policy.toml\n[treatments.erase]\n").expect("a treatment");
    let mut shop = Shop::new(tables, "", treatment);
    shop.map.clone_from(map);
    shop.policy = shop.policy.replace("[anonymise]\n", "[anonymise]\naccess_token = 'remove'\n");
    let erasures = outcome.lines().map(|line| {
        // An id may contain a colon.
        let (who, changed) = line.strip_prefix("erase ").unwrap().split_once(": ").unwrap();
        let changed = split(changed).map(str::to_owned).collect();
        (who.to_owned(), changed)
    });
    (shop, erasures.collect())
}

/// A list with commas between its items. A key may contain a comma.
fn split(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    list.split(move |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    })
    .map(str::trim)
}

#[tokio::test]
async fn every_page_about_a_shape_does_what_it_says() {
    let pages = pages();
    assert!(pages.len() >= 19, "{}", pages.len());
    for (name, page) in pages {
        let (shop, erasures) = shop(&page);
        assert!(!erasures.is_empty(), "{name}");
        for (who, wanted) in erasures {
            let before = shop.cells();
            let outcome = shop.erase(&who).await;
            assert!(matches!(outcome, Outcome::Erased(_)), "{name}: {outcome}");
            assert_eq!(changes(&before, &shop.cells()), wanted, "{name}, erase {who}");
        }
    }
}

/// The list of pages has exactly the pages that exist.
#[test]
fn every_page_about_a_shape_is_listed() {
    let list = fs::read_to_string(folder().join("mod.rs")).unwrap();
    let listed: BTreeSet<&str> = list
        .lines()
        .filter_map(|line| line.strip_suffix("`] |")?.rsplit_once("[`"))
        .map(|(_, name)| name)
        .collect();
    let pages = pages();
    assert_eq!(listed, pages.iter().map(|(name, _)| name.as_str()).collect());
}

/// The test notices a page that promises too much.
#[tokio::test]
async fn a_page_that_says_something_else_is_found_out() {
    let (_, page) = pages().into_iter().find(|(name, _)| name == "address").unwrap();
    let (shop, erasures) = shop(&page.replace(", - addresses[1]", ", - addresses[2]"));
    let before = shop.cells();
    shop.erase(&erasures[0].0).await;
    assert_ne!(changes(&before, &shop.cells()), erasures[0].1);
}
