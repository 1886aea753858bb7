//! How much of what waits is in memory: places that deliveries take and give back.
//!
//! A delivery without a place waits on disk. Ten million that wait cost disk, not memory.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybell_core::event::DATA_BYTES_MAX;
use keybell_core::{DeliveryId, WebhookId};
use tokio::sync::Notify;

use super::health::Pulse;

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

/// The part of memory, in quarters, that webhooks have with more than a few deliveries there: the last one is for the others,
/// however many slow ones there are.
const CROWDED_QUARTERS: usize = 3;
/// Locks that the ids of what is in memory are divided among, so that threads seldom wait for each other.
const ID_LOCKS: usize = 64;

/// Counts what is in memory, in all and by webhook.
pub(super) struct Book {
    bounds: Bounds,
    /// What is in memory: whatever the disk says of its lease, it is not taken a second time.
    ids: [Mutex<HashSet<DeliveryId>>; ID_LOCKS],
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
    pulse: Pulse,
}

impl Gauge {
    fn within(bounds: Bounds) -> Self {
        Gauge {
            bounds,
            in_memory: AtomicUsize::new(0),
            cap: AtomicUsize::new(bounds.per_webhook),
            behind: AtomicBool::new(false),
            pulse: Pulse::default(),
        }
    }
}

/// The place of one delivery in memory. Dropping it gives the place back.
pub(super) struct Place {
    book: Arc<Book>,
    gauge: Arc<Gauge>,
    delivery: DeliveryId,
    bytes: usize,
}

/// Why a delivery has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// There is no room for it.
    Full,
    /// It is in memory already.
    Twice,
}

impl Book {
    /// A book that keeps these bounds.
    pub(super) fn within(bounds: Bounds) -> Book {
        Book {
            bounds,
            ids: std::array::from_fn(|_| Mutex::default()),
            deliveries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            webhooks: papaya::HashMap::new(),
            wanted: AtomicBool::new(false),
            room: Notify::new(),
            empty: Notify::new(),
        }
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

    /// The gauge of a webhook, where there is one.
    pub(super) fn known(&self, webhook: WebhookId) -> Option<Arc<Gauge>> {
        self.webhooks.pin().get(&webhook).cloned()
    }

    /// Forgets a webhook that was deleted.
    pub(super) fn forget(&self, webhook: WebhookId) {
        self.webhooks.pin().remove(&webhook);
    }

    /// A place for a delivery with `bytes` of data, if there is room for it in all and at its webhook.
    pub(super) fn place(
        self: &Arc<Self>,
        gauge: &Arc<Gauge>,
        delivery: DeliveryId,
        bytes: usize,
    ) -> Result<Place, NoPlace> {
        if !self.ids(delivery).insert(delivery) {
            return Err(NoPlace::Twice);
        }
        // Counted first and looked at then: so the bounds hold without a lock, whoever else counts.
        let place = Place { book: Arc::clone(self), gauge: Arc::clone(gauge), delivery, bytes };
        let of_webhook = gauge.in_memory.fetch_add(1, Ordering::Relaxed);
        let deliveries = self.deliveries.fetch_add(1, Ordering::Relaxed);
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let (deliveries_max, bytes_max) = self.bounds_for(of_webhook);
        let limit = if of_webhook >= gauge.cap() {
            "webhook"
        } else if deliveries >= deliveries_max {
            "deliveries"
        } else if held + bytes > bytes_max {
            "bytes"
        } else {
            return Ok(place);
        };
        metrics::counter!("keybell_deliveries_without_room_total", "limit" => limit).increment(1);
        Err(NoPlace::Full)
    }

    /// Whether a delivery is in memory.
    pub(super) fn holds(&self, delivery: DeliveryId) -> bool {
        self.ids(delivery).contains(&delivery)
    }

    /// How many deliveries and bytes there may be for a webhook that has `of_webhook` deliveries in memory.
    fn bounds_for(&self, of_webhook: usize) -> (usize, usize) {
        let Bounds { deliveries, bytes, per_webhook_min, .. } = self.bounds;
        if of_webhook < per_webhook_min {
            (deliveries, bytes)
        } else {
            (deliveries / 4 * CROWDED_QUARTERS, bytes / 4 * CROWDED_QUARTERS)
        }
    }

    fn ids(&self, delivery: DeliveryId) -> MutexGuard<'_, HashSet<DeliveryId>> {
        let last = delivery.as_bytes()[15];
        self.ids[usize::from(last) % ID_LOCKS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many deliveries may still be taken into memory.
    pub(super) fn room(&self) -> usize {
        self.room_within(self.bounds.deliveries, self.bounds.bytes)
    }

    /// How many deliveries of a webhook may still be taken into memory.
    pub(super) fn room_for(&self, gauge: &Gauge) -> usize {
        let (deliveries, bytes) = self.bounds_for(gauge.in_memory.load(Ordering::Relaxed));
        gauge.room().min(self.room_within(deliveries, bytes))
    }

    fn room_within(&self, deliveries: usize, bytes: usize) -> usize {
        // Where the largest event would not fit, nothing is looked for: it would be taken up only to be put back.
        let largest = DATA_BYTES_MAX.min(bytes / 4);
        if bytes.saturating_sub(self.bytes.load(Ordering::Relaxed)) < largest.max(1) {
            return 0;
        }
        deliveries.saturating_sub(self.deliveries.load(Ordering::Relaxed))
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

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.delivery)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.book.ids(self.delivery).remove(&self.delivery);
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

impl Gauge {
    /// How many deliveries of this webhook may be in memory.
    pub(super) fn cap(&self) -> usize {
        self.cap.load(Ordering::Relaxed)
    }

    /// How many more deliveries of this webhook may be taken into memory.
    fn room(&self) -> usize {
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

    /// Whether deliveries wait on disk, for a place or at an open circuit: new ones then wait behind them.
    pub(super) fn behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed)
    }

    /// Says whether deliveries wait on disk.
    pub(super) fn set_behind(&self, behind: bool) {
        self.behind.store(behind, Ordering::Relaxed);
    }

    /// How attempts at this webhook went.
    pub(super) fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}

#[cfg(test)]
mod tests {
    use keybell_core::WebhookId;

    use super::*;

    fn webhook(byte: u8) -> WebhookId {
        WebhookId::from_bytes([byte; 16])
    }

    fn delivery(number: usize) -> DeliveryId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
        DeliveryId::from_bytes(bytes)
    }

    fn book() -> Arc<Book> {
        Arc::new(Book::within(Bounds::default()))
    }

    #[test]
    fn a_webhook_has_its_limit_and_not_one_more() {
        let book = book();
        let gauge = book.gauge(webhook(1));
        let places: Vec<_> =
            (0..IN_MEMORY_PER_WEBHOOK_MAX).map(|number| book.place(&gauge, delivery(number), 1)).collect();
        assert!(places.iter().all(Result::is_ok));
        let one_more = delivery(IN_MEMORY_PER_WEBHOOK_MAX);
        assert_eq!(book.place(&gauge, one_more, 1).err(), Some(NoPlace::Full));
        assert!(book.place(&book.gauge(webhook(2)), one_more, 1).is_ok(), "another webhook has room");
        drop(places);
        assert_eq!((gauge.room(), book.held()), (IN_MEMORY_PER_WEBHOOK_MAX, (0, 0)));
    }

    #[test]
    fn a_delivery_is_in_memory_once_and_may_come_again_when_it_is_gone() {
        let book = book();
        let gauge = book.gauge(webhook(1));
        let first = book.place(&gauge, delivery(1), 7).expect("there is room");
        assert_eq!(book.place(&gauge, delivery(1), 7).err(), Some(NoPlace::Twice));
        assert_eq!(book.held(), (1, 7), "what has no place is not counted");
        drop(first);
        assert!(book.place(&gauge, delivery(1), 7).is_ok());
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
        let book = book();
        let gauge = book.gauge(webhook(1));
        let most = book.place(&gauge, delivery(1), IN_MEMORY_BYTES_MAX).expect("at the limit");
        assert!(book.place(&gauge, delivery(2), 1).is_err(), "one past it");
        assert_eq!(book.room(), 0);
        drop(most);
        assert!(book.place(&gauge, delivery(1), IN_MEMORY_BYTES_MAX + 1).is_err(), "more than all");
    }

    /// What webhooks with many deliveries get in memory, each as much as it may.
    fn crowd(book: &Arc<Book>, bytes: usize) -> Vec<Place> {
        let mut places = Vec::new();
        for number in 0..2 * IN_MEMORY_MAX {
            let byte = u8::try_from(number / IN_MEMORY_PER_WEBHOOK_MAX).expect("32 of them");
            places.extend(book.place(&book.gauge(webhook(byte)), delivery(number), bytes));
        }
        places
    }

    #[test]
    fn the_last_quarter_is_for_webhooks_with_few() {
        let book = book();
        let places = crowd(&book, 1);
        // Twenty webhooks that came late have as many as anybody may have.
        assert_eq!(places.len(), IN_MEMORY_MAX / 4 * 3 + 20 * IN_MEMORY_PER_WEBHOOK_MIN);
        let quick = book.gauge(webhook(200));
        let mut few = Vec::new();
        for number in 0..100 {
            few.extend(book.place(&quick, delivery(3 * IN_MEMORY_MAX + number), 1));
        }
        assert_eq!(few.len(), IN_MEMORY_PER_WEBHOOK_MIN);
    }

    #[test]
    fn all_webhooks_together_have_their_limit() {
        let book = book();
        let mut places = Vec::new();
        for number in 0..IN_MEMORY_MAX {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&((number / IN_MEMORY_PER_WEBHOOK_MIN) as u64).to_be_bytes());
            let gauge = book.gauge(WebhookId::from_bytes(bytes));
            places.push(book.place(&gauge, delivery(number), 1).expect("within the limit"));
        }
        assert!(book.place(&book.gauge(webhook(200)), delivery(IN_MEMORY_MAX), 1).is_err());
        places.pop();
        assert!(book.place(&book.gauge(webhook(200)), delivery(IN_MEMORY_MAX), 1).is_ok());
    }
}
