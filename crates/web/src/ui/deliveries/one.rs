//! One delivery: its life as a line, and each attempt with its request and its answer.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use keybell_app::App;
use keybell_app::deliveries::{Attempt, AttemptTimings, LoggedHeader};
use keybell_core::grant::ReadPayloads;
use keybell_core::{Code, DeliveryId};

use super::{Webhooks, badge, curl, list_of, of_event, took, waits};
use crate::problem::Answer;
use crate::ui::signed::{Inside, form_token};
use crate::ui::view::deliveries::{AttemptView, DeliveryPage, Message};
use crate::ui::view::frame::Section;
use crate::ui::view::parts::{Badge, Tone, When};
use crate::ui::{events, page, pretty};

pub(super) async fn one(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    let grant = here.grant::<ReadPayloads>()?;
    let id = DeliveryId::parse(&id).ok_or(Code::NotFound)?;
    let detail = app.delivery(grant, id).await?;
    let (delivery, list) = (detail.delivery, list_of(&here));
    let webhooks = Webhooks::only(&app, &here, delivery.webhook_id)?;
    let webhook = format!("{}/webhooks/{}", here.developer(), delivery.webhook_id);
    let many = detail.attempts.len();
    let attempts = detail.attempts.into_iter().enumerate().rev();
    Ok(page(&DeliveryPage {
        frame: here.frame(Section::Deliveries),
        id: delivery.id.to_string(),
        event: format!("{}/{}", events::list_of(&here), delivery.event_id),
        event_deliveries: of_event(&here, delivery.event_id.as_str()),
        event_id: delivery.event_id.to_string(),
        waits: waits(&delivery),
        resend: webhooks.may_resend(&here, &delivery).then(|| format!("{list}/{}/resend", delivery.id)),
        token: form_token(&app),
        event_type: delivery.event_type,
        webhook: (webhooks.name(delivery.webhook_id), webhook),
        status: badge(delivery.status),
        occurred: detail.occurred_at.map(When::at),
        created: When::at(delivery.created_at),
        completed: delivery.completed_at.map(When::at),
        next: delivery.next_attempt_at.map(When::near),
        attempts: attempts.map(|(index, attempt)| shown(attempt, index + 1 == many)).collect(),
        list,
    })?)
}

pub(in crate::ui) fn shown(attempt: Attempt, is_open: bool) -> AttemptView {
    let went_well = attempt.response_status.is_some_and(|status| (200..300).contains(&status));
    AttemptView {
        number: attempt.number,
        trigger: match attempt.trigger.as_str() {
            "first" => "first attempt",
            "manual" => "sent again by hand",
            _ => "retry",
        },
        started: When::at(attempt.started_at),
        took: took(attempt.duration),
        timings: timings(attempt.timings),
        outcome: outcome(attempt.response_status, went_well),
        error: attempt.error,
        is_open,
        curl: curl::command(&attempt.request),
        request: message(attempt.request.headers, attempt.request.body),
        url: attempt.request.url,
        truncated: attempt.response.as_ref().is_some_and(|response| response.truncated),
        response: attempt.response.map(|response| message(response.headers, Some(response.body))),
    }
}

/// `204 No Content`, or that nothing came back.
fn outcome(status: Option<u16>, went_well: bool) -> Badge {
    let tone = if went_well { Tone::Good } else { Tone::Bad };
    let Some(status) = status else { return Badge::new(tone, "No answer") };
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    Badge::new(tone, reason.map_or_else(|| status.to_string(), |reason| format!("{status} {reason}")))
}

fn message(headers: Vec<LoggedHeader>, body: Option<String>) -> Message {
    let shown =
        |header: LoggedHeader| (header.name, header.value.unwrap_or_else(|| "••••• (secret)".to_owned()));
    Message {
        headers: headers.into_iter().map(shown).collect(),
        pretty: body.as_deref().and_then(pretty::body),
        body,
    }
}

fn timings(timings: AttemptTimings) -> Vec<(&'static str, String)> {
    let parts = [
        ("DNS", timings.dns),
        ("connect", timings.connect),
        ("TLS", timings.tls),
        ("first byte", timings.first_byte),
    ];
    parts.into_iter().filter_map(|(word, time)| Some((word, took(time?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reads_as_its_status_and_words() {
        assert_eq!(outcome(Some(204), true).word, "204 No Content");
        assert_eq!(outcome(Some(599), false).word, "599");
        assert_eq!(outcome(None, false).word, "No answer");
    }

    #[test]
    fn a_body_is_laid_out_and_kept_as_it_was_beside_that() {
        for (body, laid) in [
            ("{\"a\":1}", Some("{\n  \"a\": 1\n}")),
            ("<a><b>1</b></a>", Some("<a>\n  <b>1</b>\n</a>")),
            ("<a><b>1</a>", None),
            ("a=1", None),
        ] {
            let message = message(Vec::new(), Some(body.to_owned()));
            assert_eq!((message.body.as_deref(), message.pretty.as_deref()), (Some(body), laid));
        }
    }
}
