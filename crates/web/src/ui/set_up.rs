//! The page that the setup link opens: the first owner names the workspace and sets a password.

use axum::extract::{Path, State};
use axum::response::Response;
use keybell_app::App;
use keybell_app::accounts::EMAIL_CHARS_MAX;
use keybell_app::passwords::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use keybell_app::setup::FirstOwner;
use keybell_core::fields::NAME_CHARS_MAX;

use super::around::door;
use super::fields::{TypedForm, errors_of};
use super::sign_in::{Sender, gone, welcome};
use super::view::access::SetUpPage;
use super::view::form::{Errors, Field};
use super::{page, page_refused};
use crate::problem::Answer;
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    Routes::for_everybody().form("/setup/{link}", open, set_up)
}

async fn open(State(app): State<App>, Path(link): Path<String>) -> Answer<Response> {
    if !app.setup_link_is_live(&link).await? {
        return Err(gone().into());
    }
    Ok(page(&view(&app, &link, ["", "", ""], Errors::default()))?)
}

async fn set_up(
    State(app): State<App>,
    Path(link): Path<String>,
    sender: Sender,
    TypedForm(form): TypedForm,
) -> Answer<Response> {
    let owner = FirstOwner {
        workspace_name: form.one("workspace_name").to_owned(),
        name: form.one("name").to_owned(),
        email: form.one("email").to_owned(),
        password: form.one("password").to_owned(),
    };
    match app.set_up(&link, owner, &sender.origin, sender.user_agent.as_deref()).await {
        Ok(token) => Ok(welcome(&app, &token, "/")),
        Err(problem) => {
            let (errors, problem) = errors_of(problem)?;
            let written = ["workspace_name", "name", "email"].map(|name| form.one(name));
            Ok(page_refused(&view(&app, &link, written, errors), &problem)?)
        }
    }
}

fn view(app: &App, link: &str, [workspace, name, email]: [&str; 3], errors: Errors) -> SetUpPage {
    let hint = format!("At least {PASSWORD_CHARS_MIN} characters; a sentence is good.");
    let fields = [
        Field::text("workspace_name", "Workspace", workspace)
            .hint("What your team or company is called.")
            .first(),
        Field::text("name", "Your name", name).kind("text", "name"),
        Field::text("email", "E-mail", email).kind("email", "username").most(EMAIL_CHARS_MAX),
        Field::password("password", "Password", "new-password").hint(hint).most(PASSWORD_CHARS_MAX),
    ];
    let [workspace, name, email, password] = fields.map(|field| field.required().told(&errors));
    let fields = [workspace.most(NAME_CHARS_MAX), name.most(NAME_CHARS_MAX), email, password];
    SetUpPage { door: door(app), action: format!("/setup/{link}"), fields, errors }
}
