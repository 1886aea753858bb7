//! Keybell as the benches meet it: the release binary, a workspace, an operator key.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use keybell_bench::machine::Cpu;
use keybell_core::seal::{MASTER_KEY_BYTES, MasterKey};
use keybell_store::DatabaseUrl;
use keybell_testkit::installation::{Installation, Profile};
use keybell_testkit::postgres::TestPostgres;
use serde_json::{Value, json};

use crate::client::{Call, Connection};
use crate::{Database, Outcome};

/// The event type that the benches publish.
pub(crate) const EVENT_TYPE: &str = "research_report.published";

/// A server that costs nothing for so long has nothing more to do; the kernel counts in steps of 10 ms.
const REST: Duration = Duration::from_millis(100);
/// How many rests are waited for at most.
const RESTS_MAX: usize = 50;
/// How often it is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// A start that takes longer has failed.
const READY_MAX: Duration = Duration::from_mins(1);

/// A running installation, and what is needed to use it.
pub(crate) struct Keybell {
    installation: Installation,
    /// Its database server, where it has one; dropped after the installation.
    postgres: Option<TestPostgres>,
    pub(crate) operator_key: String,
    pub(crate) workspace: String,
}

impl Keybell {
    /// Builds it and makes its data, without starting it.
    pub(crate) fn prepare(database: Database) -> Outcome<Keybell> {
        Keybell::prepare_with(database, "")
    }

    /// The same with more settings, in TOML.
    fn prepare_with(database: Database, settings: &str) -> Outcome<Keybell> {
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(TestPostgres::start()),
        };
        let url = postgres.as_ref().map(|postgres| postgres.url().to_owned());
        // The log of requests is not what is measured.
        let settings = format!("[log]\nlevel = \"warn\"\n\n{settings}");
        let installation = Installation::prepare(Profile::Release, url.as_deref(), &settings)?;
        let operator_key = installation.operator_key("bench")?;
        Ok(Keybell { installation, postgres, operator_key, workspace: String::new() })
    }

    /// Starts serving.
    pub(crate) fn serve(&mut self) -> Outcome<()> {
        self.installation.serve()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> Outcome<()> {
        self.installation.stop().map(drop)
    }

    /// Ends it at once, as a crash would; how long it then takes from its start until it says that it is ready.
    pub(crate) async fn crash_and_start(&mut self) -> Outcome<Duration> {
        self.installation.kill();
        let started = Instant::now();
        self.serve()?;
        let call = Call { method: "GET", path: "/readyz", bearer: None };
        loop {
            let asked = Connection::open(self.address()).await;
            if let Ok(mut connection) = asked
                && connection.send(&call, Bytes::new()).await.is_ok_and(|(status, _)| status.is_success())
            {
                return Ok(started.elapsed());
            }
            if started.elapsed() > READY_MAX {
                return Err(format!("it is not ready after {} s", READY_MAX.as_secs()));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// The folder that its data stand in; on PostgreSQL only its configuration.
    pub(crate) fn folder(&self) -> &Path {
        self.installation.folder()
    }

    /// Where its data are.
    pub(crate) fn database_url(&self) -> Outcome<DatabaseUrl> {
        match &self.postgres {
            None => Ok(DatabaseUrl::sqlite(self.installation.folder().join("keybell.db"))),
            Some(postgres) => DatabaseUrl::parse(postgres.url()).map_err(|error| error.to_string()),
        }
    }

    /// What its secrets are digested under.
    pub(crate) fn master_key(&self) -> Outcome<MasterKey> {
        // Beside its database, or where there is no file to be beside.
        let folder = match self.postgres {
            None => self.installation.folder().to_owned(),
            Some(_) => self.installation.folder().join("keybell-data"),
        };
        let text = std::fs::read_to_string(folder.join("master.key"));
        let text = text.map_err(|error| format!("the master key cannot be read: {error}"))?;
        let mut bytes = [0; MASTER_KEY_BYTES];
        for (byte, place) in bytes.iter_mut().zip((0..text.len()).step_by(2)) {
            let pair = text.get(place..place + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
            *byte = pair.ok_or("the master key is not 64 hexadecimal digits")?;
        }
        Ok(MasterKey::from_bytes(bytes))
    }

    /// Builds and starts it, with a workspace, an event type and a scope.
    pub(crate) async fn start(database: Database) -> Outcome<Keybell> {
        Keybell::start_with(database, "").await
    }

    /// The same with more settings, in TOML.
    pub(crate) async fn start_with(database: Database, settings: &str) -> Outcome<Keybell> {
        let mut keybell = Keybell::prepare_with(database, settings)?;
        keybell.serve()?;
        keybell.workspace = keybell.new_workspace("Bench").await?;
        keybell.ask("POST", "/v1/event-types", &json!({"name": EVENT_TYPE})).await?;
        keybell
            .ask("POST", "/v1/scopes", &json!({"name": "reports:read", "description": "Read reports"}))
            .await?;
        Ok(keybell)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.installation.address()
    }

    /// The server's process; 0 while there is none.
    pub(crate) fn process(&self) -> u32 {
        self.installation.process().unwrap_or_default()
    }

    /// What the server has cost so far.
    pub(crate) fn cpu(&self) -> Cpu {
        Cpu::of(self.process())
    }

    /// What its database server has cost so far; `None` where the database is inside the server.
    pub(crate) fn database_cpu(&self) -> Option<Cpu> {
        self.postgres.as_ref().map(|postgres| Cpu::of_family(postgres.process()))
    }

    /// Lets its database server come to rest after many rows were written to it.
    pub(crate) fn settle_database(&self) {
        if let Some(postgres) = &self.postgres {
            postgres.settle();
        }
    }

    /// Waits until it does nothing more: the last outcomes are recorded after the last delivery has arrived, and are part of
    /// what it cost.
    pub(crate) async fn rest(&self) {
        let mut spent = (self.cpu(), self.database_cpu());
        for _ in 0..RESTS_MAX {
            tokio::time::sleep(REST).await;
            let now = (self.cpu(), self.database_cpu());
            if now == spent {
                break;
            }
            spent = now;
        }
    }

    /// Makes a webhook of `workspace` that hears of every event, at `url`; its id.
    pub(crate) async fn webhook(&self, workspace: &str, url: &str) -> Outcome<String> {
        let path = format!("/v1/workspaces/{workspace}/webhooks");
        let webhook = json!({"name": "Receiver", "url": url, "events": ["*"]});
        text(&self.ask("POST", &path, &webhook).await?, "id")
    }

    /// Makes a workspace; its id.
    pub(crate) async fn new_workspace(&self, name: &str) -> Outcome<String> {
        text(&self.ask("POST", "/v1/workspaces", &json!({"name": name})).await?, "id")
    }

    /// One request with the operator key; `Null` sends no body.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> Outcome<Value> {
        let call = Call { method, path, bearer: Some(&self.operator_key) };
        Connection::open(self.address()).await?.json(&call, body).await
    }
}

/// A text member of an answer.
fn text(answer: &Value, name: &str) -> Outcome<String> {
    answer[name].as_str().map(str::to_owned).ok_or_else(|| format!("the answer has no `{name}`: {answer}"))
}
