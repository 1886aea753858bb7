//! API keys through the use cases: made, changed, refused.

mod at_once;
mod listed;

use std::time::Duration;

use keybell_app::keys::{IssuedKey, KeyFilter, KeyPatch, NewKey, OVERLAP_MAX};
use keybell_app::{App, Page};
use keybell_core::actor::Membership;
use keybell_core::grant::{Action, ManageKeys, Origin, ReadKeys};
use keybell_core::key::{Asked, Environment, KeyStatus, RequestKind, SecretKey};
use keybell_core::seal::MasterKey;
use keybell_core::{AccountId, Actor, Clock, Code, Grant, MemberId, Problem, Role, WorkspaceId};
use serde_json::{Map, json};

use crate::house::{House, On, START, house, settings, workspace};

fn operator() -> Actor {
    Actor::Operator { key: "kb_op_000000000000".to_owned(), name: "tests".to_owned() }
}

fn person(workspace: WorkspaceId, role: Role, number: u8) -> Actor {
    let member = MemberId::from_bytes([number; 16]);
    let account = AccountId::from_bytes([number; 16]);
    Actor::Person {
        account,
        name: "Ada".to_owned(),
        memberships: vec![Membership { member, workspace, role }],
    }
}

fn grant<A: Action>(actor: &Actor, workspace: WorkspaceId) -> Grant<A> {
    actor.grant(workspace, &Origin::default()).expect("the actor may do this")
}

fn named(name: &str) -> NewKey {
    NewKey {
        name: name.to_owned(),
        description: String::new(),
        environment: Environment::Live,
        scopes: Vec::new(),
        expires_at: None,
        allowed_networks: Vec::new(),
        rate_limits: Vec::new(),
        metadata: Map::new(),
    }
}

fn scopes(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

async fn made(app: &App, new: NewKey) -> IssuedKey {
    app.create_key(grant(&operator(), workspace(1)), new)
        .await
        .unwrap_or_else(|problem| panic!("{problem:?}"))
}

/// `valid`, or why not.
fn verdict(app: &App, secret_key: &SecretKey) -> &'static str {
    app.verify(secret_key.reveal(), &Asked::default(), |_| "valid")
        .unwrap_or_else(|refused| refused.code.as_str())
}

fn code<T>(answer: Result<T, Problem>) -> Code {
    answer.err().expect("it is refused").code
}

fn manage(actor: &Actor) -> Grant<ManageKeys> {
    grant(actor, workspace(1))
}

fn read(actor: &Actor) -> Grant<ReadKeys> {
    grant(actor, workspace(1))
}

#[tokio::test]
async fn a_key_lives_the_same_life_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let house = house(on).await;
        let app = &house.app;
        let issued = made(app, NewKey { scopes: scopes(&["keybell:keys.read"]), ..named("first") }).await;
        assert_eq!(
            app.key(read(&operator()), issued.key.id).await.expect("it is there"),
            issued.key,
            "{on:?}"
        );
        assert_eq!(verdict(app, &issued.secret_key), "valid", "{on:?}");
        let used = app.key(read(&operator()), issued.key.id).await.expect("it is there");
        assert_eq!(used.last_used_at, Some(house.clock.now()), "{on:?}");

        house.clock.advance(Duration::from_secs(1));
        let patch = KeyPatch {
            name: Some("renamed".to_owned()),
            expires_at: Some(Some(house.clock.now() + Duration::from_mins(1))),
            allowed_networks: Some(vec!["192.0.2.0/24".to_owned()]),
            ..KeyPatch::default()
        };
        let edited = app.edit_key(manage(&operator()), issued.key.id, patch).await.expect("it can be edited");
        assert_eq!(edited, app.key(read(&operator()), issued.key.id).await.expect("it is there"), "{on:?}");
        assert_eq!((edited.name.as_str(), edited.updated_at), ("renamed", house.clock.now()));
        assert_eq!(verdict(app, &issued.secret_key), "source_not_allowed", "{on:?}");

        let rotated = app.rotate_key(manage(&operator()), issued.key.id, Duration::from_secs(10)).await;
        let rotated = rotated.expect("it can be rotated");
        assert_eq!(rotated.secret_key.id(), issued.secret_key.id());
        assert!(
            rotated.key.previous_secret.is_some() && rotated.key.updated_at > edited.updated_at,
            "{on:?}"
        );

        let revoked = app.revoke_key(manage(&operator()), issued.key.id).await.expect("it can be revoked");
        assert_eq!(revoked.status(house.clock.now()), KeyStatus::Revoked);
        assert_eq!(revoked.revoked_by.as_ref().map(|by| by.name.as_str()), Some("tests"));
        assert_eq!(verdict(app, &issued.secret_key), "key_revoked", "{on:?}");
        assert_eq!(verdict(app, &rotated.secret_key), "key_revoked", "{on:?}");
        house.clock.advance(Duration::from_secs(1));
        let again = app.revoke_key(manage(&operator()), issued.key.id).await.expect("again is no error");
        assert_eq!(again, revoked, "{on:?}");
        let edit = app.edit_key(manage(&operator()), issued.key.id, KeyPatch::default()).await;
        assert_eq!(code(edit), Code::Conflict);
        let rotation = app.rotate_key(manage(&operator()), issued.key.id, Duration::ZERO).await;
        assert_eq!(code(rotation), Code::Conflict);
    }
}

#[tokio::test]
async fn after_a_restart_every_key_is_known_again_and_another_master_key_is_refused() {
    let house = house(On::SqliteFile).await;
    let issued = made(&house.app, named("first")).await;
    let gone = made(&house.app, named("gone")).await;
    house.app.revoke_key(manage(&operator()), gone.key.id).await.expect("it can be revoked");
    let operator_key = house.app.create_operator_key("backend").await.expect("there is room");

    let other = house.restarted(MasterKey::from_bytes([8; 32])).await;
    let refused = other.err().expect("another master key is refused");
    assert!(refused.detail.contains("master key"), "{refused}");
    let app = house.restarted(MasterKey::from_bytes([7; 32])).await.expect("the same master key is accepted");
    assert_eq!(verdict(&app, &issued.secret_key), "valid");
    assert_eq!(verdict(&app, &gone.secret_key), "key_revoked");
    assert!(matches!(
        app.actor_of_secret(operator_key.reveal(), None, RequestKind::Unknown),
        Ok(Actor::Operator { .. })
    ));
}

#[tokio::test]
async fn an_edit_merges_and_says_nothing_where_nothing_changes() {
    let house = house(On::Memory).await;
    let app = &house.app;
    let metadata =
        json!({ "plan": "pro", "nested": { "a": 1, "b": 2 } }).as_object().cloned().expect("an object");
    let expires_at = Some(START + Duration::from_mins(1));
    let before = made(app, NewKey { metadata, expires_at, ..named("first") }).await.key;
    house.clock.advance(Duration::from_secs(1));
    let same = KeyPatch { name: Some("first".to_owned()), ..KeyPatch::default() };
    assert_eq!(app.edit_key(manage(&operator()), before.id, same).await.expect("it can be edited"), before);

    let change =
        json!({ "nested": { "a": null, "c": 3 }, "plan": "free" }).as_object().cloned().expect("an object");
    let patch = KeyPatch { metadata: Some(Some(change)), expires_at: Some(None), ..KeyPatch::default() };
    let after = app.edit_key(manage(&operator()), before.id, patch).await.expect("it can be edited");
    assert_eq!(json!(after.metadata), json!({ "plan": "free", "nested": { "b": 2, "c": 3 } }));
    assert_eq!(after.expires_at, None);

    house.clock.advance(Duration::from_mins(2));
    let past = KeyPatch { expires_at: Some(Some(START)), ..KeyPatch::default() };
    assert_eq!(code(app.edit_key(manage(&operator()), before.id, past).await), Code::Validation);
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let house = house(On::Memory).await;
    let new = NewKey {
        expires_at: Some(START),
        scopes: scopes(&["Not A Scope"]),
        allowed_networks: vec!["192.0.2.1/24".to_owned()],
        ..named("")
    };
    let problem = house.app.create_key(manage(&operator()), new).await.err().expect("it is refused");
    let fields: Vec<&str> = problem.errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["name", "expires_at", "scopes[0]", "allowed_networks[0]"]);
}

#[tokio::test]
async fn a_disabled_key_is_refused_until_it_is_enabled_and_an_expired_one_until_its_expiry_is_moved() {
    let house = house(On::Memory).await;
    let app = &house.app;
    let IssuedKey { key, secret_key } = made(app, named("first")).await;
    let enabled = |enabled| KeyPatch { enabled: Some(enabled), ..KeyPatch::default() };
    app.edit_key(manage(&operator()), key.id, enabled(false)).await.expect("it can be disabled");
    assert_eq!(verdict(app, &secret_key), "key_disabled");
    app.edit_key(manage(&operator()), key.id, enabled(true)).await.expect("it can be enabled");
    assert_eq!(verdict(app, &secret_key), "valid");
    let until = |at| KeyPatch { expires_at: Some(Some(at)), ..KeyPatch::default() };
    let soon = house.clock.now() + Duration::from_secs(1);
    app.edit_key(manage(&operator()), key.id, until(soon)).await.expect("it can be given an end");
    assert_eq!(verdict(app, &secret_key), "valid");
    house.clock.set(soon);
    assert_eq!(verdict(app, &secret_key), "key_expired");
    app.edit_key(manage(&operator()), key.id, until(soon + Duration::from_secs(1)))
        .await
        .expect("it can be moved");
    assert_eq!(verdict(app, &secret_key), "valid");
}

#[tokio::test]
async fn both_secrets_are_good_during_the_overlap_of_a_rotation_and_one_after_it() {
    let house = house(On::Memory).await;
    let app = &house.app;
    let first = made(app, named("first")).await;
    let id = first.key.id;
    let second =
        app.rotate_key(manage(&operator()), id, Duration::from_mins(1)).await.expect("it can be rotated");
    assert_eq!((verdict(app, &first.secret_key), verdict(app, &second.secret_key)), ("valid", "valid"));
    house.clock.advance(Duration::from_mins(1));
    assert_eq!(
        (verdict(app, &first.secret_key), verdict(app, &second.secret_key)),
        ("secret_rotated_out", "valid")
    );

    let third = app.rotate_key(manage(&operator()), id, Duration::ZERO).await.expect("it can be rotated");
    assert_eq!(verdict(app, &first.secret_key), "invalid_key", "forgotten by the second rotation");
    assert_eq!(
        (verdict(app, &second.secret_key), verdict(app, &third.secret_key)),
        ("secret_rotated_out", "valid")
    );

    assert!(app.rotate_key(manage(&operator()), id, OVERLAP_MAX).await.is_ok());
    let past = app.rotate_key(manage(&operator()), id, OVERLAP_MAX + Duration::from_secs(1)).await;
    assert_eq!(code(past), Code::Validation);
}

#[tokio::test]
async fn a_key_gives_no_other_key_more_than_it_has() {
    let house = house(On::Memory).await;
    let app = &house.app;
    let own = scopes(&["keybell:keys.write", "keybell:keys.read"]);
    let issuer = made(app, NewKey { scopes: own.clone(), ..named("issuer") }).await;
    let issuer =
        app.actor_of_secret(issuer.secret_key.reveal(), None, RequestKind::Unknown).expect("it may act");
    let more = NewKey { scopes: scopes(&["keybell:events.publish"]), ..named("more") };
    assert_eq!(code(app.create_key(manage(&issuer), more.clone()).await), Code::Forbidden);
    let same = app.create_key(manage(&issuer), NewKey { scopes: own, ..named("same") }).await;
    let same = same.expect("what it has itself it can give");
    assert_eq!(same.key.created_by.kind, "api_key");

    let stronger = made(app, more).await;
    let rotated = app.rotate_key(manage(&issuer), stronger.key.id, Duration::ZERO).await;
    assert_eq!(code(rotated), Code::Forbidden, "it would learn the secret of a stronger key");
    let add = KeyPatch { scopes: Some(scopes(&["keybell:events.publish"])), ..KeyPatch::default() };
    assert_eq!(code(app.edit_key(manage(&issuer), same.key.id, add).await), Code::Forbidden);
    let rename = KeyPatch { name: Some("renamed".to_owned()), ..KeyPatch::default() };
    assert!(app.edit_key(manage(&issuer), stronger.key.id, rename).await.is_ok());
}

#[tokio::test]
async fn a_member_manages_their_own_keys_and_gives_none_that_manage_others() {
    let house = house(On::Memory).await;
    let app = &house.app;
    let (ada, bob) = (person(workspace(1), Role::Member, 1), person(workspace(1), Role::Member, 2));
    let adas = app.create_key(manage(&ada), named("Ada's")).await.expect("a member can make a key");
    for scope in ["keybell:keys.write", "keybell:webhooks.write"] {
        let strong = NewKey { scopes: scopes(&[scope]), ..named("strong") };
        assert_eq!(code(app.create_key(manage(&ada), strong.clone()).await), Code::Forbidden, "{scope}");
        let admin = person(workspace(1), Role::Admin, 3);
        assert!(app.create_key(manage(&admin), strong).await.is_ok(), "{scope}");
    }
    let rename = || KeyPatch { name: Some("renamed".to_owned()), ..KeyPatch::default() };
    assert_eq!(code(app.edit_key(manage(&bob), adas.key.id, rename()).await), Code::Forbidden);
    assert_eq!(code(app.rotate_key(manage(&bob), adas.key.id, Duration::ZERO).await), Code::Forbidden);
    assert_eq!(code(app.revoke_key(manage(&bob), adas.key.id).await), Code::Forbidden);
    assert_eq!(verdict(app, &adas.secret_key), "valid");
    assert!(app.key(read(&bob), adas.key.id).await.is_ok(), "everybody sees it");
    assert!(app.edit_key(manage(&ada), adas.key.id, rename()).await.is_ok());
    assert!(app.revoke_key(manage(&ada), adas.key.id).await.is_ok());
}

#[tokio::test]
async fn another_workspaces_key_does_not_exist() {
    let house = house(On::Memory).await;
    let app = &house.app;
    let id = made(app, named("first")).await.key.id;
    let elsewhere = || grant(&operator(), workspace(2));
    assert_eq!(code(app.key(grant(&operator(), workspace(2)), id).await), Code::NotFound);
    assert_eq!(code(app.edit_key(elsewhere(), id, KeyPatch::default()).await), Code::NotFound);
    assert_eq!(code(app.rotate_key(elsewhere(), id, Duration::ZERO).await), Code::NotFound);
    assert_eq!(code(app.revoke_key(elsewhere(), id).await), Code::NotFound);
    let listed = app.list_keys(grant(&operator(), workspace(2)), KeyFilter::default(), Page::default()).await;
    assert_eq!(listed.expect("it can be listed").data, []);
}

#[tokio::test]
async fn a_workspace_has_as_many_keys_as_it_may_and_not_one_more() {
    let mut few = settings();
    few.limits.api_keys_per_workspace = 2;
    let house = House::start(On::Memory, few).await;
    let app = &house.app;
    let first = made(app, named("first")).await;
    made(app, named("second")).await;
    app.revoke_key(manage(&operator()), first.key.id).await.expect("it can be revoked");
    assert_eq!(code(app.create_key(manage(&operator()), named("third")).await), Code::Conflict);
    assert!(app.create_key(grant(&operator(), workspace(2)), named("elsewhere")).await.is_ok());
}

#[tokio::test]
async fn a_deleted_workspaces_keys_are_refused_and_it_gets_no_new_ones() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let house = house(on).await;
        let app = &house.app;
        let issued = made(app, named("first")).await;
        app.delete_workspace(grant(&operator(), workspace(1))).await.expect("it can be deleted");
        assert_eq!(verdict(app, &issued.secret_key), "invalid_key", "{on:?}");
        let late = app.create_key(manage(&operator()), named("late")).await;
        assert_eq!(code(late), Code::NotFound, "{on:?}: with a grant from before the deletion");
        assert!(app.create_key(grant(&operator(), workspace(2)), named("elsewhere")).await.is_ok(), "{on:?}");
    }
}

#[tokio::test]
async fn a_clash_of_ids_is_resolved_by_another_id() {
    let house = house(On::Memory).await;
    let app = &house.app;
    house.randomness.rewind();
    let first = made(app, named("first")).await;
    house.randomness.rewind();
    let second = made(app, named("second")).await;
    assert_ne!(first.key.id, second.key.id);
    assert_eq!((verdict(app, &first.secret_key), verdict(app, &second.secret_key)), ("valid", "valid"));
}

#[tokio::test]
async fn only_the_secret_that_was_given_out_proves_a_key() {
    let house = house(On::Memory).await;
    let app = &house.app;
    let issued = made(app, named("first")).await;
    let public = issued.secret_key.public_identifier();
    let forged = SecretKey::mint_for(public, app.randomness());
    assert_eq!(verdict(app, &forged), "invalid_key");
    let unknown = SecretKey::mint(app.brand(), Environment::Live.kind(), app.randomness());
    assert_eq!(verdict(app, &unknown), "invalid_key");

    // The same ID and secret under the word for another environment, with a checksum that fits.
    let text = issued.secret_key.reveal().replace("_live_", "_test_");
    let stem = &text[..text.len() - 6];
    let mut rest = crc32fast::hash(stem.as_bytes());
    let mut checksum = [b'0'; 6];
    for digit in checksum.iter_mut().rev() {
        *digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(rest % 62) as usize];
        rest /= 62;
    }
    let swapped = format!("{stem}{}", std::str::from_utf8(&checksum).expect("digits are ASCII"));
    let swapped = SecretKey::parse(&swapped, app.brand()).expect("it has the shape of a key");
    assert_eq!(verdict(app, &swapped), "invalid_key");
}

#[tokio::test]
async fn other_kinds_of_credentials_are_no_api_keys_and_the_other_way_round() {
    let house = house(On::Memory).await;
    let app = &house.app;
    let operator_key = app.create_operator_key("backend").await.expect("there is room");
    assert_eq!(verdict(app, &operator_key), "invalid_key");
    let issued = made(app, NewKey { scopes: scopes(&["keybell:keys.read"]), ..named("first") }).await;
    let actor =
        app.actor_of_secret(issued.secret_key.reveal(), None, RequestKind::Unknown).expect("it may act");
    assert_eq!(actor.current_workspace(), Some(workspace(1)));
    assert!(actor.grant_operator(&Origin::default()).is_err());
    let setup = app.setup_link_if_needed().await.expect("it can be made").expect("nobody has an account");
    assert_eq!(verdict(app, &setup), "invalid_key");
    assert_eq!(code(app.actor_of_secret(setup.reveal(), None, RequestKind::Unknown)), Code::InvalidKey);
}

#[tokio::test]
async fn an_operator_key_acts_until_it_is_revoked() {
    let house = house(On::Memory).await;
    let app = &house.app;
    let secret_key = app.create_operator_key("backend").await.expect("there is room");
    let id = secret_key.public_identifier().to_string();
    assert!(app.actor_of_secret(secret_key.reveal(), None, RequestKind::Unknown).is_ok());
    let listed = app.list_operator_keys().await.expect("they can be listed");
    assert_eq!(
        listed.iter().map(|key| (key.id.to_string(), key.name.clone())).collect::<Vec<_>>(),
        [(id.clone(), "backend".to_owned())]
    );
    app.revoke_operator_key(&id).await.expect("it can be revoked");
    assert_eq!(code(app.actor_of_secret(secret_key.reveal(), None, RequestKind::Unknown)), Code::InvalidKey);
    app.revoke_operator_key(&id).await.expect("again is no error");
    assert_eq!(code(app.revoke_operator_key("kb_op_000000000000").await), Code::NotFound);
    assert_eq!(code(app.revoke_operator_key("kb_live_000000000000").await), Code::NotFound);
    assert_eq!(code(app.create_operator_key("").await), Code::Validation);
}

#[tokio::test]
async fn there_are_as_many_operator_keys_as_there_may_be_and_not_one_more() {
    let house = house(On::Memory).await;
    let mut last = None;
    for number in 0..keybell_app::operator_keys::OPERATOR_KEYS_MAX {
        last = Some(house.app.create_operator_key(&format!("{number}")).await.expect("there is room"));
    }
    assert_eq!(code(house.app.create_operator_key("one more").await), Code::Conflict);
    let last = last.expect("one was made").public_identifier().to_string();
    house.app.revoke_operator_key(&last).await.expect("it can be revoked");
    assert!(house.app.create_operator_key("another").await.is_ok());
}

#[tokio::test]
async fn a_server_learns_of_operator_keys_that_a_command_makes_and_revokes() {
    tokio::time::pause();
    let server = house(On::Memory).await;
    let command = server.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts");
    let secret_key = command.create_operator_key("by command").await.expect("there is room");
    let known = || server.app.actor_of_secret(secret_key.reveal(), None, RequestKind::Unknown).is_ok();
    let within_a_minute = async |wanted: bool| {
        for _ in 0..60 {
            if known() == wanted {
                return true;
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        false
    };
    assert!(within_a_minute(true).await);
    let id = secret_key.public_identifier().to_string();
    command.revoke_operator_key(&id).await.expect("it can be revoked");
    assert!(within_a_minute(false).await);
}
