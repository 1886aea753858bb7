//! An event sent again to a webhook that was sent it: the delivery of it is made again, as the API does it.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_core::event::EventId;
use keybell_core::grant::{ManageWebhooks, ReadPayloads};
use keybell_core::{Code, DeliveryId};

use super::list_of;
use crate::problem::Answer;
use crate::ui::fields::Form;
use crate::ui::signed::Inside;
use crate::ui::{first_time, once};

pub(super) async fn resend(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    form: Form,
) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    let event = EventId::parse(&id).map_err(|_| Code::NotFound)?;
    let delivery = DeliveryId::parse(form.one("delivery")).ok_or(Code::NotFound)?;
    // Nothing rests on the address, but what is sent again shall be what the page shows.
    let of = app.delivery(here.grant::<ReadPayloads>()?, delivery).await?.delivery.event_id;
    if of != event {
        return Err(Code::NotFound.into());
    }
    let own = format!("{}/{event}", list_of(&here));
    let Some(under_way) = first_time(&app, &here, &form).await? else {
        return Ok(Redirect::to(&format!("{own}?done=again")).into_response());
    };
    let sender = app.clone();
    once(&app, under_way, async move { sender.resend_delivery(grant, delivery).await }).await?;
    Ok(Redirect::to(&format!("{own}?done=delivery-resent")).into_response())
}
