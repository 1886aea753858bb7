//! What arrives: each content type, signed, as it was published.

use keybell_app::deliveries::{DeliveryStatus, LoggedHeader};
use keybell_app::webhooks::NewHeader;
use keybell_core::payload::ContentType;
use keybell_testkit::receiver::Receiver;

use super::{Desk, PATIENCE, desk};
use crate::house::{On, settings};

const DATA: &str = r#"{"title": "Q3 & <Q4>", "price": 1.50, "tags":["a","b"] }"#;

async fn arrives_signed_and_stands_in_the_log(on: On) {
    let desk = desk(on).await;
    let receiver = Receiver::ok();
    let hook = desk.hook(&receiver).await;
    let published = desk.publish(DATA).await;
    assert_eq!((published.deliveries, published.replayed), (1, false));

    let [request] = receiver.wait_for(1, PATIENCE).await.try_into().expect("one request");
    request.verify_whenever(&hook.secret).expect("the signature verifies");
    let body = String::from_utf8(request.body.to_vec()).expect("it is text");
    let at = desk.now();
    let expected = format!(
        r#"{{"id":"{}","type":"research_report.published","timestamp":"{at}","workspace_id":"{}","data":{DATA}}}"#,
        published.id, desk.workspace
    );
    assert_eq!(body, expected);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hook"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("webhook-id"), Some(published.id.as_str()));
    assert_eq!(request.header("webhook-timestamp"), Some(at.seconds().to_string().as_str()));
    assert!(request.header("user-agent").is_some_and(|name| name.starts_with("Keybell/")));
    assert_eq!(request.header("host"), Some(receiver.address().to_string().as_str()));

    let logged = desk.only().await;
    assert_eq!(logged.delivery.status, DeliveryStatus::Succeeded);
    assert_eq!(logged.delivery.event_id, published.id);
    assert_eq!((logged.delivery.attempts_made, logged.delivery.next_attempt_at), (1, None));
    let [attempt] = logged.attempts.as_slice() else { panic!("one attempt") };
    assert_eq!((attempt.number, attempt.trigger.as_str(), attempt.response_status), (1, "first", Some(204)));
    assert_eq!(attempt.request.body.as_deref(), Some(expected.as_str()));
    assert_eq!((attempt.error_code.as_deref(), attempt.error.as_deref()), (None, None));
    assert!(attempt.timings.connect.is_some() && attempt.timings.first_byte.is_some());
    assert_eq!(attempt.timings.dns, None, "an address needs no resolver");
}

#[tokio::test]
async fn an_event_arrives_signed_and_stands_in_the_log_in_memory() {
    arrives_signed_and_stands_in_the_log(On::Memory).await;
}

#[tokio::test]
async fn an_event_arrives_signed_and_stands_in_the_log_on_sqlite() {
    arrives_signed_and_stands_in_the_log(On::SqliteFile).await;
}

#[tokio::test]
async fn an_event_arrives_signed_and_stands_in_the_log_on_postgres() {
    arrives_signed_and_stands_in_the_log(On::Postgres).await;
}

#[tokio::test]
async fn each_content_type_arrives_as_its_own_and_is_shown_as_it_was_sent() {
    let desk = desk(On::Memory).await;
    let begins = [
        (
            ContentType::Xml,
            "application/xml; charset=utf-8",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<event><id>",
        ),
        (ContentType::Form, "application/x-www-form-urlencoded", "payload=%7B%22id%22"),
        (
            ContentType::CloudEvents,
            "application/cloudevents+json; charset=utf-8",
            "{\"specversion\":\"1.0\",\"id\":\"evt_",
        ),
    ];
    for (content_type, header, begin) in begins {
        let receiver = Receiver::ok();
        let hook = desk.hook_with(&receiver, |new| new.content_type = content_type).await;
        desk.publish(DATA).await;
        let [request] = receiver.wait_for(1, PATIENCE).await.try_into().expect("one request");
        request.verify_whenever(&hook.secret).expect("the signature verifies");
        assert_eq!(request.header("content-type"), Some(header));
        let body = String::from_utf8(request.body.to_vec()).expect("it is text");
        assert!(body.starts_with(begin), "{body}");
        if content_type == ContentType::CloudEvents {
            let source = format!("\"source\":\"https://keybell.test/v1/workspaces/{}\"", desk.workspace);
            assert!(body.contains(&source), "{body}");
        }
        desk.quiet().await;
        let filter = keybell_app::deliveries::DeliveryFilter { webhook: Some(hook.id), ..Default::default() };
        let [listed] = desk.deliveries_where(filter).await.try_into().expect("one delivery");
        assert_eq!(desk.detail(listed.id).await.attempts[0].request.body, Some(body));
        let delete = crate::workspaces::grant(&crate::workspaces::operator(), desk.workspace);
        desk.app().delete_webhook(delete, hook.id).await.expect("it can be deleted");
    }
}

#[tokio::test]
async fn custom_headers_are_sent_and_the_secret_ones_are_not_in_the_log() {
    let desk = desk(On::Memory).await;
    let receiver = Receiver::ok();
    let header = |name: &str, value: &str, secret| NewHeader {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        secret,
    };
    let headers = vec![
        header("Authorization", "Bearer hunter2", true),
        header("X-Team", "research", false),
        header("User-Agent", "Northwind", false),
    ];
    desk.hook_with(&receiver, |new| new.headers = headers).await;
    desk.publish("1").await;
    let [request] = receiver.wait_for(1, PATIENCE).await.try_into().expect("one request");
    assert_eq!(request.header("authorization"), Some("Bearer hunter2"));
    assert_eq!(
        (request.header("x-team"), request.header("user-agent")),
        (Some("research"), Some("Northwind"))
    );

    let logged = desk.only().await;
    assert!(!format!("{logged:?}").contains("hunter2"));
    let shown = &logged.attempts[0].request.headers;
    let secret = LoggedHeader { name: "authorization".to_owned(), value: None, secret: true };
    assert!(shown.contains(&secret), "{shown:?}");
    let open = LoggedHeader { name: "x-team".to_owned(), value: Some("research".to_owned()), secret: false };
    assert!(shown.contains(&open), "{shown:?}");
}

#[tokio::test]
async fn a_webhook_signs_with_the_secret_it_was_given() {
    let desk = Desk::start(On::Memory, settings()).await;
    let receiver = Receiver::ok();
    let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    desk.hook_with(&receiver, |new| new.signing_secret = Some(own.to_owned())).await;
    desk.publish("{}").await;
    let [request] = receiver.wait_for(1, PATIENCE).await.try_into().expect("one request");
    request.verify_whenever(own).expect("the webhook's own secret verifies");
    assert_eq!(request.header("webhook-signature").map(|value| value.split(' ').count()), Some(1));
}
