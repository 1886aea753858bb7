//! `[log]`: what is written to standard error, and how.

use tracing::Level;

use super::reader::Reader;

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is written to standard error, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    /// How a line looks.
    pub(crate) format: Format,
    /// The least important that is written.
    pub(crate) level: Level,
}

impl Log {
    pub(super) fn read(from: &mut Reader) -> Option<Log> {
        let format = from.parsed("log.format", "text or json", |value| match value.as_str()? {
            "text" => Some(Format::Text),
            "json" => Some(Format::Json),
            _ => None,
        });
        let level =
            from.parsed("log.level", "error, warn, info, debug or trace", |value| match value.as_str()? {
                "error" => Some(Level::ERROR),
                "warn" => Some(Level::WARN),
                "info" => Some(Level::INFO),
                "debug" => Some(Level::DEBUG),
                "trace" => Some(Level::TRACE),
                _ => None,
            });
        Some(Log { format: format?, level: level? })
    }
}
