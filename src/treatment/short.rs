//! Whether a treatment does at least what another one did.

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
    /// The recipient was told, and now it is not.
    Recipient(RecipientName),
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoClass(class) => write!(f, "{class} was treated, and the data map has no such class now"),
            Self::Records(class) => write!(f, "records of {class} were removed, and would stay now"),
            Self::Field { class, field } => write!(f, "{class}.{field} was erased, and would stay now"),
            Self::Gateway(gateway) => write!(f, "profiles at {gateway} were erased, and would stay now"),
            Self::Recipient(recipient) => {
                write!(f, "recipient {recipient} was told, and would not be told now")
            }
        }
    }
}

impl Treatment {
    /// What an earlier treatment erased and this one does not. Empty if this treatment does at least the same.
    ///
    /// A record that is deleted or handed over loses all its fields. How a field is erased is not compared: each
    /// strategy is irreversible. But a strategy that leaves a part of a value, such as its year, falls short of one that leaves
    /// nothing.
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
        // What is left of a value, such as its year, may stay where the same was left of it.
        let does_the_same = |now: &Strategy| {
            let reveals = now.reveals();
            reveals == Reveals::Nothing || reveals == strategy.reveals()
        };
        // It was kept for a time before, and so it is now: whoever has kept it long enough is treated the same.
        let is_later = then.kept_before.contains(field) && now.kept_for.contains_key(field);
        if !is_later && !now.fields.get(field).is_some_and(does_the_same) {
            short.push(Shortfall::Field { class: class.clone(), field: field.clone() });
        }
    }
}
