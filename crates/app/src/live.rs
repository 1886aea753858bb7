//! Live views: pages that stay open and are told what changes. They are few, and end when the server does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keybell_core::{Code, Problem, WorkspaceId};
use tokio::sync::watch;

use crate::App;

/// Most live views at once: each asks the database about once a second.
pub const LIVE_VIEWS_MAX: usize = 100;
/// Most of them of one workspace, so that none takes all of them.
pub const LIVE_VIEWS_PER_WORKSPACE_MAX: usize = 10;
/// Seconds after which somebody who found no room may ask again.
const COME_AGAIN_SECONDS: u64 = 10;

/// The live views of this process.
pub(crate) struct LiveViews {
    open: Arc<Open>,
    over: watch::Sender<bool>,
}

/// How many are open, by workspace.
#[derive(Default)]
struct Open(Mutex<HashMap<WorkspaceId, usize>>);

impl Open {
    fn lock(&self) -> MutexGuard<'_, HashMap<WorkspaceId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A view that was begun; dropping it makes room for another.
pub struct LiveView {
    over: watch::Receiver<bool>,
    workspace: WorkspaceId,
    open: Arc<Open>,
}

impl Drop for LiveView {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        if let Some(views) = open.get_mut(&self.workspace) {
            *views -= 1;
            if *views == 0 {
                open.remove(&self.workspace);
            }
        }
    }
}

impl App {
    /// Begins a live view of a workspace. [`Code::RateLimited`] where there are [`LIVE_VIEWS_MAX`], or
    /// [`LIVE_VIEWS_PER_WORKSPACE_MAX`] of it.
    pub fn begin_live_view(&self, workspace: WorkspaceId) -> Result<LiveView, Problem> {
        self.inner.live_views.begin(workspace)
    }

    /// Ends all live views, and those that are begun afterwards: the server ends, and waits for nobody who only looks.
    pub fn end_live_views(&self) {
        self.inner.live_views.end();
    }
}

impl Default for LiveViews {
    fn default() -> LiveViews {
        LiveViews { open: Arc::default(), over: watch::channel(false).0 }
    }
}

impl LiveViews {
    fn begin(&self, workspace: WorkspaceId) -> Result<LiveView, Problem> {
        let mut open = self.open.lock();
        let all: usize = open.values().sum();
        let own = open.get(&workspace).copied().unwrap_or(0);
        if all >= LIVE_VIEWS_MAX || own >= LIVE_VIEWS_PER_WORKSPACE_MAX {
            let full = "As many live views are open as may be. Close one, or try again later.";
            return Err(Problem::new(Code::RateLimited, full).retry_after(COME_AGAIN_SECONDS));
        }
        open.insert(workspace, own + 1);
        Ok(LiveView { over: self.over.subscribe(), workspace, open: Arc::clone(&self.open) })
    }

    fn end(&self) {
        self.over.send_replace(true);
    }
}

impl LiveView {
    /// Waits for `time`; false where the view is over.
    pub async fn pause(&mut self, time: Duration) -> bool {
        // A sender that is gone is an end, too.
        let over = self.over.wait_for(|over| *over);
        tokio::time::timeout(time, over).await.is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(number: usize) -> WorkspaceId {
        WorkspaceId::from_bytes([u8::try_from(number).expect("few of them"); 16])
    }

    #[test]
    fn there_is_room_for_so_many_and_one_that_is_closed_makes_room() {
        let views = LiveViews::default();
        let mut open = Vec::new();
        for number in 0..LIVE_VIEWS_MAX / LIVE_VIEWS_PER_WORKSPACE_MAX {
            for _ in 0..LIVE_VIEWS_PER_WORKSPACE_MAX {
                open.push(views.begin(workspace(number)).expect("there is room"));
            }
        }
        let refused = views.begin(workspace(200)).err().expect("there is none");
        assert_eq!(
            (refused.code, refused.retry_after_seconds),
            (Code::RateLimited, Some(COME_AGAIN_SECONDS))
        );
        open.pop();
        assert!(views.begin(workspace(200)).is_ok());
    }

    #[test]
    fn no_workspace_takes_all_of_them() {
        let views = LiveViews::default();
        let open: Vec<_> = (0..=LIVE_VIEWS_PER_WORKSPACE_MAX).map(|_| views.begin(workspace(1))).collect();
        assert_eq!(open.iter().filter(|view| view.is_ok()).count(), LIVE_VIEWS_PER_WORKSPACE_MAX);
        assert!(views.begin(workspace(2)).is_ok());
        drop(open);
        assert!(views.begin(workspace(1)).is_ok() && views.open.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_view_goes_on_until_the_server_ends() {
        let views = LiveViews::default();
        let begin = || views.begin(workspace(1)).expect("there is room");
        let mut view = begin();
        assert!(view.pause(Duration::from_secs(1)).await);
        views.end();
        assert!(!view.pause(Duration::from_secs(1)).await);
        assert!(!begin().pause(Duration::from_secs(1)).await, "it ends at once");
    }
}
