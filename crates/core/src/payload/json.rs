//! The event as one JSON object: `docs/wire-formats.md`, section 2.1.

use std::io::Write as _;

use super::Envelope;

/// `{"id":…,"type":…,"timestamp":…,"workspace_id":…,"data":<the publisher's bytes>}`.
pub(super) fn encode(envelope: &Envelope<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(envelope.data.len() + 256);
    body.extend_from_slice(b"{\"id\":");
    write_string(&mut body, envelope.id);
    body.extend_from_slice(b",\"type\":");
    write_string(&mut body, envelope.event_type);
    write!(
        body,
        ",\"timestamp\":\"{}\",\"workspace_id\":\"{}\"",
        envelope.occurred_at, envelope.workspace_id
    )
    .expect("writing to memory does not fail");
    write_data(&mut body, envelope.data);
    body
}

/// The last member of an envelope: `,"data":<bytes>}`.
pub(super) fn write_data(body: &mut Vec<u8>, data: &[u8]) {
    body.extend_from_slice(b",\"data\":");
    body.extend_from_slice(data);
    body.push(b'}');
}

/// `text` as a JSON string.
pub(super) fn write_string(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("text is always JSON, and writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use crate::payload::ContentType;
    use crate::payload::test_support::body;

    #[test]
    fn has_exactly_these_members_in_this_order() {
        assert_eq!(
            body(ContentType::Json, "1"),
            r#"{"id":"evt_0","type":"research_report.published","timestamp":"2026-11-23T15:31:56.123Z","workspace_id":"ws_00000000000000000000000000","data":1}"#
        );
    }

    #[test]
    fn data_is_untouched() {
        let data = "{ \"b\" : 1.50,\n\t\"a\":\"\\u0041\\/\", \"a\": 1e400 }";
        assert!(body(ContentType::Json, data).ends_with(&format!(",\"data\":{data}}}")));
    }
}
