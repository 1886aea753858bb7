//! The workspace, its settings, the overview, the audit log.

use super::{DEVELOPER, Sample, at, drawn};
use crate::ui::view::frame::{Frame, Section};
use crate::ui::view::parts::{CopyField, Field, When};
use crate::ui::view::workspace::{
    AuditLogPage, AuditRow, GeneralPage, OverviewPage, WorkspacePage, WorkspacesPage,
};

impl Sample<'_> {
    pub(super) fn workspace_pages(&self) -> Vec<(&'static str, String)> {
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
            keys_chart: self.full.then(|| self.requests_chart()),
            webhooks_chart: self.full.then(|| self.attempts_chart()),
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
}
