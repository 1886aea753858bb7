//! The audit log of a workspace.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use keybell_app::audit::{AuditEntry, AuditFilter};
use keybell_app::{App, Page};
use keybell_core::grant::ReadAudit;
use serde_json::Value;

use super::fields::Fields;
use super::page;
use super::signed::Inside;
use super::view::frame::Section;
use super::view::parts::When;
use super::view::workspace::{AuditLogPage, AuditRow};
use crate::problem::Answer;

pub(super) fn router() -> Router<App> {
    Router::new().route("/w/{workspace}/settings/advanced/audit-log", get(list))
}

async fn list(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let grant = here.grant::<ReadAudit>()?;
    let cursor = query.some("cursor");
    let is_later_page = cursor.is_some();
    let listing = app.list_audit(grant, AuditFilter::default(), Page::new(None, cursor)?).await?;
    let newest = format!("/w/{}/settings/advanced/audit-log", here.place.workspace);
    Ok(page(&AuditLogPage {
        frame: here.frame(Section::AuditLog),
        entries: listing.data.into_iter().map(row).collect(),
        older: listing.next_cursor.map(|cursor| format!("{newest}?cursor={cursor}")),
        is_later_page,
        newest,
    })?)
}

fn row(entry: AuditEntry) -> AuditRow {
    AuditRow {
        at: When::at(entry.at),
        who: entry.by.name,
        kind: spoken(&entry.by.kind),
        what: spoken(&entry.action.replace('.', " ")),
        target: entry.target_id,
        address: entry.source_address.unwrap_or_else(|| "—".to_owned()),
        changes: changes(&entry.changes_json),
    }
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

/// Field, before, after.
fn changes(json: &str) -> Vec<(String, String, String)> {
    let Ok(Value::Object(fields)) = serde_json::from_str(json) else { return Vec::new() };
    let side = |change: &Value, side: &str| change.get(side).map(shown).unwrap_or_default();
    fields
        .iter()
        .map(|(field, change)| (field.replace('_', " "), side(change, "from"), side(change, "to")))
        .collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_a_sentence() {
        assert_eq!(spoken("api_key created"), "API key created");
        assert_eq!(spoken("webhook signing_secret_shown"), "Webhook signing secret shown");
        let changed = changes(r#"{"name":{"from":"a","to":"b"},"expires_at":{"from":null,"to":1}}"#);
        assert_eq!(changed[1], ("expires at".to_owned(), "none".to_owned(), "1".to_owned()));
        assert_eq!(changes("not JSON"), []);
    }
}
