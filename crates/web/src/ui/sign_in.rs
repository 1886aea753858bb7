//! Signing in with a password or a one-time link, and out.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderValue, header};
use keybell_app::App;
use keybell_app::sessions::SessionToken;
use keybell_core::{Code, Problem};

use super::around::door;
use super::fields::{Fields, TypedForm};
use super::signed::Signed;
use super::view::access::{LinkPage, SignInPage};
use super::view::form::Field;
use super::{page, page_refused};
use crate::extract::{origin, session_cookie_name};
use crate::problem::Answer;
use crate::routes::Routes;

/// Longest address to go to after signing in, in bytes. A longer one is forgotten.
const NEXT_BYTES_MAX: usize = 2_000;
/// How long a browser keeps the cookie, in seconds: as long as browsers allow. The server ends the session long before,
/// unless it is used.
const COOKIE_SECONDS: u32 = 400 * 86_400;

pub(super) fn routes() -> Routes<App> {
    Routes::for_everybody()
        .form("/sign-in", form, sign_in)
        .form("/sign-in/{link}", link, use_link)
        .merge(Routes::for_signed_in().deed("/sign-out", sign_out))
}

async fn form(State(app): State<App>, query: Fields) -> Answer<Response> {
    Ok(page(&view(&app, "", query.one("next"), None))?)
}

fn view(app: &App, email: &str, next: &str, refused: Option<String>) -> SignInPage {
    let email = Field::text("email", "E-mail", email).kind("email", "username").required().first();
    let password = Field::password("password", "Password", "current-password").required();
    SignInPage { door: door(app), fields: [email, password], refused, next: safe_next(next).to_owned() }
}

async fn sign_in(State(app): State<App>, sender: Sender, TypedForm(form): TypedForm) -> Answer<Response> {
    let (email, password) = (form.one("email"), form.one("password"));
    match app.sign_in(email, password, &sender.origin, sender.user_agent.as_deref()).await {
        Ok(token) => Ok(welcome(&app, &token, safe_next(form.one("next")))),
        Err(problem) if matches!(problem.code, Code::Forbidden | Code::RateLimited | Code::Unavailable) => {
            let refused = Some(problem.detail.clone());
            Ok(page_refused(&view(&app, email, form.one("next"), refused), &problem)?)
        }
        Err(problem) => Err(problem.into()),
    }
}

async fn link(State(app): State<App>, Path(link): Path<String>) -> Answer<Response> {
    if !app.sign_in_link_is_live(&link).await? {
        return Err(gone().into());
    }
    Ok(page(&LinkPage { door: door(&app), action: format!("/sign-in/{link}") })?)
}

async fn use_link(State(app): State<App>, Path(link): Path<String>, sender: Sender) -> Answer<Response> {
    let token = app.sign_in_by_link(&link, &sender.origin, sender.user_agent.as_deref()).await?;
    Ok(welcome(&app, &token, "/"))
}

async fn sign_out(State(app): State<App>, signed: Signed) -> Answer<Response> {
    app.sign_out(&signed.token).await?;
    Ok(farewell(&app))
}

/// Where a request comes from, for the session that it begins.
pub(super) struct Sender {
    pub(super) origin: keybell_core::grant::Origin,
    pub(super) user_agent: Option<String>,
}

impl axum::extract::FromRequestParts<App> for Sender {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Sender { origin: origin(parts, app), user_agent: user_agent.map(str::to_owned) })
    }
}

/// Goes to `next` with the session's cookie.
pub(super) fn welcome(app: &App, token: &SessionToken, next: &str) -> Response {
    with_cookie(app, token.reveal(), COOKIE_SECONDS, next)
}

/// Goes to sign in, without the cookie.
pub(super) fn farewell(app: &App) -> Response {
    with_cookie(app, "", 0, "/sign-in")
}

fn with_cookie(app: &App, value: &str, seconds: u32, to: &str) -> Response {
    let name = session_cookie_name(app);
    let secure = if app.settings().public_url.scheme() == "https" { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    let mut cookie = HeaderValue::from_str(&cookie).expect("a token is base64url");
    cookie.set_sensitive(true);
    let mut response = Redirect::to(to).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

/// A path of our own, or the start: no link can send a person elsewhere by way of us.
fn safe_next(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//");
    let odd = |byte: u8| !byte.is_ascii_graphic() || byte == b'\\';
    if own && next.len() <= NEXT_BYTES_MAX && !next.bytes().any(odd) { next } else { "/" }
}

pub(super) fn gone() -> Problem {
    Problem::new(Code::NotFound, "This link was used already, or is too old.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        let kept = "/w/ws_1/settings?q=a%20b";
        assert_eq!(safe_next(kept), kept);
        for elsewhere in
            ["", "https://evil.example", "//evil.example", "/\\evil.example", "/a b", "/a\nb", "javascript:x"]
        {
            assert_eq!(safe_next(elsewhere), "/", "{elsewhere:?}");
        }
        let long = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
        assert_eq!(safe_next(&long(NEXT_BYTES_MAX)), long(NEXT_BYTES_MAX));
        assert_eq!(safe_next(&long(NEXT_BYTES_MAX + 1)), "/");
    }
}
