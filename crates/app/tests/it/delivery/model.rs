//! A modelled network in place of the real one: answers at once, late, or never.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use keybell_app::delivery::exchange::{Answer, Exchange, Outbound, Transport};

use super::Desk;

/// How the modelled endpoints behave, all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Model {
    /// They answer 200 with a body of so many bytes.
    Answers(usize),
    /// They answer 200 after so long, which is within the time-out.
    After(Duration),
    /// They never answer, and the time-out is ignored: a fault of the transport's.
    Never,
}

impl Transport for Model {
    fn exchange(&self, _: Outbound) -> BoxFuture<'_, Exchange> {
        let answer = |body| Exchange {
            answer: Some(Answer { status: 200, body: vec![b'x'; body], ..Answer::default() }),
            ..Exchange::default()
        };
        match *self {
            Model::Answers(body) => std::future::ready(answer(body)).boxed(),
            Model::After(wait) => async move {
                // However long it is, the clock of the test decides when it is over.
                tokio::time::timeout(wait, std::future::pending::<()>()).await.ok();
                answer(0)
            }
            .boxed(),
            Model::Never => std::future::pending().boxed(),
        }
    }
}

impl Desk {
    /// Starts the engine over a modelled network, and makes a webhook there that wants everything.
    pub(crate) async fn start_over(&self, model: Model) {
        let here = tokio::runtime::Handle::current();
        let started = self.app().engine().start_over(&[here], &move || Arc::new(model)).await;
        started.expect("the engine starts");
        let webhook = crate::webhooks::new_webhook(&["*"]);
        let grant = crate::workspaces::grant(&crate::workspaces::operator(), self.workspace);
        self.app().create_webhook(grant, webhook).await.expect("the webhook is valid");
    }
}
