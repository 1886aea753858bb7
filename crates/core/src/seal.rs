//! What the master key gives: peppers to digest secrets with, and the seal for secrets that must be read again.
//!
//! Everything is derived from one master key of 32 bytes by HKDF-SHA-256 (RFC 5869), each use under a name of its own. A
//! thief of the database can test nothing without it; whoever loses it loses every key and every sealed secret.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Randomness;
use crate::key::Digest;

/// Bytes of a master key.
pub const MASTER_KEY_BYTES: usize = 32;

/// The first byte of what [`Sealer::seal`] gives, so that a later cipher can be told from this one.
const SEAL_VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// The installation's master key. Shows itself nowhere; wiped when dropped.
pub struct MasterKey(Zeroizing<[u8; MASTER_KEY_BYTES]>);

impl MasterKey {
    /// The master key of these bytes, which are uniformly random.
    pub fn from_bytes(bytes: [u8; MASTER_KEY_BYTES]) -> MasterKey {
        MasterKey(Zeroizing::new(bytes))
    }

    /// The pepper of number `k`. Peppers rotate: a digest is stored with its pepper's number.
    pub fn pepper(&self, k: u32) -> Pepper {
        let key = self.derive(b"keybell/pepper/", &k.to_be_bytes());
        Pepper { keyed: Hmac::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length") }
    }

    /// The seal for secrets that must be read again.
    pub fn sealer(&self) -> Sealer {
        let key = self.derive(b"keybell/seal/", &[SEAL_VERSION]);
        Sealer { cipher: XChaCha20Poly1305::new((&*key).into()) }
    }

    /// A value by which a database recognises the master key it was filled under. It tells nothing else about it.
    pub fn check_value(&self) -> [u8; 32] {
        *self.derive(b"keybell/check/", &[])
    }

    fn derive(&self, purpose: &[u8], detail: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let hkdf = Hkdf::<Sha256>::new(None, self.0.as_slice());
        hkdf.expand_multi_info(&[purpose, detail], key.as_mut_slice())
            .expect("32 bytes are within HKDF's limit");
        key
    }
}

/// A key to digest secrets with, its HMAC states computed once, so that a digest costs two blocks of SHA-256.
pub struct Pepper {
    keyed: Hmac<Sha256>,
}

impl Pepper {
    /// HMAC-SHA-256 of the parts, one after the other. The caller sees to it that the parts cannot run into each other.
    pub fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(part);
        }
        Digest::from_bytes(mac.finalize().into_bytes().into())
    }
}

/// Seals secrets that must be read again: signing secrets, secret headers.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
}

/// Why a sealed secret was not opened: it was sealed under another master key or another context, or was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed secret cannot be opened with this master key")]
pub struct Unsealable;

impl Sealer {
    /// Seals `plain`. `context` says what it belongs to, and must be the same to open it: a secret copied to another row
    /// does not open there.
    ///
    /// The result is a version byte, 24 bytes of nonce, and XChaCha20-Poly1305's output.
    pub fn seal(&self, context: &[u8], plain: &[u8], randomness: &dyn Randomness) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = randomness.bytes();
        let payload = Payload { msg: plain, aad: &bound(context) };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.expect("XChaCha20-Poly1305 seals anything under 256 GiB");
        let mut out = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        out.push(SEAL_VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// What was sealed under the same `context`.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let rest = sealed.strip_prefix(&[SEAL_VERSION]).ok_or(Unsealable)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Unsealable)?;
        if body.len() < TAG_BYTES {
            return Err(Unsealable);
        }
        let payload = Payload { msg: body, aad: &bound(context) };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| Unsealable)?;
        Ok(Zeroizing::new(plain))
    }
}

/// The context together with the version, which is authenticated as well.
fn bound(context: &[u8]) -> Vec<u8> {
    let mut bound = Vec::with_capacity(1 + context.len());
    bound.push(SEAL_VERSION);
    bound.extend_from_slice(context);
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Randomness for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn master() -> MasterKey {
        MasterKey::from_bytes([7; 32])
    }

    #[test]
    fn what_is_sealed_opens_under_its_context_alone() {
        let sealed = master().sealer().seal(b"webhook 1", b"whsec_abc", &Fixed(3));
        assert_eq!(sealed.len(), 1 + NONCE_BYTES + 9 + TAG_BYTES);
        let opened = master().sealer().open(b"webhook 1", &sealed).map(|plain| plain.to_vec());
        assert_eq!(opened, Ok(b"whsec_abc".to_vec()));
        assert_eq!(master().sealer().open(b"webhook 2", &sealed), Err(Unsealable));
        assert_eq!(MasterKey::from_bytes([8; 32]).sealer().open(b"webhook 1", &sealed), Err(Unsealable));
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_noticed() {
        let sealer = master().sealer();
        let whole = sealer.seal(b"c", b"x", &Fixed(3));
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open(b"c", &changed), Err(Unsealable), "byte {at}");
            assert_eq!(sealer.open(b"c", &whole[..at]), Err(Unsealable), "cut at {at}");
        }
    }

    #[test]
    fn the_same_secret_sealed_twice_looks_different() {
        let sealer = master().sealer();
        assert_ne!(sealer.seal(b"c", b"x", &Fixed(3)), sealer.seal(b"c", b"x", &Fixed(4)));
        assert!(sealer.open(b"c", &sealer.seal(b"c", b"", &Fixed(3))).is_ok_and(|plain| plain.is_empty()));
    }

    #[test]
    fn each_use_of_the_master_key_has_a_key_of_its_own() {
        let digest = |pepper: Pepper| *pepper.digest(&[b"secret"]).as_bytes();
        assert_eq!(digest(master().pepper(1)), digest(master().pepper(1)));
        assert_ne!(digest(master().pepper(1)), digest(master().pepper(2)));
        assert_ne!(digest(master().pepper(1)), digest(MasterKey::from_bytes([8; 32]).pepper(1)));
        assert_ne!(master().check_value(), MasterKey::from_bytes([8; 32]).check_value());
    }

    #[test]
    fn a_digest_is_hmac_sha_256_of_the_parts_in_a_row() {
        let pepper = master().pepper(1);
        assert!(pepper.digest(&[b"ab", b"", b"c"]).matches(&pepper.digest(&[b"abc"])));
        let key = master().derive(b"keybell/pepper/", &1_u32.to_be_bytes());
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).expect("any length");
        mac.update(b"abc");
        assert_eq!(pepper.digest(&[b"abc"]).as_bytes().as_slice(), mac.finalize().into_bytes().as_slice());
    }
}
