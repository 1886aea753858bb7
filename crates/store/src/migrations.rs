//! The schema, as an ordered list of small forward steps in one text for both engines.
//!
//! Four words of the text are replaced by engine; comments that begin with `--` and strings are left alone. What stands in a comment that begins
//! with `/*postgres` is for that engine alone.

use crate::open::OpenError;

/// One step of the schema. A step that has been released is never edited; another follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its place in the order, from 1.
    pub number: i64,
    /// What it is about: the file's name without its number.
    pub name: &'static str,
    text: &'static str,
}

impl Migration {
    /// Its text, in the words of both engines.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &'static str {
        self.text
    }
}

/// Every step, in order.
pub(crate) static MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "foundation", text: include_str!("../migrations/0001_foundation.sql") },
    Migration { number: 2, name: "key_usage", text: include_str!("../migrations/0002_key_usage.sql") },
    Migration {
        number: 3,
        name: "waiting_deliveries",
        text: include_str!("../migrations/0003_waiting_deliveries.sql"),
    },
    Migration {
        number: 4,
        name: "delivery_stats",
        text: include_str!("../migrations/0004_delivery_stats.sql"),
    },
    Migration {
        number: 5,
        name: "failing_webhooks",
        text: include_str!("../migrations/0005_failing_webhooks.sql"),
    },
    Migration {
        number: 6,
        name: "unsuccessful_deliveries",
        text: include_str!("../migrations/0006_unsuccessful_deliveries.sql"),
    },
    Migration {
        number: 7,
        name: "audit_log_filters",
        text: include_str!("../migrations/0007_audit_log_filters.sql"),
    },
    Migration { number: 8, name: "plain_counts", text: include_str!("../migrations/0008_plain_counts.sql") },
    Migration {
        number: 9,
        name: "counts_in_parts",
        text: include_str!("../migrations/0009_counts_in_parts.sql"),
    },
];

/// Where the applied steps are remembered; in the same words as the steps.
const HISTORY: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (\
                       number INT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at INT NOT NULL) CLUSTERED";

/// How a comment begins that only PostgreSQL reads, and how it ends.
const FOR_POSTGRES: &str = "/*postgres ";
const END_OF_COMMENT: &str = "*/";

/// Which engine's words to put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// What this engine says for a word of the schema's text.
    fn word(self, word: &str) -> Option<&'static str> {
        match (self, word) {
            (Dialect::Sqlite, "BYTES") => Some("BLOB"),
            (Dialect::Sqlite, "INT") => Some("INTEGER"),
            (Dialect::Sqlite, "CLUSTERED") => Some("STRICT, WITHOUT ROWID"),
            (Dialect::Postgres, "BYTES") => Some("BYTEA"),
            (Dialect::Postgres, "INT") => Some("BIGINT"),
            // SQLite orders text by its bytes; with this, PostgreSQL does so too.
            (Dialect::Postgres, "TEXT") => Some("TEXT COLLATE \"C\""),
            (Dialect::Postgres, "CLUSTERED") => Some(""),
            _ => None,
        }
    }

    /// What a comment says that is for this engine alone.
    fn only(self, comment: &str) -> Option<&str> {
        let said = comment.strip_prefix(FOR_POSTGRES)?.strip_suffix(END_OF_COMMENT)?;
        (self == Dialect::Postgres).then_some(said)
    }

    /// A text of the schema in this engine's words.
    fn translate(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + text.len() / 4);
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = token_length(rest, first);
            let (token, after) = rest.split_at(length);
            out.push_str(self.only(token).or_else(|| self.word(token)).unwrap_or(token));
            rest = after;
        }
        out
    }

    /// The statement that makes the table of applied steps.
    pub(crate) fn history(self) -> String {
        self.translate(HISTORY)
    }

    /// A step's statements.
    pub(crate) fn statements(self, migration: &Migration) -> String {
        self.translate(migration.text)
    }
}

/// How many bytes the token at the beginning of `rest` has: a comment, a quoted text, a word, or one character.
fn token_length(rest: &str, first: char) -> usize {
    match first {
        '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
        '/' if rest.starts_with(FOR_POSTGRES) => {
            rest.find(END_OF_COMMENT).map_or(rest.len(), |end| end + END_OF_COMMENT.len())
        }
        '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
        _ if is_word(first) => rest.find(|next| !is_word(next)).unwrap_or(rest.len()),
        _ => first.len_utf8(),
    }
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_ascii_alphanumeric()
}

/// The steps that a database lacks, given those that were `applied` to it (number and name, in order).
///
/// A database with a step that this binary does not know was written by a newer one, or by something else.
pub(crate) fn pending(applied: &[(i64, String)]) -> Result<&'static [Migration], OpenError> {
    for (place, (number, name)) in applied.iter().enumerate() {
        match MIGRATIONS.get(place) {
            Some(known) if known.number == *number && known.name == name => {}
            known => {
                return Err(OpenError::OtherSchema {
                    number: *number,
                    name: name.clone(),
                    known: known.or(MIGRATIONS.last()).map_or(0, |step| step.number),
                });
            }
        }
    }
    Ok(&MIGRATIONS[applied.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_words_and_leaves_comments_strings_and_names_alone() {
        let text = "-- TEXT and INT\nCREATE TABLE t (text TEXT, INTEGER INT, x BYTES DEFAULT 'INT') CLUSTERED; -- BYTES";
        assert_eq!(
            Dialect::Sqlite.translate(text),
            "-- TEXT and INT\nCREATE TABLE t (text TEXT, INTEGER INTEGER, x BLOB DEFAULT 'INT') STRICT, WITHOUT ROWID; \
             -- BYTES"
        );
        assert_eq!(
            Dialect::Postgres.translate(text),
            "-- TEXT and INT\nCREATE TABLE t (text TEXT COLLATE \"C\", INTEGER BIGINT, x BYTEA DEFAULT 'INT') ; -- BYTES"
        );
    }

    #[test]
    fn what_is_for_postgres_alone_is_a_comment_elsewhere() {
        let text =
            "/* INT */ SELECT 1; /*postgres ALTER TABLE t ALTER c SET STORAGE EXTERNAL;*/ SELECT 'INT'";
        assert_eq!(Dialect::Sqlite.translate(text), text.replacen("INT", "INTEGER", 1));
        assert_eq!(
            Dialect::Postgres.translate(text),
            "/* BIGINT */ SELECT 1; ALTER TABLE t ALTER c SET STORAGE EXTERNAL; SELECT 'INT'"
        );
    }

    #[test]
    fn steps_are_numbered_from_one_without_a_gap() {
        for (place, step) in (1..).zip(MIGRATIONS) {
            assert_eq!(step.number, place, "{}", step.name);
        }
    }

    #[test]
    fn a_database_of_a_newer_binary_or_of_somebody_else_is_refused() {
        let ours: Vec<_> = MIGRATIONS.iter().map(|step| (step.number, step.name.to_owned())).collect();
        assert_eq!(pending(&[]).expect("a new database"), MIGRATIONS);
        assert!(pending(&ours).expect("an up-to-date database").is_empty());
        let mut newer = ours.clone();
        newer.push((i64::try_from(ours.len()).expect("few") + 1, "later".to_owned()));
        assert!(matches!(pending(&newer), Err(OpenError::OtherSchema { .. })));
        let mut other = ours;
        other[0].1 = "another beginning".to_owned();
        assert!(matches!(pending(&other), Err(OpenError::OtherSchema { .. })));
    }
}
