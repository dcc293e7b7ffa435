//! Compares two treatments: whether the later treatment erases at least as much as the earlier one.

use std::fmt;

use super::{ClassTreatment, GatewayAction, RecipientAction, RecordAction, Treatment};
use crate::anonymise::{Reveals, Strategy};
use crate::customer::GatewayName;
use crate::data_map::{ClassName, FieldName, RecipientName};

/// Something that an earlier treatment erased, and that a later treatment does not erase.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shortfall {
    /// The data map has no such record class any more.
    NoClass(ClassName),
    /// The records were deleted or handed over, and now they stay.
    Records(ClassName),
    /// The field was erased, and now it stays.
    Field {
        /// The record class.
        class: ClassName,
        /// The field.
        field: FieldName,
    },
    /// The profiles at the gateway were erased, and now they stay.
    Gateway(GatewayName),
    /// The recipient was notified, and now it is not.
    Recipient(RecipientName),
    /// Mentions in the texts of the class were removed, and now they stay.
    Mentions(ClassName),
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoClass(class) => write!(f, "{class} was treated, and the data map has no such class now"),
            Self::Records(class) => write!(f, "records of {class} were removed, and would stay now"),
            Self::Field { class, field } => write!(f, "{class}.{field} was erased, and would stay now"),
            Self::Gateway(gateway) => write!(f, "profiles at {gateway} were erased, and would stay now"),
            Self::Mentions(class) => {
                write!(f, "mentions in the texts of {class} were taken out, and would stay now")
            }
            Self::Recipient(recipient) => {
                write!(f, "recipient {recipient} was told, and would not be told now")
            }
        }
    }
}

impl Treatment {
    /// What an earlier treatment erased and this treatment does not erase. Empty if this treatment erases at least as
    /// much.
    ///
    /// A record that is deleted or handed over loses all its fields. Strategies are not compared otherwise, because
    /// each of them is irreversible. But a strategy that leaves a part of a value, such as the year, falls short of a
    /// strategy that leaves nothing.
    pub fn falls_short_of(&self, earlier: &Self) -> Vec<Shortfall> {
        let mut short = Vec::new();
        for (class, then) in &earlier.classes {
            if matches!(then.action, RecordAction::Keep { .. }) {
                continue;
            }
            match self.classes.get(class) {
                Some(now) => falls_short(class, now, then, &mut short),
                None => short.push(Shortfall::NoClass(class.clone())),
            }
        }
        let erased = |action: &GatewayAction| matches!(action, GatewayAction::Erase);
        for (gateway, _) in earlier.gateways.iter().filter(|(_, action)| erased(action)) {
            if !self.gateways.get(gateway).is_some_and(erased) {
                short.push(Shortfall::Gateway(gateway.clone()));
            }
        }
        let redacted = |treatment: &Self, class: &ClassName| {
            treatment.redacted_mentions().any(|(redacted, _)| redacted == class)
        };
        for class in earlier.mentions.keys().filter(|class| redacted(earlier, class)) {
            if !redacted(self, class) {
                short.push(Shortfall::Mentions(class.clone()));
            }
        }
        let told = |action: &RecipientAction| *action == RecipientAction::Tell;
        for (recipient, _) in earlier.recipients.iter().filter(|(_, action)| told(action)) {
            if !self.recipients.get(recipient).is_some_and(told) {
                short.push(Shortfall::Recipient(recipient.clone()));
            }
        }
        short
    }
}

fn falls_short(class: &ClassName, now: &ClassTreatment, then: &ClassTreatment, short: &mut Vec<Shortfall>) {
    let is_removed = match (&then.action, &now.action) {
        (_, RecordAction::Delete) => return,
        (RecordAction::Delete, _) => false,
        (RecordAction::Reassign, now) => *now == RecordAction::Reassign,
        (RecordAction::Anonymise | RecordAction::Keep { .. }, _) => true,
    };
    if !is_removed {
        short.push(Shortfall::Records(class.clone()));
        return;
    }
    for (field, strategy) in &then.fields {
        // A part of a value, such as the year, may stay if the earlier treatment left the same part.
        let does_the_same = |now: &Strategy| {
            let reveals = now.reveals();
            reveals == Reveals::Nothing || reveals == strategy.reveals()
        };
        // Both treatments keep the field for a time. When the time is over, both treat it in the same way.
        let is_later = then.kept_before.contains(field) && now.kept_for.contains_key(field);
        if !is_later && !now.fields.get(field).is_some_and(does_the_same) {
            short.push(Shortfall::Field { class: class.clone(), field: field.clone() });
        }
    }
}
