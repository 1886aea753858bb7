//! Events: published one or many at a time, listed, and read with their data.

mod batch;
mod get;
mod list;
mod publish;

use axum::Extension;
use keybell_app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::body::{BATCH_BODY_BYTES_MAX, BodyLimit};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list, publish::publish)).routes(routes!(get::get))
}

/// The batch, apart because its body may be larger.
pub(super) fn batch_router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(batch::publish_batch))
}

/// Lifts the limit of bodies for [`batch_router`].
pub(super) fn batch_limit() -> Extension<BodyLimit> {
    Extension(BodyLimit(BATCH_BODY_BYTES_MAX))
}
