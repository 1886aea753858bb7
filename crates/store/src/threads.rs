//! The threads of a store, and waiting for their end without blocking.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::sync::watch;

use crate::queue::Queue;

/// How many threads of a store still run.
pub(crate) struct Threads {
    running: watch::Sender<usize>,
}

impl Threads {
    /// No threads yet.
    pub(crate) fn new() -> Self {
        Threads { running: watch::Sender::new(0) }
    }

    /// Starts `work` on a thread that serves `queue`. If it ends before the queue is closed, because it panicked, what
    /// waits is answered and the store is closed, rather than left without an answer for ever.
    pub(crate) fn start(
        &self,
        name: &str,
        queue: &Arc<Queue>,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        self.running.send_modify(|running| *running += 1);
        let ending = Ending { running: self.running.clone(), queue: Arc::clone(queue) };
        let run = move || {
            let _ending = ending;
            work();
        };
        thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
    }

    /// Comes back when all have ended.
    pub(crate) async fn ended(&self) {
        let mut running = self.running.subscribe();
        // The sender is ours, so that waiting can only end well.
        let _ = running.wait_for(|running| *running == 0).await;
    }
}

struct Ending {
    running: watch::Sender<usize>,
    queue: Arc<Queue>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.queue.abandon();
        self.running.send_modify(|running| *running -= 1);
    }
}
