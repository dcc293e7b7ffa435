//! The command that lists recipients.

use super::*;

#[test]
fn recipients_are_listed_with_what_each_treatment_tells_them() {
    let mut shop = Shop::new();
    let text = shop.run("recipients", []).ends(0).out;
    assert!(text.contains("names no recipient"), "{text}");
    let map = fs::read_to_string(chinook("map.toml")).unwrap();
    shop.map = shop
        .write("map.toml", &format!("{map}\n[recipients]\nsearch = \"key\"\nprint = [\"key\", \"email\"]\n"));
    let error = shop.run("recipients", []).ends(1).err;
    assert!(error.contains("recipient.search: is not covered"), "{error}");
    let policy = fs::read_to_string(chinook("policy.toml")).unwrap();
    let told = "recipient.search = \"tell\"\nrecipient.print = { impossible = \"it is on paper\" }\n";
    shop.policy = shop.write(
        "policy.toml",
        &policy.replace("[treatments.clear]\n", &format!("[treatments.clear]\n{told}")),
    );
    let text = shop.run("recipients", []).ends(0).out;
    for part in [
        "recipient print, which knows a person by key, email",
        "  treatment clear: not told: impossible: it is on paper",
        "recipient search, which knows a person by key",
        "  treatment clear: told",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let json = shop.run("recipients", ["--json"]).ends(0).json();
    assert_eq!(json["recipients"][0]["identified_by"], json!(["key", "email"]));
    assert_eq!(json["recipients"][1]["treatments"]["clear"], "tell");
}

/// The command line has no adapters. So each recipient is told by a person, and the case waits for the evidence.
#[test]
fn a_recipient_is_told_by_hand_and_the_case_goes_on_with_the_evidence() {
    let mut shop = Shop::new();
    let map = fs::read_to_string(chinook("map.toml")).unwrap();
    shop.map = shop.write("map.toml", &format!("{map}\n[recipients]\nsearch = [\"key\", \"email\"]\n"));
    let policy = fs::read_to_string(chinook("policy.toml")).unwrap();
    let told = "[treatments.clear]\nrecipient.search = \"tell\"\n";
    shop.policy = shop.write("policy.toml", &policy.replace("[treatments.clear]\n", told));
    let digest = shop.digest("1");
    let before = shop.everything();
    let refused = shop.erase("1", &digest).ends(2).json();
    assert_eq!(refused["refused"]["outcome"], "blocked");
    let case = refused["refused"]["case"].as_str().unwrap();
    let text = shop.run("resume", ["--ledger", "ledger.sqlite"]).ends(2).out;
    let task =
        "a person has to do this by hand: tell search, which knows a person by key and email, of the erasure";
    assert!(text.contains(task) && text.contains(&format!("by-hand --case {case}")), "{text}");
    assert_eq!(before, shop.everything());
    let decide = |what: &str, step: &str, reason: &str| {
        let step = ["--ledger", "ledger.sqlite", "--case", case, "--step", step];
        Ran::of(shop.command(what).args(step).args(["--approver", "op-17", "--reason", reason]))
    };
    decide("by-hand", "recipient.search", "Zuzana was told").ends(1);
    // A decision that was meant for another step, because it was sent twice, decides nothing.
    for what in ["by-hand", "waive"] {
        let other = decide(what, "recipient.portal", "ticket-4711").ends(2).out;
        assert!(other.contains("is blocked at recipient.search, not at recipient.portal"), "{other}");
    }
    assert_eq!(before, shop.everything());
    let done = decide("by-hand", "recipient.search", "ticket-4711").ends(0).out;
    assert!(done.contains("by hand    recipient.search by op-17") && done.contains("ticket-4711"), "{done}");
    assert_ne!(before, shop.everything());
    decide("by-hand", "recipient.search", "ticket-4711").fails("no open case");
}
