//! The log, on standard error: a readable message and dotted fields; never a secret, a body or a query.

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;

use crate::config::{Format, Log};

/// Begins to write the log. Once per process.
pub(crate) fn start(log: Log) {
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(LevelFilter::from_level(log.level));
    match log.format {
        Format::Text => lines.with_target(false).init(),
        Format::Json => lines.json().flatten_event(true).init(),
    }
}
