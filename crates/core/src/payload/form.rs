//! The event as a form: `payload=` and the JSON document; `docs/wire-formats.md`, section 2.3.

use url::form_urlencoded::byte_serialize;

use super::{Envelope, json};

/// `payload=` and the JSON document, as `application/x-www-form-urlencoded` writes it.
pub(super) fn encode(envelope: &Envelope<'_>) -> Vec<u8> {
    form(&json::encode(envelope))
}

fn form(document: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(document.len() * 2);
    body.extend_from_slice(b"payload=");
    for part in byte_serialize(document) {
        body.extend_from_slice(part.as_bytes());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::test_support::{body, envelope};
    use crate::payload::{ContentType, encode as encode_any};

    #[test]
    fn is_written_as_browsers_write_it() {
        // The same bytes that GitHub signs for this document.
        assert_eq!(form(br#"{"test": 2432232314}"#), b"payload=%7B%22test%22%3A+2432232314%7D");
        assert_eq!(form("+&=é~".as_bytes()), b"payload=%2B%26%3D%C3%A9%7E");
    }

    #[test]
    fn gives_the_json_document_back() {
        let data = r#"{"a":"ü + & = %"}"#;
        let form = body(ContentType::Form, data);
        let (name, value) = url::form_urlencoded::parse(form.as_bytes()).next().expect("one field");
        assert_eq!(name, "payload");
        assert_eq!(value.as_bytes(), encode_any(ContentType::Json, &envelope(data)));
    }
}
