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
INSERT INTO circumstances VALUES ('0326af13352faf778b9cca52fb7210945afcf18608203abf6b7f53a5545a4193', '{"approved_at":"2026-11-21T12:00:00Z","backups":[],"closed_at":"2026-11-21T12:00:00Z","controller":"Fjord Broadband","crate_version":"0.1.0","key":null,"mandate":"approval","opened_at":"2026-11-21T12:00:00Z","operator":"9c80c1ad23cf8637f09af910efd42370a8161fd3243f01a2d2fbfff8244cb52c","rules":{"expiry":{"data_map":"56f0ca928b093ff0c1cf6c4d3ff5b6851d4e5820c65ed2b3fc50d50236c4abb8","policies":["35f5a32cf100fc0609cb5520da1ff3fa6df61047cf01ab6bc80dbeaf1edc90c2"]}},"scrubbable":false,"unmapped":[{"tables":["organisations"]}]}', '[["3c0aa07e53faf94668528c076af9a356","operator-7"]]');
INSERT INTO entry VALUES (1, NULL, '{"format":1,"says":{"counted":{"at":"2026-11-21T12:00:00Z","data_map":"56f0ca928b093ff0c1cf6c4d3ff5b6851d4e5820c65ed2b3fc50d50236c4abb8","schema":"ebb7791a1df992c8db1668ff4cb271d57d3d2cea47db4c011e432788e5da83bd","tables":{"activity_log":{"classes":{"activity":{"gone":{"rows":0},"nobody":{"rows":0},"rows":87}},"rows":87,"unclaimed":{"rows":0}},"call_records":{"classes":{"call_record":{"gone":{"rows":0},"nobody":{"rows":0},"rows":580}},"rows":580,"unclaimed":{"rows":0}},"clients":{"classes":{"customer":{"gone":{"rows":0},"nobody":{"rows":0},"rows":30}},"rows":30,"unclaimed":{"rows":0}},"contacts":{"classes":{"contact":{"gone":{"rows":0},"nobody":{"rows":0},"rows":30}},"rows":30,"unclaimed":{"rows":0}},"delivery_addresses":{"classes":{"delivery_address":{"gone":{"rows":0},"nobody":{"rows":0},"rows":29}},"rows":29,"unclaimed":{"rows":0}},"invoice_lines":{"classes":{"invoice_line":{"gone":{"rows":0},"nobody":{"rows":0},"rows":90}},"rows":90,"unclaimed":{"rows":0}},"invoices":{"classes":{"invoice":{"gone":{"rows":0},"nobody":{"rows":0},"rows":90}},"rows":90,"unclaimed":{"rows":0}},"orders":{"classes":{"order":{"gone":{"rows":0},"nobody":{"rows":0},"rows":90}},"rows":90,"unclaimed":{"rows":0}},"subscriptions":{"classes":{"subscription":{"gone":{"rows":0},"nobody":{"rows":0},"rows":30}},"rows":30,"unclaimed":{"rows":0}}}}}}', NULL);
INSERT INTO entry VALUES (2, NULL, '{"format":1,"says":{"counted":{"at":"2026-11-21T12:00:00Z","data_map":"56f0ca928b093ff0c1cf6c4d3ff5b6851d4e5820c65ed2b3fc50d50236c4abb8","schema":"ebb7791a1df992c8db1668ff4cb271d57d3d2cea47db4c011e432788e5da83bd","tables":{"activity_log":{"classes":{"activity":{"gone":{"rows":0},"nobody":{"rows":0},"rows":87}},"rows":87,"unclaimed":{"rows":0}},"call_records":{"classes":{"call_record":{"gone":{"rows":0},"nobody":{"rows":0},"rows":580}},"rows":580,"unclaimed":{"rows":0}},"clients":{"classes":{"customer":{"gone":{"rows":0},"nobody":{"rows":0},"rows":30}},"rows":30,"unclaimed":{"rows":0}},"contacts":{"classes":{"contact":{"gone":{"rows":0},"nobody":{"rows":0},"rows":30}},"rows":30,"unclaimed":{"rows":0}},"delivery_addresses":{"classes":{"delivery_address":{"gone":{"rows":0},"nobody":{"rows":0},"rows":29}},"rows":29,"unclaimed":{"rows":0}},"invoice_lines":{"classes":{"invoice_line":{"gone":{"rows":0},"nobody":{"rows":0},"rows":90}},"rows":90,"unclaimed":{"rows":0}},"invoices":{"classes":{"invoice":{"gone":{"rows":0},"nobody":{"rows":0},"rows":90}},"rows":90,"unclaimed":{"rows":0}},"orders":{"classes":{"order":{"gone":{"rows":0},"nobody":{"rows":0},"rows":90}},"rows":90,"unclaimed":{"rows":0}},"subscriptions":{"classes":{"subscription":{"gone":{"rows":0},"nobody":{"rows":0},"rows":30}},"rows":30,"unclaimed":{"rows":0}}}}}}', NULL);
INSERT INTO entry VALUES (3, '5c65d9cc22ae3e6f154ae91ef0b6ad4f', '{"format":1,"says":{"closed":{"about":{"expiry":{"tenants":["1"]}},"case":"5c65d9cc22ae3e6f154ae91ef0b6ad4f","circumstances":"0326af13352faf778b9cca52fb7210945afcf18608203abf6b7f53a5545a4193","closing":{"expired":{"exact":true,"expired":[{"left":0,"of":{"tenant":"1"},"records":{"activity":87,"call_record":0}}]}},"plan":"82ee0063f50affb3635a5af3cf062abadf2eaaf6a0ed521f38591374cfa8f6fa"}}}', NULL);
INSERT INTO entry_key VALUES (X'6356F0CA928B093FF0C1CF6C4D3FF5B6851D4E5820C65ED2B3FC50D50236C4ABB8', 1);
INSERT INTO entry_key VALUES (X'6356F0CA928B093FF0C1CF6C4D3FF5B6851D4E5820C65ED2B3FC50D50236C4ABB8', 2);
INSERT INTO sqlite_sequence VALUES ('claim', 1);
INSERT INTO sqlite_sequence VALUES ('event', 3);
INSERT INTO sqlite_sequence VALUES ('open_case', 1);
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
