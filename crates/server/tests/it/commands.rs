//! Commands that end by themselves.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{complained, installation, keybell, said};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn a_wrong_configuration_ends_every_command_with_2_and_says_what_is_allowed() {
    let folder = folder();
    let wrong = [("KEYBELL__DELIVERY__TIMEOUT", "5 parsecs"), ("KEYBELL__LOG__LEVEL", "loud")];
    for command in [&["serve"][..], &["migrate"], &["doctor"], &["config"], &["operator-key", "list"]] {
        let output = keybell(folder.path(), command, &wrong);
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(complained(&output), @r#"
            keybell: delivery.timeout = "5 parsecs" (environment, KEYBELL__DELIVERY__TIMEOUT) is not allowed: it must be a duration from 10ms to 2m, such as "2m"
            keybell: log.level = "loud" (environment, KEYBELL__LOG__LEVEL) is not allowed: it must be error, warn, info, debug or trace
            "#);
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was made");
}

#[test]
fn the_printed_default_is_a_configuration_that_changes_nothing() {
    let folder = folder();
    let default = said(&keybell(folder.path(), &["config", "--default"], &[]));
    std::fs::write(folder.path().join("keybell.toml"), &default).expect("it is written");
    let effective = keybell(folder.path(), &["config", "--config", "keybell.toml"], &[]);
    assert_eq!(effective.status.code(), Some(0), "{}", complained(&effective));
    let with_file = said(&effective).replace("  # keybell.toml", "");
    assert_eq!(with_file, said(&keybell(folder.path(), &["config"], &[])));
    assert!(default.lines().filter(|line| line.starts_with('#')).count() > 20, "it is commented");
}

#[test]
fn no_secret_is_in_the_printed_configuration() {
    let secrets = [
        ("KEYBELL__DATABASE__URL", "postgres://keybell:hunter2@db.internal/keybell"),
        ("KEYBELL__SERVER__MASTER_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
    ];
    let output = keybell(folder().path(), &["config"], &secrets);
    let shown = said(&output) + &complained(&output);
    assert!(shown.contains("postgres://keybell@db.internal"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("00112233"), "{shown}");
}

#[test]
fn an_operator_key_stands_alone_on_standard_output() {
    let installation = installation(None, "");
    let made = installation.command(&["operator-key", "create", "--name", "platform"]).expect("it runs");
    assert_eq!(made.status.code(), Some(0), "{}", complained(&made));
    let text = said(&made);
    let key = text.strip_suffix('\n').expect("one line");
    assert!(key.starts_with("kb_op_") && !key.contains(char::is_whitespace), "a key alone");
    assert!(!complained(&made).contains(key), "and nowhere else");

    let listed = said(&installation.command(&["operator-key", "list"]).expect("it runs"));
    let id = key.rsplit_once('_').expect("an id and a secret").0;
    assert!(listed.starts_with(id) && listed.ends_with("active  platform\n"), "{listed}");
    assert!(!listed.contains(key));

    let revoked = installation.command(&["operator-key", "revoke", id]).expect("it runs");
    assert_eq!((revoked.status.code(), said(&revoked).as_str()), (Some(0), ""));
    let listed = said(&installation.command(&["operator-key", "list"]).expect("it runs"));
    assert!(listed.contains("revoked 20") && !listed.contains("active"), "{listed}");
}

#[test]
fn an_operator_key_with_a_wrong_name_or_id_is_refused_in_a_sentence() {
    let installation = installation(None, "[log]\nlevel = \"error\"\n");
    for (command, sentence) in [
        (&["operator-key", "create", "--name", ""][..], "keybell: name must not be empty\n"),
        (
            &["operator-key", "revoke", "kb_op_000000000000"],
            "keybell: There is no operator key of this id; `operator-key list` shows them.\n",
        ),
    ] {
        let output = installation.command(command).expect("it runs");
        assert_eq!((output.status.code(), said(&output).as_str()), (Some(1), ""), "{command:?}");
        assert_eq!(complained(&output), sentence);
    }
}

#[test]
fn migrate_says_what_it_did_and_does_it_once() {
    let installation = installation(None, "");
    let first = said(&installation.command(&["migrate"]).expect("it runs"));
    assert!(first.starts_with("applied step 1 (") && first.ends_with("is up to date\n"), "{first}");
    let second = said(&installation.command(&["migrate"]).expect("it runs"));
    assert_eq!(second.lines().count(), 1, "{second}");
}

#[test]
fn without_leave_to_migrate_a_server_says_which_command_to_run() {
    let folder = folder();
    let variables = [("KEYBELL__DATABASE__MIGRATE", "false"), ("KEYBELL__SERVER__LISTEN", "127.0.0.1:0")];
    let output = keybell(folder.path(), &["serve"], &variables);
    assert_eq!(output.status.code(), Some(1));
    assert!(complained(&output).contains("run keybell migrate"), "{}", complained(&output));
}

#[test]
fn the_doctor_finds_nothing_wrong_with_a_good_installation_and_names_what_is() {
    let installation = installation(None, "");
    let healthy = installation.command(&["doctor"]).expect("it runs");
    assert_eq!(healthy.status.code(), Some(0), "{}", said(&healthy));
    for what in ["clock", "master key", "database", "listen", "public URL", "way out"] {
        assert!(said(&healthy).contains(what), "{what}: {}", said(&healthy));
    }
    assert!(!installation.folder().join("keybell.db").exists(), "it changes nothing");

    installation.operator_key("platform").expect("a key, and with it the master key");
    let key_file = installation.folder().join("master.key");
    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o644)).expect("its owner may");
    let sick = installation.command(&["doctor"]).expect("it runs");
    assert_eq!(sick.status.code(), Some(1));
    let line = said(&sick).lines().find(|line| line.starts_with("BAD")).map(str::to_owned);
    assert!(
        line.is_some_and(|line| line.contains("master key") && line.contains("chmod 600")),
        "{}",
        said(&sick)
    );
}

#[test]
fn the_doctor_may_look_while_the_server_runs() {
    let mut installation = installation(None, "");
    let before = said(&installation.command(&["doctor"]).expect("it runs"));
    assert!(before.contains("look  reach"), "nobody listens yet: {before}");
    installation.serve().expect("it starts");
    let beside = installation.command(&["doctor"]).expect("it runs");
    let found = said(&beside);
    assert_eq!(beside.status.code(), Some(0), "{found}");
    assert!(found.contains("in use by a server that answers") && found.contains("ok    reach"), "{found}");
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = said(&keybell(folder().path(), &["--version"], &[]));
    assert_eq!(version, format!("keybell {}\n", env!("CARGO_PKG_VERSION")));
}
