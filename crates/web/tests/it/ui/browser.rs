//! A browser without scripts: it follows redirects, keeps its cookie, and sends forms as they stand in the page.

use keybell_testkit::app::{Answer, Client, TestApp};
use scraper::{ElementRef, Html, Selector};

/// Somebody at a browser.
pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    cookie: Option<String>,
}

/// A page that was shown.
pub(crate) struct Page {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Where it was found, after redirects.
    pub(crate) path: String,
    /// The answer.
    pub(crate) answer: Answer,
    html: Html,
}

/// A form, with what stands in it.
#[derive(Clone)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Browser { app, cookie: None }
    }

    /// A browser in which `token`'s session is open.
    pub(crate) fn signed_in(app: &'a TestApp, token: &str) -> Self {
        let cookie = keybell_web::extract::session_cookie_name(&app.app);
        Browser { app, cookie: Some(format!("{cookie}={token}")) }
    }

    fn client(&self) -> Client<'a> {
        let client = self
            .app
            .stranger()
            .with("sec-fetch-site", "same-origin")
            .with("user-agent", "Test/1 (Linux) Firefox/1");
        match &self.cookie {
            Some(cookie) => client.with("cookie", cookie),
            None => client,
        }
    }

    /// Opens an address and follows where it leads.
    pub(crate) async fn open(&mut self, path: &str) -> Page {
        let answer = self.client().get(path).await;
        self.follow(path, answer).await
    }

    /// Sends a form and follows where it leads.
    pub(crate) async fn send(&mut self, form: &Form) -> Page {
        let fields: Vec<(&str, &str)> =
            form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = self.client().post_form(&form.action, &fields).await;
        self.follow(&form.action, answer).await
    }

    /// Sends a form as a script does that wants to be told by events.
    pub(super) async fn send_for_events(&self, form: &Form) -> Answer {
        let fields: Vec<(&str, &str)> =
            form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.client().with("accept", "text/event-stream").post_form(&form.action, &fields).await
    }

    /// What a browser that takes it packed is sent for a form, as it comes and not followed.
    pub(super) async fn answer_packed(&self, form: &Form) -> Answer {
        let fields: Vec<(&str, &str)> =
            form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.client()
            .with("accept-encoding", "gzip, deflate, br, zstd")
            .post_form(&form.action, &fields)
            .await
    }

    async fn follow(&mut self, path: &str, mut answer: Answer) -> Page {
        let mut path = path.to_owned();
        for _ in 0..5 {
            if !answer.header("set-cookie").is_empty() {
                let set = answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
                self.cookie = Some(set).filter(|set| !set.ends_with('='));
            }
            if !(300..400).contains(&answer.status) {
                break;
            }
            answer.header("location").clone_into(&mut path);
            answer = self.client().get(&path).await;
        }
        let html = Html::parse_document(answer.text());
        Page { status: answer.status, path, answer, html }
    }
}

impl Page {
    /// The page, once its status is as expected.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Page {
        assert_eq!(self.status, status, "{}: {}", self.path, self.text());
        self
    }

    /// What a person reads.
    pub(crate) fn text(&self) -> String {
        let main = self.all("main");
        let text: String = main.iter().flat_map(ElementRef::text).collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// What fits a selector.
    pub(crate) fn all(&self, selector: &str) -> Vec<ElementRef<'_>> {
        self.html.select(&Selector::parse(selector).expect("a selector of a test")).collect()
    }

    /// The value of the field `id`.
    #[track_caller]
    pub(crate) fn value(&self, id: &str) -> String {
        let found = self.all(&format!("#{id}"));
        let field = found.first().unwrap_or_else(|| panic!("no field {id}: {}", self.text()));
        if field.value().name() == "textarea" {
            return field.text().collect::<String>().trim_start_matches('\n').to_owned();
        }
        field.attr("value").unwrap_or_default().to_owned()
    }

    /// The address of the link or button whose name holds `name`.
    #[track_caller]
    pub(crate) fn link(&self, name: &str) -> String {
        let links = self.all("a[href]");
        let found = links.iter().find(|link| link.text().collect::<String>().contains(name));
        let found = found.unwrap_or_else(|| panic!("no link {name}: {}", self.text()));
        found.attr("href").unwrap_or_default().to_owned()
    }

    /// Whether there is a link or button of that name.
    pub(crate) fn offers(&self, name: &str) -> bool {
        self.all("main a[href], main button").iter().any(|control| {
            control.text().collect::<String>().contains(name)
                || control.attr("aria-label").is_some_and(|label| label.contains(name))
        })
    }

    /// The form whose button says `button`, with what stands in it.
    #[track_caller]
    pub(crate) fn form(&self, button: &str) -> Form {
        let says = |form: &ElementRef<'_>| {
            let buttons = Selector::parse("button[type=submit]").expect("a selector");
            form.select(&buttons).any(|found| {
                found.text().collect::<String>().contains(button)
                    || found.attr("aria-label").is_some_and(|label| label.contains(button))
            })
        };
        let forms = self.all("form[method=post]");
        let form =
            forms.into_iter().find(says).unwrap_or_else(|| panic!("no form {button}: {}", self.text()));
        self.read_form(form)
    }

    /// Every form that is posted, as it stands.
    pub(crate) fn forms(&self) -> Vec<Form> {
        self.all("form[method=post]").into_iter().map(|form| self.read_form(form)).collect()
    }

    fn read_form(&self, form: ElementRef<'_>) -> Form {
        let action = form.attr("action").unwrap_or_else(|| self.path.split('?').next().expect("a path"));
        let mut fields = Vec::new();
        for control in form.select(&Selector::parse("input, select, textarea").expect("a selector")) {
            let Some(name) = control.attr("name") else { continue };
            let is_box = matches!(control.attr("type"), Some("checkbox" | "radio"));
            let value = match control.value().name() {
                // Of a list in which none is chosen a browser sends the first.
                "select" => ["option[selected]", "option"]
                    .iter()
                    .find_map(|option| control.select(&Selector::parse(option).expect("a selector")).next())
                    .and_then(|option| option.attr("value"))
                    .unwrap_or_default()
                    .to_owned(),
                "textarea" => control.text().collect::<String>().trim_start_matches('\n').to_owned(),
                _ => control.attr("value").unwrap_or_default().to_owned(),
            };
            if !is_box || control.attr("checked").is_some() {
                fields.push((name.to_owned(), value));
            }
        }
        Form { action: action.to_owned(), fields }
    }
}

impl Form {
    /// The form with `value` in the field `name`, and in no other of that name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Form {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// The form with one more box of `name` ticked.
    pub(crate) fn ticked(mut self, name: &str, value: &str) -> Form {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The form without the field `name`.
    pub(crate) fn without(mut self, name: &str) -> Form {
        self.fields.retain(|(known, _)| known != name);
        self
    }
}
