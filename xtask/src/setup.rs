//! `cargo xtask setup`: what the tests need besides Rust and a C compiler.
//!
//! Where the system is Debian and we may install, it installs; everywhere else it says exactly what to install. It
//! never skips: a test without its database or its browser would prove nothing.

use std::fmt::Write as _;
use std::path::Path;

use crate::command;
use crate::command::works;

/// Where the Python packages go: below `target`, so that `cargo clean` takes them away too.
pub(crate) const PYTHON: &str = "target/tools/python";

/// A program that the tests start.
struct Need {
    what: &'static str,
    used_for: &'static str,
    is_there: fn() -> bool,
    packages: &'static [&'static str],
}

const NEEDS: &[Need] = &[
    Need {
        what: "PostgreSQL",
        used_for: "every store test runs on it, in a throw-away cluster",
        is_there: has_postgres,
        packages: &["postgresql"],
    },
    Need {
        what: "Chromium",
        used_for: "browser tests",
        is_there: || works("chromium", &["--version"]),
        packages: &["chromium"],
    },
    Need {
        what: "ChromeDriver",
        used_for: "browser tests",
        is_there: || works("chromedriver", &["--version"]),
        packages: &["chromium-driver"],
    },
    Need {
        what: "nginx",
        used_for: "the tests of the gateways",
        is_there: || works("nginx", &["-v"]) || works("/usr/sbin/nginx", &["-v"]),
        packages: &["nginx-light"],
    },
    Need {
        what: "Caddy",
        used_for: "the tests of the gateways",
        is_there: || works("caddy", &["version"]),
        packages: &["caddy"],
    },
    Need {
        what: "Python 3 with venv",
        used_for: "verifying a delivery as a receiver in Python does",
        is_there: || works("python3", &["-c", "import venv, ensurepip"]),
        packages: &["python3", "python3-venv"],
    },
    Need {
        what: "Node.js",
        used_for: "verifying a delivery as a receiver in JavaScript does",
        is_there: || works("node", &["--version"]),
        packages: &["nodejs"],
    },
    Need {
        what: "Ruby",
        used_for: "running the sample that verifies a delivery in Ruby",
        is_there: || works("ruby", &["--version"]),
        packages: &["ruby"],
    },
    Need {
        what: "PHP",
        used_for: "running the sample that verifies a delivery in PHP",
        is_there: || works("php", &["--version"]),
        packages: &["php-cli"],
    },
    Need {
        what: "Go",
        used_for: "running the sample that verifies a delivery in Go",
        is_there: || works("go", &["version"]),
        packages: &["golang-go"],
    },
    Need {
        what: "Java with its compiler",
        used_for: "running the sample that verifies a delivery in Java",
        // Debian's smallest Java has the compiler as a module, and no program for it.
        is_there: || works("java", &["--module", "jdk.compiler/com.sun.tools.javac.Main", "-version"]),
        packages: &["default-jre-headless"],
    },
    Need {
        what: "OpenSSL",
        used_for: "running the sample that verifies a delivery in a shell",
        is_there: || works("openssl", &["version"]),
        packages: &["openssl"],
    },
    Need {
        what: "npm",
        used_for: "fetching axe-core, the judge of accessibility",
        is_there: || works("npm", &["--version"]),
        packages: &["npm"],
    },
];

/// Installs what is missing, or says what to install: programs first, then the packages of Python and of Node.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    programs(root)?;
    python_packages(root)?;
    node_packages(root)?;
    eprintln!("set-up: everything the tests need is there");
    Ok(())
}

/// The programs of [`NEEDS`].
fn programs(root: &Path) -> Result<(), String> {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !(need.is_there)()).collect();
    if !missing.is_empty() {
        install(root, &missing)?;
    }
    let still: Vec<&Need> = missing.into_iter().filter(|need| !(need.is_there)()).collect();
    if still.is_empty() { Ok(()) } else { Err(advice(&still)) }
}

fn install(root: &Path, missing: &[&Need]) -> Result<(), String> {
    let Some(prefix) = apt() else { return Err(advice(missing)) };
    for need in missing {
        eprintln!("set-up: {} is missing ({}); installing it with apt", need.what, need.used_for);
    }
    apt_get(root, prefix, &["update"])?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(missing.iter().flat_map(|need| need.packages));
    apt_get(root, prefix, &arguments)
}

/// What has to stand before `apt-get`: nothing for root, `sudo` where it asks for no password; `None` where we may not
/// install, or there is no apt.
fn apt() -> Option<&'static [&'static str]> {
    if !works("apt-get", &["--version"]) {
        return None;
    }
    // Opening apt's own lock for writing is what it needs root for.
    if std::fs::OpenOptions::new().append(true).open("/var/lib/dpkg/lock").is_ok() {
        return Some(&["env"]);
    }
    works("sudo", &["-n", "true"]).then_some(&["sudo", "-n", "env"])
}

fn apt_get(root: &Path, prefix: &[&str], arguments: &[&str]) -> Result<(), String> {
    let mut whole = prefix[1..].to_vec();
    whole.extend(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]);
    whole.extend(arguments);
    command::run(root, prefix[0], &whole)
}

fn advice(missing: &[&Need]) -> String {
    let mut text = String::from("These are missing, and cannot be installed from here:\n");
    for need in missing {
        let _ = writeln!(text, "  {} ({})", need.what, need.used_for);
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    let _ = writeln!(text, "On Debian or Ubuntu: sudo apt-get install {}", packages.join(" "));
    text.push_str("Elsewhere: install them so that they are on the PATH.");
    text
}

/// Debian keeps PostgreSQL's server programs off the PATH, by version.
fn has_postgres() -> bool {
    if works("initdb", &["--version"]) {
        return true;
    }
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return false };
    versions.flatten().any(|version| version.path().join("bin/initdb").exists())
}

/// A virtual environment with the packages of `xtask/python/requirements.txt`, made again when that file changes.
fn python_packages(root: &Path) -> Result<(), String> {
    let home = root.join(PYTHON);
    let wanted = read(&root.join("xtask/python/requirements.txt"))?;
    let stamp = home.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    command::run(root, "python3", &["-m", "venv", "--clear", PYTHON])?;
    let pip = home.join("bin/pip").display().to_string();
    let from = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
    command::run(root, &pip, &[&from[..], &["--requirement", "xtask/python/requirements.txt"]].concat())?;
    write(&stamp, &wanted)
}

/// `npm ci` in crates/e2e, again when its lock file changes.
fn node_packages(root: &Path) -> Result<(), String> {
    let home = root.join("crates/e2e");
    let wanted = read(&home.join("package-lock.json"))?;
    let stamp = home.join("node_modules/.installed.json");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    command::run(&home, "npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
    write(&stamp, &wanted)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}
