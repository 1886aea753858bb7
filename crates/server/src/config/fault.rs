//! What can be wrong with a configuration, said so that whoever wrote it can mend it.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong with a configuration, in the order it was found; at least one thing.
#[derive(Debug)]
pub(crate) struct BadConfig(pub(super) Vec<Fault>);

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The file is not there, or cannot be read.
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why, in the system's words.
        why: String,
    },
    /// The file is not TOML.
    NotToml {
        /// Which file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there, in the parser's words.
        why: String,
    },
    /// No such setting.
    Unknown {
        /// As it was written.
        setting: String,
        /// Where it was written.
        origin: Origin,
        /// The setting whose name is nearest, where one is near.
        nearest: Option<String>,
    },
    /// The value is not one that the setting can have.
    Wrong {
        /// `section.key`.
        setting: String,
        /// The value as it may be shown.
        value: String,
        /// Where it was written.
        origin: Origin,
        /// What the setting can be: it follows "it must be".
        allowed: String,
    },
    /// The master key was written into a file.
    MasterKeyInFile {
        /// Which file.
        origin: Origin,
    },
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In the defaults.
    Default,
    /// In a file.
    File(PathBuf),
    /// In this variable of the environment.
    Environment(String),
    /// By the command itself, such as `keybell demo`.
    Command,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Environment(variable) => write!(f, "environment, {variable}"),
            Origin::Command => f.write_str("command"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unreadable { file, why } => {
                write!(f, "the configuration file {} cannot be read: {why}", file.display())
            }
            Fault::NotToml { file, line, why } => {
                write!(f, "the configuration file {} is not TOML in line {line}: {why}", file.display())
            }
            Fault::Unknown { setting, origin, nearest } => {
                write!(f, "there is no setting {setting} ({origin})")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest}?"),
                    None => f.write_str("; `keybell config --default` shows all there are"),
                }
            }
            Fault::Wrong { setting, value, origin, allowed } => {
                write!(f, "{setting} = {value} ({origin}) is not allowed: it must be {allowed}")
            }
            Fault::MasterKeyInFile { origin } => {
                write!(
                    f,
                    "server.master_key ({origin}) is only taken from the environment, as KEYBELL__SERVER__MASTER_KEY; \
                     in a file, name the key's own file: server.master_key_file"
                )
            }
        }
    }
}

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for BadConfig {}
