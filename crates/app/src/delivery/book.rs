//! How much of what waits is in memory: places that deliveries take and give back.
//!
//! A delivery without a place waits on disk. Ten million that wait cost disk, not memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use keybell_core::WebhookId;
use tokio::sync::Notify;

/// Most deliveries in memory: a second or two of work, at some hundred bytes each beside their data.
pub const IN_MEMORY_MAX: usize = 65_536;
/// Most bytes of data that deliveries in memory hold, counted once for each delivery.
pub const IN_MEMORY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most deliveries in memory for one webhook: a sixteenth, so that one endpoint that hangs cannot fill the memory.
pub const IN_MEMORY_PER_WEBHOOK_MAX: usize = 4_096;
/// Least deliveries in memory for one webhook, however slow it is.
pub const IN_MEMORY_PER_WEBHOOK_MIN: usize = 16;

/// Most deliveries of one claim.
const CLAIM_ROWS_MAX: usize = 500;

/// How much of what waits may be in memory. Nobody sets it but simulations, which have small ones so that every run comes
/// to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most deliveries.
    pub deliveries: usize,
    /// Most bytes of their data, counted once for each delivery.
    pub bytes: usize,
    /// Most deliveries for one webhook.
    pub per_webhook: usize,
    /// Least deliveries for one webhook, however slow it is; at least 1.
    pub per_webhook_min: usize,
    /// Most deliveries of one claim; at least 1.
    pub claim_rows: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            deliveries: IN_MEMORY_MAX,
            bytes: IN_MEMORY_BYTES_MAX,
            per_webhook: IN_MEMORY_PER_WEBHOOK_MAX,
            per_webhook_min: IN_MEMORY_PER_WEBHOOK_MIN,
            claim_rows: CLAIM_ROWS_MAX,
        }
    }
}

/// Counts what is in memory, in all and by webhook.
#[derive(Default)]
pub(super) struct Book {
    bounds: Bounds,
    deliveries: AtomicUsize,
    bytes: AtomicUsize,
    webhooks: papaya::HashMap<WebhookId, Arc<Gauge>>,
    /// Set while somebody waits for room.
    wanted: AtomicBool,
    room: Notify,
    empty: Notify,
}

/// What is known of one webhook across threads.
pub(super) struct Gauge {
    bounds: Bounds,
    in_memory: AtomicUsize,
    /// How many it may have in memory: as many as it gets through before their leases end.
    cap: AtomicUsize,
    behind: AtomicBool,
    health: AtomicU8,
}

impl Gauge {
    fn within(bounds: Bounds) -> Self {
        Gauge {
            bounds,
            in_memory: AtomicUsize::new(0),
            cap: AtomicUsize::new(bounds.per_webhook),
            behind: AtomicBool::new(false),
            health: AtomicU8::new(HEALTH_UNKNOWN),
        }
    }
}

/// The place of one delivery in memory. Dropping it gives the place back.
pub(super) struct Place {
    book: Arc<Book>,
    gauge: Arc<Gauge>,
    bytes: usize,
}

impl Book {
    /// A book that keeps these bounds.
    pub(super) fn within(bounds: Bounds) -> Book {
        Book { bounds, ..Book::default() }
    }

    /// What it keeps to.
    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The gauge of a webhook.
    pub(super) fn gauge(&self, webhook: WebhookId) -> Arc<Gauge> {
        let webhooks = self.webhooks.pin();
        Arc::clone(webhooks.get_or_insert_with(webhook, || Arc::new(Gauge::within(self.bounds))))
    }

    /// Forgets a webhook that was deleted.
    pub(super) fn forget(&self, webhook: WebhookId) {
        self.webhooks.pin().remove(&webhook);
    }

    /// A place for a delivery with `bytes` of data, if there is room for it in all and at its webhook.
    pub(super) fn place(self: &Arc<Self>, gauge: &Arc<Gauge>, bytes: usize) -> Option<Place> {
        // Counted first and looked at then: so the bounds hold without a lock, whoever else counts.
        let place = Place { book: Arc::clone(self), gauge: Arc::clone(gauge), bytes };
        let of_webhook = gauge.in_memory.fetch_add(1, Ordering::Relaxed);
        let deliveries = self.deliveries.fetch_add(1, Ordering::Relaxed);
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = of_webhook < gauge.cap()
            && deliveries < self.bounds.deliveries
            && held + bytes <= self.bounds.bytes;
        fits.then_some(place)
    }

    /// How many deliveries may still be taken into memory.
    pub(super) fn room(&self) -> usize {
        if self.bytes.load(Ordering::Relaxed) >= self.bounds.bytes {
            return 0;
        }
        self.bounds.deliveries.saturating_sub(self.deliveries.load(Ordering::Relaxed))
    }

    /// Comes back when there is room.
    pub(super) async fn wait_for_room(&self) {
        loop {
            let given_back = self.room.notified();
            self.wanted.store(true, Ordering::SeqCst);
            if self.room() > 0 {
                return;
            }
            given_back.await;
        }
    }

    /// Comes back when nothing is in memory.
    pub(super) async fn wait_until_empty(&self) {
        loop {
            let empty = self.empty.notified();
            if self.deliveries.load(Ordering::SeqCst) == 0 {
                return;
            }
            empty.await;
        }
    }

    /// Deliveries in memory, and the bytes they hold.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.deliveries.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gauge.in_memory.fetch_sub(1, Ordering::Relaxed);
        self.book.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        if self.book.deliveries.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.book.empty.notify_waiters();
        }
        if self.book.wanted.load(Ordering::Relaxed) && self.book.wanted.swap(false, Ordering::SeqCst) {
            self.book.room.notify_waiters();
        }
    }
}

/// Not known since the start, answering, failing.
const HEALTH_UNKNOWN: u8 = 0;
const HEALTH_GOOD: u8 = 1;
const HEALTH_BAD: u8 = 2;

impl Gauge {
    /// How many deliveries of this webhook may be in memory.
    pub(super) fn cap(&self) -> usize {
        self.cap.load(Ordering::Relaxed)
    }

    /// How many more deliveries of this webhook may be taken into memory.
    pub(super) fn room(&self) -> usize {
        self.cap().saturating_sub(self.in_memory.load(Ordering::Relaxed))
    }

    /// Says that deliveries waited in memory for longer than their leases: half as many are taken from now on.
    pub(super) fn shrink(&self) {
        self.cap.store((self.cap() / 2).max(self.bounds.per_webhook_min), Ordering::Relaxed);
    }

    /// Says that the webhook got through what was in memory: twice as many may be taken.
    pub(super) fn grow(&self) {
        let cap = self.cap();
        if cap < self.bounds.per_webhook {
            self.cap.store((cap * 2).min(self.bounds.per_webhook), Ordering::Relaxed);
        }
    }

    /// Whether deliveries wait on disk for want of a place: new ones then wait behind them.
    pub(super) fn behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed)
    }

    /// Says whether deliveries wait on disk.
    pub(super) fn set_behind(&self, behind: bool) {
        self.behind.store(behind, Ordering::Relaxed);
    }

    /// Whether its last attempt since the start went well.
    pub(super) fn is_good(&self) -> bool {
        self.health.load(Ordering::Relaxed) == HEALTH_GOOD
    }

    /// Notes how an attempt went; true where that is news.
    pub(super) fn note_health(&self, good: bool) -> bool {
        let health = if good { HEALTH_GOOD } else { HEALTH_BAD };
        self.health.swap(health, Ordering::Relaxed) != health
    }

    /// Forgets how attempts went, so that the next one is news again.
    pub(super) fn forget_health(&self) {
        self.health.store(HEALTH_UNKNOWN, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use keybell_core::WebhookId;

    use super::*;

    fn webhook(byte: u8) -> WebhookId {
        WebhookId::from_bytes([byte; 16])
    }

    #[test]
    fn a_webhook_has_its_limit_and_not_one_more() {
        let book = Arc::new(Book::default());
        let gauge = book.gauge(webhook(1));
        let places: Vec<_> = (0..IN_MEMORY_PER_WEBHOOK_MAX).map(|_| book.place(&gauge, 1)).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(book.place(&gauge, 1).is_none(), "one more");
        assert!(book.place(&book.gauge(webhook(2)), 1).is_some(), "another webhook has room");
        drop(places);
        assert_eq!((gauge.room(), book.held()), (IN_MEMORY_PER_WEBHOOK_MAX, (0, 0)));
    }

    #[test]
    fn a_slow_webhook_has_less_and_never_nothing() {
        let gauge = Gauge::within(Bounds::default());
        gauge.shrink();
        assert_eq!(gauge.cap(), IN_MEMORY_PER_WEBHOOK_MAX / 2);
        (0..50).for_each(|_| gauge.shrink());
        assert_eq!(gauge.cap(), IN_MEMORY_PER_WEBHOOK_MIN);
        (0..50).for_each(|_| gauge.grow());
        assert_eq!(gauge.cap(), IN_MEMORY_PER_WEBHOOK_MAX);
    }

    #[test]
    fn bytes_are_bounded_to_the_byte() {
        let book = Arc::new(Book::default());
        let gauge = book.gauge(webhook(1));
        let most = book.place(&gauge, IN_MEMORY_BYTES_MAX).expect("at the limit");
        assert!(book.place(&gauge, 1).is_none(), "one past it");
        assert_eq!(book.room(), 0);
        drop(most);
        assert!(book.place(&gauge, IN_MEMORY_BYTES_MAX + 1).is_none(), "more than all");
    }

    #[test]
    fn all_webhooks_together_have_their_limit() {
        let book = Arc::new(Book::default());
        let mut places = Vec::new();
        for number in 0..IN_MEMORY_MAX {
            let byte = u8::try_from(number / IN_MEMORY_PER_WEBHOOK_MAX).expect("sixteen of them");
            places.push(book.place(&book.gauge(webhook(byte)), 1).expect("within the limit"));
        }
        assert!(book.place(&book.gauge(webhook(200)), 1).is_none());
        places.pop();
        assert!(book.place(&book.gauge(webhook(200)), 1).is_some());
    }
}
