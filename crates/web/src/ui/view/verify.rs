//! How a receiver checks the signature of what a webhook sends: the headers, what is signed, and a sample to copy.

use askama::Template;

use super::frame::Frame;
use super::parts::Icon;
use super::reference::Prose;
use super::webhooks::WebhookHead;

/// How to verify a webhook.
#[derive(Template)]
#[template(path = "webhook_verify.html")]
pub struct VerifyPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The webhook.
    pub head: WebhookHead,
    /// In which content type the webhook sends, in a word.
    pub content_type: &'static str,
    /// The languages there are: name, address, whether it is the one that is shown.
    pub languages: Vec<(&'static str, String, bool)>,
    /// The sample in the language that is shown.
    pub sample: Sample,
}

/// A program that verifies a request.
#[derive(Clone, Copy)]
pub struct Sample {
    /// The language.
    pub language: &'static str,
    /// What its file is called.
    pub file: &'static str,
    /// What it needs besides the language.
    pub needs: &'static str,
    /// Where a server written in it has the body as it came; code stands between backticks.
    pub body: &'static str,
    /// How it is run.
    pub run: &'static str,
    /// The program, whole.
    pub text: &'static str,
}
