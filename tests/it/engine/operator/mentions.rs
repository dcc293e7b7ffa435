//! The command that takes people out of the texts of others.

use super::*;

/// A plan for a map with mentions once asked for an adapter that no command of this program gave.
#[test]
fn a_case_waits_for_the_pass_over_the_texts_of_others_and_goes_on_after_it() {
    let mut shop = Shop::new();
    shop.connect()
        .execute_batch(
            "CREATE TABLE Comment (CommentId INTEGER PRIMARY KEY, CustomerId INTEGER REFERENCES Customer, Body TEXT);
             INSERT INTO Comment VALUES (1, 2, 'thanks to zuzannah@quirkwell.example'), (2, 2, 'nobody here')",
        )
        .unwrap();
    let map = fs::read_to_string(chinook("map.toml")).unwrap();
    let comments =
        "[records.comment]\ntable = \"Comment\"\nowner = \"CustomerId\"\nfields = { Body = \"free_text\" }\n";
    shop.map = shop.write("map.toml", &format!("{map}\n{comments}[mentions]\ncomment = \"Body\"\n"));
    let policy = fs::read_to_string(chinook("policy.toml")).unwrap();
    let policy = policy.replace("[anonymise]\n", "[anonymise]\nfree_text = \"redact\"\n");
    let treated = "comment = \"anonymise\"\nmention.comment = { redact = \"[gone]\" }\n";
    shop.policy = shop.write(
        "policy.toml",
        &policy.replace("[treatments.clear]\n", &format!("[treatments.clear]\n{treated}")),
    );
    let digest = shop.digest("1");
    let waits = shop.erase("1", &digest).ends(1).json();
    assert!(
        waits["outcome"] == "waiting" && waits["error"].to_string().contains("to go on: mentions"),
        "{waits}"
    );
    let texts = || shop.rows("SELECT Body FROM Comment ORDER BY CommentId");
    assert!(texts()[0].contains("zuzannah@"), "{:?}", texts());
    let text = shop.run("mentions", ["--ledger", "ledger.sqlite"]).ends(0).out;
    assert!(
        text.contains("texts of others read: 2; cases done: 1, still waiting: 0")
            && text.contains("Certificate"),
        "{text}"
    );
    assert!(texts()[0].contains("thanks to [gone]") && texts()[1].contains("nobody here"), "{:?}", texts());
    let again = shop.run("mentions", ["--ledger", "ledger.sqlite"]).ends(0).out;
    assert!(again.contains("texts of others read: 0; cases done: 0, still waiting: 0"), "{again}");
}
