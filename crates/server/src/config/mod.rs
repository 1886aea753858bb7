//! The configuration: read once at start, from the defaults, a file and the environment; wrong settings are refused, all at
//! once, each with its name, its value and what it can be.
//!
//! Secrets are not in it: the master key has a file of its own (see `master_key`), and the password of a database prints
//! nowhere.

mod brand;
mod database;
mod delivery;
mod duration;
mod fault;
mod keys;
mod layers;
mod limits;
mod log;
mod reader;
mod server;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use keybell_app::Settings;
use keybell_app::settings::{DeliverySettings, LimitSettings, RetentionSettings};
use keybell_store::DatabaseUrl;
use toml::Value;
use url::Url;

pub(crate) use brand::Brand;
pub(crate) use database::Database;
pub(crate) use duration::parse as parse_duration;
pub(crate) use fault::BadConfig;
use fault::Origin;
pub(crate) use keys::Keys;
pub(crate) use layers::DEFAULT;
use layers::{Layers, MASTER_KEY_VARIABLE};
pub(crate) use log::{Format, Log};
use reader::Reader;
pub(crate) use server::Server;

/// The folder for the data where the database is no file and none is named.
const DATA_DIR: &str = "keybell-data";

/// The configuration that holds.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// `[server]`.
    pub(crate) server: Server,
    /// `[database]`.
    pub(crate) database: Database,
    /// `[brand]`.
    pub(crate) brand: Brand,
    /// `[keys]`.
    pub(crate) keys: Keys,
    /// `[events] declare_on_publish`.
    pub(crate) declare_on_publish: bool,
    /// `[delivery]`.
    pub(crate) delivery: DeliverySettings,
    /// `[limits]`.
    pub(crate) limits: LimitSettings,
    /// `[retention]`.
    pub(crate) retention: RetentionSettings,
    /// `[log]`.
    pub(crate) log: Log,
    effective: String,
}

/// The variables of the environment that are ours: settings, and the master key apart from them.
pub(crate) struct Environment {
    variables: Vec<(String, String)>,
}

impl Environment {
    /// The process's own.
    pub(crate) fn of_process() -> Environment {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        let both = |(name, value)| Some((text(name)?, text(value)?));
        Environment { variables: std::env::vars_os().filter_map(both).collect() }
    }

    /// None of them, for a command that sets everything itself.
    pub(crate) fn none() -> Environment {
        Environment { variables: Vec::new() }
    }

    /// The master key, where the environment has it.
    pub(crate) fn master_key(&self) -> Option<&str> {
        let found = self.variables.iter().find(|(name, _)| name == MASTER_KEY_VARIABLE);
        found.map(|(_, value)| value.as_str())
    }
}

impl Config {
    /// What holds: the environment over the file over the defaults.
    pub(crate) fn load(file: Option<&Path>, environment: &Environment) -> Result<Config, BadConfig> {
        let mut layers = Layers::defaults();
        if let Some(file) = file {
            layers.lay_file(file);
        }
        layers.lay_environment(environment.variables.iter().cloned());
        Config::read(layers)
    }

    /// The defaults, with what a command sets itself in place of a file and the environment.
    pub(crate) fn of_command(settings: Vec<(&str, Value)>) -> Result<Config, BadConfig> {
        let mut layers = Layers::defaults();
        for (setting, value) in settings {
            layers.lay(setting, value, Origin::Command);
        }
        Config::read(layers)
    }

    fn read(layers: Layers) -> Result<Config, BadConfig> {
        let mut from = Reader::new(layers);
        let server = Server::read(&mut from);
        let database = Database::read(&mut from);
        let effective = database.as_ref().map(|database| effective(from.layers(), &database.url));
        let brand = Brand::read(&mut from);
        let keys = Keys::read(&mut from);
        let declare_on_publish = from.flag("events.declare_on_publish");
        let delivery = delivery::read(&mut from);
        let limits = limits::read(&mut from);
        let retention = limits::read_retention(&mut from);
        let log = Log::read(&mut from);
        let faults = from.into_faults();
        let read = || {
            Some(Config {
                server: server?,
                database: database?,
                brand: brand?,
                keys: keys?,
                declare_on_publish: declare_on_publish?,
                delivery: delivery?,
                limits: limits?,
                retention: retention?,
                log: log?,
                effective: effective?,
            })
        };
        match read() {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(BadConfig(faults)),
        }
    }

    /// The settings that hold as TOML, each with where it was written; without passwords.
    pub(crate) fn effective(&self) -> &str {
        &self.effective
    }

    /// The folder for the master key and the control socket.
    pub(crate) fn data_dir(&self) -> PathBuf {
        let beside_database = || {
            let path = self.database.url.sqlite_path()?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            Some(folder.map_or_else(|| PathBuf::from("."), Path::to_owned))
        };
        self.server.data_dir.clone().or_else(beside_database).unwrap_or_else(|| PathBuf::from(DATA_DIR))
    }

    /// The file of the master key.
    pub(crate) fn master_key_file(&self) -> PathBuf {
        self.server.master_key_file.clone().unwrap_or_else(|| self.data_dir().join("master.key"))
    }

    /// What the use cases need to know, for a server that listens on `listen`; `machine` is the name of the machine.
    pub(crate) fn settings(&self, listen: SocketAddr, machine: &str) -> Settings {
        Settings {
            public_url: self.server.public_url.clone().unwrap_or_else(|| {
                Url::parse(&format!("http://{}", reached_at(listen)))
                    .expect("an address and a port make a URL")
            }),
            brand_name: self.brand.name.clone(),
            key_prefix: self.brand.key_prefix.to_string(),
            node: self.server.node.clone().unwrap_or_else(|| machine.to_owned()),
            trusted_proxies: self.server.trusted_proxies.clone(),
            delivery: self.delivery.clone(),
            rate_limits: self.keys.rate_limits.clone(),
            refuse_browsers: self.keys.refuse_browsers,
            limits: self.limits.clone(),
            retention: self.retention.clone(),
            event_types_on_the_fly: self.declare_on_publish,
            listen,
        }
    }
}

/// Where a listener on this machine is reached from this machine.
pub(crate) fn reached_at(listen: SocketAddr) -> SocketAddr {
    let mut reached = listen;
    if listen.ip().is_unspecified() {
        reached.set_ip(if listen.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    reached
}

/// The URL of the database is printed by what parsed it, which leaves the password out.
fn effective(layers: &Layers, database: &DatabaseUrl) -> String {
    let mut text = String::new();
    let mut section_before = "";
    for (name, setting) in &layers.settings {
        let (section, key) = name.split_once('.').expect("a setting has a section");
        if section != section_before {
            let gap = if text.is_empty() { "" } else { "\n" };
            writeln!(text, "{gap}[{section}]").expect("a text takes every line");
            section_before = section;
        }
        let value = match name.as_str() {
            "database.url" => Value::String(database.to_string()).to_string(),
            _ => setting.value.to_string(),
        };
        let comment = match &setting.origin {
            Origin::Default => String::new(),
            origin => format!("  # {origin}"),
        };
        writeln!(text, "{key} = {value}{comment}").expect("a text takes every line");
    }
    text
}

#[cfg(test)]
mod tests;
