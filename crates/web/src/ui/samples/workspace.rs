//! The workspace, its settings, its members, the overview, the audit log.

use super::{DEVELOPER, Sample, at, drawn};
use crate::ui::download;
use crate::ui::view::audit_log::{AuditChange, AuditLogPage, AuditRow};
use crate::ui::view::form::{CopyField, Field};
use crate::ui::view::frame::{Frame, Section};
use crate::ui::view::parts::When;
use crate::ui::view::workspace::{
    GeneralPage, MemberRow, MembersPage, OverviewPage, WorkspacePage, WorkspacesPage,
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
            keys_other: i64::from(self.full),
            webhooks_active: if self.full { "2" } else { "0" }.to_owned(),
            webhooks_other: i64::from(self.full),
            keys_chart: self.full.then(|| self.requests_chart()),
            webhooks_chart: self.full.then(|| self.attempts_chart()),
            may_manage_keys: true,
            may_manage_webhooks: true,
            is_new: !self.full,
            base_url: CopyField::new("base-url", "Base URL", self.say("https://keys.northwind.example")),
            workspace_id: CopyField::new("workspace-id", "Workspace id", "ws_06dhtsbh1nxwk8n6s4c3v9r7e0"),
        };
        let member = |is_self| MemberRow {
            name: self.say("Ada Lovelace"),
            is_self,
            email: Some(self.say("ada@evergreen.example")),
            role: "Owner",
            may: "may do everything",
            since: When::day(at(-9_000)),
        };
        let members = MembersPage {
            frame: self.frame(Section::Members),
            members: self.some(|| vec![member(false), member(true)]),
            shows_email: self.full,
            older: self.full.then(|| "?cursor=1".to_owned()),
            is_later_page: false,
            newest: "?".to_owned(),
        };
        vec![
            ("workspaces", drawn(&workspaces)),
            ("workspace", drawn(&workspace)),
            ("general", drawn(&general)),
            ("overview", drawn(&overview)),
            ("members", drawn(&members)),
            ("audit-log", drawn(&self.audit_log(false))),
            ("audit-log-failed", drawn(&self.audit_log(true))),
        ]
    }

    fn audit_log(&self, failed: bool) -> AuditLogPage {
        let change = |before, after| AuditChange { field: self.say("name"), before, after };
        let entry = |changes| AuditRow {
            at: When::at(at(0)),
            who: self.say("Ada Lovelace"),
            kind: "Member".to_owned(),
            by_actor: self.say("?actor=mem_1"),
            what: self.say("API key edited"),
            target_kind: "API key".to_owned(),
            target: self.say("kb_live_7Hq2mZxK9TbW"),
            on_target: self.say("?target=kb_live_7Hq2mZxK9TbW"),
            address: self.say("198.51.100.7"),
            request_id: self.say("req_1"),
            changes,
        };
        let list = "/w/ws_1/settings/advanced/audit-log".to_owned();
        AuditLogPage {
            frame: self.frame(Section::AuditLog),
            actions: vec![(self.say("api_key.edited"), self.say("API key edited"), false)],
            actor: self.word.to_owned(),
            target: self.word.to_owned(),
            period: self.period(),
            is_filtered: !self.word.is_empty(),
            failed,
            looked_to: self.full.then(|| When::at(at(-9))),
            entries: self.some(|| {
                let edited = change(Some(self.say("Old")), Some(self.say("New")));
                vec![entry(vec![edited, change(None, Some(self.say("New")))]), entry(Vec::new())]
            }),
            older: self.full.then(|| "?cursor=1".to_owned()),
            is_later_page: false,
            newest: list.clone(),
            download: self.full.then(|| download::link(&list, &[])),
            list,
        }
    }
}
