//! The secret of a new or rotated key, in the answer to the form that asked for it, and never again.

use axum::response::Response;
use keybell_app::App;
use keybell_app::keys::IssuedKey;
use keybell_core::Problem;

use super::{list_of, verifies_without_scopes};
use crate::envelope::base_url;
use crate::ui::back::Back;
use crate::ui::page;
use crate::ui::signed::Inside;
use crate::ui::view::form::CopyField;
use crate::ui::view::frame::Section;
use crate::ui::view::keys::NewKeyPage;
use crate::ui::view::parts::When;

pub(super) fn shown_once(
    app: &App,
    here: &Inside,
    title: &'static str,
    issued: &IssuedKey,
    back: &Back,
) -> Result<Response, Problem> {
    let secret_key = issued.secret_key.reveal();
    let id = issued.key.public_identifier(app.brand()).to_string();
    let previous = issued.key.previous_secret.filter(|previous| previous.expires_at > app.now());
    let base = base_url(app);
    page(&NewKeyPage {
        frame: here.frame(Section::Keys),
        title,
        name: issued.key.name.clone(),
        public_identifier: CopyField::new("public-identifier", "Public identifier", id),
        secret_key: CopyField::new("secret-key", "Secret key", secret_key),
        is_without_scopes: verifies_without_scopes(&issued.key, app.now()),
        curl: format!("curl -i {base}/v1/forward-auth \\\n  -H \"Authorization: Bearer {secret_key}\""),
        variable: "API_SECRET_KEY".to_owned(),
        previous: previous.map(|previous| When::at(previous.expires_at)),
        list: list_of(here),
        back: back.fields(),
    })
}
