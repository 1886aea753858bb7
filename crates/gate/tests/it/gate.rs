//! What the gate lets through and how it refuses; the same whichever way it asks.

use std::time::Duration;

use keybell_gate::{Environment, Needs, Verifier, require};
use serde_json::{Value, json};

use crate::platform::{Answer, World, call, text};

fn bearer(key: &Value) -> String {
    format!("Bearer {}", text(&key["secret_key"]))
}

async fn with<V: Verifier>(verifier: &V, needs: Needs, key: &Value) -> Answer {
    call(require(verifier.clone(), needs), &[("authorization", &bearer(key))]).await
}

/// The answers of both verifiers, which must not differ but in where the pages about problems are.
async fn both(world: &World, needs: Needs, headers: &[(&str, &str)]) -> Answer {
    let local = call(require(world.local.clone(), needs.clone()), headers).await;
    let remote = call(require(world.remote.clone(), needs), headers).await;
    assert_eq!(local.status, remote.status);
    assert_eq!(local.headers, remote.headers);
    let stable = |answer: &Answer| {
        let mut body = answer.body.clone();
        body.as_object_mut().expect("both answer an object").remove("type");
        body
    };
    assert_eq!(stable(&local), stable(&remote));
    local
}

#[tokio::test]
async fn a_good_key_is_let_through_and_the_handler_knows_who_calls() {
    let world = World::new().await;
    let key = world.key(json!({ "scopes": ["reports:read"], "metadata": { "plan": "pro" } })).await;
    let answer = both(&world, Needs::scope("reports:read"), &[("authorization", &bearer(&key))]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body["caller"],
        json!({
            "key_id": key["id"],
            "name": "integration",
            "workspace_id": world.workspace,
            "workspace_external_id": "northwind",
            "environment": "live",
            "scopes": ["reports:read"],
            "metadata": { "plan": "pro" },
        })
    );
}

#[tokio::test]
async fn every_way_to_present_a_key_is_taken() {
    let world = World::new().await;
    let key = world.key(json!({})).await;
    let basic = format!("Basic {}", base64(&format!("{}:{}", text(&key["id"]), text(&key["secret_key"]))));
    for (name, value) in [
        ("authorization", bearer(&key)),
        ("authorization", basic),
        ("x-api-key", text(&key["secret_key"]).to_owned()),
    ] {
        assert_eq!(both(&world, Needs::default(), &[(name, &value)]).await.status, 200, "{name}: {value}");
    }
}

#[tokio::test]
async fn nothing_that_a_client_says_of_itself_reaches_the_platform() {
    let world = World::new().await;
    let key = world.key(json!({})).await;
    let forged = [
        ("authorization", &*bearer(&key)),
        ("x-keybell-workspace-id", "ws_somebody_elses"),
        ("X-Keybell-Scopes", "everything"),
        ("x-keybell-anything", "1"),
    ];
    assert_eq!(both(&world, Needs::default(), &forged).await.body["forged"], json!([]));
}

#[tokio::test]
async fn a_request_without_a_key_is_told_how_to_send_one() {
    let world = World::new().await;
    let answer = both(&world, Needs::scope("reports:read"), &[("x-request-id", "req_1")]).await;
    assert_eq!((answer.status, answer.header("x-keybell-code")), (401, "missing_credential"));
    let told: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(told, ["Bearer realm=\"keybell\"", "Basic realm=\"keybell\""]);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.body["request_id"], "req_1");
    assert_eq!(answer.body["type"], "https://keybell.test/problems/missing_credential");
}

#[tokio::test]
async fn each_refusal_has_its_own_status_and_challenge() {
    let world = World::new().await;
    let plain = world.key(json!({ "scopes": ["reports:read"] })).await;
    let revoked = world.key(json!({})).await;
    world.revoke(&revoked).await;
    let revoked = bearer(&revoked);
    let confined = bearer(&world.key(json!({ "allowed_networks": ["203.0.113.0/24"] })).await);
    let expiring = bearer(&world.key(json!({ "expires_at": "2026-11-23T12:00:01Z" })).await);
    world.keybell.clock.advance(Duration::from_secs(1));
    let (plain, other) = (bearer(&plain), "kb_live_000000000000_000000000000000000000000000000002hNBTQ");
    let unknown = format!("Bearer {other}");
    let mut told = Vec::new();
    for (needs, headers) in [
        (Needs::default(), vec![("authorization", "Bearer")]),
        (Needs::default(), vec![("authorization", &*plain), ("x-api-key", other)]),
        (Needs::default(), vec![("authorization", &*unknown)]),
        (Needs::default(), vec![("authorization", &*revoked)]),
        (Needs::default(), vec![("authorization", &*expiring)]),
        (Needs::default(), vec![("authorization", &*confined)]),
        (Needs::default().in_environment(Environment::Test), vec![("authorization", &*plain)]),
        (Needs::scope("reports:read").and_scope("reports:write"), vec![("authorization", &*plain)]),
    ] {
        let answer = both(&world, needs, &headers).await;
        assert_eq!(answer.body["code"], answer.header("x-keybell-code"));
        let challenge = answer.header("www-authenticate");
        told.push(
            format!("{} {}: {challenge}", answer.status, answer.header("x-keybell-code"))
                .trim_end()
                .to_owned(),
        );
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    400 invalid_authorization: Bearer realm="keybell", error="invalid_request", error_description="The Authorization header could not be read"
    400 conflicting_credentials: Bearer realm="keybell", error="invalid_request", error_description="Two different credentials in one request"
    401 invalid_key: Bearer realm="keybell", error="invalid_token", error_description="The key is not valid"
    401 key_revoked: Bearer realm="keybell", error="invalid_token", error_description="The key was revoked"
    401 key_expired: Bearer realm="keybell", error="invalid_token", error_description="The key has expired"
    403 source_not_allowed:
    403 wrong_environment:
    403 insufficient_scope: Bearer realm="keybell", error="insufficient_scope", error_description="The key lacks a scope", scope="reports:read reports:write"
    "#);
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_the_very_next_request() {
    let world = World::new().await;
    let key = world.key(json!({})).await;
    assert_eq!(with(&world.remote, Needs::default(), &key).await.status, 200);
    world.revoke(&key).await;
    let answer = with(&world.remote, Needs::default(), &key).await;
    assert_eq!((answer.status, answer.header("x-keybell-code")), (401, "key_revoked"));
}

#[tokio::test]
async fn a_key_that_is_confined_to_networks_is_let_through_where_the_source_is_told() {
    let world = World::new().await;
    let key = world.key(json!({ "allowed_networks": ["203.0.113.0/24"] })).await;
    for (source, status) in [("203.0.113.9", 200), ("::ffff:203.0.113.9", 200), ("198.51.100.7", 403)] {
        let layer = require(world.remote.clone(), Needs::default())
            .source_by(move |_| Some(source.parse().expect("an address")));
        let answer = call(layer, &[("authorization", &bearer(&key))]).await;
        assert_eq!(answer.status, status, "{source}");
    }
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            encoded.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    encoded
}
