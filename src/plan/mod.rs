//! Decide, plan, approve: what one erasure will do, before anything is touched.
//!
//! Everything here is pure: no clock, no I/O. [`decide`] says what the policy requires for a customer. A [`Plan`]
//! says step by step what will happen, what stays, and why. An [`Approval`] binds the plan's digest.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::customer::{Customer, CustomerId, GatewayName, TenantId};
use crate::data_map::{
    ClassName, DataMap, DeactivationSupport, FieldName, IdentifiedBy, Link, LinkRole, NotCovered,
    RecipientName, RecordClass, UnreachedRows, WhenGone,
};
use crate::digest::Digest;
use crate::name::open_name;
use crate::policy::{Policy, Suppressing, Trigger};
use crate::treatment::{
    ClassTreatment, GatewayAction, Lead, MentionAction, RecipientAction, RecordAction, Residue,
    SmallestGroup, Stays, Tally, Treatment,
};
use crate::words::plural;

mod approval;
mod binding;
mod copies;
mod decide;
mod decision;
mod deferred;
mod expired;
mod expiry;
mod explain;
mod impact;
mod keeps;
pub mod letter;
mod mandate;
mod reason;
mod request_clock;
pub mod review;
mod standing;
mod tombstones;

pub use crate::policy::{Deferred, DeferredBy, DutyTerms};
pub use approval::{
    Approval, ApprovalError, ApprovedPlan, Authority, NotAnOperatorId, NotApproved, OperatorId,
};
pub use binding::{Binding, Terms};
pub use copies::CopiesChanged;
pub use decide::decide;
pub use decision::{
    Again, Asked, Blocked, BlockedBy, Decision, Due, GuardFinding, Missing, NotYet, Nothing, Rest,
    TreatedBefore,
};
pub use expired::{ExpiredOf, ExpiryPart, ExpiryPlace, RecordsOf};
pub use expiry::{
    ApprovedExpiry, Expiring, ExpiringClass, ExpiryOf, ExpiryPlan, ExpiryTerms, NothingExpires,
};
pub(crate) use expiry::{acting, holds_back};
pub use explain::{Explanation, Reason, explain};
pub use impact::{Impact, Shift, impact};
pub(crate) use keeps::Keeps;
pub use keeps::{Changed, KeptClass};
pub use mandate::{Mandate, MandateKind, Replay, ReplayPlan};
pub use reason::{NotAReasonCode, ReasonCode};
pub use request_clock::{
    ClockError, ComplaintClock, Extension, ExtensionReason, Holidays, NotHolidays, Regime, RequestClock,
    StopReason, Suspension,
};
pub use standing::{Limits, NotStanding, StandingApproval};
pub use tombstones::Tombstones;

open_name! {
    /// The id of a case. It is random, so it reveals nothing about the customer.
    CaseId
}

/// One step of a plan, in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Deactivates the customer: the reversible first step.
    Deactivate,
    /// Erases the customer's profiles at a payment gateway.
    Gateway(GatewayName),
    /// Tells a recipient of the customer's data that they are erased. A recipient may finish later: the case waits for
    /// it before it closes.
    Recipient(RecipientName),
    /// Removes the customer from the texts of other people. One pass does this for all customers whose cases wait at
    /// this step.
    Mentions,
    /// Erases the customer's records in the root store.
    Records,
    /// Reads everything back and verifies the result.
    Verify,
    /// Erases records that have expired, whoever they belong to.
    Expire,
    /// Remove backup copies that their rule no longer allows. Irreversible.
    Copies,
}

impl Step {
    /// Whether the step cannot be undone.
    pub fn is_irreversible(&self) -> bool {
        matches!(
            self,
            Self::Gateway(_)
                | Self::Recipient(_)
                | Self::Mentions
                | Self::Records
                | Self::Expire
                | Self::Copies
        )
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deactivate => f.write_str("deactivate"),
            Self::Gateway(name) => write!(f, "gateway.{name}"),
            Self::Recipient(name) => write!(f, "recipient.{name}"),
            Self::Mentions => f.write_str("mentions"),
            Self::Records => f.write_str("records"),
            Self::Verify => f.write_str("verify"),
            Self::Expire => f.write_str("expire"),
            Self::Copies => f.write_str("copies"),
        }
    }
}

/// Everything that one erasure will do.
///
/// `Display` is for a terminal. [`to_json`](Self::to_json) is for everything else. Neither shows personal data,
/// except for the host's own id of the customer.
#[derive(Clone, Debug)]
pub struct Plan {
    binding: Arc<Binding>,
    digest: Digest,
    due: Due,
    treatment: Arc<Treatment>,
    tally: Tally,
    tombstones: Vec<Tombstones>,
    links: Vec<Lead>,
    residue: Residue,
    identified_by: BTreeMap<RecipientName, IdentifiedBy>,
    no_deactivation: Option<String>,
    links_cut: LinksCut,
    suppressing: Option<Suppressing>,
    not_covered: Vec<NotCovered>,
    planned_at: DateTime<Utc>,
}

impl Plan {
    /// The plan for a customer who is due. The plan shares the terms of another plan, if both have the same terms.
    pub(crate) fn draft(
        policy: &Policy,
        map: &DataMap,
        customer: &Customer,
        due: &Due,
        tally: Tally,
        planned_at: DateTime<Utc>,
        terms: Option<&Arc<Terms>>,
    ) -> Option<Self> {
        let effective = policy.effective(&customer.tenant);
        let today = effective.time_zone().day(planned_at);
        let treatment = &effective.releasing(&due.treatment, &due.kept.over, today)?.0;
        let keeps = Keeps::counted(effective, &tally);
        let binding = Binding::draft(policy, map, customer, due, (keeps, today), terms)?;
        let deferred = Deferred::counted(effective, &tally);
        let tombstones = Tombstones::of(treatment, &tally, &deferred);
        let stays = |class: &ClassName| Stays {
            while_kept: deferred.iter().any(|deferred| deferred.class == *class)
                || tombstones.iter().any(|stays| stays.class == *class),
            treated: tally.classes.get(class).is_some_and(|of| {
                let kept = tally.kept.get(class).map_or(0, |kept| kept.rows);
                let of_others = tally.fields.get(class).copied().unwrap_or(0);
                of.rows.saturating_sub(of_others) > kept
            }),
            shared: tally.others.get(class).is_some_and(|others| *others > 0),
        };
        let has_profile =
            |name: &GatewayName| customer.gateway_profiles.iter().any(|profile| profile.gateway == *name);
        let links = treatment.links_with(stays, has_profile);
        Some(Self {
            digest: binding.digest(),
            binding: Arc::new(binding),
            due: Due { deferred: deferred.as_slice().into(), ..due.clone() },
            treatment: treatment.clone(),
            residue: treatment.residue_with(&links, stays),
            links,
            tombstones,
            tally,
            identified_by: map.recipients().clone(),
            no_deactivation: match map.deactivation() {
                DeactivationSupport::Supported => None,
                DeactivationSupport::None { reason } => Some(reason.clone()),
            },
            links_cut: links_cut(map, treatment),
            suppressing: effective.suppressing(&due.treatment, planned_at).filter(|_| !due.is_deferred()),
            not_covered: map.unmapped().iter().chain(treatment.not_covered()).cloned().collect(),
            planned_at,
        })
    }

    /// The plan with more entries in `not_covered`. They are not part of the digest.
    pub(crate) fn beside(mut self, not_covered: &[NotCovered]) -> Self {
        self.not_covered.extend_from_slice(not_covered);
        self
    }

    /// The same plan with the operator who made it, by an opaque id. The operator is part of the digest. A policy with
    /// `four_eyes` asks for one, and refuses an approval by the same operator.
    #[must_use]
    pub fn planned_by(self, operator: impl Into<OperatorId>) -> Self {
        let binding = Arc::new(self.binding.planned_by(operator.into()));
        Self { digest: binding.digest(), binding, ..self }
    }

    /// The operator who made the plan, if it is known.
    pub fn planner(&self) -> Option<&OperatorId> {
        self.binding.planner()
    }

    /// The digest of everything on which the decision depends. An operator approves this digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What the digest is made of.
    pub(crate) fn binding(&self) -> &Arc<Binding> {
        &self.binding
    }

    /// The decision from which the plan was made.
    pub fn due(&self) -> &Due {
        &self.due
    }

    /// The customer whose data the plan erases.
    pub fn customer(&self) -> &CustomerId {
        self.binding.customer()
    }

    /// The tenant to which the customer belongs.
    pub fn tenant(&self) -> &TenantId {
        self.binding.tenant()
    }

    /// What made the customer due.
    pub fn trigger(&self) -> Trigger {
        self.binding.trigger()
    }

    /// What is done to the records.
    pub fn treatment(&self) -> &Arc<Treatment> {
        &self.treatment
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        self.binding.steps()
    }

    /// The number of records, as counted for this plan. Not part of the digest.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The records that duties defer, class by class. They stay as they are until the last of their duties has ended.
    pub fn deferred(&self) -> &[Deferred] {
        &self.due.deferred
    }

    /// The tombstones, class by class. They are anonymised at once, and deleted together with the last record that
    /// needs them.
    pub fn tombstones(&self) -> &[Tombstones] {
        &self.tombstones
    }

    /// What stays in the suppression list if the plan is carried out today. `None`: nothing does. The policy's digest covers
    /// the rule.
    pub fn suppressing(&self) -> Option<&Suppressing> {
        self.suppressing.as_ref()
    }

    /// What still leads to the person afterwards. If there is anything, the result is called *pseudonymised*.
    pub fn links(&self) -> &[Lead] {
        &self.links
    }

    /// What the plan does not cover, in words for a person. Not part of the digest.
    pub fn not_covered(&self) -> &[NotCovered] {
        &self.not_covered
    }

    /// Writes how many mentions in a field are uncertain, if there are any.
    fn write_uncertain(
        &self,
        f: &mut fmt::Formatter<'_>,
        class: &ClassName,
        field: &FieldName,
    ) -> fmt::Result {
        match self.tally.uncertain.get(class).and_then(|fields| fields.get(field)) {
            Some(count) => writeln!(f, "      {:<28} {}", "", not_certain(*count)),
            None => Ok(()),
        }
    }

    /// Writes what the documents and the unreadable values of a field become, if there are any.
    fn write_contents(
        &self,
        f: &mut fmt::Formatter<'_>,
        class: &ClassName,
        field: &FieldName,
    ) -> fmt::Result {
        match self.tally.contents.get(class).and_then(|fields| fields.get(field)) {
            Some(contents) => {
                writeln!(f, "      {:<28} by their contents: {}", "", contents.in_words("cannot"))
            }
            None => Ok(()),
        }
    }

    /// What is left of the person afterwards.
    pub fn residue(&self) -> Residue {
        self.residue
    }

    /// The word for the result: erased, anonymised or pseudonymised, for example.
    pub fn outcome(&self) -> &'static str {
        self.residue().word(is_all_claimed(&self.not_covered))
    }

    /// The plan as JSON. `digest` is the SHA-256 digest of `binds` in canonical form (RFC 8785). For this digest,
    /// `terms` is first replaced by its own digest, which is made in the same way.
    pub fn to_json(&self) -> serde_json::Value {
        let records: Vec<_> = self
            .treatment
            .classes()
            .iter()
            .map(|(name, class)| {
                let tally = self.tally.classes.get(name).copied().unwrap_or_default();
                let fields = self.tally.fields.get(name).copied().unwrap_or_default();
                json!({
                    "class": name,
                    "action": class.action().as_str(),
                    "reason": match class.action() {
                        RecordAction::Keep { reason } => Some(reason),
                        _ => None,
                    },
                    "rows": tally.rows.saturating_sub(fields),
                    "fields_of_others": (fields > 0).then_some(fields),
                    "due": tally.due,
                    "fields": class.fields().iter().map(|(f, s)| (f.to_string(), s.describe().into())).collect::<serde_json::Map<_, _>>(),
                    "kept": class.kept(),
                    "kept_for": (!class.kept_for().is_empty()).then(|| kept_for(class)),
                    "unreadable": described(class.unreadable()),
                    "after_duty": described(class.after_duty()),
                    "uncertain_mentions": self.tally.uncertain.get(name),
                    "contents": self.tally.contents.get(name),
                    "others": self.tally.others.get(name),
                    "names_others": self.tally.named_others.get(name),
                    "fields_of_nobody": self.tally.nobodys_fields.get(name),
                    "records_of_nobody": self.tally.nobodys_records.get(name),
                    "smallest_group": class.smallest_group().map(|group| json!({
                        "least": group.least(),
                        "fields": group.fields().keys().collect::<Vec<_>>(),
                        "coarser": group.coarser().iter().map(|(f, to)| (f.to_string(), to.describe().into())).collect::<serde_json::Map<_, _>>(),
                        "too_small": self.tally.rare.get(name).copied().unwrap_or_default(),
                        "cleared": self.tally.alone.get(name).copied().unwrap_or_default(),
                    })),
                    "tombstone": class.tombstone().map(|tombstone| json!({
                        "fields": tombstone.fields().iter().map(|(f, s)| (f.to_string(), s.describe().into())).collect::<serde_json::Map<_, _>>(),
                        "kept": tombstone.kept(),
                        "needed_by": tombstone.needed_by(),
                    })),
                })
            })
            .collect();
        json!({
            "digest": self.digest,
            "binds": &*self.binding,
            "planned_at": self.planned_at,
            "records": records,
            "deferred": self.deferred(),
            "tombstones": self.tombstones,
            "gateways": self.treatment.gateways(),
            "mentions": self.treatment.mentions(),
            "recipients": self.treatment.recipients().iter().map(|(name, action)| (name.to_string(), json!({
                "action": action,
                "identified_by": self.identified_by.get(name),
            }))).collect::<serde_json::Map<_, _>>(),
            "deactivation": self.no_deactivation.as_ref().map_or_else(
                || "supported".to_owned(), |reason| format!("none: {reason}")),
            "outcome": self.outcome(),
            "suppressing": self.suppressing,
            "links": self.links.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "links_cut": link_names(&self.links_cut.cut),
            "links_handed_over": link_names(&self.links_cut.handed_over),
            "not_covered": self.not_covered.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

/// The fields that stay only for a time: how long, and what is written to them then.
fn kept_for(class: &ClassTreatment) -> serde_json::Map<String, serde_json::Value> {
    let each = class.kept_for().iter();
    each.map(|(field, kept)| {
        let says = json!({ "for": kept.period(), "then": kept.then().describe() });
        (field.to_string(), says)
    })
    .collect()
}

/// What is written, by field, as text. `None` if nothing is written.
fn described(
    fields: &BTreeMap<crate::data_map::FieldName, crate::anonymise::Strategy>,
) -> Option<BTreeMap<&str, String>> {
    let described = fields.iter().map(|(field, strategy)| (field.as_str(), strategy.describe()));
    Some(described.collect()).filter(|fields: &BTreeMap<_, _>| !fields.is_empty())
}

/// Whether a census found that a class claims every row of the mapped tables. The owner of an unclaimed row is
/// unknown.
pub(crate) fn is_all_claimed<'n>(not_covered: impl IntoIterator<Item = &'n NotCovered>) -> bool {
    let is_unclaimed = |what: &NotCovered| matches!(what, NotCovered::Rows { which: UnreachedRows::Unclaimed { .. }, rows, .. } if *rows > 0);
    !not_covered.into_iter().any(is_unclaimed)
}

/// Links from kept records to rows that the treatment deletes.
#[derive(Clone, Debug, Default)]
struct LinksCut {
    /// Links that are cut.
    cut: Vec<LinkCut>,
    /// Links that lead to the "Unknown Customer" afterwards.
    handed_over: Vec<LinkCut>,
}

/// A link that is cut or handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LinkCut {
    name: String,
    /// Whether records of other people may have such a link to a row that goes.
    in_records_of_others: bool,
}

impl LinkCut {
    /// A text that says where the link is cut.
    fn place(&self) -> &'static str {
        if self.in_records_of_others {
            "where it leads to a row that goes, in records of others too"
        } else {
            "where it leads to a row that goes"
        }
    }
}

/// The names of links.
fn link_names(links: &[LinkCut]) -> Vec<&str> {
    links.iter().map(|link| link.name.as_str()).collect()
}

fn links_cut(map: &DataMap, treatment: &Treatment) -> LinksCut {
    let goes = |class: &ClassName| {
        treatment.class(class.as_str()).is_some_and(|class| *class.action() == RecordAction::Delete)
    };
    let may_go = |class: &ClassName| {
        goes(class) || treatment.class(class.as_str()).is_some_and(ClassTreatment::or_deletes)
    };
    let shared = map.shared_classes();
    let along = map.classes_reached_along();
    let may_go_along = |class: &ClassName| {
        let own = map.class(class.as_str()).into_iter().flat_map(RecordClass::links);
        along.contains(class) || own.into_iter().any(Link::goes_along)
    };
    // A record that belongs to one other record is somebody else's in two cases: if that other record is somebody
    // else's, or if it is erased together with a record of somebody else. A person who has a record with a holding
    // link also has the row at the other end of the link.
    let is_of_others = |class: &ClassName, link: &Link| match link.role() {
        LinkRole::End if link.is_holding() => may_go_along(link.to()),
        LinkRole::End => *link.gone() != WhenGone::Same,
        LinkRole::Owner | LinkRole::Shared => shared.contains(class) || along.contains(class),
    };
    let links = map.classes().flat_map(|class| class.links().iter().map(move |link| (class, link)));
    let cut = links.filter(|(class, link)| {
        let lets_go = match link.gone() {
            WhenGone::Clear | WhenGone::StandIn => true,
            WhenGone::Goes | WhenGone::Same => link.is_clearable() && !goes(class.name()),
            WhenGone::Keep { .. } | WhenGone::Forbids => false,
        };
        // A record that is deleted together with the row at the other end has no link left to cut.
        let stays = link.role() == LinkRole::End || is_of_others(class.name(), link) || !goes(class.name());
        lets_go && may_go(link.to()) && stays
    });
    let mut links = LinksCut::default();
    for (class, link) in cut {
        let names = if *link.gone() == WhenGone::StandIn { &mut links.handed_over } else { &mut links.cut };
        let name = format!("{}.{}", class.name(), link.name());
        let in_records_of_others = is_of_others(class.name(), link);
        match names.last_mut().filter(|last| last.name == name) {
            Some(last) => last.in_records_of_others |= in_records_of_others,
            None => names.push(LinkCut { name, in_records_of_others }),
        }
    }
    links
}

impl Plan {
    /// Writes what happens to the records of a class, field by field.
    fn write_class(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &ClassName,
        class: &ClassTreatment,
    ) -> fmt::Result {
        let fields = self.tally.fields.get(name).copied().unwrap_or_default();
        let rows = self.tally.classes.get(name).map_or(0, |tally| tally.rows.saturating_sub(fields));
        let kept = self.tally.kept.get(name).map_or(0, |kept| kept.rows);
        let needed = self.tally.tombstones.get(name).copied().unwrap_or_default();
        let is_kept = matches!(class.action(), RecordAction::Keep { .. });
        // Records that a duty keeps are not treated. Tombstones have separate lines.
        let treated = if is_kept { rows } else { rows.saturating_sub(kept).saturating_sub(needed) };
        write!(f, "    {name:<20} {:<10} ", class.action().as_str())?;
        if treated == rows {
            write!(f, "{rows:>6} {}", plural(rows, "row"))?;
        } else {
            write!(f, "{treated:>6} of {rows} {}", plural(rows, "row"))?;
        }
        if let RecordAction::Keep { reason } = class.action() {
            write!(f, "   {reason}")?;
        }
        writeln!(f)?;
        if fields > 0 {
            let row = plural(fields, "row");
            writeln!(f, "      {fields} more {row} of others: only fields of this person are treated there")?;
        }
        if let Some(others) = self.tally.others.get(name).filter(|others| **others > 0) {
            let (have, stay) = if *others == 1 { ("is", "it stays") } else { ("are", "they stay") };
            writeln!(f, "      {others} more {have} also somebody else's: {stay} with that one")?;
        }
        for (link, rows) in self.tally.named_others.get(name).into_iter().flatten() {
            let name = if *rows == 1 { "names" } else { "name" };
            writeln!(f, "      {rows} of these {name} another customer in {link}")?;
        }
        for (link, rows) in self.tally.nobodys_fields.get(name).into_iter().flatten() {
            let keep = if *rows == 1 { "keeps" } else { "keep" };
            writeln!(
                f,
                "      {rows} of these {keep} the fields of whoever {link} leads to: it leads nowhere, so no erasure writes them"
            )?;
        }
        for (link, rows) in self.tally.nobodys_records.get(name).into_iter().flatten() {
            let (lead, lose) = if *rows == 1 { ("leads", "it loses") } else { ("lead", "they lose") };
            writeln!(
                f,
                "      {rows} {} of nobody {lead} here in {link}: {lose} what is erased here",
                plural(*rows, "row")
            )?;
        }
        if class.or_deletes() {
            writeln!(
                f,
                "      deleted, and not handed over, where the \"Unknown Customer\" has an equal one"
            )?;
        }
        for (field, strategy) in class.fields() {
            writeln!(f, "      {field:<28} {}", strategy.describe())?;
            self.write_uncertain(f, name, field)?;
            if !class.unreadable().contains_key(field) {
                self.write_contents(f, name, field)?;
            }
        }
        for (field, strategy) in class.unreadable() {
            writeln!(f, "      {field:<28} what cannot be read: {}", strategy.describe())?;
            self.write_contents(f, name, field)?;
        }
        for (field, strategy) in class.after_duty() {
            let what = strategy.describe();
            writeln!(
                f,
                "      {field:<28} what a duty defers, when nobody can be looked for any more: {what}"
            )?;
        }
        for (field, reason) in class.kept() {
            writeln!(f, "      {field:<28} {}", class.describe_kept(field, reason))?;
        }
        if let Some(group) = class.smallest_group() {
            let of = |counted: &BTreeMap<ClassName, u64>| counted.get(name).copied().unwrap_or_default();
            writeln!(f, "      {}", of_group(group, of(&self.tally.rare), of(&self.tally.alone)))?;
        }
        Ok(())
    }
}

impl Plan {
    /// Writes what outside parties keep, what happens to texts of other people, and which recipients are not told.
    fn write_parties(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, action) in self.treatment.gateways() {
            if let GatewayAction::Keep { reason } = action {
                writeln!(f, "    gateway.{name:<12} keep   {reason}")?;
            }
        }
        for (name, action) in self.treatment.mentions() {
            match action {
                MentionAction::Redact(with) => writeln!(f, "    mention.{name:<12} replaced by {with:?}")?,
                MentionAction::Keep { reason } => writeln!(f, "    mention.{name:<12} keep   {reason}")?,
            }
        }
        for (name, action) in self.treatment.recipients() {
            if let RecipientAction::NotTold { why, reason } = action {
                writeln!(f, "    recipient.{name:<10} not told: {why}: {reason}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binding = &self.binding;
        writeln!(f, "Plan {}", self.digest)?;
        writeln!(f, "  customer   {} of tenant {}", binding.customer().as_str(), binding.tenant())?;
        write!(f, "  because    {}", binding.trigger())?;
        if binding.is_deferred() {
            let over = &binding.kept_before().over;
            write!(f, ", {}", if over.is_empty() { Missing::Deferred } else { Missing::Kept })?;
        }
        writeln!(f)?;
        writeln!(f, "  treatment  {}", binding.treatment())?;
        if let Some(operator) = binding.planner() {
            writeln!(f, "  planned by {operator}")?;
        }
        writeln!(f, "  steps")?;
        if let Some(reason) = &self.no_deactivation {
            writeln!(f, "    -  no deactivation: {reason}")?;
        }
        for (n, step) in binding.steps().iter().enumerate() {
            let what = match step {
                Step::Deactivate => "deactivate the customer; this can be taken back".to_owned(),
                Step::Gateway(name) => {
                    let account = binding.accounts().get(name);
                    let account = account.map_or_else(String::new, |account| format!(" (account {account})"));
                    format!("erase the profiles at {name}{account}; this CANNOT be taken back")
                }
                Step::Recipient(name) => {
                    let by = self.identified_by.get(name).map(|by| by.words().collect::<Vec<_>>().join(", "));
                    let by = by.unwrap_or_default();
                    format!(
                        "tell recipient {name}, identifying the person by {by}; this CANNOT be taken back"
                    )
                }
                Step::Mentions => {
                    "take the person out of the texts of others, in the next pass over them; this CANNOT be \
                                   taken back"
                        .to_owned()
                }
                Step::Records => "erase the records below; this CANNOT be taken back".to_owned(),
                Step::Verify => "read back, then issue the certificate".to_owned(),
                Step::Expire => "erase what has expired; this CANNOT be taken back".to_owned(),
                Step::Copies => "remove copies; this CANNOT be taken back".to_owned(),
            };
            writeln!(f, "    {}  {what}", n + 1)?;
        }
        writeln!(f, "  records")?;
        for (name, class) in self.treatment.classes() {
            self.write_class(f, name, class)?;
        }
        for deferred in self.deferred() {
            writeln!(f, "    {deferred}")?;
        }
        self.write_parties(f)?;
        for link in &self.links_cut.cut {
            writeln!(f, "    {:<30} cut {}", link.name, link.place())?;
        }
        for link in &self.links_cut.handed_over {
            let place = link.place();
            writeln!(f, "    {:<30} handed over to the \"Unknown Customer\" {place}", link.name)?;
        }
        for stays in &self.tombstones {
            writeln!(f, "    {stays}")?;
            let tombstone = self.treatment.class(stays.class.as_str()).and_then(ClassTreatment::tombstone);
            for (field, strategy) in tombstone.iter().flat_map(|tombstone| tombstone.fields()) {
                writeln!(f, "      {field:<28} {}", strategy.describe())?;
                self.write_uncertain(f, &stays.class, field)?;
                self.write_contents(f, &stays.class, field)?;
            }
            for (field, reason) in tombstone.iter().flat_map(|tombstone| tombstone.kept()) {
                writeln!(f, "      {field:<28} stays: {reason}")?;
            }
        }
        let word = self.outcome();
        write!(f, "  afterwards the person is {word}")?;
        if !self.links().is_empty() {
            let links: Vec<String> = self.links.iter().map(ToString::to_string).collect();
            write!(f, ", because these stay: {}", links.join(", "))?;
        }
        if let Some(suppressing) = &self.suppressing {
            write!(f, "\n  suppressed: {suppressing}")?;
        }
        for what in &self.not_covered {
            write!(f, "\n  not covered: {what}")?;
        }
        Ok(())
    }
}

/// The sentence about uncertain mentions.
pub(crate) fn not_certain(count: u64) -> String {
    let are = if count == 1 { "is" } else { "are" };
    format!(
        "{count} {} {are} not certain to mean this person, and not replaced: look there",
        plural(count, "mention")
    )
}

/// The sentence about the result of a smallest group.
fn of_group(group: &SmallestGroup, rare: u64, alone: u64) -> String {
    let fields: Vec<&str> = group.fields().keys().map(FieldName::as_str).collect();
    let (fields, least) = (fields.join(" + "), group.least());
    let written = |cleared: bool| {
        let each = group.fields().iter().map(|(field, strategy)| match group.coarser().get(field) {
            Some(coarser) if !cleared => format!("{field}: {}", coarser.describe()),
            _ => format!("{field}: {}", strategy.describe()),
        });
        each.collect::<Vec<_>>().join(", ")
    };
    if rare == 0 {
        format!("{fields}: {least} customers or more share what stays, or there is nothing left of it")
    } else if alone == 0 {
        format!(
            "{fields}: fewer than {least} customers share what would stay, so it is made more general: {}",
            written(false)
        )
    } else {
        format!("{fields}: fewer than {least} customers share what would stay, so it goes: {}", written(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::treatment::ClassTally;

    #[test]
    fn what_a_gateway_or_the_store_has_erased_cannot_be_taken_back() {
        let steps = [Step::Deactivate, Step::Gateway("stripe".into()), Step::Records, Step::Verify];
        assert_eq!(steps.map(|step| step.is_irreversible()), [false, true, true, false]);
    }

    /// A store may name a class with a count of 0.
    #[test]
    fn a_count_of_none_leaves_nothing_to_do() {
        let mut tally = Tally::default();
        tally.classes.insert("order".into(), ClassTally { rows: 3, due: 0 });
        tally.rare.insert("customer".into(), 0);
        assert!(!tally.is_anything_left());
        tally.rare.insert("customer".into(), 1);
        assert!(tally.is_anything_left());
        tally.rare.clear();
        tally.classes.insert("order".into(), ClassTally { rows: 3, due: 1 });
        assert!(tally.is_anything_left());
    }
}
