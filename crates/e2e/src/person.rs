//! A person at a browser: does the same with a pointer or by the keyboard alone.

use crate::browser::Browser;
use crate::role::Role;
use thirtyfour::Key;

/// Where a person puts what they copied: a page of their own beside ours.
const NOTES: &str =
    "data:text/html,<!doctype html><title>Notes</title><textarea aria-label=Notes autofocus></textarea>";

/// What a person works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// A pointer, and the keyboard to write with.
    Pointer,
    /// Tab, Enter, Space, the arrow keys, and what they write.
    Keyboard,
}

/// Somebody at a browser.
pub struct Person {
    /// What they look at.
    pub browser: Browser,
    hand: Hand,
}

impl Person {
    /// Somebody who works with `hand`.
    pub fn new(browser: Browser, hand: Hand) -> Person {
        Person { browser, hand }
    }

    /// Presses, follows, ticks or switches it.
    pub async fn press(&self, role: Role, name: &str) {
        match self.hand {
            Hand::Pointer => self.browser.click(role, name).await,
            Hand::Keyboard => {
                self.browser.tab_to(role, name).await;
                if role == Role::Link {
                    return self.browser.enter_at_link().await;
                }
                let ticks = matches!(role, Role::CheckBox | Role::Switch);
                self.browser.keys(if ticks { Key::Space } else { Key::Enter }).await;
            }
        }
    }

    /// Writes `text` into the field called `name`, in place of what was there.
    pub async fn write(&self, name: &str, text: &str) {
        match self.hand {
            Hand::Pointer => self.browser.fill(name, text).await,
            Hand::Keyboard => {
                self.browser.tab_to(Role::TextBox, name).await;
                self.browser.with_control('a').await;
                self.browser.keys(text).await;
                assert_eq!(self.browser.value(name).await, text, "what was written into “{name}”");
            }
        }
    }

    /// Chooses one of several.
    pub async fn pick(&self, name: &str) {
        match self.hand {
            Hand::Pointer => self.browser.click(Role::Radio, name).await,
            Hand::Keyboard => self.browser.arrow_to_radio(name).await,
        }
    }

    /// Chooses `option` from the list called `name`.
    pub async fn choose(&self, name: &str, option: &str) {
        match self.hand {
            Hand::Pointer => self.browser.choose(name, option).await,
            Hand::Keyboard => self.browser.arrow_to_option(name, option).await,
        }
    }

    /// Opens the drop-down menu called `menu` and follows `entry`.
    pub async fn follow_in_menu(&self, menu: &str, entry: &str) {
        match self.hand {
            Hand::Pointer => {
                self.browser.click(Role::Button, menu).await;
                self.browser.click(Role::Link, entry).await;
            }
            Hand::Keyboard => self.browser.menu_by_keys(menu, entry).await,
        }
    }

    /// Copies the field called `name`, by its button where scripts run and by hand where they do not, and pastes it into
    /// notes: what arrives there is what a person has of it.
    pub async fn copy(&self, name: &str) -> String {
        let browser = &self.browser;
        if browser.runs_scripts() {
            self.press(Role::Button, &format!("Copy {name}")).await;
            browser.sees("Copied").await;
        } else {
            match self.hand {
                Hand::Pointer => browser.click(Role::TextBox, name).await,
                Hand::Keyboard => drop(browser.tab_to(Role::TextBox, name).await),
            }
            browser.with_control('a').await;
            browser.with_control('c').await;
        }
        browser
            .in_second_tab(async || {
                browser.go(NOTES).await;
                browser.click(Role::TextBox, "Notes").await;
                browser.with_control('v').await;
                browser.value("Notes").await
            })
            .await
    }
}
