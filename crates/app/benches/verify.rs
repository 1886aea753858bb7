//! What a check of a key costs in the process, without HTTP: `cargo bench -p keybell-app --bench verify`.
//!
//! Keys are checked in an order that the processor's cache cannot guess, on one thread.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keybell_app::keys::NewKey;
use keybell_app::settings::{DeliverySettings, LimitSettings, RetentionSettings, Settings};
use keybell_app::verify::Decision;
use keybell_app::workspaces::NewWorkspace;
use keybell_app::{App, Parts};
use keybell_core::grant::{ManageKeys, Origin};
use keybell_core::key::{Asked, Environment, SecretKey};
use keybell_core::seal::MasterKey;
use keybell_core::{Actor, Timestamp};
use keybell_store::Store;
use keybell_testkit::clock::FixedClock;
use keybell_testkit::random::SeededRandomness;

const KEYS: usize = 100_000;
const CHECKS: usize = 1_000_000;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let (app, keys) = runtime.block_on(filled());
    println!("{KEYS} keys in memory, {CHECKS} checks each, one thread");
    let scopes = ["keybell:events.publish".to_owned()];
    let asked = Asked { required_scopes: &scopes, ..Asked::default() };
    let unknown: Vec<String> = (0..1_000)
        .map(|_| revealed(&SecretKey::mint(app.brand(), Environment::Live.kind(), app.randomness())))
        .collect();
    let misspelt: Vec<String> = unknown.iter().map(|text| format!("{}x", &text[..text.len() - 1])).collect();
    measure("valid, all keys in turn", &app, &keys, &asked, true);
    measure("valid, 1,000 of them", &app, &keys[..1_000], &asked, true);
    measure("unknown", &app, &unknown, &asked, false);
    measure("wrong checksum", &app, &misspelt, &asked, false);
}

fn measure(what: &str, app: &App, keys: &[String], asked: &Asked<'_>, valid: bool) {
    let started = Instant::now();
    let mut at = 0;
    for _ in 0..CHECKS {
        // A step that shares no divisor with the count visits each of them.
        at = (at + 70_001) % keys.len();
        let decision = black_box(app.verify(black_box(&keys[at]), asked));
        assert_eq!(matches!(decision, Decision::Valid(_)), valid);
    }
    let nanos = started.elapsed().as_nanos() / CHECKS as u128;
    println!("{what:>24}: {nanos:>5} ns");
}

fn revealed(secret_key: &SecretKey) -> String {
    secret_key.reveal().to_owned()
}

async fn filled() -> (App, Vec<String>) {
    let parts = Parts {
        settings: settings(),
        store: Store::inline_in_memory(),
        clock: Arc::new(FixedClock(Timestamp::from_seconds(1_795_435_200))),
        randomness: Arc::new(SeededRandomness::new(1)),
        master_key: MasterKey::from_bytes([7; 32]),
    };
    let app = App::start(parts).await.expect("an installation starts on an empty database");
    let operator = Actor::Operator { key: "kb_op_000000000000".to_owned(), name: "bench".to_owned() };
    let mut keys = Vec::with_capacity(KEYS);
    while keys.len() < KEYS {
        let by = operator.grant_operator(&Origin::default()).expect("an operator may do everything");
        let new = NewWorkspace { name: "bench".to_owned(), external_id: None };
        let workspace = app.create_workspace(by, new).await.expect("a workspace can be made").id;
        // A hundred of each, since each insertion counts those that are there.
        for number in 0..100 {
            let new = NewKey {
                name: format!("key {number}"),
                description: String::new(),
                environment: Environment::Live,
                scopes: vec!["keybell:events.publish".to_owned(), "keybell:events.read".to_owned()],
                expires_at: None,
                allowed_networks: Vec::new(),
                rate_limits: Vec::new(),
                metadata: serde_json::Map::new(),
            };
            let grant = operator.grant::<ManageKeys>(workspace, &Origin::default()).expect("an operator may");
            keys.push(revealed(&app.create_key(grant, new).await.expect("there is room").secret_key));
        }
    }
    (app, keys)
}

fn settings() -> Settings {
    let day = Duration::from_hours(24);
    Settings {
        public_url: "https://keybell.test/".parse().expect("it is a URL"),
        brand_name: "Bench".to_owned(),
        key_prefix: "kb".to_owned(),
        node: "bench".to_owned(),
        trusted_proxies: Vec::new(),
        delivery: DeliverySettings {
            require_https: true,
            allowed_networks: Vec::new(),
            timeout: day,
            connect_timeout: day,
            retry_schedule: vec![day],
            retry_jitter_percent: 0,
            max_in_flight: 1,
            max_in_flight_per_webhook: 1,
        },
        limits: LimitSettings { api_keys_per_workspace: 100, webhooks_per_workspace: 1 },
        retention: RetentionSettings {
            events: day,
            attempts: day,
            usage_minutes: day,
            usage_hours: day,
            usage_days: day,
        },
        rate_limits: Vec::new(),
        refuse_browsers: false,
        event_types_on_the_fly: false,
        listen: "127.0.0.1:0".parse().expect("it is an address"),
    }
}
