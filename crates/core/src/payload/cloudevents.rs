//! The event as `CloudEvents` 1.0 in structured mode: `docs/wire-formats.md`, section 2.4.

use std::io::Write as _;

use super::Envelope;
use super::json::{write_data, write_string};

/// `{"specversion":"1.0","id":…,"source":…,"type":…,"time":…,"datacontenttype":"application/json","data":…}`.
pub(super) fn encode(envelope: &Envelope<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(envelope.data.len() + 384);
    body.extend_from_slice(b"{\"specversion\":\"1.0\",\"id\":");
    write_string(&mut body, envelope.id);
    body.extend_from_slice(b",\"source\":");
    write_string(&mut body, envelope.source);
    body.extend_from_slice(b",\"type\":");
    write_string(&mut body, envelope.event_type);
    write!(body, ",\"time\":\"{}\",\"datacontenttype\":\"application/json\"", envelope.occurred_at)
        .expect("writing to memory does not fail");
    write_data(&mut body, envelope.data);
    body
}

#[cfg(test)]
mod tests {
    use crate::payload::ContentType;
    use crate::payload::test_support::body;

    #[test]
    fn has_exactly_these_members_in_this_order() {
        assert_eq!(
            body(ContentType::CloudEvents, "[ 1.50 ]"),
            r#"{"specversion":"1.0","id":"evt_0","source":"https://platform.example/v1/workspaces/ws_00000000000000000000000000","type":"research_report.published","time":"2026-11-23T15:31:56.123Z","datacontenttype":"application/json","data":[ 1.50 ]}"#
        );
    }
}
