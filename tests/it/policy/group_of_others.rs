//! A smallest group counts the values of a record's owner that stay, and no values of other people in the record.

use crate::shop::{CUSTOMERS, Shop};

/// A former bug: a husband's date of birth was cleared in his wife's record, although he stayed, because too few
/// customers shared it.
#[test]
fn a_field_of_somebody_else_is_in_no_group() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, spouse INTEGER REFERENCES clients, spouse_born TEXT);";
    let map = format!(
        "{CUSTOMERS}ends.spouse = 'clear'\nfields = {{ name = 'name', spouse_born = {{ kind = 'birth_date', of = 'spouse' }} }}\n"
    );
    let treatment =
        "customer = { action = 'anonymise', keep = { spouse_born = 'reporting' }, smallest_group = 3 }\n";
    let mut shop = Shop::new(sql, &map, treatment);
    shop.policy = shop.policy.replace("[anonymise]\n", "[anonymise]\nbirth_date = 'remove'\n");
    let refused = shop.policy_refused();
    assert!(
        refused.contains(
            "treatments.x.customer.keep.spouse_born: belongs to the person at the other end of a link"
        ),
        "{refused}"
    );
    // Without a smallest group it may stay.
    shop.policy = shop.policy.replace(", smallest_group = 3", "");
    shop.engine();
}
