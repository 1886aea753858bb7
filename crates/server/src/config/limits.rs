//! `[limits]` and `[retention]`: how much of everything, and how long it is kept.

use std::time::Duration;

use keybell_app::settings::{LimitSettings, RetentionSettings};

use super::reader::Reader;

/// All keys of an installation are in memory, at some 250 bytes each.
const API_KEYS_MAX: u32 = 1_000_000;
/// All webhooks of an installation are in memory, and an event is matched with each of its workspace's.
const WEBHOOKS_MAX: u32 = 10_000;
/// Shorter, and a delivery could be gone before it was retried to the end.
const KEPT_MIN: Duration = Duration::from_hours(1);
/// Ten years.
const KEPT_MAX: Duration = Duration::from_hours(3_650 * 24);

/// `[limits]`, in the words of the use cases.
pub(super) fn read(from: &mut Reader) -> Option<LimitSettings> {
    let api_keys = from.number("limits.api_keys_per_workspace", 1..=API_KEYS_MAX);
    let webhooks = from.number("limits.webhooks_per_workspace", 1..=WEBHOOKS_MAX);
    Some(LimitSettings { api_keys_per_workspace: api_keys?, webhooks_per_workspace: webhooks? })
}

/// `[retention]`, in the words of the use cases.
pub(super) fn read_retention(from: &mut Reader) -> Option<RetentionSettings> {
    let events = from.duration("retention.events", KEPT_MIN..=KEPT_MAX);
    let attempts = from.duration("retention.attempts", KEPT_MIN..=KEPT_MAX);
    if let (Some(events), Some(attempts)) = (events, attempts)
        && attempts > events
    {
        from.refuse(
            "retention.attempts",
            "at most retention.events: an attempt is not kept without its event",
        );
    }
    let usage = ["retention.usage_minutes", "retention.usage_hours", "retention.usage_days"];
    let [usage_minutes, usage_hours, usage_days] =
        usage.map(|setting| from.duration(setting, KEPT_MIN..=KEPT_MAX));
    Some(RetentionSettings {
        events: events?,
        attempts: attempts?,
        usage_minutes: usage_minutes?,
        usage_hours: usage_hours?,
        usage_days: usage_days?,
    })
}
