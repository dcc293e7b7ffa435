//! A review of forgotten profiles at a gateway: writes the rows for a person as CSV, and reads the confirmed rows.
//!
//! ```text
//! Engine::reconcile ─► rows ─► ReviewWriter ─► CSV ─► a person ─► Review::from_csv ─► approve ─► Engine::erase_profiles
//! ```
//!
//! The person writes `erase` into the column `confirm` of the rows to erase, and changes nothing else. Each row has a
//! digest, so that a change by a spreadsheet is noticed. The person approves the digest of the confirmed rows. This
//! CSV may contain e-mail addresses, but only if the host asks for them.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read, Write};

use serde::{Deserialize, Serialize};

use super::{AccountId, GatewayName, ListedProfile, ProfileId};
use crate::customer::{CustomerId, TenantId};
use crate::digest::Digest;
use crate::document::{Problem, Problems, suggest};
use crate::plan::{Approval, NotApproved};

/// The word that confirms a row.
const ERASE: &str = "erase";
/// The format of the rows.
const FORMAT: u32 = 1;
const COLUMNS: [&str; 13] = [
    "confirm",
    "gateway",
    "account",
    "profile",
    "findings",
    "customer",
    "tenant",
    "matched_by",
    "named_owner",
    "active_subscriptions",
    "ended_subscriptions",
    "format",
    "row",
];

/// Why a profile is in the review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// No customer of the root store owns the profile.
    Orphan,
    /// The profile belongs to an erased customer. Or it was erased itself, and exists again.
    OwnerErased,
    /// The profile belongs to an archived customer.
    OwnerArchived,
    /// All subscriptions of the profile have ended.
    SubscriptionsEnded,
    /// The gateway's export has no subscription for the profile. The customer may still make single payments: check
    /// this.
    NoSubscription,
    /// The customer has another profile at this gateway.
    Double,
    /// The profile may belong to several customers. Or it is linked to one customer and names another.
    Ambiguous,
}

impl Finding {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Orphan, "orphan"),
        (Self::OwnerErased, "owner_erased"),
        (Self::OwnerArchived, "owner_archived"),
        (Self::SubscriptionsEnded, "subscriptions_ended"),
        (Self::NoSubscription, "no_subscription"),
        (Self::Double, "double"),
        (Self::Ambiguous, "ambiguous"),
    ];
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::ALL.iter().find(|(finding, _)| finding == self).map_or("", |(_, word)| *word);
        f.pad(word)
    }
}

/// The evidence that a profile belongs to a customer, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchedBy {
    /// The root store links the customer to the profile.
    Link,
    /// The gateway's own data name the customer.
    Name,
    /// Only the e-mail address is the same.
    Email,
}

impl MatchedBy {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Link, "link"), (Self::Name, "name"), (Self::Email, "email")];
}

impl fmt::Display for MatchedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::ALL.iter().find(|(matched, _)| matched == self).map_or("", |(_, word)| *word);
        f.pad(word)
    }
}

/// A profile for a person to check. Its `Debug` shows no personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReviewRow {
    /// Which gateway.
    pub gateway: GatewayName,
    /// The host's account there.
    pub account: Option<AccountId>,
    /// Which profile.
    pub profile: ProfileId,
    /// Why the profile is in the review. Never empty.
    pub findings: BTreeSet<Finding>,
    /// The owner, if one was found, with the evidence.
    pub customer: Option<(CustomerId, TenantId, MatchedBy)>,
    /// The customer named as the owner in the gateway's own data.
    pub named_owner: Option<CustomerId>,
    /// The number of active subscriptions, if the listing contains it.
    pub active_subscriptions: Option<u32>,
    /// The number of ended subscriptions, if the listing contains it.
    pub ended_subscriptions: Option<u32>,
    /// The e-mail address at the gateway. The CSV contains it only if the host asks for it.
    #[serde(skip)]
    pub email: Option<String>,
}

impl fmt::Debug for ReviewRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReviewRow")
            .field("gateway", &self.gateway)
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}

impl ReviewRow {
    /// The profile as the review contains it.
    pub(crate) fn as_listed(&self) -> ListedProfile {
        let mut profile = ListedProfile::new(self.profile.clone());
        profile.owner.clone_from(&self.named_owner);
        profile
    }

    /// The digest of the row, without the address.
    fn digest(&self) -> Digest {
        let customer = self.customer.as_ref().map(|(id, tenant, by)| (id, tenant, by));
        let counts = (self.active_subscriptions, self.ended_subscriptions);
        Digest::of(&(
            &self.gateway,
            &self.account,
            &self.profile,
            &self.findings,
            customer,
            &self.named_owner,
            counts,
        ))
    }

    fn cells(&self) -> [String; COLUMNS.len()] {
        let (customer, tenant, by) =
            self.customer.as_ref().map_or_else(Default::default, |(id, tenant, by)| {
                (id.as_str().to_owned(), tenant.to_string(), by.to_string())
            });
        let number = |count: Option<u32>| count.map_or_else(String::new, |count| count.to_string());
        let findings: Vec<String> = self.findings.iter().map(ToString::to_string).collect();
        [
            String::new(),
            self.gateway.to_string(),
            self.account.as_ref().map_or_else(String::new, ToString::to_string),
            self.profile.as_str().to_owned(),
            findings.join("+"),
            customer,
            tenant,
            by,
            self.named_owner.as_ref().map_or_else(String::new, |owner| owner.as_str().to_owned()),
            number(self.active_subscriptions),
            number(self.ended_subscriptions),
            FORMAT.to_string(),
            self.digest().to_string(),
        ]
    }
}

/// Writes a review as CSV, row by row.
pub struct ReviewWriter<W: Write> {
    csv: csv::Writer<W>,
    emails: bool,
}

impl<W: Write> fmt::Debug for ReviewWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReviewWriter").field("emails", &self.emails).finish_non_exhaustive()
    }
}

impl<W: Write> ReviewWriter<W> {
    /// Begins a review. With `emails`, it has a column with the addresses. Protect such a file.
    ///
    /// # Errors
    /// The errors of the writer.
    pub fn new(to: W, emails: bool) -> std::io::Result<Self> {
        let mut writer = Self { csv: csv::Writer::from_writer(to), emails };
        let email = emails.then_some("email");
        writer.csv.write_record(COLUMNS.into_iter().chain(email))?;
        Ok(writer)
    }

    /// Adds rows.
    ///
    /// # Errors
    /// The errors of the writer.
    pub fn write(&mut self, rows: &[ReviewRow]) -> std::io::Result<()> {
        for row in rows {
            let email = self.emails.then(|| harmless(row.email.as_deref().unwrap_or_default()));
            self.csv.write_record(row.cells().into_iter().chain(email))?;
        }
        Ok(())
    }

    /// Ends the review, and returns the writer.
    ///
    /// # Errors
    /// The errors of the writer.
    pub fn finish(self) -> std::io::Result<W> {
        self.csv.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// Escapes a text, so that no spreadsheet runs it as a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// The rows of a review that a person confirmed. The other rows are not kept.
#[derive(Clone, Debug)]
pub struct Review {
    rows: Vec<ReviewRow>,
    digest: Digest,
}

impl Review {
    /// Reads a review that a person has checked. Columns are found by their names, in any order.
    ///
    /// # Errors
    /// All errors, each with its line and column: the file is no CSV; a column is missing; `confirm` contains another
    /// word than `erase`; a confirmed row was changed, appears twice, or is [`Finding::Ambiguous`].
    pub fn from_csv(from: impl Read) -> Result<Self, Problems> {
        let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(from);
        let headers = csv.headers().map_err(|error| no_csv(&error))?.clone();
        let names: Vec<String> =
            headers.iter().map(|name| name.trim().trim_start_matches('\u{feff}').to_owned()).collect();
        let mut problems = Vec::new();
        let mut places = [0; COLUMNS.len()];
        for (place, column) in places.iter_mut().zip(COLUMNS) {
            match names.iter().position(|name| name == column) {
                Some(n) => *place = n,
                None => problems.push(Problem::new(
                    format!("line 1, column {column}"),
                    "is missing",
                    suggest(column, names.iter().map(String::as_str)),
                )),
            }
        }
        Problems::none_or(problems)?;
        let (mut rows, mut seen, mut problems) = (Vec::new(), BTreeSet::new(), Vec::new());
        for record in csv.records() {
            let record = record.map_err(|error| no_csv(&error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let cells = places.map(|n| record.get(n).unwrap_or_default().trim());
            let [confirm, ..] = cells;
            let at = |column: &str| format!("line {line}, column {column}");
            if confirm.is_empty() {
                continue;
            }
            if confirm != ERASE {
                problems.push(Problem::new(at("confirm"), "is not erase", "write erase, or leave it empty"));
                continue;
            }
            match row(&cells) {
                Ok(row) if !seen.insert((row.gateway.clone(), row.profile.clone())) => {
                    problems.push(Problem::new(at("profile"), "appears twice", "keep only one of the rows"));
                }
                Ok(row) if row.findings.contains(&Finding::Ambiguous) => problems.push(Problem::new(
                    at("confirm"),
                    "confirms a profile that may belong to several customers, or that names another customer than its link",
                    "correct the link in the host's database or at the gateway, and reconcile again",
                )),
                Ok(row) => rows.push(row),
                Err("format") => problems.push(Problem::new(
                    at("format"),
                    format!("is not {FORMAT}, which this release reads"),
                    "write the review again with this release, or read it with the release that wrote it",
                )),
                Err(column) => problems.push(Problem::new(
                    at(column),
                    "was changed after it was written",
                    "copy the row from the review again; a spreadsheet may have changed it",
                )),
            }
        }
        Problems::none_or(problems)?;
        rows.sort_by(|a, b| (&a.gateway, &a.profile).cmp(&(&b.gateway, &b.profile)));
        let digests: Vec<Digest> = rows.iter().map(ReviewRow::digest).collect();
        Ok(Self { digest: Digest::of(&("review", 1, digests)), rows })
    }

    /// The digest of exactly the confirmed rows. A person approves this digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What was confirmed.
    pub fn rows(&self) -> &[ReviewRow] {
        &self.rows
    }

    /// Binds an approval to the confirmed rows.
    ///
    /// The engine checks later, when it executes, whether the approval is still valid.
    ///
    /// # Errors
    /// [`NotApproved`], with the review and an [`ApprovalError`](crate::plan::ApprovalError), if the approval is for
    /// another digest, is valid for more than 30 days, or is by an operator without authority over the tenant of one
    /// of the customers.
    pub fn approve(self, approval: Approval) -> Result<ApprovedReview, NotApproved<Self>> {
        let tenants = self.rows.iter().filter_map(|row| row.customer.as_ref().map(|(_, tenant, _)| tenant));
        match approval.holds_for(self.digest, tenants) {
            Ok(()) => Ok(ApprovedReview { review: self, approval }),
            Err(why) => Err(NotApproved::new(self, why)),
        }
    }
}

/// A review with an approval of exactly its confirmed rows. Only [`Review::approve`] makes one.
#[derive(Clone, Debug)]
pub struct ApprovedReview {
    pub(crate) review: Review,
    pub(crate) approval: Approval,
}

fn no_csv(error: &csv::Error) -> Problems {
    let line =
        error.position().map_or_else(|| "the file".to_owned(), |place| format!("line {}", place.line()));
    Problems::one(Problem::new(line, "is not CSV in UTF-8", "give the file that was written for the review"))
}

/// Reads a row from its cells. The error is the name of the column that was changed.
fn row(cells: &[&str; COLUMNS.len()]) -> Result<ReviewRow, &'static str> {
    let [_, gateway, account, profile, findings, customer, tenant, by, named, active, ended, format, digest] =
        *cells;
    if format.parse() != Ok(FORMAT) {
        return Err("format");
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let number = |text: &str, column| match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| column),
    };
    let found = findings
        .split('+')
        .map(|word| Finding::ALL.iter().find(|(_, known)| *known == word).map(|(finding, _)| *finding))
        .collect::<Option<BTreeSet<Finding>>>()
        .ok_or("findings")?;
    let customer = match customer {
        "" => None,
        id => {
            let known = MatchedBy::ALL.iter().find(|(_, known)| *known == by);
            let (matched, _) = known.ok_or("matched_by")?;
            Some((CustomerId::from(id), TenantId::from(tenant), *matched))
        }
    };
    let row = ReviewRow {
        gateway: GatewayName::from(gateway),
        account: some(account).map(AccountId::from),
        profile: ProfileId::from(profile),
        findings: found,
        customer,
        named_owner: some(named).map(CustomerId::from),
        active_subscriptions: number(active, "active_subscriptions")?,
        ended_subscriptions: number(ended, "ended_subscriptions")?,
        email: None,
    };
    if row.digest().to_string() == digest { Ok(row) } else { Err("row") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ApprovalError;

    fn rows() -> Vec<ReviewRow> {
        ["cus_1", "cus_2", "cus_3"]
            .map(|profile| ReviewRow {
                gateway: "stripe".into(),
                account: Some("acct_1".into()),
                profile: profile.into(),
                findings: BTreeSet::from([Finding::Orphan, Finding::SubscriptionsEnded]),
                customer: (profile == "cus_3").then(|| ("3".into(), "acme".into(), MatchedBy::Email)),
                named_owner: None,
                active_subscriptions: Some(0),
                ended_subscriptions: Some(2),
                email: Some("=canary@example.org".to_owned()),
            })
            .to_vec()
    }

    fn written(emails: bool) -> String {
        let mut writer = ReviewWriter::new(Vec::new(), emails).unwrap();
        writer.write(&rows()).unwrap();
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn only_confirmed_rows_come_back() {
        let text = written(false);
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(
            Review::from_csv(text.as_bytes()).unwrap().rows().len(),
            0,
            "nothing without a confirmation"
        );
        let review = Review::from_csv(
            text.replace("\n,stripe,acct_1,cus_2", "\nerase,stripe,acct_1,cus_2").as_bytes(),
        );
        let review = review.unwrap();
        assert_eq!(review.rows()[0].profile.as_str(), "cus_2");
        let all = Review::from_csv(text.replace("\n,", "\nerase,").as_bytes()).unwrap();
        assert_eq!(all.rows().len(), 3);
        assert_ne!(all.digest(), review.digest(), "the digest is of what was confirmed");
        // The file was saved by a spreadsheet, with another order of the rows and columns.
        let mut lines: Vec<&str> = text.lines().collect();
        lines[1..].reverse();
        let turned: Vec<String> = lines
            .iter()
            .map(|line| line.split(',').rev().collect::<Vec<_>>().join(","))
            .map(|line| if line.ends_with(',') { format!("{line}erase") } else { line })
            .collect();
        assert_eq!(Review::from_csv(turned.join("\r\n").as_bytes()).unwrap().digest(), all.digest());
    }

    #[test]
    fn an_address_is_there_only_if_asked_for_and_is_no_formula() {
        assert!(written(true).contains(",'=canary@example.org"), "{}", written(true));
        assert!(!format!("{:?}", rows()).contains("cus_"));
    }

    #[test]
    fn what_was_changed_is_named_by_line_and_column() {
        let text = written(false).replace("\n,", "\nerase,");
        for (from, to, place) in [
            ("cus_2", "cus_9", "line 3, column row: was changed after it was written"),
            ("erase,stripe,acct_1,cus_2", "yes,stripe,acct_1,cus_2", "line 3, column confirm: is not erase"),
            ("orphan+subscriptions_ended", "orphan+tired", "line 2, column findings"),
            ("acct_1,cus_3", "acct_1,cus_1", "line 4, column row"),
            (",findings,", ",finding,", "line 1, column findings: is missing; did you mean finding?"),
        ] {
            let problems = Review::from_csv(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(problems.contains(place), "{problems}");
            assert!(!problems.contains("cus_"), "{problems}");
        }
        let twice = format!("{text}{}", text.lines().nth(1).unwrap());
        let problems = Review::from_csv(twice.as_bytes()).unwrap_err().to_string();
        assert!(problems.contains("line 5, column profile: appears twice"), "{problems}");
        let problems = Review::from_csv(&b"confirm,\xff\n"[..]).unwrap_err().to_string();
        assert!(problems.contains("UTF-8"), "{problems}");
    }

    #[test]
    fn what_is_ambiguous_cannot_be_confirmed() {
        let mut row = rows().remove(0);
        row.findings.insert(Finding::Ambiguous);
        let mut writer = ReviewWriter::new(Vec::new(), false).unwrap();
        writer.write(&[row]).unwrap();
        let text = String::from_utf8(writer.finish().unwrap()).unwrap();
        assert!(Review::from_csv(text.as_bytes()).unwrap().rows().is_empty(), "to list it is fine");
        let problems = Review::from_csv(text.replace("\n,", "\nerase,").as_bytes()).unwrap_err().to_string();
        assert!(
            problems.contains("line 2, column confirm: confirms a profile that may belong to several"),
            "{problems}"
        );
    }

    #[test]
    fn an_approval_is_of_what_was_confirmed_and_of_the_tenants() {
        let at = "2026-11-21T12:00:00Z".parse().unwrap();
        let review = Review::from_csv(written(false).replace("\n,", "\nerase,").as_bytes()).unwrap();
        let approval = |digest, tenant: &str| {
            Approval::new("op", [TenantId::from(tenant)], digest, at, chrono::TimeDelta::hours(1))
        };
        let digest = review.digest();
        let other = review.approve(approval(Digest::of_bytes(b"x"), "acme")).unwrap_err();
        assert!(matches!(other.why, ApprovalError::OtherPlan { .. }), "{other}");
        let other = other.given.approve(approval(digest, "globex")).unwrap_err();
        assert!(matches!(other.why, ApprovalError::OtherTenant { .. }), "{other}");
        assert!(other.given.approve(approval(digest, "acme")).is_ok(), "the review comes back whole");
    }
}
