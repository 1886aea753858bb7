//! Checks the signature of a webhook's request, with the crates `base64`, `hmac` and `sha2`.

use std::io::Read as _;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How far the sender's clock and ours may be apart, in seconds.
const TOLERANCE: u64 = 5 * 60;

/// Refuses a request unless its body, byte for byte as it came, was signed with `secret` a moment ago.
fn verify(
    secret: &str,
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
) -> Result<(), &'static str> {
    let key = secret.strip_prefix("whsec_").ok_or("the secret does not begin with whsec_")?;
    let key = STANDARD.decode(key).map_err(|_| "the secret is not base64")?;
    let sent: u64 = timestamp.parse().map_err(|_| "the timestamp is no number")?;
    let now = UNIX_EPOCH.elapsed().map_err(|_| "our clock is wrong")?.as_secs();
    if now.abs_diff(sent) > TOLERANCE {
        return Err("the timestamp is too far from now");
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| "the secret is no key")?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    // While a secret is rotated there is a signature for each of them; one that fits is enough.
    for signature in signatures.split(' ').filter_map(|each| each.strip_prefix("v1,")) {
        // `verify_slice` compares in constant time.
        if STANDARD.decode(signature).is_ok_and(|given| mac.clone().verify_slice(&given).is_ok()) {
            return Ok(());
        }
    }
    Err("no signature fits")
}

fn main() -> ExitCode {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let mut body = Vec::new();
    if std::io::stdin().read_to_end(&mut body).is_err() {
        return ExitCode::FAILURE;
    }
    let [secret, id, timestamp, signatures] =
        ["WEBHOOK_SECRET", "WEBHOOK_ID", "WEBHOOK_TIMESTAMP", "WEBHOOK_SIGNATURE"].map(variable);
    match verify(&secret, &id, &timestamp, &signatures, &body) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("refused: {why}");
            ExitCode::FAILURE
        }
    }
}
