//! Reading how keys were used.

use std::time::Duration;

use keybell_core::grant::ReadKeys;
use keybell_core::key::{Counts, KeyId};
use keybell_core::{Code, Grant, Problem, Timestamp, WorkspaceId};
use keybell_store::StoreError;
use keybell_store::ops::usage::{Span, Step, UsageOfKey};
use tokio::sync::Mutex;

use super::Waiting;
use crate::App;
use crate::problems::of_store;

/// Most points of one answer: a day of minutes, two months of hours.
pub const POINTS_MAX: i64 = 1_500;

/// Points of an answer where no time is asked for.
const POINTS_DEFAULT: i64 = 24;

/// How often usage is read beside what writes it, before that has to wait.
const READ_TRIES_MAX: u32 = 2;

/// What is asked of counts that are kept by time.
#[derive(Clone, Copy, Debug)]
pub struct UsageQuestion {
    /// Of this time or later; 24 steps before the end where it is left out.
    pub from: Option<Timestamp>,
    /// Before this time; now where it is left out.
    pub to: Option<Timestamp>,
    /// How much time a point is.
    pub step: Step,
}

impl App {
    /// How a key was used, step by step, oldest first, those without a use included. What was counted and is not written
    /// yet is in it.
    ///
    /// [`Code::Validation`] where the time has no length, or more than [`POINTS_MAX`] steps.
    pub async fn key_usage(
        &self,
        grant: Grant<ReadKeys>,
        id: KeyId,
        question: UsageQuestion,
    ) -> Result<Vec<(Timestamp, Counts)>, Problem> {
        let workspace = self.keyring().with(id, |key| key.workspace);
        workspace.filter(|workspace| *workspace == grant.workspace()).ok_or(Code::NotFound)?;
        let span = self.asked_time(grant.workspace(), question)?;
        let look = |waiting: &mut Waiting| {
            self.gather_usage(waiting);
            waiting.of_key(id)
        };
        let read = || self.store().read(UsageOfKey { span, id });
        let (mut used, waiting) = stored_and_waiting(&self.usage().waiting, look, read).await?;
        for tally in waiting {
            if let Some(at) = span.step_of(tally.at()) {
                used.entry(at).or_default().add(tally.outcome, tally.count.into());
            }
        }
        Ok(span.by_step(used))
    }

    /// The time that is asked for.
    pub(crate) fn asked_time(
        &self,
        workspace: WorkspaceId,
        question: UsageQuestion,
    ) -> Result<Span, Problem> {
        let UsageQuestion { from, to, step } = question;
        let length = step.seconds();
        // Both ends are whole steps, so that the present one is among them; `to` itself is not.
        let last = to.map_or_else(|| self.now(), |to| to.before(Duration::from_micros(1)));
        let until = step.beginning(last);
        let until = until + Duration::from_secs(length.unsigned_abs());
        let default = || Timestamp::from_seconds(until.seconds().saturating_sub(POINTS_DEFAULT * length));
        let from = step.beginning(from.unwrap_or_else(default));
        if from >= until {
            return Err(Problem::field(
                "from",
                "out_of_range",
                "must be before `to`, which is now where it is left out",
            ));
        }
        let points = (until.seconds() - from.seconds()) / length;
        if points > POINTS_MAX {
            let message =
                format!("is {points} steps before `to`; ask for at most {POINTS_MAX}, or for longer steps");
            return Err(Problem::field("from", "out_of_range", message));
        }
        Ok(Span { workspace, step, from, until })
    }
}

/// What waits to be written.
pub(crate) trait Written {
    /// How many writings of it were begun.
    fn written(&self) -> u64;
}

/// What is stored of some counts, and what waits to be: nothing of it in both, and nothing in neither.
///
/// `look` gives what waits, `read` what is stored. What waits is not held up by the reading: where something was written
/// meanwhile, both are looked at again, and in the end while nothing can be written.
pub(crate) async fn stored_and_waiting<W, T, S, F>(
    waiting: &Mutex<W>,
    look: impl Fn(&mut W) -> T,
    read: impl Fn() -> F,
) -> Result<(S, T), Problem>
where
    W: Written,
    F: Future<Output = Result<S, StoreError>>,
{
    for _ in 0..READ_TRIES_MAX {
        let (found, written) = {
            let mut waiting = waiting.lock().await;
            (look(&mut waiting), waiting.written())
        };
        let stored = read().await.map_err(of_store)?;
        if waiting.lock().await.written() == written {
            return Ok((stored, found));
        }
    }
    let mut waiting = waiting.lock().await;
    let found = look(&mut waiting);
    Ok((read().await.map_err(of_store)?, found))
}
