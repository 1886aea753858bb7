//! The checkpointer: moves the write-ahead log into the database beside the writer, so that no commit waits for it.
//!
//! With SQLite's own checkpoint inside the commit, one commit in a hundred takes 12 to 20 ms. Here a thread of its own does
//! the moving on its own connection; when it is through, the writer does one more short one between two commits, which finds
//! nearly nothing left and lets the log begin again at its start: under constant load it would else never do so.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, DEFAULT_NAME};

/// Pages in the log, of 8 KiB each, from which on they are moved: 32 MiB. Commits wait for the disk beside the moving, so it
/// is to be rare; and what has to be read again after a crash is to be read in a blink.
const LOG_PAGES: i32 = 4_096;

/// What writer and checkpointer tell each other.
#[derive(Default)]
pub(super) struct Checkpoints {
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// The log is short.
    #[default]
    Idle,
    /// The log is long, and the checkpointer has been told.
    Wanted,
    /// The checkpointer is through; the writer's turn to finish.
    Moved,
    /// The writer has ended.
    Ended,
}

impl Checkpoints {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer's part, after each commit that left `log_pages` in the log.
    pub(super) fn after_commit(&self, writer: &Connection, log_pages: i32) {
        if log_pages < LOG_PAGES {
            return;
        }
        let mut stage = self.stage();
        match *stage {
            Stage::Idle => {
                *stage = Stage::Wanted;
                self.changed.notify_one();
            }
            Stage::Moved => {
                *stage = Stage::Idle;
                drop(stage);
                move_log(writer);
            }
            Stage::Wanted | Stage::Ended => {}
        }
    }

    /// The writer has ended, or could not be started.
    fn stop(&self) {
        *self.stage() = Stage::Ended;
        self.changed.notify_one();
    }

    /// The checkpointer's work, until the writer ends.
    pub(super) fn run(&self, connection: &Connection) {
        loop {
            let stage = self.stage();
            let stage = self
                .changed
                .wait_while(stage, |stage| !matches!(stage, Stage::Wanted | Stage::Ended))
                .unwrap_or_else(PoisonError::into_inner);
            if *stage == Stage::Ended {
                return;
            }
            drop(stage);
            move_log(connection);
            let mut stage = self.stage();
            if *stage == Stage::Wanted {
                *stage = Stage::Moved;
            }
        }
    }
}

/// The writer's hold on its checkpointer, which ends with it, however it ends.
pub(super) struct Checkpointing(pub(super) Arc<Checkpoints>);

impl Drop for Checkpointing {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Moves what can be moved without waiting for anybody.
fn move_log(connection: &Connection) {
    if let Err(error) = connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::PASSIVE) {
        tracing::warn!(%error, "the write-ahead log could not be moved into the database; it grows until it can");
    }
}
