//! Scopes that many keys have alike, held once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use keybell_core::key::Scopes;

/// How many different scopes there are before those that no key has any more are looked for.
const SWEPT_FROM: usize = 1_024;

/// The scopes of all keys, each list once. Asked when a key is taken into memory, and never when one is checked.
#[derive(Default)]
pub(super) struct SharedScopes(Mutex<Lists>);

#[derive(Default)]
struct Lists {
    by_names: HashMap<Box<str>, Scopes>,
    sweep_at: usize,
}

impl SharedScopes {
    /// The scopes of these names, the same for all who ask for the same.
    pub(super) fn of(&self, names: &[String]) -> Scopes {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Names hold no spaces, so that no two lists are joined alike.
        let joined = names.join(" ");
        if let Some(known) = lists.by_names.get(joined.as_str()) {
            return known.clone();
        }
        let made = Scopes::new(names.iter().map(String::as_str));
        lists.by_names.insert(joined.into(), made.clone());
        if lists.by_names.len() >= lists.sweep_at.max(SWEPT_FROM) {
            lists.by_names.retain(|_, scopes| scopes.holders() > 1);
            lists.sweep_at = lists.by_names.len() * 2;
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_scopes_are_held_once_and_given_up_when_nobody_has_them() {
        let shared = SharedScopes::default();
        let names = ["reports:read".to_owned(), "reports:write".to_owned()];
        let (first, second) = (shared.of(&names), shared.of(&names));
        assert_eq!((first.joined(), first.holders()), ("reports:read reports:write", 3));
        assert_eq!(first, second);
        for number in 0..2 * SWEPT_FROM {
            shared.of(&[format!("scope:{number}")]);
        }
        let lists = shared.0.lock().expect("nobody panicked");
        assert!(lists.by_names.len() < SWEPT_FROM && lists.by_names.contains_key(first.joined()));
    }
}
