//! The pages.

use axum::Router;
use keybell_app::App;

/// The routes of the pages.
pub fn router(app: App) -> Router {
    Router::new().with_state(app)
}
