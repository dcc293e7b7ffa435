//! The sweep from the command line: survey, approve, stand and run, with a real file.

use std::fs;
use std::process::Command;

use chrono::{TimeDelta, Utc};
use serde_json::Value;

use super::operator::binary;
use super::sweeping::{MAP, POLICY, Shop};

/// A shop whose customers were cancelled the given numbers of days ago.
fn shop(ago: &[i64]) -> Shop {
    let shop = Shop::new([]);
    for (id, ago) in (1..).zip(ago) {
        shop.insert(id, "north", Some(0));
        let day = (Utc::now() - TimeDelta::days(*ago)).date_naive();
        shop.sql(&format!("UPDATE customers SET cancelled_at = '{day}' WHERE id = {id}"));
    }
    fs::write(shop.path("map.toml"), MAP).unwrap();
    fs::write(shop.path("policy.toml"), POLICY).unwrap();
    shop
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Shop {
    /// A command with the database, the map and the policy.
    fn run(&self, name: &str, arguments: &[&str]) -> Ran {
        let documents = ["--database", "shop.sqlite", "--map", "map.toml", "--policy", "policy.toml"];
        self.bare(name, &[&documents, arguments].concat())
    }

    fn bare(&self, name: &str, arguments: &[&str]) -> Ran {
        let output = Command::new(binary())
            .current_dir(self.folder.path())
            .arg(name)
            .args(arguments)
            .output()
            .unwrap();
        let ran = Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        for text in [&ran.out, &ran.err] {
            assert!(!text.contains("Maud") && !text.contains("shop.test"), "{text}");
        }
        ran
    }
}

impl Ran {
    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("out: {}\nerr: {}", self.out, self.err))
    }

    #[track_caller]
    fn says(self, what: &str) -> Self {
        assert!(self.out.contains(what) || self.err.contains(what), "out: {}\nerr: {}", self.out, self.err);
        self
    }
}

const LEDGER: [&str; 2] = ["--ledger", "ledger.sqlite"];

#[test]
fn a_survey_is_checked_approved_and_run() {
    let shop = shop(&[100, 200, 300, 10]);
    shop.sql("UPDATE customers SET held = 'legal_claim' WHERE id = 3");
    let ran = shop.run("survey", &["--out", "due.csv", "--page", "due.html", "--progress"]).ends(0);
    let page = fs::read_to_string(shop.path("due.html")).unwrap();
    assert!(page.contains("2 of 4 customers are due") && !page.contains("Maud"), "{page}");
    assert!(ran.err.contains("surveyed 4, due 2"), "{}", ran.err);
    let ran = ran.says("4 customers: 2 due, 1 not yet, 0 with nothing to do, 1 blocked");
    ran.says("overdue: 3, due since ").says("approve --review due.csv");
    assert!(!shop.path("ledger.sqlite").exists(), "a survey makes no ledger");
    let text = fs::read_to_string(shop.path("due.csv")).unwrap();
    assert!(!text.contains("Maud"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(shop.path("due.csv")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    shop.run("survey", &["--out", "due.csv"]).ends(1).says("there is a file of this name");
    assert_eq!(fs::read_to_string(shop.path("due.csv")).unwrap(), text, "it is not overwritten");

    // Customer 2 is struck out.
    fs::write(shop.path("due.csv"), text.replace("\n,2,", "\nx,2,")).unwrap();
    let approve = ["--review", "due.csv", "--approver", "op-17"];
    let shown = shop.bare("approve", &[&approve[..], &["--json"]].concat()).ends(0).json();
    assert_eq!(shown["customers"], 1);
    let digest = shown["digest"].as_str().unwrap();
    shop.bare("approve", &[&approve[..], &["--digest", "6b1f"]].concat())
        .ends(2)
        .says("64 hexadecimal digits");
    let other = "0".repeat(64);
    shop.bare("approve", &[&approve[..], &["--digest", &other]].concat())
        .ends(2)
        .says("refused: the approval is for");
    shop.run("run", &[&LEDGER[..], &["--review", "due.csv"]].concat())
        .ends(1)
        .says("due.csv.approval.json cannot be read");
    shop.bare("approve", &[&approve[..], &["--digest", digest]].concat()).ends(0);
    // Another row is struck out after the approval.
    let confirmed = fs::read_to_string(shop.path("due.csv")).unwrap();
    fs::write(shop.path("due.csv"), confirmed.replace("\nx,2,", "\n,2,")).unwrap();
    shop.run("run", &[&LEDGER[..], &["--review", "due.csv"]].concat())
        .ends(2)
        .says("refused: the approval is for");
    assert_eq!(shop.named(), [1, 2, 3, 4]);
    fs::write(shop.path("due.csv"), confirmed).unwrap();
    shop.run("run", &[&LEDGER[..], &["--review", "due.csv", "--progress"]].concat())
        .ends(0)
        .says("1 erased, 0 left")
        .says("remaining 0");
    assert_eq!(shop.named(), [2, 3, 4]);
    let again = shop.run("run", &[&LEDGER[..], &["--review", "due.csv", "--json"]].concat()).ends(2).json();
    let again = &again["refused"];
    assert_eq!((&again["erased"], again["left"].as_array().unwrap().len()), (&0.into(), 1), "{again}");
}

#[test]
fn a_review_with_personal_columns_has_them_and_a_changed_row_is_refused() {
    let shop = shop(&[100, 200]);
    let columns = ["--column", "personal.email", "--column", "since", "--semicolons", "--bom"];
    shop.run("survey", &[&["--out", "due.csv", "--planned-by", "op-1"], &columns[..]].concat()).ends(0);
    let text = fs::read_to_string(shop.path("due.csv")).unwrap();
    assert!(
        text.starts_with("\u{feff}strike_out;customer;tenant;personal.email;since;planned_by;plan"),
        "{text}"
    );
    assert!(text.contains("maud.1@shop.test"), "{text}");
    fs::write(shop.path("due.csv"), text.replacen(";2;", ";3;", 1)).unwrap();
    let ran = shop.bare("approve", &["--review", "due.csv", "--approver", "op-2"]).ends(1);
    ran.says("due.csv: line 3, column row: the row is not as it was written");
    let ran = shop.run("survey", &["--out", "more.csv", "--column", "emial"]).ends(1);
    ran.says("a review has no column of this name");
}

#[test]
fn a_standing_approval_runs_within_its_limits() {
    let shop = shop(&[100, 200, 300, 400]);
    let stand = [
        "--out",
        "standing.json",
        "--approver",
        "op-17",
        "--tenant",
        "north",
        "--per-run",
        "3",
        "--per-day",
        "3",
    ];
    let ran = |more: &[&str]| shop.run("stand", &[&stand[..], more].concat());
    ran(&["--trigger", "requested", "--days", "30"]).ends(1).says("a person has to approve each review");
    ran(&["--trigger", "cancelled", "--days", "401"]).ends(2).says("400 days is the longest");
    ran(&["--trigger", "cancelled", "--days", "30", "--share", "none"]).ends(1).says("such as \"2 %\"");
    ran(&["--trigger", "cancelled", "--days", "400"]).ends(0).says("3 customers a run, 3 a day");
    ran(&["--trigger", "cancelled", "--days", "400"]).ends(1).says("there is a file of this name");
    let run = [&LEDGER[..], &["--standing", "standing.json", "--json"]].concat();
    let first = shop.run("run", &run).ends(0).json();
    assert_eq!((&first["erased"], &first["beyond_limit"]), (&3.into(), &1.into()), "{first}");
    assert_eq!(shop.named(), [1]);
    let second = shop.run("run", &run).ends(0).json();
    assert_eq!((&second["erased"], &second["beyond_limit"]), (&0.into(), &1.into()), "{second}");
    // The policy has changed.
    fs::write(shop.path("policy.toml"), format!("blast_radius = {{ customers = 500 }}\n{POLICY}")).unwrap();
    shop.run("run", &run).ends(2).says("the policy is another one");
    fs::write(shop.path("standing.json"), "{}").unwrap();
    shop.run("run", &run).ends(1).says("standing.json is no approval");
}

#[test]
fn a_run_that_goes_too_far_asks_and_exits_with_refused() {
    let shop = shop(&[100, 200, 300]);
    fs::write(shop.path("policy.toml"), format!("blast_radius = {{ share = \"50 %\" }}\n{POLICY}")).unwrap();
    shop.run("survey", &["--out", "due.csv"]).ends(0);
    let approve = ["--review", "due.csv", "--approver", "op-17"];
    let shown = shop.bare("approve", &[&approve[..], &["--json"]].concat()).ends(0).json();
    let digest = shown["digest"].as_str().unwrap();
    shop.bare("approve", &[&approve[..], &["--digest", digest]].concat()).ends(0);
    let run = [&LEDGER[..], &["--review", "due.csv"]].concat();
    shop.run("run", &run).ends(2).says("3 of tenant north: trigger cancelled, treatment clear");
    assert_eq!(shop.named(), [1, 2, 3]);
    let more = ["--digest", digest, "--up-to", "3", "--out", "more.json"];
    shop.bare("approve", &[&approve[..], &more].concat()).ends(0);
    shop.run("run", &[&run[..], &["--approval", "more.json"]].concat()).ends(0).says("3 erased");
    assert!(shop.named().is_empty());
}
