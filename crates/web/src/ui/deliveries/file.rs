//! The list of deliveries as a file.

use axum::extract::State;
use axum::response::Response;
use keybell_app::deliveries::{DeliveryFilter, DeliverySummary};
use keybell_app::{App, Listing, Page};
use keybell_core::{Problem, Timestamp};

use super::list::{FILTERS, strictly};
use super::{Webhooks, list_of};
use crate::problem::Answer;
use crate::ui::download::{self, Rows};
use crate::ui::fields::Fields;
use crate::ui::signed::Inside;

/// The deliveries that are downloaded.
struct Deliveries {
    filter: DeliveryFilter,
    webhooks: Webhooks,
}

/// The file of what the list's page shows by the same filter.
pub(super) async fn download(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let deliveries = Deliveries { filter: strictly(&query)?, webhooks: Webhooks::of(&app, &here)? };
    let list = list_of(&here);
    Ok(download::file(app, here, &query, &list, &FILTERS, deliveries).await?)
}

impl Rows for Deliveries {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "created_at",
        "event_type",
        "event_id",
        "webhook_id",
        "webhook_name",
        "status",
        "attempts_made",
        "last_response_status",
        "next_attempt_at",
        "completed_at",
    ];

    async fn read(&self, app: &App, here: &Inside, page: Page) -> Result<Listing<Vec<String>>, Problem> {
        let found = app.glance_at_deliveries(here.grant()?, self.filter.clone(), page).await?;
        let rows = found.data.into_iter().map(|delivery| self.cells(delivery));
        Ok(Listing { data: rows.collect(), next_cursor: found.next_cursor })
    }
}

impl Deliveries {
    fn cells(&self, delivery: DeliverySummary) -> Vec<String> {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        vec![
            delivery.id.to_string(),
            delivery.created_at.to_string(),
            delivery.event_type,
            delivery.event_id.to_string(),
            delivery.webhook_id.to_string(),
            self.webhooks.name(delivery.webhook_id),
            delivery.status.as_str().to_owned(),
            delivery.attempts_made.to_string(),
            delivery.last_response_status.map(|status| status.to_string()).unwrap_or_default(),
            time(delivery.next_attempt_at),
            time(delivery.completed_at),
        ]
    }
}
