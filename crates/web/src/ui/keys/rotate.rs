//! Rotating a key: a new secret, and how long the old one stays good.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use keybell_app::App;
use keybell_app::keys::OVERLAP_DEFAULT;
use keybell_core::Problem;
use keybell_core::grant::ManageKeys;
use keybell_core::key::ApiKey;

use super::shown::shown_once;
use super::{back, list_of, manageable, old_secret};
use crate::problem::Answer;
use crate::ui::back::Back;
use crate::ui::fields::{Fields, Form, errors_of};
use crate::ui::signed::{Inside, form_token};
use crate::ui::view::form::Errors;
use crate::ui::view::frame::Section;
use crate::ui::view::keys::{KeyAgainPage, RotatePage};
use crate::ui::view::parts::When;
use crate::ui::{first_time, once, overlap, page, page_refused};

pub(super) async fn ask(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    query: Fields,
) -> Answer<Response> {
    let key = manageable(&app, &here, &id).await?;
    let back = back(&here, &query);
    Ok(page(&view(&app, &here, &back, key, OVERLAP_DEFAULT, Errors::default()))?)
}

pub(super) async fn rotate(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    form: Form,
) -> Answer<Response> {
    let grant = here.grant::<ManageKeys>()?;
    let back = back(&here, &form);
    let key = manageable(&app, &here, &id).await?;
    let Some(overlap) = overlap::chosen(&form) else {
        let (errors, problem) = errors_of(Problem::field("overlap_seconds", "required", "choose one"))?;
        return Ok(page_refused(&view(&app, &here, &back, key, OVERLAP_DEFAULT, errors), &problem)?);
    };
    let Some(under_way) = first_time(&app, &here, &form).await? else {
        return Ok(page(&KeyAgainPage { frame: here.frame(Section::Keys), list: back.address() })?);
    };
    let maker = app.clone();
    let id = key.id;
    let rotated = once(&app, under_way, async move { maker.rotate_key(grant, id, overlap).await });
    match rotated.await {
        Ok(issued) => Ok(shown_once(&app, &here, "The new secret key", &issued, &back)?),
        Err(problem) => {
            let (errors, problem) = errors_of(problem)?;
            Ok(page_refused(&view(&app, &here, &back, key, overlap, errors), &problem)?)
        }
    }
}

fn view(app: &App, here: &Inside, back: &Back, key: ApiKey, overlap: Duration, errors: Errors) -> RotatePage {
    let id = key.public_identifier(app.brand()).to_string();
    let list = list_of(here);
    let previous = old_secret(&key, app.now());
    RotatePage {
        frame: here.frame(Section::Keys),
        action: format!("{list}/{id}/rotate"),
        list: back.address(),
        back: back.said(),
        token: form_token(app),
        name: key.name,
        id,
        overlaps: overlap::choices(overlap),
        previous: previous.map(|previous| When::at(previous.expires_at)),
        errors,
    }
}
