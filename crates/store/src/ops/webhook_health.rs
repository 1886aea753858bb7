//! What attempts mean for a webhook: failing, healthy again, disabled. In the transaction that records them.
//!
//! What follows from a failure is for [`judge`] to say. A warning and a disabling each write their audit entry and their
//! operator events, with deliveries, in the same transaction, and only where the guarded update changed the row: so a
//! crash neither loses nor doubles them, and of several nodes one writes them. A disabling by a person is an edit.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::failing::{Judgement, Spell, Verdict, judge};
use keybell_core::grant::Origin;
use keybell_core::operator_event::{AboutWebhook, WEBHOOK_DISABLED, WEBHOOK_FAILING, scheme_and_host};
use keybell_core::{ActorRef, AuditId, DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};
use serde_json::{Value, json};

use crate::error::StoreError;
use crate::ops::audit::{self, AuditFact};
use crate::ops::events::{self, EventRecord, NewDelivery, NewEvent};
use crate::ops::webhooks::DisabledReason;
use crate::statements;
use crate::tx::{Arg, Row, Tx};

statements! {
    WEBHOOK = "SELECT w.name, w.url, w.enabled, w.updated_at, w.failing_since, w.failing_last_at, w.failing_delivery, \
               w.failing_several, w.failing_warned_at, o.external_id \
               FROM webhooks w JOIN workspaces o ON o.id = w.workspace_id WHERE w.workspace_id = $1 AND w.id = $2";
    FAILED = "UPDATE webhooks SET failing_since = $3, failing_last_at = $4, failing_delivery = $5, failing_several = $6, \
              failing_warned_at = $7, enabled = $8, disabled_reason = $9, updated_at = $10 \
              WHERE workspace_id = $1 AND id = $2 AND enabled = 1 AND updated_at = $11 \
              AND COALESCE(failing_since, $14) = $12 AND COALESCE(failing_warned_at, $14) = $13";
    GONE = "UPDATE webhooks SET enabled = 0, disabled_reason = 'gone', \
            updated_at = CASE WHEN updated_at >= $3 THEN updated_at + 1 ELSE $3 END \
            WHERE workspace_id = $1 AND id = $2 AND enabled = 1 AND url = $4";
    HEALTHY = "UPDATE webhooks SET failing_since = NULL, failing_last_at = NULL, failing_delivery = NULL, \
               failing_several = 0, failing_warned_at = NULL \
               WHERE workspace_id = $1 AND id = $2 AND failing_since IS NOT NULL";
    WORKSPACE_IS_THERE = "SELECT 1 FROM workspaces WHERE id = $1";
}

/// In comparisons, the time of what has not happened: no time that is ever written.
const NOT_YET: Timestamp = Timestamp::from_micros(i64::MIN);

/// A change of a webhook's health that an outcome brought about.
#[derive(Clone, Debug)]
pub struct HealthChange {
    /// Whose webhook it is.
    pub workspace: WorkspaceId,
    /// The webhook.
    pub webhook: WebhookId,
    /// When.
    pub at: Timestamp,
    /// What changed.
    pub health: Health,
}

/// What an attempt said of a webhook.
#[derive(Clone, Debug)]
pub enum Health {
    /// It answered well again.
    Healthy,
    /// The attempt failed.
    Failing {
        /// How.
        failure: Failure,
        /// After how long of nothing but failures the webhook is disabled; `None` for never.
        disable_after: Option<Duration>,
        /// What is told where somebody is to be warned.
        warning: Box<Notice>,
        /// What is told where it is disabled.
        disabling: Box<Notice>,
    },
    /// It answered that it is gone: it is disabled.
    Gone {
        /// How the attempt failed.
        failure: Failure,
        /// What is told.
        disabling: Box<Notice>,
    },
}

/// How an attempt failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Of which delivery it was.
    pub delivery: DeliveryId,
    /// Where it was sent. An answer from where the webhook no longer points says nothing of it.
    pub url: String,
    /// What went wrong, as a stable word.
    pub error_code: Option<String>,
    /// The answer's status, where there was one.
    pub response_status: Option<i64>,
}

/// What is written where somebody is told of a webhook. Prepared before it is known whether it is needed, since ids and
/// whoever wants the events come from outside.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The id of the audit entry.
    pub audit: AuditId,
    /// The operator events: one in the webhook's workspace, and one in the operator's where there is such a workspace.
    pub events: Vec<NoticeEvent>,
}

/// An operator event to be.
#[derive(Clone, Debug)]
pub struct NoticeEvent {
    /// The workspace in which it is published.
    pub workspace: WorkspaceId,
    /// Its key.
    pub key: EventKey,
    /// To whom it goes. They wait on disk, due at once.
    pub deliveries: Vec<NewDelivery>,
}

/// What became of a webhook whose attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Whose webhook it is.
    pub workspace: WorkspaceId,
    /// The webhook.
    pub webhook: WebhookId,
    /// What became of it.
    pub became: Became,
    /// How many deliveries of operator events were written; they are due.
    pub told: usize,
}

/// See [`Judged`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It fails, or was changed meanwhile. A failure before that time is no news.
    Failing {
        /// When a failed attempt is to be judged again.
        look_again_at: Timestamp,
    },
    /// It fails, and somebody was warned.
    Warned {
        /// When it is disabled, at the earliest.
        disabled_at: Timestamp,
        /// When a failed attempt is to be judged again.
        look_again_at: Timestamp,
    },
    /// It was disabled.
    Disabled {
        /// Why.
        reason: DisabledReason,
        /// The version of the webhook from then on.
        version: Timestamp,
    },
}

/// Applies changes of health, those of one webhook in their order. Gives what became of webhooks that failed.
pub(super) fn apply(tx: &mut dyn Tx, changes: &[HealthChange]) -> Result<Vec<Judged>, StoreError> {
    // In one order on every node: so two of them never wait for each other's rows.
    let mut in_order: Vec<&HealthChange> = changes.iter().collect();
    in_order.sort_by_key(|change| (change.workspace, change.webhook));
    let mut judged = Vec::new();
    for change in in_order {
        let of = Of { workspace: change.workspace, webhook: change.webhook, at: change.at };
        let became = match &change.health {
            Health::Healthy => {
                tx.exec(&HEALTHY, &of.webhook())?;
                None
            }
            Health::Failing { failure, disable_after, warning, disabling } => {
                Some(of.failed(tx, failure, *disable_after, warning, disabling)?)
            }
            Health::Gone { failure, disabling } => of.gone(tx, failure, disabling)?,
        };
        let Some((became, told)) = became else { continue };
        judged.push(Judged { workspace: change.workspace, webhook: change.webhook, became, told });
    }
    Ok(judged)
}

/// Of which webhook, and when.
struct Of {
    workspace: WorkspaceId,
    webhook: WebhookId,
    at: Timestamp,
}

/// A webhook, as far as it is judged.
struct Stored {
    name: String,
    url: String,
    enabled: bool,
    updated_at: Timestamp,
    failing_since: Option<Timestamp>,
    spell: Option<Spell>,
    workspace_external_id: Option<String>,
}

impl Of {
    fn webhook(&self) -> [Arg<'_>; 2] {
        [(&self.workspace).into(), (&self.webhook).into()]
    }

    fn failed(
        &self,
        tx: &mut dyn Tx,
        failure: &Failure,
        disable_after: Option<Duration>,
        warning: &Notice,
        disabling: &Notice,
    ) -> Result<(Became, usize), StoreError> {
        // Where somebody changed it meanwhile, the next failure is judged.
        let changed_meanwhile = (Became::Failing { look_again_at: self.at }, 0);
        let stored = tx.as_read().first(&WEBHOOK, &self.webhook(), read_stored)?;
        let Some(stored) = stored.filter(|stored| stored.enabled && stored.url == failure.url) else {
            return Ok(changed_meanwhile);
        };
        let judgement = judge(stored.spell, self.at, failure.delivery, disable_after);
        let version = stored.updated_at.max(self.at.before(MICROSECOND)) + MICROSECOND;
        if self.write(tx, &stored, &judgement, version)? == 0 {
            return Ok(changed_meanwhile);
        }
        let Judgement { spell, verdict, look_again_at } = judgement;
        match verdict {
            Verdict::Noted => Ok((Became::Failing { look_again_at }, 0)),
            Verdict::Warn { disabled_at } => {
                let about = AboutWebhook {
                    will_be_disabled_at: Some(disabled_at),
                    ..self.about(&stored, failure, DisabledReason::Failing, Some(spell.since))
                };
                let changes = json!({ "failing_since": { "to": spell.since }, "will_be_disabled_at": { "to": disabled_at } });
                let told = self.tell(tx, WEBHOOK_FAILING, "webhook.failing", &changes, &about, warning)?;
                Ok((Became::Warned { disabled_at, look_again_at }, told))
            }
            Verdict::Disable => {
                let reason = DisabledReason::Failing;
                let about = self.about(&stored, failure, reason, Some(spell.since));
                let told = self.tell_disabled(tx, reason, &about, disabling)?;
                Ok((Became::Disabled { reason, version }, told))
            }
        }
    }

    /// Writes what was judged, if the webhook is still as it was `stored`.
    fn write(
        &self,
        tx: &mut dyn Tx,
        stored: &Stored,
        judgement: &Judgement,
        version: Timestamp,
    ) -> Result<u64, StoreError> {
        let Judgement { spell, verdict, .. } = judgement;
        let disable = *verdict == Verdict::Disable;
        let args = [
            (&self.workspace).into(),
            (&self.webhook).into(),
            spell.since.into(),
            spell.last_failure_at.into(),
            (&spell.delivery).into(),
            spell.several.into(),
            spell.warned_at.into(),
            (!disable).into(),
            disable.then_some(DisabledReason::Failing.as_str()).into(),
            if disable { version } else { stored.updated_at }.into(),
            stored.updated_at.into(),
            stored.failing_since.unwrap_or(NOT_YET).into(),
            stored.spell.and_then(|spell| spell.warned_at).unwrap_or(NOT_YET).into(),
            NOT_YET.into(),
        ];
        tx.exec(&FAILED, &args)
    }

    fn gone(
        &self,
        tx: &mut dyn Tx,
        failure: &Failure,
        disabling: &Notice,
    ) -> Result<Option<(Became, usize)>, StoreError> {
        let [workspace, webhook] = self.webhook();
        if tx.exec(&GONE, &[workspace, webhook, self.at.into(), (&failure.url).into()])? == 0 {
            return Ok(None);
        }
        // The row is ours until the transaction ends.
        let stored = tx.as_read().first(&WEBHOOK, &self.webhook(), read_stored)?;
        let Some(stored) = stored else { return Ok(None) };
        let reason = DisabledReason::Gone;
        let about = self.about(&stored, failure, reason, stored.failing_since);
        let told = self.tell_disabled(tx, reason, &about, disabling)?;
        Ok(Some((Became::Disabled { reason, version: stored.updated_at }, told)))
    }

    fn about<'a>(
        &self,
        stored: &'a Stored,
        failure: &'a Failure,
        reason: DisabledReason,
        failing_since: Option<Timestamp>,
    ) -> AboutWebhook<'a> {
        AboutWebhook {
            workspace_id: self.workspace,
            workspace_external_id: stored.workspace_external_id.as_deref(),
            webhook_id: self.webhook,
            webhook_name: &stored.name,
            url: scheme_and_host(&stored.url),
            reason: reason.as_str(),
            failing_since,
            last_error_code: failure.error_code.as_deref(),
            last_response_status: failure.response_status,
            will_be_disabled_at: None,
        }
    }

    fn tell_disabled(
        &self,
        tx: &mut dyn Tx,
        reason: DisabledReason,
        about: &AboutWebhook<'_>,
        notice: &Notice,
    ) -> Result<usize, StoreError> {
        let changes = json!({
            "enabled": { "from": true, "to": false },
            "disabled_reason": { "from": null, "to": reason },
        });
        self.tell(tx, WEBHOOK_DISABLED, "webhook.disabled", &changes, about, notice)
    }

    /// Writes the audit entry and the operator events. Gives how many deliveries they have.
    fn tell(
        &self,
        tx: &mut dyn Tx,
        event_type: &str,
        action: &'static str,
        changes: &Value,
        about: &AboutWebhook<'_>,
        notice: &Notice,
    ) -> Result<usize, StoreError> {
        let fact = AuditFact {
            id: notice.audit,
            at: self.at,
            action,
            target_kind: "webhook",
            target_id: self.webhook.to_string(),
            changes_json: changes.to_string(),
        };
        audit::entry(tx, self.workspace, &keybell(), &Origin::default(), &fact)?;
        let mut events = Vec::with_capacity(notice.events.len());
        for event in &notice.events {
            // The operator's workspace may have been deleted since it was looked up.
            let there = tx.as_read().first(&WORKSPACE_IS_THERE, &[(&event.workspace).into()], |_| Ok(()))?;
            if there.is_some() {
                events.push(self.event(event, event_type, about));
            }
        }
        events::insert_due(tx, &events, self.at)?;
        Ok(events.iter().map(|event| event.deliveries.len()).sum())
    }

    fn event(&self, event: &NoticeEvent, event_type: &str, about: &AboutWebhook<'_>) -> NewEvent {
        let record = EventRecord {
            workspace: event.workspace,
            key: event.key,
            supplied_id: None,
            event_type: event_type.to_owned(),
            occurred_at: self.at,
            data: about.data(),
        };
        NewEvent { record: Arc::new(record), occurred_at_given: false, deliveries: event.deliveries.clone() }
    }
}

/// The least step of a version.
const MICROSECOND: Duration = Duration::from_micros(1);

/// Who acts where nobody asked for it.
fn keybell() -> ActorRef {
    ActorRef { kind: "system".to_owned(), id: "keybell".to_owned(), name: "Keybell".to_owned() }
}

fn read_stored(row: &dyn Row) -> Result<Stored, StoreError> {
    let failing_since = row.opt_at(4)?;
    // A spell of before these columns has no last failure: it begins anew.
    let spell = match (failing_since, row.opt_at(5)?, row.opt_bytes(6)?) {
        (Some(since), Some(last_failure_at), Some(_)) => Some(Spell {
            since,
            last_failure_at,
            delivery: row.id(6)?,
            several: row.bool(7)?,
            warned_at: row.opt_at(8)?,
        }),
        _ => None,
    };
    Ok(Stored {
        name: row.text(0)?.to_owned(),
        url: row.text(1)?.to_owned(),
        enabled: row.bool(2)?,
        updated_at: row.at(3)?,
        failing_since,
        spell,
        workspace_external_id: row.opt_text(9)?.map(str::to_owned),
    })
}
