//! The API keys of a workspace.

mod create;
mod edit;
mod end_overlap;
mod get;
mod import;
mod list;
mod revoke;
mod revoke_many;
mod revoke_own;
mod rotate;
mod shapes;
mod usage;

use keybell_app::App;
use keybell_core::Code;
use keybell_core::key::KeyId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Failed;

pub(super) use shapes::EnvironmentWord;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get, edit::edit))
        .routes(routes!(rotate::rotate))
        .routes(routes!(end_overlap::end_overlap))
        .routes(routes!(revoke::revoke))
        .routes(routes!(revoke_many::revoke_many))
        .routes(routes!(import::import))
        .routes(routes!(usage::usage))
}

/// What the holder of a key may do, who may have no other right to it.
pub(super) fn own_router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(revoke_own::revoke_own))
}

/// The key that a path names by its public identifier. Whether it is one of the workspace's, the use case finds out.
fn named(app: &App, public_identifier: &str) -> Result<KeyId, Failed> {
    app.key_id(public_identifier).ok_or_else(|| Code::NotFound.into())
}
