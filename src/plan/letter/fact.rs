//! The facts behind the sentences of a letter.

use chrono::NaiveDate;

use super::{Lingering, ToldGateway, ToldRecipient};
use crate::data_map::{ClassName, FieldName, NotCovered};
use crate::policy::{Guard, Trigger};
use crate::treatment::{Lead, Residue};

/// The fact that a line of a letter tells. Every line has one, so that a test can hold a letter against its facts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fact {
    /// A title or a heading. It tells nothing by itself.
    Heading,
    /// An introduction to the lines below it. It tells nothing by itself.
    Introduction,
    /// The date of the letter.
    Date(NaiveDate),
    /// The controller, with contact.
    Controller,
    /// The data protection officer.
    Officer,
    /// The reference of the request.
    Reference,
    /// The day on which the request was received.
    Received(NaiveDate),
    /// The day on which the erasure was carried out at the person's request.
    CarriedOut(NaiveDate),
    /// The day on which the erasure was carried out without a request.
    CarriedOutUnasked(NaiveDate),
    /// A part of the request is refused.
    RefusedInPart,
    /// No record was found that had to be treated.
    NothingDone,
    /// Records of the class were deleted.
    Deleted(ClassName),
    /// Records of the class lost what identifies the person.
    Cleared(ClassName),
    /// Records of the class belong to nobody any more.
    HandedOver(ClassName),
    /// Records of the class are also somebody else's, and stay.
    Shared(ClassName),
    /// Fields of the person in records of others were erased.
    FieldsOfOthers(ClassName),
    /// Records of the class stay for now without what identifies the person, because kept records need them.
    Needed(ClassName),
    /// Records of the class are kept unchanged, with the policy's reason.
    Kept(ClassName),
    /// A field is kept, with the policy's reason.
    KeptField(ClassName, FieldName),
    /// A field is kept in general form where enough people share it.
    SharedField(ClassName, FieldName),
    /// A field stays in general form.
    GeneralField(ClassName, FieldName),
    /// Duties keep records of the class, with law and last day.
    Deferred(ClassName),
    /// What happens when the duties on the class have ended.
    Afterwards(ClassName),
    /// The date of some kept records cannot be read.
    Undated(ClassName),
    /// What became of profiles at a gateway.
    Gateway(ToldGateway),
    /// What is left of the person.
    Left(Residue),
    /// Records of the class stay and still held an erased value.
    Leftover(ClassName),
    /// Something that still leads to the person.
    Lead(Lead),
    /// A payment service keeps, or may keep, data that name the person.
    LeftAtGateway(ToldGateway),
    /// A recipient keeps, or may keep, data that name the person.
    LeftAtRecipient(ToldRecipient),
    /// Nobody searched the texts of others for the person.
    MentionsLeft,
    /// Rows without a class may be about the person.
    Unclaimed,
    /// Mentions in texts may mean the person, and stay.
    Uncertain,
    /// Something that the erasure does not cover.
    NotCovered(NotCovered),
    /// How long backup copies linger.
    Backups(Lingering),
    /// Tokens of identifiers stay in the suppression list until a day.
    Suppressed(NaiveDate),
    /// Tokens of identifiers will stay in the suppression list, and for how long.
    WillBeSuppressed,
    /// Old bytes lie in the files until the next scrub.
    OldBytes,
    /// Who was told, or that the person may ask for it.
    Recipients,
    /// What a recipient was told.
    Recipient(ToldRecipient),
    /// The rights of the person.
    Rights,
    /// The right to object.
    Objection,
    /// The right to withdraw consent.
    Consent,
    /// Complaint and remedy.
    Remedies,
    /// A guard that refuses the request, with its ground, its data and what can change it.
    Refused(Option<Guard>),
    /// Nothing was erased on this request.
    NothingErased,
    /// What becomes of the rest of the request.
    RestErased,
    /// The day on which the rest was erased before.
    RestWasErased(NaiveDate),
    /// The new last day of the answer, and why.
    Extended(NaiveDate),
    /// A time during which the period did not run.
    Suspended(NaiveDate),
    /// The statement is made from the rules in force.
    InForce,
    /// A trigger, with its period and start.
    Trigger(Trigger),
    /// Nothing is erased without a request.
    OnlyOnRequest,
    /// A duty: which classes, how long, from when, by which law.
    Duty(String),
    /// What is kept together with the records of a duty.
    KeptWith(ClassName, String),
    /// Records of a class expire.
    Expires(ClassName),
    /// Records of a class that have no owner expire.
    Ownerless(ClassName),
    /// Records of a class are kept at most so long.
    AtMost(String),
    /// A guard or a hold under which nothing is erased: a ground in law to refuse a request, or something that has to be
    /// settled first.
    Obstacle(Guard),
    /// A guard under which nothing is erased without a request.
    Delay(Guard),
}
