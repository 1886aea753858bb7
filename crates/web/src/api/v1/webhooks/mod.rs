//! Webhooks: where a workspace's events go.

mod create;
mod delete;
mod edit;
mod get;
mod list;
mod recover;
mod rotate;
mod shape;
mod signing_secret;
mod stats;
mod test;

use keybell_app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, edit::edit, delete::delete))
        .routes(routes!(signing_secret::signing_secret))
        .routes(routes!(rotate::rotate))
        .routes(routes!(recover::recover))
        .routes(routes!(test::test))
        .routes(routes!(stats::stats))
}
