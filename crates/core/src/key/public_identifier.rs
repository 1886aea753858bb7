//! The part of a key that is no secret: it names the key in the API, on pages, in logs.

use std::fmt;

use super::base62;
use super::{Brand, Kind};
use crate::Randomness;

/// Characters of a key's ID.
pub(super) const ID_CHARS: usize = 12;

/// The twelve characters of base62 by which a key is looked up. Unique within an installation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; ID_CHARS]);

impl KeyId {
    /// A random ID: 71 bits. Another key may have it, so whoever stores it inserts again with another on a clash.
    pub fn random(randomness: &dyn Randomness) -> KeyId {
        let mut chars = [0; ID_CHARS];
        base62::fill(&mut chars, randomness);
        KeyId(chars)
    }

    /// The ID that is written so; `None` for anything but twelve characters of base62.
    pub fn parse(text: &str) -> Option<KeyId> {
        KeyId::of_bytes(text.as_bytes())
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Option<KeyId> {
        let chars: [u8; ID_CHARS] = bytes.try_into().ok()?;
        base62::is_base62(&chars).then_some(KeyId(chars))
    }

    /// The twelve characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an ID is ASCII")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key's name to the outside: `kb_live_7Hq2mZxK9TbW`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublicIdentifier {
    /// The installation's word.
    pub brand: Brand,
    /// What kind of credential it names.
    pub kind: Kind,
    /// Which one.
    pub id: KeyId,
}

impl PublicIdentifier {
    /// As it prints, without going through a formatter: it stands in the answer to every check.
    pub fn text(&self) -> String {
        [self.brand.as_str(), "_", self.kind.as_str(), "_", self.id.as_str()].concat()
    }

    /// The identifier that is written so, under this installation's brand; `None` for anything else.
    pub fn parse(text: &str, brand: &Brand) -> Option<PublicIdentifier> {
        let rest = text.strip_prefix(brand.as_str())?.strip_prefix('_')?;
        let (word, id) = rest.split_once('_')?;
        Some(PublicIdentifier { brand: *brand, kind: Kind::parse(word)?, id: KeyId::parse(id)? })
    }
}

impl fmt::Display for PublicIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.brand, self.kind.as_str(), self.id)
    }
}

impl serde::Serialize for PublicIdentifier {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_it_is_parsed_and_refuses_all_else() {
        let brand = Brand::parse("kb").expect("kb is a brand");
        let text = "kb_live_7Hq2mZxK9TbW";
        assert_eq!(PublicIdentifier::parse(text, &brand).map(|id| id.to_string()), Some(text.to_owned()));
        assert_eq!(PublicIdentifier::parse(text, &brand).map(|id| id.text()), Some(text.to_owned()));
        for text in [
            "",
            "kb",
            "kb_live",
            "kb_live_",
            "kb_live_7Hq2mZxK9Tb",
            "kb_live_7Hq2mZxK9TbW0",
            "kb_other_7Hq2mZxK9TbW",
        ] {
            assert_eq!(PublicIdentifier::parse(text, &brand), None, "{text}");
        }
        for text in
            ["acme_live_7Hq2mZxK9TbW", "kb_live_7Hq2mZxK9Tb_", "kb_live_7Hq2mZxK9Tbé", "KB_live_7Hq2mZxK9TbW"]
        {
            assert_eq!(PublicIdentifier::parse(text, &brand), None, "{text}");
        }
    }
}
