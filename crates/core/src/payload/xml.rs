//! The event as XML, from which the same JSON can be read back: `docs/wire-formats.md`, section 2.2.
//!
//! A walk over the tokens of the data, which writes each as it comes; nothing is built up but the names of what is open.

use std::borrow::Cow;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Envelope;
use super::tokens::{Token, Tokens, unescape};

/// The declaration, one line feed, and `<event>` without white space of ours.
pub(super) fn encode(envelope: &Envelope<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(envelope.data.len() * 2 + 384);
    body.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<event><id>");
    write_text(&mut body, envelope.id);
    body.extend_from_slice(b"</id><type>");
    write_text(&mut body, envelope.event_type);
    write!(
        body,
        "</type><timestamp>{}</timestamp><workspace_id>{}</workspace_id>",
        envelope.occurred_at, envelope.workspace_id
    )
    .expect("writing to memory does not fail");
    // Borrows: what was accepted is UTF-8.
    write_data(&mut body, &String::from_utf8_lossy(envelope.data));
    body.extend_from_slice(b"</event>");
    body
}

/// The element that a value is written as.
#[derive(Clone)]
enum Element<'a> {
    /// The value of the whole document: `data`.
    Data,
    /// A value of an array: `item`.
    Item,
    /// A member whose key is a name in XML.
    Named(Cow<'a, str>),
    /// A member with any other key: `entry`, with the key as attribute.
    Entry(Cow<'a, str>),
}

/// An array or object that is not closed yet.
struct Open<'a> {
    element: Element<'a>,
    is_array: bool,
}

fn write_data(body: &mut Vec<u8>, json: &str) {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut next = Element::Data;
    for token in Tokens::of(json) {
        if let Some(Open { is_array: true, .. }) = open.last() {
            next = Element::Item;
        }
        match token {
            Token::Key(raw) => next = Element::of_key(unescape(raw)),
            Token::ObjectStart | Token::ArrayStart => {
                let is_array = token == Token::ArrayStart;
                next.write_start(body, if is_array { " type=\"array\"" } else { " type=\"object\"" });
                open.push(Open { element: next.clone(), is_array });
            }
            Token::ObjectEnd | Token::ArrayEnd => {
                if let Some(closed) = open.pop() {
                    closed.element.write_end(body);
                }
            }
            Token::String(raw) => write_string(body, &next, &unescape(raw)),
            Token::Number(spelling) => write_simple(body, &next, " type=\"number\"", spelling),
            Token::Boolean(word) => write_simple(body, &next, " type=\"boolean\"", word),
            Token::Null => write_simple(body, &next, " type=\"null\"", ""),
        }
    }
}

fn write_simple(body: &mut Vec<u8>, element: &Element<'_>, attributes: &str, text: &str) {
    element.write_start(body, attributes);
    write_text(body, text);
    element.write_end(body);
}

fn write_string(body: &mut Vec<u8>, element: &Element<'_>, text: &str) {
    if fits_xml(text) {
        write_simple(body, element, "", text);
    } else {
        write_simple(body, element, " encoding=\"base64\"", &STANDARD.encode(text));
    }
}

impl<'a> Element<'a> {
    fn of_key(key: Cow<'a, str>) -> Self {
        if is_element_name(&key) { Element::Named(key) } else { Element::Entry(key) }
    }

    fn name(&self) -> &str {
        match self {
            Element::Data => "data",
            Element::Item => "item",
            Element::Named(key) => key,
            Element::Entry(_) => "entry",
        }
    }

    fn write_start(&self, body: &mut Vec<u8>, attributes: &str) {
        body.push(b'<');
        body.extend_from_slice(self.name().as_bytes());
        if let Element::Entry(key) = self {
            body.extend_from_slice(b" name=\"");
            if fits_xml(key) {
                write_attribute(body, key);
                body.push(b'"');
            } else {
                write_attribute(body, &STANDARD.encode(key.as_bytes()));
                body.extend_from_slice(b"\" name-encoding=\"base64\"");
            }
        }
        body.extend_from_slice(attributes.as_bytes());
        body.push(b'>');
    }

    fn write_end(&self, body: &mut Vec<u8>) {
        body.extend_from_slice(b"</");
        body.extend_from_slice(self.name().as_bytes());
        body.push(b'>');
    }
}

/// Whether a key can be an element's name: `[A-Za-z_][A-Za-z0-9_.-]*`, and not `xml…` in any case, which XML reserves.
fn is_element_name(key: &str) -> bool {
    let bytes = key.as_bytes();
    let starts = bytes.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_');
    let reserved = bytes.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"xml"));
    starts && !reserved && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte))
}

/// Whether every character is one that XML 1.0 can hold (its production `Char`).
fn fits_xml(text: &str) -> bool {
    text.chars().all(|character| match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        other => other >= ' ',
    })
}

/// Text between tags. A carriage return is escaped, since a parser would read a line feed.
fn write_text(body: &mut Vec<u8>, text: &str) {
    write_escaped(body, text, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

/// Text in a quoted attribute, where a parser would read all white space as spaces.
fn write_attribute(body: &mut Vec<u8>, text: &str) {
    write_escaped(body, text, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#9;"),
        b'\n' => Some("&#10;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

fn write_escaped(body: &mut Vec<u8>, text: &str, escape: impl Fn(u8) -> Option<&'static str>) {
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if let Some(escaped) = escape(byte) {
            body.extend_from_slice(&text.as_bytes()[plain..at]);
            body.extend_from_slice(escaped.as_bytes());
            plain = at + 1;
        }
    }
    body.extend_from_slice(&text.as_bytes()[plain..]);
}

#[cfg(test)]
mod tests {
    use crate::payload::ContentType;
    use crate::payload::test_support::body;

    /// The element `data` alone.
    fn data(json: &str) -> String {
        let xml = body(ContentType::Xml, json);
        let from = xml.find("<data").expect("data is there");
        xml[from..].strip_suffix("</event>").expect("event is closed").to_owned()
    }

    #[test]
    fn has_exactly_these_elements_in_this_order() {
        assert_eq!(
            body(ContentType::Xml, " { } "),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<event><id>evt_0</id><type>research_report.published</type>\
             <timestamp>2026-11-23T15:31:56.123Z</timestamp><workspace_id>ws_00000000000000000000000000</workspace_id>\
             <data type=\"object\"></data></event>"
        );
    }

    #[test]
    fn every_kind_of_value_is_written_by_the_table() {
        for (json, xml) in [
            (r#""text""#, "<data>text</data>"),
            (r#""""#, "<data></data>"),
            (r#""a\u0001b""#, "<data encoding=\"base64\">YQFi</data>"),
            (r#""\uffff""#, "<data encoding=\"base64\">77+/</data>"),
            ("1.50", "<data type=\"number\">1.50</data>"),
            ("1e400", "<data type=\"number\">1e400</data>"),
            ("true", "<data type=\"boolean\">true</data>"),
            ("null", "<data type=\"null\"></data>"),
            ("[]", "<data type=\"array\"></data>"),
            (
                r#"[1, ["x"], {"a": null}, false]"#,
                "<data type=\"array\"><item type=\"number\">1</item><item type=\"array\"><item>x</item></item>\
                 <item type=\"object\"><a type=\"null\"></a></item><item type=\"boolean\">false</item></data>",
            ),
            (
                r#"{"b":1,"a":{"c":[]},"b":"2"}"#,
                "<data type=\"object\"><b type=\"number\">1</b><a type=\"object\"><c type=\"array\"></c></a><b>2</b></data>",
            ),
        ] {
            assert_eq!(data(json), xml, "{json}");
        }
    }

    #[test]
    fn a_key_that_is_no_name_is_an_entry() {
        for (key, start) in [
            ("a.b-c_1", "<a.b-c_1>"),
            ("_", "<_>"),
            ("item", "<item>"),
            ("entry", "<entry>"),
            ("xm", "<xm>"),
            ("", "<entry name=\"\">"),
            ("1a", "<entry name=\"1a\">"),
            ("xMLns", "<entry name=\"xMLns\">"),
            ("a:b", "<entry name=\"a:b\">"),
            ("größe", "<entry name=\"größe\">"),
            (r#"\t\n\r\"<&>'"#, "<entry name=\"&#9;&#10;&#13;&quot;&lt;&amp;&gt;'\">"),
            (r"\u0000", "<entry name=\"AA==\" name-encoding=\"base64\">"),
        ] {
            let xml = data(&format!("{{\"{key}\":\"\"}}"));
            let inside = xml.strip_prefix("<data type=\"object\">").expect("an object");
            assert!(inside.starts_with(&format!("{start}</")), "{key}: {inside}");
        }
        // The kind of the value stands after the key.
        let array = data(r#"{"1":[]}"#);
        assert_eq!(array, "<data type=\"object\"><entry name=\"1\" type=\"array\"></entry></data>");
    }

    #[test]
    fn text_is_escaped_as_far_as_parsers_would_change_it() {
        assert_eq!(data(r#""<a> & \"b\"\r\n\t'""#), "<data>&lt;a&gt; &amp; \"b\"&#13;\n\t'</data>");
    }
}
