//! A gateway before the platform's API, configured as the README says: a good key gets through with its workspace's name,
//! a bad one does not, and the client sees why. Every fact is proved for every gateway.

mod client;
mod gateway;
mod scene;

use client::LIMIT_HEADERS;
use gateway::Gateway;
use keybell_testkit::receiver::{Receiver, Reply};
use scene::{FORBIDDEN, REPORTS, Scene};
use serde_json::{Value, json};

macro_rules! facts {
    ($($fact:ident,)+) => {
        mod nginx {
            $(#[test] fn $fact() { super::$fact(super::Gateway::Nginx); })+
        }
        mod caddy {
            $(#[test] fn $fact() { super::$fact(super::Gateway::Caddy); })+
        }
    };
}

facts! {
    good_key_gets_through_as_the_workspace_it_belongs_to,
    good_request_reaches_the_platform_whole,
    without_a_good_key_nothing_gets_through_and_the_client_sees_why,
    refusal_of_the_platform_itself_reaches_the_client_as_it_is,
    reads_and_writes_are_limited_apart_and_the_client_sees_what_is_left,
    client_cannot_lift_its_limit,
    key_is_good_only_in_its_networks_whatever_the_client_says,
    gate_that_cannot_answer_now_is_a_503_at_the_client,
    nothing_gets_through_while_keybell_is_down,
}

/// Every header by which the gate names a caller, as a client would forge it.
const FORGED: [(&str, &str); 9] = [
    ("X-Keybell-Key-Id", "forged"),
    ("X-Keybell-Workspace-Id", "forged"),
    ("X-Keybell-Workspace-External-Id", "forged"),
    ("X-Keybell-Environment", "forged"),
    ("X-Keybell-Scopes", "forged"),
    ("x-keybell-scopes", "forged"),
    // Applications that read headers as CGI does take these for the same.
    ("X_Keybell_Key_Id", "forged"),
    ("x_keybell_workspace_external_id", "forged"),
    ("X-Keybell_Workspace-External_Id", "forged"),
];

fn good_key_gets_through_as_the_workspace_it_belongs_to(gateway: Gateway) {
    let scene = Scene::begin(gateway);
    let key = scene.key(&Value::Null);
    let answer = scene.send("GET", REPORTS, &key.secret_key, &FORGED);
    assert_eq!((answer.status, answer.body.as_str()), (200, "[]"));
    assert_eq!(answer.told_of_limits(), [""; 0], "a key without limits");
    let seen = scene.last_seen();
    assert_eq!(seen.header("x-keybell-workspace-external-id"), Some("acme"));
    assert_eq!(seen.header("x-keybell-key-id"), Some(key.id.as_str()));
    let forged: Vec<_> = seen.headers.iter().filter(|(_, value)| value == b"forged").collect();
    assert!(forged.is_empty(), "the platform saw what the client forged: {forged:?}");

    // A workspace that has no external id must not be given one by the client.
    let bare = scene.operator.must("POST", "/v1/workspaces", &json!({"name": "Bare"}));
    let bare = scene.key_of(bare["id"].as_str().expect("a workspace has an id"), &Value::Null);
    assert_eq!(scene.send("GET", REPORTS, &bare.secret_key, &FORGED).status, 200);
    let seen = scene.last_seen();
    assert_eq!(seen.header("x-keybell-workspace-external-id"), None);
    assert_eq!(seen.header("x-keybell-key-id"), Some(bare.id.as_str()));
}

fn good_request_reaches_the_platform_whole(gateway: Gateway) {
    let scene = Scene::begin(gateway);
    // More than a gateway keeps in memory, and the gate is not to be waiting for any of it.
    let body = "Copper in 2027. ".repeat(8_000);
    let answer = scene.post("/api/reports?scope=none&gateway=apache", &scene.key(&Value::Null), &body);
    assert_eq!(answer.status, 200, "what the client asks of the platform is none of the gate's business");
    let seen = scene.last_seen();
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/api/reports?scope=none&gateway=apache")
    );
    assert!(seen.body == body, "{} of {} bytes arrived", seen.body.len(), body.len());
}

fn without_a_good_key_nothing_gets_through_and_the_client_sees_why(gateway: Gateway) {
    let scene = Scene::begin(gateway);
    let good = scene.key(&Value::Null);
    let revoked = scene.key(&Value::Null);
    let path = format!("/v1/workspaces/acme/api-keys/{}/revoke", revoked.id);
    assert_eq!(scene.read(&revoked).status, 200);
    scene.operator.must("POST", &path, &Value::Null);

    let without_scope = scene.key(&json!({"scopes": []}));
    assert_eq!(scene.read(&without_scope).status, 403);

    let unknown = "kb_live_000000000000_000000000000000000000000000000002hNBTQ";
    for (secret_key, what) in [(unknown, "unknown"), (&revoked.secret_key, "revoked")] {
        let answer = scene.send("GET", REPORTS, secret_key, &[]);
        assert_eq!(answer.status, 401, "{what}");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains("Bearer") && challenge.contains("invalid_token"), "{what}: {answer:?}");
    }
    let nothing = scene.send("GET", REPORTS, "", &FORGED);
    assert_eq!(nothing.status, 401);
    assert!(nothing.header("www-authenticate").starts_with("Bearer"), "{nothing:?}");

    let two = scene.send("GET", REPORTS, &good.secret_key, &[("x-api-key", &without_scope.secret_key)]);
    assert_eq!(two.status, 400, "two different credentials");
    let unreadable = scene.send("GET", REPORTS, "", &[("authorization", "Bearer")]);
    assert_eq!(unreadable.status, 400, "a scheme without a key");

    assert_eq!(scene.seen(), ["GET"], "the platform saw a request that was refused");
}

fn refusal_of_the_platform_itself_reaches_the_client_as_it_is(gateway: Gateway) {
    let scene = Scene::begin(gateway);
    let key = scene.key(&Value::Null);
    let answer = scene.send("GET", FORBIDDEN, &key.secret_key, &[]);
    assert_eq!((answer.status, answer.body.as_str()), (403, "not this report"));
}

fn two_reads_and_one_write() -> Value {
    json!({"rate_limits": [
        {"name": "reads", "limit": 2, "window_seconds": 3600},
        {"name": "writes", "limit": 1, "window_seconds": 3600},
    ]})
}

fn reads_and_writes_are_limited_apart_and_the_client_sees_what_is_left(gateway: Gateway) {
    let scene = Scene::begin(gateway);
    let key = scene.key(&two_reads_and_one_write());
    let ask = |method| scene.send(method, REPORTS, &key.secret_key, &[]);

    for left in ["1", "0"] {
        assert_eq!(ask("HEAD").status, 200, "HEAD is not counted");
        let answer = ask("GET");
        assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (200, left));
        assert_eq!(answer.told_of_limits(), LIMIT_HEADERS);
        assert_eq!(answer.header("ratelimit-policy"), "\"reads\";q=2;w=3600");
        assert!(answer.header("ratelimit").starts_with(&format!("\"reads\";r={left};t=")), "{answer:?}");
        assert_eq!(answer.header("retry-after"), "");
    }
    let refused = ask("GET");
    assert_eq!((refused.status, refused.header("x-ratelimit-remaining")), (429, "0"));
    assert_eq!(refused.told_of_limits(), LIMIT_HEADERS);
    // The first of two reads in an hour is free again after half of it.
    let wait: u32 = refused.header("retry-after").parse().expect("it says how long to wait");
    assert!((1..=1800).contains(&wait), "{wait} seconds");

    let written = ask("POST");
    assert_eq!((written.status, written.header("x-ratelimit-remaining")), (200, "0"));
    assert_eq!(written.header("ratelimit-policy"), "\"writes\";q=1;w=3600");
    let refused = ask("POST");
    assert_eq!(refused.status, 429);
    assert_ne!(refused.header("retry-after"), "");
    assert_eq!(ask("DELETE").status, 429, "whatever changes something is a write");
    for uncounted in ["HEAD", "OPTIONS"] {
        assert_eq!(ask(uncounted).status, 200, "{uncounted} is not counted");
    }
    assert_eq!(scene.seen(), ["HEAD", "GET", "HEAD", "GET", "POST", "HEAD", "OPTIONS"]);
}

fn client_cannot_lift_its_limit(gateway: Gateway) {
    let scene = Scene::begin(gateway);
    let key = scene.key(&two_reads_and_one_write());
    let ask = |method, path, headers: &[_]| scene.send(method, path, &key.secret_key, headers).status;

    let pretended = [("X-Forwarded-Method", "HEAD"), ("X-HTTP-Method-Override", "HEAD")];
    let hidden = [("X-Forwarded-Method", "HEAD"), ("Connection", "X-Forwarded-Method")];
    assert_eq!(ask("GET", REPORTS, &pretended), 200);
    assert_eq!(ask("GET", "/api/reports?method=HEAD", &hidden), 200);
    assert_eq!(ask("GET", REPORTS, &pretended), 429);
    assert_eq!(ask("GET", REPORTS, &hidden), 429);
    assert_eq!(ask("GET", "/api/reports?method=HEAD&gateway=nginx", &[]), 429);
    // Nor may a write pass as a read where there is a read left: there is one write.
    assert_eq!(ask("POST", REPORTS, &[("X-Forwarded-Method", "GET")]), 200);
    assert_eq!(ask("POST", REPORTS, &[("X-Forwarded-Method", "HEAD")]), 429);
    assert_eq!(scene.seen(), ["GET", "GET", "POST"]);
}

fn key_is_good_only_in_its_networks_whatever_the_client_says(gateway: Gateway) {
    let scene = Scene::begin(gateway);
    let here = scene.key(&json!({"allowed_networks": ["127.0.0.1/32"]}));
    let elsewhere = scene.key(&json!({"allowed_networks": ["203.0.113.0/24"]}));
    let forgeries: [&[(&str, &str)]; 4] = [
        &[],
        &[("X-Forwarded-For", "203.0.113.9")],
        &[("X-Forwarded-For", "203.0.113.9"), ("Connection", "X-Forwarded-For")],
        &[("Forwarded", "for=203.0.113.9"), ("X-Real-IP", "203.0.113.9")],
    ];
    for forged in forgeries {
        assert_eq!(scene.send("GET", REPORTS, &here.secret_key, forged).status, 200, "{forged:?}");
        assert_eq!(scene.send("GET", REPORTS, &elsewhere.secret_key, forged).status, 403, "{forged:?}");
    }
    assert_eq!(
        scene.platform.received().len(),
        forgeries.len(),
        "the platform saw a request that was refused"
    );
}

fn gate_that_cannot_answer_now_is_a_503_at_the_client(gateway: Gateway) {
    // Keybell cannot be made to be behind from outside, so something says here what it says then.
    let gate = Receiver::start(|request| {
        let told = if request.path.contains("gateway=nginx") { 403 } else { 503 };
        Reply::status(told).header("x-keybell-status", "503").header("retry-after", "5")
    });
    let platform = Receiver::ok();
    let running = gateway.start(gate.address(), &platform.url(""));
    let answer = client::send(running.address, "GET", REPORTS, &[("authorization", "Bearer any")], "");
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert_eq!(platform.received().len(), 0, "the platform saw a request that was refused");
}

fn nothing_gets_through_while_keybell_is_down(gateway: Gateway) {
    let mut scene = Scene::begin(gateway);
    let key = scene.key(&Value::Null);
    assert_eq!(scene.read(&key).status, 200);
    scene.keybell.kill();
    assert!(scene.read(&key).status >= 500);
    assert_eq!(scene.seen(), ["GET"], "the platform saw a request that nobody had checked");
}

/// Caddy has no location for it.
#[test]
fn location_of_the_gate_in_nginx_is_closed_to_clients() {
    let scene = Scene::begin(Gateway::Nginx);
    let key = scene.key(&Value::Null);
    assert_eq!(scene.send("GET", "/keybell", &key.secret_key, &[]).status, 404);
}
