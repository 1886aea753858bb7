//! Settings, Members: who is in a workspace. Nobody is invited, changed or removed here yet: the API cannot do it either.

use axum::extract::State;
use axum::response::Response;
use keybell_app::accounts::Member;
use keybell_app::{App, Page};
use keybell_core::Role;
use keybell_core::grant::{ManageMembers, ReadWorkspace};

use super::fields::Fields;
use super::listed::address;
use super::page;
use super::signed::Inside;
use super::view::frame::Section;
use super::view::parts::When;
use super::view::workspace::{MemberRow, MembersPage};
use crate::problem::Answer;
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    Routes::for_members().page("/w/{workspace}/settings/members", list)
}

async fn list(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let grant = here.grant::<ReadWorkspace>()?;
    let manages = here.grant::<ManageMembers>().ok();
    let shows_email = manages.is_some();
    let cursor = query.some("cursor");
    let is_later_page = cursor.is_some();
    let listing = app.list_members(grant, manages, Page::new(None, cursor)?).await?;
    let list = format!("/w/{}/settings/members", here.place.workspace);
    Ok(page(&MembersPage {
        frame: here.frame(Section::Members),
        members: listing.data.into_iter().map(|member| row(&here, member)).collect(),
        shows_email,
        older: listing.next_cursor.map(|cursor| address(&list, &[], Some(&cursor))),
        is_later_page,
        newest: list,
    })?)
}

fn row(here: &Inside, member: Member) -> MemberRow {
    let (role, may) = match member.role {
        Role::Owner => ("Owner", "may do everything"),
        Role::Admin => ("Admin", "may do everything but manage members and delete the workspace"),
        Role::Member => ("Member", "sees everything, manages what they made"),
        Role::Guest => ("Guest", "sees lists, no secrets and no payloads"),
    };
    MemberRow {
        is_self: member.id == here.place.member,
        name: member.name,
        email: member.email,
        role,
        may,
        since: When::day(member.since),
    }
}
