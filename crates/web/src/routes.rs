//! The list of routes. The router is made from it, so that nothing is answered that is not in the list.
//!
//! A module gives its routes as [`Routes`], which says of each what it serves and for whom. The tests ask for the list by
//! [`crate::routes()`], and hold each route to what its kind promises: headers, methods, who is refused and how.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, any, get, post};
use http::Method;
use serde_json::Value;

/// One route with one of its methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET` stands for `HEAD` too.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: String,
    /// What it answers with.
    pub serves: Serves,
    /// Who gets that.
    pub to: To,
    /// What its answer says in `cache-control` when all goes well.
    pub cache: &'static str,
}

/// What a route answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// HTML.
    Page,
    /// What came of a form that a page has: a redirect, or a page.
    Form,
    /// Server-sent events.
    EventStream,
    /// A file to keep.
    Download,
    /// Style, script or image.
    Asset,
    /// A document for programs.
    Document,
    /// An operation of the API, which its own document describes.
    Api,
    /// Every method alike: that there is nothing.
    Nothing,
}

/// Whom a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Everybody, also those who are not signed in.
    Everybody,
    /// Whoever is signed in.
    SignedIn,
    /// Members of the workspace that the path names, as far as their role allows.
    Members,
    /// Whoever sends a key or a session with the request, and operators alone where the route says so.
    Credentials,
}

/// What says that no cache may keep an answer: what tells something that only its reader may know, some of it once.
pub(crate) const NEVER: &str = "no-store";
/// For what is the same for everybody, and changes with the configuration or a new version only.
pub(crate) const FOR_AN_HOUR: &str = "public, max-age=3600";

/// Routes: the list of them, and the router that is made from it.
pub struct Routes<S = ()> {
    listed: Vec<Route>,
    router: Router<S>,
    to: To,
    cache: &'static str,
}

impl<S> Routes<S> {
    /// The list.
    pub fn listed(&self) -> &[Route] {
        &self.listed
    }

    /// What answers by it.
    pub(crate) fn into_router(self) -> Router<S> {
        self.router
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    fn to(to: To) -> Routes<S> {
        Routes { listed: Vec::new(), router: Router::new(), to, cache: NEVER }
    }

    /// None yet; those that are added are for everybody.
    pub(crate) fn for_everybody() -> Routes<S> {
        Routes::to(To::Everybody)
    }

    /// None yet; those that are added are for whoever is signed in.
    pub(crate) fn for_signed_in() -> Routes<S> {
        Routes::to(To::SignedIn)
    }

    /// None yet; those that are added are for members of the workspace that their path names.
    pub(crate) fn for_members() -> Routes<S> {
        Routes::to(To::Members)
    }

    /// None yet; those that are added are for whoever sends a credential.
    pub(crate) fn for_credentials() -> Routes<S> {
        Routes::to(To::Credentials)
    }

    /// The answers of those that are added from now on say `cache` in `cache-control`, which their handlers see to.
    pub(crate) fn cached(self, cache: &'static str) -> Routes<S> {
        Routes { cache, ..self }
    }

    /// A page to look at.
    pub(crate) fn page<H: Handler<T, S>, T: 'static>(self, path: &str, show: H) -> Routes<S> {
        self.add(Method::GET, path, Serves::Page, get(show))
    }

    /// What a button of another page does.
    pub(crate) fn deed<H: Handler<T, S>, T: 'static>(self, path: &str, act: H) -> Routes<S> {
        self.add(Method::POST, path, Serves::Form, post(act))
    }

    /// A page with a form, and what is done when it is sent.
    pub(crate) fn form<Ask: Handler<T, S>, T: 'static, Act: Handler<U, S>, U: 'static>(
        self,
        path: &str,
        ask: Ask,
        act: Act,
    ) -> Routes<S> {
        self.page(path, ask).deed(path, act)
    }

    /// Events that a page listens to.
    pub(crate) fn event_stream<H: Handler<T, S>, T: 'static>(self, path: &str, tell: H) -> Routes<S> {
        self.add(Method::GET, path, Serves::EventStream, get(tell))
    }

    /// A file to keep.
    pub(crate) fn download<H: Handler<T, S>, T: 'static>(self, path: &str, give: H) -> Routes<S> {
        self.add(Method::GET, path, Serves::Download, get(give))
    }

    /// Style, script or image.
    pub(crate) fn asset<H: Handler<T, S>, T: 'static>(self, path: &str, give: H) -> Routes<S> {
        self.add(Method::GET, path, Serves::Asset, get(give))
    }

    /// A document for programs.
    pub(crate) fn document<H: Handler<T, S>, T: 'static>(self, path: &str, give: H) -> Routes<S> {
        self.add(Method::GET, path, Serves::Document, get(give))
    }

    /// Where nothing is, whatever is asked.
    pub(crate) fn nothing<H: Handler<T, S>, T: 'static>(self, path: &str, refuse: H) -> Routes<S> {
        self.add(Method::GET, path, Serves::Nothing, any(refuse))
    }

    /// The operations that the API's `document` describes, and the router that was made with it.
    pub(crate) fn api(mut self, document: &Value, router: Router<S>) -> Routes<S> {
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            for method in operations.as_object().into_iter().flatten().map(|(method, _)| method) {
                let method = method.to_uppercase().parse().expect("the document names methods of HTTP");
                self.listed.push(self.entry(method, path, Serves::Api));
            }
        }
        Routes { router: self.router.merge(router), ..self }
    }

    fn add(mut self, method: Method, path: &str, serves: Serves, handler: MethodRouter<S>) -> Routes<S> {
        self.listed.push(self.entry(method, path, serves));
        Routes { router: self.router.route(path, handler), ..self }
    }

    fn entry(&self, method: Method, path: &str, serves: Serves) -> Route {
        Route { method, path: path.to_owned(), serves, to: self.to, cache: self.cache }
    }

    /// These and `others`.
    pub(crate) fn merge(mut self, others: Routes<S>) -> Routes<S> {
        self.listed.extend(others.listed);
        Routes { router: self.router.merge(others.router), ..self }
    }

    /// The same list, with what `put` puts around the router: layers, or the state.
    pub(crate) fn around<T>(self, put: impl FnOnce(Router<S>) -> Router<T>) -> Routes<T> {
        let Routes { listed, router, to, cache } = self;
        Routes { listed, router: put(router), to, cache }
    }
}
