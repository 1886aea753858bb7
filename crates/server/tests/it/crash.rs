//! Accepted is kept: `kill -9` in the middle of 5,000 events, a new start, and all of them arrive.

use std::collections::HashSet;

use keybell_demo::keybell::Keybell;
use keybell_testkit::postgres::TestPostgres;
use serde_json::json;

use crate::receiver::Receiver;
use crate::support::installation;

const EVENTS: usize = 5_000;
const BATCH: usize = 500;
/// The receiver answers so many at once and holds the others, so that the crash is in the middle for sure.
const HELD_FROM: usize = 1_500;

const SETTINGS: &str = "[delivery]\nrequire_https = false\nallowed_networks = [\"127.0.0.0/8\"]\n\
                        retry_schedule = [\"100ms\", \"1s\", \"1s\", \"1s\"]\nmax_in_flight_per_webhook = 32\n";

async fn nothing_accepted_is_lost(database: Option<&str>) {
    let mut installation = installation(database, SETTINGS);
    let key = installation.operator_key("platform").expect("a key");
    installation.serve().expect("it starts");
    let keybell = Keybell::new(installation.url(""), key);
    let receiver = Receiver::start(HELD_FROM).await;
    keybell
        .post("/v1/workspaces", &json!({ "external_id": "acme", "name": "Acme" }))
        .await
        .expect("a workspace");
    keybell.post("/v1/event-types", &json!({ "name": "order.placed" })).await.expect("an event type");
    let webhook = json!({ "name": "All", "url": receiver.url, "events": ["*"] });
    let webhook = keybell.post("/v1/workspaces/acme/webhooks", &webhook).await.expect("a webhook");
    receiver.trust(webhook.body["signing_secret"].as_str().expect("it is shown once"));

    let ids: Vec<String> = (0..EVENTS).map(|number| format!("order_{number}")).collect();
    for batch in ids.chunks(BATCH) {
        let event = |id: &String| json!({ "workspace": "acme", "type": "order.placed", "id": id, "data": { "id": id } });
        let events: Vec<_> = batch.iter().map(event).collect();
        let answer =
            keybell.post("/v1/events/batch", &json!({ "events": events })).await.expect("it accepts");
        assert_eq!(answer.status.as_u16(), 202, "{}", answer.body);
    }
    receiver.distinct(HELD_FROM).await;
    installation.kill();
    let before = receiver.came().0.len();
    assert!((HELD_FROM..EVENTS).contains(&before), "the crash was in the middle: {before}");

    receiver.release();
    installation.serve().expect("it starts again");
    receiver.distinct(EVENTS).await;
    let (came, refused) = receiver.came();
    assert_eq!(came.keys().collect::<HashSet<_>>(), ids.iter().collect::<HashSet<_>>());
    assert_eq!(refused, 0, "every signature was right");
    assert!(installation.stop().expect("it ends").success());
}

#[tokio::test]
async fn five_thousand_accepted_events_survive_kill_9_on_sqlite() {
    nothing_accepted_is_lost(None).await;
}

#[tokio::test]
async fn five_thousand_accepted_events_survive_kill_9_on_postgres() {
    let postgres = TestPostgres::start();
    nothing_accepted_is_lost(Some(&postgres.new_database())).await;
}
