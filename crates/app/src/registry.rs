//! The webhooks of all workspaces in memory, ready to be called: what an event is matched with and a delivery is sent by.
//!
//! A webhook's entry is replaced whole after each change, on the thread that committed it. Readers never wait.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybell_core::header::CustomHeader;
use keybell_core::payload::ContentType;
use keybell_core::selection::Selection;
use keybell_core::signature::SigningSecret;
use keybell_core::{Problem, Timestamp, WebhookId, WorkspaceId};
use keybell_store::Store;
use keybell_store::ops::webhooks::{LoadWebhooks, StoredWebhook, WebhookRateLimit};
use url::Url;

use crate::catalogue::Catalogue;
use crate::problems::of_store;
use crate::webhooks::seals::Seals;

/// Webhooks read at once at the start.
const LOAD_ROWS: i64 = 1_000;

/// A webhook, ready to be called. Cloning shares its secrets.
#[derive(Clone)]
pub struct LiveWebhook {
    /// Its id.
    pub id: WebhookId,
    /// The workspace it belongs to.
    pub workspace: WorkspaceId,
    /// What people call it.
    pub name: Arc<str>,
    /// Who made it, by their id.
    pub created_by_id: Arc<str>,
    /// Where its requests go.
    pub url: Url,
    /// Which events it wants.
    pub selection: Selection,
    /// How it wants them.
    pub content_type: ContentType,
    /// What is added to its requests.
    pub headers: Arc<[CustomHeader]>,
    /// What signs its requests, newest first; some may have expired, see [`LiveWebhook::signing_secrets`].
    pub secrets: Arc<[LiveSecret]>,
    /// How many requests to it may be under way at once, where it has a limit of its own.
    pub max_in_flight: Option<u32>,
    /// How often it may be called.
    pub rate_limit: Option<WebhookRateLimit>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Its version: greater after each change.
    pub updated_at: Timestamp,
}

/// A webhook as lists of other things speak of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedWebhook {
    /// Its id.
    pub id: WebhookId,
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Who made it, by their id.
    pub created_by_id: Arc<str>,
}

/// A signing secret, opened.
pub struct LiveSecret {
    /// The secret.
    pub secret: SigningSecret,
    /// Until when it signs, where it was rotated out.
    pub expires_at: Option<Timestamp>,
}

impl LiveWebhook {
    /// The webhook with its secrets opened. A secret that does not open was sealed under another master key, or changed in
    /// the database.
    pub(crate) fn open(stored: &StoredWebhook, seals: &Seals<'_>) -> Result<LiveWebhook, Problem> {
        let record = &stored.record;
        let of_webhook = |what: &str, why: &dyn std::fmt::Display| {
            Problem::internal(format!("the {what} of the webhook {} cannot be read: {why}", record.id))
        };
        let headers: Result<Vec<_>, _> =
            record.headers.iter().map(|header| seals.open_header(header)).collect();
        let secrets: Result<Vec<_>, _> =
            stored.secrets.iter().map(|sealed| seals.open_secret(sealed)).collect();
        Ok(LiveWebhook {
            id: record.id,
            workspace: record.workspace,
            name: record.name.as_str().into(),
            created_by_id: record.created_by.id.as_str().into(),
            url: Url::parse(&record.url).map_err(|error| of_webhook("URL", &error))?,
            selection: Selection::parse(&record.events).map_err(|error| of_webhook("events", &error))?,
            content_type: record.content_type,
            headers: headers.map_err(|error| of_webhook("headers", &error))?.into(),
            secrets: secrets.map_err(|error| of_webhook("signing secret", &error))?.into(),
            max_in_flight: record.max_in_flight,
            rate_limit: record.rate_limit,
            enabled: record.disabled.is_none(),
            updated_at: record.updated_at,
        })
    }

    /// The secrets that sign at `now`, newest first.
    pub fn signing_secrets(&self, now: Timestamp) -> Vec<&SigningSecret> {
        let signs = |live: &&LiveSecret| live.expires_at.is_none_or(|end| now < end);
        self.secrets.iter().filter(signs).map(|live| &live.secret).collect()
    }
}

impl NamedWebhook {
    fn of(webhook: &LiveWebhook) -> NamedWebhook {
        NamedWebhook {
            id: webhook.id,
            name: Arc::clone(&webhook.name),
            enabled: webhook.enabled,
            created_by_id: Arc::clone(&webhook.created_by_id),
        }
    }
}

/// The webhooks of all workspaces.
pub struct Registry {
    catalogue: Arc<Catalogue>,
    by_workspace: papaya::HashMap<WorkspaceId, Arc<[Arc<LiveWebhook>]>>,
    /// What was removed. A change that was committed before the removal, and comes to memory after it, changes nothing.
    /// It grows by 16 bytes for each webhook that is deleted, and is empty again after a restart.
    gone: Mutex<Gone>,
}

#[derive(Default)]
struct Gone {
    workspaces: HashSet<WorkspaceId>,
    webhooks: HashSet<WebhookId>,
}

impl Registry {
    pub(crate) fn new(catalogue: Arc<Catalogue>) -> Registry {
        Registry { catalogue, by_workspace: papaya::HashMap::new(), gone: Mutex::default() }
    }

    /// Reads all webhooks and opens their secrets.
    pub(crate) async fn load(
        &self,
        store: &Store,
        sealer: &keybell_core::seal::Sealer,
    ) -> Result<(), Problem> {
        let mut after = None;
        loop {
            let found = store.read(LoadWebhooks { after, rows: LOAD_ROWS }).await.map_err(of_store)?;
            let Some(last) = found.last() else { return Ok(()) };
            after = Some((last.record.workspace, last.record.id));
            for stored in &found {
                self.put(LiveWebhook::open(stored, &Seals::of(sealer, &stored.record))?);
            }
        }
    }

    /// The webhooks of `workspace` that are switched on and want events of that type.
    pub fn matching(&self, workspace: WorkspaceId, type_name: &str) -> Arc<[Arc<LiveWebhook>]> {
        let by_workspace = self.by_workspace.pin();
        let Some(webhooks) = by_workspace.get(&workspace) else { return Arc::default() };
        let event_type = self.catalogue.event_type(type_name);
        let group = event_type.as_ref().map_or("", |live| live.group());
        let wants =
            |webhook: &&Arc<LiveWebhook>| webhook.enabled && webhook.selection.wants(type_name, group);
        webhooks.iter().filter(wants).cloned().collect()
    }

    /// One webhook, switched on or not.
    pub fn get(&self, workspace: WorkspaceId, id: WebhookId) -> Option<Arc<LiveWebhook>> {
        let by_workspace = self.by_workspace.pin();
        by_workspace.get(&workspace)?.iter().find(|webhook| webhook.id == id).cloned()
    }

    /// What the webhooks of `workspace` are called.
    pub(crate) fn names(&self, workspace: WorkspaceId) -> Vec<NamedWebhook> {
        let by_workspace = self.by_workspace.pin();
        by_workspace
            .get(&workspace)
            .into_iter()
            .flat_map(|webhooks| webhooks.iter().map(|webhook| NamedWebhook::of(webhook)))
            .collect()
    }

    /// What one webhook of `workspace` is called, without looking at how the others are.
    pub(crate) fn name_of(&self, workspace: WorkspaceId, id: WebhookId) -> Option<NamedWebhook> {
        self.get(workspace, id).map(|webhook| NamedWebhook::of(&webhook))
    }

    /// How many webhooks there are.
    pub fn len(&self) -> usize {
        self.by_workspace.pin().values().map(|webhooks| webhooks.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_workspace.pin().is_empty()
    }

    /// Takes in a webhook as it is now, unless a newer version is here already.
    pub(crate) fn put(&self, webhook: LiveWebhook) {
        let gone = self.lock();
        if gone.workspaces.contains(&webhook.workspace) || gone.webhooks.contains(&webhook.id) {
            return;
        }
        let (workspace, id) = (webhook.workspace, webhook.id);
        let others = self.others(workspace, id);
        let newer = self.get(workspace, id).filter(|known| known.updated_at > webhook.updated_at);
        let webhook = newer.unwrap_or_else(|| Arc::new(webhook));
        self.by_workspace.pin().insert(workspace, others.into_iter().chain([webhook]).collect());
    }

    /// Switches a webhook off that was found to be gone, at the version `at`; what is stored of it says so already.
    pub(crate) fn switch_off(&self, workspace: WorkspaceId, id: WebhookId, at: Timestamp) {
        if let Some(webhook) = self.get(workspace, id) {
            self.put(LiveWebhook { enabled: false, updated_at: at, ..LiveWebhook::clone(&webhook) });
        }
    }

    /// Forgets a webhook that was deleted.
    pub(crate) fn remove(&self, workspace: WorkspaceId, id: WebhookId) {
        let mut gone = self.lock();
        gone.webhooks.insert(id);
        let others = self.others(workspace, id);
        self.by_workspace.pin().insert(workspace, others.into());
    }

    /// Forgets all webhooks of a workspace that was deleted. Gives what it forgot.
    pub(crate) fn forget_workspace(&self, workspace: WorkspaceId) -> Vec<WebhookId> {
        let mut gone = self.lock();
        gone.workspaces.insert(workspace);
        let by_workspace = self.by_workspace.pin();
        let forgotten = by_workspace.remove(&workspace);
        forgotten.into_iter().flat_map(|webhooks| webhooks.iter().map(|webhook| webhook.id)).collect()
    }

    fn others(&self, workspace: WorkspaceId, id: WebhookId) -> Vec<Arc<LiveWebhook>> {
        let by_workspace = self.by_workspace.pin();
        let Some(webhooks) = by_workspace.get(&workspace) else { return Vec::new() };
        webhooks.iter().filter(|webhook| webhook.id != id).cloned().collect()
    }

    /// Held while one entry is replaced. What it guards is whole at any time, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Gone> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: WorkspaceId = WorkspaceId::from_bytes([1; 16]);
    const WEBHOOK: WebhookId = WebhookId::from_bytes([2; 16]);

    fn webhook(path: &str, version: i64) -> LiveWebhook {
        LiveWebhook {
            id: WEBHOOK,
            workspace: WORKSPACE,
            name: path.into(),
            created_by_id: "person".into(),
            url: Url::parse("https://example.com").and_then(|url| url.join(path)).expect("it is a URL"),
            selection: Selection::parse(&["*".to_owned()]).expect("it is a selection"),
            content_type: ContentType::Json,
            headers: Arc::default(),
            secrets: Arc::new([]),
            max_in_flight: None,
            rate_limit: None,
            enabled: true,
            updated_at: Timestamp::from_seconds(version),
        }
    }

    fn registry() -> Registry {
        Registry::new(Arc::new(Catalogue::default()))
    }

    fn path(registry: &Registry) -> Option<String> {
        registry.get(WORKSPACE, WEBHOOK).map(|webhook| webhook.url.path().to_owned())
    }

    #[test]
    fn names_are_those_of_the_newest_versions_in_one_workspace() {
        let registry = registry();
        registry.put(webhook("/1", 1));
        registry.put(webhook("/2", 2));
        registry.switch_off(WORKSPACE, WEBHOOK, Timestamp::from_seconds(3));
        let named =
            NamedWebhook { id: WEBHOOK, name: "/2".into(), enabled: false, created_by_id: "person".into() };
        let elsewhere = WorkspaceId::from_bytes([9; 16]);
        assert_eq!(registry.name_of(WORKSPACE, WEBHOOK).as_ref(), Some(&named));
        assert_eq!(registry.names(WORKSPACE), [named]);
        assert!(registry.names(elsewhere).is_empty() && registry.name_of(elsewhere, WEBHOOK).is_none());
        assert_eq!(registry.name_of(WORKSPACE, WebhookId::from_bytes([3; 16])), None);
    }

    #[test]
    fn an_older_version_that_comes_late_changes_nothing() {
        let registry = registry();
        registry.put(webhook("/2", 2));
        registry.put(webhook("/1", 1));
        assert_eq!(path(&registry).as_deref(), Some("/2"));
        registry.put(webhook("/3", 3));
        assert_eq!((path(&registry).as_deref(), registry.len()), (Some("/3"), 1));
    }

    #[test]
    fn what_was_deleted_does_not_come_back() {
        let of_webhook = registry();
        of_webhook.put(webhook("/1", 1));
        of_webhook.remove(WORKSPACE, WEBHOOK);
        of_webhook.put(webhook("/2", 2));
        assert_eq!((path(&of_webhook), of_webhook.len()), (None, 0));

        let of_workspace = registry();
        of_workspace.put(webhook("/1", 1));
        assert_eq!(of_workspace.forget_workspace(WORKSPACE), [WEBHOOK]);
        of_workspace.put(webhook("/2", 2));
        assert_eq!((path(&of_workspace), of_workspace.is_empty()), (None, true));
    }

    #[test]
    fn a_webhook_that_is_gone_is_matched_no_more_until_it_is_enabled_later() {
        let registry = registry();
        registry.put(webhook("/1", 1));
        registry.switch_off(WORKSPACE, WEBHOOK, Timestamp::from_seconds(2));
        assert_eq!(registry.matching(WORKSPACE, "a").len(), 0);
        registry.put(webhook("/1", 3));
        assert_eq!(registry.matching(WORKSPACE, "a").len(), 1);
    }

    #[test]
    fn a_rotated_out_secret_signs_until_its_end_and_not_at_it() {
        let secret = |expires_at: Option<i64>| {
            let key = zeroize::Zeroizing::new(vec![7; 32]);
            let secret = SigningSecret::from_key_bytes(key).expect("it is long enough");
            LiveSecret { secret, expires_at: expires_at.map(Timestamp::from_seconds) }
        };
        let rotated = LiveWebhook { secrets: Arc::new([secret(None), secret(Some(10))]), ..webhook("/", 1) };
        let signs = |second| rotated.signing_secrets(Timestamp::from_seconds(second)).len();
        assert_eq!([signs(9), signs(10)], [2, 1]);
    }
}
