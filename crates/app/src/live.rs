//! Live views: pages that stay open and are told what changes. They are few, and end when the server does.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::{Code, Problem, WorkspaceId};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::App;
use crate::places::{Place, Places};

/// Most live views at once: each asks the database about once a second.
pub const LIVE_VIEWS_MAX: usize = 100;
/// Most of them of one workspace, so that none takes all of them.
pub const LIVE_VIEWS_PER_WORKSPACE_MAX: usize = 10;
/// Seconds after which somebody who found no room may ask again.
const COME_AGAIN_SECONDS: u64 = 10;

/// The live views of this process.
pub(crate) struct LiveViews {
    places: Arc<Places>,
    over: watch::Sender<bool>,
}

/// A view that was begun; dropping it makes room for another.
pub struct LiveView {
    over: watch::Receiver<bool>,
    place: Place,
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
        let places = Places::new(LIVE_VIEWS_MAX, LIVE_VIEWS_PER_WORKSPACE_MAX);
        LiveViews { places, over: watch::channel(false).0 }
    }
}

impl LiveViews {
    fn begin(&self, workspace: WorkspaceId) -> Result<LiveView, Problem> {
        let Some(place) = self.places.take(workspace) else {
            let full = "As many live views are open as may be. Close one, or try again later.";
            return Err(Problem::new(Code::RateLimited, full).retry_after(COME_AGAIN_SECONDS));
        };
        Ok(LiveView { over: self.over.subscribe(), place })
    }

    fn end(&self) {
        self.over.send_replace(true);
    }
}

impl LiveView {
    /// Waits for `time`; false where the view is over, or has lost its place to another since it gave no sign of life for
    /// half a minute.
    pub async fn pause(&mut self, time: Duration) -> bool {
        if !self.place.is_there_until(Instant::now() + time) {
            return false;
        }
        // A sender that is gone is an end, too.
        let over = self.over.wait_for(|over| *over);
        tokio::time::timeout(time, over).await.is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::STALLED_AFTER;

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
        assert!(views.begin(workspace(1)).is_ok());
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

    #[tokio::test(start_paused = true)]
    async fn a_view_that_nobody_reads_loses_its_place_where_there_is_no_room_and_not_before() {
        let views = LiveViews::default();
        let begin = || views.begin(workspace(1));
        let mut read = begin().expect("there is room");
        let mut stalled: Vec<_> = (1..LIVE_VIEWS_PER_WORKSPACE_MAX).filter_map(|_| begin().ok()).collect();
        let moment = Duration::from_millis(1);
        assert!(read.pause(STALLED_AFTER.saturating_sub(moment)).await);
        assert!(begin().is_err() && stalled[0].pause(moment).await, "each may still be read");
        let mut newer: Vec<_> = (0..LIVE_VIEWS_PER_WORKSPACE_MAX).filter_map(|_| begin().ok()).collect();
        assert_eq!(newer.len(), stalled.len() - 1, "those that gave no sign of life made room");
        assert!(!stalled[1].pause(moment).await, "whoever reads again after that is at an end");
        assert!(read.pause(moment).await && stalled[0].pause(moment).await && newer[0].pause(moment).await);
        drop(stalled);
        assert_eq!(
            (0..2).filter(|_| begin().is_ok()).count(),
            2,
            "one went, and what is begun here goes at once"
        );

        // A long rest is no silence.
        newer.extend(begin());
        let rest = STALLED_AFTER * 10;
        let later = async {
            tokio::time::sleep(rest).await;
            assert!(begin().is_ok(), "the others made room");
        };
        assert!(tokio::join!(read.pause(rest), later).0 && read.pause(moment).await);
    }
}
