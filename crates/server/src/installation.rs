//! One installation, opened: the database, the master key, and the use cases over them. What `serve`, `demo` and
//! `operator-key` share.

use std::net::SocketAddr;
use std::sync::Arc;

use keybell_app::{App, Parts};
use keybell_core::Clock as _;
use keybell_core::seal::MasterKey;
use keybell_store::{OpenError, OpenOptions, Store};

use crate::config::{Config, Environment};
use crate::failure::{Failure, chain};
use crate::master_key;
use crate::system::{SystemClock, SystemRandomness, machine_name};

/// The database and the master key of an installation.
pub(crate) struct Opened {
    /// The database, migrated if the configuration says so.
    pub(crate) store: Store,
    master_key: MasterKey,
}

/// Opens the database, and makes what is missing at first start: the data folder, the master key, the file.
pub(crate) fn open(config: &Config, environment: &Environment) -> Result<Opened, OpenFailure> {
    master_key::make_folder(&config.data_dir())?;
    let folder = config.database.url.sqlite_path().and_then(|path| path.parent());
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        master_key::make_folder(folder)?;
    }
    // The database first: it is locked by whoever is here first, so only one makes a master key.
    let store = Store::open(&config.database.url, &options(config)).map_err(OpenFailure::Database)?;
    let master_key = master_key::load(config, environment, &SystemRandomness)?;
    Ok(Opened { store, master_key })
}

fn options(config: &Config) -> OpenOptions {
    OpenOptions {
        migrate: config.database.migrate,
        postgres_writers: config.database.writers,
        postgres_readers: config.database.readers,
        ..OpenOptions::at(SystemClock.now())
    }
}

impl Opened {
    /// Starts the use cases, for a server on `listen`.
    pub(crate) async fn start(self, config: &Config, listen: SocketAddr) -> Result<App, Failure> {
        let parts = Parts {
            settings: config.settings(listen, &machine_name()),
            store: self.store,
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            master_key: self.master_key,
        };
        Ok(App::start(parts).await?)
    }
}

/// Why an installation was not opened.
pub(crate) enum OpenFailure {
    /// The database.
    Database(OpenError),
    /// Something else.
    Other(Failure),
}

impl From<Failure> for OpenFailure {
    fn from(failure: Failure) -> Self {
        OpenFailure::Other(failure)
    }
}

impl From<OpenFailure> for Failure {
    fn from(failure: OpenFailure) -> Self {
        match failure {
            OpenFailure::Database(error) => Failure::new(chain(&error)),
            OpenFailure::Other(failure) => failure,
        }
    }
}
