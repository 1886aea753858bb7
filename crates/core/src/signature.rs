//! Signatures of deliveries: Standard Webhooks 1.0.0; `docs/wire-formats.md`, section 3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::random::Randomness;
use crate::time::Timestamp;

/// Fewest bytes of a signing key, by the standard.
pub const KEY_BYTES_MIN: usize = 24;
/// Most bytes of a signing key, by the standard.
pub const KEY_BYTES_MAX: usize = 64;
/// Bytes of the keys that we make: as many as SHA-256 gives.
const KEY_BYTES: usize = 32;
/// What a signing secret begins with.
const PREFIX: &str = "whsec_";

/// What signs a webhook's requests: `whsec_` and the base64 of 24 to 64 random bytes. Wiped from memory when dropped.
pub struct SigningSecret {
    text: Zeroizing<String>,
    key: Zeroizing<Vec<u8>>,
}

/// Why a text is no signing secret. It never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSigningSecret {
    /// It does not begin with `whsec_`.
    #[error("must begin with {PREFIX}")]
    Prefix,
    /// What follows is not base64.
    #[error("must be {PREFIX} and standard base64 with its padding")]
    Base64,
    /// The key is too short or too long.
    #[error("must hold {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes in base64")]
    Length,
}

impl SigningSecret {
    /// A new one.
    pub fn mint(randomness: &dyn Randomness) -> Self {
        let mut bytes = randomness.bytes::<KEY_BYTES>();
        let secret = Self::of_key(Zeroizing::new(bytes.to_vec()));
        bytes.zeroize();
        secret
    }

    /// Reads one that somebody chose.
    pub fn parse(text: &str) -> Result<Self, BadSigningSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(BadSigningSecret::Prefix)?;
        let key = STANDARD.decode(encoded).map_err(|_| BadSigningSecret::Base64)?;
        Self::from_key_bytes(Zeroizing::new(key))
    }

    /// The secret with that key, as it was sealed into the database.
    pub fn from_key_bytes(key: Zeroizing<Vec<u8>>) -> Result<Self, BadSigningSecret> {
        if (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
            Ok(Self::of_key(key))
        } else {
            Err(BadSigningSecret::Length)
        }
    }

    fn of_key(key: Zeroizing<Vec<u8>>) -> Self {
        // Room for all of it at once, so that no copy stays behind where the text grew.
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + KEY_BYTES_MAX.div_ceil(3) * 4));
        text.push_str(PREFIX);
        STANDARD.encode_string(&*key, &mut text);
        SigningSecret { text, key }
    }

    /// The secret as receivers are given it.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The key: what is sealed into the database, and what signs.
    pub fn key_bytes(&self) -> &[u8] {
        &self.key
    }
}

/// The value of `webhook-signature` for a body sent as `id` in the second of `at`: `v1,<base64>` for each of `secrets`,
/// which come newest first, separated by one space.
pub fn sign(secrets: &[&SigningSecret], id: &str, at: Timestamp, body: &[u8]) -> String {
    let start = format!("{id}.{}.", at.seconds());
    let mut value = String::with_capacity(secrets.len() * 48);
    for secret in secrets {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.key_bytes()).expect("HMAC takes a key of any length");
        mac.update(start.as_bytes());
        mac.update(body);
        value.push_str(if value.is_empty() { "v1," } else { " v1," });
        STANDARD.encode_string(mac.finalize().into_bytes(), &mut value);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    // Its key has 18 bytes: it is a vector for signing only, and nobody may choose it.
    const SECOND: &str = "whsec_plJ3nmyCDGBKInavdOK15jsl";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;

    struct Counting;
    impl Randomness for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (byte, value) in bytes.iter_mut().zip(0..) {
                *byte = value;
            }
        }
    }

    fn secret(text: &str) -> SigningSecret {
        let encoded = text.strip_prefix(PREFIX).expect("a signing secret");
        SigningSecret::of_key(Zeroizing::new(STANDARD.decode(encoded).expect("base64")))
    }

    fn signed(secrets: &[&str], id: &str, at: i64, body: &str) -> String {
        let secrets: Vec<_> = secrets.iter().map(|text| secret(text)).collect();
        let secrets: Vec<_> = secrets.iter().collect();
        sign(&secrets, id, Timestamp::from_seconds(at), body.as_bytes())
    }

    #[test]
    fn signs_the_vectors_of_the_contract() {
        assert_eq!(
            signed(&[FIRST], ID, AT, "{\"test\": 2432232314}"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        let ping = "{\"event_type\":\"ping\",\"data\":{\"success\":true}}";
        assert_eq!(
            signed(&[SECOND], "msg_loFOjxBNrRLzqYUf", 1_731_705_121, ping),
            "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
        );
        assert_eq!(
            signed(&[FIRST, SECOND], ID, AT, "{\"test\": 2432232314}"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,3Q7B9pz3SlC1/gG4UJ269Qj4TLRRQk5tdhkvlUuj234="
        );
        let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<event><type>ping</type></event>";
        assert_eq!(signed(&[FIRST], ID, AT, xml), "v1,SZRX9905e+akviikTmicTz7DTbH8zVHuAhyN8nzuhDE=");
    }

    #[test]
    fn the_standards_own_library_makes_the_same_signature() {
        for text in [FIRST, SECOND, SigningSecret::mint(&Counting).reveal()] {
            let judge = standardwebhooks::Webhook::new(text).expect("the library reads the secret");
            for body in ["", "{}", "<a>ü</a>"] {
                let theirs = judge.sign(ID, AT, body.as_bytes()).expect("the library signs");
                assert_eq!(signed(&[text], ID, AT, body), theirs);
            }
        }
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the library holds the timestamp against the system's clock"
    )]
    fn the_standards_own_library_accepts_any_secret_of_an_overlap() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let at = i64::try_from(now.as_secs()).expect("before the end of time");
        let body = "{\"test\": 2432232314}";
        let signature = signed(&[FIRST, SECOND], ID, at, body);
        for text in [FIRST, SECOND] {
            let judge = standardwebhooks::Webhook::new(text).expect("the library reads the secret");
            let mut headers = http::HeaderMap::new();
            for (name, value) in [
                ("webhook-id", ID),
                ("webhook-timestamp", &at.to_string()),
                ("webhook-signature", &signature),
            ] {
                headers.insert(name, value.parse().expect("a header value"));
            }
            judge.verify(body.as_bytes(), &headers).expect("the library accepts");
            judge.verify(b"{}", &headers).expect_err("another body is refused");
        }
    }

    #[test]
    fn a_minted_secret_reads_back() {
        let minted = SigningSecret::mint(&Counting);
        assert_eq!(minted.key_bytes().len(), 32);
        let read = SigningSecret::parse(minted.reveal()).expect("it is of the form");
        assert_eq!((read.key_bytes(), read.reveal()), (minted.key_bytes(), minted.reveal()));
    }

    #[test]
    fn a_key_has_24_to_64_bytes() {
        let of = |bytes: usize| {
            SigningSecret::parse(&format!("whsec_{}", STANDARD.encode(vec![7; bytes]))).map(|_| ())
        };
        assert_eq!(of(KEY_BYTES_MIN - 1), Err(BadSigningSecret::Length));
        assert_eq!(of(KEY_BYTES_MIN), Ok(()));
        assert_eq!(of(KEY_BYTES_MAX), Ok(()));
        assert_eq!(of(KEY_BYTES_MAX + 1), Err(BadSigningSecret::Length));
    }

    #[test]
    fn what_is_no_secret_is_refused_for_its_reason() {
        let refused = |text: &str| SigningSecret::parse(text).map(|_| ()).expect_err("not a secret");
        assert_eq!(refused("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), BadSigningSecret::Prefix);
        assert_eq!(refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS*"), BadSigningSecret::Base64);
        assert_eq!(refused("whsec_"), BadSigningSecret::Length);
        assert_eq!(refused(SECOND), BadSigningSecret::Length);
    }
}
