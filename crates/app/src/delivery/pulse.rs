//! What moves in the engine, counted where it moves: for the watchdog, and for the figures.
//!
//! Counters only grow. Something stands still where there is work and none of its counters has grown for too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::UnboundedSender;

use super::dispatch::Message;

/// A number that grows by one.
#[derive(Debug, Default)]
pub(super) struct Beats(AtomicU64);

impl Beats {
    /// One more.
    pub(super) fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What moves between the engine and the disk.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Writes of gathered events that went through.
    pub(super) events_written: Beats,
    /// Writes of outcomes that went through, and those that were given up.
    pub(super) outcomes_written: Beats,
    /// Claims that were begun.
    pub(super) claims_begun: Beats,
    /// Claims that ended, whichever way.
    pub(super) claims_ended: Beats,
    /// Claims that went through.
    pub(super) claims_done: Beats,
}

/// What moves in one shard.
#[derive(Debug, Default)]
pub(super) struct ShardPulse {
    /// Messages to it.
    pub(super) told: Beats,
    /// Messages that it took.
    pub(super) heard: Beats,
    /// Attempts that it began.
    pub(super) begun: Beats,
    /// Attempts that are over.
    pub(super) ended: Beats,
}

impl ShardPulse {
    /// Attempts under way.
    pub(super) fn under_way(&self) -> u64 {
        // The end is read first: an attempt that begins and ends meanwhile is then counted as under way, and not as minus one.
        let ended = self.ended.count();
        self.begun.count().saturating_sub(ended)
    }

    /// Messages that wait.
    pub(super) fn unheard(&self) -> u64 {
        let heard = self.heard.count();
        self.told.count().saturating_sub(heard)
    }
}

/// The way to a shard.
pub(super) struct ToShard {
    messages: UnboundedSender<Message>,
    /// What moves in it.
    pub(super) pulse: Arc<ShardPulse>,
}

impl ToShard {
    /// The way to the shard that reads `messages` and counts in `pulse`.
    pub(super) fn new(messages: UnboundedSender<Message>, pulse: Arc<ShardPulse>) -> ToShard {
        ToShard { messages, pulse }
    }

    /// Tells it something. A shard that has stopped needs to know nothing.
    pub(super) fn tell(&self, message: Message) {
        if self.messages.send(message).is_ok() {
            self.pulse.told.beat();
        }
    }
}
