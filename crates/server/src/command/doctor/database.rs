//! Whether the database can be reached, and has the schema that this binary needs.

use keybell_store::OpenError;

use super::Finding;
use crate::config::Config;
use crate::control::{self, Request};
use crate::failure::chain;

const WHAT: &str = "database";

pub(super) fn look(config: &Config) -> Finding {
    let url = &config.database.url;
    if url.sqlite_path().is_some_and(|path| !path.exists()) {
        return Finding::good(WHAT, format!("{url} is made at the first start"));
    }
    match keybell_store::pending_migrations(url) {
        Ok(pending) if pending.is_empty() => {
            Finding::good(WHAT, format!("{url}, and its schema is up to date"))
        }
        Ok(pending) => {
            let said = format!("{url} lacks {} step(s) of the schema", pending.len());
            if config.database.migrate {
                Finding::good(WHAT, format!("{said}, which the next start applies"))
            } else {
                Finding::bad(WHAT, format!("{said}; run keybell migrate"))
            }
        }
        Err(OpenError::InUse { .. }) => in_use(config),
        Err(error) => Finding::bad(WHAT, chain(&error)),
    }
}

/// A server of this configuration has the file, or somebody else.
fn in_use(config: &Config) -> Finding {
    let url = &config.database.url;
    match control::ask(&config.data_dir(), &Request::ListOperatorKeys) {
        Ok(Some(_)) => Finding::good(WHAT, format!("{url}, in use by a server that answers")),
        _ => Finding::bad(WHAT, format!("{url} is in use by a process that does not answer commands")),
    }
}
