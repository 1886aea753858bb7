//! What is published: ids and type names of events, and the limits of their data. Pages, API and ingest all ask here.

use std::fmt;

use serde::de::IgnoredAny;

use crate::id::EventKey;
use crate::payload::tokens::{Token, Tokens, has_lone_surrogate};
use crate::problem::{Code, Problem};

/// Most bytes of an event's data: what a receiver on a small machine still reads without thought, and ten times what
/// Standard Webhooks advises.
pub const DATA_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting of an event's data: arrays and objects one inside the other. Common parsers stop at 100 to 128, and the
/// envelope takes one level itself.
pub const DATA_DEPTH_MAX: usize = 64;
/// Most bytes of an event's id.
pub const EVENT_ID_BYTES_MAX: usize = 256;
/// Most bytes of an event type's name, and of a group's.
pub const TYPE_NAME_BYTES_MAX: usize = 256;

/// An event's id as the outside sees it: ours (`evt_` and 26 characters), or one that the publisher supplied.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(String);

/// Why a text is no event id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEventId {
    /// It has no characters, or more than [`EVENT_ID_BYTES_MAX`].
    #[error("must have 1 to {EVENT_ID_BYTES_MAX} characters")]
    Length,
    /// It has a character that is not allowed. A dot is not, since the id is signed with dots around it.
    #[error("may hold letters of ASCII, digits, `_` and `-` only")]
    Characters,
    /// It looks like one that we made, and could be taken for another event's.
    #[error("looks like an id that Keybell made (evt_ and 26 characters); supply one of your own, or none")]
    Ours,
}

impl EventId {
    /// The id of an event that came without one.
    pub fn of_key(key: EventKey) -> EventId {
        EventId(key.to_string())
    }

    /// Reads an id that names an event, ours or supplied: to look one up.
    pub fn parse(text: &str) -> Result<EventId, BadEventId> {
        if text.is_empty() || text.len() > EVENT_ID_BYTES_MAX {
            return Err(BadEventId::Length);
        }
        if !text.bytes().all(is_word_byte) {
            return Err(BadEventId::Characters);
        }
        Ok(EventId(text.to_owned()))
    }

    /// Reads an id that a publisher gives a new event. One that has exactly the form of ours is refused: so a supplied id
    /// never names an event that came without one.
    pub fn supplied(text: &str) -> Result<EventId, BadEventId> {
        let id = EventId::parse(text)?;
        if id.key().is_some() { Err(BadEventId::Ours) } else { Ok(id) }
    }

    /// The database's key, where the id is one we made; `None` where it was supplied.
    pub fn key(&self) -> Option<EventKey> {
        EventKey::parse(&self.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of an event type, such as `research_report.published`: words of `[A-Za-z0-9_-]` joined by dots.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeName(String);

/// Why a text is no name of an event type, or of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be words of letters, digits, `_` and `-`, joined by dots, 1 to {TYPE_NAME_BYTES_MAX} characters in all"
)]
pub struct BadTypeName;

impl TypeName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<TypeName, BadTypeName> {
        let words_fit = text.split('.').all(|word| !word.is_empty() && word.bytes().all(is_word_byte));
        if text.len() <= TYPE_NAME_BYTES_MAX && words_fit {
            Ok(TypeName(text.to_owned()))
        } else {
            Err(BadTypeName)
        }
    }

    /// The group it belongs to where none is given: the part before the first dot.
    pub fn default_group(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Why an event's data is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadData {
    /// It has more than [`DATA_BYTES_MAX`] bytes.
    #[error("data has {bytes} bytes; at most {DATA_BYTES_MAX} are accepted")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// It is not JSON in UTF-8.
    #[error("data is not valid JSON: {why}")]
    NotJson {
        /// Where it stops being JSON.
        why: String,
    },
    /// It nests more than [`DATA_DEPTH_MAX`] deep.
    #[error("data nests deeper than {DATA_DEPTH_MAX} arrays and objects")]
    TooDeep,
    /// A string in it has half of a surrogate pair, which stands for no character: no receiver could read it.
    #[error(
        "data has a string with half of a surrogate pair, such as \\ud800, which stands for no character"
    )]
    LoneSurrogate,
}

/// Whether `data` may be the data of an event: any JSON value within the limits of size and depth.
///
/// What passes here may be handed to [`encode`](crate::payload::encode).
pub fn check_data(data: &[u8]) -> Result<(), BadData> {
    if data.len() > DATA_BYTES_MAX {
        return Err(BadData::TooLarge { bytes: data.len() });
    }
    let text = std::str::from_utf8(data).map_err(|error| BadData::NotJson { why: error.to_string() })?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| BadData::NotJson { why: error.to_string() })?;
    let mut depth = 0_usize;
    for token in Tokens::of(text) {
        match token {
            Token::ObjectStart | Token::ArrayStart => depth += 1,
            Token::ObjectEnd | Token::ArrayEnd => depth -= 1,
            Token::Key(raw) | Token::String(raw) if has_lone_surrogate(raw) => {
                return Err(BadData::LoneSurrogate);
            }
            _ => {}
        }
        if depth > DATA_DEPTH_MAX {
            return Err(BadData::TooDeep);
        }
    }
    Ok(())
}

impl From<BadData> for Problem {
    fn from(bad: BadData) -> Self {
        match bad {
            BadData::TooLarge { .. } => Problem::new(Code::TooLarge, format!("The event's {bad}.")),
            BadData::NotJson { .. } => Problem::new(Code::Malformed, format!("The event's {bad}.")),
            BadData::TooDeep => Problem::field("data", "too_deep", bad.to_string()),
            BadData::LoneSurrogate => Problem::field("data", "not_allowed", bad.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    struct Zeros;
    impl crate::Randomness for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn an_event_id_has_up_to_256_characters_and_no_dot() {
        assert_eq!(EventId::parse(""), Err(BadEventId::Length));
        assert!(EventId::parse(&"a".repeat(EVENT_ID_BYTES_MAX)).is_ok());
        assert_eq!(EventId::parse(&"a".repeat(EVENT_ID_BYTES_MAX + 1)), Err(BadEventId::Length));
        for bad in ["a.b", "a b", "ä", "a\n", "a/b"] {
            assert_eq!(EventId::parse(bad), Err(BadEventId::Characters), "{bad}");
        }
    }

    #[test]
    fn a_supplied_id_cannot_be_taken_for_one_of_ours() {
        let key = EventKey::new(Timestamp::from_seconds(1_795_447_916), &Zeros);
        let ours = EventId::of_key(key);
        assert_eq!(ours.key(), Some(key));
        assert_eq!(EventId::supplied(ours.as_str()), Err(BadEventId::Ours));
        // Other services' ids begin like ours, and are welcome.
        let theirs = EventId::supplied("evt_1NG8Du2eZvKYlo2CUI79vXWy").expect("not of our form");
        assert_eq!(theirs.key(), None);
    }

    #[test]
    fn type_names_are_words_joined_by_dots() {
        for good in ["ping", "research_report.published", "A-1.b_2.c", &"a".repeat(TYPE_NAME_BYTES_MAX)] {
            assert!(TypeName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a.*", "é", &"a".repeat(TYPE_NAME_BYTES_MAX + 1)] {
            assert_eq!(TypeName::parse(bad), Err(BadTypeName), "{bad}");
        }
        let name = TypeName::parse("portfolio.weights.updated").expect("a name");
        assert_eq!(name.default_group(), "portfolio");
    }

    #[test]
    fn data_is_accepted_up_to_its_limit_of_bytes() {
        let data = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        assert_eq!(check_data(data(DATA_BYTES_MAX).as_bytes()), Ok(()));
        let over = check_data(data(DATA_BYTES_MAX + 1).as_bytes());
        assert_eq!(over, Err(BadData::TooLarge { bytes: DATA_BYTES_MAX + 1 }));
    }

    #[test]
    fn data_is_accepted_up_to_its_limit_of_depth() {
        let arrays = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        for nested in [arrays, objects] {
            assert_eq!(check_data(nested(DATA_DEPTH_MAX).as_bytes()), Ok(()));
            assert_eq!(check_data(nested(DATA_DEPTH_MAX + 1).as_bytes()), Err(BadData::TooDeep));
        }
        // Side by side is not deep, and brackets in a string are no nesting.
        assert_eq!(check_data(format!("[{}[]]", "[],".repeat(1000)).as_bytes()), Ok(()));
        assert_eq!(check_data(format!("\"{}\"", "[{\\\"".repeat(100)).as_bytes()), Ok(()));
    }

    #[test]
    fn data_that_is_not_json_is_refused() {
        for bad in [
            "",
            " ",
            "{",
            "{}}",
            "nul",
            "01",
            "+1",
            "1.",
            "[1,]",
            "{\"a\":1,}",
            "'a'",
            "\"\t\"",
            "NaN",
            "\"\\x\"",
        ] {
            assert!(matches!(check_data(bad.as_bytes()), Err(BadData::NotJson { .. })), "{bad:?}");
        }
        assert!(matches!(check_data(b"\"\xff\""), Err(BadData::NotJson { .. })));
    }

    #[test]
    fn data_keeps_numbers_that_no_float_holds_and_duplicate_members() {
        for good in
            ["1e400", "-0", "1.50", "123456789012345678901234567890", "{\"a\":1,\"a\":2}", " \n null\t"]
        {
            assert_eq!(check_data(good.as_bytes()), Ok(()), "{good}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_refused_in_values_and_in_keys() {
        for bad in [
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud83dx""#,
            r#""\ud83d\n""#,
            r#"{"\udfff":1}"#,
            r#""\ud83d\ud83d\ude00""#,
        ] {
            assert_eq!(check_data(bad.as_bytes()), Err(BadData::LoneSurrogate), "{bad}");
        }
        for good in [r#""\ud83d\ude00""#, r#""\\ud800""#, r#""\uD83D\uDE00 \u0041""#] {
            assert_eq!(check_data(good.as_bytes()), Ok(()), "{good}");
        }
    }

    #[test]
    fn refused_data_becomes_the_problem_the_api_promises() {
        assert_eq!(Problem::from(BadData::TooLarge { bytes: 1 }).code.status(), 413);
        assert_eq!(Problem::from(BadData::TooDeep).code.status(), 422);
    }
}
