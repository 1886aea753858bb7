//! Doing what was asked for: many deliveries made again, request by request in turns, a bite at a time.
//!
//! The requests are on disk, each with how far it is, so that a crash costs nothing. What a bite makes pending waits for
//! room at its webhook, so that it is in nobody's way, and the webhook's shard takes it up.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::{ResendId, WorkspaceId};
use keybell_store::ops::resends::{CountMeant, CountedBite, NextResend, ResendBite};
use keybell_store::{StoreError, Timed};

use super::Shared;
use super::pace::Pace;

/// Deliveries that one bite looks at: some twenty milliseconds of the writer's time where all of them are meant.
pub(crate) const RESEND_ROWS: i64 = 500;
/// Bites of one turn that mean nothing, and cost only readers: a request that means little of much is soon through, and
/// the others do not wait long.
const EMPTY_BITES_MAX: usize = 20;
/// The longest sleep: a node that is gone may have left a request.
const LOOK_AFTER: Duration = Duration::from_mins(1);
/// How long a turn that failed waits.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Where a request stands in the order of turns.
type Place = (WorkspaceId, ResendId);

/// Does requests, until the task is ended.
pub(super) async fn run(shared: Arc<Shared>) {
    let (mut writing, mut after) = (Pace::new(), None);
    loop {
        match turn(&shared, &mut writing, after).await {
            Ok(None) if after.is_none() => {
                // Woken or not, it looks.
                let _ = tokio::time::timeout(LOOK_AFTER, shared.resend_asked.notified()).await;
            }
            Ok(place) => after = place,
            Err(error) => {
                tracing::warn!(%error, "deliveries were not made again; trying again");
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }
}

/// Does the next bite that means something of the request after that place; which request it was, `None` where none is
/// after it.
async fn turn(
    shared: &Shared,
    writing: &mut Pace,
    after: Option<Place>,
) -> Result<Option<Place>, StoreError> {
    let Some(mut resend) = shared.store.read(NextResend { after }).await? else { return Ok(None) };
    let place = (resend.meant.workspace, resend.id);
    let read = resend.clone();
    let mut end = None;
    for _ in 0..EMPTY_BITES_MAX {
        let bite = CountMeant { meant: resend.meant.clone(), rows: RESEND_ROWS, past_successes: false };
        let CountedBite { meant, end: bite_end } = shared.store.read(bite).await?;
        end = bite_end;
        let Some(next) = end.filter(|_| meant == 0) else { break };
        resend.meant.after = next;
    }
    // What means nothing is moved over together with the bite that ends the turn, so that the writer looks at that alone.
    let bite = ResendBite { from: resend.meant.after, resend: read, end, now: shared.clock.now() };
    let (moved, took) = shared.store.write(Timed(bite)).await?;
    if moved > 0 {
        shared.waiting_wanted.notify_one();
        let pause = writing.after(RESEND_ROWS, took);
        tokio::time::sleep(pause).await;
    }
    Ok(Some(place))
}
