//! Live views: pages that stay open and are told what changes. They are few, and end when the server does.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::{Code, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::App;

/// Most live views at once: each asks the database about once a second.
pub const LIVE_VIEWS_MAX: usize = 100;
/// Seconds after which somebody who found no room may ask again.
const COME_AGAIN_SECONDS: u64 = 10;

/// The live views of this process.
pub(crate) struct LiveViews {
    free: Arc<Semaphore>,
    over: watch::Sender<bool>,
}

/// A view that was begun; dropping it makes room for another.
#[derive(Debug)]
pub struct LiveView {
    over: watch::Receiver<bool>,
    _room: OwnedSemaphorePermit,
}

impl App {
    /// Begins a live view. [`Code::RateLimited`] where there are [`LIVE_VIEWS_MAX`].
    pub fn begin_live_view(&self) -> Result<LiveView, Problem> {
        self.inner.live_views.begin()
    }

    /// Ends all live views, and those that are begun afterwards: the server ends, and waits for nobody who only looks.
    pub fn end_live_views(&self) {
        self.inner.live_views.end();
    }
}

impl Default for LiveViews {
    fn default() -> LiveViews {
        LiveViews { free: Arc::new(Semaphore::new(LIVE_VIEWS_MAX)), over: watch::channel(false).0 }
    }
}

impl LiveViews {
    fn begin(&self) -> Result<LiveView, Problem> {
        let room = Arc::clone(&self.free).try_acquire_owned().map_err(|_| {
            let full = format!("{LIVE_VIEWS_MAX} live views are open, as many as may be. Try again later.");
            Problem::new(Code::RateLimited, full).retry_after(COME_AGAIN_SECONDS)
        })?;
        Ok(LiveView { over: self.over.subscribe(), _room: room })
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

    #[test]
    fn there_is_room_for_so_many_and_one_that_is_closed_makes_room() {
        let views = LiveViews::default();
        let mut open: Vec<_> = (0..LIVE_VIEWS_MAX).map(|_| views.begin().expect("there is room")).collect();
        let refused = views.begin().expect_err("there is none");
        assert_eq!(
            (refused.code, refused.retry_after_seconds),
            (Code::RateLimited, Some(COME_AGAIN_SECONDS))
        );
        open.pop();
        assert!(views.begin().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_view_goes_on_until_the_server_ends() {
        let views = LiveViews::default();
        let mut view = views.begin().expect("there is room");
        assert!(view.pause(Duration::from_secs(1)).await);
        views.end();
        assert!(!view.pause(Duration::from_secs(1)).await);
        assert!(!views.begin().expect("there is room").pause(Duration::ZERO).await, "it ends at once");
    }
}
