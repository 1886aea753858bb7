//! The log, on standard error: a readable message and dotted fields; never a secret, a body or a query.
//!
//! The level is that of Keybell's own crates. Others say warnings and errors only: a database driver that shows its
//! statements would show what is in them.

use std::io::IsTerminal as _;

use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Format, Log};

/// What the names of Keybell's own crates begin with.
const OURS: &str = "keybell";

/// Begins to write the log. Once per process.
pub(crate) fn start(log: Log) {
    let wanted = Targets::new().with_target(OURS, log.level).with_default(log.level.min(Level::WARN));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match log.format {
        Format::Text => lines.with_target(false).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(wanted)).init();
}
