//! Creating and editing a key: one form for both.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use keybell_app::keys::{KeyPatch, NewKey};
use keybell_app::page::PAGE_LIMIT_MAX;
use keybell_app::{App, Page};
use keybell_core::fields::{DESCRIPTION_CHARS_MAX, NAME_CHARS_MAX};
use keybell_core::grant::ManageKeys;
use keybell_core::key::fields::RATE_LIMITS_PER_KEY_MAX;
use keybell_core::key::{ApiKey, Environment, RateLimit};
use keybell_core::{Code, FieldError, Problem, scope};
use serde_json::Map;

use super::expiry::Expiry;
use super::shown::shown_once;
use super::{back, expiry, list_of, manageable};
use crate::problem::Answer;
use crate::ui::back::Back;
use crate::ui::fields::{Fields, TypedForm, errors_of};
use crate::ui::signed::{Inside, form_token};
use crate::ui::view::form::{Errors, Field, number};
use crate::ui::view::frame::Section;
use crate::ui::view::keys::{EditedKey, KeyAgainPage, KeyFormPage, LimitRow, ScopeGroup};
use crate::ui::{first_time, once, page, page_refused};

/// Empty lines for rate limits after those that are there.
const EMPTY_LIMITS: usize = 2;
/// The times of rate limits to choose from: seconds, and words.
const WINDOWS: [(u64, &str); 4] =
    [(1, "in a second"), (60, "in a minute"), (3_600, "in an hour"), (86_400, "in a day")];

/// The fields that can be wrong, in their order.
const IN_ORDER: [&str; 7] =
    ["name", "description", "scopes", "expires_at", "expires_on", "allowed_networks", "rate_limits"];

/// What stands in the form.
struct Written {
    name: String,
    description: String,
    environment: String,
    scopes: Vec<String>,
    expires: String,
    expires_on: String,
    networks: String,
    limits: Vec<LimitWritten>,
    token: String,
    back: Back,
}

struct LimitWritten {
    name: String,
    limit: String,
    window_seconds: u64,
}

pub(super) async fn new(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    here.grant::<ManageKeys>()?;
    let written = Written {
        name: String::new(),
        description: String::new(),
        environment: Environment::Live.as_str().to_owned(),
        scopes: Vec::new(),
        expires: expiry::DEFAULT.to_owned(),
        expires_on: String::new(),
        networks: String::new(),
        limits: Vec::new(),
        token: form_token(&app),
        back: back(&here, &query),
    };
    Ok(page(&view(&app, &here, None, written, Errors::default())?)?)
}

pub(super) async fn create(
    State(app): State<App>,
    here: Inside,
    TypedForm(form): TypedForm,
) -> Answer<Response> {
    let grant = here.grant::<ManageKeys>()?;
    let written = Written::read(&form, &here);
    let mut wrong = Vec::new();
    let new = written.new_key(&form, &app, &mut wrong)?;
    if !wrong.is_empty() {
        wrong.extend(app.wrong_with_new_key(&new));
        return refused(&app, &here, None, written, Problem::invalid(wrong));
    }
    let Some(under_way) = first_time(&app, &here, &form).await? else {
        return Ok(page(&KeyAgainPage { frame: here.frame(Section::Keys), list: written.back.address() })?);
    };
    let maker = app.clone();
    match once(&app, under_way, async move { maker.create_key(grant, new).await }).await {
        Ok(issued) => Ok(shown_once(&app, &here, "Your new key", &issued, &written.back)?),
        Err(problem) => refused(&app, &here, None, written, problem),
    }
}

pub(super) async fn edit(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    query: Fields,
) -> Answer<Response> {
    let key = manageable(&app, &here, &id).await?;
    let written = Written::of(&key, back(&here, &query));
    Ok(page(&view(&app, &here, Some(&key), written, Errors::default())?)?)
}

pub(super) async fn save(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    TypedForm(form): TypedForm,
) -> Answer<Response> {
    let grant = here.grant::<ManageKeys>()?;
    let key = manageable(&app, &here, &id).await?;
    let written = Written::read(&form, &here);
    let mut wrong = Vec::new();
    let patch = written.patch(&form, &app, &mut wrong);
    if !wrong.is_empty() {
        wrong.extend(app.wrong_with_patch(&grant, &key, &patch));
        return refused(&app, &here, Some(&key), written, Problem::invalid(wrong));
    }
    match app.edit_key(grant, key.id, patch).await {
        Ok(_) => Ok(Redirect::to(&written.back.done("key-saved")).into_response()),
        Err(problem) => refused(&app, &here, Some(&key), written, problem),
    }
}

fn refused(
    app: &App,
    here: &Inside,
    editing: Option<&ApiKey>,
    written: Written,
    mut problem: Problem,
) -> Answer<Response> {
    problem.errors.iter_mut().for_each(|error| expiry::told_at_its_field(error, &written.expires));
    // As the form has them, so that a person goes down it once.
    problem.errors.sort_by_key(|error| {
        let field = error.field.split('[').next();
        IN_ORDER.iter().position(|known| Some(*known) == field)
    });
    let (errors, problem) = errors_of(problem)?;
    Ok(page_refused(&view(app, here, editing, written, errors)?, &problem)?)
}

impl Written {
    fn read(form: &Fields, here: &Inside) -> Written {
        let names = form.all("limit_name");
        let counts = form.all("limit_count");
        let windows = form.all("limit_window");
        let limits = names.zip(counts).zip(windows).map(|((name, limit), window)| LimitWritten {
            name: name.trim().to_owned(),
            limit: limit.trim().to_owned(),
            window_seconds: window.parse().unwrap_or(0),
        });
        Written {
            name: form.one("name").trim().to_owned(),
            description: form.lines("description"),
            environment: form.one("environment").to_owned(),
            scopes: form.all("scopes").map(str::to_owned).collect(),
            expires: form.one("expires").to_owned(),
            expires_on: form.one("expires_on").to_owned(),
            networks: form.lines("allowed_networks"),
            limits: limits.filter(|limit| !limit.limit.is_empty() || !limit.name.is_empty()).collect(),
            token: form.one("token").to_owned(),
            back: back(here, form),
        }
    }

    fn of(key: &ApiKey, back: Back) -> Written {
        let limits = key.rate_limits.iter().map(|limit| LimitWritten {
            name: limit.name.clone(),
            limit: limit.limit.to_string(),
            window_seconds: limit.window_seconds,
        });
        let networks: Vec<String> = key.allowed_networks.iter().map(ToString::to_string).collect();
        Written {
            name: key.name.clone(),
            description: key.description.clone(),
            environment: key.environment.as_str().to_owned(),
            scopes: key.scopes.clone(),
            expires: expiry::KEEP.to_owned(),
            expires_on: String::new(),
            networks: networks.join("\n"),
            limits: limits.collect(),
            token: String::new(),
            back,
        }
    }

    /// The key that was asked for. What cannot be read goes to `wrong`, and something harmless stands in its place, so that
    /// the rest can be checked beside it.
    fn new_key(&self, form: &Fields, app: &App, wrong: &mut Vec<FieldError>) -> Result<NewKey, Problem> {
        let expires_at = match expiry(form, app, wrong) {
            Expiry::At(at) => Some(at),
            Expiry::Never | Expiry::Kept => None,
        };
        Ok(NewKey {
            name: self.name.clone(),
            description: self.description.clone(),
            environment: Environment::parse(&self.environment).ok_or(Code::Malformed)?,
            scopes: self.scopes.clone(),
            expires_at,
            allowed_networks: self.networks(),
            rate_limits: self.limits(wrong),
            metadata: Map::new(),
        })
    }

    /// The changes that were asked for, in the same way.
    fn patch(&self, form: &Fields, app: &App, wrong: &mut Vec<FieldError>) -> KeyPatch {
        KeyPatch {
            name: Some(self.name.clone()),
            description: Some(self.description.clone()),
            enabled: Some(form.one("enabled") != "no"),
            scopes: Some(self.scopes.clone()),
            expires_at: match expiry(form, app, wrong) {
                Expiry::Kept => None,
                Expiry::Never => Some(None),
                Expiry::At(at) => Some(Some(at)),
            },
            allowed_networks: Some(self.networks()),
            rate_limits: Some(self.limits(wrong)),
            metadata: None,
        }
    }

    fn networks(&self) -> Vec<String> {
        let lines = self.networks.split(['\n', ',']).map(str::trim);
        lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    fn limits(&self, wrong: &mut Vec<FieldError>) -> Vec<RateLimit> {
        let limits = self.limits.iter().enumerate().map(|(index, limit)| {
            let name = if limit.name.is_empty() {
                format!("requests_{}", limit.window_seconds)
            } else {
                limit.name.clone()
            };
            let count = limit.limit.parse().unwrap_or_else(|_| {
                let field = format!("rate_limits[{index}].limit");
                wrong.push(FieldError::new(field, "wrong_type", "must be a whole number of requests"));
                1
            });
            RateLimit { name, limit: count, window_seconds: limit.window_seconds }
        });
        limits.collect()
    }
}

fn expiry(form: &Fields, app: &App, wrong: &mut Vec<FieldError>) -> Expiry {
    expiry::chosen(form, app.now()).unwrap_or_else(|error| {
        wrong.push(error);
        Expiry::Kept
    })
}

fn view(
    app: &App,
    here: &Inside,
    editing: Option<&ApiKey>,
    written: Written,
    errors: Errors,
) -> Result<KeyFormPage, Problem> {
    let list = list_of(here);
    let id = editing.map(|key| key.public_identifier(app.brand()).to_string());
    let action = id.as_ref().map_or_else(|| format!("{list}/new"), |id| format!("{list}/{id}/edit"));
    let name = Field::text("name", "Name", written.name).most(NAME_CHARS_MAX).required().first();
    let description =
        Field::lines("description", "Description", written.description).most(DESCRIPTION_CHARS_MAX);
    let networks = Field::lines("allowed_networks", "Allowed networks", &*written.networks).mono();
    let is_limited = !written.networks.is_empty() || !written.limits.is_empty();
    Ok(KeyFormPage {
        frame: here.frame(Section::Keys),
        editing: editing.zip(id).map(|(key, id)| EditedKey {
            id,
            name: key.name.clone(),
            enabled: key.enabled,
        }),
        action,
        list: written.back.address(),
        back: written.back.said(),
        token: written.token,
        fields: [
            name.hint("Helps to identify its purpose, such as the program that uses it.").told(&errors),
            description.told(&errors),
        ],
        environment: written.environment,
        groups: scope_groups(app, &written.scopes)?,
        expiries: expiry::choices(&written.expires, editing),
        expires_on: expiry::shown(&written.expires_on).to_owned(),
        networks: networks
            .hint("One to a line, such as 198.51.100.0/24. Empty: from anywhere.")
            .told(&errors),
        limits: limit_rows(&written.limits, &errors),
        more_open: is_limited
            || errors.about("allowed_networks").is_some()
            || errors.about("rate_limits").is_some(),
        errors,
    })
}

fn limit_rows(written: &[LimitWritten], errors: &Errors) -> Vec<LimitRow> {
    let row = |index: usize, name: &str, limit: &str, seconds: u64| {
        let known = WINDOWS.iter().any(|(known, _)| *known == seconds);
        let own = (!known).then(|| (seconds, format!("in {seconds} seconds"), true));
        let windows = WINDOWS.iter().map(|(known, words)| (*known, (*words).to_owned(), *known == seconds));
        LimitRow {
            number: index + 1,
            name: name.to_owned(),
            limit: number(limit).to_owned(),
            windows: windows.chain(own).collect(),
            is_wrong: errors.about(&format!("rate_limits[{index}]")).is_some(),
        }
    };
    let filled = written.iter().enumerate();
    let filled = filled.map(|(index, limit)| row(index, &limit.name, &limit.limit, limit.window_seconds));
    let all = (written.len() + EMPTY_LIMITS).min(RATE_LIMITS_PER_KEY_MAX);
    filled.chain((written.len()..all).map(|index| row(index, "", "", 60))).collect()
}

/// The catalogue's scopes by what stands before their colon, Keybell's own, and whatever else is ticked.
fn scope_groups(app: &App, ticked: &[String]) -> Result<Vec<ScopeGroup>, Problem> {
    let mut known: Vec<(String, String)> = Vec::new();
    let mut cursor = None;
    loop {
        let listing = app.list_scopes(&Page::new(Some(PAGE_LIMIT_MAX), cursor)?)?;
        known.extend(listing.data.into_iter().map(|scope| (scope.name, scope.description)));
        cursor = listing.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    known.sort();
    let own = scope::OWN.iter().map(|(name, description)| ((*name).to_owned(), (*description).to_owned()));
    let own: Vec<_> = own.filter(|(name, _)| !known.iter().any(|(known, _)| known == name)).collect();
    known.extend(own);
    let gone: Vec<_> = ticked.iter().filter(|scope| !known.iter().any(|(name, _)| name == *scope)).collect();
    known.extend(gone.into_iter().map(|scope| (scope.clone(), "No longer in the catalogue".to_owned())));
    let mut groups: Vec<ScopeGroup> = Vec::new();
    for (name, description) in known {
        let title = match name.split_once(':') {
            Some(("keybell", _)) => "Keys and webhooks of this workspace".to_owned(),
            Some((group, _)) => group.to_owned(),
            None => "Others".to_owned(),
        };
        let is_ticked = ticked.contains(&name);
        let scope = (name, description, is_ticked);
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.scopes.push(scope),
            None => groups.push(ScopeGroup { title, scopes: vec![scope] }),
        }
    }
    Ok(groups)
}
