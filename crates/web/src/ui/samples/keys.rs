//! API keys.

use super::{DEVELOPER, Sample, at, drawn};
use crate::ui::download;
use crate::ui::view::form::{CopyField, Field};
use crate::ui::view::frame::{Frame, Section};
use crate::ui::view::keys::{
    EditedKey, KeyAgainPage, KeyFormPage, KeyPage, KeyRow, KeysPage, LimitRow, NewKeyPage, OldSecret,
    RevokePage, RotatePage, ScopeGroup,
};
use crate::ui::view::parts::{Badge, Choice, Tone, When};

impl Sample<'_> {
    pub(super) fn key_row(&self, name: &str, id: &str, status: Badge, used: bool) -> KeyRow {
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
                "keybell:webhooks.read".to_owned(),
                self.say("orders:read"),
            ],
            created: When::day(at(-50_000)),
            created_by: self.say("Ada Lovelace"),
            last_used: used.then(|| When::near(at(-3))),
            last_used_from: used.then(|| self.say("198.51.100.7")),
            use_lately: used.then(|| self.lately("1,204 requests in 30 days, 12 refused")),
            expires: used.then(|| When::day(at(8_000))),
            expiry_badge: used.then(|| Badge::new(Tone::Warn, "Expires soon")),
            may_edit: status.tone != Tone::Plain,
            may_revoke: status.tone != Tone::Plain,
            status,
            previous: used.then(|| When::near(at(90))),
        }
    }

    pub(super) fn key_pages(&self) -> Vec<(&'static str, String)> {
        let list = format!("{DEVELOPER}/api-keys");
        let keys = KeysPage {
            frame: Frame { notice: self.full.then_some("The key was revoked."), ..self.frame(Section::Keys) },
            list: list.clone(),
            search: self.say(""),
            statuses: vec![("all", "Any", true), ("active", "Active", false)],
            environments: vec![("", "Any", true), ("live", "live", false)],
            sorts: vec![("", "Newest first", !self.full), ("name", "Name", self.full)],
            is_filtered: !self.word.is_empty(),
            rows: self.some(|| {
                vec![
                    self.key_row("Warehouse import", "kb_live_7Hq2mZxK9TbW", Badge::new(Tone::Good, "Active"), true),
                    self.key_row("Spreadsheet", "kb_test_Ab3dEf6hIj9L", Badge::new(Tone::Warn, "Disabled"), false),
                    self.key_row("Old script", "kb_live_000000000000", Badge::new(Tone::Plain, "Revoked"), false),
                ]
            }),
            back: String::new(),
            may_create: true,
            older: self.full.then(|| "?cursor=1".to_owned()),
            is_later_page: false,
            newest: list.clone(),
            download: self.full.then(|| download::link(&list, &[])),
            curl: self.say("curl https://api.northwind.example/v1/portfolios \\\n  -H \"Authorization: Bearer $SECRET_KEY\""),
        };
        let key = KeyPage {
            frame: self.frame(Section::Keys),
            key: self.key_row(
                "Warehouse import",
                "kb_live_7Hq2mZxK9TbW",
                Badge::new(Tone::Good, "Active"),
                self.full,
            ),
            list: list.clone(),
            periods: vec![Choice { label: "24 hours", href: "?period=24h".to_owned(), is_chosen: true }],
            chart: self.requests_chart(),
            refusals: self.some(|| vec![("Over a rate limit", "12".to_owned())]),
            is_without_scopes: !self.full,
            old_secret: self
                .full
                .then(|| OldSecret { last_used: Some(When::near(at(-3))), ends: When::near(at(1_260)) }),
            limits: self.some(|| vec![("100 requests in 60 seconds".to_owned(), self.say("requests_60"))]),
            networks: self.some(|| vec![self.say("192.0.2.0/24"), "2001:db8::/32".to_owned()]),
        };
        let new_key = NewKeyPage {
            frame: self.frame(Section::Keys),
            title: "Your new key",
            name: self.say("Warehouse import"),
            public_identifier: CopyField::new("public-identifier", "Public identifier", "kb_live_7Hq2mZxK9TbW"),
            secret_key: CopyField::new("secret-key", "Secret key", self.say("kb_live_7Hq2mZxK9TbW_N4vYc8RkQ1sXe6LpJ0aUwG3hDf5BtMzC4L998h")),
            is_without_scopes: !self.full,
            curl: self.say("curl https://api.northwind.example/v1/portfolios \\\n  -H \"Authorization: Bearer kb_live_7Hq2mZxK9TbW_N4vYc8RkQ1sXe6LpJ0aUwG3hDf5BtMzC4L998h\""),
            variable: "KEYBELL_SECRET_KEY".to_owned(),
            previous: self.full.then(|| When::at(at(1_440))),
            back: self.some(|| vec![("q", self.say("import"))]),
            list: list.clone(),
        };
        let revoke = RevokePage {
            frame: self.frame(Section::Keys),
            action: "#".to_owned(),
            list: list.clone(),
            back: self.say("?status=active"),
            name: self.say("Warehouse import"),
            id: "kb_live_7Hq2mZxK9TbW".to_owned(),
            last_used: self.full.then(|| When::near(at(-3))),
            last_used_from: self.full.then(|| self.say("198.51.100.7")),
            requests: if self.full { "1,204" } else { "0" }.to_owned(),
            type_name: self.full,
            typed: self.say("Warehouse"),
            errors: self.errors(),
        };
        let rotate = RotatePage {
            frame: self.frame(Section::Keys),
            action: "#".to_owned(),
            list: list.clone(),
            back: self.say("?status=active"),
            token: self.say("t"),
            name: self.say("Warehouse import"),
            id: "kb_live_7Hq2mZxK9TbW".to_owned(),
            overlaps: vec![(0, "Now", false), (3_600, "In an hour", false), (86_400, "In 24 hours", true)],
            previous: self.full.then(|| When::at(at(90))),
            errors: self.errors(),
        };
        vec![
            ("keys", drawn(&keys)),
            ("key", drawn(&key)),
            ("key-form", drawn(&self.key_form(false))),
            ("key-edit", drawn(&self.key_form(true))),
            ("key-new", drawn(&new_key)),
            ("key-again", drawn(&KeyAgainPage { frame: self.frame(Section::Keys), list })),
            ("key-revoke", drawn(&revoke)),
            ("key-rotate", drawn(&rotate)),
        ]
    }

    fn key_form(&self, editing: bool) -> KeyFormPage {
        let list = format!("{DEVELOPER}/api-keys");
        KeyFormPage {
            frame: self.frame(Section::Keys),
            editing: editing.then(|| EditedKey {
                id: "kb_live_7Hq2mZxK9TbW".to_owned(),
                name: self.say("Warehouse import"),
                enabled: true,
            }),
            action: self.say("#"),
            list,
            back: self.say("?status=active"),
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
                    is_wrong: self.errors().about(&format!("rate_limits[{}]", number - 1)).is_some(),
                })
                .collect(),
            more_open: !self.word.is_empty(),
            errors: self.errors(),
        }
    }
}
