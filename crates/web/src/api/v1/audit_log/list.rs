//! `GET /v1/workspaces/{workspace}/audit-log`

use axum::Json;
use axum::extract::State;
use keybell_app::audit::AuditFilter;
use keybell_app::{App, Page};
use keybell_core::grant::ReadAudit;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::api::v1::shapes::{At, Doer, List, json};
use crate::extract::{Granted, QueryParams};
use crate::problem::Answer;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Only what this actor did, by their id.
    actor: Option<String>,
    /// Only this action, such as `api_key.created`.
    action: Option<String>,
    /// Only what was done to this target, by its id.
    target: Option<String>,
    /// Only from this instant on.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<At>,
    /// Only before this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<At>,
    /// How many entries, 1 to 250.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before, as it came.
    cursor: Option<String>,
}

/// Who changed what, when, from where.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditEntry {
    #[schema(example = "aud_06dhtsbh1nxwk8n6s4c3v9r7e0")]
    id: String,
    at: At,
    actor: Doer,
    /// The target's kind, a dot, and what was done to it.
    #[schema(example = "api_key.created")]
    action: String,
    target: Target,
    /// The address the request came from, where one is known.
    #[schema(required)]
    source_address: Option<String>,
    request_id: String,
    /// What changed: by field, `from` and `to`.
    #[schema(value_type = Object)]
    changes: Box<RawValue>,
}

/// What something was done to.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditTarget)]
pub(super) struct Target {
    #[schema(example = "api_key")]
    kind: String,
    id: String,
}

/// List the audit log
///
/// Newest first. Entries are only ever added.
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/audit-log", tag = "Audit log", operation_id = "list_audit_entries",
    params(AuditQuery), responses((status = 200, body = List<AuditEntry>)))]
pub(super) async fn list(
    Granted(grant): Granted<ReadAudit>,
    State(app): State<App>,
    QueryParams(query): QueryParams<AuditQuery>,
) -> Answer<Json<List<AuditEntry>>> {
    let AuditQuery { actor, action, target, from, to, limit, cursor } = query;
    let filter = AuditFilter { actor, action, target, from: from.map(|at| at.0), to: to.map(|at| at.0) };
    let listing = app.list_audit(grant, filter, Page::new(limit, cursor)?).await?;
    Ok(Json(List::of(listing, shown)))
}

fn shown(entry: keybell_app::audit::AuditEntry) -> AuditEntry {
    AuditEntry {
        id: entry.id.to_string(),
        at: entry.at.into(),
        actor: entry.by.into(),
        action: entry.action,
        target: Target { kind: entry.target_kind, id: entry.target_id },
        source_address: entry.source_address,
        request_id: entry.request_id,
        changes: json(entry.changes_json),
    }
}
