//! Triggers of mapped tables that forbid, ignore or rewrite the statements of a treatment. The check of the policy
//! names them.

use std::path::Path;

use relinquish::data_map::{Field, Kind, RecordClass, TableTrigger, TriggerEffect, TriggerOn};
use relinquish::store::StoreError;
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    Asked, DataMap, Engine, MemoryLedger, Outcome, PolicyDocument, RecordStore, SqlMap, SqliteStore,
};
use rusqlite::Connection;

use crate::hosts::{self, BuildCounted as _, approved};

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, state TEXT, seen TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people, body TEXT, gone TEXT);
    INSERT INTO people VALUES (1, 'Vigdis', 'on', NULL), (2, 'Bo', 'on', NULL);
    INSERT INTO notes VALUES (1, 1, 'allergic to nuts', NULL), (2, 1, 'old', '2020-01-01'), (3, 2, 'other', NULL);";

const MAP: &str = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'care' }\n\
    status = { column = 'state', active = 'on', archived = 'off' }\ndeactivate = { state = 'off' }\n\
    fields = { name = 'name', seen = 'not personal' }\n\
    [records.note]\ntable = 'notes'\nkey = 'id'\nowner = 'person'\n\
    fields = { body = 'free_text', gone = 'not personal' }\n";

const SOFT: &str = "CREATE TRIGGER soft BEFORE DELETE ON notes WHEN old.gone IS NULL
    BEGIN UPDATE notes SET gone = CURRENT_TIMESTAMP WHERE id = old.id; SELECT RAISE(IGNORE); END;";

fn policy(customer: &str, note: &str) -> PolicyDocument {
    let text = format!(
        "version = 1\nsweep = false\ntriggers.requested = {{ treatment = 't' }}\n\
         guards.active_subscription = {{ ignore = 'none is sold' }}\nguards.not_archived = {{ ignore = 'first' }}\n\
         anonymise = {{ name = 'remove', free_text = 'remove' }}\n\
         treatments.t = {{ customer = {customer}, note = {note} }}"
    );
    PolicyDocument::from_toml(&text).unwrap()
}

fn open(path: &Path, triggers: &str, map: &str) -> Result<SqliteStore, StoreError> {
    Connection::open(path).unwrap().execute_batch(&format!("{SCHEMA}{triggers}")).unwrap();
    SqliteStore::open(path, &SqlMap::from_toml(map).unwrap())
}

/// The problems of a policy, or an empty text if it fits.
fn said(triggers: &str, map: &str, customer: &str, note: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    match open(&folder.path().join("care.sqlite"), triggers, map) {
        Ok(store) => policy(customer, note)
            .check(store.data_map())
            .map_or_else(|problems| problems.to_string(), |_| String::new()),
        Err(error) => error.to_string(),
    }
}

/// A former bug: a trigger turns a delete into a mark. At run time the error blamed rows that belong to several
/// customers.
#[test]
fn a_trigger_that_swallows_a_delete_is_named_when_the_policy_is_checked() {
    let found = said(SOFT, MAP, "'anonymise'", "'delete'");
    for part in [
        "treatments.t.note",
        "cannot be deleted",
        "trigger soft of table notes (BEFORE DELETE)",
        "ignore.triggers.soft",
    ] {
        assert!(found.contains(part), "{part}: {found}");
    }
    // Every suggested correction works.
    assert_eq!(said(SOFT, MAP, "'anonymise'", "'anonymise'"), "");
    assert_eq!(said(SOFT, MAP, "'anonymise'", "{ keep = 'care' }"), "");
    let ignored = format!("{MAP}[ignore]\ntriggers.soft = 'it is dropped for a run'\n");
    assert_eq!(said(SOFT, &ignored, "'anonymise'", "'delete'"), "");
    assert_eq!(said("", &ignored, "'anonymise'", "'delete'"), "", "it may be dropped already");
}

#[test]
fn keeping_is_no_way_out_where_the_owner_goes() {
    let found = said(SOFT, MAP, "'delete'", "'delete'");
    assert!(found.contains("trigger soft") && !found.contains("keep = "), "{found}");
}

#[test]
fn a_trigger_counts_for_the_fields_that_are_written() {
    let refusing =
        |event: &str| format!("CREATE TRIGGER no {event} ON notes BEGIN SELECT RAISE(ABORT, 'no'); END;");
    for (event, treatment, is_refused) in [
        ("BEFORE UPDATE", "'anonymise'", true),
        ("AFTER UPDATE OF body", "'anonymise'", true),
        ("BEFORE UPDATE OF gone", "'anonymise'", false),
        ("BEFORE UPDATE", "'delete'", false),
        ("AFTER DELETE", "'delete'", true),
        ("BEFORE INSERT", "'delete'", false),
        ("BEFORE DELETE", "'anonymise'", false),
    ] {
        let found = said(&refusing(event), MAP, "'anonymise'", treatment);
        assert_eq!(found.contains("trigger no of table notes"), is_refused, "{event} {treatment}: {found}");
    }
    // A trigger that notes the day does no harm. A trigger that writes the old text back does.
    let setting = |column: &str| {
        format!(
            "CREATE TRIGGER back AFTER UPDATE ON notes BEGIN UPDATE notes SET {column} = old.body WHERE id = new.id; END;"
        )
    };
    assert_eq!(said(&setting("gone"), MAP, "'anonymise'", "'anonymise'"), "");
    let found = said(&setting("body"), MAP, "'anonymise'", "'anonymise'");
    assert!(found.contains("writes to body again"), "{found}");
}

/// A former bug: the deactivation failed because of the trigger, and the check had not reported it.
#[test]
fn a_trigger_that_forbids_the_deactivation_is_named_when_the_store_is_opened() {
    let frozen =
        "CREATE TRIGGER frozen BEFORE UPDATE OF state ON people BEGIN SELECT RAISE(FAIL, 'no'); END;";
    let found = said(frozen, MAP, "'anonymise'", "'delete'");
    assert!(
        found.contains("customers.deactivate") && found.contains("trigger frozen of table people"),
        "{found}"
    );
    let ignored = format!("{MAP}[ignore]\ntriggers.frozen = 'it knows this program'\n");
    assert_eq!(said(frozen, &ignored, "'anonymise'", "'delete'"), "");
}

#[tokio::test]
async fn at_run_time_the_triggers_are_named_and_never_their_texts() {
    for (trigger, wanted) in [
        (SOFT, "trigger soft of table notes (BEFORE DELETE) leaves"),
        (
            "CREATE TRIGGER no BEFORE DELETE ON notes BEGIN SELECT RAISE(ABORT, old.body); END;",
            "trigger no of table notes (BEFORE DELETE) refuses",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let ignored = format!("{MAP}[ignore]\ntriggers = {{ soft = 'for now', no = 'for now' }}\n");
        let store = open(&folder.path().join("care.sqlite"), trigger, &ignored).unwrap();
        let engine =
            Engine::builder(store, policy("'anonymise'", "'delete'"), MemoryLedger::new(), hosts::keys())
                .clock(ManualClock::at(hosts::now()))
                .entropy(RepeatableEntropy::new(1))
                .counted()
                .unwrap();
        let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await;
        assert!(plan.to_string().contains("trigger soft, ignored"), "what is ignored is said: {plan}");
        let outcome =
            engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap().to_string();
        assert!(outcome.contains(wanted) && !outcome.contains("nuts"), "{outcome}");
    }
}

#[test]
fn a_host_without_sql_can_say_it_of_its_own_triggers() {
    let note = RecordClass::new("note")
        .field(Field::key("id"))
        .field(Field::personal("body", Kind::FreeText))
        .triggered(
            TableTrigger::new("no", "notes", TriggerOn::Update, TriggerEffect::Forbids)
                .of_fields(["body".into()]),
        );
    let customer =
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
    let map = DataMap::builder(customer)
        .class(note)
        .without_deactivation("there is no such status")
        .knows(relinquish::data_map::Fact::ActiveSubscriptions)
        .build()
        .unwrap();
    let found = policy("'anonymise'", "'anonymise'").check(&map).unwrap_err().to_string();
    assert!(found.contains("trigger no of table notes"), "{found}");
}

/// A former bug: a name under `ignore.triggers` that no trigger has was accepted, while the check reported the
/// trigger that was meant.
#[test]
fn a_misspelled_trigger_that_is_ignored_is_an_error() {
    let ignored = |name: &str| format!("{MAP}[ignore.triggers]\n{name} = 'it is dropped for a run'\n");
    let found = said(SOFT, &ignored("softt"), "'anonymise'", "'delete'");
    for part in ["ignore.triggers.softt", "there is no such trigger", "did you mean soft?"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    // If no trigger has a similar name, there is only a note, because a trigger may be dropped for a run.
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("care.sqlite"), SOFT, &ignored("quite_another")).unwrap();
    let notes: Vec<String> = store.notes().iter().map(ToString::to_string).collect();
    assert!(
        notes.iter().any(|note| note.starts_with("ignore.triggers.quite_another: there is no such trigger")),
        "{notes:?}"
    );
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("care.sqlite"), SOFT, &ignored("SOFT")).unwrap();
    assert!(!store.notes().iter().any(|note| note.to_string().contains("ignore.triggers")));
    // An ignored trigger that was dropped is not an error, unless another trigger has a similar name and is not
    // ignored.
    assert_eq!(said("", &ignored("soft"), "'anonymise'", "'delete'"), "");
    let both = ignored("softt = 'dropped'\nsoft");
    assert_eq!(said(SOFT, &both, "'anonymise'", "'delete'"), "");
}

/// A former bug: the suggested line for a trigger with a quote in its name was not valid TOML.
#[test]
fn a_trigger_of_any_name_can_be_ignored_as_it_is_said() {
    let odd = SOFT.replace("TRIGGER soft", "TRIGGER \"odd \"\"name\"");
    let found = said(&odd, MAP, "'anonymise'", "'delete'");
    let line = found.split("write ").find_map(|rest| rest.split_once(" in the data map")).unwrap().0;
    assert!(line.starts_with("ignore.triggers.\"odd"), "{found}");
    let ignored = MAP.replace("version = 1\n", &format!("version = 1\n{line}\n"));
    assert_eq!(said(&odd, &ignored, "'anonymise'", "'delete'"), "");
}

/// A former bug: a trigger that calls a host's own function was reported only as "SQL logic error".
#[tokio::test]
async fn a_trigger_that_calls_an_unknown_function_is_named() {
    let calls = "CREATE TRIGGER odd BEFORE UPDATE ON notes BEGIN SELECT hosts_own(new.body); END;
        CREATE TRIGGER fine BEFORE UPDATE ON notes BEGIN SELECT lower(new.body); END;";
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("care.sqlite"), calls, MAP).unwrap();
    let engine =
        Engine::builder(store, policy("'anonymise'", "'anonymise'"), MemoryLedger::new(), hosts::keys())
            .clock(ManualClock::at(hosts::now()))
            .entropy(RepeatableEntropy::new(1))
            .counted()
            .unwrap_or_else(|problems| panic!("{problems}"));
    let plan = approved(&engine, &"1".into(), &Asked::request()).await;
    let found = format!("{:?}", engine.erase(plan).await);
    for part in ["no such function: hosts_own", "trigger odd of table notes", "drop the trigger"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    assert!(!found.contains("trigger fine"), "{found}");
}

/// A former bug: a trigger ignored or reverted the values of customers.deactivate. The customer never became
/// archived, so each case was superseded, for ever.
#[tokio::test]
async fn a_deactivation_that_comes_to_nothing_names_the_trigger() {
    let ignored = |names: &str| format!("{MAP}[ignore.triggers]\n{names}");
    let cases = [
        (
            "CREATE TRIGGER held BEFORE UPDATE OF state ON people BEGIN SELECT RAISE(IGNORE); END;",
            ignored("held = 'it lets this program pass'"),
            "trigger held of table people (BEFORE UPDATE) leaves",
        ),
        (
            "CREATE TRIGGER back AFTER UPDATE OF state ON people WHEN new.state = 'off'
             BEGIN UPDATE people SET state = 'on' WHERE id = new.id; END;",
            ignored("back = 'it lets this program pass'"),
            "trigger back of table people (AFTER UPDATE) writes to state again",
        ),
        // A trigger of another table, for which the map has a reason.
        (
            "CREATE TABLE log (person INTEGER);
             CREATE TRIGGER logs AFTER UPDATE OF state ON people BEGIN INSERT INTO log VALUES (new.id); END;
             CREATE TRIGGER far AFTER INSERT ON log BEGIN UPDATE people SET state = 'on' WHERE id = new.person; END;",
            format!("{MAP}[ignore]\nlog = 'numbers only'\ntriggers.far = 'it lets this program pass'\n"),
            "look for triggers of other tables",
        ),
    ];
    for (trigger, map, wanted) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("care.sqlite");
        let store = open(&path, trigger, &map).unwrap_or_else(|error| panic!("{error}"));
        let engine =
            Engine::builder(store, policy("'anonymise'", "'delete'"), MemoryLedger::new(), hosts::keys())
                .clock(ManualClock::at(hosts::now()))
                .entropy(RepeatableEntropy::new(1))
                .counted()
                .unwrap();
        let plan = approved(&engine, &"1".into(), &Asked::request()).await;
        let outcome = engine.erase(plan).await.unwrap();
        let Outcome::Blocked { case, .. } = &outcome else { panic!("{outcome}") };
        let text = outcome.to_string();
        for part in [
            "customers.deactivate of the data map writes state",
            "read back the customer is as before",
            wanted,
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let count = |sql: &str| -> i64 {
            Connection::open(&path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(
            count("SELECT count(*) FROM notes") + count("SELECT count(*) FROM people WHERE name IS NOT NULL"),
            5
        );
        // The suggested correction works.
        let drop = "DROP TRIGGER IF EXISTS held; DROP TRIGGER IF EXISTS back; DROP TRIGGER IF EXISTS far;";
        Connection::open(&path).unwrap().execute_batch(drop).unwrap();
        let again = engine.retry(case).await.unwrap();
        assert!(matches!(again, Outcome::Erased(_)), "{again}");
    }
}

/// A former bug: a trigger keeps a link, but the store counted the link as cleared. Without a foreign key, the link
/// was left dangling.
#[tokio::test]
async fn a_link_that_does_not_let_go_names_the_trigger() {
    let held = "CREATE TABLE links (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people, note INTEGER, word TEXT);
        INSERT INTO links VALUES (1, 2, 1, 'x');
        CREATE TRIGGER held BEFORE UPDATE ON links WHEN new.note IS NULL BEGIN SELECT RAISE(IGNORE); END;";
    let map = format!(
        "{MAP}[records.link]\ntable = 'links'\nowner = 'person'\nfields = {{ word = 'free_text' }}\n\
         ends = {{ note = {{ to = 'note', gone = 'clear' }} }}\n[ignore]\ntriggers.held = 'for now'\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let store =
        open(&folder.path().join("care.sqlite"), held, &map).unwrap_or_else(|error| panic!("{error}"));
    let text = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
         guards.active_subscription = { ignore = 'none is sold' }\nguards.not_archived = { ignore = 'first' }\n\
         anonymise = { name = 'remove', free_text = 'remove' }\n\
         treatments.t = { customer = 'anonymise', note = 'delete', link = 'delete' }";
    let policy = PolicyDocument::from_toml(text).unwrap();
    let engine = Engine::builder(store, policy, MemoryLedger::new(), hosts::keys())
        .clock(ManualClock::at(hosts::now()))
        .counted()
        .unwrap();
    let outcome =
        engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap().to_string();
    for part in ["1 rows of link still lead to rows that are to be deleted", "trigger held of table links"] {
        assert!(outcome.contains(part), "{part}: {outcome}");
    }
}

/// A former bug: the map ignores a trigger because of what it copies. But the trigger may also forbid the statements
/// of an erasure, and there was no earlier warning.
#[test]
fn an_ignored_trigger_that_forbids_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let both = "CREATE TRIGGER both BEFORE DELETE ON notes BEGIN
        INSERT INTO notes (person, body) VALUES (2, 'x'); SELECT RAISE(ABORT, 'no'); END;
        CREATE TRIGGER copies AFTER DELETE ON notes BEGIN INSERT INTO notes (person, body) VALUES (2, 'x'); END;";
    let ignored = format!("{MAP}[ignore]\ntriggers.both = 'no names'\ntriggers.copies = 'no names'\n");
    let store = open(&folder.path().join("care.sqlite"), both, &ignored).unwrap();
    let notes: Vec<String> = store.notes().iter().map(ToString::to_string).collect();
    let said: Vec<&String> = notes.iter().filter(|note| note.starts_with("ignore.triggers")).collect();
    let [only] = said.as_slice() else { panic!("{notes:?}") };
    assert!(
        only.starts_with(
            "ignore.triggers.both: the trigger forbids statements on table notes (BEFORE DELETE)"
        ),
        "{only}"
    );
}
