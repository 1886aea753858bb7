//! Every statement of the store is registered, so that the test that prepares them on both engines cannot miss one.

use super::Finding;
use super::repository::Repository;

const REGISTER: &str = "crates/store/src/ops/mod.rs";

pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let register = repository.text(REGISTER).unwrap_or_default();
    let mut found = Vec::new();
    for (path, text) in repository.below("crates/store/src/ops", "rs") {
        let Some(module) = module_of(path.strip_prefix("crates/store/src/ops").unwrap_or(path)) else {
            continue;
        };
        for (opens, list) in [("statements! {", "STATEMENTS"), ("bulks! {", "BULKS")] {
            let declares = text.lines().any(|line| line.starts_with(opens));
            if declares && !register.contains(&format!("{module}::{list}")) {
                found.push(Finding::of(
                    path,
                    format!("declares statements, but {REGISTER} lacks `{module}::{list}`"),
                ));
            }
        }
    }
    found
}

/// `keys.rs` is `keys`, `keys/list.rs` is `keys::list`; the register itself is nothing.
fn module_of(path: &std::path::Path) -> Option<String> {
    let path = path.to_str()?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    (path != "mod").then(|| path.replace('/', "::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(register: &str) -> usize {
        let keys = ("crates/store/src/ops/keys.rs", "statements! {\n}\nbulks! {\n}");
        check(&Repository::made_of(&[(REGISTER, register), keys])).len()
    }

    #[test]
    fn a_list_that_is_not_registered_is_found() {
        assert_eq!(found("keys::STATEMENTS, keys::BULKS"), 0);
        assert_eq!(found("keys::STATEMENTS"), 1);
        assert_eq!(found(""), 2);
    }

    #[test]
    fn modules_are_named_by_their_place() {
        let cases = [
            ("mod.rs", None),
            ("keys.rs", Some("keys")),
            ("keys/list.rs", Some("keys::list")),
            ("keys/mod.rs", Some("keys")),
        ];
        for (path, module) in cases {
            assert_eq!(module_of(std::path::Path::new(path)).as_deref(), module, "{path}");
        }
    }
}
