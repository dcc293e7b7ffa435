//! `language` and `[words]`: what letters call classes and fields, and the host's own texts, per language.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::document::{Reader, join};
use crate::policy::words::{Dictionary, Language, Words};

pub(super) fn read_words(reader: &mut Reader, table: &Map<String, Json>) -> Option<Words> {
    let own = match table.get("language") {
        Some(value) => read_language(reader, "language", value)?,
        None => Language::English,
    };
    let mut languages = BTreeMap::new();
    let entries = match table.get("words") {
        Some(value) => reader.open_table("words", value)?.clone(),
        None => Map::new(),
    };
    for (name, value) in &entries {
        let path = join("words", name);
        let Ok(language) = name.parse::<Language>() else {
            reader.problem(path, "is no language in which there are letters", "write en, sv or de");
            continue;
        };
        let Some(table) = reader.table(&path, value, &["names", "texts"]) else { continue };
        let mut texts = |key: &str| {
            let path = join(&path, key);
            let Some(value) = table.get(key) else { return BTreeMap::new() };
            let entries = reader.open_table(&path, value).cloned().unwrap_or_default();
            let mut texts = BTreeMap::new();
            for (name, value) in &entries {
                if let Some(text) = reader.text(&join(&path, name), value) {
                    texts.insert(name.clone(), text.to_owned());
                }
            }
            texts
        };
        let (names, texts) = (texts("names"), texts("texts"));
        languages.insert(language, Dictionary::new(language, language == own, names, texts));
    }
    languages.entry(own).or_insert_with(|| Dictionary::new(own, true, BTreeMap::new(), BTreeMap::new()));
    Some(Words::new(own, languages))
}

fn read_language(reader: &mut Reader, path: &str, value: &Json) -> Option<Language> {
    let text = reader.text(path, value)?;
    text.parse::<Language>().map_err(|error| reader.problem(path, "is no language", error.to_string())).ok()
}
