//! Pending deliveries: claimed by lease, set aside, taken up, canceled.
//!
//! `due_at` says in whose hands a delivery is. It is the next attempt's time, when whoever looks for work takes it; or the
//! end of a lease, while a node has it in memory; or [`WAITING`], where it waits for room at its webhook; or [`PARKED`],
//! where it waits for its webhook to be enabled. So a delivery is only ever late, never lost: what a dead node held is due
//! again when its lease ends, and its own next start makes it due at once.

use keybell_core::{DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};

use crate::error::StoreError;
use crate::ops::events::EventRecord;
use crate::tx::{Arg, Isolation, Op, Query, Read, Row, Tx};
use crate::{bulks, statements};

/// When a delivery is due whose webhook is disabled: at the end of time.
pub const PARKED: Timestamp = Timestamp::from_micros(i64::MAX);
/// When a delivery is due that waits for room at its webhook: just before that. Its webhook asks for it, the oldest first,
/// and until then it costs nothing but its place on disk. The number stands in statements too: an index is for it.
pub const WAITING: Timestamp = Timestamp::from_micros(i64::MAX - 1);

/// Most bytes of data that one claim takes into memory; the first delivery is taken however large it is.
const CLAIM_BYTES_MAX: usize = 8 * 1024 * 1024;

statements! {
    DUE = "WITH picked AS MATERIALIZED (SELECT workspace_id, id, webhook_id, event_id, attempts_made, attempt_trigger \
           FROM pending_deliveries WHERE due_at <= $1 AND due_at < 9223372036854775806 \
           ORDER BY due_at LIMIT $2 /*skip locked*/) \
           SELECT p.workspace_id, p.id, p.webhook_id, p.event_id, p.attempts_made, p.attempt_trigger, \
           e.supplied_id, e.type, e.occurred_at, e.data FROM picked p \
           LEFT JOIN events e ON e.workspace_id = p.workspace_id AND e.id = p.event_id";
    WAITING_FOR_WEBHOOK = "WITH picked AS MATERIALIZED (SELECT workspace_id, id, webhook_id, event_id, attempts_made, \
           attempt_trigger FROM pending_deliveries /*indexed by pending_deliveries_waiting*/ WHERE workspace_id = $1 AND webhook_id = $2 \
           AND due_at >= 9223372036854775806 AND due_at = 9223372036854775806 ORDER BY id LIMIT $3 /*skip locked*/) \
           SELECT p.workspace_id, p.id, p.webhook_id, p.event_id, p.attempts_made, p.attempt_trigger, \
           e.supplied_id, e.type, e.occurred_at, e.data FROM picked p \
           LEFT JOIN events e ON e.workspace_id = p.workspace_id AND e.id = p.event_id";
    NEXT_DUE = "SELECT due_at FROM pending_deliveries WHERE due_at < 9223372036854775806 ORDER BY due_at LIMIT 1";
    NEXT_WAITING = "SELECT workspace_id, webhook_id, due_at FROM pending_deliveries /*indexed by pending_deliveries_waiting*/ \
                    WHERE due_at >= 9223372036854775806 AND (workspace_id, webhook_id, due_at) > ($1, $2, $3) \
                    ORDER BY workspace_id, webhook_id, due_at LIMIT 1";
    RELEASE_NODE = "UPDATE pending_deliveries SET due_at = next_attempt_at, leased_by = NULL \
                    WHERE due_at < 9223372036854775806 AND due_at <= $2 AND leased_by = $1";
    END_OF_BITE = "SELECT id FROM pending_deliveries WHERE workspace_id = $1 AND webhook_id = $2 AND id > $3 \
                   ORDER BY id LIMIT 1 OFFSET $4";
    PARK = "UPDATE pending_deliveries /*indexed by pending_deliveries_webhook*/ \
            SET due_at = $5, leased_by = NULL \
            WHERE workspace_id = $1 AND webhook_id = $2 AND id > $3 AND id <= $4 AND due_at < $6";
    TAKE_UP = "UPDATE pending_deliveries /*indexed by pending_deliveries_webhook*/ \
               SET due_at = CASE WHEN next_attempt_at <= $6 THEN 9223372036854775806 \
               ELSE next_attempt_at END, leased_by = NULL \
               WHERE workspace_id = $1 AND webhook_id = $2 AND id > $3 AND id <= $4 AND due_at = $5";
    CANCEL_KEEPING = "INSERT INTO finished_deliveries (workspace_id, id, webhook_id, event_id, event_type, status, \
                      attempts_made, last_response_status, completed_at) \
                      SELECT workspace_id, id, webhook_id, event_id, event_type, 'canceled', attempts_made, \
                      last_response_status, CAST($5 AS BIGINT) FROM pending_deliveries \
                      /*indexed by pending_deliveries_webhook*/ \
                      WHERE workspace_id = $1 AND webhook_id = $2 AND id > $3 AND id <= $4 ON CONFLICT DO NOTHING";
    CANCEL_PENDING = "DELETE FROM pending_deliveries /*indexed by pending_deliveries_webhook*/ \
                      WHERE workspace_id = $1 AND webhook_id = $2 AND id > $3 AND id <= $4";
}

bulks! {
    LEASE = Update { keys: 2 } "pending_deliveries" [workspace_id: Bytes, id: Bytes, due_at: Int, leased_by: Text];
    PUT_BACK = Update { keys: 3 } "pending_deliveries" [
        workspace_id: Bytes, id: Bytes, leased_by: Text, due_at: Int,
    ];
}

/// A delivery that was claimed: it is this node's until its lease ends.
#[derive(Clone, Debug)]
pub struct ClaimedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// How many attempts were made so far.
    pub attempts_made: i64,
    /// Why the next one is made: `first`, `retry` or `manual`.
    pub trigger: String,
    /// Whose delivery it is.
    pub workspace: WorkspaceId,
    /// The key of its event.
    pub event_key: EventKey,
    /// Its event; `None` where retention removed it.
    pub event: Option<EventRecord>,
}

/// What is to be claimed.
#[derive(Clone, Debug)]
pub enum Claim {
    /// Whatever is due, of any webhook, the longest due first.
    Due,
    /// What waits for room at one webhook, the oldest first.
    OfWebhook {
        /// Whose webhook it is.
        workspace: WorkspaceId,
        /// The webhook.
        webhook: WebhookId,
    },
}

/// Claims deliveries for this node.
#[derive(Debug)]
pub struct ClaimDeliveries {
    /// Which.
    pub claim: Claim,
    /// The present instant.
    pub now: Timestamp,
    /// Until when they are this node's.
    pub lease_until: Timestamp,
    /// How this node signs its leases.
    pub leased_by: String,
    /// Most deliveries to take.
    pub rows: i64,
}

/// What a claim brought.
#[derive(Debug)]
pub struct Claimed {
    /// The deliveries.
    pub deliveries: Vec<ClaimedDelivery>,
    /// Whether there may be more: the claim ended at one of its limits.
    pub more: bool,
    /// When the next delivery is due, parked and waiting ones left out; leases that end count too.
    pub next_due: Option<Timestamp>,
}

impl Op for ClaimDeliveries {
    const NAME: &'static str = "deliveries.claim";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = Claimed;

    /// A lease that is taken back is one that ended.
    fn must_last(&self) -> bool {
        false
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let mut found = Found { deliveries: Vec::new(), bytes: 0, seen: 0, left_some: false };
        let mut each = |row: &dyn Row| found.add(row);
        match &self.claim {
            Claim::Due => tx.rows(&DUE, &[self.now.into(), self.rows.into()], &mut each)?,
            Claim::OfWebhook { workspace, webhook } => {
                let args = [workspace.into(), webhook.into(), self.rows.into()];
                tx.rows(&WAITING_FOR_WEBHOOK, &args, &mut each)?;
            }
        }
        let mut leases = Vec::with_capacity(found.deliveries.len() * LEASE.columns.len());
        for delivery in &found.deliveries {
            leases.extend_from_slice(&[
                (&delivery.workspace).into(),
                (&delivery.id).into(),
                self.lease_until.into(),
                (&self.leased_by).into(),
            ]);
        }
        tx.bulk(&LEASE, &leases)?;
        let next_due = tx.as_read().first(&NEXT_DUE, &[], |row| row.at(0))?;
        let more = found.left_some || found.seen == self.rows;
        Ok(Claimed { deliveries: found.deliveries, more, next_due })
    }
}

struct Found {
    deliveries: Vec<ClaimedDelivery>,
    bytes: usize,
    seen: i64,
    left_some: bool,
}

impl Found {
    fn add(&mut self, row: &dyn Row) -> Result<(), StoreError> {
        self.seen += 1;
        let size = row.opt_bytes(9)?.map_or(0, <[u8]>::len);
        if !self.deliveries.is_empty() && self.bytes + size > CLAIM_BYTES_MAX {
            self.left_some = true;
            return Ok(());
        }
        self.bytes += size;
        self.deliveries.push(read_claimed(row)?);
        Ok(())
    }
}

fn read_claimed(row: &dyn Row) -> Result<ClaimedDelivery, StoreError> {
    let workspace = row.id(0)?;
    let event_key = row.id(3)?;
    let event = match row.opt_bytes(9)? {
        None => None,
        Some(data) => Some(EventRecord {
            workspace,
            key: event_key,
            supplied_id: row.opt_text(6)?.map(str::to_owned),
            event_type: row.text(7)?.to_owned(),
            occurred_at: row.at(8)?,
            data: data.to_vec(),
        }),
    };
    Ok(ClaimedDelivery {
        workspace,
        id: row.id(1)?,
        webhook: row.id(2)?,
        event_key,
        attempts_made: row.int(4)?,
        trigger: row.text(5)?.to_owned(),
        event,
    })
}

/// When the next delivery is due, parked and waiting ones left out; leases that end count too.
#[derive(Debug)]
pub struct NextDue;

impl Query for NextDue {
    const NAME: &'static str = "deliveries.next_due";
    type Out = Option<Timestamp>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        tx.first(&NEXT_DUE, &[], |row| row.at(0))
    }
}

/// Puts deliveries that this node had taken back to wait on disk, for room at their webhooks. Those that came to an end, or
/// went to another node when their lease ended, stay as they are.
#[derive(Debug)]
pub struct PutBack {
    /// Which.
    pub deliveries: Vec<(WorkspaceId, DeliveryId)>,
    /// How this node signs its leases.
    pub leased_by: String,
}

impl Op for PutBack {
    const NAME: &'static str = "deliveries.put_back";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = ();

    /// What is taken back is due when its lease ends.
    fn must_last(&self) -> bool {
        false
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let mut values = Vec::with_capacity(self.deliveries.len() * PUT_BACK.columns.len());
        for (workspace, delivery) in &self.deliveries {
            let leased_by = Arg::from(&self.leased_by);
            values.extend_from_slice(&[workspace.into(), delivery.into(), leased_by, WAITING.into()]);
        }
        tx.bulk(&PUT_BACK, &values)?;
        Ok(())
    }
}

/// That deliveries wait at a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingAt {
    /// Whose webhook it is.
    pub workspace: WorkspaceId,
    /// The webhook.
    pub webhook: WebhookId,
    /// [`WAITING`] for room, or [`PARKED`] until it is enabled.
    pub due_at: Timestamp,
}

/// The webhooks at which deliveries wait, in the order of their ids; a webhook stands there once for each of the two ways.
///
/// It steps from webhook to webhook along an index of what waits, however much each has.
#[derive(Debug)]
pub struct WaitingWebhooks {
    /// Only what comes after this; `None` at the beginning.
    pub after: Option<WaitingAt>,
    /// Most to give.
    pub rows: i64,
}

impl Query for WaitingWebhooks {
    const NAME: &'static str = "deliveries.waiting_webhooks";
    type Out = Vec<WaitingAt>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let mut found = Vec::new();
        let mut after = self.after.unwrap_or(WaitingAt {
            workspace: WorkspaceId::from_bytes([0; 16]),
            webhook: WebhookId::from_bytes([0; 16]),
            due_at: Timestamp::EPOCH,
        });
        for _ in 0..self.rows {
            let args = [(&after.workspace).into(), (&after.webhook).into(), after.due_at.into()];
            let next = tx.first(&NEXT_WAITING, &args, |row| {
                Ok(WaitingAt { workspace: row.id(0)?, webhook: row.id(1)?, due_at: row.at(2)? })
            })?;
            let Some(next) = next else { break };
            found.push(next);
            after = next;
        }
        Ok(found)
    }
}

/// Makes due again what a node had in memory: at its start, since it then has nothing there, and at its end. Gives how many.
#[derive(Debug)]
pub struct ReleaseNode {
    /// How the node signs its leases.
    pub leased_by: String,
    /// No lease of it ends later: what is beyond need not be looked at.
    pub leases_end_by: Timestamp,
}

impl Op for ReleaseNode {
    const NAME: &'static str = "deliveries.release_node";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        tx.exec(&RELEASE_NODE, &[(&self.leased_by).into(), self.leases_end_by.into()])
    }
}

/// What is done with all deliveries that wait for a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Its webhook is disabled: they wait until it is enabled. Those that wait for room at it stay where they are: nobody
    /// asks for them meanwhile.
    Park,
    /// It is enabled again: they are due as they were, and where that is over, they wait for room at it.
    TakeUp {
        /// The present instant.
        now: Timestamp,
    },
    /// It is deleted: they come to an end, canceled.
    Cancel {
        /// When.
        at: Timestamp,
    },
}

/// One bite of a sweep over a webhook's pending deliveries, so that a long queue blocks nobody.
#[derive(Debug)]
pub struct SweepWebhook {
    /// Whose webhook it is.
    pub workspace: WorkspaceId,
    /// The webhook.
    pub webhook: WebhookId,
    /// What is done.
    pub sweep: Sweep,
    /// Where the bite before ended; `None` at the beginning.
    pub after: Option<DeliveryId>,
    /// Most deliveries of this bite, at least 1.
    pub rows: i64,
}

impl Op for SweepWebhook {
    const NAME: &'static str = "deliveries.sweep_webhook";
    const ISOLATION: Isolation = Isolation::PerStatement;
    /// Where this bite ended; `None` when there is nothing after it.
    type Out = Option<DeliveryId>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let after = self.after.unwrap_or(DeliveryId::from_bytes([0; 16]));
        let last = DeliveryId::from_bytes([0xff; 16]);
        let bite =
            [(&self.workspace).into(), (&self.webhook).into(), (&after).into(), Arg::Int(self.rows - 1)];
        let end: Option<DeliveryId> = tx.as_read().first(&END_OF_BITE, &bite, |row| row.id(0))?;
        let to = end.unwrap_or(last);
        let range = [(&self.workspace).into(), (&self.webhook).into(), (&after).into(), Arg::from(&to)];
        let with = |value: Timestamp| [range[0], range[1], range[2], range[3], value.into()];
        match self.sweep {
            Sweep::Park => {
                tx.exec(&PARK, &[range[0], range[1], range[2], range[3], PARKED.into(), WAITING.into()])?
            }
            Sweep::TakeUp { now } => {
                tx.exec(&TAKE_UP, &[range[0], range[1], range[2], range[3], PARKED.into(), now.into()])?
            }
            Sweep::Cancel { at } => {
                tx.exec(&CANCEL_KEEPING, &with(at))?;
                tx.exec(&CANCEL_PENDING, &range)?
            }
        };
        Ok(end)
    }
}
