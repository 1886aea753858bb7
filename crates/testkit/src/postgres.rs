//! A throw-away PostgreSQL: Debian's server binaries, a data directory that is deleted, a unix socket and no TCP port.
//!
//! The server refuses to run as root; started by root it runs as the user `postgres`. It ends with its value, and also when
//! the test process is killed. Making a data directory takes seconds, so that is done once per machine and copied.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// Where Debian puts the binaries, a directory per version.
const DEBIAN_VERSIONS: &str = "/usr/lib/postgresql";
/// The user that the server runs as where the test runs as root.
const USER: &str = "postgres";
/// How long a start may take, recovery after a crash on a busy machine included.
const START_MAX: Duration = Duration::from_mins(1);
/// The role that owns everything.
const ROLE: &str = "keybell";
/// Settings that trade durability for speed: right for every test that does not kill the server.
const FAST: &[&str] = &["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/// A PostgreSQL server of one test.
pub struct TestPostgres {
    directory: TempDir,
    keeper: Sender<Order>,
    process: AtomicU32,
    databases: AtomicU32,
    url: String,
}

impl TestPostgres {
    /// Starts a server that keeps what it commits, as in production.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server that forgets on a crash and is quick.
    pub fn start_fast() -> Self {
        Self::start_with(FAST)
    }

    /// The quick server of this process, started by whoever asks first and stopped by whoever is last to drop it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<TestPostgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(Self::start_fast());
        *shared = Arc::downgrade(&started);
        started
    }

    /// Starts a server with `settings` such as `shared_buffers=1GB`, beside the defaults.
    pub fn start_with(settings: &[&str]) -> Self {
        let programs = Programs::find();
        let directory = programs.own_directory();
        let data = directory.path().join("data");
        let status = Command::new("cp").arg("-a").arg(programs.template()).arg(&data).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the data directory cannot be copied to {}",
            data.display()
        );

        let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
        let socket = format!("unix_socket_directories={}", directory.path().display());
        for setting in ["listen_addresses=", &socket, "max_connections=200"].iter().chain(settings) {
            arguments.extend(["-c".to_owned(), (*setting).to_owned()]);
        }
        let (keeper, orders) = channel();
        thread::spawn(move || keep(&programs, &arguments, &orders));
        let url = database_url(directory.path(), ROLE);
        let server =
            TestPostgres { directory, keeper, process: AtomicU32::new(0), databases: AtomicU32::new(0), url };
        server.restart();
        server.create_database(ROLE);
        server
    }

    /// The URL of a database that is there from the start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes an empty database and gives its URL.
    pub fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.create_database(&name);
        database_url(self.directory.path(), &name)
    }

    fn create_database(&self, name: &str) {
        let mut command = Command::new(Programs::find().binaries.join("createdb"));
        command.args(["-U", ROLE, "-T", "template0", "-h"]).arg(self.directory.path()).arg(name);
        let made = command.output().expect("createdb is beside the server");
        assert!(made.status.success(), "createdb {name}: {}", String::from_utf8_lossy(&made.stderr));
    }

    /// Tidies up after many rows were written, counts them for its plans, and writes them to their places: what the server does
    /// by itself within minutes.
    pub fn settle(&self) {
        for (program, arguments) in
            [("vacuumdb", ["--quiet", "--analyze"]), ("psql", ["--quiet", "--command=CHECKPOINT"])]
        {
            let mut command = Command::new(Programs::find().binaries.join(program));
            command.args(arguments).args(["-U", ROLE, "-h"]).arg(self.directory.path()).arg(ROLE);
            let done = command.output().expect("it is beside the server");
            assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
        }
    }

    /// The id of the server's first process; the others are its children.
    pub fn process(&self) -> u32 {
        self.process.load(Ordering::Relaxed)
    }

    /// Kills the server and all its children as a power cut would, and waits until they are gone.
    pub fn kill9(&self) {
        self.order(Order::Kill).expect("a killed server ends");
    }

    /// Stops the server as an operator would who does not wait for clients.
    pub fn stop(&self) {
        self.order(Order::Stop).expect("a stopped server ends");
    }

    /// Starts it again on the same data, after [`kill9`](Self::kill9) or [`stop`](Self::stop).
    pub fn restart(&self) {
        match self.order(Order::Start) {
            Ok(process) => self.process.store(process, Ordering::Relaxed),
            Err(log) => panic!("PostgreSQL did not start:\n{log}"),
        }
    }

    fn order(&self, order: fn(Sender<Answer>) -> Order) -> Answer {
        let (answer, answered) = channel();
        self.keeper.send(order(answer)).expect("the keeper lives as long as its server");
        answered
            .recv_timeout(START_MAX)
            .unwrap_or_else(|_| panic!("PostgreSQL did not obey within {START_MAX:?}"))
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        // Before its directory goes. Whatever went wrong was told when it did.
        let (answer, answered) = channel();
        if self.keeper.send(Order::Stop(answer)).is_ok() {
            let _ = answered.recv_timeout(START_MAX);
        }
    }
}

fn database_url(socket: &Path, name: &str) -> String {
    let mut host = String::new();
    for byte in socket.display().to_string().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            host.push(char::from(byte));
        } else {
            write!(host, "%{byte:02X}").expect("writing to a string");
        }
    }
    format!("postgres://{ROLE}@{host}/{name}")
}

/// The id of the process, or the server's log where it did not start.
type Answer = Result<u32, String>;

enum Order {
    Start(Sender<Answer>),
    Kill(Sender<Answer>),
    Stop(Sender<Answer>),
}

/// Owns the server's process. On a thread of its own, because the system ends the server when the thread that started it
/// ends, and a test's thread may end before its server.
fn keep(programs: &Programs, arguments: &[String], orders: &Receiver<Order>) {
    let mut server: Option<Child> = None;
    for order in orders {
        match order {
            Order::Start(answer) => {
                let started = start(programs, arguments);
                drop(answer.send(started.as_ref().map(Child::id).map_err(Clone::clone)));
                server = started.ok();
            }
            Order::Kill(answer) => {
                let ended = server.take().map_or(0, |server| end(server, Signal::KILL));
                drop(answer.send(Ok(ended)));
            }
            Order::Stop(answer) => {
                // INT: roll back what is open and stop without waiting for clients.
                let ended = server.take().map_or(0, |server| end(server, Signal::INT));
                drop(answer.send(Ok(ended)));
            }
        }
    }
    if let Some(server) = server {
        end(server, Signal::QUIT);
    }
}

fn start(programs: &Programs, arguments: &[String]) -> Result<Child, String> {
    let mut command = programs.command("postgres");
    let mut server = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the server cannot be run: {error}"))?;
    let stderr = server.stderr.take().expect("stderr is piped");
    let mut lines = BufReader::new(stderr);
    let mut log = String::new();
    loop {
        let before = log.len();
        if lines.read_line(&mut log).is_ok_and(|bytes| bytes == 0) || log.len() == before {
            drop(server.wait());
            return Err(log);
        }
        if log[before..].contains("ready to accept connections") {
            break;
        }
    }
    // What it says from now on is read, so that it never waits, and forgotten.
    thread::spawn(move || std::io::copy(&mut lines.by_ref(), &mut std::io::sink()));
    Ok(server)
}

/// Sends `signal` to the server, to its children as well where they could not obey the server any more, and waits.
fn end(mut server: Child, signal: Signal) -> u32 {
    let id = server.id();
    let children = if signal == Signal::KILL { children_of(id) } else { Vec::new() };
    for process in [id].into_iter().chain(children.iter().copied()) {
        if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
            // One that has ended by itself meanwhile is what we want.
            let _ = kill_process(process, signal);
        }
    }
    let status = server.wait().expect("a child can be waited for");
    assert!(
        status.success() || status.signal().is_some() || signal != Signal::INT,
        "PostgreSQL ended with {status}"
    );
    for child in children {
        while is_alive(child) {
            thread::yield_now();
        }
    }
    id
}

/// Whether a process still does something; one that has ended and was not yet waited for does not.
fn is_alive(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The direct children of a process; a server's backends have none of their own.
fn children_of(process: u32) -> Vec<u32> {
    let list =
        std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// The server's programs, and who runs them.
struct Programs {
    binaries: PathBuf,
    version: String,
    /// User and group of `postgres`, where we are root.
    run_as: Option<(u32, u32)>,
}

impl Programs {
    fn find() -> Self {
        let versions = std::fs::read_dir(DEBIAN_VERSIONS).into_iter().flatten().flatten();
        let versions = versions.filter(|entry| entry.path().join("bin/postgres").exists());
        let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
        let Some(version) = newest else {
            panic!(
                "there is no PostgreSQL server in {DEBIAN_VERSIONS}: apt-get install --no-install-recommends postgresql"
            );
        };
        let run_as = geteuid().is_root().then(|| {
            let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
            let line = users.lines().find_map(|line| line.strip_prefix(USER)?.strip_prefix(':'));
            let ids: Vec<u32> =
                line.into_iter().flat_map(|line| line.split(':')).filter_map(|id| id.parse().ok()).collect();
            assert!(
                ids.len() == 2,
                "the user {USER} is missing: apt-get install --no-install-recommends postgresql"
            );
            (ids[0], ids[1])
        });
        let binaries = Path::new(DEBIAN_VERSIONS).join(version.to_string()).join("bin");
        Programs { binaries, version: version.to_string(), run_as }
    }

    /// A program of the server's, run as the right user, and ended by the system when the thread that starts it ends.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        if let Some((user, group)) = self.run_as {
            command.args([
                format!("--reuid={user}"),
                format!("--regid={group}"),
                "--clear-groups".to_owned(),
            ]);
        }
        // Messages in English whatever the machine speaks: its start is recognised by one.
        command.args(["--pdeathsig", "QUIT"]).arg(self.binaries.join(program)).env("LC_ALL", "C.UTF-8");
        command
    }

    /// A new directory that the server may write to.
    fn own_directory(&self) -> TempDir {
        let directory = tempfile::Builder::new().prefix("keybell-pg-").tempdir();
        let directory = directory.expect("a temporary directory can be made");
        if let Some((user, group)) = self.run_as {
            chown(directory.path(), Some(user), Some(group)).expect("root may give a directory away");
        }
        directory
    }

    /// A data directory as `initdb` makes it, made by whoever needs it first on this machine.
    fn template(&self) -> PathBuf {
        let owner = self.run_as.map_or_else(|| geteuid().as_raw(), |(user, _)| user);
        let template = std::env::temp_dir()
            .join(format!("keybell-postgres-{}-template-{owner}", self.version))
            .join("data");
        // One that somebody else put there is not trusted.
        if template.metadata().is_ok_and(|found| found.uid() == owner) {
            return template;
        }
        let directory = self.own_directory();
        let made = self
            .command("initdb")
            .args([
                "-U",
                ROLE,
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "--wal-segsize=4",
                "-D",
            ])
            .arg(directory.path().join("data"))
            .output()
            .expect("initdb is beside the server");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let parent = template.parent().expect("it was joined");
        // Where another process was quicker, its template does as well.
        let kept = directory.keep();
        if std::fs::rename(&kept, parent).is_err() {
            drop(std::fs::remove_dir_all(&kept));
        }
        assert!(template.exists(), "{} is not a data directory; remove it", parent.display());
        template
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postgres_server_starts_makes_databases_dies_and_starts_again() {
        let server = TestPostgres::start_fast();
        let first = server.process();
        assert_ne!(server.new_database(), server.new_database());
        server.kill9();
        assert!(!Path::new(&format!("/proc/{first}")).exists());
        server.restart();
        assert_ne!(server.process(), first);
        server.new_database();
        let process = server.process();
        drop(server);
        assert!(!Path::new(&format!("/proc/{process}")).exists());
    }

    #[test]
    fn a_postgres_url_can_hold_any_directory() {
        assert_eq!(database_url(Path::new("/tmp/a b-c"), "k"), "postgres://keybell@%2Ftmp%2Fa%20b-c/k");
    }
}
