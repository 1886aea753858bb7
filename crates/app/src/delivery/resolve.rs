//! Names become addresses: by the operating system, a bounded number at a time, and remembered for some seconds.
//!
//! The connector asks here and judges what it gets, remembered or not. The operating system answers as the operator's
//! machine is set up (`/etc/hosts`, a container's names), but it holds a thread for as long as it takes, which a name
//! server that is silent makes half a minute. So lookups have places, and most of them are for names that answered quickly
//! when they were looked up last: whoever makes up names that hang holds up new names, and no receiver that is known.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout};

/// Lookups at once of names that answered quickly before. Each holds a thread: with the other two kinds a quarter of what
/// tokio would start, and some megabytes.
pub const LOOKUPS_MAX: usize = 48;
/// Lookups at once of names that are new, or took long before.
pub const UNPROVEN_LOOKUPS_MAX: usize = 16;
/// Lookups at once of names that answered quickly before and do not now: they leave their places to others after
/// [`SLOW_AFTER`].
pub const OVERDUE_LOOKUPS_MAX: usize = 64;
/// From when on a lookup is slow. A resolver nearby takes some milliseconds, and asks again after some seconds.
pub const SLOW_AFTER: Duration = Duration::from_secs(1);
/// How long addresses are remembered. The operating system does not say how long they hold; few names have less than half
/// a minute, and a receiver that moved is found at its next retry.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// Names that are remembered. More are looked up as often as they are needed.
pub const NAMES_MAX: usize = 1_024;
/// Addresses of a name that are looked at: far more than are ever tried.
pub const ADDRESSES_READ_MAX: usize = 64;

/// Turns names into addresses: the operating system, or in a test whoever lies best.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of `host`, with `port`.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// The operating system's resolver. Every lookup holds a thread of tokio's until it ends.
#[derive(Clone, Copy, Debug)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }.boxed()
    }
}

/// Asks another resolver, for each name once at a time, within bounds, and remembers for some seconds what it said.
pub struct Lookups {
    shared: Arc<Shared>,
}

struct Shared {
    resolver: Arc<dyn Resolve>,
    names: Mutex<HashMap<String, Name>>,
    proven: Arc<Semaphore>,
    unproven: Arc<Semaphore>,
    overdue: Arc<Semaphore>,
}

#[derive(Default)]
struct Name {
    /// Whether it had addresses, and soon, when it was last looked up.
    proven: bool,
    running: Option<Running>,
    known: Option<Known>,
}

struct Known {
    addresses: Arc<[SocketAddr]>,
    until: Instant,
}

impl Name {
    /// Whether its addresses are still remembered.
    fn holds(&self, now: Instant) -> bool {
        self.known.as_ref().is_some_and(|known| now < known.until)
    }
}

type Outcome = Result<Arc<[SocketAddr]>, Arc<io::Error>>;
type Running = watch::Receiver<Option<Outcome>>;

/// What is known of a name when somebody asks.
enum Seen {
    Known(Arc<[SocketAddr]>),
    Running(Running),
    /// A place is needed to look it up.
    Unknown {
        proven: bool,
    },
}

impl Lookups {
    /// Nothing is known yet; `resolver` will be asked.
    pub fn new(resolver: impl Resolve) -> Lookups {
        let shared = Shared {
            resolver: Arc::new(resolver),
            names: Mutex::default(),
            proven: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            unproven: Arc::new(Semaphore::new(UNPROVEN_LOOKUPS_MAX)),
            overdue: Arc::new(Semaphore::new(OVERDUE_LOOKUPS_MAX)),
        };
        Lookups { shared: Arc::new(shared) }
    }

    async fn addresses(&self, host: &str) -> Outcome {
        let mut running = match self.shared.see(host, &mut None) {
            Seen::Known(addresses) => return Ok(addresses),
            Seen::Running(running) => running,
            Seen::Unknown { proven } => {
                let places = if proven { &self.shared.proven } else { &self.shared.unproven };
                let place = Arc::clone(places).acquire_owned().await;
                // Somebody else may have looked it up while this one waited.
                match self.shared.see(host, &mut place.ok()) {
                    Seen::Known(addresses) => return Ok(addresses),
                    Seen::Running(running) => running,
                    Seen::Unknown { .. } => return Err(Arc::new(abandoned())),
                }
            }
        };
        let outcome = running.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Err(Arc::new(abandoned())))
    }
}

fn abandoned() -> io::Error {
    io::Error::other("the lookup was abandoned")
}

impl Resolve for Lookups {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        async move {
            match self.addresses(host).await {
                Ok(addresses) => Ok(addresses.iter().map(|address| with_port(*address, port)).collect()),
                Err(error) => Err(io::Error::new(error.kind(), error)),
            }
        }
        .boxed()
    }
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

impl Shared {
    /// What is known of `host`. Where nothing is and there is a `place`, a lookup is begun in it.
    fn see(self: &Arc<Self>, host: &str, place: &mut Option<OwnedSemaphorePermit>) -> Seen {
        let mut names = self.names();
        let found = names.get(host);
        if let Some(name) = found {
            if let Some(known) = name.known.as_ref().filter(|known| Instant::now() < known.until) {
                return Seen::Known(Arc::clone(&known.addresses));
            }
            if let Some(running) = &name.running {
                return Seen::Running(running.clone());
            }
        }
        let proven = found.is_some_and(|name| name.proven);
        let Some(place) = place.take() else { return Seen::Unknown { proven } };
        let (tell, running) = watch::channel(None);
        names.entry(host.to_owned()).or_default().running = Some(running.clone());
        // A task of its own: whoever asked may give up, and the thread is taken until the system answers.
        tokio::spawn(Arc::clone(self).look_up(host.to_owned(), proven, place, tell));
        Seen::Running(running)
    }

    async fn look_up(
        self: Arc<Self>,
        host: String,
        proven: bool,
        mut place: OwnedSemaphorePermit,
        tell: watch::Sender<Option<Outcome>>,
    ) {
        let mut ending = Ending { shared: &self, host: &host, proven: true, known: None };
        let mut asked = self.resolver.resolve(&host, 0);
        let outcome = if let Ok(outcome) = timeout(SLOW_AFTER, &mut asked).await {
            outcome
        } else {
            ending.proven = false;
            if proven && let Ok(other) = Arc::clone(&self.overdue).try_acquire_owned() {
                place = other;
            }
            asked.await
        };
        let outcome = outcome.map_err(Arc::new).map(|mut addresses| {
            addresses.truncate(ADDRESSES_READ_MAX);
            Arc::from(addresses)
        });
        ending.known = outcome.as_ref().ok().cloned();
        drop(ending);
        tell.send(Some(outcome)).ok();
        drop(place);
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, Name>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a lookup, however it ends: it runs no more, and what came of it is remembered.
struct Ending<'a> {
    shared: &'a Shared,
    host: &'a str,
    proven: bool,
    known: Option<Arc<[SocketAddr]>>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let known = self.known.take().filter(|addresses| !addresses.is_empty());
        let known = known.map(|addresses| Known { addresses, until: now + REMEMBERED_FOR });
        let mut names = self.shared.names();
        names.remove(self.host);
        if names.len() >= NAMES_MAX {
            names.retain(|_, name| name.running.is_some() || name.proven || name.holds(now));
        }
        if names.len() >= NAMES_MAX {
            names.retain(|_, name| name.running.is_some() || name.holds(now));
        }
        if known.is_some() && names.len() < NAMES_MAX {
            names.insert(self.host.to_owned(), Name { proven: self.proven, running: None, known });
        }
    }
}
