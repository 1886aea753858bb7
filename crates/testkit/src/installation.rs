//! A real Keybell: the binary as a child process, on a free port, with data that is thrown away.
//!
//! Used by the tests that are about the process itself (browser, crash, start-up) and by the benches. It is told only what
//! an operator can tell it: a configuration file, commands and signals.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tempfile::TempDir;

/// How long a start may take, migrations on a busy machine included.
const START_MAX: Duration = Duration::from_mins(1);
/// How much of the log an error shows, lines from the end.
const LOG_SHOWN_LINES: usize = 40;

/// Where the binary comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As the tests are built.
    Debug,
    /// As operators run it; for benches.
    Release,
}

/// One installation in a folder of its own. Its process ends with this value.
pub struct Installation {
    folder: TempDir,
    binary: PathBuf,
    address: SocketAddr,
    running: Option<Running>,
}

struct Running {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Installation {
    /// Prepares an installation that keeps its data at `database` (`postgres://…`; `None` is SQLite in its folder).
    /// `settings` is TOML to add to its configuration: whole sections other than `[server]` and `[database]`. Webhooks on
    /// loopback and over plain HTTP are allowed unless `settings` has a `[delivery]` of its own.
    ///
    /// The binary is `KEYBELL_BINARY` where that is set; otherwise cargo builds it first.
    pub fn prepare(profile: Profile, database: Option<&str>, settings: &str) -> Result<Installation, String> {
        Installation::of_binary(binary(profile)?, database, settings)
    }

    /// The same with a binary that is there already: cargo tells the binary's own tests where it is.
    pub fn of_binary(
        binary: PathBuf,
        database: Option<&str>,
        settings: &str,
    ) -> Result<Installation, String> {
        let folder =
            TempDir::with_prefix("keybell-").map_err(|error| format!("no throw-away folder: {error}"))?;
        let address = free_address().map_err(|error| format!("no free port: {error}"))?;
        let beside = format!("sqlite:{}", folder.path().join("keybell.db").display());
        let mut text = format!(
            "[server]\nlisten = \"{address}\"\npublic_url = \"http://{address}\"\n\n[database]\nurl = \"{}\"\n\n",
            database.unwrap_or(&beside)
        );
        if !settings.contains("[delivery]") {
            text.push_str("[delivery]\nrequire_https = false\nallowed_networks = [\"127.0.0.0/8\"]\n\n");
        }
        text.push_str(settings);
        std::fs::write(folder.path().join("keybell.toml"), text)
            .map_err(|error| format!("the configuration cannot be written: {error}"))?;
        Ok(Installation { folder, binary, address, running: None })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its folder: configuration, database, master key.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// Runs a command of the binary with this installation's configuration to its end.
    pub fn command(&self, arguments: &[&str]) -> Result<Output, String> {
        let output = self.program().args(arguments).args(["--config", "keybell.toml"]).output();
        output.map_err(|error| format!("{} cannot be started: {error}", self.binary.display()))
    }

    /// Makes an operator key and gives its secret key. Before [`Installation::serve`], so that no server has to notice.
    pub fn operator_key(&self, name: &str) -> Result<String, String> {
        let output = self.command(&["operator-key", "create", "--name", name])?;
        if !output.status.success() {
            return Err(format!("`operator-key create`: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Starts serving, and returns when it says where it listens.
    pub fn serve(&mut self) -> Result<(), String> {
        self.launch()?;
        let address = self.address.to_string();
        self.wait_for_line(|line| line.contains(&address)).map(drop)
    }

    /// Starts the process of [`Installation::serve`], and does not wait for it.
    pub fn launch(&mut self) -> Result<(), String> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log());
        let log = log.map_err(|error| format!("its log cannot be written: {error}"))?;
        let mut child = self
            .program()
            .args(["serve", "--config", "keybell.toml"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", self.binary.display()))?;
        let stdout = child.stdout.take().ok_or("its standard output is piped")?;
        let (sender, lines) = channel();
        // Ends with the child: its end of the pipe is closed then.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        self.running = Some(Running { child, lines, said: Vec::new() });
        Ok(())
    }

    /// The first line on standard output that `fits`, of those already printed or to come.
    pub fn wait_for_line(&mut self, fits: impl Fn(&str) -> bool) -> Result<String, String> {
        let log = self.log();
        let running = self.running.as_mut().ok_or("it is not running")?;
        if let Some(line) = running.said.iter().find(|line| fits(line)) {
            return Ok(line.clone());
        }
        loop {
            match running.lines.recv_timeout(START_MAX) {
                Ok(line) => {
                    running.said.push(line.clone());
                    if fits(&line) {
                        return Ok(line);
                    }
                }
                Err(why) => {
                    let ended = why == RecvTimeoutError::Disconnected;
                    let what = if ended { "ended" } else { "said nothing of it for a minute" };
                    return Err(format!(
                        "keybell {what}; it said: {:#?}\n{}",
                        running.said,
                        last_lines(&log)
                    ));
                }
            }
        }
    }

    /// What it wrote on standard error so far: its log.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// Asks it to stop (`SIGTERM`), and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus, String> {
        let mut running = self.running.take().ok_or("it is not running")?;
        let process = running.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &process]).status();
        asked.map_err(|error| format!("`kill -TERM {process}` cannot be run: {error}"))?;
        running.child.wait().map_err(|error| format!("its end cannot be awaited: {error}"))
    }

    /// Ends it at once (`SIGKILL`), as a crash would. [`Installation::serve`] starts it again on the same data.
    pub fn kill(&mut self) {
        // Dropping it kills it and waits.
        self.running = None;
    }

    fn program(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KEYBELL__"))
        {
            command.env_remove(name);
        }
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("keybell.log")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary, built first unless `KEYBELL_BINARY` names it: it is another crate's, so cargo does not know we need it.
pub fn binary(profile: Profile) -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("KEYBELL_BINARY") {
        return Ok(PathBuf::from(given));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "keybell"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    let status =
        build.stdin(Stdio::null()).status().map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err("cargo cannot build the package keybell".to_owned());
    }
    // This program lies in target/<profile> or, if it is a test, in target/<profile>/deps.
    let own =
        std::env::current_exe().map_err(|error| format!("where this program lies is not known: {error}"))?;
    let folder = if profile == Profile::Release { "release" } else { "debug" };
    let target = own.ancestors().find(|each| each.join(folder).join("keybell").is_file());
    let target = target.ok_or_else(|| format!("no {folder}/keybell above {}", own.display()))?;
    Ok(target.join(folder).join("keybell"))
}

/// An address on loopback that was free a moment ago.
pub fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let mut shown = String::from("the end of its log:\n");
    for line in &lines[lines.len().saturating_sub(LOG_SHOWN_LINES)..] {
        let _ = writeln!(shown, "  {line}");
    }
    shown
}
