//! What only a real connection shows: answers that arrive though the request was too much.

use std::net::SocketAddr;
use std::sync::Arc;

use keybell_testkit::app::TestApp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serves the installation on loopback for as long as the test's runtime lives.
async fn served(app: &TestApp) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let router = keybell_web::site(app.app.clone()).into_router();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

fn head(key: &str, length: usize, more: &str) -> String {
    format!(
        "POST /v1/workspaces HTTP/1.1\r\nhost: keybell.test\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n"
    )
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("the answer is not cut off by a reset");
    String::from_utf8(answer).expect("it is text")
}

#[tokio::test]
async fn who_sends_too_much_reads_the_answer_and_not_a_reset() {
    let app = TestApp::start().await;
    let key = app.app.create_operator_key("sender").await.expect("there is room");
    let mut stream = TcpStream::connect(served(&app).await).await.expect("it listens");
    let body = vec![b' '; 3 * keybell_web::body::BODY_BYTES_MAX];
    stream.write_all(head(key.reveal(), body.len(), "").as_bytes()).await.expect("the head is taken");
    stream.write_all(&body).await.expect("the body is taken, though it is thrown away");
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("payload_too_large"), "{answer}");
}

#[tokio::test]
async fn who_asks_first_is_told_before_sending() {
    let app = TestApp::start().await;
    let key = app.app.create_operator_key("sender").await.expect("there is room");
    let mut stream = TcpStream::connect(served(&app).await).await.expect("it listens");
    let length = 3 * keybell_web::body::BODY_BYTES_MAX;
    let head = head(key.reveal(), length, "expect: 100-continue\r\n");
    stream.write_all(head.as_bytes()).await.expect("the head is taken");
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_the_server_serving() {
    let app = TestApp::start().await;
    let key = app.app.create_operator_key("sender").await.expect("there is room");
    let address = served(&app).await;
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(head(key.reveal(), 100, "").as_bytes()).await.expect("the head is taken");
    stream.write_all(b"{\"name\":").await.expect("a part of the body is taken");
    stream.shutdown().await.expect("the client can hang up");
    let _ = read_all(&mut stream).await;
    let mut stream = TcpStream::connect(address).await.expect("it still listens");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.expect("sent");
    assert!(read_all(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn figures_are_for_operators_beside_the_api_and_open_on_their_own_listener() {
    use keybell_web::{metrics_router, site_with_metrics};
    use tower::ServiceExt;
    let app = TestApp::start().await;
    let key = app.app.create_operator_key("prometheus").await.expect("there is room");
    let render: keybell_web::RenderMetrics = Arc::new(|| "keybell_up 1\n".to_owned());
    let ask = |key: Option<&str>| {
        let request = axum::http::Request::get("/metrics");
        let request = key.into_iter().fold(request, |request, key| request.header("x-api-key", key));
        request.body(axum::body::Body::empty()).expect("a request")
    };
    let beside = site_with_metrics(app.app.clone(), Arc::clone(&render));
    let refused = beside.clone().oneshot(ask(None)).await.expect("a router never fails");
    assert_eq!(refused.status(), 401);
    let told = beside.oneshot(ask(Some(key.reveal()))).await.expect("a router never fails");
    assert_eq!(told.status(), 200);
    assert!(told.headers()["content-type"].to_str().is_ok_and(|value| value.starts_with("text/plain")));
    let open = metrics_router(render).oneshot(ask(None)).await.expect("a router never fails");
    assert_eq!(open.status(), 200);
}
