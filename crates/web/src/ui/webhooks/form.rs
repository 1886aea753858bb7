//! Creating and editing a webhook: one form for both.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_app::webhooks::Webhook;
use keybell_core::fields::{DESCRIPTION_CHARS_MAX, NAME_CHARS_MAX};
use keybell_core::grant::ManageWebhooks;
use keybell_core::{Code, Problem};

use serde_json::json;

use super::written::Written;
use super::{head, list_of, picker, webhook_of};
use crate::problem::Answer;
use crate::ui::fields::{Fields, TypedForm, errors_of};
use crate::ui::signed::{Inside, form_token};
use crate::ui::view::form::{Errors, Field};
use crate::ui::view::frame::Section;
use crate::ui::view::webhooks::{WebhookFormPage, WebhookPart};
use crate::ui::{first_time, once, page, page_refused};

pub(super) async fn new(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    here.grant::<ManageWebhooks>()?;
    let written = Written { events: picker::offered(&app, &query)?, ..Written::empty(form_token(&app)) };
    Ok(page(&view(&app, &here, None, &written, Errors::default())?)?)
}

/// An event that a webhook would be sent, in each content type: for the form, which shows what was ticked last.
pub(super) async fn example(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    here.grant::<ManageWebhooks>()?;
    let wanted: Vec<&str> = query.all("events").collect();
    let example = picker::example(&app, here.place.workspace, &picker::event_types(&app)?, &wanted);
    let bodies = example.bodies.map(|(kind, body)| (kind.as_str().to_owned(), body.into()));
    let told = json!({ "event_type": example.name, "bodies": serde_json::Map::from_iter(bodies) });
    Ok(Json(told).into_response())
}

pub(super) async fn create(
    State(app): State<App>,
    here: Inside,
    TypedForm(form): TypedForm,
) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    let written = Written::read(&form, None)?;
    let mut wrong = Vec::new();
    let new = written.new_webhook(&mut wrong);
    if !wrong.is_empty() {
        // In the order of the form: its numbers are the last of it.
        wrong.splice(0..0, app.wrong_with_new_webhook(&grant, new).await);
        return refused(&app, &here, None, &written, Problem::invalid(wrong));
    }
    let list = list_of(&here);
    let Some(under_way) = first_time(&app, &here, &form).await? else {
        return Ok(Redirect::to(&format!("{list}?done=again")).into_response());
    };
    let maker = app.clone();
    match once(&app, under_way, async move { maker.create_webhook(grant, new).await }).await {
        Ok((webhook, _)) => {
            Ok(Redirect::to(&format!("{list}/{}/signing-secret?done=webhook-created", webhook.id))
                .into_response())
        }
        Err(problem) => refused(&app, &here, None, &written, problem),
    }
}

pub(super) async fn edit(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    let webhook = manageable(&app, &here, &id).await?;
    Ok(page(&view(&app, &here, Some(&webhook), &Written::of(&webhook), Errors::default())?)?)
}

pub(super) async fn save(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    TypedForm(form): TypedForm,
) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    let webhook = webhook_of(&app, &here, &id).await?;
    let written = Written::read(&form, Some(&webhook))?;
    let mut wrong = Vec::new();
    let patch = written.patch(&mut wrong);
    if !wrong.is_empty() {
        wrong.splice(0..0, app.wrong_with_webhook_patch(&grant, webhook.id, &patch).await?);
        return refused(&app, &here, Some(&webhook), &written, Problem::invalid(wrong));
    }
    match app.edit_webhook(grant, webhook.id, patch).await {
        Ok(_) => {
            Ok(Redirect::to(&format!("{}/{}?done=webhook-saved", list_of(&here), webhook.id)).into_response())
        }
        Err(problem) => refused(&app, &here, Some(&webhook), &written, problem),
    }
}

/// The webhook, where the person may change it.
pub(super) async fn manageable(app: &App, here: &Inside, id: &str) -> Result<Webhook, Problem> {
    let webhook = webhook_of(app, here, id).await?;
    if here.may::<ManageWebhooks>(&webhook.created_by.id) { Ok(webhook) } else { Err(Code::Forbidden.into()) }
}

fn refused(
    app: &App,
    here: &Inside,
    editing: Option<&Webhook>,
    written: &Written,
    problem: Problem,
) -> Answer<Response> {
    let (errors, problem) = errors_of(problem)?;
    Ok(page_refused(&view(app, here, editing, written, errors)?, &problem)?)
}

fn view(
    app: &App,
    here: &Inside,
    editing: Option<&Webhook>,
    written: &Written,
    errors: Errors,
) -> Result<WebhookFormPage, Problem> {
    let list = list_of(here);
    let types = picker::event_types(app)?;
    let (groups, others) = picker::groups(&types, &written.events);
    let wanted: Vec<&str> = written.events.iter().map(String::as_str).collect();
    let example = picker::example(app, here.place.workspace, &types, &wanted);
    let needs_https = app.settings().delivery.require_https;
    let url_hint = if needs_https {
        "The endpoint the payloads are sent to, with https."
    } else {
        "The endpoint the payloads are sent to."
    };
    let name = Field::text("name", "Name", &*written.name).most(NAME_CHARS_MAX).required().first();
    let description =
        Field::lines("description", "Description", &*written.description).most(DESCRIPTION_CHARS_MAX);
    let url = Field::text("url", "URL", &*written.url).kind("url", "off").mono().required().hint(url_hint);
    let rate = |name, label, value: &str, hint| {
        Field::text(name, label, value.to_owned()).kind("number", "off").hint(hint).told(&errors)
    };
    let [limit, window] = &written.rate;
    let limits = [
        rate(
            "rate_limit.limit",
            "Requests",
            limit,
            "What comes faster waits. Leave it empty for no limit of its own.",
        ),
        rate("rate_limit.window_seconds", "In so many seconds", window, "One second where it is empty."),
        rate("max_in_flight", "Requests at once", &written.at_once, "Leave it empty for what is usual here."),
    ];
    let is_limited = !limit.is_empty() || !window.is_empty() || !written.at_once.is_empty();
    let own = editing.map(|webhook| format!("{list}/{}", webhook.id));
    Ok(WebhookFormPage {
        frame: here.frame(Section::Webhooks),
        editing: editing.map(|webhook| head(here, webhook, Some(WebhookPart::Settings))),
        action: own.as_ref().map_or_else(|| format!("{list}/new"), |own| format!("{own}/edit")),
        back: own.unwrap_or_else(|| list.clone()),
        example: (format!("{list}/example"), example.name.clone()),
        catalogue: format!("{}/event-catalogue", here.developer()),
        list,
        token: written.token.clone(),
        fields: [name, description, url].map(|field| field.told(&errors)),
        all_events: written.events.iter().any(|event| event == "*"),
        groups,
        others,
        content_types: picker::content_types(example, written.content_type),
        headers: written.rows(&errors),
        enabled: written.enabled,
        limits,
        more_open: is_limited
            || ["rate_limit.limit", "rate_limit.window_seconds", "max_in_flight"]
                .iter()
                .any(|field| errors.about(field).is_some()),
        errors,
    })
}
