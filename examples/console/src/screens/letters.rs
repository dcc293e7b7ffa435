//! The screens of letters to a person. A letter is written from the ledger and the policy. An operator can read it,
//! save it, and note that it was sent.

use maud::{Markup, html};
use relinquish::plan::letter::{Language, Letter, LetterError, Letterhead, confirmation, extension, refusal};
use relinquish::plan::{Asked, CaseId, Decision, letter};
use relinquish::policy::Trigger;
use relinquish::request::{LetterKind, Note, Request, RequestId, Who};

use super::requests::path;
use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::layout::english;
use crate::tried::Tried;
use crate::visit::Visit;

const KINDS: [(&str, LetterKind); 3] = [
    ("confirmation", LetterKind::Confirmation),
    ("refusal", LetterKind::Refusal),
    ("extension", LetterKind::Extension),
];

/// The letter and the language that were asked for. The default is the language of the browser.
fn asked(visit: &Visit<'_>) -> (Option<(&'static str, LetterKind)>, Language) {
    let get = |name| visit.query.get(name).or(visit.form.get(name));
    let kind = get("kind").and_then(|name| KINDS.into_iter().find(|(found, _)| *found == name));
    let code = get("language").unwrap_or(visit.words.code);
    (kind, code.parse().unwrap_or(Language::English))
}

/// The beginning and the end of every letter. The inner error means that the policy has no words in the language.
fn head(visit: &Visit<'_>, language: Language) -> Result<Result<Letterhead, LetterError>, Failure> {
    let (controller, authority) = visit.console.letters.clone().ok_or(Failure::NotFound)?;
    Ok(Letterhead::new(visit.console.engine.policy(), language, controller, authority, visit.today()))
}

/// The languages in which the policy has words.
fn languages(visit: &Visit<'_>) -> Vec<Language> {
    let policy = visit.console.engine.policy();
    Language::ALL.into_iter().filter(|language| policy.words(*language).is_some()).collect()
}

/// The letters of a request.
pub(crate) async fn of_request(visit: &Visit<'_>, id: &str, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let words = visit.words;
    let request = super::requests::found(visit, id).await?;
    let (kind, language) = asked(visit);
    let address = format!("{}/letter", path(&request.new.id));
    let written = match kind {
        Some((name, kind)) => Some((name, kind, write(visit, &request, kind, language).await?)),
        None => None,
    };
    if visit.query.get("file").is_some()
        && let Some((name, _, Ok(letter))) = &written
    {
        return Ok(file(&format!("{name}-{}", request.new.id), letter));
    }
    let content = html! {
        (tried.summary(words))
        p.crumb { a href=(visit.url("/requests")) { (words.requests) } " › "
            a href=(visit.url(&path(&request.new.id))) { (words.request) } }
        h1 { (words.letters) }
        form.filters method="get" action=(visit.url(&address)) {
            div { label for="kind" { (words.letter) }
                select #kind name="kind" { @for (name, of) in KINDS {
                    option value=(name) selected[kind.is_some_and(|(found, _)| found == name)] { (words.letter_kind(of)) }
                } } }
            (language_choice(visit, language))
            button.second { (words.letter_write) }
        }
        @if let Some((name, of, written)) = &written {
            (shown(visit, written, language))
            @if written.is_ok() {
                div.actions {
                    a.button href=(visit.url(&format!("{address}?kind={name}&language={language}&file=1"))) { (words.download_text) }
                    form.inline method="post" action=(visit.url(&address)) {
                        input type="hidden" name="token" value=(visit.token("letter", id));
                        input type="hidden" name="kind" value=(name);
                        input type="hidden" name="language" value=(language);
                        button.second { (words.letter_sent) ": " (words.letter_kind(*of)) }
                    }
                }
            }
        }
    };
    Ok(visit.page_tried(words.letters, tried, &content))
}

fn language_choice(visit: &Visit<'_>, chosen: Language) -> Markup {
    html! {
        div { label for="language" { (visit.words.language) }
            select #language name="language" { @for language in languages(visit) {
                option value=(language) selected[language == chosen] { (visit.words.language_of(language)) }
            } } }
    }
}

fn shown(visit: &Visit<'_>, written: &Result<Letter, LetterError>, language: Language) -> Markup {
    match written {
        Ok(letter) => html! { pre.letter lang=(language) { (letter) } },
        Err(why) => {
            html! { div.warning { p { strong { (visit.words.letter_none) } " " (english(&told(why))) } } }
        }
    }
}

fn file(name: &str, letter: &Letter) -> Answer {
    Answer::File {
        name: format!("{name}.md"),
        kind: "text/markdown; charset=utf-8",
        text: letter.to_string(),
    }
}

/// Writes one letter about a request.
async fn write(
    visit: &Visit<'_>,
    request: &Request,
    kind: LetterKind,
    language: Language,
) -> Result<Result<Letter, LetterError>, Failure> {
    let engine = &visit.console.engine;
    let head = match head(visit, language)? {
        Ok(head) => head,
        Err(error) => return Ok(Err(error)),
    };
    let about = letter::Request::new(request.new.id.as_str(), request.clock.received_on());
    Ok(match kind {
        LetterKind::Extension => {
            let rules = match &request.new.tenant {
                Some(tenant) => engine.policy().effective(tenant),
                None => engine.policy().everyone(),
            };
            extension(&head, request.new.id.as_str(), rules, &request.clock, engine.holidays())
        }
        LetterKind::Confirmation => match &request.erased {
            Some(case) => {
                let certificate = engine.certificate(case).await?.ok_or(Failure::NotFound)?;
                confirmation(&head, Some(&about), &certificate.letter_facts())
            }
            None => Err(LetterError::NothingRefused),
        },
        _ => {
            let Some(Who::Customer { customer }) = &request.new.who else {
                return Ok(Err(LetterError::NothingRefused));
            };
            let facts = engine.customer(customer).await?;
            let decision: Decision = engine.explain(customer, &Asked::request()).await?.decision;
            refusal(&head, &about, engine.policy().effective(&facts.tenant), &decision)
        }
    })
}

/// Notes that a letter was sent.
pub(crate) async fn sent(visit: &Visit<'_>, id: &str) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let request = super::requests::found(visit, id).await?;
    let tried = visit.tried("letter", id);
    let (kind, language) = asked(visit);
    let Some((_, kind)) = kind.filter(|_| tried.is_fine()) else {
        return of_request(visit, id, &tried).await;
    };
    let note = Note::Send { kind, language, digest: None };
    let id: &RequestId = &request.new.id;
    visit.console.engine.note(id, &note, visit.today_for(&request), visit.operator.authority()).await?;
    Ok(visit.see(&path(id)))
}

/// The confirmation of a case without a request.
pub(crate) async fn of_case(visit: &Visit<'_>, id: &str) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let words = visit.words;
    let certificate = visit.console.engine.certificate(&CaseId::new(id)).await?.ok_or(Failure::NotFound)?;
    visit.over(certificate.tenant())?;
    let (_, language) = asked(visit);
    let written =
        head(visit, language)?.and_then(|head| confirmation(&head, None, &certificate.letter_facts()));
    if visit.query.get("file").is_some()
        && let Ok(letter) = &written
    {
        return Ok(file(&format!("confirmation-{id}"), letter));
    }
    let address = format!("{}/letter", Visit::case_path(certificate.case()));
    let content = html! {
        p.crumb { a href=(visit.url(&Visit::case_path(certificate.case()))) { (words.certificate) } }
        h1 { (words.letter) }
        @if certificate.trigger() == Trigger::Requested { p.hint { (words.letter_by_request) } }
        form.filters method="get" action=(visit.url(&address)) {
            (language_choice(visit, language))
            button.second { (words.letter_write) }
        }
        (shown(visit, &written, language))
        @if written.is_ok() {
            p.actions { a.button href=(visit.url(&format!("{address}?language={language}&file=1"))) { (words.download_text) } }
        }
    };
    Ok(visit.page(words.letter, &content))
}
