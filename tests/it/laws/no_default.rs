//! Destructive settings have no default: a policy without one of them is refused.

use relinquish::store::RecordStore as _;
use relinquish::{DataMap, PolicyDocument};
use toml::{Table, Value};

use crate::hosts;

/// The lines of a policy that say what is destroyed and whether a sweep destroys. Each is a path of table names and a
/// key.
fn destructive(policy: &Table) -> Vec<Vec<String>> {
    let mut lines = vec![vec!["sweep".to_owned()]];
    for key in policy["anonymise"].as_table().unwrap().keys() {
        lines.push(vec!["anonymise".to_owned(), key.clone()]);
    }
    for (treatment, classes) in policy["treatments"].as_table().unwrap() {
        for class in classes.as_table().unwrap().keys() {
            lines.push(vec!["treatments".to_owned(), treatment.clone(), class.clone()]);
        }
    }
    lines
}

fn table<'t>(policy: &'t mut Table, path: &[String]) -> &'t mut Table {
    path.iter().fold(policy, |table, key| table[key].as_table_mut().unwrap())
}

/// Checks that a policy is refused when any one of these lines is missing. `accepts` says whether a policy is
/// accepted. The answer is the number of lines.
fn nothing_is_filled_in(accepts: &dyn Fn(Table) -> bool) -> Result<usize, String> {
    let whole: Table = hosts::CRM_POLICY.parse().unwrap();
    if !accepts(whole.clone()) {
        return Err("the whole policy is refused".to_owned());
    }
    let lines = destructive(&whole);
    for line in &lines {
        let mut less = whole.clone();
        let (key, path) = line.split_last().unwrap();
        table(&mut less, path).remove(key).unwrap();
        if accepts(less) {
            return Err(format!("accepted without {}", line.join(".")));
        }
    }
    Ok(lines.len())
}

fn reads(policy: &Table, map: &DataMap) -> bool {
    let text = toml::to_string(policy).unwrap();
    PolicyDocument::from_toml(&text).and_then(|policy| policy.check(map)).is_ok()
}

#[test]
fn a_policy_without_a_destructive_line_is_refused() {
    let host = hosts::sqlite();
    let lines = nothing_is_filled_in(&|policy| reads(&policy, host.store.data_map())).unwrap();
    assert!(lines > 25, "{lines}");
}

/// Broken readers that fill in a default for a missing line.
#[test]
fn a_reader_with_a_default_is_found_out() {
    let host = hosts::sqlite();
    let stripe = Table::from_iter([("stripe".to_owned(), "erase".into())]);
    let defaults: [(&[&str], &str, Value); 5] = [
        (&[], "sweep", true.into()),
        (&["anonymise"], "phone", "remove".into()),
        (&["treatments", "remove"], "customer", "delete".into()),
        (&["treatments", "clear"], "call_record", "delete".into()),
        (&["treatments", "clear"], "gateway", stripe.into()),
    ];
    for (path, key, default) in defaults {
        let path: Vec<String> = path.iter().map(|&key| key.to_owned()).collect();
        let said = nothing_is_filled_in(&|mut policy| {
            table(&mut policy, &path).entry(key).or_insert(default.clone());
            reads(&policy, host.store.data_map())
        });
        let place = [path.as_slice(), &[key.to_owned()]].concat().join(".");
        assert_eq!(said, Err(format!("accepted without {place}")));
    }
}
