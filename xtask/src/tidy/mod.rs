//! `cargo xtask tidy`: the rules of the house that no compiler knows.
//!
//! Each rule is a file here with one function from the [`Repository`] to what it found. They read the files as text, so
//! they are quick, and blunt; what they find is nearly always right, and where it is not, the code can be said another way.

mod documents;
mod imports;
mod licences;
mod repository;
mod source;
mod statements;

use std::fmt;
use std::path::{Path, PathBuf};

use repository::Repository;

/// What a rule found.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Relative to the root of the repository.
    path: PathBuf,
    /// From 1; 0 where it is about the whole file.
    line: usize,
    says: String,
}

impl Finding {
    fn at(path: impl Into<PathBuf>, line: usize, says: impl Into<String>) -> Finding {
        Finding { path: path.into(), line, says: says.into() }
    }

    fn of(path: impl Into<PathBuf>, says: impl Into<String>) -> Finding {
        Finding::at(path, 0, says)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.says),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.says),
        }
    }
}

/// All rules, on the repository at `root`. The error lists what was found.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let repository = Repository::read(root)?;
    let mut found = Vec::new();
    found.extend(imports::check(&repository));
    found.extend(source::check(&repository));
    found.extend(statements::check(&repository));
    found.extend(documents::check(&repository));
    found.extend(licences::check(root, &repository)?);
    if found.is_empty() {
        eprintln!("tidy: {} files, nothing found", repository.files.len());
        return Ok(());
    }
    let lines: Vec<String> = found.iter().map(Finding::to_string).collect();
    Err(format!("{}\ntidy: {} found", lines.join("\n"), found.len()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() {
        if let Err(found) = super::run(&crate::root()) {
            panic!("{found}");
        }
    }
}
