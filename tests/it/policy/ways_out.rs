//! Every correction that a problem suggests works: the next check accepts it.

use relinquish::{PolicyDocument, RecordStore as _};

use crate::shop::{CUSTOMERS, Shop};

fn notes(null: &str, end: &str, treatment: &str) -> Shop {
    let sql = format!(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, settings TEXT NOT NULL);
         CREATE TABLE topics (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients(id), title TEXT);
         CREATE TABLE notes (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients(id),
             topic INTEGER {null} REFERENCES topics(id), body TEXT);
         INSERT INTO clients VALUES (1, 'Ragna', '{{}}'), (2, 'Bo', 'no JSON');
         INSERT INTO topics VALUES (1, 1, 'a');
         INSERT INTO notes VALUES (1, 2, 1, 'x');"
    );
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', settings = {{ json = {{ '/name' = 'name' }}, rest = 'not personal' }} }}\n\
         [records.topic]\ntable = 'topics'\nowner = 'client'\nfields.title = 'free_text'\n\
         [records.note]\ntable = 'notes'\nowner = 'client'\nfields.body = 'free_text'\nends.topic = {end}\n"
    );
    Shop::new(&sql, &map, treatment)
}

fn passes(shop: &Shop) {
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap();
    let store = shop.store().unwrap_or_else(|error| panic!("{error}"));
    policy.check(store.data_map()).unwrap_or_else(|problems| panic!("{problems}"));
}

/// A former bug: "clear" was suggested for a link that is NOT NULL, and "goes", which works, was not.
#[tokio::test]
async fn a_link_is_offered_the_words_that_it_takes() {
    let treatment = "customer = 'anonymise'\ntopic = 'delete'\nnote = 'delete'\n";
    let said = notes("NOT NULL", "{ keep = 'no need' }", treatment).policy_refused();
    assert!(said.contains("ends.topic = \"goes\"") && !said.contains("\"clear\""), "{said}");
    assert!(said.contains("anonymise this class"), "{said}");
    passes(&notes("NOT NULL", "'goes'", treatment));
    passes(&notes(
        "NOT NULL",
        "{ keep = 'no need' }",
        &treatment.replace("topic = 'delete'", "topic = 'anonymise'"),
    ));
    let said = notes("", "{ keep = 'no need' }", treatment).policy_refused();
    assert!(said.contains("ends.topic = \"goes\"") && said.contains("ends.topic = \"clear\""), "{said}");
    let clears = notes("", "'clear'", treatment);
    passes(&clears);
    clears.erase("1").await;
    assert_eq!(clears.text("SELECT coalesce(topic, '-') || '' FROM notes"), "-");
    // If the customer's own record is deleted, the topic cannot stay.
    let gone = treatment.replace("customer = 'anonymise'", "customer = 'delete'");
    let said = notes("NOT NULL", "{ keep = 'no need' }", &gone).policy_refused();
    assert!(!said.contains("anonymise this class"), "{said}");
    passes(&notes("NOT NULL", "'goes'", &gone));
}

/// A former bug: "reassign" was suggested without an "Unknown Customer" in the map, and "anonymise" for a record that
/// belongs to a deleted record.
#[test]
fn a_class_is_offered_the_actions_that_it_takes() {
    let said = notes("", "'clear'", "customer = 'delete'\ntopic = 'delete'\n").policy_refused();
    assert!(said.contains("treatments.x.note: is not covered; write \"delete\""), "{said}");
    assert!(!said.contains("anonymise") && !said.contains("reassign") && !said.contains("keep"), "{said}");
    passes(&notes("", "'clear'", "customer = 'delete'\ntopic = 'delete'\nnote = 'delete'\n"));
    let said = notes("", "'clear'", "customer = 'anonymise'\ntopic = 'delete'\n").policy_refused();
    assert!(said.contains("write \"delete\", \"anonymise\" or { keep = \"reason\" }"), "{said}");
    for action in ["'delete'", "'anonymise'", "{ keep = 'law' }"] {
        passes(&notes(
            "",
            "'clear'",
            &format!("customer = 'anonymise'\ntopic = 'delete'\nnote = {action}\n"),
        ));
    }
}

/// A former bug: for a document in a NOT NULL column, the error suggested a placeholder and "leave the field out: it
/// is not personal".
#[tokio::test]
async fn a_document_that_cannot_be_read_becomes_a_document() {
    let treatment = |otherwise: &str| {
        format!(
            "customer = {{ action = 'anonymise', otherwise = {otherwise} }}\ntopic = 'delete'\nnote = 'delete'\n"
        )
    };
    let said = notes("", "'clear'", &treatment("'clear'")).policy_refused();
    assert!(said.contains("for values that cannot be read: write { constant = \"{}\" }"), "{said}");
    let shop = notes("", "'clear'", &treatment("{ constant = '{}' }"));
    shop.erase("2").await;
    assert_eq!(shop.text("SELECT settings FROM clients WHERE id = 2"), "{}");
}

/// A former bug: `shared = ["a+b", …]` was suggested for a foreign key of two columns, but there is no such column.
#[test]
fn a_key_of_several_columns_is_offered_no_column_of_a_joined_name() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE places (shop INTEGER, no INTEGER, client INTEGER REFERENCES clients(id), PRIMARY KEY (shop, no));
        CREATE TABLE calls (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients(id), shop INTEGER, no INTEGER,
            FOREIGN KEY (shop, no) REFERENCES places(shop, no));";
    let map = |end: &str| {
        format!(
            "{CUSTOMERS}fields.name = 'name'\n[records.place]\ntable = 'places'\nowner = 'client'\n\
             [records.call]\ntable = 'calls'\nowner = 'client'\n{end}"
        )
    };
    let said = Shop::new(sql, &map(""), "").refused();
    assert!(
        said.contains("ends.\"shop+no\" = \"goes\"") && !said.contains("shared = [\"shop+no\""),
        "{said}"
    );
    for word in ["goes", "clear"] {
        let end = format!("ends.\"shop+no\" = \"{word}\"\n");
        passes(&Shop::new(sql, &map(&end), "customer = 'delete'\nplace = 'delete'\ncall = 'delete'\n"));
    }
}

/// A small host with a treatment to check: the content of the map, and the action for each class.
#[derive(Clone, Debug)]
struct Host {
    null: &'static str,
    unique: &'static str,
    unknown: bool,
    /// The map's lines about the owner links of topics and of notes.
    owner_ends: [String; 2],
    topic_end: String,
    actions: [String; 3],
}

/// The data map of each schema and map, and the rest of the policy.
type Known = std::collections::HashMap<String, (Option<relinquish::DataMap>, String)>;

impl Host {
    /// The schema, the map and the treatment.
    fn texts(&self) -> (String, String, String) {
        let Self { null, unique, unknown, owner_ends: [of_topic, of_note], topic_end, actions } = self;
        let sql = format!(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, mail TEXT);
             CREATE TABLE topics (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients(id), title TEXT);
             CREATE TABLE notes (id INTEGER PRIMARY KEY, client INTEGER {null} REFERENCES clients(id),
                 topic INTEGER {null} REFERENCES topics(id), body TEXT{unique});"
        );
        let unknown =
            if *unknown { "[customers.unknown_customer]\nfind = { name = 'Unknown' }\n" } else { "" };
        let map = format!(
            "{CUSTOMERS}{unknown}[customers.fields]\nname = 'name'\nmail = 'email'\n\
             [records.topic]\ntable = 'topics'\nowner = 'client'\nfields.title = 'free_text'\n{of_topic}\n\
             [records.note]\ntable = 'notes'\nowner = 'client'\nfields.body = 'free_text'\nends.topic = {topic_end}\n{of_note}\n"
        );
        let [customer, topic, note] = actions;
        let each = [("customer", customer), ("topic", topic), ("note", note)];
        let lines = each.into_iter().filter(|(_, action)| !action.is_empty());
        let treatment: Vec<String> = lines.map(|(class, action)| format!("{class} = {action}\n")).collect();
        (sql, map, treatment.concat())
    }

    /// The problems by path. `None` if the map itself does not fit.
    fn said(&self, known: &mut Known) -> Option<Vec<relinquish::Problem>> {
        let (sql, map, treatment) = self.texts();
        let place = format!("{sql}{map}");
        let (data_map, policy) = known.entry(place).or_insert_with(|| {
            let shop = Shop::new(&sql, &map, "");
            (shop.store().ok().map(|store| store.data_map().clone()), shop.policy)
        });
        let policy = PolicyDocument::from_toml(&format!("{policy}{treatment}")).unwrap();
        Some(match policy.check(data_map.as_ref()?) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().cloned().collect(),
        })
    }

    fn action(&mut self, class: &str) -> &mut String {
        let place = ["customer", "topic", "note"].iter().position(|name| *name == class);
        &mut self.actions[place.unwrap_or_else(|| panic!("{class}"))]
    }

    /// The host after a suggested correction. The test has to know the form of every correction.
    fn after(&self, (path, what): (&str, &str), alternative: &str) -> Self {
        let mut host = self.clone();
        if let Some((first, second)) = alternative.split_once(", and ") {
            return self.after((path, what), first).after((path, what), second);
        }
        let class = path.strip_prefix("treatments.x.").unwrap_or_else(|| panic!("{path}"));
        let class = class.split('.').next().unwrap();
        let bare = alternative.split(" in the map").next().unwrap().trim_start_matches("write ");
        let alternative = alternative
            .find("ends.")
            .map_or(bare, |at| alternative[at..].split(" in the map").next().unwrap());
        if let Some((end, word)) = alternative.split_once(" = ").filter(|(end, _)| end.starts_with("ends.")) {
            match end {
                "ends.topic" => word.clone_into(&mut host.topic_end),
                "ends.client" => {
                    let at = usize::from(what.contains("note.client"));
                    host.owner_ends[at] = format!("ends.client = {word}");
                }
                _ => panic!("{alternative}"),
            }
        } else if alternative.ends_with(" take NULL in the database") {
            host.null = "";
        } else if alternative == "anonymise this class" {
            "'anonymise'".clone_into(host.action(class));
        } else if let Some(other) = alternative.strip_prefix("delete ") {
            "'delete'".clone_into(host.action(other));
        } else if alternative.starts_with('"') || alternative.starts_with('{') {
            *host.action(class) = alternative.replace("reason", "a reason");
        } else {
            panic!("{path}: an alternative of an unknown form: {alternative}");
        }
        host
    }
}

/// The alternatives of a suggestion: `write "delete", { keep = "reason" } or "anonymise", or delete note`.
fn alternatives(way_out: &str) -> Vec<String> {
    let plain = way_out.replace(", or ", "\n").replace("; or ", "\n").replace(" or ", "\n");
    let mut parts = vec![String::new()];
    let mut depth = 0;
    let mut rest = plain.as_str();
    while let Some(letter) = rest.chars().next() {
        depth += match letter {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        // A comma between two words of a list.
        let is_between = depth == 0 && (rest.starts_with(", \"") || rest.starts_with(", {"));
        if letter == '\n' || is_between {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(letter);
        }
        rest = &rest[letter.len_utf8()..];
    }
    let bare = parts.iter().map(|part| part.split(", so that").next().unwrap_or_default().trim().to_owned());
    bare.filter(|part| !part.is_empty()).collect()
}

/// Each alternative solves the problem, and causes no other problem at the same place.
#[test]
fn every_alternative_of_a_treatments_problem_lets_it_pass() {
    let actions = ["'delete'", "'anonymise'", "'reassign'", "{ keep = 'law' }", ""];
    let (mut tried, mut wrong, mut known) = (0, Vec::new(), Known::new());
    for null in ["", "NOT NULL"] {
        for unique in ["", ", UNIQUE (client)", ", UNIQUE (client, body)", ", UNIQUE (topic)"] {
            for unknown in [false, true] {
                for topic_end in ["'clear'", "'goes'", "{ keep = 'no need' }", "{ clear = 0 }"] {
                    for customer in ["'delete'", "'anonymise'"] {
                        for (topic, note) in
                            actions.iter().flat_map(|topic| actions.iter().map(move |note| (*topic, *note)))
                        {
                            let actions = [customer, topic, note].map(str::to_owned);
                            let topic_end = topic_end.to_owned();
                            let host = Host {
                                null,
                                unique,
                                unknown,
                                owner_ends: Default::default(),
                                topic_end,
                                actions,
                            };
                            let Some(before) = host.said(&mut known) else { continue };
                            for problem in &before {
                                for alternative in alternatives(&problem.way_out) {
                                    tried += 1;
                                    let Some(after) = host
                                        .after((&problem.path, &problem.what), &alternative)
                                        .said(&mut known)
                                    else {
                                        wrong.push(format!(
                                            "{host:?}\n{problem}\n-> {alternative}: the map does not fit"
                                        ));
                                        continue;
                                    };
                                    let is_new = |other: &&relinquish::Problem| {
                                        other.path == problem.path
                                            && (other.what == problem.what
                                                || before.iter().all(|known| known.what != other.what))
                                    };
                                    if let Some(other) = after.iter().find(is_new) {
                                        wrong.push(format!("{host:?}\n{problem}\n-> {alternative}: {other}"));
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    let shown = wrong.iter().step_by(1 + wrong.len() / 12).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(wrong.is_empty(), "{} of {tried}\n{shown}", wrong.len());
    assert!(tried > 1_000, "{tried}");
}

/// A former bug: "stand-in" was not suggested for a link while the map had no "Unknown Customer", and nothing said
/// what is needed for it.
#[test]
fn the_stand_in_is_hinted_at_before_the_map_has_one() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, is_ghost INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE hats (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients(id),
            giver INTEGER NOT NULL REFERENCES clients(id));";
    let map = |end: &str, unknown: &str| {
        format!(
            "{CUSTOMERS}fields = {{ name = 'name', is_ghost = 'not personal' }}\n{unknown}\
             [records.hat]\ntable = 'hats'\nowner = 'client'\n{end}"
        )
    };
    let said = Shop::new(sql, &map("", ""), "").refused();
    assert!(said.contains("or ends.giver = \"stand-in\" and customers.unknown_customer, where"), "{said}");
    let unknown = "[customers.unknown_customer]\nfind = { is_ghost = 1 }\ncreate = { name = 'Former' }\n";
    let treatment = "customer = 'delete'\nhat = 'delete'\n";
    passes(&Shop::new(sql, &map("ends.giver = 'stand-in'\n", unknown), treatment));
}
