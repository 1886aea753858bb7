//! `/.well-known/keybell/secret-scanning`: how a scanner recognises this installation's keys.

use axum::Json;
use axum::extract::State;
use http::{HeaderName, header};
use keybell_app::App;
use serde::Serialize;

use crate::routes::{FOR_AN_HOUR, Routes};

pub(crate) fn routes() -> Routes<App> {
    Routes::for_everybody().cached(FOR_AN_HOUR).document("/.well-known/keybell/secret-scanning", patterns)
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

async fn patterns(State(app): State<App>) -> ([(HeaderName, &'static str); 1], Json<Scanning>) {
    let prefix = &app.settings().key_prefix;
    let pattern = |name, words| Pattern {
        name,
        regex: format!("{prefix}_(?:{words})_[0-9A-Za-z]{{12}}_[0-9A-Za-z]{{38}}"),
    };
    let scanning = Scanning {
        patterns: vec![pattern("API key", "live|test"), pattern("Operator key", "op")],
        checksum: "The last 6 characters are the CRC-32/ISO-HDLC of every byte before them, as a big-endian number in \
                   base62 (0-9A-Za-z), left-padded with 0.",
    };
    ([(header::CACHE_CONTROL, FOR_AN_HOUR)], Json(scanning))
}
