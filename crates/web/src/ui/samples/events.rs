//! Events, and the event catalogue.

use super::{DEVELOPER, Sample, at, drawn};
use crate::ui::view::catalogue::{CatalogueGroup, CataloguePage, CatalogueRow, EventTypePage, ExampleView};
use crate::ui::view::events::{EventPage, EventRow, EventsPage, ResendForm};
use crate::ui::view::filter::TimeFilter;
use crate::ui::view::form::CopyField;
use crate::ui::view::frame::Section;
use crate::ui::view::parts::When;

impl Sample<'_> {
    pub(super) fn period(&self) -> [TimeFilter; 2] {
        let refused = || (!self.word.is_empty()).then(|| self.say(""));
        let field = |name, label| TimeFilter { name, label, value: String::new(), refused: refused() };
        [field("from", "From"), field("to", "Until")]
    }

    pub(super) fn event_pages(&self) -> Vec<(&'static str, String)> {
        vec![
            ("events", drawn(&self.events(false))),
            ("events-failed", drawn(&self.events(true))),
            ("event", drawn(&self.event())),
            ("catalogue", drawn(&self.catalogue())),
            ("event-type", drawn(&self.event_type())),
        ]
    }

    fn events(&self, failed: bool) -> EventsPage {
        let list = format!("{DEVELOPER}/events");
        let row = |deliveries| EventRow {
            id: self.say("evt_06dhtsbh1nxwk8n6s4c3v9r7e0"),
            href: (deliveries > 0).then(|| format!("{list}/evt_06dhtsbh1nxwk8n6s4c3v9r7e0")),
            event_type: self.say("research_report.published"),
            occurred: When::near(at(-3)),
            received: When::near(at(-3)),
            deliveries,
            all_deliveries: self.say("#"),
        };
        EventsPage {
            frame: self.frame(Section::Events),
            catalogue: format!("{DEVELOPER}/event-catalogue"),
            event_type: self.word.to_owned(),
            event_types: vec![self.say("portfolio.updated")],
            period: self.period(),
            is_filtered: !self.word.is_empty(),
            failed,
            events: self.some(|| vec![row(2), row(0)]),
            looked_to: self.full.then(|| When::at(at(-9))),
            older: self.full.then(|| "?cursor=1".to_owned()),
            is_later_page: false,
            newest: list.clone(),
            list,
        }
    }

    fn event(&self) -> EventPage {
        let data = self.say(r#"{"title":"Copper in 2027"}"#);
        EventPage {
            frame: self.frame(Section::Events),
            list: format!("{DEVELOPER}/events"),
            id: CopyField::new("event-id", "Event id", self.say("evt_06dhtsbh1nxwk8n6s4c3v9r7e0")),
            event_type: self.say("research_report.published"),
            catalogued: self.full.then(|| (self.say("A report was published"), self.say("#"))),
            occurred: When::at(at(-3)),
            received: When::at(at(-3)),
            went_to: u32::from(self.full),
            pretty: self.full.then(|| format!("{data}\n")),
            data,
            deliveries: self.deliveries(),
            all_deliveries: "#".to_owned(),
            resend: self.full.then(|| ResendForm {
                action: self.say("#"),
                token: self.say("t"),
                deliveries: vec![(self.say("dlv_1"), self.say("Warehouse (failed)"))],
            }),
        }
    }

    fn catalogue(&self) -> CataloguePage {
        let row = |name: &str| CatalogueRow {
            name: self.say(name),
            href: self.say("#"),
            description: if self.full { self.say("It happened.") } else { String::new() },
        };
        let group = |name: &str, is_own| CatalogueGroup {
            name: self.say(name),
            is_own,
            event_types: vec![row("portfolio.updated"), row("portfolio.created")],
        };
        CataloguePage {
            frame: self.frame(Section::Catalogue),
            list: format!("{DEVELOPER}/event-catalogue"),
            search: self.word.to_owned(),
            many: if self.full { 4 } else { 0 },
            groups: self.some(|| vec![group("portfolio", false), group("keybell", true)]),
            new_webhook: self.full.then(|| format!("{DEVELOPER}/webhooks/new")),
            previous: None,
            next: self.full.then(|| "?page=2".to_owned()),
        }
    }

    fn event_type(&self) -> EventTypePage {
        let example = |id, label, is_usual: bool| ExampleView {
            id,
            label,
            header: "application/json",
            body: self.say(r#"{"id":"evt_1"}"#),
            pretty: is_usual.then(|| self.say("{\n  \"id\": \"evt_1\"\n}")),
            is_usual,
        };
        EventTypePage {
            frame: self.frame(Section::Catalogue),
            list: format!("{DEVELOPER}/event-catalogue"),
            name: self.say("portfolio.updated"),
            group: self.say("portfolio"),
            is_own: self.full,
            description: self.say("A portfolio was changed"),
            schema: self.full.then(|| self.say("{\n  \"type\": \"object\"\n}")),
            examples: self
                .some(|| vec![example("example-json", "JSON", true), example("example-form", "Form", false)]),
            new_webhook: self.full.then(|| self.say("#")),
            events: self.say("#"),
        }
    }
}
