//! What deliveries are filtered by, in the query of the list and in the body that resends them.

use keybell_app::deliveries::{DeliveryFilter, ResponseClass};
use keybell_core::event::EventId;
use keybell_core::{Problem, WebhookId};

use super::shape::DeliveryStatus;
use crate::api::v1::shapes::At;

/// The members as they came.
pub(super) struct Filter {
    pub(super) webhook_id: Option<WebhookId>,
    pub(super) event_id: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) status: Option<DeliveryStatus>,
    pub(super) response_class: Option<String>,
    pub(super) from: Option<At>,
    pub(super) to: Option<At>,
}

impl Filter {
    /// The filter; a member that is none is named with `place` before it.
    pub(super) fn read(self, place: &str) -> Result<DeliveryFilter, Problem> {
        let event = self.event_id.map(|id| {
            EventId::parse(&id)
                .map_err(|bad| Problem::field(format!("{place}event_id"), "invalid", bad.to_string()))
        });
        if self.event_type.as_ref().is_some_and(|name| name.contains('\0')) {
            // No stored text has it: PostgreSQL cannot hold it.
            let message = "must not have the character U+0000";
            return Err(Problem::field(format!("{place}event_type"), "not_allowed", message));
        }
        let response_class = self.response_class.map(|word| {
            ResponseClass::parse(&word).ok_or_else(|| {
                let message = "must be 2xx, 3xx, 4xx, 5xx or none";
                Problem::field(format!("{place}response_class"), "not_allowed", message)
            })
        });
        Ok(DeliveryFilter {
            webhook: self.webhook_id,
            event: event.transpose()?,
            event_type: self.event_type,
            status: self.status.map(Into::into),
            response_class: response_class.transpose()?,
            from: self.from.map(|at| at.0),
            until: self.to.map(|at| at.0),
        })
    }
}
