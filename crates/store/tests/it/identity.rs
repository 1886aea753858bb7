//! Accounts, sessions, one-time links and audit entries, on both engines.

use std::time::Duration;

use keybell_core::grant::Origin;
use keybell_core::{AccountId, ActorRef, AuditId, MemberId, Role, Timestamp, WorkspaceId};
use keybell_store::Store;
use keybell_store::ops::accounts::{AnyAccount, CreateAccount, FindCredentials, SetUp};
use keybell_store::ops::audit::{AuditFact, ListEntries};
use keybell_store::ops::members::{AddMember, NewMember, PlacesOf};
use keybell_store::ops::one_time_links::{IsLive, LinkKind, MakeSetupLink, MakeSignInLink, SignInByLink};
use keybell_store::ops::sessions::{
    BeginSession, EndSessions, FindSession, ListSessions, NewSession, SESSIONS_PER_ACCOUNT_MAX, SeeSession,
};

use crate::engine::{Engine, NOW, on_both_engines};
use crate::furniture::{WORKSPACE, all_entries};

on_both_engines! {
    a_setup_link_makes_one_owner_however_often_it_is_used_at_once
    a_newer_setup_link_replaces_the_one_before_and_none_is_made_once_somebody_is_there
    a_session_past_the_limit_ends_the_one_not_seen_longest
    a_session_is_found_until_it_ends_and_sessions_of_others_stay
    a_sign_in_link_works_once_and_until_its_end
    an_email_address_and_a_place_are_given_once
    the_audit_log_is_read_newest_first_by_what_it_is_asked_for
}

const HOUR: Duration = Duration::from_hours(1);

fn session(number: u8) -> NewSession {
    let expires_at = NOW + HOUR * 24;
    NewSession {
        digest: [number; 32],
        expires_at,
        source_address: Some("192.0.2.1".into()),
        user_agent: None,
    }
}

fn at(number: u8) -> Timestamp {
    NOW + Duration::from_secs(number.into())
}

fn entry_id(number: u8) -> AuditId {
    AuditId::first_of(at(number))
}

fn fact(number: u8, action: &'static str) -> AuditFact {
    AuditFact {
        id: entry_id(number),
        at: at(number),
        action,
        target_kind: "member",
        target_id: format!("target {}", number % 2),
        changes_json: "{}".to_owned(),
    }
}

fn owner(number: u8, link: u8) -> SetUp {
    SetUp {
        link_digest: [link; 32],
        account: AccountId::from_bytes([number; 16]),
        email: format!("{number}@example.com"),
        name: format!("Owner {number}"),
        password_hash: "hash".to_owned(),
        workspace: WorkspaceId::from_bytes([number; 16]),
        workspace_name: "Evergreen".to_owned(),
        member: MemberId::from_bytes([number; 16]),
        session: session(number),
        origin: Origin::default(),
        fact: fact(number, "workspace.created"),
    }
}

fn setup_link(number: u8) -> MakeSetupLink {
    MakeSetupLink { digest: [number; 32], at: NOW, expires_at: NOW + HOUR }
}

async fn set_up(engine: &Engine) -> Store {
    let store = engine.open();
    assert!(store.write(setup_link(9)).await.expect("written"));
    assert!(store.write(owner(1, 9)).await.expect("written"));
    store
}

async fn a_setup_link_makes_one_owner_however_often_it_is_used_at_once(engine: Engine) {
    let store = engine.open();
    assert!(!store.read(AnyAccount).await.expect("read"));
    assert!(store.write(setup_link(9)).await.expect("written"));
    let calls: Vec<_> = (1..=8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.write(owner(number, 9)).await.expect("written") })
        })
        .collect();
    let mut owners = 0;
    for call in calls {
        owners += u8::from(call.await.expect("the task ends well"));
    }
    assert_eq!(owners, 1);
    let late = SetUp { fact: AuditFact { at: NOW + HOUR, ..fact(20, "workspace.created") }, ..owner(20, 9) };
    assert!(!store.write(late).await.expect("written"));
}

async fn a_newer_setup_link_replaces_the_one_before_and_none_is_made_once_somebody_is_there(engine: Engine) {
    let store = engine.open();
    for number in [8, 9] {
        assert!(store.write(setup_link(number)).await.expect("written"));
    }
    let live = |digest, now| IsLive { kind: LinkKind::Setup, digest, now };
    assert!(!store.read(live([8; 32], NOW)).await.expect("read"));
    assert!(store.read(live([9; 32], NOW)).await.expect("read"));
    assert!(!store.read(live([9; 32], NOW + HOUR)).await.expect("read"), "too old");
    assert!(!store.read(IsLive { kind: LinkKind::SignIn, digest: [9; 32], now: NOW }).await.expect("read"));
    assert!(!store.write(owner(1, 8)).await.expect("written"));
    assert!(store.write(owner(1, 9)).await.expect("written"));
    assert!(!store.write(setup_link(10)).await.expect("written"));
}

async fn a_session_past_the_limit_ends_the_one_not_seen_longest(engine: Engine) {
    let store = set_up(&engine).await;
    let account = AccountId::from_bytes([1; 16]);
    let most = u8::try_from(SESSIONS_PER_ACCOUNT_MAX).expect("it is small");
    for number in 2..=most {
        let at = NOW + Duration::from_secs(number.into());
        store.write(BeginSession { account, session: session(number), at }).await.expect("written");
    }
    let listed = || store.read(ListSessions { account, now: NOW + HOUR });
    assert_eq!(listed().await.expect("read").len(), usize::from(most));
    store.write(BeginSession { account, session: session(most + 1), at: NOW + HOUR }).await.expect("written");
    let listed = listed().await.expect("read");
    assert_eq!((listed.len(), listed[0].digest), (usize::from(most), [most + 1; 32]));
    assert!(listed.iter().all(|session| session.digest != [1; 32]), "the first gave way");
}

async fn a_session_is_found_until_it_ends_and_sessions_of_others_stay(engine: Engine) {
    let store = set_up(&engine).await;
    let account = AccountId::from_bytes([1; 16]);
    let find = |now| FindSession { digest: [1; 32], now };
    let found = store.read(find(NOW)).await.expect("read").expect("it lives");
    assert_eq!((found.account, &*found.name, &*found.email), (account, "Owner 1", "1@example.com"));
    assert_eq!((found.places.len(), found.places[0].membership.role), (1, Role::Owner));
    let end = NOW + HOUR * 24;
    assert!(store.read(find(end)).await.expect("read").is_none());
    store
        .write(SeeSession { digest: [1; 32], now: NOW + HOUR, expires_at: end + HOUR })
        .await
        .expect("written");
    assert!(store.read(find(end)).await.expect("read").is_some(), "it was seen meanwhile");
    store
        .write(SeeSession { digest: [1; 32], now: end + HOUR, expires_at: end + HOUR * 2 })
        .await
        .expect("written");
    assert!(store.read(find(end + HOUR)).await.expect("read").is_none(), "what ended stays ended");

    let stranger = AccountId::from_bytes([2; 16]);
    assert_eq!(store.write(EndSessions::One(stranger, [1; 32])).await.expect("written"), 0);
    assert_eq!(store.write(EndSessions::All(stranger)).await.expect("written"), 0);
    assert_eq!(store.write(EndSessions::One(account, [1; 32])).await.expect("written"), 1);
    assert_eq!(store.write(EndSessions::OfToken([1; 32])).await.expect("written"), 0);
}

async fn a_sign_in_link_works_once_and_until_its_end(engine: Engine) {
    let store = set_up(&engine).await;
    let account = AccountId::from_bytes([1; 16]);
    for number in [30, 31] {
        let link = MakeSignInLink { digest: [number; 32], account, at: NOW, expires_at: NOW + HOUR };
        store.write(link).await.expect("written");
    }
    let sign_in = |link: u8, at| SignInByLink { digest: [link; 32], session: session(link), at };
    assert_eq!(store.write(sign_in(30, NOW)).await.expect("written"), Some(account));
    assert_eq!(store.write(sign_in(30, NOW)).await.expect("written"), None);
    assert_eq!(store.write(sign_in(31, NOW + HOUR)).await.expect("written"), None);
    assert_eq!(store.write(sign_in(9, NOW)).await.expect("written"), None, "a setup link signs nobody in");
}

async fn an_email_address_and_a_place_are_given_once(engine: Engine) {
    let store = set_up(&engine).await;
    let by = || ActorRef { kind: "operator".into(), id: "kb_op_1".into(), name: "tests".into() };
    let create = |number: u8, email: &str| CreateAccount {
        account: AccountId::from_bytes([number; 16]),
        email: email.to_owned(),
        name: "Bea".to_owned(),
        password_hash: "hash".to_owned(),
        member: NewMember {
            workspace: WORKSPACE,
            member: MemberId::from_bytes([number; 16]),
            role: Role::Guest,
        },
        by: by(),
        origin: Origin::default(),
        fact: fact(number, "member.added"),
    };
    assert!(!store.write(create(40, "1@example.com")).await.expect("written"));
    assert!(store.write(create(41, "bea@example.com")).await.expect("written"));
    let found = store.read(FindCredentials { email: "bea@example.com".into() }).await.expect("read");
    let account = found.expect("she is there").account;
    let place = NewMember { workspace: WORKSPACE, member: MemberId::from_bytes([42; 16]), role: Role::Owner };
    let add =
        AddMember { place, account, by: by(), origin: Origin::default(), fact: fact(42, "member.added") };
    assert!(!store.write(add).await.expect("written"));
    let places = store.read(PlacesOf { account }).await.expect("read");
    assert_eq!((places.len(), places[0].membership.role), (1, Role::Guest), "it stays as it was");
}

async fn the_audit_log_is_read_newest_first_by_what_it_is_asked_for(engine: Engine) {
    let store = set_up(&engine).await;
    let by = ActorRef { kind: "operator".into(), id: "kb_op_1".into(), name: "tests".into() };
    for number in 2..=5 {
        let account = AccountId::from_bytes([number; 16]);
        let place =
            NewMember { workspace: WORKSPACE, member: MemberId::from_bytes([number; 16]), role: Role::Guest };
        let origin = Origin { source_address: "2001:db8::1".parse().ok(), request_id: "req_1".into() };
        let add = AddMember { place, account, by: by.clone(), origin, fact: fact(number, "member.added") };
        assert!(store.write(add).await.expect("written"));
    }
    let read = async |list: ListEntries| {
        let entries = store.read(list).await.expect("read").found;
        entries.iter().map(|entry| entry.at.since(NOW).as_secs()).collect::<Vec<_>>()
    };
    assert_eq!(read(all_entries()).await, [5, 4, 3, 2, 1]);
    assert_eq!(read(ListEntries { rows: 2, ..all_entries() }).await, [5, 4]);
    assert_eq!(read(ListEntries { below: entry_id(4), ..all_entries() }).await, [3, 2, 1]);
    assert_eq!(read(ListEntries { actor_id: Some("kb_op_1".into()), ..all_entries() }).await, [5, 4, 3, 2]);
    assert_eq!(read(ListEntries { action: Some("workspace.created".into()), ..all_entries() }).await, [1]);
    assert_eq!(read(ListEntries { target_id: Some("target 0".into()), ..all_entries() }).await, [4, 2]);
    assert_eq!(read(ListEntries { from: Some(at(2)), until: Some(at(4)), ..all_entries() }).await, [3, 2]);
    let other = WorkspaceId::from_bytes([2; 16]);
    assert_eq!(read(ListEntries { workspace: other, ..all_entries() }).await, [0; 0]);
    let entry = store.read(ListEntries { rows: 1, ..all_entries() }).await.expect("read").found.remove(0);
    assert_eq!((entry.source_address.as_deref(), &*entry.request_id), (Some("2001:db8::1"), "req_1"));
    assert_eq!((entry.by, entry.at), (by, Timestamp::from_seconds(NOW.seconds() + 5)));
}
