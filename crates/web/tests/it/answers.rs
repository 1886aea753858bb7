//! What is true of every answer.

use axum::body::Body;
use axum::http::Method;
use keybell_core::Code;
use keybell_testkit::app::TestApp;

#[tokio::test]
async fn a_stranger_is_told_how_to_authenticate() {
    let app = TestApp::start().await;
    let answer = app.stranger().get("/v1/workspaces/current/audit-log").await;
    answer.refused(401, "missing_credential");
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"keybell\"");
    let answer =
        app.bearer("kb_op_000000000000_000000000000000000000000000000002hNBTQ").get("/metrics").await;
    answer.refused(404, "not_found");
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_repeated() {
    let app = TestApp::start().await;
    let wrong = "kb_live_000000000000_000000000000000000000000000000002hNBTQ";
    let answer = app.bearer(wrong).get("/v1/workspaces/current/audit-log").await;
    answer.refused(401, "invalid_key");
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer realm=\"keybell\", error=\"invalid_token\", error_description=\"The key is not valid\""
    );
    assert!(!answer.text().contains("000000000000"), "{}", answer.text());
}

#[tokio::test]
async fn two_different_keys_in_one_request_are_a_conflict() {
    let app = TestApp::start().await;
    let answer = app.operator().with("x-api-key", "another").get("/v1/workspaces").await;
    answer.refused(400, "conflicting_credentials");
}

#[tokio::test]
async fn an_incoming_request_id_is_taken_and_a_bad_one_replaced() {
    let app = TestApp::start().await;
    let given = app.stranger().with("x-request-id", "trace-1_A").get("/nowhere").await;
    assert_eq!(given.header("x-request-id"), "trace-1_A");
    assert_eq!(given.refused(404, "not_found")["request_id"], "trace-1_A");
    for bad in ["<script>", "a b", &"x".repeat(65)] {
        let answer = app.stranger().with("x-request-id", bad).get("/healthz").await;
        assert!(answer.header("x-request-id").starts_with("req_"), "{bad}");
    }
    let ids = [app.stranger().get("/healthz").await, app.stranger().get("/healthz").await];
    assert_ne!(ids[0].header("x-request-id"), ids[1].header("x-request-id"));
}

#[tokio::test]
async fn an_unknown_address_is_404_and_a_wrong_method_names_the_right_ones() {
    let app = TestApp::start().await;
    app.operator().get("/v1/workspace").await.refused(404, "not_found");
    let answer = app.operator().send(Method::DELETE, "/healthz", Body::empty()).await;
    answer.refused(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn the_process_lives_and_is_ready() {
    let app = TestApp::start().await;
    assert_eq!(app.stranger().get("/healthz").await.done(200)["status"], "ok");
    assert_eq!(app.stranger().get("/readyz").await.done(200)["status"], "ok");
}

#[tokio::test]
async fn every_problem_has_a_page_in_plain_words() {
    let app = TestApp::start().await;
    for code in Code::ALL {
        let page = app.stranger().get(&format!("/problems/{}", code.as_str())).await;
        assert_eq!(page.status, 200, "{code:?}");
        assert!(page.text().contains(code.title()), "{code:?}");
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    }
    assert!(app.stranger().get("/problems").await.text().contains("insufficient_scope"));
    app.stranger().get("/problems/nothing").await.refused(404, "not_found");
}

#[tokio::test]
async fn a_scanner_learns_to_recognise_our_keys() {
    let app = TestApp::start().await;
    let document = app.stranger().get("/.well-known/keybell/secret-scanning").await.done(200);
    assert_eq!(document["patterns"][0]["regex"], "kb_(?:live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}");
}

#[tokio::test]
async fn answers_of_the_api_are_kept_by_no_cache() {
    let app = TestApp::start().await;
    let answer = app.operator().get("/v1/workspaces").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}
