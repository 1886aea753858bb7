//! Workspaces, event types, scopes, webhooks and their secrets.

use keybell_core::payload::ContentType;
use keybell_store::ops::{event_types, scopes, signing_secrets, webhooks, workspaces};

use super::dice::Dice;
use super::{Step, read, read_as, unordered, write};

pub(super) const STEPS: &[Step] = &[
    ("workspaces.insert", |dice| {
        write(workspaces::InsertWorkspace {
            workspace: workspace(dice),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("workspace.created"),
        })
    }),
    ("workspaces.edit", |dice| {
        write(workspaces::EditWorkspace {
            workspace: workspace(dice),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("workspace.updated"),
        })
    }),
    ("workspaces.delete", |dice| {
        // Rare, since it takes everything along.
        let id = if dice.once_in(4) { dice.workspace() } else { dice.id(200) };
        write(workspaces::DeleteWorkspace {
            id,
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("workspace.deleted"),
        })
    }),
    ("workspaces.get", |dice| read(workspaces::GetWorkspace { id: dice.workspace() })),
    ("workspaces.list", |dice| {
        read(workspaces::ListWorkspaces { before: dice.maybe(Dice::workspace), rows: 1 + dice.small(3) })
    }),
    ("event_types.insert", |dice| {
        write(event_types::InsertEventType {
            event_type: event_type(dice),
            types_max: 4,
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("event_type.created"),
        })
    }),
    ("event_types.edit", |dice| {
        let from = dice.at();
        write(event_types::EditEventType {
            event_type: event_type(dice),
            from,
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("event_type.updated"),
        })
    }),
    ("event_types.archive", |dice| {
        write(event_types::ArchiveEventType {
            name: dice.text("type", 6),
            at: dice.at(),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("event_type.archived"),
        })
    }),
    ("event_types.load", |_| read_as(event_types::LoadEventTypes, unordered)),
    ("scopes.insert", |dice| {
        write(scopes::InsertScope {
            scope: scopes::Scope {
                name: dice.text("scope", 6),
                description: dice.text("about", 9),
                created_at: dice.at(),
            },
            scopes_max: 4,
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("scope.created"),
        })
    }),
    ("scopes.delete", |dice| {
        write(scopes::DeleteScope {
            name: dice.text("scope", 6),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("scope.deleted"),
        })
    }),
    ("scopes.load", |_| read_as(scopes::LoadScopes, unordered)),
    ("webhooks.insert", |dice| {
        let record = webhook(dice);
        let secrets = vec![signing_secrets::SealedSecret {
            created_at: record.created_at,
            sealed: dice.bytes(8),
            expires_at: dice.maybe(Dice::at),
        }];
        write(webhooks::InsertWebhook {
            stored: webhooks::StoredWebhook { record, secrets },
            webhooks_max: 2,
            origin: dice.origin(),
            fact: dice.fact("webhook.created"),
        })
    }),
    ("webhooks.get", |dice| {
        read_as(webhooks::GetWebhook { workspace: dice.workspace(), id: dice.webhook() }, |found| {
            format!("{:?}", found.map(show))
        })
    }),
    ("webhooks.list", |dice| {
        read_as(
            webhooks::ListWebhooks {
                workspace: dice.workspace(),
                before: dice.maybe(Dice::webhook),
                rows: 1 + dice.small(3),
            },
            |list| format!("{:?}", list.into_iter().map(summary).collect::<Vec<_>>()),
        )
    }),
    ("webhooks.count", |dice| {
        read(webhooks::CountWebhooks { workspace: dice.workspace(), rows: 1 + dice.small(3) })
    }),
    ("webhooks.load", |dice| {
        read_as(
            webhooks::LoadWebhooks {
                after: dice.maybe(|dice| (dice.workspace(), dice.webhook())),
                rows: 1 + dice.small(6),
            },
            |list| format!("{:?}", list.into_iter().map(show).collect::<Vec<_>>()),
        )
    }),
    ("webhooks.edit", |dice| {
        write(webhooks::EditWebhook {
            record: webhook(dice),
            begins_anew: dice.once_in(2),
            from: dice.at(),
            only_made_by: dice.maybe(|dice| dice.by().id),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("webhook.updated"),
        })
    }),
    ("webhooks.delete", |dice| {
        write(webhooks::DeleteWebhook {
            workspace: dice.workspace(),
            id: dice.webhook(),
            only_made_by: dice.maybe(|dice| dice.by().id),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("webhook.deleted"),
        })
    }),
    ("webhooks.audit", |dice| {
        write(webhooks::AuditWebhook {
            workspace: dice.workspace(),
            id: dice.webhook(),
            only_made_by: dice.maybe(|dice| dice.by().id),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("webhook.tested"),
        })
    }),
    ("signing_secrets.rotate", |dice| {
        let at = dice.at();
        write(signing_secrets::RotateSecret {
            workspace: dice.workspace(),
            webhook: dice.webhook(),
            secret: signing_secrets::SealedSecret { created_at: at, sealed: dice.bytes(8), expires_at: None },
            overlap_until: dice.pick(&[at, dice.at()]),
            secrets_max: 1 + dice.small(3),
            from: dice.at(),
            only_made_by: dice.maybe(|dice| dice.by().id),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("webhook.signing_secret_rotated"),
        })
    }),
    ("signing_secrets.show", |dice| {
        super::write_as(
            signing_secrets::ShowSecrets {
                workspace: dice.workspace(),
                webhook: dice.webhook(),
                only_made_by: dice.maybe(|dice| dice.by().id),
                by: dice.by(),
                origin: dice.origin(),
                fact: dice.fact("webhook.secrets_shown"),
            },
            |shown| match shown {
                signing_secrets::Shown::Secrets(secrets) => {
                    format!("{:?}", secrets.iter().map(secret).collect::<Vec<_>>())
                }
                signing_secrets::Shown::NotTheirs => "not theirs".to_owned(),
                signing_secrets::Shown::Missing => "missing".to_owned(),
            },
        )
    }),
];

fn workspace(dice: &Dice) -> workspaces::Workspace {
    workspaces::Workspace {
        id: dice.workspace(),
        external_id: dice.maybe(|dice| dice.text("external", 2)),
        name: dice.text("workspace", 9),
        created_at: dice.at(),
    }
}

fn event_type(dice: &Dice) -> event_types::EventType {
    event_types::EventType {
        name: dice.text("type", 6),
        group: dice.text("group", 2),
        description: dice.text("about", 9),
        schema_json: dice.maybe(|_| "{}".to_owned()),
        example_json: dice.maybe(|_| "[1]".to_owned()),
        created_at: dice.at(),
        updated_at: dice.at(),
    }
}

fn webhook(dice: &Dice) -> webhooks::WebhookRecord {
    webhooks::WebhookRecord {
        workspace: dice.workspace(),
        id: dice.webhook(),
        name: dice.text("webhook", 9),
        description: dice.text("about", 9),
        url: dice.text("https://example.com/", 2),
        events: vec![dice.text("type", 6)],
        content_type: dice.pick(&[ContentType::Json, ContentType::Xml]),
        headers: Vec::new(),
        disabled: None,
        failing_since: dice.maybe(Dice::at),
        rate_limit: dice.maybe(|_| webhooks::WebhookRateLimit { limit: 5, window_seconds: 1 }),
        max_in_flight: dice.maybe(|_| 3),
        metadata: serde_json::Map::new(),
        created_at: dice.at(),
        created_by: dice.by(),
        updated_at: dice.at(),
        last_delivery_at: None,
    }
}

fn secret(secret: &signing_secrets::SealedSecret) -> String {
    format!("{} {:?} {:?}", secret.created_at, secret.sealed, secret.expires_at)
}

fn summary(record: webhooks::WebhookRecord) -> String {
    let webhooks::WebhookRecord {
        workspace,
        id,
        name,
        url,
        events,
        failing_since,
        created_by,
        updated_at,
        ..
    } = record;
    let limits = (record.rate_limit.map(|limit| (limit.limit, limit.window_seconds)), record.max_in_flight);
    format!(
        "{workspace} {id} {name} {url} {events:?} {failing_since:?} {limits:?} {created_by:?} {updated_at}"
    )
}

fn show(stored: webhooks::StoredWebhook) -> String {
    let secrets: Vec<_> = stored.secrets.iter().map(secret).collect();
    format!("{} {secrets:?}", summary(stored.record))
}
