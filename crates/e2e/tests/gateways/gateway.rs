//! The gateways: Debian's nginx and Caddy, each with the lines of the README, in a throw-away folder and on a free port.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use keybell_e2e::readme;
use keybell_testkit::installation::free_address;
use tempfile::TempDir;

/// Which gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gateway {
    Nginx,
    Caddy,
}

/// A gateway that listens. Its process ends with this value.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    /// Caddy's process; nginx goes to the background and keeps the number of its process in the folder.
    child: Option<Child>,
}

impl Gateway {
    /// Starts it before `platform` (`http://…`), asking Keybell at `gate`.
    pub(crate) fn start(self, gate: SocketAddr, platform: &str) -> Running {
        let folder = TempDir::with_prefix("keybell-gateway-").expect("a throw-away folder can be made");
        let address = free_address().expect("there is a free port");
        let (language, configuration): (_, fn(SocketAddr, &str) -> String) = match self {
            Gateway::Nginx => ("nginx", nginx_configuration),
            Gateway::Caddy => ("caddyfile", caddy_configuration),
        };
        let lines = readme::block(language)
            .replace("127.0.0.1:8080", &gate.to_string())
            .replace("http://platform", platform);
        std::fs::write(folder.path().join("gateway.conf"), configuration(address, &lines))
            .expect("a configuration can be written");
        let mut running = Running { address, folder, child: None };
        match self {
            Gateway::Nginx => running.start_nginx(),
            Gateway::Caddy => running.start_caddy(),
        }
        running
    }
}

fn nginx_configuration(address: SocketAddr, lines: &str) -> String {
    format!(
        "user root;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\nhttp {{\n  access_log off;\n  \
         client_body_temp_path body;\n  proxy_temp_path proxy;\n  fastcgi_temp_path fastcgi;\n  uwsgi_temp_path uwsgi;\n  \
         scgi_temp_path scgi;\n  server {{\n    listen {address};\n{lines}\n  }}\n}}\n"
    )
}

fn caddy_configuration(address: SocketAddr, lines: &str) -> String {
    format!("{{\n  admin off\n  auto_https off\n}}\nhttp://{address} {{\n{lines}\n}}\n")
}

impl Running {
    fn start_nginx(&self) {
        // It goes to the background once it listens, so that nothing has to be waited for.
        let status = self.nginx(&[]).expect("nginx is needed for this test; `cargo xtask setup` installs it");
        let log = std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default();
        assert!(status.success(), "nginx does not take the README's configuration: {log}");
    }

    fn nginx(&self, arguments: &[&str]) -> std::io::Result<ExitStatus> {
        // Debian keeps it where only root's PATH leads.
        let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let folder = format!("{}/", self.folder.path().display());
        let ours = ["-p", &folder, "-c", "gateway.conf", "-e", "error.log"];
        Command::new(program).args(ours).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).status()
    }

    fn start_caddy(&mut self) {
        let folder = self.folder.path();
        let mut child = Command::new("caddy")
            .args(["run", "--config", "gateway.conf", "--adapter", "caddyfile"])
            .current_dir(folder)
            // It keeps its own things at home, and those of the machine are none of a test's business.
            .envs(["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map(|name| (name, folder)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Caddy is needed for this test; `cargo xtask setup` installs it");
        let mut log = BufReader::new(child.stderr.take().expect("its standard error is piped")).lines();
        self.child = Some(child);
        let mut said = Vec::new();
        while !said.last().is_some_and(|line: &String| line.contains("serving initial configuration")) {
            let line = log.next().and_then(Result::ok);
            said.push(
                line.unwrap_or_else(|| panic!("Caddy does not take the README's configuration: {said:#?}")),
            );
        }
        // Read to its end, which is that of the process: a full pipe would hold Caddy up.
        std::thread::spawn(move || log.map_while(Result::ok).for_each(drop));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself, which is as good.
            let _ = child.kill();
            let _ = child.wait();
        } else {
            // Reads the process from its own folder, so it ends this nginx and no other.
            let _ = self.nginx(&["-s", "stop"]);
        }
    }
}
