//! What an operator can set, as the use cases need it. The binary reads it from file and environment.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use keybell_core::delivery::RetryPolicy;
use keybell_core::key::RateLimit;
use keybell_core::target::TargetPolicy;
use url::Url;

use crate::delivery::roots::Root;

/// The settings of an installation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where browsers and clients reach this installation; no slash at the end of its path.
    pub public_url: Url,
    /// What the pages call the platform.
    pub brand_name: String,
    /// The first word of every key, already checked.
    pub key_prefix: String,
    /// The name of this node in leases; the same after a restart.
    pub node: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How events are delivered.
    pub delivery: DeliverySettings,
    /// How often keys may be used that have no limit of the same name.
    pub rate_limits: Vec<RateLimit>,
    /// Refuse secret keys that gateways ask about and that browsers sent.
    pub refuse_browsers: bool,
    /// How much of everything.
    pub limits: LimitSettings,
    /// How long things are kept.
    pub retention: RetentionSettings,
    /// Whether publishing an unknown event type declares it.
    pub event_types_on_the_fly: bool,
    /// Where the server listens, once it does.
    pub listen: SocketAddr,
}

impl Settings {
    /// The documented defaults, for an installation that is reached at `public_url`. The binary's `default.toml` says the
    /// same; a test compares the two.
    pub fn at(public_url: Url) -> Settings {
        Settings {
            public_url,
            brand_name: "Keybell".to_owned(),
            key_prefix: "kb".to_owned(),
            node: "node".to_owned(),
            trusted_proxies: Vec::new(),
            delivery: DeliverySettings::default(),
            rate_limits: Vec::new(),
            refuse_browsers: false,
            limits: LimitSettings::default(),
            retention: RetentionSettings::default(),
            event_types_on_the_fly: false,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
        }
    }
}

/// How events are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverySettings {
    /// Refuse `http` URLs.
    pub require_https: bool,
    /// Networks that may be called though they are not public.
    pub allowed_networks: Vec<IpNet>,
    /// The only ports that may be called; empty: any but those of other services.
    pub allowed_ports: Vec<u16>,
    /// Root certificates that are trusted beside the system's.
    pub extra_roots: Vec<Root>,
    /// For the whole attempt.
    pub timeout: Duration,
    /// To resolve, connect and shake hands.
    pub connect_timeout: Duration,
    /// Waits between attempts; one attempt more than there are waits.
    pub retry_schedule: Vec<Duration>,
    /// By how many per cent, up or down, each wait is moved at random.
    pub retry_jitter_percent: u8,
    /// Requests under way at once, in all.
    pub max_in_flight: usize,
    /// Requests under way at once to one webhook.
    pub max_in_flight_per_webhook: usize,
    /// After how long of nothing but failures a webhook is disabled; `None` for never.
    pub disable_failing_after: Option<Duration>,
    /// The workspace where operator events about all webhooks are published too: its id, or the platform's own id for it.
    pub operator_workspace: Option<String>,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        let RetryPolicy { schedule, jitter_percent } = RetryPolicy::default();
        DeliverySettings {
            require_https: true,
            allowed_networks: Vec::new(),
            allowed_ports: Vec::new(),
            extra_roots: Vec::new(),
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            retry_schedule: schedule,
            retry_jitter_percent: jitter_percent,
            max_in_flight: 1_024,
            max_in_flight_per_webhook: 16,
            disable_failing_after: Some(Duration::from_hours(5 * 24)),
            operator_workspace: None,
        }
    }
}

impl DeliverySettings {
    /// Which targets may be called, by what is said of them here.
    pub(crate) fn target_policy(&self) -> TargetPolicy {
        TargetPolicy {
            require_https: self.require_https,
            allowed_networks: self.allowed_networks.clone(),
            allowed_ports: self.allowed_ports.clone(),
        }
    }
}

/// How much of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// API keys of a workspace, revoked ones included.
    pub api_keys_per_workspace: u32,
    /// Webhooks of a workspace.
    pub webhooks_per_workspace: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        LimitSettings { api_keys_per_workspace: 1_000, webhooks_per_workspace: 100 }
    }
}

/// How long things are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Events and their deliveries.
    pub events: Duration,
    /// Attempts, with their requests and answers.
    pub attempts: Duration,
    /// How keys were used, by minute.
    pub usage_minutes: Duration,
    /// The same by hour.
    pub usage_hours: Duration,
    /// The same by day.
    pub usage_days: Duration,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        let days = |days: u64| Duration::from_hours(24 * days);
        RetentionSettings {
            events: days(90),
            attempts: days(30),
            usage_minutes: days(2),
            usage_hours: days(90),
            usage_days: days(1_095),
        }
    }
}
