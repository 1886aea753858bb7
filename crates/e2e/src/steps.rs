//! The steps of the help centre, in its words, for whoever tells a story with them: each begins on the page where a person
//! stands, goes by what is written on it, and ends where it says that it is done.

use keybell_testkit::installation::Installation;

use crate::person::Person;
use crate::role::Role::{Button, CheckBox, Heading, Link, Switch};

/// What a person has of a key after they copied it.
pub struct CopiedKey {
    /// Names it.
    pub public_identifier: String,
    /// Opens the platform's API.
    pub secret_key: String,
}

impl Person {
    /// Follows the one-time link of a new installation, names the workspace and chooses a password.
    pub async fn set_up(&self, link: &str, workspace: &str, password: &str) {
        self.browser.go(link).await;
        self.browser.find(Heading, "Set up your workspace").await;
        self.write("Workspace", workspace).await;
        self.write("Your name", "Ada Lovelace").await;
        self.write("E-mail", "ada@example.com").await;
        self.write("Password", password).await;
        self.press(Button, "Create the workspace").await;
        self.browser.find(Heading, workspace).await;
    }

    /// Signs in with e-mail address and password, to the workspace called `workspace`.
    pub async fn sign_in(&self, email: &str, password: &str, workspace: &str) {
        self.browser.go("/").await;
        self.browser.find(Heading, "Sign in").await;
        self.write("E-mail", email).await;
        self.write("Password", password).await;
        self.press(Button, "Sign in").await;
        self.browser.find(Heading, workspace).await;
    }

    /// Settings, Advanced Settings, Developer.
    pub async fn open_developer(&self) {
        self.press(Link, "Settings").await;
        self.browser.find(Heading, "General").await;
        self.follow_in_menu("Advanced Settings", "Developer").await;
        self.browser.find(Heading, "Overview").await;
        self.browser.arrives("/settings/advanced/developer").await;
    }

    /// Opens a section of the Developer page.
    pub async fn open_section(&self, name: &str) {
        self.press(Link, name).await;
        self.browser.find(Heading, name).await;
    }

    /// On the form of a new key: names and describes it, gives it scopes, and has it generated.
    pub async fn generate_key(&self, name: &str, description: &str, scopes: &[&str]) {
        self.write("Name", name).await;
        self.write("Description", description).await;
        for scope in scopes {
            self.press(CheckBox, scope).await;
        }
        self.press(Button, "Generate").await;
        self.browser.sees("The secret key is shown once.").await;
    }

    /// On the page that shows a secret once: copies both parts, says so, and is done.
    pub async fn save_key(&self) -> CopiedKey {
        let public_identifier = self.copy("Public identifier").await;
        let secret_key = self.copy("Secret key").await;
        let begins = format!("{public_identifier}_");
        assert!(public_identifier.len() > 8 && secret_key.starts_with(&begins), "{secret_key}");
        self.press(CheckBox, "I have saved the secret key").await;
        self.press(Button, "Done").await;
        self.browser.find(Heading, "API keys").await;
        CopiedKey { public_identifier, secret_key }
    }

    /// In the list: opens the page that asks whether to revoke a key.
    pub async fn ask_to_revoke(&self, name: &str) {
        self.press(Link, &format!("Revoke {name}")).await;
        self.browser.find(Heading, &format!("Revoke {name}?")).await;
    }

    /// There: says that it is meant. A key that was just used wants its name for that.
    pub async fn confirm_to_revoke(&self, name: &str) {
        if self.browser.has(CheckBox, "Revoke this key for ever").await {
            self.press(CheckBox, "Revoke this key for ever").await;
        } else {
            self.write("It was used in the last 24 hours", name).await;
        }
        self.press(Button, "Revoke").await;
        self.browser.sees("The key was revoked. It is refused from now on.").await;
    }

    /// On the form of a webhook: what it is called, and where it goes.
    pub async fn describe_webhook(&self, name: &str, description: &str, url: &str) {
        self.write("Name", name).await;
        self.write("Description", description).await;
        self.write("URL", url).await;
    }

    /// On the form of a webhook: one event and no other.
    pub async fn want_only(&self, event_type: &str) {
        self.pick("These events").await;
        self.press(CheckBox, event_type).await;
    }

    /// On the form of a webhook: its first custom header.
    pub async fn add_header(&self, name: &str, value: &str) {
        self.write("Name of header 1", name).await;
        self.write("Value of header 1", value).await;
    }

    /// In the list: switches a webhook, and waits until the switch says so.
    pub async fn switch(&self, webhook: &str, on: bool) {
        let name = format!("{webhook} is on");
        self.press(Switch, &name).await;
        let switched = async || {
            let now = self.browser.attribute(Switch, &name, "aria-checked").await?;
            (now == on.to_string()).then_some(())
        };
        self.browser.until(&format!("the switch of “{webhook}” at {on}"), switched).await;
    }

    /// In the list: opens the form of a key or a webhook.
    pub async fn edit(&self, name: &str) {
        self.press(Link, &format!("Edit {name}")).await;
        self.browser.find(Heading, &format!("Edit {name}")).await;
    }

    /// In the list: opens the page that asks whether to delete a webhook.
    pub async fn ask_to_delete(&self, webhook: &str) {
        self.press(Link, &format!("Delete {webhook}")).await;
        self.browser.find(Heading, &format!("Delete {webhook}?")).await;
    }

    /// There: says that it is meant.
    pub async fn confirm_to_delete(&self) {
        self.press(CheckBox, "Delete this webhook").await;
        self.press(Button, "Delete").await;
        self.browser.find(Heading, "Webhooks").await;
    }
}

/// The one-time link that a new installation prints.
pub fn set_up_link(installation: &mut Installation) -> String {
    let said = installation.wait_for_line(|line| line.contains("/setup/")).expect("it prints the link");
    let link = said.split_whitespace().find(|word| word.starts_with("http"));
    link.expect("the line has a link").to_owned()
}
