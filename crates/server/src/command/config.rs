//! `keybell config`: the settings that hold, or the commented defaults.

use std::process::ExitCode;

use crate::config::{BadConfig, Config, DEFAULT};
use crate::failure::Failure;

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Show the commented defaults instead: a configuration to begin with.
    #[arg(long)]
    default: bool,
}

/// Prints TOML on standard output.
pub(crate) fn run(
    arguments: &Arguments,
    load: impl FnOnce() -> Result<Config, BadConfig>,
) -> Result<ExitCode, Failure> {
    if arguments.default {
        print!("{DEFAULT}");
    } else {
        print!("{}", load()?.effective());
    }
    Ok(ExitCode::SUCCESS)
}
