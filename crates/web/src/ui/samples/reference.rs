//! The API reference.

use super::{Sample, drawn};
use crate::ui::view::form::CopyField;
use crate::ui::view::reference::{
    Contents, ContentsSection, FieldRow, Fields, Method, Operation, Prose, Reply, SectionPage, Shape,
    StartPage,
};

impl Sample<'_> {
    fn contents(&self, at_start: bool) -> Contents {
        let call = (
            Method("POST".to_owned()),
            self.say("/v1/workspaces/{workspace}/webhooks"),
            self.say("Create a webhook"),
            "create_webhook".to_owned(),
        );
        let section = ContentsSection {
            name: self.say("Webhooks"),
            href: "/docs/api/webhooks".to_owned(),
            open: !at_start && self.full,
            operations: vec![call],
        };
        Contents { at_start, sections: self.some(|| vec![section]) }
    }

    fn fields(&self) -> Fields {
        let row = FieldRow {
            name: self.say("headers[].name"),
            facts: Prose(self.say("string, required, 1 to 100 characters, one of `a` `b`")),
            says: Prose(self.say("What it is called, such as `x-team`.")),
            example: self.say("x-team"),
        };
        Fields { rows: self.some(|| vec![row]) }
    }

    pub(super) fn reference_pages(&self) -> Vec<(&'static str, String)> {
        let start = StartPage {
            door: self.door(),
            contents: self.contents(true),
            base_url: CopyField::new("base-url", "Base URL", self.say("https://keys.northwind.example")),
            credentials: vec![(self.say("Authorization: Bearer …"), Prose(self.say("An API key.")))],
            problems: vec![(
                "not_found".to_owned(),
                "404".to_owned(),
                self.say("Not found"),
                Prose(self.say("Look again.")),
            )],
            query: "?workspace=ws_1",
        };
        let answer = Reply {
            status: "201".to_owned(),
            says: Prose(self.say("Made.")),
            shape: Some((self.say("Webhook"), "shape-Webhook".to_owned(), self.full)),
            fields: self.fields(),
            example: self.say("{\"id\": \"whk_1\"}"),
        };
        let operation = Operation {
            id: "create_webhook".to_owned(),
            method: Method(self.say("POST")),
            path: self.say("/v1/workspaces/{workspace}/webhooks"),
            summary: self.say("Create a webhook"),
            says: Prose(self.say("The answer has the `signing_secret`.")),
            parameters: self.fields(),
            body: self.full.then(|| self.fields()),
            curl: self.say("curl 'https://keys.northwind.example/v1/webhooks'"),
            answers: vec![answer],
        };
        let shape = Shape {
            name: self.say("Webhook"),
            id: "shape-Webhook".to_owned(),
            says: Prose(self.say("A subscription.")),
            fields: self.fields(),
        };
        let section = SectionPage {
            door: self.door(),
            contents: self.contents(false),
            name: self.say("Webhooks"),
            operations: vec![operation],
            shapes: vec![shape],
            query: "",
        };
        vec![("reference", drawn(&start)), ("reference-section", drawn(&section))]
    }
}
