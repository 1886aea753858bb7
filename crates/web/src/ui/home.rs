//! The way in: to the person's workspace, its first page, and its general settings.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_app::workspaces::WorkspacePatch;
use keybell_core::Code;
use keybell_core::fields::NAME_CHARS_MAX;
use keybell_core::grant::{ManageWorkspace, ReadWorkspace};

use super::fields::{TypedForm, errors_of};
use super::signed::{Inside, Signed};
use super::view::form::{CopyField, Errors, Field};
use super::view::frame::Section;
use super::view::workspace::{GeneralPage, WorkspacePage, WorkspacesPage};
use super::{page, page_refused};
use crate::problem::{Answer, Failed};
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    Routes::for_members()
        .merge(Routes::for_signed_in().page("/", start))
        .page("/w/{workspace}", workspace)
        .form("/w/{workspace}/settings", general, save)
        .nothing("/w/{workspace}/{*rest}", nothing)
}

async fn start(signed: Signed) -> Answer<Response> {
    if let [(only, _)] = signed.places.as_slice() {
        return Ok(Redirect::to(&format!("/w/{}", only.workspace)).into_response());
    }
    let workspaces = signed.places.iter();
    let workspaces = workspaces
        .map(|(place, name)| (place.workspace.to_string(), name.clone(), place.role.as_str()))
        .collect();
    Ok(page(&WorkspacesPage { frame: signed.frame(), workspaces })?)
}

async fn workspace(here: Inside) -> Answer<Response> {
    Ok(page(&WorkspacePage {
        frame: here.frame(Section::Home),
        name: here.name.clone(),
        role: here.place.role.as_str(),
        settings: settings(&here),
        developer: here.developer(),
    })?)
}

/// An address in a workspace that nothing has: a page, not the API's document.
async fn nothing(_: Inside) -> Failed {
    Failed::from(Code::NotFound)
}

async fn general(State(app): State<App>, here: Inside) -> Answer<Response> {
    let name = app.workspace(here.grant::<ReadWorkspace>()?).await?.name;
    Ok(page(&view(&here, &name, Errors::default()))?)
}

async fn save(State(app): State<App>, here: Inside, TypedForm(form): TypedForm) -> Answer<Response> {
    let name = form.one("name").trim();
    let patch = WorkspacePatch { name: Some(name.to_owned()), ..WorkspacePatch::default() };
    match app.edit_workspace(here.grant::<ManageWorkspace>()?, patch).await {
        Ok(_) => Ok(Redirect::to(&format!("{}?done=workspace-saved", settings(&here))).into_response()),
        Err(problem) => {
            let (errors, problem) = errors_of(problem)?;
            Ok(page_refused(&view(&here, name, errors), &problem)?)
        }
    }
}

fn settings(here: &Inside) -> String {
    format!("/w/{}/settings", here.place.workspace)
}

fn view(here: &Inside, name: &str, errors: Errors) -> GeneralPage {
    GeneralPage {
        frame: here.frame(Section::General),
        name: Field::text("name", "Name", name).most(NAME_CHARS_MAX).required().told(&errors),
        name_now: here.name.clone(),
        id: CopyField::new("workspace-id", "Workspace id", here.place.workspace.to_string()),
        may_edit: here.grant::<ManageWorkspace>().is_ok(),
        errors,
    }
}
