//! What a person does on a page and reads off it.

use thirtyfour::{By, WebElement};

use crate::browser::Browser;
use crate::role::{self, Role};

/// axe-core, fetched by `npm ci`.
const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node_modules/axe-core/axe.min.js");

impl Browser {
    /// What is called `name` and has `role`, once it is there.
    pub async fn find(&self, role: Role, name: &str) -> WebElement {
        self.until(&format!("the {role} “{name}”"), || role::named(&self.driver, role, name)).await
    }

    /// Waits until a row of a table holds `text`.
    pub async fn row(&self, text: &str) {
        let look = async || {
            for (_, row) in role::seen(&self.driver, Role::Row).await {
                if row.text().await.is_ok_and(|said| said.contains(text)) {
                    return Some(());
                }
            }
            None
        };
        self.until(&format!("a row with “{text}”"), look).await;
    }

    /// The attribute of what is called `name` and has `role`; `None` where it is not there, or has none.
    pub async fn attribute(&self, role: Role, name: &str, attribute: &str) -> Option<String> {
        role::named(&self.driver, role, name).await?.attr(attribute).await.ok().flatten()
    }

    /// Whether something of that role and name can be seen now.
    pub async fn has(&self, role: Role, name: &str) -> bool {
        role::named(&self.driver, role, name).await.is_some()
    }

    /// The names of everything of `role` that can be seen now.
    pub async fn names(&self, role: Role) -> Vec<String> {
        role::seen(&self.driver, role).await.into_iter().map(|(name, _)| name).collect()
    }

    /// Presses, follows or ticks it. Looked for again where a page that was being left had it as well.
    pub async fn click(&self, role: Role, name: &str) {
        let press = async || {
            let element = role::named(&self.driver, role, name).await?;
            element.scroll_into_view().await.ok()?;
            element.click().await.ok()
        };
        self.until(&format!("the {role} “{name}”, to be pressed,"), press).await;
    }

    /// Types `text` into the field called `name`, in place of what was there.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.find(Role::TextBox, name).await;
        field.clear().await.unwrap_or_else(|error| panic!("“{name}” cannot be cleared: {error}"));
        field.send_keys(text).await.unwrap_or_else(|error| panic!("“{name}” cannot be filled: {error}"));
    }

    /// Chooses `option` from the list called `name`.
    pub async fn choose(&self, name: &str, option: &str) {
        let list = self.find(Role::ComboBox, name).await;
        for each in list.find_all(By::Tag("option")).await.expect("a list has options") {
            if each.text().await.is_ok_and(|text| text.trim() == option) {
                return each
                    .click()
                    .await
                    .unwrap_or_else(|error| panic!("“{option}” cannot be chosen: {error}"));
            }
        }
        panic!("“{name}” has no option “{option}”");
    }

    /// The value of the field called `name`.
    pub async fn value(&self, name: &str) -> String {
        let field = self.find(Role::TextBox, name).await;
        field.prop("value").await.ok().flatten().unwrap_or_default()
    }

    /// The text of the page, as it is shown.
    pub async fn text(&self) -> String {
        let Ok(body) = self.driver.find(By::Tag("body")).await else { return String::new() };
        body.text().await.unwrap_or_default()
    }

    /// Waits until the page says `text`.
    pub async fn sees(&self, text: &str) {
        self.until(&format!("“{text}”"), async || self.text().await.contains(text).then_some(())).await;
    }

    /// Where the links of the page lead to that stay here: paths with their queries.
    pub async fn links(&self) -> Vec<String> {
        let script = "return [...document.links].filter(it => it.origin === location.origin && it.pathname !== location.pathname)
            .map(it => it.pathname + it.search)";
        serde_json::from_value(self.evaluate(script).await).expect("links have addresses")
    }

    /// The page as the server sent it and scripts left it.
    pub async fn source(&self) -> String {
        self.driver.source().await.expect("a page has a source")
    }

    /// What axe-core finds wrong with the present page, a line for each rule and place.
    pub async fn accessibility(&self) -> Vec<String> {
        if self.evaluate("return typeof axe").await == "undefined" {
            let axe = std::fs::read_to_string(AXE).unwrap_or_else(|_| {
                panic!("axe-core is needed for the browser tests; `cargo xtask setup` fetches it")
            });
            self.evaluate(&axe).await;
        }
        // A page without a style of its own has the browser's background, which axe-core takes for white in the dark, too.
        let script = "const root = document.documentElement, bare = it => getComputedStyle(it).backgroundColor === 'rgba(0, 0, 0, 0)';
             if (bare(root) && bare(document.body)) root.style.backgroundColor = 'Canvas';
             return axe.run(document, {resultTypes: ['violations'], preload: false}).then(found => found.violations.flatMap(\
             rule => rule.nodes.map(node => rule.id + ': ' + rule.help + ' at ' + node.target.join(' ') + ' — ' + node.failureSummary)));";
        serde_json::from_value(self.evaluate(script).await).expect("axe-core was asked for a list of lines")
    }

    /// [`Browser::console`] without the line by which the browser says that the page itself is a refusal, which it is to be.
    async fn console_but_refusal(&self) -> Vec<String> {
        let mut said = self.console().await;
        if !said.is_empty() {
            let script = "const page = performance.getEntriesByType('navigation')[0];
                return page.responseStatus < 400 ? '' : `${page.name} - Failed to load resource: the server responded with a status of ${page.responseStatus} `";
            let refused = self.evaluate(script).await;
            let refused = refused.as_str().filter(|line| !line.is_empty()).unwrap_or("no such line");
            said.retain(|line| !line.contains(refused));
        }
        said
    }

    /// Looks at the present page as every page is looked at: axe-core finds nothing, nothing stands on the console, and
    /// nothing is wider than the window. What is wrong is kept for [`Browser::close`], so that one run tells of all pages.
    pub async fn check(&self) {
        let found = self.accessibility().await;
        self.note(found).await;
        self.check_calm().await;
    }

    /// Without axe-core: nothing stands on the console, and nothing is wider than the window.
    pub async fn check_calm(&self) {
        let mut wrong = self.console_but_refusal().await;
        let script = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]";
        let widths = self.evaluate(script).await;
        if widths[0].as_u64() > widths[1].as_u64() {
            wrong.push(format!("the page is wider than its window: {widths}"));
        }
        self.note(wrong).await;
    }

    /// Keeps what is wrong with the present page for [`Browser::close`].
    pub async fn note(&self, wrong: Vec<String>) {
        let path = self.path().await;
        self.wrong.borrow_mut().extend(wrong.into_iter().map(|what| format!("{path}\n    {what}")));
    }
}
