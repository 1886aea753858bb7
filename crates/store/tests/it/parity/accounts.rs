//! Accounts, members, sessions, one-time links, what an installation is, repeatable requests.

use keybell_core::actor::Membership;
use keybell_core::{AuditId, Role};
use keybell_store::ops::{
    accounts, audit, idempotency, installation, members, one_time_links as links, sessions,
};

use super::dice::Dice;
use super::{Step, read, write};

pub(super) const STEPS: &[Step] = &[
    ("accounts.create", |dice| {
        write(accounts::CreateAccount {
            account: dice.id(3),
            email: dice.text("email", 4),
            name: dice.text("name", 9),
            password_hash: dice.text("hash", 9),
            member: member(dice),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("account.created"),
        })
    }),
    ("accounts.set_up", |dice| {
        write(accounts::SetUp {
            link_digest: dice.digest(3),
            account: dice.id(3),
            email: dice.text("email", 4),
            name: dice.text("name", 9),
            password_hash: dice.text("hash", 9),
            workspace: dice.workspace(),
            workspace_name: dice.text("workspace", 9),
            member: dice.id(6),
            session: session(dice),
            origin: dice.origin(),
            fact: dice.fact("workspace.created"),
        })
    }),
    ("accounts.find_credentials", |dice| read_credentials(dice)),
    ("accounts.find", |dice| read(accounts::FindAccount { account: dice.id(3) })),
    ("accounts.any", |_| read(accounts::AnyAccount)),
    ("members.add", |dice| {
        write(members::AddMember {
            place: member(dice),
            account: dice.id(3),
            by: dice.by(),
            origin: dice.origin(),
            fact: dice.fact("member.added"),
        })
    }),
    ("members.places", |dice| read_places(dice)),
    ("members.list", |dice| {
        read(members::ListMembers {
            workspace: dice.workspace(),
            before: dice.maybe(|dice| dice.id(6)),
            rows: 1 + dice.small(10),
        })
    }),
    ("links.make_setup", |dice| {
        write(links::MakeSetupLink { digest: dice.digest(3), at: dice.at(), expires_at: dice.at() })
    }),
    ("links.make_sign_in", |dice| {
        write(links::MakeSignInLink {
            digest: dice.digest(3),
            account: dice.id(3),
            at: dice.at(),
            expires_at: dice.at(),
        })
    }),
    ("links.is_live", |dice| {
        let kind = if dice.once_in(2) { links::LinkKind::Setup } else { links::LinkKind::SignIn };
        read(links::IsLive { kind, digest: dice.digest(3), now: dice.at() })
    }),
    ("links.sign_in", |dice| {
        write(links::SignInByLink { digest: dice.digest(3), session: session(dice), at: dice.at() })
    }),
    ("sessions.begin", |dice| {
        write(sessions::BeginSession { account: dice.id(3), session: session(dice), at: dice.at() })
    }),
    ("sessions.find", |dice| read_session(dice)),
    ("sessions.see", |dice| {
        write(sessions::SeeSession { digest: dice.digest(6), now: dice.at(), expires_at: dice.at() })
    }),
    ("sessions.list", |dice| read_sessions(dice)),
    ("sessions.end", |dice| {
        write(match dice.below(3) {
            0 => sessions::EndSessions::OfToken(dice.digest(6)),
            1 => sessions::EndSessions::One(dice.id(3), dice.digest(6)),
            _ => sessions::EndSessions::All(dice.id(3)),
        })
    }),
    ("idempotency.begin", |dice| {
        write(idempotency::BeginAnswer {
            slot: slot(dice),
            fingerprint: dice.digest(2).to_vec(),
            now: dice.at(),
        })
    }),
    ("idempotency.finish", |dice| {
        write(idempotency::FinishAnswer {
            slot: slot(dice),
            status: 201,
            body: dice.bytes(5),
            expires_at: dice.at(),
        })
    }),
    ("idempotency.abandon", |dice| write(idempotency::AbandonAnswer { slot: slot(dice) })),
    ("installation.remember_once", |dice| {
        write(installation::RememberOnce { name: dice.pick(&["a", "b"]), value: dice.bytes(3) })
    }),
    ("audit.list", |dice| {
        read(audit::ListEntries {
            workspace: dice.pick(&[dice.workspace(), audit::NO_WORKSPACE]),
            below: AuditId::from_bytes([0xff; 16]),
            from: dice.maybe(Dice::at),
            until: dice.maybe(Dice::at),
            actor_id: dice.maybe(|dice| dice.by().id),
            action: dice.maybe(|dice| dice.pick(&["workspace.created", "api_key.created"]).to_owned()),
            target_id: dice.maybe(|dice| dice.text("id_", 5)),
            rows: 1 + dice.small(10),
            looked_at_max: 1 + dice.small(4),
        })
    }),
];

fn member(dice: &Dice) -> members::NewMember {
    members::NewMember {
        workspace: dice.workspace(),
        member: dice.id(6),
        role: dice.pick(&[Role::Owner, Role::Admin, Role::Member, Role::Guest]),
    }
}

fn session(dice: &Dice) -> sessions::NewSession {
    sessions::NewSession {
        digest: dice.digest(6),
        expires_at: dice.at(),
        source_address: dice.maybe(|dice| dice.text("10.0.0.", 9)),
        user_agent: dice.maybe(|dice| dice.text("agent", 9)),
    }
}

fn slot(dice: &Dice) -> idempotency::Slot {
    idempotency::Slot { owner: dice.text("owner", 2), key: dice.text("key", 3), held_until: dice.at() }
}

fn read_credentials(dice: &Dice) -> super::Ask {
    super::read_as(accounts::FindCredentials { email: dice.text("email", 4) }, |found| {
        format!("{:?}", found.map(|found| (found.account, found.password_hash)))
    })
}

fn read_places(dice: &Dice) -> super::Ask {
    super::read_as(members::PlacesOf { account: dice.id(3) }, |places| format!("{:?}", texts(&places)))
}

fn read_session(dice: &Dice) -> super::Ask {
    super::read_as(sessions::FindSession { digest: dice.digest(6), now: dice.at() }, |found| {
        format!("{:?}", found.map(|s| (s.account, s.name, s.email, s.last_seen_at, texts(&s.places))))
    })
}

fn read_sessions(dice: &Dice) -> super::Ask {
    super::read_as(sessions::ListSessions { account: dice.id(3), now: dice.at() }, |list| {
        let show = |s: sessions::ListedSession| {
            (s.digest, s.created_at, s.last_seen_at, s.expires_at, s.source_address, s.user_agent)
        };
        format!("{:?}", list.into_iter().map(show).collect::<Vec<_>>())
    })
}

fn texts(places: &[members::Place]) -> Vec<(Membership, String)> {
    places.iter().map(|place| (place.membership, place.workspace_name.clone())).collect()
}
