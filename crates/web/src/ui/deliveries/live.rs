//! Live: the list of deliveries told what changes.
//!
//! The list is read again about once a second while somebody looks, and what differs is sent. So it is right on every node,
//! after every restart, and with every filter; nothing has to be told to anybody while nobody looks.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event;
use futures_util::stream::{self, Stream};
use keybell_app::deliveries::{DeliveryFilter, DeliveryStatus, DeliverySummary};
use keybell_app::live::LiveView;
use keybell_app::{App, Page};
use keybell_core::grant::ReadDeliveries;
use keybell_core::{Code, DeliveryId, Problem, Timestamp};
use serde::Serialize;
use tokio::time::Instant;

use super::list::filter;
use super::{Webhooks, row};
use crate::problem::Answer;
use crate::ui::between::Between;
use crate::ui::event_stream::event_stream;
use crate::ui::fields::Fields;
use crate::ui::signed::Inside;
use crate::ui::view::deliveries::DeliveryRow;
use crate::ui::view::parts::When;

/// How often the list is read: at once, to a person.
const EVERY: Duration = Duration::from_secs(1);
/// A look that takes long is made as much more rarely: live views together leave the readers to everybody else.
const REST_PER_LOOK: u32 = 20;
/// How far back a look goes from when the view began: what is older changes unseen, and a filter that fits next to nothing
/// does not read the whole log once a second.
const LOOKS_BACK: Duration = Duration::from_hours(1);
/// Deliveries that are looked at: more in a second than anybody reads. What is further down changes unseen until the page is
/// loaded again.
const ROWS: u32 = 50;
/// After how many looks it is asked whether the person is still signed in, and what webhooks there are.
const LOOKS_PER_CHECK: u32 = 30;
/// How long a browser waits before it comes back, after the server went away.
const COME_BACK_AFTER: Duration = Duration::from_secs(2);
/// The names of the events: a delivery that is new or changed, and one that the filter no longer means.
const DELIVERY: &str = "delivery";
const GONE: &str = "gone";
/// The name of the event that says that no more will come, and that coming back is of no use.
const OVER: &str = "over";

/// A delivery as the page's script takes it: texts, and never markup.
#[derive(Serialize)]
struct Told {
    id: String,
    href: Option<String>,
    event_type: String,
    webhook: String,
    /// `good`, `warn`, `bad` or `plain`.
    tone: &'static str,
    mark: &'static str,
    status: String,
    answer: String,
    attempts: u32,
    took: String,
    at: String,
    next: Option<String>,
    waits: bool,
    may_resend: bool,
}

/// What is different from before.
#[derive(Default)]
struct News {
    /// New and changed deliveries, the newest first.
    told: Vec<Told>,
    /// What the filter no longer means.
    gone: Vec<DeliveryId>,
}

/// What is known of a delivery that was told.
type Seen = (DeliveryStatus, u32, Option<Timestamp>);

struct Looking {
    app: App,
    here: Inside,
    view: LiveView,
    filter: DeliveryFilter,
    webhooks: Webhooks,
    seen: HashMap<DeliveryId, Seen>,
    looks: u32,
    /// How long the last one took.
    took: Duration,
    is_over: bool,
}

pub(super) async fn live(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    here.grant::<ReadDeliveries>()?;
    let view = app.begin_live_view(here.place.workspace)?;
    let webhooks = Webhooks::of(&app, &here)?;
    let filter = filter(&query, &Between::read(&query));
    let from = filter.from.max(Some(app.now().before(LOOKS_BACK)));
    let filter = DeliveryFilter { from, ..filter };
    let looking = Looking {
        app,
        here,
        view,
        filter,
        webhooks,
        seen: HashMap::new(),
        looks: 0,
        took: Duration::ZERO,
        is_over: false,
    };
    Ok(event_stream(events(looking)))
}

fn events(looking: Looking) -> impl Stream<Item = Event> {
    let hello = Event::default().retry(COME_BACK_AFTER).comment("live");
    stream::unfold((looking, vec![hello]), |(mut looking, mut waiting)| async move {
        loop {
            if let Some(event) = waiting.pop() {
                return Some((event, (looking, waiting)));
            }
            // The first look is told whole: the page may be older than the wish to see it live.
            let rest = EVERY.max(looking.took * REST_PER_LOOK);
            if looking.is_over || (looking.looks > 0 && !looking.view.pause(rest).await) {
                return None;
            }
            waiting = looking.next().await;
        }
    })
}

impl Looking {
    /// What is to be told now, the last one first.
    async fn next(&mut self) -> Vec<Event> {
        self.looks += 1;
        if self.looks.is_multiple_of(LOOKS_PER_CHECK)
            && let Err(problem) = self.check().await
            && matches!(problem.code, Code::MissingCredential | Code::NotFound | Code::Forbidden)
        {
            self.is_over = true;
            // Browsers pass an event over that has no data.
            return vec![Event::default().event(OVER).data(OVER)];
        }
        // The oldest is told first. What cannot be read now is told later.
        let began = Instant::now();
        let News { told, gone } = self.look().await.unwrap_or_default();
        self.took = began.elapsed();
        let told = told.iter().filter_map(|told| Event::default().event(DELIVERY).json_data(told).ok());
        let gone = gone.iter().map(|id| Event::default().event(GONE).data(id.to_string()));
        told.chain(gone).collect()
    }

    /// Whether the person may still look; the stream has no request of its own to be refused.
    async fn check(&mut self) -> Result<(), Problem> {
        self.here.check_again(&self.app).await?;
        self.here.grant::<ReadDeliveries>()?;
        self.webhooks = Webhooks::of(&self.app, &self.here)?;
        Ok(())
    }

    /// What is different from what was seen before.
    async fn look(&mut self) -> Result<News, Problem> {
        let grant = self.here.grant::<ReadDeliveries>()?;
        let page = Page::new(Some(ROWS), None)?;
        let found = self.app.list_deliveries(grant, self.filter.clone(), page).await?.data;
        let is =
            |delivery: &DeliverySummary| (delivery.status, delivery.attempts_made, delivery.next_attempt_at);
        let seen = found.iter().map(|delivery| (delivery.id, is(delivery))).collect();
        let before = std::mem::replace(&mut self.seen, seen);
        // What is missing further up than the last row was not pushed out by newer ones.
        let last = found.last().filter(|_| found.len() == ROWS as usize).map(|delivery| delivery.id);
        let gone =
            before.keys().filter(|id| !self.seen.contains_key(id) && last.is_none_or(|last| **id > last));
        let gone = gone.copied().collect();
        let differs = found.into_iter().filter(|delivery| before.get(&delivery.id) != Some(&is(delivery)));
        let told = differs.map(|delivery| told(row(&self.here, &self.webhooks, delivery)));
        Ok(News { told: told.collect(), gone })
    }
}

fn told(row: DeliveryRow) -> Told {
    let (tone, mark) = row.status.tone.drawn();
    Told {
        id: row.id,
        href: row.href,
        event_type: row.event_type,
        webhook: row.webhook,
        tone,
        mark,
        status: row.status.word,
        answer: row.answer,
        attempts: row.attempts,
        took: row.took,
        at: row.at.exact(),
        next: row.next.map(When::exact),
        waits: row.waits,
        may_resend: row.may_resend,
    }
}
