//! Fills the demo: declares what the platform declares, makes its people, starts the platform and the receiver, and lets
//! some things happen.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use keybell_app::App;
use keybell_app::accounts::NewAccount;
use keybell_core::grant::Origin;
use keybell_core::key::RequestKind;
use keybell_core::{AccountId, Problem, Randomness, Role};
use keybell_demo::keybell::Keybell;
use keybell_demo::platform::{Platform, Say};
use keybell_demo::receiver::Receiver;
use keybell_demo::{RemoteVerifier, api, catalogue, courier, onboarding, world};
use tokio::time::Instant;

use super::guide::Guide;
use super::ports::{Ports, url_of};
use crate::failure::Failure;
use crate::system::{SystemClock, SystemRandomness};

/// How long the demo waits for its history to be delivered before it shows its pages anyway.
const HISTORY_WAIT: Duration = Duration::from_secs(10);
/// How often it looks.
const HISTORY_LOOK: Duration = Duration::from_millis(20);
/// The people of the first workspace: name, e-mail address, role. The first is who the link signs in.
const PEOPLE: [(&str, &str, Role); 3] = [
    ("Ada Acton", "ada@acme.example", Role::Owner),
    ("Grace Chen", "grace@acme.example", Role::Member),
    ("Guido Rossi", "guido@acme.example", Role::Guest),
];

/// Fills it, and tells how to look at it. What was started runs on the present runtime.
pub(super) async fn furnish(app: &App, ports: Ports, month: Duration) -> Result<Guide, Failure> {
    let say: Say = Arc::new(|line| println!("{line}"));
    let keybell_url = ports.keybell_url();
    let (platform_url, receiver_url) = (url_of(&ports.platform)?, url_of(&ports.receiver)?);

    let operator_key = app.create_operator_key("Meridian's backend").await?;
    let keybell = Keybell::new(&keybell_url, operator_key.reveal());
    let not_furnished = "the demo could not be prepared";
    catalogue::declare(&keybell).await.map_err(Failure::doing(not_furnished))?;
    let webhook_url = format!("{receiver_url}/webhook");
    let made = onboarding::onboard(&keybell, &webhook_url).await.map_err(Failure::doing(not_furnished))?;
    let (password, sign_in_link) = people(app, operator_key.reveal()).await?;

    let receiver = Receiver::new(Arc::clone(&say));
    receiver.trust(&made.signing_secret).map_err(Failure::doing(not_furnished))?;
    serve(ports.receiver, receiver.router());

    let platform = Platform::new(world::book(), Arc::new(SystemClock), say);
    let verifier =
        RemoteVerifier::new(&keybell_url, operator_key.reveal()).map_err(Failure::doing(not_furnished))?;
    let key_of_the_curl_lines = made.secret_key.clone();
    let routes = api::router(platform.clone(), &verifier)
        .route("/demo/api-key", get(async move || format!("{key_of_the_curl_lines}\n")));
    serve(ports.platform, routes);
    tokio::spawn(courier::run(platform.clone(), keybell));
    world::make_history(&platform).map_err(Failure::doing(not_furnished))?;
    wait_for_history(&receiver).await;
    tokio::spawn(world::pass_time(platform, month));

    Ok(Guide {
        sign_in_url: format!("{keybell_url}/sign-in/{sign_in_link}"),
        email: PEOPLE[0].1,
        password,
        keybell_url,
        platform_url,
        receiver_url,
        secret_key: made.secret_key,
    })
}

/// Makes the people of the first workspace; their password, and what signs the first one in once.
async fn people(app: &App, operator_key: &str) -> Result<(String, String), Problem> {
    let operator = app.actor_of_secret(operator_key, None, RequestKind::Unknown)?;
    let workspace = app.resolve_workspace(&operator, world::WORKSPACES[0].0)?;
    let grant = operator.grant(workspace, &Origin::default())?;
    let password = password();
    let mut accounts: Vec<AccountId> = Vec::new();
    for (name, email, role) in PEOPLE {
        let new =
            NewAccount { name: name.to_owned(), email: email.to_owned(), password: password.clone(), role };
        accounts.push(app.create_account(grant.clone(), new).await?);
    }
    let link = app.sign_in_link(accounts[0]).await?;
    Ok((password, link.reveal().to_owned()))
}

/// A password for the time of the demo.
fn password() -> String {
    let randomness: &dyn Randomness = &SystemRandomness;
    let number = u128::from_le_bytes(randomness.bytes());
    format!("demo-{number:032x}")
}

fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move {
        let served = async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
        };
        if let Err(error) = served.await {
            tracing::error!(%error, "a part of the demo is no longer served");
        }
    });
}

async fn wait_for_history(receiver: &Receiver) {
    let until = Instant::now() + HISTORY_WAIT;
    while receiver.received().len() < world::HISTORY_EVENTS && Instant::now() < until {
        tokio::time::sleep(HISTORY_LOOK).await;
    }
}
