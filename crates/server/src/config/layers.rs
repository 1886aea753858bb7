//! Settings from where they are written: the defaults, then a file, then the environment, each over the one before.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::fault::{Fault, Origin};

/// The defaults, as `keybell config --default` prints them. This text *is* the default.
pub(crate) const DEFAULT: &str = include_str!("default.toml");

/// What every variable of ours begins with.
const VARIABLE_PREFIX: &str = "KEYBELL__";
/// The one setting that has no place in a file: what is in a file should be safe to show.
pub(super) const MASTER_KEY_VARIABLE: &str = "KEYBELL__SERVER__MASTER_KEY";
/// A name this similar to an existing one (Jaro-Winkler, 0 to 1) is taken for a slip of the pen.
const NEAR: f64 = 0.8;

/// Every setting by `section.key`, with the value that holds and where that was written.
pub(super) struct Layers {
    pub(super) settings: BTreeMap<String, Setting>,
    pub(super) faults: Vec<Fault>,
}

/// A value, and where it was written.
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

impl Layers {
    /// The defaults alone.
    pub(super) fn defaults() -> Layers {
        let table: Table = DEFAULT.parse().expect("the default configuration is TOML: a test reads it");
        let mut settings = BTreeMap::new();
        for (section, keys) in table {
            let Value::Table(keys) = keys else {
                unreachable!("the default configuration has sections only")
            };
            for (key, value) in keys {
                settings.insert(format!("{section}.{key}"), Setting { value, origin: Origin::Default });
            }
        }
        Layers { settings, faults: Vec::new() }
    }

    /// Lays the settings of a file over those that are there.
    pub(super) fn lay_file(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let why = error.to_string();
                return self.faults.push(Fault::Unreadable { file: path.to_owned(), why });
            }
        };
        match text.parse::<Table>() {
            Ok(table) => self.lay_table(table, &Origin::File(path.to_owned())),
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                let why = error.message().replace('\n', ", ");
                self.faults.push(Fault::NotToml { file: path.to_owned(), line, why });
            }
        }
    }

    fn lay_table(&mut self, table: Table, origin: &Origin) {
        for (section, keys) in table {
            match keys {
                Value::Table(keys) => {
                    for (key, value) in keys {
                        self.lay(&format!("{section}.{key}"), value, origin.clone());
                    }
                }
                _ => self.unknown(section, origin.clone()),
            }
        }
    }

    /// Lays the variables that are ours over what is there; a variable's text becomes the type that the default has.
    pub(super) fn lay_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        for (variable, text) in variables {
            let Some(rest) = variable.strip_prefix(VARIABLE_PREFIX) else { continue };
            if variable == MASTER_KEY_VARIABLE {
                continue;
            }
            let setting = rest.to_ascii_lowercase().replacen("__", ".", 1);
            let value = match self.settings.get(&setting).map(|setting| &setting.value) {
                Some(Value::Array(_)) => list(&text),
                Some(Value::Integer(_)) => text.parse().map_or(Value::String(text), Value::Integer),
                Some(Value::Boolean(_)) => text.parse().map_or(Value::String(text), Value::Boolean),
                _ => Value::String(text),
            };
            self.lay(&setting, value, Origin::Environment(variable));
        }
    }

    /// Lays one setting over what is there.
    pub(super) fn lay(&mut self, setting: &str, value: Value, origin: Origin) {
        if let Some(existing) = self.settings.get_mut(setting) {
            *existing = Setting { value, origin };
        } else if setting == "server.master_key" {
            self.faults.push(Fault::MasterKeyInFile { origin });
        } else {
            self.unknown(setting.to_owned(), origin);
        }
    }

    fn unknown(&mut self, setting: String, origin: Origin) {
        let similar = |known: &&String| {
            let key = known.split_once('.').map_or("", |(_, key)| key);
            let without_section =
                if setting.contains('.') { 0.0 } else { strsim::jaro_winkler(key, &setting) };
            strsim::jaro_winkler(known, &setting).max(without_section)
        };
        let nearest = self.settings.keys().max_by(|a, b| similar(a).total_cmp(&similar(b)));
        let nearest = nearest.filter(|known| similar(known) >= NEAR).cloned();
        self.faults.push(Fault::Unknown { setting, origin, nearest });
    }
}

/// A list as a variable holds it: TOML's own, or words with commas between.
fn list(text: &str) -> Value {
    let as_toml = || format!("list = {text}").parse::<Table>().ok()?.remove("list").filter(Value::is_array);
    as_toml().unwrap_or_else(|| {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        Value::Array(words.map(|word| Value::String(word.to_owned())).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_a_variable_has_commas_or_brackets() {
        let words = |words: &[&str]| {
            Value::Array(words.iter().map(|word| Value::String((*word).to_owned())).collect())
        };
        assert_eq!(list("5s, 5m,30m"), words(&["5s", "5m", "30m"]));
        assert_eq!(list(r#"["5s", "5m"]"#), words(&["5s", "5m"]));
        assert_eq!(list(""), words(&[]));
        assert_eq!(list("[]"), words(&[]));
    }
}
