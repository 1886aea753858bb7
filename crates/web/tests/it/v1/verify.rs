//! `POST /v1/api-keys/verify`

use keybell_core::Role;
use keybell_testkit::app::{Client, TestApp};
use serde_json::{Value, json};

const PATH: &str = "/v1/api-keys/verify";

/// A key with these members, of the workspace that the platform calls `northwind`.
async fn key(app: &TestApp, mut body: Value) -> Value {
    body["name"] = json!("integration");
    app.operator().post("/v1/workspaces/northwind/api-keys", body).await.done(201)
}

async fn start() -> TestApp {
    let app = TestApp::start().await;
    app.operator()
        .post("/v1/workspaces", json!({ "name": "Northwind", "external_id": "northwind" }))
        .await
        .done(201);
    for name in ["reports:read", "reports:write"] {
        let scope = json!({ "name": name, "description": "Research reports" });
        app.operator().post("/v1/scopes", scope).await.done(201);
    }
    app
}

async fn code(client: &Client<'_>, question: Value) -> String {
    let verdict = client.post(PATH, question).await.done(200);
    let code = verdict["code"].as_str().expect("it has a code").to_owned();
    assert_eq!(verdict["valid"], code == "valid");
    assert_eq!(verdict.get("key").is_some(), code == "valid", "a key that is refused is not described");
    code
}

#[tokio::test]
async fn a_valid_key_is_described_and_the_answer_kept_by_no_cache() {
    let app = start().await;
    let key =
        key(&app, json!({ "scopes": ["reports:read"], "metadata": { "plan": "pro", "n": 1.50 } })).await;
    let answer = app.operator().post(PATH, json!({ "secret_key": key["secret_key"] })).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let workspace = app.operator().get("/v1/workspaces/northwind").await.done(200);
    assert_eq!(
        answer.done(200),
        json!({
            "valid": true,
            "code": "valid",
            "key": {
                "id": key["id"],
                "name": "integration",
                "workspace_id": workspace["id"],
                "workspace_external_id": "northwind",
                "environment": "live",
                "scopes": ["reports:read"],
                "metadata": { "plan": "pro", "n": 1.5 },
            },
            "rate_limits": [],
        })
    );
}

#[tokio::test]
async fn what_is_asked_of_the_key_decides() {
    let app = start().await;
    let secret =
        key(&app, json!({ "scopes": ["reports:read"], "allowed_networks": ["203.0.113.0/24"] })).await;
    let with = |mut question: Value| {
        question["secret_key"] = secret["secret_key"].clone();
        question
    };
    let inside = json!({ "source_address": "203.0.113.9" });
    let operator = app.operator();
    assert_eq!(code(&operator, with(inside)).await, "valid");
    assert_eq!(code(&operator, with(json!({ "source_address": "::ffff:203.0.113.9" }))).await, "valid");
    assert_eq!(
        code(&operator, with(json!({ "source_address": "198.51.100.7" }))).await,
        "source_not_allowed"
    );
    assert_eq!(code(&operator, with(json!({}))).await, "source_not_allowed");
    let asked = json!({ "source_address": "203.0.113.9", "environment": "test" });
    assert_eq!(code(&operator, with(asked)).await, "wrong_environment");
    let asked =
        json!({ "source_address": "203.0.113.9", "required_scopes": ["reports:read", "reports:write"] });
    assert_eq!(code(&operator, with(asked)).await, "insufficient_scope");
    let asked = json!({ "source_address": "203.0.113.9", "environment": "live", "required_scopes": ["reports:read"] });
    assert_eq!(code(&operator, with(asked)).await, "valid");
}

#[tokio::test]
async fn what_is_no_key_is_one_answer_whatever_is_wrong_with_it() {
    let app = start().await;
    let good = key(&app, json!({})).await;
    let good = good["secret_key"].as_str().expect("a new key shows its secret");
    let mut wrong_checksum = good.to_owned();
    wrong_checksum.pop();
    wrong_checksum.push(if good.ends_with('0') { '1' } else { '0' });
    for text in [
        "",
        "kb_live",
        &wrong_checksum,
        &format!("{good}0"),
        &"x".repeat(10_000),
        "kb_live_000000000000_000000000000000000000000000000002hNBTQ",
        "acme_live_7Hq2mZxK9TbW_N4vYc8RkQ1sXe6LpJ0aUwG3hDf5BtMzC4UsLE4",
    ] {
        assert_eq!(code(&app.operator(), json!({ "secret_key": text })).await, "invalid_key", "{text}");
    }
}

#[tokio::test]
async fn a_wrong_question_is_refused_by_its_member_and_repeats_no_secret() {
    let app = start().await;
    let many: Vec<String> = (0..65).map(|number| format!("s:{number}")).collect();
    for (question, field) in [
        (json!({}), "secret_key"),
        (json!({ "secret_key": 7 }), "secret_key"),
        (json!({ "secret_key": "kb_live_hush", "scopes": [] }), "scopes"),
        (json!({ "secret_key": "kb_live_hush", "required_scopes": ["A b"] }), "required_scopes[0]"),
        (json!({ "secret_key": "kb_live_hush", "required_scopes": many }), "required_scopes"),
        (json!({ "secret_key": "kb_live_hush", "environment": "prod" }), "environment"),
        (json!({ "secret_key": "kb_live_hush", "source_address": "localhost" }), "source_address"),
    ] {
        let problem = app.operator().post(PATH, question).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], field);
        assert!(!problem.to_string().contains("hush"), "{problem}");
    }
}

#[tokio::test]
async fn a_key_of_a_workspace_asks_about_its_own_keys_and_knows_no_others() {
    let app = start().await;
    let theirs = app.workspace("Southwind").await;
    let asker = app.api_key(&theirs, &["keybell:keys.read"]).await;
    let own = app.api_key(&theirs, &[]).await;
    let foreign = key(&app, json!({})).await;
    let client = app.bearer(&asker);
    assert_eq!(code(&client, json!({ "secret_key": own })).await, "valid");
    assert_eq!(code(&client, json!({ "secret_key": foreign["secret_key"] })).await, "invalid_key");
    let revoke =
        format!("/v1/workspaces/northwind/api-keys/{}/revoke", foreign["id"].as_str().expect("an id"));
    app.operator().post_empty(&revoke).await.done(200);
    assert_eq!(code(&client, json!({ "secret_key": foreign["secret_key"] })).await, "invalid_key");
    let problem = app.bearer(&own).post(PATH, json!({ "secret_key": asker })).await;
    problem.refused(403, "insufficient_scope");
    let session = app.member(&theirs, Role::Guest).await;
    assert_eq!(code(&app.session(&session), json!({ "secret_key": own })).await, "valid");
}

#[tokio::test]
async fn a_decision_is_never_repeated_from_memory() {
    let app = start().await;
    let made = key(&app, json!({})).await;
    let question = json!({ "secret_key": made["secret_key"] });
    let client = app.operator().with("idempotency-key", "same");
    assert_eq!(code(&client, question.clone()).await, "valid");
    let revoke = format!("/v1/workspaces/northwind/api-keys/{}/revoke", made["id"].as_str().expect("an id"));
    app.operator().post_empty(&revoke).await.done(200);
    assert_eq!(code(&client, question).await, "key_revoked");
}
