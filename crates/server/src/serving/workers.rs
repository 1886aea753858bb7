//! Threads, each with a runtime of its own.

use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use crate::failure::Failure;

/// What still runs when the workers end, such as the look-up of a name, is left to itself after this time.
const LAST_WAIT: Duration = Duration::from_millis(200);

/// Threads, each with a runtime of its own, which run what is spawned on their handles until they are ended.
pub(crate) struct Workers {
    handles: Vec<Handle>,
    threads: Vec<JoinHandle<()>>,
    ended: watch::Sender<bool>,
}

impl Workers {
    /// Starts `count` of them.
    pub(crate) fn start(count: usize) -> Result<Workers, Failure> {
        let (ended, _) = watch::channel(false);
        let mut workers = Workers { handles: Vec::new(), threads: Vec::new(), ended };
        for number in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(Failure::doing("a thread's runtime cannot be made"))?;
            workers.handles.push(runtime.handle().clone());
            let mut ended = workers.ended.subscribe();
            let thread = std::thread::Builder::new().name(format!("keybell-{number}")).spawn(move || {
                // An error is a sender that is gone, which is an end, too.
                let _ = runtime.block_on(ended.wait_for(|ended| *ended));
                runtime.shutdown_timeout(LAST_WAIT);
            });
            workers.threads.push(thread.map_err(Failure::doing("a thread cannot be started"))?);
        }
        Ok(workers)
    }

    /// What to spawn on, one for each thread.
    pub(crate) fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// Ends them and what they run.
    pub(crate) fn end(self) {
        self.ended.send_replace(true);
        for thread in self.threads {
            // One that panicked has said so in the log.
            let _ = thread.join();
        }
    }
}
