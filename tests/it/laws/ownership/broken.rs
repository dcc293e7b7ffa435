//! Saboteurs: changes to single lines of the semantics. Each of them breaks a law, or the laws would not be worth much.

/// One line of the oracle, changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twist {
    /// Who has left still holds on to what was shared.
    NobodyHasLeft,
    /// Who has left does not count as having left while a field of somebody else's is there in the own record.
    OthersFieldsHideWhoLeft,
    /// Who left by another treatment has not left.
    OnlyThisTreatmentShows,
    /// Who left by a treatment that keeps something personal in the own record has left for every other treatment, too.
    WeakTreatmentsShow,
    /// A shared record is due with the first who leaves.
    SharedGoesWithTheFirst,
    /// A record that goes along and is deleted still gives what hangs from it to those who stay.
    DeletedRecordsStillHave,
    /// What goes with a deleted row is not looked for.
    GoesOneStep,
    /// What goes along stays if somebody who stays has it.
    AlongUnlessHad,
    /// A duty keeps its own records, and not what they need.
    NothingIsNeededWhole,
    /// What the needed records lead to may be deleted.
    NeedsOneStep,
    /// Needed records are deleted.
    NoTombstones,
    /// A record without a date is under no duty.
    NoDateEndsDuty,
    /// Records under a duty are written.
    WholeIsWritten,
    /// Records are written whose class the policy keeps.
    KeptClassesAreWritten,
    /// A field of somebody else's is written with its record.
    FieldsOfOthersGoWithTheRecord,
    /// A field of somebody else's is written only if the record is due as well.
    FieldsOfOthersWait,
    /// The value by which a record finds its customer stays.
    ValuesStay,
    /// The value of a link is written only when the person leaves to whom it leads, and not with its record.
    ValuesWaitForTheirPerson,
    /// The value by which somebody has a record is written although that person stays.
    ValuesOfThoseWhoStayGo,
    /// Values are compared letter by letter.
    ValuesAreExact,
    /// A blank value leads to the customer whose value is blank.
    BlankValuesLead,
    /// An owner link with a blank text counts, and the one behind it does not.
    BlankLinksAreFilled,
    /// Links to deleted rows are left as they are.
    LinksStay,
    /// Ends give a record to whom they lead to.
    EndsHang,
    /// `shared` is not read where it names a link of another class.
    LinksOfOthersDoNotShare,
    /// A record hangs from all of its owner links, not from the first that is not empty.
    EveryOwnerLinkCounts,
    /// What is handed over is had by the stand-in, who never leaves.
    StandInIsAPerson,
    /// A value behind an owner link that is not empty blocks those to whom it leads.
    LinksThatDoNotCountBlock,
    /// Nobody is blocked.
    NobodyIsBlocked,
    /// A `same` that leads to two people is not noticed.
    SameIsNotLookedAt,
    /// Only those are blocked who have the unclear record.
    OnlyThoseWhoHaveItAreBlocked,
}

/// All of them.
pub(super) const TWISTS: [Twist; 31] = [
    Twist::NobodyHasLeft,
    Twist::OthersFieldsHideWhoLeft,
    Twist::OnlyThisTreatmentShows,
    Twist::WeakTreatmentsShow,
    Twist::SharedGoesWithTheFirst,
    Twist::DeletedRecordsStillHave,
    Twist::GoesOneStep,
    Twist::AlongUnlessHad,
    Twist::NothingIsNeededWhole,
    Twist::NeedsOneStep,
    Twist::NoTombstones,
    Twist::NoDateEndsDuty,
    Twist::WholeIsWritten,
    Twist::KeptClassesAreWritten,
    Twist::FieldsOfOthersGoWithTheRecord,
    Twist::FieldsOfOthersWait,
    Twist::ValuesStay,
    Twist::ValuesWaitForTheirPerson,
    Twist::ValuesOfThoseWhoStayGo,
    Twist::ValuesAreExact,
    Twist::BlankValuesLead,
    Twist::BlankLinksAreFilled,
    Twist::LinksStay,
    Twist::EndsHang,
    Twist::LinksOfOthersDoNotShare,
    Twist::EveryOwnerLinkCounts,
    Twist::StandInIsAPerson,
    Twist::LinksThatDoNotCountBlock,
    Twist::NobodyIsBlocked,
    Twist::SameIsNotLookedAt,
    Twist::OnlyThoseWhoHaveItAreBlocked,
];
