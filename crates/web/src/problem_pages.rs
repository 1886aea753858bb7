//! `/problems/{code}`: what the `type` of a problem points to. For people, so HTML; for everybody, so without a credential.

use axum::extract::Path;
use axum::response::Html;
use http::{HeaderName, header};
use keybell_app::App;
use keybell_core::Code;

use crate::problem::Answer;
use crate::routes::{FOR_AN_HOUR, Routes};

/// Nothing but the page's own text: it has no style, script, form or image, and may be framed by nobody.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Routes<App> {
    Routes::for_everybody().cached(FOR_AN_HOUR).page("/problems", index).page("/problems/{code}", page)
}

type Page = ([(HeaderName, &'static str); 3], Html<String>);

async fn index() -> Page {
    let entries: String = Code::ALL.iter().map(|code| entry(*code)).collect();
    html(
        "Problems",
        &format!(
            "<p>Everything that Keybell answers when it does not do what was asked.</p><dl>{entries}</dl>"
        ),
    )
}

async fn page(Path(word): Path<String>) -> Answer<Page> {
    let code = Code::ALL.iter().copied().find(|code| code.as_str() == word).ok_or(Code::NotFound)?;
    let (status, help) = (code.status(), escaped(code.help()));
    let text = format!(
        "<p>HTTP status {status}, code <code>{word}</code></p><p>{help}</p><p><a href=\"../problems\">All problems</a></p>"
    );
    Ok(html(code.title(), &text))
}

fn entry(code: Code) -> String {
    let (word, status, title) = (code.as_str(), code.status(), code.title());
    format!("<dt><a href=\"problems/{word}\"><code>{word}</code></a> ({status})</dt><dd>{title}</dd>")
}

fn html(title: &str, main: &str) -> Page {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><title>{title} · Keybell</title>\
         </head><body><main><h1>{title}</h1>{main}</main></body></html>"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, FOR_AN_HOUR),
    ];
    (headers, Html(page))
}

/// The catalogue's texts are ours; some name `<secret key>`.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
