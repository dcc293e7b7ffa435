//! The commands of holds.

use super::*;

#[test]
fn a_hold_and_the_emergency_stop_are_placed_listed_and_lifted() {
    let shop = Shop::new();
    let ledger = shop.file("ledger.sqlite");
    let ledger = ledger.to_str().unwrap();
    let digest = shop.digest("1");
    let before = shop.everything();
    let signed = ["--reference", "file-2026-7", "--approver", "op-17", "--json"];
    let add = |customer: &str| {
        let mut command = shop.command("hold add");
        command.args(["--customer", customer, "--ground", "legal_claim", "--ledger", ledger]);
        Ran::of(command.args(signed))
    };
    let error = add("4711").ends(1).json();
    assert!(error["error"].as_str().unwrap().contains("there is no such customer"), "{error}");
    let hold = add("1").ends(0).json();
    assert_eq!((&hold["customer"], &hold["ground"]), (&"1".into(), &"legal_claim".into()));
    let refused = shop.erase("1", &digest).ends(2).json();
    assert!(refused["refused"]["text"].as_str().unwrap().contains("legal claim"), "{refused}");
    let listed = operator(["hold", "list", "--ledger", ledger, "--json"]).ends(0).json();
    assert_eq!(listed["holds"].as_array().unwrap().len(), 1);
    let id = hold["hold"].as_str().unwrap();
    // `release` is understood, too.
    let done =
        operator(["hold", "release", "--ledger", ledger, "--hold", id, "--approver", "op-18", "--json"]);
    let done = done.ends(0).json();
    assert_eq!((&done["customer"], &done["lifted_by"]), (&Value::Null, &"op-18".into()));
    // The stop needs nothing but the ledger.
    let [reference, code, approver, by, as_json] = signed;
    let halted =
        operator(["stop", "--ledger", ledger, reference, code, approver, by, as_json]).ends(0).json();
    let refused = shop.erase("1", &digest).ends(2).json();
    assert!(refused["refused"]["text"].as_str().unwrap().contains("incident"), "{refused}");
    assert_eq!(before, shop.everything(), "nothing is touched");
    let id = halted["hold"].as_str().unwrap();
    operator(["hold", "lift", "--ledger", ledger, "--hold", "9a3c", "--approver", "op-17"])
        .fails("no hold 9a3c");
    operator(["hold", "lift", "--ledger", ledger, "--hold", id, "--approver", "op-17"]).ends(0);
    let listed = operator(["hold", "list", "--all", "--ledger", ledger, "--json"]).ends(0).json();
    assert_eq!(listed["holds"].as_array().unwrap().len(), 2);
    shop.erase("1", &digest).ends(0);
}
