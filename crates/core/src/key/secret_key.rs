//! The whole text of a key: shown once where it is made, and presented by whoever was given it.

use std::ops::Range;

use zeroize::Zeroize;

use super::public_identifier::ID_CHARS;
use super::{Brand, Digest, KeyId, Kind, PublicIdentifier, base62, crc};
use crate::Randomness;
use crate::seal::Pepper;

/// Characters of the secret: 190 bits.
const SECRET_CHARS: usize = 32;

/// The longest key of all: a brand of 10 characters and `setup`.
const TEXT_BYTES_MAX: usize = 10 + 1 + 5 + 1 + ID_CHARS + 1 + SECRET_CHARS + crc::CRC_CHARS;

/// Most bytes of a text that is looked at as a key; far more than any key has, and little enough to cost nothing.
pub const KEY_BYTES_MAX: usize = 256;

/// What a digest of a key begins with, so that a later way to digest cannot be confused with this one.
const DIGEST_VERSION: u8 = 1;

/// The whole text of a key of any [`Kind`], of right shape and checksum. Whether anybody was given it is not known yet.
///
/// It shows itself only through [`SecretKey::reveal`], and is wiped from memory when it is dropped.
pub struct SecretKey {
    text: [u8; TEXT_BYTES_MAX],
    length: u8,
    brand: Brand,
    kind: Kind,
}

/// Why a text is no key of this installation. The outside is told the same for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It has more than [`KEY_BYTES_MAX`] bytes.
    #[error("the text is too long for a key")]
    TooLong,
    /// It is not a key under this brand.
    #[error("the text does not have the shape of a key")]
    Shape,
    /// Its last six characters are not the checksum of the ones before.
    #[error("the checksum of the key is wrong")]
    Checksum,
}

impl SecretKey {
    /// A new key.
    pub fn mint(brand: &Brand, kind: Kind, randomness: &dyn Randomness) -> SecretKey {
        SecretKey::mint_for(
            PublicIdentifier { brand: *brand, kind, id: KeyId::random(randomness) },
            randomness,
        )
    }

    /// A new secret for a key that there is: what a rotation gives.
    pub fn mint_for(public: PublicIdentifier, randomness: &dyn Randomness) -> SecretKey {
        let mut key =
            SecretKey { text: [0; TEXT_BYTES_MAX], length: 0, brand: public.brand, kind: public.kind };
        for part in [public.brand.as_str(), "_", public.kind.as_str(), "_", public.id.as_str(), "_"] {
            key.push(part.as_bytes());
        }
        let secret = usize::from(key.length)..usize::from(key.length) + SECRET_CHARS;
        base62::fill(&mut key.text[secret], randomness);
        key.length += u8::try_from(SECRET_CHARS).expect("a secret has 32 characters");
        let checksum = crc::of(&key.text[..usize::from(key.length)]);
        key.push(&checksum);
        key
    }

    fn push(&mut self, part: &[u8]) {
        let from = usize::from(self.length);
        self.text[from..from + part.len()].copy_from_slice(part);
        self.length += u8::try_from(part.len()).expect("a key has fewer than 256 characters");
    }

    /// Reads a key of any kind under this installation's brand: length, then shape, then checksum.
    pub fn parse(text: &str, brand: &Brand) -> Result<SecretKey, BadKey> {
        if text.len() > KEY_BYTES_MAX {
            return Err(BadKey::TooLong);
        }
        let kind = shape(text, brand).ok_or(BadKey::Shape)?;
        let (before, checksum) = text.as_bytes().split_at(text.len() - crc::CRC_CHARS);
        if crc::of(before) != checksum {
            return Err(BadKey::Checksum);
        }
        let mut key = SecretKey { text: [0; TEXT_BYTES_MAX], length: 0, brand: *brand, kind };
        key.push(text.as_bytes());
        Ok(key)
    }

    /// The whole text. To be handed to its owner once, and never to a log, an error or a database.
    pub fn reveal(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.length)]).expect("a key is ASCII")
    }

    /// What kind of credential it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The ID by which it is looked up.
    pub fn id(&self) -> KeyId {
        KeyId::of_bytes(&self.text[self.id_at()]).expect("a key holds an ID of base62")
    }

    /// Its name to the outside.
    pub fn public_identifier(&self) -> PublicIdentifier {
        PublicIdentifier { brand: self.brand, kind: self.kind, id: self.id() }
    }

    /// What is remembered of it: HMAC-SHA-256 under `pepper` of the version, the ID and the secret.
    pub fn digest(&self, pepper: &Pepper) -> Digest {
        let id = self.id_at();
        let secret = id.end + 1..id.end + 1 + SECRET_CHARS;
        pepper.digest(&[&[DIGEST_VERSION], &self.text[id], &self.text[secret]])
    }

    fn id_at(&self) -> Range<usize> {
        let from = self.brand.as_str().len() + 1 + self.kind.as_str().len() + 1;
        from..from + ID_CHARS
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

/// The kind of a text that has the shape of a key under `brand`. What follows the word of the kind has one length.
fn shape(text: &str, brand: &Brand) -> Option<Kind> {
    let rest = text.as_bytes().strip_prefix(brand.as_str().as_bytes())?.strip_prefix(b"_")?;
    let word = rest.len().checked_sub(1 + ID_CHARS + 1 + SECRET_CHARS + crc::CRC_CHARS)?;
    let (word, rest) = rest.split_at(word);
    let (id, rest) = rest.strip_prefix(b"_")?.split_at(ID_CHARS);
    let secret = rest.strip_prefix(b"_")?;
    let kind = Kind::parse(std::str::from_utf8(word).ok()?)?;
    (base62::is_base62(id) && base62::is_base62(secret)).then_some(kind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::seal::MasterKey;

    const VECTORS: [(&str, &str); 3] = [
        ("acme", "acme_live_7Hq2mZxK9TbW_N4vYc8RkQ1sXe6LpJ0aUwG3hDf5BtMzC4UsLE4"),
        ("kb", "kb_live_000000000000_000000000000000000000000000000002hNBTQ"),
        ("kb", "kb_test_Ab3dEf6hIj9L_0123456789ABCDEFGHIJKLMNOPQRSTUV1og6vy"),
    ];

    /// Bytes of a small generator that are different each time.
    struct Seeded(std::sync::Mutex<u64>);
    impl Randomness for Seeded {
        fn fill(&self, bytes: &mut [u8]) {
            let mut state = self.0.lock().expect("no test panics while it draws");
            for byte in bytes {
                *state =
                    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = state.to_be_bytes()[0];
            }
        }
    }

    fn seeded(seed: u64) -> Seeded {
        Seeded(std::sync::Mutex::new(seed))
    }

    fn brand(word: &str) -> Brand {
        Brand::parse(word).expect("the word is a brand")
    }

    fn refusal(text: &str, word: &str) -> Option<BadKey> {
        SecretKey::parse(text, &brand(word)).err()
    }

    #[test]
    fn the_published_vectors_are_keys() {
        for (word, text) in VECTORS {
            let key = SecretKey::parse(text, &brand(word)).unwrap_or_else(|bad| panic!("{text}: {bad}"));
            assert_eq!(key.reveal(), text);
            assert_eq!(key.public_identifier().to_string(), text[..text.len() - 39]);
        }
    }

    #[test]
    fn the_digest_is_over_version_id_and_secret_alone() {
        let pepper = MasterKey::from_bytes([9; 32]).pepper(1);
        for (word, text) in VECTORS {
            let key = SecretKey::parse(text, &brand(word)).expect("the vectors are keys");
            let (id, secret) =
                (&text[text.len() - 51..text.len() - 39], &text[text.len() - 38..text.len() - 6]);
            assert_eq!((id.len(), secret.len()), (12, 32));
            let message = format!("\u{1}{id}{secret}");
            assert!(key.digest(&pepper).matches(&pepper.digest(&[message.as_bytes()])));
        }
    }

    #[test]
    fn every_wrong_character_is_caught_by_shape_or_checksum() {
        let (word, text) = VECTORS[2];
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).expect("ASCII stays ASCII");
            assert!(refusal(&changed, word).is_some(), "{changed}");
        }
        assert_eq!(refusal(&text.replace("vy", "vz"), word), Some(BadKey::Checksum));
    }

    #[test]
    fn what_is_too_long_is_not_looked_at() {
        assert_eq!(refusal(&"k".repeat(KEY_BYTES_MAX), "kb"), Some(BadKey::Shape));
        assert_eq!(refusal(&"k".repeat(KEY_BYTES_MAX + 1), "kb"), Some(BadKey::TooLong));
    }

    #[test]
    fn another_brands_key_and_white_space_around_a_key_are_refused() {
        let (_, text) = VECTORS[0];
        assert_eq!(refusal(text, "kb"), Some(BadKey::Shape));
        assert_eq!(refusal(&format!(" {text}"), "acme"), Some(BadKey::Shape));
        assert_eq!(refusal(&format!("{text}\n"), "acme"), Some(BadKey::Shape));
    }

    #[test]
    fn each_kind_keeps_its_word() {
        for kind in Kind::ALL {
            let key = SecretKey::mint(&brand("abcdefghij"), kind, &seeded(1));
            let read = SecretKey::parse(key.reveal(), &brand("abcdefghij")).expect("a minted key is a key");
            assert_eq!(read.kind(), kind);
            assert_eq!(kind.environment().is_some(), matches!(kind, Kind::Live | Kind::Test));
        }
    }

    #[test]
    fn a_rotated_secret_keeps_the_identifier() {
        let randomness = seeded(5);
        let first = SecretKey::mint(&brand("kb"), Kind::Live, &randomness);
        let second = SecretKey::mint_for(first.public_identifier(), &randomness);
        assert_eq!(first.id(), second.id());
        assert_ne!(first.reveal(), second.reveal());
    }

    proptest! {
        #[test]
        fn a_minted_key_reads_back_whole(word in "[a-z][a-z0-9]{1,9}", seed: u64, kind in 0..6_usize) {
            prop_assume!(Brand::parse(&word).is_ok());
            let minted = SecretKey::mint(&brand(&word), Kind::ALL[kind], &seeded(seed));
            let read = SecretKey::parse(minted.reveal(), &brand(&word)).expect("a minted key is a key");
            prop_assert_eq!(read.reveal(), minted.reveal());
            prop_assert_eq!(read.public_identifier(), minted.public_identifier());
            let pepper = MasterKey::from_bytes([1; 32]).pepper(1);
            prop_assert!(read.digest(&pepper).matches(&minted.digest(&pepper)));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,300}") {
            prop_assert!(SecretKey::parse(&text, &brand("kb")).is_err());
            let near = format!("kb_live_{text}");
            let _ = SecretKey::parse(&near, &brand("kb"));
        }
    }
}
