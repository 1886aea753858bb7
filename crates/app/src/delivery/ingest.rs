//! Publish calls on their way to disk: while one write is under way the next calls gather.
//!
//! What was accepted is handed over to the shards on the thread that committed it, with its data, before the publisher is
//! answered. A publisher that goes away takes nothing with it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybell_core::{Code, Problem, Timestamp, WebhookId, WorkspaceId};
use keybell_store::StoreError;
use keybell_store::ops::events::{AcceptEvents, Acceptance, CallAnswer, NewCall, NewEvent};
use tokio::sync::oneshot;

use super::Shared;
use super::book::Place;
use super::job::{Job, Outgoing};

/// Most events that wait to be written; more are asked to come again.
pub const GATHERED_EVENTS_MAX: usize = 20_000;
/// Most bytes of data that wait to be written.
pub const GATHERED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most events of one write, a larger call aside: enough that a commit costs nothing per event.
const EVENTS_PER_WRITE_MAX: usize = 1_000;
/// Most bytes of one write, a larger call aside.
const BYTES_PER_WRITE_MAX: usize = 8 * 1024 * 1024;
/// Seconds after which a publisher may come again where too much waits.
const COME_AGAIN_SECONDS: u64 = 1;

/// Gathers publish calls.
#[derive(Default)]
pub(super) struct Ingest {
    gathered: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    calls: VecDeque<Call>,
    events: usize,
    bytes: usize,
    under_way: bool,
}

/// A publish call that waits to be written.
pub(super) struct Call {
    new: NewCall,
    bytes: usize,
    /// The place of each delivery, by event and delivery; `None` for those that wait on disk.
    places: Vec<Vec<Option<Place>>>,
    answer: oneshot::Sender<Result<Vec<Acceptance>, Problem>>,
}

/// What one write holds beside its operation.
struct Written {
    news: Arc<Vec<NewCall>>,
    rest: Vec<Rest>,
    lease_until: Timestamp,
}

struct Rest {
    places: Vec<Vec<Option<Place>>>,
    answer: oneshot::Sender<Result<Vec<Acceptance>, Problem>>,
}

impl Ingest {
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events that wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.lock().events
    }

    /// The same, and one more where a write is under way.
    pub(super) fn on_the_way(&self) -> usize {
        let gathered = self.lock();
        gathered.events + usize::from(gathered.under_way)
    }
}

impl Gathered {
    /// Counts a call in, where there is room for it.
    fn make_room(&mut self, events: usize, bytes: usize) -> Result<(), Problem> {
        if self.events + events > GATHERED_EVENTS_MAX || self.bytes + bytes > GATHERED_BYTES_MAX {
            metrics::counter!("keybell_publish_calls_refused_total").increment(1);
            let detail = "Too many events wait to be written. Publish again as soon as Retry-After says.";
            return Err(Problem::new(Code::Unavailable, detail).retry_after(COME_AGAIN_SECONDS));
        }
        self.events += events;
        self.bytes += bytes;
        Ok(())
    }

    fn next(&mut self) -> Vec<Call> {
        let (mut calls, mut events, mut bytes) = (Vec::new(), 0, 0);
        while let Some(call) = self.calls.front() {
            events += call.new.events.len();
            bytes += call.bytes;
            if !calls.is_empty() && (events > EVENTS_PER_WRITE_MAX || bytes > BYTES_PER_WRITE_MAX) {
                break;
            }
            let call = self.calls.pop_front().expect("there is a first one");
            self.events -= call.new.events.len();
            self.bytes -= call.bytes;
            calls.push(call);
        }
        self.under_way = !calls.is_empty();
        calls
    }
}

impl Shared {
    /// Keeps the events of one call, all or none, and begins their deliveries.
    pub(super) async fn accept(self: &Arc<Self>, mut new: NewCall) -> Result<Vec<Acceptance>, Problem> {
        let bytes = new.events.iter().map(|event| event.record.data.len()).sum();
        self.ingest.lock().make_room(new.events.len(), bytes)?;
        let places = self.take_places(&mut new);
        let (answer, answered) = oneshot::channel();
        let calls = {
            let mut gathered = self.ingest.lock();
            gathered.calls.push_back(Call { new, bytes, places, answer });
            if gathered.under_way { Vec::new() } else { gathered.next() }
        };
        self.write_events(calls);
        answered.await.map_err(|_| Problem::unavailable("the store was closed"))?
    }

    fn take_places(&self, new: &mut NewCall) -> Vec<Vec<Option<Place>>> {
        let takes = self.takes_into_memory();
        let events = new.events.iter_mut().map(|event| {
            let bytes = event.record.data.len();
            let deliveries = event.deliveries.iter_mut().map(|delivery| {
                let gauge = self.book.gauge(delivery.webhook);
                let free = takes && !gauge.behind();
                let place = if free { self.book.place(&gauge, delivery.id, bytes).ok() } else { None };
                delivery.in_memory = place.is_some();
                place
            });
            deliveries.collect()
        });
        events.collect()
    }

    fn write_events(self: &Arc<Self>, calls: Vec<Call>) {
        if calls.is_empty() {
            return;
        }
        let (news, rest): (Vec<_>, Vec<_>) =
            calls.into_iter().map(|Call { new, places, answer, .. }| (new, Rest { places, answer })).unzip();
        let now = self.clock.now();
        let written = Written { news: Arc::new(news), rest, lease_until: now + self.lease };
        let op = AcceptEvents {
            calls: Arc::clone(&written.news),
            now,
            lease_until: written.lease_until,
            leased_by: self.leased_by.clone(),
        };
        let shared = Arc::clone(self);
        self.store.write_then(op, move |result| {
            shared.events_written(written, result);
            let next = shared.ingest.lock().next();
            shared.write_events(next);
        });
    }

    fn events_written(self: &Arc<Self>, written: Written, result: Result<Vec<CallAnswer>, StoreError>) {
        let Written { news, rest, lease_until } = written;
        let answers = match result {
            Ok(answers) => {
                self.pulse.events_written.beat();
                answers
            }
            Err(error) => {
                // The error has no copies; each publisher is told what it means.
                let detail = error.to_string();
                tracing::error!(%error, calls = rest.len(), "events were not kept");
                let again = matches!(error, StoreError::Unavailable { .. } | StoreError::Busy { .. });
                for rest in rest {
                    let problem = if again {
                        Problem::unavailable(detail.clone())
                    } else {
                        Problem::internal(detail.clone())
                    };
                    drop(rest.answer.send(Err(problem)));
                }
                return;
            }
        };
        let mut handed = Handed { lease_until, jobs: Vec::new(), waiting: BTreeSet::new() };
        let mut told = Vec::with_capacity(rest.len());
        for ((new, rest), answer) in news.iter().zip(rest).zip(answers) {
            match answer {
                CallAnswer::Conflict { index } => told.push((rest.answer, Err(conflict(index)))),
                CallAnswer::Accepted(acceptances) => {
                    let events = new.events.iter().zip(rest.places).zip(&acceptances);
                    for ((event, places), _) in events.filter(|(_, acceptance)| !acceptance.replayed) {
                        handed.add(event, places);
                    }
                    told.push((rest.answer, Ok(acceptances)));
                }
            }
        }
        self.hand_over(handed.jobs);
        self.say_waiting(handed.waiting);
        for (answer, acceptances) in told {
            drop(answer.send(acceptances));
        }
    }
}

/// What goes to the shards after a write.
struct Handed {
    lease_until: Timestamp,
    jobs: Vec<Job>,
    /// Webhooks of which deliveries wait on disk.
    waiting: BTreeSet<(WorkspaceId, WebhookId)>,
}

impl Handed {
    fn add(&mut self, event: &NewEvent, places: Vec<Option<Place>>) {
        let workspace = event.record.workspace;
        let outgoing = Outgoing::new(Arc::clone(&event.record));
        for (delivery, place) in event.deliveries.iter().zip(places) {
            let Some(place) = place else {
                self.waiting.insert((workspace, delivery.webhook));
                continue;
            };
            self.jobs.push(Job {
                id: delivery.id,
                workspace,
                webhook: delivery.webhook,
                event: Arc::clone(&outgoing),
                attempts_made: 0,
                trigger: "first".to_owned(),
                lease_until: self.lease_until,
                place,
            });
        }
    }
}

fn conflict(index: usize) -> Problem {
    let detail = format!("The event at index {index} has the id of another event that says something else.");
    Problem::new(Code::Conflict, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_to_be_written_is_bounded_in_number_and_in_bytes() {
        for (events, bytes, one_more) in [(GATHERED_EVENTS_MAX, 1, (1, 0)), (1, GATHERED_BYTES_MAX, (0, 1))] {
            let mut gathered = Gathered::default();
            gathered.make_room(events, bytes).expect("at the limit");
            let refused = gathered.make_room(one_more.0, one_more.1).expect_err("one past it");
            assert_eq!(
                (refused.code, refused.retry_after_seconds),
                (Code::Unavailable, Some(COME_AGAIN_SECONDS))
            );
            assert_eq!((gathered.events, gathered.bytes), (events, bytes), "what is refused is not counted");
        }
    }
}
