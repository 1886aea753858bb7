//! An attempt as a command for the terminal: the same request, by hand.

use keybell_app::deliveries::SentRequest;

/// Longest body that is put into a command, in bytes: more is no longer a line that somebody pastes, and some shells take
/// no more than 128 KiB for one argument.
pub(super) const CURL_BODY_BYTES_MAX: usize = 64 * 1024;

/// Headers that curl makes by itself, from the body.
const BY_ITSELF: [&str; 2] = ["content-length", "host"];

/// The command; `None` where the body is no longer kept, or too long. A secret header's value is left out, to be put in by
/// whoever knows it.
pub(super) fn command(request: &SentRequest) -> Option<String> {
    let body = request.body.as_deref().filter(|body| body.len() <= CURL_BODY_BYTES_MAX)?;
    // Without globs: braces and brackets of a URL are its own.
    let mut command = format!("curl --globoff -X POST {}", quoted(&request.url));
    for header in &request.headers {
        if BY_ITSELF.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
            continue;
        }
        let value = header.value.as_deref().unwrap_or("<secret>");
        command.push_str(" \\\n  -H ");
        // With a colon, curl would leave out a header that has no value.
        let written =
            if value.is_empty() { format!("{};", header.name) } else { format!("{}: {value}", header.name) };
        command.push_str(&quoted(&written));
    }
    // Raw: with the other ways a body that begins with @ is the name of a file.
    command.push_str(" \\\n  --data-raw ");
    command.push_str(&quoted(body));
    Some(command)
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use keybell_app::deliveries::LoggedHeader;

    use super::*;

    fn header(name: &str, value: Option<&str>) -> LoggedHeader {
        LoggedHeader { name: name.to_owned(), value: value.map(str::to_owned), secret: value.is_none() }
    }

    fn request(body: Option<&str>) -> SentRequest {
        SentRequest {
            url: "https://hooks.example.com/in?a=1&b='2'".to_owned(),
            headers: vec![
                header("host", Some("hooks.example.com")),
                header("content-type", Some("application/json")),
                header("x-token", None),
                header("x-empty", Some("")),
            ],
            body: body.map(str::to_owned),
        }
    }

    #[test]
    fn a_command_is_quoted_and_holds_no_secret() {
        let command = command(&request(Some("{\"it's\":\"$(rm)\"}"))).expect("it has a body");
        insta::assert_snapshot!(command, @r#"
        curl --globoff -X POST 'https://hooks.example.com/in?a=1&b='\''2'\''' \
          -H 'content-type: application/json' \
          -H 'x-token: <secret>' \
          -H 'x-empty;' \
          --data-raw '{"it'\''s":"$(rm)"}'
        "#);
    }

    #[test]
    fn a_body_that_is_gone_or_too_long_makes_no_command() {
        assert_eq!(command(&request(None)), None);
        let long = |bytes| command(&request(Some(&"x".repeat(bytes)))).is_some();
        assert_eq!([long(CURL_BODY_BYTES_MAX), long(CURL_BODY_BYTES_MAX + 1)], [true, false]);
    }
}
