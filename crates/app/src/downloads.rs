//! Downloads: lists that are read to their end for a file. They are few at once, so that whoever opens a page does not wait
//! behind all of them for a reader of the database.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::{Code, Problem, WorkspaceId};
use tokio::time::Instant;

use crate::App;
use crate::places::{Place, Places};

/// Most downloads at once. Each has one bounded look at the database waiting or under way, of some milliseconds, and there
/// are two readers: whoever comes behind all of them waits for four looks.
pub const DOWNLOADS_MAX: usize = 8;
/// Most of them of one workspace, so that none takes all of them.
pub const DOWNLOADS_PER_WORKSPACE_MAX: usize = 2;
/// Seconds after which somebody who found no room may ask again: most files are written by then.
const COME_AGAIN_SECONDS: u64 = 5;

/// How long a download may go on: a file of the largest size over 100 kbit a second. One that is read more slowly would keep its
/// place from others for hours.
const DOWNLOAD_TIME_MAX: Duration = Duration::from_mins(10);

/// The downloads of this process.
pub(crate) struct Downloads(Arc<Places>);

/// A download that was begun; dropping it makes room for another.
pub struct Download {
    workspace: WorkspaceId,
    place: Place,
    began: Instant,
}

impl Default for Downloads {
    fn default() -> Downloads {
        Downloads(Places::new(DOWNLOADS_MAX, DOWNLOADS_PER_WORKSPACE_MAX))
    }
}

impl Downloads {
    fn begin(&self, workspace: WorkspaceId) -> Result<Download, Problem> {
        let Some(place) = self.0.take(workspace) else {
            let full = "Too many downloads are running. Try again when one of them is over.";
            return Err(Problem::new(Code::RateLimited, full).retry_after(COME_AGAIN_SECONDS));
        };
        Ok(Download { workspace, place, began: Instant::now() })
    }

    fn go_on(&self, download: &mut Download) -> Result<(), Problem> {
        if download.began.elapsed() > DOWNLOAD_TIME_MAX {
            let late = "The download took too long. Download less at once, by a narrower filter.";
            return Err(Problem::new(Code::RateLimited, late));
        }
        if !download.place.is_there_until(Instant::now()) {
            let began = download.began;
            *download = Download { began, ..self.begin(download.workspace)? };
        }
        Ok(())
    }
}

impl App {
    /// Begins a download of a list of a workspace. [`Code::RateLimited`] where there are [`DOWNLOADS_MAX`], or
    /// [`DOWNLOADS_PER_WORKSPACE_MAX`] of it.
    pub fn begin_download(&self, workspace: WorkspaceId) -> Result<Download, Problem> {
        self.inner.downloads.begin(workspace)
    }

    /// To be called before each look of a download. One that nobody read on for half a minute may have lost its place: then
    /// it needs another, and is [`Code::RateLimited`] where there is none, as is one that takes longer than ten minutes.
    pub fn go_on_with_download(&self, download: &mut Download) -> Result<(), Problem> {
        self.inner.downloads.go_on(download)
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
    fn there_is_room_for_so_many_and_one_more_is_told_when_to_come_again() {
        let downloads = Downloads::default();
        let begin = |number| downloads.begin(workspace(number / DOWNLOADS_PER_WORKSPACE_MAX));
        let under_way: Vec<_> = (0..DOWNLOADS_MAX).map(begin).collect();
        assert!(under_way.iter().all(Result::is_ok));
        let refused = begin(DOWNLOADS_MAX).err().expect("there is none");
        assert_eq!(
            (refused.code, refused.retry_after_seconds),
            (Code::RateLimited, Some(COME_AGAIN_SECONDS))
        );
        drop(under_way);
        let own = [0, 1, 2].map(|_| downloads.begin(workspace(1)));
        assert_eq!(own.iter().filter(|begun| begun.is_ok()).count(), DOWNLOADS_PER_WORKSPACE_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_nobody_read_for_long_goes_on_where_there_is_room() {
        let downloads = Downloads::default();
        let begin = || downloads.begin(workspace(1));
        let mut stalled = begin().expect("there is room");
        let other = begin().expect("there is room");
        tokio::time::advance(STALLED_AFTER).await;
        let newer = [begin(), begin()];
        assert!(newer.iter().all(Result::is_ok), "both made room");
        assert!(downloads.go_on(&mut stalled).is_err_and(|problem| problem.code == Code::RateLimited));
        drop((newer, other));
        assert!(downloads.go_on(&mut stalled).is_ok() && downloads.go_on(&mut stalled).is_ok());
        assert!(begin().is_ok() && begin().is_ok(), "each was dropped at once");
        assert_eq!([begin(), begin()].iter().filter(|begun| begun.is_ok()).count(), 1, "it has one again");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_takes_too_long_is_over_though_it_is_read() {
        let downloads = Downloads::default();
        let mut slow = downloads.begin(workspace(1)).expect("there is room");
        tokio::time::advance(DOWNLOAD_TIME_MAX).await;
        assert!(downloads.go_on(&mut slow).is_ok());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(downloads.go_on(&mut slow).is_err_and(|problem| problem.code == Code::RateLimited));
    }
}
