//! What attempts mean for a webhook: told to the store with their outcomes, and what came of it told to everybody here.
//!
//! While nothing new is to be found out of a webhook, its attempts write nothing of its health: see [`Pulse`]. What is
//! decided is decided in the transaction, by `keybell_core::failing`.

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use keybell_core::delivery::Step;
use keybell_core::operator_event::{WEBHOOK_DISABLED, WEBHOOK_FAILING};
use keybell_core::{AuditId, DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};
use keybell_store::ops::events::NewDelivery;
use keybell_store::ops::webhook_health::{
    Became, Failure, Health, HealthChange, Judged, Notice, NoticeEvent,
};
use keybell_store::ops::webhooks::DisabledReason;

use super::Shared;
use super::book::Gauge;
use super::send::Attempted;

/// Not known since the start or the last change, answering, failing.
const UNKNOWN: u8 = 0;
const GOOD: u8 = 1;
const BAD: u8 = 2;

/// A webhook that answers well and badly by turns has news once in this time: each costs a write of its own.
const BAD_NEWS_AFTER: Duration = Duration::from_secs(1);

/// How attempts at one webhook went, as far as that is known here.
#[derive(Default)]
pub(super) struct Pulse {
    state: AtomicU8,
    /// Before this time, in microseconds, another failure is no news.
    look_again_at: AtomicI64,
    /// When it was news that it answers, in microseconds.
    good_news_at: AtomicI64,
}

impl Pulse {
    /// Notes how an attempt went at `now`; true where that is news. A failure is, once, until it is said by
    /// [`Pulse::look_again_at`] when the next one is.
    pub(super) fn note(&self, good: bool, now: Timestamp) -> bool {
        let news_at = Timestamp::from_micros(self.good_news_at.load(Ordering::Relaxed));
        let too_soon = news_at <= now && now.since(news_at) < BAD_NEWS_AFTER;
        if !good && too_soon && self.is_good() {
            // It goes well and badly by turns. The next failure after a while is news; there will be one, if it matters.
            return false;
        }
        let before = self.state.swap(if good { GOOD } else { BAD }, Ordering::Relaxed);
        if good && before != GOOD {
            self.good_news_at.store(now.micros(), Ordering::Relaxed);
        }
        if good {
            return before != GOOD;
        }
        let due = now.micros() >= self.look_again_at.load(Ordering::Relaxed);
        let news = before != BAD || due;
        if news {
            self.look_again_at.store(i64::MAX, Ordering::Relaxed);
        }
        news
    }

    /// Whether the last attempt since the start went well.
    pub(super) fn is_good(&self) -> bool {
        self.state.load(Ordering::Relaxed) == GOOD
    }

    /// Says from when on another failure is news.
    pub(super) fn look_again_at(&self, at: Timestamp) {
        self.look_again_at.store(at.micros(), Ordering::Relaxed);
    }

    /// Forgets how attempts went, so that the next one is news.
    pub(super) fn forget(&self) {
        self.state.store(UNKNOWN, Ordering::Relaxed);
    }
}

/// Which webhooks are disabled for failing, and who is told beside their workspace.
pub(super) struct HealthRules {
    /// After how long of nothing but failures; `None` for never.
    pub(super) disable_after: Option<Duration>,
    /// The workspace where operator events of all workspaces are published too: its id or external id.
    pub(super) operator_workspace: Option<String>,
}

impl Shared {
    /// What an attempt changes of its webhook's health, where it may.
    pub(super) fn health_change(&self, attempted: &Attempted, gauge: &Gauge) -> Option<HealthChange> {
        let at = self.clock.now();
        let outcome = &attempted.outcome;
        let (workspace, webhook) = (outcome.workspace, outcome.webhook);
        let failure = || Failure {
            delivery: outcome.delivery,
            url: outcome.attempt.url.clone(),
            error_code: outcome.attempt.error_code.clone(),
            response_status: outcome.attempt.response_status,
        };
        let notice = |event_type| Box::new(self.notice(workspace, webhook, event_type, at));
        let health = match attempted.step {
            Step::GiveUpAndDisable => {
                gauge.pulse().forget();
                Health::Gone { failure: failure(), disabling: notice(WEBHOOK_DISABLED) }
            }
            Step::Succeeded => gauge.pulse().note(true, at).then_some(Health::Healthy)?,
            Step::RetryAt(_) | Step::GiveUp => gauge.pulse().note(false, at).then(|| Health::Failing {
                failure: failure(),
                disable_after: self.health.disable_after,
                warning: notice(WEBHOOK_FAILING),
                disabling: notice(WEBHOOK_DISABLED),
            })?,
        };
        Some(HealthChange { workspace, webhook, at, health })
    }

    /// An audit entry and operator events about `webhook`, should they be needed: one in its workspace, and one in the
    /// operator's. The webhook itself is told nothing: it fails.
    fn notice(&self, workspace: WorkspaceId, webhook: WebhookId, event_type: &str, at: Timestamp) -> Notice {
        let operators = self.health.operator_workspace.as_deref();
        let operators = operators.and_then(|name| self.directory.named(name));
        let workspaces = [Some(workspace), operators.filter(|operators| *operators != workspace)];
        let events = workspaces.into_iter().flatten().map(|told| {
            let wanting = self.registry.matching(told, event_type);
            let others = wanting.iter().filter(|wants| wants.id != webhook);
            let deliveries = others.map(|wants| NewDelivery {
                id: DeliveryId::new(at, self.randomness.as_ref()),
                webhook: wants.id,
                in_memory: false,
            });
            let deliveries = deliveries.collect();
            NoticeEvent { workspace: told, key: EventKey::new(at, self.randomness.as_ref()), deliveries }
        });
        Notice { audit: AuditId::new(at, self.randomness.as_ref()), events: events.collect() }
    }

    /// Applies what became of webhooks that failed, after the commit that says so.
    pub(super) fn judged(&self, judged: &[Judged]) {
        for Judged { workspace, webhook, became, .. } in judged {
            match became {
                Became::Failing { look_again_at } => self.look_again(*webhook, *look_again_at),
                Became::Warned { disabled_at, look_again_at } => {
                    self.look_again(*webhook, *look_again_at);
                    tracing::warn!(webhook.id = %webhook, webhook.disabled_at = %disabled_at,
                        "every attempt at a webhook fails; it will be disabled");
                }
                Became::Disabled { reason, version } => {
                    self.registry.switch_off(*workspace, *webhook, *version);
                    let why = match reason {
                        DisabledReason::Gone => "its endpoint answered that it is gone",
                        DisabledReason::Failing | DisabledReason::ByMember => "every attempt failed for days",
                    };
                    tracing::warn!(webhook.id = %webhook, "webhook disabled: {why}");
                    self.webhook_changed(*workspace, *webhook);
                }
            }
        }
        if judged.iter().any(|judged| judged.told > 0) {
            self.due.now();
        }
    }

    /// Has the next failures judged, since what was to be written of these was not.
    pub(super) fn not_judged(&self, changes: &[HealthChange]) {
        for change in changes {
            if let Some(gauge) = self.book.known(change.webhook) {
                gauge.pulse().forget();
            }
        }
    }

    fn look_again(&self, webhook: WebhookId, at: Timestamp) {
        if let Some(gauge) = self.book.known(webhook) {
            gauge.pulse().look_again_at(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_447_916);
    const LATER: Timestamp = Timestamp::from_seconds(1_795_447_917);

    #[test]
    fn a_failure_is_news_once_and_again_from_the_time_that_was_said() {
        let pulse = Pulse::default();
        assert!(pulse.note(false, NOW), "the first");
        assert!(!pulse.note(false, LATER), "while the first is written");
        pulse.look_again_at(LATER);
        assert!(!pulse.note(false, NOW));
        assert!(pulse.note(false, LATER));
        assert!(!pulse.note(false, LATER));
    }

    #[test]
    fn a_success_is_news_once_and_so_is_a_failure_after_it() {
        let pulse = Pulse::default();
        assert!(pulse.note(true, NOW));
        assert!(!pulse.note(true, NOW));
        assert!(!pulse.note(false, NOW), "so soon after a success it is none");
        assert!(!pulse.note(true, NOW), "nothing was said of it");
        let after_a_while = NOW + BAD_NEWS_AFTER;
        assert!(pulse.note(false, after_a_while));
        assert!(pulse.note(true, after_a_while), "that it answers again is always news");
        pulse.forget();
        assert!(pulse.note(true, NOW), "what was forgotten is news");
    }
}
