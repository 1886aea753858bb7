//! Rotating a signing secret: a new one signs at once, and how long the old one signs beside it.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_app::keys::OVERLAP_DEFAULT;
use keybell_app::webhooks::Webhook;
use keybell_core::Problem;
use keybell_core::grant::{ManageWebhooks, ReadWebhooks};

use super::form::manageable;
use super::{head, list_of, secret};
use crate::problem::Answer;
use crate::ui::fields::{Form, errors_of};
use crate::ui::signed::{Inside, form_token};
use crate::ui::view::form::Errors;
use crate::ui::view::frame::Section;
use crate::ui::view::parts::When;
use crate::ui::view::webhooks::{RotateSecretPage, WebhookPart};
use crate::ui::{first_time, once, overlap, page, page_refused};

pub(super) async fn ask(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
) -> Answer<Response> {
    let webhook = manageable(&app, &here, &id).await?;
    Ok(page(&view(&app, &here, &webhook, OVERLAP_DEFAULT, Errors::default()).await?)?)
}

pub(super) async fn rotate(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    form: Form,
) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    let webhook = manageable(&app, &here, &id).await?;
    let Some(overlap) = overlap::chosen(&form) else {
        let (errors, problem) = errors_of(Problem::field("overlap_seconds", "required", "choose one"))?;
        return Ok(page_refused(&view(&app, &here, &webhook, OVERLAP_DEFAULT, errors).await?, &problem)?);
    };
    let Some(under_way) = first_time(&app, &here, &form).await? else {
        let secret = format!("{}/{}/signing-secret?done=again", list_of(&here), webhook.id);
        return Ok(Redirect::to(&secret).into_response());
    };
    let (maker, id) = (app.clone(), webhook.id);
    let rotated =
        once(&app, under_way, async move { maker.rotate_signing_secret(grant, id, overlap, None).await });
    match rotated.await {
        Ok((webhook, _)) => {
            let secrets = app.signing_secrets(here.grant::<ManageWebhooks>()?, webhook.id).await?;
            Ok(page(&secret::view(&here, &webhook, Some(secrets)))?)
        }
        Err(problem) => {
            let (errors, problem) = errors_of(problem)?;
            Ok(page_refused(&view(&app, &here, &webhook, overlap, errors).await?, &problem)?)
        }
    }
}

async fn view(
    app: &App,
    here: &Inside,
    webhook: &Webhook,
    overlap: Duration,
    errors: Errors,
) -> Result<RotateSecretPage, Problem> {
    let previous = app.signing_overlap_ends(here.grant::<ReadWebhooks>()?, webhook.id).await?;
    let href = format!("{}/{}", list_of(here), webhook.id);
    Ok(RotateSecretPage {
        frame: here.frame(Section::Webhooks),
        head: head(here, webhook, Some(WebhookPart::SigningSecret)),
        action: format!("{href}/signing-secret/rotate"),
        back: format!("{href}/signing-secret"),
        token: form_token(app),
        previous: previous.map(When::near),
        overlaps: overlap::choices(overlap),
        errors,
    })
}
