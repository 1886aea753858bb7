//! Deliveries: what was sent, what came back, when it is tried again.

mod get;
mod list;
mod shape;

use keybell_app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(get::get))
}
