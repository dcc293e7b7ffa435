//! The laws that contracts hold adapters to, and what a contract says of an adapter that breaks one.

use std::fmt;

type Source = Box<dyn std::error::Error + Send + Sync>;

macro_rules! laws {
    ($($port:literal { $($law:ident: $says:literal,)* })*) => {
        /// A promise of a port. The docs of the port say what it means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[allow(clippy::doc_markdown, reason = "the sentences are shown as they are, without a renderer")]
        pub enum Law {
            $($(#[doc = $says] $law,)*)*
        }

        impl Law {
            /// Every law.
            pub const ALL: &'static [Self] = &[$($(Self::$law,)*)*];

            /// Whose promise it is: the name of the contract, or `adapter` or `fixture` where it is that of all.
            pub fn port(self) -> &'static str {
                match self { $($(Self::$law)|* => $port,)* }
            }

            /// The promise, in a sentence.
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
        NothingFails: "a call that nothing stands in the way of succeeds",
    }
    "ledger" {
        CaseOpensOnce: "whoever has an open case gets no second one, and the answer names the first",
        OpenAnswersInOrder: "open gives one answer per case, in order",
        CaseKeptAsOpened: "a case comes back as it was opened",
        CasesListedById: "list gives each open case once, by id, after the one named, and no more than asked for",
        CaseOpensAgain: "a case that is opened again by its worker is claimed anew, and the claim before is void",
        FencesRise: "each claim has a higher number than all before it",
        LeaseHolds: "a case is one worker's until the lease runs out",
        LeaseEnds: "another worker gets the case once the lease has run out",
        RecordRenewsLease: "record begins the lease anew",
        LateWorkerGoesOn: "a worker whose lease has run out has the case until another takes it",
        WorkerReclaims: "a worker that is started anew under its name gets its cases at once",
        ClaimSorts: "claim gives the free cases, names those that another has, and leaves out what is not open",
        LostClaimWritesNothing: "a claim that another has passed over records nothing and closes nothing, and says so",
        LostClaimReleasesNothing: "a claim that another has passed over gives nothing back",
        ReleaseFrees: "a case that is given back is free at once",
        EventsInOrder: "the events of a case come back as they were recorded, in order",
        RecordNeedsCase: "to record an event of a case that is not open is NoSuchCase",
        RecordAllOrNothing: "the events of one record are all written, or none",
        CloseAnswersInOrder: "close gives one entry per case, in order",
        CloseWipes: "a closed case is out of the case book, and its customer may have another case",
        ClosesOnce: "a case that is closed already keeps its first entry, which is returned",
        CloseNeedsCase: "to close a case that is neither open nor closed is NoSuchCase",
        CloseAllOrNothing: "the cases of one close are all closed, or none",
        EntriesNumbered: "entries are numbered 1, 2, 3 … in the order of writing, and the last number is said",
        EntriesPaged: "entries gives those after a number, in order, and no more than asked for",
        EntryKeptAsWritten: "an entry comes back with the text, what lies beside it, and the leaf that it was written with",
        EntryOfCase: "the entry of a closed case is found by the case, and there is none of any other",
        FoundByKey: "find gives the entries with one of the keys, after a number, in order or the last ones first",
        AppendRepeats: "append appends again, each time it is asked",
        AppendRefusesCases: "append refuses a closed case, and writes nothing of that call",
        TreatmentKept: "a treatment under which a case was opened is found by its digest, after the case is closed too",
        TreatmentsListed: "every treatment under which a case was opened is listed once, after the case is closed too",
        RationGivesWhatIsLeft: "take gives what is wanted, and no more than the ration has left",
        RationSmallestDecides: "take gives the same from all rations: what the smallest one has left",
        RationsApart: "what is taken under one name is taken from no other",
        RationAllOrLeast: "where less than the least is left, nothing is taken",
        RationHoldsForAll: "however many take at once, no more is taken than the limit, and all of it can be",
        HoldStands: "a hold that was placed stands, and comes back as it was placed",
        HoldPlacedOnce: "a hold that is placed again under its id stays as it was",
        HoldsFoundByKey: "standing_holds gives the holds whose keys are asked for, by id, and no others",
        HoldLifted: "a hold that is lifted stands no more, and comes back as it was lifted",
        HoldLiftedOnce: "a hold that does not stand is not lifted, stays as it was, and the answer says so",
        HoldsListed: "list_holds gives each hold once, by id, after the one named, and no more than asked for",
        RequestReceivedOnce: "a request is recorded once under its id, comes back as it was received, and the answers say so in order",
        NotesInOrder: "the notes of a request come back as they were noted, in order",
        NoteNeedsLast: "a note of somebody who has not seen the last one is not written, and the answer says so",
        EndWipesWho: "who asks is known until the request ends, and not afterwards",
        RequestsListed: "list_requests gives the requests that were asked for, once, by id, after the one named, and no more than asked for",
        RequestsForgotten: "a request that ended before the day is forgotten, no other is, and it is not received again",
        LedgerShowsNobody: "the Debug of a ledger shows no customer",
    }
    "keeps_tree" {
        HashesKept: "the hashes of an entry come back as they were given, in the order that was asked for",
        HashesOfNobody: "an entry whose hashes are not kept has none",
        HashesCounted: "hashed is the last entry whose hashes are kept",
        HashesStay: "hashes that are kept stay as they are when others are given, and what is new beside them is kept",
        HashesWithoutGap: "hashes that would leave an entry out are refused",
    }
    "customer_store" {
        PagesHaveEachOnce: "the pages hold each customer once, in the same order whatever the page's size, and come to an end",
        PagesKeepLimit: "a page has no more customers than asked for",
        ForeignCursorNeverBegins: "a cursor that is not of this store is an error, or a place: never the first page again",
        FactsOfThoseAsked: "facts answers for each customer who exists, once, and for nobody else",
        RegistrationsAgree: "a page of registrations has the customers of the page, and ends where it ends",
        FactsAgree: "the facts of a customer are those that the pages give",
        IdentifiersInOrder: "identifiers gives one answer per customer, in order; one who does not exist has none",
        DeactivateArchives: "a customer who is as expected is archived, and facts say so",
        DeactivateInOrder: "deactivate gives one answer per customer, in order",
        DeactivateAgain: "an archived customer is Already",
        DeactivateCompares: "a customer who is not as expected is Changed, and stays as before",
        DeactivateMissing: "a customer who does not exist is Missing",
        DeactivateDeclared: "a store that cannot deactivate says so in its data map and in its answers",
        ReactivateRestores: "reactivate brings back what the deactivation overwrote, from the former status that facts told before",
        ReactivateCompares: "reactivate of a customer who is not archived is Changed, and of one who does not exist Missing",
        TallyInOrder: "tally gives one answer per customer, in order; one who does not exist has no records",
        TallyOnlyReads: "tally changes nothing, and says the same again",
        EraseInOrder: "erase gives one answer per customer, in order",
        EraseMissing: "erase of a customer who does not exist is Missing",
        EraseCompares: "erase of a customer who is not as expected is Changed, and touches nothing",
        EraseLeavesNothingDue: "nothing is due of a customer whose erasure is done",
        EraseCountsAll: "erase counts every record that the tally has of a class that is treated and that no duty keeps",
        EraseAgain: "erase again changes nothing",
        OthersUntouched: "erase leaves everybody else as they were",
        NeighboursUnharmed: "a customer who cannot be read fails neither the counting nor the erasing of the others",
        FailedUntouched: "a customer of whom erase gives an error is untouched",
        StoreShowsNobody: "the Debug and the errors of a store show no value of a customer's",
    }
    "repository" {
        LoadUnknown: "load of a customer who does not exist is None",
        LoadOnlyMapped: "load gives records and fields that the data map names, each record once",
        VersionMoves: "every save gives another version",
        SaveCompares: "a save under another version is Stale, and saves nothing",
        SaveWrites: "a save writes the named fields of the named record, and nothing else",
        SaveDeletes: "a save deletes the named records, and the customer with the last of them",
        SaveHandsOver: "a record that is reassigned is not the customer's any more",
        SaveAllOrNothing: "a save that is refused saves nothing",
        SaveKeepsStatus: "an archived customer is archived in the facts, and restored to what they were before",
    }
    "gateway" {
        AccountStays: "the account is the same each time",
        UnknownProfileAbsent: "a profile that never was is Absent, and to erase it is AlreadyAbsent",
        ProfilePresent: "a profile that is there is Present, however often it is looked at",
        OwnerNamed: "a profile that names its owner says so, and one that names nobody does not",
        OwnerHeld: "a profile that names another owner is Blocked, and stays",
        SubscriptionsCounted: "running subscriptions are counted",
        ProfileErased: "a profile is Erased, and Absent then",
        ProfileErasedAgain: "to erase a profile again is AlreadyAbsent",
        ProfilesUntouched: "no other profile is touched",
        GatewayShowsNobody: "the Debug of an adapter shows no profile and no owner",
    }
    "recipient" {
        RecipientTakesSome: "a recipient takes one item at once or more, and says how long a call can take",
        RecipientAnswersEach: "tell and poll give one answer per item",
        RecipientForgets: "a person of whom a recipient confirms that it was told is not there any more",
        ToldAgain: "the same notice again is Confirmed or NothingThere",
        StrangerIsNoFailure: "to tell of somebody whom the recipient does not know is Confirmed or NothingThere",
        NeighboursStay: "nobody else is touched",
        AcceptedIsFinished: "what was accepted comes to an end",
        RecipientShowsNobody: "the Debug of an adapter shows no value by which a person is known",
    }
    "profile_listing" {
        ListedOnce: "nothing is listed twice",
        ListedAll: "every profile is listed",
        ListingEnds: "the end stays the end",
    }
    "key_ring" {
        EpochsRise: "there is an epoch, and each is higher than the one before",
        KeysStay: "opened again, a ring has the same epochs and computes the same",
        MacsInOrder: "macs gives one answer per message, in order",
        MacsRepeat: "the same key and message give the same answer, always",
        MacsReadAll: "every byte of a message counts",
        EpochsDiffer: "the key of each epoch is another one",
        NoKeyIsSaid: "an epoch without a key is NoKey",
        KeyRingShowsNothing: "the Debug of a ring and its errors show no message",
    }
    "suppression_list" {
        SuppressedToLastDay: "a token that was added is found up to and including its last day, and not afterwards",
        SuppressedInOrder: "suppressed gives one answer per token, in order",
        SuppressedToLaterDay: "a token that is added again keeps the later of both days",
        SuppressedTakenOut: "a token that is taken out is not found, no other is taken out, and the answer counts those that were there",
        SuppressedForgotten: "a token whose last day is before the day is forgotten, no other is, and no more than asked for",
        SuppressionKeysKept: "the keys come back by epoch, and the first one under an epoch stays",
    }
    "backups" {
        ScheduleStays: "the schedule is the same each time",
        CopiesOldestFirst: "copies gives each copy once, the oldest first",
        CopiesOnlyReads: "copies changes nothing, and says the same again",
        CopyRemoved: "a copy that is removed is Done, and is not among the copies then",
        CopyRemovedAgain: "to remove a copy again is Already",
        RemoveInOrder: "remove gives one answer per copy, in order",
        CopiesUntouched: "remove leaves every other copy as it is",
        StrayIsSaid: "what lies among the copies and is none is an error",
    }
    "own_strategy" {
        StrategyNamed: "it has a name, and says in a word or two what becomes of a value",
        ValuesNotErased: "a value that is to be erased does not count as erased",
        WrittenErased: "what it writes counts as erased",
        ErasedStays: "what is erased stays as it is",
        NothingRemembered: "what it writes depends on nothing that was seen before",
        GeneralisationAlone: "values of the same generalisation come out the same",
        KeepsLess: "it keeps less than the value",
        SuitsSome: "it suits some field",
        FitsWhereItSuits: "what it writes fits where it says it does",
        DiffersWhereItMust: "where values must differ, it writes a different one for every record",
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An adapter breaks a law: which one, and the smallest example that the contract found. It shows no value of a person's:
/// customers, profiles and values are told by their place.
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

    /// Whether it holds, and what was found.
    pub(super) fn hold(self, holds: bool, found: fmt::Arguments<'_>) -> Result<(), Broken> {
        if holds { Ok(()) } else { Err(self.broken(found.to_string())) }
    }
}

/// The answer of a call that nothing stands in the way of.
pub(super) fn works<T, E: Into<Source>>(call: &str, answer: Result<T, E>) -> Result<T, Broken> {
    answer.map_err(|error| Broken {
        law: Law::NothingFails,
        found: format!("{call} failed"),
        source: Some(error.into()),
    })
}
