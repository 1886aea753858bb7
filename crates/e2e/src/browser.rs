//! A browser with a profile of its own, pointed at one server.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities as _;
use thirtyfour::{DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};

use crate::chromedriver::ChromeDriver;

/// How long a page may take to show what a test waits for, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at the page while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The height of the window; the width is what pages must fit.
const HEIGHT: u32 = 900;

/// How a person looks at the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether the pages' scripts run.
    pub scripts: bool,
    /// The width of the window, CSS pixels.
    pub width: u32,
    /// Whether the person prefers dark colours.
    pub dark: bool,
    /// Whether the system's few colours are forced upon the pages, as by a high contrast theme.
    pub forced_colors: bool,
}

impl Default for Look {
    fn default() -> Self {
        Look { scripts: true, width: 1280, dark: false, forced_colors: false }
    }
}

/// A browser. Ends when dropped, also where a test panics.
pub struct Browser {
    pub(crate) driver: WebDriver,
    /// After the session, so that a session that still lives is ended with it.
    _chromedriver: ChromeDriver,
    /// After the browser, which writes to it.
    _profile: TempDir,
    base: String,
    scripts: Cell<bool>,
    /// What was wrong with the pages that were checked, a line for each.
    pub(crate) wrong: RefCell<Vec<String>>,
}

impl Browser {
    /// Starts a browser for the server at `base`, a URL without a slash at its end.
    pub async fn open(base: &str, look: Look) -> Browser {
        let chromedriver = ChromeDriver::start();
        let profile = TempDir::with_prefix("keybell-browser-").expect("a throw-away folder can be made");
        let driver = WebDriver::new(chromedriver.url(), capabilities(&profile))
            .await
            .expect("chromium is needed for the browser tests; `cargo xtask setup` installs it");
        driver.set_script_timeout(PATIENCE).await.expect("a time-out can be set");
        let base = base.to_owned();
        let scripts = Cell::new(look.scripts);
        let browser = Browser {
            driver,
            _chromedriver: chromedriver,
            _profile: profile,
            base,
            scripts,
            wrong: RefCell::default(),
        };
        browser.look(look).await;
        browser
    }

    /// Changes how the person looks: width and colours at once, whether scripts run from the next page on.
    pub async fn look(&self, look: Look) {
        let size = json!({"width": look.width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if look.dark { "dark" } else { "light" };
        let forced = if look.forced_colors { "active" } else { "none" };
        let media = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "forced-colors", "value": forced},
        ]});
        self.devtools("Emulation.setEmulatedMedia", media).await;
        self.scripts.set(look.scripts);
        self.run_scripts(look.scripts).await;
    }

    /// Runs a script of ours in the present page, also where the page's own may not run: those were passed over when it was
    /// loaded, and stay so.
    pub async fn evaluate(&self, script: &str) -> Value {
        if !self.scripts.get() {
            self.run_scripts(true).await;
        }
        let answer = self.driver.execute(script, Vec::<Value>::new()).await;
        if !self.scripts.get() {
            self.run_scripts(false).await;
        }
        answer.unwrap_or_else(|error| panic!("our own script cannot be run: {error}")).json().clone()
    }

    /// Whether the pages' scripts run.
    pub fn runs_scripts(&self) -> bool {
        self.scripts.get()
    }

    async fn run_scripts(&self, run: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": !run})).await;
    }

    pub(crate) async fn devtools(&self, method: &str, parameters: Value) -> Value {
        let answer = self.driver.cdp().send_raw(method, parameters).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Opens the page at `path`, which begins with a slash, or at a whole URL.
    pub async fn go(&self, path: &str) {
        let url = if path.starts_with('/') { format!("{}{path}", self.base) } else { path.to_owned() };
        self.driver.goto(&*url).await.unwrap_or_else(|error| panic!("{url} cannot be opened: {error}"));
    }

    /// The path of the present page, with its query.
    pub async fn path(&self) -> String {
        let url = self.driver.current_url().await.expect("a page has a URL");
        url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// Waits until the browser is at a path, with its query, that ends with `end`.
    pub async fn arrives(&self, end: &str) {
        self.until(&format!("a path ending with {end}"), async || {
            self.path().await.ends_with(end).then_some(())
        })
        .await;
    }

    /// The values of the cookies that the server set.
    pub async fn cookies(&self) -> Vec<String> {
        let cookies = self.driver.get_all_cookies().await.expect("a browser has its cookies");
        cookies.into_iter().map(|cookie| cookie.value).collect()
    }

    /// Forgets who is signed in.
    pub async fn forget(&self) {
        self.driver.delete_all_cookies().await.expect("a browser can forget");
    }

    /// Loads the present page again.
    pub async fn reload(&self) {
        self.driver.refresh().await.expect("a page can be loaded again");
    }

    /// Goes back one page.
    pub async fn back(&self) {
        self.driver.back().await.expect("there is a page to go back to");
    }

    /// Goes forward one page, after going back.
    pub async fn forward(&self) {
        self.driver.forward().await.expect("there is a page to go forward to");
    }

    /// What stood on the console since it was last asked, a line for each entry: errors of scripts, and what the
    /// Content-Security-Policy refused.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.driver.browser_log().await.expect("the driver keeps the console");
        entries.into_iter().map(|entry| format!("{} {}", entry.level, entry.message)).collect()
    }

    /// Saves a picture of what the window shows as `target/screenshots/<name>.png`, or where `KEYBELL_PICTURES` says.
    pub async fn picture(&self, name: &str) -> PathBuf {
        let path = pictures().join(format!("{name}.png"));
        let picture = self.driver.screenshot_as_png().await.expect("a page can be drawn");
        std::fs::write(&path, picture).expect("a picture can be saved");
        path
    }

    /// Saves a picture of the whole page, however long it is, under the same names.
    pub async fn picture_of_all(&self, name: &str) {
        let size = "return [document.documentElement.clientWidth, document.documentElement.scrollHeight]";
        let size = self.evaluate(size).await;
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        let asked = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let drawn = self.devtools("Page.captureScreenshot", asked).await;
        let picture = STANDARD.decode(drawn["data"].as_str().expect("a page can be drawn"));
        let path = pictures().join(format!("{name}.png"));
        std::fs::write(path, picture.expect("it is base64")).expect("a picture can be saved");
    }

    /// Does `what` in a second tab, and comes back to the first.
    pub async fn in_second_tab<T>(&self, what: impl AsyncFnOnce() -> T) -> T {
        let first = self.driver.window().await.expect("the browser shows a tab");
        let second = self.driver.new_tab().await.expect("a tab can be opened");
        self.driver.switch_to_window(second).await.expect("the tab can be looked at");
        let done = what().await;
        self.driver.close_window().await.expect("a tab can be closed");
        self.driver.switch_to_window(first).await.expect("the first tab is still there");
        done
    }

    /// Looks at the page until `look` gives something, and says `what` was awaited where it never does.
    pub async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, look: impl Fn() -> F) -> T {
        let started = Instant::now();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
            if started.elapsed() > PATIENCE {
                let picture = self.picture("failed").await;
                let page = self.text().await;
                panic!(
                    "{what} is not to be seen at {} ({}); the page says:\n{page}",
                    self.path().await,
                    picture.display()
                );
            }
        }
    }

    /// Ends the browser, and fails the test where a page that was checked had something wrong with it.
    pub async fn close(self) {
        self.driver.clone().quit().await.expect("a browser can be closed");
        let wrong = self.wrong.take();
        assert!(wrong.is_empty(), "{} things are wrong with the pages:\n{}", wrong.len(), wrong.join("\n"));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Where a test panicked, the client would wait for an answer on the very thread that has to fetch it. The browser ends
        // with its driver's process group; where it was closed, there is nothing left to give up.
        let _ = self.driver.clone().leak();
        for what in self.wrong.take() {
            eprintln!("besides, at {what}");
        }
    }
}

/// The folder for pictures.
fn pictures() -> PathBuf {
    let folder = std::env::var_os("KEYBELL_PICTURES").map_or_else(default_pictures, PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder for pictures can be made");
    folder
}

fn default_pictures() -> PathBuf {
    let own = std::env::current_exe().expect("a program lies somewhere");
    let target = own.ancestors().find(|each| each.join("CACHEDIR.TAG").is_file());
    target.expect("a test lies below cargo's target directory").join("screenshots")
}

fn capabilities(profile: &TempDir) -> thirtyfour::ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    let folder = format!("--user-data-dir={}", profile.path().display());
    let arguments = [
        "--headless=new",
        // A container's root has no user namespaces to make a sandbox of; the pages are our own.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--no-default-browser-check",
        "--hide-scrollbars",
        "--force-color-profile=srgb",
        "--lang=en-GB",
        &folder,
    ];
    for argument in arguments {
        capabilities.add_arg(argument).expect("an argument is text");
    }
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).expect("a level is text");
    // A question of the page about leaving it is answered by the tests, not by the driver.
    capabilities
}
