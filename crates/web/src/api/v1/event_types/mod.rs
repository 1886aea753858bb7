//! Event types: the catalogue of what can happen.

mod archive;
mod create;
mod edit;
mod get;
mod list;
mod shape;

use keybell_app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list, create::create)).routes(routes!(
        get::get,
        edit::edit,
        archive::archive
    ))
}
