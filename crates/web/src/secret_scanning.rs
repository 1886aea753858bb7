//! `/.well-known/keybell/secret-scanning`: how a scanner recognises this installation's keys.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use keybell_app::App;
use serde::Serialize;

pub(crate) fn router() -> Router<App> {
    Router::new().route("/.well-known/keybell/secret-scanning", get(patterns))
}

#[derive(Serialize)]
struct Scanning {
    patterns: Vec<Pattern>,
    checksum: &'static str,
}

#[derive(Serialize)]
struct Pattern {
    name: &'static str,
    regex: String,
}

async fn patterns(State(app): State<App>) -> Json<Scanning> {
    let prefix = &app.settings().key_prefix;
    let pattern = |name, words| Pattern {
        name,
        regex: format!("{prefix}_(?:{words})_[0-9A-Za-z]{{12}}_[0-9A-Za-z]{{38}}"),
    };
    Json(Scanning {
        patterns: vec![pattern("API key", "live|test"), pattern("Operator key", "op")],
        checksum: "The last 6 characters are the CRC-32/ISO-HDLC of every byte before them, as a big-endian number in \
                   base62 (0-9A-Za-z), left-padded with 0.",
    })
}
