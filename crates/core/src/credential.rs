//! How a client presents its secret key: `Authorization: Bearer`, `Authorization: Basic`, or `X-API-Key`.
//!
//! Reads header values as bytes and says which text was presented; whether it is a key is for [`key`](crate::key) to say.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::Code;
use crate::key::KEY_BYTES_MAX;

/// Most bytes of a header value that is looked at. A JSON web token fits, and is told that it is no key of ours.
pub const HEADER_BYTES_MAX: usize = 4_096;

/// Most bytes of what `Basic` decodes to: a public identifier, a colon and a key, all of them as long as they may be.
const BASIC_BYTES_MAX: usize = 2 * KEY_BYTES_MAX + 1;

/// RFC 7617 has clients pad; some do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The one text that a request presents as its secret key. Shows itself only through [`Presented::as_str`].
pub struct Presented<'a>(Text<'a>);

enum Text<'a> {
    AsSent(&'a str),
    Decoded(Zeroizing<String>),
}

impl Presented<'_> {
    /// The text, of any length and shape. It may be a secret.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::AsSent(text) => text,
            Text::Decoded(text) => text,
        }
    }
}

/// What a request presents, from the values of its `Authorization` and `X-API-Key` headers; `None` where it has neither.
///
/// The same credential several times is one. Two different ones are [`Code::ConflictingCredentials`]; what cannot be read
/// is [`Code::InvalidAuthorization`]; a `Basic` pair that does not belong together is [`Code::InvalidKey`].
pub fn presented<'a>(
    authorization: impl IntoIterator<Item = &'a [u8]>,
    api_key: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<Presented<'a>>, Code> {
    let mut found: Option<Presented<'a>> = None;
    let by_authorization = authorization.into_iter().map(of_authorization);
    let by_api_key = api_key.into_iter().map(of_api_key);
    for next in by_authorization.chain(by_api_key) {
        let next = next?;
        match &found {
            Some(first) if first.as_str() != next.as_str() => return Err(Code::ConflictingCredentials),
            Some(_) => {}
            None => found = Some(next),
        }
    }
    Ok(found)
}

/// Whether a browser sent a request with headers of these names, in lower case: only browsers send `Origin` (RFC 6454) and
/// `Sec-Fetch-*` (Fetch Metadata), and no script can keep them from it.
pub fn sent_by_browser<'a>(mut header_names: impl Iterator<Item = &'a str>) -> bool {
    header_names.any(|name| name == "origin" || name.starts_with("sec-fetch-"))
}

fn of_authorization(value: &[u8]) -> Result<Presented<'_>, Code> {
    let value = readable(value)?;
    let (scheme, rest) = value.split_once(' ').ok_or(Code::InvalidAuthorization)?;
    let rest = rest.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        bare(rest)
    } else if scheme.eq_ignore_ascii_case("basic") {
        of_basic(rest)
    } else {
        Err(Code::InvalidAuthorization)
    }
}

fn of_api_key(value: &[u8]) -> Result<Presented<'_>, Code> {
    bare(readable(value)?)
}

fn readable(value: &[u8]) -> Result<&str, Code> {
    if value.len() > HEADER_BYTES_MAX {
        return Err(Code::InvalidAuthorization);
    }
    std::str::from_utf8(value)
        .map(|text| text.trim_matches([' ', '\t']))
        .map_err(|_| Code::InvalidAuthorization)
}

/// A token that stands there as it is.
fn bare(token: &str) -> Result<Presented<'_>, Code> {
    let token = without_uri_scheme(token);
    if token.is_empty() || token.contains([' ', '\t', ',']) {
        return Err(Code::InvalidAuthorization);
    }
    Ok(Presented(Text::AsSent(token)))
}

/// `Basic`: the public identifier as user and the secret key as password, or the secret key as user and no password.
fn of_basic(encoded: &str) -> Result<Presented<'static>, Code> {
    // Where it does not fit the buffer, it is too long; the few bytes more are the decoder's rounding.
    let mut buffer = Zeroizing::new([0_u8; BASIC_BYTES_MAX + 3]);
    let length =
        BASE64.decode_slice(encoded, buffer.as_mut_slice()).map_err(|_| Code::InvalidAuthorization)?;
    if length > BASIC_BYTES_MAX {
        return Err(Code::InvalidAuthorization);
    }
    let pair = std::str::from_utf8(&buffer[..length]).map_err(|_| Code::InvalidAuthorization)?;
    let (user, password) = pair.split_once(':').ok_or(Code::InvalidAuthorization)?;
    let key = match (user, password) {
        ("", _) => return Err(Code::InvalidAuthorization),
        (user, "") => user,
        (user, password) => {
            let key = without_uri_scheme(password);
            let belongs = key.strip_prefix(user).is_some_and(|rest| rest.starts_with('_'));
            if !belongs {
                return Err(Code::InvalidKey);
            }
            key
        }
    };
    Ok(Presented(Text::Decoded(Zeroizing::new(key.to_owned()))))
}

/// RFC 8959 lets a secret be written as a URI, `secret-token:` and the secret; some clients send it so.
fn without_uri_scheme(token: &str) -> &str {
    const SCHEME: &str = "secret-token:";
    match token.get(..SCHEME.len()) {
        Some(start) if start.eq_ignore_ascii_case(SCHEME) => &token[SCHEME.len()..],
        _ => token,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "kb_test_Ab3dEf6hIj9L_0123456789ABCDEFGHIJKLMNOPQRSTUV1og6vy";
    const USER: &str = "kb_test_Ab3dEf6hIj9L";

    fn basic(pair: &str) -> String {
        format!("Basic {}", BASE64.encode(pair))
    }

    fn read(authorization: &[&str], api_key: &[&str]) -> Result<Option<String>, Code> {
        let authorization = authorization.iter().map(|value| value.as_bytes());
        let api_key = api_key.iter().map(|value| value.as_bytes());
        presented(authorization, api_key).map(|found| found.map(|found| found.as_str().to_owned()))
    }

    #[test]
    fn every_documented_way_presents_the_same_key() {
        assert_eq!(read(&[&format!("Bearer {KEY}")], &[]), Ok(Some(KEY.to_owned())));
        assert_eq!(read(&[&format!("bEARER   {KEY} ")], &[]), Ok(Some(KEY.to_owned())));
        assert_eq!(read(&[&format!("Bearer secret-token:{KEY}")], &[]), Ok(Some(KEY.to_owned())));
        assert_eq!(read(&[&basic(&format!("{USER}:{KEY}"))], &[]), Ok(Some(KEY.to_owned())));
        assert_eq!(
            read(&[basic(&format!("{USER}:{KEY}")).trim_end_matches('=')], &[]),
            Ok(Some(KEY.to_owned()))
        );
        assert_eq!(read(&[&basic(&format!("{KEY}:"))], &[]), Ok(Some(KEY.to_owned())));
        assert_eq!(read(&[], &[KEY]), Ok(Some(KEY.to_owned())));
    }

    #[test]
    fn a_browser_is_known_by_the_headers_that_only_browsers_send() {
        let sent = |names: &[&'static str]| sent_by_browser(names.iter().copied());
        assert!(sent(&["accept", "origin"]) && sent(&["sec-fetch-mode"]));
        assert!(!sent(&[]) && !sent(&["user-agent", "original", "sec-ch-ua", "referer"]));
    }

    #[test]
    fn nothing_sent_is_nothing_presented() {
        assert_eq!(read(&[], &[]), Ok(None));
    }

    #[test]
    fn the_same_key_twice_is_one_and_two_keys_are_a_conflict() {
        assert_eq!(read(&[&format!("Bearer {KEY}")], &[KEY]), Ok(Some(KEY.to_owned())));
        assert_eq!(
            read(&[&format!("Bearer {KEY}"), &basic(&format!("{KEY}:"))], &[KEY, KEY]),
            Ok(Some(KEY.to_owned()))
        );
        assert_eq!(read(&[&format!("Bearer {KEY}")], &["other"]), Err(Code::ConflictingCredentials));
        assert_eq!(read(&[], &["one", "other"]), Err(Code::ConflictingCredentials));
    }

    #[test]
    fn what_cannot_be_read_is_malformed() {
        for value in
            ["", "Bearer", "Bearer ", "Bearer secret-token:", "Bearer a b", "Bearer a,b", "Digest a", KEY]
        {
            assert_eq!(read(&[value], &[]), Err(Code::InvalidAuthorization), "{value}");
        }
        for value in ["Basic", "Basic !", "Basic YQ", "Basic Og==", "Basic OmE="] {
            assert_eq!(read(&[value], &[]), Err(Code::InvalidAuthorization), "{value}");
        }
        assert_eq!(read(&[], &[""]), Err(Code::InvalidAuthorization));
        let latin: [&[u8]; 1] = [b"Bearer caf\xe9"];
        assert_eq!(presented(latin, []).err(), Some(Code::InvalidAuthorization));
    }

    #[test]
    fn a_basic_user_must_be_the_keys_own_identifier() {
        assert_eq!(read(&[&basic(&format!("kb_test_000000000000:{KEY}"))], &[]), Err(Code::InvalidKey));
        assert_eq!(read(&[&basic(&format!("kb:{}x", &KEY[..2]))], &[]), Err(Code::InvalidKey));
        assert_eq!(read(&[&basic("alice:correct horse")], &[]), Err(Code::InvalidKey));
    }

    #[test]
    fn long_headers_are_not_looked_at() {
        let token = "x".repeat(HEADER_BYTES_MAX - "Bearer ".len());
        assert_eq!(read(&[&format!("Bearer {token}")], &[]), Ok(Some(token.clone())));
        assert_eq!(read(&[&format!("Bearer {token}x")], &[]), Err(Code::InvalidAuthorization));
        let user = "x".repeat(BASIC_BYTES_MAX - 1);
        assert_eq!(read(&[&basic(&format!("{user}:"))], &[]), Ok(Some(user.clone())));
        assert_eq!(read(&[&basic(&format!("{user}x:"))], &[]), Err(Code::InvalidAuthorization));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(value in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = presented([value.as_slice()], [value.as_slice()]);
            let encoded = format!("Basic {}", BASE64.encode(&value));
            let _ = presented([encoded.as_bytes()], []);
        }
    }
}
