//! The use cases of Keybell, shared by its API, its pages and its commands.
//!
//! [`App`] is one installation at work. Its methods ask for the evidence they need (a `Grant`), call the pure crate to
//! decide and the store to remember, and keep in memory what must be quick: the keys, the webhooks, the catalogue, and the
//! deliveries that are under way.

pub mod accounts;
pub mod audit;
pub mod catalogue;
mod commit;
pub mod deliveries;
pub mod delivery;
pub mod downloads;
pub mod event_types;
pub mod events;
pub mod health;
pub mod idempotency;
mod keyring;
pub mod keys;
pub mod live;
mod master_key;
pub mod operator_keys;
pub mod page;
pub mod passwords;
mod places;
mod problems;
mod rate_limits;
pub mod registry;
pub mod scopes;
pub mod sessions;
pub mod settings;
pub mod setup;
mod throttle;
pub mod usage;
pub mod verify;
pub mod webhooks;
pub mod workspaces;

use std::sync::Arc;

use keybell_core::key::Brand;
use keybell_core::seal::{MasterKey, Sealer};
use keybell_core::{Clock, Randomness};
use keybell_store::Store;
use keybell_store::ops::api_keys::CountKeys;

use catalogue::Catalogue;
use delivery::resolve::{Lookups, Resolve, SystemResolver};
use delivery::{Bounds, Engine};
use downloads::Downloads;
use keyring::{Keyring, Peppers};
use live::LiveViews;
use operator_keys::OperatorKeys;
use passwords::Passwords;
use rate_limits::RateLimiter;
use registry::Registry;
use throttle::Throttle;
use usage::Usage;
use workspaces::Directory;

pub use page::{Listing, Page};
pub use settings::Settings;

/// One installation at work. Cheap to clone; all clones are the same installation.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    store: Store,
    brand: Brand,
    sealer: Sealer,
    keyring: Arc<Keyring>,
    rate_limiter: RateLimiter,
    usage: Arc<Usage>,
    operator_keys: OperatorKeys,
    directory: Arc<Directory>,
    catalogue: Arc<Catalogue>,
    registry: Arc<Registry>,
    engine: Engine,
    passwords: Passwords,
    throttle: Throttle,
    live_views: LiveViews,
    downloads: Downloads,
}

/// What an installation is made of. The binary hands in the real ones, tests their own.
pub struct Parts {
    /// What the operator set.
    pub settings: Settings,
    /// The database, open and migrated.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub randomness: Arc<dyn Randomness>,
    /// What every secret in the database is digested or sealed under.
    pub master_key: MasterKey,
}

impl App {
    /// Starts an installation: reads into memory what must be quick. Deliveries begin with the engine.
    pub async fn start(parts: Parts) -> Result<App, keybell_core::Problem> {
        App::start_within(parts, Bounds::default()).await
    }

    /// As [`App::start`], with other bounds of what the engine has in memory: for simulations.
    pub async fn start_within(parts: Parts, bounds: Bounds) -> Result<App, keybell_core::Problem> {
        App::start_with(parts, bounds, Arc::new(Lookups::new(SystemResolver))).await
    }

    /// As [`App::start`], with another resolver than the operating system's for the names of receivers.
    pub async fn start_resolving(
        parts: Parts,
        resolver: Arc<dyn Resolve>,
    ) -> Result<App, keybell_core::Problem> {
        App::start_with(parts, Bounds::default(), resolver).await
    }

    async fn start_with(
        parts: Parts,
        bounds: Bounds,
        resolver: Arc<dyn Resolve>,
    ) -> Result<App, keybell_core::Problem> {
        let Parts { settings, store, clock, randomness, master_key } = parts;
        master_key::check(&store, &master_key).await?;
        let brand = Brand::parse(&settings.key_prefix).map_err(keybell_core::Problem::internal)?;
        let usage = Arc::new(Usage::new());
        let keys = store.read(CountKeys).await.map_err(problems::of_store)?;
        let room = usize::try_from(keys).unwrap_or(0);
        let keyring = Arc::new(Keyring::new(Peppers::of(&master_key), Arc::clone(&usage), room));
        keyring.load(&store).await.map_err(problems::of_store)?;
        let operator_keys = OperatorKeys::new();
        operator_keys.read_again(&store).await.map_err(problems::of_store)?;
        let sealer = master_key.sealer();
        let directory = Arc::new(Directory::default());
        directory.load(&store).await.map_err(problems::of_store)?;
        let catalogue = Arc::new(Catalogue::default());
        catalogue.load(&store).await.map_err(problems::of_store)?;
        let registry = Arc::new(Registry::new(Arc::clone(&catalogue)));
        registry.load(&store, &sealer).await?;
        let engine = Engine::new(
            &settings,
            store.clone(),
            Arc::clone(&clock),
            Arc::clone(&randomness),
            Arc::clone(&registry),
            Arc::clone(&directory),
            bounds,
            resolver,
        );
        let rate_limiter = RateLimiter::new(&settings.rate_limits);
        let inner = Arc::new(Inner {
            settings,
            clock,
            randomness,
            store,
            brand,
            sealer,
            keyring,
            rate_limiter,
            usage,
            operator_keys,
            directory,
            catalogue,
            registry,
            engine,
            passwords: Passwords::new(),
            throttle: Throttle::new(),
            live_views: LiveViews::default(),
            downloads: Downloads::default(),
        });
        tokio::spawn(operator_keys::follow(Arc::downgrade(&inner)));
        tokio::spawn(usage::follow(Arc::downgrade(&inner)));
        Ok(App { inner })
    }

    /// The first word of every key of this installation.
    pub fn brand(&self) -> &Brand {
        &self.inner.brand
    }

    /// The seal of secrets that must be read again.
    pub(crate) fn sealer(&self) -> &Sealer {
        &self.inner.sealer
    }

    pub(crate) fn keyring(&self) -> &Arc<Keyring> {
        &self.inner.keyring
    }

    pub(crate) fn rate_limiter(&self) -> &RateLimiter {
        &self.inner.rate_limiter
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.inner.usage
    }

    /// The workspaces in memory.
    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.inner.directory
    }

    /// The event types and scopes in memory.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.inner.catalogue
    }

    /// The delivery engine.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Starts to deliver, a shard on each of `runtimes` (at least one), and takes up what this node had when it ended.
    /// Current-thread runtimes, one for each core, cost the least.
    pub async fn start_engine(
        &self,
        runtimes: &[tokio::runtime::Handle],
    ) -> Result<(), keybell_core::Problem> {
        self.engine().start(runtimes).await
    }

    /// Begins no attempt any more, waits up to `grace` for those under way, leaves the rest on disk, and writes down how
    /// attempts went.
    pub async fn stop_engine(&self, grace: std::time::Duration) {
        self.engine().stop(grace).await;
        if let Err(error) = self.write_delivery_stats().await {
            tracing::warn!(%error, "how the last deliveries went was not written down");
        }
    }

    /// The webhooks in memory, ready to be called.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.inner.registry
    }

    /// The database.
    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.inner.passwords
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.inner.throttle
    }

    /// The settings it was started with.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The present instant.
    pub fn now(&self) -> keybell_core::Timestamp {
        self.inner.clock.now()
    }

    /// Where random bytes come from.
    pub fn randomness(&self) -> &dyn Randomness {
        self.inner.randomness.as_ref()
    }
}
