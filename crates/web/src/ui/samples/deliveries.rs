//! Deliveries.

use super::{DEVELOPER, Sample, at, drawn};
use crate::ui::download;
use crate::ui::view::deliveries::{
    AttemptView, DeliveriesPage, DeliveryPage, DeliveryRow, Message, ResendPage,
};
use crate::ui::view::frame::Section;
use crate::ui::view::parts::{Badge, Tone, When};
use crate::ui::view::webhooks::WebhookPart;

impl Sample<'_> {
    pub(super) fn deliveries(&self) -> Vec<DeliveryRow> {
        let row = |status, answer: &str, attempts, next: Option<When>| DeliveryRow {
            id: "dlv_06dhtsbh1nxwk8n6s4c3v9r7e0".to_owned(),
            href: Some(format!("{DEVELOPER}/deliveries/dlv_06dhtsbh1nxwk8n6s4c3v9r7e0")),
            event_type: self.say("research_report.published"),
            webhook: self.say("Warehouse"),
            status,
            answer: answer.to_owned(),
            attempts,
            took: if next.is_none() { "1 min 5 s" } else { "—" }.to_owned(),
            at: When::near(at(-3)),
            may_resend: next.is_none(),
            next,
            waits: false,
        };
        self.some(|| {
            vec![
                row(Badge::new(Tone::Warn, "Pending"), "503", 2, Some(When::near(at(5)))),
                row(Badge::new(Tone::Good, "Succeeded"), "204", 1, None),
                row(Badge::new(Tone::Bad, "Failed"), "No answer", 10, None),
            ]
        })
    }

    pub(super) fn attempt(&self, number: u32, went_well: bool) -> AttemptView {
        let body = self.say(r#"{"id":"evt_1","type":"portfolio.updated"}"#);
        let headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("webhook-id".to_owned(), "evt_06dhtsbh1nxwk8n6s4c3v9r7e0".to_owned()),
            ("x-custom".to_owned(), self.say("blue")),
        ];
        let message = || Message {
            headers: headers.clone(),
            pretty: Some(format!("{body}\n")),
            body: Some(body.clone()),
        };
        let outcome = if went_well {
            Badge::new(Tone::Good, "204 No Content")
        } else {
            Badge::new(Tone::Bad, "No answer")
        };
        AttemptView {
            number,
            trigger: if number == 1 { "first attempt" } else { "retry" },
            started: When::at(at(i64::from(number))),
            took: "182 ms".to_owned(),
            timings: vec![
                ("DNS", "2 ms".to_owned()),
                ("connect", "21 ms".to_owned()),
                ("TLS", "44 ms".to_owned()),
            ],
            outcome,
            error: (!went_well).then(|| self.say("The connection was refused.")),
            is_open: number == 2,
            request: message(),
            url: self.say("https://hooks.evergreen.example/northwind"),
            response: went_well.then(message),
            truncated: went_well,
            curl: Some(format!("curl -X POST '{}'", self.say("https://hooks.evergreen.example/northwind"))),
        }
    }

    pub(super) fn delivery_pages(&self) -> Vec<(&'static str, String)> {
        let list = format!("{DEVELOPER}/deliveries");
        let deliveries = DeliveriesPage {
            frame: self.frame(Section::Deliveries),
            list: list.clone(),
            webhook: (!self.word.is_empty())
                .then(|| (self.say(""), Some(self.webhook_head(Some(WebhookPart::Deliveries))))),
            webhook_id: self.word.to_owned(),
            event: Some((self.say("pf_7_m1"), self.full.then(|| format!("{DEVELOPER}/events/pf_7_m1")))),
            statuses: vec![("", "Any", true), ("pending", "Pending", false)],
            answers: vec![("", "Any", true), ("5xx", "5xx", false)],
            event_type: self.word.to_owned(),
            event_types: vec![self.say("portfolio.updated")],
            webhooks: self.some(|| vec![("whk_1".to_owned(), self.say("Warehouse"))]),
            period: self.period(),
            is_filtered: !self.word.is_empty(),
            failed: false,
            deliveries: self.deliveries(),
            looked_to: self.full.then(|| When::at(at(-9))),
            older: self.full.then(|| "?cursor=1".to_owned()),
            is_later_page: false,
            newest: list.clone(),
            back: self.full.then(|| self.say("status=failed")),
            token: "token".to_owned(),
            live: Some(format!("{list}/live?")),
            resend_all: self.full.then(|| format!("{list}/resend?status=failed")),
            download: self.full.then(|| download::link(&list, &[])),
        };
        let resend = ResendPage {
            frame: self.frame(Section::Deliveries),
            list: list.clone(),
            deliveries: if self.full { 214 } else { 0 },
            or_more: self.full,
            about: vec![("Status", "Failed".to_owned()), ("Event type", self.say("portfolio.updated"))],
            action: "#".to_owned(),
            back: list.clone(),
            token: "token".to_owned(),
            kept: vec![("status", "failed".to_owned()), ("event_type", self.say("portfolio.updated"))],
        };
        let delivery = DeliveryPage {
            frame: self.frame(Section::Deliveries),
            list,
            id: "dlv_06dhtsbh1nxwk8n6s4c3v9r7e0".to_owned(),
            event_id: self.say("evt_06dhtsbh1nxwk8n6s4c3v9r7e0"),
            event: "#".to_owned(),
            event_type: self.say("portfolio.updated"),
            webhook: (self.say("Warehouse"), "#".to_owned()),
            status: if self.full {
                Badge::new(Tone::Good, "Succeeded")
            } else {
                Badge::new(Tone::Warn, "Pending")
            },
            occurred: self.full.then(|| When::at(at(-1))),
            created: When::at(at(0)),
            completed: self.full.then(|| When::at(at(2))),
            next: (!self.full).then(|| When::near(at(2))),
            waits: false,
            attempts: self.some(|| vec![self.attempt(2, true), self.attempt(1, false)]),
            event_deliveries: "#".to_owned(),
            resend: self.full.then(|| "#".to_owned()),
            token: "token".to_owned(),
        };
        vec![
            ("deliveries", drawn(&deliveries)),
            ("deliveries-resend", drawn(&resend)),
            ("delivery", drawn(&delivery)),
        ]
    }
}
