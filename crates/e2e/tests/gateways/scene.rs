//! What the stories are told with: a Keybell whose platform stands behind a gateway, and the keys of the platform's clients.

use keybell_e2e::api::Api;
use keybell_testkit::installation::{Installation, Profile};
use keybell_testkit::receiver::{Received, Receiver, Reply};
use serde_json::{Value, json};

use crate::client::{self, Answer};
use crate::gateway::{Gateway, Running};

/// A path of the platform's API that the gateway protects.
pub(crate) const REPORTS: &str = "/api/reports";
/// A path that the platform itself refuses.
pub(crate) const FORBIDDEN: &str = "/api/forbidden";

/// A running installation with the workspace `acme`, the scope `reports:read`, and a platform behind the gateway.
pub(crate) struct Scene {
    pub(crate) keybell: Installation,
    pub(crate) operator: Api,
    pub(crate) platform: Receiver,
    gateway: Running,
}

/// A key of a workspace.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret_key: String,
}

impl Scene {
    pub(crate) fn begin(gateway: Gateway) -> Scene {
        let mut keybell = Installation::prepare(Profile::Debug, None, "").expect("keybell can be built");
        trust_the_gateway(&keybell);
        let secret_key = keybell.operator_key("platform").expect("an operator key can be made");
        keybell.serve().expect("keybell starts");
        let operator = Api::new(keybell.address(), &secret_key);
        operator.must("POST", "/v1/workspaces", &json!({"name": "Acme", "external_id": "acme"}));
        operator.must("POST", "/v1/scopes", &json!({"name": "reports:read", "description": "Read reports"}));
        let platform = Receiver::start(|request| match request.path.as_str() {
            FORBIDDEN => Reply::status(403).body("not this report"),
            _ => Reply::status(200).body("[]"),
        });
        let gateway = gateway.start(keybell.address(), &platform.url(""));
        Scene { keybell, operator, platform, gateway }
    }

    /// A key of `acme` that may read reports, with `fields` besides or instead.
    pub(crate) fn key(&self, fields: &Value) -> Key {
        self.key_of("acme", fields)
    }

    /// The same of another workspace.
    pub(crate) fn key_of(&self, workspace: &str, fields: &Value) -> Key {
        let mut body = json!({"name": "Key", "scopes": ["reports:read"]});
        for (name, value) in fields.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let made = self.operator.must("POST", &format!("/v1/workspaces/{workspace}/api-keys"), &body);
        let text = |field: &str| made[field].as_str().expect("a new key has an id and a secret").to_owned();
        Key { id: text("id"), secret_key: text("secret_key") }
    }

    /// What the gateway answers to a request with `headers`, and with `secret_key` if there is one.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        secret_key: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let bearer = format!("Bearer {secret_key}");
        let mut all = headers.to_vec();
        if !secret_key.is_empty() {
            all.push(("authorization", &bearer));
        }
        client::send(self.gateway.address, method, path, &all, "")
    }

    /// Reads reports with `key` and nothing else.
    pub(crate) fn read(&self, key: &Key) -> Answer {
        self.send("GET", REPORTS, &key.secret_key, &[])
    }

    /// Posts `body` to `path` with `key`.
    pub(crate) fn post(&self, path: &str, key: &Key, body: &str) -> Answer {
        client::send(self.gateway.address, "POST", path, &[("x-api-key", &key.secret_key)], body)
    }

    /// The request that the platform saw last.
    pub(crate) fn last_seen(&self) -> Received {
        self.platform.received().pop().expect("the platform has seen a request")
    }

    /// The methods of the requests that the platform has seen.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.platform.received().into_iter().map(|request| request.method).collect()
    }
}

/// The gateway connects from loopback. The section is the installation's own, so the line is put into it.
fn trust_the_gateway(keybell: &Installation) {
    let file = keybell.folder().join("keybell.toml");
    let text = std::fs::read_to_string(&file).expect("the installation has a configuration");
    let text = text.replacen("[server]\n", "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n", 1);
    std::fs::write(&file, text).expect("the configuration can be written");
}
