//! A time of a workspace, of which counts are asked for.

use std::collections::BTreeMap;

use keybell_core::{Timestamp, WorkspaceId};

use super::step::Step;
use crate::tx::Arg;

/// A time of a workspace, in steps.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// By minute, hour or day.
    pub step: Step,
    /// The beginning of the first step.
    pub from: Timestamp,
    /// Before this time.
    pub until: Timestamp,
}

impl Span {
    /// What statements ask for it by.
    pub(super) fn args(&self) -> [Arg<'_>; 4] {
        [(&self.workspace).into(), self.step.seconds().into(), self.from.into(), self.until.into()]
    }

    /// The step that `at` falls into; `None` outside of the time.
    pub fn step_of(&self, at: Timestamp) -> Option<Timestamp> {
        let at = self.step.beginning(at);
        (self.from..self.until).contains(&at).then_some(at)
    }

    /// What was found of each step, oldest first, those of which nothing was included.
    pub fn by_step<C: Default>(&self, mut found: BTreeMap<Timestamp, C>) -> Vec<(Timestamp, C)> {
        let length = usize::try_from(self.step.seconds()).expect("steps are short");
        let steps = (self.from.seconds()..self.until.seconds()).step_by(length).map(Timestamp::from_seconds);
        steps.map(|at| (at, found.remove(&at).unwrap_or_default())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_steps_and_none_before_or_after_them() {
        let at = Timestamp::from_seconds;
        let workspace = WorkspaceId::from_bytes([1; 16]);
        let span = Span { workspace, step: Step::Minute, from: at(60), until: at(180) };
        let steps = [59, 60, 119, 120, 179, 180].map(|second| span.step_of(at(second)));
        assert_eq!(steps, [None, Some(at(60)), Some(at(60)), Some(at(120)), Some(at(120)), None]);
        assert_eq!(span.by_step(BTreeMap::from([(at(120), 7)])), [(at(60), 0), (at(120), 7)]);
    }
}
