//! What is remembered of a secret.

use subtle::ConstantTimeEq;

/// HMAC-SHA-256 of a secret under a pepper: all that the database and the memory hold of it.
///
/// Of no use to a thief without the pepper. It is compared in constant time and never printed.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// What no secret digests to, as far as anybody will ever know: unknown keys are compared with it, so that they take
    /// as long as known ones.
    pub const DUMMY: Digest = Digest([0; 32]);

    /// The digest that the database stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// What the database stores.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are of the same secret, found out in a time that tells nothing.
    pub fn matches(&self, other: &Digest) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_is_enough_to_differ() {
        let mut bytes = [7; 32];
        let digest = Digest::from_bytes(bytes);
        assert!(digest.matches(&Digest::from_bytes(bytes)));
        bytes[31] ^= 0x80;
        assert!(!digest.matches(&Digest::from_bytes(bytes)));
    }
}
