//! Tests of webhooks: one request as a delivery sends it, over the same client and under the same policy, of which nothing
//! is recorded.
//!
//! A test waits in nobody's queue, so their number is bounded here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybell_core::{Code, Problem, WebhookId, WorkspaceId};
use keybell_store::ops::attempts::AttemptRecord;
use keybell_store::ops::events::EventRecord;
use tokio::sync::oneshot;

use super::job::Outgoing;
use super::send::{self, Route};
use super::{Engine, Shared};
use crate::registry::LiveWebhook;

/// Most tests under way at once, of all webhooks: each is a connection to a stranger, for as long as an attempt may take.
pub const TESTS_MAX: usize = 64;
/// Most tests under way at once of one workspace, so that none takes all of them.
pub const TESTS_PER_WORKSPACE_MAX: usize = 4;
/// Seconds after which a test that had no room may be asked for again.
const COME_AGAIN_SECONDS: u64 = 1;

/// The tests under way.
#[derive(Default)]
pub(super) struct WebhookTests {
    under_way: Mutex<Vec<(WorkspaceId, WebhookId)>>,
}

impl WebhookTests {
    fn lock(&self) -> MutexGuard<'_, Vec<(WorkspaceId, WebhookId)>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a test, where there is room for it.
    fn begin(&self, workspace: WorkspaceId, webhook: WebhookId) -> Result<(), Problem> {
        let mut under_way = self.lock();
        let of_workspace = under_way.iter().filter(|(other, _)| *other == workspace).count();
        let full = if under_way.contains(&(workspace, webhook)) {
            "A test of this webhook is under way. Wait until it is over."
        } else if of_workspace >= TESTS_PER_WORKSPACE_MAX {
            "As many tests of this workspace are under way as may be. Wait until one of them is over."
        } else if under_way.len() >= TESTS_MAX {
            "As many tests are under way as may be. Wait until one of them is over."
        } else {
            under_way.push((workspace, webhook));
            return Ok(());
        };
        Err(Problem::new(Code::RateLimited, full).retry_after(COME_AGAIN_SECONDS))
    }
}

/// A test that was begun; it is over when this is dropped.
pub(crate) struct WebhookTest {
    shared: Arc<Shared>,
    webhook: Arc<LiveWebhook>,
}

impl Drop for WebhookTest {
    fn drop(&mut self) {
        let place = (self.webhook.workspace, self.webhook.id);
        self.shared.webhook_tests.lock().retain(|other| *other != place);
    }
}

impl Engine {
    /// Makes room for a test of `webhook`. [`Code::RateLimited`] where one is under way, or as many as may be, and
    /// [`Code::Unavailable`] where nothing is delivered.
    pub(crate) fn begin_test(&self, webhook: Arc<LiveWebhook>) -> Result<WebhookTest, Problem> {
        let shared = &self.shared;
        if !shared.takes_into_memory() {
            return Err(Problem::unavailable("the engine does not run"));
        }
        shared.webhook_tests.begin(webhook.workspace, webhook.id)?;
        Ok(WebhookTest { shared: Arc::clone(shared), webhook })
    }
}

impl WebhookTest {
    /// Sends `event` and gives what came of it. It goes on, and keeps its place, though nobody waits for it any more.
    pub(crate) async fn run(self, event: Arc<EventRecord>) -> Result<AttemptRecord, Problem> {
        let ended = || Problem::unavailable("the engine was stopped");
        let shared = Arc::clone(&self.shared);
        let running = shared.running.get().ok_or_else(ended)?;
        let transport = Arc::clone(&running.for_tests);
        let (tell, told) = oneshot::channel();
        // Connections belong to the runtime that opened them.
        running.runtime.spawn(async move {
            let route = Route::new(Arc::clone(&self.webhook));
            let (rules, clock) = (&self.shared.rules, self.shared.clock.as_ref());
            let event = Outgoing::new(event);
            let record = send::try_out(transport.as_ref(), &route, &event, rules, clock).await;
            drop(self);
            drop(tell.send(record));
        });
        told.await.map_err(|_| ended())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(byte: u8) -> WorkspaceId {
        WorkspaceId::from_bytes([byte; 16])
    }

    fn webhook(byte: u8) -> WebhookId {
        WebhookId::from_bytes([byte; 16])
    }

    #[test]
    fn a_workspace_has_its_tests_and_not_one_more() {
        let webhook_tests = WebhookTests::default();
        let numbers = 0..u8::try_from(TESTS_PER_WORKSPACE_MAX).expect("a few");
        for number in numbers.clone() {
            webhook_tests.begin(workspace(1), webhook(number)).expect("within the limit");
        }
        let refused = webhook_tests.begin(workspace(1), webhook(100)).expect_err("one more");
        assert_eq!(
            (refused.code, refused.retry_after_seconds),
            (Code::RateLimited, Some(COME_AGAIN_SECONDS))
        );
        webhook_tests.begin(workspace(2), webhook(0)).expect("another workspace has its own");
        webhook_tests.begin(workspace(2), webhook(0)).expect_err("but one of a webhook");
    }

    #[test]
    fn all_workspaces_together_have_their_limit() {
        let webhook_tests = WebhookTests::default();
        for number in 0..u8::try_from(TESTS_MAX).expect("a few") {
            webhook_tests.begin(workspace(number), webhook(number)).expect("within the limit");
        }
        webhook_tests.begin(workspace(200), webhook(200)).expect_err("one more");
    }
}
