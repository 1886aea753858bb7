//! PostgreSQL: lanes that each own a connection, fed from one queue of writes and one of reads.
//!
//! Connections are not encrypted yet: use a unix socket or a private network. A URL that requires TLS is refused.

mod connection;
mod lane;
mod schema;
mod tx;
mod value;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use tokio_postgres::Config;

use crate::migrations::Migration;
use crate::open::{OpenError, OpenOptions, bring_up_to_date};
use crate::queue::Queue;
use crate::stats::Counters;
use crate::threads::Threads;
use crate::url::DatabaseUrl;

pub(crate) use tx::array_statement;

use connection::Connection;
use lane::{Lane, Purpose};

/// Brings the schema up to date and starts the lanes.
pub(crate) fn start(
    config: &Config,
    database: &DatabaseUrl,
    options: &OpenOptions,
    writes: &Arc<Queue>,
    reads: &Arc<Queue>,
    counters: &Arc<Counters>,
) -> Result<Threads, OpenError> {
    migrate(config, database, options)?;
    let threads = Threads::new();
    let down = Arc::new(AtomicBool::new(false));
    let lanes = |count: usize, purpose| (1..=count.max(1)).map(move |number| (purpose, number));
    let all =
        lanes(options.postgres_writers, Purpose::Write).chain(lanes(options.postgres_readers, Purpose::Read));
    for (purpose, number) in all {
        let queue = if purpose == Purpose::Write { writes } else { reads };
        let (queue_of_lane, counters, down) = (Arc::clone(queue), Arc::clone(counters), Arc::clone(&down));
        let lane = Lane::new(purpose, config.clone(), queue_of_lane, counters, down);
        threads
            .start(&format!("postgres-{}-{number}", purpose.word()), queue, move || lane.run())
            .map_err(OpenError::unusable(database, "a thread cannot be started"))?;
    }
    Ok(threads)
}

/// Brings the schema up to date as `options` say. On a thread of its own, since the caller's may drive asynchronous work
/// already, and a thread can drive one at a time.
pub(crate) fn migrate(
    config: &Config,
    database: &DatabaseUrl,
    options: &OpenOptions,
) -> Result<Vec<Migration>, OpenError> {
    let work = || {
        let connection = Connection::connect(config, "").map_err(OpenError::unusable(
            database,
            "its server cannot be reached, or refuses the connection",
        ))?;
        let mut schema = schema::PostgresSchema::locked(connection)
            .map_err(OpenError::unusable(database, "its schema cannot be locked"))?;
        bring_up_to_date(&mut schema, database, options)
    };
    thread::scope(|scope| scope.spawn(work).join().expect("bringing the schema up to date does not panic"))
}
