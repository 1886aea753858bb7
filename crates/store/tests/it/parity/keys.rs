//! API keys and operator keys.

use keybell_core::key::{ApiKey, Counts, Digest, Environment, KeyId, KeyStatus, Outcome};
use keybell_store::ops::{api_keys, operator_keys, retention, usage};

use super::dice::Dice;
use super::{Step, read, read_as, write, write_as};

pub(super) const STEPS: &[Step] = &[
    ("keys.insert", |dice| {
        let stored = api_keys::StoredKey { key: key(dice), current: digest(dice), previous: None };
        write_as(
            api_keys::InsertKey {
                stored,
                keys_max: 3,
                origin: dice.origin(),
                fact: dice.fact("api_key.created"),
            },
            |inserted| match inserted {
                api_keys::Inserted::Done => "done".to_owned(),
                api_keys::Inserted::IdTaken => "id taken".to_owned(),
                api_keys::Inserted::ImportedBefore => "imported before".to_owned(),
                api_keys::Inserted::Full => "full".to_owned(),
                api_keys::Inserted::NoWorkspace => "no workspace".to_owned(),
            },
        )
    }),
    ("keys.get", |dice| {
        read_as(api_keys::GetKey { workspace: dice.workspace(), id: key_id(dice) }, |found| {
            format!("{:?}", found.as_ref().map(show))
        })
    }),
    ("keys.list", |dice| {
        let statuses = [KeyStatus::Active, KeyStatus::Disabled, KeyStatus::Expired, KeyStatus::Revoked];
        read_as(
            api_keys::ListKeys {
                workspace: dice.workspace(),
                order: order(dice),
                environment: dice.maybe(environment),
                status: dice.maybe(|dice| dice.pick(&statuses)),
                now: dice.at(),
                text: dice.maybe(|dice| dice.pick(&["1", "ä", "KEY", "%", "_"]).to_owned()),
                id: dice.maybe(key_id),
                rows: 1 + dice.small(5),
            },
            |list| format!("{:?}", list.iter().map(show).collect::<Vec<_>>()),
        )
    }),
    ("keys.load", |dice| {
        let after = dice.maybe(|dice| (dice.workspace(), key_id(dice)));
        read_as(api_keys::LoadKeys { after, rows: 1 + dice.small(6) }, |list| {
            format!("{:?}", list.iter().map(show_loaded).collect::<Vec<_>>())
        })
    }),
    ("keys.count", |_| read_as(api_keys::CountKeys, |count| count.to_string())),
    ("keys.count_of_workspace", |dice| {
        read(api_keys::CountKeysOfWorkspace {
            workspace: dice.workspace(),
            now: dice.at(),
            rows: 1 + dice.small(5),
        })
    }),
    ("keys.import", |dice| {
        let workspace = dice.workspace();
        let keys = (0..dice.small(3)).map(|_| {
            let key = ApiKey { workspace, ..key(dice) };
            let stored = api_keys::StoredKey { key, current: digest(dice), previous: None };
            (stored, dice.fact("api_key.imported"))
        });
        let keys = distinct(keys.collect());
        write_as(api_keys::ImportKeys { keys, keys_max: 3, origin: dice.origin() }, |imported| {
            format!("{imported:?}")
        })
    }),
    ("keys.end_overlap", |dice| {
        write_as(
            api_keys::EndOverlap {
                workspace: dice.workspace(),
                id: key_id(dice),
                at: dice.at(),
                only_made_by: dice.maybe(|dice| dice.by().id),
                by: dice.by(),
                origin: dice.origin(),
                fact: dice.fact("api_key.overlap_ended"),
            },
            changed,
        )
    }),
    ("keys.revoke_many", |dice| {
        let one = |dice: &Dice| api_keys::KeyToRevoke {
            id: key_id(dice),
            read_at: dice.at(),
            fact: dice.fact("api_key.revoked"),
        };
        let keys = (0..dice.small(4)).map(|_| one(dice)).collect();
        write_as(
            api_keys::RevokeKeys {
                workspace: dice.workspace(),
                keys,
                at: dice.at(),
                only_made_by: dice.maybe(|dice| dice.by().id),
                by: dice.by(),
                origin: dice.origin(),
            },
            |revoked| format!("{:?}", revoked.iter().map(show).collect::<Vec<_>>()),
        )
    }),
    ("keys.last_uses", |dice| {
        let one = |dice: &Dice| api_keys::LastUse {
            workspace: dice.workspace(),
            id: key_id(dice),
            at: dice.at(),
            from: dice.maybe(|dice| dice.pick(&["192.0.2.1", "2001:db8::1"]).to_owned()),
            previous: dice.maybe(|dice| (dice.digest(250), dice.at())),
        };
        let uses = (0..dice.small(4)).map(|_| one(dice)).collect();
        write_as(api_keys::RecordLastUses { uses }, |changed| changed.to_string())
    }),
    ("usage.add", |dice| {
        let minute = |dice: &Dice| usage::MinuteUsage {
            workspace: dice.workspace(),
            at: dice.pick(&usage::Step::ALL).beginning(dice.at()),
            counts: (0..dice.small(3)).map(|_| (key_id(dice), counts(dice))).collect(),
        };
        let minutes = (0..dice.small(3)).map(|_| minute(dice)).collect();
        let node = dice.pick(&["a", "b"]).to_owned();
        write_as(usage::AddUsage { node, minutes }, |rows| rows.to_string())
    }),
    ("usage.of_key", |dice| {
        let question = usage::UsageOfKey { span: dice.span(), id: key_id(dice) };
        read_as(question, |used| format!("{used:?}"))
    }),
    ("usage.of_keys", |dice| {
        let question =
            usage::UsageOfKeys { span: dice.span(), ids: (0..dice.small(4)).map(|_| key_id(dice)).collect() };
        read_as(question, |used| format!("{used:?}"))
    }),
    ("usage.by_key", |dice| {
        let question = usage::UsageByKey { span: dice.span() };
        // Rows come in whatever order; what is made of them is the same.
        read_as(question, |stored| {
            format!("{:?}", stored.map(|stored| stored.of_keys(&(0..5).map(key_number).collect())))
        })
    }),
    ("usage.of_workspace", |dice| {
        let question = usage::UsageOfWorkspace { span: dice.span() };
        read_as(question, |used| format!("{used:?}"))
    }),
    ("retention.delete_counts", |dice| {
        write(retention::DeleteOldCounts {
            workspace: dice.workspace(),
            of: dice.pick(&retention::CountsOf::ALL),
            step: dice.pick(&usage::Step::ALL),
            before: dice.maybe(Dice::at),
            weight_max: 1 + dice.small(4),
        })
    }),
    ("keys.edit", |dice| {
        write_as(
            api_keys::EditKey {
                key: key(dice),
                from: dice.at(),
                only_made_by: dice.maybe(|dice| dice.by().id),
                by: dice.by(),
                origin: dice.origin(),
                fact: dice.fact("api_key.updated"),
            },
            changed,
        )
    }),
    ("keys.rotate", |dice| {
        write_as(
            api_keys::RotateKey {
                workspace: dice.workspace(),
                id: key_id(dice),
                digest: digest(dice),
                overlap_until: dice.at(),
                from: dice.at(),
                at: dice.at(),
                only_made_by: dice.maybe(|dice| dice.by().id),
                by: dice.by(),
                origin: dice.origin(),
                fact: dice.fact("api_key.rotated"),
            },
            changed,
        )
    }),
    ("keys.revoke", |dice| {
        write_as(
            api_keys::RevokeKey {
                workspace: dice.workspace(),
                id: key_id(dice),
                at: dice.at(),
                only_made_by: dice.maybe(|dice| dice.by().id),
                by: dice.by(),
                origin: dice.origin(),
                fact: dice.fact("api_key.revoked"),
            },
            changed,
        )
    }),
    ("operator_keys.insert", |dice| {
        let key = operator_keys::StoredOperatorKey {
            id: key_id(dice),
            name: dice.text("operator", 9),
            digest: Digest::from_bytes(dice.digest(250)),
            pepper: 1,
            created_at: dice.at(),
            last_used_at: None,
            revoked_at: None,
        };
        write_as(
            operator_keys::InsertOperatorKey {
                key,
                keys_max: 2,
                by: dice.by(),
                origin: dice.origin(),
                fact: dice.fact("operator_key.created"),
            },
            |inserted| match inserted {
                operator_keys::Inserted::Done => "done".to_owned(),
                operator_keys::Inserted::IdTaken => "id taken".to_owned(),
                operator_keys::Inserted::Full => "full".to_owned(),
            },
        )
    }),
    ("operator_keys.list", |_| read_as(operator_keys::ListOperatorKeys, operators)),
    ("operator_keys.live", |_| {
        read_as(operator_keys::LiveOperatorKeys, |mut list| {
            list.sort_by_key(|key| key.id.as_str().to_owned());
            operators(list)
        })
    }),
    ("operator_keys.revoke", |dice| {
        write(operator_keys::RevokeOperatorKey {
            id: key_id(dice),
            at: dice.at(),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("operator_key.revoked"),
        })
    }),
];

fn key_id(dice: &Dice) -> KeyId {
    key_number(dice.below(5))
}

fn key_number(number: u64) -> KeyId {
    KeyId::parse(&format!("{number:012}")).expect("twelve digits")
}

fn order(dice: &Dice) -> api_keys::KeyOrder {
    let after = |dice: &Dice| dice.maybe(|dice| (dice.at(), key_id(dice)));
    match dice.small(4) {
        0 => api_keys::KeyOrder::Name(
            dice.maybe(|dice| (dice.pick(&["1", "KEY", "k"]).to_owned(), key_id(dice))),
        ),
        1 => api_keys::KeyOrder::LastUse(after(dice)),
        2 => api_keys::KeyOrder::Expiry(after(dice)),
        _ => api_keys::KeyOrder::Newest(after(dice)),
    }
}

fn environment(dice: &Dice) -> Environment {
    dice.pick(&[Environment::Live, Environment::Test])
}

fn digest(dice: &Dice) -> api_keys::StoredDigest {
    api_keys::StoredDigest {
        digest: Digest::from_bytes(dice.digest(250)),
        pepper: 1,
        of: dice.pick(&[api_keys::DigestOf::Secret, api_keys::DigestOf::ImportedText]),
    }
}

fn key(dice: &Dice) -> ApiKey {
    ApiKey {
        workspace: dice.workspace(),
        id: key_id(dice),
        environment: environment(dice),
        name: dice.text("key", 9),
        description: dice.text("about", 9),
        enabled: dice.once_in(2),
        scopes: vec![dice.text("scope", 6)],
        allowed_networks: Vec::new(),
        rate_limits: Vec::new(),
        metadata: serde_json::Map::new(),
        expires_at: dice.maybe(Dice::at),
        created_at: dice.at(),
        created_by: dice.by(),
        updated_at: dice.at(),
        last_used_at: None,
        last_used_from: None,
        revoked_at: None,
        revoked_by: None,
        previous_secret: None,
    }
}

fn show(stored: &api_keys::StoredKey) -> String {
    let digest = |digest: &api_keys::StoredDigest| (*digest.digest.as_bytes(), digest.pepper, digest.of);
    format!("{:?} {:?} {:?}", stored.key, digest(&stored.current), stored.previous.as_ref().map(digest))
}

fn show_loaded(loaded: &api_keys::LoadedKey) -> String {
    let previous = loaded.previous.map(|previous| {
        (*previous.digest.digest.as_bytes(), previous.digest.of, previous.expires_at, previous.last_used_at)
    });
    format!(
        "{} {} {:?} {:?} {:?} {previous:?} {:?} {:?}",
        loaded.workspace,
        loaded.id,
        (loaded.current.digest.as_bytes(), loaded.current.of),
        loaded.switch,
        loaded.scopes,
        (loaded.last_used_at, &loaded.last_used_from),
        loaded.updated_at,
    )
}

/// Keys of one import have different IDs and digests.
fn distinct<F>(keys: Vec<(api_keys::StoredKey, F)>) -> Vec<(api_keys::StoredKey, F)> {
    let mut kept: Vec<(api_keys::StoredKey, F)> = Vec::new();
    for (stored, fact) in keys {
        let same = |known: &api_keys::StoredKey| {
            known.key.id == stored.key.id || known.current.digest.matches(&stored.current.digest)
        };
        if !kept.iter().any(|(known, _)| same(known)) {
            kept.push((stored, fact));
        }
    }
    kept
}

fn counts(dice: &Dice) -> Counts {
    Counts::of(dice.pick(&Outcome::ALL), dice.small(300).unsigned_abs())
}

fn changed(changed: api_keys::Changed) -> String {
    match changed {
        api_keys::Changed::Done(stored) => format!("done {}", show(&stored)),
        api_keys::Changed::Revoked(stored) => format!("revoked {}", show(&stored)),
        api_keys::Changed::Already(stored) => format!("already {}", show(&stored)),
        api_keys::Changed::Stale(stored) => format!("stale {}", show(&stored)),
        api_keys::Changed::NotTheirs => "not theirs".to_owned(),
        api_keys::Changed::Missing => "missing".to_owned(),
    }
}

fn operators(list: Vec<operator_keys::StoredOperatorKey>) -> String {
    let show = |key: operator_keys::StoredOperatorKey| {
        format!(
            "{} {} {:?} {} {:?}",
            key.id.as_str(),
            key.name,
            key.digest.as_bytes(),
            key.created_at,
            key.revoked_at
        )
    };
    format!("{:?}", list.into_iter().map(show).collect::<Vec<_>>())
}
