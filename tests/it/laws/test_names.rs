//! The list of all tests and their files. Other tests check that pages and tables name only tests of this list.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Adds every Rust file in a folder and its subfolders.
pub(crate) fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Every test under `tests` and `src` and of the console. It is named by its file and its name:
/// `it::laws::broken::name`, `src::case::tests::name`. Modules inside a file are left out.
pub(crate) fn all() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("tests"), &mut files);
    sources(&root.join("src"), &mut files);
    sources(&root.join("examples/console"), &mut files);
    let mut tests = BTreeSet::new();
    for file in files {
        let module = module(file.strip_prefix(root).unwrap());
        let text = fs::read_to_string(&file).unwrap();
        tests.extend(names_in(&text).into_iter().map(|name| format!("{module}::{name}")));
    }
    tests
}

/// The tests that a name may mean. `broken::name` and `name` are both short for `it::laws::broken::name`.
pub(crate) fn meant_by<'t>(name: &str, tests: &'t BTreeSet<String>) -> Vec<&'t str> {
    let is_meant =
        |test: &&str| test.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"));
    tests.iter().map(String::as_str).filter(is_meant).collect()
}

fn module(file: &Path) -> String {
    let file = file.strip_prefix("tests").unwrap_or(file).with_extension("");
    let parts: Vec<_> = file.iter().map(|part| part.to_string_lossy()).collect();
    match parts.split_last() {
        Some((last, folders)) if ["mod", "main", "lib"].contains(&last.as_ref()) => folders.join("::"),
        _ => parts.join("::"),
    }
}

/// The test functions in a file: functions below `#[test]` or `#[tokio::test]`, also inside `proptest!`. An ignored
/// test is left out, because it proves nothing.
fn names_in(text: &str) -> Vec<String> {
    let (mut names, mut is_test) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.starts_with("#[ignore") {
            is_test = false;
        } else if let Some(rest) = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ") {
            if is_test {
                names.push(
                    rest.split(|letter: char| letter != '_' && !letter.is_alphanumeric())
                        .next()
                        .unwrap()
                        .to_owned(),
                );
            }
            is_test = false;
        }
    }
    names
}

#[test]
fn only_what_runs_as_a_test_is_one() {
    let text = "#[test]\nfn one() {\n}\n\n    #[test]\n    fn drawn(shop in shop(), n in 1..9) {\n    }\n\
         #[tokio::test(flavor = \"multi_thread\")]\n#[cfg(feature = \"pdf\")]\nasync fn two() {\n    fn within() {}\n}\n\
         fn a_helper() {}\n// #[test]\nfn once_a_test() {}\n#[test]\n#[ignore = \"slow\"]\nfn ignored() {}\n";
    assert_eq!(names_in(text), ["one", "drawn", "two"]);
    for (file, wanted) in [
        ("tests/it/main.rs", "it"),
        ("tests/it/laws/mod.rs", "it::laws"),
        ("tests/it/laws/broken.rs", "it::laws::broken"),
        ("tests/gateways/faults.rs", "gateways::faults"),
        ("src/lib.rs", "src"),
        ("src/case/tests.rs", "src::case::tests"),
    ] {
        assert_eq!(module(Path::new(file)), wanted);
    }
    let tests = ["it::laws::twice", "it::text::twice", "it::text::not_twice"].map(str::to_owned).into();
    assert_eq!(meant_by("laws::twice", &tests), ["it::laws::twice"]);
    assert_eq!(meant_by("twice", &tests).len(), 2);
    assert_eq!(meant_by("wice", &tests), [""; 0]);
}
