//! The pass over the texts of others in a PostgreSQL database, with composite keys, UUIDs and short columns.

use std::collections::BTreeMap;

use relinquish::PostgresStore;
use relinquish::customer::Identifiers;
use relinquish::data_map::Kind;
use relinquish::store::{Mentioned, MentionsPart, MentionsRequest, RedactMentions as _};

use crate::shop::{map_of, open};

const SQL: &str = "CREATE TABLE clients (id int PRIMARY KEY, name text NOT NULL, org int NOT NULL);
    CREATE TABLE notes (thread uuid, place int, client int REFERENCES clients, body varchar(40), title text, PRIMARY KEY (thread, place));
    INSERT INTO clients VALUES (1, 'Maud Ashworth', 1), (2, 'Theo Quillfeather', 1), (3, 'Otto Brandwijk', 2);
    INSERT INTO notes SELECT ('00000000-0000-0000-0000-00000000000' || n % 10)::uuid, n, 1 + n % 3, 'nothing ' || n, NULL FROM generate_series(1, 50) AS n;
    UPDATE notes SET body = 'Maud Ashworth was there.' WHERE place IN (7, 8, 9);
    UPDATE notes SET title = E'\\\\ \"Maud Ashworth\"; \u{1f600}' WHERE place = 20;
    UPDATE notes SET body = 'Maud Ashworth, 40 characters, no more .' WHERE place = 30;";

const MAP: &str = "fields = { name = 'name', org = 'not personal' }
[records.note]
table = 'notes'
owner = 'client'
fields = { body = 'free_text', title = 'free_text' }
[mentions]
note = { fields = ['body', 'title'], tenant = { sql = \"SELECT CASE c.org WHEN 1 THEN 'a' ELSE 'b' END FROM clients c WHERE c.id = notes.client\" } }
";

fn request(with: &str, rows: usize) -> MentionsRequest {
    let mut maud = Identifiers::new();
    maud.insert(Kind::Name, "Maud Ashworth");
    let with = BTreeMap::from([("note".into(), with.to_owned())]);
    MentionsRequest::new(&[Mentioned::new("a", maud, with)]).unwrap().rows(rows)
}

async fn pass(store: &PostgresStore, request: &MentionsRequest) -> (u64, MentionsPart) {
    let (mut all, mut read, mut after) = (MentionsPart::default(), 0, None);
    loop {
        let part = store.redact_mentions(request, after.as_ref()).await.unwrap();
        read += part.read.values().sum::<u64>();
        for (person, counts) in part.of {
            let sum = all.of.entry(person).or_default();
            sum.changed += counts.changed;
            sum.refused += counts.refused;
        }
        all.refused = all.refused.or(part.refused);
        after = part.next;
        if after.is_none() {
            return (read, all);
        }
    }
}

#[tokio::test]
async fn a_pass_over_a_postgres_database_takes_out_who_waits() {
    let (database, store) = open(SQL, &map_of("clients", "'id'", MAP)).await.unwrap();
    let client = database.connect().await;
    let dump = async || {
        let rows = client.query("SELECT place, body, title FROM notes ORDER BY place", &[]).await.unwrap();
        let row = |row: &tokio_postgres::Row| {
            (row.get::<_, i32>(0), (row.get::<_, Option<String>>(1), row.get::<_, Option<String>>(2)))
        };
        rows.iter().map(row).collect::<BTreeMap<_, _>>()
    };
    let before = dump().await;
    for rows in [7, 1000] {
        let (read, part) = pass(&store, &request("[gone]", rows)).await;
        assert_eq!(read, 51, "every text once");
        assert_eq!(part.refused, None);
        let after = dump().await;
        for (place, texts) in &before {
            let organisation = 1 + place % 3;
            let is_hers = matches!(place, 7 | 8 | 9 | 20 | 30) && organisation != 3;
            assert_eq!(after[place] != *texts, is_hers, "{place}: {:?}", after[place]);
        }
        assert_eq!(after[&7].0.as_deref(), Some("[gone] was there."));
        assert_eq!(part.of.get(&0).map_or(0, |counts| counts.refused), 0, "{:?}", part.refused);
    }
}

#[tokio::test]
async fn a_text_that_does_not_fit_its_column_stays_and_its_neighbours_are_written() {
    let (database, store) = open(SQL, &map_of("clients", "'id'", MAP)).await.unwrap();
    let (_, part) = pass(&store, &request("[taken out at the request of the person]", 1000)).await;
    let client = database.connect().await;
    let row = client.query_one("SELECT body FROM notes WHERE place = 30", &[]).await.unwrap();
    assert!(row.get::<_, String>(0).starts_with("Maud"));
    let row = client.query_one("SELECT title FROM notes WHERE place = 20", &[]).await.unwrap();
    assert!(!row.get::<_, Option<String>>(0).unwrap_or_default().contains("Maud"));
    assert!(part.of[&0].refused >= 1 && part.refused.is_some(), "{part:?}");
}
