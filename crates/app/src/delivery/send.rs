//! One attempt: build the request, sign it, send it, and say what came of it.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use keybell_core::delivery::{self, RetryPolicy, Step, parse_retry_after};
use keybell_core::payload::ContentType;
use keybell_core::signature::sign;
use keybell_core::{Randomness, Timestamp};
use keybell_store::ops::attempts::{After, AttemptRecord, Outcome};
use serde::Serialize;

use super::exchange::{Answer, Exchange, Failure, FailureCode, Outbound, Transport};
use super::job::{Job, Outgoing};
use super::target::Target;
use crate::registry::LiveWebhook;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const OUR_NAME: HeaderValue = HeaderValue::from_static(concat!("Keybell/", env!("CARGO_PKG_VERSION")));

/// What every attempt of this installation has in common.
pub(super) struct Rules {
    /// For the whole attempt.
    pub(super) timeout: Duration,
    /// To resolve, connect and shake hands.
    pub(super) connect_timeout: Duration,
    /// When failed attempts are repeated.
    pub(super) retry: RetryPolicy,
    /// Where this installation is reached.
    pub(super) public_url: String,
}

/// A webhook made ready for requests: its URL taken apart, its own headers checked, once for as long as it stays as it is.
pub(super) struct Route {
    /// The webhook this was made of.
    pub(super) webhook: Arc<LiveWebhook>,
    target: Result<Target, Failure>,
    headers: HeaderMap,
}

impl Route {
    /// Makes a webhook ready.
    pub(super) fn new(webhook: Arc<LiveWebhook>) -> Route {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, OUR_NAME);
        let mut target = Target::of(&webhook.url);
        for header in webhook.headers.iter() {
            let name = HeaderName::from_bytes(header.name.as_bytes());
            let value = HeaderValue::from_str(&header.value);
            let (Ok(name), Ok(mut value)) = (name, value) else {
                let sentence = format!("The custom header {} cannot be sent.", header.name);
                target = Err(Failure::new(FailureCode::Internal, sentence));
                continue;
            };
            value.set_sensitive(header.secret);
            headers.insert(name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(webhook.content_type.header_value()));
        Route { webhook, target, headers }
    }
}

/// Makes one attempt of `job` and gives what is to be recorded.
pub(super) async fn attempt(
    transport: &dyn Transport,
    route: &Route,
    job: &Job,
    rules: &Rules,
    clock: &dyn keybell_core::Clock,
    randomness: &dyn Randomness,
) -> Attempted {
    let number = job.attempts_made.saturating_add(1);
    let (attempt, exchange) = call(transport, route, &job.event, rules, clock).await;
    let took = exchange.duration;
    let now = clock.now();
    let step = delivery::next_step(number, &meaning(&exchange, now), &rules.retry, now, randomness.dice());
    let attempt = AttemptRecord {
        number: i64::from(number),
        trigger: job.trigger.clone(),
        ..record(attempt, exchange)
    };
    Attempted {
        step,
        took,
        outcome: Outcome {
            workspace: job.workspace,
            delivery: job.id,
            webhook: job.webhook,
            event: job.event.record.key,
            event_type: job.event.record.event_type.clone(),
            attempt,
            after: after(step, now),
        },
    }
}

/// What of an attempt is known when it is sent.
struct Sent {
    started_at: Timestamp,
    url: String,
    content_type: ContentType,
    request_headers: String,
}

/// Sends `event` along `route` and waits for what comes back.
async fn call(
    transport: &dyn Transport,
    route: &Route,
    event: &Outgoing,
    rules: &Rules,
    clock: &dyn keybell_core::Clock,
) -> (Sent, Exchange) {
    let started_at = clock.now();
    let content_type = route.webhook.content_type;
    let body = event.body(content_type, &rules.public_url);
    let headers = signed_headers(route, &event.id, started_at, &body);
    let url = route.webhook.url.to_string();
    let sent = Sent { started_at, url, content_type, request_headers: shown(&headers) };
    let exchange = match &route.target {
        Err(failure) => Exchange { failure: Some(failure.clone()), ..Exchange::default() },
        Ok(target) => {
            let target = target.clone();
            let (timeout, connect_timeout) = (rules.timeout, rules.connect_timeout);
            transport.exchange(Outbound { target, headers, body, timeout, connect_timeout }).await
        }
    };
    (sent, exchange)
}

/// Sends `event` once, as an attempt is sent, and gives what would be recorded: for a test of the webhook, of which nothing
/// follows.
pub(super) async fn try_out(
    transport: &dyn Transport,
    route: &Route,
    event: &Outgoing,
    rules: &Rules,
    clock: &dyn keybell_core::Clock,
) -> AttemptRecord {
    let (sent, exchange) = call(transport, route, event, rules, clock).await;
    AttemptRecord { number: 1, trigger: "manual".to_owned(), ..record(sent, exchange) }
}

/// What came of an attempt.
pub(super) struct Attempted {
    /// What it means for the delivery.
    pub(super) step: Step,
    /// How long it took in all.
    pub(super) took: Duration,
    /// What is recorded of it.
    pub(super) outcome: Outcome,
}

fn after(step: Step, now: Timestamp) -> After {
    match step {
        Step::Succeeded => After::Finished { status: "succeeded", at: now },
        Step::RetryAt(at) => After::Retry { at },
        Step::GiveUp | Step::GiveUpAndDisable => After::Finished { status: "failed", at: now },
    }
}

fn meaning(exchange: &Exchange, now: Timestamp) -> delivery::Outcome {
    match (&exchange.failure, &exchange.answer) {
        (Some(failure), _) => delivery::Outcome::NoAnswer { error_code: failure.code.as_str() },
        (None, Some(answer)) => delivery::Outcome::Answered {
            status: answer.status,
            retry_after: answer.header("retry-after").and_then(|value| parse_retry_after(value, now)),
        },
        (None, None) => delivery::Outcome::NoAnswer { error_code: FailureCode::Internal.as_str() },
    }
}

fn signed_headers(route: &Route, id: &str, at: Timestamp, body: &[u8]) -> HeaderMap {
    let signature = sign(&route.webhook.signing_secrets(at), id, at, body);
    let mut headers = route.headers.clone();
    let value = |text: &str| HeaderValue::from_str(text).expect("ids, numbers and base64 are visible ASCII");
    headers.insert(WEBHOOK_ID, value(id));
    headers.insert(WEBHOOK_TIMESTAMP, at.seconds().into());
    headers.insert(WEBHOOK_SIGNATURE, value(&signature));
    headers
}

/// A header as the log shows it.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    secret: bool,
}

fn json(headers: &[Shown<'_>]) -> String {
    serde_json::to_string(headers).expect("names and values are text")
}

/// The headers of a request as JSON. The values of secret ones are left out.
fn shown(headers: &HeaderMap) -> String {
    let shown: Vec<Shown<'_>> = headers
        .iter()
        .map(|(name, value)| {
            let secret = value.is_sensitive();
            let value = if secret { None } else { value.to_str().ok() };
            Shown { name: name.as_str(), value, secret }
        })
        .collect();
    json(&shown)
}

/// The headers of an answer as JSON.
fn shown_answer(answer: &Answer) -> String {
    let shown = answer.headers.iter().map(|(name, value)| Shown { name, value: Some(value), secret: false });
    json(&shown.collect::<Vec<_>>())
}

fn record(sent: Sent, exchange: Exchange) -> AttemptRecord {
    let response_headers = exchange.answer.as_ref().map(shown_answer);
    let truncated = exchange.answer.as_ref().is_some_and(|answer| answer.truncated);
    AttemptRecord {
        number: 0,
        trigger: String::new(),
        started_at: sent.started_at,
        duration_us: micros(exchange.duration),
        dns_us: exchange.timings.dns.map(micros),
        connect_us: exchange.timings.connect.map(micros),
        tls_us: exchange.timings.tls.map(micros),
        first_byte_us: exchange.timings.first_byte.map(micros),
        url: sent.url,
        content_type: sent.content_type.as_str().to_owned(),
        request_headers: sent.request_headers,
        response_status: exchange.answer.as_ref().map(|answer| i64::from(answer.status)),
        response_headers,
        response_body: exchange.answer.map(|answer| answer.body),
        response_truncated: truncated,
        error_code: exchange.failure.as_ref().map(|failure| failure.code.as_str().to_owned()),
        error: exchange.failure.map(|failure| failure.sentence),
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
