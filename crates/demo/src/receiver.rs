//! A receiver of webhooks, as a customer would write one: it verifies the signature before it looks at anything, takes an
//! event that comes twice for one, and shows what it got on a page.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Html;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use standardwebhooks::Webhook;

use crate::platform::Say;

/// Deliveries that the page shows, and within which an event that comes again is known.
pub const SHOWN_MAX: usize = 50;
/// The largest body: event data has at most 256 KiB, and XML or a form may need several times as much.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// As much of a body as the page shows.
const SHOWN_CHARS_MAX: usize = 2_000;

/// A receiver. Cheap to clone; all clones are the same receiver.
#[derive(Clone)]
pub struct Receiver {
    inner: Arc<Inner>,
}

struct Inner {
    webhook: OnceLock<Webhook>,
    received: Mutex<VecDeque<Received>>,
    say: Say,
}

/// A delivery whose signature was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The event's id.
    pub id: String,
    /// The content type of the body.
    pub content_type: String,
    /// The body.
    pub body: String,
    /// How often it came.
    pub times: u32,
}

impl Receiver {
    /// A receiver that tells `say` of each delivery. It refuses all until it knows the signing secret.
    pub fn new(say: Say) -> Receiver {
        let received = Mutex::new(VecDeque::new());
        Receiver { inner: Arc::new(Inner { webhook: OnceLock::new(), received, say }) }
    }

    /// Tells it the webhook's signing secret, `whsec_…`; only the first counts.
    pub fn trust(&self, signing_secret: &str) -> Result<(), standardwebhooks::WebhookError> {
        let webhook = Webhook::new(signing_secret)?;
        self.inner.webhook.get_or_init(|| webhook);
        Ok(())
    }

    /// What it got, newest first.
    pub fn received(&self) -> Vec<Received> {
        self.list().iter().cloned().collect()
    }

    /// `POST /webhook` takes deliveries, `GET /` shows them.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/webhook", post(take))
            .route("/", get(show))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(self.clone())
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Received>> {
        self.inner.received.lock().expect("nobody panics while the list is locked")
    }

    /// Keeps a delivery; whether it is the first time that this event came.
    fn keep(&self, id: &str, content_type: &str, body: &[u8]) -> bool {
        let mut list = self.list();
        if let Some(known) = list.iter_mut().find(|known| known.id == id) {
            known.times += 1;
            return false;
        }
        list.truncate(SHOWN_MAX - 1);
        let body = String::from_utf8_lossy(body).into_owned();
        list.push_front(Received {
            id: id.to_owned(),
            content_type: content_type.to_owned(),
            body,
            times: 1,
        });
        true
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let verified =
        receiver.inner.webhook.get().is_some_and(|webhook| webhook.verify(&body, &headers).is_ok());
    if !verified {
        (receiver.inner.say)("receiver  refused a request whose signature is wrong");
        return StatusCode::UNAUTHORIZED;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, content_type) = (text("webhook-id"), text("content-type"));
    let again = if receiver.keep(id, content_type, &body) { "" } else { ", which it had already" };
    (receiver.inner.say)(&format!("receiver  got {id}{again}; its signature is right"));
    StatusCode::NO_CONTENT
}

async fn show(State(receiver): State<Receiver>) -> Html<String> {
    let mut page = String::from(
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=5>\
         <meta name=viewport content='width=device-width'><title>Receiver</title>\
         <style>body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}\
         pre{white-space:pre-wrap;overflow-wrap:anywhere}article{border-top:1px solid}</style>\
         <h1>What the receiver got</h1>",
    );
    let shown = receiver.received();
    if shown.is_empty() {
        page.push_str("<p>Nothing yet. It comes as soon as the platform publishes an event.</p>");
    }
    for one in shown {
        let body: String = one.body.chars().take(SHOWN_CHARS_MAX).collect();
        let times = if one.times == 1 { String::new() } else { format!(", {} times", one.times) };
        write!(
            page,
            "<article><h2>{}</h2><p>{}{times}, signature verified</p><pre>{}</pre></article>",
            escaped(&one.id),
            escaped(&one.content_type),
            escaped(&body)
        )
        .expect("a text takes every line");
    }
    Html(page)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use http::{Request, header};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn trusting() -> Receiver {
        let receiver = Receiver::new(Arc::new(|_| {}));
        receiver.trust(SECRET).expect("a good secret");
        receiver
    }

    fn delivery(id: &str, body: &str, sign_body: &str) -> Request<axum::body::Body> {
        let now = judges_now();
        let signature = Webhook::new(SECRET).and_then(|webhook| webhook.sign(id, now, sign_body.as_bytes()));
        Request::post("/webhook")
            .header("webhook-id", id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", signature.expect("it signs"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_owned().into())
            .expect("a good request")
    }

    /// The judge of signatures reads the system's clock itself, so the test has to.
    #[expect(clippy::disallowed_methods, reason = "standardwebhooks compares with the system's clock")]
    fn judges_now() -> i64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        i64::try_from(now.as_secs()).expect("before the year 292 billion")
    }

    async fn page(receiver: &Receiver) -> String {
        let request = Request::get("/").body(axum::body::Body::empty()).expect("a good request");
        let answer = receiver.router().oneshot(request).await.expect("it answers");
        String::from_utf8(answer.into_body().collect().await.expect("a body").to_bytes().to_vec())
            .expect("UTF-8")
    }

    #[tokio::test]
    async fn what_is_signed_is_shown_and_an_event_that_comes_twice_is_one() {
        let receiver = trusting();
        for _ in 0..2 {
            let answer =
                receiver.router().oneshot(delivery("evt_1", "{\"a\":\"<b>\"}", "{\"a\":\"<b>\"}")).await;
            assert_eq!(answer.expect("it answers").status(), StatusCode::NO_CONTENT);
        }
        assert_eq!(receiver.received().iter().map(|one| one.times).collect::<Vec<_>>(), [2]);
        let page = page(&receiver).await;
        assert!(page.contains("evt_1") && page.contains("2 times") && page.contains("&lt;b&gt;"), "{page}");
    }

    #[tokio::test]
    async fn what_is_not_signed_is_refused_and_shown_nowhere() {
        let receiver = trusting();
        let answer = receiver.router().oneshot(delivery("evt_1", "{\"a\":2}", "{\"a\":1}")).await;
        assert_eq!(answer.expect("it answers").status(), StatusCode::UNAUTHORIZED);
        let untold = Receiver::new(Arc::new(|_| {}));
        let answer = untold.router().oneshot(delivery("evt_1", "{}", "{}")).await;
        assert_eq!(answer.expect("it answers").status(), StatusCode::UNAUTHORIZED);
        assert!(receiver.received().is_empty() && untold.received().is_empty());
        assert!(page(&receiver).await.contains("Nothing yet"));
    }

    #[test]
    fn the_list_is_bounded() {
        let receiver = trusting();
        for number in 0..=SHOWN_MAX {
            receiver.keep(&format!("evt_{number}"), "application/json", b"{}");
        }
        let kept = receiver.received();
        assert_eq!((kept.len(), kept[0].id.as_str()), (SHOWN_MAX, "evt_50"));
    }
}
