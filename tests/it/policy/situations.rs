//! The situations that the crate was made for, each as a policy of at most forty lines.

use chrono::{DateTime, Utc};
use relinquish::customer::{Moment, Status};
use relinquish::data_map::{Fact, Field, Kind, RecordClass};
use relinquish::plan::decide;
use relinquish::treatment::{GatewayAction, Lead, Ownerless, RecordAction};
use relinquish::{Asked, Customer, DataMap, Policy, PolicyDocument};

/// Classes with the kinds of what they hold.
fn map(classes: &[(&str, &[Kind])], gateways: &[&str]) -> DataMap {
    let class = |(name, kinds): &(&str, &[Kind])| {
        let class = RecordClass::new(*name).field(Field::key("id")).reassignable();
        let class = class.field(Field::plain("booked_on").dated());
        kinds.iter().fold(class, |class, kind| {
            // Mandatory, as in the products that these situations come from.
            class.field(Field::personal(kind.as_str(), kind.clone()).required())
        })
    };
    let (root, others) = classes.split_first().unwrap();
    let mut builder = DataMap::builder(class(root));
    for other in others {
        builder = builder.class(class(other));
    }
    for fact in [Fact::ActiveSubscriptions, Fact::Tenants, Fact::Status, Fact::UnpaidInvoices] {
        builder = builder.knows(fact);
    }
    for date in ["created", "cancelled", "deleted", "last_transaction", "service_ended", "handed_over"] {
        builder = builder.date(date);
    }
    builder = builder.state("not_white_label");
    gateways.iter().fold(builder, |builder, gateway| builder.gateway(*gateway)).build().unwrap()
}

fn checked(text: &str, map: &DataMap) -> Policy {
    assert!(text.lines().count() <= 40, "{} lines", text.lines().count());
    let checked = PolicyDocument::from_toml(text).and_then(|policy| policy.check(map));
    checked.unwrap_or_else(|problems| panic!("{problems}"))
}

fn archived(tenant: &str, dates: &[(&str, &str)]) -> Customer {
    let mut customer = Customer::new("7", tenant);
    customer.status = Status::Archived;
    customer.states.insert("not_white_label".into(), false);
    for (name, day) in dates {
        customer.dates.insert((*name).to_owned(), Moment::Day(day.parse().unwrap()));
    }
    customer
}

#[track_caller]
fn assert_says(policy: &Policy, customer: &Customer, asked: &Asked, wanted: &str) {
    let now: DateTime<Utc> = "2026-06-15T12:00:00Z".parse().unwrap();
    let found = decide(policy, customer, asked, &[], now).to_string();
    assert!(found.starts_with(wanted), "{found}\nwanted {wanted}");
}

#[test]
fn an_internet_provider_archives_first_and_erases_everything_second() {
    let personal: &[Kind] = &[Kind::Name, Kind::Email, Kind::Phone, Kind::Address];
    let map = map(
        &[
            ("customer", personal),
            ("contact", personal),
            ("invoice", &[Kind::Address]),
            ("payment", &[]),
            ("activity", &[Kind::FreeText]),
        ],
        &["stripe", "authorize_net"],
    );
    let policy = checked(include_str!("situations/isp.toml"), &map);
    let mut customer = archived("fjord", &[("cancelled", "2010-01-01")]);
    assert_says(&policy, &customer, &Asked::Sweep, "nothing to do: the policy's sweep is off");
    assert_says(&policy, &customer, &Asked::request(), "due (requested), treatment remove");
    customer.status = Status::Active;
    assert_says(&policy, &customer, &Asked::request(), "refused: the customer is not archived");
    let remove = &policy.treatments()["remove"];
    assert_eq!(remove.outcome(), "erased");
    assert!(remove.gateways().values().all(|action| *action == GatewayAction::Erase));
}

#[test]
fn a_telecom_relinquishes_ninety_days_after_the_end_unless_a_carrier_has_other_rules() {
    let map = map(
        &[
            ("customer", &[Kind::Name, Kind::Phone, Kind::Email]),
            ("invoice", &[Kind::Name]),
            ("call_record", &[Kind::Phone]),
        ],
        &[],
    );
    let policy = checked(include_str!("situations/telecom.toml"), &map);
    let ended = |tenant| archived(tenant, &[("cancelled", "2026-03-17")]);
    assert_says(
        &policy,
        &ended("any"),
        &Asked::Sweep,
        "due (cancelled), treatment relinquish, since 2026-06-15",
    );
    assert_says(&policy, &ended("baltic"), &Asked::Sweep, "nothing to do: the policy's sweep is off");
    assert_says(&policy, &ended("baltic"), &Asked::request(), "due (requested)");
    assert_says(
        &policy,
        &ended("adriatic"),
        &Asked::Sweep,
        "not yet: cancelled makes the customer due on 2026-09-17",
    );
    let mut deleted = archived("adriatic", &[("deleted", "2020-01-01")]);
    deleted.status = Status::Deleted;
    assert_says(&policy, &deleted, &Asked::Sweep, "nothing to do");
    deleted.tenant = "any".into();
    assert_says(&policy, &deleted, &Asked::Sweep, "due (deleted), treatment relinquish, since 2020-03-31");
    deleted.unpaid_invoices = 1;
    assert_says(&policy, &deleted, &Asked::Sweep, "refused: an invoice is not paid");
    assert_says(&policy, &deleted, &Asked::request(), "due (requested)");
    assert_eq!(
        *policy.treatments()["relinquish"].class("call_record").unwrap().action(),
        RecordAction::Delete
    );
    let after = |tenant: &str| {
        let expiry = policy.effective(&tenant.into()).expiry().unwrap();
        expiry.rules()["call_record"].to_string()
    };
    assert_eq!(after("any"), "6 months after booked_on");
    assert_eq!(after("adriatic"), "1 year after booked_on");
    assert_eq!(policy.ownerless().unwrap().rules()["call_record"], Ownerless::Gone);
}

#[test]
fn a_video_service_never_erases_one_who_pays_or_whom_broadcasters_share() {
    let map = map(
        &[
            ("customer", &[Kind::Password, Kind::Name, Kind::Address, Kind::CompanyName, Kind::Phone]),
            ("answer", &[Kind::FreeText]),
            ("login", &[Kind::IpAddress]),
            ("payment", &[]),
        ],
        &[],
    );
    let policy = checked(include_str!("situations/video.toml"), &map);
    let ready = || archived("lantern", &[]);
    assert_says(&policy, &ready(), &Asked::request(), "due (requested), treatment anonymise");
    let mut paying = ready();
    paying.active_subscriptions = 1;
    assert_says(&policy, &paying, &Asked::request(), "refused: a subscription is active");
    let mut shared = ready();
    shared.tenants = 2;
    assert_says(
        &policy,
        &shared,
        &Asked::request(),
        "refused: the account is connected to more than one tenant",
    );
    let mut elsewhere = ready();
    elsewhere.states.insert("not_white_label".into(), true);
    assert_says(
        &policy,
        &elsewhere,
        &Asked::request(),
        "refused: the broadcaster shares its viewers; ask the other",
    );
    assert_eq!(policy.treatments()["anonymise"].outcome(), "pseudonymised");
}

#[test]
fn a_ticket_office_keeps_the_postcode_for_marketing_or_hands_the_orders_over() {
    let map = map(
        &[
            ("customer", &[Kind::Name, Kind::Email, Kind::Phone, Kind::Postcode]),
            ("order", &[Kind::Name, Kind::FreeText]),
        ],
        &[],
    );
    let policy = checked(include_str!("situations/ticketing.toml"), &map);
    let bought = |tenant| archived(tenant, &[("created", "2001-01-01"), ("last_transaction", "2023-06-15")]);
    assert_says(
        &policy,
        &bought("any"),
        &Asked::Sweep,
        "not yet: inactive makes the customer due on 2028-06-15",
    );
    assert_says(
        &policy,
        &bought("playhouse"),
        &Asked::Sweep,
        "due (inactive), treatment marketing, since 2026-06-15",
    );
    assert_says(&policy, &bought("any"), &Asked::List, "due (listed), treatment marketing");
    assert_says(&policy, &bought("any"), &Asked::request(), "due (requested), treatment remove");
    let never = archived("any", &[("created", "2021-06-15")]);
    assert_says(&policy, &never, &Asked::Sweep, "due (inactive), treatment marketing, since 2026-06-15");
    let marketing = &policy.treatments()["marketing"];
    assert_eq!(
        (marketing.outcome(), marketing.links()),
        (
            "pseudonymised",
            &[
                Lead::Field {
                    class: "customer".into(),
                    field: "postcode".into(),
                    while_kept: false,
                    names: false
                },
                Lead::Token { classes: ["customer".into()].into(), while_kept: [].into() },
            ][..]
        )
    );
    assert_eq!(*policy.treatments()["remove"].class("order").unwrap().action(), RecordAction::Reassign);
}

#[test]
fn a_commerce_back_end_clears_after_seven_years_or_as_agreed_or_when_a_contract_ends() {
    let map = map(
        &[
            ("customer", &[Kind::Name, Kind::Email, Kind::Phone, Kind::Address, Kind::FreeText]),
            ("delivery_address", &[Kind::Address]),
            ("contact", &[Kind::Name, Kind::Username, Kind::Password, Kind::Email]),
            ("order", &[Kind::Name]),
            ("invoice", &[Kind::Name]),
        ],
        &[],
    );
    let policy = checked(include_str!("situations/commerce.toml"), &map);
    let bought = |tenant| archived(tenant, &[("last_transaction", "2021-06-15")]);
    assert_says(
        &policy,
        &bought("any"),
        &Asked::Sweep,
        "not yet: inactive makes the customer due on 2028-06-15",
    );
    assert_says(&policy, &bought("acme"), &Asked::Sweep, "due (inactive), treatment clear, since 2024-06-15");
    assert_says(&policy, &bought("umea"), &Asked::Sweep, "nothing to do");
    let mut ended = archived("umea", &[("service_ended", "2026-05-01")]);
    assert_says(
        &policy,
        &ended,
        &Asked::Sweep,
        "refused: nobody has confirmed that tenant umea has its data",
    );
    ended.dates.insert("handed_over".to_owned(), Moment::Day("2026-05-20".parse().unwrap()));
    assert_says(&policy, &ended, &Asked::Sweep, "due (service_ended), treatment clear, since 2026-05-31");
    let clear = &policy.treatments()["clear"];
    let name = clear.class("customer").unwrap().fields()["name"].describe();
    assert!(name.contains("Anonymised {date}"), "{name}");
    assert_eq!(clear.outcome(), "erased in part", "what is kept names the person");
    assert!(
        clear.class("invoice").unwrap().under_duty().len() == 1
            && clear.class("contact").unwrap().under_duty().is_empty()
    );
}
