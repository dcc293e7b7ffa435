//! Saboteurs: each changes a single line of the oracle. Every saboteur has to break a law. Otherwise the laws would
//! not notice such a fault.

/// A change of one line of the oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twist {
    /// A customer who has left still counts as an owner of shared records.
    NobodyHasLeft,
    /// A customer has left, but the customer's own row still has a field of another person. The customer wrongly does
    /// not count as having left.
    OthersFieldsHideWhoLeft,
    /// Who left by another treatment has not left.
    OnlyThisTreatmentShows,
    /// Who left by a treatment that keeps something personal in the own record has left for every other treatment, too.
    WeakTreatmentsShow,
    /// A shared record is due with the first who leaves.
    SharedGoesWithTheFirst,
    /// A record goes along and is deleted. The people who stay still own other records through it.
    DeletedRecordsStillHave,
    /// The oracle does not look for records that go along with a deleted row.
    GoesOneStep,
    /// A record does not go along if somebody who stays has it.
    AlongUnlessHad,
    /// A duty keeps its own records, but not the records that they need.
    NothingIsNeededWhole,
    /// A needed record's links may lead to records that are deleted.
    NeedsOneStep,
    /// Needed records are deleted.
    NoTombstones,
    /// A record without a date is under no duty.
    NoDateEndsDuty,
    /// Records under a duty are changed.
    WholeIsWritten,
    /// Records of classes that the policy keeps are changed.
    KeptClassesAreWritten,
    /// A field of another person is erased together with its record.
    FieldsOfOthersGoWithTheRecord,
    /// A field of another person is erased only if its record is due as well.
    FieldsOfOthersWait,
    /// The value by which a record finds its customer is not erased.
    ValuesStay,
    /// The value of a link is erased only when the person to whom it leads leaves, and not with its record.
    ValuesWaitForTheirPerson,
    /// A person who stays has a record by a value. This value is erased all the same.
    ValuesOfThoseWhoStayGo,
    /// Values are compared exactly, instead of as the map says.
    ValuesAreExact,
    /// A blank value leads to a customer whose value is blank too.
    BlankValuesLead,
    /// An owner link with a blank text counts, and the one behind it does not.
    BlankLinksAreFilled,
    /// Links to deleted rows are left as they are.
    LinksStay,
    /// A link that is only an end makes its target an owner of the record.
    EndsHang,
    /// `shared` has no effect if it names a link of another class.
    LinksOfOthersDoNotShare,
    /// All owner links of a record count, not only the first that is not empty.
    EveryOwnerLinkCounts,
    /// The stand-in counts as a person who has the handed-over records and never leaves.
    StandInIsAPerson,
    /// A value in a later owner link, which does not count, blocks the people to whom it leads.
    LinksThatDoNotCountBlock,
    /// Nobody is blocked.
    NobodyIsBlocked,
    /// A `same` that leads to two people is not noticed.
    SameIsNotLookedAt,
    /// Only the people who have the unclear record are blocked.
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
