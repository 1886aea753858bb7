//! Where the database is: `sqlite:PATH` or `postgres://…`.

use std::fmt;
use std::path::{Path, PathBuf};

use tokio_postgres::config::{Host, SslMode};

/// Where the database is. Prints without the password.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) engine: Engine,
}

/// Which engine, and where.
#[derive(Clone)]
pub(crate) enum Engine {
    Sqlite(PathBuf),
    Postgres(Box<tokio_postgres::Config>),
}

/// Why a text is not the URL of a database. Never holds the text, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum BadDatabaseUrl {
    /// Neither of the two schemes.
    #[error("a database URL begins with sqlite: or postgres://")]
    Scheme,
    /// Nothing after `sqlite:`, or `:memory:`, which would forget everything at the end.
    #[error("sqlite: is followed by the path of a file, such as sqlite:/var/lib/keybell/keybell.db")]
    Path,
    /// What follows `postgres://` cannot be read.
    #[error("a PostgreSQL URL has the form postgres://user:password@host:port/database")]
    Postgres(#[source] tokio_postgres::Error),
    /// TLS is asked for, and there is none yet.
    #[error(
        "sslmode=require is not supported: connections to PostgreSQL are not encrypted yet; use a unix socket or a \
         private network with sslmode=prefer or disable"
    )]
    Tls,
}

impl DatabaseUrl {
    /// Parses `sqlite:PATH` or `postgres://user:password@host:port/database?options` (`postgresql://` too; a unix socket
    /// is `host=%2Fpath` in place of the host).
    ///
    /// `sslmode` may be `disable` or `prefer`; either way the connection is not encrypted, so `require` is refused.
    pub fn parse(text: &str) -> Result<Self, BadDatabaseUrl> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            if path.is_empty() || path == ":memory:" {
                return Err(BadDatabaseUrl::Path);
            }
            return Ok(DatabaseUrl { engine: Engine::Sqlite(PathBuf::from(path)) });
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(BadDatabaseUrl::Scheme);
        }
        let config: tokio_postgres::Config = text.parse().map_err(BadDatabaseUrl::Postgres)?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(BadDatabaseUrl::Tls);
        }
        Ok(DatabaseUrl { engine: Engine::Postgres(Box::new(config)) })
    }

    /// The file of a database on SQLite.
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        DatabaseUrl { engine: Engine::Sqlite(path.as_ref().to_owned()) }
    }

    /// Whether it is a file, that is SQLite.
    pub fn is_sqlite(&self) -> bool {
        matches!(self.engine, Engine::Sqlite(_))
    }

    /// The file of the database, where it is one.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.engine {
            Engine::Sqlite(path) => Some(path),
            Engine::Postgres(_) => None,
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = match &self.engine {
            Engine::Sqlite(path) => return write!(f, "sqlite:{}", path.display()),
            Engine::Postgres(config) => config,
        };
        f.write_str("postgres://")?;
        if let Some(user) = config.get_user() {
            write!(f, "{user}@")?;
        }
        for (place, host) in config.get_hosts().iter().enumerate() {
            f.write_str(if place == 0 { "" } else { "," })?;
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            let ports = config.get_ports();
            if let Some(port) = ports.get(place).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_where_the_database_is_and_never_the_password() {
        let url =
            DatabaseUrl::parse("postgres://keybell:hunter2@db.internal:5433/keybell").expect("a good URL");
        assert_eq!(url.to_string(), "postgres://keybell@db.internal:5433/keybell");
        assert_eq!(format!("{url:?}"), url.to_string());
        let url =
            DatabaseUrl::parse("postgresql://u@%2Frun%2Fpostgresql/k?sslmode=disable").expect("a good URL");
        assert_eq!(url.to_string(), "postgres://u@/run/postgresql:5432/k");
        let url = DatabaseUrl::parse("sqlite:keybell.db").expect("a good URL");
        assert_eq!((url.to_string().as_str(), url.is_sqlite()), ("sqlite:keybell.db", true));
    }

    #[test]
    fn refuses_what_it_cannot_serve_and_says_what_it_can() {
        assert!(matches!(DatabaseUrl::parse("mysql://x/y"), Err(BadDatabaseUrl::Scheme)));
        assert!(matches!(DatabaseUrl::parse("sqlite:"), Err(BadDatabaseUrl::Path)));
        assert!(matches!(DatabaseUrl::parse("sqlite::memory:"), Err(BadDatabaseUrl::Path)));
        assert!(matches!(DatabaseUrl::parse("postgres://u:p@h:port/k"), Err(BadDatabaseUrl::Postgres(_))));
        let refused = DatabaseUrl::parse("postgres://u:secretword@h/k?sslmode=require").expect_err("TLS");
        assert!(matches!(refused, BadDatabaseUrl::Tls));
        assert!(!format!("{refused} {refused:?}").contains("secretword"));
    }
}
