//! `keybell serve`: the server.

use std::io::Write as _;
use std::process::ExitCode;

use keybell_app::App;
use keybell_web::Site;

use crate::config::{Config, Environment, reached_at};
use crate::control::ControlSocket;
use crate::failure::Failure;
use crate::installation::open;
use crate::serving::{ConnectionLimits, Connections, Listeners, Workers, listen};
use crate::shutdown::{self, Signals};
use crate::{logging, metrics, system};

/// Serves until it is asked to end.
pub(crate) fn run(config: &Config, environment: &Environment) -> Result<ExitCode, Failure> {
    logging::start(config.log);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::doing("a runtime cannot be made"))?;
    runtime.block_on(async {
        let mut signals = Signals::catch()?;
        let running = Running::start(config, environment).await?;
        say(&format!("listening on http://{}", reached_at(running.listen)));
        running.say_setup_link().await?;
        signals.next().await;
        tokio::spawn(signals.end_at_once());
        running.end().await;
        Ok::<(), Failure>(())
    })?;
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// A server at work.
pub(crate) struct Running {
    /// The use cases.
    pub(crate) app: App,
    /// Where it listens.
    pub(crate) listen: std::net::SocketAddr,
    store: keybell_store::Store,
    connections: Connections<Site>,
    workers: Workers,
}

impl Running {
    /// Opens the installation and serves it.
    pub(crate) async fn start(config: &Config, environment: &Environment) -> Result<Running, Failure> {
        system::raise_open_files_limit();
        let recorder = metrics::record()?;
        let threads = config.server.threads.unwrap_or_else(cores);
        let opened = open(config, environment)?;
        let store = opened.store.clone();
        let listeners = listen(config.server.listen, threads, "server.listen")?;
        let metrics_listeners = config
            .server
            .metrics_listen
            .map(|address| listen(address, 1, "server.metrics_listen"))
            .transpose()?;
        let app = opened.start(config, listeners.address).await?;
        warn_of_plain_http(&app);

        let workers = Workers::start(threads)?;
        app.start_engine(workers.handles()).await?;
        tokio::spawn(metrics::keep_up(recorder.clone()));
        let render = metrics::renderer(&recorder, &app, &store);
        let site = match metrics_listeners {
            None => keybell_web::site_with_metrics(app.clone(), render),
            Some(listeners) => {
                tracing::info!(address = %listeners.address, "serving metrics");
                for socket in listeners.sockets {
                    tokio::spawn(metrics::serve(socket, render.clone()));
                }
                keybell_web::site(app.clone())
            }
        };
        match ControlSocket::bind(&config.data_dir()) {
            Ok(socket) => drop(tokio::spawn(socket.serve(app.clone()))),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "no control socket: `keybell operator-key` cannot reach this server");
            }
        }
        let limits = ConnectionLimits {
            max_connections: config.server.max_connections,
            header_timeout: config.server.header_timeout,
        };
        let connections = Connections::new(site, limits);
        let Listeners { address: listen, sockets } = listeners;
        for (socket, worker) in sockets.into_iter().zip(workers.handles()) {
            worker.spawn(connections.clone().accept(socket));
        }
        Ok(Running { app, listen, store, connections, workers })
    }

    /// Prints the link with which the first owner begins, while nobody has an account.
    async fn say_setup_link(&self) -> Result<(), Failure> {
        let link = self.app.setup_link_if_needed().await?;
        if let Some(link) = link {
            let public_url = self.app.settings().public_url.as_str().trim_end_matches('/');
            say("nobody has an account yet; with this link the first owner begins:");
            say(&format!("{public_url}/setup/{}", link.reveal()));
        }
        Ok(())
    }

    /// Ends in order.
    pub(crate) async fn end(self) {
        shutdown::end(&self.connections, &self.app, &self.store, self.workers).await;
    }
}

/// A line on standard output. Where nobody reads it, that is no reason to end.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "keybell: {line}").and_then(|()| out.flush());
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn warn_of_plain_http(app: &App) {
    let url = &app.settings().public_url;
    if url.scheme() == "http" {
        tracing::warn!(
            server.public_url = %url,
            "the public URL is plain HTTP: whoever can listen in sees keys and sessions. Put a proxy with TLS in front and \
             set server.public_url to its https address"
        );
    }
}
