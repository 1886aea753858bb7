//! Everything that Keybell answers, as a server serves it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::HttpBody;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use bytes::Bytes;
use futures_util::future::Either;
use http::Request;
use keybell_app::App;
use tower::Service;

use crate::envelope::Envelope;
use crate::forward_auth;

/// The routes, and before them the answer to gateways, who ask on every request of a platform's API: to find its way
/// through the routes would cost more than the answer itself.
#[derive(Clone)]
pub struct Site {
    app: App,
    envelope: Envelope,
    routes: Router,
}

impl Site {
    pub(crate) fn new(app: App, envelope: Envelope, routes: Router) -> Site {
        Site { app, envelope, routes }
    }

    /// The routes alone, which answer gateways too: for a server that knows nothing but routes.
    pub fn into_router(self) -> Router {
        self.routes
    }
}

impl<B> Service<Request<B>> for Site
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, RouteFuture<Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path() != forward_auth::PATH {
            return Either::Right(self.routes.call(request));
        }
        let (parts, _unread) = request.into_parts();
        let answer = |id: &_| forward_auth::answer(&self.app, &parts, id);
        Either::Left(ready(Ok(self.envelope.around_at_once(&parts.headers, answer))))
    }
}
