//! What surrounds every page: the names of the platform, the workspace and the person, and where in the whole one is.

/// The names under which the assets are served.
#[derive(Clone, Copy, Debug)]
pub struct AssetLinks {
    /// The style sheet.
    pub style: &'static str,
    /// The icon of the site.
    pub icon: &'static str,
    /// The modules, in no order.
    pub scripts: &'static [&'static str],
}

/// The surroundings of a page that needs nobody to be signed in.
#[derive(Clone)]
pub struct Door {
    /// What the platform is called.
    pub brand: String,
    /// The assets.
    pub assets: AssetLinks,
}

/// The surroundings of a signed-in person's page.
#[derive(Clone)]
pub struct Frame {
    /// What the platform is called.
    pub brand: String,
    /// The assets.
    pub assets: AssetLinks,
    /// What the person is called.
    pub person: String,
    /// What they sign in with.
    pub email: String,
    /// Where the person is.
    pub workspace: Option<Here>,
    /// Whether they have other workspaces to go to.
    pub has_others: bool,
    /// What was just done, to be told once.
    pub notice: Option<&'static str>,
}

/// The workspace that a page belongs to.
#[derive(Clone)]
pub struct Here {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The part of the pages that is open.
    pub section: Section,
    /// Whether the person may read the audit log.
    pub may_audit: bool,
}

/// The parts of a workspace's pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    /// The workspace itself.
    Home,
    /// Settings, General.
    General,
    /// Settings, Members.
    Members,
    /// Settings, Advanced Settings, Audit log.
    AuditLog,
    /// Settings, Advanced Settings, Developer, Overview.
    Overview,
    /// … API keys.
    Keys,
    /// … Webhooks.
    Webhooks,
    /// … Deliveries.
    Deliveries,
    /// … Events.
    Events,
    /// … Event catalogue.
    Catalogue,
}

impl Here {
    /// The address of the Developer page.
    pub fn developer(&self) -> String {
        format!("/w/{}/settings/advanced/developer", self.id)
    }

    /// Whether the page is in the Developer part.
    pub fn in_developer(&self) -> bool {
        self.sections().iter().any(|(.., open)| *open)
    }

    /// Whether the page is in the Settings.
    pub fn in_settings(&self) -> bool {
        self.section != Section::Home
    }

    /// Whether the page is in the Advanced Settings.
    pub fn in_advanced(&self) -> bool {
        self.in_developer() || self.section == Section::AuditLog
    }

    /// Whether the page is Settings, General.
    pub fn is_general(&self) -> bool {
        self.section == Section::General
    }

    /// Whether the page is Settings, Members.
    pub fn is_members(&self) -> bool {
        self.section == Section::Members
    }

    /// Whether the page is the audit log.
    pub fn is_audit_log(&self) -> bool {
        self.section == Section::AuditLog
    }

    /// The Developer page's sections: name, address, whether it is open.
    pub fn sections(&self) -> Vec<(&'static str, String, bool)> {
        let developer = self.developer();
        [
            ("Overview", "", Section::Overview),
            ("API keys", "/api-keys", Section::Keys),
            ("Webhooks", "/webhooks", Section::Webhooks),
            ("Deliveries", "/deliveries", Section::Deliveries),
            ("Events", "/events", Section::Events),
            ("Event catalogue", "/event-catalogue", Section::Catalogue),
        ]
        .map(|(name, path, section)| (name, format!("{developer}{path}"), section == self.section))
        .into()
    }
}
