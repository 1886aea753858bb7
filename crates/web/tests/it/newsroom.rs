//! What the tests of deliveries share: a workspace with a webhook to a receiver, and an engine that delivers.

use std::time::Duration;

use keybell_app::settings::Settings;
use keybell_testkit::app::{On, TestApp, settings};
use keybell_testkit::receiver::Receiver;
use serde_json::{Value, json};
use tokio::runtime::Handle;

/// How long a test waits for what takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// The event type of most tests.
pub(crate) const TYPE: &str = "research_report.published";

/// An installation at work for one workspace.
pub(crate) struct Newsroom {
    pub(crate) app: TestApp,
    pub(crate) workspace: String,
    /// Where the workspace is.
    pub(crate) path: String,
}

impl Newsroom {
    pub(crate) async fn open(on: On) -> Newsroom {
        Newsroom::open_with(on, settings()).await
    }

    /// One that tries each delivery once: what fails has failed.
    pub(crate) async fn trying_once(on: On) -> Newsroom {
        let mut settings = settings();
        settings.delivery.retry_schedule.clear();
        Newsroom::open_with(on, settings).await
    }

    pub(crate) async fn open_with(on: On, settings: Settings) -> Newsroom {
        let app = TestApp::start_with(on, settings).await;
        app.operator()
            .post("/v1/event-types", json!({"name": TYPE, "example": {"title": "Chips"}}))
            .await
            .done(201);
        let workspace = app.workspace("Northwind").await;
        let path = format!("/v1/workspaces/{workspace}");
        app.app.start_engine(&[Handle::current()]).await.expect("the engine starts");
        Newsroom { app, workspace, path }
    }

    /// A webhook that sends everything to `receiver`, as it was made.
    pub(crate) async fn webhook(&self, receiver: &Receiver) -> Value {
        let webhook = json!({"name": "Reports", "url": receiver.url("/hooks"), "events": ["*"]});
        self.app.operator().post(&format!("{}/webhooks", self.path), webhook).await.done(201)
    }

    /// Publishes one event and comes back when nothing of it is under way.
    pub(crate) async fn publish(&self, id: &str) {
        let event = json!({"type": TYPE, "data": {"title": id}, "id": id});
        self.app.operator().post(&format!("{}/events", self.path), event).await.done(202);
        self.quiet().await;
    }

    /// Waits until nothing is under way, and what was done is on disk.
    pub(crate) async fn quiet(&self) {
        let quiet = tokio::time::timeout(PATIENCE, self.app.app.engine().quiet()).await;
        quiet.expect("the engine comes to rest");
    }

    /// The deliveries that a query finds.
    pub(crate) async fn deliveries(&self, query: &str) -> Vec<Value> {
        let path = format!("{}/deliveries?limit=250&{query}", self.path);
        let listed = self.app.operator().get(&path).await.done(200);
        listed["data"].as_array().expect("a list").clone()
    }

    /// Waits until a query finds so many deliveries.
    pub(crate) async fn until(&self, query: &str, count: usize) {
        let found = async {
            while self.deliveries(query).await.len() != count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("it comes about in time");
    }

    /// Where a webhook is.
    pub(crate) fn of_webhook(&self, webhook: &Value) -> String {
        format!("{}/webhooks/{}", self.path, text(&webhook["id"]))
    }

    /// Where a delivery is.
    pub(crate) fn of_delivery(&self, delivery: &Value) -> String {
        format!("{}/deliveries/{}", self.path, text(&delivery["id"]))
    }

    /// The newest audit entry of that action.
    pub(crate) async fn audited(&self, action: &str) -> Value {
        let path = format!("{}/audit-log?action={action}", self.path);
        let answer = self.app.operator().get(&path).await;
        assert!(!answer.text().contains("whsec_"));
        answer.done(200)["data"][0].clone()
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("it is a text")
}
