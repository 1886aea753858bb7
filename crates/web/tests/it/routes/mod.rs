//! What holds for every route, asked of the list that the router is made from: a new route is asked too, without anybody having
//! thought of it.

mod cookies;
mod cross_site;
mod headers;
mod methods;
mod offers;
mod strangers;
mod zero_bytes;

use std::path::{Path, PathBuf};

use keybell_core::{AccountId, Role};
use keybell_testkit::app::{Client, On, TestApp, settings};
use keybell_testkit::receiver::{Receiver, Reply};
use keybell_web::{Route, Serves, To};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::newsroom::{PATIENCE, TYPE, text};

/// Two workspaces that have one of everything, each with an owner.
pub(crate) struct Scene {
    pub(crate) app: TestApp,
    pub(crate) ours: Place,
    theirs: Place,
    /// Live links, and names of what is the same for everybody, by the parameter that they stand for.
    common: Vec<(&'static str, String)>,
    _receiver: Receiver,
}

/// A workspace, and a thing of each kind in it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) workspace: String,
    /// The token of its owner's session.
    owner: String,
    pub(crate) key: String,
    pub(crate) webhook: String,
    /// It failed.
    delivery: String,
    event: String,
}

impl Scene {
    pub(crate) async fn open() -> Scene {
        Scene::open_on(On::Memory).await
    }

    async fn open_on(on: On) -> Scene {
        let mut settings = settings();
        settings.delivery.retry_schedule.clear();
        let app = TestApp::start_with(on, settings).await;
        let set_up = app.app.setup_link_if_needed().await.expect("made").expect("nobody has an account");
        app.operator().post("/v1/event-types", json!({ "name": TYPE })).await.done(201);
        app.operator()
            .post("/v1/scopes", json!({ "name": "reports:read", "description": "" }))
            .await
            .done(201);
        app.app.start_engine(&[Handle::current()]).await.expect("the engine starts");
        let receiver = Receiver::start(|_| Reply::status(500));
        let mut places = Vec::new();
        for name in ["Evergreen", "Northwind"] {
            let workspace = app.workspace(name).await;
            let owner = app.member(&workspace, Role::Owner).await;
            places.push(furnished(&app, &app.operator(), &workspace, &owner, &receiver).await);
        }
        let [ours, theirs] = <[Place; 2]>::try_from(places).unwrap_or_else(|_| unreachable!("two were made"));
        let sign_in = app.app.sign_in_link(account(&app, &ours.owner).await).await.expect("made");
        let common = vec![
            ("/setup/{link}", format!("/setup/{}", set_up.reveal())),
            ("/sign-in/{link}", format!("/sign-in/{}", sign_in.reveal())),
            ("/assets/{name}", linked(&app, "/sign-in", "/assets/").await),
            ("/docs/api/{section}", linked(&app, "/docs/api", "/docs/api/").await),
            ("/problems/{code}", "/problems/not_found".to_owned()),
            ("/v1/scopes/{name}", "/v1/scopes/reports:read".to_owned()),
            ("/v1/event-types/{name}", format!("/v1/event-types/{TYPE}")),
        ];
        Scene { app, ours, theirs, common, _receiver: receiver }
    }

    /// Every route there is.
    pub(crate) fn routes(&self) -> Vec<Route> {
        let metrics: keybell_web::RenderMetrics = std::sync::Arc::new(String::new);
        let all = keybell_web::routes_with_metrics(self.app.app.clone(), metrics).listed().to_vec();
        assert!(all.len() > 100, "the guards would guard nothing");
        all
    }

    /// Those of the pages, and of what belongs to them.
    fn of_pages(&self) -> Vec<Route> {
        self.routes()
            .into_iter()
            .filter(|route| route.serves != Serves::Api && route.path != "/metrics")
            .collect()
    }

    /// The address of a route with what is in our workspace.
    pub(crate) fn path(&self, route: &Route) -> String {
        self.path_in(route, &self.ours, &self.ours)
    }

    /// The address of a route in the workspace of `within`, with the ids of `things`.
    fn path_in(&self, route: &Route, within: &Place, things: &Place) -> String {
        let whole = self.common.iter().find(|(path, _)| *path == route.path).map(|(_, path)| path.as_str());
        let of_api = |kind: &str| match kind {
            "api-keys" => things.key.as_str(),
            "webhooks" => things.webhook.as_str(),
            "deliveries" => things.delivery.as_str(),
            _ => things.event.as_str(),
        };
        let mut segments = Vec::new();
        for segment in whole.unwrap_or(&route.path).split('/') {
            segments.push(match segment {
                "{workspace}" => within.workspace.as_str(),
                "{key}" => things.key.as_str(),
                "{webhook}" => things.webhook.as_str(),
                "{delivery}" => things.delivery.as_str(),
                "{event}" => things.event.as_str(),
                "{event_type}" => TYPE,
                "{*rest}" => "nothing/here",
                "{id}" => of_api(segments.last().copied().unwrap_or_default()),
                other => other,
            });
        }
        let path = segments.join("/");
        assert!(!path.contains('{'), "what stands for the parameters of {path}? See `Scene`");
        // The page that asks before all that a filter means is made again is there for a filter only.
        if path.ends_with("/deliveries/resend") && route.serves == Serves::Page {
            path + "?status=failed"
        } else {
            path
        }
    }

    /// Everything that somebody could change in a workspace, as text.
    async fn state(&self, place: &Place) -> String {
        let mut state = String::new();
        for list in ["", "/api-keys", "/webhooks", "/deliveries", "/events", "/audit-log"] {
            let limit = if list.is_empty() { "" } else { "?limit=250" };
            let path = format!("/v1/workspaces/{}{list}{limit}", place.workspace);
            state.push_str(&self.app.operator().get(&path).await.done(200).to_string());
        }
        state
    }

    /// Waits until nothing is under way.
    async fn quiet(&self) {
        quiet(&self.app).await;
    }

    /// One more session of somebody.
    async fn session_of(&self, account: AccountId) -> String {
        let link = self.app.app.sign_in_link(account).await.expect("made");
        let answer = self.app.stranger().post_form(&format!("/sign-in/{}", link.reveal()), &[]).await;
        let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default();
        cookie.split_once('=').expect("the link signs in").1.to_owned()
    }
}

async fn account(app: &TestApp, token: &str) -> AccountId {
    app.app.signed_in(token).await.expect("they are signed in").account
}

async fn quiet(app: &TestApp) {
    tokio::time::timeout(PATIENCE, app.app.engine().quiet()).await.expect("the engine comes to rest");
}

/// One of everything in `workspace`, made by `maker`.
async fn furnished(
    app: &TestApp,
    maker: &Client<'_>,
    workspace: &str,
    owner: &str,
    receiver: &Receiver,
) -> Place {
    let path = format!("/v1/workspaces/{workspace}");
    let key = maker.post(&format!("{path}/api-keys"), json!({ "name": "Import" })).await.done(201);
    // In the overlap of a rotation there is more to do with it.
    maker.post_empty(&format!("{path}/api-keys/{}/rotate", text(&key["id"]))).await.done(200);
    let webhook = json!({ "name": "Warehouse", "url": receiver.url("/in"), "events": ["*"] });
    let webhook = maker.post(&format!("{path}/webhooks"), webhook).await.done(201);
    let event = json!({ "type": TYPE, "data": { "title": "Chips" } });
    let event = app.operator().post(&format!("{path}/events"), event).await.done(202);
    quiet(app).await;
    let of_webhook = format!("{path}/deliveries?webhook_id={}", text(&webhook["id"]));
    let delivery = app.operator().get(&of_webhook).await.done(200)["data"][0].clone();
    assert_eq!(delivery["status"], "failed");
    let id = |thing: &Value| text(&thing["id"]).to_owned();
    let (key, webhook, delivery, event) = (id(&key), id(&webhook), id(&delivery), id(&event));
    Place { workspace: workspace.to_owned(), owner: owner.to_owned(), key, webhook, delivery, event }
}

/// The first address on a page that begins with `start`.
async fn linked(app: &TestApp, page: &str, start: &str) -> String {
    let answer = app.stranger().get(page).await;
    let found = answer.text().split('"').find(|part| part.starts_with(start) && part.len() > start.len());
    found.unwrap_or_else(|| panic!("{page} links to none")).to_owned()
}

#[tokio::test]
async fn the_list_of_routes_changes_only_on_purpose() {
    let word = |to| match to {
        To::Everybody => "everybody",
        To::SignedIn => "whoever is signed in",
        To::Members => "members",
        To::Credentials => "credentials",
    };
    let line = |route: &Route| {
        let Route { method, path, serves, to, cache } = route;
        format!("{method} {path}: {serves:?} for {}, {cache}", word(*to))
    };
    let mut lines: Vec<String> = Scene::open().await.routes().iter().map(line).collect();
    lines.sort();
    insta::assert_snapshot!("routes", lines.join("\n"));
}

/// Only [`keybell_web::Routes`] puts a route into the list and into the router at once.
#[test]
fn nothing_but_the_list_makes_a_route() {
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("its entries can be read").path();
            if path.is_dir() { sources(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let mut makers = Vec::new();
    for path in found {
        let text = std::fs::read_to_string(&path).expect("it is text");
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for call in [".route(", ".route_service(", ".nest(", ".nest_service(", ".fallback_service("] {
            let name = path.file_name().and_then(|name| name.to_str()).expect("names are text");
            makers.extend(text.matches(call).map(|call| format!("{name} {call}")));
        }
    }
    makers.sort();
    // `/metrics` on a listener of its own is no route of the site.
    assert_eq!(makers, ["health.rs .route(", "routes.rs .route("]);
}
