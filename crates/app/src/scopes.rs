//! Scopes: what a platform's API keys may be allowed. Declared by the platform, read by everybody.

use std::sync::Arc;

use keybell_core::fields;
use keybell_core::grant::OperatorGrant;
use keybell_core::{Code, FieldError, Problem, Timestamp, scope};
use keybell_store::ops::scopes::{DeleteScope, InsertScope, Inserted};
use serde_json::json;

pub use keybell_store::ops::scopes::Scope;

use crate::page::{cursor, read_cursor};
use crate::problems::refuse_any;
use crate::{App, Listing, Page};

/// Most scopes of an installation: all are in memory, and a page offers them.
pub const SCOPES_MAX: i64 = 1_000;

/// What a scope shall be.
#[derive(Clone, Debug)]
pub struct NewScope {
    /// Its name, such as `reports:read`.
    pub name: String,
    /// What it allows.
    pub description: String,
}

impl App {
    /// Declares a scope. [`Code::Conflict`] where the name is in use, or the catalogue is full.
    pub async fn create_scope(&self, grant: OperatorGrant, new: NewScope) -> Result<Scope, Problem> {
        let named = scope::check_declared(&new.name)
            .map_err(|error| FieldError::new("name", "invalid", error.to_string()));
        refuse_any([named, fields::description(&new.description)])?;
        let _changing = self.catalogue().changing.lock().await;
        let now = self.now();
        let scope = Scope { name: new.name, description: new.description, created_at: now };
        let changes = json!({ "description": { "to": scope.description } });
        let op = InsertScope {
            scope: scope.clone(),
            scopes_max: SCOPES_MAX,
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(now, "scope.created", &scope.name, changes),
        };
        let (catalogue, live) = (Arc::clone(self.catalogue()), scope.clone());
        let inserted = self.commit(op, move |inserted| {
            if *inserted == Inserted::Done {
                catalogue.put_scope(live);
            }
        });
        match inserted.await? {
            Inserted::Done => Ok(scope),
            Inserted::Taken => Err(Problem::new(Code::Conflict, "There is a scope of that name already.")),
            Inserted::Full => {
                let detail = format!("The catalogue has {SCOPES_MAX} scopes, as many as it may have.");
                Err(Problem::new(Code::Conflict, detail))
            }
        }
    }

    /// The platform's scopes, newest first, and after them Keybell's own. From memory.
    pub fn list_scopes(&self, page: &Page) -> Result<Listing<Scope>, Problem> {
        let mut all = self.catalogue().scopes();
        all.extend(scope::OWN.iter().map(|(name, description)| Scope {
            name: (*name).to_owned(),
            description: (*description).to_owned(),
            created_at: Timestamp::EPOCH,
        }));
        all.sort_unstable_by(|a, b| (b.created_at, &b.name).cmp(&(a.created_at, &a.name)));
        if let Some((at, name)) = page.after(read_cursor)? {
            all.retain(|scope| (scope.created_at, &scope.name) < (at, &name));
        }
        all.truncate(usize::try_from(page.rows()).unwrap_or(usize::MAX));
        Ok(page.listing(all, |scope| cursor(scope.created_at, &scope.name)))
    }

    /// Removes a scope from the catalogue. Keys that have it keep it; no key can be given it any more.
    pub async fn delete_scope(&self, grant: OperatorGrant, name: &str) -> Result<(), Problem> {
        let _changing = self.catalogue().changing.lock().await;
        let op = DeleteScope {
            name: name.to_owned(),
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(self.now(), "scope.deleted", name, json!({})),
        };
        let (catalogue, deleted) = (Arc::clone(self.catalogue()), name.to_owned());
        let done = self.commit(op, move |done| {
            if *done {
                catalogue.remove_scope(&deleted);
            }
        });
        if done.await? { Ok(()) } else { Err(Code::NotFound.into()) }
    }

    /// Whether the platform declared that scope. From memory.
    pub(crate) fn is_declared_scope(&self, name: &str) -> bool {
        self.catalogue().has_scope(name)
    }
}
