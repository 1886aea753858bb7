//! What is around every request: an id, an answer even where a handler panics, and the writing-out of problems.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, header};
use keybell_app::App;
use keybell_core::Problem;

use crate::answer_counts::AnswerCounts;
use crate::problem::{self, Failed};
use crate::request_id::{RequestId, RequestIds, X_REQUEST_ID};

/// What the envelope needs to know.
#[derive(Clone)]
pub(crate) struct Envelope {
    ids: Arc<RequestIds>,
    base: Arc<str>,
    answers: Arc<AnswerCounts>,
    app: App,
}

impl Envelope {
    pub(crate) fn new(app: &App) -> Self {
        Envelope {
            ids: Arc::new(RequestIds::new(app.randomness())),
            base: base_url(app).into(),
            answers: Arc::default(),
            app: app.clone(),
        }
    }
}

/// The public URL without a slash at its end.
pub(crate) fn base_url(app: &App) -> &str {
    app.settings().public_url.as_str().trim_end_matches('/')
}

/// Gives the request its id, runs it, and makes of what came out an answer that can be sent.
pub(crate) async fn around(State(envelope): State<Envelope>, mut request: Request, next: Next) -> Response {
    let id = envelope.id_of(request.headers());
    request.extensions_mut().insert(id.clone());
    let run = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    envelope.close(run, &id)
}

impl Envelope {
    /// The same for what needs not wait.
    pub(crate) fn around_at_once(
        &self,
        headers: &HeaderMap,
        run: impl FnOnce(&RequestId) -> Response,
    ) -> Response {
        let id = self.id_of(headers);
        let run = std::panic::catch_unwind(AssertUnwindSafe(|| run(&id)));
        self.close(run, &id)
    }

    fn id_of(&self, headers: &HeaderMap) -> RequestId {
        RequestId::of_headers(headers).unwrap_or_else(|| self.ids.next())
    }

    fn close(&self, run: std::thread::Result<Response>, id: &RequestId) -> Response {
        let mut response = run.unwrap_or_else(|panic| Failed(panicked(&*panic)).into_response());
        if let Some(problem) = problem::take(&mut response, id) {
            problem::write(&mut response, &problem, &self.base, id, self.app.now());
        }
        self.answers.count(response.status());
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, id.header_value());
        headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
        response
    }
}

/// A bug, told as a fault of ours. What the panic said goes to the log.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Problem {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
    Problem::internal(format!("a handler panicked: {said}"))
}
