//! Workspaces through the use cases: made, found by each of their names, removed with everything in them.

use keybell_app::keys::NewKey;
use keybell_app::workspaces::{NewWorkspace, Workspace, WorkspacePatch};
use keybell_app::{App, Page};
use keybell_core::actor::Membership;
use keybell_core::grant::{Action, OperatorGrant, Origin};
use keybell_core::key::{Asked, Environment};
use keybell_core::seal::MasterKey;
use keybell_core::{AccountId, Actor, Code, Grant, MemberId, Problem, Role, WorkspaceId};
use serde_json::Map;

use crate::house::{On, house};
use crate::webhooks::{declare, new_webhook};

pub(crate) fn operator() -> Actor {
    Actor::Operator { key: "kb_op_000000000000".to_owned(), name: "tests".to_owned() }
}

pub(crate) fn operates() -> OperatorGrant {
    operator().grant_operator(&Origin::default()).expect("it is an operator")
}

pub(crate) fn person(workspace: WorkspaceId, role: Role, number: u8) -> Actor {
    let (member, account) = (MemberId::from_bytes([number; 16]), AccountId::from_bytes([number; 16]));
    Actor::Person {
        account,
        name: "Ada".to_owned(),
        memberships: vec![Membership { member, workspace, role }],
    }
}

pub(crate) fn grant<A: Action>(actor: &Actor, workspace: WorkspaceId) -> Grant<A> {
    actor.grant(workspace, &Origin::default()).expect("the actor may do this")
}

/// What was refused, and why.
pub(crate) fn code<T>(answer: Result<T, Problem>) -> Code {
    answer.err().expect("it is refused").code
}

/// The fields that were refused, each with its code.
pub(crate) fn fields<T>(answer: Result<T, Problem>) -> Vec<(String, &'static str)> {
    let problem = answer.err().expect("it is refused");
    problem.errors.into_iter().map(|error| (error.field, error.code)).collect()
}

pub(crate) async fn make(app: &App, name: &str, external_id: Option<&str>) -> Workspace {
    let new = NewWorkspace { name: name.to_owned(), external_id: external_id.map(str::to_owned) };
    app.create_workspace(operates(), new).await.expect("the workspace can be made")
}

fn external(id: Option<&str>) -> WorkspacePatch {
    WorkspacePatch { name: None, external_id: Some(id.map(str::to_owned)) }
}

#[tokio::test]
async fn a_workspace_is_found_by_its_id_by_the_platforms_own_and_as_current() {
    let house = house(On::Memory).await;
    let acme = make(&house.app, "Acme", Some("org:42")).await;
    let other = make(&house.app, "Other", None).await;
    let resolve =
        |actor: &Actor, text: &str| house.app.resolve_workspace(actor, text).map_err(|problem| problem.code);

    assert_eq!(resolve(&operator(), &acme.id.to_string()), Ok(acme.id));
    assert_eq!(resolve(&operator(), "org:42"), Ok(acme.id));
    assert_eq!(resolve(&operator(), "current"), Err(Code::NotFound));
    assert_eq!(resolve(&person(other.id, Role::Guest, 1), "current"), Ok(other.id));
    assert_eq!(resolve(&operator(), "org:43"), Err(Code::NotFound));
    let nobodys = WorkspaceId::from_bytes([9; 16]);
    assert_eq!(resolve(&operator(), &nobodys.to_string()), Err(Code::NotFound));

    // To somebody who does not belong there it does not exist, whichever way it is named.
    let stranger = person(other.id, Role::Owner, 1);
    let found = resolve(&stranger, "org:42").expect("the grant is what refuses");
    let refused = stranger.grant::<keybell_core::grant::ReadWorkspace>(found, &Origin::default());
    assert_eq!(Problem::from(refused.expect_err("it is none of theirs")).code, Code::NotFound);
}

#[tokio::test]
async fn an_external_id_names_one_workspace_at_a_time() {
    for on in [On::Memory, On::Postgres] {
        let house = house(on).await;
        let app = &house.app;
        let first = make(app, "First", Some("1")).await;
        let second = make(app, "Second", None).await;
        make(app, "Third", None).await;

        let again = NewWorkspace { name: "Again".to_owned(), external_id: Some("1".to_owned()) };
        assert_eq!(code(app.create_workspace(operates(), again).await), Code::Conflict, "{on:?}");
        let taken = app.edit_workspace(grant(&operator(), second.id), external(Some("1"))).await;
        assert_eq!(code(taken), Code::Conflict, "{on:?}");

        app.edit_workspace(grant(&operator(), first.id), external(None)).await.expect("it is given up");
        let given = app.edit_workspace(grant(&operator(), second.id), external(Some("1"))).await;
        assert_eq!(given.expect("it is free").external_id.as_deref(), Some("1"));
        for app in
            [app.clone(), house.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts again")]
        {
            let named = app.resolve_workspace(&operator(), "1").map_err(|problem| problem.code);
            assert_eq!(named, Ok(second.id), "{on:?}");
        }
    }
}

#[tokio::test]
async fn owners_rename_their_workspace_and_leave_the_platforms_id_alone() {
    let house = house(On::Memory).await;
    let acme = make(&house.app, "Acme", Some("1")).await;
    let owner = person(acme.id, Role::Owner, 1);
    house.clock.advance(std::time::Duration::from_secs(1));
    let renamed = WorkspacePatch { name: Some("Acme Ltd".to_owned()), external_id: None };
    let after = house.app.edit_workspace(grant(&owner, acme.id), renamed).await.expect("owners may");
    assert_eq!((after.name.as_str(), after.external_id.as_deref()), ("Acme Ltd", Some("1")));

    let moved = house.app.edit_workspace(grant(&owner, acme.id), external(Some("2"))).await;
    assert_eq!(fields(moved), [("external_id".to_owned(), "not_allowed")]);
    let nameless = WorkspacePatch { name: Some(" ".to_owned()), external_id: None };
    let refused = house.app.edit_workspace(grant(&owner, acme.id), nameless).await;
    assert_eq!(fields(refused), [("name".to_owned(), "required")]);

    let log = house.app.list_audit(
        grant(&owner, acme.id),
        keybell_app::audit::AuditFilter::default(),
        Page::default(),
    );
    let log = log.await.expect("owners may read it").data;
    let said: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), entry.by.kind.as_str())).collect();
    assert_eq!(said, [("workspace.edited", "member"), ("workspace.created", "operator")]);
    assert_eq!(log[0].changes_json, r#"{"name":{"from":"Acme","to":"Acme Ltd"}}"#);
}

#[tokio::test]
async fn a_deleted_workspace_is_gone_with_everything_in_it_and_nothing_else_is() {
    for on in [On::Memory, On::Postgres] {
        let house = house(on).await;
        let app = &house.app;
        declare(app, "portfolio.updated").await;
        let mut secret_keys = Vec::new();
        let mut workspaces = Vec::new();
        for name in ["1", "2"] {
            let workspace = make(app, name, Some(name)).await;
            let key = NewKey {
                name: "key".to_owned(),
                description: String::new(),
                environment: Environment::Live,
                scopes: Vec::new(),
                expires_at: None,
                allowed_networks: Vec::new(),
                rate_limits: Vec::new(),
                metadata: Map::new(),
            };
            let issued = app.create_key(grant(&operator(), workspace.id), key).await.expect("a key");
            secret_keys.push(issued.secret_key);
            let webhook = app.create_webhook(grant(&operator(), workspace.id), new_webhook(&["*"])).await;
            webhook.expect("a webhook");
            workspaces.push(workspace);
        }
        let [gone, stays] = [workspaces[0].id, workspaces[1].id];
        app.delete_workspace(grant(&operator(), gone)).await.expect("operators may");

        for app in
            [app.clone(), house.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts again")]
        {
            let valid = |at: usize| app.verify(secret_keys[at].reveal(), &Asked::default(), |_| ()).is_ok();
            assert_eq!([valid(0), valid(1)], [false, true], "{on:?}");
            assert_eq!(app.registry().matching(gone, "portfolio.updated").len(), 0, "{on:?}");
            assert_eq!(app.registry().matching(stays, "portfolio.updated").len(), 1, "{on:?}");
            let named = |text: &str| app.resolve_workspace(&operator(), text).is_ok();
            assert_eq!([named("1"), named("2"), named(&gone.to_string())], [false, true, false], "{on:?}");
            assert_eq!(code(app.workspace(grant(&operator(), gone)).await), Code::NotFound, "{on:?}");
            let left =
                app.list_webhooks(grant(&operator(), gone), Page::default()).await.expect("an empty list");
            assert_eq!(left.data, [], "{on:?}");
        }
        // What comes too late makes nothing in a workspace that is gone, and deleting it again finds nothing.
        let late = app.create_webhook(grant(&operator(), gone), new_webhook(&["*"])).await;
        assert_eq!(code(late.map(|_| ())), Code::NotFound, "{on:?}");
        assert_eq!(code(app.delete_workspace(grant(&operator(), gone)).await), Code::NotFound, "{on:?}");
    }
}

#[tokio::test]
async fn workspaces_are_listed_newest_first_in_pages() {
    let house = house(On::Memory).await;
    for name in ["1", "2", "3"] {
        house.clock.advance(std::time::Duration::from_secs(1));
        make(&house.app, name, None).await;
    }
    let page = async |cursor: Option<String>| {
        let page = Page::new(Some(2), cursor).expect("2 is within the limit");
        let listed = house.app.list_workspaces(operates(), page).await.expect("operators may");
        (listed.data.into_iter().map(|workspace| workspace.name).collect::<Vec<_>>(), listed.next_cursor)
    };
    // The house's own workspaces have ids of their own making: one far in the future, one far in the past.
    let (first, cursor) = page(Some(WorkspaceId::from_bytes([2; 16]).to_string())).await;
    assert_eq!(first, ["3", "2"]);
    make(&house.app, "4", None).await;
    // What is made meanwhile moves nothing.
    let (second, _) = page(cursor).await;
    assert_eq!(second[0], "1");
}
