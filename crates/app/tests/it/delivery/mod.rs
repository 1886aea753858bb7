//! Events on their way to webhooks, over loopback, against a receiver that behaves like one.

mod accepted;
mod answers;
mod cleared;
mod failing;
mod formats;
mod growth;
mod held_back;
mod hold;
mod hostile;
mod http2;
mod kept;
mod model;
mod neighbours;
mod refused;
mod resent;
mod resolving;
mod servers;
mod standstill;
mod switched;
mod tls;
mod told;
mod used_again;

use std::time::Duration;

use keybell_app::deliveries::{DeliveryDetail, DeliveryFilter, DeliveryStatus, DeliverySummary};
use keybell_app::events::{NewEvent, Published};
use keybell_app::settings::Settings;
use keybell_app::webhooks::NewWebhook;
use keybell_app::{App, Page};
use keybell_core::grant::PublishEvents;
use keybell_core::{DeliveryId, Grant, Problem, Timestamp, WebhookId, WorkspaceId};
use keybell_testkit::receiver::Receiver;
use serde_json::value::RawValue;

use crate::house::{House, On, settings, workspace};
use crate::webhooks::{declare, new_webhook};
use crate::workspaces::{grant, operator};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// The event type of most tests.
pub(crate) const TYPE: &str = "research_report.published";

/// A house whose engine runs, and a workspace to publish in.
pub(crate) struct Desk {
    pub(crate) house: House,
    pub(crate) workspace: WorkspaceId,
}

/// A desk with the usual settings.
pub(crate) async fn desk(on: On) -> Desk {
    Desk::start(on, settings()).await
}

/// A webhook, and the secret that its receiver verifies with.
pub(crate) struct Hook {
    pub(crate) id: WebhookId,
    pub(crate) secret: String,
}

impl Desk {
    pub(crate) async fn start(on: On, settings: Settings) -> Desk {
        let desk = Desk::idle(on, settings).await;
        desk.start_engine().await;
        desk
    }

    /// A desk whose engine does not run yet.
    pub(crate) async fn idle(on: On, settings: Settings) -> Desk {
        let house = House::start(on, settings).await;
        for name in [TYPE, "portfolio.updated"] {
            declare(&house.app, name).await;
        }
        Desk { house, workspace: workspace(1) }
    }

    pub(crate) async fn start_engine(&self) {
        let here = tokio::runtime::Handle::current();
        self.app().start_engine(&[here]).await.expect("the engine starts");
    }

    pub(crate) fn app(&self) -> &App {
        &self.house.app
    }

    /// A webhook that sends everything to `receiver`.
    pub(crate) async fn hook(&self, receiver: &Receiver) -> Hook {
        self.hook_with(receiver, |_| {}).await
    }

    pub(crate) async fn hook_with(&self, receiver: &Receiver, change: impl FnOnce(&mut NewWebhook)) -> Hook {
        let mut new = NewWebhook { url: receiver.url("/hook"), ..new_webhook(&["*"]) };
        change(&mut new);
        let made = self.app().create_webhook(grant(&operator(), self.workspace), new).await;
        let (webhook, secret) = made.expect("the webhook is valid");
        Hook { id: webhook.id, secret: secret.reveal().to_owned() }
    }

    pub(crate) async fn publish(&self, data: &str) -> Published {
        let mut published = self.try_publish(vec![event(data)]).await.expect("it is accepted");
        published.pop().expect("one event")
    }

    pub(crate) async fn try_publish(&self, events: Vec<NewEvent>) -> Result<Vec<Published>, Problem> {
        let granted = events.into_iter().map(|event| (self.may_publish(), event)).collect();
        self.app().publish(granted).await
    }

    pub(crate) fn may_publish(&self) -> Grant<PublishEvents> {
        grant(&operator(), self.workspace)
    }

    /// Moves the clock on and has the engine look at it.
    pub(crate) fn later(&self, by: Duration) {
        self.house.clock.advance(by);
        self.app().engine().look_again();
    }

    pub(crate) async fn deliveries(&self) -> Vec<DeliverySummary> {
        self.deliveries_where(DeliveryFilter::default()).await
    }

    pub(crate) async fn deliveries_where(&self, filter: DeliveryFilter) -> Vec<DeliverySummary> {
        let page = Page::new(Some(250), None).expect("250 is the limit");
        let listed = self.app().list_deliveries(grant(&operator(), self.workspace), filter, page).await;
        listed.expect("deliveries can be listed").data
    }

    pub(crate) async fn detail(&self, id: DeliveryId) -> DeliveryDetail {
        let found = self.app().delivery(grant(&operator(), self.workspace), id).await;
        found.expect("the delivery is there")
    }

    /// The only delivery, once nothing of it is under way.
    pub(crate) async fn only(&self) -> DeliveryDetail {
        self.quiet().await;
        let deliveries = self.deliveries().await;
        let [only] = deliveries.as_slice() else { panic!("{} deliveries", deliveries.len()) };
        self.detail(only.id).await
    }

    /// Waits until no delivery is in memory.
    pub(crate) async fn quiet(&self) {
        let quiet = tokio::time::timeout(PATIENCE, self.app().engine().quiet()).await;
        quiet.expect("the engine comes to rest");
    }

    /// Waits until `true` is what `look` gives.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, mut look: impl FnMut() -> F) {
        let looked = tokio::time::timeout(PATIENCE, async {
            while !look().await {
                tokio::task::yield_now().await;
            }
        });
        looked.await.expect("it comes about in time");
    }

    /// Waits until the only delivery has that status.
    pub(crate) async fn until_status(&self, status: DeliveryStatus) {
        self.until(|| async { self.deliveries().await.iter().all(|delivery| delivery.status == status) })
            .await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.app().now()
    }
}

/// An event with that data.
pub(crate) fn event(data: &str) -> NewEvent {
    let data = RawValue::from_string(data.to_owned()).expect("the data is JSON");
    NewEvent { event_type: TYPE.to_owned(), data, id: None, occurred_at: None }
}

/// An event with that id and data.
pub(crate) fn event_of(id: &str, data: &str) -> NewEvent {
    NewEvent { id: Some(id.to_owned()), ..event(data) }
}

/// Several of something under way at once.
pub(crate) async fn all<T>(work: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    futures_util::future::join_all(work).await
}
