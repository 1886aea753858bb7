//! The harness itself, on a page that has one of each: were it blind, every other browser test would prove nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use keybell_e2e::browser::{Browser, Look};
use keybell_e2e::role::Role;

const PAGE: &str = "<!doctype html><html lang=en><title>A page</title>\
    <meta name=viewport content='width=device-width'><main><h1>A page</h1>\
    <form><label>Name <input name=name></label> <button>Save</button></form>\
    <table><caption>Keys</caption><tr><th scope=col>Key</th></tr><tr><td>One <a href=/other>Edit One</a></td></tr></table>\
    <p id=said>Scripts are off</p></main><script>document.getElementById('said').textContent = 'Scripts are on'</script>";

/// Serves `page` with `headers` to whoever asks, until the test ends; its URL.
fn serve(page: &'static str, headers: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // One read holds a browser's whole request here, and a lost connection is the browser's to report.
            let _ = stream.read(&mut [0; 8192]);
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n{headers}");
            let _ = write!(stream, "{head}content-length: {}\r\n\r\n{page}", page.len());
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn things_are_found_by_role_and_name() {
    let browser = Browser::open(&serve(PAGE, ""), Look::default()).await;
    browser.go("/").await;
    browser.sees("Scripts are on").await;
    browser.fill("Name", "A key").await;
    assert_eq!(browser.value("Name").await, "A key");
    browser.row("One").await;
    browser.click(Role::Link, "Edit One").await;
    browser.arrives("/other").await;
    assert!(!browser.has(Role::Button, "Delete").await);
    browser.check().await;
    browser.close().await;
}

#[tokio::test]
async fn scripts_can_be_off_and_windows_narrow() {
    let narrow = Look { scripts: false, width: 320, dark: true, ..Look::default() };
    let browser = Browser::open(&serve(PAGE, ""), narrow).await;
    browser.go("/").await;
    browser.sees("Scripts are off").await;
    browser.fill("Name", "A key").await;
    browser.click(Role::Button, "Save").await;
    browser.arrives("/?name=A+key").await;
    browser.check().await;
    browser.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_page_is_found() {
    let page =
        "<!doctype html><title>A page</title><style>p { width: 3000px }</style><p>Text<img src=/a.png>";
    let browser =
        Browser::open(&serve(page, "content-security-policy: style-src 'none'\r\n"), Look::default()).await;
    browser.go("/").await;
    let found = browser.accessibility().await;
    assert!(found.iter().any(|line| line.starts_with("image-alt")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("html-has-lang")), "{found:?}");
    let said = browser.console().await;
    assert!(said.iter().any(|line| line.contains("Content Security Policy")), "{said:?}");
    browser.close().await;
}
