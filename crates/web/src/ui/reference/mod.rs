//! The API reference at `/docs/api`: the OpenAPI document as pages, for everybody. They are made at the first question, and
//! kept; what a reader's workspace changes in them is put in when they are sent.

mod document;
mod example;
mod section;
mod shape;

use std::sync::{Arc, OnceLock};

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use keybell_app::App;
use keybell_core::{Code, WorkspaceId};
use serde_json::Value;

use self::document::{Document, text};
use self::section::{Section, sections};
use super::around::door;
use super::assets::fingerprint;
use super::fields::Fields;
use super::view::form::CopyField;
use super::view::reference::{Contents, ContentsSection, Prose, SectionPage, StartPage};
use crate::envelope::base_url;
use crate::problem::Answer;
use crate::routes::Routes;

/// Stands in a kept page where the reader's workspace goes. A character that no text of ours has.
const WORKSPACE: &str = "\u{e000}";
/// Stands in a kept page behind an address of the reference, where the query goes that names the workspace.
const QUERY: &str = "\u{e001}";

/// Whoever keeps a page asks whether it is still the same: it names style and scripts by what is in them, and those of an
/// older Keybell are gone.
const CACHE: &str = "public, no-cache";

pub(super) fn routes(document: Bytes) -> Routes<App> {
    let kept = Arc::new(Kept { document, pages: OnceLock::new() });
    let routes =
        Routes::for_everybody().cached(CACHE).page("/docs/api", start).page("/docs/api/{section}", one);
    routes.around(|router| router.layer(Extension(kept)))
}

/// The document, and what was made of it.
struct Kept {
    document: Bytes,
    pages: OnceLock<Pages>,
}

struct Pages {
    start: String,
    /// By the word of the section in the address.
    sections: Vec<(String, String)>,
}

async fn start(
    State(app): State<App>,
    Extension(kept): Extension<Arc<Kept>>,
    query: Fields,
    headers: HeaderMap,
) -> Response {
    sent(&kept.pages(&app).start, &query, &headers)
}

async fn one(
    State(app): State<App>,
    Extension(kept): Extension<Arc<Kept>>,
    Path(word): Path<String>,
    query: Fields,
    headers: HeaderMap,
) -> Answer<Response> {
    let (_, page) = kept.pages(&app).sections.iter().find(|(slug, _)| *slug == word).ok_or(Code::NotFound)?;
    Ok(sent(page, &query, &headers))
}

/// A kept page with the workspace that the query names; the credential's own, where it names none.
fn sent(page: &str, query: &Fields, headers: &HeaderMap) -> Response {
    let workspace = WorkspaceId::parse(query.one("workspace")).map(|id| id.to_string());
    let kept_on = workspace.as_ref().map(|id| format!("?workspace={id}")).unwrap_or_default();
    let page = page.replace(WORKSPACE, workspace.as_deref().unwrap_or("current")).replace(QUERY, &kept_on);
    // A weak one: packed or not, it is the same page.
    let tag = format!("W/\"{:016x}\"", fingerprint(page.as_bytes()));
    let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response =
        if is_known { StatusCode::NOT_MODIFIED.into_response() } else { Html(page).into_response() };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    response
        .headers_mut()
        .insert(header::ETAG, tag.parse().expect("hexadecimal digits are a header's value"));
    response
}

impl Kept {
    fn pages(&self, app: &App) -> &Pages {
        self.pages.get_or_init(|| {
            let document: Value =
                serde_json::from_slice(&self.document).expect("the document was written as JSON");
            drawn(app, Document(&document))
        })
    }
}

fn drawn(app: &App, document: Document<'_>) -> Pages {
    let sections = sections(document);
    let start = StartPage {
        door: door(app),
        contents: contents(&sections, None),
        base_url: CopyField::new("base-url", "Base URL", base_url(app)),
        credentials: credentials(document),
        problems: Code::ALL.iter().copied().map(problem).collect(),
        query: QUERY,
    };
    let page = |open| (Section::slug(open), section_page(app, document, &sections, open));
    Pages { start: text_of(&start), sections: sections.iter().map(page).collect() }
}

fn section_page<'a>(app: &App, document: Document<'a>, all: &[Section<'a>], open: &Section<'a>) -> String {
    let (operations, shapes) = open.described(document, base_url(app));
    text_of(&SectionPage {
        door: door(app),
        contents: contents(all, Some(open.name)),
        name: open.name.to_owned(),
        operations,
        shapes,
        query: QUERY,
    })
}

fn text_of(page: &impl askama::Template) -> String {
    page.render().expect("a template only writes text")
}

fn contents(sections: &[Section<'_>], open: Option<&str>) -> Contents {
    let named = sections.iter().map(|section| ContentsSection {
        name: section.name.to_owned(),
        href: format!("/docs/api/{}", section.slug()),
        open: open == Some(section.name),
        operations: section.named(),
    });
    Contents { at_start: open.is_none(), sections: named.collect() }
}

fn problem(code: Code) -> (String, String, String, Prose) {
    let (word, status) = (code.as_str().to_owned(), code.status().to_string());
    (word, status, code.title().to_owned(), Prose(code.help().to_owned()))
}

/// How a credential is sent, in each way that the document names.
fn credentials(document: Document<'_>) -> Vec<(String, Prose)> {
    let schemes = document.0["components"]["securitySchemes"].as_object().into_iter().flatten();
    let told = schemes.map(|(_, scheme)| {
        let how = match (text(scheme, "scheme"), text(scheme, "in")) {
            ("bearer", _) => "Authorization: Bearer …".to_owned(),
            ("basic", _) => "Authorization: Basic …".to_owned(),
            (_, "cookie") => format!("Cookie: {}=…", text(scheme, "name")),
            _ => format!("{}: …", text(scheme, "name")),
        };
        let what = text(scheme, "description");
        (how, Prose(if what.is_empty() { "The secret key.".to_owned() } else { what.to_owned() }))
    });
    told.collect()
}
