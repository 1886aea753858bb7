//! The engines that a story runs on, each with a database of its own.

use std::sync::Arc;

use keybell_core::Timestamp;
use keybell_store::{Arg, DatabaseUrl, Op, OpenOptions, Query, Read, Sql, Store, StoreError, Tx, statements};
use keybell_testkit::postgres::TestPostgres;
use tempfile::TempDir;

/// An instant in November 2026.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_447_916);

/// A place for one database.
pub(crate) enum Engine {
    Sqlite(TempDir),
    Postgres { server: Arc<TestPostgres>, url: String },
}

impl Engine {
    pub(crate) fn sqlite() -> Self {
        Engine::Sqlite(tempfile::tempdir().expect("a temporary directory can be made"))
    }

    pub(crate) fn postgres() -> Self {
        let server = TestPostgres::shared();
        let url = server.new_database();
        Engine::Postgres { server, url }
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        match self {
            Engine::Sqlite(directory) => DatabaseUrl::sqlite(directory.path().join("keybell.db")),
            Engine::Postgres { url, .. } => DatabaseUrl::parse(url).expect("the test server's URL is good"),
        }
    }

    pub(crate) fn open(&self) -> Store {
        self.open_with(&OpenOptions::at(NOW))
    }

    pub(crate) fn open_with(&self, options: &OpenOptions) -> Store {
        Store::open(&self.url(), options).expect("a new database opens")
    }

    /// The server, for stories that need one.
    pub(crate) fn server(&self) -> &TestPostgres {
        match self {
            Engine::Sqlite(_) => panic!("SQLite has no server"),
            Engine::Postgres { server, .. } => server,
        }
    }
}

/// Tells each story on both engines.
macro_rules! on_both_engines {
    ($($story:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $story() {
                super::$story(crate::engine::Engine::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $story() {
                super::$story(crate::engine::Engine::postgres()).await;
            })*
        }
    };
}
pub(crate) use on_both_engines;

/// Writes a name that must be new, with a value.
pub(crate) static PUT: Sql =
    Sql { name: "test::PUT", text: "INSERT INTO installation (name, value) VALUES ($1, $2)" };

statements! {
    SET = "INSERT INTO installation (name, value) VALUES ($1, $2) \
           ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    NAMES = "SELECT name FROM installation ORDER BY name";
}

/// The value of a name.
pub(crate) static VALUE_OF: Sql =
    Sql { name: "test::VALUE_OF", text: "SELECT value FROM installation WHERE name = $1" };

/// Writes a name that must be new.
#[derive(Debug)]
pub(crate) struct Put(pub(crate) String);

impl Op for Put {
    const NAME: &'static str = "test.put";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        tx.exec(&PUT, &[(&self.0).into(), Arg::Bytes(b"put")])
    }
}

/// Writes a name and then does what it is told.
pub(crate) struct PutThen<F>(pub(crate) &'static str, pub(crate) F);

impl<F: Fn(&mut dyn Tx) -> Result<(), StoreError> + Send + 'static> Op for PutThen<F> {
    const NAME: &'static str = "test.put_then";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        tx.exec(&PUT, &[self.0.into(), Arg::Bytes(b"put")])?;
        self.1(tx)
    }
}

/// Adds one to a number kept under a name: reads it, then writes it.
pub(crate) struct Increment(pub(crate) &'static str);

impl Op for Increment {
    const NAME: &'static str = "test.increment";
    type Out = i64;

    fn run(&self, tx: &mut dyn Tx) -> Result<i64, StoreError> {
        let read = |row: &dyn keybell_store::Row| {
            let bytes = row.bytes(0)?.try_into().map_err(|_| StoreError::Corrupt { what: "counter" })?;
            Ok(i64::from_be_bytes(bytes))
        };
        let before = tx.as_read().first(&VALUE_OF, &[self.0.into()], read)?.unwrap_or(0);
        tx.exec(&SET, &[self.0.into(), Arg::Bytes(&(before + 1).to_be_bytes())])?;
        Ok(before + 1)
    }
}

/// Every name.
pub(crate) struct Names;

impl Query for Names {
    const NAME: &'static str = "test.names";
    type Out = Vec<String>;

    fn run(&self, tx: &mut dyn Read) -> Result<Vec<String>, StoreError> {
        tx.all(&NAMES, &[], |row| Ok(row.text(0)?.to_owned()))
    }
}
