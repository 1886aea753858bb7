//! An event as a webhook would be sent it, made by the code that makes deliveries: for the form of a webhook and for the
//! event catalogue.

use keybell_app::App;
use keybell_core::WorkspaceId;
use keybell_core::payload::{self, ContentType, Envelope};

use crate::envelope::base_url;

/// The id that examples bear.
const ID: &str = "evt_06dhtsbh1nxwk8n6s4c3v9r7e0";

/// An event of `event_type` with `data`, which is JSON, in each content type.
pub(super) fn in_each(
    app: &App,
    workspace: WorkspaceId,
    event_type: &str,
    data: &str,
) -> [(ContentType, String); 4] {
    let source = format!("{}/v1/workspaces/{workspace}", base_url(app));
    let envelope = Envelope {
        id: ID,
        event_type,
        occurred_at: app.now(),
        workspace_id: workspace,
        data: data.as_bytes(),
        source: &source,
    };
    ContentType::ALL
        .map(|kind| (kind, String::from_utf8_lossy(&payload::encode(kind, &envelope)).into_owned()))
}

/// A content type in a word.
pub(super) const fn label(content_type: ContentType) -> &'static str {
    match content_type {
        ContentType::Json => "JSON",
        ContentType::Xml => "XML",
        ContentType::Form => "Form",
        ContentType::CloudEvents => "CloudEvents",
    }
}
