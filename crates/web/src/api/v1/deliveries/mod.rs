//! Deliveries: what was sent, what came back, when it is tried again.

mod filter;
mod get;
mod list;
mod resend;
mod resend_many;
mod shape;

use keybell_app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use resend_many::ResentDeliveries;
pub(super) use shape::Attempt;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(get::get))
        .routes(routes!(resend::resend))
        .routes(routes!(resend_many::resend_many))
}
