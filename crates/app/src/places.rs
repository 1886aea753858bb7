//! Places for what stays open and costs something while it does: there are so many at once, and no workspace takes all of
//! them. What gives no sign of life keeps its place as long as nobody else needs it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keybell_core::WorkspaceId;
use tokio::time::Instant;

/// After how long without a sign of life a place may go to another: one whose browser stopped reading is of no use to
/// anybody, and its connection may last for hours.
pub(crate) const STALLED_AFTER: Duration = Duration::from_secs(30);

/// The places of one kind.
pub(crate) struct Places {
    /// Most at once.
    most: usize,
    /// Most of them of one workspace.
    most_of_workspace: usize,
    taken: Mutex<Taken>,
}

/// Those that are taken, by workspace.
#[derive(Default)]
struct Taken {
    of: HashMap<WorkspaceId, Vec<Held>>,
    /// The number of the next one.
    next: u64,
}

struct Held {
    number: u64,
    /// When the next sign of life is to come.
    until: Instant,
}

/// A place that was taken; dropping it makes room for another.
pub(crate) struct Place {
    places: Arc<Places>,
    workspace: WorkspaceId,
    number: u64,
}

impl Places {
    pub(crate) fn new(most: usize, most_of_workspace: usize) -> Arc<Places> {
        Arc::new(Places { most, most_of_workspace, taken: Mutex::default() })
    }

    /// A place for `workspace`; `None` where there is none.
    pub(crate) fn take(self: &Arc<Self>, workspace: WorkspaceId) -> Option<Place> {
        let (mut taken, now) = (self.lock(), Instant::now());
        if self.is_full(&taken, workspace) {
            taken.clear(now);
        }
        if self.is_full(&taken, workspace) {
            return None;
        }
        let number = taken.next;
        taken.next += 1;
        taken.of.entry(workspace).or_default().push(Held { number, until: now });
        Some(Place { places: Arc::clone(self), workspace, number })
    }

    fn is_full(&self, taken: &Taken, workspace: WorkspaceId) -> bool {
        let all: usize = taken.of.values().map(Vec::len).sum();
        let own = taken.of.get(&workspace).map_or(0, Vec::len);
        all >= self.most || own >= self.most_of_workspace
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Takes their places from those that gave no sign of life.
    fn clear(&mut self, now: Instant) {
        self.of.retain(|_, held| {
            held.retain(|held| now < held.until + STALLED_AFTER);
            !held.is_empty()
        });
    }
}

impl Place {
    /// Gives a sign of life, good until the next that is to come at `until`. False where the place is lost.
    pub(crate) fn is_there_until(&self, until: Instant) -> bool {
        let mut taken = self.places.lock();
        let mut held = taken.of.get_mut(&self.workspace).into_iter().flatten();
        let own = held.find(|held| held.number == self.number);
        own.map(|held| held.until = until).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(held) = taken.of.get_mut(&self.workspace) {
            held.retain(|held| held.number != self.number);
            if held.is_empty() {
                taken.of.remove(&self.workspace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(number: u8) -> WorkspaceId {
        WorkspaceId::from_bytes([number; 16])
    }

    #[test]
    fn there_are_so_many_and_one_that_is_given_back_makes_room() {
        let places = Places::new(3, 2);
        let mut taken: Vec<_> = [1, 2, 2].into_iter().filter_map(|of| places.take(workspace(of))).collect();
        assert_eq!(taken.len(), 3);
        assert!(places.take(workspace(3)).is_none());
        taken.pop();
        assert!(places.take(workspace(3)).is_some());
    }

    #[test]
    fn no_workspace_takes_all_of_them() {
        let places = Places::new(3, 2);
        let taken: Vec<_> = (0..3).filter_map(|_| places.take(workspace(1))).collect();
        assert_eq!(taken.len(), 2);
        assert!(places.take(workspace(2)).is_some());
        drop(taken);
        assert!(places.take(workspace(1)).is_some() && places.lock().of.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_gives_no_sign_of_life_is_lost_where_another_needs_it_and_not_before() {
        let places = Places::new(4, 2);
        let take = || places.take(workspace(1));
        let (lively, stalled) = (take().expect("there is room"), take().expect("there is room"));
        tokio::time::advance(STALLED_AFTER / 2).await;
        assert!(lively.is_there_until(Instant::now()));
        tokio::time::advance((STALLED_AFTER / 2).saturating_sub(Duration::from_millis(1))).await;
        assert!(take().is_none(), "each may still be alive");
        tokio::time::advance(Duration::from_millis(1)).await;
        let newer = take().expect("the stalled one made room");
        assert!(!stalled.is_there_until(Instant::now()));
        drop(stalled);
        assert!(take().is_none(), "what was lost is not given back twice");
        assert!(lively.is_there_until(Instant::now()) && newer.is_there_until(Instant::now()));
    }
}
