//! The cookie of a session, wherever it is set and taken away.

use std::collections::BTreeSet;

use keybell_app::settings::Settings;
use keybell_core::Role;
use keybell_testkit::app::{Answer, On, TestApp, settings};

use super::account;

/// The value of the cookie that is set, once the cookie is as it has to be.
#[track_caller]
fn value(answer: &Answer, is_https: bool, seconds: u32) -> String {
    let all: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    let [only] = all.as_slice() else { panic!("not one cookie: {all:?}") };
    let mut parts = only.to_str().expect("it is text").split("; ");
    let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a name and a value");
    assert_eq!(name, if is_https { "__Host-keybell" } else { "keybell" });
    let age = format!("Max-Age={seconds}");
    let mut expected = BTreeSet::from(["Path=/", "HttpOnly", "SameSite=Lax", age.as_str()]);
    expected.extend(is_https.then_some("Secure"));
    assert_eq!(parts.collect::<BTreeSet<_>>(), expected, "and no Domain");
    value.to_owned()
}

const KEPT_SECONDS: u32 = 400 * 86_400;

async fn signed_in_and_out(is_https: bool) {
    let url = if is_https { "https://keybell.test/" } else { "http://keybell.test/" };
    let settings = Settings { public_url: url.parse().expect("a URL"), ..settings() };
    let app = TestApp::start_with(On::Memory, settings).await;
    let set_up = app.app.setup_link_if_needed().await.expect("made").expect("nobody has an account");
    let owner = [
        ("workspace_name", "Evergreen"),
        ("name", "Ada"),
        ("email", "ada@example.com"),
        ("password", "correct horse battery"),
    ];
    let stranger = app.stranger().with("sec-fetch-site", "same-origin");
    let answer = stranger.post_form(&format!("/setup/{}", set_up.reveal()), &owner).await;
    let first = value(&answer, is_https, KEPT_SECONDS);
    let answer = stranger.post_form("/sign-in", &owner[2..]).await;
    let second = value(&answer, is_https, KEPT_SECONDS);
    let link = app.app.sign_in_link(account(&app, &first).await).await.expect("made");
    let answer = stranger.post_form(&format!("/sign-in/{}", link.reveal()), &[]).await;
    let third = value(&answer, is_https, KEPT_SECONDS);
    assert!(first.len() >= 32 && BTreeSet::from([&first, &second, &third]).len() == 3);

    assert_eq!(value(&app.session(&second).post_form("/sign-out", &[]).await, is_https, 0), "");
    assert_eq!(app.session(&second).get("/").await.header("location"), "/sign-in");
    assert_eq!(
        value(&app.session(&first).post_form("/account/sessions/end-all", &[]).await, is_https, 0),
        ""
    );
    assert_eq!(app.session(&third).get("/").await.header("location"), "/sign-in");
    for refused in [&[("email", "ada@example.com"), ("password", "wrong")][..], &[]] {
        assert_eq!(stranger.post_form("/sign-in", refused).await.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn over_https_the_cookie_is_the_hosts_alone() {
    signed_in_and_out(true).await;
}

#[tokio::test]
async fn over_plain_http_it_is_as_much_as_browsers_take() {
    signed_in_and_out(false).await;
}

#[tokio::test]
async fn the_cookie_of_the_other_scheme_opens_nothing() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    let token = app.member(&workspace, Role::Owner).await;
    let plain = app.stranger().with("cookie", &format!("keybell={token}"));
    assert_eq!(plain.get("/account/sessions").await.status, 303);
    plain.get("/v1/workspaces/current").await.refused(401, "missing_credential");
}
