//! `keybell doctor`: what a server with this configuration would meet, looked at before anybody depends on it.
//!
//! It changes nothing, and calls nobody but the database, a server on this machine and the configured public URL.

mod database;
mod files;
mod network;

use std::fmt;
use std::process::ExitCode;

use keybell_core::{Clock as _, Timestamp};

use crate::config::{Config, Environment};
use crate::failure::Failure;
use crate::system::SystemClock;

/// A clock before this is wrong: it is when this was written.
const CLOCK_MIN: Timestamp = Timestamp::from_seconds(1_795_392_000);
/// A clock past this is wrong, too: twenty years later.
const CLOCK_MAX: Timestamp = Timestamp::from_seconds(CLOCK_MIN.seconds() + 20 * 365 * 24 * 60 * 60);

/// What was looked at, and what is to be said of it.
struct Finding {
    what: &'static str,
    verdict: Verdict,
    said: String,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// As it should be.
    Good,
    /// It works, but somebody should look at it.
    Warning,
    /// The server would not work.
    Bad,
}

impl Finding {
    fn good(what: &'static str, said: impl Into<String>) -> Finding {
        Finding { what, verdict: Verdict::Good, said: said.into() }
    }

    fn warning(what: &'static str, said: impl Into<String>) -> Finding {
        Finding { what, verdict: Verdict::Warning, said: said.into() }
    }

    fn bad(what: &'static str, said: impl Into<String>) -> Finding {
        Finding { what, verdict: Verdict::Bad, said: said.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Good => "ok",
            Verdict::Warning => "look",
            Verdict::Bad => "BAD",
        };
        write!(f, "{verdict:<5} {:<12} {}", self.what, self.said)
    }
}

/// Looks at everything and prints a line for each; code 1 where the server would not work.
pub(crate) fn run(config: &Config, environment: &Environment) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::doing("a runtime cannot be made"))?;
    let mut findings = vec![clock(SystemClock.now())];
    findings.extend(files::look(config, environment));
    findings.push(database::look(config));
    findings.extend(runtime.block_on(network::look(config)));
    runtime.shutdown_background();
    for finding in &findings {
        println!("{finding}");
    }
    let bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn clock(now: Timestamp) -> Finding {
    if (CLOCK_MIN..=CLOCK_MAX).contains(&now) {
        Finding::good("clock", format!("it is {now}"))
    } else {
        let said =
            format!("it cannot be {now}; signatures would be refused and keys expire at the wrong time");
        Finding::bad("clock", said)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_outside_of_reason_is_found() {
        let tick = Duration::from_micros(1);
        for (now, verdict) in [
            (CLOCK_MIN.before(tick), Verdict::Bad),
            (CLOCK_MIN, Verdict::Good),
            (CLOCK_MAX, Verdict::Good),
            (CLOCK_MAX + tick, Verdict::Bad),
        ] {
            assert_eq!(clock(now).verdict, verdict, "{now}");
        }
    }
}
