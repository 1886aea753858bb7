//! Documents and comments name files that are there: each path in backticks, and each relative link of a document.

use std::path::{Component, Path, PathBuf};

use super::Finding;
use super::repository::Repository;

/// Where a path of the repository begins; other words with a slash are no paths.
const ROOTS: &[&str] = &["crates/", "xtask/", "docs/", ".ci/", ".cargo/", ".config/"];

pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let mut found = Vec::new();
    let comments = repository.below("crates", "rs").chain(repository.below("xtask", "rs"));
    for (path, text) in comments {
        for (index, line) in text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("//"))
        {
            for said in named_in(line).into_iter().filter(|said| !exists(Path::new(said))) {
                found.push(Finding::at(path, index + 1, format!("names `{said}`, which is not there")));
            }
        }
    }
    for (path, text) in repository.below("", "md") {
        for (index, line) in text.lines().enumerate() {
            let named = named_in(line).into_iter().map(|named| (PathBuf::from(named), named));
            let folder = path.parent().unwrap_or(Path::new(""));
            let linked = linked_in(line).into_iter().map(|linked| (folder.join(linked), linked));
            for (target, said) in named.chain(linked) {
                if !exists(&target) {
                    found.push(Finding::at(path, index + 1, format!("names `{said}`, which is not there")));
                }
            }
        }
    }
    found
}

/// A file or directory inside the repository. One that leaves it does not exist for our readers.
fn exists(target: &Path) -> bool {
    let mut inside = PathBuf::new();
    for part in target.components() {
        match part {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir if inside.pop() => {}
            _ => return false,
        }
    }
    crate::root().join(inside).exists()
}

/// Paths in backticks. `path::item` and `path:12` name the file before the colon.
fn named_in(line: &str) -> Vec<&str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let paths = quoted.filter(|word| {
        ROOTS.iter().any(|root| word.starts_with(root)) && !word.contains(['<', '*', '{', ' ', '…'])
    });
    paths.map(|word| word.split(':').next().unwrap_or(word)).collect()
}

/// Targets of Markdown links that stay in the repository, without their anchors.
fn linked_in(line: &str) -> Vec<&str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.map(|target| target.split('#').next().unwrap_or(target));
    files.filter(|file| !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        check(&Repository::made_of(&[("docs/a.md", text)])).len()
    }

    #[test]
    fn paths_in_backticks_exist() {
        assert_eq!(found("Look at `xtask/src/main.rs` and `xtask/src/tidy`, not at `text/html`."), 0);
        assert_eq!(found("Look at `xtask/src/nowhere.rs`."), 1);
    }

    #[test]
    fn comments_are_held_to_it_and_code_is_not() {
        let text = "//! See `docs/nowhere.md`.\nlet a = \"`docs/nowhere.md`\";";
        assert_eq!(check(&Repository::made_of(&[("crates/app/src/a.rs", text)])).len(), 1);
    }

    #[test]
    fn links_exist_and_stay_inside() {
        assert_eq!(found("[a](../Cargo.toml#workspace), [b](https://example.com), [c](#here)"), 0);
        assert_eq!(found("[a](Cargo.toml)"), 1);
        assert_eq!(found("[a](../../secret.md)"), 1);
    }
}
