//! What the demo tells its visitor: where to look, and what to try. The curl lines work as they stand.

use std::fmt;

/// Where to look, and what to try.
pub(super) struct Guide {
    pub(super) sign_in_url: String,
    pub(super) email: &'static str,
    pub(super) password: String,
    pub(super) keybell_url: String,
    pub(super) platform_url: String,
    pub(super) receiver_url: String,
    pub(super) secret_key: String,
}

impl fmt::Display for Guide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Guide { sign_in_url, email, password, keybell_url, platform_url, receiver_url, secret_key } =
            self;
        let key = format!("-H 'Authorization: Bearer {secret_key}'");
        let json = "-H 'Content-Type: application/json'";
        write!(
            f,
            "
Meridian, a platform for investment research, with Keybell beside it. All of it is on this machine, and gone after Ctrl-C.

  The Developer page, signed in as Ada, who owns the workspace Acme Research (the link works once):
    {sign_in_url}
    later: {keybell_url}/sign-in with {email} and {password}
  What the receiver of its webhook got:
    {receiver_url}/

  Call the platform's API with an API key of that workspace:
    curl -sS {platform_url}/v1/portfolios {key}
  Publish a research report. The platform tells Keybell, and Keybell the receiver:
    curl -sS -X POST {platform_url}/v1/research-reports {key} {json} -d '{REPORT}'
  Change what is in a portfolio:
    curl -sS -X PATCH {platform_url}/v1/portfolios/pf_acme_1 {key} {json} -d '{HOLDINGS}'
  See the deliveries of the workspace, and its keys:
    curl -sS {keybell_url}/v1/workspaces/current/deliveries {key}
    curl -sS {keybell_url}/v1/workspaces/current/api-keys {key}

What happens, as it happens:"
        )
    }
}

const REPORT: &str =
    r#"{"symbol":"GOOG","title":"Search pays","rating":"buy","summary":"Advertisers follow the readers."}"#;
const HOLDINGS: &str = r#"{"holdings":[{"symbol":"AAPL","shares":300},{"symbol":"GOOG","shares":25}]}"#;
