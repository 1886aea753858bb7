//! What stands before every request of a platform's API: whatever is sent, it opens only to a key that may pass, and it
//! never tells one.
//!
//! An input is lines. The first is a byte that says how it is asked (see [`Ask`]), then the method, and the query after a
//! space; each other line is a header, its name chosen by its first byte. Bytes of [`SECRETS_FROM`] and [`PAIRS_FROM`] in a
//! value stand for the secrets of [`KEYS`], which no mutation would find.

#![no_main]

mod ask;

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use keybell_core::Code;
use keybell_core::forwarded::client_address;
use keybell_core::key::RequestKind;
use keybell_testkit::app::{On, TestApp, settings};
use keybell_web::Site;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use ask::Ask;

/// The keys of the installation: their names here, and what the API is asked to make.
const KEYS: [(&str, &str); 4] = [
    ("open", r#"{ "scopes": ["reports:read", "reports:write"] }"#),
    ("limited", r#"{ "rate_limits": [{ "name": "reads", "limit": 2, "window_seconds": 1 }] }"#),
    ("disabled", r#"{ "scopes": ["reports:read"] }"#),
    ("confined", r#"{ "allowed_networks": ["203.0.113.0/24"], "scopes": ["reports:read"] }"#),
];
const LIMITED: usize = 1;
const DISABLED: usize = 2;
const CONFINED: usize = 3;
/// After the keys comes one of the installation's operator, which is for its own API and opens no gate.
const SECRETS: usize = KEYS.len() + 1;

/// What the limited key may do in a second of the installation's clock, which goes on by as much with each input.
const LIMIT: usize = 2;

/// Bytes that stand for a secret key, and for the base64 of the pair that `Basic` wants.
const SECRETS_FROM: u8 = 0x01;
const PAIRS_FROM: u8 = 0x0e;

const STORIES: &[&[u8]] = &[
    b"2GET scope=reports:read&environment=live\n0Bearer \x01",
    b"3POST scope=reports:write&gateway=nginx\n0Basic \x0e\n7req_1",
    b":GET\n1\x02\n3GET",
    b"2PUT method=GET\n0Bearer \x03",
    b"2GET scope=reports:read\n0Bearer secret-token:\x04\n2198.51.100.7, 203.0.113.9",
    b"0GET environment=test\n0Bearer \x01\n1\x01\n4https://example.com",
    b"2GET\n0Bearer \x05",
];

/// Inputs after which the installation is made anew, so that what it counts by the minute does not fill the memory.
const INPUTS_OF_ONE: u32 = 50_000;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, _seed: u32| {
    keybell_fuzz::mutate(data, size, max_size, STORIES)
});

fuzz_target!(|input: &[u8]| {
    thread_local! {
        static GATE: RefCell<Option<Gate>> = const { RefCell::new(None) };
    }
    let Some(ask) = Ask::read(input) else { return };
    GATE.with_borrow_mut(|gate| {
        gate.take_if(|gate| gate.inputs == INPUTS_OF_ONE);
        gate.get_or_insert_with(Gate::start).judge(&ask);
    });
});

/// An installation behind a gateway that comes from `192.0.2.0/24`. Browsers are refused.
struct Gate {
    runtime: Runtime,
    installation: TestApp,
    site: Site,
    routes: Router,
    /// In the order of [`KEYS`], and then the operator's.
    secrets: [String; SECRETS],
    identifiers: [String; KEYS.len()],
    inputs: u32,
}

impl Gate {
    fn start() -> Gate {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime without a network needs nothing");
        let mut settings = settings();
        settings.trusted_proxies = vec!["192.0.2.0/24".parse().expect("a network")];
        settings.refuse_browsers = true;
        let installation = runtime.block_on(TestApp::start_with(On::Memory, settings));
        let made = runtime.block_on(keys_of(&installation));
        let text = |of: usize, member: &str| made[of][member].as_str().expect("a key has it").to_owned();
        let operator = runtime.block_on(installation.app.create_operator_key("fuzz"));
        let operator = operator.expect("there is room for another operator key").reveal().to_owned();
        let site = keybell_web::site(installation.app.clone());
        Gate {
            runtime,
            routes: site.clone().into_router(),
            site,
            secrets: std::array::from_fn(|of| {
                if of < KEYS.len() { text(of, "secret_key") } else { operator.clone() }
            }),
            identifiers: std::array::from_fn(|of| text(of, "id")),
            installation,
            inputs: 0,
        }
    }

    fn judge(&mut self, ask: &Ask<'_>) {
        self.inputs += 1;
        self.installation.clock.advance(Duration::from_secs(1));
        let headers = self.headers_of(ask);
        let mut limited_passed = 0;
        for _ in 0..ask.times {
            let answer = self.send(ask, &headers);
            if answer.status == StatusCode::OK {
                let key = self.may_pass(ask, &headers, &answer);
                limited_passed += usize::from(key == LIMITED);
            } else {
                is_a_refusal(&answer);
            }
            if answer.status == StatusCode::TOO_MANY_REQUESTS || answer.told("x-keybell-status") == "429" {
                assert_eq!(limited_passed, LIMIT, "refused before the limit");
                assert!(answer.headers.contains_key(header::RETRY_AFTER));
            }
            has_a_status_for(ask, answer.status);
            self.tells_no_secret(ask, &headers, &answer);
        }
        let counted = !matches!(ask.kind(&headers), RequestKind::Preflight | RequestKind::Write);
        assert!(!counted || limited_passed <= LIMIT, "{limited_passed} passed");
    }

    fn headers_of(&self, ask: &Ask<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &ask.headers {
            if let Ok(value) = HeaderValue::from_bytes(&self.with_secrets(value)) {
                headers.append(name, value);
            }
        }
        headers
    }

    fn with_secrets(&self, value: &[u8]) -> Vec<u8> {
        let stands_for =
            |from: u8, byte: u8| byte.checked_sub(from).map(usize::from).filter(|of| *of < SECRETS);
        let mut whole = Vec::with_capacity(value.len() + 64);
        for byte in value {
            if let Some(of) = stands_for(SECRETS_FROM, *byte) {
                whole.extend_from_slice(self.secrets[of].as_bytes());
            } else if let Some(of) = stands_for(PAIRS_FROM, *byte) {
                let user = self.identifiers.get(of).map_or("", String::as_str);
                let secret = &self.secrets[of];
                // An operator key has no place for its identifier here; `Basic` takes the secret as user too.
                let pair = if user.is_empty() { format!("{secret}:") } else { format!("{user}:{secret}") };
                whole.extend_from_slice(STANDARD.encode(pair).as_bytes());
            } else {
                whole.push(*byte);
            }
        }
        whole
    }

    /// Asks, and is answered at once: everything that is needed is in memory, so that nothing ever waits.
    fn send(&self, ask: &Ask<'_>, headers: &HeaderMap) -> Answer {
        let _entered = self.runtime.enter();
        let mut request = Request::new(Body::empty());
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = ask.uri.clone();
        request.headers_mut().clone_from(headers);
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(ask.peer, 50_000)));
        let response = if ask.by_routes {
            self.routes.clone().oneshot(request).now_or_never()
        } else {
            self.site.clone().oneshot(request).now_or_never()
        };
        let (parts, body) = response.expect("it waits for nothing").expect("a site never fails").into_parts();
        let body = body.collect().now_or_never().expect("a body in memory waits for nothing");
        let body = body.expect("a body in memory can be read").to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The key that passed, and rightly: it is enabled, its secret was sent, and it is good for what is asked.
    fn may_pass(&self, ask: &Ask<'_>, headers: &HeaderMap, answer: &Answer) -> usize {
        assert!(answer.body.is_empty());
        let identifier = answer.told("x-keybell-key-id");
        let key = self.identifiers.iter().position(|each| each == identifier);
        let key = key.unwrap_or_else(|| panic!("{identifier} is no key"));
        assert!(was_sent(headers, &self.secrets[key]), "{} passed without its secret", KEYS[key].0);
        assert_ne!(key, DISABLED, "a disabled key passed");
        if key == CONFINED {
            assert!(is_in_its_network(ask, headers), "the confined key passed from anywhere");
        }
        let scopes: Vec<&str> = answer.told("x-keybell-scopes").split(' ').collect();
        let its: Value = serde_json::from_str(KEYS[key].1).expect("it is JSON");
        for (name, value) in form_urlencoded::parse(ask.query()) {
            match &*name {
                "scope" => {
                    let has = its["scopes"].as_array().is_some_and(|its| its.contains(&json!(value)));
                    assert!(has && scopes.contains(&&*value), "{} passed for {value}", KEYS[key].0);
                }
                "environment" => assert_eq!(value, "live"),
                "gateway" => assert_eq!(value, "nginx"),
                "method" => assert!(!value.is_empty()),
                _ => panic!("{name} is not known, and let somebody through"),
            }
        }
        assert!(
            !headers.contains_key("origin") && !headers.contains_key("sec-fetch-mode"),
            "a browser passed"
        );
        key
    }

    /// No secret is in the answer, but where the caller gave it as what answers repeat.
    fn tells_no_secret(&self, ask: &Ask<'_>, headers: &HeaderMap, answer: &Answer) {
        // The id of a request is repeated. Whoever sends a secret for an id is told what they sent.
        let id = headers.get("x-request-id").filter(|id| **id == *answer.told("x-request-id"));
        let asked: Vec<_> = form_urlencoded::parse(ask.query()).collect();
        for secret in &self.secrets {
            // The query is the gateway's own configuration. Names in it that are not known are repeated.
            let in_query = asked.iter().any(|(name, value)| name.contains(secret) || value.contains(secret));
            if in_query || id.is_some_and(|id| holds(id.as_bytes(), secret)) {
                continue;
            }
            assert!(!holds(&answer.body, secret), "the body tells a secret");
            for (name, value) in &answer.headers {
                assert!(!holds(value.as_bytes(), secret), "{name} tells a secret");
            }
        }
    }
}

async fn keys_of(installation: &TestApp) -> Vec<Value> {
    let operator = installation.operator();
    for name in ["reports:read", "reports:write"] {
        operator.post("/v1/scopes", json!({ "name": name, "description": "Reports" })).await.done(201);
    }
    let workspace = installation.workspace("Northwind").await;
    let path = format!("/v1/workspaces/{workspace}/api-keys");
    let mut made = Vec::new();
    for (name, what) in KEYS {
        let mut what: Value = serde_json::from_str(what).expect("it is JSON");
        what["name"] = json!(name);
        made.push(operator.post(&path, what).await.done(201));
    }
    let disabled = made[DISABLED]["id"].as_str().expect("a key has an id");
    operator.patch(&format!("{path}/{disabled}"), json!({ "enabled": false })).await.done(200);
    made
}

/// What was answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// The value of a header; empty where there is none.
    fn told(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("the header is text"))
    }
}

fn has_a_status_for(ask: &Ask<'_>, status: StatusCode) {
    let nginx = form_urlencoded::parse(ask.query()).any(|pair| pair == ("gateway".into(), "nginx".into()));
    let allowed: &[u16] = if nginx { &[200, 401, 403] } else { &[200, 400, 401, 403, 422, 429] };
    assert!(allowed.contains(&status.as_u16()), "{status}");
}

/// It says why, in a header and in a document, and who is not known is told how to make themselves known.
fn is_a_refusal(answer: &Answer) {
    let told = answer.told("x-keybell-code");
    let code = Code::ALL.iter().find(|code| code.as_str() == told);
    let code = code.unwrap_or_else(|| panic!("{told:?} is no code"));
    let true_status = match answer.told("x-keybell-status") {
        "" => answer.status.as_str(),
        said => said,
    };
    assert_eq!(code.status().to_string(), true_status);
    let challenged = answer.headers.contains_key(header::WWW_AUTHENTICATE);
    assert!(challenged || answer.status != StatusCode::UNAUTHORIZED, "401 without a challenge");
    assert_eq!(answer.told("content-type"), "application/problem+json");
    assert_eq!(answer.told("cache-control"), "no-store");
    // What answers `HEAD` has no body.
    if !answer.body.is_empty() {
        let document: Value = serde_json::from_slice(&answer.body).expect("a problem is JSON");
        assert_eq!(
            (&document["code"], &document["request_id"]),
            (&json!(told), &json!(answer.told("x-request-id")))
        );
    }
}

/// Whether one of the headers that present keys holds `secret`, in the open or in base64.
fn was_sent(headers: &HeaderMap, secret: &str) -> bool {
    let values = headers.get_all("authorization").iter().chain(headers.get_all("x-api-key"));
    values.map(HeaderValue::as_bytes).any(|value| {
        let encoded = value.rsplit(|byte| *byte == b' ').find(|part| !part.is_empty()).unwrap_or_default();
        let bare = encoded.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
        let decoded = STANDARD_NO_PAD.decode(&encoded[..bare]);
        holds(value, secret) || decoded.is_ok_and(|pair| holds(&pair, secret))
    })
}

fn holds(text: &[u8], secret: &str) -> bool {
    // libFuzzer watches every comparison of slices, at a price, and learns the secrets. So they are few.
    let mut like_it = text.windows(secret.len()).filter(|part| matches!(part, [b'k', b'b', b'_', ..]));
    like_it.any(|part| part == secret.as_bytes())
}

/// Whether the client is in `203.0.113.0/24`, as far as it is known.
fn is_in_its_network(ask: &Ask<'_>, headers: &HeaderMap) -> bool {
    let forwarded_for = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes);
    let trusted = ["192.0.2.0/24".parse().expect("a network")];
    match client_address(ask.peer, forwarded_for, &trusted) {
        IpAddr::V4(address) => address.octets()[..3] == [203, 0, 113],
        IpAddr::V6(_) => false,
    }
}
