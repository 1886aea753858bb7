//! How a credential is presented, wherever one is taken: what cannot be read, or is too long to be one, is refused by its
//! shape.

use axum::body::Body;
use axum::http::Method;
use keybell_core::credential::HEADER_BYTES_MAX;
use keybell_testkit::app::{Answer, Client, TestApp};
use serde_json::{Value, json};

use crate::northwind::{key, path_of, secret, start, text};

/// More than any server reads of a request's head (64 KiB are common), to be sure that no size is too much.
const WHOLE_HEAD_BYTES: usize = 256 * 1024;

/// The answers to a client of every place that takes a key: the gateways', the API's, and the one for finders of a key.
async fn everywhere(client: &Client<'_>) -> Vec<Answer> {
    let question = json!({ "secret_key": "x" });
    vec![
        client.get("/v1/forward-auth").await,
        client.send(Method::OPTIONS, "/v1/forward-auth", Body::empty()).await,
        client.get("/v1/workspaces/northwind/api-keys").await,
        client.post("/v1/workspaces/northwind/api-keys", json!({ "name": "a" })).await,
        client
            .clone()
            .with("idempotency-key", "a")
            .post("/v1/workspaces/northwind/api-keys", json!({ "name": "a" }))
            .await,
        client.post("/v1/api-keys/verify", question).await,
        client.post_empty("/v1/api-keys/kb_live_000000000000/revoke").await,
        client.get("/v1/workspaces/current").await,
    ]
}

async fn refused_everywhere(client: &Client<'_>, status: u16, code: &str) {
    for answer in everywhere(client).await {
        answer.refused(status, code);
    }
}

async fn nothing_was_counted(app: &TestApp, key: &Value) {
    app.app.write_usage().await.expect("the database is there");
    let query = "from=2026-11-23T12:00:00Z&to=2026-11-23T12:01:00Z";
    let usage = app.operator().get(&format!("{}/usage?{query}", path_of(key))).await.done(200);
    assert_eq!(usage["data"][0]["outcomes"], json!({ "valid": 0 }));
    assert_eq!(
        app.operator().get("/v1/workspaces/northwind/api-keys").await.done(200)["data"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn a_header_is_looked_at_up_to_its_greatest_length() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    let filled = |start: &str, bytes: usize| format!("{start}{}", "x".repeat(bytes - start.len()));
    for (name, start) in [("authorization", "Bearer "), ("x-api-key", "kb_live_")] {
        let longest = app.stranger().with(name, &filled(start, HEADER_BYTES_MAX));
        refused_everywhere(&longest, 401, "invalid_key").await;
        for bytes in [HEADER_BYTES_MAX + 1, WHOLE_HEAD_BYTES] {
            let longer = app.stranger().with(name, &filled(start, bytes));
            refused_everywhere(&longer, 400, "invalid_authorization").await;
        }
    }
    // The good key is in it, and too much around it.
    let padded = format!("Bearer {}{}", " ".repeat(HEADER_BYTES_MAX), secret(&key));
    refused_everywhere(&app.stranger().with("authorization", &padded), 400, "invalid_authorization").await;
    nothing_was_counted(&app, &key).await;
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_as_such() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    let good = secret(&key).as_bytes();
    for garbage in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\x80\x81\xfe\xff", &[0xff; 10_000]] {
        for value in [
            [b"Bearer ", garbage].concat(),
            [b"Bearer ", good, garbage].concat(),
            [b"Basic ", garbage].concat(),
            garbage.to_vec(),
        ] {
            let client = app.stranger().with_bytes("authorization", &value);
            refused_everywhere(&client, 400, "invalid_authorization").await;
        }
        for value in [garbage.to_vec(), [good, garbage].concat()] {
            refused_everywhere(&app.stranger().with_bytes("x-api-key", &value), 400, "invalid_authorization")
                .await;
            let beside = app.bearer(secret(&key)).with_bytes("x-api-key", &value);
            refused_everywhere(&beside, 400, "invalid_authorization").await;
        }
    }
    nothing_was_counted(&app, &key).await;
}

#[tokio::test]
async fn text_that_is_no_key_is_an_invalid_one() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    for strange in
        ["é", "\u{1f511}", "\u{feff}kb_live_", "kb_live_７Hq2mZxK9TbW", "%00", "null", "' OR 1=1 --"]
    {
        let client = app.stranger().with("x-api-key", strange.replace(' ', "").as_str());
        refused_everywhere(&client, 401, "invalid_key").await;
    }
    let with_mark = format!("{}\u{200b}", secret(&key));
    refused_everywhere(&app.bearer(&with_mark), 401, "invalid_key").await;
    nothing_was_counted(&app, &key).await;
}

#[tokio::test]
async fn many_headers_are_one_credential_only_where_they_are_the_same() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    let mut same = app.stranger();
    for _ in 0..100 {
        same =
            same.with("authorization", &format!("Bearer {}", secret(&key))).with("x-api-key", secret(&key));
    }
    same.get("/v1/forward-auth").await.done(200);
    refused_everywhere(&same.clone().with("x-api-key", text(&key["id"])), 400, "conflicting_credentials")
        .await;
    refused_everywhere(&same.with("x-api-key", ""), 400, "invalid_authorization").await;
}
