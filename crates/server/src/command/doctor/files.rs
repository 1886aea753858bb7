//! The data folder, the master key, the disk, and how many files may be open.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::config::{Config, Environment};
use crate::failure::Failure;
use crate::master_key;

/// Under this, a backlog of a busy hour may not fit.
const DISK_LOW_BYTES: u64 = 1024 * 1024 * 1024;
/// Under this, the next checkpoint may not.
const DISK_FULL_BYTES: u64 = 64 * 1024 * 1024;
/// Files that are open besides connections: the database's, logs, listeners.
const FILES_BESIDES: u64 = 100;

pub(super) fn look(config: &Config, environment: &Environment) -> Vec<Finding> {
    let folder = config.data_dir();
    let mut findings = vec![key(config, environment)];
    if folder.is_dir() {
        findings.push(room(&folder));
    } else {
        findings
            .push(Finding::good("data folder", format!("{} is made at the first start", folder.display())));
    }
    findings.push(open_files(config));
    findings
}

fn key(config: &Config, environment: &Environment) -> Finding {
    const WHAT: &str = "master key";
    let path = config.master_key_file();
    if environment.master_key().is_none() && !path.exists() {
        return Finding::good(WHAT, format!("{} is made at the first start", path.display()));
    }
    match master_key::existing(config, environment) {
        Ok(_) if environment.master_key().is_some() => Finding::good(WHAT, "in the environment"),
        Ok(_) => Finding::good(WHAT, format!("{}, which only its owner can read", path.display())),
        Err(Failure::World(sentence)) => Finding::bad(WHAT, sentence),
        Err(Failure::Config(bad)) => Finding::bad(WHAT, bad.to_string()),
    }
}

fn room(folder: &Path) -> Finding {
    const WHAT: &str = "disk";
    match rustix::fs::statvfs(folder) {
        Ok(disk) => judged(disk.f_bavail.saturating_mul(disk.f_frsize), folder),
        Err(error) => {
            Finding::warning(WHAT, format!("the room in {} is not known: {error}", folder.display()))
        }
    }
}

fn judged(free_bytes: u64, folder: &Path) -> Finding {
    const WHAT: &str = "disk";
    let said = format!("{} MiB free for {}", free_bytes / (1024 * 1024), folder.display());
    if free_bytes < DISK_FULL_BYTES {
        Finding::bad(WHAT, said)
    } else if free_bytes < DISK_LOW_BYTES {
        Finding::warning(WHAT, said)
    } else {
        Finding::good(WHAT, said)
    }
}

fn open_files(config: &Config) -> Finding {
    const WHAT: &str = "open files";
    let wanted = (config.server.max_connections + config.delivery.max_in_flight) as u64 + FILES_BESIDES;
    match getrlimit(Resource::Nofile).maximum {
        Some(allowed) if allowed < wanted => Finding::warning(
            WHAT,
            format!(
                "the system allows {allowed}, and server.max_connections with delivery.max_in_flight may need {wanted}"
            ),
        ),
        _ => Finding::good(WHAT, format!("as many as may be needed: {wanted}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_disk_that_fills_is_found_before_it_is_full() {
        for (free_bytes, verdict) in [
            (DISK_LOW_BYTES, Verdict::Good),
            (DISK_LOW_BYTES - 1, Verdict::Warning),
            (DISK_FULL_BYTES, Verdict::Warning),
            (DISK_FULL_BYTES - 1, Verdict::Bad),
        ] {
            assert_eq!(judged(free_bytes, Path::new("data")).verdict, verdict, "{free_bytes}");
        }
    }
}
