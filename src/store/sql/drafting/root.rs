//! The customers of a draft: their key, tenant, dates and state.

use super::{Drafter, Risk, Said, kinds};
use crate::data_map::{Check, Datatype, Value};
use crate::store::sql::paste;
use crate::store::sql::schema::Column;

/// Names of columns that hold when a customer came, in the order in which they are looked for.
const REGISTERED: &[&str] = &[
    "registeredat",
    "registered",
    "signupdate",
    "signedupat",
    "datejoined",
    "joinedat",
    "joined",
    "memberSince",
    "createdat",
    "created",
    "createddate",
    "createdate",
    "creationdate",
    "dateadded",
    "insertedat",
    "registrationdate",
    "skapad",
    "erstelltam",
    "creele",
    "creadoen",
];

/// Dates of a customer, with the name that the draft gives them.
const DATES: &[(&str, &[&str])] = &[
    (
        "cancelled",
        &[
            "cancelledat",
            "canceledat",
            "cancelledon",
            "canceledon",
            "endedat",
            "endedon",
            "closedat",
            "closedon",
            "terminatedat",
            "terminatedon",
            "contractend",
            "contractendedon",
            "uppsagd",
            "gekuendigtam",
            "resilieele",
        ],
    ),
    (
        "last_seen",
        &[
            "lastlogin",
            "lastloginat",
            "lastseen",
            "lastseenat",
            "lastactivityat",
            "lastactive",
            "lastactiveat",
            "lastsigninat",
            "currentsigninat",
            "lastvisit",
            "lastaccess",
            "lastorderat",
            "senastinloggad",
            "letzteanmeldung",
        ],
    ),
    ("deleted", &["deletedat", "deletedon", "softdeletedat", "removedat"]),
];

/// Flags that say that a customer may use the account.
const ACTIVE: &[&str] =
    &["active", "isactive", "enabled", "isenabled", "activebool", "aktiv", "actif", "activo"];

/// Columns that name the organisation that a customer belongs to.
const TENANTS: &[&str] = &[
    "tenantid",
    "organisationid",
    "organizationid",
    "orgid",
    "companyid",
    "workspaceid",
    "shopid",
    "siteid",
    "mandantid",
];

/// Profiles at payment gateways.
const GATEWAYS: &[(&str, &[&str])] = &[
    ("stripe", &["stripeid", "stripecustomerid", "stripecustomer"]),
    ("authorize_net", &["authorizenetid", "authorizenetprofileid", "customerprofileid"]),
    ("paypal", &["paypalid", "paypalcustomerid"]),
];

const PLACE: &[&str] = &["customers"];

impl<'s> Drafter<'s> {
    pub(super) fn customers(&mut self) {
        let root = self.root;
        let header = paste::header(PLACE);
        self.page.set(&header, "table", &paste::text(&root.name), "");
        self.page.set(&header, "key", &paste::list(&root.primary_key), "the primary key");
        self.tenant();
        if let Some(column) = self.first_of(REGISTERED) {
            let why = "named like the time at which a customer came; it tells customers apart whose number is used again";
            self.set_guess(PLACE, "registered", said(&column.name, why, Risk::Middle));
        }
        for (name, columns) in DATES {
            if let Some(column) = self.first_of(columns) {
                let why = "for the triggers of a policy".to_owned();
                let found = Said { value: column.name.clone(), why, risk: Risk::Middle };
                self.set_guess(&["customers", "dates"], name, found);
            }
        }
        for (gateway, columns) in GATEWAYS {
            if let Some(column) = self.first_of(columns) {
                let found = said(&column.name, "named like a profile at the gateway", Risk::Middle);
                self.set_guess(&["customers", "gateways"], gateway, found);
            }
        }
        self.state();
    }

    fn tenant(&mut self) {
        let column = self.first_of(TENANTS).filter(|column| !column.nullable);
        if let Some(column) = column {
            let found =
                said(&column.name, "named like the organisation to which a customer belongs", Risk::Middle);
            self.set_guess(PLACE, "tenant", found);
            return;
        }
        let why = "no column names an organisation: all customers are of one tenant";
        let (value, comment) = self.guessed("customers.tenant".to_owned(), said("main", why, Risk::Middle));
        self.page.set(&paste::header(PLACE), "tenant", &format!("{{ is = {value} }}"), &comment);
    }

    /// How a customer is deactivated: by a flag, or as only the host knows.
    fn state(&mut self) {
        let header = paste::header(PLACE);
        let flag = self.first_of(ACTIVE).filter(|column| {
            matches!(column.datatype, Datatype::Integer | Datatype::Numeric) && !column.computed
        });
        if let Some(flag) = flag {
            let name = paste::key(&flag.name);
            // PostgreSQL spells the flag of a status as a word.
            let is_word = |check: &Check| check.accepts(&Value::from("true")) == Some(true);
            let is_word = flag.checks.iter().any(is_word);
            let (yes, no) = if is_word { ("true", "false") } else { ("1", "0") };
            let (active, why) = self.guessed(
                "customers.status".to_owned(),
                said(yes, &format!("a flag, and {no} means archived"), Risk::Middle),
            );
            let column = paste::text(&flag.name);
            let archived = active.replace(yes, no);
            let before = self.page.clone();
            self.page.set(
                &header,
                "status",
                &format!("{{ column = {column}, active = {active}, archived = {archived} }}"),
                &why,
            );
            let written = if is_word { paste::text(no) } else { no.to_owned() };
            self.page.set(&header, "deactivate", &format!("{{ {name} = {written} }}"), "");
            let is_of_state =
                |path: &str| path.starts_with("customers.status") || path.starts_with("customers.deactivate");
            if !self.problems().iter().any(|problem| is_of_state(&problem.path)) {
                return;
            }
            self.page = before;
            self.guesses.retain(|guess| guess.path != "customers.status");
        }
        let none = format!("{{ none = {} }}", paste::text(paste::TODO));
        let comment =
            "how is an account closed? { column = value }, or the reason why there is no such state";
        self.page.set(&header, "deactivate", &none, comment);
        self.open.push(format!("customers.deactivate: {comment}"));
    }

    /// The first column with one of these names, in the order of the names.
    fn first_of(&self, names: &[&str]) -> Option<&'s Column> {
        names.iter().find_map(|name| {
            let is = |column: &&Column| kinds::words(&column.name).concat().eq_ignore_ascii_case(name);
            self.root.columns.iter().find(is)
        })
    }
}

fn said(value: &str, why: &str, risk: Risk) -> Said {
    Said { value: value.to_owned(), why: why.to_owned(), risk }
}
