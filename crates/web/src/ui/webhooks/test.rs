//! Send test: a real request to the webhook, and what came back, on the same page: as it happens where the page has scripts.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use keybell_app::App;
use keybell_app::deliveries::Attempt;
use keybell_app::webhooks::Webhook;
use keybell_core::grant::ManageWebhooks;
use keybell_core::{Code, Problem};

use super::form::manageable;
use super::tested::told;
use super::{event_type_names, head, list_of};
use crate::problem::Answer;
use crate::request_id::RequestId;
use crate::ui::deliveries::shown;
use crate::ui::event_stream::wants_events;
use crate::ui::fields::Form;
use crate::ui::signed::{Inside, form_token};
use crate::ui::view::deliveries::AttemptView;
use crate::ui::view::form::Errors;
use crate::ui::view::frame::Section;
use crate::ui::view::webhooks::{TestPage, WebhookPart};
use crate::ui::{first_time, once, page, page_refused};

pub(super) async fn ask(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    let webhook = manageable(&app, &here, &id).await?;
    Ok(page(&view(&app, &here, webhook, "", None, Errors::default())?)?)
}

pub(super) async fn send(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    Extension(request): Extension<RequestId>,
    headers: HeaderMap,
    form: Form,
) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    let webhook = manageable(&app, &here, &id).await?;
    let event_type = form.some("event_type");
    if wants_events(&headers) {
        return Ok(told(app, grant, webhook.id, event_type, request));
    }
    // Without scripts only: a script that asks for events knows what it sent, and sends another test when it is told to.
    let Some(under_way) = first_time(&app, &here, &form).await? else {
        let ask = format!("{}/{}/test?done=again", list_of(&here), webhook.id);
        return Ok(Redirect::to(&ask).into_response());
    };
    let chosen = form.one("event_type");
    let (sender, id) = (app.clone(), webhook.id);
    let tested = async move { sender.test_webhook(grant, id, event_type.as_deref()).await };
    match once(&app, under_way, tested).await {
        Ok(attempt) => {
            let outcome = Some(shown_test(attempt));
            Ok(page(&view(&app, &here, webhook, chosen, outcome, Errors::default())?)?)
        }
        Err(problem) if matches!(problem.code, Code::RateLimited | Code::UnknownEventType) => {
            let refused = Problem::field("event_type", problem.code.as_str(), problem.detail.clone());
            let view = view(&app, &here, webhook, chosen, None, Errors::new(refused.errors))?;
            Ok(page_refused(&view, &problem)?)
        }
        Err(problem) => Err(problem.into()),
    }
}

/// The one attempt of a test.
pub(super) fn shown_test(attempt: Attempt) -> AttemptView {
    AttemptView { trigger: "test", ..shown(attempt, true) }
}

fn view(
    app: &App,
    here: &Inside,
    webhook: Webhook,
    chosen: &str,
    outcome: Option<AttemptView>,
    errors: Errors,
) -> Result<TestPage, Problem> {
    let names = event_type_names(app)?;
    Ok(TestPage {
        frame: here.frame(Section::Webhooks),
        head: head(here, &webhook, Some(WebhookPart::Test)),
        url: webhook.url,
        action: format!("{}/{}/test", list_of(here), webhook.id),
        token: form_token(app),
        event_types: names.into_iter().map(|name| (name.clone(), name == chosen)).collect(),
        outcome,
        errors,
    })
}
