//! The list of a workspace's keys: filtered, searched, in one of several orders.

use keybell_core::grant::ReadKeys;
use keybell_core::key::{ApiKey, Environment, KeyId, KeyStatus, PublicIdentifier};
use keybell_core::{Grant, Problem, Timestamp};
use keybell_store::ops::api_keys::{KeyOrder, ListKeys};

use crate::page::cursor;
use crate::problems::of_store;
use crate::{App, Listing, Page};

/// Most characters of a search.
pub const SEARCH_CHARS_MAX: usize = 200;

/// Which keys of a workspace are wanted, and in which order.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// Only in this state.
    pub status: Option<KeyStatus>,
    /// Only of this environment.
    pub environment: Option<Environment>,
    /// Only with this text in the name or the description, or with this public identifier.
    pub search: Option<String>,
    /// What comes first.
    pub sort: KeySort,
}

/// The orders in which keys are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeySort {
    /// The newest first.
    #[default]
    Newest,
    /// By name.
    Name,
    /// The last used first, as far as that is written down, which it is a minute later.
    LastUse,
    /// What expires first.
    Expiry,
}

impl KeySort {
    /// The order from its beginning.
    const fn whole(self) -> KeyOrder {
        match self {
            KeySort::Newest => KeyOrder::Newest(None),
            KeySort::Name => KeyOrder::Name(None),
            KeySort::LastUse => KeyOrder::LastUse(None),
            KeySort::Expiry => KeyOrder::Expiry(None),
        }
    }

    /// The order from where a page of it ended; `None` where that is not what [`KeySort::cursor`] wrote.
    fn after(self, text: &str) -> Option<KeyOrder> {
        let (value, id) = text.rsplit_once('.')?;
        let id = KeyId::parse(id)?;
        let at = || Some(Timestamp::from_micros(value.parse().ok()?));
        Some(match self {
            KeySort::Newest => KeyOrder::Newest(Some((at()?, id))),
            KeySort::Name => KeyOrder::Name(Some((value.to_owned(), id))),
            KeySort::LastUse => KeyOrder::LastUse(Some((at()?, id))),
            KeySort::Expiry => KeyOrder::Expiry(Some((at()?, id))),
        })
    }

    /// Where a page ends whose last key is `key`, as it is stored.
    fn cursor(self, key: &ApiKey) -> String {
        let id = key.id.as_str();
        match self {
            KeySort::Newest => cursor(key.created_at, id),
            KeySort::Name => format!("{}.{id}", key.name),
            KeySort::LastUse => cursor(key.last_used_at.unwrap_or(KeyOrder::NEVER_USED), id),
            KeySort::Expiry => cursor(key.expires_at.unwrap_or(KeyOrder::NEVER_EXPIRES), id),
        }
    }
}

impl App {
    /// The keys of a workspace that `filter` means, in its order.
    pub async fn list_keys(
        &self,
        grant: Grant<ReadKeys>,
        filter: KeyFilter,
        page: Page,
    ) -> Result<Listing<ApiKey>, Problem> {
        let search = filter.search.filter(|text| !text.is_empty());
        if search.as_ref().is_some_and(|text| text.chars().count() > SEARCH_CHARS_MAX) {
            let message = format!("must have at most {SEARCH_CHARS_MAX} characters");
            return Err(Problem::field("q", "too_long", message));
        }
        let query = ListKeys {
            workspace: grant.workspace(),
            order: page.after(|text| filter.sort.after(text))?.unwrap_or(filter.sort.whole()),
            environment: filter.environment,
            status: filter.status,
            now: self.now(),
            id: search
                .as_deref()
                .and_then(|text| PublicIdentifier::parse(text, self.brand()))
                .map(|public| public.id),
            text: search,
            rows: page.rows(),
        };
        let found = self.store().read(query).await.map_err(of_store)?;
        let keys = found.into_iter().map(|stored| stored.key).collect();
        let listing = page.listing(keys, |key: &ApiKey| filter.sort.cursor(key));
        let data = listing.data.into_iter().map(|key| self.with_last_use(key)).collect();
        Ok(Listing { data, next_cursor: listing.next_cursor })
    }
}
