//! Revoking a key: a page that says what will happen, then the deed.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_app::usage::{Step, UsageQuestion};
use keybell_core::grant::{ManageKeys, ReadKeys};
use keybell_core::key::ApiKey;
use keybell_core::{Problem, Timestamp};

use super::{back, list_of, manageable};
use crate::problem::Answer;
use crate::ui::back::Back;
use crate::ui::charts::{Outcomes, grouped};
use crate::ui::fields::{Fields, TypedForm, errors_of};
use crate::ui::signed::Inside;
use crate::ui::view::form::Errors;
use crate::ui::view::frame::Section;
use crate::ui::view::keys::RevokePage;
use crate::ui::view::parts::When;
use crate::ui::{page, page_refused};

/// How long after its last use a key counts as in use, in seconds: its name has to be typed then.
const IN_USE_SECONDS: u64 = 86_400;

pub(super) async fn ask(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    query: Fields,
) -> Answer<Response> {
    let key = manageable(&app, &here, &id).await?;
    let back = back(&here, &query);
    Ok(page(&view(&app, &here, &back, key, "", Errors::default()).await?)?)
}

pub(super) async fn revoke(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    TypedForm(form): TypedForm,
) -> Answer<Response> {
    let grant = here.grant::<ManageKeys>()?;
    let back = back(&here, &form);
    let key = manageable(&app, &here, &id).await?;
    // Asked again, since the key may have been used after the page was shown.
    let in_use = is_in_use(key.last_used_at, app.now());
    if !confirms(form.one("confirm"), &key.name, in_use) {
        let message = if in_use { "type the name of the key" } else { "tick the box" };
        let (errors, problem) = errors_of(Problem::field("confirm", "required", message))?;
        return Ok(page_refused(
            &view(&app, &here, &back, key, form.one("confirm"), errors).await?,
            &problem,
        )?);
    }
    app.revoke_key(grant, key.id).await?;
    Ok(Redirect::to(&back.done("key-revoked")).into_response())
}

fn is_in_use(last_used_at: Option<Timestamp>, now: Timestamp) -> bool {
    last_used_at.is_some_and(|used| now.since(used).as_secs() < IN_USE_SECONDS)
}

/// What has to be written to confirm: the name of a key in use, anything (a ticked box) for another.
fn confirms(written: &str, name: &str, in_use: bool) -> bool {
    if in_use { written.trim() == name.trim() } else { !written.trim().is_empty() }
}

/// How many requests were made with the key lately. They are counted by the hour: the whole hour in which the time begins is in
/// it, so that "none" does not stand beside a use for which the name has to be typed.
async fn requests(app: &App, here: &Inside, key: &ApiKey) -> Result<String, Problem> {
    let from = app.now().before(Duration::from_secs(IN_USE_SECONDS));
    let question = UsageQuestion { from: Some(from), to: None, step: Step::Hour };
    let used = app.key_usage(here.grant::<ReadKeys>()?, key.id, question).await?;
    let used: Vec<_> = used.iter().map(|(_, counts)| Outcomes::of_requests(counts)).collect();
    Ok(grouped(Outcomes::sum(&used).all()))
}

async fn view(
    app: &App,
    here: &Inside,
    back: &Back,
    key: ApiKey,
    typed: &str,
    errors: Errors,
) -> Result<RevokePage, Problem> {
    let id = key.public_identifier(app.brand()).to_string();
    let list = list_of(here);
    let requests = requests(app, here, &key).await?;
    Ok(RevokePage {
        frame: here.frame(Section::Keys),
        action: format!("{list}/{id}/revoke"),
        list: back.address(),
        back: back.said(),
        type_name: is_in_use(key.last_used_at, app.now()),
        typed: typed.to_owned(),
        name: key.name,
        id,
        last_used: key.last_used_at.map(When::near),
        last_used_from: key.last_used_from,
        requests,
        errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_use_needs_its_name_and_another_a_tick() {
        let used = Timestamp::from_seconds(1_795_447_916);
        let after = |seconds: i64| is_in_use(Some(used), Timestamp::from_seconds(1_795_447_916 + seconds));
        assert_eq!([after(0), after(86_399), after(86_400)], [true, true, false]);
        assert!(!is_in_use(None, used));
        assert!(confirms(" Import ", "Import", true) && !confirms("yes", "Import", true));
        assert!(confirms("yes", "Import", false) && !confirms(" ", "Import", false));
    }
}
