//! The judge of the XML format: a reader written from the table of `docs/wire-formats.md`, section 2.2, with `quick-xml` and
//! without a line of the encoder, and the property that JSON → XML → JSON loses nothing.
//!
//! Values are compared as [`Tree`]s, which keep what a map or a float would lose.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::ContentType;
use super::test_support::body;
use crate::event::{DATA_DEPTH_MAX, check_data};

/// A JSON value with everything that the format promises to keep.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Null,
    Boolean(bool),
    Number(String),
    String(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads JSON with `serde_json` alone.
    fn of_json(json: &str) -> Tree {
        let json = json.trim_matches([' ', '\t', '\n', '\r']);
        let must = "generated text is JSON";
        match json.as_bytes()[0] {
            b'n' => Tree::Null,
            b't' | b'f' => Tree::Boolean(serde_json::from_str(json).expect(must)),
            b'"' => Tree::String(serde_json::from_str(json).expect(must)),
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(json).expect(must);
                Tree::Array(items.iter().map(|item| Tree::of_json(item.get())).collect())
            }
            b'{' => {
                let Members(members) = serde_json::from_str(json).expect(must);
                Tree::Object(
                    members.into_iter().map(|(key, value)| (key, Tree::of_json(value.get()))).collect(),
                )
            }
            _ => Tree::Number(json.to_owned()),
        }
    }

    fn write(&self, json: &mut String) {
        let quoted = |text: &str| serde_json::to_string(text).expect("text is JSON");
        match self {
            Tree::Null => json.push_str("null"),
            Tree::Boolean(value) => json.push_str(if *value { "true" } else { "false" }),
            Tree::Number(spelling) => json.push_str(spelling),
            Tree::String(text) => json.push_str(&quoted(text)),
            Tree::Array(items) => {
                json.push('[');
                for (index, item) in items.iter().enumerate() {
                    json.push_str(if index == 0 { "" } else { "," });
                    item.write(json);
                }
                json.push(']');
            }
            Tree::Object(members) => {
                json.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    json.push_str(if index == 0 { "" } else { "," });
                    json.push_str(&quoted(key));
                    json.push(':');
                    value.write(json);
                }
                json.push('}');
            }
        }
    }
}

/// The members of an object in order, duplicates included.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The JSON of the element `data` of an event in XML, without white space.
///
/// Panics where the document is not well-formed or not of the format.
fn to_json(xml: &str) -> String {
    assert!(xml.chars().all(is_xml_character), "every character is one of XML 1.0");
    let mut reader = Reader::from_str(xml);
    reader.config_mut().enable_all_checks(true);
    let mut data = None;
    loop {
        match reader.read_event().expect("the document is well-formed") {
            Event::Start(start) if start.name().as_ref() == "data" => {
                data = Some(read_value(&mut reader, &start));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let mut json = String::new();
    data.expect("the event has data").write(&mut json);
    json
}

fn is_xml_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = start.attributes();
    attributes.with_checks(true).find_map(|attribute| {
        let attribute = attribute.expect("attributes are well-formed");
        (attribute.key.as_ref() == name).then(|| {
            attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .expect("its value is well-formed")
                .into_owned()
        })
    })
}

fn decoded(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).expect("base64")).expect("UTF-8")
}

/// The value of an element whose start tag was read; reads up to its end tag.
fn read_value(reader: &mut Reader<&[u8]>, start: &BytesStart<'_>) -> Tree {
    let (text, children) = read_inside(reader);
    match attribute(start, "type").as_deref() {
        Some("null") => Tree::Null,
        Some("boolean") => Tree::Boolean(text == "true"),
        Some("number") => Tree::Number(text),
        Some("array") => Tree::Array(children.into_iter().map(|(_, value)| value).collect()),
        Some("object") => Tree::Object(children),
        Some(other) => panic!("no such type: {other}"),
        None if attribute(start, "encoding").as_deref() == Some("base64") => Tree::String(decoded(&text)),
        None => Tree::String(text),
    }
}

/// What stands between a start tag and its end tag: text, and elements by the key they stand for.
fn read_inside(reader: &mut Reader<&[u8]>) -> (String, Vec<(String, Tree)>) {
    let (mut text, mut children) = (String::new(), Vec::new());
    loop {
        match reader.read_event().expect("the document is well-formed") {
            Event::Start(start) => {
                let start = start.into_owned();
                let value = read_value(reader, &start);
                children.push((key_of(&start), value));
            }
            Event::Text(part) => text.push_str(&part.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().expect("a reference") {
                Some(character) => text.push(character),
                None => {
                    text.push_str(resolve_predefined_entity(&reference).expect("an entity of XML itself"));
                }
            },
            Event::End(_) => return (text, children),
            other => panic!("not of the format: {other:?}"),
        }
    }
}

fn key_of(start: &BytesStart<'_>) -> String {
    let element = start.name().as_ref().to_owned();
    match attribute(start, "name") {
        None => element,
        Some(key) => {
            assert_eq!(element, "entry", "only an entry has a name");
            match attribute(start, "name-encoding").as_deref() {
                Some("base64") => decoded(&key),
                Some(other) => panic!("no such encoding: {other}"),
                None => key,
            }
        }
    }
}

/// Text with the characters that break formats.
fn nasty_text() -> impl Strategy<Value = String> {
    let nasty = prop_oneof![
        proptest::char::range('\0', '\u{a0}'),
        proptest::sample::select(vec![
            '<',
            '>',
            '&',
            '"',
            '\'',
            '\r',
            '\n',
            '\t',
            ' ',
            ']',
            '\\',
            '/',
            '\u{7f}',
            '\u{85}',
            '\u{2028}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{feff}',
            '\u{fffd}',
            '\u{fffe}',
            '\u{ffff}',
            '😀',
            '\u{1fffe}',
            '\u{10ffff}',
        ]),
        any::<char>(),
    ];
    let free = proptest::collection::vec(nasty, 0..8).prop_map(|characters| characters.into_iter().collect());
    let known = [
        "item", "entry", "data", "type", "xml", "XmlLang", "name", "a.b-c", "-a", "1", "]]>", "&amp;",
        "&#13;",
    ];
    prop_oneof![3 => free, 1 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned)]
}

/// A JSON string, each character spelled in one of the ways that JSON has.
fn json_string() -> impl Strategy<Value = String> {
    (nasty_text(), proptest::collection::vec(0..3_u8, 8)).prop_map(|(text, ways)| {
        let mut json = String::from("\"");
        for (index, character) in text.chars().enumerate() {
            if ways[index % ways.len()] == 0 {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(json, "\\u{unit:04x}").expect("writing to memory does not fail");
                }
            } else if character == '/' {
                json.push_str("\\/");
            } else {
                json.push_str(serde_json::to_string(&character).expect("JSON").trim_matches('"'));
                if character == '"' {
                    json.push('"');
                }
            }
        }
        json.push('"');
        json
    })
}

fn json_number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,4})?",
        Just("1e400".to_owned()),
        Just("1.50".to_owned())
    ]
}

/// White space as JSON has it.
fn space() -> impl Strategy<Value = String> {
    "[ \t\n\r]{0,2}"
}

/// Any JSON text.
fn json_text() -> impl Strategy<Value = String> {
    let word =
        proptest::sample::select(vec!["null", "true", "false", "[]", "{ }", "\"\""]).prop_map(str::to_owned);
    let leaf = prop_oneof![word, json_number(), json_string()];
    leaf.prop_recursive(8, 64, 6, |inner| {
        let spaced =
            (space(), inner, space()).prop_map(|(before, value, after)| before + &value + &after).boxed();
        let member = (space(), json_string(), space(), spaced.clone())
            .prop_map(|(before, key, after, value)| format!("{before}{key}{after}:{value}"));
        prop_oneof![
            proptest::collection::vec(spaced, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            // A member twice now and then: duplicates must survive.
            (proptest::collection::vec(member, 0..6), any::<bool>()).prop_map(|(mut members, again)| {
                if again && !members.is_empty() {
                    members.push(members[0].clone());
                }
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// `leaf` within `depth` arrays and objects.
fn nested(leaf: &str, depth: usize) -> String {
    (0..depth).fold(leaf.to_owned(), |inner, level| match level % 2 {
        0 => format!("[{inner}]"),
        _ => format!("{{\"1 \\u0000\":{inner}}}"),
    })
}

fn assert_comes_back(json: &str) {
    assert_eq!(check_data(json.as_bytes()), Ok(()), "{json}");
    let back = to_json(&body(ContentType::Xml, json));
    assert_eq!(Tree::of_json(&back), Tree::of_json(json), "{json}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_to_xml_to_json_loses_nothing(json in json_text()) {
        assert_comes_back(&json);
    }

    #[test]
    fn json_bodies_are_json_and_hold_the_data_byte_for_byte(json in json_text()) {
        for kind in [ContentType::Json, ContentType::CloudEvents] {
            let document = body(kind, json.trim());
            let Members(members) = serde_json::from_str(&document).expect("the body is JSON");
            let (name, data) = members.last().expect("it has members");
            prop_assert_eq!((name.as_str(), data.get()), ("data", json.trim()));
        }
    }
}

#[test]
fn the_deepest_data_comes_back() {
    for leaf in ["1e400", "\"\\u0000\"", "{}", "null"] {
        let depth = DATA_DEPTH_MAX - usize::from(leaf == "{}");
        assert_comes_back(&nested(leaf, depth));
    }
}

#[test]
fn the_examples_of_the_contract_come_back() {
    for json in [
        r#"{"price":1.50,"big":1e400,"price":-0.0,"":null,"xml":"\u0007","a b":[[],{},"",false]}"#,
        "\" leading and trailing white space \\r\\n\"",
        "  [ 1 , 2 ]\n",
    ] {
        assert_comes_back(json);
    }
}
