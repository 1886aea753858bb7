//! The pages: server-rendered HTML that works without scripts, and a few modules for comfort.
//!
//! A page's handler asks for [`signed::Inside`] (or [`signed::Signed`]), calls the same use cases with the same grants as
//! the API, and fills in a view of [`view`]. What around it all is, headers and refusals, is in [`around`].

mod around;
mod assets;
mod audit_log;
mod back;
mod between;
mod catalogue;
pub mod charts;
mod deliveries;
mod download;
mod event_stream;
mod events;
mod example;
mod fields;
mod home;
mod keys;
mod listed;
mod members;
mod overlap;
mod overview;
mod packed;
mod period;
mod pretty;
mod rate_limit;
mod reference;
#[cfg(test)]
mod samples;
mod sessions;
mod set_up;
mod sign_in;
mod signed;
pub mod view;
#[cfg(test)]
mod view_tests;
mod webhooks;

use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use keybell_app::App;
use keybell_app::idempotency::{Repeatable, UnderWay};
use keybell_core::{Code, Problem};

use fields::{Form, NO_TEXT};
use signed::Inside;

use crate::problem::Failed;
use crate::routes::Routes;

/// Most characters of a form's token that are looked at; ours have 32.
const FORM_TOKEN_CHARS_MAX: usize = 64;

/// The routes of the pages. `document` is the API's, which the reference is made of.
pub(crate) fn routes(app: App, document: Bytes) -> Routes {
    Routes::for_members()
        .merge(home::routes())
        .merge(sign_in::routes())
        .merge(set_up::routes())
        .merge(sessions::routes())
        .merge(overview::routes())
        .merge(keys::routes())
        .merge(webhooks::routes())
        .merge(deliveries::routes())
        .merge(events::routes())
        .merge(catalogue::routes())
        .merge(members::routes())
        .merge(audit_log::routes())
        .merge(reference::routes(document))
        .around(|router| {
            router
                .method_not_allowed_fallback(async || Failed::from(Code::MethodNotAllowed))
                .with_state(app.clone())
                .layer(middleware::from_fn_with_state(app, around::around))
        })
        .merge(assets::routes())
}

/// A page as an answer.
fn page(view: &impl askama::Template) -> Result<Response, Problem> {
    let mut html = view.render().map_err(Problem::internal)?;
    // HTML cannot have a zero byte; of what was written into a form, or came back from a receiver, it may be a part.
    if html.contains('\0') {
        html = html.replace('\0', NO_TEXT);
    }
    Ok(Html(html).into_response())
}

/// Takes the token of a form that may be sent twice; `None` where it was sent before, whatever stood in it then.
async fn first_time(app: &App, here: &Inside, form: &Form) -> Result<Option<UnderWay>, Problem> {
    // No token of ours has a zero byte, which PostgreSQL cannot hold.
    let token = form.one("token").chars().filter(|char| *char != '\0').take(FORM_TOKEN_CHARS_MAX).collect();
    match app.begin_repeatable(here.owner(), token, form.fingerprint()).await {
        Ok(Repeatable::First(under_way)) => Ok(Some(under_way)),
        Ok(Repeatable::Answered { .. }) => Ok(None),
        Err(problem) if matches!(problem.code, Code::IdempotencyMismatch | Code::IdempotencyInProgress) => {
            Ok(None)
        }
        Err(problem) => Err(problem),
    }
}

/// Runs what a form asks for in a task of its own, so that a browser that goes away leaves nothing half done, and keeps or
/// frees the form's token by how it ended.
async fn once<T: Send + 'static>(
    app: &App,
    under_way: UnderWay,
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let app = app.clone();
    let task = tokio::spawn(async move {
        let done = work.await;
        match &done {
            Ok(_) => app.keep_answer(under_way, 303, Vec::new()).await?,
            Err(_) => app.abandon_answer(under_way).await?,
        }
        done
    });
    task.await.map_err(Problem::internal)?
}

/// The same for a form that comes back: with the status of why.
fn page_refused(view: &impl askama::Template, problem: &Problem) -> Result<Response, Problem> {
    let mut response = page(view)?;
    *response.status_mut() = crate::problem::status(problem);
    if let Some(seconds) = problem.retry_after_seconds {
        response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
    }
    Ok(response)
}
