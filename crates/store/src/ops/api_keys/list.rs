//! Listing the keys of a workspace, in one of several orders.

use keybell_core::key::{Environment, KeyId, KeyStatus};
use keybell_core::{Timestamp, WorkspaceId};

use super::{StoredKey, columns, read_key};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Arg, Query, Read};

/// The keys whose places come after that of `$2` and `$3`, and that the filters mean.
macro_rules! meant {
    ($after:literal) => {
        concat!(
            "workspace_id = $1 AND ",
            $after,
            " AND (CAST($4 AS TEXT) IS NULL OR environment = $4) \
             AND (CAST($5 AS TEXT) IS NULL OR $5 = CASE WHEN revoked_at IS NOT NULL THEN 'revoked' \
             WHEN enabled = 0 THEN 'disabled' WHEN expires_at <= $6 THEN 'expired' ELSE 'active' END) \
             AND (CAST($7 AS TEXT) IS NULL OR LOWER(name) LIKE $8 ESCAPE '!' OR name LIKE $7 ESCAPE '!' \
             OR LOWER(description) LIKE $8 ESCAPE '!' OR description LIKE $7 ESCAPE '!' OR id = $9) "
        )
    };
}
/// The list of them in this order. A workspace has few enough keys to sort them: by their IDs alone, since SQLite moves what
/// it sorts.
macro_rules! sorted {
    ($after:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM api_keys WHERE workspace_id = $1 AND id IN (SELECT id FROM api_keys WHERE ",
            meant!($after),
            "ORDER BY ",
            $order,
            " LIMIT $10) ORDER BY ",
            $order
        )
    };
}

statements! {
    NEWEST = concat!(
        "SELECT ", columns!(), " FROM api_keys WHERE ", meant!("(created_at, id) < ($2, $3)"),
        "ORDER BY created_at DESC, id DESC LIMIT $10");
    BY_NAME = sorted!("(LOWER(name), id) > (LOWER($2), $3)", "LOWER(name), id");
    BY_LAST_USE = sorted!("(COALESCE(last_used_at, -1), id) < ($2, $3)", "COALESCE(last_used_at, -1) DESC, id DESC");
    BY_EXPIRY = sorted!("(COALESCE(expires_at, 9223372036854775807), id) > ($2, $3)",
        "COALESCE(expires_at, 9223372036854775807), id");
}

/// In which order keys are listed, and after which place: the value that the order is by, and the key's ID. `None` is the
/// beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    /// By when they were made, the newest first.
    Newest(Option<(Timestamp, KeyId)>),
    /// By name, without regard to the case of `a`–`z`.
    Name(Option<(String, KeyId)>),
    /// By when they were last used as far as that is stored, the latest first; those that never were come last, as if at -1.
    LastUse(Option<(Timestamp, KeyId)>),
    /// By when they expire, the earliest first; those that never do come last, as if at the end of all time.
    Expiry(Option<(Timestamp, KeyId)>),
}

impl KeyOrder {
    /// Where a key that was never used stands in [`KeyOrder::LastUse`].
    pub const NEVER_USED: Timestamp = Timestamp::from_micros(-1);
    /// Where a key that never expires stands in [`KeyOrder::Expiry`].
    pub const NEVER_EXPIRES: Timestamp = Timestamp::from_micros(i64::MAX);
}

/// Keys of a workspace.
#[derive(Debug)]
pub struct ListKeys {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// In which order, and after which of them.
    pub order: KeyOrder,
    /// Only keys of this environment.
    pub environment: Option<Environment>,
    /// Only keys in this state.
    pub status: Option<KeyStatus>,
    /// The instant at which the states are.
    pub now: Timestamp,
    /// Only keys with this text in the name or the description, without regard to the case of `a`–`z`.
    pub text: Option<String>,
    /// … or with this ID.
    pub id: Option<KeyId>,
    /// Most keys to give.
    pub rows: i64,
}

impl Query for ListKeys {
    const NAME: &'static str = "api_keys.list";
    type Out = Vec<StoredKey>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let end = Timestamp::from_micros(i64::MAX);
        let start = Timestamp::from_micros(i64::MIN);
        let (list, value, id): (_, Arg<'_>, Option<&KeyId>) = match &self.order {
            KeyOrder::Newest(None) => (&NEWEST, end.into(), None),
            KeyOrder::Newest(Some((at, id))) => (&NEWEST, (*at).into(), Some(id)),
            KeyOrder::Name(None) => (&BY_NAME, "".into(), None),
            KeyOrder::Name(Some((name, id))) => (&BY_NAME, name.into(), Some(id)),
            KeyOrder::LastUse(None) => (&BY_LAST_USE, end.into(), None),
            KeyOrder::LastUse(Some((at, id))) => (&BY_LAST_USE, (*at).into(), Some(id)),
            KeyOrder::Expiry(None) => (&BY_EXPIRY, start.into(), None),
            KeyOrder::Expiry(Some((at, id))) => (&BY_EXPIRY, (*at).into(), Some(id)),
        };
        let pattern = self.text.as_deref().map(containing);
        let lower = self.text.as_deref().map(|text| containing(&text.to_lowercase()));
        let args = [
            (&self.workspace).into(),
            value,
            id.map_or("", KeyId::as_str).into(),
            self.environment.map(Environment::as_str).into(),
            self.status.map(KeyStatus::as_str).into(),
            self.now.into(),
            pattern.as_ref().into(),
            lower.as_ref().into(),
            self.id.as_ref().map(KeyId::as_str).into(),
            self.rows.into(),
        ];
        tx.all(list, &args, read_key)
    }
}

/// A pattern of `LIKE … ESCAPE '!'` for what contains `text`.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for char in text.chars() {
        if matches!(char, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(char);
    }
    pattern.push('%');
    pattern
}
