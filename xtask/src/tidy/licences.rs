//! What comes in as a dependency: its licence is one that `deny.toml` allows, it is none that is banned there, and it
//! comes from crates.io.
//!
//! `cargo deny check` does the same and more; this needs nothing that has to be installed first.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::Finding;
use super::repository::Repository;
use crate::command;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn check(root: &Path, repository: &Repository) -> Result<Vec<Finding>, String> {
    let rules = Rules::parse(repository.text("deny.toml").unwrap_or_default())?;
    let metadata = command::output(root, "cargo", &["metadata", "--format-version", "1", "--locked"])?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|error| format!("`cargo metadata`: {error}"))?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let name = package["name"].as_str().unwrap_or_default();
        *versions.entry(name).or_default() += 1;
        let licence = package["license"].as_str().unwrap_or_default();
        let source = package["source"].as_str().unwrap_or_default();
        found.extend(rules.judge(name, licence, source).map(|says| Finding::of("Cargo.lock", says)));
    }
    let twice: Vec<&str> =
        versions.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect();
    if !twice.is_empty() {
        eprintln!("tidy: in more than one version: {}", twice.join(", "));
    }
    Ok(found)
}

/// The part of `deny.toml` that is checked here.
struct Rules {
    allowed: Vec<String>,
    /// Crates that may have a licence besides: the crate, the licence.
    exceptions: Vec<(String, String)>,
    banned: Vec<String>,
}

impl Rules {
    fn parse(text: &str) -> Result<Rules, String> {
        let table: toml::Table =
            text.parse().map_err(|error| format!("deny.toml cannot be parsed: {error}"))?;
        let list = |section: &str, key: &str| table.get(section)?.get(key)?.as_array();
        let allowed = list("licenses", "allow").ok_or("deny.toml has no `licenses.allow`")?;
        let banned = list("bans", "deny").ok_or("deny.toml has no `bans.deny`")?;
        let text = |value: &toml::Value| value.as_str().map(str::to_owned);
        let exception = |each: &toml::Value| {
            let licences = each.get("allow")?.as_array()?;
            let name = text(each.get("name")?)?;
            Some(
                licences
                    .iter()
                    .filter_map(text)
                    .map(move |licence| (name.clone(), licence))
                    .collect::<Vec<_>>(),
            )
        };
        Ok(Rules {
            allowed: allowed.iter().filter_map(text).collect(),
            exceptions: list("licenses", "exceptions")
                .into_iter()
                .flatten()
                .filter_map(exception)
                .flatten()
                .collect(),
            banned: banned.iter().filter_map(|each| text(each.get("name")?)).collect(),
        })
    }

    fn judge(&self, name: &str, licence: &str, source: &str) -> Option<String> {
        if self.banned.iter().any(|banned| banned == name) {
            return Some(format!("has {name}, which deny.toml bans"));
        }
        if source != CRATES_IO {
            return Some(format!("has {name} from {source}, not from crates.io"));
        }
        let words = licence.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words = words.split_whitespace().peekable();
        let excepted = self.exceptions.iter().any(|(each, allowed)| each == name && allowed == licence);
        let fits = excepted || (self.any_of(&mut words) && words.next().is_none());
        (!fits).then(|| format!("has {name} under `{licence}`, which deny.toml does not allow"))
    }

    /// `a OR b OR …`
    fn any_of<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        let mut fits = self.all_of(words);
        while words.next_if_eq(&"OR").is_some() {
            fits |= self.all_of(words);
        }
        fits
    }

    /// `a AND b AND …`, which binds more tightly.
    fn all_of<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        let mut fits = self.one(words);
        while words.next_if_eq(&"AND").is_some() {
            fits &= self.one(words);
        }
        fits
    }

    /// A licence, one with an exception, or an expression in parentheses.
    fn one<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        if words.next_if_eq(&"(").is_some() {
            let mut inside = Vec::new();
            let mut depth = 1;
            for word in words.by_ref() {
                depth += i32::from(word == "(") - i32::from(word == ")");
                if depth == 0 {
                    break;
                }
                inside.push(word);
            }
            // A list of its own, so that the type of the iterator does not grow with the depth.
            let mut inside: std::iter::Peekable<std::vec::IntoIter<&str>> = inside.into_iter().peekable();
            return depth == 0 && self.any_of(&mut inside) && inside.next().is_none();
        }
        let Some(mut licence) = words.next().map(str::to_owned) else { return false };
        if words.next_if_eq(&"WITH").is_some() {
            licence = format!("{licence} WITH {}", words.next().unwrap_or_default());
        }
        self.allowed.contains(&licence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules::parse(
            "[licenses]\nallow = ['MIT', 'Apache-2.0', 'A WITH b']\nexceptions = [{ name = 'kind', allow = ['MPL-2.0'] }]\n\
             [bans]\ndeny = [{ name = 'sqlx', reason = 'r' }]",
        )
        .expect("it is well formed")
    }

    #[test]
    fn a_choice_needs_one_licence_and_a_sum_all() {
        let cases = [
            ("MIT", true),
            ("GPL-3.0", false),
            ("", false),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0/MIT", true),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND Apache-2.0", true),
            ("GPL-3.0 OR MIT AND Apache-2.0", true),
            ("A WITH b", true),
            ("A WITH c", false),
            ("(MIT", false),
            ("MIT Apache-2.0", false),
        ];
        for (licence, fits) in cases {
            assert_eq!(rules().judge("a", licence, CRATES_IO).is_none(), fits, "{licence}");
        }
    }

    #[test]
    fn an_exception_is_for_one_crate() {
        assert!(rules().judge("kind", "MPL-2.0", CRATES_IO).is_none());
        assert!(rules().judge("other", "MPL-2.0", CRATES_IO).is_some());
    }

    #[test]
    fn banned_crates_and_other_sources_are_refused() {
        assert!(rules().judge("sqlx", "MIT", CRATES_IO).is_some());
        assert!(rules().judge("a", "MIT", "git+https://example.com/a").is_some());
    }
}
