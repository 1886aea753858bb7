//! The two operations of the spike, one by one and gathered.

use std::sync::{Arc, Mutex};

use keybell_core::{DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};
use keybell_store::{Arg, Isolation, Op, Store, StoreError, Tx, bulks, statements};
use tokio::sync::oneshot;

statements! {
    INSERT_EVENT = "INSERT INTO events (workspace_id, id, supplied_id, type, occurred_at, data, deliveries) \
                    VALUES ($1, $2, NULL, $3, $4, $5, 1)";
    INSERT_PENDING = "INSERT INTO pending_deliveries (workspace_id, id, webhook_id, event_id, event_type, attempts_made, \
                      attempt_trigger, next_attempt_at, due_at, leased_by) \
                      VALUES ($1, $2, $3, $4, $5, 0, 'event', $6, $6, NULL)";
    DELETE_PENDING = "DELETE FROM pending_deliveries WHERE workspace_id = $1 AND id = $2";
    INSERT_FINISHED = "INSERT INTO finished_deliveries (workspace_id, id, webhook_id, event_id, event_type, status, \
                       attempts_made, last_response_status, completed_at) \
                       VALUES ($1, $2, $3, $4, $5, 'succeeded', 1, 200, $6)";
    INSERT_ATTEMPT = "INSERT INTO attempts (workspace_id, delivery_id, number, attempt_trigger, started_at, duration_us, \
                      url, content_type, request_headers, response_status, response_truncated) \
                      VALUES ($1, $2, 1, 'event', $3, 1000, $4, 'application/json', '{}', 200, 0)";
}

bulks! {
    EVENTS = Insert "events" [workspace_id: Bytes, id: Bytes, type: Text, occurred_at: Int, data: Bytes, deliveries: Int];
    PENDING = Insert "pending_deliveries" [
        workspace_id: Bytes, id: Bytes, webhook_id: Bytes, event_id: Bytes, event_type: Text, attempts_made: Int,
        attempt_trigger: Text, next_attempt_at: Int, due_at: Int,
    ];
    DONE = Delete "pending_deliveries" [workspace_id: Bytes, id: Bytes];
    FINISHED = Insert "finished_deliveries" [
        workspace_id: Bytes, id: Bytes, webhook_id: Bytes, event_id: Bytes, event_type: Text, status: Text,
        attempts_made: Int, last_response_status: Int, completed_at: Int,
    ];
    ATTEMPTS = Insert "attempts" [
        workspace_id: Bytes, delivery_id: Bytes, number: Int, attempt_trigger: Text, started_at: Int, duration_us: Int,
        url: Text, content_type: Text, request_headers: Text, response_status: Int, response_truncated: Int,
    ];
}

const EVENT_TYPE: &str = "research_report.published";
const URL: &str = "https://example.com/webhooks/keybell";

/// One event and its delivery.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) workspace: WorkspaceId,
    pub(crate) event: EventKey,
    pub(crate) delivery: DeliveryId,
    pub(crate) webhook: WebhookId,
    pub(crate) at: Timestamp,
    pub(crate) data: Arc<[u8]>,
}

/// Accepts one event with its delivery.
pub(crate) struct Accept(pub(crate) Item);

impl Op for Accept {
    const NAME: &'static str = "spike.accept";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let Item { workspace, event, delivery, webhook, at, data } = &self.0;
        tx.exec(
            &INSERT_EVENT,
            &[workspace.into(), event.into(), EVENT_TYPE.into(), (*at).into(), Arg::Bytes(data)],
        )?;
        tx.exec(
            &INSERT_PENDING,
            &[
                workspace.into(),
                delivery.into(),
                webhook.into(),
                event.into(),
                EVENT_TYPE.into(),
                (*at).into(),
            ],
        )?;
        Ok(())
    }
}

/// Finishes one delivery.
pub(crate) struct Finish(pub(crate) Item);

impl Op for Finish {
    const NAME: &'static str = "spike.finish";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let Item { workspace, event, delivery, webhook, at, .. } = &self.0;
        tx.exec(&DELETE_PENDING, &[workspace.into(), delivery.into()])?;
        tx.exec(
            &INSERT_FINISHED,
            &[
                workspace.into(),
                delivery.into(),
                webhook.into(),
                event.into(),
                EVENT_TYPE.into(),
                (*at).into(),
            ],
        )?;
        tx.exec(&INSERT_ATTEMPT, &[workspace.into(), delivery.into(), (*at).into(), URL.into()])?;
        Ok(())
    }
}

/// What gathered while the batch before was being written.
struct Batch(Arc<Vec<Todo>>);

/// What callers ask to be done.
pub(crate) enum Todo {
    Accept(Item),
    Finish(Item),
}

impl Op for Batch {
    const NAME: &'static str = "spike.batch";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let (mut events, mut pending) = (Vec::new(), Vec::new());
        let (mut done, mut finished, mut attempts) = (Vec::new(), Vec::new(), Vec::new());
        for todo in self.0.iter() {
            match todo {
                Todo::Accept(Item { workspace, event, delivery, webhook, at, data }) => {
                    let (workspace, at) = (Arg::from(workspace), Arg::from(*at));
                    events.extend([
                        workspace,
                        event.into(),
                        EVENT_TYPE.into(),
                        at,
                        Arg::Bytes(data),
                        1.into(),
                    ]);
                    pending.extend([
                        workspace,
                        delivery.into(),
                        webhook.into(),
                        event.into(),
                        EVENT_TYPE.into(),
                    ]);
                    pending.extend([Arg::Int(0), "event".into(), at, at]);
                }
                Todo::Finish(Item { workspace, event, delivery, webhook, at, .. }) => {
                    let (workspace, delivery, at) =
                        (Arg::from(workspace), Arg::from(delivery), Arg::from(*at));
                    done.extend([workspace, delivery]);
                    finished.extend([workspace, delivery, webhook.into(), event.into(), EVENT_TYPE.into()]);
                    finished.extend(["succeeded".into(), Arg::Int(1), Arg::Int(200), at]);
                    attempts.extend([workspace, delivery, Arg::Int(1), "event".into(), at, Arg::Int(1000)]);
                    attempts.extend([
                        URL.into(),
                        "application/json".into(),
                        "{}".into(),
                        Arg::Int(200),
                        Arg::Int(0),
                    ]);
                }
            }
        }
        tx.bulk(&EVENTS, &events)?;
        tx.bulk(&PENDING, &pending)?;
        tx.bulk(&DONE, &done)?;
        tx.bulk(&FINISHED, &finished)?;
        tx.bulk(&ATTEMPTS, &attempts)?;
        Ok(())
    }
}

/// Gathers what callers ask for while a write is in flight.
#[derive(Clone)]
pub(crate) struct Gather {
    store: Store,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    todo: Vec<Todo>,
    callers: Vec<oneshot::Sender<bool>>,
    in_flight: bool,
}

impl Gather {
    /// Nobody waits yet.
    pub(crate) fn new(store: Store) -> Self {
        Gather { store, waiting: Arc::default() }
    }

    /// Asks for something to be done with what others ask for; whether it was kept.
    pub(crate) async fn ask(&self, todo: Todo) -> bool {
        let (tell, told) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().expect("nobody panics");
            waiting.todo.push(todo);
            waiting.callers.push(tell);
            if !waiting.in_flight {
                self.send(&mut waiting);
            }
        }
        told.await.unwrap_or(false)
    }

    fn send(&self, waiting: &mut Waiting) {
        waiting.in_flight = true;
        let todo = Arc::new(std::mem::take(&mut waiting.todo));
        let callers = std::mem::take(&mut waiting.callers);
        let again = self.clone();
        self.store.write_then(Batch(todo), move |result| {
            {
                let mut waiting = again.waiting.lock().expect("nobody panics");
                waiting.in_flight = false;
                if !waiting.todo.is_empty() {
                    again.send(&mut waiting);
                }
            }
            if let Err(error) = &result {
                eprintln!("{error}: {:?}", std::error::Error::source(error));
            }
            for caller in callers {
                // A caller that went away does not want to know.
                let _ = caller.send(result.is_ok());
            }
        });
    }
}
