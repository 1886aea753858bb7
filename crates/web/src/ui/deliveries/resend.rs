//! Making deliveries again: one from its page, the ones that were ticked in the list, or all that a filter means.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::App;
use keybell_app::deliveries::{AboutToResend, DeliveryStatus, Resending};
use keybell_core::grant::ManageWebhooks;
use keybell_core::{Code, DeliveryId, Grant, Problem};

use super::list::{FILTERS, strictly};
use super::{Webhooks, badge, list_of};
use crate::problem::Answer;
use crate::ui::back::Back;
use crate::ui::fields::{Fields, Form};
use crate::ui::listed::{address, kept};
use crate::ui::signed::{Inside, form_token};
use crate::ui::view::deliveries::ResendPage;
use crate::ui::view::frame::Section;
use crate::ui::{first_time, once, page};

/// Why a delivery cannot be made again, as it is: it is pending, its webhook is off, deleted or somebody else's, its event is
/// no longer kept.
const CANNOT_BE: [Code; 4] = [Code::DeliveryPending, Code::Conflict, Code::Forbidden, Code::NotFound];
/// Most deliveries that are ticked at once: as many as a page of the list has at most.
const TICKED_MAX: usize = 250;

pub(super) async fn one(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    form: Form,
) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    let id = DeliveryId::parse(&id).ok_or(Code::NotFound)?;
    let back = |done: &str| Redirect::to(&format!("{}/{id}?done={done}", list_of(&here))).into_response();
    let Some(under_way) = first_time(&app, &here, &form).await? else {
        return Ok(back("again"));
    };
    let sender = app.clone();
    match once(&app, under_way, async move { sender.resend_delivery(grant, id).await }).await {
        Ok(_) => Ok(back("delivery-resent")),
        // Somebody else did it meanwhile, or another page of theirs: it is being made again as was wanted.
        Err(problem) if problem.code == Code::DeliveryPending => Ok(back("delivery-resent")),
        Err(problem) => Err(problem.into()),
    }
}

/// Those that were ticked. What cannot be made again is left as it is, and said.
pub(super) async fn these(State(app): State<App>, here: Inside, form: Form) -> Answer<Response> {
    let mut ticked = Vec::new();
    for id in form.all("delivery").take(TICKED_MAX).filter_map(DeliveryId::parse) {
        ticked.push((id, here.grant::<ManageWebhooks>()?));
    }
    here.grant::<ManageWebhooks>()?;
    let done = these_once(&app, &here, &form, ticked).await?;
    Ok(Redirect::to(&Back::of(list_of(&here), &FILTERS, &form).done(done)).into_response())
}

/// Makes them again, unless the form was sent before; what is to be said of it.
async fn these_once(
    app: &App,
    here: &Inside,
    form: &Form,
    ticked: Vec<(DeliveryId, Grant<ManageWebhooks>)>,
) -> Result<&'static str, Problem> {
    // Nothing is done, so that the same form may be sent once more with something ticked.
    if ticked.is_empty() {
        return Ok("deliveries-none");
    }
    let Some(under_way) = first_time(app, here, form).await? else { return Ok("again") };
    Ok(match once(app, under_way, resend(app.clone(), ticked)).await? {
        (0, _) => "deliveries-not-resent",
        (_, 0) => "deliveries-resent",
        _ => "deliveries-resent-some",
    })
}

/// Makes each of them again; how many were, and how many cannot be.
async fn resend(
    app: App,
    ticked: Vec<(DeliveryId, Grant<ManageWebhooks>)>,
) -> Result<(usize, usize), Problem> {
    let (mut resent, mut left) = (0, 0);
    for (id, grant) in ticked {
        match app.resend_delivery(grant, id).await {
            Ok(_) => resent += 1,
            Err(problem) if CANNOT_BE.contains(&problem.code) => left += 1,
            Err(problem) => return Err(problem),
        }
    }
    Ok((resent, left))
}

/// The page that says how many they are.
pub(super) async fn ask(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    let filter = strictly(&query)?;
    let status = filter.status.filter(|status| *status != DeliveryStatus::Pending).ok_or(Code::NotFound)?;
    let webhooks = Webhooks::of(&app, &here)?;
    let mut about = vec![("Status", badge(status).word)];
    about.extend(filter.webhook.map(|id| ("Webhook", webhooks.name(id))));
    about.extend(filter.event_type.clone().map(|name| ("Event type", name)));
    about.extend(filter.event.as_ref().map(|id| ("Event", id.to_string())));
    about.extend(query.some("answer").map(|answer| ("Last answer", answer)));
    about.extend(filter.from.map(|at| ("Made since", at.to_string())));
    about.extend(filter.until.map(|at| ("Made before", at.to_string())));
    let AboutToResend { deliveries, or_more } = app.about_to_resend(grant, filter).await?;
    let (list, kept) = (list_of(&here), kept(&query, &FILTERS));
    Ok(page(&ResendPage {
        frame: here.frame(Section::Deliveries),
        deliveries,
        or_more,
        about,
        action: format!("{list}/resend"),
        back: address(&list, &kept, None),
        token: form_token(&app),
        kept,
        list,
    })?)
}

pub(super) async fn many(State(app): State<App>, here: Inside, form: Form) -> Answer<Response> {
    let grant = here.grant::<ManageWebhooks>()?;
    let back = |done: &str| {
        let mut said = kept(&form, &FILTERS);
        said.push(("done", done.to_owned()));
        Redirect::to(&address(&list_of(&here), &said, None)).into_response()
    };
    let filter = strictly(&form)?;
    if filter.status.is_none() {
        return Err(Code::Malformed.into());
    }
    let Some(under_way) = first_time(&app, &here, &form).await? else {
        return Ok(back("again"));
    };
    let asked = app.clone();
    let work = async move { asked.resend_deliveries(grant, filter, Resending::Do).await };
    let deliveries = once(&app, under_way, work).await?;
    Ok(back(if deliveries == 0 { "deliveries-none-fit" } else { "deliveries-resent" }))
}
