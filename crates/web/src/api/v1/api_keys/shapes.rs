//! A key as the API shows it.

use keybell_app::App;
use keybell_app::keys::IssuedKey;
use keybell_core::Timestamp;
use keybell_core::key::{self, Environment, KeyStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::api::v1::shapes::{At, Doer};

/// Which half of the platform a key opens.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Environment)]
pub(in crate::api::v1) enum EnvironmentWord {
    #[default]
    Live,
    Test,
}

impl From<EnvironmentWord> for Environment {
    fn from(word: EnvironmentWord) -> Self {
        match word {
            EnvironmentWord::Live => Environment::Live,
            EnvironmentWord::Test => Environment::Test,
        }
    }
}

impl From<Environment> for EnvironmentWord {
    fn from(environment: Environment) -> Self {
        match environment {
            Environment::Live => EnvironmentWord::Live,
            Environment::Test => EnvironmentWord::Test,
        }
    }
}

/// The state of a key: the first that applies of revoked, disabled, expired.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ApiKeyStatus)]
pub(super) enum StatusWord {
    Active,
    Disabled,
    Expired,
    Revoked,
}

impl From<KeyStatus> for StatusWord {
    fn from(status: KeyStatus) -> Self {
        match status {
            KeyStatus::Active => StatusWord::Active,
            KeyStatus::Disabled => StatusWord::Disabled,
            KeyStatus::Expired => StatusWord::Expired,
            KeyStatus::Revoked => StatusWord::Revoked,
        }
    }
}

/// How often a key may be used: so often at once, and then it comes back evenly over the window. Several with different names
/// apply together. One named `reads` counts requests that read, one named `writes` those that write.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimit {
    /// Its name in headers and answers.
    #[schema(example = "per_minute", min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9_-]+$")]
    name: String,
    /// How often.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    limit: u64,
    /// In how many seconds.
    #[schema(minimum = 1, maximum = 86_400)]
    window_seconds: u64,
}

impl From<RateLimit> for key::RateLimit {
    fn from(RateLimit { name, limit, window_seconds }: RateLimit) -> Self {
        key::RateLimit { name, limit, window_seconds }
    }
}

impl From<key::RateLimit> for RateLimit {
    fn from(key::RateLimit { name, limit, window_seconds }: key::RateLimit) -> Self {
        RateLimit { name, limit, window_seconds }
    }
}

/// An API key, without its secret.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiKey {
    /// The public identifier: safe in logs and pages.
    #[schema(example = "kb_live_7Hq2mZxK9TbW")]
    id: String,
    name: String,
    description: String,
    environment: EnvironmentWord,
    status: StatusWord,
    enabled: bool,
    scopes: Vec<String>,
    /// From when on it is no longer good; null is never.
    #[schema(required)]
    expires_at: Option<At>,
    /// From where it may be used; everywhere where there is none.
    allowed_networks: Vec<String>,
    rate_limits: Vec<RateLimit>,
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    created_at: At,
    created_by: Doer,
    updated_at: At,
    #[schema(required)]
    last_used_at: Option<At>,
    #[schema(required)]
    last_used_from: Option<String>,
    #[schema(required)]
    revoked_at: Option<At>,
    #[schema(required)]
    revoked_by: Option<Doer>,
    #[schema(required)]
    previous_secret: Option<PreviousSecret>,
}

/// The secret before the last rotation.
#[derive(Serialize, ToSchema)]
struct PreviousSecret {
    /// Until when it is good.
    expires_at: At,
    #[schema(required)]
    last_used_at: Option<At>,
}

/// An API key with its secret, which is shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeyWithSecret {
    #[serde(flatten)]
    key: ApiKey,
    /// The whole secret key, in this answer and nowhere else. A replayed answer does not have it.
    #[schema(example = "kb_live_7Hq2mZxK9TbW_N4vYc8RkQ1sXe6LpJ0aUwG3hDf5BtMzC4L998h", required = false)]
    secret_key: String,
}

impl ApiKey {
    pub(super) fn shown(key: key::ApiKey, app: &App) -> ApiKey {
        let at = |at: Option<Timestamp>| at.map(At::from);
        ApiKey {
            id: key.public_identifier(app.brand()).to_string(),
            environment: key.environment.into(),
            status: key.status(app.now()).into(),
            name: key.name,
            description: key.description,
            enabled: key.enabled,
            scopes: key.scopes,
            expires_at: at(key.expires_at),
            allowed_networks: key.allowed_networks.iter().map(ToString::to_string).collect(),
            rate_limits: key.rate_limits.into_iter().map(RateLimit::from).collect(),
            metadata: key.metadata,
            created_at: key.created_at.into(),
            created_by: key.created_by.into(),
            updated_at: key.updated_at.into(),
            last_used_at: at(key.last_used_at),
            last_used_from: key.last_used_from,
            revoked_at: at(key.revoked_at),
            revoked_by: key.revoked_by.map(Doer::from),
            previous_secret: key.previous_secret.map(|previous| PreviousSecret {
                expires_at: previous.expires_at.into(),
                last_used_at: at(previous.last_used_at),
            }),
        }
    }
}

impl ApiKeyWithSecret {
    pub(super) fn shown(issued: IssuedKey, app: &App) -> ApiKeyWithSecret {
        let secret_key = issued.secret_key.reveal().to_owned();
        ApiKeyWithSecret { key: ApiKey::shown(issued.key, app), secret_key }
    }
}
