//! Webhooks.

use super::{DEVELOPER, Sample, at, drawn};
use crate::ui::view::deliveries::AttemptView;
use crate::ui::view::form::{CopyField, Field};
use crate::ui::view::frame::Section;
use crate::ui::view::parts::{Badge, Choice, Tone, When};
use crate::ui::view::verify::{Sample as Program, VerifyPage};
use crate::ui::view::webhooks::{
    DeletePage, EventGroup, HeaderRow, Health, RotateSecretPage, SecretPage, TestPage, WebhookFormPage,
    WebhookHead, WebhookPage, WebhookPart, WebhookRow, WebhooksPage,
};

impl Sample<'_> {
    pub(super) fn webhook(&self, name: &str, enabled: bool) -> WebhookRow {
        let status =
            if enabled { Badge::new(Tone::Good, "Active") } else { Badge::new(Tone::Plain, "Disabled") };
        let id = if enabled { "whk_06dhtsbh1nxwk8n6s4c3v9r7e0" } else { "whk_06dhtsbh1nxwk8n6s4c3v9r7e1" };
        WebhookRow {
            id: id.to_owned(),
            href: format!("{DEVELOPER}/webhooks/{id}"),
            name: self.say(name),
            url: self.say("https://hooks.evergreen.example/northwind"),
            events: vec![self.say("research_report.*"), "portfolio.updated".to_owned()],
            content_type: "JSON",
            status,
            enabled,
            lately: enabled.then(|| self.lately("99 % of 214 attempts succeeded")),
            last_delivery: enabled.then(|| When::near(at(-3))),
            may_manage: true,
            switch_from: "list",
            switch_back: self.word.to_owned(),
        }
    }

    pub(super) fn webhook_head(&self, open: Option<WebhookPart>) -> WebhookHead {
        let list = format!("{DEVELOPER}/webhooks");
        WebhookHead {
            href: format!("{list}/whk_1"),
            list,
            name: self.say("Warehouse"),
            deliveries: format!("{DEVELOPER}/deliveries?webhook_id=whk_1"),
            may_manage: self.full,
            open,
        }
    }

    pub(super) fn webhook_pages(&self) -> Vec<(&'static str, String)> {
        let list = format!("{DEVELOPER}/webhooks");
        let webhooks = WebhooksPage {
            frame: self.frame(Section::Webhooks),
            list: list.clone(),
            rows: self.some(|| vec![self.webhook("Warehouse", true), self.webhook("Chat bot", false)]),
            may_create: true,
            older: self.full.then(|| "?cursor=1".to_owned()),
            is_later_page: false,
        };
        let webhook = WebhookPage {
            frame: self.frame(Section::Webhooks),
            webhook: self.webhook("Warehouse", self.full),
            head: self.webhook_head(Some(WebhookPart::Overview)),
            id: CopyField::new("webhook-id", "Webhook id", "whk_06dhtsbh1nxwk8n6s4c3v9r7e0"),
            description: self.say("Feeds the warehouse"),
            health: if self.full {
                Health {
                    badge: Badge::new(Tone::Bad, "Failing"),
                    since: Some(When::at(at(-90))),
                    said: self.say("Nothing has succeeded since."),
                }
            } else {
                Health {
                    badge: Badge::new(Tone::Plain, "New"),
                    since: None,
                    said: self.say("No delivery has come to its end yet."),
                }
            },
            periods: vec![
                Choice { label: "24 hours", href: "?period=24h".to_owned(), is_chosen: true },
                Choice { label: "7 days", href: "?period=7d".to_owned(), is_chosen: false },
            ],
            charts: [self.attempts_chart(), self.latency_chart()],
            headers: self.some(|| vec![(self.say("x-api-key"), self.say("secret, set"))]),
            rate_limit: self.full.then(|| "100 requests in 60 seconds".to_owned()),
            created: When::at(at(-9_000)),
            created_by: self.say("Ada Lovelace"),
            deliveries: self.deliveries(),
            all_deliveries: format!("{DEVELOPER}/deliveries"),
        };
        let secret = |revealed: bool| SecretPage {
            frame: self.frame(Section::Webhooks),
            head: self.webhook_head(Some(WebhookPart::SigningSecret)),
            secrets: revealed.then(|| {
                let field = CopyField::new(
                    "secret-1",
                    "Signing secret",
                    self.say("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
                );
                vec![(field, When::at(at(-9_000)), Some(When::at(at(60))))]
            }),
            previous: self.full.then(|| When::near(at(60))),
            token: self.say("t"),
            may_reveal: self.full,
        };
        let verify = VerifyPage {
            frame: self.frame(Section::Webhooks),
            head: self.webhook_head(Some(WebhookPart::Verify)),
            content_type: "JSON",
            languages: vec![
                ("Python", "?language=python".to_owned(), true),
                ("Go", "?language=go".to_owned(), false),
            ],
            sample: Program {
                language: "Python",
                file: "verify.py",
                needs: "Nothing but the standard library.",
                body: "in Django `request.body`.",
                run: "python3 verify.py",
                text: "if 1 < 2 and '</code>':\n    pass\n",
            },
        };
        let delete = DeletePage {
            frame: self.frame(Section::Webhooks),
            head: self.webhook_head(None),
            url: self.say("https://hooks.evergreen.example/northwind"),
            action: "#".to_owned(),
        };
        vec![
            ("webhooks", drawn(&webhooks)),
            ("webhook-form", drawn(&self.webhook_form(false))),
            ("webhook-edit", drawn(&self.webhook_form(true))),
            ("webhook", drawn(&webhook)),
            ("webhook-secret", drawn(&secret(false))),
            ("webhook-secret-revealed", drawn(&secret(true))),
            ("webhook-secret-rotate", drawn(&self.secret_rotation())),
            ("webhook-verify", drawn(&verify)),
            ("webhook-delete", drawn(&delete)),
            ("webhook-test", drawn(&self.webhook_test(None))),
            ("webhook-tested", drawn(&self.webhook_test(Some(self.attempt(1, self.full))))),
        ]
    }

    fn secret_rotation(&self) -> RotateSecretPage {
        RotateSecretPage {
            frame: self.frame(Section::Webhooks),
            head: self.webhook_head(Some(WebhookPart::SigningSecret)),
            action: "#".to_owned(),
            back: "#".to_owned(),
            token: self.say("t"),
            previous: self.full.then(|| When::near(at(60))),
            overlaps: vec![(0, "Now", false), (86_400, "In 24 hours", true)],
            errors: self.errors(),
        }
    }

    fn webhook_test(&self, outcome: Option<AttemptView>) -> TestPage {
        TestPage {
            frame: self.frame(Section::Webhooks),
            head: self.webhook_head(Some(WebhookPart::Test)),
            url: self.say("https://hooks.evergreen.example/northwind"),
            action: "#".to_owned(),
            token: self.say("t"),
            event_types: self.some(|| vec![(self.say("portfolio.updated"), true)]),
            outcome,
            errors: self.errors(),
        }
    }

    fn webhook_form(&self, editing: bool) -> WebhookFormPage {
        let list = format!("{DEVELOPER}/webhooks");
        let header = |index, is_set| HeaderRow {
            index,
            name: if is_set { self.say("x-api-key") } else { String::new() },
            value: self.word.to_owned(),
            secret: is_set,
            is_set,
            wrong: !self.word.is_empty(),
        };
        WebhookFormPage {
            frame: self.frame(Section::Webhooks),
            editing: editing.then(|| self.webhook_head(Some(WebhookPart::Settings))),
            action: "#".to_owned(),
            back: list.clone(),
            list: list.clone(),
            token: self.say("t"),
            fields: [
                Field::text("name", "Name", self.say("")).most(100).required().first().told(&self.errors()),
                Field::lines("description", "Description", self.say("")).most(1_000),
                Field::text("url", "URL", self.say(""))
                    .kind("url", "off")
                    .mono()
                    .required()
                    .hint("Where the payloads will be sent: https, and open to the internet."),
            ],
            all_events: !self.full,
            groups: self.some(|| {
                vec![
                    EventGroup {
                        name: self.say("portfolio"),
                        is_own: false,
                        all: false,
                        events: vec![
                            (self.say("portfolio.updated"), self.say("A portfolio was changed"), true),
                            (
                                "portfolio.rebalanced".to_owned(),
                                "A portfolio was rebalanced".to_owned(),
                                false,
                            ),
                        ],
                    },
                    EventGroup {
                        name: "research_report".to_owned(),
                        is_own: false,
                        all: true,
                        events: vec![(
                            "research_report.published".to_owned(),
                            "A report was published".to_owned(),
                            false,
                        )],
                    },
                    EventGroup {
                        name: "keybell".to_owned(),
                        is_own: true,
                        all: false,
                        events: vec![(
                            "keybell.webhook.failing".to_owned(),
                            "Every attempt at a webhook has failed".to_owned(),
                            true,
                        )],
                    },
                ]
            }),
            others: self.some(|| vec![self.say("memo.written")]),
            example: (format!("{list}/example"), self.say("portfolio.updated")),
            catalogue: format!("{DEVELOPER}/event-catalogue"),
            content_types: vec![
                ("application/json", "JSON", self.say("{\"id\":\"evt_1\"}"), true),
                ("application/xml", "XML", self.say("<?xml version=\"1.0\"?>\n<event></event>"), false),
            ],
            limits: [
                Field::text("rate_limit.limit", "Requests", self.say("")).told(&self.errors()),
                Field::text("rate_limit.window_seconds", "In so many seconds", self.say("")),
                Field::text("max_in_flight", "Requests at once", self.say("")),
            ],
            more_open: self.full,
            headers: vec![header(0, self.full), header(1, false), header(2, false)],
            enabled: true,
            errors: self.errors(),
        }
    }
}
