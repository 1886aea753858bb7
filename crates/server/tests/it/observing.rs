//! What an operator sees of a server at work: its log and its metrics.

use std::fs;

use keybell_testkit::installation::{Installation, free_address};
use serde_json::Value;

use crate::support::{curl, installation};

/// Adds lines to the section `[server]` of an installation that does not run yet.
fn set_server(installation: &Installation, lines: &str) {
    let path = installation.folder().join("keybell.toml");
    let text = fs::read_to_string(&path).expect("it was written");
    fs::write(&path, text.replacen("[server]\n", &format!("[server]\n{lines}\n"), 1)).expect("it is written");
}

#[test]
fn the_log_is_json_where_asked_for_and_holds_no_secret_and_no_query() {
    let mut installation = installation(None, "[log]\nformat = \"json\"\nlevel = \"trace\"\n");
    let operator_key = installation.operator_key("platform").expect("a key");
    installation.serve().expect("it starts");
    let bearer = format!("Authorization: Bearer {operator_key}");
    let json = "Content-Type: application/json";
    let post = |path: &str, body: &str| {
        curl(&["--header", &bearer, "--header", json, "--data", body, &installation.url(path)])
    };
    assert_eq!(post("/v1/workspaces", r#"{"name":"Acme","external_id":"acme"}"#).0, 201);
    let (status, key) = post("/v1/workspaces/acme/api-keys", r#"{"name":"mine"}"#);
    assert_eq!(status, 201);
    let key: Value = serde_json::from_str(&key).expect("it answers JSON");
    let secret_key = key["secret_key"].as_str().expect("it is shown once");
    let id = key["id"].as_str().expect("a key has an id");
    let path = format!("/v1/workspaces/acme/api-keys/{id}/rotate");
    let (status, rotated) = post(&path, "{}");
    assert_eq!(status, 200);
    let rotated: Value = serde_json::from_str(&rotated).expect("it answers JSON");
    let rotated = rotated["secret_key"].as_str().expect("it is shown once").to_owned();
    // SHA-256 of "ck_prod_needle", as another system has it.
    let import = r#"{"api_keys":[{"name":"theirs","sha256":"b7e9ea08872e61363b510a9efaa451e19284c48f6499050cb06af17eaf2af218"}]}"#;
    assert_eq!(post("/v1/workspaces/acme/api-keys/import", import).0, 201);
    for presented in [secret_key, &rotated, "ck_prod_needle", &format!("{operator_key}x")] {
        let (bearer, gate) =
            (format!("Authorization: Bearer {presented}"), installation.url("/v1/forward-auth"));
        let (_, answer) = curl(&["--header", &bearer, &gate]);
        assert!(!answer.contains(presented), "{answer}");
        let revoke = installation.url(&format!("/v1/api-keys/{id}/revoke"));
        let (_, answer) = curl(&["--request", "POST", "--header", &bearer, &revoke]);
        assert!(!answer.contains(presented), "{answer}");
    }
    assert_eq!(post("/v1/api-keys/verify", &format!(r#"{{"secret_key":"{secret_key}"}}"#)).0, 200);
    assert_eq!(post("/v1/api-keys/verify", &format!(r#"{{"secret_key":"{secret_key}x"}}"#)).0, 200);
    let listed = installation.url("/v1/workspaces/acme/api-keys?q=needle-in-the-query");
    assert_eq!(curl(&["--header", &bearer, &listed]).0, 200);
    let (status, metrics) = curl(&["--header", &bearer, &installation.url("/metrics")]);
    assert_eq!(status, 200);
    let (status, audit) = curl(&["--header", &bearer, &installation.url("/v1/workspaces/acme/audit-log")]);
    assert_eq!(status, 200);
    assert!(installation.stop().expect("it ends").success());

    let log = installation.log_text();
    assert!(log.lines().count() > 2, "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    let secret_part = |key: &str| key.rsplit('_').next().map(str::to_owned).expect("a key has parts");
    let secrets = [
        secret_part(&operator_key),
        secret_part(secret_key),
        secret_part(&rotated),
        "ck_prod_needle".to_owned(),
        "needle-in-the-query".to_owned(),
    ];
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
        assert!(!metrics.contains(&secret), "{secret} is in the metrics");
        assert!(!audit.contains(&secret), "{secret} is in the audit log");
    }
}

#[test]
fn metrics_are_for_operator_keys_unless_they_have_a_listener_of_their_own() {
    let mut beside = installation(None, "");
    let key = beside.operator_key("platform").expect("a key");
    beside.serve().expect("it starts");
    let bearer = format!("Authorization: Bearer {key}");
    assert_eq!(curl(&[&beside.url("/metrics")]).0, 401);
    let (status, figures) = curl(&["--header", &bearer, &beside.url("/metrics")]);
    assert_eq!(status, 200);
    for line in
        ["keybell_store_refused_total 0", "keybell_store_writes_waiting 0", "keybell_deliveries_in_memory 0"]
    {
        assert!(figures.lines().any(|figure| figure == line), "no {line} in {figures}");
    }

    let mut apart = installation(None, "");
    let address = free_address().expect("a free port");
    set_server(&apart, &format!("metrics_listen = \"{address}\""));
    apart.serve().expect("it starts");
    assert_eq!(curl(&[&apart.url("/metrics")]).0, 404);
    assert_eq!(curl(&[&format!("http://{address}/metrics")]).0, 200);
}

#[test]
fn one_thread_is_enough_to_serve() {
    let mut installation = installation(None, "");
    set_server(&installation, "threads = 1");
    installation.serve().expect("it starts");
    assert_eq!(curl(&[&installation.url("/readyz")]).0, 200);
}
