//! The commands that list and remove backup copies, and that ask the suppression list.

use super::*;

/// A folder with copies of four days, and a file that is none.
fn copies(shop: &Shop) -> PathBuf {
    let folder = shop.file("copies");
    fs::create_dir(&folder).unwrap();
    for day in ["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"] {
        fs::write(folder.join(format!("shop-{day}.sqlite")), day).unwrap();
    }
    fs::write(folder.join("README"), "copies of each night").unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn copies_are_listed_and_go_under_the_digest_of_their_plan() {
    let shop = Shop::new();
    let folder = copies(&shop);
    let before = names(&folder);
    let backups = |what: &str, more: &[&str]| {
        let rule = [
            "--ledger",
            "ledger.sqlite",
            "--directory",
            "copies",
            "--pattern",
            "shop-%Y-%m-%d.sqlite",
            "--newest",
            "2",
        ];
        Ran::of(shop.command(&format!("backups {what}")).args(rule).args(more))
    };
    let error = backups("list", &[]).ends(1).err;
    assert!(error.contains("README in copies does not have the name of a copy"), "{error}");
    let backups = |what: &str, more: &[&str]| backups(what, &[more, &["--leaves", "README"]].concat());
    let text = backups("list", &[]).ends(0).out;
    let says = |name: &str| {
        text.lines().find(|line| line.starts_with(name)).unwrap().rsplit_once("  ").unwrap().1.to_owned()
    };
    assert_eq!(says("shop-2020-01-02.sqlite"), "expired");
    assert_eq!(says("shop-2020-01-03.sqlite"), "kept");
    assert!(!text.contains("README"), "{text}");

    let shown = backups("expire", &[]).ends(0).out;
    assert_eq!(names(&folder), before, "without an approval nothing is touched");
    let digest = shown.rsplit_once("--digest ").unwrap().1.trim();
    backups("expire", &["--approver", "op-17", "--digest", &"0".repeat(64)]).ends(2);
    assert_eq!(names(&folder), before);
    backups("expire", &["--approver", "op-17", "--digest", digest]).ends(0);
    assert_eq!(names(&folder), ["README", "shop-2020-01-03.sqlite", "shop-2020-01-04.sqlite"]);
    let text = backups("expire", &[]).ends(0).out;
    assert!(text.contains("no copy has expired"), "{text}");
    // A rule that says nothing of how many, and a pattern without a day.
    let mut lacking = shop.command("backups list");
    lacking.args(["--ledger", "ledger.sqlite", "--directory", "copies", "--pattern", "shop-%Y-%m-%d.sqlite"]);
    Ran::of(&mut lacking).ends(1);
    let mut undated = shop.command("backups list");
    undated.args([
        "--ledger",
        "ledger.sqlite",
        "--directory",
        "copies",
        "--pattern",
        "shop.sqlite",
        "--days",
        "30",
    ]);
    let error = Ran::of(&mut undated).ends(1).err;
    assert!(error.contains("shop.sqlite"), "{error}");
}

#[test]
fn identifiers_of_an_erased_customer_are_known_until_they_are_let_in() {
    let mut shop = Shop::new();
    let policy = fs::read_to_string(chinook("policy.toml")).unwrap();
    let suppress = "[suppress]\nkinds = [\"email\"]\ntreatments = [\"clear\"]\nfor = \"2 years\"\n";
    shop.policy = shop.write("policy.toml", &format!("{policy}\n{suppress}"));
    let digest = shop.digest("1");
    shop.erase("1", &digest).ends(0);
    // None of the values may be printed, so they are asked for by a file, and answered by number.
    let asked = format!("email={}\nemail=l@k.example\n", PERSON[10].to_uppercase());
    shop.write("asked.txt", &asked);
    let suppressed = |more: &[&str]| {
        let list = ["--ledger", "ledger.sqlite", "--tenant", "chinook", "--from", "asked.txt"];
        Ran::of(shop.command("suppressed").args(list).args(more))
    };
    let text = suppressed(&[]).ends(0).out;
    assert_eq!(
        text.trim(),
        "identifier 1 (email): of somebody who was erased\nidentifier 2 (email): not in the list"
    );
    assert_eq!(suppressed(&["--json"]).ends(0).json()["erased"], json!([true, false]));
    suppressed(&["--let-in"]).ends(0);
    assert_eq!(suppressed(&["--json"]).ends(0).json()["erased"], json!([false, false]));
    shop.write("asked.txt", "email=l@k.example\nl@k.example\n");
    let refused = suppressed(&[]).ends(2).out;
    assert!(refused.contains("line 2 of asked.txt: write KIND=VALUE"), "{refused}");
}
