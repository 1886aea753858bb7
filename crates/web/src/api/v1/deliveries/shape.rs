//! What deliveries and their attempts look like from outside.

use std::time::Duration;

use keybell_app::deliveries as app;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::v1::shapes::At;

/// One event to one webhook, until it succeeds or is given up.
#[derive(Serialize, ToSchema)]
pub(super) struct Delivery {
    #[schema(example = "dlv_06dhtsbh1nxwk8n6s4c3v9r7e0")]
    id: String,
    event_id: String,
    event_type: String,
    webhook_id: String,
    status: DeliveryStatus,
    attempts_made: u32,
    /// Null where there is none, or where it waits at its webhook: for an endpoint that answers nobody or takes no more at the
    /// moment, or for the webhook to be enabled.
    #[schema(required)]
    next_attempt_at: Option<At>,
    #[schema(required)]
    last_response_status: Option<u16>,
    created_at: At,
    #[schema(required)]
    completed_at: Option<At>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum DeliveryStatus {
    Pending,
    Succeeded,
    Failed,
    Canceled,
}

impl From<app::DeliveryStatus> for DeliveryStatus {
    fn from(status: app::DeliveryStatus) -> Self {
        match status {
            app::DeliveryStatus::Pending => DeliveryStatus::Pending,
            app::DeliveryStatus::Succeeded => DeliveryStatus::Succeeded,
            app::DeliveryStatus::Failed => DeliveryStatus::Failed,
            app::DeliveryStatus::Canceled => DeliveryStatus::Canceled,
        }
    }
}

impl From<DeliveryStatus> for app::DeliveryStatus {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Pending => app::DeliveryStatus::Pending,
            DeliveryStatus::Succeeded => app::DeliveryStatus::Succeeded,
            DeliveryStatus::Failed => app::DeliveryStatus::Failed,
            DeliveryStatus::Canceled => app::DeliveryStatus::Canceled,
        }
    }
}

impl From<app::DeliverySummary> for Delivery {
    fn from(delivery: app::DeliverySummary) -> Self {
        Delivery {
            id: delivery.id.to_string(),
            event_id: delivery.event_id.to_string(),
            event_type: delivery.event_type,
            webhook_id: delivery.webhook_id.to_string(),
            status: delivery.status.into(),
            attempts_made: delivery.attempts_made,
            next_attempt_at: delivery.next_attempt_at.map(Into::into),
            last_response_status: delivery.last_response_status,
            created_at: delivery.created_at.into(),
            completed_at: delivery.completed_at.map(Into::into),
        }
    }
}

/// A delivery with its attempts, the first one first.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryWithAttempts {
    #[serde(flatten)]
    delivery: Delivery,
    attempts: Vec<Attempt>,
}

impl From<app::DeliveryDetail> for DeliveryWithAttempts {
    fn from(detail: app::DeliveryDetail) -> Self {
        let attempts = detail.attempts.into_iter().map(Into::into).collect();
        DeliveryWithAttempts { delivery: detail.delivery.into(), attempts }
    }
}

/// One HTTP request of a delivery, and what came back.
#[derive(Serialize, ToSchema)]
pub(in crate::api::v1) struct Attempt {
    /// Counted from 1.
    number: u32,
    /// `first`, `retry` or `manual`.
    #[schema(example = "first")]
    trigger: String,
    started_at: At,
    /// In milliseconds, rounded.
    duration_ms: u64,
    timings: Timings,
    #[schema(required)]
    response_status: Option<u16>,
    /// What went wrong, as a stable word; null where the whole answer came.
    #[schema(required, example = "connect_timeout")]
    error_code: Option<String>,
    /// What went wrong, as a sentence.
    #[schema(required)]
    error: Option<String>,
    request: SentRequest,
    /// Null where nothing came back.
    #[schema(required)]
    response: Option<ReceivedResponse>,
}

/// How long the parts of an attempt took, in milliseconds. On a connection that was open already, there is only the wait
/// for the first byte.
#[derive(Serialize, ToSchema)]
#[schema(as = AttemptTimings)]
#[expect(clippy::struct_field_names, reason = "the unit stands in the names that the API has")]
pub(in crate::api::v1) struct Timings {
    #[schema(required)]
    dns_ms: Option<u64>,
    #[schema(required)]
    connect_ms: Option<u64>,
    #[schema(required)]
    tls_ms: Option<u64>,
    #[schema(required)]
    first_byte_ms: Option<u64>,
}

/// A request as it was sent.
#[derive(Serialize, ToSchema)]
pub(in crate::api::v1) struct SentRequest {
    url: String,
    headers: Vec<LoggedHeader>,
    /// As it was signed, byte for byte; null where the event is no longer kept.
    #[schema(required)]
    body: Option<String>,
}

/// An answer as it came.
#[derive(Serialize, ToSchema)]
pub(in crate::api::v1) struct ReceivedResponse {
    headers: Vec<LoggedHeader>,
    /// At most 16 KiB of it; bytes that are not UTF-8 are replaced.
    body: String,
    /// Whether there was more of it.
    truncated: bool,
}

/// A header of a request or an answer.
#[derive(Serialize, ToSchema)]
pub(in crate::api::v1) struct LoggedHeader {
    name: String,
    /// Left out where it is secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    value: Option<String>,
    secret: bool,
}

impl From<app::Attempt> for Attempt {
    fn from(attempt: app::Attempt) -> Self {
        let app::AttemptTimings { dns, connect, tls, first_byte } = attempt.timings;
        Attempt {
            number: attempt.number,
            trigger: attempt.trigger,
            started_at: attempt.started_at.into(),
            duration_ms: millis(attempt.duration),
            timings: Timings {
                dns_ms: dns.map(millis),
                connect_ms: connect.map(millis),
                tls_ms: tls.map(millis),
                first_byte_ms: first_byte.map(millis),
            },
            response_status: attempt.response_status,
            error_code: attempt.error_code,
            error: attempt.error,
            request: SentRequest {
                url: attempt.request.url,
                headers: attempt.request.headers.into_iter().map(Into::into).collect(),
                body: attempt.request.body,
            },
            response: attempt.response.map(|response| ReceivedResponse {
                headers: response.headers.into_iter().map(Into::into).collect(),
                body: response.body,
                truncated: response.truncated,
            }),
        }
    }
}

impl From<app::LoggedHeader> for LoggedHeader {
    fn from(app::LoggedHeader { name, value, secret }: app::LoggedHeader) -> Self {
        LoggedHeader { name, value, secret }
    }
}

/// Rounded to the nearest: what took less than half a millisecond took none.
fn millis(duration: Duration) -> u64 {
    u64::try_from((duration.as_micros() + 500) / 1_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_rounded_to_the_nearest() {
        assert_eq!(
            [499, 500, 1_499, 1_500].map(|micros| millis(Duration::from_micros(micros))),
            [0, 1, 1, 2]
        );
        assert_eq!(millis(Duration::MAX), u64::MAX);
    }
}
