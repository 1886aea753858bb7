//! How a command reaches the server that has the SQLite file: by a unix socket in the data folder.
//!
//! SQLite belongs to one process, so `keybell operator-key` cannot change it beside a server that runs. The server does it
//! then, for whoever may open the socket: the user it runs as (mode 0600, in a folder of mode 0700) and root. One line of
//! JSON goes each way.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keybell_app::App;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};

use crate::failure::Failure;

/// More than the longest request: a name has at most 100 characters.
const REQUEST_BYTES_MAX: u64 = 4 * 1024;
/// More than the list of all operator keys there may ever be.
const REPLY_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How long either side waits for the other.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a command asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Make an operator key of this name.
    CreateOperatorKey {
        /// Its name.
        name: String,
    },
    /// Show all operator keys.
    ListOperatorKeys,
    /// Revoke the operator key of this public identifier.
    RevokeOperatorKey {
        /// Its public identifier.
        id: String,
    },
}

/// What the command shows. It has no `Debug`, since it may hold a secret key.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// To print as it stands, such as a new secret key.
    Text(String),
    /// Why it was not done, and what to do.
    Refused(String),
}

/// The socket of the data folder.
pub(crate) fn socket_of(data_dir: &Path) -> PathBuf {
    data_dir.join("keybell.sock")
}

/// Does what a command asks for.
pub(crate) async fn obey(app: &App, request: Request) -> Reply {
    let done = match request {
        Request::CreateOperatorKey { name } => {
            app.create_operator_key(&name).await.map(|secret_key| format!("{}\n", secret_key.reveal()))
        }
        Request::ListOperatorKeys => app.list_operator_keys().await.map(|keys| {
            let line = |key: keybell_app::operator_keys::OperatorKey| {
                let revoked = key.revoked_at.map_or("active".to_owned(), |at| format!("revoked {at}"));
                format!("{}  {}  {revoked}  {}\n", key.id, key.created_at, key.name)
            };
            keys.into_iter().map(line).collect()
        }),
        Request::RevokeOperatorKey { id } => app.revoke_operator_key(&id).await.map(|()| String::new()),
    };
    done.map_or_else(|problem| Reply::Refused(refusal(&problem)), Reply::Text)
}

/// The problem in a line: a command has no form whose fields it could mark.
fn refusal(problem: &keybell_core::Problem) -> String {
    match problem.errors.as_slice() {
        [] => crate::failure::chain(problem),
        errors => {
            let said = errors.iter().map(|error| format!("{} {}", error.field, error.message));
            said.collect::<Vec<_>>().join("; ")
        }
    }
}

/// Asks the server whose data folder this is; `None` where none runs.
pub(crate) fn ask(data_dir: &Path, request: &Request) -> Result<Option<Reply>, Failure> {
    let path = socket_of(data_dir);
    let stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => {
            let tried = format!("the server's socket {} cannot be opened", path.display());
            return Err(Failure::doing(tried)(error));
        }
    };
    let failed =
        |error| Failure::doing(format!("the server behind {} does not answer", path.display()))(error);
    exchange(stream, request).map(Some).map_err(failed)
}

fn exchange(mut stream: UnixStream, request: &Request) -> io::Result<Reply> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    writeln!(stream, "{}", serde_json::to_string(request)?)?;
    let mut reply = String::new();
    BufReader::new(stream.take(REPLY_BYTES_MAX)).read_line(&mut reply)?;
    Ok(serde_json::from_str(&reply)?)
}

/// The server's side. The socket is gone when this is.
pub(crate) struct ControlSocket {
    listener: tokio::net::UnixListener,
    path: PathBuf,
    owner: u32,
}

impl ControlSocket {
    /// Binds the socket, in place of one that a crash left behind. Belongs in a runtime.
    pub(crate) fn bind(data_dir: &Path) -> io::Result<ControlSocket> {
        let path = socket_of(data_dir);
        if UnixStream::connect(&path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server has this data folder"));
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = tokio::net::UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let owner = std::fs::metadata(&path)?.uid();
        Ok(ControlSocket { listener, path, owner })
    }

    /// Does what commands ask for, one after the other, for as long as it is polled.
    pub(crate) async fn serve(self, app: App) {
        loop {
            let served = match self.listener.accept().await {
                Ok((stream, _)) => tokio::time::timeout(TIMEOUT, self.answer(stream, &app)).await,
                Err(error) => Ok(Err(error)),
            };
            match served {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "a command could not be answered"),
                Err(_) => tracing::warn!("a command took too long"),
            }
        }
    }

    async fn answer(&self, stream: tokio::net::UnixStream, app: &App) -> io::Result<()> {
        // The mode of the socket says the same; but for a moment after it is bound, it has the mode of the umask.
        let user = stream.peer_cred()?.uid();
        if user != self.owner && user != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("user {user} may not command"),
            ));
        }
        let (reader, mut writer) = stream.into_split();
        let mut line = String::new();
        tokio::io::BufReader::new(reader.take(REQUEST_BYTES_MAX)).read_line(&mut line).await?;
        let reply = match serde_json::from_str(&line) {
            Ok(request) => obey(app, request).await,
            Err(_) => {
                Reply::Refused("the server is of another version than this command; restart it".to_owned())
            }
        };
        let mut text = serde_json::to_vec(&reply)?;
        text.push(b'\n');
        writer.write_all(&text).await
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // One that stays behind refuses connections, which the next command takes for what it is.
        let _ = std::fs::remove_file(&self.path);
    }
}
