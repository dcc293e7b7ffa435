//! The laws that contracts check, and the error for an adapter that breaks a law.

use std::fmt;

type Source = Box<dyn std::error::Error + Send + Sync>;

macro_rules! laws {
    ($($port:literal { $($law:ident: $says:literal,)* })*) => {
        /// A promise of a port. The docs of the port explain it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[allow(clippy::doc_markdown, reason = "the sentences are shown as they are, without a renderer")]
        pub enum Law {
            $($(#[doc = $says] $law,)*)*
        }

        impl Law {
            /// Every law.
            pub const ALL: &'static [Self] = &[$($(Self::$law,)*)*];

            /// The name of the contract to which the law belongs. It is `adapter` or `fixture` for laws of all
            /// contracts.
            pub fn port(self) -> &'static str {
                match self { $($(Self::$law)|* => $port,)* }
            }

            /// The promise, as a sentence.
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$law => $says,)*)* }
            }
        }
    };
}

laws! {
    "fixture" {
        FixtureSuffices: "the fixture gives what the contract needs",
    }
    "adapter" {
        NothingFails: "a call succeeds unless the port's docs say otherwise",
    }
    "ledger" {
        CaseOpensOnce: "a customer with an open case gets no second case, and the answer names the first case",
        OpenAnswersInOrder: "open gives one answer per case, in order",
        CaseKeptAsOpened: "a case comes back as it was opened",
        CasesListedById: "list returns each open case once, by id, after the given id, and no more than the limit",
        CaseOpensAgain: "a case that is opened again by its worker gets a new claim, and the former claim is not valid any more",
        FencesRise: "each claim has a higher number than all before it",
        LeaseHolds: "a case belongs to one worker until the lease expires",
        LeaseEnds: "another worker gets the case after the lease has expired",
        RecordRenewsLease: "record renews the lease",
        LateWorkerGoesOn: "a worker whose lease has expired keeps the case until another worker claims it",
        WorkerReclaims: "a worker that restarts under the same name gets its cases at once",
        ClaimSorts: "claim returns the free cases, names the cases of other workers, and leaves out cases that are not open",
        LostClaimWritesNothing: "with a lost claim, record and close write nothing, and return an error",
        LostClaimReleasesNothing: "with a lost claim, release changes nothing",
        ReleaseFrees: "a released case is free at once",
        EventsInOrder: "the events of a case come back as they were recorded, in order",
        RecordNeedsCase: "record for a case that is not open gives NoSuchCase",
        RecordAllOrNothing: "the events of one record are all written, or none",
        CloseAnswersInOrder: "close gives one entry per case, in order",
        CloseWipes: "a closed case is removed from the case book, and its customer may get another case",
        ClosesOnce: "a case that is closed already keeps its first entry, which is returned",
        CloseNeedsCase: "close of a case that is neither open nor closed gives NoSuchCase",
        CloseAllOrNothing: "the cases of one close are all closed, or none",
        EntriesNumbered: "entries are numbered 1, 2, 3 … in the order of writing, and last returns the last number",
        EntriesPaged: "entries returns the entries after a number, in order, and no more than the limit",
        EntryKeptAsWritten: "an entry comes back with the text, the openings and the leaf with which it was written",
        EntryOfCase: "the entry of a closed case is found by its id, and no other case has an entry",
        FoundByKey: "find returns the entries with one of the keys, after a number, in order or in reverse order",
        AppendRepeats: "append appends again with each call",
        AppendRefusesCases: "append refuses the entry of a closed case, and writes nothing of that call",
        TreatmentKept: "a treatment under which a case was opened is found by its digest, also after the case is closed",
        TreatmentsListed: "every treatment under which a case was opened is listed once, also after the case is closed",
        RationGivesWhatIsLeft: "take gives the wanted number, but no more than the ration has left",
        RationSmallestDecides: "take takes the same number from all rations: no more than the smallest ration has left",
        RationsApart: "taking under one name does not change the other rations",
        RationAllOrLeast: "if less than the minimum is left, nothing is taken",
        RationHoldsForAll: "with concurrent callers, no more than the limit is taken, and the whole limit can be taken",
        HoldStands: "a hold that was placed is in force, and comes back unchanged",
        HoldPlacedOnce: "a hold that is placed again under its id is not changed",
        HoldsFoundByKey: "standing_holds returns the holds with the given keys, by id, and no others",
        HoldLifted: "a lifted hold is not in force any more, and comes back as it was lifted",
        HoldLiftedOnce: "a hold that is not in force is not changed by lift_hold, and the answer says so",
        HoldsListed: "list_holds returns each hold once, by id, after the given id, and no more than the limit",
        RequestReceivedOnce: "a request is recorded once under its id, comes back as it was received, and the answers say so in order",
        NotesInOrder: "the notes of a request come back unchanged, in order",
        NoteNeedsLast: "a note is not written if there are newer notes that the writer has not seen, and the answer says so",
        EndWipesWho: "the requester is stored until the request ends, and not afterwards",
        RequestsListed: "list_requests returns the selected requests once, by id, after the given id, and no more than the limit",
        RequestsForgotten: "only a request that ended before the day is forgotten, and it is not received again",
        LedgerShowsNobody: "the Debug of a ledger shows no customer",
    }
    "keeps_tree" {
        HashesKept: "the hashes of an entry come back unchanged, in the order of the request",
        HashesOfNobody: "an entry without stored hashes has none",
        HashesCounted: "hashed is the last entry with stored hashes",
        HashesStay: "stored hashes are not changed by other hashes, and new hashes beside them are stored",
        HashesWithoutGap: "hashes that would leave a gap are refused",
    }
    "customer_store" {
        PagesHaveEachOnce: "the pages have each customer once, in the same order for every page size, and come to an end",
        PagesKeepLimit: "a page has no more customers than the limit",
        ForeignCursorNeverBegins: "a cursor of another store gives an error or a later page, but never the first page again",
        FactsOfThoseAsked: "facts answers once for each requested customer who exists, and for nobody else",
        RegistrationsAgree: "a page of registrations has the same customers and the same end as the page of customers",
        FactsAgree: "the facts of a customer are those that the pages give",
        IdentifiersInOrder: "identifiers gives one answer per customer, in order; a customer who does not exist has no identifiers",
        DeactivateArchives: "a customer with the expected facts is archived, and facts says so",
        DeactivateInOrder: "deactivate gives one answer per customer, in order",
        DeactivateAgain: "deactivate of an archived customer gives Already",
        DeactivateCompares: "deactivate of a customer with other facts than expected gives Changed, and changes nothing",
        DeactivateMissing: "deactivate of a customer who does not exist gives Missing",
        DeactivateDeclared: "a store that cannot deactivate says so in its data map and in its answers",
        ReactivateRestores: "reactivate restores what the deactivation overwrote, from the former status in the facts",
        ReactivateCompares: "reactivate of a customer who is not archived gives Changed, and of a customer who does not exist Missing",
        TallyInOrder: "tally gives one answer per customer, in order; a customer who does not exist has no records",
        TallyOnlyReads: "tally changes nothing, and gives the same answer again",
        EraseInOrder: "erase gives one answer per customer, in order",
        EraseMissing: "erase of a customer who does not exist gives Missing",
        EraseCompares: "erase of a customer with other facts than expected gives Changed, and touches nothing",
        EraseLeavesNothingDue: "after an erasure, no record of the customer is due",
        EraseCountsAll: "erase counts every record of the tally whose class is treated and that no duty keeps",
        EraseAgain: "erase again changes nothing",
        OthersUntouched: "erase does not change other customers",
        NeighboursUnharmed: "an unreadable customer does not fail the counting or erasing of others",
        FailedUntouched: "if erase gives an error for a customer, the customer is untouched",
        StoreShowsNobody: "the Debug and the errors of a store show no value of a customer",
    }
    "repository" {
        LoadUnknown: "load of a customer who does not exist gives None",
        LoadOnlyMapped: "load returns only records and fields that the data map names, each record once",
        VersionMoves: "every save changes the version",
        SaveCompares: "a save with another version gives Stale, and saves nothing",
        SaveWrites: "a save writes the named fields of the named record, and nothing else",
        SaveDeletes: "a save deletes the named records, and the customer with the last of them",
        SaveHandsOver: "a reassigned record does not belong to the customer any more",
        SaveAllOrNothing: "a save that is refused saves nothing",
        SaveKeepsStatus: "an archived customer is archived in the facts, and can be restored to the former status",
    }
    "gateway" {
        AccountStays: "the account is the same each time",
        UnknownProfileAbsent: "a profile that never existed is Absent, and erase gives AlreadyAbsent",
        ProfilePresent: "an existing profile is Present in every call",
        OwnerNamed: "the state contains the owner that a profile names, and no owner if it names none",
        OwnerHeld: "erase of a profile that names another owner gives Blocked, and the profile stays",
        SubscriptionsCounted: "active subscriptions are counted",
        ProfileErased: "erase gives Erased, and then the profile is Absent",
        ProfileErasedAgain: "a second erase of a profile gives AlreadyAbsent",
        ProfilesUntouched: "no other profile is touched",
        GatewayShowsNobody: "the Debug of an adapter shows no profile and no owner",
    }
    "recipient" {
        RecipientTakesSome: "a recipient accepts at least one item per call, and states the longest duration of a call",
        RecipientAnswersEach: "tell and poll give one answer per item",
        RecipientForgets: "after a confirmation, the recipient has no data of the person any more",
        ToldAgain: "a repeated notice gives Confirmed or NothingThere",
        StrangerIsNoFailure: "a notice about an unknown person gives Confirmed or NothingThere",
        NeighboursStay: "nobody else is touched",
        AcceptedIsFinished: "an accepted task is finished some time later",
        RecipientShowsNobody: "the Debug of an adapter shows no value by which a person is known",
    }
    "profile_listing" {
        ListedOnce: "nothing is listed twice",
        ListedAll: "every profile is listed",
        ListingEnds: "the end stays the end",
    }
    "key_ring" {
        EpochsRise: "there is at least one epoch, and each epoch is higher than the one before",
        KeysStay: "a ring that is opened again has the same epochs and computes the same",
        MacsInOrder: "macs gives one answer per message, in order",
        MacsRepeat: "the same key and message give the same answer, always",
        MacsReadAll: "every byte of a message counts",
        EpochsDiffer: "each epoch has a different key",
        NoKeyIsSaid: "an epoch without a key gives NoKey",
        KeyRingShowsNothing: "the Debug of a ring and its errors show no message",
    }
    "suppression_list" {
        SuppressedToLastDay: "a token that was added is found up to and including its last day, and not afterwards",
        SuppressedInOrder: "suppressed gives one answer per token, in order",
        SuppressedToLaterDay: "a token that is added again keeps the later of both days",
        SuppressedTakenOut: "a removed token is not found any more, other tokens stay, and the answer is the number of removed tokens",
        SuppressedForgotten: "only tokens whose last day is before the day are forgotten, and no more than the limit",
        SuppressionKeysKept: "the keys come back by epoch, and the first key of an epoch stays",
    }
    "backups" {
        ScheduleStays: "the schedule is the same each time",
        CopiesOldestFirst: "copies returns each copy once, the oldest first",
        CopiesOnlyReads: "copies changes nothing, and gives the same answer again",
        CopyRemoved: "remove gives Done, and then the copy is not among the copies",
        CopyRemovedAgain: "a second remove of a copy gives Already",
        RemoveInOrder: "remove gives one answer per copy, in order",
        CopiesUntouched: "remove does not change other copies",
        StrayIsSaid: "a file among the copies that is no copy gives an error",
    }
    "own_strategy" {
        StrategyNamed: "it has a name, and a short description of what it writes",
        ValuesNotErased: "a value that is to be erased does not count as erased",
        WrittenErased: "what it writes counts as erased",
        ErasedStays: "an erased value is not changed again",
        NothingRemembered: "its output does not depend on values that it has seen before",
        GeneralisationAlone: "values with the same generalisation give the same output",
        KeepsLess: "its output reveals less than the value",
        SuitsSome: "it suits at least one kind of field",
        FitsWhereItSuits: "its output fits every field that it says it suits",
        DiffersWhereItMust: "if values must be unique, it writes a different value for every record",
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error that an adapter breaks a law. It has the law, and the smallest example that the contract found. It shows
/// no personal data: customers, profiles and values are named by their index.
#[derive(Debug, thiserror::Error)]
#[error("{} breaks a law: {law}\nfound: {found}", law.port())]
pub struct Broken {
    law: Law,
    found: String,
    source: Option<Source>,
}

impl Broken {
    /// Which law.
    pub fn law(&self) -> Law {
        self.law
    }

    /// What was found instead.
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl Law {
    /// It does not hold.
    pub(super) fn broken(self, found: impl Into<String>) -> Broken {
        Broken { law: self, found: found.into(), source: None }
    }

    /// Checks a condition. If it is false, the law is broken, with the text as the example.
    pub(super) fn hold(self, holds: bool, found: fmt::Arguments<'_>) -> Result<(), Broken> {
        if holds { Ok(()) } else { Err(self.broken(found.to_string())) }
    }
}

/// The answer of a call that must not fail.
pub(super) fn works<T, E: Into<Source>>(call: &str, answer: Result<T, E>) -> Result<T, Broken> {
    answer.map_err(|error| Broken {
        law: Law::NothingFails,
        found: format!("{call} failed"),
        source: Some(error.into()),
    })
}
