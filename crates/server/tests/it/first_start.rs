//! The first start, and starts that cannot be.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use keybell_testkit::installation::Installation;
use keybell_testkit::postgres::TestPostgres;

use crate::support::{complained, curl, installation, keybell, said};

fn setup_link(installation: &mut Installation) -> String {
    let line = installation.wait_for_line(|line| line.contains("/setup/")).expect("a first start prints it");
    line.strip_prefix("keybell: ").expect("every line says who says it").to_owned()
}

#[test]
fn it_makes_a_master_key_that_only_its_owner_can_read_and_keeps_it() {
    let mut installation = installation(None, "");
    installation.serve().expect("it starts");
    let path = installation.folder().join("master.key");
    let made = std::fs::read_to_string(&path).expect("it is there");
    assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert!(installation.stop().expect("it ends").success());
    installation.serve().expect("it starts again");
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), made);
    assert!(!installation.log_text().contains(made.trim()));
}

#[test]
fn its_link_makes_the_first_owner_once_and_is_not_printed_again() {
    let mut installation = installation(None, "");
    installation.serve().expect("it starts");
    let link = setup_link(&mut installation);
    assert!(link.starts_with(&installation.url("/setup/kb_setup_")), "{link}");
    assert_eq!(curl(&[&link]).0, 200);
    assert_eq!(curl(&[&link]).0, 200, "to look at it does not use it up");
    let form = "workspace_name=Acme&name=Ada&email=ada%40acme.example&password=correct+horse+battery";
    let (status, _) = curl(&["--data", form, &link]);
    assert_eq!(status, 303);
    assert_eq!(curl(&["--data", form, &link]).0, 404, "it is used up");

    assert!(installation.stop().expect("it ends").success());
    installation.serve().expect("it starts again");
    assert_eq!(curl(&[&installation.url("/healthz")]).0, 200);
    // Until it ends, everything that it said is there to be read.
    installation.stop().expect("it ends");
    assert!(!installation.log_text().contains("kb_setup_"));
}

#[test]
fn an_operator_key_made_beside_a_running_server_works_at_once() {
    let mut installation = installation(None, "");
    installation.serve().expect("it starts");
    let key = installation.operator_key("platform").expect("the server makes it");
    let bearer = format!("Authorization: Bearer {key}");
    let ask = || curl(&["--header", &bearer, &installation.url("/v1/workspaces")]).0;
    assert_eq!(ask(), 200);
    let id = key.rsplit_once('_').expect("an id and a secret").0;
    let revoked = installation.command(&["operator-key", "revoke", id]).expect("it runs");
    assert!(revoked.status.success(), "{}", complained(&revoked));
    assert_eq!(ask(), 401);
    let socket = installation.folder().join("keybell.sock");
    assert_eq!(std::fs::metadata(&socket).expect("it is there").permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_operator_key_survives_a_crash_that_leaves_the_socket_behind() {
    let mut installation = installation(None, "");
    installation.serve().expect("it starts");
    installation.kill();
    assert!(installation.folder().join("keybell.sock").exists(), "the crash left it");
    let key = installation.operator_key("platform").expect("the database is changed directly");
    installation.serve().expect("it starts again");
    let bearer = format!("Authorization: Bearer {key}");
    assert_eq!(curl(&["--header", &bearer, &installation.url("/v1/workspaces")]).0, 200);
}

#[test]
fn a_second_server_on_the_same_file_is_refused_and_the_first_is_not_disturbed() {
    let mut first = installation(None, "");
    first.serve().expect("it starts");
    let url = format!("sqlite:{}", first.folder().join("keybell.db").display());
    let variables = [("KEYBELL__DATABASE__URL", url.as_str()), ("KEYBELL__SERVER__LISTEN", "127.0.0.1:0")];
    let second = keybell(first.folder(), &["serve"], &variables);
    assert_eq!((second.status.code(), said(&second).as_str()), (Some(1), ""));
    let sentence = complained(&second);
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    assert!(sentence.contains("keybell.db is in use by another Keybell process"), "{sentence}");
    assert_eq!(curl(&[&first.url("/readyz")]).0, 200);
    first.operator_key("platform").expect("its socket still answers");
}

#[test]
fn a_port_that_is_taken_is_named_with_its_setting() {
    let mut first = installation(None, "");
    first.serve().expect("it starts");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = first.address().to_string();
    let output = keybell(folder.path(), &["serve"], &[("KEYBELL__SERVER__LISTEN", &address)]);
    assert_eq!(output.status.code(), Some(1));
    let sentence = complained(&output);
    let expected = format!("{address} is in use by another process; stop it, or change server.listen");
    assert!(sentence.contains(&expected), "{sentence}");
}

#[test]
fn another_master_key_than_the_databases_is_refused() {
    let mut installation = installation(None, "");
    installation.serve().expect("it starts");
    installation.stop().expect("it ends");
    let path = installation.folder().join("master.key");
    std::fs::write(&path, "0".repeat(64)).expect("its owner may");
    let output = installation.command(&["serve"]).expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let last = complained(&output).lines().last().map(str::to_owned).unwrap_or_default();
    assert!(last.starts_with("keybell: ") && last.contains("master key"), "{last}");
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let variables = [
        ("KEYBELL__DATABASE__URL", "postgres://keybell:hunter2@127.0.0.1:1/keybell"),
        ("KEYBELL__SERVER__LISTEN", "127.0.0.1:0"),
    ];
    let output = keybell(folder.path(), &["serve"], &variables);
    assert_eq!(output.status.code(), Some(1));
    let sentence = complained(&output);
    assert!(sentence.contains("postgres://keybell@127.0.0.1:1/keybell"), "{sentence}");
    assert!(!sentence.contains("hunter2") && sentence.lines().count() == 1, "{sentence}");
}

#[test]
fn it_serves_from_postgres_and_learns_of_an_operator_key_that_a_command_made_elsewhere() {
    let postgres = TestPostgres::shared();
    let database = postgres.new_database();
    let mut server = installation(Some(&database), "");
    server.serve().expect("it starts");
    // Another folder, as on another machine: no socket leads to the server.
    let key = installation(Some(&database), "");
    std::fs::create_dir(key.folder().join("keybell-data")).expect("a folder");
    let from = server.folder().join("keybell-data/master.key");
    std::fs::copy(from, key.folder().join("keybell-data/master.key")).expect("every node has the master key");
    let secret_key = key.operator_key("platform").expect("the database takes it");
    let bearer = format!("Authorization: Bearer {secret_key}");
    let deadline = Instant::now() + Duration::from_secs(20);
    let known = || curl(&["--header", &bearer, &server.url("/v1/workspaces")]).0 == 200;
    while !known() {
        assert!(Instant::now() < deadline, "the server did not learn of it");
    }
}
