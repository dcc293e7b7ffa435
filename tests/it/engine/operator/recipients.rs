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
    // This program has no adapter, so it erases nobody.
    let error = shop.run("plan", ["--customer", "1"]).ends(1).err;
    assert!(error.contains("recipient search: is to be told, and has no adapter"), "{error}");
}
