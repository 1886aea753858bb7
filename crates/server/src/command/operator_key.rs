//! `keybell operator-key`: makes, lists and revokes operator keys, whether or not the server runs.
//!
//! Where a server of the same data folder runs, it is asked to do it (see `control`), and the change holds at once. Where
//! none runs, the database is changed directly. On PostgreSQL that is done beside servers on other machines too; they
//! learn of it within three seconds.

use std::process::ExitCode;

use clap::Subcommand;
use keybell_store::OpenError;

use crate::config::{Config, Environment};
use crate::control::{self, Reply, Request};
use crate::failure::Failure;
use crate::installation::{OpenFailure, open};
use crate::logging;

/// What to do with operator keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Arguments {
    /// Make an operator key, and print its secret key: it is shown this once, and may do everything.
    Create {
        /// What to call it: who will use it.
        #[arg(long)]
        name: String,
    },
    /// Show all operator keys, newest first: public identifier, when it was made, whether it is active, name.
    List,
    /// Revoke an operator key. It stays revoked.
    Revoke {
        /// Its public identifier, such as `kb_op_7Hq2mZxK9TbW`.
        id: String,
    },
}

/// Does it, and prints what there is to print, alone, on standard output.
pub(crate) fn run(
    arguments: Arguments,
    config: &Config,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    logging::start(config.log);
    let request = match arguments {
        Arguments::Create { name } => Request::CreateOperatorKey { name },
        Arguments::List => Request::ListOperatorKeys,
        Arguments::Revoke { id } => Request::RevokeOperatorKey { id },
    };
    let reply = match control::ask(&config.data_dir(), &request)? {
        Some(reply) => reply,
        None => change_directly(config, environment, request)?,
    };
    match reply {
        Reply::Text(text) => {
            print!("{text}");
            Ok(ExitCode::SUCCESS)
        }
        Reply::Refused(why) => Err(Failure::new(why)),
    }
}

fn change_directly(config: &Config, environment: &Environment, request: Request) -> Result<Reply, Failure> {
    let opened = match open(config, environment) {
        Ok(opened) => opened,
        Err(OpenFailure::Database(OpenError::InUse { path })) => {
            return Err(Failure::new(format!(
                "{} is in use by a server that does not answer on {}; run this as the user that the server runs as, \
                 with its configuration",
                path.display(),
                control::socket_of(&config.data_dir()).display()
            )));
        }
        Err(other) => return Err(other.into()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::doing("a runtime cannot be made"))?;
    runtime.block_on(async {
        let store = opened.store.clone();
        let app = opened.start(config, config.server.listen).await?;
        let reply = control::obey(&app, request).await;
        // Nothing reads the database any more when it is closed.
        drop(app);
        store.close().await;
        Ok(reply)
    })
}
