//! Takes the secrets out of an answer before it is kept: order, numbers and spelling of the rest stay as they are.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members that hold a secret, wherever they stand, where their value is a text.
const SECRET_MEMBERS: [&str; 3] = ["secret_key", "signing_secret", "secret"];

/// `answer` without its secrets. What is not JSON is nothing.
pub(super) fn of(answer: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(answer.len());
    if let Ok(value) = serde_json::from_slice::<&RawValue>(answer) {
        copy(value.get(), &mut kept);
    }
    kept
}

fn copy(value: &str, kept: &mut Vec<u8>) {
    match value.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(value).expect("it was read as an object before");
            let shown = members.iter().filter(|(name, value)| {
                !(SECRET_MEMBERS.contains(&name.as_str()) && value.get().starts_with('"'))
            });
            kept.push(b'{');
            separated(shown, kept, |(name, value), kept| {
                kept.extend(serde_json::to_vec(name).expect("a text is JSON"));
                kept.push(b':');
                copy(value.get(), kept);
            });
            kept.push(b'}');
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(value).expect("it was read as an array before");
            kept.push(b'[');
            separated(items.iter(), kept, |value, kept| copy(value.get(), kept));
            kept.push(b']');
        }
        _ => kept.extend_from_slice(value.as_bytes()),
    }
}

fn separated<T>(items: impl Iterator<Item = T>, kept: &mut Vec<u8>, write: impl Fn(T, &mut Vec<u8>)) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            kept.push(b',');
        }
        write(item, kept);
    }
}

/// The members of an object, in order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_everything_else_stays_in_place() {
        let answer = br#"{"id":"kb_live_a","secret_key":"kb_live_a_s","z":1.50,"headers":[{"name":"X","secret":true}],"a":{"signing_secret":"whsec_s","n":null},"secrets":[{"secret":"whsec_t","created_at":"x"}]}"#;
        let kept = String::from_utf8(of(answer)).expect("JSON is UTF-8");
        assert_eq!(
            kept,
            r#"{"id":"kb_live_a","z":1.50,"headers":[{"name":"X","secret":true}],"a":{"n":null},"secrets":[{"created_at":"x"}]}"#
        );
    }

    #[test]
    fn what_is_not_json_is_not_kept() {
        assert!(of(b"secret").is_empty() && of(b"").is_empty());
    }
}
