//! Custom headers of a webhook: which may be set, and to what. Rules: `docs/wire-formats.md`, section 2.6.

use std::fmt;

use zeroize::Zeroizing;

/// Most custom headers of a webhook: receivers' servers commonly stop at 100 in all.
pub const HEADERS_MAX: usize = 32;
/// Most bytes of a header's name.
pub const HEADER_NAME_BYTES_MAX: usize = 128;
/// Most bytes of a header's value: a long token fits, and receivers' common limit of 8 KiB for a line is kept.
pub const HEADER_VALUE_BYTES_MAX: usize = 4_096;

/// Names that are ours, or the connection's.
const REFUSED_NAMES: [&str; 10] = [
    "host",
    "content-length",
    "content-type",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];
/// Families of names that are ours, a proxy's or a browser's.
const REFUSED_PREFIXES: [&str; 3] = ["proxy-", "webhook-", "sec-"];

/// A header that is added to each request of a webhook.
///
/// Its value may be a secret: so it is not cloned, is wiped when dropped, and `Debug` never shows it.
pub struct CustomHeader {
    /// The name as its maker wrote it; names are compared without regard to case.
    pub name: String,
    /// The value.
    pub value: Zeroizing<String>,
    /// Whether the value is write-only.
    pub secret: bool,
}

impl fmt::Debug for CustomHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomHeader")
            .field("name", &self.name)
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

/// Why a header is refused. It never holds the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// The name has no bytes, or more than [`HEADER_NAME_BYTES_MAX`].
    #[error("the name must have 1 to {HEADER_NAME_BYTES_MAX} characters")]
    NameLength,
    /// The name is not a token of HTTP.
    #[error("the name may hold letters, digits and !#$%&'*+-.^_`|~ only")]
    NameCharacters,
    /// The name is one that Keybell or the connection sets.
    #[error("this name is set by Keybell or by the connection, and cannot be set here")]
    NameReserved,
    /// The name stands there twice.
    #[error("the name stands there twice; names are the same whatever their case")]
    NameTwice,
    /// The value has more than [`HEADER_VALUE_BYTES_MAX`] bytes.
    #[error("the value must have at most {HEADER_VALUE_BYTES_MAX} characters")]
    ValueLength,
    /// The value has something else than visible ASCII, space and tab.
    #[error("the value may hold visible ASCII, spaces and tabs only")]
    ValueCharacters,
}

impl BadHeader {
    /// A stable word for it: the code of a field error.
    pub const fn code(self) -> &'static str {
        match self {
            BadHeader::NameLength | BadHeader::ValueLength => "length",
            BadHeader::NameCharacters | BadHeader::ValueCharacters => "characters",
            BadHeader::NameReserved => "reserved",
            BadHeader::NameTwice => "duplicate",
        }
    }

    /// Whether it is the name that is wrong, not the value.
    pub const fn is_about_name(self) -> bool {
        !matches!(self, BadHeader::ValueLength | BadHeader::ValueCharacters)
    }
}

/// Whether a webhook may have this header.
pub fn check(name: &str, value: &str) -> Result<(), BadHeader> {
    if name.is_empty() || name.len() > HEADER_NAME_BYTES_MAX {
        return Err(BadHeader::NameLength);
    }
    if !name.bytes().all(is_token_byte) {
        return Err(BadHeader::NameCharacters);
    }
    let lower = name.to_ascii_lowercase();
    if REFUSED_NAMES.contains(&&*lower) || REFUSED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
        return Err(BadHeader::NameReserved);
    }
    if value.len() > HEADER_VALUE_BYTES_MAX {
        return Err(BadHeader::ValueLength);
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t') {
        return Err(BadHeader::ValueCharacters);
    }
    Ok(())
}

/// The index of the first name that stands there a second time, whatever its case.
pub fn first_duplicate<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<usize> {
    let mut seen: Vec<&str> = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        if seen.iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
            return Some(index);
        }
        seen.push(name);
    }
    None
}

/// Whether a byte may stand in a token (RFC 9110, section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_headers_may_be_set() {
        for name in ["Authorization", "user-agent", "X-Api-Key", "a", "accept", "cookie", "!#$%&'*+-.^_`|~"] {
            assert_eq!(check(name, "Bearer a\tb ~!"), Ok(()), "{name}");
        }
        assert_eq!(check("x-empty", ""), Ok(()));
    }

    #[test]
    fn what_keybell_and_the_connection_set_is_refused_in_any_case() {
        for name in REFUSED_NAMES {
            assert_eq!(check(name, "1"), Err(BadHeader::NameReserved), "{name}");
            assert_eq!(check(&name.to_uppercase(), "1"), Err(BadHeader::NameReserved), "{name}");
        }
        for name in ["Proxy-Authorization", "webhook-id", "WEBHOOK-anything", "Sec-Fetch-Site"] {
            assert_eq!(check(name, "1"), Err(BadHeader::NameReserved), "{name}");
        }
        assert_eq!(check("x-webhook-id", "1"), Ok(()));
    }

    #[test]
    fn names_are_tokens_of_1_to_128_bytes() {
        assert_eq!(check("", "1"), Err(BadHeader::NameLength));
        assert_eq!(check(&"a".repeat(HEADER_NAME_BYTES_MAX), "1"), Ok(()));
        assert_eq!(check(&"a".repeat(HEADER_NAME_BYTES_MAX + 1), "1"), Err(BadHeader::NameLength));
        for name in ["a b", "a:", "a\r\nb", "é", "a\0", "(a)", "a/b"] {
            assert_eq!(check(name, "1"), Err(BadHeader::NameCharacters), "{name:?}");
        }
    }

    #[test]
    fn values_are_visible_ascii_of_at_most_4096_bytes() {
        assert_eq!(check("a", &"v".repeat(HEADER_VALUE_BYTES_MAX)), Ok(()));
        assert_eq!(check("a", &"v".repeat(HEADER_VALUE_BYTES_MAX + 1)), Err(BadHeader::ValueLength));
        for value in ["a\r\nx: y", "\n", "\0", "\u{7f}", "é"] {
            assert_eq!(check("a", value), Err(BadHeader::ValueCharacters), "{value:?}");
        }
    }

    #[test]
    fn a_name_that_stands_there_twice_is_found_whatever_its_case() {
        assert_eq!(first_duplicate(["a", "b", "A"]), Some(2));
        assert_eq!(first_duplicate(["a", "b"]), None);
    }

    #[test]
    fn debug_does_not_show_the_value() {
        let header = CustomHeader {
            name: "authorization".into(),
            value: Zeroizing::new("hunter2".into()),
            secret: true,
        };
        let shown = format!("{header:?}");
        assert!(shown.contains("authorization") && !shown.contains("hunter2"), "{shown}");
    }
}
