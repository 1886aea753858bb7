//! `WWW-Authenticate`: what a refused request is told about credentials (RFC 6750, section 3; RFC 7617).
//!
//! The API, the gateways' endpoint and the tower layer answer alike, so it is written once, here.

use crate::Code;

/// The values of `WWW-Authenticate` for a refusal, one header each; none where no other credential would help.
///
/// Who sent no credential is told the schemes and no error. `required_scopes` are told where one of them was missing.
pub fn challenges(code: Code, required_scopes: &[String]) -> Vec<String> {
    let error = match (code, code.status()) {
        (Code::MissingCredential, _) => {
            return vec!["Bearer realm=\"keybell\"".to_owned(), "Basic realm=\"keybell\"".to_owned()];
        }
        (Code::ConflictingCredentials | Code::InvalidAuthorization, _) => "invalid_request",
        (Code::InsufficientScope, _) => "insufficient_scope",
        (_, 401) => "invalid_token",
        _ => return Vec::new(),
    };
    let challenge =
        format!("Bearer realm=\"keybell\", error=\"{error}\", error_description=\"{}\"", code.title());
    if code != Code::InsufficientScope || required_scopes.is_empty() {
        return vec![challenge];
    }
    // Names of scopes hold neither quotes nor backslashes, and what is no such name is not repeated.
    let scopes = required_scopes.iter().filter(|scope| crate::scope::check(scope).is_ok());
    let scopes: Vec<&str> = scopes.map(String::as_str).collect();
    vec![format!("{challenge}, scope=\"{}\"", scopes.join(" "))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_the_error_of_rfc_6750() {
        let scopes = ["reports:read".to_owned(), "reports:write".to_owned(), "a\"b".to_owned()];
        let challenged = Code::ALL.iter().filter(|code| !challenges(**code, &scopes).is_empty());
        let told: Vec<String> = challenged
            .map(|code| format!("{}: {}", code.as_str(), challenges(*code, &scopes).join(" | ")))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        conflicting_credentials: Bearer realm="keybell", error="invalid_request", error_description="Two different credentials in one request"
        invalid_authorization: Bearer realm="keybell", error="invalid_request", error_description="The Authorization header could not be read"
        missing_credential: Bearer realm="keybell" | Basic realm="keybell"
        invalid_key: Bearer realm="keybell", error="invalid_token", error_description="The key is not valid"
        key_revoked: Bearer realm="keybell", error="invalid_token", error_description="The key was revoked"
        key_disabled: Bearer realm="keybell", error="invalid_token", error_description="The key is disabled"
        key_expired: Bearer realm="keybell", error="invalid_token", error_description="The key has expired"
        secret_rotated_out: Bearer realm="keybell", error="invalid_token", error_description="This secret was rotated out"
        insufficient_scope: Bearer realm="keybell", error="insufficient_scope", error_description="The key lacks a scope", scope="reports:read reports:write"
        "#);
    }

    #[test]
    fn every_challenge_is_a_header_value() {
        for code in Code::ALL {
            for challenge in challenges(*code, &[]) {
                assert!(challenge.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{challenge}");
            }
        }
    }
}
