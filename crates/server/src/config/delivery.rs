//! `[delivery]`: how events are delivered.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use keybell_app::delivery::roots::{Root, read_roots};
use keybell_app::settings::DeliverySettings;
use keybell_app::workspaces::EXTERNAL_ID_BYTES_MAX;
use toml::Value;

use super::duration;
use super::reader::Reader;

/// Shorter than any answer over a network.
const TIMEOUT_MIN: Duration = Duration::from_millis(10);
/// A slot of `max_in_flight` is taken for as long.
const TIMEOUT_MAX: Duration = Duration::from_mins(2);
/// A schedule that is longer keeps nobody's interest.
const RETRIES_MAX: usize = 30;
/// No wait shorter than a timer's tick, none longer than a week.
const RETRY_MIN: Duration = Duration::from_millis(1);
/// See [`RETRY_MIN`].
const RETRY_MAX: Duration = Duration::from_hours(7 * 24);
/// In per cent: more would let a later wait be shorter than the one before it.
const JITTER_MAX: u8 = 50;
/// There are not more ports to call one address from.
const IN_FLIGHT_MAX: usize = 65_535;

/// Shorter, and a webhook would be disabled for a restart of its receiver.
const DISABLE_MIN: Duration = Duration::from_hours(1);
/// A year: longer is `never`.
const DISABLE_MAX: Duration = Duration::from_hours(365 * 24);
/// What says that no webhook is disabled for failing.
const NEVER: [&str; 2] = ["never", "0"];
/// Past this it is no list that somebody keeps in mind.
const PORTS_MAX: usize = 64;
/// One file can hold all of an operator's roots; some have one for each authority.
const ROOT_FILES_MAX: usize = 64;

/// The section, in the words of the use cases.
pub(super) fn read(from: &mut Reader) -> Option<DeliverySettings> {
    let require_https = from.flag("delivery.require_https");
    let allowed_networks = from.networks("delivery.allowed_networks");
    let allowed_ports = read_ports(from);
    let extra_roots = read_extra_roots(from);
    let timeout = from.duration("delivery.timeout", TIMEOUT_MIN..=TIMEOUT_MAX);
    let connect_timeout = from.duration("delivery.connect_timeout", TIMEOUT_MIN..=TIMEOUT_MAX);
    let retry_schedule = from.durations("delivery.retry_schedule", RETRIES_MAX, RETRY_MIN..=RETRY_MAX);
    let retry_jitter = from.number("delivery.retry_jitter", 0..=JITTER_MAX);
    let max_in_flight = from.number("delivery.max_in_flight", 1..=IN_FLIGHT_MAX);
    let max_in_flight_per_webhook = from.number("delivery.max_in_flight_per_webhook", 1..=IN_FLIGHT_MAX);
    let disable_failing_after = disable_failing_after(from);
    let operator_workspace = operator_workspace(from);
    if let (Some(timeout), Some(connect)) = (timeout, connect_timeout)
        && connect > timeout
    {
        from.refuse("delivery.connect_timeout", "at most delivery.timeout, of which it is a part");
    }
    if let (Some(all), Some(each)) = (max_in_flight, max_in_flight_per_webhook)
        && each > all
    {
        from.refuse(
            "delivery.max_in_flight_per_webhook",
            "at most delivery.max_in_flight, of which it is a part",
        );
    }
    Some(DeliverySettings {
        require_https: require_https?,
        allowed_networks: allowed_networks?,
        allowed_ports: allowed_ports?,
        extra_roots: extra_roots?,
        timeout: timeout?,
        connect_timeout: connect_timeout?,
        retry_schedule: retry_schedule?,
        retry_jitter_percent: retry_jitter?,
        max_in_flight: max_in_flight?,
        max_in_flight_per_webhook: max_in_flight_per_webhook?,
        disable_failing_after: disable_failing_after?,
        operator_workspace: operator_workspace?,
    })
}

/// `None` inside for never.
#[expect(clippy::option_option, reason = "the outer one is for a value that was refused")]
fn disable_failing_after(from: &mut Reader) -> Option<Option<Duration>> {
    let allowed = "a duration from 1h to 365d such as \"5d\", or \"never\"";
    from.parsed("delivery.disable_failing_after", allowed, |value| {
        let text = value.as_str()?;
        if NEVER.contains(&text) {
            return Some(None);
        }
        duration::parse(text).filter(|after| (DISABLE_MIN..=DISABLE_MAX).contains(after)).map(Some)
    })
}

/// `None` inside where there is none. Whether there is such a workspace is looked up when it matters: it may be made later.
#[expect(clippy::option_option, reason = "the outer one is for a value that was refused")]
fn operator_workspace(from: &mut Reader) -> Option<Option<String>> {
    let allowed =
        format!("empty, or the id or external id of a workspace, at most {EXTERNAL_ID_BYTES_MAX} characters");
    from.parsed("delivery.operator_workspace", allowed, |value| {
        let text = value.as_str().filter(|text| text.len() <= EXTERNAL_ID_BYTES_MAX)?;
        Some((!text.is_empty()).then(|| text.to_owned()))
    })
}

fn read_ports(from: &mut Reader) -> Option<Vec<u16>> {
    let allowed = format!("a list of at most {PORTS_MAX} ports from 1 to 65535, such as [443, 8443]");
    from.parsed("delivery.allowed_ports", allowed, |value| {
        let list = value.as_array().filter(|list| list.len() <= PORTS_MAX)?;
        list.iter().map(port).collect()
    })
}

/// A variable of the environment has its ports as text.
fn port(value: &Value) -> Option<u16> {
    let port = match value {
        Value::String(text) => text.parse().ok()?,
        value => u16::try_from(value.as_integer()?).ok()?,
    };
    (port > 0).then_some(port)
}

/// The certificates themselves, so that a file that cannot be used is a fault of the configuration.
fn read_extra_roots(from: &mut Reader) -> Option<Vec<Root>> {
    const SETTING: &str = "delivery.extra_roots";
    let allowed = format!("a list of at most {ROOT_FILES_MAX} files, such as [\"/etc/keybell/roots.pem\"]");
    let files: Vec<PathBuf> = from.parsed(SETTING, allowed, |value| {
        let list = value.as_array().filter(|list| list.len() <= ROOT_FILES_MAX)?;
        list.iter().map(|value| Some(PathBuf::from(value.as_str()?))).collect()
    })?;
    let mut roots = Vec::new();
    let mut good = true;
    for file in files {
        match read_roots(&file) {
            Ok(read) => roots.extend(read),
            Err(error) => {
                good = false;
                let why = error.source().map(|source| format!(": {source}")).unwrap_or_default();
                from.refuse(
                    SETTING,
                    format!("a list of files of root certificates in PEM, and {error}{why}"),
                );
            }
        }
    }
    good.then_some(roots)
}
