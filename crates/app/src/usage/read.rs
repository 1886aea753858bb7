//! Reading how keys were used.

use std::collections::BTreeMap;
use std::time::Duration;

use keybell_core::grant::ReadKeys;
use keybell_core::key::{Counts, KeyId};
use keybell_core::{Code, Grant, Problem, Timestamp};
use keybell_store::ops::usage::{Step, UsageOfKey};

use super::Tally;
use crate::App;
use crate::problems::of_store;

/// Most points of one answer: a day of minutes, two months of hours.
pub const POINTS_MAX: i64 = 1_500;

/// Points of an answer where no time is asked for.
const POINTS_DEFAULT: i64 = 24;

/// How often usage is read beside what writes it, before that has to wait.
const READ_TRIES_MAX: u32 = 2;

/// What is asked of a key's usage.
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
        let (from, until) = self.asked_time(question)?;
        let step = question.step;
        let query = || UsageOfKey { workspace: grant.workspace(), id, step, from, until };
        let (mut used, waiting) = self.stored_and_waiting(id, query).await?;
        for tally in waiting {
            let minute = Timestamp::from_seconds(i64::from(tally.minute) * Step::Minute.seconds());
            used.entry(step.beginning(minute)).or_default().add(tally.outcome, tally.count.into());
        }
        let steps = (from.seconds()..until.seconds())
            .step_by(usize::try_from(step.seconds()).expect("steps are short"));
        let point = |at| (at, used.get(&at).copied().unwrap_or_default());
        Ok(steps.map(Timestamp::from_seconds).map(point).collect())
    }

    /// What is stored of a key's usage, and what waits to be: nothing of it in both, and nothing in neither.
    ///
    /// What waits is not held up by the reading. Where something was written meanwhile, both are looked at again, and in the
    /// end while nothing can be written.
    async fn stored_and_waiting(
        &self,
        id: KeyId,
        query: impl Fn() -> UsageOfKey,
    ) -> Result<(BTreeMap<Timestamp, Counts>, Vec<Tally>), Problem> {
        for _ in 0..READ_TRIES_MAX {
            let (tallies, written) = {
                let mut waiting = self.usage().waiting.lock().await;
                self.gather_usage(&mut waiting);
                (waiting.of_key(id), waiting.written)
            };
            let stored = self.store().read(query()).await.map_err(of_store)?;
            if self.usage().waiting.lock().await.written == written {
                return Ok((stored, tallies));
            }
        }
        let mut waiting = self.usage().waiting.lock().await;
        self.gather_usage(&mut waiting);
        let stored = self.store().read(query()).await.map_err(of_store)?;
        Ok((stored, waiting.of_key(id)))
    }

    /// The beginning of the first step, and the end of the time that is asked for.
    fn asked_time(&self, question: UsageQuestion) -> Result<(Timestamp, Timestamp), Problem> {
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
        Ok((from, until))
    }
}
