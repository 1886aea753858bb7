//! The keyboard: what a person does who has no pointer, and what they have to see while they do it.

use serde_json::json;
use thirtyfour::{By, Key, TypingData, WebElement};

use crate::browser::Browser;
use crate::role::{self, Role};

/// More stops than any page has on the way round.
const STOPS_MAX: usize = 400;
/// What the focused thing has to be for a person to know where they are. A question to the page; the answer says what is wrong.
const IS_SEEN: &str = "const it = document.activeElement; if (!it || it === document.body) return '';
    const style = getComputedStyle(it), box = it.getBoundingClientRect();
    if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) return 'has no outline';
    if (box.width < 1 || box.height < 1) return 'has no size';
    if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth) return 'is out of sight';
    return '';";

impl Browser {
    /// Presses a key, or types text, where the focus is.
    pub(crate) async fn keys(&self, keys: impl Into<TypingData>) {
        let typed = self.driver.action_chain().send_keys(keys).perform().await;
        typed.expect("a keyboard can be used");
    }

    /// Presses Enter where the focus is on a link, which opens when the key goes down. What the key writes is told to the browser
    /// by `WebDriver` after that: on a busy machine it comes to the page that was opened, and presses there what has the focus.
    pub(crate) async fn enter_at_link(&self) {
        for kind in ["rawKeyDown", "keyUp"] {
            let key = json!({"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13});
            self.devtools("Input.dispatchKeyEvent", key).await;
        }
    }

    /// Presses `key` while Control is held.
    pub(crate) async fn with_control(&self, key: char) {
        let chain = self.driver.action_chain().key_down(Key::Control).send_keys(key.to_string());
        chain.key_up(Key::Control).perform().await.expect("a keyboard can be used");
    }

    pub(crate) async fn focused(&self) -> WebElement {
        self.driver.active_element().await.expect("a page has a place for the focus")
    }

    /// Goes to what is called `name` and has `role` by Tab alone, and says of each stop on the way whether it can be seen.
    pub(crate) async fn tab_to(&self, role: Role, name: &str) -> WebElement {
        let wanted = self.find(role, name).await;
        self.tab_until(&format!("the {role} “{name}”"), async |at| *at == wanted).await;
        wanted
    }

    async fn tab_until(&self, what: &str, arrived: impl AsyncFn(&WebElement) -> bool) {
        for _ in 0..STOPS_MAX {
            if arrived(&self.focused().await).await {
                return;
            }
            self.keys(Key::Tab).await;
            self.must_be_seen().await;
        }
        panic!("{what} cannot be reached by Tab at {}", self.path().await);
    }

    async fn must_be_seen(&self) {
        let wrong = self.evaluate(IS_SEEN).await;
        if wrong != "" {
            let at = self.focused().await;
            let html = at.outer_html().await.unwrap_or_default();
            let what = format!(
                "{}\n    what Tab came to, “{}”, {wrong}: {html}",
                self.path().await,
                role::name_of(&at).await
            );
            self.wrong.borrow_mut().push(what);
        }
    }

    /// Chooses one of several by the arrow keys: Tab stops at one of them only.
    pub(crate) async fn arrow_to_radio(&self, name: &str) {
        let wanted = self.find(Role::Radio, name).await;
        let group = wanted.attr("name").await.ok().flatten().expect("a radio button belongs to others");
        let css = format!("input[type=radio][name='{group}']");
        let group = self.driver.find_all(By::Css(css)).await.expect("it is one of them");
        self.tab_until(name, async |at| group.contains(at)).await;
        for _ in 0..group.len() {
            if self.focused().await == wanted {
                break;
            }
            self.keys(Key::Down).await;
        }
        if !wanted.is_selected().await.expect("it says whether it is chosen") {
            self.keys(Key::Space).await;
        }
        assert!(wanted.is_selected().await.expect("it says so"), "“{name}” cannot be chosen by arrow keys");
    }

    /// Chooses an option of the list called `name` by the arrow keys.
    pub(crate) async fn arrow_to_option(&self, name: &str, option: &str) {
        let list = self.tab_to(Role::ComboBox, name).await;
        let options = list.find_all(By::Tag("option")).await.expect("a list has options");
        self.keys(Key::Home).await;
        for each in options {
            if each.is_selected().await.unwrap_or_default()
                && each.text().await.is_ok_and(|text| text.trim() == option)
            {
                return;
            }
            self.keys(Key::Down).await;
        }
        let value = list.prop("value").await.ok().flatten().unwrap_or_default();
        panic!("“{option}” of “{name}” cannot be chosen by arrow keys; at the end stands “{value}”");
    }

    /// Opens a menu, leaves it by Escape, opens it again and follows one of its entries.
    pub(crate) async fn menu_by_keys(&self, menu: &str, entry: &str) {
        let opener = self.tab_to(Role::Button, menu).await;
        self.keys(Key::Enter).await;
        let link = self.find(Role::Link, entry).await;
        if self.runs_scripts() {
            self.keys(Key::Down).await;
            assert_ne!(self.focused().await, opener, "an arrow key goes into the menu");
            self.keys(Key::Escape).await;
            assert_eq!(self.focused().await, opener, "Escape gives the focus back to what opened the menu");
            assert!(!self.has(Role::Link, entry).await, "Escape closes the menu");
            self.keys(Key::Enter).await;
            for _ in 0..STOPS_MAX {
                if self.focused().await == link {
                    break;
                }
                self.keys(Key::Down).await;
                self.must_be_seen().await;
            }
        } else {
            self.tab_to(Role::Link, entry).await;
        }
        self.enter_at_link().await;
    }
}
