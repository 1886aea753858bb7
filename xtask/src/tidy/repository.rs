//! The text files of the repository, read once for all rules.

use std::path::{Path, PathBuf};

use crate::command;

/// Kinds of file that the rules read.
const READ: &[&str] = &["rs", "toml", "md", "sql", "html", "css", "js", "py", "yml", "conf", ""];

/// The repository as the rules see it: paths relative to its root, and text.
pub(super) struct Repository {
    /// In the order of their paths.
    pub(super) files: Vec<(PathBuf, String)>,
}

impl Repository {
    /// Reads what git tracks or would track; ignored files are nobody's business.
    pub(super) fn read(root: &Path) -> Result<Repository, String> {
        let listed = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        let listed = command::output(root, "git", &listed)?;
        let mut files = Vec::new();
        for path in listed.split_terminator('\0').map(PathBuf::from) {
            let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            if !READ.contains(&kind.as_str()) {
                continue;
            }
            // A file that is deleted, but not yet from the index, has no text; one that is not UTF-8 has none for us.
            if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
                files.push((path, text));
            }
        }
        files.sort();
        Ok(Repository { files })
    }

    /// The files below `directory` whose name ends with `.kind`.
    pub(super) fn below<'a>(
        &'a self,
        directory: &'a str,
        kind: &'a str,
    ) -> impl Iterator<Item = (&'a Path, &'a str)> {
        let these = self.files.iter().filter(move |(path, _)| {
            path.starts_with(directory) && path.extension().is_some_and(|extension| extension == kind)
        });
        these.map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// The text of one file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|(each, _)| each == Path::new(path)).map(|(_, text)| text.as_str())
    }

    /// A repository of made-up files, for the tests of the rules.
    #[cfg(test)]
    pub(super) fn made_of(files: &[(&str, &str)]) -> Repository {
        let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
        Repository { files }
    }
}
