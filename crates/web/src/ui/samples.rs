//! Every page, filled with `word` wherever a person can write something; with nothing in its lists, or with a few of each.

use askama::Template;
use keybell_core::{FieldError, Timestamp};

use super::view::access::{
    ClosedPage, LinkPage, ProblemPage, SessionRow, SessionsPage, SetUpPage, SignInPage,
};
use super::view::deliveries::{AttemptView, DeliveriesPage, DeliveryPage, DeliveryRow, Message};
use super::view::frame::{AssetLinks, Door, Frame, Here, Section};
use super::view::keys::{
    EditedKey, KeyAgainPage, KeyFormPage, KeyRow, KeysPage, LimitRow, NewKeyPage, RevokePage, RotatePage,
    ScopeGroup,
};
use super::view::parts::{Badge, CopyField, Errors, Field, Tone, When};
use super::view::webhooks::{
    DeletePage, EventGroup, HeaderRow, SecretPage, WebhookFormPage, WebhookPage, WebhookRow, WebhooksPage,
};
use super::view::workspace::{
    AuditLogPage, AuditRow, GeneralPage, OverviewPage, WorkspacePage, WorkspacesPage,
};

const DEVELOPER: &str = "/w/ws_06dhtsbh1nxwk8n6s4c3v9r7e0/settings/advanced/developer";

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_seconds(1_795_447_916 + 60 * minutes)
}

/// What the pages are filled with.
#[derive(Clone, Copy)]
pub(crate) struct Sample<'a> {
    /// Stands wherever a person can write something; empty for texts as they are in life.
    pub(crate) word: &'a str,
    /// Whether lists have entries.
    pub(crate) full: bool,
    /// The assets.
    pub(crate) assets: AssetLinks,
}

impl Sample<'_> {
    fn say(&self, usual: &str) -> String {
        if self.word.is_empty() { usual.to_owned() } else { self.word.to_owned() }
    }

    fn door(&self) -> Door {
        Door { brand: self.say("Northwind Research"), assets: self.assets }
    }

    fn frame(&self, section: Section) -> Frame {
        let here = Here {
            id: "ws_06dhtsbh1nxwk8n6s4c3v9r7e0".to_owned(),
            name: self.say("Evergreen Partners"),
            section,
            may_audit: true,
        };
        Frame {
            brand: self.say("Northwind Research"),
            assets: self.assets,
            person: self.say("Ada Lovelace"),
            email: self.say("ada@evergreen.example"),
            workspace: Some(here),
            has_others: self.full,
            notice: None,
        }
    }

    fn some<T>(&self, make: impl FnOnce() -> Vec<T>) -> Vec<T> {
        if self.full { make() } else { Vec::new() }
    }

    fn errors(&self) -> Errors {
        if self.word.is_empty() {
            return Errors::default();
        }
        let wrong = |field: &str| FieldError {
            field: field.to_owned(),
            code: "invalid",
            message: self.word.to_owned(),
        };
        Errors::new(
            ["name", "url", "events", "headers[1].name", "expires_at", "rate_limits[0]", "scopes"]
                .map(wrong)
                .into(),
        )
    }

    fn key_row(&self, name: &str, id: &str, status: Badge, used: bool) -> KeyRow {
        KeyRow {
            id: id.to_owned(),
            href: format!("{DEVELOPER}/api-keys/{id}"),
            name: self.say(name),
            description: self.say("Nightly import of valuations into the warehouse"),
            environment: "live",
            scopes: vec![
                self.say("reports:read"),
                "portfolios:read".to_owned(),
                "portfolios:write".to_owned(),
            ],
            created: When::day(at(-50_000)),
            created_by: self.say("Ada Lovelace"),
            last_used: used.then(|| When::near(at(-3))),
            last_used_from: used.then(|| self.say("198.51.100.7")),
            expires: used.then(|| When::day(at(8_000))),
            expiry_badge: used.then(|| Badge::new(Tone::Warn, "Expires soon")),
            may_edit: status.tone != Tone::Plain,
            may_revoke: status.tone != Tone::Plain,
            status,
            previous: used.then(|| When::near(at(90))),
        }
    }

    fn webhook(&self, name: &str, enabled: bool) -> WebhookRow {
        let status =
            if enabled { Badge::new(Tone::Good, "Active") } else { Badge::new(Tone::Plain, "Disabled") };
        WebhookRow {
            href: format!("{DEVELOPER}/webhooks/whk_06dhtsbh1nxwk8n6s4c3v9r7e0"),
            name: self.say(name),
            url: self.say("https://hooks.evergreen.example/northwind"),
            events: vec![self.say("research_report.*"), "portfolio.updated".to_owned()],
            content_type: "JSON",
            status,
            enabled,
            last_delivery: enabled.then(|| When::near(at(-3))),
            may_manage: true,
            switch_from: "list",
        }
    }

    fn deliveries(&self) -> Vec<DeliveryRow> {
        let row = |status, answer: &str, attempts, next| DeliveryRow {
            id: "dlv_06dhtsbh1nxwk8n6s4c3v9r7e0".to_owned(),
            href: Some(format!("{DEVELOPER}/deliveries/dlv_06dhtsbh1nxwk8n6s4c3v9r7e0")),
            event_type: self.say("research_report.published"),
            webhook: self.say("Warehouse"),
            status,
            answer: answer.to_owned(),
            attempts,
            at: When::near(at(-3)),
            next,
        };
        self.some(|| {
            vec![
                row(Badge::new(Tone::Warn, "Pending"), "503", 2, Some(When::near(at(5)))),
                row(Badge::new(Tone::Good, "Succeeded"), "204", 1, None),
                row(Badge::new(Tone::Bad, "Failed"), "No answer", 10, None),
            ]
        })
    }

    fn attempt(&self, number: u32, went_well: bool) -> AttemptView {
        let body = self.say(r#"{"id":"evt_1","type":"portfolio.updated"}"#);
        let headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("webhook-id".to_owned(), "evt_06dhtsbh1nxwk8n6s4c3v9r7e0".to_owned()),
            ("x-custom".to_owned(), self.say("blue")),
        ];
        let message =
            || Message { headers: headers.clone(), pretty: Some(format!("{body}\n")), body: body.clone() };
        let outcome = if went_well {
            Badge::new(Tone::Good, "204 No Content")
        } else {
            Badge::new(Tone::Bad, "No answer")
        };
        AttemptView {
            number,
            trigger: if number == 1 { "first attempt" } else { "retry" },
            started: When::at(at(i64::from(number))),
            took: "182 ms".to_owned(),
            timings: vec![
                ("DNS", "2 ms".to_owned()),
                ("connect", "21 ms".to_owned()),
                ("TLS", "44 ms".to_owned()),
            ],
            went_well,
            outcome,
            error: (!went_well).then(|| self.say("The connection was refused.")),
            is_open: number == 2,
            is_forgotten: number == 1 && self.word.is_empty(),
            request: message(),
            url: self.say("https://hooks.evergreen.example/northwind"),
            response: went_well.then(message),
            truncated: went_well,
        }
    }

    /// Every page by its name.
    pub(crate) fn pages(&self) -> Vec<(&'static str, String)> {
        [
            self.access_pages(),
            self.workspace_pages(),
            self.key_pages(),
            self.webhook_pages(),
            self.delivery_pages(),
        ]
        .concat()
    }

    fn access_pages(&self) -> Vec<(&'static str, String)> {
        let sign_in = SignInPage {
            door: self.door(),
            fields: [
                Field::text("email", "E-mail", self.say("")).kind("email", "username").required().first(),
                Field::password("password", "Password", "current-password").required(),
            ],
            refused: (!self.word.is_empty()).then(|| self.say("")),
            next: self.say("/"),
        };
        let set_up = SetUpPage {
            door: self.door(),
            action: self.say("/setup/kb_setup_1"),
            fields: [
                Field::text("workspace_name", "Workspace", self.say("")).required().first(),
                Field::text("name", "Your name", self.say(""))
                    .kind("text", "name")
                    .required()
                    .told(&self.errors()),
                Field::text("email", "E-mail", self.say("")).kind("email", "username").required(),
                Field::password("password", "Password", "new-password")
                    .hint("At least 10 characters.")
                    .required(),
            ],
            errors: self.errors(),
        };
        let closed = ClosedPage {
            door: self.door(),
            status: 404,
            title: self.say("Not found"),
            detail: self.say("This link was used already, or is too old."),
            request_id: "req_1".to_owned(),
        };
        let problem = ProblemPage {
            frame: self.frame(Section::Keys),
            status: 403,
            title: self.say("Not allowed"),
            detail: self.say("Ask an owner or admin of the workspace."),
            request_id: "req_1".to_owned(),
            errors: self.errors(),
        };
        let sessions = SessionsPage {
            frame: Frame { workspace: None, ..self.frame(Section::Home) },
            // Whoever looks has one at least.
            sessions: {
                let row = |is_this_one| SessionRow {
                    id: self.say("c2Vzc2lvbg"),
                    is_this_one,
                    browser: self.say("Firefox on Linux"),
                    address: self.say("198.51.100.7"),
                    began: When::at(at(-9_000)),
                    seen: When::near(at(-1)),
                };
                if self.full { vec![row(true), row(false)] } else { vec![row(true)] }
            },
        };
        vec![
            ("sign-in", drawn(&sign_in)),
            ("link", drawn(&LinkPage { door: self.door(), action: self.say("/sign-in/x") })),
            ("set-up", drawn(&set_up)),
            ("closed", drawn(&closed)),
            ("problem", drawn(&problem)),
            ("sessions", drawn(&sessions)),
        ]
    }

    fn workspace_pages(&self) -> Vec<(&'static str, String)> {
        let workspaces = WorkspacesPage {
            frame: Frame { workspace: None, ..self.frame(Section::Home) },
            workspaces: self.some(|| vec![("ws_1".to_owned(), self.say("Evergreen Partners"), "owner")]),
        };
        let workspace = WorkspacePage {
            frame: self.frame(Section::Home),
            name: self.say("Evergreen Partners"),
            role: "owner",
            settings: "/w/ws_1/settings".to_owned(),
            developer: DEVELOPER.to_owned(),
        };
        let general = GeneralPage {
            frame: Frame {
                notice: self.full.then_some("The name was changed."),
                ..self.frame(Section::General)
            },
            name: Field::text("name", "Name", self.say("Evergreen Partners")).required(),
            name_now: self.say("Evergreen Partners"),
            id: CopyField::new("workspace-id", "Workspace id", "ws_06dhtsbh1nxwk8n6s4c3v9r7e0"),
            may_edit: self.full,
            errors: self.errors(),
        };
        let overview = OverviewPage {
            frame: self.frame(Section::Overview),
            developer: DEVELOPER.to_owned(),
            keys_active: if self.full { "3" } else { "0" }.to_owned(),
            keys_other: usize::from(self.full),
            webhooks_active: if self.full { "2" } else { "0" }.to_owned(),
            webhooks_other: usize::from(self.full),
            may_manage_keys: true,
            may_manage_webhooks: true,
            is_new: !self.full,
            base_url: CopyField::new("base-url", "Base URL", self.say("https://keys.northwind.example")),
            workspace_id: CopyField::new("workspace-id", "Workspace id", "ws_06dhtsbh1nxwk8n6s4c3v9r7e0"),
        };
        let audit_log = AuditLogPage {
            frame: self.frame(Section::AuditLog),
            entries: self.some(|| {
                vec![AuditRow {
                    at: When::at(at(0)),
                    who: self.say("Ada Lovelace"),
                    kind: "member".to_owned(),
                    what: self.say("API key created"),
                    target: self.say("kb_live_7Hq2mZxK9TbW"),
                    address: self.say("198.51.100.7"),
                    changes: vec![(self.say("name"), self.say("Old"), self.say("New"))],
                }]
            }),
            older: self.full.then(|| "?cursor=1".to_owned()),
            is_later_page: false,
            newest: "?".to_owned(),
        };
        vec![
            ("workspaces", drawn(&workspaces)),
            ("workspace", drawn(&workspace)),
            ("general", drawn(&general)),
            ("overview", drawn(&overview)),
            ("audit-log", drawn(&audit_log)),
        ]
    }

    fn key_pages(&self) -> Vec<(&'static str, String)> {
        let list = format!("{DEVELOPER}/api-keys");
        let keys = KeysPage {
            frame: Frame { notice: self.full.then_some("The key was revoked."), ..self.frame(Section::Keys) },
            list: list.clone(),
            search: self.say(""),
            statuses: vec![("all", "Any", true), ("active", "Active", false)],
            is_filtered: !self.word.is_empty(),
            rows: self.some(|| {
                vec![
                    self.key_row("Warehouse import", "kb_live_7Hq2mZxK9TbW", Badge::new(Tone::Good, "Active"), true),
                    self.key_row("Spreadsheet", "kb_test_Ab3dEf6hIj9L", Badge::new(Tone::Warn, "Disabled"), false),
                    self.key_row("Old script", "kb_live_000000000000", Badge::new(Tone::Plain, "Revoked"), false),
                ]
            }),
            may_create: true,
            older: self.full.then(|| "?cursor=1".to_owned()),
            is_later_page: false,
            newest: list.clone(),
            curl: self.say("curl https://api.northwind.example/v1/portfolios \\\n  -H \"Authorization: Bearer $SECRET_KEY\""),
        };
        let form = |editing: bool| KeyFormPage {
            frame: self.frame(Section::Keys),
            editing: editing.then(|| EditedKey {
                id: "kb_live_7Hq2mZxK9TbW".to_owned(),
                name: self.say("Warehouse import"),
                enabled: true,
            }),
            action: self.say("#"),
            list: list.clone(),
            token: self.say("t"),
            fields: [
                Field::text("name", "Name", self.say("")).most(100).required().first().told(&self.errors()),
                Field::lines("description", "Description", self.say(""))
                    .most(1_000)
                    .hint("What it is for, and where it is used."),
            ],
            environment: "live".to_owned(),
            groups: self.some(|| {
                vec![
                    ScopeGroup {
                        title: self.say("portfolios"),
                        scopes: vec![
                            (
                                self.say("portfolios:read"),
                                self.say("See portfolios and their valuations"),
                                true,
                            ),
                            ("portfolios:write".to_owned(), "Change portfolios".to_owned(), false),
                        ],
                    },
                    ScopeGroup {
                        title: "Keybell".to_owned(),
                        scopes: vec![("keybell:webhooks.read".to_owned(), String::new(), false)],
                    },
                ]
            }),
            expiries: vec![
                ("90".to_owned(), "In 90 days".to_owned(), true),
                ("custom".to_owned(), "On a day of your own".to_owned(), false),
                ("never".to_owned(), "Never".to_owned(), false),
            ],
            expires_on: self.say(""),
            networks: Field::lines("allowed_networks", "Allowed networks", self.say(""))
                .mono()
                .hint("One to a line, such as 198.51.100.0/24. Empty: from anywhere."),
            limits: (1..=2)
                .map(|number| LimitRow {
                    number,
                    name: self.say(""),
                    limit: self.say(""),
                    windows: vec![(1, "a second".to_owned(), false), (60, "a minute".to_owned(), true)],
                    is_wrong: !self.word.is_empty(),
                })
                .collect(),
            more_open: !self.word.is_empty(),
            errors: self.errors(),
        };
        let new_key = NewKeyPage {
            frame: self.frame(Section::Keys),
            title: "Your new key",
            name: self.say("Warehouse import"),
            public_identifier: CopyField::new("public-identifier", "Public identifier", "kb_live_7Hq2mZxK9TbW"),
            secret_key: CopyField::new("secret-key", "Secret key", self.say("kb_live_7Hq2mZxK9TbW_N4vYc8RkQ1sXe6LpJ0aUwG3hDf5BtMzC4UsLE4")),
            curl: self.say("curl https://api.northwind.example/v1/portfolios \\\n  -H \"Authorization: Bearer kb_live_7Hq2mZxK9TbW_N4vYc8RkQ1sXe6LpJ0aUwG3hDf5BtMzC4UsLE4\""),
            variable: "KEYBELL_SECRET_KEY".to_owned(),
            previous: self.full.then(|| When::at(at(1_440))),
            list: list.clone(),
        };
        let revoke = RevokePage {
            frame: self.frame(Section::Keys),
            action: "#".to_owned(),
            list: list.clone(),
            name: self.say("Warehouse import"),
            id: "kb_live_7Hq2mZxK9TbW".to_owned(),
            last_used: self.full.then(|| When::near(at(-3))),
            last_used_from: self.full.then(|| self.say("198.51.100.7")),
            type_name: self.full,
            errors: self.errors(),
        };
        let rotate = RotatePage {
            frame: self.frame(Section::Keys),
            action: "#".to_owned(),
            list: list.clone(),
            token: self.say("t"),
            name: self.say("Warehouse import"),
            id: "kb_live_7Hq2mZxK9TbW".to_owned(),
            overlaps: vec![(0, "Now", false), (3_600, "In an hour", false), (86_400, "In 24 hours", true)],
            previous: self.full.then(|| When::near(at(90))),
            errors: self.errors(),
        };
        vec![
            ("keys", drawn(&keys)),
            ("key-form", drawn(&form(false))),
            ("key-edit", drawn(&form(true))),
            ("key-new", drawn(&new_key)),
            ("key-again", drawn(&KeyAgainPage { frame: self.frame(Section::Keys), list })),
            ("key-revoke", drawn(&revoke)),
            ("key-rotate", drawn(&rotate)),
        ]
    }

    fn webhook_pages(&self) -> Vec<(&'static str, String)> {
        let list = format!("{DEVELOPER}/webhooks");
        let webhooks = WebhooksPage {
            frame: self.frame(Section::Webhooks),
            list: list.clone(),
            rows: self.some(|| vec![self.webhook("Warehouse", true), self.webhook("Chat bot", false)]),
            may_create: true,
            older: self.full.then(|| "?cursor=1".to_owned()),
            is_later_page: false,
        };
        let header = |index, is_set| HeaderRow {
            index,
            name: if is_set { self.say("x-api-key") } else { String::new() },
            value: self.word.to_owned(),
            secret: is_set,
            is_set,
            wrong: !self.word.is_empty(),
        };
        let form = |editing: bool| WebhookFormPage {
            frame: self.frame(Section::Webhooks),
            editing: editing.then(|| self.say("Warehouse")),
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
                        all: true,
                        events: vec![(
                            "research_report.published".to_owned(),
                            "A report was published".to_owned(),
                            false,
                        )],
                    },
                ]
            }),
            others: self.some(|| vec![self.say("memo.written")]),
            content_types: vec![
                ("application/json", "JSON", self.say("{\"id\":\"evt_1\"}"), true),
                ("application/xml", "XML", self.say("<?xml version=\"1.0\"?>\n<event></event>"), false),
            ],
            headers: vec![header(0, self.full), header(1, false), header(2, false)],
            enabled: true,
            errors: self.errors(),
        };
        let webhook = WebhookPage {
            frame: self.frame(Section::Webhooks),
            webhook: self.webhook("Warehouse", self.full),
            list: list.clone(),
            id: CopyField::new("webhook-id", "Webhook id", "whk_06dhtsbh1nxwk8n6s4c3v9r7e0"),
            description: self.say("Feeds the warehouse"),
            disabled_because: (!self.full).then_some("The endpoint answered 410 Gone."),
            headers: self.some(|| vec![(self.say("x-api-key"), self.say("secret, set"))]),
            created: When::at(at(-9_000)),
            created_by: self.say("Ada Lovelace"),
            deliveries: self.deliveries(),
            all_deliveries: format!("{DEVELOPER}/deliveries"),
        };
        let secret = |revealed: bool| SecretPage {
            frame: self.frame(Section::Webhooks),
            name: self.say("Warehouse"),
            href: format!("{list}/whk_1"),
            list: list.clone(),
            secrets: revealed.then(|| {
                let field = CopyField::new(
                    "secret-1",
                    "Signing secret",
                    self.say("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
                );
                vec![(field, When::at(at(-9_000)), Some(When::at(at(60))))]
            }),
            may_reveal: self.full,
        };
        let delete = DeletePage {
            frame: self.frame(Section::Webhooks),
            name: self.say("Warehouse"),
            url: self.say("https://hooks.evergreen.example/northwind"),
            action: "#".to_owned(),
            back: list.clone(),
            list: list.clone(),
        };
        vec![
            ("webhooks", drawn(&webhooks)),
            ("webhook-form", drawn(&form(false))),
            ("webhook-edit", drawn(&form(true))),
            ("webhook", drawn(&webhook)),
            ("webhook-secret", drawn(&secret(false))),
            ("webhook-secret-revealed", drawn(&secret(true))),
            ("webhook-delete", drawn(&delete)),
        ]
    }

    fn delivery_pages(&self) -> Vec<(&'static str, String)> {
        let list = format!("{DEVELOPER}/deliveries");
        let deliveries = DeliveriesPage {
            frame: self.frame(Section::Deliveries),
            list: list.clone(),
            webhook: (!self.word.is_empty()).then(|| (self.say(""), "#".to_owned())),
            webhook_id: self.word.to_owned(),
            statuses: vec![("", "Any", true), ("pending", "Pending", false)],
            answers: vec![("", "Any", true), ("5xx", "5xx", false)],
            event_type: self.word.to_owned(),
            event_types: vec![self.say("portfolio.updated")],
            is_filtered: !self.word.is_empty(),
            failed: false,
            deliveries: self.deliveries(),
            older: self.full.then(|| "?cursor=1".to_owned()),
            is_later_page: false,
            newest: list.clone(),
        };
        let delivery = DeliveryPage {
            frame: self.frame(Section::Deliveries),
            list,
            id: "dlv_06dhtsbh1nxwk8n6s4c3v9r7e0".to_owned(),
            event_id: self.say("evt_06dhtsbh1nxwk8n6s4c3v9r7e0"),
            event_type: self.say("portfolio.updated"),
            webhook: (self.say("Warehouse"), "#".to_owned()),
            status: if self.full {
                Badge::new(Tone::Good, "Succeeded")
            } else {
                Badge::new(Tone::Warn, "Pending")
            },
            created: When::at(at(0)),
            completed: self.full.then(|| When::at(at(2))),
            next: (!self.full).then(|| When::near(at(2))),
            attempts: self.some(|| vec![self.attempt(2, true), self.attempt(1, false)]),
            event_deliveries: "#".to_owned(),
        };
        vec![("deliveries", drawn(&deliveries)), ("delivery", drawn(&delivery))]
    }
}

fn drawn(page: &impl Template) -> String {
    page.render().expect("a template only writes text")
}
