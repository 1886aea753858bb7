//! Use cases that are called here and not there yet. An inherent method goes before these; then this file goes.
use keybell_app::App;
use keybell_core::{Actor, Code, Problem, WorkspaceId};
use std::net::IpAddr;

pub(crate) trait Awaited {
    fn actor_of_secret(&self, _: &str, _: Option<IpAddr>) -> Result<Actor, Problem> {
        Err(Code::Unavailable.into())
    }
    async fn actor_of_session(&self, _: &str) -> Result<Actor, Problem> {
        Err(Code::Unavailable.into())
    }
    fn resolve_workspace(&self, _: &Actor, _: &str) -> Result<WorkspaceId, Problem> {
        Err(Code::Unavailable.into())
    }
    async fn check_ready(&self) -> Result<(), Problem> {
        Err(Code::Unavailable.into())
    }
}
impl Awaited for App {}
