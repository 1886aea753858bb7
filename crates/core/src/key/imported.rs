//! Keys that another system gave out: taken over by the SHA-256 of their text, so that their holders need no new ones.

use sha2::{Digest as _, Sha256};

use super::Digest;
use crate::seal::Pepper;

/// What a digest of an imported key begins with, so that it is never one of a key of our own.
const DIGEST_VERSION: u8 = 2;

/// The SHA-256 of the whole text of a key that another system gave out.
///
/// It is digested again under the pepper before it is stored, so that a thief of our database learns nothing that can be
/// tried elsewhere, and one who can write to it can plant nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ImportedKey([u8; 32]);

impl ImportedKey {
    /// Of the text that a client presents.
    pub fn of_text(text: &str) -> ImportedKey {
        ImportedKey(Sha256::digest(text.as_bytes()).into())
    }

    /// Whether it is the digest of nothing, which is what an export makes of a key that it lacks.
    pub fn is_of_nothing(&self) -> bool {
        *self == ImportedKey::of_text("")
    }

    /// Of the 64 hexadecimal digits that the other system has; `None` for anything else.
    pub fn parse_hex(text: &str) -> Option<ImportedKey> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(ImportedKey(bytes))
    }

    /// What is remembered of it: HMAC-SHA-256 under `pepper` of a version and the SHA-256.
    pub fn digest(&self, pepper: &Pepper) -> Digest {
        pepper.digest(&[&[DIGEST_VERSION], &self.0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::MasterKey;

    /// FIPS 180-4, the example of one block: "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn digits_and_text_lead_to_the_same_key() {
        let pepper = MasterKey::from_bytes([7; 32]).pepper(1);
        let of_text = ImportedKey::of_text("abc").digest(&pepper);
        for digits in [ABC.to_owned(), ABC.to_uppercase()] {
            let imported = ImportedKey::parse_hex(&digits).expect("64 digits");
            assert!(imported.digest(&pepper).matches(&of_text));
        }
        assert!(!ImportedKey::of_text("abd").digest(&pepper).matches(&of_text));
    }

    #[test]
    fn the_digest_of_nothing_is_known() {
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(ImportedKey::parse_hex(nothing).is_some_and(|key| key.is_of_nothing()));
        assert!(ImportedKey::parse_hex(ABC).is_some_and(|key| !key.is_of_nothing()));
    }

    #[test]
    fn only_sixty_four_hexadecimal_digits_are_a_digest() {
        for text in ["", &ABC[1..], &format!("{ABC}0"), &ABC.replace('a', "g"), &ABC.replace("ba", "é")] {
            assert!(ImportedKey::parse_hex(text).is_none(), "{text}");
        }
    }
}
