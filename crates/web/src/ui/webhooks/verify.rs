//! How a webhook's signature is verified, in each language. The samples are whole programs, so that the tests run them
//! just as the page shows them; none of them, and so not this page, holds a secret.

use axum::extract::{Path, State};
use axum::response::Response;
use keybell_app::App;

use super::{head, label, list_of, webhook_of};
use crate::problem::Answer;
use crate::ui::fields::Fields;
use crate::ui::page;
use crate::ui::signed::Inside;
use crate::ui::view::frame::Section;
use crate::ui::view::verify::{Sample, VerifyPage};
use crate::ui::view::webhooks::WebhookPart;

/// The word of a language in the address, and its sample. The first is shown where nobody chose.
const SAMPLES: [(&str, Sample); 8] = [
    (
        "javascript",
        Sample {
            language: "JavaScript",
            file: "verify.mjs",
            needs: "Nothing but Node.js.",
            body: "in Express `express.raw({ type: \"*/*\" })` leaves it in `request.body`, and `express.json()` does not keep it.",
            run: "node verify.mjs",
            text: include_str!("../../../samples/verify/verify.mjs"),
        },
    ),
    (
        "python",
        Sample {
            language: "Python",
            file: "verify.py",
            needs: "Nothing but the standard library.",
            body: "in Django `request.body`, in Flask `request.get_data()`, in FastAPI `await request.body()`.",
            run: "python3 verify.py",
            text: include_str!("../../../samples/verify/verify.py"),
        },
    ),
    (
        "ruby",
        Sample {
            language: "Ruby",
            file: "verify.rb",
            needs: "Nothing but the standard library.",
            body: "in Rails `request.raw_post`, in Rack and Sinatra `request.body.read`.",
            run: "ruby verify.rb",
            text: include_str!("../../../samples/verify/verify.rb"),
        },
    ),
    (
        "php",
        Sample {
            language: "PHP",
            file: "verify.php",
            needs: "Nothing but PHP 8.",
            body: "in a script `file_get_contents('php://input')`, in Laravel and Symfony `$request->getContent()`.",
            run: "php verify.php",
            text: include_str!("../../../samples/verify/verify.php"),
        },
    ),
    (
        "go",
        Sample {
            language: "Go",
            file: "verify.go",
            needs: "Nothing but the standard library of Go 1.19 or later.",
            body: "with `net/http` it is `io.ReadAll(request.Body)`, before anything decodes it.",
            run: "go run verify.go",
            text: include_str!("../../../samples/verify/verify.go"),
        },
    ),
    (
        "java",
        Sample {
            language: "Java",
            file: "Verify.java",
            needs: "Nothing but Java 11 or later.",
            body: "in Spring `@RequestBody byte[]`, in a servlet `request.getInputStream().readAllBytes()`.",
            run: "java Verify.java",
            text: include_str!("../../../samples/verify/Verify.java"),
        },
    ),
    (
        "rust",
        Sample {
            language: "Rust",
            file: "verify.rs",
            needs: "The crates base64, hmac and sha2.",
            body: "in axum take it as `Bytes`, in actix-web as `web::Bytes`, and not as `Json`.",
            run: "cargo run",
            text: include_str!("../../../samples/verify/verify.rs"),
        },
    ),
    (
        "shell",
        Sample {
            language: "Shell",
            file: "verify.sh",
            needs: "A POSIX shell and openssl. To try things out, not for a server: other users of the machine can see the key \
                    while it runs.",
            body: "a file that holds nothing else, as the standard input.",
            run: "sh verify.sh",
            text: include_str!("../../../samples/verify/verify.sh"),
        },
    ),
];

pub(super) async fn show(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    query: Fields,
) -> Answer<Response> {
    let webhook = webhook_of(&app, &here, &id).await?;
    let href = format!("{}/{}", list_of(&here), webhook.id);
    let asked = query.one("language");
    let chosen = SAMPLES.iter().position(|(word, _)| *word == asked).unwrap_or_default();
    let languages = SAMPLES.iter().enumerate().map(|(index, (word, sample))| {
        (sample.language, format!("{href}/verify?language={word}#sample"), index == chosen)
    });
    Ok(page(&VerifyPage {
        frame: here.frame(Section::Webhooks),
        head: head(&here, &webhook, Some(WebhookPart::Verify)),
        content_type: label(webhook.content_type),
        languages: languages.collect(),
        sample: SAMPLES[chosen].1,
    })?)
}
