//! Prints a certificate as text for a person.

use std::fmt;

use super::{Certificate, CertifiedClass, FileSlack};
use crate::data_map::FieldName;
use crate::ledger::{Count, DeferredRecords, MentionsResult};
use crate::plan::not_certain;
use crate::store::Otherwise;
use crate::treatment::{ClassTreatment, RecipientAction};
use crate::words::plural;

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Certificate of erasure, case {}", self.case())?;
        match self.subject() {
            Some(subject) => {
                writeln!(f, "  subject    {subject} (a token that only the ledger's key can match)")?;
            }
            None => writeln!(f, "  subject    destroyed")?,
        }
        writeln!(f, "  outcome    {}", self.outcome())?;
        let links = self.links();
        if !links.is_empty() {
            writeln!(f, "  because of {}", links.join(", "))?;
        }
        if let Some(controller) = self.controller() {
            writeln!(f, "  controller {controller}")?;
        }
        write!(f, "  trigger    {}", self.trigger())?;
        match self.ground() {
            Some(ground) => writeln!(f, " ({})", self.privacy_law().cite_erasure(ground))?,
            None => writeln!(f, " (the policy names no ground for it)")?,
        }
        if let Some(intake) = self.intake() {
            writeln!(f, "  request    {intake}")?;
        }
        let (by, at) = (&self.under().operator, self.approved_at().format("%F %T UTC"));
        writeln!(f, "  approved   by {by} at {at}")?;
        writeln!(f, "  closed     at {}", self.closed_at().format("%F %T UTC"))?;
        for class in self.records() {
            self.write_class(f, &class)?;
        }
        for (name, duty) in self.duties() {
            writeln!(f, "  duty       {name}: {duty}")?;
        }
        for (guard, finding) in self.guards() {
            writeln!(f, "  guard      {guard}: {}", finding.describe())?;
        }
        self.write_tombstones(f)?;
        for result in self.gateways() {
            writeln!(f, "  gateway.{:<12} {}", result.gateway, result.answer)?;
        }
        for result in self.recipients() {
            writeln!(f, "  recipient.{:<10} {}", result.recipient, result.answer)?;
        }
        for (name, action) in self.recipients_not_told() {
            if let RecipientAction::NotTold { why, reason } = action {
                writeln!(f, "  recipient.{name:<10} was not told: {why}: {reason}")?;
            }
        }
        self.write_mentions(f)?;
        for done in self.by_hand() {
            let day = done.at.format("%F %H:%M UTC");
            writeln!(f, "  by hand    {} by {} at {day}: {}", done.step, done.operator, done.evidence)?;
        }
        for waiver in self.waived() {
            writeln!(f, "  waived     {} by {}: {}", waiver.step, waiver.operator, waiver.reason)?;
        }
        for verified in self.verified() {
            writeln!(f, "  verified   {verified}")?;
        }
        self.write_looked_for(f)?;
        for (class, fields) in self.uncertain() {
            for (field, count) in fields {
                writeln!(f, "  mentions   in {class}.{field} {}", not_certain(*count))?;
            }
        }
        if let Some(suppressing) = self.suppressing() {
            writeln!(f, "  suppressed {suppressing}")?;
        }
        for backup in self.backups() {
            let name = &backup.backups;
            match self.copies_gone().get(name) {
                Some(seen) => {
                    let day = seen.date_naive();
                    writeln!(f, "  backups    {name}: no copy from before the case was there on {day}")?;
                }
                None => writeln!(f, "  backups    {name} may hold the old data {}", backup.horizon)?,
            }
        }
        let slack = match self.file_slack {
            FileSlack::Pending => {
                "pending: old bytes may lie in the store's files until the next scrub".to_owned()
            }
            FileSlack::Scrubbed { at } => format!("scrubbed at {}", at.format("%F %T UTC")),
            FileSlack::NotKnown => "not known: this store has no scrub".to_owned(),
        };
        writeln!(f, "  files      {slack}")?;
        for what in self.not_covered() {
            writeln!(f, "  not covered: {what}")?;
        }
        writeln!(f, "  made by    relinquish {}", self.crate_version())?;
        write!(f, "  leaf       {} (the digest of entry {} of the ledger)", self.leaf(), self.entry)
    }
}

fn plural_of(count: u64, what: &str) -> String {
    format!("{count} {}", plural(count, what))
}

impl Certificate {
    /// Writes the results in the texts of others.
    fn write_mentions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(MentionsResult { counts, exact }) = self.mentions() {
            let least = if exact { "" } else { " or more" };
            writeln!(
                f,
                "  texts of others: {} read, {}{least} changed, {} not certain, {} that cannot be read",
                counts.read,
                counts.changed,
                plural_of(counts.uncertain, "mention"),
                counts.unreadable,
            )?;
        }
        Ok(())
    }

    /// Writes the erased values that were found in data that stay, and the values that could not be searched for.
    fn write_looked_for(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (class, fields) in self.looked_for().into_iter().flat_map(|looked| &looked.found) {
            for (field, found) in fields {
                let records = plural(found.rows, "record");
                write!(
                    f,
                    "  leftover   {class}.{field} still holds an erased value in {} {records}",
                    found.rows
                )?;
                match found.keys.get() {
                    Some(keys) if !keys.is_empty() => writeln!(f, ": {}", keys.join("; "))?,
                    Some(_) | None => writeln!(f)?,
                }
            }
        }
        for (class, fields) in self.looked_for().into_iter().flat_map(|looked| &looked.unknown) {
            let fields: Vec<&str> = fields.iter().map(FieldName::as_str).collect();
            writeln!(
                f,
                "  not searched for: the values of {class} ({}), which were not known any more",
                fields.join(", ")
            )?;
        }
        Ok(())
    }

    fn write_class(&self, f: &mut fmt::Formatter<'_>, class: &CertifiedClass) -> fmt::Result {
        let treated = match class.treated {
            Some(Count::Exact(count)) => count.to_string(),
            Some(Count::Unknown) => "not known".to_owned(),
            None => "-".to_owned(),
        };
        write!(f, "  {:<20} {:<10} {treated:>9}", class.class, class.action)?;
        if let Some(reason) = &class.reason {
            write!(f, "   {reason}")?;
        }
        writeln!(f)?;
        if let Some(DeferredRecords { rows, duties, until, unreadable, .. }) = &class.deferred {
            let until =
                until.map_or_else(|| "with no end that is known".to_owned(), |day| format!("until {day}"));
            let (record, are) = (plural(*rows, "record"), if *rows == 1 { "it is" } else { "they are" });
            let names: Vec<&str> = duties.keys().map(String::as_str).collect();
            writeln!(f, "    {rows} {record} kept as {are} {until}, by the duties: {}", names.join(", "))?;
            for (field, rows) in unreadable {
                writeln!(f, "    {field:<28} cannot be read in {rows} of them, so their end is not known")?;
            }
        }
        if let Some(otherwise) = &class.otherwise {
            write_otherwise(f, otherwise)?;
        }
        let treated = self.treatment.class(class.class.as_str());
        if class.treated == Some(Count::Unknown) && treated.is_some_and(ClassTreatment::or_deletes) {
            writeln!(f, "    deleted, and not handed over, where the \"Unknown Customer\" had an equal one")?;
        }
        for (field, what) in &class.fields {
            writeln!(f, "    {field:<28} {what}")?;
        }
        for (field, what) in &class.unreadable {
            writeln!(f, "    {field:<28} what could not be read: {what}")?;
        }
        for (field, what) in &class.after_duty {
            writeln!(
                f,
                "    {field:<28} what a duty defers, when nobody can be looked for any more: {what}"
            )?;
        }
        for (field, reason) in &class.kept {
            match class.kept_until.get(field) {
                Some(day) => writeln!(f, "    {field:<28} stays until {day}: {reason}")?,
                None => writeln!(f, "    {field:<28} stays as long as the record: {reason}")?,
            }
        }
        Ok(())
    }

    fn write_tombstones(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for stays in self.tombstones() {
            writeln!(f, "  tombstone  {stays}")?;
            let tombstone = self.treatment.class(stays.class.as_str()).and_then(ClassTreatment::tombstone);
            for (field, strategy) in tombstone.iter().flat_map(|tombstone| tombstone.fields()) {
                writeln!(f, "    {field:<28} {}", strategy.describe())?;
            }
            for (field, reason) in tombstone.iter().flat_map(|tombstone| tombstone.kept()) {
                writeln!(f, "    {field:<28} stays: {reason}")?;
            }
        }
        Ok(())
    }
}

/// Writes, line by line, what was done instead of the action of a class.
fn write_otherwise(f: &mut fmt::Formatter<'_>, otherwise: &Otherwise) -> fmt::Result {
    let Otherwise {
        deleted,
        meanwhile,
        fields,
        shared,
        named_others,
        nobodys_fields,
        contents,
        nobodys_records,
        cut,
        handed_over,
    } = otherwise;
    let records = |count: &u64| format!("{count} {}", plural(*count, "record"));
    let more = |count: &u64| format!("{count} more {}", plural(*count, "record"));
    if *deleted > 0 {
        writeln!(f, "    {} deleted: the \"Unknown Customer\" had an equal one", more(deleted))?;
    }
    if *meanwhile > 0 {
        writeln!(f, "    {} anonymised for now: a record that stays needs it", more(meanwhile))?;
    }
    if *fields > 0 {
        writeln!(f, "    {} of others: only fields of this person were treated there", records(fields))?;
    }
    if *shared > 0 {
        let (have, stay) = if *shared == 1 { ("is", "it stays") } else { ("are", "they stay") };
        writeln!(f, "    {} {have} also somebody else's: {stay} with that one", more(shared))?;
    }
    for (link, count) in named_others {
        writeln!(f, "    {count} of these named another customer in {link}")?;
    }
    for (link, count) in nobodys_fields {
        let keep = if *count == 1 { "keeps" } else { "keep" };
        writeln!(
            f,
            "    {count} of these {keep} the fields of whoever {link} led to: it led nowhere, so no erasure writes them"
        )?;
    }
    for (field, contents) in contents {
        writeln!(f, "    {field:<28} by their contents: {}", contents.in_words("could not"))?;
    }
    for (link, count) in nobodys_records {
        let records = records(count);
        writeln!(f, "    {records} of nobody led to these in {link}, and lost what was erased there")?;
    }
    for (links, what) in [(cut, "cut"), (handed_over, "handed over to the \"Unknown Customer\"")] {
        for (link, count) in links {
            writeln!(f, "    {link:<28} {what} in {}, which led to a record that went", records(count))?;
        }
    }
    Ok(())
}
