//! The layer: reads the key of a request, asks, and lets through or refuses.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header, request};
use keybell_core::Code;
use keybell_core::credential::{presented, sent_by_browser};
use keybell_core::key::Refused;
use tower::{Layer, Service};

use crate::refusal::{refusal, tell_limits};
use crate::verifier::Question;
use crate::{Denied, Needs, Verified, Verifier};

/// What only a gateway may tell an application: names that begin so are taken off every request.
const RESERVED: &str = "x-keybell-";

/// Lets requests through whose key is good and has what is needed.
pub fn require<V: Verifier>(verifier: V, needs: Needs) -> KeyAuthLayer<V> {
    let source: SourceOf = |_| None;
    let shared = Shared {
        verifier,
        needs,
        on_unreachable: OnUnreachable::default(),
        refuse_browsers: false,
        source: Arc::new(source),
    };
    KeyAuthLayer { shared: Arc::new(shared) }
}

/// What happens to a request where Keybell cannot be asked about its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnreachable {
    /// It is refused with 503.
    #[default]
    Refuse,
    /// It is let through without [`Verified`] in its extensions: **nobody has checked its key**. Only for what is open to
    /// everybody anyway.
    Allow,
}

type SourceOf = fn(&request::Parts) -> Option<IpAddr>;
type SharedSourceOf = Arc<dyn Fn(&request::Parts) -> Option<IpAddr> + Send + Sync>;

struct Shared<V> {
    verifier: V,
    needs: Needs,
    on_unreachable: OnUnreachable,
    refuse_browsers: bool,
    source: SharedSourceOf,
}

/// Puts a gate before a service. Made by [`require`].
pub struct KeyAuthLayer<V> {
    shared: Arc<Shared<V>>,
}

impl<V: Verifier> KeyAuthLayer<V> {
    /// The same, doing that where Keybell cannot be asked.
    #[must_use]
    pub fn on_unreachable(self, on_unreachable: OnUnreachable) -> Self {
        self.changed(|shared| shared.on_unreachable = on_unreachable)
    }

    /// The same, refusing secret keys that a browser sends: whoever opens the page could read them.
    #[must_use]
    pub fn refuse_browsers(self) -> Self {
        self.changed(|shared| shared.refuse_browsers = true)
    }

    /// The same, finding out the client's address by `source`. Without it no address is known, and keys that are confined
    /// to some networks are refused.
    ///
    /// Behind a proxy, [`client_address`](crate::client_address) reads `X-Forwarded-For` as far as it can be believed.
    #[must_use]
    pub fn source_by(
        self,
        source: impl Fn(&request::Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.changed(|shared| shared.source = Arc::new(source))
    }

    fn changed(self, change: impl FnOnce(&mut Shared<V>)) -> Self {
        let mut shared = Shared {
            verifier: self.shared.verifier.clone(),
            needs: self.shared.needs.clone(),
            on_unreachable: self.shared.on_unreachable,
            refuse_browsers: self.shared.refuse_browsers,
            source: Arc::clone(&self.shared.source),
        };
        change(&mut shared);
        KeyAuthLayer { shared: Arc::new(shared) }
    }
}

impl<V> Clone for KeyAuthLayer<V> {
    fn clone(&self) -> Self {
        KeyAuthLayer { shared: Arc::clone(&self.shared) }
    }
}

impl<S, V> Layer<S> for KeyAuthLayer<V> {
    type Service = KeyAuth<S, V>;

    fn layer(&self, inner: S) -> Self::Service {
        KeyAuth { inner, shared: Arc::clone(&self.shared) }
    }
}

/// A service with a gate before it. Made by [`KeyAuthLayer`].
pub struct KeyAuth<S, V> {
    inner: S,
    shared: Arc<Shared<V>>,
}

impl<S: Clone, V> Clone for KeyAuth<S, V> {
    fn clone(&self) -> Self {
        KeyAuth { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S, V, B, R> Service<Request<B>> for KeyAuth<S, V>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    V: Verifier,
    B: Send + 'static,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that is ready goes along; a fresh clone stays.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            strip_reserved(&mut parts.headers);
            let mut limits = Vec::new();
            match check(&shared, &parts).await {
                Ok(verified) => {
                    limits = verified.rate_limits().to_vec();
                    parts.extensions.insert(verified);
                }
                Err(Denied::Unreachable(error)) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::warn!(error, "a key could not be checked");
                    if shared.on_unreachable == OnUnreachable::Refuse {
                        return Ok(refused(&shared, Code::Unavailable.into(), &parts.headers));
                    }
                    // A layer further out may have checked another key; it is not this one's.
                    parts.extensions.remove::<Verified>();
                }
                Err(Denied::Refused(why)) => return Ok(refused(&shared, why, &parts.headers)),
            }
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            tell_limits(response.headers_mut(), &limits);
            Ok(response)
        })
    }
}

fn refused<V: Verifier, R: From<Bytes>>(
    shared: &Shared<V>,
    why: Refused,
    headers: &HeaderMap,
) -> Response<R> {
    refusal(why, &shared.needs, headers, shared.verifier.base_url())
}

async fn check<V: Verifier>(shared: &Shared<V>, parts: &request::Parts) -> Result<Verified, Denied> {
    let authorization = parts.headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let api_key = parts.headers.get_all("x-api-key").iter().map(HeaderValue::as_bytes);
    let secret_key = presented(authorization, api_key)?.ok_or(Code::MissingCredential)?;
    if shared.refuse_browsers && sent_by_browser(parts.headers.keys().map(HeaderName::as_str)) {
        return Err(Code::SecretKeyInBrowser.into());
    }
    let question = Question {
        secret_key: secret_key.as_str(),
        needs: &shared.needs,
        source: (shared.source)(parts),
        method: parts.method.as_str(),
    };
    shared.verifier.verify(question).await
}

fn strip_reserved(headers: &mut HeaderMap) {
    let forged: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(RESERVED)).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}
