//! A connection to PostgreSQL that is driven by the thread that uses it.
//!
//! tokio-postgres splits a connection into a client and a driver that somebody polls. Here the thread that waits for an
//! answer polls the driver meanwhile, on a runtime of its own: no other thread, no task, and nothing runs between calls.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream as _;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryStream, Socket, Statement};

/// Seconds until a connection that is not answered is given up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long sent bytes may stay unacknowledged before the connection counts as lost.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);
/// What each session is set to. A statement has 30 s: ours touch few rows, so one that takes longer waits for a lock that
/// nobody gives back. Where a query could be planned again for its arguments or once for all, ours are all alike.
const SESSION: &str =
    "-c statement_timeout=30s -c idle_in_transaction_session_timeout=60s -c client_min_messages=warning";

/// A connection and its prepared statements, found by the address of the `static` that declares them.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) wire: Wire,
    pub(super) prepared: HashMap<usize, Statement>,
}

type Driver = tokio_postgres::Connection<Socket, NoTlsStream>;

/// The driver's side.
pub(super) struct Wire {
    runtime: Runtime,
    driver: Driver,
    /// Whether the driver has come to its end, after which it must not be polled.
    over: bool,
    /// What was sent together with the next question, and is not yet known to be done.
    before: Option<Pin<Box<SimpleQueryStream>>>,
}

impl Connection {
    /// Connects, with `session` as further options of the session. Blocks the thread, which must not be driving asynchronous
    /// work.
    pub(super) fn connect(
        config: &Config,
        session: &str,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let mut config = config.clone();
        config.options(format!("{} {SESSION} {session}", config.get_options().unwrap_or_default()).trim());
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED_MAX);
        }
        if config.get_application_name().is_none() {
            config.application_name("keybell");
        }
        let (client, driver) = runtime.block_on(config.connect(NoTls))?;
        let wire = Wire { runtime, driver, over: false, before: None };
        Ok(Connection { client, wire, prepared: HashMap::new() })
    }

    /// The statement declared at `address`, prepared at its first use.
    pub(super) fn prepare(
        &mut self,
        address: usize,
        text: impl FnOnce() -> String,
    ) -> Result<Statement, Error> {
        match self.prepared.entry(address) {
            Entry::Occupied(found) => Ok(found.get().clone()),
            Entry::Vacant(place) => {
                let text = text();
                let statement = self.wire.wait(self.client.prepare(&text))?;
                Ok(place.insert(statement).clone())
            }
        }
    }

    /// Runs statements without arguments, such as `BEGIN`.
    pub(super) fn control(&mut self, text: &str) -> Result<(), Error> {
        self.wire.wait(self.client.batch_execute(text))
    }

    /// Has such statements run before whatever is asked next, and sends them together with it. Where one of them fails, so does
    /// what is asked.
    pub(super) fn control_before_next(&mut self, text: &str) -> Result<(), Error> {
        let sent = self.wire.wait(self.client.simple_query_raw(text))?;
        self.wire.before = Some(Box::pin(sent));
        Ok(())
    }

    /// Sends such statements, and does not wait. How they ended is not told.
    pub(super) fn control_soon(&mut self, text: &str) -> Result<(), Error> {
        // Where nothing was asked, nobody wants to know how what was to go before it ended.
        self.wire.before = None;
        drop(self.wire.wait(self.client.simple_query_raw(text))?);
        self.wire.flush()
    }

    /// Whether it is known to be lost.
    pub(super) fn is_over(&self) -> bool {
        self.wire.over || self.client.is_closed()
    }
}

impl Wire {
    /// Waits for `answer`, driving the connection meanwhile.
    pub(super) fn wait<T, E: From<Error>>(
        &mut self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut answer = pin!(answer);
        let Wire { runtime, driver, over, before } = self;
        runtime.block_on(poll_fn(|context| {
            drive(driver, over, context)?;
            while let Some(sent) = before {
                match sent.as_mut().poll_next(context) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(error))) => {
                        *before = None;
                        return Poll::Ready(Err(error.into()));
                    }
                    Poll::Ready(None) => *before = None,
                    Poll::Pending => break,
                }
            }
            answer.as_mut().poll(context)
        }))
    }

    /// Sends what is to be sent, as far as the socket takes it; the rest goes with the next waiting.
    fn flush(&mut self) -> Result<(), Error> {
        let (driver, over) = (&mut self.driver, &mut self.over);
        self.runtime.block_on(poll_fn(|context| Poll::Ready(drive(driver, over, context))))
    }
}

/// Lets the driver do what it can do at once.
fn drive(driver: &mut Driver, over: &mut bool, context: &mut Context<'_>) -> Result<(), Error> {
    while !*over {
        match driver.poll_message(context) {
            Poll::Ready(Some(Ok(_notice))) => {}
            Poll::Ready(Some(Err(error))) => {
                *over = true;
                return Err(error);
            }
            Poll::Ready(None) => *over = true,
            Poll::Pending => break,
        }
    }
    Ok(())
}

/// What an error of the engine means for the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection is lost, or the server is going down.
    Lost,
    /// The transaction met another one; run again, it may do.
    Conflict,
    /// The server cannot do it now: full disk, too long a wait.
    Unavailable,
    /// The statement is wrong, or its arguments.
    Statement,
}

impl Failure {
    /// Sorts an error by its SQLSTATE.
    pub(super) fn of(error: &Error) -> Failure {
        let Some(code) = error.code() else {
            let encoding = std::error::Error::source(error).is_some_and(|source| !source.is::<io::Error>());
            return if !error.is_closed() && encoding { Failure::Statement } else { Failure::Lost };
        };
        if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
            return Failure::Conflict;
        }
        match &code.code()[..2] {
            "08" => Failure::Lost,
            // 57014 is a cancelled or timed-out statement; the others end the session.
            "57" if *code != SqlState::QUERY_CANCELED => Failure::Lost,
            "53" | "57" | "58" => Failure::Unavailable,
            _ if *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Failure::Lost,
            _ if *code == SqlState::LOCK_NOT_AVAILABLE => Failure::Unavailable,
            _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Failure::Unavailable,
            _ => Failure::Statement,
        }
    }
}
