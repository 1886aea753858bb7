//! An installation without its web: the use cases over a store that a test can start them on again.

use std::sync::{Arc, Mutex};

use keybell_app::delivery::resolve::Resolve;
use keybell_app::settings::{DeliverySettings, RetentionSettings, Settings};
use keybell_app::{App, Parts};
use keybell_core::grant::Origin;
use keybell_core::seal::MasterKey;
use keybell_core::{ActorRef, AuditId, Problem, Randomness, Timestamp, WorkspaceId};
use keybell_store::ops::audit::AuditFact;
use keybell_store::ops::workspaces::{InsertWorkspace, Workspace};
use keybell_store::{DatabaseUrl, OpenOptions, Store};
use keybell_testkit::clock::ManualClock;
use keybell_testkit::postgres::TestPostgres;
use keybell_testkit::random::SeededRandomness;

/// What the clock shows at the start: 2026-11-23T12:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_795_435_200);

/// Where a house remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// In memory, on the caller's task.
    Memory,
    /// In a SQLite file of its own.
    SqliteFile,
    /// In a database of its own on the PostgreSQL of the test process.
    Postgres,
}

/// The use cases, what they stand on, and what a test turns.
pub(crate) struct House {
    pub(crate) app: App,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) randomness: Arc<Rewindable>,
    store: Store,
    settings: Settings,
    directory: Option<tempfile::TempDir>,
    _postgres: Option<Arc<TestPostgres>>,
}

/// Seeded randomness that can be made to repeat itself.
pub(crate) struct Rewindable(Mutex<SeededRandomness>);

impl Rewindable {
    /// From now on it gives what it gave after the last time.
    pub(crate) fn rewind(&self) {
        *self.0.lock().expect("nobody panics while drawing") = SeededRandomness::new(2);
    }
}

impl Randomness for Rewindable {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("nobody panics while drawing").fill(bytes);
    }
}

/// A house with the usual settings.
pub(crate) async fn house(on: On) -> House {
    House::start(on, settings()).await
}

impl House {
    pub(crate) async fn start(on: On, settings: Settings) -> House {
        let (store, directory, postgres) = match on {
            On::Memory => (Store::inline_in_memory(), None, None),
            On::SqliteFile => {
                let directory = tempfile::tempdir().expect("a temporary folder can be made");
                let url = DatabaseUrl::sqlite(directory.path().join("keybell.db"));
                (open(&url), Some(directory), None)
            }
            On::Postgres => {
                let server = TestPostgres::shared();
                let url = DatabaseUrl::parse(&server.new_database()).expect("the server gives its address");
                (open(&url), None, Some(server))
            }
        };
        for number in 1..=2 {
            add_workspace(&store, number).await;
        }
        let clock = Arc::new(ManualClock::new(START));
        let randomness = Arc::new(Rewindable(Mutex::new(SeededRandomness::new(1))));
        let app = start(&store, &settings, &clock, &randomness, MasterKey::from_bytes([7; 32])).await;
        let app = app.expect("an installation starts on an empty database");
        House { app, clock, randomness, store, settings, directory, _postgres: postgres }
    }

    /// The bytes of every file of the database, where it has a folder of its own.
    pub(crate) fn files(&self) -> Vec<Vec<u8>> {
        let entries = std::fs::read_dir(self.folder()).expect("the folder is there");
        let read = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read(entry.expect("an entry").path());
        entries.map(|entry| read(entry).expect("files can be read")).collect()
    }

    /// The store itself, for what a test does to it.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The folder of the database, where it has one of its own.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.directory.as_ref().expect("it has a folder").path()
    }

    /// How many statements the store has run.
    pub(crate) fn statements(&self) -> u64 {
        self.store.stats().statements
    }

    /// Another process on the same database, with other settings.
    pub(crate) async fn restarted_with(&self, settings: Settings) -> App {
        let master_key = MasterKey::from_bytes([7; 32]);
        let app = start(&self.store, &settings, &self.clock, &self.randomness, master_key).await;
        app.expect("it starts again")
    }

    /// Another process on the same database, which asks `resolver` for addresses.
    pub(crate) async fn resolving(&self, resolver: impl Resolve) -> App {
        let parts =
            parts(&self.store, &self.settings, &self.clock, &self.randomness, MasterKey::from_bytes([7; 32]));
        App::start_resolving(parts, Arc::new(resolver)).await.expect("it starts again")
    }

    /// Another process on the same database, with that master key.
    pub(crate) async fn restarted(&self, master_key: MasterKey) -> Result<App, Problem> {
        start(&self.store, &self.settings, &self.clock, &self.randomness, master_key).await
    }
}

async fn start(
    store: &Store,
    settings: &Settings,
    clock: &Arc<ManualClock>,
    randomness: &Arc<Rewindable>,
    master_key: MasterKey,
) -> Result<App, Problem> {
    App::start(parts(store, settings, clock, randomness, master_key)).await
}

fn parts(
    store: &Store,
    settings: &Settings,
    clock: &Arc<ManualClock>,
    randomness: &Arc<Rewindable>,
    master_key: MasterKey,
) -> Parts {
    Parts {
        settings: settings.clone(),
        store: store.clone(),
        clock: Arc::<ManualClock>::clone(clock),
        randomness: Arc::<Rewindable>::clone(randomness),
        master_key,
    }
}

/// The id of one of the two workspaces of a house: 1 or 2.
pub(crate) fn workspace(number: u8) -> WorkspaceId {
    WorkspaceId::from_bytes([number; 16])
}

async fn add_workspace(store: &Store, number: u8) {
    let id = workspace(number);
    let insert = InsertWorkspace {
        workspace: Workspace {
            id,
            external_id: None,
            name: format!("Workspace {number}"),
            created_at: START,
        },
        by: ActorRef { kind: "operator".to_owned(), id: "tests".to_owned(), name: "tests".to_owned() },
        origin: Origin::default(),
        fact: AuditFact {
            id: AuditId::from_bytes([number; 16]),
            at: START,
            action: "workspace.created",
            target_kind: "workspace",
            target_id: id.to_string(),
            changes_json: "{}".to_owned(),
        },
    };
    store.write(insert).await.expect("a workspace can be added");
}

fn open(url: &DatabaseUrl) -> Store {
    Store::open(url, &OpenOptions::at(START)).expect("an empty database can be opened")
}

/// The documented defaults, but that events are kept for as long as attempts; and loopback may be called, since receivers
/// are there.
pub(crate) fn settings() -> Settings {
    let defaults = Settings::at("https://keybell.test/".parse().expect("it is a URL"));
    Settings {
        brand_name: "Northwind".to_owned(),
        node: "test".to_owned(),
        delivery: DeliverySettings {
            require_https: false,
            allowed_networks: vec!["127.0.0.0/8".parse().expect("it is a network")],
            ..DeliverySettings::default()
        },
        retention: RetentionSettings {
            events: RetentionSettings::default().attempts,
            ..RetentionSettings::default()
        },
        ..defaults
    }
}
