//! Events, deliveries, attempts, their log, and retention.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::{DeliveryId, EventKey, WebhookId};
use keybell_store::ops::{
    attempts, deliveries, delivery_log, delivery_stats, events, health, resend, resends, retention, usage,
    waiting, webhook_health,
};

use super::dice::Dice;
use super::{Step, read, read_as, write, write_as};

pub(super) const STEPS: &[Step] = &[
    ("events.accept", accept),
    // Twice, because the other steps live on what it leaves.
    ("events.accept again", accept),
    ("events.read", |dice| {
        let name = if dice.once_in(2) {
            events::EventName::Key(event_key(dice))
        } else {
            events::EventName::Supplied(dice.text("supplied", 3))
        };
        read(events::ReadEvent { workspace: dice.workspace(), name })
    }),
    ("events.list", |dice| {
        read(events::ListEvents {
            workspace: dice.workspace(),
            below: dice.pick(&[event_key(dice), EventKey::from_bytes([0xff; 16])]),
            from: dice.pick(&[event_key(dice), EventKey::from_bytes([0; 16])]),
            event_type: dice.maybe(|dice| dice.text("type", 2)),
            rows: 1 + dice.small(5),
            looked_at_max: 1 + dice.small(5),
        })
    }),
    ("deliveries.claim", |dice| {
        let claim = if dice.once_in(2) {
            deliveries::Claim::Due
        } else {
            deliveries::Claim::OfWebhook { workspace: dice.workspace(), webhook: dice.webhook() }
        };
        let op = deliveries::ClaimDeliveries {
            claim,
            now: dice.at(),
            lease_until: dice.at(),
            leased_by: node(dice),
            rows: 1_000,
        };
        // What is due at the same instant has no order.
        write_as(op, |mut claimed| {
            claimed.deliveries.sort_by_key(|delivery| (delivery.workspace, delivery.id));
            format!("{claimed:?}")
        })
    }),
    ("deliveries.put_back", |dice| {
        let deliveries = vec![(dice.workspace(), delivery_id(dice))];
        write(deliveries::PutBack { deliveries, leased_by: node(dice) })
    }),
    ("deliveries.release_node", |dice| {
        write(deliveries::ReleaseNode { leased_by: node(dice), leases_end_by: dice.at() })
    }),
    ("deliveries.next_due", |_| read(deliveries::NextDue)),
    ("deliveries.waiting_webhooks", |dice| {
        let after = dice.maybe(|dice| deliveries::WaitingAt {
            workspace: dice.workspace(),
            webhook: dice.webhook(),
            due_at: dice.pick(&[deliveries::WAITING, deliveries::PARKED]),
        });
        read(deliveries::WaitingWebhooks { after, rows: 1 + dice.small(3) })
    }),
    ("deliveries.sweep", |dice| {
        write(deliveries::SweepWebhook {
            workspace: dice.workspace(),
            webhook: dice.webhook(),
            sweep: match dice.below(3) {
                0 => deliveries::Sweep::Park,
                1 => deliveries::Sweep::TakeUp { now: dice.at() },
                _ => deliveries::Sweep::Cancel { at: dice.at() },
            },
            after: dice.maybe(delivery_id),
            rows: 1 + dice.small(4),
        })
    }),
    ("attempts.record", |dice| {
        let outcomes = (0..=dice.below(3)).map(|place| outcome(dice, place)).collect();
        let health = dice.maybe(|dice| webhook_health::HealthChange {
            workspace: dice.workspace(),
            webhook: dice.webhook(),
            at: dice.at(),
            health: health_of(dice),
        });
        write(attempts::RecordAttempts {
            outcomes: Arc::new(outcomes),
            health: Arc::new(health.into_iter().collect()),
        })
    }),
    ("delivery_log.list", |dice| {
        read(delivery_log::ListDeliveries {
            workspace: dice.workspace(),
            below: dice.pick(&[delivery_id(dice), DeliveryId::from_bytes([0xff; 16])]),
            from: dice.pick(&[delivery_id(dice), DeliveryId::from_bytes([0; 16])]),
            webhook: dice.maybe(Dice::webhook),
            event: dice.maybe(event_key),
            event_type: dice.maybe(|dice| dice.text("type", 2)),
            status: dice.maybe(|dice| dice.pick(&["pending", "succeeded", "failed", "canceled"]).to_owned()),
            last_answer: dice.maybe(|dice| match dice.below(2) {
                0 => delivery_log::LastAnswer::Class(2),
                _ => delivery_log::LastAnswer::None,
            }),
            rows: 1 + dice.small(5),
            looked_at_max: 1 + dice.small(5),
        })
    }),
    ("delivery_log.read", |dice| {
        read(delivery_log::ReadDelivery { workspace: dice.workspace(), id: delivery_id(dice) })
    }),
    ("delivery_stats.add", |dice| {
        let minute = |dice: &Dice| delivery_stats::MinuteStats {
            workspace: dice.workspace(),
            at: dice.pick(&usage::Step::ALL).beginning(dice.at()),
            counts: (0..dice.small(3)).map(|_| (dice.webhook(), counts(dice))).collect(),
        };
        let minutes = (0..dice.small(3)).map(|_| minute(dice)).collect();
        write(delivery_stats::AddDeliveryStats { node: node(dice), minutes })
    }),
    ("delivery_stats.of_webhook", |dice| {
        read(delivery_stats::StatsOfWebhook { span: dice.span(), id: dice.webhook() })
    }),
    ("delivery_stats.of_webhooks", |dice| {
        read(delivery_stats::StatsOfWebhooks {
            span: dice.span(),
            ids: (0..dice.small(4)).map(|_| dice.webhook()).collect(),
        })
    }),
    ("delivery_stats.by_webhook", |dice| {
        let question = delivery_stats::StatsByWebhook { span: dice.span() };
        // Rows come in whatever order; what is made of them is the same.
        read_as(question, |stored| {
            let ids = (1..4).map(|number| {
                WebhookId::from_bytes([[0; 15].as_slice(), &[number]].concat().try_into().expect("16"))
            });
            format!("{:?}", stored.map(|stored| stored.of_webhooks(&ids.collect())))
        })
    }),
    ("delivery_stats.of_workspace", |dice| read(delivery_stats::StatsOfWorkspace { span: dice.span() })),
    ("resend.one", |dice| {
        write(resend::ResendDelivery {
            workspace: dice.workspace(),
            id: delivery_id(dice),
            now: dice.at(),
            only_made_by: dice.maybe(|dice| dice.by().id),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("delivery.resent"),
        })
    }),
    ("resends.count", |dice| {
        read(resends::CountMeant {
            meant: meant(dice),
            rows: 1 + dice.small(6),
            past_successes: dice.once_in(2),
        })
    }),
    ("resends.insert", |dice| {
        write(resends::InsertResend {
            id: dice.id(3),
            meant: meant(dice),
            resends_max: 2,
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("workspace.deliveries_resent"),
        })
    }),
    ("resends.next", |dice| {
        read(resends::NextResend { after: dice.maybe(|dice| (dice.workspace(), dice.id(3))) })
    }),
    ("resends.bite", |dice| {
        let resend = resends::StoredResend { id: dice.id(3), meant: meant(dice) };
        write(resends::ResendBite {
            from: resend.meant.after,
            resend,
            end: dice.maybe(delivery_id),
            now: dice.at(),
        })
    }),
    ("retention.workspaces", |dice| {
        read(retention::WorkspacesAfter { after: dice.maybe(Dice::workspace), rows: 1 + dice.small(3) })
    }),
    ("retention.strays", |dice| {
        read(retention::StrayWorkspaces {
            table: dice.pick(&retention::Large::ALL),
            after: dice.maybe(Dice::workspace),
            rows: 1 + dice.small(3),
        })
    }),
    ("retention.with_something_old", |dice| {
        read(retention::WithSomethingOld {
            after: dice.maybe(Dice::workspace),
            until: dice.workspace(),
            cutoffs: retention::Cutoffs {
                events: dice.at(),
                attempts: dice.at(),
                usage: [dice.at(), dice.at(), dice.at()],
            },
        })
    }),
    ("retention.delete_aged", |dice| {
        write(retention::DeleteAged {
            workspace: dice.workspace(),
            table: dice
                .pick(&[retention::Table::BY_AGE.as_slice(), &[retention::Table::AuditEntries]].concat()),
            before: dice.maybe(Dice::at),
            weight_max: 1 + dice.small(3),
        })
    }),
    ("retention.delete_answers", |dice| {
        write(retention::DeleteExpiredAnswers { now: dice.at(), weight_max: 1_000 })
    }),
    ("deliveries.waiting", |dice| read(waiting::DeliveriesWaiting { count_max: dice.pick(&[2, 1_000]) })),
    ("health.answers", |_| read(health::Answers)),
    ("health.writes_again", |_| write(health::WritesAgain)),
];

fn event_key(dice: &Dice) -> EventKey {
    dice.id(12)
}

fn delivery_id(dice: &Dice) -> DeliveryId {
    dice.id(24)
}

fn node(dice: &Dice) -> String {
    dice.pick(&["node-a", "node-b"]).to_owned()
}

fn accept(dice: &Dice) -> super::Ask {
    let calls = (0..=dice.below(2)).map(|call| {
        let events = (0..=dice.below(2)).map(|place| {
            // Keys and delivery ids of one batch differ, as those of the app do; those of two batches may meet.
            let number = u8::try_from(call * 2 + place).expect("four at most");
            let mut key = *event_key(dice).as_bytes();
            key[0] = number;
            let workspace = dice.workspace();
            let deliveries = (0..dice.below(3)).map(|webhook| {
                let mut id = *delivery_id(dice).as_bytes();
                (id[0], id[1]) = (number, u8::try_from(webhook).expect("three at most"));
                let mut to = [0; 16];
                to[15] = u8::try_from(webhook).expect("three at most") + 1;
                events::NewDelivery {
                    id: DeliveryId::from_bytes(if dice.once_in(2) {
                        id
                    } else {
                        *delivery_id(dice).as_bytes()
                    }),
                    webhook: keybell_core::WebhookId::from_bytes(to),
                    in_memory: dice.once_in(2),
                }
            });
            events::NewEvent {
                deliveries: deliveries.collect(),
                occurred_at_given: dice.once_in(2),
                record: Arc::new(events::EventRecord {
                    workspace,
                    key: EventKey::from_bytes(key),
                    supplied_id: dice.maybe(|dice| dice.text("supplied", 3)),
                    event_type: dice.text("type", 2),
                    occurred_at: dice.at(),
                    data: dice.pick(&[b"{}".as_slice(), b"[1]"]).to_vec(),
                }),
            }
        });
        events::NewCall { events: events.collect() }
    });
    write(events::AcceptEvents {
        calls: Arc::new(calls.collect()),
        now: dice.at(),
        lease_until: dice.at(),
        leased_by: node(dice),
    })
}

/// What an attempt said of a webhook. Times after which one is disabled are short, so that all of it comes about.
fn health_of(dice: &Dice) -> webhook_health::Health {
    let failure = webhook_health::Failure {
        delivery: delivery_id(dice),
        url: dice.text("https://example.com/", 2),
        error_code: dice.maybe(|_| "timeout".to_owned()),
        response_status: dice.maybe(|_| 503),
    };
    match dice.below(6) {
        0 => webhook_health::Health::Healthy,
        1 => webhook_health::Health::Gone { failure, disabling: Box::new(notice(dice)) },
        _ => webhook_health::Health::Failing {
            failure,
            disable_after: dice.pick(&[None, Some(Duration::ZERO), Some(Duration::from_mins(4))]),
            warning: Box::new(notice(dice)),
            disabling: Box::new(notice(dice)),
        },
    }
}

fn notice(dice: &Dice) -> webhook_health::Notice {
    let event = |dice: &Dice| {
        let delivery = |dice: &Dice| events::NewDelivery {
            id: DeliveryId::from_bytes(dice.bytes(16).try_into().expect("sixteen bytes")),
            webhook: dice.webhook(),
            in_memory: false,
        };
        webhook_health::NoticeEvent {
            workspace: dice.workspace(),
            key: EventKey::from_bytes(dice.bytes(16).try_into().expect("sixteen bytes")),
            deliveries: (0..dice.below(3)).map(|_| delivery(dice)).collect(),
        }
    };
    let events = (0..=dice.below(1)).map(|_| event(dice)).collect();
    webhook_health::Notice { audit: dice.fact("webhook.disabled").id, events }
}

fn counts(dice: &Dice) -> AttemptCounts {
    let mut counts = AttemptCounts::default();
    for _ in 0..dice.below(4) {
        counts.count(dice.once_in(2), dice.below(20_000_000));
    }
    counts
}

fn meant(dice: &Dice) -> resends::Meant {
    resends::Meant {
        workspace: dice.workspace(),
        webhook: dice.maybe(Dice::webhook),
        event: if dice.once_in(4) { Some(event_key(dice)) } else { None },
        event_type: if dice.once_in(4) { Some(dice.text("type", 2)) } else { None },
        status: dice.pick(&["succeeded", "failed", "canceled"]).to_owned(),
        last_answer: match dice.below(6) {
            0 => Some(delivery_log::LastAnswer::Class(2)),
            1 => Some(delivery_log::LastAnswer::None),
            _ => None,
        },
        only_made_by: if dice.once_in(4) { Some(dice.by().id) } else { None },
        // Mostly from the beginning to the end, as a request that was just made.
        after: if dice.once_in(4) { delivery_id(dice) } else { DeliveryId::from_bytes([0; 16]) },
        last: if dice.once_in(4) { delivery_id(dice) } else { DeliveryId::from_bytes([0xff; 16]) },
    }
}

/// The outcome of one attempt. Those of one call are of different deliveries, as the app's are.
fn outcome(dice: &Dice, place: u64) -> attempts::Outcome {
    let mut delivery = [0; 16];
    delivery[15] = u8::try_from(1 + place * 8 + dice.below(8)).expect("a small pool");
    attempts::Outcome {
        workspace: dice.workspace(),
        delivery: DeliveryId::from_bytes(delivery),
        webhook: dice.webhook(),
        event: event_key(dice),
        event_type: dice.text("type", 2),
        attempt: attempts::AttemptRecord {
            number: 1 + dice.small(3),
            trigger: dice.pick(&["first", "retry", "manual"]).to_owned(),
            started_at: dice.at(),
            duration_us: dice.small(1_000_000),
            dns_us: dice.maybe(|dice| dice.small(1_000)),
            connect_us: dice.maybe(|dice| dice.small(1_000)),
            tls_us: None,
            first_byte_us: dice.maybe(|dice| dice.small(1_000)),
            url: dice.text("https://example.com/", 3),
            content_type: "application/json".to_owned(),
            request_headers: "{}".to_owned(),
            response_status: dice.maybe(|dice| dice.pick(&[200, 204, 410, 503])),
            response_headers: dice.maybe(|_| "{}".to_owned()),
            response_body: dice.maybe(|dice| dice.bytes(6)),
            response_truncated: dice.once_in(2),
            error_code: dice.maybe(|_| "timeout".to_owned()),
            error: None,
        },
        after: if dice.once_in(2) {
            attempts::After::Finished { status: dice.pick(&["succeeded", "failed"]), at: dice.at() }
        } else {
            attempts::After::Retry { at: dice.at() }
        },
    }
}
