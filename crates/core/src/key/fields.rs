//! What the fields of a key alone may be: their limits, and the field errors that name them.
//!
//! Each function checks one field as a request names it, and gives it back as it is to be stored.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use crate::scope::SCOPES_PER_KEY_MAX;
use crate::{FieldError, Timestamp, scope};

/// Most allowed networks of a key: each is compared on every request.
pub const NETWORKS_PER_KEY_MAX: usize = 64;
/// Most rate limits of a key: each is counted on every request.
pub const RATE_LIMITS_PER_KEY_MAX: usize = 8;
/// Most characters of a rate limit's name.
pub const RATE_LIMIT_NAME_CHARS_MAX: usize = 32;
/// The most that a rate limit may allow in its window.
pub const RATE_LIMIT_MAX: u64 = 1_000_000_000;
/// The longest window of a rate limit, in seconds: a day. What is counted for longer is a quota.
pub const RATE_LIMIT_WINDOW_SECONDS_MAX: u64 = 86_400;
/// How often a key may be used: `limit` times in `window_seconds`. Several with different names apply together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Its name in headers and answers.
    pub name: String,
    /// How often, 1 to [`RATE_LIMIT_MAX`].
    pub limit: u64,
    /// In how many seconds, 1 to [`RATE_LIMIT_WINDOW_SECONDS_MAX`].
    pub window_seconds: u64,
}

/// Checks an expiry: in the future, and within what RFC 3339 can write.
pub fn expires_at(at: Timestamp, now: Timestamp) -> Result<(), FieldError> {
    if at <= now {
        return Err(FieldError::new(
            "expires_at",
            "in_the_past",
            "must be in the future; leave it out for never",
        ));
    }
    if at > Timestamp::MAX {
        return Err(FieldError::new("expires_at", "out_of_range", "must be before the year 10000"));
    }
    Ok(())
}

/// Checks scopes: at most [`SCOPES_PER_KEY_MAX`], each one of Keybell's own or one that `is_declared` knows. Given back
/// without repetitions.
pub fn scopes(names: &[String], is_declared: impl Fn(&str) -> bool) -> Result<Vec<String>, Vec<FieldError>> {
    let mut kept: Vec<String> = Vec::new();
    let mut errors = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let known = scope::check(name).is_ok() && (scope::is_own(name) || is_declared(name));
        if !known {
            let message = "is not in the catalogue of scopes; GET /v1/scopes lists them";
            errors.push(FieldError::new(format!("scopes[{index}]"), "unknown_scope", message));
        } else if !kept.contains(name) {
            kept.push(name.clone());
        }
        // Past the limit the rest is not looked at: it could be as long as a body may be.
        if kept.len() > SCOPES_PER_KEY_MAX || errors.len() > SCOPES_PER_KEY_MAX {
            let message = format!("must have at most {SCOPES_PER_KEY_MAX} entries");
            return Err(vec![FieldError::new("scopes", "too_many", message)]);
        }
    }
    if errors.is_empty() { Ok(kept) } else { Err(errors) }
}

/// Checks the scopes that a check of a key asks for, which are no field of a key: at most [`SCOPES_PER_KEY_MAX`], and
/// names of scopes. Whether the catalogue has them does not matter: a key without them is refused.
pub fn required_scopes(field: &str, names: &[String]) -> Result<(), FieldError> {
    if names.len() > SCOPES_PER_KEY_MAX {
        return Err(FieldError::new(
            field,
            "too_many",
            format!("must have at most {SCOPES_PER_KEY_MAX} entries"),
        ));
    }
    let wrong = names.iter().position(|name| scope::check(name).is_err());
    wrong.map_or(Ok(()), |index| {
        Err(FieldError::new(format!("{field}[{index}]"), "invalid", scope::BadScope::Shape.to_string()))
    })
}

/// Checks allowed networks: at most [`NETWORKS_PER_KEY_MAX`], each an address or a network in CIDR notation.
pub fn allowed_networks(texts: &[String]) -> Result<Vec<IpNet>, Vec<FieldError>> {
    if texts.len() > NETWORKS_PER_KEY_MAX {
        let message = format!("must have at most {NETWORKS_PER_KEY_MAX} entries");
        return Err(vec![FieldError::new("allowed_networks", "too_many", message)]);
    }
    let mut kept: Vec<IpNet> = Vec::new();
    let mut errors = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match network(text) {
            Ok(network) if kept.contains(&network) => {}
            Ok(network) => kept.push(network),
            Err(message) => {
                errors.push(FieldError::new(
                    format!("allowed_networks[{index}]"),
                    "invalid_network",
                    message,
                ));
            }
        }
    }
    if errors.is_empty() { Ok(kept) } else { Err(errors) }
}

/// A network, or an address as the network of it alone. IPv4 written as IPv6 becomes IPv4, as addresses do when they are
/// compared with it.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let parsed = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse::<IpNet>().map_err(|_| {
            "must be an address or a network such as 203.0.113.0/24 or 2001:db8::/32".to_owned()
        })?,
    };
    if parsed.trunc() != parsed {
        return Err(format!("has bits set outside its prefix; the network is {}", parsed.trunc()));
    }
    let IpNet::V6(wide) = parsed else { return Ok(parsed) };
    match (wide.addr().to_ipv4_mapped(), wide.prefix_len().checked_sub(96)) {
        (Some(address), Some(prefix)) => {
            let narrow = Ipv4Net::new(address, prefix).expect("a prefix of 96 to 128 less 96 is one of IPv4");
            Ok(IpNet::V4(narrow))
        }
        _ => Ok(parsed),
    }
}

/// Checks rate limits: at most [`RATE_LIMITS_PER_KEY_MAX`], with different names.
pub fn rate_limits(limits: &[RateLimit]) -> Result<(), Vec<FieldError>> {
    if limits.len() > RATE_LIMITS_PER_KEY_MAX {
        let message = format!("must have at most {RATE_LIMITS_PER_KEY_MAX} entries");
        return Err(vec![FieldError::new("rate_limits", "too_many", message)]);
    }
    let mut errors = Vec::new();
    for (index, limit) in limits.iter().enumerate() {
        let mut wrong = |field: &str, code, message: String| {
            errors.push(FieldError::new(format!("rate_limits[{index}].{field}"), code, message));
        };
        let name = &limit.name;
        let shaped = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if name.is_empty() || name.len() > RATE_LIMIT_NAME_CHARS_MAX || !shaped {
            let message = format!("must be 1 to {RATE_LIMIT_NAME_CHARS_MAX} letters, digits, _ and -");
            wrong("name", "invalid", message);
        }
        if limits[..index].iter().any(|other| other.name == *name) {
            wrong("name", "duplicate", "is the name of another of the limits".to_owned());
        }
        if !(1..=RATE_LIMIT_MAX).contains(&limit.limit) {
            wrong("limit", "out_of_range", format!("must be from 1 to {RATE_LIMIT_MAX}"));
        }
        if !(1..=RATE_LIMIT_WINDOW_SECONDS_MAX).contains(&limit.window_seconds) {
            let message = format!("must be from 1 to {RATE_LIMIT_WINDOW_SECONDS_MAX}");
            wrong("window_seconds", "out_of_range", message);
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(answer: Result<T, FieldError>) -> &'static str {
        answer.err().map_or("ok", |error| error.code)
    }

    fn codes<T>(answer: Result<T, Vec<FieldError>>) -> Vec<String> {
        answer
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|error| format!("{} {}", error.field, error.code))
            .collect()
    }

    #[test]
    fn an_expiry_is_in_the_future_and_can_be_written() {
        let now = Timestamp::from_seconds(1);
        assert_eq!(code(expires_at(now, now)), "in_the_past");
        assert_eq!(code(expires_at(Timestamp::from_micros(1_000_001), now)), "ok");
        assert_eq!(code(expires_at(Timestamp::MAX, now)), "ok");
        assert_eq!(
            code(expires_at(Timestamp::from_micros(Timestamp::MAX.micros() + 1), now)),
            "out_of_range"
        );
    }

    #[test]
    fn scopes_are_known_counted_and_kept_once() {
        let names = |count: usize| (0..count).map(|number| format!("s:{number}")).collect::<Vec<_>>();
        assert_eq!(
            scopes(&names(SCOPES_PER_KEY_MAX), |_| true).map(|kept| kept.len()),
            Ok(SCOPES_PER_KEY_MAX)
        );
        assert_eq!(codes(scopes(&names(SCOPES_PER_KEY_MAX + 1), |_| true)), ["scopes too_many"]);
        assert_eq!(codes(scopes(&names(SCOPES_PER_KEY_MAX + 1), |_| false)), ["scopes too_many"]);
        let twice = ["a".to_owned(), "keybell:keys.read".to_owned(), "a".to_owned()];
        assert_eq!(
            scopes(&twice, |name| name == "a"),
            Ok(vec!["a".to_owned(), "keybell:keys.read".to_owned()])
        );
        let unknown = ["a".to_owned(), "keybell:all".to_owned(), "b".to_owned()];
        let answer = codes(scopes(&unknown, |name| name == "a"));
        assert_eq!(answer, ["scopes[1] unknown_scope", "scopes[2] unknown_scope"]);
    }

    #[test]
    fn what_is_asked_of_a_key_are_names_of_scopes() {
        let names = |count: usize| (0..count).map(|number| format!("s:{number}")).collect::<Vec<_>>();
        assert_eq!(code(required_scopes("scope", &names(SCOPES_PER_KEY_MAX))), "ok");
        assert_eq!(code(required_scopes("scope", &names(SCOPES_PER_KEY_MAX + 1))), "too_many");
        let wrong = required_scopes("scope", &["a".to_owned(), "A b".to_owned()]);
        assert_eq!(wrong.err().map(|error| error.field), Some("scope[1]".to_owned()));
    }

    #[test]
    fn networks_are_read_in_every_spelling_and_written_in_one() {
        let kept = |text: &str| allowed_networks(&[text.to_owned()]).map(|kept| kept[0].to_string());
        for (text, shown) in [
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("203.0.113.9", "203.0.113.9/32"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
            ("::ffff:203.0.113.9", "203.0.113.9/32"),
            ("::/0", "::/0"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(kept(text), Ok(shown.to_owned()), "{text}");
        }
        for text in ["", "x", "203.0.113.9/24", "203.0.113.0/33", "203.0.113", "example.com", "::1/129"] {
            assert!(kept(text).is_err(), "{text}");
        }
        let many = |count: u8| (0..count).map(|number| format!("10.0.0.{number}")).collect::<Vec<_>>();
        assert_eq!(allowed_networks(&many(64)).map(|kept| kept.len()), Ok(NETWORKS_PER_KEY_MAX));
        assert_eq!(codes(allowed_networks(&many(65))), ["allowed_networks too_many"]);
    }

    #[test]
    fn rate_limits_have_their_ends_and_names_of_their_own() {
        let limit =
            |name: &str, limit, window_seconds| RateLimit { name: name.to_owned(), limit, window_seconds };
        let at_the_ends = [limit("a", 1, 1), limit("b", RATE_LIMIT_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX)];
        assert_eq!(rate_limits(&at_the_ends), Ok(()));
        let past = [
            limit("", 0, 0),
            limit("x", RATE_LIMIT_MAX + 1, RATE_LIMIT_WINDOW_SECONDS_MAX + 1),
            limit("x", 1, 1),
            limit("a b", 1, 1),
        ];
        insta::assert_snapshot!(codes(rate_limits(&past)).join("\n"), @"
        rate_limits[0].name invalid
        rate_limits[0].limit out_of_range
        rate_limits[0].window_seconds out_of_range
        rate_limits[1].limit out_of_range
        rate_limits[1].window_seconds out_of_range
        rate_limits[2].name duplicate
        rate_limits[3].name invalid
        ");
        let named =
            |count: usize| (0..count).map(|number| limit(&format!("n{number}"), 1, 1)).collect::<Vec<_>>();
        assert_eq!(rate_limits(&named(RATE_LIMITS_PER_KEY_MAX)), Ok(()));
        assert_eq!(codes(rate_limits(&named(RATE_LIMITS_PER_KEY_MAX + 1))), ["rate_limits too_many"]);
        assert_eq!(rate_limits(&[limit(&"n".repeat(RATE_LIMIT_NAME_CHARS_MAX), 1, 1)]), Ok(()));
        let long = rate_limits(&[limit(&"n".repeat(RATE_LIMIT_NAME_CHARS_MAX + 1), 1, 1)]);
        assert_eq!(codes(long), ["rate_limits[0].name invalid"]);
    }
}
