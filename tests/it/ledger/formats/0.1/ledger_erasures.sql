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
INSERT INTO circumstances VALUES ('22075f77a3c535d4ef7ae2a921e2bd45e3578f80a9b736d78c689461dc637c9b', '{"approved_at":"2026-11-21T12:00:00Z","backups":[],"closed_at":"2026-11-21T12:00:00Z","controller":"Fjord Broadband","crate_version":"0.1.0","key":"25e570b039a29470","mandate":"approval","opened_at":"2026-11-21T12:00:00Z","operator":"7b61dca74fb15ab7f3a732e3032241ee7779eeb4ca5924eee2844e90a39af515","rules":{"erasure":{"data_map":"56f0ca928b093ff0c1cf6c4d3ff5b6851d4e5820c65ed2b3fc50d50236c4abb8","guards":{"active_subscription":"clear","not_archived":"ignored","open_dispute":"clear","several_tenants":"clear","unpaid_invoice":"clear"},"policy":"35f5a32cf100fc0609cb5520da1ff3fa6df61047cf01ab6bc80dbeaf1edc90c2","privacy_law":"gdpr","tenant":"1","time_zone":"UTC","treatment":"clear","treatment_digest":"60ea11fd25d42a729f015b9970b338f6731c8fe734ec087f00927be944e751ad","trigger":"requested"}},"scrubbable":true,"unmapped":[{"tables":["organisations"]}]}', '[["894f65ee3e229ed3de49517a61ffcfa6","operator-7"]]');
INSERT INTO circumstances VALUES ('b27530c215cc3d6552c7279f00af22a0673b3c431e00190971b8cf9f58e1f7b0', '{"approved_at":"2026-11-21T12:00:00Z","backups":[],"closed_at":"2026-11-21T12:00:00Z","controller":"Fjord Broadband","crate_version":"0.1.0","key":"25e570b039a29470","mandate":"approval","opened_at":"2026-11-21T12:00:00Z","operator":"da23b218753a96b9e7830cafa90d38a7d36f98901821630b4c8f53e20995cc6f","rules":{"erasure":{"data_map":"56f0ca928b093ff0c1cf6c4d3ff5b6851d4e5820c65ed2b3fc50d50236c4abb8","guards":{"active_subscription":"clear","not_archived":"ignored","open_dispute":"clear","several_tenants":"clear","unpaid_invoice":"clear"},"policy":"35f5a32cf100fc0609cb5520da1ff3fa6df61047cf01ab6bc80dbeaf1edc90c2","privacy_law":"gdpr","tenant":"1","time_zone":"UTC","treatment":"clear","treatment_digest":"60ea11fd25d42a729f015b9970b338f6731c8fe734ec087f00927be944e751ad","trigger":"requested"}},"scrubbable":true,"unmapped":[{"tables":["organisations"]}]}', '[["d5db731937932ad6b787c47cfc723707","operator-7"]]');
INSERT INTO entry VALUES (1, NULL, '{"format":1,"says":{"counted":{"at":"2026-11-21T12:00:00Z","data_map":"56f0ca928b093ff0c1cf6c4d3ff5b6851d4e5820c65ed2b3fc50d50236c4abb8","schema":"ebb7791a1df992c8db1668ff4cb271d57d3d2cea47db4c011e432788e5da83bd","tables":{"activity_log":{"classes":{"activity":{"gone":{"rows":0},"nobody":{"rows":0},"rows":90}},"rows":90,"unclaimed":{"rows":0}},"call_records":{"classes":{"call_record":{"gone":{"rows":0},"nobody":{"rows":0},"rows":600}},"rows":600,"unclaimed":{"rows":0}},"clients":{"classes":{"customer":{"gone":{"rows":0},"nobody":{"rows":0},"rows":30}},"rows":30,"unclaimed":{"rows":0}},"contacts":{"classes":{"contact":{"gone":{"rows":0},"nobody":{"rows":0},"rows":30}},"rows":30,"unclaimed":{"rows":0}},"delivery_addresses":{"classes":{"delivery_address":{"gone":{"rows":0},"nobody":{"rows":0},"rows":30}},"rows":30,"unclaimed":{"rows":0}},"invoice_lines":{"classes":{"invoice_line":{"gone":{"rows":0},"nobody":{"rows":0},"rows":90}},"rows":90,"unclaimed":{"rows":0}},"invoices":{"classes":{"invoice":{"gone":{"rows":0},"nobody":{"rows":0},"rows":90}},"rows":90,"unclaimed":{"rows":0}},"orders":{"classes":{"order":{"gone":{"rows":0},"nobody":{"rows":0},"rows":90}},"rows":90,"unclaimed":{"rows":0}},"subscriptions":{"classes":{"subscription":{"gone":{"rows":0},"nobody":{"rows":0},"rows":30}},"rows":30,"unclaimed":{"rows":0}}}}}}', NULL);
INSERT INTO entry VALUES (2, '4ff190b4c2c573ec999d8db75f206447', '{"format":1,"says":{"closed":{"about":{"customer":"13eb8d342c839029dae4f6d4846e3da3b649b8d2f74e0d267727a35452307f76"},"case":"4ff190b4c2c573ec999d8db75f206447","circumstances":"22075f77a3c535d4ef7ae2a921e2bd45e3578f80a9b736d78c689461dc637c9b","closing":{"erased":{"deactivation":"done","gateways":[{"answer":{"outcome":"erased"},"gateway":"stripe","profile":"6b3843391845be6fd872277e1cdc1bc8dc4ffaecce86dbe5af24fe9681eff99a"}],"looked_for":{},"records":{"activity":{"exact":3},"call_record":{"exact":20},"contact":{"exact":1},"customer":{"exact":1},"delivery_address":{"exact":1},"invoice":{"exact":3},"order":{"exact":3}},"verified":{"activity":0,"call_record":0,"contact":1,"customer":1,"delivery_address":0,"invoice":3,"invoice_line":3,"order":3,"subscription":1},"waived":[]}},"plan":"3faf0a2d94552ff40ed8783a01f1bf90feb02993c20725a33805b247df311c46"}}}', '[["981322cfafe21d313a4ee55c85bcd04a","1:c5f7986ab42d3a17bbef56989a1bd4db0a52895c06c360e68ea4c7c8cccdaa1f"],["3d05838463aa8f00b9e42b752582b183","1:ec9b77327e84da0985c4d4492cb2c8eec47b36e4e0c42be99cfd48b6a4c94987"]]');
INSERT INTO entry VALUES (3, '811df171d767cf80c5520c19761f9082', '{"format":1,"says":{"closed":{"about":{"customer":"06002ba3c1fd3af6854f675188790d769ebde03728207ae0d77f56752fac02ba"},"case":"811df171d767cf80c5520c19761f9082","circumstances":"b27530c215cc3d6552c7279f00af22a0673b3c431e00190971b8cf9f58e1f7b0","closing":{"superseded":{"because":"used"}},"plan":"3faf0a2d94552ff40ed8783a01f1bf90feb02993c20725a33805b247df311c46"}}}', '[["4931a6761a0518e45cd1081daa0ecc86","1:c5f7986ab42d3a17bbef56989a1bd4db0a52895c06c360e68ea4c7c8cccdaa1f"]]');
INSERT INTO entry_key VALUES (X'6356F0CA928B093FF0C1CF6C4D3FF5B6851D4E5820C65ED2B3FC50D50236C4ABB8', 1);
INSERT INTO entry_key VALUES (X'7000000001EC9B77327E84DA0985C4D4492CB2C8EEC47B36E4E0C42BE99CFD48B6A4C94987', 2);
INSERT INTO entry_key VALUES (X'7300000001C5F7986AB42D3A17BBEF56989A1BD4DB0A52895C06C360E68EA4C7C8CCCDAA1F', 2);
INSERT INTO entry_key VALUES (X'7300000001C5F7986AB42D3A17BBEF56989A1BD4DB0A52895C06C360E68EA4C7C8CCCDAA1F', 3);
INSERT INTO event VALUES (6, '2026-11-21T12:00:00+00:00', 3, 3, '[{"event":{"begun":{"step":"deactivate","before":{"status":{"status":"cancelled","former":"{\"archived_at\":\"null\",\"status\":{\"text\":\"cancelled\"}}"}}}},"to":[[3,3]]}]');
INSERT INTO event VALUES (7, '2026-11-21T12:00:00+00:00', 3, 3, '[{"event":{"done":{"step":"deactivate","proof":{"deactivated":"done"}}},"to":[[3,3]]}]');
INSERT INTO event VALUES (8, '2026-11-21T12:00:00+00:00', 3, 3, '[{"event":{"blocked":{"step":{"gateway":"stripe"},"reason":"other_owner","waivable":true}},"to":[[3,3]]}]');
INSERT INTO open_case VALUES (3, '5b022195276afa537287488a71c9dfe5', '["customer","1","13"]', '{"erasure":{"tenant":"1","customer":"13","registered":"2019-02-11T09:13:00Z"}}', X'533058572068123832D0717C863FD1643C3F694E0B3D8573901875614A7166F9', 1, NULL);
INSERT INTO terms VALUES (1, '{"task":{"erasure":{"version":1,"trigger":"requested","treatment":"clear","treatment_digest":"60ea11fd25d42a729f015b9970b338f6731c8fe734ec087f00927be944e751ad","guards":{"active_subscription":"clear","several_tenants":"clear","not_archived":"ignored","unpaid_invoice":"clear","open_dispute":"clear"},"steps":["deactivate",{"gateway":"stripe"},"records","verify"],"policy":"35f5a32cf100fc0609cb5520da1ff3fa6df61047cf01ab6bc80dbeaf1edc90c2","data_map":"56f0ca928b093ff0c1cf6c4d3ff5b6851d4e5820c65ed2b3fc50d50236c4abb8"}},"mandate":{"approval":{"format":1,"operator":"operator-7","tenants":["1"],"digest":"533058572068123832d0717c863fd1643c3f694e0b3d8573901875614a7166f9","approved_at":"2026-11-21T12:00:00Z","expires_at":"2026-11-21T13:00:00Z"}},"opened_at":"2026-11-21T12:00:00Z"}');
INSERT INTO treatment VALUES ('60ea11fd25d42a729f015b9970b338f6731c8fe734ec087f00927be944e751ad', '{"name":"clear","root":"customer","classes":{"activity":{"action":"delete","fields":{},"kept":{}},"call_record":{"action":"delete","fields":{},"kept":{}},"contact":{"action":"anonymise","fields":{"email":{"token":{"form":"email","mark":true,"body":20,"short_domain":false}},"name":{"placeholder":"Anonymised {date}"},"password_hash":{"invalidate":{"form":"plain","mark":true,"body":20,"short_domain":false}},"username":{"token":{"form":"username","mark":true,"body":20,"short_domain":false}}},"kept":{}},"customer":{"action":"anonymise","fields":{"city":"clear","company":"clear","email":{"token":{"form":"email","mark":true,"body":20,"short_domain":false}},"first_name":{"placeholder":"Anonymised {date}"},"invoice_text":"clear","last_name":{"placeholder":"Anonymised {date}"},"password_hash":{"invalidate":{"form":"plain","mark":true,"body":20,"short_domain":false}},"phone":"clear","postcode":"clear","street":"clear","stripe_id":"clear"},"kept":{}},"delivery_address":{"action":"delete","fields":{},"kept":{}},"invoice":{"action":"anonymise","fields":{"billing_address":"clear","billing_name":{"placeholder":"Anonymised {date}"}},"kept":{}},"invoice_line":{"action":{"keep":{"reason":"turnover; no personal data"}},"fields":{},"kept":{}},"order":{"action":"anonymise","fields":{"deliver_to":{"placeholder":"Anonymised {date}"},"note":"clear"},"kept":{}},"subscription":{"action":{"keep":{"reason":"numbers of plans sold"}},"fields":{},"kept":{}}},"gateways":{"stripe":"erase"},"links":[{"token":{"classes":["customer"]}}],"not_covered":["mentions","other_systems","backups"]}');
INSERT INTO sqlite_sequence VALUES ('claim', 3);
INSERT INTO sqlite_sequence VALUES ('event', 8);
INSERT INTO sqlite_sequence VALUES ('open_case', 3);
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
