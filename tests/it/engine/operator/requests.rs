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

/// The day of receipt and the law of the clock can be given, and holidays move the last day for the answer.
#[test]
fn the_clock_of_a_request_follows_the_day_the_law_and_the_holidays_that_are_given() {
    let shop = Shop::new();
    let file = |name: &str| shop.file(name).to_str().unwrap().to_owned();
    let ledger = file("ledger.sqlite");
    let run = |name: &str, arguments: &[&str]| {
        Ran::of(shop.command(name).args(["--ledger", &ledger, "--json"]).args(arguments))
    };
    let add = |id: &str, more: &[&str]| {
        let request = ["--request", id, "--customer", "1", "--kind", "erasure", "--channel", "post"];
        run("request add", &[&request[..], &["--received", "2026-11-02T09:30:00Z"], more].concat())
    };
    let clock = |added: &Value| {
        ["received_on", "regime", "due", "confirm_by"].map(|key| added[key].as_str().map(str::to_owned))
    };
    for (id, more, received, regime, due, confirm_by) in [
        ("r-1", &[][..], "2026-11-02", "eu", "2026-12-02", None),
        // The letter lay in the letter box for the weekend.
        ("r-2", &["--day", "2026-10-31"], "2026-10-31", "eu", "2026-11-30", None),
        ("r-3", &["--regime", "uk"], "2026-11-02", "uk", "2026-12-02", None),
        ("r-4", &["--regime", "switzerland"], "2026-11-02", "switzerland", "2026-12-02", None),
        ("r-5", &["--regime", "california"], "2026-11-02", "california", "2026-12-17", Some("2026-11-16")),
    ] {
        let added = add(id, more).ends(0).json();
        let wanted = [Some(received), Some(regime), Some(due), confirm_by];
        assert_eq!(clock(&added).each_ref().map(Option::as_deref), wanted, "{added}");
        let shown = run("request show", &["--request", id]).ends(0).json();
        assert_eq!(clock(&shown), clock(&added), "what is shown is what was recorded");
    }
    let error = add("r-6", &["--regime", "mars"]).ends(1).json()["error"].to_string();
    assert!(error.contains("it is one of eu, uk, switzerland, california"), "{error}");

    shop.write("holidays.txt", "2026-11-30 # a day off\n2026-11-11\n");
    let status = |more: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["status", "--json", "--ledger", &ledger, "--near-deadline", "100000"]).args(more);
        Ran::of(&mut command)
    };
    let days = |more: &[&str]| {
        let found = status(more).ends(0).json();
        let day = |request: &Value, key: &str| request[key].as_str().map(str::to_owned);
        let requests = found["requests"].as_array().unwrap().iter();
        requests
            .map(|of| (day(of, "request").unwrap(), day(of, "due").unwrap(), day(of, "confirm_by")))
            .collect::<Vec<_>>()
    };
    let of = |id: &str, days: &[(String, String, Option<String>)]| {
        days.iter().find(|(request, ..)| request == id).cloned().unwrap()
    };
    let (without, with) = (days(&[]), days(&["--holidays", &file("holidays.txt")]));
    assert_eq!((without.len(), with.len()), (5, 5));
    assert_eq!(of("r-2", &without).1, "2026-11-30");
    assert_eq!(of("r-2", &with).1, "2026-12-01", "the last day is a holiday");
    assert_eq!(of("r-5", &with).1, "2026-12-17", "the days of California are calendar days");
    assert_eq!(of("r-5", &with).2.as_deref(), Some("2026-11-17"), "ten working days are one day longer");
    shop.write("wrong.txt", "30.11.2026\n");
    let error = status(&["--holidays", &file("wrong.txt")]).ends(1).json()["error"].to_string();
    assert!(error.contains("line 1 is no day"), "{error}");
}
