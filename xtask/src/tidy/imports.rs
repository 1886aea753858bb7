//! Who may import whom: `core ← store ← app ← web ← server`, and the crates beside that line.
//!
//! Read from every `Cargo.toml`. Dev-dependencies are apart: a test may use what its crate may not.

use super::Finding;
use super::repository::Repository;

/// A crate of the house: its directory in `crates`, and which others it may use.
struct Crate {
    name: &'static str,
    /// May always use.
    uses: &'static [&'static str],
    /// May use behind a feature of its own, that is as an optional dependency.
    uses_behind_feature: &'static [&'static str],
}

const HOUSE: &[Crate] = &[
    Crate { name: "core", uses: &[], uses_behind_feature: &[] },
    Crate { name: "store", uses: &["core"], uses_behind_feature: &[] },
    Crate { name: "app", uses: &["core", "store"], uses_behind_feature: &[] },
    Crate { name: "web", uses: &["core", "app"], uses_behind_feature: &[] },
    Crate { name: "gate", uses: &["core"], uses_behind_feature: &["app"] },
    Crate { name: "demo", uses: &["core", "gate"], uses_behind_feature: &[] },
    Crate {
        name: "server",
        uses: &["core", "store", "app", "web", "gate", "demo"],
        uses_behind_feature: &[],
    },
    // What follows is never part of the product.
    Crate { name: "testkit", uses: &["core"], uses_behind_feature: &["store", "app", "web"] },
    Crate { name: "bench", uses: &["core", "store", "app", "gate", "testkit"], uses_behind_feature: &[] },
    Crate { name: "sim", uses: &["core", "store", "app", "testkit"], uses_behind_feature: &[] },
    Crate { name: "e2e", uses: &["core", "testkit"], uses_behind_feature: &[] },
];

/// Crates that talk to a database, and who may use them: the store, and the kit that starts the throw-away one.
const DRIVERS: &[&str] = &["rusqlite", "postgres", "tokio-postgres", "sqlx", "diesel"];
const USES_DRIVERS: &[&str] = &["store", "testkit"];

/// What core must not have: it never waits, and never reads a clock.
const NOT_IN_CORE: &[&str] =
    &["tokio", "async-std", "futures-util", "hyper", "reqwest", "axum", "getrandom", "rand"];

pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in repository.below("crates", "toml") {
        let Some(name) =
            path.strip_prefix("crates").ok().and_then(|path| path.to_str()?.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let Some(this) = HOUSE.iter().find(|each| each.name == name) else {
            found.push(Finding::of(path, "is a crate that `xtask/src/tidy/imports.rs` has no place for"));
            continue;
        };
        match text.parse::<toml::Table>() {
            Ok(manifest) => {
                let uses = uses_of(&manifest);
                found.extend(
                    uses.iter().filter_map(|used| judge(this, used)).map(|says| Finding::of(path, says)),
                );
            }
            Err(error) => found.push(Finding::of(path, format!("cannot be parsed: {error}"))),
        }
    }
    found
}

/// A dependency as a manifest has it.
struct Used {
    name: String,
    optional: bool,
}

/// The dependencies of a crate, of every target, without those of its tests.
fn uses_of(manifest: &toml::Table) -> Vec<Used> {
    let mut tables: Vec<&toml::Table> = Vec::new();
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let sections = targets.into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table));
    for section in std::iter::once(manifest).chain(sections) {
        for kind in ["dependencies", "build-dependencies"] {
            tables.extend(section.get(kind).and_then(toml::Value::as_table));
        }
    }
    let all = tables.into_iter().flatten();
    all.map(|(name, how)| {
        let package = how.get("package").and_then(toml::Value::as_str).unwrap_or(name);
        let optional = how.get("optional").and_then(toml::Value::as_bool).unwrap_or(false);
        Used { name: package.to_owned(), optional }
    })
    .collect()
}

/// What is wrong with `this` crate using `used`; `None` where nothing is.
fn judge(this: &Crate, used: &Used) -> Option<String> {
    let name = used.name.as_str();
    if DRIVERS.contains(&name) && !USES_DRIVERS.contains(&this.name) {
        return Some(format!("uses {name}, but SQL stands in crates/store and nowhere else"));
    }
    if this.name == "core" && NOT_IN_CORE.contains(&name) {
        return Some(format!(
            "uses {name}, but core never waits, and has no network, clock or randomness of its own"
        ));
    }
    if name == "keybell" {
        return Some("uses the server, which is the top of the house; nobody may".to_owned());
    }
    let other = name.strip_prefix("keybell-")?;
    if this.uses.contains(&other) || (used.optional && this.uses_behind_feature.contains(&other)) {
        return None;
    }
    let allowed = if this.uses.is_empty() { "nothing of the house".to_owned() } else { this.uses.join(", ") };
    Some(format!("uses {other}, but {} may use {allowed}", this.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, manifest: &str) -> Vec<String> {
        let repository = Repository::made_of(&[(path, manifest)]);
        check(&repository).into_iter().map(|finding| finding.says).collect()
    }

    #[test]
    fn a_crate_may_use_what_lies_below_it() {
        let manifest = "[dependencies]\nkeybell-core.workspace = true\nkeybell-store.workspace = true";
        assert_eq!(found("crates/app/Cargo.toml", manifest), [""; 0]);
    }

    #[test]
    fn a_crate_may_not_use_what_lies_above_it() {
        let manifest = "[dependencies]\nkeybell-app.workspace = true";
        assert_eq!(found("crates/store/Cargo.toml", manifest), ["uses app, but store may use core"]);
        let renamed =
            "[target.'cfg(unix)'.dependencies]\nupstairs = { package = \"keybell-web\", path = \"../web\" }";
        assert_eq!(
            found("crates/core/Cargo.toml", renamed),
            ["uses web, but core may use nothing of the house"]
        );
    }

    #[test]
    fn tests_may_use_what_their_crate_may_not() {
        assert_eq!(
            found("crates/core/Cargo.toml", "[dev-dependencies]\nkeybell-testkit.workspace = true"),
            [""; 0]
        );
    }

    #[test]
    fn the_gate_uses_the_app_behind_a_feature_only() {
        let optional = "[dependencies]\nkeybell-app = { workspace = true, optional = true }";
        assert_eq!(found("crates/gate/Cargo.toml", optional), [""; 0]);
        let always = "[dependencies]\nkeybell-app.workspace = true";
        assert_eq!(found("crates/gate/Cargo.toml", always), ["uses app, but gate may use core"]);
    }

    #[test]
    fn nobody_uses_the_server_and_only_the_store_a_database() {
        assert_eq!(found("crates/demo/Cargo.toml", "[dependencies]\nkeybell.path = \"../server\"").len(), 1);
        assert_eq!(found("crates/web/Cargo.toml", "[dependencies]\nrusqlite.workspace = true").len(), 1);
        assert_eq!(found("crates/store/Cargo.toml", "[dependencies]\nrusqlite.workspace = true").len(), 0);
    }

    #[test]
    fn core_has_no_runtime() {
        assert_eq!(found("crates/core/Cargo.toml", "[dependencies]\ntokio.workspace = true").len(), 1);
    }
}
