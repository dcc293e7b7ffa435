//! `blast_radius` and `four_eyes`: what holds for a run as a whole.

use serde_json::Value as Json;

use crate::document::{Reader, join};
use crate::policy::{BlastRadius, Share};

/// Reads a blast radius. One that is switched off limits nothing.
pub(super) fn read_blast_radius(reader: &mut Reader, value: &Json) -> Option<BlastRadius> {
    if value.as_str() == Some("off") {
        return Some(BlastRadius { customers: None, share: None });
    }
    let path = "blast_radius";
    let table = reader.table(path, value, &["customers", "share"])?;
    let customers = match table.get("customers") {
        None => Some(None),
        Some(number) => {
            let found = number.as_u64().filter(|number| *number > 0);
            if found.is_none() {
                let way_out = "write how many customers one run may hit, such as 500";
                reader.problem(join(path, "customers"), "is no whole number above 0", way_out);
            }
            found.map(Some)
        }
    };
    let share = match table.get("share") {
        None => Some(None),
        Some(value) => {
            let path = join(path, "share");
            let read = reader.text(&path, value).map(str::parse::<Share>);
            match read {
                Some(Ok(share)) => Some(Some(share)),
                Some(Err(error)) => {
                    reader.problem(path, "is no share", error.to_string());
                    None
                }
                None => None,
            }
        }
    };
    let (customers, share) = (customers?, share?);
    if customers.is_none() && share.is_none() {
        reader.problem(path, "limits nothing", "write customers = 500, or share = \"2 %\", or both");
        return None;
    }
    Some(BlastRadius { customers, share })
}
