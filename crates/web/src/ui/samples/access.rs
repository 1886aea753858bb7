//! Signing in, sessions, refusals.

use super::{Sample, at, drawn};
use crate::ui::view::access::{
    ClosedPage, LinkPage, ProblemPage, SessionRow, SessionsPage, SetUpPage, SignInPage,
};
use crate::ui::view::form::Field;
use crate::ui::view::frame::{Frame, Section};
use crate::ui::view::parts::When;

impl Sample<'_> {
    pub(super) fn access_pages(&self) -> Vec<(&'static str, String)> {
        let sign_in = SignInPage {
            door: self.door(),
            fields: [
                Field::text("email", "E-mail", self.say("")).kind("email", "username").required().first(),
                Field::password("password", "Password", "current-password").required(),
            ],
            refused: (!self.word.is_empty()).then(|| self.say("")),
            next: self.say("/"),
        };
        let set_up = SetUpPage {
            door: self.door(),
            action: self.say("/setup/kb_setup_1"),
            fields: [
                Field::text("workspace_name", "Workspace", self.say("")).required().first(),
                Field::text("name", "Your name", self.say(""))
                    .kind("text", "name")
                    .required()
                    .told(&self.errors()),
                Field::text("email", "E-mail", self.say("")).kind("email", "username").required(),
                Field::password("password", "Password", "new-password")
                    .hint("At least 10 characters.")
                    .required(),
            ],
            errors: self.errors(),
        };
        let closed = ClosedPage {
            door: self.door(),
            status: 404,
            title: self.say("Not found"),
            detail: self.say("This link was used already, or is too old."),
            request_id: "req_1".to_owned(),
        };
        let problem = ProblemPage {
            frame: self.frame(Section::Keys),
            status: 403,
            title: self.say("Not allowed"),
            detail: self.say("Ask an owner or admin of the workspace."),
            request_id: "req_1".to_owned(),
            errors: self.errors(),
        };
        let sessions = SessionsPage {
            frame: Frame { workspace: None, ..self.frame(Section::Home) },
            // Whoever looks has one at least.
            sessions: {
                let row = |is_this_one| SessionRow {
                    id: self.say("c2Vzc2lvbg"),
                    is_this_one,
                    browser: self.say("Firefox on Linux"),
                    address: self.say("198.51.100.7"),
                    began: When::at(at(-9_000)),
                    seen: When::near(at(-1)),
                };
                if self.full { vec![row(true), row(false)] } else { vec![row(true)] }
            },
        };
        vec![
            ("sign-in", drawn(&sign_in)),
            ("link", drawn(&LinkPage { door: self.door(), action: self.say("/sign-in/x") })),
            ("set-up", drawn(&set_up)),
            ("closed", drawn(&closed)),
            ("problem", drawn(&problem)),
            ("sessions", drawn(&sessions)),
        ]
    }
}
