//! The platform: its book behind one lock, and who is told what happens.

use std::sync::{Arc, Mutex, MutexGuard};

use keybell_core::{Clock, Timestamp};
use tokio::sync::Notify;

use crate::book::Book;

/// Told what happens, a line each.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// The platform. Cheap to clone; all clones are the same platform.
#[derive(Clone)]
pub struct Platform {
    inner: Arc<Inner>,
}

struct Inner {
    book: Mutex<Book>,
    changed: Notify,
    clock: Arc<dyn Clock>,
    say: Say,
}

impl Platform {
    /// The platform of this book.
    pub fn new(book: Book, clock: Arc<dyn Clock>, say: Say) -> Platform {
        Platform { inner: Arc::new(Inner { book: Mutex::new(book), changed: Notify::new(), clock, say }) }
    }

    /// The book, locked. Nobody waits for a network while holding it.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.inner.book.lock().expect("nobody panics while the book is locked")
    }

    /// Changes the book, and wakes the courier.
    pub fn change<T>(&self, change: impl FnOnce(&mut Book, Timestamp) -> T) -> T {
        let now = self.inner.clock.now();
        let changed = change(&mut self.book(), now);
        self.inner.changed.notify_one();
        changed
    }

    /// Waits until something changed; at once, if something has since it was last asked.
    pub(crate) async fn event_waits(&self) {
        self.inner.changed.notified().await;
    }

    /// Says what happened.
    pub(crate) fn say(&self, line: &str) {
        (self.inner.say)(line);
    }
}
