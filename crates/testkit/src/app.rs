//! A whole installation in the test's own process: store, use cases, API and pages, called without a socket.
//!
//! ```no_run
//! # use keybell_testkit::app::TestApp;
//! # async fn story() {
//! let app = TestApp::start().await;
//! let workspace = app.workspace("Northwind").await;
//! let answer = app.operator().get(&format!("/v1/workspaces/{workspace}")).await;
//! assert_eq!(answer.status, 200);
//! app.stranger().get("/v1/workspaces/current").await.refused(401, "missing_credential");
//! # }
//! ```

mod client;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::ConnectInfo;
use keybell_app::accounts::NewAccount;
use keybell_app::settings::{DeliverySettings, Settings};
use keybell_app::{App, Parts};
use keybell_core::grant::Origin;
use keybell_core::key::SecretKey;
use keybell_core::seal::MasterKey;
use keybell_core::{Actor, Role, Timestamp, WorkspaceId};
use keybell_store::{DatabaseUrl, OpenOptions, Store};
use keybell_web::Site;
use serde_json::json;

use crate::clock::ManualClock;
use crate::postgres::TestPostgres;
use crate::random::SeededRandomness;

pub use client::{Answer, Client};

/// What the clock of a [`TestApp`] shows at its start: 2026-11-23T12:00:00Z.
pub const START: Timestamp = Timestamp::from_seconds(1_795_435_200);

/// The address from which a [`Client`] seems to come.
pub const CLIENT_ADDRESS: &str = "192.0.2.10:50000";

/// An installation under test. Its clock stands until it is moved, and its randomness is the same on every run.
pub struct TestApp {
    /// The use cases, for what a test does not want to do over HTTP.
    pub app: App,
    /// The installation's clock.
    pub clock: Arc<ManualClock>,
    site: Site,
    operator_key: SecretKey,
    accounts: AtomicU32,
    // Held for as long as the installation: they are removed when dropped.
    _directory: Option<tempfile::TempDir>,
    _postgres: Option<Arc<TestPostgres>>,
}

/// Where an installation under test remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// In memory, on the caller's task.
    Memory,
    /// In a SQLite file of its own.
    SqliteFile,
    /// In a database of its own on the PostgreSQL of the test process.
    Postgres,
}

impl TestApp {
    /// An installation in memory.
    pub async fn start() -> TestApp {
        TestApp::start_with(On::Memory, settings()).await
    }

    /// An installation with its own settings, such as changed ones of [`settings`].
    pub async fn start_with(on: On, settings: Settings) -> TestApp {
        let clock = Arc::new(ManualClock::new(START));
        let (store, directory, postgres) = open(on);
        let parts = Parts {
            settings,
            store,
            clock: Arc::<ManualClock>::clone(&clock),
            randomness: Arc::new(SeededRandomness::new(1)),
            master_key: MasterKey::from_bytes([7; 32]),
        };
        let app = App::start(parts).await.expect("an installation starts on an empty database");
        let operator_key =
            app.create_operator_key("tests").await.expect("there is room for one operator key");
        let site = keybell_web::site(app.clone());
        TestApp {
            app,
            clock,
            site,
            operator_key,
            accounts: AtomicU32::new(0),
            _directory: directory,
            _postgres: postgres,
        }
    }

    /// The routes alone, as a server that knows nothing but routes would serve them to [`CLIENT_ADDRESS`].
    pub fn router(&self) -> Router {
        self.site.clone().into_router().layer(axum::Extension(ConnectInfo(client_address())))
    }

    /// Somebody without a credential.
    pub fn stranger(&self) -> Client<'_> {
        Client::new(self)
    }

    /// The platform's backend, with an operator key.
    pub fn operator(&self) -> Client<'_> {
        self.bearer(self.operator_key.reveal())
    }

    /// Somebody with that secret key.
    pub fn bearer(&self, secret_key: &str) -> Client<'_> {
        self.stranger().with("authorization", &format!("Bearer {secret_key}"))
    }

    /// Somebody with that session.
    pub fn session(&self, token: &str) -> Client<'_> {
        let cookie = keybell_web::extract::session_cookie_name(&self.app);
        self.stranger().with("cookie", &format!("{cookie}={token}")).with("sec-fetch-site", "same-origin")
    }

    /// A new workspace; its id.
    pub async fn workspace(&self, name: &str) -> String {
        let made = self.operator().post("/v1/workspaces", json!({ "name": name })).await.done(201);
        made["id"].as_str().expect("a workspace has an id").to_owned()
    }

    /// A new API key of the workspace with these scopes; its secret key.
    pub async fn api_key(&self, workspace: &str, scopes: &[&str]) -> String {
        let path = format!("/v1/workspaces/{workspace}/api-keys");
        let made = self.operator().post(&path, json!({ "name": "tests", "scopes": scopes })).await.done(201);
        made["secret_key"].as_str().expect("a new key shows its secret once").to_owned()
    }

    /// A new person with that role in the workspace; the token of their session.
    pub async fn member(&self, workspace: &str, role: Role) -> String {
        let number = self.accounts.fetch_add(1, Ordering::Relaxed);
        let workspace = WorkspaceId::parse(workspace).expect("it is an id");
        let operator = Actor::Operator { key: "kb_op_000000000000".to_owned(), name: "tests".to_owned() };
        let grant = operator.grant(workspace, &Origin::default()).expect("an operator may do everything");
        let new = NewAccount {
            name: format!("{} {number}", role.as_str()),
            email: format!("{}{number}@example.com", role.as_str()),
            password: "correct horse battery".to_owned(),
            role,
        };
        let account = self.app.create_account(grant, new).await.expect("the address is new");
        let link = self.app.sign_in_link(account).await.expect("an account can be given a link");
        let session = self.app.sign_in_by_link(link.reveal(), &Origin::default(), None).await;
        session.expect("the link is new").reveal().to_owned()
    }
}

fn client_address() -> SocketAddr {
    CLIENT_ADDRESS.parse().expect("it is an address")
}

fn open(on: On) -> (Store, Option<tempfile::TempDir>, Option<Arc<TestPostgres>>) {
    match on {
        On::Memory => (Store::inline_in_memory(), None, None),
        On::SqliteFile => {
            let directory = tempfile::tempdir().expect("a temporary folder can be made");
            let url = DatabaseUrl::sqlite(directory.path().join("keybell.db"));
            (opened(&url), Some(directory), None)
        }
        On::Postgres => {
            let server = TestPostgres::shared();
            let url = DatabaseUrl::parse(&server.new_database()).expect("the test server gives its address");
            (opened(&url), None, Some(server))
        }
    }
}

fn opened(url: &DatabaseUrl) -> Store {
    Store::open(url, &OpenOptions::at(START)).expect("an empty database can be opened")
}

/// The settings of an installation under test: the documented defaults, at `https://keybell.test`, and loopback may be
/// called over plain HTTP, since the tests' receivers are there.
pub fn settings() -> Settings {
    let defaults = Settings::at("https://keybell.test/".parse().expect("it is a URL"));
    Settings {
        brand_name: "Northwind".to_owned(),
        node: "test".to_owned(),
        delivery: DeliverySettings {
            require_https: false,
            allowed_networks: vec!["127.0.0.0/8".parse().expect("it is a network")],
            ..DeliverySettings::default()
        },
        ..defaults
    }
}
