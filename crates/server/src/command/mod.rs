//! The commands, a file each.

mod config;
mod demo;
mod doctor;
mod migrate;
mod operator_key;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Environment};
use crate::failure::Failure;

/// The Developer page of a workspace, as one binary: API keys, webhooks, and the pages to manage them.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct CommandLine {
    /// The configuration, as TOML. Every setting can also be given by the environment, as `KEYBELL__SECTION__KEY`.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and the pages, and deliver webhooks.
    Serve,
    /// Run Keybell with a platform that uses it and a receiver of its webhooks, on data that is thrown away.
    Demo(demo::Arguments),
    /// Bring the schema of the database up to date.
    Migrate,
    /// Make, list and revoke operator keys: the keys of the platform's own backend.
    #[command(subcommand)]
    OperatorKey(operator_key::Arguments),
    /// Show the settings that hold, and where each was written; passwords are left out.
    Config(config::Arguments),
    /// Look at what a server with this configuration would meet: files, database, clock, network.
    Doctor,
}

/// Does what the command line says.
pub(crate) fn run(line: CommandLine) -> Result<ExitCode, Failure> {
    let environment = Environment::of_process();
    let load = || Config::load(line.config.as_deref(), &environment);
    match line.command {
        Command::Serve => serve::run(&load()?, &environment),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Migrate => migrate::run(&load()?),
        Command::OperatorKey(arguments) => operator_key::run(arguments, &load()?, &environment),
        Command::Config(arguments) => config::run(&arguments, load),
        Command::Doctor => doctor::run(&load()?, &environment),
    }
}
