//! The screens of the register: requests with their deadlines, their notes, and the notes that are possible next.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use maud::{Markup, html};
use relinquish::engine::{Access, Error, RequestList};
use relinquish::ledger::RequestNote;
use relinquish::plan::{ExtensionReason, ReasonCode, Regime};
use relinquish::request::{
    Address, Answer as Given, Channel, Identity, NewRequest, Note, Request, RequestEvent, RequestId,
    RequestKind, Stage, Who,
};

use super::plan::{PlanOf, Why};
use crate::answer::{Answer, Failure, told};
use crate::auth::Right;
use crate::fields::encode;
use crate::layout::{badge, empty, table};
use crate::tried::{Field, Tried};
use crate::visit::Visit;

const PAGE: usize = 50;
/// A request is near its deadline for this number of days before the deadline.
const NEAR: u32 = 7;

/// Whether an operator may see a request. A request from a person who is not a customer belongs to no tenant, so
/// every operator may see it.
pub(crate) fn is_ours(visit: &Visit<'_>, request: &Request) -> bool {
    request.new.tenant.as_ref().is_none_or(|tenant| visit.operator.tenants().contains(tenant))
}

pub(crate) fn path(request: &RequestId) -> String {
    format!("/requests/{}", encode(request.as_str()))
}

/// The requests, page by page.
pub(crate) async fn list(visit: &Visit<'_>) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let words = visit.words;
    let which = visit.query.get("which").unwrap_or("open");
    let of = match which {
        "overdue" => RequestList::Overdue,
        "near" => RequestList::DueWithin(NEAR),
        "all" => RequestList::All,
        _ => RequestList::Open,
    };
    let after = visit.query.get("after").map(RequestId::new);
    let found = visit.console.engine.requests(of, after.as_ref(), PAGE).await?;
    let next = found.last().filter(|_| found.len() == PAGE).map(|last| last.new.id.clone());
    let ours: Vec<&Request> = found.iter().filter(|request| is_ours(visit, request)).collect();
    let tabs = [
        ("open", words.requests_open),
        ("near", words.requests_near),
        ("overdue", words.requests_overdue),
        ("all", words.all),
    ];
    let content = html! {
        h1 { (words.requests) }
        @if visit.operator.may(Right::Plan) {
            p.actions { a.button href=(visit.url("/requests/new")) { (words.request_new) } }
        }
        p.tabs {
            @for (name, label) in tabs {
                a href=(visit.url(&format!("/requests?which={name}"))) aria-current=[(name == which).then_some("true")] { (label) }
            }
        }
        @if ours.is_empty() { (empty(words.requests_none)) }
        @else {
            (table(words.requests, &[words.request, words.request_kind, words.received, words.answer_by, words.state], &html! {
                @for request in ours {
                    tr {
                        th scope="row" { a href=(visit.url(&path(&request.new.id))) { code { (request.new.id) } } }
                        td { (words.request_kind_of(request.new.kind)) }
                        td.when { (visit.date(request.clock.received_on())) }
                        td { (due(visit, request)) }
                        td { (words.stage(request.stage())) }
                    }
                }
            }))
        }
        @if let Some(next) = next {
            p { a href=(visit.url(&format!("/requests?which={}&after={}", encode(which), encode(next.as_str())))) { (words.next_page) } }
        }
    };
    Ok(visit.page(words.requests, &content))
}

/// The day by which the person must have an answer. The colour shows how near it is.
fn due(visit: &Visit<'_>, request: &Request) -> Markup {
    let words = visit.words;
    if request.ended.is_some() {
        return html! { (words.stage(Stage::Ended)) };
    }
    let holidays = visit.console.engine.holidays();
    let stopped =
        if request.new.kind == RequestKind::Complaint { words.no_period } else { words.clock_stopped };
    html! {
        @if let Some(due) = request.due(holidays) { (nearness(visit, request, due)) (visit.date(due)) }
        @else { (badge(stopped, "calm")) }
        @for (label, day) in
            [(words.confirm_by, request.confirm_by(holidays)), (words.remind_on, request.remind_on())] {
            @if let Some(day) = day { br; (nearness(visit, request, day)) (label) " " (visit.date(day)) }
        }
    }
}

/// How near a day is, where the tenant of the request is.
fn nearness(visit: &Visit<'_>, request: &Request, day: NaiveDate) -> Markup {
    let words = visit.words;
    let left = day.signed_duration_since(visit.today_for(request)).num_days();
    html! {
        @if left < 0 { (badge(words.overdue, "bad")) " " }
        @else if left <= i64::from(NEAR) { (badge(&words.say(words.days_left, &[&left.to_string()]), "warn")) " " }
    }
}

/// The form of a new request.
pub(crate) fn new(visit: &Visit<'_>, tried: &Tried) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let words = visit.words;
    let kinds = RequestKind::ALL.iter().map(|kind| (kind.as_str().to_owned(), words.request_kind_of(*kind)));
    let channels = Channel::ALL.iter().map(|channel| (channel.as_str().to_owned(), words.channel(*channel)));
    let by_policy = (String::new(), words.regime_of_policy);
    let each = Regime::ALL.iter().map(|regime| (regime.as_str().to_owned(), words.regime_of(*regime)));
    let regimes = std::iter::once(by_policy).chain(each);
    let content = html! {
        (tried.summary(words))
        p.crumb { a href=(visit.url("/requests")) { (words.requests) } }
        h1 { (words.request_new) }
        form.boxed method="post" action=(visit.url("/requests/new")) {
            input type="hidden" name="token" value=(visit.token("request", "new"));
            (Field { tried, name: "kind", label: words.request_kind, hint: "" }.choice(kinds))
            (Field { tried, name: "channel", label: words.channel_label, hint: "" }.choice(channels))
            (Field { tried, name: "received", label: words.received, hint: words.received_hint }.input("date"))
            (Field { tried, name: "customer", label: words.customer_key, hint: words.customer_key_hint }.input("text"))
            (Field { tried, name: "address", label: words.address, hint: words.address_hint }.input("email"))
            (Field { tried, name: "regime", label: words.regime, hint: "" }.choice(regimes))
            button { (words.request_record) }
        }
    };
    Ok(visit.page_tried(words.request_new, tried, &content))
}

/// Records a new request.
pub(crate) async fn receive(visit: &Visit<'_>) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let words = visit.words;
    let mut tried = visit.tried("request", "new");
    let kind = visit.form.get("kind").and_then(RequestKind::named);
    let channel = visit.form.get("channel").and_then(Channel::named);
    let received = visit.form.get("received").and_then(|day| day.parse::<NaiveDate>().ok());
    match received {
        None => tried.complain("received", words.received_bad),
        Some(day) if day > visit.today() => tried.complain("received", words.received_later),
        Some(_) => {}
    }
    let who = match (visit.form.get("customer"), visit.form.get("address")) {
        (Some(customer), None) => {
            if super::person::is_ours(visit, &customer.into()).await? {
                Some(Who::Customer { customer: customer.into() })
            } else {
                tried.complain("customer", words.find_none);
                None
            }
        }
        (None, Some(address)) if address.contains('@') => {
            Some(Who::Person { address: Address::new(address) })
        }
        (None, Some(_)) => {
            tried.complain("address", words.address_bad);
            None
        }
        (None, None) => {
            tried.complain("customer", words.who_missing);
            None
        }
        (Some(_), Some(_)) => {
            tried.complain("address", words.who_both);
            None
        }
    };
    let (Some(kind), Some(channel), Some(received), Some(who), true) =
        (kind, channel, received, who, tried.is_fine())
    else {
        return new(visit, &tried);
    };
    let id = random_id()?;
    let at =
        DateTime::<Utc>::from_naive_utc_and_offset(received.and_time(NaiveTime::MIN), Utc).min(visit.now);
    let request = NewRequest::new(id.clone(), kind, channel, who, at).received_on(received);
    let regime = visit.form.get("regime").and_then(Regime::named);
    let request = regime.into_iter().fold(request, NewRequest::under);
    visit.console.engine.receive(request).await?;
    Ok(visit.see(&path(&id)))
}

fn random_id() -> Result<RequestId, Failure> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Other(error.to_string()))?;
    Ok(RequestId::new(bytes.iter().fold("r-".to_owned(), |id, byte| format!("{id}{byte:02x}"))))
}

/// One request.
pub(crate) async fn show(visit: &Visit<'_>, id: &str, tried: &Tried) -> Result<Answer, Failure> {
    page(visit, id, tried, None).await
}

/// One request, with the address of the person who asks. Before that, the host's access log gets an entry.
pub(crate) async fn reveal(visit: &Visit<'_>, id: &str) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let mut tried = visit.tried("reveal", id);
    let access = visit.access(&mut tried);
    page(visit, id, &tried, access.as_ref()).await
}

pub(crate) async fn found(visit: &Visit<'_>, id: &str) -> Result<Request, Failure> {
    let found = visit.console.engine.request(&RequestId::new(id)).await?;
    found.filter(|request| is_ours(visit, request)).ok_or(Failure::NotFound)
}

async fn page(
    visit: &Visit<'_>,
    id: &str,
    tried: &Tried,
    access: Option<&Access>,
) -> Result<Answer, Failure> {
    visit.needs(Right::See)?;
    let words = visit.words;
    let request = found(visit, id).await?;
    let notes = visit.console.engine.notes_of(&request.new.id).await?;
    let asks = match access {
        Some(access) => visit.console.engine.requester(&request.new.id, access).await?,
        None => None,
    };
    let content = html! {
        (tried.summary(words))
        p.crumb { a href=(visit.url("/requests")) { (words.requests) } }
        h1 { (words.request_kind_of(request.new.kind)) " " (badge(words.stage(request.stage()), "calm")) }
        dl.facts {
            dt { (words.number) } dd { code { (request.new.id) } }
            dt { (words.who_asks) } dd { (who(visit, &request, asks.as_ref())) }
            dt { (words.channel_label) } dd { (words.channel(request.new.channel)) }
            dt { (words.received) } dd { (visit.date(request.clock.received_on())) }
            dt { (words.answer_by) } dd { (due(visit, &request)) }
            dt { (words.identity) } dd { (words.identity_of(request.identity)) }
            @if let Some((answer, on)) = &request.answer {
                dt { (words.answer) } dd { (words.answer_given(*answer)) " · " (visit.date(*on)) }
            }
            @if let Some(case) = request.running.as_ref().or(request.erased.as_ref()) {
                dt { (words.case) } dd { a href=(visit.url(&Visit::case_path(case))) { code { (case) } } }
            }
        }
        @if request.ended.is_none() && visit.operator.may(Right::Plan) { (next(visit, &request, tried)) }
        section aria-labelledby="notes" {
            h2 #notes { (words.notes) }
            (timeline(visit, &request, &notes))
        }
    };
    Ok(visit.page_tried(words.request, tried, &content))
}

/// The person who asks. An address is shown only after the access was recorded.
fn who(visit: &Visit<'_>, request: &Request, shown: Option<&Who>) -> Markup {
    let words = visit.words;
    match (&request.new.who, shown) {
        (Some(Who::Customer { customer }), _) if visit.operator.may(Right::Plan) => html! {
            a href=(visit.url(&visit.person(customer))) { (words.one_customer) }
        },
        (Some(Who::Customer { .. }), _) => html! { (words.one_customer) },
        (Some(Who::Person { .. }), Some(Who::Person { address })) => {
            html! { (address.as_str()) " " span.hint { (words.who_recorded) } }
        }
        (Some(Who::Person { .. }), _) => html! {
            (words.no_customer)
            @if visit.operator.may(Right::Plan) {
                form.inline method="post" action=(visit.url(&path(&request.new.id))) {
                    input type="hidden" name="token" value=(visit.token("reveal", request.new.id.as_str()));
                    button.second { (words.who_button) }
                }
            }
        },
        (None, _) => html! { (words.who_wiped) },
    }
}

/// The forms for the notes that are possible now. Notes that do not fit the state of the request are not offered.
fn next(visit: &Visit<'_>, request: &Request, tried: &Tried) -> Markup {
    let words = visit.words;
    let token = visit.token("note", request.new.id.as_str());
    let fits = |note: &Note| {
        let mut after = request.clone();
        let events = request.events_of(note, visit.today_for(request), visit.console.engine.holidays());
        events.is_ok_and(|events| events.iter().all(|event| after.apply(event).is_ok()))
    };
    let form = |what: &str, label: &str, second: bool, content: Markup| {
        html! {
            form.note method="post" action=(visit.url(&format!("{}/{what}", path(&request.new.id)))) {
                input type="hidden" name="token" value=(token);
                (content)
                button.second[second] { (label) }
            }
        }
    };
    let simple = [
        ("ask-identity", words.note_ask_identity, Note::AskIdentity),
        ("ask-meaning", words.note_ask_meaning, Note::AskMeaning),
        ("remind", words.note_remind, Note::Remind),
        ("answered", words.note_answered, Note::Answered),
    ];
    let simple: Vec<_> = simple.iter().filter(|(.., note)| fits(note)).collect();
    let reference = "reference".parse::<ReasonCode>();
    let extension = [("complexity", words.complexity), ("number", words.number_of_requests)]
        .map(|(name, label)| (name.to_owned(), label));
    let answers = ANSWERS
        .iter()
        .filter(|(_, answer)| fits(&Note::Decide { answer: *answer }))
        .map(|(name, answer)| ((*name).to_owned(), words.answer_given(*answer)));
    let answers: Vec<_> = answers.collect();
    let planned = match &request.new.who {
        Some(Who::Customer { customer })
            if request.new.kind == RequestKind::Erasure
                && request.stage() == Stage::Open
                && request.identity == Identity::Confirmed =>
        {
            Some(PlanOf::new(customer, Why::Request, visit.operator.id()).answering(&request.new.id))
        }
        _ => None,
    };
    html! {
        section aria-labelledby="next" {
            h2 #next { (words.next) }
            @if let Some(of) = planned {
                p.actions { a.button href=(visit.url(&of.path(visit))) { (words.plan_by_request) } }
            }
            @if request.identity != Identity::Confirmed && let Ok(reference) = reference
                && fits(&Note::ConfirmIdentity { reference }) {
                (form("confirm", words.note_confirm, false, html! {
                    (Field { tried, name: "reference", label: words.reference, hint: words.reference_hint }.input("text"))
                }))
            }
            @if fits(&Note::Extend { reason: ExtensionReason::Complexity }) {
                (form("extend", words.note_extend, true, html! {
                    (Field { tried, name: "why", label: words.why, hint: words.extend_hint }.choice(extension))
                }))
            }
            @if !answers.is_empty() {
                (form("decide", words.note_decide, true, html! {
                    (Field { tried, name: "answer", label: words.answer, hint: "" }.choice(answers))
                }))
            }
            @if !simple.is_empty() {
                p.hint { (words.note_simple) }
                div.notes { @for (what, label, _) in simple { (form(what, label, true, html! {})) } }
            }
            @if visit.console.letters.is_some() {
                p.actions { a.button.second href=(visit.url(&format!("{}/letter", path(&request.new.id)))) { (words.letters) } }
            }
            @if fits(&Note::End) {
                (form("end", words.note_end, false, html! { p.hint { (words.end_hint) } }))
            }
        }
    }
}

const ANSWERS: [(&str, Given); 6] = [
    ("granted", Given::Granted),
    ("in_part", Given::GrantedInPart),
    ("refused", Given::Refused),
    ("nothing_held", Given::NothingHeld),
    ("withdrawn", Given::Withdrawn),
    ("not_identified", Given::NotIdentified),
];

/// All notes, each with its author and time.
fn timeline(visit: &Visit<'_>, request: &Request, notes: &[RequestNote]) -> Markup {
    let words = visit.words;
    html! {
        ol.timeline {
            li { span.when { (visit.instant(request.new.received_at)) } " " (words.event_received) }
            @for note in notes {
                li {
                    span.when { (visit.instant(note.at)) } " " (event(visit, &note.event))
                    @if let Some(by) = &note.by { " · " (by.as_str()) }
                }
            }
        }
    }
}

fn event(visit: &Visit<'_>, event: &RequestEvent) -> Markup {
    let words = visit.words;
    match event {
        RequestEvent::IdentityAsked { .. } => html! { (words.event_identity_asked) },
        RequestEvent::IdentityConfirmed { reference, .. } => {
            html! { (words.event_identity_confirmed) " (" code { (reference) } ")" }
        }
        RequestEvent::Stopped { .. } => html! { (words.event_stopped) },
        RequestEvent::Reminded { .. } => html! { (words.event_reminded) },
        RequestEvent::Resumed { .. } => html! { (words.event_resumed) },
        RequestEvent::Extended { .. } => html! { (words.event_extended) },
        RequestEvent::Approved { .. } => html! { (words.event_approved) },
        RequestEvent::NotApproved => html! { (words.event_not_approved) },
        RequestEvent::Opened { case } => {
            html! { (words.event_opened) " " a href=(visit.url(&Visit::case_path(case))) { code { (case) } } }
        }
        RequestEvent::Closed { case, .. } => {
            html! { (words.event_closed) " " a href=(visit.url(&Visit::case_path(case))) { code { (case) } } }
        }
        RequestEvent::Decided { answer, .. } => {
            html! { (words.event_decided) ": " (words.answer_given(*answer)) }
        }
        RequestEvent::Sent(letter) => html! { (words.event_sent) ": " (words.letter_kind(letter.kind)) },
        RequestEvent::Ended { .. } => html! { (words.event_ended) },
    }
}

/// Notes something.
pub(crate) async fn note(visit: &Visit<'_>, id: &str, what: &str) -> Result<Answer, Failure> {
    visit.needs(Right::Plan)?;
    let request = found(visit, id).await?;
    let mut tried = visit.tried("note", id);
    let Some(note) = note_of(visit, what, &mut tried)? else { return show(visit, id, &tried).await };
    if !tried.is_fine() {
        return show(visit, id, &tried).await;
    }
    let today = visit.today_for(&request);
    let noted = visit.console.engine.note(&request.new.id, &note, today, visit.operator.authority()).await;
    match noted {
        Ok(_) => Ok(visit.see(&path(&request.new.id))),
        Err(error @ (Error::OutOfTurn { .. } | Error::Approval(_))) => {
            tried.complain("", told(&error));
            show(visit, id, &tried).await
        }
        Err(error) => Err(error.into()),
    }
}

fn note_of(visit: &Visit<'_>, what: &str, tried: &mut Tried) -> Result<Option<Note>, Failure> {
    Ok(Some(match what {
        "ask-identity" => Note::AskIdentity,
        "ask-meaning" => Note::AskMeaning,
        "remind" => Note::Remind,
        "answered" => Note::Answered,
        "end" => Note::End,
        "confirm" => {
            let Ok(reference) = visit.form.get("reference").unwrap_or_default().parse() else {
                tried.complain("reference", visit.words.reference_bad);
                return Ok(None);
            };
            Note::ConfirmIdentity { reference }
        }
        "extend" => Note::Extend {
            reason: match visit.form.get("why") {
                Some("number") => ExtensionReason::NumberOfRequests,
                _ => ExtensionReason::Complexity,
            },
        },
        "decide" => {
            let given = visit.form.get("answer");
            let (_, answer) =
                ANSWERS.iter().find(|(name, _)| Some(*name) == given).ok_or(Failure::NotFound)?;
            Note::Decide { answer: *answer }
        }
        _ => return Err(Failure::NotFound),
    }))
}
