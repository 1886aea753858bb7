//! `keybell`: the Developer page of a workspace, as one binary.
//!
//! Each command has a file in `command`. This crate reads the configuration, the system's clock and its randomness, and
//! hands them in; what the commands do is done by the crates below.

mod command;
mod config;
mod control;
mod failure;
mod installation;
mod logging;
mod master_key;
mod metrics;
mod serving;
mod shutdown;
mod system;

use std::process::ExitCode;

use clap::Parser as _;

use command::CommandLine;

/// Most of an event's way through the process is small allocations of short life.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match command::run(CommandLine::parse()) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}
