//! Many finished deliveries made again: a request that is kept until it is done, and done in bites.
//!
//! A request may mean a million deliveries. It is written down with how far it is; each bite looks at so many deliveries,
//! oldest first, makes those pending that are meant, and moves the request on in the same transaction. So nobody waits for
//! it, a crash costs nothing, and each delivery is made again at most once, however soon it fails again.

use keybell_core::grant::Origin;
use keybell_core::{ActorRef, DeliveryId, EventKey, ResendId, Timestamp, WebhookId, WorkspaceId};

use super::audit::{self, AuditFact};
use super::delivery_log::LastAnswer;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::statements;
use crate::tx::{Arg, Isolation, Op, Query, Read, Row, Tx};

/// The deliveries after `$2`, up to `$3`.
macro_rules! bite {
    () => {
        "f.id > $2 AND f.id <= $3"
    };
}
/// The same of one webhook. Named by their ids, out of the index by webhook: a range of ids alone would have all those of
/// other webhooks looked at that lie between.
macro_rules! bite_of_webhook {
    ($webhook:literal) => {
        concat!(
            "f.id IN (SELECT b.id FROM finished_deliveries b WHERE b.workspace_id = $1 AND b.webhook_id = ",
            $webhook,
            " AND b.id > $2 AND b.id <= $3)"
        )
    };
}
/// The same two where none that succeeded are meant: past those, by an index of the others.
macro_rules! unsuccessful_bite {
    () => {
        "f.status <> 'succeeded' AND f.id > $2 AND f.id <= $3"
    };
}
macro_rules! unsuccessful_bite_of_webhook {
    () => {
        "f.status <> 'succeeded' AND f.webhook_id = $12 AND f.id > $2 AND f.id <= $3"
    };
}
/// Which deliveries of a bite are meant and can be made again.
macro_rules! meant {
    () => {
        "f.workspace_id = $1 AND f.status = $4 AND (CAST($5 AS TEXT) IS NULL OR f.event_type = $5) \
         AND (CAST($6 AS BIGINT) IS NULL OR f.last_response_status BETWEEN $6 AND $7) \
         AND (CAST($8 AS BIGINT) = 0 OR f.last_response_status IS NULL) \
         AND (CAST($9 AS BIGINT) = 0 OR f.event_id = $10) \
         AND EXISTS (SELECT 1 FROM events e WHERE e.workspace_id = $1 AND e.id = f.event_id) \
         AND EXISTS (SELECT 1 FROM webhooks w WHERE w.workspace_id = $1 AND w.id = f.webhook_id AND w.enabled = 1 \
         AND (CAST($11 AS TEXT) IS NULL OR w.created_by_id = $11)) AND "
    };
}
// Rows that are being taken by somebody else at this moment are theirs; see `Sql::for_postgres`.
macro_rules! move_meant {
    ($($bite:tt)*) => {
        concat!(
            "INSERT INTO pending_deliveries (workspace_id, id, webhook_id, event_id, event_type, attempts_made, \
             attempt_trigger, last_response_status, next_attempt_at, due_at, leased_by) \
             SELECT f.workspace_id, f.id, f.webhook_id, f.event_id, f.event_type, f.attempts_made, 'manual', \
             f.last_response_status, CAST($12 AS BIGINT), 9223372036854775806, NULL FROM finished_deliveries f WHERE ",
            meant!(),
            $($bite)*,
            " /*skip locked*/ ON CONFLICT DO NOTHING"
        )
    };
}

statements! {
    END_OF_BITE = "SELECT id FROM finished_deliveries WHERE workspace_id = $1 AND id > $2 AND id <= $3 \
                   ORDER BY id LIMIT 1 OFFSET $4";
    END_OF_BITE_OF_WEBHOOK = "SELECT id FROM finished_deliveries WHERE workspace_id = $1 AND id > $2 AND id <= $3 \
                              AND webhook_id = $5 ORDER BY id LIMIT 1 OFFSET $4";
    END_OF_UNSUCCESSFUL_BITE = "SELECT id FROM finished_deliveries /*indexed by finished_deliveries_unsuccessful*/ \
                                WHERE workspace_id = $1 AND id > $2 AND id <= $3 AND status <> 'succeeded' \
                                ORDER BY id LIMIT 1 OFFSET $4";
    END_OF_UNSUCCESSFUL_BITE_OF_WEBHOOK =
        "SELECT id FROM finished_deliveries /*indexed by finished_deliveries_unsuccessful_webhook*/ \
         WHERE workspace_id = $1 AND id > $2 AND id <= $3 AND status <> 'succeeded' AND webhook_id = $5 \
         ORDER BY id LIMIT 1 OFFSET $4";
    COUNT_UNSUCCESSFUL = concat!(
        "SELECT COUNT(*) FROM finished_deliveries f /*indexed by finished_deliveries_unsuccessful*/ WHERE ",
        meant!(), unsuccessful_bite!());
    COUNT_UNSUCCESSFUL_OF_WEBHOOK = concat!(
        "SELECT COUNT(*) FROM finished_deliveries f /*indexed by finished_deliveries_unsuccessful_webhook*/ WHERE ",
        meant!(), unsuccessful_bite_of_webhook!());
    COUNT = concat!("SELECT COUNT(*) FROM finished_deliveries f WHERE ", meant!(), bite!());
    COUNT_OF_WEBHOOK =
        concat!("SELECT COUNT(*) FROM finished_deliveries f WHERE ", meant!(), bite_of_webhook!("$12"));
    MOVE = move_meant!(bite!());
    MOVE_OF_WEBHOOK = move_meant!(bite_of_webhook!("$13"));
    LEAVE = "DELETE FROM finished_deliveries WHERE workspace_id = $1 AND id > $2 AND id <= $3 AND EXISTS \
             (SELECT 1 FROM pending_deliveries p WHERE p.workspace_id = $1 AND p.id = finished_deliveries.id)";
    LEAVE_OF_WEBHOOK = "DELETE FROM finished_deliveries WHERE workspace_id = $1 AND id IN \
                        (SELECT b.id FROM finished_deliveries b WHERE b.workspace_id = $1 AND b.webhook_id = $4 \
                        AND b.id > $2 AND b.id <= $3) AND EXISTS \
                        (SELECT 1 FROM pending_deliveries p WHERE p.workspace_id = $1 AND p.id = finished_deliveries.id)";
    INSERT = "INSERT INTO resends (workspace_id, id, webhook_id, event_id, event_type, status, response_class, \
              only_made_by, done_to, last_id) \
              SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 \
              WHERE (SELECT COUNT(*) FROM resends WHERE workspace_id = $1) < $11 \
              AND EXISTS (SELECT 1 FROM workspaces WHERE id = $1)";
    NEXT = "SELECT workspace_id, id, webhook_id, event_id, event_type, status, response_class, only_made_by, done_to, \
            last_id FROM resends WHERE (workspace_id, id) > ($1, $2) ORDER BY workspace_id, id LIMIT 1";
    MOVE_ON = "UPDATE resends SET done_to = $4 WHERE workspace_id = $1 AND id = $2 AND done_to = $3";
    DONE = "DELETE FROM resends WHERE workspace_id = $1 AND id = $2 AND done_to = $3";
}

/// Which finished deliveries are meant. Those that cannot be made again never are: where the event is no longer kept, or
/// the webhook is disabled or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Only to this webhook.
    pub webhook: Option<WebhookId>,
    /// Only of this event.
    pub event: Option<EventKey>,
    /// Only of events of this type.
    pub event_type: Option<String>,
    /// Of this status: `succeeded`, `failed` or `canceled`.
    pub status: String,
    /// Only where the last answer was of this kind.
    pub last_answer: Option<LastAnswer>,
    /// Only to webhooks that this member made.
    pub only_made_by: Option<String>,
    /// Only deliveries after this one.
    pub after: DeliveryId,
    /// Only up to this one.
    pub last: DeliveryId,
}

impl Meant {
    /// The end of a bite: the last of the next `rows` deliveries that have to be looked at; `None` where there are fewer.
    fn end_of_bite(
        &self,
        tx: &mut dyn Read,
        rows: i64,
        [all, of_webhook]: [&'static Sql; 2],
    ) -> Result<Option<DeliveryId>, StoreError> {
        let mut args = vec![
            (&self.workspace).into(),
            (&self.after).into(),
            (&self.last).into(),
            Arg::Int(rows.saturating_sub(1)),
        ];
        let Some(webhook) = &self.webhook else { return tx.first(all, &args, |row| row.id(0)) };
        args.push(webhook.into());
        tx.first(of_webhook, &args, |row| row.id(0))
    }

    /// What stands in `meant`, up to `end`.
    fn args<'a>(&'a self, end: &'a DeliveryId) -> Vec<Arg<'a>> {
        let (from, to, none) = match self.last_answer {
            Some(LastAnswer::Class(class)) => (Arg::Int(class * 100), Arg::Int(class * 100 + 99), 0),
            Some(LastAnswer::None) => (Arg::Null, Arg::Null, 1),
            None => (Arg::Null, Arg::Null, 0),
        };
        vec![
            (&self.workspace).into(),
            (&self.after).into(),
            end.into(),
            (&self.status).into(),
            self.event_type.as_ref().into(),
            from,
            to,
            Arg::Int(none),
            self.event.is_some().into(),
            self.event.as_ref().into(),
            self.only_made_by.as_ref().into(),
        ]
    }

    fn class(&self) -> Option<i64> {
        match self.last_answer {
            Some(LastAnswer::Class(class)) => Some(class),
            Some(LastAnswer::None) => Some(NO_ANSWER),
            None => None,
        }
    }
}

/// What stands for [`LastAnswer::None`] in the column `response_class`.
const NO_ANSWER: i64 = 0;

/// Counts, among the next deliveries that have to be looked at, those that are meant.
#[derive(Debug)]
pub struct CountMeant {
    /// Which, and from where.
    pub meant: Meant,
    /// How many deliveries to look at, at least 1.
    pub rows: i64,
    /// Whether those that succeeded need not be looked at, because none of them is meant. A bite of [`ResendBite`] is of all,
    /// and so is the one that is counted before it.
    pub past_successes: bool,
}

/// A bite that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedBite {
    /// How many of its deliveries are meant.
    pub meant: u64,
    /// Where it ended; `None` where there were fewer to look at.
    pub end: Option<DeliveryId>,
}

impl Query for CountMeant {
    const NAME: &'static str = "resends.count";
    type Out = CountedBite;

    fn run(&self, tx: &mut dyn Read) -> Result<CountedBite, StoreError> {
        let meant = &self.meant;
        let (ends, [of_all, of_webhook]) = if self.past_successes {
            let ends = [&END_OF_UNSUCCESSFUL_BITE, &END_OF_UNSUCCESSFUL_BITE_OF_WEBHOOK];
            (ends, [&COUNT_UNSUCCESSFUL, &COUNT_UNSUCCESSFUL_OF_WEBHOOK])
        } else {
            ([&END_OF_BITE, &END_OF_BITE_OF_WEBHOOK], [&COUNT, &COUNT_OF_WEBHOOK])
        };
        let end = meant.end_of_bite(tx, self.rows, ends)?;
        let to = end.unwrap_or(meant.last);
        let mut args = meant.args(&to);
        let count = |row: &dyn Row| row.int(0);
        let counted = match &meant.webhook {
            None => tx.first(of_all, &args, count)?,
            Some(webhook) => {
                args.push(webhook.into());
                tx.first(of_webhook, &args, count)?
            }
        };
        Ok(CountedBite { meant: counted.unwrap_or(0).unsigned_abs(), end })
    }
}

/// Keeps a request to make deliveries again.
#[derive(Debug)]
pub struct InsertResend {
    /// Its id.
    pub id: ResendId,
    /// Which deliveries.
    pub meant: Meant,
    /// Most requests of a workspace that are not done.
    pub resends_max: i64,
    /// Who asks for it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for InsertResend {
    const NAME: &'static str = "resends.insert";
    /// `false` where the workspace has as many as it may have, or is gone.
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let meant = &self.meant;
        let args = [
            (&meant.workspace).into(),
            (&self.id).into(),
            meant.webhook.as_ref().into(),
            meant.event.as_ref().into(),
            meant.event_type.as_ref().into(),
            (&meant.status).into(),
            meant.class().into(),
            meant.only_made_by.as_ref().into(),
            (&meant.after).into(),
            (&meant.last).into(),
            self.resends_max.into(),
        ];
        if tx.exec(&INSERT, &args)? == 0 {
            return Ok(false);
        }
        audit::entry(tx, meant.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(true)
    }
}

/// A request that is not done yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResend {
    /// Its id.
    pub id: ResendId,
    /// Which deliveries, after those that were looked at.
    pub meant: Meant,
}

/// The next request that is not done, of any workspace.
#[derive(Debug)]
pub struct NextResend {
    /// After this one; the first where there is none.
    pub after: Option<(WorkspaceId, ResendId)>,
}

impl Query for NextResend {
    const NAME: &'static str = "resends.next";
    type Out = Option<StoredResend>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let start = (WorkspaceId::from_bytes([0; 16]), ResendId::from_bytes([0; 16]));
        let (workspace, id) = self.after.unwrap_or(start);
        tx.first(&NEXT, &[(&workspace).into(), (&id).into()], read_resend)
    }
}

fn read_resend(row: &dyn Row) -> Result<StoredResend, StoreError> {
    let webhook = row.opt_bytes(2)?.is_some().then(|| row.id(2)).transpose()?;
    let event = row.opt_bytes(3)?.is_some().then(|| row.id(3)).transpose()?;
    let last_answer = row.opt_int(6)?.map(|class| match class {
        NO_ANSWER => LastAnswer::None,
        class => LastAnswer::Class(class),
    });
    Ok(StoredResend {
        id: row.id(1)?,
        meant: Meant {
            workspace: row.id(0)?,
            webhook,
            event,
            event_type: row.opt_text(4)?.map(str::to_owned),
            status: row.text(5)?.to_owned(),
            last_answer,
            only_made_by: row.opt_text(7)?.map(str::to_owned),
            after: row.id(8)?,
            last: row.id(9)?,
        },
    })
}

/// Does one bite of a request: makes those of its deliveries pending that are meant, due at once.
#[derive(Debug)]
pub struct ResendBite {
    /// The request as it was read. Where another node did this bite meanwhile, nothing happens.
    pub resend: StoredResend,
    /// The bite is what is after this one: what lies before it was looked at, and nothing of it is meant.
    pub from: DeliveryId,
    /// The last delivery of the bite; `None` for all that is left, which ends the request.
    pub end: Option<DeliveryId>,
    /// The present instant.
    pub now: Timestamp,
}

impl Op for ResendBite {
    const NAME: &'static str = "resends.bite";
    const ISOLATION: Isolation = Isolation::PerStatement;
    /// How many deliveries are pending again.
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        let StoredResend { id, meant } = &self.resend;
        let request = [(&meant.workspace).into(), id.into(), Arg::from(&meant.after)];
        let moved_on = match &self.end {
            Some(end) => tx.exec(&MOVE_ON, &[request[0], request[1], request[2], end.into()])?,
            None => tx.exec(&DONE, &request)?,
        };
        if moved_on == 0 {
            return Ok(0);
        }
        let end = self.end.unwrap_or(meant.last);
        let bite = Meant { after: self.from, ..meant.clone() };
        let mut args = bite.args(&end);
        let mut range = args[..3].to_vec();
        args.push(self.now.into());
        let Some(webhook) = &meant.webhook else {
            let moved = tx.exec(&MOVE, &args)?;
            tx.exec(&LEAVE, &range)?;
            return Ok(moved);
        };
        args.push(webhook.into());
        range.push(webhook.into());
        let moved = tx.exec(&MOVE_OF_WEBHOOK, &args)?;
        tx.exec(&LEAVE_OF_WEBHOOK, &range)?;
        Ok(moved)
    }
}
