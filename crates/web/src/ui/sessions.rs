//! The person's own sessions: where they are signed in, and ending that.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_app::sessions::Session;

use super::fields::Form;
use super::page;
use super::sign_in::farewell;
use super::signed::Signed;
use super::view::access::{SessionRow, SessionsPage};
use super::view::parts::When;
use crate::problem::Answer;
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    Routes::for_signed_in()
        .page("/account/sessions", list)
        .deed("/account/sessions/end", end)
        .deed("/account/sessions/end-all", end_all)
}

async fn list(State(app): State<App>, signed: Signed) -> Answer<Response> {
    let sessions = app.list_sessions(signed.account, &signed.token).await?;
    let sessions = sessions.into_iter().map(row).collect();
    Ok(page(&SessionsPage { frame: signed.frame(), sessions })?)
}

fn row(session: Session) -> SessionRow {
    SessionRow {
        id: session.id,
        is_this_one: session.is_this_one,
        browser: session.user_agent.as_deref().map_or_else(|| "Unknown browser".to_owned(), browser),
        address: session.source_address.unwrap_or_else(|| "unknown".to_owned()),
        began: When::at(session.created_at),
        seen: When::near(session.last_seen_at),
    }
}

/// A browser's long name for itself in two words, so that a person knows their own.
fn browser(user_agent: &str) -> String {
    // The order matters: most browsers also claim to be the ones after them.
    let names = [
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&names), find(&systems)) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(name), None) => name.to_owned(),
        _ => user_agent.chars().take(60).collect(),
    }
}

async fn end(State(app): State<App>, signed: Signed, form: Form) -> Answer<Response> {
    app.end_session(signed.account, form.one("id")).await?;
    Ok(Redirect::to("/account/sessions?done=session-ended").into_response())
}

async fn end_all(State(app): State<App>, signed: Signed) -> Answer<Response> {
    app.sign_out_everywhere(signed.account).await?;
    Ok(farewell(&app))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_knows_their_browser() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome on Windows");
        assert_eq!(
            browser("Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"),
            "Firefox on Linux"
        );
        assert_eq!(browser("something else"), "something else");
    }
}
