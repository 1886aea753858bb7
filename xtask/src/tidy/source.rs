//! Rules about Rust files, read line by line: what they open with, and what they must not hold.

use std::path::Path;

use super::Finding;
use super::repository::Repository;

/// Beginnings of statements, as they stand in upper case in a string. Written in two pieces, so as not to find themselves.
const SQL: &[&str] = &[
    concat!("SELECT", " "),
    concat!("INSERT", " INTO "),
    concat!("DELETE", " FROM "),
    concat!("CREATE", " TABLE"),
    concat!("ALTER", " TABLE"),
    concat!("DROP", " TABLE"),
    concat!("ON CONFLICT", " ("),
];

/// Where SQL may stand: the store; its bench, which compares it with statements of its own; and this file's neighbours, which
/// have to name what they look for.
const SQL_STANDS_IN: &[&str] = &["crates/store", "crates/bench/src/store_spike", "xtask"];

/// Directories of a machine, which is nobody else's.
const SOMEBODYS: &[&str] =
    &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let mut found = Vec::new();
    for directory in ["crates", "xtask"] {
        for (path, text) in repository.below(directory, "rs") {
            found.extend(check_rust(path, text));
        }
    }
    for (path, text) in &repository.files {
        found.extend(machine(path, text));
    }
    found
}

fn check_rust(path: &Path, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(Finding::of(
            path,
            "does not open with `//!`: what it is, who calls it, what it never does",
        ));
    }
    // On a clock that stands still, to sleep is to move it.
    let simulated = text.contains("time::pause()") || text.contains("start_paused = true");
    let mut tested =
        path.components().any(|part| part.as_os_str() == "tests") || path.starts_with("crates/e2e");
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_start())) {
        tested |= line.starts_with("#[cfg(test)]");
        if line.starts_with("//") {
            if line.contains(concat!("```", "ignore")) {
                found.push(Finding::at(
                    path,
                    number,
                    "has an example that is never compiled; say `text` if it is not Rust",
                ));
            }
            continue;
        }
        found.extend(forbidden(path, line, tested && !simulated).map(|says| Finding::at(path, number, says)));
    }
    found
}

/// What is wrong with a line that is no comment.
fn forbidden(path: &Path, line: &str, tested: bool) -> Option<String> {
    if ["todo!", "unimplemented!"].iter().any(|stub| line.contains(&format!("{stub}("))) {
        return Some("is a stub".to_owned());
    }
    if line.starts_with(concat!("#[", "ignore")) {
        return Some("has a test that is never run".to_owned());
    }
    if tested && (line.contains("::sleep(") || line.starts_with("sleep(") || line.contains(" sleep(")) {
        return Some("sleeps in a test; wait for what you wait for".to_owned());
    }
    if !SQL_STANDS_IN.iter().any(|home| path.starts_with(home)) {
        let statement = SQL.iter().find(|words| line.contains(*words))?;
        return Some(format!(
            "holds SQL (`{}`), which stands in crates/store and nowhere else",
            statement.trim()
        ));
    }
    None
}

/// Names of this machine: directories of somebody's, and where this very checkout lies.
fn machine(path: &Path, text: &str) -> Vec<Finding> {
    let here = crate::root().display().to_string();
    let lines = text.lines().enumerate();
    let named = lines.filter(|(_, line)| {
        // A checkout directly below `/` has a name too short to mean anything.
        let ours = here.matches('/').count() > 1 && line.contains(&here);
        ours || SOMEBODYS.iter().any(|directory| mentions(line, directory))
    });
    named.map(|(index, _)| Finding::at(path, index + 1, "names a directory of one machine")).collect()
}

/// Whether `line` has `directory` as the beginning of a path, and not as a part of a URL or of a longer path.
fn mentions(line: &str, directory: &str) -> bool {
    let places = line.match_indices(directory);
    places.map(|(place, _)| line[..place].chars().next_back()).any(|before| {
        before.is_none_or(|before| {
            !before.is_alphanumeric() && !matches!(before, '.' | '/' | '-' | '_' | '}' | '~' | '*')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(usize, String)> {
        let repository = Repository::made_of(&[(path, text)]);
        check(&repository).into_iter().map(|finding| (finding.line, finding.says)).collect()
    }

    fn lines(path: &str, text: &str) -> Vec<usize> {
        found(path, text).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn a_module_says_what_it_is() {
        assert_eq!(lines("crates/app/src/a.rs", "//! What it is.\nfn f() {}"), [0; 0]);
        assert_eq!(lines("crates/app/src/a.rs", "fn f() {}"), [0]);
    }

    #[test]
    fn sql_stands_in_store_only() {
        let text = concat!("//! A.\nconst A: &str = \"SELECT", " a FROM b\";\n// SELECT", " in a comment");
        assert_eq!(lines("crates/app/src/a.rs", text), [2]);
        assert_eq!(lines("crates/store/src/a.rs", text), [0; 0]);
    }

    #[test]
    fn stubs_and_sleeping_and_skipped_tests_are_found() {
        assert_eq!(lines("crates/app/src/a.rs", concat!("//! A.\nfn f() { todo", "!() }")), [2]);
        assert_eq!(lines("crates/app/tests/a.rs", concat!("//! A.\n#[", "ignore]\nfn f() {}")), [2]);
        let asleep = concat!(
            "//! A.\nfn f() { thread::sl",
            "eep(a) }\n#[cfg(test)]\nmod tests { tokio::time::sl",
            "eep(a) }"
        );
        assert_eq!(lines("crates/app/src/a.rs", asleep), [4]);
        assert_eq!(lines("crates/app/src/a.rs", &format!("{asleep}\ntokio::time::pause();")), [0; 0]);
    }

    #[test]
    fn a_machine_is_named_by_its_directories_but_not_by_a_url() {
        let somebody = concat!("Look in /ho", "me/somebody/keybell.");
        assert_eq!(found("README.md", somebody).len(), 1);
        assert_eq!(found("README.md", concat!("https://example.com/ho", "me/page")).len(), 0);
        assert_eq!(found("README.md", &format!("cd {}", crate::root().display())).len(), 1);
    }
}
