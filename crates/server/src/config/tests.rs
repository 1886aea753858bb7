//! The configuration as an operator writes it: what holds, and what is refused in which words.

use std::time::Duration;

use keybell_app::settings::Settings;

use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Environment { variables: variables.iter().map(owned).collect() }
}

fn from_file(text: &str) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("it is written");
    Config::load(Some(file.path()), &environment(&[]))
        .map_err(|bad| bad.to_string().replace(&file.path().display().to_string(), "FILE"))
}

fn from_environment(name: &str, value: &str) -> Result<Config, String> {
    Config::load(None, &environment(&[(name, value)])).map_err(|bad| bad.to_string())
}

#[test]
fn the_commented_default_is_the_default() {
    let config = Config::load(None, &environment(&[])).expect("the defaults are allowed");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.delivery.retry_schedule.len(), 9);
    assert_eq!(config.delivery.retry_schedule[1], Duration::from_mins(5));
    assert_eq!(config.master_key_file(), Path::new("keybell-data/master.key"));
    // Tests and benches stand on these: what is true of them is true of what is shipped.
    let known = Settings::at("http://127.0.0.1:8080/".parse().expect("it is a URL"));
    assert_eq!(config.delivery, known.delivery);
    assert_eq!(config.limits, known.limits);
    assert_eq!(config.retention, known.retention);
    let again = from_file(config.effective()).expect("what is printed is a configuration");
    let settings = |config: &Config| -> Vec<String> {
        config.effective().lines().map(|line| line.split("  #").take(1).collect()).collect()
    };
    assert_eq!(settings(&again), settings(&config));
}

#[test]
fn the_file_goes_over_the_defaults_and_the_environment_over_the_file() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), "[delivery]\ntimeout = \"9s\"\nretry_jitter = 20\n").expect("it is written");
    let variables = [
        ("KEYBELL__DELIVERY__RETRY_JITTER", "0"),
        ("KEYBELL__DELIVERY__RETRY_SCHEDULE", "1s,2m"),
        ("KEYBELL__DELIVERY__REQUIRE_HTTPS", "false"),
        ("KEYBELL__BRAND__NAME", "2026"),
        ("PATH", "/bin"),
    ];
    let config = Config::load(Some(file.path()), &environment(&variables)).expect("a good configuration");
    assert_eq!(config.delivery.timeout, Duration::from_secs(9));
    assert_eq!(config.delivery.retry_jitter_percent, 0);
    assert_eq!(config.delivery.retry_schedule, [Duration::from_secs(1), Duration::from_mins(2)]);
    assert!(!config.delivery.require_https && config.brand.name == "2026");
    let effective = config.effective();
    assert!(
        effective.contains("retry_jitter = 0  # environment, KEYBELL__DELIVERY__RETRY_JITTER"),
        "{effective}"
    );
    assert!(effective.contains(&format!("timeout = \"9s\"  # {}", file.path().display())), "{effective}");
}

#[test]
fn a_wrong_setting_is_refused_with_its_name_its_value_and_what_is_allowed() {
    let refusals: Vec<String> = [
        "[delivery]\ntimeout = \"5 parsecs\"",
        "[delivery]\ntimeout = 5",
        "[delivery]\nconnect_timeout = \"20s\"",
        "[delivery]\nretry_schedule = [\"5s\", \"soon\"]",
        "[delivery]\nretry_jitter = 51",
        "[delivery]\nallowed_networks = [\"10.0.0.0/33\"]",
        "[delivery]\nallowed_ports = [0]",
        "[delivery]\nallowed_ports = [443, \"https\"]",
        "[delivery]\nextra_roots = \"/etc/roots.pem\"",
        "[delivery]\nextra_roots = [\"/nowhere/roots.pem\"]",
        "[delivery]\nrequire_https = \"no\"",
        "[server]\nlisten = \"localhost\"",
        "[server]\npublic_url = \"ftp://example.com\"",
        "[server]\nmaster_key = \"abc\"",
        "[brand]\nkey_prefix = \"ghp\"",
        "[log]\nlevel = \"loud\"",
        "[retention]\nattempts = \"91d\"",
        "[delivry]\ntimeout = \"5s\"",
        "listen = 1",
        "[server\n",
    ]
    .into_iter()
    .map(|text| from_file(text).map(|_| ()).expect_err(text))
    .collect();
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    delivery.timeout = "5 parsecs" (FILE) is not allowed: it must be a duration from 10ms to 2m, such as "2m"
    delivery.timeout = 5 (FILE) is not allowed: it must be a duration from 10ms to 2m, such as "2m"
    delivery.connect_timeout = "20s" (FILE) is not allowed: it must be at most delivery.timeout, of which it is a part
    delivery.retry_schedule = ["5s", "soon"] (FILE) is not allowed: it must be a list of at most 30 durations, each from 1ms to 7d, such as ["5s", "5m"]
    delivery.retry_jitter = 51 (FILE) is not allowed: it must be a whole number from 0 to 50
    delivery.allowed_networks = ["10.0.0.0/33"] (FILE) is not allowed: it must be a list of networks such as ["10.0.0.0/8", "fd00::/8"]
    delivery.allowed_ports = [0] (FILE) is not allowed: it must be a list of at most 64 ports from 1 to 65535, such as [443, 8443]
    delivery.allowed_ports = [443, "https"] (FILE) is not allowed: it must be a list of at most 64 ports from 1 to 65535, such as [443, 8443]
    delivery.extra_roots = "/etc/roots.pem" (FILE) is not allowed: it must be a list of at most 64 files, such as ["/etc/keybell/roots.pem"]
    delivery.extra_roots = ["/nowhere/roots.pem"] (FILE) is not allowed: it must be a list of files of root certificates in PEM, and /nowhere/roots.pem cannot be read: No such file or directory (os error 2)
    delivery.require_https = "no" (FILE) is not allowed: it must be true or false
    server.listen = "localhost" (FILE) is not allowed: it must be an address and port such as "127.0.0.1:8080"
    server.public_url = "ftp://example.com" (FILE) is not allowed: it must be an http or https URL without user, query or fragment, such as "https://developer.example.com", or empty
    server.master_key (FILE) is only taken from the environment, as KEYBELL__SERVER__MASTER_KEY; in a file, name the key's own file: server.master_key_file
    brand.key_prefix = "ghp" (FILE) is not allowed: it must be 2 to 10 characters of a-z and 0-9, beginning with a letter, and not a word that secret scanners take for another company's, such as sk or ghp
    log.level = "loud" (FILE) is not allowed: it must be error, warn, info, debug or trace
    retention.attempts = "91d" (FILE) is not allowed: it must be at most retention.events: an attempt is not kept without its event
    there is no setting delivry.timeout (FILE); did you mean delivery.timeout?
    there is no setting listen (FILE); did you mean server.listen?
    the configuration file FILE is not TOML in line 1: unclosed table, expected `]`
    "#);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let refused = from_file("[log]\nlevel = \"loud\"\nformat = \"xml\"\n[server]\nlisten = 1")
        .expect_err("three faults");
    assert_eq!(refused.lines().count(), 3, "{refused}");
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let refused = Config::load(Some(Path::new("/nowhere/keybell.toml")), &environment(&[]));
    let refused = refused.map(|_| ()).expect_err("no such file").to_string();
    assert_eq!(
        refused,
        "the configuration file /nowhere/keybell.toml cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn limits_hold_at_their_ends() {
    for (name, inside, past) in [
        ("KEYBELL__DELIVERY__TIMEOUT", "120s", "121s"),
        ("KEYBELL__DELIVERY__CONNECT_TIMEOUT", "10ms", "9ms"),
        ("KEYBELL__DELIVERY__RETRY_SCHEDULE", "7d", "169h"),
        ("KEYBELL__DELIVERY__RETRY_SCHEDULE", "1ms", "0ms"),
        ("KEYBELL__DELIVERY__RETRY_JITTER", "50", "51"),
        ("KEYBELL__DELIVERY__ALLOWED_PORTS", "65535", "65536"),
        ("KEYBELL__DELIVERY__ALLOWED_PORTS", "1", "0"),
        ("KEYBELL__DELIVERY__ALLOWED_PORTS", &["443"; 64].join(","), &["443"; 65].join(",")),
        ("KEYBELL__DELIVERY__MAX_IN_FLIGHT", "65535", "65536"),
        ("KEYBELL__DELIVERY__MAX_IN_FLIGHT_PER_WEBHOOK", "1024", "1025"),
        ("KEYBELL__DELIVERY__DISABLE_FAILING_AFTER", "1h", "59m"),
        ("KEYBELL__DELIVERY__DISABLE_FAILING_AFTER", "365d", "366d"),
        ("KEYBELL__DELIVERY__OPERATOR_WORKSPACE", &"w".repeat(255), &"w".repeat(256)),
        ("KEYBELL__LIMITS__API_KEYS_PER_WORKSPACE", "1000000", "1000001"),
        ("KEYBELL__LIMITS__WEBHOOKS_PER_WORKSPACE", "10000", "10001"),
        ("KEYBELL__RETENTION__EVENTS", "3650d", "3651d"),
        ("KEYBELL__RETENTION__ATTEMPTS", "1h", "59m"),
        ("KEYBELL__SERVER__THREADS", "256", "257"),
        ("KEYBELL__SERVER__MAX_CONNECTIONS", "1", "0"),
        ("KEYBELL__SERVER__MAX_CONNECTIONS", "1000000", "1000001"),
        ("KEYBELL__SERVER__HEADER_TIMEOUT", "10m", "601s"),
        ("KEYBELL__DATABASE__WRITERS", "64", "65"),
        ("KEYBELL__DATABASE__READERS", "1", "0"),
        ("KEYBELL__BRAND__NAME", &"n".repeat(100), &"n".repeat(101)),
        ("KEYBELL__SERVER__NODE", &"n".repeat(253), &"n".repeat(254)),
        ("KEYBELL__DELIVERY__RETRY_SCHEDULE", &["1s"; 30].join(","), &["1s"; 31].join(",")),
    ] {
        assert_eq!(from_environment(name, inside).map(|_| ()), Ok(()), "{name} {inside}");
        assert!(from_environment(name, past).is_err_and(|why| why.contains("it must be")), "{name} {past}");
    }
}

#[test]
fn failing_webhooks_are_disabled_after_five_days_or_never() {
    let after = |value: &str| {
        let config = from_environment("KEYBELL__DELIVERY__DISABLE_FAILING_AFTER", value);
        config.expect("a good value").delivery.disable_failing_after
    };
    assert_eq!((after("never"), after("0"), after("2d")), (None, None, Some(Duration::from_hours(48))));
    let told = |value: &str| {
        let config = from_environment("KEYBELL__DELIVERY__OPERATOR_WORKSPACE", value);
        config.expect("a good value").delivery.operator_workspace
    };
    assert_eq!((told(""), told("platform")), (None, Some("platform".to_owned())));
}

#[test]
fn no_password_is_shown_whether_the_database_url_is_right_or_wrong() {
    let config = from_environment("KEYBELL__DATABASE__URL", "postgres://keybell:hunter2@db:5432/keybell");
    let config = config.expect("a good URL");
    let effective = config.effective();
    assert!(
        effective.contains("url = \"postgres://keybell@db:5432/keybell\"") && !effective.contains("hunter2")
    );
    for wrong in ["postgres://keybell:hunter2@db:port/keybell", "mysql://u:hunter2@db/k"] {
        let refused = from_environment("KEYBELL__DATABASE__URL", wrong).map(|_| ()).expect_err(wrong);
        assert!(refused.starts_with("database.url = ") && !refused.contains("hunter2"), "{refused}");
    }
}

#[test]
fn the_master_key_is_found_in_the_environment_and_shown_nowhere() {
    let environment = environment(&[("KEYBELL__SERVER__MASTER_KEY", "5ec4e7")]);
    let config = Config::load(None, &environment).expect("a good configuration");
    assert_eq!(environment.master_key(), Some("5ec4e7"));
    assert!(!config.effective().contains("5ec4e7") && !format!("{config:?}").contains("5ec4e7"));
}

#[test]
fn the_data_folder_is_beside_the_sqlite_file_unless_one_is_named() {
    for (url, named, folder) in [
        ("sqlite:/var/lib/keybell/k.db", "", "/var/lib/keybell"),
        ("sqlite:k.db", "", "."),
        ("sqlite:k.db", "/data", "/data"),
        ("postgres://u@h/k", "", "keybell-data"),
    ] {
        let variables = [("KEYBELL__DATABASE__URL", url), ("KEYBELL__SERVER__DATA_DIR", named)];
        let config = Config::load(None, &environment(&variables)).expect("a good configuration");
        assert_eq!(config.data_dir(), Path::new(folder), "{url} {named}");
    }
}
