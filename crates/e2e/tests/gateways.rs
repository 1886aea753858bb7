//! A gateway before the platform's API, configured as the README says: a good key gets through with its workspace's name,
//! a bad one does not.

use std::path::Path;
use std::process::{Command, Stdio};

use keybell_e2e::api::Api;
use keybell_e2e::readme;
use keybell_testkit::installation::{Installation, Profile, free_address};
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};
use tempfile::TempDir;

/// nginx with the README's locations, in a folder of its own. Ends when dropped.
struct Nginx {
    folder: TempDir,
    address: std::net::SocketAddr,
}

impl Nginx {
    fn start(keybell: &Installation, platform: &Receiver) -> Nginx {
        let folder = TempDir::with_prefix("keybell-nginx-").expect("a throw-away folder can be made");
        let address = free_address().expect("there is a free port");
        let locations = readme::block("nginx")
            .replace("127.0.0.1:8080", &keybell.address().to_string())
            .replace("http://platform", &platform.url(""));
        let text = format!(
            "user root;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\nhttp {{\n  access_log off;\n  \
             client_body_temp_path body;\n  proxy_temp_path proxy;\n  fastcgi_temp_path fastcgi;\n  uwsgi_temp_path uwsgi;\n  \
             scgi_temp_path scgi;\n  server {{\n    listen {address};\n{locations}\n  }}\n}}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), text).expect("a configuration can be written");
        let nginx = Nginx { folder, address };
        // It goes to the background once it listens, so that nothing has to be waited for.
        let status = nginx.run(&[]).expect("nginx is needed for this test; `cargo xtask setup` installs it");
        let log = std::fs::read_to_string(nginx.folder.path().join("error.log")).unwrap_or_default();
        assert!(status.success(), "nginx does not take the README's configuration: {log}");
        nginx
    }

    fn run(&self, arguments: &[&str]) -> std::io::Result<std::process::ExitStatus> {
        // Debian keeps it where only root's PATH leads.
        let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let folder = format!("{}/", self.folder.path().display());
        let ours = ["-p", &folder, "-c", "nginx.conf", "-e", "error.log"];
        Command::new(program).args(ours).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).status()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Reads the process from its own folder, so it ends this nginx and no other.
        let _ = self.run(&["-s", "stop"]);
    }
}

#[test]
fn nginx_lets_good_keys_through_as_the_readme_says() {
    let mut keybell = Installation::prepare(Profile::Debug, None, "").expect("keybell can be built");
    let operator = keybell.operator_key("platform").expect("an operator key can be made");
    keybell.serve().expect("keybell starts");
    let api = Api::new(keybell.address(), &operator);
    api.must("POST", "/v1/workspaces", &json!({"name": "Acme", "external_id": "acme"}));
    api.must("POST", "/v1/scopes", &json!({"name": "reports:read", "description": "Read reports"}));
    let make = |scopes: Value| {
        let made =
            api.must("POST", "/v1/workspaces/acme/api-keys", &json!({"name": "Key", "scopes": scopes}));
        (made["id"].clone(), made["secret_key"].as_str().expect("it is shown once").to_owned())
    };
    let (id, good) = make(json!(["reports:read"]));
    let (_, without_scope) = make(json!([]));
    let platform = Receiver::start(|_| Reply::status(200).body("[]"));
    let nginx = Nginx::start(&keybell, &platform);
    let ask =
        |secret_key: &str| Api::new(nginx.address, secret_key).ask("GET", "/api/reports", &Value::Null).0;

    assert_eq!(ask(&good), 200);
    assert_eq!(platform.received()[0].header("x-workspace"), Some("acme"));
    assert_eq!(ask(&without_scope), 403);
    assert_eq!(ask("kb_live_000000000000_000000000000000000000000000000002hNBTQ"), 401);
    let path = format!("/v1/workspaces/acme/api-keys/{}/revoke", id.as_str().expect("a key has an id"));
    api.must("POST", &path, &Value::Null);
    assert_eq!(ask(&good), 401, "a revoked key gets through");
    assert_eq!(platform.received().len(), 1, "the platform saw a request that was refused");
}
