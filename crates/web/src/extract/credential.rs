//! Who sends a request: by an operator key, an API key, or the cookie of a session.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use cookie::Cookie;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use keybell_app::App;
use keybell_core::credential::{Presented, presented};
use keybell_core::grant::Origin;
use keybell_core::key::RequestKind;
use keybell_core::{Actor, Code, Problem};

use super::client::origin;
use crate::csrf;
use crate::problem::Failed;

/// Somebody whose credential was checked, and where they are. Checked once per request, however often it is asked for.
#[derive(Clone)]
pub struct Credential {
    /// Who.
    pub actor: Arc<Actor>,
    /// From where, in which request.
    pub origin: Origin,
}

impl Credential {
    /// What an `Idempotency-Key` belongs to: two credentials may use the same one without meeting.
    pub fn owner(&self) -> String {
        match &*self.actor {
            Actor::Operator { key, .. } => format!("operator {key}"),
            Actor::ApiKey { key, .. } => format!("api_key {key}"),
            Actor::Person { account, .. } => format!("account {account}"),
        }
    }

    /// Checks what the request presents. A key goes before a cookie: it was sent on purpose.
    pub async fn of_parts(parts: &mut Parts, app: &App) -> Result<Credential, Problem> {
        if let Some(checked) = parts.extensions.get::<Credential>() {
            return Ok(checked.clone());
        }
        let origin = origin(parts, app);
        let actor = checked_actor(parts, app, &origin).await?;
        let checked = Credential { actor: Arc::new(actor), origin };
        parts.extensions.insert(checked.clone());
        Ok(checked)
    }
}

async fn checked_actor(parts: &Parts, app: &App, origin: &Origin) -> Result<Actor, Problem> {
    if let Some(secret_key) = presented_in(&parts.headers)? {
        let request = RequestKind::of_method(parts.method.as_str());
        return app.actor_of_secret(secret_key.as_str(), origin.source_address, request);
    }
    let token = session_token(parts, app).ok_or(Code::MissingCredential)?;
    csrf::check(&parts.method, &parts.headers, &app.settings().public_url)?;
    app.actor_of_session(token).await
}

/// The secret key that these headers present, if they do.
pub(crate) fn presented_in(headers: &HeaderMap) -> Result<Option<Presented<'_>>, Code> {
    let authorization = headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let api_key = headers.get_all("x-api-key").iter().map(HeaderValue::as_bytes);
    presented(authorization, api_key)
}

/// The name of the session's cookie: browsers keep `__Host-` cookies to HTTPS, so plain HTTP has one of its own.
pub fn session_cookie_name(app: &App) -> &'static str {
    if app.settings().public_url.scheme() == "https" { "__Host-keybell" } else { "keybell" }
}

/// The session token of the request's cookie.
pub(crate) fn session_token<'a>(parts: &'a Parts, app: &App) -> Option<&'a str> {
    let name = session_cookie_name(app);
    let values = parts.headers.get_all(header::COOKIE);
    let texts = values.iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(Cookie::split_parse).flatten().find(|cookie| cookie.name() == name)?.value_raw()
}

impl FromRequestParts<App> for Credential {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        Ok(Credential::of_parts(parts, app).await?)
    }
}
