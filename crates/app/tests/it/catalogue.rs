//! The catalogue through the use cases: event types with their schemas, and scopes.

use std::time::Duration;

use keybell_app::event_types::{EventTypePatch, NewEventType, SCHEMA_BYTES_MAX};
use keybell_app::events::NewEvent;
use keybell_app::keys::NewKey;
use keybell_app::scopes::NewScope;
use keybell_app::{App, Page, Settings};
use keybell_core::key::Environment;
use keybell_core::seal::MasterKey;
use keybell_core::{Code, operator_event, scope};
use serde_json::Map;
use serde_json::value::RawValue;

use crate::house::{On, house};
use crate::workspaces::{code, fields, grant, make, operates, operator};

fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("it is JSON")
}

fn new(name: &str) -> NewEventType {
    NewEventType {
        name: name.to_owned(),
        group: None,
        description: String::new(),
        schema: None,
        example: None,
    }
}

const SCHEMA: &str =
    r#"{"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}}}"#;

/// The names of the platform's event types, newest first. Keybell's own come last.
fn names(app: &App) -> Vec<String> {
    let listed = app.list_event_types(&Page::default()).expect("everybody may");
    let mut names: Vec<_> = listed.data.into_iter().map(|event_type| event_type.name).collect();
    let own = names.split_off(names.len() - operator_event::ALL.len());
    assert_eq!(own, [operator_event::WEBHOOK_FAILING, operator_event::WEBHOOK_DISABLED]);
    names
}

#[tokio::test]
async fn keybells_own_event_types_are_always_there_and_nobodys_to_change() {
    let house = house(On::Memory).await;
    let app = &house.app;
    assert_eq!(names(app).len(), 0);
    for built_in in &operator_event::ALL {
        let shown = app.event_type(built_in.name).expect("it is there");
        assert_eq!(shown.group, operator_event::GROUP);
        let live = app.catalogue().event_type(built_in.name).expect("it is there");
        live.check_data(shown.example.expect("an example").get()).expect("the example fits the schema");

        let reserved = |field: &str| vec![(field.to_owned(), "reserved")];
        let patch = EventTypePatch { description: Some("Mine".to_owned()), ..EventTypePatch::default() };
        assert_eq!(fields(app.edit_event_type(operates(), built_in.name, patch).await), reserved("name"));
        assert_eq!(fields(app.archive_event_type(operates(), built_in.name).await), reserved("name"));
        assert_eq!(fields(app.create_event_type(operates(), new(built_in.name)).await), reserved("name"));
    }
    let reserved = |field: &str| vec![(field.to_owned(), "reserved")];
    for name in ["keybell", "keybell.anything"] {
        assert_eq!(fields(app.create_event_type(operates(), new(name)).await), reserved("name"), "{name}");
    }
    let of_our_group = NewEventType { group: Some("keybell".to_owned()), ..new("a.b") };
    assert_eq!(fields(app.create_event_type(operates(), of_our_group).await), reserved("group"));
    app.create_event_type(operates(), new("keybells.rung")).await.expect("it only looks alike");
}

#[tokio::test]
async fn keybells_own_events_are_published_by_nobody_else() {
    for on_the_fly in [false, true] {
        let settings = Settings { event_types_on_the_fly: on_the_fly, ..crate::house::settings() };
        let house = crate::house::House::start(On::Memory, settings).await;
        let workspace = make(&house.app, "Acme", None).await;
        for name in [operator_event::WEBHOOK_DISABLED, "keybell.anything"] {
            let event =
                NewEvent { event_type: name.to_owned(), data: json("{}"), id: None, occurred_at: None };
            let refused = house.app.publish(vec![(grant(&operator(), workspace.id), event)]).await;
            assert_eq!(fields(refused), [("type".to_owned(), "reserved")], "{name}");
        }
    }
}

#[tokio::test]
async fn an_event_type_is_declared_edited_archived_and_declared_again() {
    for on in [On::Memory, On::Postgres] {
        let house = house(on).await;
        let app = &house.app;
        let declared =
            app.create_event_type(operates(), new("research_report.published")).await.expect("valid");
        assert_eq!(declared.group, "research_report");
        house.clock.advance(Duration::from_secs(1));
        app.create_event_type(operates(), new("portfolio.updated")).await.expect("valid");
        assert_eq!(names(app), ["portfolio.updated", "research_report.published"], "{on:?}");
        assert_eq!(code(app.create_event_type(operates(), new("portfolio.updated")).await), Code::Conflict);

        let patch = EventTypePatch {
            group: Some(Some("research".to_owned())),
            description: Some("A report is out.".to_owned()),
            schema: Some(Some(json(SCHEMA))),
            example: Some(Some(json(r#"{ "title": "Rates" }"#))),
        };
        let edited =
            app.edit_event_type(operates(), "research_report.published", patch).await.expect("valid");
        assert!(edited.updated_at > declared.updated_at, "{on:?}");
        // As it was written, white space and all, also after a restart.
        let again = house.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts again");
        let read = again.event_type("research_report.published").expect("it is there");
        assert_eq!(read.example.expect("an example").get(), r#"{ "title": "Rates" }"#, "{on:?}");
        assert_eq!((read.group.as_str(), read.schema.expect("a schema").get()), ("research", SCHEMA));

        app.archive_event_type(operates(), "portfolio.updated").await.expect("it is there");
        assert_eq!(names(app), ["research_report.published"], "{on:?}");
        assert_eq!(code(app.event_type("portfolio.updated")), Code::NotFound);
        assert_eq!(code(app.archive_event_type(operates(), "portfolio.updated").await), Code::NotFound);
        let patch = app.edit_event_type(operates(), "portfolio.updated", EventTypePatch::default()).await;
        assert_eq!(code(patch), Code::NotFound);
        let back = NewEventType { description: "Back".to_owned(), ..new("portfolio.updated") };
        assert_eq!(app.create_event_type(operates(), back).await.expect("it comes back").description, "Back");
        assert_eq!(names(app).len(), 2, "{on:?}");
    }
}

#[tokio::test]
async fn data_that_does_not_fit_the_schema_is_told_place_by_place() {
    let house = house(On::Memory).await;
    let typed = NewEventType { schema: Some(json(SCHEMA)), ..new("research_report.published") };
    house.app.create_event_type(operates(), typed).await.expect("valid");
    let live = house.app.catalogue().event_type("research_report.published").expect("it is there");
    assert!(live.check_data(r#"{"title": "Rates", "pages": 3}"#).is_ok());

    let refused = live.check_data(r#"{"title": 7}"#).expect_err("a number is no title");
    assert_eq!(refused.code, Code::SchemaMismatch);
    assert_eq!((refused.errors[0].field.as_str(), refused.errors[0].code), ("data.title", "schema"));
    assert_eq!(fields(live.check_data("[]")), [("data".to_owned(), "schema")]);
}

#[tokio::test]
async fn a_schema_stands_alone_and_its_example_fits() {
    let house = house(On::Memory).await;
    let refused = async |schema: &str, example: Option<&str>| {
        let new = NewEventType { schema: Some(json(schema)), example: example.map(json), ..new("a.b") };
        fields(house.app.create_event_type(operates(), new).await)
    };
    let schema = ("schema".to_owned(), "invalid");
    assert_eq!(refused(r#"{"type": "strong"}"#, None).await, std::slice::from_ref(&schema));
    assert_eq!(refused("[]", None).await, std::slice::from_ref(&schema));
    // Nothing is fetched: not from the network, not from the disk.
    for elsewhere in ["http://127.0.0.1:9/schema.json", "file:///etc/hostname", "other.json"] {
        assert_eq!(
            refused(&format!(r#"{{"$ref": "{elsewhere}"}}"#), None).await,
            std::slice::from_ref(&schema)
        );
    }
    assert_eq!(refused(SCHEMA, Some("{}")).await, [("example".to_owned(), "schema")]);
    assert_eq!(refused(SCHEMA, Some(r#""\ud800""#)).await, [("example".to_owned(), "invalid")]);
}

#[tokio::test]
async fn an_event_types_fields_hold_at_their_limits() {
    let house = house(On::Memory).await;
    let of_bytes =
        |bytes: usize| json(&format!(r#"{{"title":"{}"}}"#, "x".repeat(bytes - r#"{"title":""}"#.len())));
    let with = |name: &str, bytes: usize| NewEventType { schema: Some(of_bytes(bytes)), ..new(name) };
    house.app.create_event_type(operates(), with("a", SCHEMA_BYTES_MAX)).await.expect("at the limit");
    let over = house.app.create_event_type(operates(), with("b", SCHEMA_BYTES_MAX + 1)).await;
    assert_eq!(fields(over), [("schema".to_owned(), "too_long")]);
    let described = NewEventType { description: "x".repeat(1_001), group: Some(".".to_owned()), ..new("c") };
    let refused = fields(house.app.create_event_type(operates(), described).await);
    assert_eq!(refused, [("group".to_owned(), "invalid"), ("description".to_owned(), "too_long")]);
    assert_eq!(
        fields(house.app.create_event_type(operates(), new("a b")).await),
        [("name".to_owned(), "invalid")]
    );
}

#[tokio::test]
async fn event_types_are_listed_in_pages() {
    let house = house(On::Memory).await;
    for name in ["a", "b", "c"] {
        house.app.create_event_type(operates(), new(name)).await.expect("valid");
    }
    let page = |cursor| {
        let page = Page::new(Some(2), cursor).expect("2 is within the limit");
        let listed = house.app.list_event_types(&page).expect("everybody may");
        (listed.data.into_iter().map(|listed| listed.name).collect::<Vec<_>>(), listed.next_cursor)
    };
    let (first, cursor) = page(None);
    assert_eq!(first, ["c", "b"]);
    let (second, cursor) = page(cursor);
    assert_eq!(second, ["a", operator_event::WEBHOOK_FAILING]);
    assert_eq!(page(cursor), (vec![operator_event::WEBHOOK_DISABLED.to_owned()], None));
}

#[tokio::test]
async fn a_scope_is_declared_given_to_keys_and_removed() {
    for on in [On::Memory, On::Postgres] {
        let house = house(on).await;
        let app = &house.app;
        let workspace = make(app, "Acme", None).await;
        let key = || NewKey {
            name: "key".to_owned(),
            description: String::new(),
            environment: Environment::Live,
            scopes: vec!["reports:read".to_owned(), "keybell:events.publish".to_owned()],
            expires_at: None,
            allowed_networks: Vec::new(),
            rate_limits: Vec::new(),
            metadata: Map::new(),
        };
        let refused = app.create_key(grant(&operator(), workspace.id), key()).await.map(|_| ());
        assert_eq!(fields(refused), [("scopes[0]".to_owned(), "unknown_scope")], "{on:?}");

        let scope = || NewScope { name: "reports:read".to_owned(), description: "Read reports".to_owned() };
        app.create_scope(operates(), scope()).await.expect("valid");
        assert_eq!(code(app.create_scope(operates(), scope()).await), Code::Conflict, "{on:?}");
        app.create_key(grant(&operator(), workspace.id), key()).await.map(|_| ()).expect("it is declared");
        let listed = app.list_scopes(&Page::default()).expect("everybody may").data;
        assert_eq!(listed.len(), 1 + scope::OWN.len());
        assert_eq!(listed[0].name, "reports:read", "the platform's come first");

        app.delete_scope(operates(), "reports:read").await.expect("it is there");
        let again = house.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts again");
        for app in [app, &again] {
            let refused = app.create_key(grant(&operator(), workspace.id), key()).await.map(|_| ());
            assert_eq!(code(refused), Code::Validation, "{on:?}");
        }
        assert_eq!(code(app.delete_scope(operates(), "reports:read").await), Code::NotFound, "{on:?}");
        assert_eq!(code(app.delete_scope(operates(), "keybell:keys.read").await), Code::NotFound);
        let own = NewScope { name: "keybell:anything".to_owned(), description: String::new() };
        assert_eq!(fields(app.create_scope(operates(), own).await), [("name".to_owned(), "invalid")]);
    }
}
