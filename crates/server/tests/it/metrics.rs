//! `docs/metrics.md` and `/metrics` say the same, in both directions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use keybell_testkit::receiver::Receiver;
use serde_json::{Value, json};

use crate::support::{curl, installation};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Of each metric its type and its labels.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// What the page says: rows of its tables.
fn documented() -> Metrics {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let word = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let rows = page.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').collect();
        let [name, kind, labels, meaning] = cells.as_slice() else { panic!("{line}") };
        assert!(meaning.trim().ends_with('.'), "{line}");
        let labels = labels.split(',').map(word).filter(|label| !label.is_empty());
        (word(name), (word(kind), labels.collect()))
    });
    rows.collect()
}

/// What is shown: types by their lines, labels by the samples.
fn shown(text: &str) -> Metrics {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut metrics: Metrics =
        types.map(|(name, kind)| (name.to_owned(), (kind.to_owned(), BTreeSet::new()))).collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((sample, rest)) = line.split_once('{') else { continue };
        let owner =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| sample.strip_suffix(end)).unwrap_or(sample);
        let name = if metrics.contains_key(sample) { sample } else { owner };
        let (_, labels) = metrics.get_mut(name).unwrap_or_else(|| panic!("{line} has no type"));
        let (inner, _) = rest.split_once('}').expect("labels end");
        let keys = inner.split(',').filter_map(|label| label.split_once('=')).map(|(key, _)| key.to_owned());
        labels.extend(keys.filter(|key| key != "le"));
    }
    metrics
}

#[test]
fn every_metric_is_documented_and_every_documented_metric_is_shown() {
    let mut installation = installation(None, "[events]\ndeclare_on_publish = true\n");
    let key = installation.operator_key("platform").expect("a key");
    installation.serve().expect("it starts");
    let bearer = format!("Authorization: Bearer {key}");
    let get = |path: &str| curl(&["--header", &bearer, &installation.url(path)]);
    let post = |path: &str, body: Value| {
        let json = "Content-Type: application/json";
        let (status, text) = curl(&[
            "--header",
            &bearer,
            "--header",
            json,
            "--data",
            &body.to_string(),
            &installation.url(path),
        ]);
        assert!((200..300).contains(&status), "{path}: {status} {text}");
        text
    };
    // Some traffic: one endpoint that answers, one where nobody listens; a request for something that is not there.
    let receiver = Receiver::ok();
    post("/v1/workspaces", json!({ "name": "Acme", "external_id": "acme" }));
    for url in [receiver.url("/hook"), "http://127.0.0.1:9/nobody".to_owned()] {
        post("/v1/workspaces/acme/webhooks", json!({ "name": "Hook", "url": url, "events": ["*"] }));
    }
    let event = json!({ "workspace": "acme", "type": "portfolio.updated", "data": {} });
    post("/v1/events/batch", json!({ "events": [event] }));
    assert_eq!(get("/v1/workspaces/nobody").0, 404);

    let documented = documented();
    assert!(documented.len() > 30, "{} metrics", documented.len());
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, text) = get("/metrics");
        assert_eq!(status, 200);
        let shown = shown(&text);
        if shown == documented {
            break;
        }
        let missing: Vec<_> =
            documented.iter().filter(|(name, what)| shown.get(*name) != Some(what)).collect();
        let unknown: Vec<_> = shown.iter().filter(|(name, _)| !documented.contains_key(*name)).collect();
        // The attempts take a moment.
        assert!(Instant::now() < until, "not shown as documented: {missing:?}; not documented: {unknown:?}");
    }
}
