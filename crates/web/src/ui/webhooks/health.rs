//! How a webhook is doing, in words: for whoever is woken by it at night.

use std::time::Duration;

use keybell_app::webhooks::{DisabledReason, Webhook, WebhookStatus};

use crate::ui::view::parts::{Badge, Tone, When};
use crate::ui::view::webhooks::Health;

/// `disable_after` is after how long of nothing but failures a webhook is switched off.
pub(super) fn health_of(webhook: &Webhook, disable_after: Option<Duration>) -> Health {
    match (webhook.status, webhook.disabled_reason) {
        (WebhookStatus::Disabled, reason) => Health {
            badge: Badge::new(Tone::Warn, "Disabled"),
            since: None,
            said: because(reason.unwrap_or(DisabledReason::ByMember)).to_owned(),
        },
        (WebhookStatus::Failing, _) => Health {
            badge: Badge::new(Tone::Bad, "Failing"),
            since: webhook.failing_since.map(When::at),
            said: failing(disable_after),
        },
        (WebhookStatus::Active, _) if webhook.last_delivery_at.is_none() => Health {
            badge: Badge::new(Tone::Plain, "New"),
            since: None,
            said: "No delivery has come to its end yet.".to_owned(),
        },
        (WebhookStatus::Active, _) => Health {
            badge: Badge::new(Tone::Good, "Healthy"),
            since: None,
            said: "Its deliveries arrive.".to_owned(),
        },
    }
}

const fn because(reason: DisabledReason) -> &'static str {
    match reason {
        DisabledReason::ByMember => {
            "Somebody switched this webhook off. What waits is sent when it is on again."
        }
        DisabledReason::Gone => {
            "The endpoint answered 410 Gone, so the webhook was switched off. What waits is sent when it is on again."
        }
        DisabledReason::Failing => {
            "Every attempt failed for days, so the webhook was switched off. Mend the endpoint, then enable it: what waits \
             is sent then."
        }
    }
}

fn failing(disable_after: Option<Duration>) -> String {
    const HOUR: u64 = 3_600;
    const DAY: u64 = 24 * HOUR;
    let said = "Nothing has succeeded since. What failed is tried again; the deliveries below say what the endpoint answered.";
    let Some(seconds) = disable_after.map(|after| after.as_secs()) else { return said.to_owned() };
    let time = match (seconds / DAY, seconds / HOUR) {
        (days, _) if days > 1 => format!("{days} days"),
        (_, hours) if hours > 1 => format!("{hours} hours"),
        _ => "a while".to_owned(),
    };
    format!("{said} After {time} of nothing but failures the webhook is switched off.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_webhook_says_what_comes_next() {
        let said =
            [Some(5 * 24), Some(24), Some(0), None].map(|hours| failing(hours.map(Duration::from_hours)));
        assert!(said[0].ends_with("After 5 days of nothing but failures the webhook is switched off."));
        assert!(said[1].contains("After 24 hours") && said[2].contains("After a while"), "{said:?}");
        assert!(said[3].ends_with("what the endpoint answered."), "{}", said[3]);
    }
}
