//! The audit log of a workspace, filtered by its address.

use axum::extract::State;
use axum::response::Response;
use keybell_app::audit::{ACTIONS, AuditEntry, AuditFilter};
use keybell_app::{App, Listing, Page};
use keybell_core::Problem;
use keybell_core::grant::ReadAudit;
use keybell_core::id::kind;
use serde_json::Value;

use super::between::Between;
use super::download::{self, Rows};
use super::fields::Fields;
use super::listed::{address, kept, list_page, loaded, looked_to};
use super::signed::Inside;
use super::view::audit_log::{AuditChange, AuditLogPage, AuditRow};
use super::view::frame::Section;
use super::view::parts::When;
use crate::problem::Answer;
use crate::routes::Routes;

/// The parameters that filter, and stay when the page is turned: those of the API.
const FILTERS: [&str; 5] = ["action", "actor", "target", "from", "to"];
/// What is done to these belongs to no workspace, and is in no workspace's log.
const OUTSIDE: [&str; 3] = ["event_type", "scope", "operator_key"];

pub(super) fn routes() -> Routes<App> {
    const AUDIT_LOG: &str = "/w/{workspace}/settings/advanced/audit-log";
    Routes::for_members().page(AUDIT_LOG, list).download(&format!("{AUDIT_LOG}.csv"), download)
}

fn list_of(here: &Inside) -> String {
    format!("/w/{}/settings/advanced/audit-log", here.place.workspace)
}

async fn list(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let grant = here.grant::<ReadAudit>()?;
    let between = Between::read(&query);
    let filter = filter(&query, &between);
    let cursor = query.some("cursor");
    let is_later_page = cursor.is_some();
    let (found, problem) = loaded(app.glance_at_audit(grant, filter, Page::new(None, cursor)?).await)?;
    let (list, looked_to) = (list_of(&here), looked_to::<kind::Audit, _>(&found));
    let kept = kept(&query, &FILTERS);
    let view = AuditLogPage {
        frame: here.frame(Section::AuditLog),
        actions: actions(query.one("action").trim()),
        actor: query.some("actor").unwrap_or_default(),
        target: query.some("target").unwrap_or_default(),
        period: between.fields,
        is_filtered: !kept.is_empty(),
        failed: problem.is_some(),
        download: (!found.data.is_empty() || looked_to.is_some()).then(|| download::link(&list, &kept)),
        looked_to,
        entries: found.data.into_iter().map(|entry| row(&list, entry)).collect(),
        older: found.next_cursor.map(|cursor| address(&list, &kept, Some(&cursor))),
        is_later_page,
        newest: address(&list, &kept, None),
        list,
    };
    Ok(list_page(&view, problem.as_ref())?)
}

fn filter(query: &Fields, between: &Between) -> AuditFilter {
    AuditFilter {
        actor: query.some("actor"),
        action: query.some("action"),
        target: query.some("target"),
        from: between.from,
        to: between.until,
    }
}

/// The file of what the list's page shows by the same filter.
async fn download(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let between = Between::read(&query);
    between.refuse_what_is_no_time()?;
    let entries = Entries(filter(&query, &between));
    let list = list_of(&here);
    Ok(download::file(app, here, &query, &list, &FILTERS, entries).await?)
}

/// The entries that are downloaded.
struct Entries(AuditFilter);

impl Rows for Entries {
    const COLUMNS: &'static [&'static str] = &[
        "at",
        "action",
        "actor_kind",
        "actor_id",
        "actor_name",
        "target_kind",
        "target_id",
        "source_address",
        "request_id",
        "changes",
    ];

    async fn read(&self, app: &App, here: &Inside, page: Page) -> Result<Listing<Vec<String>>, Problem> {
        let Listing { data, next_cursor } = app.glance_at_audit(here.grant()?, self.0.clone(), page).await?;
        Ok(Listing { data: data.into_iter().map(cells).collect(), next_cursor })
    }
}

fn cells(entry: AuditEntry) -> Vec<String> {
    vec![
        entry.at.to_string(),
        entry.action,
        entry.by.kind,
        entry.by.id,
        entry.by.name,
        entry.target_kind,
        entry.target_id,
        entry.source_address.unwrap_or_default(),
        entry.request_id,
        entry.changes_json,
    ]
}

/// The actions to choose from: the chosen one as well, whatever it is.
fn actions(chosen: &str) -> Vec<(String, String, bool)> {
    let inside = |action: &&str| !OUTSIDE.contains(&kind_of(action));
    let odd = (!chosen.is_empty() && !ACTIONS.contains(&chosen)).then_some(chosen);
    let all = ACTIONS.into_iter().filter(inside).chain(odd);
    all.map(|action| (action.to_owned(), in_words(action), action == chosen)).collect()
}

fn row(list: &str, entry: AuditEntry) -> AuditRow {
    AuditRow {
        at: When::at(entry.at),
        by_actor: address(list, &[("actor", entry.by.id)], None),
        who: entry.by.name,
        kind: spoken(&entry.by.kind),
        what: in_words(&entry.action),
        target_kind: spoken(&entry.target_kind),
        on_target: address(list, &[("target", entry.target_id.clone())], None),
        target: entry.target_id,
        address: entry.source_address.unwrap_or_else(|| "—".to_owned()),
        request_id: entry.request_id,
        changes: changes(&entry.changes_json),
    }
}

/// The kind of thing that an action is done to.
fn kind_of(action: &str) -> &str {
    action.split('.').next().unwrap_or(action)
}

fn in_words(action: &str) -> String {
    spoken(&action.replace('.', " "))
}

/// `api_key.signing_secret_shown` as `API key signing secret shown`.
fn spoken(words: &str) -> String {
    let words = words.replace('_', " ");
    if let Some(rest) = words.strip_prefix("api key") {
        return format!("API key{rest}");
    }
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// What an entry says besides: a field with what it was and is, or a fact that was never otherwise.
fn changes(json: &str) -> Vec<AuditChange> {
    let Ok(Value::Object(fields)) = serde_json::from_str(json) else { return Vec::new() };
    let change = |(field, said): (&String, &Value)| {
        let is_change = said.get("from").is_some() || said.get("to").is_some();
        let (before, after) = if is_change {
            // Nothing before is how something begins, and nothing after how it ends: neither is a value that can be read.
            let value = |side| said.get(side).filter(|value| !value.is_null()).map(shown);
            (value("from"), value("to"))
        } else {
            (None, Some(shown(said)))
        };
        AuditChange { field: field.replace('_', " "), before, after }
    };
    fields.iter().map(change).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Vec<(String, Option<String>, Option<String>)> {
        changes(json).into_iter().map(|change| (change.field, change.before, change.after)).collect()
    }

    #[test]
    fn an_entry_reads_as_a_sentence() {
        assert_eq!(in_words("api_key.created"), "API key created");
        assert_eq!(in_words("webhook.signing_secret_shown"), "Webhook signing secret shown");
    }

    #[test]
    fn before_and_after_are_told_apart_and_a_fact_has_only_an_after() {
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(
            told(
                r#"{"events":{"from":[],"to":["a","b"]},"expires_at":{"from":null,"to":1},"name":{"to":""}}"#
            ),
            [
                ("events".to_owned(), said("none"), said("a, b")),
                ("expires at".to_owned(), None, said("1")),
                ("name".to_owned(), None, said("empty")),
            ]
        );
        assert_eq!(told(r#"{"event_type":"a.b"}"#), [("event type".to_owned(), None, said("a.b"))]);
        assert_eq!(told("not JSON"), []);
    }

    #[test]
    fn actions_of_a_workspace_can_be_chosen_and_what_the_address_names_is_always_among_them() {
        let words = |chosen| {
            let all = actions(chosen).into_iter();
            all.map(|(action, _, is_chosen)| (action, is_chosen)).collect::<Vec<_>>()
        };
        assert!(words("").contains(&("webhook.created".to_owned(), false)));
        assert!(!words("").iter().any(|(action, _)| action.starts_with("operator_key")));
        assert!(words("x.y").contains(&("x.y".to_owned(), true)));
    }
}
