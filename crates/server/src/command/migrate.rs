//! `keybell migrate`: brings the schema of the database up to date.

use std::process::ExitCode;

use keybell_core::Clock as _;

use crate::config::Config;
use crate::failure::{Failure, chain};
use crate::master_key;
use crate::system::SystemClock;

/// Applies the steps that the database lacks, and names each.
pub(crate) fn run(config: &Config) -> Result<ExitCode, Failure> {
    let folder = config.database.url.sqlite_path().and_then(|path| path.parent());
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        master_key::make_folder(folder)?;
    }
    let applied = keybell_store::migrate(&config.database.url, SystemClock.now());
    let applied = applied.map_err(|error| Failure::new(chain(&error)))?;
    for step in &applied {
        println!("applied step {} ({})", step.number, step.name);
    }
    println!("{} is up to date", config.database.url);
    Ok(ExitCode::SUCCESS)
}
