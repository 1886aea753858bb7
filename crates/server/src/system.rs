//! What only the operating system knows: the time, randomness, and the machine's name.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keybell_core::{Clock, Randomness, Timestamp};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The system's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the one line that reads the system's clock")]
        let now = SystemTime::now();
        Timestamp::EPOCH + now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
    }
}

/// The system's randomness.
pub(crate) struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one line that reads the system's randomness"
        )]
        getrandom::fill(bytes)
            .expect("the operating system gives randomness: without it no secret can be made");
    }
}

/// The machine's name, for [`node`](keybell_app::Settings::node); `localhost` where the system does not tell.
pub(crate) fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

/// Lets the process open as many files as the system allows it to: each connection is one, and the limit that a shell
/// starts with is meant for programs with few.
pub(crate) fn raise_open_files_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        if let Err(error) = raised {
            tracing::debug!(%error, "the limit of open files could not be raised");
        }
    }
}
