PRAGMA foreign_keys = OFF;
BEGIN;
CREATE TABLE circumstances (digest TEXT PRIMARY KEY, body TEXT NOT NULL, beside TEXT) WITHOUT ROWID;
CREATE TABLE claim (
        fence INTEGER PRIMARY KEY AUTOINCREMENT,
        worker TEXT NOT NULL,
        lasts INTEGER NOT NULL,
        until INTEGER NOT NULL,
        cases INTEGER NOT NULL
    );
CREATE TABLE entry (seq INTEGER PRIMARY KEY, case_id TEXT UNIQUE, body TEXT NOT NULL, beside TEXT);
CREATE TABLE entry_key (
        key BLOB NOT NULL,
        seq INTEGER NOT NULL REFERENCES entry (seq),
        PRIMARY KEY (key, seq)
    ) WITHOUT ROWID;
CREATE TABLE event (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        body TEXT NOT NULL
    );
CREATE TABLE hold (id TEXT PRIMARY KEY, key TEXT, stands INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE open_case (
        no INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        holds TEXT NOT NULL UNIQUE,
        own TEXT NOT NULL,
        plan BLOB NOT NULL,
        terms INTEGER NOT NULL REFERENCES terms (id),
        fence INTEGER
    );
CREATE TABLE ration (name TEXT PRIMARY KEY, taken INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE request (
        id TEXT PRIMARY KEY,
        body TEXT,
        who TEXT,
        notes INTEGER NOT NULL,
        stage TEXT NOT NULL,
        due TEXT,
        ended TEXT
    ) WITHOUT ROWID;
CREATE TABLE request_note (
        request TEXT NOT NULL REFERENCES request (id),
        n INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (request, n)
    ) WITHOUT ROWID;
CREATE TABLE suppressed (token TEXT PRIMARY KEY, until TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE suppression_key (epoch INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE terms (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE treatment (digest TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tree (seq INTEGER PRIMARY KEY REFERENCES entry (seq), hashes BLOB NOT NULL);
INSERT INTO circumstances VALUES ('51105bc3992adf7a92c4be7462e38749b99cb8c1b5f9fe792ee12a5b8ed170a4', '{"approved_at":"2026-11-21T12:00:00Z","backups":[],"closed_at":"2026-11-21T12:00:00Z","crate_version":"0.1.0","key":"25e570b039a29470","mandate":"approval","opened_at":"2026-11-21T12:00:00Z","operator":"b3f2ffd68206e0a1458cd91f21c0cd3536337016c69415a4244da996588e63b1","rules":"review","scrubbable":false,"unmapped":[]}', '[["ac3a7ccce0d2e7d1c684bbb1a01da066","operator-7"]]');
INSERT INTO entry VALUES (1, '4221aa56a46373f01489ce80f44552fa', '{"format":1,"says":{"closed":{"about":{"profile":{"account":null,"gateway":"stripe","profile":"52fa7407ee66f67773c4496a7030e02dca1e0c50074f69ab52ab4c980b2aebf1"}},"case":"4221aa56a46373f01489ce80f44552fa","circumstances":"51105bc3992adf7a92c4be7462e38749b99cb8c1b5f9fe792ee12a5b8ed170a4","closing":{"profile":{"answer":{"outcome":"erased"}}},"plan":"c3cde49f87fc7e3bd971eb3a2e7d3704f5c035e350f2f70d12ceea4bc31a6590"}}}', '[["69c9b9c3d1e2066556cf78c6f147faaf","1:4400053389ff71cc19bb6158751452ef945cf91c048437c9c3723cdc428ba434"]]');
INSERT INTO entry VALUES (2, '0b2d48717d29b579226a7c52e19a15a5', '{"format":1,"says":{"closed":{"about":{"profile":{"account":null,"gateway":"stripe","profile":"4ce93d4adc6a5b12589373877c42df50ae7aaa96adaba41a6763c19eda418e86"}},"case":"0b2d48717d29b579226a7c52e19a15a5","circumstances":"51105bc3992adf7a92c4be7462e38749b99cb8c1b5f9fe792ee12a5b8ed170a4","closing":{"profile":{"answer":{"outcome":"erased"}}},"plan":"c3cde49f87fc7e3bd971eb3a2e7d3704f5c035e350f2f70d12ceea4bc31a6590"}}}', '[["c1a4791f5f74f7eb4a9d5a643bde731b","1:b1df436498b45679f6568efc5e79790d8c0d7a54fac0f7e787a2013709d3bf23"]]');
INSERT INTO entry_key VALUES (X'70000000014400053389FF71CC19BB6158751452EF945CF91C048437C9C3723CDC428BA434', 1);
INSERT INTO entry_key VALUES (X'7000000001B1DF436498B45679F6568EFC5E79790D8C0D7A54FAC0F7E787A2013709D3BF23', 2);
INSERT INTO sqlite_sequence VALUES ('claim', 1);
INSERT INTO sqlite_sequence VALUES ('event', 4);
INSERT INTO sqlite_sequence VALUES ('open_case', 2);
CREATE TRIGGER circumstances_stay BEFORE DELETE ON circumstances
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER circumstances_unchanged BEFORE UPDATE ON circumstances
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_key_stays BEFORE DELETE ON entry_key
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_key_unchanged BEFORE UPDATE ON entry_key
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_stays BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_unchanged BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE INDEX event_cases ON event (last, first);
CREATE INDEX hold_key ON hold (key) WHERE stands;
CREATE INDEX hold_stands ON hold (id) WHERE stands;
CREATE INDEX request_due ON request (due) WHERE due IS NOT NULL;
CREATE INDEX request_ended ON request (ended) WHERE body IS NOT NULL AND ended IS NOT NULL;
CREATE INDEX request_stage ON request (stage, id) WHERE ended IS NULL;
CREATE INDEX suppressed_until ON suppressed (until);
PRAGMA application_id = 1919708785;
PRAGMA user_version = 4;
COMMIT;
