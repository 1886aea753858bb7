//! The courier: takes events out of the outbox and tells Keybell, one after the other, until each is accepted.
//!
//! An event is told again where the answer was lost. It has the same id then, so Keybell takes it for the same event.

use std::time::Duration;

use keybell_core::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::keybell::{CallError, Keybell};
use crate::platform::Platform;
use crate::things::Event;

/// The first wait where Keybell does not answer; each one after is twice as long.
const WAIT_FIRST: Duration = Duration::from_millis(200);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Tells events for as long as the platform is there.
pub async fn run(platform: Platform, keybell: Keybell) {
    let mut wait = WAIT_FIRST;
    loop {
        let Some(event) = platform.book().next_event() else {
            platform.event_waits().await;
            continue;
        };
        match tell(&keybell, &event).await {
            Err(CallError::Unreachable(why)) => {
                tracing::warn!(event.id, %why, "Keybell does not answer; the event stays in the outbox");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(WAIT_MAX);
                continue;
            }
            // To tell it again would not help. A real platform would put it aside and call somebody.
            Err(refused) => tracing::error!(event.id, %refused, "an event was refused"),
            Ok(deliveries) => platform.say(&format!(
                "platform  told Keybell {} {} of {} ({deliveries} to deliver)",
                event.event_type, event.id, event.workspace
            )),
        }
        wait = WAIT_FIRST;
        platform.book().done_with_event();
    }
}

/// An event as Keybell's API takes it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(rename = "type")]
    event_type: &'static str,
    id: &'a str,
    occurred_at: Timestamp,
    data: &'a RawValue,
}

/// Tells one event; to how many webhooks it goes.
async fn tell(keybell: &Keybell, event: &Event) -> Result<u64, CallError> {
    let path = format!("/v1/workspaces/{}/events", event.workspace);
    let body = Told {
        event_type: event.event_type,
        id: &event.id,
        occurred_at: event.occurred_at,
        data: &event.data,
    };
    let answer = keybell.post(&path, &body).await?;
    Ok(answer.body["deliveries"].as_u64().unwrap_or(0))
}
