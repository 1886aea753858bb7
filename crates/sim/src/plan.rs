//! What a seed stands for: settings, bounds, how often what goes wrong. Each run leaves most of it out and exaggerates the
//! rest, so that together they come to more than an average run would.

use std::time::Duration;

use keybell_app::Settings;
use keybell_app::delivery::Bounds;

use crate::dice::Dice;

/// The longest `Retry-After` that a receiver asks for, in seconds.
pub(crate) const RETRY_AFTER_SECONDS_MAX: u64 = 120;

/// What one run is made of.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) bounds: Bounds,
    pub(crate) shards: usize,
    /// How often the process is killed, at most.
    pub(crate) crashes: u32,
    /// Within how many steps of its life.
    pub(crate) crash_within: u64,
    /// How much is done.
    pub(crate) actions: u32,
    /// The longest pause between two actions, in milliseconds.
    pub(crate) pause_max: u64,
    /// Webhooks at the start.
    pub(crate) webhooks: usize,
    pub(crate) disk: DiskPlan,
}

/// How the disk behaves.
#[derive(Debug)]
pub(crate) struct DiskPlan {
    /// The longest that a commit takes, in milliseconds.
    pub(crate) takes_max: u64,
    /// How many of a hundred turns the store is away.
    pub(crate) away_percent: u64,
    /// How many of a hundred commits nobody hears of.
    pub(crate) lost_percent: u64,
}

impl Plan {
    /// The plan that `dice` give.
    pub(crate) fn roll(dice: &Dice) -> Plan {
        let mut settings = Settings::at("https://keybell.test/".parse().expect("it is a URL"));
        "sim".clone_into(&mut settings.node);
        let delivery = &mut settings.delivery;
        delivery.require_https = false;
        delivery.allowed_networks = vec!["10.0.0.0/8".parse().expect("it is a network")];
        delivery.timeout = Duration::from_secs(dice.from(1, 15));
        delivery.connect_timeout = delivery.timeout.min(Duration::from_secs(5));
        delivery.retry_schedule =
            (0..dice.from(0, 5)).map(|_| Duration::from_secs(dice.from(1, 40))).collect();
        delivery.retry_jitter_percent = if dice.percent(50) { 10 } else { 50 };
        delivery.max_in_flight = dice.count(1, 24);
        delivery.max_in_flight_per_webhook = dice.count(1, 8);
        if dice.percent(10) {
            settings.retention.events = Duration::from_secs(dice.from(60, 600));
            settings.retention.attempts = settings.retention.events;
        }
        let per_webhook = dice.count(1, 12);
        let bounds = Bounds {
            deliveries: dice.count(per_webhook, 40),
            bytes: if dice.percent(30) { dice.count(1_000, 4_000) } else { 1_000_000 },
            per_webhook,
            per_webhook_min: dice.count(1, per_webhook),
            claim_rows: dice.count(1, 20),
        };
        let away = dice.percent(20);
        Plan {
            settings,
            bounds,
            shards: dice.count(1, 3),
            crashes: if dice.percent(75) { u32::try_from(dice.from(1, 3)).unwrap_or(1) } else { 0 },
            crash_within: *dice.one_of(&[40, 150, 400]),
            actions: u32::try_from(dice.from(10, 40)).unwrap_or(10),
            pause_max: *dice.one_of(&[1, 100, 2_000, 8_000]),
            webhooks: dice.count(1, 4),
            disk: DiskPlan {
                takes_max: *dice.one_of(&[0, 2, 20, 400]),
                away_percent: if away { dice.from(1, 10) } else { 0 },
                lost_percent: if away && dice.percent(50) { 4 } else { 0 },
            },
        }
    }
}
