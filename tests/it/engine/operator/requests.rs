//! The commands of requests, and of the worker.

use super::*;

#[test]
fn a_request_is_recorded_approved_carried_out_by_the_worker_and_ended() {
    let shop = Shop::new();
    let ledger = shop.file("ledger.sqlite");
    let ledger = ledger.to_str().unwrap();
    let run = |name: &str, arguments: &[&str]| {
        let mut command = shop.command(name);
        command.args(["--ledger", ledger, "--json"]).args(arguments);
        Ran::of(&mut command)
    };
    let add = ["--kind", "erasure", "--channel", "email", "--received", "2026-11-02T09:30:00Z"];
    let add = |id: &str, customer: &str| {
        run("request add", &[&["--request", id, "--customer", customer], &add[..]].concat())
    };
    assert!(add("r-1", "4711").ends(1).json()["error"].as_str().unwrap().contains("no such customer"));
    let added = add("r-1", "1").ends(0).json();
    assert_eq!((&added["due"], &added["stage"]), (&"2026-12-02".into(), &"open".into()));
    let note =
        |what: &[&str]| run("request note", &[&["--request", "r-1", "--approver", "op-17"], what].concat());
    let digest = shop.digest("1");
    let approve = ["approve", "--digest", &digest];
    let early = note(&approve).ends(1).json();
    assert!(early["error"].as_str().unwrap().contains("nobody has confirmed who asks"), "{early}");
    note(&["confirm-identity", "--reference", "seen"]).ends(0);
    assert_eq!(note(&approve).ends(0).json()["stage"], "approved");
    let health = run("health", &[]).ends(0).json();
    assert_eq!((&health["requests_open"], &health["cases_open"]), (&1.into(), &0.into()));
    let listed = run("request list", &["--overdue"]).ends(0).json();
    let status = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["status", "--json", "--ledger", ledger]).args(arguments);
        Ran::of(&mut command).ends(0).json()
    };
    let due = status(&["--near-deadline", "100000", "--overdue"]);
    assert_eq!(due["requests"][0]["request"], "r-1");
    let is_overdue = due["requests"][0]["overdue"] == true;
    assert_eq!(listed["requests"].as_array().unwrap().len(), usize::from(is_overdue));
    assert_eq!(status(&[])["requests"], Value::Null, "nobody asked for them");
    let turned = run("worker", &["--once"]).ends(0).json();
    assert_eq!((&turned["opened"], &turned["ended"]), (&1.into(), &1.into()), "{turned}");
    let shown = run("request show", &["--request", "r-1"]).ends(0).json();
    let case = shown["case"].as_str().unwrap();
    operator(["certificate", "--ledger", ledger, "--case", case]).ends(0);
    note(&["letter", "--kind", "confirmation", "--lang", "sv"]).ends(0);
    note(&["decide", "--answer", "granted"]).ends(0);
    let ended = note(&["end"]).ends(0).json();
    assert_eq!((&ended["stage"], &ended["customer"]), (&"ended".into(), &Value::Null));
    let refused = note(&["remind"]).ends(1).json();
    assert!(refused["error"].as_str().unwrap().contains("has ended"), "{refused}");
}
