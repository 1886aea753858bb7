//! `keybell demo`: Keybell, a platform that uses it and a receiver of its webhooks, in one process, with data that is
//! thrown away.

mod furnish;
mod guide;
mod ports;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use toml::Value;

use super::serve::Running;
use crate::config::{Config, Environment, parse_duration};
use crate::failure::Failure;
use crate::logging;
use crate::shutdown::Signals;
use furnish::furnish;
use ports::Ports;

/// How the demo runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The first port to try: Keybell, the platform and the receiver take the first three that are free.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// How long a month of the platform takes, after which its portfolios have new values.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = month)]
    month: Duration,
}

/// Runs until it is asked to end.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let folder = tempfile::Builder::new().prefix("keybell-demo-").tempdir();
    let folder = folder.map_err(Failure::doing("a folder for the demo's data cannot be made"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::doing("a runtime cannot be made"))?;
    let done = runtime.block_on(async {
        let mut signals = Signals::catch()?;
        let ports = Ports::find(arguments.port)?;
        let config = configuration(folder.path(), &ports)?;
        logging::start(config.log);
        let running = Running::start(&config, &Environment::none()).await?;
        let guide = furnish(&running.app, ports, arguments.month).await?;
        println!("{guide}");
        signals.next().await;
        tokio::spawn(signals.end_at_once());
        println!("\nThe demo ends; its data is removed.");
        running.end().await;
        Ok(ExitCode::SUCCESS)
    });
    runtime.shutdown_background();
    done
}

fn configuration(folder: &Path, ports: &Ports) -> Result<Config, Failure> {
    let text = |text: &str| Value::String(text.to_owned());
    Ok(Config::of_command(vec![
        ("server.listen", text(&ports.keybell.to_string())),
        ("server.public_url", text(&ports.keybell_url())),
        ("database.url", text(&format!("sqlite:{}", folder.join("keybell.db").display()))),
        ("brand.name", text("Meridian")),
        // What the platform of the brief allows.
        ("keys.reads", text("100/1m")),
        ("keys.writes", text("25/1m")),
        ("delivery.require_https", Value::Boolean(false)),
        ("delivery.allowed_networks", Value::Array(vec![text("127.0.0.0/8")])),
        // The warning about plain HTTP is for those who serve others.
        ("log.level", text("error")),
    ])?)
}

fn month(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).filter(|duration| *duration >= Duration::from_millis(100));
    duration.ok_or_else(|| "a duration of at least 100ms, such as 10s".to_owned())
}
