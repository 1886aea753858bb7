//! The store as its callers see it: one value to write and read through, whatever the engine.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::activity::{Activity, Seen, Spent, Writing};
use crate::error::StoreError;
use crate::job::{Job, Pending, Reading};
use crate::open::{OpenError, OpenOptions};
use crate::postgres;
use crate::queue::{Queue, closed};
use crate::sqlite::by_hand::{Hand, Lane};
use crate::sqlite::{self, Inline};
use crate::stats::{Counters, Stats, count};
use crate::threads::Threads;
use crate::tx::{Op, Query};
use crate::url::{DatabaseUrl, Engine};

/// A database at work. Cheap to clone; all clones are the same database. When the last one is dropped, its lanes finish
/// what waits and end; [`Store::close`] also waits for that.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    lanes: Lanes,
    counters: Arc<Counters>,
    activity: Arc<Activity>,
}

enum Lanes {
    /// Threads that own connections, behind queues.
    Threads { writes: Arc<Queue>, reads: Arc<Queue>, threads: Threads },
    /// No thread: jobs run where they are asked for.
    Inline(Box<Inline>),
    /// No thread either: jobs run when somebody turns the lane.
    ByHand(Arc<Lane>),
}

impl Store {
    /// Opens a database and starts its lanes. Blocks until it can be used: call it at the start, not in the middle of
    /// asynchronous work.
    pub fn open(database: &DatabaseUrl, options: &OpenOptions) -> Result<Store, OpenError> {
        let counters = Arc::new(Counters::default());
        let writes = Arc::new(Queue::new(options.queue_max));
        let reads = Arc::new(Queue::new(options.queue_max));
        let threads = match &database.engine {
            Engine::Sqlite(path) => sqlite::start(path, database, options, &writes, &reads, &counters),
            Engine::Postgres(config) => {
                postgres::start(config, database, options, &writes, &reads, &counters)
            }
        };
        // Lanes that did start before another could not are told to end.
        let threads = threads.inspect_err(|_| {
            writes.close();
            reads.close();
        })?;
        Ok(Store::over(Lanes::Threads { writes, reads, threads }, counters))
    }

    /// An empty database in memory whose operations run on the caller's task, without a thread: for simulations.
    pub fn inline_in_memory() -> Store {
        let (inline, counters) = in_memory();
        Store::over(Lanes::Inline(Box::new(inline)), counters)
    }

    fn over(lanes: Lanes, counters: Arc<Counters>) -> Store {
        Store { inner: Arc::new(Inner { lanes, counters, activity: Arc::default() }) }
    }

    /// An empty database in memory whose operations wait until the [`Hand`] runs them: for simulations that decide what
    /// shares a commit, and what a crash leaves of it.
    pub fn by_hand() -> (Store, Hand) {
        let (inline, counters) = in_memory();
        let lane = Lane::new(inline);
        let hand = Hand::of(&lane);
        (Store::over(Lanes::ByHand(lane), counters), hand)
    }

    /// Runs `op` as one transaction. The answer comes when it is on disk.
    ///
    /// From the first poll on the operation is done whether or not this future is kept: dropping it gives up the answer,
    /// never half a transaction.
    pub async fn write<O: Op>(&self, op: O) -> Result<O::Out, StoreError> {
        let (tell, told) = oneshot::channel();
        self.write_then(op, move |result| drop(tell.send(result)));
        told.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Runs `op` as one transaction and then calls `then` with the answer, exactly once whatever happens.
    ///
    /// `then` runs on the lane's thread, right after the commit (or on this one, where the operation was refused or the
    /// store is inline): it hands over, and must not block.
    pub fn write_then<O, F>(&self, op: O, then: F)
    where
        O: Op,
        F: FnOnce(Result<O::Out, StoreError>) + Send + 'static,
    {
        let activity = Arc::clone(&self.inner.activity);
        let counters = Arc::clone(&self.inner.counters);
        let seen = Seen { op, activity: Arc::clone(&activity), counters };
        let job = Pending::boxed(seen, move |ended: Result<_, StoreError>| {
            activity.note(&ended);
            then(ended.map(|(out, _)| out));
        });
        match &self.inner.lanes {
            Lanes::Threads { writes, .. } => self.push(writes, job),
            Lanes::Inline(inline) => inline.write(job),
            Lanes::ByHand(lane) => lane.write(job),
        }
    }

    /// Runs `query` on one snapshot of the database.
    pub async fn read<Q: Query>(&self, query: Q) -> Result<Q::Out, StoreError> {
        let (tell, told) = oneshot::channel();
        let job = Pending::boxed(Reading(query), move |result| drop(tell.send(result)));
        match &self.inner.lanes {
            Lanes::Threads { reads, .. } => self.push(reads, job),
            Lanes::Inline(inline) => inline.read(job),
            Lanes::ByHand(lane) => lane.read(job),
        }
        told.await.unwrap_or_else(|_| Err(closed()))
    }

    fn push(&self, queue: &Queue, job: Box<dyn Job>) {
        if let Err((job, error)) = queue.push(job) {
            count(&self.inner.counters.refused, 1);
            job.settle(Err(error));
        }
    }

    /// What was done since the store was opened.
    pub fn stats(&self) -> Stats {
        let stats = self.inner.counters.read();
        match &self.inner.lanes {
            Lanes::Threads { writes, reads, .. } => Stats {
                writes_waiting: writes.waiting() as u64,
                reads_waiting: reads.waiting() as u64,
                ..stats
            },
            Lanes::Inline(_) => stats,
            Lanes::ByHand(lane) => {
                let (writes, reads) = lane.counts();
                Stats { writes_waiting: writes as u64, reads_waiting: reads as u64, ..stats }
            }
        }
    }

    /// The operation that a writer has been at for the longest time; `None` where none is at one: then it waits for work, or
    /// begins or commits a transaction.
    pub fn writing(&self) -> Option<Writing> {
        self.inner.activity.writing()
    }

    /// What each operation took of the writers' time since the store was opened, by name.
    pub fn spent(&self) -> Vec<(&'static str, Spent)> {
        self.inner.activity.spent()
    }

    /// Why writes fail: the error of one that the disk or the server refused, until another changes something.
    pub fn failing(&self) -> Option<String> {
        self.inner.activity.failing()
    }

    /// Accepts nothing more, finishes what waits, and comes back when every connection is closed.
    pub async fn close(&self) {
        match &self.inner.lanes {
            Lanes::Threads { writes, reads, threads } => {
                writes.close();
                reads.close();
                threads.ended().await;
            }
            Lanes::Inline(inline) => inline.close(),
            Lanes::ByHand(lane) => lane.close(),
        }
    }
}

fn in_memory() -> (Inline, Arc<Counters>) {
    let counters = Arc::new(Counters::default());
    let inline = Inline::open(Arc::clone(&counters)).expect("a database in memory needs nothing but memory");
    (inline, counters)
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Lanes::Threads { writes, reads, .. } = &self.lanes {
            writes.close();
            reads.close();
        }
    }
}
