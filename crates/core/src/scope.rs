//! Scopes: the names of what a key may do.
//!
//! A platform declares its own in the catalogue (`reports:read`). Those that begin with `keybell:` are Keybell's, and open
//! its own API. Names are compared whole: a `*` in a name has no meaning here.

/// Most bytes of a scope's name: a key's scopes travel in one header.
pub const SCOPE_BYTES_MAX: usize = 100;

/// Most scopes of one key. With names of usual length they fit the 4 KiB that gateways keep for headers.
pub const SCOPES_PER_KEY_MAX: usize = 64;

/// Keybell's own scopes, with what each allows. They are in every catalogue and cannot be declared or removed.
pub const OWN: [(&str, &str); 6] = [
    ("keybell:keys.read", "List API keys and read one, without secrets"),
    ("keybell:keys.write", "Create, edit, rotate and revoke API keys"),
    ("keybell:webhooks.read", "List webhooks and read one, without secrets"),
    (
        "keybell:webhooks.write",
        "Create, edit, switch and delete webhooks, and read and rotate their signing secrets",
    ),
    ("keybell:events.read", "Read events and deliveries, and what they carried"),
    ("keybell:events.publish", "Publish events"),
];

/// Why a text is no scope's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadScope {
    /// It is empty or has another shape.
    #[error("a scope is words of a-z, 0-9, `_`, `.` and `-` joined by `:`, such as reports:read")]
    Shape,
    /// It has more than [`SCOPE_BYTES_MAX`] bytes.
    #[error("a scope has at most {SCOPE_BYTES_MAX} characters")]
    TooLong,
    /// It is one that only Keybell declares.
    #[error("scopes that begin with keybell: are Keybell's own")]
    Reserved,
}

/// Whether `name` can be a scope: `[a-z0-9_.-]+(:[a-z0-9_.*-]+)*`.
pub fn check(name: &str) -> Result<(), BadScope> {
    if name.len() > SCOPE_BYTES_MAX {
        return Err(BadScope::TooLong);
    }
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-');
    for (index, word) in name.split(':').enumerate() {
        let fits = !word.is_empty() && word.bytes().all(|byte| plain(byte) || (index > 0 && byte == b'*'));
        if !fits {
            return Err(BadScope::Shape);
        }
    }
    Ok(())
}

/// Whether a platform may declare `name` in its catalogue.
pub fn check_declared(name: &str) -> Result<(), BadScope> {
    check(name)?;
    if name.split(':').next() == Some("keybell") { Err(BadScope::Reserved) } else { Ok(()) }
}

/// Whether `name` is one of Keybell's own scopes.
pub fn is_own(name: &str) -> bool {
    OWN.iter().any(|(own, _)| *own == name)
}

/// Whether `name` lets a key change keys or webhooks that others made. Nobody who is confined to their own may give it.
pub fn manages_all(name: &str) -> bool {
    matches!(name, "keybell:keys.write" | "keybell:webhooks.write")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Permission;

    #[test]
    fn names_are_words_joined_by_colons() {
        for name in ["reports:read", "a", "a.b-c_d:0", "reports:*", "a:b:c"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in ["", ":", "a:", ":a", "a::b", "A", "a b", "*", "é", "a\"", "a:B"] {
            assert_eq!(check(name), Err(BadScope::Shape), "{name}");
        }
    }

    #[test]
    fn a_name_has_a_greatest_length() {
        assert_eq!(check(&"a".repeat(SCOPE_BYTES_MAX)), Ok(()));
        assert_eq!(check(&"a".repeat(SCOPE_BYTES_MAX + 1)), Err(BadScope::TooLong));
    }

    #[test]
    fn the_own_scopes_are_well_formed_reserved_and_what_permissions_ask_for() {
        for (name, _) in OWN {
            assert_eq!(check_declared(name), Err(BadScope::Reserved), "{name}");
            assert!(is_own(name));
        }
        assert_eq!(check_declared("keybell"), Err(BadScope::Reserved));
        assert_eq!(check_declared("keybells:read"), Ok(()));
        for permission in [Permission::ReadKeys, Permission::ManageKeys, Permission::ReadWebhooks] {
            assert!(permission.scope().is_some_and(is_own));
        }
        for permission in [Permission::ManageWebhooks, Permission::ReadPayloads, Permission::PublishEvents] {
            assert!(permission.scope().is_some_and(is_own));
        }
        assert!(!is_own("keybell:everything"));
    }
}
