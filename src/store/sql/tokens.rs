//! Reads SQL from a schema: the words of a trigger, or the expression of a generated column.
//!
//! A database reports the tables, columns and keys of a schema. The tables that a trigger writes, and the expression
//! of a generated column, are only in the text of a statement.

/// A word, a quoted name, a text, a number or a sign. Comments and white space are skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A bare word: a keyword or a name.
    Word(String),
    /// A quoted name, without its quotes.
    Name(String),
    /// A text literal.
    Text,
    Sign(char),
}

impl Token {
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// The name, if this token can be the name of a table or column.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Name(name) => Some(name),
            Self::Text | Self::Sign(_) => None,
        }
    }
}

pub(super) fn tokens(sql: &str) -> Vec<Token> {
    places(sql).into_iter().map(|(token, _)| token).collect()
}

/// The tokens, each with the index of its first byte.
fn places(sql: &str) -> Vec<(Token, usize)> {
    let mut list = Vec::new();
    let mut chars = sql.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '-' if chars.peek().is_some_and(|(_, next)| *next == '-') => {
                chars.by_ref().find(|(_, c)| *c == '\n');
            }
            '/' if chars.peek().is_some_and(|(_, next)| *next == '*') => {
                let mut before = ' ';
                chars.next();
                chars.by_ref().find(|(_, c)| std::mem::replace(&mut before, *c) == '*' && *c == '/');
            }
            '\'' | '"' | '`' | '[' => {
                let end = if c == '[' { ']' } else { c };
                let mut text = String::new();
                while let Some((_, inner)) = chars.next() {
                    if inner == end {
                        // A doubled quote stands for itself. Brackets cannot be doubled.
                        if c == '[' || chars.peek().is_none_or(|(_, next)| *next != end) {
                            break;
                        }
                        chars.next();
                    }
                    text.push(inner);
                }
                // Where a table has to stand, SQLite takes a text for its name.
                let names_table = list.last().is_some_and(|(before, _): &(Token, usize)| {
                    ["UPDATE", "INTO", "FROM", "REPLACE", "IGNORE", "ABORT", "FAIL", "ROLLBACK"]
                        .iter()
                        .any(|word| before.is(word))
                });
                list.push((if c == '\'' && !names_table { Token::Text } else { Token::Name(text) }, at));
            }
            c if is_word(c) => {
                let mut word = String::from(c);
                while let Some((_, c)) = chars.next_if(|(_, c)| is_word(*c)) {
                    word.push(c);
                }
                list.push((Token::Word(word), at));
            }
            c if c.is_whitespace() => {}
            sign => list.push((Token::Sign(sign), at)),
        }
    }
    list
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Whether the statement that created a table says `AUTOINCREMENT`: the number of a deleted row is never given to
/// another one.
pub(crate) fn counts_on(statement: &str) -> bool {
    tokens(statement).iter().any(|token| token.is("AUTOINCREMENT"))
}

/// The tables to which a trigger's statements write, in the trigger's spelling.
pub(crate) fn written_by_trigger(sql: &str) -> Vec<String> {
    let tokens = tokens(sql);
    // There is no BEGIN inside `WHEN`, and a name BEGIN must be quoted.
    let body = tokens.iter().position(|token| token.is("BEGIN")).map_or(tokens.len(), |at| at + 1);
    let mut written = Vec::new();
    for statement in tokens.get(body..).unwrap_or_default().split(|token| *token == Token::Sign(';')) {
        let Some(first) = statement.first() else { continue };
        let mut rest = statement.iter().skip(1);
        let at = if first.is("INSERT") || first.is("REPLACE") {
            rest.position(|token| token.is("INTO")).map(|at| at + 2)
        } else if first.is("DELETE") {
            rest.position(|token| token.is("FROM")).map(|at| at + 2)
        } else if first.is("UPDATE") {
            // The form `UPDATE OR IGNORE t SET …`.
            Some(if statement.get(1).is_some_and(|token| token.is("OR")) { 3 } else { 1 })
        } else {
            None
        };
        written.extend(at.and_then(|at| statement.get(at)?.name()).map(str::to_owned));
    }
    written
}

/// The operation for which a trigger runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TriggerEvent {
    Insert,
    Update,
    Delete,
}

pub(crate) fn trigger_event(sql: &str) -> Option<TriggerEvent> {
    tokens(sql).iter().find_map(|token| match token {
        token if token.is("INSERT") => Some(TriggerEvent::Insert),
        token if token.is("UPDATE") => Some(TriggerEvent::Update),
        token if token.is("DELETE") => Some(TriggerEvent::Delete),
        _ => None,
    })
}

/// The collation of a column, if bytes are not compared: its `COLLATE` in the statement that created the table.
pub(crate) fn collation(statement: &str, column: &str) -> Option<String> {
    let tokens = places(statement);
    let (mut depth, mut at_start, mut inside) = (0_u32, false, false);
    let mut found = None;
    for (n, (token, _)) in tokens.iter().enumerate() {
        match token {
            Token::Sign('(') => {
                depth += 1;
                at_start = depth == 1;
                continue;
            }
            Token::Sign(')') => depth = depth.saturating_sub(1),
            Token::Sign(',') if depth == 1 => {
                (at_start, inside) = (true, false);
                continue;
            }
            token if at_start => {
                inside = token.name().is_some_and(|name| name.eq_ignore_ascii_case(column));
                // After the columns come the rules of the table. A COLLATE there belongs to no column.
                if matches!(token, Token::Word(_))
                    && ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]
                        .iter()
                        .any(|word| token.is(word))
                {
                    break;
                }
            }
            // If there are several, the last one counts.
            token if inside && depth == 1 && token.is("COLLATE") => {
                found = tokens.get(n + 1).and_then(|(token, at)| match token {
                    Token::Text => statement.get(at + 1..)?.split('\'').next().map(str::to_owned),
                    token => token.name().map(str::to_owned),
                });
            }
            _ => {}
        }
        at_start = false;
    }
    found.filter(|name| !name.eq_ignore_ascii_case("BINARY"))
}

/// The words of a generated column's expression, from the statement that created the table.
pub(crate) fn generated_from(statement: &str, column: &str) -> Vec<String> {
    let tokens = tokens(statement);
    let mut depth = 0_u32;
    let mut at_start = false;
    let mut inside = false;
    let mut after_as = false;
    let mut expression: Option<u32> = None;
    let mut words = Vec::new();
    for token in &tokens {
        match token {
            Token::Sign('(') => {
                if inside && after_as && expression.is_none() {
                    expression = Some(depth);
                }
                depth += 1;
                at_start = depth == 1;
                continue;
            }
            Token::Sign(')') => {
                depth = depth.saturating_sub(1);
                if expression == Some(depth) {
                    return words;
                }
            }
            Token::Sign(',') if depth == 1 => {
                (at_start, inside, after_as) = (true, false, false);
                continue;
            }
            token if at_start => {
                inside = token.name().is_some_and(|name| name.eq_ignore_ascii_case(column));
            }
            token if inside && expression.is_none() => after_as = token.is("AS"),
            token => words.extend(token.name().filter(|_| expression.is_some()).map(str::to_owned)),
        }
        at_start = false;
    }
    words
}

/// The CHECK expressions of a table's statement. Each comes with the names that may be columns: a name before a
/// bracket is a function, and a name before a dot is a table.
pub(crate) fn checks(statement: &str) -> Vec<(String, Vec<String>)> {
    let places = places(statement);
    let mut found = Vec::new();
    let mut rest = places.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        // Unquoted, CHECK is a keyword, and nothing else can have this name.
        let (true, Some((Token::Sign('('), from))) = (first.0.is("CHECK"), behind.first()) else { continue };
        let (mut depth, mut names) = (0_u32, Vec::new());
        for (n, (token, at)) in behind.iter().enumerate() {
            let next = behind.get(n + 1).map(|(token, _)| token);
            match token {
                Token::Sign('(') => depth += 1,
                Token::Sign(')') if depth == 1 => {
                    found.push((statement.get(from + 1..*at).unwrap_or_default().trim().to_owned(), names));
                    break;
                }
                Token::Sign(')') => depth -= 1,
                Token::Word(_) if next == Some(&Token::Sign('(')) => {}
                token if next != Some(&Token::Sign('.')) => names.extend(token.name().map(str::to_owned)),
                _ => {}
            }
        }
    }
    found
}

/// The parts of an index besides plain columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexText {
    /// The words of each part between the brackets: columns, functions and keywords.
    pub(crate) parts: Vec<Vec<String>>,
    /// The words of the index's condition. A column that only has `IS NOT NULL` there is left out.
    pub(crate) condition: Vec<String>,
}

/// Reads the statement that created an index: `CREATE UNIQUE INDEX name ON table (parts) WHERE condition`.
pub(crate) fn index_text(sql: &str) -> IndexText {
    let tokens = tokens(sql);
    let mut text = IndexText::default();
    let on = tokens.iter().position(|token| token.is("ON")).unwrap_or(tokens.len());
    let (mut depth, mut part, mut behind) = (0_u32, Vec::new(), tokens.len());
    for (n, token) in tokens.iter().enumerate().skip(on) {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') if depth == 1 => {
                text.parts.push(std::mem::take(&mut part));
                behind = n + 1;
                break;
            }
            Token::Sign(')') => depth = depth.saturating_sub(1),
            Token::Sign(',') if depth == 1 => text.parts.push(std::mem::take(&mut part)),
            token if depth > 0 => part.extend(token.name().map(str::to_owned)),
            _ => {}
        }
    }
    let condition = tokens.get(behind..).unwrap_or_default();
    let condition = if condition.first().is_some_and(|token| token.is("WHERE")) {
        condition.get(1..).unwrap_or_default()
    } else {
        condition
    };
    // `a AND b OR c` is not a list of conditions.
    let is_list = !condition.iter().any(|token| token.is("OR"));
    for each in condition.split(|token| token.is("AND")) {
        let bare: Vec<&Token> =
            each.iter().filter(|token| !matches!(token, Token::Sign('(' | ')'))).collect();
        let says_not_null = match bare.as_slice() {
            [column, is, not, null] => {
                column.name().is_some() && is.is("IS") && not.is("NOT") && null.is("NULL")
            }
            [column, not, null] => column.name().is_some() && not.is("NOT") && null.is("NULL"),
            [column, not_null] => column.name().is_some() && not_null.is("NOTNULL"),
            _ => false,
        };
        if !(is_list && says_not_null) {
            text.condition.extend(each.iter().filter_map(Token::name).map(str::to_owned));
        }
    }
    text
}

/// Functions that return NULL if an argument is NULL.
const STRICT: [&str; 21] = [
    "lower",
    "upper",
    "trim",
    "ltrim",
    "rtrim",
    "substr",
    "substring",
    "replace",
    "length",
    "abs",
    "round",
    "instr",
    "unicode",
    "json_extract",
    "date",
    "time",
    "datetime",
    "julianday",
    "unixepoch",
    "cast",
    "collate",
];

/// Whether an expression is NULL if one of its columns is NULL, as far as its words show.
pub(crate) fn is_strict(words: &[String], is_column: impl Fn(&str) -> bool) -> bool {
    let known =
        ["as", "text", "integer", "real", "numeric", "blob", "nocase", "binary", "rtrim", "asc", "desc"];
    words.iter().all(|word| {
        let is = |other: &&str| other.eq_ignore_ascii_case(word);
        is_column(word)
            || word.starts_with(|c: char| c.is_ascii_digit())
            || STRICT.iter().any(is)
            || known.iter().any(is)
    })
}

/// Whether a trigger takes the old words of every row out of a full-text index with these columns.
///
/// The index reads the old words from the trigger, by its command `'delete'`, or from the table. In the table they are there
/// before the row changes and not after. So a `DELETE` of the index's row has to run `BEFORE`.
pub(crate) fn takes_words_out(sql: &str, index: &str, columns: &[String]) -> bool {
    let tokens = tokens(sql);
    let begin = tokens.iter().position(|token| token.is("BEGIN")).unwrap_or(tokens.len());
    let (head, body) = tokens.split_at(begin);
    let of = head.iter().skip_while(|token| !token.is("OF")).take_while(|token| !token.is("ON"));
    let of: Vec<&str> = of.skip(1).filter_map(Token::name).collect();
    let is_for_all =
        of.is_empty() || columns.iter().all(|column| of.iter().any(|name| name.eq_ignore_ascii_case(column)));
    let is = |token: Option<&Token>| {
        token.and_then(Token::name).is_some_and(|name| name.eq_ignore_ascii_case(index))
    };
    let takes = |statement: &[Token]| {
        let into = statement.iter().position(|token| token.is("INTO") || token.is("FROM"));
        let Some(at) = into.filter(|at| is(statement.get(at + 1))) else { return false };
        let first =
            |word| statement.iter().find(|token| !token.is("BEGIN")).is_some_and(|first| first.is(word));
        // The command is the first value, and the column with the name of the index is the first column.
        let values = statement.iter().skip_while(|token| !token.is("VALUES")).nth(2);
        let commands = first("INSERT") && is(statement.get(at + 3)) && values == Some(&Token::Text);
        commands && sql.to_ascii_lowercase().contains("'delete'")
            || first("DELETE") && head.iter().any(|token| token.is("BEFORE"))
    };
    is_for_all
        && !head.iter().any(|token| token.is("WHEN"))
        && body.split(|token| *token == Token::Sign(';')).any(takes)
}

/// The columns of a full-text index: the arguments of its statement that are no options.
pub(crate) fn indexed_columns(sql: &str) -> Vec<String> {
    let arguments = sql.find('(').and_then(|from| sql.get(from + 1..sql.rfind(')')?)).unwrap_or_default();
    let columns = arguments.split(',').filter(|argument| !argument.contains('='));
    columns.filter_map(|column| tokens(column).first()?.name().map(str::to_owned)).collect()
}

/// The module of a virtual table, and its arguments of the form `name = value`.
pub(crate) fn virtual_table(sql: &str) -> (String, Vec<(String, String)>) {
    let module = tokens(sql)
        .iter()
        .skip_while(|token| !token.is("USING"))
        .nth(1)
        .and_then(Token::name)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let arguments = sql.find('(').and_then(|from| sql.get(from + 1..sql.rfind(')')?)).unwrap_or_default();
    let options = arguments
        .split(',')
        .filter_map(|argument| {
            let (name, value) = argument.split_once('=')?;
            let value = value.trim().trim_matches(|c| ['\'', '"', '`', '[', ']'].contains(&c));
            Some((name.trim().to_ascii_lowercase(), value.to_owned()))
        })
        .collect();
    (module, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_tells_what_it_writes_to() {
        let sql = "CREATE TRIGGER \"log; it\" AFTER UPDATE OF name ON customers WHEN old.name <> 'BEGIN DELETE FROM x'
            BEGIN -- INSERT INTO comment
              INSERT OR IGNORE INTO \"audit log\" (what) VALUES (old.name || '; DELETE FROM y');
              /* UPDATE z */ UPDATE OR REPLACE [orders] SET note = old.name WHERE id IN (SELECT id FROM other);
              DELETE FROM `seen`; REPLACE INTO last VALUES (1); SELECT RAISE(IGNORE); UPDATE OR FAIL 'it''s' SET x = 1;
            END";
        assert_eq!(written_by_trigger(sql), ["audit log", "orders", "seen", "last", "it's"]);
        assert_eq!(trigger_event(sql), Some(TriggerEvent::Update));
        assert_eq!(
            trigger_event("CREATE TRIGGER t BEFORE DELETE ON x BEGIN SELECT 1; END"),
            Some(TriggerEvent::Delete)
        );
    }

    /// The bug: a trigger that wrote anything to the index counted as one that keeps it current.
    #[test]
    fn a_trigger_takes_old_words_out_only_in_these_ways() {
        let columns = indexed_columns(
            "CREATE VIRTUAL TABLE ft USING fts5(\"name\", note UNINDEXED, content = 'notes')",
        );
        assert_eq!(columns, ["name", "note"]);
        let takes = |head: &str, body: &str| {
            takes_words_out(&format!("CREATE TRIGGER t {head} ON notes BEGIN {body} END"), "ft", &columns)
        };
        let command = "INSERT INTO ft (ft, rowid, name, note) VALUES ('delete', old.id, old.name, old.note);";
        let new = "INSERT INTO ft (rowid, name, note) VALUES (new.id, new.name, new.note);";
        let row = "DELETE FROM ft WHERE rowid = old.id;";
        assert!(takes("AFTER UPDATE", &format!("{command} {new}")));
        assert!(takes("AFTER UPDATE OF note, name", command));
        assert!(takes("BEFORE DELETE", row) && takes("BEFORE UPDATE", row));
        assert!(!takes("AFTER UPDATE", new), "the old words stay beside the new ones");
        assert!(!takes("AFTER UPDATE", row), "the table has the new words by then");
        assert!(!takes("AFTER UPDATE OF name", command), "not all columns");
        assert!(!takes("AFTER UPDATE OF client_id", command));
        let when = "CREATE TRIGGER t AFTER UPDATE ON notes WHEN new.name <> old.name BEGIN ";
        assert!(!takes_words_out(&format!("{when}{command} END"), "ft", &columns));
        assert!(!takes("AFTER UPDATE", &command.replace("INTO ft", "INTO other")));
    }

    /// Old releases of rusqlite cannot report the collation.
    #[test]
    fn a_column_tells_how_it_is_compared() {
        let sql = "CREATE TABLE t (id TEXT COLLATE binary PRIMARY KEY, \"a b\" TEXT NOT NULL COLLATE \"nocase\" UNIQUE,
            code TEXT CHECK (code = 'x' COLLATE RTRIM), z DEFAULT 'a, b COLLATE NOCASE' COLLATE NOCASE COLLATE RTRIM,
            \"check\" TEXT COLLATE NOCASE, low TEXT AS (id COLLATE NOCASE), q TEXT COLLATE 'nocase', UNIQUE (id COLLATE NOCASE))";
        assert_eq!(collation(sql, "A B").as_deref(), Some("nocase"));
        assert_eq!(collation(sql, "z").as_deref(), Some("RTRIM"));
        assert_eq!(collation(sql, "check").as_deref(), Some("NOCASE"));
        assert_eq!(collation(sql, "q").as_deref(), Some("nocase"));
        for plain in ["id", "code", "low", "unique"] {
            assert_eq!(collation(sql, plain), None, "{plain}");
        }
        assert_eq!(collation("CREATE TABLE t(a)", "a"), None);
    }

    #[test]
    fn a_generated_column_tells_what_it_is_made_of() {
        let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, email TEXT CHECK (length(email) < 9, 1), \"the lower\" TEXT
            GENERATED ALWAYS AS (lower(email) || coalesce(\"last name\", 'x')) STORED UNIQUE, short AS (substr(id, 1)), z)";
        assert_eq!(generated_from(sql, "the lower"), ["lower", "email", "coalesce", "last name"]);
        assert_eq!(generated_from(sql, "SHORT"), ["substr", "id", "1"]);
        assert!(generated_from(sql, "email").is_empty());
        assert!(generated_from(sql, "z").is_empty());
    }

    #[test]
    fn a_table_tells_its_checks_and_of_what_they_are_made() {
        let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, -- CHECK (id > 0)
            code TEXT DEFAULT 'CHECK (x)' CHECK (length(code) > 1 AND (code GLOB '[A-Z]*')), \"check\" TEXT,
            CONSTRAINT both CHECK (t.code <> \"second name\"), CHECK( /* ) */ [b] IN (')', 1) )";
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            checks(sql),
            [
                (
                    "length(code) > 1 AND (code GLOB '[A-Z]*')".to_owned(),
                    names(&["code", "1", "code", "GLOB"])
                ),
                ("t.code <> \"second name\"".to_owned(), names(&["code", "second name"])),
                ("/* ) */ [b] IN (')', 1)".to_owned(), names(&["b", "1"])),
            ]
        );
        assert_eq!(checks("CREATE TABLE t (x CHECK (x >"), []);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// For any schema, an expression is a part of its statement, with balanced brackets.
        #[test]
        fn an_expression_is_a_part_of_the_statement(
            parts in proptest::collection::vec(proptest::sample::select(vec![
                "CHECK", "check(", "(", ")", "'", "\"", "[", "]", "`", "--", "\n", "/*", "*/", "x", "ä", ".", " ", "length",
            ]), 0..24),
        ) {
            let sql = parts.concat();
            for (expression, _) in checks(&sql) {
                proptest::prop_assert!(sql.contains(&expression));
                let signs = tokens(&expression);
                let count = |sign| signs.iter().filter(|token| **token == Token::Sign(sign)).count();
                proptest::prop_assert_eq!(count('('), count(')'));
            }
        }
    }

    #[test]
    fn an_index_tells_of_what_it_is_made() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let text = index_text(
            "CREATE UNIQUE INDEX \"on\" ON [my table](a DESC, lower(coalesce(\"b c\", 'x, y')), d COLLATE NOCASE)
             WHERE (e IS NOT NULL) AND f NOTNULL AND g NOT NULL AND h <> 'IS NOT NULL' -- i",
        );
        assert_eq!(
            text.parts,
            [words(&["a", "DESC"]), words(&["lower", "coalesce", "b c"]), words(&["d", "COLLATE", "NOCASE"])]
        );
        assert_eq!(text.condition, ["h"]);
        let either =
            index_text("CREATE UNIQUE INDEX u ON t(a) WHERE b IS NOT NULL OR c = 1 AND d IS NOT NULL");
        assert!(
            ["b", "c", "d"].iter().all(|name| either.condition.iter().any(|word| word == name)),
            "{either:?}"
        );
        assert_eq!(index_text("CREATE UNIQUE INDEX u ON t(a)").condition, Vec::<String>::new());
        assert_eq!(index_text(""), IndexText::default());
    }

    #[test]
    fn an_expression_tells_whether_null_makes_it_null() {
        let is_column = |word: &str| ["name", "mail"].contains(&word);
        let strict = |words: &[&str]| {
            is_strict(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), is_column)
        };
        assert!(strict(&["LOWER", "trim", "mail"]));
        assert!(strict(&["substr", "mail", "1", "3", "collate", "nocase"]));
        assert!(!strict(&["coalesce", "name", "mail"]));
        assert!(!strict(&["name", "IS", "NULL"]));
        assert!(!strict(&["hosts_own", "name"]));
    }

    #[test]
    fn a_virtual_table_tells_its_module_and_options() {
        let sql = "CREATE VIRTUAL TABLE s USING fts5(name, note UNINDEXED, content='customers', content_rowid = \"id\")";
        let (module, options) = virtual_table(sql);
        assert_eq!(module, "fts5");
        assert_eq!(
            options,
            [("content".to_owned(), "customers".to_owned()), ("content_rowid".to_owned(), "id".to_owned())]
        );
    }
}
